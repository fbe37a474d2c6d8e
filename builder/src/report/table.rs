//! The report as a table: what changed first of all, sizes as people read them.

use super::{Change, Line, Report};

/// Files that did not change are listed up to so many lines, the largest of them.
const LINES: usize = 60;

/// The table, with its totals; ends with a line break.
pub fn table(report: &Report) -> String {
    let shown = shown(report);
    let width = shown.iter().map(|line| line.logical.chars().count()).max().unwrap_or(0).max(9);
    let mut text = format!("{:width$} {:>10} {:>10}  {}\n", "file", "size", "transfer", "change");
    for line in &shown {
        text += &row(&line.logical, width, line.size, line.transfer, &change(line));
    }
    let hidden = report.files.len() - shown.len();
    if hidden > 0 {
        text.extend([&hidden.to_string(), " more\n"]);
    }
    for logical in &report.gone {
        text.extend([format!("{logical:width$} {:>10} {:>10}  gone\n", "", "")]);
    }
    let files = if report.totals.files == 1 { "1 file".to_owned() } else { format!("{} files", report.totals.files) };
    text + &row(&files, width, report.totals.size, report.totals.transfer, &changed(report))
}

/// In the order of their paths: what changed since the release before, and the largest of the rest.
fn shown(report: &Report) -> Vec<&Line> {
    let mut lines: Vec<&Line> = report.files.iter().collect();
    let is_change = |line: &Line| report.previous.is_some() && line.change != Change::Same;
    lines.sort_by_key(|line| (!is_change(line), std::cmp::Reverse(line.transfer)));
    let changed = lines.iter().filter(|line| is_change(line)).count();
    lines.truncate(LINES.max(changed));
    lines.sort_by(|left, right| left.logical.cmp(&right.logical));
    lines
}

fn row(name: &str, width: usize, size: u64, transfer: u64, change: &str) -> String {
    let row = format!("{name:width$} {:>10} {:>10}  {change}", bytes(size), bytes(transfer));
    format!("{}\n", row.trim_end())
}

fn change(line: &Line) -> String {
    match line.change {
        Change::New => "new".to_owned(),
        Change::Same => String::new(),
        Change::Changed(0) => "changed".to_owned(),
        Change::Changed(by) if by < 0 => format!("-{}", bytes(by.unsigned_abs())),
        Change::Changed(by) => format!("+{}", bytes(by.unsigned_abs())),
    }
}

fn changed(report: &Report) -> String {
    match (&report.previous, report.totals.changed) {
        (None, _) => String::new(),
        (Some(_), 0) => "nothing changed".to_owned(),
        (Some(_), transfer) => format!("{} new or changed", bytes(transfer)),
    }
}

/// `812 B`, `92.8 kB`, `1.18 MB`.
pub(super) fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let float = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..99_950 => format!("{:.1} kB", float / 1e3),
        99_950..999_500 => format!("{:.0} kB", float / 1e3),
        999_500..99_950_000 => format!("{:.2} MB", float / 1e6),
        _ => format!("{:.0} MB", float / 1e6),
    }
}

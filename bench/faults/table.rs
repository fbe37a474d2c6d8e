//! What was measured, for people: Markdown.

use std::fmt::Write;

use serde_json::Value;

/// A share, rounded down: what is not all is not 100.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", (share * 1000.0).floor() / 10.0)
}

/// The page. `names` are the programs, in their order.
pub(crate) fn markdown(result: &Value, names: &[&str]) -> String {
    let mut page = format!("{}\n{}\n", INTRODUCTION.trim(), versions(result, names));
    page.push_str(&good(result, names));
    page.push_str(&trouble(result, names));
    page
}

const INTRODUCTION: &str = "
# Bad days of origins, measured

Written by `make faults`; `bench/faults` says how it is measured, and holds the settings of each program.

A proxy stands between a load and two origins. 150 GET requests a second are sent, on time whether or not those before them have
been answered: half of them for 50 names that may be kept for a second, half for paths that are all different and may not be
kept; bodies are of 10 KB. For 2 s all is well; for 6 s one origin has a fault, or each; for 2 s all is well again. An answer is
a good one if it is 200 with the right bytes, to the last, within 2 s of when its request was due. All programs have their bad
days at the same time, on the same machine, each with origins of its own, and are started anew for each.
";

fn versions(result: &Value, names: &[&str]) -> String {
    let mut text = format!("\nMeasured on {} cores with:\n\n", result["cores"]);
    for name in names {
        let _ = writeln!(text, "- {name}: {}", result["versions"][name].as_str().unwrap_or_default());
    }
    text
}

fn rows(result: &Value) -> impl Iterator<Item = &Value> {
    result["rows"].as_array().into_iter().flatten()
}

/// A row of a table, its bars and all.
fn row(cells: impl IntoIterator<Item = String>) -> String {
    let mut line = String::from("|");
    for cell in cells {
        let _ = write!(line, " {cell} |");
    }
    line.push('\n');
    line
}

fn heading(first: &str, names: &[&str], of_each: &[&str]) -> String {
    let titles = names.iter().flat_map(|name| of_each.iter().map(move |of| format!("{name}: {of}")));
    let mut titles: Vec<String> = std::iter::once(first.to_owned()).chain(titles).collect();
    let mut text = row(titles.clone());
    titles.fill("---:".to_owned());
    "---".clone_into(&mut titles[0]);
    text.push_str(&row(titles));
    text
}

fn good(result: &Value, names: &[&str]) -> String {
    let mut text = String::from(
        "\n## Answered well, in percent\n\nRounded down. What misses what Rimward aims at (99.9 of what may be kept; of the rest 99.5 with one origin \
         down, resetting, hanging,\nerring or flapping, 95 with one that is slow, 98 with both failing one time of five) is in italics.\n\n",
    );
    text.push_str(&heading("Of the two origins", names, &["kept", "not kept"]));
    for measured in rows(result) {
        let mut cells = vec![measured["scenario"].as_str().unwrap_or_default().to_owned()];
        for name in names {
            for kind in ["cached", "dynamic"] {
                let share = measured["programs"][name][kind]["good"].as_f64().unwrap_or(f64::NAN);
                let missed = measured["goals"][kind].as_f64().is_some_and(|goal| share < goal);
                let text = percent(share);
                cells.push(if missed { format!("*{text}*") } else { text });
            }
        }
        text.push_str(&row(cells));
    }
    text
}

fn trouble(result: &Value, names: &[&str]) -> String {
    let mut text = String::from(
        "\n## Wrong bytes, and recovery\n\nWrong: answers that looked right, and had other bytes than they should, or said that they were encoded and were \
         not: while the fault\nlasted + after it. In the rows with † the origin itself lies. Recovery: from the end of the fault to the first good answer \
         after\nwhich all are good, in milliseconds, of what may be kept / of what may not (aim: 100 / 1000). “never”: not within the 2 s.\n\n",
    );
    text.push_str(&heading("Of the two origins", names, &["wrong", "recovery"]));
    for measured in rows(result) {
        let mark = if measured["origin_lies"] == true { " †" } else { "" };
        let mut cells = vec![format!("{}{mark}", measured["scenario"].as_str().unwrap_or_default())];
        for name in names {
            let of = &measured["programs"][name];
            cells.push(format!("{} + {}", of["wrong"]["during"], of["wrong"]["after"]));
            let recovery = |kind: &str, most: f64| match of["recovery_ms"][kind].as_f64() {
                Some(millis) if millis <= most => format!("{millis:.0}"),
                Some(millis) => format!("*{millis:.0}*"),
                None => "*never*".to_owned(),
            };
            cells.push(format!("{} / {}", recovery("cached", 100.0), recovery("dynamic", 1000.0)));
        }
        text.push_str(&row(cells));
    }
    text
}

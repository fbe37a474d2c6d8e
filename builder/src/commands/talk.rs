//! Talk to people: on standard error, with colour and progress on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::diagnostic::{Color, Diagnostic, Severity};
use crate::pipeline::Stage;

/// How to talk.
#[derive(Debug)]
pub struct Talk {
    color: Color,
    bar: Option<ProgressBar>,
}

/// Stages of a build, for the bar.
const STAGES: u64 = 6;

impl Talk {
    /// As the terminal and `NO_COLOR` want it.
    pub fn new() -> Talk {
        let terminal = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style =
            ProgressStyle::with_template("{bar:20} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = terminal.then(|| ProgressBar::new(STAGES).with_style(style));
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Talk { color: if terminal && !plain { Color::Styled } else { Color::Plain }, bar }
    }

    /// Says where a build is.
    pub fn stage(&self, stage: Stage) {
        let (position, message) = match stage {
            Stage::Scan => (0, "reading the source"),
            Stage::Link => (1, "finding references"),
            Stage::Minify => (2, "minifying"),
            Stage::Name => (3, "naming"),
            Stage::Encode => (4, "compressing"),
            Stage::Publish => (5, "writing"),
        };
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(message);
        }
    }

    /// Begins to count up to a number.
    pub fn count_to(&self, total: usize) {
        if let Some(bar) = &self.bar {
            let style = ProgressStyle::with_template("{bar:20} {pos} of {len} {elapsed}, {eta} left");
            bar.reset();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(total as u64);
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    /// Counts one.
    pub fn count(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Says what was found: every finding, then how many there were.
    pub fn findings(&self, findings: &[Diagnostic]) {
        self.clear();
        let mut findings: Vec<&Diagnostic> = findings.iter().collect();
        findings.sort();
        findings.dedup();
        for finding in &findings {
            eprintln!("{}", finding.render(self.color));
        }
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let counts: Vec<String> = [(errors, "error"), (warnings, "warning")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") })
            .collect();
        if !counts.is_empty() {
            eprintln!("{}", counts.join(", "));
        }
    }

    /// Says why something could not be done.
    pub fn error(&self, message: impl std::fmt::Display) {
        self.clear();
        eprintln!("error: {message}");
    }

    /// Says something.
    pub fn say(&self, message: impl std::fmt::Display) {
        self.clear();
        eprintln!("{message}");
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Talk {
    fn default() -> Talk {
        Talk::new()
    }
}

//! Processor time of child processes, and figures in a table.

use std::process::{Command, Stdio};

use serde::Serialize;

/// What Linux counts in `/proc/*/stat`, on every architecture that people build on.
const TICKS_A_SECOND: f64 = 100.0;

/// One measured figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
}

impl Figure {
    /// A figure with a goal.
    pub(crate) fn at_most(goal: f64, name: String, value: f64) -> Figure {
        Figure { name, value, at_most: Some(goal) }
    }

    /// A figure to look at.
    pub(crate) fn of(name: String, value: f64) -> Figure {
        Figure { name, value, at_most: None }
    }
}

/// User and system time of a process and its threads, in seconds.
pub(crate) fn cpu_of(command: &mut Command) -> f64 {
    let before = children_ticks();
    let program = command.get_program().to_string_lossy().into_owned();
    let status =
        command.stdout(Stdio::null()).status().unwrap_or_else(|error| panic!("cannot run `{program}`: {error}"));
    assert!(status.success(), "`{program}` failed: {status}");
    (children_ticks() - before).max(1.0) / TICKS_A_SECOND
}

/// Fields 16 and 17 of `/proc/self/stat` (proc(5)): what children that have ended used.
fn children_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this benchmark needs Linux");
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(13).take(2).map(|field| field.parse::<f64>().expect("a number")).sum()
}

/// The middle one.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One line a figure.
pub(crate) fn print_table(figures: &[Figure]) {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    for Figure { name, value, at_most } in figures {
        match at_most {
            Some(goal) if value <= goal => println!("{name:width$}  {value:8.3}  at most {goal:.2}"),
            Some(goal) => println!("{name:width$}  {value:8.3}  OVER {goal:.2}"),
            None => println!("{name:width$}  {value:8.1}"),
        }
    }
}

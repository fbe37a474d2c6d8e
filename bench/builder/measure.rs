//! Processor time of child processes, and figures in a table.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::Serialize;

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

/// User and system time of a process and its threads, in seconds, exact to a microsecond.
pub(crate) fn cpu_of(command: &mut Command) -> f64 {
    let before = of_children();
    let program = command.get_program().to_string_lossy().into_owned();
    let status =
        command.stdout(Stdio::null()).status().unwrap_or_else(|error| panic!("cannot run `{program}`: {error}"));
    assert!(status.success(), "`{program}` failed: {status}");
    of_children() - before
}

/// What children that have ended used (getrusage(2)). The counters of `/proc` are of the same clock, cut to its ticks of
/// 10 ms: too coarse for programs that are done in a few of them.
fn of_children() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let microseconds = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(microseconds).expect("time is not negative")).as_secs_f64()
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

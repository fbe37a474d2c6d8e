//! The commands: each reads what was typed, asks the library, and says what came of it.

pub mod build;
mod talk;

use std::process::ExitCode;

use crate::cli::{Cli, Command};

pub use talk::Talk;

/// How a command ended, as the exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What was asked for is done.
    Done,
    /// The inputs have errors.
    Errors,
    /// Usage or environment.
    Trouble,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> ExitCode {
        ExitCode::from(match ended {
            Ended::Done => 0,
            Ended::Errors => 1,
            Ended::Trouble => 2,
        })
    }
}

/// Runs what was typed.
pub fn run(cli: Cli) -> Ended {
    match cli.command {
        Command::Build(args) => build::run(&args),
    }
}

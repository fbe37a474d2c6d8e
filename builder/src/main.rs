//! The `rimward` program.

use std::process::ExitCode;

use clap::Parser as _;
use rimward::cli::Cli;
use rimward::commands;

fn main() -> ExitCode {
    commands::run(Cli::parse()).into()
}

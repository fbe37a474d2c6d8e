//! Programs that end with this one, however it ends.
//!
//! A process that is killed by force can stop nobody. Linux sends a process a signal when its parent is gone, if the
//! process has asked for it (`PR_SET_PDEATHSIG`, prctl(2)), and what was asked for outlasts `execve`. So this program
//! starts itself, asks, and becomes the program that is meant, under the same process id. Elsewhere programs are
//! started as they are, and outlive a parent that is killed by force.

use std::process::Command;

/// What a program is sent when this one is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Farewell {
    /// SIGTERM: for programs that have to end others first.
    Terminate,
    /// SIGKILL: for those that have nobody, and might wait for their clients.
    Kill,
}

/// The command, so that its program ends when the thread that starts it is gone: start it from the main thread.
#[cfg(target_os = "linux")]
pub(super) fn tied(command: &Command, farewell: Farewell) -> Command {
    // The link leads to this program also after an update has replaced its file.
    const OURSELVES: &str = "/proc/self/exe";
    let parent = std::process::id().to_string();
    let farewell = match farewell {
        Farewell::Terminate => "terminate",
        Farewell::Kill => "kill",
    };
    let mut tied = Command::new(OURSELVES);
    tied.args(["become", "--parent", &parent, "--farewell", farewell, "--"]);
    tied.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

/// See the module: nothing ties programs here.
#[cfg(not(target_os = "linux"))]
pub(super) fn tied(command: &Command, _farewell: Farewell) -> Command {
    let mut untied = Command::new(command.get_program());
    untied.args(command.get_args());
    untied.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        untied.current_dir(folder);
    }
    untied
}

/// Becomes the program; returns only where that fails.
#[cfg(target_os = "linux")]
pub(super) fn run(args: &crate::cli::BecomeArgs) -> super::Ended {
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let signal = match args.farewell {
        Farewell::Terminate => Signal::TERM,
        Farewell::Kill => Signal::KILL,
    };
    let asked = set_parent_process_death_signal(Some(signal));
    // It may have gone before we asked: then nobody would tell.
    if getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != args.parent) {
        return super::Ended::Trouble;
    }
    let error = match asked {
        Ok(()) => Command::new(&args.program).args(&args.arguments).exec(),
        Err(error) => error.into(),
    };
    super::Talk::new().error(format!("could not start `{}`: {error}", args.program.display()));
    super::Ended::Trouble
}

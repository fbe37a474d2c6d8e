//! A program that runs for us, and ends with us: in a process group of its own, so that what it starts ends too.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a program may take to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How often a program that is asked to end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running program. It is ended when this value goes.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Starts a program without input. Ctrl-C in the terminal does not reach it: whoever holds this value ends it.
    pub(super) fn start(command: &mut Command) -> io::Result<Running> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        command.stdin(Stdio::null()).spawn().map(|child| Running { child })
    }

    /// How it ended; `None` while it runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it and all that it started to end, and waits for it.
    pub(super) fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::Terminate);
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(LOOK_EVERY),
                Ok(Some(_)) | Err(_) => break,
            }
        }
        // What it started and left behind goes too; where nothing is left, nothing happens.
        self.signal(Signal::Kill);
        // It was told to end by force: nothing can be done where even waiting fails.
        let _ = self.child.wait();
    }

    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // Fails only where the group is gone, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _signal: Signal) {
        // Fails only where it has ended, which is what is wanted.
        let _ = self.child.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

/// Receives something when the user or the system wants us to end: Ctrl-C, SIGTERM, SIGHUP.
pub(super) fn interruptions() -> Result<Receiver<()>, ctrlc::Error> {
    let (sender, receiver) = channel();
    // The receiver may be gone when we are ending already.
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let script = format!("sleep 600 & echo $! > '{}'; trap '' TERM HUP; wait; exit 0", file.display());
        let mut running = Running::start(Command::new("sh").arg("-c").arg(script)).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let mut id = String::new();
        while !id.ends_with('\n') && Instant::now() < until {
            id = std::fs::read_to_string(&file).unwrap_or_default();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(running.ended().unwrap().is_none());
        running.stop();
        let id = rustix::process::Pid::from_raw(id.trim().parse().unwrap()).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        // The orphan is reaped by the system's first process: until then it is there, dead.
        let gone = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
            rustix::process::test_kill_process(id).is_err() || state.contains(") Z ")
        };
        while !gone() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "the child of the child runs on");
    }
}

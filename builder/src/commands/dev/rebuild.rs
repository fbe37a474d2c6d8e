//! Builds beside what is served: in a thread of its own, whenever the source or the settings have changed.
//!
//! A build has two halves. The long one, in memory, may be left at any moment: the thread goes with the process. The
//! short one writes, and is waited for: it is refused every further byte, and takes away what it has written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rimward_edge::release::manifest::RELEASES_PATH;

use crate::cli::ProjectArgs;
use crate::commands::{Talk, plan_again};
use crate::config::Plan;
use crate::fs::{Files, Found, Lock, Real, Stamp};
use crate::pipeline::{self, BuildError, Stage};

/// How often the source is looked at. A bundler that writes for longer than this between two files is caught half-way,
/// and its next file starts the build again.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A thread that builds. It writes nothing once this value is gone.
#[derive(Debug)]
pub(super) struct Rebuilding {
    gate: Arc<Gate>,
    tried: Arc<AtomicBool>,
    pointer: PathBuf,
}

impl Rebuilding {
    /// Builds now, and again after every change.
    pub(super) fn start(talk: &Arc<Talk>, project: &ProjectArgs, plan: Plan) -> io::Result<Rebuilding> {
        let rebuilding =
            Rebuilding { gate: Arc::default(), tried: Arc::default(), pointer: plan.output.join(RELEASES_PATH) };
        let builder = Builder { talk: talk.clone(), project: project.clone(), gate: rebuilding.gate.clone() };
        let tried = rebuilding.tried.clone();
        let (pointer, source) = (rebuilding.pointer.clone(), plan.source_called.clone());
        let work = move || {
            let mut seen = look(&plan);
            builder.build(&plan);
            if !pointer.is_file() {
                builder.talk.say(format!("waiting for a source that can be built: `{source}`"));
            }
            tried.store(true, SeqCst);
            loop {
                std::thread::sleep(LOOK_EVERY);
                builder.rebuild_if_changed(&plan, &mut seen);
            }
        };
        std::thread::Builder::new().name("rebuild".to_owned()).spawn(work)?;
        Ok(rebuilding)
    }

    /// Whether there is something to serve: not before the first build was tried, so that nobody sees an old release
    /// for the moment that it takes.
    pub(super) fn has_release(&self) -> bool {
        self.tried.load(SeqCst) && self.pointer.is_file()
    }
}

impl Drop for Rebuilding {
    fn drop(&mut self) {
        self.gate.close();
    }
}

/// What the thread works with.
struct Builder {
    talk: Arc<Talk>,
    project: ProjectArgs,
    gate: Arc<Gate>,
}

impl Builder {
    /// Builds where the source or the settings differ from what was seen, and have come to rest.
    fn rebuild_if_changed(&self, plan: &Plan, seen: &mut Vec<Look>) {
        let mut now = look(plan);
        if now == *seen {
            return;
        }
        loop {
            std::thread::sleep(LOOK_EVERY);
            let later = look(plan);
            if later == now {
                break;
            }
            now = later;
        }
        *seen = now;
        // The settings may be what has changed. Where they move the folders, dev must be started again.
        let Ok((fresh, findings)) = plan_again(&self.talk, &self.project) else { return };
        self.talk.findings(&findings);
        if fresh.source != plan.source || fresh.output != plan.output {
            self.talk.say("`source` or `output` has changed: start `rimward dev` again");
            return;
        }
        self.build(&fresh);
    }

    fn build(&self, plan: &Plan) {
        let progress = |stage| {
            if stage == Stage::Publish {
                self.gate.enter();
            }
        };
        let result = pipeline::build(plan, &*self.gate, &progress, SystemTime::now());
        // Where we are to end, nobody wants to hear why it failed.
        self.gate.leave();
        let (findings, failure) = match result {
            Ok(built) => {
                self.talk.findings(&built.findings);
                self.talk.say(format!("release {} is ready", built.report.release));
                return;
            }
            Err(BuildError::Source(findings)) => (findings, None),
            Err(BuildError::Publish(error, findings)) => (findings, Some(error.to_string())),
            Err(BuildError::Threads(why)) => (Vec::new(), Some(format!("could not start threads: {why}"))),
        };
        self.talk.findings(&findings);
        if let Some(why) = failure {
            self.talk.error(why);
        }
        self.talk.say("nothing was published: the release before this, if any, still answers");
    }
}

/// One file as it was seen.
type Look = (PathBuf, u64, Option<SystemTime>);

/// The source's files and the settings. The folder is looked at whole: bundlers remove it and make it anew, which a
/// notification for the folder would not survive.
fn look(plan: &Plan) -> Vec<Look> {
    let settings = [plan.project.join(crate::settings::FILE_NAME)];
    let files = walkdir::WalkDir::new(&plan.source).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let seen = |path: PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    };
    files.chain(settings).filter_map(seen).collect()
}

/// The real file system, until it is closed.
#[derive(Debug, Default)]
struct Gate {
    closed: AtomicBool,
    writing: Mutex<bool>,
    left: Condvar,
}

impl Gate {
    /// A build begins to write. Where the gate is closed this waits for the end of the process.
    fn enter(&self) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closes it looks at this afterwards.
        *writing = !self.closed.load(SeqCst);
        drop(writing);
        self.stop_if_closed();
    }

    /// It has written, or was refused. Where the gate is closed this waits for the end of the process.
    fn leave(&self) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.left.notify_all();
        self.stop_if_closed();
    }

    /// Refuses every further byte, and waits until nobody writes.
    fn close(&self) {
        self.closed.store(true, SeqCst);
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.left.wait_while(writing, |writing| *writing));
    }

    fn stop_if_closed(&self) {
        while self.closed.load(SeqCst) {
            std::thread::park();
        }
    }

    fn open(&self) -> io::Result<()> {
        if self.closed.load(SeqCst) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

impl Files for Gate {
    fn walk(&self, root: &Path, enter: &dyn Fn(&Path) -> bool) -> io::Result<Vec<Found>> {
        Real.walk(root, enter)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        Real.stamp(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.open()?;
        Real.write(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.open()?;
        Real.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Real.sync_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Real.remove(path)
    }

    fn remove_empty_folder(&self, path: &Path) -> io::Result<()> {
        Real.remove_empty_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        Real.lock(path)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_writes_when_the_gate_closes_is_refused_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, gate) = (folder.path().join("file"), Arc::new(Gate::default()));
        let (say, hear) = channel();
        let builder = gate.clone();
        std::thread::spawn(move || {
            builder.enter();
            let say = |result: io::Result<()>| say.send(result.map_err(|error| error.kind())).unwrap();
            say(builder.write(&path, b"before"));
            while !builder.closed.load(SeqCst) {
                std::thread::yield_now();
            }
            say(builder.write(&path, b"after"));
            say(builder.remove(&path));
            builder.leave();
            unreachable!("what has left a closed gate waits for the end of the process");
        });
        assert_eq!(hear.recv().unwrap(), Ok(()));
        gate.close();
        let said: Vec<_> = hear.try_iter().collect();
        assert_eq!(said, [Err(io::ErrorKind::Interrupted), Ok(())], "it was waited for, and could clean up");
    }

    #[test]
    fn nobody_is_waited_for_where_nobody_writes() {
        let gate = Gate::default();
        gate.enter();
        gate.leave();
        gate.close();
        assert!(gate.write(Path::new("/nowhere"), b"").is_err_and(|error| error.kind() == io::ErrorKind::Interrupted));
    }
}

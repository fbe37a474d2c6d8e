//! `rimward dev` and `rimward serve` as processes: what they show and serve meanwhile, and that nothing outlives them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rimward::fs::{Files as _, Real};

use crate::runtime::{free_address, made_by, project};
use crate::site::rimward;

/// wrangler takes its time on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);
/// What a person takes for at once. wrangler itself takes about one second of it.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Two wranglers that start at the same moment choose the same port for their inspectors.
static ONE_WRANGLER: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_WRANGLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A project below ours, so that it finds wrangler, its Node.js and `workerd` in our `node_modules`.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Project {
        made_by("npm ci", "node_modules/wrangler/bin/wrangler.js");
        let target = project().join("target/tmp");
        fs::create_dir_all(&target).unwrap();
        let folder = tempfile::tempdir_in(target).unwrap();
        let project = Project { folder };
        project.write("dist/index.html", "<!doctype html><title>shop</title><p>first");
        assert!(project.command("init").status().unwrap().success());
        project
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program, and all that it starts, carry a mark by which they are found.
    fn command(&self, command: &str) -> Command {
        let mut program = rimward();
        program.arg(command).current_dir(self.folder.path()).env_remove("RIMWARD_ENV").stdin(Stdio::null());
        program.env("RIMWARD_TEST_PROJECT", self.folder.path()).env("HOME", self.folder.path());
        program.env("WRANGLER_SEND_METRICS", "false").env("CI", "true").stdout(Stdio::null()).stderr(Stdio::null());
        program
    }

    fn start(&self, command: &str) -> Started<'_> {
        let port = free_address().port();
        let log = File::create(self.path("log")).unwrap();
        let mut program = self.command(command);
        program.args(["--port", &port.to_string()]).stdout(log.try_clone().unwrap()).stderr(log);
        Started { project: self, process: program.spawn().unwrap(), port }
    }

    /// Processes that carry the mark, by their command lines.
    fn processes(&self) -> Vec<String> {
        let mark = format!("RIMWARD_TEST_PROJECT={}\0", self.folder.path().display());
        let marked = |process: &PathBuf| {
            // Processes of others cannot be read, and those that are gone are not there.
            fs::read(process.join("environ")).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&mark))
        };
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(marked);
        processes.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
    }

    #[track_caller]
    fn nothing_runs(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.processes().is_empty() {
            assert!(Instant::now() < until, "these run on: {:#?}", self.processes());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What lies in a folder.
    fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let found = Real.walk(&self.path(folder), &|_| true).unwrap();
        let read = |path: PathBuf| (path.clone(), fs::read(self.path(folder).join(path)).unwrap());
        found.into_iter().map(|found| read(found.path)).collect()
    }

    fn a_build_is_at_work(&self) -> bool {
        let lock = File::open(self.path(".rimward/lock")).unwrap();
        lock.try_lock().is_err()
    }
}

struct Started<'a> {
    project: &'a Project,
    process: Child,
    port: u16,
}

impl Started<'_> {
    fn log(&self) -> String {
        fs::read_to_string(self.project.path("log")).unwrap()
    }

    /// Waits until it is so; the program must not end meanwhile.
    #[track_caller]
    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "never: {what}; {ended:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn answers(&mut self, text: &str) {
        self.until(text, |started| started.page().is_some_and(|page| page.contains(text)));
    }

    fn page(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(answer)
    }

    /// How it ended, and how long that took.
    fn signal(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let began = Instant::now();
        assert!(Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success());
        let status = self.process.wait().unwrap();
        (status, began.elapsed())
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn dev_serves_what_is_built_and_goes_on_serving_it_when_a_build_fails() {
    let _alone = alone();
    let project = Project::new();
    let mut dev = project.start("dev");
    dev.answers("<p>first");

    project.write("dist/index.html", "<!doctype html><title>shop</title><p>second");
    dev.answers("<p>second");

    project.write("dist/index.html", "<!doctype html><title>shop</title><p>third");
    project.write("dist/notes.txt", "a");
    project.write("dist/NOTES.txt", "b");
    dev.until("an error", |dev| dev.log().contains("error: ") && dev.log().contains("nothing was published"));
    assert!(dev.log().contains("NOTES.txt"), "{}", dev.log());
    assert!(dev.page().unwrap().contains("<p>second"), "the last good release stays");

    fs::remove_file(project.path("dist/NOTES.txt")).unwrap();
    dev.answers("<p>third");

    let (status, took) = dev.signal("-INT");
    assert!(status.success() && took < AT_ONCE, "{status} after {took:?}: {}", dev.log());
    assert_eq!(project.processes(), [""; 0], "{}", dev.log());
}

#[test]
fn dev_ends_at_once_also_while_it_builds() {
    let _alone = alone();
    let project = Project::new();
    let mut dev = project.start("dev");
    dev.answers("<p>first");
    let before = project.files("public");

    // Half a minute's work for the encoder.
    project.write("dist/data.json", &noise(24_000_000));
    dev.until("a build", |_| project.a_build_is_at_work());
    // It has read the source and found nothing to link: it is encoding, or about to.
    std::thread::sleep(Duration::from_secs(2));
    assert!(project.a_build_is_at_work(), "the build is too short for this test");
    let (status, took) = dev.signal("-INT");
    assert!(status.success() && took < AT_ONCE, "{status} after {took:?}: {}", dev.log());
    assert_eq!(project.processes(), [""; 0], "{}", dev.log());
    assert!(project.files("public") == before, "something was written");
    assert!(!project.a_build_is_at_work());
}

/// Text that no encoder makes much of.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    let text: String = (0..bytes).map(|_| next()).collect();
    format!("\"{text}\"")
}

#[test]
fn dev_that_is_killed_leaves_nothing_running() {
    let _alone = alone();
    let project = Project::new();
    let mut dev = project.start("dev");
    dev.answers("<p>first");
    assert!(project.processes().len() > 2, "the mark is found: {:?}", project.processes());
    dev.signal("-KILL");
    project.nothing_runs();
}

#[test]
fn serve_that_is_killed_leaves_nothing_running() {
    let project = Project::new();
    assert!(project.command("build").status().unwrap().success());
    let mut serve = project.start("serve");
    serve.answers("<p>first");
    // A client that stays must not keep it.
    let mut client = TcpStream::connect(("127.0.0.1", serve.port)).unwrap();
    write!(client, "GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    assert_eq!(project.processes().len(), 2, "the program and workerd: {:?}", project.processes());
    serve.signal("-KILL");
    project.nothing_runs();
}

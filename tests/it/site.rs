//! A site as its owner runs it: a folder with settings, `rimward build`, `rimward serve`, and the demo's API behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rimward_edge::release::manifest::{Manifest, Releases};
use tempfile::TempDir;

use crate::runtime::{PATIENCE, free_address, made_by, project};

/// The program with the Worker inside, as `make test` makes it.
#[track_caller]
pub(crate) fn rimward() -> Command {
    Command::new(made_by("make test", "target/debug/rimward"))
}

/// Holds how a command ended, and what it said to people.
#[track_caller]
pub(crate) fn check(output: &Output, status: i32, said: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for line in said {
        assert!(text.contains(line), "`{line}` was not said: {text}");
    }
}

/// A project's folder outside of this one.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// A project whose routes lead to these, if there are any.
    pub(crate) fn new<'api>(base: &str, apis: impl IntoIterator<Item = &'api Api>) -> Site {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut settings = format!(
            "[site]\nname = \"shop\"\nbase = \"{base}\"\nclient_address = \"socket\"\n[document]\nfallback = \"/index.html\"\n"
        );
        let origin = |api: &Api| format!("[[pool.origin]]\nurl = \"{}\"\n", api.origin);
        let origins = apis.into_iter().map(origin).collect::<Vec<_>>().concat();
        if !origins.is_empty() {
            settings =
                format!("{settings}[[pool]]\nname = \"api\"\n{origins}[[route]]\npath = \"/api/*\"\npool = \"api\"\n");
        }
        fs::write(folder.path().join("rimward.toml"), settings).expect("a temporary file");
        Site { folder }
    }

    /// Writes more into the settings, behind what is there: the route, if there is one.
    pub(crate) fn configure(&self, text: &str) {
        let path = self.path().join("rimward.toml");
        let settings = fs::read_to_string(&path).expect("settings");
        fs::write(path, format!("{settings}{text}\n")).expect("a temporary file");
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts an app, as `make apps` built it, where its bundler would have: `dist/`.
    #[track_caller]
    pub(crate) fn put(&self, variant: &str) -> PathBuf {
        let built = made_by("make apps", &format!("target/apps/{variant}/index.html"));
        let dist = self.path().join("dist");
        copy(built.parent().expect("it is in a folder"), &dist);
        dist
    }

    /// `rimward build`, which must succeed.
    #[track_caller]
    pub(crate) fn build(&self) -> Output {
        let output = rimward().arg("build").current_dir(self.path()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`rimward build` failed: {said}");
        output
    }

    /// The current release's manifest.
    #[track_caller]
    pub(crate) fn manifest(&self) -> Manifest {
        let private = self.path().join("public/_rimward");
        let releases: Releases = json(&private.join("releases.json"));
        json(&private.join(format!("releases/{}/manifest.json", releases.current)))
    }

    /// `rimward serve`, when it answers.
    #[track_caller]
    pub(crate) fn serve(&self) -> Edge {
        self.serve_with(&[])
    }

    /// The same with these variables in its environment.
    #[track_caller]
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Edge {
        let address = free_address();
        let log = fs::File::create(self.path().join("serve.log")).expect("a temporary file");
        let process = rimward()
            .args(["serve", "--port", &address.port().to_string(), "--workerd"])
            .arg(project().join("node_modules/workerd/bin/workerd"))
            .current_dir(self.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut edge = Edge { process, origin: format!("http://{address}") };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let ended = edge.process.try_wait().expect("a child");
            let log = fs::read_to_string(self.path().join("serve.log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "`rimward serve` does not answer: {log}");
            thread::park_timeout(Duration::from_millis(20));
        }
        edge
    }
}

/// A running `rimward serve`. It ends with this value.
pub(crate) struct Edge {
    process: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
}

impl Drop for Edge {
    /// As Ctrl-C does: its own child, `workerd`, must end with it.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let until = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The demo's API. It ends with this value.
pub(crate) struct Api {
    process: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
}

impl Api {
    /// Starts it on a free port.
    #[track_caller]
    pub(crate) fn start() -> Api {
        let mut process = Command::new("node")
            .arg(project().join("tests/app/api.mjs"))
            .args(["--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says where it listens");
        let origin = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(origin.starts_with("http://"), "the API said `{line}`");
        Api { process, origin }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// Copies a folder's files.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

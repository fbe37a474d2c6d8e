//! The suite as its authors run it: their server and client in Node.js, and in between `rimward serve`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::suite::{self, Failure, judge, verdict};
use super::{cases, exceptions, expect};
use crate::runtime::{PATIENCE, made_by, project};
use crate::site::Site;

/// All cases together take half a minute: most of it are their own pauses.
const RUN_WITHIN: Duration = Duration::from_mins(5);

/// A program of the suite's. It ends with this value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn suite_folder() -> PathBuf {
    std::env::var_os("CACHE_TESTS_SUITE").map_or_else(|| made_by("npm ci", "node_modules/http-cache-tests"), Into::into)
}

/// Starts the suite's server on a free port of this machine alone; says where.
fn server(suite: &Path, folder: &Path) -> (Program, String) {
    let log = folder.join("server.log");
    let process = Command::new("node")
        .arg("--import")
        .arg(project().join("tests/conformance/loopback.mjs"))
        .arg(suite.join("server/server.mjs"))
        .envs([("npm_config_protocol", "http"), ("npm_config_port", "0")])
        .env("npm_config_pidfile", folder.join("server.pid"))
        .stdin(Stdio::null())
        .stdout(fs::File::create(&log).unwrap())
        .stderr(fs::File::create(folder.join("server.err")).unwrap())
        .spawn()
        .expect("node starts");
    let program = Program(process);
    let until = Instant::now() + PATIENCE;
    loop {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if let Some((origin, _)) = said.strip_prefix("Listening on ").and_then(|rest| rest.split_once("/\n")) {
            return (program, origin.to_owned());
        }
        let errors = fs::read_to_string(folder.join("server.err")).unwrap_or_default();
        assert!(Instant::now() < until, "the suite's server does not listen: {said} {errors}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What the suite's client says of each case.
fn run(suite: &Path, cases: &Path, base: &str, out: &Path) -> BTreeMap<String, Result<(), Failure>> {
    let mut client = Command::new("node");
    client.arg(project().join("tests/conformance/run.mjs")).args([suite, cases]).arg(base).arg(out);
    let mut client = Program(client.stdin(Stdio::null()).spawn().expect("node starts"));
    let until = Instant::now() + RUN_WITHIN;
    while client.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the suite's client does not end");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let said: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(out).expect("results")).unwrap();
    said.into_iter().map(|(id, said)| (id, result(&said))).collect()
}

/// `true`, or the kind of failure and its text.
fn result(said: &Value) -> Result<(), Failure> {
    let text = || said[1].as_str().unwrap_or_default().to_owned();
    match (said, said[0].as_str()) {
        (Value::Bool(true), _) => Ok(()),
        (_, Some("Setup")) => Err(Failure::Setup(text())),
        (_, Some("Assertion")) => Err(Failure::Assertion(text())),
        _ => Err(Failure::Assertion(said.to_string())),
    }
}

#[test]
fn the_public_suite_passes_through_serve_but_for_exceptions_with_reasons() {
    let (path, unused) = cases();
    let folder = suite_folder();
    let site = Site::new("/", None);
    let (_server, origin) = server(&folder, site.path());
    site.configure(&format!(
        "[[pool]]\nname = \"suite\"\nretry = {{ attempts = 0 }}\n\
         breaker = {{ errors = 1, min_requests = 10000 }}\n[[pool.origin]]\nurl = \"{origin}\"\n\
         [[route]]\npath = \"/*\"\npool = \"suite\"\ncache = \"suite\"\n\
         [cache.suite]\nstale_if_error = \"1d\"\nset_cookie = \"keep\""
    ));
    fs::create_dir(site.path().join("dist")).unwrap();
    fs::write(site.path().join("dist/index.html"), "<!doctype html><title>no page is asked for</title>").unwrap();
    site.build();
    let edge = site.serve();
    let out = project().join("target/conformance/results.json");
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    let begun = Instant::now();
    let own = run(&folder, &path, &edge.origin, &out);
    let cases = suite::cases(&fs::read(&path).unwrap());
    println!("Through `rimward serve`, in {} s; see {}:", begun.elapsed().as_secs(), out.display());
    expect(&verdict(&cases, &judge(&cases, &own), &exceptions(&["everywhere", "workerd"], unused), unused));
}

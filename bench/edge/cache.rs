//! What a hit costs, beside the ten lines that put the platform's cache before an origin.

use std::fmt::Write;
use std::sync::atomic::AtomicU32;

use rimward::workerd::{Config, Outbound};
use rimward_edge::config::{CachePolicy, Origin as OriginSettings, Pool, Route, Settings, Timeout};
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::{Load, cpu, send};
use crate::origin::Origin;
use crate::published::{publish, settings};
use crate::runtime::{Workerd, site, worker};
use crate::{median, script};

const CONNECTIONS: u32 = 8;
const WARM_UP_ROUNDS: usize = 3;
const BYTES: usize = 10 * 1024;

/// One kind of hit.
struct Case {
    name: &'static str,
    /// So many that the isolate's memory cannot hold them, or one.
    paths: u32,
    requests: u32,
    /// The most that a hit may cost, as a share of the ten lines'.
    goal: f64,
}

const CASES: [Case; 2] = [
    Case { name: "10 KB hit, memory", paths: 1, requests: 250, goal: 0.60 },
    Case { name: "10 KB hit, Cache API", paths: 16_000, requests: 250, goal: 1.15 },
];

/// A Worker before an origin, with a cache of its own; or one that just greets, for the scale.
struct Subject {
    worker: Workerd,
    _folder: TempDir,
}

pub(crate) fn measure(rounds: usize) -> Result<Vec<Value>, String> {
    let origin = Origin::start(|exchange| {
        exchange.answer("200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=3600", vec![b'a'; BYTES]);
    });
    let hello = start(|_| site(script("bench/edge/workers/hello.js"), None))?;
    let subjects = [rimward(&origin)?, naive(&origin)?, hello];
    CASES.iter().map(|case| measure_case(case, &subjects, rounds)).collect()
}

fn measure_case(case: &Case, subjects: &[Subject; 3], rounds: usize) -> Result<Value, String> {
    eprintln!("{}: {rounds} rounds of {} requests to each", case.name, case.requests * CONNECTIONS);
    let loads = subjects.each_ref().map(|subject| load_of(case, subject));
    for load in &loads {
        // Everything is stored before anything is measured.
        for _ in 0..case.paths.div_ceil(case.requests * CONNECTIONS) {
            send(load, 200)?;
        }
    }
    let mut micros: [Vec<f64>; 3] = Default::default();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..subjects.len() {
            let number = (turn + round) % subjects.len();
            let process = subjects[number].worker.id();
            let before = cpu(process)?;
            send(&loads[number], 200)?;
            let taken = cpu(process)?.saturating_sub(before);
            if round >= WARM_UP_ROUNDS {
                micros[number].push(taken.as_secs_f64() * 1e6 / f64::from(case.requests * CONNECTIONS));
            }
        }
    }
    let ratio = |other: &[f64]| median(micros[0].iter().zip(other).map(|(own, other)| own / other).collect());
    let (to_naive, to_hello) = (ratio(&micros[1]), ratio(&micros[2]));
    let [own, naive, hello] = micros.map(median);
    let micros = json!({ "rimward": own, "naive": naive, "hello": hello });
    Ok(json!({ "name": case.name, "micros": micros, "to_naive": to_naive, "to_hello": to_hello, "goal": case.goal }))
}

fn load_of(case: &Case, subject: &Subject) -> Load {
    let query = if case.paths == 1 { "" } else { "?n={n}" };
    let request = format!(
        "GET /api/products{query} HTTP/1.1\r\nHost: shop.test\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept: */*\r\n\
         User-Agent: Mozilla/5.0\r\n\r\n"
    );
    let (address, paths) = (subject.worker.address, case.paths);
    Load { address, request, paths, from: AtomicU32::default(), connections: CONNECTIONS, requests: case.requests }
}

fn rimward(origin: &Origin) -> Result<Subject, String> {
    let timeout = Timeout { answer_ms: 5000, idle_ms: None, total_ms: None };
    let pool = Pool::new(vec![OriginSettings::new(&origin.url(""))], timeout);
    let path = Pattern::parse("/api/*").map_err(|error| error.to_string())?;
    let route = Route { cache: Some("api".into()), ..Route::new(path, "api") };
    let policy: CachePolicy = serde_json::from_str("{}").map_err(|error| error.to_string())?;
    let settings = Settings {
        pools: [("api".to_owned(), pool)].into_iter().collect(),
        routes: vec![route],
        caches: [("api".to_owned(), policy)].into_iter().collect(),
        ..settings()
    };
    start(|folder| {
        let public = folder.path().join("public");
        publish(&public, settings, &[], &[]);
        site(worker(), Some(public))
    })
}

fn naive(origin: &Origin) -> Result<Subject, String> {
    start(|_| Config {
        variables: [("ORIGIN".to_owned(), origin.url(""))].into(),
        outbound: Outbound::Network(vec!["local".into()]),
        ..site(script("bench/edge/workers/naive.js"), None)
    })
}

fn start(config: impl FnOnce(&TempDir) -> Config) -> Result<Subject, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))?;
    let state = folder.path().join("state");
    std::fs::create_dir(&state).map_err(|error| format!("could not make a folder: {error}"))?;
    let config = Config { state: Some(state), ..config(&folder) };
    Ok(Subject { worker: Workerd::start(&config), _folder: folder })
}

pub(crate) fn table(hits: &Value) -> String {
    let mut table = String::from("CPU a hit, µs           rimward  ten lines   hello   to hello   to ten lines\n");
    for case in hits.as_array().into_iter().flatten() {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let (ratio, goal) = (number(&case["to_naive"]), number(&case["goal"]));
        let _ = writeln!(
            table,
            "{:<22} {:>8.1} {:>10.1} {:>7.1} {:>10.2} {:>14.2} (≤ {goal:.2}) {}",
            case["name"].as_str().unwrap_or_default(),
            number(&case["micros"]["rimward"]),
            number(&case["micros"]["naive"]),
            number(&case["micros"]["hello"]),
            number(&case["to_hello"]),
            ratio,
            if ratio <= goal { "met" } else { "MISSED" },
        );
    }
    table
}

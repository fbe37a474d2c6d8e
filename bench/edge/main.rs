//! What the edge costs: CPU of the server's process for a request, beside other Workers on the same `workerd`.
//!
//! Everything is a ratio within one run: the subjects take turns, round by round, and the median of the rounds' ratios
//! is reported. README.md says how to read it and how to add to it.

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/origin.rs"]
mod origin;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/published.rs"]
mod published;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/runtime.rs"]
mod runtime;

mod cache;
mod limiters;
mod limits;
mod load;
mod pools;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rimward::workerd::{Module, ModuleKind};
use rimward_edge::release::manifest::Coding;
use serde_json::{Value, json};

use load::{Load, cpu, send};
use published::{File, publish, settings};
use runtime::{Answer, Workerd, made_by, project, site, worker};

const CONNECTIONS: u32 = 8;
const WARM_UP_ROUNDS: usize = 3;
const STARTS: usize = 11;

/// What the ratios may be at most.
const GOAL_PLAIN: f64 = 1.10;
const GOAL_HONO: f64 = 0.45;
const GOAL_START: Duration = Duration::from_millis(15);
const GOAL_WASM_BYTES: usize = 350 * 1024;

/// One request, put to all subjects.
struct Case {
    name: &'static str,
    path: &'static str,
    /// Asks with the validator that the subject itself gave.
    conditional: bool,
    requests: u32,
}

const CASES: [Case; 3] = [
    Case { name: "10 KB asset", path: "/assets/app.3f9ab2c1k0.js", conditional: false, requests: 250 },
    Case { name: "200 KB asset", path: "/assets/vendor.7c1d20e9zz.js", conditional: false, requests: 100 },
    Case { name: "10 KB asset, 304", path: "/assets/app.3f9ab2c1k0.js", conditional: true, requests: 250 },
];

fn main() -> Result<(), String> {
    let rounds = rounds()?;
    if std::env::args().any(|argument| argument == "pools") {
        eprint!("{}", pools::table(&pools::measure(rounds)?));
        return Ok(());
    }
    if std::env::args().any(|argument| argument == "limits") {
        eprint!("{}", limits::table(&limits::measure(rounds)?));
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))?;
    publish(folder.path(), settings(), &files(), &[]);

    let subjects = [
        ("rimward", start(worker(), folder.path())),
        ("plain", start(script("bench/edge/workers/plain.js"), folder.path())),
        ("hono", start(vec![es_module(made_by("make bench-edge", "target/bench/hono.js"))], folder.path())),
    ];
    check_alike(&subjects)?;

    let mut cases = Vec::new();
    for case in &CASES {
        eprintln!("{}: {rounds} rounds of {} requests to each", case.name, case.requests * CONNECTIONS);
        cases.push(measure(case, &subjects, rounds)?);
    }
    drop(subjects);
    let hits = cache::measure(rounds)?;
    let limits = limits::measure(rounds)?;
    let pools = pools::measure(rounds)?;
    eprintln!("start-up: {STARTS} times");
    let start_up = start_up(folder.path())?;
    let result = json!({ "cases": cases, "hits": hits, "limits": limits, "pools": pools, "start_up": start_up, "wasm": wasm_size()? });
    eprint!("{}", table(&result));
    println!("{result:#}");
    Ok(())
}

/// The number of rounds: the first argument that is one.
fn rounds() -> Result<usize, String> {
    // Cargo passes `--bench` on.
    match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        None => Ok(41),
        Some(text) => text.parse().ok().filter(|rounds| *rounds > 0).ok_or(format!("`{text}` is no number of rounds")),
    }
}

/// Nobody decodes them: any bytes will do.
fn files() -> [File; 2] {
    let bytes = |length| (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(length).collect();
    [("assets/app.3f9ab2c1k0.js", 10 * 1024), ("assets/vendor.7c1d20e9zz.js", 200 * 1024)].map(|(path, length)| File {
        path,
        media_type: "text/javascript; charset=utf-8",
        identity: bytes(3 * length),
        encodings: vec![(Coding::Br, bytes(length)), (Coding::Gzip, bytes(length + length / 8))],
    })
}

fn start(modules: Vec<Module>, assets: &Path) -> Workerd {
    Workerd::start(&site(modules, Some(assets.to_owned())))
}

pub(crate) fn script(path: &str) -> Vec<Module> {
    vec![es_module(project().join(path))]
}

pub(crate) fn es_module(file: PathBuf) -> Module {
    Module { name: "main.js".into(), kind: ModuleKind::EsModule, file }
}

const ACCEPT_ENCODING: (&str, &str) = ("Accept-Encoding", "gzip, deflate, br, zstd");

/// A comparison of things that differ says nothing: all have to answer with the same bytes and fields.
fn check_alike(subjects: &[(&str, Workerd); 3]) -> Result<(), String> {
    for case in &CASES {
        let answers: Vec<Answer> =
            subjects.iter().map(|(_, worker)| worker.ask("GET", case.path, &[ACCEPT_ENCODING]).expect(200)).collect();
        let names = |answer: &Answer| {
            let mut names: Vec<String> = answer.fields.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        for ((name, _), answer) in subjects.iter().zip(&answers) {
            if names(answer) != names(&answers[0]) {
                return Err(format!("`{name}` answers with other fields: {:#?}", (&answer.fields, &answers[0].fields)));
            }
        }
        if answers.iter().any(|answer| answer.body != answers[0].body || answer.field("content-encoding") != Some("br"))
        {
            return Err(format!("{} is not the same from all", case.path));
        }
    }
    Ok(())
}

fn measure(case: &Case, subjects: &[(&str, Workerd); 3], rounds: usize) -> Result<Value, String> {
    let loads: Vec<(Load, u16)> = subjects.iter().map(|(_, worker)| load_of(case, worker)).collect();
    let mut micros: [Vec<f64>; 3] = Default::default();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..subjects.len() {
            // Each has each place in the order as often.
            let number = (turn + round) % subjects.len();
            let (load, status) = &loads[number];
            let process = subjects[number].1.id();
            let before = cpu(process)?;
            send(load, *status)?;
            let taken = cpu(process)?.saturating_sub(before);
            if round >= WARM_UP_ROUNDS {
                micros[number].push(taken.as_secs_f64() * 1e6 / f64::from(load.requests * load.connections));
            }
        }
    }
    let ratio = |other: &[f64]| median(micros[0].iter().zip(other).map(|(own, other)| own / other).collect());
    Ok(json!({
        "name": case.name,
        "micros": { "rimward": median(micros[0].clone()), "plain": median(micros[1].clone()), "hono": median(micros[2].clone()) },
        "to_plain": ratio(&micros[1]),
        "to_hono": ratio(&micros[2]),
    }))
}

fn load_of(case: &Case, worker: &Workerd) -> (Load, u16) {
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: shop.test\r\n{}: {}\r\nAccept: */*\r\nUser-Agent: Mozilla/5.0\r\n",
        case.path, ACCEPT_ENCODING.0, ACCEPT_ENCODING.1
    );
    let first = worker.ask("GET", case.path, &[ACCEPT_ENCODING]).expect(200);
    let status = if case.conditional {
        let _ = write!(request, "If-None-Match: {}\r\n", first.field("etag").unwrap_or_default());
        304
    } else {
        200
    };
    request.push_str("\r\n");
    let load = Load {
        address: worker.address,
        request,
        paths: 1,
        from: AtomicU32::default(),
        connections: CONNECTIONS,
        requests: case.requests,
    };
    (load, status)
}

/// From the start of the process to its first answer: an asset from Rimward, a greeting from the smallest Worker.
fn start_up(assets: &Path) -> Result<Value, String> {
    let until_first_answer = |modules: Vec<Module>| -> Result<f64, String> {
        let worker = start(modules, assets);
        worker.ask("GET", CASES[0].path, &[ACCEPT_ENCODING]).expect(200);
        Ok(cpu(worker.id())?.as_secs_f64() * 1e3)
    };
    let (mut rimward, mut hello, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let own = until_first_answer(worker())?;
        let other = until_first_answer(script("bench/edge/workers/hello.js"))?;
        rimward.push(own);
        hello.push(other);
        over.push(own - other);
    }
    Ok(json!({ "rimward_ms": median(rimward), "hello_ms": median(hello), "over_hello_ms": median(over) }))
}

fn wasm_size() -> Result<Value, String> {
    let file = made_by("make worker", "target/worker/rimward.wasm");
    let packed = Command::new("gzip").arg("-9c").arg(&file).output();
    let packed = packed.map_err(|error| format!("could not run `gzip`: {error}"))?.stdout;
    let raw = std::fs::metadata(&file).map_err(|error| format!("could not read `{}`: {error}", file.display()))?;
    Ok(json!({ "bytes": raw.len(), "gzip_bytes": packed.len() }))
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn table(result: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let goal = |value: f64, most: f64| if value <= most { "met" } else { "MISSED" };
    let mut table =
        String::from("\nCPU a request, µs       rimward   plain JS   Hono   to plain (≤ 1.10)   to Hono (≤ 0.45)\n");
    for case in result["cases"].as_array().into_iter().flatten() {
        let micros = &case["micros"];
        let (plain, hono) = (number(&case["to_plain"]), number(&case["to_hono"]));
        let _ = writeln!(
            table,
            "{:<22} {:>8.1} {:>10.1} {:>6.1} {:>12.2} {:<6} {:>11.2} {}",
            case["name"].as_str().unwrap_or_default(),
            number(&micros["rimward"]),
            number(&micros["plain"]),
            number(&micros["hono"]),
            plain,
            goal(plain, GOAL_PLAIN),
            hono,
            goal(hono, GOAL_HONO),
        );
    }
    table.push_str(&cache::table(&result["hits"]));
    table.push_str(&limits::table(&result["limits"]));
    table.push_str(&pools::table(&result["pools"]));
    let start = number(&result["start_up"]["over_hello_ms"]);
    let most = GOAL_START.as_secs_f64() * 1e3;
    let _ = writeln!(table, "start-up CPU over a JS hello: {start:.1} ms (≤ {most:.0}) {}", goal(start, most));
    let size = number(&result["wasm"]["gzip_bytes"]);
    #[allow(clippy::cast_precision_loss, reason = "a size")]
    let most = GOAL_WASM_BYTES as f64;
    let _ = writeln!(table, "Wasm: {:.0} KB gzip (≤ {:.0}) {}\n", size / 1024.0, most / 1024.0, goal(size, most));
    table
}

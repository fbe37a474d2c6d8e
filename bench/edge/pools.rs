//! What asking an origin costs by way of a pool of two, with checks, further tries and counts, beside the one line that just asks; and by
//! way of a pool of one.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicU32;

use rimward::workerd::{Config, Outbound};
use rimward_edge::config::{Health, Origin, Pool, Route, Settings, Timeout};
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};

use crate::load::{Load, cpu, send};
use crate::published::{publish, settings};
use crate::runtime::{Workerd, site, worker};
use crate::{median, script};

const CONNECTIONS: u32 = 8;
const REQUESTS: u32 = 250;
const WARM_UP_ROUNDS: usize = 3;

/// The most that asking by way of a pool may cost, as a share of the one line's.
const GOAL: f64 = 1.35;

pub(crate) fn measure(rounds: usize) -> Result<Value, String> {
    let origins = [origin()?, origin()?];
    let folder = tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))?;
    let (public, state) = (folder.path().join("public"), folder.path().join("state"));
    std::fs::create_dir(&state).map_err(|error| format!("could not make a folder: {error}"))?;
    publish(&public, with_pools(origins)?, &[], &[]);
    let rimward = Workerd::start(&Config { state: Some(state), ..site(worker(), Some(public)) });
    let line = Workerd::start(&Config {
        variables: [("ORIGIN".to_owned(), format!("http://{}", origins[0]))].into(),
        outbound: Outbound::Network(vec!["local".into()]),
        ..site(script("bench/edge/workers/forward.js"), None)
    });
    let loads =
        [(&rimward, load(&rimward, "/two/x")), (&rimward, load(&rimward, "/one/x")), (&line, load(&line, "/x"))];
    eprintln!("pools: {rounds} rounds of {} requests to each", REQUESTS * CONNECTIONS);
    let mut micros: [Vec<f64>; 3] = Default::default();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..loads.len() {
            let number = (turn + round) % loads.len();
            let (worker, load) = &loads[number];
            let before = cpu(worker.id())?;
            send(load, 200)?;
            let taken = cpu(worker.id())?.saturating_sub(before);
            if round >= WARM_UP_ROUNDS {
                micros[number].push(taken.as_secs_f64() * 1e6 / f64::from(REQUESTS * CONNECTIONS));
            }
        }
    }
    let ratio = |number: usize| median(micros[number].iter().zip(&micros[2]).map(|(own, line)| own / line).collect());
    let (two, one) = (ratio(0), ratio(1));
    let [of_two, of_one, line] = micros.map(median);
    let micros = json!({ "two": of_two, "one": of_one, "line": line });
    Ok(json!({ "micros": micros, "two": two, "one": one, "goal": GOAL }))
}

fn with_pools(origins: [SocketAddr; 2]) -> Result<Settings, String> {
    let timeout = Timeout { answer_ms: 10_000, idle_ms: Some(30_000), total_ms: Some(60_000) };
    let origins = origins.map(|address| Origin::new(&format!("http://{address}")));
    let health = Health {
        path: "/healthz".to_owned(),
        status: (200, 299),
        body: None,
        interval_ms: 30_000,
        timeout_ms: 2000,
        unhealthy_after: 3,
        healthy_after: 2,
    };
    let two = Pool { health: Some(health), ..Pool::new(origins.to_vec(), timeout) };
    let one = Pool::new(origins[..1].to_vec(), timeout);
    let route = |path: &str, pool: &str| {
        Pattern::parse(path).map(|path| Route::new(path, pool)).map_err(|error| error.to_string())
    };
    Ok(Settings {
        pools: [("two".to_owned(), two), ("one".to_owned(), one)].into_iter().collect(),
        routes: vec![route("/two/*", "two")?, route("/one/*", "one")?],
        ..settings()
    })
}

fn load(worker: &Workerd, path: &str) -> Load {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: shop.test\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept: */*\r\n\
         User-Agent: Mozilla/5.0\r\n\r\n"
    );
    let (address, connections, requests) = (worker.address, CONNECTIONS, REQUESTS);
    Load { address, request, paths: 1, from: AtomicU32::default(), connections, requests }
}

/// An origin that answers 10 KB to whatever it is asked, over connections that stay open.
fn origin() -> Result<SocketAddr, String> {
    let failed = |error: std::io::Error| format!("could not listen: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10240\r\n\r\n".to_vec();
    answer.resize(answer.len() + 10_240, b'a');
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // It ends with its connection, which ends with the workers.
            std::thread::spawn(move || answer_all(stream, &answer));
        }
    });
    Ok(address)
}

fn answer_all(stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line)? {
            0 => return Ok(()),
            _ if line == "\r\n" => reader.get_mut().write_all(answer)?,
            _ => {}
        }
    }
}

pub(crate) fn table(pools: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let micros = &pools["micros"];
    let mut table = String::from("CPU a 10 KB answer of an origin, µs      rimward   one line      ratio\n");
    for (name, key, goal) in [("by a pool of two", "two", Some(GOAL)), ("by a pool of one", "one", None)] {
        let ratio = number(&pools[key]);
        let verdict = match goal {
            Some(goal) if ratio <= goal => format!("(≤ {goal:.2}) met"),
            Some(goal) => format!("(≤ {goal:.2}) MISSED"),
            None => String::new(),
        };
        let (own, line) = (number(&micros[key]), number(&micros["line"]));
        let _ = writeln!(table, "{name:<38} {own:>9.1} {line:>10.1} {ratio:>10.2} {verdict}");
    }
    table
}

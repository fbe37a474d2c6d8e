//! What a limit costs: the same hit from memory without one, with one that an object decides, with one that is leased, and a
//! refusal that the isolate remembers. All of them come from one process, so that the objects' share is in it.

use std::fmt::Write;
use std::sync::atomic::AtomicU32;

use rimward::workerd::Config;
use rimward_edge::config::{CachePolicy, LimitPolicy, Origin as OriginSettings, Pool, Route, Settings, Timeout};
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};

use crate::load::{Load, cpu, send};
use crate::origin::Origin;
use crate::published::{publish, settings};
use crate::runtime::{Workerd, site, worker};
use crate::{median, script};

const CONNECTIONS: u32 = 8;
const WARM_UP_ROUNDS: usize = 3;
const REQUESTS: u32 = 250;

/// The most that a decision may add, in greetings, and the most that a refusal may cost: 110 and 20 µs on a machine where a greeting
/// takes 56. Microseconds of another machine say nothing.
const GOAL_EXACT: f64 = 110.0 / 56.0;
const GOAL_LEASED: f64 = 20.0 / 56.0;
const GOAL_REFUSAL: f64 = 1.6;

/// Path, status, policy.
const ROUTES: [(&str, u16, Option<&str>); 4] = [
    ("/free/x", 200, None),
    ("/exact/x", 200, Some("exact; gcra 1000000 3600000 1000000; deadline_ms 5000")),
    ("/leased/x", 200, Some("leased; gcra 1000000 60000 1000000; precision leased; deadline_ms 5000")),
    ("/refused/x", 429, Some("refused; fixed-window 1 2592000000; deadline_ms 5000")),
];

pub(crate) fn measure(rounds: usize) -> Result<Value, String> {
    let origin = Origin::start(|exchange| {
        exchange.answer("200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=36000", vec![b'a'; 10_240]);
    });
    let folder = tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))?;
    let (public, state) = (folder.path().join("public"), folder.path().join("state"));
    std::fs::create_dir(&state).map_err(|error| format!("could not make a folder: {error}"))?;
    publish(&public, with_limits(&origin)?, &[], &[]);
    let mut config = Config { state: Some(state), ..site(worker(), Some(public)) };
    config.variables.insert("RIMWARD_CLIENT_ADDRESS".into(), "socket".into());
    let limited = Workerd::start(&config);
    let hello = Workerd::start(&site(script("bench/edge/workers/hello.js"), None));
    let mut loads: Vec<(&Workerd, Load, u16)> =
        ROUTES.iter().map(|(path, status, _)| (&limited, load(&limited, path), *status)).collect();
    loads.push((&hello, load(&hello, "/"), 200));
    // Everything is stored, and the one permit is taken.
    for (path, ..) in &ROUTES {
        limited.get(path).expect(200);
    }
    eprintln!("limits: {rounds} rounds of {} requests to each", REQUESTS * CONNECTIONS);
    let mut micros: Vec<Vec<f64>> = vec![Vec::new(); loads.len()];
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..loads.len() {
            let number = (turn + round) % loads.len();
            let (worker, load, status) = &loads[number];
            let before = cpu(worker.id())?;
            send(load, *status)?;
            let taken = cpu(worker.id())?.saturating_sub(before);
            if round >= WARM_UP_ROUNDS {
                micros[number].push(taken.as_secs_f64() * 1e6 / f64::from(REQUESTS * CONNECTIONS));
            }
        }
    }
    let over = |number: usize| median(micros[number].iter().zip(&micros[0]).map(|(own, free)| own - free).collect());
    let refusal = median(micros[3].iter().zip(&micros[4]).map(|(own, hello)| own / hello).collect());
    Ok(json!({
        "free_micros": median(micros[0].clone()),
        "hello_micros": median(micros[4].clone()),
        "exact_over": over(1),
        "leased_over": over(2),
        "refusal_to_hello": refusal,
    }))
}

fn with_limits(origin: &Origin) -> Result<Settings, String> {
    let timeout = Timeout { answer_ms: 5000, idle_ms: None, total_ms: None };
    let pool = Pool::new(vec![OriginSettings::new(&origin.url(""))], timeout);
    let cache: CachePolicy = serde_json::from_str("{}").map_err(|error| error.to_string())?;
    let mut settings = Settings {
        pools: [("api".to_owned(), pool)].into_iter().collect(),
        caches: [("api".to_owned(), cache)].into_iter().collect(),
        ..settings()
    };
    for (path, _, policy) in ROUTES {
        let pattern = Pattern::parse(&path.replace("/x", "/*")).map_err(|error| error.to_string())?;
        let mut route = Route { cache: Some("api".into()), ..Route::new(pattern, "api") };
        if let Some(policy) = policy {
            let policy = LimitPolicy::try_from(policy.to_owned()).map_err(|error| error.to_string())?;
            route.limits = vec![policy.name.clone()];
            settings.limits.push(policy);
        }
        settings.routes.push(route);
    }
    Ok(settings)
}

fn load(worker: &Workerd, path: &str) -> Load {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: shop.test\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept: */*\r\n\
         User-Agent: Mozilla/5.0\r\n\r\n"
    );
    let address = worker.address;
    Load { address, request, paths: 1, from: AtomicU32::default(), connections: CONNECTIONS, requests: REQUESTS }
}

pub(crate) fn table(limits: &Value) -> String {
    let number = |name: &str| limits[name].as_f64().unwrap_or(f64::NAN);
    let goal = |value: f64, most: f64| if value <= most { "met" } else { "MISSED" };
    let mut table = String::new();
    for (what, name, most) in [("exact", "exact_over", GOAL_EXACT), ("leased", "leased_over", GOAL_LEASED)] {
        let (micros, free) = (number(name), number("free_micros"));
        let value = micros / number("hello_micros");
        let _ = writeln!(
            table,
            "a limit, {what}: {micros:+.1} µs over {free:.1}, {value:.2} of a hello (≤ {most:.2}) {}",
            goal(value, most)
        );
    }
    let refusal = number("refusal_to_hello");
    let _ = writeln!(
        table,
        "a remembered refusal: {refusal:.2} of a hello (≤ {GOAL_REFUSAL:.2}) {}",
        goal(refusal, GOAL_REFUSAL)
    );
    table
}

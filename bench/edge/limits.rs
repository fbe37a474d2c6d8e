//! What a limit costs: the same hit from memory without one, with one that an object decides, with one that is leased, and a
//! refusal that the isolate remembers. All of them come from one process, so that the objects' share is in it. Beside it what
//! others take for the same, and what the objects wrote down.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use rimward::workerd::Config;
use rimward_edge::config::{CachePolicy, LimitPolicy, Origin as OriginSettings, Pool, Route, Settings, Timeout};
use rimward_edge::limit::counter::Quota;
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};

use crate::load::{Load, cpu, send, send_nearly};
use crate::origin::Origin;
use crate::published::{publish, settings};
use crate::runtime::{Workerd, site, worker};
use crate::{limiters, median, script};

const CONNECTIONS: u32 = 8;
const WARM_UP_ROUNDS: usize = 3;
const REQUESTS: u32 = 250;

/// The most that a decision may add, in greetings, and the most that a refusal may cost: 110 and 20 µs on a machine where a greeting
/// takes 56. Microseconds of another machine say nothing.
const GOAL_EXACT: f64 = 110.0 / 56.0;
const GOAL_LEASED: f64 = 20.0 / 56.0;
const GOAL_REFUSAL: f64 = 1.6;

/// Path, status, policy.
const ROUTES: [(&str, u16, Option<&str>); 5] = [
    ("/free/x", 200, None),
    ("/exact/x", 200, Some("exact; gcra 1000000 3600000 1000000; deadline_ms 5000")),
    ("/leased/x", 200, Some("leased; gcra 1000000 60000 1000000; precision leased; deadline_ms 5000")),
    ("/refused/x", 429, Some("refused; fixed-window 1 2592000000; deadline_ms 5000")),
    ("/counted/x", 200, Some("counted; fixed-window 20000 2592000000; deadline_ms 5000")),
];
/// How many of them are measured by their CPU.
const MEASURED: usize = 4;

/// So many rounds of the last one are counted by what the objects write.
const COUNTED_ROUNDS: u32 = 5;

const SECRET: &str = "a-secret-of-the-metrics";

/// The paths of the others, and what they answer.
const OTHERS: [(&str, u16); 3] = [("/free/x", 200), ("/admitted/x", 200), ("/refused/x", 429)];

/// What is asked of whom.
struct Subject {
    process: u32,
    load: Load,
    status: u16,
    /// How many answers on a connection may be others: nobody but a window's first one.
    others: u32,
}

impl Subject {
    fn new(process: u32, address: SocketAddr, (path, status): (&str, u16)) -> Subject {
        Subject { process, load: load(address, path), status, others: 0 }
    }

    /// The CPU for a request, in microseconds.
    fn measure(&self) -> Result<f64, String> {
        let before = cpu(self.process)?;
        send_nearly(&self.load, self.status, self.others)?;
        let taken = cpu(self.process)?.saturating_sub(before);
        Ok(taken.as_secs_f64() * 1e6 / f64::from(REQUESTS * CONNECTIONS))
    }
}

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
    config.variables.insert("RIMWARD_METRICS_SECRET".into(), SECRET.into());
    let limited = Workerd::start(&config);
    let hello = Workerd::start(&site(script("bench/edge/workers/hello.js"), None));
    let others = limiters::start();
    let writes = count_writes(&limited)?;
    let mut subjects: Vec<Subject> = ROUTES[..MEASURED]
        .iter()
        .map(|(path, status, _)| Subject::new(limited.id(), limited.address, (*path, *status)))
        .collect();
    subjects.push(Subject::new(hello.id(), hello.address, ("/", 200)));
    // Everything is stored, and the one permit is taken.
    for (path, ..) in &ROUTES[..MEASURED] {
        limited.get(path).expect(200);
    }
    for limiter in &others {
        let of_limiter = OTHERS.map(|asked| Subject::new(limiter.process, limiter.address, asked));
        subjects.extend(of_limiter.map(|subject| Subject { others: 1, ..subject }));
    }
    eprintln!("limits: {rounds} rounds of {} requests to each", REQUESTS * CONNECTIONS);
    let mut micros: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..subjects.len() {
            let number = (turn + round) % subjects.len();
            let taken = subjects[number].measure()?;
            if round >= WARM_UP_ROUNDS {
                micros[number].push(taken);
            }
        }
    }
    let over = |number: usize, free: usize| {
        median(micros[number].iter().zip(&micros[free]).map(|(own, free)| own - free).collect())
    };
    let refusal = median(micros[3].iter().zip(&micros[4]).map(|(own, hello)| own / hello).collect());
    let of_other = |(number, limiter): (usize, &limiters::Limiter)| {
        let first = MEASURED + 1 + number * OTHERS.len();
        json!({
            "name": limiter.name,
            "free_micros": median(micros[first].clone()),
            "admitted_micros": median(micros[first + 1].clone()),
            "refused_micros": median(micros[first + 2].clone()),
            "admitted_over": over(first + 1, first),
            "refused_over": over(first + 2, first),
        })
    };
    Ok(json!({
        "free_micros": median(micros[0].clone()),
        "exact_micros": median(micros[1].clone()),
        "leased_micros": median(micros[2].clone()),
        "refused_micros": median(micros[3].clone()),
        "hello_micros": median(micros[4].clone()),
        "exact_over": over(1, 0),
        "leased_over": over(2, 0),
        "refused_over": over(3, 0),
        "refusal_to_hello": refusal,
        "others": others.iter().enumerate().map(of_other).collect::<Vec<_>>(),
        "writes": writes,
    }))
}

/// What an object writes down for so many decisions, as it says itself.
fn count_writes(limited: &Workerd) -> Result<Value, String> {
    let load = load(limited.address, ROUTES[MEASURED].0);
    for _ in 0..COUNTED_ROUNDS {
        send(&load, 200)?;
    }
    let decisions = COUNTED_ROUNDS * REQUESTS * CONNECTIONS;
    let authorization = format!("Bearer {SECRET}");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = limited.ask("GET", "/.rimward/metrics", &[("Authorization", &authorization)]).expect(200).text();
        let sample = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name))?;
            line.rsplit(' ').next()?.parse::<u32>().ok()
        };
        if sample("rimward_limit_asked_total{") == Some(decisions) {
            let rows = sample("rimward_limit_rows_total ").unwrap_or_default();
            // It all falls into one window.
            let goal = counted_quota()?.most_writes(decisions.into(), 0);
            return Ok(json!({ "decisions": decisions, "rows": rows, "goal": goal }));
        }
        if Instant::now() > until {
            return Err(format!("{decisions} decisions were not counted:\n{answer}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the last one of [`ROUTES`] is held to.
fn counted_quota() -> Result<Quota, String> {
    let policy = ROUTES[MEASURED].2.unwrap_or_default();
    let policy = LimitPolicy::try_from(policy.to_owned()).map_err(|error| error.to_string())?;
    Quota::of(policy.algorithm).ok_or("it counts over time".to_owned())
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

fn load(address: SocketAddr, path: &str) -> Load {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: shop.test\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept: */*\r\n\
         User-Agent: Mozilla/5.0\r\n\r\n"
    );
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
    let count = |name: &str| limits["writes"][name].as_f64().unwrap_or(f64::NAN);
    let (rows, decisions, most) = (count("rows"), count("decisions"), count("goal"));
    let _ = writeln!(table, "rows written for {decisions} exact decisions: {rows} (≤ {most}) {}", goal(rows, most));
    table + &beside_others(limits)
}

/// Free, admitted and refused: in all, and what the limit adds.
fn beside_others(limits: &Value) -> String {
    let mut table =
        String::from("\nCPU a request, µs                  no limit   admitted   (adds)   refused   (adds)\n");
    let mut row = |name: &str, numbers: [&Value; 5]| {
        let [free, admitted, admitted_over, refused, refused_over] =
            numbers.map(|number| number.as_f64().unwrap_or(f64::NAN));
        let _ = writeln!(
            table,
            "{name:<34} {free:>8.1} {admitted:>10.1} {admitted_over:>+8.1} {refused:>9.1} {refused_over:>+8.1}"
        );
    };
    for (name, micros, over) in [("exact", "exact_micros", "exact_over"), ("leased", "leased_micros", "leased_over")] {
        let [free, refused, refused_over] = ["free_micros", "refused_micros", "refused_over"].map(|name| &limits[name]);
        row(&format!("rimward, {name}"), [free, &limits[micros], &limits[over], refused, refused_over]);
    }
    for other in limits["others"].as_array().into_iter().flatten() {
        let name = match other["name"].as_str() {
            Some("binding") => "Cloudflare's binding, by Wrangler",
            Some("hono") => "hono-rate-limiter, in memory",
            _ => "nginx limit_req, a server of its own",
        };
        row(
            name,
            ["free_micros", "admitted_micros", "admitted_over", "refused_micros", "refused_over"]
                .map(|name| &other[name]),
        );
    }
    table
}

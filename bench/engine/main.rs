//! What the decisions of the cache and of a pool cost, natively: nanoseconds for each step of a hit and of its neighbours, and for the
//! choice of one origin among many.
//!
//! Every figure is the median of many batches of one step, in this process. They say whether a rule parses what it should
//! have read once; what a request costs as a whole is measured on the runtime, beside other servers.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rimward_edge::cache::Why;
use rimward_edge::cache::{
    Arrival, Ask, Asked, Content, Fetch, Found, Key, Plan, Settled, Specs, Standing, Status, Stored, key, plan, settle,
};
use rimward_edge::config::{CachePolicy, Choice, Concurrency, HashBy, Health, Origin, Pool, Region, Role, Timeout};
use rimward_edge::origin::choice::mix;
use rimward_edge::origin::circuit::Outcome;
use rimward_edge::origin::near::Place;
use rimward_edge::origin::pool::{Known, PoolState, Selected, Tried, Wish};
use rimward_edge::time::Timestamp;
use serde_json::json;

/// What plan and status of a hit may take together.
const GOAL: Duration = Duration::from_micros(2);

/// What the choice of an origin may take.
const GOAL_OF_CHOICE: Duration = Duration::from_micros(1);

/// As many as a pool may have.
const ORIGINS: usize = 100;

const BATCHES: usize = 301;
const STEPS: u32 = 1_000;

const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

/// As a browser asks.
const REQUEST: [(&str, &str); 12] = [
    ("accept", "application/json, text/plain, */*"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("cookie", "_ga=GA1.1.1234567890.1700000000; consent=all"),
    ("dnt", "1"),
    ("host", "shop.example"),
    ("priority", "u=1, i"),
    ("referer", "https://shop.example/products/42?utm_source=letter"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    ),
];

/// As an application answers.
const ANSWER: [(&str, &str); 10] = [
    ("cache-control", "public, max-age=600, stale-while-revalidate=60, stale-if-error=86400"),
    ("content-length", "10240"),
    ("content-type", "application/json; charset=utf-8"),
    ("date", "Sat, 21 Nov 2026 00:00:00 GMT"),
    ("etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
    ("last-modified", "Fri, 20 Nov 2026 12:00:00 GMT"),
    ("server", "nginx"),
    ("vary", "Accept-Encoding"),
    ("x-content-type-options", "nosniff"),
    ("x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
];

fn main() -> Result<(), String> {
    let sent = headers(&REQUEST);
    let mut known = sent.clone();
    known.insert("if-none-match", HeaderValue::from_static("W/\"x\", \"33a64df551425fcc55e4d42a148795d9f25f89d4\""));
    let policy =
        CachePolicy { ignore_cookies: vec!["_ga*".to_owned(), "consent".to_owned()], ..CachePolicy::default() };
    let asked = asked(&sent);
    let key_of = key(&asked, &policy).map_err(|unkeyed| format!("the request has no key: {unkeyed:?}"))?;
    let answer = headers(&ANSWER);
    let stored = admitted(&asked, &policy, &key_of, &answer)?;
    let mut specs = Specs::new(NOW);
    specs.put(&stored, &asked, &policy);
    let later = Timestamp::from_millis(NOW.as_millis() + 30_000);

    let hit = |asked: &Asked<'_>| {
        let Plan::Serve(serve) = plan(asked, &policy, Found::Stored(&stored, Standing::Valid), later) else {
            panic!("the response is fresh")
        };
        let mut said = HeaderMap::with_capacity(4);
        serve.say(&mut said);
        (said, Status::hit(&serve, &key_of).render("rimward"))
    };
    let asked_again = Asked { headers: &known, ..asked };
    let revalidation = Fetch {
        why: Why::Stale,
        ask: Ask::IfChanged { etag: answer.get("etag").cloned(), last_modified: answer.get("last-modified").cloned() },
        fallback: None,
    };
    let not_modified = headers(&ANSWER[3..6]);
    let came = |status: u16, headers| Arrival {
        status: http::StatusCode::from_u16(status).expect("a status"),
        headers,
        requested_at: NOW,
        received_at: later,
        sequence: 0,
        log: 0,
    };
    let whole = Fetch::whole(Why::UriMiss);
    let json = stored.to_json();
    let mut steps = vec![
        ("hit: plan and status", time(|| hit(&asked))),
        ("hit, 304: plan and status", time(|| hit(&asked_again))),
        ("key", time(|| key(black_box(&asked), &policy))),
        ("keys of variants", time(|| specs.candidates(&key_of, black_box(&asked), &policy))),
        ("miss: admission", time(|| settle(&asked, &policy, &key_of, &whole, None, &came(200, &answer)))),
        (
            "304: merge",
            time(|| settle(&asked, &policy, &key_of, &revalidation, Some(&stored), &came(304, &not_modified))),
        ),
        ("envelope: write", time(|| stored.to_json())),
        ("envelope: read", time(|| Stored::from_json(black_box(&json)))),
    ];
    steps.extend(choices());
    let mut nanos = serde_json::Map::new();
    for (name, took) in steps {
        let goal = match name.split(':').next() {
            Some("choice") => Some(GOAL_OF_CHOICE),
            Some(step) if step.starts_with("hit") => Some(GOAL),
            _ => None,
        };
        let judged = goal.map_or(String::new(), |goal| {
            format!("  (≤ {}) {}", goal.as_nanos(), if took <= goal { "met" } else { "MISSED" })
        });
        eprintln!("{name:<28} {:>7} ns{judged}", took.as_nanos());
        nanos.insert(name.to_owned(), json!(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
    }
    println!("{:#}", json!({ "nanos": nanos }));
    Ok(())
}

/// One of many origins, of which some are sick, some drained, some left alone, and some are back since a short while; all with requests
/// under way, within a limit.
fn choices() -> Vec<(&'static str, Duration)> {
    let read = Wish { place: Some(Place { latitude: 49, longitude: 2 }), may_probe: true, ..Wish::default() };
    let write = Wish { is_write: true, ..read };
    let primary = Choice::PrimaryReplica { after_write_ms: 5000 };
    [
        ("choice: round-robin", Choice::RoundRobin, read),
        ("choice: weighted", Choice::Weighted, read),
        ("choice: least-requests", Choice::LeastRequests, read),
        ("choice: hash", Choice::Hash(HashBy::Path), read),
        ("choice: geo", Choice::Geo, read),
        ("choice: primary-replica", primary.clone(), read),
        ("choice: primary-replica, write", primary, write),
    ]
    .map(|(name, choice, wish)| (name, choose(choice, &wish)))
    .to_vec()
}

fn choose(choice: Choice, wish: &Wish) -> Duration {
    let pool = pool(choice);
    let mut state = PoolState::new(&pool);
    let later = Timestamp::from_millis(NOW.as_millis() + 2_000);
    for place in 0..ORIGINS {
        for _ in 0..place % 7 {
            state.begin(place, NOW);
        }
        match place % 20 {
            1 => state.learn(place, Known::Sick, NOW),
            2 => state.learn(place, Known::Drained, NOW),
            3 => {
                for _ in 0..3 {
                    state.record(place, Outcome::Lost, later, &pool.breaker, 0, later);
                }
            }
            4 | 5 => {
                state.learn(place, Known::Sick, NOW);
                state.learn(place, Known::Well, NOW);
            }
            _ => {}
        }
    }
    let (state, number) = (RefCell::new(state), Cell::new(0_u64));
    time(|| {
        number.set(number.get() + 1);
        let wish = Wish { key: Some(mix(number.get())), ..*wish };
        let selected = state.borrow_mut().select(black_box(&pool), &wish, Tried::default(), mix(!number.get()), later);
        assert!(matches!(selected, Selected::Origin(_)), "{selected:?}");
        selected
    })
}

fn pool(choice: Choice) -> Pool {
    const REGIONS: [Region; 4] = [Region::Enam, Region::Weur, Region::Apac, Region::Oc];
    let is_replicated = matches!(choice, Choice::PrimaryReplica { .. });
    let origin = |place: usize| Origin {
        weight: 1 + u32::try_from(place % 5).unwrap_or_default(),
        region: Some(REGIONS[place % REGIONS.len()]),
        role: match place {
            0 => Role::Primary,
            _ if place > ORIGINS - 5 => Role::Backup,
            _ if is_replicated => Role::Replica,
            _ => Role::Primary,
        },
        ..Origin::new(&format!("https://origin-{place}.example"))
    };
    let timeout = Timeout { answer_ms: 10_000, idle_ms: Some(30_000), total_ms: Some(60_000) };
    let health = Health {
        path: "/healthz".to_owned(),
        status: (200, 299),
        body: None,
        interval_ms: 30_000,
        timeout_ms: 2_000,
        unhealthy_after: 3,
        healthy_after: 2,
    };
    let concurrency = Concurrency { per_isolate: 50, queue: 100, queue_wait_ms: 1000 };
    let pool = Pool::new((0..ORIGINS).map(origin).collect(), timeout);
    Pool { choice, health: Some(health), concurrency: Some(concurrency), slow_start_ms: 10_000, ..pool }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn asked(headers: &HeaderMap) -> Asked<'_> {
    Asked {
        method: &Method::GET,
        scheme: "https",
        authority: "shop.example",
        path: "/api/products/42",
        query: Some("page=2&sort=price&utm_source=letter"),
        headers,
        content: Content::None,
    }
}

fn admitted(asked: &Asked<'_>, policy: &CachePolicy, key: &Key, answer: &HeaderMap) -> Result<Stored, String> {
    let status = http::StatusCode::OK;
    let arrival = Arrival { status, headers: answer, requested_at: NOW, received_at: NOW, sequence: 0, log: 0 };
    match settle(asked, policy, key, &Fetch::whole(Why::UriMiss), None, &arrival) {
        Settled::Store(stored) => Ok(*stored),
        other => Err(format!("the answer is not kept: {other:?}")),
    }
}

/// The median time of one step.
fn time<T>(step: impl Fn() -> T) -> Duration {
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..STEPS {
                black_box(step());
            }
            began.elapsed() / STEPS
        })
        .collect();
    batches.sort();
    batches[BATCHES / 2]
}

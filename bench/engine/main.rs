//! What the decisions of the cache cost, natively: nanoseconds for each step of a hit and of its neighbours.
//!
//! Every figure is the median of many batches of one step, in this process. They say whether a rule parses what it should
//! have read once; what a request costs as a whole is measured on the runtime, beside other servers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rimward_edge::cache::Why;
use rimward_edge::cache::{
    Arrival, Ask, Asked, Content, Fetch, Found, Key, Plan, Settled, Specs, Standing, Status, Stored, key, plan, settle,
};
use rimward_edge::config::CachePolicy;
use rimward_edge::time::Timestamp;
use serde_json::json;

/// What plan and status of a hit may take together.
const GOAL: Duration = Duration::from_micros(2);

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
    let steps: [(&str, Duration); 8] = [
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
    let mut nanos = serde_json::Map::new();
    for (name, took) in steps {
        let judged = match took <= GOAL {
            _ if !name.starts_with("hit") => "",
            true => "  (≤ 2000) met",
            false => "  (≤ 2000) MISSED",
        };
        eprintln!("{name:<28} {:>7} ns{judged}", took.as_nanos());
        nanos.insert(name.to_owned(), json!(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)));
    }
    println!("{:#}", json!({ "nanos": nanos }));
    Ok(())
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

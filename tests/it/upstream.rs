//! Pools of several origins, held to whole requests in the world in memory: who is asked, who is asked next, and what the client gets.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use rimward_edge::platform::{FetchError, Inbound, Outbound};
use serde_json::{Value, json};

use crate::world::{Bytes, Folder, Sent, Served, get, navigate, settings, site};

const URLS: [&str; 3] = ["https://a.example/v1", "https://b.example", "https://c.example"];

/// What an origin does, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Says(u16),
    Refuses,
    Hangs,
    /// Of so many bytes only a few come.
    BreaksOff(u64),
    Leads(&'static str),
    LeadsOn(u16, &'static str),
}

type Moods = Rc<RefCell<BTreeMap<usize, Mood>>>;
type Questions = Rc<RefCell<Vec<(usize, Outbound<Bytes>)>>>;

/// Three origins, their moods, and which ones were asked.
struct Pool {
    served: Served,
    moods: Moods,
    asked: Questions,
}

fn pool(changes: &Value) -> Pool {
    with_route(changes, &json!({ "path": "/api/*", "pool": "api" }), &json!({}))
}

fn with_route(changes: &Value, route: &Value, more: &Value) -> Pool {
    on(&Folder::new("r1", "/"), changes, route, more)
}

fn on(folder: &Folder, changes: &Value, route: &Value, more: &Value) -> Pool {
    let mut pool = json!({
        "origins": URLS.map(|url| json!({ "url": url })),
        "choice": "round-robin",
        "timeout": { "answer_ms": 1000, "idle_ms": 1000, "total_ms": 10_000 },
    });
    pool.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut all = json!({ "pools": { "api": pool }, "routes": [route] });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let served = site(&settings(all), folder);
    served.world.pass(Duration::from_hours(500_000));
    let (moods, asked) = (Moods::default(), Questions::default());
    let (of_origins, seen) = (Rc::clone(&moods), Rc::clone(&asked));
    served.world.origins.replace(Some(Rc::new(move |outbound: &Outbound<Bytes>, _| {
        let place = URLS.iter().position(|url| outbound.url.starts_with(url)).expect("a host of the settings");
        seen.borrow_mut().push((place, copy(outbound)));
        let mood = of_origins.borrow().get(&place).copied().unwrap_or(Mood::Says(200));
        answer(place, mood)
    })));
    Pool { served, moods, asked }
}

fn copy(outbound: &Outbound<Bytes>) -> Outbound<Bytes> {
    let Outbound { method, url, headers, body, answer_within, idle, total, hold } = outbound;
    Outbound {
        method: method.clone(),
        url: url.clone(),
        headers: headers.clone(),
        body: body.clone(),
        answer_within: *answer_within,
        idle: *idle,
        total: *total,
        hold: *hold,
    }
}

fn answer(place: usize, mood: Mood) -> Result<Inbound<Bytes>, FetchError> {
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
    let mut status = StatusCode::OK;
    let mut body = format!("by {place}").into_bytes();
    match mood {
        Mood::Says(said) => status = StatusCode::from_u16(said).unwrap(),
        Mood::Refuses => return Err(FetchError::Unreachable("refused".to_owned())),
        Mood::Hangs => return Err(FetchError::Timeout(Duration::from_secs(1))),
        Mood::BreaksOff(length) => {
            headers.insert("content-length", HeaderValue::from(length));
        }
        Mood::Leads(to) => return answer(place, Mood::LeadsOn(302, to)),
        Mood::LeadsOn(said, to) => {
            status = StatusCode::from_u16(said).unwrap();
            headers.insert("location", HeaderValue::from_static(to));
            body.clear();
        }
    }
    Ok(Inbound { status, headers, body: Some(body) })
}

impl Pool {
    fn mood(&self, place: usize, mood: Mood) {
        self.moods.borrow_mut().insert(place, mood);
    }

    fn all(&self, mood: Mood) {
        for place in 0..URLS.len() {
            self.mood(place, mood);
        }
    }

    /// Which ones were asked since the last time this was asked.
    fn asked(&self) -> Vec<usize> {
        self.asked.take().into_iter().map(|(place, _)| place).collect()
    }

    fn ask(&self, sent: &Sent) -> (u16, String, Vec<usize>) {
        self.asked.take();
        let seen = self.served.ask_unchecked(sent);
        (seen.status, seen.text(), self.asked.borrow().iter().map(|(place, _)| *place).collect())
    }

    fn variable(&self, name: &str, value: &str) {
        self.served.world.variables.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    fn last(&self) -> Outbound<Bytes> {
        self.asked.borrow_mut().pop().expect("somebody was asked").1
    }
}

#[test]
fn what_fails_at_one_origin_is_asked_of_another() {
    for mood in [
        Mood::Says(500),
        Mood::Says(503),
        Mood::Refuses,
        Mood::Hangs,
        Mood::BreaksOff(5000),
        Mood::Says(521),
        Mood::Says(304),
    ] {
        let pool = pool(&json!({}));
        pool.mood(0, mood);
        let (status, text, asked) = pool.ask(&get("/api/x"));
        assert_eq!((status, text.as_str(), asked), (200, "by 1", vec![0, 1]), "{mood:?}");
    }
}

#[test]
fn an_answer_is_an_answer() {
    let pool = pool(&json!({}));
    for status in [400, 404, 409, 429, 501] {
        pool.all(Mood::Says(status));
        let (said, _, asked) = pool.ask(&get("/api/x"));
        assert_eq!((said, asked.len()), (status, 1));
    }
}

#[test]
fn where_all_fail_each_is_tried_once_and_the_last_word_is_the_clients() {
    let pool = pool(&json!({}));
    pool.all(Mood::Says(503));
    let (status, text, asked) = pool.ask(&get("/api/x"));
    assert_eq!((status, text.as_str(), asked), (503, "by 2", vec![0, 1, 2]));
    assert_eq!(pool.served.world.discarded.get(), 2, "of those that nobody reads");
    pool.all(Mood::Refuses);
    let (status, text, _) = pool.ask(&get("/api/x"));
    assert_eq!(status, 502);
    assert!(text.contains("could not be reached") && !text.contains("example"), "{text}");
    pool.all(Mood::Hangs);
    assert_eq!(pool.ask(&get("/api/x")).0, 504);
}

#[test]
fn one_origin_is_asked_once_more() {
    let pool = pool(&json!({ "origins": [{ "url": URLS[0] }] }));
    pool.mood(0, Mood::Refuses);
    assert_eq!(pool.ask(&get("/api/x")).2, [0, 0, 0]);
}

#[test]
fn what_changes_something_is_not_asked_twice_unless_it_says_so() {
    let pool = pool(&json!({}));
    pool.all(Mood::Refuses);
    assert_eq!(pool.ask(&Sent::new("POST", "/api/x")).2.len(), 1);
    assert_eq!(pool.ask(&Sent::new("PATCH", "/api/x")).2.len(), 1);
    assert_eq!(pool.ask(&Sent::new("PUT", "/api/x")).2.len(), 3);
    assert_eq!(pool.ask(&Sent::new("POST", "/api/x").with("idempotency-key", "\"a\"")).2.len(), 3);
}

#[test]
fn further_tries_stay_within_their_budget() {
    let pool = pool(&json!({ "retry": { "attempts": 2, "budget_permille": 100 } }));
    pool.all(Mood::Says(503));
    let asked: usize = (0..200).map(|_| pool.ask(&get("/api/x")).2.len()).sum();
    assert!((200..=200 + 10 + 20).contains(&asked) && asked > 220, "{asked}");
}

#[test]
fn whoever_fails_is_left_alone_for_a_while_and_asked_how_he_is() {
    let pool = pool(&json!({}));
    pool.mood(1, Mood::Refuses);
    for _ in 0..20 {
        assert_eq!(pool.ask(&get("/api/x")).0, 200);
    }
    pool.asked();
    for _ in 0..20 {
        assert_eq!(pool.ask(&get("/api/x")).2.len(), 1, "nobody runs into him any more");
    }
    pool.served.world.pass(Duration::from_millis(1500));
    let probes = |pool: &Pool| (0..9).filter(|_| pool.ask(&get("/api/x")).2.contains(&1)).count();
    assert_eq!(probes(&pool), 1);
    pool.mood(1, Mood::Says(200));
    pool.served.world.pass(Duration::from_secs(30));
    assert!(probes(&pool) >= 1);
    pool.served.world.pass(Duration::from_secs(30));
    assert_eq!(probes(&pool), 3, "a third of the requests, as ever");
}

#[test]
fn a_request_that_cannot_be_repeated_is_no_probe() {
    let pool = pool(&json!({}));
    pool.mood(1, Mood::Refuses);
    for _ in 0..20 {
        pool.ask(&get("/api/x"));
    }
    pool.served.world.pass(Duration::from_millis(1500));
    for _ in 0..9 {
        assert_eq!(pool.ask(&Sent::new("POST", "/api/x")).0, 200);
    }
}

#[test]
fn a_body_that_is_short_is_sent_again_as_it_was() {
    let pool = pool(&json!({}));
    pool.mood(0, Mood::Refuses);
    let sent = Sent::new("PUT", "/api/x").with("content-length", "5").with_body("hello");
    assert_eq!(pool.ask(&sent).2, [0, 1]);
    assert_eq!(pool.last().body.as_deref(), Some(&b"hello"[..]));
}

#[test]
fn stale_answers_come_at_once_while_nobody_can_be_expected_to_answer() {
    let route = json!({ "path": "/api/*", "pool": "api", "cache": "api" });
    let pool = with_route(&json!({}), &route, &json!({ "caches": { "api": { "stale_if_error_s": 86400 } } }));
    assert_eq!(pool.ask(&get("/api/x")).1, "by 0");
    pool.served.world.pass(Duration::from_secs(61));
    pool.all(Mood::Hangs);
    for path in 0..4 {
        pool.ask(&get(&format!("/api/other/{path}")));
    }
    let (status, text, asked) = pool.ask(&get("/api/x"));
    assert_eq!((status, text.as_str(), asked), (200, "by 0", vec![]));
    let (status, _, asked) = pool.ask(&get("/api/new"));
    assert_eq!((status, asked.len()), (504, 3), "who has nothing else to get waits all the same");
    // Some time later one request finds out.
    pool.all(Mood::Says(200));
    pool.served.world.pass(Duration::from_secs(40));
    let (status, _, asked) = pool.ask(&get("/api/x"));
    assert_eq!((status, asked.len()), (200, 1));
}

#[test]
fn clients_stay_with_an_origin_by_a_cookie_that_nobody_can_make_up() {
    let sticky = json!({ "sticky": { "cookie": "rimward-api", "max_age_s": 3600, "secret": "STICKY" } });
    let pool = pool(&sticky);
    pool.variable("STICKY", "a secret of the worker");
    pool.ask(&get("/api/x"));
    let first = pool.served.ask_unchecked(&get("/api/x"));
    let cookie = first.field("set-cookie");
    let (pair, attributes) = cookie.split_once("; ").expect("a cookie");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=3600");
    for _ in 0..4 {
        let sent = get("/api/x").with("cookie", &format!("a=1; {pair}"));
        let seen = pool.served.ask_unchecked(&sent);
        assert_eq!((seen.text().as_str(), seen.field("set-cookie").as_str()), ("by 1", ""));
        assert_eq!(pool.last().headers["cookie"], "a=1", "it is no business of the origin");
    }
    pool.mood(1, Mood::Refuses);
    let seen = pool.served.ask_unchecked(&get("/api/x").with("cookie", pair));
    assert_eq!(seen.status, 200);
    assert!(!seen.field("set-cookie").starts_with(pair), "it stays with another one now");
    let forged = pair.replace('.', ".0");
    assert_ne!(pool.served.ask_unchecked(&get("/api/x").with("cookie", &forged)).field("set-cookie"), "");
}

#[test]
fn cookies_of_ours_are_no_business_of_other_pools_either() {
    let other = json!({
        "origins": [{ "url": URLS[2] }],
        "timeout": { "answer_ms": 1000 },
        "sticky": { "cookie": "rimward-other", "secret": "STICKY" },
    });
    let pools = json!({ "api": { "origins": [{ "url": URLS[0] }], "timeout": { "answer_ms": 1000 } }, "other": other });
    let route = json!({ "path": "/api/*", "pool": "api" });
    let pool = with_route(&json!({}), &route, &json!({ "pools": pools }));
    pool.ask(&get("/api/x").with("cookie", "rimward-other=1; theme=dark; rimward-split=5"));
    assert_eq!(pool.last().headers["cookie"], "theme=dark");
}

#[test]
fn whoever_wrote_reads_from_the_primary_for_a_while() {
    let pool = pool(&json!({
        "choice": { "primary-replica": { "after_write_ms": 5000 } },
        "origins": [{ "url": URLS[0] }, { "url": URLS[1], "role": "replica" }, { "url": URLS[2], "role": "replica" }],
    }));
    for _ in 0..4 {
        assert_ne!(pool.ask(&get("/api/x")).2, [0]);
    }
    let written = pool.served.ask_unchecked(&Sent::new("POST", "/api/x"));
    assert_eq!(
        (written.text().as_str(), written.field("set-cookie").as_str()),
        ("by 0", "rimward-wrote-api=1; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=5")
    );
    for _ in 0..4 {
        assert_eq!(pool.ask(&get("/api/x").with("cookie", "rimward-wrote-api=1")).2, [0]);
    }
    assert!(!pool.last().headers.contains_key("cookie"));
}

#[test]
fn origins_know_who_asks_and_clients_cannot_pretend_to_be_us() {
    let credential = |kind: &str| json!({ "credential": { "kind": kind, "header": "x-from-edge", "secret": "API" } });
    let secret = pool(&credential("secret"));
    secret.variable("API", "known to both");
    secret.ask(&get("/api/x").with("x-from-edge", "let me in"));
    assert_eq!(secret.last().headers["x-from-edge"], "known to both");
    let hmac = pool(&credential("hmac"));
    hmac.ask(&get("/api/x").with("x-from-edge", "let me in"));
    assert!(!hmac.last().headers.contains_key("x-from-edge"), "without the secret nothing is said");
    hmac.variable("API", "known to both");
    hmac.ask(&Sent::new("POST", "/api/x?y").with("content-length", "5").with_body("hello"));
    let said = hmac.last().headers["x-from-edge"].to_str().unwrap().to_owned();
    // SHA-256 of `hello`.
    assert!(said.contains("body=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824,v1="), "{said}");
}

#[test]
fn redirects_are_the_clients_unless_the_pool_follows_them() {
    let plain = pool(&json!({}));
    plain.mood(0, Mood::Leads("https://b.example/login"));
    let (status, _, asked) = plain.ask(&get("/api/x"));
    assert_eq!((status, asked), (302, vec![0]));
    let follows = pool(&json!({ "follow_redirects": 2 }));
    follows.mood(0, Mood::Leads("https://b.example/login"));
    assert_eq!(follows.ask(&get("/api/x")).1, "by 1");
    assert_eq!(follows.last().url, "https://b.example/login");
    follows.mood(0, Mood::Leads("https://a.example/v1/again"));
    follows.ask(&get("/api/x"));
    follows.ask(&get("/api/x"));
    let (status, _, asked) = follows.ask(&get("/api/x"));
    assert_eq!((status, asked), (302, vec![0, 0, 0]), "round and round, but not for ever");
    for (mood, method, expected) in [
        (Mood::LeadsOn(303, "https://b.example/x"), "GET", 200),
        (Mood::LeadsOn(303, "https://b.example/x"), "QUERY", 303),
        (Mood::LeadsOn(307, "https://b.example/x"), "QUERY", 200),
        (Mood::LeadsOn(307, "https://b.example/v1/../x"), "GET", 307),
    ] {
        let follows = pool(&json!({ "follow_redirects": 2 }));
        follows.mood(0, mood);
        assert_eq!(follows.ask(&Sent::new(method, "/api/x")).0, expected, "{method} {mood:?}");
    }
}

#[test]
fn a_hash_keeps_a_tenant_with_its_origin() {
    let route = json!({ "path": "/t/:tenant/*", "pool": "api" });
    let pool = with_route(&json!({ "choice": { "hash": ":tenant" } }), &route, &json!({}));
    let mut homes = BTreeMap::new();
    for number in 0..60 {
        let tenant = number % 12;
        let (_, _, asked) = pool.ask(&get(&format!("/t/{tenant}/x{number}")));
        assert_eq!(*homes.entry(tenant).or_insert(asked[0]), asked[0], "{tenant}");
    }
    let used: std::collections::BTreeSet<usize> = homes.into_values().collect();
    assert_eq!(used.len(), 3);
}

#[test]
fn the_nearest_origin_answers() {
    let pool = pool(&json!({
        "choice": "geo",
        "origins": [{ "url": URLS[0], "region": "enam" }, { "url": URLS[1], "region": "weur" }],
    }));
    let paris = get("/api/x").at_place(49, 2);
    let boston = get("/api/x").at_place(42, -71);
    assert_eq!((pool.ask(&paris).2, pool.ask(&boston).2), (vec![1], vec![0]));
    pool.mood(1, Mood::Refuses);
    assert_eq!(pool.ask(&paris).2, [1, 0], "over the ocean rather than not at all");
}

#[test]
fn what_became_of_requests_is_told() {
    let pool = pool(&json!({}));
    for _ in 0..3 {
        pool.ask(&get("/api/x"));
    }
    pool.mood(0, Mood::Refuses);
    let seen = pool.served.ask_unchecked(&get("/api/x"));
    assert_eq!(seen.field("server-timing"), "edge;dur=0, origin;dur=0;desc=\"origin 2, 2 tries\"");
    pool.served.world.counted.replace(Some(String::new()));
    for _ in 0..20 {
        pool.ask(&get("/api/x"));
    }
    let counted = pool.served.world.counted.borrow().clone().expect("counted");
    for name in [
        "rimward_pool_requests_total{pool=\"api\",origin=\"https://a.example/v1\",result=\"origin-unreachable\"}",
        "rimward_pool_requests_total{pool=\"api\",origin=\"https://b.example\",result=\"2xx\"}",
        "rimward_pool_retries_total{pool=\"api\"}",
        "rimward_pool_circuits_total{pool=\"api\",origin=\"https://a.example/v1\",change=\"opened\"}",
        "rimward_pool_latency_milliseconds{pool=\"api\",origin=\"https://b.example\",bin=\"0\"}",
    ] {
        assert!(counted.lines().any(|line| line == name), "{name}\n{counted}");
    }
}

/// What was counted of the first origin under a name, by its label.
fn counted(pool: &Pool, name: &str) -> Vec<String> {
    let lines = pool.served.world.counted.borrow().clone().expect("somebody counts");
    let begin = format!("{name}{{pool=\"api\",origin=\"{}\"", URLS[0]);
    let mut counts = BTreeMap::<&str, u64>::new();
    for (name, number) in lines.lines().zip(lines.lines().skip(1)).step_by(2) {
        if let Some(rest) = name.strip_prefix(&begin) {
            let label = rest.split('"').nth(1).unwrap_or_default();
            *counts.entry(label).or_default() += number.parse::<u64>().unwrap();
        }
    }
    counts.iter().map(|(label, count)| format!("{label} {count}").trim().to_owned()).collect()
}

/// A pool of one origin, which is asked once for each request.
fn of_one() -> Pool {
    let pool = pool(&json!({ "origins": [{ "url": URLS[0] }], "retry": { "attempts": 0, "budget_permille": 0 } }));
    pool.served.world.counted.replace(Some(String::new()));
    pool
}

#[test]
fn each_change_of_a_breaker_is_counted_once() {
    let pool = of_one();
    let changes = |mood, times| {
        pool.mood(0, mood);
        (0..times).for_each(|_| drop(pool.ask(&get("/api/x"))));
        counted(&pool, "rimward_pool_circuits_total")
    };
    assert!(changes(Mood::Says(200), 2).is_empty());
    assert!(changes(Mood::Refuses, 2).is_empty());
    // The one of a pool is asked even so: what fails then changes nothing.
    assert_eq!(changes(Mood::Refuses, 5), ["opened 1"]);
    pool.served.world.pass(Duration::from_mins(2));
    assert_eq!(changes(Mood::Says(200), 5), ["closed 1", "opened 1"]);
    // What breaks off behind its head counts as well.
    assert_eq!(changes(Mood::BreaksOff(100_000), 5), ["closed 1", "opened 2"]);
}

#[test]
fn what_fails_is_counted_by_its_kind() {
    for (mood, kind) in [
        (Mood::Says(200), "2xx"),
        (Mood::Says(503), "5xx"),
        (Mood::Refuses, "origin-unreachable"),
        (Mood::Hangs, "origin-timeout"),
        (Mood::BreaksOff(5000), "origin-broke-off"),
        (Mood::Says(304), "no-answer"),
        (Mood::Says(521), "no-answer"),
    ] {
        // What may be tried again is awaited whole, but nobody repeats a POST.
        let pool = pool(&json!({ "origins": [{ "url": URLS[0] }] }));
        pool.served.world.counted.replace(Some(String::new()));
        pool.mood(0, mood);
        (0..2).for_each(|_| drop(pool.ask(&Sent::new("POST", "/api/x"))));
        assert_eq!(counted(&pool, "rimward_pool_requests_total"), [format!("{kind} 2")], "{mood:?}");
        assert!(counted(&pool, "rimward_pool_broken_total").is_empty(), "{mood:?}");
    }
}

#[test]
fn what_breaks_off_behind_a_head_that_the_client_saw_is_counted_apart() {
    let pool = of_one();
    pool.mood(0, Mood::BreaksOff(100_000));
    (0..2).for_each(|_| drop(pool.ask(&get("/api/x"))));
    assert_eq!(counted(&pool, "rimward_pool_requests_total"), ["2xx 2"]);
    assert_eq!(counted(&pool, "rimward_pool_broken_total"), ["2"]);
}

#[test]
fn people_get_the_sites_own_page_and_programs_a_problem() {
    let document = json!({ "document": { "error": "500.html", "cache_control": "no-cache" } });
    let route = json!({ "path": "/api/*", "pool": "api" });
    let page = "<!doctype html><title>sorry</title>";
    let folder = Folder::new("r1", "/").document("500.html", "text/html", page, &[], json!({}));
    let pool = on(&folder, &json!({}), &route, &document);
    pool.all(Mood::Says(503));
    let seen = pool.served.ask_unchecked(&navigate("/api/x"));
    assert_eq!((seen.status, seen.text().as_str()), (503, page));
    let text = pool.served.ask_unchecked(&get("/api/x")).text();
    assert!(text.starts_with("by "), "what the origin says to programs stays: {text}");
    pool.all(Mood::Refuses);
    for _ in 0..4 {
        pool.ask(&get("/api/x"));
    }
    let seen = pool.served.ask_unchecked(&navigate("/api/x"));
    assert_eq!((seen.status, seen.field("retry-after").as_str()), (502, "1"));
    assert!(seen.text().contains("sorry") && seen.field("cache-status").contains("origin-unreachable"), "{seen:?}");
    assert!(!seen.field("cache-status").contains("not-found"), "{seen:?}");
    let problem = pool.served.ask_unchecked(&get("/api/x"));
    assert_eq!(problem.field("content-type"), "application/problem+json");
    assert_eq!(problem.field("retry-after"), "1");
}

#[test]
fn the_sites_own_page_stands_for_failures_that_are_kept_too() {
    let more = json!({
        "document": { "error": "500.html", "cache_control": "no-cache" },
        "caches": { "api": {} },
    });
    let route = json!({ "path": "/api/*", "pool": "api", "cache": "api" });
    let folder = Folder::new("r1", "/").document("500.html", "text/html", "sorry", &[], json!({}));
    let pool = on(&folder, &json!({}), &route, &more);
    pool.all(Mood::Says(503));
    for expected in ["rimward; fwd=uri-miss; fwd-status=503", "rimward; hit"] {
        let seen = pool.served.ask_unchecked(&navigate("/api/x"));
        assert_eq!((seen.status, seen.text().as_str()), (503, "sorry"));
        assert!(seen.field("cache-status").starts_with(expected), "{seen:?}");
        assert_eq!(seen.field("cache-control"), "no-store");
    }
    assert!(pool.served.ask_unchecked(&get("/api/x")).text().starts_with("by "));
}

#[test]
fn a_get_whose_body_is_empty_is_as_one_without_and_any_other_body_is_refused() {
    for cache in [None, Some("api")] {
        let route = json!({ "path": "/api/*", "pool": "api", "cache": cache });
        let pool = with_route(&json!({}), &route, &json!({ "caches": { "api": {} } }));
        for method in ["GET", "HEAD"] {
            let url = format!("/api/{method}");
            let empty = Sent::new(method, &url).with("content-length", "0").with_body("");
            assert_eq!(pool.ask(&empty).0, 200);
            let sent = pool.last();
            assert!(sent.body.is_none() && !sent.headers.contains_key("content-length"), "{:?}", sent.headers);
            let seen = pool.served.ask_unchecked(&Sent::new(method, &format!("/api/other/{method}")).with_body("x"));
            assert_eq!(seen.status, 400, "{method} {cache:?}");
            assert!(seen.field("cache-status").contains("body-unwanted"), "{seen:?}");
            assert_eq!(pool.asked(), [] as [usize; 0], "nobody is asked in vain");
        }
    }
}

#[test]
fn an_upload_that_cannot_be_repeated_is_no_probe() {
    let pool = pool(&json!({}));
    pool.served.world.streams.set(true);
    pool.mood(1, Mood::Refuses);
    for _ in 0..20 {
        pool.ask(&get("/api/x"));
    }
    pool.served.world.pass(Duration::from_millis(1500));
    for _ in 0..9 {
        assert_eq!(pool.ask(&Sent::new("PUT", "/api/x").with_body("a stream")).0, 200);
    }
}

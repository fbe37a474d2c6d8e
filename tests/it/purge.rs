//! Purges in the world in memory: who may, what is answered, and how an isolate learns of them.

use std::rc::Rc;
use std::time::Duration;

use rimward_edge::control::ledger::{Beginning, Ledger};
use rimward_edge::control::message::{Command, Reply};
use rimward_edge::control::record::{Kind, Selector, Sequence, Strength};
use rimward_edge::control::zone::{Items, judge};
use rimward_edge::json::{read, write};
use rimward_edge::platform::{Kept, Platform};
use serde_json::{Value, json};

use crate::log::SECRET;
use crate::world::{Folder, Seen, Sent, Served, World, get, settings, site};

const SECOND: Duration = Duration::from_secs(1);

/// A site with a log, at some time of some day.
fn served() -> Served {
    cached(&json!({}))
}

/// The same, whose `/api/*` is cached by a policy with these members.
fn cached(policy: &Value) -> Served {
    let routes = json!([{ "path": "/api/*", "pool": "api", "cache": "api", "invalidate": "everywhere" }]);
    let served = site(&settings(json!({ "caches": { "api": policy }, "routes": routes })), &Folder::new("r1", "/"));
    served.world.log.replace(Some(Ledger::default()));
    served.world.pass(Duration::from_hours(500_000));
    variable(&served, "RIMWARD_PURGE_SECRET", SECRET);
    served
}

fn variable(served: &Served, name: &str, value: &str) {
    served.world.variables.borrow_mut().insert(name.to_owned(), value.to_owned());
}

fn with_secret(request: Sent) -> Sent {
    request.with("authorization", &format!("Bearer {SECRET}"))
}

fn post(body: &str) -> Sent {
    with_secret(Sent::new("POST", "/.rimward/purge")).with("content-type", "application/json").with_body(body)
}

fn purge(served: &Served, body: &Value) -> Value {
    let seen = served.ask(&post(&body.to_string()));
    assert_eq!(seen.status, 200, "{}", seen.text());
    seen.json()
}

#[track_caller]
fn refused(served: &Served, request: &Sent, status: u16) -> Seen {
    let seen = served.ask(request);
    assert_eq!(seen.status, status, "{}", seen.text());
    assert_eq!(seen.field("cache-control"), "no-store");
    assert!(seen.field("access-control-allow-origin").is_empty());
    seen
}

/// What the isolate knows: the place, and whether it is sure.
fn known(served: &Served) -> (u64, bool) {
    let known = served.ask(&with_secret(get("/.rimward/purge"))).json();
    (known["sequence"].as_u64().unwrap(), known["sure"].as_bool().unwrap())
}

/// Another isolate of the same data centre.
fn neighbour(served: &Served) -> Served {
    Served { world: served.world.clone(), isolate: Rc::default() }
}

/// A purge that came in at another location.
fn purged_elsewhere(served: &Served) -> u64 {
    purge_elsewhere(&served.world, &json!(["all"]))
}

fn purge_elsewhere(world: &World, of: &Value) -> u64 {
    let command = json!({ "append": { "kind": { "purge": { "of": of } } } });
    let mut log = world.log.borrow_mut();
    let now = world.now();
    match log.as_mut().unwrap().answer(read(command.to_string().as_bytes()).unwrap(), now) {
        Reply::Appended(appended) => appended.sequence.number(),
        other => panic!("{other:?}"),
    }
}

fn asked_of_log(served: &Served) -> usize {
    served.world.asked_of_log.borrow().len()
}

fn records(served: &Served) -> Vec<Kind> {
    let mut log = served.world.log.borrow_mut();
    let news = log.as_mut().unwrap().answer(Command::Since(Sequence::NONE), served.world.now());
    match news {
        Reply::News(news) => news.records.into_iter().map(|record| record.kind).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_purge_is_a_record_with_a_place_and_says_when_it_is_seen_everywhere() {
    let served = served();
    let answer = purge(
        &served,
        &json!({ "purges": [{ "url": "/a" }, { "prefix": "/b/" }, { "tag": "c" }, { "group": "d" }, { "all": true }], "soft": true }),
    );
    let millis = 1_800_000_000_000_u64;
    assert!(answer["sequence"].as_u64().unwrap() > millis, "{answer}");
    assert_eq!(answer["again"], false);
    assert_eq!((&answer["settles_in_ms"], &answer["settled_at_ms"]), (&json!(2000), &json!(millis + 2000)));
    let Kind::Purge(purge) = &records(&served)[0] else { panic!() };
    let origin = "https://shop.example".to_owned();
    assert_eq!(
        purge.of,
        [
            Selector::Url(format!("{origin}/a")),
            Selector::Prefix(format!("{origin}/b/")),
            Selector::Tag("c".into()),
            Selector::Group { origin, name: "d".into() },
            Selector::All
        ]
    );
    assert_eq!(purge.strength, Strength::Soft);
}

#[test]
fn a_place_comes_with_its_log_for_one_that_was_begun_anew_may_give_it_again() {
    let served = served();
    let all = json!({ "purges": [{ "all": true }] });
    let known = || served.ask(&with_secret(get("/.rimward/purge"))).json();
    let first = purge(&served, &all);
    assert_eq!(known(), json!({ "log": first["log"], "sequence": first["sequence"], "sure": true }));
    let (anew, _) = Ledger::open(Vec::new(), Beginning { chance: 7, copy: None });
    served.world.log.replace(Some(anew));
    let second = purge(&served, &all);
    assert_eq!(first["sequence"], second["sequence"], "no time has passed, and the new log knows nothing of the old");
    assert!(first["log"].is_string() && first["log"] != second["log"], "{first} {second}");
    assert_eq!(known(), json!({ "log": second["log"], "sequence": second["sequence"], "sure": true }));
}

#[test]
fn a_key_makes_a_purge_safe_to_repeat() {
    let served = served();
    let body = json!({ "purges": [{ "tag": "a" }], "key": "deploy-7" });
    let first = purge(&served, &body);
    served.world.pass(SECOND);
    let again = purge(&served, &body);
    assert_eq!((&again["sequence"], &again["again"]), (&first["sequence"], &json!(true)));
    assert_eq!((&again["settles_in_ms"], &again["settled_at_ms"]), (&json!(1000), &first["settled_at_ms"]));
    let other = json!({ "purges": [{ "tag": "b" }], "key": "deploy-7" });
    refused(&served, &post(&other.to_string()), 409);
    assert_eq!(records(&served).len(), 1);
}

#[test]
fn without_a_secret_there_is_nothing_and_nothing_is_told() {
    let served = served();
    served.world.variables.borrow_mut().remove("RIMWARD_PURGE_SECRET");
    for path in ["/.rimward/purge", "/.rimward/purge/failed", "/.rimward/purge/replay", "/.rimward/purge/x"] {
        refused(&served, &with_secret(Sent::new("POST", path)), 404);
        refused(&served, &get(path), 404);
    }
    variable(&served, "RIMWARD_PURGE_SECRET", "too-short");
    refused(&served, &Sent::new("POST", "/.rimward/purge").with("authorization", "Bearer too-short"), 404);
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("shorter than 16 bytes")));
}

#[test]
fn only_the_secret_of_the_scope_fits_and_two_are_valid_at_once() {
    let served = served();
    variable(&served, "RIMWARD_OPERATE_SECRET", "the-secret-of-another-scope");
    variable(&served, "RIMWARD_PURGE_SECRET_OLD", "the-secret-of-last-month");
    let ask = |authorization: &str| get("/.rimward/purge").with("authorization", authorization);
    let seen = refused(&served, &get("/.rimward/purge"), 401);
    assert_eq!(seen.field("www-authenticate"), "Bearer realm=\"rimward\"");
    refused(&served, &ask("Bearer the-secret-of-another-scope"), 401);
    refused(&served, &ask(SECRET), 401);
    assert_eq!(served.ask(&ask("Bearer the-secret-of-last-month")).status, 200);
    assert_eq!(served.ask(&ask(&format!("Bearer {SECRET}"))).status, 200);
    served.world.variables.borrow_mut().remove("RIMWARD_PURGE_SECRET_OLD");
    refused(&served, &ask("Bearer the-secret-of-last-month"), 401);
    assert!(!served.world.logged.borrow().iter().any(|line| line.contains("the-secret")));
}

#[test]
fn whoever_guesses_is_not_listened_to_for_a_minute() {
    let served = served();
    for _ in 0..10 {
        refused(&served, &get("/.rimward/purge").with("authorization", "Bearer a-guess-of-the-secret"), 401);
    }
    let seen = refused(&served, &with_secret(get("/.rimward/purge")), 429);
    assert_eq!(seen.field("retry-after"), "61");
    assert_eq!(served.ask(&with_secret(get("/.rimward/purge")).by_peer("198.51.100.7")).status, 200, "others are");
    served.world.pass(Duration::from_mins(1));
    assert_eq!(served.ask(&with_secret(get("/.rimward/purge"))).status, 200);
}

#[test]
fn what_is_no_purge_is_refused_and_nothing_is_recorded() {
    let served = served();
    let json = |body: &str| post(body);
    for body in [
        "",
        "{",
        "[]",
        r#"{"purges":[]}"#,
        r#"{"purges":[{"url":"no-path"}]}"#,
        r#"{"purges":[{"all":true}],"sofft":true}"#,
    ] {
        let seen = refused(&served, &json(body), 400);
        assert_eq!(seen.field("content-type"), "application/problem+json", "{body}");
    }
    let seen = refused(&served, &json(r#"{"purges":[{"tag":"a"},{"url":"/../x"}]}"#), 400);
    assert!(seen.text().contains("`purges[1]`"), "{}", seen.text());
    let many: Vec<Value> = (0..501).map(|number| json!({ "tag": number.to_string() })).collect();
    refused(&served, &json(&json!({ "purges": many }).to_string()), 413);
    refused(&served, &json(&format!("{}{}", " ".repeat(256 * 1024), "{}")), 413);
    refused(&served, &with_secret(Sent::new("POST", "/.rimward/purge")).with_body("{}"), 415);
    for method in ["PUT", "DELETE", "OPTIONS"] {
        let seen = refused(&served, &with_secret(Sent::new(method, "/.rimward/purge")), 405);
        assert_eq!(seen.field("allow"), "GET, HEAD, POST");
    }
    refused(&served, &with_secret(Sent::new("POST", "/.rimward/purges")), 404);
    refused(&served, &with_secret(get("/.rimward/purge/replay")), 405);
    assert_eq!(records(&served), []);
}

#[test]
fn a_log_that_cannot_be_reached_is_said() {
    let served = served();
    served.world.log_takes.set(Duration::from_mins(1));
    let seen = refused(&served, &post(r#"{"purges":[{"all":true}]}"#), 503);
    assert!(seen.text().contains("did not answer within 10s"), "{}", seen.text());
    served.world.log.replace(None);
    let seen = refused(&served, &post(r#"{"purges":[{"all":true}]}"#), 503);
    assert!(seen.text().contains("`CONTROL_LOG` binding"), "{}", seen.text());
}

#[test]
fn an_isolate_sees_its_own_purge_at_once_and_another_one_within_2_s() {
    let served = served();
    let other = neighbour(&served);
    let far = Served { world: served.world.clone(), isolate: Rc::default() };
    known(&other);
    let place = purge(&served, &json!({ "purges": [{ "all": true }] }))["sequence"].as_u64().unwrap();
    assert_eq!(known(&served), (place, true));
    assert_eq!(known(&far), (place, true), "and hands it to its neighbours");
    assert!(known(&other).0 < place, "its view is young enough to go on with");
    served.world.pass(2 * SECOND);
    assert_eq!(known(&other), (place, true));
}

#[test]
fn no_view_that_is_older_than_its_lease_answers_whatever_its_neighbours_share() {
    let served = served();
    let isolates: Vec<Served> = (0..4).map(|_| neighbour(&served)).collect();
    served.world.log_takes.set(Duration::from_millis(30));
    // Isolates ask at odd times; every so often something is purged elsewhere.
    let mut purged: Vec<(u64, u64)> = Vec::new();
    let mut step = 1_u64;
    let now = |served: &Served| served.world.now().as_millis();
    for _ in 0..3000 {
        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        served.world.pass(Duration::from_millis(step >> 32 & 511));
        if (step >> 41).is_multiple_of(8) {
            purged.push((now(&served), purged_elsewhere(&served)));
        }
        let (place, sure) = known(&isolates[usize::try_from(step >> 60 & 3).unwrap()]);
        let missing = purged.iter().find(|(at, purge)| *purge > place && now(&served) > at + 2000);
        assert!(sure && missing.is_none(), "at {} only {place} was known, not {missing:?}", now(&served));
    }
    assert!(purged.len() > 100);
}

#[test]
fn neighbours_share_one_answer_of_the_log() {
    let served = served();
    let isolates: Vec<Served> = (0..20).map(|_| neighbour(&served)).collect();
    for _ in 0..10 {
        assert!(isolates.iter().all(|isolate| known(isolate).1));
        served.world.pass(Duration::from_millis(500));
    }
    // Each second one of them asks; without sharing it would be at least 20 of them each 2 s.
    assert!((3..=8).contains(&asked_of_log(&served)), "{}", asked_of_log(&served));
}

#[test]
fn a_view_is_renewed_after_the_request_before_its_lease_ends() {
    let served = served();
    known(&served);
    let before = asked_of_log(&served);
    let place = purged_elsewhere(&served);
    served.world.pass(Duration::from_millis(1100));
    let seen = served.ask(&with_secret(get("/.rimward/purge")));
    assert!(!seen.field("server-timing").contains("log"), "{}", seen.field("server-timing"));
    assert_eq!(asked_of_log(&served), before + 1);
    assert_eq!(known(&served), (place, true));
}

#[test]
fn while_the_log_is_down_requests_go_on_with_what_is_known_and_say_so() {
    let served = served();
    let (place, _) = known(&served);
    served.world.pass(10 * SECOND);
    served.world.log_takes.set(60 * SECOND);
    let began = served.world.now();
    assert_eq!(known(&served), (place, false));
    let waited = served.world.now().since(began);
    assert_eq!(waited, Duration::from_millis(800), "and no longer");
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("did not answer within 800ms")));
    served.world.log_takes.set(Duration::ZERO);
    served.world.pass(2 * SECOND);
    assert!(known(&served).1, "until it is back");
}

#[test]
fn a_new_isolate_learns_from_the_copy_while_the_log_is_down() {
    let served = served();
    let place = purged_elsewhere(&served);
    let copy = {
        let mut log = served.world.log.borrow_mut();
        let now = served.world.now();
        log.as_mut().unwrap().copy_due(now).expect("something changed")
    };
    let kept = Kept { envelope: "news".into(), body: write(&copy).unwrap().into_bytes(), length: 0 };
    served.world.stores.borrow_mut().insert((true, "control/f00d".into()), kept);
    served.world.log_takes.set(60 * SECOND);
    assert_eq!(known(&served), (place, false));
}

#[test]
fn a_site_without_a_log_has_nothing_to_be_unsure_of() {
    let served = served();
    served.world.log.replace(None);
    assert_eq!(known(&served), (0, true));
    served.world.pass(10 * SECOND);
    assert_eq!(known(&served), (0, true));
    assert!(served.world.logged.borrow().is_empty());
}

#[test]
fn a_zone_is_told_of_a_purge_when_it_is_named() {
    let served = served();
    let calls = |served: &Served| match records_calls(served) {
        Some((path, items)) => (path, items),
        None => panic!("no call"),
    };
    assert_eq!(purge(&served, &json!({ "purges": [{ "tag": "a" }] }))["zone_calls"], 0);
    assert_eq!(records_calls(&served), None);
    variable(&served, "RIMWARD_ZONE_ID", "z1");
    assert_eq!(purge(&served, &json!({ "purges": [{ "tag": "a" }, { "group": "g" }] }))["zone_calls"], 1);
    assert_eq!(calls(&served), ("/zones/z1/purge_cache".into(), Items::Tags(vec!["a".into()])));
    let failed = served.ask(&with_secret(get("/.rimward/purge/failed"))).json();
    assert_eq!(failed, json!({ "failed": [], "waiting": 1 }));
}

/// The call that the log would make now.
fn records_calls(served: &Served) -> Option<(String, Items)> {
    let now = served.world.now();
    let (_, call) = served.world.log.borrow_mut().as_mut().unwrap().next_call(now)?;
    Some((call.path(), call.items))
}

#[test]
fn calls_that_were_given_up_are_listed_and_replayed() {
    let served = served();
    variable(&served, "RIMWARD_ZONE_ID", "z1");
    purge(&served, &json!({ "purges": [{ "tag": "a" }], "soft": true }));
    let now = served.world.now();
    {
        let mut log = served.world.log.borrow_mut();
        let log = log.as_mut().unwrap();
        let (id, _) = log.next_call(now).unwrap();
        let judgement = judge(Some(403), None, "no");
        log.called(id, judgement, now);
    }
    let failed = served.ask(&with_secret(get("/.rimward/purge/failed"))).json();
    let call = json!({ "zone": "z1", "strength": "soft", "items": { "tags": ["a"] } });
    assert_eq!(failed["failed"][0]["call"], call);
    assert_eq!((&failed["failed"][0]["answer"], &failed["waiting"]), (&json!("403: no"), &json!(0)));
    let replayed = served.ask(&with_secret(Sent::new("POST", "/.rimward/purge/replay")));
    assert_eq!(replayed.json(), json!({ "replayed": 1 }));
    assert!(records_calls(&served).is_some());
}

/// What an origin says that may be kept for a minute.
fn origin_says(served: &Served, etag: &str, body: &str) {
    let fields = [
        ("cache-control", "max-age=60"),
        ("etag", etag),
        ("cache-tag", "product-1 list"),
        ("cache-groups", "\"stock\""),
    ];
    served.origin_says(200, &fields, Some(body));
}

#[track_caller]
fn says(seen: &Seen, body: &str, cache_status: &str) {
    let found = seen.field("cache-status");
    assert_eq!((seen.status, seen.text().as_str()), (200, body), "{found}");
    for member in cache_status.split("; ") {
        assert!(found.split("; ").any(|part| part == member), "no `{member}` in `{found}`");
    }
}

#[test]
fn what_is_purged_is_asked_for_anew_and_not_validated() {
    for named in [
        json!({ "url": "/api/products/1?size=m&color=red" }),
        json!({ "url": "https://SHOP.example/api/products/1?utm_source=mail&color=red&size=m" }),
        json!({ "prefix": "/api/products" }),
        json!({ "tag": "product-1" }),
        json!({ "tag": "everything" }),
        json!({ "group": "stock" }),
        json!({ "all": true }),
    ] {
        let served =
            cached(&json!({ "tags": ["everything"], "tags_from": "cache-tag", "query": { "ignore": ["utm_*"] } }));
        origin_says(&served, "\"wrong\"", "wrong bytes");
        let ask = || served.get("/api/products/1?color=red&utm_campaign=x&size=m");
        says(&ask(), "wrong bytes", "fwd=uri-miss; stored");
        says(&ask(), "wrong bytes", "hit");
        purge(&served, &json!({ "purges": [named] }));
        origin_says(&served, "\"wrong\"", "right bytes");
        says(&ask(), "right bytes", "fwd=uri-miss; stored");
        let headers = served.asked_of_origin().headers;
        assert!(!headers.contains_key("if-none-match"), "{named}: the validator names wrong bytes");
        says(&ask(), "right bytes", "hit");
    }
}

#[test]
fn what_is_purged_in_memory_hides_nothing_that_a_neighbour_kept_since() {
    let (served, key) = (served(), "/api/x");
    let other = neighbour(&served);
    let of_x = |served: &Served| served.ask(&get(key).with("x", "1"));
    served.origin_says(200, &[("cache-control", "max-age=60"), ("vary", "x")], Some("old"));
    of_x(&served);
    says(&of_x(&served), "old", "hit");
    purge(&other, &json!({ "purges": [{ "url": key }] }));
    // The origin's new answer is one for all: it lies beside the old variant.
    origin_says(&other, "\"b\"", "new");
    says(&of_x(&other), "new", "fwd-status=200; stored");
    served.world.pass(3 * SECOND);
    known(&served);
    // Once passed on from the data centre, once taken into memory, once out of it.
    for _ in 0..3 {
        says(&of_x(&served), "new", "hit");
    }
}

#[test]
fn what_is_not_named_stays() {
    let served = cached(&json!({ "tags_from": "cache-tag" }));
    origin_says(&served, "\"a\"", "a");
    served.get("/api/products/1");
    let others = json!([
        { "url": "/api/products" }, { "url": "/api/products/1?x" }, { "prefix": "/api/prod" },
        { "prefix": "https://other.example/" }, { "tag": "product" }, { "group": "list" },
    ]);
    purge(&served, &json!({ "purges": others }));
    says(&served.get("/api/products/1"), "a", "hit");
}

#[test]
fn every_variant_of_a_url_is_purged() {
    let served = served();
    let ask = |language: &str| served.ask(&get("/api/x").with("accept-language", language));
    let fields = [("cache-control", "max-age=60"), ("vary", "accept-language")];
    for body in ["de", "en"] {
        served.origin_says(200, &fields, Some(body));
        ask(body);
        says(&ask(body), body, "hit");
    }
    purge(&served, &json!({ "purges": [{ "url": "/api/x" }] }));
    for body in ["en", "de"] {
        served.origin_says(200, &fields, Some(&format!("new {body}")));
        says(&ask(body), &format!("new {body}"), "fwd-status=200; stored");
        says(&ask(body), &format!("new {body}"), "hit");
    }
}

#[test]
fn a_soft_purge_makes_stale_and_validates() {
    let served = served();
    origin_says(&served, "\"a\"", "a");
    served.get("/api/x");
    served.world.pass(SECOND);
    purge(&served, &json!({ "purges": [{ "url": "/api/x" }], "soft": true }));
    served.origin_says(304, &[("etag", "\"a\""), ("cache-control", "max-age=60")], None);
    says(&served.get("/api/x"), "a", "fwd=stale; fwd-status=304");
    assert_eq!(served.asked_of_origin().headers["if-none-match"], "\"a\"");
    says(&served.get("/api/x"), "a", "hit");
}

#[test]
fn soft_purges_of_what_is_stale_already_do_not_prolong_its_grace() {
    let served = served();
    let fields = [("cache-control", "max-age=5, stale-if-error=10"), ("etag", "\"a\"")];
    served.origin_says(200, &fields, Some("a"));
    served.get("/api/x");
    let soft = json!({ "purges": [{ "url": "/api/x" }], "soft": true });
    // Stale since the first purge, at 2 s; its grace ends at 12 s.
    for at in 1..=14 {
        served.world.pass(SECOND);
        if at % 2 == 0 {
            purge(&served, &soft);
        }
        if at >= 2 {
            served.origin_says(503, &[], Some("down"));
            let seen = served.get("/api/x");
            let expected = if at < 12 { (200, "a") } else { (503, "down") };
            assert_eq!((seen.status, seen.text().as_str()), expected, "at {at} s: {}", seen.field("cache-status"));
        }
    }
}

#[test]
fn a_purge_during_a_fetch_covers_what_it_brings() {
    let served = served();
    known(&served);
    let world = Rc::clone(&served.world);
    let purge_meanwhile = move || {
        purge_elsewhere(&world, &json!([{ "url": "https://shop.example/api/x" }]));
    };
    served.world.during_fetch.replace(Some(Box::new(purge_meanwhile)));
    origin_says(&served, "\"old\"", "as it was before");
    says(&served.get("/api/x"), "as it was before", "stored");
    served.world.pass(2 * SECOND);
    origin_says(&served, "\"new\"", "as it is");
    says(&served.get("/api/x"), "as it is", "fwd=uri-miss");
    says(&served.get("/api/x"), "as it is", "hit");
}

#[test]
fn a_purge_that_becomes_known_before_a_validation_begins_covers_what_is_validated() {
    let served = served();
    origin_says(&served, "\"wrong\"", "wrong bytes");
    served.get("/api/x");
    served.world.pass(Duration::from_mins(1));
    // Another isolate, which knows the log, and finds in the data centre's cache what it has to validate.
    let other = neighbour(&served);
    known(&other);
    let (world, isolate) = (Rc::clone(&other.world), Rc::clone(&other.isolate));
    let learns = move || {
        let same = Served { world, isolate };
        let place = purge(&same, &json!({ "purges": [{ "url": "/api/x" }] }))["sequence"].as_u64();
        assert_eq!(Some(known(&same).0), place);
    };
    other.world.during_read.replace(Some(Box::new(learns)));
    other.origin_says(304, &[("etag", "\"wrong\""), ("cache-control", "max-age=60")], None);
    says(&other.get("/api/x"), "wrong bytes", "fwd=stale; fwd-status=304");
    origin_says(&other, "\"wrong\"", "right bytes");
    says(&other.get("/api/x"), "right bytes", "fwd=uri-miss; fwd-status=200");
}

#[test]
fn a_purge_elsewhere_ends_hits_within_2_s() {
    let served = served();
    origin_says(&served, "\"a\"", "a");
    served.get("/api/x");
    purged_elsewhere(&served);
    served.world.pass(Duration::from_millis(900));
    says(&served.get("/api/x"), "a", "hit");
    served.world.pass(Duration::from_millis(1100));
    origin_says(&served, "\"b\"", "b");
    says(&served.get("/api/x"), "b", "fwd=uri-miss");
}

#[test]
fn a_miss_waits_for_the_log_only_where_nothing_is_known_of_it() {
    let served = served();
    served.world.log_takes.set(Duration::from_millis(300));
    let log_waited = |path: &str| {
        origin_says(&served, "\"a\"", "a");
        served.get(path).field("server-timing").contains("log;")
    };
    assert!(log_waited("/api/1"));
    served.world.pass(10 * SECOND);
    assert!(!log_waited("/api/2"), "an old view will do");
    says(&served.get("/api/2"), "a", "hit");
}

#[test]
fn without_a_log_the_cache_works_and_is_sure() {
    let served = served();
    served.world.log.replace(None);
    origin_says(&served, "\"a\"", "a");
    says(&served.get("/api/x"), "a", "stored");
    served.world.pass(10 * SECOND);
    says(&served.get("/api/x"), "a", "hit");
    assert!(!served.get("/api/x").field("cache-status").contains("unreachable"));
}

#[test]
fn while_the_log_is_down_hits_go_on_and_say_so_but_for_whoever_is_strict() {
    for (check, expected) in
        [("lease", ("a", "hit; detail=control-log-unreachable")), ("strict", ("b", "fwd=uri-miss"))]
    {
        let served = cached(&json!({ "purge": check }));
        origin_says(&served, "\"a\"", "a");
        served.get("/api/x");
        says(&served.get("/api/x"), "a", "hit");
        served.world.log_takes.set(Duration::from_mins(1));
        served.world.pass(10 * SECOND);
        origin_says(&served, "\"b\"", "b");
        says(&served.get("/api/x"), expected.0, expected.1);
    }
}

#[test]
fn whoever_is_strict_sees_a_purge_at_once() {
    let served = cached(&json!({ "purge": "strict" }));
    origin_says(&served, "\"a\"", "a");
    served.get("/api/x");
    says(&served.get("/api/x"), "a", "hit");
    purged_elsewhere(&served);
    origin_says(&served, "\"b\"", "b");
    says(&served.get("/api/x"), "b", "fwd=uri-miss");
}

#[test]
fn what_an_unsafe_method_changes_is_told_to_every_location_where_the_route_says_so() {
    let served = served();
    let far = neighbour(&served);
    origin_says(&served, "\"a\"", "a");
    far.get("/api/products/1");
    says(&far.get("/api/products/1"), "a", "hit");
    served.origin_says(
        200,
        &[("location", "/api/products/2"), ("cache-group-invalidation", "\"stock\"")],
        Some("done"),
    );
    assert_eq!(served.ask(&Sent::new("POST", "/api/products/1").with_body("x")).status, 200);
    let Kind::Purge(purge) = &records(&served)[0] else { panic!() };
    let origin = "https://shop.example".to_owned();
    let mut of = purge.of.clone();
    of.sort();
    assert_eq!(
        of,
        [
            Selector::Url(format!("{origin}/api/products/1")),
            Selector::Url(format!("{origin}/api/products/2")),
            Selector::Group { origin, name: "stock".into() },
        ]
    );
    far.world.pass(2 * SECOND);
    origin_says(&far, "\"b\"", "b");
    says(&far.get("/api/products/1"), "b", "fwd=uri-miss");
}

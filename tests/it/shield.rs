//! Misses that go through an object which all isolates share: in memory with scripted answers of that object, and on bare
//! `workerd` with two isolates.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rimward::workerd::Config;
use rimward_edge::config::{CachePolicy, Route, Settings, Timeout};
use rimward_edge::control::message::Reply;
use rimward_edge::platform::{FetchError, Inbound, Platform, Relayed, StoreError};
use serde_json::{Value, json};

use crate::log::with_a_second;
use crate::origin::{Exchange, Origin};
use crate::published::publish;
use crate::runtime::{Connection, Workerd, free_address, site as on_workerd, worker};
use crate::workerd::with_api;
use crate::world::{Folder, Seen, Sent, Served, get, settings, site};

fn shielded(policy: &Value) -> Served {
    let changes = json!({
        "caches": { "api": policy },
        "routes": [{ "path": "/api/*", "pool": "api", "cache": "api", "shield": true }],
    });
    site(&settings(changes), &Folder::new("r1", "/"))
}

fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}

fn inbound(headers: &[(&str, &str)], body: &str) -> Inbound<Vec<u8>> {
    Inbound { status: StatusCode::OK, headers: fields(headers), body: Some(body.into()) }
}

/// Another isolate's request is under way, and is answered so; what this one asks itself is answered "own".
fn with_another(served: &Served, asked: &[(&str, &str)], headers: &[(&str, &str)], sequence: u64) {
    let (asked, headers) = (fields(asked), fields(headers));
    served.world.shield.replace(Some(Rc::new(move |_, _| {
        let inbound = Inbound { status: StatusCode::OK, headers: headers.clone(), body: Some(b"another's".to_vec()) };
        Ok(Ok(Relayed::Joined {
            inbound,
            asked: asked.clone(),
            sequence,
            sent_ago: Duration::from_secs(3),
            came_ago: Duration::from_secs(2),
        }))
    })));
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("own"));
}

/// Whether the answer is the other isolate's, and the body.
#[track_caller]
fn is_joined(seen: &Seen) -> bool {
    let status = seen.field("cache-status");
    assert!(status.starts_with("rimward; fwd="), "{status}");
    let is_joined = status.contains("; collapsed");
    assert_eq!(seen.text(), if is_joined { "another's" } else { "own" }, "{status}");
    is_joined
}

#[test]
fn what_another_isolate_asks_is_not_asked_again() {
    let served = shielded(&json!({}));
    served.world.pass(Duration::from_secs(1000));
    with_another(&served, &[], &[("cache-control", "max-age=60")], 0);
    assert!(is_joined(&served.get("/api/x")));
    assert_eq!(served.world.asked_of_origins.borrow().len(), 0);
    let hit = served.get("/api/x");
    assert!(hit.field("cache-status").starts_with("rimward; hit; ttl=57"), "{hit:?}");
    assert_eq!((hit.text().as_str(), hit.field("age").as_str()), ("another's", "3"));
}

#[test]
fn what_was_made_for_another_client_stays_with_that_one() {
    let fresh = ("cache-control", "max-age=60");
    for (mine, asked, headers, expected) in [
        (("x", "1"), ("x", "1"), vec![fresh, ("vary", "x")], true),
        (("x", "1"), ("x", "2"), vec![fresh, ("vary", "x")], false),
        (("x", "1"), ("x", "1"), vec![fresh, ("vary", "*")], false),
        (("x", "1"), ("x", "1"), vec![("cache-control", "private, max-age=60")], false),
        (("x", "1"), ("x", "1"), vec![("cache-control", "no-store")], false),
        (("x", "1"), ("x", "1"), vec![fresh, ("set-cookie", "session=theirs")], false),
        (("x", "1"), ("authorization", "theirs"), vec![fresh], false),
        (("cookie", "a=1"), ("cookie", "a=2"), vec![("cache-control", "public, max-age=60")], true),
    ] {
        let served = shielded(&json!({}));
        with_another(&served, &[asked], &headers, 0);
        let seen = served.ask(&get("/api/x").with(mine.0, mine.1));
        assert_eq!(is_joined(&seen), expected, "{mine:?} {asked:?} {headers:?}");
        assert_eq!(seen.field("set-cookie"), "");
    }
}

#[test]
fn fields_that_are_another_clients_alone_do_not_come_along() {
    let served = shielded(&json!({ "set_cookie": "keep", "tags_from": "cache-tag" }));
    let headers = [
        ("cache-control", "max-age=60, private=\"x-user\", no-cache=\"set-cookie\""),
        ("x-user", "them"),
        ("set-cookie", "a=theirs"),
        ("cache-tag", "t"),
        ("x-kept", "1"),
    ];
    with_another(&served, &[], &headers, 0);
    let seen = served.get("/api/x");
    assert!(is_joined(&seen));
    for name in ["x-user", "set-cookie", "cache-tag"] {
        assert_eq!(seen.field(name), "", "{name}");
    }
    assert_eq!(seen.field("x-kept"), "1");
}

#[test]
fn a_request_that_began_before_a_purge_that_is_known_here_is_not_joined() {
    let served = shielded(&json!({}));
    served.world.log.replace(Some(rimward_edge::control::ledger::Ledger::default()));
    served.world.variables.borrow_mut().insert("RIMWARD_PURGE_SECRET".into(), "0123456789abcdef".into());
    let purge = Sent::new("POST", "/.rimward/purge")
        .with("authorization", "Bearer 0123456789abcdef")
        .with("content-type", "application/json")
        .with_body(r#"{"purges":[{"tag":"unlike"}]}"#);
    let purged: Value = serde_json::from_slice(&served.ask(&purge).body).unwrap();
    let sequence = purged["sequence"].as_u64().unwrap();
    // The view is renewed behind an answer.
    served.origin_says(200, &[], Some(""));
    served.get("/api/first");
    served.world.pass(Duration::from_secs(3));
    served.origin_says(200, &[], Some(""));
    served.get("/api/second");
    for (theirs, expected) in [(sequence - 1, false), (sequence, true)] {
        with_another(&served, &[], &[("cache-control", "max-age=60")], theirs);
        assert_eq!(is_joined(&served.get(&format!("/api/{theirs}"))), expected, "{theirs} of {sequence}");
    }
}

#[test]
fn what_another_isolate_knows_of_purges_says_nothing_of_what_is_held_here() {
    let served = shielded(&json!({}));
    served.world.log.replace(Some(rimward_edge::control::ledger::Ledger::default()));
    served.world.pass(Duration::from_hours(500_000));
    let fresh = [("cache-control", "max-age=60"), ("etag", "\"1\"")];
    served.world.shield.replace(None);
    served.origin_says(200, &fresh, Some("own"));
    served.get("/api/x");
    served.world.pass(Duration::from_secs(61));
    // The view is renewed behind this answer, and a purge comes right after it.
    served.origin_says(200, &fresh, Some(""));
    served.get("/api/first");
    let purge = json!({ "append": { "kind": { "purge": { "of": [{ "url": "https://shop.example/api/x" }] } } } });
    let sequence = {
        let mut log = served.world.log.borrow_mut();
        match log.as_mut().unwrap().answer(serde_json::from_value(purge).unwrap(), served.world.now()) {
            Reply::Appended(appended) => appended.sequence.number(),
            other => panic!("{other:?}"),
        }
    };
    // The other isolate knows that purge: what it validates is younger, and has the same validator.
    served.world.shield.replace(Some(Rc::new(move |_, _| {
        Ok(Ok(Relayed::Joined {
            inbound: Inbound { status: StatusCode::NOT_MODIFIED, headers: fields(&fresh), body: None },
            asked: HeaderMap::new(),
            sequence,
            sent_ago: Duration::ZERO,
            came_ago: Duration::ZERO,
        }))
    })));
    let seen = served.get("/api/x");
    assert!(seen.field("cache-status").starts_with("rimward; fwd=stale; fwd-status=304; ttl=60; stored; collapsed"));
    served.world.shield.replace(None);
    served.world.pass(Duration::from_secs(2));
    served.origin_says(200, &fresh, Some("as it is"));
    let seen = served.get("/api/x");
    assert_eq!(seen.text(), "as it is", "{}", seen.field("cache-status"));
}

#[test]
fn past_a_shield_that_cannot_be_asked_everything_goes_on() {
    for error in [StoreError::Absent, StoreError::Failed("secret words of the platform".into())] {
        let served = shielded(&json!({}));
        if matches!(error, StoreError::Failed(_)) {
            served.world.shield.replace(Some(Rc::new(|_, _| Err(StoreError::Failed("secret words".into())))));
        }
        served.origin_says(200, &[("cache-control", "max-age=60")], Some("own"));
        let seen = served.get("/api/x");
        assert!(!is_joined(&seen));
        assert!(seen.field("cache-status").ends_with("; detail=shield-unreachable"), "{seen:?}");
        assert!(served.world.logged.borrow().iter().any(|line| line.contains("the shield could not be asked")));
        assert!(served.get("/api/x").field("cache-status").starts_with("rimward; hit"));
    }
}

#[test]
fn an_answer_that_was_missed_is_asked_for_alone() {
    let served = shielded(&json!({}));
    served.world.shield.replace(Some(Rc::new(|_, _| Ok(Ok(Relayed::Missed)))));
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("own"));
    assert!(!is_joined(&served.get("/api/x")));
}

#[test]
fn an_origin_that_another_isolate_could_not_reach_is_not_asked_again() {
    let served = shielded(&json!({ "stale_if_error_s": 60 }));
    served.world.shield.replace(Some(Rc::new(|_, _| Ok(Err(FetchError::Unreachable("refused".into()))))));
    assert_eq!(served.get("/api/x").status, 502);
    assert_eq!(served.world.asked_of_origins.borrow().len(), 0);
}

#[test]
fn what_is_asked_the_same_is_one_question_and_nothing_else_is() {
    let served = shielded(&json!({}));
    let asked = Rc::<RefCell<Vec<(String, String, String)>>>::default();
    let told = Rc::clone(&asked);
    served.world.shield.replace(Some(Rc::new(move |relay, _| {
        told.borrow_mut().push((relay.shard.clone(), relay.key.clone(), relay.question.clone()));
        Ok(Ok(Relayed::Own(inbound(&[("cache-control", "max-age=1"), ("etag", "\"a\"")], "own"))))
    })));
    let ask = |url: &str| {
        let elsewhere = served.elsewhere();
        served.world.stores.borrow_mut().clear();
        elsewhere.get(url);
        asked.borrow().last().cloned().unwrap()
    };
    let first = ask("/api/x?a=1&b=2");
    assert_eq!(first, ask("/api/x?b=2&a=1"));
    let other = ask("/api/y");
    assert!(first.1 != other.1 && first.2 != other.2, "{first:?} {other:?}");
    // With something stale to validate, it is another question of the same key.
    served.get("/api/x?a=1&b=2");
    served.world.pass(Duration::from_secs(5));
    served.get("/api/x?a=1&b=2");
    let validated = asked.borrow().last().cloned().unwrap();
    assert!(validated.1 == first.1 && validated.2 != first.2, "{first:?} {validated:?}");

    served.origin_says(200, &[], Some("changed"));
    served.ask(&Sent::new("PUT", "/api/x?a=1&b=2").with_body("new"));
    assert_eq!(served.world.forgotten_by_shield.take(), [(first.0, first.1)]);
}

/// Two isolates of one site, and how often its origin was asked.
struct Two {
    first: Workerd,
    second: std::net::SocketAddr,
    asked: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Two {
    #[track_caller]
    fn start(script: impl Fn(usize, &mut Exchange) + Send + Sync + 'static) -> Two {
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        let origin = Origin::start(move |exchange| script(counter.fetch_add(1, Ordering::SeqCst), exchange));
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("public");
        let mut settings = with_api(&origin);
        let route = settings.routes.remove(0);
        settings.routes.push(Route { cache: Some("api".into()), shield: true, ..route });
        let timeout = Timeout { answer_ms: 5000, idle_ms: Some(5000), total_ms: None };
        settings.pools.iter_mut().for_each(|(_, pool)| pool.timeout = timeout);
        let policy: CachePolicy = serde_json::from_str("{}").unwrap();
        publish(&public, Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings }, &[], &[]);
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let config = Config { state: Some(state), ..on_workerd(worker(), Some(public)) };
        let second = free_address();
        let first = Workerd::start_as(&config, |config| with_a_second(config, &second.to_string()));
        let two = Two { first, second, asked, _folder: folder };
        for address in two.addresses() {
            Connection::open(address).ask("GET", "/.rimward/health", &[]).expect(200);
        }
        two
    }

    fn addresses(&self) -> [std::net::SocketAddr; 2] {
        [self.first.address, self.second]
    }

    /// The answers to so many requests to each at once.
    fn ask_at_once(&self, each: usize, path: &str) -> Vec<crate::runtime::Answer> {
        thread::scope(|scope| {
            let asking = |address| scope.spawn(move || Connection::open(address).ask("GET", path, &[]));
            let asking: Vec<_> = self.addresses().into_iter().cycle().take(2 * each).map(asking).collect();
            asking.into_iter().map(|client| client.join().unwrap()).collect()
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn pause() {
    thread::sleep(Duration::from_millis(700));
}

#[test]
fn two_isolates_ask_once() {
    let body: Vec<u8> = (0_u32..50_000).flat_map(u32::to_be_bytes).collect();
    let expected = body.clone();
    let two = Two::start(move |_, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: max-age=60", &body);
    });
    let answers = two.ask_at_once(50, "/api/x");
    assert_eq!(two.asked(), 1, "{}", two.first.log());
    let collapsed = |answer: &crate::runtime::Answer| {
        answer.field("cache-status").is_some_and(|status| status.contains("; collapsed"))
    };
    assert_eq!(answers.iter().filter(|answer| collapsed(answer)).count(), 99);
    for answer in answers {
        let answer = answer.expect(200);
        assert!(answer.body == expected, "{} bytes", answer.body.len());
        assert_eq!(answer.field("content-length"), Some("200000"));
    }
}

#[test]
fn a_body_that_breaks_off_breaks_off_in_both_and_is_kept_in_none() {
    let two = Two::start(|number, exchange| {
        pause();
        match number {
            0 => exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n\r\nshort"),
            _ => exchange.answer("200 OK\r\nCache-Control: max-age=60", "whole"),
        }
    });
    for answer in two.ask_at_once(5, "/api/x") {
        assert!(!answer.whole, "{answer:?}");
    }
    assert_eq!(two.asked(), 1);
    for address in two.addresses() {
        assert_eq!(Connection::open(address).ask("GET", "/api/x", &[]).expect(200).text(), "whole");
    }
}

#[test]
fn what_cannot_be_shared_is_asked_for_by_everyone() {
    let two = Two::start(|number, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: private", format!("for {number}"));
    });
    let mut bodies: Vec<String> = two.ask_at_once(10, "/api/x").into_iter().map(|a| a.expect(200).text()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), two.asked()), (20, 20), "everyone has an answer of his own");
}

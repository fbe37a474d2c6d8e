//! Routes with a cache: whole requests in the world in memory.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rimward_edge::platform::FetchError;
use serde_json::{Value, json};

use crate::world::{Folder, Seen, Sent, Served, get, settings, site};

/// A site whose `/api/*` is cached by a policy with these members.
fn cached(policy: &Value) -> Served {
    let changes = json!({
        "caches": { "api": policy },
        "routes": [{ "path": "/api/*", "pool": "api", "cache": "api" }],
    });
    site(&settings(changes), &Folder::new("r1", "/"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How often the origin was asked.
fn asked(served: &Served) -> usize {
    served.world.asked_of_origins.borrow().len()
}

#[track_caller]
fn says(seen: &Seen, status: u16, body: &str, cache_status: &str) {
    let found = seen.field("cache-status");
    assert_eq!((seen.status, seen.text().as_str()), (status, body), "{found}");
    let members: Vec<&str> = cache_status.split("; ").collect();
    for member in members {
        let is_there = found.split("; ").any(|part| part == member);
        assert!(is_there, "no `{member}` in `{found}`");
    }
}

#[test]
fn what_is_fresh_is_asked_for_once() {
    let served = cached(&json!({}));
    served.origin_says(200, &[("cache-control", "max-age=60"), ("etag", "\"a\"")], Some("one"));
    let first = served.get("/api/x?b=2&a=1");
    says(&first, 200, "one", "rimward; fwd=uri-miss; fwd-status=200; stored");
    served.world.pass(seconds(10));
    let second = served.get("/api/x?a=1&b=2");
    says(&second, 200, "one", "rimward; hit; ttl=50");
    assert_eq!((second.field("age"), second.field("etag")), ("10".into(), "\"a\"".into()));
    assert_eq!(asked(&served), 1);

    let known = served.ask(&get("/api/x?a=1&b=2").with("if-none-match", "W/\"a\", \"b\""));
    says(&known, 304, "", "hit");
    let part = served.ask(&get("/api/x?a=1&b=2").with("range", "bytes=1-"));
    says(&part, 206, "ne", "hit");
    assert_eq!(part.field("content-range"), "bytes 1-2/3");
    let beyond = served.ask(&get("/api/x?a=1&b=2").with("range", "bytes=9-"));
    assert_eq!((beyond.status, beyond.field("content-range")), (416, "bytes */3".into()));
    let head = served.ask(&Sent::new("HEAD", "/api/x?a=1&b=2"));
    says(&head, 200, "", "hit");
    assert_eq!(head.field("content-length"), "3");
    assert_eq!(asked(&served), 1);
}

#[test]
fn several_ranges_are_cut_from_what_is_stored() {
    let served = cached(&json!({}));
    let body: String = ('a'..='z').cycle().take(1000).collect();
    served.origin_says(200, &[("cache-control", "max-age=60"), ("content-type", "text/plain")], Some(&body));
    served.get("/api/x");
    let parts = served.ask(&get("/api/x").with("range", "bytes=0-2,-2"));
    assert!(parts.status == 206 && parts.field("content-type").starts_with("multipart/byteranges"), "{parts:?}");
    for piece in ["Content-Range: bytes 0-2/1000\r\n\r\nabc\r\n", "Content-Range: bytes 998-999/1000\r\n\r\nkl\r\n"] {
        assert!(parts.text().contains(piece), "no {piece:?} in {:?}", parts.text());
    }
}

#[test]
fn what_is_stale_is_validated_and_keeps_its_bytes() {
    let served = cached(&json!({}));
    served.origin_says(200, &[("cache-control", "max-age=5"), ("etag", "\"a\"")], Some("one"));
    served.get("/api/x");
    served.world.pass(seconds(6));
    served.origin_says(304, &[("cache-control", "max-age=50"), ("etag", "\"a\""), ("x-new", "1")], None);
    let validated = served.get("/api/x");
    says(&validated, 200, "one", "fwd=stale; fwd-status=304; stored");
    assert_eq!(validated.field("x-new"), "1");
    assert_eq!(served.asked_of_origin().headers["if-none-match"], "\"a\"");
    served.world.pass(seconds(40));
    says(&served.get("/api/x"), 200, "one", "hit");
    served.world.pass(seconds(20));
    served.origin_says(200, &[("cache-control", "max-age=5"), ("etag", "\"b\"")], Some("two"));
    says(&served.get("/api/x"), 200, "two", "fwd=stale; fwd-status=200; stored");
    says(&served.get("/api/x"), 200, "two", "hit");
}

#[test]
fn variants_are_told_apart_and_an_uncacheable_one_blocks_nobody() {
    let served = cached(&json!({ "vary": { "accept-language": ["de", "en"] } }));
    let answer = [("cache-control", "max-age=60"), ("vary", "accept-language")];
    let ask = |language: &str| served.ask(&get("/api/x").with("accept-language", language));
    served.origin_says(200, &answer, Some("hallo"));
    says(&ask("de-CH,de;q=0.9"), 200, "hallo", "fwd=uri-miss");
    assert_eq!(served.asked_of_origin().headers["accept-language"], "de");
    served.origin_says(200, &answer, Some("hello"));
    says(&ask("en-GB"), 200, "hello", "fwd=vary-miss");
    says(&ask("de"), 200, "hallo", "hit");
    says(&ask("en"), 200, "hello", "hit");
    served.origin_says(200, &[("cache-control", "no-store"), ("vary", "accept-language")], Some("?"));
    says(&served.get("/api/x"), 200, "?", "fwd=vary-miss; detail=no-store");
    says(&ask("de"), 200, "hallo", "hit");
}

#[test]
fn of_variants_that_suit_the_most_recent_answers_and_none_that_forgot_to_say_what_chose_it() {
    let served = cached(&json!({}));
    let ask = |x: &str, y: &str| served.ask(&get("/api/x").with("x", x).with("y", y));
    let fetched = |x: &str, y: &str, vary: &str, body: &str| {
        served.world.pass(seconds(1));
        served.origin_says(200, &[("cache-control", "max-age=60"), ("vary", vary)], Some(body));
        let request = get("/api/x").with("x", x).with("y", y).with("cache-control", "no-cache");
        says(&served.ask(&request), 200, body, "stored");
    };
    fetched("1", "1", "x", "x1");
    fetched("2", "2", "y", "y2");
    // By `x` the one suits, by `y` the other.
    says(&ask("1", "2"), 200, "y2", "hit");
    fetched("1", "3", "x", "x1 again");
    says(&ask("1", "2"), 200, "x1 again", "hit");
    fetched("2", "2", "y", "y2 again");
    fetched("3", "3", "x", "x3");
    // Not the last that varied on something counts, but the last of those that suit.
    says(&ask("1", "2"), 200, "y2 again", "hit");
    // Whoever asked without any preference got an answer that does not say that there are others.
    fetched("4", "4", "", "any");
    says(&ask("5", "5"), 200, "any", "hit");
    says(&ask("1", "2"), 200, "y2 again", "hit");
    // But what is stale is no better than what is fresh.
    served.world.pass(seconds(58));
    says(&ask("1", "2"), 200, "any", "hit");
}

#[test]
fn a_stale_answer_is_served_while_it_is_refreshed_and_while_the_origin_fails() {
    let served = cached(&json!({ "stale_while_revalidate_s": 10, "stale_if_error_s": 100 }));
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("one"));
    served.get("/api/x");
    served.world.pass(seconds(6));
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("two"));
    says(&served.get("/api/x"), 200, "one", "hit; ttl=-1; detail=stale-while-revalidate");
    says(&served.get("/api/x"), 200, "two", "hit; ttl=5");
    served.world.pass(seconds(50));
    served.origin_fails(FetchError::Unreachable("refused".into()));
    says(&served.get("/api/x"), 200, "two", "fwd=stale; detail=stale-if-error");
    served.origin_says(503, &[], Some("sorry"));
    says(&served.get("/api/x"), 200, "two", "fwd=stale; fwd-status=503; detail=stale-if-error");
    served.origin_says(999, &[], Some("no status"));
    says(&served.get("/api/x"), 200, "two", "fwd=stale; detail=stale-if-error");
    served.world.pass(seconds(100));
    served.origin_says(503, &[], Some("sorry"));
    says(&served.get("/api/x"), 503, "sorry", "fwd=stale; fwd-status=503");
    served.origin_fails(FetchError::Timeout(seconds(1)));
    assert_eq!(served.get("/api/x").status, 504);
}

#[test]
fn what_stands_in_for_a_failure_does_so_too_where_an_answer_was_just_one_clients_alone() {
    let served = cached(&json!({ "stale_if_error_s": 100 }));
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("for all"));
    served.get("/api/x");
    served.world.pass(seconds(6));
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("mine"));
    let personal = get("/api/x").with("authorization", "Basic eDp5");
    says(&served.ask(&personal), 200, "mine", "fwd=stale; fwd-status=200; detail=authorization");
    served.origin_says(503, &[], Some("sorry"));
    let conditional = get("/api/x").with("if-none-match", "\"other\"");
    says(&served.ask(&conditional), 200, "for all", "fwd=stale; fwd-status=503; detail=stale-if-error");
}

#[test]
fn what_is_renewed_for_a_client_that_wants_nothing_kept_is_not_said_to_be() {
    let served = cached(&json!({}));
    let fresh = [("cache-control", "max-age=5"), ("etag", "\"a\"")];
    served.origin_says(200, &fresh, Some("one"));
    served.get("/api/x");
    served.world.pass(seconds(6));
    for (request, is_kept) in [(get("/api/x").with("cache-control", "no-store"), false), (get("/api/x"), true)] {
        served.origin_says(304, &fresh, None);
        let seen = served.ask(&request);
        says(&seen, 200, "one", "fwd=stale; fwd-status=304");
        assert_eq!(seen.field("cache-status").contains("; stored"), is_kept, "{}", seen.field("cache-status"));
    }
    says(&served.get("/api/x"), 200, "one", "hit");
}

#[test]
fn a_refresh_that_fails_leaves_what_is_stored_alone() {
    let served = cached(&json!({ "stale_while_revalidate_s": 1000 }));
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("one"));
    served.get("/api/x");
    served.world.pass(seconds(6));
    served.origin_fails(FetchError::Unreachable("refused".into()));
    says(&served.get("/api/x"), 200, "one", "hit");
    served.origin_says(500, &[], Some("broken"));
    says(&served.get("/api/x"), 200, "one", "hit");
    served.origin_says(200, &[("cache-control", "max-age=5")], Some("two"));
    says(&served.get("/api/x"), 200, "one", "hit");
    says(&served.get("/api/x"), 200, "two", "hit; ttl=5");
}

#[test]
fn an_unsafe_method_throws_away_what_it_changes() {
    let served = cached(&json!({}));
    let fresh = [("cache-control", "max-age=60")];
    for path in ["/api/x", "/api/y", "/api/z"] {
        served.origin_says(200, &fresh, Some("one"));
        served.get(path);
    }
    served.origin_says(201, &[("location", "/api/y")], Some("made"));
    says(&served.ask(&Sent::new("POST", "/api/x").with_body("new")), 201, "made", "fwd=method; detail=invalidated");
    served.origin_says(200, &fresh, Some("two"));
    says(&served.get("/api/x"), 200, "two", "fwd=uri-miss");
    served.origin_says(200, &fresh, Some("two"));
    says(&served.get("/api/y"), 200, "two", "fwd=uri-miss");
    says(&served.get("/api/z"), 200, "one", "hit");
    served.origin_says(500, &[], Some("broken"));
    served.ask(&Sent::new("DELETE", "/api/z"));
    says(&served.get("/api/z"), 200, "one", "hit");
}

#[test]
fn nothing_private_is_shared() {
    let served = cached(&json!({ "default_freshness_s": 60, "ignore_cookies": ["_ga*"] }));
    let never: [&[(&str, &str)]; 4] = [
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "max-age=60"), ("cache-control", "NO-STORE")],
        &[("set-cookie", "id=1")],
        &[("vary", "*"), ("cache-control", "max-age=60")],
    ];
    for headers in never {
        for body in ["mine", "yours"] {
            served.origin_says(200, headers, Some(body));
            let seen = served.get("/api/x");
            assert_eq!(seen.text(), body, "{headers:?}");
            assert!(!seen.field("cache-status").contains("stored"), "{headers:?}");
        }
    }
    served.origin_says(200, &[], Some("mine"));
    served.ask(&get("/api/y").with("cookie", "session=1"));
    served.origin_says(200, &[], Some("everybody's"));
    says(&served.ask(&get("/api/y").with("cookie", "_ga=1")), 200, "everybody's", "fwd=uri-miss; stored");
    says(&served.get("/api/y"), 200, "everybody's", "hit");
    served.origin_says(200, &[], Some("mine"));
    says(&served.ask(&get("/api/y").with("authorization", "Bearer x")), 200, "mine", "fwd=request");
    says(&served.get("/api/y"), 200, "everybody's", "hit");
}

#[test]
fn what_is_in_one_store_and_not_in_another_is_seen_in_speed_alone() {
    let served = cached(&json!({ "persist": true }));
    served.origin_says(200, &[("cache-control", "max-age=6000")], Some("one"));
    let answer = [("cache-control", "max-age=6000"), ("vary", "accept-language")];
    served.get("/api/x");
    served.get("/api/x");
    served.origin_says(200, &answer, Some("hello"));
    for _ in 0..2 {
        served.ask(&get("/api/y").with("accept-language", "en"));
    }

    let other = served.elsewhere();
    says(&other.get("/api/x"), 200, "one", "hit");
    says(&other.ask(&get("/api/y").with("accept-language", "en")), 200, "hello", "hit");
    served.world.stores.borrow_mut().retain(|(everywhere, _), _| *everywhere);
    let other = served.elsewhere();
    says(&other.get("/api/x"), 200, "one", "hit");
    says(&other.ask(&get("/api/y").with("accept-language", "en")), 200, "hello", "hit");
    assert_eq!(asked(&served), 2);

    // What lies there is not what was put: as if nothing did.
    for kept in served.world.stores.borrow_mut().values_mut() {
        kept.body.pop();
    }
    served.origin_says(200, &[("cache-control", "max-age=6000")], Some("two"));
    says(&served.elsewhere().get("/api/x"), 200, "two", "fwd=uri-miss");
}

#[test]
fn what_is_kept_for_all_locations_is_asked_for_again_lasts_and_is_written_seldom() {
    let persisted = |served: &Served| served.world.stores.borrow().keys().filter(|(everywhere, _)| *everywhere).count();
    let ask = |served: &Served, url: &str, max_age: u32, times: usize| {
        served.origin_says(200, &[("cache-control", &format!("max-age={max_age}"))], Some("one"));
        (0..times).for_each(|_| drop(served.get(url)));
    };
    let served = cached(&json!({ "persist": true }));
    ask(&served, "/api/once", 6000, 1);
    ask(&served, "/api/short", 599, 3);
    assert_eq!(persisted(&served), 0);
    ask(&served, "/api/again", 6000, 3);
    assert_eq!(persisted(&served), 1);
    // Another isolate finds it there, and does not write it anew.
    let other = served.elsewhere();
    for kept in served.world.stores.borrow_mut().iter_mut().filter(|((everywhere, _), _)| *everywhere) {
        kept.1.envelope.insert(0, ' ');
    }
    (0..3).for_each(|_| drop(other.get("/api/again")));
    assert!(
        served
            .world
            .stores
            .borrow()
            .iter()
            .any(|((everywhere, _), kept)| *everywhere && kept.envelope.starts_with(' '))
    );
    for number in 0..100 {
        ask(&served, &format!("/api/{number}"), 6000, 2);
    }
    assert_eq!(persisted(&served), 40, "an hour's");
    served.world.pass(seconds(3600));
    ask(&served, "/api/later", 6000, 2);
    assert_eq!(persisted(&served), 41);
    assert_eq!(persisted(&cached(&json!({}))), 0);
}

#[test]
fn stores_may_be_down() {
    let served = cached(&json!({ "persist": true }));
    served.world.stores_fail.set(true);
    served.origin_says(200, &[("cache-control", "max-age=6000")], Some("one"));
    says(&served.get("/api/x"), 200, "one", "fwd=uri-miss; detail=store-unreachable");
    says(&served.get("/api/x"), 200, "one", "hit");
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("could not keep")), "the operator is told");
}

#[test]
fn of_what_is_not_kept_clients_get_the_part_that_they_ask_for_and_hear_that_nothing_has_changed() {
    let served = cached(&json!({}));
    let long = "x".repeat(9_000_000);
    let part = || get("/api/film").with("range", "bytes=0-2");
    let origin_says_part = || served.origin_says(206, &[("content-range", "bytes 0-2/9000000")], Some("xxx"));
    // That it is too long is not known before the whole is asked for.
    served.origin_says(200, &[("cache-control", "max-age=60"), ("content-length", "9000000")], Some(&long));
    origin_says_part();
    says(&served.ask(&part()), 206, "xxx", "fwd-status=206");
    assert_eq!((asked(&served), served.world.discarded.get()), (2, 1));
    origin_says_part();
    says(&served.ask(&part()), 206, "xxx", "fwd-status=206");
    assert_eq!((asked(&served), &served.asked_of_origin().headers["range"]), (3, &"bytes=0-2".parse().unwrap()));

    let conditional = || get("/api/own").with("if-none-match", "\"a\"");
    let own = [("cache-control", "no-store"), ("etag", "\"a\"")];
    served.origin_says(200, &own, Some("own"));
    says(&served.ask(&conditional()), 200, "own", "detail=no-store");
    served.origin_says(304, &own, None);
    says(&served.ask(&conditional()), 304, "", "fwd-status=304");
    assert_eq!(served.asked_of_origin().headers["if-none-match"], "\"a\"");
    // Others still find out whether it can be shared by now.
    served.origin_says(200, &[("cache-control", "max-age=60"), ("etag", "\"b\"")], Some("shared"));
    says(&served.get("/api/own"), 200, "shared", "stored");
    says(&served.ask(&conditional()), 200, "shared", "hit");
}

#[test]
fn only_what_is_stored_will_do_where_the_client_says_so() {
    let served = cached(&json!({}));
    says_refused(&served.ask(&get("/api/x").with("cache-control", "only-if-cached")));
    assert_eq!(asked(&served), 0);
}

#[track_caller]
fn says_refused(seen: &Seen) {
    assert_eq!(seen.status, 504);
    assert!(seen.field("cache-status").contains("only-if-cached"), "{seen:?}");
}

#[test]
fn a_body_that_ends_early_is_never_kept() {
    let served = cached(&json!({}));
    for _ in 0..2 {
        served.origin_says(200, &[("cache-control", "max-age=60"), ("content-length", "9")], Some("short"));
        let seen = served.ask_unchecked(&get("/api/x"));
        assert!(seen.field("cache-status").contains("fwd=uri-miss"), "{seen:?}");
    }
}

#[test]
fn tags_of_the_origin_stay_here() {
    let served = cached(&json!({ "tags_from": "x-tags" }));
    for cache_control in ["max-age=60", "no-store"] {
        served.origin_says(200, &[("cache-control", cache_control), ("x-tags", "a,b")], Some("one"));
        assert_eq!(served.get(&format!("/api/{cache_control}")).field("x-tags"), "");
    }
}

#[test]
fn what_was_changed_is_not_read_again_from_a_store_that_could_not_be_told() {
    let served = cached(&json!({}));
    served.world.pass(seconds(100));
    let fresh = [("cache-control", "max-age=60")];
    served.origin_says(200, &fresh, Some("old"));
    served.get("/api/x");
    let kept = served.world.stores.borrow().clone();
    served.world.pass(seconds(1));
    served.origin_says(204, &[], None);
    served.ask(&Sent::new("DELETE", "/api/x"));
    // A write that was under way ends after the store was told to forget.
    served.world.stores.replace(kept);
    served.origin_says(200, &fresh, Some("new"));
    says(&served.get("/api/x"), 200, "new", "fwd=uri-miss; stored");
    says(&served.get("/api/x"), 200, "new", "hit");
    says(&served.elsewhere().get("/api/x"), 200, "new", "hit");
}

#[test]
fn what_was_asked_for_while_a_change_was_on_its_way_is_not_read_again_either() {
    let served = cached(&json!({}));
    served.world.pass(seconds(100));
    let fresh = [("cache-control", "max-age=60")];
    let (neighbour, kept) = (served.elsewhere(), Rc::new(RefCell::default()));
    let keeps = Rc::clone(&kept);
    served.origin_says(200, &fresh, Some("old"));
    served.world.during_fetch.replace(Some(Box::new(move || {
        // The change waits, or is tried again: it happens after others have got what it changes.
        neighbour.world.pass(seconds(1));
        says(&neighbour.get("/api/x"), 200, "old", "stored");
        keeps.replace(neighbour.world.stores.borrow().clone());
        neighbour.world.pass(seconds(1));
    })));
    served.origin_says(204, &[], None);
    served.ask(&Sent::new("DELETE", "/api/x"));
    // The store could not be told.
    served.world.stores.replace(kept.take());
    served.origin_says(200, &fresh, Some("new"));
    says(&served.get("/api/x"), 200, "new", "fwd=uri-miss; stored");
    says(&served.get("/api/x"), 200, "new", "hit");
}

/// The same isolate, for what happens while it waits.
fn same(served: &Served) -> Served {
    Served { world: Rc::clone(&served.world), isolate: Rc::clone(&served.isolate) }
}

/// Changes `/api/x`.
fn delete(served: &Served) {
    let at_origin = served.world.origin_answers.take();
    served.origin_says(204, &[], None);
    assert_eq!(served.ask(&Sent::new("DELETE", "/api/x")).status, 204);
    served.world.origin_answers.replace(at_origin);
}

/// Whether `/api/x` is found by an isolate that knows nothing.
fn is_left(served: &Served) -> bool {
    let found = served.elsewhere().ask(&get("/api/x").with("cache-control", "only-if-cached").with("x", "1"));
    found.status != 504
}

#[test]
fn what_changes_while_its_answer_is_being_kept_is_in_no_store_afterwards() {
    for (vary, writes) in [(None, 1), (Some(("vary", "x")), 2)] {
        for write in 0..=writes {
            let served = cached(&json!({}));
            let fields: Vec<_> = [("cache-control", "max-age=60")].into_iter().chain(vary).collect();
            let meanwhile = same(&served);
            served.world.during_keep.replace(Some((write, Box::new(move || delete(&meanwhile)))));
            served.origin_says(200, &fields, Some("old"));
            says(&served.ask(&get("/api/x").with("x", "1")), 200, "old", "stored");
            let is_kept_whole = served.world.during_keep.take().is_some();
            assert_eq!(
                (is_kept_whole, is_left(&served)),
                (write == writes, write == writes),
                "{vary:?}, write {write}"
            );
        }
    }
}

#[test]
fn what_changes_while_it_is_being_kept_for_all_locations_is_not_left_there() {
    for vary in [None, Some(("vary", "x"))] {
        let served = cached(&json!({ "persist": true }));
        let fields: Vec<_> = [("cache-control", "max-age=6000")].into_iter().chain(vary).collect();
        served.origin_says(200, &fields, Some("old"));
        let ask = || served.ask(&get("/api/x").with("x", "1"));
        says(&ask(), 200, "old", "stored");
        let meanwhile = same(&served);
        served.world.during_keep.replace(Some((usize::from(vary.is_some()), Box::new(move || delete(&meanwhile)))));
        says(&ask(), 200, "old", "hit");
        assert!(served.world.during_keep.take().is_none(), "it was being kept");
        assert!(!is_left(&served), "{vary:?}");
    }
}

#[test]
fn what_changes_while_the_answer_to_a_post_is_being_kept_is_in_no_store_afterwards() {
    for changes in [false, true] {
        let served = cached(&json!({}));
        if changes {
            let meanwhile = same(&served);
            served.world.during_keep.replace(Some((0, Box::new(move || delete(&meanwhile)))));
        }
        served.origin_says(200, &[("cache-control", "max-age=60"), ("content-location", "/api/x")], Some("posted"));
        assert_eq!(served.ask(&Sent::new("POST", "/api/x").with_body("x")).status, 200);
        assert!(served.world.during_keep.take().is_none());
        assert_eq!(is_left(&served), !changes);
    }
}

#[test]
fn what_is_read_from_a_store_while_that_is_told_to_forget_is_not_remembered() {
    let served = cached(&json!({}));
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("old"));
    served.get("/api/x");
    let meanwhile = same(&served);
    let reads = move || {
        // Asked for twice it is kept in memory.
        for _ in 0..3 {
            says(&meanwhile.get("/api/x"), 200, "old", "hit");
        }
    };
    served.world.during_forget.replace(Some(Box::new(reads)));
    delete(&served);
    assert!(served.world.during_forget.take().is_none());
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("new"));
    says(&served.get("/api/x"), 200, "new", "fwd=uri-miss");
}

#[test]
fn a_variant_that_was_changed_is_not_found_again_by_a_list_that_another_isolate_kept() {
    let served = cached(&json!({}));
    served.world.pass(seconds(100));
    let fresh = [("cache-control", "max-age=60"), ("vary", "x")];
    let ask = |x: &str| served.ask(&get("/api/x").with("x", x));
    served.origin_says(200, &fresh, Some("old 1"));
    ask("1");
    says(&ask("1"), 200, "old 1", "hit");
    let kept = served.world.stores.borrow().clone();
    served.world.pass(seconds(1));
    served.origin_says(204, &[], None);
    served.ask(&Sent::new("DELETE", "/api/x"));
    served.world.stores.replace(kept);
    for x in ["2", "1"] {
        let new = format!("new {x}");
        served.origin_says(200, &fresh, Some(&new));
        says(&ask(x), 200, &new, "stored");
        says(&ask(x), 200, &new, "hit");
    }
}

#[test]
fn what_the_origin_tells_one_client_renews_nothing_for_others() {
    for method in ["GET", "HEAD"] {
        let served = cached(&json!({ "stale_while_revalidate_s": 0 }));
        served.origin_says(200, &[("cache-control", "max-age=1"), ("etag", "\"a\"")], Some("one"));
        served.get("/api/x");
        served.world.pass(seconds(2));
        let own = [("cache-control", "max-age=30"), ("etag", "\"a\""), ("x-user", "alice")];
        served.origin_says(200, &own, Some("one"));
        let alice = served.ask(&Sent::new(method, "/api/x").with("authorization", "Bearer alice"));
        assert_eq!((alice.status, alice.field("x-user").as_str()), (200, "alice"), "{method}");
        assert!(!served.asked_of_origin().headers.contains_key("if-none-match"), "{method}");
        served.origin_says(304, &[("etag", "\"a\""), ("cache-control", "max-age=5")], None);
        let next = served.get("/api/x");
        says(&next, 200, "one", "fwd=stale; fwd-status=304");
        assert_eq!(next.field("x-user"), "", "{method}");
    }
    let served = cached(&json!({}));
    served.origin_says(200, &[("cache-control", "public, max-age=1"), ("etag", "\"a\"")], Some("one"));
    served.get("/api/x");
    served.world.pass(seconds(2_000_000));
    served.origin_says(304, &[("etag", "\"a\"")], None);
    let bearer = served.ask(&get("/api/x").with("authorization", "Bearer alice"));
    says(&bearer, 200, "one", "fwd=stale; fwd-status=304; stored");
}

#[test]
fn a_host_has_one_spelling_in_keys() {
    let served = cached(&json!({}));
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("one"));
    for (host, expected) in [("shop.test", "fwd=uri-miss"), ("SHOP.Test", "hit"), ("shop.test:443", "hit")] {
        let seen = served.get(&format!("https://{host}/api/x"));
        says(&seen, 200, "one", expected);
    }
}

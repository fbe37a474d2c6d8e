//! `No-Vary-Search` through the whole edge in memory: who shares an answer, and that what is changed or purged is nobody's.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::rc::Rc;
use std::time::Duration;

use rimward_edge::control::ledger::Ledger;
use rimward_edge::platform::FetchError;
use serde_json::{Value, json};

use crate::log::SECRET;
use crate::world::{Folder, Seen, Sent, Served, get, settings, site};

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");
const RULE: (&str, &str) = ("no-vary-search", r#"params=("utm" "ref")"#);

/// A site with a log, whose `/api/*` is cached by a policy with these members.
fn cached(policy: &Value) -> Served {
    let routes = json!([
        { "path": "/api/here/*", "pool": "api", "cache": "api" },
        { "path": "/api/*", "pool": "api", "cache": "api", "invalidate": "everywhere" },
    ]);
    let served = site(&settings(json!({ "caches": { "api": policy }, "routes": routes })), &Folder::new("r1", "/"));
    served.world.log.replace(Some(Ledger::default()));
    served.world.pass(Duration::from_hours(500_000));
    served.world.variables.borrow_mut().insert("RIMWARD_PURGE_SECRET".to_owned(), SECRET.to_owned());
    served
}

/// Asks for a URL that the origin has to answer, and does with this.
#[track_caller]
fn asks(served: &Served, url: &str, fields: &[(&str, &str)], body: &str) {
    served.origin_says(200, fields, Some(body));
    let seen = served.get(url);
    assert_eq!(seen.text(), body, "{url}: {}", seen.field("cache-status"));
    assert!(served.world.origin_answers.borrow().is_empty(), "{url}: {}", seen.field("cache-status"));
    served.world.pass(Duration::from_millis(10));
}

/// Asks for a URL that is answered from what is stored: with these bytes.
#[track_caller]
fn hits(served: &Served, url: &str, body: &str) -> Seen {
    let before = served.world.asked_of_origins.borrow().len();
    let seen = served.get(url);
    assert_eq!(seen.text(), body, "{url}: {}", seen.field("cache-status"));
    assert!(seen.field("cache-status").contains("; hit"), "{url}: {}", seen.field("cache-status"));
    assert_eq!(served.world.asked_of_origins.borrow().len(), before, "{url}");
    seen
}

fn purge(served: &Served, purges: &Value, soft: bool) {
    let body = json!({ "purges": purges, "soft": soft }).to_string();
    let request = Sent::new("POST", "/.rimward/purge").with("authorization", &format!("Bearer {SECRET}"));
    let seen = served.ask(&request.with("content-type", "application/json").with_body(&body));
    assert_eq!(seen.status, 200, "{}", seen.text());
}

fn post(served: &Served, url: &str) {
    served.origin_says(204, &[], None);
    served.ask(&Sent::new("POST", url).with_body("new"));
    served.world.pass(Duration::from_millis(10));
}

#[test]
fn parameters_that_do_not_count_share_an_answer_and_those_that_do_not() {
    let served = cached(&json!({}));
    asks(&served, "/api/x?q=1&utm=a", &[MINUTE, RULE], "one");
    assert_eq!(served.asked_of_origin().url, "https://api.internal/v1/api/x?q=1&utm=a", "the origin sees all of them");
    let shared = hits(&served, "/api/x?utm=b&q=1&ref=c", "one");
    assert!(!shared.field("cache-status").contains("utm=a"), "nobody sees what another sent");
    assert_eq!(shared.field("no-vary-search"), RULE.1, "browsers are told too");
    hits(&served, "/api/x?q=1", "one");
    asks(&served, "/api/x?q=2&utm=a", &[MINUTE, RULE], "two");
    hits(&served, "/api/x?q=2", "two");
    asks(&served, "/api/x?q=1&page=2", &[MINUTE, RULE], "page two");
    asks(&served, "/api/x", &[MINUTE, RULE], "none");
    hits(&served, "/api/x?utm=a", "none");
    // Another path has said nothing.
    asks(&served, "/api/y?q=1&utm=a", &[MINUTE], "three");
    asks(&served, "/api/y?q=1&utm=b", &[MINUTE], "four");
}

#[test]
fn only_the_parameters_that_count_may_be_named_instead() {
    let served = cached(&json!({ "query": { "ignore": ["gclid"] } }));
    asks(&served, "/api/x?q=1&a=1&gclid=1", &[MINUTE, ("no-vary-search", r#"params, except=("q")"#)], "one");
    hits(&served, "/api/x?b=2&q=1&gclid=2", "one");
    asks(&served, "/api/x?q=2", &[MINUTE], "two");
}

#[test]
fn what_a_response_does_not_say_itself_it_is_not_good_for() {
    let served = cached(&json!({}));
    asks(&served, "/api/x?q=1&utm=a", &[MINUTE, RULE], "one");
    // A URL without the rule stays its own, and the newest answer is the one that counts.
    asks(&served, "/api/x?q=2&utm=a", &[MINUTE], "two");
    asks(&served, "/api/x?q=2&utm=b", &[MINUTE], "three");
    hits(&served, "/api/x?q=2&utm=a", "two");
    // The origin changed its mind: what was kept under another rule is not shared by the new one.
    asks(&served, "/api/x?q=3", &[MINUTE, ("no-vary-search", r#"params=("utm" "ref" "page")"#)], "new");
    hits(&served, "/api/x?q=3&page=7", "new");
    asks(&served, "/api/x?q=1&page=7", &[MINUTE], "not the first page");
    hits(&served, "/api/x?q=1&utm=a", "one");
}

#[test]
fn of_two_answers_the_newer_one_counts() {
    let served = cached(&json!({}));
    asks(&served.elsewhere(), "/api/x?utm=b", &[MINUTE, RULE], "old");
    asks(&served, "/api/x?utm=a", &[MINUTE, RULE], "new");
    hits(&served, "/api/x?utm=b", "new");
    asks(&served.elsewhere(), "/api/x?utm=c", &[MINUTE, RULE], "newest");
    hits(&served, "/api/x?utm=c", "newest");
}

#[test]
fn variants_and_personal_requests_are_as_they_are_for_one_url() {
    let served = cached(&json!({ "default_freshness_s": 60 }));
    let varies = [MINUTE, RULE, ("vary", "accept-language")];
    served.origin_says(200, &varies, Some("hallo"));
    let ask = |url: &str, language: &str| served.ask(&get(url).with("accept-language", language));
    assert_eq!(ask("/api/x?utm=a", "de").text(), "hallo");
    served.origin_says(200, &varies, Some("hello"));
    assert_eq!(ask("/api/x?utm=b", "en").text(), "hello");
    assert_eq!(ask("/api/x?utm=b", "en").text(), "hello");
    served.origin_says(200, &[RULE], Some("everybody's"));
    served.get("/api/y?utm=a");
    served.origin_says(200, &[RULE], Some("mine"));
    assert_eq!(served.ask(&get("/api/y?utm=b").with("cookie", "session=1")).text(), "mine");
    hits(&served, "/api/y?utm=c", "everybody's");
}

#[test]
fn what_is_stale_is_asked_for_under_the_own_url_and_stands_in_for_an_origin_that_fails() {
    let served = cached(&json!({ "stale_if_error_s": 1000 }));
    let tagged = [MINUTE, RULE, ("etag", "\"a\"")];
    asks(&served, "/api/x?utm=a", &tagged, "one");
    served.world.pass(Duration::from_secs(100));
    served.origin_fails(FetchError::Unreachable("refused".into()));
    let seen = served.get("/api/x?utm=b");
    assert_eq!(seen.text(), "one", "{}", seen.field("cache-status"));
    assert!(seen.field("cache-status").contains("stale-if-error"), "{}", seen.field("cache-status"));
    asks(&served, "/api/x?utm=b", &tagged, "two");
    let asked = served.asked_of_origin();
    assert_eq!(asked.url, "https://api.internal/v1/api/x?utm=b");
    assert!(!asked.headers.contains_key("if-none-match"), "the tag is another URL's");
    hits(&served, "/api/x?utm=c", "two");
}

#[test]
fn a_stale_answer_of_another_url_is_refreshed_under_the_own_one() {
    let served = cached(&json!({ "stale_while_revalidate_s": 1000 }));
    asks(&served, "/api/x?utm=a", &[MINUTE, RULE], "one");
    served.world.pass(Duration::from_secs(100));
    served.origin_says(200, &[MINUTE, RULE], Some("two"));
    assert_eq!(served.get("/api/x?utm=b").text(), "one");
    assert_eq!(served.asked_of_origin().url, "https://api.internal/v1/api/x?utm=b");
    for utm in ["b", "c"] {
        hits(&served, &format!("/api/x?utm={utm}"), "two");
    }
}

#[test]
fn an_unsafe_method_changes_what_is_shared() {
    for path in ["/api/x", "/api/here/x"] {
        let served = cached(&json!({}));
        asks(&served, &format!("{path}?utm=a"), &[MINUTE, RULE], "one");
        hits(&served, &format!("{path}?utm=b"), "one");
        post(&served, path);
        asks(&served, &format!("{path}?utm=b"), &[MINUTE, RULE], "two");
        hits(&served, path, "two");
        // What came from before the change is not learned of.
        post(&served, &format!("{path}?utm=d"));
        asks(&served, &format!("{path}?utm=c"), &[MINUTE, RULE], "three");
    }
}

#[test]
fn a_change_during_a_fetch_covers_what_it_brings_for_other_urls() {
    let served = cached(&json!({}));
    let changing = served.elsewhere();
    let changing = Served { isolate: Rc::clone(&served.isolate), ..changing };
    served.origin_says(200, &[MINUTE, RULE], Some("before"));
    served.origin_says(204, &[], None);
    served.world.during_fetch.replace(Some(Box::new(move || {
        // The answer that is under way stays the first of the script.
        let first = changing.world.origin_answers.borrow_mut().pop_front().unwrap();
        changing.ask(&Sent::new("POST", "/api/here/x").with_body("new"));
        changing.world.origin_answers.borrow_mut().push_front(first);
    })));
    assert_eq!(served.get("/api/here/x?utm=a").text(), "before");
    asks(&served, "/api/here/x", &[MINUTE, RULE], "after");
}

#[test]
fn other_isolates_are_told_of_a_change_of_what_is_shared() {
    let served = cached(&json!({}));
    let second = served.elsewhere();
    asks(&served, "/api/x?utm=a", &[MINUTE, RULE], "one");
    asks(&second, "/api/x?utm=b", &[MINUTE, RULE], "one");
    hits(&second, "/api/x?utm=c", "one");
    post(&served, "/api/x?utm=d");
    served.world.pass(Duration::from_secs(2));
    asks(&second, "/api/x?utm=c", &[MINUTE, RULE], "two");
}

#[test]
fn a_purge_names_the_url_that_is_asked_for_or_was_or_has_none_of_what_does_not_count() {
    for soft in [false, true] {
        for (purged, again) in [
            (json!([{ "url": "/api/x?q=1&utm=a" }]), &["/api/x?q=1&utm=a", "/api/x?q=1&utm=b", "/api/x?q=1"][..]),
            (json!([{ "url": "/api/x?q=1&utm=b" }]), &["/api/x?q=1&utm=b"]),
            (json!([{ "url": "/api/x?q=1" }]), &["/api/x?q=1&utm=a", "/api/x?q=1&utm=b", "/api/x?q=1"]),
            (json!([{ "prefix": "/api/x" }]), &["/api/x?q=1&utm=a", "/api/x?q=1&utm=c"]),
        ] {
            for url in again {
                let served = cached(&json!({}));
                asks(&served, "/api/x?q=1&utm=a", &[MINUTE, RULE], "one");
                hits(&served, url, "one");
                purge(&served, &purged, soft);
                asks(&served, url, &[MINUTE, RULE], "two");
            }
        }
        let served = cached(&json!({}));
        asks(&served, "/api/x?q=1&utm=a", &[MINUTE, RULE], "one");
        purge(&served, &json!([{ "url": "/api/x?q=2" }, { "url": "/api/x" }]), soft);
        hits(&served, "/api/x?q=1&utm=b", "one");
    }
}

#[test]
fn what_is_learned_is_bounded_and_forgetting_it_costs_a_fetch() {
    let served = cached(&json!({}));
    let names: Vec<String> = (0..65).map(|number| format!("\"n{number}\"")).collect();
    let too_many = format!("params=({})", names.join(" "));
    asks(&served, "/api/many?n1=1", &[MINUTE, ("no-vary-search", &too_many)], "one");
    asks(&served, "/api/many?n1=2", &[MINUTE, ("no-vary-search", &too_many)], "two");
    let long = "x".repeat(1000);
    for number in 0..4000 {
        asks(&served, &format!("/api/x?q={number}{long}&utm=a"), &[MINUTE, RULE], "one");
        served.world.asked_of_origins.borrow_mut().clear();
        if number == 1999 {
            hits(&served, &format!("/api/x?q=1998{long}&utm=b"), "one");
        }
    }
    asks(&served, &format!("/api/x?q=1999{long}&utm=b"), &[MINUTE, RULE], "two");
}

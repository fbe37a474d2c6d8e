//! Laws of the cache, held to whole requests in the world in memory: whatever was stored, an answer is one that the origin gave.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use crate::world::{Folder, Seen, Served, get, settings, site};

fn cached() -> Served {
    let changes = json!({
        "caches": { "api": { "stale_while_revalidate_s": 3, "stale_if_error_s": 20 } },
        "routes": [{ "path": "/api/*", "pool": "api", "cache": "api" }],
    });
    site(&settings(changes), &Folder::new("r1", "/"))
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// So many seconds pass.
    Pass(u64),
    /// The origin has something else, with these directives.
    Change(&'static str, u16),
    /// It fails the next time that it is asked, or does not.
    Fail(bool),
    /// Somebody asks, as one of two variants, for some of it.
    Ask(bool, Option<&'static str>),
}

const DIRECTIVES: [(&str, u64); 5] =
    [("max-age=4", 4), ("max-age=9, must-revalidate", 9), ("no-cache", 0), ("no-store", 0), ("private, max-age=9", 0)];

fn step() -> impl Strategy<Value = Step> {
    let directives = prop::sample::select(DIRECTIVES.map(|(directives, _)| directives).to_vec());
    let status = prop::sample::select(vec![200, 200, 203, 404]);
    let ranges = prop::option::weighted(0.2, prop::sample::select(vec!["bytes=0-3", "bytes=-4", "bytes=2-"]));
    prop_oneof![
        2 => (0_u64..12).prop_map(Step::Pass),
        1 => (directives, status).prop_map(|(directives, status)| Step::Change(directives, status)),
        1 => any::<bool>().prop_map(Step::Fail),
        6 => (any::<bool>(), ranges).prop_map(|(variant, range)| Step::Ask(variant, range)),
    ]
}

/// What the origin gave: when, with which lifetime, which variant, and the bytes.
struct Given {
    at: u64,
    lifetime: u64,
    status: u16,
    variant: &'static str,
    body: String,
}

fn check(seen: &Seen, given: &[Given], variant: &str, range: Option<&str>, now: u64) {
    let status = seen.field("cache-status");
    let number: usize = seen.field("x-given").parse().unwrap_or_else(|_| panic!("given by nobody: {status}"));
    let given = &given[number];
    assert_eq!(given.variant, variant, "{status}");
    let whole = seen.status == given.status;
    let body = match range.filter(|_| !whole) {
        None => given.body.as_str(),
        Some("bytes=0-3") => &given.body[..4],
        Some("bytes=-4") => &given.body[given.body.len() - 4..],
        Some(_) => &given.body[2..],
    };
    assert_eq!(seen.text(), body, "{status}");
    assert!(whole || seen.status == 206 && given.status == 200, "{} where {} was given", seen.status, given.status);
    assert_eq!(seen.field("content-type"), format!("text/x-{number}"));
    let age = now - given.at;
    let grace = match status.split("detail=").nth(1) {
        Some("stale-while-revalidate") => 3,
        Some("stale-if-error") => 20,
        _ => 0,
    };
    assert!(age == 0 || age < given.lifetime + grace, "{age} s old, fresh for {} s: {status}", given.lifetime);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_one_that_the_origin_gave_within_its_life(steps in prop::collection::vec(step(), 1..40)) {
        let served = cached();
        let (mut now, mut has, mut fails) = (0, ("max-age=4", 200), false);
        let mut given: Vec<Given> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(seconds) => {
                    served.world.pass(Duration::from_secs(seconds));
                    now += seconds;
                }
                Step::Change(directives, status) => has = (directives, status),
                Step::Fail(does) => fails = does,
                Step::Ask(is_one, range) => {
                    let variant = if is_one { "one" } else { "other" };
                    // Each answer differs from every other.
                    let (number, (directives, status)) = (given.len(), has);
                    let body = format!("{variant}, given as number {number}, {}", "-".repeat(number % 7));
                    let asked_before = served.world.asked_of_origins.borrow().len();
                    if fails {
                        served.origin_says(503, &[], Some("failure"));
                    } else {
                        let fields = [
                            ("cache-control", directives),
                            ("vary", "x-variant"),
                            ("content-type", &format!("text/x-{number}")),
                            ("x-given", &number.to_string()),
                        ];
                        served.origin_says(status, &fields, Some(&body));
                    }
                    let request = get("/api/x").with("x-variant", variant);
                    let request = range.map_or(request.clone(), |range| request.with("range", range));
                    let seen = served.ask(&request);
                    let was_asked = served.world.asked_of_origins.borrow().len() > asked_before;
                    if !was_asked {
                        served.world.origin_answers.borrow_mut().clear();
                    } else if !fails {
                        let lifetime = DIRECTIVES.iter().find(|(known, _)| *known == directives).unwrap().1;
                        given.push(Given { at: now, lifetime, status, variant, body });
                    }
                    let is_failure = seen.status == 503 && was_asked && fails;
                    if !is_failure {
                        check(&seen, &given, variant, range, now);
                    }
                }
            }
        }
    }

    #[test]
    fn a_304_never_changes_bytes(
        body in "[a-z]{0,40}",
        coding in prop::option::of(Just("gzip")),
        fields in prop::collection::vec(
            prop::sample::select(vec![
                ("content-length", "0"),
                ("content-length", "7"),
                ("content-range", "bytes 0-1/2"),
                ("content-encoding", "br"),
                ("content-md5", "x"),
                ("cache-control", "max-age=1"),
                ("age", "3"),
                ("x-new", "1"),
                ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ]),
            0..5,
        ),
    ) {
        let served = cached();
        let coding: Vec<_> = coding.map(|coding| ("content-encoding", coding)).into_iter().collect();
        let first = [&[("cache-control", "max-age=1"), ("etag", "\"a\"")], coding.as_slice()].concat();
        served.origin_says(200, &first, Some(&body));
        let before = served.get("/api/x");
        served.world.pass(Duration::from_secs(30));
        served.origin_says(304, &[fields.as_slice(), &[("etag", "\"a\"")]].concat(), None);
        let after = served.get("/api/x");
        prop_assert_eq!((after.status, after.text()), (200, before.text()));
        prop_assert_eq!(after.field("content-encoding"), before.field("content-encoding"));
        prop_assert_eq!(after.field("content-length"), body.len().to_string());
        prop_assert_eq!(after.field("content-range"), "");
    }

    #[test]
    fn one_answer_serves_every_order_of_a_query(
        (one, other) in prop::collection::btree_map("[a-z]{1,3}", "[a-z0-9]{0,3}", 1..6)
            .prop_map(|map| map.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
            .prop_flat_map(|parameters| (Just(parameters.clone()), Just(parameters).prop_shuffle())),
    ) {
        let served = cached();
        served.origin_says(200, &[("cache-control", "max-age=60")], Some("one"));
        served.get(&format!("/api/x?{}", one.join("&")));
        let seen = served.get(&format!("/api/x?{}", other.join("&")));
        prop_assert!(seen.field("cache-status").starts_with("rimward; hit"), "{}", seen.field("cache-status"));
    }
}

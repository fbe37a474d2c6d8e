//! Faults that caches and proxies are known for, held to whole requests in the world in memory; and that the list of them tells the
//! truth about what holds which.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::runtime::project;
use crate::world::{Folder, Sent, Served, get, settings, site};

fn cached() -> Served {
    let changes = json!({ "caches": { "api": {} }, "routes": [{ "path": "/api/*", "pool": "api", "cache": "api" }] });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.pass(Duration::from_hours(500_000));
    served
}

fn asked(served: &Served) -> usize {
    served.world.asked_of_origins.borrow().len()
}

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[test]
fn what_broke_off_does_not_come_back_by_a_304() {
    let served = cached();
    served.origin_says(200, &[FRESH, ("etag", "\"a\""), ("content-length", "9")], Some("short"));
    served.ask_unchecked(&get("/api/x"));
    served.origin_says(304, &[FRESH, ("etag", "\"a\"")], None);
    let seen = served.get("/api/x");
    assert_eq!((seen.status, seen.text().contains("short")), (502, false));
    assert!(!served.asked_of_origin().headers.contains_key("if-none-match"), "nothing was there to be validated");
}

#[test]
fn a_304_and_a_206_that_nobody_asked_for_are_no_answers() {
    let served = cached();
    for path in ["/api/x", "/api/y"] {
        served.origin_says(304, &[("etag", "\"a\"")], None);
        assert_eq!(served.get(path).status, 502);
        served.origin_says(206, &[FRESH, ("content-range", "bytes 0-2/9")], Some("abc"));
        assert_eq!(served.get(path).status, 502);
    }
    served.origin_says(200, &[FRESH], Some("whole"));
    assert_eq!(served.get("/api/x").text(), "whole");
}

#[test]
fn a_304_whose_length_is_zero_keeps_the_body() {
    let served = cached();
    served.origin_says(200, &[("cache-control", "max-age=1"), ("etag", "\"a\"")], Some("whole"));
    served.get("/api/x");
    served.world.pass(Duration::from_secs(5));
    served.origin_says(304, &[("etag", "\"a\""), ("content-length", "0")], None);
    let seen = served.get("/api/x");
    assert_eq!((seen.status, seen.text().as_str(), seen.field("content-length").as_str()), (200, "whole", "5"));
}

#[test]
fn a_part_of_what_is_not_stored_fetches_the_whole_once() {
    let served = cached();
    served.origin_says(200, &[FRESH, ("etag", "\"a\""), ("content-length", "10")], Some("0123456789"));
    let first = served.ask(&get("/api/x").with("range", "bytes=2-4"));
    assert_eq!((first.status, first.text().as_str()), (206, "234"));
    assert!(!served.world.asked_of_origins.borrow()[0].headers.contains_key("range"));
    for (range, if_range, status, body) in [
        ("bytes=-3", "\"a\"", 206, "789"),
        ("bytes=0-0", "\"a\"", 206, "0"),
        ("bytes=0-0", "\"b\"", 200, "0123456789"),
        ("bytes=0-0", "W/\"a\"", 200, "0123456789"),
    ] {
        let seen = served.ask(&get("/api/x").with("range", range).with("if-range", if_range));
        assert_eq!((seen.status, seen.text().as_str()), (status, body), "{range} {if_range}");
    }
    assert_eq!(served.ask(&get("/api/x").with("range", "bytes=10-")).status, 416);
    assert_eq!(asked(&served), 1);
}

#[test]
fn a_part_is_of_the_bytes_as_they_are_encoded() {
    let served = cached();
    served.origin_says(200, &[FRESH, ("content-encoding", "gzip"), ("content-length", "10")], Some("0123456789"));
    let ask = || served.ask(&get("/api/x").with("accept-encoding", "gzip").with("range", "bytes=1-2"));
    for _ in 0..2 {
        let seen = ask();
        assert_eq!((seen.status, seen.text().as_str()), (206, "12"));
        assert_eq!(
            (seen.field("content-range"), seen.field("content-encoding")),
            ("bytes 1-2/10".into(), "gzip".into())
        );
    }
    assert_eq!(asked(&served), 1);
}

#[test]
fn an_empty_body_has_no_part() {
    let served = cached();
    served.origin_says(200, &[FRESH], Some(""));
    for _ in 0..2 {
        let seen = served.ask(&get("/api/x").with("range", "bytes=0-3"));
        assert_eq!((seen.status, seen.text().as_str()), (200, ""));
    }
}

#[test]
fn head_leaves_nothing_behind_that_a_get_would_find() {
    let served = cached();
    served.origin_says(200, &[FRESH, ("content-length", "5")], Some("cut off"));
    let head = served.ask(&Sent::new("HEAD", "/api/x"));
    assert_eq!((head.field("content-length").as_str(), head.body.len()), ("5", 0));
    served.origin_says(200, &[FRESH], Some("whole"));
    assert_eq!(served.get("/api/x").text(), "whole");
    assert_eq!(asked(&served), 2);
    assert_eq!(served.ask(&Sent::new("HEAD", "/api/x")).field("content-length"), "5");
    assert_eq!(asked(&served), 2, "what GET left behind answers HEAD");
}

#[test]
fn an_age_that_the_origin_says_counts() {
    let served = cached();
    served.origin_says(200, &[FRESH, ("age", "58")], Some("one"));
    served.get("/api/x");
    served.world.pass(Duration::from_secs(1));
    assert_eq!(served.get("/api/x").field("age"), "59");
    served.world.pass(Duration::from_secs(1));
    served.origin_says(200, &[FRESH], Some("two"));
    assert_eq!(served.get("/api/x").text(), "two");
}

#[test]
fn what_fails_is_not_kept_unless_it_says_so() {
    let served = cached();
    for status in [500, 502, 503, 504, 405] {
        let path = format!("/api/{status}");
        for body in ["first", "second"] {
            served.origin_says(status, &[("last-modified", "Thu, 01 Jan 2015 00:00:00 GMT")], Some(body));
            let seen = served.get(&path);
            assert_eq!(seen.status, status);
            // RFC 9110 makes 405 one of those that may be kept by a guess.
            assert!(seen.text() == body || status == 405, "{status}");
            served.world.origin_answers.borrow_mut().clear();
        }
    }
}

/// The list, row by row: behaviour, whose it is, what happens, what holds it.
fn rows() -> Vec<Vec<String>> {
    let path = project().join("docs/faults.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    let lines = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| behaviour") && !line.starts_with("| -"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Which tests a cell cites: files, each followed by the names of its tests.
fn cited(cell: &str) -> Vec<(String, String)> {
    let mut file = String::new();
    let mut cited = Vec::new();
    for word in cell.split('`').skip(1).step_by(2) {
        if word.contains(".rs") {
            word.clone_into(&mut file);
        } else {
            cited.push((file.clone(), word.to_owned()));
        }
    }
    cited
}

#[test]
fn every_test_that_the_list_of_faults_cites_is_there() {
    let rows = rows();
    assert!(rows.len() > 30, "{} rows", rows.len());
    let mut missing = Vec::new();
    for row in rows {
        let [behaviour, whose, _, tests] = row.as_slice() else { panic!("not four cells: {row:?}") };
        let tests = cited(tests);
        assert!(["ours", "the runtime's", "not visible to a Worker", "not there"].contains(&whose.as_str()), "{whose}");
        assert!(whose != "ours" || !tests.is_empty(), "nothing holds `{behaviour}`");
        for (file, name) in tests {
            let text = fs::read_to_string(project().join(&file)).unwrap_or_default();
            let is_there =
                text.match_indices(&format!("fn {name}(")).any(|(at, _)| text[..at].trim_end().ends_with("#[test]"));
            if !is_there {
                missing.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "cited, and not there:\n{}", missing.join("\n"));
}

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::cache::fetch::Why;
use crate::cache::fixture::{admitted, arrival, asked, at, headers, policy, stored};
use crate::cache::key::key;
use crate::cache::plan::{Found, Plan, Standing, plan};
use crate::cache::select::Form;

const OLD: [(&str, &str); 3] =
    [("cache-control", "max-age=60, stale-if-error=30"), ("etag", "\"a\""), ("last-modified", "@-100")];

/// What becomes of an answer, in a word.
fn word(settled: &Settled) -> String {
    match settled {
        Settled::Store(_) => "store".to_owned(),
        Settled::Renewed(_) => "renewed".to_owned(),
        Settled::Completed(..) => "completed".to_owned(),
        Settled::Pass(pass, kept) => {
            format!("{}, {}", pass.word(), if *kept == Kept::Stays { "stays" } else { "goes" })
        }
        Settled::FallBack(_) => "fall back".to_owned(),
        Settled::AskAgain => "ask again".to_owned(),
        Settled::Senseless => "senseless".to_owned(),
    }
}

/// The fetch that is planned for a request when what is stored is so old.
fn planned(asked: &Asked<'_>, stored: Option<&Stored>, age_s: i64) -> Fetch {
    let found = stored.map_or(Found::Nothing, |stored| Found::Stored(stored, Standing::Valid));
    let (Plan::Fetch(fetch) | Plan::ServeAndRefresh(_, fetch)) = plan(asked, &policy(), found, at(age_s)) else {
        panic!("nothing is asked of the origin")
    };
    fetch
}

#[track_caller]
fn check(
    method: &Method,
    request: &[(&str, &str)],
    stored: Option<&Stored>,
    age_s: i64,
    answer: (u16, &[(&str, &str)]),
    expected: &str,
) {
    let (sent, came) = (headers(request), headers(answer.1));
    let asked = Asked { method, ..asked(&sent) };
    let fetch = planned(&asked, stored, age_s);
    let key = key(&asked, &policy()).unwrap();
    let settled = settle(&asked, &policy(), &key, &fetch, stored, &arrival(answer.0, &came));
    assert_eq!(word(&settled), expected, "{method} {request:?}: {answer:?}");
}

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[test]
fn answers_to_a_question_without_conditions() {
    let check = |request: &[(&str, &str)], status, fields: &[(&str, &str)], expected: &str| {
        check(&Method::GET, request, None, 0, (status, fields), expected);
    };
    check(&[], 200, &[FRESH], "store");
    check(&[], 404, &[FRESH], "store");
    check(&[], 200, &[("cache-control", "no-store")], "no-store, stays");
    check(&[], 500, &[], "not-reusable, stays");
    check(&[("if-none-match", "\"a\"")], 304, &[("etag", "\"a\"")], "senseless");
    // A part that nobody asked for would pass for the whole.
    check(&[], 206, &[FRESH, ("content-range", "bytes 0-4/10")], "senseless");
    let part = [FRESH, ("content-range", "bytes 0-4/10")];
    check(&[("range", "bytes=0-4")], 206, &part, "store");
    check(&[("range", "bytes=0-4")], 206, &[FRESH], "senseless");
    check(&[("range", "bytes=90-")], 416, &[("content-range", "bytes */10")], "conditional, stays");
}

#[test]
fn a_part_that_was_asked_for_is_kept() {
    let (sent, came) = (headers(&[("range", "bytes=0-4")]), headers(&[FRESH, ("content-range", "bytes 0-4/10")]));
    let asked = asked(&sent);
    let (fetch, key) = (planned(&asked, None, 0).in_parts(), key(&asked, &policy()).unwrap());
    let settled = settle(&asked, &policy(), &key, &fetch, None, &arrival(206, &came));
    assert_eq!(word(&settled), "store");
}

#[test]
fn answers_to_whether_it_is_still_the_same() {
    let old = stored(&OLD);
    let check = |status, fields: &[(&str, &str)], expected: &str| {
        check(&Method::GET, &[], Some(&old), 60, (status, fields), expected);
    };
    check(304, &[], "renewed");
    check(304, &[("etag", "\"a\""), ("content-length", "0")], "renewed");
    check(304, &[("etag", "\"b\"")], "ask again");
    check(304, &[("cache-control", "no-store")], "ask again");
    check(200, &[FRESH], "store");
    check(200, &[("cache-control", "no-store")], "no-store, goes");
    check(200, &[("cache-control", "private")], "private, goes");
    check(301, &[("cache-control", "no-store")], "no-store, goes");
    check(404, &[], "not-reusable, goes");
    check(410, &[FRESH], "store");
    for status in [401, 403, 429] {
        check(status, &[], "not-reusable, stays");
    }
    for status in [500, 502, 503, 504] {
        check(status, &[], "fall back");
        check(status, &[FRESH], "fall back");
    }
    check(501, &[], "not-reusable, stays");
    check(599, &[], "not-reusable, stays");
}

#[test]
fn a_failing_origin_leaves_what_is_stored_alone() {
    let old = stored(&OLD);
    check(&Method::GET, &[], Some(&old), 90, (503, &[]), "not-reusable, stays");
    check(&Method::GET, &[("cache-control", "no-cache")], Some(&old), 0, (503, &[]), "not-reusable, stays");
    let none = HeaderMap::new();
    let asked = asked(&none);
    let fallback = planned(&asked, Some(&old), 89).fallback;
    assert_eq!(fallback.map(|serve| serve.grounds), Some(Grounds::OriginFails));
    assert_eq!(planned(&asked, Some(&old), 90).fallback, None);
    // In the background nobody waits for the stale answer: he has it.
    let grace = stored(&[("cache-control", "max-age=60, stale-while-revalidate=9"), OLD[1]]);
    check(&Method::GET, &[], Some(&grace), 60, (503, &[]), "not-reusable, stays");
}

#[test]
fn what_is_of_one_client_alone_does_not_throw_away_what_is_everybodys() {
    let old = stored(&OLD);
    let fields: &[(&str, &str)] = &[FRESH];
    check(
        &Method::GET,
        &[("cache-control", "no-cache, no-store")],
        Some(&old),
        0,
        (200, fields),
        "request-no-store, stays",
    );
    check(&Method::GET, &[("authorization", "x")], Some(&old), 60, (200, fields), "authorization, stays");
    check(&Method::GET, &[("cookie", "session=1")], Some(&old), 60, (200, &[]), "personal, stays");
    check(&Method::GET, &[("if-match", "\"x\"")], Some(&old), 0, (412, &[]), "conditional, stays");
    check(&Method::GET, &[("if-match", "\"x\"")], Some(&old), 0, (200, fields), "store");
}

#[test]
fn head_renews_or_throws_away_and_is_never_kept() {
    let old = stored(&OLD);
    let check = |stored, status, fields: &[(&str, &str)], expected: &str| {
        check(&Method::HEAD, &[], stored, 60, (status, fields), expected);
    };
    check(None, 200, &[FRESH], "method, stays");
    check(Some(&old), 200, &[FRESH, ("etag", "\"a\"")], "renewed");
    check(Some(&old), 200, &[FRESH, ("etag", "\"b\"")], "method, goes");
    check(Some(&old), 200, &[FRESH, ("content-length", "11")], "method, goes");
    check(Some(&old), 304, &[], "renewed");
    check(Some(&old), 410, &[FRESH], "method, goes");
    check(Some(&old), 503, &[], "fall back");
}

#[test]
fn the_rest_completes_or_answers_for_itself() {
    let tag = ("etag", "\"a\"");
    let part = |validator: &[(&str, &str)]| {
        let mut fields = vec![FRESH, ("content-range", "bytes 0-4/10")];
        fields.extend(validator);
        admitted(206, &fields, &policy()).unwrap()
    };
    let (tagged, bare) = (part(&[tag]), part(&[]));
    let rest = ("content-range", "bytes 5-9/10");
    let get = |request: &[(&str, &str)], stored: &Stored, status, fields: &[(&str, &str)], expected: &str| {
        check(&Method::GET, request, Some(stored), 0, (status, fields), expected);
    };
    get(&[], &tagged, 206, &[FRESH, tag, rest], "completed");
    get(&[], &tagged, 206, &[FRESH, ("etag", "\"b\""), rest], "ask again");
    get(&[], &tagged, 200, &[FRESH, ("etag", "\"b\"")], "store");
    get(&[], &tagged, 416, &[], "ask again");
    get(&[], &tagged, 304, &[], "ask again");
    get(&[], &bare, 206, &[FRESH, rest], "ask again");
    get(&[("range", "bytes=5-")], &bare, 206, &[FRESH, rest], "store");
    get(&[("range", "bytes=5-")], &tagged, 206, &[FRESH, tag, rest], "completed");
    get(&[("range", "bytes=3-6")], &bare, 206, &[FRESH, ("content-range", "bytes 3-6/10")], "store");
}

#[test]
fn what_came_answers_the_request_that_asked_for_it() {
    let answered = |request: &[(&str, &str)], fields: &[(&str, &str)]| {
        let sent = headers(request);
        answer(&asked(&sent), &stored(fields), at(5)).map(|serve| (serve.form, serve.age_s, serve.ttl_s))
    };
    assert_eq!(answered(&[], &[FRESH]), Some((Form::Whole, 5, 55)));
    assert_eq!(answered(&[("range", "bytes=0-4")], &[FRESH]), Some((Form::Parts(vec![0..5], Some(10)), 5, 55)));
    assert_eq!(answered(&[("if-none-match", "\"a\"")], &[FRESH, OLD[1]]), Some((Form::NotModified, 5, 55)));
    assert_eq!(answered(&[("range", "bytes=10-")], &[FRESH]), Some((Form::Unsatisfiable(10), 5, 55)));
    let part = admitted(206, &[FRESH, ("content-range", "bytes 0-4/10")], &policy()).unwrap();
    let sent = headers(&[("range", "bytes=5-9")]);
    assert_eq!(answer(&asked(&sent), &part, at(5)), None);
}

#[test]
fn a_second_question_has_no_conditions() {
    let old = stored(&OLD);
    let none = HeaderMap::new();
    let fetch = planned(&asked(&none), Some(&old), 60);
    let etag = Some(HeaderValue::from_static("\"a\""));
    assert!(matches!(&fetch.ask, Ask::IfChanged { etag: tag, .. } if *tag == etag));
    let again = fetch.again();
    assert_eq!((&again.ask, again.why, again.fallback.is_some()), (&Ask::Whole, Why::Stale, true));
}

use super::*;
use crate::cache::fixture::{NOW, admitted, asked, at, headers, policy, stored};

/// What is done, in a word.
fn word(plan: &Plan) -> String {
    let of_ask = |fetch: &Fetch| match &fetch.ask {
        Ask::Whole => "whole",
        Ask::IfChanged { .. } => "if-changed",
        Ask::Rest { .. } => "rest",
        Ask::AsAsked => "as-asked",
    };
    match plan {
        Plan::Serve(serve) => serve.grounds.word().unwrap_or("hit").to_owned(),
        Plan::ServeAndRefresh(serve, fetch) => format!("{}, {}", serve.grounds.word().unwrap_or("hit"), of_ask(fetch)),
        Plan::Fetch(fetch) => {
            let fallback = if fetch.fallback.is_some() { " or stale" } else { "" };
            format!("{}: {}{fallback}", fetch.why.token(), of_ask(fetch))
        }
        Plan::Refuse => "refuse".to_owned(),
    }
}

#[track_caller]
fn check_with(
    policy: &CachePolicy,
    request: &[(&str, &str)],
    response: &[(&str, &str)],
    standing: Standing,
    age_s: i64,
    expected: &str,
) {
    let sent = headers(request);
    let stored = stored(response);
    let plan = plan(&asked(&sent), policy, Found::Stored(&stored, standing), at(age_s));
    assert_eq!(word(&plan), expected, "{request:?} for {response:?} at {age_s} s");
}

#[track_caller]
fn check(request: &str, response: &str, age_s: i64, expected: &str) {
    let request: Vec<_> = Some(("cache-control", request)).filter(|(_, value)| !value.is_empty()).into_iter().collect();
    check_with(
        &policy(),
        &request,
        &[("cache-control", response), ("etag", "\"a\"")],
        Standing::Valid,
        age_s,
        expected,
    );
}

#[test]
fn what_is_fresh_is_served_and_what_is_stale_is_validated() {
    check("", "max-age=60", 0, "hit");
    check("", "max-age=60", 59, "hit");
    check("", "max-age=60", 60, "stale: if-changed");
    check("", "max-age=60, no-cache", 0, "stale: if-changed");
    check("", "max-age=60, must-revalidate", 59, "hit");
    check("", "max-age=60, must-revalidate", 60, "stale: if-changed");
    check_with(&policy(), &[], &[("cache-control", "max-age=60")], Standing::Valid, 60, "stale: whole");
    check_with(&policy(), &[], &[("last-modified", "@-1000")], Standing::Valid, 99, "hit");
    check_with(&policy(), &[], &[("last-modified", "@-1000")], Standing::Valid, 100, "stale: if-changed");
}

#[test]
fn what_stands_in_for_a_failure_is_as_old_as_it_is_by_then() {
    let none = HeaderMap::new();
    let stored = stored(&[("cache-control", "max-age=60, stale-if-error=30"), ("etag", "\"a\"")]);
    let of = |standing, age_s| {
        stand_in(&asked(&none), &policy(), &stored, standing, at(age_s)).map(|serve| (serve.ttl_s, serve.grounds))
    };
    assert_eq!(of(Standing::Valid, 59), Some((1, Grounds::Fresh)));
    assert_eq!(of(Standing::Valid, 89), Some((-29, Grounds::OriginFails)));
    assert_eq!(of(Standing::Valid, 90), None);
    assert_eq!(of(Standing::Stale { since: at(10) }, 39), Some((-29, Grounds::OriginFails)));
    assert_eq!(of(Standing::Stale { since: at(10) }, 40), None);
    assert_eq!(of(Standing::Gone, 1), None);
    let unlike = headers(&[("cache-control", "no-cache")]);
    assert_eq!(stand_in(&asked(&unlike), &policy(), &stored, Standing::Valid, at(1)), None);
}

#[test]
fn stale_reuse_needs_a_grace_period() {
    check("", "max-age=60, stale-while-revalidate=30", 60, "stale-while-revalidate, if-changed");
    check("", "max-age=60, stale-while-revalidate=30", 89, "stale-while-revalidate, if-changed");
    check("", "max-age=60, stale-while-revalidate=30", 90, "stale: if-changed");
    check("", "max-age=60, stale-if-error=30", 89, "stale: if-changed or stale");
    check("", "max-age=60, stale-if-error=30", 90, "stale: if-changed");
    // RFC 9111 §4.2.4: what forbids it is stronger than what allows it.
    for forbidding in ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"] {
        let value = format!("max-age=60, stale-while-revalidate=30, stale-if-error=30, {forbidding}");
        check("", &value, 61, "stale: if-changed");
        check("max-stale", &value, 61, "stale: if-changed");
    }
    let grace = CachePolicy { stale_while_revalidate_s: 10, stale_if_error_s: 100, ..policy() };
    let response = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
    check_with(&grace, &[], &response, Standing::Valid, 69, "stale-while-revalidate, if-changed");
    check_with(&grace, &[], &response, Standing::Valid, 70, "stale: if-changed or stale");
    check_with(&grace, &[], &response, Standing::Valid, 160, "stale: if-changed");
    let said = [("cache-control", "max-age=60, stale-while-revalidate=0, stale-if-error=0")];
    check_with(&grace, &[], &said, Standing::Valid, 61, "stale: whole");
}

#[test]
fn a_client_may_want_more_or_less_than_fresh() {
    let response = "max-age=60";
    for (request, age_s, expected) in [
        ("no-cache", 0, "request: if-changed"),
        ("no-cache", 70, "stale: if-changed"),
        ("no-store", 0, "hit"),
        ("max-age=10", 10, "hit"),
        ("max-age=10", 11, "request: if-changed or stale"),
        ("max-age=0", 1, "request: if-changed or stale"),
        ("max-age=100", 70, "stale: if-changed"),
        ("min-fresh=30", 30, "hit"),
        ("min-fresh=30", 31, "request: if-changed or stale"),
        ("max-stale", 1000, "max-stale"),
        ("max-stale=10", 69, "max-stale"),
        ("max-stale=10", 70, "stale: if-changed"),
        ("max-stale=10, max-age=5", 65, "stale: if-changed"),
        ("max-stale=10, min-fresh=1", 65, "stale: if-changed"),
        ("max-stale=10, no-cache", 65, "stale: if-changed"),
        ("stale-if-error=10", 65, "stale: if-changed or stale"),
        ("stale-if-error=10", 70, "stale: if-changed"),
        ("only-if-cached", 59, "hit"),
        ("only-if-cached", 60, "refuse"),
        ("only-if-cached, max-stale", 60, "max-stale"),
        ("only-if-cached, no-cache", 0, "refuse"),
        ("no-transform, unknown=1", 0, "hit"),
    ] {
        check(request, response, age_s, expected);
    }
    check("only-if-cached", "max-age=60, stale-while-revalidate=30", 60, "stale-while-revalidate");
    // `no-store` is about what comes, which would be for this client alone.
    check("no-store", "max-age=60, stale-while-revalidate=30", 60, "stale-while-revalidate");
    check("max-age=0", "max-age=60, stale-while-revalidate=30", 61, "stale: if-changed");
    check("max-age=0", "max-age=60, must-revalidate", 1, "request: if-changed or stale");
    // RFC 8246: a reload does not ask again for what cannot have changed; who insists does.
    check("max-age=0", "max-age=60, immutable", 30, "hit");
    check("no-cache", "max-age=60, immutable", 30, "request: if-changed");
    check("max-age=0", "max-age=60, immutable", 61, "stale: if-changed");
    check_with(
        &policy(),
        &[("pragma", "no-cache")],
        &[("cache-control", "max-age=60")],
        Standing::Valid,
        0,
        "request: whole",
    );
}

#[test]
fn purges_make_stale_or_gone_and_never_fresher() {
    let response = [("cache-control", "max-age=60, stale-while-revalidate=30, stale-if-error=50"), ("etag", "\"a\"")];
    let purged = |since| Standing::Stale { since: at(since) };
    let check = |standing, age_s, expected| check_with(&policy(), &[], &response, standing, age_s, expected);
    check(purged(10), 10, "stale-while-revalidate, if-changed");
    check(purged(10), 39, "stale-while-revalidate, if-changed");
    check(purged(10), 40, "stale: if-changed or stale");
    check(purged(10), 60, "stale: if-changed");
    check(purged(85), 89, "stale-while-revalidate, if-changed");
    check(purged(85), 90, "stale: if-changed or stale");
    check(purged(300), 300, "stale: if-changed");
    // With wrong bytes under the right tag, a question about the tag would keep them for ever.
    check(Standing::Gone, 0, "uri-miss: whole");
}

#[test]
fn what_the_origin_did_not_say_is_for_everybody_is_not_for_who_says_who_he_is() {
    let policy = CachePolicy { default_freshness_s: Some(60), ..policy() };
    let cookie = headers(&[("cookie", "session=1")]);
    let authorization = headers(&[("authorization", "Basic x")]);
    let none = HeaderMap::new();
    for (fields, anonymous, personal) in [
        (&[][..], "hit", "request: as-asked"),
        (&[("last-modified", "@-1000")], "hit", "request: as-asked"),
        (&[("cache-control", "max-age=60")], "hit", "hit"),
    ] {
        let stored = admitted(200, fields, &policy).unwrap();
        let planned = |sent| word(&plan(&asked(sent), &policy, Found::Stored(&stored, Standing::Valid), NOW));
        assert_eq!((planned(&none).as_str(), planned(&cookie).as_str()), (anonymous, personal), "{fields:?}");
        assert_eq!(planned(&authorization), personal, "{fields:?}");
    }
}

#[test]
fn what_is_not_there_is_asked_for_whole_but_by_head() {
    let sent = headers(&[("range", "bytes=0-1"), ("if-none-match", "\"x\"")]);
    let of = |asked: &Asked<'_>, found| word(&plan(asked, &policy(), found, NOW));
    assert_eq!(of(&asked(&sent), Found::Nothing), "uri-miss: whole");
    assert_eq!(of(&asked(&sent), Found::OtherVariants), "vary-miss: whole");
    let head = Asked { method: &Method::HEAD, ..asked(&sent) };
    assert_eq!(of(&head, Found::Nothing), "uri-miss: as-asked");
    let only = headers(&[("cache-control", "only-if-cached")]);
    assert_eq!(of(&asked(&only), Found::Nothing), "refuse");
}

#[test]
fn parts_answer_for_what_they_hold_and_are_completed_for_more() {
    let part = |fields: &[(&str, &str)]| {
        let mut all = vec![("cache-control", "max-age=60"), ("content-range", "bytes 3-6/10")];
        all.extend(fields);
        admitted(206, &all, &policy()).unwrap()
    };
    let of = |stored: &Stored, range: &str, age_s| {
        let sent = headers(&[("range", range)]);
        let none = HeaderMap::new();
        let asked = asked(if range.is_empty() { &none } else { &sent });
        plan(&asked, &policy(), Found::Stored(stored, Standing::Valid), at(age_s))
    };
    let tagged = part(&[("etag", "\"a\"")]);
    let Plan::Serve(serve) = of(&tagged, "bytes=4-5", 0) else { panic!("it is held") };
    assert_eq!(serve.form, Form::Parts(vec![4..6], Some(10)));
    for (range, asked_range) in
        [("", "bytes=7-"), ("bytes=5-8", "bytes=5-8"), ("bytes=0-1", "bytes=0-1"), ("bytes=-1", "bytes=9-")]
    {
        let Plan::Fetch(Fetch { why: Why::Partial, ask: Ask::Rest { range: rest, if_range }, fallback: None }) =
            of(&tagged, range, 0)
        else {
            panic!("the rest is asked for: {range}")
        };
        assert_eq!((rest, if_range), (HeaderValue::from_static(asked_range), Some(HeaderValue::from_static("\"a\""))));
    }
    assert_eq!(word(&of(&tagged, "bytes=0-1", 60)), "partial: whole");
    let weak = part(&[("etag", "W/\"a\"")]);
    let Plan::Fetch(Fetch { ask: Ask::Rest { if_range: None, .. }, .. }) = of(&weak, "bytes=0-1", 0) else {
        panic!("a weak tag names no bytes")
    };
}

#[test]
fn a_request_leaves_with_our_conditions_and_no_others() {
    let client =
        [("if-none-match", "\"x\""), ("if-modified-since", "@0"), ("range", "bytes=0-1"), ("if-range", "\"x\"")];
    let others = [("accept", "*/*"), ("if-match", "\"x\""), ("if-unmodified-since", "@0")];
    let mut all = client.to_vec();
    all.extend(others);
    let leaves = |ask: Ask| {
        let mut sent = headers(&all);
        Fetch { why: Why::Stale, ask, fallback: None }.apply(&mut sent);
        sent
    };
    let value = HeaderValue::from_static;
    assert_eq!(leaves(Ask::AsAsked), headers(&all));
    assert_eq!(leaves(Ask::Whole), headers(&[("accept", "*/*")]));
    assert_eq!(
        leaves(Ask::IfChanged { etag: Some(value("\"a\"")), last_modified: Some(value("then")) }),
        headers(&[("accept", "*/*"), ("if-none-match", "\"a\""), ("if-modified-since", "then")])
    );
    assert_eq!(
        leaves(Ask::Rest { range: value("bytes=5-"), if_range: Some(value("\"a\"")) }),
        headers(&[("accept", "*/*"), ("range", "bytes=5-"), ("if-range", "\"a\"")])
    );
}

#[test]
fn a_post_is_never_asked_conditionally() {
    let sent = HeaderMap::new();
    let content = crate::cache::asked::Content::Keyed([0; 32]);
    let asked = Asked { method: &Method::POST, content, ..asked(&sent) };
    let stored = stored(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]);
    assert_eq!(word(&plan(&asked, &policy(), Found::Stored(&stored, Standing::Valid), at(60))), "stale: whole");
}

#[test]
fn an_answer_says_its_age_and_which_part_it_is() {
    let said = |form, age_s, grounds| {
        let mut said = headers(&[("age", "999")]);
        Serve { form, age_s, ttl_s: 0, grounds }.say(&mut said);
        said
    };
    assert_eq!(said(Form::Whole, 5, Grounds::Fresh), headers(&[("age", "5")]));
    assert_eq!(said(Form::Whole, 0, Grounds::Fresh), headers(&[("age", "0")]));
    assert_eq!(said(Form::Whole, 0, Grounds::Validated), HeaderMap::new());
    assert_eq!(said(Form::Whole, 5, Grounds::Validated), headers(&[("age", "5")]));
    let part = said(Form::Parts(vec![2..5], Some(10)), 1, Grounds::Fresh);
    assert_eq!(part, headers(&[("age", "1"), ("content-range", "bytes 2-4/10"), ("content-length", "3")]));
    let part = said(Form::Parts(vec![2..5], None), 1, Grounds::Fresh);
    assert_eq!(part, headers(&[("age", "1"), ("content-range", "bytes 2-4/*"), ("content-length", "3")]));
    assert_eq!(said(Form::Parts(vec![2..5, 8..9], Some(10)), 1, Grounds::Fresh), headers(&[("age", "1")]));
    assert_eq!(
        said(Form::Unsatisfiable(10), 1, Grounds::Fresh),
        headers(&[("age", "1"), ("content-range", "bytes */10")])
    );
}

use super::*;
use crate::cache::asked::Content;
use crate::cache::fixture::{admitted, arrival, asked, headers, policy};
use crate::cache::key::key;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// What becomes of the answer to a request with these fields.
fn answered(
    request: &[(&str, &str)],
    status: u16,
    fields: &[(&str, &str)],
    policy: &CachePolicy,
) -> Result<Stored, Pass> {
    let sent = headers(request);
    let asked = asked(&sent);
    admit(&asked, policy, &key(&asked, policy).unwrap(), &arrival(status, &headers(fields)))
}

#[track_caller]
fn check(status: u16, fields: &[(&str, &str)], expected: Result<(u64, Reuse), Pass>) {
    let found = admitted(status, fields, &policy()).map(|stored| (stored.lifetime_s, stored.reuse));
    assert_eq!(found, expected, "{status} {fields:?}");
}

#[test]
fn directives_say_what_is_kept_and_what_it_takes_to_serve_it() {
    let tag = ("etag", "\"a\"");
    check(200, &[FRESH], Ok((60, Reuse::Normal)));
    check(200, &[("cache-control", "max-age=60, must-revalidate")], Ok((60, Reuse::NeverStale)));
    check(200, &[("cache-control", "max-age=60, proxy-revalidate")], Ok((60, Reuse::NeverStale)));
    check(200, &[("cache-control", "s-maxage=60")], Ok((60, Reuse::NeverStale)));
    check(200, &[("cache-control", "no-cache, max-age=60"), tag], Ok((60, Reuse::Validate)));
    check(200, &[("cache-control", "no-cache=\"x-a\", max-age=60")], Ok((60, Reuse::Normal)));
    check(200, &[("cache-control", "max-age=0"), tag], Ok((0, Reuse::Normal)));
    check(200, &[tag], Ok((0, Reuse::Normal)));
    check(200, &[("last-modified", "@-10")], Ok((1, Reuse::Normal)));
    check(200, &[], Err(Pass::NotReusable));
    check(200, &[("cache-control", "max-age=0")], Err(Pass::NotReusable));
    check(200, &[FRESH, ("age", "60")], Err(Pass::NotReusable));
    check(200, &[("cache-control", "max-age=60, no-store")], Err(Pass::NoStore));
    check(200, &[FRESH, ("cache-control", "NO-STORE")], Err(Pass::NoStore));
    check(200, &[("cache-control", "max-age=60, private")], Err(Pass::Private));
    check(200, &[("cache-control", "max-age=60, private=\"x-a\"")], Ok((60, Reuse::Normal)));
    check(200, &[("cdn-cache-control", "max-age=9"), ("cache-control", "no-store")], Ok((9, Reuse::Normal)));
    check(200, &[("cdn-cache-control", "private"), FRESH], Err(Pass::Private));
    check(200, &[("rimward-cache-control", "no-store"), FRESH], Err(Pass::NoStore));
    check(200, &[("cdn-cache-control", "max-age=9, &"), ("cache-control", "no-store")], Err(Pass::NoStore));
}

#[test]
fn a_status_is_kept_when_told_to_and_some_without() {
    for status in [200, 203, 204, 299, 301, 302, 307, 400, 403, 404, 410, 418, 500, 503, 599] {
        check(status, &[FRESH], Ok((60, Reuse::Normal)));
    }
    for status in [500, 502, 503, 405, 403, 302, 599] {
        check(
            status,
            &[("etag", "\"a\"")],
            if status == 405 { Ok((0, Reuse::Normal)) } else { Err(Pass::NotReusable) },
        );
        check(status, &[], Err(Pass::NotReusable));
    }
    for status in [304, 412, 416] {
        check(status, &[FRESH], Err(Pass::Conditional));
    }
    check(101, &[FRESH], Err(Pass::NotFinal));
    let must_understand = ("cache-control", "max-age=60, no-store, must-understand");
    check(200, &[must_understand], Ok((60, Reuse::Normal)));
    check(599, &[must_understand], Err(Pass::NotUnderstood));
    check(299, &[must_understand], Err(Pass::NotUnderstood));
}

#[test]
fn answers_to_authorised_requests_are_for_everybody_only_when_that_is_said() {
    let with = |value: &'static str| {
        let fields = [("cache-control", value), ("etag", "\"a\"")];
        answered(&[("authorization", "Basic x")], 200, &fields, &policy()).map(|stored| stored.lifetime_s)
    };
    assert_eq!(with("max-age=60"), Err(Pass::Authorization));
    assert_eq!(with("max-age=60, public"), Ok(60));
    assert_eq!(with("max-age=60, must-revalidate"), Ok(60));
    assert_eq!(with("s-maxage=60"), Ok(60));
    assert_eq!(with("max-age=60, proxy-revalidate"), Err(Pass::Authorization));
    assert_eq!(with("public"), Err(Pass::Personal));
}

#[test]
fn what_the_policy_or_a_guess_gives_is_never_given_to_what_is_somebodys_own() {
    let mut policy = policy();
    (policy.default_freshness_s, policy.override_freshness_s) = (Some(30), Some(90));
    policy.ignore_cookies = vec!["_ga*".to_owned()];
    let found = |request: &[(&str, &str)], fields: &[(&str, &str)]| {
        answered(request, 200, fields, &policy).map(|stored| (stored.lifetime_s, stored.basis))
    };
    let session = [("cookie", "session=1")];
    assert_eq!(found(&[], &[]), Ok((90, Basis::Override)));
    assert_eq!(found(&[("cookie", "_ga=1")], &[]), Ok((90, Basis::Override)));
    assert_eq!(found(&session, &[]), Err(Pass::Personal));
    assert_eq!(found(&session, &[("last-modified", "@-1000")]), Err(Pass::Personal));
    assert_eq!(found(&session, &[("etag", "\"a\"")]), Err(Pass::Personal));
    assert_eq!(found(&session, &[FRESH]), Ok((60, Basis::Origin)));
    assert_eq!(found(&[], &[("cache-control", "private")]), Err(Pass::Private));
    assert_eq!(found(&[], &[("cache-control", "no-store")]), Err(Pass::NoStore));
    assert_eq!(found(&[], &[("set-cookie", "a=1")]), Err(Pass::SetCookie));
    // What the origin says of freshness gives way, and with it its `no-cache`.
    let no_cache = answered(&[], 200, &[("cache-control", "no-cache")], &policy).unwrap();
    assert_eq!((no_cache.lifetime_s, no_cache.reuse), (90, Reuse::Normal));
}

#[test]
fn an_answer_that_sets_a_cookie_is_kept_where_the_policy_and_the_origin_say_so() {
    let cookie = ("set-cookie", "a=1");
    let public = ("cache-control", "public, max-age=60");
    assert_eq!(admitted(200, &[public, cookie], &policy()), Err(Pass::SetCookie));
    let keeps = CachePolicy { set_cookie: SetCookie::Keep, override_freshness_s: Some(90), ..policy() };
    let kept = admitted(200, &[public, cookie], &keeps).unwrap();
    assert_eq!((kept.lifetime_s, kept.headers["set-cookie"].as_bytes()), (60, &b"a=1"[..]));
    assert_eq!(admitted(200, &[cookie], &keeps).err(), Some(Pass::SetCookie));
    // The origin may say that it is the cookie alone that is not for everybody.
    for value in ["max-age=60, private=\"set-cookie\"", "max-age=60, no-cache=Set-Cookie"] {
        let kept = admitted(200, &[("cache-control", value), cookie], &policy()).unwrap();
        assert!(!kept.headers.contains_key("set-cookie"), "{value}");
    }
}

#[test]
fn heads_are_kept_without_what_each_answer_says_anew() {
    let fields = [
        ("cache-control", "max-age=60, private=\"x-user\", no-cache=\"x-once\""),
        ("content-length", "3"),
        ("age", "5"),
        ("cache-status", "inner; hit"),
        ("x-user", "1"),
        ("x-once", "2"),
        ("x-kept", "3"),
        ("content-range", "odd"),
        ("rimward-cache-control", "max-age=50"),
        ("cache-tag", "a"),
    ];
    let policy = CachePolicy { tags_from: Some("cache-tag".into()), ..policy() };
    let kept = admitted(200, &fields, &policy).unwrap();
    let mut names: Vec<&str> = kept.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    // The targeted field decides, and names no fields: then `Cache-Control` withholds none.
    assert_eq!(
        names,
        ["cache-control", "content-range", "date", "rimward-cache-control", "x-kept", "x-once", "x-user"]
    );
    assert_eq!((kept.tags, kept.lifetime_s, kept.held), (vec!["a".to_owned()], 50, Held::Whole(Some(3))));
    let kept = admitted(200, &[fields[0], fields[4], fields[5], fields[6]], &policy).unwrap();
    assert!(kept.headers.contains_key("x-kept") && !kept.headers.contains_key("x-user"));
    assert!(!kept.headers.contains_key("x-once"));
    assert_eq!(kept.headers["date"], "Sat, 21 Nov 2026 00:00:00 GMT");
}

#[test]
fn parts_are_kept_as_what_they_are() {
    let part = |range: &'static str, length: Option<&'static str>| {
        let mut fields = vec![FRESH, ("content-range", range)];
        fields.extend(length.map(|length| ("content-length", length)));
        admitted(206, &fields, &policy()).map(|stored| (stored.status.as_u16(), stored.held))
    };
    assert_eq!(part("bytes 4-8/10", Some("5")), Ok((200, Held::Part(4..9, Some(10)))));
    assert_eq!(part("bytes 4-8/*", None), Ok((200, Held::Part(4..9, None))));
    assert_eq!(part("bytes 0-9/10", None), Ok((200, Held::Whole(Some(10)))));
    // Counted one too many: the message's own length says what came.
    assert_eq!(part("bytes 4-9/10", Some("5")), Ok((200, Held::Part(4..9, Some(10)))));
    for (range, length) in [
        ("bytes 4-8/10", Some("6")),
        ("bytes 4-8/10", Some("0")),
        ("bytes 8-4/10", None),
        ("bytes */10", None),
        ("items 0-1/2", None),
    ] {
        assert_eq!(part(range, length), Err(Pass::Conditional), "{range}");
    }
    check(206, &[FRESH], Err(Pass::Conditional));
    check(206, &[FRESH, ("content-type", "multipart/byteranges; boundary=x")], Err(Pass::Conditional));
}

#[test]
fn what_varies_on_everything_or_is_too_large_is_passed_on() {
    check(200, &[FRESH, ("vary", "*")], Err(Pass::Vary));
    check(200, &[FRESH, ("vary", "accept"), ("vary", "*")], Err(Pass::Vary));
    let bomb = "x".repeat(HEAD_LIMIT_BYTES);
    check(200, &[FRESH, ("x-bomb", &bomb)], Err(Pass::HeadTooLarge));
    check(200, &[FRESH, ("x-bomb", &bomb[1000..])], Ok((60, Reuse::Normal)));
    let many: Vec<(&str, &str)> =
        std::iter::once(FRESH).chain(std::iter::repeat_n(("x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"), 1000)).collect();
    check(200, &many, Err(Pass::HeadTooLarge));
    // Whoever cannot decode it must not get it, whatever the origin forgot.
    let encoded = admitted(200, &[FRESH, ("content-encoding", "gzip")], &policy()).unwrap();
    assert_eq!(encoded.spec.names(), ["accept-encoding"]);
}

#[test]
fn the_client_and_the_method_have_a_say() {
    let no_store = answered(&[("cache-control", "no-store")], 200, &[FRESH], &policy());
    assert_eq!(no_store, Err(Pass::RequestNoStore));
    let none = HeaderMap::new();
    let fields = headers(&[FRESH]);
    let of = |method: &Method, content| {
        let asked = Asked { method, content, ..asked(&none) };
        let key = key(&Asked { method: &Method::GET, content: Content::None, ..asked }, &policy()).unwrap();
        admit(&asked, &policy(), &key, &arrival(200, &fields)).map(|stored| stored.lifetime_s)
    };
    assert_eq!(of(&Method::HEAD, Content::None), Err(Pass::Method));
    assert_eq!(of(&Method::DELETE, Content::None), Err(Pass::Method));
    assert_eq!(of(&Method::POST, Content::Keyed([0; 32])), Ok(60));
    assert_eq!(of(&Method::from_bytes(b"QUERY").unwrap(), Content::Keyed([0; 32])), Ok(60));
}

#[test]
fn a_length_is_one_number() {
    for (lines, expected) in [
        (&["5"][..], Some(5)),
        (&["5", "5"], Some(5)),
        (&["5", "6"], None),
        (&["-5"], None),
        (&["5, 5"], None),
        (&["99999999999999999999999"], None),
        (&[], None),
    ] {
        let fields: Vec<_> = lines.iter().map(|line| ("content-length", *line)).collect();
        assert_eq!(length(&headers(&fields)), expected, "{lines:?}");
    }
}

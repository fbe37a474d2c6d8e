//! The cache: any answer to any request, kept, served, renewed and completed.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rimward_edge::cache::{
    Arrival, Asked, Content, Form, Found, HeadKind, Key, Plan, SearchRule, Serve, Settled, Specs, Standing, Status,
    Stored, Unkeyed, answer, content, forwarded_query, invalidates, is_unsafe, kept_for_get, key, outgoing, plan,
    settle,
};
use rimward_edge::config::CachePolicy;
use rimward_edge::time::Timestamp;

const NOW: u64 = 1_795_219_200_000;

/// Three parts with an empty line between them: a request (method and query, then fields), its answer (status, then
/// fields), and what answers the question that is asked when that is old.
pub(super) fn cache(bytes: &[u8]) {
    // As lines of fields have them: every byte is a character.
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut parts = text.splitn(3, "\n\n");
    let (request, first, second) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (start, sent) = head(request);
    let (method, query) = start.split_once(' ').map_or((start, None), |(method, query)| (method, Some(query)));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let policy = CachePolicy {
        default_freshness_s: Some(30),
        tags_from: Some("cache-tag".to_owned()),
        ..CachePolicy::default()
    };
    let content = if content::is_keyed(&method, &sent, &policy) {
        content::read(&method, &sent, &policy, request.as_bytes())
    } else {
        Content::None
    };
    let asked =
        Asked { method: &method, scheme: "https", authority: "a.example", path: "/x", query, headers: &sent, content };
    let _ = forwarded_query(query, &policy);
    outgoing(&mut sent.clone(), &policy);
    match key(&asked, &policy) {
        Ok(key) => keyed(&asked, &policy, &key, &head(first), &head(second)),
        Err(unkeyed) => without_key(&asked, &policy, unkeyed, &head(first)),
    }
}

fn keyed(asked: &Asked<'_>, policy: &CachePolicy, key: &Key, first: &(&str, HeaderMap), second: &(&str, HeaderMap)) {
    assert!(key.text().bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{key:?}");
    if let Some(rule) = SearchRule::of(&first.1) {
        let common = rule.common(key.url());
        assert_eq!(rule.common(&common), common, "{rule:?}");
    }
    let Plan::Fetch(fetch) = plan(asked, policy, Found::Nothing, at(0)) else { return };
    let Some(arrival) = arrival(first, 0) else { return };
    let Settled::Store(stored) = settle(asked, policy, key, &fetch, None, &arrival) else { return };
    holds(&stored, &first.1);
    let mut specs = Specs::new(at(0));
    specs.put(&stored, asked, policy);
    let variant = specs.variant(key, &stored.spec, asked, policy);
    assert_eq!(specs.candidates(key, asked, policy).first(), Some(&variant), "what was kept is found again");
    if let Some(serve) = answer(asked, &stored, at(0)) {
        served(&stored, &serve, key);
    }
    for age_s in [0, 1, 60, 1 << 20, 1 << 40] {
        for standing in [Standing::Valid, Standing::Stale { since: at(1) }, Standing::Gone] {
            let planned = plan(asked, policy, Found::Stored(&stored, standing), at(age_s));
            if let Plan::Serve(serve) | Plan::ServeAndRefresh(serve, _) = &planned {
                assert_ne!(standing, Standing::Gone, "what was purged is not served");
                served(&stored, serve, key);
            }
            let (Plan::Fetch(fetch) | Plan::ServeAndRefresh(_, fetch)) = planned else { continue };
            fetch.apply(&mut asked.headers.clone());
            let Some(arrival) = self::arrival(second, age_s) else { continue };
            match settle(asked, policy, key, &fetch, Some(&stored), &arrival) {
                Settled::Renewed(renewed) => {
                    assert_eq!((&renewed.held, renewed.status), (&stored.held, stored.status), "bytes stay");
                    holds(&renewed, &second.1);
                }
                Settled::Completed(completed, splice) => {
                    let of_piece = |piece: &rimward_edge::cache::Piece| match piece {
                        rimward_edge::cache::Piece::Held(range) | rimward_edge::cache::Piece::Came(range) => {
                            range.end - range.start
                        }
                    };
                    let bytes: u64 = splice.pieces.iter().map(of_piece).sum();
                    assert_eq!(completed.announced(), Some(bytes), "the pieces are the body");
                }
                Settled::Store(stored) => holds(&stored, &second.1),
                Settled::FallBack(serve) => served(&stored, &serve, key),
                Settled::Pass(..) | Settled::AskAgain | Settled::Senseless => {}
            }
        }
    }
}

fn without_key(asked: &Asked<'_>, policy: &CachePolicy, unkeyed: Unkeyed, first: &(&str, HeaderMap)) {
    assert!(unkeyed != Unkeyed::Method || !matches!(*asked.method, Method::GET | Method::HEAD), "{asked:?}");
    let Some(arrival) = arrival(first, 0) else { return };
    let invalidation = invalidates(asked, policy, arrival.status, arrival.headers);
    assert!(is_unsafe(asked.method) || invalidation.urls.is_empty(), "{asked:?}");
    assert!(invalidation.urls.iter().all(|url| url.starts_with("https://a.example/")), "{invalidation:?}");
    if let Some((_, stored)) = kept_for_get(asked, policy, &arrival) {
        holds(&stored, &first.1);
    }
}

/// What holds for everything that is kept.
fn holds(stored: &Stored, sent: &HeaderMap) {
    assert_eq!(Stored::from_json(&stored.to_json()).as_ref(), Some(stored), "an envelope is read as it was written");
    for name in ["set-cookie", "age", "content-length", "cache-status", "cache-tag", "rimward-cache-control"] {
        assert!(!stored.headers.contains_key(name), "{name} is given out");
    }
    assert!(stored.headers.contains_key("date"), "no date");
    // Whoever reads `Cache-Control` without looking at quotes must come to no other conclusion on these.
    let targeted = sent.contains_key("cdn-cache-control") || sent.contains_key("rimward-cache-control");
    let plain = sent.get_all("cache-control").iter().all(|value| !value.as_bytes().contains(&b'"'));
    let says = |word: &str| {
        let lines = sent.get_all("cache-control").iter().filter_map(|value| value.to_str().ok());
        let mut members = lines.flat_map(|line| line.split(','));
        members.any(|member| member.trim().eq_ignore_ascii_case(word))
    };
    if plain && !targeted {
        assert!(!says("private"), "what is private is kept");
        assert!(!says("no-store") || says("must-understand"), "what is not to be stored is kept");
    }
}

/// What holds for everything that is served.
fn served(stored: &Stored, serve: &Serve, key: &Key) {
    let mut headers = HeaderMap::new();
    serve.say(&mut headers);
    let status = Status::hit(serve, key).render("edge");
    assert!(status.as_bytes().starts_with(b"edge; hit"), "{status:?}");
    let kind = match &serve.form {
        Form::Whole => HeadKind::Whole,
        Form::Parts(parts, complete) => {
            let last = parts.last().expect("at least one").end;
            assert!(complete.is_none_or(|complete| last <= complete), "{serve:?}");
            assert!(parts.first().expect("at least one").start >= stored.offset(), "{serve:?}");
            HeadKind::Part
        }
        Form::NotModified | Form::Unsatisfiable(_) => HeadKind::NotModified,
    };
    let _ = stored.head(kind);
}

/// The first line, and the fields of the others.
fn head(text: &str) -> (&str, HeaderMap) {
    let mut lines = text.split('\n');
    let start = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let bytes: Vec<u8> = value.trim().chars().filter_map(|c| u8::try_from(c).ok()).collect();
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&bytes)) {
            headers.append(name, value);
        }
    }
    (start, headers)
}

fn arrival<'head>((start, headers): &'head (&str, HeaderMap), age_s: u64) -> Option<Arrival<'head>> {
    let status: StatusCode = start.trim().parse().ok()?;
    Some(Arrival {
        status,
        headers,
        requested_at: at(age_s),
        received_at: at(age_s.saturating_add(1)),
        sequence: 0,
        log: 0,
    })
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(NOW.saturating_add(seconds.saturating_mul(1000)))
}

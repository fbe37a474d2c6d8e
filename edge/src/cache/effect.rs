//! What the answer to an unsafe method does to what is stored (RFC 9111 §4.4, RFC 9875 §3, RFC 9110 §9.3.3).

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::admit::{self, Arrival};
use super::asked::{Asked, Content};
use super::key::{self, Key, is_query};
use super::labels;
use super::reference;
use super::stored::{Basis, Stored};
use crate::config::CachePolicy;

/// What an answer to an unsafe method invalidates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalidation {
    /// URLs as keys spell them, all of the origin that was asked.
    pub urls: Vec<String>,
    /// Groups of that origin.
    pub groups: Vec<String>,
}

/// Whether a method may change what is stored: every one that is not known to be safe (RFC 9110 §9.2.1).
pub fn is_unsafe(method: &Method) -> bool {
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    !safe && !is_query(method) && !matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH")
}

/// What an answer invalidates: nothing where the method is safe or the answer an error (RFC 9111 §4.4).
pub fn invalidates(asked: &Asked<'_>, policy: &CachePolicy, status: StatusCode, headers: &HeaderMap) -> Invalidation {
    let succeeded = status.is_success() || status.is_redirection();
    if !is_unsafe(asked.method) || !succeeded || matches!(asked.content, Content::Keyed(_)) {
        return Invalidation::default();
    }
    let mut urls = vec![key::url(asked, policy)];
    for name in [LOCATION, CONTENT_LOCATION] {
        let Some(text) = headers.get(name).and_then(|value| value.to_str().ok()) else { continue };
        // §4.4: an origin speaks for itself alone.
        let Some(target) = reference::resolve(asked, text) else { continue };
        let url = key::url(&Asked { path: &target.path, query: target.query.as_deref(), ..*asked }, policy);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Invalidation { urls, groups: labels::invalidated_groups(headers) }
}

/// The answer to a POST that may be kept for GETs of its URL (RFC 9110 §9.3.3): it says how long it is fresh, and that it
/// is what is at that URL.
pub fn kept_for_get(asked: &Asked<'_>, policy: &CachePolicy, arrival: &Arrival<'_>) -> Option<(Key, Stored)> {
    if *asked.method != Method::POST || arrival.status != StatusCode::OK {
        return None;
    }
    let text = arrival.headers.get(CONTENT_LOCATION)?.to_str().ok()?;
    let target = reference::resolve(asked, text)?;
    let as_get = Asked { method: &Method::GET, content: Content::None, ..*asked };
    let own = key::url(&as_get, policy);
    if key::url(&Asked { path: &target.path, query: target.query.as_deref(), ..as_get }, policy) != own {
        return None;
    }
    let key = key::key(&as_get, policy).ok()?;
    let stored = admit::admit(asked, policy, &key, arrival).ok()?;
    (stored.basis == Basis::Origin && stored.lifetime_s > 0).then_some((key, stored))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{arrival, asked, headers, policy};

    #[track_caller]
    fn check(method: &str, status: u16, fields: &[(&str, &str)], expected: &[&str]) {
        let none = HeaderMap::new();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let asked = Asked { method: &method, query: Some("b=1&a=2"), ..asked(&none) };
        let found = invalidates(&asked, &policy(), StatusCode::from_u16(status).unwrap(), &headers(fields));
        let expected: Vec<String> = expected.iter().map(|path| format!("https://shop.example{path}")).collect();
        assert_eq!(found.urls, expected, "{method} {status} {fields:?}");
    }

    const OWN: &str = "/api/a?a=2&b=1";

    #[test]
    fn what_may_have_changed_something_invalidates_its_url() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "MKCOL", "post"] {
            check(method, 200, &[], &[OWN]);
            check(method, 204, &[], &[OWN]);
            check(method, 303, &[], &[OWN]);
            check(method, 404, &[], &[]);
            check(method, 500, &[], &[]);
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"] {
            check(method, 200, &[("location", "/api/b")], &[]);
        }
    }

    #[test]
    fn an_origin_also_invalidates_what_it_names_but_only_its_own() {
        check("POST", 201, &[("location", "/api/b?y=1&x=2")], &[OWN, "/api/b?x=2&y=1"]);
        check("POST", 201, &[("location", "b"), ("content-location", "c/d")], &[OWN, "/api/b", "/api/c/d"]);
        check("POST", 201, &[("location", "https://shop.example/api/b")], &[OWN, "/api/b"]);
        check("POST", 201, &[("location", "https://evil.example/api/b")], &[OWN]);
        check("POST", 201, &[("location", "http://shop.example/api/b")], &[OWN]);
        check("POST", 201, &[("location", "//evil.example/api/b")], &[OWN]);
        check("POST", 201, &[("location", "?b=1&a=2"), ("content-location", "")], &[OWN]);
    }

    #[test]
    fn a_query_by_post_changes_nothing() {
        let none = HeaderMap::new();
        let asked = Asked { method: &Method::POST, content: Content::Keyed([1; 32]), ..asked(&none) };
        assert_eq!(invalidates(&asked, &policy(), StatusCode::OK, &none), Invalidation::default());
    }

    #[test]
    fn groups_are_invalidated_by_unsafe_methods_alone() {
        let none = HeaderMap::new();
        let fields = headers(&[("cache-group-invalidation", "\"a\", \"b\"")]);
        let of = |method| invalidates(&Asked { method, ..asked(&none) }, &policy(), StatusCode::OK, &fields).groups;
        assert_eq!(of(&Method::POST), ["a", "b"]);
        assert!(of(&Method::GET).is_empty());
    }

    #[test]
    fn the_answer_to_a_post_may_be_what_is_at_its_url() {
        let none = HeaderMap::new();
        let kept = |method: &Method, status, fields: &[(&str, &str)]| {
            let asked = Asked { method, content: Content::Unkeyed, ..asked(&none) };
            let headers = headers(fields);
            kept_for_get(&asked, &policy(), &arrival(status, &headers)).map(|(key, _)| key.text().to_owned())
        };
        let (fresh, own) = (("cache-control", "max-age=9"), ("content-location", "/api/a"));
        assert_eq!(kept(&Method::POST, 200, &[fresh, own]).as_deref(), Some("https://shop.example/api/a"));
        assert_eq!(
            kept(&Method::POST, 200, &[fresh, ("content-location", "https://shop.example:443/api/a")]).as_deref(),
            Some("https://shop.example/api/a")
        );
        assert_eq!(kept(&Method::POST, 200, &[fresh]), None);
        assert_eq!(kept(&Method::POST, 200, &[fresh, ("content-location", "/api/b")]), None);
        assert_eq!(kept(&Method::POST, 200, &[fresh, ("content-location", "https://evil.example/api/a")]), None);
        assert_eq!(kept(&Method::POST, 200, &[own, ("etag", "\"a\"")]), None);
        assert_eq!(kept(&Method::POST, 200, &[own, ("last-modified", "@-1000")]), None);
        assert_eq!(kept(&Method::POST, 201, &[fresh, own]), None);
        assert_eq!(kept(&Method::POST, 200, &[own, ("cache-control", "private, max-age=9")]), None);
        assert_eq!(kept(&Method::PUT, 200, &[fresh, own]), None);
    }
}

//! A request as the cache sees it.

use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, PRAGMA};
use http::{HeaderMap, Method};

use super::directives::RequestDirectives;
use crate::config::CachePolicy;
use crate::field::list;

/// A request as the cache sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'request> {
    /// The method.
    pub method: &'request Method,
    /// `http` or `https`.
    pub scheme: &'request str,
    /// Host and port in lower case.
    pub authority: &'request str,
    /// In its one spelling.
    pub path: &'request str,
    /// Without the question mark.
    pub query: Option<&'request str>,
    /// All fields, as the client sent them.
    pub headers: &'request HeaderMap,
    /// What the request carries.
    pub content: Content,
}

/// What a request carries besides its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    None,
    /// Something that stands in the key by its digest: see [`super::content::read`].
    Keyed([u8; 32]),
    /// Something that nobody read, or that has no place in a key.
    Unkeyed,
    /// A GraphQL operation that changes something, or lasts.
    Operation,
}

impl Asked<'_> {
    /// The request's directives. `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111 §5.4).
    pub(super) fn directives(&self) -> RequestDirectives {
        if self.headers.contains_key(CACHE_CONTROL) {
            return RequestDirectives::parse(self.headers);
        }
        let mut directives = RequestDirectives::default();
        if let Some(pragma) = self.headers.get(PRAGMA) {
            let pragma = pragma.to_str().unwrap_or_default();
            directives.no_cache = list::members(pragma).any(|member| member.eq_ignore_ascii_case("no-cache"));
        }
        directives
    }

    /// Whether the client wants nothing of the answer to be kept (RFC 9111 §5.2.1.5).
    pub fn wants_nothing_kept(&self) -> bool {
        self.directives().no_store
    }

    /// Whether the request says who asks: a guess of ours, or a setting, never lets its answer be shared, and it is never
    /// answered with what was let in that way.
    pub fn is_personal(&self, policy: &CachePolicy) -> bool {
        self.headers.contains_key(AUTHORIZATION) || has_personal_cookie(self.headers, &policy.ignore_cookies)
    }

    pub(super) fn is_get_or_head(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }
}

fn has_personal_cookie(headers: &HeaderMap, ignored: &[String]) -> bool {
    headers.get_all(COOKIE).iter().any(|line| {
        // A line that is no text is no cookie that anybody has named.
        let Ok(line) = line.to_str() else { return true };
        // Cookies of several lines come joined by a comma, though none may stand in them (RFC 9113 §8.2.3).
        line.split(';').flat_map(|pair| pair.split(", ")).map(str::trim).filter(|pair| !pair.is_empty()).any(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name).trim();
            !ignored.iter().any(|pattern| fits(pattern, name))
        })
    })
}

/// Whether a name fits a pattern: the name itself, or its beginning and a `*`.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use crate::cache::fixture::{asked, headers, policy};

    #[track_caller]
    fn check(fields: &[(&str, &str)], ignored: &[&str], expected: bool) {
        let headers = headers(fields);
        let mut policy = policy();
        policy.ignore_cookies = ignored.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(asked(&headers).is_personal(&policy), expected, "{fields:?} {ignored:?}");
    }

    #[test]
    fn a_request_that_says_who_asks_is_personal() {
        check(&[], &[], false);
        check(&[("authorization", "Bearer x")], &["*"], true);
        check(&[("cookie", "session=1")], &[], true);
        check(&[("cookie", "_ga=1; _ga_X=2")], &["_ga*"], false);
        check(&[("cookie", "_ga=1; session=2")], &["_ga*"], true);
        check(&[("cookie", "_ga=1"), ("cookie", "session=2")], &["_ga*"], true);
        check(&[("cookie", "_ga=1, session=2")], &["_ga*"], true);
        check(&[("cookie", "_ga=1,2; _ga_X=3, _ga=1")], &["_ga*"], false);
        check(&[("cookie", "consent=1")], &["consent"], false);
        check(&[("cookie", "consents=1")], &["consent"], true);
        check(&[("cookie", "nameless")], &["consent"], true);
        check(&[("cookie", " ; ")], &[], false);
        check(&[("cookie", "_ga=é")], &["_ga*"], true);
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let no_cache = |fields: &[(&str, &str)]| asked(&headers(fields)).directives().no_cache;
        assert!(no_cache(&[("pragma", "x, No-Cache")]));
        assert!(!no_cache(&[("pragma", "no-cache"), ("cache-control", "max-age=5")]));
        assert!(!no_cache(&[("pragma", "foo")]));
    }
}

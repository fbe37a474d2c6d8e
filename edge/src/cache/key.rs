//! Under which key a response is kept (RFC 9111 §2): its URL in one spelling, and what the request carried.
//!
//! GET and HEAD share a key. The order of parameters never counts; those of one name keep theirs. What a policy leaves
//! out of the key is not sent to the origin either ([`forwarded_query`]): else whoever asks first could choose, by what
//! nobody keys, what everybody gets.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::Method;
use sha2::{Digest, Sha256};

use super::asked::{Asked, Content, fits};
use super::content;
use crate::config::{CachePolicy, QueryKey};
use crate::order;
use crate::query;

/// The key of a response, before variants are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    url: String,
    /// Where it is not the URL.
    text: Option<String>,
    /// Method and digest, where what the request carried counts; and which part of the URL's requests it is of.
    content: Option<String>,
}

/// Why a request has no key: it goes by the cache. Each has a word for `Cache-Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unkeyed {
    /// The method is none whose answers are kept.
    Method,
    /// It carries something that is not in the key.
    Content,
    /// It carries a GraphQL operation that is no query.
    Operation,
    /// It asks for another protocol.
    Upgrade,
}

/// Longer keys are a digest: stores have limits of their own (KV: 512 bytes).
const LIMIT_BYTES: usize = 400;

/// The key of a request.
pub fn key(asked: &Asked<'_>, policy: &CachePolicy) -> Result<Key, Unkeyed> {
    let digest = match (asked.method, asked.content) {
        (&Method::GET | &Method::HEAD, Content::None) if asked.headers.contains_key(http::header::UPGRADE) => {
            return Err(Unkeyed::Upgrade);
        }
        (&Method::GET | &Method::HEAD, Content::None) if policy.graphql && asks_operation(asked) => {
            return Err(Unkeyed::Operation);
        }
        (&Method::GET | &Method::HEAD, Content::None) => None,
        (_, Content::Operation) => return Err(Unkeyed::Operation),
        // RFC 9110 §9.3.1: what a GET carries means nothing; servers that read it all the same would be asked for one
        // thing and answer another.
        (&Method::GET | &Method::HEAD, _) => return Err(Unkeyed::Content),
        (method, Content::Keyed(digest)) if is_query(method) || *method == Method::POST => Some(digest),
        (method, _) if is_query(method) => return Err(Unkeyed::Content),
        _ => return Err(Unkeyed::Method),
    };
    let content = digest.map(|digest| format!("{} {}", asked.method, hexadecimal(&digest)));
    Ok(Key::new(url(asked, policy), content))
}

/// A GET must change nothing, whatever its URL says; but some GraphQL servers do what it says.
fn asks_operation(asked: &Asked<'_>) -> bool {
    asked.query.is_some_and(content::holds_operation)
}

impl Key {
    fn new(url: String, content: Option<String>) -> Key {
        let is_url = content.is_none() && url.len() <= LIMIT_BYTES;
        let text = (!is_url).then(|| text_of(&url, content.as_deref()));
        Key { url, text, content }
    }

    /// The key of GET at a URL, as [`url`] spells it.
    pub fn of_url(url: String) -> Key {
        Key::new(url, None)
    }

    /// The same for some requests of its URL alone, which others do not share: those that a route is for by more than their URL.
    #[must_use]
    pub fn apart(self, part: &str) -> Key {
        let content = self.content.map_or_else(String::new, |content| content + " ");
        Key::new(self.url, Some(format!("{content}part={part}")))
    }

    /// Whether it is of a URL alone, and not of what a request carried or said too.
    pub fn is_of_url(&self) -> bool {
        self.content.is_none()
    }

    /// What tells it from every other key, in visible ASCII and spaces.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or(&self.url)
    }

    /// The URL that it is of, in its one spelling, without what the policy leaves out: what a purge names.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Unkeyed {
    /// The word for `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Unkeyed::Method => "method",
            Unkeyed::Content => "content-unkeyed",
            Unkeyed::Operation => "graphql-operation",
            Unkeyed::Upgrade => "upgrade",
        }
    }
}

/// The method of RFC 10008.
pub(super) fn is_query(method: &Method) -> bool {
    method.as_str() == "QUERY"
}

/// A URL as keys and purges spell it.
pub fn url(asked: &Asked<'_>, policy: &CachePolicy) -> String {
    let Asked { scheme, authority, path, .. } = asked;
    let mut url = String::with_capacity(scheme.len() + authority.len() + path.len() + 32);
    url.extend([scheme, "://", authority, path]);
    if let Some(query) = asked.query {
        let mut parameters: Vec<(Cow<'_, str>, &str)> = kept(query, &policy.query).collect();
        order::sort(&mut parameters, |(one, _), (other, _)| one.cmp(other));
        for (place, (_, parameter)) in parameters.into_iter().enumerate() {
            url.push(if place == 0 { '?' } else { '&' });
            push_visible(&mut url, parameter);
        }
    }
    url
}

/// The query that goes to the origin: without what the policy leaves out of the key.
pub fn forwarded_query<'query>(query: Option<&'query str>, policy: &CachePolicy) -> Option<Cow<'query, str>> {
    let query = query?;
    if policy.query == QueryKey::All {
        return Some(Cow::Borrowed(query));
    }
    let parameters: Vec<&str> = kept(query, &policy.query).map(|(_, parameter)| parameter).collect();
    (!parameters.is_empty()).then(|| Cow::Owned(parameters.join("&")))
}

/// The parameters that stand in the key, each with its decoded name.
fn kept<'query>(query: &'query str, rule: &QueryKey) -> impl Iterator<Item = (Cow<'query, str>, &'query str)> {
    let named = query.split('&').map(|parameter| (query::name(parameter), parameter));
    named.filter(move |(name, _)| match rule {
        QueryKey::All => true,
        QueryKey::Ignore(patterns) => !patterns.iter().any(|pattern| fits(pattern, name)),
        QueryKey::Only(patterns) => patterns.iter().any(|pattern| fits(pattern, name)),
    })
}

/// Adds a text of a URL; what no URL may hold is percent-encoded.
fn push_visible(url: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a string takes whatever is written");
        }
    }
}

/// A key's text: of a long URL the beginning, for people, and its digest.
fn text_of(url: &str, content: Option<&str>) -> String {
    let mut text = if url.len() <= LIMIT_BYTES {
        url.to_owned()
    } else {
        format!("{} {}", url.get(..100).unwrap_or_default(), hexadecimal(&Sha256::digest(url).into()))
    };
    if let Some(content) = content {
        text.extend([" ", content]);
    }
    text
}

pub(super) fn hexadecimal(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;
    use crate::cache::fixture::{asked, headers, policy};

    fn text(query: &str, rule: QueryKey) -> String {
        let none = HeaderMap::new();
        let policy = CachePolicy { query: rule, ..policy() };
        key(&Asked { query: Some(query), ..asked(&none) }, &policy).unwrap().text().to_owned()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_key_is_the_url_in_one_spelling() {
        for (query, expected) in [
            ("", "?"),
            ("b=2&a=1", "?a=1&b=2"),
            ("a=2&b=1&a=1", "?a=2&a=1&b=1"),
            ("a", "?a"),
            ("a=", "?a="),
            ("A=1&a=1", "?A=1&a=1"),
            ("q=é ü", "?q=%C3%A9%20%C3%BC"),
            ("%62=1&a=1", "?a=1&%62=1"),
        ] {
            assert_eq!(text(query, QueryKey::All), format!("https://shop.example/api/a{expected}"), "{query}");
        }
        let none = HeaderMap::new();
        assert_eq!(key(&asked(&none), &policy()).unwrap().text(), "https://shop.example/api/a");
        let head = Asked { method: &Method::HEAD, ..asked(&none) };
        assert_eq!(key(&head, &policy()), key(&asked(&none), &policy()));
    }

    #[test]
    fn a_policy_leaves_parameters_out_in_every_spelling_and_the_origin_does_not_see_them() {
        let ignore = || QueryKey::Ignore(names(&["utm_*", "ref"]));
        let only = || QueryKey::Only(names(&["page", "a b"]));
        for (rule, query, kept, forwarded) in [
            (ignore(), "utm_source=x&a=1&ref=2", "a=1", Some("a=1")),
            (ignore(), "%75tm_source=x&a=1", "a=1", Some("a=1")),
            (ignore(), "b=1&utm_x&a=1", "a=1&b=1", Some("b=1&a=1")),
            (ignore(), "refs=1", "refs=1", Some("refs=1")),
            (ignore(), "utm_x=1", "", None),
            (only(), "x=1&page=2", "page=2", Some("page=2")),
            (only(), "x=1&p%61ge=2", "p%61ge=2", Some("p%61ge=2")),
            (only(), "a+b=1&c=1", "a+b=1", Some("a+b=1")),
            (only(), "utm_x=1;page=2", "", None),
        ] {
            let policy = CachePolicy { query: rule.clone(), ..policy() };
            let expected = if kept.is_empty() { String::new() } else { format!("?{kept}") };
            assert_eq!(text(query, rule), format!("https://shop.example/api/a{expected}"), "{query}");
            assert_eq!(forwarded_query(Some(query), &policy).as_deref(), forwarded, "{query}");
        }
        assert_eq!(forwarded_query(Some("b=1&a=%zz"), &policy()).as_deref(), Some("b=1&a=%zz"));
        assert_eq!(forwarded_query(None, &policy()), None);
    }

    #[test]
    fn what_has_no_key_goes_by_the_cache_for_a_reason() {
        let none = HeaderMap::new();
        let upgrade = headers(&[("upgrade", "websocket")]);
        let digest = Content::Keyed([1; 32]);
        let query = Method::from_bytes(b"QUERY").unwrap();
        let purge = Method::from_bytes(b"PURGE").unwrap();
        let graphql = CachePolicy { graphql: true, ..policy() };
        for (method, fields, content, url, policy, expected) in [
            (&Method::POST, &none, Content::Unkeyed, None, &policy(), Some(Unkeyed::Method)),
            (&Method::POST, &none, Content::None, None, &policy(), Some(Unkeyed::Method)),
            (&Method::POST, &none, digest, None, &policy(), None),
            (&Method::POST, &none, Content::Operation, None, &graphql, Some(Unkeyed::Operation)),
            (&Method::DELETE, &none, Content::None, None, &policy(), Some(Unkeyed::Method)),
            (&Method::OPTIONS, &none, Content::None, None, &policy(), Some(Unkeyed::Method)),
            (&purge, &none, Content::None, None, &policy(), Some(Unkeyed::Method)),
            (&Method::PUT, &none, digest, None, &policy(), Some(Unkeyed::Method)),
            // A GET with a body: some servers answer the body's question.
            (&Method::GET, &none, Content::Unkeyed, None, &policy(), Some(Unkeyed::Content)),
            (&Method::GET, &none, digest, None, &policy(), Some(Unkeyed::Content)),
            (&Method::GET, &upgrade, Content::None, None, &policy(), Some(Unkeyed::Upgrade)),
            (&Method::GET, &none, Content::None, Some("query=mutation{a}"), &policy(), None),
            (&Method::GET, &none, Content::None, Some("query=mutation{a}"), &graphql, Some(Unkeyed::Operation)),
            (&Method::GET, &none, Content::None, Some("query={a}"), &graphql, None),
            (&query, &none, digest, None, &policy(), None),
            (&query, &none, Content::Unkeyed, None, &policy(), Some(Unkeyed::Content)),
            (&query, &none, Content::None, None, &policy(), Some(Unkeyed::Content)),
        ] {
            let asked = Asked { method, content, query: url, ..asked(fields) };
            assert_eq!(key(&asked, policy).err(), expected, "{method} {content:?} {url:?}");
        }
    }

    #[test]
    fn content_and_method_are_part_of_the_key() {
        let none = HeaderMap::new();
        let query = Method::from_bytes(b"QUERY").unwrap();
        let of = |method, byte| {
            let asked = Asked { method, content: Content::Keyed([byte; 32]), ..asked(&none) };
            key(&asked, &policy()).unwrap().text().to_owned()
        };
        let all = [of(&query, 1), of(&query, 2), of(&Method::POST, 1), text("", QueryKey::All)];
        assert!((1..all.len()).all(|place| !all[..place].contains(&all[place])), "{all:?}");
    }

    #[test]
    fn a_key_of_sixteen_kilobytes_is_short_and_its_url_whole() {
        let none = HeaderMap::new();
        let of = |query: &str| key(&Asked { query: Some(query), ..asked(&none) }, &policy()).unwrap();
        let long = "x".repeat(16 * 1024);
        let (one, other) = (of(&long), of(&format!("{long}y")));
        assert!(one.text().len() < LIMIT_BYTES && one.text().starts_with("https://shop.example/api/a?xxx"));
        assert_ne!(one.text(), other.text());
        assert!(one.url().ends_with(&long));
        assert!(of("x").text().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    proptest! {
        #[test]
        fn the_order_of_parameters_never_counts(
            (before, after) in prop::collection::hash_map("[a-z%+]{1,4}", "[a-z0-9]{0,3}", 0..8)
                .prop_map(|map| map.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
                // Names that are one when decoded keep their order: two of them are one parameter twice.
                .prop_filter("names differ", |parameters| {
                    let mut names: Vec<_> = parameters.iter().map(|one| query::name(one).into_owned()).collect();
                    names.sort();
                    names.dedup();
                    names.len() == parameters.len()
                })
                .prop_flat_map(|parameters| (Just(parameters.clone()), Just(parameters).prop_shuffle())),
        ) {
            prop_assert_eq!(text(&before.join("&"), QueryKey::All), text(&after.join("&"), QueryKey::All));
        }

        #[test]
        fn different_queries_have_different_keys(one in "[a-c&=]{0,8}", other in "[a-c&=]{0,8}") {
            let sorted = |query: &str| {
                let mut parameters: Vec<_> = query.split('&').map(str::to_owned).collect();
                parameters.sort_by_key(|parameter| query::name(parameter).into_owned());
                parameters
            };
            let same = text(&one, QueryKey::All) == text(&other, QueryKey::All);
            prop_assert_eq!(same, sorted(&one) == sorted(&other));
        }

        #[test]
        fn no_query_is_too_strange(query in "\\PC{0,60}") {
            let key = text(&query, QueryKey::Ignore(names(&["a*"])));
            prop_assert!(key.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }
}

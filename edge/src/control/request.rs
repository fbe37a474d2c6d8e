//! A purge as it is asked for: JSON, bounded, its URLs in the one spelling that stored responses carry.

use std::collections::HashSet;

use serde::Deserialize;

use super::index::PREFIX_SEGMENTS;
use super::ledger::RECORD;
use super::record::{Purge, Selector, Strength};
use crate::json;
use crate::path::{BadPath, canonical};

/// The body of a request.
pub const BODY_BYTES: u64 = 256 * 1024;

/// A URL, or a prefix.
const URL_BYTES: usize = 8 * 1024;

/// A tag, or the name of a group: as long as the zone API takes.
const NAME_BYTES: usize = 1024;

/// The key that makes a request safe to repeat.
const KEY_BYTES: usize = 200;

/// A purge that can be added to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is purged.
    pub purge: Purge,
    /// Repeated, it purges nothing more.
    pub key: Option<String>,
}

/// Why a request is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Not JSON, or not of this form.
    #[error("the body is not a purge: {0}")]
    Form(String),
    /// Nothing to purge.
    #[error("`purges` is empty")]
    Nothing,
    /// Past what one record holds.
    #[error("more than {} purges, or {} bytes of them, in one request", RECORD.selectors, RECORD.text_bytes)]
    TooMany,
    /// One of them.
    #[error("`purges[{place}]`: {why}")]
    Item {
        /// From zero.
        place: usize,
        /// Why not.
        why: BadItem,
    },
    /// Of this length, and of visible ASCII.
    #[error("`key` is empty, longer than {KEY_BYTES} bytes, or not of visible ASCII characters")]
    Key,
}

/// Why one item cannot be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadItem {
    /// Of a URL or a prefix.
    #[error("it is longer than {URL_BYTES} bytes")]
    UrlTooLong,
    /// Of a tag or a group.
    #[error("it is empty, longer than {NAME_BYTES} bytes, or holds control characters")]
    Name,
    /// Neither a path nor an absolute URL.
    #[error("it is neither a path that begins with `/` nor an `http` or `https` URL without user")]
    NoUrl,
    /// No request for it would be answered.
    #[error("its path is spelled in a way that no request may be: {0}")]
    Path(BadPath),
    /// Of a prefix.
    #[error("a prefix has no query: it ends where a segment of the path does")]
    PrefixWithQuery,
    /// Of a prefix.
    #[error("a prefix has at most {PREFIX_SEGMENTS} segments")]
    PrefixTooDeep,
    /// `"all": false`.
    #[error("`all` can only be true")]
    NotAll,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    purges: Vec<Item>,
    #[serde(default)]
    soft: bool,
    #[serde(default)]
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Item {
    Url(String),
    Prefix(String),
    Tag(String),
    Group(String),
    All(bool),
}

/// Where the request arrived, and how URLs are spelled there.
#[derive(Clone, Copy)]
pub struct Here<'site> {
    /// `http` or `https`. Paths and groups are of this origin.
    pub scheme: &'site str,
    /// With its port.
    pub authority: &'site str,
    /// The one spelling of a query in a stored response's URL, for a path; `None` where none of it counts.
    pub spell_query: &'site dyn Fn(&str, &str) -> Option<String>,
}

impl Request {
    /// Reads the body of a request that arrived `here`.
    pub fn parse(body: &[u8], here: Here<'_>) -> Result<Request, BadRequest> {
        let body: Body = json::read(body).map_err(|error| BadRequest::Form(error.to_string()))?;
        if body.purges.is_empty() {
            return Err(BadRequest::Nothing);
        }
        if body.purges.len() > RECORD.selectors {
            return Err(BadRequest::TooMany);
        }
        let fits = |key: &str| (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if body.key.as_deref().is_some_and(|key| !fits(key)) {
            return Err(BadRequest::Key);
        }
        let mut seen = HashSet::new();
        let mut of = Vec::with_capacity(body.purges.len());
        for (place, item) in body.purges.into_iter().enumerate() {
            let selector = selector(item, here).map_err(|why| BadRequest::Item { place, why })?;
            if seen.insert(selector.clone()) {
                of.push(selector);
            }
        }
        if of.iter().map(Selector::length).sum::<usize>() > RECORD.text_bytes {
            return Err(BadRequest::TooMany);
        }
        let strength = if body.soft { Strength::Soft } else { Strength::Hard };
        Ok(Request { purge: Purge { of, strength }, key: body.key })
    }
}

fn selector(item: Item, here: Here<'_>) -> Result<Selector, BadItem> {
    let named = |name: String| {
        let fits = (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        if fits { Ok(name) } else { Err(BadItem::Name) }
    };
    Ok(match item {
        Item::Url(text) => Selector::Url(url(&text, here)?),
        Item::Prefix(text) => Selector::Prefix(prefix(&text, here)?),
        Item::Tag(name) => Selector::Tag(named(name)?),
        Item::Group(name) => Selector::Group { origin: origin(here.scheme, here.authority), name: named(name)? },
        Item::All(true) => Selector::All,
        Item::All(false) => return Err(BadItem::NotAll),
    })
}

/// A URL in the one spelling; a path is of the origin `here`.
fn url(text: &str, here: Here<'_>) -> Result<String, BadItem> {
    if text.len() > URL_BYTES {
        return Err(BadItem::UrlTooLong);
    }
    let text = text.split('#').next().unwrap_or_default();
    let (origin, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !text.starts_with('/') => {
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
            let scheme = scheme.to_ascii_lowercase();
            if !matches!(scheme.as_str(), "http" | "https") || authority.is_empty() || !authority.bytes().all(fits) {
                return Err(BadItem::NoUrl);
            }
            (self::origin(&scheme, authority), rest)
        }
        _ if text.starts_with('/') => (self::origin(here.scheme, here.authority), text),
        _ => return Err(BadItem::NoUrl),
    };
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = canonical(if path.is_empty() { "/" } else { path }).map_err(BadItem::Path)?.path;
    Ok(match query.and_then(|query| (here.spell_query)(&path, query)) {
        Some(query) => format!("{origin}{path}?{query}"),
        None => format!("{origin}{path}"),
    })
}

fn prefix(text: &str, here: Here<'_>) -> Result<String, BadItem> {
    if text.contains('?') {
        return Err(BadItem::PrefixWithQuery);
    }
    let prefix = url(text, here)?;
    let path = &prefix[super::index::origin(&prefix).len()..];
    if path.trim_end_matches('/').matches('/').count() > PREFIX_SEGMENTS {
        return Err(BadItem::PrefixTooDeep);
    }
    Ok(prefix)
}

/// An origin in one spelling: lower case, without the scheme's own port.
fn origin(scheme: &str, authority: &str) -> String {
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.to_ascii_lowercase();
    format!("{scheme}://{}", authority.strip_suffix(own_port).unwrap_or(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Request, BadRequest> {
        let spell_query = |path: &str, query: &str| (path != "/unkeyed").then(|| query.to_owned());
        let here = Here { scheme: "https", authority: "Shop.example:443", spell_query: &spell_query };
        Request::parse(body.as_bytes(), here)
    }

    #[track_caller]
    fn check(item: &str, expected: Result<Selector, BadItem>) {
        let parsed = parse(&format!(r#"{{"purges":[{item}]}}"#)).map(|request| request.purge.of[0].clone());
        assert_eq!(parsed, expected.map_err(|why| BadRequest::Item { place: 0, why }), "{item}");
    }

    #[track_caller]
    fn check_url(text: &str, expected: Result<&str, BadItem>) {
        check(&format!(r#"{{"url":"{text}"}}"#), expected.map(|url| Selector::Url(url.to_owned())));
    }

    #[test]
    fn urls_have_one_spelling() {
        check_url("/a", Ok("https://shop.example/a"));
        check_url("/", Ok("https://shop.example/"));
        check_url("https://shop.example", Ok("https://shop.example/"));
        check_url("HTTPS://SHOP.example:443/%7ea?b=%7e&a#top", Ok("https://shop.example/~a?b=%7e&a"));
        check_url("http://h:8080?x", Ok("http://h:8080/?x"));
        check_url("http://[::1]:80/", Ok("http://[::1]/"));
        check_url("/unkeyed?a=1", Ok("https://shop.example/unkeyed"));
        check_url("/login?to=https://other.example/", Ok("https://shop.example/login?to=https://other.example/"));
        for url in ["", "a/b", "ftp://h/", "https://", "https:///a", "https://user@h/", "https://a b/"] {
            check_url(url, Err(BadItem::NoUrl));
        }
        check_url("/a/../b", Err(BadItem::Path(BadPath::Dots)));
        check_url("/%zz", Err(BadItem::Path(BadPath::Escape)));
        check_url(&format!("/{}", "a".repeat(URL_BYTES)), Err(BadItem::UrlTooLong));
    }

    #[test]
    fn prefixes_end_where_segments_do() {
        check(r#"{"prefix":"/a/"}"#, Ok(Selector::Prefix("https://shop.example/a/".into())));
        check(r#"{"prefix":"http://h"}"#, Ok(Selector::Prefix("http://h/".into())));
        check(r#"{"prefix":"/a?b"}"#, Err(BadItem::PrefixWithQuery));
        let deep = |segments: usize| format!(r#"{{"prefix":"{}/"}}"#, "/a".repeat(segments));
        check(
            &deep(PREFIX_SEGMENTS),
            Ok(Selector::Prefix(format!("https://shop.example{}/", "/a".repeat(PREFIX_SEGMENTS)))),
        );
        check(&deep(PREFIX_SEGMENTS + 1), Err(BadItem::PrefixTooDeep));
    }

    #[test]
    fn names_are_bounded_and_groups_are_of_an_origin() {
        check(r#"{"tag":"product 1"}"#, Ok(Selector::Tag("product 1".into())));
        check(r#"{"tag":""}"#, Err(BadItem::Name));
        check(r#"{"tag":"a\nb"}"#, Err(BadItem::Name));
        check(&format!(r#"{{"tag":"{}"}}"#, "t".repeat(NAME_BYTES + 1)), Err(BadItem::Name));
        let group = Selector::Group { origin: "https://shop.example".into(), name: "stock".into() };
        check(r#"{"group":"stock"}"#, Ok(group));
        check(r#"{"all":true}"#, Ok(Selector::All));
        check(r#"{"all":false}"#, Err(BadItem::NotAll));
    }

    #[test]
    fn a_request_is_hard_and_has_no_key_unless_it_says_so() {
        let request = parse(r#"{"purges":[{"tag":"a"},{"tag":"b"},{"tag":"a"}]}"#).unwrap();
        assert_eq!(request.purge.of, [Selector::Tag("a".into()), Selector::Tag("b".into())], "each once");
        assert_eq!((request.purge.strength, request.key), (Strength::Hard, None));
        let request = parse(r#"{"purges":[{"all":true}],"soft":true,"key":"deploy-1"}"#).unwrap();
        assert_eq!((request.purge.strength, request.key.as_deref()), (Strength::Soft, Some("deploy-1")));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in ["", "[]", "{}", r#"{"purges":{}}"#, r#"{"purges":[{"url":1}]}"#, r#"{"purges":[{"urls":["/"]}]}"#]
        {
            assert!(matches!(parse(body), Err(BadRequest::Form(_))), "{body}: {:?}", parse(body));
        }
        // A misspelled `soft` must not become a hard purge.
        assert!(matches!(parse(r#"{"purges":[{"all":true}],"Soft":true}"#), Err(BadRequest::Form(_))));
        assert!(matches!(parse(r#"{"purges":[{"tag":"a","url":"/"}]}"#), Err(BadRequest::Form(_))));
        assert_eq!(parse(r#"{"purges":[]}"#), Err(BadRequest::Nothing));
        for key in ["", "a b", "é", &"k".repeat(KEY_BYTES + 1)] {
            assert_eq!(
                parse(&format!(r#"{{"purges":[{{"all":true}}],"key":"{key}"}}"#)),
                Err(BadRequest::Key),
                "{key}"
            );
        }
    }

    #[test]
    fn one_request_holds_as_much_as_one_record() {
        let many = |count: usize, length: usize| {
            let purges: Vec<String> = (0..count).map(|number| format!(r#"{{"tag":"{number:0length$}"}}"#)).collect();
            parse(&format!(r#"{{"purges":[{}]}}"#, purges.join(",")))
        };
        assert_eq!(many(RECORD.selectors, 10).unwrap().purge.of.len(), RECORD.selectors);
        assert_eq!(many(RECORD.selectors + 1, 10), Err(BadRequest::TooMany));
        assert!(many(128, 1024).is_ok());
        assert_eq!(many(129, 1024), Err(BadRequest::TooMany));
    }
}

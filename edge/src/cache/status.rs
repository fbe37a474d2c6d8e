//! `Cache-Status` (RFC 9211): what the cache did, told from the decisions themselves.

use http::HeaderValue;

use super::fetch::Why;
use super::key::Key;
use super::plan::{Grounds, Serve};
use crate::field::structured;

/// How a request was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'key> {
    /// Whether it was answered from what is stored, or why it went on.
    pub outcome: Outcome,
    /// What the origin answered, where it was asked and did.
    pub fwd_status: Option<u16>,
    /// Seconds that the answer stays fresh; negative since it is stale.
    pub ttl_s: Option<i64>,
    /// Whether the answer is kept.
    pub stored: bool,
    /// Whether it waited for another's request to the origin.
    pub collapsed: bool,
    /// The key.
    pub key: Option<&'key Key>,
    /// Our word for the reason.
    pub detail: Option<&'static str>,
}

/// The first thing that a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The origin was not asked for this answer.
    Hit,
    /// It was.
    Forward(Why),
    /// Neither: the answer is ours (RFC 9211 §2: no parameter need be there).
    Neither,
}

impl Outcome {
    /// `hit`, why the origin was asked, or that the request was refused.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::Forward(why) => why.token(),
            Outcome::Neither => "refused",
        }
    }
}

/// Longer keys are cut: a field is no place for them.
const KEY_LIMIT_BYTES: usize = 200;

impl<'key> Status<'key> {
    /// Of an answer from what is stored.
    pub fn hit(serve: &Serve, key: &'key Key) -> Status<'key> {
        let status = Status::new(Outcome::Hit, Some(key));
        Status { ttl_s: Some(serve.ttl_s), detail: serve.grounds.word(), ..status }
    }

    /// Of an answer for which the origin was asked.
    pub fn forwarded(why: Why, key: Option<&'key Key>) -> Status<'key> {
        Status::new(Outcome::Forward(why), key)
    }

    /// With our word for the reason.
    pub fn detailed(self, word: &'static str) -> Status<'key> {
        Status { detail: Some(word), ..self }
    }

    /// Of an answer of ours.
    pub fn ours(detail: &'static str, key: Option<&'key Key>) -> Status<'key> {
        Status { detail: Some(detail), ..Status::new(Outcome::Neither, key) }
    }

    fn new(outcome: Outcome, key: Option<&'key Key>) -> Status<'key> {
        Status { outcome, fwd_status: None, ttl_s: None, stored: false, collapsed: false, key, detail: None }
    }

    /// The member of the field for a cache of this name (a token).
    pub fn render(&self, cache: &str) -> HeaderValue {
        let mut text = String::with_capacity(160);
        text.push_str(cache);
        match self.outcome {
            Outcome::Hit => text.push_str("; hit"),
            Outcome::Forward(why) => text.extend(["; fwd=", why.token()]),
            Outcome::Neither => {}
        }
        let number = |text: &mut String, name: &str, number: i64| {
            text.extend(["; ", name, "=", itoa::Buffer::new().format(number)]);
        };
        if let Some(status) = self.fwd_status {
            number(&mut text, "fwd-status", status.into());
        }
        if let Some(ttl) = self.ttl_s {
            // RFC 9651 §3.3.1: integers have fifteen digits at most.
            number(&mut text, "ttl", ttl.clamp(-999_999_999_999_999, 999_999_999_999_999));
        }
        for (said, parameter) in [(self.stored, "; stored"), (self.collapsed, "; collapsed")] {
            if said {
                text.push_str(parameter);
            }
        }
        if let Some(key) = self.key {
            text.push_str("; key=");
            let key = key.text();
            structured::quote(key.get(..KEY_LIMIT_BYTES).unwrap_or(key), &mut text);
        }
        if let Some(detail) = self.detail {
            text.extend(["; detail=", detail]);
        }
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("rimward"))
    }
}

impl Grounds {
    /// The word for `Cache-Status`, where "hit" and a time to live do not say it.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Grounds::Fresh | Grounds::Validated => None,
            Grounds::MaxStale => Some("max-stale"),
            Grounds::WhileRevalidating => Some("stale-while-revalidate"),
            Grounds::OriginFails => Some("stale-if-error"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::cache::asked::Asked;
    use crate::cache::fixture::{asked, policy};
    use crate::cache::key::key;
    use crate::cache::select::Form;

    fn of(query: &str) -> Key {
        let none = HeaderMap::new();
        key(&Asked { query: Some(query), ..asked(&none) }, &policy()).unwrap()
    }

    fn serve(ttl_s: i64, grounds: Grounds) -> Serve {
        Serve { form: Form::Whole, age_s: 0, ttl_s, grounds }
    }

    #[track_caller]
    fn check(status: &Status<'_>, expected: &str) {
        assert_eq!(status.render("edge"), expected);
    }

    #[test]
    fn a_status_says_what_was_done() {
        let key = of("a=1");
        let url = "\"https://shop.example/api/a?a=1\"";
        check(&Status::hit(&serve(50, Grounds::Fresh), &key), &format!("edge; hit; ttl=50; key={url}"));
        let stale = Status::hit(&serve(-5, Grounds::WhileRevalidating), &key);
        check(&stale, &format!("edge; hit; ttl=-5; key={url}; detail=stale-while-revalidate"));
        let miss = Status::forwarded(Why::UriMiss, Some(&key));
        check(&miss, &format!("edge; fwd=uri-miss; key={url}"));
        let stored = Status { fwd_status: Some(200), ttl_s: Some(60), stored: true, collapsed: true, ..miss };
        check(&stored, &format!("edge; fwd=uri-miss; fwd-status=200; ttl=60; stored; collapsed; key={url}"));
        check(&Status::forwarded(Why::Bypass, None).detailed("upgrade"), "edge; fwd=bypass; detail=upgrade");
        check(&Status::ours("only-if-cached", None), "edge; detail=only-if-cached");
    }

    #[test]
    fn a_status_is_a_structured_field_whatever_the_key_and_the_numbers() {
        for query in ["a=\"b\\c\"", "é=\u{1}", &"x".repeat(16 * 1024)] {
            let key = of(query);
            let text = Status::hit(&serve(i64::MIN, Grounds::Fresh), &key).render("edge");
            assert!(text.len() < 300, "{query}");
            let list: sfv::List = sfv::Parser::new(text.as_bytes()).parse().unwrap();
            assert_eq!(list.len(), 1, "{query}");
        }
    }
}

//! What the tests of the rules are made from.

use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::admit::{Arrival, Pass, admit};
use super::asked::{Asked, Content};
use super::key::key;
use super::stored::Stored;
use crate::config::CachePolicy;
use crate::field::date;
use crate::time::Timestamp;

/// Sat, 21 Nov 2026 00:00:00 GMT.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

/// So many seconds after [`NOW`], or before.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis().saturating_add_signed(seconds * 1000))
}

/// The date of so many seconds after [`NOW`].
pub(super) fn date_at(seconds: i64) -> String {
    date::format(at(seconds))
}

/// Fields; a value of `@` and a number is the date of so many seconds after [`NOW`].
pub(super) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in lines {
        let date = value.strip_prefix('@').and_then(|seconds| seconds.parse().ok()).map(date_at);
        let value = date.as_deref().unwrap_or(value);
        headers.append(name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

pub(super) fn policy() -> CachePolicy {
    CachePolicy::default()
}

pub(super) fn asked(headers: &HeaderMap) -> Asked<'_> {
    Asked {
        method: &Method::GET,
        scheme: "https",
        authority: "shop.example",
        path: "/api/a",
        query: None,
        headers,
        content: Content::None,
    }
}

/// An answer that was asked for and came at [`NOW`].
pub(super) fn arrival(status: u16, headers: &HeaderMap) -> Arrival<'_> {
    let status = StatusCode::from_u16(status).unwrap();
    Arrival { status, headers, requested_at: NOW, received_at: NOW, sequence: 7, log: 5 }
}

/// What is made of a plain GET's answer.
pub(super) fn admitted(status: u16, fields: &[(&str, &str)], policy: &CachePolicy) -> Result<Stored, Pass> {
    let none = HeaderMap::new();
    let asked = asked(&none);
    admit(&asked, policy, &key(&asked, policy).unwrap(), &arrival(status, &headers(fields)))
}

/// A stored 200 of ten bytes.
pub(super) fn stored(fields: &[(&str, &str)]) -> Stored {
    let mut all = vec![("content-length", "10")];
    all.extend(fields);
    admitted(200, &all, &policy()).unwrap_or_else(|pass| panic!("{fields:?}: {pass:?}"))
}

//! A stored response: its head as it is given out, and what the rules ask of it, read once.

use std::ops::Range;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::vary::Spec;
use crate::config::CachePolicy;
use crate::json;
use crate::time::Timestamp;

/// What is written in this form can be read in this form only; anything else counts as nothing.
const ENVELOPE: u16 = 1;

/// A stored response without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    envelope: u16,
    /// Of the request, as keys spell it: what a purge names.
    pub url: String,
    /// Its status: that of the whole, also where a part is held.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// The head as it is given out, without what each answer says anew (`Age`, `Content-Length`, `Content-Range`,
    /// `Cache-Status`) and without what must not be given out (fields that directives name).
    #[serde(with = "fields")]
    pub headers: HeaderMap,
    /// When the request for it was sent: what happened later is not in it.
    pub requested_at: Timestamp,
    /// When its age was zero: the age is how long that is ago (RFC 9111 §4.2.3).
    pub born_at: Timestamp,
    /// Freshness lifetime in seconds.
    pub lifetime_s: u64,
    /// Who gave it that lifetime.
    pub basis: Basis,
    /// What it takes to serve it.
    pub reuse: Reuse,
    /// While it is fresh, a client that reloads gets it without asking the origin (RFC 8246).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// Seconds past freshness in which it may be served while it is refreshed; absent where the policy decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_while_revalidate_s: Option<u64>,
    /// Seconds past freshness in which it may stand in for an origin that fails; absent where the policy decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_if_error_s: Option<u64>,
    /// Its entity tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<Timestamp>,
    /// Its `Date`, or when it came.
    pub date: Timestamp,
    /// What it was chosen by.
    #[serde(default, skip_serializing_if = "Spec::is_empty")]
    pub spec: Spec,
    /// Tags of the policy and of the origin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Groups (RFC 9875).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The sequence of the control log that was known when its fetch began: later purges are not in it.
    pub sequence: u64,
    /// Which control log that is a place of; 0 as long as logs were not told apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log: u64,
    /// Which bytes of the body are held.
    pub held: Held,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Who gave a response its freshness lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The origin: `max-age`, `s-maxage`, `Expires`, or a targeted field. Also where it gave none, and only validators
    /// make the response worth keeping.
    Origin,
    /// A guess from `Last-Modified` (RFC 9111 §4.2.2).
    Heuristic,
    /// The policy, because the origin said nothing.
    Default,
    /// The policy, whatever the origin said.
    Override,
}

/// What it takes to serve a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// It must be fresh, or something must allow it to be stale.
    Normal,
    /// Once stale it must be validated first, whatever else is said (RFC 9111 §5.2.2.2).
    NeverStale,
    /// It must be validated first every time (§5.2.2.4).
    Validate,
}

/// Which bytes of a body are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// All; how many is unknown while a body of undeclared length arrives.
    Whole(Option<u64>),
    /// One range of a body, whose own length may be unknown.
    Part(Range<u64>, Option<u64>),
}

/// A body that is not what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{came} bytes came where {said} were announced")]
pub struct Broken {
    /// By `Content-Length` or `Content-Range`.
    pub said: u64,
    /// Bytes.
    pub came: u64,
}

/// Who knows a response only by validators keeps it for this long past everything else: revalidating is cheaper than
/// fetching.
const VALIDATORS_KEPT_S: u64 = 24 * 3600;

/// What a stored response is made from; see the fields of [`Stored`].
pub(super) struct Made {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) requested_at: Timestamp,
    pub(super) born_at: Timestamp,
    pub(super) date: Timestamp,
    pub(super) spec: Spec,
    pub(super) sequence: u64,
    pub(super) log: u64,
    pub(super) held: Held,
}

impl Stored {
    pub(super) fn new(made: Made) -> Stored {
        Stored {
            envelope: ENVELOPE,
            url: made.url,
            status: made.status,
            headers: made.headers,
            requested_at: made.requested_at,
            born_at: made.born_at,
            lifetime_s: 0,
            basis: Basis::Origin,
            reuse: Reuse::Normal,
            immutable: false,
            stale_while_revalidate_s: None,
            stale_if_error_s: None,
            etag: None,
            last_modified: None,
            date: made.date,
            spec: made.spec,
            tags: Vec::new(),
            groups: Vec::new(),
            sequence: made.sequence,
            log: made.log,
            held: made.held,
        }
    }

    /// Whether it is written in the form of this version.
    pub fn is_current(&self) -> bool {
        self.envelope == ENVELOPE
    }

    /// Reads an envelope. `None` where it is of another form.
    pub fn from_json(bytes: &[u8]) -> Option<Stored> {
        json::read(bytes).ok().filter(|stored: &Stored| stored.envelope == ENVELOPE)
    }

    /// Writes the envelope.
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self).expect("plain data").into_bytes()
    }

    /// Its age in seconds (RFC 9111 §4.2.3).
    pub fn age_s(&self, now: Timestamp) -> u64 {
        now.seconds_since(self.born_at)
    }

    /// How long it may be kept, from now on, in seconds: until nothing allows to serve it and nothing is left to validate.
    pub fn retention_s(&self, policy: &CachePolicy, now: Timestamp) -> u64 {
        let grace = match self.reuse {
            Reuse::Normal => {
                let while_revalidating = self.stale_while_revalidate_s.unwrap_or(policy.stale_while_revalidate_s);
                while_revalidating.max(self.stale_if_error_s.unwrap_or(policy.stale_if_error_s))
            }
            Reuse::NeverStale | Reuse::Validate => 0,
        };
        let beyond = if self.has_validator() { grace.max(VALIDATORS_KEPT_S) } else { grace };
        self.lifetime_s.saturating_add(beyond).saturating_sub(self.age_s(now))
    }

    /// Whether the origin can be asked if it is still the one.
    pub fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Whether its `Last-Modified` tells states apart: it was a minute old or more (RFC 9110 §8.8.2.2).
    pub(super) fn is_last_modified_strong(&self) -> bool {
        self.last_modified.is_some_and(|modified| self.date.seconds_since(modified) >= 60)
    }

    /// The length of the whole body, where it is known.
    pub fn complete_length(&self) -> Option<u64> {
        match &self.held {
            Held::Whole(length) => *length,
            Held::Part(_, complete) => *complete,
        }
    }

    /// How many bytes its body must have, where that was said.
    pub fn announced(&self) -> Option<u64> {
        match &self.held {
            Held::Whole(length) => *length,
            Held::Part(range, _) => Some(range.end - range.start),
        }
    }

    /// Where in the whole body the bytes that are held begin.
    pub fn offset(&self) -> u64 {
        match &self.held {
            Held::Whole(_) => 0,
            Held::Part(range, _) => range.start,
        }
    }

    /// Notes how many bytes came, when all have. What came short, or long, is not kept.
    pub fn seal(&mut self, came: u64) -> Result<(), Broken> {
        match self.announced() {
            Some(said) if said != came => Err(Broken { said, came }),
            Some(_) => Ok(()),
            None => {
                self.held = Held::Whole(Some(came));
                Ok(())
            }
        }
    }
}

/// A status as its number.
mod status {
    use http::StatusCode;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Fields as pairs in order; bytes past ASCII as the characters of their number.
mod fields {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            headers.iter().map(|(name, value)| {
                (name.as_str(), value.as_bytes().iter().copied().map(char::from).collect::<String>())
            }),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
        let pairs: Vec<(String, String)> = Vec::deserialize(deserializer)?;
        let mut headers = HeaderMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            let name = HeaderName::try_from(name).map_err(D::Error::custom)?;
            let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
            let value = HeaderValue::from_bytes(&bytes.map_err(D::Error::custom)?).map_err(D::Error::custom)?;
            headers.append(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{admitted, at, policy, stored};

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let full = stored(&[
            ("cache-control", "max-age=60, stale-while-revalidate=5, stale-if-error=6, immutable"),
            ("etag", "W/\"é\""),
            ("last-modified", "@-100"),
            ("vary", "accept"),
            ("cache-groups", "\"a\", \"b\""),
            ("x-obs", "\u{e9}"),
            ("x-two", "1"),
            ("x-two", "2"),
        ]);
        let part =
            admitted(206, &[("cache-control", "max-age=60"), ("content-range", "bytes 3-6/*")], &policy()).unwrap();
        for stored in [full, part, stored(&[("cache-control", "max-age=60")])] {
            assert_eq!(Stored::from_json(&stored.to_json()).as_ref(), Some(&stored));
        }
    }

    #[test]
    fn an_envelope_of_another_version_or_cut_short_is_nothing() {
        let json = stored(&[("cache-control", "max-age=60")]).to_json();
        let text = String::from_utf8(json.clone()).unwrap();
        assert!(text.starts_with("{\"envelope\":1,"), "{text}");
        let later = text.replace("{\"envelope\":1,", "{\"envelope\":2,");
        assert_eq!(Stored::from_json(later.as_bytes()), None);
        assert!((0..json.len()).all(|end| Stored::from_json(&json[..end]).is_none()));
        let odd = text.replace("\"status\":200", "\"status\":7");
        assert_eq!(Stored::from_json(odd.as_bytes()), None);
    }

    #[test]
    fn a_response_is_kept_while_anything_allows_to_serve_or_to_validate_it() {
        let kept = |cache_control: &str, tag: bool, age_s| {
            let tag = if tag { "\"a\"" } else { "" };
            let mut stored = stored(&[("cache-control", cache_control), ("etag", "\"a\"")]);
            stored.etag = (!tag.is_empty()).then(|| tag.to_owned());
            let policy = CachePolicy { stale_if_error_s: 100, ..policy() };
            stored.retention_s(&policy, at(age_s))
        };
        assert_eq!(kept("max-age=60", false, 0), 160);
        assert_eq!(kept("max-age=60", false, 50), 110);
        assert_eq!(kept("max-age=60", false, 161), 0);
        assert_eq!(kept("max-age=60, stale-if-error=5, stale-while-revalidate=9", false, 0), 69);
        assert_eq!(kept("max-age=60, must-revalidate", false, 0), 60);
        assert_eq!(kept("max-age=60, must-revalidate", true, 0), 60 + VALIDATORS_KEPT_S);
        assert_eq!(kept("max-age=99999999999, stale-if-error=99999999999", true, 0), 2 << 31);
    }

    #[test]
    fn a_body_that_is_not_what_was_said_is_not_kept() {
        let mut said = stored(&[("cache-control", "max-age=60")]);
        assert_eq!(said.seal(9), Err(Broken { said: 10, came: 9 }));
        assert_eq!(said.seal(11), Err(Broken { said: 10, came: 11 }));
        assert_eq!(said.seal(10), Ok(()));
        let mut unsaid = admitted(200, &[("cache-control", "max-age=60")], &policy()).unwrap();
        assert_eq!((unsaid.seal(7), unsaid.complete_length()), (Ok(()), Some(7)));
        let fields = [("cache-control", "max-age=60"), ("content-range", "bytes 3-6/10")];
        let mut part = admitted(206, &fields, &policy()).unwrap();
        assert_eq!((part.seal(3), part.seal(4), part.offset()), (Err(Broken { said: 4, came: 3 }), Ok(()), 3));
    }
}

//! What is asked of the origin, and why.

use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderValue, Method};

use super::asked::Asked;
use super::key::Unkeyed;
use super::plan::Serve;

/// A request to the origin: how the client's head changes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Why what is stored does not do.
    pub why: Why,
    /// What is asked for.
    pub ask: Ask,
    /// What may be served if the origin fails.
    pub fallback: Option<Serve>,
}

/// What is asked of the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The whole: the client's conditions and ranges are answered from what comes.
    Whole,
    /// The whole, unless it is still what is stored.
    IfChanged {
        /// Its entity tag.
        etag: Option<HeaderValue>,
        /// Its `Last-Modified`, as the origin wrote it.
        last_modified: Option<HeaderValue>,
    },
    /// What is missing of what is stored, or the whole if it is no longer that.
    Rest {
        /// For `Range`.
        range: HeaderValue,
        /// A strong validator, where what is stored has one. Without one nothing is put together with it.
        if_range: Option<HeaderValue>,
    },
    /// What the client asks for, conditions and ranges included.
    AsAsked,
}

/// Why a request goes to the origin (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The cache does not handle it.
    Bypass,
    /// Its method.
    Method,
    /// Nothing is stored.
    UriMiss,
    /// Only other variants are.
    VaryMiss,
    /// What is stored would do, but not for this client.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored is a part.
    Partial,
}

impl Why {
    /// The token of `fwd`.
    pub fn token(self) -> &'static str {
        match self {
            Why::Bypass => "bypass",
            Why::Method => "method",
            Why::UriMiss => "uri-miss",
            Why::VaryMiss => "vary-miss",
            Why::Request => "request",
            Why::Stale => "stale",
            Why::Partial => "partial",
        }
    }
}

impl Fetch {
    /// Of a request without a key.
    pub fn unkeyed(unkeyed: Unkeyed) -> Fetch {
        let why = if unkeyed == Unkeyed::Method { Why::Method } else { Why::Bypass };
        Fetch { why, ask: Ask::AsAsked, fallback: None }
    }

    /// Of the whole, whatever is stored.
    pub fn whole(why: Why) -> Fetch {
        Fetch { why, ask: Ask::Whole, fallback: None }
    }

    /// With nothing stored. HEAD brings nothing to keep: what it asks is the origin's to answer.
    pub(super) fn missed(why: Why, asked: &Asked<'_>) -> Fetch {
        let ask = if *asked.method == Method::HEAD { Ask::AsAsked } else { Ask::Whole };
        Fetch { why, ask, fallback: None }
    }

    /// The same without conditions: after an answer that fits nothing.
    pub fn again(&self) -> Fetch {
        Fetch { why: self.why, ask: Ask::Whole, fallback: self.fallback.clone() }
    }

    /// The same where what is stored is of another URL: it may answer, but its validators and parts are not this one's.
    #[must_use]
    pub fn of_another_url(self, asked: &Asked<'_>) -> Fetch {
        let ask = if self.may_be_shared() { Fetch::missed(self.why, asked).ask } else { self.ask };
        Fetch { ask, ..self }
    }

    /// What the client asks for, to the letter.
    pub(super) fn as_asked(why: Why) -> Fetch {
        Fetch { why, ask: Ask::AsAsked, fallback: None }
    }

    /// The same, but for what the client itself asks for, where the whole is known not to be kept: a part, or "not modified".
    pub fn in_parts(self) -> Fetch {
        if self.ask == Ask::Whole { Fetch { ask: Ask::AsAsked, ..self } } else { self }
    }

    /// Whether others that plan the same may wait for its answer.
    pub fn may_be_shared(&self) -> bool {
        !matches!(self.ask, Ask::AsAsked)
    }

    /// Changes the head of the client's request into that of this one.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if self.ask == Ask::AsAsked {
            return;
        }
        for name in [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE] {
            headers.remove(name);
        }
        let mut set = |name: HeaderName, value: &HeaderValue| {
            headers.insert(name, value.clone());
        };
        match &self.ask {
            Ask::Whole | Ask::AsAsked => {}
            Ask::IfChanged { etag, last_modified } => {
                if let Some(etag) = etag {
                    set(IF_NONE_MATCH, etag);
                }
                if let Some(modified) = last_modified {
                    set(IF_MODIFIED_SINCE, modified);
                }
            }
            Ask::Rest { range, if_range } => {
                set(RANGE, range);
                if let Some(validator) = if_range {
                    set(IF_RANGE, validator);
                }
            }
        }
    }
}

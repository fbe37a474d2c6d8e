//! `Vary` (RFC 9110 §12.5.5): which fields of a request a response was chosen by.

use std::borrow::Cow;

use http::header::{HeaderName, VARY};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::selecting;
use crate::config::CachePolicy;
use crate::field::list;
use crate::order;

/// Which request fields a response was chosen by: sorted names in lower case, each once. Empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spec(Vec<String>);

/// Why a response has no spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unvaried {
    /// `Vary: *`, or something that is no name of a field: no later request is known to match.
    Any,
    /// It names more fields than [`SPEC_LIMIT`].
    TooMany,
}

/// Past this many fields a response is not kept.
const SPEC_LIMIT: usize = 16;

impl Spec {
    /// From the `Vary` of a response.
    pub fn of(headers: &HeaderMap) -> Result<Spec, Unvaried> {
        let mut names = Vec::new();
        for line in headers.get_all(VARY) {
            let line = line.to_str().map_err(|_| Unvaried::Any)?;
            for name in list::members(line) {
                if name == "*" || !list::is_token(name) {
                    return Err(Unvaried::Any);
                }
                names.push(name.to_ascii_lowercase());
                if names.len() > SPEC_LIMIT * 4 {
                    return Err(Unvaried::TooMany);
                }
            }
        }
        order::sort(&mut names, Ord::cmp);
        names.dedup();
        if names.len() > SPEC_LIMIT { Err(Unvaried::TooMany) } else { Ok(Spec(names)) }
    }

    /// With one name more.
    pub fn with(mut self, name: &str) -> Spec {
        if let Err(place) = self.0.binary_search_by(|known| known.as_str().cmp(name)) {
            self.0.insert(place, name.to_owned());
        }
        self
    }

    /// Whether the response answers every request of its key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Spec {
    /// Whether it chooses the same variant for two requests of one key.
    pub(super) fn is_same_for(&self, one: &Asked<'_>, other: &Asked<'_>, policy: &CachePolicy) -> bool {
        let value = |name: &str, asked: &Asked<'_>| selecting::value(name, asked.headers, policy).map(Cow::into_owned);
        self.0.iter().all(|name| value(name, one) == value(name, other))
    }
}

/// Puts the values that tell variants apart into the request that goes to the origin: what a policy reduces before it
/// keys, the origin sees reduced. Else the first of many would choose for all that are keyed alike.
pub(super) fn reduce(headers: &mut HeaderMap, policy: &CachePolicy) {
    for name in policy.vary.keys() {
        let Ok(field) = HeaderName::try_from(name) else { continue };
        match selecting::value(name, headers, policy).map(Cow::into_owned) {
            Some(value) => {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(field, value);
                }
            }
            None => {
                headers.remove(field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::headers;

    #[track_caller]
    fn check(lines: &[&str], expected: Result<&[&str], Unvaried>) {
        let fields: Vec<_> = lines.iter().map(|line| ("vary", *line)).collect();
        let found = Spec::of(&headers(&fields));
        let found = found.as_ref().map(|spec| spec.names().iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found, expected.as_ref().map(|names| names.to_vec()), "{lines:?}");
    }

    #[test]
    fn a_spec_is_the_names_of_all_lines() {
        check(&[], Ok(&[]));
        check(&[""], Ok(&[]));
        check(&["Accept, foo", "FOO ,, accept"], Ok(&["accept", "foo"]));
        for star in ["*", "*, foo", "foo, *", "*, *", ", *"] {
            check(&[star], Err(Unvaried::Any));
        }
        check(&["foo", "*"], Err(Unvaried::Any));
        check(&["foo bar"], Err(Unvaried::Any));
        check(&["\"foo\""], Err(Unvaried::Any));
        let many: Vec<String> = (0..=SPEC_LIMIT).map(|number| format!("x-{number}")).collect();
        check(&[&many.join(",")], Err(Unvaried::TooMany));
        check(&[&vec!["a"; 1000].join(",")], Err(Unvaried::TooMany));
    }
}

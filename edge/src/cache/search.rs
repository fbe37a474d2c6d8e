//! `No-Vary-Search`: which parameters of its query a response does not depend on, by the origin's own word.
//!
//! The rule of a path is learned from its responses. What it lets share is kept under [`Key::under`]; whoever has not
//! learned it, or has forgotten it, asks the origin once more. The order of parameters never tells keys apart here, so
//! `key-order` has nothing to add.

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::key::{Key, kept_url};
use crate::config::CachePolicy;
use crate::field::structured;

const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// A rule with more names than this is not followed.
const NAMES_LIMIT: usize = 64;

/// Which parameters tell a path's responses apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchRule {
    /// All but these.
    AllBut(Vec<String>),
    /// Only these.
    Only(Vec<String>),
}

impl SearchRule {
    /// The rule that a response states. `None` where it states none, or one that is not understood to the letter: then every
    /// parameter counts.
    pub fn of(headers: &HeaderMap) -> Option<SearchRule> {
        let said = structured::dictionary(headers, &NO_VARY_SEARCH)?;
        let except = said.get("except").map(structured::inner_strings);
        let rule = match (said.get("params")?, except) {
            (params, None) if structured::is_true(params) => SearchRule::Only(Vec::new()),
            (params, Some(except)) if structured::is_true(params) => SearchRule::Only(except?),
            (params, None) => SearchRule::AllBut(structured::inner_strings(params)?),
            // `except` means something beside `params` alone.
            (_, Some(_)) => return None,
        };
        let (SearchRule::AllBut(names) | SearchRule::Only(names)) = &rule;
        (names.len() <= NAMES_LIMIT).then_some(rule)
    }

    /// Whether a parameter of that name tells responses apart.
    pub(super) fn counts(&self, name: &str) -> bool {
        match self {
            SearchRule::AllBut(names) => !names.iter().any(|known| known == name),
            SearchRule::Only(names) => names.iter().any(|known| known == name),
        }
    }
}

impl Key {
    /// The key that a request shares with all that the rule does not tell apart. Its URL stays the request's own.
    pub fn under(&self, rule: &SearchRule, asked: &Asked<'_>, policy: &CachePolicy) -> Key {
        self.with_text_of(&kept_url(asked, policy, |name| rule.counts(name)))
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "tables of expectations")]
mod tests {
    use super::*;
    use crate::cache::fixture::{asked, headers, policy};
    use crate::cache::key::key;

    #[track_caller]
    fn check(field: &'static str, expected: Option<SearchRule>) {
        assert_eq!(SearchRule::of(&headers(&[("no-vary-search", field)])), expected, "{field}");
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn rules_are_read_to_the_letter() {
        check("params", Some(SearchRule::Only(vec![])));
        check("params=?1", Some(SearchRule::Only(vec![])));
        check(r#"params, except=("a" "b")"#, Some(SearchRule::Only(names(&["a", "b"]))));
        check(r#"params=("a" "b")"#, Some(SearchRule::AllBut(names(&["a", "b"]))));
        check(r#"key-order, params=("a")"#, Some(SearchRule::AllBut(names(&["a"]))));
        for wrong in ["", "key-order", "params=?0", "params=a", r#"params="a""#, "params=(a)", r#"except=("a")"#] {
            check(wrong, None);
        }
        check(r#"params=("a"), except=("b")"#, None);
        check(r#"params, except="a""#, None);
        check("params, !", None);
    }

    #[test]
    fn urls_that_a_rule_does_not_tell_apart_share_a_key() {
        let none = HeaderMap::new();
        let under = |rule: &SearchRule, query| {
            let asked = Asked { query: Some(query), ..asked(&none) };
            key(&asked, &policy()).unwrap().under(rule, &asked, &policy()).text().to_owned()
        };
        let rule = SearchRule::AllBut(names(&["utm_source", "a b"]));
        assert_eq!(under(&rule, "x=1&utm_source=y"), under(&rule, "utm_source=z&x=1"));
        assert_eq!(under(&rule, "x=1&a+b=y"), under(&rule, "%61%20b=z&x=1"));
        assert_eq!(under(&rule, "x=1"), under(&rule, "utm_source=z&x=1"));
        assert_ne!(under(&rule, "x=1"), under(&rule, "x=2"));
        let rule = SearchRule::Only(names(&["x"]));
        assert_eq!(under(&rule, "x=1&y=2"), under(&rule, "x=1"));
        assert_ne!(under(&rule, "x=1&y=2"), under(&rule, "x=2&y=2"));
    }

    #[test]
    fn a_shared_key_is_no_key_of_a_url() {
        let none = HeaderMap::new();
        let asked = Asked { query: Some("x=1"), ..asked(&none) };
        let own = key(&asked, &policy()).unwrap();
        let shared = own.under(&SearchRule::AllBut(vec![]), &asked, &policy());
        assert_ne!(own.text(), shared.text());
        assert_eq!(own.url(), shared.url());
    }
}

//! `No-Vary-Search`: which parameters of its query a response does not depend on, by the origin's own word.
//!
//! A response stays under the key of the URL that was asked for. Whoever has learned the rule of a path from one of its
//! responses knows which other URLs that answers too; whoever has not, or has forgotten it, asks the origin once more. The
//! order of parameters never tells keys apart here, so `key-order` has nothing to add.

use http::{HeaderMap, HeaderName};

use crate::field::structured;
use crate::query;

const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// A rule with more names than this is not followed.
const NAMES_LIMIT: usize = 64;

/// Which parameters tell a path's responses apart.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        (rule.names().len() <= NAMES_LIMIT).then_some(rule)
    }

    /// The names that it lists.
    pub fn names(&self) -> &[String] {
        let (SearchRule::AllBut(names) | SearchRule::Only(names)) = self;
        names
    }

    /// What all URLs have in common that it does not tell apart: the URL, as keys spell it, without the parameters that do
    /// not count. An empty one is none to whoever reads a query (the URL Standard's `urlencoded` parser).
    pub fn common(&self, url: &str) -> String {
        let (page, query) = url.split_once('?').unwrap_or((url, ""));
        let mut common = page.to_owned();
        let counting =
            query.split('&').filter(|parameter| !parameter.is_empty() && self.counts(&query::name(parameter)));
        for (place, parameter) in counting.enumerate() {
            common.push(if place == 0 { '?' } else { '&' });
            common.push_str(parameter);
        }
        common
    }

    fn counts(&self, name: &str) -> bool {
        let is_listed = self.names().iter().any(|known| known == name);
        is_listed == matches!(self, SearchRule::Only(_))
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "tables of expectations")]
mod tests {
    use super::*;
    use crate::cache::Asked;
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
    fn urls_that_a_rule_does_not_tell_apart_have_all_in_common() {
        let common = |rule: &SearchRule, query: &str| {
            let none = HeaderMap::new();
            let asked = Asked { query: Some(query), ..asked(&none) };
            rule.common(key(&asked, &policy()).unwrap().url())
        };
        let rule = SearchRule::AllBut(names(&["utm_source", "a b"]));
        assert_eq!(common(&rule, "x=1&utm_source=y"), common(&rule, "utm_source=z&x=1"));
        assert_eq!(common(&rule, "x=1&a+b=y"), common(&rule, "%61%20b=z&x=1"));
        assert_eq!(common(&rule, "x=1"), common(&rule, "utm_source=z&&x=1"));
        assert_ne!(common(&rule, "x=1"), common(&rule, "x=2"));
        assert_ne!(common(&rule, "x=1"), common(&rule, "x=1&x=1"));
        assert_eq!(common(&rule, "utm_source=y"), "https://shop.example/api/a");
        let rule = SearchRule::Only(names(&["x"]));
        assert_eq!(common(&rule, "x=1&y=2"), common(&rule, "x=1"));
        assert_ne!(common(&rule, "x=1&y=2"), common(&rule, "x=2&y=2"));
        assert_eq!(rule.common("https://shop.example/api/a"), "https://shop.example/api/a");
    }
}

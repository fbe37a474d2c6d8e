//! Changes the heads of answers by rule.

use http::header::{CACHE_CONTROL, HeaderName, VARY};
use http::{HeaderMap, HeaderValue};

use crate::config::HeaderRule;
use crate::route::pattern::Pattern;

/// Header rules, in order: later ones win.
#[derive(Debug, Default)]
pub struct HeaderRules {
    rules: Vec<HeaderRule>,
}

/// Which rules match a path: their places in the list.
pub type Matching = Vec<u32>;

/// What no rule changes: it frames the message, names its bytes, or is how an answer is found again.
const PROTECTED: [&str; 14] = [
    "accept-ranges",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "cloudflare-cdn-cache-control",
    "date",
    "etag",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

impl HeaderRules {
    /// Keeps rules in the order given; `spell` brings their patterns into the spelling that paths have.
    pub fn new<'rules>(
        rules: impl Iterator<Item = &'rules HeaderRule>,
        spell: &dyn Fn(&Pattern) -> Pattern,
    ) -> HeaderRules {
        HeaderRules { rules: rules.map(|rule| HeaderRule { path: spell(&rule.path), ..rule.clone() }).collect() }
    }

    /// Which rules match a path.
    pub fn matching(&self, path: &str) -> Matching {
        let places = (0..).zip(&self.rules);
        places.filter(|(_, rule)| rule.path.matches(path).is_some()).map(|(place, _)| place).collect()
    }

    /// Whether what these rules set depends on the path itself: `:splat` or `:name` stands in a value.
    pub fn fill_in(&self, matching: &Matching) -> bool {
        let rules = matching.iter().filter_map(|&place| self.rules.get(place as usize));
        rules.flat_map(|rule| &rule.set).any(|(_, value)| value.contains(':'))
    }

    /// Changes a head as the rules that match the path say.
    pub fn apply(&self, path: &str, headers: &mut HeaderMap) {
        self.apply_to_file(path, None, headers);
    }

    /// Changes the head of a file. Rules that people write name it as they know it: they are for the name that the release
    /// gave it, too. How long the answer is good is another matter under a name that never changes.
    pub fn apply_to_file(&self, path: &str, known_as: Option<&str>, headers: &mut HeaderMap) {
        for rule in &self.rules {
            let own = rule.path.matches(path);
            let is_own = own.is_some();
            let Some(caught) = own.or_else(|| rule.path.matches(known_as?)) else { continue };
            let may_change = |name: &str| changeable(name).filter(|field| is_own || field != CACHE_CONTROL);
            for name in rule.remove.iter().filter_map(|name| may_change(name)) {
                headers.remove(name);
            }
            for (place, (name, value)) in rule.set.iter().enumerate() {
                let (Some(field), Ok(value)) = (may_change(name), HeaderValue::from_str(&caught.fill(value))) else {
                    continue;
                };
                // A rule may set several fields of one name. `Vary` only ever grows: what varies, varies.
                let again = rule.set[..place].iter().any(|(earlier, _)| earlier == name);
                if again || field == VARY {
                    headers.append(field, value);
                } else {
                    headers.insert(field, value);
                }
            }
        }
        // Every answer says it: a front that is told nothing keeps for hours.
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }

    /// Changes the head of an error: what is said of caching stays. Rules for a folder mean its files, not their absence.
    pub fn apply_to_error(&self, path: &str, headers: &mut HeaderMap) {
        let stated: Vec<HeaderValue> = headers.get_all(CACHE_CONTROL).iter().cloned().collect();
        self.apply(path, headers);
        headers.remove(CACHE_CONTROL);
        for value in stated {
            headers.append(CACHE_CONTROL, value);
        }
    }
}

fn changeable(name: &str) -> Option<HeaderName> {
    if PROTECTED.contains(&name) {
        return None;
    }
    HeaderName::from_bytes(name.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, set: &[(&str, &str)], remove: &[&str]) -> HeaderRule {
        HeaderRule {
            path: Pattern::parse(path).unwrap(),
            set: set.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            remove: remove.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check(rules: &[HeaderRule], path: &str, expected: &[(&str, &str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("cache-control", "no-store"), ("x-frame-options", "SAMEORIGIN"), ("etag", "\"a\"")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        HeaderRules::new(rules.iter(), &Pattern::clone).apply(path, &mut headers);
        let mut found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn later_rules_win_and_one_rule_may_set_a_name_twice() {
        let rules = [
            rule("/*", &[("x-a", "1"), ("x-frame-options", "DENY")], &[]),
            rule("/b/*", &[("x-a", "2"), ("x-a", "3")], &["x-frame-options"]),
        ];
        check(
            &rules,
            "/a",
            &[("cache-control", "no-store"), ("etag", "\"a\""), ("x-a", "1"), ("x-frame-options", "DENY")],
        );
        check(&rules, "/b/", &[("cache-control", "no-store"), ("etag", "\"a\""), ("x-a", "2"), ("x-a", "3")]);
    }

    #[test]
    fn what_frames_the_message_stays_and_cache_control_is_always_said() {
        let rules =
            [rule("/*", &[("content-length", "1"), ("transfer-encoding", "chunked")], &["etag", "cache-control"])];
        check(&rules, "/", &[("cache-control", "no-cache"), ("etag", "\"a\""), ("x-frame-options", "SAMEORIGIN")]);
    }

    #[test]
    fn errors_keep_what_they_say_of_caching() {
        let rules = [rule("/assets/*", &[("cache-control", "public, max-age=31536000"), ("x-a", "1")], &[])];
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        HeaderRules::new(rules.iter(), &Pattern::clone).apply_to_error("/assets/gone.js", &mut headers);
        assert_eq!((headers["cache-control"].as_bytes(), headers["x-a"].as_bytes()), (&b"no-store"[..], &b"1"[..]));
    }

    #[test]
    fn a_rule_for_a_file_is_for_its_name_in_the_release_but_for_how_long_that_is_good() {
        let rules = [
            rule("/a.js", &[("x-a", "1"), ("cache-control", "max-age=1")], &["x-frame-options"]),
            rule("/b.js", &[("x-b", "1")], &[]),
            rule("/*", &[("x-c", ":splat")], &[]),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("immutable"));
        headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
        HeaderRules::new(rules.iter(), &Pattern::clone).apply_to_file("/a.0123.js", Some("/a.js"), &mut headers);
        let mut found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        found.sort_unstable();
        assert_eq!(found, [("cache-control", "immutable"), ("x-a", "1"), ("x-c", "a.0123.js")]);
    }

    #[test]
    fn what_was_caught_cannot_end_the_line() {
        let rules = [rule("/x/*", &[("x-path", ":splat")], &[])];
        check(
            &rules,
            "/x/a%0D%0Ab",
            &[
                ("cache-control", "no-store"),
                ("etag", "\"a\""),
                ("x-frame-options", "SAMEORIGIN"),
                ("x-path", "a%0D%0Ab"),
            ],
        );
        check(
            &rules,
            "/x/a\r\nb",
            &[("cache-control", "no-store"), ("etag", "\"a\""), ("x-frame-options", "SAMEORIGIN")],
        );
    }
}

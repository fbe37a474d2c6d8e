//! Variants (RFC 9111 §4.1): which of the responses kept under one key answers a request.
//!
//! Under a key stands a short list of *specs*, the sets of fields that its responses vary on. The key of a variant is a
//! digest of key, spec and the request's values: any number of variants needs no list, and each is found in one step.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::asked::Asked;
use super::key::{Key, hexadecimal};
use super::selecting;
use super::stored::Stored;
use super::vary::Spec;
use crate::config::CachePolicy;
use crate::time::Timestamp;

/// The specs of a key's responses, the last used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specs {
    /// When the list was begun. Keys of variants hold it: what was kept under an earlier list, which an invalidation threw
    /// away, is never found again.
    since: Timestamp,
    list: Vec<Spec>,
    /// Variants that said which language they are in, for those who like that one best, however they put it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    languages: Vec<InLanguage>,
}

/// A variant by its language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InLanguage {
    /// Digest of spec, language and the other values that chose it.
    of: String,
    /// What its key ends with.
    variant: String,
}

/// A key keeps the specs that were last used.
const SPECS_LIMIT: usize = 4;
/// Variants of a key that are also found by their language.
const LANGUAGES_LIMIT: usize = 16;

const ACCEPT_LANGUAGE: &str = "accept-language";

impl Specs {
    /// An empty list.
    pub fn new(now: Timestamp) -> Specs {
        Specs { since: now, list: Vec::new(), languages: Vec::new() }
    }

    /// Notes what a response that is kept was chosen by; what was not used for longest goes where there is too much. Says
    /// whether the list is another now.
    pub fn put(&mut self, stored: &Stored, asked: &Asked<'_>, policy: &CachePolicy) -> bool {
        let spec = &stored.spec;
        let moved = match self.list.iter().position(|known| known == spec) {
            Some(0) => false,
            Some(place) => {
                self.list[..=place].rotate_right(1);
                true
            }
            None => {
                self.list.insert(0, spec.clone());
                self.list.truncate(SPECS_LIMIT);
                true
            }
        };
        self.put_language(stored, asked, policy) || moved
    }

    fn put_language(&mut self, stored: &Stored, asked: &Asked<'_>, policy: &CachePolicy) -> bool {
        let Some(language) = selecting::language_of(&stored.headers) else { return false };
        let Some(of) = self.in_language(&stored.spec, &language, asked, policy) else { return false };
        let variant = self.digest(&stored.spec, asked, policy, None);
        let known = self.languages.iter().position(|known| known.of == of);
        if known.is_some_and(|place| self.languages[place].variant == variant) {
            return false;
        }
        if let Some(place) = known {
            self.languages.remove(place);
        }
        self.languages.insert(0, InLanguage { of, variant });
        self.languages.truncate(LANGUAGES_LIMIT);
        true
    }

    /// The specs, the last used first.
    pub fn iter(&self) -> impl Iterator<Item = &Spec> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The keys under which an answer to a request may be kept, the likeliest first.
    pub fn candidates(&self, key: &Key, asked: &Asked<'_>, policy: &CachePolicy) -> Vec<String> {
        let mut candidates: Vec<String> = self.list.iter().map(|spec| self.variant(key, spec, asked, policy)).collect();
        if !self.languages.is_empty() {
            let favourite = selecting::favourite_language(asked.headers);
            let by_language = self.list.iter().filter_map(|spec| {
                let of = self.in_language(spec, favourite.as_deref()?, asked, policy)?;
                self.languages.iter().find(|known| known.of == of)
            });
            candidates.extend(by_language.map(|known| variant_text(key, &known.variant)));
        }
        candidates
    }

    /// The key of the variant that a spec chooses for a request. Without any field it is the key itself.
    pub fn variant(&self, key: &Key, spec: &Spec, asked: &Asked<'_>, policy: &CachePolicy) -> String {
        if spec.is_empty() {
            return key.text().to_owned();
        }
        variant_text(key, &self.digest(spec, asked, policy, None))
    }

    /// What stands for a spec whose only difference in language is the one that is liked best. `None` where language does
    /// not choose, or the policy already reduces it.
    fn in_language(&self, spec: &Spec, language: &str, asked: &Asked<'_>, policy: &CachePolicy) -> Option<String> {
        let chooses =
            spec.names().iter().any(|name| name == ACCEPT_LANGUAGE) && !policy.vary.contains_key(ACCEPT_LANGUAGE);
        chooses.then(|| self.digest(spec, asked, policy, Some(language)))
    }

    fn digest(&self, spec: &Spec, asked: &Asked<'_>, policy: &CachePolicy, language: Option<&str>) -> String {
        let mut digest = Sha256::new();
        digest.update(self.since.as_millis().to_be_bytes());
        digest.update([u8::from(language.is_some())]);
        for name in spec.names() {
            digest.update(name.as_bytes());
            let value = match language {
                Some(language) if name == ACCEPT_LANGUAGE => Some(Cow::Borrowed(language)),
                _ => selecting::value(name, asked.headers, policy),
            };
            match value {
                // Absent and empty differ, and no value can pass for the next name.
                None => digest.update([0]),
                Some(value) => {
                    digest.update([1]);
                    digest.update((value.len() as u64).to_be_bytes());
                    digest.update(value.as_bytes());
                }
            }
        }
        hexadecimal(&digest.finalize().into())
    }
}

fn variant_text(key: &Key, digest: &str) -> String {
    [key.text(), " vary=", digest].concat()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;
    use crate::cache::fixture::{NOW, admitted, asked, at, headers, policy};
    use crate::cache::key::key;

    /// Keeps an answer to a request; says under which key.
    fn put(specs: &mut Specs, request: &HeaderMap, response: &[(&str, &str)], policy: &CachePolicy) -> String {
        let mut fields = vec![("cache-control", "max-age=60")];
        fields.extend(response);
        let stored = admitted(200, &fields, policy).unwrap();
        let asked = asked(request);
        specs.put(&stored, &asked, policy);
        specs.variant(&key(&asked, policy).unwrap(), &stored.spec, &asked, policy)
    }

    fn candidates(specs: &Specs, request: &HeaderMap, policy: &CachePolicy) -> Vec<String> {
        let asked = asked(request);
        specs.candidates(&key(&asked, policy).unwrap(), &asked, policy)
    }

    #[test]
    fn absent_and_empty_differ_and_values_do_not_run_into_names() {
        let mut specs = Specs::new(NOW);
        let requests = [
            headers(&[]),
            headers(&[("a", "")]),
            headers(&[("b", "")]),
            headers(&[("a", "b")]),
            headers(&[("a", "1"), ("b", "2")]),
            headers(&[("a", "2"), ("b", "1")]),
        ];
        let keys: Vec<String> =
            requests.iter().map(|request| put(&mut specs, request, &[("vary", "a, b")], &policy())).collect();
        for (place, request) in requests.iter().enumerate() {
            assert_eq!(candidates(&specs, request, &policy()), [keys[place].as_str()], "{request:?}");
            assert!(!keys[..place].contains(&keys[place]), "{request:?}");
        }
    }

    #[test]
    fn the_last_used_spec_comes_first_and_few_are_kept() {
        let mut specs = Specs::new(NOW);
        let none = HeaderMap::new();
        for name in ["a", "b", "c", "a", "d", "e", "f"] {
            put(&mut specs, &none, &[("vary", name)], &policy());
        }
        let names: Vec<_> = specs.iter().map(|spec| spec.names()[0].as_str()).collect();
        assert_eq!(names, ["f", "e", "d", "a"]);
        let key = put(&mut specs, &none, &[], &policy());
        assert_eq!(
            (key.as_str(), candidates(&specs, &none, &policy())[0].as_str()),
            ("https://shop.example/api/a", key.as_str())
        );
    }

    #[test]
    fn what_was_kept_under_an_earlier_list_is_never_found_again() {
        let request = headers(&[("a", "1")]);
        let (mut before, mut after) = (Specs::new(NOW), Specs::new(at(1)));
        let one = put(&mut before, &request, &[("vary", "a")], &policy());
        let other = put(&mut after, &request, &[("vary", "a")], &policy());
        assert_ne!(one, other);
    }

    #[test]
    fn ten_thousand_variants_need_no_list() {
        let mut specs = Specs::new(NOW);
        let request = |number: usize| headers(&[("x", &number.to_string())]);
        let keys: Vec<String> =
            (0..10_000).map(|number| put(&mut specs, &request(number), &[("vary", "x")], &policy())).collect();
        assert!(serde_json::to_vec(&specs).unwrap().len() < 100);
        for number in [0, 1, 4_999, 9_999] {
            assert_eq!(candidates(&specs, &request(number), &policy()), [keys[number].as_str()]);
        }
    }

    #[test]
    fn who_likes_a_language_best_finds_the_answer_in_it_however_he_puts_it() {
        let mut specs = Specs::new(NOW);
        let german = [("vary", "accept-language, x"), ("content-language", "de")];
        let accept = |languages: &str| headers(&[("accept-language", languages), ("x", "1")]);
        let key = put(&mut specs, &accept("en, de"), &german, &policy());
        for (languages, expected) in [
            ("fr;q=0.5, de;q=1.0", true),
            ("DE", true),
            ("de, en;q=0.9, *;q=0.1", true),
            ("en;q=0.9, de", true),
            ("de, fr", false),
            ("de-AT", false),
            ("fr, de;q=0.9", false),
            ("de;q=0", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(candidates(&specs, &accept(languages), &policy()).contains(&key), expected, "{languages}");
        }
        let other = headers(&[("accept-language", "de"), ("x", "2")]);
        assert!(!candidates(&specs, &other, &policy()).contains(&key));
        // What says several languages, or none, is found by what asked for it alone.
        for language in ["de, en", ""] {
            let mut specs = Specs::new(NOW);
            let key = put(&mut specs, &accept("en, de"), &[german[0], ("content-language", language)], &policy());
            assert!(!candidates(&specs, &accept("de"), &policy()).contains(&key), "{language}");
        }
        for number in 0..100 {
            put(&mut specs, &accept(&format!("l{number}")), &[german[0], ("content-language", "de")], &policy());
        }
        assert!(specs.languages.len() <= LANGUAGES_LIMIT);
    }

    #[test]
    fn what_a_policy_reduces_is_one_variant() {
        let policy = CachePolicy {
            vary: [("accept-language".to_owned(), vec!["en".to_owned(), "de".to_owned()])].into_iter().collect(),
            ..policy()
        };
        let mut specs = Specs::new(NOW);
        let of = |languages| headers(&[("accept-language", languages)]);
        let key = put(&mut specs, &of("de-DE, de;q=0.9, fr;q=0.8"), &[("vary", "accept-language")], &policy);
        assert_eq!(candidates(&specs, &of("fr, de-CH;q=0.5"), &policy), [key.as_str()]);
        assert_ne!(candidates(&specs, &of("en"), &policy), [key.as_str()]);
        // None of the known ones fits: as if nothing was asked for.
        assert_eq!(candidates(&specs, &of("fr"), &policy), candidates(&specs, &HeaderMap::new(), &policy));
    }

    proptest! {
        #[test]
        fn the_order_of_fields_never_counts(
            (before, after) in prop::collection::btree_map("[a-d]", "[a-z, ]{0,4}", 0..4)
                .prop_map(|map| map.into_iter().collect::<Vec<_>>())
                .prop_flat_map(|fields| (Just(fields.clone()), Just(fields).prop_shuffle())),
        ) {
            let of = |fields: &[(String, String)]| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                put(&mut Specs::new(NOW), &headers(&fields), &[("vary", "d, a, c, b")], &policy())
            };
            prop_assert_eq!(of(&before), of(&after));
        }
    }
}

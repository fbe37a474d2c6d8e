//! The values of the fields that choose variants, in a form in which those that mean the same are the same
//! (RFC 9111 §4.1: "normalized in a way that is known to have identical semantics").

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE};

use crate::config::CachePolicy;
use crate::field::list;
use crate::order;

/// The value of a field that tells variants apart; `None` where it is absent. `name` is in lower case.
pub(super) fn value<'headers>(
    name: &str,
    headers: &'headers HeaderMap,
    policy: &CachePolicy,
) -> Option<Cow<'headers, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?;
    let joined = lines.fold(first, |joined, line| Cow::Owned(format!("{joined}, {line}")));
    if let Some(known) = policy.vary.get(name) {
        return reduced(name, &joined, known).map(|value| Cow::Owned(value.to_owned()));
    }
    Some(match name {
        "accept" | "accept-charset" | "accept-encoding" | "accept-language" => Cow::Owned(preferences(&joined)),
        _ => without_blanks(joined),
    })
}

/// The one language that a response says it is in (`Content-Language`), in lower case.
pub(super) fn language_of(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all(CONTENT_LANGUAGE).iter();
    let (line, None) = (lines.next()?.to_str().ok()?, lines.next()) else { return None };
    let mut languages = list::members(line);
    let (language, None) = (languages.next()?, languages.next()) else { return None };
    Some(language.to_ascii_lowercase())
}

/// The one language that a request likes better than every other, in lower case. An origin that has it has no reason to
/// send another.
pub(super) fn favourite_language(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut weighed: Vec<(u16, &str)> = lines
        .flat_map(list::members)
        .filter_map(|member| Some((list::weight(member), list::parameters(member).next()?)))
        .collect();
    order::sort(&mut weighed, |(one, _), (other, _)| other.cmp(one));
    match weighed.as_slice() {
        [(weight, range), rest @ ..] if *weight > 0 && *range != "*" => {
            let alone = rest.first().is_none_or(|(next, _)| next < weight);
            alone.then(|| range.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// Lists mean the same with any blanks around their commas; what is no list has no such blanks, or they stand in quotes.
fn without_blanks(value: Cow<'_, str>) -> Cow<'_, str> {
    let is_plain = !value.contains(',') && value.trim_matches([' ', '\t']).len() == value.len();
    if is_plain {
        return value;
    }
    Cow::Owned(list::members(&value).collect::<Vec<_>>().join(","))
}

/// What a client accepts: the order says nothing where the weights do not (RFC 9110 §12.4.2), nor does the case of
/// ranges, nor do blanks. Weights keep their value, whatever their spelling.
fn preferences(value: &str) -> String {
    let mut members: Vec<(u16, String)> = list::members(value)
        .map(|member| {
            let named = list::parameters(member).filter(|part| !is_weight(part)).map(str::to_ascii_lowercase);
            (list::weight(member), named.collect::<Vec<_>>().join(";"))
        })
        .collect();
    order::sort(&mut members, |(one_weight, one), (other_weight, other)| {
        other_weight.cmp(one_weight).then_with(|| one.cmp(other))
    });
    members.dedup();
    let written = members.into_iter().map(|(weight, name)| match weight {
        1000 => name,
        weight => format!("{name};q={weight}"),
    });
    written.collect::<Vec<_>>().join(",")
}

fn is_weight(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
}

/// The one of the known values that a field asks for most, as its own negotiation would choose; among equals the closest to
/// what is asked for, then the one that the policy names first. `None` where none fits.
fn reduced<'known>(name: &str, value: &str, known: &'known [String]) -> Option<&'known str> {
    let weighed = known.iter().rev().filter_map(|known| {
        // The range that fits most closely decides, as that of `*` decides for what nothing else names.
        let fitting = list::members(value).filter_map(|member| {
            let fit = fit(name, list::parameters(member).next()?, known)?;
            Some((fit, list::weight(member)))
        });
        let (fit, weight) = fitting.max_by_key(|&(fit, _)| fit)?;
        (weight > 0).then_some(((weight, fit), known.as_str()))
    });
    weighed.max_by_key(|&(rank, _)| rank).map(|(_, known)| known)
}

/// How closely a range fits a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Any,
    /// `text/*`; or, for a language, one that is wider than what is asked for: who asks for Swiss German is served with
    /// German rather than with nothing.
    Wide,
    /// For a language, one that is narrower (RFC 4647 §3.3.1).
    Narrow,
    Exact,
}

fn fit(name: &str, range: &str, known: &str) -> Option<Fit> {
    if range.eq_ignore_ascii_case(known) {
        return Some(Fit::Exact);
    }
    let begins = |long: &str, short: &str| {
        long.get(..short.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(short))
            && long.as_bytes().get(short.len()) == Some(&b'-')
    };
    match name {
        _ if range == "*" => Some(Fit::Any),
        "accept" if range == "*/*" => Some(Fit::Any),
        "accept" => {
            let (top, known_top) = (range.strip_suffix("/*")?, known.split_once('/')?.0);
            known_top.eq_ignore_ascii_case(top).then_some(Fit::Wide)
        }
        "accept-language" if begins(known, range) => Some(Fit::Narrow),
        "accept-language" if begins(range, known) => Some(Fit::Wide),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{headers, policy};

    #[track_caller]
    fn check(name: &str, lines: &[&str], expected: Option<&str>) {
        let fields: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        assert_eq!(value(name, &headers(&fields), &policy()).as_deref(), expected, "{name}: {lines:?}");
    }

    #[test]
    fn values_that_mean_the_same_are_the_same() {
        check("foo", &[], None);
        check("foo", &[""], Some(""));
        check("foo", &["1,2"], Some("1,2"));
        check("foo", &[" 1 , 2 "], Some("1,2"));
        check("foo", &["1", "2"], Some("1,2"));
        check("foo", &["2", "1"], Some("2,1"));
        check("foo", &["A b"], Some("A b"));
        check("foo", &["\"a, b\" ,c"], Some("\"a, b\",c"));
        check("accept-language", &["en, de"], Some("de,en"));
        check("accept-language", &["De", "eN"], Some("de,en"));
        check("accept-language", &["en;q=0.5, de;q=0.50,de;q=0.5"], Some("de;q=500,en;q=500"));
        check("accept-language", &["de;q=1.0, en;q=0.9"], Some("de,en;q=900"));
        check("accept-encoding", &["gzip, br"], Some("br,gzip"));
        check("accept", &["text/html; level=1 ; q=0.5, */*"], Some("*/*,text/html;level=1;q=500"));
        // Of a field that nobody knows, the case may mean something.
        check("foo", &["A"], Some("A"));
        // Bytes past ASCII are still a value.
        assert!(value("foo", &headers(&[("foo", "é")]), &policy()).is_some_and(|value| !value.is_empty()));
    }

    #[track_caller]
    fn check_reduced(name: &str, value: &str, known: &[&str], expected: Option<&str>) {
        let known: Vec<String> = known.iter().map(|known| (*known).to_owned()).collect();
        assert_eq!(reduced(name, value, &known), expected, "{name}: {value}");
    }

    #[test]
    fn a_policy_reduces_a_value_as_its_own_negotiation_would() {
        let languages = &["en", "de", "de-CH"];
        for (value, expected) in [
            ("de", Some("de")),
            ("de-CH", Some("de-CH")),
            ("DE-ch, en;q=0.9", Some("de-CH")),
            ("de-AT, en;q=0.5", Some("de")),
            ("en-GB;q=0.4, de;q=0.3", Some("en")),
            ("fr, *;q=0.1", Some("en")),
            ("*, en;q=0.1", Some("de")),
            ("*;q=0.5, en;q=0", Some("de")),
            ("fr", None),
            ("", None),
            ("de;q=0", None),
            ("deutsch", None),
        ] {
            check_reduced("accept-language", value, languages, expected);
        }
        let types = &["text/html", "application/json"];
        check_reduced("accept", "application/json", types, Some("application/json"));
        check_reduced("accept", "text/*;q=0.5, application/json;q=0.4", types, Some("text/html"));
        check_reduced("accept", "*/*, text/html;q=0.1", types, Some("application/json"));
        check_reduced("accept", "image/png", types, None);
        check_reduced("accept-encoding", "gzip, br;q=0.5", &["br", "gzip"], Some("gzip"));
        check_reduced("accept-encoding", "*", &["br", "gzip"], Some("br"));
        check_reduced("x-device", "Mobile", &["mobile", "desktop"], Some("mobile"));
        check_reduced("x-device", "tv", &["mobile", "desktop"], None);
    }
}

//! What the settings of a cache are made of: lengths of time as caches count them, names in requests, tags.

use std::ops::Range;

use serde_json::{Value, json};
use toml::de::DeValue;

use crate::settings::findings::{Findings, Located};
use crate::settings::table::{FromToml, List};
use crate::settings::values::{FieldName, FromText, Period, Refusal, refuse};

/// A length of time as caches count it: whole seconds, at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct Lifetime(pub(in crate::settings) u64);

/// A year of 365 days, in seconds. What is kept longer than that is kept by mistake.
const LONGEST_LIFETIME_S: u64 = 365 * 86_400;

impl FromText for Lifetime {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"5m\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let Period(period) = Period::parse(text)?;
        if period.subsec_nanos() != 0 {
            return refuse("must be whole seconds: caches count no parts of them", "for example \"1s\" or \"5m\"");
        }
        match period.as_secs() {
            seconds if seconds <= LONGEST_LIFETIME_S => Ok(Lifetime(seconds)),
            _ => refuse("is longer than a year", "\"365d\" is as good as for ever: what changed meanwhile is purged"),
        }
    }
}

/// The name of a cookie; with `*` at its end, any that begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct CookiePattern(pub(in crate::settings) String);

impl FromText for CookiePattern {
    const EXPECTED: &'static str = "the name of a cookie";
    const EXAMPLE: &'static str = "\"_ga*\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let name = star_at_end(text, "_ga*")?;
        // RFC 6265 section 4.1.1: a cookie's name is a token.
        let odd = name.chars().find(|&c| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)));
        match (odd, text) {
            (_, "") => refuse("cannot hold an empty name", "name a cookie, for example \"_ga*\""),
            (Some('='), _) => refuse(
                "holds names alone: cookies are not told apart by value",
                format!("write {:?}", text.split('=').next().unwrap_or_default()),
            ),
            (Some(odd), _) => refuse(format!("cannot hold {odd:?}: no cookie's name does"), "for example \"_ga*\""),
            (None, _) => Ok(CookiePattern(text.to_owned())),
        }
    }
}

/// The name of a parameter of the query; with `*` at its end, any that begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct ParameterPattern(pub(in crate::settings) String);

impl FromText for ParameterPattern {
    const EXPECTED: &'static str = "the name of a parameter";
    const EXAMPLE: &'static str = "\"utm_*\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let name = star_at_end(text, "utm_*")?;
        match (name.chars().find(|&c| c.is_control() || c.is_whitespace() || "&=#?".contains(c)), text) {
            (_, "") => refuse("cannot hold an empty name", "name a parameter, for example \"utm_*\""),
            (Some(odd), _) => {
                refuse(format!("cannot hold {odd:?}: it is a parameter's name alone"), "for example \"utm_*\"")
            }
            (None, _) => Ok(ParameterPattern(text.to_owned())),
        }
    }
}

/// What stands before the `*` at the end, or everything.
fn star_at_end<'t>(text: &'t str, example: &str) -> Result<&'t str, Refusal> {
    let name = text.strip_suffix('*').unwrap_or(text);
    if name.contains('*') {
        return refuse("can hold `*` at its end alone", format!("for example {example:?}: any name that begins so"));
    }
    Ok(name)
}

/// A tag that answers are purged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct Tag(pub(in crate::settings) String);

/// Longer ones are left out by the edge, as are those of origins.
const TAG_LIMIT_BYTES: usize = 256;

impl FromText for Tag {
    const EXPECTED: &'static str = "a tag";
    const EXAMPLE: &'static str = "\"products\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let odd = text.chars().find(|&c| !c.is_ascii_graphic() || c == ',');
        match odd {
            None if text.is_empty() => refuse("cannot hold an empty tag", "for example \"products\""),
            None if text.len() > TAG_LIMIT_BYTES => {
                refuse(format!("is longer than {TAG_LIMIT_BYTES} characters"), "for example \"products\"")
            }
            None => Ok(Tag(text.to_owned())),
            Some(odd @ (',' | ' ')) => refuse(
                format!("cannot hold {odd:?}: it stands between tags"),
                "write each tag on its own: [\"products\", \"prices\"]",
            ),
            Some(odd) => refuse(
                format!("cannot hold {odd:?}: no header can carry it"),
                "ASCII letters, digits and signs, for example \"products\"",
            ),
        }
    }
}

/// The origin's field that lists tags, or none.
#[derive(Debug, Clone)]
pub(in crate::settings) struct TagsField(pub(in crate::settings) Option<String>);

/// Fields that mean something else, and would be taken from every answer.
const NEVER_TAGS: &[&str] = &[
    "age",
    "cache-control",
    "cache-groups",
    "cache-status",
    "cdn-cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "set-cookie",
    "transfer-encoding",
    "vary",
    "www-authenticate",
];

impl FromToml for TagsField {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        if let DeValue::Boolean(false) = value {
            return Some(TagsField(None));
        }
        let FieldName(name) = FieldName::read(value, span.clone(), what, findings)?;
        if NEVER_TAGS.contains(&name.as_str()) {
            findings
                .error("wrong-value", &span, format!("{what} cannot be `{name}`: answers need it for something else"))
                .hint("it is a field for tags alone, removed towards the client: \"cache-tag\", \"surrogate-key\"");
            return None;
        }
        Some(TagsField(Some(name)))
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "string", "examples": ["cache-tag"] }, { "const": false }] })
    }
}

/// The values that a request field is reduced to.
#[derive(Debug, Clone)]
pub(in crate::settings) struct VaryValues(pub(in crate::settings) List<VaryValue>);

impl FromToml for VaryValues {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        List::read(value, span, what, findings).map(VaryValues)
    }

    fn schema() -> Value {
        json!({ "type": "array", "minItems": 1, "items": VaryValue::schema() })
    }
}

impl VaryValues {
    pub(in crate::settings) fn items(&self) -> &[Located<VaryValue>] {
        &self.0.items
    }

    /// Whether none was written: one that is wrong was.
    pub(in crate::settings) fn none_written(&self) -> bool {
        self.0.items.is_empty() && self.0.complete
    }
}

/// One value of a request field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct VaryValue(pub(in crate::settings) String);

/// Longer values are no choices that a client has.
const VALUE_LIMIT_BYTES: usize = 256;

impl FromText for VaryValue {
    const EXPECTED: &'static str = "a value";
    const EXAMPLE: &'static str = "\"en\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let odd = text.chars().find(|&c| !(c.is_ascii_graphic() || c == ' ') || matches!(c, ',' | ';'));
        match odd {
            None if text.trim().is_empty() => {
                refuse("cannot hold an empty value", "what fits none of the values counts as absent: leave it out")
            }
            None if text.len() > VALUE_LIMIT_BYTES => {
                refuse(format!("is longer than {VALUE_LIMIT_BYTES} characters"), "for example \"en\"")
            }
            None => Ok(VaryValue(text.trim().to_owned())),
            Some(',') => refuse("cannot hold ',': it is one value", "write each on its own: [\"en\", \"de\"]"),
            Some(';') => refuse("cannot hold ';': clients weigh values, the settings list them", "for example \"en\""),
            Some(odd) => refuse(format!("cannot hold {odd:?}"), "ASCII letters, digits and signs, for example \"en\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: FromText + std::fmt::Debug>(text: &str, expected: &str) {
        let refusal = T::parse(text).expect_err(text);
        assert_eq!(refusal.message, expected, "{text:?}");
    }

    #[test]
    fn lifetimes_are_whole_seconds_up_to_a_year() {
        assert_eq!(Lifetime::parse("365d"), Ok(Lifetime(31_536_000)));
        assert_eq!(Lifetime::parse("3000ms"), Ok(Lifetime(3)));
        refused::<Lifetime>("366d", "is longer than a year");
        refused::<Lifetime>("8761h", "is longer than a year");
        refused::<Lifetime>("500ms", "must be whole seconds: caches count no parts of them");
        refused::<Lifetime>("-1s", "is not a duration: \"-1s\"");
    }

    #[test]
    fn a_star_stands_at_the_end_alone() {
        for text in ["_ga*", "*", "a", "__Host-x"] {
            assert_eq!(CookiePattern::parse(text), Ok(CookiePattern(text.to_owned())));
            assert_eq!(ParameterPattern::parse(text), Ok(ParameterPattern(text.to_owned())));
        }
        for text in ["*_ga", "a*b", "**"] {
            refused::<CookiePattern>(text, "can hold `*` at its end alone");
            refused::<ParameterPattern>(text, "can hold `*` at its end alone");
        }
    }

    #[test]
    fn names_hold_what_names_can_hold() {
        refused::<CookiePattern>("a=b", "holds names alone: cookies are not told apart by value");
        refused::<CookiePattern>("a b", "cannot hold ' ': no cookie's name does");
        refused::<CookiePattern>("é", "cannot hold 'é': no cookie's name does");
        refused::<CookiePattern>("", "cannot hold an empty name");
        refused::<ParameterPattern>("a&b", "cannot hold '&': it is a parameter's name alone");
        // Parameters are compared as they are meant, not as they are encoded.
        assert!(ParameterPattern::parse("größe[]").is_ok());
    }

    #[test]
    fn tags_are_what_a_header_can_list() {
        assert_eq!(Tag::parse("product/7:de"), Ok(Tag("product/7:de".to_owned())));
        assert!(Tag::parse(&"a".repeat(TAG_LIMIT_BYTES)).is_ok());
        refused::<Tag>(&"a".repeat(TAG_LIMIT_BYTES + 1), "is longer than 256 characters");
        refused::<Tag>("a,b", "cannot hold ',': it stands between tags");
        refused::<Tag>("a b", "cannot hold ' ': it stands between tags");
        refused::<Tag>("ä", "cannot hold 'ä': no header can carry it");
        refused::<Tag>("a\u{7f}", "cannot hold '\\u{7f}': no header can carry it");
    }
}

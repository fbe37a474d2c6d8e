//! What the settings of a pool are made of: numbers and spans of time with bounds, shares, names of cookies and secrets, what
//! a check asks and expects.

use std::ops::{Range, RangeInclusive};

use rimward_edge::config::{CredentialKind, HashBy, Region, Role};
use serde_json::{Value, json};
use toml::de::DeValue;

use crate::settings::findings::{Findings, closest};
use crate::settings::limiting::values::{between, told_by_cookie, told_by_header};
use crate::settings::table::{FromToml, wrong_type};
use crate::settings::values::{FromText, Refusal, Word, refuse};

/// How an origin is chosen, as the settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) enum ChoiceName {
    RoundRobin,
    Weighted,
    LeastRequests,
    Hash,
    Geo,
    PrimaryReplica,
}

impl Word for ChoiceName {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("round-robin", ChoiceName::RoundRobin),
        ("weighted", ChoiceName::Weighted),
        ("least-requests", ChoiceName::LeastRequests),
        ("hash", ChoiceName::Hash),
        ("geo", ChoiceName::Geo),
        ("primary-replica", ChoiceName::PrimaryReplica),
    ];
}

impl Word for Role {
    const WORDS: &'static [(&'static str, Self)] =
        &[("primary", Role::Primary), ("replica", Role::Replica), ("backup", Role::Backup)];
}

impl Word for Region {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("wnam", Region::Wnam),
        ("enam", Region::Enam),
        ("sam", Region::Sam),
        ("weur", Region::Weur),
        ("eeur", Region::Eeur),
        ("apac", Region::Apac),
        ("oc", Region::Oc),
        ("afr", Region::Afr),
        ("me", Region::Me),
    ];
}

impl Word for CredentialKind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("hmac", CredentialKind::Hmac), ("secret", CredentialKind::Secret)];
}

/// Declares whole numbers by their bounds, each with what to write instead of one outside of them.
macro_rules! numbers {
    ($( $(#[doc = $about:literal])* $name:ident($type:ty): $bounds:expr, $hint:literal; )*) => { $(
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::settings) struct $name(pub(in crate::settings) $type);

        impl FromToml for $name {
            fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
                let number = whole(value, &span, what, &$bounds, $hint, findings)?;
                <$type>::try_from(number).ok().map($name)
            }

            fn schema() -> Value {
                json!({ "type": "integer", "minimum": $bounds.start(), "maximum": $bounds.end() })
            }
        }
    )* };
}

numbers! {
    /// An origin's share beside those of the others.
    Weight(u32): 0..=1_000, "only how weights stand to one another counts: 1 and 2, or 10 and 20; 0 sends nothing there";
    /// Requests under way at once. More than so many to one origin no isolate has memory for.
    AtOnce(u32): 1..=10_000, "to send an origin nothing write weight = 0; to limit nothing remove the key";
    /// Requests that wait. Each is held open, in the 128 MB that an isolate has.
    Waiting(u32): 0..=10_000, "who would wait behind so many is better told to come back";
    /// Redirects that are followed for one request.
    Hops(u8): 0..=5, "0 hands redirects on to the client, which is what they are for";
    /// Results in a row.
    InARow(u8): 1..=10, "1 believes the first result, which may be chance; 2 or 3 are usual";
    /// Tries besides the first.
    Attempts(u8): 0..=10, "0 for none; 2 are another origin, and once more the best";
    /// Requests without which a share of them says nothing.
    AtLeast(u32): 1..=10_000, "of few requests one failure is a large share: 20 is usual";
}

fn whole(
    value: &DeValue<'_>,
    span: &Range<usize>,
    what: &str,
    bounds: &RangeInclusive<u32>,
    hint: &str,
    findings: &mut Findings<'_>,
) -> Option<u32> {
    // What is no whole number at all is said there.
    let Some(integer) = value.as_integer() else { return u32::read(value, span.clone(), what, findings) };
    let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| bounds.contains(number));
    if number.is_none() {
        let (least, most) = (bounds.start(), bounds.end());
        findings.error("wrong-value", span, format!("{what} must be from {least} to {most}, not {integer}")).hint(hint);
    }
    number
}

/// Declares spans of time by their bounds in milliseconds.
macro_rules! periods {
    ($( $(#[doc = $about:literal])* $name:ident: $bounds:expr, $said:literal, $example:literal, $hint:literal; )*) => { $(
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::settings) struct $name(
            /// In milliseconds.
            pub(in crate::settings) u64,
        );

        impl FromText for $name {
            const EXPECTED: &'static str = "a duration";
            const EXAMPLE: &'static str = $example;

            fn parse(text: &str) -> Result<Self, Refusal> {
                between(text, *$bounds.start(), *$bounds.end(), $said, $hint).map($name)
            }
        }
    )* };
}

periods! {
    /// For how long who wrote reads from the primary.
    AfterWrite: 0..=3_600_000, "at most an hour", "\"5s\"",
        "as long as replicas lag behind, and a little more: \"5s\"";
    /// Between two checks.
    Interval: 1_000..=3_600_000, "from 1 s to 1 h", "\"30s\"",
        "for example \"30s\"; what traffic tells of an origin is known at once, whatever the interval";
    /// How long a check may take.
    CheckTimeout: 1..=60_000, "from 1 ms to 1 minute", "\"2s\"", "for example \"2s\"";
    /// For how long failures are counted.
    Over: 1_000..=300_000, "from 1 s to 5 minutes", "\"10s\"", "for example \"10s\": what was before that is forgotten";
    /// How long a cookie lives. Browsers keep none for longer than 400 days (RFC 6265bis).
    CookieAge: 1_000..=34_560_000_000, "from 1 s to 400 days", "\"1h\"",
        "for example \"1h\"; without `max_age` until the browser is closed";
    /// How long an origin that came back gets less than its share.
    Start: 0..=3_600_000, "at most an hour", "\"10s\"", "for example \"10s\", or false for the whole share at once";
}

/// How long an origin that came back gets less than its share, in milliseconds; 0 for `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct SlowStart(pub(in crate::settings) u64);

impl FromToml for SlowStart {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(false) => Some(SlowStart(0)),
            _ => Start::read(value, span, what, findings).map(|Start(millis)| SlowStart(millis)),
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [Start::schema(), { "const": false }] })
    }
}

/// A share of 1, in so many parts: `Share<1000, 1>(300)` is 0.3, and at least a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct Share<const PARTS: u16, const LEAST: u16>(pub(in crate::settings) u16);

impl<const PARTS: u16, const LEAST: u16> FromToml for Share<PARTS, LEAST> {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let written = match value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(exact),
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => {
                let percent = value.as_str().and_then(|text| text.trim_end_matches('%').trim().parse::<u8>().ok());
                wrong_type(value, &span, what, "a number from 0 to 1", findings).hint(match percent {
                    Some(percent @ 0..=100) => format!("write {}", f64::from(percent) / 100.0),
                    _ => "a share of 1: 0.3 is three of ten".to_owned(),
                });
                return None;
            }
        };
        let share = written.unwrap_or(f64::NAN);
        let parts = share * f64::from(PARTS);
        let bounds = if LEAST == 0 { "from 0 to 1" } else { "above 0, and at most 1" };
        if !(0.0..=1.0).contains(&share) || LEAST > 0 && share == 0.0 {
            let hint = match share {
                percent if percent > 1.0 && percent <= 100.0 => format!("write {}", percent / 100.0),
                _ => "a share of 1: 0.3 is three of ten".to_owned(),
            };
            findings.error("wrong-value", &span, format!("{what} must be {bounds}")).hint(hint);
            return None;
        }
        // Floats hold no 0.3, but something that is nearer to it than any other share that counts.
        if (parts - parts.round()).abs() > 1e-6 {
            let digits = PARTS.ilog10();
            findings
                .error("wrong-value", &span, format!("{what} is finer than it counts: to {digits} digits"))
                .hint(format!("write {}", (parts.round() / f64::from(PARTS)).max(f64::from(LEAST) / f64::from(PARTS))));
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to PARTS")]
        Some(Share(parts.round() as u16))
    }

    fn schema() -> Value {
        match LEAST {
            0 => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            _ => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "0 and 1 are exact, and whatever is beyond is wrong anyway")]
fn exact(number: i64) -> f64 {
    number as f64
}

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct HashText(pub(in crate::settings) HashBy);

/// All that can stand in `hash`.
const HASH_FORMS: &str = "\"ip\", \"path\", \"header:x-tenant\", \"cookie:session\", \"query:shop\", or \":tenant\" where a route's path has it";

impl FromText for HashText {
    const EXPECTED: &'static str = "what tells requests apart";
    const EXAMPLE: &'static str = "\"ip\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let by = match text.split_once(':') {
            Some(("header", name)) => HashBy::Header(told_by_header(name)?),
            Some(("cookie", name)) => HashBy::Cookie(told_by_cookie(name)?),
            Some(("query", name)) => HashBy::Query(parameter(name)?),
            Some(("", name)) => HashBy::Caught(caught(name)?),
            None if text == "ip" => HashBy::Ip,
            None if text == "path" => HashBy::Path,
            _ => {
                let hint = match (text, closest(text, ["ip", "path"])) {
                    ("header", _) => "name the field: \"header:x-tenant\"".to_owned(),
                    ("cookie", _) => "name the cookie: \"cookie:session\"".to_owned(),
                    ("query", _) => "name the parameter: \"query:shop\"".to_owned(),
                    (_, Some(meant)) => format!("did you mean {meant:?}?"),
                    _ => format!("it is {HASH_FORMS}"),
                };
                return refuse(format!("cannot be {text:?}"), hint);
            }
        };
        Ok(HashText(by))
    }
}

fn parameter(name: &str) -> Result<String, Refusal> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "&=#?".contains(c);
    match name.is_empty() || name.chars().any(odd) {
        true => refuse(format!("names no parameter: {name:?}"), "for example \"query:shop\""),
        false => Ok(name.to_owned()),
    }
}

fn caught(name: &str) -> Result<String, Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !name.is_empty() && name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => refuse(
            format!("names nothing that a path catches: {name:?}"),
            "for example \":tenant\", where the route's path is \"/t/:tenant/*\"",
        ),
    }
}

/// The name of a cookie of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct CookieName(pub(in crate::settings) String);

/// Browsers take 4,096 bytes of name and value together.
const LONGEST_COOKIE_NAME: usize = 128;

impl FromText for CookieName {
    const EXPECTED: &'static str = "the name of a cookie";
    const EXAMPLE: &'static str = "\"rimward-api\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > LONGEST_COOKIE_NAME {
            return refuse(format!("is longer than {LONGEST_COOKIE_NAME} characters"), "every request carries it");
        }
        // RFC 6265 section 4.1.1: a cookie's name is a token.
        match text.chars().find(|&c| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))) {
            None if text.is_empty() => refuse("is empty", "for example \"rimward-api\""),
            None => Ok(CookieName(text.to_owned())),
            Some('=') => refuse(
                "holds a name alone, not a value",
                format!("write {:?}", text.split('=').next().unwrap_or_default()),
            ),
            Some(odd) => refuse(format!("cannot hold {odd:?}: no cookie's name does"), "for example \"rimward-api\""),
        }
    }
}

/// The name of a secret of the Worker. Its value never stands in the settings, which are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct SecretName(pub(in crate::settings) String);

impl FromText for SecretName {
    const EXPECTED: &'static str = "the name of a secret";
    const EXAMPLE: &'static str = "\"API_ORIGIN_SECRET\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let plain = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let is_name = plain && text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_uppercase());
        // Words are parted by `_`; keys in base 32 or hexadecimal are long, and have digits in them.
        let is_value = text.len() >= 16 && !text.contains('_') && text.contains(|c: char| c.is_ascii_digit());
        if is_name && !is_value {
            return Ok(SecretName(text.to_owned()));
        }
        // The text itself is not repeated: it may be the secret.
        let word = text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
        let hint = match word && !text.is_empty() {
            true => format!("write {:?}", text.to_ascii_uppercase().replace('-', "_").trim_matches('_')),
            false => {
                "settings are published: say `npx wrangler secret put API_ORIGIN_SECRET`, and write that name here; \
                 if this was the secret itself, choose another one"
                    .to_owned()
            }
        };
        refuse("must be the name of a secret, not its value: capital letters, digits and `_`", hint)
    }
}

/// The path that a check asks for, perhaps with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct CheckPath(pub(in crate::settings) String);

/// Longer than any path of a check.
const LONGEST_CHECK_PATH: usize = 1024;

impl FromText for CheckPath {
    const EXPECTED: &'static str = "a path";
    const EXAMPLE: &'static str = "\"/healthz\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((_, rest)) = text.split_once("://") {
            let path = rest.find('/').map_or("/", |at| &rest[at..]);
            return refuse("must be a path, not a URL: each origin is asked", format!("write {path:?}"));
        }
        if text.starts_with("//") {
            return refuse("must not begin with `//`: that is a host", "each origin is asked: write its path alone");
        }
        if !text.starts_with('/') {
            return refuse("must begin with `/`", format!("write {:?}", format!("/{text}")));
        }
        if let Some((path, _)) = text.split_once('#') {
            return refuse("cannot hold a fragment: it is never sent", format!("write {path:?}"));
        }
        if let Some(odd) = text.chars().find(|&c| c.is_control() || c.is_whitespace() || !c.is_ascii() || c == '\\') {
            return refuse(format!("cannot hold {odd:?}"), "write it percent-encoded");
        }
        if text.len() > LONGEST_CHECK_PATH {
            return refuse(format!("is longer than {LONGEST_CHECK_PATH} characters"), "for example \"/healthz\"");
        }
        Ok(CheckPath(text.to_owned()))
    }
}

/// The statuses of an origin that is well: 204, or "200-299".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct StatusRange(pub(in crate::settings) (u16, u16));

impl FromToml for StatusRange {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let written = match value {
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => {
                wrong_type(value, &span, what, "a status, or a range of them in quotes", findings)
                    .hint("for example 204, or \"200-299\"");
                return None;
            }
        };
        let (first, last) = written.split_once('-').unwrap_or((&written, &written));
        let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Some(StatusRange((first, last))),
            (Some(first), Some(last)) => {
                findings
                    .error("wrong-value", &span, format!("{what} holds no status: {first} is above {last}"))
                    .hint(format!("write \"{last}-{first}\""));
                None
            }
            _ => {
                findings
                    .error("wrong-value", &span, format!("{what} is no status and no range of them: {written:?}"))
                    .hint("for example 204, or \"200-299\"");
                None
            }
        }
    }

    fn schema() -> Value {
        let range = json!({ "type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$" });
        json!({ "anyOf": [{ "type": "integer", "minimum": 100, "maximum": 599 }, range] })
    }
}

/// What a body must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct BodyText(pub(in crate::settings) String);

/// A word or two: what is compared is looked for in 64 KiB at every check.
const LONGEST_BODY_TEXT: usize = 1024;

impl FromText for BodyText {
    const EXPECTED: &'static str = "a text";
    const EXAMPLE: &'static str = "\"ok\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.len() {
            0 => refuse("is empty: every body holds that", "remove it, or name what a body of a well origin holds"),
            1..=LONGEST_BODY_TEXT => Ok(BodyText(text.to_owned())),
            _ => refuse(format!("is longer than {LONGEST_BODY_TEXT} bytes"), "a word or two will do"),
        }
    }
}

/// The words of a choice, for findings: `"hash"`.
pub(super) fn quoted_word<T: Word + PartialEq>(value: T) -> String {
    let word = T::WORDS.iter().find(|(_, known)| *known == value).map(|(word, _)| *word);
    format!("{:?}", word.unwrap_or_default())
}

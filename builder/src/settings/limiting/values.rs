//! What the settings of a limit are made of: numbers of permits, spans of time, what tells partitions apart, words.

use std::ops::Range;
use std::time::Duration;

use rimward_edge::config::{Guards, LimitFields, Part, Permits, Precision, WhenUnreachable, Window};
use serde_json::{Value, json};
use toml::de::DeValue;

use crate::settings::findings::{Findings, closest};
use crate::settings::table::FromToml;
use crate::settings::values::{FieldName, FromText, Period, Refusal, Word, refuse};

/// How requests are counted, as the settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) enum Kind {
    Gcra,
    SlidingWindow,
    FixedWindow,
    Concurrency,
}

impl Word for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("gcra", Kind::Gcra),
        ("sliding-window", Kind::SlidingWindow),
        ("fixed-window", Kind::FixedWindow),
        ("concurrency", Kind::Concurrency),
    ];
}

impl Word for Precision {
    const WORDS: &'static [(&'static str, Self)] = &[("exact", Precision::Exact), ("leased", Precision::Leased)];
}

impl Word for Guards {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Guards::All), ("origin", Guards::Origin)];
}

impl Word for WhenUnreachable {
    const WORDS: &'static [(&'static str, Self)] =
        &[("local", WhenUnreachable::Local), ("open", WhenUnreachable::Open), ("closed", WhenUnreachable::Closed)];
}

impl Word for LimitFields {
    const WORDS: &'static [(&'static str, Self)] =
        &[("draft-11", LimitFields::Draft11), ("x-ratelimit", LimitFields::XRateLimit)];
}

/// What becomes of a number that is none of `1..=most`.
struct Bounds {
    most: u32,
    /// Why it cannot be zero: follows "`key` of `[table]`".
    zero: &'static str,
    /// What to do instead.
    way_out: &'static str,
}

/// A number from 1 to the most that there may be.
fn count(
    value: &DeValue<'_>,
    span: &Range<usize>,
    what: &str,
    bounds: &Bounds,
    findings: &mut Findings<'_>,
) -> Option<u32> {
    let number = u32::read(value, span.clone(), what, findings)?;
    if number == 0 {
        findings.error("wrong-value", span, format!("{what} {}", bounds.zero)).hint(bounds.way_out);
        return None;
    }
    if number > bounds.most {
        findings
            .error("wrong-value", span, format!("{what} is {number}: more than are counted"))
            .hint(format!("it is at most {}", bounds.most));
        return None;
    }
    Some(number)
}

fn count_schema(most: u32) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": most })
}

/// A number of permits.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct PermitCount(pub(in crate::settings) Permits);

impl FromToml for PermitCount {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        const BOUNDS: Bounds = Bounds {
            most: Permits::MOST,
            zero: "must be at least 1: a quota of zero would refuse everyone",
            way_out: "to limit nothing remove the policy from `limit` of the [[route]]; to answer nobody remove the [[route]]",
        };
        let number = count(value, &span, what, &BOUNDS, findings)?;
        Permits::try_from(number).ok().map(PermitCount)
    }

    fn schema() -> Value {
        count_schema(Permits::MOST)
    }
}

/// How many permits one request takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct Cost(pub(in crate::settings) u32);

impl FromToml for Cost {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        const BOUNDS: Bounds = Bounds {
            most: Permits::MOST,
            zero: "must be at least 1: what costs nothing is not limited",
            way_out: "remove `limit` from the route, so that its requests are not counted",
        };
        count(value, &span, what, &BOUNDS, findings).map(Cost)
    }

    fn schema() -> Value {
        count_schema(Permits::MOST)
    }
}

/// How many requests may wait for a permit.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct QueueLength(pub(in crate::settings) u32);

/// Each one that waits is a request that an object holds open, in the 128 MB that it has.
const QUEUE_LIMIT: u32 = 10_000;

impl FromToml for QueueLength {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let number = u32::read(value, span.clone(), what, findings)?;
        if number > QUEUE_LIMIT {
            findings
                .error("wrong-value", &span, format!("{what} is {number}: more than one object can hold open"))
                .hint(format!("it is at most {QUEUE_LIMIT}; who waits that long is better told to come back"));
            return None;
        }
        Some(QueueLength(number))
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": QUEUE_LIMIT })
    }
}

/// How many refusals make a ban.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct Refusals(pub(in crate::settings) u32);

impl FromToml for Refusals {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        const BOUNDS: Bounds = Bounds {
            most: Permits::MOST,
            zero: "must be at least 1: everyone would be banned",
            way_out: "for example 100: who was refused a few times may just be busy",
        };
        count(value, &span, what, &BOUNDS, findings).map(Refusals)
    }

    fn schema() -> Value {
        count_schema(Permits::MOST)
    }
}

/// Milliseconds between two bounds. `said` names these, as in "from 1 s to 30 days".
pub(in crate::settings) fn between(text: &str, least: u64, most: u64, said: &str, hint: &str) -> Result<u64, Refusal> {
    let Period(period) = Period::parse(text)?;
    let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    if (least..=most).contains(&millis) {
        return Ok(millis);
    }
    refuse(format!("must be {said}, not {text:?}"), hint)
}

const fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + duration.subsec_millis() as u64
}

/// A span of time over which permits are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct WindowText(pub(in crate::settings) Window);

impl FromText for WindowText {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"1m\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let (said, hint) = ("from 1 s to 30 days", "for example \"1m\", with as many permits as fit into it");
        let millis = between(text, Window::LEAST_MS, Window::MOST_MS, said, hint)?;
        Window::try_from(millis).map(WindowText).or_else(|error| refuse(format!("is wrong: {error}"), hint))
    }
}

/// How long the object that counts may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct Deadline(pub(in crate::settings) u64);

/// Longer, and the limit would be what makes a site slow.
const LONGEST_DEADLINE: Duration = Duration::from_secs(5);

impl FromText for Deadline {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"50ms\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let hint = "past it `when_unreachable` decides: for example \"50ms\"";
        between(text, 1, millis(LONGEST_DEADLINE), "from 1 ms to 5 s", hint).map(Deadline)
    }
}

/// How long a request may wait for its turn, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct QueueWait(pub(in crate::settings) u64);

/// About as long as browsers, and people, wait for anything.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl FromText for QueueWait {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"5s\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let hint = "for example \"5s\"; without `queue` nobody waits";
        between(text, 1, millis(LONGEST_WAIT), "from 1 ms to 30 s", hint).map(QueueWait)
    }
}

/// How long a ban lasts, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) struct BanPeriod(pub(in crate::settings) u64);

impl FromText for BanPeriod {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"10m\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let hint = "for example \"10m\": an address may be somebody else's by then";
        let millis = between(text, 60_000, Window::MOST_MS, "from 1 minute to 30 days", hint)?;
        match millis % 1000 {
            0 => Ok(BanPeriod(millis / 1000)),
            _ => refuse("must be whole seconds", "for example \"90s\" or \"10m\""),
        }
    }
}

/// How long a ban lasts, as the command line says it: like the settings.
pub fn ban_period(text: &str) -> Result<Duration, String> {
    let period = BanPeriod::parse(text);
    period.map(|BanPeriod(seconds)| Duration::from_secs(seconds)).map_err(|refusal| format!("it {}", refusal.message))
}

/// What tells partitions apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::settings) struct PartName(pub(in crate::settings) Part);

const PARTS: &[(&str, Part)] =
    &[("ip", Part::Ip), ("route", Part::Route), ("country", Part::Country), ("global", Part::Global)];

/// All that can stand in `partition`.
const PART_FORMS: &str = "\"ip\", \"header:x-api-key\", \"cookie:session\", \"route\", \"country\" or \"global\"";

/// Fields that say where a request came from, and that anyone can write.
const ADDRESS_FIELDS: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded-for",
    "x-real-ip",
];

impl FromText for PartName {
    const EXPECTED: &'static str = "what tells clients apart";
    const EXAMPLE: &'static str = "\"ip\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((_, part)) = PARTS.iter().find(|(word, _)| *word == text) {
            return Ok(PartName(part.clone()));
        }
        match text.split_once(':') {
            Some(("header", name)) => told_by_header(name).map(|name| PartName(Part::Header(name))),
            Some(("cookie", name)) => told_by_cookie(name).map(|name| PartName(Part::Cookie(name))),
            _ => {
                let words = PARTS.iter().map(|(word, _)| *word);
                let hint = match (text, closest(text, words)) {
                    ("header", _) => "name the field: \"header:x-api-key\"".to_owned(),
                    ("cookie", _) => "name the cookie: \"cookie:session\"".to_owned(),
                    (_, Some(meant)) => format!("did you mean {meant:?}?"),
                    _ => format!("it is {PART_FORMS}"),
                };
                refuse(format!("cannot hold {text:?}"), hint)
            }
        }
    }
}

/// The name of a header that tells requests apart, in lower case.
pub(in crate::settings) fn told_by_header(name: &str) -> Result<String, Refusal> {
    let FieldName(name) = FieldName::parse(name)
        .or_else(|_| refuse(format!("names no header: {name:?}"), "for example \"header:x-api-key\""))?;
    if name == "cookie" {
        return refuse("would tell every set of cookies apart", "name the one cookie: \"cookie:session\"");
    }
    if ADDRESS_FIELDS.contains(&name.as_str()) {
        return refuse(
            format!("cannot tell clients apart by `{name}`: anyone can write it"),
            "write \"ip\": `client_address` of `[site]` says where the client's address is to be believed",
        );
    }
    Ok(name)
}

/// The name of a cookie that tells requests apart.
pub(in crate::settings) fn told_by_cookie(name: &str) -> Result<String, Refusal> {
    // RFC 6265 section 4.1.1: a cookie's name is a token.
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return refuse(format!("names no cookie: {name:?}"), "for example \"cookie:session\"");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: FromText + std::fmt::Debug>(text: &str, expected: &str) {
        let refusal = T::parse(text).expect_err(text);
        assert_eq!(refusal.message, expected, "{text:?}");
        assert!(refusal.hint.is_some(), "{text:?}");
    }

    #[test]
    fn spans_of_time_have_both_bounds() {
        for (text, expected) in [("1s", 1000), ("1500ms", 1500), ("30d", 2_592_000_000)] {
            assert_eq!(WindowText::parse(text).unwrap().0.millis(), expected);
        }
        for text in ["999ms", "0s", "31d"] {
            refused::<WindowText>(text, &format!("must be from 1 s to 30 days, not {text:?}"));
        }
        assert_eq!((Deadline::parse("1ms"), Deadline::parse("5s")), (Ok(Deadline(1)), Ok(Deadline(5000))));
        refused::<Deadline>("0ms", "must be from 1 ms to 5 s, not \"0ms\"");
        refused::<Deadline>("5001ms", "must be from 1 ms to 5 s, not \"5001ms\"");
        assert_eq!((QueueWait::parse("1ms"), QueueWait::parse("30s")), (Ok(QueueWait(1)), Ok(QueueWait(30_000))));
        refused::<QueueWait>("0s", "must be from 1 ms to 30 s, not \"0s\"");
        refused::<QueueWait>("31s", "must be from 1 ms to 30 s, not \"31s\"");
        assert_eq!((BanPeriod::parse("1m"), BanPeriod::parse("30d")), (Ok(BanPeriod(60)), Ok(BanPeriod(2_592_000))));
        refused::<BanPeriod>("59s", "must be from 1 minute to 30 days, not \"59s\"");
        refused::<BanPeriod>("721h", "must be from 1 minute to 30 days, not \"721h\"");
        refused::<BanPeriod>("60500ms", "must be whole seconds");
    }

    #[test]
    fn partitions_are_told_apart_by_what_they_name() {
        for (text, expected) in [
            ("ip", Part::Ip),
            ("route", Part::Route),
            ("country", Part::Country),
            ("global", Part::Global),
            ("header:X-API-Key", Part::Header("x-api-key".into())),
            // Names of cookies are case-sensitive.
            ("cookie:Session.id", Part::Cookie("Session.id".into())),
        ] {
            assert_eq!(PartName::parse(text), Ok(PartName(expected)));
        }
        refused::<PartName>("user", "cannot hold \"user\"");
        refused::<PartName>("IP:", "cannot hold \"IP:\"");
        refused::<PartName>("header:", "names no header: \"\"");
        refused::<PartName>("header:a b", "names no header: \"a b\"");
        refused::<PartName>("header:Cookie", "would tell every set of cookies apart");
        refused::<PartName>(
            "header:X-Forwarded-For",
            "cannot tell clients apart by `x-forwarded-for`: anyone can write it",
        );
        refused::<PartName>("cookie:", "names no cookie: \"\"");
        refused::<PartName>("cookie:a=b", "names no cookie: \"a=b\"");
        for (text, hint) in [
            ("IP", "did you mean \"ip\"?"),
            ("contry", "did you mean \"country\"?"),
            ("header", "name the field: \"header:x-api-key\""),
            ("cookie", "name the cookie: \"cookie:session\""),
        ] {
            assert_eq!(PartName::parse(text).unwrap_err().hint.as_deref(), Some(hint));
        }
    }
}

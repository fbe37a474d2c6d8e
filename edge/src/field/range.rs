//! Ranges of bytes (RFC 9110 §14): which parts of a body of a known size a `Range` field asks for, in bounds that nobody
//! can abuse.

use std::ops::Range;

use crate::order;

use super::list;

/// Past this many in the field, it is not read.
const LIMIT_ASKED: usize = 100;
/// Past this many after joining, the whole is sent: each part costs a head.
const LIMIT_SENT: usize = 16;
/// Ranges closer than this are joined: the head of a part is about as long.
const GAP_BYTES: u64 = 80;

/// What a `Range` field asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// The field is not understood, or asks for too many parts: it is ignored (RFC 9110 §14.2).
    Ignore,
    /// Nothing of what is asked for exists.
    Unsatisfiable,
    /// These: at least one, ascending, apart, none empty.
    Parts(Vec<Range<u64>>),
}

/// Reads a `Range` field for a file of a size.
pub fn parse(field: &str, size: u64) -> Ranges {
    let Some((unit, set)) = field.split_once('=') else { return Ranges::Ignore };
    // Nothing of an empty file can be asked for, and all of it is nothing: it is sent whole.
    if !unit.trim().eq_ignore_ascii_case("bytes") || size == 0 {
        return Ranges::Ignore;
    }
    let mut parts = Vec::new();
    let mut asked = 0;
    for spec in list::members(set) {
        asked += 1;
        match parse_one(spec, size) {
            None => return Ranges::Ignore,
            Some(_) if asked > LIMIT_ASKED => return Ranges::Ignore,
            Some(range) if range.is_empty() => {}
            Some(range) => parts.push(range),
        }
    }
    match (asked, parts.is_empty()) {
        (0, _) => Ranges::Ignore,
        (_, true) => Ranges::Unsatisfiable,
        (_, false) => join(parts),
    }
}

/// Reads a `Content-Range` of bytes (RFC 9110 §14.4): the range that was sent, never empty, and the length of the whole
/// where it is known. `None` for any other form, and for a range that is not in the whole.
pub fn parse_content_range(field: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (unit, rest) = field.trim().split_once(' ')?;
    let (range, complete) = rest.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (first, last): (u64, u64) = (digits(first)?, digits(last)?);
    let complete = if complete == "*" { None } else { Some(digits(complete)?) };
    let end = last.checked_add(1)?;
    let sound = unit.eq_ignore_ascii_case("bytes") && first < end && complete.is_none_or(|complete| end <= complete);
    sound.then_some((first..end, complete))
}

/// One range; `None` where it is not of the grammar, empty where nothing of it exists.
fn parse_one(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?;
        return Some(size.saturating_sub(length)..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1) };
    if end <= first && !last.is_empty() {
        return None;
    }
    Some(first.min(size)..end.min(size))
}

/// A number of any length: past 64 bits it is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn join(mut parts: Vec<Range<u64>>) -> Ranges {
    order::sort(&mut parts, |one, other| one.start.cmp(&other.start));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end.saturating_add(GAP_BYTES) => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    if joined.len() > LIMIT_SENT { Ranges::Ignore } else { Ranges::Parts(joined) }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, clippy::needless_pass_by_value, reason = "tables of ranges")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(field: &str, expected: Ranges) {
        assert_eq!(parse(field, 1000), expected, "{field}");
    }

    #[test]
    fn ranges_are_read_as_the_grammar_says() {
        let parts = |ranges: &[Range<u64>]| Ranges::Parts(ranges.to_vec());
        check("bytes=0-0", parts(&[0..1]));
        check("bytes=-1", parts(&[999..1000]));
        check("bytes=-5000", parts(&[0..1000]));
        check("bytes=999-", parts(&[999..1000]));
        check("BYTES=10-19", parts(&[10..20]));
        check("bytes=900-99999999999999999999999", parts(&[900..1000]));
        check("bytes=500-509, 0-9 ,", parts(&[0..10, 500..510]));
        check("bytes=0-9,5-19,20-29,60-69", parts(&[0..70]));
        check("bytes=0-9,2000-", parts(&[0..10]));
        check("bytes=1000-", Ranges::Unsatisfiable);
        check("bytes=-0", Ranges::Unsatisfiable);
        check("bytes=5000-,6000-7000", Ranges::Unsatisfiable);
    }

    #[test]
    fn what_is_not_of_the_grammar_is_ignored() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=9-5",
            "bytes=5",
            "items=0-1",
            "bytes=0-1,x",
            "bytes=+1-2",
            "bytes=--1",
        ] {
            check(field, Ranges::Ignore);
        }
        assert_eq!(parse("bytes=0-0", 0), Ranges::Ignore);
    }

    #[test]
    fn what_was_sent_is_a_range_of_the_whole() {
        for (field, expected) in [
            ("bytes 0-4/10", Some((0..5, Some(10)))),
            ("Bytes 5-9/10", Some((5..10, Some(10)))),
            ("bytes 0-4/*", Some((0..5, None))),
            ("bytes */10", None),
            ("bytes 5-4/10", None),
            ("bytes 5-10/10", None),
            ("bytes 0-4", None),
            ("bytes=0-4/10", None),
            ("items 0-4/10", None),
            ("bytes -4/10", None),
            ("bytes 0-/10", None),
            ("bytes +0-4/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-99999999999999999999/*", None),
            ("", None),
        ] {
            assert_eq!(parse_content_range(field), expected, "{field}");
        }
    }

    #[test]
    fn many_ranges_are_one_or_none() {
        let overlapping = format!("bytes={}", vec!["0-"; LIMIT_ASKED].join(","));
        check(&overlapping, Ranges::Parts(vec![0..1000]));
        check(&format!("{overlapping},0-"), Ranges::Ignore);
        let apart = |count: u64| {
            let specs: Vec<_> = (0..count).map(|number| format!("{0}-{0}", number * 1000)).collect();
            parse(&format!("bytes={}", specs.join(",")), 1_000_000)
        };
        assert!(matches!(apart(16), Ranges::Parts(parts) if parts.len() == 16));
        assert_eq!(apart(17), Ranges::Ignore);
    }

    proptest! {
        #[test]
        fn parts_hold_exactly_what_was_asked_for_and_the_gaps_between(
            asked in prop::collection::vec((0u64..3000, 0u64..300), 1..12),
            size in 1u64..2000,
        ) {
            let specs: Vec<_> = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let wanted = |byte: u64| asked.iter().any(|&(first, more)| (first..=first + more).contains(&byte));
            match parse(&format!("bytes={}", specs.join(",")), size) {
                Ranges::Parts(parts) => {
                    prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
                    prop_assert!(parts.windows(2).all(|pair| pair[0].end + GAP_BYTES < pair[1].start));
                    for byte in (0..size).filter(|&byte| wanted(byte)) {
                        prop_assert!(parts.iter().any(|part| part.contains(&byte)), "{byte} is missing");
                    }
                    prop_assert!(parts.iter().all(|part| wanted(part.start) && wanted(part.end - 1)));
                }
                Ranges::Unsatisfiable => prop_assert!((0..size).all(|byte| !wanted(byte))),
                Ranges::Ignore => prop_assert!(false, "the field is sound"),
            }
        }

        #[test]
        fn no_field_is_too_strange(field in "(bytes=)?[0-9,\\- a-z=]{0,40}", size in 0u64..5) {
            if let Ranges::Parts(parts) = parse(&field, size) {
                prop_assert!(!parts.is_empty() && parts.iter().all(|part| part.start < part.end && part.end <= size));
            }
        }
    }
}

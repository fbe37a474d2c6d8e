//! How a stored response answers a request: whole, in parts, or as "not modified" (RFC 9110 §13, §14; RFC 9111 §4.3.2).

use std::ops::Range;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{Method, StatusCode};

use super::asked::Asked;
use super::freshness::date_of;
use super::key::is_query;
use super::stored::{Held, Stored};
use crate::field::etag;
use crate::field::range::{self, Ranges};

/// The form of an answer from a stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Its own status, and the whole body.
    Whole,
    /// 206: these ranges of the whole body, at least one, ascending, apart; and the length of the whole where it is known.
    Parts(Vec<Range<u64>>, Option<u64>),
    /// 304.
    NotModified,
    /// 416: the length of the whole.
    Unsatisfiable(u64),
}

/// Why a stored response cannot answer a request, however fresh it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// These bytes of the whole are missing.
    Missing(Range<u64>),
    /// The client means another state: the origin may have it (RFC 9111 §4.3.2: `If-Match` is not for caches to refuse).
    OtherState,
}

/// The form in which a stored response answers.
pub(super) fn form(asked: &Asked<'_>, stored: &Stored) -> Result<Form, Unfit> {
    // RFC 9110 §13.2.1: conditions are for what would be answered with success.
    if stored.status.is_success() {
        if means_other_state(asked, stored) {
            return Err(Unfit::OtherState);
        }
        if is_not_modified(asked, stored) {
            return Ok(Form::NotModified);
        }
    }
    let wanted = if stored.status == StatusCode::OK { ranges(asked, stored) } else { Ranges::Ignore };
    match (wanted, &stored.held) {
        (Ranges::Ignore, Held::Whole(_)) => Ok(Form::Whole),
        (Ranges::Parts(parts), Held::Whole(length)) => Ok(Form::Parts(parts, *length)),
        (Ranges::Unsatisfiable, _) => Ok(stored.complete_length().map_or(Form::Whole, Form::Unsatisfiable)),
        (Ranges::Ignore, Held::Part(..)) if *asked.method == Method::HEAD => Ok(Form::Whole),
        (Ranges::Ignore, Held::Part(held, complete)) => Err(Unfit::Missing(rest(held, *complete))),
        (Ranges::Parts(parts), Held::Part(held, complete)) => {
            let outside = parts.iter().find(|part| part.start < held.start || part.end > held.end);
            match outside {
                None => Ok(Form::Parts(parts, *complete)),
                Some(part) => Err(Unfit::Missing(part.clone())),
            }
        }
    }
}

/// What is missing of the whole: what follows, or else what comes before.
fn rest(held: &Range<u64>, complete: Option<u64>) -> Range<u64> {
    match complete {
        Some(complete) if held.end == complete => 0..held.start,
        complete => held.end..complete.unwrap_or(u64::MAX),
    }
}

fn means_other_state(asked: &Asked<'_>, stored: &Stored) -> bool {
    if asked.headers.contains_key(IF_MATCH) {
        let mut lines = asked.headers.get_all(IF_MATCH).iter().map(etag::text);
        return !lines.any(|tags| match &stored.etag {
            Some(tag) => etag::any_strongly(&tags, tag),
            None => tags.trim() == "*",
        });
    }
    let Some(since) = date_of(asked.headers, &IF_UNMODIFIED_SINCE, stored.date) else { return false };
    stored.last_modified.is_none_or(|modified| modified > since)
}

fn is_not_modified(asked: &Asked<'_>, stored: &Stored) -> bool {
    let conditional = asked.is_get_or_head() || is_query(asked.method);
    // RFC 9110 §13.1.3: `If-None-Match`, where it is there, alone counts. Several lines are one list.
    if conditional && asked.headers.contains_key(IF_NONE_MATCH) {
        let lines = asked.headers.get_all(IF_NONE_MATCH).iter().map(etag::text);
        let mut matches = lines.map(|tags| match &stored.etag {
            Some(tag) => etag::any_weakly(&tags, tag),
            None => tags.trim() == "*",
        });
        return matches.any(|matches| matches);
    }
    if !asked.is_get_or_head() {
        return false;
    }
    let Some(since) = date_of(asked.headers, &IF_MODIFIED_SINCE, stored.date) else { return false };
    // RFC 9111 §4.3.2: without `Last-Modified` the response is as old as its `Date`.
    stored.last_modified.unwrap_or(stored.date) <= since
}

/// Ranges are for GET alone (RFC 9110 §14.2), and only of the state that the client has parts of (§13.1.5).
fn ranges(asked: &Asked<'_>, stored: &Stored) -> Ranges {
    if *asked.method != Method::GET {
        return Ranges::Ignore;
    }
    let mut lines = asked.headers.get_all(RANGE).iter();
    let (Some(field), None) = (lines.next(), lines.next()) else { return Ranges::Ignore };
    let Ok(field) = field.to_str() else { return Ranges::Ignore };
    if asked.headers.contains_key(IF_RANGE) && !is_state_of_range(asked, stored) {
        return Ranges::Ignore;
    }
    match &stored.held {
        Held::Whole(None) => Ranges::Ignore,
        // Where the length is unknown, what counts from the end is past everything that is held.
        held => {
            let length = match held {
                Held::Whole(length) | Held::Part(_, length) => length.unwrap_or(u64::MAX),
            };
            range::parse(field, length)
        }
    }
}

fn is_state_of_range(asked: &Asked<'_>, stored: &Stored) -> bool {
    let Some(validator) = asked.headers.get(IF_RANGE).map(etag::text) else { return false };
    let validator = validator.trim();
    if validator.starts_with('"') || validator.starts_with("W/") {
        return stored.etag.as_deref().is_some_and(|tag| etag::same_strongly(validator, tag));
    }
    let said = date_of(asked.headers, &IF_RANGE, stored.date);
    said.is_some() && said == stored.last_modified && stored.is_last_modified_strong()
}

#[cfg(test)]
#[allow(
    clippy::single_range_in_vec_init,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "tables of answers"
)]
mod tests {
    use super::*;
    use crate::cache::fixture::{admitted, asked, headers, policy, stored};

    #[track_caller]
    fn check_as(method: &Method, request: &[(&str, &str)], stored: &Stored, expected: Result<Form, Unfit>) {
        let sent = headers(request);
        let found = form(&Asked { method, ..asked(&sent) }, stored);
        assert_eq!(found, expected, "{method} {request:?}");
    }

    fn part(range: std::ops::Range<u64>) -> Result<Form, Unfit> {
        Ok(Form::Parts(vec![range], Some(10)))
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let response = stored(&[("cache-control", "max-age=9"), ("etag", "\"a\""), ("last-modified", "@-100")]);
        let check = |request: &[(&str, &str)], expected| check_as(&Method::GET, request, &response, Ok(expected));
        for (tags, expected) in [
            ("\"a\"", Form::NotModified),
            ("W/\"a\"", Form::NotModified),
            ("\"x\", \"a\"", Form::NotModified),
            ("*", Form::NotModified),
            ("\"b\"", Form::Whole),
            ("a", Form::Whole),
            ("", Form::Whole),
        ] {
            check(&[("if-none-match", tags)], expected);
        }
        check(&[("if-none-match", "\"x\""), ("if-none-match", "\"a\"")], Form::NotModified);
        for (date, expected) in [
            ("@-100", Form::NotModified),
            ("@-50", Form::NotModified),
            ("@5000", Form::NotModified),
            ("@-101", Form::Whole),
            ("0", Form::Whole),
            ("Sat, 21 Nov 2026 00:00:00 UTC", Form::Whole),
        ] {
            check(&[("if-modified-since", date)], expected);
        }
        // The tag alone counts where there is one.
        check(&[("if-none-match", "\"b\""), ("if-modified-since", "@0")], Form::Whole);
        check(&[("if-none-match", "\"a\""), ("if-modified-since", "@-900")], Form::NotModified);
        check(&[("if-none-match", "\"a\""), ("range", "bytes=0-1")], Form::NotModified);
        let head = &Method::HEAD;
        check_as(head, &[("if-none-match", "\"a\"")], &response, Ok(Form::NotModified));
        let query = Method::from_bytes(b"QUERY").unwrap();
        check_as(&query, &[("if-none-match", "\"a\"")], &response, Ok(Form::NotModified));
        check_as(&query, &[("if-modified-since", "@0")], &response, Ok(Form::Whole));
        check_as(&Method::POST, &[("if-none-match", "\"a\"")], &response, Ok(Form::Whole));
    }

    #[test]
    fn without_validators_the_date_counts_and_errors_answer_no_conditions() {
        let bare = stored(&[("cache-control", "max-age=9")]);
        check_as(&Method::GET, &[("if-none-match", "\"a\"")], &bare, Ok(Form::Whole));
        check_as(&Method::GET, &[("if-none-match", "*")], &bare, Ok(Form::NotModified));
        check_as(&Method::GET, &[("if-modified-since", "@0")], &bare, Ok(Form::NotModified));
        check_as(&Method::GET, &[("if-modified-since", "@-1")], &bare, Ok(Form::Whole));
        let missing = admitted(404, &[("cache-control", "max-age=9"), ("etag", "\"a\"")], &policy()).unwrap();
        check_as(&Method::GET, &[("if-none-match", "\"a\"")], &missing, Ok(Form::Whole));
        check_as(&Method::GET, &[("range", "bytes=0-1")], &missing, Ok(Form::Whole));
        let obs_text = stored(&[("cache-control", "max-age=9"), ("etag", "\"é\"")]);
        check_as(&Method::GET, &[("if-none-match", "\"é\"")], &obs_text, Ok(Form::NotModified));
        check_as(&Method::GET, &[("if-none-match", "\"ü\"")], &obs_text, Ok(Form::Whole));
    }

    #[test]
    fn a_client_that_means_another_state_is_the_origins_to_answer() {
        let response = stored(&[("cache-control", "max-age=9"), ("etag", "\"a\""), ("last-modified", "@-100")]);
        for (request, expected) in [
            (("if-match", "\"a\""), Ok(Form::Whole)),
            (("if-match", "\"x\", \"a\""), Ok(Form::Whole)),
            (("if-match", "*"), Ok(Form::Whole)),
            (("if-match", "W/\"a\""), Err(Unfit::OtherState)),
            (("if-match", "\"b\""), Err(Unfit::OtherState)),
            (("if-unmodified-since", "@-100"), Ok(Form::Whole)),
            (("if-unmodified-since", "@-101"), Err(Unfit::OtherState)),
            (("if-unmodified-since", "0"), Ok(Form::Whole)),
        ] {
            check_as(&Method::GET, &[request], &response, expected);
        }
    }

    #[test]
    fn ranges_are_of_the_state_that_the_client_has_parts_of() {
        let response = stored(&[("cache-control", "max-age=9"), ("etag", "\"a\""), ("last-modified", "@-100")]);
        let check = |request: &[(&str, &str)], expected| check_as(&Method::GET, request, &response, expected);
        check(&[("range", "bytes=2-4")], part(2..5));
        check(&[("range", "bytes=-2")], part(8..10));
        check(&[("range", "bytes=7-900")], part(7..10));
        check(&[("range", "bytes=10-")], Ok(Form::Unsatisfiable(10)));
        check(&[("range", "bytes=4-2")], Ok(Form::Whole));
        check(&[("range", "lines=0-1")], Ok(Form::Whole));
        check(&[("range", "bytes=0-1"), ("range", "bytes=5-6")], Ok(Form::Whole));
        check(&[("range", "bytes=0-1"), ("if-range", "\"a\"")], part(0..2));
        check(&[("range", "bytes=0-1"), ("if-range", "@-100")], part(0..2));
        for other in ["\"b\"", "W/\"a\"", "@-99", "@-101", "a", ""] {
            check(&[("range", "bytes=0-1"), ("if-range", other)], Ok(Form::Whole));
        }
        check_as(&Method::HEAD, &[("range", "bytes=0-1")], &response, Ok(Form::Whole));
        // A second that may have had two states names none (RFC 9110 §8.8.2.2).
        let young = stored(&[("cache-control", "max-age=9"), ("last-modified", "@-59")]);
        check_as(&Method::GET, &[("range", "bytes=0-1"), ("if-range", "@-59")], &young, Ok(Form::Whole));
    }

    #[test]
    fn an_empty_body_and_one_of_unknown_length_have_no_parts() {
        let fresh = ("cache-control", "max-age=9");
        let empty = admitted(200, &[fresh, ("content-length", "0")], &policy()).unwrap();
        let unknown = admitted(200, &[fresh], &policy()).unwrap();
        for stored in [empty, unknown] {
            check_as(&Method::GET, &[("range", "bytes=0-0")], &stored, Ok(Form::Whole));
            check_as(&Method::GET, &[("range", "bytes=-5")], &stored, Ok(Form::Whole));
        }
    }

    #[test]
    fn a_part_says_what_it_lacks() {
        let of = |range| admitted(206, &[("cache-control", "max-age=9"), ("content-range", range)], &policy()).unwrap();
        let known = of("bytes 3-6/10");
        let check = |request: &[(&str, &str)], expected| check_as(&Method::GET, request, &known, expected);
        check(&[("range", "bytes=3-6")], part(3..7));
        check(&[("range", "bytes=-4")], Err(Unfit::Missing(6..10)));
        check(&[("range", "bytes=3-7")], Err(Unfit::Missing(3..8)));
        check(&[("range", "bytes=20-")], Ok(Form::Unsatisfiable(10)));
        check(&[], Err(Unfit::Missing(7..10)));
        check_as(&Method::HEAD, &[], &known, Ok(Form::Whole));
        check_as(&Method::GET, &[], &of("bytes 3-9/10"), Err(Unfit::Missing(0..3)));
        let unknown = of("bytes 3-6/*");
        check_as(&Method::GET, &[("range", "bytes=4-5")], &unknown, Ok(Form::Parts(vec![4..6], None)));
        check_as(&Method::GET, &[("range", "bytes=4-")], &unknown, Err(Unfit::Missing(4..u64::MAX)));
        check_as(&Method::GET, &[], &unknown, Err(Unfit::Missing(7..u64::MAX)));
    }
}

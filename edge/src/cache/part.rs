//! Partial responses put together (RFC 9111 §3.4, RFC 9110 §15.3.7.3): only of one state, which a strong validator names.

use std::ops::Range;

use http::header::{ETAG, LAST_MODIFIED};
use http::{HeaderName, HeaderValue};

use super::admit::{Arrival, content_range, length};
use super::asked::Asked;
use super::merge;
use super::stored::{Held, Stored};
use crate::config::CachePolicy;

/// Which bytes make up a completed body, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// At least one, none empty.
    pub pieces: Vec<Piece>,
}

/// A run of bytes, counted within the body that it is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Of what is held.
    Held(Range<u64>),
    /// Of what came.
    Came(Range<u64>),
}

impl Stored {
    /// The validator that names the state of its bytes, where there is one.
    pub(super) fn strong_validator(&self) -> Option<HeaderValue> {
        match &self.etag {
            Some(tag) if tag.starts_with('"') => self.headers.get(ETAG).cloned(),
            None if self.is_last_modified_strong() => self.headers.get(LAST_MODIFIED).cloned(),
            Some(_) | None => None,
        }
    }
}

/// The held part with what came, where both are of one state and touch.
pub(super) fn complete(
    stored: &Stored,
    asked: &Asked<'_>,
    policy: &CachePolicy,
    arrival: &Arrival<'_>,
) -> Option<(Stored, Splice)> {
    let Held::Part(held, complete) = &stored.held else { return None };
    let (came, came_complete) = content_range(arrival.headers)?;
    let lengths_agree = complete.is_none() || came_complete.is_none() || *complete == came_complete;
    let is_sound = length(arrival.headers).is_none_or(|length| length == came.end - came.start);
    if !(lengths_agree && is_sound && same_state(stored, arrival)) {
        return None;
    }
    let complete = complete.or(came_complete);
    let pieces = join(held, &came)?;
    let range = held.start.min(came.start)..held.end.max(came.end);
    let mut completed = merge::renewed(stored, asked, policy, arrival).ok()?;
    completed.held = if range.start == 0 && complete == Some(range.end) {
        Held::Whole(complete)
    } else {
        Held::Part(range, complete)
    };
    Some((completed, Splice { pieces }))
}

fn same_state(stored: &Stored, arrival: &Arrival<'_>) -> bool {
    let same =
        |name: HeaderName| arrival.headers.get(&name).is_some_and(|value| Some(value) == stored.headers.get(&name));
    stored.strong_validator().is_some() && if stored.etag.is_some() { same(ETAG) } else { same(LAST_MODIFIED) }
}

/// The bytes that are held come first where both have them: the same state has the same bytes.
fn join(held: &Range<u64>, came: &Range<u64>) -> Option<Vec<Piece>> {
    if came.start > held.end || held.start > came.end {
        return None;
    }
    let before = came.start..came.end.min(held.start).max(came.start);
    let after = came.start.max(held.end).min(came.end)..came.end;
    let came_piece =
        |range: Range<u64>| (!range.is_empty()).then(|| Piece::Came(range.start - came.start..range.end - came.start));
    let own = Piece::Held(0..held.end - held.start);
    Some(came_piece(before).into_iter().chain([own]).chain(came_piece(after)).collect())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::cache::fixture::{admitted, asked, at, headers, policy};

    /// A part of a body of ten bytes.
    fn part(range: &Range<u64>, validator: (&str, &str)) -> Stored {
        let field = format!("bytes {}-{}/10", range.start, range.end - 1);
        admitted(206, &[("cache-control", "max-age=60"), validator, ("content-range", &field)], &policy()).unwrap()
    }

    fn completed(stored: &Stored, fields: &[(&str, &str)]) -> Option<(Stored, Splice)> {
        let (none, new) = (HeaderMap::new(), headers(fields));
        let status = StatusCode::PARTIAL_CONTENT;
        let arrival = Arrival { status, headers: &new, requested_at: at(9), received_at: at(9), sequence: 9, log: 5 };
        complete(stored, &asked(&none), &policy(), &arrival)
    }

    const TAG: (&str, &str) = ("etag", "\"a\"");

    #[test]
    fn parts_of_one_state_that_touch_are_put_together() {
        let (whole, splice) =
            completed(&part(&(0..5), TAG), &[TAG, ("content-range", "bytes 5-9/10"), ("x-new", "1")]).unwrap();
        assert_eq!(whole.held, Held::Whole(Some(10)));
        assert_eq!(splice.pieces, [Piece::Held(0..5), Piece::Came(0..5)]);
        // The newer head counts, and the age is the newer one's.
        assert_eq!((whole.headers["x-new"].as_bytes(), whole.age_s(at(9)), whole.sequence), (&b"1"[..], 0, 9));
        let (more, splice) = completed(&part(&(4..6), TAG), &[TAG, ("content-range", "bytes 2-4/*")]).unwrap();
        assert_eq!(more.held, Held::Part(2..6, Some(10)));
        assert_eq!(splice.pieces, [Piece::Came(0..2), Piece::Held(0..2)]);
    }

    #[test]
    fn what_is_not_surely_of_one_state_stays_apart() {
        let held = part(&(0..5), TAG);
        let rest = ("content-range", "bytes 5-9/10");
        for fields in [
            &[rest][..],
            &[("etag", "\"b\""), rest],
            &[("etag", "W/\"a\""), rest],
            &[TAG, ("content-range", "bytes 5-9/11")],
            &[TAG, ("content-range", "bytes 6-9/10")],
            &[TAG, rest, ("content-length", "4")],
            &[TAG],
            &[TAG, rest, ("cache-control", "no-store")],
        ] {
            assert_eq!(completed(&held, fields), None, "{fields:?}");
        }
        let weak = ("etag", "W/\"a\"");
        assert_eq!(completed(&part(&(0..5), weak), &[weak, rest]), None);
        let dated = ("last-modified", "@-100");
        assert!(completed(&part(&(0..5), dated), &[dated, rest]).is_some());
        let just_now = ("last-modified", "@-10");
        assert_eq!(completed(&part(&(0..5), just_now), &[just_now, rest]), None);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_bytes(start in 0u64..10, length in 1u64..10, other in 0u64..10, more in 1u64..10) {
            let (held, came) = (start..(start + length).min(10), other..(other + more).min(10));
            let range = format!("bytes {}-{}/10", came.start, came.end - 1);
            let touches = came.start <= held.end && held.start <= came.end;
            let body: Vec<u64> = (0..10).collect();
            let cut = |of: &Range<u64>, piece: &Range<u64>| {
                (of.start + piece.start..of.start + piece.end).map(|byte| body[usize::try_from(byte).unwrap()]).collect::<Vec<_>>()
            };
            // The whole would not be held as a part.
            prop_assume!(held != (0..10));
            match completed(&part(&held, TAG), &[TAG, ("content-range", &range)]) {
                None => prop_assert!(!touches),
                Some((completed, splice)) => {
                    let bytes: Vec<u64> = splice.pieces.iter().flat_map(|piece| match piece {
                        Piece::Held(range) => cut(&held, range),
                        Piece::Came(range) => cut(&came, range),
                    }).collect();
                    let first = completed.offset();
                    prop_assert_eq!(bytes, (first..first + completed.announced().unwrap()).collect::<Vec<_>>());
                    prop_assert_eq!((first, completed.announced()), (held.start.min(came.start), Some(held.end.max(came.end) - first)));
                    let is_empty = |piece: &Piece| matches!(piece, Piece::Held(range) | Piece::Came(range) if range.is_empty());
                    prop_assert!(!splice.pieces.iter().any(is_empty));
                }
            }
        }
    }
}

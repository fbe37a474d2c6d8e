//! How long a response is fresh, and how old it is (RFC 9111 §4.2).

use http::header::{AGE, DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::directives::{ResponseDirectives, delta_seconds};
use super::stored::Basis;
use super::targeted::Told;
use crate::config::CachePolicy;
use crate::field::{date, list};
use crate::time::Timestamp;

/// A tenth of the time for which it has not changed (RFC 9111 §4.2.2).
const HEURISTIC_FRACTION: u64 = 10;
/// A guess is good for a day at most.
const HEURISTIC_LIMIT_S: u64 = 24 * 3600;

/// Whether anything but the origin itself may give a response its freshness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// Guesses and the policy's settings hold.
    Hold,
    /// Request or response is somebody's own.
    Personal,
}

/// The freshness lifetime in seconds and who gave it; `None` where nobody did.
pub(super) fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    told: &Told,
    date: Timestamp,
    policy: &CachePolicy,
    ours: Ours,
) -> Option<(u64, Basis)> {
    let by_default = is_cacheable_by_default(status);
    if let Some(seconds) = policy.override_freshness_s.filter(|_| ours == Ours::Hold && by_default) {
        return Some((seconds, Basis::Override));
    }
    if let Some(seconds) = explicit(headers, told, date) {
        return Some((seconds, Basis::Origin));
    }
    if ours == Ours::Personal {
        return None;
    }
    match policy.default_freshness_s {
        // Written out: nobody guesses either.
        Some(0) => return None,
        Some(seconds) if by_default && !is_error_of_server(status) => return Some((seconds, Basis::Default)),
        Some(_) | None => {}
    }
    if by_default || told.directives.public {
        return heuristic(headers, date).map(|seconds| (seconds, Basis::Heuristic));
    }
    None
}

/// What the origin says (RFC 9111 §4.2.1).
fn explicit(headers: &HeaderMap, told: &Told, date: Timestamp) -> Option<u64> {
    let ResponseDirectives { s_maxage, max_age, .. } = told.directives;
    if let Some(seconds) = s_maxage.or(max_age) {
        return Some(seconds);
    }
    if told.targeted {
        return None;
    }
    let mut lines = headers.get_all(EXPIRES).iter();
    let first = lines.next()?;
    // RFC 9111 §5.3: what is no date, "especially the value 0", is in the past. Of several the first counts (§4.2.1);
    // where they disagree, the response counts as stale.
    let agree = lines.all(|line| line == first);
    let expires = first.to_str().ok().and_then(|text| date::parse(text, date));
    Some(expires.filter(|_| agree).map_or(0, |expires| expires.seconds_since(date)))
}

fn heuristic(headers: &HeaderMap, date: Timestamp) -> Option<u64> {
    let modified = date_of(headers, &LAST_MODIFIED, date)?;
    Some((date.seconds_since(modified) / HEURISTIC_FRACTION).min(HEURISTIC_LIMIT_S))
}

/// RFC 9110 §15.1: what may be kept without being told to, but for partial content, which is asked for by name.
pub(super) fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// A setting is meant for answers, not for failures.
fn is_error_of_server(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::METHOD_NOT_ALLOWED
}

/// When the response was made, by its `Date`, else when it came (RFC 9110 §6.6.1).
pub(super) fn date(headers: &HeaderMap, received_at: Timestamp) -> Timestamp {
    date_of(headers, &DATE, received_at).unwrap_or(received_at)
}

/// The one date that a field holds.
pub(super) fn date_of(headers: &HeaderMap, name: &http::HeaderName, now: Timestamp) -> Option<Timestamp> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    date::parse(first.to_str().ok()?, now)
}

/// When the age of a response was zero (RFC 9111 §4.2.3): its `corrected_initial_age` before it came.
pub(super) fn born_at(
    headers: &HeaderMap,
    date: Timestamp,
    requested_at: Timestamp,
    received_at: Timestamp,
) -> Timestamp {
    let by_date = date.min(received_at);
    let by_age = requested_at.min(received_at).minus_seconds(age_value(headers));
    by_date.min(by_age)
}

/// `Age` (RFC 9111 §5.1): the first member of a list counts; what is no number is ignored.
fn age_value(headers: &HeaderMap) -> u64 {
    let first = headers.get(AGE).and_then(|value| value.to_str().ok());
    first.and_then(|value| list::members(value).next()).and_then(delta_seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{NOW, at, headers, policy};
    use crate::cache::targeted;

    #[track_caller]
    fn check_with(
        policy: &CachePolicy,
        ours: Ours,
        status: u16,
        fields: &[(&str, &str)],
        expected: Option<(u64, Basis)>,
    ) {
        let headers = headers(fields);
        let told = targeted::told(&headers);
        let status = StatusCode::from_u16(status).unwrap();
        let found = lifetime(status, &headers, &told, date(&headers, NOW), policy, ours);
        assert_eq!(found, expected, "{status} {fields:?}");
    }

    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: Option<u64>) {
        check_with(&policy(), Ours::Hold, 200, fields, expected.map(|seconds| (seconds, Basis::Origin)));
    }

    #[test]
    fn the_origin_says_how_long_by_the_closest_of_its_words() {
        check(&[("cache-control", "s-maxage=5, max-age=60"), ("expires", "@900")], Some(5));
        check(&[("cache-control", "max-age=60"), ("expires", "@900")], Some(60));
        check(&[("expires", "@900"), ("date", "@0")], Some(900));
        check(&[("expires", "@900"), ("date", "@100")], Some(800));
        check(&[("expires", "@900")], Some(900));
        check(&[("cdn-cache-control", "max-age=7"), ("cache-control", "max-age=60"), ("expires", "@900")], Some(7));
        check(&[("cdn-cache-control", "public"), ("cache-control", "max-age=60"), ("expires", "@900")], None);
        check(&[("cache-control", "public")], None);
        check(&[], None);
    }

    #[test]
    fn what_is_no_date_expired_long_ago() {
        for expires in
            ["0", "-1", "", "now", "Thu, 18 Aug 2050 02:01:18 UTC", "2050-08-18", "Thu, 18 Aug 50 02:01:18 GMT"]
        {
            check(&[("expires", expires), ("last-modified", "@-1000")], Some(0));
        }
        check(&[("expires", "@-5")], Some(0));
        check(&[("expires", "@900"), ("expires", "@900")], Some(900));
        check(&[("expires", "@900"), ("expires", "@901")], Some(0));
        check(&[("expires", "@900"), ("date", "never")], Some(900));
    }

    #[test]
    fn a_tenth_of_its_age_is_a_guess_for_a_day_at_most() {
        let guess = |status, fields: &[(&str, &str)], expected: Option<u64>| {
            check_with(&policy(), Ours::Hold, status, fields, expected.map(|seconds| (seconds, Basis::Heuristic)));
        };
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            guess(status, &[("last-modified", "@-1000")], Some(100));
        }
        for status in [201, 202, 302, 307, 403, 418, 500, 502, 503, 504, 599] {
            guess(status, &[("last-modified", "@-1000")], None);
            guess(status, &[("last-modified", "@-1000"), ("cache-control", "public")], Some(100));
        }
        guess(200, &[("last-modified", "@-100000000")], Some(HEURISTIC_LIMIT_S));
        guess(200, &[("last-modified", "@50")], Some(0));
        guess(200, &[("last-modified", "@-1000"), ("last-modified", "@-1000")], None);
        guess(200, &[("last-modified", "yesterday")], None);
        check_with(&policy(), Ours::Personal, 200, &[("last-modified", "@-1000")], None);
    }

    #[test]
    fn a_default_of_nothing_forbids_to_guess() {
        let mut nothing = policy();
        nothing.default_freshness_s = Some(0);
        for status in [200, 404, 405, 501] {
            check_with(&nothing, Ours::Hold, status, &[("last-modified", "@-1000")], None);
        }
        check_with(&nothing, Ours::Hold, 302, &[("last-modified", "@-1000"), ("cache-control", "public")], None);
        check_with(&nothing, Ours::Hold, 200, &[("cache-control", "max-age=5")], Some((5, Basis::Origin)));
    }

    #[test]
    fn a_policy_fills_in_or_overrides_but_not_for_what_is_somebodys_own() {
        let mut fills_in = policy();
        fills_in.default_freshness_s = Some(30);
        check_with(&fills_in, Ours::Hold, 200, &[], Some((30, Basis::Default)));
        check_with(&fills_in, Ours::Hold, 404, &[("last-modified", "@-1000")], Some((30, Basis::Default)));
        check_with(&fills_in, Ours::Hold, 200, &[("cache-control", "max-age=5")], Some((5, Basis::Origin)));
        check_with(&fills_in, Ours::Personal, 200, &[], None);
        for status in [403, 405, 500, 501, 503] {
            check_with(&fills_in, Ours::Hold, status, &[], None);
        }
        let mut overrides = policy();
        overrides.override_freshness_s = Some(90);
        check_with(&overrides, Ours::Hold, 200, &[("cache-control", "max-age=5")], Some((90, Basis::Override)));
        check_with(&overrides, Ours::Personal, 200, &[("cache-control", "max-age=5")], Some((5, Basis::Origin)));
        check_with(&overrides, Ours::Personal, 200, &[], None);
        check_with(&overrides, Ours::Hold, 500, &[], None);
        check_with(&overrides, Ours::Hold, 500, &[("cache-control", "max-age=5")], Some((5, Basis::Origin)));
    }

    #[track_caller]
    fn check_age(fields: &[(&str, &str)], took_s: i64, expected_s: u64) {
        let headers = headers(fields);
        let received_at = at(took_s);
        let born_at = born_at(&headers, date(&headers, received_at), NOW, received_at);
        assert_eq!(received_at.seconds_since(born_at), expected_s, "{fields:?} after {took_s} s");
    }

    #[test]
    fn an_age_is_the_larger_of_what_is_said_and_what_is_seen() {
        check_age(&[], 0, 0);
        check_age(&[("age", "30")], 0, 30);
        check_age(&[("age", "30")], 4, 34);
        check_age(&[("date", "@-50")], 0, 50);
        check_age(&[("date", "@-50"), ("age", "30")], 4, 54);
        check_age(&[("date", "@-10"), ("age", "30")], 4, 34);
        check_age(&[("date", "@1000")], 4, 4);
        check_age(&[("age", "30, 5")], 0, 30);
        check_age(&[("age", "30"), ("age", "5")], 0, 30);
        for wrong in ["abc", "-30", "30.0", "30;a=b", "", "3 0", "+30"] {
            check_age(&[("age", wrong)], 0, 0);
        }
        check_age(&[("age", "99999999999999999999999")], 0, NOW.as_millis() / 1000);
        // A clock that went back while the answer was on its way.
        check_age(&[], -5, 0);
    }
}

//! What may be asked a second time, and after what (RFC 9110 §9.2.2).

use std::time::Duration;

use http::header::HeaderMap;
use http::{Method, StatusCode};

use super::circuit::Outcome;

/// Bodies up to this size are read before a request that may be repeated is sent, so that it can be.
pub const REPLAY_BYTES: u64 = 64 * 1024;

/// The shortest pause before an origin is asked once more.
const PAUSE_MS: u64 = 25;

/// Whether a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// It asks only: whatever failed may be asked again.
    Safe,
    /// It changes the same however often it comes.
    Idempotent,
    /// Twice is not once.
    Never,
}

impl Repeatable {
    /// By its method, or by what the client says of it: whoever sends an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header)
    /// means to send it again himself.
    pub fn of(method: &Method, headers: &HeaderMap) -> Repeatable {
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "QUERY" => Repeatable::Safe,
            "PUT" | "DELETE" => Repeatable::Idempotent,
            _ if headers.contains_key("idempotency-key") => Repeatable::Idempotent,
            _ => Repeatable::Never,
        }
    }

    /// Whether it is worth another try after an answer with this status; `None`: after none, or one that broke off.
    pub fn again_after(self, status: Option<StatusCode>) -> bool {
        let status = status.map(|status| status.as_u16());
        match self {
            Repeatable::Safe => matches!(status, None | Some(500 | 502..=504)),
            // After a 500 it may have been done by half.
            Repeatable::Idempotent => matches!(status, None | Some(502..=504)),
            Repeatable::Never => false,
        }
    }
}

/// What an answer tells of the origin.
pub fn outcome(status: StatusCode) -> Outcome {
    match status.as_u16() {
        500 | 502..=504 => Outcome::Failed,
        _ => Outcome::Good,
    }
}

/// Whether the platform answered in an origin's place, which it could not reach
/// (<https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>).
pub fn is_of_the_platform(status: StatusCode) -> bool {
    matches!(status.as_u16(), 520..=527 | 530)
}

/// How long to wait before an origin is asked once more, after so many tries: twice as long each time, and half of it by chance, so that
/// requests that failed together do not come back together.
pub fn pause(tries: u8, random: u64) -> Duration {
    let longest = PAUSE_MS << tries.min(6);
    Duration::from_millis(longest / 2 + random % (longest / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_only_is_asked_again_and_what_changes_something_when_that_is_the_same() {
        let mut keyed = HeaderMap::new();
        keyed.insert("idempotency-key", "\"8e03978e\"".parse().unwrap());
        let plain = HeaderMap::new();
        for (method, headers, expected) in [
            ("GET", &plain, Repeatable::Safe),
            ("HEAD", &plain, Repeatable::Safe),
            ("QUERY", &plain, Repeatable::Safe),
            ("PUT", &plain, Repeatable::Idempotent),
            ("DELETE", &plain, Repeatable::Idempotent),
            ("POST", &plain, Repeatable::Never),
            ("PATCH", &plain, Repeatable::Never),
            ("PURGE", &plain, Repeatable::Never),
            ("POST", &keyed, Repeatable::Idempotent),
        ] {
            assert_eq!(Repeatable::of(&method.parse().unwrap(), headers), expected, "{method}");
        }
    }

    #[test]
    fn a_failure_is_worth_another_try_and_an_answer_is_not() {
        for (status, safe, idempotent) in [
            (None, true, true),
            (Some(500), true, false),
            (Some(501), false, false),
            (Some(502), true, true),
            (Some(503), true, true),
            (Some(504), true, true),
            (Some(505), false, false),
            (Some(429), false, false),
            (Some(404), false, false),
            (Some(200), false, false),
        ] {
            let status = status.map(|status| StatusCode::from_u16(status).unwrap());
            assert_eq!(Repeatable::Safe.again_after(status), safe, "{status:?}");
            assert_eq!(Repeatable::Idempotent.again_after(status), idempotent, "{status:?}");
            assert!(!Repeatable::Never.again_after(status));
        }
    }

    #[test]
    fn pauses_grow_and_are_spread() {
        for (tries, shortest, longest) in [(1, 25, 50), (2, 50, 100), (10, 800, 1600)] {
            let of = |random| pause(tries, random).as_millis();
            assert_eq!(of(0), shortest);
            assert!((0..5000).map(of).all(|pause| (shortest..=longest).contains(&pause)), "{tries}");
            assert!((0..5000).map(of).any(|pause| pause == longest), "{tries}");
        }
    }
}

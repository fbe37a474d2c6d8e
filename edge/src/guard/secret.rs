//! Who may use the edge's own addresses (`/.rimward/…`): whoever holds the secret of the scope.
//!
//! Two secrets of a scope are valid at once, so that one can be changed without a moment in which none fits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// Shorter secrets count as none: they can be guessed.
pub const SECRET_BYTES: usize = 16;

/// Failures of one address within [`WINDOW`], after which it is not listened to.
const FAILURES: u32 = 10;

/// After this time without another failure an address is listened to again.
const WINDOW: Duration = Duration::from_mins(1);

/// Addresses that are remembered. Past it all are forgotten.
const ADDRESSES: usize = 1000;

/// What a secret allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To purge, and to look at what came of it.
    Purge,
    /// To read releases that are not current.
    ReadRelease,
    /// To read metrics.
    Metrics,
    /// To operate limits, origins and releases.
    Operate,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 4] = [Scope::Purge, Scope::ReadRelease, Scope::Metrics, Scope::Operate];

    /// The Worker's secrets that hold this scope's secret: the one in use, and the one before it.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Scope::Purge => ["RIMWARD_PURGE_SECRET", "RIMWARD_PURGE_SECRET_OLD"],
            Scope::ReadRelease => ["RIMWARD_READ_RELEASE_SECRET", "RIMWARD_READ_RELEASE_SECRET_OLD"],
            Scope::Metrics => ["RIMWARD_METRICS_SECRET", "RIMWARD_METRICS_SECRET_OLD"],
            Scope::Operate => ["RIMWARD_OPERATE_SECRET", "RIMWARD_OPERATE_SECRET_OLD"],
        }
    }
}

/// Whether a request may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It holds the secret.
    Granted,
    /// The scope has no secret: nobody may, and nobody is told that there is anything.
    Closed,
    /// It holds none, or another.
    Refused,
}

/// Compares what a request says in `Authorization` with the secrets of a scope. How long it takes tells nothing of them.
pub fn check(authorization: Option<&str>, secrets: &[Option<String>; 2]) -> Pass {
    let known = secrets.iter().flatten().filter(|secret| secret.len() >= SECRET_BYTES);
    let known: Vec<[u8; 32]> = known.map(|secret| digest(secret)).collect();
    if known.is_empty() {
        return Pass::Closed;
    }
    let Some(given) = authorization.and_then(bearer) else { return Pass::Refused };
    let given = digest(given);
    // All are compared, each to its end.
    let fits = known.iter().fold(false, |fits, known| fits | equal(known, &given));
    if fits { Pass::Granted } else { Pass::Refused }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other));
    std::hint::black_box(difference) == 0
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Who failed lately, and how often: of this isolate, bounded.
#[derive(Debug, Default)]
pub struct Failures {
    by_address: HashMap<Option<IpAddr>, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// How long an address is not listened to; `None`: it is.
    pub fn muted(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let failed = self.by_address.get(&address).filter(|failed| failed.count >= FAILURES)?;
        let left = WINDOW.saturating_sub(now.since(failed.last));
        (!left.is_zero()).then_some(left)
    }

    /// Counts a failure.
    pub fn count(&mut self, address: Option<IpAddr>, now: Timestamp) {
        if self.by_address.len() >= ADDRESSES && !self.by_address.contains_key(&address) {
            self.by_address.clear();
        }
        let failed = self.by_address.entry(address).or_insert(Failed { count: 0, last: now });
        if now.since(failed.last) >= WINDOW {
            failed.count = 0;
        }
        *failed = Failed { count: failed.count.saturating_add(1), last: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "correct-horse-battery";
    const OLD: &str = "staple-correct-horse";

    #[track_caller]
    fn check_pass(authorization: Option<&str>, secrets: [Option<&str>; 2], expected: Pass) {
        let secrets = secrets.map(|secret| secret.map(str::to_owned));
        assert_eq!(check(authorization, &secrets), expected, "{authorization:?} {secrets:?}");
    }

    #[test]
    fn one_of_two_secrets_fits() {
        let both = [Some(NEW), Some(OLD)];
        let bearer = |secret: &str| format!("Bearer {secret}");
        check_pass(Some(&bearer(NEW)), both, Pass::Granted);
        check_pass(Some(&bearer(OLD)), both, Pass::Granted);
        check_pass(Some(&format!("bearer  {OLD} ")), both, Pass::Granted);
        check_pass(Some(&bearer(OLD)), [Some(NEW), None], Pass::Refused);
        check_pass(Some(&bearer(OLD)), [None, Some(OLD)], Pass::Granted);
        let (shorter, longer) = (bearer(&NEW[1..]), bearer(&format!("{NEW}x")));
        for none in [None, Some(""), Some("Bearer"), Some("Bearer "), Some(NEW), Some("Basic correct-horse-battery")] {
            check_pass(none, both, Pass::Refused);
        }
        check_pass(Some(&shorter), both, Pass::Refused);
        check_pass(Some(&longer), both, Pass::Refused);
    }

    #[test]
    fn without_a_secret_nothing_is_there() {
        check_pass(Some("Bearer x"), [None, None], Pass::Closed);
        check_pass(Some("Bearer "), [Some(""), None], Pass::Closed);
        check_pass(Some("Bearer short"), [Some("short"), Some("fifteen-letters")], Pass::Closed);
        check_pass(Some("Bearer short"), [Some("short"), Some(NEW)], Pass::Refused);
    }

    #[test]
    fn whoever_fails_too_often_is_not_listened_to_for_a_while() {
        let at = |seconds: u64| Timestamp::from_millis(1_000_000 + seconds * 1000);
        let (one, other): (Option<IpAddr>, _) = (Some("192.0.2.1".parse().unwrap()), None);
        let mut failures = Failures::default();
        for _ in 0..FAILURES {
            assert_eq!(failures.muted(one, at(5)), None);
            failures.count(one, at(5));
        }
        assert_eq!(failures.muted(one, at(5)), Some(WINDOW));
        assert_eq!(failures.muted(one, at(64)), Some(Duration::from_secs(1)));
        assert_eq!((failures.muted(one, at(65)), failures.muted(other, at(5))), (None, None));
        failures.count(one, at(66));
        assert_eq!(failures.muted(one, at(66)), None, "a new window began");
    }

    #[test]
    fn addresses_are_bounded() {
        let mut failures = Failures::default();
        for number in 0..5000_u32 {
            failures.count(Some(IpAddr::from(number.to_be_bytes())), Timestamp::default());
            assert!(failures.by_address.len() <= ADDRESSES);
        }
    }
}

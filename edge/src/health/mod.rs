//! Checks of origins by one object for all pools, as plain functions: no clock, no chance, nothing outside.
//!
//! [`list`] is what is to be checked, as isolates tell the object; [`checker`] decides which checks are due, what their results
//! mean, what of that is said in the control log, and when the object wakes up next.

pub mod checker;
pub mod list;

use std::time::Duration;

use crate::time::Timestamp;

/// How often an isolate tells the object that somebody still asks, at most.
pub const ASK_EVERY: Duration = Duration::from_mins(1);

/// After so long in which nobody asked, nothing is checked until somebody does.
pub const PAUSE_AFTER: Duration = Duration::from_mins(5);

/// Checks that are under way at once. The platform lets six requests of an object wait for their answers' heads; a seventh
/// would wait for one of those, and its time would run out before it was sent
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
pub const AT_ONCE: usize = 6;

/// Origins that are checked at most, of all pools together.
pub const CHECKED: usize = 1000;

/// How much of an answer's body is looked at.
pub const BODY_BYTES: usize = 64 * 1024;

/// How long an origin counts as sick that nobody says it of any more.
pub const SICK_FOR: Duration = Duration::from_mins(10);

/// So long before that it is said again.
pub const SAID_AGAIN: Duration = Duration::from_mins(5);

/// Whether an isolate is to tell the object now that somebody asks, where it last did at `told_at`.
pub fn is_time(told_at: Option<Timestamp>, now: Timestamp) -> bool {
    // A moment in the future is one of a clock that stepped back: it says nothing.
    !told_at.is_some_and(|told_at| told_at <= now && now.since(told_at) < ASK_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolate_asks_at_most_once_a_minute() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        for (told_at, expected) in
            [(None, true), (Some(1000), false), (Some(941), false), (Some(940), true), (Some(1001), true)]
        {
            assert_eq!(is_time(told_at.map(at), at(1000)), expected, "{told_at:?}");
        }
    }
}

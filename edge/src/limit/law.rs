//! What each algorithm promises of one partition: the law that `rimward check` prints, that `RateLimit-Policy` is derived
//! from, and that the tests hold every pattern of arrivals to.

use std::time::Duration;

use super::turns::EXPIRE_MS;
use crate::config::{Algorithm, Permits, Window};

/// The most permits that are given in any closed interval of that length; `None` where the algorithm bounds what is under
/// way instead ([`Algorithm::Concurrency`]).
pub fn most_within(algorithm: Algorithm, interval: Duration) -> Option<u64> {
    let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    let each = |permits: Permits, count: u64| u64::from(permits.number()).saturating_mul(count);
    match algorithm {
        Algorithm::Gcra { permits, window, burst } => {
            let returned = u128::from(interval) * u128::from(permits.number()) / u128::from(window.millis());
            Some(u64::from(burst.number()).saturating_add(u64::try_from(returned).unwrap_or(u64::MAX)))
        }
        // A closed interval may begin at the last instant of a window.
        Algorithm::FixedWindow { permits, window } | Algorithm::SlidingWindow { permits, window } => {
            Some(each(permits, interval.div_ceil(window.millis()).saturating_add(1)))
        }
        Algorithm::Concurrency { .. } => None,
    }
}

/// The quota and the span of seconds that a client may plan by (`q` and `w` of `RateLimit-Policy`): the window; of GCRA, how long the
/// whole burst takes to come back. `w` is `None` where there is no such span.
pub fn advertised(algorithm: Algorithm) -> (u32, Option<u64>) {
    match algorithm {
        Algorithm::Gcra { permits, window, burst } => {
            let refill = u64::from(burst.number()) * window.millis();
            (burst.number(), Some(refill.div_ceil(u64::from(permits.number()) * 1000)))
        }
        Algorithm::FixedWindow { permits, window } | Algorithm::SlidingWindow { permits, window } => {
            (permits.number(), Some(window.millis().div_ceil(1000)))
        }
        Algorithm::Concurrency { permits, .. } => (permits.number(), None),
    }
}

/// The law as a sentence, for people.
pub fn say(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Gcra { permits, window, burst } => format!(
            "gcra: in any t seconds at most {} + {} * t / {}",
            burst.number(),
            permits.number(),
            seconds(window)
        ),
        Algorithm::FixedWindow { permits, window } => format!(
            "fixed-window: at most {} in each window of {} s; two windows may meet in one such span",
            permits.number(),
            seconds(window)
        ),
        Algorithm::SlidingWindow { permits, window } => format!(
            "sliding-window: at most {} in each window of {} s, less what the last one's count leaves of it",
            permits.number(),
            seconds(window)
        ),
        Algorithm::Concurrency { permits, queue, wait_ms } => {
            let waiting = match queue {
                0 => "nobody waits".to_owned(),
                _ => format!("up to {queue} more wait for at most {wait_ms} ms, in the order that they came"),
            };
            format!("concurrency: at most {} under way at once; {waiting}", permits.number())
        }
    }
}

/// What else holds after a restart of the object that counts, as a sentence; `None` where the law says everything.
pub fn say_after_restart(algorithm: Algorithm) -> Option<String> {
    matches!(algorithm, Algorithm::Concurrency { .. }).then(|| {
        let within = EXPIRE_MS / 1000;
        format!(
            "after a restart of its object it may refuse too early, for up to {within} s, until it knows who is there"
        )
    })
}

/// Seconds, with three digits behind the point where they are no whole number.
fn seconds(window: Window) -> String {
    let millis = window.millis();
    match millis % 1000 {
        0 => (millis / 1000).to_string(),
        rest => format!("{}.{rest:03}", millis / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(number: u32) -> Permits {
        Permits::try_from(number).unwrap()
    }

    fn window(millis: u64) -> Window {
        Window::try_from(millis).unwrap()
    }

    #[test]
    fn an_interval_meets_one_window_more_than_it_is_long() {
        let law = Algorithm::FixedWindow { permits: permits(10), window: window(1000) };
        for (millis, expected) in [(0, 10), (1, 20), (1000, 20), (1001, 30), (2000, 30)] {
            assert_eq!(most_within(law, Duration::from_millis(millis)), Some(expected), "{millis}");
        }
    }

    #[test]
    fn permits_come_back_one_by_one() {
        let law = Algorithm::Gcra { permits: permits(60), window: window(60_000), burst: permits(5) };
        for (millis, expected) in [(0, 5), (999, 5), (1000, 6), (60_000, 65)] {
            assert_eq!(most_within(law, Duration::from_millis(millis)), Some(expected), "{millis}");
        }
        assert_eq!(advertised(law), (5, Some(5)));
        assert_eq!(say(law), "gcra: in any t seconds at most 5 + 60 * t / 60");
    }

    #[test]
    fn what_is_advertised_is_never_sooner_than_it_comes() {
        let law = Algorithm::Gcra { permits: permits(1000), window: window(60_000), burst: permits(25) };
        assert_eq!(advertised(law), (25, Some(2)));
        let law = Algorithm::SlidingWindow { permits: permits(7), window: window(1500) };
        assert_eq!(advertised(law), (7, Some(2)));
        assert!(say(law).contains("1.500 s"), "{}", say(law));
    }
}

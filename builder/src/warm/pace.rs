//! How many requests may begin in a second. A rule over time that is handed in.

use std::time::Duration;

/// Lets requests begin evenly: in any span of time at most its length times the rate, and one.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between two requests; zero: as fast as they are answered.
    interval: Duration,
    /// When the next request may begin.
    next: Duration,
}

impl Pace {
    /// `None`: as fast as requests are answered.
    pub fn new(per_second: Option<f64>) -> Pace {
        let interval = per_second.map_or(Duration::ZERO, |rate| {
            // Rounded up, so that rounding never makes it faster.
            Duration::from_secs_f64(1.0 / rate) + Duration::from_nanos(1)
        });
        Pace { interval, next: Duration::ZERO }
    }

    /// When a request may begin that is ready now. Time that nobody used is not saved up.
    pub fn begin(&mut self, now: Duration) -> Duration {
        let at = self.next.max(now);
        self.next = at + self.interval;
        at
    }
}

/// Time that passes.
pub trait Clock: Send + Sync {
    /// Since some beginning.
    fn now(&self) -> Duration;

    /// Waits until then.
    fn wait_until(&self, then: Duration);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_span_of_time_has_more_beginnings_than_the_rate_allows(
            rate in 0.1_f64..2_000.0,
            pauses in proptest::collection::vec(0_u64..2_000_000, 1..200),
        ) {
            let mut pace = Pace::new(Some(rate));
            let mut now = Duration::ZERO;
            let begun: Vec<Duration> = pauses.iter().map(|&pause| {
                now += Duration::from_micros(pause);
                let at = pace.begin(now);
                assert!(at >= now);
                at
            }).collect();
            for (first, from) in begun.iter().enumerate() {
                for (last, to) in begun.iter().enumerate().skip(first) {
                    let span = to.saturating_sub(*from).as_secs_f64();
                    #[allow(clippy::cast_precision_loss, reason = "at most 200")]
                    let count = (last - first + 1) as f64;
                    prop_assert!(count <= span * rate + 1.0 + 1e-6, "{count} in {span} s at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_rate_is_used_up() {
        let mut pace = Pace::new(Some(10.0));
        let tenth = pace_until(&mut pace, 10);
        assert!(tenth >= Duration::from_millis(900) && tenth < Duration::from_millis(901), "{tenth:?}");
        assert_eq!(pace_until(&mut Pace::new(None), 1_000), Duration::ZERO);
    }

    fn pace_until(pace: &mut Pace, count: usize) -> Duration {
        (0..count).map(|_| pace.begin(Duration::ZERO)).last().unwrap()
    }
}

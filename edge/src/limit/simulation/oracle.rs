//! What the law allows, of what really happened: in linear time, for every interval there is.

use crate::config::Algorithm;

/// By how many permits the worst interval goes past the law, when each is taken to be `slack_ms` longer than it is. What was
/// given is in the order of time.
pub(super) fn excess(algorithm: Algorithm, slack_ms: u64, given: &[(u64, u64)]) -> u64 {
    match algorithm {
        Algorithm::Gcra { permits, window, burst } => {
            let [permits, window] = [u128::from(permits.number()), u128::from(window.millis())];
            let most = u128::from(burst.number()) * window + u128::from(slack_ms) * permits;
            let (mut back_at, mut worst) = (0, 0);
            for (at, cost) in given {
                let now = u128::from(*at) * permits;
                back_at = now.max(back_at) + u128::from(*cost) * window;
                worst = worst.max((back_at - now).saturating_sub(most).div_ceil(window));
            }
            u64::try_from(worst).unwrap()
        }
        Algorithm::SlidingWindow { permits, window } | Algorithm::FixedWindow { permits, window } => {
            let (permits, window) = (u64::from(permits.number()), window.millis());
            let span = given.last().map_or(0, |last| last.0 - given[0].0) + slack_ms;
            (slack_ms.div_ceil(window)..=span.div_ceil(window))
                .map(|windows| most_in(given, windows * window - slack_ms).saturating_sub(permits * (windows + 1)))
                .max()
                .unwrap_or_default()
        }
        Algorithm::Concurrency { .. } => panic!("nothing is counted over time"),
    }
}

/// The most that was given in any closed interval of that length.
pub(super) fn most_in(given: &[(u64, u64)], span_ms: u64) -> u64 {
    let (mut first, mut sum, mut most) = (0, 0, 0);
    for (at, cost) in given {
        sum += cost;
        while given[first].0 + span_ms < *at {
            sum -= given[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Permits, Window};
    use crate::limit::law::most_within;

    fn algorithm(kind: u8, permits: u32, window: u64, burst: u32) -> Algorithm {
        let window = Window::try_from(window).unwrap();
        let [permits, burst] = [permits, burst].map(|number| Permits::try_from(number).unwrap());
        match kind {
            0 => Algorithm::Gcra { permits, window, burst },
            1 => Algorithm::SlidingWindow { permits, window },
            _ => Algorithm::FixedWindow { permits, window },
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_every_interval_finds(
            kind in 0..3_u8,
            permits in 1..12_u32,
            burst in 1..12_u32,
            slack in prop_oneof![Just(0), 0..1500_u64],
            pauses in prop::collection::vec((0..900_u64, 1..4_u64), 1..40),
        ) {
            let algorithm = algorithm(kind, permits, 1000, burst);
            let mut now = 50;
            let given: Vec<(u64, u64)> = pauses.iter().map(|(pause, cost)| { now += pause; (now, *cost) }).collect();
            let mut worst = 0;
            for (first, (from, _)) in given.iter().enumerate() {
                let mut sum = 0;
                for (until, cost) in &given[first..] {
                    sum += cost;
                    let most = most_within(algorithm, Duration::from_millis(until - from + slack)).unwrap();
                    worst = worst.max(sum.saturating_sub(most));
                }
            }
            prop_assert_eq!(excess(algorithm, slack, &given), worst);
        }
    }
}

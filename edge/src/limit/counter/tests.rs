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

fn any_algorithm() -> impl Strategy<Value = Algorithm> {
    (0..3_u8, 1..50_u32, 1000..5000_u64, 1..80_u32)
        .prop_map(|(kind, permits, window, burst)| algorithm(kind, permits, window, burst))
}

/// Pauses and costs.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let pause = prop_oneof![3 => Just(0_u64), 3 => 0..40_u64, 2 => 0..900_u64, 1 => 0..12_000_u64];
    prop::collection::vec((pause, prop_oneof![4 => Just(1_u64), 1 => 1..5_u64]), 1..250)
}

/// What was admitted, and when.
fn run(quota: Quota, began: u64, arrivals: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut now = began;
    let mut counter = Counter::unused(quota, now);
    let mut admitted = Vec::new();
    for (pause, cost) in arrivals {
        now += pause;
        let cost = (*cost).min(quota.most_at_once());
        if counter.take(quota, cost, now) == Decision::Admit {
            admitted.push((now, cost));
        }
    }
    admitted
}

proptest! {
    #[test]
    fn no_pattern_of_arrivals_gets_more_than_the_law(
        algorithm in any_algorithm(),
        began in 1_700_000_000_000..1_700_000_100_000_u64,
        arrivals in arrivals(),
    ) {
        let quota = Quota::of(algorithm).unwrap();
        let admitted = run(quota, began, &arrivals);
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &admitted[first..] {
                sum += cost;
                let most = most_within(algorithm, Duration::from_millis(until - from)).unwrap();
                prop_assert!(sum <= most, "{sum} of {most} in {} ms: {algorithm:?}", until - from);
            }
        }
    }

    #[test]
    fn a_window_gets_exactly_its_permits(
        permits in 1..40_u32,
        window in 1000..4000_u64,
        kind in 1..3_u8,
        arrivals in arrivals(),
    ) {
        let quota = Quota::of(algorithm(kind, permits, window, 1)).unwrap();
        let single: Vec<(u64, u64)> = arrivals.iter().map(|(pause, _)| (*pause, 1)).collect();
        let admitted = run(quota, 1_700_000_000_000, &single);
        let mut now = 1_700_000_000_000;
        let mut asked = std::collections::BTreeMap::<u64, u64>::new();
        for (pause, _) in &single {
            now += pause;
            *asked.entry(now / window).or_default() += 1;
        }
        for (at, asked) in asked {
            let got = admitted.iter().filter(|(when, _)| when / window == at).count() as u64;
            prop_assert!(got <= u64::from(permits));
            if kind == 2 {
                prop_assert_eq!(got, asked.min(u64::from(permits)));
            }
        }
    }

    #[test]
    fn whoever_comes_when_told_is_admitted_and_nobody_earlier(
        algorithm in any_algorithm(),
        arrivals in arrivals(),
        cost in 1..4_u64,
    ) {
        let quota = Quota::of(algorithm).unwrap();
        let cost = cost.min(quota.most_at_once());
        let mut now = 1_700_000_000_000;
        let mut counter = Counter::unused(quota, now);
        for (pause, _) in arrivals {
            now += pause;
            if let Decision::Throttle { retry_ms } = counter.take(quota, cost, now) {
                prop_assert!(retry_ms > 0);
                let mut then = counter;
                prop_assert_eq!(then.take(quota, cost, now + retry_ms), Decision::Admit, "{:?} {}", quota, retry_ms);
                let mut before = counter;
                prop_assert_ne!(before.take(quota, cost, now + retry_ms - 1), Decision::Admit);
            }
        }
    }

    #[test]
    fn what_is_said_to_be_left_is_to_be_had(algorithm in any_algorithm(), arrivals in arrivals()) {
        let quota = Quota::of(algorithm).unwrap();
        let mut now = 1_700_000_000_000;
        let mut counter = Counter::unused(quota, now);
        for (pause, cost) in arrivals {
            now += pause;
            counter.take(quota, cost.min(quota.most_at_once()), now);
            let left = counter.left(quota, now);
            let mut all = counter;
            prop_assert!(left == 0 || all.take(quota, left, now) == Decision::Admit, "{left} of {quota:?}");
            let mut one_more = counter;
            if left < quota.most_at_once() {
                prop_assert_ne!(one_more.take(quota, left + 1, now), Decision::Admit);
            }
            let reset = counter.reset_ms(quota, now);
            let mut later = counter;
            prop_assert_eq!(later.left(quota, now + reset), quota.most_at_once(), "{:?} after {}", quota, reset);
        }
    }

    /// A process that forgets its memory at any moment goes on from what it had written down.
    #[test]
    fn a_restart_never_forgives(algorithm in any_algorithm(), arrivals in arrivals(), restarts in prop::collection::vec(0..250_usize, 0..6)) {
        let quota = Quota::of(algorithm).unwrap();
        let mut now = 1_700_000_000_000;
        let mut counter = Counter::unused(quota, now);
        let mut stored = counter;
        let mut writes = 0;
        let mut admitted = Vec::new();
        for (place, (pause, cost)) in arrivals.iter().enumerate() {
            now += pause;
            if restarts.contains(&place) {
                counter = stored.to_string().parse().unwrap();
            }
            let cost = (*cost).min(quota.most_at_once());
            if counter.take(quota, cost, now) == Decision::Admit {
                if !counter.is_within(&stored) {
                    stored = counter.ahead(quota, now);
                    writes += 1;
                }
                admitted.push((now, cost));
            }
            let (taken, restarts) = (admitted.iter().map(|(_, cost)| cost).sum(), restarts.len() as u64);
            let most = quota.most_writes(taken, now - 1_700_000_000_000) + restarts;
            prop_assert!(writes <= most.min(admitted.len() as u64), "{writes} of {most}: {algorithm:?}");
        }
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &admitted[first..] {
                sum += cost;
                let most = most_within(algorithm, Duration::from_millis(until - from)).unwrap();
                prop_assert!(sum <= most, "{sum} of {most} in {} ms: {algorithm:?}", until - from);
            }
        }
    }

    #[test]
    fn what_is_given_back_is_no_more_than_what_was_taken(
        algorithm in any_algorithm(),
        arrivals in arrivals(),
        given in prop::collection::vec(any::<bool>(), 250),
        after in 0..3000_u64,
    ) {
        // Permits that are taken and given back, and those that are kept: the kept ones alone are held to the law.
        let quota = Quota::of(algorithm).unwrap();
        let mut now = 1_700_000_000_000;
        let mut counter = Counter::unused(quota, now);
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut owed: Vec<(u64, u64)> = Vec::new();
        for ((pause, cost), give) in arrivals.iter().zip(given) {
            now += pause;
            owed.retain(|(taken, cost)| {
                let due = taken + after <= now;
                if due {
                    counter.give_back(quota, *cost, *taken, now);
                }
                !due
            });
            let cost = (*cost).min(quota.most_at_once());
            if counter.take(quota, cost, now) == Decision::Admit {
                if give { owed.push((now, cost)) } else { kept.push((now, cost)) }
            }
        }
        for (first, (from, _)) in kept.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &kept[first..] {
                sum += cost;
                let most = most_within(algorithm, Duration::from_millis(until - from)).unwrap();
                prop_assert!(sum <= most, "{sum} of {most} in {} ms: {algorithm:?}", until - from);
            }
        }
    }

    /// Leases: taken from the quota for leases, spent at any time until they end.
    #[test]
    fn what_is_lent_and_spent_later_keeps_the_law(
        kind in 0..3_u8,
        permits in 150..600_u32,
        window in 1000..5000_u64,
        burst in 100..900_u32,
        arrivals in arrivals(),
        delays in prop::collection::vec(0..1000_u64, 250),
    ) {
        let algorithm = algorithm(kind, permits, window, burst);
        let quota = Quota::of(algorithm).unwrap();
        prop_assume!(quota.is_worth_lending(1));
        let lent_from = quota.for_leases();
        let mut now = 1_700_000_000_000;
        let mut counter = Counter::unused(lent_from, now);
        let mut spent = Vec::new();
        for ((pause, cost), delay) in arrivals.iter().zip(delays) {
            now += pause;
            let cost = (*cost * 20).min(lent_from.most_at_once());
            if counter.take(lent_from, cost, now) == Decision::Admit {
                let ends = Counter::window_ends_at(quota, now).map_or(u64::MAX, |end| end - 1);
                spent.push(((now + delay % (quota.lease_ms() + 1)).min(ends), cost));
            }
        }
        spent.sort_unstable();
        for (first, (from, _)) in spent.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &spent[first..] {
                sum += cost;
                let most = most_within(algorithm, Duration::from_millis(until - from)).unwrap();
                prop_assert!(sum <= most, "{sum} of {most} in {} ms: {algorithm:?}", until - from);
            }
        }
    }
}

#[test]
fn writes_are_blocks_of_a_twentieth() {
    let quota = Quota::of(algorithm(0, 1000, 60_000, 1000)).unwrap();
    let now = 1_700_000_000_000;
    let (mut counter, mut writes) = (Counter::unused(quota, now), 0);
    let mut stored = counter;
    for _ in 0..1000 {
        assert_eq!(counter.take(quota, 1, now), Decision::Admit);
        if !counter.is_within(&stored) {
            stored = counter.ahead(quota, now);
            writes += 1;
        }
    }
    assert_ne!(counter.take(quota, 1, now), Decision::Admit);
    assert_eq!(writes, 20);
}

#[test]
fn a_clock_that_steps_back_forgives_nothing_and_locks_nobody_out_for_longer_than_a_window() {
    for kind in 0..3 {
        let quota = Quota::of(algorithm(kind, 10, 60_000, 10)).unwrap();
        let now = 1_700_000_000_000;
        let mut counter = Counter::unused(quota, now);
        assert_eq!(counter.take(quota, 10, now), Decision::Admit);
        let earlier = now - 86_400_000;
        let Decision::Throttle { retry_ms } = counter.take(quota, 1, earlier) else { panic!("{quota:?} forgave") };
        assert!(retry_ms <= 60_000, "{quota:?}: {retry_ms}");
        assert_eq!(counter.take(quota, 1, earlier + 60_000 * 2), Decision::Admit, "{quota:?}");
    }
}

#[test]
fn a_window_that_has_begun_does_not_begin_again_when_the_clock_steps_back() {
    for kind in [1, 2] {
        let quota = Quota::of(algorithm(kind, 10, 10_000, 10)).unwrap();
        let mut counter = Counter::unused(quota, 20_050);
        assert_eq!(counter.take(quota, 10, 20_050), Decision::Admit);
        assert_eq!(counter.left(quota, 19_900), 0);
        let Decision::Throttle { retry_ms } = counter.take(quota, 1, 19_900) else { panic!("{quota:?} forgave") };
        assert!(retry_ms >= 10_100, "{quota:?}: {retry_ms}");
        assert_ne!(counter.take(quota, 1, 20_100), Decision::Admit, "{quota:?}");
        assert_eq!(counter.take(quota, 1, 31_000), Decision::Admit, "{quota:?}");
    }
}

#[test]
fn what_is_too_little_to_lend_keeps_all_its_burst() {
    for (permits, burst, kept) in [(20_000, 20_000, 18_000), (20_000, 4_000, 3_000), (130, 130, 130), (60_000, 40, 40)]
    {
        let quota = Quota::of(algorithm(0, permits, 60_000, burst)).unwrap();
        assert_eq!(quota.for_leases().most_at_once(), kept, "{quota:?}");
    }
    let day = Quota::of(algorithm(0, 1_000_000, 86_400_000, 1_000_000)).unwrap();
    assert_eq!(day.lease_ms(), 300_000);
}

#[test]
fn a_window_begins_at_a_multiple_of_itself() {
    let quota = Quota::of(algorithm(2, 3, 10_000, 1)).unwrap();
    let mut counter = Counter::unused(quota, 19_999);
    assert_eq!(counter.take(quota, 3, 19_999), Decision::Admit);
    assert_eq!(counter.take(quota, 1, 19_999), Decision::Throttle { retry_ms: 1 });
    assert_eq!(counter.take(quota, 3, 20_000), Decision::Admit);
    assert_eq!((counter.left(quota, 20_001), counter.reset_ms(quota, 20_001)), (0, 9_999));
}

#[test]
fn the_last_window_fades_from_a_sliding_one() {
    let quota = Quota::of(algorithm(1, 10, 10_000, 1)).unwrap();
    let mut counter = Counter::unused(quota, 0);
    assert_eq!(counter.take(quota, 10, 9_000), Decision::Admit);
    // Half of the next window on, half of the last one's ten still count.
    assert_eq!(counter.left(quota, 15_000), 5);
    assert_eq!(counter.take(quota, 6, 15_000), Decision::Throttle { retry_ms: 1_000 });
    assert_eq!(counter.take(quota, 5, 15_000), Decision::Admit);
}

#[test]
fn texts_of_no_quota_are_refused() {
    let read = |text: &str| Quota::read(&mut text.split(' '));
    let quota = Quota::of(algorithm(0, 7, 60_000, 9)).unwrap();
    assert_eq!(read(&quota.to_string()), Ok(quota));
    for text in ["", "g", "x 1 1000 1", "g 0 1000 1", "g 1 999 1", "g 1 1000 0", "g 1000001 1000 1", "f -1 1000 1"] {
        assert_eq!(read(text), Err(NoQuota), "{text}");
    }
    for text in ["", "1 2", "1 2 x"] {
        assert_eq!(text.parse::<Counter>(), Err(NoQuota), "{text}");
    }
}

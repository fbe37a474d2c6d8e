use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Algorithm, Permits, Window};
use crate::limit::law::most_within;

const NOW: u64 = 1_700_000_000_000;

fn quota(text: &str) -> Quota {
    Quota::read(&mut text.split(' ')).unwrap()
}

fn charge(partition: u128, text: &str) -> Charge {
    let key = Key { policy: 7, partition };
    Charge { key, quota: quota(text), cost: 1, want: None, isolate: 1, shadow: false, unsure_ms: 0 }
}

fn restarted(rows: &[Row]) -> Shard {
    let (shard, unread) = Shard::open(rows.iter().map(|row| (row.key.as_str(), row.text.as_str())));
    assert_eq!(unread, 0);
    shard
}

/// The rows as a store keeps them.
fn store(stored: &mut Vec<Row>, shard: &mut Shard) -> usize {
    let rows = shard.take_rows();
    let written = rows.len();
    for row in rows {
        stored.retain(|known| known.key != row.key);
        stored.push(row);
    }
    written
}

#[test]
fn all_charges_are_made_or_none() {
    let mut shard = Shard::default();
    let wide = charge(1, "f 10 60000 10");
    let narrow = Charge { key: Key { policy: 8, partition: 1 }, ..charge(1, "f 2 60000 2") };
    for _ in 0..5 {
        shard.take(&[wide, narrow], NOW);
        shard.take(&[narrow, wide], NOW);
    }
    // Two requests passed both: eight permits are left of the wide one.
    let settled = shard.take(&[wide], NOW);
    assert_eq!((settled[0].admitted, settled[0].left), (true, 7));
}

#[test]
fn a_shadow_refuses_nobody() {
    let mut shard = Shard::default();
    let shadow = Charge { shadow: true, key: Key { policy: 8, partition: 1 }, ..charge(1, "f 1 60000 1") };
    let real = charge(1, "f 3 60000 3");
    let outcomes: Vec<[bool; 2]> = (0..4)
        .map(|_| {
            let charges = [shadow, real];
            let settled = shard.take(&charges, NOW);
            [settled[0].admitted, !refuses(&charges, &settled)]
        })
        .collect();
    assert_eq!(outcomes, [[true, true], [false, true], [false, true], [false, false]]);
}

#[test]
fn what_another_object_refused_is_given_back() {
    let mut shard = Shard::default();
    let one = charge(1, "g 5 60000 5");
    let settled = shard.take(&[one], NOW);
    shard.undo(&[(one, settled[0])], NOW, NOW + 40);
    assert_eq!(shard.take(&[one], NOW + 41)[0].left, 4);
}

#[test]
fn who_is_refused_because_of_what_may_come_back_does_not_stay_away() {
    for text in ["f 2 3600000 2", "g 2 3600000 2", "s 2 3600000 2"] {
        let mut shard = Shard::default();
        let sure = charge(1, text);
        let unsure = Charge { unsure_ms: 4000, ..sure };
        assert!(shard.take(&[sure], NOW)[0].admitted);
        let taken = shard.take(&[unsure], NOW)[0];
        for (later, most) in [(1, 1000), (3500, 500)] {
            let refused = shard.take(&[sure], NOW + later)[0];
            assert!(!refused.admitted && refused.wait_ms == most, "{text}: {refused:?}");
        }
        // Nothing else is to come back: it is known when it is worth trying again.
        let refused = shard.take(&[sure], NOW + 4000)[0];
        assert!(!refused.admitted && refused.wait_ms > 1_000_000, "{text}: {refused:?}");
        shard.undo(&[(unsure, taken)], NOW, NOW + 4000);
        assert!(shard.take(&[sure], NOW + 4001)[0].admitted, "{text}");
    }
}

#[test]
fn a_peak_that_was_given_back_is_not_there_again_after_a_restart() {
    for text in ["f 100 3600000 100", "g 100 3600000 100", "s 100 3600000 100"] {
        let (mut shard, mut stored) = (Shard::default(), Vec::new());
        let one = charge(1, text);
        let taken: Vec<Settled> = (0..60).map(|_| shard.take(&[one], NOW)[0]).collect();
        store(&mut stored, &mut shard);
        for settled in &taken[8..] {
            shard.undo(&[(one, *settled)], NOW, NOW + 10);
        }
        store(&mut stored, &mut shard);
        let left = restarted(&stored).take(&[one], NOW + 20)[0].left;
        assert!((86..=91).contains(&left), "{text}: {left}");
    }
}

#[test]
fn what_is_taken_and_given_back_again_and_again_is_not_written_each_time() {
    for text in ["f 20 3600000 20", "g 20 3600000 20", "f 100 3600000 100", "s 1000 3600000 1000"] {
        let (mut shard, mut writes) = (Shard::default(), 0);
        let one = charge(1, text);
        for begins in 0..15 {
            shard.take(&[one], NOW);
            for number in 0..100 {
                let now = NOW + begins * 1000 + number;
                let settled = shard.take(&[one], now)[0];
                shard.undo(&[(one, settled)], now, now);
            }
            writes += shard.take_rows().len();
        }
        assert!(writes <= 45, "{text}: {writes}");
    }
}

/// The same as what is held to, in the words of the settings.
fn algorithm(kind: &str, permits: u32, window: u64) -> Algorithm {
    let (permits, window) = (Permits::try_from(permits).unwrap(), Window::try_from(window).unwrap());
    match kind {
        "g" => Algorithm::Gcra { permits, window, burst: permits },
        "s" => Algorithm::SlidingWindow { permits, window },
        _ => Algorithm::FixedWindow { permits, window },
    }
}

/// What happens to an object. The number says how many of its rows are written before it ends; `None`: it goes on.
#[derive(Debug, Clone)]
enum Step {
    /// A request, and whether something else refuses it.
    Take { cost: u64, is_refused: bool },
    /// What was taken for one that is refused is given back.
    Undo { which: usize },
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step, Option<usize>)>> {
    let pause = prop_oneof![6 => Just(0_u64), 3 => 0..40_u64, 2 => 0..900_u64, 1 => 0..12_000_u64];
    let take = (1..4_u64, any::<bool>()).prop_map(|(cost, is_refused)| Step::Take { cost, is_refused });
    let undo = any::<usize>().prop_map(|which| Step::Undo { which });
    let ends = prop_oneof![19 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    prop::collection::vec((pause, prop_oneof![3 => take, 2 => undo], ends), 1..400)
}

proptest! {
    /// Requests that something else refuses, and an object that ends at any moment: before, between and after its rows are written.
    #[test]
    fn what_is_given_back_is_forgiven_once_and_forgotten_by_no_restart(
        kind in prop::sample::select(vec!["g", "f", "s"]),
        (permits, window) in (1..120_u32, prop::sample::select(vec![2000, 15_000, 60_000_u64])),
        steps in steps(),
    ) {
        let one = charge(1, &format!("{kind} {permits} {window} {permits}"));
        let (mut shard, mut stored, mut now) = (Shard::default(), Vec::new(), NOW);
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut owed: Vec<(Charge, Settled, u64)> = Vec::new();
        for (pause, step, ends) in steps {
            now += pause;
            let took = match step {
                Step::Take { cost, is_refused } => {
                    let asked = Charge { cost: cost.min(permits.into()), ..one };
                    Some((asked, shard.take(&[asked], now)[0], is_refused))
                }
                Step::Undo { which } => {
                    if !owed.is_empty() {
                        let (asked, settled, taken) = owed.swap_remove(which % owed.len());
                        shard.undo(&[(asked, settled)], taken, now);
                    }
                    None
                }
            };
            let rows = shard.take_rows();
            let written = ends.unwrap_or(rows.len()).min(rows.len());
            // Who is answered, is answered when everything is written.
            if let Some((asked, settled, is_refused)) = took.filter(|_| written == rows.len())
                && settled.admitted
            {
                if is_refused { owed.push((asked, settled, now)) } else { kept.push((now, asked.cost)) }
            }
            for row in &rows[..written] {
                stored.retain(|known: &Row| known.key != row.key);
                stored.push(row.clone());
            }
            if ends.is_some() {
                let used = |shard: &Shard| shard.used(now).first().copied().unwrap_or_default();
                let before = used(&shard);
                shard = restarted(&stored);
                let most = before + (u64::from(permits) / 20).max(1) + 1;
                prop_assert!(written < rows.len() || used(&shard) <= most, "{} of {most}", used(&shard));
            }
        }
        for (first, (from, _)) in kept.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &kept[first..] {
                sum += cost;
                let most = most_within(algorithm(kind, permits, window), Duration::from_millis(until - from)).unwrap();
                prop_assert!(sum <= most, "{sum} of {most} in {} ms", until - from);
            }
        }
    }
}

#[test]
fn after_a_restart_the_rest_of_a_block_is_spent() {
    let mut shard = Shard::default();
    let (mut stored, mut writes) = (Vec::new(), 0);
    let one = charge(1, "f 100 60000 100");
    for _ in 0..12 {
        assert!(shard.take(&[one], NOW)[0].admitted);
        writes += store(&mut stored, &mut shard);
    }
    assert_eq!(writes, 2);
    let mut shard = restarted(&stored);
    let settled = shard.take(&[one], NOW + 1);
    // Of two blocks of six (a permit and five ahead) and the next permit.
    assert_eq!((settled[0].admitted, settled[0].left), (true, 100 - 12 - 1));
    assert!(stored.iter().all(|row| row.until == (NOW / 60_000 + 1) * 60_000));
}

proptest! {
    /// Whoever takes each permit as it comes back, too.
    #[test]
    fn no_more_is_written_than_the_rule_of_blocks_allows(
        kind in prop::sample::select(vec!["g", "f", "s"]),
        (permits, window) in (20..3000_u64, prop::sample::select(vec![3000, 12_000, 60_000, 3_600_000_u64])),
        asks in prop::collection::vec((0..2000_u64, 1..40_u64), 1..300),
    ) {
        let one = charge(1, &format!("{kind} {permits} {window} {permits}"));
        let (mut shard, mut now, mut writes, mut taken) = (Shard::default(), NOW, 0, 0);
        for (pause, times) in asks {
            now += pause;
            for _ in 0..times {
                let settled = shard.take(&[one], now)[0];
                taken += u64::from(settled.admitted);
                prop_assert_eq!(shard.pending(), shard.rows.len());
                writes += shard.take_rows().len() as u64;
            }
        }
        let millis = now - NOW;
        let most = if is_short(one.quota) { 1 + millis / ALIVE_MS } else { one.quota.most_writes(taken, millis) };
        prop_assert!(writes <= most, "{writes} of {most} for {taken} in {millis} ms: {}", one.quota);
    }
}

#[test]
fn short_counts_are_not_written_and_not_forgiven() {
    for (text, after_a_pause) in [("f 10 10000 10", 9), ("g 10 10000 10", 9), ("s 10 5000 10", 9)] {
        let mut shard = Shard::default();
        let (mut stored, mut writes) = (Vec::new(), 0);
        let one = charge(1, text);
        for _ in 0..10 {
            assert!(shard.take(&[one], NOW + 1)[0].admitted);
            writes += store(&mut stored, &mut shard);
        }
        assert_eq!(writes, 1, "{text}");
        let mut shard = restarted(&stored);
        assert!(!shard.take(&[one], NOW + 500)[0].admitted, "{text} was forgiven");
        // Who was never counted before is not known either.
        assert!(!shard.take(&[charge(2, text)], NOW + 501)[0].admitted, "{text}");
        // Not even where the clock steps back across the beginning of the window.
        let mut shard = restarted(&stored);
        assert!(!shard.take(&[one], NOW - 100)[0].admitted, "{text} was forgiven");
        assert!(!shard.take(&[one], NOW + 500)[0].admitted, "{text} was forgiven");
        // A moment that lies far ahead was written down by a clock that was wrong.
        let wrong = Row { key: ALIVE.to_owned(), text: (NOW + 86_400_000).to_string(), until: u64::MAX };
        let mut shard = restarted(&[wrong]);
        assert!(!shard.take(&[one], NOW + 500)[0].admitted, "{text}");
        assert!(shard.take(&[charge(3, text)], NOW + 21_000)[0].admitted, "{text}");
        let mut shard = restarted(&stored);
        let settled = shard.take(&[one], NOW + 15_000);
        assert_eq!((settled[0].admitted, settled[0].left), (true, after_a_pause), "{text}");
    }
}

#[test]
fn newcomers_hurt_nobody_who_is_there() {
    let mut shard = Shard::default();
    let text = "f 5 3600000 5";
    let early = charge(u128::MAX, text);
    shard.take(&[early], NOW);
    for number in 0..100_000_u128 {
        shard.take(&[charge(number << 8, text)], NOW + 1);
    }
    assert!(shard.len() <= COUNTERS + 256, "{}", shard.len());
    assert_eq!(shard.take(&[early], NOW + 2)[0].left, 3);
    // They are counted together, and so held to less: never to more.
    assert!(!shard.take(&[charge(99_999 << 8, text)], NOW + 2)[0].admitted);
    // Once the hour is over there is room again.
    let later = NOW + 3_600_000;
    assert!(shard.take(&[charge(99_999 << 8, text)], later)[0].admitted);
    assert!(shard.len() < 10, "{}", shard.len());
}

#[test]
fn there_is_as_much_to_borrow_as_is_wanted_or_a_share() {
    let mut shard = Shard::default();
    let lease = |isolate, want| Charge { want: Some(want), isolate, ..charge(1, "g 60000 60000 54000") };
    for isolate in 0..30 {
        let settled = shard.take(&[lease(isolate, 1000)], NOW)[0];
        assert!(isolate > 12 || (settled.lent, settled.more_ms) == (1000, 0), "{settled:?}");
    }
    // A second brings 1,000 permits: in two, each of thirty gets a share of what there is then.
    let mut later = NOW + 20_000;
    for round in 0..10 {
        for isolate in 0..30 {
            later += 64;
            let settled = shard.take(&[lease(isolate, 1000)], later)[0];
            let is_fair = settled.admitted && settled.more_ms == 1920 && (40..110).contains(&settled.lent);
            assert!(round < 5 || is_fair && settled.lease_ms == 6000, "{settled:?}");
        }
    }
    // Who wants less leaves it to the others.
    let settled = shard.take(&[lease(1, 10)], later)[0];
    assert!(settled.lent <= 10, "{settled:?}");
    for _ in 0..40 {
        shard.take(&[lease(2, 30_000)], later);
    }
    let settled = shard.take(&[lease(3, 1000)], later)[0];
    assert!(!settled.admitted && settled.lent == 0 && settled.wait_ms == 1920, "{settled:?}");
}

#[test]
fn what_is_too_little_to_lend_is_asked_for() {
    let mut shard = Shard::default();
    let lease = |isolate| Charge { want: Some(50), isolate, ..charge(1, "f 1000 60000 1000") };
    for isolate in 0..6 {
        assert!(shard.take(&[lease(isolate)], NOW)[0].lent > 0);
    }
    assert_eq!(shard.take(&[lease(6)], NOW)[0].lent, 0);
    // Who does not come any more is not counted any more.
    assert!(shard.take(&[lease(6)], NOW + 13_000)[0].lent > 0);
}

#[test]
fn what_is_lent_is_given_back_with_its_request() {
    let mut shard = Shard::default();
    let lease = Charge { want: Some(30), ..charge(1, "f 1000 600000 1000") };
    let full = Charge { key: Key { policy: 8, partition: 1 }, ..charge(1, "f 1 600000 1") };
    shard.take(&[full], NOW);
    let settled = shard.take(&[lease, full], NOW);
    assert_eq!((settled[0].lent, settled[1].admitted), (0, false));
    assert_eq!(shard.take(&[Charge { want: None, ..lease }], NOW)[0].left, 999);
    let settled = shard.take(&[lease], NOW)[0];
    assert_eq!(settled.lent, 30);
    shard.undo(&[(lease, settled)], NOW, NOW + 1);
    assert_eq!(shard.take(&[Charge { want: None, ..lease }], NOW)[0].left, 998);
}

#[test]
fn a_lease_is_no_longer_than_its_window_and_no_larger() {
    let mut shard = Shard::default();
    let lease = Charge { want: Some(60), ..charge(1, "f 1000 60000 1000") };
    let ends = (NOW / 60_000 + 1) * 60_000;
    let settled = shard.take(&[lease], ends - 10_000)[0];
    assert_eq!((settled.lent, settled.lease_ms), (60, 6000));
    let settled = shard.take(&[lease], ends - 600)[0];
    assert_eq!((settled.lent, settled.lease_ms), (6, 600));
}

#[test]
fn texts_are_read_as_they_are_written() {
    let charges =
        [charge(9, "g 5 60000 7"), Charge { want: Some(4), shadow: true, unsure_ms: 70, ..charge(1, "s 5 1000 5") }];
    assert_eq!(read_charges(&write_charges(&charges)), Ok(charges.to_vec()));
    let settled = [Settled { admitted: true, left: 1, wait_ms: 2, lent: 3, lease_ms: 4, more_ms: 5 }];
    assert_eq!(read_settled(&write_settled(&settled)), Ok(settled.to_vec()));
    let good = write_charges(&charges[..1]);
    for (from, to) in [(" 1 - ", " 0 - "), (" 1 - ", " 8 - "), (" g ", " q "), (" - ", " x ")] {
        assert_eq!(read_charges(&good.replace(from, to)), Err(NoCommand), "{to}");
    }
    assert_eq!(read_settled("1 2 3"), Err(NoCommand));
}

#[test]
fn ten_thousand_counters_take_less_than_ten_megabytes() {
    let bytes = (size_of::<(Key, Slot)>() + 1) * 16_384;
    assert!(bytes < 4_000_000, "{bytes}");
}

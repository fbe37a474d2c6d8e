use proptest::prelude::*;

use super::*;
use crate::config::{Concurrency, HashBy, Region, Timeout};

const TIMEOUT: Timeout = Timeout { answer_ms: 1000, idle_ms: None, total_ms: None };

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn origins(count: usize) -> Vec<Origin> {
    (0..count).map(|place| Origin::new(&format!("https://origin-{place}.example"))).collect()
}

fn pool(count: usize) -> Pool {
    Pool::new(origins(count), TIMEOUT)
}

const WISH: Wish =
    Wish { is_write: false, has_written: false, stays_with: None, key: None, place: None, may_probe: true };

fn tried(places: &[usize]) -> Tried {
    let mut tried = Tried::default();
    for place in places {
        tried.insert(*place);
    }
    tried
}

fn lose(state: &mut PoolState, pool: &Pool, place: usize, now: Timestamp) {
    for _ in 0..3 {
        state.record(place, Outcome::Lost, now, &pool.breaker, 0, now);
    }
}

/// Which ones a request may be sent to, over many draws.
fn seen(state: &PoolState, pool: &Pool, wish: &Wish, tried: Tried, now: Timestamp) -> Vec<usize> {
    let mut places: Vec<usize> = (0..200)
        .filter_map(|number| match state.clone().select(pool, wish, tried, choice::mix(number), now) {
            Selected::Origin(place) => Some(place),
            _ => None,
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn whoever_is_not_well_is_passed_over_while_enough_others_are() {
    let pool = pool(3);
    let mut state = PoolState::new(&pool);
    lose(&mut state, &pool, 0, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(10)), [1, 2]);
    state.learn(1, Known::Sick, at(10));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(10)), [2]);
}

#[test]
fn where_too_few_are_well_all_are_tried_rather_than_none() {
    let pool = pool(5);
    let mut state = PoolState::new(&pool);
    for place in 0..3 {
        lose(&mut state, &pool, place, at(0));
    }
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(10)), [3, 4], "two of five are 40 %");
    lose(&mut state, &pool, 3, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(10)), [0, 1, 2, 3, 4], "one of five is less than 25 %");
    let calm = Pool { panic_percent: 0, ..pool.clone() };
    assert_eq!(seen(&state, &calm, &WISH, Tried::default(), at(10)), [4]);
    lose(&mut state, &calm, 4, at(0));
    assert_eq!(seen(&state, &calm, &WISH, Tried::default(), at(10)), [0, 1, 2, 3, 4], "none is well");
    assert!(state.is_down(at(10)));
    assert!(!state.is_down(at(1500)), "one may be asked how it is");
}

#[test]
fn backups_are_asked_where_too_few_others_are_well() {
    let mut pool = pool(3);
    pool.origins[2].role = Role::Backup;
    let mut state = PoolState::new(&pool);
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [0, 1]);
    state.learn(0, Known::Sick, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [1]);
    state.learn(1, Known::Sick, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [2]);
    state.learn(2, Known::Sick, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [0, 1], "all are sick: the backup last");
    assert_eq!(seen(&state, &pool, &WISH, tried(&[0, 1]), at(0)), [2]);
}

#[test]
fn who_was_taken_out_is_never_asked() {
    let pool = pool(2);
    let mut state = PoolState::new(&pool);
    state.learn(0, Known::Drained, at(0));
    lose(&mut state, &pool, 1, at(0));
    let wish = Wish { stays_with: Some(0), ..WISH };
    assert_eq!(seen(&state, &pool, &wish, Tried::default(), at(10)), [1]);
    state.learn(1, Known::Drained, at(0));
    assert_eq!(state.select(&pool, &WISH, Tried::default(), 0, at(10)), Selected::Drained);
}

#[test]
fn another_origin_comes_first_and_then_the_best_once_more() {
    let pool = pool(2);
    let mut state = PoolState::new(&pool);
    assert_eq!(state.select(&pool, &WISH, tried(&[1]), 7, at(0)), Selected::Origin(0));
    state.record(0, Outcome::Lost, at(0), &pool.breaker, 0, at(0));
    state.record(1, Outcome::Failed, at(0), &pool.breaker, 0, at(0));
    assert_eq!(state.select(&pool, &WISH, tried(&[0, 1]), 7, at(0)), Selected::Again(1));
}

#[test]
fn one_that_is_due_gets_one_request_that_can_be_repeated() {
    let pool = pool(2);
    let mut state = PoolState::new(&pool);
    lose(&mut state, &pool, 0, at(0));
    let now = at(1100);
    assert_eq!(seen(&state, &pool, &Wish { may_probe: false, ..WISH }, Tried::default(), now), [1]);
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), now), [0, 1]);
    state.begin(0, now);
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), now), [1]);
}

#[test]
fn one_that_comes_back_begins_with_less_than_its_share() {
    let pool = pool(2);
    let mut state = PoolState::new(&pool);
    lose(&mut state, &pool, 0, at(0));
    state.record(0, Outcome::Good, at(2000), &pool.breaker, 0, at(2000));
    let share = |now: u64| {
        (0..1000)
            .filter(|number| {
                state.clone().select(&pool, &WISH, Tried::default(), choice::mix(*number), at(now))
                    == Selected::Origin(0)
            })
            .count()
    };
    let (first, later, last) = (share(2001), share(7000), share(12_000));
    assert!(
        (50..150).contains(&first) && (250..400).contains(&later) && (430..570).contains(&last),
        "{first} {later} {last}"
    );
}

#[test]
fn a_client_stays_with_its_origin_while_that_is_well() {
    let mut pool = pool(3);
    pool.origins[1].weight = 0;
    let mut state = PoolState::new(&pool);
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [0, 2], "of no weight: only for those who stay");
    let wish = Wish { stays_with: Some(1), ..WISH };
    assert_eq!(seen(&state, &pool, &wish, Tried::default(), at(0)), [1]);
    assert_eq!(seen(&state, &pool, &wish, tried(&[1]), at(0)), [0, 2]);
    lose(&mut state, &pool, 1, at(0));
    assert_eq!(seen(&state, &pool, &wish, Tried::default(), at(10)), [0, 2]);
    assert_eq!(seen(&state, &pool, &Wish { stays_with: Some(99), ..WISH }, Tried::default(), at(0)), [0, 2]);
}

#[test]
fn writes_go_to_the_primary_and_reads_to_replicas() {
    let mut pool = pool(3);
    pool.choice = Choice::PrimaryReplica { after_write_ms: 5000 };
    pool.origins[1].role = Role::Replica;
    pool.origins[2].role = Role::Replica;
    let mut state = PoolState::new(&pool);
    let write = Wish { is_write: true, ..WISH };
    let after = Wish { has_written: true, ..WISH };
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [1, 2]);
    assert_eq!(seen(&state, &pool, &WISH, tried(&[1, 2]), at(0)), [0]);
    assert_eq!(seen(&state, &pool, &write, Tried::default(), at(0)), [0]);
    assert_eq!(seen(&state, &pool, &after, Tried::default(), at(0)), [0]);
    for (wish, expected) in [(&WISH, [1]), (&write, [0]), (&after, [0])] {
        let stays = Wish { stays_with: Some(1), ..*wish };
        assert_eq!(seen(&state, &pool, &stays, Tried::default(), at(0)), expected, "{stays:?}");
    }
    state.learn(0, Known::Sick, at(0));
    assert_eq!(seen(&state, &pool, &write, Tried::default(), at(0)), [0], "no replica takes a write");
    assert_eq!(seen(&state, &pool, &after, Tried::default(), at(0)), [1, 2]);
    assert_eq!(state.select(&pool, &write, tried(&[0]), 0, at(0)), Selected::Again(0));
}

#[test]
fn the_nearest_region_answers_and_the_next_one_where_it_cannot() {
    let mut pool = pool(4);
    pool.choice = Choice::Geo;
    pool.concurrency = Some(Concurrency { per_isolate: 1, queue: 0, queue_wait_ms: 0 });
    for (origin, region) in pool.origins.iter_mut().zip([Region::Weur, Region::Enam, Region::Weur]) {
        origin.region = Some(region);
    }
    let mut state = PoolState::new(&pool);
    let wish = Wish { place: Some(Place { latitude: 49, longitude: 2 }), ..WISH };
    assert_eq!(seen(&state, &pool, &wish, Tried::default(), at(0)), [0, 2]);
    state.learn(0, Known::Sick, at(0));
    state.begin(2, at(0));
    assert_eq!(seen(&state, &pool, &wish, Tried::default(), at(0)), [1], "one is sick and one is full: over the ocean");
    assert_eq!(seen(&state, &pool, &wish, tried(&[1, 2]), at(0)), [3], "nobody knows where that one is");
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [1, 3], "nor where the client is");
}

#[test]
fn a_full_origin_is_passed_over_and_where_all_are_full_the_request_waits() {
    let mut pool = pool(2);
    pool.concurrency = Some(Concurrency { per_isolate: 2, queue: 9, queue_wait_ms: 100 });
    let mut state = PoolState::new(&pool);
    state.begin(0, at(0));
    state.begin(0, at(0));
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(0)), [1]);
    state.begin(1, at(0));
    state.begin(1, at(0));
    assert_eq!(state.select(&pool, &WISH, Tried::default(), 0, at(0)), Selected::Busy);
    assert_eq!(state.select(&pool, &WISH, tried(&[0, 1]), 0, at(0)), Selected::Busy);
    state.end(0);
    assert_eq!(state.select(&pool, &WISH, Tried::default(), 0, at(0)), Selected::Origin(0));
}

#[test]
fn the_same_key_goes_to_the_same_origin_and_elsewhere_when_that_one_is_not_well() {
    let mut pool = pool(5);
    pool.choice = Choice::Hash(HashBy::Path);
    let mut state = PoolState::new(&pool);
    let wish = Wish { key: Some(choice::hash(b"/tenants/7")), ..WISH };
    let [home] = seen(&state, &pool, &wish, Tried::default(), at(0))[..] else { panic!("one origin has a key") };
    lose(&mut state, &pool, home, at(0));
    let [other] = seen(&state, &pool, &wish, Tried::default(), at(10))[..] else { panic!("one other") };
    assert_ne!(home, other);
    assert_eq!(seen(&state, &pool, &WISH, Tried::default(), at(10)).len(), 4, "without a key: any that is well");
}

#[test]
fn a_state_is_of_its_origins() {
    let (two, mut other) = (pool(2), pool(2));
    let state = PoolState::new(&two);
    assert!(state.is_of(&two) && !state.is_of(&pool(3)));
    other.origins[1].url.push('x');
    assert!(!state.is_of(&other));
}

proptest! {
    /// Whoever is looked at in one pass is whoever is found by looking at all of them in every way.
    #[test]
    fn the_quick_way_finds_whom_the_thorough_one_finds(
        fates in prop::collection::vec((0_u8..7, 0_u8..3, 0_u32..4, 0_u32..3), 1..12),
        (kind, panic_percent, later) in (0_u8..4, 0_u8..=100, 0_u64..4000),
        (is_write, has_written, may_probe) in (any::<bool>(), any::<bool>(), any::<bool>()),
        asked in prop::collection::vec(0_usize..12, 0..3),
    ) {
        let mut pool = pool(fates.len());
        pool.panic_percent = panic_percent;
        pool.slow_start_ms = 1500;
        pool.concurrency = Some(Concurrency { per_isolate: 2, queue: 0, queue_wait_ms: 0 });
        pool.choice = match kind {
            0 => Choice::RoundRobin,
            1 => Choice::Geo,
            2 => Choice::PrimaryReplica { after_write_ms: 0 },
            _ => Choice::LeastRequests,
        };
        let mut state = PoolState::new(&pool);
        for (place, (fate, role, load, weight)) in fates.iter().enumerate() {
            let origin = &mut pool.origins[place];
            origin.role = [Role::Primary, Role::Replica, Role::Backup][usize::from(*role)];
            origin.region = [Some(Region::Weur), Some(Region::Oc), None][usize::from(*role)];
            origin.weight = *weight;
            match fate {
                1 => lose(&mut state, &pool, place, at(0)),
                2 => state.learn(place, Known::Sick, at(0)),
                3 => state.learn(place, Known::Drained, at(0)),
                4 => {
                    state.learn(place, Known::Drained, at(0));
                    state.learn(place, Known::Well, at(0));
                }
                5 => {
                    lose(&mut state, &pool, place, at(0));
                    state.record(place, Outcome::Good, at(0), &pool.breaker, 0, at(1));
                }
                _ => {}
            }
            (0..*load).for_each(|_| state.begin(place, at(0)));
        }
        let place = Some(Place { latitude: 49, longitude: 2 });
        let wish = Wish { is_write, has_written, place, may_probe, ..WISH };
        // Once more: what was noted of them the first time is of no consequence.
        for now in [at(later), at(later), at(later + 2000)] {
            if let Some(quick) = state.at_once(&pool, &wish, tried(&asked), now) {
                prop_assert_eq!(Ok(quick), state.at_length(&pool, &wish, tried(&asked), now));
            }
        }
    }

    /// Whatever happened to them: somebody is asked unless all were taken out, never one that was taken out, nobody twice
    /// before all others that are eligible, and in panic everyone has his turn.
    #[test]
    fn somebody_is_asked_as_long_as_anybody_is_there(
        fates in prop::collection::vec((0_u8..4, any::<bool>(), 0_u32..3), 1..12),
        panic_percent in 0_u8..=100,
        random: u64,
        may_probe: bool,
    ) {
        let mut pool = pool(fates.len());
        pool.panic_percent = panic_percent;
        for (origin, (_, is_backup, _)) in pool.origins.iter_mut().zip(&fates) {
            origin.role = if *is_backup { Role::Backup } else { Role::Primary };
        }
        let mut state = PoolState::new(&pool);
        for (place, (fate, _, load)) in fates.iter().enumerate() {
            match fate {
                1 => lose(&mut state, &pool, place, at(0)),
                2 => state.learn(place, Known::Sick, at(0)),
                3 => state.learn(place, Known::Drained, at(0)),
                _ => {}
            }
            for _ in 0..*load {
                state.begin(place, at(0));
            }
        }
        let wish = Wish { may_probe, ..WISH };
        let mut tried = Tried::default();
        let mut asked = Vec::new();
        for step in 0..fates.len() + 2 {
            match state.select(&pool, &wish, tried, choice::mix(random ^ step as u64), at(10)) {
                Selected::Origin(place) => {
                    prop_assert!(!asked.contains(&place));
                    tried.insert(place);
                    asked.push(place);
                }
                Selected::Again(place) => {
                    prop_assert!(asked.contains(&place));
                    break;
                }
                other => {
                    prop_assert_eq!(other, Selected::Drained);
                    prop_assert!(fates.iter().all(|(fate, ..)| *fate == 3));
                    break;
                }
            }
        }
        prop_assert!(asked.iter().all(|place| fates[*place].0 != 3));
        let well = fates.iter().filter(|(fate, ..)| *fate == 0).count();
        if well == 0 {
            let there = fates.iter().filter(|(fate, ..)| *fate != 3).count();
            prop_assert_eq!(asked.len(), there);
        }
    }
}

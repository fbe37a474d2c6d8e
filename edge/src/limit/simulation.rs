//! Isolates all over the world against a few objects, in a time that is made up: what no test of one part alone can see. The
//! parts are the real ones; an oracle that knows when everything really happened holds them to the laws.

mod oracle;
mod table;
mod turns;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use self::oracle::excess;
use self::world::{Chance, World};
use super::counter::Quota;
use super::limiter::By;
use crate::config::{Algorithm, Permits, Precision, WhenUnreachable, Window};

#[derive(Debug, Clone)]
struct Policy {
    algorithm: Algorithm,
    precision: Precision,
    when_unreachable: WhenUnreachable,
    shadow: bool,
    /// Its partitions: which object each lies in.
    shards: Vec<u8>,
}

impl Policy {
    /// Its quota, in few words.
    fn said(&self) -> String {
        let (kind, permits, window) = match self.algorithm {
            Algorithm::Gcra { permits, window, .. } => ("gcra", permits, window),
            Algorithm::SlidingWindow { permits, window } => ("sliding window", permits, window),
            Algorithm::FixedWindow { permits, window } => ("fixed window", permits, window),
            Algorithm::Concurrency { .. } => panic!("nothing is counted over time"),
        };
        format!("{kind}, {} in {} s", permits.number(), window.millis() / 1000)
    }

    fn quota(&self) -> Quota {
        let quota = Quota::of(self.algorithm).unwrap();
        match self.precision {
            Precision::Exact => quota,
            Precision::Leased => quota.for_leases(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Arrivals {
    Steady {
        per_second: u64,
    },
    Bursts {
        per_second: u64,
        on_ms: u64,
        off_ms: u64,
    },
    /// Bursts, and from then on many more without a pause.
    Surge {
        per_second: u64,
        on_ms: u64,
        off_ms: u64,
        from: u64,
        then_per_second: u64,
    },
}

/// How requests are spread over isolates.
#[derive(Debug, Clone, Copy)]
enum Spread {
    Even,
    /// Each as one over its number.
    Skewed,
    /// Half of them come to one.
    Hot,
}

#[derive(Debug, Clone)]
struct Setup {
    isolates: usize,
    lasts_ms: u64,
    measured_from: u64,
    arrivals: Arrivals,
    spread: Spread,
    policies: Vec<Policy>,
    /// Which policies a request is under; each kind is as frequent.
    kinds: Vec<Vec<usize>>,
    most_cost: u64,
    deadline_ms: u64,
    /// From one end of the world to the other, one way.
    widest_ms: u64,
    jitter_ms: u64,
    lost_per_mille: u64,
    isolate_skew_ms: u64,
    object_step_ms: u64,
    idle_ms: u64,
    /// About how long isolates live, and how far apart restarts of some object and deploys are. Zero: never.
    lives_ms: u64,
    restarts_ms: u64,
    deploys_ms: u64,
    /// Objects that do not answer for a while.
    outages: Vec<(u8, u64, u64)>,
}

/// All near and well.
fn calm(policy: Policy, isolates: usize, per_second: u64, lasts_ms: u64) -> Setup {
    Setup {
        isolates,
        lasts_ms,
        measured_from: 0,
        arrivals: Arrivals::Steady { per_second },
        spread: Spread::Even,
        policies: vec![policy],
        kinds: vec![vec![0]],
        most_cost: 1,
        deadline_ms: 50,
        widest_ms: 15,
        jitter_ms: 4,
        lost_per_mille: 0,
        isolate_skew_ms: 500,
        object_step_ms: 0,
        idle_ms: 10_000,
        lives_ms: 0,
        restarts_ms: 0,
        deploys_ms: 0,
        outages: Vec::new(),
    }
}

fn algorithm(kind: &str, permits: u32, seconds: u64, burst: u32) -> Algorithm {
    let window = Window::try_from(seconds * 1000).unwrap();
    let [permits, burst] = [permits, burst].map(|number| Permits::try_from(number).unwrap());
    match kind {
        "gcra" => Algorithm::Gcra { permits, window, burst },
        "sliding" => Algorithm::SlidingWindow { permits, window },
        "fixed" => Algorithm::FixedWindow { permits, window },
        _ => panic!("{kind}"),
    }
}

fn exact(algorithm: Algorithm) -> Policy {
    let when_unreachable = WhenUnreachable::Closed;
    Policy { algorithm, precision: Precision::Exact, when_unreachable, shadow: false, shards: vec![0] }
}

fn leased(algorithm: Algorithm) -> Policy {
    Policy { precision: Precision::Leased, ..exact(algorithm) }
}

/// What one run came to.
struct Outcome {
    /// By how much everything that passed went past the law, at worst.
    excess: u64,
    /// What isolates let pass alone.
    alone: u64,
    admitted: u64,
    offered: u64,
    /// In thousandths.
    share_of_quota: u64,
    calls_per_request: u64,
    calls_by_second: Vec<u64>,
    steps: u64,
}

/// Holds what happened to the laws.
fn judge(setup: &Setup, world: &World<'_>, seed: u64) -> Outcome {
    let mut by_counter = BTreeMap::<(usize, usize), Vec<world::Admission>>::new();
    for admission in &world.log {
        by_counter.entry((admission.policy, admission.partition)).or_default().push(*admission);
    }
    let (mut worst, mut alone) = (0, 0);
    for ((number, partition), admissions) in by_counter {
        let policy = &setup.policies[number];
        let shard = policy.shards[partition];
        let steps = &world.steps[usize::from(shard)];
        // The objects' time, as far as it runs ahead.
        let time = |at: u64| at + steps.iter().filter(|(when, _)| *when <= at).map(|(_, step)| step).sum::<u64>();
        let given = |who: &dyn Fn(&world::Admission) -> bool| -> Vec<(u64, u64)> {
            let admissions = admissions.iter().filter(|admission| who(admission));
            admissions.map(|admission| (time(admission.at), admission.cost)).collect()
        };
        // Whatever objects had a say in. A lease that was taken before a step of the clock is spent after it.
        let lease_ms = policy.quota().lease_ms();
        let before =
            |until: u64| steps.iter().filter(move |(when, _)| (until.saturating_sub(lease_ms)..=until).contains(when));
        let slack = match policy.precision {
            Precision::Leased => {
                steps.iter().map(|(when, _)| before(*when).map(|(_, step)| step).sum()).max().unwrap_or(0)
            }
            Precision::Exact => 0,
        };
        let counted = given(&|admission| matches!(admission.by, By::Object | By::Lease));
        let over = excess(policy.algorithm, slack, &counted);
        assert_eq!(over, 0, "seed {seed}: {over} permits past the law of {policy:?}");
        if setup.object_step_ms == 0 {
            window_by_window(policy, &counted, world.offset(shard), seed);
        }
        let everything = given(&|_| true);
        let most = excess(policy.algorithm, slack, &everything);
        let by_isolate: BTreeSet<u64> =
            admissions.iter().filter(|one| one.by == By::Local).map(|one| one.isolate).collect();
        match policy.when_unreachable {
            WhenUnreachable::Closed => assert_eq!(most, 0, "seed {seed}: {most} past the law of {policy:?}"),
            WhenUnreachable::Local => {
                for isolate in &by_isolate {
                    let own: Vec<(u64, u64)> = admissions
                        .iter()
                        .filter(|one| one.by == By::Local && one.isolate == *isolate)
                        .map(|one| (one.at, one.cost))
                        .collect();
                    let over = excess(policy.algorithm, 0, &own);
                    assert_eq!(over, 0, "seed {seed}: one isolate alone went past the law of {policy:?}");
                }
            }
            WhenUnreachable::Open => {}
        }
        let not_counted = |one: &&world::Admission| matches!(one.by, By::Local | By::Unreachable);
        alone += admissions.iter().filter(not_counted).map(|one| one.cost).sum::<u64>();
        worst = worst.max(most);
    }
    let quota = Quota::of(setup.policies[0].algorithm).unwrap();
    let measured = (setup.lasts_ms - setup.measured_from) * quota.permits() / quota.window_ms();
    let counts = &world.counts;
    Outcome {
        excess: worst,
        alone,
        admitted: counts.admitted,
        offered: counts.offered,
        share_of_quota: counts.admitted * 1000 / measured.max(1),
        calls_per_request: counts.calls * 1000 / counts.requests.max(1),
        calls_by_second: counts.calls_by_second.clone(),
        steps: counts.steps,
    }
}

/// Windows by the object's clock: each its permits and no more.
fn window_by_window(policy: &Policy, counted: &[(u64, u64)], offset: i64, seed: u64) {
    let (Algorithm::SlidingWindow { permits, window } | Algorithm::FixedWindow { permits, window }) = policy.algorithm
    else {
        return;
    };
    let mut windows = BTreeMap::<u64, u64>::new();
    for (at, cost) in counted {
        *windows.entry((world::BEGIN + at).saturating_add_signed(offset) / window.millis()).or_default() += cost;
    }
    let most = windows.values().max().copied().unwrap_or_default();
    assert!(most <= u64::from(permits.number()), "seed {seed}: {most} in a window of {policy:?}");
}

fn run(setup: &Setup, seed: u64) -> Outcome {
    let world = World::new(setup, seed).run();
    judge(setup, &world, seed)
}

/// Anything at once, within what can happen.
fn anything(seed: u64) -> Setup {
    let chance = &mut Chance::new(seed ^ 0xdead);
    let mut among = |most: u64| chance.below(most);
    let mut policy = || {
        let permits = u32::try_from([8, 60, 900, 9000, 20_000][usize::try_from(among(5)).unwrap()]).unwrap();
        let seconds = [1, 5, 10, 20, 60][usize::try_from(among(5)).unwrap()];
        let burst = permits / [1, 1, 2, 8][usize::try_from(among(4)).unwrap()];
        Policy {
            algorithm: algorithm(
                ["gcra", "gcra", "fixed", "sliding"][usize::try_from(among(4)).unwrap()],
                permits,
                seconds,
                burst,
            ),
            precision: [Precision::Exact, Precision::Leased][usize::try_from(among(2)).unwrap()],
            when_unreachable: [
                WhenUnreachable::Closed,
                WhenUnreachable::Closed,
                WhenUnreachable::Local,
                WhenUnreachable::Open,
            ][usize::try_from(among(4)).unwrap()],
            shadow: among(8) == 0,
            shards: (0..=among(3)).map(|_| u8::try_from(among(3)).unwrap()).collect(),
        }
    };
    let policies = vec![policy(), policy(), policy(), policy()];
    let per_second = 100 + among(300);
    let lasts_ms = 45_000;
    let is_far = among(3) == 0;
    Setup {
        isolates: [8, 40, 300][usize::try_from(among(3)).unwrap()],
        lasts_ms,
        measured_from: 0,
        arrivals: match among(2) {
            0 => Arrivals::Steady { per_second },
            _ => Arrivals::Bursts { per_second: per_second * 4, on_ms: 2000, off_ms: 1000 + among(12_000) },
        },
        spread: [Spread::Even, Spread::Skewed, Spread::Hot][usize::try_from(among(3)).unwrap()],
        policies,
        kinds: vec![vec![0], vec![1], vec![0, 1], vec![2, 3], vec![0, 2, 3], vec![3, 1, 2, 0]],
        most_cost: [1, 3, 7][usize::try_from(among(3)).unwrap()],
        deadline_ms: if is_far { 200 + among(300) } else { 50 },
        widest_ms: if is_far { 149 } else { 20 },
        jitter_ms: 1 + among(8),
        lost_per_mille: [0, 0, 5, 30][usize::try_from(among(4)).unwrap()],
        isolate_skew_ms: 500,
        object_step_ms: [0, 20, 200][usize::try_from(among(3)).unwrap()],
        idle_ms: 10_000,
        lives_ms: [0, 60_000, 8000][usize::try_from(among(3)).unwrap()],
        restarts_ms: [0, 5000, 500][usize::try_from(among(3)).unwrap()],
        deploys_ms: [0, 20_000][usize::try_from(among(2)).unwrap()],
        outages: if among(2) == 0 {
            vec![(0, 10_000, 10_000 + among(20_000)), (1, 20_000, 21_000)]
        } else {
            Vec::new()
        },
    }
}

#[test]
fn no_law_is_broken_whatever_happens() {
    let (mut steps, mut leases, mut alone, mut restarts) = (0, 0, 0, 0);
    for seed in 0..20 {
        let setup = anything(seed);
        let world = World::new(&setup, seed).run();
        let outcome = judge(&setup, &world, seed);
        steps += outcome.steps;
        restarts += world.restarts;
        leases += world.log.iter().filter(|one| one.by == By::Lease).count();
        alone += outcome.alone;
    }
    // It is not for want of events.
    let events = format!("{steps} steps, {leases} of leases, {alone} alone, {restarts} restarts");
    assert!(steps > 300_000 && leases > 15_000 && alone > 10_000 && restarts > 500, "{events}");
}

#[test]
fn objects_that_restart_all_the_time_forgive_nothing() {
    for (seed, (kind, seconds)) in
        [("gcra", 60), ("fixed", 60), ("sliding", 20), ("gcra", 5), ("fixed", 5), ("sliding", 2)].iter().enumerate()
    {
        for object_step_ms in [0, 200] {
            let policy = exact(algorithm(kind, 100, *seconds, 100));
            let per_second = 300 / seconds + 1;
            let setup = Setup { restarts_ms: 700, object_step_ms, ..calm(policy, 20, per_second, 120_000) };
            let outcome = run(&setup, seed as u64);
            assert!(outcome.admitted > 0, "{kind} {seconds} {object_step_ms}");
        }
    }
}

#[test]
fn a_refused_request_leaves_nothing_charged() {
    for (seed, lost_per_mille) in [(1, 0), (2, 0), (3, 20), (4, 50)] {
        let hour = |permits, shard| Policy { shards: vec![shard], ..exact(algorithm("fixed", permits, 3600, 1)) };
        let local = Policy { when_unreachable: WhenUnreachable::Local, ..hour(100_000, 3) };
        let setup = Setup {
            policies: vec![hour(100_000, 0), hour(100_000, 1), hour(300, 2), local],
            kinds: vec![vec![0, 1, 2], vec![2, 0], vec![1, 0], vec![3, 1, 2], vec![0]],
            most_cost: 3,
            deadline_ms: 250,
            lost_per_mille,
            idle_ms: u64::MAX,
            ..calm(hour(1, 0), 30, 150, 30_000)
        };
        let mut world = World::new(&setup, seed).run();
        judge(&setup, &world, seed);
        for (number, policy) in setup.policies.iter().enumerate() {
            let used = Quota::of(policy.algorithm).unwrap().permits() - world.left(number, 0);
            let kept = world.log.iter().filter(|one| one.policy == number && one.by == By::Object);
            let kept: u64 = kept.map(|one| one.cost).sum();
            let uncertain = world.counts.uncertain.get(&(number, 0)).copied().unwrap_or_default();
            assert!((kept..=kept + uncertain).contains(&used), "{seed} {number}: {used} of {kept} and {uncertain}");
            assert!(kept >= 50 && (uncertain > 0) == (lost_per_mille > 0), "{seed} {number}: {kept} {uncertain}");
        }
    }
}

/// Many at once, of which a second object refuses most: for a moment they fill the first one's counter, again and again.
#[test]
fn what_one_policy_refuses_is_there_for_others_also_after_a_restart() {
    for (seed, kind) in (0..).zip(["fixed", "gcra", "sliding", "fixed"]) {
        let wide = exact(algorithm(kind, 100, 86_400, 100));
        let narrow = Policy { shards: vec![1], ..exact(algorithm("fixed", 10, 5, 10)) };
        let setup = Setup {
            policies: vec![wide, narrow],
            kinds: vec![vec![0, 1]],
            // It takes longer to refuse than all of them take to come.
            arrivals: Arrivals::Bursts { per_second: 15_000, on_ms: 10, off_ms: 19_990 },
            deadline_ms: 5000,
            ..calm(exact(algorithm(kind, 100, 86_400, 100)), 3, 0, 190_000)
        };
        let world = World::new(&setup, seed).run();
        judge(&setup, &world, seed);
        // Nine bursts and ten for each: an object that rests meanwhile loses a block of what is left, no more.
        let passed = world.log.iter().filter(|one| one.policy == 1).count();
        assert!(world.restarts > 10 && (45..=95).contains(&passed), "{kind}: {passed}, {} restarts", world.restarts);
    }
}

/// Leases that are nearly over, and all that there is at once besides.
#[test]
fn leases_that_are_spent_as_late_as_they_can_be_keep_the_law() {
    let mut late = 0;
    for (seed, (kind, off_ms)) in
        (0..).zip([("gcra", 5400), ("gcra", 5700), ("gcra", 5800), ("fixed", 5700), ("sliding", 5700)])
    {
        let policy = leased(algorithm(kind, 4000, 60, 4000));
        // Little enough that all of it comes back meanwhile.
        let from = 7 * (off_ms + 200);
        let arrivals = Arrivals::Surge { per_second: 1500, on_ms: 200, off_ms, from, then_per_second: 8000 };
        let setup = Setup { arrivals, ..calm(policy, 20, 0, from + 2000) };
        let world = World::new(&setup, seed).run();
        judge(&setup, &world, seed);
        let at_once = world.log.iter().filter(|one| one.by == By::Lease && (from..from + 10).contains(&one.at));
        late += at_once.count();
    }
    assert!(late > 100, "{late} permits of old leases");
}

/// Leases that come with requests that something else refuses.
#[test]
fn leases_that_are_taken_back_are_not_spent() {
    for (seed, (shard, lost_per_mille)) in (0..).zip([(0, 0), (1, 0), (1, 30)]) {
        let most = leased(algorithm("gcra", 1000, 5, 1000));
        let few = Policy { shards: vec![shard; 40], ..exact(algorithm("fixed", 1, 1, 1)) };
        let setup = Setup {
            policies: vec![most, few],
            kinds: vec![vec![0], vec![0, 1]],
            lost_per_mille,
            deadline_ms: 120,
            ..calm(exact(algorithm("fixed", 1, 1, 1)), 3, 800, 20_000)
        };
        let outcome = run(&setup, seed);
        assert!(outcome.admitted > 3000, "{}", outcome.admitted);
    }
}

#[test]
fn isolates_come_back_to_an_object_one_after_another() {
    for when_unreachable in [WhenUnreachable::Closed, WhenUnreachable::Local] {
        let policy = Policy { when_unreachable, ..exact(algorithm("fixed", 100_000, 60, 1)) };
        let setup = Setup { outages: vec![(0, 10_000, 50_000)], ..calm(policy, 300, 900, 75_000) };
        let Outcome { calls_by_second, alone, .. } = run(&setup, 5);
        assert!(calls_by_second[5] >= 890);
        // Each gives up after three questions, and tries again after 1, 2, 4, 8, 16 s.
        let while_down = &calls_by_second[30..50];
        assert!(while_down.iter().all(|calls| *calls < 70), "{while_down:?}");
        let first = calls_by_second[50];
        assert!(first < 150, "{first} in the first second");
        assert!(calls_by_second[70] >= 890, "{}", calls_by_second[70]);
        assert_eq!(alone > 20_000, when_unreachable == WhenUnreachable::Local);
    }
}

/// What leases are for, whatever the chance: nearly the whole quota, with a tenth of the questions.
#[test]
fn leases_use_the_quota_with_few_questions() {
    for (number, (kind, seconds, tenths)) in [
        ("gcra", 60, 10),
        ("gcra", 10, 10),
        ("gcra", 60, 12),
        ("gcra", 10, 30),
        ("fixed", 60, 10),
        ("fixed", 10, 12),
        ("fixed", 20, 20),
        ("sliding", 60, 10),
        ("sliding", 60, 12),
        ("sliding", 60, 30),
        ("sliding", 20, 15),
        ("sliding", 30, 11),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = leased(algorithm(kind, 4000, seconds, 4000));
        // What is at hand at first is used up by then.
        let setup = Setup { measured_from: 3000 * seconds, ..calm(policy, 20, 400 * tenths / seconds, 5000 * seconds) };
        let Outcome { share_of_quota, calls_per_request, offered, .. } = run(&setup, number as u64);
        // Chance does not offer quite as much.
        let least = 950 * offered.min(8000) / 8000;
        assert!(share_of_quota >= least, "{share_of_quota} of {least}: {setup:?}");
        assert!(calls_per_request <= 100, "{calls_per_request}: {setup:?}");
    }
}

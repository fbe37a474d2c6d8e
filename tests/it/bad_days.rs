//! That the faults of `make faults` are what they say, that what it counts is what happened; and one of its bad days, a short one.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::runtime::{made_by, project};

#[allow(dead_code, reason = "shared with the measurement")]
#[path = "../../bench/faults/measure/mod.rs"]
mod measure;

use measure::client::{Client, Outcome};
use measure::fault::Fault;
use measure::load::{Kind, Sent};
use measure::origin::Origin;
use measure::scenario::Scenario;
use measure::subject::Program;
use measure::{Measured, Phases, run};

/// What a client sees who asks an origin with this fault itself.
fn expected(fault: Fault) -> Outcome {
    match fault {
        Fault::None | Fault::SomeErrors | Fault::ManyCookies => Outcome::Good,
        Fault::Refuse | Fault::ResetBeforeHead | Fault::Flap => Outcome::Nothing,
        Fault::ResetAmidHead
        | Fault::ResetMidBody
        | Fault::CutLength
        | Fault::BadChunks
        | Fault::Garbage
        | Fault::Bare
        | Fault::HugeHead => Outcome::Broken,
        Fault::Hang => Outcome::Silence,
        Fault::Latency | Fault::Drip => Outcome::Late,
        Fault::Status(status) => Outcome::Status(status),
        Fault::HugeBody | Fault::WrongEncoding => Outcome::Wrong,
        Fault::RedirectLoop => Outcome::Status(302),
    }
}

#[test]
fn each_fault_is_what_it_says_and_can_be_healed() {
    thread::scope(|scope| {
        for fault in Fault::ALL {
            scope.spawn(move || {
                let origin = Origin::start().unwrap();
                let mut client = Client::new(origin.address);
                // Not before the first is the connection a kept one, which a client may have lost for any reason.
                assert_eq!(client.ask("/cached/1", Instant::now()), Outcome::Good, "before {fault:?}");
                origin.switch(fault);
                // Nobody needs to wait for a silence to end.
                let due = if fault == Fault::Hang { Duration::from_secs(7) } else { Duration::ZERO };
                let mut ask = || client.ask("/dynamic/1", Instant::now().checked_sub(due).unwrap());
                if fault == Fault::SomeErrors {
                    let errors = (0..500).filter(|_| ask() == Outcome::Status(500)).count();
                    assert!((60..140).contains(&errors), "{errors} of 500");
                } else {
                    assert_eq!(ask(), expected(fault), "{fault:?}");
                }
                origin.switch(Fault::None);
                assert_eq!(client.ask("/dynamic/2", Instant::now()), Outcome::Good, "after {fault:?}");
            });
        }
    });
}

#[test]
fn an_origin_flaps() {
    let origin = Origin::start().unwrap();
    origin.switch(Fault::Flap);
    let ask = || Client::new(origin.address).ask("/dynamic/1", Instant::now());
    for outcome in [Outcome::Nothing, Outcome::Good, Outcome::Nothing] {
        let until = Instant::now() + Duration::from_secs(3);
        while ask() != outcome {
            assert!(Instant::now() < until, "never {outcome:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
    origin.switch(Fault::None);
    for _ in 0..60 {
        assert_eq!(ask(), Outcome::Good);
        thread::sleep(Duration::from_millis(20));
    }
}

fn measured(outcomes: &[(u64, Outcome)]) -> Measured {
    let sent = |(millis, outcome): &(u64, Outcome)| Sent {
        kind: Kind::Cached,
        due: Duration::from_millis(*millis),
        took: Duration::from_millis(5),
        outcome: *outcome,
    };
    Measured {
        sent: outcomes.iter().map(sent).collect(),
        fault: (Duration::from_millis(100), Duration::from_millis(200)),
        late: Duration::ZERO,
        asked_of_origins: 0,
    }
}

#[test]
fn recovery_is_over_with_the_first_of_the_good_answers_that_are_not_interrupted() {
    use Outcome::{Good, Status, Wrong};
    for (outcomes, recovery, wrong) in [
        (vec![(150, Wrong), (200, Good), (210, Good)], Some(0), (1, 0)),
        (vec![(199, Status(502)), (200, Good)], Some(0), (0, 0)),
        (vec![(200, Status(502)), (210, Good), (220, Good)], Some(15), (0, 0)),
        (vec![(200, Good), (210, Good), (220, Wrong), (230, Good)], Some(35), (0, 1)),
        (vec![(200, Good), (210, Status(502))], None, (0, 0)),
    ] {
        let measured = measured(&outcomes);
        assert_eq!(measured.recovery(Kind::Cached), recovery.map(Duration::from_millis), "{outcomes:?}");
        assert_eq!(measured.wrong(), wrong, "{outcomes:?}");
    }
    let measured =
        measured(&[(99, Status(502)), (100, Good), (199, Good), (150, Good), (101, Status(1)), (200, Wrong)]);
    assert!((measured.good(Kind::Cached) - 0.75).abs() < 1e-9, "{}", measured.good(Kind::Cached));
}

/// One bad day of `rimward serve`.
#[track_caller]
fn bad_day(scenario: Scenario) -> Measured {
    let program = Program::Rimward {
        rimward: made_by("make test", "target/debug/rimward"),
        workerd: project().join("node_modules/workerd/bin/workerd"),
        settings: include_str!("../../bench/faults/rimward.toml").to_owned(),
    };
    let phases = Phases {
        well: Duration::from_millis(1500),
        fault: Duration::from_millis(2500),
        healed: Duration::from_secs(1),
    };
    run(&program, scenario, phases, &Barrier::new(1)).unwrap()
}

#[track_caller]
fn expect(measured: &Measured, kind: Kind, at_least: f64) {
    let share = measured.good(kind);
    let bad = measured.during(kind).find(|sent| sent.outcome != Outcome::Good);
    assert!(share >= at_least, "{kind:?}: {share}, such as {bad:?}");
}

#[test]
fn whoever_asks_does_not_see_that_one_of_two_origins_is_down() {
    let measured = bad_day(Scenario { fault: Fault::Refuse, both: false });
    expect(&measured, Kind::Cached, 0.999);
    // One answer may be lost on a busy machine.
    expect(&measured, Kind::Dynamic, 0.99);
    assert_eq!(measured.wrong(), (0, 0));
    assert!(measured.recovery(Kind::Cached).is_some() && measured.recovery(Kind::Dynamic).is_some());
}

#[test]
fn whoever_asks_for_what_is_kept_does_not_see_that_all_origins_are_down() {
    let measured = bad_day(Scenario { fault: Fault::Refuse, both: true });
    expect(&measured, Kind::Cached, 0.999);
    // But for a last try that came when they were back.
    assert!(measured.good(Kind::Dynamic) < 0.05, "nobody is there to answer: {}", measured.good(Kind::Dynamic));
    assert_eq!(measured.wrong(), (0, 0));
    assert!(measured.recovery(Kind::Cached).is_some_and(|recovery| recovery < Duration::from_millis(500)));
}

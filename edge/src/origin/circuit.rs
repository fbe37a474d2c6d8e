//! Whether an isolate leaves one origin alone for a while: a circuit breaker, by a share of failures and by failures in a row.
//!
//! What it counts is what this isolate saw. An open circuit lets one request through when its time is over; what becomes of that
//! one closes it, or opens it for twice as long. It never decides alone that nobody is asked: see [`super::pool`].

use std::time::Duration;

use crate::config::Breaker;
use crate::time::Timestamp;

/// What became of a request to an origin, as far as it tells how that one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer that is no failure of the origin, and all of its body.
    Good,
    /// It answered that it fails: 500, 502, 503 or 504.
    Failed,
    /// It could not be reached, did not answer in time, or broke its answer off.
    Lost,
}

/// Whether an origin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As any other.
    Closed,
    /// By one request, to see how it is.
    Due,
    /// Not until then.
    Open {
        /// By the isolate's clock.
        until: Timestamp,
    },
}

/// So many lost in a row open it, whatever the share: who is refused or waits in vain need not do so twenty times. A sixth of the
/// requests that a share needs, and no fewer than three: whoever raises that bears more of these, too.
pub fn lost_in_a_row(rule: &Breaker) -> u32 {
    (rule.min_requests / 6).max(3)
}

/// How long it is open the first time. Twice as long the next time, up to [`LONGEST`].
pub const FIRST: Duration = Duration::from_secs(1);

/// However often it opened.
pub const LONGEST: Duration = Duration::from_secs(30);

/// A request that was let through to see how an origin is, and of which nothing was heard for so long, is lost.
const PROBE_LOST_AFTER: Duration = Duration::from_mins(1);

/// Slices of time that the failures are counted in.
const SLICES: usize = 10;

/// The circuit to one origin.
#[derive(Debug, Clone, Default)]
pub struct Circuit {
    slices: [Slice; SLICES],
    lost_in_a_row: u32,
    opened: Option<Opened>,
    /// How often in a row it opened.
    openings: u32,
    /// When it closed last.
    closed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    number: u64,
    requests: u32,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    at: Timestamp,
    until: Timestamp,
    probed_at: Option<Timestamp>,
}

impl Circuit {
    /// Whether the origin is asked.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let Some(Opened { at, until, probed_at }) = self.opened else { return Standing::Closed };
        // A clock that stepped back says nothing about how long it has been open.
        if at <= now && now < until {
            return Standing::Open { until };
        }
        match probed_at {
            Some(probed) if probed <= now && now.since(probed) < PROBE_LOST_AFTER => {
                Standing::Open { until: probed.plus(PROBE_LOST_AFTER) }
            }
            _ => Standing::Due,
        }
    }

    /// When it closed after it had been open, if that is so.
    pub fn closed_at(&self) -> Option<Timestamp> {
        self.closed_at.filter(|_| self.opened.is_none())
    }

    /// How many requests in a row were lost.
    pub fn lost_in_a_row(&self) -> u32 {
        self.lost_in_a_row
    }

    /// Notes that the origin is being asked.
    pub fn begin(&mut self, now: Timestamp) {
        let is_due = self.standing(now) == Standing::Due;
        if let Some(opened) = self.opened.as_mut().filter(|_| is_due) {
            opened.probed_at = Some(now);
        }
    }

    /// Notes that nothing will be known of a request that [`Circuit::begin`] was told of: its client left.
    pub fn forget(&mut self) {
        if let Some(opened) = &mut self.opened {
            opened.probed_at = None;
        }
    }

    /// Takes in what became of a request that was sent at `asked_at`. `random` spreads isolates that saw the same.
    pub fn record(
        &mut self,
        outcome: Outcome,
        asked_at: Timestamp,
        rule: &Breaker,
        random: u64,
        now: Timestamp,
    ) -> Option<Change> {
        self.count(outcome, rule, now);
        match self.opened {
            // What was asked before it opened tells nothing new.
            Some(opened) if asked_at < opened.at => None,
            Some(_) if outcome == Outcome::Good => {
                self.opened = None;
                self.closed_at = Some(now);
                self.slices = Default::default();
                Some(Change::Closed)
            }
            Some(opened) if opened.probed_at.is_some() => {
                self.open(random, now);
                None
            }
            None if self.is_too_much(rule, now) => {
                let calm = self.closed_at.is_none_or(|at| at > now || now.since(at) > 4 * self.length());
                if calm {
                    self.openings = 0;
                }
                self.open(random, now);
                Some(Change::Opened)
            }
            _ => None,
        }
    }

    fn count(&mut self, outcome: Outcome, rule: &Breaker, now: Timestamp) {
        self.lost_in_a_row = if outcome == Outcome::Lost { self.lost_in_a_row.saturating_add(1) } else { 0 };
        let number = slice_number(rule, now);
        let place = usize::try_from(number % SLICES as u64).unwrap_or_default();
        let slice = &mut self.slices[place];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        slice.requests = slice.requests.saturating_add(1);
        slice.failures = slice.failures.saturating_add(u32::from(outcome != Outcome::Good));
    }

    fn is_too_much(&self, rule: &Breaker, now: Timestamp) -> bool {
        if self.lost_in_a_row >= lost_in_a_row(rule) {
            return true;
        }
        let number = slice_number(rule, now);
        let counted =
            self.slices.iter().filter(|slice| slice.number <= number && number - slice.number < SLICES as u64);
        let (requests, failures) = counted.fold((0_u64, 0_u64), |(requests, failures), slice| {
            (requests + u64::from(slice.requests), failures + u64::from(slice.failures))
        });
        failures > 0
            && requests >= u64::from(rule.min_requests)
            && failures * 1000 >= requests * u64::from(rule.errors_permille)
    }

    fn open(&mut self, random: u64, now: Timestamp) {
        self.openings = self.openings.saturating_add(1);
        // Up to a fifth longer.
        let length = self.length();
        let more = length / 5 * u32::try_from(random % 1000).unwrap_or_default() / 1000;
        self.opened = Some(Opened { at: now, until: now.plus(length + more), probed_at: None });
    }

    fn length(&self) -> Duration {
        (FIRST * (1 << self.openings.saturating_sub(1).min(5))).min(LONGEST)
    }
}

/// What a circuit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The origin is left alone.
    Opened,
    /// It is asked again.
    Closed,
}

fn slice_number(rule: &Breaker, now: Timestamp) -> u64 {
    now.as_millis() / (rule.over_ms / SLICES as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Good, Lost};
    use super::*;

    const RULE: Breaker = Breaker { errors_permille: 500, over_ms: 10_000, min_requests: 20 };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Records outcomes, ten milliseconds apart, beginning at `from`; the last one's change.
    fn record(circuit: &mut Circuit, outcomes: &[Outcome], from: u64) -> Option<Change> {
        let mut last = None;
        for (place, outcome) in (0..).zip(outcomes) {
            let now = at(from + place * 10);
            last = circuit.record(*outcome, now, &RULE, 0, now);
        }
        last
    }

    #[test]
    fn it_opens_at_its_share_of_failures_and_not_before_its_minimum() {
        let mut circuit = Circuit::default();
        assert_eq!(record(&mut circuit, &[Failed; 19], 0), None);
        assert_eq!(record(&mut circuit, &[Failed], 190), Some(Change::Opened));
        assert_eq!(circuit.standing(at(200)), Standing::Open { until: at(1190) });

        let mut even = Circuit::default();
        let outcomes: Vec<Outcome> = (0..100).map(|place| if place % 5 == 0 { Failed } else { Good }).collect();
        assert_eq!(record(&mut even, &outcomes, 0), None);
        assert_eq!(even.standing(at(2000)), Standing::Closed, "a fifth is not a half");
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let mut circuit = Circuit::default();
        record(&mut circuit, &[Failed; 19], 0);
        assert_eq!(record(&mut circuit, &[Failed], 11_000), None);
        assert_eq!(circuit.standing(at(11_000)), Standing::Closed);
    }

    #[test]
    fn some_that_are_lost_in_a_row_open_it_at_once() {
        let mut circuit = Circuit::default();
        assert_eq!(record(&mut circuit, &[Lost, Lost, Good, Lost, Lost], 0), None);
        assert_eq!(record(&mut circuit, &[Lost], 50), Some(Change::Opened));
    }

    #[test]
    fn whoever_wants_a_share_of_many_bears_more_in_a_row() {
        for (min_requests, limit) in [(1, 3), (20, 3), (60, 10), (10_000, 1666)] {
            assert_eq!(lost_in_a_row(&Breaker { min_requests, ..RULE }), limit);
        }
    }

    #[test]
    fn one_request_is_let_through_and_decides() {
        let mut circuit = Circuit::default();
        record(&mut circuit, &[Lost; 3], 0);
        assert_eq!(circuit.standing(at(1019)), Standing::Open { until: at(1020) });
        assert_eq!(circuit.standing(at(1020)), Standing::Due);
        circuit.begin(at(1020));
        assert!(matches!(circuit.standing(at(1021)), Standing::Open { .. }), "one, not two");
        assert_eq!(circuit.record(Lost, at(1020), &RULE, 0, at(1100)), None);
        assert_eq!(circuit.standing(at(3099)), Standing::Open { until: at(3100) }, "twice as long");
        circuit.begin(at(3100));
        assert_eq!(circuit.record(Good, at(3100), &RULE, 0, at(3200)), Some(Change::Closed));
        assert_eq!((circuit.standing(at(3200)), circuit.closed_at()), (Standing::Closed, Some(at(3200))));
        assert_eq!(record(&mut circuit, &[Failed; 3], 3210), None, "what was counted before is forgotten");
    }

    #[test]
    fn what_was_asked_before_it_opened_does_not_close_it() {
        let mut circuit = Circuit::default();
        record(&mut circuit, &[Lost; 3], 0);
        assert_eq!(circuit.record(Good, at(10), &RULE, 0, at(500)), None);
        assert!(matches!(circuit.standing(at(500)), Standing::Open { .. }));
        assert_eq!(
            circuit.record(Good, at(600), &RULE, 0, at(700)),
            Some(Change::Closed),
            "asked all the same, and it answered"
        );
    }

    #[test]
    fn a_probe_that_is_never_heard_of_does_not_keep_it_open() {
        let mut circuit = Circuit::default();
        record(&mut circuit, &[Lost; 3], 0);
        circuit.begin(at(2000));
        assert!(matches!(circuit.standing(at(61_999)), Standing::Open { .. }));
        assert_eq!(circuit.standing(at(62_000)), Standing::Due);
        circuit.begin(at(62_000));
        circuit.forget();
        assert_eq!(circuit.standing(at(62_001)), Standing::Due, "its client left: the next one may try");
    }

    #[test]
    fn it_is_never_open_for_longer_than_its_bound_and_a_clock_that_steps_back_does_not_prolong_it() {
        let mut circuit = Circuit::default();
        let mut now = 0;
        record(&mut circuit, &[Lost; 3], now);
        for _ in 0..20 {
            let Standing::Open { until } = circuit.standing(at(now + 30)) else { panic!("{circuit:?}") };
            let open_for = until.as_millis() - at(now).as_millis();
            assert!(open_for <= 36_000 + 20, "{open_for}");
            now = until.as_millis() - 1_000_000;
            circuit.begin(at(now));
            circuit.record(Lost, at(now), &RULE, 999, at(now));
        }
        assert_eq!(circuit.standing(Timestamp::from_millis(5)), Standing::Due);
    }

    #[test]
    fn after_a_calm_time_it_opens_briefly_again() {
        let mut circuit = Circuit::default();
        record(&mut circuit, &[Lost; 3], 0);
        circuit.record(Good, at(2000), &RULE, 0, at(2000));
        record(&mut circuit, &[Lost; 3], 2100);
        assert_eq!(circuit.standing(at(2130)), Standing::Open { until: at(4120) }, "so soon: twice as long");
        circuit.record(Good, at(5000), &RULE, 0, at(5000));
        record(&mut circuit, &[Lost; 3], 60_000);
        assert_eq!(circuit.standing(at(60_030)), Standing::Open { until: at(61_020) });
    }
}

//! Requests under way at once, all over the world: isolates and one object with their real parts, messages that take their time
//! or are lost, restarts, isolates that die, clients that leave.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::world::{BEGIN, Chance};
use crate::limit::partition::Key;
use crate::limit::turns::{Entry, LEAVE_TRIES, RENEW_AGAIN_MS, RENEW_MS, Turn, Turns};

#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) isolates: u64,
    pub(super) lasts_ms: u64,
    pub(super) permits: u32,
    pub(super) queue: u32,
    pub(super) wait_ms: u64,
    pub(super) per_second: u64,
    /// How long a request is under way, on average.
    pub(super) takes_ms: u64,
    /// Of a thousand clients so many leave, while they wait or while they are answered.
    pub(super) leave_per_mille: u64,
    pub(super) deadline_ms: u64,
    pub(super) widest_ms: u64,
    pub(super) lost_per_mille: u64,
    /// About how far apart restarts of the object are, and how long isolates live. Zero: never.
    pub(super) restarts_ms: u64,
    pub(super) lives_ms: u64,
    /// By how much the object's clock steps at a restart.
    pub(super) step_ms: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) offered: u64,
    pub(super) admitted: u64,
    pub(super) restarts: u64,
    /// Who left before they were answered.
    pub(super) left: u64,
    /// Who was called after waiting.
    pub(super) called: u64,
    /// Most at once.
    pub(super) most: u64,
    /// Of all permits' time, in thousandths.
    pub(super) busy: u64,
    /// Messages to the object.
    pub(super) questions: u64,
    pub(super) rows: u64,
    /// How many get a permit when everything is over.
    pub(super) in_the_end: u64,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Arrive,
    /// To the object.
    Enter(u64),
    Renewed {
        ticket: u64,
        is_sure: bool,
        number: u64,
    },
    Left {
        ticket: u64,
        is_sure: bool,
    },
    /// A permit may have come back by itself.
    Due,
    /// Somebody in the queue has waited long enough.
    WaitOver(u64),
    /// To the isolate; `false` also where the object ended.
    Answer {
        ticket: u64,
        admitted: bool,
    },
    LeftHeard(u64),
    /// Nobody said that it was heard.
    LeaveAgain(u64),
    Heard {
        ticket: u64,
        number: u64,
    },
    Deadline(u64),
    Renew(u64),
    Unheard {
        ticket: u64,
        number: u64,
    },
    ClientLeaves(u64),
    Done(u64),
    Restart,
    Die,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asking,
    UnderWay,
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    isolate: u64,
    state: State,
    /// The renewal that was heard last.
    heard: u64,
    /// How often it may still say that it is over.
    leaves: u8,
}

/// What happens. Of messages from the object also which life of it sent it, and when: not, if it ended before.
type Sent = (Option<(u64, u64)>, Event);

struct World<'s> {
    setup: &'s Setup,
    chance: Chance,
    now: u64,
    queue: BTreeMap<(u64, u64), Sent>,
    number: u64,
    requests: HashMap<u64, Request>,
    turns: Turns,
    rows: BTreeMap<String, String>,
    unwritten: Vec<(u64, String, String)>,
    written_at: u64,
    offset: i64,
    /// When it looks for permits that come back by themselves; zero: not.
    due: u64,
    /// When each of the object's lives ended.
    ended: Vec<u64>,
    /// Who waits, by what the oracle saw: until when.
    waiting: VecDeque<(u64, u64)>,
    under_way: u64,
    busy_ms: u64,
    busy_since: u64,
    outcome: Outcome,
}

/// Runs it. Panics where a law is broken: more under way than permits, or somebody called out of turn.
pub(super) fn run(setup: &Setup, seed: u64) -> Outcome {
    let mut world = World {
        setup,
        chance: Chance::new(seed),
        now: 0,
        queue: BTreeMap::new(),
        number: 0,
        requests: HashMap::new(),
        turns: Turns::default(),
        rows: BTreeMap::new(),
        unwritten: Vec::new(),
        written_at: 0,
        offset: 0,
        due: 0,
        ended: Vec::new(),
        waiting: VecDeque::new(),
        under_way: 0,
        busy_ms: 0,
        busy_since: 0,
        outcome: Outcome::default(),
    };
    world.at(0, Event::Arrive);
    world.later(setup.restarts_ms, Event::Restart);
    world.later(setup.lives_ms / setup.isolates, Event::Die);
    while let Some(((at, _), (from, event))) = world.queue.pop_first() {
        world.now = at;
        let was_lost = from.is_some_and(|(life, leaves_at)| {
            world.ended.get(usize::try_from(life).unwrap()).is_some_and(|ended| *ended < leaves_at)
        });
        if !was_lost {
            world.happen(event);
        }
    }
    world.now += 60_000;
    let clock = world.clock();
    let Setup { lasts_ms, permits, .. } = *setup;
    let last = |ticket| Entry { key: KEY, ticket, permits, queue: 0, wait_ms: 0 };
    let in_the_end = (0..=u64::from(permits)).filter(|ticket| world.turns.enter(&last(*ticket), clock) == Turn::Now);
    let in_the_end = in_the_end.count() as u64;
    Outcome { busy: world.busy_ms * 1000 / (lasts_ms * u64::from(permits)), in_the_end, ..world.outcome }
}

const KEY: Key = Key { policy: 1, partition: 1 };

impl World<'_> {
    fn at(&mut self, at: u64, event: Event) {
        self.put(at, None, event);
    }

    fn put(&mut self, at: u64, from: Option<(u64, u64)>, event: Event) {
        self.number += 1;
        self.queue.insert((at, self.number), (from, event));
    }

    /// Somewhere between half of that time and one and a half of it from now; never, where it is zero or late.
    fn later(&mut self, about_ms: u64, event: Event) {
        let at = self.now + about_ms / 2 + self.chance.below(about_ms + 1);
        if about_ms > 0 && at < self.setup.lasts_ms {
            self.at(at, event);
        }
    }

    fn clock(&self) -> u64 {
        (BEGIN + self.now).saturating_add_signed(self.offset)
    }

    /// How long a message takes; `None`: it is lost.
    fn takes(&mut self, ticket: u64) -> Option<u64> {
        let isolate = self.requests[&ticket].isolate;
        let far = isolate % 30 * self.setup.widest_ms / 29;
        let takes = 1 + far + self.chance.below(5);
        (self.chance.below(1000) >= self.setup.lost_per_mille).then_some(takes)
    }

    fn tell(&mut self, ticket: u64, event: Event) {
        self.outcome.questions += 1;
        if let Some(takes) = self.takes(ticket) {
            self.at(self.now + takes, event);
        }
    }

    /// From the object, once everything before it is written down.
    fn answer(&mut self, ticket: u64, event: Event) {
        let leaves_at = self.written_at.max(self.now);
        if let Some(takes) = self.takes(ticket) {
            self.put(leaves_at + takes, Some((self.ended.len() as u64, leaves_at)), event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Enter(ticket) => self.enter(ticket),
            Event::Renewed { ticket, is_sure, number } => {
                let clock = self.clock();
                self.turns.renew(KEY, ticket, is_sure, clock);
                self.write();
                self.answer(ticket, Event::Heard { ticket, number });
            }
            Event::Left { ticket, is_sure } => {
                self.left(ticket, is_sure);
                self.answer(ticket, Event::LeftHeard(ticket));
            }
            Event::LeftHeard(ticket) => self.requests.get_mut(&ticket).unwrap().leaves = 0,
            // It may have been heard all the same.
            Event::LeaveAgain(ticket) => self.leave(ticket, false),
            Event::Due => {
                self.due = 0;
                self.call();
            }
            Event::WaitOver(ticket) => {
                if self.waiting.iter().any(|(waiting, _)| *waiting == ticket) {
                    self.answer(ticket, Event::Answer { ticket, admitted: false });
                    self.left(ticket, false);
                }
            }
            Event::Answer { ticket, admitted } => self.answered(ticket, admitted),
            Event::Heard { ticket, number } => {
                let request = self.requests.get_mut(&ticket).unwrap();
                if request.state != State::Over && request.heard < number {
                    request.heard = number;
                    self.at(self.now + RENEW_MS, Event::Renew(ticket));
                }
            }
            Event::Unheard { ticket, number } => {
                if self.requests[&ticket].heard < number {
                    // Whatever comes of it now is too late.
                    self.requests.get_mut(&ticket).unwrap().heard = number;
                    self.at(self.now + RENEW_AGAIN_MS, Event::Renew(ticket));
                }
            }
            Event::Renew(ticket) => {
                let state = self.requests[&ticket].state;
                if state != State::Over {
                    let number = self.number;
                    self.tell(ticket, Event::Renewed { ticket, is_sure: state == State::UnderWay, number });
                    self.at(self.now + RENEW_AGAIN_MS, Event::Unheard { ticket, number });
                }
            }
            Event::Deadline(ticket) => {
                if self.requests[&ticket].state == State::Asking {
                    self.over(ticket);
                }
            }
            Event::ClientLeaves(ticket) => {
                let is_there = self.requests[&ticket].state != State::Over;
                self.outcome.left += u64::from(is_there);
                self.over(ticket);
            }
            Event::Done(ticket) => self.over(ticket),
            Event::Restart => self.restart(),
            Event::Die => {
                let isolate = self.chance.below(self.setup.isolates);
                let of_it = |request: &&mut Request| request.isolate == isolate && request.state == State::UnderWay;
                let under_way = self.requests.values_mut().filter(of_it).count() as u64;
                self.count(self.under_way - under_way);
                for request in self.requests.values_mut().filter(|request| request.isolate == isolate) {
                    request.state = State::Over;
                }
                self.later(self.setup.lives_ms / self.setup.isolates, Event::Die);
            }
        }
    }

    fn arrive(&mut self) {
        let ticket = self.chance.bits();
        let isolate = self.chance.below(self.setup.isolates);
        self.requests.insert(ticket, Request { isolate, state: State::Asking, heard: 0, leaves: LEAVE_TRIES });
        self.outcome.offered += 1;
        self.tell(ticket, Event::Enter(ticket));
        self.at(self.now + self.setup.deadline_ms + self.setup.wait_ms, Event::Deadline(ticket));
        self.at(self.now + RENEW_MS, Event::Renew(ticket));
        if self.chance.below(1000) < self.setup.leave_per_mille {
            let soon = self.chance.below(2 * self.setup.takes_ms);
            self.at(self.now + soon, Event::ClientLeaves(ticket));
        }
        let every = 1000 / self.setup.per_second;
        let next = self.now + every / 2 + self.chance.below(every + 1);
        if next < self.setup.lasts_ms {
            self.at(next, Event::Arrive);
        }
    }

    fn enter(&mut self, ticket: u64) {
        let Setup { permits, queue, wait_ms, .. } = *self.setup;
        let clock = self.clock();
        match self.turns.enter(&Entry { key: KEY, ticket, permits, queue, wait_ms }, clock) {
            Turn::Now => {
                self.write();
                // Nobody overtakes who waits.
                self.waiting.retain(|(_, until)| *until > clock);
                assert!(self.waiting.is_empty(), "{ticket} came before {:?}", self.waiting);
                self.answer(ticket, Event::Answer { ticket, admitted: true });
            }
            Turn::Later => {
                self.waiting.push_back((ticket, clock + wait_ms));
                self.at(self.now + wait_ms, Event::WaitOver(ticket));
                self.call();
            }
            Turn::Never => self.answer(ticket, Event::Answer { ticket, admitted: false }),
        }
    }

    fn left(&mut self, ticket: u64, is_sure: bool) {
        let clock = self.clock();
        self.turns.leave(KEY, ticket, is_sure, clock);
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.call();
    }

    /// Lets those go on whose turn it is.
    fn call(&mut self) {
        let clock = self.clock();
        let called = self.turns.called(KEY, clock);
        self.write();
        self.waiting.retain(|(_, until)| *until > clock);
        for ticket in called {
            let first = self.waiting.pop_front().map(|(first, _)| first);
            assert_eq!(first, Some(ticket), "somebody was called out of turn");
            self.outcome.called += 1;
            self.answer(ticket, Event::Answer { ticket, admitted: true });
        }
        if let Some(at) = self.turns.due_at(KEY) {
            let at = self.now + at.saturating_sub(clock).max(1);
            if self.due <= self.now || at < self.due {
                self.due = at;
                self.at(at, Event::Due);
            }
        }
    }

    fn write(&mut self) {
        for row in self.turns.take_rows() {
            self.outcome.rows += 1;
            self.written_at = self.written_at.max(self.now + 1 + self.chance.below(6));
            self.unwritten.push((self.written_at, row.key, row.text));
        }
    }

    fn restart(&mut self) {
        for (at, key, text) in std::mem::take(&mut self.unwritten) {
            if at <= self.now {
                self.rows.insert(key, text);
            }
        }
        self.turns = Turns::default();
        for (key, text) in &self.rows {
            assert!(self.turns.read(key, text));
        }
        self.ended.push(self.now);
        self.written_at = 0;
        self.offset += self.chance.around(self.setup.step_ms);
        self.outcome.restarts += 1;
        // Whoever waits hears that nobody answers any more.
        for (ticket, _) in std::mem::take(&mut self.waiting) {
            if let Some(takes) = self.takes(ticket) {
                self.at(self.now + takes, Event::Answer { ticket, admitted: false });
            }
        }
        self.later(self.setup.restarts_ms, Event::Restart);
    }

    fn answered(&mut self, ticket: u64, admitted: bool) {
        let request = self.requests.get_mut(&ticket).unwrap();
        if request.state != State::Asking {
            return;
        }
        if !admitted {
            return self.over(ticket);
        }
        request.state = State::UnderWay;
        self.outcome.admitted += 1;
        self.count(self.under_way + 1);
        let takes = self.setup.takes_ms / 2 + self.chance.below(self.setup.takes_ms);
        self.at(self.now + takes, Event::Done(ticket));
    }

    /// A request ends, however it does, and says so.
    fn over(&mut self, ticket: u64) {
        let request = self.requests.get_mut(&ticket).unwrap();
        let was = std::mem::replace(&mut request.state, State::Over);
        if was == State::Over {
            return;
        }
        let is_sure = was == State::UnderWay;
        if is_sure {
            self.count(self.under_way - 1);
        }
        self.leave(ticket, is_sure);
    }

    fn leave(&mut self, ticket: u64, is_sure: bool) {
        let request = self.requests.get_mut(&ticket).unwrap();
        if request.leaves > 0 {
            request.leaves -= 1;
            self.tell(ticket, Event::Left { ticket, is_sure });
            self.at(self.now + RENEW_AGAIN_MS, Event::LeaveAgain(ticket));
        }
    }

    fn count(&mut self, under_way: u64) {
        let (from, until) = (self.busy_since, self.now.min(self.setup.lasts_ms));
        self.busy_ms += self.under_way * until.saturating_sub(from);
        self.busy_since = self.now;
        self.under_way = under_way;
        self.outcome.most = self.outcome.most.max(under_way);
        let permits = u64::from(self.setup.permits);
        assert!(under_way <= permits, "{under_way} under way at {} of {:?}", self.now, self.setup);
    }
}

/// As much as one can take, twice.
pub(super) fn calm() -> Setup {
    Setup {
        isolates: 20,
        lasts_ms: 120_000,
        permits: 10,
        queue: 20,
        wait_ms: 5000,
        per_second: 40,
        takes_ms: 500,
        leave_per_mille: 0,
        deadline_ms: 50,
        widest_ms: 15,
        lost_per_mille: 0,
        restarts_ms: 0,
        lives_ms: 0,
        step_ms: 0,
    }
}

#[test]
fn whoever_leaves_frees_a_place() {
    for seed in 0..4 {
        let Outcome { busy, left, called, in_the_end, .. } = run(&Setup { leave_per_mille: 400, ..calm() }, seed);
        assert!(left > 1000 && called > 1000, "{left} {called}");
        assert!(busy > 900, "{busy}");
        assert_eq!(in_the_end, 10);
    }
}

#[test]
fn never_more_are_under_way_than_may_be_whatever_happens() {
    let (mut restarts, mut called, mut admitted) = (0, 0, 0);
    for seed in 0..60 {
        let chance = &mut Chance::new(seed ^ 0xbeef);
        let mut among = |values: &[u64]| values[usize::try_from(chance.below(values.len() as u64)).unwrap()];
        let permits = among(&[1, 3, 10, 60]);
        let takes_ms = among(&[200, 3000, 9000, 25_000]);
        let is_far = among(&[0, 0, 1]) == 1;
        let setup = Setup {
            isolates: among(&[1, 8, 40]),
            permits: u32::try_from(permits).unwrap(),
            queue: u32::try_from(among(&[0, 2, 50])).unwrap(),
            wait_ms: among(&[100, 3000, 20_000]),
            // About twice as much as there is room for.
            per_second: (2000 * permits / takes_ms).clamp(1, 200),
            takes_ms,
            leave_per_mille: among(&[0, 300]),
            deadline_ms: if is_far { 400 } else { 50 },
            widest_ms: if is_far { 149 } else { 20 },
            lost_per_mille: among(&[0, 5, 30]),
            restarts_ms: among(&[0, 400, 3000, 15_000]),
            lives_ms: among(&[0, 8000, 60_000]),
            step_ms: among(&[0, 200]),
            ..calm()
        };
        let outcome = run(&setup, seed);
        assert_eq!(outcome.in_the_end, permits, "{setup:?}");
        restarts += outcome.restarts;
        called += outcome.called;
        admitted += outcome.admitted;
    }
    // It is not for want of events.
    assert!(restarts > 2000 && called > 5000 && admitted > 10_000, "{restarts} {called} {admitted}");
}

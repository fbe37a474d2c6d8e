//! What one object counts: the counters of many partitions under many policies, all or none of them charged by a request.
//!
//! An object forgets its memory when it was idle for a while, and whenever its code is replaced. So that it forgives nothing, it
//! writes down more than was used: a counter with a block of permits ahead ([`Counter::ahead`]), for counts that matter for
//! longer than 10 s; for the others a moment until which it may have counted, and takes whatever it does not
//! know from before that as used up.

use std::collections::HashMap;
use std::fmt::Write as _;

use rustc_hash::FxBuildHasher;

use super::counter::{Counter, Decision, Quota};
use super::partition::Key;

/// Counts that matter for no longer than this are not written down one by one.
const SHORT_MS: u64 = 10_000;

/// How far ahead the object says that it may be counting.
const ALIVE_MS: u64 = 1000;

/// Counters in memory. Past it whoever is new is counted together with others that are.
const COUNTERS: usize = 50_000;

/// Among how many counters of a policy newcomers are distributed, where there is no more room.
const CROWD: u128 = 256;

/// Isolates whose leases of one counter are told apart.
const LESSEES: usize = 1024;

/// Who did not ask for the time of so many leases borrows no more.
const LATELY: u64 = 2;

/// Where there is too little for all, an isolate waits until its share is about so many permits: no longer, since who asks more
/// often hears sooner what others left.
const ENOUGH: u64 = 64;

/// For how long who is refused stays away at most, while something may be given back.
const UNSURE_MS: u64 = 1000;

/// Clocks of the machines on which an object runs, one after another, differ by no more than this.
const STEP_MS: u64 = 200;

/// The counters of one object.
#[derive(Debug, Default)]
pub struct Shard {
    counters: HashMap<Key, Slot, FxBuildHasher>,
    /// Until when what is not known may have been counted all the same: as it is written down, and since the first question,
    /// no later than that.
    unknown_until: u64,
    is_awake: bool,
    alive_until: u64,
    swept_at: u64,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Slot {
    quota: Quota,
    counter: Counter,
    /// As it is written down; `None`: it is not.
    stored: Option<Counter>,
    /// Until when permits that were taken may be given back.
    unsure_until: u64,
    lessees: Vec<Lessee>,
}

#[derive(Debug, Clone, Copy)]
struct Lessee {
    id: u64,
    seen_at: u64,
    wants: u64,
}

/// How many isolates borrow of a counter, and how much.
#[derive(Debug, Clone, Copy)]
struct Demand {
    isolates: u64,
    wants: u64,
}

/// Something to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Rows of the same key replace one another.
    pub key: String,
    /// What [`Shard::open`] reads.
    pub text: String,
    /// From when on it can be dropped, in milliseconds since 1970.
    pub until: u64,
}

/// The key of the row that says until when the object may have counted.
const ALIVE: &str = "alive";

/// What a request takes of one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub key: Key,
    /// What it is held to.
    pub quota: Quota,
    /// Permits of this request.
    pub cost: u64,
    /// How many more the isolate would like to have at hand; `None` where each request is asked for.
    pub want: Option<u64>,
    /// Which isolate it is.
    pub isolate: u64,
    /// It counts, and refuses nobody.
    pub shadow: bool,
    /// For how long something else may yet refuse the request, so that this is given back, in milliseconds.
    pub unsure_ms: u64,
}

/// What became of one charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Whether the permits were there.
    pub admitted: bool,
    /// Permits that are there now.
    pub left: u64,
    /// Admitted: until all are there again. Else: until it is worth asking again. In milliseconds.
    pub wait_ms: u64,
    /// Permits that were lent beside the cost.
    pub lent: u64,
    /// For how long, in milliseconds.
    pub lease_ms: u64,
    /// Until more is lent, in milliseconds.
    pub more_ms: u64,
}

impl Shard {
    /// From what is written down: keys and texts of rows. Rows that cannot be read are of another version: they are told.
    pub fn open<'r>(rows: impl Iterator<Item = (&'r str, &'r str)>) -> (Shard, usize) {
        let mut shard = Shard::default();
        let mut unread = 0;
        for (key, text) in rows {
            if key == ALIVE {
                match text.parse() {
                    Ok(until) => shard.unknown_until = until,
                    Err(_) => unread += 1,
                }
                continue;
            }
            match Key::read(key).zip(Slot::read(text)) {
                Some((key, slot)) => drop(shard.counters.insert(key, slot)),
                None => unread += 1,
            }
        }
        (shard, unread)
    }

    /// Takes what all the charges ask, or nothing.
    pub fn take(&mut self, charges: &[Charge], now_ms: u64) -> Vec<Settled> {
        if !self.is_awake {
            self.is_awake = true;
            self.unknown_until = self.unknown_until.min(now_ms + STEP_MS);
        }
        let mut settled: Vec<Settled> = charges.iter().map(|charge| self.charge(charge, now_ms)).collect();
        if refuses(charges, &settled) {
            self.give_back(charges.iter().zip(&settled), now_ms, now_ms);
            for settled in &mut settled {
                settled.lent = 0;
            }
        }
        settled
    }

    /// Undoes what [`Shard::take`] did at `taken_ms` with these charges: something else refused the request.
    pub fn undo(&mut self, charges: &[(Charge, Settled)], taken_ms: u64, now_ms: u64) {
        self.give_back(charges.iter().map(|(charge, settled)| (charge, settled)), taken_ms, now_ms);
    }

    fn give_back<'c>(&mut self, taken: impl Iterator<Item = (&'c Charge, &'c Settled)>, taken_ms: u64, now_ms: u64) {
        for (charge, settled) in taken.filter(|(_, settled)| settled.admitted) {
            let Some(slot) = self.counters.get_mut(&charge.key) else { continue };
            slot.counter.give_back(slot.quota, charge.cost + settled.lent, taken_ms, now_ms);
            // Else a restart would bring back for the rest of a window what was there for a moment.
            let lowered = slot.stored.and_then(|stored| slot.counter.lowered(&stored, slot.quota, now_ms));
            self.rows.extend(lowered.map(|lowered| slot.store(charge.key, lowered)));
        }
    }

    fn charge(&mut self, charge: &Charge, now_ms: u64) -> Settled {
        let key = self.place(charge, now_ms);
        let unknown_until = self.unknown_until;
        let slot = self.counters.entry(key).or_insert_with(|| Slot::new(charge.quota, unknown_until, now_ms));
        let quota = charge.quota;
        let settled = match charge.want {
            None => slot.take(charge.cost, now_ms),
            Some(want) => slot.lend(charge, want, now_ms),
        };
        if settled.admitted {
            slot.unsure_until = slot.unsure_until.max(now_ms.saturating_add(charge.unsure_ms));
            if is_short(quota) {
                if now_ms >= self.alive_until {
                    self.alive_until = now_ms + ALIVE_MS;
                    let text = self.alive_until.to_string();
                    self.rows.push(Row { key: ALIVE.to_owned(), text, until: self.alive_until + SHORT_MS });
                }
            } else if slot.stored.is_none_or(|stored| !slot.counter.is_within(&stored)) {
                let ahead = slot.counter.ahead(quota, now_ms);
                self.rows.push(slot.store(key, ahead));
            }
        }
        settled
    }

    /// Where a charge is counted. Nobody's counter is let go of while it says something; where there is no room for more, who is
    /// new is counted with others.
    fn place(&mut self, charge: &Charge, now_ms: u64) -> Key {
        if self.counters.len() < COUNTERS || self.counters.contains_key(&charge.key) {
            return charge.key;
        }
        if now_ms.abs_diff(self.swept_at) >= ALIVE_MS {
            self.swept_at = now_ms;
            self.counters.retain(|_, slot| slot.counter.lapses_at(slot.quota) > now_ms);
        }
        if self.counters.len() < COUNTERS {
            return charge.key;
        }
        Key { partition: charge.key.partition % CROWD, ..charge.key }
    }

    /// What has to be written down before anybody is answered.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// How many rows wait to be written down.
    pub fn pending(&self) -> usize {
        self.rows.len()
    }

    /// What each counter has used, in no order.
    pub fn used(&self, now_ms: u64) -> Vec<u64> {
        let used = |slot: &Slot| slot.quota.most_at_once() - slot.counter.clone().left(slot.quota, now_ms);
        self.counters.values().map(used).collect()
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }
}

/// Whether what became of these charges refuses the request.
pub fn refuses(charges: &[Charge], settled: &[Settled]) -> bool {
    charges.iter().zip(settled).any(|(charge, settled)| !settled.admitted && !charge.shadow)
}

fn is_short(quota: Quota) -> bool {
    quota.remembers_ms() <= SHORT_MS
}

impl Slot {
    fn new(quota: Quota, unknown_until: u64, now_ms: u64) -> Slot {
        // Of what mattered for long, everything was written down.
        let may_be_forgotten = is_short(quota) && now_ms < unknown_until.saturating_add(quota.remembers_ms());
        let counter =
            if may_be_forgotten { Counter::spent(quota, unknown_until) } else { Counter::unused(quota, now_ms) };
        Slot { quota, counter, stored: None, unsure_until: 0, lessees: Vec::new() }
    }

    fn read(text: &str) -> Option<Slot> {
        let mut words = text.splitn(5, ' ');
        let quota = Quota::read(&mut words).ok()?;
        let counter = words.next()?.parse().ok()?;
        Some(Slot { quota, counter, stored: Some(counter), unsure_until: 0, lessees: Vec::new() })
    }

    /// The row that says so.
    fn store(&mut self, key: Key, stored: Counter) -> Row {
        self.stored = Some(stored);
        let text = format!("{} {stored}", self.quota);
        Row { key: key.to_string(), text, until: stored.lapses_at(self.quota) }
    }

    fn take(&mut self, cost: u64, now_ms: u64) -> Settled {
        let quota = self.quota;
        let decision = self.counter.take(quota, cost, now_ms);
        let left = self.counter.left(quota, now_ms);
        let (admitted, wait_ms) = match decision {
            Decision::Admit => (true, self.counter.reset_ms(quota, now_ms)),
            // Nobody is to stay away because of what is given back a moment later.
            Decision::Throttle { retry_ms } if now_ms < self.unsure_until => {
                (false, retry_ms.min(self.unsure_until - now_ms).min(UNSURE_MS))
            }
            Decision::Throttle { retry_ms } => (false, retry_ms),
        };
        Settled { admitted, left, wait_ms, lent: 0, lease_ms: 0, more_ms: 0 }
    }

    /// Takes the cost, and more for the requests that are to come. Where there is less than all would like to have, each isolate
    /// gets its share of what comes back, once in the time in which it does: more questions would bring nobody more.
    fn lend(&mut self, charge: &Charge, want: u64, now_ms: u64) -> Settled {
        let quota = self.quota;
        let demand = self.demand(charge.isolate, want, now_ms);
        let taken = self.take(charge.cost, now_ms);
        if !quota.is_worth_lending(demand.isolates) {
            return taken;
        }
        let turn_ms = quota.pace_ms().min(ENOUGH * demand.isolates * quota.window_ms() / quota.permits());
        if !taken.admitted {
            return Settled { wait_ms: taken.wait_ms.max(turn_ms), ..taken };
        }
        let ends = Counter::window_ends_at(quota, now_ms).map_or(u64::MAX, |end| end - now_ms);
        // What the rest of the window is too short for would be lost with it.
        let useful = if ends < quota.lease_ms() { want * ends / quota.lease_ms() } else { want };
        // It leaves something to who comes for the first time, and little to lose where a window ends.
        let share = want * (taken.left + quota.returned_in(turn_ms) * 7 / 8) / demand.wants.max(1);
        let is_scarce = taken.left < demand.wants && share < useful;
        let lent = if is_scarce { share } else { useful }.min(taken.left);
        self.counter.take(quota, lent, now_ms);
        Settled {
            admitted: true,
            left: self.counter.left(quota, now_ms),
            wait_ms: self.counter.reset_ms(quota, now_ms),
            lent,
            lease_ms: quota.lease_ms().min(ends),
            more_ms: if lent < useful { turn_ms.min(ends) } else { 0 },
        }
    }

    /// Notes what an isolate would like to have, and says what all that asked of late would.
    fn demand(&mut self, id: u64, want: u64, now_ms: u64) -> Demand {
        let since = now_ms.saturating_sub(LATELY * self.quota.lease_ms());
        self.lessees.retain(|known| known.seen_at >= since);
        if let Some(known) = self.lessees.iter_mut().find(|known| known.id == id) {
            known.seen_at = now_ms;
            // One question at a time says what its isolate wants.
            known.wants = if want > 0 { want } else { known.wants };
        } else if self.lessees.len() < LESSEES {
            self.lessees.push(Lessee { id, seen_at: now_ms, wants: want });
        }
        Demand { isolates: self.lessees.len() as u64, wants: self.lessees.iter().map(|known| known.wants).sum() }
    }
}

/// The text of charges, as [`read_charges`] reads it: a line each.
pub fn write_charges(charges: &[Charge]) -> String {
    let mut text = String::with_capacity(charges.len() * 100);
    for Charge { key, quota, cost, want, isolate, shadow, unsure_ms } in charges {
        let shadow = u8::from(*shadow);
        let want = want.map_or("-".to_owned(), |want| want.to_string());
        let _ = writeln!(text, "{key} {cost} {want} {isolate:x} {shadow} {quota} {unsure_ms}");
    }
    text
}

/// A command that cannot be read: it is of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no command for counters of this version")]
pub struct NoCommand;

/// Charges from their text.
pub fn read_charges(text: &str) -> Result<Vec<Charge>, NoCommand> {
    text.lines().map(|line| read_charge(&mut line.split(' ')).ok_or(NoCommand)).collect()
}

fn read_charge<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<Charge> {
    let key = Key::read(words.next()?)?;
    let cost: u64 = words.next()?.parse().ok()?;
    let want = match words.next()? {
        "-" => None,
        number => Some(number.parse().ok()?),
    };
    let isolate = u64::from_str_radix(words.next()?, 16).ok()?;
    let shadow = words.next()? == "1";
    let quota = Quota::read(words).ok()?;
    let unsure_ms = words.next()?.parse().ok()?;
    let is_possible = (1..=quota.most_at_once()).contains(&cost);
    is_possible.then_some(Charge { key, quota, cost, want, isolate, shadow, unsure_ms })
}

/// The text of what became of charges.
pub fn write_settled(settled: &[Settled]) -> String {
    let mut text = String::with_capacity(settled.len() * 40);
    for Settled { admitted, left, wait_ms, lent, lease_ms, more_ms } in settled {
        let admitted = u8::from(*admitted);
        let _ = writeln!(text, "{admitted} {left} {wait_ms} {lent} {lease_ms} {more_ms}");
    }
    text
}

/// What became of charges, from its text.
pub fn read_settled(text: &str) -> Result<Vec<Settled>, NoCommand> {
    let settled = |line: &str| {
        let mut words = line.split(' ');
        let admitted = words.next()? == "1";
        let mut number = || words.next()?.parse().ok();
        Some(Settled {
            admitted,
            left: number()?,
            wait_ms: number()?,
            lent: number()?,
            lease_ms: number()?,
            more_ms: number()?,
        })
    };
    text.lines().map(|line| settled(line).ok_or(NoCommand)).collect()
}

#[cfg(test)]
mod tests;

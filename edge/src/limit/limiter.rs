//! What an isolate knows of limits: who was refused and until when, the permits that it was lent, which objects do not
//! answer. It decides what it can by itself, says what is to be asked of which object, and what the answers come to.

use super::counter::{Counter, Decision, Quota};
use super::partition::{Key, SHARDS};
use super::shard::{self, Settled};
use crate::config::{Precision, WhenUnreachable};
use crate::memory::Memory;

/// Of everything that is known of partitions.
const KNOWN_BYTES: u64 = 4 * 1024 * 1024;
/// What one partition is taken to need.
const ENTRY_BYTES: u64 = 192;

/// How long an object that did not answer is not asked at first.
const BREAK_MS: u64 = 1000;
/// And at most.
const LONGEST_BREAK_MS: u64 = 16_000;
/// After so many questions in a row without an answer: a message may be lost.
const PATIENCE: u32 = 3;

/// For how long nobody else asks for more at most, while one question that does is under way.
const ONE_ASKS_MS: u64 = 1000;

/// What a request takes under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub key: Key,
    /// What is held to: of a leased policy, [`Quota::for_leases`].
    pub quota: Quota,
    /// Permits.
    pub cost: u64,
    /// Who decides.
    pub precision: Precision,
    /// What happens while the object does not answer.
    pub when_unreachable: WhenUnreachable,
    /// How long objects have to answer, in milliseconds.
    pub deadline_ms: u64,
    /// For how long after that something else may refuse the request, in milliseconds; zero: nothing does.
    pub later_ms: u64,
    /// It refuses nobody.
    pub shadow: bool,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The object.
    Object,
    /// This isolate, from a lease.
    Lease,
    /// This isolate, which remembers that the object refused.
    Memory,
    /// This isolate alone, because the object does not answer.
    Local,
    /// Nobody, because the object does not answer.
    Unreachable,
}

/// How a request stands under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Who says so.
    pub by: By,
    /// Whether the policy lets it pass. A shadow's refusal lets it pass all the same.
    pub admitted: bool,
    /// Permits that are there; `None` where nobody knows.
    pub left: Option<u64>,
    /// Admitted: until all are there again. Else: until it is worth trying again. In milliseconds.
    pub wait_ms: u64,
}

/// What is to be done for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing more: how it stands, in the order of the charges; `None` where another refused before.
    Decided(Vec<Option<Standing>>),
    /// The objects are to be asked, and [`Limiter::settle`] with their answer.
    Ask(Question),
}

/// A question to one object and those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The objects in the order that they are asked in, each with its charges' text. Each asks the next one only when it admits,
    /// and takes back what it took when that one refuses.
    pub objects: Vec<(u8, String)>,
    /// Which charges these are, by object.
    places: Vec<Vec<usize>>,
    /// How the others stand: they are charged here already.
    known: Vec<Option<Standing>>,
}

impl Question {
    /// What objects hold charged for a request that they admitted, to be taken back where something else refuses it: what they lent
    /// beside it is at hand here, and stays.
    pub fn held(&self, reply: &Reply) -> Vec<Undo> {
        let held = self.objects.iter().zip(&reply.objects).filter_map(|((shard, text), (at, said))| {
            let mut settled = shard::read_settled(said).ok()?;
            for settled in &mut settled {
                settled.lent = 0;
            }
            Some((*shard, *at, text.clone(), shard::write_settled(&settled)))
        });
        held.collect()
    }
}

/// What the objects said, in their order; a shorter list where one behind did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// When the object decided, by its own clock, and what it decided.
    pub objects: Vec<(u64, String)>,
}

/// Something to be taken back at an object: its number, when it was taken by the object's clock, and the texts of the charges
/// and of what became of them.
pub type Undo = (u8, u64, String, String);

/// What an isolate was lent of one counter, and what it needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Lease {
    left: u64,
    /// Of permits at hand.
    ends_at: u64,
    /// What was left of leases before, when this one was added to it.
    older: u64,
    older_ends_at: u64,
    /// When this lease came.
    learned_at: u64,
    /// Before this, more is not to be had.
    more_at: u64,
    resets_at: u64,
    /// Permits that requests needed since then.
    wanted: u64,
    wanted_since: u64,
    /// When the question that asks for more was asked, if one is under way.
    asked_at: Option<u64>,
    /// How long the last one took.
    took_ms: u64,
}

/// What is known of one counter.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Until when so much, or more, is refused.
    refusal: Option<(u64, u64)>,
    lease: Option<Lease>,
    /// What was counted here alone.
    local: Option<Counter>,
}

/// What an isolate knows.
pub struct Limiter {
    isolate: u64,
    known: Memory<Known>,
    breaks: [Break; SHARDS as usize],
    /// Permits that objects lent since somebody looked, by policy.
    lent: Vec<(u64, u64)>,
}

/// Since when an object does not answer.
#[derive(Debug, Clone, Copy, Default)]
struct Break {
    failures: u32,
    failed_at: u64,
    /// Before this it is not asked; after it, one request does.
    until: u64,
}

impl Limiter {
    /// `isolate` tells this isolate from others: 64 bits of chance.
    pub fn new(isolate: u64) -> Limiter {
        Limiter {
            isolate,
            known: Memory::new(KNOWN_BYTES, KNOWN_BYTES / 16),
            breaks: [Break::default(); SHARDS as usize],
            lent: Vec::new(),
        }
    }

    /// What objects lent since this was last asked: how many permits, by [`Key::policy`].
    pub fn take_lent(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.lent)
    }

    /// What a request with these charges comes to, as far as this isolate can say.
    pub fn plan(&mut self, charges: &[Charge], now_ms: u64) -> Plan {
        let mut known: Vec<Option<Standing>> = vec![None; charges.len()];
        let exact = |charge: &Charge| charge.precision == Precision::Exact;
        for (charge, known) in charges.iter().zip(&mut known).filter(|(charge, _)| exact(charge)) {
            *known = self.remembered(charge, now_ms);
        }
        if refuses(charges, &known) {
            return Plan::Decided(known);
        }
        for (charge, known) in charges.iter().zip(&mut known).filter(|(charge, _)| !exact(charge)) {
            *known = self.borrowed(charge, now_ms);
        }
        let mut objects: Vec<(u8, Vec<usize>)> = Vec::new();
        for (place, charge) in charges.iter().enumerate() {
            let shard = charge.key.shard();
            if known[place].is_some() {
                continue;
            }
            if self.is_broken(shard, now_ms) {
                known[place] = Some(self.without_object(charge, now_ms));
                continue;
            }
            // Everyone asks in the same order.
            let at = objects.partition_point(|(known, _)| *known < shard);
            match objects.get_mut(at).filter(|(known, _)| *known == shard) {
                Some((_, places)) => places.push(place),
                None => objects.insert(at, (shard, vec![place])),
            }
        }
        if refuses(charges, &known) {
            self.take_back(charges, &mut known, None, now_ms);
            return Plan::Decided(known);
        }
        if objects.is_empty() {
            return Plan::Decided(known);
        }
        for (shard, _) in &objects {
            self.try_again(*shard, now_ms);
        }
        let last = objects.len() - 1;
        let (objects, places): (Vec<(u8, String)>, Vec<Vec<usize>>) = objects
            .into_iter()
            .enumerate()
            .map(|(number, (shard, places))| {
                let asked = places.iter().map(|place| self.ask(&charges[*place], number == last, now_ms));
                ((shard, shard::write_charges(&asked.collect::<Vec<_>>())), places)
            })
            .unzip();
        Plan::Ask(Question { objects, places, known })
    }

    /// What the answer comes to, and what is to be taken back because the request is refused. `None`: the first object did not
    /// answer.
    pub fn settle(
        &mut self,
        charges: &[Charge],
        question: Question,
        reply: Option<&Reply>,
        asked_at_ms: u64,
        now_ms: u64,
        chance: u64,
    ) -> (Vec<Option<Standing>>, Vec<Undo>) {
        let Question { objects, places, mut known } = question;
        let answers = reply.map(|reply| reply.objects.as_slice()).unwrap_or_default();
        let is_alone = places.iter().flatten().count() == 1;
        let mut answered: Vec<(usize, Settled)> = Vec::new();
        let mut taken: Vec<Undo> = Vec::new();
        for (number, (shard, text)) in objects.iter().enumerate() {
            let answer = answers.get(number).and_then(|(at, said)| Some((at, said, read(said, places[number].len())?)));
            let Some((at, said, settled)) = answer else {
                // Where nobody refused before it, it did not answer, and those behind it were not asked.
                self.fail(*shard, asked_at_ms, now_ms, chance);
                for place in places[number..].iter().flatten() {
                    self.hear_nothing(&charges[*place], asked_at_ms);
                    known[*place] = Some(self.without_object(&charges[*place], now_ms));
                }
                break;
            };
            self.breaks[usize::from(*shard)] = Break::default();
            taken.push((*shard, *at, text.clone(), said.clone()));
            let is_refused = places[number]
                .iter()
                .zip(&settled)
                .any(|(place, settled)| !settled.admitted && !charges[*place].shadow);
            answered.extend(places[number].iter().copied().zip(settled));
            if is_refused {
                // The objects took back what they took.
                taken.clear();
                break;
            }
        }
        let is_refused_there = !answered.is_empty() && taken.is_empty();
        // What is taken back was not lent either.
        let is_kept = !is_refused_there && !refuses(charges, &known);
        for (place, settled) in answered {
            let settled = if is_kept { settled } else { Settled { lent: 0, ..settled } };
            let standing = self.learn(&charges[place], settled, asked_at_ms, now_ms);
            // A request that asked for more before what is at hand was used up.
            let at_hand = if is_alone && !standing.admitted { self.spend(&charges[place], now_ms) } else { None };
            known[place] = Some(at_hand.unwrap_or(standing));
        }
        if refuses(charges, &known) {
            self.take_back(charges, &mut known, Some(asked_at_ms), now_ms);
        } else {
            taken.clear();
        }
        (known, taken)
    }

    fn known(&self, name: &str) -> Known {
        self.known.get(name).unwrap_or_default()
    }

    fn know(&mut self, name: &str, learn: impl FnOnce(&mut Known)) {
        let mut known = self.known(name);
        learn(&mut known);
        self.known.insert(name, known, ENTRY_BYTES);
    }

    /// The refusal of no more than this, as long as it lasts.
    fn remembered(&self, charge: &Charge, now_ms: u64) -> Option<Standing> {
        let (until, cost) = self.known(&charge.key.to_string()).refusal?;
        let lasts = until > now_ms && charge.cost >= cost;
        lasts.then(|| Standing { by: By::Memory, admitted: false, left: Some(0), wait_ms: until - now_ms })
    }

    /// How a request stands by what this isolate was lent; `None`: the object is to be asked, also when there is just enough at
    /// hand for the requests that come until it answers.
    fn borrowed(&mut self, charge: &Charge, now_ms: u64) -> Option<Standing> {
        let name = charge.key.to_string();
        let Some(mut lease) = self.known(&name).lease else {
            return self.remembered(charge, now_ms);
        };
        lease.need(charge.cost, charge.quota.pace_ms(), now_ms);
        self.know(&name, |known| known.lease = Some(lease));
        let refused = self.remembered(charge, now_ms);
        let waits = now_ms < lease.more_at;
        let may_ask = refused.is_none() && !waits && !lease.is_asking(charge.quota, now_ms);
        // To the nearest whole.
        let until_then = lease.needed_in(2 * lease.took_ms, charge.quota, now_ms).div_ceil(2);
        if may_ask && lease.at_hand(now_ms) < charge.cost + until_then {
            return None;
        }
        let wait_ms = lease.more_at.saturating_sub(now_ms);
        self.spend(charge, now_ms).or(refused).or_else(|| {
            let left = Some(lease.at_hand(now_ms));
            waits.then_some(Standing { by: By::Lease, admitted: false, left, wait_ms })
        })
    }

    /// Takes permits at hand, if there are enough.
    fn spend(&mut self, charge: &Charge, now_ms: u64) -> Option<Standing> {
        let name = charge.key.to_string();
        let mut lease = self.known(&name).lease?;
        if !lease.take(charge.cost, now_ms) {
            return None;
        }
        self.know(&name, |known| known.lease = Some(lease));
        let wait_ms = lease.resets_at.saturating_sub(now_ms);
        Some(Standing { by: By::Lease, admitted: true, left: Some(lease.at_hand(now_ms)), wait_ms })
    }

    /// The charge as the object is asked; `is_last`: no other one is asked behind it.
    fn ask(&mut self, charge: &Charge, is_last: bool, now_ms: u64) -> shard::Charge {
        let want = (charge.precision == Precision::Leased).then(|| self.want(charge, now_ms));
        let Charge { key, quota, cost, shadow, deadline_ms, later_ms, .. } = *charge;
        // What is given back at the last moment has no longer a way than a question.
        let unsure_ms = if is_last && later_ms == 0 { 0 } else { 2 * deadline_ms + later_ms };
        shard::Charge { key, quota, cost, want, isolate: self.isolate, shadow, unsure_ms }
    }

    /// As many permits as will be needed until the next question. One question at a time wants more than its cost.
    fn want(&mut self, charge: &Charge, now_ms: u64) -> u64 {
        let name = charge.key.to_string();
        let pace_ms = charge.quota.pace_ms();
        let Some(mut lease) = self.known(&name).lease else {
            let lease = Lease { wanted: charge.cost, wanted_since: now_ms, asked_at: Some(now_ms), ..Lease::default() };
            self.know(&name, |known| known.lease = Some(lease));
            return 0;
        };
        if lease.is_asking(charge.quota, now_ms) {
            return 0;
        }
        lease.asked_at = Some(now_ms);
        self.know(&name, |known| known.lease = Some(lease));
        // By the time that the answer is here, some of the lease is over: of what is kept for late requests, half may be.
        let time_ms = (pace_ms + pace_ms / 4).saturating_sub(lease.took_ms).min(pace_ms);
        let needed = lease.needed_in(time_ms, charge.quota, now_ms);
        needed.min(charge.quota.returned_in(pace_ms))
    }

    /// How the object's word stands here.
    fn learn(&mut self, charge: &Charge, settled: Settled, asked_at_ms: u64, now_ms: u64) -> Standing {
        let Settled { admitted, left, wait_ms, lent, lease_ms, more_ms } = settled;
        let name = charge.key.to_string();
        if !admitted && wait_ms > 0 {
            let refusal = (now_ms.saturating_add(wait_ms), charge.cost);
            self.know(&name, |known| known.refusal = Some(refusal));
        }
        if lent > 0 {
            self.lent.push((charge.key.policy, lent));
        }
        let standing = Standing { by: By::Object, admitted, left: Some(left), wait_ms };
        let Some(mut lease) = self.known(&name).lease.filter(|_| charge.precision == Precision::Leased) else {
            return standing;
        };
        if lease.asked_at == Some(asked_at_ms) {
            lease.asked_at = None;
            lease.took_ms = now_ms.saturating_sub(asked_at_ms);
        }
        // From when it was asked: the object's time began no earlier.
        let ends_at = asked_at_ms.saturating_add(lease_ms);
        if lent > 0 && now_ms < ends_at {
            lease.add(lent, ends_at, now_ms);
        }
        if more_ms > 0 {
            lease.more_at = asked_at_ms.saturating_add(more_ms);
        }
        lease.resets_at = now_ms.saturating_add(wait_ms);
        self.know(&name, |known| known.lease = Some(lease));
        // What is at hand here is sure. Without a lease, the object's own word is.
        match lease.at_hand(now_ms) {
            0 => standing,
            at_hand => Standing { left: Some(at_hand), ..standing },
        }
    }

    /// The question that this charge was part of came to nothing: the next one may ask for more.
    fn hear_nothing(&mut self, charge: &Charge, asked_at_ms: u64) {
        let name = charge.key.to_string();
        if let Some(mut lease) = self.known(&name).lease.filter(|lease| lease.asked_at == Some(asked_at_ms)) {
            lease.asked_at = None;
            self.know(&name, |known| known.lease = Some(lease));
        }
    }

    /// Takes back what was charged here: something refused the request. `asked_at_ms`: it was charged before that question.
    pub fn take_back(
        &mut self,
        charges: &[Charge],
        known: &mut [Option<Standing>],
        asked_at_ms: Option<u64>,
        now_ms: u64,
    ) {
        for (charge, standing) in charges.iter().zip(known) {
            let Some(standing) = standing.as_mut().filter(|standing| standing.admitted) else { continue };
            let name = charge.key.to_string();
            match standing.by {
                By::Lease => {
                    // Permits of a lease that was added to meanwhile would get the time of the new one.
                    let is_same = |lease: &Lease| asked_at_ms.is_none_or(|asked_at| lease.learned_at < asked_at);
                    if let Some(mut lease) = self.known(&name).lease.filter(is_same) {
                        lease.put_back(charge.cost, asked_at_ms.unwrap_or(now_ms));
                        standing.left = Some(lease.at_hand(now_ms));
                        self.know(&name, |known| known.lease = Some(lease));
                    }
                }
                By::Local => {
                    if let Some(mut counter) = self.known(&name).local {
                        counter.give_back(charge.quota, charge.cost, asked_at_ms.unwrap_or(now_ms), now_ms);
                        standing.left = Some(counter.left(charge.quota, now_ms));
                        self.know(&name, |known| known.local = Some(counter));
                    }
                }
                By::Object | By::Memory | By::Unreachable => {}
            }
        }
    }

    /// What the settings want while the object does not answer.
    fn without_object(&mut self, charge: &Charge, now_ms: u64) -> Standing {
        if charge.precision == Precision::Leased
            && let Some(standing) = self.spend(charge, now_ms)
        {
            return standing;
        }
        let admitted = match charge.when_unreachable {
            WhenUnreachable::Open => true,
            WhenUnreachable::Closed => false,
            WhenUnreachable::Local => return self.count_here(charge, now_ms),
        };
        let wait_ms = if admitted { 0 } else { BREAK_MS };
        Standing { by: By::Unreachable, admitted, left: None, wait_ms }
    }

    /// Holds the requests of this isolate alone to the quota.
    fn count_here(&mut self, charge: &Charge, now_ms: u64) -> Standing {
        let name = charge.key.to_string();
        let quota = charge.quota;
        let mut counter = self.known(&name).local.unwrap_or_else(|| Counter::unused(quota, now_ms));
        let decision = counter.take(quota, charge.cost, now_ms);
        let left = Some(counter.left(quota, now_ms));
        let (admitted, wait_ms) = match decision {
            Decision::Admit => (true, counter.reset_ms(quota, now_ms)),
            Decision::Throttle { retry_ms } => (false, retry_ms),
        };
        self.know(&name, |known| known.local = Some(counter));
        Standing { by: By::Local, admitted, left, wait_ms }
    }

    /// Whether an object is not to be asked.
    fn is_broken(&self, shard: u8, now_ms: u64) -> bool {
        let state = self.breaks[usize::from(shard)];
        state.failures >= PATIENCE && now_ms < state.until
    }

    /// The first one that asks after a break finds out; the others wait for what it finds.
    fn try_again(&mut self, shard: u8, now_ms: u64) {
        let state = &mut self.breaks[usize::from(shard)];
        if state.failures >= PATIENCE {
            state.until = now_ms + BREAK_MS;
        }
    }

    /// The object did not answer. The third time in a row it is left alone for a while, twice as long each time, not by all isolates
    /// for the same time. Questions that were asked together fail once.
    fn fail(&mut self, shard: u8, asked_at_ms: u64, now_ms: u64, chance: u64) {
        let state = &mut self.breaks[usize::from(shard)];
        if asked_at_ms < state.failed_at {
            return;
        }
        state.failures = (state.failures + 1).min(PATIENCE + 16);
        state.failed_at = now_ms;
        if let Some(breaks) = state.failures.checked_sub(PATIENCE) {
            let pause = BREAK_MS.checked_shl(breaks).unwrap_or(LONGEST_BREAK_MS).min(LONGEST_BREAK_MS);
            state.until = now_ms + pause / 2 + chance % (pause / 2 + 1);
        }
    }
}

impl Lease {
    /// Permits that can be spent.
    fn at_hand(&self, now_ms: u64) -> u64 {
        let running = |permits: u64, ends_at: u64| if now_ms < ends_at { permits } else { 0 };
        running(self.left, self.ends_at) + running(self.older, self.older_ends_at)
    }

    /// Spends permits, first those that end first.
    fn take(&mut self, cost: u64, now_ms: u64) -> bool {
        let is_enough = self.at_hand(now_ms) >= cost;
        if is_enough {
            let of_older = if now_ms < self.older_ends_at { self.older.min(cost) } else { 0 };
            self.older -= of_older;
            self.left -= cost - of_older;
        }
        is_enough
    }

    /// Takes permits back that were spent then: to those that end first.
    fn put_back(&mut self, cost: u64, spent_at: u64) {
        let place = if spent_at < self.older_ends_at { &mut self.older } else { &mut self.left };
        *place += cost;
    }

    /// A new lease: what is left of others keeps its end.
    fn add(&mut self, lent: u64, ends_at: u64, now_ms: u64) {
        if now_ms >= self.older_ends_at || self.older == 0 {
            (self.older, self.older_ends_at) = (0, 0);
        }
        if now_ms < self.ends_at && self.left > 0 {
            self.older_ends_at = if self.older == 0 { self.ends_at } else { self.older_ends_at.min(self.ends_at) };
            self.older += self.left;
        }
        (self.left, self.ends_at, self.learned_at) = (lent, ends_at, now_ms);
    }

    /// Whether a question that asks for more is under way.
    fn is_asking(&self, quota: Quota, now_ms: u64) -> bool {
        self.asked_at.is_some_and(|asked_at| now_ms < asked_at + quota.pace_ms().min(ONE_ASKS_MS))
    }

    /// Notes what a request needs. Of what was long ago, less and less counts.
    fn need(&mut self, cost: u64, pace_ms: u64, now_ms: u64) {
        let span = now_ms.saturating_sub(self.wanted_since);
        if span > 4 * pace_ms {
            self.wanted = self.wanted * 2 * pace_ms / span;
            self.wanted_since = now_ms - 2 * pace_ms;
        }
        self.wanted += cost;
    }

    /// How much will be needed in so many milliseconds, by what was needed of late.
    fn needed_in(&self, millis: u64, quota: Quota, now_ms: u64) -> u64 {
        let span = now_ms.saturating_sub(self.wanted_since).max(quota.pace_ms() / 4).max(1);
        self.wanted.saturating_mul(millis) / span
    }
}

/// Whether a request is refused, as far as is known.
pub fn refuses(charges: &[Charge], known: &[Option<Standing>]) -> bool {
    let refused = |standing: &Option<Standing>| standing.is_some_and(|standing| !standing.admitted);
    charges.iter().zip(known).any(|(charge, standing)| refused(standing) && !charge.shadow)
}

/// What became of so many charges. An object of another version may say something else: that is as good as no answer.
fn read(said: &str, count: usize) -> Option<Vec<Settled>> {
    shard::read_settled(said).ok().filter(|settled| settled.len() == count)
}

#[cfg(test)]
mod tests;

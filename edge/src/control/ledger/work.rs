//! Calls to the outside: made in order, one at a time; what fails is made again later, or given up and kept.

use serde::{Deserialize, Serialize};

use super::{Change, FailedWork, Ledger, Table};
use crate::control::zone::{self, Judgement, Refused, ZoneCall};
use crate::time::Timestamp;

/// Calls that wait at most. Past it one call covers them all.
const WAITING: usize = 200;

/// Calls that were given up and are kept at most.
const GIVEN_UP: usize = 200;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    call: ZoneCall,
    made_at: Timestamp,
    /// When it is to be made, the next time.
    due_at: Timestamp,
    #[serde(default)]
    tries: u32,
    #[serde(default)]
    given_up: bool,
    /// What came of it the last time.
    #[serde(default)]
    answer: String,
}

impl Ledger {
    /// When the next call is due. While one is being made there is nothing to wake up for.
    pub(super) fn call_due_at(&self) -> Option<Timestamp> {
        let paused_until = self.head.map_or(Timestamp::default(), |head| head.zone_paused_until);
        let due = self.waiting().filter(|(id, _)| Some(**id) != self.under_way).map(|(_, work)| work.due_at).min()?;
        Some(due.max(paused_until))
    }

    /// The call to be made now, if any. [`Ledger::called`] says what came of it.
    pub fn next_call(&mut self, now: Timestamp) -> Option<(u64, ZoneCall)> {
        if self.call_due_at()? > now {
            return None;
        }
        let due = self.waiting().filter(|(_, work)| work.due_at <= now).min_by_key(|(id, work)| (work.due_at, **id));
        let (id, call) = due.map(|(id, work)| (*id, work.call.clone()))?;
        self.under_way = Some(id);
        Some((id, call))
    }

    /// Takes in what came of a call. Returns a line for the operator's log where it was given up.
    pub fn called(&mut self, id: u64, judgement: Judgement, now: Timestamp) -> Option<String> {
        self.under_way = None;
        let mut work = self.work.remove(&id)?;
        work.tries += 1;
        match judgement {
            Judgement::Done => {
                self.change(Change::Drop(Table::Work, id));
                return None;
            }
            Judgement::Again { after, all, answer } => {
                let pause = zone::pause(work.tries, after);
                work.due_at = now.plus(pause);
                work.given_up = work.tries >= zone::TRIES;
                work.answer = answer;
                if all {
                    self.change_head(now, |head| head.zone_paused_until = now.plus(pause));
                }
            }
            Judgement::Never { answer } => {
                work.given_up = true;
                work.answer = answer;
            }
        }
        let line = work
            .given_up
            .then(|| format!("the zone's cache was not told of a purge: POST {}: {}", work.call.path(), work.answer));
        self.keep(id, work);
        self.drop_oldest_given_up();
        line
    }

    /// Puts a call in line, with one that waits already where they can be one.
    pub(super) fn enqueue(&mut self, call: ZoneCall, now: Timestamp) {
        let Some(call) = self.join(call) else { return };
        let id = self.begun(now).last_work + 1;
        self.change_head(now, |head| head.last_work = id);
        let work = Work { call, made_at: now, due_at: now, tries: 0, given_up: false, answer: String::new() };
        self.keep(id, work);
        self.widen_if_too_many(now);
    }

    pub(super) fn failed(&self) -> FailedWork {
        let refused = |(id, work): (&u64, &Work)| Refused {
            id: *id,
            call: work.call.clone(),
            made_at: work.made_at,
            tries: work.tries,
            answer: work.answer.clone(),
        };
        let failed = self.work.iter().filter(|(_, work)| work.given_up).map(refused).collect();
        FailedWork { failed, waiting: self.waiting().count() }
    }

    pub(super) fn replay(&mut self, now: Timestamp) -> usize {
        let failed: Vec<u64> = self.work.iter().filter(|(_, work)| work.given_up).map(|(id, _)| *id).collect();
        for id in &failed {
            if let Some(mut work) = self.work.remove(id) {
                (work.given_up, work.tries, work.due_at) = (false, 0, now);
                self.keep(*id, work);
            }
        }
        failed.len()
    }

    fn waiting(&self) -> impl Iterator<Item = (&u64, &Work)> {
        self.work.iter().filter(|(_, work)| !work.given_up)
    }

    /// What is left of a call once those that wait have taken over what they have room for.
    fn join(&mut self, call: ZoneCall) -> Option<ZoneCall> {
        let ids: Vec<u64> = self.waiting().map(|(id, _)| *id).filter(|id| Some(*id) != self.under_way).collect();
        let mut rest = call;
        for id in ids {
            let Some(mut work) = self.work.remove(&id) else { continue };
            let before = work.call.clone();
            let left = work.call.absorb(rest);
            if work.call == before {
                self.work.insert(id, work);
            } else {
                self.keep(id, work);
            }
            rest = left?;
        }
        Some(rest)
    }

    fn widen_if_too_many(&mut self, now: Timestamp) {
        let waiting: Vec<u64> = self.waiting().map(|(id, _)| *id).filter(|id| Some(*id) != self.under_way).collect();
        if waiting.len() <= WAITING {
            return;
        }
        let mut calls: Vec<Work> = Vec::new();
        for id in waiting {
            self.change(Change::Drop(Table::Work, id));
            let Some(mut work) = self.work.remove(&id) else { continue };
            // Among few zones, the one of before and the one of now.
            if calls.iter().all(|other| other.call.zone != work.call.zone) {
                work.call = work.call.widened();
                calls.push(work);
            }
        }
        for work in calls {
            let id = self.begun(now).last_work + 1;
            self.change_head(now, |head| head.last_work = id);
            self.keep(id, work);
        }
    }

    fn drop_oldest_given_up(&mut self) {
        let given_up: Vec<u64> = self.work.iter().filter(|(_, work)| work.given_up).map(|(id, _)| *id).collect();
        for id in given_up.iter().rev().skip(GIVEN_UP) {
            self.work.remove(id);
            self.change(Change::Drop(Table::Work, *id));
        }
    }

    fn keep(&mut self, id: u64, work: Work) {
        self.put(Table::Work, id, &work);
        self.work.insert(id, work);
    }
}

//! What one isolate knows of the origins of a pool, and which of them a request goes to.
//!
//! Load, circuits, turns and budgets are of this isolate: others count for themselves. What all locations know (failed checks, what an
//! operator took out) comes in by [`PoolState::learn`]. Who may answer is decided in this order: whom an operator took out is never
//! asked; those that are well come first; where too few are, backups help, and where none of these is well, all are tried
//! rather than none (the panic threshold of Envoy).

use std::time::Duration;

use super::budget::Budget;
use super::choice::{self, Candidate};
use super::circuit::{Change, Circuit, Outcome, Standing};
use super::near::{Place, Ranks};
use crate::config::{Breaker, Choice, Origin, Pool, Retry, Role};
use crate::time::Timestamp;

/// What all locations know of an origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing against it.
    #[default]
    Well,
    /// It failed its checks.
    Sick,
    /// An operator took it out.
    Drained,
}

/// What a request asks of the choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// It changes something: of a primary and its replicas it goes to the primary.
    pub is_write: bool,
    /// Its client wrote a short while ago: it reads from the primary.
    pub has_written: bool,
    /// Its client stays with this origin, if it can.
    pub stays_with: Option<usize>,
    /// What it is told apart by, where that is the choice.
    pub key: Option<u64>,
    /// Where its client is, where that is known.
    pub place: Option<Place>,
    /// It may go to an origin of which nobody knows yet whether it is well again: it can be repeated elsewhere.
    pub may_probe: bool,
}

/// Origins that a request was sent to, by their places in the pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried([u64; 2]);

impl Tried {
    /// Notes one.
    pub fn insert(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// Whether it was sent there.
    pub fn contains(self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// To an origin that it was not sent to yet.
    Origin(usize),
    /// To one that it was sent to already, for there is no other: after a pause.
    Again(usize),
    /// Nowhere now: all that it may go to have as much under way as they may.
    Busy,
    /// Nowhere: whatever it may go to, an operator took out.
    Drained,
}

/// What an isolate knows of a pool.
#[derive(Debug, Clone)]
pub struct PoolState {
    origins: Vec<OriginState>,
    /// Of each, what every choice asks of it.
    loads: Vec<Load>,
    turns: Vec<i64>,
    budget: Budget,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    /// Of its URL.
    name: u64,
    /// Requests.
    under_way: u32,
    /// It may be anything but well, or have less than its share. Of all others there is nothing to look up.
    is_marked: bool,
}

#[derive(Debug, Clone)]
struct OriginState {
    url: String,
    circuit: Circuit,
    known: Known,
    /// Since when all locations hold it for well again.
    well_since: Option<Timestamp>,
}

/// Weights are multiplied by this, so that a share can grow in steps.
const WHOLE: u64 = 1000;

/// What an origin has at once when it comes back.
const FIRST_SHARE: u64 = WHOLE / 10;

/// Added to the rank of backups.
const BACKUP: u16 = 1000;

/// The rank of an origin whose region nobody wrote down: behind all regions.
const NOWHERE: u16 = 100;

impl PoolState {
    /// Of a pool that nothing is known of yet.
    pub fn new(pool: &Pool) -> PoolState {
        let state = |origin: &Origin| OriginState {
            url: origin.url.clone(),
            circuit: Circuit::default(),
            known: Known::Well,
            well_since: None,
        };
        let origins: Vec<OriginState> = pool.origins.iter().map(state).collect();
        let load =
            |origin: &OriginState| Load { name: choice::hash(origin.url.as_bytes()), under_way: 0, is_marked: false };
        let loads = origins.iter().map(load).collect();
        PoolState { turns: vec![0; origins.len()], origins, loads, budget: Budget::default() }
    }

    /// Whether it is of these origins.
    pub fn is_of(&self, pool: &Pool) -> bool {
        let urls = self.origins.iter().map(|origin| &origin.url);
        urls.eq(pool.origins.iter().map(|origin| &origin.url))
    }

    /// Takes in what all locations know.
    pub fn learn(&mut self, place: usize, known: Known, now: Timestamp) {
        let origin = &mut self.origins[place];
        if origin.known != Known::Well && known == Known::Well {
            origin.well_since = Some(now);
        }
        origin.known = known;
        self.loads[place].is_marked = true;
    }

    /// Notes a request, which may earn further tries.
    pub fn requested(&mut self, retry: &Retry) {
        self.budget.requested(retry);
    }

    /// Whether the budget allows one more try, which is spent.
    pub fn may_retry(&mut self) -> bool {
        self.budget.spend()
    }

    /// Where a request goes that was sent to `tried` already.
    pub fn select(&mut self, pool: &Pool, wish: &Wish, tried: Tried, random: u64, now: Timestamp) -> Selected {
        if let Some(place) = wish.stays_with
            && let Some(origin) = self.origins.get(place)
            && origin.is_well(wish.may_probe, now)
            && !tried.contains(place)
            && self.loads[place].under_way < most_at_once(pool)
            && pool.origins.get(place).is_some_and(|origin| may_stay(pool, origin, wish))
        {
            return Selected::Origin(place);
        }
        let candidates = match self.at_once(pool, wish, tried, now) {
            Some(candidates) => candidates,
            None => match self.at_length(pool, wish, tried, now) {
                Ok(candidates) => candidates,
                Err(eligible) => return self.rather_late(&eligible, pool, tried, random),
            },
        };
        let place = match (&pool.choice, wish.key) {
            (Choice::RoundRobin | Choice::Weighted, _) => choice::in_turn(&candidates, &mut self.turns),
            (Choice::Hash(_), Some(key)) => choice::of_key(&candidates, key, |place| self.loads[place].name),
            _ => choice::less_busy(&candidates, random),
        };
        place.map_or(Selected::Drained, Selected::Origin)
    }

    /// Where a request goes that nobody can take whom it was not sent to yet.
    fn rather_late(&self, eligible: &[(usize, u16)], pool: &Pool, tried: Tried, random: u64) -> Selected {
        if eligible.is_empty() {
            return Selected::Drained;
        }
        if eligible.iter().any(|(place, _)| !tried.contains(*place)) {
            return Selected::Busy;
        }
        let most = most_at_once(pool);
        let with_room = eligible.iter().map(|(place, _)| *place).filter(|place| self.loads[*place].under_way < most);
        let best = with_room.min_by_key(|place| {
            let lost = self.origins[*place].circuit.lost_in_a_row();
            (lost, self.loads[*place].under_way, choice::mix(random ^ *place as u64))
        });
        best.map_or(Selected::Busy, Selected::Again)
    }

    /// Whether nobody is worth waiting for, by what is known: for a request that has something else to answer with.
    pub fn is_down(&self, now: Timestamp) -> bool {
        self.origins.iter().all(|origin| !origin.is_well(true, now))
    }

    /// How long until a circuit lets somebody through, where that is not now.
    pub fn opens_in(&self, now: Timestamp) -> Option<Duration> {
        let untils = self.origins.iter().filter(|origin| origin.known != Known::Drained);
        let waits = untils.map(|origin| match origin.circuit.standing(now) {
            Standing::Open { until } => until.since(now),
            Standing::Closed | Standing::Due => Duration::ZERO,
        });
        waits.min().filter(|wait| !wait.is_zero())
    }

    /// Notes that a request goes to an origin.
    pub fn begin(&mut self, place: usize, now: Timestamp) {
        self.loads[place].under_way += 1;
        self.origins[place].circuit.begin(now);
    }

    /// Notes that a request is over.
    pub fn end(&mut self, place: usize) {
        self.loads[place].under_way = self.loads[place].under_way.saturating_sub(1);
    }

    /// Takes in what became of a request.
    pub fn record(
        &mut self,
        place: usize,
        outcome: Outcome,
        asked_at: Timestamp,
        breaker: &Breaker,
        random: u64,
        now: Timestamp,
    ) -> Option<Change> {
        let change = self.origins[place].circuit.record(outcome, asked_at, breaker, random, now);
        if change.is_some() {
            self.loads[place].is_marked = true;
        }
        change
    }

    /// Notes that nothing will be known of a request.
    pub fn forget(&mut self, place: usize) {
        self.origins[place].circuit.forget();
    }

    /// How many requests are under way to an origin.
    pub fn under_way(&self, place: usize) -> u32 {
        self.loads[place].under_way
    }

    /// Those to choose from, where enough are well and one of these has room: in one pass, for each of a hundred costs.
    fn at_once(&mut self, pool: &Pool, wish: &Wish, tried: Tried, now: Timestamp) -> Option<Vec<Candidate>> {
        let near = near(pool, wish);
        let most = most_at_once(pool);
        let (mut regular, mut well, mut lowest) = (0_usize, 0_usize, BACKUP - 1);
        let mut candidates = Vec::with_capacity(self.origins.len());
        for (place, (origin, load)) in pool.origins.iter().zip(&mut self.loads).enumerate() {
            let Some(rank) = rank(&pool.choice, origin, wish, near.as_ref()) else { continue };
            if rank >= BACKUP || origin.weight == 0 {
                continue;
            }
            let mut share = WHOLE;
            if load.is_marked {
                let state = &self.origins[place];
                if state.known == Known::Drained {
                    continue;
                }
                if !state.is_well(wish.may_probe, now) {
                    regular += 1;
                    continue;
                }
                share = state.share(pool, now);
                load.is_marked = share < WHOLE || state.circuit.standing(now) != Standing::Closed;
            }
            regular += 1;
            well += 1;
            if rank > lowest || load.under_way >= most || tried.contains(place) {
                continue;
            }
            if rank < lowest {
                lowest = rank;
                candidates.clear();
            }
            let weight = if pool.choice == Choice::RoundRobin { share } else { u64::from(origin.weight) * share };
            candidates.push(Candidate { place, weight, under_way: load.under_way });
        }
        (!candidates.is_empty() && !is_too_few(pool, well, regular)).then_some(candidates)
    }

    /// Those to choose from, whatever there is; where there are none, all that the request may go to.
    fn at_length(
        &self,
        pool: &Pool,
        wish: &Wish,
        tried: Tried,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, Vec<(usize, u16)>> {
        let eligible = self.eligible(pool, wish, now);
        let most = most_at_once(pool);
        let is_open = |place: usize| !tried.contains(place) && self.loads[place].under_way < most;
        let Some(lowest) = eligible.iter().filter(|(place, _)| is_open(*place)).map(|(_, rank)| *rank).min() else {
            return Err(eligible);
        };
        let open = eligible.iter().filter(|(place, rank)| *rank == lowest && is_open(*place));
        let candidate = |(place, _): &(usize, u16)| {
            let weight = if pool.choice == Choice::RoundRobin { 1 } else { u64::from(pool.origins[*place].weight) };
            let under_way = self.loads[*place].under_way;
            Candidate { place: *place, weight: weight * self.origins[*place].share(pool, now), under_way }
        };
        Ok(open.map(candidate).collect())
    }

    /// Those that a request may go to, each with its rank: those with the lowest that have room are the ones to choose from.
    fn eligible(&self, pool: &Pool, wish: &Wish, now: Timestamp) -> Vec<(usize, u16)> {
        let near = near(pool, wish);
        let all = || {
            let origins = self.origins.iter().zip(&pool.origins).enumerate();
            origins.filter(|(_, (state, origin))| state.known != Known::Drained && origin.weight > 0).filter_map(
                |(place, (state, origin))| {
                    let rank = rank(&pool.choice, origin, wish, near.as_ref())?;
                    Some((place, rank, state.is_well(wish.may_probe, now)))
                },
            )
        };
        let (mut regular, mut well, mut backups_well) = (0_usize, 0_usize, 0_usize);
        for (_, rank, is_well) in all() {
            match (rank >= BACKUP, is_well) {
                (true, is_well) => backups_well += usize::from(is_well),
                (false, is_well) => {
                    regular += 1;
                    well += usize::from(is_well);
                }
            }
        }
        match (is_too_few(pool, well, regular), backups_well > 0) {
            (false, _) => all()
                .filter(|(_, rank, is_well)| *is_well && *rank < BACKUP)
                .map(|(place, rank, _)| (place, rank))
                .collect(),
            (true, true) => {
                all().filter(|(_, _, is_well)| *is_well).map(|(place, rank, _)| (place, rank % BACKUP)).collect()
            }
            (true, false) => all().map(|(place, rank, _)| (place, rank)).collect(),
        }
    }
}

impl OriginState {
    /// Of [`WHOLE`]: less than that for one that is well again since a short while (slow start).
    fn share(&self, pool: &Pool, now: Timestamp) -> u64 {
        let since = self.circuit.closed_at().max(self.well_since).filter(|since| *since <= now);
        let elapsed = since.map(|since| now.as_millis() - since.as_millis());
        match elapsed.filter(|elapsed| *elapsed < pool.slow_start_ms) {
            Some(elapsed) => (WHOLE * elapsed / pool.slow_start_ms).clamp(FIRST_SHARE, WHOLE),
            None => WHOLE,
        }
    }

    fn is_well(&self, may_probe: bool, now: Timestamp) -> bool {
        self.known == Known::Well
            && match self.circuit.standing(now) {
                Standing::Closed => true,
                Standing::Due => may_probe,
                Standing::Open { .. } => false,
            }
    }
}

/// Whether so few of the origins that are no backups are well that these alone are not enough.
fn is_too_few(pool: &Pool, well: usize, regular: usize) -> bool {
    well == 0 || well * 100 < usize::from(pool.panic_percent) * regular
}

fn near(pool: &Pool, wish: &Wish) -> Option<Ranks> {
    wish.place.filter(|_| pool.choice == Choice::Geo).map(Ranks::from)
}

/// How many requests may be under way to each origin.
fn most_at_once(pool: &Pool) -> u32 {
    pool.concurrency.map_or(u32::MAX, |limit| limit.per_isolate)
}

/// Whether a client's own origin may have its request: what it changes, and what it reads after that, is the primary's.
fn may_stay(pool: &Pool, origin: &Origin, wish: &Wish) -> bool {
    match pool.choice {
        Choice::PrimaryReplica { .. } => origin.role == Role::Primary || !(wish.is_write || wish.has_written),
        _ => true,
    }
}

/// How far back an origin stands for a request, by where its client is; `None`: it is not for such requests.
fn rank(choice: &Choice, origin: &Origin, wish: &Wish, near: Option<&Ranks>) -> Option<u16> {
    let rank = match (choice, origin.role) {
        (Choice::PrimaryReplica { .. }, Role::Replica | Role::Backup) if wish.is_write => return None,
        (Choice::PrimaryReplica { .. }, Role::Replica) => u16::from(wish.has_written),
        (Choice::PrimaryReplica { .. }, Role::Primary) => u16::from(!wish.has_written && !wish.is_write),
        (Choice::Geo, _) => match (near, origin.region) {
            (None, _) => 0,
            (Some(_), None) => NOWHERE,
            (Some(near), Some(region)) => near.of(region),
        },
        _ => 0,
    };
    Some(if origin.role == Role::Backup { rank + BACKUP } else { rank })
}

#[cfg(test)]
mod tests;

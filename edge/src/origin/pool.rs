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
use super::near::{self, Place};
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
pub struct Tried(u128);

impl Tried {
    /// Notes one.
    pub fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    /// Whether it was sent there.
    pub fn contains(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
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
    turns: Vec<i64>,
    budget: Budget,
}

#[derive(Debug, Clone)]
struct OriginState {
    url: String,
    name: u64,
    circuit: Circuit,
    under_way: u32,
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
            name: choice::hash(origin.url.as_bytes()),
            circuit: Circuit::default(),
            under_way: 0,
            known: Known::Well,
            well_since: None,
        };
        let origins: Vec<OriginState> = pool.origins.iter().map(state).collect();
        PoolState { turns: vec![0; origins.len()], origins, budget: Budget::default() }
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
        let is_full =
            |origin: &OriginState| pool.concurrency.is_some_and(|limit| origin.under_way >= limit.per_isolate);
        if let Some(place) = wish.stays_with
            && let Some(origin) = self.origins.get(place)
            && origin.is_well(wish.may_probe, now)
            && !tried.contains(place)
            && !is_full(origin)
        {
            return Selected::Origin(place);
        }
        let ranked = self.eligible(pool, wish, now);
        if ranked.is_empty() {
            return Selected::Drained;
        }
        let untried = ranked.iter().filter(|(place, _)| !tried.contains(*place));
        let room = |place: usize| !is_full(&self.origins[place]);
        let Some(rank) = untried.clone().filter(|(place, _)| room(*place)).map(|(_, rank)| *rank).min() else {
            if untried.count() > 0 {
                return Selected::Busy;
            }
            let best = ranked.iter().map(|(place, _)| *place).filter(|place| room(*place)).min_by_key(|place| {
                let origin = &self.origins[*place];
                (origin.circuit.lost_in_a_row(), origin.under_way, choice::mix(random ^ *place as u64))
            });
            return best.map_or(Selected::Busy, Selected::Again);
        };
        let candidates: Vec<Candidate> = untried
            .filter(|(place, of)| *of == rank && room(*place))
            .map(|(place, _)| Candidate {
                place: *place,
                weight: self.weight(pool, *place, now),
                under_way: self.origins[*place].under_way,
            })
            .collect();
        let place = match (&pool.choice, wish.key) {
            (Choice::RoundRobin | Choice::Weighted, _) => choice::in_turn(&candidates, &mut self.turns),
            (Choice::Hash(_), Some(key)) => choice::of_key(&candidates, key, |place| self.origins[place].name),
            _ => choice::less_busy(&candidates, random),
        };
        place.map_or(Selected::Drained, Selected::Origin)
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
        let origin = &mut self.origins[place];
        origin.under_way += 1;
        origin.circuit.begin(now);
    }

    /// Notes that a request is over.
    pub fn end(&mut self, place: usize) {
        let origin = &mut self.origins[place];
        origin.under_way = origin.under_way.saturating_sub(1);
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
        self.origins[place].circuit.record(outcome, asked_at, breaker, random, now)
    }

    /// Notes that nothing will be known of a request.
    pub fn forget(&mut self, place: usize) {
        self.origins[place].circuit.forget();
    }

    /// How many requests are under way to an origin.
    pub fn under_way(&self, place: usize) -> u32 {
        self.origins[place].under_way
    }

    /// Those that a request may go to, each with its rank: those with the lowest that have room are the ones to choose from.
    fn eligible(&self, pool: &Pool, wish: &Wish, now: Timestamp) -> Vec<(usize, u16)> {
        let all = || {
            let origins = self.origins.iter().zip(&pool.origins).enumerate();
            origins.filter(|(_, (state, origin))| state.known != Known::Drained && origin.weight > 0).filter_map(
                |(place, (state, origin))| {
                    Some((place, rank(&pool.choice, origin, wish)?, state.is_well(wish.may_probe, now)))
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
        let too_few = well == 0 || well * 100 < usize::from(pool.panic_percent) * regular;
        match (too_few, backups_well > 0) {
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

    fn weight(&self, pool: &Pool, place: usize, now: Timestamp) -> u64 {
        let weight = match pool.choice {
            Choice::RoundRobin => 1,
            _ => u64::from(pool.origins[place].weight),
        };
        weight * self.share(pool, place, now)
    }

    /// Of [`WHOLE`]: less than that for one that is well again since a short while (slow start).
    fn share(&self, pool: &Pool, place: usize, now: Timestamp) -> u64 {
        let origin = &self.origins[place];
        let since = origin.circuit.closed_at().max(origin.well_since).filter(|since| *since <= now);
        let Some(since) = since.filter(|since| now.since(*since).as_millis() < u128::from(pool.slow_start_ms)) else {
            return WHOLE;
        };
        let elapsed = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        (WHOLE * elapsed / pool.slow_start_ms).clamp(FIRST_SHARE, WHOLE)
    }
}

impl OriginState {
    fn is_well(&self, may_probe: bool, now: Timestamp) -> bool {
        self.known == Known::Well
            && match self.circuit.standing(now) {
                Standing::Closed => true,
                Standing::Due => may_probe,
                Standing::Open { .. } => false,
            }
    }
}

/// How far back an origin stands for a request; `None`: it is not for such requests.
fn rank(choice: &Choice, origin: &Origin, wish: &Wish) -> Option<u16> {
    let rank = match (choice, origin.role) {
        (Choice::PrimaryReplica { .. }, Role::Replica | Role::Backup) if wish.is_write => return None,
        (Choice::PrimaryReplica { .. }, Role::Replica) => u16::from(wish.has_written),
        (Choice::PrimaryReplica { .. }, Role::Primary) => u16::from(!wish.has_written && !wish.is_write),
        (Choice::Geo, _) => match (wish.place, origin.region) {
            (None, _) => 0,
            (Some(_), None) => NOWHERE,
            (Some(place), Some(region)) => near::rank(place, region),
        },
        _ => 0,
    };
    Some(if origin.role == Role::Backup { rank + BACKUP } else { rank })
}

#[cfg(test)]
mod tests;

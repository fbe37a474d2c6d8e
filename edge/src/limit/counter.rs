//! What one partition has used of one quota, and what that leaves. Arithmetic is exact: nothing is rounded in anybody's
//! favour.
//!
//! The generic cell rate algorithm (ITU-T I.371, as a virtual schedule) keeps the instant at which everything that was
//! taken will have come back. It is kept in units of a millisecond's share of a permit, so that no rate is rounded.

use std::fmt;
use std::str::FromStr;

use crate::config::Algorithm;

/// What an algorithm that counts over time is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    kind: Kind,
    /// A window; at least 1, at most [`crate::config::Permits::MOST`].
    permits: u64,
    /// In milliseconds; as [`crate::config::Window`] bounds it.
    window: u64,
    /// At once. `permits` for everything but [`Kind::Gcra`].
    burst: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Gcra,
    Sliding,
    Fixed,
}

/// How long a lease lasts: so large a part of a window.
const LENT_PART: u64 = 10;

/// And at most: isolates do not live for ever.
const LONGEST_LEASE_MS: u64 = 300_000;

/// With fewer permits than this for each question, lending would be of no use. That is at about 150 an isolate and window: with 200
/// it is of use also while isolates that are gone are still taken to be there.
const WORTH_LENDING: u64 = 10;

/// What is reserved ahead in storage: a part of what there can be at once.
const BLOCK_PART: u64 = 20;

impl Quota {
    /// `None` for what counts no time ([`Algorithm::Concurrency`]).
    pub fn of(algorithm: Algorithm) -> Option<Quota> {
        let (kind, permits, window, burst) = match algorithm {
            Algorithm::Gcra { permits, window, burst } => (Kind::Gcra, permits, window, burst),
            Algorithm::SlidingWindow { permits, window } => (Kind::Sliding, permits, window, permits),
            Algorithm::FixedWindow { permits, window } => (Kind::Fixed, permits, window, permits),
            Algorithm::Concurrency { .. } => return None,
        };
        let (permits, burst) = (u64::from(permits.number()), u64::from(burst.number()));
        Some(Quota { kind, permits, window: window.millis(), burst })
    }

    /// The quota from which permits are lent for [`Quota::lease_ms`]. What is lent may be spent so much later than it was taken:
    /// in any interval, what comes back meanwhile is kept away from the burst, so that the law holds for what is spent. Windows
    /// need no less: a lease ends with its window. Neither does what is never lent.
    #[must_use]
    pub fn for_leases(self) -> Quota {
        match self.kind {
            Kind::Gcra if self.is_worth_lending(1) => {
                let kept_away = (self.permits * self.lease_ms()).div_ceil(self.window);
                Quota { burst: self.burst.saturating_sub(kept_away).max(1), ..self }
            }
            Kind::Gcra | Kind::Sliding | Kind::Fixed => self,
        }
    }

    /// How long a lease lasts at most: while it does, no more comes back than a quarter of the burst.
    pub fn lease_ms(self) -> u64 {
        let quarter = self.burst * self.window / (4 * self.permits);
        (self.window / LENT_PART).min(quarter).min(LONGEST_LEASE_MS)
    }

    /// In what time a lease is meant to be spent: how far apart an isolate's questions are. The rest of its time is for requests
    /// that come later than they were expected, so that little of what was lent is lost.
    pub fn pace_ms(self) -> u64 {
        self.lease_ms() * 2 / 3
    }

    /// How many permits come back in so many milliseconds.
    pub fn returned_in(self, millis: u64) -> u64 {
        self.permits * millis / self.window
    }

    /// Whether lending saves questions where so many isolates ask.
    pub fn is_worth_lending(self, isolates: u64) -> bool {
        self.returned_in(self.pace_ms()) >= WORTH_LENDING * isolates
    }

    /// How many there can be at once.
    pub fn most_at_once(self) -> u64 {
        self.burst
    }

    /// A window's permits.
    pub fn permits(self) -> u64 {
        self.permits
    }

    /// In milliseconds.
    pub fn window_ms(self) -> u64 {
        self.window
    }

    /// For how long a count matters at most, in milliseconds: after that it is as good as none.
    pub fn remembers_ms(self) -> u64 {
        match self.kind {
            Kind::Gcra => self.full().div_ceil(self.permits),
            Kind::Sliding => 2 * self.window,
            Kind::Fixed => self.window,
        }
    }

    /// How many permits are reserved in storage at once: 5 % of the quota.
    fn block(self) -> u64 {
        (self.burst / BLOCK_PART).max(1)
    }

    /// And where nearly all of them are taken.
    fn least_block(self) -> u64 {
        (self.block() / 4).max(1)
    }

    /// How often a counter is written down at most, while so many permits are taken of it in so many milliseconds and nothing
    /// restarts: once for each block that was taken, or that came back by itself; where windows pass, once for each of them.
    pub fn most_writes(self, taken: u64, millis: u64) -> u64 {
        match self.kind {
            Kind::Gcra => 1 + (taken + self.returned_in(millis) + 1) / self.least_block(),
            Kind::Sliding | Kind::Fixed => 2 + millis / self.window + taken / (self.block() + 1),
        }
    }

    /// All that can be owed, in units.
    fn full(self) -> u64 {
        self.burst * self.window
    }
}

/// As messages spell it: `g 1000 60000 1000`.
impl fmt::Display for Quota {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Gcra => 'g',
            Kind::Sliding => 's',
            Kind::Fixed => 'f',
        };
        write!(out, "{kind} {} {} {}", self.permits, self.window, self.burst)
    }
}

/// A quota that cannot be read, or that no settings can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no quota")]
pub struct NoQuota;

impl Quota {
    /// From the words of [`Quota`]'s text.
    pub fn read<'t>(words: &mut impl Iterator<Item = &'t str>) -> Result<Quota, NoQuota> {
        let kind = match words.next() {
            Some("g") => Kind::Gcra,
            Some("s") => Kind::Sliding,
            Some("f") => Kind::Fixed,
            _ => return Err(NoQuota),
        };
        let permits = number(words.next())?;
        let window = number(words.next())?;
        let burst = number(words.next())?;
        let is_possible = |number: u64| (1..=u64::from(crate::config::Permits::MOST)).contains(&number);
        let windows = crate::config::Window::LEAST_MS..=crate::config::Window::MOST_MS;
        if !is_possible(permits) || !is_possible(burst) || !windows.contains(&window) {
            return Err(NoQuota);
        }
        Ok(Quota { kind, permits, window, burst })
    }
}

fn number(word: Option<&str>) -> Result<u64, NoQuota> {
    word.and_then(|word| word.parse().ok()).ok_or(NoQuota)
}

/// What was used. Which kind of quota it belongs to is known by who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// For [`Kind::Gcra`] the instant at which everything is back, in units of which a millisecond has as many as the
    /// quota has permits. Else the number of the window, since 1970.
    at: u64,
    /// What the window before used.
    previous: u64,
    /// What this one used.
    count: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The permits were taken.
    Admit,
    /// They were not.
    Throttle {
        /// When they may be there, from now, in milliseconds: at least 1.
        retry_ms: u64,
    },
}

impl Counter {
    /// Nothing was used.
    pub fn unused(quota: Quota, now_ms: u64) -> Counter {
        match quota.kind {
            Kind::Gcra => Counter { at: now_ms * quota.permits, previous: 0, count: 0 },
            Kind::Sliding | Kind::Fixed => Counter { at: now_ms / quota.window, previous: 0, count: 0 },
        }
    }

    /// Everything that there was up to then was used.
    pub fn spent(quota: Quota, as_of_ms: u64) -> Counter {
        let all = quota.permits;
        match quota.kind {
            Kind::Gcra => Counter { at: as_of_ms * quota.permits + quota.full(), previous: 0, count: 0 },
            Kind::Sliding | Kind::Fixed => Counter { at: as_of_ms / quota.window, previous: all, count: all },
        }
    }

    /// Takes `cost` permits, if they are there.
    pub fn take(&mut self, quota: Quota, cost: u64, now_ms: u64) -> Decision {
        match self.wait(quota, cost, now_ms) {
            0 => {
                match quota.kind {
                    Kind::Gcra => self.at += cost * quota.window,
                    Kind::Sliding | Kind::Fixed => self.count += cost,
                }
                Decision::Admit
            }
            retry_ms => Decision::Throttle { retry_ms },
        }
    }

    /// How long until `cost` permits are there; zero: they are.
    pub fn wait(&mut self, quota: Quota, cost: u64, now_ms: u64) -> u64 {
        let real_ms = now_ms;
        let now_ms = self.advance(quota, now_ms);
        let cost = cost.min(quota.burst);
        let wait_ms = match quota.kind {
            Kind::Gcra => {
                let owed = self.at - now_ms * quota.permits + cost * quota.window;
                owed.saturating_sub(quota.full()).div_ceil(quota.permits)
            }
            Kind::Fixed if self.count + cost <= quota.permits => 0,
            Kind::Fixed => quota.window - now_ms % quota.window,
            Kind::Sliding => {
                let elapsed = now_ms % quota.window;
                if self.count + cost <= quota.permits {
                    let free_at = fades_to(self.previous, quota.permits - self.count - cost, quota.window);
                    free_at.saturating_sub(elapsed)
                } else {
                    // In the next window this one's count fades.
                    quota.window - elapsed + fades_to(self.count, quota.permits - cost, quota.window)
                }
            }
        };
        if wait_ms == 0 { 0 } else { wait_ms + (now_ms - real_ms) }
    }

    /// Gives back what was taken at `taken_ms` and not used: no more of it than could not have come back by itself.
    pub fn give_back(&mut self, quota: Quota, cost: u64, taken_ms: u64, now_ms: u64) {
        let now_ms = self.advance(quota, now_ms);
        match quota.kind {
            Kind::Gcra => {
                let returned = now_ms.saturating_sub(taken_ms) * quota.permits;
                let rest = (cost * quota.window).saturating_sub(returned);
                self.at = self.at.saturating_sub(rest).max(now_ms * quota.permits);
            }
            Kind::Sliding | Kind::Fixed if taken_ms / quota.window == self.at => {
                self.count = self.count.saturating_sub(cost);
            }
            Kind::Sliding | Kind::Fixed => {}
        }
    }

    /// How many permits are there.
    pub fn left(&mut self, quota: Quota, now_ms: u64) -> u64 {
        let now_ms = self.advance(quota, now_ms);
        match quota.kind {
            Kind::Gcra => (quota.full() - (self.at - now_ms * quota.permits)) / quota.window,
            Kind::Fixed => quota.permits.saturating_sub(self.count),
            Kind::Sliding => {
                let fading = (self.previous * (quota.window - now_ms % quota.window)).div_ceil(quota.window);
                quota.permits.saturating_sub(self.count + fading)
            }
        }
    }

    /// How long until all permits are there, if nobody takes any, in milliseconds.
    pub fn reset_ms(&mut self, quota: Quota, now_ms: u64) -> u64 {
        self.advance(quota, now_ms);
        self.lapses_at(quota).saturating_sub(now_ms)
    }

    /// From when on it is as good as [`Counter::unused`], in milliseconds since 1970.
    pub fn lapses_at(&self, quota: Quota) -> u64 {
        match (quota.kind, self.count, self.previous) {
            (Kind::Gcra, ..) => self.at.div_ceil(quota.permits),
            (_, 0, 0) => self.at * quota.window,
            (Kind::Sliding, 1.., _) => (self.at + 2) * quota.window,
            _ => (self.at + 1) * quota.window,
        }
    }

    /// Where the present window ends; for GCRA there is none.
    pub fn window_ends_at(quota: Quota, now_ms: u64) -> Option<u64> {
        match quota.kind {
            Kind::Gcra => None,
            Kind::Sliding | Kind::Fixed => Some((now_ms / quota.window + 1) * quota.window),
        }
    }

    /// The same with a block of permits more: what is written down, so that it need not be at every request.
    #[must_use]
    pub fn ahead(self, quota: Quota, now_ms: u64) -> Counter {
        self.ahead_by(quota.block(), quota, now_ms)
    }

    /// What is written down in place of `stored`, where that is more than a block ahead because permits were given back. By half a
    /// block, so that not each one that is taken and given back again is written down.
    #[must_use]
    pub fn lowered(self, stored: &Counter, quota: Quota, now_ms: u64) -> Option<Counter> {
        let is_far_ahead = !stored.is_within(&self.ahead(quota, now_ms));
        is_far_ahead.then(|| self.ahead_by(quota.block().div_ceil(2), quota, now_ms))
    }

    fn ahead_by(mut self, permits: u64, quota: Quota, now_ms: u64) -> Counter {
        match quota.kind {
            Kind::Gcra => {
                // Also past what there is now: who takes each permit as it comes back would else have each of them written down.
                // By less, since nobody is there to take a whole block before a pause.
                let most = now_ms * quota.permits + quota.full() + quota.least_block() * quota.window;
                self.at = (self.at + permits * quota.window).min(most);
            }
            Kind::Sliding | Kind::Fixed => self.count = (self.count + permits).min(quota.permits).max(self.count),
        }
        self
    }

    /// Whether this has used no more than `other`, in whatever is left of time.
    pub fn is_within(&self, other: &Counter) -> bool {
        self.at < other.at || self.at == other.at && self.count <= other.count && self.previous <= other.previous
    }

    /// To the present, which is what time it is for this counter. A clock that stepped back forgives nothing: what was used
    /// stays used, and comes back as if from now. Where it stepped back across the beginning of a window, that window goes on:
    /// else it would begin twice.
    fn advance(&mut self, quota: Quota, now_ms: u64) -> u64 {
        match quota.kind {
            Kind::Gcra => {
                let now = now_ms * quota.permits;
                self.at = self.at.clamp(now, now + quota.full());
                now_ms
            }
            Kind::Sliding | Kind::Fixed => {
                let window = now_ms / quota.window;
                if self.at == window + 1 {
                    return self.at * quota.window;
                }
                match window.saturating_sub(self.at) {
                    0 => {}
                    1 => self.previous = std::mem::take(&mut self.count),
                    _ => (self.previous, self.count) = (0, 0),
                }
                self.at = window;
                now_ms
            }
        }
    }
}

/// How far into the next window a count weighs no more than `most`.
fn fades_to(count: u64, most: u64, window: u64) -> u64 {
    if count <= most { 0 } else { window - most * window / count }
}

/// As rows spell it: `28333333 5 7`.
impl fmt::Display for Counter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.at, self.previous, self.count)
    }
}

impl FromStr for Counter {
    type Err = NoQuota;

    fn from_str(text: &str) -> Result<Counter, NoQuota> {
        let mut words = text.split(' ');
        let mut word = || number(words.next());
        Ok(Counter { at: word()?, previous: word()?, count: word()? })
    }
}

#[cfg(test)]
mod tests;

//! What the object that checks origins knows: which checks are due, what their results mean, what is said of that.
//!
//! The object's memory vanishes when nothing happens for a while: all that counts lies in two texts that it stores, and
//! [`Checker::open`] goes on from them. What was under way then is checked again when it is due the next time.

use std::fmt::Write;
use std::time::Duration;

use super::list::{self, Checked, NoList};
use super::{AT_ONCE, BODY_BYTES, CHECKED, PAUSE_AFTER, SAID_AGAIN, SICK_FOR};
use crate::config::Health;
use crate::time::Timestamp;

/// How stale the stored time may be at which somebody asked last: it is not stored each time.
const ASKED_STORED_EVERY: Duration = Duration::from_secs(30);

/// The pause after the first time that the log could not be told; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What the object wakes up for at the latest where something under way did not come to an end: its memory was lost.
const GRACE: Duration = Duration::from_secs(10);

/// All origins that are checked.
#[derive(Debug, Default)]
pub struct Checker {
    /// The list, as it was told.
    text: String,
    list: Vec<Checked>,
    /// In the order of the list.
    origins: Vec<Origin>,
    under_way: Vec<UnderWay>,
    last_number: u32,
    /// When somebody asked for any of them last.
    asked_at: Timestamp,
    stored_asked_at: Timestamp,
    saying: Option<Word>,
    unsaid: u32,
    say_again_at: Timestamp,
    list_changed: bool,
    state_changed: bool,
}

/// One origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// Its place in the list, and in that.
    pool: usize,
    place: usize,
    due_at: Timestamp,
    /// Results in a row that speak against its state.
    against: u8,
    /// `None`: it is well, until it is proven otherwise.
    sick_since: Option<Timestamp>,
    /// Until when the log says that it is sick; in the past: it does not.
    said_until: Timestamp,
}

impl Origin {
    fn new(pool: usize, place: usize, now: Timestamp) -> Origin {
        Origin { pool, place, due_at: now, against: 0, sick_since: None, said_until: Timestamp::default() }
    }
}

#[derive(Debug)]
struct UnderWay {
    number: u32,
    /// By when it is over, or lost.
    over_at: Timestamp,
    /// Its place; `None` where the list changed since and it means nothing any more.
    origin: Option<usize>,
}

/// A check that is to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Of this check: [`Checker::done`] takes it.
    pub number: u32,
    /// What is asked for.
    pub url: String,
    /// Head and body are there by then, or it failed.
    pub timeout_ms: u64,
    /// Whether the body says anything.
    pub reads_body: bool,
}

/// What came of a check.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'o> {
    /// `None`: no whole answer came in time.
    pub status: Option<u16>,
    /// As much as was read of it: at least its first [`BODY_BYTES`], if it has as many.
    pub body: &'o [u8],
    /// Why no answer came.
    pub why: &'o str,
}

/// What is to be said of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The pool's name.
    pub pool: String,
    /// The origin's URL.
    pub url: String,
    /// Since when it is so.
    pub since: Timestamp,
    /// Until when it counts as sick; `None`: it is well.
    pub sick_until: Option<Timestamp>,
}

/// How an origin is, by its checks, since now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The pool's name.
    pub pool: String,
    /// The origin's URL.
    pub url: String,
    /// Else it is well again.
    pub is_sick: bool,
    /// For the operator's log.
    pub line: String,
}

/// What is to be stored, each in place of what is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// What is checked.
    pub list: Option<String>,
    /// How it is.
    pub state: Option<String>,
}

impl Checker {
    /// Goes on from what was stored. What cannot be read of it begins anew.
    pub fn open(list: &str, state: &str) -> Checker {
        let mut checker = Checker::default();
        let Ok(read) = list::read(list) else { return checker };
        list.clone_into(&mut checker.text);
        checker.origins = origins_of(&read, Timestamp::default());
        checker.list = read;
        let mut lines = state.lines();
        checker.asked_at = Timestamp::from_millis(lines.next().and_then(|line| line.parse().ok()).unwrap_or_default());
        checker.stored_asked_at = checker.asked_at;
        for (origin, line) in checker.origins.iter_mut().zip(lines) {
            read_state(origin, line);
        }
        checker
    }

    /// Somebody asks for origins of these pools: they are checked from now on, or still. Returns a line for the operator's log.
    pub fn ask(&mut self, text: &str, now: Timestamp) -> Result<Option<String>, NoList> {
        let mut line = None;
        if text != self.text {
            let list = list::read(text)?;
            let count: usize = list.iter().map(|checked| checked.origins.len()).sum();
            line = (count > CHECKED).then(|| format!("health: of {count} origins only {CHECKED} are checked"));
            self.replace(text, list, now);
        }
        let was_paused = self.is_paused(now);
        if was_paused {
            // What was a row then is none now; and the log has forgotten who was sick.
            for origin in &mut self.origins {
                origin.against = 0;
                origin.sick_since = origin.sick_since.filter(|_| origin.said_until > now);
            }
        }
        self.asked_at = now;
        self.state_changed |= was_paused || now.since(self.stored_asked_at) >= ASKED_STORED_EVERY;
        Ok(line)
    }

    /// Takes another list. Origins that are in both stay as they are.
    fn replace(&mut self, text: &str, list: Vec<Checked>, now: Timestamp) {
        let mut origins = origins_of(&list, now);
        let mut moved = vec![None; self.origins.len()];
        for (place, origin) in origins.iter_mut().enumerate() {
            let Checked { pool, health, origins } = &list[origin.pool];
            let url = &origins[origin.place];
            let before = self.origins.iter().position(|known| {
                let Checked { pool: other, origins: others, .. } = &self.list[known.pool];
                others[known.place] == *url && other == pool
            });
            let Some(before) = before else { continue };
            let known = &self.origins[before];
            (origin.sick_since, origin.said_until) = (known.sick_since, known.said_until);
            if self.list[known.pool].health == *health {
                (origin.against, origin.due_at) = (known.against, known.due_at);
                moved[before] = Some(place);
            }
        }
        // Those that mean nothing any more still count as under way.
        self.under_way.iter_mut().for_each(|check| check.origin = check.origin.and_then(|before| moved[before]));
        text.clone_into(&mut self.text);
        (self.list, self.origins) = (list, origins);
        (self.list_changed, self.state_changed) = (true, true);
    }

    /// Nobody has asked for a while.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        now.since(self.asked_at) >= PAUSE_AFTER
    }

    /// The checks that are to be made now, those that are due for longest first. `random` gives numbers of chance.
    pub fn due(&mut self, now: Timestamp, random: &mut dyn FnMut() -> u32) -> Vec<Due> {
        self.under_way.retain(|check| check.over_at > now);
        if self.is_paused(now) {
            return Vec::new();
        }
        let mut begun = Vec::new();
        while self.under_way.len() < AT_ONCE {
            let waiting = (0..self.origins.len()).filter(|place| !self.is_under_way(*place));
            let due = waiting.map(|place| (self.due_at(&self.origins[place], now), place)).min();
            let Some((_, place)) = due.filter(|(at, _)| *at <= now) else { break };
            begun.push(self.begin(place, now, random()));
        }
        begun
    }

    fn begin(&mut self, place: usize, now: Timestamp, random: u32) -> Due {
        let origin = &mut self.origins[place];
        let Checked { health, origins, .. } = &self.list[origin.pool];
        // Sooner by up to a tenth, never later: what follows from the interval holds.
        let sooner = (health.interval_ms / 10).saturating_mul(u64::from(random)) >> 32;
        origin.due_at = now.plus(Duration::from_millis(health.interval_ms - sooner));
        self.state_changed = true;
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        let over_at = now.plus(Duration::from_millis(health.timeout_ms)).plus(GRACE);
        self.under_way.push(UnderWay { number, over_at, origin: Some(place) });
        Due {
            number,
            url: format!("{}{}", origins[origin.place], health.path),
            timeout_ms: health.timeout_ms,
            reads_body: health.body.is_some(),
        }
    }

    fn is_under_way(&self, place: usize) -> bool {
        self.under_way.iter().any(|check| check.origin == Some(place))
    }

    /// When an origin is to be checked. A clock that stepped back puts nothing off for longer than its interval.
    fn due_at(&self, origin: &Origin, now: Timestamp) -> Timestamp {
        let interval = Duration::from_millis(self.list[origin.pool].health.interval_ms);
        if origin.due_at > now.plus(interval) { now } else { origin.due_at }
    }

    /// Takes in what came of a check, and says what it changes.
    pub fn done(&mut self, number: u32, outcome: &Outcome<'_>, now: Timestamp) -> Option<Change> {
        let check = self.under_way.iter().position(|check| check.number == number)?;
        let origin = &mut self.origins[self.under_way.remove(check).origin?];
        let Checked { pool, health, origins } = &self.list[origin.pool];
        let is_sick = origin.sick_since.is_some();
        if is_well(health, outcome) != is_sick {
            self.state_changed |= origin.against != 0;
            origin.against = 0;
            return None;
        }
        self.state_changed = true;
        origin.against = origin.against.saturating_add(1);
        if origin.against < if is_sick { health.healthy_after } else { health.unhealthy_after } {
            return None;
        }
        let (against, url) = (std::mem::take(&mut origin.against), &origins[origin.place]);
        origin.sick_since = (!is_sick).then_some(now);
        let line = match (is_sick, outcome.status) {
            (true, _) => format!("pool `{pool}`: {url} is well again: {against} checks in a row say so"),
            (false, Some(status)) => {
                format!(
                    "pool `{pool}`: {url} is sick: {against} checks in a row failed, the last one with status {status}"
                )
            }
            (false, None) => {
                format!("pool `{pool}`: {url} is sick: {against} checks in a row failed, the last one: {}", outcome.why)
            }
        };
        Some(Change { pool: pool.clone(), url: url.clone(), is_sick: !is_sick, line })
    }

    /// What is to be said next, if anything. [`Checker::said`] says whether it was.
    pub fn next_word(&mut self, now: Timestamp) -> Option<Word> {
        if self.saying.is_some() || self.is_paused(now) || self.is_put_off(now) {
            return None;
        }
        let origin = self.origins.iter().find(|origin| say_at(origin, now).is_some_and(|at| at <= now))?;
        let Checked { pool, origins, .. } = &self.list[origin.pool];
        let word = Word {
            pool: pool.clone(),
            url: origins[origin.place].clone(),
            since: origin.sick_since.unwrap_or(now),
            sick_until: origin.sick_since.map(|_| now.plus(SICK_FOR)),
        };
        self.saying = Some(word.clone());
        Some(word)
    }

    /// Takes in whether the log has the word.
    pub fn said(&mut self, is_said: bool, now: Timestamp) {
        let Some(word) = self.saying.take() else { return };
        if !is_said {
            self.say_again_at = now.plus(PAUSE.saturating_mul(1 << self.unsaid.min(10)).min(LONGEST_PAUSE));
            self.unsaid += 1;
            return;
        }
        self.unsaid = 0;
        for origin in &mut self.origins {
            let Checked { pool, origins, .. } = &self.list[origin.pool];
            if origins[origin.place] == word.url && *pool == word.pool {
                origin.said_until = word.sick_until.unwrap_or_default();
                self.state_changed = true;
            }
        }
    }

    /// While the log cannot be told. A moment too far in the future is one of a clock that stepped back.
    fn is_put_off(&self, now: Timestamp) -> bool {
        self.unsaid > 0 && self.say_again_at > now && self.say_again_at.since(now) <= LONGEST_PAUSE
    }

    /// When something is to be done without being asked; `None`: never, until somebody asks.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_paused(now) {
            return None;
        }
        // Whatever ends before then calls by itself: this is for where the memory of it is lost. Not before its next turn: else
        // another moment would have to be stored at its end.
        let lost = self.under_way.iter().map(|check| {
            let next = check.origin.map(|place| self.due_at(&self.origins[place], now));
            check.over_at.max(next.unwrap_or_default())
        });
        let is_free = self.under_way.len() < AT_ONCE;
        let waiting = self.origins.iter().enumerate().filter(|(place, _)| is_free && !self.is_under_way(*place));
        let due = waiting.map(|(_, origin)| self.due_at(origin, now));
        let words = self.origins.iter().filter_map(|origin| say_at(origin, now));
        let words = words.map(|at| match &self.saying {
            Some(_) => now.plus(GRACE),
            None if self.is_put_off(now) => at.max(self.say_again_at),
            None => at,
        });
        lost.chain(due).chain(words).min()
    }

    /// What is to be stored since the last time this was asked.
    pub fn take_rows(&mut self) -> Rows {
        let list = std::mem::take(&mut self.list_changed).then(|| self.text.clone());
        let state = std::mem::take(&mut self.state_changed).then(|| {
            self.stored_asked_at = self.asked_at;
            self.state()
        });
        Rows { list, state }
    }

    fn state(&self) -> String {
        let mut text = format!("{}\n", self.asked_at.as_millis());
        for Origin { due_at, against, sick_since, said_until, .. } in &self.origins {
            let since = sick_since.map_or(0, Timestamp::as_millis);
            let _ = writeln!(text, "{} {against} {since} {}", due_at.as_millis(), said_until.as_millis());
        }
        text
    }
}

fn read_state(origin: &mut Origin, line: &str) {
    let mut numbers = line.split(' ').map(|number| number.parse::<u64>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    origin.due_at = Timestamp::from_millis(next());
    origin.against = u8::try_from(next()).unwrap_or_default();
    origin.sick_since = Some(next()).filter(|since| *since > 0).map(Timestamp::from_millis);
    origin.said_until = Timestamp::from_millis(next());
}

fn origins_of(list: &[Checked], now: Timestamp) -> Vec<Origin> {
    let each =
        list.iter().enumerate().flat_map(|(pool, checked)| (0..checked.origins.len()).map(move |place| (pool, place)));
    each.take(CHECKED).map(|(pool, place)| Origin::new(pool, place, now)).collect()
}

/// When the log is to be told of an origin, if it is.
fn say_at(origin: &Origin, now: Timestamp) -> Option<Timestamp> {
    match origin.sick_since {
        Some(_) => Some(origin.said_until.minus(SAID_AGAIN).max(now)),
        None => (origin.said_until > now).then_some(now),
    }
}

/// Whether an answer is one of an origin that is well.
fn is_well(health: &Health, outcome: &Outcome<'_>) -> bool {
    let (low, high) = health.status;
    let Some(status) = outcome.status else { return false };
    let begin = &outcome.body[..outcome.body.len().min(BODY_BYTES)];
    let holds = |text: &String| text.is_empty() || begin.windows(text.len()).any(|part| part == text.as_bytes());
    (low..=high).contains(&status) && health.body.as_ref().is_none_or(holds)
}

#[cfg(test)]
mod tests;

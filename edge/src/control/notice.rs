//! What is said of origins: records that end by themselves, one for each speaker and origin, bounded.
//!
//! Two speak: the object that checks origins says which are sick, an operator which are drained. A sick one that nobody checks
//! any more is well again by itself.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

/// How many there are at most. Past it the one that ends first is let go of.
pub const NOTICES: usize = 1000;

/// How long an origin is drained that nobody undrains.
pub const DRAINED_FOR: Duration = Duration::from_hours(365 * 24);

/// What is said of an origin. Of several by the same speaker the last one counts.
///
/// It is written as one text, `STATE UNTIL SINCE POOL URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The pool's name: the same URL may stand in several.
    pub pool: String,
    /// The origin's, as the settings have it.
    pub url: String,
    /// How it is.
    pub state: State,
    /// By the clock of whoever says it.
    pub since: Timestamp,
    /// By the same clock; of those that end something, in the past.
    pub until: Timestamp,
}

/// How an origin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// By its checks: it fails.
    Sick,
    /// By its checks: it does not fail any more.
    Well,
    /// By an operator: it is to get no requests.
    Drained,
    /// By an operator: it is to get them again.
    Undrained,
}

/// What follows for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginStanding {
    /// Nothing is said against it.
    Well,
    /// It fails its checks.
    Sick,
    /// It is to get no requests, whether it is well or not.
    Drained,
}

impl OriginStanding {
    /// For people and programs.
    pub fn word(self) -> &'static str {
        match self {
            OriginStanding::Well => "well",
            OriginStanding::Sick => "sick",
            OriginStanding::Drained => "drained",
        }
    }
}

impl State {
    const ALL: [State; 4] = [State::Sick, State::Well, State::Drained, State::Undrained];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            State::Sick => "sick",
            State::Well => "well",
            State::Drained => "drained",
            State::Undrained => "undrained",
        }
    }

    /// Who says so.
    pub fn by(self) -> &'static str {
        if self.is_of_checks() { "checks" } else { "operator" }
    }

    fn is_of_checks(self) -> bool {
        matches!(self, State::Sick | State::Well)
    }
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Notice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Notice, D::Error> {
        let text = String::deserialize(deserializer)?;
        Notice::read(&text).ok_or_else(|| de::Error::custom("no notice of an origin"))
    }
}

impl Notice {
    /// As it is written. Neither names of pools nor URLs have a blank.
    pub fn text(&self) -> String {
        let (state, until, since) = (self.state.word(), self.until.as_millis(), self.since.as_millis());
        format!("{state} {until} {since} {} {}", self.pool, self.url)
    }

    /// From its text.
    pub fn read(text: &str) -> Option<Notice> {
        let mut words = text.split(' ');
        let state = words.next()?;
        let state = State::ALL.into_iter().find(|known| known.word() == state)?;
        let until = Timestamp::from_millis(words.next()?.parse().ok()?);
        let since = Timestamp::from_millis(words.next()?.parse().ok()?);
        let (pool, url) = (words.next()?.to_owned(), words.next()?.to_owned());
        words.next().is_none().then_some(Notice { pool, url, state, since, until })
    }

    /// How much text it holds.
    pub fn length(&self) -> usize {
        self.pool.len() + self.url.len() + 40
    }

    /// Whether both are by the same speaker, of the same origin.
    pub fn is_of(&self, other: &Notice) -> bool {
        self.state.is_of_checks() == other.state.is_of_checks() && self.is_about(&other.pool, &other.url)
    }

    pub(super) fn is_about(&self, pool: &str, url: &str) -> bool {
        self.url == url && self.pool == pool
    }

    /// What follows from it alone.
    pub(super) fn standing(&self, now: Timestamp) -> OriginStanding {
        match self.state {
            State::Drained if self.until > now => OriginStanding::Drained,
            State::Sick if self.until > now => OriginStanding::Sick,
            _ => OriginStanding::Well,
        }
    }
}

/// Those that an isolate knows. There are few: they are looked through.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    list: Vec<Notice>,
    changes: u64,
}

impl Notices {
    /// Takes one in, later than all that are known.
    pub fn insert(&mut self, notice: &Notice) {
        if self.list.contains(notice) {
            return;
        }
        self.changes += 1;
        self.list.retain(|known| !known.is_of(notice));
        self.list.push(notice.clone());
        if self.list.len() > NOTICES {
            let first = (0..self.list.len()).min_by_key(|place| self.list[*place].until);
            self.list.remove(first.unwrap_or_default());
        }
    }

    /// Takes these for all there are, in order.
    pub fn replace<'n>(&mut self, all: impl Iterator<Item = &'n Notice> + Clone) {
        if self.list.iter().eq(all.clone()) {
            return;
        }
        self.changes += 1;
        self.list.clear();
        all.for_each(|notice| self.insert(notice));
    }

    /// How an origin stands. What an operator says comes before what its checks say.
    pub fn standing(&self, pool: &str, url: &str, now: Timestamp) -> OriginStanding {
        let mut standing = OriginStanding::Well;
        for notice in self.list.iter().filter(|notice| notice.until > now && notice.is_about(pool, url)) {
            match notice.standing(now) {
                OriginStanding::Drained => return OriginStanding::Drained,
                OriginStanding::Well => {}
                OriginStanding::Sick => standing = OriginStanding::Sick,
            }
        }
        standing
    }

    /// The notice by which an origin stands as it does; of one that is well, the last one, if there is any.
    pub fn of(&self, pool: &str, url: &str, now: Timestamp) -> Option<&Notice> {
        let standing = self.standing(pool, url, now);
        let about = self.list.iter().filter(|notice| notice.is_about(pool, url) && notice.standing(now) == standing);
        about.max_by_key(|notice| notice.since)
    }

    /// Another number than before, where any origin may stand otherwise than before.
    pub fn changed(&self, now: Timestamp) -> u64 {
        let ended = self.list.iter().filter(|notice| notice.until <= now).count();
        self.changes << 16 | ended as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn notice(state: State, url: &str, until: u64) -> Notice {
        Notice { pool: "api".to_owned(), url: url.to_owned(), state, since: at(7), until: at(until) }
    }

    #[test]
    fn a_notice_is_read_as_it_is_written() {
        for state in State::ALL {
            let notice = notice(state, "https://api.example:8443/v1", 1_800_000_000_000);
            assert_eq!(Notice::read(&notice.text()), Some(notice));
        }
        assert_eq!(notice(State::Sick, "http://a", 5).text(), "sick 5 7 api http://a");
    }

    #[test]
    fn what_is_no_notice_is_not_read() {
        for text in
            ["", "sick", "sick 5 7 api", "ill 5 7 api http://a", "sick soon 7 api http://a", "sick 5 7 api http://a b"]
        {
            assert_eq!(Notice::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_word_of_each_speaker_counts_and_an_operators_comes_first() {
        use OriginStanding::{Drained, Sick, Well};
        let mut notices = Notices::default();
        let steps = [
            (notice(State::Sick, "http://a", 100), Sick),
            (notice(State::Drained, "http://a", 900), Drained),
            (notice(State::Well, "http://a", 0), Drained),
            (notice(State::Sick, "http://a", 100), Drained),
            (notice(State::Undrained, "http://a", 0), Sick),
            (notice(State::Well, "http://a", 0), Well),
        ];
        for (notice, expected) in steps {
            notices.insert(&notice);
            assert_eq!(notices.standing("api", "http://a", at(50)), expected, "{notice:?}");
            assert_eq!(notices.standing("api", "http://b", at(50)), Well, "another origin");
            assert_eq!(notices.standing("other", "http://a", at(50)), Well, "of another pool");
        }
    }

    #[test]
    fn a_sick_origin_is_well_again_by_itself() {
        let mut notices = Notices::default();
        notices.insert(&notice(State::Sick, "http://a", 100));
        assert_eq!(notices.standing("api", "http://a", at(99)), OriginStanding::Sick);
        let before = notices.changed(at(99));
        assert_eq!(before, notices.changed(at(98)));
        assert_eq!(notices.standing("api", "http://a", at(100)), OriginStanding::Well);
        assert_ne!(before, notices.changed(at(100)), "and that is a change");
    }

    #[test]
    fn it_is_known_since_when_and_by_whom() {
        let mut notices = Notices::default();
        assert_eq!(notices.of("api", "http://a", at(0)), None);
        let sick = notice(State::Sick, "http://a", 100);
        let drained = Notice { since: at(20), ..notice(State::Drained, "http://a", 200) };
        notices.insert(&sick);
        notices.insert(&drained);
        assert_eq!(notices.of("api", "http://a", at(50)), Some(&drained));
        notices.insert(&Notice { since: at(60), ..notice(State::Undrained, "http://a", 0) });
        assert_eq!(notices.of("api", "http://a", at(70)), Some(&sick));
        notices.insert(&Notice { since: at(80), ..notice(State::Well, "http://a", 0) });
        assert_eq!(notices.of("api", "http://a", at(90)).map(|notice| notice.state), Some(State::Well));
        assert_eq!((State::Well.by(), State::Undrained.by()), ("checks", "operator"));
    }

    #[test]
    fn what_was_known_before_is_no_change() {
        let mut notices = Notices::default();
        let (a, b) = (notice(State::Sick, "http://a", 100), notice(State::Sick, "http://b", 100));
        notices.insert(&a);
        notices.insert(&b);
        let before = notices.changed(at(0));
        notices.insert(&a);
        notices.replace([&a, &b].into_iter());
        assert_eq!(notices.changed(at(0)), before);
        notices.replace([&b].into_iter());
        assert_ne!(notices.changed(at(0)), before);
        assert_eq!(notices.standing("api", "http://a", at(0)), OriginStanding::Well, "it is no more");
        assert_eq!(notices.standing("api", "http://b", at(0)), OriginStanding::Sick);
    }

    #[test]
    fn notices_are_bounded_and_the_one_that_ends_first_goes_first() {
        let mut notices = Notices::default();
        for number in 0..=NOTICES {
            notices.insert(&notice(State::Drained, &format!("http://{number}"), 5000 - number as u64));
        }
        assert_eq!(notices.list.len(), NOTICES);
        assert_eq!(notices.standing("api", &format!("http://{NOTICES}"), at(0)), OriginStanding::Well);
        assert_eq!(notices.standing("api", "http://0", at(0)), OriginStanding::Drained);
    }
}

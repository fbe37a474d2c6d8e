//! Records of the log. What a later version adds, an earlier one leaves alone.

use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ban::Ban;
use super::notice::Notice;
use crate::json::Raw;
use crate::time::Timestamp;

/// How long a purge is kept by itself. Afterwards [`Highest`] alone remembers it: what was fetched before it counts as
/// purged by it, whatever it named.
pub const RECORD_LIFE: Duration = Duration::from_hours(30 * 24);

/// A place in a log; a later one of the same log is greater. Never smaller than the time (in milliseconds) at which it was
/// given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// Before every record: known of a response that was fetched while nothing was known of the log.
    pub const NONE: Sequence = Sequence(0);

    /// From its number.
    pub const fn new(number: u64) -> Sequence {
        Sequence(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// When it was given, by the clock of the log; later where several were given at once.
    pub const fn given_at(self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    /// The next place, given at `now`.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Sequence {
        Sequence(now.as_millis().max(self.0.saturating_add(1)))
    }
}

/// Which log a place is in: one that was lost and begun anew is another. Of two the greater is mostly the later; where clocks
/// differ it may be the other way round, but they are never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

/// So many bits of chance tell logs apart that were begun at the same place.
const CHANCE_BITS: u32 = 20;

impl Incarnation {
    /// A log that was begun before logs were told apart; or none, where nothing is known of any.
    pub const UNTOLD: Incarnation = Incarnation(0);

    /// Of a log that begins at that place.
    pub const fn begun(birth: Sequence, chance: u64) -> Incarnation {
        Incarnation(birth.0 << CHANCE_BITS | chance & ((1 << CHANCE_BITS) - 1))
    }

    /// From its number.
    pub const fn new(number: u64) -> Incarnation {
        Incarnation(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(super) fn is_untold(&self) -> bool {
        *self == Incarnation::UNTOLD
    }
}

/// How much of which log was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The log.
    pub log: Incarnation,
    /// The last place of it that was known.
    pub sequence: Sequence,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its place.
    pub sequence: Sequence,
    /// By the clock of the log.
    pub made_at: Timestamp,
    /// Of a purge, [`RECORD_LIFE`] later; of a ban or a notice, when it ends, or the one before it would have ended.
    pub expires_at: Timestamp,
    /// Of the request that made it: repeated, it makes no other. Not told to isolates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it says.
    pub kind: Kind,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Stored responses are no longer valid.
    Purge(Purge),
    /// Somebody is refused, or no longer.
    Ban(Ban),
    /// An origin is to be left alone, or no longer.
    Origin(Notice),
    /// Something that a later version knows: without meaning here, but in its place.
    #[serde(untagged, serialize_with = "object")]
    Later(Vec<(String, Raw)>),
}

impl<'de> Deserialize<'de> for Kind {
    /// An object of one member, which says by its name what it is. Of a later version it may have others.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Kind;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
                let mut later = Vec::new();
                let (mut purge, mut ends) = (None, None);
                while let Some(name) = members.next_key::<String>()? {
                    if name == "purge" {
                        purge = Some(members.next_value()?);
                        continue;
                    }
                    let value: Raw = members.next_value()?;
                    let read = || match (name.as_str(), value.value()?.as_str()?) {
                        ("ban", text) => Ban::read(text).map(Kind::Ban),
                        ("origin", text) => Notice::read(text).map(Kind::Origin),
                        _ => None,
                    };
                    ends = ends.or_else(read);
                    later.push((name, value));
                }
                Ok(purge.map_or(ends.unwrap_or(Kind::Later(later)), Kind::Purge))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Members as an object.
fn object<S: Serializer>(members: &[(String, Raw)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
}

impl Kind {
    /// When it ends by itself, where it is not for a purge's time. In the past: it ends what was said before.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Kind::Ban(ban) => Some(ban.until),
            Kind::Origin(notice) => Some(notice.until),
            Kind::Purge(_) | Kind::Later(_) => None,
        }
    }
}

/// Stored responses that are no longer valid: those that one of the selectors names and that were fetched before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Which.
    pub of: Vec<Selector>,
    /// What becomes of them.
    #[serde(default, skip_serializing_if = "Strength::is_hard")]
    pub strength: Strength,
}

/// Names stored responses. URLs are in the one spelling of [`super::request`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Every variant of this URL.
    Url(String),
    /// Everything at this URL (without query) and below: the prefix ends where a segment of the path does.
    Prefix(String),
    /// Everything with this tag.
    Tag(String),
    /// Everything of this group (RFC 9875): groups of the same name at other origins are others.
    Group {
        /// `https://shop.example.com`.
        origin: String,
        /// Its name.
        name: String,
    },
    /// Everything.
    All,
}

/// What becomes of purged responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// They are never used again, not even their validators: the next fetch is unconditional.
    #[default]
    Hard,
    /// They are stale from now on: revalidated, or served within a grace period.
    Soft,
}

impl Strength {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_hard(&self) -> bool {
        *self == Strength::Hard
    }
}

impl Selector {
    /// How much text it holds.
    pub fn length(&self) -> usize {
        match self {
            Selector::Url(text) | Selector::Prefix(text) | Selector::Tag(text) => text.len(),
            Selector::Group { origin, name } => origin.len() + name.len(),
            Selector::All => 0,
        }
    }
}

impl Record {
    /// How many selectors it holds, and how much text: what the bounds of the log count.
    pub fn weight(&self) -> Weight {
        match &self.kind {
            Kind::Purge(purge) => {
                Weight { selectors: purge.of.len(), text_bytes: purge.of.iter().map(Selector::length).sum() }
            }
            Kind::Ban(ban) => Weight { selectors: 1, text_bytes: ban.length() },
            Kind::Origin(notice) => Weight { selectors: 1, text_bytes: notice.length() },
            Kind::Later(members) => Weight { selectors: members.len(), text_bytes: 0 },
        }
    }
}

/// What the bounds of the log count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Selectors.
    pub selectors: usize,
    /// Bytes of their texts.
    pub text_bytes: usize,
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, more: Weight) {
        self.selectors += more.selectors;
        self.text_bytes += more.text_bytes;
    }
}

impl std::ops::SubAssign for Weight {
    fn sub_assign(&mut self, less: Weight) {
        self.selectors -= less.selectors;
        self.text_bytes -= less.text_bytes;
    }
}

impl Weight {
    /// Whether it is past a limit.
    pub fn exceeds(self, limit: Weight) -> bool {
        self.selectors > limit.selectors || self.text_bytes > limit.text_bytes
    }
}

/// The latest purge of each strength that something was named by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Highest {
    /// [`Sequence::NONE`]: never.
    pub hard: Sequence,
    /// [`Sequence::NONE`]: never.
    pub soft: Sequence,
}

impl Highest {
    /// Of one purge.
    pub fn of(strength: Strength, sequence: Sequence) -> Highest {
        match strength {
            Strength::Hard => Highest { hard: sequence, soft: Sequence::NONE },
            Strength::Soft => Highest { hard: Sequence::NONE, soft: sequence },
        }
    }

    /// The later of both, for each strength.
    pub fn raise(&mut self, other: Highest) {
        self.hard = self.hard.max(other.hard);
        self.soft = self.soft.max(other.soft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn record(kind: Kind) -> Record {
        let made_at = Timestamp::from_millis(1000);
        Record { sequence: Sequence::new(7), made_at, expires_at: made_at.plus(RECORD_LIFE), key: None, kind }
    }

    #[test]
    fn a_record_is_a_short_object() {
        let purge = Purge { of: vec![Selector::Tag("a".into()), Selector::All], strength: Strength::Soft };
        let text = r#"{"sequence":7,"made_at":1000,"expires_at":2592001000,"kind":{"purge":{"of":[{"tag":"a"},"all"],"strength":"soft"}}}"#;
        let record = record(Kind::Purge(purge));
        assert_eq!(json::write(&record).unwrap(), text);
        assert_eq!(json::read::<Record>(text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn what_a_later_version_writes_keeps_its_place_and_its_words() {
        // Bans in another form than ours are of a later version too.
        for kind in [
            r#"{"drain":{"origin":"a"}}"#,
            r#"{"ban":{"address":"192.0.2.1"}}"#,
            r#"{"ban":"0 0 rule"}"#,
            r#"{"origin":{"url":"http://a"}}"#,
            r#"{"origin":"slow 5 7 api http://a"}"#,
        ] {
            let text = format!(r#"{{"sequence":7,"made_at":1000,"expires_at":2592001000,"kind":{kind}}}"#);
            let record: Record = json::read(text.as_bytes()).unwrap();
            assert!(matches!(&record.kind, Kind::Later(members) if members.len() == 1), "{record:?}");
            assert_eq!(json::write(&record).unwrap(), text);
        }
    }

    #[test]
    fn a_ban_is_one_text() {
        let ban = Ban {
            limit: "login".into(),
            partition: format!("{:032x}", 31),
            until: Timestamp::from_millis(5000),
            by_rule: true,
        };
        let kind = r#"{"ban":"0000000000000000000000000000001f 5000 rule login"}"#;
        let text = format!(r#"{{"sequence":7,"made_at":1000,"expires_at":2592001000,"kind":{kind}}}"#);
        let record = record(Kind::Ban(ban));
        assert_eq!(json::write(&record).unwrap(), text);
        assert_eq!(json::read::<Record>(text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn a_notice_of_an_origin_is_one_text() {
        let text = "sick 601000 1000 api http://a";
        let notice = Notice::read(text).unwrap();
        let text = format!(r#"{{"sequence":7,"made_at":1000,"expires_at":2592001000,"kind":{{"origin":"{text}"}}}}"#);
        let record = record(Kind::Origin(notice));
        assert_eq!(json::write(&record).unwrap(), text);
        assert_eq!(json::read::<Record>(text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn logs_are_told_apart_by_where_they_begin_and_by_chance() {
        let begun = |birth, chance| Incarnation::begun(Sequence::new(birth), chance);
        assert!(begun(5000, u64::MAX) < begun(5001, 0), "the place counts first");
        assert_ne!(begun(5000, 1), begun(5000, 2));
        assert!(Incarnation::UNTOLD < begun(1, 0));
    }

    #[test]
    fn places_follow_the_clock_and_never_fall_back() {
        let at = Timestamp::from_millis;
        assert_eq!(Sequence::NONE.next(at(5000)), Sequence::new(5000));
        assert_eq!(Sequence::new(5000).next(at(5000)), Sequence::new(5001));
        assert_eq!(Sequence::new(5000).next(at(10)), Sequence::new(5001));
    }
}

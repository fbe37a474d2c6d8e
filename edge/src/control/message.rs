//! What isolates and the object that owns the log say to each other: JSON, as the shim hands it through.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notice::Notice;
use super::record::{Highest, Incarnation, Kind, Mark, Record, Sequence};
use super::zone::{Refused, ZoneCall};
use crate::time::Timestamp;

/// What the log is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// What happened since.
    Since(Sequence),
    /// Add a record. The same key a second time adds nothing.
    Append(Append),
    /// Add a notice that drains an origin, unless none of its pool would be left.
    Drain(Drain),
    /// Which calls to the outside failed for good.
    Failed,
    /// Try them again.
    Replay,
}

/// A record to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// What it says.
    pub kind: Kind,
    /// Of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the outside is to be told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ZoneCall>,
}

/// An origin to be drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Which, and until when.
    pub notice: Notice,
    /// The URLs of all origins of its pool.
    pub pool: Vec<String>,
}

/// What the log answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Command::Since`].
    News(News),
    /// To [`Command::Append`] and [`Command::Drain`].
    Appended(Appended),
    /// To [`Command::Append`]: the key stands for another record already.
    KeyTaken,
    /// To [`Command::Append`]: more than the log can take at once.
    TooMuch,
    /// To [`Command::Drain`]: it is the last one of its pool that is not drained.
    LastOrigin,
    /// To [`Command::Failed`].
    Failed(FailedWork),
    /// To [`Command::Replay`]: how many calls are tried again.
    Replayed(usize),
}

/// The newest records, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which log says so.
    #[serde(default, skip_serializing_if = "Incarnation::is_untold")]
    pub log: Incarnation,
    /// The last place that was given.
    pub head: Sequence,
    /// The records are all that come after this place; [`Sequence::NONE`]: all there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub after: Sequence,
    /// What is not known one by one any more.
    pub forgotten: Highest,
    /// In order.
    pub records: Vec<Record>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(sequence: &Sequence) -> bool {
    *sequence == Sequence::NONE
}

/// A record that was added, now or the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The log that it is in.
    #[serde(default, skip_serializing_if = "Incarnation::is_untold")]
    pub log: Incarnation,
    /// Its place.
    pub sequence: Sequence,
    /// By the clock of the log.
    pub made_at: Timestamp,
    /// How long until nobody's lease is older than it.
    pub settles_in: Duration,
    /// Whether it was there already, under the same key.
    pub again: bool,
}

impl Appended {
    /// Whoever knows so much knows the record.
    pub fn mark(&self) -> Mark {
        Mark { log: self.log, sequence: self.sequence }
    }
}

/// Calls to the outside that did not succeed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedWork {
    /// Given up, oldest first.
    pub failed: Vec<Refused>,
    /// Still to be made, or to be made again.
    pub waiting: usize,
}

impl News {
    /// The newest of these, not more than `limit`: short enough to be handed to everyone.
    #[must_use]
    pub fn newest(&self, limit: super::record::Weight) -> News {
        let mut weight = super::record::Weight::default();
        let fits = |record: &&Record| {
            weight += record.weight();
            !weight.exceeds(limit)
        };
        let count = self.records.iter().rev().take_while(fits).count();
        let (rest, newest) = self.records.split_at(self.records.len() - count);
        News {
            log: self.log,
            head: self.head,
            after: rest.last().map_or(self.after, |record| record.sequence),
            forgotten: self.forgotten,
            records: newest.to_vec(),
        }
    }
}

//! The log itself, as the one object that owns it keeps it in memory: what is added, what is told, what falls out.
//!
//! The object stores rows and runs alarms; what stands in a row, and when the next alarm is due, is decided here. Memory
//! is a copy of the rows: [`Ledger::open`] makes the same ledger of them at any time.

mod ending;
mod work;

use std::collections::HashMap;
use std::time::Duration;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use self::work::Work;
use super::message::{Append, Appended, Command, FailedWork, News, Reply};
use super::record::{Highest, Incarnation, Kind, RECORD_LIFE, Record, Sequence, Strength, Weight};
use super::view::LEASE;
use crate::json;
use crate::time::Timestamp;

/// What the log holds at most, one by one: each isolate that needs the log holds as much. Past it the oldest records are
/// forgotten, and what was fetched before them counts as purged.
pub const LIVE: Weight = Weight { selectors: 10_000, text_bytes: 1024 * 1024 };

/// What is left when the oldest had to be forgotten, so that it does not happen at every record.
const LIVE_AFTERWARDS: Weight = Weight { selectors: LIVE.selectors / 8 * 7, text_bytes: LIVE.text_bytes / 8 * 7 };

/// What one record holds at most.
pub const RECORD: Weight = Weight { selectors: 500, text_bytes: 128 * 1024 };

/// The newest records, handed to every isolate of a data centre in one answer.
pub const NEWEST: Weight = Weight { selectors: 256, text_bytes: 32 * 1024 };

/// Between two copies of the log into the key-value store.
pub const COPY_EVERY: Duration = Duration::from_secs(30);

/// The log.
#[derive(Debug, Default)]
pub struct Ledger {
    beginning: Beginning,
    head: Option<Head>,
    records: LiteMap<Sequence, Record>,
    keys: HashMap<String, Sequence>,
    weight: Weight,
    work: LiteMap<u64, Work>,
    /// The call that is being made. Forgotten with the memory: it is made again.
    under_way: Option<u64>,
    changes: Vec<Change>,
    /// What was let go of before its end.
    warning: Option<&'static str>,
}

/// What a log begins with of which no rows are left.
#[derive(Debug, Default)]
pub struct Beginning {
    /// So that it is another one than all before.
    pub chance: u64,
    /// What the key-value store has of the one before, if there was one and that can be read.
    pub copy: Option<News>,
}

/// What stands beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Absent where the log was begun before logs were told apart: it is the one that it was.
    #[serde(default)]
    log: Incarnation,
    /// The last place that was given.
    last: Sequence,
    forgotten: Highest,
    /// What of the log the key-value store has, and since when.
    copied: Sequence,
    copied_at: Timestamp,
    /// Until then the zone API takes no calls.
    #[serde(default)]
    zone_paused_until: Timestamp,
    #[serde(default)]
    last_work: u64,
}

/// The kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// One row.
    Head,
    /// A row for each record.
    Record,
    /// A row for each call to the outside.
    Work,
}

/// A row, as it is stored.
pub type Row = (Table, u64, String);

/// What is to be stored. All changes of one step together, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// This row, in place of the one that is there.
    Put(Table, u64, String),
    /// No row.
    Drop(Table, u64),
}

impl Change {
    fn row(&self) -> (Table, u64) {
        match self {
            Change::Put(table, id, _) | Change::Drop(table, id) => (*table, *id),
        }
    }
}

impl Ledger {
    /// The log that these rows are; without any, one that begins. What cannot be read of them is said, and left where it is.
    pub fn open(rows: Vec<Row>, beginning: Beginning) -> (Ledger, Vec<String>) {
        let mut ledger = Ledger { beginning, ..Ledger::default() };
        let mut unread = Vec::new();
        for (table, id, text) in rows {
            let taken = match table {
                Table::Head => json::read(text.as_bytes()).map(|head| ledger.head = Some(head)),
                Table::Record => json::read(text.as_bytes()).map(|record| ledger.hold(record)),
                Table::Work => json::read(text.as_bytes()).map(|work| drop(ledger.work.insert(id, work))),
            };
            if let Err(error) = taken {
                unread.push(format!("the control log has a row that cannot be read: {table:?} {id}: {error}"));
            }
        }
        (ledger, unread)
    }

    /// Answers a command.
    pub fn answer(&mut self, command: Command, now: Timestamp) -> Reply {
        match command {
            Command::Since(known) => Reply::News(self.news(known, now)),
            Command::Append(append) => self.append(append, now),
            Command::Drain(drain) => self.drain(drain, now),
            Command::Failed => Reply::Failed(self.failed()),
            Command::Replay => Reply::Replayed(self.replay(now)),
        }
    }

    /// What is to be stored since the last time this was asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// When something is to be done without being asked.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let copy = self.head.filter(|head| head.copied < head.last).map(|head| head.copied_at.plus(COPY_EVERY));
        [copy, self.call_due_at()].into_iter().flatten().min()
    }

    /// The whole log, where the key-value store is to get a copy of it.
    pub fn copy_due(&self, now: Timestamp) -> Option<News> {
        let head = self.head.filter(|head| head.copied < head.last && head.copied_at.plus(COPY_EVERY) <= now)?;
        Some(self.news_after(Sequence::NONE, &head))
    }

    /// Notes that the key-value store has a copy up to `copied`, or (`None`) could not take one.
    pub fn copied(&mut self, copied: Option<Sequence>, now: Timestamp) {
        self.change_head(now, |head| {
            head.copied = copied.unwrap_or(head.copied);
            head.copied_at = now;
        });
    }

    /// What happened since `known`. An isolate that knows the newest records' beginning gets just those, whatever else
    /// it knows: the answer serves its neighbours too.
    fn news(&mut self, known: Sequence, now: Timestamp) -> News {
        let head = self.begun(now);
        let mut weight = Weight::default();
        let older = self.records.values().rev().find(|record| {
            weight += record.weight();
            weight.exceeds(NEWEST)
        });
        let before_newest = older.map_or(Sequence::NONE, |record| record.sequence);
        self.news_after(if before_newest <= known { before_newest } else { Sequence::NONE }, &head)
    }

    fn news_after(&self, after: Sequence, head: &Head) -> News {
        let told = |record: &Record| Record { key: None, ..record.clone() };
        let records = self.records.values().filter(|record| record.sequence > after).map(told).collect();
        News { log: head.log, head: head.last, after, forgotten: head.forgotten, records }
    }

    fn append(&mut self, append: Append, now: Timestamp) -> Reply {
        let Append { kind, key, calls } = append;
        let head = self.begun(now);
        if let Some(known) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return match self.records.get(known) {
                Some(record) if record.kind == kind => Reply::Appended(appended(head.log, record, true, now)),
                _ => Reply::KeyTaken,
            };
        }
        let sequence = head.last.next(now);
        let mut record = Record { sequence, made_at: now, expires_at: now.plus(RECORD_LIFE), key, kind };
        if record.weight().exceeds(RECORD) {
            return Reply::TooMuch;
        }
        let reply = appended(head.log, &record, false, now);
        if let Some(until) = record.kind.ends_at() {
            match self.make_room(&record.kind, until, now) {
                Ok(expires_at) => record.expires_at = expires_at,
                Err(sequence) => return Reply::Appended(Appended { sequence, again: true, ..reply }),
            }
        }
        self.put(Table::Record, sequence.number(), &record);
        self.hold(record);
        let forgotten = self.forget(now);
        for call in calls {
            self.enqueue(call, now);
        }
        self.change_head(now, |head| {
            head.last = sequence;
            head.forgotten.raise(forgotten);
        });
        Reply::Appended(reply)
    }

    /// Lets go of what has expired, and of the oldest where there is too much.
    fn forget(&mut self, now: Timestamp) -> Highest {
        let limit = if self.weight.exceeds(LIVE) { LIVE_AFTERWARDS } else { LIVE };
        let mut forgotten = Highest::default();
        let mut gone = Vec::new();
        for record in self.records.values() {
            // Bans and notices end otherwise, and cover nothing then. What a later version wrote is left alone: here nobody knows
            // what its end would mean.
            let Kind::Purge(purge) = &record.kind else { continue };
            if record.expires_at > now && !self.weight.exceeds(limit) {
                break;
            }
            self.weight -= record.weight();
            if let Some(key) = &record.key {
                self.keys.remove(key);
            }
            forgotten.raise(Highest::of(purge.strength, record.sequence));
            gone.push(record.sequence);
        }
        if !gone.is_empty() {
            self.records.retain(|sequence, _| gone.binary_search(sequence).is_err());
        }
        for sequence in gone {
            self.change(Change::Drop(Table::Record, sequence.number()));
        }
        forgotten
    }

    fn hold(&mut self, record: Record) {
        // Bans and notices have bounds of their own: they drive no purge out.
        if record.kind.ends_at().is_none() {
            self.weight += record.weight();
        }
        if let Some(key) = &record.key {
            self.keys.insert(key.clone(), record.sequence);
        }
        self.records.insert(record.sequence, record);
    }

    /// What stands beside the records. A log that begins covers everything that was fetched before: records of a log that
    /// was lost may have named it. What ends by itself, and would be gone with that one, it takes over from its copy.
    fn begun(&mut self, now: Timestamp) -> Head {
        if let Some(head) = self.head {
            return head;
        }
        let Beginning { chance, copy } = std::mem::take(&mut self.beginning);
        let is_copied = copy.is_some();
        let copy = copy.unwrap_or_default();
        // Records without a head are those of a log whose row was lost: its places are not given again.
        let last = self.records.last().map_or(Sequence::NONE, |(sequence, _)| *sequence);
        let birth = last.max(copy.head).next(now);
        self.take_over(copy, now);
        let head = Head {
            log: Incarnation::begun(birth, chance),
            last: birth,
            forgotten: Highest::of(Strength::Hard, birth),
            // The copy of another log is to be replaced.
            copied: if is_copied { Sequence::NONE } else { birth },
            copied_at: Timestamp::default(),
            zone_paused_until: Timestamp::default(),
            last_work: self.work.last().map_or(0, |(id, _)| *id),
        };
        self.head = Some(head);
        self.put(Table::Head, 0, &head);
        head
    }

    /// Takes over from the copy of the log before what a purge of everything does not stand for.
    fn take_over(&mut self, copy: News, now: Timestamp) {
        for record in copy.records {
            let is_over = record.kind.ends_at().is_some() && record.expires_at <= now;
            let is_covered = matches!(record.kind, Kind::Purge(_));
            if is_over || is_covered || self.records.contains_key(&record.sequence) {
                continue;
            }
            self.put(Table::Record, record.sequence.number(), &record);
            self.hold(record);
        }
    }

    fn change_head(&mut self, now: Timestamp, change: impl FnOnce(&mut Head)) {
        let mut head = self.begun(now);
        change(&mut head);
        self.head = Some(head);
        self.put(Table::Head, 0, &head);
    }

    fn put(&mut self, table: Table, id: u64, row: &impl Serialize) {
        let text = json::write(row).expect("texts, numbers and lists are JSON");
        self.change(Change::Put(table, id, text));
    }

    /// Of several changes of a row the last one counts.
    fn change(&mut self, change: Change) {
        self.changes.retain(|earlier| earlier.row() != change.row());
        self.changes.push(change);
    }
}

fn appended(log: Incarnation, record: &Record, again: bool, now: Timestamp) -> Appended {
    let settles_in = LEASE.saturating_sub(now.since(record.made_at));
    Appended { log, sequence: record.sequence, made_at: record.made_at, settles_in, again }
}

#[cfg(test)]
mod tests;

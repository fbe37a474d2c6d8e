//! One object that counts, as its shell drives it: texts in and out.

use super::partition::Key;
use super::shard::{self, NoCommand, Row, Shard, read_charges, read_settled, write_settled};
use super::turns::{Entry, Turn, Turns};

/// Counters and queues.
#[derive(Debug, Default)]
pub struct Object {
    shard: Shard,
    turns: Turns,
}

/// What becomes of charges: as [`super::limiter::Reply`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request passes.
    pub admits: bool,
    /// Of each charge, a line.
    pub settled: String,
    /// How many rows are to be written down for it.
    pub rows: usize,
}

impl Object {
    /// See [`Shard::open`].
    pub fn open<'r>(rows: impl Iterator<Item = (&'r str, &'r str)>) -> (Object, usize) {
        let mut turns = Turns::default();
        let (shard, unread) = Shard::open(rows.filter(|(key, text)| !turns.read(key, text)));
        (Object { shard, turns }, unread)
    }

    /// See [`Shard::take`].
    pub fn take(&mut self, charges: &str, now_ms: u64) -> Result<Verdict, NoCommand> {
        let charges = read_charges(charges)?;
        let settled = self.shard.take(&charges, now_ms);
        let admits = !shard::refuses(&charges, &settled);
        Ok(Verdict { admits, settled: write_settled(&settled), rows: self.pending() })
    }

    /// See [`Shard::undo`].
    pub fn undo(&mut self, charges: &str, settled: &str, taken_ms: u64, now_ms: u64) -> Result<(), NoCommand> {
        let taken: Vec<_> = read_charges(charges)?.into_iter().zip(read_settled(settled)?).collect();
        self.shard.undo(&taken, taken_ms, now_ms);
        Ok(())
    }

    /// How many rows wait to be written down.
    pub fn pending(&self) -> usize {
        self.shard.pending() + self.turns.pending()
    }

    /// See [`Turns::enter`].
    pub fn enter(&mut self, entry: &str, now_ms: u64) -> Result<Turn, NoCommand> {
        let entry = read_entry(entry).ok_or(NoCommand)?;
        Ok(self.turns.enter(&entry, now_ms))
    }

    /// See [`Turns::renew`].
    pub fn renew(&mut self, whose: &str, now_ms: u64) -> Result<(), NoCommand> {
        let (key, ticket, is_sure) = read_holder(whose).ok_or(NoCommand)?;
        self.turns.renew(key, ticket, is_sure, now_ms);
        Ok(())
    }

    /// See [`Turns::leave`].
    pub fn leave(&mut self, whose: &str, now_ms: u64) -> Result<(), NoCommand> {
        let (key, ticket, is_sure) = read_holder(whose).ok_or(NoCommand)?;
        self.turns.leave(key, ticket, is_sure, now_ms);
        Ok(())
    }

    /// The tickets whose turn it is now, of the queue that an entry or a ticket names (see [`Turns::called`]).
    pub fn called(&mut self, whose: &str, now_ms: u64) -> Result<Vec<u64>, NoCommand> {
        let (key, _) = read_ticket(&mut whose.split(' ')).ok_or(NoCommand)?;
        Ok(self.turns.called(key, now_ms))
    }

    /// See [`Turns::due_at`].
    pub fn due_at(&self, whose: &str) -> Option<u64> {
        let (key, _) = read_ticket(&mut whose.split(' '))?;
        self.turns.due_at(key)
    }

    /// See [`Turns::state`].
    pub fn state(&self, whose: &str) -> (usize, usize) {
        read_ticket(&mut whose.split(' ')).map_or((0, 0), |(key, _)| self.turns.state(key))
    }

    /// What each counter has used.
    pub fn used(&self, now_ms: u64) -> Vec<u64> {
        self.shard.used(now_ms)
    }

    /// See [`Turns::rest`].
    pub fn rest(&mut self, now_ms: u64) {
        self.turns.rest(now_ms);
    }

    /// See [`Shard::take_rows`].
    pub fn take_rows(&mut self) -> Vec<Row> {
        let mut rows = self.shard.take_rows();
        rows.append(&mut self.turns.take_rows());
        rows
    }
}

/// The text that names a request in a queue.
pub fn write_ticket(key: Key, ticket: u64) -> String {
    format!("{key} {ticket:x}")
}

/// The word behind a ticket of a request that was told that it has a permit.
const SURE: &str = "sure";

/// The text that names a request that speaks of its permit: one that was told of it is sure.
pub fn write_holder(key: Key, ticket: u64, is_sure: bool) -> String {
    let ticket = write_ticket(key, ticket);
    if is_sure { format!("{ticket} {SURE}") } else { ticket }
}

fn read_holder(text: &str) -> Option<(Key, u64, bool)> {
    let mut words = text.split(' ');
    let (key, ticket) = read_ticket(&mut words)?;
    Some((key, ticket, words.next() == Some(SURE)))
}

/// The text of an entry: a ticket, and what it needs.
pub fn write_entry(entry: &Entry) -> String {
    let Entry { key, ticket, permits, queue, wait_ms } = entry;
    format!("{} {permits} {queue} {wait_ms}", write_ticket(*key, *ticket))
}

fn read_ticket<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<(Key, u64)> {
    let key = Key::read(words.next()?)?;
    Some((key, u64::from_str_radix(words.next()?, 16).ok()?))
}

fn read_entry(text: &str) -> Option<Entry> {
    let mut words = text.split(' ');
    let (key, ticket) = read_ticket(&mut words)?;
    let permits = words.next()?.parse().ok()?;
    let queue = words.next()?.parse().ok()?;
    let wait_ms = words.next()?.parse().ok()?;
    Some(Entry { key, ticket, permits, queue, wait_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_are_written() {
        let key = Key { policy: 1, partition: 2 };
        let entry = Entry { key, ticket: u64::MAX, permits: 3, queue: 4, wait_ms: 5 };
        assert_eq!(read_entry(&write_entry(&entry)), Some(entry));
        let mut object = Object::default();
        assert_eq!(object.enter(&write_entry(&entry), 0), Ok(Turn::Now));
        assert_eq!(object.state(&write_ticket(key, 1)), (2, 0));
        assert_eq!(object.leave(&write_holder(key, u64::MAX, true), 0), Ok(()));
        assert_eq!(read_holder(&write_holder(key, 7, true)), Some((key, 7, true)));
        assert_eq!(read_holder(&write_holder(key, 7, false)), Some((key, 7, false)));
        assert_eq!(object.state(&write_ticket(key, 1)), (3, 0));
        for text in ["", "x", "x 1 2 3", &write_ticket(key, 1)] {
            assert_eq!(object.enter(text, 0), Err(NoCommand), "{text}");
            assert_eq!(object.take(&format!("{text}\n"), 0), Err(NoCommand), "{text}");
        }
    }
}

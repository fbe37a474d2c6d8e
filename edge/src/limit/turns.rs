//! Requests under way at once: who has a permit, who waits for one, in the order that they came.
//!
//! Whoever has a permit says so again every [`RENEW_MS`]; without that it comes back after [`EXPIRE_MS`]. So the permits of an
//! isolate that died come back, and an object that forgot its memory learns again who has one. So that it gives nobody a permit
//! that somebody has of whom it has not heard yet, it writes down how many may be in use: as many are taken to be, until their
//! holders spoke or must have spoken.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use rustc_hash::FxBuildHasher;

use super::partition::Key;
use super::shard::Row;

/// How often a permit is said to be in use.
pub const RENEW_MS: u64 = 4000;
/// When a permit of which nobody speaks any more comes back.
pub const EXPIRE_MS: u64 = 10_000;

/// How soon that is tried again where nobody heard it, and how long it may take.
pub const RENEW_AGAIN_MS: u64 = 1000;

/// How often a request says that it is over, until somebody hears it.
pub const LEAVE_TRIES: u8 = 3;

/// Queues of one object.
const QUEUES: usize = 20_000;

/// How often queues that nobody is in are let go of.
const SWEEP_MS: u64 = 1000;

/// What is written down says how many permits may be in use for so long.
const WRITTEN_MS: u64 = 60_000;

/// A part of the permits is written down ahead.
const BLOCK_PART: usize = 20;

/// Clocks of the machines on which an object runs, one after another, differ by no more than this.
const STEP_MS: u64 = 200;

/// What the key of a row begins with.
const ROW: char = 't';

/// Permits and queues of one object.
#[derive(Debug, Default)]
pub struct Turns {
    queues: HashMap<Key, Queue, FxBuildHasher>,
    is_awake: bool,
    swept_at: u64,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Queue {
    permits: usize,
    held: Vec<Held>,
    waiting: VecDeque<Waiting>,
    /// Permits that may be in use since before restarts, whose holders have not spoken yet: how many, and until when they must
    /// have. Those of the first restart come first.
    unheard: Vec<(usize, u64)>,
    written: Written,
}

/// What is written down beside the unheard: how many permits may be held, until when that holds.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    most: usize,
    until: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    ticket: u64,
    expires_at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    ticket: u64,
    until: u64,
}

/// What is asked of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub key: Key,
    /// The request: 64 bits of chance.
    pub ticket: u64,
    /// At once.
    pub permits: u32,
    /// How many may wait.
    pub queue: u32,
    /// For how long.
    pub wait_ms: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has a permit.
    Now,
    /// It waits.
    Later,
    /// Too many wait.
    Never,
}

impl Turns {
    /// Reads a row that was written down; whether it is one of these.
    pub fn read(&mut self, key: &str, text: &str) -> bool {
        let read = || {
            let key = Key::read(key.strip_prefix(ROW)?)?;
            let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
            let numbers = numbers.ok().filter(|numbers| numbers.len() >= 2 && numbers.len() % 2 == 0)?;
            let pairs = numbers.chunks_exact(2).map(|pair| Some((usize::try_from(pair[0]).ok()?, pair[1])));
            Some((key, pairs.collect::<Option<Vec<_>>>()?))
        };
        let Some((key, mut pairs)) = read() else { return false };
        let (most, until) = pairs.remove(0);
        let written = Written { most, until };
        self.queues.insert(key, Queue { unheard: pairs, written, ..Queue::new(0) });
        true
    }

    /// Those who held a permit before have spoken when a permit of which nobody speaks would come back.
    fn wake(&mut self, now_ms: u64) {
        if self.is_awake {
            return;
        }
        self.is_awake = true;
        self.queues.retain(|_, queue| queue.written.until > now_ms);
        for queue in self.queues.values_mut() {
            queue.unheard.push((queue.written.most, now_ms + EXPIRE_MS));
            queue.unheard.retain(|(count, until)| *count > 0 && *until > now_ms);
            if let [(first, _), (second, _), _, _, ..] = &mut queue.unheard[..] {
                *second += *first;
                queue.unheard.remove(0);
            }
            // Whoever gets a permit in this life is written down in this life.
            queue.written = Written::default();
        }
    }

    /// Whether there is room for one more queue. Nobody in a queue is let go of for it.
    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.queues.len() >= QUEUES && now_ms.abs_diff(self.swept_at) >= SWEEP_MS {
            self.swept_at = now_ms;
            self.queues.retain(|_, queue| {
                queue.expire(now_ms);
                !queue.is_empty()
            });
        }
        self.queues.len() < QUEUES
    }

    /// A request wants a permit. Who gets one meanwhile, because another's ran out, is among [`Turns::called`].
    pub fn enter(&mut self, entry: &Entry, now_ms: u64) -> Turn {
        self.wake(now_ms);
        if !self.queues.contains_key(&entry.key) && !self.has_room(now_ms) {
            return Turn::Never;
        }
        let permits = entry.permits as usize;
        let queue = self.queues.entry(entry.key).or_insert_with(|| Queue::new(permits));
        queue.permits = permits;
        queue.expire(now_ms);
        let turn = if queue.waiting.is_empty() && queue.in_use() < permits {
            queue.hold(entry.ticket, now_ms);
            Turn::Now
        } else if queue.waiting.len() < entry.queue as usize {
            queue.waiting.push_back(Waiting { ticket: entry.ticket, until: now_ms.saturating_add(entry.wait_ms) });
            Turn::Later
        } else {
            Turn::Never
        };
        self.rows.extend(queue.write_down(entry.key, now_ms));
        turn
    }

    /// A permit is still in use. One that is not known was forgotten: it counts again, whatever the number. Whoever waits has none.
    /// `is_sure`: the request was told that it has one.
    pub fn renew(&mut self, key: Key, ticket: u64, is_sure: bool, now_ms: u64) {
        self.wake(now_ms);
        let queue = self.queues.entry(key).or_insert_with(|| Queue::new(0));
        queue.expire(now_ms);
        if queue.waiting.iter().any(|waiting| waiting.ticket == ticket) {
            return;
        }
        if let Some(held) = queue.held.iter_mut().find(|held| held.ticket == ticket) {
            held.expires_at = now_ms + EXPIRE_MS;
        } else {
            if is_sure {
                queue.hear();
            }
            queue.hold(ticket, now_ms);
        }
        self.rows.extend(queue.write_down(key, now_ms));
    }

    /// A request is done, or does not want to wait any longer. `is_sure`: it was told that it has a permit.
    pub fn leave(&mut self, key: Key, ticket: u64, is_sure: bool, now_ms: u64) {
        self.wake(now_ms);
        let Some(queue) = self.queues.get_mut(&key) else { return };
        let were = queue.held.len() + queue.waiting.len();
        queue.held.retain(|held| held.ticket != ticket);
        queue.waiting.retain(|waiting| waiting.ticket != ticket);
        if is_sure && queue.held.len() + queue.waiting.len() == were {
            queue.hear();
        }
    }

    /// Whose turn it is now; those whose time to wait is over are let go of.
    pub fn called(&mut self, key: Key, now_ms: u64) -> Vec<u64> {
        self.wake(now_ms);
        let Some(queue) = self.queues.get_mut(&key) else { return Vec::new() };
        queue.expire(now_ms);
        let mut called = Vec::new();
        while queue.in_use() < queue.permits
            && let Some(next) = queue.waiting.pop_front()
        {
            queue.hold(next.ticket, now_ms);
            called.push(next.ticket);
        }
        self.rows.extend(queue.write_down(key, now_ms));
        if queue.is_empty() && queue.written.until <= now_ms {
            self.queues.remove(&key);
        }
        called
    }

    /// Nothing has happened for a while. Where nobody is in a queue, that is written down: an object that sleeps meanwhile
    /// takes nobody for there when it wakes.
    pub fn rest(&mut self, now_ms: u64) {
        let rows = &mut self.rows;
        self.queues.retain(|key, queue| {
            queue.expire(now_ms);
            if queue.is_empty() && queue.written.until > now_ms {
                rows.push(Row { key: format!("{ROW}{key}"), text: "0 0".to_owned(), until: now_ms });
            }
            !queue.is_empty()
        });
    }

    /// What has to be written down before anybody is answered.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// How many rows wait to be written down.
    pub fn pending(&self) -> usize {
        self.rows.len()
    }

    /// How many permits are free, and how many wait.
    pub fn state(&self, key: Key) -> (usize, usize) {
        let state = |queue: &Queue| (queue.permits.saturating_sub(queue.in_use()), queue.waiting.len());
        self.queues.get(&key).map_or((0, 0), state)
    }

    /// When a permit comes back by itself, where somebody waits for one.
    pub fn due_at(&self, key: Key) -> Option<u64> {
        let queue = self.queues.get(&key).filter(|queue| !queue.waiting.is_empty())?;
        let unheard = queue.unheard.iter().filter(|(count, _)| *count > 0).map(|(_, until)| *until);
        queue.held.iter().map(|held| held.expires_at).chain(unheard).min()
    }
}

impl Queue {
    fn new(permits: usize) -> Queue {
        let (held, waiting, written) = (Vec::new(), VecDeque::new(), Written::default());
        Queue { permits, held, waiting, unheard: Vec::new(), written }
    }

    /// Permits, as far as is known.
    fn in_use(&self) -> usize {
        self.held.len() + self.unheard.iter().map(|(count, _)| count).sum::<usize>()
    }

    /// Somebody who got his permit before a restart has spoken. Before which one is not known: those of the first one are no more
    /// than so many, and will soon be none.
    fn hear(&mut self) {
        if let Some((count, _)) = self.unheard.iter_mut().find(|(count, _)| *count > 0) {
            *count -= 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.in_use() == 0 && self.waiting.is_empty()
    }

    /// The row that is to replace what is written down, where that says less than there is, or not for long enough.
    fn write_down(&mut self, key: Key, now_ms: u64) -> Option<Row> {
        let held = self.held.len();
        let until = now_ms + EXPIRE_MS + STEP_MS;
        if self.in_use() == 0 || held <= self.written.most && until <= self.written.until {
            return None;
        }
        let ahead = if held == 0 { 0 } else { held + (self.permits / BLOCK_PART).max(1) };
        self.written = Written { most: ahead.min(self.permits).max(held), until: now_ms + WRITTEN_MS };
        let Written { most, until } = self.written;
        let mut text = format!("{most} {until}");
        for (count, until) in &self.unheard {
            let _ = write!(text, " {count} {until}");
        }
        Some(Row { key: format!("{ROW}{key}"), text, until })
    }

    fn hold(&mut self, ticket: u64, now_ms: u64) {
        self.held.push(Held { ticket, expires_at: now_ms + EXPIRE_MS });
    }

    fn expire(&mut self, now_ms: u64) {
        self.held.retain(|held| held.expires_at > now_ms);
        self.waiting.retain(|waiting| waiting.until > now_ms);
        self.unheard.retain(|(_, until)| *until > now_ms);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key { policy: 1, partition: 2 };

    fn entry(ticket: u64, permits: u32, queue: u32) -> Entry {
        Entry { key: KEY, ticket, permits, queue, wait_ms: 1000 }
    }

    #[test]
    fn who_comes_first_is_called_first() {
        let mut turns = Turns::default();
        let came: Vec<Turn> = (0..5).map(|ticket| turns.enter(&entry(ticket, 2, 2), 0)).collect();
        assert_eq!(came, [Turn::Now, Turn::Now, Turn::Later, Turn::Later, Turn::Never]);
        turns.leave(KEY, 1, true, 0);
        assert_eq!(turns.called(KEY, 1), [2]);
        // Nobody overtakes who waits.
        turns.leave(KEY, 2, true, 0);
        assert_eq!(turns.enter(&entry(9, 2, 2), 2), Turn::Later);
        assert_eq!(turns.called(KEY, 2), [3]);
    }

    #[test]
    fn who_leaves_frees_its_place() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 1, 1), 0);
        assert_eq!(turns.enter(&entry(2, 1, 1), 0), Turn::Later);
        turns.leave(KEY, 2, true, 0);
        assert_eq!(turns.enter(&entry(3, 1, 1), 0), Turn::Later);
        turns.leave(KEY, 1, true, 0);
        assert_eq!(turns.called(KEY, 0), [3]);
        turns.leave(KEY, 3, true, 0);
        assert_eq!((turns.called(KEY, 0), turns.state(KEY)), (vec![], (1, 0)));
    }

    #[test]
    fn permits_nobody_speaks_of_come_back() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 2, 1), 0);
        turns.enter(&entry(2, 2, 1), 0);
        turns.renew(KEY, 2, true, RENEW_MS);
        let late = Entry { wait_ms: 60_000, ..entry(3, 2, 1) };
        assert_eq!(turns.enter(&late, EXPIRE_MS - 1), Turn::Later);
        assert_eq!(turns.due_at(KEY), Some(EXPIRE_MS));
        assert_eq!(turns.called(KEY, EXPIRE_MS), [3]);
        assert_eq!(turns.enter(&entry(4, 2, 0), EXPIRE_MS), Turn::Never);
    }

    #[test]
    fn who_waits_has_no_permit_to_renew() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 1, 1), 0);
        turns.enter(&entry(2, 1, 1), 0);
        turns.renew(KEY, 2, true, 1);
        turns.leave(KEY, 2, true, 0);
        turns.leave(KEY, 1, true, 0);
        assert_eq!((turns.called(KEY, 1), turns.state(KEY)), (vec![], (1, 0)));
    }

    #[test]
    fn what_was_forgotten_is_learned_again() {
        let mut turns = Turns::default();
        turns.renew(KEY, 1, true, 0);
        turns.renew(KEY, 2, true, 0);
        assert_eq!(turns.enter(&entry(3, 2, 0), 1), Turn::Never);
        turns.leave(KEY, 1, true, 0);
        assert_eq!(turns.enter(&entry(3, 2, 0), 1), Turn::Now);
    }

    fn restarted(rows: &[Row]) -> Turns {
        let mut turns = Turns::default();
        for row in rows {
            assert!(turns.read(&row.key, &row.text), "{row:?}");
        }
        turns
    }

    #[test]
    fn nobody_gets_a_permit_that_may_still_be_in_use_after_a_restart() {
        let mut turns = Turns::default();
        for ticket in [1, 2, 3] {
            assert_eq!(turns.enter(&entry(ticket, 3, 5), 0), Turn::Now);
        }
        let rows = turns.take_rows();
        assert_eq!(rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), ["2 60000", "3 60000"]);
        let late = |ticket| Entry { wait_ms: 30_000, ..entry(ticket, 3, 5) };
        let mut turns = restarted(&rows[1..]);
        assert_eq!(turns.enter(&late(4), 100), Turn::Later);
        // Who waited before and has gone frees nothing; who had one does, and who says that he has is one of the three.
        turns.leave(KEY, 9, false, 110);
        assert!(turns.called(KEY, 110).is_empty());
        turns.leave(KEY, 1, true, 120);
        assert_eq!(turns.called(KEY, 120), [4]);
        turns.renew(KEY, 2, true, 4000);
        assert_eq!((turns.enter(&late(5), 4001), turns.called(KEY, 4001)), (Turn::Later, vec![]));
        assert_eq!(turns.due_at(KEY), Some(10_100));
        turns.renew(KEY, 4, true, 4100);
        // The third one never speaks.
        assert!(turns.called(KEY, 10_099).is_empty());
        assert_eq!(turns.called(KEY, 10_100), [5]);
        // What was written down is over.
        let mut turns = restarted(&rows);
        assert_eq!(turns.enter(&entry(6, 3, 0), 60_000), Turn::Now);
        for (key, text) in [("t1", "3 60000"), (&rows[0].key, "3"), (&rows[0].key, "3 4 5"), (&rows[0].key, "3 x")] {
            assert!(!turns.read(key, text), "{key} {text}");
        }
    }

    #[test]
    fn whoever_comes_after_a_rest_finds_nobody_there() {
        let mut turns = Turns::default();
        for ticket in [1, 2] {
            turns.enter(&Entry { key: Key { policy: 1, partition: ticket.into() }, ..entry(ticket, 1, 0) }, 0);
        }
        turns.leave(Key { policy: 1, partition: 1 }, 1, true, 1000);
        turns.rest(6000);
        let mut rows = HashMap::new();
        rows.extend(turns.take_rows().into_iter().map(|row| (row.key.clone(), row)));
        let mut turns = restarted(&rows.into_values().collect::<Vec<_>>());
        let mut comes = |partition, at| turns.enter(&Entry { key: Key { policy: 1, partition }, ..entry(9, 1, 0) }, at);
        assert_eq!((comes(1, 7000), comes(2, 7000)), (Turn::Now, Turn::Never));
    }

    #[test]
    fn restart_after_restart_takes_nobody_for_there_who_did_not_speak_in_time() {
        let mut rows = HashMap::new();
        let mut turns = Turns::default();
        for ticket in 0..10 {
            turns.enter(&entry(ticket, 10, 0), 0);
        }
        // They all end without a word. Meanwhile one other at a time is there, and wants to be.
        let mut under_way = Vec::new();
        for round in 1..20 {
            let now = round * 4000;
            rows.extend(turns.take_rows().into_iter().map(|row| (row.key.clone(), row)));
            turns = restarted(&rows.values().cloned().collect::<Vec<_>>());
            let ticket = 100 + round;
            let is_in = turns.enter(&entry(ticket, 10, 0), now) == Turn::Now;
            under_way.push(is_in);
            if is_in {
                rows.extend(turns.take_rows().into_iter().map(|row| (row.key.clone(), row)));
                turns.leave(KEY, ticket, true, now + 500);
            }
        }
        // Those of before have ten seconds from the first restart at 4 s on, whatever comes after it.
        let first = under_way.iter().position(|is_in| *is_in).unwrap();
        assert_eq!(first, 3, "{under_way:?}");
        assert!(under_way[first..].iter().all(|is_in| *is_in), "{under_way:?}");
    }

    #[test]
    fn as_much_is_written_as_there_are_blocks() {
        let (mut turns, mut rows) = (Turns::default(), 0);
        for round in 0..50 {
            for ticket in 0..400 {
                turns.enter(&entry(ticket, 400, 0), round * 1000);
            }
            for ticket in 0..400 {
                turns.leave(KEY, ticket, true, round * 1000 + 900);
            }
            rows += turns.take_rows().len();
        }
        assert_eq!(rows, 20, "{rows}");
    }

    #[test]
    fn queues_that_nobody_is_in_make_room() {
        let mut turns = Turns::default();
        let of = |partition| Key { policy: 1, partition };
        for partition in 0..QUEUES as u128 {
            let stays = partition < 5;
            assert_eq!(turns.enter(&Entry { key: of(partition), ..entry(7, 1, 0) }, 0), Turn::Now);
            if !stays {
                turns.leave(of(partition), 7, true, 0);
            }
        }
        let late = Entry { key: of(u128::MAX), ..entry(7, 1, 0) };
        assert_eq!(turns.enter(&late, 0), Turn::Never);
        assert_eq!(turns.enter(&late, SWEEP_MS), Turn::Now);
        assert_eq!(turns.queues.len(), 6);
    }

    #[test]
    fn who_waited_too_long_is_not_called() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 1, 5), 0);
        turns.enter(&entry(2, 1, 5), 0);
        turns.enter(&entry(3, 1, 5), 600);
        turns.leave(KEY, 1, true, 0);
        assert_eq!(turns.called(KEY, 1000), [3]);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_permits(
            permits in 1..5_u32,
            queue in 0..6_u32,
            steps in prop::collection::vec((0..3_u8, 0..12_usize, 0..700_u64), 1..200),
        ) {
            let mut turns = Turns::default();
            let mut under_way = std::collections::BTreeSet::new();
            let (mut now, mut fresh) = (0, 100);
            for (step, which, pause) in steps {
                now += pause;
                // Whoever is under way says so.
                for ticket in &under_way {
                    turns.renew(KEY, *ticket, true, now);
                }
                match step {
                    0 | 1 => {
                        fresh += 1;
                        if turns.enter(&Entry { ticket: fresh, ..entry(fresh, permits, queue) }, now) == Turn::Now {
                            under_way.insert(fresh);
                        }
                    }
                    _ => {
                        let done = under_way.iter().nth(which).copied();
                        if let Some(done) = done {
                            under_way.remove(&done);
                            turns.leave(KEY, done, true, now);
                        }
                    }
                }
                for ticket in turns.called(KEY, now) {
                    prop_assert!(under_way.insert(ticket));
                }
                prop_assert!(under_way.len() <= permits as usize, "{under_way:?}");
                let (free, waiting) = turns.state(KEY);
                prop_assert!(waiting <= queue as usize && (free == 0 || waiting == 0));
            }
        }
    }
}

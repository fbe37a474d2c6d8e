//! Requests under way at once: who has a permit, who waits for one, in the order that they came.
//!
//! Whoever has a permit says so again every [`RENEW_MS`]; without that it comes back after [`EXPIRE_MS`]. So the permits of an
//! isolate that died come back, and an object that forgot its memory learns again who has one: only requests that began
//! within the last [`RENEW_MS`] before are not counted then.

use std::collections::{HashMap, VecDeque};

use rustc_hash::FxBuildHasher;

use super::partition::Key;

/// How often a permit is said to be in use.
pub const RENEW_MS: u64 = 4000;
/// When a permit of which nobody speaks any more comes back.
pub const EXPIRE_MS: u64 = 10_000;

/// Queues of one object.
const QUEUES: usize = 20_000;

/// Permits and queues of one object.
#[derive(Debug, Default)]
pub struct Turns {
    queues: HashMap<Key, Queue, FxBuildHasher>,
}

#[derive(Debug)]
struct Queue {
    permits: usize,
    held: Vec<Held>,
    waiting: VecDeque<Waiting>,
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
    /// A request wants a permit. Who gets one meanwhile, because another's ran out, is among [`Turns::called`].
    pub fn enter(&mut self, entry: &Entry, now_ms: u64) -> Turn {
        if self.queues.len() >= QUEUES && !self.queues.contains_key(&entry.key) {
            return Turn::Never;
        }
        let permits = entry.permits as usize;
        let queue = self.queues.entry(entry.key).or_insert_with(|| Queue::new(permits));
        queue.permits = permits;
        queue.expire(now_ms);
        if queue.waiting.is_empty() && queue.held.len() < permits {
            queue.hold(entry.ticket, now_ms);
            return Turn::Now;
        }
        if queue.waiting.len() >= entry.queue as usize {
            return Turn::Never;
        }
        queue.waiting.push_back(Waiting { ticket: entry.ticket, until: now_ms.saturating_add(entry.wait_ms) });
        Turn::Later
    }

    /// A permit is still in use. One that is not known was forgotten: it counts again, whatever the number. Whoever waits has none.
    pub fn renew(&mut self, key: Key, ticket: u64, now_ms: u64) {
        let queue = self.queues.entry(key).or_insert_with(|| Queue::new(0));
        if queue.waiting.iter().any(|waiting| waiting.ticket == ticket) {
            return;
        }
        match queue.held.iter_mut().find(|held| held.ticket == ticket) {
            Some(held) => held.expires_at = now_ms + EXPIRE_MS,
            None => queue.hold(ticket, now_ms),
        }
    }

    /// A request is done, or does not want to wait any longer.
    pub fn leave(&mut self, key: Key, ticket: u64) {
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.held.retain(|held| held.ticket != ticket);
            queue.waiting.retain(|waiting| waiting.ticket != ticket);
        }
    }

    /// Whose turn it is now; those whose time to wait is over are let go of.
    pub fn called(&mut self, key: Key, now_ms: u64) -> Vec<u64> {
        let Some(queue) = self.queues.get_mut(&key) else { return Vec::new() };
        queue.expire(now_ms);
        let mut called = Vec::new();
        while queue.held.len() < queue.permits
            && let Some(next) = queue.waiting.pop_front()
        {
            queue.hold(next.ticket, now_ms);
            called.push(next.ticket);
        }
        if queue.held.is_empty() && queue.waiting.is_empty() {
            self.queues.remove(&key);
        }
        called
    }

    /// How many permits are free, and how many wait.
    pub fn state(&self, key: Key) -> (usize, usize) {
        let state = |queue: &Queue| (queue.permits.saturating_sub(queue.held.len()), queue.waiting.len());
        self.queues.get(&key).map_or((0, 0), state)
    }

    /// When a permit comes back by itself, where somebody waits for one.
    pub fn due_at(&self, key: Key) -> Option<u64> {
        let queue = self.queues.get(&key).filter(|queue| !queue.waiting.is_empty())?;
        queue.held.iter().map(|held| held.expires_at).min()
    }
}

impl Queue {
    fn new(permits: usize) -> Queue {
        Queue { permits, held: Vec::new(), waiting: VecDeque::new() }
    }

    fn hold(&mut self, ticket: u64, now_ms: u64) {
        self.held.push(Held { ticket, expires_at: now_ms + EXPIRE_MS });
    }

    fn expire(&mut self, now_ms: u64) {
        self.held.retain(|held| held.expires_at > now_ms);
        self.waiting.retain(|waiting| waiting.until > now_ms);
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
        turns.leave(KEY, 1);
        assert_eq!(turns.called(KEY, 1), [2]);
        // Nobody overtakes who waits.
        turns.leave(KEY, 2);
        assert_eq!(turns.enter(&entry(9, 2, 2), 2), Turn::Later);
        assert_eq!(turns.called(KEY, 2), [3]);
    }

    #[test]
    fn who_leaves_frees_its_place() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 1, 1), 0);
        assert_eq!(turns.enter(&entry(2, 1, 1), 0), Turn::Later);
        turns.leave(KEY, 2);
        assert_eq!(turns.enter(&entry(3, 1, 1), 0), Turn::Later);
        turns.leave(KEY, 1);
        assert_eq!(turns.called(KEY, 0), [3]);
        turns.leave(KEY, 3);
        assert_eq!((turns.called(KEY, 0), turns.queues.len()), (vec![], 0));
    }

    #[test]
    fn permits_nobody_speaks_of_come_back() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 2, 1), 0);
        turns.enter(&entry(2, 2, 1), 0);
        turns.renew(KEY, 2, RENEW_MS);
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
        turns.renew(KEY, 2, 1);
        turns.leave(KEY, 2);
        turns.leave(KEY, 1);
        assert_eq!((turns.called(KEY, 1), turns.queues.len()), (vec![], 0));
    }

    #[test]
    fn what_was_forgotten_is_learned_again() {
        let mut turns = Turns::default();
        turns.renew(KEY, 1, 0);
        turns.renew(KEY, 2, 0);
        assert_eq!(turns.enter(&entry(3, 2, 0), 1), Turn::Never);
        turns.leave(KEY, 1);
        assert_eq!(turns.enter(&entry(3, 2, 0), 1), Turn::Now);
    }

    #[test]
    fn who_waited_too_long_is_not_called() {
        let mut turns = Turns::default();
        turns.enter(&entry(1, 1, 5), 0);
        turns.enter(&entry(2, 1, 5), 0);
        turns.enter(&entry(3, 1, 5), 600);
        turns.leave(KEY, 1);
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
                    turns.renew(KEY, *ticket, now);
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
                            turns.leave(KEY, done);
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

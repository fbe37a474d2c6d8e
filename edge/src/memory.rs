//! The isolate's memory: bounded in bytes, and robust against scans. It may forget anything at any time.
//!
//! The eviction is S3-FIFO's as `quick_cache` has it: what is asked for once passes through a small queue and drives nothing
//! out that is asked for again and again. (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.)
//! A crate, because its ghost entries and weights are easy to get subtly wrong, and it is well kept and has no more
//! dependencies than a hash table.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

/// What a key and its place cost beside the value.
const OVERHEAD_BYTES: u64 = 128;

/// A typical value, from which the number of places is estimated.
const TYPICAL_BYTES: u64 = 16 * 1024;

/// Values by key.
pub struct Memory<V> {
    cache: Cache<String, Weighed<V>, ByBytes, DefaultHashBuilder, Counting>,
    largest: u64,
    evictions: Rc<Cell<u64>>,
}

#[derive(Clone)]
struct Weighed<V> {
    value: V,
    bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl<V> Weighter<String, Weighed<V>> for ByBytes {
    fn weight(&self, key: &String, value: &Weighed<V>) -> u64 {
        value.bytes + key.len() as u64 + OVERHEAD_BYTES
    }
}

#[derive(Clone)]
struct Counting(Rc<Cell<u64>>);

impl<V> Lifecycle<String, Weighed<V>> for Counting {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: String, _: Weighed<V>) {
        self.0.set(self.0.get() + 1);
    }
}

impl<V: Clone> Memory<V> {
    /// An empty one of `total` bytes, for values of at most `largest` bytes each.
    pub fn new(total: u64, largest: u64) -> Memory<V> {
        let evictions = Rc::<Cell<u64>>::default();
        let places = usize::try_from(total / TYPICAL_BYTES).unwrap_or(usize::MAX).max(16);
        let options = OptionsBuilder::new().estimated_items_capacity(places).weight_capacity(total).build();
        let options = options.expect("both capacities are given");
        let counting = Counting(Rc::clone(&evictions));
        let cache = Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), counting);
        Memory { cache, largest, evictions }
    }

    /// The value of `key`, if it is at hand.
    pub fn get(&self, key: &str) -> Option<V> {
        self.cache.get(key).map(|weighed| weighed.value.clone())
    }

    /// Keeps a value of so many bytes, and forgets others where there is no room. One that is too large only drives out
    /// what was kept under its own key.
    pub fn insert(&mut self, key: &str, value: V, bytes: u64) {
        if bytes > self.largest {
            self.cache.remove(key);
        } else {
            self.cache.insert(key.to_owned(), Weighed { value, bytes });
        }
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &str) {
        self.cache.remove(key);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> u64 {
        self.cache.weight()
    }

    /// How many values had to make room so far.
    pub fn evictions(&self) -> u64 {
        self.evictions.get()
    }
}

impl<V> fmt::Debug for Memory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("largest", &self.largest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: u64 = 10_000;
    const ROOM: u64 = 100;

    fn key(number: u64) -> String {
        format!("{number:064x}")
    }

    fn memory() -> Memory<u64> {
        Memory::new(ROOM * (LARGEST + 64 + OVERHEAD_BYTES), LARGEST)
    }

    #[test]
    fn the_bytes_never_exceed_the_limit() {
        let mut memory = memory();
        for number in 0..20 * ROOM {
            memory.insert(&key(number * 7 % 950), number, LARGEST - number);
            assert!(memory.bytes() <= ROOM * (LARGEST + 64 + OVERHEAD_BYTES), "{} after {number}", memory.bytes());
        }
        assert!(memory.evictions() > 0);
    }

    #[test]
    fn a_scan_drives_nothing_out_that_is_asked_for_again_and_again() {
        let mut memory = memory();
        for number in 0..ROOM / 2 {
            memory.insert(&key(number), number, LARGEST);
        }
        for _ in 0..3 {
            assert_eq!((0..ROOM / 2).filter(|number| memory.get(&key(*number)).is_some()).count() as u64, ROOM / 2);
        }
        for number in 1000..1000 + 50 * ROOM {
            memory.insert(&key(number), number, LARGEST);
        }
        let kept = (0..ROOM / 2).filter(|number| memory.get(&key(*number)).is_some()).count() as u64;
        assert!(kept >= ROOM / 2 * 9 / 10, "{kept} of {} are left", ROOM / 2);
    }

    #[test]
    fn a_value_that_is_too_large_is_not_kept_and_neither_is_the_one_before_it() {
        let mut memory = memory();
        memory.insert("a", 1, 10);
        memory.insert("a", 2, LARGEST + 1);
        assert_eq!((memory.get("a"), memory.bytes()), (None, 0));
    }

    #[test]
    fn the_same_key_twice_is_counted_once() {
        let mut memory = memory();
        memory.insert("a", 1, 10);
        memory.insert("a", 2, 20);
        assert_eq!((memory.get("a"), memory.bytes()), (Some(2), 20 + 1 + OVERHEAD_BYTES));
    }
}

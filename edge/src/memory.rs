//! The isolate's memory: bounded in bytes, and robust against scans. It may forget anything at any time.
//!
//! The eviction is S3-FIFO's as `quick_cache` has it: what is asked for once passes through a small queue and drives nothing
//! out that is asked for again and again. (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.)
//! A crate, because its ghost entries and weights are easy to get subtly wrong, and it is well kept and has no more
//! dependencies than a hash table.

use std::cell::{Cell, RefCell};
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
    places: Places,
    values: Vec<Option<V>>,
}

/// Which key has which place among the values. It knows nothing of what they are: so there is one of it in the Worker,
/// whatever the number of memories.
struct Places {
    cache: Cache<String, Place, ByBytes, DefaultHashBuilder, Counting>,
    largest: u64,
    evictions: Rc<Cell<u64>>,
    /// Places that were let go of and whose values are still there.
    left: Rc<RefCell<Vec<usize>>>,
    /// Places without a value.
    vacant: Vec<usize>,
    /// How many places there are.
    count: usize,
}

/// A key's place: it is let go of with this value, for whatever reason.
#[derive(Clone)]
struct Place(Rc<Taken>);

struct Taken {
    number: usize,
    bytes: u64,
    left: Rc<RefCell<Vec<usize>>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.left.borrow_mut().push(self.number);
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Place> for ByBytes {
    fn weight(&self, key: &String, place: &Place) -> u64 {
        place.0.bytes + key.len() as u64 + OVERHEAD_BYTES
    }
}

#[derive(Clone)]
struct Counting(Rc<Cell<u64>>);

impl Lifecycle<String, Place> for Counting {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: String, _: Place) {
        self.0.set(self.0.get() + 1);
    }
}

impl Places {
    fn new(total: u64, largest: u64) -> Places {
        let evictions = Rc::<Cell<u64>>::default();
        let places = usize::try_from(total / TYPICAL_BYTES).unwrap_or(usize::MAX).max(16);
        let options = OptionsBuilder::new().estimated_items_capacity(places).weight_capacity(total).build();
        let options = options.expect("both capacities are given");
        let counting = Counting(Rc::clone(&evictions));
        let cache = Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), counting);
        Places { cache, largest, evictions, left: Rc::default(), vacant: Vec::new(), count: 0 }
    }

    fn of(&self, key: &str) -> Option<usize> {
        self.cache.get(key).map(|place| place.0.number)
    }

    /// A place for so many bytes; `None` where that is too much.
    fn take(&mut self, key: &str, bytes: u64) -> Option<usize> {
        if bytes > self.largest {
            self.cache.remove(key);
            return None;
        }
        let number = self.vacant.pop().unwrap_or(self.count);
        self.count = self.count.max(number + 1);
        let taken = Taken { number, bytes, left: Rc::clone(&self.left) };
        self.cache.insert(key.to_owned(), Place(Rc::new(taken)));
        Some(number)
    }
}

impl<V: Clone> Memory<V> {
    /// An empty one of `total` bytes, for values of at most `largest` bytes each.
    pub fn new(total: u64, largest: u64) -> Memory<V> {
        Memory { places: Places::new(total, largest), values: Vec::new() }
    }

    /// The value of `key`, if it is at hand.
    pub fn get(&self, key: &str) -> Option<V> {
        self.values[self.places.of(key)?].clone()
    }

    /// Keeps a value of so many bytes, and forgets others where there is no room. One that is too large only drives out
    /// what was kept under its own key.
    pub fn insert(&mut self, key: &str, value: V, bytes: u64) {
        if let Some(place) = self.places.take(key, bytes) {
            self.values.resize(self.places.count, None);
            self.values[place] = Some(value);
        }
        self.let_go();
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &str) {
        self.places.cache.remove(key);
        self.let_go();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.cache.clear();
        self.let_go();
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> u64 {
        self.places.cache.weight()
    }

    /// How many values had to make room so far.
    pub fn evictions(&self) -> u64 {
        self.places.evictions.get()
    }

    fn let_go(&mut self) {
        for place in self.places.left.take() {
            self.values[place] = None;
            self.places.vacant.push(place);
        }
    }
}

impl<V> fmt::Debug for Memory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("largest", &self.places.largest).finish_non_exhaustive()
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
    fn what_makes_room_is_gone_at_once_and_its_place_is_taken_again() {
        let mut memory = Memory::new(ROOM * (LARGEST + 64 + OVERHEAD_BYTES), LARGEST);
        let values: Vec<Rc<u64>> = (0..10 * ROOM).map(Rc::new).collect();
        let held = |values: &[Rc<u64>]| values.iter().filter(|value| Rc::strong_count(value) > 1).count() as u64;
        for value in &values {
            memory.insert(&key(**value), Rc::clone(value), LARGEST);
            assert_eq!(memory.get(&key(**value)).as_deref().unwrap_or(value), &**value);
        }
        assert!(held(&values) <= ROOM && memory.values.len() as u64 <= ROOM + 1, "{} held", held(&values));
        let found = values.iter().filter(|value| memory.get(&key(***value)).is_some()).count() as u64;
        assert_eq!(found, held(&values));
        for value in &values {
            assert!(memory.get(&key(**value)).is_none_or(|found| found == *value));
        }
        memory.insert("a", Rc::clone(&values[0]), 1);
        memory.insert("a", Rc::clone(&values[1]), 1);
        assert_eq!(memory.get("a"), Some(Rc::clone(&values[1])));
        memory.remove("a");
        assert_eq!(memory.get("a"), None);
        memory.clear();
        assert_eq!((held(&values), memory.bytes()), (0, 0));
    }

    #[test]
    fn the_same_key_twice_is_counted_once() {
        let mut memory = memory();
        memory.insert("a", 1, 10);
        memory.insert("a", 2, 20);
        assert_eq!((memory.get("a"), memory.bytes()), (Some(2), 20 + 1 + OVERHEAD_BYTES));
    }
}

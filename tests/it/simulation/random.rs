//! Numbers that look random and are the same for the same seed.

use std::cell::Cell;

/// `SplitMix64`.
pub(super) struct Random(Cell<u64>);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5269_6d77_6172_6421))
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; zero where that is zero.
    pub(super) fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&self, thousandths: u64) -> bool {
        self.below(1000) < thousandths
    }

    pub(super) fn pick<'list, T>(&self, list: &'list [T]) -> &'list T {
        let place = usize::try_from(self.below(list.len() as u64)).expect("an index");
        &list[place]
    }

    pub(super) fn choose<T: Copy>(&self, list: &[T]) -> T {
        *self.pick(list)
    }

    /// The place of one of these weights, by weight.
    pub(super) fn weighed(&self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        let mut place = 0;
        while left >= weights[place] {
            left -= weights[place];
            place += 1;
        }
        place
    }
}

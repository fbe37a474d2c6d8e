//! What goes wrong at the moment, and how slow everything is.

use std::cell::Cell;

use super::clockwork::Millis;
use super::random::Random;

/// Chances are in thousandths.
#[derive(Default)]
pub(super) struct Weather {
    /// No request reaches an origin.
    pub(super) origin_down: Cell<u64>,
    /// Origins answer 500, 502, 503 or 504.
    pub(super) origin_fails: Cell<u64>,
    /// Bodies of origins break off.
    pub(super) bodies_break: Cell<u64>,
    /// Origins answer something that was not asked.
    pub(super) origin_senseless: Cell<u64>,
    /// Longest way there, and back.
    pub(super) origin_slow: Cell<Millis>,
    /// Longest time for a body.
    pub(super) bodies_slow: Cell<Millis>,
    /// The same while nothing goes wrong, if that is long.
    pub(super) bodies_slow_when_clear: Cell<Millis>,
    pub(super) stores_fail: Cell<u64>,
    pub(super) stores_forget: Cell<u64>,
    pub(super) stored_bodies_break: Cell<u64>,
    pub(super) store_takes: Cell<Millis>,
    /// The data centre's cache keeps things for longer than it is told to.
    pub(super) stores_keep_too_long: Cell<bool>,
    /// One bit for each data centre that cannot reach the log.
    pub(super) log_cut_off: Cell<u64>,
    pub(super) log_fails: Cell<u64>,
    pub(super) log_slow: Cell<Millis>,
}

impl Weather {
    /// Everything works, and at once.
    pub(super) fn clear_up(&self) {
        let keeps_too_long = self.stores_keep_too_long.get();
        for (cell, calm) in [
            (&self.origin_down, 0),
            (&self.origin_fails, 0),
            (&self.bodies_break, 0),
            (&self.origin_senseless, 0),
            (&self.origin_slow, 10),
            (&self.bodies_slow, self.bodies_slow_when_clear.get().max(10)),
            (&self.stores_fail, 0),
            (&self.stores_forget, 0),
            (&self.stored_bodies_break, 0),
            (&self.store_takes, 3),
            (&self.log_cut_off, 0),
            (&self.log_fails, 0),
            (&self.log_slow, 10),
        ] {
            cell.set(calm);
        }
        self.stores_keep_too_long.set(keeps_too_long);
    }

    /// Something gets worse, or better.
    pub(super) fn change(&self, random: &Random, centres: u64) {
        match random.below(16) {
            0..5 => self.clear_up(),
            5 => self.origin_down.set(random.choose(&[0, 300, 1000])),
            6 => self.origin_fails.set(random.choose(&[0, 300, 1000])),
            7 => self.bodies_break.set(random.choose(&[0, 200, 700])),
            8 => self.origin_senseless.set(random.choose(&[0, 50])),
            9 => self.origin_slow.set(random.choose(&[10, 300, 1_500, 3_000])),
            10 => self.bodies_slow.set(random.choose(&[10, 1_000, 8_000, 45_000])),
            11 => self.stores_fail.set(random.choose(&[0, 100, 1000])),
            12 => self.stores_forget.set(random.choose(&[0, 100, 800])),
            13 => {
                self.stored_bodies_break.set(random.choose(&[0, 50]));
                self.store_takes.set(random.choose(&[0, 10, 300]));
            }
            14 => self.log_cut_off.set(random.below(1 << centres)),
            _ => {
                self.log_fails.set(random.choose(&[0, 200]));
                self.log_slow.set(random.choose(&[5, 100, 700, 4_000]));
            }
        }
    }

    pub(super) fn is_origin_down(&self, random: &Random) -> bool {
        random.chance(self.origin_down.get())
    }

    /// The way there, the way back, and the time until the body has ended.
    pub(super) fn origin_takes(&self, random: &Random) -> (Millis, Millis, Millis) {
        let slow = self.origin_slow.get();
        (random.below(slow + 1), random.below(slow + 1), random.below(self.bodies_slow.get() + 1))
    }

    pub(super) fn is_store_failing(&self, random: &Random) -> bool {
        random.chance(self.stores_fail.get())
    }

    pub(super) fn is_store_forgetful(&self, random: &Random) -> bool {
        random.chance(self.stores_forget.get())
    }

    pub(super) fn is_stored_body_breaking(&self, random: &Random) -> bool {
        random.chance(self.stored_bodies_break.get())
    }

    pub(super) fn is_log_cut_off(&self, centre: usize, random: &Random) -> bool {
        self.log_cut_off.get() >> centre & 1 == 1 || random.chance(self.log_fails.get())
    }

    pub(super) fn log_takes(&self, random: &Random) -> (Millis, Millis) {
        let slow = self.log_slow.get();
        (random.below(slow + 1), random.below(slow + 1))
    }
}

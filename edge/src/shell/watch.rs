//! Bodies of origins that are under way, and who is told how they end: by number, for the JavaScript half reads them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::platform::{End, Watch};

thread_local! {
    static WATCHES: RefCell<HashMap<u32, (f64, Watch)>> = RefCell::default();
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// A body of which nothing was heard for so many milliseconds ended with its event, without a word.
const LOST_AFTER: f64 = 3_600_000.0;

/// How many there are before the lost ones are looked for.
const MANY: usize = 1000;

/// A body that is asked for. If there is none, whoever watches it is let go of.
pub(super) struct Watching(u32);

impl Watching {
    pub(super) fn new(watch: Option<Watch>) -> Watching {
        let Some(watch) = watch else { return Watching(0) };
        let number = LAST.with(|last| {
            // 0 is nobody.
            last.set(last.get().wrapping_add(1).max(1));
            last.get()
        });
        let now = js_sys::Date::now();
        let lost = WATCHES.with_borrow_mut(|watches| {
            let lost: Vec<u32> = match watches.len() {
                ..MANY => Vec::new(),
                _ => watches
                    .iter()
                    .filter(|(_, (began, _))| now - began > LOST_AFTER)
                    .map(|(number, _)| *number)
                    .collect(),
            };
            let lost: Vec<_> = lost.iter().filter_map(|number| watches.remove(number)).collect();
            watches.insert(number, (now, watch));
            lost
        });
        // Nothing is borrowed while they are let go of: others may be told of that.
        drop(lost);
        Watching(number)
    }

    /// What the JavaScript half calls it; 0: nobody watches.
    pub(super) fn number(&self) -> u32 {
        self.0
    }

    /// There is a body: its end is told later.
    pub(super) fn goes_on(mut self) {
        self.0 = 0;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(take(self.0));
    }
}

/// Tells who watches.
pub(super) fn ended(number: u32, end: End) {
    if let Some(watch) = take(number) {
        watch(end);
    }
}

fn take(number: u32) -> Option<Watch> {
    WATCHES.with_borrow_mut(|watches| watches.remove(&number)).map(|(_, watch)| watch)
}

//! Who was refused how often, for limits that ban. Of one isolate: each counts what it refuses itself, so a client whose requests
//! are spread over several is banned later, never sooner. What is counted may be forgotten where very many are refused.

use super::partition::Key;
use crate::memory::Memory;

/// Of all partitions that are counted.
const COUNTED_BYTES: u64 = 256 * 1024;
/// What one is taken to need.
const ENTRY_BYTES: u64 = 16;

/// Bans that an isolate makes in a minute at most: a flood from many addresses must not fill the log.
pub const BANS_PER_MINUTE: u32 = 10;

const MINUTE_MS: u64 = 60_000;

/// Refusals that were counted.
pub struct Refusals {
    /// The window, and how many in it.
    counts: Memory<(u64, u64)>,
    /// The minute, and the bans in it.
    bans: (u64, u32),
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals { counts: Memory::new(COUNTED_BYTES, COUNTED_BYTES / 16), bans: (0, 0) }
    }
}

impl Refusals {
    /// Counts a refusal. Whether the partition is to be banned now; if so, its count begins anew.
    pub fn count(&mut self, key: Key, after: u64, window_ms: u64, now_ms: u64) -> bool {
        let (name, window) = (key.to_string(), now_ms / window_ms.max(1));
        let known = self.counts.get(&name).filter(|(known, _)| *known == window);
        let count = known.map_or(0, |(_, count)| count).saturating_add(1);
        let bans = count >= after && self.may_ban(now_ms);
        self.counts.insert(&name, (window, if bans { 0 } else { count }), ENTRY_BYTES);
        bans
    }

    fn may_ban(&mut self, now_ms: u64) -> bool {
        let minute = now_ms / MINUTE_MS;
        if self.bans.0 != minute {
            self.bans = (minute, 0);
        }
        let may = self.bans.1 < BANS_PER_MINUTE;
        self.bans.1 += u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: u128) -> Key {
        Key { policy: 1, partition }
    }

    #[test]
    fn so_many_refusals_in_one_window_are_enough() {
        let mut refusals = Refusals::default();
        let counts: Vec<bool> =
            [0, 10, 999, 1000, 1001, 1002, 1003, 1004].map(|now| refusals.count(key(1), 3, 1000, now)).to_vec();
        assert_eq!(counts, [false, false, true, false, false, true, false, false], "and then they are counted anew");
        assert!(!refusals.count(key(2), 3, 1000, 1005), "others are others");
        for now in [0, 1000, 2000, 3000] {
            assert!(!refusals.count(key(3), 2, 1000, now), "one in each window");
        }
    }

    #[test]
    fn bans_of_a_minute_are_bounded_and_who_was_not_banned_is_banned_later() {
        let mut refusals = Refusals::default();
        let banned = (0..100).filter(|number| refusals.count(key(*number), 1, 3_600_000, 5)).count();
        assert_eq!(banned, BANS_PER_MINUTE as usize);
        assert!(!refusals.count(key(99), 1, 3_600_000, 59_999));
        assert!(refusals.count(key(99), 1, 3_600_000, 60_000));
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let mut refusals = Refusals::default();
        for number in 0..20_000 {
            refusals.count(key(number), 1000, 60_000, 5);
        }
        let kept = (0..20_000).filter(|number| refusals.counts.get(&key(*number).to_string()).is_some()).count();
        assert!((100..3000).contains(&kept), "{kept}");
    }
}

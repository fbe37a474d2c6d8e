//! Who asks most, in bounded space: the Space-Saving sketch (Metwally, Agrawal, El Abbadi, 2005), and several of them made one
//! (Cafaro, Pulimeno, Tempesta, 2016).
//!
//! Its law, where `n` times somebody asked: nobody has asked more often than his count says, nor less often than that by more
//! than its error; no error is more than `n / PLACES`; whoever has no place has asked no more often than that.

use std::fmt;

/// How many are told apart at a time.
pub const PLACES: usize = 32;

/// Somebody who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Who: a digest.
    pub who: u128,
    /// How often, at most.
    pub count: u64,
    /// By how much that may be too many.
    pub error: u64,
}

/// Those who asked most.
#[derive(Debug, Clone, Default)]
pub struct Top {
    askers: Vec<Asker>,
}

impl Top {
    /// Somebody asks. Where no place is free, he takes that of whoever has asked least, and what that one may have asked is
    /// put down to him.
    pub fn add(&mut self, who: u128) {
        if let Some(known) = self.askers.iter_mut().find(|known| known.who == who) {
            known.count += 1;
            return;
        }
        let error = self.least();
        let newcomer = Asker { who, count: error + 1, error };
        if self.askers.len() < PLACES {
            self.askers.push(newcomer);
        } else if let Some(least) = self.askers.iter_mut().min_by_key(|known| known.count) {
            *least = newcomer;
        }
    }

    /// How often anybody without a place may have asked.
    fn least(&self) -> u64 {
        if self.askers.len() < PLACES {
            0
        } else {
            self.askers.iter().map(|known| known.count).min().unwrap_or_default()
        }
    }

    /// Adds what somebody else counted.
    pub fn merge(&mut self, other: &Top) {
        let of_others = other.least();
        let strangers = other.askers.iter().filter(|one| self.askers.iter().all(|known| known.who != one.who));
        let strangers: Vec<Asker> = strangers.map(|one| one.plus(self.least(), self.least())).collect();
        for known in &mut self.askers {
            let there = other.askers.iter().find(|one| one.who == known.who);
            let (count, error) = there.map_or((of_others, of_others), |there| (there.count, there.error));
            *known = known.plus(count, error);
        }
        self.askers.extend(strangers);
        self.askers.sort_unstable_by_key(|known| (std::cmp::Reverse(known.count), known.who));
        self.askers.truncate(PLACES);
    }

    /// Who asked most comes first.
    pub fn askers(mut self) -> Vec<Asker> {
        self.merge(&Top::default());
        self.askers
    }

    /// From its text. What cannot be read is left out.
    pub fn read(text: &str) -> Top {
        let asker = |text: &str| {
            let mut parts = text.split(':');
            let who = u128::from_str_radix(parts.next()?, 16).ok()?;
            Some(Asker { who, count: parts.next()?.parse().ok()?, error: parts.next()?.parse().ok()? })
        };
        Top { askers: text.split(' ').filter_map(asker).take(PLACES).collect() }
    }
}

impl Asker {
    fn plus(self, count: u64, error: u64) -> Asker {
        Asker { who: self.who, count: self.count.saturating_add(count), error: self.error.saturating_add(error) }
    }
}

/// As one line: `1f:120:0 a0:80:3`.
impl fmt::Display for Top {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Asker { who, count, error }) in self.askers.iter().enumerate() {
            let blank = if number == 0 { "" } else { " " };
            write!(out, "{blank}{who:x}:{count}:{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn check(top: &Top, asked: &HashMap<u128, u64>) -> Result<(), TestCaseError> {
        let all: u64 = asked.values().sum();
        let most = all / PLACES as u64;
        for Asker { who, count, error } in top.clone().askers() {
            let really = asked.get(&who).copied().unwrap_or_default();
            prop_assert!((count - error..=count).contains(&really), "{who}: {really} of {count} and {error}");
            prop_assert!(error <= most, "{who}: {error} of {all}");
        }
        for (who, really) in asked {
            let has_place = top.askers.iter().any(|asker| asker.who == *who);
            prop_assert!(has_place || *really <= most, "{who}: {really} of {all}");
        }
        prop_assert!(top.askers.len() <= PLACES);
        Ok(())
    }

    proptest! {
        #[test]
        fn counts_are_right_to_a_share_of_all(
            // Some come again and again, most do not.
            asked in prop::collection::vec((0..5_usize, prop_oneof![0..12_u128, 0..400_u128]), 0..3000),
            merges in prop::collection::vec((0..5_usize, 0..5_usize), 0..4),
        ) {
            let mut tops: [(Top, HashMap<u128, u64>); 5] = Default::default();
            let every = asked.len() / (merges.len() + 1) + 1;
            let mut merges = merges.into_iter();
            for chunk in asked.chunks(every) {
                for (place, who) in chunk {
                    let (top, counts) = &mut tops[*place];
                    top.add(*who);
                    *counts.entry(*who).or_default() += 1;
                }
                for (top, counts) in &tops {
                    check(top, counts)?;
                }
                if let Some((into, from)) = merges.next().filter(|(into, from)| into != from) {
                    let (top, counts) = std::mem::take(&mut tops[from]);
                    tops[into].0.merge(&Top::read(&top.to_string()));
                    for (who, count) in counts {
                        *tops[into].1.entry(who).or_default() += count;
                    }
                    check(&tops[into].0, &tops[into].1)?;
                }
            }
        }
    }

    #[test]
    fn who_asked_most_comes_first() {
        let mut top = Top::default();
        for who in [3, 1, 2, 1, 2, 1] {
            top.add(who);
        }
        let whose = |top: &Top| top.clone().askers().iter().map(|asker| (asker.who, asker.count)).collect::<Vec<_>>();
        assert_eq!(whose(&top), [(1, 3), (2, 2), (3, 1)]);
        let other = Top::read("2:9:1 x y:1 z:1:1 ff:4:0 5:1");
        assert_eq!(other.to_string(), "2:9:1 ff:4:0");
        top.merge(&other);
        assert_eq!(whose(&top), [(2, 11), (255, 4), (1, 3), (3, 1)]);
        top.merge(&Top::read(&format!("2:{}:0", u64::MAX)));
        assert_eq!(whose(&top)[0], (2, u64::MAX));
    }
}

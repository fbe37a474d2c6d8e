//! Who is banned: records that end by themselves, one for each partition of a limit, bounded.

use serde::{Serialize, Serializer};

use crate::time::Timestamp;

/// How many there are at most. Past it the one that ends first is let go of.
pub const BANS: usize = 1000;

/// Whom a limit refuses, whatever he has left, and until when. Of several of the same partition the last one counts.
///
/// It is written as one text, `PARTITION UNTIL BY LIMIT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The limit's name: a ban outlives a change of its numbers.
    pub limit: String,
    /// Whom it counts: a digest, of 32 hexadecimal digits.
    pub partition: String,
    /// By the clock of whoever bans. In the past: nobody is banned any more.
    pub until: Timestamp,
    /// The limit's own rule said so; else an operator.
    pub by_rule: bool,
}

impl Serialize for Ban {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Ban {
    /// As it is written.
    pub fn text(&self) -> String {
        format!("{} {} {} {}", self.partition, self.until.as_millis(), self.by(), self.limit)
    }

    /// From its text.
    pub fn read(text: &str) -> Option<Ban> {
        let mut words = text.splitn(4, ' ');
        let partition = words.next().filter(|text| is_digest(text))?.to_owned();
        let until = Timestamp::from_millis(words.next()?.parse().ok()?);
        let by_rule = match words.next()? {
            "rule" => true,
            "operator" => false,
            _ => return None,
        };
        Some(Ban { limit: words.next()?.to_owned(), partition, until, by_rule })
    }

    /// Who said so.
    pub fn by(&self) -> &'static str {
        if self.by_rule { "rule" } else { "operator" }
    }

    /// How much text it holds.
    pub fn length(&self) -> usize {
        self.limit.len() + 64
    }

    /// Whether both are of the same partition of the same limit.
    pub fn is_of(&self, other: &Ban) -> bool {
        self.partition == other.partition && self.limit == other.limit
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Those that an isolate knows. There are few: they are looked through.
#[derive(Debug, Clone, Default)]
pub struct Bans(Vec<Ban>);

impl Bans {
    /// Takes one in, later than all that are known.
    pub fn insert(&mut self, ban: &Ban) {
        self.0.retain(|known| !known.is_of(ban));
        self.0.push(ban.clone());
        if self.0.len() > BANS {
            let first = (0..self.0.len()).min_by_key(|place| self.0[*place].until);
            self.0.swap_remove(first.unwrap_or_default());
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Until when a limit refuses a partition, if it does.
    pub fn until(&self, limit: &str, partition: &str, now: Timestamp) -> Option<Timestamp> {
        let mut live = self.live(now);
        live.find(|ban| ban.partition == partition && ban.limit == limit).map(|ban| ban.until)
    }

    /// Those that did not end.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Ban> {
        self.0.iter().filter(move |ban| ban.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn digest(partition: usize) -> String {
        format!("{partition:032x}")
    }

    fn ban(limit: &str, partition: usize, until: u64) -> Ban {
        Ban { limit: limit.to_owned(), partition: digest(partition), until: at(until), by_rule: true }
    }

    #[test]
    fn a_ban_is_read_as_it_is_written() {
        for by_rule in [true, false] {
            let ban = Ban { by_rule, ..ban("per client", usize::MAX, 1_800_000_000_000) };
            assert_eq!(Ban::read(&ban.text()), Some(ban));
        }
        assert_eq!(ban("a", 31, 5).text(), "0000000000000000000000000000001f 5 rule a");
    }

    #[test]
    fn what_is_no_ban_is_not_read() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            zeros.clone(),
            format!("{zeros} 5 rule"),
            format!("{zeros} 5 nobody a"),
            format!("{zeros} soon rule a"),
            format!("{} 5 rule a", &zeros[1..]),
            format!("+{} 5 rule a", &zeros[1..]),
            format!("{zeros}0 5 rule a"),
        ] {
            assert_eq!(Ban::read(&text), None, "{text}");
        }
    }

    #[test]
    fn a_ban_is_of_one_partition_of_one_limit_and_ends_by_itself() {
        let mut bans = Bans::default();
        bans.insert(&ban("a", 1, 100));
        for (limit, partition, now, expected) in
            [("a", 1, 0, Some(100)), ("a", 1, 99, Some(100)), ("a", 1, 100, None), ("a", 2, 0, None), ("b", 1, 0, None)]
        {
            assert_eq!(bans.until(limit, &digest(partition), at(now)), expected.map(at), "{limit} {partition} {now}");
        }
        bans.insert(&ban("a", 1, 50));
        assert_eq!(bans.until("a", &digest(1), at(0)), Some(at(50)), "the last one counts");
        bans.insert(&ban("a", 1, 0));
        assert_eq!((bans.until("a", &digest(1), at(0)), bans.live(at(0)).count()), (None, 0), "lifted");
    }

    #[test]
    fn bans_are_bounded_and_the_one_that_ends_first_goes_first() {
        let mut bans = Bans::default();
        for number in 0..=BANS {
            bans.insert(&ban("a", number, 5000 - number as u64));
        }
        assert_eq!(bans.live(at(0)).count(), BANS);
        assert_eq!(bans.until("a", &digest(BANS), at(0)), None);
        assert_eq!(bans.until("a", &digest(0), at(0)), Some(at(5000)));
    }
}

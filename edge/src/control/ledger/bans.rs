//! Bans in the log: each ends by itself, takes the place of the one before it, and none covers anything when it is gone.

use super::{Change, Kind, Ledger, Table};
use crate::control::ban::{BANS, Ban};
use crate::control::record::Sequence;
use crate::time::Timestamp;

impl Ledger {
    /// Makes room for a ban: lets go of the one that it takes the place of, of those that are over, and, where there are too
    /// many, of the one that ends first. Until when its record is kept: whoever knows of the one before it must learn of
    /// this one for as long as that lasts. Else the place of an operator's ban that lasts longer than this one of a rule.
    pub(super) fn make_room(&mut self, ban: &Ban, now: Timestamp) -> Result<Timestamp, Sequence> {
        let mut expires_at = ban.until.max(now);
        let mut gone = Vec::new();
        let (mut first, mut count) = ((Timestamp::default(), Sequence::NONE), 0);
        for record in self.records.values() {
            let Kind::Ban(known) = &record.kind else { continue };
            let is_replaced = known.is_of(ban);
            if is_replaced {
                if ban.by_rule && !known.by_rule && known.until > ban.until {
                    return Err(record.sequence);
                }
                expires_at = expires_at.max(record.expires_at);
            }
            if is_replaced || record.expires_at <= now {
                gone.push(record.sequence);
                continue;
            }
            count += 1;
            let this = (record.expires_at, record.sequence);
            first = if count == 1 { this } else { first.min(this) };
        }
        if count >= BANS {
            gone.push(first.1);
            self.is_full = true;
        }
        for sequence in gone {
            self.records.remove(&sequence);
            self.change(Change::Drop(Table::Record, sequence.number()));
        }
        Ok(expires_at)
    }

    /// A line for the operator's log, where a ban was let go of before its end since the last time this was asked.
    pub fn take_warning(&mut self) -> Option<&'static str> {
        std::mem::take(&mut self.is_full)
            .then_some("the control log holds as many bans as it may: the one that ends first went")
    }
}

//! Bans and notices of origins in the log: each ends by itself, takes the place of the one before it, and none covers
//! anything when it is gone.

use super::{Change, Kind, Ledger, Table};
use crate::control::ban::BANS;
use crate::control::message::{Append, Drain, Reply};
use crate::control::notice::{NOTICES, Notice, OriginStanding};
use crate::control::record::Sequence;
use crate::time::Timestamp;

/// Whether a record takes the place of another one; `None` where they are of different kinds.
fn replaces(new: &Kind, known: &Kind) -> Option<bool> {
    match (new, known) {
        (Kind::Ban(new), Kind::Ban(known)) => Some(new.is_of(known)),
        (Kind::Origin(new), Kind::Origin(known)) => Some(new.is_of(known)),
        _ => None,
    }
}

/// Whether a ban of an operator lasts longer than one of a rule that would take its place.
fn outlasts(known: &Kind, new: &Kind) -> bool {
    match (known, new) {
        (Kind::Ban(known), Kind::Ban(new)) => new.by_rule && !known.by_rule && known.until > new.until,
        _ => false,
    }
}

impl Ledger {
    /// Makes room for a record that ends at `until`: lets go of the one that it takes the place of, of those of its kind that are
    /// over, and, where there are too many, of the one that ends first. Until when its record is kept: whoever knows of
    /// the one before it must learn of this one for as long as that lasts. Else the place of an operator's ban that
    /// lasts longer than this one of a rule.
    pub(super) fn make_room(&mut self, kind: &Kind, until: Timestamp, now: Timestamp) -> Result<Timestamp, Sequence> {
        let mut expires_at = until.max(now);
        let mut gone = Vec::new();
        let (mut first, mut count) = ((Timestamp::default(), Sequence::NONE), 0);
        for record in self.records.values() {
            let Some(is_replaced) = replaces(kind, &record.kind) else { continue };
            if is_replaced {
                if outlasts(&record.kind, kind) {
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
        let (bound, warning) = match kind {
            Kind::Origin(_) => {
                (NOTICES, "the control log holds as many notices of origins as it may: the one that ends first went")
            }
            _ => (BANS, "the control log holds as many bans as it may: the one that ends first went"),
        };
        if count >= bound {
            gone.push(first.1);
            self.warning = Some(warning);
        }
        for sequence in gone {
            self.records.remove(&sequence);
            self.change(Change::Drop(Table::Record, sequence.number()));
        }
        Ok(expires_at)
    }

    /// Drains an origin, unless it is the last one.
    pub(super) fn drain(&mut self, Drain { notice, pool }: Drain, now: Timestamp) -> Reply {
        // A log that begins takes notices over.
        self.begun(now);
        if self.is_last(&notice, &pool, now) {
            return Reply::LastOrigin;
        }
        self.append(Append { kind: Kind::Origin(notice), key: None, calls: Vec::new() }, now)
    }

    /// Whether without this origin all of its pool would be drained, and are not yet.
    fn is_last(&self, notice: &Notice, pool: &[String], now: Timestamp) -> bool {
        let is_drained = |url: &str| {
            self.records.values().any(|record| match &record.kind {
                Kind::Origin(known) => {
                    known.is_about(&notice.pool, url) && known.standing(now) == OriginStanding::Drained
                }
                _ => false,
            })
        };
        !is_drained(&notice.url) && pool.iter().all(|url| *url == notice.url || is_drained(url))
    }

    /// A line for the operator's log, where something was let go of before its end since the last time this was asked.
    pub fn take_warning(&mut self) -> Option<&'static str> {
        self.warning.take()
    }
}

//! How much of the log an isolate knows, how sure it may be of it, and when it must ask again.
//!
//! A view is what the log said at some moment. That moment is never taken for later than it was: it counts from before the
//! log was asked, by the clock of whoever asked; clocks of different machines are never compared. Nor are places of different
//! logs: see [`crate::control`] for what holds where one was lost.

use std::time::Duration;

use super::ban::{Ban, Bans};
use super::index::{Index, Subject, Verdict};
use super::message::News;
use super::notice::{Notice, Notices, OriginStanding};
use super::record::{Incarnation, Kind, Mark, Sequence};
use crate::config::PurgeCheck;
use crate::time::Timestamp;

/// How old a view may be that answers: a purge is seen everywhere within this time.
pub const LEASE: Duration = Duration::from_secs(2);

/// From this age on it is renewed, off the path of requests.
pub const RENEW_AFTER: Duration = Duration::from_secs(1);

/// How long the data centre shares one answer of the log.
pub const SNAPSHOT_LIFE: Duration = Duration::from_secs(1);

/// How long a request waits for the log.
pub const DEADLINE: Duration = Duration::from_millis(800);

/// How long a renewal may take for which nobody waits.
pub const DEADLINE_OFF_PATH: Duration = Duration::from_secs(5);

/// Between two renewals that nobody waits for.
const PAUSE: Duration = Duration::from_millis(500);

/// How long after a failure no request waits for the log: the one that failed has waited for all of them.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What an isolate knows of the log.
#[derive(Debug, Default)]
pub struct View {
    index: Index,
    bans: Bans,
    notices: Notices,
    /// Which log all of this is of.
    log: Incarnation,
    /// [`Sequence::NONE`]: nothing is known of any.
    head: Sequence,
    /// Of everything here; `None`: nothing is known.
    as_of: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    /// The log is known to have got this far, since that moment.
    at_least: Option<(Mark, Timestamp)>,
    /// There is no log: nothing was ever purged.
    absent: bool,
}

/// Whether the log is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// No.
    None,
    /// Yes; the request goes on meanwhile.
    OffPath,
    /// Yes, and the request waits for it.
    OnPath,
}

/// How sure a view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// No purge is missing that is older than [`LEASE`]; or there is no log.
    Leased,
    /// The log cannot be reached, and purges may be missing.
    Unsure,
}

/// What became of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// They are known now.
    Known,
    /// They do not say what happened between the view and them, or they are of another log, and not all of it.
    Gap,
    /// The view knows more already.
    Older,
}

impl View {
    /// Whether the log is to be asked before a request that needs it is answered, as sure as `check` wants to be.
    pub fn needs(&self, now: Timestamp, check: PurgeCheck) -> Renewal {
        let within = |moment: Option<Timestamp>, time: Duration| {
            // A moment in the future is one of a clock that stepped back: it says nothing.
            moment.is_some_and(|moment| moment <= now && now.since(moment) < time)
        };
        let by_lease = check == PurgeCheck::Lease;
        if self.absent || by_lease && within(self.as_of, RENEW_AFTER) {
            return Renewal::None;
        }
        if by_lease && within(self.as_of, LEASE) || within(self.failed_at, PAUSE_AFTER_FAILURE) {
            return if within(self.tried_at, PAUSE) { Renewal::None } else { Renewal::OffPath };
        }
        Renewal::OnPath
    }

    /// How sure it is, by its lease.
    pub fn certainty(&self, now: Timestamp) -> Certainty {
        let leased = self.as_of.is_some_and(|as_of| as_of <= now && now.since(as_of) < LEASE);
        if self.absent || leased { Certainty::Leased } else { Certainty::Unsure }
    }

    /// How sure it is of everything up to `moment`.
    pub fn certainty_since(&self, moment: Timestamp, now: Timestamp) -> Certainty {
        let known = self.as_of.is_some_and(|as_of| moment <= as_of && as_of <= now);
        if self.absent || known { Certainty::Leased } else { Certainty::Unsure }
    }

    /// How much is known: what a fetch that begins now carries.
    pub fn mark(&self) -> Mark {
        Mark { log: self.log, sequence: self.head }
    }

    /// Whether nothing is known of any log.
    pub fn is_empty(&self) -> bool {
        self.head == Sequence::NONE
    }

    /// What it says of a stored response that was fetched while that log was known.
    pub fn verdict(&self, log: Incarnation, subject: &Subject<'_>) -> Verdict {
        if log != self.log && !self.is_empty() { Verdict::Hard } else { self.index.verdict(subject) }
    }

    /// Until when a limit refuses a partition, if it does. What is known stays, however old it is: a ban ends by itself.
    pub fn banned_until(&self, limit: &str, partition: &str, now: Timestamp) -> Option<Timestamp> {
        self.bans.until(limit, partition, now)
    }

    /// Who is banned.
    pub fn bans(&self, now: Timestamp) -> impl Iterator<Item = &Ban> {
        self.bans.live(now)
    }

    /// How an origin of a pool stands. What is known stays, however old it is: what is said of an origin ends by itself.
    pub fn origin_standing(&self, pool: &str, url: &str, now: Timestamp) -> OriginStanding {
        self.notices.standing(pool, url, now)
    }

    /// By which notice it stands so, if by any.
    pub fn notice(&self, pool: &str, url: &str, now: Timestamp) -> Option<&Notice> {
        self.notices.of(pool, url, now)
    }

    /// While this number is the same, every origin stands as it did.
    pub fn origins_changed(&self, now: Timestamp) -> u64 {
        self.notices.changed(now)
    }

    /// Notes that the log is being asked.
    pub fn begin(&mut self, now: Timestamp) {
        self.tried_at = Some(now);
    }

    /// Notes that the log could not be asked.
    pub fn fail(&mut self, now: Timestamp) {
        self.failed_at = Some(now);
    }

    /// Ends the lease: the log is known to have got as far as `at_least`. Nothing that knows less renews it, nor what was asked
    /// of another log before.
    pub fn expire(&mut self, at_least: Mark, now: Timestamp) {
        let is_known = self.log == at_least.log && self.head >= at_least.sequence;
        let (before, _) = self.at_least.unwrap_or_default();
        if is_known || before.log == at_least.log && before.sequence >= at_least.sequence {
            return;
        }
        self.at_least = Some((at_least, now));
        self.as_of = None;
    }

    /// Notes that there is no log.
    pub fn without_log(&mut self) {
        self.absent = true;
    }

    /// Takes in what the log said at `as_of` or later.
    pub fn renew(&mut self, news: &News, as_of: Timestamp, now: Timestamp) -> Applied {
        let known = self.as_of.filter(|known| *known <= now);
        if self.is_of_another(news) && known.is_some_and(|known| as_of < known) {
            return Applied::Older;
        }
        let applied = match self.take_in(news) {
            Applied::Known if !self.is_enough(news, as_of, now) => Applied::Older,
            applied => applied,
        };
        if applied == Applied::Known {
            // Of another log nothing was known before.
            let known = self.as_of.and(known);
            self.as_of = Some(known.map_or(as_of, |known| known.max(as_of)));
            self.failed_at = None;
        }
        applied
    }

    /// Takes in what the log said at some time: it makes the view richer, not surer. Of two logs the one that was begun later is
    /// taken for the one that is there.
    pub fn learn(&mut self, news: &News) -> Applied {
        if self.is_of_another(news) && news.log < self.log { Applied::Older } else { self.take_in(news) }
    }

    fn is_of_another(&self, news: &News) -> bool {
        news.log != self.log && !self.is_empty()
    }

    /// Whether news that were asked for at `as_of` are what the log is known to have got to.
    fn is_enough(&self, news: &News, as_of: Timestamp, now: Timestamp) -> bool {
        match self.at_least {
            Some((mark, _)) if mark.log == news.log => news.head >= mark.sequence,
            // Since then it was lost again. A moment in the future is one of a clock that stepped back.
            Some((_, since)) => as_of >= since || since > now,
            None => true,
        }
    }

    fn take_in(&mut self, news: &News) -> Applied {
        if self.is_of_another(news) {
            if news.after != Sequence::NONE {
                return Applied::Gap;
            }
            (self.index, self.head, self.as_of) = (Index::default(), Sequence::NONE, None);
        }
        if news.head < self.head {
            return Applied::Older;
        }
        if news.after > self.head {
            return Applied::Gap;
        }
        self.index.forget(news.forgotten);
        // Where these are all records there are, bans and notices that are not among them are no more.
        let is_all = news.after == Sequence::NONE;
        if is_all {
            self.bans.clear();
            let notices = news.records.iter().filter_map(|record| match &record.kind {
                Kind::Origin(notice) => Some(notice),
                _ => None,
            });
            self.notices.replace(notices);
        }
        for record in &news.records {
            let is_new = record.sequence > self.head;
            match &record.kind {
                Kind::Ban(ban) if is_new || is_all => self.bans.insert(ban),
                Kind::Origin(notice) if is_new => self.notices.insert(notice),
                _ if is_new => self.index.insert(record),
                _ => {}
            }
        }
        (self.log, self.head) = (news.log, news.head);
        Applied::Known
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::purged;
    use super::super::record::{Highest, Record, Selector, Strength};
    use super::PurgeCheck::{Lease, Strict};
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(100_000 + millis)
    }

    fn news(after: u64, records: &[u64]) -> News {
        let purged = |sequence: &u64| purged(*sequence, Strength::Hard, &[Selector::Tag(format!("tag-{sequence}"))]);
        let records: Vec<Record> = records.iter().map(purged).collect();
        let head = records.last().map_or(Sequence::new(after), |record| record.sequence);
        News { log: Incarnation::UNTOLD, head, after: Sequence::new(after), forgotten: Highest::default(), records }
    }

    /// Of the log of `news`.
    fn mark(sequence: u64) -> Mark {
        Mark { log: Incarnation::UNTOLD, sequence: Sequence::new(sequence) }
    }

    fn knows(view: &View, sequence: u64) -> bool {
        knows_in(view, Incarnation::UNTOLD, sequence)
    }

    /// Whether a view of that log knows that purge: what was fetched right before it is gone, and nothing else is.
    fn knows_in(view: &View, log: Incarnation, sequence: u64) -> bool {
        let tags = [format!("tag-{sequence}")];
        let subject = Subject { url: "https://h/", tags: &tags, groups: &[], sequence: Sequence::new(sequence - 1) };
        assert_eq!(view.verdict(log, &Subject { tags: &[], ..subject }), Verdict::Standing);
        view.verdict(log, &subject) == Verdict::Hard
    }

    /// A view as old as that, at 10 s.
    fn aged(millis: u64) -> View {
        let mut view = View::default();
        assert_eq!(view.renew(&news(0, &[10]), at(10_000 - millis), at(10_000)), Applied::Known);
        view
    }

    #[test]
    fn a_view_is_renewed_in_time() {
        use Certainty::{Leased, Unsure};
        for (age, renewal, certainty) in [
            (0, Renewal::None, Leased),
            (999, Renewal::None, Leased),
            (1000, Renewal::OffPath, Leased),
            (1999, Renewal::OffPath, Leased),
            (2000, Renewal::OnPath, Unsure),
            (9000, Renewal::OnPath, Unsure),
        ] {
            let view = aged(age);
            assert_eq!((view.needs(at(10_000), Lease), view.certainty(at(10_000))), (renewal, certainty), "{age} ms");
        }
        let nothing = View::default();
        assert_eq!((nothing.needs(at(0), Lease), nothing.certainty(at(0))), (Renewal::OnPath, Unsure));
    }

    #[test]
    fn one_request_renews_off_the_path_and_the_others_do_not() {
        let mut view = aged(1500);
        view.begin(at(10_000));
        assert_eq!(view.needs(at(10_000), Lease), Renewal::None);
        assert_eq!(view.needs(at(10_499), Lease), Renewal::None);
        assert_eq!(view.needs(at(10_500), Lease), Renewal::OnPath, "its lease ended before the answer came");
        let mut view = aged(1000);
        view.begin(at(10_000));
        assert_eq!(view.needs(at(10_500), Lease), Renewal::OffPath, "once more: the first may have come to nothing");
    }

    #[test]
    fn while_the_log_cannot_be_reached_one_request_a_second_tries_and_none_waits() {
        let mut view = aged(5000);
        view.begin(at(10_000));
        view.fail(at(10_800));
        assert_eq!(view.certainty(at(10_800)), Certainty::Unsure);
        assert_eq!(view.needs(at(10_801), Lease), Renewal::OffPath);
        view.begin(at(10_801));
        assert_eq!(view.needs(at(10_802), Lease), Renewal::None);
        view.fail(at(11_600));
        assert_eq!(view.needs(at(12_599), Lease), Renewal::OffPath);
        assert_eq!(view.needs(at(12_600), Lease), Renewal::OnPath, "after a pause in which nobody asked");
        view.renew(&news(10, &[]), at(12_600), at(12_700));
        assert_eq!((view.needs(at(12_700), Lease), view.certainty(at(12_700))), (Renewal::None, Certainty::Leased));
    }

    #[test]
    fn whoever_is_strict_asks_each_time_and_is_sure_of_everything_until_then() {
        let mut view = aged(0);
        assert_eq!(view.needs(at(10_000), Strict), Renewal::OnPath);
        assert_eq!(view.certainty_since(at(10_000), at(10_000)), Certainty::Leased);
        assert_eq!(view.certainty_since(at(10_001), at(10_100)), Certainty::Unsure);
        view.renew(&news(10, &[]), at(10_050), at(10_100));
        assert_eq!(view.certainty_since(at(10_001), at(10_100)), Certainty::Leased);
        view.begin(at(11_000));
        view.fail(at(11_000));
        assert_eq!(view.needs(at(11_100), Strict), Renewal::None, "while it cannot be reached");
        assert_eq!(view.needs(at(12_000), Strict), Renewal::OnPath);
    }

    #[test]
    fn a_lease_can_be_ended() {
        let mut view = aged(0);
        view.expire(mark(10), at(10_000));
        assert_eq!(view.needs(at(10_000), Lease), Renewal::None, "it knows that much");
        view.expire(mark(20), at(10_000));
        assert_eq!((view.needs(at(10_000), Lease), view.certainty(at(10_000))), (Renewal::OnPath, Certainty::Unsure));
        assert_eq!(view.renew(&news(10, &[15]), at(10_000), at(10_000)), Applied::Older, "a neighbour that knows less");
        assert_eq!(view.certainty(at(10_000)), Certainty::Unsure);
        assert_eq!(view.renew(&news(10, &[15, 20]), at(10_000), at(10_000)), Applied::Known);
        assert_eq!((view.mark().sequence, view.certainty(at(10_000))), (Sequence::new(20), Certainty::Leased));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_prolong_a_lease() {
        let mut view = aged(0);
        assert_eq!((view.needs(at(5000), Lease), view.certainty(at(5000))), (Renewal::OnPath, Certainty::Unsure));
        view.renew(&news(10, &[]), at(5000), at(5100));
        assert_eq!((view.needs(at(5100), Lease), view.certainty(at(5100))), (Renewal::None, Certainty::Leased));
    }

    #[test]
    fn an_older_answer_that_arrives_later_changes_nothing() {
        let mut view = aged(0);
        assert_eq!(view.renew(&news(0, &[5]), at(10_500), at(10_500)), Applied::Older);
        assert_eq!(view.needs(at(11_100), Lease), Renewal::OffPath, "nor does it make the view younger");
        view.renew(&news(10, &[]), at(9000), at(11_100));
        assert_eq!(
            view.needs(at(10_999), Lease),
            Renewal::None,
            "a moment before the known one neither makes it older"
        );
    }

    #[test]
    fn news_with_a_gap_are_not_taken_for_all() {
        let mut view = aged(500);
        assert_eq!(view.renew(&news(20, &[30]), at(10_000), at(10_000)), Applied::Gap);
        assert_eq!((view.mark().sequence, knows(&view, 30)), (Sequence::new(10), false));
        assert_eq!(view.needs(at(10_600), Lease), Renewal::OffPath, "the view is as old as it was");
        assert_eq!(view.renew(&news(5, &[10, 30]), at(10_000), at(10_000)), Applied::Known);
        assert_eq!((view.mark().sequence, knows(&view, 10), knows(&view, 30)), (Sequence::new(30), true, true));
    }

    #[test]
    fn a_copy_makes_a_view_richer_and_not_surer() {
        let mut view = View::default();
        view.begin(at(0));
        view.fail(at(800));
        assert_eq!(view.learn(&news(0, &[10, 20])), Applied::Known);
        assert_eq!(
            (view.mark().sequence, knows(&view, 20), view.certainty(at(800))),
            (Sequence::new(20), true, Certainty::Unsure)
        );
    }

    #[test]
    fn a_ban_is_no_purge_and_stays_while_the_log_cannot_be_reached() {
        let ban = Ban { limit: "a".into(), partition: "7".repeat(32), until: at(60_000), by_rule: true };
        let record = Record { kind: Kind::Ban(ban.clone()), ..purged(20, Strength::Hard, &[]) };
        let mut view = aged(0);
        let after_10 = News { head: Sequence::new(20), records: vec![record], ..news(10, &[]) };
        assert_eq!(view.renew(&after_10, at(10_000), at(10_000)), Applied::Known);
        view.fail(at(30_000));
        assert_eq!(view.certainty(at(30_000)), Certainty::Unsure);
        assert_eq!(view.banned_until("a", &ban.partition, at(30_000)), Some(at(60_000)));
        assert_eq!(view.banned_until("a", &ban.partition, at(60_000)), None);
        let subject = Subject { url: "https://h/", tags: &[], groups: &[], sequence: Sequence::new(15) };
        assert_eq!(view.verdict(Incarnation::UNTOLD, &subject), Verdict::Standing);
        // Only all there is says that it is no more.
        view.renew(&news(20, &[]), at(31_000), at(31_000));
        assert_eq!(view.bans(at(31_000)).collect::<Vec<_>>(), [&ban]);
        view.renew(&news(0, &[10, 30]), at(31_000), at(31_000));
        assert_eq!(view.bans(at(31_000)).count(), 0);
    }

    #[test]
    fn what_is_said_of_an_origin_is_no_purge_and_only_all_there_is_says_that_it_is_no_more() {
        let text = format!("sick {} 5 api http://a", at(60_000).as_millis());
        let record = Record { kind: Kind::Origin(Notice::read(&text).unwrap()), ..purged(20, Strength::Hard, &[]) };
        let mut view = aged(0);
        let untouched = view.origins_changed(at(10_000));
        let after_10 = News { head: Sequence::new(20), records: vec![record.clone()], ..news(10, &[]) };
        assert_eq!(view.renew(&after_10, at(10_000), at(10_000)), Applied::Known);
        let changed = view.origins_changed(at(10_000));
        assert_ne!(untouched, changed);
        let subject = Subject { url: "https://h/", tags: &[], groups: &[], sequence: Sequence::new(15) };
        assert_eq!(view.verdict(Incarnation::UNTOLD, &subject), Verdict::Standing);
        view.fail(at(30_000));
        assert_eq!(view.origin_standing("api", "http://a", at(59_999)), OriginStanding::Sick, "however old it is");
        assert_eq!(view.origin_standing("api", "http://a", at(60_000)), OriginStanding::Well);
        view.renew(&news(20, &[]), at(31_000), at(31_000));
        let all = News { head: Sequence::new(20), records: vec![record], ..news(0, &[]) };
        view.renew(&all, at(31_000), at(31_000));
        assert_eq!(view.origin_standing("api", "http://a", at(31_000)), OriginStanding::Sick);
        assert_eq!(view.origins_changed(at(31_000)), changed, "the same again is no change");
        view.renew(&news(0, &[10, 30]), at(31_000), at(31_000));
        assert_eq!(view.origin_standing("api", "http://a", at(31_000)), OriginStanding::Well);
        assert_ne!(view.origins_changed(at(31_000)), changed);
    }

    #[test]
    fn without_a_log_everything_stands() {
        let mut view = View::default();
        view.without_log();
        assert_eq!((view.needs(at(0), Lease), view.certainty(at(0))), (Renewal::None, Certainty::Leased));
    }

    /// All that a log says which was begun at that place, and these records since.
    fn anew(birth: u64, records: &[u64]) -> News {
        let (birth, news) = (Sequence::new(birth), news(0, records));
        let forgotten = Highest::of(Strength::Hard, birth);
        News { log: Incarnation::begun(birth, 7), head: news.head.max(birth), forgotten, ..news }
    }

    fn subject(sequence: u64) -> Subject<'static> {
        Subject { url: "https://h/", tags: &[], groups: &[], sequence: Sequence::new(sequence) }
    }

    #[test]
    fn of_what_was_fetched_while_another_log_was_known_nothing_is_left_whatever_its_place() {
        let mut view = aged(0);
        let reply = anew(5, &[6]);
        assert_eq!(view.renew(&reply, at(10_000), at(10_000)), Applied::Known, "its clock is behind");
        assert_eq!(view.mark(), Mark { log: reply.log, sequence: Sequence::new(6) });
        for place in [4, 6, 10, 99] {
            assert_eq!(view.verdict(Incarnation::UNTOLD, &subject(place)), Verdict::Hard, "{place}");
        }
        assert_eq!(view.verdict(reply.log, &subject(6)), Verdict::Standing);
        assert!(!knows_in(&view, reply.log, 10) && knows_in(&view, reply.log, 6), "purges are those of the new one");
        let mut nothing = View::default();
        assert_eq!(nothing.verdict(reply.log, &subject(6)), Verdict::Standing, "whoever knows nothing says nothing");
        nothing.learn(&reply);
        assert_eq!(nothing.verdict(Incarnation::UNTOLD, &subject(0)), Verdict::Hard, "nor was anything known of it");
    }

    #[test]
    fn purges_of_a_new_log_are_known_whose_places_the_one_before_gave_already() {
        let mut view = aged(0);
        view.renew(&anew(5, &[6]), at(10_000), at(10_000));
        let log = view.mark().log;
        let more = News { log, ..news(6, &[8]) };
        assert_eq!(view.renew(&more, at(10_500), at(10_500)), Applied::Known);
        assert!(knows_in(&view, log, 8));
    }

    #[test]
    fn a_part_of_the_news_of_another_log_is_not_enough() {
        let mut view = aged(500);
        let part = News { after: Sequence::new(5), ..anew(5, &[6]) };
        assert_eq!(view.renew(&part, at(10_000), at(10_000)), Applied::Gap);
        assert_eq!((view.mark(), view.certainty(at(10_000))), (mark(10), Certainty::Leased), "nothing has changed");
        assert_eq!(view.learn(&part), Applied::Gap);
    }

    #[test]
    fn the_lease_of_another_log_counts_from_its_own_answer_and_an_older_one_changes_nothing() {
        let mut view = aged(0);
        let reply = anew(5, &[6]);
        assert_eq!(view.renew(&reply, at(9_999), at(10_100)), Applied::Older, "asked for before");
        assert_eq!(view.mark(), mark(10));
        assert_eq!(view.renew(&reply, at(10_050), at(10_100)), Applied::Known);
        assert_eq!(view.certainty_since(at(10_051), at(10_100)), Certainty::Unsure);
        // The first log's answer was on its way for long.
        assert_eq!(view.renew(&news(0, &[10, 11]), at(10_049), at(10_200)), Applied::Older);
        assert_eq!(view.mark().log, reply.log);
        // A clock that stepped back says nothing of which was first.
        assert_eq!(view.renew(&news(0, &[10, 11]), at(5_000), at(5_100)), Applied::Known);
        assert_eq!((view.mark(), view.needs(at(5_100), Lease)), (mark(11), Renewal::None));
    }

    #[test]
    fn a_copy_brings_a_view_to_a_log_that_was_begun_later_and_ends_its_lease() {
        let mut view = aged(0);
        view.renew(&anew(500, &[600]), at(10_000), at(10_000));
        let log = view.mark().log;
        assert_eq!(view.learn(&anew(400, &[700])), Applied::Older, "begun before");
        assert_eq!((view.mark().log, view.certainty(at(10_000))), (log, Certainty::Leased));
        assert_eq!(view.learn(&anew(550, &[560])), Applied::Known);
        assert_eq!((view.mark().log, view.certainty(at(10_000))), (anew(550, &[]).log, Certainty::Unsure));
        assert_eq!(
            view.renew(&anew(500, &[600]), at(10_100), at(10_100)),
            Applied::Known,
            "the log itself knows better"
        );
        assert_eq!((view.mark().log, view.certainty(at(10_100))), (log, Certainty::Leased));
    }

    #[test]
    fn a_lease_ends_where_another_log_took_a_record() {
        let mut view = aged(0);
        let added = Mark { log: anew(5, &[]).log, sequence: Sequence::new(6) };
        view.expire(added, at(10_100));
        assert_eq!((view.needs(at(10_100), Lease), view.certainty(at(10_100))), (Renewal::OnPath, Certainty::Unsure));
        assert_eq!(
            view.renew(&news(10, &[11]), at(10_099), at(10_100)),
            Applied::Older,
            "what a neighbour knew before"
        );
        assert_eq!(view.certainty(at(10_100)), Certainty::Unsure);
        assert_eq!(view.renew(&anew(5, &[]), at(10_100), at(10_100)), Applied::Older, "without the record");
        assert_eq!(view.renew(&anew(5, &[6]), at(10_100), at(10_100)), Applied::Known);
        assert_eq!((view.mark(), view.certainty(at(10_100))), (added, Certainty::Leased));
        // One that was lost again is not waited for.
        view.expire(Mark { sequence: Sequence::new(90), ..added }, at(10_200));
        assert_eq!(view.renew(&anew(7, &[8]), at(10_200), at(10_200)), Applied::Known);
        assert_eq!(view.certainty(at(10_200)), Certainty::Leased);
    }
}

use proptest::prelude::*;

use super::super::ban::{BANS, Ban};
use super::super::index::{Index, Subject, Verdict};
use super::super::message::Drain;
use super::super::notice::{NOTICES, Notice, OriginStanding, State};
use super::super::record::{Mark, Purge, Selector};
use super::super::view::{Applied, View};
use super::super::zone::{Items, Judgement, TRIES, ZoneCall};
use std::collections::BTreeMap;

use super::*;

const NOON: u64 = 1_800_000_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(NOON + millis)
}

fn tagged(tags: &[&str]) -> Append {
    let of = tags.iter().map(|&tag| Selector::Tag(tag.to_owned())).collect();
    Append { kind: Kind::Purge(Purge { of, strength: Strength::Hard }), key: None, calls: Vec::new() }
}

fn keyed(tag: &str, key: &str) -> Append {
    Append { key: Some(key.to_owned()), ..tagged(&[tag]) }
}

fn calling(files: std::ops::Range<usize>) -> Append {
    let files = files.map(|number| format!("https://h/{number}")).collect();
    let call = ZoneCall { zone: "z1".into(), strength: Strength::Hard, items: Items::Files(files) };
    Append { calls: vec![call], ..tagged(&["x"]) }
}

/// The object's storage, and the ledger over it.
#[derive(Default)]
struct Stored {
    rows: BTreeMap<(u8, u64), Row>,
    ledger: Ledger,
    writes: usize,
}

impl Stored {
    fn do_<T>(&mut self, step: impl FnOnce(&mut Ledger) -> T) -> T {
        let done = step(&mut self.ledger);
        let changes = self.ledger.take_changes();
        self.writes += usize::from(!changes.is_empty());
        for change in changes {
            let text = json::write(&change).unwrap();
            match json::read(text.as_bytes()).unwrap() {
                Change::Put(table, id, text) => drop(self.rows.insert((table as u8, id), (table, id, text))),
                Change::Drop(table, id) => drop(self.rows.remove(&(table as u8, id))),
            }
        }
        done
    }

    fn ask(&mut self, command: &Command, now: Timestamp) -> Reply {
        let text = json::write(command).unwrap();
        let reply = self.do_(|ledger| ledger.answer(json::read(text.as_bytes()).unwrap(), now));
        let text = json::write(&reply).unwrap();
        assert_eq!(json::read::<Reply>(text.as_bytes()).unwrap(), reply);
        reply
    }

    fn append(&mut self, append: Append, now: Timestamp) -> Appended {
        match self.ask(&Command::Append(append), now) {
            Reply::Appended(appended) => appended,
            other => panic!("{other:?}"),
        }
    }

    fn news(&mut self, known: Sequence, now: Timestamp) -> News {
        match self.ask(&Command::Since(known), now) {
            Reply::News(news) => news,
            other => panic!("{other:?}"),
        }
    }

    fn restart(&mut self) {
        let (ledger, unread) = Ledger::open(self.rows.values().cloned().collect(), Beginning::default());
        assert_eq!(unread, Vec::<String>::new());
        self.ledger = ledger;
    }
}

fn knows(news: &News, tag: &str) -> bool {
    let mut index = Index::default();
    news.records.iter().for_each(|record| index.insert(record));
    let tags = [tag.to_owned()];
    index.verdict(&Subject { url: "https://h/", tags: &tags, groups: &[], sequence: Sequence::NONE }) == Verdict::Hard
}

#[test]
fn a_new_log_is_born_once_and_covers_what_was_before() {
    let mut log = Stored::default();
    let news = log.news(Sequence::NONE, at(0));
    assert_eq!(news.head, Sequence::new(NOON));
    assert_eq!(news.forgotten, Highest::of(Strength::Hard, Sequence::new(NOON)));
    log.restart();
    assert_eq!(log.news(Sequence::NONE, at(60_000)), news, "not once more after a pause");
    assert_eq!((log.writes, log.ledger.wake_at()), (1, None), "reading writes nothing, and nothing is left to do");
}

/// A log that was lost and begins, with what is known of the one before.
fn begun_anew(chance: u64, copy: Option<News>) -> Stored {
    let (ledger, _) = Ledger::open(Vec::new(), Beginning { chance, copy });
    Stored { ledger, ..Stored::default() }
}

#[test]
fn each_log_that_begins_is_another_one_and_stays_it() {
    let mut log = begun_anew(1, None);
    let first = log.news(Sequence::NONE, at(0));
    assert_ne!(first.log, begun_anew(2, None).news(Sequence::NONE, at(0)).log, "begun at the same time");
    let appended = log.append(tagged(&["a"]), at(10));
    log.restart();
    assert_eq!((log.news(Sequence::NONE, at(20)).log, appended.log), (first.log, first.log));
    assert_eq!(log.append(keyed("b", "k"), at(30)).log, first.log);
    log.restart();
    assert_eq!(log.append(keyed("b", "k"), at(30)).log, first.log, "again");
    assert_eq!(log.ledger.copy_due(at(30)).unwrap().log, first.log);
}

#[test]
fn a_log_from_before_they_were_told_apart_is_the_one_that_it_was() {
    let mut log = Stored::default();
    log.append(tagged(&["a"]), at(0));
    let head = log.rows.get_mut(&(Table::Head as u8, 0)).unwrap();
    let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&head.2).unwrap();
    assert!(members.remove("log").is_some());
    head.2 = serde_json::to_string(&members).unwrap();
    log.restart();
    assert_eq!(log.append(tagged(&["b"]), at(1)).log, Incarnation::UNTOLD);
    let text = serde_json::to_string(&log.news(Sequence::NONE, at(2))).unwrap();
    assert!(!text.contains("log"), "as it was written then: {text}");
}

#[test]
fn a_log_that_begins_anew_goes_on_above_its_copy_and_takes_over_what_ends_by_itself() {
    let mut lost = begun_anew(1, None);
    lost.append(tagged(&["a"]), at(60_000));
    lost.append(banned(1, 90_000, false), at(60_001));
    lost.append(banned(2, 60_500, true), at(60_002));
    lost.append(said(State::Drained, 1, 99_000), at(60_003));
    lost.append(crate::json::read(br#"{"kind":{"slow":{"origin":"b"}}}"#).unwrap(), at(60_004));
    let copy = lost.ledger.copy_due(at(60_004)).unwrap();

    // By a clock that is behind the other one.
    let mut log = begun_anew(1, Some(copy.clone()));
    let news = log.news(Sequence::NONE, at(59_000));
    assert!(news.log > copy.log && news.head > copy.head, "{news:?}");
    assert_eq!(news.forgotten, Highest::of(Strength::Hard, news.head), "every purge, whatever it was");
    let kinds = |news: &News| news.records.iter().map(|record| record.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&news), kinds(&copy)[1..], "all but the purge");
    log.restart();
    assert_eq!(log.news(Sequence::NONE, at(59_000)), news);
    assert!(log.ledger.wake_at().unwrap() <= at(59_000), "the copy of the one that is lost is to be replaced");
    assert_eq!(log.ledger.copy_due(at(59_000)), Some(news));

    let later = begun_anew(1, Some(copy)).news(Sequence::NONE, at(95_000));
    assert!(matches!(kinds(&later)[..], [Kind::Origin(_), Kind::Later(_)]), "bans that are over: {later:?}");
}

#[test]
fn what_a_view_knew_of_a_log_that_was_lost_it_does_not_take_for_places_of_the_next() {
    let mut lost = begun_anew(1, None);
    lost.append(tagged(&["a"]), at(5000));
    let mut view = View::default();
    assert_eq!(view.renew(&lost.news(Sequence::NONE, at(5000)), at(5000), at(5000)), Applied::Known);
    let before = view.mark();
    let mut log = begun_anew(2, None);
    log.append(tagged(&["b"]), at(4000));
    let news = log.news(before.sequence, at(4010));
    assert!(news.head < before.sequence, "its clock is behind");
    let news =
        if view.renew(&news, at(6000), at(6000)) == Applied::Gap { log.news(Sequence::NONE, at(4010)) } else { news };
    assert_eq!(view.renew(&news, at(6000), at(6000)), Applied::Known);
    let subject = Subject { url: "https://h/", tags: &[], groups: &[], sequence: before.sequence };
    assert_eq!(view.verdict(before.log, &subject), Verdict::Hard);
    assert_eq!(view.verdict(news.log, &Subject { sequence: news.head, ..subject }), Verdict::Standing);
}

#[test]
fn places_grow_and_survive_a_restart() {
    let mut log = Stored::default();
    let first = log.append(tagged(&["a"]), at(10));
    let second = log.append(tagged(&["b"]), at(10));
    log.restart();
    let third = log.append(tagged(&["c"]), at(5));
    assert!(first.sequence < second.sequence && second.sequence < third.sequence, "{first:?} {second:?} {third:?}");
    assert_eq!((first.made_at, first.settles_in, first.again), (at(10), LEASE, false));
    let news = log.news(Sequence::NONE, at(20));
    assert_eq!((news.head, news.after, news.records.len()), (third.sequence, Sequence::NONE, 3));
    assert!(["a", "b", "c"].iter().all(|tag| knows(&news, tag)));
}

#[test]
fn the_same_key_adds_nothing_and_another_purge_under_it_is_refused() {
    let mut log = Stored::default();
    let first = log.append(keyed("a", "deploy-1"), at(0));
    log.restart();
    let again = log.append(keyed("a", "deploy-1"), at(500));
    assert_eq!(again, Appended { settles_in: Duration::from_millis(1500), again: true, ..first });
    assert_eq!(log.append(keyed("a", "deploy-1"), at(99_000)).settles_in, Duration::ZERO);
    assert_eq!(log.ask(&Command::Append(keyed("b", "deploy-1")), at(500)), Reply::KeyTaken);
    let news = log.news(Sequence::NONE, at(500));
    assert_eq!(news.records.len(), 1);
    assert_eq!(news.records[0].key, None, "keys are nobody's business");
}

#[test]
fn isolates_that_are_a_little_behind_get_the_same_short_news() {
    let mut log = Stored::default();
    let sequences: Vec<Sequence> = (0..600).map(|n| log.append(tagged(&[&format!("t{n}")]), at(n)).sequence).collect();
    let newest = log.news(sequences[599], at(1000));
    assert_eq!((newest.records.len(), newest.after), (NEWEST.selectors, sequences[599 - NEWEST.selectors]));
    assert_eq!(log.news(sequences[400], at(1000)), newest);
    assert_eq!(log.news(newest.after, at(1000)), newest);
    let whole = log.news(sequences[300], at(1000));
    assert_eq!((whole.records.len(), whole.after), (600, Sequence::NONE), "further behind: all");
    assert_eq!(whole.newest(NEWEST), newest);
    assert_eq!(newest.newest(Weight { selectors: 1, text_bytes: 100 }).after, sequences[598]);
}

#[test]
fn a_record_expires_into_what_covers_everything_before_it() {
    let mut log = Stored::default();
    let old = log.append(tagged(&["old"]), at(0));
    let day = 24 * 60 * 60 * 1000;
    log.append(tagged(&["new"]), at(29 * day));
    log.restart();
    let news = log.news(Sequence::NONE, at(31 * day));
    assert!(knows(&news, "old"), "reading forgets nothing");
    log.append(tagged(&["newer"]), at(31 * day));
    let news = log.news(Sequence::NONE, at(31 * day));
    assert!(!knows(&news, "old") && knows(&news, "new") && knows(&news, "newer"));
    assert_eq!(news.forgotten, Highest::of(Strength::Hard, old.sequence));
}

#[test]
fn the_log_is_bounded_and_what_it_forgets_still_counts() {
    let mut log = Stored::default();
    let names: Vec<String> = (0..500).map(|n| format!("tag-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let first = log.append(tagged(&names), at(0));
    for n in 1..30 {
        log.append(tagged(&names), at(n));
        let news = log.news(Sequence::NONE, at(n));
        let selectors: usize = news.records.iter().map(|record| record.weight().selectors).sum();
        assert!(selectors <= LIVE.selectors, "{selectors}");
        assert_eq!(selectors, log.ledger.weight.selectors);
    }
    log.restart();
    let news = log.news(Sequence::NONE, at(30));
    assert!(news.forgotten.hard >= first.sequence && news.forgotten.hard < news.records[0].sequence);
    assert_eq!(log.rows.len(), news.records.len() + 1);

    let padding = "x".repeat(1000);
    let names: Vec<String> = (0..100).map(|n| format!("{n:03}{padding}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for n in 0..20 {
        log.append(tagged(&names), at(100 + n));
        assert!(log.ledger.weight.text_bytes <= LIVE.text_bytes);
    }
}

#[test]
fn one_record_is_bounded() {
    let mut log = Stored::default();
    let names = vec!["x"; RECORD.selectors + 1];
    assert_eq!(log.ask(&Command::Append(tagged(&names)), at(0)), Reply::TooMuch);
    assert!(log.news(Sequence::NONE, at(0)).records.is_empty());
}

#[test]
fn what_a_later_version_wrote_is_handed_on_and_never_forgotten() {
    let mut log = Stored::default();
    let later = r#"{"kind":{"drain":{"origin":"a"}}}"#;
    let later = log.append(json::read(later.as_bytes()).unwrap(), at(0));
    log.append(tagged(&["a"]), at(1));
    log.append(tagged(&["b"]), at(40 * 24 * 60 * 60 * 1000));
    let news = log.news(Sequence::NONE, at(0));
    assert_eq!(news.records[0].sequence, later.sequence);
    assert_eq!(news.records.len(), 2);
}

#[test]
fn rows_that_cannot_be_read_are_said_and_places_not_given_again() {
    let mut log = Stored::default();
    let last = log.append(tagged(&["a"]), at(5000)).sequence;
    let mut rows: Vec<Row> = log.rows.values().cloned().collect();
    rows.iter_mut().filter(|(table, ..)| *table == Table::Head).for_each(|(.., text)| text.clear());
    rows.push((Table::Record, 7, "{".into()));
    let (mut ledger, unread) = Ledger::open(rows, Beginning { chance: 3, copy: None });
    assert_eq!(unread.len(), 2);
    assert!(unread[1].contains("Record 7"), "{unread:?}");
    let Reply::News(news) = ledger.answer(Command::Since(Sequence::NONE), at(0)) else { panic!() };
    assert!(news.head > last && knows(&news, "a"), "{news:?}");
    assert_eq!(news.log, Incarnation::begun(news.head, 3), "and it is another log");
    assert_eq!(news.forgotten.hard, news.head, "what was forgotten is not known: everything");
}

#[test]
fn a_copy_is_due_when_something_changed_and_not_more_often_than_every_30_s() {
    let mut log = Stored::default();
    log.news(Sequence::NONE, at(0));
    assert_eq!((log.ledger.copy_due(at(0)), log.ledger.wake_at()), (None, None));
    log.append(tagged(&["a"]), at(1000));
    let copy = log.ledger.copy_due(at(1000)).expect("the first at once");
    assert!(knows(&copy, "a") && copy.after == Sequence::NONE);
    log.do_(|ledger| ledger.copied(Some(copy.head), at(1000)));
    assert_eq!(log.ledger.wake_at(), None);
    log.append(tagged(&["b"]), at(2000));
    log.restart();
    assert_eq!(log.ledger.wake_at(), Some(at(31_000)));
    assert_eq!(log.ledger.copy_due(at(30_999)), None);
    let copy = log.ledger.copy_due(at(31_000)).unwrap();
    // While it was written, another came.
    log.append(tagged(&["c"]), at(31_500));
    log.do_(|ledger| ledger.copied(Some(copy.head), at(31_600)));
    assert_eq!(log.ledger.wake_at(), Some(at(61_600)));
    log.do_(|ledger| ledger.copied(None, at(61_600)));
    assert_eq!(log.ledger.wake_at(), Some(at(91_600)), "one that failed is tried again");
}

fn done() -> Judgement {
    Judgement::Done
}

fn again(seconds: Option<u64>, all: bool) -> Judgement {
    Judgement::Again { after: seconds.map(Duration::from_secs), all, answer: "503: no".into() }
}

#[test]
fn calls_are_made_once_and_are_gone_when_they_succeed() {
    let mut log = Stored::default();
    log.append(calling(0..150), at(0));
    assert_eq!(log.ledger.wake_at(), Some(Timestamp::default().plus(COPY_EVERY)), "at once");
    let (first, call) = log.ledger.next_call(at(0)).unwrap();
    assert_eq!(log.do_(|ledger| ledger.called(first, done(), at(10))), None);
    assert!(matches!(call.items, Items::Files(files) if files.len() == 150), "as it was asked for");
    assert_eq!(log.ledger.next_call(at(10)), None);
    assert_eq!(log.ask(&Command::Failed, at(10)), Reply::Failed(FailedWork::default()));
    log.restart();
    assert_eq!(log.ledger.next_call(at(10)), None);
}

#[test]
fn a_call_that_was_under_way_when_the_object_stopped_is_made_again() {
    let mut log = Stored::default();
    log.append(calling(0..1), at(0));
    let first = log.ledger.next_call(at(0)).unwrap();
    log.restart();
    assert_eq!(log.ledger.next_call(at(1)), Some(first));
}

#[test]
fn what_fails_for_a_while_is_tried_again_later_and_later() {
    let mut log = Stored::default();
    log.append(calling(0..1), at(0));
    let (id, call) = log.ledger.next_call(at(0)).unwrap();
    log.do_(|ledger| ledger.called(id, again(None, false), at(100)));
    assert_eq!(log.ledger.next_call(at(2099)), None);
    log.restart();
    assert_eq!(log.ledger.call_due_at(), Some(at(2100)));
    assert_eq!(log.ledger.next_call(at(2100)), Some((id, call.clone())));
    log.do_(|ledger| ledger.called(id, again(Some(60), false), at(2100)));
    assert_eq!(log.ledger.call_due_at(), Some(at(62_100)));
    let mut now = at(62_100);
    let mut said = None;
    for tries in 3..=TRIES {
        assert_eq!(said, None, "before the {tries}th");
        let (id, _) = log.ledger.next_call(now).unwrap();
        said = log.do_(|ledger| ledger.called(id, again(None, false), now));
        now = log.ledger.call_due_at().unwrap_or(now);
    }
    assert!(said.unwrap().contains("POST /zones/z1/purge_cache: 503: no"));
    log.restart();
    let Reply::Failed(FailedWork { failed, waiting: 0 }) = log.ask(&Command::Failed, now) else { panic!() };
    assert_eq!(
        (failed.len(), &failed[0].call, failed[0].tries, failed[0].answer.as_str()),
        (1, &call, TRIES, "503: no")
    );
    assert_eq!(log.ledger.next_call(now.plus(Duration::from_secs(99_999))), None);

    assert_eq!(log.ask(&Command::Replay, now), Reply::Replayed(1));
    log.restart();
    assert_eq!(log.ledger.next_call(now), Some((id, call)));
}

#[test]
fn what_can_never_succeed_is_given_up_at_once() {
    let mut log = Stored::default();
    log.append(calling(0..1), at(0));
    let (id, _) = log.ledger.next_call(at(0)).unwrap();
    let never = Judgement::Never { answer: "403: no".into() };
    assert!(log.do_(|ledger| ledger.called(id, never, at(0))).is_some());
    assert!(
        matches!(log.ask(&Command::Failed, at(0)), Reply::Failed(FailedWork { failed, waiting: 0 }) if failed.len() == 1)
    );
}

#[test]
fn a_quota_that_is_used_up_stops_all_calls_and_those_that_wait_are_joined() {
    let mut log = Stored::default();
    log.append(calling(0..10), at(0));
    let (id, _) = log.ledger.next_call(at(0)).unwrap();
    log.append(calling(10..20), at(1));
    log.do_(|ledger| ledger.called(id, again(Some(60), true), at(2)));
    log.append(calling(20..30), at(3));
    log.restart();
    log.append(calling(30..40), at(4));
    assert_eq!(log.ledger.call_due_at(), Some(at(60_002)));
    assert_eq!(log.ledger.next_call(at(60_001)), None);
    let named = |call: ZoneCall| match call.items {
        Items::Files(files) => files.len(),
        other => panic!("{other:?}"),
    };
    let mut lengths = Vec::new();
    while let Some((id, call)) = log.ledger.next_call(at(60_002)) {
        log.do_(|ledger| ledger.called(id, done(), at(60_002)));
        lengths.push(named(call));
    }
    assert_eq!(lengths.iter().sum::<usize>(), 40);
    assert!(lengths.len() <= 2, "{lengths:?}");
}

#[test]
fn too_many_calls_that_wait_become_one_that_covers_them() {
    let mut log = Stored::default();
    for n in 0..300 {
        log.append(calling(n * 100..n * 100 + 100), at(n as u64));
    }
    let Reply::Failed(FailedWork { waiting, .. }) = log.ask(&Command::Failed, at(300)) else { panic!() };
    assert!(waiting <= 201, "{waiting}");
    let mut calls = Vec::new();
    while let Some((id, call)) = log.ledger.next_call(at(400)) {
        calls.push(call.items);
        log.do_(|ledger| ledger.called(id, done(), at(400)));
    }
    assert!(calls.contains(&Items::PurgeEverything(true)));
    assert_eq!(log.rows.keys().filter(|(table, _)| *table == Table::Work as u8).count(), 0);
}

#[test]
fn what_was_given_up_is_kept_up_to_a_limit() {
    let mut log = Stored::default();
    for n in 0..250 {
        log.append(calling(n..n + 1), at(0));
        let (id, _) = log.ledger.next_call(at(0)).unwrap();
        log.do_(|ledger| ledger.called(id, Judgement::Never { answer: n.to_string() }, at(0)));
    }
    log.restart();
    let Reply::Failed(FailedWork { failed, .. }) = log.ask(&Command::Failed, at(0)) else { panic!() };
    assert_eq!((failed.len(), failed[0].answer.as_str(), failed[199].answer.as_str()), (200, "50", "249"));
}

#[derive(Debug, Clone)]
enum Step {
    Purge(u8, bool),
    Restart,
    /// With all that is stored; the clock of the next one is behind by so many milliseconds, and it may have a copy.
    Lose {
        behind: u64,
        copied: bool,
    },
    Pass(u64),
    Look {
        isolate: usize,
        shared: bool,
    },
    Store(u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, any::<bool>()).prop_map(|(tag, soft)| Step::Purge(tag, soft)),
        1 => Just(Step::Restart),
        1 => (0u64..5000, any::<bool>()).prop_map(|(behind, copied)| Step::Lose { behind, copied }),
        2 => prop_oneof![0u64..3, 1_000_000_000u64..3_000_000_000].prop_map(Step::Pass),
        4 => (0usize..3, any::<bool>()).prop_map(|(isolate, shared)| Step::Look { isolate, shared }),
        3 => (0u8..6).prop_map(Step::Store),
    ]
}

proptest! {
    /// Whatever happens to the log and to whoever reads it: a view that has everything up to now never takes a purged
    /// response for a valid one, and takes what was fetched since for valid.
    #[test]
    fn no_purge_is_ever_lost(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut log = Stored::default();
        let mut views: Vec<View> = (0..3).map(|_| View::default()).collect();
        let mut snapshot: Option<News> = None;
        let mut now = at(0);
        // By the clock of the log.
        let mut behind = Duration::ZERO;
        let mut lost = 0;
        // Tag, what was known when it was fetched, how strong the strongest purge since was.
        let mut stored: Vec<(String, Mark, u8)> = Vec::new();
        for step in steps {
            let log_now = now.minus(behind);
            match step {
                Step::Lose { behind: by, copied } => {
                    let copy = copied.then(|| log.news(Sequence::NONE, log_now));
                    lost += 1;
                    (log, behind) = (begun_anew(lost, copy), Duration::from_millis(by));
                    // Whatever it named.
                    for (.., expected) in &mut stored {
                        *expected = 2;
                    }
                }
                Step::Purge(tag, soft) => {
                    let tag = format!("t{tag}");
                    let strength = if soft { Strength::Soft } else { Strength::Hard };
                    let kind = Kind::Purge(Purge { of: vec![Selector::Tag(tag.clone())], strength });
                    log.append(Append { kind, key: None, calls: Vec::new() }, log_now);
                    for (_, _, expected) in stored.iter_mut().filter(|(of, ..)| *of == tag) {
                        *expected = (*expected).max(if soft { 1 } else { 2 });
                    }
                }
                Step::Restart => log.restart(),
                Step::Pass(millis) => now = now.plus(Duration::from_millis(millis)),
                Step::Store(tag) => {
                    let news = log.news(Sequence::NONE, log_now);
                    stored.push((format!("t{tag}"), Mark { log: news.log, sequence: news.head }, 0));
                }
                Step::Look { isolate, shared } => {
                    let view = &mut views[isolate];
                    if let Some(news) = snapshot.as_ref().filter(|_| shared) {
                        view.learn(news);
                    }
                    let mut news = log.news(view.mark().sequence, log_now);
                    let mut applied = view.renew(&news, now, now);
                    if applied == Applied::Gap {
                        news = log.news(Sequence::NONE, log_now);
                        applied = view.renew(&news, now, now);
                    }
                    prop_assert_eq!(applied, Applied::Known);
                    snapshot = Some(news.newest(Weight { selectors: 2, text_bytes: 1000 }));
                    for (tag, mark, expected) in &stored {
                        let tags = [tag.clone()];
                        let subject = Subject { url: "https://h/", tags: &tags, groups: &[], sequence: mark.sequence };
                        let verdict = match view.verdict(mark.log, &subject) {
                            Verdict::Standing => 0,
                            Verdict::Soft { .. } => 1,
                            Verdict::Hard => 2,
                        };
                        prop_assert!(verdict >= *expected, "{} {} at {:?}: {}", tag, expected, mark, verdict);
                        if mark.log == news.log && mark.sequence >= news.forgotten.hard.max(news.forgotten.soft) {
                            prop_assert_eq!(verdict, *expected);
                        }
                    }
                }
            }
        }
    }
}

fn banned(partition: u64, until: u64, by_rule: bool) -> Append {
    let ban = Ban { limit: "a".to_owned(), partition: format!("{partition:032x}"), until: at(until), by_rule };
    Append { kind: Kind::Ban(ban), key: None, calls: Vec::new() }
}

fn bans(news: &News) -> Vec<u64> {
    let ban = |record: &Record| match &record.kind {
        Kind::Ban(ban) => u64::from_str_radix(&ban.partition, 16).ok(),
        _ => None,
    };
    news.records.iter().filter_map(ban).collect()
}

/// Until when a view holds a partition banned.
fn until(view: &View, partition: u64) -> Option<Timestamp> {
    view.banned_until("a", &format!("{partition:032x}"), at(0))
}

#[test]
fn a_ban_is_kept_until_it_ends_and_covers_nothing_when_it_is_gone() {
    let mut log = Stored::default();
    let born = log.news(Sequence::NONE, at(0)).forgotten;
    log.append(banned(1, 60_000, true), at(0));
    log.append(banned(2, 90_000, false), at(1));
    log.restart();
    log.append(banned(3, 99_000, false), at(59_999));
    assert_eq!(bans(&log.news(Sequence::NONE, at(0))), [1, 2, 3]);
    log.append(banned(4, 99_000, false), at(60_000));
    log.restart();
    let news = log.news(Sequence::NONE, at(0));
    assert_eq!((bans(&news), news.forgotten), (vec![2, 3, 4], born));
    let rows = log.rows.keys().filter(|(table, _)| *table == Table::Record as u8).count();
    assert_eq!(rows, 3, "rows too");
    let copy = log.ledger.copy_due(at(99_000)).expect("it goes into the copy");
    assert_eq!(bans(&copy), [2, 3, 4]);
}

#[test]
fn the_last_word_on_a_partition_counts_and_is_kept_as_long_as_the_one_before_it() {
    let mut log = Stored::default();
    log.append(banned(1, 60_000, true), at(0));
    let mut view = View::default();
    view.learn(&log.news(view.mark().sequence, at(0)));
    assert_eq!(until(&view, 1), Some(at(60_000)));
    // Somebody who knew of the first must learn of its end, however late he asks.
    log.append(banned(1, 0, false), at(10));
    log.append(banned(2, 90_000, false), at(59_999));
    let news = log.news(view.mark().sequence, at(59_999));
    assert_eq!(bans(&news), [1, 2]);
    view.learn(&news);
    assert_eq!((until(&view, 1), until(&view, 2)), (None, Some(at(90_000))));
    log.append(banned(2, 70_000, false), at(60_001));
    assert_eq!(bans(&log.news(Sequence::NONE, at(0))), [2]);
    view.learn(&log.news(view.mark().sequence, at(0)));
    assert_eq!(until(&view, 2), Some(at(70_000)), "an operator may shorten it");
}

#[test]
fn a_rule_does_not_shorten_a_ban_of_an_operator() {
    let mut log = Stored::default();
    let first = log.append(banned(1, 60_000, false), at(0));
    let held = log.append(banned(1, 30_000, true), at(10));
    assert_eq!((held.sequence, held.again), (first.sequence, true));
    let longer = log.append(banned(1, 90_000, true), at(20));
    assert!(longer.sequence > first.sequence && !longer.again);
    let mut view = View::default();
    view.learn(&log.news(Sequence::NONE, at(20)));
    assert_eq!(until(&view, 1), Some(at(90_000)));
}

#[test]
fn bans_are_bounded_drive_no_purge_out_and_the_one_that_ends_first_goes_first() {
    let mut log = Stored::default();
    log.append(tagged(&["a"]), at(0));
    let weight = log.ledger.weight;
    let mut view = View::default();
    for number in 0..BANS as u64 {
        log.append(banned(number, 900_000 - number, true), at(number));
        assert_eq!(log.ledger.take_warning(), None);
    }
    view.learn(&log.news(Sequence::NONE, at(1000)));
    log.append(banned(5000, 100_000, false), at(1001));
    assert!(log.ledger.take_warning().is_some_and(|line| line.contains("as many bans as it may")));
    assert_eq!(log.ledger.take_warning(), None, "once");
    log.restart();
    let news = log.news(Sequence::NONE, at(1002));
    assert_eq!((bans(&news).len(), log.ledger.weight, knows(&news, "a")), (BANS, weight, true));
    assert!(!bans(&news).contains(&(BANS as u64 - 1)) && bans(&news).contains(&5000));
    // Whoever learns all there is, forgets what is no more.
    view.learn(&news);
    assert_eq!((until(&view, BANS as u64 - 1), until(&view, 5000)), (None, Some(at(100_000))));
    assert_eq!(view.bans(at(0)).count(), BANS);
}

fn said(state: State, origin: u64, until: u64) -> Append {
    let url = format!("http://{origin}");
    let notice = Notice { pool: "api".to_owned(), url, state, since: at(0), until: at(until) };
    Append { kind: Kind::Origin(notice), key: None, calls: Vec::new() }
}

fn standing(view: &View, origin: u64, now: u64) -> OriginStanding {
    view.origin_standing("api", &format!("http://{origin}"), at(now))
}

#[test]
fn the_last_word_on_an_origin_counts_and_is_kept_as_long_as_the_one_before_it() {
    let mut log = Stored::default();
    log.append(said(State::Sick, 1, 600_000), at(0));
    log.append(said(State::Drained, 1, 900_000), at(1));
    let mut view = View::default();
    view.learn(&log.news(Sequence::NONE, at(1)));
    assert_eq!(standing(&view, 1, 1), OriginStanding::Drained);
    log.append(said(State::Undrained, 1, 0), at(10));
    log.append(said(State::Well, 1, 0), at(20));
    log.restart();
    // Others come and go: whoever knew of the first must learn of its end for as long as it lasts.
    log.append(said(State::Sick, 2, 700_000), at(599_000));
    let news = log.news(view.mark().sequence, at(599_000));
    assert_eq!(news.records.len(), 3, "one for each speaker of each origin");
    view.learn(&news);
    assert_eq!((standing(&view, 1, 30), standing(&view, 2, 600_000)), (OriginStanding::Well, OriginStanding::Sick));
    log.append(said(State::Sick, 2, 1_300_000), at(900_000));
    assert_eq!(log.news(Sequence::NONE, at(900_000)).records.len(), 1, "and afterwards nothing is left of it");
}

#[test]
fn of_two_who_drain_the_last_two_origins_at_once_one_is_refused() {
    let mut log = Stored::default();
    let drain = |origin: u64, of: &[u64]| {
        let Kind::Origin(notice) = said(State::Drained, origin, 900_000).kind else { panic!() };
        Command::Drain(Drain { notice, pool: of.iter().map(|origin| format!("http://{origin}")).collect() })
    };
    let is_taken = |reply: Reply| match reply {
        Reply::Appended(_) => true,
        Reply::LastOrigin => false,
        other => panic!("{other:?}"),
    };
    log.append(said(State::Sick, 2, 600_000), at(0));
    assert!(is_taken(log.ask(&drain(1, &[1, 2]), at(0))), "a sick one is left");
    let before = log.rows.clone();
    assert!(!is_taken(log.ask(&drain(2, &[1, 2]), at(0))));
    assert_eq!(log.rows, before);
    log.restart();
    assert!(!is_taken(log.ask(&drain(2, &[1, 2]), at(899_999))));
    assert!(is_taken(log.ask(&drain(1, &[1, 2]), at(1))), "it is drained already");
    assert!(is_taken(log.ask(&drain(2, &[1, 2, 3]), at(1))), "of three");
    assert!(is_taken(log.ask(&drain(2, &[1, 2]), at(2))), "both are drained, by whatever way");
    log.append(said(State::Undrained, 1, 0), at(3));
    log.append(said(State::Undrained, 2, 0), at(4));
    assert!(is_taken(log.ask(&drain(2, &[1, 2]), at(5))));
    assert!(is_taken(log.ask(&drain(1, &[1, 2]), at(900_000))), "the other one is not any more");
    let mut alone = Stored::default();
    assert!(!is_taken(alone.ask(&drain(1, &[1]), at(0))));
}

#[test]
fn notices_are_bounded_apart_and_drive_neither_purges_nor_bans_out() {
    let mut log = Stored::default();
    log.append(tagged(&["a"]), at(0));
    log.append(banned(1, 900_000, false), at(0));
    let weight = log.ledger.weight;
    for number in 0..NOTICES as u64 {
        log.append(said(State::Drained, number, 800_000 - number), at(1));
        assert_eq!(log.ledger.take_warning(), None);
    }
    log.append(said(State::Sick, 5000, 100_000), at(2));
    assert!(log.ledger.take_warning().is_some_and(|line| line.contains("as many notices")));
    let news = log.news(Sequence::NONE, at(2));
    assert_eq!((news.records.len(), log.ledger.weight, knows(&news, "a")), (NOTICES + 2, weight, true));
    assert_eq!(bans(&news), [1]);
    let mut view = View::default();
    view.learn(&news);
    assert_eq!(standing(&view, NOTICES as u64 - 1, 3), OriginStanding::Well, "the one that ended first");
    assert_eq!((standing(&view, 0, 3), standing(&view, 5000, 3)), (OriginStanding::Drained, OriginStanding::Sick));
}

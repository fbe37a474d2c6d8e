use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::list::tests::{health, pool};
use super::*;
use crate::config::Pool;

const NOON: u64 = 1_800_000_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(NOON + millis)
}

fn list(pools: &[(&str, &Pool)]) -> String {
    let pools: Vec<(String, &Pool)> = pools.iter().map(|(name, pool)| ((*name).to_owned(), *pool)).collect();
    list::write(pools.iter().map(|(name, pool)| (name, *pool)))
}

fn answered(status: u16) -> Outcome<'static> {
    Outcome { status: Some(status), body: &[], why: "" }
}

const NONE: Outcome<'static> = Outcome { status: None, body: &[], why: "refused" };

/// A checker that was asked at the beginning, for one origin that is checked each second.
fn asked(unhealthy_after: u8, healthy_after: u8) -> Checker {
    let mut checker = Checker::default();
    let pool = pool(Some(health(1000, unhealthy_after, healthy_after)), &["http://a"]);
    checker.ask(&list(&[("api", &pool)]), at(0)).unwrap();
    checker
}

fn due(checker: &mut Checker, now: Timestamp) -> Vec<Due> {
    checker.due(now, &mut || 0)
}

/// Checks the one origin at each of so many seconds from `from` on: whether each result says that it is well.
fn check(checker: &mut Checker, from: u64, results: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (second, result) in results.chars().enumerate() {
        let now = at(from + second as u64 * 1000);
        checker.ask(&checker.text.clone(), now).unwrap();
        let due = due(checker, now);
        assert_eq!(due.len(), 1, "at {second} s");
        let outcome = if result == '+' { answered(200) } else { NONE };
        lines.extend(checker.done(due[0].number, &outcome, now).map(|change| change.line));
    }
    lines
}

fn says(checker: &mut Checker, now: Timestamp) -> Option<Word> {
    let word = checker.next_word(now)?;
    checker.said(true, now);
    Some(word)
}

#[test]
fn an_origin_is_well_until_so_many_checks_in_a_row_failed() {
    for (results, sick) in [("--", false), ("---", true), ("--+--+--", false), ("--+---", true)] {
        let mut checker = asked(3, 2);
        let lines = check(&mut checker, 0, results);
        let now = at(1000 * (results.len() as u64 - 1));
        let said = says(&mut checker, now).map(|word| word.sick_until);
        assert_eq!(said, sick.then(|| Some(now.plus(SICK_FOR))), "{results}");
        assert_eq!(lines.len(), usize::from(sick), "{results}");
    }
    let mut checker = asked(3, 2);
    let lines = check(&mut checker, 0, "---");
    assert_eq!(lines, ["pool `api`: http://a is sick: 3 checks in a row failed, the last one: refused"]);
}

#[test]
fn a_sick_origin_is_well_when_so_many_in_a_row_succeeded() {
    let mut checker = asked(1, 2);
    check(&mut checker, 0, "-");
    assert!(says(&mut checker, at(0)).is_some_and(|word| word.sick_until.is_some()));
    let lines = check(&mut checker, 1000, "+-+-+");
    assert_eq!((lines.len(), says(&mut checker, at(6000))), (0, None), "it flaps");
    let lines = check(&mut checker, 6000, "+");
    assert_eq!(lines, ["pool `api`: http://a is well again: 2 checks in a row say so"]);
    assert!(says(&mut checker, at(6000)).is_some_and(|word| word.sick_until.is_none()));
    assert_eq!(says(&mut checker, at(6000)), None, "once");
}

#[test]
fn what_an_answer_means_is_as_the_settings_say() {
    let begin = "x".repeat(BODY_BYTES - 2);
    for (body, status, answer, expected) in [
        (None, Some(200), "", true),
        (None, Some(299), "", true),
        (None, Some(302), "", false),
        (None, Some(199), "", false),
        (None, None, "", false),
        (Some("ok"), Some(200), "all is ok here", true),
        (Some("ok"), Some(200), "o k", false),
        (Some("ok"), Some(200), "", false),
        (Some("ok"), Some(500), "ok", false),
        (Some("ok"), Some(200), &format!("{begin}ok"), true),
        (Some("ok"), Some(200), &format!("{begin}.ok"), false),
        (Some(""), Some(200), "", true),
    ] {
        let health = Health { body: body.map(str::to_owned), ..health(1000, 1, 1) };
        let outcome = Outcome { status, body: answer.as_bytes(), why: "" };
        assert_eq!(is_well(&health, &outcome), expected, "{body:?} {status:?} {} bytes", answer.len());
    }
}

#[test]
fn nothing_is_checked_while_nobody_asks() {
    let mut checker = asked(1, 1);
    assert_eq!(due(&mut checker, at(0)).len(), 1);
    checker.done(1, &answered(200), at(0));
    assert_eq!(checker.wake_at(at(0)), Some(at(1000)));
    assert_eq!(due(&mut checker, at(299_999)).len(), 1);
    checker.done(2, &answered(200), at(299_999));
    assert_eq!((due(&mut checker, at(300_000)), checker.wake_at(at(300_000))), (vec![], None));
    // Whoever asks again, wakes it up.
    checker.ask(&checker.text.clone(), at(900_000)).unwrap();
    assert_eq!(checker.wake_at(at(900_000)), Some(at(300_999)));
    assert_eq!(due(&mut checker, at(900_000)).len(), 1);
}

#[test]
fn what_was_known_before_a_pause_is_not_held_against_an_origin_for_longer_than_the_log_does() {
    for (pause, sick) in [(Duration::from_mins(9), true), (Duration::from_mins(11), false)] {
        let mut checker = asked(2, 2);
        check(&mut checker, 0, "--");
        assert!(says(&mut checker, at(1000)).is_some());
        let now = at(1000).plus(pause);
        checker.ask(&checker.text.clone(), now).unwrap();
        assert_eq!(checker.origins[0].sick_since.is_some(), sick, "{pause:?}");
        let due = due(&mut checker, now);
        checker.done(due[0].number, &NONE, now);
        assert_eq!(checker.origins[0].sick_since.is_some(), sick, "one failure is no row of two");
    }
}

#[test]
fn a_row_does_not_go_on_over_a_pause() {
    let mut checker = asked(2, 2);
    check(&mut checker, 0, "-");
    check(&mut checker, 400_000, "-");
    assert_eq!(says(&mut checker, at(400_000)), None);
    check(&mut checker, 401_000, "-");
    assert!(says(&mut checker, at(401_000)).is_some());
}

#[test]
fn those_that_are_due_for_longest_come_first_and_the_others_when_there_is_room() {
    let urls: Vec<String> = (0..AT_ONCE + 2).map(|number| format!("http://{number}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut checker = Checker::default();
    checker.ask(&list(&[("api", &pool(Some(health(1000, 1, 1)), &urls))]), at(0)).unwrap();
    let first = due(&mut checker, at(0));
    assert_eq!((first.len(), due(&mut checker, at(0)).len()), (AT_ONCE, 0));
    assert_eq!(checker.wake_at(at(0)), Some(at(1000).plus(GRACE)), "the end of one calls by itself");
    for check in &first {
        checker.done(check.number, &answered(200), at(1500));
    }
    let next: Vec<String> = due(&mut checker, at(1500)).into_iter().map(|due| due.url).collect();
    assert_eq!(next[..3], ["http://6/healthz", "http://7/healthz", "http://0/healthz"]);
    assert_eq!(next.len(), AT_ONCE);
}

#[test]
fn a_check_whose_end_was_never_told_takes_nobodys_place_for_ever() {
    let mut checker = asked(1, 1);
    assert_eq!(due(&mut checker, at(0)).len(), 1);
    assert_eq!(due(&mut checker, at(10_999)).len(), 0);
    assert_eq!(due(&mut checker, at(11_000)).len(), 1);
}

#[test]
fn that_an_origin_is_sick_is_said_again_before_it_ends() {
    let mut checker = asked(1, 1);
    check(&mut checker, 0, "-");
    let word = checker.next_word(at(0)).unwrap();
    assert_eq!((word.pool.as_str(), word.url.as_str(), word.since), ("api", "http://a", at(0)));
    assert_eq!(checker.next_word(at(0)), None, "while it is being said");
    checker.said(true, at(10));
    checker.ask(&checker.text.clone(), at(200_000)).unwrap();
    let five = at(300_000);
    assert_eq!(says(&mut checker, five.minus(Duration::from_millis(1))), None);
    let again = checker.next_word(five).unwrap();
    assert_eq!((again.since, again.sick_until), (at(0), Some(five.plus(SICK_FOR))), "since then");
}

#[test]
fn what_the_log_does_not_take_is_said_again_after_pauses_that_grow() {
    let mut checker = asked(1, 1);
    check(&mut checker, 0, "-");
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert!(checker.next_word(now).is_some());
        checker.said(false, now);
        assert_eq!(checker.next_word(now), None);
        checker.ask(&checker.text.clone(), now).unwrap();
        let next = checker.origins.iter().find_map(|origin| say_at(origin, now)).unwrap().max(checker.say_again_at);
        pauses.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(says(&mut checker, now).is_some());
    assert_eq!(checker.unsaid, 0);
}

#[test]
fn another_list_keeps_what_is_known_of_origins_that_are_in_both() {
    let mut checker = Checker::default();
    let checks = health(10_000, 1, 2);
    let ask = |checker: &mut Checker, pools: &[(&str, &Pool)], now| checker.ask(&list(pools), now).unwrap();
    ask(&mut checker, &[("api", &pool(Some(checks.clone()), &["http://a", "http://b"]))], at(0));
    let begun = due(&mut checker, at(0));
    checker.done(begun[0].number, &NONE, at(0));
    let other = pool(Some(health(1000, 1, 1)), &["http://b"]);
    ask(&mut checker, &[("aaa", &other), ("api", &pool(Some(checks), &["http://c", "http://b", "http://a"]))], at(5));
    let urls: Vec<String> = due(&mut checker, at(5)).into_iter().map(|due| due.url).collect();
    assert_eq!(urls, ["http://b/healthz", "http://c/healthz"], "new ones; the same URL in another pool is one too");
    assert_eq!(checker.next_word(at(5)).map(|word| word.url).as_deref(), Some("http://a"), "sick as before");
    checker.said(true, at(5));
    checker.done(begun[1].number, &NONE, at(6));
    assert_eq!(checker.next_word(at(6)).map(|word| (word.pool, word.url)), Some(("api".into(), "http://b".into())));
    checker.said(true, at(6));
    // Other checks make nobody well, and begin anew at once.
    ask(&mut checker, &[("api", &pool(Some(health(2000, 1, 1)), &["http://a"]))], at(7));
    let begun = due(&mut checker, at(7));
    assert_eq!(begun.iter().map(|due| due.url.as_str()).collect::<Vec<_>>(), ["http://a/healthz"]);
    checker.done(begun[0].number, &answered(200), at(8));
    assert!(says(&mut checker, at(8)).is_some_and(|word| word.sick_until.is_none()));
    // No pool at all.
    ask(&mut checker, &[], at(9));
    assert_eq!((due(&mut checker, at(30_000)), checker.wake_at(at(30_000))), (vec![], None));
}

#[test]
fn a_result_that_nobody_waits_for_says_nothing() {
    let mut checker = asked(1, 1);
    let begun = due(&mut checker, at(0));
    assert_eq!(checker.done(begun[0].number + 1, &NONE, at(0)), None);
    assert!(checker.done(begun[0].number, &NONE, at(0)).is_some());
    assert_eq!(checker.done(begun[0].number, &NONE, at(0)), None, "nor one a second time");
}

#[test]
fn what_is_stored_is_all_that_counts() {
    let mut checker = asked(3, 2);
    check(&mut checker, 0, "---+");
    says(&mut checker, at(3000));
    let rows = checker.take_rows();
    let (list, state) = (rows.list.unwrap(), rows.state.unwrap());
    let mut opened = Checker::open(&list, &state);
    assert_eq!(opened.origins, checker.origins);
    assert_eq!(opened.wake_at(at(3500)), checker.wake_at(at(3500)));
    check(&mut opened, 4000, "+");
    assert!(says(&mut opened, at(4000)).is_some_and(|word| word.sick_until.is_none()));
    assert_eq!(opened.take_rows().list, None, "the list is the same");
    assert_eq!(Checker::open("5:what?", &state).wake_at(at(3500)), None, "a list of another version");
    let mut begun_anew = Checker::open(&list, "");
    assert_eq!(begun_anew.wake_at(at(3500)), None, "nobody is known to have asked");
    begun_anew.ask(&list, at(3500)).unwrap();
    assert_eq!(due(&mut begun_anew, at(3500)).len(), 1);
}

#[test]
fn only_so_many_origins_are_checked_and_that_is_said() {
    let urls: Vec<String> = (0..CHECKED).map(|number| format!("http://{number}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let (most, more) = (pool(Some(health(1000, 1, 1)), &urls), pool(Some(health(1000, 1, 1)), &["http://more"]));
    let mut checker = Checker::default();
    assert_eq!(checker.ask(&list(&[("most", &most)]), at(0)), Ok(None));
    let line = checker.ask(&list(&[("most", &most), ("z", &more)]), at(0)).unwrap();
    assert_eq!(line.as_deref(), Some("health: of 1001 origins only 1000 are checked"));
    assert_eq!(checker.origins.len(), CHECKED);
    assert_eq!(checker.ask("1:x", at(0)), Err(NoList));
}

/// The object, its storage, the origins and the log, by a clock of their own.
struct Life {
    checker: Checker,
    list: String,
    state: String,
    now: u64,
    asked_at: u64,
    /// Results that are on their way: when they come, the check's number, whether it says well, and of which origin.
    on_their_way: Vec<(u64, u32, bool, usize)>,
    /// By origin: what the log says, until when it is sick.
    log: BTreeMap<String, u64>,
    alarm: Option<u64>,
    random: u32,
    /// By origin: when its last check began, since the object last forgot and since it paused.
    began: BTreeMap<usize, u64>,
    /// By origin: how it must be, and results in a row that speak against that.
    model: Vec<(bool, u8)>,
    wakes: usize,
}

const ORIGINS: usize = 9;
const INTERVALS: [u64; 3] = [1000, 5000, 60_000];

fn interval(origin: usize) -> u64 {
    INTERVALS[origin / 3]
}

/// What happens to them.
#[derive(Debug, Clone)]
enum Step {
    /// So many milliseconds pass, while somebody asks or does not.
    Pass(u64, bool),
    /// An origin answers like that from now on: whether it is well, and how long it takes.
    Change(usize, bool, u64),
    /// The object's memory is lost.
    Forget,
    /// The log can be reached, or not.
    Log(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..20_000, prop::bool::weighted(0.9)).prop_map(|(time, asks)| Step::Pass(time, asks)),
        1 => (200_000_u64..900_000, prop::bool::weighted(0.3)).prop_map(|(time, asks)| Step::Pass(time, asks)),
        4 => (0..ORIGINS, any::<bool>(), 0_u64..900).prop_map(|(origin, well, takes)| Step::Change(origin, well, takes)),
        1 => Just(Step::Forget),
        1 => prop::bool::weighted(0.7).prop_map(Step::Log),
    ]
}

const UNHEALTHY_AFTER: u8 = 3;
const HEALTHY_AFTER: u8 = 2;

impl Life {
    fn begin() -> Life {
        let pools: Vec<Pool> = (0..3)
            .map(|pool_number| {
                let urls: Vec<String> = (0..3).map(|place| format!("http://{}", pool_number * 3 + place)).collect();
                let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
                pool(Some(health(INTERVALS[pool_number], UNHEALTHY_AFTER, HEALTHY_AFTER)), &urls)
            })
            .collect();
        let mut life = Life {
            checker: Checker::default(),
            list: list(&[("a", &pools[0]), ("b", &pools[1]), ("c", &pools[2])]),
            state: String::new(),
            now: 0,
            asked_at: 0,
            on_their_way: Vec::new(),
            log: BTreeMap::new(),
            alarm: None,
            random: 1,
            began: BTreeMap::new(),
            model: vec![(true, 0); ORIGINS],
            wakes: 0,
        };
        life.ask();
        life
    }

    fn ask(&mut self) {
        if self.now - self.asked_at >= 300_000 {
            // After a pause rows begin anew, and the log has forgotten.
            self.began.clear();
            for (origin, (well, against)) in self.model.iter_mut().enumerate() {
                *against = 0;
                *well |= self.log.get(&format!("http://{origin}")).is_none_or(|until| *until <= self.now);
            }
        }
        self.asked_at = self.now;
        self.checker.ask(&self.list.clone(), at(self.now)).unwrap();
    }

    /// As the object does it, whatever made it act.
    fn act(&mut self, origins: &[(bool, u64)], log_up: bool) {
        let mut random = self.random;
        let due = self.checker.due(at(self.now), &mut || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random
        });
        self.random = random;
        assert!(due.is_empty() || self.now - self.asked_at < 300_000, "nobody asked");
        for check in due {
            let origin: usize = check.url["http://".len()..].split('/').next().unwrap().parse().unwrap();
            if let Some(began) = self.began.insert(origin, self.now) {
                assert!(self.now - began >= interval(origin) * 9 / 10, "{origin} after {} ms", self.now - began);
            }
            let (well, takes) = origins[origin];
            self.on_their_way.push((self.now + takes, check.number, well, origin));
        }
        assert!(self.on_their_way.len() <= AT_ONCE);
        while let Some(word) = self.checker.next_word(at(self.now)) {
            if log_up {
                let until = word.sick_until.map_or(0, |until| until.since(at(0)).as_millis());
                self.log.insert(word.url, u64::try_from(until).unwrap());
            }
            self.checker.said(log_up, at(self.now));
        }
        let rows = self.checker.take_rows();
        assert!(rows.list.is_none_or(|list| list == self.list));
        self.state = rows.state.unwrap_or(std::mem::take(&mut self.state));
        let wake_at = self.checker.wake_at(at(self.now));
        assert_eq!(wake_at.is_some(), self.now - self.asked_at < 300_000, "it sleeps exactly while nobody asks");
        assert!(wake_at.is_none_or(|wake_at| wake_at > at(self.now)), "it would be woken up for nothing");
        self.alarm = wake_at.map(|at_| u64::try_from(at_.since(at(0)).as_millis()).unwrap());
    }

    fn pass(&mut self, time: u64, asks: bool, origins: &[(bool, u64)], log_up: bool) {
        let end = self.now + time;
        loop {
            let asked = if asks { self.now.max(self.asked_at + 60_000) } else { u64::MAX };
            let result = self.on_their_way.iter().map(|(when, ..)| *when).min().unwrap_or(u64::MAX);
            let next = asked.min(result).min(self.alarm.unwrap_or(u64::MAX));
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.wakes += 1;
            assert!(self.wakes < 200_000, "it never sleeps");
            if asked <= self.now {
                self.ask();
            }
            while let Some(place) = self.on_their_way.iter().position(|(when, ..)| *when <= self.now) {
                let (_, number, well, origin) = self.on_their_way.swap_remove(place);
                self.result(number, well, origin);
            }
            self.act(origins, log_up);
            self.check(log_up);
        }
        self.now = end;
    }

    fn result(&mut self, number: u32, well: bool, origin: usize) {
        let change = self.checker.done(number, &if well { answered(204) } else { NONE }, at(self.now));
        let (is_well, against) = &mut self.model[origin];
        *against = if well == *is_well { 0 } else { *against + 1 };
        let flips = *against == if *is_well { UNHEALTHY_AFTER } else { HEALTHY_AFTER };
        if flips {
            (*is_well, *against) = (!*is_well, 0);
        }
        let is_sick = change.map(|change| change.is_sick);
        assert_eq!(is_sick, flips.then_some(!*is_well), "origin {origin}");
    }

    /// What the log says is what is so, where it can be told; and nobody was left out.
    fn check(&self, log_up: bool) {
        if self.now - self.asked_at >= 300_000 {
            return;
        }
        for (origin, (well, _)) in self.model.iter().enumerate() {
            let said_sick = self.log.get(&format!("http://{origin}")).is_some_and(|until| *until > self.now);
            let settled = log_up && self.checker.unsaid == 0;
            assert!(!settled || said_sick != *well, "origin {origin} at {}", self.now);
            if let Some(began) = self.began.get(&origin) {
                // Its own interval, and the longest answer for whom it had to wait.
                let late = self.now - began;
                assert!(late <= interval(origin) + 2 * 900, "origin {origin} was left out for {late} ms");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_due_check_is_made_never_too_many_at_once_and_states_change_by_rows_alone(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut life = Life::begin();
        let mut origins = [(true, 10); ORIGINS];
        let mut log_up = true;
        life.act(&origins, log_up);
        for step in steps {
            match step {
                Step::Pass(time, asks) => life.pass(time, asks, &origins, log_up),
                Step::Change(origin, well, takes) => origins[origin] = (well, takes),
                Step::Log(up) => log_up = up,
                Step::Forget => {
                    life.checker = Checker::open(&life.list, &life.state);
                    // What was under way is lost: its origins wait for their next turn.
                    for (_, _, _, origin) in life.on_their_way.drain(..) {
                        life.began.remove(&origin);
                    }
                }
            }
        }
    }
}

use super::*;

const NOW: u64 = 1_700_000_000_000;

/// A counter of that object.
fn charge(shard: u8, quota: &str) -> Charge {
    let partition = u128::from(shard) << 120;
    Charge {
        key: Key { policy: 7, partition },
        quota: Quota::read(&mut quota.split(' ')).unwrap(),
        cost: 1,
        precision: Precision::Exact,
        when_unreachable: WhenUnreachable::Closed,
        deadline_ms: 50,
        later_ms: 0,
        shadow: false,
    }
}

fn leased(shard: u8) -> Charge {
    Charge { precision: Precision::Leased, ..charge(shard, "f 1000 60000 1000") }
}

fn local(charge: Charge) -> Charge {
    Charge { when_unreachable: WhenUnreachable::Local, ..charge }
}

fn open(charge: Charge) -> Charge {
    Charge { when_unreachable: WhenUnreachable::Open, ..charge }
}

const YES: Settled = Settled { admitted: true, left: 9, wait_ms: 500, lent: 0, lease_ms: 0, more_ms: 0 };
const NO: Settled = Settled { admitted: false, left: 0, wait_ms: 500, lent: 0, lease_ms: 0, more_ms: 0 };

fn asks(limiter: &mut Limiter, charges: &[Charge], now_ms: u64) -> Question {
    match limiter.plan(charges, now_ms) {
        Plan::Ask(question) => question,
        Plan::Decided(known) => panic!("nobody was asked: {known:?}"),
    }
}

fn decides(limiter: &mut Limiter, charges: &[Charge], now_ms: u64) -> Vec<Option<Standing>> {
    match limiter.plan(charges, now_ms) {
        Plan::Decided(known) => known,
        Plan::Ask(question) => panic!("it asks {question:?}"),
    }
}

/// Each object's word; those behind say nothing.
fn reply(said: &[&[Settled]]) -> Reply {
    Reply { objects: said.iter().map(|settled| (NOW, shard::write_settled(settled))).collect() }
}

/// Asks, and hears that 20 ms later.
fn hears(
    limiter: &mut Limiter,
    charges: &[Charge],
    now_ms: u64,
    said: &[&[Settled]],
) -> (Vec<Option<Standing>>, Vec<Undo>) {
    let question = asks(limiter, charges, now_ms);
    limiter.settle(charges, question, Some(&reply(said)), now_ms, now_ms + 20, 0)
}

/// Asks, and hears nothing for 50 ms.
fn hears_nothing(limiter: &mut Limiter, charges: &[Charge], now_ms: u64) -> (Vec<Option<Standing>>, Vec<Undo>) {
    let question = asks(limiter, charges, now_ms);
    limiter.settle(charges, question, None, now_ms, now_ms + 50, 0)
}

fn by(known: &[Option<Standing>]) -> Vec<Option<(By, bool)>> {
    known.iter().map(|standing| standing.map(|standing| (standing.by, standing.admitted))).collect()
}

/// One that was lent so many permits, for 6 s from [`NOW`] on.
fn lender(lent: u64, more_ms: u64) -> Limiter {
    let mut limiter = Limiter::new(1);
    let settled = Settled { lent, lease_ms: 6000, more_ms, ..YES };
    let (known, _) = hears(&mut limiter, &[leased(1)], NOW, &[&[settled]]);
    assert_eq!(known[0].unwrap().left, Some(lent));
    limiter
}

#[test]
fn a_remembered_refusal_is_not_asked_again_until_it_may_succeed() {
    let mut limiter = Limiter::new(1);
    let dear = [Charge { cost: 3, ..charge(1, "f 10 60000 10") }];
    let (known, _) = hears(&mut limiter, &dear, NOW, &[&[NO]]);
    assert_eq!(by(&known), [Some((By::Object, false))]);
    let known = decides(&mut limiter, &dear, NOW + 519);
    assert_eq!((by(&known), known[0].unwrap().wait_ms), (vec![Some((By::Memory, false))], 1));
    // What costs less may be there, and what costs more is not.
    asks(&mut limiter, &[Charge { cost: 2, ..dear[0] }], NOW + 100);
    decides(&mut limiter, &[Charge { cost: 4, ..dear[0] }], NOW + 100);
    asks(&mut limiter, &dear, NOW + 520);
}

#[test]
fn a_leased_spend_asks_no_object() {
    let mut limiter = lender(3, 0);
    for left in [2, 1, 0] {
        let known = decides(&mut limiter, &[leased(1)], NOW + 5000);
        assert_eq!(by(&known), [Some((By::Lease, true))]);
        assert_eq!(known[0].unwrap().left, Some(left));
    }
    asks(&mut limiter, &[leased(1)], NOW + 5000);
}

#[test]
fn a_lease_counts_from_when_it_was_asked_for() {
    decides(&mut lender(3, 0), &[leased(1)], NOW + 5999);
    asks(&mut lender(3, 0), &[leased(1)], NOW + 6000);
}

#[test]
fn what_is_left_of_a_lease_does_not_outlive_it() {
    let mut limiter = lender(3, 0);
    // More than there is: it asks, and is lent more. What is left of the first lease still ends when that does.
    let dear = [Charge { cost: 4, ..leased(1) }];
    let more = Settled { lent: 5, lease_ms: 6000, ..YES };
    hears(&mut limiter, &dear, NOW + 4000, &[&[more]]);
    let known = decides(&mut limiter, &[leased(1)], NOW + 4100);
    assert_eq!(known[0].unwrap().left, Some(7));
    let known = decides(&mut limiter, &[leased(1)], NOW + 6000);
    assert_eq!(known[0].unwrap().left, Some(4));
}

#[test]
fn who_got_his_share_asks_no_more_before_there_is_more() {
    let mut limiter = lender(1, 2000);
    decides(&mut limiter, &[leased(1)], NOW + 100);
    let known = decides(&mut limiter, &[leased(1)], NOW + 200);
    assert_eq!((by(&known), known[0].unwrap().wait_ms), (vec![Some((By::Lease, false))], 1800));
    asks(&mut limiter, &[leased(1)], NOW + 2000);
}

#[test]
fn one_question_at_a_time_asks_for_more() {
    let mut limiter = lender(1, 0);
    decides(&mut limiter, &[leased(1)], NOW + 500);
    let wants = |question: &Question| shard::read_charges(&question.objects[0].1).unwrap()[0].want.unwrap();
    let first = asks(&mut limiter, &[leased(1)], NOW + 1000);
    let second = asks(&mut limiter, &[leased(1)], NOW + 1001);
    assert!(wants(&first) > 0 && wants(&second) == 0, "{first:?} {second:?}");
    // The other one's answer is not its own.
    limiter.settle(&[leased(1)], second, Some(&reply(&[&[YES]])), NOW + 1001, NOW + 1010, 0);
    assert_eq!(wants(&asks(&mut limiter, &[leased(1)], NOW + 1011)), 0);
    limiter.settle(&[leased(1)], first, None, NOW + 1000, NOW + 1050, 0);
    assert!(wants(&asks(&mut limiter, &[leased(1)], NOW + 1051)) > 0);
}

#[test]
fn it_asks_for_what_it_needs() {
    let mut limiter = Limiter::new(1);
    let mut wants = Vec::new();
    // Ten a second, of a quota with a lease of 6 s, that is meant for 4.
    for number in 0..1000 {
        let now = NOW + number * 100;
        let charges = [Charge { precision: Precision::Leased, ..charge(1, "g 6000 60000 6000") }];
        if let Plan::Ask(question) = limiter.plan(&charges, now) {
            let lent = shard::read_charges(&question.objects[0].1).unwrap()[0].want.unwrap();
            wants.push(lent);
            let settled = Settled { lent, lease_ms: 6000, ..YES };
            limiter.settle(&charges, question, Some(&reply(&[&[settled]])), now, now + 20, 0);
        }
    }
    assert!(wants.len() < 35 && wants[5..].iter().all(|want| (36..=44).contains(want)), "{wants:?}");
}

#[test]
fn what_one_policy_refuses_costs_no_lease() {
    let mut limiter = lender(2, 0);
    let both = [leased(1), charge(2, "f 10 60000 10")];
    let (known, undos) = hears(&mut limiter, &both, NOW + 100, &[&[NO]]);
    assert_eq!((by(&known), undos.len()), (vec![Some((By::Lease, true)), Some((By::Object, false))], 0));
    // Nor does one that is remembered to be refused.
    decides(&mut limiter, &both, NOW + 200);
    let known = decides(&mut limiter, &[leased(1)], NOW + 300);
    assert_eq!(known[0].unwrap().left, Some(1));
}

#[test]
fn what_objects_took_back_was_not_lent() {
    let lent = Settled { lent: 50, lease_ms: 6000, ..YES };
    // Another object refused; or this one, under another policy; or one did not answer, and the policy is closed.
    let same = Charge { key: Key { policy: 8, ..leased(1).key }, ..charge(1, "f 10 60000 10") };
    let other = charge(2, "f 10 60000 10");
    let cases: [(&[Charge], &[&[Settled]]); 3] = [
        (&[leased(1), other], &[&[lent], &[NO]]),
        (&[leased(1), same], &[&[lent, NO]]),
        (&[leased(1), other], &[&[lent]]),
    ];
    for (charges, said) in cases {
        let mut limiter = Limiter::new(1);
        hears(&mut limiter, charges, NOW, said);
        asks(&mut limiter, &[leased(1)], NOW + 100);
    }
}

#[test]
fn what_an_object_took_is_undone_when_the_one_behind_says_nothing_and_the_policy_is_closed() {
    let [first, second] = [charge(1, "f 10 60000 10"), charge(2, "f 10 60000 10")];
    let mut limiter = Limiter::new(1);
    let (known, undos) = hears(&mut limiter, &[second, first], NOW, &[&[YES]]);
    assert_eq!(by(&known), [Some((By::Unreachable, false)), Some((By::Object, true))]);
    let [(object, at, text, said)] = &undos[..] else { panic!("{undos:?}") };
    assert_eq!((*object, *at), (1, NOW));
    assert_eq!(shard::read_charges(text).unwrap()[0].key, first.key);
    assert_eq!(shard::read_settled(said).unwrap(), [YES]);
    for second in [local(second), open(second), Charge { shadow: true, ..second }] {
        let (known, undos) = hears(&mut limiter, &[second, first], NOW, &[&[YES]]);
        assert!(!refuses(&[second, first], &known) && undos.is_empty(), "{known:?} {undos:?}");
    }
    // An object that refuses has undone it all by itself.
    let (_, undos) = hears(&mut Limiter::new(1), &[second, first], NOW, &[&[YES], &[NO]]);
    assert_eq!(undos, []);
}

#[test]
fn objects_are_told_for_how_long_something_else_may_refuse_the_request() {
    let [first, second] = [charge(1, "f 10 60000 10"), charge(2, "f 10 60000 10")];
    let later = |charge: Charge| Charge { later_ms: 300, ..charge };
    let cases: [(&[Charge], &[u64]); 4] = [
        (&[first], &[0]),
        (&[later(first)], &[400]),
        (&[second, first], &[100, 0]),
        (&[later(second), later(first)], &[400, 400]),
    ];
    for (charges, expected) in cases {
        let question = asks(&mut Limiter::new(1), charges, NOW);
        let told = |text: &String| shard::read_charges(text).unwrap()[0].unsure_ms;
        let told: Vec<u64> = question.objects.iter().map(|(_, text)| told(text)).collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn without_its_object_a_policy_is_open_closed_or_the_isolates_own() {
    let two = charge(1, "f 2 60000 2");
    for (charge, expected) in [
        (two, [(By::Unreachable, false); 3]),
        (open(two), [(By::Unreachable, true); 3]),
        (local(two), [(By::Local, true), (By::Local, true), (By::Local, false)]),
    ] {
        let mut limiter = Limiter::new(1);
        for (number, expected) in (0..).zip(expected) {
            let (known, undos) = hears_nothing(&mut limiter, &[charge], NOW + number * 100);
            assert_eq!((by(&known), undos.len()), (vec![Some(expected)], 0));
        }
    }
}

#[test]
fn it_asks_before_all_is_spent_and_spends_the_rest_when_the_object_says_nothing() {
    let mut limiter = lender(200, 0);
    let one = [leased(1)];
    // One each millisecond: some will come before an answer does.
    let asked = (100..300).find(|later| matches!(limiter.plan(&one, NOW + later), Plan::Ask(_))).unwrap();
    assert!((280..300).contains(&asked), "{asked}");
    let question = Question { objects: vec![(1, String::new())], places: vec![vec![0]], known: vec![None] };
    let (known, _) = limiter.settle(&one, question, None, NOW + asked, NOW + asked + 50, 0);
    assert_eq!(by(&known), [Some((By::Lease, true))]);
    // Nor does the object's refusal take away what is there.
    let (known, _) = hears(&mut limiter, &one, NOW + 400, &[&[NO]]);
    assert_eq!(by(&known), [Some((By::Lease, true))]);
    assert_eq!(by(&decides(&mut limiter, &one, NOW + 430)), [Some((By::Lease, true))]);
}

#[test]
fn permits_of_an_old_lease_do_not_come_back_to_a_new_one() {
    let mut limiter = lender(2, 0);
    let both = [leased(1), charge(2, "f 10 60000 10")];
    let question = asks(&mut limiter, &both, NOW + 100);
    let more = Settled { lent: 5, lease_ms: 6000, ..YES };
    hears(&mut limiter, &[Charge { cost: 4, ..leased(1) }], NOW + 105, &[&[more]]);
    limiter.settle(&both, question, Some(&reply(&[&[NO]])), NOW + 100, NOW + 140, 0);
    assert_eq!(decides(&mut limiter, &[leased(1)], NOW + 150)[0].unwrap().left, Some(5));
}

/// When it asks again, within a minute.
fn asks_again(limiter: &mut Limiter, charges: &[Charge], from_ms: u64) -> u64 {
    let mut times = (from_ms..from_ms + 60_000).step_by(10);
    times.find(|now_ms| matches!(limiter.plan(charges, *now_ms), Plan::Ask(_))).unwrap()
}

#[test]
fn an_object_that_does_not_answer_is_left_alone_and_then_tried_once() {
    let mut limiter = Limiter::new(1);
    let one = [charge(1, "f 10 60000 10")];
    let mut now = NOW;
    for _ in 0..PATIENCE {
        hears_nothing(&mut limiter, &one, now);
        now += 100;
    }
    assert_eq!(by(&decides(&mut limiter, &one, now)), [Some((By::Unreachable, false))]);
    // Other objects are none the worse for it.
    asks(&mut limiter, &[charge(2, "f 10 60000 10")], now);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let from = now;
        now = asks_again(&mut limiter, &one, now);
        pauses.push(now - from);
        // While it is tried nobody else does.
        decides(&mut limiter, &one, now + 10);
        let question = Question { objects: vec![(1, String::new())], places: vec![vec![0]], known: vec![None] };
        limiter.settle(&one, question, None, now, now + 50, u64::MAX);
        now += 50;
    }
    let grow = pauses.windows(2).all(|two| two[1] + 20 >= two[0]);
    assert!(grow && pauses[0] <= 1000 && (1000..2100).contains(&pauses[1]) && pauses[6] <= 16_000, "{pauses:?}");
    now = asks_again(&mut limiter, &one, now);
    let question = Question { objects: vec![(1, String::new())], places: vec![vec![0]], known: vec![None] };
    limiter.settle(&one, question, Some(&reply(&[&[YES]])), now, now + 20, 0);
    asks(&mut limiter, &one, now + 30);
    asks(&mut limiter, &one, now + 30);
}

#[test]
fn questions_that_fail_together_are_one_failure() {
    let mut limiter = Limiter::new(1);
    let one = [charge(1, "f 10 60000 10")];
    let questions: Vec<Question> = (0..20).map(|_| asks(&mut limiter, &one, NOW)).collect();
    for question in questions {
        limiter.settle(&one, question, None, NOW, NOW + 50, 0);
    }
    asks(&mut limiter, &one, NOW + 60);
}

#[test]
fn two_objects_that_come_back_are_both_tried() {
    let mut limiter = Limiter::new(1);
    let both = [charge(1, "f 10 60000 10"), charge(2, "f 10 60000 10")];
    for one in both {
        for number in 0..u64::from(PATIENCE) {
            hears_nothing(&mut limiter, &[one], NOW + number * 100 + 550 * u64::from(one.key.shard() - 1));
        }
    }
    // Requests that need both come all the time, and never ask one for nothing.
    let asked = (0..500).any(|number| matches!(limiter.plan(&both, NOW + 1000 + number * 10), Plan::Ask(_)));
    assert!(asked);
}

#[test]
fn an_answer_of_another_version_is_none() {
    let mut limiter = Limiter::new(1);
    let one = [open(charge(1, "f 10 60000 10"))];
    for said in ["yes", "1 2 3 4 5 6\n1 2 3 4 5 6", ""] {
        let question = asks(&mut limiter, &one, NOW);
        let said = Reply { objects: vec![(NOW, said.to_owned())] };
        let (known, _) = limiter.settle(&one, question, Some(&said), NOW, NOW + 20, 0);
        assert_eq!(by(&known), [Some((By::Unreachable, true))]);
    }
}

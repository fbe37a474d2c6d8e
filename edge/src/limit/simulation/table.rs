//! What leases cost and what they save, as a table for the docs.

use std::fmt::Write as _;

use super::turns;
use super::{Arrivals, Outcome, Policy, Setup, Spread, algorithm, calm, exact, leased, run};
use crate::config::{Precision, WhenUnreachable};

/// One row: what it is called, whether the goals hold there, and how it is set up.
struct Scenario {
    name: &'static str,
    /// Whether leases are to use at least 95 % of the quota, with at most a tenth of the questions.
    has_goals: bool,
    setup: Setup,
}

const ISOLATES: u32 = 20;
const PERMITS: u32 = 200 * ISOLATES;

/// So many tenths of the quota are offered.
fn steady(policy: Policy, tenths: u64) -> Setup {
    let setup = calm(policy, ISOLATES as usize, u64::from(PERMITS) * tenths / 600, 240_000);
    Setup { measured_from: 120_000, ..setup }
}

fn scenarios() -> Vec<Scenario> {
    let gcra = || algorithm("gcra", PERMITS, 60, PERMITS);
    let goal = |name, setup| Scenario { name, has_goals: true, setup };
    let other = |name, setup| Scenario { name, has_goals: false, setup };
    let local = |policy| Policy { when_unreachable: WhenUnreachable::Local, ..policy };
    let mut scenarios = Vec::new();
    for (name, tenths) in [("steady, at the quota", 10), ("steady, half more", 15), ("steady, three times as much", 30)]
    {
        for kind in ["gcra", "sliding", "fixed"] {
            let algorithm = algorithm(kind, PERMITS, 60, PERMITS);
            scenarios.push(other(name, steady(exact(algorithm), tenths)));
            scenarios.push(goal(name, steady(leased(algorithm), tenths)));
        }
    }
    let short = algorithm("gcra", PERMITS, 10, PERMITS);
    let short =
        Setup { lasts_ms: 60_000, measured_from: 30_000, ..calm(leased(short), 20, u64::from(PERMITS) * 15 / 100, 0) };
    let many = algorithm("fixed", 60_000, 10, 1);
    let many = Setup { lasts_ms: 30_000, measured_from: 10_000, ..calm(leased(many), 300, 6000, 0) };
    let pulses = Arrivals::Bursts { per_second: u64::from(PERMITS) * 10 / 60, on_ms: 3000, off_ms: 12_000 };
    let down = vec![(0, 150_000, 210_000)];
    scenarios.extend([
        goal("steady, half more", short),
        goal("300 isolates, at the quota", many),
        goal("skewed over isolates, half more", Setup { spread: Spread::Skewed, ..steady(leased(gcra()), 15) }),
        goal("half of it in one isolate, half more", Setup { spread: Spread::Hot, ..steady(leased(gcra()), 15) }),
        goal("3 s of every 15 s, twice as much", Setup { arrivals: pulses, ..steady(leased(gcra()), 0) }),
        goal("costs up to 5, half more", Setup { most_cost: 5, ..steady(leased(gcra()), 10) }),
        goal("1 % of messages lost, half more", Setup { lost_per_mille: 10, ..steady(leased(gcra()), 15) }),
        goal(
            "isolates live for 2 min, objects for 30 s, half more",
            Setup { lives_ms: 120_000, restarts_ms: 30_000, ..steady(leased(gcra()), 15) },
        ),
        goal(
            "all over the world, 400 ms to answer, half more",
            Setup { widest_ms: 149, deadline_ms: 400, ..steady(leased(gcra()), 15) },
        ),
        other("100 permits for each isolate, half more", Setup { isolates: 40, ..steady(leased(gcra()), 15) }),
        other(
            "all over the world, 50 ms to answer, twice as much, `local`",
            Setup { widest_ms: 149, ..steady(local(exact(gcra())), 20) },
        ),
        other(
            "1 min without the object, twice as much, `local`",
            Setup { outages: down.clone(), ..steady(local(exact(gcra())), 20) },
        ),
        other(
            "1 min without the object, twice as much, `closed`",
            Setup { outages: down.clone(), ..steady(exact(gcra()), 20) },
        ),
        other(
            "1 min without the object, twice as much, `local`",
            Setup { outages: down, ..steady(local(leased(gcra())), 20) },
        ),
    ]);
    scenarios
}

/// Requests under way at once: what it is called, and how it is set up.
fn at_once() -> [(&'static str, turns::Setup); 4] {
    let calm = turns::Setup { permits: 10, ..turns::calm() };
    let lossy = turns::Setup { lost_per_mille: 10, restarts_ms: 30_000, lives_ms: 120_000, step_ms: 200, ..calm };
    [
        ("twice as much as there is room for", calm),
        ("the same, 40 % of the clients leave", turns::Setup { leave_per_mille: 400, ..calm }),
        ("the same, the object restarts every 30 s, isolates live for 2 min, 1 % of messages lost", lossy),
        ("the same, all over the world, 400 ms to answer", turns::Setup { widest_ms: 149, deadline_ms: 400, ..lossy }),
    ]
}

/// Their rows: what is used of a quota is the time that permits are in use; a question is every message to the object.
fn rows_at_once() -> String {
    let mut text = String::new();
    for (name, setup) in at_once() {
        let turns::Outcome { offered, admitted, busy, questions, most, .. } = turns::run(&setup, 1);
        let (permits, queue) = (setup.permits, setup.queue);
        let (share, calls) = (percent(busy), percent(questions * 1000 / offered));
        let excess = most.saturating_sub(permits.into());
        let _ = writeln!(
            text,
            "| {name} | exact | concurrency, {permits} at once, {queue} wait | {offered} | {admitted} | {share} | {calls} | {excess} |"
        );
    }
    text
}

fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// As Markdown.
fn table(rows: &[(Scenario, Outcome)]) -> String {
    let mut text = String::from(
        "| scenario | precision | quota | offered | admitted | of the quota | questions a request | past the law |\n\
         |---|---|---|--:|--:|--:|--:|--:|\n",
    );
    for (Scenario { name, setup, .. }, outcome) in rows {
        let policy = &setup.policies[0];
        let precision = match policy.precision {
            Precision::Exact => "exact",
            Precision::Leased => "leased",
        };
        let quota = policy.said();
        let Outcome { offered, admitted, share_of_quota, calls_per_request, excess, .. } = outcome;
        let (share, calls) = (percent(*share_of_quota), percent(*calls_per_request));
        let _ = writeln!(
            text,
            "| {name} | {precision} | {quota} | {offered} | {admitted} | {share} | {calls} | {excess} |"
        );
    }
    text
}

#[test]
fn the_table_in_the_docs_is_what_comes_of_it() {
    let rows: Vec<(Scenario, Outcome)> = scenarios()
        .into_iter()
        .map(|scenario| {
            let outcome = run(&scenario.setup, 1);
            (scenario, outcome)
        })
        .collect();
    let text = table(&rows) + &rows_at_once();
    for (Scenario { name, has_goals, setup }, outcome) in &rows {
        let holds = outcome.share_of_quota >= 950 && outcome.calls_per_request <= 100;
        assert!(!has_goals || holds, "{name}: {:?}\n{text}", setup.policies);
    }
    assert!(include_str!("../../../../docs/limits-table.md") == text, "docs/limits-table.md should be:\n{text}");
}

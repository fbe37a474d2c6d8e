//! The public suite of cache tests (npm `http-cache-tests`): case by case through the whole edge in memory, and with the
//! suite's own server and client through `rimward serve`.
//!
//! `CACHE_TESTS` names the cases of another form of the suite, made by `tests/conformance/cases.mjs`; `CACHE_TESTS_SUITE`
//! the folder of that form, whose server and client the run through `rimward serve` then takes.

mod client;
mod origin;
mod real;
mod suite;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use crate::runtime::made_by;
use crate::world::{Folder, Seen, Sent, Served, settings, site};
use client::{Proxy, run};
use origin::Origin;
use suite::{Case, Failure, Unused, Verdict, judge, verdict};

/// Why a case need not pass, by its id: everywhere, or on the real runtime.
const EXCEPTIONS: &str = include_str!("../conformance/exceptions.json");

/// The edge before the server of a case.
struct Edge(Served);

/// A time like any other: Sat, 21 Nov 2026.
const START: Duration = Duration::from_hours(498_672);

impl Edge {
    fn before(origin: &Rc<Origin>) -> Edge {
        // Many cases take for granted that what is stale stands in for a server that fails; and that answers which set
        // cookies are kept.
        let policy = json!({ "stale_if_error_s": 86_400, "set_cookie": "keep" });
        let served = site(
            &settings(json!({
                "pools": { "suite": { "origins": [{ "url": "http://suite.internal" }], "timeout": { "answer_ms": 10_000 }, "retry": { "attempts": 0, "budget_permille": 0 } } },
                "caches": { "suite": policy },
                "routes": [{ "path": "/*", "pool": "suite", "cache": "suite" }],
            })),
            &Folder::new("r1", "/"),
        );
        let origin = Rc::clone(origin);
        served.world.origins.replace(Some(Rc::new(move |asked, now| origin.answer(asked, now))));
        served.world.pass(START);
        Edge(served)
    }
}

impl Proxy for Edge {
    fn send(&self, request: &Sent) -> Seen {
        self.0.ask(request)
    }

    fn pass(&self, time: Duration) {
        self.0.world.pass(time);
    }
}

fn results(cases: &[Case]) -> BTreeMap<String, Result<(), Failure>> {
    let own = cases.iter().zip(0_u32..).map(|(case, number)| {
        let body = format!("{number:08x}-0000-4000-8000-000000000000");
        let origin = Rc::new(Origin::new(case, body.clone()));
        (case.id.clone(), run(case, &body, &origin, &Edge::before(&origin)))
    });
    judge(cases, &own.collect())
}

/// The cases to run, and whether they are those that the exceptions are of.
fn cases() -> (PathBuf, Unused) {
    match std::env::var_os("CACHE_TESTS") {
        Some(other) => (other.into(), Unused::Allowed),
        None => (made_by("make cache-tests", "target/conformance/cases.json"), Unused::Wrong),
    }
}

/// The reasons that count in these places, with those that only later forms of the suite need where it is one of them.
fn exceptions(places: &[&str], unused: Unused) -> BTreeMap<String, String> {
    let all: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(EXCEPTIONS).unwrap();
    let counts = |name: &str| match name.strip_suffix(", later forms") {
        Some(place) => unused == Unused::Allowed && places.contains(&place),
        None => places.contains(&name),
    };
    all.into_iter().filter(|(name, _)| counts(name)).flat_map(|(_, reasons)| reasons).collect()
}

#[track_caller]
fn expect(verdict: &Verdict) {
    println!("{}", verdict.report);
    let Verdict { report, unexpected } = verdict;
    assert!(unexpected.is_empty(), "against the list of exceptions:\n{}\n{report}", unexpected.join("\n"));
}

#[test]
fn the_public_suite_passes_but_for_exceptions_with_reasons() {
    let (path, unused) = cases();
    let cases = suite::cases(&std::fs::read(&path).unwrap());
    println!("In memory:");
    expect(&verdict(&cases, &results(&cases), &exceptions(&["everywhere"], unused), unused));
}

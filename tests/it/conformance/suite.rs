//! The public suite's cases and what it makes of their results: a rule is kept, or an optimal cache would do better, or it
//! is merely good to know; a case whose dependencies failed says nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde_json::Value;

/// One case, as the suite describes it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The name of the set of cases that it is in.
    pub(crate) set: String,
    pub(crate) depends_on: Vec<String>,
    pub(crate) requests: Vec<Value>,
}

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Required,
    Optimal,
    Check,
}

/// Why a case did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What the case takes for granted did not hold.
    Setup(String),
    /// What it asserts did not hold.
    Assertion(String),
    /// A case that it depends on did not pass.
    Dependency(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Setup(text) => write!(formatter, "setup: {text}"),
            Failure::Assertion(text) => formatter.write_str(text),
            Failure::Dependency(id) => write!(formatter, "depends on `{id}`"),
        }
    }
}

/// Reads the cases for a proxy out of the suite's JSON.
pub(crate) fn cases(json: &[u8]) -> Vec<Case> {
    let all: Vec<Value> = serde_json::from_slice(json).expect("the suite's cases are JSON");
    all.iter().filter(|case| case["browser_only"] != true).map(Case::new).collect()
}

impl Case {
    fn new(case: &Value) -> Case {
        let text = |member: &str| case[member].as_str().unwrap_or_default().to_owned();
        Case {
            id: text("id"),
            kind: match case["kind"].as_str() {
                None | Some("required") => Kind::Required,
                Some("optimal") => Kind::Optimal,
                Some("check") => Kind::Check,
                Some(other) => panic!("`{other}` is no kind of case"),
            },
            set: text("set"),
            depends_on: case["depends_on"].as_array().map_or(Vec::new(), |ids| {
                ids.iter().map(|id| id.as_str().expect("dependencies are ids").to_owned()).collect()
            }),
            requests: case["requests"].as_array().expect("a case has requests").clone(),
        }
    }
}

/// The results of all cases, each of which counts only if those that it depends on do.
pub(crate) fn judge(
    cases: &[Case],
    own: &BTreeMap<String, Result<(), Failure>>,
) -> BTreeMap<String, Result<(), Failure>> {
    let by_id: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    cases.iter().map(|case| (case.id.clone(), judge_one(case, &by_id, own))).collect()
}

fn judge_one(
    case: &Case,
    by_id: &BTreeMap<&str, &Case>,
    own: &BTreeMap<String, Result<(), Failure>>,
) -> Result<(), Failure> {
    for id in &case.depends_on {
        let needed = by_id.get(id.as_str()).unwrap_or_else(|| panic!("{} depends on {id}, which is no case", case.id));
        judge_one(needed, by_id, own).map_err(|_| Failure::Dependency(id.clone()))?;
    }
    own[&case.id].clone()
}

/// How the results stand against the list of exceptions.
pub(crate) struct Verdict {
    /// The counts and every exception that was made use of, for people.
    pub(crate) report: String,
    /// What fails without a reason, and what has a reason and passes.
    pub(crate) unexpected: Vec<String>,
}

/// The suite's cases for RFC 9213, which are counted on their own.
const TARGETED: &str = "cdn-cache-control";

/// Compares results with exceptions, by id. What is merely good to know is counted and needs no reason.
pub(crate) fn verdict(
    cases: &[Case],
    results: &BTreeMap<String, Result<(), Failure>>,
    exceptions: &BTreeMap<String, String>,
    unused: Unused,
) -> Verdict {
    let (mut report, mut unexpected) = (String::new(), Vec::new());
    for (kind, name) in [(Kind::Required, "required"), (Kind::Optimal, "optimal"), (Kind::Check, "checks")] {
        let count = |targeted: bool| {
            let counted = cases.iter().filter(|case| case.kind == kind && (case.set == TARGETED) == targeted);
            let (passed, failed): (Vec<_>, Vec<_>) = counted.partition(|case| results[&case.id].is_ok());
            format!("{} of {}", passed.len(), passed.len() + failed.len())
        };
        writeln!(report, "{name}: {}, CDN-Cache-Control: {}", count(false), count(true)).expect("a string takes it");
    }
    for case in cases.iter().filter(|case| case.kind != Kind::Check) {
        match (&results[&case.id], exceptions.get(&case.id)) {
            (Err(failure), None) => unexpected.push(format!("{} of {}: {failure}", case.id, case.set)),
            (Err(failure), Some(reason)) => {
                writeln!(report, "  {}: {failure}\n    {reason}", case.id).expect("a string takes it");
            }
            (Ok(()), Some(_)) if unused == Unused::Wrong => unexpected.push(format!("{} passes", case.id)),
            (Ok(()), _) => {}
        }
    }
    if unused == Unused::Wrong {
        let is_case = |id: &str| cases.iter().any(|case| case.id == id);
        unexpected.extend(exceptions.keys().filter(|id| !is_case(id)).map(|id| format!("{id} is no case")));
    }
    Verdict { report, unexpected }
}

/// What an exception is that nothing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unused {
    /// A mistake in the list.
    Wrong,
    /// It is of another form of the suite.
    Allowed,
}

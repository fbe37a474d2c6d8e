//! The public suite's cases and what it makes of their results: a rule is kept, or an optimal cache would do better, or it
//! is merely good to know; a case whose dependencies failed says nothing.

use std::collections::BTreeMap;
use std::fmt;

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

/// How many of a kind passed, and how many there are.
pub(crate) fn count(cases: &[Case], results: &BTreeMap<String, Result<(), Failure>>, kind: Kind) -> (usize, usize) {
    let of_kind = || cases.iter().filter(|case| case.kind == kind);
    (of_kind().filter(|case| results[&case.id].is_ok()).count(), of_kind().count())
}

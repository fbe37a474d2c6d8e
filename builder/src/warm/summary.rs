//! What came of a run: statuses, cache states, times. For a table, and for `--json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use serde::Serialize;
use sfv::{BareItem, List, ListEntry, Parameters, Parser};

use super::run::{Answered, Outcome};
use super::visits::Visit;
use crate::client::CallError;

/// Requests that went wrong and are told one by one; the others are counted.
const FAILURES_SHOWN: usize = 20;

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Requests that have an outcome.
    pub requests: usize,
    /// Of answers.
    pub bytes: u64,
    /// Requests by status.
    pub status: BTreeMap<u16, usize>,
    /// Requests by what the cache says of them (RFC 9211): `hit`, or why it forwarded them.
    pub cache: BTreeMap<String, usize>,
    /// Requests without an answer, or with one of 400 and above.
    pub failed: usize,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// Requests for which nothing could be reached.
    pub unreachable: usize,
    times: Vec<Duration>,
}

/// A request that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was asked for.
    pub url: String,
    /// What was sent beside the URL, where it is not the same for all: names and values.
    pub fields: BTreeMap<String, String>,
    /// Why.
    pub why: String,
}

/// Times of whole answers, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// Half of them took no longer.
    pub median: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// The longest.
    pub longest: f64,
}

impl Summary {
    /// Counts an outcome in.
    pub fn add(&mut self, visit: &Visit, outcome: &Outcome) {
        self.requests += 1;
        let why = match outcome {
            Ok(answered) => {
                self.add_answer(answered);
                (answered.status >= 400).then(|| format!("answered {}", answered.status))
            }
            Err(error) => {
                self.unreachable += usize::from(matches!(error, CallError::Unreachable(_)));
                Some(error.to_string())
            }
        };
        let Some(why) = why else { return };
        self.failed += 1;
        if self.failures.len() < FAILURES_SHOWN {
            let fields = visit.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "accept" | "sec-fetch-mode"));
            self.failures.push(Failure { url: visit.url.to_string(), fields: fields.cloned().collect(), why });
        }
    }

    fn add_answer(&mut self, answered: &Answered) {
        self.bytes += answered.bytes;
        *self.status.entry(answered.status).or_insert(0) += 1;
        *self.cache.entry(answered.cache.clone()).or_insert(0) += 1;
        self.times.push(answered.time);
    }

    /// Of the answers; `None` where there is none.
    pub fn times(&self) -> Option<Times> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1));
        let milliseconds = |time: &Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        Some(Times { median: milliseconds(at(50)?), p95: milliseconds(at(95)?), longest: milliseconds(at(100)?) })
    }

    /// For a person.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |name: &str, value: String| {
            // Writing into a text cannot fail.
            let _ = writeln!(table, "{name:<10}{value}");
        };
        line("requests", format!("{}, {} failed", self.requests, self.failed));
        if !self.status.is_empty() {
            line("status", counts(self.status.iter().map(|(status, &count)| (status.to_string(), count))));
            line("cache", counts(self.cache.iter().map(|(state, &count)| (state.clone(), count))));
            line("bytes", self.bytes.to_string());
        }
        if let Some(Times { median, p95, longest }) = self.times() {
            line("time", format!("{median} ms median, {p95} ms for 95 of 100, {longest} ms at most"));
        }
        table
    }
}

/// The most frequent first.
fn counts(counts: impl Iterator<Item = (String, usize)>) -> String {
    let mut counts: Vec<(String, usize)> = counts.collect();
    counts.sort_by(|(one, one_count), (other, other_count)| other_count.cmp(one_count).then_with(|| one.cmp(other)));
    let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    counts.join(", ")
}

/// What the cache says of an answer: `hit`, the reason why it forwarded the request and whether it kept the answer, or
/// that it says nothing.
pub(super) fn cache_state(headers: &HeaderMap) -> String {
    const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
    let lines: Vec<&[u8]> = headers.get_all(CACHE_STATUS).iter().map(http::HeaderValue::as_bytes).collect();
    let list: Option<List> = Parser::new(&lines.join(&b", "[..])).parse().ok();
    let members: Vec<_> = list.iter().flatten().filter_map(item).collect();
    // Caches in front of the edge, and the origin's, may speak too. The last member is the closest to the client.
    let ours = members.iter().rev().find(|(name, _)| name == "rimward").or(members.last());
    ours.map_or_else(|| "nothing said".to_owned(), |(_, said)| state(said))
}

fn item(member: &ListEntry) -> Option<(String, &Parameters)> {
    let ListEntry::Item(item) = member else { return None };
    let name = match &item.bare_item {
        BareItem::Token(name) => name.as_str().to_owned(),
        BareItem::String(name) => name.as_str().to_owned(),
        _ => return None,
    };
    Some((name, &item.params))
}

fn state(said: &Parameters) -> String {
    let is = |name: &str| said.get(name) == Some(&BareItem::Boolean(true));
    if is("hit") {
        // RFC 9211 §2.4: a time to live below zero is of what is stale.
        let is_stale = said.get("ttl").and_then(BareItem::as_integer).is_some_and(|ttl| i64::from(ttl) < 0);
        return if is_stale { "hit (stale)" } else { "hit" }.to_owned();
    }
    let word = |name: &str| said.get(name).and_then(BareItem::as_token).map(sfv::TokenRef::as_str);
    match (word("fwd"), word("detail")) {
        (Some(reason), _) if is("stored") => format!("{reason} (stored)"),
        (Some(reason), _) => reason.to_owned(),
        // An answer of the edge's own.
        (None, detail) => detail.unwrap_or("neither hit nor forwarded").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        let value = |line: &&str| (HeaderName::from_static("cache-status"), HeaderValue::from_str(line).unwrap());
        assert_eq!(cache_state(&lines.iter().map(value).collect()), expected, "{lines:?}");
    }

    #[test]
    fn the_cache_of_the_edge_is_heard_among_others() {
        check(&["rimward; hit; ttl=30"], "hit");
        check(&["rimward; hit; ttl=-5; detail=stale-while-revalidate"], "hit (stale)");
        check(&["rimward; fwd=uri-miss; fwd-status=200; stored"], "uri-miss (stored)");
        check(&["rimward; fwd=bypass; fwd-status=200"], "bypass");
        check(&["origin; hit", "rimward; fwd=stale; stored=?0"], "stale");
        check(&["rimward; fwd=vary-miss, \"Cloudflare\"; hit"], "vary-miss");
        check(&["a; hit, b; fwd=miss"], "miss");
        check(&["rimward; detail=not-found"], "not-found");
        check(&["rimward"], "neither hit nor forwarded");
        check(&["rimward; fwd=\"bypass"], "nothing said");
        check(&["5; hit"], "nothing said");
        check(&[], "nothing said");
    }

    fn visit() -> Visit {
        let fields = [("accept", "*/*"), ("accept-encoding", "identity")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Visit { url: Url::parse("https://e.example/a").unwrap(), fields }
    }

    fn answered(status: u16, cache: &str, milliseconds: u64) -> Answered {
        Answered { status, cache: cache.to_owned(), bytes: 10, time: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn a_summary_counts_what_came() {
        let mut summary = Summary::default();
        for time in 1..=98 {
            summary.add(&visit(), &Ok(answered(200, "hit", time)));
        }
        summary.add(&visit(), &Ok(answered(404, "uri-miss", 99)));
        summary.add(&visit(), &Ok(answered(301, "hit", 100)));
        summary.add(&visit(), &Err(CallError::TimedOut));
        assert_eq!(
            summary.table(),
            "requests  101, 2 failed\nstatus    98 200, 1 301, 1 404\ncache     99 hit, 1 uri-miss\nbytes     1000\n\
             time      50 ms median, 95 ms for 95 of 100, 100 ms at most\n"
        );
        let failure = |why: &str| Failure {
            url: "https://e.example/a".to_owned(),
            fields: BTreeMap::from([("accept-encoding".to_owned(), "identity".to_owned())]),
            why: why.to_owned(),
        };
        assert_eq!(summary.failures, [failure("answered 404"), failure("no answer in time")]);
    }

    #[test]
    fn failures_are_shown_up_to_a_limit_and_counted_beyond() {
        let mut summary = Summary::default();
        for _ in 0..FAILURES_SHOWN + 5 {
            summary.add(&visit(), &Err(CallError::Unreachable("refused".to_owned())));
        }
        let counted = (summary.failures.len(), summary.failed, summary.unreachable);
        assert_eq!(counted, (FAILURES_SHOWN, FAILURES_SHOWN + 5, FAILURES_SHOWN + 5));
        assert_eq!(summary.table(), "requests  25, 25 failed\n");
        assert_eq!(summary.times(), None);
    }
}

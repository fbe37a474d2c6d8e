//! `[[pool]]`: origins that can be asked, and a choice among them that can be made; limits, tries and checks that can take effect.

mod credentials;
mod health;
mod origins;
#[cfg(test)]
mod tests;
pub(super) mod values;

use std::collections::BTreeMap;
use std::ops::Range;

use rimward_edge::config::{Breaker, Choice, Concurrency, HashBy, Pool, Retry, Timeout};

use self::values::ChoiceName;
use super::check::items;
use super::findings::{Findings, Located};
use super::raw::{RawBreaker, RawPool, RawRetry, RawRoute, RawTimeout};
use super::table::{Field, List};
use super::values::{Name, Period, PeriodOrOff};

/// `after_write` where nothing is said.
const AFTER_WRITE_MS: u64 = 5_000;

/// `queue` where nothing is said, and `concurrency_per_isolate` is.
const QUEUE: u32 = 100;

/// `queue_wait` where nothing is said.
const QUEUE_WAIT_MS: u64 = 1_000;

/// The pools, and whether others were named that have mistakes.
pub(super) struct Pools {
    pub(super) by_name: BTreeMap<String, Pool>,
    /// Names of pools that could not be read in full: routes may name them.
    pub(super) unread: Vec<String>,
    /// Whether a pool's very name could not be read: any route might mean that one.
    pub(super) nameless: bool,
}

/// `hosts` are those of the site.
pub(super) fn check(raw: &Field<List<RawPool>>, hosts: &[String], findings: &mut Findings<'_>) -> Pools {
    let nameless = matches!(raw, Field::Wrong) || raw.value().is_some_and(|list| !list.complete);
    let mut pools = Pools { by_name: BTreeMap::new(), unread: Vec::new(), nameless };
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for pool in items(raw) {
        let read = read(pool, hosts, findings);
        let Some(name) = pool.value.name.given() else {
            if matches!(pool.value.name, Field::Absent) {
                findings
                    .error("missing-key", &pool.span, "this `[[pool]]` has no `name`")
                    .hint("for example name = \"api\"");
            }
            pools.nameless = true;
            continue;
        };
        if let Some(line) = lines.insert(&name.value.0, findings.line_of(name.span.start)) {
            findings
                .error("duplicate", &name.span, format!("the pool on line {line} is called `{}` too", name.value.0))
                .hint("give one of them another name");
        }
        match read {
            Some(read) => drop(pools.by_name.insert(name.value.0.clone(), read)),
            None => pools.unread.push(name.value.0.clone()),
        }
    }
    credentials::across(items(raw), findings);
    pools
}

/// A pool's name, for findings.
fn called(pool: &RawPool) -> &str {
    pool.name.value().map_or("", |name| &name.0)
}

/// `None` where an origin could not be read, or there is none.
fn read(pool: &Located<RawPool>, hosts: &[String], findings: &mut Findings<'_>) -> Option<Pool> {
    let raw = &pool.value;
    let origins = origins::read(pool, hosts, findings);
    let choice = choice(pool, findings);
    let timeout = timeout(&raw.timeout, findings);
    alone(raw, findings);
    let read = Pool {
        choice,
        concurrency: concurrency(raw, findings),
        health: raw.health.given().and_then(|health| health::read(health, findings)),
        retry: retry(raw, timeout, findings),
        breaker: breaker(raw.breaker.value()),
        sticky: credentials::sticky(raw, findings),
        credential: raw.credential.given().and_then(|given| credentials::read(raw, given, findings)),
        follow_redirects: raw.follow_redirects.value().map_or(0, |hops| hops.0),
        ..Pool::new(origins?, timeout)
    };
    Some(Pool {
        panic_percent: raw
            .panic_threshold
            .value()
            .map_or(read.panic_percent, |share| u8::try_from(share.0).unwrap_or(read.panic_percent)),
        slow_start_ms: raw.slow_start.value().map_or(read.slow_start_ms, |start| start.0),
        ..read
    })
}

/// The choice as it is written; `None` where that could not be read.
fn chosen(raw: &RawPool) -> Option<ChoiceName> {
    match &raw.choice {
        Field::Absent => Some(ChoiceName::LeastRequests),
        Field::Wrong => None,
        Field::Given(choice) => Some(choice.value.0),
    }
}

fn choice(pool: &Located<RawPool>, findings: &mut Findings<'_>) -> Choice {
    let raw = &pool.value;
    let Some(chosen) = chosen(raw) else { return Choice::default() };
    let word = values::quoted_word(chosen);
    if let Some(hash) = raw.hash.given().filter(|_| chosen != ChoiceName::Hash) {
        findings
            .error("wrong-value", &hash.span, format!("`hash` of `[[pool]]` says nothing to {word}"))
            .hint("write choice = \"hash\", or remove it");
    }
    if let Some(after) = raw.after_write.given().filter(|_| chosen != ChoiceName::PrimaryReplica) {
        findings
            .error("wrong-value", &after.span, format!("`after_write` of `[[pool]]` says nothing to {word}"))
            .hint("write choice = \"primary-replica\", or remove it");
    }
    match chosen {
        ChoiceName::RoundRobin => Choice::RoundRobin,
        ChoiceName::Weighted => Choice::Weighted,
        ChoiceName::LeastRequests => Choice::LeastRequests,
        ChoiceName::Geo => Choice::Geo,
        ChoiceName::PrimaryReplica => {
            Choice::PrimaryReplica { after_write_ms: raw.after_write.value().map_or(AFTER_WRITE_MS, |after| after.0) }
        }
        ChoiceName::Hash => {
            if let (Field::Absent, Some(choice)) = (&raw.hash, raw.choice.given()) {
                findings
                    .error("missing-key", &choice.span, format!("the pool `{}` has no `hash`", called(raw)))
                    .hint("say what requests are told apart by, for example hash = \"ip\"");
            }
            Choice::Hash(raw.hash.value().map_or(HashBy::Ip, |hash| hash.0.clone()))
        }
    }
}

/// Settings that a single origin makes pointless.
fn alone(raw: &RawPool, findings: &mut Findings<'_>) {
    if !origins::is_single(raw) {
        return;
    }
    let choice = raw.choice.given().map(|at| ("choice", &at.span));
    let sticky = raw.sticky.given().map(|at| ("sticky", &at.span));
    let start = raw.slow_start.given().filter(|start| start.value.0 > 0).map(|at| ("slow_start", &at.span));
    for (key, span) in choice.into_iter().chain(sticky).chain(start) {
        findings
            .warning(
                "unused",
                span,
                format!("`{key}` of `[[pool]]` changes nothing: the pool `{}` has one origin", called(raw)),
            )
            .hint("add another [[pool.origin]], or remove it");
    }
}

fn timeout(raw: &Field<RawTimeout>, findings: &mut Findings<'_>) -> Timeout {
    let milliseconds = |period: Period| u64::try_from(period.0.as_millis()).unwrap_or(u64::MAX);
    let or_off = |field: &Field<PeriodOrOff>, default: u64| match field.value() {
        Some(limit) => limit.0.map(milliseconds),
        None => Some(default),
    };
    let mut timeout = Timeout { answer_ms: 10_000, idle_ms: Some(30_000), total_ms: Some(60_000) };
    let Field::Given(raw) = raw else { return timeout };
    if let Some(answer) = raw.value.answer.value() {
        timeout.answer_ms = milliseconds(*answer);
    }
    timeout.idle_ms = or_off(&raw.value.idle, 30_000);
    // Who waits longer for the answer means the whole to last longer, too.
    timeout.total_ms = or_off(&raw.value.total, timeout.answer_ms.max(60_000));
    let zero = timeout.answer_ms == 0 || timeout.idle_ms == Some(0) || timeout.total_ms == Some(0);
    if zero {
        findings
            .error("wrong-value", &raw.span, "a `timeout` of zero would end every request")
            .hint("write false for `idle` or `total` to switch them off");
    } else if timeout.total_ms.is_some_and(|total| total < timeout.answer_ms) {
        findings
            .error(
                "wrong-value",
                &raw.span,
                "`total` of `timeout` is shorter than `answer`, which could never take effect",
            )
            .hint("`answer` is until the answer begins, `total` is for everything");
    }
    timeout
}

fn concurrency(raw: &RawPool, findings: &mut Findings<'_>) -> Option<Concurrency> {
    let RawPool { concurrency_per_isolate, queue, queue_wait, .. } = raw;
    if matches!(concurrency_per_isolate, Field::Absent) {
        let queue = queue.given().map(|at| ("queue", &at.span));
        for (key, span) in queue.into_iter().chain(queue_wait.given().map(|at| ("queue_wait", &at.span))) {
            findings
                .error(
                    "wrong-value",
                    span,
                    format!("`{key}` of `[[pool]]` needs `concurrency_per_isolate`: nobody has to wait"),
                )
                .hint(
                    "say how many requests each origin bears, for example concurrency_per_isolate = 50, or remove it",
                );
        }
    }
    if let (Some(0), Some(wait)) = (queue.value().map(|queue| queue.0), queue_wait.given()) {
        findings
            .warning("unused", &wait.span, "`queue_wait` of `[[pool]]` never takes effect: nobody waits")
            .hint("say how many may wait, for example queue = 100, or remove it");
    }
    Some(Concurrency {
        per_isolate: concurrency_per_isolate.value()?.0,
        queue: queue.value().map_or(QUEUE, |queue| queue.0),
        queue_wait_ms: queue_wait.value().map_or(QUEUE_WAIT_MS, |wait| wait.0),
    })
}

fn retry(pool: &RawPool, timeout: Timeout, findings: &mut Findings<'_>) -> Retry {
    let default = Retry::default();
    let Some(raw) = pool.retry.value() else { return default };
    let RawRetry { attempts, budget } = raw;
    let retry = Retry {
        attempts: attempts.value().map_or(default.attempts, |attempts| attempts.0),
        budget_permille: budget.value().map_or(default.budget_permille, |share| share.0),
    };
    let Some(given) = attempts.given() else { return retry };
    if let (0, Some(budget)) = (retry.attempts, budget.given()) {
        findings
            .warning("unused", &budget.span, "`budget` of `[pool.retry]` never takes effect: nothing is tried again")
            .hint("remove it, or write attempts = 2");
    }
    let needed = timeout.answer_ms.saturating_mul(u64::from(retry.attempts) + 1);
    if let Some(total) = timeout.total_ms.filter(|total| {
        retry.attempts > 0 && *total < needed && *total >= timeout.answer_ms && !matches!(pool.timeout, Field::Wrong)
    }) {
        findings
            .warning(
                "unused",
                &given.span,
                format!(
                    "later tries have no time: {} of {} ms each are longer than `total` of `timeout`, {total} ms",
                    u64::from(retry.attempts) + 1,
                    timeout.answer_ms
                ),
            )
            .hint(format!("write total = \"{}s\" or more, or make `answer` or `attempts` less", needed.div_ceil(1000)));
    }
    retry
}

fn breaker(raw: Option<&RawBreaker>) -> Breaker {
    let default = Breaker::default();
    let Some(RawBreaker { errors, over, min_requests }) = raw else { return default };
    Breaker {
        errors_permille: errors.value().map_or(default.errors_permille, |share| share.0),
        over_ms: over.value().map_or(default.over_ms, |over| over.0),
        min_requests: min_requests.value().map_or(default.min_requests, |least| least.0),
    }
}

/// Pools whose `hash` is of what a route's path caught, where no route's path catches that.
pub(super) fn report_uncaught(
    pools: &Field<List<RawPool>>,
    routes: &Field<List<RawRoute>>,
    findings: &mut Findings<'_>,
) {
    let unreadable = matches!(routes, Field::Wrong) || routes.value().is_some_and(|list| !list.complete);
    if unreadable || items(routes).iter().any(|route| route.value.path.given().is_none()) {
        return;
    }
    for pool in items(pools) {
        let (Some(name), Some(hash)) = (pool.value.name.value(), pool.value.hash.given()) else { continue };
        let HashBy::Caught(wanted) = &hash.value.0 else { continue };
        let of_pool = items(routes).iter().filter(|route| names(&route.value, name));
        let mut paths = of_pool.filter_map(|route| route.value.path.value()).peekable();
        let Some(first) = paths.peek().copied() else { continue };
        if !paths.any(|path| path.names().any(|caught| caught == wanted)) {
            findings
                .error("wrong-value", &hash.span, format!("no route to the pool `{}` catches `:{wanted}`", name.0))
                .hint(match wanted.as_str() {
                    "splat" => format!("`:splat` is what `*` catches, and `{first}` has none"),
                    _ => format!("write it into the route's path instead of {:?}: \"/t/:{wanted}/*\"", first.as_str()),
                });
        }
    }
}

/// Pools that no route names: probably a route is missing.
pub(super) fn report_unused(pools: &Field<List<RawPool>>, routes: &Field<List<RawRoute>>, findings: &mut Findings<'_>) {
    let unreadable = matches!(routes, Field::Wrong) || routes.value().is_some_and(|list| !list.complete);
    let names_nobody = |route: &RawRoute| {
        let is_said = route.split.given().is_some() || route.redirect.given().is_some();
        route.pool.given().is_none() && !is_said
            || matches!(route.split, Field::Wrong)
            || route.split.value().is_some_and(|split| !split.complete)
    };
    if unreadable || items(routes).iter().any(|route| names_nobody(&route.value)) {
        return;
    }
    for name in items(pools).iter().filter_map(|pool| pool.value.name.given()) {
        let used = items(routes).iter().any(|route| names(&route.value, &name.value));
        if !used {
            findings
                .warning("unused", &name.span, format!("no route names the pool `{}`", name.value.0))
                .hint(format!("add [[route]] with path = \"/{0}/*\" and pool = \"{0}\"", name.value.0));
        }
    }
}

/// Whether a route sends requests to a pool.
fn names(route: &RawRoute, name: &Name) -> bool {
    let shares = route.split.value().map(|split| split.entries.as_slice()).unwrap_or_default();
    route.pool.value() == Some(name) || shares.iter().any(|(share, _)| share.value == *name)
}

/// Where a pool is written, for findings about all of it: its name, if that can be read.
fn place(pool: &Located<RawPool>) -> &Range<usize> {
    pool.value.name.given().map_or(&pool.span, |name| &name.span)
}

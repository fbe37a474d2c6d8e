//! `[limit.*]`, and what routes say of limits: names that must meet, quotas that cannot be counted as they are written,
//! limits that would limit nobody or everybody.

mod companion;
#[cfg(test)]
mod tests;
pub(super) mod values;

use std::collections::BTreeMap;

use rimward_edge::config::{
    Algorithm, BanRule, DEADLINE_MS, LimitFields, LimitPolicy, Part, Permits, Precision, Window,
};

use self::values::Kind;
pub use self::values::ban_period;
use super::check::{distinct, items};
use super::findings::{Findings, Located, closest};
use super::raw::{RawBan, RawLimit, RawRoute};
use super::table::{Field, List, Named, quoted_list};
use super::values::Name;

/// `queue_wait` where nothing is said.
const QUEUE_WAIT_MS: u64 = 5_000;

/// How many requests a second one partition may bring to the object that counts it. One object takes about 1,000, and
/// other partitions are counted by it too.
const EXACT_PER_SECOND: u64 = 300;

/// The smallest quota of a window that is worth lending: isolates would get a permit or two of anything less.
pub(super) const LEASED_FROM: u32 = 200;

/// The policies, beside what is written of them.
pub(super) struct Limits<'r> {
    pub(super) by_name: BTreeMap<String, LimitPolicy>,
    /// `None` for what could not be read: routes may name it all the same.
    written: &'r [(Located<Name>, Option<Located<RawLimit>>)],
    /// Whether a policy's very name could not be read: any route might mean that one.
    nameless: bool,
}

/// What a route says of limits.
pub(super) struct RouteLimits {
    pub(super) limits: Vec<String>,
    pub(super) cost: u32,
}

impl<'r> Limits<'r> {
    pub(super) fn check(raw: &'r Field<Named<RawLimit>>, findings: &mut Findings<'_>) -> Limits<'r> {
        let nameless = matches!(raw, Field::Wrong) || raw.value().is_some_and(|named| !named.complete);
        let written = raw.value().map(|named| named.entries.as_slice()).unwrap_or_default();
        let readable = written.iter().filter_map(|(name, limit)| Some((name, limit.as_ref()?)));
        let by_name = readable
            .filter_map(|(name, limit)| Some((name.value.0.clone(), policy(name, &limit.value, findings)?)))
            .collect();
        Limits { by_name, written, nameless }
    }

    /// What a route says of limits. `timeout` is that of its pool, where that could be read.
    pub(super) fn of_route(
        &self,
        route: &Located<RawRoute>,
        endless: Option<&str>,
        findings: &mut Findings<'_>,
    ) -> RouteLimits {
        let RawRoute { limit, cost, .. } = &route.value;
        let limits = distinct(limit, "`limit` of `[[route]]`", |name| name.0.clone(), findings);
        for name in items(limit) {
            if !self.written.iter().any(|(written, _)| written.value == name.value) {
                self.unknown(name, findings);
            }
        }
        let none = match limit {
            Field::Absent => true,
            Field::Wrong => false,
            Field::Given(list) => list.value.items.is_empty() && list.value.complete,
        };
        if let Some(cost) = cost.given().filter(|_| none) {
            findings
                .error(
                    "wrong-value",
                    &cost.span,
                    "`cost` of `[[route]]` needs `limit`: nothing is counted for this route",
                )
                .hint("name a [limit.*], for example limit = [\"per-client\"], or remove `cost`");
        }
        self.affordable(route, findings);
        if let Some(pool) = endless {
            self.ending(items(limit), pool, findings);
        }
        if let Some(named) = self.understood(limit) {
            companion::of_route(&named, findings);
        }
        RouteLimits { limits, cost: cost.value().map_or(1, |cost| cost.0) }
    }

    /// Whether every limit has as many permits at once as a request takes. What is under way is one request, whatever it costs.
    fn affordable(&self, route: &Located<RawRoute>, findings: &mut Findings<'_>) {
        let Some(cost) = route.value.cost.given() else { return };
        let named: Vec<_> = items(&route.value.limit)
            .iter()
            .filter_map(|name| Some((self.by_name.get(&name.value.0)?.algorithm, &name.value.0)))
            .collect();
        let over_time = named.iter().filter(|(algorithm, _)| !is_at_once(*algorithm));
        let Some((algorithm, name)) = over_time.min_by_key(|(algorithm, _)| algorithm.most_at_once()) else {
            let all_known = self.understood(&route.value.limit).is_some_and(|known| !known.is_empty());
            if all_known && cost.value.0 > 1 {
                findings
                    .warning(
                        "unused",
                        &cost.span,
                        "`cost` of `[[route]]` never takes effect: what is under way is counted as one, whatever it costs",
                    )
                    .hint("remove it, or name a limit that counts over time too");
            }
            return;
        };
        let most = algorithm.most_at_once().number();
        if cost.value.0 > most {
            let key = if matches!(algorithm, Algorithm::Gcra { .. }) { "burst" } else { "permits" };
            findings
                .error(
                    "wrong-value",
                    &cost.span,
                    format!(
                        "`cost` of `[[route]]` is {}, and `[limit.{name}]` never has more than {most} permits at once: no request would pass",
                        cost.value.0
                    ),
                )
                .hint(format!("lower it, or raise `{key}` of `[limit.{name}]`"));
        }
    }

    /// A permit that is in use is not waited for without end: whoever has it says so, for as long as the request may take.
    fn ending(&self, names: &[Located<Name>], pool: &str, findings: &mut Findings<'_>) {
        for name in names {
            if self.by_name.get(&name.value.0).is_some_and(|policy| is_at_once(policy.algorithm)) {
                findings
                    .warning(
                        "unbounded",
                        &name.span,
                        format!(
                            "`[limit.{}]` counts each request for an hour at most, and those to the pool `{}` may take longer",
                            name.value.0, pool
                        ),
                    )
                    .hint("give `timeout` of that pool a `total`, for example \"10m\"");
            }
        }
    }

    /// The policies that a route names, where all of them could be read.
    fn understood<'n>(&'n self, limit: &'n Field<List<Name>>) -> Option<Vec<(&'n Located<Name>, &'n LimitPolicy)>> {
        let complete = |list: &List<Name>| list.complete;
        if !limit.value().is_some_and(complete) {
            return None;
        }
        let of = |name: &'n Located<Name>| {
            let written = self.written.iter().find(|(written, _)| written.value == name.value)?;
            whom(&written.1.as_ref()?.value)?;
            Some((name, self.by_name.get(&name.value.0)?))
        };
        items(limit).iter().map(of).collect()
    }

    fn unknown(&self, name: &Located<Name>, findings: &mut Findings<'_>) {
        if self.nameless {
            return;
        }
        let names: Vec<&str> = self.written.iter().map(|(written, _)| written.value.0.as_str()).collect();
        let Name(name_text) = &name.value;
        let hint = match closest(name_text, names.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if names.is_empty() => format!("add [limit.{name_text}] with permits = 100 and window = \"1m\""),
            None => format!("the limits are {}", quoted_list(&names)),
        };
        findings.error("unknown-name", &name.span, format!("there is no `[limit.{name_text}]`")).hint(hint);
    }

    /// Policies that no route names: probably a route's `limit` is missing.
    pub(super) fn report_unused(&self, routes: &Field<List<RawRoute>>, findings: &mut Findings<'_>) {
        let Some(routes) = known(routes) else { return };
        for (name, _) in self.written {
            if !routes.iter().any(|route| names(&route.value, &name.value)) {
                findings
                    .warning("unused", &name.span, format!("no route names `[limit.{}]`", name.value.0))
                    .hint(format!("write limit = [{:?}] into the [[route]] that it is for", name.value.0));
            }
        }
    }

    /// Policies that would have one object asked more often than it answers in time.
    pub(super) fn report_load(&self, routes: &Field<List<RawRoute>>, findings: &mut Findings<'_>) {
        let Some(routes) = known(routes) else { return };
        for (name, raw) in self.written {
            let (Some(raw), Some(policy)) = (raw, self.by_name.get(&name.value.0)) else { continue };
            let costs = routes.iter().filter(|route| names(&route.value, &name.value)).map(|route| &route.value.cost);
            if costs.clone().any(|cost| matches!(cost, Field::Wrong)) {
                continue;
            }
            let least = costs.map(|cost| cost.value().map_or(1, |cost| cost.0)).min();
            load(name, &raw.value, policy, least.unwrap_or(1), findings);
        }
    }
}

/// The routes, where nothing is unread that might name a limit.
fn known(routes: &Field<List<RawRoute>>) -> Option<&[Located<RawRoute>]> {
    let unread = |route: &Located<RawRoute>| match &route.value.limit {
        Field::Wrong => true,
        Field::Absent => false,
        Field::Given(list) => !list.value.complete,
    };
    let unreadable = matches!(routes, Field::Wrong) || routes.value().is_some_and(|list| !list.complete);
    (!unreadable && !items(routes).iter().any(unread)).then(|| items(routes))
}

fn is_at_once(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Concurrency { .. })
}

fn names(route: &RawRoute, name: &Name) -> bool {
    items(&route.limit).iter().any(|written| written.value == *name)
}

/// `None` where what is counted could not be read.
fn policy(name: &Located<Name>, raw: &RawLimit, findings: &mut Findings<'_>) -> Option<LimitPolicy> {
    let algorithm = algorithm(name, raw, findings);
    let partition = partition(raw, findings);
    let precision = raw.precision.value().map_or(Precision::Exact, |precision| precision.0);
    let ban = raw.ban.given().and_then(|ban| banned(raw, ban, findings));
    let policy = LimitPolicy {
        name: name.value.0.clone(),
        algorithm: algorithm?,
        partition,
        precision,
        guards: raw.guards.value().map(|guards| guards.0).unwrap_or_default(),
        when_unreachable: raw.when_unreachable.value().map(|then| then.0).unwrap_or_default(),
        shadow: raw.shadow.value().copied().unwrap_or(false),
        exempt: exempt(raw, findings),
        deadline_ms: raw.deadline.value().map_or(DEADLINE_MS, |deadline| deadline.0),
        headers: match raw.headers {
            Field::Absent => vec![LimitFields::Draft11],
            _ => distinct(&raw.headers, "`headers` of `[limit.*]`", |fields| fields.0, findings),
        },
        ban,
    };
    Some(policy)
}

fn algorithm(name: &Located<Name>, raw: &RawLimit, findings: &mut Findings<'_>) -> Option<Algorithm> {
    let kind = match &raw.algorithm {
        Field::Absent => Some(Kind::Gcra),
        Field::Wrong => None,
        Field::Given(kind) => Some(kind.value.0),
    };
    if matches!(raw.permits, Field::Absent) {
        findings
            .error("missing-key", &name.span, format!("`[limit.{}]` has no `permits`", name.value.0))
            .hint("say how many requests are answered, for example permits = 100");
    }
    let kind = kind?;
    if kind != Kind::Concurrency && matches!(raw.window, Field::Absent) {
        findings
            .error("missing-key", &name.span, format!("`[limit.{}]` has no `window`", name.value.0))
            .hint("say for how long the permits are, for example window = \"1m\"");
    }
    foreign(kind, raw, findings);
    let permits = raw.permits.value().map(|permits| permits.0);
    let window = raw.window.value().map(|window| window.0);
    if raw.precision.value().is_some_and(|precision| precision.0 == Precision::Leased) {
        lent(kind, raw, permits, findings);
    }
    match kind {
        Kind::Gcra => {
            let burst = match &raw.burst {
                Field::Absent => permits?,
                burst => burst.value()?.0,
            };
            Some(Algorithm::Gcra { permits: permits?, window: window?, burst })
        }
        Kind::SlidingWindow => Some(Algorithm::SlidingWindow { permits: permits?, window: window? }),
        Kind::FixedWindow => Some(Algorithm::FixedWindow { permits: permits?, window: window? }),
        Kind::Concurrency => {
            let queue = raw.queue.value().map_or(0, |queue| queue.0);
            let wait_ms = raw.queue_wait.value().map_or(QUEUE_WAIT_MS, |wait| wait.0);
            Some(Algorithm::Concurrency { permits: permits?, queue, wait_ms })
        }
    }
}

/// Keys that say nothing to the algorithm.
fn foreign(kind: Kind, raw: &RawLimit, findings: &mut Findings<'_>) {
    if let Some(burst) = raw.burst.given().filter(|_| kind != Kind::Gcra) {
        findings
            .error(
                "wrong-value",
                &burst.span,
                "`burst` of `[limit.*]` says nothing to this algorithm: only to \"gcra\"",
            )
            .hint("remove it: here all of `permits` may be taken at once");
    }
    if kind == Kind::Concurrency {
        if let Some(window) = raw.window.given() {
            findings
                .error(
                    "wrong-value",
                    &window.span,
                    "`window` of `[limit.*]` says nothing to \"concurrency\": a permit is back when its request ends",
                )
                .hint("remove it, or `algorithm` to count requests over time");
        }
        let waits = !matches!(raw.queue, Field::Absent) && raw.queue.value().is_none_or(|queue| queue.0 > 0);
        if let Some(wait) = raw.queue_wait.given().filter(|_| !waits) {
            findings
                .warning("unused", &wait.span, "`queue_wait` of `[limit.*]` never takes effect: nobody waits")
                .hint("say how many may wait, for example queue = 10, or remove it");
        }
        return;
    }
    let queue = raw.queue.given().filter(|queue| queue.value.0 > 0).map(|queue| ("queue", &queue.span));
    let wait = raw.queue_wait.given().map(|wait| ("queue_wait", &wait.span));
    for (key, span) in queue.into_iter().chain(wait) {
        findings
            .error("wrong-value", span, format!("`{key}` of `[limit.*]` says something to \"concurrency\" alone"))
            .hint("remove it: who is refused is told when to come back");
    }
}

/// Leases where there is nothing to lend.
fn lent(kind: Kind, raw: &RawLimit, permits: Option<Permits>, findings: &mut Findings<'_>) {
    let Some(precision) = raw.precision.given() else { return };
    if kind == Kind::Concurrency {
        findings
            .error(
                "wrong-value",
                &precision.span,
                "`precision` of `[limit.*]` cannot be \"leased\" with \"concurrency\"",
            )
            .hint("remove it: what is under way is counted by one object");
    } else if permits.is_some_and(|permits| permits.number() < LEASED_FROM) {
        findings
            .warning(
                "unused",
                &precision.span,
                format!("\"leased\" never takes effect: with fewer than {LEASED_FROM} permits the object decides at each request"),
            )
            .hint("remove it: so few permits are not worth lending");
    }
}

/// Whom a policy counts apart, where all of it could be read.
fn whom(raw: &RawLimit) -> Option<Vec<Part>> {
    match &raw.partition {
        Field::Absent => Some(vec![Part::Ip]),
        Field::Wrong => None,
        Field::Given(list) => {
            let parts = || list.value.items.iter().map(|part| part.value.0.clone()).collect();
            (list.value.complete && !list.value.items.is_empty()).then(parts)
        }
    }
}

fn partition(raw: &RawLimit, findings: &mut Findings<'_>) -> Vec<Part> {
    let Some(list) = raw.partition.given() else { return vec![Part::Ip] };
    if list.value.items.is_empty() && list.value.complete {
        findings
            .error("wrong-value", &list.span, "`partition` of `[limit.*]` is empty")
            .hint("write [\"global\"] to count everyone together, or leave it out to count each address apart");
    }
    let parts = distinct(&raw.partition, "`partition` of `[limit.*]`", |part| part.0.clone(), findings);
    let global = items(&raw.partition).iter().find(|part| part.value.0 == Part::Global);
    if let Some(global) = global.filter(|_| parts.len() > 1) {
        findings
            .error("wrong-value", &global.span, "`partition` of `[limit.*]` holds \"global\" beside others")
            .hint("\"global\" stands alone: it counts everyone together, and tells nobody apart");
    }
    parts
}

/// Whether a partition is of many clients, whoever they are.
fn of_many(parts: &[Part]) -> bool {
    parts.iter().all(|part| matches!(part, Part::Route | Part::Country | Part::Global))
}

fn banned(raw: &RawLimit, ban: &Located<RawBan>, findings: &mut Findings<'_>) -> Option<BanRule> {
    let RawBan { after, period } = &ban.value;
    for (absent, key, example) in [
        (matches!(after, Field::Absent), "after", "after = 100: so many refusals in a window"),
        (matches!(period, Field::Absent), "for", "for = \"10m\""),
    ] {
        if absent {
            findings
                .error("missing-key", &ban.span, format!("`ban` of `[limit.*]` has no `{key}`"))
                .hint(format!("for example {example}"));
        }
    }
    if whom(raw).is_some_and(|parts| of_many(&parts)) {
        findings
            .error(
                "wrong-value",
                &ban.span,
                "`ban` of `[limit.*]` would ban everyone: its partition tells no clients apart",
            )
            .hint("remove it, or write partition = [\"ip\"]");
    } else if raw.shadow.value() == Some(&true) {
        findings
            .warning("unused", &ban.span, "`ban` of `[limit.*]` never takes effect: `shadow` refuses nobody")
            .hint("keep one of them");
    }
    Some(BanRule { after: after.value()?.0, seconds: period.value()?.0 })
}

fn exempt(raw: &RawLimit, findings: &mut Findings<'_>) -> Vec<String> {
    let networks = distinct(&raw.exempt, "`exempt` of `[limit.*]`", |network| network.0, findings);
    let everyone = ipnet::IpNet::aggregate(&networks).into_iter().find(|network| network.prefix_len() == 0);
    if let (Some(everyone), Some(list)) = (everyone, raw.exempt.given()) {
        let who = if everyone.addr().is_ipv4() { "IPv4" } else { "IPv6" };
        findings
            .error(
                "wrong-value",
                &list.span,
                format!("`exempt` of `[limit.*]` covers every address of {who}: `{everyone}`"),
            )
            .hint("name the networks that are known; to count without refusing anybody write shadow = true");
    }
    networks.iter().map(ToString::to_string).collect()
}

/// A rate that one object would have to count one partition at, where each request takes `cost` permits or more.
fn load(name: &Located<Name>, raw: &RawLimit, policy: &LimitPolicy, cost: u32, findings: &mut Findings<'_>) {
    let (permits, window): (Permits, Window) = match policy.algorithm {
        Algorithm::Gcra { permits, window, .. }
        | Algorithm::SlidingWindow { permits, window }
        | Algorithm::FixedWindow { permits, window } => (permits, window),
        Algorithm::Concurrency { .. } => return,
    };
    let each_second = (u64::from(permits.number()) * 1000).div_ceil(window.millis() * u64::from(cost));
    let Some(parts) = whom(raw).filter(|_| policy.precision == Precision::Exact && each_second > EXACT_PER_SECOND)
    else {
        return;
    };
    let written = raw.precision.given().map(|precision| &precision.span).or(raw.permits.given().map(|at| &at.span));
    let Some(span) = written else { return };
    let Name(name) = &name.value;
    let bears = format!("one object counts about {EXACT_PER_SECOND} in time");
    let lend = "write precision = \"leased\": isolates then spend permits that the object lends them";
    match of_many(&parts) {
        true => findings
            .error(
                "platform-limit",
                span,
                format!("`[limit.{name}]` allows {each_second} requests a second, and {bears}"),
            )
            .hint(lend),
        false => findings
            .warning(
                "platform-limit",
                span,
                format!("`[limit.{name}]` allows one client {each_second} requests a second, and {bears}"),
            )
            .hint(format!("{lend}; or allow fewer")),
    }
}

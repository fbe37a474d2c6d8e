//! Pools and routes: names that must meet, routes that could never answer, CORS that could not work.

use std::collections::BTreeMap;

use rimward_edge::config::{Cors, Origin, Pool, Route, Timeout};
use rimward_edge::route::pattern::Pattern;

use super::caching::{Caches, RouteCaching};
use super::check::{distinct, items};
use super::findings::{Findings, Located, closest};
use super::limiting::{Limits, RouteLimits};
use super::raw::{RawCors, RawPool, RawRoute, RawTimeout};
use super::table::{Field, List, quoted_list};
use super::values::{Period, PeriodOrOff};

/// The pools, and whether others were named that have mistakes.
pub(super) struct Pools {
    pub(super) by_name: BTreeMap<String, Pool>,
    /// Names of pools that could not be read in full: routes may name them.
    unread: Vec<String>,
    /// Whether a pool's very name could not be read: any route might mean that one.
    nameless: bool,
}

pub(super) fn pools(raw: &Field<List<RawPool>>, hosts: &[String], findings: &mut Findings<'_>) -> Pools {
    let nameless = matches!(raw, Field::Wrong) || raw.value().is_some_and(|list| !list.complete);
    let mut pools = Pools { by_name: BTreeMap::new(), unread: Vec::new(), nameless };
    let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
    for pool in items(raw) {
        let origin = origin(pool, hosts, findings);
        let timeout = timeout(&pool.value.timeout, findings);
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
        match origin {
            Some(origin) => drop(pools.by_name.insert(name.value.0.clone(), Pool::new(vec![origin], timeout))),
            None => pools.unread.push(name.value.0.clone()),
        }
    }
    pools
}

fn origin(pool: &Located<RawPool>, hosts: &[String], findings: &mut Findings<'_>) -> Option<Origin> {
    let name = pool.value.name.value().map_or("", |name| &name.0);
    let list = match &pool.value.origin {
        Field::Given(list) if !(list.value.items.is_empty() && list.value.complete) => &list.value,
        Field::Wrong => return None,
        _ => {
            findings
                .error("missing-key", &pool.span, format!("the pool `{name}` has no origin"))
                .hint("add [[pool.origin]] with url = \"https://api.example.com\"");
            return None;
        }
    };
    for another in list.items.iter().skip(1) {
        findings
            .error("not-yet", &another.span, format!("the pool `{name}` has more than one origin: not supported yet"))
            .hint("keep one: balancing and failover come with a later version");
    }
    let first = list.items.first()?;
    if matches!(first.value.url, Field::Absent) {
        findings
            .error("missing-key", &first.span, format!("an origin of the pool `{name}` has no `url`"))
            .hint("for example url = \"https://api.example.com\"");
    }
    let url = first.value.url.given()?;
    if let Some(host) = url.value.0.host_str().filter(|host| hosts.iter().any(|own| own == host)) {
        findings
            .error(
                "wrong-value",
                &url.span,
                format!("the pool `{name}` would ask this very site: `{host}` is in `hosts` of `[site]`"),
            )
            .hint("give the origin a host name of its own");
    }
    Some(Origin::new(&url.value.text()))
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

pub(super) fn routes(
    raw: &Field<List<RawRoute>>,
    pools: &Pools,
    caches: &Caches<'_>,
    limits: &Limits<'_>,
    base: &str,
    findings: &mut Findings<'_>,
) -> Vec<Route> {
    let mut earlier: Vec<(&Pattern, u32)> = Vec::new();
    let mut routes = Vec::new();
    for route in items(raw) {
        let cors = route.value.cors.given().and_then(|raw| cors(raw, findings));
        missing(route, findings);
        if let Some(path) = route.value.path.given() {
            reachable(path, &earlier, base, findings);
            earlier.push((&path.value, findings.line_of(path.span.start)));
        }
        if let Some(pool) = route.value.pool.given() {
            named(&pool.value.0, &pool.span, pools, findings);
        }
        let RouteCaching { cache, shield, invalidate } = caches.of_route(route, findings);
        let timeout = route.value.pool.value().and_then(|pool| pools.by_name.get(&pool.0)).map(|pool| pool.timeout);
        let RouteLimits { limits, cost } = limits.of_route(route, timeout, findings);
        if let (Some(path), Some(pool)) = (route.value.path.value(), route.value.pool.value()) {
            routes.push(Route { cors, cache, shield, invalidate, limits, cost, ..Route::new(path.clone(), &pool.0) });
        }
    }
    routes
}

fn missing(route: &Located<RawRoute>, findings: &mut Findings<'_>) {
    if matches!(route.value.path, Field::Absent) {
        findings
            .error("missing-key", &route.span, "this `[[route]]` has no `path`")
            .hint("for example path = \"/api/*\"");
    }
    if matches!(route.value.pool, Field::Absent) {
        findings
            .error("missing-key", &route.span, "this `[[route]]` has no `pool`")
            .hint("name the [[pool]] that answers: pool = \"api\"");
    }
}

fn reachable(path: &Located<Pattern>, earlier: &[(&Pattern, u32)], base: &str, findings: &mut Findings<'_>) {
    let text = path.value.as_str();
    if let Some((covering, line)) = earlier.iter().find(|(pattern, _)| pattern.covers(&path.value)) {
        findings
            .error(
                "unreachable",
                &path.span,
                format!("this route never answers: `{covering}` on line {line} takes all its requests"),
            )
            .hint("the first match wins: put the narrower route first");
    } else if text.starts_with("/.rimward/") || text.starts_with("/_rimward/") {
        findings
            .error("unreachable", &path.span, format!("this route never answers: `{text}` is Rimward's own"))
            .hint("choose another path");
    } else if Pattern::parse(&format!("{base}*")).is_ok_and(|all| path.value.covers(&all)) {
        findings
            .warning(
                "unreachable",
                &path.span,
                format!("`{text}` takes every request: no page and no asset of the release answers"),
            )
            .hint("narrow it, for example to \"/api/*\"");
    }
}

fn named(name: &str, span: &std::ops::Range<usize>, pools: &Pools, findings: &mut Findings<'_>) {
    let known = pools.by_name.contains_key(name) || pools.unread.iter().any(|unread| unread == name);
    if known || pools.nameless {
        return;
    }
    let mut names: Vec<&str> = pools.by_name.keys().chain(&pools.unread).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let hint = match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if names.is_empty() => format!("add [[pool]] with name = {name:?}"),
        None => format!("the pools are {}", quoted_list(&names)),
    };
    findings.error("unknown-name", span, format!("there is no pool `{name}`")).hint(hint);
}

/// Pools that no route names: probably a route is missing.
pub(super) fn report_unused(pools: &Field<List<RawPool>>, routes: &Field<List<RawRoute>>, findings: &mut Findings<'_>) {
    let unreadable = matches!(routes, Field::Wrong) || routes.value().is_some_and(|list| !list.complete);
    if unreadable || items(routes).iter().any(|route| route.value.pool.given().is_none()) {
        return;
    }
    for name in items(pools).iter().filter_map(|pool| pool.value.name.given()) {
        let used = items(routes).iter().any(|route| route.value.pool.value() == Some(&name.value));
        if !used {
            findings
                .warning("unused", &name.span, format!("no route names the pool `{}`", name.value.0))
                .hint(format!("add [[route]] with path = \"/{0}/*\" and pool = \"{0}\"", name.value.0));
        }
    }
}

fn cors(raw: &Located<RawCors>, findings: &mut Findings<'_>) -> Option<Cors> {
    let value = &raw.value;
    let no_origin = match &value.origins {
        Field::Absent => true,
        Field::Wrong => return None,
        Field::Given(list) => list.value.items.is_empty() && list.value.complete,
    };
    if no_origin {
        findings
            .error("missing-key", &raw.span, "`[route.cors]` has no `origins`")
            .hint("name who may read the answers: origins = [\"https://shop.example.com\"]");
        return None;
    }
    let origins = distinct(&value.origins, "`origins` of `[route.cors]`", |origin| origin.0.clone(), findings);
    let headers = distinct(&value.headers, "`headers` of `[route.cors]`", |name| name.0.clone(), findings);
    let expose = distinct(&value.expose, "`expose` of `[route.cors]`", |name| name.0.clone(), findings);
    let credentials = value.credentials.value().copied().unwrap_or(false);
    for (what, list, field) in [
        ("origins", &origins, value.origins.given().map(|at| &at.span)),
        ("headers", &headers, value.headers.given().map(|at| &at.span)),
        ("expose", &expose, value.expose.given().map(|at| &at.span)),
    ] {
        let Some(span) = field.filter(|_| list.iter().any(|item| item == "*")) else { continue };
        if list.len() > 1 {
            findings
                .error("wrong-value", span, format!("`{what}` of `[route.cors]` holds \"*\" beside others"))
                .hint("\"*\" stands alone: it is all of them");
        } else if credentials {
            findings
                .error("wrong-value", span, format!("`{what}` of `[route.cors]` cannot be \"*\" with `credentials`"))
                .hint("browsers refuse it: list them, or remove `credentials = true`");
        }
    }
    Some(Cors {
        origins,
        methods: match value.methods.given() {
            Some(_) => distinct(&value.methods, "`methods` of `[route.cors]`", |method| method.0.clone(), findings),
            // What a page may send without asking (Fetch standard, CORS-safelisted methods).
            None => ["GET", "HEAD", "POST"].map(str::to_owned).to_vec(),
        },
        headers,
        expose,
        credentials,
        max_age_s: value.max_age.value().map(|age| u32::try_from(age.0.as_secs()).unwrap_or(u32::MAX)),
    })
}

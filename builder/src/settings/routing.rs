//! Routes: names that must meet, routes that could never answer, CORS that could not work.

mod conditions;
mod rewriting;
pub(super) mod values;

use rimward_edge::config::{By, Cors, Pool, Route, Share};
use rimward_edge::route::condition::covers;
use rimward_edge::route::pattern::Pattern;
use rimward_edge::route::spelled;

use self::conditions::conditions;
use self::rewriting::changes;
use self::values::Shares;
use super::caching::{Caches, RouteCaching};
use super::check::{distinct, items};
use super::findings::{Findings, Located, closest};
use super::limiting::{Limits, RouteLimits};
use super::pooling::Pools;
use super::raw::{RawCors, RawRedirect, RawRoute, RawRouteRedirect};
use super::rules;
use super::table::{Field, List, quoted_list};

/// What routes are checked against.
pub(super) struct Beside<'check, 'raw> {
    pub(super) pools: &'check Pools,
    pub(super) caches: &'check Caches<'raw>,
    pub(super) limits: &'check Limits<'raw>,
    pub(super) redirects: &'raw Field<List<RawRedirect>>,
    pub(super) base: &'check str,
    /// `hosts` of `[site]`.
    pub(super) hosts: &'check [String],
}

/// A route that others stand behind.
struct Earlier<'raw> {
    /// As far as it decides which requests are its own.
    route: Route,
    written: &'raw Pattern,
    line: u32,
}

pub(super) fn routes(raw: &Field<List<RawRoute>>, beside: &Beside<'_, '_>, findings: &mut Findings<'_>) -> Vec<Route> {
    let mut earlier: Vec<Earlier<'_>> = Vec::new();
    let mut routes = Vec::new();
    for route in items(raw) {
        let cors = route.value.cors.given().and_then(|raw| cors(raw, findings));
        let by = by(route, beside.pools, findings);
        let when = conditions(&route.value, beside.hosts, findings);
        let path = route.value.path.given();
        let pools: Vec<&Pool> =
            by.iter().flat_map(By::pools).filter_map(|pool| beside.pools.by_name.get(pool)).collect();
        let rewrite = match route.value.rewrite.given() {
            Some(raw) => changes(raw, path.map(|path| &path.value), &pools, findings),
            None => Vec::new(),
        };
        let RouteCaching { cache, shield, invalidate } = beside.caches.of_route(route, findings);
        let endless = by
            .iter()
            .flat_map(By::pools)
            .find(|pool| beside.pools.by_name.get(*pool).is_some_and(|pool| pool.timeout.total_ms.is_none()));
        let RouteLimits { limits, cost } = beside.limits.of_route(route, endless, findings);
        let Some(path) = path else { continue };
        // Who answers matters to nobody whom this route covers, nor to what covers it.
        let bare = Route::by(spelled(&path.value), by.clone().unwrap_or_else(|| By::Pool(String::new())));
        if let Some(when) = when {
            let bare = Route { when: when.clone(), ..bare };
            reachable(&bare, path, &earlier, beside, findings);
            if let Some(By::Redirect(_, to)) = &by {
                returning(&bare.path, to, route, &earlier, findings);
            }
            if !may_stand_aside(&bare) {
                earlier.push(Earlier { route: bare, written: &path.value, line: findings.line_of(path.span.start) });
            }
            let Some(by) = by else { continue };
            let bare = Route { when, rewrite, ..Route::by(path.value.clone(), by) };
            routes.push(Route { cors, cache, shield, invalidate, limits, cost, ..bare });
        }
    }
    routes
}

/// Who answers a route's requests; `None` where nobody does.
fn by(route: &Located<RawRoute>, pools: &Pools, findings: &mut Findings<'_>) -> Option<By> {
    let RawRoute { path, pool, split, redirect, .. } = &route.value;
    if matches!(path, Field::Absent) {
        findings
            .error("missing-key", &route.span, "this `[[route]]` has no `path`")
            .hint("for example path = \"/api/*\"");
    }
    let ways = [
        ("pool", !matches!(pool, Field::Absent)),
        ("split", !matches!(split, Field::Absent)),
        ("redirect", !matches!(redirect, Field::Absent)),
    ];
    let said: Vec<&str> = ways.iter().filter(|(_, is_said)| *is_said).map(|(key, _)| *key).collect();
    match said.as_slice() {
        [] => {
            findings
                .error("missing-key", &route.span, "this `[[route]]` has no `pool`")
                .hint("name the [[pool]] that answers: pool = \"api\"");
        }
        [_] => {}
        several => {
            findings
                .error(
                    "wrong-value",
                    &route.span,
                    format!("this `[[route]]` has {}: who answers?", quoted_list(several)),
                )
                .hint("keep one");
        }
    }
    if let Some(pool) = pool.given() {
        named(&pool.value.0, &pool.span, pools, findings);
    }
    let split = split.given().map(|split| shares(split, pools, findings));
    let redirect = redirect.given().map(|raw| elsewhere(route, raw, findings));
    match (pool.value(), split, redirect) {
        (Some(pool), None, None) => Some(By::Pool(pool.0.clone())),
        (None, Some(shares), None) => Some(By::Split(shares)),
        (None, None, Some(redirect)) => redirect,
        _ => None,
    }
}

fn shares(raw: &Located<Shares>, pools: &Pools, findings: &mut Findings<'_>) -> Vec<Share> {
    let shares: Vec<Share> = raw
        .value
        .entries
        .iter()
        .map(|(name, weight)| Share { pool: name.value.0.clone(), weight: weight.value })
        .collect();
    for (name, _) in &raw.value.entries {
        named(&name.value.0, &name.span, pools, findings);
    }
    if !raw.value.complete {
        return shares;
    }
    if let [Share { pool, .. }] = shares.as_slice() {
        findings
            .warning("unused", &raw.span, format!("`[route.split]` names one pool, `{pool}`: every client is its own"))
            .hint(format!("write pool = {pool:?}, or name another beside it"));
    }
    if shares.iter().all(|share| share.weight == 0) {
        findings
            .error("wrong-value", &raw.span, "the weights of `[route.split]` sum to nothing: no pool would answer")
            .hint("for example { api = 95, api-canary = 5 }");
    }
    shares
}

fn elsewhere(route: &Located<RawRoute>, raw: &Located<RawRouteRedirect>, findings: &mut Findings<'_>) -> Option<By> {
    let RawRoute { path, rewrite, cache, shield, invalidate, limit, cost, cors, .. } = &route.value;
    for (key, span) in [
        ("rewrite", rewrite.given().map(|at| &at.span)),
        ("cache", cache.given().map(|at| &at.span)),
        ("shield", shield.given().map(|at| &at.span)),
        ("invalidate", invalidate.given().map(|at| &at.span)),
        ("limit", limit.given().map(|at| &at.span)),
        ("cost", cost.given().map(|at| &at.span)),
        ("cors", cors.given().map(|at| &at.span)),
    ] {
        let Some(span) = span else { continue };
        findings
            .error("wrong-value", span, format!("`{key}` of `[[route]]` needs a pool, and this route redirects"))
            .hint(format!("remove `{key}`, or name a `pool` instead of `redirect`"));
    }
    if matches!(raw.value.to, Field::Absent) {
        findings
            .error("missing-key", &raw.span, "`redirect` of `[[route]]` has no `to`")
            .hint("for example redirect = { to = \"/new/:splat\", status = 308 }");
    }
    let status = rules::status(&raw.value.status, "[route.redirect]", findings);
    let to = raw.value.to.given()?;
    if let Some(path) = path.value() {
        for name in rules::uncaught(&to.value.0, path) {
            findings
                .error("unknown-name", &to.span, format!("`:{name}` is not caught by `{path}`"))
                .hint(rules::caught_names(path));
        }
    }
    Some(By::Redirect(status?, to.value.0.clone()))
}

/// Where a redirect of this path leads, as an example; `None` where that is another host.
fn led_to(path: &Pattern, to: &str) -> Option<String> {
    let to = to.split(['?', '#']).next().filter(|to| to.starts_with('/'))?;
    let example = path.names().fold(to.to_owned(), |text, name| text.replace(&format!(":{name}"), "x"));
    Some(example)
}

/// A redirect does not act where it would lead where the request already is: what follows it may answer there.
fn may_stand_aside(route: &Route) -> bool {
    match &route.by {
        By::Redirect(_, to) => led_to(&route.path, to).is_some_and(|example| route.path.fits(&example)),
        By::Pool(_) | By::Split(_) => false,
    }
}

/// A redirect that leads to its own pattern again and again, each time further.
fn returning(
    path: &Pattern,
    to: &str,
    route: &Located<RawRoute>,
    earlier: &[Earlier<'_>],
    findings: &mut Findings<'_>,
) {
    let Some(at) = route.value.redirect.given() else { return };
    let Some(example) = led_to(path, to).filter(|example| to.contains(':') && path.fits(example)) else { return };
    // Where the pattern catches what it fills in, it does not act: `/*` to `/:splat`. Else something must answer first.
    let is_the_same = to.strip_suffix(":splat").is_some_and(|prefix| path.as_str() == format!("{prefix}*"));
    if !is_the_same && !earlier.iter().any(|earlier| earlier.route.path.fits(&example)) {
        findings
            .error("wrong-value", &at.span, format!("this redirect leads to itself: `{path}` matches `{to}`, too"))
            .hint(
                "browsers give up after some twenty rounds: narrow `path`, or put a route for the new path before it",
            );
    }
}

fn reachable(
    route: &Route,
    path: &Located<Pattern>,
    earlier: &[Earlier<'_>],
    beside: &Beside<'_, '_>,
    findings: &mut Findings<'_>,
) {
    let text = path.value.as_str();
    let covering = earlier.iter().find(|earlier| covers(&earlier.route, route, beside.hosts));
    let moving = items(beside.redirects)
        .iter()
        .filter_map(|redirect| redirect.value.from.given().zip(redirect.value.to.value()));
    let moving = moving.into_iter().find(|(from, to)| {
        let from = spelled(&from.value);
        from.covers(&route.path) && led_to(&from, &to.0).is_none_or(|example| !from.fits(&example))
    });
    if let Some(Earlier { written, line, .. }) = covering {
        findings
            .error(
                "unreachable",
                &path.span,
                format!("this route never answers: `{written}` on line {line} takes all its requests"),
            )
            .hint("the first match wins: put the narrower route first");
    } else if let Some((from, _)) = moving {
        let line = findings.line_of(from.span.start);
        findings
            .error(
                "unreachable",
                &path.span,
                format!(
                    "this route never answers: the redirect of `{}` on line {line} takes all its requests",
                    from.value
                ),
            )
            .hint("redirects come before routes: narrow it, or make it a route with `redirect` behind this one");
    } else if text.starts_with("/.rimward/") || text.starts_with("/_rimward/") {
        findings
            .error("unreachable", &path.span, format!("this route never answers: `{text}` is Rimward's own"))
            .hint("choose another path");
    } else if route.when.is_empty()
        && Pattern::parse(&format!("{}*", beside.base)).is_ok_and(|all| path.value.covers(&all))
    {
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

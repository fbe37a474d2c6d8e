//! What the settings mean for how much is answered, in words: per limit its law, whom it counts apart, which routes it guards.

use rimward_edge::config::{Algorithm, Guards, LimitFields, LimitPolicy, Part, Precision, Settings, WhenUnreachable};
use rimward_edge::limit::law;
use serde::Serialize;

use super::{Rule, period, quoted, rules_text};
use crate::settings::limiting::LEASED_FROM;

/// What one `[limit.*]` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedLimit {
    /// Its name.
    pub limit: String,
    /// The routes whose requests it counts, in their order.
    pub routes: Vec<Guarded>,
    /// What it promises, then the rest.
    pub rules: Vec<Rule>,
}

/// A route that a limit guards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guarded {
    /// The path of the route, as it is written.
    pub path: String,
    /// How many permits a request takes: one of what counts requests under way.
    pub cost: u32,
}

/// Explains every limit, in the order of their names.
pub fn explain_limits(settings: &Settings) -> Vec<ExplainedLimit> {
    let explained = |policy: &LimitPolicy| {
        let guarded = settings.routes.iter().filter(|route| route.limits.contains(&policy.name));
        let cost = |cost: u32| if at_once(policy) { 1 } else { cost };
        let routes = guarded.map(|route| Guarded { path: route.path.as_str().to_owned(), cost: cost(route.cost) });
        ExplainedLimit { limit: policy.name.clone(), routes: routes.collect(), rules: rules(policy) }
    };
    settings.limits.iter().map(explained).collect()
}

impl ExplainedLimit {
    /// As a person reads it: a title, then a line for each sentence.
    pub fn text(&self) -> String {
        let routes = self.routes.iter().map(|Guarded { path, cost }| match cost {
            1 => path.clone(),
            cost => format!("{path} ({cost} permits each)"),
        });
        let routes = match self.routes.is_empty() {
            true => "no route".to_owned(),
            false => routes.collect::<Vec<_>>().join(", "),
        };
        format!("[limit.{}] guards {routes}\n{}", self.limit, rules_text(&self.rules))
    }
}

fn rules(policy: &LimitPolicy) -> Vec<Rule> {
    let rule = |about, says| Rule { about, says };
    let mut rules = vec![
        rule("law", promised(policy)),
        rule("partition", vec![partition(&policy.partition)]),
        rule("counts", counts(policy)),
        rule("decides", vec![decides(policy)]),
        rule("when down", vec![unreachable(policy)]),
        rule("refuses", vec![refuses(policy).to_owned()]),
    ];
    if let Some(ban) = policy.ban {
        let within = if at_once(policy) { "a minute" } else { "a window" };
        rules
            .push(rule("bans", vec![format!("after {} refusals in {within}, for {}", ban.after, period(ban.seconds))]));
    }
    rules.push(rule("tells", tells(policy)));
    rules
}

fn at_once(policy: &LimitPolicy) -> bool {
    matches!(policy.algorithm, Algorithm::Concurrency { .. })
}

fn promised(policy: &LimitPolicy) -> Vec<String> {
    std::iter::once(law::say(policy.algorithm)).chain(law::say_after_restart(policy.algorithm)).collect()
}

fn partition(parts: &[Part]) -> String {
    let told = |part: &Part| match part {
        Part::Ip => Some("address (of IPv6 its /64)".to_owned()),
        Part::Header(name) => Some(format!("value of the header `{name}`")),
        Part::Cookie(name) => Some(format!("value of the cookie `{name}`")),
        Part::Route => Some("route".to_owned()),
        Part::Country => Some("country".to_owned()),
        Part::Global => None,
    };
    let told: Vec<String> = parts.iter().filter_map(told).collect();
    match told.is_empty() {
        true => "everyone together".to_owned(),
        false => format!("apart for each {}", told.join(" and ")),
    }
}

fn counts(policy: &LimitPolicy) -> Vec<String> {
    let mut says = vec![
        match policy.guards {
            Guards::All => "every request",
            Guards::Origin => "what is sent to an origin, and no answer from a cache (guards)",
        }
        .to_owned(),
    ];
    if !policy.exempt.is_empty() {
        says.push(format!("nobody of {} (exempt)", quoted(&policy.exempt)));
    }
    says
}

fn decides(policy: &LimitPolicy) -> String {
    let few = matches!(
        policy.algorithm,
        Algorithm::Gcra { permits, .. } | Algorithm::SlidingWindow { permits, .. } | Algorithm::FixedWindow { permits, .. }
            if permits.number() < LEASED_FROM
    );
    match policy.precision {
        Precision::Exact => "one object, at every request (exact)".to_owned(),
        Precision::Leased if few => {
            format!("one object, at every request: fewer than {LEASED_FROM} permits are not lent")
        }
        Precision::Leased => "each isolate, by permits that one object lends it (leased)".to_owned(),
    }
}

fn unreachable(policy: &LimitPolicy) -> String {
    let then = match policy.when_unreachable {
        // What an isolate has under way says nothing of the others.
        WhenUnreachable::Local if at_once(policy) => "everything passes (local)",
        WhenUnreachable::Local => "each isolate holds its own requests to the quota (local)",
        WhenUnreachable::Open => "everything passes (open)",
        WhenUnreachable::Closed => "nothing passes: 503 (closed)",
    };
    format!("if that object does not answer within {} ms, {then}", policy.deadline_ms)
}

fn refuses(policy: &LimitPolicy) -> &'static str {
    match policy.shadow {
        true => "nobody: it counts and reports (shadow)",
        false => "with 429 and `Retry-After`",
    }
}

fn tells(policy: &LimitPolicy) -> Vec<String> {
    let quota = match law::advertised(policy.algorithm) {
        (quota, Some(seconds)) => format!("{quota} permits for {seconds} s"),
        (quota, None) => format!("{quota} permits"),
    };
    let fields = |fields: &LimitFields| match fields {
        LimitFields::Draft11 => format!("`RateLimit-Policy` and `RateLimit`: {quota}"),
        LimitFields::XRateLimit => format!("`X-RateLimit-Limit`, `-Remaining` and `-Reset`: {quota}"),
    };
    match policy.headers.is_empty() {
        true => vec!["nothing before it refuses (headers)".to_owned()],
        false => policy.headers.iter().map(fields).collect(),
    }
}

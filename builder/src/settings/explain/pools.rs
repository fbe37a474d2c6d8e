//! What the settings mean for requests to origins, in words: per pool who is chosen, what is tried again, who is left alone when.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use rimward_edge::config::{
    Choice, Credential, CredentialKind, HashBy, Health, Origin, Pool, Region, Role, Route, Settings, Timeout,
};
use rimward_edge::origin::retry::{REPLAY_BYTES, Repeatable};
use rimward_edge::origin::{budget, circuit};
use serde::Serialize;

use super::{Rule, period, rules_text};
use crate::settings::values::Word;

/// What one `[[pool]]` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedPool {
    /// Its name.
    pub pool: String,
    /// The paths of the routes that it answers, as they are written, in their order.
    pub routes: Vec<String>,
    /// Its origins first.
    pub rules: Vec<Rule>,
}

/// Explains every pool, in the order of their names.
pub fn explain_pools(settings: &Settings) -> Vec<ExplainedPool> {
    let explained = |(name, pool): (&String, &Pool)| {
        let routes: Vec<&Route> =
            settings.routes.iter().filter(|route| route.by.pools().any(|pool| pool == name)).collect();
        let is_cached = routes.iter().any(|route| route.cache.is_some());
        ExplainedPool {
            pool: name.clone(),
            routes: routes.iter().map(|route| route.path.as_str().to_owned()).collect(),
            rules: rules(pool, is_cached),
        }
    };
    settings.pools.iter().map(explained).collect()
}

impl ExplainedPool {
    /// As a person reads it: a title, then a line for each sentence.
    pub fn text(&self) -> String {
        let routes = match self.routes.is_empty() {
            true => "no route".to_owned(),
            false => self.routes.join(", "),
        };
        format!("the pool `{}` answers {routes}\n{}", self.pool, rules_text(&self.rules))
    }
}

fn rules(pool: &Pool, is_cached: bool) -> Vec<Rule> {
    let rule = |about, says: Vec<String>| (!says.is_empty()).then_some(Rule { about, says });
    let rules = [
        rule("origins", pool.origins.iter().map(|one| origin(one, pool)).collect()),
        rule("chosen", chosen(pool)),
        rule("stays", stays(pool, is_cached)),
        rule("in time", in_time(pool.timeout)),
        rule("at once", at_once(pool)),
        rule("again", again(pool)),
        rule("breaker", breaker(pool)),
        rule("checks", checks(pool.health.as_ref())),
        rule("says", said(pool.credential.as_ref())),
        rule("redirects", redirects(pool)),
    ];
    rules.into_iter().flatten().collect()
}

fn origin(origin: &Origin, pool: &Pool) -> String {
    let of_reads = matches!(pool.choice, Choice::PrimaryReplica { .. });
    let role = match origin.role {
        Role::Primary if of_reads => Some("primary".to_owned()),
        Role::Primary => None,
        Role::Replica => Some("replica".to_owned()),
        Role::Backup => Some("backup".to_owned()),
    };
    let weight = match origin.weight {
        0 => Some("sent nothing but who stays: weight 0".to_owned()),
        1 => None,
        weight => (pool.choice != Choice::RoundRobin).then(|| format!("weight {weight}")),
    };
    let word = |region: Region| Region::WORDS.iter().find(|(_, known)| *known == region).map(|(word, _)| *word);
    let region = origin.region.filter(|_| pool.choice == Choice::Geo).and_then(word).map(str::to_owned);
    let about: Vec<String> = [role, weight, region].into_iter().flatten().collect();
    match about.is_empty() {
        true => origin.url.clone(),
        false => format!("{} ({})", origin.url, about.join(", ")),
    }
}

fn chosen(pool: &Pool) -> Vec<String> {
    let mut says = Vec::new();
    if pool.origins.len() > 1 {
        says.extend(choice(&pool.choice));
    }
    let backups = pool.origins.iter().filter(|origin| origin.role == Role::Backup).count();
    let others = pool.origins.len() - backups;
    let too_few = match (others, pool.panic_percent) {
        (1, _) | (_, 0) => "where none is well".to_owned(),
        (_, percent) => format!("where fewer than {percent} of 100 are well (panic_threshold), or none"),
    };
    let whom = if backups > 0 { "those that are no backup" } else { "the origins" };
    if backups > 0 {
        says.push(format!("of {whom}; {too_few}, the backups that are well too; if no backup is, all, sick or not"));
    } else if others > 1 {
        says.push(format!("of {whom} that are well; {too_few}, of all, sick or not"));
    } else {
        says.push("the one there is, sick or not".to_owned());
    }
    if pool.origins.len() > 1 && pool.slow_start_ms > 0 {
        says.push(format!(
            "one that is well again gets less than its share at first, all of it after {} (slow_start)",
            millis(pool.slow_start_ms)
        ));
    }
    says
}

fn choice(choice: &Choice) -> Vec<String> {
    let says = |sentence: &str| vec![sentence.to_owned()];
    match choice {
        Choice::RoundRobin => says("one after the other (round-robin)"),
        Choice::Weighted => says("one after the other, as often as their weights say (weighted)"),
        Choice::LeastRequests => {
            says("of two at random, by weights, the one with fewer requests under way in this isolate (least-requests)")
        }
        Choice::Hash(by) => vec![
            format!("always the same one for the same {} (hash)", told_by(by)),
            "another one where that has a quarter more than its share under way in this isolate".to_owned(),
            "where a request has none, as least-requests does".to_owned(),
        ],
        Choice::Geo => vec![
            "of the region that is nearest to the client; of equals as least-requests does (geo)".to_owned(),
            "where it is not known where the client is, of all".to_owned(),
        ],
        Choice::PrimaryReplica { after_write_ms } => {
            let mut says = says(
                "writes: the primary alone; reads: a replica, and the primary where none is well (primary-replica)",
            );
            if *after_write_ms > 0 {
                let lag = millis(*after_write_ms);
                says.push(format!("who wrote reads from the primary for {lag}, by a cookie (after_write)"));
            }
            says
        }
    }
}

fn told_by(by: &HashBy) -> String {
    match by {
        HashBy::Ip => "address (of IPv6 its /64)".to_owned(),
        HashBy::Path => "path".to_owned(),
        HashBy::Header(name) => format!("value of the header `{name}`"),
        HashBy::Cookie(name) => format!("value of the cookie `{name}`"),
        HashBy::Query(name) => format!("value of the parameter `{name}`"),
        HashBy::Caught(name) => format!("`:{name}` of the route's path"),
    }
}

fn stays(pool: &Pool, is_cached: bool) -> Vec<String> {
    let Some(sticky) = &pool.sticky else { return Vec::new() };
    let how_long = match sticky.max_age_s {
        Some(seconds) => format!("for {}", period(seconds)),
        None => "until the browser is closed".to_owned(),
    };
    let mut says = vec![
        format!(
            "a client with the first origin that it got, {how_long}, by the cookie `{}`, signed by the secret {}",
            sticky.cookie, sticky.secret
        ),
        "where that one is not well, or has all that it may have at once, it gets another".to_owned(),
    ];
    if is_cached {
        says.push(
            "kept answers are everybody's, whichever origin gave them; the cookie itself makes no request personal"
                .to_owned(),
        );
    }
    says
}

fn in_time(timeout: Timeout) -> Vec<String> {
    let mut says = vec![format!("{} for the head of an answer, at each try", millis(timeout.answer_ms))];
    if let Some(idle) = timeout.idle_ms {
        says.push(format!("{} between two pieces of its body", millis(idle)));
    }
    if let Some(total) = timeout.total_ms {
        says.push(format!("{} for everything, all tries together", millis(total)));
    }
    if timeout.idle_ms.or(timeout.total_ms).is_some() {
        says.push("of streams of events and WebSockets only the head is waited for no longer than that".to_owned());
    }
    says
}

fn at_once(pool: &Pool) -> Vec<String> {
    let Some(limit) = pool.concurrency else { return Vec::new() };
    let waiting = match limit.queue {
        0 => "nobody waits where all have that many: 503".to_owned(),
        queue => format!(
            "where all have that many, {queue} more of the isolate wait, first come, first served, for at most {}",
            millis(limit.queue_wait_ms)
        ),
    };
    vec![format!("{} requests of each isolate to each origin (concurrency_per_isolate)", limit.per_isolate), waiting]
}

fn again(pool: &Pool) -> Vec<String> {
    let retry = pool.retry;
    if retry.attempts == 0 {
        return vec!["nothing is tried twice (attempts)".to_owned()];
    }
    let tries = match retry.attempts {
        1 => "1 further try".to_owned(),
        tries => format!("{tries} further tries"),
    };
    let whom = match pool.origins.len() {
        1 => "after a pause",
        _ => "by another origin first; where all were asked, the best once more after a pause",
    };
    let mut says = vec![format!("{tries}, {whom} (attempts)")];
    for kind in [Repeatable::Safe, Repeatable::Idempotent] {
        let key = if kind == Repeatable::Idempotent { ", and what has an `Idempotency-Key`," } else { "" };
        says.push(format!(
            "{}{key} after no answer, one that broke off before the client had any of it, or {}",
            methods(kind).join(", "),
            statuses(kind).join(", ")
        ));
    }
    says.push(format!("with bodies up to {} KiB; nothing else", REPLAY_BYTES / 1024));
    says.push(format!(
        "in each isolate at most {} further tries for 1000 requests, beside {} that are always free (budget)",
        retry.budget_permille,
        budget::FREE
    ));
    says
}

/// The methods of requests that are repeatable so, by themselves.
fn methods(kind: Repeatable) -> Vec<&'static str> {
    let known = ["GET", "HEAD", "OPTIONS", "QUERY", "PUT", "DELETE", "POST", "PATCH"];
    let is_so = |name: &&str| {
        Method::from_bytes(name.as_bytes()).is_ok_and(|method| Repeatable::of(&method, &HeaderMap::new()) == kind)
    };
    known.into_iter().filter(is_so).collect()
}

fn statuses(kind: Repeatable) -> Vec<String> {
    let failures = (500..600).filter_map(|status| StatusCode::from_u16(status).ok());
    failures.filter(|status| kind.again_after(Some(*status))).map(|status| status.as_u16().to_string()).collect()
}

fn breaker(pool: &Pool) -> Vec<String> {
    let rule = pool.breaker;
    vec![
        format!(
            "an isolate leaves an origin alone where {} of 1000 requests failed within {}, of at least {} (errors, over, min_requests)",
            rule.errors_permille,
            millis(rule.over_ms),
            rule.min_requests
        ),
        format!("or where {} in a row got no answer, or half of one", circuit::lost_in_a_row(&rule)),
        format!(
            "for about {}, then twice as long each time, {} at most; one request at a time tells whether it is well again",
            duration(circuit::FIRST),
            duration(circuit::LONGEST)
        ),
    ]
}

fn checks(health: Option<&Health>) -> Vec<String> {
    let Some(health) = health else {
        return vec!["none: only its own traffic tells an isolate how origins are".to_owned()];
    };
    let status = match health.status {
        (first, last) if first == last => format!("the status {first}"),
        (first, last) => format!("a status from {first} to {last}"),
    };
    let body = match &health.body {
        Some(body) => format!(" and {body:?} in the first 64 KiB of the body"),
        None => String::new(),
    };
    vec![
        format!(
            "each origin is asked for {} about every {} by one object for all isolates",
            health.path,
            millis(health.interval_ms)
        ),
        format!("well: {status}{body}, within {}; redirects are not followed", millis(health.timeout_ms)),
        format!(
            "sick after {} failures in a row, well again after {} successes: known everywhere within 2 s",
            health.unhealthy_after, health.healthy_after
        ),
        "paused while nobody has asked for 5 minutes".to_owned(),
    ]
}

fn said(credential: Option<&Credential>) -> Vec<String> {
    let Some(Credential { kind, header, secret }) = credential else { return Vec::new() };
    let what = match kind {
        CredentialKind::Hmac => "a signature of method, path, time and body, made with",
        CredentialKind::Secret => "the value of",
    };
    vec![format!("in `{header}`, to origins: {what} the secret {secret}; what clients send as `{header}` is dropped")]
}

fn redirects(pool: &Pool) -> Vec<String> {
    match pool.follow_redirects {
        0 => Vec::new(),
        hops => vec![format!("up to {hops} from one origin of the pool to one of the same pool are followed here")],
    }
}

/// As the settings spell it.
fn millis(milliseconds: u64) -> String {
    match milliseconds {
        whole if whole.is_multiple_of(1000) => period(whole / 1000),
        odd => format!("{odd}ms"),
    }
}

fn duration(duration: Duration) -> String {
    millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

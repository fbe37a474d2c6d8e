//! Bans: refuses who is banned, bans who is refused again and again, and answers operators (`/.rimward/limits`).
//!
//! Off by default: only for a limit with `ban` the log is looked at, or anything counted.

use std::time::Duration;

use http::{Method, StatusCode};

use super::admission::turned_away;
use super::control;
use super::limited::{self, Keyed, Ready};
use super::ours;
use super::purge::{body, say, unreachable};
use super::site::Site;
use super::visit::Visit;
use crate::answer::Answer;
use crate::config::{Algorithm, BanRule, PurgeCheck};
use crate::control::ban::Ban;
use crate::control::message::{Append, Command, Reply};
use crate::control::record::Kind;
use crate::guard::secret::Scope;
use crate::json::Value;
use crate::limit::partition::{Key, Whom, is_of_somebody};
use crate::limit::request;
use crate::platform::{Platform, Request};
use crate::telemetry::top::Asker;
use crate::telemetry::tops;
use crate::time::Timestamp;

/// The window of a limit that has none.
const MINUTE_MS: u64 = 60_000;

/// Nobody is told to come back later than that.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The rule of a limit that bans.
fn rule(ready: &Ready) -> Option<BanRule> {
    ready.policy.ban.filter(|_| !ready.policy.shadow)
}

/// The answer to whom one of these limits bans.
pub(super) async fn refuse<P, R>(visit: &Visit<'_, P, R>, keyed: &[Keyed<'_>]) -> Option<Answer<P::Body>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if keyed.iter().all(|(_, ready, _)| rule(ready).is_none()) {
        return None;
    }
    let known = control::current(visit, PurgeCheck::Lease).await;
    let now = visit.platform.now();
    let mut names = Vec::new();
    let mut until = Timestamp::default();
    for (name, ready, key) in keyed {
        if rule(ready).is_some()
            && let Some(end) = known.banned_until(name, &key.digest(), now)
        {
            limited::decided(visit, name, &ready.policy, *key, "banned");
            names.push(*name);
            until = until.max(end);
        }
    }
    let wait = u64::try_from(until.since(now).min(LONGEST_WAIT).as_millis()).unwrap_or_default();
    (!names.is_empty()).then(|| limited::say(visit, limited::BANNED, &names, wait))
}

/// Counts a request that these limits refused, each of them that did, and bans behind the answer who was refused too often.
pub(super) fn count<P, R>(visit: &Visit<'_, P, R>, keyed: &[Keyed<'_>], whom: &Whom<'_>)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let now = visit.platform.now();
    for (name, ready, key) in keyed {
        let Some(rule) = rule(ready) else { continue };
        let was_refused = visit.limited.borrow().refused(name);
        if !was_refused || !is_of_somebody(&ready.policy.partition, whom) {
            continue;
        }
        let window = match ready.policy.algorithm {
            Algorithm::Gcra { window, .. }
            | Algorithm::SlidingWindow { window, .. }
            | Algorithm::FixedWindow { window, .. } => window.millis(),
            Algorithm::Concurrency { .. } => MINUTE_MS,
        };
        if visit.isolate.refusals.borrow_mut().count(*key, rule.after.into(), window, now.as_millis()) {
            let until = now.plus(Duration::from_secs(rule.seconds));
            let ban = Ban { limit: (*name).to_owned(), partition: key.digest(), until, by_rule: true };
            visit.log(&format!("limit {name}: {} is banned for {} s", ban.partition, rule.seconds));
            control::ban(visit, ban);
        }
    }
}

/// Answers a request for `/.rimward/limits`.
pub(super) async fn answer<P, R>(visit: &Visit<'_, P, R>, site: &Site) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if let Some(refusal) = turned_away(visit, site, Scope::Operate) {
        return refusal;
    }
    match *visit.request.method() {
        Method::GET | Method::HEAD => list(visit, site).await,
        Method::POST => change(visit, site).await,
        _ => ours::only(visit, "GET, HEAD, POST"),
    }
}

async fn list<P, R>(visit: &Visit<'_, P, R>, site: &Site) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let known = control::current(visit, PurgeCheck::Strict).await;
    let bans = known.bans(visit.platform.now()).iter().map(|ban| Value::object(members(ban))).collect();
    let mut said = vec![("bans", Value::List(bans)), ("sure", (!known.is_unsure()).into())];
    match visit.platform.counted().await {
        Ok(lines) => said.push(("top", Value::List(top(site, &lines)))),
        Err(error) => visit.log(&format!("who asked most could not be read: {error}")),
    }
    say("limits", &Value::object(said))
}

/// How many are told of each limit.
const TOLD: usize = 10;

/// On whom each limit decided most often, of what isolates told.
fn top(site: &Site, lines: &str) -> Vec<Value> {
    let mut top = Vec::new();
    for (name, askers) in tops(lines) {
        if site.limit(&name).is_none() {
            continue;
        }
        for Asker { who, count, error } in askers.askers().into_iter().take(TOLD) {
            top.push(Value::object(vec![
                ("limit", name.as_str().into()),
                ("digest", Key { policy: 0, partition: who }.digest().as_str().into()),
                ("requests", count.into()),
                ("error", error.into()),
            ]));
        }
    }
    top
}

/// A ban as members of an object.
fn members(ban: &Ban) -> Vec<(&'static str, Value)> {
    let Ban { limit, partition, until, .. } = ban;
    vec![
        ("limit", limit.as_str().into()),
        ("digest", partition.as_str().into()),
        ("until_ms", until.as_millis().into()),
        ("by", ban.by().into()),
    ]
}

/// Bans somebody, or lets him in again.
async fn change<P, R>(visit: &Visit<'_, P, R>, site: &Site) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let bytes = match body(visit).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let ban = match read(site, &bytes, visit.platform.now()) {
        Ok(ban) => ban,
        Err(why) => return ours::problem(visit, StatusCode::BAD_REQUEST, "bad-ban", &format!("{why}.")),
    };
    let mut said = members(&ban);
    let command = Command::Append(Append { kind: Kind::Ban(ban), key: None, calls: Vec::new() });
    match control::order(visit, &command).await {
        Ok(Reply::Appended(appended)) => {
            let settles_in = u64::try_from(appended.settles_in.as_millis()).unwrap_or(u64::MAX);
            said.extend([("sequence", appended.sequence.number().into()), ("settles_in_ms", settles_in.into())]);
            say("limits", &Value::object(said))
        }
        Ok(_) => unreachable(visit, "Nothing was changed", &"the control log answered something else"),
        Err(error) => unreachable(visit, "Nothing was changed", &error),
    }
}

/// What a request asks for, as it stands in the log.
fn read(site: &Site, bytes: &[u8], now: Timestamp) -> Result<Ban, String> {
    let asked = request::Request::parse(bytes)?;
    let name = &asked.limit;
    let ready = site.limit(name).ok_or_else(|| format!("there is no `[limit.{name}]`"))?;
    let rule = rule(ready).ok_or_else(|| format!("`[limit.{name}]` bans nobody: it has no `ban`, or is a shadow"))?;
    let is_route = |called: &str| {
        let mut routes = site.routes.named();
        routes.any(|(known, route)| known == called && route.limits.contains(name))
    };
    let partition = asked.partition(&site.settings.site.name, &ready.policy, &is_route)?;
    let seconds = asked.seconds.unwrap_or(rule.seconds);
    let until = if asked.lifts { Timestamp::default() } else { now.plus(Duration::from_secs(seconds)) };
    Ok(Ban { limit: asked.limit, partition, until, by_rule: false })
}

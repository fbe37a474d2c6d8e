//! Origins as operators see them (`/.rimward/origins`): which are sick, which are drained; and tells the object that checks
//! them that somebody asks.

use std::rc::Rc;
use std::time::Duration;

use http::{Method, StatusCode};

use super::admission::turned_away;
use super::control::{self, Known};
use super::observe;
use super::ours;
use super::purge::{body, say, unreachable};
use super::site::Site;
use super::visit::Visit;
use crate::answer::Answer;
use crate::config::{Pool, PurgeCheck};
use crate::control::message::{Append, Command, Drain, Reply};
use crate::control::notice::{DRAINED_FOR, Notice, OriginStanding, State};
use crate::control::record::Kind;
use crate::guard::secret::Scope;
use crate::health;
use crate::json::Value;
use crate::platform::{Platform, Request, StoreError};
use crate::telemetry::{self, Metric};
use crate::time::Timestamp;

/// How long the object may take to be told, behind the answer.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// Tells the object that checks origins, behind the answer and once a minute, that somebody asked for this pool.
pub(super) fn keep_checked<P, R>(visit: &Visit<'_, P, R>, site: &Rc<Site>, pool: &Pool)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let now = visit.started;
    if pool.health.is_none() || !health::is_time(visit.isolate.checks_asked_at.get(), now) {
        return;
    }
    visit.isolate.checks_asked_at.set(Some(now));
    let (platform, isolate, site) = (Rc::clone(visit.platform), Rc::clone(visit.isolate), Rc::clone(site));
    visit.platform.defer(async move {
        let list = health::list::write(site.settings.pools.iter());
        match platform.ask_health(list, TOLD_WITHIN).await {
            Ok(()) => {}
            Err(StoreError::Absent) => {
                if !isolate.checks_missed.replace(true) {
                    platform.log("the Worker has no `HEALTH` binding: no origin is checked");
                }
            }
            Err(error) => platform.log(&format!("checks of origins could not be asked for: {error}")),
        }
    });
}

/// Answers a request for `/.rimward/origins`.
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
    let now = visit.platform.now();
    let mut pools = Vec::new();
    for (name, pool) in site.settings.pools.iter() {
        let origins: Vec<Value> =
            pool.origins.iter().map(|origin| origin_json(&known, name, &origin.url, now)).collect();
        pools.push(Value::object(vec![
            ("pool", name.as_str().into()),
            ("checked", pool.health.is_some().into()),
            ("origins", Value::List(origins)),
        ]));
    }
    say("origins", &Value::object(vec![("pools", Value::List(pools)), ("sure", (!known.is_unsure()).into())]))
}

fn origin_json(known: &Known, pool: &str, url: &str, now: Timestamp) -> Value {
    let standing = known.origin_standing(pool, url, now).word();
    let mut members = vec![("url", url.into()), ("standing", standing.into())];
    if let Some(notice) = known.notice(pool, url, now) {
        members.extend([("since_ms", notice.since.as_millis().into()), ("by", notice.state.by().into())]);
    }
    Value::object(members)
}

/// Drains an origin, or undrains it.
async fn change<P, R>(visit: &Visit<'_, P, R>, site: &Site) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let bytes = match body(visit).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let asked = match Asked::read(&bytes, site) {
        Ok(asked) => asked,
        Err(why) => return ours::problem(visit, StatusCode::BAD_REQUEST, "bad-origin", &format!("{why}.")),
    };
    let now = visit.platform.now();
    let Asked { name, pool, url, drains, force } = asked;
    let (state, until) =
        if drains { (State::Drained, now.plus(DRAINED_FOR)) } else { (State::Undrained, Timestamp::default()) };
    let notice = Notice { pool: name.to_owned(), url: url.to_owned(), state, since: now, until };
    let command = if drains && !force {
        // Only the log knows what another operator drains at the same time.
        Command::Drain(Drain { notice, pool: pool.origins.iter().map(|origin| origin.url.clone()).collect() })
    } else {
        Command::Append(Append { kind: Kind::Origin(notice), key: None, calls: Vec::new() })
    };
    let stood = control::current(visit, PurgeCheck::Strict).await.origin_standing(name, url, now);
    match control::order(visit, &command).await {
        Ok(Reply::Appended(appended)) => {
            if (stood == OriginStanding::Drained) != drains {
                let origin = telemetry::origin_of(name, url);
                visit.isolate.counters.borrow_mut().add(&origin, Metric::PoolHealth, state.word(), 1);
                observe::tell_later(visit);
            }
            visit.log(&format!("pool `{name}`: {url} is {}", state.word()));
            let settles_in = u64::try_from(appended.settles_in.as_millis()).unwrap_or(u64::MAX);
            let members = vec![
                ("pool", name.into()),
                ("origin", url.into()),
                ("state", state.word().into()),
                ("sequence", appended.sequence.number().into()),
                ("settles_in_ms", settles_in.into()),
            ];
            say("origins", &Value::object(members))
        }
        Ok(Reply::LastOrigin) => {
            let sentence = format!(
                "{url} is the last origin of the pool `{name}` that is not drained; `force` drains it all the same."
            );
            ours::problem(visit, StatusCode::CONFLICT, "last-origin", &sentence)
        }
        Ok(_) => unreachable(visit, "Nothing was changed", &"the control log answered something else"),
        Err(error) => unreachable(visit, "Nothing was changed", &error),
    }
}

/// What an operator asks for.
struct Asked<'a> {
    name: &'a str,
    pool: &'a Pool,
    /// The origin's, as the settings have it.
    url: &'a str,
    drains: bool,
    /// Also where it is the last one.
    force: bool,
}

impl<'a> Asked<'a> {
    /// Else a sentence that says what is wrong.
    fn read(bytes: &[u8], site: &'a Site) -> Result<Asked<'a>, String> {
        let body = Value::parse(bytes).map_err(|error| format!("the body is no JSON: {error}"))?;
        let (drains, members) = match body.members() {
            [(name, members @ Value::Object(_))] if name == "drain" => (true, members),
            [(name, members @ Value::Object(_))] if name == "undrain" => (false, members),
            _ => return Err("the body is an object of one member: `drain` or `undrain`, an object".to_owned()),
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let (Some(name), Some(url)) = (text("pool"), text("origin")) else {
            return Err(
                "`pool` is to be the name of a `[[pool]]`, and `origin` the URL of one of its origins".to_owned()
            );
        };
        let force = match members.get("force") {
            None => Some(false),
            Some(Value::Bool(force)) if drains => Some(*force),
            Some(_) => None,
        };
        let is_known = |name: &str| ["pool", "origin", "force"].contains(&name);
        let force = force.filter(|_| members.members().iter().all(|(name, _)| is_known(name)));
        let force = force.ok_or("beside `pool` and `origin` there is only `force` of `drain`: true or false")?;
        let (name, pool) = site
            .settings
            .pools
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("there is no pool `{name}`"))?;
        let origin = pool.origins.iter().find(|origin| origin.url == url.trim_end_matches('/'));
        let origin = origin.ok_or_else(|| {
            let known: Vec<&str> = pool.origins.iter().map(|origin| origin.url.as_str()).collect();
            format!("{url} is no origin of the pool `{name}`: it has {}", known.join(", "))
        })?;
        Ok(Asked { name, pool, url: &origin.url, drains, force })
    }
}

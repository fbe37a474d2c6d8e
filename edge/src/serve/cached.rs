//! Answers from what is stored where it may, and else by the origin: asks the engine, the stores and the origin in order.

use std::rc::Rc;
use std::time::Duration;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{Method, StatusCode};

use super::control::{self, Known};
use super::flight::{ALONE_FOR, Crew, Flight, Landing, PERSONAL, Question, TOO_LARGE, alone_place, shard};
use super::forward::{self, Way};
use super::limited;
use super::ours::{self, Cause};
use super::stock::Stock;
use super::stores::{Lookup, Stores};
use super::upstream::Errand;
use super::visit::Visit;
use crate::answer::Answer;
use crate::cache::{
    self, Arrival, Asked, Fetch, Found, Key, Plan, SearchRule, Specs, Standing, Status, Stored, Unkeyed, Why, content,
    invalidates, is_unsafe, kept_for_get, outgoing, remove_for_us,
};
use crate::config::{CachePolicy, Guards, Invalidate, Pool};
use crate::platform::{Inbound, Outbound, Platform, Request, StoreError};
use crate::telemetry::{LOG_UNREACHABLE, SHIELD_UNREACHABLE, STORE_UNREACHABLE};
use crate::time::Timestamp;

/// A request that gets no answer from the flight that it waits for asks by itself, so long after the pool's own limit.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request to a cached route.
struct Ask<'request, P: Platform> {
    way: &'request Way<'request>,
    policy: &'request CachePolicy,
    asked: Asked<'request>,
    key: Key,
    stores: Stores<'request, P>,
    /// What the request carries, where its key is made of it.
    body: Option<P::Body>,
    trouble: Option<StoreError>,
    /// Purges may be missing: the control log cannot be reached.
    is_unsure: bool,
}

/// Answers a request to a route with a cache.
pub(super) async fn answer<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, policy: &CachePolicy) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let target = way.target;
    let (content, body) = match carried(visit, way, policy).await {
        Ok(carried) => carried,
        Err(cause) => return ours::error(visit, cause),
    };
    let asked = Asked {
        method: visit.request.method(),
        scheme: target.scheme,
        authority: &target.authority,
        path: &target.path,
        query: target.query,
        headers: way.sent,
        content,
    };
    let site = &way.site.settings.site.name;
    let stores = Stores::new(visit.platform.as_ref(), visit.isolate.as_ref(), site, policy);
    let key = cache::key(&asked, policy).map(|key| match way.part {
        Some(part) => key.apart(part),
        None => key,
    });
    match key {
        Ok(key) => keyed(visit, Ask { way, policy, asked, key, stores, body, trouble: None, is_unsure: false }).await,
        Err(unkeyed) => bypass(visit, way, &stores, &asked, unkeyed, body).await,
    }
}

/// What the request carries. Only what stands in a key is read; everything else is left a stream.
async fn carried<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    policy: &CachePolicy,
) -> Result<(cache::Content, Option<P::Body>), Cause>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let method = visit.request.method();
    let Some(body) = forward::take_body(visit).await? else { return Ok((cache::Content::None, None)) };
    if !content::is_keyed(method, way.sent, policy) {
        return Ok((cache::Content::Unkeyed, forward::body(visit, way, Some(body)).await?));
    }
    let body = visit.platform.gather(body, content::LIMIT_BYTES as u64).await.map_err(|_| Cause::BadBody)?;
    let content = match visit.platform.bytes(&body) {
        Some(bytes) => content::read(method, way.sent, policy, &bytes),
        None => cache::Content::Unkeyed,
    };
    Ok((content, Some(body)))
}

/// A request that the cache does not handle; but what it changes at the origin is not served from the stores any more.
async fn bypass<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    stores: &Stores<'_, P>,
    asked: &Asked<'_>,
    unkeyed: Unkeyed,
    body: Option<P::Body>,
) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if let Some(refusal) = limited::admit(visit, way.bound(), Guards::Origin).await {
        return refusal;
    }
    let policy = stores.policy;
    let mark = control::mark(visit);
    let requested_at = visit.platform.now();
    let mut outbound = forward::outbound(visit, way, way.target.query, body);
    Fetch::unkeyed(unkeyed).apply(&mut outbound.headers);
    let mut inbound = match forward::ask(visit, way, outbound).await {
        Ok(inbound) => inbound,
        Err(cause) => return forward::failed(visit, way, cause),
    };
    let mut detail = unkeyed.word();
    if is_unsafe(asked.method) {
        // It happened at some time until now, by the last of several tries maybe: what was asked for before may be older.
        let changed_at = visit.platform.now();
        let mut changed = invalidates(asked, policy, inbound.status, &inbound.headers);
        for url in changed.urls.clone() {
            let learned = stores.isolate.searches.borrow_mut().change(&url, changed_at);
            if let Some((at, common)) = learned {
                if let Some(key) = at {
                    invalidate(stores, &key, way.route.shield, changed_at).await;
                }
                changed.urls.push(common);
            }
            // What a route keeps apart at that URL was changed too.
            for part in way.site.routes.parts() {
                invalidate(stores, &Key::of_url(url.clone()).apart(part), way.route.shield, changed_at).await;
            }
            invalidate(stores, &Key::of_url(url), way.route.shield, changed_at).await;
            detail = "invalidated";
        }
        if way.route.invalidate == Invalidate::Everywhere {
            control::invalidate(visit, &cache::url(asked, policy), changed);
        }
        let received_at = visit.platform.now();
        let Inbound { status, headers, .. } = &inbound;
        let (log, sequence) = (mark.log.number(), mark.sequence.number());
        let arrival = Arrival { status: *status, headers, requested_at, received_at, sequence, log };
        if let Some((key, mut stored)) = kept_for_get(asked, policy, &arrival)
            && let Some(body) = inbound.body.take()
        {
            let key = match way.part {
                Some(part) => key.apart(part),
                None => key,
            };
            let gathered = visit.platform.gather(body, content::LIMIT_BYTES as u64).await;
            let Ok(body) = gathered else { return ours::error(visit, Cause::Unreachable) };
            let is_whole = visit.platform.length(&body).is_some_and(|length| stored.seal(length).is_ok());
            // Where another request changed something meanwhile, only the origin knows which of them was the last.
            if is_whole && !stores.may_be_forgotten(key.text()) {
                let as_get = Asked { method: &Method::GET, content: cache::Content::None, ..*asked };
                stores.change_brought(key.text(), changed_at, requested_at);
                stores.keep(&key, &as_get, stored, body.clone(), received_at).await;
                if stores.may_be_forgotten(key.text()) {
                    stores.forget(key.text()).await;
                }
            }
            inbound.body = Some(body);
        }
    }
    remove_for_us(&mut inbound.headers, policy);
    let why = Fetch::unkeyed(unkeyed).why;
    forward::pass_on(visit, inbound, |status| {
        let said = Status { fwd_status: Some(status.as_u16()), ..Status::forwarded(why, None) };
        visit.say(way.name, &said.detailed(detail))
    })
}

/// Throws away what is stored under a key, and what is on its way there, for something that had changed by that time.
async fn invalidate<P: Platform>(stores: &Stores<'_, P>, key: &Key, shield: bool, changed_at: Timestamp) {
    stores.change(key.text(), changed_at);
    stores.isolate.flights.borrow_mut().outdate(key);
    if shield {
        let place = stores.place(key.text());
        if let Err(error) = stores.platform.unrelay(shard(&place), &place).await {
            stores.platform.log(&format!("the shield was not told of a change: {error}"));
        }
    }
    stores.forget(key.text()).await;
}

async fn keyed<P, R>(visit: &Visit<'_, P, R>, mut ask: Ask<'_, P>) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let mut is_admitted = false;
    // Twice at most: whoever waited for an answer that was not for him may still find his own variant.
    for may_wait in [true, false] {
        let Lookup { specs, found, trouble } = visit.timed("cache", ask.stores.lookup(&ask.key, &ask.asked)).await;
        let (found, is_elsewhere) = newest(visit, &ask, found).await;
        ask.trouble = trouble;
        let log = match &found {
            Some(_) => control::current(visit, ask.policy.purge).await,
            None => control::for_fetch(visit).await,
        };
        ask.is_unsure = found.is_some() && log.is_unsure();
        let now = visit.platform.now();
        let standing = found.as_ref().map(|(_, stock)| log.standing(ask.key.url(), &stock.stored));
        let known = match (&found, standing) {
            (Some((_, stock)), Some(standing)) => Found::Stored(&stock.stored, standing),
            _ if specs.is_some() => Found::OtherVariants,
            _ => Found::Nothing,
        };
        let plan = cache::plan(&ask.asked, ask.policy, known, now);
        // What was purged is good for nothing, not even to be validated.
        let found = found.filter(|_| standing != Some(Standing::Gone));
        let found = if matches!(plan, Plan::Serve(_)) { found } else { ask.stores.settled(found).await };
        let stock = found.as_ref().map(|(_, stock)| Rc::clone(stock));
        // What another URL has may answer; but what comes is this one's own.
        let found = found.filter(|_| !is_elsewhere);
        let own = |fetch: Fetch| if is_elsewhere { fetch.of_another_url(&ask.asked) } else { fetch };
        let fetch = match (plan, &stock) {
            (Plan::Serve(serve), Some(stock)) => {
                let status = ask.noted(Status::hit(&serve, &ask.key));
                match stock.answer(visit, ask.way, &serve, &status) {
                    Some(answer) => {
                        if ask.stores.is_to_be_persisted(stock, now) {
                            persist_later(visit, &ask, specs, found, now);
                        }
                        return answer;
                    }
                    None => Fetch::whole(Why::UriMiss),
                }
            }
            (Plan::ServeAndRefresh(serve, fetch), Some(stock)) => {
                let status = ask.noted(Status::hit(&serve, &ask.key));
                if let Some(answer) = stock.answer(visit, ask.way, &serve, &status) {
                    let name = ask.flight_name(found.as_ref(), specs.as_deref());
                    if visit.isolate.flights.borrow().joined(&name, now).is_none() {
                        take_off(visit, &ask, &log, (name, Company::Welcome), own(fetch), found);
                    }
                    return answer;
                }
                Fetch::whole(Why::UriMiss)
            }
            (Plan::Refuse, _) => return refused(visit, &ask),
            // Where something is stored that may stand in for a failure, that is wanted too.
            (Plan::Fetch(fetch), _) if fetch.fallback.is_none() && ask.is_for_one(now) => own(fetch.in_parts()),
            (Plan::Fetch(fetch), _) => own(fetch),
            (Plan::Serve(_) | Plan::ServeAndRefresh(..), None) => Fetch::whole(Why::UriMiss),
        };
        if !fetch.may_be_shared() {
            return as_asked(visit, &ask, &fetch, is_admitted).await;
        }
        let name = ask.flight_name(found.as_ref(), specs.as_deref());
        let company = if may_wait && ask.may_wait(now) { Company::Welcome } else { Company::Unwelcome };
        let known = visit.isolate.flights.borrow().joined(&name, now).filter(|_| company == Company::Welcome);
        let leads = known.is_none();
        if leads
            && !std::mem::replace(&mut is_admitted, true)
            && let Some(refusal) = limited::admit(visit, ask.way.bound(), Guards::Origin).await
        {
            return refusal;
        }
        let flight = known.unwrap_or_else(|| take_off(visit, &ask, &log, (name, company), fetch.clone(), found));
        let landing = visit.timed("origin", flight.landed(longest(ask.way.pool) + PATIENCE)).await;
        visit.attempt.set(flight.attempt.get());
        // What another request asked for may have been purged before this one came: that is to be known as surely as for
        // what is stored.
        let log = if leads { log } else { control::current(visit, ask.policy.purge).await };
        ask.is_unsure |= !leads && log.is_unsure();
        let landed = Landed { flight: &flight, landing, leads, fetch: &fetch, stock, log: &log };
        match after(visit, &ask, landed) {
            Some(answer) => return answer,
            None if leads => break,
            None => {}
        }
    }
    as_asked(visit, &ask, &Fetch::whole(Why::UriMiss), is_admitted).await
}

/// How long asking a pool may take, until the head of an answer is there.
fn longest(pool: &Pool) -> Duration {
    let tries = Duration::from_millis(pool.timeout.answer_ms) * (u32::from(pool.retry.attempts) + 1);
    let waiting = Duration::from_millis(pool.concurrency.map_or(0, |limit| limit.queue_wait_ms));
    let total = pool.timeout.total_ms.map_or(Duration::MAX, Duration::from_millis);
    total.min(tries) + waiting
}

/// Keeps for all locations, behind the answer, what was asked for again.
fn persist_later<P, R>(
    visit: &Visit<'_, P, R>,
    ask: &Ask<'_, P>,
    specs: Option<Rc<Specs>>,
    found: Option<(String, Rc<Stock<P>>)>,
    now: Timestamp,
) where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let (Some(specs), Some((variant, stock))) = (specs, found) else { return };
    let (platform, isolate, site) = (Rc::clone(visit.platform), Rc::clone(visit.isolate), Rc::clone(ask.way.site));
    let (key, policy, forgets) = (ask.key.clone(), ask.policy.clone(), ask.stores.forgets());
    visit.platform.defer(async move {
        let site = &site.settings.site.name;
        let stores = Stores::new(platform.as_ref(), isolate.as_ref(), site, &policy).since(forgets);
        stores.persist(&key, &specs, &variant, &stock, now).await;
    });
}

/// What was found, or what another URL has, if that is newer (RFC 9111 §4) and answers this one too. Says whether it is
/// the other's.
async fn newest<P, R>(visit: &Visit<'_, P, R>, ask: &Ask<'_, P>, own: Stocked<P>) -> (Stocked<P>, bool)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let elsewhere = visit.isolate.searches.borrow().elsewhere(&ask.key);
    let Some((rule, key)) = elsewhere else { return (own, false) };
    let other = visit.timed("cache", ask.stores.lookup(&key, &ask.asked)).await.found;
    let answers = |other: &Stored| {
        let is_newer = own.as_ref().is_none_or(|(_, own)| own.stored.date < other.date);
        is_newer && SearchRule::of(&other.headers).as_ref() == Some(&rule)
    };
    match other.filter(|(_, other)| answers(&other.stored)) {
        Some(other) => (Some(other), true),
        None => (own, false),
    }
}

/// What was found, and under which key.
type Stocked<P> = Option<(String, Rc<Stock<P>>)>;

/// What a request has that waited for a flight.
struct Landed<'request, P: Platform> {
    flight: &'request Flight<P>,
    landing: Option<Rc<Landing<P>>>,
    /// Whether this request began it.
    leads: bool,
    fetch: &'request Fetch,
    /// What was stored before.
    stock: Option<Rc<Stock<P>>>,
    log: &'request Known,
}

/// How a flight answers one request; `None` where it does not.
fn after<P, R>(visit: &Visit<'_, P, R>, ask: &Ask<'_, P>, landed: Landed<'_, P>) -> Option<Answer<P::Body>>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Landed { flight, landing, leads, fetch, stock, log } = landed;
    let now = visit.platform.now();
    let said = |status: StatusCode| {
        let said = Status::forwarded(fetch.why, Some(&ask.key));
        let said = ask.noted(Status { fwd_status: Some(status.as_u16()), collapsed: !leads, ..said });
        if flight.is_past_shield() && !ask.is_unsure { said.detailed(SHIELD_UNREACHABLE) } else { said }
    };
    let pass_on = |inbound: &mut Option<Inbound<P::Body>>, detail: &'static str| {
        let mut inbound = inbound.take()?;
        remove_for_us(&mut inbound.headers, ask.policy);
        Some(forward::pass_on(visit, inbound, |status| visit.say(ask.way.name, &said(status).detailed(detail))))
    };
    let Some(landing) = landing else { return leads.then(|| failed(visit, ask, fetch.why, Cause::Timeout)) };
    match &*landing {
        Landing::Stocked { stock, status, sent, relayed } if leads => {
            // A head that renews what is stored is not kept either where the client wants nothing kept.
            let is_kept = !ask.asked.wants_nothing_kept();
            let said = Status { stored: is_kept, collapsed: *relayed, ..said(*status) };
            let Some(serve) = cache::answer(&ask.asked, &stock.stored, now) else {
                // A part that is not the one that was asked for: it is what the origin has to say.
                let mut headers = sent.clone();
                remove_for_us(&mut headers, ask.policy);
                let inbound = Inbound { status: *status, headers, body: stock.content.reader() };
                return Some(forward::pass_on(visit, inbound, |_| visit.say(ask.way.name, &said)));
            };
            let status = Status { ttl_s: Some(serve.ttl_s), ..said };
            let own = |kind| stock.stored.for_asker(kind, sent, ask.policy);
            stock.answer_with(visit, ask.way, &serve, &status, own)
        }
        // The flight began before a purge, and this request came after it.
        Landing::Stocked { stock, .. } if log.standing(ask.key.url(), &stock.stored) != Standing::Valid => None,
        Landing::Stocked { stock, status, .. } => {
            let Question { method, headers, content } = &flight.leader;
            let leader = Asked { method, headers, content: *content, ..ask.asked };
            let serve = cache::share(&ask.asked, &leader, ask.policy, &stock.stored, now)?;
            let status = Status { stored: true, ttl_s: Some(serve.ttl_s), ..said(*status) };
            stock.answer(visit, ask.way, &serve, &status)
        }
        Landing::Alone { inbound, detail }
            if leads && *detail == TOO_LARGE && ask.asked.headers.contains_key(RANGE) =>
        {
            // What will not be kept is not sent as a whole to whoever wants a part of it.
            if let Some(body) = inbound.take().and_then(|inbound| inbound.body) {
                visit.platform.discard(body);
            }
            None
        }
        Landing::Alone { inbound, detail } if leads => pass_on(&mut inbound.borrow_mut(), detail),
        Landing::Alone { .. } => None,
        Landing::Failed { inbound, status, cause } => {
            if let Some(stock) = stock.filter(|_| fetch.fallback.is_some())
                && let standing = log.standing(ask.key.url(), &stock.stored)
                && let Some(serve) = cache::stand_in(&ask.asked, ask.policy, &stock.stored, standing, now)
            {
                let fwd_status = status.map(|status| status.as_u16());
                let base = Status::forwarded(fetch.why, Some(&ask.key));
                let status = Status { fwd_status, ttl_s: Some(serve.ttl_s), collapsed: !leads, ..base };
                let status = serve.grounds.word().map_or(status, |word| status.detailed(word));
                return stock.answer(visit, ask.way, &serve, &ask.noted(status));
            }
            match status {
                Some(_) if leads => pass_on(&mut inbound.borrow_mut(), "origin-fails"),
                Some(_) => None,
                None => Some(failed(visit, ask, fetch.why, *cause)),
            }
        }
    }
}

/// Whether others may wait for what a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Welcome,
    Unwelcome,
}

/// Starts a flight.
fn take_off<P, R>(
    visit: &Visit<'_, P, R>,
    ask: &Ask<'_, P>,
    log: &Known,
    (name, company): (String, Company),
    fetch: Fetch,
    found: Option<(String, Rc<Stock<P>>)>,
) -> Rc<Flight<P>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let Ask { way, policy, asked, .. } = ask;
    let crew = Crew {
        platform: Rc::clone(visit.platform),
        isolate: Rc::clone(visit.isolate),
        site: Rc::clone(way.site),
        policy: (*policy).clone(),
        key: ask.key.clone(),
        name,
        is_alone: company == Company::Unwelcome,
        is_personal: asked.is_personal(policy),
        scheme: asked.scheme.to_owned(),
        authority: asked.authority.to_owned(),
        path: asked.path.to_owned(),
        query: asked.query.map(str::to_owned),
        outbound: ask.outbound(visit),
        errand: Errand { is_settled_later: true, ..forward::errand(visit, way) },
        mark: log.mark(),
        request_id: visit.id().to_owned(),
        route: way.name.to_owned(),
        is_shielded: way.route.shield && company == Company::Welcome,
    };
    let leader = Question { method: asked.method.clone(), headers: asked.headers.clone(), content: asked.content };
    crew.take_off(leader, fetch, found)
}

/// Hands the client's own question on: its conditions and ranges are the origin's to answer. `is_admitted`: its limits let it
/// pass already.
async fn as_asked<P, R>(visit: &Visit<'_, P, R>, ask: &Ask<'_, P>, fetch: &Fetch, is_admitted: bool) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if !is_admitted && let Some(refusal) = limited::admit(visit, ask.way.bound(), Guards::Origin).await {
        return refusal;
    }
    match forward::ask(visit, ask.way, ask.outbound(visit)).await {
        Ok(mut inbound) => {
            remove_for_us(&mut inbound.headers, ask.policy);
            forward::pass_on(visit, inbound, |status| {
                let said = Status::forwarded(fetch.why, Some(&ask.key));
                visit.say(ask.way.name, &ask.noted(Status { fwd_status: Some(status.as_u16()), ..said }))
            })
        }
        Err(cause) => failed(visit, ask, fetch.why, cause),
    }
}

/// An error of ours, counted like every answer.
fn failed<P, R>(visit: &Visit<'_, P, R>, ask: &Ask<'_, P>, why: Why, cause: Cause) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    visit.isolate.counters.borrow_mut().answered(ask.way.name, why.token(), false, None);
    forward::failed(visit, ask.way, cause)
}

fn refused<P, R>(visit: &Visit<'_, P, R>, ask: &Ask<'_, P>) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = ours::error(visit, Cause::OnlyIfCached);
    let status = Status::ours(Cause::OnlyIfCached.token(), Some(&ask.key));
    answer.headers.insert("cache-status", visit.say(ask.way.name, &ask.noted(status)));
    answer
}

impl<P: Platform> Ask<'_, P> {
    /// The request that leaves where nothing is stored.
    fn outbound<R>(&self, visit: &Visit<'_, P, R>) -> Outbound<P::Body>
    where
        R: Request<Body = P::Body>,
    {
        let query = cache::forwarded_query(self.asked.query, self.policy);
        let mut outbound = forward::outbound(visit, self.way, query.as_deref(), self.body.clone());
        outgoing(&mut outbound.headers, self.policy);
        outbound
    }

    /// Where others find the flight: the variant that it is for, as far as that is known. HEAD brings nothing to share.
    fn flight_name(&self, found: Option<&(String, Rc<Stock<P>>)>, specs: Option<&Specs>) -> String {
        let variant = match (found, specs) {
            (Some((variant, _)), _) => Some(variant.clone()),
            (None, Some(specs)) => specs.candidates(&self.key, &self.asked, self.policy).into_iter().next(),
            (None, None) => None,
        };
        let mut name = variant.unwrap_or_else(|| self.key.text().to_owned());
        if *self.asked.method == Method::HEAD {
            name.push_str(" HEAD");
        }
        if self.asked.is_personal(self.policy) {
            name.push_str(PERSONAL);
        }
        name
    }

    /// Whether the request may wait for another's answer, and others for its own.
    fn may_wait(&self, now: Timestamp) -> bool {
        !self.is_alone(now) && !self.asked.wants_nothing_kept()
    }

    /// Whether an answer could not be shared a moment ago.
    fn is_alone(&self, now: Timestamp) -> bool {
        let is_marked = |only_personal| {
            let alone = self.stores.isolate.alone.borrow().get(&alone_place(self.key.text(), only_personal));
            alone.is_some_and(|since| now.since(since) < ALONE_FOR)
        };
        is_marked(false) || self.asked.is_personal(self.policy) && is_marked(true)
    }

    /// Whether the client wants a part, or to hear that nothing has changed, of what was not kept a moment ago: that is the
    /// origin's to answer.
    fn is_for_one(&self, now: Timestamp) -> bool {
        let asks_little = [RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        asks_little.iter().any(|name| self.asked.headers.contains_key(name)) && self.is_alone(now)
    }

    /// The status, with a word on what did not work.
    fn noted<'key>(&self, status: Status<'key>) -> Status<'key> {
        match self.trouble {
            // That purges may be missing is worse than that an answer could have been faster.
            _ if self.is_unsure => status.detailed(LOG_UNREACHABLE),
            Some(_) => status.detailed(STORE_UNREACHABLE),
            None => status,
        }
    }
}

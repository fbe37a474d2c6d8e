//! Answers with what a pool's origin answers, by way of the cache where the route says so.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE};
use http::{Method, StatusCode};

use super::affinity::{self, Ticket};
use super::apart;
use super::cached;
use super::control;
use super::limited::{self, Bound};
use super::observe;
use super::origins;
use super::ours::{self, Cause};
use super::send;
use super::site::Site;
use super::upstream::{Errand, Heard};
use super::visit::Visit;
use crate::answer::{Answer, Body, keep_out_of_the_front};
use crate::config::{By, CredentialKind, Guards, Pool, Route};
use crate::field::cookie;
use crate::field::list::joined;
use crate::guard::{Refusal, client, request_id, target::Target};
use crate::origin::request::{Asked, Pace};
use crate::origin::retry::{self, Repeatable};
use crate::origin::{self, hop};
use crate::platform::{Inbound, Outbound, Platform, Relayed, Request};
use crate::release::file::File;
use crate::release::navigation::is_navigation;
use crate::route::rewrite::Rewrite;
use crate::route::{Chosen, cors, split};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers up to this size are awaited whole: what breaks off until then can be asked again.
const HOLD_BYTES: u64 = 64 * 1024;

/// A request on its way to a pool.
#[derive(Clone, Copy)]
pub(super) struct Way<'request> {
    pub(super) site: &'request Rc<Site>,
    pub(super) route: &'request Route,
    /// See [`Chosen::name`].
    pub(super) name: &'request str,
    pub(super) target: &'request Target<'request>,
    /// Every field that the client sent, without what is for us alone.
    pub(super) sent: &'request HeaderMap,
    /// Every field that the client sent.
    pub(super) said: &'request HeaderMap,
    /// See [`Chosen::part`].
    pub(super) part: Option<&'request str>,
    pub(super) rewrite: Option<&'request Rewrite<'request>>,
    pub(super) ticket: Option<&'request Ticket>,
    /// Who answers.
    pub(super) pool: &'request Pool,
    pub(super) pool_name: &'request str,
}

impl<'request> Way<'request> {
    /// What limits need to know of it.
    pub(super) fn bound(&self) -> Bound<'request> {
        Bound { site: self.site, route: self.route, name: self.name, sent: self.sent }
    }

    /// Applies the header rules to the head of an answer.
    pub(super) fn finish(&self, status: StatusCode, headers: &mut HeaderMap) {
        let rules = &self.site.rules_of_routes;
        if status.is_client_error() || status.is_server_error() {
            rules.apply_to_error(&self.target.path, headers);
        } else {
            rules.apply(&self.target.path, headers);
        }
    }
}

/// Asks the route's pool.
pub(super) async fn forward<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Rc<Site>,
    chosen: Chosen<'_>,
    target: &Target<'_>,
) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let Chosen { route, name, part, .. } = chosen;
    let said = visit.request.headers();
    if hop::names_field_of_the_whole_way(said) {
        return ours::refuse(visit, Refusal::BadConnection);
    }
    if let Some(rule) = route.cors.as_ref().filter(|_| cors::is_preflight(visit.request.method(), said)) {
        return preflight(site, target, cors::preflight(rule, said));
    }
    if origin::request::is_loop(said, &site.settings.site.name) {
        return ours::refuse(visit, Refusal::Loop);
    }
    let ticket = match &route.by {
        By::Split(_) => Some(Ticket::of(cookie::of(said, split::COOKIE), || visit.platform.random())),
        By::Pool(_) | By::Redirect(..) => None,
    };
    let pool_name = match (&route.by, &ticket) {
        (By::Pool(name), _) => name,
        (By::Split(shares), Some(ticket)) => split::pool(shares, ticket.bucket).unwrap_or_default(),
        (By::Split(_) | By::Redirect(..), _) => "",
    };
    let Some(pool) = site.settings.pools.get(pool_name) else { return ours::error(visit, Cause::NoPool) };
    let without = affinity::without_own_cookies(said, site);
    let sent = without.as_ref().unwrap_or(said);
    let rewrite = match Rewrite::of(route, &target.path) {
        Ok(rewrite) => rewrite,
        Err(bad) => return ours::refuse(visit, Refusal::BadPath(bad)),
    };
    let (rewrite, ticket) = (rewrite.as_ref(), ticket.as_ref());
    let way = Way { site, route, name, target, sent, said, part, rewrite, ticket, pool, pool_name };
    let policy = route.cache.as_ref().and_then(|name| site.settings.caches.get(name));
    let bound = way.bound();
    let mut answer = match (limited::admit(visit, bound, Guards::All).await, policy) {
        (Some(refusal), _) => refusal,
        (None, Some(policy)) => {
            let answer = apart(cached::answer(visit, &way, policy)).await;
            observe::tell_later(visit);
            answer
        }
        (None, None) => {
            let answer = match limited::admit(visit, bound, Guards::Origin).await {
                Some(refusal) => refusal,
                None => match straight(visit, &way).await {
                    Ok(inbound) => pass_on(visit, inbound, origin::answer::bypassed),
                    Err(cause) => failed(visit, &way, cause),
                },
            };
            observe::tell_later(visit);
            answer
        }
    };
    limited::finish(visit, &bound, &mut answer);
    affinity::remember(visit, &way, &mut answer);
    origins::keep_checked(visit, site, pool);
    // What is prepared has been through this.
    if answer.prepared.is_none() {
        if let Some(rule) = &route.cors {
            cors::replace(rule, sent, &mut answer.headers);
        }
        way.finish(answer.status, &mut answer.headers);
        keep_out_of_the_front(&mut answer.headers);
    }
    match site.error_page().filter(|_| answer.status.is_server_error()) {
        Some(page) if is_navigation(&|name| visit.request.header(name)) => {
            apart(with_page(visit, &way, page, answer)).await
        }
        _ => answer,
    }
}

/// The site's own page in place of what a person would see of a failure. What programs are told of it stays.
async fn with_page<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    page: &File,
    failure: Answer<P::Body>,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Answer { status, prepared, headers, body } = failure;
    let headers = prepared.map_or_else(|| headers.clone(), |prepared| prepared.with(headers.clone()));
    if let Body::Whole(body) = body {
        visit.platform.discard(body);
    }
    let mut answer = send::error_page(visit, way.site, way.target, status, page).await;
    answer.headers.remove(CACHE_STATUS);
    let is_told = |name: &HeaderName| {
        [CACHE_STATUS, RETRY_AFTER, SET_COOKIE].contains(name) || name.as_str().contains("ratelimit")
    };
    for (name, value) in headers.iter().filter(|(name, _)| is_told(name)) {
        answer.headers.append(name, value.clone());
    }
    answer
}

/// An error of ours, and when it may be worth another try.
pub(super) fn failed<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, cause: Cause) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = ours::error(visit, cause);
    let wait = match cause {
        Cause::Busy => Some(Duration::from_secs(1)),
        Cause::Unreachable | Cause::Timeout => {
            let upstream = visit.isolate.upstreams.of(way.pool_name, way.pool);
            let state = upstream.state.borrow();
            state.opens_in(visit.platform.now())
        }
        _ => None,
    };
    if let Some(wait) = wait {
        answer.headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    answer
}

/// Past every store.
async fn straight<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>) -> Result<Inbound<P::Body>, Cause>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let body = body(visit, way, take_body(visit).await?).await?;
    ask(visit, way, outbound(visit, way, way.target.query, body)).await
}

fn preflight<B>(site: &Site, target: &Target<'_>, granted: HeaderMap) -> Answer<B> {
    let mut headers = ours::head("preflight", "text/plain; charset=utf-8");
    headers.remove(http::header::CONTENT_TYPE);
    headers.extend(granted);
    site.rules_of_routes.apply(&target.path, &mut headers);
    Answer { status: StatusCode::NO_CONTENT, prepared: None, headers, body: Body::Empty }
}

/// The request that leaves, as the client asked it but for what the route changes. `query` is as much of the client's as goes on.
pub(super) fn outbound<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    query: Option<&str>,
    body: Option<P::Body>,
) -> Outbound<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Way { site, target, sent, rewrite, ticket, pool, .. } = *way;
    if let Some(ticket) = ticket {
        ticket.used.set(true);
    }
    let query = match rewrite {
        Some(rewrite) => rewrite.query(query),
        None => query.map(Cow::Borrowed),
    };
    let method = visit.request.method();
    let field = |name: &str| joined(sent, name);
    let peer = visit.request.peer_address();
    let client = client::identify(&site.client_address, peer.as_deref(), &field);
    let theirs = field("x-request-id");
    let asked = Asked {
        method,
        scheme: target.scheme,
        authority: &target.authority,
        raw_path: rewrite.and_then(Rewrite::path).unwrap_or(target.raw_path),
        query: query.as_deref(),
        client: client.address,
        trusted_peer: client.peer.filter(|_| client.by_trusted_proxy),
        request_id: visit.id(),
        client_request_id: request_id::of_client(theirs.as_deref()),
        site: &site.settings.site.name,
    };
    let (mut headers, pace) = origin::request::head(sent.clone(), &asked);
    if let Some(rewrite) = rewrite {
        rewrite.headers(&mut headers);
    }
    if let Some(credential) = &pool.credential {
        // Whoever sends it pretends to be us.
        headers.remove(&credential.header);
    }
    let limit = |millis: Option<u64>| millis.filter(|_| pace == Pace::Limited).map(Duration::from_millis);
    Outbound {
        method: method.clone(),
        url: origin::request::target(&asked),
        headers,
        body,
        answer_within: Duration::from_millis(pool.timeout.answer_ms),
        idle: limit(pool.timeout.idle_ms),
        total: limit(pool.timeout.total_ms),
        hold: if pace == Pace::Limited && pool.retry.attempts > 0 { HOLD_BYTES } else { 0 },
    }
}

/// Who is asked, and what is known of the request that the choice needs.
pub(super) fn errand<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>) -> Errand<P>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let repeatable = Repeatable::of(visit.request.method(), way.sent);
    Errand {
        platform: Rc::clone(visit.platform),
        isolate: Rc::clone(visit.isolate),
        site: Rc::clone(way.site),
        pool: way.pool_name.to_owned(),
        wish: affinity::wish(visit, way, repeatable),
        repeatable,
        is_settled_later: false,
        request_id: visit.id().to_owned(),
    }
}

/// The body of the client's request. The platform sends none with GET and HEAD, to which it means nothing (RFC 9110 §9.3.1):
/// an empty one is left out, and any other is refused before an origin is asked in vain.
pub(super) async fn take_body<P, R>(visit: &Visit<'_, P, R>) -> Result<Option<P::Body>, Cause>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let body = visit.request.take_body();
    let (Some(body), Method::GET | Method::HEAD) = (body.clone(), visit.request.method().clone()) else {
        return Ok(body);
    };
    let body = visit.platform.gather(body, 0).await.map_err(|_| Cause::BadBody)?;
    if visit.platform.length(&body) == Some(0) {
        return Ok(None);
    }
    visit.platform.discard(body);
    Err(Cause::UnwantedBody)
}

/// The body of a request, read where it is short and that is of use: to send it again, or to sign it.
pub(super) async fn body<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    body: Option<P::Body>,
) -> Result<Option<P::Body>, Cause>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Some(body) = body else { return Ok(None) };
    let is_signed = way.pool.credential.as_ref().is_some_and(|credential| credential.kind == CredentialKind::Hmac);
    let is_repeated =
        way.pool.retry.attempts > 0 && Repeatable::of(visit.request.method(), way.sent) != Repeatable::Never;
    let length = way.sent.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if !(is_signed || is_repeated) || length.is_none_or(|length| length > retry::REPLAY_BYTES) {
        return Ok(Some(body));
    }
    visit.platform.gather(body, retry::REPLAY_BYTES).await.map(Some).map_err(|_| Cause::BadBody)
}

/// Asks the way's pool and waits for the head of the answer.
pub(super) async fn ask<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    outbound: Outbound<P::Body>,
) -> Result<Inbound<P::Body>, Cause>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if way.pool.origins.len() > 1 || way.pool.health.is_some() {
        // Which of them are sick or drained. Where nothing is stored any view will do, and it is seldom waited for.
        control::for_fetch(visit).await;
    }
    match visit.timed("origin", errand(visit, way).run(&outbound, None)).await {
        Ok(Heard { relayed: Relayed::Own(inbound), attempt, .. }) => {
            visit.attempt.set(Some(attempt));
            Ok(inbound)
        }
        // Nobody asked for another's answer.
        Ok(_) => Err(Cause::Unreachable),
        Err(unheard) => {
            visit.attempt.set(unheard.attempt);
            Err(unheard.cause)
        }
    }
}

/// The origin's answer, as it goes on to the client.
pub(super) fn pass_on<P, R>(
    visit: &Visit<'_, P, R>,
    inbound: Inbound<P::Body>,
    cache_status: impl FnOnce(StatusCode) -> http::HeaderValue,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Inbound { status, mut headers, body } = inbound;
    origin::answer::give(&mut headers);
    origin::answer::cache_status(&mut headers, cache_status(status));
    let switched = status == StatusCode::SWITCHING_PROTOCOLS;
    let body = match body {
        Some(body) if switched => Body::Upgrade(body),
        Some(body) if *visit.request.method() != Method::HEAD => Body::Whole(body),
        _ => Body::Empty,
    };
    Answer { status, prepared: None, headers, body }
}

//! Answers with what a pool's origin answers, by way of the cache where the route says so.

use std::rc::Rc;
use std::time::Duration;

use http::header::{HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE};
use http::{Method, StatusCode};

use super::apart;
use super::cached;
use super::limited::{self, Bound};
use super::observe;
use super::ours::{self, Cause};
use super::site::Site;
use super::visit::Visit;
use crate::answer::{Answer, Body, keep_out_of_the_front};
use crate::config::{Guards, Origin, Pool, Route};
use crate::guard::{Refusal, client, request_id, target::Target};
use crate::origin::request::{Asked, Pace};
use crate::origin::{self, hop};
use crate::platform::{FetchError, Inbound, Outbound, Platform, Request};
use crate::route::cors;

/// A request on its way to a pool.
#[derive(Clone, Copy)]
pub(super) struct Way<'request> {
    pub(super) site: &'request Rc<Site>,
    pub(super) route: &'request Route,
    pub(super) target: &'request Target<'request>,
    /// Every field that the client sent.
    pub(super) sent: &'request HeaderMap,
    pub(super) pool: &'request Pool,
    pub(super) origin: &'request Origin,
}

impl<'request> Way<'request> {
    /// What limits need to know of it.
    pub(super) fn bound(&self) -> Bound<'request> {
        Bound { site: self.site, route: self.route, sent: self.sent }
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
    route: &Route,
    target: &Target<'_>,
) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let sent = visit.request.headers();
    if hop::names_field_of_the_whole_way(&sent) {
        return ours::refuse(visit, Refusal::BadConnection);
    }
    if let Some(rule) = route.cors.as_ref().filter(|_| cors::is_preflight(visit.request.method(), &sent)) {
        return preflight(site, target, cors::preflight(rule, &sent));
    }
    if origin::request::is_loop(&sent, &site.settings.site.name) {
        return ours::refuse(visit, Refusal::Loop);
    }
    let pool = site.settings.pools.get(&route.pool);
    let Some((pool, origin)) = pool.and_then(|pool| Some((pool, pool.origins.first()?))) else {
        return ours::error(visit, Cause::NoPool);
    };
    let way = Way { site, route, target, sent: &sent, pool, origin };
    let policy = route.cache.as_ref().and_then(|name| site.settings.caches.get(name));
    let bound = way.bound();
    let mut answer = match (limited::admit(visit, bound, Guards::All).await, policy) {
        (Some(refusal), _) => refusal,
        (None, Some(policy)) => {
            let answer = apart(cached::answer(visit, &way, policy)).await;
            observe::tell_later(visit);
            answer
        }
        (None, None) => match limited::admit(visit, bound, Guards::Origin).await {
            Some(refusal) => refusal,
            None => match ask(visit, &way, outbound(visit, &way, visit.request.take_body())).await {
                Ok(inbound) => pass_on(visit, inbound, origin::answer::bypassed),
                Err(cause) => ours::error(visit, cause),
            },
        },
    };
    limited::finish(visit, &bound, &mut answer);
    if answer.prepared.is_some() {
        return answer;
    }
    if let Some(rule) = &route.cors {
        cors::replace(rule, &sent, &mut answer.headers);
    }
    way.finish(answer.status, &mut answer.headers);
    keep_out_of_the_front(&mut answer.headers);
    answer
}

fn preflight<B>(site: &Site, target: &Target<'_>, granted: HeaderMap) -> Answer<B> {
    let mut headers = ours::head("preflight", "text/plain; charset=utf-8");
    headers.remove(http::header::CONTENT_TYPE);
    headers.extend(granted);
    site.rules_of_routes.apply(&target.path, &mut headers);
    Answer { status: StatusCode::NO_CONTENT, prepared: None, headers, body: Body::Empty }
}

/// The request that leaves, as the client asked it.
pub(super) fn outbound<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, body: Option<P::Body>) -> Outbound<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Way { site, target, sent, pool, origin, .. } = way;
    let method = visit.request.method();
    let field = |name: &str| {
        let lines: Vec<&str> = sent.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    };
    let peer = visit.request.peer_address();
    let client = client::identify(&site.client_address, peer.as_deref(), &field);
    let theirs = field("x-request-id");
    let asked = Asked {
        method,
        scheme: target.scheme,
        authority: target.authority,
        raw_path: target.raw_path,
        query: target.query,
        client: client.address,
        trusted_peer: client.peer.filter(|_| client.by_trusted_proxy),
        request_id: visit.id(),
        client_request_id: request_id::of_client(theirs.as_deref()),
        site: &site.settings.site.name,
    };
    let (headers, pace) = origin::request::head((*sent).clone(), &asked);
    let limit = |millis: Option<u64>| millis.filter(|_| pace == Pace::Limited).map(Duration::from_millis);
    Outbound {
        method: method.clone(),
        url: origin::request::url(origin, &asked),
        headers,
        body,
        answer_within: Duration::from_millis(pool.timeout.answer_ms),
        idle: limit(pool.timeout.idle_ms),
        total: limit(pool.timeout.total_ms),
    }
}

/// Sends a request and waits for the head of the answer.
pub(super) async fn ask<P, R>(
    visit: &Visit<'_, P, R>,
    way: &Way<'_>,
    outbound: Outbound<P::Body>,
) -> Result<Inbound<P::Body>, Cause>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let url = &way.origin.url;
    let unasked = Unasked::by(&outbound.headers);
    match visit.timed("origin", visit.platform.fetch(outbound)).await {
        Ok(Inbound { status, headers, body }) => {
            let switched = status == StatusCode::SWITCHING_PROTOCOLS && body.is_some();
            if unasked.is(status) || !origin::answer::is_final(status) && !switched {
                visit.log(&format!("{url} answered {status}, which is no answer"));
                return Err(Cause::Unreachable);
            }
            Ok(Inbound { status, headers: origin::answer::received(headers, url), body })
        }
        Err(error) => {
            visit.log(&format!("pool `{}`, {url}: {error}", way.route.pool));
            Err(if matches!(error, FetchError::Timeout(_)) { Cause::Timeout } else { Cause::Unreachable })
        }
    }
}

/// Answers that make no sense to who did not ask for them: the client has nothing that a 304 could mean, and would take a part
/// for the whole.
struct Unasked {
    not_modified: bool,
    part: bool,
}

impl Unasked {
    fn by(asked: &HeaderMap) -> Unasked {
        Unasked {
            not_modified: !asked.contains_key(IF_NONE_MATCH) && !asked.contains_key(IF_MODIFIED_SINCE),
            part: !asked.contains_key(RANGE),
        }
    }

    fn is(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_MODIFIED && self.not_modified || status == StatusCode::PARTIAL_CONTENT && self.part
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

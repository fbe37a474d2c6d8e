//! Answers with what a pool's origin answers.

use std::time::Duration;

use http::header::HeaderMap;
use http::{Method, StatusCode};

use super::ours::{self, Cause};
use super::site::Site;
use super::visit::Visit;
use crate::answer::{Answer, Body, keep_out_of_the_front};
use crate::config::{Origin, Pool, Route};
use crate::guard::{Refusal, client, request_id, target::Target};
use crate::origin::request::{Asked, Pace};
use crate::origin::{self, hop};
use crate::platform::{FetchError, Inbound, Outbound, Platform, Request};
use crate::route::cors;

/// Asks the route's pool.
pub(super) async fn forward<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    route: &Route,
    target: &Target<'_>,
) -> Answer<P::Body>
where
    P: Platform,
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
    let outbound = outbound(visit, site, target, &sent, pool, origin);
    let mut answer = match visit.timed("origin", visit.platform.fetch(outbound)).await {
        Ok(inbound) => answer(visit, inbound, origin),
        Err(error) => {
            visit.log(&format!("pool `{}`, {}: {error}", route.pool, origin.url));
            let cause = if matches!(error, FetchError::Timeout(_)) { Cause::Timeout } else { Cause::Unreachable };
            ours::error(visit, cause)
        }
    };
    if let Some(rule) = &route.cors {
        cors::replace(rule, &sent, &mut answer.headers);
    }
    if answer.status.is_client_error() || answer.status.is_server_error() {
        site.rules_of_routes.apply_to_error(&target.path, &mut answer.headers);
    } else {
        site.rules_of_routes.apply(&target.path, &mut answer.headers);
    }
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

fn outbound<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    target: &Target<'_>,
    sent: &HeaderMap,
    pool: &Pool,
    origin: &Origin,
) -> Outbound<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
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
    let (headers, pace) = origin::request::head(sent.clone(), &asked);
    let limit = |millis: Option<u64>| millis.filter(|_| pace == Pace::Limited).map(Duration::from_millis);
    Outbound {
        method: method.clone(),
        url: origin::request::url(origin, &asked),
        headers,
        body: visit.request.take_body(),
        answer_within: Duration::from_millis(pool.timeout.answer_ms),
        idle: limit(pool.timeout.idle_ms),
        total: limit(pool.timeout.total_ms),
    }
}

fn answer<P, R>(visit: &Visit<'_, P, R>, inbound: Inbound<P::Body>, origin: &Origin) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Inbound { status, headers, body } = inbound;
    let switched = status == StatusCode::SWITCHING_PROTOCOLS && body.is_some();
    if status.is_informational() && !switched {
        visit.log(&format!("{} answered {status}, which is no answer", origin.url));
        return ours::error(visit, Cause::Unreachable);
    }
    let headers = origin::answer::head(headers, status, &origin.url);
    let body = match body {
        Some(body) if switched => Body::Upgrade(body),
        Some(body) if *visit.request.method() != Method::HEAD => Body::Whole(body),
        _ => Body::Empty,
    };
    Answer { status, prepared: None, headers, body }
}

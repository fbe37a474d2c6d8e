//! How a client and an origin, or a client and one of several pools, belong together: what the choice needs to know of a request, and the
//! cookies that remember it.

use std::cell::Cell;
use std::net::IpAddr;

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

use super::forward::Way;
use super::site::Site;
use super::visit::Visit;
use crate::answer::{Answer, Body};
use crate::config::{Choice, HashBy};
use crate::field::{cookie, list::joined};
use crate::guard::client;
use crate::origin::near::Place;
use crate::origin::pool::Wish;
use crate::origin::retry::Repeatable;
use crate::origin::{choice, credential};
use crate::platform::{Platform, Request};
use crate::route::split;

/// The number by which a client is of one of several pools.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) bucket: u32,
    /// The client did not bring it.
    is_new: bool,
    /// A request left by it.
    pub(super) used: Cell<bool>,
}

impl Ticket {
    pub(super) fn of(cookie: Option<&str>, draw: impl FnOnce() -> u128) -> Ticket {
        let known = split::known(cookie);
        Ticket { bucket: known.unwrap_or_else(|| split::drawn(draw())), is_new: known.is_none(), used: Cell::default() }
    }
}

/// What the choice needs to know of the request: no more is read than this pool's choice looks at.
pub(super) fn wish<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, repeatable: Repeatable) -> Wish
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Way { site, target, sent, pool, .. } = *way;
    let may_probe = repeatable != Repeatable::Never && pool.retry.attempts > 0;
    let mut wish = Wish { may_probe, ..Wish::default() };
    if pool.origins.len() == 1 {
        return wish;
    }
    match &pool.choice {
        Choice::PrimaryReplica { .. } => {
            wish.is_write = repeatable != Repeatable::Safe;
            wish.has_written = cookie::of(way.said, &wrote_cookie(way.pool_name)).is_some();
        }
        Choice::Geo => {
            wish.place = visit.request.coordinates().map(|(latitude, longitude)| Place { latitude, longitude });
        }
        Choice::Hash(by) => {
            let first = |name: &str| sent.get(name).map(|value| value.as_bytes().to_vec());
            let key = match by {
                HashBy::Ip => address(visit, site, sent).map(network),
                HashBy::Path => Some(target.path.as_bytes().to_vec()),
                HashBy::Header(name) => first(name),
                HashBy::Cookie(name) => cookie::of(sent, name).map(|value| value.as_bytes().to_vec()),
                HashBy::Query(name) => parameter(target.query, name).map(|value| value.as_bytes().to_vec()),
                HashBy::Caught(name) => {
                    let caught = way.route.path.matches(&target.path);
                    let name = format!(":{name}");
                    // What is not caught stays as it is.
                    let value = caught.map(|caught| caught.fill(&name)).filter(|value| *value != name);
                    value.map(String::into_bytes)
                }
            };
            wish.key = key.map(|key| choice::hash(&key));
        }
        Choice::RoundRobin | Choice::Weighted | Choice::LeastRequests => {}
    }
    if let Some(sticky) = &pool.sticky
        && let Some(said) = cookie::of(way.said, &sticky.cookie)
        && let Some(secret) = visit.platform.variable(&sticky.secret)
    {
        wish.stays_with =
            credential::stays_with(sticky, &secret, said, pool.origins.iter().map(|origin| origin.url.as_str()));
    }
    wish
}

/// The cookie of a client that wrote to a pool.
fn wrote_cookie(pool: &str) -> String {
    format!("rimward-wrote-{pool}")
}

/// What the client sent, without the cookies that are between him and us, of whatever pool: they reach no origin, and make no request
/// personal. `None` where there are none.
pub(super) fn without_own_cookies(said: &HeaderMap, site: &Site) -> Option<HeaderMap> {
    if !said.contains_key(COOKIE) {
        return None;
    }
    let pools = || site.settings.pools.iter();
    let writing = pools().filter(|(_, pool)| matches!(pool.choice, Choice::PrimaryReplica { .. }));
    let wrote: Vec<String> = writing.map(|(name, _)| wrote_cookie(name)).collect();
    let sticky = pools().filter_map(|(_, pool)| Some(pool.sticky.as_ref()?.cookie.as_str()));
    let own: Vec<&str> = wrote.iter().map(String::as_str).chain(sticky).chain([split::COOKIE]).collect();
    own.iter().any(|name| cookie::of(said, name).is_some()).then(|| {
        let mut sent = said.clone();
        cookie::remove(&mut sent, &own);
        sent
    })
}

/// Has the client's browser remember where it belongs, once a request was sent there. What switches protocols goes back untouched.
pub(super) fn remember<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, answer: &mut Answer<P::Body>)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    if matches!(answer.body, Body::Upgrade(_)) {
        return;
    }
    if let Some(ticket) = way.ticket.filter(|ticket| ticket.is_new && ticket.used.get()) {
        give(&split::set_cookie(ticket.bucket, way.target.scheme), answer);
    }
    let (Some(attempt), pool) = (visit.attempt.get(), way.pool) else { return };
    let secure = if way.target.scheme == "https" { "; Secure" } else { "" };
    let mut set = |name: &str, value: &str, max_age: Option<u64>| {
        let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        give(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}"), answer);
    };
    // Of a flight that another release began the pool may have been another.
    if let Some(sticky) = pool.sticky.as_ref().filter(|_| pool.origins.len() > 1)
        && let Some(origin) = pool.origins.get(attempt.place)
        && let Some(secret) = visit.platform.variable(&sticky.secret)
    {
        let value = credential::cookie(sticky, &secret, &origin.url);
        if cookie::of(way.said, &sticky.cookie) != Some(value.as_str()) {
            set(&sticky.cookie, &value, sticky.max_age_s);
        }
    }
    if let Choice::PrimaryReplica { after_write_ms } = pool.choice
        && Repeatable::of(visit.request.method(), way.sent) != Repeatable::Safe
    {
        set(&wrote_cookie(way.pool_name), "1", Some(after_write_ms.div_ceil(1000)));
    }
}

fn give<B>(line: &str, answer: &mut Answer<B>) {
    let Ok(line) = HeaderValue::from_str(line) else { return };
    // A name of the prepared head would be replaced.
    let prepared = answer.prepared.as_ref().filter(|_| !answer.headers.contains_key(SET_COOKIE));
    for cookie in prepared.into_iter().flat_map(|prepared| prepared.headers.get_all(SET_COOKIE)) {
        answer.headers.append(SET_COOKIE, cookie.clone());
    }
    answer.headers.append(SET_COOKIE, line);
}

/// The client's address, where it is known.
fn address<P, R>(visit: &Visit<'_, P, R>, site: &Site, sent: &HeaderMap) -> Option<IpAddr>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let field = |name: &str| joined(sent, name);
    client::identify(&site.client_address, visit.request.peer_address().as_deref(), &field).address
}

/// What an address is told apart by: of IPv6 the /64, which is one customer's.
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// The value of a parameter, as it is spelled.
fn parameter<'query>(query: Option<&'query str>, name: &str) -> Option<&'query str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
}

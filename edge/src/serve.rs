//! The life of a request: the one function that asks, decides and acts, in order.

mod admission;
mod affinity;
mod bans;
mod cached;
mod control;
mod flight;
mod forward;
mod limited;
mod observe;
mod origins;
mod ours;
mod purge;
mod searches;
mod send;
mod site;
mod stock;
mod stores;
mod upstream;
mod visit;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use http::{Method, StatusCode};

use self::control::Lease;
use self::flight::{Flights, Readings};
use self::ours::{Cause, health};
use self::searches::Searches;
use self::site::Site;
use self::stock::Stock;
use self::stores::{Budget, Change};
use self::upstream::Upstreams;
use self::visit::Visit;
use crate::answer::Answer;
use crate::cache::Specs;
use crate::guard::{self, Refusal, secret::Failures, target::Target};
use crate::limit::limiter::Limiter;
use crate::limit::refusals::Refusals;
use crate::memory::Memory;
use crate::platform::{Platform, Request};
use crate::release::file::Place;
use crate::release::navigation::{has_ending, is_navigation, looks_like_a_file};
use crate::release::table::Found;
use crate::route::{Chosen, condition::Facts, redirect::Outcome};
use crate::telemetry::Counters;
use crate::time::Timestamp;

/// What an isolate keeps between requests. Everything in it is a copy of something outside, bounded, and may vanish.
pub struct Isolate<P: Platform> {
    site: RefCell<Option<Rc<Site>>>,
    sites_read: Cell<u32>,
    lease: Rc<Lease>,
    failures: RefCell<Failures>,
    heads_made: Cell<u32>,
    specs: RefCell<Memory<Rc<Specs>>>,
    stocks: RefCell<Memory<Rc<Stock<P>>>>,
    /// Which URLs have one answer.
    searches: RefCell<Searches>,
    /// What was found in a store and not in memory.
    seen: RefCell<Memory<()>>,
    /// The requests to origins that others may wait for.
    flights: RefCell<Flights<P>>,
    /// Since when the requests of a key do not wait for one another.
    alone: RefCell<Memory<Timestamp>>,
    /// By URL, when something there had been changed by an unsafe method.
    changed: RefCell<Memory<Change>>,
    /// How often something stored was thrown away.
    forgets: Cell<u64>,
    /// By URL, which of those was the last that it was thrown away by.
    forgotten: RefCell<Memory<u64>>,
    /// The bodies that are being read.
    readings: RefCell<Readings>,
    counters: RefCell<Counters>,
    /// Whether what is counted will be told.
    telling: Cell<bool>,
    evictions_told: Cell<u64>,
    /// Of responses that are kept for all locations.
    persists: RefCell<Budget>,
    /// Made when it is needed first: it has a name of chance.
    limiter: RefCell<Option<Limiter>>,
    /// By limits that ban.
    refusals: RefCell<Refusals>,
    upstreams: Upstreams<P>,
    /// When the object that checks origins was told last that somebody asks.
    checks_asked_at: Cell<Option<Timestamp>>,
    /// Whether it was said that there is none.
    checks_missed: Cell<bool>,
}

/// Of all stored responses in memory: an isolate has 128 MB for everything.
const STOCKS_BYTES: u64 = 32 * 1024 * 1024;
/// Of one stored response in memory.
const STOCK_BYTES: u64 = 1024 * 1024;
/// Of what is known about keys.
const KEYS_BYTES: u64 = 1024 * 1024;

impl<P: Platform> Default for Isolate<P> {
    fn default() -> Isolate<P> {
        Isolate {
            site: RefCell::default(),
            sites_read: Cell::default(),
            lease: Rc::default(),
            failures: RefCell::default(),
            heads_made: Cell::default(),
            specs: RefCell::new(Memory::new(KEYS_BYTES, KEYS_BYTES / 16)),
            stocks: RefCell::new(Memory::new(STOCKS_BYTES, STOCK_BYTES)),
            searches: RefCell::new(Searches::new(KEYS_BYTES)),
            seen: RefCell::new(Memory::new(KEYS_BYTES, KEYS_BYTES / 16)),
            flights: RefCell::default(),
            alone: RefCell::new(Memory::new(KEYS_BYTES, KEYS_BYTES / 16)),
            changed: RefCell::new(Memory::new(KEYS_BYTES, KEYS_BYTES / 16)),
            forgets: Cell::default(),
            forgotten: RefCell::new(Memory::new(KEYS_BYTES, KEYS_BYTES / 16)),
            readings: RefCell::default(),
            counters: RefCell::default(),
            telling: Cell::default(),
            evictions_told: Cell::default(),
            persists: RefCell::default(),
            limiter: RefCell::default(),
            refusals: RefCell::default(),
            upstreams: Upstreams::default(),
            checks_asked_at: Cell::default(),
            checks_missed: Cell::default(),
        }
    }
}

/// A future that is polled in a function of its own. The runtime compiles a function when it is first called: what a request
/// seldom needs stays out of the one that every first request of an isolate waits for.
fn apart<'work, T>(work: impl Future<Output = T> + 'work) -> Pin<Box<dyn Future<Output = T> + 'work>> {
    Box::pin(work)
}

/// Answers a request.
pub async fn serve<P, R>(platform: &Rc<P>, isolate: &Rc<Isolate<P>>, request: &R) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let visit = Visit::begin(platform, isolate, request);
    let answer = match site::current(&visit).await {
        Ok(site) => {
            visit.identify(&site.client_address);
            respond(&visit, &site).await
        }
        Err(unready) => ours::unready(&visit, &unready),
    };
    visit.finish(answer)
}

/// Who may pass, which rule answers, and what: an origin's answer, a file, or one of ours.
async fn respond<P, R>(visit: &Visit<'_, P, R>, site: &Rc<Site>) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let target = match Target::parse(visit.request.url()) {
        Ok(target) => target,
        Err(refusal) => return ours::refuse(visit, refusal),
    };
    // Asked by whoever watches, at whatever address they reach us.
    if target.path == "/.rimward/health" {
        return health(visit, Some(&site.release.id));
    }
    if let Err(refusal) = guard::admit(&target, &site.settings.site.hosts) {
        return ours::refuse(visit, refusal);
    }
    if matches!(*visit.request.method(), Method::TRACE | Method::CONNECT) {
        return ours::refuse(visit, Refusal::BadMethod);
    }
    if target.path == "/.rimward/purge" || target.path.starts_with("/.rimward/purge/") {
        return apart(purge::answer(visit, site, &target)).await;
    }
    if target.path == "/.rimward/limits" {
        return apart(bans::answer(visit, site)).await;
    }
    if target.path == "/.rimward/origins" {
        return apart(origins::answer(visit, site)).await;
    }
    if target.path == "/.rimward/metrics" {
        return apart(observe::answer(visit, site)).await;
    }
    if target.path == "/.rimward" || target.path.starts_with("/.rimward/") {
        return ours::error(visit, Cause::NotFound);
    }
    let decoded = target.decoded.as_deref();
    let is_file = || decoded.is_some_and(|decoded| site.release.named(decoded).is_some());
    match site.redirects.forced(&target.path, target.query, &is_file) {
        Some(Outcome::Redirect(status, location)) => return ours::redirect(site, &target, status, &location),
        Some(Outcome::Rewrite(path)) if matches!(*visit.request.method(), Method::GET | Method::HEAD) => {
            if let Some(file) = site.release.named(&path) {
                return send::file(visit, site, &target, file, Place::Rewritten).await;
            }
        }
        _ => {}
    }
    let field = |name: &str| visit.request.header(name);
    let country = || visit.request.country();
    let facts = Facts::new(visit.request.method(), target.host, (&target.path, target.query), &field, &country);
    match site.routes.choose(&facts) {
        Some(Chosen { elsewhere: Some((status, location)), .. }) => ours::redirect(site, &target, status, &location),
        Some(chosen) => apart(forward::forward(visit, site, chosen, &target)).await,
        None => from_release(visit, site, &target).await,
    }
}

/// What the release has at a path: a file, an earlier release's, a redirect, the page that answers navigations, or nothing.
async fn from_release<P, R>(visit: &Visit<'_, P, R>, site: &Site, target: &Target<'_>) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    match *visit.request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return ours::options(),
        _ => return ours::refuse(visit, Refusal::BadMethod),
    }
    // A path that no file can have still gets a page, where someone navigates there.
    let decoded = target.decoded.as_deref().unwrap_or(&target.path);
    match site.release.find(decoded) {
        Found::File(file) => return send::file(visit, site, target, file, Place::Own).await,
        Found::Moved(file) => return ours::moved(site, target, file),
        Found::Nothing => {}
    }
    let is_for_files = looks_like_a_file(decoded) || site.release.is_in_asset_folder(decoded);
    let mut degraded = None;
    // What an earlier release named may be of a kind, or in a folder, that this one lacks.
    if is_for_files || has_ending(decoded) {
        for place in 0..site.earlier_count() {
            match apart(site::earlier(visit, site, place)).await {
                Ok(release) => {
                    if let Found::File(file) = release.find(decoded) {
                        return send::file(visit, site, target, file, Place::Own).await;
                    }
                }
                Err(unready) => {
                    visit.log(&unready.to_string());
                    degraded = Some(Cause::EarlierUnreadable);
                }
            }
        }
    }
    match site.redirects.unforced(&target.path, target.query) {
        Some(Outcome::Redirect(status, location)) => return ours::redirect(site, target, status, &location),
        // `/* /index.html 200` is how single pages say their fallback: not even then does a page answer for a file.
        Some(Outcome::Rewrite(path)) => match site.release.named(&path) {
            Some(file) if !(is_for_files && file.is_page()) => {
                return send::file(visit, site, target, file, Place::Rewritten).await;
            }
            _ => {}
        },
        None => {}
    }
    let is_visit = !is_for_files && is_navigation(&|name| visit.request.header(name));
    match site.fallback().filter(|_| site.release.is_below_base(decoded)) {
        Some(page) if is_visit => return send::file(visit, site, target, page, Place::Navigation).await,
        _ => {}
    }
    match site.release.document("404.html") {
        Some(page) if is_visit && page.is_page() => {
            apart(send::error_page(visit, site, target, StatusCode::NOT_FOUND, page)).await
        }
        _ => ours::not_found(visit, site, target, degraded.unwrap_or(Cause::NotFound)),
    }
}

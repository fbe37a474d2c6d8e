//! One request to an origin for everyone who waits for its answer.
//!
//! A flight runs behind the request that began it: its client may go, the others still get their answer. It lands when the
//! head of the answer is there: then it is known whether that may be shared, and the body follows at the origin's pace.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use super::Isolate;
use super::ours::Cause;
use super::site::Site;
use super::stock::{Content, Stock};
use super::stores::Stores;
use crate::cache::Content as Carried;
use crate::cache::{Arrival, Asked, Fetch, Kept, Key, Piece, Settled, Splice, Stored, settle};
use crate::config::CachePolicy;
use crate::origin;
use crate::platform::{FetchError, Inbound, Outbound, Platform, Recording, Signal};

/// Longer bodies are passed on as they come, and not kept: they would stand in the isolate's memory while they do.
const RECORD_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// Of all bodies that are being read at once.
const RECORDS_LIMIT_BYTES: u64 = 24 * 1024 * 1024;
/// What a body of unknown length counts as.
const UNKNOWN_LENGTH_BYTES: u64 = 1024 * 1024;
/// For so long the requests of a key do not wait for one another, after an answer could not be shared.
pub(super) const ALONE_FOR: Duration = Duration::from_mins(2);

/// A request to an origin, and who waits for it.
pub(super) struct Flight<P: Platform> {
    pub(super) leader: Question,
    signal: P::Signal,
    landing: RefCell<Option<Rc<Landing<P>>>>,
    /// What it brings is older than an invalidation.
    outdated: Cell<bool>,
}

/// A request, as far as the cache asks about it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) content: Carried,
}

/// How a flight ended.
pub(super) enum Landing<P: Platform> {
    /// With a response that those who waited may have; status and head are as the origin sent them.
    Stocked { stock: Rc<Stock<P>>, status: StatusCode, sent: HeaderMap },
    /// With an answer for the one who began it alone; whoever takes it first is that one.
    Alone { inbound: RefCell<Option<Inbound<P::Body>>>, detail: &'static str },
    /// The origin fails: with an answer that says so, or without any.
    Failed { inbound: RefCell<Option<Inbound<P::Body>>>, status: Option<StatusCode>, cause: Cause },
}

impl<P: Platform> Flight<P> {
    /// Waits until it has landed. `None`: not in time.
    pub(super) async fn landed(&self, within: Duration) -> Option<Rc<Landing<P>>> {
        let landing = || self.landing.borrow().clone();
        match landing() {
            None if self.signal.fired(within).await => landing(),
            landed => landed,
        }
    }

    /// What it brings is not kept.
    pub(super) fn outdate(&self) {
        self.outdated.set(true);
    }
}

/// All that a flight needs, whoever goes or stays.
pub(super) struct Crew<P: Platform> {
    pub(super) platform: Rc<P>,
    pub(super) isolate: Rc<Isolate<P>>,
    pub(super) site: Rc<Site>,
    pub(super) policy: CachePolicy,
    pub(super) key: Key,
    /// Under which others find the flight, if they may.
    pub(super) name: Option<String>,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// The request as it would leave without any stored response.
    pub(super) outbound: Outbound<P::Body>,
    pub(super) origin_url: String,
    pub(super) sequence: u64,
    /// For the log.
    pub(super) request_id: String,
}

impl<P: Platform + 'static> Crew<P> {
    /// Starts a flight.
    pub(super) fn take_off(
        self,
        leader: Question,
        fetch: Fetch,
        stock: Option<(String, Rc<Stock<P>>)>,
    ) -> Rc<Flight<P>> {
        let flight = Rc::new(Flight {
            leader,
            signal: self.platform.signal(),
            landing: RefCell::default(),
            outdated: Cell::default(),
        });
        if let Some(name) = &self.name {
            self.isolate.flights.borrow_mut().insert(name.clone(), Rc::clone(&flight));
        }
        let platform = Rc::clone(&self.platform);
        let taken = Rc::clone(&flight);
        platform.defer(async move { self.fly(&taken, fetch, stock).await });
        flight
    }

    async fn fly(self, flight: &Rc<Flight<P>>, fetch: Fetch, stock: Option<(String, Rc<Stock<P>>)>) {
        let (landing, arriving) = self.ask(flight, fetch, stock).await;
        let is_arriving = arriving.is_some();
        flight.landing.replace(Some(Rc::new(landing)));
        if !is_arriving {
            self.leave(flight);
        }
        flight.signal.fire();
        if let Some(arriving) = arriving {
            self.keep_when_whole(flight, arriving).await;
            self.leave(flight);
        }
    }

    /// Nobody finds it any more.
    fn leave(&self, flight: &Rc<Flight<P>>) {
        let Some(name) = &self.name else { return };
        let mut flights = self.isolate.flights.borrow_mut();
        if flights.get(name).is_some_and(|known| Rc::ptr_eq(known, flight)) {
            flights.remove(name);
        }
    }

    async fn ask(
        &self,
        flight: &Rc<Flight<P>>,
        mut fetch: Fetch,
        mut stock: Option<(String, Rc<Stock<P>>)>,
    ) -> (Landing<P>, Option<Arriving<P>>) {
        let question = &flight.leader;
        let asked = self.asked(question);
        // Once as planned, and once more where what came fits nothing.
        for _ in 0..2 {
            let requested_at = self.platform.now();
            let inbound = match self.platform.fetch(self.outbound(&fetch)).await {
                Ok(inbound) if inbound.status.is_informational() => {
                    self.log(&format!("{} answered {}, which is no answer", self.origin_url, inbound.status));
                    return (failed(None, Cause::Unreachable), None);
                }
                Ok(Inbound { status, headers, body }) => {
                    Inbound { status, headers: origin::answer::received(headers, &self.origin_url), body }
                }
                Err(error) => {
                    self.log(&format!("{}: {error}", self.origin_url));
                    let cause =
                        if matches!(error, FetchError::Timeout(_)) { Cause::Timeout } else { Cause::Unreachable };
                    return (failed(None, cause), None);
                }
            };
            let received_at = self.platform.now();
            let status = inbound.status;
            let arrival =
                Arrival { status, headers: &inbound.headers, requested_at, received_at, sequence: self.sequence };
            let held = stock.as_ref().map(|(_, stock)| &stock.stored);
            match settle(&asked, &self.policy, &self.key, &fetch, held, &arrival) {
                Settled::Store(stored) => return self.record(*stored, inbound),
                Settled::Renewed(stored) => {
                    let Some((_, held)) = stock else { return (failed(Some(inbound), Cause::Unreachable), None) };
                    let Content::AtHand(body) = &held.content else {
                        return (failed(Some(inbound), Cause::Unreachable), None);
                    };
                    if !flight.outdated.get() {
                        self.stores().keep(&self.key, &asked, (*stored).clone(), body.clone(), received_at).await;
                    }
                    let stock = Rc::new(Stock::new(*stored, Content::AtHand(body.clone())));
                    return (Landing::Stocked { stock, status, sent: inbound.headers }, None);
                }
                Settled::Completed(stored, splice) => {
                    let sent = inbound.headers.clone();
                    let Some(body) = self.splice(stock.as_ref(), inbound, &splice).await else {
                        // The rest broke off: the whole may come through.
                        (fetch, stock) = (fetch.again(), None);
                        continue;
                    };
                    if !flight.outdated.get() {
                        self.stores().keep(&self.key, &asked, (*stored).clone(), body.clone(), received_at).await;
                    }
                    let stock = Rc::new(Stock::new(*stored, Content::AtHand(body)));
                    return (Landing::Stocked { stock, status, sent }, None);
                }
                Settled::Pass(pass, kept) => {
                    if kept == Kept::Goes {
                        self.stores().forget(self.key.text()).await;
                    }
                    if pass.lasts() && question.method != Method::HEAD {
                        self.isolate.alone.borrow_mut().insert(self.key.text(), received_at, 0);
                    }
                    return (Landing::Alone { inbound: RefCell::new(Some(inbound)), detail: pass.word() }, None);
                }
                Settled::FallBack(_) => return (failed(Some(inbound), Cause::Unreachable), None),
                Settled::AskAgain => {
                    self.stores().forget(self.key.text()).await;
                    (fetch, stock) = (fetch.again(), None);
                }
                Settled::Senseless => break,
            }
        }
        self.log(&format!("{} answered something that was not asked", self.origin_url));
        (failed(None, Cause::Unreachable), None)
    }

    /// Reads the body for everyone, if it is not too much.
    fn record(&self, stored: Stored, inbound: Inbound<P::Body>) -> (Landing<P>, Option<Arriving<P>>) {
        let status = inbound.status;
        let Some(body) = inbound.body else {
            let stock = Rc::new(Stock::new(stored.clone(), Content::AtHand(self.platform.body(Vec::new()))));
            let landing = Landing::Stocked { stock, status, sent: inbound.headers };
            return (
                landing,
                Some(Arriving { stored, content: Content::AtHand(self.platform.body(Vec::new())), bytes: 0 }),
            );
        };
        let length = stored.announced();
        let bytes = length.unwrap_or(UNKNOWN_LENGTH_BYTES);
        let under_way = &self.isolate.recorded_bytes;
        let detail = match bytes {
            bytes if bytes > RECORD_LIMIT_BYTES => Some("too-large"),
            bytes if under_way.get() + bytes > RECORDS_LIMIT_BYTES => Some("memory-full"),
            _ => None,
        };
        if let Some(detail) = detail {
            let inbound = Inbound { status, headers: inbound.headers, body: Some(body) };
            return (Landing::Alone { inbound: RefCell::new(Some(inbound)), detail }, None);
        }
        under_way.set(under_way.get() + bytes);
        let recording = self.platform.record(body, length, RECORD_LIMIT_BYTES);
        let stock = Rc::new(Stock::new(stored.clone(), Content::Arriving(recording.clone())));
        let landing = Landing::Stocked { stock, status, sent: inbound.headers };
        (landing, Some(Arriving { stored, content: Content::Arriving(recording), bytes }))
    }

    /// Keeps a response when all of its body is there: what breaks off, or is too long, is not kept.
    async fn keep_when_whole(&self, flight: &Flight<P>, arriving: Arriving<P>) {
        let Arriving { mut stored, content, bytes } = arriving;
        let body = match content {
            Content::AtHand(body) => Some(body),
            Content::Arriving(recording) => recording.whole().await,
            Content::Streaming(body) => body.take(),
        };
        let under_way = &self.isolate.recorded_bytes;
        under_way.set(under_way.get().saturating_sub(bytes));
        let Some(body) = body else { return };
        let came = self.platform.length(&body).unwrap_or_default();
        if flight.outdated.get() || stored.seal(came).is_err() {
            return;
        }
        let asked = self.asked(&flight.leader);
        self.stores().keep(&self.key, &asked, stored, body, self.platform.now()).await;
    }

    /// What is held and what came, put together; `None` where that broke off.
    async fn splice(
        &self,
        stock: Option<&(String, Rc<Stock<P>>)>,
        inbound: Inbound<P::Body>,
        splice: &Splice,
    ) -> Option<P::Body> {
        let (_, stock) = stock?;
        let Content::AtHand(held) = &stock.content else { return None };
        let held = self.platform.bytes(held)?;
        let came = self.platform.gather(inbound.body?, RECORD_LIMIT_BYTES).await.ok()?;
        let came = self.platform.bytes(&came)?;
        let mut whole = Vec::new();
        for piece in &splice.pieces {
            let (bytes, range) = match piece {
                Piece::Held(range) => (&held, range),
                Piece::Came(range) => (&came, range),
            };
            let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
            whole.extend_from_slice(bytes.get(range)?);
        }
        Some(self.platform.body(whole))
    }

    fn outbound(&self, fetch: &Fetch) -> Outbound<P::Body> {
        let Outbound { method, url, headers, body, answer_within, idle, total } = &self.outbound;
        let mut headers = headers.clone();
        fetch.apply(&mut headers);
        Outbound {
            method: method.clone(),
            url: url.clone(),
            headers,
            body: body.clone(),
            answer_within: *answer_within,
            idle: *idle,
            total: *total,
        }
    }

    fn asked<'crew>(&'crew self, question: &'crew Question) -> Asked<'crew> {
        Asked {
            method: &question.method,
            scheme: &self.scheme,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &question.headers,
            content: question.content,
        }
    }

    fn stores(&self) -> Stores<'_, P> {
        Stores {
            platform: self.platform.as_ref(),
            isolate: self.isolate.as_ref(),
            site: &self.site.settings.site.name,
            policy: &self.policy,
        }
    }

    fn log(&self, line: &str) {
        self.platform.log(&format!("request_id={} {line}", self.request_id));
    }
}

/// A response whose body is not all there yet.
struct Arriving<P: Platform> {
    stored: Stored,
    content: Content<P>,
    bytes: u64,
}

fn failed<P: Platform>(inbound: Option<Inbound<P::Body>>, cause: Cause) -> Landing<P> {
    let status = inbound.as_ref().map(|inbound| inbound.status);
    Landing::Failed { inbound: RefCell::new(inbound), status, cause }
}

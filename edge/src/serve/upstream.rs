//! Asks the origins of a pool: chooses one, waits for room at it, asks, and asks another where that is worth it.
//!
//! What is known of a pool here is known in this isolate alone, but for what the control log says of origins.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use http::header::{
    CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, RANGE,
};
use http::{Method, StatusCode};
use litemap::LiteMap;

use super::Isolate;
use super::control::{self, Lease};
use super::ours::Cause;
use super::site::Site;
use crate::config::{Breaker, Origin, Pool};
use crate::control::notice::OriginStanding;
use crate::origin::circuit::{Change, Outcome};
use crate::origin::credential::Signed;
use crate::origin::pool::{Known, PoolState, Selected, Tried, Wish};
use crate::origin::retry::{self, Repeatable};
use crate::origin::{answer, credential, redirect, request};
use crate::platform::{End, FetchError, Inbound, Outbound, Platform, Relay, Relayed, Signal, Watch};
use crate::telemetry::{self, Metric};
use crate::time::Timestamp;

/// How long what nobody tells the end of keeps its room. The platform may end a request with all that waits in it, and tell nobody.
const LONGEST: Duration = Duration::from_hours(1);

/// The pools of an isolate, by name.
pub(super) struct Upstreams<P: Platform>(RefCell<LiteMap<String, Rc<Upstream<P>>>>);

impl<P: Platform> Default for Upstreams<P> {
    fn default() -> Upstreams<P> {
        Upstreams(RefCell::default())
    }
}

impl<P: Platform> Upstreams<P> {
    /// What is known of a pool of the settings: nothing, where its origins are others than before.
    pub(super) fn of(&self, name: &str, pool: &Pool) -> Rc<Upstream<P>> {
        let mut upstreams = self.0.borrow_mut();
        if let Some(known) = upstreams.get(name).filter(|known| known.state.borrow().is_of(pool)) {
            return Rc::clone(known);
        }
        let names = pool.origins.iter().map(|origin| telemetry::origin_of(name, &origin.url)).collect();
        let state = RefCell::new(PoolState::new(pool));
        let (learned, waiting, held) = (Cell::default(), RefCell::default(), RefCell::default());
        let new = Rc::new(Upstream { name: name.to_owned(), names, learned, state, waiting, held });
        upstreams.insert(name.to_owned(), Rc::clone(&new));
        new
    }
}

/// A pool, as this isolate knows it.
pub(super) struct Upstream<P: Platform> {
    name: String,
    /// What is counted of each origin is counted under these.
    names: Vec<String>,
    /// Of the control log's word on origins, what the state has learned.
    learned: Cell<Option<u64>>,
    pub(super) state: RefCell<PoolState>,
    /// Who waits for an origin that has room, the first one first.
    waiting: RefCell<VecDeque<Rc<Waiter<P>>>>,
    /// The room that is kept until an end that somebody has to tell, the oldest first.
    held: RefCell<VecDeque<Weak<Slot<P>>>>,
}

/// A request that waits.
struct Waiter<P: Platform> {
    signal: P::Signal,
    site: Rc<Site>,
    pool: String,
    wish: Wish,
    tried: Tried,
    random: u64,
    /// Where it goes, once that is known: it counts as under way there already.
    granted: Cell<Option<usize>>,
}

impl<P: Platform> Upstream<P> {
    /// Takes in what the control log says of the origins, as far as the isolate knows it.
    fn learn(&self, pool: &Pool, lease: &Lease, now: Timestamp) {
        let changed = control::origins_changed(lease, now);
        if self.learned.replace(Some(changed)) == Some(changed) {
            return;
        }
        let mut state = self.state.borrow_mut();
        for (place, origin) in pool.origins.iter().enumerate() {
            let known = match control::origin_standing(lease, &self.name, &origin.url, now) {
                OriginStanding::Sick if pool.health.is_some() => Known::Sick,
                // Who is not checked any more is as well as any other.
                OriginStanding::Sick | OriginStanding::Well => Known::Well,
                OriginStanding::Drained => Known::Drained,
            };
            state.learn(place, known, now);
        }
    }

    /// Gives the room that a request had at an origin to the first that can use it.
    fn leave(&self, place: usize, now: Timestamp) {
        let mut state = self.state.borrow_mut();
        state.end(place);
        let mut waiting = self.waiting.borrow_mut();
        let next = waiting.iter().position(|waiter| {
            let Some(pool) = waiter.site.settings.pools.get(&waiter.pool) else { return false };
            let selected = state.select(pool, &waiter.wish, waiter.tried, waiter.random, now);
            let (Selected::Origin(place) | Selected::Again(place)) = selected else { return false };
            state.begin(place, now);
            waiter.granted.set(Some(place));
            true
        });
        if let Some(waiter) = next.and_then(|next| waiting.remove(next)) {
            waiter.signal.fire();
        }
    }
}

impl<P: Platform> Upstream<P> {
    /// Knows of room that is kept.
    fn hold(&self, slot: &Rc<Slot<P>>) {
        let mut held = self.held.borrow_mut();
        if held.len() == held.capacity() {
            held.retain(|slot| slot.upgrade().is_some_and(|slot| !slot.is_over.get()));
        }
        held.push_back(Rc::downgrade(slot));
    }

    /// Takes back what was kept for too long.
    fn take_back(&self, now: Timestamp) {
        loop {
            let mut held = self.held.borrow_mut();
            let Some(oldest) = held.front() else { return };
            let oldest = oldest.upgrade();
            if oldest.as_ref().is_some_and(|slot| !slot.is_over.get() && now.since(slot.asked_at) < LONGEST) {
                return;
            }
            held.pop_front();
            drop(held);
            if let Some(slot) = oldest {
                slot.end();
            }
        }
    }
}

/// A request's turn, while it waits for it: wherever it goes, nobody else waits because of it.
struct Turn<'wait, P: Platform> {
    upstream: &'wait Upstream<P>,
    platform: &'wait P,
    waiter: Rc<Waiter<P>>,
}

impl<P: Platform> Drop for Turn<'_, P> {
    fn drop(&mut self) {
        self.upstream.waiting.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        if let Some(place) = self.waiter.granted.take() {
            self.upstream.leave(place, self.platform.now());
        }
    }
}

/// The room that a request has at an origin, until it is over.
struct Slot<P: Platform> {
    upstream: Rc<Upstream<P>>,
    platform: Rc<P>,
    isolate: Rc<Isolate<P>>,
    breaker: Breaker,
    place: usize,
    asked_at: Timestamp,
    is_told: Cell<bool>,
    is_over: Cell<bool>,
}

impl<P: Platform> Slot<P> {
    /// Gives the room back, once.
    fn end(&self) {
        if self.is_over.replace(true) {
            return;
        }
        if !self.is_told.get() {
            self.upstream.state.borrow_mut().forget(self.place);
        }
        self.upstream.leave(self.place, self.platform.now());
    }

    /// Takes in what became of the request: what is told first counts.
    fn tell(&self, outcome: Outcome) {
        if self.is_told.replace(true) {
            return;
        }
        let (random, now) = (low(self.platform.random()), self.platform.now());
        let mut state = self.upstream.state.borrow_mut();
        let word = match state.record(self.place, outcome, self.asked_at, &self.breaker, random, now) {
            Some(Change::Opened) => "opened",
            Some(Change::Closed) => "closed",
            None => return,
        };
        let origin = &self.upstream.names[self.place];
        self.isolate.counters.borrow_mut().add(origin, Metric::PoolCircuits, word, 1);
    }
}

impl<P: Platform + 'static> Slot<P> {
    /// Tells what becomes of the answer's body, and keeps the room until then.
    fn watch(self: &Rc<Self>, over: Option<P::Signal>) -> Watch {
        let slot = Rc::clone(self);
        Box::new(move |end| {
            match end {
                End::Whole => slot.tell(Outcome::Good),
                End::Broke => {
                    let origin = &slot.upstream.names[slot.place];
                    slot.isolate.counters.borrow_mut().add(origin, Metric::PoolBroken, "", 1);
                    slot.tell(Outcome::Lost);
                }
                End::Left => {}
            }
            if let Some(over) = over {
                over.fire();
            }
        })
    }
}

impl<P: Platform> Drop for Slot<P> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A question to a pool. It owns what it needs: it may outlive the request that has it.
pub(super) struct Errand<P: Platform> {
    pub(super) platform: Rc<P>,
    pub(super) isolate: Rc<Isolate<P>>,
    pub(super) site: Rc<Site>,
    /// Of the settings.
    pub(super) pool: String,
    pub(super) wish: Wish,
    pub(super) repeatable: Repeatable,
    /// Whether an answer makes sense is found out later: a part may be what is missing of what is stored.
    pub(super) is_settled_later: bool,
    /// For the log.
    pub(super) request_id: String,
}

/// What came of an errand.
pub(super) struct Heard<B> {
    pub(super) relayed: Relayed<B>,
    pub(super) attempt: Attempt,
    /// The shield could not be asked.
    pub(super) is_past_shield: bool,
}

/// Which origin was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Its place in the pool.
    pub(super) place: usize,
    /// How many were asked, this one among them.
    pub(super) tries: u8,
}

/// For people: which origin of the pool, counted from 1, and how many were asked.
impl fmt::Display for Attempt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attempt { place, tries } = self;
        write!(out, "origin {}, {tries} {}", place + 1, if *tries == 1 { "try" } else { "tries" })
    }
}

/// Why an errand brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unheard {
    pub(super) cause: Cause,
    /// `None`: none was asked.
    pub(super) attempt: Option<Attempt>,
}

type Result<B> = std::result::Result<Heard<B>, Unheard>;

impl<P: Platform + 'static> Errand<P> {
    /// The pool, and what is known of it.
    pub(super) fn upstream(&self) -> Option<(&Pool, Rc<Upstream<P>>)> {
        let pool = self.site.settings.pools.get(&self.pool)?;
        let upstream = self.isolate.upstreams.of(&self.pool, pool);
        upstream.learn(pool, &self.isolate.lease, self.platform.now());
        Some((pool, upstream))
    }

    /// Asks. `outbound` names what stands behind an origin's URL. By way of the object that `relay` names, where it does.
    pub(super) async fn run(&self, outbound: &Outbound<P::Body>, relay: Option<&Relay>) -> Result<P::Body> {
        let unasked = |cause| Unheard { cause, attempt: None };
        let Some((pool, upstream)) = self.upstream() else { return Err(unasked(Cause::NoPool)) };
        let began = self.platform.now();
        upstream.state.borrow_mut().requested(&pool.retry);
        let repeatable = if self.is_stream(outbound) { Repeatable::Never } else { self.repeatable };
        // What cannot be repeated is not sent to see whether somebody is well again.
        let wish = Wish { may_probe: self.wish.may_probe && repeatable != Repeatable::Never, ..self.wish };
        let (mut tried, mut count, mut last) = (Tried::default(), 0, None);
        loop {
            let slot = match self.slot(&upstream, pool, &wish, tried, count).await {
                Ok(slot) => slot,
                // What was said before says more than that nobody else can be asked.
                Err(cause) => return last.unwrap_or(Err(unasked(cause))),
            };
            self.drop_answer(last.take());
            tried.insert(slot.place);
            count += 1;
            let attempt = Attempt { place: slot.place, tries: count };
            let spent = self.platform.now().since(began);
            let (names, place, asked_at) = (&upstream.names, slot.place, slot.asked_at);
            let came = self.ask(pool, slot, outbound, relay, spent).await;
            let took = self.platform.now().since(asked_at);
            let tell = |result| self.isolate.counters.borrow_mut().tried(&names[place], result, took);
            let (heard, status) = match came {
                Ok(Came { relayed, is_past_shield }) => {
                    let status = match &relayed {
                        Relayed::Own(inbound) => inbound.status,
                        // Another isolate asked, and counts it.
                        Relayed::Joined { .. } | Relayed::Missed => StatusCode::OK,
                    };
                    if matches!(relayed, Relayed::Own(_)) {
                        tell(Ok(status.as_u16()));
                    }
                    (Ok(Heard { relayed, attempt, is_past_shield }), Some(status))
                }
                Err(silence) => {
                    tell(Err(silence.word()));
                    (Err(Unheard { cause: silence.cause(), attempt: Some(attempt) }), None)
                }
            };
            let has_time = outbound.total.is_none_or(|total| self.platform.now().since(began) < total);
            let may_retry = repeatable.again_after(status) && has_time && count <= pool.retry.attempts;
            if !(may_retry && upstream.state.borrow_mut().may_retry()) {
                return heard;
            }
            last = Some(heard);
            self.isolate.counters.borrow_mut().add(&upstream.name, Metric::PoolRetries, "", 1);
        }
    }

    /// Finds an origin that has room.
    async fn slot(
        &self,
        upstream: &Rc<Upstream<P>>,
        pool: &Pool,
        wish: &Wish,
        tried: Tried,
        count: u8,
    ) -> std::result::Result<Rc<Slot<P>>, Cause> {
        upstream.take_back(self.platform.now());
        let random = low(self.platform.random());
        let select = || upstream.state.borrow_mut().select(pool, wish, tried, random, self.platform.now());
        let mut selected = select();
        if matches!(selected, Selected::Again(_)) {
            // Nobody fires it: it is waited for in vain.
            self.platform.signal().fired(retry::pause(count, random)).await;
            selected = select();
        }
        let place = match selected {
            Selected::Origin(place) | Selected::Again(place) => {
                upstream.state.borrow_mut().begin(place, self.platform.now());
                place
            }
            Selected::Busy => self.turn(upstream, pool, *wish, tried, random).await.ok_or(Cause::Busy)?,
            Selected::Drained => return Err(Cause::Drained),
        };
        Ok(Rc::new(Slot {
            upstream: Rc::clone(upstream),
            platform: Rc::clone(&self.platform),
            isolate: Rc::clone(&self.isolate),
            breaker: pool.breaker,
            place,
            asked_at: self.platform.now(),
            is_told: Cell::new(false),
            is_over: Cell::new(false),
        }))
    }

    /// Waits until an origin has room, where that is allowed: then it counts as under way there.
    async fn turn(&self, upstream: &Upstream<P>, pool: &Pool, wish: Wish, tried: Tried, random: u64) -> Option<usize> {
        let limit = pool.concurrency?;
        let count = |result| self.isolate.counters.borrow_mut().add(&upstream.name, Metric::PoolQueued, result, 1);
        if upstream.waiting.borrow().len() >= limit.queue as usize {
            count("full");
            return None;
        }
        let waiter = Rc::new(Waiter {
            signal: self.platform.signal(),
            site: Rc::clone(&self.site),
            pool: self.pool.clone(),
            wish,
            tried,
            random,
            granted: Cell::new(None),
        });
        upstream.waiting.borrow_mut().push_back(Rc::clone(&waiter));
        let turn = Turn { upstream, platform: self.platform.as_ref(), waiter };
        turn.waiter.signal.fired(Duration::from_millis(limit.queue_wait_ms)).await;
        let granted = turn.waiter.granted.take();
        count(if granted.is_some() { "waited" } else { "too-late" });
        granted
    }

    /// Asks one origin.
    async fn ask(
        &self,
        pool: &Pool,
        slot: Rc<Slot<P>>,
        outbound: &Outbound<P::Body>,
        relay: Option<&Relay>,
        spent: Duration,
    ) -> std::result::Result<Came<P::Body>, Silence> {
        let origin = &pool.origins[slot.place];
        let mut url = request::url(origin, &outbound.url);
        let mut follows = pool.follow_redirects;
        loop {
            let asked = self.outbound(pool, &url, outbound, spent);
            let mut is_past_shield = false;
            // Told of the end of what is to be waited for.
            let over = pool.concurrency.map(|_| self.platform.signal());
            let watch = || Some(slot.watch(over.clone()));
            let fetched = match relay {
                None => self.platform.fetch(asked, watch()).await.map(Relayed::Own),
                Some(relay) => match self.platform.relay(relay, asked).await {
                    Ok(relayed) => relayed,
                    Err(error) => {
                        self.log(&format!("the shield could not be asked: {error}"));
                        is_past_shield = true;
                        let asked = self.outbound(pool, &url, outbound, spent);
                        self.platform.fetch(asked, watch()).await.map(Relayed::Own)
                    }
                },
            };
            let mut inbound = match fetched {
                Ok(Relayed::Own(inbound)) => inbound,
                Ok(relayed) => return Ok(Came { relayed, is_past_shield }),
                Err(error) => {
                    slot.tell(Outcome::Lost);
                    self.log(&format!("pool `{}`, {}: {error}", self.pool, origin.url));
                    return Err(Silence::of(&error));
                }
            };
            let status = inbound.status;
            if !self.is_answer(&inbound, &outbound.headers) {
                slot.tell(Outcome::Lost);
                self.log(&format!("{} answered {status}, which is no answer", origin.url));
                self.drop_body(inbound.body.take());
                return Err(Silence::Senseless);
            }
            let location = inbound.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            // What 303 leads to is asked for by GET (RFC 9110 §15.4.4), and a stream can be sent once.
            let is_same = status != StatusCode::SEE_OTHER || matches!(outbound.method, Method::GET | Method::HEAD);
            let may_follow = follows > 0 && is_same && self.repeatable == Repeatable::Safe && !self.is_stream(outbound);
            let next = location.filter(|_| may_follow);
            if let Some(next) = next.and_then(|next| redirect::follow(status, next, &url, &pool.origins)) {
                follows -= 1;
                self.drop_body(inbound.body.take());
                url = next;
                continue;
            }
            let is_endless = outbound.total.is_none() && outbound.idle.is_none();
            match retry::outcome(status) {
                // Whether all of it comes is known at its end.
                Outcome::Good if relay.is_none() && !is_endless && inbound.body.is_some() => {}
                outcome => slot.tell(outcome),
            }
            if let Some(over) = over
                && let Some(body) = inbound.body.take()
            {
                // Nobody tells of the end of what switched protocols, nor of what comes by way of the shield.
                let is_untold = status == StatusCode::SWITCHING_PROTOCOLS || relay.is_some() && !is_past_shield;
                let length = inbound.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                let (over, body) = if is_untold {
                    let over = self.platform.signal();
                    let body = self.platform.watched(body, length, &over);
                    (over, body)
                } else {
                    (over, body)
                };
                inbound.body = Some(body);
                self.hold(slot, over);
            }
            inbound.headers = answer::received(inbound.headers, &origin.url);
            return Ok(Came { relayed: Relayed::Own(inbound), is_past_shield });
        }
    }

    /// Keeps the room at an origin until a body is over, and the platform's event with it: of what it ends with the client's
    /// connection nobody hears.
    fn hold(&self, slot: Rc<Slot<P>>, over: P::Signal) {
        slot.upstream.hold(&slot);
        self.platform.defer(async move {
            over.fired(LONGEST).await;
            slot.end();
        });
    }

    /// Whether the request's body can be sent once.
    fn is_stream(&self, outbound: &Outbound<P::Body>) -> bool {
        outbound.body.as_ref().is_some_and(|body| self.platform.length(body).is_none())
    }

    /// The request to one origin.
    fn outbound(&self, pool: &Pool, url: &str, outbound: &Outbound<P::Body>, spent: Duration) -> Outbound<P::Body> {
        let left = outbound.total.map(|total| total.saturating_sub(spent));
        let mut headers = outbound.headers.clone();
        self.sign(pool, url, outbound, &mut headers);
        Outbound {
            method: outbound.method.clone(),
            url: url.to_owned(),
            headers,
            body: outbound.body.clone(),
            answer_within: left.map_or(outbound.answer_within, |left| left.min(outbound.answer_within)),
            idle: outbound.idle,
            total: left,
            hold: outbound.hold,
        }
    }

    /// Says that the request comes from here, where the pool wants that said.
    fn sign(&self, pool: &Pool, url: &str, outbound: &Outbound<P::Body>, headers: &mut HeaderMap) {
        let Some(credential) = &pool.credential else { return };
        let Some(secret) = self.platform.variable(&credential.secret) else {
            self.log(&format!(
                "the secret {} is not set: origins of the pool `{}` get no credential",
                credential.secret, self.pool
            ));
            return;
        };
        let target = |origin: &Origin| redirect::behind(url, origin).map(str::to_owned);
        let target = pool.origins.iter().find_map(target).unwrap_or_default();
        let bytes = match &outbound.body {
            None => Some(Vec::new()),
            Some(body) => self.platform.bytes(body),
        };
        let at = self.platform.now().as_millis() / 1000;
        let signed = Signed { method: outbound.method.as_str(), target: &target, at, body: bytes.as_deref() };
        let value = HeaderValue::from_str(&credential::value(credential, &secret, &signed));
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(credential.header.as_bytes()), value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }

    /// Whether it is an answer to what was asked. Whoever asked without conditions has nothing that a 304 could mean, and would take a part
    /// for the whole.
    fn is_answer(&self, inbound: &Inbound<P::Body>, asked: &HeaderMap) -> bool {
        match inbound.status {
            StatusCode::SWITCHING_PROTOCOLS => inbound.body.is_some(),
            StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT if self.is_settled_later => true,
            StatusCode::NOT_MODIFIED => asked.contains_key(IF_NONE_MATCH) || asked.contains_key(IF_MODIFIED_SINCE),
            StatusCode::PARTIAL_CONTENT => asked.contains_key(RANGE),
            status => answer::is_final(status) && !retry::is_of_the_platform(status),
        }
    }

    /// An answer that nobody gets.
    fn drop_answer(&self, heard: Option<Result<P::Body>>) {
        if let Some(Ok(Heard { relayed: Relayed::Own(inbound), .. })) = heard {
            self.drop_body(inbound.body);
        }
    }

    fn drop_body(&self, body: Option<P::Body>) {
        if let Some(body) = body {
            self.platform.discard(body);
        }
    }

    fn log(&self, line: &str) {
        self.platform.log(&format!("request_id={} {line}", self.request_id));
    }
}

/// What came of one try.
struct Came<B> {
    relayed: Relayed<B>,
    is_past_shield: bool,
}

/// Why a try brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    Unreachable,
    Late,
    BrokeOff,
    /// What came answers nothing that was asked.
    Senseless,
}

impl Silence {
    fn of(error: &FetchError) -> Silence {
        match error {
            FetchError::Timeout(_) => Silence::Late,
            FetchError::Unreachable(_) => Silence::Unreachable,
            FetchError::Broken(_) => Silence::BrokeOff,
        }
    }

    /// For the metrics.
    fn word(self) -> &'static str {
        match self {
            Silence::Unreachable | Silence::Late => self.cause().token(),
            Silence::BrokeOff => "origin-broke-off",
            Silence::Senseless => "no-answer",
        }
    }

    fn cause(self) -> Cause {
        match self {
            Silence::Late => Cause::Timeout,
            Silence::Unreachable | Silence::BrokeOff | Silence::Senseless => Cause::Unreachable,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "half of it is chance enough")]
fn low(random: u128) -> u64 {
    random as u64
}

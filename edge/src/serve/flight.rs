//! One request to an origin for everyone who waits for its answer.
//!
//! A flight runs behind the request that began it: its client may go, the others still get their answer. It lands when the
//! head of the answer is there: then it is known whether that may be shared, and the body follows at the origin's pace.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{Method, StatusCode};

use super::Isolate;
use super::ours::Cause;
use super::site::Site;
use super::stock::{Content, Stock};
use super::stores::Stores;
use super::upstream::{Attempt, Errand, Upstream};
use crate::cache::Content as Carried;
use crate::cache::{Arrival, Asked, Fetch, Kept, Key, Pass, Piece, Settled, Splice, Stored, settle, share};
use crate::config::CachePolicy;
use crate::control::record::Mark;
use crate::platform::{Inbound, Outbound, Platform, Recording, Relay, Relayed, Signal};
use crate::release::verify::hexadecimal_sha256;
use crate::telemetry::{Metric, SHIELD_UNREACHABLE};
use crate::time::Timestamp;

/// Why an answer goes to one client alone whose body is too long to be kept.
pub(super) const TOO_LARGE: &str = "too-large";

/// Longer bodies are passed on as they come, and not kept: they would stand in the isolate's memory while they do.
const RECORD_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// Of all bodies that are being read at once.
const RECORDS_LIMIT_BYTES: u64 = 24 * 1024 * 1024;
/// What a body of unknown length counts as.
const UNKNOWN_LENGTH_BYTES: u64 = 1024 * 1024;
/// For so long the requests of a key do not wait for one another, after an answer could not be shared.
pub(super) const ALONE_FOR: Duration = Duration::from_mins(2);

/// Stands behind the names of flights whose requests say who asks: what comes may be that client's alone, and then nobody else
/// shall have waited for it. Begins as names of variants do.
pub(super) const PERSONAL: &str = " personal";

/// For so long others join it: what a request leaves behind, the platform ends 30 s after its answer.
const JOINED_FOR: Duration = Duration::from_secs(30);

/// Longer than any request to an origin is expected to last.
const LOST_AFTER: Duration = Duration::from_mins(10);

/// A request to an origin, and who waits for it.
pub(super) struct Flight<P: Platform> {
    pub(super) leader: Question,
    signal: P::Signal,
    landing: RefCell<Option<Rc<Landing<P>>>>,
    took_off_at: Timestamp,
    /// Nobody may join it.
    is_alone: bool,
    /// What it brings is older than an invalidation.
    outdated: Cell<bool>,
    /// The shield could not be asked.
    past_shield: Cell<bool>,
    /// Which origin was asked last.
    pub(super) attempt: Cell<Option<Attempt>>,
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
    /// With a response that those who waited may have; status and head are as the origin sent them. `relayed`: to another
    /// isolate, which asked the same.
    Stocked { stock: Rc<Stock<P>>, status: StatusCode, sent: HeaderMap, relayed: bool },
    /// With an answer for the one who began it alone; whoever takes it first is that one.
    Alone { inbound: RefCell<Option<Inbound<P::Body>>>, detail: &'static str },
    /// The origin fails: with an answer that says so, or without any.
    Failed { inbound: RefCell<Option<Inbound<P::Body>>>, status: Option<StatusCode>, cause: Cause },
}

/// The flights of an isolate, by what they are for, the last one last.
pub(super) struct Flights<P: Platform>(HashMap<String, Vec<Rc<Flight<P>>>>);

impl<P: Platform> Default for Flights<P> {
    fn default() -> Flights<P> {
        Flights(HashMap::new())
    }
}

impl<P: Platform> Flights<P> {
    /// The one that whoever comes now may wait for.
    pub(super) fn joined(&self, name: &str, now: Timestamp) -> Option<Rc<Flight<P>>> {
        self.0.get(name)?.last().filter(|flight| flight.may_be_joined(now)).cloned()
    }

    fn begin(&mut self, name: &str, flight: &Rc<Flight<P>>) {
        let flights = self.0.entry(name.to_owned()).or_default();
        let now = flight.took_off_at;
        flights.retain(|earlier| {
            // Nobody knows whether it still flies: what it brings is not kept, and it is forgotten.
            let is_lost = now.since(earlier.took_off_at) > LOST_AFTER;
            if is_lost {
                earlier.outdate();
            }
            !is_lost
        });
        // The one to be joined comes last.
        let place = if flight.is_alone { 0 } else { flights.len() };
        flights.insert(place, Rc::clone(flight));
    }

    fn leave(&mut self, name: &str, flight: &Rc<Flight<P>>) {
        let Some(flights) = self.0.get_mut(name) else { return };
        flights.retain(|known| !Rc::ptr_eq(known, flight));
        if flights.is_empty() {
            self.0.remove(name);
        }
    }

    /// What is on its way to a key, or to one of its variants, is older than an invalidation.
    pub(super) fn outdate(&mut self, key: &Key) {
        let is_of_key =
            |name: &str| name.strip_prefix(key.text()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.0.retain(|name, flights| {
            let outdated = is_of_key(name);
            if outdated {
                for flight in flights.iter() {
                    flight.outdate();
                }
            }
            !outdated
        });
    }
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

    /// Whether it went past the shield, because that could not be asked.
    pub(super) fn is_past_shield(&self) -> bool {
        self.past_shield.get()
    }

    /// Whether whoever comes now may wait for it. What has landed is used as if it were stored, while its body still comes:
    /// fresh. And the platform may have ended the event that it is part of, without a word.
    fn may_be_joined(&self, now: Timestamp) -> bool {
        let is_fresh = |landing: &Rc<Landing<P>>| match &**landing {
            Landing::Stocked { stock, .. } => stock.stored.age_s(now) < stock.stored.lifetime_s,
            Landing::Alone { .. } | Landing::Failed { .. } => true,
        };
        !self.is_alone
            && now.since(self.took_off_at) < JOINED_FOR
            && self.landing.borrow().as_ref().is_none_or(is_fresh)
    }

    /// What it brings is not kept.
    fn outdate(&self) {
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
    /// What it is for: under that others find it, if they may.
    pub(super) name: String,
    pub(super) is_alone: bool,
    /// Whether the request says who asks.
    pub(super) is_personal: bool,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// The request as it would leave without any stored response.
    pub(super) outbound: Outbound<P::Body>,
    pub(super) errand: Errand<P>,
    /// How much of the control log was known.
    pub(super) mark: Mark,
    /// For the log.
    pub(super) request_id: String,
    /// For the metrics.
    pub(super) route: String,
    /// Whether it goes through an object that all isolates share.
    pub(super) is_shielded: bool,
}

/// What came of a request to an origin.
struct Came<P: Platform> {
    inbound: Inbound<P::Body>,
    /// Whose request it was, where it was that of another isolate.
    joined: Option<Question>,
    requested_at: Timestamp,
    received_at: Timestamp,
    sequence: u64,
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
            took_off_at: self.platform.now(),
            is_alone: self.is_alone,
            outdated: Cell::default(),
            past_shield: Cell::default(),
            attempt: Cell::default(),
        });
        self.isolate.flights.borrow_mut().begin(&self.name, &flight);
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
        self.isolate.flights.borrow_mut().leave(&self.name, flight);
    }

    async fn ask(
        &self,
        flight: &Rc<Flight<P>>,
        mut fetch: Fetch,
        mut stock: Option<(String, Rc<Stock<P>>)>,
    ) -> (Landing<P>, Option<Arriving<P>>) {
        // Who has something else to answer with does not wait for those of whom nobody expects an answer.
        let is_down = |(_, upstream): (&_, Rc<Upstream<P>>)| upstream.state.borrow().is_down(self.platform.now());
        if fetch.fallback.is_some() && stock.is_some() && self.errand.upstream().is_some_and(is_down) {
            return (failed(None, Cause::Unreachable), None);
        }
        let question = &flight.leader;
        let mut is_shielded = self.is_shielded;
        // Once as planned, once more where another isolate's answer is not for this one, and once more where what came fits
        // nothing.
        for _ in 0..3 {
            let came = match self.send(flight, &fetch, is_shielded).await {
                Ok(Some(came)) => came,
                Ok(None) => {
                    is_shielded = false;
                    continue;
                }
                Err(cause) => return (failed(None, cause), None),
            };
            let Came { inbound, joined, requested_at, received_at, sequence } = came;
            let status = inbound.status;
            // Of what is held only this isolate knows against which purges it was checked.
            let checked = stock.as_ref().map_or(sequence, |_| self.mark.sequence.number());
            let arrival = Arrival {
                status,
                headers: &inbound.headers,
                requested_at,
                received_at,
                sequence: checked,
                log: self.mark.log.number(),
            };
            let asked = self.asked(joined.as_ref().unwrap_or(question));
            let held = stock.as_ref().map(|(_, stock)| &stock.stored);
            let settled = settle(&asked, &self.policy, &self.key, &fetch, held, &arrival);
            let relayed = joined.is_some();
            if relayed && !self.may_join(&self.asked(question), &asked, &settled, sequence) {
                is_shielded = false;
                continue;
            }
            // What is another client's alone stays with that one.
            let sent = |stored: &Stored, inbound: &Inbound<P::Body>| {
                if relayed { stored.headers.clone() } else { inbound.headers.clone() }
            };
            match settled {
                Settled::Store(stored) => {
                    let sent = sent(&stored, &inbound);
                    return self.record(*stored, inbound, sent, relayed);
                }
                Settled::Renewed(stored) => {
                    let Some((_, held)) = stock else { return (failed(Some(inbound), Cause::Unreachable), None) };
                    let Content::AtHand(body) = &held.content else {
                        return (failed(Some(inbound), Cause::Unreachable), None);
                    };
                    self.keep(flight, (*stored).clone(), body.clone()).await;
                    let sent = sent(&stored, &inbound);
                    let stock = Rc::new(Stock::new(*stored, Content::AtHand(body.clone())));
                    return (Landing::Stocked { stock, status, sent, relayed }, None);
                }
                Settled::Completed(stored, splice) => {
                    let sent = sent(&stored, &inbound);
                    let Some(body) = self.splice(stock.as_ref(), inbound, &splice).await else {
                        // The rest broke off: the whole may come through.
                        (fetch, stock, is_shielded) = (fetch.again(), None, false);
                        continue;
                    };
                    self.keep(flight, (*stored).clone(), body.clone()).await;
                    let stock = Rc::new(Stock::new(*stored, Content::AtHand(body)));
                    return (Landing::Stocked { stock, status, sent, relayed }, None);
                }
                Settled::Pass(pass, kept) => {
                    if kept == Kept::Goes {
                        self.stores().forget(self.key.text()).await;
                    }
                    if pass.lasts() && question.method != Method::HEAD {
                        let is_of_client = matches!(pass, Pass::Authorization | Pass::Personal);
                        let place = alone_place(self.key.text(), is_of_client && self.is_personal);
                        self.isolate.alone.borrow_mut().insert(&place, received_at, 0);
                    }
                    return (Landing::Alone { inbound: RefCell::new(Some(inbound)), detail: pass.word() }, None);
                }
                // What another isolate's client was told of a failure is his.
                Settled::FallBack(_) if relayed => {
                    if let Some(body) = inbound.body {
                        self.platform.discard(body);
                    }
                    return (failed(None, Cause::Unreachable), None);
                }
                Settled::FallBack(_) => return (failed(Some(inbound), Cause::Unreachable), None),
                Settled::AskAgain => {
                    self.stores().forget(self.key.text()).await;
                    (fetch, stock, is_shielded) = (fetch.again(), None, false);
                }
                Settled::Senseless => break,
            }
        }
        self.log(&format!("the pool `{}` answered something that was not asked", self.errand.pool));
        (failed(None, Cause::Unreachable), None)
    }

    /// Sends the request. `None`: another isolate's answer was under way, and is not to be had.
    async fn send(&self, flight: &Flight<P>, fetch: &Fetch, is_shielded: bool) -> Result<Option<Came<P>>, Cause> {
        let requested_at = self.platform.now();
        let outbound = self.outbound(fetch);
        let relay = is_shielded.then(|| self.relay(flight, &outbound));
        let heard = self.errand.run(&outbound, relay.as_ref()).await;
        let received_at = self.platform.now();
        let took = received_at.since(requested_at);
        let count = |status| self.isolate.counters.borrow_mut().asked(&self.route, status, took);
        flight.attempt.set(match &heard {
            Ok(heard) => Some(heard.attempt),
            Err(unheard) => unheard.attempt,
        });
        if heard.as_ref().is_ok_and(|heard| heard.is_past_shield) {
            self.isolate.counters.borrow_mut().add(&self.route, Metric::Degraded, SHIELD_UNREACHABLE, 1);
            flight.past_shield.set(true);
        }
        Ok(Some(match heard.map(|heard| heard.relayed) {
            Ok(Relayed::Missed) => return Ok(None),
            Ok(Relayed::Own(inbound)) => {
                count(Some(inbound.status.as_u16()));
                Came { inbound, joined: None, requested_at, received_at, sequence: self.mark.sequence.number() }
            }
            Ok(Relayed::Joined { inbound, asked, sequence, sent_ago, came_ago }) => Came {
                inbound,
                joined: Some(Question { headers: asked, ..flight.leader.clone() }),
                requested_at: received_at.minus(sent_ago),
                received_at: received_at.minus(came_ago),
                sequence,
            },
            Err(unheard) => {
                count(None);
                return Err(unheard.cause);
            }
        }))
    }

    /// By way of the shield.
    fn relay(&self, flight: &Flight<P>, outbound: &Outbound<P::Body>) -> Relay {
        let stores = self.stores();
        let key = stores.place(self.key.text());
        let field = |name| outbound.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        let mut text = Vec::new();
        let conditions = [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE].map(field);
        let [name, method, pool] = [&self.name, outbound.method.as_str(), &self.errand.pool].map(str::as_bytes);
        // Places of another log are not to be compared: whoever knows another asks another question.
        let log = self.mark.log.number().to_string();
        for part in [name, method, pool, log.as_bytes()].into_iter().chain(conditions) {
            text.extend_from_slice(part);
            text.push(b'\n');
        }
        Relay {
            shard: shard(&key).to_owned(),
            question: hexadecimal_sha256(&text),
            key,
            asked: flight.leader.headers.clone(),
            sequence: self.mark.sequence.number(),
        }
    }

    /// Whether what another isolate's request brought is for this one too: by what the two ask, and by what each knew of
    /// purges when it was sent, of the same log.
    fn may_join(&self, asked: &Asked<'_>, leader: &Asked<'_>, settled: &Settled, sequence: u64) -> bool {
        match settled {
            Settled::Store(stored) | Settled::Renewed(stored) | Settled::Completed(stored, _) => {
                let now = self.platform.now();
                sequence >= self.mark.sequence.number() && share(asked, leader, &self.policy, stored, now).is_some()
            }
            Settled::FallBack(_) => true,
            Settled::Pass(..) | Settled::AskAgain | Settled::Senseless => false,
        }
    }

    /// Reads the body for everyone, if it is not too much.
    fn record(
        &self,
        stored: Stored,
        inbound: Inbound<P::Body>,
        sent: HeaderMap,
        relayed: bool,
    ) -> (Landing<P>, Option<Arriving<P>>) {
        let status = inbound.status;
        let Some(body) = inbound.body else {
            let stock = Rc::new(Stock::new(stored.clone(), Content::AtHand(self.platform.body(Vec::new()))));
            let landing = Landing::Stocked { stock, status, sent, relayed };
            return (
                landing,
                Some(Arriving { stored, content: Content::AtHand(self.platform.body(Vec::new())), reading: None }),
            );
        };
        let length = stored.announced();
        let bytes = length.unwrap_or(UNKNOWN_LENGTH_BYTES);
        let now = self.platform.now();
        let reading = if bytes > RECORD_LIMIT_BYTES {
            self.isolate.alone.borrow_mut().insert(self.key.text(), now, 0);
            Err(TOO_LARGE)
        } else {
            self.isolate.readings.borrow_mut().begin(bytes, now).ok_or("memory-full")
        };
        let reading = match reading {
            Ok(reading) => reading,
            Err(detail) => {
                let inbound = Inbound { status, headers: inbound.headers, body: Some(body) };
                return (Landing::Alone { inbound: RefCell::new(Some(inbound)), detail }, None);
            }
        };
        let recording = self.platform.record(body, length, RECORD_LIMIT_BYTES);
        let stock = Rc::new(Stock::new(stored.clone(), Content::Arriving(recording.clone())));
        let landing = Landing::Stocked { stock, status, sent, relayed };
        (landing, Some(Arriving { stored, content: Content::Arriving(recording), reading: Some(reading) }))
    }

    /// Keeps a response when all of its body is there: what breaks off, or is too long, is not kept.
    async fn keep_when_whole(&self, flight: &Flight<P>, arriving: Arriving<P>) {
        let Arriving { mut stored, content, reading } = arriving;
        let body = match content {
            Content::AtHand(body) => Some(body),
            Content::Arriving(recording) => recording.whole().await,
            Content::Streaming(body) => body.take(),
        };
        if let Some(reading) = reading {
            self.isolate.readings.borrow_mut().end(reading);
        }
        let Some(body) = body else { return };
        let came = self.platform.length(&body).unwrap_or_default();
        if stored.seal(came).is_ok() && !flight.outdated.get() {
            self.isolate.counters.borrow_mut().add(&self.route, Metric::StoredBytes, "", came);
            self.keep(flight, stored, body).await;
        }
    }

    /// Keeps what came, unless something has changed since it was asked for, or changes while it is being kept.
    async fn keep(&self, flight: &Flight<P>, stored: Stored, body: P::Body) {
        let asked = self.asked(&flight.leader);
        if flight.outdated.get() || asked.wants_nothing_kept() {
            return;
        }
        self.isolate.searches.borrow_mut().learn(&self.key, &stored);
        self.stores().keep(&self.key, &asked, stored, body, self.platform.now()).await;
        if flight.outdated.get() {
            self.stores().forget(self.key.text()).await;
        }
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
        let Outbound { method, url, headers, body, answer_within, idle, total, hold } = &self.outbound;
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
            hold: *hold,
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
        let site = &self.site.settings.site.name;
        Stores::new(self.platform.as_ref(), self.isolate.as_ref(), site, &self.policy)
    }

    fn log(&self, line: &str) {
        self.platform.log(&format!("request_id={} {line}", self.request_id));
    }
}

/// A response whose body is not all there yet.
struct Arriving<P: Platform> {
    stored: Stored,
    content: Content<P>,
    reading: Option<u64>,
}

/// The bodies that are being read, which stand in the isolate's memory while they are.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// By number: since when, and of how many bytes.
    under_way: Vec<(u64, Timestamp, u64)>,
    last: u64,
}

impl Readings {
    /// Begins one, if there is room; says under which number.
    fn begin(&mut self, bytes: u64, now: Timestamp) -> Option<u64> {
        // The platform may have ended the event that reads it, without a word.
        self.under_way.retain(|(_, since, _)| now.since(*since) <= LOST_AFTER);
        let all: u64 = self.under_way.iter().map(|(_, _, bytes)| bytes).sum();
        if all + bytes > RECORDS_LIMIT_BYTES {
            return None;
        }
        self.last += 1;
        self.under_way.push((self.last, now, bytes));
        Some(self.last)
    }

    fn end(&mut self, number: u64) {
        self.under_way.retain(|(known, ..)| *known != number);
    }
}

/// Where it is remembered that requests of a key do not wait for one another: all of them, or those that say who asks.
pub(super) fn alone_place(key: &str, only_personal: bool) -> Cow<'_, str> {
    if only_personal { Cow::Owned([key, PERSONAL].concat()) } else { Cow::Borrowed(key) }
}

/// The object of a key: by the first digit of its place, so that sixteen share the load.
pub(super) fn shard(place: &str) -> &str {
    &place[..1]
}

fn failed<P: Platform>(inbound: Option<Inbound<P::Body>>, cause: Cause) -> Landing<P> {
    let status = inbound.as_ref().map(|inbound| inbound.status);
    Landing::Failed { inbound: RefCell::new(inbound), status, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_are_being_read_are_bounded_and_one_whose_reader_was_ended_takes_no_room_for_ever() {
        let mut readings = Readings::default();
        let at = |seconds| Timestamp::default().plus(Duration::from_secs(seconds));
        let whole = RECORDS_LIMIT_BYTES;
        let first = readings.begin(whole - 2, at(0)).expect("room");
        let second = readings.begin(2, at(0)).expect("room");
        assert_eq!(readings.begin(1, at(1)), None);
        readings.end(second);
        assert!(readings.begin(2, at(400)).is_some());
        readings.end(second);
        assert_eq!(readings.begin(1, at(LOST_AFTER.as_secs())), None);
        assert!(readings.begin(whole - 2, at(LOST_AFTER.as_secs() + 1)).is_some(), "nobody ended {first}");
    }
}

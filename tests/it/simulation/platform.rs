//! The platform as one event of an isolate sees it: a clock that is off, stores and a log that lose, delay and fail, bodies that
//! come in their own time and break off.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use rimward_edge::control::ledger::{Beginning, Change, Ledger, Row, Table};
use rimward_edge::control::message::{Command, Reply};
use rimward_edge::control::record::{Kind, Purge};
use rimward_edge::json;
use rimward_edge::platform::{
    AssetError, FetchError, Inbound, Kept, LimitAsk, LogError, Outbound, Platform, Recording, Relay, Relayed, Signal,
    Store, StoreError, Watch, WholeFile,
};
use rimward_edge::release::verify::hexadecimal_sha256;
use rimward_edge::serve::Isolate;
use rimward_edge::time::Timestamp;

use super::clockwork::{Clockwork, Event, Millis, Ticket};
use super::oracle::Oracle;
use super::origin::Origin;
use super::random::Random;
use super::weather::Weather;

/// A reader of what another event reads gives up when nothing came for so long.
const STALLED: Millis = 120_000;
/// How long a location may go on with what it has read from the key-value store.
const CONVERGES: Millis = 60_000;
/// The data centre's cache is asked for a second; some keep things longer than they are told to.
const OVERDUE: Millis = 3_000;

/// Where the copy of the log lies.
const COPY_OF_LOG: &str = "control/log";

/// Everything outside the isolates.
pub(super) struct World {
    pub(super) clock: Clockwork,
    pub(super) random: Random,
    pub(super) weather: Weather,
    pub(super) origin: Origin,
    pub(super) oracle: Oracle,
    pub(super) centres: Vec<DataCentre>,
    pub(super) log: RefCell<Log>,
    /// The key-value store: what was written last.
    pub(super) everywhere: RefCell<HashMap<String, Lying>>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) nobody: Rc<Event>,
    pub(super) traced: Option<RefCell<Vec<String>>>,
}

/// A data centre.
#[derive(Default)]
pub(super) struct DataCentre {
    pub(super) cache: RefCell<HashMap<String, Lying>>,
    /// What it has read from the key-value store, and when.
    pub(super) read: RefCell<HashMap<String, (Millis, Option<Lying>)>>,
}

/// What lies in a store.
#[derive(Clone)]
pub(super) struct Lying {
    pub(super) kept: Kept<Stuff>,
    until: Millis,
}

/// The control log, the rows that it is stored as, and its clock.
pub(super) struct Log {
    pub(super) ledger: Ledger,
    rows: BTreeMap<(u8, u64), Row>,
    pub(super) offset: i64,
}

/// A purge as the log took it, by the clock that is right.
pub(super) struct Purged {
    pub(super) purge: Purge,
    pub(super) at: Millis,
}

impl Log {
    /// One that begins.
    pub(super) fn new(offset: i64, beginning: Beginning) -> Log {
        let (ledger, _) = Ledger::open(Vec::new(), beginning);
        Log { ledger, rows: BTreeMap::new(), offset }
    }

    fn store(&mut self) {
        let place = |table: Table, id: u64| (table as u8, id);
        for change in self.ledger.take_changes() {
            match change {
                Change::Put(table, id, text) => drop(self.rows.insert(place(table, id), (table, id, text))),
                Change::Drop(table, id) => drop(self.rows.remove(&place(table, id))),
            }
        }
    }

    /// Its object is begun anew from what is stored.
    pub(super) fn restart(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let (ledger, unread) = Ledger::open(self.rows.values().cloned().collect(), Beginning::default());
        assert!(unread.is_empty(), "{unread:?}");
        self.ledger = ledger;
    }
}

/// By the clock of a machine that is off by so much.
pub(super) fn clock_of(now: Millis, offset: i64) -> Timestamp {
    Timestamp::from_millis(now.checked_add_signed(offset).expect("a time"))
}

impl World {
    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(traced) = &self.traced {
            let now = self.clock.now() % 100_000_000;
            traced.borrow_mut().push(format!("step {} at {now}: {}", self.clock.steps(), line()));
        }
    }

    /// Something takes its time.
    async fn takes(&self, longest: Millis) {
        let time = if self.random.chance(500) { 0 } else { self.random.below(longest + 1) };
        self.clock.pause(time).await;
    }

    /// What the log does when a command reaches it.
    fn at_log(&self, command: &str) -> Reply {
        let now = self.clock.now();
        let log = &mut *self.log.borrow_mut();
        let command: Command = json::read(command.as_bytes()).expect("a command of ours");
        let appended = match &command {
            Command::Append(append) => match &append.kind {
                Kind::Purge(purge) => Some(purge.clone()),
                Kind::Ban(_) | Kind::Origin(_) | Kind::Later(_) => None,
            },
            _ => None,
        };
        let reply = log.ledger.answer(command, clock_of(now, log.offset));
        log.store();
        if let (Some(purge), Reply::Appended(appended)) = (appended, &reply)
            && !appended.again
        {
            self.trace(|| format!("the log takes {purge:?} as {}", appended.sequence.number()));
            self.oracle.purged(Purged { purge, at: now });
        }
        reply
    }

    /// The log's object is lost, with all that it stored, and begins anew on another machine.
    pub(super) fn lose_log(&self, offset: i64) {
        let fails = self.weather.stores_fail.get() > 0;
        let everywhere = self.everywhere.borrow();
        let copy = everywhere.get(COPY_OF_LOG).filter(|_| !fails).map(|lying| match &lying.kept.body {
            Stuff::AtHand(bytes) => serde_json::from_slice(bytes).expect("news of ours"),
            Stuff::Stream(_) => unreachable!("what lies in a store is at hand"),
        });
        let beginning = Beginning { chance: self.clock.steps(), copy };
        *self.log.borrow_mut() = Log::new(offset, beginning);
    }

    /// The alarm of the log's object: a copy of it goes into the key-value store.
    pub(super) async fn copy_log(self: Rc<Self>) {
        loop {
            self.clock.pause(1_000 + self.random.below(5_000)).await;
            let news = {
                let log = &mut *self.log.borrow_mut();
                let news = log.ledger.copy_due(clock_of(self.clock.now(), log.offset));
                if let Some(news) = &news {
                    let copied = (!self.weather.is_store_failing(&self.random)).then_some(news.head);
                    log.ledger.copied(copied, clock_of(self.clock.now(), log.offset));
                    log.store();
                    copied.is_some()
                } else {
                    false
                }
                .then_some(news)
                .flatten()
            };
            if let Some(news) = news {
                let body = Stuff::of(json::write(&news).expect("plain data").into_bytes());
                let length = body.length().expect("at hand");
                let kept = Kept { envelope: "news".to_owned(), body, length };
                let lying = Lying { kept, until: Millis::MAX };
                self.everywhere.borrow_mut().insert(COPY_OF_LOG.to_owned(), lying);
            }
        }
    }

    /// What a body comes to: its bytes, and whether it ended well.
    pub(super) async fn drain(&self, body: Stuff) -> (Rc<[u8]>, bool) {
        let stream = match body {
            Stuff::AtHand(bytes) => return (bytes, true),
            Stuff::Stream(stream) => stream,
        };
        if stream.taken.replace(true) {
            self.oracle.wrong("a stream was read twice");
        }
        let is_stalled = || stream.reader.is_over(self.clock.now());
        self.clock.until(stream.ends_at).await;
        if is_stalled() && stream.is_foreign {
            self.clock.pause(STALLED).await;
            return (Rc::clone(&stream.bytes), false);
        }
        (Rc::clone(&stream.bytes), !stream.breaks)
    }
}

/// A body: bytes at hand, or a stream that somebody may read once.
#[derive(Clone)]
pub(super) enum Stuff {
    AtHand(Rc<[u8]>),
    Stream(Rc<Stream>),
}

/// A body that is on its way.
pub(super) struct Stream {
    pub(super) bytes: Rc<[u8]>,
    pub(super) ends_at: Millis,
    pub(super) breaks: bool,
    taken: Cell<bool>,
    /// The event that reads it from its source.
    reader: Rc<Event>,
    /// Whether another event gets it from that one.
    is_foreign: bool,
}

impl Stuff {
    pub(super) fn of(bytes: Vec<u8>) -> Stuff {
        Stuff::AtHand(bytes.into())
    }

    fn length(&self) -> Option<u64> {
        match self {
            Stuff::AtHand(bytes) => Some(bytes.len() as u64),
            Stuff::Stream(_) => None,
        }
    }
}

/// A body that one event reads for all.
#[derive(Clone)]
pub(super) struct Recorded {
    world: Rc<World>,
    bytes: Rc<[u8]>,
    ends_at: Millis,
    is_sound: bool,
    limit: u64,
    reader: Rc<Event>,
}

impl Recording for Recorded {
    type Body = Stuff;

    fn reader(&self) -> Option<Stuff> {
        let is_there = self.world.clock.now() >= self.ends_at && self.reader.ends_at.get() > self.ends_at;
        match (is_there, self.is_sound) {
            (true, true) => Some(Stuff::AtHand(Rc::clone(&self.bytes))),
            (true, false) => None,
            (false, _) => Some(Stuff::Stream(Rc::new(Stream {
                bytes: Rc::clone(&self.bytes),
                ends_at: self.ends_at,
                breaks: !self.is_sound,
                taken: Cell::new(false),
                reader: Rc::clone(&self.reader),
                is_foreign: true,
            }))),
        }
    }

    async fn whole(&self) -> Option<Stuff> {
        self.world.clock.until(self.ends_at).await;
        let is_kept = self.is_sound && self.bytes.len() as u64 <= self.limit;
        is_kept.then(|| Stuff::AtHand(Rc::clone(&self.bytes)))
    }
}

/// What wakes others.
#[derive(Clone)]
pub(super) struct Beacon {
    world: Rc<World>,
    fired: Rc<Cell<bool>>,
    waiting: Rc<RefCell<Vec<Ticket>>>,
}

impl Signal for Beacon {
    fn fire(&self) {
        self.fired.set(true);
        for ticket in self.waiting.take() {
            self.world.clock.wake_at(self.world.clock.now(), ticket);
        }
    }

    async fn fired(&self, within: Duration) -> bool {
        let until = self.world.clock.now() + millis(within);
        poll_fn(|_| {
            if self.fired.get() || self.world.clock.now() >= until {
                return Poll::Ready(self.fired.get());
            }
            let ticket = self.world.clock.ticket();
            self.waiting.borrow_mut().push(ticket);
            self.world.clock.wake_at(until, ticket);
            Poll::Pending
        })
        .await
    }
}

/// An isolate: a machine's clock, and what it keeps between requests.
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) centre: usize,
    pub(super) offset: i64,
    pub(super) gone: Rc<Cell<bool>>,
    pub(super) isolate: Rc<Isolate<Edge>>,
}

/// The platform, for one event.
pub(super) struct Edge {
    pub(super) world: Rc<World>,
    pub(super) event: Rc<Event>,
    pub(super) centre: usize,
    pub(super) offset: i64,
}

impl Edge {
    fn centre(&self) -> &DataCentre {
        &self.world.centres[self.centre]
    }

    async fn at_store(&self) -> Result<(), StoreError> {
        self.world.takes(self.world.weather.store_takes.get()).await;
        let fails = self.world.weather.is_store_failing(&self.world.random);
        if fails { Err(StoreError::Failed("out of order".to_owned())) } else { Ok(()) }
    }

    fn lying_here(&self, key: &str) -> Option<Lying> {
        let World { clock, weather, .. } = &*self.world;
        let overdue = if weather.stores_keep_too_long.get() { OVERDUE } else { 0 };
        let cache = self.centre().cache.borrow();
        cache.get(key).filter(|lying| clock.now() < lying.until.saturating_add(overdue)).cloned()
    }

    fn lying_everywhere(&self, key: &str) -> Option<Lying> {
        let now = self.world.clock.now();
        let mut read = self.centre().read.borrow_mut();
        let known = read.get(key).filter(|(at, _)| now - at < CONVERGES && !self.world.random.chance(20));
        let lying = if let Some((_, lying)) = known {
            lying.clone()
        } else {
            let lying = self.world.everywhere.borrow().get(key).cloned();
            read.insert(key.to_owned(), (now, lying.clone()));
            lying
        };
        lying.filter(|lying| now < lying.until)
    }

    fn stream(&self, bytes: Rc<[u8]>, ends_at: Millis, breaks: bool) -> Stuff {
        let reader = Rc::clone(&self.event);
        Stuff::Stream(Rc::new(Stream { bytes, ends_at, breaks, taken: Cell::new(false), reader, is_foreign: false }))
    }
}

impl Platform for Edge {
    type Body = Stuff;
    type Recording = Recorded;
    type Signal = Beacon;

    fn now(&self) -> Timestamp {
        clock_of(self.world.clock.now(), self.offset)
    }

    fn random(&self) -> u128 {
        u128::from(self.world.random.next())
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "RIMWARD_CLIENT_ADDRESS" => Some("socket".to_owned()),
            "RIMWARD_PURGE_SECRET" => Some(super::client::SECRET.to_owned()),
            _ => None,
        }
    }

    async fn asset(&self, path: &str) -> Result<Option<Stuff>, AssetError> {
        Ok(self.world.files.get(path).map(|bytes| Stuff::of(bytes.clone())))
    }

    async fn read(&self, path: &str) -> Result<Option<WholeFile>, AssetError> {
        self.world.takes(5).await;
        let bytes = self.world.files.get(path).cloned();
        Ok(bytes.map(|bytes| WholeFile { sha256: hexadecimal_sha256(&bytes), bytes }))
    }

    async fn fetch(&self, outbound: Outbound<Stuff>, _: Option<Watch>) -> Result<Inbound<Stuff>, FetchError> {
        let World { clock, random, weather, origin, .. } = &*self.world;
        let (asked_at, within) = (clock.now(), millis(outbound.answer_within));
        let late = FetchError::Timeout(outbound.answer_within);
        if weather.is_origin_down(random) {
            self.world.takes(50).await;
            return Err(FetchError::Unreachable("refused".to_owned()));
        }
        let (there, back, body) = weather.origin_takes(random);
        if there >= within {
            clock.pause(within).await;
            return Err(late);
        }
        clock.pause(there).await;
        let answer = origin.answer(&self.world, &outbound, asked_at, &self.event);
        if there + back >= within {
            clock.pause(within - there).await;
            return Err(late);
        }
        clock.pause(back).await;
        origin.landed(&answer, clock.now());
        let until = outbound.total.map_or(Millis::MAX, |total| asked_at + millis(total));
        let ends_at = clock.now() + body;
        let body = answer.body.map(|bytes| {
            let breaks = answer.breaks || ends_at > until;
            self.stream(bytes, ends_at.min(until.max(clock.now())), breaks)
        });
        let status = StatusCode::from_u16(answer.status).expect("a status");
        Ok(Inbound { status, headers: answer.headers, body })
    }

    fn discard(&self, _: Stuff) {}

    async fn relay(&self, _: &Relay, _: Outbound<Stuff>) -> Result<Result<Relayed<Stuff>, FetchError>, StoreError> {
        Err(StoreError::Absent)
    }

    async fn unrelay(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    async fn ask_limits(&self, _: &str, _: LimitAsk, _: Duration) -> Result<String, StoreError> {
        Err(StoreError::Absent)
    }

    async fn ask_health(&self, _: String, _: Duration) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    fn watched(&self, body: Stuff, _: Option<u64>, _: &Beacon) -> Stuff {
        body
    }

    async fn count(&self, _: String) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    async fn counted(&self) -> Result<String, StoreError> {
        Err(StoreError::Absent)
    }

    async fn kept(&self, store: Store, key: &str) -> Result<Option<Kept<Stuff>>, StoreError> {
        self.at_store().await?;
        let lying = match store {
            Store::DataCentre => self.lying_here(key),
            Store::Everywhere => self.lying_everywhere(key),
        };
        let World { clock, random, weather, .. } = &*self.world;
        Ok(lying.map(|Lying { mut kept, .. }| {
            let Stuff::AtHand(bytes) = &kept.body else { unreachable!("what lies in a store is at hand") };
            let breaks = weather.is_stored_body_breaking(random);
            if random.chance(300) || breaks {
                let end = if breaks { bytes.len() / 2 } else { bytes.len() };
                kept.body = self.stream(bytes[..end].into(), clock.now() + random.below(20), breaks);
            }
            kept
        }))
    }

    async fn keep(&self, store: Store, key: &str, kept: Kept<Stuff>, retention: Duration) -> Result<(), StoreError> {
        self.at_store().await?;
        let World { clock, random, weather, .. } = &*self.world;
        if !matches!(kept.body, Stuff::AtHand(_)) {
            self.world.oracle.wrong("what is to be kept is not at hand");
        }
        // That it succeeds promises nothing.
        if weather.is_store_forgetful(random) {
            return Ok(());
        }
        let until = clock.now() + millis(retention).next_multiple_of(1_000);
        let lying = Lying { kept, until };
        match store {
            Store::DataCentre => drop(self.centre().cache.borrow_mut().insert(key.to_owned(), lying)),
            Store::Everywhere => {
                self.centre().read.borrow_mut().insert(key.to_owned(), (clock.now(), Some(lying.clone())));
                self.world.everywhere.borrow_mut().insert(key.to_owned(), lying);
            }
        }
        Ok(())
    }

    async fn forget(&self, store: Store, key: &str) -> Result<(), StoreError> {
        self.at_store().await?;
        match store {
            Store::DataCentre => drop(self.centre().cache.borrow_mut().remove(key)),
            Store::Everywhere => {
                self.centre().read.borrow_mut().insert(key.to_owned(), (self.world.clock.now(), None));
                self.world.everywhere.borrow_mut().remove(key);
            }
        }
        Ok(())
    }

    fn record(&self, body: Stuff, length: Option<u64>, limit: u64) -> Recorded {
        let (bytes, ends_at, breaks) = match body {
            Stuff::AtHand(bytes) => (bytes, self.world.clock.now(), false),
            Stuff::Stream(stream) => {
                if stream.taken.replace(true) {
                    self.world.oracle.wrong("a stream was recorded that was read already");
                }
                (Rc::clone(&stream.bytes), stream.ends_at, stream.breaks)
            }
        };
        let is_sound = !breaks && length.is_none_or(|length| length == bytes.len() as u64);
        let (world, reader) = (Rc::clone(&self.world), Rc::clone(&self.event));
        Recorded { world, bytes, ends_at, is_sound, limit, reader }
    }

    fn signal(&self) -> Beacon {
        Beacon { world: Rc::clone(&self.world), fired: Rc::default(), waiting: Rc::default() }
    }

    fn length(&self, body: &Stuff) -> Option<u64> {
        body.length()
    }

    async fn gather(&self, body: Stuff, _: u64) -> Result<Stuff, FetchError> {
        match self.world.drain(body).await {
            (bytes, true) => Ok(Stuff::AtHand(bytes)),
            (_, false) => Err(FetchError::Unreachable("the body ended early".to_owned())),
        }
    }

    fn bytes(&self, body: &Stuff) -> Option<Vec<u8>> {
        match body {
            Stuff::AtHand(bytes) => Some(bytes.to_vec()),
            Stuff::Stream(_) => None,
        }
    }

    fn body(&self, bytes: Vec<u8>) -> Stuff {
        Stuff::of(bytes)
    }

    fn log_id(&self) -> Option<String> {
        Some("log".to_owned())
    }

    async fn ask_log(&self, command: String, within: Duration) -> Result<String, LogError> {
        let World { clock, random, weather, .. } = &*self.world;
        let limit = millis(within);
        if weather.is_log_cut_off(self.centre, random) {
            // It hangs, or it fails at once.
            if random.chance(500) {
                clock.pause(limit).await;
                return Err(LogError::Timeout(within));
            }
            self.world.takes(30).await;
            return Err(LogError::Failed("the object was reset".to_owned()));
        }
        let (there, back) = weather.log_takes(random);
        if there >= limit {
            // It arrives all the same, but nobody waits.
            let world = Rc::clone(&self.world);
            clock.spawn(&self.world.nobody, async move {
                world.clock.pause(there).await;
                world.at_log(&command);
            });
            clock.pause(limit).await;
            return Err(LogError::Timeout(within));
        }
        clock.pause(there).await;
        let reply = self.world.at_log(&command);
        if there + back >= limit {
            clock.pause(limit - there).await;
            return Err(LogError::Timeout(within));
        }
        clock.pause(back).await;
        Ok(json::write(&reply).expect("plain data"))
    }

    fn log(&self, line: &str) {
        self.world.trace(|| format!("  request {} says: {line}", self.event.number));
    }

    fn defer(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        self.world.clock.spawn(&self.event, work);
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}

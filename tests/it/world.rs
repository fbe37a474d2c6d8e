//! The world in memory: a clock that stands still, files, origins that answer as scripted, and what was logged.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rimward_edge::answer::{Answer, Body};
use rimward_edge::control::ledger::Ledger;
use rimward_edge::json;
use rimward_edge::limit::object::Object;
use rimward_edge::limit::turns::Turn;
use rimward_edge::platform::{
    AssetError, End, FetchError, Inbound, Kept, LimitAsk, LogError, Outbound, Platform, Recording, Relay, Relayed,
    Request, Signal, Store, StoreError, Watch, WholeFile,
};
use rimward_edge::release::manifest::{
    FORMAT, Manifest, RELEASES_PATH, Releases, Retained, manifest_path, settings_path,
};
use rimward_edge::release::verify::hexadecimal_sha256;
use rimward_edge::serve::{Isolate, serve};
use rimward_edge::time::Timestamp;
use serde_json::{Value, json};

/// Bytes, as every body of this world is.
pub(crate) type Bytes = Vec<u8>;

/// What the stores keep, by whether it is the one that every location sees, and by key.
type Stores = BTreeMap<(bool, String), Kept<Bytes>>;

/// Origins that answer by what they are asked, and when.
pub(crate) type Origins = Rc<dyn Fn(&Outbound<Bytes>, Timestamp) -> Result<Inbound<Bytes>, FetchError>>;

/// Something that happens once.
pub(crate) type Happens = Box<dyn FnOnce()>;

/// What an object that many isolates share says to a request.
pub(crate) type Shield = Rc<dyn Fn(&Relay, Outbound<Bytes>) -> Result<Result<Relayed<Bytes>, FetchError>, StoreError>>;

/// Everything outside the core.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) files: RefCell<BTreeMap<String, Bytes>>,
    pub(crate) variables: RefCell<BTreeMap<String, String>>,
    pub(crate) origin_answers: RefCell<VecDeque<Result<Inbound<Bytes>, FetchError>>>,
    /// In place of the answers in order.
    pub(crate) origins: RefCell<Option<Origins>>,
    pub(crate) asked_of_origins: RefCell<Vec<Outbound<Bytes>>>,
    /// Bodies have no length: they are streams.
    pub(crate) streams: Cell<bool>,
    /// Bodies that nobody read.
    pub(crate) discarded: Cell<usize>,
    /// Every file that was read, in order.
    pub(crate) reads: RefCell<Vec<String>>,
    pub(crate) logged: RefCell<Vec<String>>,
    pub(crate) without_binding: Cell<bool>,
    /// Reading fails, but for files whose path ends so.
    pub(crate) only_readable: RefCell<Option<String>>,
    pub(crate) stores: RefCell<Stores>,
    /// Until when, in milliseconds.
    kept_until: RefCell<BTreeMap<(bool, String), u64>>,
    /// The control log; without one the Worker has no such binding.
    pub(crate) log: RefCell<Option<Ledger>>,
    /// Happens while the next request is at an origin.
    pub(crate) during_fetch: RefCell<Option<Box<dyn FnOnce()>>>,
    /// Happens while the next body is read from a store.
    pub(crate) during_read: RefCell<Option<Box<dyn FnOnce()>>>,
    /// Happens while something is on its way into a store: after so many other things.
    pub(crate) during_keep: RefCell<Option<(usize, Happens)>>,
    /// Happens while a store is being told to forget.
    pub(crate) during_forget: RefCell<Option<Happens>>,
    /// How long the control log takes.
    pub(crate) log_takes: Cell<Duration>,
    /// Every command that reached the control log, in order.
    pub(crate) asked_of_log: RefCell<Vec<String>>,
    /// Every use of a store fails.
    pub(crate) stores_fail: Cell<bool>,
    /// Without one it cannot be asked.
    pub(crate) shield: RefCell<Option<Shield>>,
    /// What the shield was told to forget: of which object, and which key.
    pub(crate) forgotten_by_shield: RefCell<Vec<(String, String)>>,
    /// Every sample that was counted; without it the Worker has no such binding.
    pub(crate) counted: RefCell<Option<String>>,
    /// The objects that count for limits, by name; without any the Worker has no such binding.
    pub(crate) limits: RefCell<Option<BTreeMap<String, Object>>>,
    /// Of those, the ones that do not answer: their names end so.
    pub(crate) limits_down: RefCell<Vec<String>>,
    /// What was asked of them: the name, and the question.
    pub(crate) asked_of_limits: RefCell<Vec<(String, LimitAsk)>>,
    /// Every list that the object that checks origins was told; without it the Worker has no such binding.
    pub(crate) asked_of_health: RefCell<Option<Vec<String>>>,
    /// What was counted does not arrive.
    pub(crate) counting_fails: Cell<bool>,
    /// How long each file and each origin takes.
    pub(crate) io_takes: Cell<Duration>,
    now_millis: Cell<u64>,
    randoms: Cell<u128>,
}

impl World {
    pub(crate) fn now_millis(&self) -> u64 {
        self.now_millis.get()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now_millis.set(self.now_millis.get() + u64::try_from(time.as_millis()).unwrap());
    }

    /// Time passes for those who wait, as on the platform: whoever goes on at once sees the clock stand still.
    async fn take_time(&self) {
        if self.io_takes.get().is_zero() {
            return;
        }
        let mut has_waited = false;
        let turn = |context: &mut Context<'_>| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }
        };
        std::future::poll_fn(turn).await;
        self.pass(self.io_takes.get());
    }

    fn store(&self, _: Store) -> Result<RefMut<'_, Stores>, StoreError> {
        if self.stores_fail.get() {
            return Err(StoreError::Failed("secret words of the platform".to_owned()));
        }
        Ok(self.stores.borrow_mut())
    }

    fn file(&self, path: &str) -> Result<Option<Bytes>, AssetError> {
        self.reads.borrow_mut().push(path.to_owned());
        if self.without_binding.get() {
            return Err(AssetError::NoBinding);
        }
        if self.only_readable.borrow().as_ref().is_some_and(|readable| !path.ends_with(readable.as_str())) {
            return Err(AssetError::Failed { path: path.to_owned(), cause: "secret words of the platform".to_owned() });
        }
        Ok(self.files.borrow().get(path).cloned())
    }
}

impl World {
    fn with_limits(
        &self,
        name: &str,
        within: Duration,
        work: impl FnOnce(&mut Object, u64) -> String,
    ) -> Result<String, StoreError> {
        let mut limits = self.limits.borrow_mut();
        let limits = limits.as_mut().ok_or(StoreError::Absent)?;
        if self.limits_down.borrow().iter().any(|down| name.ends_with(down.as_str())) {
            self.pass(within);
            return Err(StoreError::Failed(format!("no answer within {within:?}")));
        }
        let object = limits.entry(name.to_owned()).or_default();
        let reply = work(object, self.now_millis.get());
        // Stored before anybody is answered.
        object.take_rows();
        Ok(reply)
    }

    /// As the objects do it: each takes, asks the one behind it, and takes back where that one refuses.
    fn take_permits(&self, name: &str, command: &str, within: Duration) -> Result<String, StoreError> {
        let mut parts = command.splitn(3, '\0');
        let own = parts.next().unwrap();
        let mut at = 0;
        let reply = self.with_limits(name, within, |object, now| {
            at = now;
            let verdict = object.take(own, now).unwrap();
            format!("{} {now} {}\n{}", u8::from(verdict.admits), verdict.rows, verdict.settled)
        })?;
        let (Some(next), Some(rest)) = (parts.next(), parts.next()) else { return Ok(reply) };
        if reply.starts_with('0') {
            return Ok(reply);
        }
        let Ok(behind) = self.take_permits(next, rest, within) else { return Ok(reply) };
        if behind.starts_with('1') {
            return Ok(format!("{reply}\0{behind}"));
        }
        let settled = reply.split_once('\n').unwrap().1.to_owned();
        self.with_limits(name, within, |object, now| {
            object.undo(own, &settled, at, now).unwrap();
            String::new()
        })?;
        Ok(format!("0{}\0{behind}", &reply[1..]))
    }
}

fn place(store: Store, key: &str) -> (bool, String) {
    (store == Store::Everywhere, key.to_owned())
}

/// Where every body is at hand, reading one is done at once.
#[derive(Clone)]
pub(crate) struct Recorded {
    body: Bytes,
    is_kept: bool,
}

impl Recording for Recorded {
    type Body = Bytes;

    fn reader(&self) -> Option<Bytes> {
        Some(self.body.clone())
    }

    async fn whole(&self) -> Option<Bytes> {
        self.is_kept.then(|| self.body.clone())
    }
}

/// Where nothing waits, what is waited for has happened.
#[derive(Clone, Default)]
pub(crate) struct Fired(Rc<Cell<bool>>);

impl Signal for Fired {
    fn fire(&self) {
        self.0.set(true);
    }

    async fn fired(&self, _: Duration) -> bool {
        self.0.get()
    }
}

impl Platform for World {
    type Body = Bytes;
    type Recording = Recorded;
    type Signal = Fired;

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_millis.get())
    }

    fn random(&self) -> u128 {
        self.randoms.set(self.randoms.get() + 1);
        self.randoms.get()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.borrow().get(name).cloned()
    }

    async fn asset(&self, path: &str) -> Result<Option<Bytes>, AssetError> {
        self.take_time().await;
        self.file(path)
    }

    async fn read(&self, path: &str) -> Result<Option<WholeFile>, AssetError> {
        self.take_time().await;
        let file = self.file(path)?;
        Ok(file.map(|bytes| WholeFile { sha256: hexadecimal_sha256(&bytes), bytes }))
    }

    async fn fetch(&self, outbound: Outbound<Bytes>, watch: Option<Watch>) -> Result<Inbound<Bytes>, FetchError> {
        self.take_time().await;
        let hold = outbound.hold;
        let origins = self.origins.borrow().clone();
        let inbound = if let Some(origins) = origins {
            origins(&outbound, self.now())?
        } else {
            self.asked_of_origins.borrow_mut().push(outbound);
            if let Some(happens) = self.during_fetch.take() {
                happens();
            }
            self.origin_answers.borrow_mut().pop_front().expect("a script says what the origin answers")?
        };
        let said = inbound.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let is_cut = inbound.body.as_ref().is_some_and(|body| said.is_some_and(|said| body.len() as u64 != said));
        if is_cut && said.is_some_and(|said| said <= hold) {
            return Err(FetchError::Broken("it ended early".to_owned()));
        }
        if let Some(watch) = watch {
            watch(if is_cut { End::Broke } else { End::Whole });
        }
        Ok(inbound)
    }

    fn discard(&self, _: Bytes) {
        self.discarded.set(self.discarded.get() + 1);
    }

    async fn relay(
        &self,
        relay: &Relay,
        outbound: Outbound<Bytes>,
    ) -> Result<Result<Relayed<Bytes>, FetchError>, StoreError> {
        let shield = self.shield.borrow().clone().ok_or(StoreError::Absent)?;
        shield(relay, outbound)
    }

    async fn unrelay(&self, shard: &str, key: &str) -> Result<(), StoreError> {
        self.forgotten_by_shield.borrow_mut().push((shard.to_owned(), key.to_owned()));
        Ok(())
    }

    async fn ask_limits(&self, object: &str, ask: LimitAsk, within: Duration) -> Result<String, StoreError> {
        self.asked_of_limits.borrow_mut().push((object.to_owned(), ask.clone()));
        match ask {
            LimitAsk::Take(command) => self.take_permits(object, &command, within),
            LimitAsk::Undo(text) => self.with_limits(object, within, |object, now| {
                let [at, charges, settled] = text.split('\0').collect::<Vec<_>>()[..] else { panic!("{text:?}") };
                object.undo(charges, settled, at.parse().unwrap(), now).unwrap();
                String::new()
            }),
            LimitAsk::Enter(entry) => self.with_limits(object, within, |object, now| {
                let word = if object.enter(&entry, now).unwrap() == Turn::Now { "now" } else { "never" };
                let (free, waiting) = object.state(&entry);
                format!("{word} {free} {waiting} {}", object.pending())
            }),
            LimitAsk::Renew(whose) => self.with_limits(object, within, |object, now| {
                object.renew(&whose, now).unwrap();
                String::new()
            }),
            LimitAsk::Leave(whose) => self.with_limits(object, within, |object, now| {
                object.leave(&whose, now).unwrap();
                String::new()
            }),
        }
    }

    async fn ask_health(&self, list: String, _: Duration) -> Result<(), StoreError> {
        self.asked_of_health.borrow_mut().as_mut().ok_or(StoreError::Absent)?.push(list);
        Ok(())
    }

    fn watched(&self, body: Bytes, _: Option<u64>, over: &Fired) -> Bytes {
        over.fire();
        body
    }

    async fn count(&self, samples: String) -> Result<(), StoreError> {
        if self.counting_fails.get() {
            return Err(StoreError::Failed("secret words of the platform".to_owned()));
        }
        self.counted.borrow_mut().as_mut().ok_or(StoreError::Absent)?.push_str(&samples);
        Ok(())
    }

    async fn counted(&self) -> Result<String, StoreError> {
        self.counted.borrow().clone().ok_or(StoreError::Absent)
    }

    async fn kept(&self, store: Store, key: &str) -> Result<Option<Kept<Bytes>>, StoreError> {
        let place = place(store, key);
        let is_over = self.kept_until.borrow().get(&place).is_some_and(|until| *until <= self.now_millis.get());
        let kept = self.store(store)?.get(&place).filter(|_| !is_over).cloned();
        Ok(kept.map(|kept| Kept { length: kept.body.len() as u64, ..kept }))
    }

    async fn keep(&self, store: Store, key: &str, kept: Kept<Bytes>, retention: Duration) -> Result<(), StoreError> {
        let during = self.during_keep.take();
        match during {
            Some((0, happens)) => happens(),
            Some((times, happens)) => drop(self.during_keep.replace(Some((times - 1, happens)))),
            None => {}
        }
        let until = self.now().plus(retention).as_millis();
        self.kept_until.borrow_mut().insert(place(store, key), until);
        self.store(store)?.insert(place(store, key), kept);
        Ok(())
    }

    async fn forget(&self, store: Store, key: &str) -> Result<(), StoreError> {
        let during = self.during_forget.take();
        if let Some(happens) = during {
            happens();
        }
        self.store(store)?.remove(&place(store, key));
        Ok(())
    }

    fn record(&self, body: Bytes, length: Option<u64>, limit: u64) -> Recorded {
        let is_whole = length.is_none_or(|length| length == body.len() as u64);
        Recorded { is_kept: is_whole && body.len() as u64 <= limit, body }
    }

    fn signal(&self) -> Fired {
        Fired::default()
    }

    fn length(&self, body: &Bytes) -> Option<u64> {
        (!self.streams.get()).then_some(body.len() as u64)
    }

    async fn gather(&self, body: Bytes, _: u64) -> Result<Bytes, FetchError> {
        if let Some(happens) = self.during_read.take() {
            happens();
        }
        Ok(body)
    }

    fn bytes(&self, body: &Bytes) -> Option<Vec<u8>> {
        Some(body.clone())
    }

    fn body(&self, bytes: Vec<u8>) -> Bytes {
        bytes
    }

    fn log_id(&self) -> Option<String> {
        self.log.borrow().as_ref().map(|_| "f00d".to_owned())
    }

    async fn ask_log(&self, command: String, within: Duration) -> Result<String, LogError> {
        let mut log = self.log.borrow_mut();
        let log = log.as_mut().ok_or(LogError::Absent)?;
        self.pass(self.log_takes.get().min(within));
        if self.log_takes.get() >= within {
            return Err(LogError::Timeout(within));
        }
        self.asked_of_log.borrow_mut().push(command.clone());
        let reply = log.answer(json::read(command.as_bytes()).unwrap(), self.now());
        Ok(json::write(&reply).unwrap())
    }

    fn log(&self, line: &str) {
        self.logged.borrow_mut().push(line.to_owned());
    }

    fn defer(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        now(work);
    }
}

/// What a client sends.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    method: Method,
    url: String,
    headers: HeaderMap,
    pub(crate) peer: Option<String>,
    coordinates: Option<(i16, i16)>,
    country: Option<String>,
    body: RefCell<Option<Bytes>>,
    /// Every field that was read, in order.
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Sent {
    pub(crate) fn new(method: &str, url: &str) -> Sent {
        let url = if url.starts_with('/') { format!("https://shop.example{url}") } else { url.to_owned() };
        Sent {
            method: method.parse().unwrap(),
            url,
            headers: HeaderMap::new(),
            peer: Some("203.0.113.9".to_owned()),
            coordinates: None,
            country: None,
            body: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Sent {
        self.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn by_peer(mut self, peer: &str) -> Sent {
        self.peer = Some(peer.to_owned());
        self
    }

    pub(crate) fn at_place(mut self, latitude: i16, longitude: i16) -> Sent {
        self.coordinates = Some((latitude, longitude));
        self
    }

    pub(crate) fn in_country(mut self, code: &str) -> Sent {
        self.country = Some(code.to_owned());
        self
    }

    pub(crate) fn with_body(self, body: &str) -> Sent {
        self.body.replace(Some(body.as_bytes().to_vec()));
        self
    }
}

pub(crate) fn get(url: &str) -> Sent {
    Sent::new("GET", url)
}

/// As a browser asks when a person goes to a page.
pub(crate) fn navigate(url: &str) -> Sent {
    get(url).with("accept", "text/html,application/xhtml+xml,*/*;q=0.8").with("sec-fetch-mode", "navigate")
}

impl Request for Sent {
    type Body = Bytes;

    fn method(&self) -> &Method {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn header(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().push(name.to_owned());
        let lines: Vec<&str> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn client_accept_encoding(&self) -> Option<String> {
        self.header("accept-encoding")
    }

    fn country(&self) -> Option<String> {
        self.country.clone()
    }

    fn coordinates(&self) -> Option<(i16, i16)> {
        self.coordinates
    }

    fn peer_address(&self) -> Option<String> {
        self.peer.clone()
    }

    fn take_body(&self) -> Option<Bytes> {
        self.body.take()
    }
}

/// What the client sees.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) upgraded: bool,
    pub(crate) head_id: Option<u32>,
}

impl Seen {
    /// A field, its lines joined; empty where it is absent.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let lines: Vec<&str> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        lines.join(", ")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A site in the world, and the isolate that serves it.
pub(crate) struct Served {
    pub(crate) world: Rc<World>,
    pub(crate) isolate: Rc<Isolate<World>>,
}

impl Served {
    /// Another isolate of the same data centre.
    pub(crate) fn elsewhere(&self) -> Served {
        Served { world: Rc::clone(&self.world), isolate: Rc::default() }
    }

    pub(crate) fn ask(&self, request: &Sent) -> Seen {
        let seen = see(now(serve(&self.world, &self.isolate, request)));
        assert_stated(request, &seen);
        seen
    }

    /// The same where the answer is not whole.
    pub(crate) fn ask_unchecked(&self, request: &Sent) -> Seen {
        see(now(serve(&self.world, &self.isolate, request)))
    }

    pub(crate) fn get(&self, url: &str) -> Seen {
        self.ask(&get(url))
    }

    pub(crate) fn origin_says(&self, status: u16, headers: &[(&str, &str)], body: Option<&str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let inbound = Inbound { status, headers: map, body: body.map(|body| body.as_bytes().to_vec()) };
        self.world.origin_answers.borrow_mut().push_back(Ok(inbound));
    }

    pub(crate) fn origin_fails(&self, error: FetchError) {
        self.world.origin_answers.borrow_mut().push_back(Err(error));
    }

    /// The last request that left.
    pub(crate) fn asked_of_origin(&self) -> Outbound<Bytes> {
        self.world.asked_of_origins.borrow_mut().pop().expect("something was asked of an origin")
    }

    /// Publishes releases, the current one first.
    pub(crate) fn publish(&self, settings: &Value, releases: &[&Folder]) {
        let files = &mut *self.world.files.borrow_mut();
        let settings =
            json!({ "format": FORMAT, "settings": settings, "envs": settings.get("envs").unwrap_or(&json!({})) });
        let settings = settings.to_string().into_bytes();
        let settings_sha256 = hexadecimal_sha256(&settings);
        files.insert(settings_path(&settings_sha256), settings);
        let mut retained = Vec::new();
        for folder in releases {
            let bytes = folder.manifest.to_string().into_bytes();
            serde_json::from_slice::<Manifest>(&bytes).expect("the manifest of a test is one");
            retained.push(Retained { id: folder.id.clone(), manifest_sha256: hexadecimal_sha256(&bytes) });
            files.insert(manifest_path(&folder.id), bytes);
            files.extend(folder.files.clone());
        }
        let list = Releases { format: FORMAT, current: releases[0].id.clone(), settings_sha256, releases: retained };
        files.insert(RELEASES_PATH.to_owned(), serde_json::to_vec(&list).unwrap());
    }
}

/// A site with one release.
pub(crate) fn site(settings: &Value, folder: &Folder) -> Served {
    let served = Served { world: Rc::default(), isolate: Rc::default() };
    served.world.variables.borrow_mut().insert("RIMWARD_CLIENT_ADDRESS".into(), "socket".into());
    served.publish(settings, &[folder]);
    served
}

/// Settings as the builder compiles them, with changes: those replace the top-level members.
pub(crate) fn settings(changes: Value) -> Value {
    let mut settings = json!({
        "site": { "name": "shop", "base": "/" },
        "document": { "fallback": "/index.html", "cache_control": "no-cache" },
        "pools": { "api": { "origins": [{ "url": "https://api.internal/v1" }], "timeout": { "answer_ms": 10_000, "idle_ms": 30_000, "total_ms": 60_000 }, "retry": { "attempts": 0, "budget_permille": 0 } } },
        "routes": [{ "path": "/api/*", "pool": "api" }],
    });
    let Value::Object(changes) = changes else { panic!("changes are members") };
    settings.as_object_mut().unwrap().extend(changes);
    settings
}

/// A release in the making.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    id: String,
    manifest: Value,
    files: BTreeMap<String, Bytes>,
}

impl Folder {
    pub(crate) fn new(id: &str, base: &str) -> Folder {
        let manifest = json!({ "format": FORMAT, "base": base, "assets": {}, "documents": {} });
        Folder { id: id.to_owned(), manifest, files: BTreeMap::new() }
    }

    /// An asset with encoded forms; `more` holds further members (`imports`, `aliases`).
    pub(crate) fn asset(
        mut self,
        logical: &str,
        path: &str,
        media_type: &str,
        text: &str,
        codings: &[&str],
        more: Value,
    ) -> Folder {
        let mut asset = self.content(path, media_type, text, codings);
        asset["path"] = path.into();
        extend(&mut asset, more);
        self.manifest["assets"][logical] = asset;
        self
    }

    /// A document; `more` holds further members (`preloads`, `script_hashes`).
    pub(crate) fn document(
        mut self,
        path: &str,
        media_type: &str,
        text: &str,
        codings: &[&str],
        more: Value,
    ) -> Folder {
        let location = rimward_edge::release::manifest::document_path(&self.id, path);
        let mut document = self.content(&location, media_type, text, codings);
        extend(&mut document, more);
        self.manifest["documents"][path] = document;
        self
    }

    /// Rules of `_headers` and `_redirects`.
    pub(crate) fn rules(mut self, member: &str, rules: Value) -> Folder {
        self.manifest[member] = rules;
        self
    }

    pub(crate) fn manifest(&self) -> Manifest {
        serde_json::from_value(self.manifest.clone()).unwrap()
    }

    fn content(&mut self, location: &str, media_type: &str, text: &str, codings: &[&str]) -> Value {
        self.files.insert(location.to_owned(), text.as_bytes().to_vec());
        let mut encodings = json!({});
        for coding in codings {
            // No encoder is at work here: the forms only have to be told apart, and to be smaller.
            let encoded =
                format!("{coding}:{}", &text[..text.len() / if *coding == "br" { 4 } else { 3 }]).into_bytes();
            encodings[*coding] = json!({ "size": encoded.len(), "sha256": hexadecimal_sha256(&encoded) });
            let ending = if *coding == "br" { ".br" } else { ".gz" };
            self.files.insert(format!("{location}{ending}"), encoded);
        }
        json!({ "type": media_type, "size": text.len(), "sha256": hexadecimal_sha256(text.as_bytes()), "encodings": encodings })
    }
}

fn extend(value: &mut Value, more: Value) {
    if let Value::Object(more) = more {
        value.as_object_mut().unwrap().extend(more);
    }
}

/// Runs what waits for nothing but the time that something takes: everything of this world is at hand.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    while woken.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
    }
    panic!("nothing of this world waits");
}

/// The answer as the shell would send it.
fn see(answer: Answer<Bytes>) -> Seen {
    let Answer { status, prepared, headers, body } = answer;
    let head_id = prepared.as_ref().map(|prepared| prepared.id);
    let headers = match &prepared {
        Some(prepared) => prepared.with(headers),
        None => headers,
    };
    let cut = |bytes: &[u8], range: &std::ops::Range<u64>| {
        bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
    };
    let upgraded = matches!(body, Body::Upgrade(_));
    let body = match body {
        Body::Empty => Vec::new(),
        Body::Text(text) => text.into_bytes(),
        Body::Whole(bytes) | Body::Upgrade(bytes) => bytes,
        Body::Slice(bytes, range) => cut(&bytes, &range),
        Body::Slices(bytes, parts, end) => {
            let parts = parts.iter().flat_map(|(head, range)| [head.as_bytes().to_vec(), cut(&bytes, range)]);
            parts.flatten().chain(end.into_bytes()).collect()
        }
    };
    Seen { status: status.as_u16(), headers, body, upgraded, head_id }
}

/// What holds for every answer.
#[track_caller]
fn assert_stated(request: &Sent, seen: &Seen) {
    for name in ["cache-control", "cache-status", "server-timing", "x-request-id"] {
        assert!(!seen.field(name).is_empty(), "no {name} in the answer to {} {}", request.method, request.url);
    }
    assert_eq!(seen.field("cloudflare-cdn-cache-control"), "no-store", "{}", request.url);
    assert_eq!(seen.headers.get_all("x-request-id").iter().count(), 1, "{}", request.url);
    let length = seen.headers.get("content-length").map(|length| length.to_str().unwrap().parse::<usize>().unwrap());
    if request.method == Method::HEAD || seen.status == 304 {
        assert!(seen.body.is_empty(), "a body in the answer to {} {}", request.method, request.url);
    } else if let Some(length) = length {
        assert_eq!(length, seen.body.len(), "{} {}", request.method, request.url);
    }
}

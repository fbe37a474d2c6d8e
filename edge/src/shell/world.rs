//! The platform's bindings, as the core asks for them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::bindings::{self, Beacon, Call, FileReply, KeptReply, Recorder, Reply};
use super::request::{pack, unpack};
use super::task;
use super::watch::Watching;
use crate::memory::Memory;
use crate::platform::{
    AssetError, FetchError, Inbound, Kept, LimitAsk, LogError, Outbound, Platform, Relay, Relayed, Store, StoreError,
    Watch, WholeFile,
};
use crate::time::Timestamp;

/// Of all files at hand: an isolate has 128 MB for everything.
const HOT_BYTES: u64 = 32 * 1024 * 1024;
/// Of one file at hand. Larger ones are streamed.
const HOT_FILE_BYTES: u64 = 1024 * 1024;

thread_local! {
    static HOT: RefCell<Memory<JsValue>> = RefCell::new(Memory::new(HOT_BYTES, HOT_FILE_BYTES));
    static RANDOM: RefCell<Vec<u8>> = RefCell::default();
}

/// The outside world, as one event sees it.
pub(super) struct World {
    call: Rc<Call>,
}

impl World {
    pub(super) fn new(call: Rc<Call>) -> World {
        World { call }
    }
}

impl World {
    /// The number that the JavaScript half knows the store by.
    fn store(&self, store: Store) -> Result<u32, StoreError> {
        let number = match store {
            Store::DataCentre => 0,
            Store::Everywhere => 1,
        };
        if bindings::has_store(&self.call, number) { Ok(number) } else { Err(StoreError::Absent) }
    }
}

/// See [`Platform::record`].
#[derive(Clone)]
pub(super) struct Recording(Recorder);

impl crate::platform::Recording for Recording {
    type Body = JsValue;

    fn reader(&self) -> Option<JsValue> {
        Some(self.0.reader()).filter(|body| !body.is_undefined())
    }

    async fn whole(&self) -> Option<JsValue> {
        JsFuture::from(self.0.whole()).await.ok().filter(|body| !body.is_undefined())
    }
}

/// See [`Platform::signal`].
#[derive(Clone)]
pub(super) struct Signal(Beacon);

impl crate::platform::Signal for Signal {
    fn fire(&self) {
        self.0.fire();
    }

    async fn fired(&self, within: Duration) -> bool {
        JsFuture::from(self.0.fired(millis(within))).await.is_ok_and(|fired| fired.is_truthy())
    }
}

impl Platform for World {
    type Body = JsValue;
    type Recording = Recording;
    type Signal = Signal;

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(whole(js_sys::Date::now()))
    }

    fn random(&self) -> u128 {
        RANDOM.with_borrow_mut(|random| {
            if random.len() < size_of::<u128>() {
                *random = bindings::random().to_vec();
            }
            let rest = random.len().saturating_sub(size_of::<u128>());
            random.drain(rest..).fold(0, |number, byte| number << 8 | u128::from(byte))
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        bindings::variable(&self.call, name)
    }

    fn log(&self, line: &str) {
        bindings::log(line);
    }

    async fn asset(&self, path: &str) -> Result<Option<JsValue>, AssetError> {
        if let Some(body) = HOT.with_borrow(|hot| hot.get(path)) {
            return Ok(Some(body));
        }
        let file = file(path, bindings::asset(&self.call, path)).await?;
        if let Some(bytes) = file.as_ref().and_then(|file| file.dyn_ref::<Uint8Array>()) {
            HOT.with_borrow_mut(|hot| hot.insert(path, bytes.clone().into(), bytes.length().into()));
        }
        Ok(file)
    }

    async fn read(&self, path: &str) -> Result<Option<WholeFile>, AssetError> {
        let file = file(path, bindings::read(&self.call, path)).await?;
        Ok(file.map(|file| {
            let file: FileReply = file.unchecked_into();
            WholeFile { bytes: file.bytes().to_vec(), sha256: file.sha256() }
        }))
    }

    async fn fetch(&self, outbound: Outbound<JsValue>, watch: Option<Watch>) -> Result<Inbound<JsValue>, FetchError> {
        let Outbound { method, url, headers, body, answer_within, idle, total, hold } = outbound;
        let body = body.unwrap_or(JsValue::UNDEFINED);
        let limits = (millis(answer_within), idle.map(millis), total.map(millis));
        let watching = Watching::new(watch);
        let (method, fields, number) = (method.as_str(), pack(&headers), watching.number());
        let (call, hold) = (&self.call, count(hold));
        let reply = bindings::send(call, method, &url, &fields, &body, limits.0, limits.1, limits.2, hold, number);
        let reply = JsFuture::from(reply).await.map_err(|error| FetchError::Unreachable(describe(&error)))?;
        let inbound = inbound(&reply.unchecked_into(), answer_within);
        if inbound.is_ok() {
            watching.goes_on();
        }
        inbound
    }

    fn discard(&self, body: JsValue) {
        bindings::discard(&body);
    }

    async fn relay(
        &self,
        relay: &Relay,
        outbound: Outbound<JsValue>,
    ) -> Result<Result<Relayed<JsValue>, FetchError>, StoreError> {
        let Relay { shard, key, question, asked, sequence } = relay;
        let Outbound { method, url, headers, body, answer_within, idle, total, hold: _ } = outbound;
        let body = body.unwrap_or(JsValue::UNDEFINED);
        let (asked, headers) = (pack(asked), pack(&headers));
        let (answer, idle, total) = (millis(answer_within), idle.map(millis), total.map(millis));
        let (call, method) = (&self.call, method.as_str());
        let asking = bindings::relay(
            call,
            shard,
            key,
            question,
            &asked,
            count(*sequence),
            method,
            &url,
            &headers,
            &body,
            answer,
            idle,
            total,
        );
        let reply: Reply = store_reply(asking).await?.unchecked_into();
        if let Some(broken) = reply.broken() {
            return Err(StoreError::Failed(broken));
        }
        if reply.alone() == Some(true) {
            return Ok(Ok(Relayed::Missed));
        }
        Ok(inbound(&reply, answer_within).map(|inbound| match reply.asked() {
            None => Relayed::Own(inbound),
            Some(asked) => Relayed::Joined {
                inbound,
                asked: unpack(&asked),
                sequence: whole(reply.sequence()),
                sent_ago: Duration::from_millis(whole(reply.sent_ago())),
                came_ago: Duration::from_millis(whole(reply.came_ago())),
            },
        }))
    }

    async fn unrelay(&self, shard: &str, key: &str) -> Result<(), StoreError> {
        store_reply(bindings::unrelay(&self.call, shard, key)).await.map(drop)
    }

    async fn count(&self, samples: String) -> Result<(), StoreError> {
        store_reply(bindings::count(&self.call, &samples)).await.map(drop)
    }

    async fn counted(&self) -> Result<String, StoreError> {
        store_reply(bindings::counted(&self.call)).await?.as_string().ok_or(StoreError::Absent)
    }

    async fn kept(&self, store: Store, key: &str) -> Result<Option<Kept<JsValue>>, StoreError> {
        let kept = store_reply(bindings::kept(&self.call, self.store(store)?, key)).await?;
        if kept.is_undefined() {
            return Ok(None);
        }
        let kept: KeptReply = kept.unchecked_into();
        Ok(Some(Kept { envelope: kept.envelope(), body: kept.kept_body(), length: whole(kept.length()) }))
    }

    async fn keep(&self, store: Store, key: &str, kept: Kept<JsValue>, retention: Duration) -> Result<(), StoreError> {
        let seconds = retention.as_secs_f64().ceil();
        let kept = bindings::keep(&self.call, self.store(store)?, key, &kept.envelope, &kept.body, seconds);
        store_reply(kept).await.map(drop)
    }

    async fn forget(&self, store: Store, key: &str) -> Result<(), StoreError> {
        store_reply(bindings::forget(&self.call, self.store(store)?, key)).await.map(drop)
    }

    fn record(&self, body: JsValue, length: Option<u64>, limit: u64) -> Recording {
        let recorder = bindings::recording(count(limit), length.map(count));
        recorder.run(&body);
        Recording(recorder)
    }

    fn signal(&self) -> Signal {
        Signal(bindings::signal())
    }

    fn length(&self, body: &JsValue) -> Option<u64> {
        body.dyn_ref::<Uint8Array>().map(|bytes| u64::from(bytes.length()))
    }

    async fn gather(&self, body: JsValue, limit: u64) -> Result<JsValue, FetchError> {
        let gathered = JsFuture::from(bindings::gather(&body, count(limit))).await;
        gathered.map_err(|error| FetchError::Unreachable(describe(&error)))
    }

    fn bytes(&self, body: &JsValue) -> Option<Vec<u8>> {
        body.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
    }

    fn body(&self, bytes: Vec<u8>) -> JsValue {
        Uint8Array::from(bytes.as_slice()).into()
    }

    fn log_id(&self) -> Option<String> {
        bindings::log_id(&self.call)
    }

    async fn ask_log(&self, command: String, within: Duration) -> Result<String, LogError> {
        if self.log_id().is_none() {
            return Err(LogError::Absent);
        }
        let reply = JsFuture::from(bindings::ask_log(&self.call, &command, millis(within))).await;
        let reply = reply.map_err(|error| LogError::Failed(describe(&error)))?;
        reply.as_string().ok_or(LogError::Timeout(within))
    }

    async fn ask_limits(&self, object: &str, ask: LimitAsk, within: Duration) -> Result<String, StoreError> {
        let (what, text) = match &ask {
            LimitAsk::Take(text) => ("take", text),
            LimitAsk::Undo(text) => ("undo", text),
            LimitAsk::Enter(text) => ("enter", text),
            LimitAsk::Renew(text) => ("renew", text),
            LimitAsk::Leave(text) => ("leave", text),
        };
        let asking = bindings::ask_limits(&self.call, object, what, text, millis(within)).ok_or(StoreError::Absent)?;
        let reply = store_reply(asking).await?;
        reply.as_string().ok_or_else(|| StoreError::Failed(format!("no answer within {within:?}")))
    }

    async fn ask_health(&self, list: String, within: Duration) -> Result<(), StoreError> {
        let asking = bindings::ask_health(&self.call, &list, millis(within)).ok_or(StoreError::Absent)?;
        let reply = store_reply(asking).await?.as_string();
        reply.map(drop).ok_or_else(|| StoreError::Failed(format!("no answer within {within:?}")))
    }

    fn watched(&self, body: JsValue, length: Option<u64>, over: &Signal) -> JsValue {
        bindings::watched(&self.call, &body, length.map(count), &over.0)
    }

    fn defer(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        bindings::defer(&self.call, task::keep(work));
    }
}

async fn file(path: &str, reading: Option<Promise>) -> Result<Option<JsValue>, AssetError> {
    let reading = reading.ok_or(AssetError::NoBinding)?;
    match JsFuture::from(reading).await {
        Ok(file) if file.is_undefined() => Ok(None),
        Ok(file) => Ok(Some(file)),
        Err(error) => Err(AssetError::Failed { path: path.to_owned(), cause: describe(&error) }),
    }
}

/// What became of a request to an origin.
fn inbound(reply: &Reply, answer_within: Duration) -> Result<Inbound<JsValue>, FetchError> {
    if reply.late() == Some(true) {
        return Err(FetchError::Timeout(answer_within));
    }
    if reply.cut() == Some(true) {
        return Err(FetchError::Broken(reply.error().unwrap_or_default()));
    }
    let status = reply.status().and_then(|status| StatusCode::from_u16(status).ok());
    let Some(status) = status else {
        return Err(FetchError::Unreachable(reply.error().unwrap_or_else(|| "not HTTP".into())));
    };
    let body = reply.body();
    Ok(Inbound { status, headers: unpack(&reply.fields()), body: (!body.is_null()).then_some(body) })
}

async fn store_reply(reply: Promise) -> Result<JsValue, StoreError> {
    JsFuture::from(reply).await.map_err(|error| StoreError::Failed(describe(&error)))
}

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| "the platform says nothing of it".to_owned()),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths, and milliseconds since 1970")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[allow(clippy::cast_precision_loss, reason = "no body has 2^53 bytes")]
fn count(bytes: u64) -> f64 {
    bytes as f64
}

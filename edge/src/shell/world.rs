//! The platform's bindings, as the core asks for them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::bindings::{self, Call, Reply};
use super::hot::Hot;
use super::request::{pack, unpack};
use super::task;
use crate::platform::{AssetError, FetchError, Inbound, Outbound, Platform};
use crate::time::Timestamp;

thread_local! {
    static HOT: RefCell<Hot<JsValue>> = RefCell::new(Hot::new());
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

impl Platform for World {
    type Body = JsValue;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970")]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(js_sys::Date::now() as u64)
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
        if let Some(body) = HOT.with_borrow_mut(|hot| hot.get(path)) {
            return Ok(Some(body));
        }
        let file = file(path, bindings::asset(&self.call, path)).await?;
        if let Some(bytes) = file.as_ref().and_then(|file| file.dyn_ref::<Uint8Array>()) {
            HOT.with_borrow_mut(|hot| hot.insert(path, bytes.clone().into(), bytes.length() as usize));
        }
        Ok(file)
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, AssetError> {
        let file = file(path, bindings::read(&self.call, path)).await?;
        Ok(file.map(|bytes| bytes.unchecked_into::<Uint8Array>().to_vec()))
    }

    async fn fetch(&self, outbound: Outbound<JsValue>) -> Result<Inbound<JsValue>, FetchError> {
        let Outbound { method, url, headers, body, answer_within, idle, total } = outbound;
        let body = body.unwrap_or(JsValue::UNDEFINED);
        let limits = (millis(answer_within), idle.map(millis), total.map(millis));
        let reply = bindings::send(method.as_str(), &url, &pack(&headers), &body, limits.0, limits.1, limits.2);
        let reply = JsFuture::from(reply).await.map_err(|error| FetchError::Unreachable(describe(&error)))?;
        let reply: Reply = reply.unchecked_into();
        if reply.late() == Some(true) {
            return Err(FetchError::Timeout(answer_within));
        }
        let status = reply.status().and_then(|status| StatusCode::from_u16(status).ok());
        let Some(status) = status else {
            return Err(FetchError::Unreachable(reply.error().unwrap_or_else(|| "not HTTP".into())));
        };
        let body = reply.body();
        Ok(Inbound { status, headers: unpack(&reply.fields()), body: (!body.is_null()).then_some(body) })
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

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

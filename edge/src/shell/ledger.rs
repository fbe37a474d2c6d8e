//! The control log's ledger, as the object that owns it drives it (`edge/shim/log.js`): texts and numbers in and out.

#![allow(unreachable_pub, reason = "exports of the Wasm module")]

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::bindings;
use crate::control::ledger::{Beginning, Ledger};
use crate::control::message::Command;
use crate::control::record::Sequence;
use crate::control::zone;
use crate::json;
use crate::time::Timestamp;

/// See [`Ledger`].
#[wasm_bindgen]
pub struct ControlLedger {
    ledger: Ledger,
}

/// A call to the outside, ready to be sent.
#[derive(Serialize)]
struct Call<'a> {
    id: u64,
    path: &'a str,
    body: &'a str,
}

#[wasm_bindgen]
impl ControlLedger {
    /// `rows` is JSON: `[[table, id, text], …]`. `copy` is what the key-value store has, where there are none.
    #[allow(clippy::needless_pass_by_value, reason = "an argument that may be absent cannot be borrowed")]
    #[wasm_bindgen(constructor)]
    pub fn new(rows: &str, copy: Option<String>) -> Result<ControlLedger, JsError> {
        let copy = copy.and_then(|copy| {
            let read = json::read(copy.as_bytes());
            read.map_err(|error| bindings::log(&format!("the copy of the control log cannot be read: {error}"))).ok()
        });
        let chance = bindings::random().to_vec().into_iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(byte));
        let beginning = Beginning { chance, copy };
        let (ledger, unread) = Ledger::open(json::read(rows.as_bytes())?, beginning);
        for line in unread {
            bindings::log(&line);
        }
        Ok(ControlLedger { ledger })
    }

    /// See [`Ledger::answer`]. Fails where the command is of a version that is not this one.
    pub fn ask(&mut self, command: &str, now: f64) -> Result<String, JsError> {
        let command: Command = json::read(command.as_bytes())?;
        let reply = json::write(&self.ledger.answer(command, timestamp(now)))?;
        if let Some(line) = self.ledger.take_warning() {
            bindings::log(line);
        }
        Ok(reply)
    }

    /// See [`Ledger::take_changes`]: JSON, `[{"put": [table, id, text]}, {"drop": [table, id]}, …]`.
    pub fn changes(&mut self) -> Result<String, JsError> {
        Ok(json::write(&self.ledger.take_changes())?)
    }

    /// See [`Ledger::wake_at`].
    #[wasm_bindgen(js_name = wakeAt)]
    pub fn wake_at(&self) -> Option<f64> {
        self.ledger.wake_at().map(|at| number(at.as_millis()))
    }

    /// See [`Ledger::next_call`]: JSON, `{id, path, body}`.
    #[wasm_bindgen(js_name = nextCall)]
    pub fn next_call(&mut self, now: f64) -> Result<Option<String>, JsError> {
        let Some((id, call)) = self.ledger.next_call(timestamp(now)) else { return Ok(None) };
        Ok(Some(json::write(&Call { id, path: &call.path(), body: &call.body() })?))
    }

    /// See [`Ledger::called`]. Without a status there was no answer, and `text` says why.
    #[allow(clippy::needless_pass_by_value, reason = "an argument that may be absent cannot be borrowed")]
    pub fn called(&mut self, id: f64, status: Option<u16>, retry_after: Option<String>, text: &str, now: f64) {
        let judgement = zone::judge(status, retry_after.as_deref(), text);
        if let Some(line) = self.ledger.called(timestamp(id).as_millis(), judgement, timestamp(now)) {
            bindings::log(&line);
        }
    }

    /// See [`Ledger::copy_due`]: the news as JSON.
    #[wasm_bindgen(js_name = copyDue)]
    pub fn copy_due(&self, now: f64) -> Result<Option<String>, JsError> {
        let Some(news) = self.ledger.copy_due(timestamp(now)) else { return Ok(None) };
        Ok(Some(json::write(&news)?))
    }

    /// See [`Ledger::copied`].
    pub fn copied(&mut self, head: Option<f64>, now: f64) {
        let head = head.map(|head| Sequence::new(timestamp(head).as_millis()));
        self.ledger.copied(head, timestamp(now));
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970, or places like them"
)]
fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970")]
fn number(millis: u64) -> f64 {
    millis as f64
}

//! The checks of origins, as the object that makes them drives them (`edge/shim/health.js`): texts and numbers in and out.

#![allow(unreachable_pub, reason = "exports of the Wasm module")]

use std::fmt::Write;

use wasm_bindgen::prelude::*;

use super::bindings;
use crate::control::message::{Append, Command, Reply};
use crate::control::notice::{Notice, State};
use crate::control::record::Kind;
use crate::health::checker::{Change, Checker, Outcome, Rows, Word};
use crate::json;
use crate::telemetry::{self, Counters, Metric};
use crate::time::Timestamp;

/// See [`Checker`].
#[wasm_bindgen]
pub struct HealthChecker {
    checker: Checker,
    rows: Rows,
}

#[wasm_bindgen]
impl HealthChecker {
    /// See [`Checker::open`].
    #[wasm_bindgen(constructor)]
    pub fn new(list: &str, state: &str) -> HealthChecker {
        HealthChecker { checker: Checker::open(list, state), rows: Rows::default() }
    }

    /// See [`Checker::ask`].
    pub fn ask(&mut self, list: &str, now: f64) -> Result<(), JsError> {
        if let Some(line) = self.checker.ask(list, timestamp(now))? {
            bindings::log(&line);
        }
        Ok(())
    }

    /// See [`Checker::due`]: number, URL, time limit, and whether the body is read (`1` or `0`), each ended by a line feed.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "chance, from 0 to 2^32")]
    pub fn due(&mut self, now: f64) -> String {
        let mut random = || (js_sys::Math::random() * 4_294_967_296.0) as u32;
        let mut text = String::new();
        for due in self.checker.due(timestamp(now), &mut random) {
            let reads = u8::from(due.reads_body);
            let _ = write!(text, "{}\n{}\n{}\n{reads}\n", due.number, due.url, due.timeout_ms);
        }
        text
    }

    /// See [`Checker::done`]. Without a status no whole answer came, and `why` says why. What is to be counted: each change once, for
    /// here it is found, whoever is told of it.
    pub fn done(&mut self, number: u32, status: Option<u16>, body: &[u8], why: &str, now: f64) -> Option<String> {
        let outcome = Outcome { status, body, why };
        let Change { pool, url, is_sick, line } = self.checker.done(number, &outcome, timestamp(now))?;
        bindings::log(&line);
        let state = if is_sick { State::Sick } else { State::Well };
        let mut counters = Counters::default();
        counters.add(&telemetry::origin_of(&pool, &url), Metric::PoolHealth, state.word(), 1);
        Some(counters.take())
    }

    /// See [`Checker::next_word`]: a command for the control log.
    #[wasm_bindgen(js_name = nextWord)]
    pub fn next_word(&mut self, now: f64) -> Result<Option<String>, JsError> {
        let Some(Word { pool, url, since, sick_until }) = self.checker.next_word(timestamp(now)) else {
            return Ok(None);
        };
        let state = if sick_until.is_some() { State::Sick } else { State::Well };
        let kind = Kind::Origin(Notice { pool, url, state, since, until: sick_until.unwrap_or_default() });
        Ok(Some(json::write(&Command::Append(Append { kind, key: None, calls: Vec::new() }))?))
    }

    /// See [`Checker::said`]: what the log answered, if it did.
    #[allow(clippy::needless_pass_by_value, reason = "an argument that may be absent cannot be borrowed")]
    pub fn said(&mut self, reply: Option<String>, now: f64) {
        let reply = reply.and_then(|reply| json::read::<Reply>(reply.as_bytes()).ok());
        self.checker.said(matches!(reply, Some(Reply::Appended(_))), timestamp(now));
    }

    /// See [`Checker::take_rows`]: the list, if it changed. Asked before [`HealthChecker::state`].
    pub fn list(&mut self) -> Option<String> {
        self.rows = self.checker.take_rows();
        self.rows.list.take()
    }

    /// The rest of it, if that changed.
    pub fn state(&mut self) -> Option<String> {
        self.rows.state.take()
    }

    /// See [`Checker::wake_at`].
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970")]
    #[wasm_bindgen(js_name = wakeAt)]
    pub fn wake_at(&self, now: f64) -> Option<f64> {
        self.checker.wake_at(timestamp(now)).map(|at| at.as_millis() as f64)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970")]
fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}

//! What one object counts, as it drives it (`edge/shim/limits.js`): texts and numbers in and out.

#![allow(unreachable_pub, reason = "exports of the Wasm module")]

use std::fmt::Write;

use wasm_bindgen::prelude::*;

use super::bindings;
use crate::limit::object::Object;
use crate::limit::turns::Turn;

/// See [`Object`].
#[wasm_bindgen]
pub struct LimitObject {
    object: Object,
}

#[wasm_bindgen]
impl LimitObject {
    /// `rows` are keys and texts, each ended by a line feed.
    #[wasm_bindgen(constructor)]
    pub fn new(rows: &str) -> LimitObject {
        let lines: Vec<&str> = rows.lines().collect();
        let (object, unread) = Object::open(lines.chunks_exact(2).map(|row| (row[0], row[1])));
        if unread > 0 {
            bindings::log(&format!("{unread} counters of limits are of another version: they begin anew"));
        }
        LimitObject { object }
    }

    /// See [`Object::take`]: whether the request passes (`1` or `0`), when that was decided, how many rows are stored for it; then a
    /// line for each charge.
    pub fn take(&mut self, charges: &str, now: f64) -> Result<String, JsError> {
        let verdict = self.object.take(charges, millis(now))?;
        Ok(format!("{} {} {}\n{}", u8::from(verdict.admits), millis(now), verdict.rows, verdict.settled))
    }

    /// See [`Object::undo`].
    pub fn undo(&mut self, charges: &str, settled: &str, taken_at: f64, now: f64) -> Result<(), JsError> {
        Ok(self.object.undo(charges, settled, millis(taken_at), millis(now))?)
    }

    /// What has to be stored: key, text and until when it counts, each ended by a line feed.
    pub fn rows(&mut self) -> String {
        let mut text = String::new();
        for row in self.object.take_rows() {
            let _ = write!(text, "{}\n{}\n{}\n", row.key, row.text, row.until);
        }
        text
    }

    /// See [`Object::enter`]: `now`, `later` or `never`, how many permits are free, how many requests wait, how many rows are stored.
    pub fn enter(&mut self, entry: &str, now: f64) -> Result<String, JsError> {
        let word = match self.object.enter(entry, millis(now))? {
            Turn::Now => "now",
            Turn::Later => "later",
            Turn::Never => "never",
        };
        Ok(format!("{word} {} {}", self.state(entry), self.object.pending()))
    }

    /// How many permits are free, and how many requests wait.
    pub fn state(&self, whose: &str) -> String {
        let (free, waiting) = self.object.state(whose);
        format!("{free} {waiting}")
    }

    /// See [`Object::renew`].
    pub fn renew(&mut self, whose: &str, now: f64) -> Result<(), JsError> {
        Ok(self.object.renew(whose, millis(now))?)
    }

    /// See [`Object::leave`].
    pub fn leave(&mut self, whose: &str, now: f64) -> Result<(), JsError> {
        Ok(self.object.leave(whose, millis(now))?)
    }

    /// See [`Object::rest`].
    pub fn rest(&mut self, now: f64) {
        self.object.rest(millis(now));
    }

    /// See [`Object::called`]: tickets, separated by blanks.
    pub fn called(&mut self, whose: &str, now: f64) -> Result<String, JsError> {
        let tickets = self.object.called(whose, millis(now))?;
        Ok(tickets.iter().map(|ticket| format!("{ticket:x}")).collect::<Vec<_>>().join(" "))
    }

    /// See [`Object::due_at`].
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970")]
    #[wasm_bindgen(js_name = dueAt)]
    pub fn due_at(&self, whose: &str) -> Option<f64> {
        self.object.due_at(whose).map(|at| at as f64)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970")]
fn millis(number: f64) -> u64 {
    number as u64
}

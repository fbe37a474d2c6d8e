//! The Rimward Worker: serves releases and routes to origins.
//!
//! In reading order: [`serve`] is the life of a request; [`platform`] is all that it asks of the outside world;
//! [`config`] and [`release`] are what it obeys and what it serves; `route` finds the rule that answers.
//! Everything runs natively; only `shell` knows the platform.

#![allow(async_fn_in_trait, reason = "an isolate has one thread: the futures need not be `Send`")]

pub mod answer;
pub mod config;
pub mod platform;
pub mod release;
pub mod route;
pub mod serve;
#[cfg(any(target_arch = "wasm32", test))]
mod shell;
pub mod time;

//! The Rimward Worker: serves releases and routes to origins.
//!
//! In reading order: [`serve`] is the life of a request; [`platform`] is all that it asks of the outside world;
//! [`guard`] decides who may pass, [`route`] which rule answers, [`release`] which file in which form, [`origin`] what is
//! asked of an origin and what of its answer goes on; [`rewrite`] changes heads by rule; [`control`] is what all locations
//! know, such as purges; [`health`] which origins are well; [`telemetry`] what is counted. [`config`] and
//! [`release::manifest`] are the formats that the builder writes; [`path`], [`query`],
//! [`json`], [`field`] and [`time`] are grammar and units. Everything runs natively; only `shell` knows the platform.

#![allow(async_fn_in_trait, reason = "an isolate has one thread: the futures need not be `Send`")]

pub mod answer;
pub mod cache;
pub mod config;
pub mod control;
pub mod field;
pub mod guard;
pub mod health;
pub mod json;
pub mod limit;
pub mod memory;
pub mod order;
pub mod origin;
pub mod path;
pub mod platform;
pub mod query;
pub mod release;
pub mod rewrite;
pub mod route;
pub mod serve;
#[cfg(any(target_arch = "wasm32", test))]
mod shell;
pub mod telemetry;
pub mod time;

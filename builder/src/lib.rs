//! The Rimward builder: turns what a bundler wrote into a release.
//!
//! One direction: [`scan`] -> [`link`] -> [`minify`] -> `name` -> `encode` -> `manifest` -> `publish`; each stage takes
//! the previous stage's type and returns the next. Only `scan` and `publish` touch the world.

#![allow(clippy::match_bool, reason = "two answers beside one another read as a table")]

mod arena;
pub mod cache;
pub mod changes;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod diagnostic;
pub mod digest;
pub mod encode;
pub mod fs;
pub mod link;
pub mod manifest;
pub mod minify;
pub mod name;
pub mod pipeline;
pub mod publish;
pub mod report;
pub mod scan;
pub mod settings;
pub mod site;
pub mod syntax;
pub mod threads;
pub mod warm;
pub mod worker;
pub mod workerd;

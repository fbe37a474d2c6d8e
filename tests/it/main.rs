//! End-to-end and whole-program tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod bad_days;
mod bans;
mod browser;
mod build;
mod cached;
mod chromium;
mod collapse;
mod commands;
mod conformance;
mod dev;
mod explained;
mod faults;
mod framing;
mod fuzz;
mod golden;
mod health;
mod laws;
mod limits;
mod log;
mod metrics;
mod origin;
mod oversize;
mod pages;
mod published;
mod purge;
mod purging;
mod room;
mod routing;
mod runtime;
mod script;
mod search;
mod serve;
mod settings;
mod shell;
mod shield;
mod simulation;
mod site;
mod tidy;
mod upstream;
mod warm;
mod workerd;
mod world;
mod zone;

//! End-to-end and whole-program tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod browser;
mod build;
mod chromium;
mod commands;
mod fuzz;
mod origin;
mod published;
mod runtime;
mod script;
mod serve;
mod settings;
mod shell;
mod site;
mod tidy;
mod workerd;
mod world;

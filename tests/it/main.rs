//! End-to-end and whole-program tests: one binary, one module a subject.

mod browser;
mod chromium;
mod serve;
mod settings;
mod tidy;
mod world;

//! Fuzz targets: every parser of foreign bytes, each with what must hold whatever the bytes are.
//!
//! `fuzz/` runs them under libFuzzer, which needs a nightly toolchain; `it/fuzz.rs` runs them on stable, over their
//! corpus and over inputs that a [`Mutator`] makes of it. A target panics where something does not hold.

mod builder;
mod cache;
mod edge;
mod mutate;

pub use mutate::Mutator;

/// A target and its name, which is also that of its corpus's folder.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a file in `fuzz/fuzz_targets/` and a folder in `fuzz/corpus/`.
pub const TARGETS: &[Target] = &[
    ("json", edge::json),
    ("manifest", edge::manifest),
    ("policy", edge::policy),
    ("request", edge::request),
    ("fields", edge::fields),
    ("cache", cache::cache),
    ("settings", builder::settings),
    ("rules", builder::rules),
    ("page", builder::page),
    ("style", builder::style),
    ("script", builder::script),
    ("data", builder::data),
    ("sitemap", builder::sitemap),
];

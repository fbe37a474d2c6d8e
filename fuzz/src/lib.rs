//! The fuzz targets under libFuzzer: `cargo +nightly fuzz run NAME`. What they check stands in `tests/src/fuzz.rs`.

use rimward_tests::fuzz::TARGETS;

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).expect("a target of this name");
    target(bytes);
}

//! What the tests share with the fuzzer: its targets. The tests themselves live in `it/`.

pub mod fuzz;

//! The `rimward` program.

fn main() {}

//! The tests of Rimward live in `it/`; this package has no library of its own.

//! Which rule answers a request.

pub mod pattern;

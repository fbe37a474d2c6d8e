//! What is asked of an origin, and what of its answer goes on (RFC 9110 §7.6: forwarding).

pub mod answer;
pub mod hop;
pub mod request;

/// Who forwards: how this site names itself in `Via` and `CDN-Loop`.
pub const PSEUDONYM: &str = "rimward";

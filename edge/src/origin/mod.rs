//! Which origin is asked what, and what of its answer goes on (RFC 9110 §7.6: forwarding).

pub mod answer;
pub mod budget;
pub mod choice;
pub mod circuit;
pub mod credential;
pub mod hop;
pub mod near;
pub mod pool;
pub mod redirect;
pub mod request;
pub mod retry;

/// Who forwards: how this site names itself in `Via` and `CDN-Loop`.
pub const PSEUDONYM: &str = "rimward";

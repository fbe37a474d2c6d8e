//! Rate limits, as plain functions over values: no clock, no waiting, nothing outside.

pub mod counter;
pub mod fields;
pub mod law;
pub mod limiter;
pub mod object;
pub mod partition;
pub mod refusals;
pub mod request;
pub mod shard;
pub mod turns;

#[cfg(test)]
mod simulation;

//! The control log: what every location must know, as numbered records: purges, bans, and which origins are left alone.
//!
//! In reading order: [`record`] is what the log holds, [`index`] answers whether a stored response is still valid,
//! [`view`] is how much of the log an isolate knows and when it must ask again, [`ledger`] is the log itself, which one
//! object owns, [`message`] what the two say to each other. [`ban`] is who is refused, [`notice`] which origins are sick or drained, [`request`] a purge as it is asked for,
//! [`changed`] one that unsafe methods make, [`zone`] what is told to the platform's own cache. Nothing here waits, stores or sends.

pub mod ban;
pub mod changed;
pub mod index;
pub mod ledger;
pub mod message;
pub mod notice;
pub mod record;
pub mod request;
pub mod view;
pub mod zone;

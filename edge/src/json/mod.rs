//! JSON (RFC 8259) for types that derive serde's traits, and as a tree.
//!
//! A reader of any format, as serde knows it, is compiled anew for every type that is read, and so is what it calls. Here all that
//! does not depend on the type is compiled once: the Worker is compiled at every start, and each copy delays it. It reads what a
//! program of ours wrote and what strangers send, so it believes nothing: depth is bounded, and nothing is put right.

mod error;
mod read;
mod value;
mod write;

pub use self::error::Error;
pub use self::read::read;
pub use self::value::{Raw, Value};
pub use self::write::{Member, object, write};

#[cfg(test)]
mod tests;

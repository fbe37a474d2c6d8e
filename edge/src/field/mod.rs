//! The grammar of header fields, and nothing of what they mean to us.

pub mod accept;
pub mod cookie;
pub mod date;
pub mod etag;
pub mod list;
pub mod range;
pub mod structured;

//! Which file of a release answers a request, in which encoding, with which head.

pub mod manifest;

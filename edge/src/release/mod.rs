//! Which file of a release answers a request, in which form, with which head.

pub mod file;
pub mod form;
pub mod head;
pub mod links;
pub mod manifest;
pub mod navigation;
pub mod negotiate;
pub mod table;
pub mod verify;

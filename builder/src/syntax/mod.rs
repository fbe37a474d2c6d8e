//! What texts are made of: tags, strings and values, each with the exact bytes of the source where it stands.
//!
//! Linkers and minifiers read through these; nothing here knows what a reference is.

pub mod css;
pub mod entity;
pub mod html;
pub mod json;
pub mod spelled;
pub mod xml;

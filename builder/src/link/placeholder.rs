//! Placeholders: what stands in a text where a fingerprint or an integrity value will.
//!
//! A placeholder has the length of what replaces it, so that nothing shifts when it is filled in; it holds letters and
//! digits only, so that minifiers take it for part of a word; and it begins with a marker that occurs in no source.

use std::collections::BTreeMap;

use crate::scan::SourcePath;

/// Characters of a fingerprint.
pub const FINGERPRINT_LENGTH: usize = 10;

/// What placeholders stand for.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    /// Letters and digits; in no source.
    pub marker: String,
    /// By the placeholder's text, marker included.
    pub meanings: BTreeMap<String, Meaning>,
}

/// What one placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The fingerprint of all files that carried this token of the bundler's.
    Token(String),
    /// The fingerprint of a file that carried none.
    File(SourcePath),
    /// The integrity value of a file (`sha384-...`), of its final bytes; as long as the value it replaces.
    Integrity {
        /// The file.
        file: SourcePath,
        /// The digest.
        algorithm: Algorithm,
    },
}

/// The digests that Subresource Integrity knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

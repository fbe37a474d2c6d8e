//! Makes texts smaller without changing what they mean: one file per format, the same signature.
//!
//! A result is used only if it parses, is not empty, and holds the same placeholders as often as before; else the text
//! passes through with a warning.

use crate::diagnostic::Diagnostic;

/// What a minifier made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minified {
    /// The text to publish.
    pub text: String,
    /// The composed source map as JSON, where the input had one.
    pub map: Option<String>,
    /// Licence comments, without those that other files have too; they move to a file of their own.
    pub licences: Vec<String>,
    /// Why the text passed through, and the like.
    pub diagnostics: Vec<Diagnostic>,
}

//! Makes texts smaller without changing what they mean: one file per format, the same signature ([`Minifier`]).
//!
//! A result is used only if it parses, is not empty where the input was not, and holds the same placeholders as often
//! as before; else the text passes through with a warning. A minifier that panics is a minifier that refused.

pub mod bounds;
pub mod html;
pub mod licences;
pub mod maps;
pub mod script;

mod check;
mod css;
mod json;
mod judge;
mod stage;
mod svg;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::link::{Graph, ScriptKind};
use crate::scan::{Kind, Source, SourcePath};
use crate::settings::SourceMaps;

pub use stage::minify;

/// Changes whenever the same input may give another output: results of older versions are not taken from the cache.
pub(crate) const VERSION: &str = "minify 3, oxc 0.146.0, oxc_sourcemap 9.0.0";

/// The linked files with their texts as small as they get; placeholders are still inside.
#[derive(Debug, Clone)]
pub struct Minimal {
    /// As it was linked, but: `text` and `edits` of the nodes have moved into `texts`, and there are no nodes for source
    /// maps, whoever refers to them.
    pub graph: Graph,
    /// The text to publish of every node that has one. A node that is not here is published as its source's bytes.
    pub texts: BTreeMap<SourcePath, Minified>,
    /// Source maps that belong to no text of the graph, as they were read; empty where maps are dropped.
    pub stray_maps: BTreeMap<SourcePath, Source>,
}

/// What a minifier made of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minified {
    /// The text to publish, without a comment that names a source map.
    pub text: String,
    /// A source map as JSON. From a [`Minifier`]: from `text` to its input, where [`Input::wants_map`] says so. From the
    /// stage: composed with the bundler's, where the bundler wrote one; [`maps::with_file`] gives it a `file`.
    pub map: Option<String>,
    /// Licence comments (`/*!`, `@license`, `@preserve`) with their delimiters, in the order of the text. They are not in
    /// `text` any more: [`licences::text`] collects them in a file.
    pub licences: Vec<String>,
    /// What a person should know, and which did not keep the minifier from its work.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a minifier is given.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Where it lies, for findings.
    pub path: &'a SourcePath,
    /// What it is.
    pub kind: Kind,
    /// The text with placeholders, without a comment that names a source map.
    pub text: &'a str,
    /// For scripts: what it must be parsed as.
    pub script: ScriptKind,
    /// Whether somebody wants the map from the output to `text`. Minifiers of formats without maps do not care.
    pub wants_map: bool,
    /// An attempt before this one lost or repeated a placeholder (expressions were computed, constants inlined): only names
    /// and white space may become shorter. Minifiers that never do such things do not care.
    pub gently: bool,
    /// `[build] keep_function_names`: functions and classes keep what programs can read as their `name`. Minifiers of other
    /// languages do not care.
    pub keep_function_names: bool,
}

/// What the settings say to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What becomes of source maps: private and public ones are composed alike.
    pub source_maps: SourceMaps,
    /// For [`Input::keep_function_names`].
    pub keep_function_names: bool,
}

/// A format's minifier. It must keep every placeholder (letters and digits) as it is; the stage counts them.
pub type Minifier = fn(&Input<'_>) -> Result<Minified, Refusal>;

/// Why a text cannot be minified: it passes through, and a person is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Lower-case, one line, without a full stop: `unexpected token`.
    pub reason: String,
    /// Where in the input's text (bytes), if that is known.
    pub offset: Option<usize>,
}

impl Refusal {
    /// A refusal that concerns the whole text.
    pub fn new(reason: impl Into<String>) -> Refusal {
        Refusal { reason: reason.into(), offset: None }
    }

    /// The same at a byte offset of the input's text.
    pub fn at(mut self, offset: usize) -> Refusal {
        self.offset = Some(offset);
        self
    }
}

/// The minifier of a kind of file; `None` for what is published as it is.
fn minifier_of(kind: Kind) -> Option<Minifier> {
    match kind {
        Kind::Script => Some(script::minify),
        Kind::Css => Some(css::minify),
        Kind::Html => Some(judged_html),
        Kind::Svg => Some(judged_svg),
        Kind::WebManifest | Kind::Json => Some(judged_json),
        Kind::SourceMap | Kind::Other => None,
    }
}

fn judged_html(input: &Input<'_>) -> Result<Minified, Refusal> {
    let minified = html::minify(input)?;
    Ok(if judge::beats(&minified.text, input.text) { minified } else { as_it_is(input) })
}

#[allow(clippy::unnecessary_wraps, reason = "the signature of all minifiers")]
fn judged_svg(input: &Input<'_>) -> Result<Minified, Refusal> {
    Ok(judged(input, svg::shrink(input.text)))
}

#[allow(clippy::unnecessary_wraps, reason = "the signature of all minifiers")]
fn judged_json(input: &Input<'_>) -> Result<Minified, Refusal> {
    Ok(judged(input, json::shrink(input.text)))
}

fn judged(input: &Input<'_>, smaller: Option<String>) -> Minified {
    match smaller.filter(|smaller| judge::beats(smaller, input.text)) {
        Some(text) => Minified { text, ..Minified::default() },
        None => as_it_is(input),
    }
}

fn as_it_is(input: &Input<'_>) -> Minified {
    Minified { text: input.text.to_owned(), ..Minified::default() }
}

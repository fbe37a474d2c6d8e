//! Finds what refers to what, and puts placeholders of the fingerprint's length where names will stand.
//!
//! One file per format finds references; `names` resolves what they say; the result is a [`Graph`]. Only what is
//! certain is replaced: where nothing is, a file keeps its name and bytes, with a warning.

mod css;
mod finder;
#[cfg(test)]
mod fixture;
pub mod html;
mod json;
pub mod names;
pub mod placeholder;
mod rounds;
mod script;
mod svg;
mod webmanifest;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::scan::{Source, SourcePath};
use placeholder::Placeholders;

pub use names::NameOptions;
pub use rounds::link;
pub use script::Facts;

/// The linked files.
#[derive(Debug, Clone)]
pub struct Graph {
    /// All files, by their path in the source folder.
    pub nodes: BTreeMap<SourcePath, Node>,
    /// What each placeholder in the nodes' texts stands for.
    pub placeholders: Placeholders,
}

/// One linked file.
#[derive(Debug, Clone)]
pub struct Node {
    /// The file as it was read.
    pub source: Source,
    /// What becomes of its name.
    pub naming: Naming,
    /// Its path without the bundler's fingerprint: stable over releases, unlike that of every other node.
    pub logical: String,
    /// Its text with placeholders; `None` for bytes, and for texts in which nothing was replaced.
    pub text: Option<String>,
    /// What was replaced, in order: for source maps, which must be shifted alike.
    pub edits: Vec<Edit>,
    /// What it refers to, in the order of the text.
    pub references: Vec<Reference>,
    /// For scripts: what it must be parsed as.
    pub script: ScriptKind,
}

/// What becomes of a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// It carried a bundler's fingerprint: ours takes its place, between `before` and `after` of the whole path.
    Hashed {
        /// Up to the fingerprint: `assets/index-`.
        before: String,
        /// The bundler's fingerprint. Files that share one get one fingerprint of ours.
        token: String,
        /// Behind the fingerprint: `.js`.
        after: String,
    },
    /// No fingerprint: a document at its own URL and, where something refers to it, the same bytes under a
    /// fingerprinted name, made of `before`, fingerprint, `after`.
    Plain {
        /// Up to where the fingerprint goes: `fonts/inter.`.
        before: String,
        /// Behind it: `.woff2`.
        after: String,
    },
    /// A document at its own URL only: pages, robots.txt, service workers, names that the settings keep.
    Kept,
}

/// A reference from one file to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The file that is meant.
    pub to: SourcePath,
    /// How.
    pub kind: ReferenceKind,
    /// Where in the source's text (bytes).
    pub span: Range<usize>,
}

/// How a file refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// `import`, `export from`, a module script of a page's static graph.
    Import,
    /// `import()`.
    DynamicImport,
    /// `<script src>` without `type=module`, `importScripts`.
    Script,
    /// `<script type=module src>`, `<link rel=modulepreload>`.
    ModuleScript,
    /// `new Worker`, `new SharedWorker`: a classic worker.
    Worker,
    /// The same with `type: "module"`.
    ModuleWorker,
    /// `<link rel=stylesheet>`, `@import`.
    Stylesheet,
    /// A font of `@font-face`, `<link rel=preload as=font>`.
    Font,
    /// `<img>`, `url()` of an image.
    Image,
    /// A link to a page or a download.
    Navigation,
    /// `sourceMappingURL`.
    SourceMap,
    /// A name in a table or a string: `new URL`, preload lists, name functions.
    Name,
}

/// A replacement in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced (bytes of the source's text).
    pub span: Range<usize>,
    /// With what: text that holds placeholders.
    pub text: String,
}

/// What a script must be parsed as, from who refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ScriptKind {
    /// Nobody says: whatever parses, a script first.
    #[default]
    Unknown,
    /// A classic script.
    Classic,
    /// A module.
    Module,
}

/// What a format's linker found in one text.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// Apart, in order.
    pub edits: Vec<Edit>,
    /// In order.
    pub references: Vec<Reference>,
    /// Dangling references and the like.
    pub diagnostics: Vec<Diagnostic>,
    /// The paths, below the base, that dangling references lead to.
    pub dangling: Vec<String>,
    /// Files that must keep their names.
    pub keeps: Vec<Keep>,
    /// What scripts say that only the whole build can make use of.
    pub facts: Facts,
}

/// A file that must keep its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The file.
    pub file: SourcePath,
    /// Why.
    pub reason: KeepReason,
}

/// Why a file must keep its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// It is a service worker: its URL is its identity.
    ServiceWorker,
    /// This file names it, and cannot be followed.
    NamedByUnreadable(SourcePath),
    /// It is a script, and this file names it in a string that may or may not be its URL: under two URLs it would run twice.
    NamedInString(SourcePath),
    /// This script computes its name, nobody knows how.
    Computed(SourcePath),
}

impl Linked {
    /// Takes over what was found in a part of the same text.
    pub fn absorb(&mut self, part: Linked) {
        self.edits.extend(part.edits);
        self.references.extend(part.references);
        self.diagnostics.extend(part.diagnostics);
        self.dangling.extend(part.dangling);
        self.keeps.extend(part.keeps);
        self.facts.absorb(part.facts);
    }

    /// Puts edits and references in the order of the text.
    pub fn sort(&mut self) {
        self.edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        self.references.sort_by_key(|reference| (reference.span.start, reference.span.end));
    }
}

/// The text with its edits. Of edits that overlap, or are none of this text, the first counts.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len() + edits.len() * 16);
    let mut at = 0;
    for edit in edits {
        if let Some(before) = text.get(at..edit.span.start).filter(|_| text.is_char_boundary(edit.span.end)) {
            result.push_str(before);
            result.push_str(&edit.text);
            at = edit.span.end;
        }
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

//! What the settings mean for the builder: typed, checked, every default filled in.

use rimward_edge::release::manifest::{Coding, Document, Manifest};
use rimward_edge::route::pattern::Pattern;

use super::findings::closest;
use crate::diagnostic::Diagnostic;

/// `[build]`, and what of `[site]` a release depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// `[site] base`: begins and ends with `/`.
    pub base: String,
    /// `[site] assets`.
    pub assets: AssetsFrom,
    /// The folder that the bundler wrote, relative to the settings file.
    pub source: String,
    /// The folder that the edge serves from, relative to the settings file.
    pub output: String,
    /// Beside `identity`, each once, in the order of the settings.
    pub encodings: Vec<Coding>,
    /// URL paths below the base, with a leading slash, whose names stay although they carry a bundler's fingerprint.
    pub keep_names: Vec<Pattern>,
    /// How many releases are kept, this one among them: at least 1.
    pub keep_releases: u32,
    /// Where source maps go.
    pub source_maps: SourceMaps,
    /// `[build] keep_function_names`.
    pub keep_function_names: bool,
    /// The pages that `[document]` names: must be there once the release is made.
    pub pages: Vec<NamedPage>,
}

/// A page that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPage {
    /// A key of `Manifest::documents`.
    pub path: String,
    /// What there is to say where it is none: the place in the settings.
    pub missing: Diagnostic,
}

impl NamedPage {
    /// What is wrong, where the release has no such page.
    pub fn check(&self, manifest: &Manifest) -> Option<Diagnostic> {
        if has_page(manifest, &self.path) {
            return None;
        }
        let pages = manifest.documents.iter().filter(|(_, document)| is_page(document)).map(|(path, _)| path.as_str());
        let hint = match closest(&self.path, pages) {
            Some(meant) => format!("did you mean \"/{meant}\"?"),
            None => format!("let the bundler write `{}`, or write `false` for none", self.path),
        };
        Some(self.missing.clone().hint(hint))
    }
}

/// Whether a release has a page of that key.
pub fn has_page(manifest: &Manifest, path: &str) -> bool {
    manifest.documents.get(path).is_some_and(is_page)
}

fn is_page(document: &Document) -> bool {
    document.content.media_type.starts_with("text/html")
}

/// `[site] assets`: what answers requests for fingerprinted files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetsFrom {
    /// The Worker: precompressed, and a request each.
    Worker,
    /// The platform, before the Worker: free of charge, compressed by the platform.
    Platform,
}

/// `[build] source_maps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceMaps {
    /// Kept beside the project, in `.rimward/maps/`, never published.
    Private,
    /// Published beside their files.
    Public,
    /// Thrown away.
    Drop,
}

impl Default for BuildSettings {
    fn default() -> BuildSettings {
        BuildSettings {
            base: "/".to_owned(),
            assets: AssetsFrom::Worker,
            source: "dist".to_owned(),
            output: "public".to_owned(),
            encodings: vec![Coding::Br, Coding::Gzip],
            keep_names: Vec::new(),
            keep_releases: 5,
            source_maps: SourceMaps::Private,
            keep_function_names: false,
            pages: Vec::new(),
        }
    }
}

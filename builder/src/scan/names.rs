//! Names that a release cannot have: those that no URL carries, or that some file system would not keep apart.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path};

use icu_normalizer::ComposingNormalizerBorrowed;
use rimward_edge::release::manifest::PRIVATE_FOLDER;

use super::SourcePath;
use crate::diagnostic::Diagnostic;
use crate::fs::Found;

/// A path as a person would write it, with `/`.
pub(super) fn shown(path: &Path) -> String {
    let segments: Vec<_> = path.components().map(|segment| segment.as_os_str().to_string_lossy()).collect();
    let mut shown = String::new();
    for character in segments.join("/").chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Checks the path of a file. Spaces, `?`, `#`, `%` and letters beyond ASCII are fine: URLs carry them percent-encoded.
pub(super) fn check(path: &Path) -> Result<SourcePath, Vec<Diagnostic>> {
    let error = |message: &str| Diagnostic::error(shown(path), "bad-name", message).hint("rename the file");
    let mut segments = Vec::new();
    for component in path.components() {
        let Component::Normal(segment) = component else {
            return Err(vec![error("the path is not below the source folder")]);
        };
        let Some(segment) = segment.to_str() else {
            return Err(vec![error("the name is not UTF-8: no URL can carry it")]);
        };
        segments.push(segment);
    }
    let mut problems = Vec::new();
    for segment in &segments {
        if segment.chars().any(char::is_control) {
            problems.push(error("the name has a control character: URLs that hold it are refused on the way"));
        }
        if segment.contains('\\') {
            problems.push(error("the name has a backslash: browsers turn it into `/`"));
        }
        if segment.ends_with(['.', ' ']) {
            problems.push(error("the name ends with a dot or a space: some file systems drop that"));
        }
    }
    match SourcePath::parse(&segments.join("/")) {
        Some(path) if problems.is_empty() => Ok(path),
        Some(_) => Err(problems),
        None => Err(vec![error("the name cannot be part of a URL")]),
    }
}

/// The folder in which releases lie cannot be the app's too.
pub(super) fn in_root(found: &[Found]) -> Vec<Diagnostic> {
    let reserved = found.iter().find(|found| {
        let first = found.path.components().next();
        first.is_some_and(|first| first.as_os_str().eq_ignore_ascii_case(PRIVATE_FOLDER))
    });
    let diagnostic = reserved.map(|found| {
        let message =
            format!("`{PRIVATE_FOLDER}` at the root belongs to rimward: nothing below it is ever served by its path");
        Diagnostic::error(shown(&found.path), "reserved-name", message)
            .hint("rename it; if it is an earlier release, `[build] source` and `output` must be two folders")
    });
    diagnostic.into_iter().collect()
}

/// Paths that differ only in case, or in how letters with marks are written: on many file systems they are one file.
pub(super) fn alike<'a>(paths: impl Iterator<Item = &'a SourcePath>) -> Vec<Diagnostic> {
    let composed = ComposingNormalizerBorrowed::new_nfc();
    let mut seen: BTreeMap<String, &SourcePath> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for path in paths {
        let name = path.as_str();
        match seen.entry(composed.normalize(&name.to_lowercase()).into_owned()) {
            Entry::Occupied(other) => {
                let other = other.get();
                let only = if composed.normalize(name) == composed.normalize(other.as_str()) {
                    "in how its letters are composed (Unicode normalization)"
                } else {
                    "in case"
                };
                let message =
                    format!("the name differs from `{other}` only {only}: on many file systems they are one file");
                diagnostics.push(Diagnostic::error(name, "names-alike", message).hint("rename one of the two"));
            }
            Entry::Vacant(place) => drop(place.insert(path)),
        }
    }
    diagnostics
}

//! Fills the holes, leaf first; finds the fingerprints on the way.
//!
//! A circle's fingerprints are of its members' texts with the inner holes still open (each as the place of the unit
//! that it means), and of the member's own place. With the names known the holes are filled, and at last the integrity
//! values: each is of bytes that are final. Only integrity values that need each other cannot be had.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::template::Template;
use super::units::Units;
use crate::diagnostic::{Diagnostic, Severity};
use crate::digest::{Digest, integrity};
use crate::link::placeholder::{Meaning, REVISION_LENGTH};
use crate::link::{Node, html};
use crate::scan::{Kind, Source, SourcePath};

/// Fingerprints and final bytes.
#[derive(Debug, Default)]
pub(super) struct Filled {
    fingerprints: BTreeMap<usize, String>,
    bytes: BTreeMap<SourcePath, Arc<[u8]>>,
}

impl Filled {
    /// Of a unit.
    pub(super) fn fingerprint(&self, unit: usize) -> &str {
        self.fingerprints.get(&unit).map_or("", String::as_str)
    }

    /// Of a file.
    pub(super) fn bytes(&self, path: &SourcePath) -> Arc<[u8]> {
        self.bytes.get(path).cloned().unwrap_or_default()
    }
}

/// Fills everything. Warnings come beside the result; errors instead of it.
pub(super) fn fill(
    nodes: &BTreeMap<SourcePath, Node>,
    templates: &BTreeMap<SourcePath, Template<'_>>,
    units: &Units<'_>,
) -> Result<(Filled, Vec<Diagnostic>), Vec<Diagnostic>> {
    let unknown = unknown(templates, units);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let mut work = Work { nodes, templates, units, filled: Filled::default(), findings: Vec::new() };
    for (group, is_circle) in units.groups(templates) {
        if is_circle {
            work.circle(&group);
        } else {
            for &unit in &group {
                work.leaf(unit);
            }
        }
    }
    let failed = work.findings.iter().any(|finding| finding.severity == Severity::Error);
    if failed { Err(work.findings) } else { Ok((work.filled, work.findings)) }
}

/// A hole that nothing fills would be a reference to nowhere.
fn unknown(templates: &BTreeMap<SourcePath, Template<'_>>, units: &Units<'_>) -> Vec<Diagnostic> {
    let error = |path: &SourcePath, meaning: &Meaning| {
        let named = match meaning {
            Meaning::Token(token) => token,
            Meaning::File(file) | Meaning::Integrity { file, .. } | Meaning::Revision(file) => file.as_str(),
        };
        let message = format!("cannot name `{named}`: it is no file of the release");
        Diagnostic::error(path.as_str(), "unknown-file", message).hint("keep its name: `keep_names` of `[build]`")
    };
    let of = |(path, template)| {
        let unknown = Template::holes(template).filter(|&meaning| units.meant(meaning).is_none());
        unknown.map(move |meaning| error(path, meaning))
    };
    templates.iter().flat_map(of).collect()
}

struct Work<'a> {
    nodes: &'a BTreeMap<SourcePath, Node>,
    templates: &'a BTreeMap<SourcePath, Template<'a>>,
    units: &'a Units<'a>,
    filled: Filled,
    findings: Vec<Diagnostic>,
}

impl<'a> Work<'a> {
    /// A unit whose needs are all final: named by its final bytes.
    fn leaf(&mut self, unit: usize) {
        let members = self.units.members(unit);
        for path in members {
            self.finish(path);
        }
        let digest = if let [path] = members {
            Digest::of(&self.filled.bytes(path))
        } else {
            let bytes: Vec<Arc<[u8]>> = members.iter().map(|path| self.filled.bytes(path)).collect();
            Digest::of_pieces(bytes.iter().map(|bytes| &**bytes))
        };
        self.filled.fingerprints.insert(unit, digest.fingerprint());
    }

    /// Units that need each other, in the order of their logical paths.
    fn circle(&mut self, group: &[usize]) {
        let texts: Vec<Vec<u8>> =
            (group.iter().flat_map(|&unit| self.units.members(unit))).map(|path| self.open(path, group)).collect();
        let digest = Digest::of_pieces(texts.iter().map(Vec::as_slice)).hex();
        for (place, &unit) in group.iter().enumerate() {
            let own = Digest::of_pieces([digest.as_bytes(), (place as u64).to_be_bytes().as_slice()]);
            self.filled.fingerprints.insert(unit, own.fingerprint());
        }
        let mut open: BTreeSet<&'a SourcePath> =
            group.iter().flat_map(|&unit| self.units.members(unit)).copied().collect();
        while !open.is_empty() {
            let mut ready: Vec<&SourcePath> =
                open.iter().copied().filter(|path| self.vouched(path, &open).is_empty()).collect();
            if ready.is_empty() {
                ready = self.pages_without_integrity(&open);
            }
            if ready.is_empty() {
                return self.refuse_integrity(&open);
            }
            for path in ready {
                self.finish(path);
                open.remove(path);
            }
        }
    }

    /// A member's text for its circle's digest: outer holes filled, inner ones as the place of what they mean.
    fn open(&self, path: &SourcePath, group: &[usize]) -> Vec<u8> {
        self.templates[path].fill(|meaning, _| {
            let place = self.units.meant(meaning).and_then(|unit| group.iter().position(|&member| member == unit));
            match (place, meaning) {
                (None, _) => self.value(meaning),
                // NUL stands in no script or style sheet that parses: nothing else reads like this.
                (Some(place), Meaning::Integrity { algorithm, .. }) => format!("\0{place} {algorithm:?}\0").into(),
                (Some(place), Meaning::Revision(_)) => format!("\0{place} revision\0").into(),
                (Some(place), Meaning::Token(_) | Meaning::File(_)) => format!("\0{place}\0").into(),
            }
        })
    }

    /// The files among `open` whose final bytes a file vouches for.
    fn vouched(&self, path: &SourcePath, open: &BTreeSet<&SourcePath>) -> Vec<&'a SourcePath> {
        let vouched = self.templates[path].holes().filter_map(|meaning| match meaning {
            Meaning::Integrity { file, .. } | Meaning::Revision(file) => {
                open.get(file).copied().and_then(|file| self.nodes.get_key_value(file))
            }
            Meaning::Token(_) | Meaning::File(_) => None,
        });
        vouched.map(|(path, _)| path).collect()
    }

    /// Integrity values that need each other do not exist. Pages can do without.
    fn pages_without_integrity(&mut self, open: &BTreeSet<&'a SourcePath>) -> Vec<&'a SourcePath> {
        let pages: Vec<&SourcePath> =
            open.iter().copied().filter(|path| self.nodes[*path].source.kind == Kind::Html).collect();
        self.findings.extend(pages.iter().map(|path| {
            let message =
                "an integrity value or a revision was removed: it would be of a file whose bytes depend on this page";
            Diagnostic::warning(path.as_str(), "integrity-circle", message)
        }));
        pages
    }

    /// A script that states wrong integrity values refuses to load what it names.
    fn refuse_integrity(&mut self, open: &BTreeSet<&SourcePath>) {
        for path in open {
            let vouched: Vec<String> = self.vouched(path, open).iter().map(|path| format!("`{path}`")).collect();
            let message =
                format!("cannot state the integrity of {}: its bytes depend on this file", vouched.join(", "));
            let error = Diagnostic::error(path.as_str(), "integrity-circle", message);
            self.findings.push(error.hint("switch off the bundler's integrity values for scripts"));
        }
    }

    /// Fills a file whose needs are known, as far as they can be.
    fn finish(&mut self, path: &SourcePath) {
        let bytes = self.templates[path].fill(|meaning, before| {
            let value = self.value(meaning);
            // Without quotes, nothing would take the next attribute for the value.
            let bare = value.is_empty() && !matches!(before, Some(b'"' | b'\'' | b' '));
            if bare { "\"\"".into() } else { value }
        });
        let bytes = in_final_form(&self.nodes[path].source, bytes);
        self.filled.bytes.insert(path.clone(), bytes.into());
    }

    /// What a hole is filled with; empty where it cannot be known.
    fn value(&self, meaning: &Meaning) -> Cow<'_, str> {
        match meaning {
            Meaning::Token(_) | Meaning::File(_) => {
                self.units.meant(meaning).map_or("", |unit| self.filled.fingerprint(unit)).into()
            }
            Meaning::Integrity { file, algorithm } => {
                self.filled.bytes.get(file).map_or_else(String::new, |bytes| integrity(bytes, *algorithm)).into()
            }
            Meaning::Revision(file) => {
                self.filled.bytes.get(file).map_or_else(String::new, |bytes| revision(bytes)).into()
            }
        }
    }
}

/// What a precache list says of a file's bytes.
fn revision(bytes: &[u8]) -> String {
    let mut digits = Digest::of(bytes).hex();
    digits.truncate(REVISION_LENGTH);
    digits
}

/// What only a complete text can say of itself: a page's hashes of its inline scripts and styles.
fn in_final_form(source: &Source, bytes: Vec<u8>) -> Vec<u8> {
    let Some(before) = source.text().filter(|_| source.kind == Kind::Html) else { return bytes };
    match String::from_utf8(bytes) {
        Ok(after) => html::refresh_hashes(before, &after).into_bytes(),
        Err(not_text) => not_text.into_bytes(),
    }
}

//! Gives every file its public name: leaf first, each from its final bytes; files that name each other in a circle as
//! one unit.
//!
//! The fingerprint stands where the bundler's stood, else before the last extension. A file that carried no
//! fingerprint keeps its own URL and, where something refers to it, gets a second name with one.

mod components;
mod fill;
mod template;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rimward_edge::path;

use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::link::html::{self, Need};
use crate::link::placeholder::Meaning;
use crate::link::{Naming, Node, Reference};
use crate::minify::{Minimal, licences, maps};
use crate::scan::{Kind, Source, SourcePath};
use crate::settings::SourceMaps;
use fill::Filled;
use template::Template;
use units::Units;

/// Files with their final bytes and names.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// In the order of their logical paths.
    pub files: Vec<NamedFile>,
    /// Source maps that are not published, by the public path of their file with `.map` behind it.
    pub maps: BTreeMap<String, Vec<u8>>,
    /// Hashes of inline scripts and styles, as policies outside of the pages have them: before, and now.
    pub inline_hashes: BTreeMap<String, String>,
}

/// One file. It is an asset, or a document, or both.
#[derive(Debug, Clone)]
pub struct NamedFile {
    /// Where it came from; `None` for what the builder made.
    pub source: Option<SourcePath>,
    /// Its path without any fingerprint.
    pub logical: String,
    /// What it is.
    pub kind: Kind,
    /// What is published.
    pub bytes: Arc<[u8]>,
    /// Its names, if it is an asset.
    pub asset: Option<AssetName>,
    /// Its path, if it is a document.
    pub document: Option<String>,
    /// What it refers to, in the order of the source's text.
    pub references: Vec<Reference>,
    /// For pages: what they need at once, in that order.
    pub needs: Vec<Need>,
}

/// The names of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetName {
    /// With the fingerprint, relative to `public/`.
    pub path: String,
    /// The bundler's names.
    pub aliases: Vec<String>,
}

/// Names all files. Warnings come beside the result; errors instead of it.
#[allow(clippy::needless_pass_by_value, reason = "a stage takes what the stage before it made")]
pub fn name(minimal: Minimal, source_maps: SourceMaps) -> Result<(Named, Vec<Diagnostic>), Vec<Diagnostic>> {
    let nodes = &minimal.graph.nodes;
    let published_maps = match source_maps {
        SourceMaps::Public => published_maps(&minimal),
        SourceMaps::Private | SourceMaps::Drop => BTreeMap::new(),
    };
    let comments: BTreeMap<&SourcePath, String> =
        (published_maps.iter()).map(|(path, map)| (*path, comment_naming(map, nodes[*path].source.kind))).collect();
    let mut templates = BTreeMap::new();
    for (path, node) in nodes {
        let template = match minimal.texts.get(path) {
            Some(minified) => {
                let comment = comments.get(path).map_or("", String::as_str);
                Template::of_text(&minified.text, comment, &minimal.graph.placeholders)
            }
            None => Template::of_bytes(&node.source.bytes),
        };
        templates.insert(path.clone(), template);
    }
    let units = Units::of(nodes);
    let (filled, warnings) = fill::fill(nodes, &templates, &units)?;

    let named_by_others: BTreeSet<&SourcePath> = (templates.values())
        .flat_map(Template::holes)
        .filter_map(|meaning| if let Meaning::File(file) = meaning { Some(file) } else { None })
        .collect();
    let mut named = Named::default();
    for (path, node) in nodes {
        let file = named_file(path, node, named_by_others.contains(path), &units, &filled);
        if source_maps == SourceMaps::Private
            && let Some(map) = minimal.texts.get(path).and_then(|minified| minified.map.as_deref())
        {
            let public = file.asset.as_ref().map_or(path.as_str(), |asset| &asset.path);
            named.maps.insert(format!("{public}.map"), maps::with_file(map, file_name(public)).into_bytes());
        }
        if let (Kind::Html, Some(before), Ok(after)) = (file.kind, node.source.text(), std::str::from_utf8(&file.bytes))
        {
            named.inline_hashes.extend(html::changed_hashes(before, after));
        }
        named.files.push(file);
    }
    named.files.extend(published_maps.into_values());
    for (path, source) in &minimal.stray_maps {
        match source_maps {
            SourceMaps::Public => named.files.push(stray(source)),
            SourceMaps::Private => drop(named.maps.insert(path.to_string(), source.bytes.to_vec())),
            SourceMaps::Drop => {}
        }
    }
    named.files.extend(licence_file(&minimal));
    named.files.sort_by(|left, right| left.logical.cmp(&right.logical).then(left.source.cmp(&right.source)));
    match collisions(&named.files) {
        problems if problems.is_empty() => Ok((named, warnings)),
        mut problems => {
            problems.extend(warnings);
            Err(problems)
        }
    }
}

fn named_file(path: &SourcePath, node: &Node, named_by_others: bool, units: &Units, filled: &Filled) -> NamedFile {
    let fingerprint = filled.fingerprint(units.of_file(path));
    let asset = match &node.naming {
        Naming::Hashed { before, after, .. } => {
            Some(AssetName { path: format!("{before}{fingerprint}{after}"), aliases: vec![path.to_string()] })
        }
        Naming::Plain { before, after } if named_by_others => {
            Some(AssetName { path: format!("{before}{fingerprint}{after}"), aliases: Vec::new() })
        }
        Naming::Plain { .. } | Naming::Kept => None,
    };
    NamedFile {
        source: Some(path.clone()),
        logical: node.logical.clone(),
        kind: node.source.kind,
        bytes: filled.bytes(path),
        document: (!matches!(node.naming, Naming::Hashed { .. })).then(|| path.to_string()),
        asset,
        references: node.references.clone(),
        needs: match node.source.text() {
            Some(text) if node.source.kind == Kind::Html => html::needs(text, &node.references),
            _ => Vec::new(),
        },
    }
}

/// The composed maps as files of the release. Each is named by its own bytes, before the text that names it: its `file`
/// is therefore the logical name.
fn published_maps(minimal: &Minimal) -> BTreeMap<&SourcePath, NamedFile> {
    let published = minimal.texts.iter().filter_map(|(path, minified)| {
        let node = minimal.graph.nodes.get(path)?;
        let bytes = maps::with_file(minified.map.as_deref()?, file_name(&node.logical)).into_bytes();
        let fingerprint = Digest::of(&bytes).fingerprint();
        let (before, after) = match &node.naming {
            Naming::Hashed { before, after, .. } | Naming::Plain { before, after } => (before.clone(), after.as_str()),
            Naming::Kept => before_extension(path.as_str()),
        };
        let file = NamedFile {
            source: None,
            logical: format!("{}.map", node.logical),
            kind: Kind::SourceMap,
            bytes: bytes.into(),
            asset: Some(AssetName { path: format!("{before}{fingerprint}{after}.map"), aliases: Vec::new() }),
            document: None,
            references: Vec::new(),
            needs: Vec::new(),
        };
        Some((path, file))
    });
    published.collect()
}

fn comment_naming(map: &NamedFile, kind: Kind) -> String {
    let name = path::encode(map.asset.as_ref().map_or("", |asset| file_name(&asset.path)));
    match kind {
        Kind::Css => format!("\n/*# sourceMappingURL={name} */"),
        _ => format!("\n//# sourceMappingURL={name}\n"),
    }
}

fn stray(source: &Source) -> NamedFile {
    NamedFile {
        source: Some(source.path.clone()),
        logical: source.path.to_string(),
        kind: source.kind,
        bytes: source.bytes.clone(),
        asset: None,
        document: Some(source.path.to_string()),
        references: Vec::new(),
        needs: Vec::new(),
    }
}

/// Licence comments have left the texts: they lie together in one document.
fn licence_file(minimal: &Minimal) -> Option<NamedFile> {
    let text = licences::text(minimal)?;
    let free = |path: &String| SourcePath::parse(path).is_some_and(|path| !minimal.graph.nodes.contains_key(&path));
    let (before, extension) = before_extension(licences::PATH);
    let numbered = (2u32..).map(|number| format!("{before}{number}{extension}"));
    let path = std::iter::once(licences::PATH.to_owned()).chain(numbered).find(free)?;
    Some(NamedFile {
        source: None,
        logical: path.clone(),
        kind: Kind::Other,
        bytes: text.into_bytes().into(),
        asset: None,
        document: Some(path),
        references: Vec::new(),
        needs: Vec::new(),
    })
}

/// Two files under one name, or one logical path for two: nobody could tell them apart. Files that ended with the same
/// bytes may well share a name.
fn collisions(files: &[NamedFile]) -> Vec<Diagnostic> {
    let mut public: BTreeMap<String, &NamedFile> = BTreeMap::new();
    let mut logical: BTreeMap<&str, &NamedFile> = BTreeMap::new();
    let mut problems = Vec::new();
    for file in files {
        let names = [file.asset.as_ref().map(|asset| &asset.path), file.document.as_ref()];
        for name in names.into_iter().flatten() {
            match public.insert(name.to_lowercase(), file) {
                Some(other) if other.bytes != file.bytes => {
                    let message = format!("it and `{}` would both be published as `{name}`", called(other));
                    problems
                        .push(Diagnostic::error(called(file), "name-collision", message).hint("rename one of the two"));
                }
                _ => {}
            }
        }
        if file.asset.is_some()
            && let Some(other) = logical.insert(&file.logical, file)
        {
            let message = format!("it and `{}` have the same logical path `{}`", called(other), file.logical);
            problems.push(Diagnostic::error(called(file), "logical-collision", message).hint("rename one of the two"));
        }
    }
    problems
}

fn called(file: &NamedFile) -> String {
    file.source.as_ref().map_or_else(|| file.logical.clone(), ToString::to_string)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn before_extension(path: &str) -> (String, &str) {
    let name_at = path.len() - file_name(path).len();
    match path[name_at..].rfind('.') {
        Some(dot) => (format!("{}.", &path[..name_at + dot]), &path[name_at + dot..]),
        None => (format!("{path}."), ""),
    }
}

#[cfg(test)]
mod tests;

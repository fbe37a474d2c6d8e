//! Links a whole build: every file by its format, until it is settled which files keep their names.
//!
//! Who names a file in a way that cannot be rewritten is seen only while linking; such files keep their names, and
//! what refers to them is linked again. So is what compares a path: strings that may be that path then stay. Each round
//! keeps more, so there is an end.

use std::collections::{BTreeMap, BTreeSet};

use rayon::ThreadPool;

use super::names::{NameOptions, Names};
use super::placeholder::Placeholders;
use super::{Graph, Keep, KeepReason, Linked, Node, Reference, ReferenceKind, ScriptKind};
use super::{apply, css, html, json, script, svg, webmanifest};
use crate::diagnostic::Diagnostic;
use crate::scan::{Kind, Source, SourcePath, Sources};
use crate::threads::work_on;

/// Links all files.
pub fn link(sources: &Sources, options: &NameOptions, pool: &ThreadPool) -> (Graph, Vec<Diagnostic>) {
    let (mut names, mut diagnostics) = Names::new(sources, options);
    let all: Vec<&Source> = sources.files.values().collect();
    let mut found = find(&all, &names, pool);
    let mut linked = loop {
        let mut linked = found.clone();
        diagnostics.extend(script::complete(&mut linked, sources, &names));
        let keeps = linked.values().flat_map(|linked| &linked.keeps);
        let mut kept: BTreeSet<SourcePath> = keeps.flat_map(|keep| names.keep(&keep.file)).collect();
        let compared = found.values().flat_map(|linked| &linked.facts.compared);
        kept.extend(compared.filter(|file| names.compare(file)).cloned());
        if kept.is_empty() {
            break linked;
        }
        let refers =
            |source: &&&Source| found[&source.path].references.iter().any(|reference| kept.contains(&reference.to));
        let again: Vec<&Source> = all.iter().filter(refers).copied().collect();
        found.extend(find(&again, &names, pool));
    };
    diagnostics.extend(linked.values_mut().flat_map(|linked| std::mem::take(&mut linked.diagnostics)));
    diagnostics.extend(names.wrong_base(linked.values().flat_map(|linked| &linked.dangling)));
    (graph(sources, &names, linked), diagnostics)
}

fn find(sources: &[&Source], names: &Names, pool: &ThreadPool) -> BTreeMap<SourcePath, Linked> {
    let found = work_on(pool, sources, |source| source.bytes.len(), |source| find_in(source, names));
    sources.iter().map(|source| source.path.clone()).zip(found).collect()
}

fn find_in(source: &Source, names: &Names) -> Linked {
    let linker = match source.kind {
        Kind::Html => html::link,
        Kind::Css => css::link,
        Kind::Script => script::link,
        Kind::WebManifest => webmanifest::link,
        Kind::Json => json::link,
        Kind::Svg => svg::link,
        Kind::SourceMap | Kind::Other => return Linked::default(),
    };
    match source.text() {
        Some(text) => linker(source, text, names),
        None => not_text(source, names),
    }
}

/// What is no UTF-8 passes through; the files that it names keep their names.
fn not_text(source: &Source, names: &Names) -> Linked {
    let text = String::from_utf8_lossy(&source.bytes);
    let mut linked = Linked::default();
    for to in names.mentions(&text).into_iter().flat_map(|mention| mention.to) {
        linked.references.push(Reference { to: to.clone(), kind: ReferenceKind::Name, span: 0..0 });
        linked.keeps.push(Keep { file: to, reason: KeepReason::NamedByUnreadable(source.path.clone()) });
    }
    let message = "cannot follow this file: it is not UTF-8; it is published as it is";
    let warning = Diagnostic::warning(source.path.as_str(), "not-text", message);
    linked.diagnostics.push(warning.hint("files that it names keep their names"));
    linked
}

fn graph(sources: &Sources, names: &Names, mut linked: BTreeMap<SourcePath, Linked>) -> Graph {
    let kinds = script_kinds(sources, &linked);
    let mut nodes = BTreeMap::new();
    for (path, source) in &sources.files {
        let found = linked.remove(path).unwrap_or_default();
        let text = source.text().filter(|_| !found.edits.is_empty()).map(|text| apply(text, &found.edits));
        let node = Node {
            source: source.clone(),
            naming: names.naming(path).cloned().unwrap_or(super::Naming::Kept),
            logical: names.logical(path).to_owned(),
            text,
            edits: found.edits,
            references: found.references,
            script: kinds.get(path).copied().unwrap_or_default(),
        };
        nodes.insert(path.clone(), node);
    }
    let placeholders = used(names.placeholders(), &nodes);
    Graph { nodes, placeholders }
}

/// The placeholders that occur.
fn used(all: &Placeholders, nodes: &BTreeMap<SourcePath, Node>) -> Placeholders {
    let texts = nodes.values().filter_map(|node| node.text.as_deref());
    let found = texts.flat_map(|text| all.find(text.as_bytes()));
    let meanings = found.map(|found| (found.text.to_owned(), found.meaning.clone())).collect();
    Placeholders { marker: all.marker.clone(), meanings }
}

/// What each script must be parsed as: what its syntax says, else who refers to it.
///
/// Where a script is asked for both as a module and as none, it is none: what it declares at its top is seen by others.
fn script_kinds(sources: &Sources, linked: &BTreeMap<SourcePath, Linked>) -> BTreeMap<SourcePath, ScriptKind> {
    let mut kinds: BTreeMap<SourcePath, ScriptKind> = BTreeMap::new();
    for reference in linked.values().flat_map(|linked| &linked.references) {
        let kind = match reference.kind {
            ReferenceKind::Import
            | ReferenceKind::DynamicImport
            | ReferenceKind::ModuleScript
            | ReferenceKind::ModuleWorker => ScriptKind::Module,
            ReferenceKind::Script | ReferenceKind::Worker => ScriptKind::Classic,
            _ => continue,
        };
        let known = kinds.entry(reference.to.clone()).or_insert(kind);
        if *known != kind {
            *known = ScriptKind::Classic;
        }
    }
    kinds.retain(|path, _| sources.files.get(path).is_some_and(|source| source.kind == Kind::Script));
    let modules =
        linked.iter().filter(|(path, found)| found.facts.is_module && sources.files[*path].kind == Kind::Script);
    kinds.extend(modules.map(|(path, _)| (path.clone(), ScriptKind::Module)));
    kinds
}

#[cfg(test)]
pub(crate) mod tests;

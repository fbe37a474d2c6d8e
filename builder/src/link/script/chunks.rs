//! What takes the whole build: names that scripts make of chunks' ids, and precached files with two names.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluate::Input;
use super::{Facts, NameFunction};
use crate::diagnostic::Diagnostic;
use crate::link::names::{How, Names, Resolved};
use crate::link::placeholder::Meaning;
use crate::link::{Edit, Keep, KeepReason, Linked, Naming, Reference, ReferenceKind};
use crate::scan::{Kind, SourcePath, Sources};

/// Completes what was found file by file. Returns what a person should know of files that keep their names from now on;
/// it is not said again once they do.
pub(in crate::link) fn complete(
    linked: &mut BTreeMap<SourcePath, Linked>,
    sources: &Sources,
    names: &Names,
) -> Vec<Diagnostic> {
    let ids: BTreeSet<String> = linked.values().flat_map(|linked| linked.facts.chunk_ids.iter().cloned()).collect();
    let renamed = renamed_plain(linked, names);
    let mut unknown: Vec<(SourcePath, usize)> = Vec::new();
    for (path, linked) in linked.iter_mut() {
        let facts = std::mem::take(&mut linked.facts);
        for function in &facts.name_functions {
            if !follow(path, function, &facts, &ids, linked, names) {
                unknown.push((path.clone(), function.span.start));
            }
        }
        precache(&facts, &renamed, linked, names);
        linked.facts = facts;
        linked.sort();
    }
    unknown.iter().filter_map(|(path, at)| keep_the_unmentioned(path, *at, linked, sources, names)).collect()
}

/// Checks a name function for every id; whether it could be followed.
///
/// Fingerprints in its strings are replaced already. If it then gives the new name, it is right; if not (it cuts the
/// fingerprint out of a longer hash, say), a table answers for the ids that are known.
fn follow(
    path: &SourcePath,
    function: &NameFunction,
    facts: &Facts,
    ids: &BTreeSet<String>,
    linked: &mut Linked,
    names: &Names,
) -> bool {
    let Some(result) = &function.result else { return false };
    let full_hash = facts.full_hash.as_deref();
    let as_it_was = |text: &str| text.to_owned();
    let as_it_is = |text: &str| rewritten(text, names);
    let mut table = BTreeMap::new();
    let mut found: BTreeSet<SourcePath> = BTreeSet::new();
    for id in ids {
        let Some(old) = result.evaluate(&Input { id, full_hash, rewritten: &as_it_was }) else { continue };
        let Resolved::File { to, edit } = names.resolve(path, &old, How::Base) else { continue };
        let hashed = matches!(names.naming(&to), Some(Naming::Hashed { .. }));
        if let Some(edit) = edit.filter(|_| hashed) {
            let mut expected = old;
            expected.replace_range(edit.span, &edit.text);
            if result.evaluate(&Input { id, full_hash, rewritten: &as_it_is }).as_ref() != Some(&expected) {
                table.insert(id.clone(), expected);
            }
        }
        found.insert(to);
    }
    let known: BTreeSet<SourcePath> = linked.references.iter().map(|reference| reference.to.clone()).collect();
    for to in found.iter().filter(|to| !known.contains(to)) {
        linked.references.push(Reference { to: to.clone(), kind: ReferenceKind::Name, span: function.span.clone() });
    }
    if !table.is_empty() {
        let entries: Vec<String> = table.iter().map(|(id, name)| format!("{}:{}", quoted(id), quoted(name))).collect();
        let before =
            format!("(function(n){{var t={{{}}};return function(e){{return t[e]||n(e)}}}})(", entries.join(","));
        let (start, end) = (function.span.start, function.span.end);
        linked.edits.push(Edit { span: start..start, text: before });
        linked.edits.push(Edit { span: end..end, text: ")".to_owned() });
    }
    true
}

/// JSON's strings are JavaScript's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn rewritten(text: &str, names: &Names) -> String {
    let mut rewritten = text.to_owned();
    for mention in names.mentions(text).into_iter().rev() {
        rewritten.replace_range(mention.span, &mention.placeholder);
    }
    rewritten
}

/// Chunks that nothing names are those that the function is for: they keep their names, and it stays right.
fn keep_the_unmentioned(
    path: &SourcePath,
    at: usize,
    linked: &mut BTreeMap<SourcePath, Linked>,
    sources: &Sources,
    names: &Names,
) -> Option<Diagnostic> {
    let mentioned: BTreeSet<&SourcePath> =
        linked.values().flat_map(|linked| &linked.references).map(|reference| &reference.to).collect();
    let is_chunk = |path: &&SourcePath| {
        let kind = sources.files.get(*path).map(|source| source.kind);
        matches!(kind, Some(Kind::Script | Kind::Css))
            && matches!(names.naming(path), Some(Naming::Hashed { .. }))
            && !mentioned.contains(*path)
    };
    let chunks: Vec<SourcePath> = sources.files.keys().filter(is_chunk).cloned().collect();
    let own = linked.get_mut(path).filter(|_| !chunks.is_empty())?;
    let message = format!("cannot follow how this function makes chunks' names: {} files keep theirs", chunks.len());
    own.keeps.extend(chunks.into_iter().map(|file| Keep { file, reason: KeepReason::Computed(path.clone()) }));
    let text = sources.files.get(path).and_then(|source| source.text()).unwrap_or_default();
    let warning = Diagnostic::warning(path.as_str(), "unknown-name-function", message).at(text, at);
    Some(warning.hint("let the bundler name chunks in its usual way, `[name].[contenthash].js`"))
}

/// Files without a bundler's fingerprint that some text refers to by a name with ours.
fn renamed_plain(linked: &BTreeMap<SourcePath, Linked>, names: &Names) -> BTreeSet<SourcePath> {
    let edits = linked.values().flat_map(|linked| &linked.edits);
    let meant = edits.flat_map(|edit| names.placeholders().find(edit.text.as_bytes()).map(|found| found.meaning));
    meant.filter_map(|meaning| if let Meaning::File(file) = meaning { Some(file.clone()) } else { None }).collect()
}

/// A precached file that is also asked for by a fingerprinted name is precached under that too: offline, both answer.
fn precache(facts: &Facts, renamed: &BTreeSet<SourcePath>, linked: &mut Linked, names: &Names) {
    for entry in facts.precached.iter().filter(|entry| renamed.contains(&entry.to)) {
        if let Some(name) = names.renamed(&entry.to, &entry.url) {
            let text = format!(",{{url:{},revision:null}}", quoted(&name));
            linked.edits.push(Edit { span: entry.end..entry.end, text });
        }
    }
}

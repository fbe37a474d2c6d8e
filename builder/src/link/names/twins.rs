//! Logical paths: names without their fingerprints, and how files that then share one are told apart.
//!
//! Three chunks called `es` become `es~<mark>.js`, the mark being made of what is stable between builds: the module
//! that the bundler's manifest names, else who refers to the file, else what it was in the last release, else where
//! its referrer names it first. Never of an ordinal of contents, which would swap names whenever one of them changes.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::is_text;
use crate::link::Naming;
use crate::scan::{SourcePath, Sources};

/// Characters of a mark.
const MARK_LENGTH: usize = 6;

/// Between the name and the mark.
const MARK: char = '~';

/// A file of the last release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviousFile {
    /// Its logical path.
    pub logical: String,
    /// The SHA-256 of its source's bytes, where it is known.
    pub digest: Option<[u8; 32]>,
    /// The logical paths that it referred to.
    pub imports: Vec<String>,
}

/// What Vite's manifest says: from which module each file was made.
#[derive(Debug, Clone, Default)]
pub(super) struct BundlerManifest {
    modules: BTreeMap<String, String>,
}

impl BundlerManifest {
    /// Anything but Vite's form is an empty manifest: other tools write a `manifest.json` too.
    pub(super) fn parse(text: &str) -> BundlerManifest {
        let Ok(Value::Object(entries)) = serde_json::from_str(text) else { return BundlerManifest::default() };
        let mut modules = BTreeMap::new();
        for (module, entry) in &entries {
            let file = entry.get("file").and_then(Value::as_str);
            // A shared chunk's key is its own name with the fingerprint, which is not stable.
            if let Some(file) = file {
                let stable = entry.get("src").is_some();
                modules.insert(file.to_owned(), if stable { module.clone() } else { String::new() });
            }
            let lists = ["css", "assets"].into_iter().filter_map(|list| entry.get(list)?.as_array()).flatten();
            for file in lists.filter_map(Value::as_str) {
                modules.entry(file.to_owned()).or_default();
            }
        }
        BundlerManifest { modules }
    }

    /// Whether the bundler wrote this file.
    pub(super) fn names(&self, path: &SourcePath) -> bool {
        self.modules.contains_key(path.as_str())
    }

    fn module(&self, path: &SourcePath) -> Option<&str> {
        self.modules.get(path.as_str()).map(String::as_str).filter(|module| !module.is_empty())
    }
}

/// What carries one fingerprint behind one stem: a chunk, its map, its licences.
type Unit = (String, String);

/// The logical path of every file with a fingerprint.
pub(super) fn logical_paths(
    sources: &Sources,
    splits: &BTreeMap<SourcePath, Naming>,
    listed: &BundlerManifest,
    previous: &[PreviousFile],
) -> BTreeMap<SourcePath, String> {
    let plain: BTreeMap<&SourcePath, String> =
        splits.iter().map(|(path, naming)| (path, logical(path, naming, ""))).collect();
    let groups = twins(sources, &plain);
    if groups.is_empty() {
        return plain.into_iter().map(|(path, logical)| (path.clone(), logical)).collect();
    }
    let mentions = Mentions::scan(sources, splits);
    let mut marks: BTreeMap<Unit, String> = BTreeMap::new();
    for (shared, files) in &groups {
        let open = files.iter().filter(|path| !marks.contains_key(&unit(path, &splits[**path]))).copied().collect();
        let telling = Telling { sources, plain: &plain, listed, previous, mentions: &mentions };
        for (path, mark) in telling.marks(shared, open) {
            marks.insert(unit(path, &splits[path]), mark);
        }
    }
    let marked = |(path, naming): (&SourcePath, &Naming)| {
        let mark = marks.get(&unit(path, naming)).map_or("", String::as_str);
        (path.clone(), logical(path, naming, mark))
    };
    splits.iter().map(marked).collect()
}

/// The groups of files that would share a logical path, by that path. What goes with a chunk follows it.
fn twins<'a>(sources: &Sources, plain: &BTreeMap<&'a SourcePath, String>) -> BTreeMap<String, Vec<&'a SourcePath>> {
    let mut groups: BTreeMap<String, Vec<&SourcePath>> = BTreeMap::new();
    for (path, logical) in plain {
        groups.entry(logical.clone()).or_default().push(path);
    }
    let taken = |logical: &str| SourcePath::parse(logical).is_some_and(|path| sources.files.contains_key(&path));
    groups.retain(|logical, files| files.len() > 1 || taken(logical));
    let leads = |logical: &str| {
        !groups.keys().any(|other| logical.len() > other.len() && logical.starts_with(&format!("{other}.")))
    };
    let leading: BTreeSet<String> = groups.keys().filter(|logical| leads(logical)).cloned().collect();
    // Chunks before their maps, so that a map finds its chunk's mark.
    groups.into_iter().filter(|(logical, _)| leading.contains(logical)).collect()
}

fn unit(path: &SourcePath, naming: &Naming) -> Unit {
    match naming {
        Naming::Hashed { before, token, .. } => (before.clone(), token.clone()),
        _ => (path.to_string(), String::new()),
    }
}

fn logical(path: &SourcePath, naming: &Naming, mark: &str) -> String {
    let Naming::Hashed { before, after, .. } = naming else { return path.to_string() };
    let stem = &before[path.folder().len()..];
    let stem = stem.strip_suffix(['-', '.', '_', '~']).unwrap_or(stem);
    let stem = if stem.is_empty() { "_" } else { stem };
    let mark = if mark.is_empty() { String::new() } else { format!("{MARK}{mark}") };
    format!("{}{stem}{mark}{after}", path.folder())
}

/// Which text names which fingerprint first, and where.
struct Mentions {
    /// By the file that is named: who names it, and where.
    by: BTreeMap<SourcePath, BTreeMap<SourcePath, usize>>,
    /// By the file that names: what.
    of: BTreeMap<SourcePath, BTreeSet<SourcePath>>,
}

impl Mentions {
    fn scan(sources: &Sources, splits: &BTreeMap<SourcePath, Naming>) -> Mentions {
        let mut carriers: BTreeMap<&str, Vec<&SourcePath>> = BTreeMap::new();
        for (path, naming) in splits {
            if let Naming::Hashed { token, .. } = naming {
                carriers.entry(token).or_default().push(path);
            }
        }
        let mut mentions = Mentions { by: BTreeMap::new(), of: BTreeMap::new() };
        let Ok(automaton) = AhoCorasick::new(carriers.keys()) else { return mentions };
        let carriers: Vec<Vec<&SourcePath>> = carriers.into_values().collect();
        for source in sources.files.values().filter(|source| is_text(source)) {
            for found in automaton.find_overlapping_iter(&*source.bytes) {
                for path in carriers[found.pattern().as_usize()].iter().filter(|path| **path != &source.path) {
                    mentions.by.entry((*path).clone()).or_default().entry(source.path.clone()).or_insert(found.start());
                    mentions.of.entry(source.path.clone()).or_default().insert((*path).clone());
                }
            }
        }
        mentions
    }
}

/// What twins are told apart by.
struct Telling<'a> {
    sources: &'a Sources,
    plain: &'a BTreeMap<&'a SourcePath, String>,
    listed: &'a BundlerManifest,
    previous: &'a [PreviousFile],
    mentions: &'a Mentions,
}

impl<'a> Telling<'a> {
    /// A mark for each of the files that share a logical path.
    fn marks(&self, shared: &str, mut open: Vec<&'a SourcePath>) -> Vec<(&'a SourcePath, String)> {
        let mut marks: Vec<(&SourcePath, String)> = Vec::new();
        let mut settle = |open: &mut Vec<&'a SourcePath>, found: Vec<(&'a SourcePath, String)>| {
            for (path, mark) in found {
                // A mark that is taken settles nothing: the next step decides.
                if !marks.iter().any(|(_, other)| *other == mark) {
                    open.retain(|other| *other != path);
                    marks.push((path, mark));
                }
            }
        };
        let found = unique(&open, |path| self.listed.module(path).map(str::to_owned));
        settle(&mut open, found);
        let found = unique(&open, |path| self.referrers(path));
        settle(&mut open, found);
        let found = self.likeness(shared, &open);
        settle(&mut open, found);
        let found = unique(&open, |path| self.first_mention(path, &open));
        settle(&mut open, found);
        let found = unique(&open, |path| Some(path.to_string()));
        settle(&mut open, found);
        marks
    }

    /// The logical paths of those that refer to a file; its twins, and those of others, count once.
    fn referrers(&self, path: &SourcePath) -> Option<String> {
        let referrers = self.mentions.by.get(path)?;
        let named: BTreeSet<&str> = referrers.keys().map(|path| self.logical(path)).collect();
        (!named.is_empty()).then(|| named.into_iter().collect::<Vec<_>>().join("\n"))
    }

    /// The first of its referrers, and the file's place among the twins that this one names.
    fn first_mention(&self, path: &SourcePath, twins: &[&SourcePath]) -> Option<String> {
        let referrers = self.mentions.by.get(path)?;
        let (referrer, at) = referrers.iter().min_by_key(|(referrer, _)| (self.logical(referrer), *referrer))?;
        let earlier = |twin: &&&SourcePath| {
            self.mentions.by.get(**twin).and_then(|by| by.get(referrer)).is_some_and(|other| other < at)
        };
        let place = twins.iter().filter(earlier).count();
        Some(format!("{} {place}", self.logical(referrer)))
    }

    /// The marks of the last release's files that have the same bytes, else of those that refer to the most alike.
    fn likeness(&self, shared: &str, open: &[&'a SourcePath]) -> Vec<(&'a SourcePath, String)> {
        let former: Vec<(&PreviousFile, &str)> =
            self.previous.iter().filter_map(|file| Some((file, mark_of(&file.logical, shared)?))).collect();
        let mut pairs: Vec<(u32, &SourcePath, &str)> = Vec::new();
        for path in open {
            pairs.extend(former.iter().map(|(file, mark)| (self.likeness_of(path, file), *path, *mark)));
        }
        pairs.retain(|(likeness, ..)| *likeness > 0);
        pairs.sort_by_key(|(likeness, path, mark)| (std::cmp::Reverse(*likeness), *path, *mark));
        let mut chosen: Vec<(&SourcePath, String)> = Vec::new();
        for (_, path, mark) in pairs {
            if !chosen.iter().any(|(other, taken)| *other == path || taken == mark) {
                chosen.push((path, mark.to_owned()));
            }
        }
        chosen
    }

    /// In thousandths; more than all of them where the bytes are the same.
    fn likeness_of(&self, path: &SourcePath, former: &PreviousFile) -> u32 {
        let bytes = self.sources.files.get(path).map(|source| &source.bytes);
        if former.digest.is_some_and(|digest| bytes.is_some_and(|bytes| Sha256::digest(bytes)[..] == digest)) {
            return 1001;
        }
        let now: BTreeSet<&str> =
            self.mentions.of.get(path).into_iter().flatten().map(|path| self.logical(path)).collect();
        let then: BTreeSet<&str> = former.imports.iter().map(String::as_str).collect();
        let union = now.union(&then).count();
        let shared = now.intersection(&then).count() * 1000;
        shared.checked_div(union).map_or(0, |likeness| u32::try_from(likeness).unwrap_or(0))
    }

    fn logical<'b>(&'b self, path: &'b SourcePath) -> &'b str {
        self.plain.get(path).map_or(path.as_str(), String::as_str)
    }
}

/// Marks for those whose trait no other has.
fn unique<'a>(open: &[&'a SourcePath], of: impl Fn(&SourcePath) -> Option<String>) -> Vec<(&'a SourcePath, String)> {
    let traits: Vec<Option<String>> = open.iter().map(|path| of(path)).collect();
    let alone = |at: &usize| traits.iter().filter(|other| **other == traits[*at]).count() == 1;
    (0..open.len()).filter(alone).filter_map(|at| Some((open[at], mark(traits[at].as_ref()?)))).collect()
}

fn mark(of: &str) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(of);
    digest.iter().take(MARK_LENGTH).map(|&byte| char::from(DIGITS[usize::from(byte) % DIGITS.len()])).collect()
}

/// The mark in the logical path of a former file that would share this one without it.
fn mark_of<'a>(logical: &'a str, shared: &str) -> Option<&'a str> {
    let at = logical.rfind(MARK)?;
    let mark = logical.get(at + 1..at + 1 + MARK_LENGTH)?;
    let rest = logical.get(at + 1 + MARK_LENGTH..)?;
    let (before, after) = shared.split_at_checked(at)?;
    (before == &logical[..at] && after == rest).then_some(mark)
}

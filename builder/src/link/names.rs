//! The names of files: which carry a bundler's fingerprint, what becomes of each, and what a URL refers to.
//!
//! Everything that is decided about names is decided here; the linkers of the formats only find where names stand.

mod base;
mod grammar;
mod import_map;
mod integrity;
mod loaded;
mod resolve;
mod tokens;
mod twins;

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

pub use grammar::Grammar;
pub use resolve::{How, Resolved};
pub use tokens::Mention;
pub use twins::PreviousFile;

use crate::diagnostic::Diagnostic;
use crate::link::Naming;
use crate::link::placeholder::{Algorithm, Meaning, Placeholders};
use crate::scan::{Kind, Source, SourcePath, Sources};
use grammar::{Form, Look};
use import_map::ImportMap;
use integrity::IntegrityValues;
use tokens::TokenSearch;

/// Fewer neighbours than this with a fingerprint confirm nothing.
const CONFIRMING_NEIGHBOURS: usize = 3;

/// Scripts that are service workers by their name: their URL is their identity.
const SERVICE_WORKERS: &[&str] = &[
    "sw.js",
    "service-worker.js",
    "serviceworker.js",
    "service_worker.js",
    "firebase-messaging-sw.js",
    "ngsw-worker.js",
    "OneSignalSDKWorker.js",
];

/// Files that are asked for by a well-known name.
const WELL_KNOWN: &[&str] = &[
    "robots.txt",
    "favicon.ico",
    "sitemap.xml",
    "ads.txt",
    "humans.txt",
    "security.txt",
    "browserconfig.xml",
    "crossdomain.xml",
];

/// What the settings and the last release say about names.
#[derive(Debug, Clone, Default)]
pub struct NameOptions {
    /// The path that the app was built for; `/` where empty.
    pub base: String,
    /// The site's own hosts: absolute URLs of these are resolved, all others are external.
    pub hosts: Vec<String>,
    /// Globs over paths: these files keep their names.
    pub keep_names: Vec<String>,
    /// The bundler's way of naming, where it is not to be recognised.
    pub grammar: Option<Grammar>,
    /// The text of Vite's `.vite/manifest.json`, where there is one.
    pub bundler_manifest: Option<String>,
    /// The files of the last release, by which files of the same name are told apart.
    pub previous: Vec<PreviousFile>,
}

/// The files of a build, by name.
#[derive(Debug, Clone)]
pub struct Names {
    /// `/`, or with a slash at both ends.
    base: String,
    hosts: Vec<String>,
    grammar: Grammar,
    files: BTreeMap<SourcePath, File>,
    placeholders: Placeholders,
    tokens: BTreeMap<String, TokenGroup>,
    search: TokenSearch,
    integrity: IntegrityValues,
    import_map: ImportMap,
    compared: BTreeSet<SourcePath>,
}

#[derive(Debug, Clone)]
struct File {
    kind: Kind,
    naming: Naming,
    logical: String,
    placeholder: Option<String>,
}

/// The files that carry one token.
#[derive(Debug, Clone, Default)]
struct TokenGroup {
    files: Vec<SourcePath>,
    placeholder: String,
}

impl Names {
    /// Decides about the name of every file. Globs that are none are diagnosed.
    pub fn new(sources: &Sources, options: &NameOptions) -> (Names, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let kept = globs(&options.keep_names, &mut diagnostics);
        let renamed = || sources.files.values().filter(|source| !is_kept(source, &kept));
        let form = options.grammar.map_or_else(|| Form::choose(&renamed()), |grammar| Form::of(grammar, &renamed()));
        let listed = options.bundler_manifest.as_deref().map(twins::BundlerManifest::parse).unwrap_or_default();
        let splits = fingerprinted(renamed(), form, &listed);
        let logical = twins::logical_paths(sources, &splits, &listed, &options.previous);
        let placeholders =
            Placeholders::new(sources.files.values().filter(|source| is_text(source)).map(|source| &*source.bytes));
        let placeholders = placeholders.unwrap_or_else(|| {
            diagnostics.push(no_marker());
            Placeholders::default()
        });
        let mut names = Names {
            base: normal_base(&options.base),
            hosts: options.hosts.clone(),
            grammar: form.grammar,
            files: BTreeMap::new(),
            placeholders,
            tokens: BTreeMap::new(),
            search: TokenSearch::default(),
            integrity: IntegrityValues::of(sources),
            import_map: ImportMap::default(),
            compared: BTreeSet::new(),
        };
        let unnamed = names.placeholders.marker.is_empty();
        for source in sources.files.values() {
            let naming = match splits.get(&source.path) {
                _ if unnamed || is_kept(source, &kept) => Naming::Kept,
                Some(split) => split.clone(),
                // It leaves the release, or stays at its own URL.
                None if source.kind == Kind::SourceMap => Naming::Kept,
                None => plain(&source.path),
            };
            names.add(source, naming, &logical);
        }
        names.leave_lone_maps();
        names.define_tokens();
        names.import_map = ImportMap::of(sources, &names);
        for script in names.import_map.below_prefixes(&names) {
            names.keep(&script);
        }
        (names, diagnostics)
    }

    /// How the bundler writes names.
    pub fn grammar(&self) -> Grammar {
        self.grammar
    }

    /// What becomes of a file's name; `None` for what is no file.
    pub fn naming(&self, path: &SourcePath) -> Option<&Naming> {
        self.files.get(path).map(|file| &file.naming)
    }

    /// What a file is; `None` for what is no file.
    pub fn kind(&self, path: &SourcePath) -> Option<Kind> {
        self.files.get(path).map(|file| file.kind)
    }

    /// A file's path without the bundler's fingerprint; its path for what is no file.
    pub fn logical<'a>(&'a self, path: &'a SourcePath) -> &'a str {
        self.files.get(path).map_or(path.as_str(), |file| &file.logical)
    }

    /// All placeholders that can occur in linked texts.
    pub fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The placeholder for a file's whole integrity value (`sha384-...`).
    pub fn integrity(&self, file: &SourcePath, algorithm: Algorithm) -> String {
        let identity = format!("{} {}", algorithm.name(), self.logical(file));
        self.placeholders.text_of(&identity, &Meaning::Integrity { file: file.clone(), algorithm })
    }

    /// The file that an integrity value in the input is of, and the placeholder that takes the value's place.
    pub fn integrity_of(&self, value: &str) -> Option<(SourcePath, String)> {
        let (file, algorithm) = self.integrity.find(value)?;
        Some((file.clone(), self.integrity(file, algorithm)))
    }

    /// The placeholder for a file's revision in a precache list.
    pub fn revision(&self, file: &SourcePath) -> String {
        self.placeholders.text_of(&format!("revision {}", self.logical(file)), &Meaning::Revision(file.clone()))
    }

    /// Leaves a file, and all that share its fingerprint, its name: those that had another one until now.
    pub fn keep(&mut self, path: &SourcePath) -> Vec<SourcePath> {
        let Some(file) = self.files.get_mut(path) else { return Vec::new() };
        let naming = std::mem::replace(&mut file.naming, Naming::Kept);
        let Naming::Hashed { token, .. } = naming else {
            return if naming == Naming::Kept { Vec::new() } else { vec![path.clone()] };
        };
        let group = self.tokens.remove(&token).unwrap_or_default().files;
        for other in &group {
            if let Some(file) = self.files.get_mut(other) {
                file.naming = Naming::Kept;
            }
        }
        self.search = TokenSearch::new(&self.tokens, &self.files);
        group
    }

    /// Strings that may be the path of this file stay from now on; whether they did not before.
    pub fn compare(&mut self, path: &SourcePath) -> bool {
        let renamed = matches!(self.naming(path), Some(Naming::Plain { .. }));
        renamed && self.compared.insert(path.clone())
    }

    /// Whether something is compared with the path of this file.
    pub fn is_compared(&self, path: &SourcePath) -> bool {
        self.compared.contains(path)
    }

    /// The warning for a URL that refers to no file, at its place in the text.
    pub fn dangling(&self, source: &Source, text: &str, offset: usize, url: &str) -> Diagnostic {
        let message = format!("cannot resolve `{}`: no such file", shortened(url));
        let diagnostic = Diagnostic::warning(source.path.as_str(), "dangling-reference", message).at(text, offset);
        match self.alike(url) {
            Some(path) => diagnostic.hint(format!("did you mean `{}{path}`?", self.base)),
            None => diagnostic,
        }
    }

    fn token_placeholder(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(|group| group.placeholder.as_str())
    }

    fn file_placeholder(&self, path: &SourcePath) -> Option<&str> {
        self.files.get(path)?.placeholder.as_deref()
    }

    /// A file of the same name elsewhere, or of the same name but for case.
    fn alike(&self, url: &str) -> Option<&SourcePath> {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let name = url[..end].rsplit('/').next().filter(|name| !name.is_empty())?;
        self.files.keys().find(|path| path.file_name().eq_ignore_ascii_case(name))
    }

    fn add(&mut self, source: &Source, naming: Naming, logical: &BTreeMap<SourcePath, String>) {
        let path = &source.path;
        let logical = logical.get(path).map_or_else(|| path.to_string(), Clone::clone);
        let placeholder = matches!(naming, Naming::Plain { .. })
            .then(|| self.placeholders.define(&format!("file {logical}"), Meaning::File(path.clone())));
        if let Naming::Hashed { token, .. } = &naming {
            self.tokens.entry(token.clone()).or_default().files.push(path.clone());
        }
        if is_text(source) {
            for algorithm in Algorithm::ALL {
                let meaning = Meaning::Integrity { file: path.clone(), algorithm };
                self.placeholders.define(&format!("{} {logical}", algorithm.name()), meaning);
            }
        }
        self.placeholders.define(&format!("revision {logical}"), Meaning::Revision(path.clone()));
        self.files.insert(path.clone(), File { kind: source.kind, naming, logical, placeholder });
    }

    /// A fingerprint that source maps alone carry names no file of the release.
    fn leave_lone_maps(&mut self) {
        let files = &mut self.files;
        self.tokens.retain(|_, group| {
            let is_map = |path: &SourcePath| files.get(path).is_some_and(|file| file.kind == Kind::SourceMap);
            let lone = group.files.iter().all(is_map);
            for path in group.files.iter().filter(|_| lone) {
                if let Some(file) = files.get_mut(path) {
                    file.naming = Naming::Kept;
                }
            }
            !lone
        });
    }

    /// Tokens in the order of the logical paths that carry them, so that a collision is settled alike in each build.
    fn define_tokens(&mut self) {
        let files = &self.files;
        let identity = |group: &TokenGroup| {
            let logical: BTreeSet<&str> =
                group.files.iter().filter_map(|path| Some(files.get(path)?.logical.as_str())).collect();
            logical.into_iter().collect::<Vec<_>>().join("\n")
        };
        let mut groups: Vec<(String, String)> =
            self.tokens.iter().map(|(token, group)| (identity(group), token.clone())).collect();
        groups.sort();
        for (identity, token) in groups {
            let placeholder = self.placeholders.define(&format!("token {identity}"), Meaning::Token(token.clone()));
            if let Some(group) = self.tokens.get_mut(&token) {
                group.placeholder = placeholder;
            }
        }
        self.search = TokenSearch::new(&self.tokens, &self.files);
    }
}

/// The files whose names carry a fingerprint: how each name splits.
fn fingerprinted<'a>(
    sources: impl Iterator<Item = &'a Source> + Clone,
    form: Form,
    listed: &twins::BundlerManifest,
) -> BTreeMap<SourcePath, Naming> {
    let neighbourhoods = Neighbourhoods::of(sources.clone(), form);
    sources
        .filter_map(|source| Some((source, form.candidate(source)?)))
        .filter(|(source, candidate)| {
            candidate.look == Look::Random || listed.names(&source.path) || neighbourhoods.confirm(source)
        })
        .map(|(source, candidate)| {
            let path = source.path.as_str();
            let start = source.path.folder().len() + candidate.token.start;
            let end = source.path.folder().len() + candidate.token.end;
            let naming = Naming::Hashed {
                before: path[..start].to_owned(),
                token: path[start..end].to_owned(),
                after: path[end..].to_owned(),
            };
            (source.path.clone(), naming)
        })
        .collect()
}

/// What the other files of a folder say of a token that looks like a word.
///
/// Where the bundler puts its scripts, each of them is fingerprinted, also the one in a hundred whose token looks like
/// a word. Pictures may have been copied there: they are the bundler's only where nothing else lies in the folder.
#[derive(Debug, Default)]
struct Neighbourhoods {
    random: BTreeMap<(String, Kind), usize>,
    mixed: BTreeSet<String>,
}

impl Neighbourhoods {
    fn of<'a>(sources: impl Iterator<Item = &'a Source>, form: Form) -> Neighbourhoods {
        let mut found = Neighbourhoods::default();
        for source in sources {
            let folder = source.path.folder().to_owned();
            match form.candidate(source) {
                Some(candidate) if candidate.look == Look::Random => {
                    *found.random.entry((folder, source.kind)).or_default() += 1;
                }
                Some(_) => {}
                None => drop(found.mixed.insert(folder)),
            }
        }
        found
    }

    fn confirm(&self, source: &Source) -> bool {
        let folder = source.path.folder().to_owned();
        let own: usize = self.random.iter().filter(|((other, _), _)| *other == folder).map(|(_, count)| count).sum();
        let same = self.random.get(&(folder.clone(), source.kind)).copied().unwrap_or_default();
        let code = matches!(source.kind, Kind::Script | Kind::Css | Kind::SourceMap) && same >= CONFIRMING_NEIGHBOURS;
        code || (own >= CONFIRMING_NEIGHBOURS && !self.mixed.contains(&folder))
    }
}

/// Whether a file keeps its name whatever it is.
fn is_kept(source: &Source, globs: &GlobSet) -> bool {
    let name = source.path.file_name();
    let path = source.path.as_str();
    matches!(source.kind, Kind::Html | Kind::WebManifest)
        || path.starts_with(".well-known/")
        || WELL_KNOWN.contains(&name)
        || SERVICE_WORKERS.contains(&name)
        || globs.is_match(path)
}

/// Whether placeholders can come to stand in it.
fn is_text(source: &Source) -> bool {
    !matches!(source.kind, Kind::Other | Kind::SourceMap)
}

/// The fingerprint before the last extension: `fonts/inter.` and `.woff2`.
fn plain(path: &SourcePath) -> Naming {
    let name = path.file_name();
    // A name that begins with its only dot has no extension.
    let dot = name.rfind('.').filter(|&at| at > 0).unwrap_or(name.len());
    let (before, after) = path.as_str().split_at(path.folder().len() + dot);
    Naming::Plain { before: format!("{before}."), after: after.to_owned() }
}

fn normal_base(base: &str) -> String {
    let base = base.trim_matches('/');
    if base.is_empty() || base == "." { "/".to_owned() } else { format!("/{base}/") }
}

/// Globs over paths; `/legacy/*` and `legacy/*` mean the same.
fn globs(patterns: &[String], diagnostics: &mut Vec<Diagnostic>) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        match GlobBuilder::new(pattern.trim_start_matches('/')).literal_separator(false).build() {
            Ok(glob) => drop(set.add(glob)),
            Err(error) => diagnostics.push(Diagnostic::error(
                "rimward.toml",
                "bad-glob",
                format!("cannot use `{pattern}` in `keep_names`: {}", error.kind()),
            )),
        }
    }
    set.build().unwrap_or_default()
}

fn no_marker() -> Diagnostic {
    let message = "cannot name any file: the texts hold every run of four letters that could mark a placeholder";
    Diagnostic::warning(".", "no-marker", message)
        .hint("keep generated word lists out of scripts: load them as data files")
}

fn shortened(url: &str) -> String {
    const LONGEST: usize = 120;
    if url.chars().count() <= LONGEST { url.to_owned() } else { url.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests;

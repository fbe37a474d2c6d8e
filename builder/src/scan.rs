//! Reads the folder that a bundler wrote: every file, its kind, and what is wrong with names and links.
//!
//! Never outside the folder. Dotfiles are not published, but for `.well-known` (RFC 8615). Copies that a bundler
//! compressed beside their originals are left out, where nothing names them: the release has encodings of its own.

mod kind;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use rimward_edge::path::encode;

use crate::diagnostic::Diagnostic;
use crate::fs::{Files, Found, Stamp, What};

/// The largest file that the platform takes (Cloudflare's limit for static assets).
pub const LARGEST_FILE: u64 = 25 * 1024 * 1024;

/// The path of a file below the source folder: segments joined by `/`, none empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath(Arc<str>);

/// One file of the source folder.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it lies.
    pub path: SourcePath,
    /// What it is, by its name (and, where that says nothing, its first bytes).
    pub kind: Kind,
    /// Its bytes as the bundler wrote them.
    pub bytes: Arc<[u8]>,
}

/// What a file is, as far as the stages treat it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A page.
    Html,
    /// A style sheet.
    Css,
    /// JavaScript; whether script or module is seen from who refers to it.
    Script,
    /// A source map.
    SourceMap,
    /// A web application manifest.
    WebManifest,
    /// Other JSON.
    Json,
    /// A vector picture.
    Svg,
    /// Everything else: bytes.
    Other,
}

/// The files of a source folder.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// All files that are to be published.
    pub files: BTreeMap<SourcePath, Source>,
    /// The text of the `_headers` file of the root, which is not published.
    pub headers: Option<String>,
    /// The text of the `_redirects` file of the root, which is not published.
    pub redirects: Option<String>,
}

/// What the source folder looked like when it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    stamps: BTreeMap<String, Stamp>,
}

/// Reads the folder at `root`, which a person calls `called`. All that is wrong is said at once.
pub fn scan(files: &dyn Files, root: &Path, called: &str) -> Result<(Sources, Snapshot), Vec<Diagnostic>> {
    let found = files.walk(root, &is_published).map_err(|error| vec![no_folder(called, &error)])?;
    let mut diagnostics = names::in_root(&found);
    let mut sources = Sources::default();
    let mut snapshot = Snapshot::default();
    for found in found.iter().filter(|found| is_published(&found.path)) {
        match take(files, root, found) {
            Ok((path, stamp, bytes)) => {
                snapshot.stamps.insert(path.to_string(), stamp);
                add(&mut sources, path, bytes);
            }
            Err(mut problems) => diagnostics.append(&mut problems),
        }
    }
    diagnostics.extend(names::alike(sources.files.keys()));
    leave_out_compressed_copies(&mut sources);
    if sources.files.is_empty() && diagnostics.is_empty() {
        diagnostics.push(
            Diagnostic::error(called, "empty-source", "no files to publish in this folder")
                .hint("did the bundler run, and does `[build] source` name the folder that it writes?"),
        );
    }
    if diagnostics.is_empty() { Ok((sources, snapshot)) } else { Err(diagnostics) }
}

/// The text of Vite's manifest, which is not published: it tells files of the same name apart.
pub fn bundler_manifest(files: &dyn Files, root: &Path) -> Option<String> {
    let bytes = files.read(&root.join(".vite/manifest.json")).ok()?;
    (bytes.len() as u64 <= LARGEST_FILE).then(|| String::from_utf8(bytes).ok())?
}

/// What changed in the folder since it was read: a bundler that is still writing must not be published half.
pub fn changes(files: &dyn Files, root: &Path, called: &str, before: &Snapshot) -> Vec<Diagnostic> {
    let found = match files.walk(root, &is_published) {
        Ok(found) => found,
        Err(error) => return vec![no_folder(called, &error)],
    };
    let now: BTreeMap<String, Stamp> = found
        .into_iter()
        .filter(|found| is_published(&found.path))
        .filter_map(|found| match found.what {
            What::File(stamp) => Some((names::shown(&found.path), stamp)),
            _ => None,
        })
        .collect();
    let gone = before.stamps.keys().filter(|path| !now.contains_key(*path));
    let other = now.iter().filter(|(path, stamp)| before.stamps.get(*path) != Some(*stamp)).map(|(path, _)| path);
    gone.chain(other).map(|path| changed(path)).collect()
}

fn no_folder(called: &str, error: &io::Error) -> Diagnostic {
    let hint = "did the bundler run, and does `[build] source` name the folder that it writes?";
    let message = match error.kind() {
        io::ErrorKind::NotFound => "this folder does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "this is not a folder".to_owned(),
        _ => format!("cannot list this folder: {error}"),
    };
    Diagnostic::error(called, "no-source", message).hint(hint)
}

fn changed(path: &str) -> Diagnostic {
    Diagnostic::error(path, "source-changed", "the file changed while the release was being built")
        .hint("build when the bundler has finished; nothing was published")
}

/// Whether a path below the root is published as far as dots decide.
fn is_published(path: &Path) -> bool {
    let mut segments = path.components().map(|segment| segment.as_os_str().as_encoded_bytes());
    match segments.next() {
        None | Some(b".well-known") => true,
        Some(first) => !first.starts_with(b".") && segments.all(|segment| !segment.starts_with(b".")),
    }
}

/// Checks and reads one file.
fn take(files: &dyn Files, root: &Path, found: &Found) -> Result<(SourcePath, Stamp, Vec<u8>), Vec<Diagnostic>> {
    let shown = names::shown(&found.path);
    let error = |code, message: String| Diagnostic::error(shown.clone(), code, message);
    let stamp = match &found.what {
        What::File(stamp) => *stamp,
        What::Outside(target) => {
            let message = format!("the link leaves the source folder: it points to `{}`", target.display());
            return Err(vec![error("link-outside", message).hint("copy the file into the folder, or remove the link")]);
        }
        What::Loop => {
            return Err(vec![error("link-loop", "the link leads back to a folder that it lies in".to_owned())]);
        }
        What::Broken => return Err(vec![error("link-broken", "the link points to nothing".to_owned())]),
        What::Special => return Err(vec![error("not-a-file", "this is neither a file nor a folder".to_owned())]),
        What::Unreadable(why) => return Err(vec![error("unreadable", format!("cannot look at the file: {why}"))]),
    };
    let path = names::check(&found.path)?;
    if stamp.size > LARGEST_FILE {
        let message = format!("the file has {} bytes; the platform takes at most {LARGEST_FILE} (25 MiB)", stamp.size);
        return Err(vec![error("too-large", message).hint("serve it from object storage, or split it")]);
    }
    let place = root.join(&found.path);
    let read = files.read(&place).and_then(|bytes| Ok((bytes, files.stamp(&place)?)));
    match read {
        Ok((bytes, after)) if after == stamp && bytes.len() as u64 == stamp.size => Ok((path, stamp, bytes)),
        Ok(_) => Err(vec![changed(&shown)]),
        Err(cause) => Err(vec![error("unreadable", format!("cannot read the file: {cause}"))]),
    }
}

fn add(sources: &mut Sources, path: SourcePath, bytes: Vec<u8>) {
    let rules = match path.as_str() {
        "_headers" => &mut sources.headers,
        "_redirects" => &mut sources.redirects,
        _ => {
            let source = Source { kind: kind::of(&path, &bytes), bytes: bytes.into(), path: path.clone() };
            sources.files.insert(path, source);
            return;
        }
    };
    *rules = Some(String::from_utf8_lossy(&bytes).into_owned());
}

/// `app.js.gz` and `app.js.br` beside `app.js`, with the same content: published as they are they would hold the
/// bundler's names for ever, under names that our own encodings take.
fn leave_out_compressed_copies(sources: &mut Sources) {
    let is_copy = |source: &&Source| {
        let Some((original, packed @ ("gz" | "br" | "zst"))) = source.path.as_str().rsplit_once('.') else {
            return false;
        };
        let original = SourcePath::parse(original).and_then(|path| sources.files.get(&path));
        original.is_some_and(|original| kind::unpacks_to(packed, &source.bytes, &original.bytes))
    };
    let copies: BTreeSet<SourcePath> =
        sources.files.values().filter(is_copy).map(|source| source.path.clone()).collect();
    let named = named_elsewhere(sources, &copies);
    sources.files.retain(|path, _| !copies.contains(path) || named.contains(path));
}

/// Those of the copies that another file names, as a download for example: people want them as they are.
fn named_elsewhere(sources: &Sources, copies: &BTreeSet<SourcePath>) -> BTreeSet<SourcePath> {
    let mut named = BTreeSet::new();
    let spellings =
        copies.iter().flat_map(|path| [(path.file_name().to_owned(), path), (encode(path.file_name()), path)]);
    let (spelled, paths): (Vec<String>, Vec<&SourcePath>) = spellings.unzip();
    let Ok(search) = AhoCorasick::new(spelled) else { return named };
    let files =
        sources.files.values().filter(|source| source.kind != Kind::SourceMap && !copies.contains(&source.path));
    let rules = sources.headers.iter().chain(&sources.redirects).map(String::as_bytes);
    for text in files.map(|source| &*source.bytes).chain(rules) {
        let goes_on =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_.%".contains(byte));
        for found in search.find_overlapping_iter(text) {
            // Behind it a dot may end a sentence.
            let before = found.start().checked_sub(1).and_then(|at| text.get(at));
            if !goes_on(before) && !text.get(found.end()).is_some_and(u8::is_ascii_alphanumeric) {
                named.insert(paths[found.pattern().as_usize()].clone());
            }
        }
    }
    named
}

impl SourcePath {
    /// Checks a path.
    pub fn parse(path: &str) -> Option<SourcePath> {
        let fine = path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\0'));
        fine.then(|| SourcePath(path.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder with its trailing slash; empty for files of the root.
    pub fn folder(&self) -> &str {
        &self.0[..self.0.len() - self.file_name().len()]
    }
}

impl Source {
    /// The bytes as text; `None` where they are not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests;

//! The build cache: what a stage made of which bytes, kept between builds.
//!
//! An entry is found by the digest of everything that decides its contents, so nothing is ever out of date. It carries a
//! digest of itself: an entry that was cut off or changed is made anew. A cache that cannot be read or written slows the
//! build down and does nothing else. Builds may share a folder at the same time.

mod eviction;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::diagnostic::Diagnostic;

/// The layout of the folder and of entries: other versions use other folders.
const LAYOUT: &str = "1";

/// An entry's time of last use is exact to a day, so that a build in which nothing changed writes nothing.
const TOUCHED_EVERY: Duration = Duration::from_hours(24);

/// Bytes of the digest in front of an entry.
const DIGEST_BYTES: usize = 32;

/// What decides an entry's contents.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// Of a stage; `version` names the tools and formats that its results depend on.
    pub fn new(stage: &str, version: &str) -> Key {
        Key(Sha256::new()).with(stage.as_bytes()).with(version.as_bytes())
    }

    /// The same with an option or an input. Parts are kept apart: "ab", "c" is another key than "a", "bc".
    pub fn with(mut self, part: &[u8]) -> Key {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    fn digest(&self) -> [u8; DIGEST_BYTES] {
        self.0.clone().finalize().into()
    }
}

/// A folder of entries, or nothing.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    now: SystemTime,
    found: AtomicU64,
    made: AtomicU64,
    trouble: OnceLock<String>,
}

/// What a cache did in this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Results that were there.
    pub found: u64,
    /// Results that had to be made.
    pub made: u64,
}

impl Cache {
    /// A cache that remembers nothing.
    pub fn none() -> Cache {
        Cache {
            folder: None,
            now: SystemTime::UNIX_EPOCH,
            found: AtomicU64::new(0),
            made: AtomicU64::new(0),
            trouble: OnceLock::new(),
        }
    }

    /// The cache in a folder (`.rimward/cache`), which need not exist. `now` decides on ages only.
    pub fn open(folder: &Path, now: SystemTime) -> Cache {
        let cache = Cache { folder: Some(folder.join(LAYOUT)), now, ..Cache::none() };
        if let Err(error) = prepare(folder) {
            cache.note(&error);
        }
        cache
    }

    /// The entry of a key, or else what `make` gives, which becomes the entry.
    pub fn remember(&self, key: &Key, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        self.find(key).unwrap_or_else(|| {
            let bytes = make();
            self.store(key, &bytes);
            bytes
        })
    }

    /// The entry of a key, if there is a sound one.
    pub fn find(&self, key: &Key) -> Option<Vec<u8>> {
        let digest = key.digest();
        let found = self.folder.as_deref().and_then(|folder| read(&entry_path(folder, &digest), &digest, self.now));
        let count = if found.is_some() { &self.found } else { &self.made };
        count.fetch_add(1, Relaxed);
        found
    }

    /// Makes the entry of a key. Where that fails the next build makes the result again, and [`Cache::finish`] says so.
    pub fn store(&self, key: &Key, bytes: &[u8]) {
        let Some(folder) = self.folder.as_deref() else { return };
        let digest = key.digest();
        if let Err(error) = write(&entry_path(folder, &digest), &digest, bytes) {
            self.note(&error);
        }
    }

    /// How often a result was there, and how often not.
    pub fn counts(&self) -> Counts {
        Counts { found: self.found.load(Relaxed), made: self.made.load(Relaxed) }
    }

    /// At the end of a build: removes what has not been used for long, and the oldest where the folder is too large; says
    /// what was the matter with the folder.
    pub fn finish(&self) -> Option<Diagnostic> {
        let folder = self.folder.as_deref()?;
        if self.counts().made > 0 {
            eviction::evict(folder, self.now);
        }
        let trouble = self.trouble.get()?;
        let shown = folder.parent().unwrap_or(folder).display().to_string();
        let message = format!("cannot keep results for the next build: {trouble}");
        Some(
            Diagnostic::warning(shown, "cache-unusable", message)
                .hint("make the folder writable; the build is complete without it"),
        )
    }

    /// The first trouble tells what the matter is; the others follow from it.
    fn note(&self, error: &std::io::Error) {
        let _ = self.trouble.set(error.to_string());
    }
}

/// Makes the folder, and tells backup programs that it can be made again (<https://bford.info/cachedir/>).
fn prepare(folder: &Path) -> std::io::Result<()> {
    let tag = folder.join("CACHEDIR.TAG");
    if tag.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::write(
        tag,
        "Signature: 8a477f597d28d172789f06886806bc55\n# What `rimward build` made of which bytes. It may be deleted at any time.\n",
    )
}

/// Two levels, so that no folder gets more entries than file systems like.
fn entry_path(folder: &Path, key: &[u8; DIGEST_BYTES]) -> PathBuf {
    let mut name = String::with_capacity(2 * DIGEST_BYTES);
    for byte in key {
        name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    folder.join(&name[..2]).join(&name[2..])
}

fn read(path: &Path, key: &[u8; DIGEST_BYTES], now: SystemTime) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let contents = bytes.get(DIGEST_BYTES..)?;
    if bytes[..DIGEST_BYTES] != seal(key, contents) {
        return None;
    }
    touch(path, now);
    bytes.drain(..DIGEST_BYTES);
    Some(bytes)
}

/// Fails silently: an entry that looks older than it is may be removed too early, and is made again.
fn touch(path: &Path, now: SystemTime) {
    let used = fs::metadata(path).and_then(|metadata| metadata.modified());
    let old = used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age >= TOUCHED_EVERY));
    if old {
        let _ = fs::File::options().append(true).open(path).and_then(|file| file.set_modified(now));
    }
}

/// Renamed into place, so that nobody sees half an entry. Not synced: a crash may leave a torn one, which its digest
/// gives away.
fn write(path: &Path, key: &[u8; DIGEST_BYTES], contents: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(eviction::TEMPORARY).tempfile_in(folder)?;
    file.write_all(&seal(key, contents))?;
    file.write_all(contents)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// The key is part of it: an entry that was moved to another name is as wrong as one that was changed.
fn seal(key: &[u8; DIGEST_BYTES], contents: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::new().chain_update(key).chain_update(contents).finalize().into()
}

#[cfg(test)]
mod tests;

//! Which entries go: those unused for long, then the longest unused until the folder is small enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Names of files that are being written begin like this.
pub(super) const TEMPORARY: &str = ".new-";

/// A branch that nobody built for a month starts cold.
const UNUSED_FOR: Duration = Duration::from_hours(30 * 24);

/// What a crash left behind; no entry takes this long to write.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Some hundred builds of a large app: each keeps about its own size and its maps'.
pub(super) const LARGEST_BYTES: u64 = 1 << 30;

/// One file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) unused_for: Duration,
    pub(super) temporary: bool,
}

/// Removes what [`condemned`] says. What cannot be removed stays; another build may have been faster.
pub(super) fn evict(folder: &Path, now: SystemTime) {
    for path in condemned(list(folder, now), LARGEST_BYTES) {
        let _ = fs::remove_file(path);
    }
}

/// Which entries are to be removed.
pub(super) fn condemned(mut entries: Vec<Entry>, largest_bytes: u64) -> Vec<PathBuf> {
    entries.sort_by(|a, b| a.unused_for.cmp(&b.unused_for).then_with(|| a.path.cmp(&b.path)));
    let mut total: u64 = 0;
    entries.retain(|entry| {
        total = total.saturating_add(entry.bytes);
        if entry.temporary {
            return entry.unused_for > ABANDONED_AFTER;
        }
        entry.unused_for > UNUSED_FOR || total > largest_bytes
    });
    entries.into_iter().map(|entry| entry.path).collect()
}

fn list(folder: &Path, now: SystemTime) -> Vec<Entry> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
    files.filter_map(|file| entry(&file, now)).collect()
}

fn entry(file: &fs::DirEntry, now: SystemTime) -> Option<Entry> {
    let metadata = file.metadata().ok()?;
    Some(Entry {
        path: file.path(),
        bytes: metadata.len(),
        unused_for: now.duration_since(metadata.modified().ok()?).unwrap_or_default(),
        temporary: file.file_name().to_string_lossy().starts_with(TEMPORARY),
    })
}

//! Puts a release into `public/` so that a crash at any point leaves the old release or the new one.
//!
//! What the pointer (`releases.json`) does not name does not count: everything else is written before it, and earlier
//! releases' files are removed after it. Each file is written under another name, synced, and renamed into place, so
//! that what has its final name is whole. The manifest goes first: should the build be killed, the next one reads there
//! which files to take away.

mod earlier;
mod error;
mod plan;
mod platform;
mod sweep;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rimward_edge::release::manifest::{
    FORMAT, Manifest, PRIVATE_FOLDER, RELEASES_PATH, Releases, Retained, settings_path,
};

use crate::digest::Digest;
use crate::fs::Files;
use crate::manifest::{Release, json};
use crate::settings::PLATFORM_HEADERS;

pub use earlier::{Earlier, earlier};
pub use error::PublishError;
pub use plan::reuse_encodings;

/// Which URLs changed since the release before, for whoever purges: see [`crate::changes`]. Nothing depends on it.
pub const CHANGES_PATH: &str = "_rimward/changes.json";

/// Files that Cloudflare takes in one version of a Worker, without and with a paid plan.
pub const FILES_FREE: usize = 20_000;
/// See [`FILES_FREE`].
pub const FILES_PAID: usize = 100_000;

/// Where things go.
#[derive(Debug, Clone)]
pub struct Place {
    /// `public/`.
    pub output: PathBuf,
    /// `.rimward/`: the lock, and the private source maps.
    pub state: PathBuf,
    /// How many releases are kept, the new one among them.
    pub keep_releases: usize,
}

/// What is published beside a release's own files.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The edge's settings, as they are written.
    pub settings: &'a [u8],
    /// What the platform says with assets, where it answers for them.
    pub platform_headers: Option<&'a str>,
    /// What changed, where anything did.
    pub changes: Option<&'a [u8]>,
}

/// What publishing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The release that answers now.
    pub id: String,
    /// Files that were written.
    pub written: usize,
    /// Files of releases that are kept no longer.
    pub removed: usize,
    /// Ids of the releases that are kept, newest first.
    pub kept: Vec<String>,
    /// Files in the output folder, all told.
    pub files: usize,
    /// Files in the output folder that no release names: they are not served.
    pub foreign: Vec<String>,
    /// Files whose bytes had been damaged since they were published, and were written anew.
    pub repaired: Vec<String>,
}

/// Publishes a release with what belongs to it. The caller holds the lock.
pub fn publish(
    files: &dyn Files,
    place: &Place,
    release: &Release,
    beside: &Beside<'_>,
    earlier: &Earlier,
) -> Result<Published, PublishError> {
    let settings_sha256 = Digest::of(beside.settings).hex();
    let releases = next_releases(release, &settings_sha256, earlier, place.keep_releases);
    let kept: BTreeSet<&str> = releases.releases.iter().map(|retained| retained.id.as_str()).collect();
    let mut kept_files = sweep::kept_files(&kept, release, earlier, &settings_sha256);
    kept_files.extend(beside.platform_headers.map(|_| PLATFORM_HEADERS.to_owned()));
    plan::no_name_has_other_bytes(release, earlier)?;
    let mut objects: BTreeMap<String, Arc<[u8]>> = release.files.clone();
    objects.insert(settings_path(&settings_sha256), beside.settings.into());
    objects.extend(beside.changes.map(|changes| (CHANGES_PATH.to_owned(), changes.into())));
    let platform_headers = platform::present(files, &place.output)?;
    if beside.platform_headers.is_some() && platform_headers == platform::Present::Foreign {
        return Err(PublishError::Foreign { path: place.output.join(PLATFORM_HEADERS) });
    }
    let total = sweep::present(files, &place.output)?.union(&kept_files).count();
    if total > FILES_PAID {
        return Err(PublishError::TooManyFiles { files: total });
    }

    let assets: BTreeSet<&str> = release.manifest.assets.values().map(|asset| asset.path.as_str()).collect();
    let mut writer = write::Writer::new(files, &place.output);
    let written = (|| {
        for (path, bytes) in &release.maps {
            writer.put_at(&place.state.join("maps").join(&release.id), path, bytes)?;
        }
        writer.put(&release.manifest_path(), &release.manifest_bytes, write::Present::Replace)?;
        for (path, bytes) in &objects {
            let present = plan::if_present(path, bytes, &assets, earlier);
            writer.put(path, bytes, present)?;
        }
        // What it says holds for the assets of every release, should the pointer not follow.
        if let Some(text) = beside.platform_headers {
            writer.put(PLATFORM_HEADERS, text.as_bytes(), write::Present::Replace)?;
        }
        writer.sync_folders()
    })();
    if let Err(error) = written {
        writer.undo();
        return Err(error);
    }
    writer.point(RELEASES_PATH, &json(&releases))?;
    let (written, repaired) = writer.finish();

    let mut removed = sweep::sweep(files, place, &kept, &kept_files)?;
    if beside.platform_headers.is_none() && platform_headers == platform::Present::Ours {
        removed += platform::remove(files, &place.output)?;
    }
    let present = sweep::present(files, &place.output)?;
    Ok(Published {
        id: release.id.clone(),
        written,
        removed,
        kept: releases.releases.iter().map(|retained| retained.id.clone()).collect(),
        files: present.len(),
        foreign: sweep::foreign(&present, &kept_files),
        repaired,
    })
}

/// Refuses to begin in a folder of somebody's: it may well be the bundler's own `public/`, and its input next time.
pub fn first_may_begin(files: &dyn Files, output: &Path, earlier: &Earlier) -> Result<(), PublishError> {
    if earlier.current_id().is_some() {
        return Ok(());
    }
    let present = sweep::present(files, output)?;
    // A build that did not end has left its manifest, and perhaps assets.
    let begun = present.iter().any(|path| path.starts_with(PRIVATE_FOLDER));
    match sweep::foreign(&present, &BTreeSet::new()).into_iter().next() {
        Some(file) if !begun => Err(PublishError::Taken { path: output.to_owned(), file }),
        _ => Ok(()),
    }
}

/// Takes the lock of the state folder: two builds at once would take away each other's files.
pub fn lock(files: &dyn Files, state: &Path) -> Result<crate::fs::Lock, PublishError> {
    let path = state.join("lock");
    match files.lock(&path) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(PublishError::Locked { path }),
        Err(cause) => Err(PublishError::Io { what: "lock", path, cause }),
    }
}

/// The earlier releases that are kept beside a new one, newest first.
pub fn kept_beside<'a>(
    release: &'a Release,
    earlier: &'a Earlier,
    keep: usize,
) -> impl Iterator<Item = (&'a str, &'a Manifest)> {
    earlier.releases().filter(|(id, _)| *id != release.id).take(keep.max(1) - 1)
}

/// The list with the new release at its head.
fn next_releases(release: &Release, settings_sha256: &str, earlier: &Earlier, keep: usize) -> Releases {
    let new = Retained { id: release.id.clone(), manifest_sha256: Digest::of(&release.manifest_bytes).hex() };
    let others = earlier.retained().filter(|retained| retained.id != new.id).cloned();
    Releases {
        format: FORMAT,
        current: new.id.clone(),
        settings_sha256: settings_sha256.to_owned(),
        releases: std::iter::once(new.clone()).chain(others).take(keep.max(1)).collect(),
    }
}

#[cfg(test)]
mod tests;

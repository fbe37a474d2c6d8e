//! Whether two builds of the same source agree byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rimward_edge::release::manifest::{Manifest, manifest_path};
use sha2::{Digest as _, Sha256};

use crate::config::Plan;
use crate::fs::Real;
use crate::pipeline::{self, BuildError, Built};

/// Two builds.
#[derive(Debug)]
pub(super) struct Builds {
    /// The first one.
    pub(super) built: Built,
    /// Its manifest.
    pub(super) manifest: Manifest,
    /// Files that differ, or that only one has.
    pub(super) differing: Vec<String>,
}

/// Why there is nothing to compare.
#[derive(Debug)]
pub(super) enum AgreeError {
    /// A build failed.
    Build(BuildError),
    /// The disk: a sentence.
    Disk(String),
}

/// Builds twice, into temporary folders without any cache: by one thread, and by one for each processor and one more,
/// so that they differ on a machine with one processor too.
pub(super) fn build_twice(plan: &Plan) -> Result<Builds, AgreeError> {
    let disk = |error: std::io::Error| AgreeError::Disk(format!("could not use a temporary folder: {error}"));
    let folder = tempfile::tempdir().map_err(disk)?;
    let path = folder.path().to_owned();
    remove_when_interrupted(path).map_err(|why| AgreeError::Disk(format!("could not listen for Ctrl-C: {why}")))?;
    let many = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let built = build_into(plan, &one, 1)?;
    build_into(plan, &other, many)?;
    let manifest = std::fs::read(one.join("public").join(manifest_path(&built.published.id))).map_err(disk)?;
    let manifest = serde_json::from_slice(&manifest).map_err(|error| disk(error.into()))?;
    let differing = differing(&digests(&one).map_err(disk)?, &digests(&other).map_err(disk)?);
    Ok(Builds { built, manifest, differing })
}

/// Whoever interrupts leaves no folder behind: where the process just ended, nothing would remove it.
fn remove_when_interrupted(folder: PathBuf) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        // A thread may be writing a file meanwhile.
        while std::fs::remove_dir_all(&folder).is_err() && folder.exists() {
            std::thread::yield_now();
        }
        std::process::exit(2);
    })
}

fn build_into(plan: &Plan, folder: &Path, jobs: usize) -> Result<Built, AgreeError> {
    let plan = Plan { output: folder.join("public"), state: folder.join("state"), jobs, ..plan.clone() };
    pipeline::build(&plan, &Real, &|_| (), SystemTime::now()).map_err(AgreeError::Build)
}

/// The digest of every published file and every private source map, by path.
fn digests(folder: &Path) -> std::io::Result<BTreeMap<String, [u8; 32]>> {
    let mut digests = BTreeMap::new();
    let cache = folder.join("state/cache");
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.path() != cache);
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path()).display().to_string();
            digests.insert(path, Sha256::digest(std::fs::read(entry.path())?).into());
        }
    }
    Ok(digests)
}

fn differing(one: &BTreeMap<String, [u8; 32]>, other: &BTreeMap<String, [u8; 32]>) -> Vec<String> {
    let mut paths: Vec<String> =
        one.keys().chain(other.keys()).filter(|path| one.get(*path) != other.get(*path)).cloned().collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_and_one_that_is_missing_are_both_named() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("one/a", "1"),
            ("other/a", "2"),
            ("one/b", ""),
            ("other/c", ""),
            ("one/d", "4"),
            ("other/d", "4"),
            ("one/state/cache/x", ""),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let digests = |name: &str| digests(&folder.path().join(name)).unwrap();
        assert_eq!(differing(&digests("one"), &digests("other")), ["a", "b", "c"]);
    }
}

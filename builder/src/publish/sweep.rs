//! Takes away what no kept release names: after the pointer has moved, never before.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rimward_edge::release::manifest::{Manifest, PRIVATE_FOLDER, RELEASES_PATH, manifest_path, settings_path};

use super::earlier::{files_of, parse, strays};
use super::write::temporary;
use super::{Earlier, Place, PublishError};
use crate::fs::{Files, What};
use crate::manifest::Release;

/// All files below a folder, with `/` between segments. A folder that does not exist has none.
pub(super) fn present(files: &dyn Files, folder: &Path) -> Result<BTreeSet<String>, PublishError> {
    let found = match files.walk(folder, &|_| true) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(cause) => return Err(PublishError::Io { what: "list", path: folder.to_owned(), cause }),
    };
    let name = |path: &Path| {
        let segments: Vec<_> = path.components().map(|segment| segment.as_os_str().to_string_lossy()).collect();
        segments.join("/")
    };
    Ok(found.into_iter().filter(|found| matches!(found.what, What::File(_))).map(|found| name(&found.path)).collect())
}

/// Every file that the kept releases consist of.
pub(super) fn kept_files(
    kept: &BTreeSet<&str>,
    release: &Release,
    earlier: &Earlier,
    settings_sha256: &str,
) -> BTreeSet<String> {
    let mut names = earlier.files_of_releases(kept);
    names.extend(files_of(&release.id, &release.manifest));
    names.extend([release.manifest_path(), settings_path(settings_sha256), RELEASES_PATH.to_owned()]);
    names
}

/// Removes files of releases that are not kept, and what builds that did not end left behind. Returns how many.
pub(super) fn sweep(
    files: &dyn Files,
    place: &Place,
    kept: &BTreeSet<&str>,
    kept_files: &BTreeSet<String>,
) -> Result<usize, PublishError> {
    let output = &place.output;
    let present = present(files, output)?;
    let mut sweeper = Sweeper { files, removed: 0 };
    let dropped: BTreeSet<&str> = present
        .iter()
        .filter_map(|path| path.strip_prefix(PRIVATE_FOLDER)?.strip_prefix("/releases/")?.split_once('/'))
        .map(|(id, _)| id)
        .filter(|id| !kept.contains(id))
        .collect();
    for id in dropped {
        // The manifest goes last: a sweep that is cut short is taken up again from it.
        let manifest = manifest_path(id);
        for path in named_by(files, output, &manifest, id).iter().filter(|path| !kept_files.contains(*path)) {
            sweeper.remove(output, path)?;
        }
        let folder = format!("{PRIVATE_FOLDER}/releases/{id}/");
        for path in present.iter().filter(|path| path.starts_with(&folder) && **path != manifest) {
            sweeper.remove(output, path)?;
        }
        sweeper.remove(output, &manifest)?;
    }
    let settings = format!("{PRIVATE_FOLDER}/settings/");
    for path in present.iter().filter(|path| path.starts_with(&settings) && !kept_files.contains(*path)) {
        sweeper.remove(output, path)?;
    }
    if files.stamp(&temporary(output)).is_ok() {
        sweeper.remove_at(&temporary(output), output)?;
    }
    let maps = place.state.join("maps");
    for path in super::sweep::present(files, &maps)? {
        if path.split('/').next().is_some_and(|id| !kept.contains(id)) {
            sweeper.remove_at(&maps.join(&path), &maps)?;
        }
    }
    Ok(sweeper.removed)
}

/// Files in the output folder that are nobody's: left alone, never served.
pub(super) fn foreign(present: &BTreeSet<String>, kept_files: &BTreeSet<String>) -> Vec<String> {
    let is_ours =
        |path: &String| kept_files.contains(path) || path.starts_with(PRIVATE_FOLDER) || path.starts_with('.');
    present.iter().filter(|path| !is_ours(path)).cloned().collect()
}

/// What a manifest names that is not kept; nothing if it does not make sense.
fn named_by(files: &dyn Files, output: &Path, manifest: &str, id: &str) -> Vec<String> {
    let path = output.join(manifest);
    let parsed = files.read(&path).ok().and_then(|bytes| parse::<Manifest>(&path, &bytes).ok());
    let sound = parsed.filter(|manifest| strays(manifest).is_none());
    sound.map_or_else(Vec::new, |manifest| files_of(id, &manifest).collect())
}

struct Sweeper<'a> {
    files: &'a dyn Files,
    removed: usize,
}

impl Sweeper<'_> {
    fn remove(&mut self, output: &Path, path: &str) -> Result<(), PublishError> {
        self.remove_at(&output.join(path), output)
    }

    /// Removes a file, and the folders that it leaves empty up to `root`.
    fn remove_at(&mut self, path: &Path, root: &Path) -> Result<(), PublishError> {
        let failed = |path: &Path, cause| PublishError::Io { what: "remove", path: path.to_owned(), cause };
        if self.files.stamp(path).is_err() {
            return Ok(());
        }
        self.files.remove(path).map_err(|cause| failed(path, cause))?;
        self.removed += 1;
        let folders: Vec<PathBuf> =
            path.ancestors().skip(1).take_while(|folder| *folder != root).map(Path::to_owned).collect();
        for folder in folders {
            self.files.remove_empty_folder(&folder).map_err(|cause| failed(&folder, cause))?;
        }
        Ok(())
    }
}

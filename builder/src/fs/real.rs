//! The real file system.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::{Files, Found, Lock, Stamp, What};

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

impl Files for Real {
    fn walk(&self, root: &Path, enter: &dyn Fn(&Path) -> bool) -> io::Result<Vec<Found>> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        // A root that cannot be listed has no name below itself to be found by.
        fs::read_dir(&root)?;
        let mut found = Vec::new();
        let mut walk = WalkDir::new(&root).min_depth(1).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let (path, what) = match entry {
                Ok(entry) => {
                    let path = below(&root, entry.path()).to_owned();
                    let outside = leaves(&root, &entry);
                    if entry.file_type().is_dir() {
                        let entered = enter(&path);
                        if !entered || outside.is_some() {
                            walk.skip_current_dir();
                        }
                        match outside {
                            Some(what) if entered => (path, what),
                            _ => continue,
                        }
                    } else {
                        (path, outside.unwrap_or_else(|| look_at(&entry)))
                    }
                }
                Err(error) => {
                    let path = error.path().unwrap_or(&root);
                    (below(&root, path).to_owned(), trouble(path, &error))
                }
            };
            found.push(Found { path, what });
        }
        Ok(found)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        fs::metadata(path).map(|metadata| stamp(&metadata))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        make_folders(path)?;
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        make_folders(to)?;
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere folders cannot be opened, and their names need no syncing of their own.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(path))
    }

    fn remove_empty_folder(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => absent_is_fine(result),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        make_folders(path)?;
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn below<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// Where a link points that leaves the root.
fn leaves(root: &Path, entry: &DirEntry) -> Option<What> {
    if !entry.path_is_symlink() {
        return None;
    }
    match entry.path().canonicalize() {
        Ok(target) if target.starts_with(root) => None,
        Ok(target) => Some(What::Outside(target)),
        Err(_) => Some(What::Broken),
    }
}

fn look_at(entry: &DirEntry) -> What {
    match entry.metadata() {
        Ok(metadata) if metadata.is_file() => What::File(stamp(&metadata)),
        Ok(_) => What::Special,
        Err(error) => What::Unreadable(error.to_string()),
    }
}

fn trouble(path: &Path, error: &walkdir::Error) -> What {
    if error.loop_ancestor().is_some() {
        return What::Loop;
    }
    let absent = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
    match error.io_error() {
        _ if absent && path.is_symlink() => What::Broken,
        Some(cause) => What::Unreadable(cause.to_string()),
        None => What::Unreadable(error.to_string()),
    }
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    Stamp { size: metadata.len(), modified: metadata.modified().ok() }
}

fn make_folders(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Path) -> Vec<(String, String)> {
        let found = Real.walk(root, &|_| true).unwrap();
        let word = |what: &What| match what {
            What::File(_) => "file",
            What::Outside(_) => "outside",
            What::Loop => "loop",
            What::Broken => "broken",
            What::Special => "special",
            What::Unreadable(_) => "unreadable",
        };
        found.iter().map(|found| (found.path.display().to_string(), word(&found.what).to_owned())).collect()
    }

    #[test]
    fn links_are_followed_inside_the_root_only_and_loops_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dist");
        fs::create_dir_all(root.join("real")).unwrap();
        fs::write(root.join("real/a.txt"), "a").unwrap();
        fs::write(folder.path().join("secret.txt"), "s").unwrap();
        symlink("real", root.join("alias")).unwrap();
        symlink("real/a.txt", root.join("b.txt")).unwrap();
        symlink("../secret.txt", root.join("c.txt")).unwrap();
        symlink("..", root.join("d")).unwrap();
        symlink("gone", root.join("e")).unwrap();
        symlink(".", root.join("real/loop")).unwrap();
        let expected = [
            ("alias/a.txt", "file"),
            ("alias/loop", "loop"),
            ("b.txt", "file"),
            ("c.txt", "outside"),
            ("d", "outside"),
            ("e", "broken"),
            ("real/a.txt", "file"),
            ("real/loop", "loop"),
        ];
        let found = names(&root);
        let found: Vec<(&str, &str)> = found.iter().map(|(path, what)| (path.as_str(), what.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_root_that_cannot_be_listed_is_an_error_of_its_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o000)).unwrap();
        // Some users may read everything.
        if fs::read_dir(folder.path()).is_err() {
            let error = Real.walk(folder.path(), &|_| true).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn a_lock_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/lock");
        let held = Real.lock(&path).unwrap();
        assert!(held.is_some());
        assert!(Real.lock(&path).unwrap().is_none());
        drop(held);
        assert!(Real.lock(&path).unwrap().is_some());
    }
}

//! Writes files so that what has its final name is whole; remembers what to undo.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rimward_edge::release::manifest::PRIVATE_FOLDER;

use super::PublishError;
use super::earlier::read;
use crate::digest::Digest;
use crate::fs::Files;

/// What to do where a file exists with other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// Write ours.
    Replace,
    /// Write ours and say so.
    Repair,
    /// Fail.
    Refuse,
}

/// Writes below an output folder.
pub(super) struct Writer<'a> {
    files: &'a dyn Files,
    output: &'a Path,
    folders: BTreeSet<PathBuf>,
    new: Vec<PathBuf>,
    written: usize,
    repaired: Vec<String>,
}

/// Where a file is until it is whole, below the folder that it goes to.
pub(super) fn temporary(output: &Path) -> PathBuf {
    output.join(PRIVATE_FOLDER).join("unfinished")
}

impl<'a> Writer<'a> {
    /// Into this folder.
    pub(super) fn new(files: &'a dyn Files, output: &'a Path) -> Writer<'a> {
        Writer { files, output, folders: BTreeSet::new(), new: Vec::new(), written: 0, repaired: Vec::new() }
    }

    /// Writes a file, unless it is there already.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8], present: Present) -> Result<(), PublishError> {
        let target = self.output.join(path);
        let existing = read(self.files, &target)?;
        match (&existing, present) {
            (Some(existing), _) if existing == bytes => return Ok(()),
            (Some(existing), Present::Refuse) => {
                return Err(PublishError::OtherBytes {
                    path: path.to_owned(),
                    from: path.to_owned(),
                    published: Digest::of(existing).hex(),
                    new: Digest::of(bytes).hex(),
                });
            }
            (Some(_), Present::Repair) => self.repaired.push(path.to_owned()),
            (Some(_), Present::Replace) => {}
            (None, _) => self.new.push(target.clone()),
        }
        self.replace(&temporary(self.output), &target, bytes)?;
        let folders = target.ancestors().skip(1).take_while(|folder| folder.starts_with(self.output));
        self.folders.extend(folders.map(Path::to_owned));
        self.written += 1;
        Ok(())
    }

    /// Writes a file into another folder, which the release does not depend on.
    pub(super) fn put_at(&mut self, folder: &Path, path: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let target = folder.join(path);
        if read(self.files, &target)?.is_some_and(|existing| existing == bytes) {
            return Ok(());
        }
        self.new.push(target.clone());
        self.replace(&folder.join("unfinished"), &target, bytes)
    }

    /// Makes the new names last.
    pub(super) fn sync_folders(&self) -> Result<(), PublishError> {
        // Names in a folder before the name of the folder.
        for folder in self.folders.iter().rev() {
            self.sync(folder)?;
        }
        Ok(())
    }

    /// Writes the pointer: the step after which the new release answers.
    pub(super) fn point(&mut self, path: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let target = self.output.join(path);
        if read(self.files, &target)?.is_some_and(|existing| existing == bytes) {
            return Ok(());
        }
        if let Err(error) = self.replace(&temporary(self.output), &target, bytes) {
            self.undo();
            return Err(error);
        }
        self.written += 1;
        target.parent().map_or(Ok(()), |folder| self.sync(folder))
    }

    /// Takes away what this writer wrote under new names. What cannot be removed now is swept by the next build.
    pub(super) fn undo(&mut self) {
        self.new.drain(..).rev().for_each(|path| drop(self.files.remove(&path)));
    }

    /// How many files were written, and which of them had been damaged.
    pub(super) fn finish(self) -> (usize, Vec<String>) {
        (self.written, self.repaired)
    }

    fn replace(&self, temporary: &Path, target: &Path, bytes: &[u8]) -> Result<(), PublishError> {
        let written = self.files.write(temporary, bytes).and_then(|()| self.files.rename(temporary, target));
        written.map_err(|cause| {
            // On a full disk even half a file is in the way. If this fails too, the next build sweeps it.
            drop(self.files.remove(temporary));
            PublishError::Io { what: "write", path: target.to_owned(), cause }
        })
    }

    fn sync(&self, folder: &Path) -> Result<(), PublishError> {
        self.files.sync_folder(folder).map_err(|cause| PublishError::Io {
            what: "sync",
            path: folder.to_owned(),
            cause,
        })
    }
}

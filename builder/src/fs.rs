//! The file system as the builder sees it: the one place that touches it, and an in-memory one whose disk fills up and
//! whose power fails on demand.
//!
//! `scan` and `publish` get a [`Files`]; no other stage does. (The build cache keeps its own files: they may vanish at
//! any time and nothing depends on them.)

mod memory;
mod real;

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use memory::{Faults, Memory, Unsynced};
pub use real::Real;

/// What the builder asks of a file system.
pub trait Files: Send + Sync {
    /// Everything below `root` that is not a folder, in the order of names. A folder (its path relative to `root`) is
    /// entered only if `enter` says so. Links are followed where they stay below `root`.
    fn walk(&self, root: &Path, enter: &dyn Fn(&Path) -> bool) -> io::Result<Vec<Found>>;

    /// The state of a file; of what a link points to.
    fn stamp(&self, path: &Path) -> io::Result<Stamp>;

    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Writes a whole file and its folders. When this returns its bytes are on the disk; a crash leaves part of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Moves a file to a name, whose folders are made; what had the name is replaced at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder last through a crash.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Removes a file. That it does not exist is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder if it is empty. That it does not exist, or is not empty, is fine.
    fn remove_empty_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes a lock that ends with the process at the latest; `None` where another one holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// Something below a root that is not a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Relative to the root.
    pub path: PathBuf,
    /// What it is.
    pub what: What,
}

/// What a walk comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file, or a link to one below the root.
    File(Stamp),
    /// A link to somewhere outside the root: where to.
    Outside(PathBuf),
    /// A link to a folder that it lies in.
    Loop,
    /// A link to nothing.
    Broken,
    /// Neither file nor folder: a socket, a pipe, a device.
    Special,
    /// It cannot be looked at: why.
    Unreadable(String),
}

/// What a file looks like from outside: if this is the same, so are its bytes, as far as a build is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// When it was last written, where the file system knows.
    pub modified: Option<SystemTime>,
}

/// A lock that is held until this is dropped.
pub struct Lock {
    _held: Box<dyn Any + Send>,
}

impl Lock {
    fn new(held: impl Any + Send) -> Lock {
        Lock { _held: Box::new(held) }
    }
}

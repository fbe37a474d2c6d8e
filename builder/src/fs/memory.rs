//! A file system in memory. It fails as told: after a number of steps, when so many bytes are written, at one file.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Files, Found, Lock, Stamp, What};

/// A file system in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    disk: Arc<Mutex<Disk>>,
}

/// What goes wrong, and when.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The power fails during the step of this number (each change of the disk is a step, counted from 0).
    pub crash_at: Option<u64>,
    /// So many more bytes fit.
    pub space: Option<u64>,
    /// Files that cannot be read.
    pub unreadable: BTreeSet<PathBuf>,
    /// Files that someone writes while they are read.
    pub restless: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Disk {
    /// What programs see.
    live: BTreeMap<PathBuf, Node>,
    /// What is left after a power failure: names that were synced, with the bytes that they had then.
    durable: BTreeMap<PathBuf, Node>,
    locks: BTreeSet<PathBuf>,
    faults: Faults,
    steps: u64,
    crashed: bool,
}

#[derive(Debug, Clone)]
struct Node {
    bytes: Arc<[u8]>,
    written_at: u64,
}

impl Memory {
    /// With these files.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Memory {
        let memory = Memory::default();
        for (path, bytes) in files {
            memory.put(path, bytes);
        }
        memory
    }

    /// Puts a file there, as somebody else would: no fault hinders it, no step is counted.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut disk = self.disk();
        disk.steps += 1;
        let node = Node { bytes: bytes.into(), written_at: disk.steps };
        disk.durable.insert(path.into(), node.clone());
        disk.live.insert(path.into(), node);
    }

    /// Takes a file away, as somebody else would.
    pub fn take(&self, path: &str) {
        let mut disk = self.disk();
        disk.live.remove(Path::new(path));
        disk.durable.remove(Path::new(path));
    }

    /// From now on these faults; counting begins anew.
    pub fn fail(&self, faults: Faults) {
        let mut disk = self.disk();
        disk.faults = faults;
        disk.steps = 0;
    }

    /// How often the disk was changed since [`Memory::fail`].
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// What is there after a power failure: everything that was done, or only what was synced.
    pub fn restart(&self, unsynced: Unsynced) -> Memory {
        let disk = self.disk();
        let left = match unsynced {
            Unsynced::Kept => &disk.live,
            Unsynced::Lost => &disk.durable,
        };
        let disk = Disk { live: left.clone(), durable: left.clone(), ..Disk::default() };
        Memory { disk: Arc::new(Mutex::new(disk)) }
    }

    /// All files, for comparing.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        let disk = self.disk();
        disk.live.iter().map(|(path, node)| (path.display().to_string(), node.bytes.to_vec())).collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of changes that were not synced when the power fails: a disk may do either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// They happened all the same.
    Kept,
    /// They never happened.
    Lost,
}

impl Disk {
    /// Counts a change; says whether the power fails during it.
    fn step(&mut self) -> io::Result<bool> {
        self.alive()?;
        let fails = self.faults.crash_at == Some(self.steps);
        self.crashed = fails;
        self.steps += 1;
        Ok(fails)
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the power failed")) } else { Ok(()) }
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let node = self.live.get(path).ok_or(io::ErrorKind::NotFound)?;
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(node.written_at);
        Ok(Stamp { size: node.bytes.len() as u64, modified: Some(modified) })
    }
}

impl Files for Memory {
    fn walk(&self, root: &Path, enter: &dyn Fn(&Path) -> bool) -> io::Result<Vec<Found>> {
        let disk = self.disk();
        disk.alive()?;
        let below: Vec<&Path> = disk.live.keys().filter_map(|path| path.strip_prefix(root).ok()).collect();
        if below.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entered =
            |path: &&Path| path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()).all(enter);
        let found = below.into_iter().filter(entered).map(|path| {
            let what =
                disk.stamp(&root.join(path)).map_or_else(|error| What::Unreadable(error.to_string()), What::File);
            Found { path: path.to_owned(), what }
        });
        Ok(found.collect())
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let disk = self.disk();
        disk.alive()?;
        disk.stamp(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut disk = self.disk();
        disk.alive()?;
        if disk.faults.unreadable.contains(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let restless = disk.faults.restless.contains(path);
        let node = disk.live.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        let bytes = node.bytes.to_vec();
        node.written_at += u64::from(restless);
        Ok(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let crashes = disk.step()?;
        let space = disk.faults.space.unwrap_or(u64::MAX);
        let fits = bytes.len().min(usize::try_from(space).unwrap_or(usize::MAX));
        let kept = if crashes { bytes.len() / 2 } else { fits };
        let node = Node { bytes: bytes[..kept].into(), written_at: disk.steps };
        disk.live.insert(path.to_owned(), node);
        if let Some(space) = &mut disk.faults.space {
            *space -= kept as u64;
        }
        disk.alive()?;
        if kept < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.step()? {
            return disk.alive();
        }
        let node = disk.live.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.live.insert(to.to_owned(), node);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.step()? {
            return disk.alive();
        }
        let inside = |path: &Path| path.parent() == Some(folder);
        disk.durable.retain(|path, _| !inside(path));
        let synced: Vec<(PathBuf, Node)> = disk
            .live
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect();
        disk.durable.extend(synced);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.step()? {
            return disk.alive();
        }
        disk.live.remove(path);
        Ok(())
    }

    fn remove_empty_folder(&self, _: &Path) -> io::Result<()> {
        self.disk().alive()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let mut disk = self.disk();
        disk.alive()?;
        if !disk.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Lock::new(Held { memory: self.clone(), path: path.to_owned() })))
    }
}

struct Held {
    memory: Memory,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.disk().locks.remove(&self.path);
    }
}

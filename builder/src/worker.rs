//! The built Worker, which this program carries, and where it is written.

use std::path::{Path, PathBuf};

/// The folder, relative to the project, that the Worker is written to; `main` of `wrangler.toml` points into it.
pub const FOLDER: &str = ".rimward/worker";
/// The entry point, below [`FOLDER`].
pub const ENTRY: &str = "rimward.js";
/// The module that the entry point imports, below [`FOLDER`].
pub const MODULE: &str = "rimward.wasm";

/// The Worker's two files.
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    /// Of [`ENTRY`].
    pub entry: &'static [u8],
    /// Of [`MODULE`].
    pub module: &'static [u8],
}

/// Why there is no Worker in the project.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// `cargo build` alone makes a program without one.
    #[error(
        "this `rimward` was built without the Worker\n  hint: build it with `make build`, which puts the Worker into the program"
    )]
    NotInside,
    /// The disk.
    #[error("could not write the Worker to `{path}`: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

#[cfg(rimward_worker)]
const INSIDE: Option<Worker> = Some(Worker {
    entry: include_bytes!(concat!(env!("RIMWARD_WORKER_FOLDER"), "/rimward.js")),
    module: include_bytes!(concat!(env!("RIMWARD_WORKER_FOLDER"), "/rimward.wasm")),
});
#[cfg(not(rimward_worker))]
const INSIDE: Option<Worker> = None;

/// The Worker that this program carries.
pub fn inside() -> Result<Worker, WorkerError> {
    INSIDE.ok_or(WorkerError::NotInside)
}

/// Writes the Worker into a project's [`FOLDER`], where it is not there already. Returns the entry point's path.
pub fn write(project: &Path) -> Result<PathBuf, WorkerError> {
    write_to(&project.join(FOLDER))
}

/// Writes the Worker into a folder, where it is not there already. Returns the entry point's path.
pub fn write_to(folder: &Path) -> Result<PathBuf, WorkerError> {
    let worker = inside()?;
    write_if_other(&folder.join(MODULE), worker.module)?;
    write_if_other(&folder.join(ENTRY), worker.entry)?;
    Ok(folder.join(ENTRY))
}

/// A running `wrangler dev` watches these files: they are touched only where they change, and are never half there.
fn write_if_other(path: &Path, bytes: &[u8]) -> Result<(), WorkerError> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    replace(path, bytes).map_err(|cause| WorkerError::Write { path: path.to_owned(), cause })
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(temporary.path(), bytes)?;
    readable_by_all(temporary.path())?;
    temporary.persist(path)?;
    Ok(())
}

/// Temporary files are private to their user; what a server reads need not be.
#[cfg(unix)]
fn readable_by_all(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_replaced_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/rimward.js");
        write_if_other(&path, b"one").unwrap();
        let written = std::fs::metadata(&path).unwrap().modified().unwrap();
        write_if_other(&path, b"one").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written);
        write_if_other(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = write_if_other(&file.join("rimward.js"), b"").unwrap_err().to_string();
        assert!(error.contains("file/rimward.js"), "{error}");
    }
}

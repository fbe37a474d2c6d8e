//! `public/_headers`, which the platform reads: ours is replaced and removed, anybody else's is left alone.

use std::path::Path;

use super::PublishError;
use super::earlier::read;
use crate::fs::Files;
use crate::settings::{PLATFORM_HEADERS, PLATFORM_HEADERS_MARK};

/// What lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// Nothing.
    Nothing,
    /// A file that a build wrote.
    Ours,
    /// A file that somebody wrote.
    Foreign,
}

pub(super) fn present(files: &dyn Files, output: &Path) -> Result<Present, PublishError> {
    let found = read(files, &output.join(PLATFORM_HEADERS))?;
    Ok(match found {
        None => Present::Nothing,
        Some(bytes) if bytes.starts_with(PLATFORM_HEADERS_MARK.as_bytes()) => Present::Ours,
        Some(_) => Present::Foreign,
    })
}

/// How many files were removed: the one.
pub(super) fn remove(files: &dyn Files, output: &Path) -> Result<usize, PublishError> {
    let path = output.join(PLATFORM_HEADERS);
    match files.remove(&path) {
        Ok(()) => Ok(1),
        Err(cause) => Err(PublishError::Io { what: "remove", path, cause }),
    }
}

//! Why a release could not be published. Whatever it is, the earlier release stays as it was.

use std::io;
use std::path::PathBuf;

/// Why a release could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The disk.
    #[error("could not {what} `{}`: {cause}{}", path.display(), hint_about(cause))]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another build is at work.
    #[error("another build is at work: it holds `{}`\n  hint: wait until it has finished", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// A file of ours that does not say what it must.
    #[error(
        "cannot read `{}`: {why}\n  hint: restore `{folder}` from a copy; or move it away to begin anew: open tabs then lose the files of earlier releases",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What to restore or move away.
        folder: String,
    },
    /// A file of a later version of the program.
    #[error(
        "`{}` has format {found}, this version of rimward knows {known}\n  hint: build with the version of rimward that wrote it, or a later one",
        path.display()
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// Other bytes under a published name.
    #[error(
        "`{path}` was published with other bytes: they have SHA-256 {published}, those of `{from}` now have {new}\n  hint: a published name never changes its bytes; change `{from}` so that it gets another name, or remove the file if no browser has it"
    )]
    OtherBytes {
        /// The public path.
        path: String,
        /// What it was to be made from.
        from: String,
        /// What lies there.
        published: String,
        /// What would lie there.
        new: String,
    },
    /// A file of somebody's where ours would have to be.
    #[error(
        "`{}` was not written by rimward, which has to say there how assets are cached\n  hint: move its rules into `_headers` of the source folder, or into rimward.toml as `[[header]]`, and remove it",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A first release would lie among files of somebody's.
    #[error(
        "`{}` holds no release, but files that rimward did not write: `{file}` is one\n  hint: if the bundler copies from that folder, name another one in `output` of `[build]`, as `rimward init` does; else move those files away",
        path.display()
    )]
    Taken {
        /// The output folder.
        path: PathBuf,
        /// One of the files.
        file: String,
    },
    /// Past the platform's limit.
    #[error(
        "the output folder would hold {files} files; the platform takes at most {} \n  hint: lower `[build] keep_releases`, or remove files that are not rimward's",
        super::FILES_PAID
    )]
    TooManyFiles {
        /// How many.
        files: usize,
    },
}

fn hint_about(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull => {
            "\n  hint: make room on the disk and build again; the release that answered before still does"
        }
        io::ErrorKind::PermissionDenied => "\n  hint: check who owns the folder",
        _ => "",
    }
}

//! Reads the folder that a bundler wrote: every file, its kind, and what is wrong with names and links.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The path of a file below the source folder: segments joined by `/`, none empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath(Arc<str>);

/// One file of the source folder.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it lies.
    pub path: SourcePath,
    /// What it is, by its name (and, where that says nothing, its first bytes).
    pub kind: Kind,
    /// Its bytes as the bundler wrote them.
    pub bytes: Arc<[u8]>,
}

/// What a file is, as far as the stages treat it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A page.
    Html,
    /// A style sheet.
    Css,
    /// JavaScript; whether script or module is seen from who refers to it.
    Script,
    /// A source map.
    SourceMap,
    /// A web application manifest.
    WebManifest,
    /// Other JSON.
    Json,
    /// A vector picture.
    Svg,
    /// Everything else: bytes.
    Other,
}

/// The files of a source folder.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// All files that are to be published.
    pub files: BTreeMap<SourcePath, Source>,
    /// The text of the `_headers` file of the root, which is not published.
    pub headers: Option<String>,
    /// The text of the `_redirects` file of the root, which is not published.
    pub redirects: Option<String>,
}

impl SourcePath {
    /// Checks a path.
    pub fn parse(path: &str) -> Option<SourcePath> {
        let fine = path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\0'));
        fine.then(|| SourcePath(path.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder with its trailing slash; empty for files of the root.
    pub fn folder(&self) -> &str {
        &self.0[..self.0.len() - self.file_name().len()]
    }
}

impl Source {
    /// The bytes as text; `None` where they are not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

//! What a release is, as it lies in `public/_rimward/`: written by the builder, read by the edge.
//!
//! Every type here is a file format. A change that an older reader cannot follow raises [`FORMAT`]; readers refuse
//! formats that they do not know. Maps are ordered, so that the same release is the same bytes.

use litemap::LiteMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::config::{HeaderRule, RedirectRule, sorted::sorted};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// The folder inside `public/` that is never served by its path.
pub const PRIVATE_FOLDER: &str = "_rimward";

/// The only pointer: what it does not name does not answer.
pub const RELEASES_PATH: &str = "_rimward/releases.json";

/// Where the compiled settings lie: under their digest, so that `releases.json` alone switches settings and release
/// together. (With one name for all settings, a build killed between two renames would leave new settings on an old release.)
pub fn settings_path(sha256: &str) -> String {
    format!("{PRIVATE_FOLDER}/settings/{sha256}.json")
}

/// Where a release's manifest lies.
pub fn manifest_path(release: &str) -> String {
    format!("{PRIVATE_FOLDER}/releases/{release}/manifest.json")
}

/// Where the identity form of a release's document lies; its encodings have [`Coding::extension`] behind it.
///
/// An app's own `manifest.json` must not lie where the release's does: it goes one folder deeper, whose name no source
/// folder may have at its root.
pub fn document_path(release: &str, path: &str) -> String {
    let deeper = if path.eq_ignore_ascii_case("manifest.json") { "_rimward/" } else { "" };
    format!("{PRIVATE_FOLDER}/releases/{release}/{deeper}{path}")
}

/// `_rimward/releases.json`: the retained releases, newest first, and the current one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    /// See [`FORMAT`].
    pub format: u32,
    /// The id of the release that answers; always one of `releases`.
    pub current: String,
    /// Lower-case hexadecimal SHA-256 of the compiled settings, which lie at [`settings_path`].
    pub settings_sha256: String,
    /// Newest first.
    pub releases: Vec<Retained>,
}

/// One retained release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// The first 10 characters of base 36 of the manifest's SHA-256, as in file names.
    pub id: String,
    /// Lower-case hexadecimal SHA-256 of `_rimward/releases/<id>/manifest.json`.
    pub manifest_sha256: String,
}

/// One release, at [`manifest_path`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// The sub-path that the app was built for: begins and ends with `/`.
    pub base: String,
    /// Files whose names carry a digest, by logical path.
    #[serde(serialize_with = "object", deserialize_with = "sorted")]
    pub assets: LiteMap<String, Asset>,
    /// Files whose URL may not change (pages, robots.txt, ...), by their path below `base`, as the source folder has them.
    #[serde(serialize_with = "object", deserialize_with = "sorted")]
    pub documents: LiteMap<String, Document>,
    /// Rules of the source's `_headers` file, in its order; they act before those of the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// Rules of the source's `_redirects` file, in its order; they act after those of the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<RedirectRule>,
}

/// The bytes of a file, and the encodings that it is kept in beside `identity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The media type, as the `Content-Type` field has it, with its charset.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Of the identity form, in bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256 of the identity form.
    pub sha256: String,
    /// By content coding (`br`, `gzip`, `zstd`); only those that are smaller. The file's name has the extension of
    /// [`Coding::extension`].
    #[serde(default, skip_serializing_if = "LiteMap::is_empty")]
    pub encodings: LiteMap<Coding, Encoded>,
}

/// A content coding that files are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// The name of the coding in `Content-Encoding` (RFC 9110 §8.4.1).
    pub fn token(self) -> &'static str {
        match self {
            Coding::Br => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the encoded form's file name ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Coding::Br => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }
}

/// One encoded form of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    /// In bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256 of the encoded bytes.
    pub sha256: String,
}

/// A file whose name carries a digest: it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "read::Asset")]
pub struct Asset {
    /// Where it lies in `public/` and, with `base` before it, its URL: `assets/app.3f9ab2c1k0.js`. No leading slash.
    pub path: String,
    /// Its bytes.
    #[serde(flatten)]
    pub content: Content,
    /// The logical paths of what it needs at once: static imports of a module, `@import`s of a style sheet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// For `integrity` attributes: `sha384-` and base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
    /// The bundler's names for it, relative to the source folder: the same bytes, revalidated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// A file whose URL may not change. It lies at [`document_path`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "read::Document")]
pub struct Document {
    /// Its bytes.
    #[serde(flatten)]
    pub content: Content,
    /// The logical path of the asset with the same bytes, where one was published too: then no copy lies in the
    /// release's folder, and the asset's file answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// What a page needs, for `Link` fields, in the order in which the page needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preloads: Vec<Preload>,
    /// Digests of the page's inline scripts, as CSP sources without quotes: `sha256-` and base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub script_hashes: Vec<String>,
}

/// One file that a page needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// Its logical path.
    pub asset: String,
    /// What it is fetched as: the `as` of `Link` (`script`, `style`, `font`, `image`, `fetch`).
    #[serde(rename = "as")]
    pub destination: String,
    /// A module script: `rel=modulepreload` beside `rel=preload`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub module: bool,
    /// Fetched in CORS mode (module scripts, fonts, `crossorigin`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub crossorigin: bool,
    /// The `integrity` that the page itself states: a preload that states another, or none, is fetched twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
}

/// How both kinds of files are read: with all members side by side. A flattened member would be read twice, once into a
/// tree and once out of it, and the manifest is what the first request of an isolate waits for.
mod read {
    use litemap::LiteMap;
    use serde::Deserialize;

    use super::{Coding, Content, Encoded, Preload, sorted};

    #[derive(Deserialize)]
    pub(super) struct Asset {
        path: String,
        #[serde(rename = "type")]
        media_type: String,
        size: u64,
        sha256: String,
        #[serde(default, deserialize_with = "sorted")]
        encodings: LiteMap<Coding, Encoded>,
        #[serde(default)]
        imports: Vec<String>,
        #[serde(default)]
        integrity: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
    }

    impl From<Asset> for super::Asset {
        fn from(read: Asset) -> super::Asset {
            let Asset { path, media_type, size, sha256, encodings, imports, integrity, aliases } = read;
            super::Asset { path, content: Content { media_type, size, sha256, encodings }, imports, integrity, aliases }
        }
    }

    #[derive(Deserialize)]
    pub(super) struct Document {
        #[serde(rename = "type")]
        media_type: String,
        size: u64,
        sha256: String,
        #[serde(default, deserialize_with = "sorted")]
        encodings: LiteMap<Coding, Encoded>,
        #[serde(default)]
        asset: Option<String>,
        #[serde(default)]
        preloads: Vec<Preload>,
        #[serde(default)]
        script_hashes: Vec<String>,
    }

    impl From<Document> for super::Document {
        fn from(read: Document) -> super::Document {
            let Document { media_type, size, sha256, encodings, asset, preloads, script_hashes } = read;
            super::Document { content: Content { media_type, size, sha256, encodings }, asset, preloads, script_hashes }
        }
    }
}

/// An object also where it is empty.
fn object<V: Serialize, S: Serializer>(map: &LiteMap<String, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

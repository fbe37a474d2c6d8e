//! What pages load, told from data and documents.
//!
//! Without a bundler's fingerprint a file's URL is also an address: tabs of every age ask there for what is new, people
//! and other programs keep it. What pages load belongs to their release.

use super::Names;
use crate::link::Naming;
use crate::scan::SourcePath;

const CODE: &[&str] = &["js", "mjs", "css", "wasm"];
const PICTURES: &[&str] = &["png", "jpg", "jpeg", "gif", "webp", "avif", "jxl", "svg", "ico", "bmp"];
const FONTS: &[&str] = &["woff", "woff2", "ttf", "otf", "eot"];
const SOUNDS: &[&str] = &["mp3", "m4a", "aac", "oga", "ogg", "opus", "flac", "wav"];
const FILMS: &[&str] = &["mp4", "m4v", "webm", "ogv", "mov", "vtt"];
const MODELS: &[&str] = &["glb", "gltf", "ktx2", "hdr"];

impl Names {
    /// Whether a file carries a bundler's fingerprint.
    pub fn is_hashed(&self, path: &SourcePath) -> bool {
        matches!(self.naming(path), Some(Naming::Hashed { .. }))
    }

    /// Whether a file is of one release only: what pages load, and whatever carries a bundler's fingerprint.
    pub fn is_loaded(&self, path: &SourcePath) -> bool {
        let extension = path.file_name().rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let extension = extension.unwrap_or_default();
        let loaded = [CODE, PICTURES, FONTS, SOUNDS, FILMS, MODELS];
        self.is_hashed(path) || loaded.iter().any(|list| list.contains(&extension.as_str()))
    }
}

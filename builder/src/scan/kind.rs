//! What a file is: by its extension, else by its first bytes.

use std::io::Read as _;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Kind, SourcePath};
use crate::syntax::json;

/// The kind of a file.
pub(super) fn of(path: &SourcePath, bytes: &[u8]) -> Kind {
    let name = path.file_name().to_ascii_lowercase();
    match name.rsplit_once('.') {
        Some((_, "html" | "htm")) => Kind::Html,
        Some((_, "css")) => Kind::Css,
        Some((_, "js" | "mjs" | "cjs")) => Kind::Script,
        Some((_, "map")) if is_source_map(&name, bytes) => Kind::SourceMap,
        Some((_, "webmanifest")) => Kind::WebManifest,
        Some(("manifest", "json")) if is_web_manifest(bytes) => Kind::WebManifest,
        Some((_, "json")) => Kind::Json,
        Some((_, "svg")) => Kind::Svg,
        Some(_) => Kind::Other,
        None => of_bytes(bytes),
    }
}

/// Web manifests were called `manifest.json` before they had a media type; so are bundlers' tables of files.
fn is_web_manifest(bytes: &[u8]) -> bool {
    let members = ["start_url", "short_name", "icons", "display"];
    serde_json::from_slice::<serde_json::Value>(bytes)
        .is_ok_and(|value| members.iter().any(|&member| value.get(member).is_some_and(|value| !value.is_object())))
}

/// Games have maps, too. What is called `app.js.map` is a source map even if it is broken: those are not for everyone.
fn is_source_map(name: &str, bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Map {
        #[serde(rename = "version")]
        _version: IgnoredAny,
        mappings: Option<IgnoredAny>,
        sections: Option<IgnoredAny>,
    }
    let is_map = |text| {
        let map = serde_json::from_str::<Map>(json::of_map(text));
        map.is_ok_and(|map| map.mappings.is_some() || map.sections.is_some())
    };
    let is_of_code = [".js.map", ".mjs.map", ".cjs.map", ".css.map"].iter().any(|end| name.ends_with(end));
    is_of_code || std::str::from_utf8(bytes).is_ok_and(is_map)
}

fn of_bytes(bytes: &[u8]) -> Kind {
    let start = &bytes[..bytes.len().min(512)];
    let text =
        String::from_utf8_lossy(start).trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        Kind::Html
    } else if text.starts_with("<svg") {
        Kind::Svg
    } else {
        Kind::Other
    }
}

/// Whether compressed bytes are a copy of an original. Never unpacks more than the original's length.
pub(super) fn unpacks_to(extension: &str, packed: &[u8], original: &[u8]) -> bool {
    let mut unpacked = Vec::new();
    let limit = original.len() as u64 + 1;
    let read = match extension {
        "br" => brotli::Decompressor::new(packed, 64 * 1024).take(limit).read_to_end(&mut unpacked),
        "zst" => {
            zstd::stream::read::Decoder::new(packed).and_then(|reader| reader.take(limit).read_to_end(&mut unpacked))
        }
        _ => {
            unpacked.resize(original.len() + 1, 0);
            let length = libdeflater::Decompressor::new().gzip_decompress(packed, &mut unpacked);
            let length = length.unwrap_or_default();
            unpacked.truncate(length);
            Ok(length)
        }
    };
    read.is_ok() && unpacked == original
}

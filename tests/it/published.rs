//! A release written by hand, in the builder's format: for tests of what the edge makes of it, whatever the builder does.

use std::fmt::Write;
use std::path::Path;

use rimward_edge::config::{DocumentSettings, Settings, SettingsFile, Site};
use rimward_edge::release::manifest::{
    Asset, Coding, Content, Document, Encoded, FORMAT, Manifest, RELEASES_PATH, Releases, Retained, document_path,
    manifest_path, settings_path,
};
use sha2::{Digest, Sha256};

/// The release that is written.
const RELEASE: &str = "r000000001";

/// A file in all its encodings.
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) identity: Vec<u8>,
    pub(crate) encodings: Vec<(Coding, Vec<u8>)>,
}

/// Settings that say nothing.
pub(crate) fn settings() -> Settings {
    Settings {
        site: Site { name: "shop".into(), hosts: Vec::new(), base: "/".into(), client_address: None },
        document: DocumentSettings { fallback: None, error: None, cache_control: "no-cache".into() },
        headers: Vec::new(),
        redirects: Vec::new(),
        pools: litemap::LiteMap::new(),
        caches: litemap::LiteMap::new(),
        limits: Vec::new(),
        routes: Vec::new(),
    }
}

/// Writes a release of these files into `folder`.
pub(crate) fn publish(folder: &Path, settings: Settings, assets: &[File], documents: &[File]) {
    let manifest = Manifest {
        format: FORMAT,
        base: settings.site.base.clone(),
        assets: assets.iter().map(|file| (file.path.to_owned(), asset(folder, file))).collect(),
        documents: documents.iter().map(|file| (file.path.to_owned(), document(folder, file))).collect(),
        headers: Vec::new(),
        redirects: Vec::new(),
    };
    let manifest = serde_json::to_vec(&manifest).expect("the manifest is JSON");
    write(folder, &manifest_path(RELEASE), &manifest);
    let manifest_sha256 = hex(&manifest);
    let settings = SettingsFile { format: FORMAT, env: None, settings, envs: litemap::LiteMap::new() };
    let bytes = serde_json::to_vec(&settings).expect("settings are JSON");
    let settings_sha256 = hex(&bytes);
    write(folder, &settings_path(&settings_sha256), &bytes);
    let retained = Retained { id: RELEASE.into(), manifest_sha256 };
    let releases = Releases { format: FORMAT, current: RELEASE.into(), settings_sha256, releases: vec![retained] };
    write(folder, RELEASES_PATH, &serde_json::to_vec(&releases).expect("the list is JSON"));
}

fn asset(folder: &Path, file: &File) -> Asset {
    let content = content(folder, file.path, file);
    Asset { path: file.path.into(), content, imports: Vec::new(), integrity: None, aliases: Vec::new() }
}

fn document(folder: &Path, file: &File) -> Document {
    let content = content(folder, &document_path(RELEASE, file.path), file);
    Document { content, asset: None, preloads: Vec::new(), script_hashes: Vec::new() }
}

fn content(folder: &Path, path: &str, file: &File) -> Content {
    write(folder, path, &file.identity);
    let encoded = |(coding, bytes): &(Coding, Vec<u8>)| {
        write(folder, &format!("{path}{}", coding.extension()), bytes);
        (*coding, Encoded { size: bytes.len() as u64, sha256: hex(bytes) })
    };
    Content {
        media_type: file.media_type.into(),
        size: file.identity.len() as u64,
        sha256: hex(&file.identity),
        encodings: file.encodings.iter().map(encoded).collect(),
    }
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

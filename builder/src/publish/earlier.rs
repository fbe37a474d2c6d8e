//! What is published already: the list of releases and their manifests, checked before anything is built on them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use rimward_edge::release::manifest::{
    Asset, Coding, Content, FORMAT, Manifest, PRIVATE_FOLDER, RELEASES_PATH, Releases, Retained, document_path,
    manifest_path,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::PublishError;
use crate::digest::Digest;
use crate::fs::Files;
use crate::link::names::PreviousFile;
use crate::scan::SourcePath;

/// The releases that are published.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Newest first.
    releases: Vec<(Retained, Manifest)>,
    current: Option<String>,
    settings_sha256: Option<String>,
    /// Of all releases' assets and their encodings, by public path.
    digests: BTreeMap<String, String>,
    /// Of all releases' assets, by public path.
    contents: BTreeMap<String, Content>,
}

impl Earlier {
    /// The manifest of the release that answers; `None` before the first build.
    pub fn current(&self) -> Option<&Manifest> {
        let current = self.current.as_deref()?;
        self.releases.iter().find(|(retained, _)| retained.id == current).map(|(_, manifest)| manifest)
    }

    /// The id of the release that answers.
    pub fn current_id(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// The digest of the settings that are obeyed.
    pub fn settings_sha256(&self) -> Option<&str> {
        self.settings_sha256.as_deref()
    }

    /// Every release that is kept, newest first.
    pub fn releases(&self) -> impl Iterator<Item = (&str, &Manifest)> {
        self.releases.iter().map(|(retained, manifest)| (retained.id.as_str(), manifest))
    }

    /// The files of the release that answers, by which files of the same name are told apart.
    pub fn files(&self) -> Vec<PreviousFile> {
        let assets = self.current().into_iter().flat_map(|manifest| &manifest.assets);
        let file = |(logical, asset): (&String, &Asset)| PreviousFile {
            logical: logical.clone(),
            digest: None,
            imports: asset.imports.clone(),
        };
        assets.map(file).collect()
    }

    /// Newest first.
    pub(super) fn retained(&self) -> impl Iterator<Item = &Retained> {
        self.releases.iter().map(|(retained, _)| retained)
    }

    /// What was published under a public path of an asset.
    pub(super) fn asset_at(&self, path: &str) -> Option<&Content> {
        self.contents.get(path)
    }

    /// The digest of what was published under a path of an asset or of its encodings.
    pub(super) fn published_at(&self, path: &str) -> Option<&str> {
        self.digests.get(path).map(String::as_str)
    }

    /// Every file that some of the releases consist of, manifests included.
    pub(super) fn files_of_releases(&self, ids: &BTreeSet<&str>) -> BTreeSet<String> {
        let releases = self.releases.iter().filter(|(retained, _)| ids.contains(retained.id.as_str()));
        let files = releases
            .flat_map(|(retained, manifest)| files_of(&retained.id, manifest).chain([manifest_path(&retained.id)]));
        files.collect()
    }
}

/// The files that a manifest names.
pub(super) fn files_of(id: &str, manifest: &Manifest) -> impl Iterator<Item = String> {
    let assets = manifest.assets.values().map(|asset| (asset.path.clone(), &asset.content));
    let documents = manifest.documents.iter().filter(|(_, document)| document.asset.is_none());
    let documents = documents.map(move |(path, document)| (document_path(id, path), &document.content));
    let with_encodings = |(path, content): (String, &Content)| {
        let encoded: Vec<String> =
            content.encodings.keys().map(|coding: &Coding| format!("{path}{}", coding.extension())).collect();
        std::iter::once(path).chain(encoded)
    };
    assets.chain(documents).flat_map(with_encodings)
}

/// Reads what is published in `output`. Nothing there is fine; something that cannot be read is not.
pub fn earlier(files: &dyn Files, output: &Path) -> Result<Earlier, PublishError> {
    let Some(bytes) = read(files, &output.join(RELEASES_PATH))? else {
        return Ok(Earlier::default());
    };
    let list: Releases = parse(&output.join(RELEASES_PATH), &bytes)?;
    let releases = list.releases.iter().map(|retained| Ok((retained.clone(), manifest(files, output, retained)?)));
    let releases = releases.collect::<Result<Vec<_>, PublishError>>()?;
    if !list.releases.iter().any(|retained| retained.id == list.current) {
        return Err(corrupt(&output.join(RELEASES_PATH), "the current release is not in the list".to_owned()));
    }
    let mut earlier =
        Earlier { current: Some(list.current), settings_sha256: Some(list.settings_sha256), ..Earlier::default() };
    // The newest release's word counts: they agree, or a name has got other bytes.
    for asset in releases.iter().rev().flat_map(|(_, manifest)| manifest.assets.values()) {
        earlier.digests.insert(asset.path.clone(), asset.content.sha256.clone());
        for (coding, encoded) in &asset.content.encodings {
            earlier.digests.insert(format!("{}{}", asset.path, coding.extension()), encoded.sha256.clone());
        }
        earlier.contents.insert(asset.path.clone(), asset.content.clone());
    }
    earlier.releases = releases;
    Ok(earlier)
}

fn manifest(files: &dyn Files, output: &Path, retained: &Retained) -> Result<Manifest, PublishError> {
    let id_is_plain = !retained.id.is_empty() && retained.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !id_is_plain {
        return Err(corrupt(&output.join(RELEASES_PATH), format!("`{}` is not the id of a release", retained.id)));
    }
    let path = output.join(manifest_path(&retained.id));
    let Some(bytes) = read(files, &path)? else {
        return Err(corrupt(&path, "the file does not exist, but `releases.json` names it".to_owned()));
    };
    if Digest::of(&bytes).hex() != retained.manifest_sha256 {
        // A later format says so itself; anything else was changed by somebody.
        parse::<Manifest>(&path, &bytes)?;
        return Err(corrupt(&path, "its digest is not the one that `releases.json` states".to_owned()));
    }
    let manifest: Manifest = parse(&path, &bytes)?;
    match strays(&manifest) {
        Some(name) => Err(corrupt(&path, format!("`{name}` is not a path below the folder"))),
        None => Ok(manifest),
    }
}

/// A name in a manifest that would lead elsewhere.
pub(super) fn strays(manifest: &Manifest) -> Option<&str> {
    let assets = manifest.assets.values().map(|asset| asset.path.as_str());
    let mut names = assets.chain(manifest.documents.keys().map(String::as_str));
    names.find(|name| SourcePath::parse(name).is_none())
}

/// Parses a file of ours: its format first, since a later one may have other fields.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, PublishError> {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let format: Format = serde_json::from_slice(bytes).map_err(|error| corrupt(path, error.to_string()))?;
    if format.format > u64::from(FORMAT) {
        return Err(PublishError::Later { path: path.to_owned(), found: format.format, known: FORMAT });
    }
    serde_json::from_slice(bytes).map_err(|error| corrupt(path, error.to_string()))
}

fn corrupt(path: &Path, why: String) -> PublishError {
    PublishError::Corrupt { path: path.to_owned(), why, folder: PRIVATE_FOLDER.to_owned() }
}

/// A file, if it exists.
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    match files.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(PublishError::Io { what: "read", path: path.to_owned(), cause }),
    }
}

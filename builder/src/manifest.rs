//! Named and encoded files as a release: what its manifest says, and which bytes lie where.
//!
//! The same files give the same bytes: every map is ordered, nothing knows a clock.

mod media_type;
mod needs;

use std::collections::BTreeMap;
use std::sync::Arc;

use litemap::LiteMap;
use rimward_edge::config::{HeaderRule, RedirectRule, SettingsFile};
use rimward_edge::release::manifest::{
    Asset, Coding, Content, Document, Encoded, FORMAT, Manifest, document_path, manifest_path,
};

use crate::diagnostic::Diagnostic;
use crate::digest::{Digest, integrity};
use crate::encode::Encodings;
use crate::link::html::replace_hashes;
use crate::link::placeholder::Algorithm;
use crate::name::{Named, NamedFile};
use crate::scan::{LARGEST_FILE, SourcePath};

/// Named files with their encodings.
#[derive(Debug, Clone, Default)]
pub struct Compressed {
    /// As they were named.
    pub named: Named,
    /// Of each of `named.files`, in that order.
    pub encodings: Vec<Encodings>,
}

/// What the settings and the source say of a whole release.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `[site] base`.
    pub base: String,
    /// Of `_headers`.
    pub headers: Vec<HeaderRule>,
    /// Of `_redirects`.
    pub redirects: Vec<RedirectRule>,
}

/// A release, ready to be published.
#[derive(Debug, Clone)]
pub struct Release {
    /// Short digest of the manifest.
    pub id: String,
    /// What the edge reads.
    pub manifest: Manifest,
    /// The manifest as it is written.
    pub manifest_bytes: Arc<[u8]>,
    /// All other files, by their path below `public/`.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// Source maps that are not published.
    pub maps: BTreeMap<String, Vec<u8>>,
}

impl Release {
    /// Where the manifest lies below `public/`.
    pub fn manifest_path(&self) -> String {
        manifest_path(&self.id)
    }
}

/// Makes a release of the files.
pub fn release(compressed: Compressed, rules: Rules) -> Result<Release, Vec<Diagnostic>> {
    let Compressed { named, mut encodings } = compressed;
    encodings.resize_with(named.files.len(), Encodings::new);
    leave_room(&named.files, &mut encodings);
    let logical: BTreeMap<&SourcePath, &str> = (named.files.iter())
        .filter(|file| file.asset.is_some())
        .filter_map(|file| Some((file.source.as_ref()?, file.logical.as_str())))
        .collect();
    let needs = needs::Needs::of(&named.files, &logical);
    let mut manifest = Manifest {
        format: FORMAT,
        base: rules.base,
        assets: LiteMap::new(),
        documents: LiteMap::new(),
        headers: with_true_hashes(rules.headers, &named.inline_hashes),
        redirects: rules.redirects,
    };
    for (file, encodings) in named.files.iter().zip(&encodings) {
        let content = content(file, encodings);
        if let Some(asset) = &file.asset {
            let asset = Asset {
                path: asset.path.clone(),
                imports: needs.imports(file),
                integrity: may_be_vouched_for(file).then(|| integrity(&file.bytes, Algorithm::Sha384)),
                aliases: asset.aliases.clone(),
                content: content.clone(),
            };
            manifest.assets.insert(file.logical.clone(), asset);
        }
        if let Some(path) = &file.document {
            let document = Document {
                asset: file.asset.as_ref().map(|_| file.logical.clone()),
                preloads: needs.preloads(file),
                script_hashes: needs::script_hashes(file),
                content,
            };
            manifest.documents.insert(path.clone(), document);
        }
    }
    let manifest_bytes: Arc<[u8]> = json(&manifest).into();
    let id = Digest::of(&manifest_bytes).fingerprint();
    let files = files(&id, &named.files, encodings);
    let too_large = too_large(&files);
    if too_large.is_empty() {
        Ok(Release { id, manifest, manifest_bytes, files, maps: named.maps })
    } else {
        Err(too_large)
    }
}

/// Formats of our own as they are written: one line per value, for people who compare two of them.
pub fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our formats have string keys and no foreign serialisers");
    bytes.push(b'\n');
    bytes
}

/// The settings with the hashes of the release's inline scripts in their policies, in every environment.
pub fn true_settings(mut file: SettingsFile, changed: &BTreeMap<String, String>) -> SettingsFile {
    for settings in file.envs.iter_mut().map(|(_, settings)| settings).chain([&mut file.settings]) {
        settings.headers = with_true_hashes(std::mem::take(&mut settings.headers), changed);
    }
    file
}

/// Policies of `_headers` and of the settings that allow inline scripts by their hash go on doing so.
fn with_true_hashes(mut rules: Vec<HeaderRule>, changed: &BTreeMap<String, String>) -> Vec<HeaderRule> {
    let fields = rules.iter_mut().flat_map(|rule| &mut rule.set);
    for (_, value) in fields.filter(|(name, _)| name.starts_with("content-security-policy")) {
        *value = replace_hashes(value, changed);
    }
    rules
}

/// Scripts and style sheets are what `integrity` attributes exist for.
fn may_be_vouched_for(file: &NamedFile) -> bool {
    use crate::scan::Kind;
    matches!(file.kind, Kind::Script | Kind::Css)
}

fn content(file: &NamedFile, encodings: &Encodings) -> Content {
    let path = file.document.as_deref().unwrap_or(&file.logical);
    let encoded = |bytes: &Vec<u8>| Encoded { size: bytes.len() as u64, sha256: Digest::of(bytes).hex() };
    Content {
        media_type: media_type::of(path, file.kind).to_owned(),
        size: file.bytes.len() as u64,
        sha256: Digest::of(&file.bytes).hex(),
        encodings: encodings.iter().map(|(&coding, bytes)| (coding, encoded(bytes))).collect(),
    }
}

/// Where the source has a file of its own under the name of an encoding (`data.json.gz` beside `data.json`), the
/// encoding gives way.
fn leave_room(files: &[NamedFile], encodings: &mut [Encodings]) {
    let taken: std::collections::BTreeSet<String> = files.iter().flat_map(places).map(str::to_lowercase).collect();
    for (file, encodings) in files.iter().zip(encodings) {
        let free = |coding: Coding| {
            places(file).all(|place| !taken.contains(&format!("{place}{}", coding.extension()).to_lowercase()))
        };
        encodings.retain(|&coding, _| free(coding));
    }
}

fn places(file: &NamedFile) -> impl Iterator<Item = &str> {
    file.asset.as_ref().map(|asset| asset.path.as_str()).into_iter().chain(file.document.as_deref())
}

/// A document whose bytes an asset has too needs no copy of its own.
fn files(id: &str, named: &[NamedFile], encodings: Vec<Encodings>) -> BTreeMap<String, Arc<[u8]>> {
    let mut files = BTreeMap::new();
    for (file, encodings) in named.iter().zip(encodings) {
        let place = match (&file.asset, &file.document) {
            (Some(asset), _) => asset.path.clone(),
            (None, Some(path)) => document_path(id, path),
            (None, None) => continue,
        };
        for (coding, bytes) in encodings {
            files.insert(format!("{place}{}", coding.extension()), bytes.into());
        }
        files.insert(place, file.bytes.clone());
    }
    files
}

fn too_large(files: &BTreeMap<String, Arc<[u8]>>) -> Vec<Diagnostic> {
    let large = files.iter().filter(|(_, bytes)| bytes.len() as u64 > LARGEST_FILE);
    let error = |(path, bytes): (&String, &Arc<[u8]>)| {
        let message = format!("the file has {} bytes; the platform takes at most {LARGEST_FILE} (25 MiB)", bytes.len());
        Diagnostic::error(path.as_str(), "too-large", message)
    };
    large.map(error).collect()
}

#[cfg(test)]
mod tests;

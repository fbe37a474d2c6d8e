//! What was built, for people (a table) and programs (JSON).

mod table;

use std::collections::{BTreeMap, BTreeSet};

use rimward_edge::release::manifest::{Coding, Content, Manifest};
use serde::Serialize;

use crate::config::Plan;
use crate::diagnostic::Diagnostic;
use crate::publish::{Earlier, FILES_FREE, Published};

pub use table::table;

/// What was built. Its JSON form is `rimward build --json`'s `report`: fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The release that answers now.
    pub release: String,
    /// The release that answered before; absent at the first build.
    pub previous: Option<String>,
    /// The releases that are kept, newest first.
    pub kept: Vec<String>,
    /// One for each file, by logical path.
    pub files: Vec<Line>,
    /// Logical paths that the release before had and this one has not.
    pub gone: Vec<String>,
    /// All told.
    pub totals: Totals,
    /// Files written to the output folder.
    pub written: usize,
    /// Files removed from it.
    pub removed: usize,
    /// Files in it now.
    pub output_files: usize,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its path without the fingerprint.
    pub logical: String,
    /// Its fingerprinted path below the output folder; absent for documents.
    pub path: Option<String>,
    /// In bytes.
    pub size: u64,
    /// As a browser downloads it: brotli where that is kept, else the smallest form, else `size`.
    pub transfer: u64,
    /// Against the release that answered before.
    pub change: Change,
}

/// What became of a file since the release before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "bytes")]
pub enum Change {
    /// It was not there.
    New,
    /// The same bytes.
    Same,
    /// Other bytes: by how much the transfer grew.
    Changed(i64),
}

/// Sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files.
    pub files: usize,
    /// Their size, in bytes.
    pub size: u64,
    /// Their transfer, in bytes.
    pub transfer: u64,
    /// Transfer of what is new or changed: what a returning visitor who has everything else downloads at most.
    pub changed: u64,
}

impl Report {
    /// Compares a release with the one that answered before.
    pub fn new(manifest: &Manifest, earlier: &Earlier, published: &Published) -> Report {
        let before = earlier.current().map(lines_of).unwrap_or_default();
        let now = lines_of(manifest);
        let files: Vec<Line> = (now.iter())
            .map(|(logical, (path, content))| Line {
                logical: (*logical).to_owned(),
                path: path.map(str::to_owned),
                size: content.size,
                transfer: transfer(content),
                change: change(before.get(logical).map(|(_, content)| *content), content),
            })
            .collect();
        let totals = Totals {
            files: files.len(),
            size: files.iter().map(|line| line.size).sum(),
            transfer: files.iter().map(|line| line.transfer).sum(),
            changed: files.iter().filter(|line| line.change != Change::Same).map(|line| line.transfer).sum(),
        };
        Report {
            release: published.id.clone(),
            previous: earlier.current_id().map(str::to_owned),
            kept: published.kept.clone(),
            gone: before
                .keys()
                .filter(|logical| !now.contains_key(*logical))
                .map(|&logical| logical.to_owned())
                .collect(),
            files,
            totals,
            written: published.written,
            removed: published.removed,
            output_files: published.files,
        }
    }
}

/// Each file once: a document that is an asset too counts as the asset.
fn lines_of(manifest: &Manifest) -> BTreeMap<&str, (Option<&str>, &Content)> {
    let documents = manifest.documents.iter().filter(|(_, document)| document.asset.is_none());
    let documents = documents.map(|(path, document)| (path.as_str(), (None, &document.content)));
    let assets = manifest.assets.iter();
    let assets = assets.map(|(logical, asset)| (logical.as_str(), (Some(asset.path.as_str()), &asset.content)));
    documents.chain(assets).collect()
}

fn transfer(content: &Content) -> u64 {
    let smallest = || content.encodings.values().map(|encoded| encoded.size).min();
    content.encodings.get(&Coding::Br).map(|encoded| encoded.size).or_else(smallest).unwrap_or(content.size)
}

fn change(before: Option<&Content>, now: &Content) -> Change {
    match before {
        None => Change::New,
        Some(before) if before.sha256 == now.sha256 => Change::Same,
        Some(before) => {
            let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            Change::Changed(signed(transfer(now)) - signed(transfer(before)))
        }
    }
}

/// What a person should know about the output folder.
pub fn remarks(plan: &Plan, published: &Published) -> Vec<Diagnostic> {
    let output = plan.settings.output.as_str();
    let mut remarks = Vec::new();
    let shown: BTreeSet<&str> = published.foreign.iter().take(3).map(String::as_str).collect();
    if !shown.is_empty() {
        let names: Vec<String> = shown.iter().map(|name| format!("`{name}`")).collect();
        let more = published.foreign.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("files that no release names are left alone and not served: {}{more}", names.join(", "));
        remarks.push(Diagnostic::warning(output, "foreign-files", message));
    }
    for path in &published.repaired {
        let message = "the file had been damaged since it was published; it was written anew";
        remarks.push(Diagnostic::warning(format!("{output}/{path}"), "repaired", message));
    }
    if published.files > FILES_FREE {
        let message = format!(
            "the folder holds {} files; without a paid plan the platform takes at most {FILES_FREE}",
            published.files
        );
        remarks.push(Diagnostic::warning(output, "many-files", message).hint("lower `[build] keep_releases`"));
    }
    remarks
}

#[cfg(test)]
mod tests;

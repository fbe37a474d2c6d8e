//! What the import maps of the pages lead to.
//!
//! Their keys are no files (Vite's `chunkImportMap`, Parcel's ids): a specifier that is one of them stays as it is, and
//! refers to the file that the map names. A key that ends with `/` stands for a whole folder: what is asked for by it
//! has the names that the bundler wrote, so scripts there keep them, lest one runs twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Names;
use super::resolve::{How, Location, Resolved};
use crate::link::Naming;
use crate::scan::{Kind, Source, SourcePath, Sources};

/// The entries of all import maps; of two with the same key the first counts.
#[derive(Debug, Clone, Default)]
pub(super) struct ImportMap {
    bare: BTreeMap<String, SourcePath>,
    paths: BTreeMap<String, SourcePath>,
    /// Below the base, each with its trailing slash; the base itself is empty.
    folders: BTreeSet<String>,
}

impl ImportMap {
    pub(super) fn of(sources: &Sources, names: &Names) -> ImportMap {
        let mut map = ImportMap::default();
        for source in sources.files.values().filter(|source| source.kind == Kind::Html) {
            for text in source.text().into_iter().flat_map(maps_in) {
                map.add(source, text, names);
            }
        }
        map
    }

    /// Where a bare specifier leads.
    pub(super) fn bare(&self, specifier: &str) -> Option<&SourcePath> {
        self.bare.get(specifier)
    }

    /// Where a path below the base leads.
    pub(super) fn path(&self, path: &str) -> Option<&SourcePath> {
        self.paths.get(path)
    }

    /// The scripts without a fingerprint in folders that a key stands for.
    pub(super) fn below_prefixes(&self, names: &Names) -> Vec<SourcePath> {
        let is_below = |path: &SourcePath| self.folders.iter().any(|folder| path.as_str().starts_with(folder));
        let scripts = names.files.iter().filter(|(_, file)| file.kind == Kind::Script);
        let plain = scripts.filter(|(_, file)| matches!(file.naming, Naming::Plain { .. }));
        plain.map(|(path, _)| path).filter(|path| is_below(path)).cloned().collect()
    }

    fn add(&mut self, page: &Source, text: &str, names: &Names) {
        let Ok(map) = serde_json::from_str::<Value>(text) else { return };
        let imports = map.get("imports").and_then(Value::as_object);
        let by_scope = map.get("scopes").and_then(Value::as_object);
        let scoped = by_scope.into_iter().flat_map(|scopes| scopes.values()).filter_map(Value::as_object);
        for (key, address) in imports.into_iter().chain(scoped).flatten() {
            let address = address.as_str().unwrap_or_default();
            if key.ends_with('/') {
                if let Some(Location::Path { path, .. }) = names.locate(&page.path, address, How::File) {
                    self.folders.insert(path);
                }
                continue;
            }
            let Resolved::File { to, .. } = names.resolve(&page.path, address, How::File) else { continue };
            match names.locate(&page.path, key, How::Module) {
                Some(Location::Path { path, .. }) => drop(self.paths.entry(path).or_insert(to)),
                _ => drop(self.bare.entry(key.clone()).or_insert(to)),
            }
        }
    }
}

/// What stands between the tags of import maps.
fn maps_in(page: &str) -> impl Iterator<Item = &str> {
    page.match_indices("importmap").filter_map(|(at, _)| {
        let tag = page[..at].rfind('<').filter(|&start| page[start + 1..].starts_with("script"))?;
        let start = tag + page[tag..].find('>')? + 1;
        let end = start + page[start..].find("</script")?;
        Some(&page[start..end])
    })
}

//! What an asset imports and what a page needs at once, in terms of logical paths.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use rimward_edge::release::manifest::Preload;

use crate::link::ReferenceKind;
use crate::link::html::inline_script_hashes;
use crate::name::NamedFile;
use crate::scan::{Kind, SourcePath};
use crate::syntax::html::{Token, tokens};

/// Who needs what.
pub(super) struct Needs<'a> {
    files: BTreeMap<&'a SourcePath, &'a NamedFile>,
    /// Of the assets.
    logical: &'a BTreeMap<&'a SourcePath, &'a str>,
}

impl<'a> Needs<'a> {
    /// Of these files; `logical` has the assets among them.
    pub(super) fn of(files: &'a [NamedFile], logical: &'a BTreeMap<&'a SourcePath, &'a str>) -> Needs<'a> {
        let files = files.iter().filter_map(|file| Some((file.source.as_ref()?, file))).collect();
        Needs { files, logical }
    }

    /// Static imports of a module, `@import`s of a style sheet: each once, in their order.
    pub(super) fn imports(&self, file: &NamedFile) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let imported =
            static_imports(file).filter(|to| file.source.as_ref() != Some(*to)).filter(|to| seen.insert(*to));
        imported.filter_map(|to| self.logical.get(to)).map(|&logical| logical.to_owned()).collect()
    }

    /// What a page needs: what it says, in its order; behind each module what that imports, nearest first;
    /// at last what its inline modules import.
    pub(super) fn preloads(&self, page: &NamedFile) -> Vec<Preload> {
        if page.kind != Kind::Html {
            return Vec::new();
        }
        let stated = stated_integrity(page);
        let mut preloads = Preloads { needs: self, stated, seen: BTreeSet::new(), list: Vec::new() };
        for need in &page.needs {
            let fetch = if need.crossorigin { Fetch::Cors } else { Fetch::Plain };
            if need.module {
                preloads.module_graph(&need.file);
            } else {
                preloads.push(&need.file, &need.destination, fetch);
            }
        }
        for reference in page.references.iter().filter(|reference| reference.kind == ReferenceKind::Import) {
            preloads.module_graph(&reference.to);
        }
        preloads.list
    }
}

fn static_imports(file: &NamedFile) -> impl Iterator<Item = &SourcePath> {
    let wanted = match file.kind {
        Kind::Css => ReferenceKind::Stylesheet,
        _ => ReferenceKind::Import,
    };
    file.references.iter().filter(move |reference| reference.kind == wanted).map(|reference| &reference.to)
}

/// How a browser will ask for a file: a preload in another mode is fetched twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetch {
    Plain,
    Cors,
    Module,
}

struct Preloads<'a> {
    needs: &'a Needs<'a>,
    /// By file name.
    stated: BTreeMap<String, String>,
    seen: BTreeSet<SourcePath>,
    list: Vec<Preload>,
}

impl Preloads<'_> {
    /// Whether it was not there yet.
    fn push(&mut self, to: &SourcePath, destination: &str, fetch: Fetch) -> bool {
        let new = self.seen.insert(to.clone());
        if new && let Some(&asset) = self.needs.logical.get(to) {
            self.list.push(Preload {
                asset: asset.to_owned(),
                destination: destination.to_owned(),
                module: fetch == Fetch::Module,
                crossorigin: fetch != Fetch::Plain,
                integrity: self.integrity(to),
            });
        }
        new
    }

    fn integrity(&self, to: &SourcePath) -> Option<String> {
        let asset = self.needs.files.get(to)?.asset.as_ref()?;
        self.stated.get(asset.path.rsplit('/').next()?).cloned()
    }

    fn module_graph(&mut self, entry: &SourcePath) {
        let mut level = vec![entry.clone()];
        while !level.is_empty() {
            let new: Vec<SourcePath> = level.into_iter().filter(|to| self.push(to, "script", Fetch::Module)).collect();
            let imports =
                new.iter().filter_map(|path| self.needs.files.get(path)).flat_map(|file| static_imports(file));
            level = imports.cloned().collect();
        }
    }
}

/// The `integrity` values of a page as it is published, by the names of the files that they are of: names with a
/// fingerprint are nobody else's.
fn stated_integrity(page: &NamedFile) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(&page.bytes).unwrap_or_default();
    let tokens = tokens(text).unwrap_or_default();
    let tags = tokens.iter().filter_map(|token| if let Token::Start(tag) = token { Some(tag) } else { None });
    let stated = tags.filter_map(|tag| {
        let integrity = tag.value(text, "integrity")?;
        let url = tag.value(text, "src").or_else(|| tag.value(text, "href"))?;
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name = percent_decode_str(path.rsplit('/').next().unwrap_or_default()).decode_utf8().ok()?.into_owned();
        Some((name, integrity.trim().to_owned()))
    });
    stated.collect()
}

/// Digests of a page's inline scripts.
pub(super) fn script_hashes(file: &NamedFile) -> Vec<String> {
    match (file.kind, std::str::from_utf8(&file.bytes)) {
        (Kind::Html, Ok(text)) => inline_script_hashes(text),
        _ => Vec::new(),
    }
}

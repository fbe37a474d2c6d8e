//! A release as it is looked up: every URL that one of its files answers at.

use std::collections::{HashMap, HashSet};

use super::file::{File, Role};
use super::links;
use super::manifest::{Asset, Document, Manifest, document_path};
use crate::path;

/// One release, ready to be asked.
#[derive(Debug)]
pub struct Release {
    /// Its id.
    pub id: String,
    base: String,
    files: Vec<File>,
    /// By decoded path.
    entries: HashMap<Box<str>, Entry>,
    /// Decoded paths, with a slash at the end, of the folders that assets lie in.
    asset_folders: HashSet<String>,
}

#[derive(Debug)]
enum Entry {
    File(usize),
    /// Another spelling of the file's URL.
    Moved(usize),
}

/// What is at a path.
#[derive(Debug, Clone, Copy)]
pub enum Found<'release> {
    /// A file.
    File(&'release File),
    /// Another spelling of this file's URL.
    Moved(&'release File),
    /// Nothing of this release.
    Nothing,
}

impl Release {
    /// The release that answers: its assets, documents and aliases.
    pub fn current(id: &str, manifest: &Manifest) -> Release {
        let mut release = Release::empty(id, manifest);
        let is_page = |path: &str| path.strip_suffix(".html").is_some();
        let (pages, others): (Vec<_>, Vec<_>) = manifest.documents.iter().partition(|(path, _)| is_page(path));
        for (path, document) in others {
            release.add_document(manifest, path, path, document);
        }
        release.add_assets(manifest);
        let mut spellings = Vec::new();
        for (path, document) in pages {
            let (canonical, others) = page_paths(path);
            // A file may already lie where the page would be answered: then it keeps its own name.
            let taken = release.entries.contains_key(release.url(canonical).as_str());
            let place = release.add_document(manifest, path, if taken { path } else { canonical }, document);
            if !taken {
                spellings.extend(others.into_iter().map(|other| (other, place)));
            }
        }
        release.add_aliases(manifest);
        for (other, place) in spellings {
            release.enter(&other, Entry::Moved(place));
        }
        let without_slash = release.base.trim_end_matches('/').to_owned();
        if let (false, Some(&Entry::File(root))) =
            (without_slash.is_empty(), release.entries.get(release.base.as_str()))
        {
            release.entries.entry(without_slash.into()).or_insert(Entry::Moved(root));
        }
        release
    }

    /// An earlier release: open tabs still ask for its assets, by its names and the bundler's.
    pub fn earlier(id: &str, manifest: &Manifest) -> Release {
        let mut release = Release::empty(id, manifest);
        release.add_assets(manifest);
        release.add_aliases(manifest);
        release
    }

    /// What is at a decoded path.
    pub fn find(&self, decoded: &str) -> Found<'_> {
        match self.entries.get(decoded) {
            Some(&Entry::File(place)) => Found::File(&self.files[place]),
            Some(&Entry::Moved(place)) => Found::Moved(&self.files[place]),
            None => Found::Nothing,
        }
    }

    /// Every decoded path that something is at.
    pub fn answers(&self) -> impl Iterator<Item = (&str, Found<'_>)> {
        self.entries.keys().map(|decoded| (&**decoded, self.find(decoded)))
    }

    /// The file that a rule names, by whatever spelling of its URL.
    pub fn named(&self, decoded: &str) -> Option<&File> {
        match self.find(decoded) {
            Found::File(file) | Found::Moved(file) => Some(file),
            Found::Nothing => None,
        }
    }

    /// The document at a path below the base.
    pub fn document(&self, path: &str) -> Option<&File> {
        self.named(&self.url(path.trim_start_matches('/')))
    }

    /// Whether a decoded path lies where this release is answered.
    pub fn is_below_base(&self, decoded: &str) -> bool {
        decoded.starts_with(self.base.as_str()) || decoded == self.base.trim_end_matches('/')
    }

    /// Whether a decoded path lies in a folder of assets: nothing else answers there.
    pub fn is_in_asset_folder(&self, decoded: &str) -> bool {
        let ends = decoded.char_indices().filter(|&(_, c)| c == '/').map(|(at, _)| &decoded[..=at]);
        ends.skip(1).any(|folder| self.asset_folders.contains(folder))
    }

    fn empty(id: &str, manifest: &Manifest) -> Release {
        let base = manifest.base.clone();
        let folder = |asset: &Asset| asset.path.rsplit_once('/').map(|(folder, _)| format!("{base}{folder}/"));
        Release {
            id: id.to_owned(),
            asset_folders: manifest.assets.values().filter_map(folder).collect(),
            base,
            files: Vec::with_capacity(manifest.assets.len() + manifest.documents.len()),
            entries: HashMap::with_capacity(2 * manifest.assets.len() + 3 * manifest.documents.len()),
        }
    }

    fn add_assets<'m>(&mut self, manifest: &'m Manifest) {
        let own = |(path, document): (&'m String, &'m Document)| Some((document.asset.as_deref()?, path.as_str()));
        let own: HashMap<&str, &str> = manifest.documents.iter().filter_map(own).collect();
        for (logical, asset) in manifest.assets.iter() {
            let known_as = own.get(logical.as_str()).copied().or(asset.aliases.first().map(String::as_str));
            let known_as = known_as.map(|path| path::encode(&self.url(path)));
            let file = |url, role| File { known_as, ..File::new(url, role, &asset.path, &asset.content) };
            self.add(&asset.path, Role::Asset, file);
        }
    }

    fn add_aliases(&mut self, manifest: &Manifest) {
        for asset in manifest.assets.values() {
            for alias in &asset.aliases {
                self.add(alias, Role::Document, |url, role| File::new(url, role, &asset.path, &asset.content));
            }
        }
    }

    fn add_document(&mut self, manifest: &Manifest, path: &str, served_at: &str, document: &Document) -> usize {
        let asset = document.asset.as_ref().and_then(|logical| manifest.assets.get(logical));
        let location = match asset {
            Some(asset) => asset.path.clone(),
            None => document_path(&self.id, path),
        };
        let role = if document.content.media_type.starts_with("text/html") {
            Role::Page { links: links::of_page(manifest, document), script_hashes: document.script_hashes.clone() }
        } else {
            Role::Document
        };
        self.add(served_at, role, |url, role| File::new(url, role, &location, &document.content))
    }

    /// Adds a file at a path below the base, where nothing is there yet.
    fn add(&mut self, path: &str, role: Role, make: impl FnOnce(String, Role) -> File) -> usize {
        let place = self.files.len();
        self.files.push(make(path::encode(&self.url(path)), role));
        self.enter(path, Entry::File(place));
        place
    }

    fn enter(&mut self, path: &str, entry: Entry) {
        self.entries.entry(self.url(path).into()).or_insert(entry);
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The path that a page is answered at, and its other spellings: `about.html` at `about`, `docs/index.html` at `docs/`.
fn page_paths(path: &str) -> (&str, Vec<String>) {
    let stem = path.strip_suffix(".html").unwrap_or(path);
    match stem.strip_suffix("index").filter(|folder| folder.is_empty() || folder.ends_with('/')) {
        Some(folder) => {
            let mut others = vec![path.to_owned(), stem.to_owned()];
            others.extend(folder.strip_suffix('/').map(str::to_owned));
            (folder, others)
        }
        None => (stem, vec![path.to_owned(), format!("{stem}/")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(base: &str, assets: &[(&str, &[&str])], documents: &[&str]) -> Release {
        let content = |media_type: &str| serde_json::json!({ "type": media_type, "size": 1, "sha256": "00" });
        let assets: serde_json::Map<_, _> = assets
            .iter()
            .map(|&(path, aliases)| {
                let mut asset = content("text/javascript");
                asset["path"] = path.into();
                asset["aliases"] = aliases.into();
                (path.to_owned(), asset)
            })
            .collect();
        let media_type = |path: &str| if path.contains(".html") { "text/html" } else { "text/plain" };
        let documents: serde_json::Map<_, _> =
            documents.iter().map(|&path| (path.to_owned(), content(media_type(path)))).collect();
        let manifest = serde_json::json!({ "format": 1, "base": base, "assets": assets, "documents": documents });
        Release::current("r1", &serde_json::from_value(manifest).unwrap())
    }

    #[track_caller]
    fn check(release: &Release, path: &str, expected: &str) {
        let found = match release.find(path) {
            Found::File(file) => format!("{} at {}", file.identity().location, file.url),
            Found::Moved(file) => format!("-> {}", file.url),
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_page_has_one_url_and_its_other_spellings_lead_there() {
        let release = release("/", &[], &["index.html", "about.html", "docs/index.html", "robots.txt", "a b/é.html"]);
        check(&release, "/", "_rimward/releases/r1/index.html at /");
        check(&release, "/index.html", "-> /");
        check(&release, "/index", "-> /");
        check(&release, "/about", "_rimward/releases/r1/about.html at /about");
        check(&release, "/about.html", "-> /about");
        check(&release, "/about/", "-> /about");
        check(&release, "/docs/", "_rimward/releases/r1/docs/index.html at /docs/");
        check(&release, "/docs", "-> /docs/");
        check(&release, "/docs/index.html", "-> /docs/");
        check(&release, "/robots.txt", "_rimward/releases/r1/robots.txt at /robots.txt");
        check(&release, "/robots.txt/", "nothing");
        check(&release, "/a b/é.html", "-> /a%20b/%C3%A9");
    }

    #[test]
    fn pages_that_would_meet_keep_apart() {
        let both = release("/", &[], &["docs.html", "docs/index.html"]);
        check(&both, "/docs", "_rimward/releases/r1/docs.html at /docs");
        check(&both, "/docs/", "_rimward/releases/r1/docs/index.html at /docs/");
        let taken = release("/", &[], &["about", "about.html"]);
        check(&taken, "/about", "_rimward/releases/r1/about at /about");
        check(&taken, "/about.html", "_rimward/releases/r1/about.html at /about.html");
    }

    #[test]
    fn everything_lies_below_the_base() {
        let release = release("/shop/", &[("assets/app.0123456789.js", &["assets/app-Bx1.js"])], &["index.html"]);
        check(&release, "/shop/", "_rimward/releases/r1/index.html at /shop/");
        check(&release, "/shop", "-> /shop/");
        check(&release, "/", "nothing");
        check(&release, "/assets/app.0123456789.js", "nothing");
        check(&release, "/shop/assets/app.0123456789.js", "assets/app.0123456789.js at /shop/assets/app.0123456789.js");
        check(&release, "/shop/assets/app-Bx1.js", "assets/app.0123456789.js at /shop/assets/app-Bx1.js");
        assert!(release.is_in_asset_folder("/shop/assets/gone"));
        assert!(release.is_in_asset_folder("/shop/assets/deep/gone"));
        assert!(!release.is_in_asset_folder("/shop/assets"));
        assert!(!release.is_in_asset_folder("/shop/user"));
        assert!(
            release.is_below_base("/shop") && release.is_below_base("/shop/x") && !release.is_below_base("/shopping")
        );
    }
}

//! Which URLs answer otherwise since the release before: with other bytes, under another head, or not at all.
//!
//! It is the edge's own table of a release and its own head rules that are compared: what is listed is what a client
//! would see. URLs that nobody had before are not listed, for nobody can have kept their answer; nor are answers at URLs that
//! no file has (the fallback page, rules with patterns): they are revalidated each time.

use std::collections::BTreeMap;
use std::path::Path;

use http::HeaderMap;
use rimward_edge::config::{Settings, SettingsFile};
use rimward_edge::path;
use rimward_edge::release::file::{File, HeadKind, Place};
use rimward_edge::release::head;
use rimward_edge::release::manifest::{Manifest, settings_path};
use rimward_edge::release::table::{Found, Release};
use rimward_edge::rewrite::HeaderRules;
use rimward_edge::route::spelled;
use serde::{Deserialize, Serialize};

use crate::fs::Files;
use crate::publish::{CHANGES_PATH, Earlier};

/// The file at [`CHANGES_PATH`]: the change sets of the last builds, newest first, each beginning where the next one ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// One for each build that changed what answers.
    pub sets: Vec<ChangeSet>,
}

/// What changed from one release to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The id of the release before.
    pub from: String,
    /// The id of the release that answers now. The same where only the settings changed.
    pub to: String,
    /// By the URL's path.
    pub urls: BTreeMap<String, Change>,
}

/// What became of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Other bytes, or another target of its redirect.
    Bytes,
    /// The same bytes under another head.
    Headers,
    /// Nothing answers there any more.
    Gone,
}

/// What answers at each URL of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    release: String,
    by_url: BTreeMap<String, Answer>,
}

#[derive(Debug, Clone, PartialEq)]
struct Answer {
    /// Of all encodings, or the target of a redirect.
    bytes: String,
    head: HeaderMap,
}

impl Answers {
    /// What answers once a release is current, with earlier ones beside it, newest first.
    pub fn of<'a>(
        current: (&str, &Manifest),
        earlier: impl Iterator<Item = (&'a str, &'a Manifest)>,
        settings: &Settings,
    ) -> Answers {
        let (id, manifest) = current;
        let rules = HeaderRules::new(manifest.headers.iter().chain(&settings.headers), &spelled);
        let mut by_url = BTreeMap::new();
        let releases = std::iter::once(Release::current(id, manifest));
        for release in releases.chain(earlier.map(|(id, manifest)| Release::earlier(id, manifest))) {
            for (decoded, found) in release.answers() {
                let url = path::encode(decoded);
                let answer = match found {
                    Found::File(file) => of_file(file, &url, &rules, settings),
                    Found::Moved(file) => Answer { bytes: format!("-> {}", file.url), head: HeaderMap::new() },
                    Found::Nothing => continue,
                };
                by_url.entry(url).or_insert(answer);
            }
        }
        Answers { release: id.to_owned(), by_url }
    }

    /// What answers now from `output`; `None` before the first build, and where its settings cannot be read.
    pub fn published(files: &dyn Files, output: &Path, earlier: &Earlier) -> Option<Answers> {
        let current = earlier.current_id()?;
        let settings = files.read(&output.join(settings_path(earlier.settings_sha256()?))).ok()?;
        let settings: SettingsFile = serde_json::from_slice(&settings).ok()?;
        let (now, others): (Vec<_>, Vec<_>) = earlier.releases().partition(|(id, _)| *id == current);
        Some(Answers::of(*now.first()?, others.into_iter(), settings.chosen()))
    }
}

fn of_file(file: &File, url: &str, rules: &HeaderRules, settings: &Settings) -> Answer {
    let bytes: Vec<&str> = file.forms.iter().map(|form| form.etag.as_str()).collect();
    // Everything but the length, which is that of the form.
    let mut head = head::of_form(file, file.identity(), HeadKind::Part, Place::Own, &settings.document.cache_control);
    rules.apply_to_file(url, file.known_as.as_deref(), &mut head);
    Answer { bytes: bytes.join(" "), head }
}

impl Changes {
    /// What is published in `output`. A file that cannot be read says nothing.
    pub fn published(files: &dyn Files, output: &Path) -> Changes {
        let bytes = files.read(&output.join(CHANGES_PATH)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// With the change from `before` to `after` at its head; at most `keep` of them.
    #[must_use]
    pub fn with(mut self, before: &Answers, after: &Answers, keep: usize) -> Changes {
        let set = ChangeSet { from: before.release.clone(), to: after.release.clone(), urls: between(before, after) };
        // A set of a build whose release never answered, because it was cut short, leads nowhere.
        let follows = self.sets.iter().position(|earlier| earlier.to == set.from).unwrap_or(self.sets.len());
        self.sets.drain(..follows);
        if set.from != set.to || !set.urls.is_empty() {
            self.sets.insert(0, set);
        }
        self.sets.truncate(keep.max(1));
        self
    }

    /// Every URL that changed since a release answered; `None` where that is not known.
    pub fn since(&self, release: &str) -> Option<BTreeMap<String, Change>> {
        let oldest = self.sets.iter().rposition(|set| set.from == release)?;
        let mut urls = BTreeMap::new();
        for set in self.sets[..=oldest].iter().rev() {
            urls.extend(set.urls.iter().map(|(url, change)| (url.clone(), *change)));
        }
        Some(urls)
    }
}

fn between(before: &Answers, after: &Answers) -> BTreeMap<String, Change> {
    let change = |(url, was): (&String, &Answer)| {
        let change = match after.by_url.get(url) {
            None => Change::Gone,
            Some(is) if is.bytes != was.bytes => Change::Bytes,
            Some(is) if is.head != was.head => Change::Headers,
            Some(_) => return None,
        };
        Some((url.clone(), change))
    };
    before.by_url.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use rimward_edge::config::{DocumentSettings, HeaderRule, Site};
    use rimward_edge::route::pattern::Pattern;
    use serde_json::{Value, json};

    use super::*;

    fn settings() -> Settings {
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

    fn content(media_type: &str, bytes: &str) -> Value {
        let sha256 = crate::digest::Digest::of(bytes.as_bytes()).hex();
        json!({ "type": media_type, "size": bytes.len(), "sha256": sha256, "encodings": {} })
    }

    /// A release with a page, a text and a script of these bytes.
    fn manifest(page: &str, text: &str, script: &str) -> Manifest {
        let mut asset = content("text/javascript", script);
        asset["path"] = format!("assets/app.{script}.js").into();
        let manifest = json!({
            "format": rimward_edge::release::manifest::FORMAT,
            "base": "/",
            "assets": { "assets/app.js": asset },
            "documents": { "about/index.html": content("text/html", page), "grüße.txt": content("text/plain", text) },
        });
        serde_json::from_value(manifest).unwrap()
    }

    fn answers(id: &str, manifest: &Manifest, earlier: &[(&str, &Manifest)], settings: &Settings) -> Answers {
        Answers::of((id, manifest), earlier.iter().copied(), settings)
    }

    #[track_caller]
    fn check(before: &Answers, after: &Answers, expected: &[(&str, Change)]) {
        let found = between(before, after);
        let found: Vec<(&str, Change)> = found.iter().map(|(url, change)| (url.as_str(), *change)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_changed_is_listed_under_every_url_that_it_has() {
        let (one, two) = (manifest("one", "one", "one"), manifest("two", "one", "two"));
        let settings = settings();
        let before = answers("r1", &one, &[], &settings);
        check(&before, &answers("r1", &one, &[], &settings), &[]);
        // The page links nothing, so that its neighbours' redirects stay as they are. The new script is nobody's yet.
        let after = answers("r2", &two, &[("r1", &one)], &settings);
        check(&before, &after, &[("/about/", Change::Bytes)]);
        let swept = answers("r2", &two, &[], &settings);
        check(&before, &swept, &[("/about/", Change::Bytes), ("/assets/app.one.js", Change::Gone)]);
        let other = answers("r3", &manifest("one", "other", "one"), &[], &settings);
        check(&before, &other, &[("/gr%C3%BC%C3%9Fe.txt", Change::Bytes)]);
    }

    #[test]
    fn a_page_that_moves_changes_its_other_urls() {
        let one = manifest("one", "one", "one");
        let mut two = one.clone();
        let page = two.documents.remove("about/index.html").unwrap();
        two.documents.insert("about.html".into(), page);
        let settings = settings();
        let before = answers("r1", &one, &[], &settings);
        let changed = between(&before, &answers("r2", &two, &[], &settings));
        assert_eq!(changed.get("/about/"), Some(&Change::Bytes), "{changed:?}");
        assert_eq!(changed.get("/about"), Some(&Change::Bytes), "{changed:?}");
    }

    #[test]
    fn header_rules_change_what_they_match() {
        let one = manifest("one", "one", "one");
        let mut strict = settings();
        strict.headers.push(HeaderRule {
            path: Pattern::parse("/assets/*").unwrap(),
            set: vec![("x-robots-tag".into(), "noindex".into())],
            remove: Vec::new(),
        });
        let (before, after) = (answers("r1", &one, &[], &settings()), answers("r1", &one, &[], &strict));
        check(&before, &after, &[("/assets/app.one.js", Change::Headers)]);
        check(&after, &before, &[("/assets/app.one.js", Change::Headers)]);
        let mut kept = settings();
        kept.document.cache_control = "max-age=60".into();
        let after = answers("r1", &one, &[], &kept);
        check(&before, &after, &[("/about/", Change::Headers), ("/gr%C3%BC%C3%9Fe.txt", Change::Headers)]);
    }

    #[test]
    fn change_sets_add_up_since_any_release_that_is_known() {
        let settings = settings();
        let manifests = [manifest("1", "x", "x"), manifest("2", "x", "x"), manifest("2", "y", "x")];
        let answers: Vec<Answers> = ["r1", "r2", "r3"]
            .iter()
            .zip(&manifests)
            .map(|(id, manifest)| answers(id, manifest, &[], &settings))
            .collect();
        let changes = Changes::default().with(&answers[0], &answers[1], 5).with(&answers[1], &answers[2], 5);
        let urls = |since: &str| changes.since(since).map(|urls| urls.into_keys().collect::<Vec<_>>());
        assert_eq!(urls("r2").unwrap(), ["/gr%C3%BC%C3%9Fe.txt"]);
        assert_eq!(urls("r1").unwrap(), ["/about/", "/gr%C3%BC%C3%9Fe.txt"]);
        assert_eq!((urls("r3"), urls("r0")), (None, None));

        let same = changes.clone().with(&answers[2], &answers[2], 5);
        assert_eq!(same, changes, "a build that changed nothing adds nothing");
        // r3 never answered: the build was cut short, and the next one begins at r2 again.
        let again = changes.clone().with(&answers[1], &answers[0], 5);
        assert_eq!(again.sets.iter().map(|set| set.to.as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
        assert_eq!(changes.with(&answers[2], &answers[0], 2).sets.len(), 2, "bounded");
    }
}

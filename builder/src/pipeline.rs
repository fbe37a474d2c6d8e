//! The one function that orders the stages: scan -> link -> minify -> name -> encode -> manifest -> publish.
//!
//! Each stage takes what the one before it made, so none can be left out. [`make`] ends before anything is written;
//! [`build`] goes on to publish.

use std::time::SystemTime;

use rimward_edge::config::SettingsFile;

use crate::arena;
use crate::cache::Cache;
use crate::changes::{Answers, Changes};
use crate::config::{Plan, Strictness};
use crate::diagnostic::{Diagnostic, Severity};
use crate::encode;
use crate::fs::Files;
use crate::link::{self, NameOptions};
use crate::manifest::{self, Compressed, Release, Rules};
use crate::minify;
use crate::name;
use crate::publish::{self, Beside, Earlier, Place, PublishError, Published};
use crate::report::{self, Report};
use crate::scan::{self, Snapshot};
use crate::settings::{self, AssetsFrom, BuildSettings};
use crate::threads;

/// Where a build is; shown to whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the source folder.
    Scan,
    /// Finding references.
    Link,
    /// Minifying.
    Minify,
    /// Naming.
    Name,
    /// Compressing.
    Encode,
    /// Writing.
    Publish,
}

/// Who is told where a build is.
pub type Progress<'a> = &'a (dyn Fn(Stage) + Sync);

/// A release that is not published yet.
#[derive(Debug)]
pub struct Made {
    /// The release.
    pub release: Release,
    /// The edge's settings, as they are written.
    pub settings: Vec<u8>,
    /// What the platform says with assets, where it answers for them.
    pub platform_headers: Option<String>,
    /// What the source looked like when it was read.
    pub snapshot: Snapshot,
    /// Warnings only.
    pub findings: Vec<Diagnostic>,
}

/// What a build did.
#[derive(Debug)]
pub struct Built {
    /// What was published.
    pub published: Published,
    /// For people and programs.
    pub report: Report,
    /// Warnings only.
    pub findings: Vec<Diagnostic>,
}

/// Why nothing was published.
#[derive(Debug)]
pub enum BuildError {
    /// The source has errors: all of them, and the warnings.
    Source(Vec<Diagnostic>),
    /// The release could not be written; what was found before.
    Publish(PublishError, Vec<Diagnostic>),
    /// The system gives no threads: why.
    Threads(String),
}

/// Builds and publishes. `now` decides only how long results stay in the cache.
pub fn build(plan: &Plan, files: &dyn Files, progress: Progress<'_>, now: SystemTime) -> Result<Built, BuildError> {
    let failed = |error| BuildError::Publish(error, Vec::new());
    let _lock = publish::lock(files, &plan.state).map_err(failed)?;
    let earlier = publish::earlier(files, &plan.output).map_err(failed)?;
    publish::first_may_begin(files, &plan.output, &earlier).map_err(failed)?;
    let cache = Cache::open(&plan.state.join("cache"), now);
    let mut made = make(plan, files, &earlier, &cache, progress)?;
    made.findings.extend(cache.finish());

    progress(Stage::Publish);
    let changes = scan::changes(files, &plan.source, &plan.source_called, &made.snapshot);
    if !changes.is_empty() {
        return Err(BuildError::Source(changes));
    }
    let place = Place {
        output: plan.output.clone(),
        state: plan.state.clone(),
        keep_releases: plan.settings.keep_releases as usize,
    };
    let changes = changed(plan, files, &earlier, &made).map(|changes| manifest::json(&changes));
    let beside = Beside {
        settings: &made.settings,
        platform_headers: made.platform_headers.as_deref(),
        changes: changes.as_deref(),
    };
    let published = match publish::publish(files, &place, &made.release, &beside, &earlier) {
        Ok(published) => published,
        Err(error) => return Err(BuildError::Publish(error, made.findings)),
    };
    made.findings.extend(report::remarks(plan, &published));
    let report = Report::new(&made.release.manifest, &earlier, &published);
    Ok(Built { published, report, findings: made.findings })
}

/// Which URLs change once the release answers; `None` where none did before, or nothing does.
fn changed(plan: &Plan, files: &dyn Files, earlier: &Earlier, made: &Made) -> Option<Changes> {
    let before = Answers::published(files, &plan.output, earlier)?;
    let settings: SettingsFile = serde_json::from_slice(&made.settings).ok()?;
    let (release, keep) = (&made.release, plan.settings.keep_releases as usize);
    let beside = publish::kept_beside(release, earlier, keep);
    let after = Answers::of((&release.id, &release.manifest), beside, settings.chosen());
    let known = Changes::published(files, &plan.output);
    let changes = known.clone().with(&before, &after, keep);
    (changes != known).then_some(changes)
}

/// Makes a release in memory.
pub fn make(
    plan: &Plan,
    files: &dyn Files,
    earlier: &Earlier,
    cache: &Cache,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let pool = threads::pool(plan.jobs).map_err(|error| BuildError::Threads(error.to_string()))?;
    let mut findings = Findings::new(plan.strictness);

    progress(Stage::Scan);
    let (sources, snapshot) = scan::scan(files, &plan.source, &plan.source_called).map_err(BuildError::Source)?;
    let base = &plan.settings.base;
    let (headers, found) = settings::parse_headers(sources.headers.as_deref().unwrap_or_default(), base);
    findings.extend(found);
    let (redirects, found) = settings::parse_redirects(sources.redirects.as_deref().unwrap_or_default(), base);
    findings.extend(found);

    progress(Stage::Link);
    let (graph, found) = link::link(&sources, &name_options(plan, files, &sources, earlier), &pool);
    findings.extend(found);

    progress(Stage::Minify);
    let (minimal, found) = minify::minify(graph, minify_options(&plan.settings), cache, &pool);
    pool.broadcast(|_| arena::forget());
    findings.extend(found);

    progress(Stage::Name);
    let (named, found) = match name::name(minimal, plan.settings.source_maps) {
        Ok(named) => named,
        Err(errors) => return Err(findings.fail(errors)),
    };
    findings.extend(found);
    findings.check()?;

    progress(Stage::Encode);
    let bytes: Vec<_> = named.files.iter().map(|file| file.bytes.clone()).collect();
    let encodings = encode::encode_all(&bytes, &plan.settings.encodings, cache, &pool);
    let edge = manifest::true_settings(plan.settings_file.clone(), &named.inline_hashes);
    let mut compressed = Compressed { named, encodings };
    publish::reuse_encodings(files, &plan.output, &mut compressed, earlier);

    let rules = Rules { base: base.clone(), headers, redirects };
    let release = manifest::release(compressed, rules).map_err(|errors| findings.fail(errors))?;
    let missing: Vec<_> = plan.settings.pages.iter().filter_map(|page| page.check(&release.manifest)).collect();
    if !missing.is_empty() {
        return Err(findings.fail(missing));
    }
    findings.extend(no_fallback(plan, &edge, &release));
    findings.check()?;
    let platform_headers = match plan.settings.assets {
        AssetsFrom::Worker => None,
        AssetsFrom::Platform => {
            let rules = release.manifest.headers.iter().chain(&edge.chosen().headers);
            Some(settings::platform_headers(rules).map_err(|errors| findings.fail(errors))?)
        }
    };
    Ok(Made { release, settings: manifest::json(&edge), platform_headers, snapshot, findings: findings.list })
}

fn minify_options(settings: &BuildSettings) -> minify::Options {
    minify::Options { source_maps: settings.source_maps, keep_function_names: settings.keep_function_names }
}

/// The page that answers navigations by default may be missing: other sites than apps have none.
fn no_fallback(plan: &Plan, edge: &SettingsFile, release: &Release) -> Vec<Diagnostic> {
    let fallback = edge.chosen().document.fallback.iter();
    let missing = fallback.filter(|path| !settings::has_page(&release.manifest, path));
    let warning = |path: &String| {
        let text = format!("there is no page `{path}`: nothing answers navigations to unknown paths");
        Diagnostic::warning(plan.source_called.clone(), "no-fallback", text)
            .hint("name the app's page in `fallback` of `[document]`, or write fallback = false")
    };
    missing.map(warning).collect()
}

/// What the settings, the bundler and the release before say about names.
fn name_options(plan: &Plan, files: &dyn Files, sources: &scan::Sources, earlier: &Earlier) -> NameOptions {
    let kept = |path: &&scan::SourcePath| {
        let path = format!("/{path}");
        plan.settings.keep_names.iter().any(|pattern| pattern.matches(&path).is_some())
    };
    NameOptions {
        base: plan.settings.base.clone(),
        hosts: plan.hosts.clone(),
        keep_names: sources.files.keys().filter(kept).map(|path| globset::escape(path.as_str())).collect(),
        grammar: None,
        bundler_manifest: scan::bundler_manifest(files, &plan.source),
        previous: earlier.files(),
    }
}

/// Everything that was found so far. With `--strict` warnings are errors.
struct Findings {
    strictness: Strictness,
    list: Vec<Diagnostic>,
}

impl Findings {
    fn new(strictness: Strictness) -> Findings {
        Findings { strictness, list: Vec::new() }
    }

    fn extend(&mut self, found: Vec<Diagnostic>) {
        self.list.extend(found.into_iter().map(|mut finding| {
            if self.strictness == Strictness::Strict {
                finding.severity = Severity::Error;
            }
            finding
        }));
    }

    /// Fails if there is an error: before what takes long.
    fn check(&mut self) -> Result<(), BuildError> {
        let failed = self.list.iter().any(|finding| finding.severity == Severity::Error);
        if failed { Err(self.fail(Vec::new())) } else { Ok(()) }
    }

    fn fail(&mut self, errors: Vec<Diagnostic>) -> BuildError {
        let mut all = std::mem::take(&mut self.list);
        all.extend(errors);
        BuildError::Source(all)
    }
}

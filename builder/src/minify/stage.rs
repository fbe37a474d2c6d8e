//! The stage: every text of the graph through its format's minifier, in parallel, with results in order.

mod record;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use rayon::ThreadPool;

use super::{Input, Minified, Minifier, Minimal, Refusal, VERSION, check, maps, minifier_of};
use crate::cache::{Cache, Key};
use crate::diagnostic::Diagnostic;
use crate::link::placeholder::Placeholders;
use crate::link::{Edit, Graph, Node, ReferenceKind};
use crate::scan::{Kind, Source, SourcePath};
use crate::settings::SourceMaps;
use crate::threads::work_on;

/// Minifies what has a minifier; everything else is passed on as it is. `wanted` says what becomes of source maps
/// (`[build] source_maps`): private and public ones are composed alike.
pub fn minify(mut graph: Graph, wanted: SourceMaps, cache: &Cache, pool: &ThreadPool) -> (Minimal, Vec<Diagnostic>) {
    let mut source_maps = take_maps(&mut graph);
    let jobs: Vec<Job> = graph.nodes.values().filter_map(|node| Job::of(node, wanted, &source_maps)).collect();
    let weight = |job: &Job<'_>| job.text.len();
    let done = work_on(pool, &jobs, weight, |job| job.run(&graph.placeholders, cache));
    let taken: Vec<SourcePath> = jobs.iter().filter_map(|job| job.map_file.clone()).collect();
    let paths: Vec<SourcePath> = jobs.iter().map(|job| job.node.source.path.clone()).collect();
    for path in &taken {
        source_maps.remove(path);
    }
    let mut diagnostics = Vec::new();
    let mut texts = BTreeMap::new();
    for (path, mut minified) in paths.into_iter().zip(done) {
        diagnostics.append(&mut minified.diagnostics);
        texts.insert(path, minified);
    }
    diagnostics.extend(graph.nodes.values().filter(|node| is_unreadable(node)).map(unreadable));
    for node in graph.nodes.values_mut().filter(|node| texts.contains_key(&node.source.path)) {
        (node.text, node.edits) = (None, Vec::new());
    }
    let stray_maps = if wanted == SourceMaps::Drop { BTreeMap::new() } else { source_maps };
    (Minimal { graph, texts, stray_maps }, diagnostics)
}

/// Source maps are not files of the release like others: they leave the graph, with what refers to them.
fn take_maps(graph: &mut Graph) -> BTreeMap<SourcePath, Source> {
    let is_map = |node: &Node| node.source.kind == Kind::SourceMap;
    let paths: Vec<SourcePath> =
        graph.nodes.values().filter(|node| is_map(node)).map(|node| node.source.path.clone()).collect();
    let taken = paths.iter().filter_map(|path| Some((path.clone(), graph.nodes.remove(path)?.source)));
    taken.collect()
}

fn is_unreadable(node: &Node) -> bool {
    minifier_of(node.source.kind).is_some() && node.text.is_none() && node.source.text().is_none()
}

fn unreadable(node: &Node) -> Diagnostic {
    let message = "cannot minify: it is not UTF-8; it is published as it is";
    Diagnostic::warning(node.source.path.as_str(), "not-utf8", message)
        .hint("have the bundler write UTF-8: files are served with that charset")
}

/// One text, and the map that the bundler wrote for it.
struct Job<'a> {
    node: &'a Node,
    minifier: Minifier,
    /// With placeholders, without the comment that names a map.
    text: &'a str,
    /// As JSON.
    map: Option<Cow<'a, str>>,
    /// The file that the map is.
    map_file: Option<SourcePath>,
}

impl<'a> Job<'a> {
    /// `None` for what has no minifier or is not a text.
    fn of(node: &'a Node, wanted: SourceMaps, source_maps: &'a BTreeMap<SourcePath, Source>) -> Option<Job<'a>> {
        let minifier = minifier_of(node.source.kind)?;
        let whole = node.text.as_deref().or_else(|| node.source.text())?;
        let comment = maps::find_comment(node.source.kind, whole);
        let text = comment.as_ref().map_or(whole, |comment| &whole[..comment.span.start]);
        let mut job = Job { node, minifier, text, map: None, map_file: None };
        let url = comment.map(|comment| comment.url);
        if let Some(data) = url.as_deref().and_then(inline_map) {
            job.map = Some(Cow::Owned(data));
        } else if let Some(source) = map_file(node, url.as_deref(), source_maps) {
            job.map = source.text().map(Cow::Borrowed);
            job.map_file = Some(source.path.clone());
        }
        if wanted == SourceMaps::Drop {
            job.map = None;
        }
        Some(job)
    }

    fn run(&self, placeholders: &Placeholders, cache: &Cache) -> Minified {
        let key = self.key(placeholders);
        if let Some(minified) = cache.find(&key).and_then(|bytes| record::read(&bytes)) {
            return minified;
        }
        let minified = self.make(placeholders);
        // What there is to say must be said in every build.
        if minified.diagnostics.is_empty() {
            cache.store(&key, &record::write(&minified));
        }
        minified
    }

    fn key(&self, placeholders: &Placeholders) -> Key {
        let kinds = format!("{:?} {:?} {}", self.node.source.kind, self.node.script, self.map.is_some());
        let mut key = Key::new("minify", VERSION).with(kinds.as_bytes()).with(placeholders.marker.as_bytes());
        key = key.with(self.text.as_bytes());
        if let Some(map) = &self.map {
            key = key.with(map.as_bytes()).with(&self.node.source.bytes);
        }
        key
    }

    fn make(&self, placeholders: &Placeholders) -> Minified {
        let mut findings = Vec::new();
        let bundlers = self
            .map
            .as_deref()
            .and_then(|json| maps::parse(json).map_err(|error| findings.push(self.warn_of_map(&error))).ok());
        let input = Input {
            path: &self.node.source.path,
            kind: self.node.source.kind,
            text: self.text,
            script: self.node.script,
            wants_map: bundlers.is_some(),
        };
        let mut minified =
            match attempt(self.minifier, &input).and_then(|result| check::accept(self.text, result, placeholders)) {
                Ok(minified) => minified,
                Err(refusal) => {
                    findings.push(self.warn_of_refusal(&refusal));
                    Minified { text: self.text.to_owned(), ..Minified::default() }
                }
            };
        if let Some(bundlers) = bundlers {
            let original = self.node.source.text().unwrap_or_default();
            let shifted = maps::shift(bundlers, original, edits(self.node));
            let composed = match &minified.map {
                Some(map) => maps::compose(map, shifted),
                None => Ok(maps::to_json(shifted.into_parts())),
            };
            minified.map = composed.map_err(|error| findings.push(self.warn_of_map(&error))).ok();
        } else {
            minified.map = None;
        }
        minified.diagnostics.append(&mut findings);
        minified
    }

    fn warn_of_map(&self, error: &str) -> Diagnostic {
        let file = self.map_file.as_ref().unwrap_or(&self.node.source.path);
        let message = format!("cannot read the source map of `{}`: {error}", self.node.source.path);
        Diagnostic::warning(file.as_str(), "unreadable-source-map", message)
            .hint("the file is published without one; set `source_maps = \"drop\"` if none is needed")
    }

    fn warn_of_refusal(&self, refusal: &Refusal) -> Diagnostic {
        let message = format!("cannot minify: {refusal}; it is published as the bundler wrote it");
        let warning = Diagnostic::warning(self.node.source.path.as_str(), "not-minified", message);
        match refusal.offset {
            Some(offset) => warning.at(self.text, offset),
            None => warning,
        }
    }
}

/// Where nothing was replaced there is no text of its own, and edits mean nothing.
fn edits(node: &Node) -> &[Edit] {
    if node.text.is_some() { &node.edits } else { &[] }
}

/// A minifier that panics has no state that anybody sees afterwards: what it was given is shared and unchanged.
fn attempt(minifier: Minifier, input: &Input<'_>) -> Result<Minified, Refusal> {
    catch_unwind(AssertUnwindSafe(|| minifier(input)))
        .unwrap_or_else(|_| Err(Refusal::new("the minifier failed on it")))
}

/// The JSON of a `data:` URL.
fn inline_map(url: &str) -> Option<String> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let bytes = match head.ends_with(";base64") {
        true => base64::engine::general_purpose::STANDARD.decode(data).ok()?,
        false => percent_encoding::percent_decode_str(data).collect(),
    };
    String::from_utf8(bytes).ok()
}

/// The map that a text names; else the one beside it, which is where bundlers put a map that no comment names.
fn map_file<'a>(node: &Node, url: Option<&str>, source_maps: &'a BTreeMap<SourcePath, Source>) -> Option<&'a Source> {
    let referred = node.references.iter().find(|reference| reference.kind == ReferenceKind::SourceMap);
    let named = referred.map(|reference| reference.to.clone()).or_else(|| beside(&node.source.path, url?));
    let hidden = SourcePath::parse(&format!("{}.map", node.source.path));
    named.and_then(|path| source_maps.get(&path)).or_else(|| source_maps.get(&hidden?))
}

/// The file that a relative URL without folders means.
fn beside(path: &SourcePath, url: &str) -> Option<SourcePath> {
    let name = url.split(['?', '#']).next()?;
    let name = name.rsplit('/').next()?;
    let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
    SourcePath::parse(&format!("{}{name}", path.folder()))
}

#[cfg(test)]
mod tests;

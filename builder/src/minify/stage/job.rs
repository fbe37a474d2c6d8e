//! One text of the graph: what is known about it, and what becomes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use oxc_sourcemap::SourceMap;

use super::record;
use crate::cache::{Cache, Key};
use crate::diagnostic::Diagnostic;
use crate::link::placeholder::Placeholders;
use crate::link::{Edit, Node, ReferenceKind};
use crate::minify::{Input, Minified, Minifier, Options, Refusal, VERSION, check, maps, minifier_of};
use crate::scan::{Kind, Source, SourcePath};
use crate::settings::SourceMaps;

/// One text, and the map that the bundler wrote for it.
pub(super) struct Job<'a> {
    pub(super) node: &'a Node,
    minifier: Minifier,
    /// With placeholders, without the comment that names a map.
    pub(super) text: &'a str,
    /// As JSON.
    map: Option<Cow<'a, str>>,
    /// The file that the map is.
    pub(super) map_file: Option<&'a SourcePath>,
    keep_function_names: bool,
}

impl<'a> Job<'a> {
    /// `None` for what has no minifier or is not a text.
    pub(super) fn of(
        node: &'a Node,
        options: Options,
        source_maps: &'a BTreeMap<SourcePath, Source>,
    ) -> Option<Job<'a>> {
        let minifier = minifier_of(node.source.kind)?;
        let whole = node.text.as_deref().or_else(|| node.source.text())?;
        let comment = maps::find_comment(node.source.kind, whole);
        let text = comment.as_ref().map_or(whole, |comment| &whole[..comment.span.start]);
        let keep_function_names = options.keep_function_names;
        let mut job = Job { node, minifier, text, map: None, map_file: None, keep_function_names };
        let url = comment.map(|comment| comment.url);
        if let Some(data) = url.as_deref().and_then(inline_map) {
            job.map = Some(Cow::Owned(data));
        } else if let Some(source) = map_file(node, url.as_deref(), source_maps) {
            job.map = source.text().map(Cow::Borrowed);
            job.map_file = Some(&source.path);
        }
        if options.source_maps == SourceMaps::Drop {
            job.map = None;
        }
        Some(job)
    }

    pub(super) fn run(&self, placeholders: &Placeholders, cache: &Cache) -> Minified {
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
        let (kind, script) = (self.node.source.kind, self.node.script);
        let kinds = format!("{kind:?} {script:?} {} {}", self.map.is_some(), self.keep_function_names);
        let mut key = Key::new("minify", VERSION).with(kinds.as_bytes()).with(placeholders.marker.as_bytes());
        key = key.with(self.text.as_bytes());
        if let Some(map) = &self.map {
            key = key.with(map.as_bytes()).with(&self.node.source.bytes);
        }
        key
    }

    fn make(&self, placeholders: &Placeholders) -> Minified {
        let mut findings = Vec::new();
        let bundlers = self.map.as_deref().map(maps::parse).transpose().unwrap_or_else(|error| {
            findings.push(self.warn_of_map(&error));
            None
        });
        let mut minified = self.minify(bundlers.is_some(), placeholders).unwrap_or_else(|refusal| {
            findings.push(self.warn_of_refusal(&refusal));
            Minified { text: self.text.to_owned(), ..Minified::default() }
        });
        let own = minified.map.take();
        let composed = bundlers.map(|bundlers| self.compose(own.as_deref(), bundlers)).transpose();
        minified.map = composed.unwrap_or_else(|error| {
            findings.push(self.warn_of_map(&error));
            None
        });
        minified.diagnostics.append(&mut findings);
        minified
    }

    fn minify(&self, wants_map: bool, placeholders: &Placeholders) -> Result<Minified, Refusal> {
        let Source { path, kind, .. } = &self.node.source;
        let input = Input {
            path,
            kind: *kind,
            text: self.text,
            script: self.node.script,
            wants_map,
            gently: false,
            keep_function_names: self.keep_function_names,
        };
        let result = check::accept(self.text, attempt(self.minifier, &input)?, placeholders);
        if result.is_ok() || !matches!(kind, Kind::Script | Kind::Html) {
            return result;
        }
        check::accept(self.text, attempt(self.minifier, &Input { gently: true, ..input })?, placeholders)
    }

    /// From the result to what people wrote. A text that passed through has no map of its own.
    fn compose(&self, own: Option<&str>, bundlers: SourceMap<'_>) -> Result<String, String> {
        let shifted = maps::shift(bundlers, self.node.source.text().unwrap_or_default(), edits(self.node));
        match own {
            Some(own) => maps::compose(own, shifted),
            None => Ok(maps::to_json(shifted.into_parts())),
        }
    }

    fn warn_of_map(&self, error: &str) -> Diagnostic {
        let file = self.map_file.unwrap_or(&self.node.source.path);
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
pub(super) fn attempt(minifier: Minifier, input: &Input<'_>) -> Result<Minified, Refusal> {
    catch_unwind(AssertUnwindSafe(|| minifier(input)))
        .unwrap_or_else(|_| Err(Refusal::new("the minifier failed on it")))
}

/// The JSON of a `data:` URL.
fn inline_map(url: &str) -> Option<String> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let bytes = if head.ends_with(";base64") {
        base64::engine::general_purpose::STANDARD.decode(data).ok()?
    } else {
        percent_encoding::percent_decode_str(data).collect()
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

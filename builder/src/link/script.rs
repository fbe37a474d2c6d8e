//! Finds what a script refers to: imports, URLs, workers, and the names that bundlers put into strings and tables.
//!
//! A script can put a name together in any way, so two kinds of finds are kept apart. A bundler's fingerprint, where
//! what stands around it fits the file's name, is certain in any string. A name without one is certain only where the
//! language says what it is (`import`, `new URL`, `new Worker`) or where a whole string is the path of a file.

mod chunks;
mod evaluate;
mod literal;
mod precache;
mod visit;

use std::collections::BTreeSet;
use std::ops::Range;

use oxc::allocator::Allocator;
use oxc::ast::ast::Comment;
use oxc::parser::{ParseOptions, Parser, ParserReturn};
use oxc::span::SourceType;

use super::names::{How, Names, Resolved};
use super::{Edit, Keep, KeepReason, Linked, Reference, ReferenceKind};
use crate::arena;
use crate::diagnostic::Diagnostic;
use crate::minify::{Refusal, bounds};
use crate::scan::{Source, SourcePath};

pub(super) use chunks::complete;
use evaluate::Expression;
use visit::Visitor;

/// What only the whole build can make use of.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Whether it has syntax that only modules have.
    pub(super) is_module: bool,
    /// Files whose paths are compared with something, or are keys.
    pub(super) compared: BTreeSet<SourcePath>,
    /// The ids of chunks that the script asks for, defines or lists.
    chunk_ids: BTreeSet<String>,
    /// Functions that make chunks' names of their ids.
    name_functions: Vec<NameFunction>,
    /// What `n.h()` returns: the hash of the whole build.
    full_hash: Option<String>,
    /// Entries of a precache list whose files have no fingerprint.
    precached: Vec<Precached>,
}

impl Facts {
    /// Takes over those of another part of the same file.
    pub(super) fn absorb(&mut self, part: Facts) {
        self.is_module |= part.is_module;
        self.compared.extend(part.compared);
        self.chunk_ids.extend(part.chunk_ids);
        self.name_functions.extend(part.name_functions);
        self.full_hash = self.full_hash.take().or(part.full_hash);
        self.precached.extend(part.precached);
    }
}

/// A function that makes a chunk's name of its id: webpack's `n.u`, `n.miniCssF`, Rspack's `n.k`.
#[derive(Debug, Clone)]
struct NameFunction {
    /// The whole function.
    span: Range<usize>,
    /// What it returns; nothing where it does what we do not follow.
    result: Option<Expression>,
}

/// `{url: "logo.png", revision: "…"}`.
#[derive(Debug, Clone)]
struct Precached {
    to: SourcePath,
    /// As it stands between the quotes.
    url: String,
    /// Behind the closing brace.
    end: usize,
}

/// Finds the references of a script file.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    link_inline(source, text, 0..text.len(), &source.path, names)
}

/// Finds the references of a script in a page, at `span` of its text. Its relative URLs count from the place of `from`.
pub(super) fn link_inline(source: &Source, text: &str, span: Range<usize>, from: &SourcePath, names: &Names) -> Linked {
    let script = &text[span.clone()];
    arena::with(script.len(), |allocator| {
        let parsed = match parse(allocator, script) {
            Ok(parsed) => parsed,
            Err(refusal) => return unparsed(source, text, span, names, &refusal),
        };
        let mut visitor = Visitor::new(Place { source, from, text, script, start: span.start, names });
        visitor.facts().is_module = parsed.program.source_type.is_module() && parsed.module_record.has_module_syntax;
        visitor.program(&parsed.program);
        for comment in &parsed.program.comments {
            visitor.comment(comment);
        }
        visitor.finish()
    })
}

/// A script of a page whose relative URLs count from another host: which of its names are ours, nobody knows. They stay,
/// and so do the files that may be meant.
pub(super) fn link_elsewhere(source: &Source, text: &str, span: Range<usize>, names: &Names) -> Linked {
    let mut linked = Linked::default();
    keep_mentioned(source, text, span, names, &mut linked);
    linked
}

/// Where a script stands.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    source: &'a Source,
    /// Where its relative URLs count from: the file's path, but for pages with a `<base href>`.
    from: &'a SourcePath,
    /// The file's.
    text: &'a str,
    /// The part of it that is the script.
    script: &'a str,
    start: usize,
    names: &'a Names,
}

/// Who refers to a script is not known yet, so it is parsed as a module where it has a module's syntax, else as a
/// script, and at last as a module all the same: it may `await` at its top.
fn parse<'a>(allocator: &'a Allocator, text: &'a str) -> Result<ParserReturn<'a>, Refusal> {
    bounds::script(text)?;
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let attempt = |kind| Parser::new(allocator, text, kind).with_options(options).parse();
    let failed = |parsed: &ParserReturn<'_>| parsed.panicked || !parsed.diagnostics.is_empty();
    let mut parsed = attempt(SourceType::unambiguous());
    if failed(&parsed) {
        let module = attempt(SourceType::mjs());
        if !failed(&module) {
            return Ok(module);
        }
        // Findings of a program that is complete are about rules that browsers do not check, or check late.
        if parsed.panicked {
            let message =
                parsed.diagnostics.first().map_or("it cannot be parsed".into(), |found| found.message.clone());
            return Err(Refusal::new(message.lines().next().unwrap_or_default().trim_end_matches('.')));
        }
        parsed.diagnostics.clear();
    }
    Ok(parsed)
}

/// A script that is passed through asks for files by the names that it holds: they keep them.
fn unparsed(source: &Source, text: &str, span: Range<usize>, names: &Names, refusal: &Refusal) -> Linked {
    let mut linked = Linked::default();
    keep_mentioned(source, text, span.clone(), names, &mut linked);
    let at = span.start + refusal.offset.unwrap_or(0);
    let message = format!("cannot follow this script: {}; it is published as it is", refusal.reason);
    let warning = Diagnostic::warning(source.path.as_str(), "unreadable-script", message).at(text, at);
    linked.diagnostics.push(warning.hint("files that it names keep their names"));
    linked
}

fn keep_mentioned(source: &Source, text: &str, span: Range<usize>, names: &Names, linked: &mut Linked) {
    for mention in names.mentions(&text[span.clone()]) {
        let at = span.start + mention.span.start..span.start + mention.span.end;
        for to in mention.to {
            linked.references.push(Reference { to: to.clone(), kind: ReferenceKind::Name, span: at.clone() });
            linked.keeps.push(Keep { file: to, reason: KeepReason::NamedByUnreadable(source.path.clone()) });
        }
    }
}

impl Visitor<'_> {
    /// Comments are left alone; the one that names the source map is made anew when names are known. One that names a
    /// file of licences moves, with the licences, to a file of our own, where the bundler's name for it still leads there.
    fn comment(&mut self, comment: &Comment) {
        let place = self.place();
        let start = comment.span.start as usize;
        let Some(text) = place.script.get(start..comment.span.end as usize) else { return };
        if let Some((at, url)) = source_mapping_url(text) {
            let resolved = place.names.resolve(place.from, url, How::File);
            if let Resolved::File { to, .. } = resolved {
                let span = place.start + start + at..place.start + start + at + url.len();
                self.refer(Reference { to, kind: ReferenceKind::SourceMap, span });
            }
        }
    }
}

/// The URL in `//# sourceMappingURL=…`, and where in the comment it begins.
fn source_mapping_url(comment: &str) -> Option<(usize, &str)> {
    const KEY: &str = "sourceMappingURL=";
    let marked = comment.get(2..).is_some_and(|text| text.starts_with(['#', '@']));
    let at = comment.find(KEY).filter(|_| marked)? + KEY.len();
    let url = &comment[at..];
    Some((at, &url[..url.find(|character: char| character.is_whitespace() || character == '*').unwrap_or(url.len())]))
}

#[cfg(test)]
mod tests;

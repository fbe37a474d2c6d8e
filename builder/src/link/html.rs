//! Finds what a page refers to: attributes, source sets, import maps, style sheets and scripts inside the page,
//! integrity values. Comments, templates' text and data blocks (JSON-LD) are left alone.

mod attributes;
mod hashes;
mod import_map;
mod needs;
mod srcset;

use std::ops::Range;

use super::finder::{Certainty, Finder};
use super::names::Names;
use super::{Edit, Linked, ReferenceKind, css, script};
use crate::diagnostic::Diagnostic;
use crate::scan::{Source, SourcePath};
use crate::syntax::entity::html_attribute;
use crate::syntax::html::{ScriptContent, Tag, Token, tokens};
use attributes::Meaning;

pub use hashes::{changed_hashes, inline_script_hashes, refresh_hashes, replace_hashes};
pub use needs::{Need, needs};

/// Pages in pages (`<noscript>`) that are looked into.
const NESTING_LIMIT: usize = 4;

/// Finds the references of a page.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    let mut page = Page { text, finder: Finder::new(source, text, names) };
    page.part(0..text.len(), 0);
    page.finder.finish()
}

/// A page while its references are collected.
struct Page<'a> {
    text: &'a str,
    finder: Finder<'a>,
}

impl Page<'_> {
    /// A part of the text that is HTML: the page, or what a `<noscript>` holds.
    fn part(&mut self, part: Range<usize>, nesting: usize) {
        let tokens = match tokens(&self.text[part.clone()]) {
            Ok(tokens) => tokens,
            Err(unreadable) => {
                let message = unreadable.to_string();
                let finding = Diagnostic::warning(self.finder.source().path.as_str(), "unreadable-page", message);
                self.finder.warn(finding.hint("its references keep the bundler's names, which stay reachable"));
                return;
            }
        };
        let tokens: Vec<Token> = tokens.into_iter().map(|token| token.shifted(part.start)).collect();
        for (at, token) in tokens.iter().enumerate() {
            let Token::Start(tag) = token else { continue };
            self.tag(tag);
            if let Some(Token::Text { span, .. }) = tokens.get(at + 1) {
                match tag.name.as_str() {
                    "script" => self.script(tag, span.clone()),
                    "style" => self.style(span.clone()),
                    "noscript" if nesting < NESTING_LIMIT => self.part(span.clone(), nesting + 1),
                    _ => {}
                }
            }
        }
    }

    fn tag(&mut self, tag: &Tag) {
        if tag.name == "base"
            && let Some(href) = tag.value(self.text, "href")
        {
            self.finder.rebase(href.trim());
            return;
        }
        let mut target = None;
        for attribute in &tag.attributes {
            let Some(span) = attribute.value.clone() else { continue };
            let meaning = attributes::meaning(tag, &attribute.name, self.text);
            let found = self.attribute(meaning, span);
            if matches!(attribute.name.as_str(), "src" | "href") {
                target = target.or(found);
            }
        }
        if let (Some(target), Some(integrity)) =
            (target, tag.attribute("integrity").and_then(|found| found.value.clone()))
        {
            self.integrity(&target, integrity);
        }
    }

    /// A value by what it means; the file that it names, if it names one.
    fn attribute(&mut self, meaning: Meaning, span: Range<usize>) -> Option<SourcePath> {
        match meaning {
            Meaning::Nothing => None,
            Meaning::Url(kind, certainty) => self.finder.url(&html_attribute(self.text, span), kind, certainty),
            Meaning::Candidates => {
                let value = html_attribute(self.text, span);
                for candidate in srcset::urls(&value.text) {
                    let within = |range: Range<usize>| {
                        value.source_of(range.start + candidate.start..range.end + candidate.start)
                    };
                    let url =
                        crate::syntax::spelled::Spelled::verbatim(&value.text[candidate.clone()], 0..candidate.len());
                    self.finder.url_within(&url, ReferenceKind::Image, Certainty::Url, &within);
                }
                None
            }
            Meaning::Declarations => {
                let value = html_attribute(self.text, span);
                css::link_part(&mut self.finder, &value.text, &|range| value.source_of(range));
                None
            }
        }
    }

    fn style(&mut self, span: Range<usize>) {
        let text = self.text;
        css::link_part(&mut self.finder, &text[span.clone()], &|range| {
            range.start + span.start..range.end + span.start
        });
    }

    fn script(&mut self, tag: &Tag, span: Range<usize>) {
        // With `src` what the tag holds is never run.
        if tag.attribute("src").is_some() || tag.foreign {
            return;
        }
        match ScriptContent::of(tag, self.text) {
            ScriptContent::Classic | ScriptContent::Module => self.code(span),
            ScriptContent::ImportMap => import_map::link(&mut self.finder, self.text, span),
            ScriptContent::SpeculationRules | ScriptContent::Data => {}
        }
    }

    fn code(&mut self, span: Range<usize>) {
        let (source, names) = (self.finder.source(), self.finder.names());
        let found = match self.finder.place() {
            Some(from) => script::link_inline(source, self.text, span, &from, names),
            None => script::link_elsewhere(source, self.text, span, names),
        };
        self.finder.absorb(found);
    }

    fn integrity(&mut self, target: &SourcePath, span: Range<usize>) {
        for digest in hashes::integrity_digests(self.text, span) {
            let edit = Edit { span: digest.span, text: self.finder.names().integrity(target, digest.algorithm) };
            self.finder.edit(edit);
        }
    }
}

#[cfg(test)]
mod tests;

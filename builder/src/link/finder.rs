//! Collects what a format's linker finds: resolves URLs, turns them into edits and references, says what dangles.

use std::ops::Range;

use super::names::{How, Names, Resolved};
use super::{Edit, Linked, Reference, ReferenceKind};
use crate::diagnostic::Diagnostic;
use crate::scan::{Source, SourcePath};
use crate::syntax::spelled::Spelled;

/// How sure it is that a value is a URL of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It is: where it leads nowhere, a person should know.
    Url,
    /// It is, but what is no file may be known to the server or to the app: silent where it leads nowhere.
    Perhaps,
    /// A text that may be one: only names that carry a bundler's fingerprint are taken, they cannot be anything else.
    Text,
}

/// Leads from places in a part of a text to places in the text.
pub(super) type Outer<'o> = &'o dyn Fn(Range<usize>) -> Range<usize>;

/// What was found so far in one text.
pub(super) struct Finder<'a> {
    source: &'a Source,
    text: &'a str,
    names: &'a Names,
    /// The page's `<base href>`.
    base: Option<String>,
    linked: Linked,
}

impl<'a> Finder<'a> {
    pub(super) fn new(source: &'a Source, text: &'a str, names: &'a Names) -> Finder<'a> {
        Finder { source, text, names, base: None, linked: Linked::default() }
    }

    /// The file that is looked at.
    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    /// The files of the build.
    pub(super) fn names(&self) -> &'a Names {
        self.names
    }

    /// Relative URLs count from here (`<base href>`); of several the first counts.
    pub(super) fn rebase(&mut self, href: &str) {
        self.base.get_or_insert_with(|| href.to_owned());
    }

    /// Everything, in order.
    pub(super) fn finish(self) -> Linked {
        let mut linked = self.linked;
        linked.edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        linked.references.sort_by_key(|reference| (reference.span.start, reference.span.end));
        linked
    }

    /// A URL at its place in the text; the file that it names.
    pub(super) fn url(&mut self, url: &Spelled<'_>, kind: ReferenceKind, certainty: Certainty) -> Option<SourcePath> {
        self.url_within(url, kind, certainty, &|range| range)
    }

    /// A URL in a part of the text.
    pub(super) fn url_within(
        &mut self,
        url: &Spelled<'_>,
        kind: ReferenceKind,
        certainty: Certainty,
        outer: Outer<'_>,
    ) -> Option<SourcePath> {
        let how = match (&self.base, kind) {
            (Some(href), _) => How::BaseHref(href),
            (None, ReferenceKind::Navigation) => How::Navigation,
            (None, _) => How::File,
        };
        let resolved = self.names.resolve(&self.source.path, &url.text, how);
        self.take(url, resolved, kind, certainty, outer)
    }

    /// What a URL was resolved to becomes an edit and a reference.
    pub(super) fn take(
        &mut self,
        url: &Spelled<'_>,
        resolved: Resolved,
        kind: ReferenceKind,
        certainty: Certainty,
        outer: Outer<'_>,
    ) -> Option<SourcePath> {
        match resolved {
            Resolved::File { to, .. } if certainty == Certainty::Text && !self.names.is_hashed(&to) => None,
            Resolved::File { to, edit } => {
                let stays = match kind {
                    // Who follows a link may keep it, or the file by its name.
                    ReferenceKind::Navigation => !self.names.is_hashed(&to),
                    ReferenceKind::Name => !self.names.is_loaded(&to),
                    _ => false,
                };
                // A comment that names a map goes, or stays for nobody: the map gets another place.
                let edit = edit.filter(|_| !stays && kind != ReferenceKind::SourceMap);
                if let Some(edit) = edit {
                    self.edit(Edit { span: outer(url.source_of(edit.span)), text: edit.text });
                }
                let span = outer(url.source_of(0..url.text.len()));
                self.refer(Reference { to: to.clone(), kind, span });
                Some(to)
            }
            Resolved::Dangling(path) if certainty == Certainty::Url && kind != ReferenceKind::Navigation => {
                let at = outer(url.source_of(0..url.text.len())).start;
                let finding = self.names.dangling(self.source, self.text, at, &url.text);
                self.warn(finding);
                self.linked.dangling.push(path);
                None
            }
            _ => None,
        }
    }

    pub(super) fn refer(&mut self, reference: Reference) {
        self.linked.references.push(reference);
    }

    /// A file whose path is a key.
    pub(super) fn compared(&mut self, file: SourcePath) {
        self.linked.facts.compared.insert(file);
    }

    /// Takes over what another linker found in a part of the text.
    pub(super) fn absorb(&mut self, part: Linked) {
        self.linked.absorb(part);
    }

    /// Where relative URLs count from, as if the page lay there; `None` where that is another host.
    pub(super) fn place(&self) -> Option<SourcePath> {
        match &self.base {
            Some(href) => self.names.rebased(&self.source.path, href),
            None => Some(self.source.path.clone()),
        }
    }

    pub(super) fn edit(&mut self, edit: Edit) {
        self.linked.edits.push(edit);
    }

    pub(super) fn warn(&mut self, finding: Diagnostic) {
        self.linked.diagnostics.push(finding);
    }

    /// The same at a place in the text.
    pub(super) fn warn_at(&mut self, finding: Diagnostic, offset: usize) {
        self.warn(finding.at(self.text, offset));
    }
}

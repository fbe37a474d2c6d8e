//! What is replaced in one string.

use std::ops::Range;

use oxc::ast::ast::{StringLiteral, TemplateLiteral};

use super::visit::{Role, Visitor};
use super::{Edit, How, KeepReason, Reference, ReferenceKind, Resolved};
use crate::link::Naming;
use crate::link::placeholder::Algorithm;
use crate::scan::{Kind, SourcePath};

/// A string as it stands in the script.
struct Text<'t> {
    /// Between the quotes, as it was written.
    raw: &'t str,
    /// What it means.
    value: &'t str,
    /// Where `raw` stands in the file.
    span: Range<usize>,
    quote: char,
}

impl Visitor<'_> {
    pub(super) fn string(&mut self, literal: &StringLiteral<'_>, role: Role) {
        let place = self.place();
        let (start, end) = (literal.span.start as usize, literal.span.end as usize);
        // An attribute of JSX has no escapes and may have no quotes; no bundler writes one.
        let quoted = place.script.get(start..end).filter(|text| text.len() >= 2 && text.starts_with(['"', '\'']));
        let Some(quoted) = quoted else { return };
        let raw = &quoted[1..quoted.len() - 1];
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let span = place.start + start + 1..place.start + end - 1;
        self.text(&Text { raw, value: literal.value.as_str(), span, quote }, role);
    }

    pub(super) fn template(&mut self, template: &TemplateLiteral<'_>, role: Role) {
        let place = self.place();
        let whole = template.expressions.is_empty();
        for quasi in &template.quasis {
            let raw = quasi.value.raw.as_str();
            let value = quasi.value.cooked.as_ref().map_or(raw, |cooked| cooked.as_str());
            // Line ends are normalised in `raw`: its place is found in the script itself.
            let around = quasi.span.start as usize..quasi.span.end as usize;
            let Some(at) = place.script.get(around.clone()).and_then(|text| text.find(raw)) else { continue };
            let start = place.start + around.start + at;
            let text = Text { raw, value, span: start..start + raw.len(), quote: '`' };
            self.text(&text, if whole { role } else { Role::Piece });
        }
    }

    fn text(&mut self, text: &Text<'_>, role: Role) {
        let certain = match role {
            Role::Done => true,
            Role::Module(kind) => self.url(text, How::Module, kind, Dangling::Warn),
            Role::Url(kind) => self.url(text, How::File, kind, Dangling::Warn),
            Role::Base(kind) => self.url(text, How::Base, kind, Dangling::Leave),
            Role::ServiceWorker => self.service_worker(text),
            Role::Any | Role::Piece | Role::Compared | Role::Key | Role::Precached => self.integrity(text),
        };
        if certain || self.tokens(text, role) {
            return;
        }
        match role {
            Role::Any if is_absolute(text.value) => self.any(text),
            Role::Any => self.script_by_its_name(text),
            Role::Compared | Role::Key if is_absolute(text.value) => self.compared(text),
            _ => {}
        }
    }

    /// What a path is compared with must stay as equal as it was: nobody knows where such a string comes from.
    fn compared(&mut self, text: &Text<'_>) {
        let place = self.place();
        let Resolved::File { to, .. } = place.names.resolve(place.from, text.value, How::File) else { return };
        if self.is_plain_script(&to) {
            self.keep(to, KeepReason::NamedInString(place.source.path.clone()));
        } else {
            self.facts().compared.insert(to);
        }
    }

    /// A string that is the whole path of a file, for whatever use. Data and documents are asked for by the URL at which
    /// they change, by tabs of every age; what pages load belongs to the release.
    fn any(&mut self, text: &Text<'_>) {
        let place = self.place();
        if let Resolved::File { to, .. } = place.names.resolve(place.from, text.value, How::File)
            && place.names.is_loaded(&to)
            && !place.names.is_compared(&to)
        {
            self.url(text, How::File, ReferenceKind::Name, Dangling::Leave);
        }
    }

    /// A string that is certainly a URL; whether it was one of a file.
    fn url(&mut self, text: &Text<'_>, how: How<'_>, kind: ReferenceKind, dangling: Dangling) -> bool {
        let place = self.place();
        match place.names.resolve(place.from, text.value, how) {
            Resolved::File { to, edit } => {
                // A path that happens to be a page's or a folder's says nothing.
                let named = edit.is_some() || text.value.contains(to.file_name());
                if named {
                    if let Some(edit) = edit {
                        self.edit(text.edit(edit));
                    }
                    self.refer(Reference { to, kind, span: text.span.clone() });
                }
                true
            }
            Resolved::Mapped(to) => {
                self.refer(Reference { to, kind, span: text.span.clone() });
                true
            }
            Resolved::Dangling(path) if dangling == Dangling::Warn && !text.value.ends_with(['/', '.']) => {
                let finding = place.names.dangling(place.source, place.text, text.span.start, text.value);
                self.dangle(path, finding);
                true
            }
            _ => false,
        }
    }

    fn service_worker(&mut self, text: &Text<'_>) -> bool {
        let place = self.place();
        let resolved = [How::File, How::Base].map(|how| place.names.resolve(place.from, text.value, how));
        let found = resolved.into_iter().find_map(|resolved| match resolved {
            Resolved::File { to, .. } => Some(to),
            _ => None,
        });
        if let Some(to) = found {
            self.refer(Reference { to: to.clone(), kind: ReferenceKind::Name, span: text.span.clone() });
            self.keep(to, KeepReason::ServiceWorker);
        }
        true
    }

    /// Integrity values are recognised by what they are of: the input's bytes.
    fn integrity(&mut self, text: &Text<'_>) -> bool {
        let place = self.place();
        if !Algorithm::ALL.iter().any(|algorithm| text.raw.starts_with(algorithm.name())) {
            return false;
        }
        let mut at = text.span.start;
        let mut found = false;
        for value in text.raw.split(' ') {
            if let Some((to, placeholder)) = place.names.integrity_of(value) {
                let span = at..at + value.len();
                self.refer(Reference { to, kind: ReferenceKind::Name, span: span.clone() });
                self.edit(Edit { span, text: placeholder });
                found = true;
            }
            at += value.len() + 1;
        }
        found
    }

    /// Fingerprints, wherever they stand in the string; whether there were any.
    fn tokens(&mut self, text: &Text<'_>, role: Role) -> bool {
        let mentions = self.place().names.mentions(text.raw);
        let found = !mentions.is_empty();
        for mention in mentions {
            // A property's name may lose its quotes, and a fingerprint may begin with a digit.
            if role == Role::Key && mention.span == (0..text.raw.len()) {
                continue;
            }
            let span = text.span.start + mention.span.start..text.span.start + mention.span.end;
            for to in mention.to {
                self.refer(Reference { to, kind: role.kind(), span: span.clone() });
            }
            self.edit(Edit { span, text: mention.placeholder });
        }
        found
    }

    /// A script without a fingerprint that is named by a string which may or may not be its URL: under two URLs it would
    /// run twice, so it keeps its own.
    fn script_by_its_name(&mut self, text: &Text<'_>) {
        let place = self.place();
        if !is_script_name(text.value) {
            return;
        }
        for how in [How::File, How::Base] {
            if let Resolved::File { to, .. } = place.names.resolve(place.from, text.value, how)
                && self.is_plain_script(&to)
            {
                self.refer(Reference { to: to.clone(), kind: ReferenceKind::Name, span: text.span.clone() });
                self.keep(to, KeepReason::NamedInString(place.source.path.clone()));
            }
        }
    }

    fn is_plain_script(&self, path: &SourcePath) -> bool {
        let names = self.place().names;
        names.kind(path) == Some(Kind::Script) && matches!(names.naming(path), Some(Naming::Plain { .. }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dangling {
    Warn,
    Leave,
}

impl Role {
    fn kind(self) -> ReferenceKind {
        match self {
            Role::Module(kind) | Role::Url(kind) | Role::Base(kind) => kind,
            _ => ReferenceKind::Name,
        }
    }
}

impl Text<'_> {
    /// An edit of the value as one of the file. Where the string has escapes it is written anew.
    fn edit(&self, edit: Edit) -> Edit {
        if self.raw == self.value {
            let span = self.span.start + edit.span.start..self.span.start + edit.span.end;
            return Edit { span, text: edit.text };
        }
        let mut value = self.value.to_owned();
        value.replace_range(edit.span, &edit.text);
        Edit { span: self.span.clone(), text: escaped(&value, self.quote) }
    }
}

fn escaped(value: &str, quote: char) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            '\\' => escaped.push_str("\\\\"),
            '$' if quote == '`' => escaped.push_str("\\$"),
            character if character == quote => escaped.extend(['\\', character]),
            character => escaped.push(character),
        }
    }
    escaped
}

/// URLs are case-sensitive, and so are the extensions that bundlers write.
pub(super) fn is_script_name(value: &str) -> bool {
    [".js", ".mjs"].iter().any(|extension| value.ends_with(extension))
}

/// Whether a string is an absolute URL or path: what it refers to does not depend on who uses it.
fn is_absolute(value: &str) -> bool {
    (value.starts_with('/') && value.len() > 1) || value.starts_with("https://") || value.starts_with("http://")
}

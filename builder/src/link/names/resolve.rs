//! What a URL in a file refers to, and which part of it is replaced by what.
//!
//! A file keeps its folder when it is renamed, so only the last segment of a URL changes: relative URLs stay relative,
//! query and fragment stay.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode_str;

use super::Names;
use crate::link::{Edit, Naming};
use crate::scan::{Kind, SourcePath};

/// How a URL is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How<'a> {
    /// Relative to the file that holds it.
    File,
    /// A module specifier: relative to the file, unless it is a bare name, which an import map resolves.
    Module,
    /// Relative to the base of the site, as Vite's preload list and webpack's `n.p + "…"` are.
    Base,
    /// Relative to a document's `<base href>`, as it was written there.
    BaseHref(&'a str),
    /// A link to a page: `/about` may be `about.html`, `about/index.html`, or a route that only the app knows.
    Navigation,
}

/// What a URL refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A file of the source folder, and what is to be replaced in the URL; nothing where the file keeps its name.
    File {
        /// The file.
        to: SourcePath,
        /// Within the URL as it was written.
        edit: Option<Edit>,
    },
    /// The document itself: an empty URL, a query, a fragment.
    Itself,
    /// A module specifier that a page's import map leads to this file: it stays, the map's value changes.
    Mapped(SourcePath),
    /// Not ours: another host, another scheme (`data:`, `blob:`, `mailto:`), a path that is not below the base.
    External,
    /// A bare module specifier that no import map knows.
    Bare,
    /// A page that is no file: the app's router may know it.
    Route,
    /// Below the base, and no such file: its path.
    Dangling(String),
}

impl Names {
    /// What a URL, as it stands in a file (entities and string escapes decoded), refers to.
    pub fn resolve(&self, from: &SourcePath, url: &str, how: How<'_>) -> Resolved {
        let Some(location) = self.locate(from, url, how) else {
            let mapped = self.import_map.bare(url).filter(|_| how == How::Module);
            return match mapped {
                Some(to) => Resolved::Mapped(to.clone()),
                None if is_bare(url, how) => Resolved::Bare,
                None => Resolved::External,
            };
        };
        let Location::Path { path, last } = location else { return Resolved::Itself };
        if let Some(to) = self.import_map.path(&path).filter(|_| how == How::Module) {
            return Resolved::Mapped(to.clone());
        }
        if let Some(known) = self.known(&path) {
            return Resolved::File { to: known.clone(), edit: self.edit(known, url, last) };
        }
        match (self.page(&path), how) {
            (Some(page), _) => Resolved::File { to: page, edit: None },
            (None, How::Navigation) => Resolved::Route,
            (None, _) => Resolved::Dangling(path),
        }
    }

    /// A page's path if it lay where its `<base href>` leads; `None` where that is not below our base.
    pub(crate) fn rebased(&self, page: &SourcePath, href: &str) -> Option<SourcePath> {
        SourcePath::parse(&format!("{}{}", self.folder_of(page, href)?, page.file_name()))
    }

    /// A URL of a file as it is after renaming; `None` where it stays.
    pub(crate) fn renamed(&self, to: &SourcePath, url: &str) -> Option<String> {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let last = url[..end].rfind('/').map_or(0, |at| at + 1)..end;
        let edit = self.edit(to, url, last)?;
        let mut renamed = url.to_owned();
        renamed.replace_range(edit.span, &edit.text);
        Some(renamed)
    }

    /// What to replace in a URL whose last segment, at `last`, names this file.
    fn edit(&self, to: &SourcePath, url: &str, last: Range<usize>) -> Option<Edit> {
        let folder = to.folder().len();
        let (span, text) = match self.naming(to)? {
            Naming::Kept => return None,
            Naming::Hashed { before, token, .. } => {
                let start = before.len() - folder;
                (start..start + token.len(), self.token_placeholder(token)?.to_owned())
            }
            Naming::Plain { before, .. } => {
                let stem = before.len() - folder - 1;
                (stem..stem, format!(".{}", self.file_placeholder(to)?))
            }
        };
        let raw = |at| last.start + raw_offset(&url[last.clone()], at);
        Some(with_true_percents(url, last.end, Edit { span: raw(span.start)..raw(span.end), text }))
    }

    /// The scripts without a fingerprint that a computed specifier may name: one that begins and ends like this.
    pub(crate) fn scripts_between(&self, from: &SourcePath, start: &str, end: &str) -> Vec<SourcePath> {
        let Some(Location::Path { path: start, .. }) = self.locate(from, start, How::Module) else { return Vec::new() };
        let fits = |path: &SourcePath| {
            let middle = path.as_str().strip_prefix(&start).and_then(|rest| rest.strip_suffix(end));
            middle.is_some() && self.kind(path) == Some(Kind::Script)
        };
        self.files.keys().filter(|path| fits(path)).cloned().collect()
    }

    pub(super) fn known(&self, path: &str) -> Option<&SourcePath> {
        self.files.get_key_value(&SourcePath::parse(path)?).map(|(path, _)| path)
    }

    fn page(&self, path: &str) -> Option<SourcePath> {
        let known = |path: String| self.known(&path).cloned();
        let folder = path.trim_end_matches('/');
        let index = if folder.is_empty() { "index.html".to_owned() } else { format!("{folder}/index.html") };
        if path.is_empty() || path.ends_with('/') {
            return known(index);
        }
        known(format!("{path}.html")).or_else(|| known(index))
    }

    pub(super) fn locate(&self, from: &SourcePath, url: &str, how: How<'_>) -> Option<Location> {
        let start = url.len() - url.trim_start_matches(is_space).len();
        let written = url.trim_matches(is_space);
        let end = written.find(['?', '#']).unwrap_or(written.len());
        if end == 0 {
            return Some(Location::Itself);
        }
        if is_bare(written, how) {
            return None;
        }
        let folder = match how {
            How::File | How::Module | How::Navigation => from.folder().to_owned(),
            How::Base => String::new(),
            How::BaseHref(href) => self.folder_of(from, href)?,
        };
        let skip = self.origin(written)?;
        let raw = &written[skip..end.max(skip)];
        let path = match raw.strip_prefix('/') {
            Some(_) => self.below_base(raw)?,
            None if skip > 0 => self.below_base("/")?,
            None => join(&self.base, &format!("{folder}{}", decode(raw)?)).strip_prefix(&self.base)?.to_owned(),
        };
        let last = start + skip + raw.rfind('/').map_or(0, |at| at + 1)..start + end.max(skip);
        Some(Location::Path { path, last })
    }

    /// The length of scheme and host; `None` for those that are not ours.
    fn origin(&self, url: &str) -> Option<usize> {
        let after = if let Some(rest) = url.strip_prefix("//") {
            rest
        } else if let Some((scheme, rest)) = scheme(url) {
            if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                return None;
            }
            rest.strip_prefix("//")?
        } else {
            return Some(0);
        };
        let host = &after[..after.find(['/', '?', '#']).unwrap_or(after.len())];
        let ours = self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        ours.then(|| url.len() - after.len() + host.len())
    }

    /// An absolute path without the base.
    fn below_base(&self, raw: &str) -> Option<String> {
        let path = join("/", decode(raw.strip_prefix('/')?)?.as_ref());
        match path.strip_prefix(&self.base) {
            Some(path) => Some(path.to_owned()),
            None => (format!("{path}/") == self.base).then(String::new),
        }
    }

    /// The folder, below the base, that a `<base href>` names.
    fn folder_of(&self, from: &SourcePath, href: &str) -> Option<String> {
        match self.locate(from, href, How::File)? {
            Location::Itself => Some(from.folder().to_owned()),
            Location::Path { path, .. } => Some(path[..path.rfind('/').map_or(0, |at| at + 1)].to_owned()),
        }
    }
}

pub(super) enum Location {
    Itself,
    Path {
        /// Decoded, below the base.
        path: String,
        /// Where the last segment stands in the URL as it was written.
        last: Range<usize>,
    },
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn is_bare(url: &str, how: How<'_>) -> bool {
    let relative = ["/", "./", "../"].iter().any(|prefix| url.starts_with(prefix));
    how == How::Module && !relative && scheme(url).is_none()
}

/// The scheme and what follows its colon.
fn scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let fits = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (fits && scheme.starts_with(|first: char| first.is_ascii_alphabetic())).then_some((scheme, rest))
}

/// Percent-decoded; `None` where that is no text.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(path).decode_utf8().ok()
}

/// Joins as URLs do: `..` never leaves the root. The folder ends with `/`.
fn join(folder: &str, path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let all = folder.trim_matches('/').split('/').chain(path.split('/'));
    let mut open = true;
    for segment in all {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let joined = segments.join("/");
    if open && !joined.is_empty() { format!("/{joined}/") } else { format!("/{joined}") }
}

/// An edit of a URL in which a `%` encodes nothing also writes that as `%25`: who reads it may refuse it, or guess. The URL
/// ends at `end`; one with signs that strings and attributes spell otherwise is left as it is.
fn with_true_percents(url: &str, end: usize, edit: Edit) -> Edit {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/:".contains(&byte);
    let is_true =
        |at: usize| url.get(at + 1..at + 3).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if url[..end].match_indices('%').all(|(at, _)| is_true(at)) || !url[..end].bytes().all(plain) {
        return edit;
    }
    let part = |range: Range<usize>| -> String {
        let signs = url[range.clone()].char_indices();
        signs
            .map(
                |(at, sign)| {
                    if sign == '%' && !is_true(range.start + at) { "%25".to_owned() } else { sign.to_string() }
                },
            )
            .collect()
    };
    Edit { span: 0..end, text: [part(0..edit.span.start), edit.text, part(edit.span.end..end)].concat() }
}

/// Where the character at an offset of the decoded text stands in the text as it was written.
fn raw_offset(raw: &str, decoded: usize) -> usize {
    let bytes = raw.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut at = 0;
    for _ in 0..decoded {
        at += if bytes.get(at) == Some(&b'%') && is_hex(at + 1) && is_hex(at + 2) { 3 } else { 1 };
    }
    at.min(bytes.len())
}

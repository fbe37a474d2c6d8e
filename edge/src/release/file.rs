//! A file of a release as it is served: where it lies, what its forms are, and the heads that its answers share.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::manifest::{Coding, Content};
use super::negotiate::Offer;
use crate::answer::PreparedHead;

/// A file at one URL.
#[derive(Debug)]
pub struct File {
    /// Its URL's path, in its one spelling.
    pub url: String,
    /// The URL's path that people know it by, where the release gave it another name.
    pub known_as: Option<String>,
    /// What it is to clients.
    pub role: Role,
    /// The media type.
    pub media_type: String,
    /// Its forms: the bytes as they are, then the encoded ones.
    pub forms: Vec<Form>,
    /// Forms again, as negotiation sees them.
    pub offers: Vec<Offer>,
}

/// What a file is to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Its name carries a digest: it never changes.
    Asset,
    /// It may change under its URL: revalidated.
    Document,
    /// A document that people look at, with the `Link` field for what it needs and its inline scripts' digests.
    Page {
        /// See [`super::links`].
        links: Option<String>,
        /// CSP sources without quotes.
        script_hashes: Vec<String>,
    },
}

/// One form of a file.
#[derive(Debug)]
pub struct Form {
    /// `None`: the bytes as they are.
    pub coding: Option<Coding>,
    /// In bytes.
    pub size: u64,
    /// A strong entity tag: of these bytes.
    pub etag: String,
    /// Where it lies among the assets.
    pub location: String,
    heads: Heads,
}

/// Which answer a head is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// 200.
    Whole,
    /// 304.
    NotModified,
    /// 206 of one range.
    Part,
}

/// Why a file answers at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is its own.
    Own,
    /// It answers there for navigations only: what is sent depends on whether the request is one.
    Navigation,
    /// A rule says so.
    Rewritten,
}

/// What heads at other URLs than the file's own are kept by: the places of the header rules that match there come last.
type Elsewhere = (HeadKind, Place, Vec<u32>);

/// Heads that were made before. Those of the file's own URL are found at once; a page that answers for other paths has
/// one for each set of header rules that match those.
#[derive(Debug, Default)]
struct Heads {
    own: [OnceCell<Rc<PreparedHead>>; 3],
    elsewhere: RefCell<Vec<(Elsewhere, Rc<PreparedHead>)>>,
}

/// Sets of header rules that a page keeps heads for.
const ELSEWHERE_LIMIT: usize = 16;

impl File {
    /// A file whose bytes lie at `location`, and the encoded ones beside it.
    pub fn new(url: String, role: Role, location: &str, content: &Content) -> File {
        let identity = Form::new(None, content.size, &content.sha256, location.to_owned());
        let encoded = content.encodings.iter().map(|(&coding, encoded)| {
            Form::new(Some(coding), encoded.size, &encoded.sha256, format!("{location}{}", coding.extension()))
        });
        let forms: Vec<Form> = std::iter::once(identity).chain(encoded).collect();
        let offers = forms.iter().map(|form| (form.coding, form.size)).collect();
        File { url, known_as: None, role, media_type: content.media_type.clone(), forms, offers }
    }

    /// The bytes as they are.
    pub fn identity(&self) -> &Form {
        &self.forms[0]
    }

    /// Whether people look at it.
    pub fn is_page(&self) -> bool {
        matches!(self.role, Role::Page { .. })
    }

    /// Whether what is sent depends on `Accept-Encoding`: it has encoded forms, or could have in the next release.
    pub fn varies(&self) -> bool {
        self.forms.len() > 1 || self.role != Role::Asset && may_be_encoded(&self.media_type)
    }
}

impl Form {
    fn new(coding: Option<Coding>, size: u64, sha256: &str, location: String) -> Form {
        // 128 bits of the digest tell forms apart; a longer tag is sent with every request that revalidates.
        let etag = format!("\"{}\"", sha256.get(..32).unwrap_or(sha256));
        Form { coding, size, etag, location, heads: Heads::default() }
    }

    /// The head at the file's own URL, made on first use.
    pub fn own_head(&self, kind: HeadKind, make: impl FnOnce() -> Rc<PreparedHead>) -> Rc<PreparedHead> {
        Rc::clone(self.heads.own[kind as usize].get_or_init(make))
    }

    /// The head at another path, made where none for these header rules is kept.
    pub fn head_elsewhere(
        &self,
        kind: HeadKind,
        place: Place,
        rules: Vec<u32>,
        make: impl FnOnce() -> Rc<PreparedHead>,
    ) -> Rc<PreparedHead> {
        let key = (kind, place, rules);
        if let Some((_, head)) = self.heads.elsewhere.borrow().iter().find(|(kept, _)| *kept == key) {
            return Rc::clone(head);
        }
        let head = make();
        let mut elsewhere = self.heads.elsewhere.borrow_mut();
        if elsewhere.len() < ELSEWHERE_LIMIT {
            elsewhere.push((key, Rc::clone(&head)));
        }
        head
    }
}

/// Whether files of a type get smaller by a coding. Pictures, fonts for the web, sound and archives do not.
fn may_be_encoded(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let (top, sub) = essence.split_once('/').unwrap_or((essence, ""));
    match top {
        "text" => true,
        "image" => sub.ends_with("xml") || sub.ends_with("icon") || sub == "bmp",
        "application" => ["json", "javascript", "xml", "wasm"].iter().any(|ending| sub.ends_with(ending)),
        "font" => matches!(sub, "ttf" | "otf" | "sfnt" | "collection"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_already_does_not_vary() {
        for (media_type, expected) in [
            ("text/html; charset=utf-8", true),
            ("application/manifest+json", true),
            ("image/svg+xml", true),
            ("image/png", false),
            ("font/woff2", false),
            ("font/ttf", true),
            ("application/wasm", true),
            ("application/zip", false),
            ("video/mp4", false),
        ] {
            assert_eq!(may_be_encoded(media_type), expected, "{media_type}");
        }
    }
}

//! Import maps: where they lead to is rewritten; what they are asked for (bare names, prefixes, scopes) stays.

use std::ops::Range;

use crate::link::finder::{Certainty, Finder};
use crate::link::{Edit, ReferenceKind};
use crate::scan::SourcePath;
use crate::syntax::json::{Text, strings};

/// Links the import map at `span` of a page. What is not JSON is no import map for the browser either.
pub(super) fn link(finder: &mut Finder<'_>, text: &str, span: Range<usize>) {
    let outer = |range: Range<usize>| range.start + span.start..range.end + span.start;
    let Ok(found) = strings(&text[span.clone()]) else { return };
    let mut guarded: Option<SourcePath> = None;
    for string in &found {
        match place(string) {
            Place::Address if !string.value.text.ends_with('/') => {
                finder.url_within(&string.value, ReferenceKind::DynamicImport, Certainty::Url, &outer);
            }
            Place::GuardedUrl => {
                guarded = finder.url_within(&string.value, ReferenceKind::DynamicImport, Certainty::Perhaps, &outer);
            }
            Place::Integrity => {
                if let Some(target) = guarded.take() {
                    for digest in super::hashes::integrity_digests(text, outer(string.value.span.clone())) {
                        let text = finder.names().integrity(&target, digest.algorithm);
                        finder.edit(Edit { span: digest.span, text });
                    }
                }
            }
            Place::Address | Place::Other => {}
        }
    }
}

/// What a string of an import map is.
enum Place {
    /// A value of `imports`, or of a scope.
    Address,
    /// A key of `integrity`.
    GuardedUrl,
    /// A value of `integrity`.
    Integrity,
    Other,
}

fn place(string: &Text<'_>) -> Place {
    let path: Vec<Option<&str>> = string.path.iter().map(Option::as_deref).collect();
    match (path.as_slice(), string.is_key) {
        ([Some("imports"), Some(_)] | [Some("scopes"), Some(_), Some(_)], false) => Place::Address,
        ([Some("integrity")], true) => Place::GuardedUrl,
        ([Some("integrity"), Some(_)], false) => Place::Integrity,
        _ => Place::Other,
    }
}

//! Finds file names in JSON: the bundler's own lists (`asset-manifest.json`, `.vite/manifest.json`) and data of the app.
//!
//! A value that is the name of a file with a bundler's fingerprint, and nothing else, is replaced. Keys stay: they are what
//! others ask for. So do names without a fingerprint: they may be anything.

use super::Linked;
use super::ReferenceKind;
use super::finder::{Certainty, Finder};
use super::names::{How, Names, Resolved};
use crate::scan::Source;
use crate::syntax::json::strings;

/// Finds the references of a JSON file; none where it is not JSON.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    let mut finder = Finder::new(source, text, names);
    for string in &strings(text).unwrap_or_default() {
        if string.is_key {
            if string.value.text.starts_with('/')
                && let Resolved::File { to, .. } = names.resolve(&source.path, &string.value.text, How::File)
            {
                finder.compared(to);
            }
            continue;
        }
        // Relative names count from the root of the build in all known lists; else from the file.
        let resolved = [How::Base, How::File]
            .into_iter()
            .map(|how| names.resolve(&source.path, &string.value.text, how))
            .find(|resolved| matches!(resolved, Resolved::File { .. }));
        if let Some(resolved) = resolved {
            finder.take(&string.value, resolved, ReferenceKind::Name, Certainty::Text, &|range| range);
        }
    }
    finder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::fixture::check;

    #[test]
    fn values_that_are_names_with_a_fingerprint() {
        check(
            link,
            "asset-manifest.json",
            r#"{"files":{"assets/index-Cd8DgnZB.js":"/assets/index-Cd8DgnZB.js"},"entrypoints":["assets\/index-BgJEWM-p.css"]}"#,
            r#"{"files":{"assets/index-Cd8DgnZB.js":"/assets/index-TOKEN.js"},"entrypoints":["assets\/index-TOKEN.css"]}"#,
        );
        let kept = r#"{"a":"/favicon.svg","b":"see /assets/index-Cd8DgnZB.js","c":"index-Cd8DgnZB.js","d":"about"}"#;
        check(link, "data.json", kept, kept);
        check(link, "assets/data.json", r#"["logo-D8aaQ9zz.png"]"#, r#"["logo-TOKEN.png"]"#);
    }
}

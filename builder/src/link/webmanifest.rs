//! Finds what a web application manifest refers to: its pictures. Where the app starts, its scope, and what shares with
//! it are pages of the app: they stay (W3C Web Application Manifest; all URLs count from the manifest).

use super::finder::{Certainty, Finder};
use super::names::Names;
use super::{Linked, ReferenceKind};
use crate::diagnostic::Diagnostic;
use crate::scan::Source;
use crate::syntax::json::{Text, strings};

/// Finds the references of a manifest.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    let mut finder = Finder::new(source, text, names);
    match strings(text) {
        Ok(strings) => {
            for string in strings.iter().filter(|string| is_picture(string)) {
                finder.url(&string.value, ReferenceKind::Image, Certainty::Url);
            }
        }
        Err(error) => {
            let message = format!("cannot read the web application manifest: {error}");
            let hint = "browsers ignore it; correct its JSON";
            finder.warn(Diagnostic::warning(source.path.as_str(), "unreadable-manifest", message).hint(hint));
        }
    }
    finder.finish()
}

/// `icons[].src`, `screenshots[].src`, `shortcuts[].icons[].src`, and the like of proposals (`file_handlers`, widgets).
fn is_picture(string: &Text<'_>) -> bool {
    let names: Vec<&str> = string.path.iter().filter_map(Option::as_deref).collect();
    let pictures = ["icons", "screenshots"];
    let in_list = names.iter().rev().nth(1).is_some_and(|list| pictures.contains(list));
    !string.is_key && names.last() == Some(&"src") && in_list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::fixture::check;

    #[test]
    fn pictures_are_replaced_and_pages_stay() {
        check(
            link,
            "app.webmanifest",
            r#"{"start_url":"/sub/page.html","id":"/favicon.svg","icons":[{"src":"favicon.svg","type":"favicon.svg"}],"screenshots":[{"src":"\/assets\/logo-D8aaQ9zz.png"}],"shortcuts":[{"url":"/favicon.svg","icons":[{"src":"img\/\u00fc.png"}]}]}"#,
            r#"{"start_url":"/sub/page.html","id":"/favicon.svg","icons":[{"src":"favicon.FILE.svg","type":"favicon.svg"}],"screenshots":[{"src":"\/assets\/logo-TOKEN.png"}],"shortcuts":[{"url":"/favicon.svg","icons":[{"src":"img\/\u00fc.FILE.png"}]}]}"#,
        );
    }
}

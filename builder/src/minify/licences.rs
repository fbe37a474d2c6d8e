//! Licence comments: taken out of scripts and style sheets, collected in one file of the release.

use std::collections::{BTreeMap, BTreeSet};

use super::Minimal;

/// Where the file lies below `base`: a document, at its own URL.
pub const PATH: &str = "assets/licenses.txt";

/// The file's text: each comment once, under the logical paths of the files that it stood in; in the order of the first
/// of these, then of that file's text. `None` where no file had a licence comment.
pub fn text(minimal: &Minimal) -> Option<String> {
    let mut files: BTreeMap<&str, &[String]> = BTreeMap::new();
    for (path, minified) in &minimal.texts {
        if let Some(node) = minimal.graph.nodes.get(path) {
            files.insert(&node.logical, &minified.licences);
        }
    }
    let text = render(&files);
    (!text.is_empty()).then_some(text)
}

fn render(files: &BTreeMap<&str, &[String]>) -> String {
    let mut order: Vec<&str> = Vec::new();
    let mut bearers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, comments) in files {
        for comment in comments.iter().map(|comment| comment.trim()) {
            let bearers = bearers.entry(comment).or_default();
            if bearers.is_empty() {
                order.push(comment);
            }
            bearers.insert(file);
        }
    }
    let section = |comment: &&str| {
        let files: Vec<&str> = bearers[comment].iter().copied().collect();
        format!("{}:\n\n{comment}\n", files.join(", "))
    };
    order.iter().map(section).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &[&str])], expected: &str) {
        let owned: Vec<(&str, Vec<String>)> = files
            .iter()
            .map(|(file, comments)| (*file, comments.iter().map(|&comment| comment.to_owned()).collect()))
            .collect();
        let files = owned.iter().map(|(file, comments)| (*file, comments.as_slice())).collect();
        assert_eq!(render(&files), expected);
    }

    #[test]
    fn a_comment_of_many_files_stands_once() {
        check(
            &[("b.js", &["/*! two */", "/*! one */"]), ("a.js", &["/*! one */"]), ("c.css", &["/*! two */ "])],
            "a.js, b.js:\n\n/*! one */\n\nb.js, c.css:\n\n/*! two */\n",
        );
    }

    #[test]
    fn without_comments_there_is_no_text() {
        check(&[("a.js", &[])], "");
    }
}

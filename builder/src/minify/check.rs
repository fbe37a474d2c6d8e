//! Whether a minifier's result may be used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Minified, Refusal};
use crate::link::placeholder::Placeholders;

/// The result itself, or why it may not be used.
pub(super) fn accept(input: &str, result: Minified, placeholders: &Placeholders) -> Result<Minified, Refusal> {
    if result.text.trim().is_empty() && !input.trim().is_empty() && !is_only_comments(input) {
        return Err(Refusal::new("nothing would be left of it"));
    }
    if count(input, placeholders) != count(&result.text, placeholders) {
        return Err(Refusal::new("the result refers to other files than before, or another number of times"));
    }
    Ok(result)
}

/// A text that says nothing may be minified to nothing; a wrong `false` costs a warning.
fn is_only_comments(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while !rest.is_empty() {
        let after = match (rest.strip_prefix("/*"), rest.strip_prefix("//"), rest.strip_prefix("<!--")) {
            (Some(comment), ..) => comment.find("*/").map(|end| &comment[end + 2..]),
            (_, Some(comment), _) => Some(comment.find(['\n', '\r']).map_or("", |end| &comment[end..])),
            (.., Some(comment)) => comment.find("-->").map(|end| &comment[end + 3..]),
            _ => None,
        };
        let Some(after) = after else { return false };
        rest = after.trim_start();
    }
    true
}

/// How often each placeholder stands in a text; a marker that begins none counts as itself.
fn count<'a>(text: &'a str, placeholders: &Placeholders) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    if placeholders.marker.is_empty() {
        return counts;
    }
    let lengths: BTreeSet<usize> = placeholders.meanings.keys().map(String::len).collect();
    for (at, marker) in text.match_indices(&*placeholders.marker) {
        let candidates = lengths.iter().rev().filter_map(|length| text.get(at..at + length));
        let known = candidates.into_iter().find(|candidate| placeholders.meanings.contains_key(*candidate));
        *counts.entry(known.unwrap_or(marker)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::placeholder::Meaning;

    fn placeholders() -> Placeholders {
        let meaning = |name: &str| (format!("qz{name}"), Meaning::Token(name.to_owned()));
        Placeholders { marker: "qz".to_owned(), meanings: ["00000001", "00000002"].into_iter().map(meaning).collect() }
    }

    #[track_caller]
    fn check(input: &str, output: &str, expected: bool) {
        let result = Minified { text: output.to_owned(), ..Minified::default() };
        assert_eq!(accept(input, result, &placeholders()).is_ok(), expected, "{input:?} -> {output:?}");
    }

    #[test]
    fn every_placeholder_stands_as_often_as_before() {
        check("a qz00000001 b qz00000002", "b qz00000002,qz00000001", true);
        check("a qz00000001", "qz00000002", false);
        check("a qz00000001 qz00000001", "qz00000001", false);
        check("a qz00000001", "qz00000001 qz00000001", false);
        check("a qz00000001", "qz0000000", false);
        check("a", "a qz", false);
    }

    #[test]
    fn only_a_text_that_says_nothing_may_become_nothing() {
        check("let a = 1", " ", false);
        check("/*! a */ // b", "", true);
        check("\u{feff} <!-- a -->\n", "", true);
        check("/* a */ let b", "", false);
        check("/* a", "", false);
        check("", "", true);
    }
}

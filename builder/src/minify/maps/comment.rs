//! The comment that names a text's source map: found, taken off, made again.

use std::ops::Range;

use crate::scan::Kind;

/// Where a comment stands and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The comment and the white space in front of it (bytes).
    pub span: Range<usize>,
    /// The map's URL as written.
    pub url: String,
}

/// The last comment of a script or a style sheet, where that names a map. What stands elsewhere is not touched: it may be
/// inside a string (modules that are kept as text for `eval`).
pub fn find_comment(kind: Kind, text: &str) -> Option<Place> {
    let trimmed = text.trim_end();
    let (opening, inner_end): (&[&str], usize) = match kind {
        Kind::Script => (&["//# sourceMappingURL=", "//@ sourceMappingURL="], trimmed.len()),
        Kind::Css => (&["/*# sourceMappingURL=", "/*@ sourceMappingURL="], trimmed.strip_suffix("*/")?.len()),
        _ => return None,
    };
    let (start, url) = opening.iter().find_map(|opening| {
        let start = trimmed[..inner_end].rfind(opening)?;
        Some((start, trimmed[start + opening.len()..inner_end].trim_end()))
    })?;
    // White space or a quote would mean that something follows the comment, or that it is part of a string.
    if url.is_empty()
        || url.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'))
        || url.contains("*/")
    {
        return None;
    }
    Some(Place { span: text[..start].trim_end().len()..text.len(), url: url.to_owned() })
}

/// The comment that names a map, to be put at the end of a text.
pub fn comment(kind: Kind, url: &str) -> String {
    match kind {
        Kind::Css => format!("\n/*# sourceMappingURL={url}*/\n"),
        _ => format!("\n//# sourceMappingURL={url}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: Option<(&str, &str)>) {
        let found = find_comment(kind, text);
        let found = found.as_ref().map(|place| (&text[..place.span.start], place.url.as_str()));
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn the_last_comment_of_a_script_names_its_map() {
        check(Kind::Script, "a()\n//# sourceMappingURL=a.js.map\n", Some(("a()", "a.js.map")));
        check(Kind::Script, "a();//@ sourceMappingURL=a.js.map", Some(("a();", "a.js.map")));
        check(
            Kind::Script,
            "//# sourceMappingURL=x\na()\n//# sourceMappingURL=y",
            Some(("//# sourceMappingURL=x\na()", "y")),
        );
        check(Kind::Script, "a()", None);
    }

    #[test]
    fn what_is_not_at_the_end_or_not_a_comment_stays() {
        check(Kind::Script, "//# sourceMappingURL=x\na()", None);
        check(Kind::Script, "eval('a()//# sourceMappingURL=x')", None);
        check(Kind::Script, "eval(`a()\n//# sourceMappingURL=x`)", None);
        check(Kind::Script, "//# sourceMappingURL=", None);
    }

    #[test]
    fn style_sheets_have_block_comments() {
        check(Kind::Css, "a{}\n/*# sourceMappingURL=a.css.map */\n", Some(("a{}", "a.css.map")));
        check(Kind::Css, "a{}/*# sourceMappingURL=a.css.map */b{}/* c */", None);
        check(Kind::Html, "//# sourceMappingURL=a", None);
    }

    #[test]
    fn a_comment_that_was_made_is_found() {
        for kind in [Kind::Script, Kind::Css] {
            let text = format!("a{}", comment(kind, "b.map"));
            check(kind, &text, Some(("a", "b.map")));
        }
    }
}

//! Style sheets: smaller through `lightningcss`, without lowering anything for older browsers or adding prefixes.
//!
//! What `lightningcss` cannot read, browsers may: such a rule is kept as it is, less comments and white space, and the
//! runs of rules before and behind it are minified each for itself.

mod rules;
mod spaces;

use std::ops::Range;

use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions, StyleSheet};
use parcel_sourcemap::SourceMap;

use super::{Input, Minified, Refusal, bounds};
use crate::diagnostic::Diagnostic;

/// Rules that `lightningcss` cannot read, past which the style sheet passes through as it is.
const UNREADABLE_LIMIT: usize = 200;

/// The minifier of style sheets.
pub(super) fn minify(input: &Input<'_>) -> Result<Minified, Refusal> {
    bounds::style(input.text)?;
    let licences = spaces::licences(input.text);
    let mut map = input.wants_map.then(|| SourceMap::new("/"));
    match whole(input.text, input.path.as_str(), map.as_mut()) {
        Ok(text) => {
            let map = map.map(|map| json(map, input)).transpose()?;
            Ok(Minified { text, map, licences, diagnostics: Vec::new() })
        }
        // A map over pieces would have to be put together; better none of our work than a map that lies.
        Err(unreadable) if input.wants_map => Err(unreadable),
        Err(_) => {
            let (text, diagnostics) = in_pieces(input)?;
            Ok(Minified { text, map: None, licences, diagnostics })
        }
    }
}

/// A style sheet inside a page: as small as it gets, or `None`.
pub(super) fn shrink(text: &str) -> Option<String> {
    bounds::style(text).ok()?;
    spaces::licences(text).is_empty().then(|| whole(text, "", None).ok()).flatten()
}

fn json(mut map: SourceMap, input: &Input<'_>) -> Result<String, Refusal> {
    let failed =
        |error: parcel_sourcemap::SourceMapError| Refusal::new(format!("cannot write the source map: {error}"));
    let source = map.add_source(input.path.as_str());
    map.set_source_content(source as usize, input.text).map_err(failed)?;
    map.to_json(None).map_err(failed)
}

/// Minifies a text that `lightningcss` can read from end to end.
fn whole(text: &str, name: &str, map: Option<&mut SourceMap>) -> Result<String, Refusal> {
    let options = ParserOptions { filename: name.to_owned(), ..ParserOptions::default() };
    let mut sheet = StyleSheet::parse(text, options).map_err(|error| {
        let offset = error.loc.as_ref().map(|place| offset_of(text, place.line, place.column));
        Refusal { reason: error.kind.to_string(), offset }
    })?;
    // They were collected from everywhere, not from the beginning only.
    sheet.license_comments.clear();
    sheet.minify(MinifyOptions::default()).map_err(|error| Refusal::new(error.kind.to_string()))?;
    let options = PrinterOptions { minify: true, source_map: map, ..PrinterOptions::default() };
    Ok(sheet.to_css(options).map_err(|error| Refusal::new(error.kind.to_string()))?.code)
}

/// Minifies what can be read and keeps the rules that cannot.
fn in_pieces(input: &Input<'_>) -> Result<(String, Vec<Diagnostic>), Refusal> {
    let text = input.text;
    let rules = rules::top_level(text);
    let mut smaller = String::with_capacity(text.len());
    let mut diagnostics = Vec::new();
    let mut next = 0;
    while next < rules.len() {
        let rest = rules[next].start..text.len();
        let unreadable = match whole(&text[rest.clone()], "", None) {
            Ok(end) => {
                smaller.push_str(&end);
                return Ok((smaller, diagnostics));
            }
            Err(refusal) => refusal,
        };
        let Some(offset) = unreadable.offset.map(|offset| rest.start + offset) else { return Err(unreadable) };
        let bad = next + rules[next..].partition_point(|rule| rule.end <= offset);
        if diagnostics.len() == UNREADABLE_LIMIT || bad == rules.len() {
            return Err(unreadable.at(offset));
        }
        if bad > next {
            smaller.push_str(&readable(text, rules[next].start..rules[bad].start)?);
        }
        let kept = spaces::strip(&text[rules[bad].clone()]).ok_or_else(|| unreadable.clone().at(offset))?;
        smaller.push_str(&kept);
        let message = format!("cannot minify a rule, kept as it is: {}", unreadable.reason);
        diagnostics.push(Diagnostic::warning(input.path.as_str(), "unreadable-rule", message).at(text, offset));
        next = bad + 1;
    }
    Ok((smaller, diagnostics))
}

/// A run of rules before the first that cannot be read.
fn readable(text: &str, run: Range<usize>) -> Result<String, Refusal> {
    whole(&text[run.clone()], "", None).map_err(|refusal| refusal.at(run.start))
}

/// The byte of a line (from 0) and a column (from 1, in UTF-16 units), as `lightningcss` counts them.
fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let mut start = 0;
    let mut line = line;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if line == 0 {
            break;
        }
        let ends_line = matches!(byte, b'\n' | b'\x0C') || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        if ends_line {
            line -= 1;
            start = at + 1;
        }
    }
    let mut units = column.saturating_sub(1) as usize;
    for (at, character) in text[start..].char_indices() {
        if units == 0 {
            return start + at;
        }
        units = units.saturating_sub(character.len_utf16());
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::ScriptKind;
    use crate::scan::{Kind, SourcePath};

    fn minified(text: &str, wants_map: bool) -> Result<Minified, Refusal> {
        let path = SourcePath::parse("css/a.css").expect("a path");
        minify(&Input { path: &path, kind: Kind::Css, text, script: ScriptKind::Unknown, wants_map, gently: false })
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let first = minified(source, false).expect("readable");
        assert_eq!((first.text.as_str(), first.diagnostics), (expected, Vec::new()), "{source}");
        assert_eq!(minified(expected, false).expect("readable").text, expected, "twice is once");
    }

    #[test]
    fn sheets_get_smaller_and_mean_the_same() {
        check("a { color : #ff0000 ; }\n", "a{color:red}");
        check("/* x */ a { b : c } /*! kept */ a { d : e }", "a{b:c;d:e}");
        check("@font-face{src:url( 'a b.woff2' )}", "@font-face{src:url(\"a b.woff2\")}");
        check("a{background:url(\"img/qzxj00aa11.png\")}", "a{background:url(img/qzxj00aa11.png)}");
        check("@media (width >= 10px){a{b:c}}", "@media (width>=10px){a{b:c}}");
        check("a{&:hover{b:c}}", "a{&:hover{b:c}}");
    }

    #[test]
    fn nothing_is_lowered_and_no_prefix_comes_or_goes() {
        for source in [
            "a{inset:0;user-select:none}",
            "a{-webkit-user-select:none;user-select:none}",
            "a{-webkit-box-shadow:0 0 1px red;box-shadow:0 0 1px red}",
            "a{color:oklch(50% .1 20)}",
            "a{width:calc(100% - env(safe-area-inset-left))}",
            "@layer a,b;@import \"c.css\" layer(a);",
            "@container x (width>1px){a{b:c}}",
            "a{--x:  }",
            "@property --a{syntax:\"<color>\";inherits:false;initial-value:red}",
            "@view-transition{navigation:auto}",
            "a{anchor-name:--b;position-anchor:--b;top:anchor(bottom)}",
            "@starting-style{a{opacity:0}}",
        ] {
            let text = minified(source, false).expect("readable").text;
            let lowered = text.contains("@supports") || text.contains("rgb(");
            assert!(!lowered && text.len() <= source.len() + 1, "{source} -> {text}");
            assert_eq!(text.matches("-webkit-").count(), source.matches("-webkit-").count(), "{source} -> {text}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_kept_and_told() {
        let source = "a { b : c }\n@media ( not a b ) { d { e : f } }\n.ü { g : url( h ) }\nk { * zoom : 1 ; l : m }\nn { o : p }";
        let found = minified(source, false).expect("in pieces");
        assert!(!found.diagnostics.is_empty(), "{found:?}");
        for kept in ["a{b:c}", "@media ( not a b ){d{e : f}}", "url(h)", "k{* zoom : 1;l : m}", "n{o:p}"] {
            assert!(found.text.contains(kept), "{kept}: {}", found.text);
        }
        let again = minified(&found.text, false).expect("in pieces");
        assert_eq!(again.text, found.text, "twice is once");
    }

    #[test]
    fn the_place_of_a_kept_rule_is_said() {
        let found = minified("a{b:c}\n.ü{d:e} .f{ g: h }\n}x{*zoom:1}", false).expect("in pieces");
        let place = found.diagnostics.first().and_then(|finding| finding.place).map(|place| place.line);
        assert_eq!(place, Some(3), "{found:?}");
    }

    #[test]
    fn licence_comments_leave_the_text() {
        let found = minified("/*! a */b{c:d}/* @license e */", false).expect("readable");
        assert_eq!(
            (found.text.as_str(), found.licences),
            ("b{c:d}", vec!["/*! a */".to_owned(), "/* @license e */".to_owned()])
        );
    }

    #[test]
    fn a_map_leads_from_the_result_to_the_text() {
        let found = minified("a { b : c }\n\nd { e : url(f) }", true).expect("readable");
        let json = found.map.expect("a map");
        let map = oxc_sourcemap::SourceMap::from_json_string(&json).expect("json");
        let at = u32::try_from(found.text.find("d{").expect("the second rule")).expect("small");
        let token = map.get_tokens().find(|token| token.get_dst_col() == at).expect("a token");
        assert_eq!((token.get_src_line(), token.get_src_col()), (2, 0));
    }

    #[test]
    fn a_sheet_in_pieces_has_no_map() {
        assert!(minified("a{b:c}}{d{*zoom:1}", true).is_err());
    }

    #[test]
    fn a_text_cut_anywhere_never_panics() {
        let source = "@import 'ü';@media (a){b{c:d(\"\\\"\");e:'ü'}}/*! f */g{h:url( i\\) );--j:{k}}";
        for end in (0..source.len()).filter(|&end| source.is_char_boundary(end)) {
            let _ = minified(&source[..end], false);
            let _ = shrink(&source[..end]);
        }
    }
}

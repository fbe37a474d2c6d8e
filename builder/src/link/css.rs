//! Finds what a style sheet refers to: `@import`, `url()`, `src()`, `image-set()`, the source map.
//!
//! URLs in custom properties are taken as if they counted from the style sheet, though they may count from where the
//! property is used: a file keeps its folder when it is renamed, so that what led to it before does so after.

use std::ops::Range;

use cssparser::{Parser, Token};

use super::finder::{Certainty, Finder, Outer};
use super::names::Names;
use super::{Linked, ReferenceKind};
use crate::diagnostic::Diagnostic;
use crate::scan::Source;
use crate::syntax::css;
use crate::syntax::spelled::Spelled;

/// Blocks within blocks that are looked into. Style sheets that people or tools write have fewer than ten; the parser
/// descends by recursion, and what it does not look into it skips.
pub(super) const DEPTH_LIMIT: usize = 100;

/// Finds the references of a style sheet.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    let mut finder = Finder::new(source, text, names);
    link_part(&mut finder, text, &|range| range);
    finder.finish()
}

/// The same for a style sheet, or the declarations of an attribute, that stand in another text.
pub(super) fn link_part(finder: &mut Finder<'_>, text: &str, outer: Outer<'_>) {
    let findings = find(text);
    for found in &findings.urls {
        // A map is named for the sake of people: no page breaks without it.
        let certainty = if found.kind == ReferenceKind::SourceMap { Certainty::Perhaps } else { Certainty::Url };
        finder.url_within(&found.url, found.kind, certainty, outer);
    }
    if let Some(at) = findings.too_deep {
        let path = finder.source().path.as_str();
        let message = format!("cannot look into blocks that are nested more than {DEPTH_LIMIT} deep");
        let finding = Diagnostic::warning(path, "nested-too-deeply", message)
            .hint("files that are named there keep the bundler's names, which stay reachable");
        finder.warn_at(finding, outer(at..at).start);
    }
}

/// A URL in a style sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) url: Spelled<'a>,
    pub(super) kind: ReferenceKind,
}

/// What a style sheet, or the declarations of an attribute, holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings<'a> {
    /// In order.
    pub(super) urls: Vec<Found<'a>>,
    /// Where blocks were too deep to be looked into.
    pub(super) too_deep: Option<usize>,
}

/// Finds the URLs of a text. Whatever is malformed is stepped over, as browsers do.
pub(super) fn find(text: &str) -> Findings<'_> {
    let mut walk = Walk { text, findings: Findings::default(), depth: 0 };
    let mut parser = Parser::new(text);
    // Ours comes first: it says where.
    parser.set_nested_block_limit(u8::MAX);
    walk.statements(&mut parser, ReferenceKind::Image);
    walk.findings
}

struct Walk<'a> {
    text: &'a str,
    findings: Findings<'a>,
    depth: usize,
}

/// What the strings of a function's arguments are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// Texts.
    Plain,
    /// URLs: `url("...")`, `image-set("...")`.
    Urls,
}

/// What the next string or `url()` is besides a URL of the block's kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prelude {
    None,
    /// Behind `@import`: a style sheet, also as a string.
    Import,
    /// Behind `@namespace`: a name, not a reference.
    Namespace,
}

impl<'a> Walk<'a> {
    /// A list of rules and declarations: the sheet itself, or the inside of a block.
    fn statements(&mut self, parser: &mut Parser<'a>, kind: ReferenceKind) {
        let mut prelude = Prelude::None;
        let mut block_kind = kind;
        while let Some((token, span)) = next(parser) {
            match &token {
                Token::Comment(comment) => self.source_map(comment, span),
                Token::AtKeyword(name) => {
                    prelude = prelude_of(name);
                    block_kind = if name.eq_ignore_ascii_case("font-face") { ReferenceKind::Font } else { kind };
                }
                Token::Semicolon => (prelude, block_kind) = (Prelude::None, kind),
                Token::CurlyBracketBlock => {
                    self.block(parser, span.start, |walk, parser| walk.statements(parser, block_kind));
                    (prelude, block_kind) = (Prelude::None, kind);
                }
                _ => prelude = self.prelude(parser, &token, span, kind, prelude),
            }
        }
    }

    /// A value, unless an at-rule says otherwise; what is left of the prelude behind it.
    fn prelude(
        &mut self,
        parser: &mut Parser<'a>,
        token: &Token<'a>,
        span: Range<usize>,
        kind: ReferenceKind,
        prelude: Prelude,
    ) -> Prelude {
        let before = self.findings.urls.len();
        match prelude {
            Prelude::None => self.value(parser, token, span, kind, Strings::Plain),
            Prelude::Import => self.value(parser, token, span, ReferenceKind::Stylesheet, Strings::Urls),
            Prelude::Namespace => {
                self.value(parser, token, span, kind, Strings::Plain);
                self.findings.urls.truncate(before);
            }
        }
        // What follows the URL of an import are layers and conditions.
        if prelude == Prelude::Import && self.findings.urls.len() > before { Prelude::None } else { prelude }
    }

    /// The arguments of a function, or the inside of a bracket.
    fn values(&mut self, parser: &mut Parser<'a>, kind: ReferenceKind, strings: Strings) {
        while let Some((token, span)) = next(parser) {
            self.value(parser, &token, span, kind, strings);
        }
    }

    fn value(
        &mut self,
        parser: &mut Parser<'a>,
        token: &Token<'a>,
        span: Range<usize>,
        kind: ReferenceKind,
        strings: Strings,
    ) {
        match token {
            Token::UnquotedUrl(_) => {
                let url = css::unquoted_url(self.text, span);
                self.findings.urls.push(Found { url, kind });
            }
            Token::QuotedString(_) if strings == Strings::Urls => {
                let url = css::string(self.text, span);
                self.findings.urls.push(Found { url, kind });
            }
            Token::Function(name) => {
                let strings = strings_of(name);
                self.block(parser, span.start, |walk, parser| walk.values(parser, kind, strings));
            }
            Token::ParenthesisBlock | Token::SquareBracketBlock | Token::CurlyBracketBlock => {
                self.block(parser, span.start, |walk, parser| walk.values(parser, kind, Strings::Plain));
            }
            _ => {}
        }
    }

    fn block(&mut self, parser: &mut Parser<'a>, at: usize, inside: impl FnOnce(&mut Walk<'a>, &mut Parser<'a>)) {
        if self.depth == DEPTH_LIMIT {
            self.findings.too_deep.get_or_insert(at);
            return;
        }
        self.depth += 1;
        let _: Result<(), cssparser::ParseError<()>> = parser.parse_nested_block(|parser| {
            inside(self, parser);
            Ok(())
        });
        self.depth -= 1;
    }

    fn source_map(&mut self, comment: &'a str, span: Range<usize>) {
        let Some(url) = source_map_url(comment) else { return };
        let start = span.start + "/*".len() + comment.rfind(url).unwrap_or(0);
        let url = Spelled::verbatim(self.text, start..start + url.len());
        self.findings.urls.push(Found { url, kind: ReferenceKind::SourceMap });
    }
}

/// The next token that is not white space, and where it stands.
fn next<'a>(parser: &mut Parser<'a>) -> Option<(Token<'a>, Range<usize>)> {
    loop {
        let start = parser.position().byte_index();
        let token = parser.next_including_whitespace_and_comments().ok()?.clone();
        if !matches!(token, Token::WhiteSpace(_)) {
            return Some((token, start..parser.position().byte_index()));
        }
    }
}

fn prelude_of(at_rule: &str) -> Prelude {
    match at_rule {
        name if name.eq_ignore_ascii_case("import") => Prelude::Import,
        name if name.eq_ignore_ascii_case("namespace") => Prelude::Namespace,
        _ => Prelude::None,
    }
}

fn strings_of(function: &str) -> Strings {
    let takes_urls = ["url", "src", "image", "image-set", "-webkit-image-set"];
    if takes_urls.iter().any(|name| function.eq_ignore_ascii_case(name)) { Strings::Urls } else { Strings::Plain }
}

/// The URL of `# sourceMappingURL=...`, the inside of a comment.
pub(crate) fn source_map_url(comment: &str) -> Option<&str> {
    let rest = comment.strip_prefix('#').or_else(|| comment.strip_prefix('@'))?;
    let url = rest.trim_start().strip_prefix("sourceMappingURL=")?.trim();
    (!url.is_empty() && !url.contains(char::is_whitespace)).then_some(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[(&str, ReferenceKind)]) {
        let found = find(source);
        let urls: Vec<_> = found.urls.iter().map(|found| (&*found.url.text, found.kind)).collect();
        assert_eq!(urls, expected, "{source}");
    }

    #[test]
    fn every_construct_that_refers() {
        use ReferenceKind::{Font, Image, SourceMap, Stylesheet};
        check("a{b:url(a.png)}", &[("a.png", Image)]);
        check("a{b:url( 'a b.png' )}", &[("a b.png", Image)]);
        check(r#"a{b:URL("a\28 1\29.png")}"#, &[("a(1).png", Image)]);
        check(r"a{b:url(a\(1\).png)}", &[("a(1).png", Image)]);
        check("a{b:src('a.png')}", &[("a.png", Image)]);
        check("@import 'a.css';", &[("a.css", Stylesheet)]);
        check("@import url(a.css) layer(x) supports(b: url(c.png));", &[("a.css", Stylesheet), ("c.png", Image)]);
        check("@import\n\"a.css\" screen;b{c:url(d)}", &[("a.css", Stylesheet), ("d", Image)]);
        check("@namespace svg url(http://a);b{c:url(d)}", &[("d", Image)]);
        check("@namespace 'a';@charset 'b';", &[]);
        check(
            "@font-face{font-family:'x';src:url(a.woff2) format('woff2'),local('b'),url('c.eot?#iefix')}d{e:url(f)}",
            &[("a.woff2", Font), ("c.eot?#iefix", Font), ("f", Image)],
        );
        check(
            "a{b:image-set('a.avif' type('image/avif') 1x,url(b.png) 2x);c:-webkit-image-set(url(d) 1x)}",
            &[("a.avif", Image), ("b.png", Image), ("d", Image)],
        );
        check("@media x{@supports (a:b){c{&:hover{d:url(e)}}}}", &[("e", Image)]);
        check(":root{--a:url(b.png);--c:{d:url(e)}}", &[("b.png", Image), ("e", Image)]);
        check("a{b:url(c)}/*# sourceMappingURL=a.css.map */", &[("c", Image), ("a.css.map", SourceMap)]);
        check("b:url(c);d:url('e')", &[("c", Image), ("e", Image)]);
        check("a{b:'url(c)'}/* url(d) */e{content:\"f.png\"}", &[]);
        check("a{b:linear-gradient(red,blue),image('c.png',red)}", &[("c.png", Image)]);
    }

    #[test]
    fn names_are_replaced_where_they_stand() {
        crate::link::fixture::check(
            link,
            "assets/index-BgJEWM-p.css",
            "@import 'gone.css';@font-face{src:url(./inter-B9kq2_xR.woff2)}a{b:url( '../img/a\\20 b.png' );--c:url(/favicon.svg?d#e)}",
            "@import 'gone.css';@font-face{src:url(./inter-TOKEN.woff2)}a{b:url( '../img/a\\20 b.FILE.png' );--c:url(/favicon.FILE.svg?d#e)}",
        );
        let joined = "a{}/*# sourceMappingURL=inter-B9kq2_xR.woff2 */b{}";
        crate::link::fixture::check(link, "assets/index-BgJEWM-p.css", joined, joined);
    }

    #[test]
    fn malformed_sheets_are_read_as_far_as_they_go() {
        use ReferenceKind::{Image, Stylesheet};
        check("a{b:url(c", &[("c", Image)]);
        check("a{b:url('c", &[("c", Image)]);
        check("@import 'a", &[("a", Stylesheet)]);
        check("a{b:url(c d)}e{f:url(g)}", &[("g", Image)]);
        check("a{b:'c\nd}e{f:url(g)}", &[("g", Image)]);
        check("}}a{b:url(c)}", &[("c", Image)]);
        let deep = format!("{}url(b){}", "a{".repeat(100_000), "}".repeat(100_000));
        assert!(find(&deep).too_deep.is_some());
        let brackets = format!("a{{b:{}", "(".repeat(100_000));
        assert!(find(&brackets).too_deep.is_some());
    }

    proptest! {
        #[test]
        fn spans_are_what_the_source_says(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("url(a.png)"), Just("url('b.png')"), Just("@import 'c.css';"), Just("{"), Just("}"), Just("("),
                    Just(")"), Just(";"), Just("'"), Just("\\"), Just("\n"), Just("ü"), Just("/*"), Just("*/"), Just(" "),
                    Just("url("), Just("--x:"), Just("/*# sourceMappingURL=d */"), Just("@font-face"), Just("\0"),
                ],
                0..16,
            ),
        ) {
            let source = pieces.concat();
            let mut end = 0;
            for found in find(&source).urls {
                prop_assert!(found.url.span.start >= end && found.url.span.end <= source.len());
                end = found.url.span.end;
                if !source.contains('\\') {
                    prop_assert_eq!(&source[found.url.span], &*found.url.text);
                }
            }
        }
    }
}

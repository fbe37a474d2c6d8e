//! Pages: comments and white space go where neither a browser nor the app can tell; scripts and styles inside go through
//! their own minifiers.
//!
//! An element of the body may be the root of an app that takes over what a server rendered: it compares texts and looks
//! for the comments that mark its places. And any style sheet may make white space visible. So what stands inside the
//! elements of the body stays as it is, to the byte, but for tags' own white space and what scripts and styles hold.
//! Attributes keep their quotes and their order: servers replace `<div id="root"></div>` by its text.

use std::ops::Range;

use super::{Input, Minified, Refusal, css, json, script};
use crate::link::ScriptKind;
use crate::scan::Kind;
use crate::syntax::html::{ScriptContent, Tag, TextKind, Token, VOID, certain_tokens};

/// What may stand before the body without opening it (HTML §13.2.6.4.4).
const HEAD: [&str; 12] =
    ["html", "head", "title", "meta", "link", "script", "style", "base", "noscript", "template", "noframes", "bgsound"];

/// First words of comments that tools look for.
const TOOLS: [&str; 6] = ["esi", "ko", "build", "endbuild", "inject", "endinject"];

/// Minifies a page.
pub fn minify(input: &Input<'_>) -> Result<Minified, Refusal> {
    let tokens = certain_tokens(input.text).map_err(|unreadable| Refusal::new(unreadable.to_string()))?;
    let mut page = Page::new(input);
    let mut rest = tokens.as_slice();
    while let [token, next @ ..] = rest {
        rest = next;
        match (token, next) {
            (Token::Start(tag), [Token::Text { span, .. }, after @ ..]) if holds_code(tag) => {
                page.start(tag);
                let content = page.content(tag, span.clone());
                page.smaller.push_str(&content);
                rest = after;
            }
            _ => page.token(token),
        }
    }
    Ok(Minified { text: page.smaller, licences: page.licences, ..Minified::default() })
}

fn holds_code(tag: &Tag) -> bool {
    matches!(tag.name.as_str(), "script" | "style") && !tag.foreign
}

/// A page while it is written.
struct Page<'a> {
    input: &'a Input<'a>,
    smaller: String,
    licences: Vec<String>,
    /// Something was seen that only a body holds.
    in_body: bool,
    /// White space that is written before what comes next, unless that ends the body.
    parts: bool,
    /// Open elements but html, head and body.
    open: Vec<&'a str>,
    /// An end tag did not fit: from here on nobody knows what is inside what.
    lost: bool,
}

impl<'a> Page<'a> {
    fn new(input: &'a Input<'a>) -> Page<'a> {
        let smaller = String::with_capacity(input.text.len());
        Page { input, smaller, licences: Vec::new(), in_body: false, parts: false, open: Vec::new(), lost: false }
    }

    fn token(&mut self, token: &Token) {
        let text = &self.input.text[token.span()];
        match token {
            Token::Start(tag) => return self.start(tag),
            Token::End { name, .. } => self.leave(name),
            Token::Comment(_) if self.is_free() && !is_marker(text) && !self.touches_text() => return,
            Token::Text { .. } if self.is_free() && is_blank(text) => return self.parts |= self.in_body,
            Token::Text { kind: TextKind::Data, .. } if self.open.is_empty() && !is_blank(text) => self.in_body = true,
            Token::Other(_) => self.lost = true,
            _ => {}
        }
        self.part(!matches!(token, Token::End { name, .. } if matches!(name.as_str(), "body" | "html")));
        self.smaller.push_str(text);
    }

    /// Writes the white space that stood before what is written now. Outside of the body's elements it is nothing in the
    /// head; in the body it may part two words, but not at its beginning and its end. What stands behind the body's end tag
    /// belongs to the body all the same, and is parted from it.
    fn part(&mut self, goes_on: bool) {
        let parted = self.smaller.ends_with(|last: char| last.is_ascii_whitespace());
        if goes_on && std::mem::take(&mut self.parts) && !parted {
            self.smaller.push('\n');
        }
    }

    /// Whether text stands right before this place. What follows would join it: `<` and `x` to a tag, `&am` and `p;` to a
    /// character.
    fn touches_text(&self) -> bool {
        !self.parts && self.smaller.ends_with(|last: char| last != '>' && !last.is_ascii_whitespace())
    }

    /// Nothing is open that could be an app's root.
    fn is_free(&self) -> bool {
        self.open.is_empty() && !self.lost
    }

    fn start(&mut self, tag: &Tag) {
        self.part(true);
        self.tag(tag);
        let name = tag.name.as_str();
        self.in_body |= tag.foreign || !HEAD.contains(&name);
        let closed = if tag.foreign { tag.self_closing } else { VOID.contains(&name) };
        if !closed && !matches!(name, "html" | "head" | "body") {
            let start = tag.span.start + 1;
            self.open.push(&self.input.text[start..start + name.len()]);
        }
    }

    fn leave(&mut self, name: &str) {
        if matches!(name, "html" | "head" | "body") {
            self.lost |= !self.open.is_empty();
            // They open a body, to end it.
            self.in_body |= name != "head";
        } else if self.open.pop().is_none_or(|open| !open.eq_ignore_ascii_case(name)) {
            self.lost = true;
        }
    }

    /// A start tag with one space between its attributes. HTML's own elements need no slash; those of SVG do.
    fn tag(&mut self, tag: &Tag) {
        let text = self.input.text;
        let mut written = text[tag.span.start..=tag.span.start + tag.name.len()].to_owned();
        let mut at = tag.span.start + 1 + tag.name.len();
        let mut quoted = true;
        for attribute in &tag.attributes {
            let mut end = attribute.name_span.end;
            quoted = true;
            if let Some(value) = &attribute.value {
                quoted = text[..value.start].ends_with(['"', '\'']);
                end = value.end + usize::from(quoted);
            }
            let part = (text.get(at..attribute.name_span.start), text.get(attribute.name_span.start..end));
            let (Some(between), Some(spelled)) = part else { return self.verbatim(tag) };
            if !is_space_or_slash(between) {
                return self.verbatim(tag);
            }
            written.push(' ');
            written.push_str(spelled);
            at = end;
        }
        let tail = text.get(at..tag.span.end).and_then(|tail| tail.strip_suffix('>'));
        if !tail.is_some_and(is_space_or_slash) {
            return self.verbatim(tag);
        }
        self.smaller.push_str(&written);
        self.smaller.push_str(match (tag.foreign && tag.self_closing, quoted) {
            (true, true) => "/>",
            (true, false) => " />",
            (false, _) => ">",
        });
    }

    fn verbatim(&mut self, tag: &Tag) {
        self.smaller.push_str(&self.input.text[tag.span.clone()]);
    }

    /// What a script or a style sheet in the page becomes: its source, where it cannot be made smaller.
    fn content(&mut self, tag: &Tag, span: Range<usize>) -> String {
        let source = &self.input.text[span];
        let smaller = match tag.name.as_str() {
            "style" => is_css(tag, self.input.text).then(|| css::shrink(source)).flatten(),
            _ if tag.attribute("src").is_some() => None,
            _ => match ScriptContent::of(tag, self.input.text) {
                ScriptContent::Classic => self.script(source, ScriptKind::Classic),
                ScriptContent::Module => self.script(source, ScriptKind::Module),
                ScriptContent::ImportMap | ScriptContent::SpeculationRules => json::shrink(source),
                ScriptContent::Data => None,
            },
        };
        let fits = |smaller: &String| smaller.len() < source.len() && stays_inside(smaller);
        smaller.filter(fits).unwrap_or_else(|| source.to_owned())
    }

    fn script(&mut self, source: &str, kind: ScriptKind) -> Option<String> {
        let input = Input {
            path: self.input.path,
            kind: Kind::Script,
            text: source,
            script: kind,
            wants_map: false,
            gently: self.input.gently,
            keep_function_names: self.input.keep_function_names,
        };
        // What cannot be parsed may be a template for a server: it stays.
        let minified = script::minify(&input).ok()?;
        let text = minified.text.trim_end().to_owned();
        (!text.is_empty()).then(|| {
            self.licences.extend(minified.licences);
            text
        })
    }
}

/// The printer of a script or a style may write what its source spelled otherwise; in a page that would end it.
fn stays_inside(code: &str) -> bool {
    let lower = code.to_ascii_lowercase();
    ["</script", "<script", "</style", "<!--"].iter().all(|end| !lower.contains(end))
}

fn is_css(tag: &Tag, text: &str) -> bool {
    tag.value(text, "type").is_none_or(|kind| kind.is_empty() || kind.trim().eq_ignore_ascii_case("text/css"))
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn is_space_or_slash(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b'/')
}

/// Whether something may look for a comment: only prose and markup that somebody switched off go.
fn is_marker(comment: &str) -> bool {
    let inside = comment.trim_start_matches("<!--").trim_end_matches("-->").trim();
    let first = inside.split(|sign: char| sign.is_ascii_whitespace()).next().unwrap_or_default();
    let is_markup =
        first.starts_with('<') && !first.starts_with("<!") && !first.starts_with("<%") && !first.starts_with("<?");
    let is_prose = first.starts_with(|sign: char| sign.is_alphabetic())
        && inside.len() > first.len()
        && !first.contains([':', '-', '='])
        && !TOOLS.contains(&first.to_ascii_lowercase().as_str());
    let is_licence =
        ["@license", "@preserve", "copyright", "©"].iter().any(|word| inside.to_lowercase().contains(word));
    is_licence || !(is_markup || is_prose) || !comment.ends_with("-->") || inside.contains("{{")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::SourcePath;

    fn shrink(text: &str) -> Minified {
        try_to_shrink(text).expect("readable")
    }

    fn try_to_shrink(text: &str) -> Result<Minified, Refusal> {
        let path = SourcePath::parse("index.html").expect("a path");
        minify(&Input {
            path: &path,
            kind: Kind::Html,
            text,
            script: ScriptKind::Unknown,
            wants_map: false,
            gently: false,
            keep_function_names: false,
        })
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(shrink(source).text, expected, "{source}");
        assert_eq!(shrink(expected).text, expected, "twice is once");
    }

    #[test]
    fn a_page_of_a_bundler() {
        check(
            "<!doctype html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"UTF-8\" />\n    <!-- The title. -->\n    \
             <title>A  shop</title>\n    <script type=\"module\"\n      crossorigin src=\"/a.js\"></script>\n  </head>\n  <body>\n    \
             <div id=\"root\"></div>\n    <!-- an entry point -->\n    <script src=b.js ></script>\n  </body>\n</html>\n",
            "<!doctype html><html lang=\"en\"><head><meta charset=\"UTF-8\"><title>A  shop</title>\
             <script type=\"module\" crossorigin src=\"/a.js\"></script></head><body>\n<div id=\"root\"></div>\n\
             <script src=b.js></script></body></html>",
        );
    }

    #[test]
    fn what_stands_inside_the_bodys_elements_stays() {
        let kept = "<body><div id=\"root\"> <!-- a b --> <p>c  d</p>\n <!--$--> e</div>\n<pre>\n\n f</pre>\n<textarea> g </textarea>\n\
                    <svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/> <g/></svg></body>";
        check(kept, kept);
        check("<body><p>a</p> b <i>c</i> <i>d</i></body>", "<body><p>a</p> b <i>c</i>\n<i>d</i></body>");
        check("<body><p>a<p> <!-- b c --> </body>", "<body><p>a<p> <!-- b c --> </body>");
        check("<body><br> </body> </html> <i>a</i>", "<body><br></body></html>\n<i>a</i>");
        check("</body><script src=a></script> <i>b</i>", "</body><script src=a></script>\n<i>b</i>");
        check(
            "<body><b><div></b> <!-- b c --></div> <i></i></body>",
            "<body><b><div></b> <!-- b c --></div> <i></i></body>",
        );
    }

    #[test]
    fn comments_that_something_may_look_for_stay() {
        for comment in [
            "<!--$-->",
            "<!--/$-->",
            "<!-- -->",
            "<!---->",
            "<!--[-->",
            "<!--]-->",
            "<!--[if IE]><p><![endif]-->",
            "<!--<![endif]-->",
            "<!--# include file=\"a\" -->",
            "<!--app-html-->",
            "<!-- ssr-outlet -->",
            "<!--! a licence -->",
            "<!-- Copyright me -->",
            "<!--esi <p>a</p> -->",
            "<!-- build:js a.js -->",
            "<!-- {{ a b }} -->",
            "<!-- <%= a %> -->",
            "<!-- open",
        ] {
            let source = format!("<head>{comment}");
            assert_eq!(shrink(&source).text, source);
        }
        check("<head><!-- a comment --><!-- <link href=a> --></head>", "<head></head>");
    }

    #[test]
    fn tags_keep_what_they_say() {
        check("<a  b = 'c'\n d=\"e\"  f  g=h/ >", "<a b = 'c' d=\"e\" f g=h/>");
        check("<br/><svg><a b=c /><a b='c' /><a b/></svg>", "<br><svg><a b=c /><a b='c'/><a b/></svg>");
        check("<div a\"b=c'd>", "<div a\"b=c'd>");
        check("<IMG SRC=a>", "<IMG SRC=a>");
    }

    #[test]
    fn scripts_and_styles_go_through_their_own_minifiers() {
        check("<script> let a = f ( b , b ) </script>", "<script>let a=f(b,b);</script>");
        check("<style> a { b : c } </style>", "<style>a{b:c}</style>");
        check(
            "<script type=importmap>{ \"imports\" : {} }</script>",
            "<script type=importmap>{\"imports\":{}}</script>",
        );
        for kept in [
            "<script type=\"application/ld+json\"> { } </script>",
            "<script type=\"text/x-template\"> a  b </script>",
            "<script src=\"a\"> a  =  b </script>",
            "<script> {{ a }} {% b %} </script>",
            "<script>a = \"<!--\"  + \"b\"</script>",
            "<style type=text/less> a { b : c } </style>",
        ] {
            check(kept, kept);
        }
    }

    #[test]
    fn licences_of_inline_scripts_are_collected() {
        assert_eq!(shrink("<script>/*! a */ f ( ) </script>").licences, ["/*! a */"]);
    }

    #[test]
    fn a_page_cut_anywhere_is_read() {
        let source = "<!doctype html><html a='ü'><head> <!-- ü b --><title>ü</title><script>let ü = 1</script></head><body> \
                      <div ü=\"b\" >c</div> <svg><path d='e' /></svg><style> a { b : c } </style></body></html>";
        for end in (0..source.len()).filter(|&end| source.is_char_boundary(end)) {
            let once = shrink(&source[..end]).text;
            assert_eq!(shrink(&once).text, once, "cut at {end}");
        }
    }

    #[test]
    fn what_a_comment_parted_is_as_if_it_had_never_been_there() {
        check("<body><p>a</p> <!-- a b --></html>", "<body><p>a</p></html>");
        check("<body>a <!-- a b --> b", "<body>a  b");
        for kept in ["<<!-- a b -->x", "<body>a &am<!-- a b -->p;"] {
            check(kept, kept);
        }
        check("<body><p>a</p> <!-- a b --> <p>b</p>\n<!-- c d -->\n</body>", "<body><p>a</p>\n<p>b</p></body>");
    }

    #[test]
    fn deep_and_long_pages_are_read() {
        shrink(&"<div>".repeat(100_000));
        shrink(&format!("{}{}", "<div> ".repeat(50_000), "</div>".repeat(50_000)));
        shrink(&format!("<head>{}", "<!-- a b --> ".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn twice_is_once(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("<html>"), Just("<head>"), Just("</head>"), Just("<body>"), Just("</body>"), Just("<div>"), Just("</div>"),
                    Just("<p>"), Just("</p>"), Just("<!-- a b -->"), Just("<!--a-->"), Just(" "), Just("\n"), Just("x"),
                    Just("<svg>"), Just("</svg>"), Just("<path />"), Just("<br />"), Just("<pre>"), Just("</pre>"), Just("<i a = b />"),
                    Just("<title>"), Just("</title>"), Just("<script> f ( ) </script>"), Just("</html>"), Just("<a b"), Just("<"),
                ],
                0..16,
            ),
        ) {
            if let Ok(Minified { text: once, .. }) = try_to_shrink(&pieces.concat()) {
                prop_assert_eq!(&shrink(&once).text, &once);
            }
        }
    }
}

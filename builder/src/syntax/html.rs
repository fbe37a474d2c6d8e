//! HTML as tokens with exact spans, as a browser's tokenizer cuts it (through `lol_html`).
//!
//! The tokens cover the text without gaps. No tree is built: where a document is malformed, what stands in the text
//! stands in the tokens.

mod pictures;

use std::cell::{Cell, RefCell};
use std::ops::Range;

use lol_html::html_content::TextType;
use lol_html::{HtmlRewriter, Settings, doc_comments, doc_text, doctype, element};

/// A piece of an HTML text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A start tag.
    Start(Tag),
    /// An end tag.
    End {
        /// The whole tag.
        span: Range<usize>,
        /// In lower case.
        name: String,
    },
    /// Text between tags, as the source spells it.
    Text {
        /// All of it.
        span: Range<usize>,
        /// Which rules it follows.
        kind: TextKind,
    },
    /// A comment with its delimiters.
    Comment(Range<usize>),
    /// The document type.
    Doctype(Range<usize>),
    /// What is none of these: a cut-off tag, the delimiters of a CDATA section, an end tag with attributes.
    Other(Range<usize>),
}

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The whole tag.
    pub span: Range<usize>,
    /// In lower case.
    pub name: String,
    /// In order; of several with one name browsers take the first.
    pub attributes: Vec<Attribute>,
    /// It ends in `/>`.
    pub self_closing: bool,
    /// Inside SVG or `MathML`.
    pub foreign: bool,
}

/// An attribute of a start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// In lower case.
    pub name: String,
    /// Where the name stands.
    pub name_span: Range<usize>,
    /// Where the value stands, without quotes; `None` where there is none.
    pub value: Option<Range<usize>>,
}

/// Which rules a text follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Character references and tags count.
    Data,
    /// `<title>`, `<textarea>`: character references count.
    Escapable,
    /// `<script>`.
    Script,
    /// `<style>`, `<noscript>` and others: nothing counts.
    Raw,
}

/// The text cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read the HTML: {0}")]
pub struct Unreadable(String);

impl Token {
    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        match self {
            Token::Start(Tag { span, .. })
            | Token::End { span, .. }
            | Token::Text { span, .. }
            | Token::Comment(span)
            | Token::Doctype(span)
            | Token::Other(span) => span.clone(),
        }
    }

    /// The same token of a text that stands at `by` in another.
    pub fn shifted(self, by: usize) -> Token {
        let shift = |span: Range<usize>| span.start + by..span.end + by;
        match self {
            Token::Start(tag) => Token::Start(Tag {
                span: shift(tag.span),
                attributes: tag.attributes.into_iter().map(|attribute| attribute.shifted(by)).collect(),
                ..tag
            }),
            Token::End { span, name } => Token::End { span: shift(span), name },
            Token::Text { span, kind } => Token::Text { span: shift(span), kind },
            Token::Comment(span) => Token::Comment(shift(span)),
            Token::Doctype(span) => Token::Doctype(shift(span)),
            Token::Other(span) => Token::Other(shift(span)),
        }
    }
}

impl Attribute {
    fn shifted(self, by: usize) -> Attribute {
        let shift = |span: Range<usize>| span.start + by..span.end + by;
        Attribute { name: self.name, name_span: shift(self.name_span), value: self.value.map(shift) }
    }
}

impl Tag {
    /// The first attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The value of the first attribute of a name, decoded.
    pub fn value<'a>(&self, text: &'a str, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        let span = self.attribute(name)?.value.clone()?;
        Some(super::entity::html_attribute(text, span).text)
    }
}

/// What a `<script>` holds, by its `type` (HTML §4.12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptContent {
    /// A classic script.
    Classic,
    /// A module.
    Module,
    /// An import map.
    ImportMap,
    /// Speculation rules.
    SpeculationRules,
    /// Not for the browser: JSON-LD, state for hydration, templates.
    Data,
}

impl ScriptContent {
    /// What the tag of a script says about its content.
    pub fn of(tag: &Tag, text: &str) -> ScriptContent {
        let Some(kind) =
            tag.value(text, "type").or_else(|| tag.attribute("type").map(|_| std::borrow::Cow::Borrowed("")))
        else {
            // The older `language`, where it is not a kind of JavaScript.
            let language = tag.value(text, "language").unwrap_or_default();
            let script = language.is_empty() || language.to_ascii_lowercase().starts_with("javascript");
            return if script { ScriptContent::Classic } else { ScriptContent::Data };
        };
        let kind = kind.trim().to_ascii_lowercase();
        match kind.as_str() {
            "module" => ScriptContent::Module,
            "importmap" => ScriptContent::ImportMap,
            "speculationrules" => ScriptContent::SpeculationRules,
            kind if is_javascript(kind) => ScriptContent::Classic,
            _ => ScriptContent::Data,
        }
    }
}

/// The JavaScript types of the MIME Sniffing standard, §4.6; types with parameters are not among them.
fn is_javascript(kind: &str) -> bool {
    let Some((group, name)) = kind.split_once('/') else { return kind.is_empty() };
    let version =
        name.strip_prefix("javascript1.").is_some_and(|version| matches!(version, "0" | "1" | "2" | "3" | "4" | "5"));
    match group {
        "text" => {
            version
                || matches!(
                    name,
                    "javascript" | "ecmascript" | "jscript" | "livescript" | "x-javascript" | "x-ecmascript"
                )
        }
        "application" => matches!(name, "javascript" | "ecmascript" | "x-javascript" | "x-ecmascript"),
        _ => false,
    }
}

/// Elements without content (HTML §13.1.2), and two that browsers still read as such.
pub const VOID: [&str; 15] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "param",
    "bgsound",
];

/// Cuts a text into tokens. Where browsers may cut it otherwise, by what stands in what, it is cut all the same.
pub fn tokens(text: &str) -> Result<Vec<Token>, Unreadable> {
    in_parts(text, false)
}

/// The same, but for texts of which nobody can tell without a tree how browsers cut them: `<select><title>`.
pub fn certain_tokens(text: &str) -> Result<Vec<Token>, Unreadable> {
    let tokens = in_parts(text, true)?;
    if pictures::are_certain(&tokens, text) {
        return Ok(tokens);
    }
    Err(Unreadable("a picture is not nested well: how browsers read it depends on what is around it".to_owned()))
}

/// The tokenizer does not see that `<svg/>` ends where it begins: it takes all that follows for a part of the picture. So
/// what is behind it is read by itself.
fn in_parts(text: &str, strictly: bool) -> Result<Vec<Token>, Unreadable> {
    let mut tokens = Vec::new();
    let mut from = 0;
    loop {
        let part = cut(&text[from..], strictly)?;
        let goes_on = pictures::ends_with_empty(&part)?;
        tokens.extend(part.into_iter().map(|token| token.shifted(from)));
        if !goes_on {
            return Ok(tokens);
        }
        from = tokens.last().map_or(text.len(), |token| token.span().end);
    }
}

/// As far as the first picture without content.
fn cut(text: &str, strictly: bool) -> Result<Vec<Token>, Unreadable> {
    let found = RefCell::new(Vec::new());
    let is_enough = Cell::new(false);
    let push = |token: Token| {
        found.borrow_mut().push(token);
        Ok(())
    };
    let settings = Settings::new()
        .append_element_content_handler(element!("*", |element| {
            let tag = start_tag(element);
            is_enough.set(pictures::is_empty_picture(&tag));
            push(Token::Start(tag))?;
            if is_enough.get() { Err("what follows is read by itself".into()) } else { Ok(()) }
        }))
        .append_document_content_handler(doctype!(|doctype| push(Token::Doctype(doctype.source_location().bytes()))))
        .append_document_content_handler(doc_comments!(|comment| push(Token::Comment(
            comment.source_location().bytes()
        ))))
        .append_document_content_handler(doc_text!(|chunk| {
            push(Token::Text { span: chunk.source_location().bytes(), kind: text_kind(chunk.text_type()) })
        }))
        // What strict mode refuses, browsers read.
        .with_strict(strictly);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    let unreadable = |error: lol_html::errors::RewritingError| {
        Unreadable(error.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned())
    };
    let written = rewriter.write(text.as_bytes());
    let length = if is_enough.get() {
        drop(rewriter);
        found.borrow().last().map_or(text.len(), |token: &Token| token.span().end)
    } else {
        written.map_err(unreadable)?;
        rewriter.end().map_err(unreadable)?;
        text.len()
    };
    cover(&text[..length], found.into_inner())
}

fn start_tag(element: &lol_html::html_content::Element<'_, '_>) -> Tag {
    let attributes = element.attributes().iter().filter_map(|attribute| {
        Some(Attribute {
            name: attribute.name(),
            name_span: attribute.name_source_location()?.bytes(),
            value: attribute.value_source_location().map(|location| location.bytes()),
        })
    });
    Tag {
        span: element.source_location().bytes(),
        name: element.tag_name(),
        attributes: attributes.collect(),
        self_closing: element.is_self_closing(),
        foreign: element.namespace_uri() != "http://www.w3.org/1999/xhtml",
    }
}

fn text_kind(kind: TextType) -> TextKind {
    match kind {
        TextType::Data => TextKind::Data,
        TextType::RCData => TextKind::Escapable,
        TextType::ScriptData => TextKind::Script,
        TextType::RawText | TextType::PlainText | TextType::CDataSection => TextKind::Raw,
    }
}

/// Joins the chunks of a text, and fills the gaps: end tags are not reported, they are what is between.
fn cover(text: &str, found: Vec<Token>) -> Result<Vec<Token>, Unreadable> {
    let mut tokens: Vec<Token> = Vec::with_capacity(found.len() * 2);
    let mut end = 0;
    for token in found {
        let span = token.span();
        if span.start < end || span.end > text.len() || text.get(span.clone()).is_none() {
            return Err(Unreadable(format!("tokens overlap at byte {}", span.start)));
        }
        if span.is_empty() {
            continue;
        }
        gap(text, end..span.start, &mut tokens);
        end = span.end;
        match (tokens.last_mut(), token) {
            (Some(Token::Text { span: before, kind }), Token::Text { span: more, kind: same })
                if before.end == more.start && *kind == same =>
            {
                before.end = more.end;
            }
            (_, token) => tokens.push(token),
        }
    }
    gap(text, end..text.len(), &mut tokens);
    Ok(tokens)
}

fn gap(text: &str, span: Range<usize>, tokens: &mut Vec<Token>) {
    let mut at = span.start;
    while at < span.end {
        let Some((length, name)) = plain_end_tag(&text[at..span.end]) else {
            tokens.push(Token::Other(at..span.end));
            return;
        };
        tokens.push(Token::End { span: at..at + length, name });
        at += length;
    }
}

/// `</name>` with white space at most.
fn plain_end_tag(text: &str) -> Option<(usize, String)> {
    let body = text.strip_prefix("</").filter(|body| body.starts_with(|first: char| first.is_ascii_alphabetic()))?;
    let close = body.find('>')?;
    let name = body[..close].trim_end_matches(|space: char| space.is_ascii_whitespace());
    let plain = !name.contains(|sign: char| sign.is_ascii_whitespace() || matches!(sign, '/' | '"' | '\'' | '<'));
    plain.then(|| (2 + close + 1, name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spell(source: &str) -> String {
        let spelled = tokens(source).expect("readable").into_iter().map(|token| {
            let text = &source[token.span()];
            match token {
                Token::Start(tag) => {
                    let attributes = tag.attributes.iter().map(|attribute| {
                        let value = attribute.value.clone().map(|span| &source[span]);
                        format!(" {}={value:?}", attribute.name)
                    });
                    let foreign = if tag.foreign { "*" } else { "" };
                    format!("<{}{foreign}{}>", tag.name, attributes.collect::<String>())
                }
                Token::End { name, .. } => format!("</{name}>"),
                Token::Text { kind, .. } => format!("{kind:?}{text:?}"),
                Token::Comment(_) => format!("comment{text:?}"),
                Token::Doctype(_) => format!("doctype{text:?}"),
                Token::Other(_) => format!("other{text:?}"),
            }
        });
        spelled.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn values_have_exact_spans_however_they_are_quoted() {
        assert_eq!(
            spell("<!DOCTYPE html><IMG SRC=a.png alt='x y' Title = \"t>\" hidden/>b"),
            r#"doctype"<!DOCTYPE html>" <img src=Some("a.png") alt=Some("x y") title=Some("t>") hidden=None> Data"b""#
        );
        assert_eq!(spell("<a href=/x/>"), r#"<a href=Some("/x/")>"#);
        assert_eq!(spell("<a href='' b=\"\">"), r#"<a href=Some("") b=Some("")>"#);
    }

    #[test]
    fn raw_texts_and_foreign_content_follow_the_tree() {
        assert_eq!(
            spell("<script>a<b></i></script><title>&amp;<b></title>"),
            r#"<script> Script"a<b></i>" </script> <title> Escapable"&amp;<b>" </title>"#
        );
        assert_eq!(
            spell("<svg><style>a<g/></style></svg><style><i/></style>"),
            r#"<svg*> <style*> Data"a" <g*> </style> </svg> <style> Raw"<i/>" </style>"#
        );
    }

    #[test]
    fn an_empty_picture_ends_where_it_begins() {
        assert_eq!(
            spell("<svg a=b /><style><i/></style><math/><textarea><b></textarea><svg><g/></svg>"),
            r#"<svg* a=Some("b")> <style> Raw"<i/>" </style> <math*> <textarea> Escapable"<b>" </textarea> <svg*> <g*> </svg>"#
        );
        assert!(tokens("<svg><svg/></svg><style><i/></style>").is_err());
        covered(&"<svg/>a".repeat(1000));
        covered("<svg/>");
    }

    #[test]
    fn where_only_a_tree_tells_how_a_text_is_cut_nothing_is_certain() {
        for text in ["<select><title><i/></title></select>", "<frameset><script><i/></script>"] {
            assert!(tokens(text).is_ok() && certain_tokens(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_texts_are_covered_without_gaps() {
        assert_eq!(
            spell("a</p></ q></b x='>'>c<d"),
            r#"Data"a" </p> comment"</ q>" other"</b x='>'>" Data"c" other"<d""#
        );
        assert_eq!(spell("<!-- x"), r#"comment"<!-- x""#);
        assert_eq!(spell("<a <b c=d"), r#"other"<a <b c=d""#);
    }

    fn covered(source: &str) {
        let mut at = 0;
        for token in tokens(source).expect("readable") {
            assert_eq!(token.span().start, at, "{source:?}");
            at = token.span().end;
        }
        assert_eq!(at, source.len(), "{source:?}");
    }

    #[test]
    fn a_hundred_thousand_open_elements_are_read() {
        covered(&"<div>".repeat(100_000));
        covered(&format!("{}{}", "<div><p>".repeat(50_000), "</div>".repeat(50_000)));
        covered(&format!("{}{}", "<svg><b><math>".repeat(30_000), "</x>".repeat(30_000)));
    }

    proptest! {
        #[test]
        fn tokens_cover_any_text(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("<"), Just(">"), Just("</"), Just("<!--"), Just("-->"), Just("<script>"), Just("</script>"),
                    Just("<svg>"), Just("</svg>"), Just("<style>"), Just("<![CDATA["), Just("]]>"), Just("<!"), Just("ü"),
                    Just("<a b="), Just("'"), Just("\""), Just(" "), Just("<title>"), Just("&"), Just("x"), Just("/"),
                    Just("<plaintext>"), Just("<math>"), Just("<p>"), Just("<desc>"), Just("\r\n"), Just("\0"),
                ],
                0..24,
            ),
        ) {
            covered(&pieces.concat());
        }
    }
}

//! XML as tokens with exact spans (through `quick-xml`). Entities that a document declares are never expanded.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A piece of an XML text. The tokens cover it without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// All of it.
    pub span: Range<usize>,
    /// What it is.
    pub kind: TokenKind,
}

/// What a piece of an XML text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A start tag; `empty` where it ends in `/>`.
    Start {
        /// With its prefix.
        name: String,
        /// In order.
        attributes: Vec<Attribute>,
        /// No end tag follows.
        empty: bool,
    },
    /// An end tag.
    End,
    /// Text as the source spells it.
    Text,
    /// A CDATA section with its delimiters.
    CData,
    /// A comment with its delimiters.
    Comment,
    /// The XML declaration.
    Declaration,
    /// A processing instruction.
    Instruction,
    /// The document type.
    Doctype,
    /// A reference to a character or an entity in a text.
    Reference,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// With its prefix.
    pub name: String,
    /// Where the value stands, without quotes.
    pub value: Range<usize>,
}

/// Cuts a text into tokens; `None` where it is not well-formed.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut reader = Reader::from_str(text);
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let event = reader.read_event().ok()?;
        let end = usize::try_from(reader.buffer_position()).ok()?;
        let kind = match &event {
            Event::Start(tag) => {
                depth += 1;
                start(text, tag, false)?
            }
            Event::Empty(tag) => start(text, tag, true)?,
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                TokenKind::End
            }
            Event::Text(_) => TokenKind::Text,
            Event::CData(_) => TokenKind::CData,
            Event::Comment(_) => TokenKind::Comment,
            Event::Decl(_) => TokenKind::Declaration,
            Event::PI(_) => TokenKind::Instruction,
            Event::DocType(_) => TokenKind::Doctype,
            Event::GeneralRef(_) => TokenKind::Reference,
            Event::Eof => return (depth == 0 && at == text.len()).then_some(tokens),
        };
        if end > at {
            tokens.push(Token { span: at..end, kind });
        }
        at = end;
    }
}

fn start(text: &str, tag: &BytesStart<'_>, empty: bool) -> Option<TokenKind> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let value = span_in(text, &attribute.value)?;
        attributes.push(Attribute { name: attribute.key.as_ref().to_owned(), value });
    }
    Some(TokenKind::Start { name: tag.name().as_ref().to_owned(), attributes, empty })
}

/// Where a slice of a text lies in it; `None` for what was copied out of it.
fn span_in(text: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let end = start + part.len();
    (end <= text.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_exact_spans() {
        let source = "<?xml version=\"1.0\"?>\n<svg a='x&amp;y'><use xlink:href = \"#b\"/>é&amp;<![CDATA[<]]></svg>";
        let mut found = Vec::new();
        let mut at = 0;
        for token in tokens(source).expect("well-formed") {
            assert_eq!(token.span.start, at);
            at = token.span.end;
            if let TokenKind::Start { attributes, .. } = token.kind {
                found.extend(attributes.into_iter().map(|found| (found.name, source[found.value].to_owned())));
            }
        }
        assert_eq!(at, source.len());
        let expected = [("a", "x&amp;y"), ("xlink:href", "#b")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for source in ["<svg>", "<svg></g>", "<svg a=b/>", "<svg", "</svg>", "<svg a='1' a='2'/>", "<!-- x"] {
            assert_eq!(tokens(source), None, "{source}");
        }
        assert!(tokens(&format!("{}{}", "<g>".repeat(100_000), "</g>".repeat(100_000))).is_some());
    }

    #[test]
    fn a_text_cut_anywhere_never_panics() {
        let source =
            "<?xml version='1'?><!DOCTYPE svg [<!ENTITY a 'ü&b;'>]><svg x='ü'>&a;<!--ü--><![CDATA[ü]]><?p ü?></svg>";
        for end in (0..source.len()).filter(|&end| source.is_char_boundary(end)) {
            tokens(&source[..end]);
        }
        assert!(tokens(source).is_some());
    }
}

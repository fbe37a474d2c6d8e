//! Finds what an SVG file refers to: `href`, `xlink:href`, and URLs in its styles.

use std::ops::Range;

use super::finder::{Certainty, Finder};
use super::names::Names;
use super::{Linked, ReferenceKind, css};
use crate::scan::Source;
use crate::syntax::entity::xml_attribute;
use crate::syntax::xml::{Attribute, Token, TokenKind, tokens};

/// Finds the references of an SVG file; none where it is not well-formed, as no browser shows it either.
pub(super) fn link(source: &Source, text: &str, names: &Names) -> Linked {
    let mut finder = Finder::new(source, text, names);
    let mut in_style = false;
    for token in tokens(text).unwrap_or_default() {
        match &token.kind {
            TokenKind::Start { name, attributes, empty } => {
                in_style = !empty && local(name) == "style";
                for found in attributes {
                    attribute(&mut finder, text, name, found);
                }
            }
            TokenKind::End => in_style = false,
            TokenKind::Text | TokenKind::CData if in_style => style(&mut finder, text, &token),
            _ => {}
        }
    }
    finder.finish()
}

fn attribute(finder: &mut Finder<'_>, text: &str, tag: &str, attribute: &Attribute) {
    let value = xml_attribute(text, attribute.value.clone());
    match local(&attribute.name) {
        "href" | "src" => {
            let kind = match local(tag) {
                "a" => ReferenceKind::Navigation,
                "script" => ReferenceKind::Script,
                _ => ReferenceKind::Image,
            };
            finder.url(&value, kind, Certainty::Url);
        }
        // Presentation attributes hold values of CSS: `fill="url(a.svg#b)"`.
        _ if value.text.contains('(') => css::link_part(finder, &value.text, &|range| value.source_of(range)),
        _ => {}
    }
}

fn style(finder: &mut Finder<'_>, text: &str, token: &Token) {
    let mut span = token.span.clone();
    if token.kind == TokenKind::CData {
        span = span.start + "<![CDATA[".len()..span.end - "]]>".len();
    }
    css::link_part(finder, &text[span.clone()], &|range: Range<usize>| {
        range.start + span.start..range.end + span.start
    });
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::fixture::check;

    #[test]
    fn every_way_to_refer() {
        for (text, expected) in [
            (
                "<?xml version='1.0'?><svg xmlns:xlink='x'><image xlink:href='logo-D8aaQ9zz.png'/><use href=\"/favicon.svg#a\"/></svg>",
                "<?xml version='1.0'?><svg xmlns:xlink='x'><image xlink:href='logo-TOKEN.png'/><use href=\"/favicon.FILE.svg#a\"/></svg>",
            ),
            (
                "<svg><style>a{b:url(logo-D8aaQ9zz.png)}</style><style><![CDATA[a{b:url('../favicon.svg')}]]></style></svg>",
                "<svg><style>a{b:url(logo-TOKEN.png)}</style><style><![CDATA[a{b:url('../favicon.FILE.svg')}]]></style></svg>",
            ),
            (
                "<svg style='fill:url(&quot;../favicon.svg#a&quot;)' fill='url(#b)' mask='url(../img/a&amp;b.png)'></svg>",
                "<svg style='fill:url(&quot;../favicon.FILE.svg#a&quot;)' fill='url(#b)' mask='url(../img/a&amp;b.FILE.png)'></svg>",
            ),
            (
                "<svg><!-- <image href='/favicon.svg'/> --><text>/favicon.svg</text></svg>",
                "<svg><!-- <image href='/favicon.svg'/> --><text>/favicon.svg</text></svg>",
            ),
            ("<svg><image href='/favicon.svg'></svg>", "<svg><image href='/favicon.svg'></svg>"),
        ] {
            check(link, "assets/logo-CLuoci_l.svg", text, expected);
        }
    }
}

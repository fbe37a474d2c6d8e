//! SVG without comments, metadata and white space that cannot be seen. Shapes, numbers and names stay as they are.

use crate::syntax::xml::{Token, TokenKind, tokens};

/// Elements in which white space can be seen, or that are not SVG.
const TEXTUAL: [&str; 9] = ["text", "tspan", "textPath", "tref", "title", "desc", "style", "script", "foreignObject"];

/// The smaller text; `None` where the source is not well-formed or could not be told apart from the result.
pub(super) fn shrink(text: &str) -> Option<String> {
    let tokens = tokens(text)?;
    if !may_change(text, &tokens) {
        return None;
    }
    let mut shrinking = Shrinking { text, smaller: String::with_capacity(text.len()), open: Vec::new(), textual: 0 };
    let mut tokens = tokens.iter();
    while let Some(token) = tokens.next() {
        match &token.kind {
            TokenKind::Start { name, empty, .. } if name == "metadata" && shrinking.textual == 0 => {
                if !empty {
                    skip_element(&mut tokens);
                }
            }
            kind => shrinking.token(token, kind),
        }
    }
    Some(shrinking.smaller)
}

/// Scripts may look for what would be gone; a declared entity or a processing instruction may stand for anything.
fn may_change(text: &str, tokens: &[Token]) -> bool {
    tokens.iter().all(|token| match &token.kind {
        TokenKind::Start { name, attributes, .. } => {
            let local = name.rsplit(':').next().unwrap_or(name);
            local != "script"
                && attributes.iter().all(|attribute| !is_handler(&attribute.name) && attribute.name != "xml:space")
        }
        TokenKind::Doctype => !text[token.span.clone()].contains('['),
        TokenKind::Instruction => false,
        _ => true,
    })
}

fn is_handler(attribute: &str) -> bool {
    attribute.len() > 2 && attribute.starts_with("on")
}

fn skip_element(tokens: &mut std::slice::Iter<'_, Token>) {
    let mut depth = 1_usize;
    for token in tokens {
        match token.kind {
            TokenKind::Start { empty: false, .. } => depth += 1,
            TokenKind::End => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

struct Shrinking<'a> {
    text: &'a str,
    smaller: String,
    /// Of each open element: whether it is one of [`TEXTUAL`].
    open: Vec<bool>,
    /// How many of them are.
    textual: usize,
}

impl Shrinking<'_> {
    fn token(&mut self, token: &Token, kind: &TokenKind) {
        let spelled = &self.text[token.span.clone()];
        match kind {
            TokenKind::Start { name, empty: false, .. } => {
                let textual = TEXTUAL.contains(&name.as_str());
                self.open.push(textual);
                self.textual += usize::from(textual);
                self.tag(token);
            }
            TokenKind::Start { .. } => self.tag(token),
            TokenKind::End => {
                self.textual -= usize::from(self.open.pop().unwrap_or(false));
                self.smaller.push_str(spelled);
            }
            TokenKind::Comment if !spelled.starts_with("<!--!") && !spelled.contains("@license") => {}
            TokenKind::Doctype => {}
            // The text is UTF-8, which is what a text without a declaration is.
            TokenKind::Declaration
                if self.smaller.is_empty() && !spelled.contains("standalone") && is_utf_8(spelled) => {}
            TokenKind::Text if self.textual == 0 && spelled.bytes().all(|byte| byte.is_ascii_whitespace()) => {}
            _ => self.smaller.push_str(spelled),
        }
    }

    /// A tag with one space between attributes.
    fn tag(&mut self, token: &Token) {
        let TokenKind::Start { attributes, name, empty } = &token.kind else { return };
        self.smaller.push('<');
        self.smaller.push_str(name);
        for attribute in attributes {
            // One more byte on either side: the quotes.
            let value = &self.text[attribute.value.start - 1..=attribute.value.end];
            self.smaller.push(' ');
            self.smaller.push_str(&attribute.name);
            self.smaller.push('=');
            self.smaller.push_str(value);
        }
        self.smaller.push_str(if *empty { "/>" } else { ">" });
    }
}

fn is_utf_8(declaration: &str) -> bool {
    let lower = declaration.to_ascii_lowercase();
    !lower.contains("encoding") || lower.contains("\"utf-8\"") || lower.contains("'utf-8'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_goes() {
        for (source, expected) in [
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg  a = 'b'\n c=\"d>\" >\n <!-- x --> <g/>\n</svg>\n",
                "<svg a='b' c=\"d>\"><g/></svg>",
            ),
            ("<svg><metadata><a><b/></a></metadata><metadata/><g/></svg>", "<svg><g/></svg>"),
            (
                "<svg><text> a <tspan> b </tspan> </text> <g/></svg>",
                "<svg><text> a <tspan> b </tspan> </text><g/></svg>",
            ),
            ("<svg><!--! (c) --><title> t </title></svg>", "<svg><!--! (c) --><title> t </title></svg>"),
            ("<svg><style> a{} </style><![CDATA[ ]]></svg>", "<svg><style> a{} </style><![CDATA[ ]]></svg>"),
        ] {
            assert_eq!(shrink(source).as_deref(), Some(expected));
            assert_eq!(shrink(expected).as_deref(), Some(expected), "twice is once");
        }
    }

    #[test]
    fn what_may_be_looked_at_stays() {
        for source in [
            "<svg> <script>x</script></svg>",
            "<svg onload='x'> </svg>",
            "<svg xml:space='preserve'> </svg>",
            "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg> &a;</svg>",
            "<?xml-stylesheet href='a.css'?><svg> </svg>",
            "<svg> <g></svg>",
        ] {
            assert_eq!(shrink(source), None, "{source}");
        }
    }

    #[test]
    fn entities_are_never_expanded() {
        let bomb = "<!DOCTYPE s [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><svg>&b;</svg>";
        assert_eq!(shrink(bomb), None);
    }
}

//! Takes comments and white space from CSS that nothing else can be done to; collects licence comments.

use cssparser::{Parser, Token};

/// Blocks within blocks past which a text is refused: the parser descends by recursion.
const DEPTH_LIMIT: usize = 100;

/// A text without comments and without white space where none is needed; `None` where it is nested too deeply.
pub(super) fn strip(text: &str) -> Option<String> {
    let mut smaller = String::with_capacity(text.len());
    let mut pending = Pending::Nothing;
    walk(&mut Parser::new(text), 0, &mut |piece| match piece {
        Piece::Space => pending = Pending::Space,
        Piece::Comment(_) => pending = pending.max(Pending::Comment),
        Piece::Other(token) => {
            let tight = |sign: char| matches!(sign, '{' | '}' | ';');
            let beside_tight = token.starts_with(tight) || smaller.is_empty() || smaller.ends_with(tight);
            match pending {
                Pending::Space if !beside_tight => smaller.push(' '),
                // `a/**/b` are two words, `ab` is one.
                Pending::Comment if !beside_tight => smaller.push_str("/**/"),
                _ => {}
            }
            pending = Pending::Nothing;
            smaller.push_str(token);
        }
    })?;
    Some(smaller)
}

/// The licence comments of a text with their delimiters: `/*!`, `@license`, `@preserve`.
pub(super) fn licences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // What is nested too deeply holds none.
    let _ = walk(&mut Parser::new(text), 0, &mut |piece| {
        if let Piece::Comment(comment) = piece
            && is_licence(comment)
        {
            found.push(comment.to_owned());
        }
    });
    found
}

fn is_licence(comment: &str) -> bool {
    comment.starts_with("/*!") || comment.contains("@license") || comment.contains("@preserve")
}

/// What stands between the last token and the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    Nothing,
    Comment,
    Space,
}

enum Piece<'a> {
    Space,
    Comment(&'a str),
    Other(&'a str),
}

fn walk(parser: &mut Parser<'_>, depth: usize, see: &mut dyn FnMut(Piece<'_>)) -> Option<()> {
    loop {
        let start = parser.position();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { return Some(()) };
        let text = parser.slice_from(start);
        let close = match token {
            Token::WhiteSpace(_) => {
                see(Piece::Space);
                continue;
            }
            Token::Comment(_) => {
                see(Piece::Comment(text));
                continue;
            }
            Token::CurlyBracketBlock => "}",
            Token::SquareBracketBlock => "]",
            Token::ParenthesisBlock | Token::Function(_) => ")",
            _ => {
                see(Piece::Other(text));
                continue;
            }
        };
        if depth == DEPTH_LIMIT {
            return None;
        }
        see(Piece::Other(text));
        let inside: Result<Option<()>, cssparser::ParseError<()>> =
            parser.parse_nested_block(|parser| Ok(walk(parser, depth + 1, see)));
        inside.ok().flatten()?;
        see(Piece::Other(close));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_separates_nothing_goes() {
        for (source, expected) in [
            ("a  >  b /* x */ { c : d ; }\n", "a > b{c : d;}"),
            ("a/**/b{}", "a/**/b{}"),
            ("a /**/ .b{}", "a .b{}"),
            (r#"a{b:"  /* */ " url( x )  c( d ,  e )}"#, r#"a{b:"  /* */ " url( x ) c( d , e )}"#),
            ("a{b:c", "a{b:c}"),
            ("@media (x) and (y){a{b:c}}", "@media (x) and (y){a{b:c}}"),
        ] {
            assert_eq!(strip(source).as_deref(), Some(expected), "{source}");
        }
        assert_eq!(strip(&"a{".repeat(10_000)), None);
    }

    #[test]
    fn licence_comments_are_found_at_any_depth() {
        let source = "/*! a */x{/* @license b */}/* c */@media x{/*@preserve*/}";
        assert_eq!(licences(source), ["/*! a */", "/* @license b */", "/*@preserve*/"]);
    }
}

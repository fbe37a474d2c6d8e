//! Where the rules of a style sheet begin and end, at its top level.

use std::ops::Range;

use cssparser::{Parser, Token};

/// The rules of a text; together they cover it from the first to the end.
pub(super) fn top_level(text: &str) -> Vec<Range<usize>> {
    let mut parser = Parser::new(text);
    let mut rules = Vec::new();
    let mut start: Option<(usize, bool)> = None;
    loop {
        let at = parser.position().byte_index();
        // Blocks are stepped over as a whole when the token behind them is asked for.
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { break };
        if start.is_none() && !matches!(token, Token::WhiteSpace(_) | Token::Comment(_)) {
            start = Some((at, matches!(token, Token::AtKeyword(_))));
        }
        let Some((begin, at_rule)) = start else { continue };
        // CSS Syntax 3 §5.5: a semicolon ends at-rules only; at the top level other rules go on to their block.
        let ends = match token {
            Token::CurlyBracketBlock => {
                let _: Result<(), cssparser::ParseError<()>> = parser.parse_nested_block(|_| Ok(()));
                true
            }
            Token::Semicolon => at_rule,
            _ => false,
        };
        if ends {
            rules.push(begin..parser.position().byte_index());
            start = None;
        }
    }
    if let Some((begin, _)) = start {
        rules.push(begin..text.len());
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_end_with_their_block_or_semicolon() {
        let source = "/*x*/ @import 'a;b';a{b:c;d:{e}}\n@media x{a{}b{}} ;c{} d:e;f{}@layer q;g{";
        let rules: Vec<&str> = top_level(source).into_iter().map(|rule| &source[rule]).collect();
        let expected = ["@import 'a;b';", "a{b:c;d:{e}}", "@media x{a{}b{}}", ";c{}", "d:e;f{}", "@layer q;", "g{"];
        assert_eq!(rules, expected);
    }
}

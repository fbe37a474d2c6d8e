//! Moves a map's generated positions to where they are after linking: placeholders differ in length from names.

use oxc_sourcemap::{SourceMap, Token};

use crate::link::Edit;

/// A place of a text as source maps count: from 0, columns in UTF-16 code units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    line: u32,
    column: u32,
}

/// The same replacement in both texts.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    before_start: Position,
    before_end: Position,
    after_start: Position,
    after_end: Position,
}

/// The map for the text that `edits` make of `text`. What points into a replacement then points at its start.
pub fn shift<'a>(map: SourceMap<'a>, text: &str, edits: &[Edit]) -> SourceMap<'a> {
    if edits.is_empty() {
        return map;
    }
    let moved = moved(text, edits);
    let mut parts = map.into_parts();
    let mut tokens: Vec<Token> = parts.tokens.iter().map(|token| shift_token(token, &moved)).collect();
    tokens.sort_by_key(|token| (token.get_dst_line(), token.get_dst_col()));
    parts.tokens = tokens.into_boxed_slice();
    parts.token_chunks = None;
    SourceMap::from_parts(parts)
}

fn moved(text: &str, edits: &[Edit]) -> Vec<Moved> {
    let mut last = Moved::default();
    let mut at = 0;
    let mut all = Vec::with_capacity(edits.len());
    for edit in edits {
        let between = text.get(at..edit.span.start).unwrap_or_default();
        let replaced = text.get(edit.span.clone()).unwrap_or_default();
        let (before_start, after_start) = (last.before_end.after(between), last.after_end.after(between));
        last = Moved {
            before_start,
            before_end: before_start.after(replaced),
            after_start,
            after_end: after_start.after(&edit.text),
        };
        at = edit.span.end;
        all.push(last);
    }
    all
}

fn shift_token(token: &Token, moved: &[Moved]) -> Token {
    let at = Position { line: token.get_dst_line(), column: token.get_dst_col() };
    let begun = moved.partition_point(|edit| edit.before_start <= at);
    let place = match moved[..begun].last() {
        None => at,
        Some(edit) if at < edit.before_end => edit.after_start,
        Some(edit) => edit.carry(at),
    };
    let source = (token.get_src_line(), token.get_src_col());
    Token::new(place.line, place.column, source.0, source.1, token.get_source_id(), token.get_name_id())
}

impl Moved {
    /// A place behind the replacement and before the next one.
    fn carry(&self, at: Position) -> Position {
        if at.line == self.before_end.line {
            return Position {
                line: self.after_end.line,
                column: self.after_end.column + (at.column - self.before_end.column),
            };
        }
        Position { line: self.after_end.line + (at.line - self.before_end.line), column: at.column }
    }
}

impl Position {
    /// Where one is after reading `text`. Lines end as in JavaScript (ECMA-262 §12.3), which printers follow too.
    fn after(self, text: &str) -> Position {
        let mut place = self;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let ends_line = match character {
                '\r' => characters.peek() != Some(&'\n'),
                '\n' | '\u{2028}' | '\u{2029}' => true,
                _ => false,
            };
            if ends_line {
                place = Position { line: place.line + 1, column: 0 };
            } else {
                place.column += u32::from(character.len_utf16() == 2) + 1;
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps every character of a text to itself, shifts, and looks at where each one went.
    #[track_caller]
    fn check(text: &str, edits: &[(&str, &str)], expected: &str) {
        let edits: Vec<Edit> = edits
            .iter()
            .map(|(old, new)| {
                let start = text.find(old).expect("the text has it");
                Edit { span: start..start + old.len(), text: (*new).to_owned() }
            })
            .collect();
        let mut tokens = Vec::new();
        let mut place = Position::default();
        for character in text.chars() {
            tokens.push((place, character));
            place = place.after(character.encode_utf8(&mut [0; 4]));
        }
        let moved = moved(text, &edits);
        let lines: Vec<&str> = expected.split('\n').collect();
        let inside = |at: Position| moved.iter().any(|edit| edit.before_start <= at && at < edit.before_end);
        for (at, character) in tokens.into_iter().filter(|(at, character)| *character != '\n' && !inside(*at)) {
            let token = shift_token(&Token::new(at.line, at.column, 0, 0, Some(0), None), &moved);
            let line: Vec<u16> = lines[token.get_dst_line() as usize].encode_utf16().collect();
            let column = token.get_dst_col() as usize;
            let there = char::decode_utf16(line[column..].iter().copied()).next().and_then(Result::ok);
            assert_eq!(there, Some(character), "{at:?} of {text:?}");
        }
    }

    #[test]
    fn what_follows_a_replacement_on_its_line_moves() {
        check("abc DEF ghi\njkl", &[("DEF", "123456")], "abc 123456 ghi\njkl");
        check("abc DEF ghi JKL mno", &[("DEF", "1"), ("JKL", "12345678")], "abc 1 ghi 12345678 mno");
    }

    #[test]
    fn columns_are_utf_16_code_units() {
        check("é😀 DEF 😀é x", &[("DEF", "é😀é😀")], "é😀 é😀é😀 😀é x");
    }

    #[test]
    fn replacements_may_hold_lines() {
        check("ab CD\nEF gh\nij", &[("CD\nEF", "x")], "ab x gh\nij");
        check("ab CD gh\nij", &[("CD", "x\ny")], "ab x\ny gh\nij");
    }

    #[test]
    fn what_points_into_a_replacement_points_at_its_start() {
        let moved = moved("ab CDE f", &[Edit { span: 3..6, text: "123456".to_owned() }]);
        assert_eq!(shift_token(&Token::new(0, 4, 7, 8, Some(0), None), &moved).get_dst_col(), 3);
    }
}

//! Style sheets: brackets outside strings and comments.

use super::{MAX_STYLE_DEPTH, Refusal, size, too_deep};

/// Whether a style sheet may be given to a recursive parser.
pub fn style(text: &str) -> Result<(), Refusal> {
    size(text)?;
    let bytes = text.as_bytes();
    let mut depth: usize = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at = string_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = comment_end(text, at),
            b'\\' => at += 1,
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_STYLE_DEPTH {
            return Err(too_deep(at));
        }
        at += 1;
    }
    Ok(())
}

/// The closing quote; a string that is not closed ends with its line (CSS Syntax §4.3.5).
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != bytes[start] && !matches!(bytes[at], b'\n' | b'\r' | 0x0c) {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// The last byte of a comment.
fn comment_end(text: &str, start: usize) -> usize {
    let inner = start + 2;
    text.as_bytes()[inner..].windows(2).position(|pair| pair == b"*/").map_or(text.len(), |length| inner + length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(style(text).is_ok(), expected, "{}", &text[..text.len().min(40)]);
    }

    #[test]
    fn blocks_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "a{".repeat(depth), "}".repeat(depth));
        check(&nested(MAX_STYLE_DEPTH), true);
        check(&nested(MAX_STYLE_DEPTH + 1), false);
        check(&format!("a{{b:{}", "calc(".repeat(MAX_STYLE_DEPTH)), false);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "{".repeat(2 * MAX_STYLE_DEPTH);
        check(&format!("a{{content:\"{many}\"}}"), true);
        check(&format!("a{{content:'\\'{many}'}}"), true);
        check(&format!("/*{many}*/a{{}}"), true);
        check(&format!("a{{content:\"\n{many}"), false);
        check(&format!("/*/*/{many}"), false);
    }

    #[test]
    fn flat_style_sheets_may_be_long() {
        check(&"a{b:url(c)}".repeat(10 * MAX_STYLE_DEPTH), true);
    }
}

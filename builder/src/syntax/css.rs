//! The values of CSS strings and `url()` tokens (CSS Syntax 3 §4.3).

use std::borrow::Cow;
use std::ops::Range;

use super::spelled::Spelled;

/// The value of a quoted string; `span` includes the quotes, the closing one may be missing at the end of the text.
pub fn string(text: &str, span: Range<usize>) -> Spelled<'_> {
    let raw = &text[span.clone()];
    let quote = raw.chars().next().filter(|sign| matches!(sign, '"' | '\''));
    let start = span.start + usize::from(quote.is_some());
    // `\"` at the very end is an escaped quote, not the closing one.
    let backslashes = raw.bytes().rev().skip(1).take_while(|&byte| byte == b'\\').count();
    let closed = raw.len() > 1 && quote.is_some_and(|quote| raw.ends_with(quote)) && backslashes % 2 == 0;
    unescape(text, start..span.end - usize::from(closed))
}

/// The value of an unquoted `url(...)`; `span` is all of it, the parenthesis may be missing at the end of the text.
pub fn unquoted_url(text: &str, span: Range<usize>) -> Spelled<'_> {
    let raw = &text[span.clone()];
    let open = raw.find('(').map_or(0, |at| at + 1);
    let body = &raw[open..];
    let body = body.strip_suffix(')').unwrap_or(body);
    let space = |sign: char| sign.is_ascii_whitespace();
    let start = span.start + open + (body.len() - body.trim_start_matches(space).len());
    let end = span.start + open + body.trim_end_matches(space).len();
    unescape(text, start..end.max(start))
}

fn unescape(text: &str, span: Range<usize>) -> Spelled<'_> {
    Spelled::decode(text, span, b'\\', |rest| {
        let body = &rest[1..];
        let newline = newline_length(body);
        if newline > 0 {
            return Some((1 + newline, "".into()));
        }
        let digits = body.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
        if digits == 0 {
            let character = body.chars().next()?;
            return Some((1 + character.len_utf8(), Cow::Owned(character.to_string())));
        }
        let code = u32::from_str_radix(&body[..digits], 16).ok()?;
        let character = char::from_u32(code).filter(|&character| character != '\0').unwrap_or('\u{FFFD}');
        let behind = &body[digits..];
        let space = newline_length(behind).max(usize::from(behind.starts_with([' ', '\t'])));
        Some((1 + digits + space, Cow::Owned(character.to_string())))
    })
}

fn newline_length(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with(['\n', '\r', '\x0C'])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (source, expected) in [
            ("'a.png'", "a.png"),
            (r#""a\"b""#, "a\"b"),
            (r#""a\""#, "a\""),
            (r"'a\28 1\29.png'", "a(1).png"),
            ("'a\\\r\nb'", "ab"),
            (r"'\000041b'", "Ab"),
            (r"'\0'", "\u{FFFD}"),
            ("'a", "a"),
            ("'", ""),
            (r"'a\\'", r"a\"),
        ] {
            assert_eq!(string(source, 0..source.len()).text, expected, "{source}");
        }
        for (source, expected) in [
            ("url( a.png )", "a.png"),
            (r"url(a\(1\).png)", "a(1).png"),
            ("URL(a", "a"),
            ("url()", ""),
            ("url( )", ""),
            (r"u\72l(b.png)", "b.png"),
        ] {
            assert_eq!(unquoted_url(source, 0..source.len()).text, expected, "{source}");
        }
    }
}

//! The strings of a JSON text: what they say, where they stand, and below which keys.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::spelled::Spelled;

/// A string value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// The string.
    pub value: Spelled<'a>,
    /// The keys of the objects around it, outermost first; an array is `None`.
    pub path: Vec<Option<Cow<'a, str>>>,
    /// It is itself a key.
    pub is_key: bool,
}

/// The JSON of a source map: a prefix that keeps it from being run as a script is allowed (ECMA-426 §9.1).
pub fn of_map(text: &str) -> &str {
    text.strip_prefix(")]}'").map_or(text, |rest| rest.split_once('\n').map_or("", |(_, json)| json))
}

/// All strings of a JSON text, in order; `Err` where it is not JSON (nesting over 128 counts as that).
pub fn strings(text: &str) -> Result<Vec<Text<'_>>, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text)?;
    let mut found = Vec::new();
    let mut path: Vec<Option<Cow<'_, str>>> = Vec::new();
    // Of each open object or array: whether the next string is a key.
    let mut before_key: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => {
                path.push(None);
                before_key.push(byte == b'{');
            }
            b'}' | b']' => {
                path.pop();
                before_key.pop();
            }
            b',' if matches!(path.last(), Some(Some(_))) => {
                before_key.pop();
                before_key.push(true);
            }
            b'"' => {
                let end = string_end(text, at);
                let value = unescape(text, at + 1..end - 1);
                let is_key = before_key.last().copied().unwrap_or(false);
                if is_key {
                    path.pop();
                    path.push(Some(value.text.clone()));
                    before_key.pop();
                    before_key.push(false);
                }
                let outer = if is_key { path.len() - 1 } else { path.len() };
                found.push(Text { value, path: path[..outer].to_vec(), is_key });
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(found)
}

/// Behind the closing quote of the string that begins at `quote`.
pub fn string_end(text: &str, quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn unescape(text: &str, span: Range<usize>) -> Spelled<'_> {
    Spelled::decode(text, span, b'\\', |rest| {
        let simple = match rest.as_bytes().get(1)? {
            b'"' => "\"",
            b'\\' => "\\",
            b'/' => "/",
            b'b' => "\u{8}",
            b'f' => "\u{C}",
            b'n' => "\n",
            b'r' => "\r",
            b't' => "\t",
            b'u' => return unicode(rest).map(|(length, character)| (length, character.to_string().into())),
            _ => return None,
        };
        Some((2, simple.into()))
    })
}

/// `\uXXXX`, or two of them for a character past the first 65,536; half a pair is U+FFFD.
fn unicode(rest: &str) -> Option<(usize, char)> {
    let unit = |at: usize| rest.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let first = unit(2)?;
    if let Some(character) = char::from_u32(first) {
        return Some((6, character));
    }
    let second = rest[6..].starts_with("\\u").then(|| unit(8)).flatten().filter(|unit| (0xDC00..0xE000).contains(unit));
    match second.filter(|_| first < 0xDC00) {
        Some(second) => Some((12, char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?)),
        None => Some((6, '\u{FFFD}')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(source: &str) -> Vec<String> {
        let spelled = strings(source).expect("json").into_iter().map(|string| {
            let path: Vec<String> = string.path.iter().map(|key| key.as_deref().unwrap_or("[]").to_owned()).collect();
            let sign = if string.is_key { "key " } else { "" };
            format!("{}: {sign}{} @{:?}", path.join("/"), string.value.text, string.value.span)
        });
        spelled.collect()
    }

    #[test]
    fn strings_know_their_keys() {
        assert_eq!(
            spell(r#"{"a":"x","b":["y",{"c":"z"}],"d":1}"#),
            [
                ": key a @2..3",
                "a: x @6..7",
                ": key b @10..11",
                "b/[]: y @15..16",
                "b/[]: key c @20..21",
                "b/[]/c: z @24..25",
                ": key d @30..31",
            ]
            .map(str::to_owned)
        );
        assert_eq!(spell("\"lone\""), [": lone @1..5"]);
    }

    #[test]
    fn escapes_are_decoded() {
        let source = r#"["a\/b\u0041\ud83d\ude00\ud83dx\"]"]"#;
        assert_eq!(strings(source).expect("json")[0].value.text, "a/bA😀\u{FFFD}x\"]");
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for source in ["", "{", "[1,]", "{'a':1}", &"[".repeat(100_000)] {
            assert!(strings(source).is_err());
        }
    }
}

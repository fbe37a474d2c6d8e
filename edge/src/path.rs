//! Paths of URLs: their one spelling. What a URL's normalisation leaves undecided is refused rather than guessed.

use std::borrow::Cow;

/// A path, spelled and decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled<'path> {
    /// Only what must be is percent-encoded, in upper case.
    pub path: Cow<'path, str>,
    /// Decoded, once. `None` where it is not UTF-8 or holds an encoded slash: no file has such a name.
    pub decoded: Option<Cow<'path, str>>,
}

/// Why a path is refused: it has a spelling that servers read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Some servers take a backslash for a slash.
    #[error("a backslash or a control character")]
    Character,
    /// A `%` that encodes nothing.
    #[error("`%` without two hexadecimal digits")]
    Escape,
    /// Some servers end the path there.
    #[error("`%00`")]
    Zero,
    /// `.` and `..`, however encoded.
    #[error("a segment of dots")]
    Dots,
}

/// The one spelling of a path, and the path decoded.
pub fn canonical(raw: &str) -> Result<Spelled<'_>, BadPath> {
    if raw.bytes().any(|byte| byte == b'\\' || byte < 0x20) {
        return Err(BadPath::Character);
    }
    if raw.bytes().all(stands_for_itself) {
        refuse_dots(raw)?;
        return Ok(Spelled { path: Cow::Borrowed(raw), decoded: Some(Cow::Borrowed(raw)) });
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut spelled = String::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    let mut ambiguous = false;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let mut value = byte;
        let escaped = byte == b'%';
        if escaped {
            value = octet(tail).ok_or(BadPath::Escape)?;
            rest = &tail[2..];
        }
        match value {
            0 => return Err(BadPath::Zero),
            b'/' | b'\\' if escaped => {
                // An origin may tell `a%2Fb` from `a/b`; no file of a release has such a name.
                ambiguous = true;
                push_escaped(&mut spelled, value);
                value = b'/';
            }
            _ if stands_for_itself(value) || (!escaped && is_sub_delimiter(value)) => spelled.push(char::from(value)),
            _ => push_escaped(&mut spelled, value),
        }
        bytes.push(value);
    }
    let decoded = String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    refuse_dots(decoded.as_deref().unwrap_or_else(|lossy| lossy))?;
    Ok(Spelled { path: Cow::Owned(spelled), decoded: decoded.ok().filter(|_| !ambiguous).map(Cow::Owned) })
}

/// Writes a text as it may stand in a `Location` field: what a URL cannot hold is percent-encoded, the rest stays.
pub fn encode_unfit(text: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if text.bytes().all(fits) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if fits(byte) { encoded.push(char::from(byte)) } else { push_escaped(&mut encoded, byte) }
    }
    Cow::Owned(encoded)
}

/// Writes a file's path as a URL has it.
pub fn encode(decoded: &str) -> String {
    let mut encoded = String::with_capacity(decoded.len());
    for byte in decoded.bytes() {
        let plain = stands_for_itself(byte) || is_sub_delimiter(byte);
        if plain { encoded.push(char::from(byte)) } else { push_escaped(&mut encoded, byte) }
    }
    encoded
}

/// Dot segments, however encoded: the platform resolves those that a URL may have, the others are tricks.
fn refuse_dots(decoded: &str) -> Result<(), BadPath> {
    let dotted = decoded.contains("/.") && decoded.split('/').any(|segment| matches!(segment, "." | ".."));
    if dotted { Err(BadPath::Dots) } else { Ok(()) }
}

/// Unreserved characters (RFC 3986 §2.3), and those that the path of a URL may hold with no other meaning.
fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~@:".contains(&byte)
}

/// Sub-delimiters keep the spelling that they have: `%26` and `&` may differ to an origin.
fn is_sub_delimiter(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}

fn octet(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn push_escaped(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.extend(['%', char::from(DIGITS[usize::from(byte >> 4)]), char::from(DIGITS[usize::from(byte & 15)])]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Result<(&str, Option<&str>), BadPath>) {
        let found = canonical(raw);
        let found = found.as_ref().map(|spelled| (spelled.path.as_ref(), spelled.decoded.as_deref()));
        assert_eq!(found, expected.as_ref().map(|&spelled| spelled), "{raw}");
    }

    #[test]
    fn a_path_has_one_spelling_and_is_decoded_once() {
        check("/a/b.js", Ok(("/a/b.js", Some("/a/b.js"))));
        check("/caf%c3%a9", Ok(("/caf%C3%A9", Some("/café"))));
        check("/café", Ok(("/caf%C3%A9", Some("/café"))));
        check("/%61bc", Ok(("/abc", Some("/abc"))));
        check("/a%20b", Ok(("/a%20b", Some("/a b"))));
        check("/a+b&c", Ok(("/a+b&c", Some("/a+b&c"))));
        check("/a%26c", Ok(("/a%26c", Some("/a&c"))));
        check("/%2561", Ok(("/%2561", Some("/%61"))));
        check("/a%2fb", Ok(("/a%2Fb", None)));
        check("/a%5Cb", Ok(("/a%5Cb", None)));
        check("/%ff", Ok(("/%FF", None)));
        check("/.well-known/x", Ok(("/.well-known/x", Some("/.well-known/x"))));
        check("/a..b/...", Ok(("/a..b/...", Some("/a..b/..."))));
    }

    #[test]
    fn spellings_that_servers_read_differently_are_refused() {
        for (raw, expected) in [
            ("/../x", BadPath::Dots),
            ("/a/..", BadPath::Dots),
            ("/a/%2e%2e/b", BadPath::Dots),
            ("/a/.%2E", BadPath::Dots),
            ("/./a", BadPath::Dots),
            ("/a%2f..%2fb", BadPath::Dots),
            ("/a%5c..%5cb", BadPath::Dots),
            ("/..%2fx", BadPath::Dots),
            ("/%ff/..", BadPath::Dots),
            ("/%00", BadPath::Zero),
            ("/a%00.js", BadPath::Zero),
            ("/%", BadPath::Escape),
            ("/%2", BadPath::Escape),
            ("/%zz", BadPath::Escape),
            ("/a\\b", BadPath::Character),
            ("/\u{1}", BadPath::Character),
            ("/a\r\nb", BadPath::Character),
        ] {
            check(raw, Err(expected));
        }
    }

    #[test]
    fn encoding_makes_what_the_canonical_spelling_has() {
        for decoded in ["/a b/c.js", "/café", "/%61", "/a&b,c", "/100%"] {
            let encoded = encode(decoded);
            let spelled = canonical(&encoded).unwrap();
            assert_eq!((spelled.path.as_ref(), spelled.decoded.as_deref()), (encoded.as_str(), Some(decoded)));
        }
        assert_eq!(encode_unfit("https://e.example/é?a=\r\nb#c"), "https://e.example/%C3%A9?a=%0D%0Ab#c");
    }
}

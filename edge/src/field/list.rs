//! Comma-separated lists (RFC 9110 §5.6.1), tokens (§5.6.2) and quality values (§12.4.2).

use http::HeaderMap;

/// The lines of a field as one (RFC 9110 §5.2); those that are no text are left out.
pub fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let first = lines.next()?.to_owned();
    Some(lines.fold(first, |all, line| all + ", " + line))
}

/// The members of a list, trimmed, empty ones left out. Commas inside quoted strings separate nothing.
pub fn members(value: &str) -> impl Iterator<Item = &str> {
    split(value, b',')
}

/// The parts of a member: its value, then its parameters.
pub fn parameters(member: &str) -> impl Iterator<Item = &str> {
    split(member, b';')
}

/// A member without its parameters, where it begins with a token.
pub fn value(member: &str) -> &str {
    member.bytes().position(|byte| byte == b';').map_or(member, |end| trim(&member[..end]))
}

fn split(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let (part, next) = match unquoted(text, separator) {
                Some(at) => (&text[..at], Some(&text[at + 1..])),
                None => (text, None),
            };
            rest = next;
            let part = trim(part);
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

/// Without optional white space around it (RFC 9110 §5.6.3). By bytes: every request has lists, and the library's own goes by
/// characters.
fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (mut start, mut end) = (0, bytes.len());
    while start < end && matches!(bytes[start], b' ' | b'\t') {
        start += 1;
    }
    while start < end && matches!(bytes[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    &text[start..end]
}

/// Where the separator first stands outside a quoted string.
fn unquoted(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == separator {
            return Some(at);
        }
        if bytes[at] == b'"' {
            at = end_of_quoted(bytes, at);
        }
        at += 1;
    }
    None
}

/// Where the string ends whose first quotation mark stands at `start`; the end of the text where it is never closed.
fn end_of_quoted(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Whether a text is a token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A weight in thousandths: `1`, `0.5`, `0.125`. `None` where it is not of that form.
pub fn quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = thousandths.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// The weight of a member: that of its `q` parameter, 1 where it has none, 0 where that is malformed.
pub fn weight(member: &str) -> u16 {
    if !member.contains(';') {
        return 1000;
    }
    parameters(member)
        .skip(1)
        .find_map(|parameter| parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q")))
        .map_or(1000, |(_, value)| quality(value.trim()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_list_and_what_is_no_text_is_left_out() {
        let mut headers = HeaderMap::new();
        assert_eq!(joined(&headers, "x-a"), None);
        headers.append("x-a", http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(joined(&headers, "x-a"), None);
        for line in ["a", "b, c", "d"] {
            headers.append("x-a", http::HeaderValue::from_static(line));
        }
        assert_eq!(joined(&headers, "x-a").as_deref(), Some("a, b, c, d"));
    }

    #[test]
    fn members_are_trimmed_and_commas_in_quotes_separate_nothing() {
        let list = |value| members(value).collect::<Vec<_>>();
        assert_eq!(list("a, b ,,\tc;q=1,"), ["a", "b", "c;q=1"]);
        assert_eq!(list(r#""a,b", W/"c\",d""#), [r#""a,b""#, r#"W/"c\",d""#]);
        assert_eq!(list(""), [""; 0]);
        assert_eq!(list("\"never, closed"), ["\"never, closed"]);
    }

    #[test]
    fn weights_are_thousandths_and_malformed_ones_refuse() {
        for (member, expected) in [
            ("br", 1000),
            ("br;q=0.5", 500),
            ("br ; Q=0.05", 50),
            ("br;q=1.000", 1000),
            ("br;x=1;q=0", 0),
            ("br;q=1.001", 0),
            ("br;q=0.1234", 0),
            ("br;q=.5", 0),
            ("br;q=-1", 0),
            ("br;q=", 0),
        ] {
            assert_eq!(weight(member), expected, "{member}");
        }
    }
}

//! Structured fields (RFC 9651): lists, dictionaries, strings.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, FieldType, List, ListEntry, Parser};

/// Longer fields are not read: what they say is not worth the memory.
const LIMIT_BYTES: usize = 16 * 1024;

/// A field that is a dictionary. `None` where it is absent, empty, or not one to the letter.
pub fn dictionary(headers: &HeaderMap, name: &HeaderName) -> Option<Dictionary> {
    parse(headers, name).filter(|dictionary: &Dictionary| !dictionary.is_empty())
}

/// A field that is a list of strings; their parameters are left aside. `None` where it is absent or not one to the letter.
pub fn strings(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let list: List = parse(headers, name)?;
    list.iter().map(string).collect()
}

/// The strings of an inner list. `None` where the member is anything else.
pub fn inner_strings(member: &ListEntry) -> Option<Vec<String>> {
    let ListEntry::InnerList(list) = member else { return None };
    list.items.iter().map(|item| item.bare_item.as_string().map(|text| text.as_str().to_owned())).collect()
}

/// Whether a member is the boolean true.
pub fn is_true(member: &ListEntry) -> bool {
    matches!(member, ListEntry::Item(item) if item.bare_item == BareItem::Boolean(true))
}

/// Writes a text as a string: what may not stand in one is left out.
pub fn quote(text: &str, into: &mut String) {
    into.push('"');
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        into.push_str(text);
    } else {
        for c in text.chars().filter(|c| matches!(c, ' '..='~')) {
            if matches!(c, '"' | '\\') {
                into.push('\\');
            }
            into.push(c);
        }
    }
    into.push('"');
}

fn string(member: &ListEntry) -> Option<String> {
    let ListEntry::Item(item) = member else { return None };
    item.bare_item.as_string().map(|text| text.as_str().to_owned())
}

/// Several lines are one field (RFC 9651 §4.2).
fn parse<T: FieldType>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    let mut joined = first.to_vec();
    for line in lines {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
        if joined.len() > LIMIT_BYTES {
            return None;
        }
    }
    if joined.len() > LIMIT_BYTES { None } else { Parser::new(&joined).parse().ok() }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-test");

    fn lines(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (NAME, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn lists_of_strings_are_strict() {
        for (values, expected) in [
            (&[r#""a", "b c""#][..], Some(vec!["a", "b c"])),
            (&[r#""a""#, r#""b";q=1"#], Some(vec!["a", "b"])),
            (&[""], Some(vec![])),
            (&[], None),
            (&["a"], None),
            (&[r#""a", b"#], None),
            (&[r#""a" "b""#], None),
            (&[r#""a",,"b""#], None),
            (&[r#"("a")"#], None),
        ] {
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!(strings(&lines(values), &NAME), expected, "{values:?}");
        }
    }

    #[test]
    fn a_field_that_is_too_long_is_not_read() {
        let long = |count: usize| {
            let value = HeaderValue::from_str(&vec![r#""0123456789""#; count].join(",")).unwrap();
            strings(&[(NAME, value)].into_iter().collect(), &NAME).is_some()
        };
        assert!(long(1000));
        assert!(!long(2000));
    }

    #[test]
    fn quoted_text_is_a_string_again() {
        let mut quoted = String::new();
        quote("a\"b\\c\u{e9}\r\nd", &mut quoted);
        assert_eq!(quoted, r#""a\"b\\cd""#);
    }
}

//! Character references of HTML and XML.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use entities::ENTITIES;

use super::spelled::Spelled;

/// By name with the ampersand, and with the semicolon where it must have one.
static NAMED: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| ENTITIES.iter().map(|entity| (entity.entity, entity.characters)).collect());

/// The longest name is `&CounterClockwiseContourIntegral;`.
const LONGEST_NAME: usize = 33;

/// An attribute's value as HTML spells it (HTML §13.2.5.72 and following).
pub fn html_attribute(source: &str, span: Range<usize>) -> Spelled<'_> {
    Spelled::decode(source, span, b'&', |rest| numeric(rest, Numeric::Html).or_else(|| named(rest)))
}

/// An attribute's value as XML spells it. Entities that a document declares itself are never expanded.
pub fn xml_attribute(source: &str, span: Range<usize>) -> Spelled<'_> {
    Spelled::decode(source, span, b'&', |rest| numeric(rest, Numeric::Xml).or_else(|| predefined(rest)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numeric {
    /// The semicolon may be missing.
    Html,
    Xml,
}

fn numeric(rest: &str, rules: Numeric) -> Option<(usize, Cow<'static, str>)> {
    let body = rest.strip_prefix("&#")?;
    let (radix, prefix, digits) = match body.strip_prefix(['x', 'X']) {
        Some(digits) => (16, 3, digits),
        None => (10, 2, body),
    };
    let count = digits.bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let semicolon = digits[count..].starts_with(';');
    if rules == Numeric::Xml && !semicolon {
        return None;
    }
    // More digits than fit a number are out of Unicode's range too.
    let code = u32::from_str_radix(&digits[..count], radix).unwrap_or(u32::MAX);
    let character = char::from_u32(code).filter(|&character| character != '\0').unwrap_or('\u{FFFD}');
    Some((prefix + count + usize::from(semicolon), windows_1252(character).to_string().into()))
}

/// HTML reads the control characters of ISO 8859-1 as those of Windows-1252; in URLs only that they are not ASCII
/// matters, so the few that differ visibly are enough.
fn windows_1252(character: char) -> char {
    match character {
        '\u{80}' => '€',
        '\u{85}' => '…',
        '\u{91}' => '‘',
        '\u{92}' => '’',
        '\u{93}' => '“',
        '\u{94}' => '”',
        '\u{96}' => '–',
        '\u{97}' => '—',
        '\u{99}' => '™',
        other => other,
    }
}

fn named(rest: &str) -> Option<(usize, Cow<'static, str>)> {
    let name_end = rest.bytes().skip(1).take(LONGEST_NAME).take_while(u8::is_ascii_alphanumeric).count() + 1;
    let closed = rest[name_end..].starts_with(';');
    if closed && let Some(characters) = NAMED.get(&rest[..=name_end]) {
        return Some((name_end + 1, Cow::Borrowed(characters)));
    }
    // Some old names need no semicolon; in an attribute not before `=`, a letter or a digit: `?a=1&copy=2` is no ©.
    let may_be_open = !closed && !rest[name_end..].starts_with('=');
    let characters = may_be_open.then(|| NAMED.get(&rest[..name_end])).flatten()?;
    Some((name_end, Cow::Borrowed(characters)))
}

fn predefined(rest: &str) -> Option<(usize, Cow<'static, str>)> {
    let known = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'")];
    known.iter().find(|(name, _)| rest.starts_with(name)).map(|&(name, character)| (name.len(), character.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn html(source: &str, expected: &str) {
        assert_eq!(html_attribute(source, 0..source.len()).text, expected, "{source}");
    }

    #[test]
    fn references_in_html_attributes() {
        html("/a.png", "/a.png");
        html("?a=1&amp;b=2", "?a=1&b=2");
        html("?a=1&copy=2", "?a=1&copy=2");
        html("?a=1&copy2", "?a=1&copy2");
        html("&copy", "©");
        html("&copy;&eacute;", "©é");
        html("&#x2F;&#47;&#X2f", "///");
        html("&#xD800;&#0;&#99999999999;", "\u{FFFD}\u{FFFD}\u{FFFD}");
        html("&#;&#x;&;&nothing;&", "&#;&#x;&;&nothing;&");
        html("&NotEqualTilde;", "≂̸");
        html("&ü;&amp", "&ü;&");
    }

    #[test]
    fn xml_knows_five_names_and_needs_semicolons() {
        let source = "&amp;&lt;&copy;&#65;&#66 &evil;";
        assert_eq!(xml_attribute(source, 0..source.len()).text, "&<&copy;A&#66 &evil;");
    }
}

//! `Cookie` (RFC 6265 §5.4): pairs of a name and a value.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// The value of a cookie: the first of its name. Lines of the field may be joined by commas.
pub fn value<'sent>(sent: &'sent str, name: &str) -> Option<&'sent str> {
    let pairs = sent.split([';', ',']).filter_map(|pair| pair.split_once('='));
    pairs.map(|(known, value)| (known.trim(), value.trim())).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The value of a cookie among fields, where that is text; whatever others are.
pub fn of<'sent>(headers: &'sent HeaderMap, name: &str) -> Option<&'sent str> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| b";,".contains(byte)));
    let value = |pair: &'sent [u8]| {
        let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?.trim_ascii_start();
        rest.strip_prefix(b"=").map(<[u8]>::trim_ascii)
    };
    pairs.into_iter().find_map(value).and_then(|value| std::str::from_utf8(value).ok())
}

/// Removes every cookie of these names. Everything else stays byte for byte; a line of which nothing is left goes.
pub fn remove(headers: &mut HeaderMap, names: &[&str]) {
    let name_of = |pair: &[u8]| pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii().to_owned();
    let goes = |pair: &[u8]| names.iter().any(|name| name.as_bytes() == name_of(pair));
    let goes_of = |line: &HeaderValue| line.as_bytes().split(|byte| *byte == b';').any(goes);
    if !headers.get_all(COOKIE).iter().any(goes_of) {
        return;
    }
    let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let left: Vec<&[u8]> = line.as_bytes().split(|byte| *byte == b';').filter(|pair| !goes(pair)).collect();
        let left = left.join(&b';');
        if let Ok(left) = HeaderValue::from_bytes(left.trim_ascii())
            && !left.is_empty()
        {
            headers.append(COOKIE, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_of_a_name_is_the_one() {
        for (sent, expected) in [
            ("a=1", Some("1")),
            ("b=2; a=1; a=3", Some("1")),
            ("b=2, a=1", Some("1")),
            (" a = 1 ;", Some("1")),
            ("a=", Some("")),
            ("a=b=c", Some("b=c")),
            ("aa=1; xa=2; A=3; a", None),
            ("", None),
        ] {
            assert_eq!(value(sent, "a"), expected, "{sent}");
        }
    }

    #[test]
    fn a_cookie_is_found_beside_others_that_are_no_text() {
        for (line, expected) in [
            (&b"a=1"[..], Some("1")),
            (b"b=\xff; a = 1 ; a=2", Some("1")),
            (b"\xc3\xbc=1;a=\xc3\xbc", Some("\u{fc}")),
            (b"a=\xff", None),
            (b"aa=1; ba=1; a", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_static("c=1"));
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
            assert_eq!(of(&headers, "a"), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn cookies_of_ours_go_and_everything_else_stays() {
        let check = |lines: &[&[u8]], expected: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
            }
            remove(&mut headers, &["ours", "also"]);
            let left: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(left, expected);
        };
        check(&[], &[]);
        check(&[b"a=1;  b=2;"], &[b"a=1;  b=2;"]);
        check(&[b"ours=1"], &[]);
        check(&[b"ours=1; a=1"], &[b"a=1"]);
        check(&[b"a=1; ours=1; b=2; also=3"], &[b"a=1; b=2"]);
        check(&[b"a=1; ours =1;ours"], &[b"a=1"]);
        check(&[b"a=1", b"ours=1", b"b=2; also=1"], &[b"a=1", b"b=2"]);
        check(&[b"ours=1; a=\xff"], &[b"a=\xff"]);
        check(&[b"oursx=1; xours=1; Ours=1; a=ours=1"], &[b"oursx=1; xours=1; Ours=1; a=ours=1"]);
    }
}

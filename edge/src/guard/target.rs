//! What a request asks for: its URL taken apart, its path in one spelling.
//!
//! A URL library would bring tables of international host names that no request needs here: the platform has
//! normalised the URL, and what it left undecided is refused rather than guessed.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{PATH_LIMIT_BYTES, Refusal};
use crate::path::canonical;

/// A request's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'url> {
    /// `http` or `https`.
    pub scheme: &'url str,
    /// The host in lower case with its port, where that is not the scheme's own: one spelling for all (RFC 9110 §4.2.3).
    pub authority: Cow<'url, str>,
    /// The host without port and trailing dot.
    pub host: &'url str,
    /// The path as sent: what an origin gets.
    pub raw_path: &'url str,
    /// The path in its one spelling: only what must be is percent-encoded, in upper case. Rules match against it.
    pub path: Cow<'url, str>,
    /// The path decoded, once: files are looked up by it. `None` where it is not UTF-8: no file has such a name.
    pub decoded: Option<Cow<'url, str>>,
    /// Without the question mark.
    pub query: Option<&'url str>,
}

impl<'url> Target<'url> {
    /// Takes an absolute URL apart.
    pub fn parse(url: &'url str) -> Result<Target<'url>, Refusal> {
        let of_scheme = |scheme| Some((scheme, url.strip_prefix(scheme)?.strip_prefix("://")?));
        let (scheme, rest) = of_scheme("https").or_else(|| of_scheme("http")).ok_or(Refusal::BadUrl)?;
        let (authority, rest) = cut(rest, |byte| matches!(byte, b'/' | b'?' | b'#'));
        let host = host(authority).ok_or(Refusal::BadUrl)?;
        let (rest, _fragment) = cut(rest, |byte| byte == b'#');
        let (raw_path, query) = cut(rest, |byte| byte == b'?');
        let query = query.strip_prefix('?');
        if rest.len() > PATH_LIMIT_BYTES {
            return Err(Refusal::TooLong);
        }
        let raw_path = if raw_path.is_empty() { "/" } else { raw_path };
        let spelled = canonical(raw_path).map_err(Refusal::BadPath)?;
        let authority = normalised(scheme, authority);
        Ok(Target { scheme, authority, host, raw_path, path: spelled.path, decoded: spelled.decoded, query })
    }

    /// Whether a segment of the path is the private folder, in any case, encoded however often.
    pub fn is_private(&self) -> bool {
        if !self.path.bytes().any(|byte| matches!(byte, b'_' | b'%')) {
            return false;
        }
        let mut path = Cow::Borrowed(self.path.as_ref());
        // Each round decodes once more. A path that still changes after that many is nobody's honest spelling.
        for _ in 0..8 {
            if path.split('/').any(|segment| segment.eq_ignore_ascii_case("_rimward")) {
                return true;
            }
            if !path.contains('%') {
                return false;
            }
            let decoded = percent_decode_str(&path).decode_utf8_lossy().replace('\\', "/");
            // What is left are percent signs that say nothing more: `100%25`.
            if decoded == path {
                return false;
            }
            path = Cow::Owned(decoded);
        }
        true
    }
}

/// A text before and from the first of some ASCII characters. By bytes: every request's URL goes through here, and the
/// library's searches for patterns cost several times as much.
fn cut(text: &str, is_end: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(is_end).unwrap_or(text.len()))
}

/// The host of an authority; `None` where it is none. Users are refused: no browser sends them.
fn host(authority: &str) -> Option<&str> {
    let host = if let Some(literal) = authority.strip_prefix('[') {
        let end = literal.find(']')?;
        port(&literal[end + 1..])?;
        &authority[..end + 2]
    } else {
        let (host, port_text) = cut(authority, |byte| byte == b':');
        port(port_text)?;
        host.strip_suffix('.').unwrap_or(host)
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    (!host.is_empty() && host.bytes().all(fits)).then_some(host)
}

/// An authority in its one spelling.
fn normalised<'url>(scheme: &str, authority: &'url str) -> Cow<'url, str> {
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    let authority = authority.strip_suffix(':').unwrap_or(authority);
    if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(authority.to_ascii_lowercase())
    } else {
        Cow::Borrowed(authority)
    }
}

/// Checks what stands behind a host: nothing, or a colon and a port.
fn port(text: &str) -> Option<()> {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty().then_some(()) };
    (digits.is_empty() || digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok())
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_of_a_site_is_refused() {
        for url in [
            "",
            "h/x",
            "ftp://h/",
            "https:///x",
            "https://a, b/x",
            "https://a b/",
            "https://user@h/",
            "https://user:secret@h/",
            "https://h:port/",
            "https://h:99999/",
            "https://[::1/",
            "https://[::1]x/",
        ] {
            assert_eq!(Target::parse(url), Err(Refusal::BadUrl), "{url}");
        }
        let target = Target::parse("http://[::1]:8787/a?b=/c#d").unwrap();
        assert_eq!((target.host, &*target.authority, target.query), ("[::1]", "[::1]:8787", Some("b=/c")));
    }

    #[test]
    fn an_authority_has_one_spelling() {
        for (url, expected) in [
            ("https://Shop.Example:443/", "shop.example"),
            ("http://shop.example:80/", "shop.example"),
            ("http://shop.example:/", "shop.example"),
            ("http://shop.example:443/", "shop.example:443"),
            ("http://[::1]:80/", "[::1]"),
            ("http://[::80]/", "[::80]"),
        ] {
            assert_eq!(Target::parse(url).unwrap().authority, expected, "{url}");
        }
    }

    #[test]
    fn paths_of_8_kb_pass_and_past_16_kb_do_not() {
        let of = |length: usize| format!("https://h/{}", "a".repeat(length - 1));
        assert!(Target::parse(&of(8 * 1024)).is_ok());
        assert!(Target::parse(&of(PATH_LIMIT_BYTES)).is_ok());
        assert_eq!(Target::parse(&of(PATH_LIMIT_BYTES + 1)), Err(Refusal::TooLong));
    }
}

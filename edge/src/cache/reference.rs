//! References in `Location` and `Content-Location`, resolved within the origin that was asked (RFC 3986 §5.2).

use std::borrow::Cow;

use super::asked::Asked;
use crate::path;

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// In its one spelling.
    pub(super) path: String,
    /// Without the question mark.
    pub(super) query: Option<String>,
}

/// Resolves a reference. `None` where it names another origin, or a path that has no one spelling.
pub(super) fn resolve(asked: &Asked<'_>, reference: &str) -> Option<Target> {
    let reference = reference.trim();
    let reference = reference.split_once('#').map_or(reference, |(before, _)| before);
    let here = of_same_origin(asked, reference)?;
    let (path, query) = match here.as_ref() {
        "" => (asked.path.to_owned(), asked.query),
        rest => {
            let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
            let absolute = match path.as_bytes() {
                [] => asked.path.to_owned(),
                [b'/', ..] => without_dots(path),
                _ => {
                    let folder = asked.path.rfind('/').map_or("/", |slash| &asked.path[..=slash]);
                    without_dots(&[folder, path].concat())
                }
            };
            (absolute, query)
        }
    };
    let path = path::canonical(&path).ok()?.path.into_owned();
    Some(Target { path, query: query.map(str::to_owned) })
}

/// What follows the origin, if that is the one that was asked.
fn of_same_origin<'reference>(asked: &Asked<'_>, reference: &'reference str) -> Option<Cow<'reference, str>> {
    let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    let rest = if has_scheme {
        let (scheme, rest) = reference.split_once(':')?;
        scheme.eq_ignore_ascii_case(asked.scheme).then_some(rest)?
    } else {
        reference
    };
    let Some(rest) = rest.strip_prefix("//") else { return (!has_scheme).then_some(Cow::Borrowed(rest)) };
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let same = |port: &str| {
        let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
        bare(authority) == bare(asked.authority)
    };
    let is_same = same(if asked.scheme == "https" { ":443" } else { ":80" });
    is_same.then(|| if rest.starts_with('/') { Cow::Borrowed(rest) } else { Cow::Owned(["/", rest].concat()) })
}

/// Dot segments resolved (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    segments.pop();
                }
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    segments.iter().flat_map(|segment| ["/", segment]).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;
    use crate::cache::fixture::asked;

    fn resolved(reference: &str) -> Option<String> {
        let none = HeaderMap::new();
        let asked = Asked { path: "/a/b/c", query: Some("q"), ..asked(&none) };
        let Target { path, query } = resolve(&asked, reference)?;
        Some(query.map_or(path.clone(), |query| format!("{path}?{query}")))
    }

    #[test]
    fn references_are_resolved_as_rfc_3986_says() {
        for (reference, expected) in [
            ("g", "/a/b/g"),
            ("./g", "/a/b/g"),
            ("g/", "/a/b/g/"),
            ("/g", "/g"),
            ("?y", "/a/b/c?y"),
            ("g?y", "/a/b/g?y"),
            ("#s", "/a/b/c?q"),
            ("", "/a/b/c?q"),
            ("g#s?x", "/a/b/g"),
            (".", "/a/b/"),
            ("./", "/a/b/"),
            ("..", "/a/"),
            ("../g", "/a/g"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g/./h", "/a/b/g/h"),
            ("g/../h", "/a/b/h"),
            ("g?y/../x", "/a/b/g?y/../x"),
            (" /g ", "/g"),
            ("/%67", "/g"),
            ("https://shop.example", "/"),
            ("HTTPS://SHOP.example:443/g", "/g"),
            ("//shop.example/g?y", "/g?y"),
            ("https://shop.example?y", "/?y"),
        ] {
            assert_eq!(resolved(reference).as_deref(), Some(expected), "{reference}");
        }
    }

    #[test]
    fn nothing_of_another_origin_and_no_trick_is_resolved() {
        for reference in [
            "https://evil.example/g",
            "http://shop.example/g",
            "https://shop.example:8443/g",
            "https://shop.example.evil/g",
            "https://shop.example@evil.example/g",
            "https://user@shop.example/g",
            "//evil.example/g",
            "///g",
            "https:g",
            "https:/g",
            "mailto:a",
            "javascript:1",
            "/a/%2e%2e/b",
            "/a\\b",
            "/%00",
            "/%",
        ] {
            assert_eq!(resolved(reference), None, "{reference}");
        }
    }

    proptest! {
        #[test]
        fn no_reference_is_too_strange(reference in "(https?:)?(//)?[a-z./?#%\\\\:@ ]{0,20}") {
            if let Some(target) = resolved(&reference) {
                prop_assert!(target.starts_with('/'));
            }
        }
    }
}

//! Entity tags and how they compare (RFC 9110 §8.8.3).

use std::borrow::Cow;

use http::HeaderValue;

use super::list;

/// The text of a field of entity tags: bytes past ASCII may stand in one, as the characters of their number.
pub fn text(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}

/// Whether a list of entity tags (`If-None-Match`) holds this one by weak comparison. `*` holds every one.
pub fn any_weakly(list: &str, etag: &str) -> bool {
    list.trim() == "*" || list::members(list).any(|member| opaque(member) == opaque(etag))
}

/// Whether a list of entity tags (`If-Match`) holds this one by strong comparison. `*` holds every one.
pub fn any_strongly(list: &str, etag: &str) -> bool {
    list.trim() == "*" || list::members(list).any(|member| same_strongly(member, etag))
}

/// Strong comparison: both strong, and the same.
pub fn same_strongly(one: &str, other: &str) -> bool {
    one == other && one.starts_with('"')
}

fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_comparison_ignores_the_mark_and_strong_comparison_does_not() {
        for (list, weakly, strongly) in [
            (r#""a""#, true, true),
            (r#"W/"a""#, true, false),
            (r#""x", "a""#, true, true),
            (r#""x,", W/"a""#, true, false),
            (" * ", true, true),
            (r#""x""#, false, false),
            ("a", false, false),
            (r#""A""#, false, false),
            ("", false, false),
        ] {
            assert_eq!((any_weakly(list, r#""a""#), any_strongly(list, r#""a""#)), (weakly, strongly), "{list}");
        }
    }
}

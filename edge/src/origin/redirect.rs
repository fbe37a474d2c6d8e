//! Redirects that stay among a pool's own origins, where those are to be followed.

use http::StatusCode;

use crate::config::Origin;

/// Where a redirect leads, if that is at one of the origins: to no other host, whatever an origin says. Relative paths are left to
/// the client.
pub fn follow(status: StatusCode, location: &str, asked_url: &str, origins: &[Origin]) -> Option<String> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = location.split('#').next().unwrap_or_default();
    // A path that climbs may leave what is the origin's.
    let path = location.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    if path.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
        return None;
    }
    let (scheme, rest) = asked_url.split_once("://")?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let url = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else {
        location.to_owned()
    };
    origins.iter().any(|origin| behind(&url, origin).is_some()).then_some(url)
}

/// What stands behind an origin's URL; `None` where the URL is not of that origin.
pub fn behind<'url>(url: &'url str, origin: &Origin) -> Option<&'url str> {
    let rest = url.strip_prefix(origin.url.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_to_origins_of_the_pool_and_nowhere_else() {
        let origins = [Origin::new("https://a.example/v1"), Origin::new("http://b.example:8080")];
        let of = |location: &str| follow(StatusCode::FOUND, location, "https://a.example/v1/x?y", &origins);
        for (location, expected) in [
            ("https://a.example/v1/login", Some("https://a.example/v1/login")),
            ("/v1/login?a=b#c", Some("https://a.example/v1/login?a=b")),
            ("http://b.example:8080/", Some("http://b.example:8080/")),
            ("http://b.example:8080", Some("http://b.example:8080")),
            ("//a.example/v1", Some("https://a.example/v1")),
            ("/v2/login", None),
            ("/v1/../admin", None),
            ("/v1/%2e%2E/admin", None),
            ("/v1/..\\admin", None),
            ("/v1/a..b?../x", Some("https://a.example/v1/a..b?../x")),
            ("login", None),
            ("", None),
            ("https://evil.example/", None),
            ("https://a.example/v1@evil.example/", None),
            ("https://a.example/v10", None),
            ("http://b.example:80801/", None),
            ("//evil.example/v1", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(of(location).as_deref(), expected, "{location}");
        }
        assert_eq!(follow(StatusCode::OK, "/v1/x", "https://a.example/v1/x", &origins), None);
        assert_eq!(follow(StatusCode::NOT_MODIFIED, "/v1/x", "https://a.example/v1/x", &origins), None);
    }
}

//! Whether a person goes to a page: only then may a page answer for a path that no file has.

use crate::field::accept::names_type;

/// Whether a request is a navigation: by `Sec-Fetch-Mode` where the browser sends it, else because it names HTML among
/// what it accepts. `*/*` does not: scripts and programs send that.
pub fn is_navigation(field: &dyn Fn(&str) -> Option<String>) -> bool {
    match field("sec-fetch-mode") {
        Some(mode) => mode.eq_ignore_ascii_case("navigate"),
        None => field("accept").is_some_and(|accept| names_type(&accept, "text/html")),
    }
}

/// Endings of files that pages load. A page's own path may well have a dot (`/user/john.doe`, `/wiki/notes.md`).
const ENDINGS: [&str; 33] = [
    "avif",
    "br",
    "css",
    "csv",
    "eot",
    "gif",
    "gz",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "json",
    "map",
    "mjs",
    "mp3",
    "mp4",
    "ogg",
    "otf",
    "pdf",
    "png",
    "svg",
    "ttf",
    "txt",
    "vtt",
    "wasm",
    "wav",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
    "xml",
    "zip",
];

/// Whether a file may have that path: names with a digest have a dot before it.
pub fn has_ending(path: &str) -> bool {
    path.rsplit('/').next().unwrap_or_default().contains('.')
}

/// Whether a path looks like that of a file that a page loads: its absence is said, no page answers for it.
pub fn looks_like_a_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: Option<&str>, accept: Option<&str>, expected: bool) {
        let field = |name: &str| match name {
            "sec-fetch-mode" => mode.map(str::to_owned),
            "accept" => accept.map(str::to_owned),
            _ => None,
        };
        assert_eq!(is_navigation(&field), expected, "{mode:?} {accept:?}");
    }

    #[test]
    fn browsers_say_that_they_navigate_and_others_name_html() {
        let browser = Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        check(Some("navigate"), browser, true);
        check(Some("navigate"), None, true);
        check(Some("cors"), browser, false);
        check(Some("no-cors"), Some("text/html"), false);
        check(None, browser, true);
        check(None, Some("*/*"), false);
        check(None, Some("application/json, text/html;q=0"), false);
        check(None, None, false);
    }

    #[test]
    fn a_dot_alone_makes_no_file() {
        for (path, expected) in [
            ("/user/john.doe", false),
            ("/v1.2/guide", false),
            ("/wiki/notes.md", false),
            ("/app.js", true),
            ("/APP.JS", true),
            ("/app.js/", false),
            ("/about.html", false),
            ("/", false),
        ] {
            assert_eq!(looks_like_a_file(path), expected, "{path}");
        }
    }
}

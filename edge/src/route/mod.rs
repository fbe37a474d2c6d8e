//! Which rule answers a request. Rules match the path in its one spelling (see [`crate::path`]), and so are patterns.

pub mod cors;
pub mod pattern;
pub mod redirect;

use self::pattern::Pattern;
use crate::config::Route;
use crate::path;

/// The first route whose path matches.
pub fn choose<'site>(routes: &'site [Route], path: &str) -> Option<&'site Route> {
    routes.iter().find(|route| route.path.matches(path).is_some())
}

/// A pattern in the spelling that it is matched in: `/café/*` and `/caf%c3%a9/*` are `/caf%C3%A9/*`.
pub fn spelled(pattern: &Pattern) -> Pattern {
    let spelled = path::canonical(pattern.as_str()).ok().and_then(|spelled| Pattern::parse(&spelled.path).ok());
    spelled.unwrap_or_else(|| pattern.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whatever_their_spelling() {
        for (pattern, expected) in [
            ("/café/*", "/caf%C3%A9/*"),
            ("/caf%c3%a9/:name", "/caf%C3%A9/:name"),
            ("/%61pi/*", "/api/*"),
            ("/*.map", "/*.map"),
            ("/a%2Ab", "/a%2Ab"),
        ] {
            assert_eq!(spelled(&Pattern::parse(pattern).unwrap()).as_str(), expected, "{pattern}");
        }
    }

    #[test]
    fn the_first_matching_route_answers() {
        let route = |path: &str, pool: &str| Route::new(Pattern::parse(path).unwrap(), pool);
        let routes = [route("/api/v1/*", "old"), route("/api/*", "new")];
        let pool = |path| choose(&routes, path).map(|route| route.pool.as_str());
        assert_eq!(pool("/api/v1/x"), Some("old"));
        assert_eq!(pool("/api/v2/x"), Some("new"));
        assert_eq!(pool("/apis"), None);
    }
}

//! Which rule answers a request. Rules match the path in its one spelling (see [`crate::path`]), and so are patterns.

pub mod condition;
pub mod cors;
mod index;
pub mod pattern;
pub mod redirect;
pub mod rewrite;
pub mod split;

use http::StatusCode;
use sha2::{Digest, Sha256};

use self::condition::Facts;
use self::index::Index;
use self::pattern::Pattern;
use crate::config::{By, Condition, Route};
use crate::path;

/// The routes of a site: the first match wins.
#[derive(Debug, Default)]
pub struct Routes {
    rules: Vec<Route>,
    /// Of each: see [`Chosen::name`].
    names: Vec<String>,
    /// Of each: see [`Chosen::part`].
    parts: Vec<Option<String>>,
    index: Index,
}

/// The route that answers a request.
#[derive(Debug, PartialEq)]
pub struct Chosen<'site> {
    /// The route.
    pub route: &'site Route,
    /// What it is called where requests are counted: its path; where another route has that too, with all else that it asks for.
    pub name: &'site str,
    /// What tells the requests of its URLs that it is for from those that it is not for; `None` where their URLs do. Of routes with a
    /// cache alone: what they keep is for nobody else.
    pub part: Option<&'site str>,
    /// Where the client is sent, if that is the answer.
    pub elsewhere: Option<(StatusCode, String)>,
}

impl Routes {
    /// Keeps routes in the order given.
    pub fn new(mut rules: Vec<Route>) -> Routes {
        for route in &mut rules {
            route.path = spelled(&route.path);
        }
        let index = Index::new(rules.iter().map(|route| &route.path));
        Routes { names: names(&rules), parts: rules.iter().map(part).collect(), index, rules }
    }

    /// All, in order, spelled as paths are.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.rules.iter()
    }

    /// All, in order, by their names: see [`Chosen::name`].
    pub fn named(&self) -> impl Iterator<Item = (&str, &Route)> {
        self.names.iter().map(String::as_str).zip(&self.rules)
    }

    /// Those that are for a path, if what else they ask for holds; in order.
    pub fn of_path<'site>(&'site self, path: &'site str) -> impl Iterator<Item = &'site Route> {
        self.places(path).map(|place| &self.rules[place])
    }

    /// The first that is for a request.
    pub fn choose(&self, facts: &Facts<'_>) -> Option<Chosen<'_>> {
        self.places(facts.path).find_map(|place| {
            let route = self.rules.get(place).filter(|route| facts.meet(route))?;
            let elsewhere = match &route.by {
                By::Redirect(status, to) => {
                    // One that would lead where the request already is, is for another.
                    let location = redirect::location(&route.path, to, facts.path, facts.query)?;
                    Some((StatusCode::from_u16(*status).ok()?, location))
                }
                By::Pool(_) | By::Split(_) => None,
            };
            Some(Chosen { route, name: &self.names[place], part: self.parts[place].as_deref(), elsewhere })
        })
    }

    /// What of URLs is kept apart.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let parts = || self.parts.iter().flatten().map(String::as_str);
        parts()
            .enumerate()
            .filter(move |(at, part)| !parts().take(*at).any(|before| before == *part))
            .map(|(_, part)| part)
    }

    fn places(&self, path: &str) -> impl Iterator<Item = usize> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let place = self.index.first(path, from, &|place| self.rules[place].path.fits(path))?;
            from = place + 1;
            Some(place)
        })
    }
}

/// No two routes that hand requests on have one name, and where a route stands changes none.
fn names(rules: &[Route]) -> Vec<String> {
    // Nothing is counted of the others.
    let is_counted = |route: &&Route| !matches!(route.by, By::Redirect(..));
    let name = |route: &Route| {
        let path = route.path.as_str();
        if rules.iter().filter(is_counted).filter(|other| other.path == route.path).count() < 2 {
            return path.to_owned();
        }
        let written = |condition: &Condition| condition.to_string().replace('%', "%25").replace(';', "%3B");
        let conditions: Vec<String> = route.when.iter().map(written).collect();
        [path, &conditions.join("; ")].join(" ").trim_end().to_owned()
    };
    rules.iter().map(name).collect()
}

/// The host and the path of a URL are in keys; its query may be left out of them, and what requests say besides is in none.
fn part(route: &Route) -> Option<String> {
    let tells = |condition: &&Condition| matches!(condition, Condition::Says(..) | Condition::Countries(_));
    let conditions: Vec<String> = route.when.iter().filter(tells).map(Condition::to_string).collect();
    if conditions.is_empty() || route.cache.is_none() {
        return None;
    }
    // Stores outlive settings: the same conditions are the same part, wherever they stand.
    let digest: [u8; 32] = Sha256::digest(conditions.join("\n")).into();
    let number = digest[..8].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    Some(format!("{number:016x}"))
}

/// A pattern in the spelling that it is matched in: `/café/*` and `/caf%c3%a9/*` are `/caf%C3%A9/*`.
pub fn spelled(pattern: &Pattern) -> Pattern {
    let spelled = path::canonical(pattern.as_str()).ok().and_then(|spelled| Pattern::parse(&spelled.path).ok());
    spelled.unwrap_or_else(|| pattern.clone())
}

#[cfg(test)]
mod tests {
    use http::Method;

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

    fn route(path: &str, pool: &str, conditions: &[&str]) -> Route {
        let when = conditions.iter().map(|text| Condition::try_from((*text).to_owned()).unwrap()).collect();
        Route { when, cache: Some("api".to_owned()), ..Route::new(Pattern::parse(path).unwrap(), pool) }
    }

    fn chosen<'site>(routes: &'site Routes, method: &Method, path: &str, beta: bool) -> Option<Chosen<'site>> {
        let field = |name: &str| (beta && name == "x-beta").then(|| "1".to_owned());
        routes.choose(&Facts::new(method, "shop.example", (path, None), &field, &|| None))
    }

    #[test]
    fn the_first_route_answers_whose_path_and_conditions_fit() {
        let routes = Routes::new(vec![
            route("/api/v1/*", "old", &["methods GET"]),
            route("/api/*", "beta", &["header x-beta *"]),
            Route::by(Pattern::parse("/api/moved").unwrap(), By::Redirect(307, "/api/new".to_owned())),
            Route::by(Pattern::parse("/api/*").unwrap(), By::Redirect(307, "/api/new".to_owned())),
            route("/api/*", "new", &[]),
        ]);
        let by = |method, path, beta| chosen(&routes, &method, path, beta).map(|chosen| chosen.route.by.to_string());
        let by = |method, path, beta| by(method, path, beta).unwrap_or_default();
        assert_eq!(by(Method::GET, "/api/v1/x", true), "old");
        assert_eq!(by(Method::POST, "/api/v1/x", true), "beta");
        assert_eq!(by(Method::POST, "/api/v1/x", false), "redirect 307 /api/new");
        assert_eq!(by(Method::GET, "/api/new", false), "new");
        assert_eq!(by(Method::GET, "/apis", true), "");
        let of_path: Vec<String> = routes.of_path("/api/moved").map(|route| route.by.to_string()).collect();
        assert_eq!(of_path, ["beta", "redirect 307 /api/new", "redirect 307 /api/new", "new"]);
        let moved = chosen(&routes, &Method::GET, "/api/moved", false).unwrap();
        assert_eq!(moved.elsewhere, Some((StatusCode::TEMPORARY_REDIRECT, "/api/new".to_owned())));
    }

    #[test]
    fn routes_of_one_path_have_names_of_their_own() {
        let elsewhere = Route::by(Pattern::parse("/b").unwrap(), By::Redirect(307, "/c".to_owned()));
        let rules = [
            route("/a", "x", &["hosts a.example", "methods GET POST"]),
            route("/a", "x", &["header x-a 1; methods GET"]),
            route("/a", "x", &["header x-a 1", "methods GET"]),
            route("/a", "x", &["header x-a 1%3B methods GET"]),
            route("/a", "x", &[]),
            route("/a/*", "x", &["hosts a.example"]),
            elsewhere,
            route("/b", "x", &["hosts a.example"]),
        ];
        let expected = [
            "/a hosts a.example; methods GET POST",
            "/a header x-a 1%3B methods GET",
            "/a header x-a 1; methods GET",
            "/a header x-a 1%253B methods GET",
            "/a",
            "/a/*",
            "/b",
            "/b",
        ];
        assert_eq!(names(&rules), expected);
        let mut turned = rules.to_vec();
        turned.reverse();
        assert_eq!(names(&turned), expected.iter().rev().copied().collect::<Vec<_>>());
        let routes = Routes::new(rules.to_vec());
        assert_eq!(chosen(&routes, &Method::GET, "/a", false).unwrap().name, "/a");
    }

    #[test]
    fn what_is_kept_is_apart_where_the_url_does_not_tell_who_it_is_for() {
        let part_of = |conditions: &[&str]| part(&route("/x", "a", conditions));
        assert_eq!(part_of(&["hosts a.example", "methods GET"]), None);
        assert_eq!(part(&Route { cache: None, ..route("/x", "a", &["cookie a 1"]) }), None);
        let parts =
            [&["cookie a 1"][..], &["cookie a 2"], &["query a 1"], &["countries DE"], &["cookie a 1", "query a 1"]]
                .map(part_of);
        for (at, part) in parts.iter().enumerate() {
            assert!(part.as_ref().is_some_and(|part| part.len() == 16) && !parts[..at].contains(part), "{part:?}");
        }
        assert_eq!(parts[4], part_of(&["methods GET", "cookie a 1", "query a 1"]));
        let all = [&["cookie a 1"][..], &[], &["cookie a 1"], &["query a 1"]].map(|when| route("/x", "a", when));
        let routes = Routes::new(all.to_vec());
        assert_eq!(routes.parts().collect::<Vec<_>>(), [parts[0].as_deref().unwrap(), parts[2].as_deref().unwrap()]);
    }
}

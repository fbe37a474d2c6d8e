//! Whether a request is what a route is for, beyond its path.

use std::cell::RefCell;

use http::Method;

use crate::config::{Condition, Place, Route, Test};
use crate::field::cookie;
use crate::query;

/// What routes ask of a request. Fields and the country are asked for where a route needs them, each once.
pub struct Facts<'request> {
    /// The method.
    pub method: &'request Method,
    /// Without port.
    pub host: &'request str,
    /// In its one spelling.
    pub path: &'request str,
    /// Without the question mark.
    pub query: Option<&'request str>,
    field: &'request dyn Fn(&str) -> Option<String>,
    country: &'request dyn Fn() -> Option<String>,
    /// What was asked for already; the country by no name.
    known: RefCell<Vec<(String, Option<String>)>>,
}

impl<'request> Facts<'request> {
    /// `field` is a header field, its lines joined; `country` the client's, by two letters.
    pub fn new(
        method: &'request Method,
        host: &'request str,
        (path, query): (&'request str, Option<&'request str>),
        field: &'request dyn Fn(&str) -> Option<String>,
        country: &'request dyn Fn() -> Option<String>,
    ) -> Facts<'request> {
        Facts { method, host, path, query, field, country, known: RefCell::default() }
    }

    /// Whether all that a route asks for holds.
    pub fn meet(&self, route: &Route) -> bool {
        self.unmet(route).is_none()
    }

    /// The first condition of a route that does not hold.
    pub fn unmet<'route>(&self, route: &'route Route) -> Option<&'route Condition> {
        route.when.iter().find(|condition| !self.hold(condition, route))
    }

    fn hold(&self, condition: &Condition, route: &Route) -> bool {
        match condition {
            Condition::Hosts(hosts) => hosts.iter().any(|pattern| is_host(pattern, self.host)),
            Condition::Methods(methods) => self.is_method(methods, route),
            Condition::Countries(countries) => self
                .asked("", &|| (self.country)(), |country| country.is_some_and(|country| is_one(country, countries))),
            Condition::Says(Place::Header, name, test) => {
                self.field(name, |value| value.is_some_and(|value| test.fits(value)))
            }
            Condition::Says(Place::Cookie, name, test) => self.field("cookie", |sent| {
                sent.and_then(|sent| cookie::value(sent, name)).is_some_and(|value| test.fits(value))
            }),
            Condition::Says(Place::Query, name, test) => self.query.is_some_and(|query| {
                let of_name = query.split('&').filter(|parameter| query::name(parameter) == *name);
                of_name.into_iter().any(|parameter| !parameter.is_empty() && test.fits(&query::value(parameter)))
            }),
        }
    }

    /// A browser asks a route with CORS by OPTIONS whether it may send another method.
    fn is_method(&self, methods: &[String], route: &Route) -> bool {
        let is_one_of = |method: &str| methods.iter().any(|known| known == method);
        is_one_of(self.method.as_str())
            || *self.method == Method::HEAD && is_one_of("GET")
            || *self.method == Method::OPTIONS
                && route.cors.is_some()
                && self.field("origin", |origin| origin.is_some())
                && self.field("access-control-request-method", |method| method.is_some_and(is_one_of))
    }

    fn field<T>(&self, name: &str, then: impl FnOnce(Option<&str>) -> T) -> T {
        self.asked(name, &|| (self.field)(name), then)
    }

    fn asked<T>(&self, name: &str, ask: &dyn Fn() -> Option<String>, then: impl FnOnce(Option<&str>) -> T) -> T {
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            known.push((name.to_owned(), ask()));
            known.len() - 1
        });
        then(known[at].1.as_deref())
    }
}

/// Whether a host is the one of a pattern, or below it.
fn is_host(pattern: &str, host: &str) -> bool {
    let Some(parent) = pattern.strip_prefix('*') else { return pattern.eq_ignore_ascii_case(host) };
    let at = host.len().checked_sub(parent.len()).filter(|at| *at > 0);
    at.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(parent))
}

fn is_one(country: &str, countries: &[String]) -> bool {
    countries.iter().any(|known| known.eq_ignore_ascii_case(country))
}

/// Whether a route takes every request that a later one could: that one never answers. `hosts` are those of the site; none:
/// any. Errs towards `false`.
pub fn covers(route: &Route, later: &Route, hosts: &[String]) -> bool {
    route.path.covers(&later.path) && route.when.iter().all(|condition| is_implied(condition, later, hosts))
}

fn is_implied(condition: &Condition, later: &Route, of_site: &[String]) -> bool {
    let is_one = |word: &String, words: &[String]| words.contains(word);
    let by_hosts = |hosts: &[String], theirs: &[String]| {
        let is_below = |host: &String| hosts.iter().any(|pattern| pattern == host || is_host(pattern, host));
        !theirs.is_empty() && theirs.iter().all(is_below)
    };
    let implies = |theirs: &Condition| match (condition, theirs) {
        (Condition::Hosts(hosts), Condition::Hosts(theirs)) => by_hosts(hosts, theirs),
        (Condition::Methods(methods), Condition::Methods(theirs)) => theirs
            .iter()
            .all(|method| is_one(method, methods) || method == "HEAD" && methods.iter().any(|method| method == "GET")),
        (Condition::Countries(countries), Condition::Countries(theirs)) => {
            theirs.iter().all(|country| is_one(country, countries))
        }
        (Condition::Says(place, name, test), Condition::Says(their_place, their_name, theirs)) => {
            place == their_place
                && name == their_name
                && match theirs {
                    Test::Present => *test == Test::Present,
                    Test::Is(value) => test.fits(value),
                    Test::Begins(beginning) => !matches!(test, Test::Is(_)) && test.fits(beginning),
                }
        }
        _ => false,
    };
    let is_whole_site = matches!(condition, Condition::Hosts(hosts) if by_hosts(hosts, of_site));
    is_whole_site || later.when.iter().any(implies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cors;
    use crate::route::pattern::Pattern;

    fn route(conditions: &[&str]) -> Route {
        let when = conditions.iter().map(|text| Condition::try_from((*text).to_owned()).unwrap()).collect();
        Route { when, ..Route::new(Pattern::parse("/*").unwrap(), "api") }
    }

    struct Sent {
        method: Method,
        host: &'static str,
        query: Option<&'static str>,
        fields: &'static [(&'static str, &'static str)],
        country: Option<&'static str>,
    }

    const SENT: Sent = Sent { method: Method::GET, host: "shop.example", query: None, fields: &[], country: None };

    #[track_caller]
    fn check(conditions: &[&str], sent: &Sent, expected: bool) {
        let field =
            |name: &str| sent.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let country = || sent.country.map(str::to_owned);
        let facts = Facts::new(&sent.method, sent.host, ("/", sent.query), &field, &country);
        assert_eq!(facts.meet(&route(conditions)), expected, "{conditions:?}");
    }

    #[test]
    fn hosts_are_whole_or_below() {
        for (hosts, host, expected) in [
            ("hosts shop.example", "shop.example", true),
            ("hosts shop.example", "SHOP.example", true),
            ("hosts shop.example", "a.shop.example", false),
            ("hosts *.example", "shop.example", true),
            ("hosts *.shop.example", "a.b.shop.example", true),
            ("hosts *.shop.example", "shop.example", false),
            ("hosts *.shop.example", "workshop.example", false),
            ("hosts *.shop.example", ".shop.example", false),
            ("hosts a.example *.shop.example", "a.example", true),
        ] {
            check(&[hosts], &Sent { host, ..SENT }, expected);
        }
    }

    #[test]
    fn a_get_is_a_head_too_and_nothing_else() {
        for (methods, method, expected) in [
            ("methods GET", Method::GET, true),
            ("methods GET", Method::HEAD, true),
            ("methods HEAD", Method::GET, false),
            ("methods GET", Method::POST, false),
            ("methods POST PUT", Method::PUT, true),
            ("methods POST", Method::OPTIONS, false),
        ] {
            check(&[methods], &Sent { method, ..SENT }, expected);
        }
    }

    #[test]
    fn a_preflight_is_of_the_method_that_it_asks_for() {
        let asks = |fields: &[(&str, &str)], cors: bool| {
            let field =
                |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let rule = Cors {
                origins: Vec::new(),
                methods: Vec::new(),
                headers: Vec::new(),
                expose: Vec::new(),
                credentials: false,
                max_age_s: None,
            };
            let route = Route { cors: cors.then_some(rule), ..route(&["methods POST"]) };
            Facts::new(&Method::OPTIONS, "shop.example", ("/", None), &field, &|| None).meet(&route)
        };
        let origin = ("origin", "https://a.example");
        assert!(asks(&[origin, ("access-control-request-method", "POST")], true));
        assert!(!asks(&[origin, ("access-control-request-method", "PUT")], true));
        assert!(!asks(&[origin, ("access-control-request-method", "POST")], false));
        assert!(!asks(&[("access-control-request-method", "POST")], true));
    }

    #[test]
    fn what_a_request_says_is_tested_by_name() {
        let fields: &[_] = &[("x-version", "2.1, 3"), ("cookie", "beta=1; session=s; beta=2")];
        let sent = Sent { query: Some("page=2&q=a+b%3D&%70age=3&flag"), fields, ..SENT };
        for (condition, expected) in [
            ("header x-version *", true),
            ("header x-version 2*", true),
            ("header x-version 2.1, 3", true),
            ("header x-version 3", false),
            ("header x-other *", false),
            ("cookie beta 1", true),
            ("cookie beta 2", false),
            ("cookie Beta *", false),
            ("query page 2", true),
            ("query page 3", true),
            ("query page 4*", false),
            ("query q a b=", true),
            ("query flag *", true),
            ("query flag ", true),
            ("query nothing *", false),
        ] {
            check(&[condition], &sent, expected);
        }
        check(&["query  *"], &Sent { query: Some(""), ..SENT }, false);
        check(&["header x-version 2*", "cookie beta 1"], &sent, true);
        check(&["header x-version 2*", "cookie beta 2"], &sent, false);
    }

    #[test]
    fn a_client_of_no_known_country_is_in_none() {
        for (country, expected) in [(Some("DE"), true), (Some("de"), true), (Some("FR"), false), (None, false)] {
            check(&["countries DE AT"], &Sent { country, ..SENT }, expected);
        }
    }

    #[test]
    fn what_is_needed_is_asked_for_once_and_nothing_else() {
        let asked = RefCell::new(Vec::new());
        let field = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            None
        };
        let country = || {
            asked.borrow_mut().push("the country".to_owned());
            None
        };
        let facts = Facts::new(&Method::GET, "shop.example", ("/", None), &field, &country);
        assert!(facts.meet(&route(&[])) && facts.meet(&route(&["hosts shop.example", "methods GET"])));
        assert!(asked.borrow().is_empty());
        for _ in 0..3 {
            let unmet = [
                &["header x-a *"][..],
                &["header x-a 1", "cookie b *"],
                &["cookie b *"],
                &["cookie c *"],
                &["countries DE"],
            ];
            assert!(unmet.iter().all(|conditions| !facts.meet(&route(conditions))));
        }
        assert_eq!(*asked.borrow(), ["x-a", "cookie", "the country"]);
    }

    #[test]
    fn a_route_that_another_covers_never_answers() {
        let site = ["shop.example".to_owned(), "a.example".to_owned()];
        for (first, later, expected) in [
            (&[][..], &["methods GET"][..], true),
            (&["methods GET"], &[], false),
            (&["methods GET POST"], &["methods HEAD"], true),
            (&["methods GET"], &["methods GET POST"], false),
            (&["hosts *.example"], &["hosts a.example *.b.example"], true),
            (&["hosts *.example"], &["hosts *.example"], true),
            (&["hosts *.b.example"], &["hosts *.example"], false),
            (&["hosts *.example"], &[], true),
            (&["hosts shop.example"], &[], false),
            (&["countries DE AT"], &["countries AT"], true),
            (&["countries DE"], &["countries AT"], false),
            (&["header x-a *"], &["header x-a 1"], true),
            (&["header x-a 1*"], &["header x-a 12*"], true),
            (&["header x-a 1*"], &["header x-a *"], false),
            (&["header x-a 12"], &["header x-a 12*"], false),
            (&["header x-a 1"], &["query x-a 1"], false),
            (&["cookie a 1", "methods GET"], &["methods GET", "cookie a 1", "query b *"], true),
            (&["cookie a 1", "methods GET"], &["cookie a 1"], false),
        ] {
            assert_eq!(covers(&route(first), &route(later), &site), expected, "{first:?} {later:?}");
        }
        assert!(!covers(&route(&["hosts *.example"]), &route(&[]), &[]));
    }
}

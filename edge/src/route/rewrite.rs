//! What a route changes of a request before its pool is asked: the path, parameters of the query, header fields.
//!
//! The host is none of it: it is the origin's. What a cache keeps is kept by what the client asked for, not by this.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::pattern::Caught;
use crate::config::{Change, Route};
use crate::path::{self, BadPath};
use crate::query;

/// Names and values of parameters, but for `%` in what is encoded already.
const OF_PARAMETERS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'&')
    .add(b'\'')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const OF_TEXTS: &AsciiSet = &OF_PARAMETERS.add(b'%');

/// The changes of a route, and what its pattern caught of a request's path.
#[derive(Debug)]
pub struct Rewrite<'request> {
    changes: &'request [Change],
    caught: Caught<'request>,
    path: Option<String>,
}

impl<'request> Rewrite<'request> {
    /// Of a request to `path`, in its one spelling: what was caught stays encoded as it is there. `None` where the route changes nothing.
    /// An error where what was caught would make another path than the route means.
    pub fn of(route: &'request Route, path: &'request str) -> Result<Option<Rewrite<'request>>, BadPath> {
        if route.rewrite.is_empty() {
            return Ok(None);
        }
        let caught = route.path.matches(path).unwrap_or_default();
        let template = route.rewrite.iter().find_map(|change| match change {
            Change::Path(template) => Some(template),
            _ => None,
        });
        let path = template.map(|template| caught.fill(template));
        // `/v1*` catches `../x` of `/v1../x`: behind a slash it would lead out of where the route leads to.
        path.as_deref().map(path::canonical).transpose()?;
        Ok(Some(Rewrite { changes: &route.rewrite, caught, path }))
    }

    /// The path to ask for, if it is another one.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The query to ask with.
    pub fn query<'query>(&self, query: Option<&'query str>) -> Option<Cow<'query, str>> {
        let mut found = query.map(Cow::Borrowed);
        for change in self.changes {
            let (name, value) = match change {
                Change::SetQuery(name, value) => (name, Some(value)),
                Change::RemoveQuery(name) => (name, None),
                _ => continue,
            };
            let text = found.as_deref().unwrap_or_default();
            let kept = text.split('&').filter(|parameter| !parameter.is_empty() && query::name(parameter) != *name);
            let own = value.map(|value| self.parameter(name, value));
            let text = kept.map(str::to_owned).chain(own).collect::<Vec<_>>().join("&");
            found = Some(text).filter(|text| !text.is_empty()).map(Cow::Owned);
        }
        found
    }

    fn parameter(&self, name: &str, template: &str) -> String {
        // What was caught is encoded, as a path is; the text around it is not.
        let template = utf8_percent_encode(template, OF_TEXTS).to_string();
        let value = self.caught.fill_with(&template, &mut |filled, caught| {
            filled.extend(utf8_percent_encode(caught, OF_PARAMETERS));
        });
        format!("{}={value}", utf8_percent_encode(name, OF_TEXTS))
    }

    /// Changes fields of the request that leaves.
    pub fn headers(&self, headers: &mut HeaderMap) {
        for change in self.changes {
            let (name, value) = match change {
                Change::SetHeader(name, value) => (name, Some(value)),
                Change::RemoveHeader(name) => (name, None),
                _ => continue,
            };
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
            headers.remove(&name);
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&self.caught.fill(value))) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::pattern::Pattern;

    fn route(pattern: &str, changes: &[&str]) -> Route {
        let rewrite = changes.iter().map(|text| Change::try_from((*text).to_owned()).unwrap()).collect();
        Route { rewrite, ..Route::new(Pattern::parse(pattern).unwrap(), "api") }
    }

    #[track_caller]
    fn check(pattern: &str, changes: &[&str], url: &str, expected: &str) {
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
        let route = route(pattern, changes);
        let rewrite = Rewrite::of(&route, path).unwrap().unwrap();
        let query = rewrite.query(query).map(|query| format!("?{query}")).unwrap_or_default();
        assert_eq!(format!("{}{query}", rewrite.path().unwrap_or("=")), expected, "{pattern} {changes:?} {url}");
    }

    #[test]
    fn what_was_caught_is_asked_for_elsewhere_as_it_was_encoded() {
        check("/api/*", &["path /v2/:splat"], "/api/a/b", "/v2/a/b");
        check("/api/*", &["path /v2/:splat"], "/api/a%2Fb%20c/%C3%BC?x=1", "/v2/a%2Fb%20c/%C3%BC?x=1");
        check("/api/*", &["path /v2/:splat"], "/api/", "/v2/");
        check("/t/:tenant/*", &["path /:splat", "set-header x-tenant :tenant"], "/t/a/b", "/b");
        check("/x/*", &["path /:splat"], "/x//evil.example", "//evil.example");
        check("/x", &["path /y"], "/x", "/y");
        check("/x", &["remove-header x-a"], "/x?a", "=?a");
    }

    #[test]
    fn nothing_that_was_caught_leads_out_of_where_a_route_leads() {
        for (pattern, template, path) in [
            ("/api*", "path /v2/:splat", "/api../secret"),
            ("/api*", "path /v2/:splat", "/api./x"),
            ("/api*", "path /v2/.:splat", "/api./x"),
            ("/api/*", "path /v2/:splat%", "/api/x"),
        ] {
            let route = route(pattern, &[template]);
            assert!(Rewrite::of(&route, path).is_err(), "{pattern} {template} {path}");
        }
        assert!(Rewrite::of(&Route::new(Pattern::parse("/*").unwrap(), "api"), "/x").unwrap().is_none());
    }

    #[test]
    fn parameters_are_set_and_removed_by_name() {
        check("/x", &["set-query a 1"], "/x", "=?a=1");
        check("/x", &["set-query a 1"], "/x?b=2&a=0&%61=3", "=?b=2&a=1");
        check("/x", &["remove-query a"], "/x?a=1&%61&b=%20&aa=2", "=?b=%20&aa=2");
        check("/x", &["remove-query a"], "/x?a=1", "=");
        check("/x", &["set-query b 2", "remove-query a"], "/x?a=1", "=?b=2");
        check("/x", &["set-query a%20b c&d=e+100% ü"], "/x", "=?a%20b=c%26d%3De%2B100%25%20%C3%BC");
        check("/p/:id", &["set-query id :id", "path /product"], "/p/a%26b&c=1+2", "/product?id=a%26b%26c%3D1%2B2");
        check("/p/:id", &["set-query at 12:30"], "/p/x", "=?at=12:30");
    }

    #[test]
    fn fields_are_set_and_removed() {
        let route =
            route("/t/:tenant/*", &["set-header x-tenant t-:tenant", "set-header x-new 1", "remove-header x-old"]);
        let rewrite = Rewrite::of(&route, "/t/a%20b/x").unwrap().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-tenant", "mine"), ("x-tenant", "yours"), ("x-old", "1"), ("x-other", "2")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        rewrite.headers(&mut headers);
        let mut found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        found.sort_unstable();
        assert_eq!(found, [("x-new", "1"), ("x-other", "2"), ("x-tenant", "t-a%20b")]);
    }
}

//! Which rule answers a request, and why: the edge's own rules, in the order in which `rimward_edge::serve` asks them.

use http::{HeaderMap, Method};
use rimward_edge::cache::{self, Content, content};
use rimward_edge::config::{By, CachePolicy, Change, Condition, Place, RedirectRule, Route, Settings, Test};
use rimward_edge::field::cookie;
use rimward_edge::field::list::joined;
use rimward_edge::guard::{self, Refusal, target::Target};
use rimward_edge::origin::hop;
use rimward_edge::origin::request::{self, Asked as OfOrigin};
use rimward_edge::release::navigation::{is_navigation, looks_like_a_file};
use rimward_edge::release::table::{Found, Release};
use rimward_edge::route::redirect::{Outcome, Redirects};
use rimward_edge::route::rewrite::Rewrite;
use rimward_edge::route::{Chosen, Routes, condition::Facts, cors, split};

use super::explanation::{Answers, Asked, Explanation, Passed, Step};

/// Explains. `redirects` are those of the release's own files, `earlier` the releases before it, newest first.
pub fn explain(
    settings: &Settings,
    release: Option<&Release>,
    earlier: &[Release],
    redirects: &[RedirectRule],
    asked: &Asked,
) -> Explanation {
    let mut telling = Telling { settings, release, earlier, asked, passed: Vec::new(), steps: Vec::new() };
    let answers = telling.answers(redirects);
    let Telling { passed, steps, .. } = telling;
    Explanation { method: asked.method.to_string(), url: asked.url.clone(), answers, passed, steps }
}

struct Telling<'asked> {
    settings: &'asked Settings,
    release: Option<&'asked Release>,
    earlier: &'asked [Release],
    asked: &'asked Asked,
    passed: Vec<Passed>,
    steps: Vec<Step>,
}

impl Telling<'_> {
    fn say(&mut self, about: &'static str, says: impl Into<String>) {
        self.steps.push(Step { about, says: says.into() });
    }

    fn field(&self, name: &str) -> Option<String> {
        joined(&self.asked.headers, name)
    }

    fn refused(&mut self, refusal: Refusal) -> Answers {
        let status = refusal.status().as_u16();
        self.say("refused", format!("{status}: {refusal}"));
        Answers::Refused { status }
    }

    /// As `serve::respond`.
    fn answers(&mut self, redirects: &[RedirectRule]) -> Answers {
        let asked = self.asked;
        let target = match Target::parse(&asked.url) {
            Ok(target) => target,
            Err(refusal) => return self.refused(refusal),
        };
        self.say("path", format!("rules see `{}`", target.path));
        let is_own = target.path == "/.rimward" || target.path.starts_with("/.rimward/");
        if target.path != "/.rimward/health" {
            if let Err(refusal) = guard::admit(&target, &self.settings.site.hosts) {
                return self.refused(refusal);
            }
            if matches!(asked.method, Method::TRACE | Method::CONNECT) {
                return self.refused(Refusal::BadMethod);
            }
        }
        if is_own {
            self.say("own", "what lies below `/.rimward/` is Rimward's own: no route and no file answers there");
            return Answers::Own;
        }
        let redirects = Redirects::new(self.settings.redirects.iter().chain(redirects));
        let is_file = || self.named(target.decoded.as_deref().unwrap_or_default()).is_some();
        match redirects.forced(&target.path, target.query, &is_file) {
            Some(Outcome::Redirect(status, location)) => {
                self.say(
                    "redirects",
                    "a redirect of the settings, or one of `_redirects` with `!`, comes before everything",
                );
                return self.sent(status.as_u16(), location);
            }
            Some(Outcome::Rewrite(path)) if matches!(asked.method, Method::GET | Method::HEAD) => {
                if let Some(url) = self.named(&path) {
                    self.say("redirects", "a rewrite of `_redirects` with `!` comes before everything");
                    return self.file(url);
                }
            }
            _ => {}
        }
        let routes = Routes::new(self.settings.routes.clone());
        let (field, country) = (|name: &str| self.field(name), || asked.country.clone());
        let facts = Facts::new(&asked.method, target.host, (&target.path, target.query), &field, &country);
        let chosen = routes.choose(&facts);
        let passed = self.passed_over(&routes, &facts, chosen.as_ref());
        for Passed { number, path, why } in &passed {
            self.say("routes", format!("not `{path}`, the {} [[route]]: {why}", ordinal(*number)));
        }
        self.passed = passed;
        if let Some(chosen) = chosen {
            return self.route(&routes, &chosen, &target);
        }
        self.say("routes", "none is for it");
        self.by_release(&redirects, &target)
    }

    fn passed_over(&self, routes: &Routes, facts: &Facts<'_>, chosen: Option<&Chosen<'_>>) -> Vec<Passed> {
        let mut passed = Vec::new();
        for (at, route) in routes.iter().enumerate() {
            if chosen.is_some_and(|chosen| std::ptr::eq(chosen.route, route)) {
                break;
            }
            if route.path.fits(facts.path) {
                let why = match facts.unmet(route) {
                    Some(condition) => self.why(condition, facts),
                    None => "it would lead where the request already is".to_owned(),
                };
                passed.push(Passed { number: at + 1, path: route.path.to_string(), why });
            }
        }
        passed
    }

    /// Why a condition does not hold.
    fn why(&self, condition: &Condition, facts: &Facts<'_>) -> String {
        let list = |words: &[String]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match condition {
            Condition::Hosts(hosts) => format!("the host is `{}`, and it is for {}", facts.host, list(hosts)),
            Condition::Methods(methods) => format!("the method is `{}`, and it is for {}", facts.method, list(methods)),
            Condition::Countries(countries) => match &self.asked.country {
                Some(country) => format!("the country is `{country}`, and it is for {}", list(countries)),
                None => format!("the country is unknown, and it is for {}", list(countries)),
            },
            Condition::Says(place, name, test) => {
                let (called, found) = match place {
                    Place::Header => ("header", self.field(name)),
                    Place::Cookie => {
                        let sent = self.field("cookie").unwrap_or_default();
                        ("cookie", cookie::value(&sent, name).map(str::to_owned))
                    }
                    Place::Query => {
                        let mut parameters = facts.query.unwrap_or_default().split('&');
                        let found = parameters.find(|parameter| rimward_edge::query::name(parameter) == *name);
                        ("parameter", found.map(|parameter| rimward_edge::query::value(parameter).into_owned()))
                    }
                };
                let wanted = match test {
                    Test::Present => "any".to_owned(),
                    Test::Is(value) => format!("`{value}`"),
                    Test::Begins(beginning) => format!("one that begins with `{beginning}`"),
                };
                match found {
                    Some(found) => format!("the {called} `{name}` is `{found}`, and it needs {wanted}"),
                    None => format!("there is no {called} `{name}`, and it needs {wanted}"),
                }
            }
        }
    }

    /// As `serve::forward`.
    fn route(&mut self, routes: &Routes, chosen: &Chosen<'_>, target: &Target<'_>) -> Answers {
        let Chosen { route, name, part, elsewhere } = chosen;
        let number = routes.iter().position(|known| std::ptr::eq(known, *route)).map_or(0, |at| at + 1);
        let path = route.path.to_string();
        let conditions: Vec<String> = route.when.iter().map(|condition| format!("`{condition}`")).collect();
        let because =
            if conditions.is_empty() { String::new() } else { format!(", for {} hold", conditions.join(" and ")) };
        self.say("routes", format!("`{path}`, the {} [[route]], answers{because}", ordinal(number)));
        if let Some((status, location)) = elsewhere {
            return self.sent(status.as_u16(), location.clone());
        }
        if *name != path {
            self.say("routes", format!("metrics and limits call it `{name}`"));
        }
        if hop::names_field_of_the_whole_way(&self.asked.headers) {
            return self.refused(Refusal::BadConnection);
        }
        if route.cors.is_some() && cors::is_preflight(&self.asked.method, &self.asked.headers) {
            self.say("cors", "a browser asks whether it may: `[route.cors]` answers, and no pool is asked");
            return Answers::Preflight { path };
        }
        if request::is_loop(&self.asked.headers, &self.settings.site.name) {
            return self.refused(Refusal::Loop);
        }
        let rewrite = match Rewrite::of(route, &target.path) {
            Ok(rewrite) => rewrite,
            Err(bad) => return self.refused(Refusal::BadPath(bad)),
        };
        let (pool, pools) = self.pools(route);
        let mut asks = Vec::new();
        for name in &pools {
            asks.extend(self.asks(name, route, target, rewrite.as_ref()));
        }
        for change in &route.rewrite {
            if let Change::SetHeader(..) | Change::RemoveHeader(..) = change {
                self.say("changes", change.to_string());
            }
        }
        let key = self.kept(route, *part, target);
        for name in &route.limits {
            self.say("limits", format!("`[limit.{name}]`, {} of its permits", route.cost));
        }
        Answers::Route { path, pool, asks, key }
    }

    /// The pool of this client, and every one that may be it.
    fn pools(&mut self, route: &Route) -> (Option<String>, Vec<String>) {
        let shares = match &route.by {
            By::Split(shares) => shares,
            By::Pool(_) | By::Redirect(..) => {
                let pools: Vec<String> = route.by.pools().map(str::to_owned).collect();
                return (pools.first().cloned(), pools);
            }
        };
        let bucket = split::known(cookie::of(&self.asked.headers, split::COOKIE));
        let known = bucket.and_then(|bucket| Some((bucket, split::pool(shares, bucket)?)));
        if let Some((bucket, pool)) = known {
            self.say("split", format!("the client has the number {bucket}, which is of the pool `{pool}`"));
            return (Some(pool.to_owned()), vec![pool.to_owned()]);
        }
        let words: Vec<String> = shares.iter().map(|share| format!("`{}` by {}", share.pool, share.weight)).collect();
        self.say("split", format!("the client has no number yet: it gets one, {}", words.join(", ")));
        (None, shares.iter().filter(|share| share.weight > 0).map(|share| share.pool.clone()).collect())
    }

    /// What each origin of a pool would be asked.
    fn asks(&mut self, name: &str, route: &Route, target: &Target<'_>, rewrite: Option<&Rewrite<'_>>) -> Vec<String> {
        let settings = self.settings;
        let Some(pool) = settings.pools.get(name) else { return Vec::new() };
        let policy = route.cache.as_ref().and_then(|cache| settings.caches.get(cache));
        let query = match policy {
            Some(policy) => cache::forwarded_query(target.query, policy),
            None => target.query.map(Into::into),
        };
        let query = match rewrite {
            Some(rewrite) => rewrite.query(query.as_deref()).map(std::borrow::Cow::into_owned),
            None => query.map(std::borrow::Cow::into_owned),
        };
        let asked = OfOrigin {
            method: &self.asked.method,
            scheme: target.scheme,
            authority: &target.authority,
            raw_path: rewrite.and_then(Rewrite::path).unwrap_or(target.raw_path),
            query: query.as_deref(),
            client: None,
            trusted_peer: None,
            request_id: "",
            client_request_id: None,
            site: &settings.site.name,
        };
        let method = &self.asked.method;
        let asked = request::target(&asked);
        let urls: Vec<String> = pool.origins.iter().map(|origin| request::url(origin, &asked)).collect();
        let one_of = if urls.len() > 1 { ", one of" } else { "" };
        for (at, url) in urls.iter().enumerate() {
            let lead = if at == 0 { format!("`{name}`{one_of}: ") } else { String::new() };
            self.say("pool", format!("{lead}{method} {url}"));
        }
        urls
    }

    fn kept(&mut self, route: &Route, part: Option<&str>, target: &Target<'_>) -> Option<String> {
        let Some(name) = &route.cache else {
            self.say("cache", "nothing is kept: the route has no `cache`");
            return None;
        };
        let policy = self.settings.caches.get(name)?;
        let mut headers = self.asked.headers.clone();
        cookie::remove(&mut headers, &[split::COOKIE]);
        let asked = cache::Asked {
            method: &self.asked.method,
            scheme: target.scheme,
            authority: &target.authority,
            path: &target.path,
            query: target.query,
            headers: &headers,
            content: self.content(&headers, policy),
        };
        match cache::key(&asked, policy) {
            Ok(key) => {
                let key = match part {
                    Some(part) => key.apart(part),
                    None => key,
                };
                self.say("cache", format!("`[cache.{name}]`, under the key {}", key.text()));
                if part.is_some() {
                    self.say("cache", "for requests that this route is for alone: its conditions are part of the key");
                }
                if asked.is_personal(policy) {
                    self.say(
                        "cache",
                        "the request says who asks: only the origin's own words let its answer be shared",
                    );
                }
                Some(key.text().to_owned())
            }
            Err(unkeyed) => {
                self.say("cache", format!("`[cache.{name}]` is passed by: {}", unkeyed.word()));
                None
            }
        }
    }

    /// As `serve::cached`.
    fn content(&self, headers: &HeaderMap, policy: &CachePolicy) -> Content {
        match &self.asked.data {
            None => Content::None,
            Some(data) if content::is_keyed(&self.asked.method, headers, policy) => {
                content::read(&self.asked.method, headers, policy, data)
            }
            Some(_) => Content::Unkeyed,
        }
    }

    fn sent(&mut self, status: u16, location: String) -> Answers {
        self.say("answer", format!("{status}, to {location}"));
        Answers::Redirect { status, location }
    }

    fn file(&mut self, url: String) -> Answers {
        self.say("answer", format!("the file at {url}"));
        Answers::File { url }
    }

    fn named(&self, path: &str) -> Option<String> {
        self.release.and_then(|release| release.named(path)).map(|file| file.url.clone())
    }

    /// As `serve::from_release`.
    fn by_release(&mut self, redirects: &Redirects, target: &Target<'_>) -> Answers {
        match self.asked.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => {
                self.say("release", "what may be asked of a release is said by Rimward");
                return Answers::Options;
            }
            _ => return self.refused(Refusal::BadMethod),
        }
        let Some(release) = self.release else {
            self.say("release", "there is none yet: `rimward build` makes one");
            return self.by_redirect(redirects, target, false).unwrap_or_else(|| self.nothing());
        };
        let decoded = target.decoded.as_deref().unwrap_or(&target.path);
        match release.find(decoded) {
            Found::File(file) => {
                self.say("release", "a file has this path");
                return self.file(file.url.clone());
            }
            Found::Moved(file) => {
                self.say("release", "a page has this path, and another URL");
                let query = target.query.map(|query| format!("?{query}")).unwrap_or_default();
                return self.sent(308, format!("{}{query}", file.url));
            }
            Found::Nothing => self.say("release", "no file has this path"),
        }
        let is_for_files = looks_like_a_file(decoded) || release.is_in_asset_folder(decoded);
        if is_for_files {
            for earlier in self.earlier {
                if let Found::File(file) = earlier.find(decoded) {
                    self.say("release", "an earlier release has it");
                    return self.file(file.url.clone());
                }
            }
        }
        if let Some(answers) = self.by_redirect(redirects, target, is_for_files) {
            return answers;
        }
        let is_visit = !is_for_files && is_navigation(&|name| self.field(name));
        let fallback = self.settings.document.fallback.as_deref().and_then(|path| release.document(path));
        if let Some(page) = fallback.filter(|_| is_visit && release.is_below_base(decoded)) {
            self.say("fallback", "somebody goes there: `fallback` of `[document]` answers");
            return Answers::Fallback { url: page.url.clone() };
        }
        self.say(
            "fallback",
            match (is_for_files, fallback) {
                (true, _) => "none: it looks like a file, and a page never stands in for one",
                (false, None) if self.settings.document.fallback.is_some() => {
                    "none: the release has no page that `fallback` of `[document]` names"
                }
                (false, None) => "none: `fallback` of `[document]` is false",
                (false, Some(_)) if !is_visit => {
                    "none: no browser goes there (--header \"accept: text/html\" says that one does)"
                }
                (false, Some(_)) => "none: the path is not below `base` of `[site]`",
            },
        );
        self.nothing()
    }

    fn by_redirect(&mut self, redirects: &Redirects, target: &Target<'_>, is_for_files: bool) -> Option<Answers> {
        match redirects.unforced(&target.path, target.query)? {
            Outcome::Redirect(status, location) => {
                self.say("redirects", "a redirect of `_redirects` is for it");
                Some(self.sent(status.as_u16(), location))
            }
            Outcome::Rewrite(path) => {
                let file = self.release.and_then(|release| release.named(&path));
                let url = file.filter(|file| !(is_for_files && file.is_page())).map(|file| file.url.clone())?;
                self.say("redirects", "a rewrite of `_redirects` is for it");
                Some(self.file(url))
            }
        }
    }

    fn nothing(&mut self) -> Answers {
        self.say("answer", "404");
        Answers::Nothing
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = r#"
        [site]
        hosts = ["shop.example"]
        [[redirect]]
        from = "/old/*"
        to = "/new/:splat"
        [[pool]]
        name = "api"
        origin = [{ url = "https://api.internal/v1" }]
        [[pool]]
        name = "canary"
        origin = [{ url = "https://canary.internal" }]
        [[route]]
        path = "/api/*"
        methods = ["POST"]
        pool = "canary"
        [[route]]
        path = "/api/*"
        headers = { x-beta = "2*" }
        countries = ["DE"]
        pool = "canary"
        cache = "api"
        [[route]]
        path = "/api/:version/*"
        split = { api = 95, canary = 5 }
        cache = "api"
        rewrite = { path = "/:splat", query = { set = { v = ":version" } }, request_headers = { remove = ["x-debug"] } }
        limit = ["global"]
        [[route]]
        path = "/login"
        cookies = { session = "*" }
        redirect = { to = "/account" }
        [[route]]
        path = "/graphql"
        pool = "api"
        cache = "questions"
        [cache.questions]
        graphql = true
        [cache.api]
        query = { ignore = ["utm_*"] }
        [limit.global]
        permits = 10
        window = "1m"
    "#;

    fn explained(
        method: &str,
        url: &str,
        lines: &[(&'static str, &'static str)],
        country: Option<&str>,
    ) -> Explanation {
        let (compiled, findings) = crate::settings::compile(SHOP, "rimward.toml", None);
        let settings = compiled.unwrap_or_else(|| panic!("{findings:?}")).file.settings;
        let headers = lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let (url, method) = (url.to_owned(), method.parse().unwrap());
        let asked = Asked { url, method, headers, data: None, country: country.map(str::to_owned) };
        explain(&settings, None, &[], &[], &asked)
    }

    /// Under which key the answer to a request with content lies, and what is said of it.
    fn kept(method: &str, media_type: &str, data: &str) -> (Option<String>, String) {
        let (compiled, findings) = crate::settings::compile(SHOP, "rimward.toml", None);
        let settings = compiled.unwrap_or_else(|| panic!("{findings:?}")).file.settings;
        let headers = [("content-type".parse().unwrap(), media_type.parse().unwrap())].into_iter().collect();
        let (url, method) = ("https://shop.example/graphql".to_owned(), method.parse().unwrap());
        let asked = Asked { url, method, headers, data: Some(data.into()), country: None };
        let found = explain(&settings, None, &[], &[], &asked);
        let text = found.text();
        let Answers::Route { key, .. } = found.answers else { panic!("{found:?}") };
        (key, text)
    }

    #[test]
    fn content_is_part_of_the_key_where_it_asks() {
        let key = |method, media_type, data| kept(method, media_type, data).0;
        let json = "application/json";
        let cart = key("POST", json, r#"{ "query": "{ cart }", "variables": {} }"#);
        assert!(cart.is_some());
        assert_eq!(cart, key("POST", json, r#"{"variables":{},"query":"{ cart }"}"#), "one question");
        assert_ne!(cart, key("POST", json, r#"{ "query": "{ carts }", "variables": {} }"#));
        let query = key("QUERY", "text/plain", "cart");
        assert!(query.is_some());
        assert_ne!(query, key("QUERY", "text/plain", "carts"));
        for (media_type, data, why) in [
            (json, r#"{ "query": "mutation { buy }" }"#, "graphql-operation"),
            (json, "no JSON", "graphql-operation"),
            ("text/plain", r#"{ "query": "{ cart }" }"#, "method"),
        ] {
            let (key, text) = kept("POST", media_type, data);
            assert_eq!(key, None, "{data}");
            assert!(text.contains(&format!("`[cache.questions]` is passed by: {why}")), "{text}");
        }
    }

    #[test]
    fn the_route_that_answers_is_told_and_why_no_other_does() {
        let found = explained("GET", "https://shop.example/api/v2/a%2Fb?x=1&utm_a=2", &[("x-beta", "1")], Some("DE"));
        let expected = "\
GET https://shop.example/api/v2/a%2Fb?x=1&utm_a=2
  path       rules see `/api/v2/a%2Fb`
  routes     not `/api/*`, the 1st [[route]]: the method is `GET`, and it is for `POST`
             not `/api/*`, the 2nd [[route]]: the header `x-beta` is `1`, and it needs one that begins with `2`
             `/api/:version/*`, the 3rd [[route]], answers
  split      the client has no number yet: it gets one, `api` by 95, `canary` by 5
  pool       `api`: GET https://api.internal/v1/a%2Fb?x=1&v=v2
             `canary`: GET https://canary.internal/a%2Fb?x=1&v=v2
  changes    remove-header x-debug
  cache      `[cache.api]`, under the key https://shop.example/api/v2/a%2Fb?x=1
  limits     `[limit.global]`, 1 of its permits
";
        assert_eq!(found.text(), expected);
    }

    #[test]
    fn what_the_client_is_decides() {
        let found = explained("GET", "https://shop.example/api/v2/a", &[("cookie", "rimward-split=9999")], None);
        assert!(matches!(found.answers, Answers::Route { pool: Some(ref pool), .. } if pool == "canary"), "{found:?}");
        assert!(found.text().contains("the country is unknown") || found.text().contains("no header `x-beta`"));
        let found = explained("GET", "https://shop.example/api/v2/a", &[("x-beta", "2")], Some("DE"));
        let Answers::Route { path, pool, key: Some(key), .. } = found.answers else { panic!("{found:?}") };
        assert_eq!((path.as_str(), pool.as_deref()), ("/api/*", Some("canary")));
        assert!(key.starts_with("https://shop.example/api/v2/a part="), "{key}");
        let found = explained("GET", "https://shop.example/login", &[("cookie", "session=1")], None);
        assert_eq!(found.answers, Answers::Redirect { status: 302, location: "/account".to_owned() });
    }

    #[test]
    fn what_no_route_is_for_is_told_too() {
        for (method, url, expected) in [
            ("GET", "https://other.example/", Answers::Refused { status: 421 }),
            ("GET", "https://shop.example/a/%2e%2e/b", Answers::Refused { status: 400 }),
            ("GET", "https://shop.example/_rimward/x", Answers::Refused { status: 404 }),
            ("GET", "https://other.example/.rimward/health", Answers::Own),
            ("GET", "https://shop.example/.rimward/x", Answers::Own),
            ("GET", "https://shop.example/old/x", Answers::Redirect { status: 302, location: "/new/x".to_owned() }),
            ("POST", "https://shop.example/x", Answers::Refused { status: 405 }),
            ("OPTIONS", "https://shop.example/x", Answers::Options),
            ("GET", "https://shop.example/x", Answers::Nothing),
            ("GET", "not a url", Answers::Refused { status: 400 }),
        ] {
            assert_eq!(explained(method, url, &[], None).answers, expected, "{method} {url}");
        }
    }
}

//! Redirects and rewrites by rule: where a request is sent, without ever leaving for a host that no rule names.

use http::StatusCode;

use super::pattern::Pattern;
use super::spelled;
use crate::config::RedirectRule;
use crate::path::{canonical, encode_unfit};

/// The rules, in order: the first match wins.
#[derive(Debug, Default)]
pub struct Redirects {
    rules: Vec<RedirectRule>,
    any_forced: bool,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Go there.
    Redirect(StatusCode, String),
    /// Answer with the file at this decoded path instead.
    Rewrite(String),
}

impl Redirects {
    /// Keeps rules in the order given.
    pub fn new<'rules>(rules: impl Iterator<Item = &'rules RedirectRule>) -> Redirects {
        let rules: Vec<_> = rules.map(|rule| RedirectRule { from: spelled(&rule.from), ..rule.clone() }).collect();
        Redirects { any_forced: rules.iter().any(|rule| rule.force), rules }
    }

    /// What acts before anything else answers: a forced rule, unless an unforced one stands before it. Those give way to
    /// files, and to routes.
    pub fn forced(&self, path: &str, query: Option<&str>, is_file: &dyn Fn() -> bool) -> Option<Outcome> {
        if !self.any_forced {
            return None;
        }
        let mut matching = self.rules.iter().filter_map(|rule| Some((rule, outcome(rule, path, query)?)));
        let (rule, outcome) = matching.find(|(rule, _)| rule.force || !is_file())?;
        rule.force.then_some(outcome)
    }

    /// What acts where no file answers.
    pub fn unforced(&self, path: &str, query: Option<&str>) -> Option<Outcome> {
        self.rules.iter().find_map(|rule| outcome(rule, path, query))
    }
}

/// What a rule says of a path; `None` where it does not match, or would lead where the request already is.
fn outcome(rule: &RedirectRule, path: &str, query: Option<&str>) -> Option<Outcome> {
    let (authority, filled) = filled(&rule.from, &rule.to, path)?;
    if rule.status == 200 {
        let target = filled.split(['?', '#']).next().unwrap_or_default();
        let decoded = canonical(target).ok()?.decoded?.into_owned();
        return authority.is_empty().then_some(Outcome::Rewrite(decoded));
    }
    let status = StatusCode::from_u16(rule.status).ok()?;
    elsewhere(authority, &filled, path, query).map(|location| Outcome::Redirect(status, location))
}

/// Where `to` leads; `None` where `from` does not match, or it would lead where the request already is.
pub(super) fn location(from: &Pattern, to: &str, path: &str, query: Option<&str>) -> Option<String> {
    let (authority, filled) = filled(from, to, path)?;
    elsewhere(authority, &filled, path, query)
}

/// The host of a template, and what stands behind it with what was caught.
fn filled<'to>(from: &Pattern, to: &'to str, path: &str) -> Option<(&'to str, String)> {
    let caught = from.matches(path)?;
    let (authority, path_template) = split_authority(to);
    let filled = caught.fill(path_template);
    // What was caught may begin with slashes: `//evil.example` would be a host.
    let filled = if filled.starts_with('/') || filled.is_empty() || authority.is_empty() {
        format!("/{}", filled.trim_start_matches(['/', '\\']))
    } else {
        filled
    };
    Some((authority, filled))
}

fn elsewhere(authority: &str, filled: &str, path: &str, query: Option<&str>) -> Option<String> {
    let location = encode_unfit(&format!("{authority}{}", with_query(filled, query))).into_owned();
    (location != with_query(path, query)).then_some(location)
}

/// The part of a template that names the host, which nothing that was caught gets into, and the rest.
fn split_authority(template: &str) -> (&str, &str) {
    let scheme = template.find("://").filter(|_| !template.starts_with('/'));
    let Some(at) = scheme.map(|at| at + 3) else { return ("", template) };
    let end = template[at..].find(['/', '?', '#']).map_or(template.len(), |end| at + end);
    template.split_at(end)
}

/// The request's query goes on, unless the rule has one of its own.
fn with_query(location: &str, query: Option<&str>) -> String {
    let (before, fragment) = location.split_at(location.find('#').unwrap_or(location.len()));
    match query {
        Some(query) if !before.contains('?') => format!("{before}?{query}{fragment}"),
        _ => location.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str, status: u16, force: bool) -> RedirectRule {
        RedirectRule { from: Pattern::parse(from).unwrap(), to: to.to_owned(), status, force }
    }

    #[track_caller]
    fn check(from: &str, to: &str, path: &str, query: Option<&str>, expected: Option<&str>) {
        let rules = [rule(from, to, 302, false)];
        let found = match Redirects::new(rules.iter()).unforced(path, query) {
            Some(Outcome::Redirect(_, location)) => Some(location),
            Some(Outcome::Rewrite(_)) => panic!("a rewrite"),
            None => None,
        };
        assert_eq!(found.as_deref(), expected, "{from} -> {to} on {path}");
    }

    #[test]
    fn what_was_caught_is_filled_in_and_the_query_goes_on() {
        check("/old/*", "/new/:splat", "/old/a/b", None, Some("/new/a/b"));
        check("/old/*", "/new/:splat", "/old/a", Some("x=1"), Some("/new/a?x=1"));
        check("/old", "/new?y=2", "/old", Some("x=1"), Some("/new?y=2"));
        check("/old", "/new#part", "/old", Some("x=1"), Some("/new?x=1#part"));
        check(
            "/:year/:slug",
            "https://blog.example/:slug?y=:year",
            "/2026/edge",
            None,
            Some("https://blog.example/edge?y=2026"),
        );
        check("/café", "/kaffee/ü", "/caf%C3%A9", None, Some("/kaffee/%C3%BC"));
    }

    #[test]
    fn no_splat_leads_to_another_host() {
        check("/x/*", "/:splat", "/x//evil.example", None, Some("/evil.example"));
        check("/x/*", ":splat", "/x//evil.example", None, Some("/evil.example"));
        check("/x/*", ":splat", "/x/https://evil.example", None, Some("/https://evil.example"));
        check("/x/*", "/:splat", "/x////evil.example", None, Some("/evil.example"));
        check("/x*", "https://good.example:splat", "/x@evil.example", None, Some("https://good.example:splat/"));
        check(
            "/x*",
            "https://good.example/:splat",
            "/x@evil.example",
            None,
            Some("https://good.example/@evil.example"),
        );
        check("/x/*", "/go?to=https://e.example/:splat", "/x/a", None, Some("/go?to=https://e.example/a"));
    }

    #[test]
    fn nothing_that_was_caught_ends_the_line() {
        check("/x/*", "/y/:splat", "/x/a%0D%0ASet-Cookie:b", None, Some("/y/a%0D%0ASet-Cookie:b"));
        check("/x", "/y", "/x", Some("a=\r\nb: c"), Some("/y?a=%0D%0Ab:%20c"));
    }

    #[test]
    fn a_rule_that_leads_to_itself_does_not_act() {
        check("/*", "/:splat", "/a", None, None);
        check("/*", "/:splat", "/a", Some("b"), None);
        check("/a", "/a", "/a", None, None);
    }

    #[test]
    fn unforced_rules_give_way_to_files_and_the_first_match_wins() {
        let rules = [rule("/a", "/first", 301, false), rule("/a", "/second", 302, true)];
        let redirects = Redirects::new(rules.iter());
        let to = |location: &str, status| {
            Some(Outcome::Redirect(StatusCode::from_u16(status).unwrap(), location.to_owned()))
        };
        assert_eq!(redirects.forced("/a", None, &|| true), to("/second", 302));
        assert_eq!(redirects.forced("/a", None, &|| false), None);
        assert_eq!(redirects.unforced("/a", None), to("/first", 301));
    }

    #[test]
    fn a_rewrite_names_a_file_of_the_release() {
        let of = |to: &str| Redirects::new([rule("/app/*", to, 200, false)].iter()).unforced("/app/caf%C3%A9", None);
        assert_eq!(of("/index.html"), Some(Outcome::Rewrite("/index.html".to_owned())));
        assert_eq!(of("/pages/:splat.html?x"), Some(Outcome::Rewrite("/pages/café.html".to_owned())));
        assert_eq!(of("https://elsewhere.example/"), None);
        assert_eq!(of("/../:splat"), None);
    }
}

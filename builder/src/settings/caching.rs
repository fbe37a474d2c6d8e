//! `[cache.*]`, and what routes say of caching: names that must meet, settings that could never take effect, leaks.

mod leaks;
pub(super) mod values;

use std::collections::BTreeMap;
use std::ops::Range;

use rimward_edge::config::{CachePolicy, Invalidate, PERSIST_FROM_S, PurgeCheck, QueryKey, SetCookie};

use self::values::{Lifetime, VaryValues};
use super::check::{distinct, items};
use super::findings::{Findings, Located, closest};
use super::raw::{RawCache, RawQuery, RawRoute, RawVary};
use super::table::{Field, List, Named, quoted_list};
use super::values::Name;

/// The field that lists tags where the settings name none: as Cloudflare and its customers' origins call it.
const TAGS_FROM: &str = "cache-tag";

/// The policies, beside what is written of them.
pub(super) struct Caches<'r> {
    pub(super) by_name: BTreeMap<String, CachePolicy>,
    /// `None` for what could not be read: routes may name it all the same.
    written: &'r [(Located<Name>, Option<Located<RawCache>>)],
    /// Whether a policy's very name could not be read: any route might mean that one.
    nameless: bool,
}

/// What a route says of caching.
#[derive(Default)]
pub(super) struct RouteCaching {
    pub(super) cache: Option<String>,
    pub(super) shield: bool,
    pub(super) invalidate: Invalidate,
}

impl<'r> Caches<'r> {
    pub(super) fn check(raw: &'r Field<Named<RawCache>>, findings: &mut Findings<'_>) -> Caches<'r> {
        let nameless = matches!(raw, Field::Wrong) || raw.value().is_some_and(|named| !named.complete);
        let written = raw.value().map(|named| named.entries.as_slice()).unwrap_or_default();
        let readable = written.iter().filter_map(|(name, cache)| Some((name, cache.as_ref()?)));
        let by_name = readable.map(|(name, cache)| (name.value.0.clone(), policy(&cache.value, findings))).collect();
        Caches { by_name, written, nameless }
    }

    /// What a route says of caching.
    pub(super) fn of_route(&self, route: &Located<RawRoute>, findings: &mut Findings<'_>) -> RouteCaching {
        let RawRoute { path, cache, shield, invalidate, .. } = &route.value;
        if matches!(cache, Field::Absent) {
            uncached(shield.given().filter(|shield| shield.value).map(|at| &at.span), "shield", findings);
            uncached(invalidate.given().map(|at| &at.span), "invalidate", findings);
            return RouteCaching::default();
        }
        if let Some(name) = cache.given() {
            let written = self.written.iter().find(|(written, _)| written.value == name.value);
            match written.map(|(_, policy)| policy) {
                None => self.unknown(name, findings),
                Some(Some(policy)) => {
                    path.value().into_iter().for_each(|path| leaks::of_route(path, name, &policy.value, findings));
                }
                Some(None) => {}
            }
        }
        RouteCaching {
            cache: cache.value().map(|name| name.0.clone()),
            shield: shield.value().copied().unwrap_or(false),
            invalidate: invalidate.value().map_or(Invalidate::Here, |invalidate| invalidate.0),
        }
    }

    fn unknown(&self, name: &Located<Name>, findings: &mut Findings<'_>) {
        if self.nameless {
            return;
        }
        let names: Vec<&str> = self.written.iter().map(|(written, _)| written.value.0.as_str()).collect();
        let Name(name_text) = &name.value;
        let hint = match closest(name_text, names.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if names.is_empty() => {
                format!("add [cache.{name_text}]: with no key in it, the origin's headers decide")
            }
            None => format!("the caches are {}", quoted_list(&names)),
        };
        findings.error("unknown-name", &name.span, format!("there is no `[cache.{name_text}]`")).hint(hint);
    }

    /// Policies that no route names: probably a route's `cache` is missing.
    pub(super) fn report_unused(&self, routes: &Field<List<RawRoute>>, findings: &mut Findings<'_>) {
        let unreadable = matches!(routes, Field::Wrong) || routes.value().is_some_and(|list| !list.complete);
        if unreadable || items(routes).iter().any(|route| matches!(route.value.cache, Field::Wrong)) {
            return;
        }
        for (name, _) in self.written {
            if !items(routes).iter().any(|route| route.value.cache.value() == Some(&name.value)) {
                findings
                    .warning("unused", &name.span, format!("no route names `[cache.{}]`", name.value.0))
                    .hint(format!("write cache = {:?} into the [[route]] that it is for", name.value.0));
            }
        }
    }
}

/// Something that a route says of what is kept, where nothing is.
fn uncached(span: Option<&Range<usize>>, key: &str, findings: &mut Findings<'_>) {
    if let Some(span) = span {
        findings
            .error("wrong-value", span, format!("`{key}` of `[[route]]` needs `cache`: nothing is kept for this route"))
            .hint(format!("name a [cache.*], for example cache = \"api\", or remove `{key}`"));
    }
}

fn policy(raw: &RawCache, findings: &mut Findings<'_>) -> CachePolicy {
    let seconds = |field: &Field<Lifetime>| field.value().map_or(0, |lifetime| lifetime.0);
    freshness(raw, findings);
    leaks::of_policy(raw, findings);
    CachePolicy {
        default_freshness_s: raw.default_freshness.value().map(|lifetime| lifetime.0),
        override_freshness_s: raw.override_freshness.value().map(|lifetime| lifetime.0),
        ignore_cookies: distinct(
            &raw.ignore_cookies,
            "`ignore_cookies` of `[cache.*]`",
            |name| name.0.clone(),
            findings,
        ),
        stale_while_revalidate_s: seconds(&raw.stale_while_revalidate),
        stale_if_error_s: seconds(&raw.stale_if_error),
        query: raw.query.given().map_or(QueryKey::All, |raw| query(raw, findings)),
        vary: raw.vary.value().map(|raw| vary(raw, findings).into_iter().collect()).unwrap_or_default(),
        tags: distinct(&raw.tags, "`tags` of `[cache.*]`", |tag| tag.0.clone(), findings),
        tags_from: match raw.tags_from.value() {
            Some(field) => field.0.clone(),
            None => Some(TAGS_FROM.to_owned()),
        },
        graphql: raw.graphql.value().copied().unwrap_or(false),
        set_cookie: raw.set_cookie.value().map_or(SetCookie::Pass, |kept| kept.0),
        persist: raw.persist.value().copied().unwrap_or(false),
        purge: raw.purge.value().map_or(PurgeCheck::Lease, |purge| purge.0),
    }
}

/// Lifetimes that could not take effect beside one another.
fn freshness(raw: &RawCache, findings: &mut Findings<'_>) {
    let Some(overriding) = raw.override_freshness.given() else { return };
    if overriding.value.0 == 0 {
        findings
            .error(
                "wrong-value",
                &overriding.span,
                "`override_freshness` of `[cache.*]` is zero: nothing would be kept",
            )
            .hint("remove `cache` from the route to keep nothing, or `override_freshness` to obey the origin");
    }
    if let Some(default) = raw.default_freshness.given().filter(|default| default.value.0 > 0) {
        findings
            .warning(
                "unused",
                &default.span,
                "`default_freshness` of `[cache.*]` never takes effect: `override_freshness` does, for the same answers",
            )
            .hint("keep one of them");
    }
    let persist = raw.persist.given().filter(|persist| persist.value && overriding.value.0 > 0);
    if let Some(persist) = persist.filter(|_| overriding.value.0 < PERSIST_FROM_S) {
        findings
            .error(
                "wrong-value",
                &persist.span,
                "`persist` of `[cache.*]` never takes effect: only what stays fresh for 10 minutes is kept everywhere",
            )
            .hint("remove it, or write override_freshness = \"10m\" or more");
    }
}

fn query(raw: &Located<RawQuery>, findings: &mut Findings<'_>) -> QueryKey {
    let RawQuery { ignore, only } = &raw.value;
    let names = |list: &Field<List<values::ParameterPattern>>, what: &str, findings: &mut Findings<'_>| {
        distinct(list, what, |name| name.0.clone(), findings)
    };
    let ignored = names(ignore, "`ignore` of `[cache.*.query]`", findings);
    let kept = names(only, "`only` of `[cache.*.query]`", findings);
    match (ignore, only) {
        (Field::Absent, Field::Absent) => {
            findings
                .error("missing-key", &raw.span, "`query` of `[cache.*]` has neither `ignore` nor `only`")
                .hint("write { ignore = [\"utm_*\"] }, or leave it out: all parameters tell answers apart");
            QueryKey::All
        }
        (Field::Absent, _) => QueryKey::Only(kept),
        (_, Field::Absent) if ignored.is_empty() => QueryKey::All,
        (_, Field::Absent) => QueryKey::Ignore(ignored),
        _ => {
            findings
                .error("wrong-value", &raw.span, "`query` of `[cache.*]` has both `ignore` and `only`")
                .hint("keep one: `ignore` names what does not tell answers apart, `only` what does");
            QueryKey::Only(kept)
        }
    }
}

fn vary(raw: &RawVary, findings: &mut Findings<'_>) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, values) in &raw.fields {
        let field = &name.value.0;
        if let Some((why, hint)) = why_not_vary(field) {
            findings
                .error("wrong-value", &name.span, format!("`vary` of `[cache.*]` cannot hold `{field}`: {why}"))
                .hint(hint);
        } else if fields.contains_key(field) {
            findings
                .error("duplicate", &name.span, format!("`vary` of `[cache.*]` holds `{field}` twice"))
                .hint("names of fields are the same in any case: keep one");
        } else {
            let values = vary_values(field, values, findings);
            fields.insert(field.clone(), values);
        }
    }
    fields
}

fn vary_values(field: &str, raw: &Located<VaryValues>, findings: &mut Findings<'_>) -> Vec<String> {
    if raw.value.none_written() {
        findings
            .error("wrong-value", &raw.span, format!("`{field}` in `vary` of `[cache.*]` has no values"))
            .hint("list those that answers differ by, or leave the field out to tell every value apart");
    }
    let mut values: Vec<String> = Vec::new();
    for item in raw.value.items() {
        let value = &item.value.0;
        if let Some(example) = misspelled(field, value) {
            findings
                .error("wrong-value", &item.span, format!("`{field}` never has the value {value:?}"))
                .hint(format!("for example {example:?}"));
        } else if values.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            findings
                .error("duplicate", &item.span, format!("`{field}` in `vary` of `[cache.*]` holds this twice"))
                .hint("remove one");
        } else {
            values.push(value.clone());
        }
    }
    values
}

/// Why answers cannot be told apart by a request field, and what to do instead; `None` where they can.
fn why_not_vary(field: &str) -> Option<(&'static str, &'static str)> {
    match field {
        "*" => Some((
            "it would be every field: no two requests are alike",
            "name the fields that answers differ by, for example accept-language",
        )),
        "cookie" | "authorization" | "proxy-authorization" => Some((
            "who asks is not one of a few values",
            "answers to one person are not shared: name cookies that say nothing of a person in `ignore_cookies`",
        )),
        "user-agent" => Some((
            "it differs with every version of every browser",
            "let the origin look at `sec-ch-ua-mobile` or `sec-ch-ua-platform` instead, and name that one",
        )),
        "host" => Some(("it is in the key already", "remove it")),
        "cache-control"
        | "pragma"
        | "range"
        | "if-range"
        | "if-match"
        | "if-none-match"
        | "if-modified-since"
        | "if-unmodified-since" => Some(("the cache obeys it, and answers it itself", "remove it")),
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade" | "proxy-connection" => {
            Some(("it is of the connection, and never reaches the origin", "remove it"))
        }
        _ => None,
    }
}

/// An example of what a field holds, where it could never hold the value.
fn misspelled(field: &str, value: &str) -> Option<&'static str> {
    let token =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c));
    // RFC 5646: subtags of at most eight letters and digits.
    let subtag = |text: &str| (1..=8).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
    let (fits, example) = match field {
        "accept-language" => (value.split('-').all(subtag), "en-GB"),
        "accept" => (value.split_once('/').is_some_and(|(kind, rest)| token(kind) && token(rest)), "text/html"),
        "accept-encoding" => (token(value), "gzip"),
        _ => (true, ""),
    };
    (!fits).then_some(example)
}

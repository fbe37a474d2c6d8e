//! What the settings mean, in words, for a person before a deploy. Here what is kept: per cached route which rule wins, what
//! is in the key, what is never shared; the rules themselves are those of `rimward_edge::cache`. Of limits see `limits`, of pools `pools`.

mod limits;
mod pools;

use rimward_edge::config::{
    By, CachePolicy, Condition, Invalidate, PERSIST_FROM_S, PurgeCheck, QueryKey, Route, SetCookie, Settings,
};
use serde::Serialize;

pub use self::limits::{ExplainedLimit, Guarded, explain_limits};
pub use self::pools::{ExplainedPool, explain_pools};

/// How the answers of one route are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The path of the route, as it is written.
    pub path: String,
    /// The pool that answers; several, divided by commas, where clients are split over them.
    pub pool: String,
    /// The `[cache.*]` by which answers are kept.
    pub cache: String,
    /// In the order in which they are asked for.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What it is about: `fresh`, `key`.
    pub about: &'static str,
    /// Sentences without full stops, the first that holds wins.
    pub says: Vec<String>,
}

/// Explains every cached route, in the order of the settings.
pub fn explain(settings: &Settings) -> Vec<Explained> {
    let explained = |route: &Route| {
        let name = route.cache.as_ref()?;
        let policy = settings.caches.get(name)?;
        let pools: Vec<&str> = route.by.pools().collect();
        let (path, pool) = (route.path.as_str().to_owned(), pools.join(", "));
        Some(Explained { path, pool, cache: name.clone(), rules: rules(route, policy) })
    };
    settings.routes.iter().filter_map(explained).collect()
}

impl Explained {
    /// As a person reads it: a title, then a line for each sentence.
    pub fn text(&self) -> String {
        let Explained { path, pool, cache, rules } = self;
        format!("{path} is kept by [cache.{cache}], from the pool `{pool}`\n{}", rules_text(rules))
    }
}

/// A line for each sentence, what it is about before the first.
fn rules_text(rules: &[Rule]) -> String {
    let mut text = String::new();
    for Rule { about, says } in rules {
        let labels = std::iter::once(*about).chain(std::iter::repeat(""));
        text.extend(labels.zip(says).map(|(label, sentence)| format!("  {label:<11}{sentence}\n")));
    }
    text
}

fn rules(route: &Route, policy: &CachePolicy) -> Vec<Rule> {
    let rule = |about, says| Rule { about, says };
    vec![
        rule("never", never(policy)),
        rule("fresh", fresh(policy)),
        rule("stale", stale(policy)),
        rule("personal", personal(policy)),
        rule("key", key(route, policy)),
        rule("variants", variants(policy)),
        rule("tags", tags(policy)),
        rule("kept in", kept_in(policy)),
        rule("purged", purged(policy)),
        rule("misses", misses(route)),
        rule("unsafe", invalidated(route)),
    ]
}

fn never(policy: &CachePolicy) -> Vec<String> {
    let cookies = match policy.set_cookie {
        SetCookie::Pass => "what sets a cookie",
        SetCookie::Keep => {
            "what sets a cookie, unless the origin's own words make it fresh; then cookie and all (set_cookie)"
        }
    };
    let authorized =
        "answers to `Authorization`, but for those that are `public`, `must-revalidate` or have `s-maxage`";
    ["what is `no-store` or `private`, or has `Vary: *`", cookies, authorized].map(str::to_owned).to_vec()
}

fn fresh(policy: &CachePolicy) -> Vec<String> {
    let guess = "else a tenth of the time since `Last-Modified`, at most a day";
    match policy {
        CachePolicy { override_freshness_s: Some(seconds), .. } => vec![
            format!("{}, whatever the origin says (override_freshness)", period(*seconds)),
            format!("for personal requests, and statuses like 302 or 500, {ORIGIN}"),
        ],
        CachePolicy { default_freshness_s: None, .. } => vec![ORIGIN.to_owned(), guess.to_owned()],
        CachePolicy { default_freshness_s: Some(0), .. } => {
            vec![ORIGIN.to_owned(), "else not at all: nothing is guessed (default_freshness)".to_owned()]
        }
        CachePolicy { default_freshness_s: Some(seconds), .. } => {
            vec![ORIGIN.to_owned(), format!("else {} (default_freshness), but for 405 and 501", period(*seconds))]
        }
    }
}

/// Where the origin says how long an answer is fresh, the first that is there.
const ORIGIN: &str = "as long as the origin says, by the first of `Rimward-Cache-Control`, `CDN-Cache-Control`, \
                      `Cache-Control` and `Expires`";

fn stale(policy: &CachePolicy) -> Vec<String> {
    let granted = |seconds: u64, directive: &str, setting: &str| match seconds {
        0 => format!("where the origin says `{directive}`"),
        seconds => format!("where the origin says `{directive}`, else for {} ({setting})", period(seconds)),
    };
    let forbidding = match policy.override_freshness_s {
        Some(_) => "never where the origin says `must-revalidate` or `proxy-revalidate`",
        None => "never where the origin says `must-revalidate`, `proxy-revalidate`, `no-cache` or `s-maxage`",
    };
    vec![
        format!(
            "while it is refreshed, {}",
            granted(policy.stale_while_revalidate_s, "stale-while-revalidate", "stale_while_revalidate")
        ),
        format!("while the origin fails, {}", granted(policy.stale_if_error_s, "stale-if-error", "stale_if_error")),
        forbidding.to_owned(),
    ]
}

fn personal(policy: &CachePolicy) -> Vec<String> {
    let but = match policy.ignore_cookies.as_slice() {
        [] => String::new(),
        names if names.iter().any(|name| name == "*") => {
            return vec![
                "a request with `Authorization`; cookies say nothing of a person (ignore_cookies)".to_owned(),
                BY_THE_ORIGIN.to_owned(),
            ];
        }
        names => format!(" but {} (ignore_cookies)", quoted(names)),
    };
    vec![format!("a request with `Authorization`, or with any cookie{but}"), BY_THE_ORIGIN.to_owned()]
}

/// What holds for personal requests.
const BY_THE_ORIGIN: &str = "it is answered with, and leaves behind, only what the origin's own words make fresh: never by a setting or a guess";

fn key(route: &Route, policy: &CachePolicy) -> Vec<String> {
    let (query, left_out) = match &policy.query {
        QueryKey::All => ("all parameters".to_owned(), false),
        QueryKey::Ignore(names) => (format!("all parameters but {}", quoted(names)), true),
        QueryKey::Only(names) if names.is_empty() => ("no parameter".to_owned(), true),
        QueryKey::Only(names) => (format!("of the parameters only {}", quoted(names)), true),
    };
    let content = match policy.graphql {
        true => {
            "what a QUERY carries, and a GraphQL query by POST; mutations and subscriptions are never kept (graphql)"
        }
        false => "what a QUERY carries",
    };
    let mut says = vec![
        format!("scheme, host, path, {query}, in any order; fewer where the origin's `No-Vary-Search` says so"),
        content.to_owned(),
    ];
    if left_out {
        says.push("what is left out is not sent to the origin either".to_owned());
    }
    if route.when.iter().any(|condition| matches!(condition, Condition::Says(..) | Condition::Countries(_))) {
        says.push("for the requests that the route is for alone: others of the same URL are kept apart".to_owned());
    }
    says
}

fn variants(policy: &CachePolicy) -> Vec<String> {
    let mut says = vec!["by the fields that the origin's `Vary` names".to_owned()];
    says.extend(policy.vary.iter().map(|(field, values)| {
        format!("`{field}` counts as {}, or as absent, and is sent to the origin as that", one_of(values))
    }));
    says
}

fn tags(policy: &CachePolicy) -> Vec<String> {
    let mut says = Vec::new();
    if !policy.tags.is_empty() {
        says.push(format!("{} on every answer", quoted(&policy.tags)));
    }
    says.push(match &policy.tags_from {
        Some(field) => format!("those of the origin's `{field}`, which clients do not see; groups of `cache-groups`"),
        None => "none of the origin's; groups of its `cache-groups`".to_owned(),
    });
    says
}

fn kept_in(policy: &CachePolicy) -> Vec<String> {
    let mut says = vec!["the memory of isolates, the cache of the data centre".to_owned()];
    if policy.persist {
        let fresh = period(PERSIST_FROM_S);
        says.push(format!("every location (KV): what stays fresh for {fresh} or more (persist)"));
    }
    says
}

fn purged(policy: &CachePolicy) -> Vec<String> {
    vec![match policy.purge {
        PurgeCheck::Lease => "a purge is seen everywhere within 2 s".to_owned(),
        PurgeCheck::Strict => {
            "each hit asks the control log first: a purge is seen at once, and every hit pays for it".to_owned()
        }
    }]
}

fn misses(route: &Route) -> Vec<String> {
    let asked = match route.shield {
        true => "requests that miss one key together ask the origin once, through one object for all isolates (shield)",
        false => "requests that miss one key together ask the origin once for each isolate",
    };
    match &route.by {
        By::Split(_) => {
            vec![asked.to_owned(), "what is kept is shared, whichever pool it came from (split)".to_owned()]
        }
        By::Pool(_) | By::Redirect(..) => vec![asked.to_owned()],
    }
}

fn invalidated(route: &Route) -> Vec<String> {
    let reach = match route.invalidate {
        Invalidate::Here => "in this data centre",
        Invalidate::Everywhere => "everywhere, through the control log",
    };
    vec![format!("a POST, PUT, PATCH or DELETE that succeeds invalidates its URL {reach}")]
}

/// As the settings spell it: in the largest unit that leaves nothing over.
fn period(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let whole = units.into_iter().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds}s"), |(name, unit)| format!("{}{name}", seconds / unit))
}

fn quoted(names: &[String]) -> String {
    super::table::quoted_list(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn one_of(values: &[String]) -> String {
    match values {
        [most @ .., last] if !most.is_empty() => format!(
            "one of {} or `{last}`",
            most.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        ),
        values => quoted(values),
    }
}

#[cfg(test)]
mod tests {
    use super::period;

    #[test]
    fn periods_are_spelled_as_in_the_settings() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (90, "90s"), (7_200, "2h"), (172_800, "2d"), (86_460, "1441m")]
        {
            assert_eq!(period(seconds), expected);
        }
    }
}

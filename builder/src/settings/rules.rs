//! Header and redirect rules: of the settings, and what they share with `_headers` and `_redirects`.

use std::ops::Range;

use rimward_edge::config::{HeaderRule, RedirectRule};
use rimward_edge::route::pattern::Pattern;

use super::check::distinct;
use super::findings::{Findings, Located};
use super::raw::{RawHeader, RawRedirect};
use super::table::{Field, List};
use super::values::RedirectStatus;

/// Fields that describe the answer's bytes or its connection: only who makes the answer knows them.
const OURS: &[(&str, &str)] = &[
    ("cloudflare-cdn-cache-control", "it keeps caches in front of the Worker from answering in its place"),
    ("connection", "it belongs to the connection"),
    ("content-encoding", "it is negotiated with each client"),
    ("content-length", "it follows from the body"),
    ("content-range", "it follows from the request's range"),
    ("date", "it is set when the answer is sent"),
    ("etag", "it is made from the bytes"),
    ("keep-alive", "it belongs to the connection"),
    ("proxy-connection", "it belongs to the connection"),
    ("set-cookie", "answers of a release are the same for everyone"),
    ("te", "it belongs to the connection"),
    ("trailer", "it belongs to the connection"),
    ("transfer-encoding", "it belongs to the connection"),
    ("upgrade", "it belongs to the connection"),
    ("vary", "caches rely on it: it is made from what the answer depends on"),
    ("x-request-id", "it is new for each request"),
];

/// Why a rule may not change a field; `None` where it may.
pub(super) fn why_not(name: &str) -> Option<&'static str> {
    OURS.iter().find(|(own, _)| *own == name).map(|(_, why)| *why)
}

/// The `:names` of a text that a pattern does not catch. Numbers are ports.
pub(super) fn uncaught<'t>(text: &'t str, pattern: &Pattern) -> Vec<&'t str> {
    let end_of_name = |rest: &str| rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    text.match_indices(':')
        .map(|(at, _)| &text[at + 1..at + 1 + end_of_name(&text[at + 1..])])
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter(|name| !pattern.names().any(|caught| caught == *name))
        .collect()
}

/// Most rules of a file: they are tried one by one for each request.
pub(super) const RULE_LIMIT: usize = 2_000;

/// The lines of a rules file that say something, trimmed, and where they stand.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    // Some editors begin a file with a byte order mark.
    let lines = text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let start = start + (line.len() - trimmed.len());
        let trimmed = trimmed.trim_end();
        (trimmed, start..start + trimmed.len())
    });
    lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
}

/// Whether no path below the base can match.
pub(super) fn misses_base(pattern: &Pattern, base: &str) -> bool {
    let text = pattern.as_str();
    let literal_end = text.find('*').into_iter().chain(text.find("/:").map(|at| at + 1)).min();
    let literal = &text[..literal_end.unwrap_or(text.len())];
    let inside = literal.starts_with(base) || literal == base.trim_end_matches('/');
    !inside && (literal_end.is_none() || !base.starts_with(literal))
}

/// What to write instead of a text that is no pattern.
pub(super) fn path_hint(text: &str) -> &'static str {
    match text.contains(['?', '#']) {
        true => "a pattern is of the path alone: leave out what follows `?` or `#`",
        false => "for example `/blog/*` or `/blog/:year/:slug`",
    }
}

/// Whether a redirect certainly comes back to its own pattern.
pub(super) fn leads_to_itself(from: &Pattern, to: &str) -> bool {
    // A path is matched without its query: `/a` to `/a?x` comes back to itself too.
    let path = to.split(['?', '#']).next().unwrap_or_default();
    !to.contains(':') && from.matches(path).is_some()
}

pub(super) fn headers(raw: &Field<List<RawHeader>>, findings: &mut Findings<'_>) -> Vec<HeaderRule> {
    let items = raw.value().map(|list| list.items.as_slice()).unwrap_or_default();
    items.iter().filter_map(|rule| header(rule, findings)).collect()
}

fn header(raw: &Located<RawHeader>, findings: &mut Findings<'_>) -> Option<HeaderRule> {
    if matches!(raw.value.path, Field::Absent) {
        findings.error("missing-key", &raw.span, "this `[[header]]` has no `path`").hint("for example path = \"/*\"");
    }
    if matches!((&raw.value.set, &raw.value.remove), (Field::Absent, Field::Absent)) {
        findings
            .error("missing-key", &raw.span, "this `[[header]]` changes nothing")
            .hint("add set = { x-frame-options = \"DENY\" } or remove = [\"x-frame-options\"]");
    }
    let remove = distinct(&raw.value.remove, "`remove` of `[[header]]`", |name| name.0.clone(), findings);
    let mut set: Vec<(String, String)> = Vec::new();
    for (name, value) in raw.value.set.value().map(|fields| fields.0.as_slice()).unwrap_or_default() {
        if remove.contains(&name.value.0) {
            findings
                .error("duplicate", &name.span, format!("`{}` is set and removed by the same rule", name.value.0))
                .hint("what a rule sets replaces what was there: `remove` is not needed");
        }
        if set.iter().any(|(other, _)| *other == name.value.0) {
            findings
                .error("duplicate", &name.span, format!("`{}` is set twice: header names ignore case", name.value.0))
                .hint("keep one");
        }
        refuse_ours(name, findings);
        set.push((name.value.0.clone(), value.value.0.clone()));
    }
    for name in raw.value.remove.value().map(|list| list.items.as_slice()).unwrap_or_default() {
        refuse_ours(name, findings);
    }
    Some(HeaderRule { path: raw.value.path.value()?.clone(), set, remove })
}

fn refuse_ours(name: &Located<super::values::FieldName>, findings: &mut Findings<'_>) {
    if let Some(why) = why_not(&name.value.0) {
        findings
            .error("wrong-value", &name.span, format!("`{}` cannot be changed by a rule: {why}", name.value.0))
            .hint("remove it");
    }
}

pub(super) fn redirects(raw: &Field<List<RawRedirect>>, findings: &mut Findings<'_>) -> Vec<RedirectRule> {
    let items = raw.value().map(|list| list.items.as_slice()).unwrap_or_default();
    let mut earlier: Vec<(&Pattern, u32)> = Vec::new();
    let mut rules = Vec::new();
    for rule in items {
        rules.extend(redirect(rule, findings));
        let Some(from) = rule.value.from.given() else { continue };
        if let Some((covering, line)) = earlier.iter().find(|(pattern, _)| pattern.covers(&from.value)) {
            findings
                .error(
                    "unreachable",
                    &from.span,
                    format!("this redirect never answers: `{covering}` on line {line} takes all its requests"),
                )
                .hint("the first match wins: put the narrower one first");
        }
        earlier.push((&from.value, findings.line_of(from.span.start)));
    }
    rules
}

fn redirect(raw: &Located<RawRedirect>, findings: &mut Findings<'_>) -> Option<RedirectRule> {
    for (key, absent, example) in [
        ("from", matches!(raw.value.from, Field::Absent), "from = \"/old/*\""),
        ("to", matches!(raw.value.to, Field::Absent), "to = \"/new/:splat\""),
    ] {
        if absent {
            findings
                .error("missing-key", &raw.span, format!("this `[[redirect]]` has no `{key}`"))
                .hint(format!("for example {example}"));
        }
    }
    let status = status(&raw.value.status, "[[redirect]]", findings)?;
    let (from, to) = (raw.value.from.given()?, raw.value.to.given()?);
    for name in uncaught(&to.value.0, &from.value) {
        findings
            .error("unknown-name", &to.span, format!("`:{name}` is not caught by `{}`", from.value))
            .hint(caught_names(&from.value));
    }
    if leads_to_itself(&from.value, &to.value.0) {
        findings
            .error(
                "wrong-value",
                &to.span,
                format!("this redirect leads to itself: `{}` matches `{}`", from.value, to.value.0),
            )
            .hint("browsers give up after some twenty rounds: narrow `from`");
    }
    Some(RedirectRule { from: from.value.clone(), to: to.value.0.clone(), status, force: true })
}

/// What a pattern catches, for a hint.
pub(super) fn caught_names(pattern: &Pattern) -> String {
    let names: Vec<String> = pattern.names().map(|name| format!("`:{name}`")).collect();
    match names.is_empty() {
        true => "it catches nothing: `*` is caught as `:splat`, `:name` a segment".to_owned(),
        false => format!("it catches {}", names.join(", ")),
    }
}

pub(super) fn status(field: &Field<RedirectStatus>, title: &str, findings: &mut Findings<'_>) -> Option<u16> {
    let at = match field {
        Field::Absent => return Some(302),
        Field::Wrong => return None,
        Field::Given(at) => at,
    };
    let RedirectStatus(written) = at.value;
    if let Some(status) = RedirectStatus::ALL.into_iter().find(|status| u32::from(*status) == written) {
        return Some(status);
    }
    let hint = match written {
        200 if title == "[route.redirect]" => "a route rewrites by `[route.rewrite]`",
        200 => "rewrites stand in the `_redirects` file: /from /to 200",
        _ => "301 and 308 are kept by browsers, 302, 303 and 307 are not",
    };
    findings.error("wrong-value", &at.span, format!("`status` of `{title}` cannot be {written}")).hint(hint);
    None
}

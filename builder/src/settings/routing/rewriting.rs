//! What a route changes of requests before its pool is asked.

use rimward_edge::config::{Change, Pool};
use rimward_edge::origin::request::is_ours;
use rimward_edge::route::pattern::Pattern;

use super::values::{ByName, KeyName};
use crate::settings::check::distinct;
use crate::settings::findings::{Findings, Located};
use crate::settings::raw::{RawFieldChanges, RawParameterChanges, RawRewrite};
use crate::settings::rules::{caught_names, uncaught};
use crate::settings::table::Field;
use crate::settings::values::FieldName;

/// Fields that something else decides, and what.
const DECIDED: &[(&str, &str)] = &[
    ("accept-encoding", "answers are as each client can read them"),
    ("authorization", "settings are published: they never hold secrets"),
    ("cookie", "cookies are the client's"),
    ("if-match", "conditions are the client's, or the cache's"),
    ("if-modified-since", "conditions are the client's, or the cache's"),
    ("if-none-match", "conditions are the client's, or the cache's"),
    ("if-range", "ranges are the client's, or the cache's"),
    ("if-unmodified-since", "conditions are the client's, or the cache's"),
    ("range", "ranges are the client's, or the cache's"),
];

/// The changes of a route: `path` is the one that it is for, `pools` those that it names.
pub(super) fn changes(
    raw: &Located<RawRewrite>,
    path: Option<&Pattern>,
    pools: &[&Pool],
    findings: &mut Findings<'_>,
) -> Vec<Change> {
    let value = &raw.value;
    if let RawRewrite { path: Field::Absent, query: Field::Absent, request_headers: Field::Absent } = value {
        findings
            .error("missing-key", &raw.span, "`[route.rewrite]` changes nothing")
            .hint("for example path = \"/v2/:splat\"");
    }
    let mut changes = Vec::new();
    if let Some(to) = value.path.given() {
        is_caught(&Located { value: to.value.0.as_str(), span: to.span.clone() }, path, findings);
        changes.push(Change::Path(to.value.0.clone()));
    }
    if let Some(query) = value.query.value() {
        parameters(query, path, &mut changes, findings);
    }
    if let Some(fields) = value.request_headers.value() {
        headers(fields, path, pools, &mut changes, findings);
    }
    changes
}

fn parameters(
    raw: &RawParameterChanges,
    path: Option<&Pattern>,
    changes: &mut Vec<Change>,
    findings: &mut Findings<'_>,
) {
    let removed = distinct(&raw.remove, "`remove` of `[route.rewrite.query]`", |name| name.0.clone(), findings);
    twice(&raw.set, &removed, "parameter", findings);
    for (name, value) in entries(&raw.set) {
        is_caught(&Located { value: value.value.0.as_str(), span: value.span.clone() }, path, findings);
        changes.push(Change::SetQuery(name.value.0.clone(), value.value.0.clone()));
    }
    changes.extend(removed.into_iter().map(Change::RemoveQuery));
}

fn headers(
    raw: &RawFieldChanges,
    path: Option<&Pattern>,
    pools: &[&Pool],
    changes: &mut Vec<Change>,
    findings: &mut Findings<'_>,
) {
    let removed =
        distinct(&raw.remove, "`remove` of `[route.rewrite.request_headers]`", |name| name.0.clone(), findings);
    twice(&raw.set, &removed, "header", findings);
    for (name, value) in entries(&raw.set) {
        refuse_ours(name, pools, findings);
        if let Some((_, why)) = DECIDED.iter().find(|(decided, _)| *decided == name.value.0) {
            let hint = match name.value.0.as_str() {
                "authorization" => "`[pool.credential]` says to origins who asks, by a secret of the Worker",
                _ => "remove it",
            };
            findings
                .error("wrong-value", &name.span, format!("`{}` cannot be set by a route: {why}", name.value.0))
                .hint(hint);
        }
        is_caught(&Located { value: value.value.0.as_str(), span: value.span.clone() }, path, findings);
        changes.push(Change::SetHeader(name.value.0.clone(), value.value.0.clone()));
    }
    for name in raw.remove.value().map(|list| list.items.as_slice()).unwrap_or_default() {
        refuse_ours(name, pools, findings);
    }
    changes.extend(removed.into_iter().map(Change::RemoveHeader));
}

fn refuse_ours(name: &Located<FieldName>, pools: &[&Pool], findings: &mut Findings<'_>) {
    let name_text = &name.value.0;
    let credentials = pools.iter().filter_map(|pool| pool.credential.as_ref());
    let why = if is_ours(name_text) {
        "every request to an origin has it from the edge, or never"
    } else if credentials.into_iter().any(|credential| credential.header == *name_text) {
        "it is what `[pool.credential]` says"
    } else {
        return;
    };
    findings.error("wrong-value", &name.span, format!("`{name_text}` cannot be changed by a route: {why}")).hint(
        match name_text.as_str() {
            "host" => "the host that is asked is the origin's; it is told the client's by `x-forwarded-host`",
            _ => "remove it",
        },
    );
}

/// What is set and removed by one route.
fn twice<K: KeyName, V>(set: &Field<ByName<K, V>>, removed: &[String], what: &str, findings: &mut Findings<'_>) {
    for (name, _) in entries(set) {
        let text = name.value.text();
        if removed.iter().any(|removed| removed == text) {
            findings
                .error("duplicate", &name.span, format!("the {what} `{text}` is set and removed by the same route"))
                .hint("what a route sets replaces what was there: `remove` is not needed");
        }
    }
}

fn entries<K, V>(table: &Field<ByName<K, V>>) -> &[(Located<K>, Located<V>)] {
    table.value().map(|table| table.entries.as_slice()).unwrap_or_default()
}

/// Whether the route's path catches what a text names.
fn is_caught(text: &Located<&str>, path: Option<&Pattern>, findings: &mut Findings<'_>) {
    let Some(path) = path else { return };
    for name in uncaught(text.value, path) {
        findings
            .error("unknown-name", &text.span, format!("`:{name}` is not caught by `{path}`"))
            .hint(caught_names(path));
    }
}

//! `[[pool.origin]]`: each once, and together enough for the pool's choice.

use std::collections::BTreeMap;

use rimward_edge::config::{ORIGINS, Origin, Role};

use super::values::{ChoiceName, quoted_word};
use super::{called, chosen, place};
use crate::settings::check::items;
use crate::settings::findings::{Findings, Located};
use crate::settings::raw::{RawOrigin, RawPool};
use crate::settings::table::Field;

/// Whether a pool has one origin, and no other could be meant.
pub(super) fn is_single(pool: &RawPool) -> bool {
    pool.origin.value().is_some_and(|list| list.complete && list.items.len() == 1)
}

/// `None` where there is none, or one could not be read.
pub(super) fn read(pool: &Located<RawPool>, hosts: &[String], findings: &mut Findings<'_>) -> Option<Vec<Origin>> {
    let name = called(&pool.value);
    let list = match &pool.value.origin {
        Field::Given(list) if !(list.value.items.is_empty() && list.value.complete) => &list.value,
        Field::Wrong => return None,
        _ => {
            findings
                .error("missing-key", &pool.span, format!("the pool `{name}` has no origin"))
                .hint("add [[pool.origin]] with url = \"https://api.example.com\"");
            return None;
        }
    };
    if let Some(beyond) = list.items.get(ORIGINS) {
        findings
            .error(
                "wrong-value",
                &beyond.span,
                format!("the pool `{name}` has {} origins: at most {ORIGINS} are chosen from", list.items.len()),
            )
            .hint("put a balancer of yours before some of them, or make several pools");
    }
    let written = &list.items[..list.items.len().min(ORIGINS)];
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    for origin in written {
        url(origin, name, hosts, &mut lines, findings);
    }
    let could_be_read = list.complete && written.iter().all(|origin| is_read(&origin.value));
    if could_be_read {
        roles(pool, written, findings);
        weights(pool, written, findings);
        regions(pool, written, findings);
    }
    let origins: Vec<Origin> = written.iter().filter_map(|origin| compiled(&origin.value)).collect();
    (could_be_read && origins.len() == written.len()).then_some(origins)
}

fn is_read(origin: &RawOrigin) -> bool {
    let RawOrigin { url, weight, region, role } = origin;
    let is_wrong = matches!(url, Field::Wrong)
        || matches!(weight, Field::Wrong)
        || matches!(region, Field::Wrong)
        || matches!(role, Field::Wrong);
    !is_wrong
}

fn compiled(raw: &RawOrigin) -> Option<Origin> {
    Some(Origin {
        weight: weight(raw),
        region: raw.region.value().map(|region| region.0),
        role: role(raw),
        ..Origin::new(&raw.url.value()?.text())
    })
}

fn weight(raw: &RawOrigin) -> u32 {
    raw.weight.value().map_or(1, |weight| weight.0)
}

fn role(raw: &RawOrigin) -> Role {
    raw.role.value().map(|role| role.0).unwrap_or_default()
}

fn url(
    origin: &Located<RawOrigin>,
    pool: &str,
    hosts: &[String],
    lines: &mut BTreeMap<String, u32>,
    findings: &mut Findings<'_>,
) {
    if matches!(origin.value.url, Field::Absent) {
        findings
            .error("missing-key", &origin.span, format!("an origin of the pool `{pool}` has no `url`"))
            .hint("for example url = \"https://api.example.com\"");
    }
    let Some(url) = origin.value.url.given() else { return };
    // As it is compiled: hosts in lower case, without a default port and a slash at the end.
    let text = url.value.text();
    let line = findings.line_of(url.span.start);
    if let Some(earlier) = lines.get(&text) {
        findings
            .error(
                "duplicate",
                &url.span,
                format!("the pool `{pool}` has this origin already, on line {earlier}: `{text}`"),
            )
            .hint("keep one, and give it the `weight` of both");
    } else {
        lines.insert(text, line);
    }
    if let Some(host) = url.value.0.host_str().filter(|host| hosts.iter().any(|own| own == host)) {
        findings
            .error(
                "wrong-value",
                &url.span,
                format!("the pool `{pool}` would ask this very site: `{host}` is in `hosts` of `[site]`"),
            )
            .hint("give the origin a host name of its own");
    }
}

fn roles(pool: &Located<RawPool>, origins: &[Located<RawOrigin>], findings: &mut Findings<'_>) {
    let name = called(&pool.value);
    if origins.iter().all(|origin| role(&origin.value) == Role::Backup) {
        findings
            .error("wrong-value", place(pool), format!("the pool `{name}` has backups alone"))
            .hint("remove role = \"backup\" from those that are to be asked first");
        return;
    }
    match chosen(&pool.value) {
        Some(ChoiceName::PrimaryReplica) => primary(pool, origins, findings),
        Some(other) => {
            let replica = origins.iter().filter_map(|origin| origin.value.role.given());
            for role in replica.filter(|role| role.value.0 == Role::Replica) {
                findings
                    .error("wrong-value", &role.span, format!("\"replica\" says nothing to {}", quoted_word(other)))
                    .hint("write choice = \"primary-replica\" into the pool, or remove it");
            }
        }
        None => {}
    }
}

/// Writes need one place to go to.
fn primary(pool: &Located<RawPool>, origins: &[Located<RawOrigin>], findings: &mut Findings<'_>) {
    let name = called(&pool.value);
    let of = |wanted: Role| origins.iter().filter(move |origin| role(&origin.value) == wanted);
    let Some(first) = of(Role::Primary).next() else {
        findings
            .error("wrong-value", place(pool), format!("the pool `{name}` has no primary: writes would go nowhere"))
            .hint("write role = \"primary\" into the origin that takes writes");
        return;
    };
    if let Some(second) = of(Role::Primary).nth(1) {
        let span = second.value.role.given().map_or(&second.span, |role| &role.span);
        let line = findings.line_of(first.span.start);
        findings
            .error("wrong-value", span, format!("the pool `{name}` has a primary already, on line {line}"))
            .hint("an origin without `role` is a primary: write role = \"replica\" into those that take reads alone");
    }
    if let Some(none) = first.value.weight.given().filter(|weight| weight.value.0 == 0) {
        findings
            .error(
                "wrong-value",
                &none.span,
                format!("the primary of the pool `{name}` is sent nothing: writes would go nowhere"),
            )
            .hint("give it a weight: reads go to replicas as long as one is well, whatever it is");
    }
    let choice = pool.value.choice.given().filter(|_| origins.len() > 1 && of(Role::Primary).count() == 1);
    if let Some(choice) = choice.filter(|_| of(Role::Replica).next().is_none()) {
        findings
            .warning(
                "unused",
                &choice.span,
                format!("the pool `{name}` has no replica: reads go where writes go, to the primary"),
            )
            .hint("write role = \"replica\" into the origins that take reads");
    }
}

fn weights(pool: &Located<RawPool>, origins: &[Located<RawOrigin>], findings: &mut Findings<'_>) {
    let name = called(&pool.value);
    let regular = || origins.iter().filter(|origin| role(&origin.value) != Role::Backup);
    let nothing = regular().all(|origin| weight(&origin.value) == 0);
    if let Some(first) = regular().find_map(|origin| origin.value.weight.given()).filter(|_| nothing) {
        // Of a primary without replicas it is said already what that means.
        let is_said = chosen(&pool.value) == Some(ChoiceName::PrimaryReplica)
            && regular().any(|origin| role(&origin.value) == Role::Primary);
        if !is_said {
            findings
                .error(
                    "wrong-value",
                    &first.span,
                    format!("the weights of the pool `{name}` sum to nothing: no request would be sent"),
                )
                .hint("give at least one origin that is no backup a weight of 1 or more");
        }
    } else if chosen(&pool.value) == Some(ChoiceName::RoundRobin) {
        let heavy = origins.iter().filter_map(|origin| origin.value.weight.given());
        if let Some(heavy) = heavy.clone().find(|weight| weight.value.0 > 1) {
            findings
                .warning(
                    "unused",
                    &heavy.span,
                    "`weight` of `[[pool.origin]]` says nothing to \"round-robin\", unless it is 0",
                )
                .hint("write choice = \"weighted\", or remove it");
        }
    }
}

fn regions(pool: &Located<RawPool>, origins: &[Located<RawOrigin>], findings: &mut Findings<'_>) {
    match chosen(&pool.value) {
        Some(ChoiceName::Geo) => {
            let is_nowhere = |origin: &&Located<RawOrigin>| matches!(origin.value.region, Field::Absent);
            let nowhere = || origins.iter().filter(is_nowhere).filter(|origin| role(&origin.value) != Role::Backup);
            let Some(first) = nowhere().next().filter(|_| origins.len() > 1) else { return };
            let message = match nowhere().count() {
                1 => "this origin has no `region`: it comes last".to_owned(),
                many => format!("{many} origins, of which this is the first, have no `region`: they come last"),
            };
            findings
                .warning("missing-key", &first.span, message)
                .hint("say where it is, for example region = \"weur\"; \"backup\" is for those that are to come last");
        }
        Some(other) => {
            if let Some(region) = origins.iter().find_map(|origin| origin.value.region.given()) {
                findings
                    .warning(
                        "unused",
                        &region.span,
                        format!("`region` of `[[pool.origin]]` says nothing to {}", quoted_word(other)),
                    )
                    .hint("write choice = \"geo\" into the pool, or remove it");
            }
        }
        None => {}
    }
}

/// Origins that are reached over a network without encryption, for what must not be read there.
pub(super) fn in_the_clear(pool: &RawPool) -> Option<&Located<RawOrigin>> {
    items(&pool.origin)
        .iter()
        .find(|origin| origin.value.url.value().is_some_and(|url| url.0.scheme() == "http" && !is_loopback(&url.0)))
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

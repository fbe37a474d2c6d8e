//! What must hold of a request besides its path.

use rimward_edge::config::{Condition, Place};

use super::values::{ByName, KeyName, ValueTest};
use crate::settings::check::{distinct, items};
use crate::settings::findings::{Findings, Located};
use crate::settings::raw::RawRoute;
use crate::settings::table::{Field, List};

/// The conditions of a route, the cheap ones first; `None` where one is wrong.
pub(super) fn conditions(route: &RawRoute, of_site: &[String], findings: &mut Findings<'_>) -> Option<Vec<Condition>> {
    let hosts = words(&route.hosts, "hosts", |host| host.0.clone(), findings);
    let methods = words(&route.methods, "methods", |method| method.0.clone(), findings);
    let countries = words(&route.countries, "countries", |country| country.0.clone(), findings);
    unanswered(route, of_site, findings);
    let query = says(&route.query, Place::Query);
    let headers = headers(route, findings);
    let cookies = says(&route.cookies, Place::Cookie);
    let all = [
        list(hosts, Condition::Hosts),
        list(methods, Condition::Methods),
        query,
        headers,
        cookies,
        list(countries, Condition::Countries),
    ];
    all.into_iter().collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
}

fn list(words: Option<Vec<String>>, condition: fn(Vec<String>) -> Condition) -> Option<Vec<Condition>> {
    words.map(|words| if words.is_empty() { Vec::new() } else { vec![condition(words)] })
}

/// The items of a list, none where it is absent; `None` where one is wrong.
fn words<T>(
    field: &Field<List<T>>,
    key: &str,
    text: impl Fn(&T) -> String,
    findings: &mut Findings<'_>,
) -> Option<Vec<String>> {
    let what = format!("`{key}` of `[[route]]`");
    let words = distinct(field, &what, text, findings);
    match field {
        Field::Absent => Some(words),
        Field::Given(list) if words.is_empty() && list.value.complete => {
            findings
                .error("wrong-value", &list.span, format!("{what} is empty: the route would never answer"))
                .hint(format!("leave `{key}` out for any"));
            None
        }
        Field::Given(list) if list.value.complete => Some(words),
        Field::Given(_) | Field::Wrong => None,
    }
}

/// Hosts that the site does not answer.
fn unanswered(route: &RawRoute, of_site: &[String], findings: &mut Findings<'_>) {
    for host in items(&route.hosts) {
        let pattern = &host.value.0;
        let answers = |own: &String| match pattern.strip_prefix('*') {
            Some(parent) => own.ends_with(parent),
            None => own == pattern,
        };
        if !of_site.is_empty() && !of_site.iter().any(answers) {
            findings
                .error(
                    "unreachable",
                    &host.span,
                    format!("`{pattern}` is not answered: it is not in `hosts` of `[site]`"),
                )
                .hint("add it there, or remove it here");
        }
    }
}

fn headers(route: &RawRoute, findings: &mut Findings<'_>) -> Option<Vec<Condition>> {
    let mut fits = true;
    for (name, _) in route.headers.value().map(|tests| tests.entries.as_slice()).unwrap_or_default() {
        let key = match name.value.0.as_str() {
            "host" => "hosts",
            "cookie" => "cookies",
            _ => continue,
        };
        fits = false;
        findings
            .error("wrong-value", &name.span, format!("`{}` is told by `{key}` of `[[route]]`", name.value.0))
            .hint(format!("write it as `{key}`"));
    }
    says(&route.headers, Place::Header).filter(|_| fits)
}

fn says<K: KeyName>(field: &Field<ByName<K, ValueTest>>, place: Place) -> Option<Vec<Condition>> {
    let one = |(name, test): &(Located<K>, Located<ValueTest>)| {
        Condition::Says(place, name.value.text().to_owned(), test.value.0.clone())
    };
    match field {
        Field::Absent => Some(Vec::new()),
        Field::Given(tests) if tests.value.complete => Some(tests.value.entries.iter().map(one).collect()),
        Field::Given(_) | Field::Wrong => None,
    }
}

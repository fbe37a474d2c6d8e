//! From what is written to what is meant: fills defaults in, and checks what no single value shows.

use rimward_edge::config::{ClientAddress, DocumentSettings, Settings, Site};

use super::build::{AssetsFrom, BuildSettings, NamedPage};
use super::caching::Caches;
use super::findings::{Findings, Located};
use super::limiting::Limits;
use super::pooling;
use super::raw::{RawAddressHeader, RawBuild, RawClientAddress, RawDocument, RawSettings, RawSite};
use super::routing::{self, Beside};
use super::rules;
use super::table::{Field, List};
use super::values::DocumentPath;

/// What one environment means, for the edge and for the builder. Worth something only where no finding is an error.
pub(super) fn check(raw: &RawSettings, findings: &mut Findings<'_>) -> (Settings, BuildSettings) {
    let site = site(raw.site.value(), findings);
    let build = build(raw, &site.base, findings);
    let pools = pooling::check(&raw.pool, &site.hosts, findings);
    let caches = Caches::check(&raw.cache, findings);
    let limits = Limits::check(&raw.limit, findings);
    let beside = Beside {
        pools: &pools,
        caches: &caches,
        limits: &limits,
        redirects: &raw.redirect,
        base: &site.base,
        hosts: &site.hosts,
    };
    let routes = routing::routes(&raw.route, &beside, findings);
    pooling::report_unused(&raw.pool, &raw.route, findings);
    pooling::report_uncaught(&raw.pool, &raw.route, findings);
    caches.report_unused(&raw.route, findings);
    limits.report_unused(&raw.route, findings);
    limits.report_load(&raw.route, findings);
    let settings = Settings {
        document: document(raw.document.value()),
        headers: rules::headers(&raw.header, findings),
        redirects: rules::redirects(&raw.redirect, findings),
        pools: pools.by_name.into_iter().collect(),
        caches: caches.by_name.into_iter().collect(),
        limits: limits.by_name.into_values().collect(),
        routes,
        site,
    };
    (settings, build)
}

fn site(raw: Option<&RawSite>, findings: &mut Findings<'_>) -> Site {
    let mut site = Site { name: "app".to_owned(), hosts: Vec::new(), base: "/".to_owned(), client_address: None };
    let Some(raw) = raw else { return site };
    if let Some(name) = raw.name.value() {
        site.name.clone_from(&name.0);
    }
    if let Some(base) = raw.base.value() {
        site.base.clone_from(&base.0);
    }
    site.hosts = distinct(&raw.hosts, "`hosts` of `[site]`", |host| host.0.clone(), findings);
    if let Field::Given(hosts) = &raw.hosts
        && hosts.value.items.is_empty()
        && hosts.value.complete
    {
        findings
            .error("wrong-value", &hosts.span, "`hosts` of `[site]` is empty: no request would be answered")
            .hint("leave it out to answer any host");
    }
    if let Field::Given(address) = &raw.client_address {
        site.client_address = match &address.value {
            RawClientAddress::Cloudflare => Some(ClientAddress::Cloudflare),
            RawClientAddress::Socket => Some(ClientAddress::Socket),
            RawClientAddress::Header(header) => address_header(header, &address.span, findings),
        };
    }
    site
}

fn address_header(
    raw: &RawAddressHeader,
    span: &std::ops::Range<usize>,
    findings: &mut Findings<'_>,
) -> Option<ClientAddress> {
    if matches!(raw.header, Field::Absent) {
        findings
            .error("missing-key", span, "`client_address` of `[site]` has no `header`")
            .hint("name the field that your proxies set: header = \"x-forwarded-for\"");
    }
    let proxies = distinct(&raw.trusted_proxies, "`trusted_proxies`", |network| network.0.to_string(), findings);
    let complete = raw.trusted_proxies.value().is_none_or(|list| list.complete);
    if proxies.is_empty() && complete && !matches!(raw.trusted_proxies, Field::Wrong) {
        findings.error("missing-key", span, "`client_address` of `[site]` has no `trusted_proxies`").hint(
            "name the networks of your proxies, as trusted_proxies = [\"10.0.0.0/8\"]: anyone else could set the field",
        );
    }
    Some(ClientAddress::Header { name: raw.header.value()?.0.clone(), trusted_proxies: proxies })
}

fn document(raw: Option<&RawDocument>) -> DocumentSettings {
    let mut document =
        DocumentSettings { fallback: Some("index.html".to_owned()), error: None, cache_control: "no-cache".to_owned() };
    let Some(raw) = raw else { return document };
    let key = |path: &DocumentPath| path.0.as_ref().map(|path| path.trim_start_matches('/').to_owned());
    if let Some(path) = raw.fallback.value() {
        document.fallback = key(path);
    }
    if let Some(path) = raw.error.value() {
        document.error = key(path);
    }
    if let Some(value) = raw.cache_control.value() {
        document.cache_control.clone_from(&value.0);
    }
    document
}

fn build(raw: &RawSettings, base: &str, findings: &mut Findings<'_>) -> BuildSettings {
    let mut build = BuildSettings { base: base.to_owned(), ..BuildSettings::default() };
    if let Some(assets) = raw.site.value().and_then(|site| site.assets.given()) {
        build.assets = assets.value.0;
        if build.assets == AssetsFrom::Platform && base != "/" {
            findings
                .error(
                    "wrong-value",
                    &assets.span,
                    format!("the platform finds no asset below the base `{base}`: releases lie at its root"),
                )
                .hint("write assets = \"worker\", or build the app for the base \"/\"");
        }
    }
    if let Some(document) = raw.document.value() {
        let named = [("fallback", document.fallback.given()), ("error", document.error.given())];
        let named = named.into_iter().filter_map(|(key, page)| named_page(key, page?, findings));
        build.pages = named.collect();
    }
    let Some(raw) = raw.build.value() else { return build };
    folders(raw, &mut build, findings);
    if let Some(keep) = raw.keep_releases.given() {
        if keep.value.0 == 0 {
            findings
                .error("wrong-value", &keep.span, "`keep_releases` of `[build]` must be at least 1")
                .hint("1 keeps the release that is being built, and breaks tabs that are open at a deploy");
        }
        build.keep_releases = keep.value.0;
    }
    if let Some(maps) = raw.source_maps.value() {
        build.source_maps = maps.0;
    }
    build.keep_function_names = raw.keep_function_names.value().copied().unwrap_or_default();
    if raw.encodings.given().is_some() {
        build.encodings = distinct(&raw.encodings, "`encodings` of `[build]`", |coding| coding.0, findings);
    }
    build.keep_names = distinct(&raw.keep_names, "`keep_names` of `[build]`", Clone::clone, findings);
    build
}

/// What there is to say if a release turns out to be without a page that a key of `[document]` names.
fn named_page(key: &str, page: &Located<DocumentPath>, findings: &Findings<'_>) -> Option<NamedPage> {
    let path = page.value.0.as_ref()?;
    let message = format!("`{key}` of `[document]` names no page of the release: {path:?}");
    let missing = findings.later_error("unknown-name", &page.span, message);
    Some(NamedPage { path: path.trim_start_matches('/').to_owned(), missing })
}

/// A release that is written into its own source would be its own input next time.
fn folders(raw: &RawBuild, build: &mut BuildSettings, findings: &mut Findings<'_>) {
    if let Some(source) = raw.source.value() {
        build.source.clone_from(&source.0);
    }
    if let Some(output) = raw.output.value() {
        build.output.clone_from(&output.0);
    }
    let Some(span) = raw.output.given().map(|at| &at.span).or(raw.source.given().map(|at| &at.span)) else { return };
    let (source, output) = (steps(&build.source), steps(&build.output));
    if source.starts_with(&output) || output.starts_with(&source) {
        let message = format!(
            "`source` and `output` of `[build]` must be folders apart, not {:?} and {:?}",
            build.source, build.output
        );
        let hint = match build.source == "public" {
            true => "let the bundler write to \"dist\", and Rimward to \"public\"",
            false => "neither may lie in the other, or be the other",
        };
        findings.error("wrong-value", span, message).hint(hint);
    }
}

/// The segments of a path, `.` and empty ones left out and `..` taken back where it can be.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    if path.starts_with('/') {
        steps.push("/");
    }
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| !matches!(*last, ".." | "/")) => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps
}

/// The items of a list that could be read.
pub(super) fn items<T>(list: &Field<List<T>>) -> &[Located<T>] {
    list.value().map(|list| list.items.as_slice()).unwrap_or_default()
}

/// The items of a list, mapped; what is there twice is reported.
pub(super) fn distinct<T, V: PartialEq>(
    list: &Field<List<T>>,
    what: &str,
    map: impl Fn(&T) -> V,
    findings: &mut Findings<'_>,
) -> Vec<V> {
    let mut values = Vec::new();
    for item in items(list) {
        let value = map(&item.value);
        if values.contains(&value) {
            findings.error("duplicate", &item.span, format!("{what} holds this twice")).hint("remove one");
        } else {
            values.push(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn paths_are_compared_by_what_they_mean() {
        assert_eq!(steps("./web//dist/"), ["web", "dist"]);
        assert_eq!(steps("web/../dist"), ["dist"]);
        assert_eq!(steps("../dist"), ["..", "dist"]);
        assert_eq!(steps("/../dist"), ["/", "..", "dist"]);
    }
}

//! What visits and checks of origins cost on Cloudflare: what is counted, and by which price. Plain arithmetic over the manifest
//! and the settings.

use std::collections::BTreeSet;

use rimward_edge::config::Settings;
use rimward_edge::release::manifest::{Content, Manifest};
use serde::Serialize;

/// US dollars for a million requests that run a Worker, past the 10 million a month that a paid plan includes. Requests
/// that the platform answers from its assets cost nothing. CPU time is not in it: 30 million milliseconds a month are
/// included, and an answer from the release takes a fraction of one.
pub(super) const DOLLARS_PER_MILLION: f64 = 0.30;

/// Requests to Durable Objects, alarms among them, that the free plan has a day: for everything that objects do.
/// (<https://developers.cloudflare.com/durable-objects/platform/pricing/>)
pub(super) const FREE_REQUESTS_A_DAY: u64 = 100_000;

/// US dollars for a million of them, past the million a month that a paid plan includes.
const OBJECT_DOLLARS_PER_MILLION: f64 = 0.15;

/// What a browser fetches for one visit to the start page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Visit {
    /// Pages: always by the Worker.
    pub(super) documents: usize,
    /// Fingerprinted files: kept by the browser, so that only a first visit, or one after a release, asks for them.
    pub(super) assets: usize,
    /// Transferred, in bytes: the smallest form of each.
    pub(super) bytes: u64,
}

/// The costs of a million visits in US dollars, with `assets` of `[site]` as it is said here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cost {
    /// First visits, `assets = "worker"`.
    pub(super) first_by_worker: f64,
    /// First visits, `assets = "platform"`.
    pub(super) first_by_platform: f64,
    /// Visits of a browser that has the release already: the page alone.
    pub(super) returning: f64,
}

/// What the checks of one pool take, at most: as if it were the only one. Those of all pools that are due at about the same
/// time share an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Checks {
    /// Its name.
    pub(super) pool: String,
    /// How often the object is woken: a request to it each time.
    pub(super) alarms_a_day: u64,
    /// The same in 30 days.
    pub(super) alarms_a_month: u64,
    /// Requests to origins in 30 days. They are counted by nobody but the origins.
    pub(super) asked_a_month: u64,
}

const DAY_MS: u64 = 86_400_000;

/// The checks of every pool that has some, in the order of their names.
pub(super) fn checks(settings: &Settings) -> Vec<Checks> {
    let of = |(name, pool): (&String, &rimward_edge::config::Pool)| {
        // Each check is moved by up to a tenth of the interval, at random.
        let shortest = pool.health.as_ref()?.interval_ms.max(1) * 9;
        let within = |span: u64| (span * 10).div_ceil(shortest);
        let alarms_a_month = within(30 * DAY_MS);
        let asked_a_month = alarms_a_month * pool.origins.len() as u64;
        Some(Checks { pool: name.clone(), alarms_a_day: within(DAY_MS), alarms_a_month, asked_a_month })
    };
    settings.pools.iter().filter_map(of).collect()
}

/// As a person reads it; `None` where nothing is checked.
#[allow(clippy::cast_precision_loss, reason = "far fewer than a float counts exactly")]
pub(super) fn text(checks: &[Checks]) -> Option<String> {
    let sum = |of: fn(&Checks) -> u64| checks.iter().map(of).sum::<u64>();
    let (day, month) = (sum(|one| one.alarms_a_day), sum(|one| one.alarms_a_month));
    let share = day as f64 * 100.0 / FREE_REQUESTS_A_DAY as f64;
    let dollars = month as f64 * OBJECT_DOLLARS_PER_MILLION / 1e6;
    let mut lines = vec!["checks of origins cost at most".to_owned()];
    lines.extend(checks.iter().map(|Checks { pool, alarms_a_day, alarms_a_month, asked_a_month }| {
        format!(
            "  {pool}: {alarms_a_day} alarms of an object a day, {alarms_a_month} in 30 days; {asked_a_month} requests to origins"
        )
    }));
    lines.push(format!(
        "  {share:.1} % of the requests to objects that the free plan has a day ({FREE_REQUESTS_A_DAY}); or ${dollars:.2} in 30 days"
    ));
    lines.push(format!(
        "  at ${OBJECT_DOLLARS_PER_MILLION:.2} a million of them, past the million that a paid plan includes"
    ));
    lines.push("  fewer where pools are due together, and none while nobody has asked for 5 minutes".to_owned());
    lines.push("  each isolate that is asked tells the object so once a minute, a request each time".to_owned());
    lines.push("  the control log is written when an origin's standing changes, and while one is sick".to_owned());
    (!checks.is_empty()).then(|| lines.into_iter().map(|line| line + "\n").collect())
}

/// What the first visit to the start page fetches at once: the page, what it names, and what that imports.
pub(super) fn first_visit(manifest: &Manifest) -> Option<Visit> {
    let page = manifest.documents.get("index.html")?;
    let mut waiting: Vec<&str> = page.preloads.iter().map(|preload| preload.asset.as_str()).collect();
    let mut seen = BTreeSet::new();
    let mut bytes = transfer(&page.content);
    while let Some(logical) = waiting.pop() {
        let Some(asset) = manifest.assets.get(logical).filter(|_| seen.insert(logical)) else { continue };
        bytes += transfer(&asset.content);
        waiting.extend(asset.imports.iter().map(String::as_str));
    }
    Some(Visit { documents: 1, assets: seen.len(), bytes })
}

fn transfer(content: &Content) -> u64 {
    content.encodings.values().map(|encoded| encoded.size).chain([content.size]).min().unwrap_or(content.size)
}

#[allow(clippy::cast_precision_loss, reason = "a page has far fewer files than a float counts exactly")]
pub(super) fn cost(visit: &Visit) -> Cost {
    let by_worker = |requests: usize| requests as f64 * DOLLARS_PER_MILLION;
    Cost {
        first_by_worker: by_worker(visit.documents + visit.assets),
        first_by_platform: by_worker(visit.documents),
        returning: by_worker(visit.documents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_fetches_the_page_and_what_it_imports_once() {
        let content = |size: u64| serde_json::json!({ "type": "text/javascript", "size": size, "sha256": "" });
        let with = |size: u64, more: serde_json::Value| {
            let mut value = content(size);
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            value
        };
        let br = serde_json::json!({ "br": { "size": 30, "sha256": "" } });
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "format": 1, "base": "/",
            "assets": {
                "a.js": with(100, serde_json::json!({ "path": "a.1.js", "imports": ["b.js", "c.js"], "encodings": br })),
                "b.js": with(10, serde_json::json!({ "path": "b.1.js", "imports": ["a.js", "c.js"] })),
                "c.js": with(5, serde_json::json!({ "path": "c.1.js" })),
                "lazy.js": with(999, serde_json::json!({ "path": "lazy.1.js" })),
            },
            "documents": { "index.html": with(7, serde_json::json!({ "preloads": [{ "asset": "a.js", "as": "script" }] })) },
        }))
        .unwrap();
        let visit = first_visit(&manifest).unwrap();
        assert_eq!(visit, Visit { documents: 1, assets: 3, bytes: 30 + 10 + 5 + 7 });
        let cost = cost(&visit);
        assert!((cost.first_by_worker - 1.2).abs() < 1e-9 && (cost.first_by_platform - 0.3).abs() < 1e-9, "{cost:?}");
    }

    fn settings(pools: &str) -> Settings {
        let (compiled, findings) = crate::settings::compile(pools, "rimward.toml", None);
        compiled.unwrap_or_else(|| panic!("{findings:?}")).file.settings
    }

    #[test]
    fn checks_are_counted_by_their_shortest_interval_and_only_where_there_are_any() {
        let two = "origin = [{ url = \"https://a.example\" }, { url = \"https://b.example\" }]";
        let unchecked = settings(&format!("[[pool]]\nname = \"a\"\n{two}\n"));
        assert_eq!((checks(&unchecked), text(&checks(&unchecked))), (Vec::new(), None));
        let checked = settings(&format!(
            "[[pool]]\nname = \"a\"\n{two}\n[pool.health]\npath = \"/\"\n\
             [[pool]]\nname = \"b\"\n{two}\n[pool.health]\npath = \"/\"\ninterval = \"1s\"\n"
        ));
        let found = checks(&checked);
        // Every 27 s where the interval is 30 s: a tenth less.
        let of = |pool: &str, alarms_a_day, alarms_a_month, asked_a_month| Checks {
            pool: pool.to_owned(),
            alarms_a_day,
            alarms_a_month,
            asked_a_month,
        };
        assert_eq!(found, [of("a", 3_200, 96_000, 192_000), of("b", 96_000, 2_880_000, 5_760_000)]);
        let text = text(&found).unwrap();
        assert!(text.contains("99.2 % of the requests") && text.contains("$0.45 in 30 days"), "{text}");
    }
}

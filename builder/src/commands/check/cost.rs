//! What visits cost on Cloudflare: what is counted, and by which price. Plain arithmetic over the manifest.

use std::collections::BTreeSet;

use rimward_edge::release::manifest::{Content, Manifest};
use serde::Serialize;

/// US dollars for a million requests that run a Worker, past the 10 million a month that a paid plan includes. Requests
/// that the platform answers from its assets cost nothing. CPU time is not in it: 30 million milliseconds a month are
/// included, and an answer from the release takes a fraction of one.
pub(super) const DOLLARS_PER_MILLION: f64 = 0.30;

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
}

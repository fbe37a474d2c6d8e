//! What `rimward route explain` says, beside what the edge does.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use rimward::commands::route::{Answers, Asked, Explanation, explain};
use rimward_edge::config::Settings;
use rimward_edge::release::table::Release;
use serde_json::json;

use crate::world::{Folder, Sent, settings, site};

/// Requests of every kind, to a site with rules of every kind.
#[test]
fn what_is_explained_is_what_happens() {
    let settings = settings(json!({
        "site": { "name": "shop", "base": "/", "hosts": ["shop.example", "www.shop.example"] },
        "pools": {
            "api": { "origins": [{ "url": "https://api.internal/v1" }], "timeout": { "answer_ms": 10_000 } },
            "other": { "origins": [{ "url": "https://other.internal" }], "timeout": { "answer_ms": 10_000 } },
        },
        "redirects": [
            { "from": "/old/*", "to": "/new/:splat", "status": 301, "force": true },
            { "from": "/page.html", "to": "/x", "status": 302 },
            { "from": "/late/*", "to": "/new/:splat", "status": 302 },
        ],
        "routes": [
            { "path": "/*", "when": ["hosts www.shop.example"], "pool": "redirect 308 https://shop.example/:splat" },
            { "path": "/api/*", "when": ["methods POST"], "pool": "other", "rewrite": ["path /:splat", "set-query a b"] },
            { "path": "/api/*", "when": ["cookie beta 1", "countries DE"], "pool": "other" },
            { "path": "/api/*", "pool": "split api 5, other 5" },
            { "path": "/out*", "pool": "api", "rewrite": ["path /v2/:splat"] },
        ],
    }));
    let release = Folder::new("r1", "/")
        .document("index.html", "text/html", "<!doctype html>shop", &[], json!({}))
        .document("page.html", "text/html", "<!doctype html>page", &[], json!({}));
    let served = site(&settings, &release);
    let manifest = release.manifest();
    let table = Release::current("r1", &manifest);
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    let hosts = ["https://shop.example", "https://www.shop.example", "https://else.example"];
    let paths = [
        "/",
        "/page",
        "/page.html",
        "/none",
        "/none.js",
        "/old/a",
        "/late/a?b",
        "/api/x%2Fy?q=1",
        "/out../x",
        "/outx",
        "/_rimward/x",
        "/.rimward/health",
        "/.rimward/x",
        "/a/%2e%2e",
    ];
    for (method, host, path) in ["GET", "POST", "OPTIONS", "TRACE"].into_iter().flat_map(|method| {
        hosts.into_iter().flat_map(move |host| paths.into_iter().map(move |path| (method, host, path)))
    }) {
        for fields in [
            &[][..],
            &[("accept", "text/html"), ("sec-fetch-mode", "navigate")],
            &[("cookie", "beta=1; rimward-split=7000")],
            &[("connection", "via")],
            &[("cdn-loop", "rimward;site=shop")],
        ] {
            let url = format!("{host}{path}");
            let sent = fields.iter().fold(Sent::new(method, &url), |sent, (name, value)| sent.with(name, value));
            served.origin_says(200, &[], None);
            let seen = served.ask_unchecked(&sent.in_country("DE"));
            let outbound = served.world.asked_of_origins.borrow_mut().pop();
            served.world.origin_answers.borrow_mut().clear();
            let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let asked =
                Asked { url, method: method.parse().unwrap(), headers, data: None, country: Some("DE".to_owned()) };
            let Explanation { answers, .. } = explain(&settings, Some(&table), &[], &[], &asked);
            let said = format!("{answers:?} of {asked:?}, and {} {:?}", seen.status, seen.headers);
            kinds.insert(serde_json::to_value(&answers).unwrap()["by"].to_string());
            match answers {
                Answers::Refused { status } => assert!(outbound.is_none() && seen.status == status, "{said}"),
                Answers::Redirect { status, location } => {
                    assert_eq!((seen.status, seen.field("location")), (status, location), "{said}");
                }
                Answers::Route { asks, .. } => assert!(asks.contains(&outbound.expect(&said).url), "{said}"),
                Answers::File { url } | Answers::Fallback { url } => {
                    let name = if url == "/page" { "page" } else { "shop" };
                    assert!(outbound.is_none() && seen.text().ends_with(name), "{said}");
                }
                Answers::Options => assert_eq!(seen.status, 204, "{said}"),
                Answers::Nothing => assert_eq!(seen.status, 404, "{said}"),
                Answers::Own => assert!(outbound.is_none() && matches!(seen.status, 200 | 404 | 405), "{said}"),
                Answers::Preflight { .. } => panic!("{said}"),
            }
        }
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

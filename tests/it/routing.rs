//! Routes by more than their path, rewrites, redirects and splits: whole requests in the world in memory.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Folder, Seen, Sent, Served, get, navigate, settings, site};

/// A site with these routes, and two pools.
fn routed(routes: &Value, more: Value) -> Served {
    let pool = |url: &str| json!({ "origins": [{ "url": url }], "timeout": { "answer_ms": 10_000 } });
    let mut changes = json!({
        "pools": { "api": pool("https://api.internal/v1"), "other": pool("https://other.internal") },
        "routes": routes,
    });
    let Value::Object(more) = more else { panic!("more members") };
    changes.as_object_mut().unwrap().extend(more);
    let release = Folder::new("r1", "/").document("index.html", "text/html", "<!doctype html>shop", &[], json!({}));
    site(&settings(changes), &release)
}

/// Which URL an origin was asked for by a request.
#[track_caller]
fn asked(served: &Served, sent: &Sent) -> String {
    served.origin_says(200, &[("cache-control", "no-store")], Some("origin"));
    let seen = served.ask(sent);
    assert_eq!((seen.status, seen.text().as_str()), (200, "origin"));
    served.asked_of_origin().url
}

#[track_caller]
fn is_page(served: &Served, sent: &Sent) {
    let seen = served.ask(sent);
    assert_eq!((seen.status, seen.text().as_str()), (200, "<!doctype html>shop"));
    assert!(served.world.asked_of_origins.borrow().is_empty());
}

fn hits(seen: &Seen) -> bool {
    seen.field("cache-status").starts_with("rimward; hit")
}

#[test]
fn a_route_is_for_requests_that_meet_all_its_conditions() {
    let served = routed(
        &json!([
            { "path": "/x/*", "when": ["hosts *.b.example", "methods GET POST"], "pool": "other" },
            { "path": "/x/*", "when": ["query beta 1*", "header x-a *", "cookie c 1"], "pool": "other" },
            { "path": "/x/*", "when": ["countries DE"], "pool": "other" },
            { "path": "/x/api", "pool": "api" },
        ]),
        json!({}),
    );
    let other = "https://other.internal/x/api";
    assert_eq!(asked(&served, &get("https://a.b.example/x/api")), other);
    assert_eq!(asked(&served, &get("/x/api").in_country("DE")), other);
    assert_eq!(asked(&served, &get("/x/api").in_country("FR")), "https://api.internal/v1/x/api");
    assert_eq!(asked(&served, &Sent::new("PUT", "https://a.b.example/x/api")), "https://api.internal/v1/x/api");
    let said = |url: &str| get(url).with("x-a", "").with("cookie", "b=1; c=1");
    assert_eq!(asked(&served, &said("/x/api?a=1&b%65ta=12")), format!("{other}?a=1&b%65ta=12"));
    assert_eq!(asked(&served, &said("/x/api?beta=2")), "https://api.internal/v1/x/api?beta=2");
    is_page(&served, &navigate("/x/page"));
}

#[test]
fn only_what_a_rule_needs_is_read() {
    let served = routed(
        &json!([
            { "path": "/x/*", "when": ["methods POST", "header x-a *"], "pool": "api" },
            { "path": "/x/*", "when": ["header x-b *"], "pool": "api" },
            { "path": "/x/*", "when": ["header x-b 1", "cookie c *"], "pool": "api" },
        ]),
        json!({}),
    );
    let routing = |sent: &Sent| {
        served.ask(sent);
        let mut read = sent.asked.take();
        read.retain(|name| matches!(name.as_str(), "x-a" | "x-b" | "cookie"));
        read
    };
    assert_eq!(routing(&navigate("/y")), [""; 0]);
    assert_eq!(routing(&navigate("/x/y")), ["x-b"]);
}

#[test]
fn an_origin_is_asked_for_what_a_rewrite_says() {
    let served = routed(
        &json!([
            {
                "path": "/t/:tenant/*",
                "pool": "api",
                "rewrite": [
                    "path /tenants/:splat",
                    "set-query tenant :tenant",
                    "remove-query debug",
                    "set-header x-tenant :tenant",
                    "remove-header x-debug",
                ],
            },
            { "path": "/api*", "pool": "other", "rewrite": ["path /v2:splat"] },
            { "path": "/up*", "pool": "other", "rewrite": ["path /v2/:splat"] },
            { "path": "/same/*", "pool": "other" },
        ]),
        json!({}),
    );
    let sent = get("/t/a&b/x%2Fy/%C3%BC?page=1&debug=1&tenant=c").with("x-debug", "1").with("x-tenant", "c");
    served.origin_says(200, &[], Some("origin"));
    served.ask(&sent);
    let outbound = served.asked_of_origin();
    assert_eq!(outbound.url, "https://api.internal/v1/tenants/x%2Fy/%C3%BC?page=1&tenant=a%26b");
    assert_eq!(outbound.headers["x-tenant"], "a&b");
    assert!(!outbound.headers.contains_key("x-debug"));
    assert_eq!(outbound.headers["x-forwarded-host"], "shop.example");
    assert_eq!(asked(&served, &get("/api?x=%2f")), "https://other.internal/v2?x=%2f");
    assert_eq!(asked(&served, &get("/same/%61?x=%2f")), "https://other.internal/same/%61?x=%2f");
    let outside = served.get("/up../secret");
    assert_eq!((outside.status, served.world.asked_of_origins.borrow().len()), (400, 0));
}

#[test]
fn what_is_kept_is_found_by_the_url_that_clients_see() {
    let served = routed(
        &json!([{
            "path": "/shop/*",
            "pool": "api",
            "cache": "api",
            "rewrite": ["path /v2/:splat", "set-query from edge"],
        }]),
        json!({ "caches": { "api": { "query": { "ignore": ["utm_x"] } } } }),
    );
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("one"));
    assert_eq!(served.get("/shop/a?b=1&utm_x=2").text(), "one");
    assert_eq!(served.asked_of_origin().url, "https://api.internal/v1/v2/a?b=1&from=edge");
    let again = served.get("/shop/a?b=1");
    assert!(hits(&again) && again.text() == "one");
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("two"));
    assert_eq!(served.get("/shop/v2/a?b=1").text(), "two");
}

#[test]
fn what_one_route_keeps_is_for_no_other_routes_requests() {
    let served = routed(
        &json!([
            { "path": "/x/*", "when": ["header x-beta *"], "pool": "other", "cache": "api" },
            { "path": "/x/*", "pool": "api", "cache": "api" },
        ]),
        json!({ "caches": { "api": {} } }),
    );
    let fresh = [("cache-control", "max-age=60")];
    let beta = || get("/x/a").with("x-beta", "1");
    served.origin_says(200, &fresh, Some("beta"));
    assert_eq!(served.ask(&beta()).text(), "beta");
    served.origin_says(200, &fresh, Some("plain"));
    assert_eq!(served.get("/x/a").text(), "plain");
    let elsewhere = served.elsewhere();
    for served in [&served, &elsewhere] {
        let (of_beta, plain) = (served.ask(&beta()), served.get("/x/a"));
        assert_eq!((of_beta.text().as_str(), plain.text().as_str()), ("beta", "plain"));
        assert!(hits(&of_beta) && hits(&plain));
    }

    // What changes something at the URL changes it for both, here and in the data centre.
    served.world.pass(Duration::from_secs(1));
    served.origin_says(200, &[], None);
    served.ask(&Sent::new("POST", "/x/a"));
    let elsewhere = served.elsewhere();
    served.origin_says(200, &fresh, Some("new beta"));
    assert_eq!(elsewhere.ask(&beta()).text(), "new beta");
    served.origin_says(200, &fresh, Some("new plain"));
    assert_eq!(served.get("/x/a").text(), "new plain");
    assert_eq!(served.ask(&beta()).text(), "new beta");
}

#[test]
fn a_route_may_send_its_clients_elsewhere() {
    let served = routed(
        &json!([
            { "path": "/old/*", "when": ["countries DE"], "pool": "redirect 302 https://de.example/:splat" },
            { "path": "/old/*", "pool": "redirect 308 /new/:splat" },
            { "path": "/*", "when": ["hosts www.shop.example"], "pool": "redirect 301 https://shop.example/:splat" },
            { "path": "/loop/*", "pool": "redirect 302 /loop/:splat" },
        ]),
        json!({ "headers": [{ "path": "/*", "set": [["x-ours", "1"]] }] }),
    );
    let to = |sent: &Sent| {
        let seen = served.ask(sent);
        (seen.status, seen.field("location"))
    };
    assert_eq!(to(&get("/old/a%2Fb?x=1")), (308, "/new/a%2Fb?x=1".into()));
    assert_eq!(to(&get("/old//evil.example")), (308, "/new//evil.example".into()));
    assert_eq!(to(&Sent::new("POST", "/old/a").in_country("DE")), (302, "https://de.example/a".into()));
    assert_eq!(to(&get("https://www.shop.example/a/b?c")), (301, "https://shop.example/a/b?c".into()));
    assert_eq!(served.get("/old/a").field("x-ours"), "1");
    is_page(&served, &navigate("/loop/a"));
}

const SPLIT: &str = "split api 9000, other 1000";

fn split_cookie(seen: &Seen) -> Option<u32> {
    let line = seen.field("set-cookie");
    let (bucket, rest) = line.strip_prefix("rimward-split=")?.split_once(';')?;
    assert_eq!(rest, " Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure");
    bucket.parse().ok()
}

#[test]
fn a_client_stays_with_the_pool_of_its_number() {
    let served = routed(&json!([{ "path": "/x/*", "pool": SPLIT }]), json!({}));
    let with = |bucket: &str| get("/x/a").with("cookie", &format!("a=1; rimward-split={bucket}; b=2"));
    for (bucket, host) in
        [("0", "api.internal/v1"), ("8999", "api.internal/v1"), ("9000", "other.internal"), ("9999", "other.internal")]
    {
        served.origin_says(200, &[], Some("origin"));
        let seen = served.ask(&with(bucket));
        assert_eq!(split_cookie(&seen), None);
        let outbound = served.asked_of_origin();
        assert_eq!(outbound.url, format!("https://{host}/x/a"));
        assert_eq!(outbound.headers["cookie"], "a=1; b=2");
    }
    for sent in [get("/x/a"), with("10000"), with("-1"), with("x")] {
        served.origin_says(200, &[("set-cookie", "own=1")], Some("origin"));
        let mut seen = served.ask(&sent);
        let lines: Vec<_> = seen.headers.get_all("set-cookie").iter().cloned().collect();
        assert_eq!((lines.len(), lines[0].as_bytes()), (2, &b"own=1"[..]));
        seen.headers.insert("set-cookie", lines[1].clone());
        let bucket = split_cookie(&seen).unwrap();
        let host = if bucket < 9000 { "api.internal/v1" } else { "other.internal" };
        assert_eq!(served.asked_of_origin().url, format!("https://{host}/x/a"));
    }
    served.origin_says(200, &[], Some("origin"));
    let plain = served.ask(&get("http://shop.example/x/a"));
    assert!(plain.field("set-cookie").ends_with("; SameSite=Lax"), "{plain:?}");
}

#[test]
fn our_cookie_makes_no_request_personal_and_is_never_kept() {
    let routes = json!([
        { "path": "/x/*", "pool": SPLIT, "cache": "api" },
        { "path": "/y/*", "pool": "api", "cache": "api" },
    ]);
    // Personal requests are answered by the origin's own words alone.
    let served = routed(&routes, json!({ "caches": { "api": { "default_freshness_s": 60 } } }));
    for path in ["/x/a", "/y/a"] {
        served.origin_says(200, &[], Some("one"));
        let first = served.ask(&get(path).with("cookie", "rimward-split=9500"));
        assert!(!hits(&first) && split_cookie(&first).is_none());
        assert!(!served.asked_of_origin().headers.contains_key("cookie"));
        let again = served.ask(&get(path).with("cookie", "rimward-split=1"));
        assert!(hits(&again), "{path}: {}", again.field("cache-status"));
        let other = served.get(path);
        assert!(hits(&other) && split_cookie(&other).is_none());
    }
    served.origin_says(200, &[], Some("two"));
    assert!(split_cookie(&served.get("/x/b")).is_some());
    let elsewhere = served.elsewhere();
    for served in [served, elsewhere] {
        let kept = served.get("/x/b");
        assert!(hits(&kept) && kept.field("set-cookie").is_empty());
    }
}

#[test]
fn a_client_gets_its_number_beside_the_cookies_that_are_kept() {
    let routes = json!([{ "path": "/x/*", "pool": SPLIT, "cache": "api" }]);
    let served = routed(&routes, json!({ "caches": { "api": { "set_cookie": "keep" } } }));
    let fresh = [("cache-control", "public, max-age=1, stale-while-revalidate=60"), ("set-cookie", "own=1")];
    served.origin_says(200, &fresh, Some("one"));
    served.ask(&get("/x/a").with("cookie", "rimward-split=1"));
    assert_eq!(served.get("/x/a").field("set-cookie"), "own=1");
    served.world.pass(Duration::from_secs(2));
    served.origin_says(200, &fresh, Some("two"));
    let stale = served.get("/x/a");
    let cookies = stale.field("set-cookie");
    assert!(hits(&stale) && cookies.starts_with("own=1, rimward-split="), "{cookies}");
}

//! Stories of requests, through the whole core, in the world in memory.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::time::Duration;

use proptest::prelude::*;
use rimward_edge::platform::FetchError;
use rimward_edge::release::manifest::{RELEASES_PATH, manifest_path};
use serde_json::json;

use crate::world::{Folder, Sent, Served, get, navigate, settings, site};

const APP: &str = "assets/app.3f9ab2c1k0.js";
const APP_TEXT: &str = "console.log('the whole of the app, long enough to be cut');";
const PAGE_TEXT: &str = "<!doctype html><script type=module src=/assets/app.3f9ab2c1k0.js></script>";

fn folder(id: &str, base: &str) -> Folder {
    let page = json!({
        "preloads": [{ "asset": "assets/app.js", "as": "script", "module": true }],
        "script_hashes": ["sha256-aaaa"],
    });
    Folder::new(id, base)
        .asset(
            "assets/app.js",
            APP,
            "text/javascript; charset=utf-8",
            APP_TEXT,
            &["br", "gzip"],
            json!({
                "imports": ["assets/dep.js"], "aliases": ["assets/app-Bx12.js"],
            }),
        )
        .asset(
            "assets/dep.js",
            "assets/dep.aaaaaaaaaa.js",
            "text/javascript; charset=utf-8",
            "export{}",
            &[],
            json!({}),
        )
        .asset("assets/logo.png", "assets/logo.bbbbbbbbbb.png", "image/png", "PNG", &[], json!({}))
        .document("index.html", "text/html; charset=utf-8", PAGE_TEXT, &["br"], page)
        .document("about.html", "text/html; charset=utf-8", "<h1>About</h1> this site", &[], json!({}))
        .document("robots.txt", "text/plain; charset=utf-8", "User-agent: *", &[], json!({}))
        .document("manifest.json", "application/manifest+json", "{\"name\":\"shop\"}", &[], json!({}))
}

fn shop() -> Served {
    site(&settings(json!({})), &folder("r1", "/"))
}

fn with_404_page() -> Served {
    let document = json!({ "document": { "cache_control": "no-cache" } });
    let folder = folder("r1", "/").document("404.html", "text/html", "<h1>Not here</h1>", &[], json!({}));
    site(&settings(document), &folder)
}

// Assets.

#[test]
fn an_asset_is_kept_for_ever_and_sent_in_the_form_that_the_client_likes() {
    let shop = shop();
    for (accept_encoding, coding, begins) in [
        ("gzip, deflate, br, zstd", "br", "br:"),
        ("gzip", "gzip", "gzip:"),
        ("br;q=0.1, gzip", "gzip", "gzip:"),
        ("identity", "", "console"),
    ] {
        let seen = shop.ask(&get(&format!("/{APP}")).with("accept-encoding", accept_encoding));
        assert_eq!((seen.status, seen.field("content-encoding").as_str()), (200, coding), "{accept_encoding}");
        assert!(seen.text().starts_with(begins), "{accept_encoding}: {}", seen.text());
        assert_eq!(seen.field("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(seen.field("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(seen.field("content-length"), seen.body.len().to_string());
        assert_eq!(seen.field("vary"), "accept-encoding");
        assert_eq!(seen.field("x-content-type-options"), "nosniff");
        assert_eq!(seen.field("cache-status"), "rimward; hit; detail=release");
    }
    let picture = shop.ask(&get("/assets/logo.bbbbbbbbbb.png").with("accept-encoding", "br"));
    assert_eq!((picture.text().as_str(), picture.field("vary").as_str()), ("PNG", ""));
}

#[test]
fn each_form_has_an_entity_tag_of_its_own_that_revalidates_it_alone() {
    let shop = shop();
    let url = format!("/{APP}");
    let br = shop.ask(&get(&url).with("accept-encoding", "br")).field("etag");
    let plain = shop.get(&url).field("etag");
    assert!(br != plain && br.starts_with('"') && plain.starts_with('"'), "{br} {plain}");
    let again = shop.ask(&get(&url).with("accept-encoding", "br").with("if-none-match", &format!("\"x\", W/{br}")));
    assert_eq!((again.status, again.field("etag")), (304, br.clone()));
    assert_eq!(again.field("vary"), "accept-encoding");
    assert_eq!(again.field("cache-control"), "public, max-age=31536000, immutable");
    for name in ["content-length", "content-encoding", "content-type"] {
        assert_eq!(again.field(name), "", "{name} of a 304");
    }
    assert_eq!(shop.ask(&get(&url).with("if-none-match", &br)).status, 200);
}

#[test]
fn head_says_what_get_would_and_reads_nothing() {
    let shop = shop();
    shop.get("/");
    shop.world.reads.borrow_mut().clear();
    for url in [format!("/{APP}"), "/".to_owned(), "/robots.txt".to_owned()] {
        let head = shop.ask(&Sent::new("HEAD", &url).with("accept-encoding", "br"));
        assert_eq!((head.status, shop.world.reads.borrow().len()), (200, 0), "{url}");
        let body = shop.ask(&get(&url).with("accept-encoding", "br")).body;
        assert_eq!(head.field("content-length"), body.len().to_string(), "{url}");
        shop.world.reads.borrow_mut().clear();
    }
    let missing = shop.ask(&Sent::new("HEAD", "/assets/gone.js"));
    assert_eq!(missing.status, 404);
    assert_ne!(missing.field("content-length"), "");
}

#[test]
fn a_plain_asset_request_reads_four_fields_and_shares_its_head() {
    let shop = shop();
    let url = format!("/{APP}");
    let first = shop.ask(&get(&url).with("accept-encoding", "br"));
    let request = get(&url).with("accept-encoding", "br");
    let second = shop.ask(&request);
    assert_eq!(first.head_id, second.head_id);
    assert!(first.head_id.is_some());
    assert_ne!(first.field("x-request-id"), second.field("x-request-id"));
    assert_eq!(*request.asked.borrow(), ["accept-encoding", "if-none-match", "range", "if-match"]);
    let gzip = shop.ask(&get(&url).with("accept-encoding", "gzip"));
    assert_ne!(first.head_id, gzip.head_id);
}

#[test]
fn ranges_are_cut_from_the_bytes_as_they_are() {
    let shop = shop();
    let ask = |range: &str, more: &[(&str, &str)]| {
        let request = get(&format!("/{APP}")).with("accept-encoding", "br").with("range", range);
        shop.ask(&more.iter().fold(request, |request, (name, value)| request.with(name, value)))
    };
    let size = APP_TEXT.len();
    let one = ask("bytes=8-10", &[]);
    assert_eq!((one.status, one.text().as_str(), one.field("content-encoding").as_str()), (206, "log", ""));
    assert_eq!(one.field("content-range"), format!("bytes 8-10/{size}"));
    assert_eq!(one.field("content-length"), "3");
    assert_eq!(ask("bytes=-2", &[]).text(), ");");
    let none = ask("bytes=5000-", &[]);
    assert_eq!((none.status, none.field("content-range")), (416, format!("bytes */{size}")));
    assert_eq!(none.field("cache-control"), "no-store");
    let etag = shop.get(&format!("/{APP}")).field("etag");
    assert_eq!(ask("bytes=8-10", &[("if-range", &etag)]).status, 206);
    assert_eq!(ask("bytes=8-10", &[("if-range", "\"other\"")]).status, 200);
    assert_eq!(ask("bytes=8-10", &[("if-match", "\"other\"")]).status, 412);
    assert_eq!(ask("bytes=8-10", &[("accept-encoding", "identity;q=0")]).field("content-encoding"), "br");
}

#[test]
fn several_ranges_are_parts_of_one_answer() {
    let text = (0..1000).map(|number| format!("{number:03}")).collect::<Vec<_>>().concat();
    let folder = Folder::new("r1", "/").asset("a", "assets/a.cccccccccc.txt", "text/plain", &text, &[], json!({}));
    let seen =
        site(&settings(json!({})), &folder).ask(&get("/assets/a.cccccccccc.txt").with("range", "bytes=2997-, 0-2,1-5"));
    assert_eq!(seen.status, 206);
    let boundary = seen.field("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
    let expected = format!(
        "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-5/3000\r\n\r\n000001\r\n\
         --{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 2997-2999/3000\r\n\r\n999\r\n--{boundary}--\r\n"
    );
    assert_eq!(seen.text(), expected);
    assert_eq!(seen.field("content-range"), "");
}

#[test]
fn a_client_that_refuses_every_form_gets_a_406() {
    let seen = shop().ask(&get("/robots.txt").with("accept-encoding", "identity;q=0, br"));
    assert_eq!(
        (seen.status, seen.field("vary").as_str(), seen.field("cache-control").as_str()),
        (406, "accept-encoding", "no-store")
    );
}

#[test]
fn a_missing_asset_is_never_a_page() {
    let shop = shop();
    for request in [
        get("/assets/index-OLD.js"),
        navigate("/assets/index-OLD.js"),
        navigate("/assets/deep/er"),
        navigate("/gone.css"),
        navigate("/_rimward/releases.json"),
        get("/user/7"),
        get("/user/7").with("accept", "*/*"),
        navigate("/user/7").with("x", "y").with("if-none-match", "*"),
    ] {
        let seen = shop.ask(&request);
        if seen.status == 304 {
            continue; // The last: a page, to show that the others could have been one.
        }
        assert_eq!((seen.status, seen.field("cache-control").as_str()), (404, "no-store"), "{request:?}");
        assert!(!seen.field("content-type").contains("html"), "{request:?}");
    }
}

// Documents.

#[test]
fn a_page_is_revalidated_and_says_what_it_needs_and_how_it_is_protected() {
    let seen = shop().ask(&navigate("/").with("accept-encoding", "br"));
    assert_eq!(
        (seen.status, seen.field("cache-control").as_str(), seen.field("content-encoding").as_str()),
        (200, "no-cache", "br")
    );
    let module = |path: &str| {
        format!("</assets/{path}>; rel=preload; as=script; crossorigin, </assets/{path}>; rel=modulepreload")
    };
    assert_eq!(seen.field("link"), [module("app.3f9ab2c1k0.js"), module("dep.aaaaaaaaaa.js")].join(", "));
    assert_eq!(
        seen.field("content-security-policy-report-only"),
        "script-src 'self' 'wasm-unsafe-eval' 'sha256-aaaa'; object-src 'none'; base-uri 'self'"
    );
    assert_eq!(seen.field("x-frame-options"), "SAMEORIGIN");
    assert_eq!(seen.field("referrer-policy"), "strict-origin-when-cross-origin");
    assert_eq!(seen.field("strict-transport-security"), "");
}

#[test]
fn navigations_to_unknown_paths_get_the_app() {
    let shop = shop();
    for url in ["/user/7", "/user/john.doe", "/a/b/c/", "/caf%C3%A9", "/%ff", "/v1.2/guide?x=/a.js"] {
        let seen = shop.ask(&navigate(url));
        assert_eq!((seen.status, seen.text().as_str()), (200, PAGE_TEXT), "{url}");
        assert_eq!(seen.field("vary"), "accept-encoding, accept, sec-fetch-mode");
    }
    let without_fetch_metadata = get("/user/7").with("accept", "text/html");
    assert_eq!(shop.ask(&without_fetch_metadata).status, 200);
    assert_eq!(shop.ask(&Sent::new("HEAD", "/user/7").with("accept", "text/html")).status, 200);
    assert_eq!(shop.ask(&navigate("/user/7")).head_id, shop.ask(&navigate("/user/8")).head_id);
}

#[test]
fn without_a_fallback_the_404_page_answers_navigations_as_what_it_is() {
    let site = with_404_page();
    let seen = site.ask(&navigate("/user/7").with("if-none-match", "*").with("range", "bytes=0-1"));
    assert_eq!(
        (seen.status, seen.text().as_str(), seen.field("cache-control").as_str()),
        (404, "<h1>Not here</h1>", "no-store")
    );
    assert_eq!(seen.field("etag"), "");
    assert!(!site.get("/user/7").text().contains("<h1>"));
    assert!(!site.ask(&navigate("/assets/gone.js")).text().contains("<h1>"));
}

#[test]
fn a_page_has_one_url() {
    let shop = shop();
    for (url, location) in
        [("/index.html", "/"), ("/about.html?a=1", "/about?a=1"), ("/about/", "/about"), ("/%61bout.html", "/about")]
    {
        let seen = shop.get(url);
        assert_eq!((seen.status, seen.field("location").as_str()), (308, location), "{url}");
        assert_eq!(seen.field("cache-control"), "no-cache");
    }
    assert_eq!(shop.get("/about").text(), "<h1>About</h1> this site");
    assert_eq!(shop.get("/robots.txt").field("content-type"), "text/plain; charset=utf-8");
    assert_eq!(shop.get("/manifest.json").text(), "{\"name\":\"shop\"}");
}

#[test]
fn everything_is_below_the_base() {
    let site = site(&settings(json!({ "site": { "name": "shop", "base": "/shop/" } })), &folder("r1", "/shop/"));
    assert_eq!(site.get("/shop?x=1").field("location"), "/shop/?x=1");
    assert_eq!(site.get("/shop/").text(), PAGE_TEXT);
    assert_eq!(site.ask(&navigate("/shop/user/7")).text(), PAGE_TEXT);
    assert_eq!(site.get(&format!("/shop/{APP}")).status, 200);
    assert!(site.get("/shop/").field("link").starts_with("</shop/assets/app.3f9ab2c1k0.js>"));
    for url in [format!("/{APP}"), "/".to_owned(), "/user/7".to_owned(), "/shopping".to_owned()] {
        assert_eq!(site.ask(&navigate(&url)).status, 404, "{url}");
    }
}

#[test]
fn a_bundlers_old_name_is_the_same_bytes_revalidated() {
    let shop = shop();
    let (old, new) = (shop.get("/assets/app-Bx12.js"), shop.get(&format!("/{APP}")));
    assert_eq!((old.status, &old.body, old.field("cache-control").as_str()), (200, &new.body, "no-cache"));
    assert_eq!(old.field("etag"), new.field("etag"));
}

#[test]
fn only_get_head_and_options_are_answered() {
    let shop = shop();
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PURGE"] {
        let seen = shop.ask(&Sent::new(method, "/"));
        assert_eq!((seen.status, seen.field("allow").as_str()), (405, "GET, HEAD, OPTIONS"), "{method}");
    }
    let options = shop.ask(&Sent::new("OPTIONS", "/"));
    assert_eq!((options.status, options.field("allow").as_str()), (204, "GET, HEAD, OPTIONS"));
    assert_eq!(shop.ask(&Sent::new("TRACE", "/api/x")).status, 405);
}

// Earlier releases.

#[test]
fn files_of_earlier_releases_stay_reachable() {
    let shop = shop();
    let old = Folder::new("r0", "/")
        .asset(
            "assets/app.js",
            "assets/app.oldoldoldo.js",
            "text/javascript",
            "the old app",
            &["br"],
            json!({ "aliases": ["assets/app-Old9.js"] }),
        )
        .asset("models/chair.glb", "models/chair.oldoldoldo.glb", "model/gltf-binary", "a chair", &[], json!({}))
        .document("gone.html", "text/html", "gone", &[], json!({}));
    shop.publish(&settings(json!({})), &[&folder("r1", "/"), &old]);
    let seen = shop.ask(&get("/assets/app.oldoldoldo.js").with("accept-encoding", "br"));
    assert_eq!((seen.status, seen.field("content-encoding").as_str()), (200, "br"));
    assert_eq!(seen.field("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(shop.get("/assets/app-Old9.js").text(), "the old app");
    // The release that is current has neither that folder nor that kind of file.
    for request in [get("/models/chair.oldoldoldo.glb"), navigate("/models/chair.oldoldoldo.glb")] {
        assert_eq!(shop.ask(&request).text(), "a chair");
    }
    assert_eq!(shop.get("/gone").status, 404);
    let manifests = shop.world.reads.borrow().iter().filter(|path| **path == manifest_path("r0")).count();
    assert_eq!(manifests, 1, "an earlier manifest is read once");
}

#[test]
fn an_earlier_release_that_cannot_be_read_is_named_and_harms_nothing_else() {
    let shop = shop();
    let old = Folder::new("r0", "/").asset("a", "assets/a.oldoldoldo.js", "text/javascript", "old", &[], json!({}));
    shop.publish(&settings(json!({})), &[&folder("r1", "/"), &old]);
    shop.world.files.borrow_mut().insert(manifest_path("r0"), b"{".to_vec());
    let seen = shop.get("/assets/a.oldoldoldo.js");
    assert_eq!((seen.status, seen.field("cache-status").as_str()), (404, "rimward; detail=earlier-release-unreadable"));
    assert!(shop.world.logged.borrow()[0].contains("_rimward/releases/r0/manifest.json"), "{:?}", shop.world.logged);
    assert_eq!(shop.get(&format!("/{APP}")).status, 200);
}

// Loading.

#[test]
fn a_deployed_site_is_read_once() {
    let shop = shop();
    for _ in 0..3 {
        shop.get("/");
        shop.world.pass(Duration::from_hours(1));
    }
    assert_eq!(shop.world.reads.borrow().iter().filter(|path| *path == RELEASES_PATH).count(), 1);
}

#[test]
fn a_watched_site_follows_what_is_published() {
    let shop = shop();
    shop.world.variables.borrow_mut().insert("RIMWARD_WATCH".into(), "1".into());
    assert_eq!(shop.get("/robots.txt").text(), "User-agent: *");
    let next = Folder::new("r2", "/").document("robots.txt", "text/plain", "new", &[], json!({}));
    shop.publish(&settings(json!({})), &[&next]);
    assert_eq!(shop.get("/robots.txt").text(), "User-agent: *");
    shop.world.pass(Duration::from_secs(1));
    assert_eq!(shop.get("/robots.txt").text(), "new");
    shop.world.pass(Duration::from_secs(1));
    shop.world.reads.borrow_mut().clear();
    shop.get("/robots.txt");
    assert_eq!(shop.world.reads.borrow()[0], RELEASES_PATH);
    assert_eq!(shop.world.reads.borrow().len(), 2, "what did not change is not read again");
}

#[test]
fn a_site_that_becomes_unreadable_goes_on_as_it_was() {
    let shop = shop();
    shop.world.variables.borrow_mut().insert("RIMWARD_WATCH".into(), "1".into());
    shop.get("/robots.txt");
    for broken in ["{", "", r#"{"format":2}"#] {
        shop.world.files.borrow_mut().insert(RELEASES_PATH.into(), broken.into());
        shop.world.pass(Duration::from_secs(2));
        assert_eq!(shop.get("/robots.txt").text(), "User-agent: *", "{broken}");
    }
    assert!(shop.world.logged.borrow().iter().any(|line| line.contains("format 2")), "{:?}", shop.world.logged);
    shop.publish(
        &settings(json!({})),
        &[&Folder::new("r2", "/").document("robots.txt", "text/plain", "new", &[], json!({}))],
    );
    shop.world.pass(Duration::from_secs(2));
    assert_eq!(shop.get("/robots.txt").text(), "new");
}

#[test]
fn a_site_that_cannot_be_read_is_a_500_that_says_why() {
    let shop = shop();
    let releases = shop.world.files.borrow()[RELEASES_PATH].clone();
    let manifest = shop.world.files.borrow()[&manifest_path("r1")].clone();
    for (path, bytes, words) in [
        (RELEASES_PATH.to_owned(), b"".to_vec(), "`_rimward/releases.json` cannot be read"),
        (RELEASES_PATH.to_owned(), br#"{"format":2}"#.to_vec(), "has format 2, this Worker reads format 1"),
        (manifest_path("r1"), b"{}".to_vec(), "its SHA-256 differs"),
    ] {
        shop.world.files.borrow_mut().insert(path, bytes);
        let seen = shop.get("/");
        assert_eq!((seen.status, seen.field("content-type").as_str()), (500, "application/problem+json"), "{words}");
        let problem: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(problem["request_id"], seen.field("x-request-id"));
        assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
        assert!(shop.world.logged.borrow().last().unwrap().contains(words));
        shop.world.files.borrow_mut().insert(RELEASES_PATH.into(), releases.clone());
        shop.world.files.borrow_mut().insert(manifest_path("r1"), manifest.clone());
    }
    assert_eq!(shop.get("/").status, 200, "a failed load is not kept");
    shop.world.files.borrow_mut().clear();
    let empty = Served { world: shop.world.clone(), isolate: std::rc::Rc::default() };
    assert!(empty.get("/").text().contains("run `rimward build`"));
}

#[test]
fn a_missing_binding_is_a_500_with_a_request_id() {
    let shop = shop();
    shop.world.without_binding.set(true);
    let seen = shop.ask(&navigate("/"));
    assert_eq!(seen.status, 500);
    assert!(
        seen.text().contains("no `ASSETS` binding") && seen.text().contains(&seen.field("x-request-id")),
        "{}",
        seen.text()
    );
}

#[test]
fn what_the_platform_says_of_itself_is_logged_and_not_told() {
    let shop = shop();
    shop.world.only_readable.replace(Some(".json".into()));
    let seen = shop.ask(&get("/robots.txt").with("x-request-id", "of-the-client"));
    assert_eq!(seen.status, 500);
    assert!(!seen.text().contains("secret words"), "{}", seen.text());
    let line = shop.world.logged.borrow().last().unwrap().clone();
    assert!(line.contains("secret words") && line.contains("client_request_id=of-the-client"), "{line}");
    assert_ne!(seen.field("x-request-id"), "of-the-client");
}

#[test]
fn a_file_that_the_release_names_and_nobody_has_is_a_500() {
    let shop = shop();
    shop.world.files.borrow_mut().remove(APP);
    let seen = shop.get(&format!("/{APP}"));
    assert_eq!((seen.status, seen.field("cache-control").as_str()), (500, "no-store"));
    assert!(shop.world.logged.borrow()[0].contains(APP));
}

#[test]
fn the_environment_chooses_the_settings() {
    let staging = settings(json!({ "document": { "cache_control": "no-store" } }));
    let served = site(&settings(json!({ "envs": { "staging": staging } })), &folder("r1", "/"));
    served.world.variables.borrow_mut().insert("RIMWARD_ENV".into(), "staging".into());
    assert_eq!(served.get("/").field("cache-control"), "no-store");
    let other = Served { world: served.world.clone(), isolate: std::rc::Rc::default() };
    other.world.variables.borrow_mut().insert("RIMWARD_ENV".into(), "nope".into());
    assert!(other.get("/").text().contains("no `[env.nope]`"));
}

// Guard.

#[test]
fn nothing_private_is_reached_in_any_spelling() {
    let shop = shop();
    for path in [
        "/_rimward/releases.json",
        "/_RIMWARD/releases.json",
        "/%5Frimward/releases.json",
        "/%5frimward%2Freleases.json",
        "/%255Frimward/releases.json",
        "//_rimward/releases.json",
        "/x/../_rimward/releases.json",
        "/x/%2e%2e/_rimward/releases.json",
        "/_rimward%00/releases.json",
        "/_rimward\\releases.json",
        "/./_rimward/releases.json",
        "/_rimward",
        "/_rimward/",
        "/assets/..%2f_rimward/releases.json",
        "/api/%5Frimward/x",
        "/_rimward/releases/r1/index.html",
    ] {
        let seen = shop.ask(&navigate(path));
        assert!(matches!(seen.status, 400 | 404), "{path}: {}", seen.status);
        assert!(!seen.text().contains("settings_sha256") && !seen.text().contains("<!doctype"), "{path}");
    }
    assert!(shop.world.asked_of_origins.borrow().is_empty());
}

#[test]
fn hostile_addresses_are_refused_clearly() {
    let shop = shop();
    let long = |length: usize| format!("/{}", "a".repeat(length - 1));
    for (url, status) in [
        ("https://a.example, b.example/", 400),
        ("not a url", 400),
        ("https://user@shop.example/", 400),
        ("/a/%2e%2e/b", 400),
        ("/%00", 400),
        ("/a%2", 400),
        ("/a%2fb", 404),
        ("/a%5cb.js", 404),
        ("//assets/app.3f9ab2c1k0.js", 404),
        ("/assets//app.3f9ab2c1k0.js", 404),
        ("/assets/app.3f9ab2c1k0.js/", 404),
        ("/ASSETS/app.3f9ab2c1k0.js", 404),
        (long(8 * 1024).as_str(), 404),
        (long(17 * 1024).as_str(), 414),
    ] {
        let seen = shop.get(url);
        assert_eq!((seen.status, seen.field("cache-control").as_str()), (status, "no-store"), "{url:.60}");
    }
}

#[test]
fn only_the_sites_hosts_are_answered_but_for_health() {
    let hosts = json!({ "site": { "name": "shop", "base": "/", "hosts": ["shop.example"] } });
    let site = site(&settings(hosts), &folder("r1", "/"));
    assert_eq!(site.get("https://shop.example:8443/").status, 200);
    assert_eq!(site.get("https://evil.example/").status, 421);
    assert_eq!(site.get("http://127.0.0.1:8080/.rimward/health").status, 200);
}

#[test]
fn health_says_ok_release_and_version_and_no_more() {
    let shop = shop();
    let seen = shop.get("/.rimward/health");
    let health: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(health, json!({ "ok": true, "release": "r1", "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!(seen.field("cache-control"), "no-store");
    assert_eq!(shop.ask(&Sent::new("POST", "/.rimward/health")).status, 405);
    for url in ["/.rimward", "/.rimward/", "/.rimward/metrics", "/.rimward/health/x", "/%2Erimward/purge"] {
        assert_eq!(shop.ask(&navigate(url)).status, 404, "{url}");
    }
    shop.world.files.borrow_mut().clear();
    let empty = Served { world: shop.world.clone(), isolate: std::rc::Rc::default() };
    let seen = empty.get("/.rimward/health");
    assert_eq!((seen.status, seen.text().contains("\"ok\":false")), (503, true));
}

#[test]
fn the_platforms_id_is_ours_on_cloudflare_only() {
    let on_cloudflare = json!({ "site": { "name": "shop", "base": "/", "client_address": "cloudflare" } });
    let cloudflare = site(&settings(on_cloudflare), &folder("r1", "/"));
    let request = get("/").with("cf-ray", "8f1c-AMS").with("x-request-id", "of-the-client");
    assert_eq!(cloudflare.ask(&request).field("x-request-id"), "8f1c-AMS");
    let elsewhere = shop().ask(&request).field("x-request-id");
    assert!(elsewhere.len() == 32 && elsewhere != "of-the-client", "{elsewhere}");
}

proptest! {
    #[test]
    fn no_path_reaches_what_is_private_or_leaves_for_another_host(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "/", "//", "_rimward", "_RIMWARD", "%5frimward", "%5Frim%77ard", "%255frimward", "..", ".", "%2e%2e", "%2f", "%5c", "\\", "%00",
            "api", "assets", "releases.json", "settings", "index.html", "@evil.example", ":80", "a", "%ff", "%", ";", "manifest.json", "r1",
        ]), 0..10),
        mode in prop::sample::select(vec!["navigate", "cors"]),
    ) {
        let shop = shop();
        shop.get("/");
        shop.world.reads.borrow_mut().clear();
        shop.origin_says(200, &[], Some(""));
        let path = format!("/{}", pieces.concat());
        let seen = shop.ask(&get(&path).with("sec-fetch-mode", mode));
        for read in shop.world.reads.borrow().iter().filter(|read| read.starts_with("_rimward")) {
            let published = ["index.html", "about.html", "robots.txt", "_rimward/manifest.json"];
            let of_release = read.strip_prefix("_rimward/releases/r1/").is_some_and(|document| published.contains(&document));
            prop_assert!(of_release, "{} read {}", path, read);
        }
        prop_assert!(!seen.field("location").starts_with("//"), "{} to {}", path, seen.field("location"));
        for asked in shop.world.asked_of_origins.borrow().iter() {
            prop_assert!(asked.url.starts_with("https://api.internal/v1/api/"), "{} asked {}", path, asked.url);
        }
    }
}

proptest! {
    #[test]
    fn no_field_is_too_strange(
        fields in prop::collection::vec((prop::sample::select(vec![
            "accept", "accept-encoding", "if-none-match", "if-match", "if-range", "range", "sec-fetch-mode", "connection", "upgrade",
            "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "cdn-loop", "via", "origin", "x-request-id",
            "access-control-request-method", "access-control-request-headers", "cf-ray", "cf-connecting-ip",
        ]), "[ -~]{0,30}|bytes=[0-9,-]{0,20}|((br|gzip|identity|\\*)(;q=[0-9.]{0,5})?,?){0,4}|(W/)?\"[a-z,]{0,5}\"?"), 0..6),
        path in prop::sample::select(vec!["/", "/assets/app.3f9ab2c1k0.js", "/user/7", "/api/x", "/assets/gone.js", "/robots.txt"]),
        method in prop::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST"]),
    ) {
        let routes = json!([{ "path": "/api/*", "pool": "api", "cors": { "origins": ["*"], "methods": ["GET"], "headers": ["*"] } }]);
        let trusting = json!({ "header": { "name": "x-forwarded-for", "trusted_proxies": ["203.0.113.0/24"] } });
        let changes = json!({ "routes": routes, "site": { "name": "shop", "base": "/", "client_address": trusting } });
        let site = site(&settings(changes), &folder("r1", "/"));
        site.origin_says(200, &[], Some("x"));
        let request = fields.iter().fold(Sent::new(method, path), |request, (name, value)| request.with(name, value));
        // What holds for every answer is asserted by the world.
        let seen = site.ask(&request);
        prop_assert!(seen.status != 500, "{} {} {:?}", method, path, fields);
        for asked in site.world.asked_of_origins.borrow().iter() {
            prop_assert!(!asked.headers.contains_key("connection") && asked.headers.contains_key("forwarded"));
        }
    }
}

#[test]
fn where_nothing_says_who_clients_are_the_platform_is_cloudflare() {
    let shop = shop();
    shop.world.variables.borrow_mut().clear();
    shop.origin_says(200, &[], Some(""));
    shop.ask(&get("/api/x").with("cf-connecting-ip", "198.51.100.7"));
    assert_eq!(shop.asked_of_origin().headers["x-forwarded-for"], "198.51.100.7");
}

// Rules.

#[test]
fn header_rules_change_what_is_said() {
    let rules = json!({ "headers": [
        { "path": "/*", "set": [["strict-transport-security", "max-age=63072000"]], "remove": ["x-frame-options"] },
        { "path": "/user/:name", "set": [["x-name", ":name"]] },
    ] });
    let folder = folder("r1", "/")
        .rules("headers", json!([{ "path": "/*", "set": [["strict-transport-security", "max-age=1"]] }]));
    let site = site(&settings(rules), &folder);
    let page = site.get("/");
    assert_eq!(
        (page.field("strict-transport-security").as_str(), page.field("x-frame-options").as_str()),
        ("max-age=63072000", "")
    );
    assert_eq!(site.ask(&navigate("/user/ann")).field("x-name"), "ann");
    assert_eq!(site.ask(&navigate("/user/bob")).field("x-name"), "bob");
    assert_eq!(site.ask(&navigate("/other")).field("x-name"), "");
    assert_eq!(site.ask(&navigate("/user/a%0d%0ax")).field("x-name"), "a%0D%0Ax");
    site.origin_says(200, &[], Some("x"));
    assert_eq!(site.get("/api/x").field("strict-transport-security"), "max-age=63072000");
}

#[test]
fn a_rule_for_a_file_is_for_every_name_that_it_has() {
    let isolated = json!([["cross-origin-embedder-policy", "require-corp"], ["cache-control", "max-age=60"]]);
    let rules = json!({ "headers": [{ "path": "/a%20b/%77orker.js", "set": [["x-of", "the settings"]] }] });
    let script = "text/javascript; charset=utf-8";
    let folder = folder("r1", "/")
        .asset("a b/worker.js", "a b/worker.cccccccccc.js", script, "work()", &[], json!({}))
        .document("a b/worker.js", script, "work()", &[], json!({ "asset": "a b/worker.js" }))
        .rules(
            "headers",
            json!([
                { "path": "/a b/worker.js".replace(' ', "%20"), "set": isolated },
                { "path": "/assets/app-Bx12.js", "set": [["x-of", "the bundler"]] },
            ]),
        );
    let site = site(&settings(rules), &folder);
    for (path, cache_control) in
        [("/a%20b/worker.js", "max-age=60"), ("/a%20b/worker.cccccccccc.js", "public, max-age=31536000, immutable")]
    {
        let seen = site.get(path);
        assert_eq!(seen.field("cross-origin-embedder-policy"), "require-corp", "{path}");
        assert_eq!(seen.field("x-of"), "the settings", "{path}");
        assert_eq!(seen.field("cache-control"), cache_control, "{path}");
    }
    assert_eq!(site.get(&format!("/{APP}")).field("x-of"), "the bundler");
    assert_eq!(site.get("/assets/dep.aaaaaaaaaa.js").field("x-of"), "");
}

#[test]
fn a_rule_for_a_folder_of_assets_does_not_keep_their_absence() {
    let folder = folder("r1", "/")
        .rules("headers", json!([{ "path": "/*", "set": [["cache-control", "public, max-age=31536000"]] }]));
    let site = site(&settings(json!({})), &folder);
    assert_eq!(site.get("/robots.txt").field("cache-control"), "public, max-age=31536000");
    assert_eq!(site.get("/assets/gone.js").field("cache-control"), "no-store");
}

#[test]
fn redirects_are_those_of_the_settings_then_those_of_the_source() {
    let rules = json!({ "redirects": [{ "from": "/old/*", "to": "/new/:splat", "status": 301, "force": true }] });
    let folder = folder("r1", "/").rules(
        "redirects",
        json!([
            { "from": "/old/*", "to": "/elsewhere", "status": 302 },
            { "from": "/about", "to": "/never", "status": 302 },
            { "from": "/x/*", "to": "/:splat", "status": 302 },
            { "from": "/loop/*", "to": "/loop/:splat", "status": 302 },
            { "from": "/app/*", "to": "/about.html", "status": 200 },
            { "from": "/*", "to": "/index.html", "status": 200 },
        ]),
    );
    let site = site(&settings(rules), &folder);
    let old = site.get("/old/a?b=c");
    assert_eq!((old.status, old.field("location").as_str()), (301, "/new/a?b=c"));
    assert_eq!(site.get("/about").status, 200, "an unforced rule gives way to a file");
    assert_eq!(site.get("/x//evil.example/").field("location"), "/evil.example/");
    assert_eq!(site.get("/app/anything").text(), "<h1>About</h1> this site");
    assert_eq!(site.get("/loop/a").text(), PAGE_TEXT, "a rule that leads to itself does not act");
    assert_eq!(site.get("/assets/gone.js").status, 404, "not even then does a page answer for an asset");
    assert_eq!(site.get(&format!("/{APP}")).text(), APP_TEXT);
}

// Origins.

#[test]
fn a_route_forwards_what_was_sent_and_says_who_asks() {
    let shop = shop();
    shop.origin_says(
        201,
        &[("content-type", "application/json"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("keep-alive", "x")],
        Some("{}"),
    );
    let request = Sent::new("POST", "/api/orders/a%2Fb?q=1&q=2")
        .with("content-type", "text/plain")
        .with("connection", "x-inner")
        .with("x-inner", "1")
        .with("x-forwarded-for", "6.6.6.6")
        .with("x-request-id", "of-the-client")
        .with_body("an order");
    let seen = shop.ask(&request);
    let asked = shop.asked_of_origin();
    assert_eq!(
        (asked.method.as_str(), asked.url.as_str()),
        ("POST", "https://api.internal/v1/api/orders/a%2Fb?q=1&q=2")
    );
    assert_eq!(asked.body.as_deref(), Some(&b"an order"[..]));
    assert_eq!(asked.headers["x-forwarded-for"], "203.0.113.9");
    assert_eq!(asked.headers["x-forwarded-host"], "shop.example");
    assert_eq!(asked.headers["x-request-id"], seen.field("x-request-id").as_str());
    assert_eq!(asked.headers["x-client-request-id"], "of-the-client");
    assert!(!asked.headers.contains_key("x-inner") && !asked.headers.contains_key("host"));
    assert_eq!((asked.answer_within, asked.idle), (Duration::from_secs(10), Some(Duration::from_secs(30))));
    assert_eq!((seen.status, seen.text().as_str(), seen.field("keep-alive").as_str()), (201, "{}", ""));
    assert_eq!(seen.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(seen.field("cache-control"), "private, no-cache");
    assert_eq!(seen.field("cache-status"), "rimward; fwd=bypass; fwd-status=201");
}

#[test]
fn whatever_the_path_looks_like_the_host_asked_is_the_origins() {
    let everything = json!({ "routes": [{ "path": "/*", "pool": "api" }] });
    let site = site(&settings(everything), &folder("r1", "/"));
    for path in ["//evil.example/x", "/@evil.example", "/http://evil.example/", "/.evil.example", "/:80@evil.example/"]
    {
        site.origin_says(200, &[], Some(""));
        assert_eq!(site.get(path).status, 200, "{path}");
        assert_eq!(site.asked_of_origin().url, format!("https://api.internal/v1{path}"));
    }
}

#[test]
fn phases_are_timed_and_the_origins_own_times_kept() {
    let shop = shop();
    shop.get("/");
    shop.world.io_takes.set(Duration::from_millis(7));
    shop.origin_says(200, &[("server-timing", "db;dur=3")], Some(""));
    assert_eq!(
        shop.get("/api/x").field("server-timing"),
        "db;dur=3, edge;dur=7, origin;dur=7;desc=\"origin 1, 1 try\""
    );
    assert_eq!(shop.get("/robots.txt").field("server-timing"), "edge;dur=7, file;dur=7");
    shop.world.io_takes.set(Duration::ZERO);
    assert_eq!(shop.get("/robots.txt").field("server-timing"), "edge;dur=0");
}

#[test]
fn an_origin_that_fails_is_a_502_or_504_that_says_nothing_of_it() {
    let shop = shop();
    for (error, status) in [
        (FetchError::Timeout(Duration::from_secs(10)), 504),
        (FetchError::Unreachable("connection refused to 10.0.0.7".into()), 502),
    ] {
        shop.origin_fails(error);
        let seen = shop.get("/api/x");
        assert_eq!((seen.status, seen.field("content-type").as_str()), (status, "application/problem+json"));
        let problem: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!((&problem["status"], &problem["request_id"]), (&json!(status), &json!(seen.field("x-request-id"))));
        assert!(!seen.text().contains("10.0.0.7") && !seen.text().contains("api.internal"), "{}", seen.text());
        assert!(shop.world.logged.borrow().last().unwrap().contains("pool `api`, https://api.internal/v1:"));
    }
    shop.origin_fails(FetchError::Unreachable("refused".into()));
    assert_eq!(shop.ask(&navigate("/api/x")).field("content-type"), "text/plain; charset=utf-8");
}

#[test]
fn what_belongs_to_the_whole_way_is_not_dropped_at_the_clients_word() {
    let shop = shop();
    for named in ["Host", "close, content-length", "CDN-Loop"] {
        assert_eq!(shop.ask(&get("/api/x").with("connection", named)).status, 400, "{named}");
    }
    assert!(shop.world.asked_of_origins.borrow().is_empty());
}

#[test]
fn a_request_that_comes_back_is_a_508() {
    let shop = shop();
    shop.origin_says(200, &[], Some(""));
    shop.get("/api/x");
    let token = shop.asked_of_origin().headers["cdn-loop"].to_str().unwrap().to_owned();
    let seen = shop.ask(&get("/api/x").with("cdn-loop", "another").with("cdn-loop", &token));
    assert_eq!(seen.status, 508);
    assert!(shop.world.asked_of_origins.borrow().is_empty());
}

#[test]
fn sockets_are_handed_through_and_streams_of_events_may_last() {
    let shop = shop();
    shop.origin_says(101, &[("sec-websocket-accept", "x")], Some("socket"));
    let seen = shop.ask(&get("/api/live").with("upgrade", "websocket").with("connection", "Upgrade"));
    let asked = shop.asked_of_origin();
    assert_eq!((seen.status, seen.upgraded), (101, true));
    assert_eq!((asked.headers["upgrade"].to_str().unwrap(), asked.idle, asked.total), ("websocket", None, None));
    shop.origin_says(200, &[("content-type", "text/event-stream")], Some("data: 1"));
    shop.ask(&get("/api/events").with("accept", "text/event-stream"));
    let asked = shop.asked_of_origin();
    assert_eq!((asked.idle, asked.total, asked.answer_within), (None, None, Duration::from_secs(10)));
}

#[test]
fn a_status_that_no_final_answer_can_have_is_a_failure_of_the_origin() {
    let shop = shop();
    for status in [100, 103, 600, 999] {
        shop.origin_says(status, &[], None);
        assert_eq!(shop.get("/api/x").status, 502, "{status}");
    }
    shop.origin_says(599, &[], None);
    assert_eq!(shop.get("/api/x").status, 599);
}

#[test]
fn head_answers_of_origins_keep_their_length_and_lose_a_body() {
    let shop = shop();
    shop.origin_says(200, &[("content-length", "5")], Some("01234"));
    let seen = shop.ask(&Sent::new("HEAD", "/api/x"));
    assert_eq!((seen.field("content-length").as_str(), seen.body.len()), ("5", 0));
    shop.origin_says(304, &[("etag", "\"a\"")], None);
    assert_eq!(shop.ask(&get("/api/x").with("if-none-match", "\"a\"")).field("etag"), "\"a\"");
}

#[test]
fn cors_is_answered_by_rule() {
    let routes = json!({ "routes": [{ "path": "/api/*", "pool": "api", "cors": {
        "origins": ["https://app.example"], "methods": ["GET", "PUT"], "headers": ["x-a"], "credentials": true } }] });
    let site = site(&settings(routes), &folder("r1", "/"));
    let preflight = Sent::new("OPTIONS", "/api/x")
        .with("origin", "https://app.example")
        .with("access-control-request-method", "PUT");
    let seen = site.ask(&preflight);
    assert_eq!((seen.status, seen.field("access-control-allow-origin").as_str()), (204, "https://app.example"));
    assert!(site.world.asked_of_origins.borrow().is_empty());
    site.origin_says(200, &[("access-control-allow-origin", "*"), ("vary", "accept")], Some(""));
    let seen = site.ask(&get("/api/x").with("origin", "https://evil.example"));
    assert_eq!(
        (seen.field("access-control-allow-origin").as_str(), seen.field("vary").as_str()),
        ("", "accept, origin")
    );
    site.origin_fails(FetchError::Unreachable("refused".into()));
    let seen = site.ask(&get("/api/x").with("origin", "https://app.example"));
    assert_eq!((seen.status, seen.field("access-control-allow-origin").as_str()), (502, "https://app.example"));
    site.origin_says(204, &[], None);
    assert_eq!(site.ask(&Sent::new("OPTIONS", "/api/x")).status, 204, "an OPTIONS that is no preflight is forwarded");
}

#[test]
fn a_trusted_proxy_says_who_the_client_is() {
    let trusting = json!({ "site": { "name": "shop", "base": "/", "client_address": {
        "header": { "name": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"] } } } });
    let site = site(&settings(trusting), &folder("r1", "/"));
    let asked_from = |peer: &str| {
        site.origin_says(200, &[], Some(""));
        site.ask(&get("/api/x").with("x-forwarded-for", "198.51.100.7").by_peer(peer));
        site.asked_of_origin().headers["forwarded"].to_str().unwrap().to_owned()
    };
    assert!(asked_from("10.1.2.3").starts_with("for=198.51.100.7;"));
    assert!(asked_from("203.0.113.9").starts_with("for=203.0.113.9;"));
}

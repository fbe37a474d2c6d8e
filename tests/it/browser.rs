//! Real applications of five bundlers become releases, and run in a real browser as they did before.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::chromium::{Chromium, Received};
use crate::log::SECRET;
use crate::purging::purge;
use crate::site::{Api, Edge, Site};

/// Opens the page with the app's own checks; all must pass, and nothing may go wrong beside them.
#[track_caller]
fn check(variant: &str, base: &str, page: &str) {
    let api = Api::start();
    let site = Site::new(base, Some(&api));
    site.put(variant);
    let said = String::from_utf8_lossy(&site.build().stderr).into_owned();
    // Below a sub-path the app's `_headers` and `_redirects`, which are of the root, are rightly warned of.
    assert!(base != "/" || !said.contains("warning"), "{said}");
    let edge = site.serve();
    let mut browser = Chromium::start();
    browser.open(&format!("{}{page}", edge.origin));
    expect_checks(&mut browser, 8);
    expect_release_heads(&browser.take_responses(), &site, &edge, base);
    expect_old_names(&mut browser, &site, base);
    assert_eq!(browser.take_problems(), Vec::<String>::new(), "{variant}");
}

/// The page's checks have all settled, well.
#[track_caller]
fn expect_checks(browser: &mut Chromium, at_least: usize) {
    browser.wait_until("document.documentElement.dataset.ready === '1'");
    let rows = browser.evaluate(
        "Array.from(document.querySelectorAll('tr[data-check]'), (row) => \
         [row.dataset.check, row.dataset.result, row.innerText])",
    );
    let rows = rows.as_array().expect("a list of rows");
    assert!(rows.len() >= at_least, "only {} checks: {rows:?}", rows.len());
    let failed: Vec<&Value> = rows.iter().filter(|row| row[1] != "ok").collect();
    assert!(failed.is_empty(), "failed: {failed:#?}; problems: {:#?}", browser.take_problems());
}

/// What came under a fingerprinted name came as such: for ever, and compressed where it is text.
#[track_caller]
fn expect_release_heads(responses: &[Received], site: &Site, edge: &Edge, base: &str) {
    let manifest = site.manifest();
    let mut scripts = 0;
    for asset in manifest.assets.values() {
        let url = format!("{}{base}{}", edge.origin, asset.path);
        for response in responses.iter().filter(|response| response.url == url && response.status == 200) {
            assert_eq!(response.header("cache-control"), Some("public, max-age=31536000, immutable"), "{url}");
            assert_eq!(response.header("content-type"), Some(asset.content.media_type.as_str()), "{url}");
            if !asset.content.encodings.is_empty() {
                assert_eq!(response.header("content-encoding"), Some("br"), "{url}");
            }
            scripts += usize::from(asset.path.ends_with("js"));
        }
    }
    assert!(scripts > 0, "no script came under a fingerprinted name: {responses:#?}");
}

/// A name of the bundler's leads to the same bytes, revalidated.
#[track_caller]
fn expect_old_names(browser: &mut Chromium, site: &Site, base: &str) {
    let manifest = site.manifest();
    for asset in manifest.assets.values().filter(|asset| !asset.aliases.is_empty()) {
        let script = format!(
            "Promise.all([{:?}, {:?}].map(async (url) => {{
                const answer = await fetch(url);
                return [answer.status, answer.headers.get('cache-control'), answer.headers.get('etag'), await answer.text()];
            }}))",
            format!("{base}{}", asset.path),
            format!("{base}{}", asset.aliases[0])
        );
        let answers = browser.evaluate(&script);
        let (new, old) = (&answers[0], &answers[1]);
        assert_eq!((&new[0], &old[0]), (&200.into(), &200.into()), "{}", asset.path);
        assert_eq!(old[1], "no-cache", "{}", asset.aliases[0]);
        assert_eq!((&new[2], &new[3]), (&old[2], &old[3]), "{}", asset.aliases[0]);
    }
}

/// What was preloaded is what the page then uses: nothing came over the network twice.
#[track_caller]
fn expect_nothing_twice(browser: &mut Chromium) {
    let loaded = browser.evaluate(
        "performance.getEntriesByType('resource').filter((entry) => entry.transferSize > 0).map((entry) => entry.name)",
    );
    let mut names: Vec<&str> = loaded.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let all = names.len();
    assert!(names.iter().any(|name| name.contains("/assets/")), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "something was loaded twice: {loaded:#?}");
}

#[test]
fn vite_runs() {
    check("vite", "/", "/status");
}

#[test]
fn vite_with_relative_names_runs() {
    check("vite-relative", "/", "/#/status");
}

#[test]
fn vite_below_a_sub_path_runs() {
    check("vite-base", "/shop/", "/shop/status");
}

#[test]
fn vite_with_an_import_map_runs() {
    check("vite-import-map", "/", "/status");
}

#[test]
fn vite_with_a_service_worker_runs() {
    check("vite-pwa", "/", "/status");
}

#[test]
fn webpack_runs() {
    check("webpack", "/", "/");
}

#[test]
fn webpack_with_an_automatic_public_path_runs() {
    check("webpack-auto", "/", "/");
}

#[test]
fn webpack_with_chunk_hashes_runs() {
    check("webpack-chunkhash", "/", "/");
}

#[test]
fn webpack_with_full_hashes_runs() {
    check("webpack-fullhash", "/", "/");
}

#[test]
fn webpack_as_it_comes_runs() {
    check("webpack-default", "/", "/");
}

#[test]
fn rspack_runs() {
    check("rspack", "/", "/");
}

#[test]
fn rspack_with_modules_runs() {
    check("rspack-esm", "/", "/");
}

#[test]
fn rspack_with_integrity_runs() {
    check("rspack-sri", "/", "/");
}

#[test]
fn esbuild_runs() {
    check("esbuild", "/", "/");
}

#[test]
fn esbuild_as_it_comes_runs() {
    check("esbuild-default", "/", "/");
}

#[test]
fn parcel_runs() {
    check("parcel", "/", "/");
}

#[test]
fn parcel_without_scope_hoisting_runs() {
    check("parcel-unhoisted", "/", "/");
}

#[test]
fn parcel_for_old_browsers_runs() {
    check("parcel-legacy", "/", "/");
}

/// The shop, with its API, in a browser that has not been anywhere.
struct Shop {
    site: Site,
    edge: Edge,
    browser: Chromium,
}

impl Shop {
    fn open(api: &Api) -> Shop {
        let site = Site::new("/", Some(api));
        site.put("vite");
        site.build();
        let edge = site.serve();
        let mut browser = Chromium::start();
        browser.open(&edge.origin);
        browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
        expect_nothing_twice(&mut browser);
        Shop { site, edge, browser }
    }

    /// Clicks a link of the app's: a navigation that the page itself makes.
    fn follow(&mut self, path: &str) {
        self.browser.evaluate(&format!("document.querySelector('a[href={path:?}]').click()"));
    }
}

#[test]
fn a_deploy_does_not_break_an_open_tab() {
    let api = Api::start();
    let mut shop = Shop::open(&api);
    let before = shop.site.manifest();
    let about = change_a_text(&shop.site.path().join("dist/assets"));
    shop.site.build();
    let after = shop.site.manifest();
    let logical = before.assets.iter().find(|(_, asset)| asset.aliases.contains(&about)).expect("the chunk").0;
    assert_ne!(
        before.assets.get(logical).unwrap().path,
        after.assets.get(logical).unwrap().path,
        "other bytes, another name"
    );

    let mut fresh = Chromium::start();
    let until = std::time::Instant::now() + crate::runtime::PATIENCE;
    let page = |browser: &mut Chromium| browser.evaluate("document.documentElement.innerHTML").to_string();
    fresh.open(&shop.edge.origin);
    while !fresh.take_responses().iter().any(|response| {
        after.assets.values().any(|asset| {
            response.url.ends_with(&asset.path) && !before.assets.values().any(|old| old.path == asset.path)
        })
    }) {
        assert!(std::time::Instant::now() < until, "the new release is not served: {}", page(&mut fresh));
        fresh.open(&shop.edge.origin);
    }

    shop.browser.take_responses();
    shop.follow("/about");
    shop.browser.wait_until("document.querySelector('article h1') !== null");
    let responses = shop.browser.take_responses();
    let old = format!("{}/{}", shop.edge.origin, before.assets.get(logical).unwrap().path);
    assert!(
        responses.iter().any(|response| response.url == old && response.status == 200),
        "the open tab went on with its own release: {responses:#?}"
    );
    assert_eq!(shop.browser.take_problems(), Vec::<String>::new());
}

/// A change of one text in the lazily loaded page, as a new build would have it. Returns the chunk's path.
fn change_a_text(assets: &Path) -> String {
    for entry in fs::read_dir(assets).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        if name.starts_with("About") && path.extension().is_some_and(|extension| extension == "js") {
            let text = fs::read_to_string(&path).expect("text");
            let changed = text.replace("a shed by the water", "a shed on the hill");
            assert_ne!(text, changed, "the page has its text");
            fs::write(&path, changed).expect("a file");
            return format!("assets/{name}");
        }
    }
    panic!("the app has no chunk for its page `about`");
}

#[test]
fn a_deep_link_gets_the_app_and_a_missing_file_does_not() {
    let api = Api::start();
    let mut shop = Shop::open(&api);
    shop.browser.open(&format!("{}/product/lantern", shop.edge.origin));
    shop.browser.wait_until("document.querySelector('[data-product]') !== null");
    assert_eq!(shop.browser.take_problems(), Vec::<String>::new());
    let missing = shop.browser.evaluate(
        "fetch('/assets/gone-0123456789.js').then(async (answer) => \
         [answer.status, answer.headers.get('cache-control'), (await answer.text()).includes('<html')])",
    );
    assert_eq!(missing, serde_json::json!([404, "no-store", false]));
}

#[test]
fn the_app_stays_usable_when_its_api_is_gone() {
    let api = Api::start();
    let mut shop = Shop::open(&api);
    drop(api);
    shop.browser.open(&shop.edge.origin);
    shop.browser.wait_until("document.querySelector('[data-failure]') !== null");
    let status = shop.browser.evaluate("fetch('/api/products').then((answer) => answer.status)");
    assert_eq!(status, 502);
    shop.browser.take_problems();
    shop.follow("/about");
    shop.browser.wait_until("document.querySelector('article h1') !== null");
    assert_eq!(shop.browser.take_problems(), Vec::<String>::new());
}

#[test]
fn the_app_stays_usable_when_one_of_two_apis_is_killed() {
    let (killed, left) = (Api::start(), Api::start());
    let site = Site::new("/", [&killed, &left]);
    site.put("vite");
    site.build();
    let edge = site.serve();
    let mut browser = Chromium::start();
    browser.open(&edge.origin);
    browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
    drop(killed);
    browser.open(&edge.origin);
    browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
    browser.open(&format!("{}/product/lantern", edge.origin));
    browser.wait_until("document.querySelector('[data-product]') !== null");
    let statuses = browser.evaluate(
        "(async () => {
            const seen = new Set();
            for (let n = 0; n < 50; n += 1) seen.add((await fetch('/api/products', { cache: 'no-store' })).status);
            return [...seen];
        })()",
    );
    assert_eq!(statuses, serde_json::json!([200]));
    // Uploads, events and a WebSocket among them.
    browser.open(&format!("{}/status", edge.origin));
    expect_checks(&mut browser, 15);
    assert_eq!(browser.take_problems(), Vec::<String>::new());
}

#[test]
fn a_lost_network_leaves_the_open_page_alone() {
    let api = Api::start();
    let mut shop = Shop::open(&api);
    shop.browser.set_offline(true);
    assert_eq!(
        shop.browser.evaluate("fetch('/api/products', { cache: 'no-store' }).then(() => 'answered', () => 'failed')"),
        "failed"
    );
    shop.browser.set_offline(false);
    shop.browser.take_problems();
    shop.follow("/cart");
    shop.browser.wait_until("location.pathname === '/cart'");
    shop.browser.open(&format!("{}/status", shop.edge.origin));
    expect_checks(&mut shop.browser, 15);
    assert_eq!(shop.browser.take_problems(), Vec::<String>::new());
}

/// What the page of checks says of the API's products: how many, and what the cache did.
#[track_caller]
fn products_said(browser: &mut Chromium, edge: &Edge) -> String {
    browser.open(&format!("{}/status", edge.origin));
    expect_checks(browser, 15);
    let said = browser.evaluate("document.querySelector('tr[data-check=api] td:last-child').innerText");
    said.as_str().expect("a text").to_owned()
}

#[test]
fn the_shop_goes_on_selling_while_its_api_is_down() {
    let api = Api::start();
    let site = Site::new("/", Some(&api));
    site.configure("cache = \"api\"\n[cache.api]\noverride_freshness = \"2s\"");
    site.put("vite");
    site.build();
    let edge = site.serve();
    let mut browser = Chromium::start();
    assert_eq!(products_said(&mut browser, &edge), "9 products, uri-miss");
    browser.wait_until(
        "fetch('/api/products').then((answer) => /; hit; ttl=[0-9]/.test(answer.headers.get('cache-status')))",
    );
    drop(api);
    browser
        .wait_until("fetch('/api/products').then((answer) => /; hit; ttl=-/.test(answer.headers.get('cache-status')))");
    browser.take_problems();
    browser.open(&edge.origin);
    browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
    assert_eq!(browser.take_problems(), Vec::<String>::new());
    // What was never asked for nobody has.
    let missing = browser.evaluate("fetch('/api/products/lantern').then((answer) => answer.status)");
    assert_eq!(missing, 502);
}

/// In the page: asks for the products until the cache did something that fits; says when that was, in milliseconds of the
/// clock, and what the cache did.
fn ask_until(fits: &str) -> String {
    format!(
        "(async () => {{
            for (;;) {{
                const answer = await fetch('/api/products');
                const said = answer.headers.get('cache-status');
                if ({fits}.test(said)) return [Date.now(), said, answer.headers.get('cache-tag')];
                await new Promise((again) => setTimeout(again, 20));
            }}
        }})()"
    )
}

fn millis() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("before 10000")
}

#[test]
fn a_page_sees_hits_and_purges_by_tag_and_what_stands_in_for_an_api_that_is_gone() {
    let api = Api::start();
    let site = Site::new("/", Some(&api));
    site.configure("cache = \"api\"\n[cache.api]\noverride_freshness = \"1h\"");
    site.put("vite");
    site.build();
    let edge = site.serve_with(&[("RIMWARD_PURGE_SECRET", SECRET)]);
    let purge = |arguments: &[&str]| {
        let done = purge(site.path(), &edge.origin, arguments);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let mut browser = Chromium::start();
    browser.open(&edge.origin);
    browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
    let hit = browser.evaluate(&ask_until("/; hit; ttl=3[0-9]{3}/"));
    assert_eq!(hit[2], Value::Null, "tags stay at the edge");

    // The list is not tagged with one product.
    purge(&["--tag", "product-lantern", "--wait"]);
    let said = browser.evaluate("fetch('/api/products').then((answer) => answer.headers.get('cache-status'))");
    assert!(said.as_str().is_some_and(|said| said.contains("; hit")), "{said}");

    browser.evaluate(&format!("window.seen = {}; true", ask_until("/; fwd=/")));
    let begun = millis();
    purge(&["--tag", "products"]);
    let told = millis();
    let seen = browser.evaluate("window.seen");
    let at = seen[0].as_u64().expect("a time");
    assert!(seen[1].as_str().is_some_and(|said| said.contains("; fwd=uri-miss; fwd-status=200")), "{seen}");
    assert!(begun <= at && at <= told + 2000, "purged from {begun} to {told}, seen at {at}");
    browser.evaluate(&ask_until("/; hit; ttl=3[0-9]{3}/"));

    drop(api);
    purge(&["--tag", "products", "--soft", "--wait"]);
    browser.evaluate(&ask_until("/; hit; ttl=-[0-9]+; .*detail=stale-while-revalidate/"));
    // Somebody who wants it anew gets it all the same: nobody has a newer one.
    let said = browser.evaluate(
        "fetch('/api/products', { headers: { 'cache-control': 'max-age=0' } }).then(async (answer) => \
         [answer.status, answer.headers.get('cache-status'), (await answer.json()).length])",
    );
    assert_eq!((&said[0], &said[2]), (&200.into(), &9.into()), "{said}");
    assert!(
        said[1].as_str().is_some_and(|said| said.contains("; fwd=stale; ") && said.contains("detail=stale-if-error")),
        "{said}"
    );
    browser.take_problems();
    browser.open(&edge.origin);
    browser.wait_until("document.querySelector('[data-products=\"9\"]') !== null");
    assert_eq!(browser.take_problems(), Vec::<String>::new());

    // A hard purge leaves nothing that could stand in.
    purge(&["--tag", "products", "--wait"]);
    assert_eq!(browser.evaluate("fetch('/api/products').then((answer) => answer.status)"), 502);
}

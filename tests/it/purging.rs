//! `rimward purge` as a person uses it, against the Worker on bare `workerd`.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rimward_edge::config::{CachePolicy, Origin as OriginSettings, Pool, Route, Settings, Timeout};
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::log::{Place, SECRET, told, until, with_a_second};
use crate::origin::Origin;
use crate::published::{publish, settings};
use crate::runtime::{Answer, Connection, Workerd, free_address};
use crate::site::{Edge, Site, check, rimward};
use crate::zone::{self, Zone};

/// Runs `rimward purge` in a folder.
pub(crate) fn purge(folder: &Path, site: &str, arguments: &[&str]) -> Output {
    let mut command = rimward();
    command.args(["purge", "--to", site]).args(arguments).current_dir(folder);
    command.env("RIMWARD_PURGE_SECRET", SECRET).env_remove("RIMWARD_ENV").output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn address(worker: &Workerd) -> String {
    format!("http://{}", worker.address)
}

/// A place whose `/api/*` is cached, from an origin that says each time what it was not asked before.
fn cached(origin: &Origin) -> Place {
    let timeout = Timeout { answer_ms: 5000, idle_ms: None, total_ms: None };
    let pool = Pool::new(vec![OriginSettings::new(&origin.url(""))], timeout);
    let policy: CachePolicy = serde_json::from_value(json!({ "tags_from": "cache-tag" })).unwrap();
    let route = Route { cache: Some("api".to_owned()), ..Route::new(Pattern::parse("/api/*").unwrap(), "api") };
    let assets = tempfile::tempdir().unwrap();
    let settings = Settings {
        pools: [("api".to_owned(), pool)].into_iter().collect(),
        caches: [("api".to_owned(), policy)].into_iter().collect(),
        routes: vec![route],
        ..settings()
    };
    publish(assets.path(), settings, &[], &[]);
    Place::of(assets)
}

fn counting() -> Origin {
    let asked = AtomicU32::new(0);
    Origin::start(move |exchange| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        exchange.answer("200 OK\r\nCache-Control: max-age=600\r\nCache-Tag: product-1, list", number.to_string());
    })
}

#[track_caller]
fn is_hit(answer: &Answer) -> bool {
    answer.field("cache-status").expect("it says so").contains("; hit")
}

#[test]
fn a_purge_by_tag_is_seen_by_every_isolate_within_2_s() {
    let origin = counting();
    let place = cached(&origin);
    let second = free_address();
    let first = Workerd::start_as(&place.config(), |config| with_a_second(config, &second.to_string()));
    let folder = tempfile::tempdir().unwrap();
    let ask = |address| Connection::open(address).ask("GET", "/api/products", &[]).expect(200);
    for round in 0..3 {
        for address in [first.address, second] {
            until("it is stored", || is_hit(&ask(address)).then_some(()));
        }
        let before = ask(second).text();
        let begun = Instant::now();
        check(&purge(folder.path(), &address(&first), &["--tag", "product-1"]), 0, &["purged: 1 name", "within 2.0 s"]);
        let told = begun.elapsed();
        assert_ne!(ask(first.address).text(), before, "whoever was told sees it at once");
        let seen = until("the other sees it", || (ask(second).text() != before).then(|| begun.elapsed()));
        assert!(seen < told + Duration::from_millis(2500), "round {round}: {seen:?}");
    }
    // What it was not tagged with is not purged.
    until("it is stored", || is_hit(&ask(second)).then_some(()));
    check(&purge(folder.path(), &address(&first), &["--tag", "product-2", "--wait"]), 0, &["seen everywhere"]);
    assert!(is_hit(&ask(second)) && is_hit(&ask(first.address)));
}

#[test]
fn waiting_ends_when_no_isolate_can_know_less() {
    let origin = counting();
    let place = cached(&origin);
    let second = free_address();
    let first = Workerd::start_as(&place.config(), |config| with_a_second(config, &second.to_string()));
    let folder = tempfile::tempdir().unwrap();
    let ask = || Connection::open(second).ask("GET", "/api/products", &[]).expect(200);
    until("it is stored", || is_hit(&ask()).then_some(()));
    let before = ask().text();
    let begun = Instant::now();
    let done = purge(folder.path(), &address(&first), &["--prefix", "http://shop.test/api", "--wait", "--json"]);
    check(&done, 0, &[]);
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_ne!(ask().text(), before);
    let said = json_of(&done);
    assert_eq!((&said["named"], &said["settled"], &said["soft"]), (&json!(1), &json!(true), &json!(false)), "{said}");
}

#[test]
fn a_soft_purge_is_validated_with_what_is_stored() {
    let origin = Origin::start(|exchange| match exchange.request.field("if-none-match") {
        Some("\"a\"") => {
            exchange.write("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=600\r\n\r\n");
        }
        _ => exchange.answer("200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=600", "body"),
    });
    let place = cached(&origin);
    let worker = place.start();
    let folder = tempfile::tempdir().unwrap();
    let ask = || worker.get("/api/x").expect(200);
    until("it is stored", || is_hit(&ask()).then_some(()));
    check(
        &purge(folder.path(), &address(&worker), &["--url", "http://shop.test/api/x", "--soft"]),
        0,
        &["marked as stale: 1 name"],
    );
    let validated = ask();
    assert_eq!(validated.text(), "body");
    let status = validated.field("cache-status").unwrap();
    assert!(status.contains("fwd=stale") && status.contains("fwd-status=304"), "{status}");
    assert!(is_hit(&ask()));
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let place = cached(&counting());
    let worker = place.start();
    let folder = tempfile::tempdir().unwrap();
    let site = address(&worker);
    let run = |arguments: &[&str]| purge(folder.path(), &site, arguments);
    check(&run(&[]), 2, &["required"]);
    check(&run(&["--failed", "--all"]), 2, &["cannot be used with"]);
    check(&run(&["--url", "no-path"]), 1, &["`purges[0]`: it is neither a path"]);
    check(&run(&["--url", "/../x"]), 1, &["its path is spelled in a way"]);
    check(&run(&["--all", "--key", "two words"]), 1, &["`key`"]);
    check(&purge(folder.path(), "shop.example", &["--all"]), 2, &["it must be a URL of https or http"]);
    check(&purge(folder.path(), &format!("http://{}", free_address()), &["--all"]), 2, &["could not be reached"]);
    check(&run(&["--release"]), 1, &["there is no release in", "hint: make one with `rimward build`"]);

    let mut command = rimward();
    let command = command.args(["purge", "--all", "--to", &site]).current_dir(folder.path());
    check(&command.env_remove("RIMWARD_PURGE_SECRET").output().unwrap(), 2, &["RIMWARD_PURGE_SECRET is not set"]);
    let wrong = command.env("RIMWARD_PURGE_SECRET", "wrong-horse-battery-staple").output().unwrap();
    check(&wrong, 2, &["does not take the secret in RIMWARD_PURGE_SECRET"]);
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("horse"));
    let mut nowhere = rimward();
    let nowhere = nowhere.args(["purge", "--all"]).current_dir(folder.path()).env("RIMWARD_PURGE_SECRET", SECRET);
    check(&nowhere.output().unwrap(), 2, &["--to"]);
    drop(worker);
    let closed = Place::of(tempfile::tempdir().unwrap());
    publish(closed.assets.path(), settings(), &[], &[]);
    let closed = closed.with("RIMWARD_PURGE_SECRET", "");
    let worker = closed.start();
    check(&purge(folder.path(), &address(&worker), &["--all"]), 2, &["has nothing at /.rimward/purge"]);
}

#[test]
fn a_key_of_ones_own_purges_once() {
    let place = cached(&counting());
    let worker = place.start();
    let folder = tempfile::tempdir().unwrap();
    let run = || json_of(&purge(folder.path(), &address(&worker), &["--all", "--key", "import-7", "--json"]));
    let (first, again) = (run(), run());
    assert_eq!((&again["sequence"], &again["again"], &first["again"]), (&first["sequence"], &json!(1), &json!(0)));
}

/// A project with a page, a text and a script that the page loads.
fn project(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("dist/assets")).unwrap();
    for (path, bytes) in [
        (
            "dist/index.html",
            "<!doctype html><title>shop</title><script type=module src=/assets/app-3f9ab2c1.js></script>",
        ),
        ("dist/about.html", "<!doctype html><title>about</title>"),
        ("dist/assets/app-3f9ab2c1.js", "document.title='shop'"),
        ("dist/note.txt", text),
    ] {
        fs::write(folder.path().join(path), bytes).unwrap();
    }
    folder
}

#[track_caller]
fn build(folder: &Path) {
    let output = rimward().arg("build").current_dir(folder).env_remove("RIMWARD_ENV").output().unwrap();
    check(&output, 0, &[]);
}

#[test]
fn exactly_what_the_release_changed_is_purged_here_and_in_the_zone() {
    let project = project("one");
    let folder = project.path();
    build(folder);
    fs::write(folder.join("dist/note.txt"), "two").unwrap();
    build(folder);
    fs::write(folder.join("dist/about.html"), "<!doctype html><title>about us</title>").unwrap();
    build(folder);

    let zone = Zone::start(|_| zone::accepted());
    let published = tempfile::tempdir().unwrap();
    crate::site::copy(&folder.join("public"), published.path());
    let place = told(Place::of(published), &zone);
    let worker = place.start();
    let site = address(&worker);
    let done = purge(folder, &site, &["--release", "--json"]);
    check(&done, 0, &["the release changed 1 URL", "the zone's cache is being told"]);
    assert_eq!(json_of(&done)["named"], 1);
    assert_eq!(zone.call().items("files"), [format!("{site}/about")]);

    let changes: Value =
        serde_json::from_slice(&fs::read(folder.join("public/_rimward/changes.json")).unwrap()).unwrap();
    let first = changes["sets"][1]["from"].as_str().unwrap();
    check(&purge(folder, &site, &[&format!("--release={first}")]), 0, &["the release changed 2 URLs"]);
    let mut files = zone.call().items("files");
    files.sort();
    assert_eq!(files, [format!("{site}/about"), format!("{site}/note.txt")]);

    // Nothing is purged that has not changed, and what was never there is not known.
    let last = changes["sets"][0]["to"].as_str().unwrap();
    check(&purge(folder, &site, &[&format!("--release={last}")]), 0, &["changed 0 URLs", "nothing to purge"]);
    check(&purge(folder, &site, &["--release=r0"]), 1, &["what changed since release `r0` is not known"]);
    worker.get("/_rimward/changes.json").expect(404);
}

#[test]
fn a_release_that_is_too_large_for_one_request_is_purged_in_several() {
    let project = project("one");
    let folder = project.path();
    let write = |text: &str| {
        for number in 0..600 {
            fs::write(folder.join(format!("dist/note-{number}.txt")), format!("{text} {number}")).unwrap();
        }
    };
    write("one");
    build(folder);
    write("two");
    build(folder);
    let zone = Zone::start(|_| zone::accepted());
    let published = tempfile::tempdir().unwrap();
    crate::site::copy(&folder.join("public"), published.path());
    let place = told(Place::of(published), &zone);
    let worker = place.start();
    check(&purge(folder, &address(&worker), &["--release"]), 0, &["the release changed 600 URLs", "purged: 600 names"]);
    let told: usize = (0..6).map(|_| zone.call().items("files").len()).sum();
    assert_eq!(told, 600);
}

#[test]
fn calls_that_the_zone_refuses_are_listed_and_made_again() {
    let zone = Zone::start(|number| if number == 0 { zone::refused() } else { zone::accepted() });
    let place = told(cached(&counting()), &zone);
    let worker = place.start();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| purge(folder.path(), &address(&worker), arguments);
    check(&run(&["--failed"]), 0, &["0 calls given up, 0 calls waiting"]);
    check(&run(&["--tag", "a"]), 0, &["the zone's cache is being told"]);
    zone.call();
    let failed = until("it is given up", || {
        let failed = run(&["--failed", "--json"]);
        (failed.status.code() == Some(1)).then_some(failed)
    });
    check(&failed, 1, &["1 call given up", "--failed --replay"]);
    assert_eq!(json_of(&failed)["failed"][0]["call"]["items"]["tags"], json!(["a"]));
    check(&run(&["--failed", "--replay"]), 0, &["1 call made again"]);
    assert_eq!(zone.call().items("tags"), ["a"]);
}

#[test]
fn a_server_of_ones_own_takes_purges_and_keeps_them() {
    let site = Site::new("/", None);
    fs::create_dir(site.path().join("dist")).unwrap();
    fs::write(site.path().join("dist/index.html"), "<!doctype html><title>shop</title>").unwrap();
    site.build();
    let run = |edge: &Edge| {
        let done = purge(site.path(), &edge.origin, &["--all", "--key", "once", "--json"]);
        check(&done, 0, &[]);
        json_of(&done)
    };
    let edge = site.serve_with(&[("RIMWARD_PURGE_SECRET", SECRET)]);
    let first = run(&edge);
    let config = fs::read_to_string(site.path().join(".rimward/serve/workerd.capnp")).unwrap();
    assert!(!config.contains(SECRET), "secrets stand in no file");
    drop(edge);
    let again = run(&site.serve_with(&[("RIMWARD_PURGE_SECRET", SECRET)]));
    assert_eq!((&again["sequence"], &again["again"]), (&first["sequence"], &json!(1)));
    check(&purge(site.path(), &site.serve().origin, &["--all"]), 2, &["has nothing at /.rimward/purge"]);
}

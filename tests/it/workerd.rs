//! The Worker that is shipped, whole, on bare `workerd`: a release, an API, and what clients see of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rimward::workerd::Config;
use rimward_edge::config::{
    By, Change, Concurrency, Condition, Origin as OriginSettings, Pool, Route, Settings, Timeout,
};
use rimward_edge::release::manifest::Coding;
use rimward_edge::route::pattern::Pattern;
use tempfile::TempDir;

use crate::origin::Origin;
use crate::published::{File, publish, settings};
use crate::runtime::{Answer, Connection, PATIENCE, Workerd, site, worker};

/// Bytes that the platform cannot decode: it has to leave them alone.
fn opaque(name: &str, length: usize) -> Vec<u8> {
    name.bytes().cycle().take(length).collect()
}

fn app() -> File {
    File {
        path: "assets/app.3f9ab2c1k0.js",
        media_type: "text/javascript; charset=utf-8",
        identity: opaque("identity", 30_000),
        encodings: vec![(Coding::Br, opaque("brotli", 10_240)), (Coding::Gzip, opaque("gzip", 12_000))],
    }
}

fn page() -> File {
    File {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        identity: b"<!doctype html><title>shop</title>".to_vec(),
        encodings: Vec::new(),
    }
}

/// `/api/*` goes to `origin`.
pub(crate) fn with_api(origin: &Origin) -> Settings {
    let timeout = Timeout { answer_ms: 400, idle_ms: None, total_ms: None };
    let pool = Pool::new(vec![OriginSettings::new(&origin.url(""))], timeout);
    let route = Route::new(Pattern::parse("/api/*").expect("a pattern"), "api");
    Settings { pools: [("api".to_owned(), pool)].into_iter().collect(), routes: vec![route], ..settings() }
}

/// A site that runs.
pub(crate) struct Site {
    pub(crate) worker: Workerd,
    pub(crate) _folder: TempDir,
}

#[track_caller]
pub(crate) fn start(settings: Settings) -> Site {
    let folder = tempfile::tempdir().expect("a temporary folder");
    publish(folder.path(), settings, &[app()], &[page()]);
    let worker = Workerd::start(&site(worker(), Some(folder.path().to_owned())));
    Site { worker, _folder: folder }
}

#[test]
fn an_asset_is_served_in_what_the_client_prefers() {
    let Site { worker, _folder } = start(settings());
    for (accepted, coding, body) in [
        ("gzip, deflate, br, zstd", Some("br"), opaque("brotli", 10_240)),
        ("gzip", Some("gzip"), opaque("gzip", 12_000)),
        ("identity", None, opaque("identity", 30_000)),
    ] {
        for method in ["GET", "HEAD", "GET"] {
            let answer = worker.ask(method, "/assets/app.3f9ab2c1k0.js", &[("Accept-Encoding", accepted)]).expect(200);
            assert!(method == "HEAD" || answer.body == body, "{accepted}: {} bytes", answer.body.len());
            assert_eq!(answer.field("content-encoding"), coding);
            assert_eq!(answer.field("content-length"), Some(body.len().to_string().as_str()), "{method} {accepted}");
            assert_eq!(answer.field("cache-control"), Some("public, max-age=31536000, immutable"));
            assert_eq!(answer.field("content-type"), Some("text/javascript; charset=utf-8"));
            assert!(answer.field("x-request-id").is_some_and(|id| !id.is_empty()));
        }
    }
}

#[test]
fn an_asset_that_the_client_has_is_not_sent_again() {
    let Site { worker, _folder } = start(settings());
    let accepted = ("Accept-Encoding", "br");
    let first = worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &[accepted]).expect(200);
    let etag = first.field("etag").expect("a validator");
    let again = worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &[accepted, ("If-None-Match", etag)]).expect(304);
    assert_eq!(again.field("etag"), Some(etag));
    assert_eq!((again.field("content-length"), again.field("transfer-encoding")), (None, None));
}

#[test]
fn ranges_of_an_asset_are_cut_exactly() {
    let Site { worker, _folder } = start(settings());
    let whole = opaque("identity", 30_000);
    for (range, expected) in [("bytes=0-99", &whole[..100]), ("bytes=-7", &whole[29_993..])] {
        let fields = [("Accept-Encoding", "br"), ("Range", range)];
        let answer = worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &fields).expect(206);
        assert!(answer.body == expected, "{range}");
        assert_eq!(answer.field("content-encoding"), None);
    }
    let answer = worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &[("Range", "bytes=0-1,20000-20001")]).expect(206);
    assert!(answer.field("content-type").is_some_and(|kind| kind.starts_with("multipart/byteranges")));
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()));
    worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &[("Range", "bytes=40000-")]).expect(416);
}

#[test]
fn pages_are_served_and_what_is_missing_is_not() {
    let Site { worker, _folder } = start(settings());
    let answer = worker.get("/").expect(200);
    assert_eq!(answer.text(), "<!doctype html><title>shop</title>");
    assert_eq!(answer.field("cache-control"), Some("no-cache"));
    let missing = worker.get("/assets/app.0000000000.js").expect(404);
    assert_eq!(missing.field("cache-control"), Some("no-store"));
    for path in ["/_rimward/releases.json", "/%5frimward/releases.json", "/_RIMWARD/releases.json"] {
        worker.get(path).expect(404);
    }
}

#[test]
fn without_assets_the_answer_is_an_error_with_an_id() {
    let worker = Workerd::start(&Config { assets: None, ..site(worker(), None) });
    let answer = worker.get("/").expect(500);
    let id = answer.field("x-request-id").expect("an id").to_owned();
    assert!(answer.text().contains(&id), "{}", answer.text());
    worker.logs(&id);
}

#[test]
fn the_door_for_tests_is_not_shipped() {
    let Site { worker, _folder } = start(settings());
    worker.get("/probe/panic/").expect(404);
    assert!(!worker.log().contains("panic"), "{}", worker.log());
}

#[test]
fn a_route_is_for_some_hosts_methods_and_countries_and_asks_for_what_it_rewrites() {
    let echo = |name: &'static str| {
        Origin::start(move |exchange| {
            let line = exchange.request.line.clone();
            exchange.answer("200 OK", format!("{name}: {line}"));
        })
    };
    let (first, second) = (echo("first"), echo("second"));
    let mut settings = with_api(&first);
    let mut other = settings.pools.get("api").expect("a pool").clone();
    other.origins = vec![OriginSettings::new(&second.url(""))];
    settings.pools.insert("other".to_owned(), other);
    let condition = |text: &str| Condition::try_from(text.to_owned()).expect("a condition");
    let route = |conditions: &[&str], by: &str| Route {
        when: conditions.iter().map(|text| condition(text)).collect(),
        ..Route::by(Pattern::parse("/api/*").expect("a pattern"), By::try_from(by.to_owned()).expect("a pool"))
    };
    let path = Change::try_from("path /v2/:splat".to_owned()).expect("a change");
    settings.routes = vec![
        // Nobody's country is known here.
        route(&["countries DE"], "redirect 302 https://de.example/:splat"),
        route(&["hosts localhost"], "split other 1"),
        Route { rewrite: vec![path], ..route(&["methods POST"], "other") },
        route(&[], "api"),
    ];
    let Site { worker, _folder } = start(settings);
    assert_eq!(worker.get("/api/a").expect(200).text(), "first: GET /api/a HTTP/1.1");
    let posted = worker.ask("POST", "/api/a%2Fb?c=%20", &[("Content-Length", "0")]).expect(200);
    assert_eq!(posted.text(), "second: POST /v2/a%2Fb?c=%20 HTTP/1.1");
    let split = worker.ask("GET", "/api/a", &[("Host", "localhost")]).expect(200);
    assert_eq!(split.text(), "second: GET /api/a HTTP/1.1");
    assert!(split.field("set-cookie").is_some_and(|line| line.starts_with("rimward-split=")), "{split:?}");
}

#[test]
fn an_api_is_forwarded_both_ways() {
    let origin = Origin::start(|exchange| {
        let sent = exchange.read();
        exchange.answer("201 Created\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2", sent);
    });
    let Site { worker, _folder } = start(with_api(&origin));
    let mut client = Connection::open(worker.address);
    client.send("POST", "/api/orders?x=1", &[("Content-Length", "5")]);
    client.write(b"order");
    let (status, fields) = client.head();
    assert_eq!(status, 201);
    let all = |name: &str| -> Vec<&str> {
        fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!((all("content-encoding"), all("content-length")), (vec!["gzip"], vec!["5"]));
    assert_eq!(origin.request().path(), "/api/orders?x=1");
}

#[test]
fn an_origin_in_trouble_is_a_gateway_error() {
    let slow = Origin::start(|exchange| drop(exchange.read()));
    let Site { worker, _folder } = start(with_api(&slow));
    worker.get("/api/x").expect(504);

    let mut settings = with_api(&slow);
    let pool = settings.pools.get_mut("api").expect("the pool");
    pool.origins[0].url = format!("http://{}", crate::runtime::free_address());
    let Site { worker, _folder } = start(settings);
    let answer = worker.get("/api/x").expect(502);
    assert_eq!(answer.field("cache-control"), Some("no-store"));
}

#[test]
fn events_of_an_api_arrive_as_they_are_sent() {
    let origin = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("data: 1\n\n");
        std::thread::sleep(Duration::from_millis(400));
        exchange.chunk("data: 2\n\n");
        exchange.chunk("");
    });
    let Site { worker, _folder } = start(with_api(&origin));
    let mut client = Connection::open(worker.address);
    client.send("GET", "/api/events", &[("Accept", "text/event-stream")]);
    client.head();
    assert_eq!(client.chunk().as_deref(), Some(&b"data: 1\n\n"[..]));
    let first = Instant::now();
    assert_eq!(client.chunk().as_deref(), Some(&b"data: 2\n\n"[..]));
    assert!(first.elapsed() > Duration::from_millis(200), "both came at once");
    assert_eq!(client.chunk(), None);
}

#[test]
fn fifty_clients_at_once_are_served_alike() {
    let origin = Origin::start(|exchange| {
        let path = exchange.request.path().to_owned();
        exchange.answer("200 OK", path);
    });
    let Site { worker, _folder } = start(with_api(&origin));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..50 {
            let worker = &worker;
            scope.spawn(move || {
                let path = format!("/api/{number}");
                assert_eq!(worker.get(&path).expect(200).text(), path);
                let answer = worker.ask("GET", "/assets/app.3f9ab2c1k0.js", &[("Accept-Encoding", "br")]).expect(200);
                assert!(answer.body == opaque("brotli", 10_240));
            });
        }
    });
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn requests_wait_in_order_for_an_origin_that_has_as_many_as_it_bears() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counts, peak) = (Arc::clone(&under_way), Arc::clone(&most));
    let origin = Origin::start(move |exchange| {
        peak.fetch_max(counts.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(150));
        // It is under way until the end of its body, which is longer than what is read at once.
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        exchange.write(vec![b'a'; 50_000]);
        std::thread::sleep(Duration::from_millis(150));
        counts.fetch_sub(1, Ordering::SeqCst);
        exchange.write(vec![b'a'; 50_000]);
    });
    let mut settings = with_api(&origin);
    let pool = settings.pools.get_mut("api").expect("a pool");
    pool.timeout = Timeout { answer_ms: 5000, idle_ms: Some(5000), total_ms: Some(20_000) };
    pool.concurrency = Some(Concurrency { per_isolate: 2, queue: 2, queue_wait_ms: 5000 });
    let Site { worker, _folder } = start(settings);
    let address = worker.address;
    let asking: Vec<_> = (0..6)
        .map(|number| {
            std::thread::sleep(Duration::from_millis(20));
            std::thread::spawn(move || Connection::open(address).ask("GET", &format!("/api/{number}"), &[]))
        })
        .collect();
    let answers: Vec<Answer> = asking.into_iter().map(|asking| asking.join().expect("an answer")).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 503, 503]);
    assert!(answers[..4].iter().all(|answer| answer.whole && answer.body.len() == 100_000));
    assert_eq!(answers[5].field("retry-after"), Some("1"));
    assert_eq!(most.load(Ordering::SeqCst), 2);
    // Clients that leave in mid-body leave no room behind that nobody gets.
    for _ in 0..4 {
        let mut client = Connection::open(address);
        // An answer that is never read: whoever closes then resets the connection.
        client.send("GET", "/nothing", &[]);
        client.send("GET", "/api/left", &[]);
        std::thread::sleep(Duration::from_millis(60));
    }
    std::thread::sleep(Duration::from_secs(2));
    worker.get("/api/again").expect(200);
}

//! What is counted, and who may read it.

use std::time::{Duration, Instant};

use rimward::workerd::Config;
use rimward_edge::config::{CachePolicy, Route, Settings};
use rimward_edge::platform::FetchError;
use serde_json::json;

use crate::log::bearer;
use crate::origin::Origin;
use crate::published::publish;
use crate::runtime::{Workerd, site as on_workerd, worker};
use crate::workerd::with_api;
use crate::world::{Folder, Seen, Served, get, settings, site};

const SECRET: &str = "a-secret-of-the-metrics";

fn counted() -> Served {
    let changes = json!({
        "caches": { "api": { "stale_if_error_s": 600 } },
        "routes": [
            { "path": "/api/*", "pool": "api", "cache": "api" },
            { "path": "/plain/*", "pool": "api" },
        ],
    });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.variables.borrow_mut().insert("RIMWARD_METRICS_SECRET".into(), SECRET.into());
    served.world.counted.replace(Some(String::new()));
    served
}

fn read(served: &Served) -> Seen {
    served.ask(&get("/.rimward/metrics").with("authorization", &format!("Bearer {SECRET}")))
}

/// The samples that are there, without their comments.
#[track_caller]
/// All but what is told of pools.
fn samples(served: &Served) -> Vec<String> {
    let seen = read(served);
    assert_eq!((seen.status, seen.field("content-type").as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = seen.text();
    let is_told = |line: &&str| !line.starts_with('#') && !line.starts_with("rimward_pool_");
    text.lines().filter(is_told).map(str::to_owned).collect()
}

#[test]
fn every_answer_of_a_cached_route_is_counted_by_what_it_says() {
    let served = counted();
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("four"));
    served.get("/api/x");
    served.get("/api/x");
    served.get("/api/x");
    served.world.pass(Duration::from_secs(100));
    served.origin_fails(FetchError::Unreachable("refused".into()));
    served.get("/api/x");
    served.origin_fails(FetchError::Timeout(Duration::from_secs(1)));
    assert_eq!(served.get("/api/y").status, 504);
    served.ask(&get("/api/z").with("cache-control", "only-if-cached"));
    served.origin_says(404, &[], Some(""));
    served.ask(&crate::world::Sent::new("POST", "/api/x"));
    served.origin_says(200, &[], Some("not cached, not counted"));
    served.get("/plain/x");
    assert_eq!(
        samples(&served),
        [
            r#"rimward_cache_requests_total{route="/api/*",result="hit"} 2"#,
            r#"rimward_cache_requests_total{route="/api/*",result="method"} 1"#,
            r#"rimward_cache_requests_total{route="/api/*",result="refused"} 1"#,
            r#"rimward_cache_requests_total{route="/api/*",result="stale"} 1"#,
            r#"rimward_cache_requests_total{route="/api/*",result="uri-miss"} 2"#,
            r#"rimward_cache_stale_total{route="/api/*",reason="stale-if-error"} 1"#,
            r#"rimward_cache_stored_bytes_total{route="/api/*"} 4"#,
            r#"rimward_origin_requests_total{route="/api/*",status="2xx"} 1"#,
            r#"rimward_origin_requests_total{route="/api/*",status="none"} 2"#,
            r#"rimward_origin_seconds_total{route="/api/*"} 0.000"#,
        ]
    );
}

#[test]
fn routes_of_one_path_are_told_apart() {
    let route = |more: serde_json::Value| {
        let mut route = json!({ "path": "/api/*", "pool": "api", "cache": "api" });
        route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        route
    };
    let changes = json!({
        "caches": { "api": {} },
        "routes": [route(json!({ "when": ["hosts a.example"] })), route(json!({ "when": ["methods GET POST"] })), route(json!({}))],
    });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.variables.borrow_mut().insert("RIMWARD_METRICS_SECRET".into(), SECRET.into());
    served.world.counted.replace(Some(String::new()));
    for (method, url) in [("GET", "https://a.example/api/x"), ("GET", "/api/x"), ("POST", "/api/x"), ("PUT", "/api/x")]
    {
        served.origin_says(404, &[], Some(""));
        served.ask(&crate::world::Sent::new(method, url));
    }
    let counted = samples(&served);
    let requests: Vec<&str> =
        counted.iter().filter_map(|line| line.strip_prefix("rimward_cache_requests_total{route=\"")).collect();
    assert_eq!(
        requests,
        [
            r#"/api/* hosts a.example",result="uri-miss"} 1"#,
            r#"/api/* methods GET POST",result="method"} 1"#,
            r#"/api/* methods GET POST",result="uri-miss"} 1"#,
            r#"/api/*",result="method"} 1"#,
        ]
    );
}

#[test]
fn what_isolates_count_is_added_up() {
    let served = counted();
    for _ in 0..3 {
        let elsewhere = served.elsewhere();
        elsewhere.ask(&get("/api/z").with("cache-control", "only-if-cached"));
    }
    assert_eq!(samples(&served), [r#"rimward_cache_requests_total{route="/api/*",result="refused"} 3"#]);
}

#[test]
fn what_did_not_arrive_is_said_and_nobody_waits_for_it() {
    let served = counted();
    served.world.counting_fails.set(true);
    let lost = served.ask(&get("/api/z").with("cache-control", "only-if-cached"));
    assert_eq!(lost.status, 504);
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("what was counted is lost")));
    served.world.counting_fails.set(false);
    served.ask(&get("/api/z").with("cache-control", "only-if-cached"));
    assert_eq!(
        samples(&served),
        [r#"rimward_cache_requests_total{route="/api/*",result="refused"} 1"#, "rimward_metrics_lost_total 1"]
    );
}

#[test]
fn only_who_holds_the_secret_reads_it() {
    let served = counted();
    assert_eq!(served.get("/.rimward/metrics").status, 401);
    let other = get("/.rimward/metrics").with("authorization", "Bearer another-secret-than-that");
    assert_eq!(served.ask(&other).status, 401);
    let post = crate::world::Sent::new("POST", "/.rimward/metrics").with("authorization", &format!("Bearer {SECRET}"));
    assert_eq!(served.ask(&post).status, 405);
    served.world.counted.replace(None);
    let absent = read(&served);
    assert_eq!((absent.status, absent.field("cache-status").as_str()), (503, "rimward; detail=metrics-unreachable"));
    served.world.variables.borrow_mut().remove("RIMWARD_METRICS_SECRET");
    assert_eq!(read(&served).status, 404);
}

#[test]
fn counts_outlive_the_process() {
    let origin = Origin::start(|exchange| exchange.answer("200 OK\r\nCache-Control: max-age=60", "four"));
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("public");
    let mut settings = with_api(&origin);
    let route = settings.routes.remove(0);
    settings.routes.push(Route { cache: Some("api".into()), ..route });
    let policy: CachePolicy = serde_json::from_str("{}").unwrap();
    publish(&public, Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings }, &[], &[]);
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let mut config = Config { state: Some(state), ..on_workerd(worker(), Some(public)) };
    config.variables.insert("RIMWARD_METRICS_SECRET".to_owned(), SECRET.to_owned());
    let samples = |worker: &Workerd| {
        let answer = worker.ask("GET", "/.rimward/metrics", &[("Authorization", &bearer(SECRET))]).expect(200);
        answer.text().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        r#"rimward_cache_requests_total{route="/api/*",result="hit"} 2"#,
        r#"rimward_cache_requests_total{route="/api/*",result="uri-miss"} 1"#,
        r#"rimward_cache_stored_bytes_total{route="/api/*"} 4"#,
        r#"rimward_origin_requests_total{route="/api/*",status="2xx"} 1"#,
    ];
    let is_there = |found: &[String]| expected.iter().all(|sample| found.iter().any(|line| line == sample));
    let worker = Workerd::start(&config);
    for _ in 0..3 {
        worker.get("/api/x").expect(200);
    }
    let begun = Instant::now();
    while !is_there(&samples(&worker)) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", samples(&worker));
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(worker);
    let again = Workerd::start(&config);
    assert!(is_there(&samples(&again)), "{:?}", samples(&again));
}

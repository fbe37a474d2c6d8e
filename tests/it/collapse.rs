//! Many requests, one question to the origin: on bare `workerd`, where each request has a context of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rimward::workerd::Config;
use rimward_edge::config::{CachePolicy, Route, Settings, Timeout};
use tempfile::TempDir;

use crate::origin::{Exchange, Origin};
use crate::published::publish;
use crate::runtime::{Answer, Connection, Workerd, site, worker};
use crate::workerd::with_api;

const CLIENTS: usize = 200;

struct Cached {
    worker: Workerd,
    asked: Arc<AtomicUsize>,
    /// The most requests that were at the origin at once.
    at_once: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl Cached {
    /// A site whose `/api/*` is cached, before an origin that does `script` with the number of each request.
    #[track_caller]
    fn start(script: impl Fn(usize, &mut Exchange) + Send + Sync + 'static) -> Cached {
        let asked = Arc::<AtomicUsize>::default();
        let at_once = Arc::<AtomicUsize>::default();
        let (counter, most, present) = (Arc::clone(&asked), Arc::clone(&at_once), AtomicUsize::default());
        let origin = Origin::start(move |exchange| {
            most.fetch_max(present.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            script(counter.fetch_add(1, Ordering::SeqCst), exchange);
            present.fetch_sub(1, Ordering::SeqCst);
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let public = folder.path().join("public");
        publish(&public, settings(&origin), &[], &[]);
        let state = folder.path().join("state");
        std::fs::create_dir(&state).expect("a temporary folder");
        let worker = Workerd::start(&Config { state: Some(state), ..site(worker(), Some(public)) });
        // The site is read before the race begins.
        worker.get("/.rimward/health").expect(200);
        Cached { worker, asked, at_once, _folder: folder }
    }

    /// All answers to so many requests that are sent at once.
    fn ask_at_once(&self, clients: usize, path: &str) -> Vec<Answer> {
        let address = self.worker.address;
        let ask = || Connection::open(address).ask("GET", path, &[]);
        thread::scope(|scope| {
            let asking: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|client| client.join().expect("an answer")).collect()
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn settings(origin: &Origin) -> Settings {
    let mut settings = with_api(origin);
    let route = settings.routes.remove(0);
    settings.routes.push(Route { cache: Some("api".into()), ..route });
    let timeout = Timeout { answer_ms: 5000, idle_ms: Some(5000), total_ms: None };
    for (_, pool) in settings.pools.iter_mut() {
        pool.timeout = timeout;
        pool.retry.attempts = 0;
    }
    let policy: CachePolicy = serde_json::from_str("{}").expect("every member has a default");
    Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings }
}

fn pause() {
    thread::sleep(Duration::from_millis(700));
}

/// A body of which every part differs.
fn body() -> Vec<u8> {
    (0_u32..50_000).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn one_question_answers_all() {
    let site = Cached::start(|_, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: max-age=60", body());
    });
    let answers = site.ask_at_once(CLIENTS, "/api/x");
    assert_eq!(site.asked(), 1);
    let mut collapsed = 0;
    for answer in answers {
        let answer = answer.expect(200);
        assert!(answer.body == body(), "{} bytes", answer.body.len());
        assert_eq!(answer.field("content-length"), Some("200000"));
        collapsed += usize::from(answer.field("cache-status").is_some_and(|status| status.contains("; collapsed")));
    }
    assert_eq!(collapsed, CLIENTS - 1);
    let hit = site.worker.get("/api/x").expect(200);
    assert!(hit.field("cache-status").is_some_and(|status| status.starts_with("rimward; hit")), "{hit:?}");
    assert!(hit.body == body());
}

#[test]
fn the_first_client_may_go() {
    let site = Cached::start(|_, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: max-age=60", body());
    });
    let mut first = Connection::open(site.worker.address);
    first.send("GET", "/api/x", &[]);
    thread::sleep(Duration::from_millis(100));
    let leave = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        drop(first);
    });
    for answer in site.ask_at_once(100, "/api/x") {
        assert!(answer.expect(200).body == body());
    }
    leave.join().expect("a thread");
    assert_eq!(site.asked(), 1);
}

#[test]
fn a_slow_client_holds_nobody() {
    let large = vec![7; 3_000_000];
    let expected = large.clone();
    let site = Cached::start(move |_, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: max-age=60", &large);
    });
    let mut slow = Connection::open(site.worker.address);
    slow.send("GET", "/api/x", &[]);
    thread::sleep(Duration::from_millis(100));
    for answer in site.ask_at_once(5, "/api/x") {
        assert!(answer.expect(200).body == expected);
    }
    assert_eq!(site.asked(), 1);
}

#[test]
fn a_body_that_breaks_off_breaks_off_for_all_and_is_not_kept() {
    let site = Cached::start(|number, exchange| {
        pause();
        match number {
            0 => exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n\r\nshort"),
            1 => {
                exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
                exchange.chunk("short");
            }
            _ => exchange.answer("200 OK\r\nCache-Control: max-age=60", "whole"),
        }
    });
    for round in 1..=2 {
        for answer in site.ask_at_once(20, "/api/x") {
            assert!(!answer.whole, "round {round}: {answer:?}");
        }
        assert_eq!(site.asked(), round);
    }
    assert_eq!(site.worker.get("/api/x").expect(200).text(), "whole");
}

#[test]
fn an_origin_that_fails_is_asked_once() {
    let site = Cached::start(|_, _| pause());
    for answer in site.ask_at_once(CLIENTS, "/api/x") {
        assert_eq!(answer.status, 502, "{}", answer.text());
    }
    assert_eq!(site.asked(), 1);
}

#[test]
fn nobody_waits_twice_for_what_cannot_be_shared() {
    let site = Cached::start(|number, exchange| {
        pause();
        exchange.answer("200 OK\r\nCache-Control: private", format!("for {number}"));
    });
    let mut bodies: Vec<String> =
        site.ask_at_once(20, "/api/x").into_iter().map(|answer| answer.expect(200).text()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), site.asked()), (20, 20), "everyone has an answer of his own");
    site.at_once.store(0, Ordering::SeqCst);
    site.ask_at_once(20, "/api/x");
    assert_eq!(site.asked(), 40);
    let at_once = site.at_once.load(Ordering::SeqCst);
    assert!(at_once > 10, "{at_once} at once: one waited for another");
}

#[test]
fn a_long_body_is_passed_on_and_not_kept() {
    let site = Cached::start(|_, exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..160 {
            exchange.chunk(vec![1; 64 * 1024]);
        }
        exchange.chunk("");
    });
    for asked in 1..=2 {
        let answer = site.worker.get("/api/x").expect(200);
        assert_eq!(answer.body.len(), 160 * 64 * 1024);
        assert_eq!(site.asked(), asked);
    }
}

#[test]
fn what_is_kept_outlives_the_isolates_memory() {
    let site = Cached::start(|_, exchange| {
        exchange.answer("200 OK\r\nCache-Control: max-age=600\r\nX-Text: \u{e9}", body());
    });
    site.worker.get("/api/x").expect(200);
    // Enough to drive it out of memory, but not out of the data centre's cache.
    for number in 0..250 {
        site.worker.get(&format!("/api/other?{number}")).expect(200);
    }
    let answer = site.worker.get("/api/x").expect(200);
    assert!(answer.body == body());
    assert!(answer.field("cache-status").is_some_and(|status| status.starts_with("rimward; hit")), "{answer:?}");
    assert_eq!(site.asked(), 251);
}

#[test]
fn a_personal_request_sends_nobody_else_alone() {
    let site = Cached::start(|_, exchange| {
        let is_personal = exchange.request.field("authorization").is_some();
        pause();
        exchange.answer("200 OK\r\nCache-Control: max-age=60", if is_personal { "mine" } else { "everybody's" });
    });
    let address = site.worker.address;
    let ask_personally = move || Connection::open(address).ask("GET", "/api/x", &[("authorization", "Bearer x")]);
    // Before the others, and while they wait.
    assert_eq!(ask_personally().expect(200).text(), "mine");
    let personal = thread::spawn(ask_personally);
    thread::sleep(Duration::from_millis(50));
    let answers = site.ask_at_once(40, "/api/x");
    assert_eq!(personal.join().expect("an answer").expect(200).text(), "mine");
    for answer in answers {
        assert_eq!(answer.expect(200).text(), "everybody's");
    }
    assert_eq!(site.asked(), 3);
}

#[test]
fn bodies_of_unknown_length_are_kept_as_far_as_memory_allows() {
    const BODIES: usize = 12;
    let all_here = Arc::<AtomicUsize>::default();
    let here = Arc::clone(&all_here);
    let piece = vec![b'a'; 500_000];
    let site = Cached::start(move |_, exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
        here.fetch_add(1, Ordering::SeqCst);
        for number in 0..15 {
            exchange.chunk(&piece);
            let began = std::time::Instant::now();
            while number == 12 && here.load(Ordering::SeqCst) < BODIES && began.elapsed() < Duration::from_secs(10) {
                thread::sleep(Duration::from_millis(10));
            }
        }
        exchange.chunk("");
    });
    let address = site.worker.address;
    let ask = |number: usize| Connection::open(address).ask("GET", &format!("/api/{number}"), &[]);
    let lengths: Vec<usize> = thread::scope(|scope| {
        let asking: Vec<_> = (0..BODIES).map(|number| scope.spawn(move || ask(number))).collect();
        asking.into_iter().map(|client| client.join().expect("an answer").expect(200).body.len()).collect()
    });
    assert_eq!(lengths, [15 * 500_000; BODIES]);
    let is_hit = |number: &usize| ask(*number).field("cache-status").is_some_and(|status| status.contains("; hit"));
    let kept = (0..BODIES).filter(is_hit).count();
    assert!((1..=3).contains(&kept), "24 MB hold three of them: {kept} are kept");
}

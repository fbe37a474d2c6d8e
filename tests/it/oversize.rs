//! Origins that send too much, with real sockets on bare `workerd`: more than they said, more than a proxy bears, without end.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rimward_edge::config::{CachePolicy, Route, Settings, Timeout};

use crate::origin::{Exchange, Origin};
use crate::workerd::{Site, start, with_api};

/// `/api/*` goes to it by way of the cache, everything below `/plain/` past it.
fn both_ways(origin: &Origin) -> Settings {
    let mut settings = with_api(origin);
    settings.pools.get_mut("api").expect("a pool").timeout =
        Timeout { answer_ms: 2000, idle_ms: Some(2000), total_ms: Some(3000) };
    let route = settings.routes.remove(0);
    let plain = Route::new(rimward_edge::route::pattern::Pattern::parse("/plain/*").unwrap(), "api");
    settings.routes = vec![Route { cache: Some("api".into()), ..route }, plain];
    let policy: CachePolicy = serde_json::from_str("{}").unwrap();
    Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings }
}

#[test]
fn what_comes_behind_the_length_is_nobodys_answer() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&connections);
    let origin = Origin::start(move |exchange| {
        counts.fetch_add(1, Ordering::SeqCst);
        let more = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nwrong";
        exchange.write(format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nright{more}"));
        // The connection stays open, for whoever would use it again.
        exchange.read();
    });
    let Site { worker, _folder } = start(both_ways(&origin));
    for number in 0..6 {
        for path in ["/api", "/plain"] {
            let answer = worker.get(&format!("{path}/{number}")).expect(200);
            assert!(answer.whole && answer.body == b"right", "{answer:?}");
            assert_eq!(answer.field("content-length"), Some("5"));
        }
    }
    assert_eq!(worker.get("/api/0").expect(200).text(), "right", "what is kept, too");
    assert_eq!(connections.load(Ordering::SeqCst), 12, "no connection of it is used again");
}

#[test]
fn a_head_of_two_megabytes_is_no_answer_and_harms_nobody_else() {
    let origin = Origin::start(|exchange| {
        if exchange.request.path().ends_with("/huge") {
            let field = format!("X-Filler: {}\r\n", "x".repeat(1012));
            exchange.write(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nnever", field.repeat(2048)));
        } else {
            exchange.answer("200 OK", "right");
        }
    });
    let Site { worker, _folder } = start(both_ways(&origin));
    for path in ["/api", "/plain"] {
        let answer = worker.get(&format!("{path}/huge")).expect(502);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert!(answer.text().contains("could not be reached"), "{}", answer.text());
        assert_eq!(worker.get(&format!("{path}/x")).expect(200).text(), "right");
    }
    worker.logs("could not reach the origin: ");
}

#[test]
fn a_thousand_cookies_reach_the_client_whole_and_are_kept_for_nobody() {
    let cookies: Vec<String> = (0..1000).map(|number| format!("c{number}={number}; Path=/")).collect();
    let fields: Vec<String> = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    let fields = fields.concat();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let origin = Origin::start(move |exchange| {
        counts.fetch_add(1, Ordering::SeqCst);
        exchange.answer(&format!("200 OK\r\n{fields}Cache-Control: max-age=60"), "right");
    });
    let Site { worker, _folder } = start(both_ways(&origin));
    for path in ["/api/x", "/api/x", "/plain/x"] {
        let answer = worker.get(path).expect(200);
        assert_eq!(answer.all("set-cookie"), cookies, "{path}");
        assert_eq!(answer.text(), "right");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

fn without_end(exchange: &mut Exchange) {
    exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = [b"4000\r\n".as_slice(), &[b'a'; 0x4000], b"\r\n"].concat();
    let begun = Instant::now();
    // Whoever asked has left where it cannot be written any more.
    while begun.elapsed() < Duration::from_secs(15) && exchange.reader.get_mut().write_all(&piece).is_ok() {
        std::thread::sleep(Duration::from_millis(4));
    }
}

#[test]
fn a_body_without_end_breaks_off_at_the_limit_of_the_whole_and_is_not_kept() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let origin = Origin::start(move |exchange| {
        counts.fetch_add(1, Ordering::SeqCst);
        without_end(exchange);
    });
    let Site { worker, _folder } = start(both_ways(&origin));
    for path in ["/api/x", "/plain/x", "/api/x"] {
        let begun = Instant::now();
        let answer = worker.get(path);
        let took = begun.elapsed();
        assert_eq!(answer.status, 200);
        assert!(!answer.whole && !answer.body.is_empty(), "{path}: {} bytes", answer.body.len());
        assert!((Duration::from_secs(2)..Duration::from_secs(6)).contains(&took), "{path}: {took:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_body_that_is_longer_than_what_is_kept_passes_whole() {
    const LENGTH: usize = 9 << 20;
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let origin = Origin::start(move |exchange| {
        counts.fetch_add(1, Ordering::SeqCst);
        let body = vec![b'a'; LENGTH];
        if exchange.request.path().ends_with("/said") {
            return exchange.answer("200 OK\r\nCache-Control: max-age=60", body);
        }
        exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk(body);
        exchange.chunk("");
    });
    let Site { worker, _folder } = start(both_ways(&origin));
    for path in ["/api/said", "/api/said", "/api/unsaid", "/api/unsaid"] {
        let answer = worker.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.whole && answer.body.len() == LENGTH, "{path}: {} bytes", answer.body.len());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

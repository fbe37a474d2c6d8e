//! The shell on bare `workerd`, driven directly (`edge/src/shell/probe.rs`): what the platform does with what the core asks.

use std::path::Path;
use std::time::{Duration, Instant};

use rimward::workerd::{Config, Outbound};
use serde_json::json;
use tempfile::TempDir;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::origin::Origin;
use crate::runtime::{Answer, Connection, PATIENCE, Workerd, probe_worker, site};

/// Larger than what is kept at hand: it is streamed.
const LARGE: usize = 3 * 1024 * 1024 + 17;

fn assets() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    write("assets/small.bin", &bytes(10_240));
    write("assets/large.bin", &bytes(LARGE));
    write("assets/empty.txt", b"");
    write("assets/odd %2f ü #?@.txt", b"odd");
    write(".well-known/security.txt", b"Contact: nobody");
    folder
}

/// Bytes that no encoding makes and no two places share.
fn bytes(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(length).collect()
}

fn config(assets: &Path) -> Config {
    site(probe_worker(), Some(assets.to_owned()))
}

/// A Worker without assets: for what has to do with origins alone.
#[track_caller]
fn bare() -> Workerd {
    Workerd::start(&site(probe_worker(), None))
}

/// What the origin gave, as it arrives at the client.
#[track_caller]
fn forwarded(worker: &Workerd, origin: &Origin, fields: &[(&str, &str)]) -> Answer {
    let url = origin.url("/");
    worker.ask("GET", "/probe/fetch/", &[&[("x-url", url.as_str())], fields].concat())
}

#[test]
fn files_arrive_to_the_byte_from_the_disk_and_from_memory() {
    let folder = assets();
    let worker = Workerd::start(&config(folder.path()));
    for path in ["small.bin", "large.bin", "small.bin", "large.bin"] {
        let answer = worker.get(&format!("/probe/asset/assets/{path}")).expect(200);
        let expected = std::fs::read(folder.path().join("assets").join(path)).expect("a file");
        assert!(answer.body == expected, "{path}: {} bytes", answer.body.len());
        assert_eq!(answer.field("content-length"), Some(expected.len().to_string().as_str()), "{path}");
    }
    let answer = worker.get("/probe/asset/assets/empty.txt").expect(200);
    assert_eq!((answer.text().as_str(), answer.field("content-length")), ("", Some("0")));
}

#[test]
fn encoded_files_are_not_encoded_again() {
    let folder = assets();
    let worker = Workerd::start(&config(folder.path()));
    // The bytes are none of these codings: a platform that looked into them would fail.
    for coding in ["br", "gzip", "zstd", "br"] {
        for path in ["small.bin", "large.bin"] {
            let answer = worker.ask("GET", &format!("/probe/asset/assets/{path}"), &[("x-coding", coding)]).expect(200);
            assert_eq!(answer.all("content-encoding"), [coding], "{path}");
            assert!(answer.body == bytes(answer.body.len()), "{path} as {coding}");
            assert_eq!(answer.field("x-own"), Some("of this answer"));
        }
    }
}

#[test]
fn a_file_is_found_by_its_name_alone() {
    let folder = assets();
    let worker = Workerd::start(&config(folder.path()));
    // The path that the core asks for is what stands in the URL, percent-encoding and all: it is encoded once more.
    let get = |path: &str| worker.get(&format!("/probe/asset/{path}"));
    assert_eq!(get(".well-known/security.txt").expect(200).text(), "Contact: nobody");
    get("assets").expect(404);
    get("assets/").expect(404);
    get("").expect(404);
    get("assets/missing.js").expect(404);
    get("assets/small%2ebin").expect(404);
    get("assets/..%2f..%2fetc/passwd").expect(404);
    assert_eq!(worker.get("/probe/read/assets/small.bin").expect(200).text(), "Some(10240)");
    assert_eq!(worker.get("/probe/read/assets/none.bin").expect(200).text(), "None");
}

#[test]
fn without_a_binding_there_is_an_error_and_no_panic() {
    let worker = bare();
    for action in ["asset", "read"] {
        let answer = worker.get(&format!("/probe/{action}/assets/small.bin")).expect(500);
        assert_eq!(answer.text(), "the Worker has no `ASSETS` binding");
    }
}

#[test]
fn ranges_are_cut_out_of_bytes_and_of_streams() {
    let folder = assets();
    let worker = Workerd::start(&config(folder.path()));
    for (path, length) in [("small.bin", 10_240), ("large.bin", LARGE)] {
        let whole = bytes(length);
        let check = |ranges: &str, expected: &[u8]| {
            let answer = worker.ask("GET", &format!("/probe/slice/assets/{path}"), &[("x-ranges", ranges)]).expect(206);
            assert!(answer.body == expected, "{ranges} of {path}: {} bytes", answer.body.len());
            assert_eq!(answer.field("content-length"), Some(expected.len().to_string().as_str()), "{ranges} of {path}");
        };
        check("0-1", &whole[..1]);
        check("5000-5100", &whole[5000..5100]);
        check(&format!("{}-{length}", length - 1), &whole[length - 1..]);
        check(&format!("0-{length}"), &whole);
        check(
            "0-3,4090-4100,4100-10000",
            &[
                b"[0-3]",
                &whole[..3],
                b"[4090-4100]",
                &whole[4090..4100],
                b"[4100-10000]",
                &whole[4100..10_000],
                b"[end]",
            ]
            .concat(),
        );
    }
}

#[test]
fn requests_to_origins_leave_as_they_must() {
    let origin = Origin::start(|exchange| exchange.answer("302 Found\r\nLocation: /elsewhere", ""));
    let outbound = Outbound::Server { address: origin.address.to_string(), cf_field: "x-cf".into() };
    let worker = Workerd::start(&Config { outbound, ..site(probe_worker(), None) });
    let answer = worker.ask("GET", "/probe/fetch/", &[("x-url", "http://api.test/a?b=c"), ("x-mine", "1")]).expect(302);
    assert_eq!(answer.field("location"), Some("/elsewhere"), "redirects are not followed");

    let request = origin.request();
    assert_eq!(request.line, "GET /a?b=c HTTP/1.1");
    let mut fields = request.fields;
    let cf = fields.iter().position(|(name, _)| name == "x-cf").map(|place| fields.remove(place).1).unwrap_or_default();
    let cf: serde_json::Value = serde_json::from_str(&cf).expect("the platform tells its options as JSON");
    assert_eq!(cf, json!({"cacheTtlByStatus": {"100-599": -1}}), "the platform's own cache stays out");
    let expected = [("host", "api.test"), ("x-mine", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    fields.sort();
    assert_eq!(fields, expected, "nothing is added to the request");
}

#[test]
fn bodies_of_origins_arrive_to_the_byte() {
    let worker = bare();
    for coding in ["gzip", "br", "deflate", "zstd", "identity"] {
        for limits in [&[][..], &[("x-idle", "20000"), ("x-total", "60000")]] {
            // The bytes are none of these codings: whoever decodes them fails.
            let body = bytes(100_000);
            let sent = body.clone();
            let head = format!("200 OK\r\nContent-Encoding: {coding}\r\nContent-Type: text/html");
            let origin = Origin::start(move |exchange| exchange.answer(&head, &sent));
            let answer = forwarded(&worker, &origin, limits).expect(200);
            assert!(answer.body == body, "{coding}: {} bytes", answer.body.len());
            assert_eq!(answer.all("content-encoding"), [coding]);
            assert_eq!(answer.field("content-length"), Some("100000"), "{coding} {limits:?}");
        }
    }
}

#[test]
fn cookies_of_origins_stay_apart() {
    let origin = Origin::start(|exchange| {
        exchange.answer("200 OK\r\nSet-Cookie: a=1; Path=/, x\r\nSet-Cookie: b=2\r\nX-Text: gr\u{fc}n", "");
    });
    let answer = forwarded(&bare(), &origin, &[]).expect(200);
    assert_eq!(answer.all("set-cookie"), ["a=1; Path=/, x", "b=2"]);
    assert_eq!(answer.field("x-text"), Some("gr\u{fc}n"));
}

#[test]
fn heads_alone_keep_their_length() {
    let worker = bare();
    let origin = Origin::start(|exchange| exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"));
    let url = origin.url("/");
    let answer = worker.ask("HEAD", "/probe/fetch/", &[("x-url", &url)]).expect(200);
    assert_eq!(answer.field("content-length"), Some("12345"));

    for status in [204, 304] {
        let origin = Origin::start(move |exchange| {
            exchange.write(format!("HTTP/1.1 {status} Whatever\r\nETag: \"a\"\r\n\r\n"));
        });
        let answer = forwarded(&worker, &origin, &[]).expect(status);
        assert_eq!((answer.field("etag"), answer.body.len()), (Some("\"a\""), 0));
    }
}

#[test]
fn an_upload_is_not_collected_first() {
    let origin = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        loop {
            let bytes = exchange.read();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.is_empty() || text.contains("0\r\n\r\n") {
                return exchange.chunk("");
            }
            exchange.chunk(text.lines().filter(|line| line.starts_with("piece")).collect::<String>());
        }
    });
    let worker = bare();
    let mut client = Connection::open(worker.address);
    client.send("POST", "/probe/fetch/", &[("x-url", &origin.url("/")), ("Transfer-Encoding", "chunked")]);
    client.write(b"7\r\npiece 1\r\n");
    assert_eq!(client.head().0, 200, "the answer begins before the upload has ended");
    for number in 1..=3 {
        let piece = client.chunk().expect("a piece comes back");
        assert_eq!(String::from_utf8_lossy(&piece), format!("piece {number}"));
        client.write(format!("7\r\npiece {}\r\n", number + 1).as_bytes());
    }
    client.write(b"0\r\n\r\n");
}

#[test]
fn an_upload_keeps_its_length() {
    let origin = Origin::start(|exchange| {
        let mut received = Vec::new();
        while received.len() < 300_000 {
            received.extend(exchange.read());
        }
        exchange.answer("200 OK", if received == bytes(300_000) { "same" } else { "other" });
    });
    let worker = bare();
    let mut client = Connection::open(worker.address);
    client.send("PUT", "/probe/fetch/", &[("x-url", &origin.url("/")), ("Content-Length", "300000")]);
    client.write(&bytes(300_000));
    assert_eq!(client.head().0, 200);
    assert_eq!(origin.request().field("content-length"), Some("300000"));
}

#[test]
fn events_arrive_one_by_one_and_may_pause() {
    let origin = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for number in 0..3 {
            exchange.chunk(format!("data: {number}\n\n"));
            std::thread::sleep(Duration::from_millis(300));
        }
        exchange.chunk("");
    });
    let worker = bare();
    let mut client = Connection::open(worker.address);
    // Limits that an event stream would break are not for it.
    let fields = [("x-url", origin.url("/")), ("x-idle", "100".into()), ("x-total", "200".into())];
    client.send("GET", "/probe/fetch/", &fields.each_ref().map(|(name, value)| (*name, value.as_str())));
    client.head();
    let mut before = Instant::now();
    for number in 0..3 {
        let event = client.chunk().expect("an event");
        assert_eq!(String::from_utf8_lossy(&event), format!("data: {number}\n\n"));
        let pause = before.elapsed();
        assert!(
            number == 0 || pause > Duration::from_millis(100),
            "event {number} came {pause:?} after the one before"
        );
        before = Instant::now();
    }
    assert_eq!(client.chunk(), None);
}

#[test]
fn websockets_pass_both_ways() {
    let origin = Origin::start(|exchange| {
        let key = exchange.request.field("sec-websocket-key").unwrap_or_default().to_owned();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        exchange.write(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ));
        let stream = exchange.reader.get_ref().try_clone().expect("a socket");
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        while let Ok(message) = socket.read() {
            if message.is_text() || message.is_binary() {
                socket.send(message).expect("the client listens");
            }
        }
    });
    let worker = bare();
    let stream = std::net::TcpStream::connect(worker.address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = tungstenite::http::Request::builder()
        .uri(format!("ws://{}/probe/fetch/", worker.address))
        .header("x-url", origin.url("/"))
        .header("Host", "shop.test")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key())
        .body(())
        .expect("a request");
    let (mut socket, response) = tungstenite::client(request, stream).expect("a handshake");
    assert_eq!(response.status(), 101);
    for message in [Message::text("hello"), Message::binary(bytes(100_000)), Message::text("again")] {
        socket.send(message.clone()).expect("the worker listens");
        assert_eq!(socket.read().expect("an echo"), message);
    }
    socket.close(None).expect("an open socket");
}

#[test]
fn an_origin_that_does_not_answer_is_late() {
    let origin = Origin::start(|exchange| drop(exchange.read()));
    let answer = forwarded(&bare(), &origin, &[("x-answer", "150")]).expect(502);
    assert_eq!(answer.text(), "no answer within 150ms");
}

#[test]
fn an_origin_that_is_dead_cannot_be_reached() {
    let worker = bare();
    let nobody = format!("http://{}/", crate::runtime::free_address());
    let answer = worker.ask("GET", "/probe/fetch/", &[("x-url", &nobody)]).expect(502);
    assert!(answer.text().starts_with("could not reach the origin: "), "{}", answer.text());

    let rude = Origin::start(|exchange| exchange.write("SSH-2.0-OpenSSH_9.2\r\n"));
    let answer = forwarded(&worker, &rude, &[]).expect(502);
    assert!(answer.text().starts_with("could not reach the origin: "), "{}", answer.text());
}

#[test]
fn a_body_that_breaks_off_breaks_the_clients_off() {
    let worker = bare();
    let cut = Origin::start(|exchange| exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"));
    let chunked = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("only this");
    });
    for origin in [cut, chunked] {
        for limits in [&[][..], &[("x-idle", "20000")], &[("x-total", "20000")]] {
            let answer = forwarded(&worker, &origin, limits);
            assert!(answer.status == 200 && !answer.whole, "a clean end after {limits:?}: {answer:?}");
        }
    }
}

#[test]
fn a_body_past_its_limits_breaks_off() {
    let worker = bare();
    let slow = || {
        Origin::start(|exchange| {
            exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for _ in 0..10 {
                exchange.chunk("piece");
                std::thread::sleep(Duration::from_millis(200));
            }
            exchange.chunk("");
        })
    };
    assert_eq!(forwarded(&worker, &slow(), &[("x-idle", "5000")]).expect(200).text(), "piece".repeat(10));
    for limit in [("x-idle", "80"), ("x-total", "500")] {
        let answer = forwarded(&worker, &slow(), &[limit]);
        assert!(!answer.whole && answer.text().starts_with("piece"), "{limit:?}: {answer:?}");
    }
}

#[test]
fn a_panic_fails_its_own_request_alone() {
    let origin = Origin::start(|exchange| {
        std::thread::sleep(Duration::from_millis(1500));
        exchange.answer("200 OK", "slow but whole");
    });
    let worker = bare();
    let url = origin.url("/");
    let mut slow = Connection::open(worker.address);
    slow.send("GET", "/probe/fetch/", &[("x-url", &url)]);
    origin.request();

    for fault in ["panic", "panic-later", "stack"] {
        let answer = worker.get(&format!("/probe/{fault}/")).expect(500);
        let id = answer.field("x-request-id").expect("an id").to_owned();
        assert!(answer.text().contains(&id), "{}", answer.text());
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        worker.logs(&format!("request {id} failed"));
        // Under the borrow that the panic left behind, this one would panic too.
        worker.get("/probe/facts/").expect(200);
    }
    worker.logs("a panic on purpose");
    worker.logs("a later panic on purpose");

    let answer = slow.answer().expect(200);
    assert!(answer.whole, "the request that was under way finishes");
    assert_eq!(answer.text(), "slow but whole");
}

#[test]
fn many_at_once_get_their_own_answers() {
    let folder = assets();
    let worker = Workerd::start(&config(folder.path()));
    let origin = Origin::start(|exchange| {
        let path = exchange.request.path().to_owned();
        std::thread::sleep(Duration::from_millis(50));
        exchange.answer("200 OK", path);
    });
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (worker, url) = (&worker, origin.url(&format!("/{number}")));
            scope.spawn(move || {
                let answer = worker.ask("GET", "/probe/fetch/", &[("x-url", &url)]).expect(200);
                assert_eq!(answer.text(), format!("/{number}"));
                let answer = worker.get("/probe/asset/assets/small.bin").expect(200);
                assert!(answer.body == bytes(10_240));
            });
        }
    });
}

#[test]
fn a_client_that_leaves_is_let_go() {
    let (left, has_left) = std::sync::mpsc::channel();
    let origin = Origin::start(move |exchange| {
        // Never answers: it sees the other side leave, for nobody waits for it any more.
        assert!(exchange.read().is_empty());
        let _ = left.send(());
    });
    let worker = bare();
    let url = origin.url("/");
    let clients: Vec<Connection> = (0..5)
        .map(|_| {
            let mut client = Connection::open(worker.address);
            // An answer that is never read: whoever closes then resets the connection. A mere end of what is sent could as
            // well be a client that still listens, and is taken for one.
            client.send("GET", "/probe/facts/", &[]);
            // No limit of time may be what ends it.
            client.send("GET", "/probe/fetch/", &[("x-url", &url), ("x-answer", "600000")]);
            origin.request();
            client
        })
        .collect();
    assert_eq!(worker.get("/probe/waiting/").expect(200).text(), "5");
    drop(clients);
    for _ in 0..5 {
        has_left.recv_timeout(PATIENCE).expect("the request to the origin ends too");
    }
    let until = Instant::now() + PATIENCE;
    while worker.get("/probe/waiting/").expect(200).text() != "0" {
        assert!(Instant::now() < until, "what was kept for those who left is never let go");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn deferred_work_goes_on_after_the_answer() {
    let origin = Origin::start(|exchange| exchange.answer("200 OK", ""));
    let worker = bare();
    let url = origin.url("/deferred");
    assert_eq!(worker.ask("GET", "/probe/defer/", &[("x-url", &url)]).expect(202).text(), "later");
    assert_eq!(origin.request().path(), "/deferred");
}

#[test]
fn the_clients_facts_are_the_platforms_where_it_has_them() {
    let config = Config { cf_field: Some("x-cf".into()), ..site(probe_worker(), None) };
    let variables = [("GREETING".to_owned(), "hello".to_owned())].into();
    let worker = Workerd::start(&Config { variables, ..config });
    let facts = |fields: &[(&str, &str)]| worker.ask("GET", "/probe/facts/GREETING", fields).expect(200).text();

    let cf = r#"{"clientAcceptEncoding": "zstd", "clientIp": "[2001:db8::1]:443"}"#;
    let told = facts(&[("x-cf", cf), ("Accept-Encoding", "br, gzip")]);
    assert!(told.starts_with(r#"Some("zstd") Some("2001:db8::1") Some("hello") "#), "{told}");
    let untold = facts(&[("Accept-Encoding", "br;q=0.5")]);
    assert!(untold.starts_with(r#"Some("br;q=0.5") "#), "{untold}");
    assert_ne!(told.split(' ').nth(3), untold.split(' ').nth(3), "randomness repeats");
}

#[test]
fn what_breaks_off_while_it_is_awaited_is_no_answer() {
    let worker = bare();
    let says = |text: &'static str| Origin::start(move |exchange| exchange.write(text));
    let hold = ("x-hold", "65536");
    let total = ("x-total", "5000");
    for (origin, why) in [
        (says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"), ""),
        (says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n"), ""),
        (says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk"), ""),
        (says("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"), ""),
        (
            says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"),
            "it is not encoded as it says",
        ),
    ] {
        let answer = forwarded(&worker, &origin, &[hold, total]).expect(502);
        let expected = format!("the answer broke off: {why}");
        assert!(answer.text().starts_with(&expected), "{}", answer.text());
    }
    let late = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        std::thread::sleep(Duration::from_secs(2));
    });
    let answer = forwarded(&worker, &late, &[hold, total, ("x-answer", "300")]).expect(502);
    assert_eq!(answer.text(), "no answer within 300ms");
}

#[test]
fn what_is_awaited_comes_as_it_was_sent() {
    let worker = bare();
    let limits = [("x-hold", "65536"), ("x-total", "9000")];
    let gzip = [&[0x1f, 0x8b][..], &bytes(500)].concat();
    let sent = gzip.clone();
    let short = Origin::start(move |exchange| exchange.answer("200 OK\r\nContent-Encoding: gzip", sent.clone()));
    let answer = forwarded(&worker, &short, &limits).expect(200);
    assert!(answer.whole && answer.body == gzip && answer.field("content-encoding") == Some("gzip"), "{answer:?}");
    // Longer than what is awaited, and without a length, with pauses longer than anybody awaits.
    let long = Origin::start(|exchange| exchange.answer("200 OK", bytes(300_000)));
    assert!(forwarded(&worker, &long, &limits).expect(200).body == bytes(300_000));
    let stream = Origin::start(|exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..4 {
            exchange.chunk("piece");
            std::thread::sleep(Duration::from_millis(150));
        }
        exchange.chunk("");
    });
    let mut client = Connection::open(worker.address);
    let url = stream.url("/");
    client.send("GET", "/probe/fetch/", &[("x-url", &url), limits[0], limits[1]]);
    let began = Instant::now();
    assert_eq!(client.head().0, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"piece"[..]));
    assert!(began.elapsed() < Duration::from_millis(400), "the first piece does not wait for the others");
    let rest: Vec<u8> = std::iter::from_fn(|| client.chunk()).flatten().collect();
    assert_eq!(rest, b"piecepiecepiece");
}

//! How long a request has its room at an origin that bears few at a time, on bare `workerd`: until the end of what it asked for.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rimward_edge::config::{CachePolicy, Concurrency, Route, Settings, Timeout};
use rimward_edge::route::pattern::Pattern;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::log::until;
use crate::origin::{Exchange, Origin};
use crate::runtime::{Connection, PATIENCE};
use crate::workerd::{Site, start, with_api};

/// An origin that bears one request at a time, and nobody waits for it.
fn with_one_at_a_time(origin: &Origin) -> Settings {
    let mut settings = with_api(origin);
    let pool = settings.pools.get_mut("api").expect("a pool");
    pool.timeout = Timeout { answer_ms: 5000, idle_ms: Some(5000), total_ms: Some(20_000) };
    pool.concurrency = Some(Concurrency { per_isolate: 1, queue: 0, queue_wait_ms: 1 });
    settings
}

/// Sends every message back, until a text asks it to go.
pub(crate) fn echo(exchange: &mut Exchange) {
    let key = exchange.request.field("sec-websocket-key").unwrap_or_default().to_owned();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    exchange.write(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nX-Of: origin\r\n\r\n"
    ));
    let stream = exchange.reader.get_ref().try_clone().expect("a socket");
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    while let Ok(message) = socket.read() {
        if message == Message::text("go") {
            let frame = CloseFrame { code: CloseCode::Library(4001), reason: "as asked".into() };
            let _ = socket.close(Some(frame));
        } else if message.is_text() || message.is_binary() {
            let _ = socket.send(message);
        }
    }
}

pub(crate) fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = tungstenite::http::Request::builder()
        .uri(format!("ws://{address}/api/live"))
        .header("Host", "shop.test")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key())
        .body(())
        .expect("a request");
    let (socket, response) = tungstenite::client(request, stream).expect("a handshake");
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["x-of"], "origin");
    socket
}

pub(crate) fn status(address: SocketAddr) -> u16 {
    Connection::open(address).ask("GET", "/api/x", &[]).status
}

#[test]
fn a_websocket_has_its_room_until_either_side_ends_it() {
    let origin = Origin::start(|exchange| match exchange.request.field("upgrade") {
        Some(_) => echo(exchange),
        None => exchange.answer("200 OK\r\nCache-Control: no-store", "ok"),
    });
    let Site { worker, _folder } = start(with_one_at_a_time(&origin));
    let address = worker.address;
    assert_eq!(status(address), 200);
    for ends in ["the client", "the origin", "nobody says a word"] {
        let mut socket = connect(address);
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for message in [Message::text("hello, ü"), Message::binary(bytes), Message::text("")] {
            socket.send(message.clone()).expect("the worker listens");
            assert_eq!(socket.read().expect("an echo"), message);
        }
        assert_eq!(status(address), 503, "it is under way");
        match ends {
            "the client" => {
                socket.close(None).expect("an open socket");
                while socket.read().is_ok() {}
            }
            "the origin" => {
                socket.send(Message::text("go")).expect("the worker listens");
                let Ok(Message::Close(Some(frame))) = socket.read() else { panic!("it is closed") };
                assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "as asked"));
            }
            _ => drop(socket),
        }
        until(ends, || (status(address) == 200).then_some(()));
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_body_gives_its_room_back() {
    let origin = Origin::start(|exchange| match exchange.request.path().to_owned().as_str() {
        "/api/x" => exchange.answer("200 OK\r\nCache-Control: no-store", "ok"),
        path => {
            let kind = if path == "/api/events" { "text/event-stream" } else { "text/plain" };
            exchange.write(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"));
            for _ in 0..3 {
                exchange.chunk("data: 1\n\n");
                std::thread::sleep(Duration::from_millis(50));
            }
            // A stream of events is silent from then on.
            let began = Instant::now();
            while path != "/api/events" && began.elapsed() < Duration::from_secs(8) {
                exchange.chunk(vec![b'a'; 1000]);
                std::thread::sleep(Duration::from_millis(20));
            }
            exchange.read();
        }
    });
    let mut settings = with_one_at_a_time(&origin);
    let cached = Route::new(Pattern::parse("/api/cached/*").expect("a pattern"), "api");
    settings.routes.insert(0, Route { cache: Some("api".into()), ..cached });
    let policy: CachePolicy = serde_json::from_str("{}").unwrap();
    let settings = Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings };
    let Site { worker, _folder } = start(settings);
    let address = worker.address;
    for path in ["/api/slow", "/api/cached/slow", "/api/events"] {
        let mut leaves = Connection::open(address);
        leaves.send("GET", path, &[]);
        leaves.head();
        // With bytes that nobody read a connection ends with a reset.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(status(address), 503, "{path} is under way");
        drop(leaves);
        until(path, || (status(address) == 200).then_some(()));
    }
}

#[test]
fn what_comes_by_way_of_the_shield_has_its_room_until_its_end() {
    let goes_on = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&goes_on);
    let origin = Origin::start(move |exchange| {
        exchange.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 200000\r\n\r\n");
        exchange.write(vec![b'a'; 100_000]);
        let begun = Instant::now();
        while !told.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        exchange.write(vec![b'a'; 100_000]);
    });
    let mut settings = with_one_at_a_time(&origin);
    let route = settings.routes.remove(0);
    settings.routes.push(Route { cache: Some("api".into()), shield: true, ..route });
    let policy: CachePolicy = serde_json::from_str("{}").unwrap();
    let settings = Settings { caches: [("api".to_owned(), policy)].into_iter().collect(), ..settings };
    let Site { worker, _folder } = start(settings);
    let address = worker.address;
    let mut first = Connection::open(address);
    first.send("GET", "/api/first", &[]);
    origin.request();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(status(address), 503, "it is under way");
    goes_on.store(true, Ordering::SeqCst);
    let answer = first.answer().expect(200);
    assert_eq!(answer.body.len(), 200_000);
    until("there is room", || (status(address) == 200).then_some(()));
}

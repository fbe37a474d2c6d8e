//! Where a message begins and ends, on bare `workerd`: what the runtime settles before the Worker sees anything.

use crate::origin::{Exchange, Origin};
use crate::published::publish;
use crate::runtime::{Connection, Workerd, site, worker};
use crate::workerd::with_api;

struct Place {
    worker: Workerd,
    origin: Origin,
    _folder: tempfile::TempDir,
}

fn start(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Place {
    let origin = Origin::start(script);
    let folder = tempfile::tempdir().expect("a temporary folder");
    publish(folder.path(), with_api(&origin), &[], &[]);
    let worker = Workerd::start(&site(worker(), Some(folder.path().to_owned())));
    Place { worker, origin, _folder: folder }
}

fn status_of(place: &Place, request: &str) -> u16 {
    let mut connection = Connection::open(place.worker.address);
    connection.write(request.as_bytes());
    connection.head().0
}

#[test]
fn two_lengths_and_two_hosts_are_refused() {
    let place = start(|exchange| exchange.answer("200 OK", "reached"));
    let lengths = "POST /api/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde";
    assert_eq!(status_of(&place, lengths), 400);
    let hosts = "GET /api/x HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
    assert_eq!(status_of(&place, hosts), 400);
    let whole_way = "GET /api/x HTTP/1.1\r\nHost: a.test\r\nConnection: Host\r\n\r\n";
    assert_eq!(status_of(&place, whole_way), 400);
}

#[test]
fn of_a_length_and_chunks_only_the_chunks_reach_the_origin() {
    let place = start(|exchange| {
        let body = exchange.read();
        exchange.answer("200 OK", body);
    });
    let both = "POST /api/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let mut connection = Connection::open(place.worker.address);
    connection.write(both.as_bytes());
    let (status, _) = connection.head();
    assert!(matches!(status, 200 | 400), "{status}");
    if status == 200 {
        let request = place.origin.request();
        let framed = (request.field("transfer-encoding").is_some(), request.field("content-length").is_some());
        assert_ne!(framed, (true, true), "both went on");
    }
}

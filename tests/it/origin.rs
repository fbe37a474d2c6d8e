//! A scripted origin: what it does with each connection, the test says, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::runtime::PATIENCE;

/// An origin on a port of its own, until the tests' process ends.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    requests: Mutex<Receiver<Request>>,
}

/// The head of a request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `GET /path HTTP/1.1`.
    pub(crate) line: String,
    /// In order, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
}

impl Request {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The path, with its query.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

/// One request's connection: its body can be read, its answer written.
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) reader: BufReader<TcpStream>,
}

impl Exchange {
    /// Exactly these bytes.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // Whoever asked may have left.
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
    }

    /// A whole answer with a length. `head` is the status and fields, without the last line's end.
    pub(crate) fn answer(&mut self, head: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.write(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()));
        self.write(body);
    }

    /// One piece of a chunked body; the empty one ends it.
    pub(crate) fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.write([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
    }

    /// The next bytes of what is sent, as soon as there are any; none when whoever asked has left.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let length = self.reader.read(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }
}

impl Origin {
    /// Starts an origin that does `script` with each request. A connection serves one request.
    pub(crate) fn start(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Origin {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, requests) = channel();
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, sender) = (Arc::clone(&script), sender.clone());
                std::thread::spawn(move || exchange(stream, &*script, &sender));
            }
        });
        Origin { address, requests: Mutex::new(requests) }
    }

    /// A URL of this origin.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that arrived.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests.lock().expect("one test");
        requests.recv_timeout(PATIENCE).expect("a request arrives at the origin")
    }
}

fn exchange(stream: TcpStream, script: &impl Fn(&mut Exchange), sender: &Sender<Request>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    let Some(request) = read_head(&mut reader) else { return };
    let _ = sender.send(request.clone());
    script(&mut Exchange { request, reader });
}

fn read_head(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = reader.lines();
    let line = lines.next()?.ok()?;
    let mut fields = Vec::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Request { line, fields })
}

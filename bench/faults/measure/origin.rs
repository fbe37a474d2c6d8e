//! An origin over raw sockets, whose fault can be switched while it serves.

use std::collections::HashMap;
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::{FLAP, Fault, Line, Then, answer};
use super::free_port;

/// The length of each body.
const BODY: usize = 10 * 1024;
/// Requests longer than this are none of ours.
const HEAD_LIMIT: usize = 16 * 1024;
/// Connections have little to remember.
const STACK: usize = 128 * 1024;
/// Nobody may keep a thread of ours for longer than this.
const PATIENCE: Duration = Duration::from_mins(1);

/// The one right body of a path: its bytes are made from it.
pub(crate) fn body_of(path: &str) -> Vec<u8> {
    let mut seed = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut body = Vec::with_capacity(BODY);
    while body.len() < BODY {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let _ = writeln!(body, "{:015x}", mixed(seed) >> 4);
    }
    body
}

/// The last step of a small generator of random numbers (`SplitMix64`).
fn mixed(seed: u64) -> u64 {
    let once = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

/// A running origin. It ends with this value.
pub(crate) struct Origin {
    /// Where it listens, or would.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    connections: Mutex<HashMap<u64, TcpStream>>,
    asked: AtomicU64,
    line: Line,
}

struct State {
    fault: Fault,
    /// Counts switches: who was started for one knows when it is over.
    turn: u64,
    /// Whether somebody should listen, and whether somebody does.
    open: bool,
    listens: bool,
    over: bool,
}

impl Origin {
    /// Starts one that is well.
    pub(crate) fn start() -> Result<Origin, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let state = State { fault: Fault::None, turn: 0, open: true, listens: false, over: false };
        let shared = Arc::new(Shared {
            address,
            state: Mutex::new(state),
            changed: Condvar::new(),
            connections: Mutex::default(),
            asked: AtomicU64::new(0),
            line: Line::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&accepting));
        let origin = Origin { address, shared };
        origin.shared.listen(true);
        Ok(origin)
    }

    /// How many requests have arrived.
    pub(crate) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// From now on it has this fault. Answers that have begun go on as they began, but where connections close.
    pub(crate) fn switch(&self, fault: Fault) {
        let turn = {
            let mut state = self.shared.state();
            state.fault = fault;
            state.turn += 1;
            state.turn
        };
        self.shared.listen(!matches!(fault, Fault::Refuse | Fault::Flap));
        if fault == Fault::Flap {
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || flap(&shared, turn));
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.turn += 1;
            state.over = true;
        }
        self.shared.listen(false);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens or closes its door, and waits until that is so. Behind a closed door no connection is left.
    fn listen(&self, open: bool) {
        self.state().open = open;
        self.changed.notify_all();
        if !open {
            // Whoever waits for a connection sees the change when one comes.
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        }
        let reached = |state: &mut State| state.listens != open;
        let _ = self.changed.wait_timeout_while(self.state(), Duration::from_secs(5), reached);
        if !open {
            for (_, stream) in self.connections().drain() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn accept(shared: &Arc<Shared>) {
    let mut number = 0;
    loop {
        {
            let closed = |state: &mut State| !state.open && !state.over;
            let state = shared.changed.wait_while(shared.state(), closed);
            if state.unwrap_or_else(PoisonError::into_inner).over {
                return;
            }
        }
        let Ok(listener) = TcpListener::bind(shared.address) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        shared.state().listens = true;
        shared.changed.notify_all();
        for stream in listener.incoming().flatten() {
            if !shared.state().open {
                break;
            }
            number += 1;
            let shared = Arc::clone(shared);
            let serve = move || serve(stream, number, &shared);
            // Without a thread for it the connection closes, as it would at any origin with too much to do.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn(serve);
        }
        drop(listener);
        shared.state().listens = false;
        shared.changed.notify_all();
    }
}

fn flap(shared: &Shared, turn: u64) {
    let mut open = false;
    loop {
        let same = |state: &mut State| state.turn == turn;
        let waited = shared.changed.wait_timeout_while(shared.state(), FLAP, same);
        if waited.is_ok_and(|(state, _)| state.turn != turn) {
            return;
        }
        open = !open;
        shared.listen(open);
        // A switch that came meanwhile knows best.
        let state = shared.state();
        if state.turn != turn {
            let open = !state.over && !matches!(state.fault, Fault::Refuse | Fault::Flap);
            drop(state);
            shared.listen(open);
            return;
        }
    }
}

fn serve(mut stream: TcpStream, number: u64, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let Ok(known) = stream.try_clone() else { return };
    shared.connections().insert(number, known);
    while let Ok(Some(request)) = Request::peek(&stream) {
        let chance = mixed(shared.asked.fetch_add(1, Ordering::Relaxed) ^ u64::from(shared.address.port()) << 32);
        let fault = shared.state().fault;
        let then = answer(fault, &mut stream, &request, &shared.line, chance);
        if request.is_last || !matches!(then, Ok(Then::Go)) {
            break;
        }
    }
    // Both must go before the socket closes.
    shared.connections().remove(&number);
    drop(stream);
}

/// The head of a request that waits in its socket.
pub(super) struct Request {
    pub(super) path: String,
    if_none_match: Option<String>,
    /// Whoever sent it wants no other on this connection.
    is_last: bool,
    length: usize,
}

impl Request {
    /// Waits for one. It stays in the socket, where it does no harm but to whoever closes it.
    fn peek(stream: &TcpStream) -> io::Result<Option<Request>> {
        let mut bytes = vec![0; HEAD_LIMIT];
        let mut seen = 0;
        loop {
            let length = stream.peek(&mut bytes)?;
            if length == 0 || length == HEAD_LIMIT {
                return Ok(None);
            }
            if let Some(end) = bytes[..length].windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Request::read(&bytes[..end + 4]));
            }
            if length == seen {
                // The rest has not come yet, and the socket wakes for what is there already.
                std::thread::sleep(Duration::from_millis(1));
            }
            seen = length;
        }
    }

    fn read(head: &[u8]) -> Option<Request> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let first = lines.next()?;
        let path = first.split(' ').nth(1)?.to_owned();
        let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let field = |name: &str| {
            let found = fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let is_last = first.ends_with("HTTP/1.0") || field("connection").is_some_and(|value| value == "close");
        let if_none_match = field("if-none-match");
        Some(Request { path, if_none_match, is_last, length: head.len() })
    }

    /// Takes it out of the socket.
    pub(super) fn take(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.read_exact(&mut vec![0; self.length])
    }

    /// Whether whoever asks has the right body already.
    pub(super) fn has_it(&self) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.contains(&self.etag()))
    }

    fn etag(&self) -> String {
        format!("\"{:x}\"", mixed(self.path.bytes().fold(7, |hash, byte| hash * 31 % 0xffff_fffb + u64::from(byte))))
    }

    /// How long it may be kept.
    fn freshness(&self) -> &'static str {
        if self.path.starts_with("/cached/") { "max-age=1" } else { "no-store" }
    }

    /// The head of an answer with the right bytes. `extra` is whole lines.
    pub(super) fn head(&self, status: &str, length: usize, extra: &str) -> String {
        self.head_of_another(status, length, &format!("ETag: {}\r\n{extra}", self.etag()))
    }

    /// The head of one with other bytes: nobody shall take these for the right ones by their validator.
    pub(super) fn head_of_another(&self, status: &str, length: usize, extra: &str) -> String {
        let freshness =
            if status.starts_with("200") { format!("Cache-Control: {}\r\n", self.freshness()) } else { String::new() };
        format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{freshness}{extra}\r\n")
    }

    pub(super) fn chunked_head(&self) -> String {
        let (freshness, etag) = (self.freshness(), self.etag());
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nCache-Control: {freshness}\r\nETag: {etag}\r\n\r\n"
        )
    }

    pub(super) fn not_modified(&self) -> String {
        format!("HTTP/1.1 304 Not Modified\r\nCache-Control: {}\r\nETag: {}\r\n\r\n", self.freshness(), self.etag())
    }
}

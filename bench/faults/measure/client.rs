//! One client: a connection that is kept, requests one after the other, and what became of each.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::origin::body_of;

/// Later than this an answer is not a good one, whatever it says.
pub(crate) const GOOD_WITHIN: Duration = Duration::from_secs(2);
/// After this a client leaves.
const PATIENCE: Duration = Duration::from_secs(8);
/// What browsers read of a head.
const HEAD_LIMIT: usize = 256 * 1024;
/// What is read beyond a body's right end, before it counts as too long.
const BODY_SLACK: usize = 64 * 1024;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// 200 with the right bytes, in time.
    Good,
    /// The same, too late.
    Late,
    /// 200 with other bytes, or with bytes that say they are something else, and no sign of trouble.
    Wrong,
    /// An answer that says that it is none.
    Status(u16),
    /// An answer that broke off, or that cannot be read.
    Broken,
    /// None at all.
    Nothing,
    /// None in time.
    Silence,
}

/// A client of one server.
pub(crate) struct Client {
    address: SocketAddr,
    kept: Option<Wire>,
}

impl Client {
    /// It connects when it first asks.
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client { address, kept: None }
    }

    /// `GET path`, which should have been asked at `due`.
    pub(crate) fn ask(&mut self, path: &str, due: Instant) -> Outcome {
        let deadline = due + PATIENCE;
        let answer = match self.kept.take() {
            Some(wire) => match self.ask_on(wire, path, deadline) {
                // A server may close a connection that is idle, at any time: then a client asks on another one.
                Err(Trouble::Nothing) => self.ask_anew(path, deadline),
                answer => answer,
            },
            None => self.ask_anew(path, deadline),
        };
        match answer {
            Ok(Answer { status: 200, encoded, body }) => {
                if encoded || body != body_of(path) {
                    Outcome::Wrong
                } else if due.elapsed() > GOOD_WITHIN {
                    Outcome::Late
                } else {
                    Outcome::Good
                }
            }
            Ok(answer) => Outcome::Status(answer.status),
            Err(Trouble::Nothing) => Outcome::Nothing,
            Err(Trouble::Broken) => Outcome::Broken,
            Err(Trouble::TooLong) => Outcome::Wrong,
            Err(Trouble::Silence) => Outcome::Silence,
        }
    }

    fn ask_anew(&mut self, path: &str, deadline: Instant) -> Result<Answer, Trouble> {
        let wire = Wire::open(self.address, deadline)?;
        self.ask_on(wire, path, deadline)
    }

    fn ask_on(&mut self, mut wire: Wire, path: &str, deadline: Instant) -> Result<Answer, Trouble> {
        wire.deadline = deadline;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: faults.test\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: faults\r\n\r\n"
        );
        wire.write(request.as_bytes())?;
        let head = wire.head()?;
        let body = wire.body(&head, body_of(path).len() + BODY_SLACK)?;
        if head.keeps && head.framing != Framing::UntilClosed && wire.is_drained() {
            self.kept = Some(wire);
        }
        Ok(Answer { status: head.status, encoded: head.encoded, body })
    }
}

struct Answer {
    status: u16,
    encoded: bool,
    body: Vec<u8>,
}

enum Trouble {
    /// Not a byte came.
    Nothing,
    Broken,
    TooLong,
    Silence,
}

struct Head {
    status: u16,
    framing: Framing,
    keeps: bool,
    encoded: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunks,
    UntilClosed,
}

/// A connection, and what has been read of it and not been used.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    deadline: Instant,
}

impl Wire {
    fn open(address: SocketAddr, deadline: Instant) -> Result<Wire, Trouble> {
        let stream = TcpStream::connect_timeout(&address, left(deadline)?).map_err(|_| Trouble::Nothing)?;
        let _ = stream.set_nodelay(true);
        Ok(Wire { stream, read: Vec::new(), deadline })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let _ = self.stream.set_write_timeout(Some(left(self.deadline)?));
        self.stream.write_all(bytes).map_err(|_| Trouble::Nothing)
    }

    fn is_drained(&self) -> bool {
        self.read.is_empty()
    }

    /// Reads more; 0 at the end.
    fn more(&mut self) -> Result<usize, Trouble> {
        let mut bytes = [0; 16 * 1024];
        let _ = self.stream.set_read_timeout(Some(left(self.deadline)?));
        match self.stream.read(&mut bytes) {
            Ok(length) => {
                self.read.extend_from_slice(&bytes[..length]);
                Ok(length)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Trouble::Silence)
            }
            Err(_) if self.read.is_empty() => Err(Trouble::Nothing),
            Err(_) => Err(Trouble::Broken),
        }
    }

    /// The same, where an end would be too early.
    fn must_more(&mut self) -> Result<(), Trouble> {
        match self.more() {
            Ok(0) | Err(Trouble::Nothing) => Err(Trouble::Broken),
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    /// The head of the final answer.
    fn head(&mut self) -> Result<Head, Trouble> {
        loop {
            let bytes = self.head_bytes()?;
            let head = parse(&String::from_utf8_lossy(&bytes)).ok_or(Trouble::Broken)?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    fn head_bytes(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut searched: usize = 0;
        loop {
            let from = searched.saturating_sub(3);
            if let Some(at) = self.read[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(self.take(from + at + 4));
            }
            searched = self.read.len();
            if searched > HEAD_LIMIT {
                return Err(Trouble::Broken);
            }
            match self.more()? {
                0 if searched == 0 => return Err(Trouble::Nothing),
                0 => return Err(Trouble::Broken),
                _ => {}
            }
        }
    }

    fn body(&mut self, head: &Head, most: usize) -> Result<Vec<u8>, Trouble> {
        match head.framing {
            Framing::Length(length) => {
                while self.read.len() < length {
                    if self.read.len() > most {
                        return Err(Trouble::TooLong);
                    }
                    self.must_more()?;
                }
                Ok(self.take(length))
            }
            Framing::Chunks => {
                let mut body = Vec::new();
                loop {
                    let line = self.line()?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size = usize::from_str_radix(size, 16).map_err(|_| Trouble::Broken)?;
                    if size == 0 {
                        while !self.line()?.is_empty() {}
                        return Ok(body);
                    }
                    if body.len() + size > most {
                        return Err(Trouble::TooLong);
                    }
                    while self.read.len() < size + 2 {
                        self.must_more()?;
                    }
                    body.extend(self.take(size));
                    if self.take(2) != b"\r\n" {
                        return Err(Trouble::Broken);
                    }
                }
            }
            Framing::UntilClosed => {
                while self.more_or_broken()? > 0 {
                    if self.read.len() > most {
                        return Err(Trouble::TooLong);
                    }
                }
                Ok(std::mem::take(&mut self.read))
            }
        }
    }

    fn more_or_broken(&mut self) -> Result<usize, Trouble> {
        self.more().map_err(|trouble| if matches!(trouble, Trouble::Nothing) { Trouble::Broken } else { trouble })
    }

    fn line(&mut self) -> Result<String, Trouble> {
        loop {
            if let Some(at) = self.read.windows(2).position(|window| window == b"\r\n") {
                let line = self.take(at + 2);
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.read.len() > HEAD_LIMIT {
                return Err(Trouble::Broken);
            }
            self.must_more()?;
        }
    }
}

/// Time that is left; there is none where it is zero.
fn left(deadline: Instant) -> Result<Duration, Trouble> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Trouble::Silence) } else { Ok(left) }
}

fn parse(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let first = lines.next()?;
    let status: u16 = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5))?.parse().ok()?;
    let fields: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let field = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    let framing = if status < 200 || status == 204 || status == 304 {
        Framing::Length(0)
    } else if field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        Framing::Chunks
    } else {
        match field("content-length") {
            Some(length) => Framing::Length(length.parse().ok()?),
            None => Framing::UntilClosed,
        }
    };
    let keeps =
        first.starts_with("HTTP/1.1") && !field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let encoded = field("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    Some(Head { status, framing, keeps, encoded })
}

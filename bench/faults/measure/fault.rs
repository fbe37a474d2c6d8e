//! What can be wrong with an origin, and what it then does to a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use super::origin::{Request, body_of};

/// What is wrong with an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is.
    None,
    /// Nobody listens, and connections that were open are closed: the process is gone.
    Refuse,
    /// Connections are reset where an answer should begin.
    ResetBeforeHead,
    /// Connections are reset after half a line of the answer's head.
    ResetAmidHead,
    /// Connections are reset after half of the body.
    ResetMidBody,
    /// The body ends before the length that was said, and the connection with it.
    CutLength,
    /// After half of the body comes what is no chunk.
    BadChunks,
    /// Requests are read and never answered.
    Hang,
    /// Answers come [`LATENCY`] late.
    Latency,
    /// Heads come at once, bodies within [`DRIP`].
    Drip,
    /// Answers are errors of this status.
    Status(u16),
    /// A fifth of the answers are errors, at random.
    SomeErrors,
    /// For a second nobody listens, the next second all is well, and so on.
    Flap,
    /// Answers are noise.
    Garbage,
    /// Answers have no head: what HTTP/0.9 did.
    Bare,
    /// Behind each body come 50 MB, with the length that this makes.
    HugeBody,
    /// Heads are of 2 MB.
    HugeHead,
    /// Each answer sets a thousand cookies.
    ManyCookies,
    /// Answers are redirects to what was asked for.
    RedirectLoop,
    /// Answers say that they are compressed, and are not.
    WrongEncoding,
}

/// Of [`Fault::Latency`].
pub(crate) const LATENCY: Duration = Duration::from_secs(3);
/// Of [`Fault::Drip`].
pub(crate) const DRIP: Duration = Duration::from_secs(5);
/// Of [`Fault::Flap`], up and down.
pub(crate) const FLAP: Duration = Duration::from_secs(1);
/// In so many pieces.
const PIECES: u32 = 50;
/// Of [`Fault::HugeBody`], behind the body.
const MORE: usize = 50 << 20;
/// How long what was sent before a reset has to arrive.
const ARRIVAL: Duration = Duration::from_millis(20);

impl Fault {
    /// Each, nothing first.
    pub(crate) const ALL: [Fault; 21] = [
        Fault::None,
        Fault::Refuse,
        Fault::ResetBeforeHead,
        Fault::ResetAmidHead,
        Fault::ResetMidBody,
        Fault::CutLength,
        Fault::BadChunks,
        Fault::Hang,
        Fault::Latency,
        Fault::Drip,
        Fault::Status(500),
        Fault::Status(503),
        Fault::SomeErrors,
        Fault::Flap,
        Fault::Garbage,
        Fault::Bare,
        Fault::HugeBody,
        Fault::HugeHead,
        Fault::ManyCookies,
        Fault::RedirectLoop,
        Fault::WrongEncoding,
    ];

    /// What an origin that has it does.
    pub(crate) fn says(self) -> String {
        let text = match self {
            Fault::None => "is well",
            Fault::Refuse => "refuses connections",
            Fault::ResetBeforeHead => "resets before the head",
            Fault::ResetAmidHead => "resets amid the head",
            Fault::ResetMidBody => "resets in mid-body",
            Fault::CutLength => "cuts bodies short",
            Fault::BadChunks => "sends bad chunks",
            Fault::Hang => "hangs",
            Fault::Latency => "is 3 s late",
            Fault::Drip => "drips: 10 KB in 5 s",
            Fault::Status(status) => return format!("answers {status}"),
            Fault::SomeErrors => "answers 500, one time of five",
            Fault::Flap => "flaps: 1 s down, 1 s up",
            Fault::Garbage => "sends noise",
            Fault::Bare => "sends bodies without heads",
            Fault::HugeBody => "sends 50 MB too much",
            Fault::HugeHead => "sends heads of 2 MB",
            Fault::ManyCookies => "sets a thousand cookies",
            Fault::RedirectLoop => "redirects in a loop",
            Fault::WrongEncoding => "says gzip, sends plain text",
        };
        text.to_owned()
    }

    /// Whether answers that look right have other bytes than they should: then the origin lies, and who passes them on does not.
    pub(crate) fn lies(self) -> bool {
        matches!(self, Fault::Garbage | Fault::HugeBody | Fault::WrongEncoding)
    }

    /// Whether it is more than a proxy has to bear, or goes round in circles.
    pub(crate) fn is_oversize_or_loop(self) -> bool {
        matches!(self, Fault::HugeBody | Fault::HugeHead | Fault::ManyCookies | Fault::RedirectLoop)
    }
}

/// The line of an origin: all its connections together get no more through it.
#[derive(Default)]
pub(super) struct Line(Mutex<()>);

impl Line {
    const BYTES_A_SECOND: u32 = 125 << 20;

    fn pass(&self, bytes: usize) {
        let turn = self.0.lock();
        sleep(Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / Line::BYTES_A_SECOND);
        drop(turn);
    }
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It takes another request.
    Go,
    /// It is closed: by a reset, where the request was not read.
    Leave,
}

/// Answers one request, whose head has been seen and not yet been read, as an origin does that has this fault.
pub(super) fn answer(
    fault: Fault,
    stream: &mut TcpStream,
    request: &Request,
    line: &Line,
    chance: u64,
) -> io::Result<Then> {
    let body = body_of(&request.path);
    let half = body.len() / 2;
    let whole = |extra: &str| [request.head("200 OK", body.len(), extra).as_bytes(), &body].concat();
    // A socket that is closed with bytes unread resets its connection. Else they are taken now.
    match fault {
        Fault::ResetBeforeHead => return Ok(Then::Leave),
        Fault::ResetAmidHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
            sleep(ARRIVAL);
            return Ok(Then::Leave);
        }
        Fault::ResetMidBody => {
            let head = request.head("200 OK", body.len(), "");
            stream.write_all(&[head.as_bytes(), &body[..half]].concat())?;
            sleep(ARRIVAL);
            return Ok(Then::Leave);
        }
        _ => request.take(stream)?,
    }
    match fault {
        Fault::Hang => {
            // Until whoever asked has left.
            let _ = stream.read(&mut [0; 1]);
            return Ok(Then::Leave);
        }
        Fault::Latency => sleep(LATENCY),
        _ => {}
    }
    match fault {
        Fault::CutLength => {
            let head = request.head("200 OK", body.len(), "");
            stream.write_all(&[head.as_bytes(), &body[..half]].concat())?;
            Ok(Then::Leave)
        }
        Fault::BadChunks => {
            let head = request.chunked_head();
            let size = format!("{half:x}\r\n");
            stream.write_all(&[head.as_bytes(), size.as_bytes(), &body[..half]].concat())?;
            sleep(ARRIVAL);
            stream.write_all(&[b"\r\nno size\r\n", &body[half..]].concat())?;
            Ok(Then::Leave)
        }
        Fault::Drip => {
            stream.write_all(request.head("200 OK", body.len(), "").as_bytes())?;
            for piece in body.chunks(body.len().div_ceil(PIECES as usize)) {
                sleep(DRIP / PIECES);
                stream.write_all(piece)?;
            }
            Ok(Then::Go)
        }
        Fault::Status(status) => error(stream, request, &format!("{status} Trouble")),
        Fault::SomeErrors if chance.is_multiple_of(5) => error(stream, request, "500 Internal Server Error"),
        Fault::Garbage => {
            let noise: Vec<u8> = body.iter().map(|byte| byte.wrapping_mul(167) ^ 0x5a).collect();
            stream.write_all(&noise)?;
            Ok(Then::Leave)
        }
        Fault::Bare => {
            stream.write_all(&body)?;
            Ok(Then::Leave)
        }
        Fault::HugeBody => {
            stream.write_all(request.head_of_another("200 OK", body.len() + MORE, "").as_bytes())?;
            stream.write_all(&body)?;
            let piece = vec![b'x'; 64 << 10];
            for _ in 0..MORE / piece.len() {
                line.pass(piece.len());
                stream.write_all(&piece)?;
            }
            Ok(Then::Go)
        }
        Fault::HugeHead => {
            let field = format!("X-Filler: {}\r\n", "x".repeat(1012));
            stream.write_all(&whole(&field.repeat(2048)))?;
            Ok(Then::Go)
        }
        Fault::ManyCookies => {
            let cookies: Vec<String> = (0..1000).map(|n| format!("Set-Cookie: c{n}={n}; Path=/\r\n")).collect();
            stream.write_all(&whole(&cookies.concat()))?;
            Ok(Then::Go)
        }
        Fault::RedirectLoop => {
            let location = format!("Location: {}\r\n", request.path);
            stream.write_all(request.head_of_another("302 Found", 0, &location).as_bytes())?;
            Ok(Then::Go)
        }
        Fault::WrongEncoding => {
            let head = request.head_of_another("200 OK", body.len(), "Content-Encoding: gzip\r\n");
            stream.write_all(&[head.as_bytes(), &body].concat())?;
            Ok(Then::Go)
        }
        _ => {
            if request.has_it() {
                stream.write_all(request.not_modified().as_bytes())?;
            } else {
                stream.write_all(&whole(""))?;
            }
            Ok(Then::Go)
        }
    }
}

fn error(stream: &mut TcpStream, request: &Request, status: &str) -> io::Result<Then> {
    const TRACE: &[u8] = b"Traceback (most recent call last): /srv/app.py, line 1\n";
    stream.write_all(&[request.head_of_another(status, TRACE.len(), "").as_bytes(), TRACE].concat())?;
    Ok(Then::Go)
}

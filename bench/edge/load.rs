//! The load: kept-alive connections that each send one request after the other, and what the server's process paid for them.
//!
//! The client is on the same machine and takes its own share of it: time is no measure here, the server's CPU is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What to send, and how often.
#[derive(Debug)]
pub(crate) struct Load {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The request, whole. `{n}` in it is a number from zero to below `paths`, another one each time.
    pub(crate) request: String,
    /// How many paths there are.
    pub(crate) paths: u32,
    /// Where the next round begins.
    pub(crate) from: AtomicU32,
    /// Connections at once.
    pub(crate) connections: u32,
    /// Requests on each.
    pub(crate) requests: u32,
}

/// Sends the load. Every answer must have `status`; its body is read to the end.
pub(crate) fn send(load: &Load, status: u16) -> Result<(), String> {
    send_nearly(load, status, 0)
}

/// The same, where so many answers on each connection may have another status.
pub(crate) fn send_nearly(load: &Load, status: u16, others: u32) -> Result<(), String> {
    std::thread::scope(|scope| {
        let connections: Vec<_> = (0..load.connections)
            .map(|number| scope.spawn(move || send_on_one_connection(load, number, status, others)))
            .collect();
        connections.into_iter().try_for_each(|connection| connection.join().map_err(|_| "a client panicked")?)?;
        load.from.fetch_add(load.connections * load.requests, Ordering::Relaxed);
        Ok(())
    })
}

fn send_on_one_connection(load: &Load, connection: u32, status: u16, mut others: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("could not talk to {}: {error}", load.address);
    let stream = TcpStream::connect(load.address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(failed)?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    // Each connection has paths of its own, and goes on where it ended.
    let from = if load.paths == 1 { 0 } else { load.from.load(Ordering::Relaxed) };
    for number in 0..load.requests {
        let path = (from + connection * load.requests + number) % load.paths;
        let request = load.request.replace("{n}", &path.to_string());
        reader.get_mut().write_all(request.as_bytes()).map_err(failed)?;
        let head = read_head(&mut reader).map_err(failed)?;
        if head.status != status && others > 0 {
            others -= 1;
        } else if head.status != status {
            return Err(format!("{} answered {} to `{}`", load.address, head.status, first_line(&load.request)));
        }
        discard(&mut reader, head.length).map_err(failed)?;
    }
    Ok(())
}

struct Head {
    status: u16,
    length: u64,
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Head> {
    let mut head = Head { status: 0, length: 0 };
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let trimmed = line.trim_end();
        if trimmed.is_empty() {
            return Ok(head);
        }
        if head.status == 0 {
            head.status = trimmed.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        } else if let Some((name, value)) = trimmed.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(std::io::Error::other("the load expects answers with a `Content-Length`"));
            }
        }
    }
}

fn discard(reader: &mut impl Read, length: u64) -> std::io::Result<()> {
    let read = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    if read == length { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn first_line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

/// The CPU that a process has taken so far, by the kernel's accounting: in user mode and in the kernel, all threads that
/// run. (`/proc/<id>/stat` says the same in steps of 10 ms, too coarse for short rounds.)
pub(crate) fn cpu(process: u32) -> Result<Duration, String> {
    let folder = format!("/proc/{process}/task");
    let failed = |error: std::io::Error| format!("could not read `{folder}`: {error}");
    let mut nanos = 0;
    for thread in std::fs::read_dir(&folder).map_err(failed)? {
        let path = thread.map_err(failed)?.path().join("schedstat");
        // A thread may end between being listed and being read.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

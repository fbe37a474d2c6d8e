//! Against a small origin on loopback, of which each request is answered as its path says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, MutexGuard};

use url::Url;

use super::*;
use crate::warm::Summary;

/// What the origin saw.
#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    /// Under way now, and at most at once.
    open: usize,
    most: usize,
}

struct Origin {
    url: String,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Origin {
    fn start() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<(Mutex<Seen>, Condvar)> = Arc::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Origin { url, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap()
    }

    fn client(&self, timeout: Duration) -> Client {
        Client::new(self.url.parse().unwrap(), timeout, 8).unwrap()
    }

    fn visits(&self, paths: &[&str]) -> Vec<Visit> {
        let fields = vec![("accept-encoding".to_owned(), "identity".to_owned())];
        let visit =
            |path: &&str| Visit { url: Url::parse(&format!("{}{path}", self.url)).unwrap(), fields: fields.clone() };
        paths.iter().map(visit).collect()
    }

    fn warm(&self, paths: &[&str], concurrency: usize, timeout: Duration) -> Summary {
        let mut summary = Summary::default();
        let everything = run(
            self.visits(paths),
            &self.client(timeout),
            concurrency,
            (Pace::new(None), Arc::new(Wall::start())),
            &|| false,
            &mut |visit, outcome| summary.add(visit, outcome),
        );
        assert!(everything);
        summary
    }
}

/// Answers the requests of one connection: `/STATUS`, `/cut`, `/silent`, `/drop`, `/meet/N` (waits until N are under way).
fn serve(stream: &TcpStream, (seen, changed): &(Mutex<Seen>, Condvar)) {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)).map(str::to_owned) else { return };
        {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(head.join("\n"));
            seen.open += 1;
            seen.most = seen.most.max(seen.open);
            changed.notify_all();
        }
        let go_on = answer(stream, &path, (seen, changed));
        seen.lock().unwrap().open -= 1;
        if !go_on {
            return;
        }
    }
}

fn answer(mut stream: &TcpStream, path: &str, (seen, changed): (&Mutex<Seen>, &Condvar)) -> bool {
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match words.as_slice() {
        ["cut"] => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").and(Ok(false)).unwrap_or(false)
        }
        ["silent"] => {
            thread::sleep(Duration::from_secs(5));
            false
        }
        ["drop"] | [] => false,
        ["meet", count] => {
            let count: usize = count.parse().unwrap();
            let guard = seen.lock().unwrap();
            let limit = Duration::from_secs(20);
            let (guard, late) = changed.wait_timeout_while(guard, limit, |seen| seen.most < count).unwrap();
            drop(guard);
            assert!(!late.timed_out(), "{count} requests never were under way at once");
            send(stream, "200")
        }
        [status, ..] => send(stream, status),
    }
}

fn send(mut stream: &TcpStream, status: &str) -> bool {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\ncache-status: rimward; fwd=uri-miss; stored\r\n");
    let location = if status == "301" { "location: /200/elsewhere\r\n" } else { "" };
    stream.write_all(format!("{head}{location}\r\nhello").as_bytes()).is_ok()
}

const SOON: Duration = Duration::from_secs(20);

#[test]
fn as_many_requests_are_under_way_as_may_be_and_never_more() {
    let origin = Origin::start();
    // Each waits until four are under way: with fewer the origin would give up.
    let summary = origin.warm(&["/meet/4"; 40], 4, SOON);
    assert_eq!((summary.requests, summary.failed), (40, 0));
    assert_eq!(origin.seen().most, 4);
}

#[test]
fn every_url_is_asked_once_and_every_answer_counted() {
    let origin = Origin::start();
    let paths: Vec<String> = (0..50).map(|number| format!("/200/{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let summary = origin.warm(&paths, 3, SOON);
    assert_eq!((summary.requests, summary.failed, summary.bytes), (50, 0, 250));
    assert_eq!(summary.cache, BTreeMap::from([("uri-miss (stored)".to_owned(), 50)]));
    let seen = origin.seen();
    let asked: BTreeSet<&str> = seen.requests.iter().map(|head| head.split(' ').nth(1).unwrap()).collect();
    assert_eq!((seen.requests.len(), asked), (50, paths.into_iter().collect()));
    for head in &seen.requests {
        let head = head.to_lowercase();
        assert!(head.contains("\naccept-encoding: identity") && head.contains("\nuser-agent: rimward/"), "{head}");
        assert_eq!(head.matches("\naccept").count(), 1, "{head}");
    }
}

#[test]
fn what_fails_is_told_and_stops_nothing() {
    let origin = Origin::start();
    let summary = origin.warm(&["/503", "/cut", "/301", "/drop", "/404", "/200"], 1, SOON);
    assert_eq!(summary.status, BTreeMap::from([(200, 1), (301, 1), (404, 1), (503, 1)]));
    let failures: Vec<(&str, &str)> = summary
        .failures
        .iter()
        .map(|failure| (failure.url.trim_start_matches(origin.url.as_str()), failure.why.split(':').next().unwrap()))
        .collect();
    let broken = "the answer broke off";
    assert_eq!(failures, [("/503", "answered 503"), ("/cut", broken), ("/drop", broken), ("/404", "answered 404")]);
    // A redirect is an answer: where it leads to is another URL.
    assert!(!origin.seen().requests.iter().any(|head| head.contains("elsewhere")));
}

#[test]
fn an_origin_that_does_not_answer_is_waited_for_no_longer_than_said() {
    let origin = Origin::start();
    let summary = origin.warm(&["/silent", "/200"], 1, Duration::from_millis(200));
    let whys: Vec<&str> = summary.failures.iter().map(|failure| failure.why.as_str()).collect();
    assert_eq!((summary.status, whys), (BTreeMap::from([(200, 1)]), vec!["no answer in time"]));
}

#[test]
fn where_nobody_listens_nothing_was_reached() {
    let origin = Origin::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Origin { url: format!("http://{free}"), seen: Arc::clone(&origin.seen) };
    let summary = gone.warm(&["/200", "/404"], 2, SOON);
    assert_eq!((summary.requests, summary.failed, summary.unreachable), (2, 2, 2));
}

/// A clock that nobody waits for: waiting makes it later.
#[derive(Default)]
struct Leaping(Mutex<(Duration, Vec<Duration>)>);

impl Clock for Leaping {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn wait_until(&self, then: Duration) {
        let mut clock = self.0.lock().unwrap();
        clock.0 = clock.0.max(then);
        clock.1.push(then);
    }
}

#[test]
fn no_more_requests_begin_in_a_second_than_may() {
    let origin = Origin::start();
    let clock = Arc::new(Leaping::default());
    let paths = ["/200"; 31];
    let pace = (Pace::new(Some(10.0)), Arc::clone(&clock) as Arc<dyn Clock>);
    let everything = run(origin.visits(&paths), &origin.client(SOON), 4, pace, &|| false, &mut |_, _| {});
    assert!(everything);
    let begun = clock.0.lock().unwrap().1.clone();
    assert_eq!((begun.len(), origin.seen().requests.len()), (31, 31));
    for from in &begun {
        let within = begun.iter().filter(|at| **at >= *from && **at < *from + Duration::from_secs(1)).count();
        assert!(within <= 10, "{within} began in the second from {from:?}");
    }
    // The rate is used up, too: three seconds are enough for 31.
    assert!(*begun.iter().max().unwrap() < Duration::from_millis(3_001), "{begun:?}");
}

#[test]
fn a_stop_is_obeyed_while_an_answer_is_waited_for() {
    let origin = Origin::start();
    let stopped = || origin.seen().requests.len() == 3;
    let mut outcomes = 0;
    let everything = run(
        origin.visits(&["/200", "/200", "/silent", "/200", "/200"]),
        &origin.client(SOON),
        1,
        (Pace::new(None), Arc::new(Wall::start())),
        &stopped,
        &mut |_, _| outcomes += 1,
    );
    assert!(!everything);
    assert_eq!((outcomes, origin.seen().requests.len()), (2, 3));
}

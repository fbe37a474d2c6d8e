//! Asks: so many requests at once, so many begun a second, until everything is asked or somebody says stop.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use ureq::Body;

use super::pace::{Clock, Pace};
use super::summary::cache_state;
use super::visits::Visit;
use crate::client::{CallError, Client};

/// What an answer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// What the cache says: `hit`, `uri-miss (stored)`.
    pub cache: String,
    /// Of its body, as sent.
    pub bytes: u64,
    /// From the request to the last byte.
    pub time: Duration,
}

/// What came of a request.
pub type Outcome = Result<Answered, CallError>;

/// How long a stop may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The clock on the wall.
#[derive(Debug)]
pub struct Wall(Instant);

impl Wall {
    /// From now on.
    pub fn start() -> Wall {
        Wall(Instant::now())
    }
}

impl Clock for Wall {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait_until(&self, then: Duration) {
        thread::sleep(then.saturating_sub(self.now()));
    }
}

/// What the threads share.
struct Shared {
    visits: Vec<Visit>,
    queue: Mutex<Queue>,
    client: Client,
    clock: Arc<dyn Clock>,
    stop: AtomicBool,
}

struct Queue {
    /// The place of the next visit.
    next: usize,
    pace: Pace,
}

/// Asks for everything, `concurrency` requests at once, and hands each outcome to `each` as it comes. Ends early where
/// `stopped` says so; requests that are under way then have no outcome. Says whether everything has one.
pub fn run(
    visits: Vec<Visit>,
    client: &Client,
    concurrency: usize,
    (pace, clock): (Pace, Arc<dyn Clock>),
    stopped: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&Visit, &Outcome),
) -> bool {
    let threads = concurrency.min(visits.len());
    let queue = Mutex::new(Queue { next: 0, pace });
    let shared = Arc::new(Shared { visits, queue, client: client.clone(), clock, stop: AtomicBool::new(false) });
    let outcomes = start(&shared, threads);
    loop {
        match outcomes.recv_timeout(LOOK_EVERY) {
            Ok((index, outcome)) => each(&shared.visits[index], &outcome),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if stopped() {
            // Nothing more is begun. What is under way ends by itself, or with the program.
            shared.stop.store(true, Ordering::Relaxed);
            return false;
        }
    }
}

fn start(shared: &Arc<Shared>, threads: usize) -> Receiver<(usize, Outcome)> {
    let (sender, receiver) = channel();
    for _ in 0..threads {
        let (shared, sender) = (Arc::clone(shared), sender.clone());
        thread::spawn(move || {
            while let Some(place) = shared.begin() {
                let outcome = ask(&shared.client, &shared.visits[place], shared.clock.as_ref());
                if sender.send((place, outcome)).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

impl Shared {
    /// The place of the next visit, once it may begin; `None` where nothing more is to be asked.
    fn begin(&self) -> Option<usize> {
        let (place, at) = {
            // A thread that panicked between two visits left nothing half done.
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let place = queue.next;
            if place == self.visits.len() {
                return None;
            }
            queue.next += 1;
            (place, queue.pace.begin(self.clock.now()))
        };
        self.clock.wait_until(at);
        (!self.stop.load(Ordering::Relaxed)).then_some(place)
    }
}

fn ask(client: &Client, visit: &Visit, clock: &dyn Clock) -> Outcome {
    let began = clock.now();
    let mut request = Request::get(visit.url.as_str());
    for (name, value) in &visit.fields {
        request = request.header(name, value);
    }
    let request = request.body(()).map_err(|error| CallError::Unreachable(error.to_string()))?;
    let mut response = client.send(request)?;
    let bytes = length(response.body_mut())?;
    Ok(Answered {
        status: response.status().as_u16(),
        cache: cache_state(response.headers()),
        bytes,
        time: clock.now().saturating_sub(began),
    })
}

/// Reads a body to its end, keeping nothing of it: caches keep what was read to its end.
fn length(body: &mut Body) -> Result<u64, CallError> {
    let mut reader = body.as_reader();
    let mut piece = [0; 16 * 1024];
    let mut bytes = 0;
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

#[cfg(test)]
mod tests;

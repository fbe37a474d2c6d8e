//! The load: requests at a steady rate, whether or not those before them have been answered.

use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::{Client, Outcome};

/// What may be kept is asked for under so many names.
pub(crate) const NAMES: u32 = 50;
/// A client has little to remember.
const STACK: usize = 128 * 1024;

/// Whether what is asked for may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For a second, and longer while the origin is in trouble.
    Cached,
    /// Not at all; each request is of another path.
    Dynamic,
}

/// A request and what became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    /// When it was to be sent, since the beginning.
    pub(crate) due: Duration,
    /// From then to the answer's end.
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
}

struct Job {
    kind: Kind,
    path: String,
    due: Instant,
}

/// Clients that have nothing to do, and what became of all requests so far.
#[derive(Default)]
struct Shared {
    idle: Mutex<Vec<Sender<Option<Job>>>>,
    sent: Mutex<Vec<Sent>>,
}

/// Sends `rate` requests a second from `started` on, for `whole`, and waits for what becomes of them. Says by how much it was
/// late at worst.
pub(super) fn send(
    address: SocketAddr,
    rate: u32,
    started: Instant,
    whole: Duration,
) -> Result<(Vec<Sent>, Duration), String> {
    let shared = Arc::new(Shared::default());
    let mut clients = Vec::new();
    let mut late = Duration::ZERO;
    for number in 0.. {
        let since = Duration::from_secs(1) * number / rate;
        if since >= whole {
            break;
        }
        let due = started + since;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        late = late.max(due.elapsed());
        let job = job(number, due);
        let idle = lock(&shared.idle).pop();
        match idle {
            Some(client) => drop(client.send(Some(job))),
            None => clients.push(hire(address, started, &shared, job)?),
        }
    }
    while clients.iter().any(|client| !client.is_finished()) {
        for client in lock(&shared.idle).drain(..) {
            let _ = client.send(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut sent = std::mem::take(&mut *lock(&shared.sent));
    sent.sort_by_key(|sent| sent.due);
    Ok((sent, late))
}

fn job(number: u32, due: Instant) -> Job {
    if number.is_multiple_of(2) {
        Job { kind: Kind::Cached, path: format!("/cached/{}", number / 2 % NAMES), due }
    } else {
        Job { kind: Kind::Dynamic, path: format!("/dynamic/{number}"), due }
    }
}

fn hire(address: SocketAddr, started: Instant, shared: &Arc<Shared>, first: Job) -> Result<JoinHandle<()>, String> {
    let shared = Arc::clone(shared);
    let work = move || {
        let (sender, jobs) = channel();
        let mut client = Client::new(address);
        let mut next = Some(first);
        while let Some(job) = next {
            let outcome = client.ask(&job.path, job.due);
            let (kind, due) = (job.kind, job.due.saturating_duration_since(started));
            lock(&shared.sent).push(Sent { kind, due, took: job.due.elapsed(), outcome });
            lock(&shared.idle).push(sender.clone());
            next = jobs.recv().ok().flatten();
        }
    };
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(work)
        .map_err(|error| format!("could not start a client: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

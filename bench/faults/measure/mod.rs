//! Measures one bad day: a proxy between an open load and two origins, which are well, then have a fault, then are well again.
//!
//! It uses nothing but the standard library and real sockets, and ends only what it started. The tests run a short one.

pub(crate) mod client;
pub(crate) mod fault;
pub(crate) mod load;
pub(crate) mod origin;
pub(crate) mod scenario;
pub(crate) mod subject;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use client::Outcome;
use fault::Fault;
use load::{Kind, Sent};
use origin::Origin;
use scenario::Scenario;
use subject::{Program, Subject};

/// Requests a second: half of them of what may be cached, half of what may not.
pub(crate) const RATE: u32 = 150;

/// How long each part of a bad day lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phases {
    /// Both origins are well: caches and connections are made.
    pub(crate) well: Duration,
    /// The fault.
    pub(crate) fault: Duration,
    /// Both are well again.
    pub(crate) healed: Duration,
}

/// What came of one bad day.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Every request of the load, in the order in which they were due.
    pub(crate) sent: Vec<Sent>,
    /// When the fault began and ended, since the load's beginning.
    pub(crate) fault: (Duration, Duration),
    /// By how much the load was late at worst: a machine that is too busy.
    pub(crate) late: Duration,
    /// Requests that reached the origins while they had the fault.
    pub(crate) asked_of_origins: u64,
}

/// Lets `program` serve while its origins have a bad day. The load begins when all who share `begin` are ready for it.
pub(crate) fn run(program: &Program, scenario: Scenario, phases: Phases, begin: &Barrier) -> Result<Measured, String> {
    let ready = prepare(program);
    begin.wait();
    let (origins, subject) = ready?;
    let started = Instant::now();
    let whole = phases.well + phases.fault + phases.healed;
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load::send(subject.address, RATE, started, whole));
        sleep_until(started + phases.well);
        let before = asked(&origins);
        let from = started.elapsed();
        for (origin, fault) in origins.iter().zip(scenario.faults()) {
            origin.switch(fault);
        }
        sleep_until(started + phases.well + phases.fault);
        let asked_of_origins = asked(&origins) - before;
        for origin in &origins {
            origin.switch(Fault::None);
        }
        let healed = started.elapsed();
        let (sent, late) = load.join().map_err(|_| "the load panicked".to_owned())??;
        Ok(Measured { sent, fault: (from, healed), late, asked_of_origins })
    })
}

fn prepare(program: &Program) -> Result<([Origin; 2], Subject), String> {
    let origins = [Origin::start()?, Origin::start()?];
    let subject = program.start(origins.each_ref().map(|origin| origin.address))?;
    Ok((origins, subject))
}

fn asked(origins: &[Origin; 2]) -> u64 {
    origins.iter().map(Origin::asked).sum()
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

/// A port of this machine that is free, and that no outgoing connection will take meanwhile: those have the ports from 32768 on.
/// (A connection to a port of theirs on which nobody listens may even reach itself.)
fn free_port() -> Result<u16, String> {
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FROM: u32 = 12_000;
    const COUNT: u32 = 20_000;
    for _ in 0..COUNT {
        let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(97));
        let port = u16::try_from(FROM + number % COUNT).map_err(|error| error.to_string())?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}

impl Measured {
    /// Requests of a kind that were due while the fault lasted.
    pub(crate) fn during(&self, kind: Kind) -> impl Iterator<Item = &Sent> {
        let (from, to) = self.fault;
        self.sent.iter().filter(move |sent| sent.kind == kind && sent.due >= from && sent.due < to)
    }

    /// The same, of those before it.
    pub(crate) fn before(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.due < self.fault.0)
    }

    /// The same, of those after it.
    pub(crate) fn after(&self, kind: Kind) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.kind == kind && sent.due >= self.fault.1)
    }

    /// Which share of the requests of a kind was answered well while the fault lasted.
    pub(crate) fn good(&self, kind: Kind) -> f64 {
        share(self.during(kind))
    }

    /// Answers that looked right and were not: while the fault lasted, and after it.
    pub(crate) fn wrong(&self) -> (usize, usize) {
        let wrong = |sent: &&Sent| sent.outcome == Outcome::Wrong;
        let count =
            |since: bool| self.sent.iter().filter(|sent| (sent.due >= self.fault.1) == since).filter(wrong).count();
        (count(false), count(true))
    }

    /// From the end of the fault until the first good answer after which all are good; `None` if that never came.
    pub(crate) fn recovery(&self, kind: Kind) -> Option<Duration> {
        let mut found = Some(Duration::ZERO);
        for sent in self.after(kind) {
            found = match (sent.outcome == Outcome::Good, found) {
                (false, _) => None,
                (true, None) => Some((sent.due + sent.took).saturating_sub(self.fault.1)),
                (true, known) => known,
            };
        }
        found
    }
}

/// Which share of requests was answered well; 1 of none.
pub(crate) fn share<'sent>(sent: impl Iterator<Item = &'sent Sent>) -> f64 {
    let (mut good, mut all) = (0_u32, 0_u32);
    for sent in sent {
        all += 1;
        good += u32::from(sent.outcome == Outcome::Good);
    }
    if all == 0 { 1.0 } else { f64::from(good) / f64::from(all) }
}

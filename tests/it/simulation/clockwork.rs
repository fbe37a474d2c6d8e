//! Many futures in virtual time: what is due next runs next, and what is due at once runs in an order that the seed chooses.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::random::Random;

/// Milliseconds, by the clock that no machine has: everybody else's is off by a little.
pub(super) type Millis = u64;

/// When a simulation begins.
const BEGINNING: Millis = 1_800_000_000_000;

/// What the platform does for one request of an isolate, and what its tasks belong to.
pub(super) struct Event {
    /// The request.
    pub(super) number: u64,
    /// The isolate.
    pub(super) isolate: u64,
    /// The isolate was thrown away.
    pub(super) gone: Rc<Cell<bool>>,
    /// From then on the platform runs nothing of it, and lets go of nothing either.
    pub(super) ends_at: Cell<Millis>,
}

impl Event {
    pub(super) fn new(number: u64, isolate: u64, gone: &Rc<Cell<bool>>) -> Event {
        Event { number, isolate, gone: Rc::clone(gone), ends_at: Cell::new(Millis::MAX) }
    }

    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.gone.get() || self.ends_at.get() <= now
    }
}

/// A task, and the how-manieth of its waits.
pub(super) type Ticket = (u64, u64);

struct Task {
    event: Rc<Event>,
    work: Pin<Box<dyn Future<Output = ()>>>,
    waits: u64,
}

/// The tasks and the time.
pub(super) struct Clockwork {
    now: Cell<Millis>,
    steps: Cell<u64>,
    tasks: RefCell<HashMap<u64, Task>>,
    due: RefCell<BinaryHeap<Reverse<(Millis, u64, Ticket)>>>,
    last: Cell<u64>,
    running: Cell<Ticket>,
    order: Random,
}

impl Clockwork {
    pub(super) fn new(seed: u64) -> Clockwork {
        Clockwork {
            now: Cell::new(BEGINNING),
            steps: Cell::new(0),
            tasks: RefCell::default(),
            due: RefCell::default(),
            last: Cell::new(0),
            running: Cell::new((0, 0)),
            order: Random::new(!seed),
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.now.get()
    }

    /// How many events have happened: a task began, or what it waited for came.
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Begins something; says under which number.
    pub(super) fn spawn(&self, event: &Rc<Event>, work: impl Future<Output = ()> + 'static) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        let task = Task { event: Rc::clone(event), work: Box::pin(work), waits: 0 };
        self.tasks.borrow_mut().insert(number, task);
        self.wake_at(self.now(), (number, 0));
        number
    }

    /// What a task belongs to.
    pub(super) fn event_of(&self, number: u64) -> Option<Rc<Event>> {
        self.tasks.borrow().get(&number).map(|task| Rc::clone(&task.event))
    }

    /// Lets go of a task that waits.
    pub(super) fn abandon(&self, number: u64) {
        let task = self.tasks.borrow_mut().remove(&number);
        drop(task);
    }

    /// Lets go of everything.
    pub(super) fn clear(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
    }

    /// What wakes the task that runs now.
    pub(super) fn ticket(&self) -> Ticket {
        self.running.get()
    }

    /// Wakes a task, unless it does not wait for this any more.
    pub(super) fn wake_at(&self, at: Millis, ticket: Ticket) {
        self.due.borrow_mut().push(Reverse((at.max(self.now()), self.order.next(), ticket)));
    }

    /// Waits until a moment.
    pub(super) async fn until(&self, moment: Millis) {
        let mut waited = false;
        poll_fn(|_| {
            // At least once: others may run in between, as between any two lines that wait.
            if waited && self.now() >= moment {
                return Poll::Ready(());
            }
            waited = true;
            self.wake_at(moment, self.ticket());
            Poll::Pending
        })
        .await;
    }

    pub(super) async fn pause(&self, time: Millis) {
        self.until(self.now() + time).await;
    }

    /// Runs what is due, as long as `goes_on` says so after each step, and there is anything.
    pub(super) fn run(&self, mut goes_on: impl FnMut() -> bool) {
        loop {
            let next = self.due.borrow_mut().pop();
            let Some(Reverse((at, _, (number, waits)))) = next else { return };
            let mut tasks = self.tasks.borrow_mut();
            let Some(task) = tasks.get(&number).filter(|task| task.waits == waits) else { continue };
            self.now.set(at);
            if task.event.is_over(at) {
                continue;
            }
            let Some(mut task) = tasks.remove(&number) else { continue };
            drop(tasks);
            self.steps.set(self.steps.get() + 1);
            task.waits += 1;
            self.running.set((number, task.waits));
            if task.work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                self.tasks.borrow_mut().insert(number, task);
            }
            if !goes_on() {
                return;
            }
        }
    }
}

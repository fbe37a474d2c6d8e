//! What goes on after the core returned to the platform: one task for each request that waits, and for each deferred
//! work, by number.
//!
//! The JavaScript half calls back for exactly the task that was woken, in the context of the request that it belongs to;
//! a queue that is shared by requests would run one request's work in the context of another, and stop with it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use wasm_bindgen::JsValue;

use super::bindings;

type Work = Pin<Box<dyn Future<Output = JsValue>>>;

struct Task {
    work: Work,
    waker: Waker,
}

thread_local! {
    static TASKS: RefCell<HashMap<u32, Task>> = RefCell::default();
    static LAST: Cell<u32> = const { Cell::new(0) };
}

struct TaskWaker(u32);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        bindings::wake(self.0);
    }
}

/// Runs `work` as far as it goes: what it came to, or the number of the task that it became.
pub(super) fn run(work: impl Future<Output = JsValue> + 'static) -> JsValue {
    let number = next_number();
    match poll(number, Task { work: Box::pin(work), waker: waker(number) }) {
        Some(output) => output,
        None => JsValue::from(number),
    }
}

/// Keeps `work` for later, under the number that is returned: nothing of it runs yet.
pub(super) fn keep(work: impl Future<Output = ()> + 'static) -> u32 {
    let number = next_number();
    let work = Box::pin(async move {
        work.await;
        JsValue::NULL
    });
    TASKS.with_borrow_mut(|tasks| tasks.insert(number, Task { work, waker: waker(number) }));
    number
}

/// Goes on with a task: `undefined` while it waits, or where there is none of that number any more.
pub(super) fn resume(number: u32) -> JsValue {
    // Nothing is borrowed while it runs: it may defer, or wake itself.
    let task = TASKS.with_borrow_mut(|tasks| tasks.remove(&number));
    task.and_then(|task| poll(number, task)).unwrap_or(JsValue::UNDEFINED)
}

/// Lets go of a task.
pub(super) fn abandon(number: u32) {
    let task = TASKS.with_borrow_mut(|tasks| tasks.remove(&number));
    drop(task);
}

/// How many tasks wait.
#[cfg(feature = "probe")]
pub(super) fn waiting() -> usize {
    TASKS.with_borrow(HashMap::len)
}

fn poll(number: u32, mut task: Task) -> Option<JsValue> {
    let waker = task.waker.clone();
    match task.work.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => {
            TASKS.with_borrow_mut(|tasks| tasks.insert(number, task));
            None
        }
    }
}

fn waker(number: u32) -> Waker {
    Waker::from(Arc::new(TaskWaker(number)))
}

/// A number is used again after 4 thousand million tasks: by then nobody remembers it.
fn next_number() -> u32 {
    LAST.with(|last| {
        last.set(last.get().wrapping_add(1));
        last.get()
    })
}

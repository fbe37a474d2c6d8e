//! Faults on purpose, for the tests of what a panic may not do. Never part of the Worker that is shipped.

use std::cell::RefCell;

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::request::ShellRequest;
use crate::platform::Request;

thread_local! {
    /// Borrowed by every request, as an isolate's memory is: a panic under a borrow leaves it borrowed for ever.
    static LEDGER: RefCell<u32> = const { RefCell::new(0) };
}

/// Does what the request's `x-rimward-fault` field says.
pub(super) async fn inject(request: &ShellRequest) {
    let fault = request.header("x-rimward-fault");
    LEDGER.with_borrow_mut(|ledger| {
        *ledger += 1;
        assert!(fault.as_deref() != Some("panic"), "a fault on purpose");
    });
    match fault.as_deref() {
        Some("panic-later") => {
            pause().await;
            LEDGER.with_borrow_mut(|_| panic!("a later fault on purpose"));
        }
        Some("stack") => drop(endless(0)),
        Some("memory") => drop(vec![1_u8; usize::MAX / 2]),
        _ => {}
    }
}

/// Ends a few milliseconds later.
async fn pause() {
    let set_timeout: Function =
        js_sys::Reflect::get(&js_sys::global(), &"setTimeout".into()).map(JsCast::unchecked_into).unwrap_or_default();
    let promise = Promise::new(&mut |resolve, _| {
        let _ = set_timeout.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(10));
    });
    let _ = JsFuture::from(promise).await;
}

#[allow(unconditional_recursion, reason = "this is the fault")]
fn endless(depth: u64) -> Vec<u64> {
    let mut below = endless(std::hint::black_box(depth + 1));
    below.push(depth);
    below
}

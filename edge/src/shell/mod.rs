//! The Worker as it runs: the platform's events become plain requests, answers become the platform's responses.
//!
//! The other half is JavaScript (`edge/shim/`), which owns the instances and everything that is a stream. Nothing here
//! decides what is answered. Only this module knows the platform.

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod health;
#[cfg(target_arch = "wasm32")]
mod ledger;
#[cfg(target_arch = "wasm32")]
mod limits;
#[cfg(all(target_arch = "wasm32", feature = "probe"))]
mod probe;
#[cfg(target_arch = "wasm32")]
mod request;
#[cfg(target_arch = "wasm32")]
mod respond;
#[cfg(target_arch = "wasm32")]
mod task;
#[cfg(target_arch = "wasm32")]
mod watch;
#[cfg(target_arch = "wasm32")]
mod world;

#[cfg(target_arch = "wasm32")]
#[allow(unreachable_pub, reason = "the exports of the Wasm module")]
mod entry {
    use std::rc::Rc;

    use wasm_bindgen::prelude::*;

    use super::bindings::{self, Call};
    use super::request::ShellRequest;
    use super::world::World;
    use super::{respond, task, watch};
    use crate::platform::End;
    use crate::serve::{Isolate, serve};
    use crate::telemetry::top::Top;

    thread_local! {
        static ISOLATE: Rc<Isolate<World>> = Rc::new(Isolate::default());
    }

    /// Makes a new instance ready. Returns the field names that are asked for by number.
    #[wasm_bindgen]
    pub fn start() -> String {
        std::panic::set_hook(Box::new(|panic| bindings::panicked(&panic.to_string())));
        super::request::NUMBERED.join("\n")
    }

    /// Answers a request: with a response where nothing has to be waited for, else with the number of a task.
    #[wasm_bindgen]
    pub fn answer(call: Call, method: &str, url: String) -> JsValue {
        let call = Rc::new(call);
        let Some(request) = ShellRequest::new(Rc::clone(&call), method, url) else {
            return respond::unknown_method();
        };
        task::run(async move {
            let world = Rc::new(World::new(call));
            #[cfg(feature = "probe")]
            if let Some(answer) = super::probe::answer(&world, &request).await {
                return respond::response(answer);
            }
            let isolate = ISOLATE.with(Rc::clone);
            respond::response(serve(&world, &isolate, &request).await)
        })
    }

    /// Goes on with a task: `undefined` while it waits, else what it came to.
    #[wasm_bindgen]
    pub fn resume(task: u32) -> JsValue {
        task::resume(task)
    }

    /// Tells how the body of an origin's answer ended: 0 whole, 1 broken off, 2 that nobody wanted the rest.
    #[wasm_bindgen]
    pub fn ended(watch: u32, end: u8) {
        let end = match end {
            0 => End::Whole,
            1 => End::Broke,
            _ => End::Left,
        };
        watch::ended(watch, end);
    }

    /// Two sketches of who asks most, as one.
    #[wasm_bindgen(js_name = mergeTops)]
    pub fn merge_tops(known: &str, told: &str) -> String {
        let mut top = Top::read(known);
        top.merge(&Top::read(told));
        top.to_string()
    }

    /// Lets go of a task for which nobody waits any more.
    #[wasm_bindgen]
    pub fn abandon(task: u32) {
        task::abandon(task);
    }
}

//! Requests that drive the shell directly, and break it on purpose: what its tests need, and the core never does.
//! Never part of the Worker that is shipped.
//!
//! The first segment of the path says what is to be done, the fields `x-...` how.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::request::ShellRequest;
use super::world::World;
use crate::answer::{Answer, Body, PreparedHead};
use crate::platform::{Outbound, Platform, Request};

thread_local! {
    /// Borrowed by every request, as an isolate's memory is: a panic under a borrow leaves it borrowed for ever.
    static LEDGER: RefCell<u32> = const { RefCell::new(0) };
}

/// The answer to a request that is for this module.
pub(super) async fn answer(world: &Rc<World>, request: &ShellRequest) -> Option<Answer<JsValue>> {
    let path = request.url().splitn(4, '/').nth(3)?;
    let (action, rest) = path.strip_prefix("probe/")?.split_once('/')?;
    LEDGER.with_borrow_mut(|count| *count += 1);
    Some(match action {
        "panic" => LEDGER.with_borrow_mut(|_| panic!("a panic on purpose")),
        "panic-later" => {
            pause().await;
            LEDGER.with_borrow_mut(|_| panic!("a later panic on purpose"))
        }
        "stack" => Answer::text(StatusCode::OK, endless(0).len().to_string()),
        "asset" => asset(world, request, rest).await,
        "slice" => slice(world, request, rest).await,
        "read" => match world.read(rest).await {
            Ok(file) => Answer::text(StatusCode::OK, format!("{:?}", file.map(|file| file.bytes.len()))),
            Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
        "fetch" => fetch(world, request).await,
        "defer" => {
            let (outbound, after) = (outbound(request), Rc::clone(world));
            world.defer(async move {
                pause().await;
                let _ = after.fetch(outbound, None).await;
            });
            Answer::text(StatusCode::ACCEPTED, "later")
        }
        "waiting" => Answer::text(StatusCode::OK, super::task::waiting().to_string()),
        "facts" => Answer::text(
            StatusCode::OK,
            format!(
                "{:?} {:?} {:?} {:032x} {}",
                request.client_accept_encoding(),
                request.peer_address(),
                world.variable(rest),
                world.random(),
                world.now().as_millis(),
            ),
        ),
        _ => return None,
    })
}

async fn asset(world: &World, request: &ShellRequest, path: &str) -> Answer<JsValue> {
    let body = match world.asset(path).await {
        Ok(Some(body)) => Body::Whole(body),
        Ok(None) => return Answer::text(StatusCode::NOT_FOUND, "no such file"),
        Err(error) => return Answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut shared = HeaderMap::new();
    shared.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(coding) = request.header("x-coding").and_then(|coding| HeaderValue::try_from(coding).ok()) {
        shared.insert(header::CONTENT_ENCODING, coding);
    }
    let id = request.header("x-coding").map_or(0, |coding| coding.bytes().map(u32::from).sum());
    let mut headers = HeaderMap::new();
    headers.insert("x-own", HeaderValue::from_static("of this answer"));
    Answer { status: StatusCode::OK, prepared: Some(Rc::new(PreparedHead { id, headers: shared })), headers, body }
}

async fn slice(world: &World, request: &ShellRequest, path: &str) -> Answer<JsValue> {
    let Ok(Some(body)) = world.asset(path).await else {
        return Answer::text(StatusCode::NOT_FOUND, "no such file");
    };
    let ranges = request.header("x-ranges").unwrap_or_default();
    let mut parts: Vec<(String, std::ops::Range<u64>)> = ranges
        .split(',')
        .filter_map(|range| {
            let (start, end) = range.split_once('-')?;
            Some((format!("[{range}]"), start.parse().ok()?..end.parse().ok()?))
        })
        .collect();
    let body = match parts.len() {
        1 => Body::Slice(body, parts.remove(0).1),
        _ => Body::Slices(body, parts, "[end]".into()),
    };
    Answer { status: StatusCode::PARTIAL_CONTENT, prepared: None, headers: HeaderMap::new(), body }
}

async fn fetch(world: &World, request: &ShellRequest) -> Answer<JsValue> {
    match world.fetch(outbound(request), None).await {
        Ok(inbound) => Answer {
            status: inbound.status,
            prepared: None,
            headers: inbound.headers,
            body: match inbound.body {
                Some(body) if inbound.status == StatusCode::SWITCHING_PROTOCOLS => Body::Upgrade(body),
                Some(body) => Body::Whole(body),
                None => Body::Empty,
            },
        },
        Err(error) => Answer::text(StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

fn outbound(request: &ShellRequest) -> Outbound<JsValue> {
    let millis = |name| request.header(name).and_then(|value| value.parse().ok()).map(Duration::from_millis);
    let mut headers = request.headers().clone();
    for name in ["host", "x-url", "x-answer", "x-idle", "x-total", "x-hold"] {
        headers.remove(name);
    }
    Outbound {
        method: request.method().clone(),
        url: request.header("x-url").unwrap_or_default(),
        headers,
        body: request.take_body(),
        answer_within: millis("x-answer").unwrap_or(Duration::from_secs(10)),
        idle: millis("x-idle"),
        total: millis("x-total"),
        hold: request.header("x-hold").and_then(|value| value.parse().ok()).unwrap_or_default(),
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

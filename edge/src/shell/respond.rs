//! Answers become responses, in one crossing of the border.

use std::cell::RefCell;
use std::fmt::Write;
use std::ops::Range;

use http::{StatusCode, header};
use wasm_bindgen::JsValue;

use super::bindings;
use super::request::pack;
use crate::answer::{Answer, Body, PreparedHead};

/// Shared heads that are kept in the form of the JavaScript half. A site has one for each file and encoding; when it
/// is loaded again, the ones of before are of no use any more.
const KEPT_HEADS: usize = 4096;

struct KeptHead {
    id: u32,
    fields: JsValue,
    encoded: bool,
}

thread_local! {
    /// By the last bits of their ids, which are given out in order: one takes the place of another only when there are too many.
    static HEADS: RefCell<Vec<Option<KeptHead>>> = RefCell::default();
}

/// The response that `answer` is.
pub(super) fn response(answer: Answer<JsValue>) -> JsValue {
    let Answer { status, prepared, headers, body } = answer;
    let body = match body {
        Body::Upgrade(response) => return response,
        Body::Empty => JsValue::NULL,
        Body::Text(text) => JsValue::from_str(&text),
        Body::Whole(body) => body,
        Body::Slice(body, range) => bindings::slice(&body, &plan(&[(String::new(), range)], "")),
        Body::Slices(body, parts, closing) => bindings::slice(&body, &plan(&parts, &closing)),
    };
    // RFC 9110 §15: these have no content, and the platform refuses to make a response that has.
    let body = if forbids_content(status) { JsValue::NULL } else { body };
    let repeated = headers.keys_len() != headers.len();
    match prepared {
        Some(prepared) if !repeated => {
            let is_encoded = headers.contains_key(header::CONTENT_ENCODING);
            with_kept(&prepared, |head| {
                let encoded = head.encoded || is_encoded;
                bindings::respond_prepared(status.as_u16(), &head.fields, &pack(&headers), encoded, &body)
            })
        }
        prepared => {
            let headers = match prepared {
                Some(prepared) => prepared.with(headers),
                None => headers,
            };
            let encoded = headers.contains_key(header::CONTENT_ENCODING);
            bindings::respond(status.as_u16(), &pack(&headers), encoded, &body)
        }
    }
}

/// The answer to a method that is no token of HTTP.
pub(super) fn unknown_method() -> JsValue {
    bindings::respond(501, "cache-control\nno-store\n", false, &JsValue::NULL)
}

fn forbids_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn with_kept<T>(head: &PreparedHead, work: impl FnOnce(&KeptHead) -> T) -> T {
    HEADS.with_borrow_mut(|heads| {
        let place = head.id as usize % KEPT_HEADS;
        if heads.len() <= place {
            heads.resize_with(place + 1, || None);
        }
        let kept = match heads[place].take().filter(|kept| kept.id == head.id) {
            Some(kept) => kept,
            None => KeptHead {
                id: head.id,
                fields: bindings::prepare(&pack(&head.headers)),
                encoded: head.headers.contains_key(header::CONTENT_ENCODING),
            },
        };
        work(heads[place].insert(kept))
    })
}

/// The parts to cut out, as the JavaScript half reads them.
fn plan(parts: &[(String, Range<u64>)], closing: &str) -> String {
    let mut plan = String::new();
    for (head, range) in parts {
        let _ = write!(plan, "{}\0{}\0{head}\0", range.start, range.end);
    }
    plan.push_str(closing);
    plan
}

//! Answers become responses, in one crossing of the border.

use std::cell::RefCell;
use std::collections::HashMap;
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

#[derive(Clone)]
struct KeptHead {
    fields: JsValue,
    encoded: bool,
}

thread_local! {
    static HEADS: RefCell<HashMap<u32, KeptHead>> = RefCell::default();
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
            let head = kept(&prepared);
            let encoded = head.encoded || headers.contains_key(header::CONTENT_ENCODING);
            bindings::respond_prepared(status.as_u16(), &head.fields, &pack(&headers), encoded, &body)
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

fn kept(head: &PreparedHead) -> KeptHead {
    HEADS.with_borrow_mut(|heads| {
        if let Some(kept) = heads.get(&head.id) {
            return kept.clone();
        }
        if heads.len() >= KEPT_HEADS {
            heads.clear();
        }
        let kept = KeptHead {
            fields: bindings::prepare(&pack(&head.headers)),
            encoded: head.headers.contains_key(header::CONTENT_ENCODING),
        };
        heads.insert(head.id, kept.clone());
        kept
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

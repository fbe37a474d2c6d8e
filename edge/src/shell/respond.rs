//! Answers become responses, in one crossing of the border.

use std::cell::RefCell;
use std::fmt::Write;
use std::hash::BuildHasher;
use std::ops::Range;

use http::{HeaderMap, StatusCode, header};
use rustc_hash::FxBuildHasher;
use wasm_bindgen::JsValue;

use super::bindings;
use super::request::{pack, pack_field};
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
    /// By their hashes: one takes the place of another.
    static COMMON_HEADS: RefCell<Vec<CommonHead>> = RefCell::default();
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
            let (fields, encoded) = kept(&prepared);
            bindings::respond_prepared(status.as_u16(), &fields, &pack(&headers), encoded || is_encoded, &body)
        }
        Some(prepared) => plain(status, &prepared.with(headers), &body),
        None if repeated => plain(status, &headers, &body),
        None => with_common(status, &headers, &body),
    }
}

fn plain(status: StatusCode, headers: &HeaderMap, body: &JsValue) -> JsValue {
    let encoded = headers.contains_key(header::CONTENT_ENCODING);
    bindings::respond(status.as_u16(), &pack(headers), encoded, body)
}

/// With the fields that many answers have in common as one, where they were seen before: each field that is added by itself costs as
/// much as a small decision.
fn with_common(status: StatusCode, headers: &HeaderMap, body: &JsValue) -> JsValue {
    let [mut common, mut own] = [const { String::new() }; 2];
    common.reserve(256);
    own.reserve(256);
    for (name, value) in headers {
        pack_field(if is_common(name.as_str()) { &mut common } else { &mut own }, name, value);
    }
    let encoded = headers.contains_key(header::CONTENT_ENCODING);
    let fields = COMMON_HEADS.with_borrow_mut(|heads| {
        if heads.is_empty() {
            heads.resize_with(COMMON_PLACES, CommonHead::default);
        }
        let place = usize::try_from(FxBuildHasher.hash_one(&common)).unwrap_or_default() % COMMON_PLACES;
        let head = &mut heads[place];
        if head.packed == common {
            return Some(head.fields.get_or_insert_with(|| bindings::prepare(&common)).clone());
        }
        own.push_str(&common);
        *head = CommonHead { packed: common, fields: None };
        None
    });
    match fields {
        Some(fields) => bindings::respond_prepared(status.as_u16(), &fields, &own, encoded, body),
        None => bindings::respond(status.as_u16(), &own, encoded, body),
    }
}

/// Fields that say of all answers of a route the same, as a rule.
fn is_common(name: &str) -> bool {
    matches!(
        name,
        "accept-ranges"
            | "access-control-allow-credentials"
            | "access-control-allow-origin"
            | "access-control-expose-headers"
            | "cache-control"
            | "cdn-cache-control"
            | "cloudflare-cdn-cache-control"
            | "content-encoding"
            | "content-language"
            | "content-type"
            | "cross-origin-opener-policy"
            | "cross-origin-resource-policy"
            | "permissions-policy"
            | "ratelimit-policy"
            | "referrer-policy"
            | "server"
            | "strict-transport-security"
            | "vary"
            | "x-content-type-options"
            | "x-frame-options"
    )
}

const COMMON_PLACES: usize = 64;

/// Fields that an answer had, as one; in the form of the JavaScript half once a second answer has them.
#[derive(Default)]
struct CommonHead {
    packed: String,
    fields: Option<JsValue>,
}

/// The answer to a method that is no token of HTTP.
pub(super) fn unknown_method() -> JsValue {
    bindings::respond(501, "cache-control\nno-store\n", false, &JsValue::NULL)
}

fn forbids_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// A shared head in the form of the JavaScript half, and whether it says that the body is encoded.
fn kept(head: &PreparedHead) -> (JsValue, bool) {
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
        let kept = heads[place].insert(kept);
        // Nothing is borrowed while JavaScript makes the response: where that throws, nobody gives it back.
        (kept.fields.clone(), kept.encoded)
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

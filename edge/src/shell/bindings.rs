//! The functions of the JavaScript half (`edge/shim/platform.js` and `body.js` say what each does).

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// One event: the request, the bindings, the context.
    pub(super) type Call;

    /// A file, whole.
    pub(super) type FileReply;

    #[wasm_bindgen(method, getter)]
    pub(super) fn bytes(this: &FileReply) -> Uint8Array;
    #[wasm_bindgen(method, getter)]
    pub(super) fn sha256(this: &FileReply) -> String;

    /// What a store keeps.
    pub(super) type KeptReply;

    #[wasm_bindgen(method, getter)]
    pub(super) fn envelope(this: &KeptReply) -> String;
    #[wasm_bindgen(method, getter, js_name = body)]
    pub(super) fn kept_body(this: &KeptReply) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn length(this: &KeptReply) -> f64;

    /// What became of a request to an origin.
    pub(super) type Reply;

    #[wasm_bindgen(method, getter)]
    pub(super) fn status(this: &Reply) -> Option<u16>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn fields(this: &Reply) -> String;
    #[wasm_bindgen(method, getter)]
    pub(super) fn body(this: &Reply) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn late(this: &Reply) -> Option<bool>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn error(this: &Reply) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn cut(this: &Reply) -> Option<bool>;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn header(call: &Call, name: usize) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim, js_name = headerNamed)]
    pub(super) fn header_named(call: &Call, name: &str) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn headers(call: &Call) -> String;
    #[wasm_bindgen(js_namespace = shim, js_name = acceptEncoding)]
    pub(super) fn accept_encoding(call: &Call) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn peer(call: &Call) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn country(call: &Call) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn coordinate(call: &Call, name: &str) -> Option<i16>;
    #[wasm_bindgen(js_namespace = shim, js_name = takeBody)]
    pub(super) fn take_body(call: &Call) -> JsValue;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn variable(call: &Call, name: &str) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn random() -> Uint8Array;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn log(line: &str);
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn asset(call: &Call, path: &str) -> Option<Promise>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn read(call: &Call, path: &str) -> Option<Promise>;
    #[allow(clippy::too_many_arguments, reason = "each crosses as it is")]
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn send(
        call: &Call,
        method: &str,
        url: &str,
        fields: &str,
        body: &JsValue,
        answer_ms: f64,
        idle_ms: Option<f64>,
        total_ms: Option<f64>,
        hold: f64,
        watch: u32,
    ) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn discard(body: &JsValue);
    #[wasm_bindgen(method, getter)]
    pub(super) fn broken(this: &Reply) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn alone(this: &Reply) -> Option<bool>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn asked(this: &Reply) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn sequence(this: &Reply) -> f64;
    #[wasm_bindgen(method, getter, js_name = sentAgo)]
    pub(super) fn sent_ago(this: &Reply) -> f64;
    #[wasm_bindgen(method, getter, js_name = cameAgo)]
    pub(super) fn came_ago(this: &Reply) -> f64;

    #[allow(clippy::too_many_arguments, reason = "each crosses as it is")]
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn relay(
        call: &Call,
        shard: &str,
        key: &str,
        question: &str,
        asked: &str,
        sequence: f64,
        method: &str,
        url: &str,
        fields: &str,
        body: &JsValue,
        answer_ms: f64,
        idle_ms: Option<f64>,
        total_ms: Option<f64>,
    ) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn unrelay(call: &Call, shard: &str, key: &str) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn count(call: &Call, samples: &str) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn counted(call: &Call) -> Promise;

    #[wasm_bindgen(js_namespace = shim, js_name = logId)]
    pub(super) fn log_id(call: &Call) -> Option<String>;
    #[wasm_bindgen(js_namespace = shim, js_name = askLog)]
    pub(super) fn ask_log(call: &Call, command: &str, within_ms: f64) -> Promise;

    #[wasm_bindgen(js_namespace = shim, js_name = askLimits)]
    pub(super) fn ask_limits(call: &Call, object: &str, what: &str, text: &str, within_ms: f64) -> Option<Promise>;
    #[wasm_bindgen(js_namespace = shim, js_name = askHealth)]
    pub(super) fn ask_health(call: &Call, list: &str, within_ms: f64) -> Option<Promise>;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn watched(call: &Call, body: &JsValue, length: Option<f64>, over: &Beacon) -> JsValue;

    #[wasm_bindgen(js_namespace = shim, js_name = hasStore)]
    pub(super) fn has_store(call: &Call, store: u32) -> bool;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn kept(call: &Call, store: u32, key: &str) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn keep(call: &Call, store: u32, key: &str, envelope: &str, body: &JsValue, seconds: f64) -> Promise;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn forget(call: &Call, store: u32, key: &str) -> Promise;

    /// A `Recording` of the JavaScript half.
    #[derive(Clone)]
    pub(super) type Recorder;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn recording(limit: f64, length: Option<f64>) -> Recorder;
    #[wasm_bindgen(method)]
    pub(super) fn run(this: &Recorder, source: &JsValue);
    #[wasm_bindgen(method)]
    pub(super) fn reader(this: &Recorder) -> JsValue;
    #[wasm_bindgen(method)]
    pub(super) fn whole(this: &Recorder) -> Promise;

    /// A `Signal` of the JavaScript half.
    #[derive(Clone)]
    pub(super) type Beacon;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn signal() -> Beacon;
    #[wasm_bindgen(method)]
    pub(super) fn fire(this: &Beacon);
    #[wasm_bindgen(method)]
    pub(super) fn fired(this: &Beacon, within: f64) -> Promise;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn gather(body: &JsValue, limit: f64) -> Promise;

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn defer(call: &Call, task: u32);
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn wake(task: u32);
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn panicked(message: &str);

    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn slice(body: &JsValue, plan: &str) -> JsValue;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn prepare(fields: &str) -> JsValue;
    #[wasm_bindgen(js_namespace = shim)]
    pub(super) fn respond(status: u16, fields: &str, encoded: bool, body: &JsValue) -> JsValue;
    #[wasm_bindgen(js_namespace = shim, js_name = respondPrepared)]
    pub(super) fn respond_prepared(
        status: u16,
        prepared: &JsValue,
        own: &str,
        encoded: bool,
        body: &JsValue,
    ) -> JsValue;
}

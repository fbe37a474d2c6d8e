//! The request, read field by field as the core asks for it.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use wasm_bindgen::JsValue;

use super::bindings::{self, Call};
use crate::field::list::joined;
use crate::platform::Request;

/// Fields that most requests are asked for: their names cross the border as a number.
pub(super) const NUMBERED: [&str; 9] =
    ["accept-encoding", "if-match", "if-none-match", "range", "cf-ray", "accept", "sec-fetch-mode", "if-range", "host"];

/// One request.
pub(super) struct ShellRequest {
    call: Rc<Call>,
    method: Method,
    url: String,
    /// All fields, once somebody asked for them: then no field crosses the border again.
    fields: OnceCell<HeaderMap>,
    body_taken: Cell<bool>,
}

impl ShellRequest {
    /// `None` where the method is no token.
    pub(super) fn new(call: Rc<Call>, method: &str, url: String) -> Option<ShellRequest> {
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        Some(ShellRequest { call, method, url, fields: OnceCell::new(), body_taken: Cell::new(false) })
    }
}

impl Request for ShellRequest {
    type Body = JsValue;

    fn method(&self) -> &Method {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn header(&self, name: &str) -> Option<String> {
        if let Some(fields) = self.fields.get() {
            return joined(fields, name);
        }
        match NUMBERED.iter().position(|numbered| *numbered == name) {
            Some(number) => bindings::header(&self.call, number),
            None => bindings::header_named(&self.call, name),
        }
    }

    fn headers(&self) -> &HeaderMap {
        self.fields.get_or_init(|| unpack(&bindings::headers(&self.call)))
    }

    fn client_accept_encoding(&self) -> Option<String> {
        bindings::accept_encoding(&self.call)
    }

    fn country(&self) -> Option<String> {
        bindings::country(&self.call)
    }

    fn coordinates(&self) -> Option<(i16, i16)> {
        Some((bindings::coordinate(&self.call, "latitude")?, bindings::coordinate(&self.call, "longitude")?))
    }

    fn peer_address(&self) -> Option<String> {
        let peer = bindings::peer(&self.call)?;
        let bracketed = peer.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
        // One colon is that of a port; an address of its own has more.
        let plain = peer.split_once(':').filter(|(_, port)| !port.contains(':')).map(|(address, _)| address);
        Some(bracketed.or(plain).map_or_else(|| peer.clone(), str::to_owned))
    }

    fn take_body(&self) -> Option<JsValue> {
        if self.body_taken.replace(true) {
            return None;
        }
        let body = bindings::take_body(&self.call);
        (!body.is_null() && !body.is_undefined()).then_some(body)
    }
}

/// Fields as the JavaScript half writes them: name and value, each with a line feed after it.
pub(super) fn unpack(packed: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    let mut lines = packed.split('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        // The platform has parsed them already: what fits neither type is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The other way round.
pub(super) fn pack(headers: &HeaderMap) -> String {
    let mut packed = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        pack_field(&mut packed, name, value);
    }
    packed
}

/// One field of them.
pub(super) fn pack_field(packed: &mut String, name: &HeaderName, value: &HeaderValue) {
    packed.push_str(name.as_str());
    packed.push('\n');
    match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => packed.push_str(value),
        Err(_) => packed.push_str(&String::from_utf8_lossy(value.as_bytes())),
    }
    packed.push('\n');
}

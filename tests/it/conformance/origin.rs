//! The suite's own server: it answers each request of a case as that says, and notes what it was asked.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rimward_edge::field::date;
use rimward_edge::platform::{FetchError, Inbound, Outbound};
use rimward_edge::time::Timestamp;
use serde_json::Value;

use super::suite::Case;
use crate::world::Bytes;

/// The server for one case.
pub(crate) struct Origin {
    requests: Vec<Value>,
    /// What every body is, unless a request says otherwise.
    body: String,
    pub(crate) seen: RefCell<Vec<Seen>>,
    /// What it sent, by the number of the request: validators are compared as they were written.
    sent: RefCell<BTreeMap<usize, HeaderMap>>,
}

/// A request that the server got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) request_number: usize,
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    /// The fields of the answer that must reach the client as they were sent.
    pub(crate) to_be_received: Vec<(String, String)>,
}

impl Origin {
    pub(crate) fn new(case: &Case, body: String) -> Origin {
        Origin { requests: case.requests.clone(), body, seen: RefCell::default(), sent: RefCell::default() }
    }

    pub(crate) fn answer(&self, asked: &Outbound<Bytes>, now: Timestamp) -> Result<Inbound<Bytes>, FetchError> {
        let sent = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
        let count = self.seen.borrow().len() + 1;
        let number = sent("req-num").and_then(|number| number.parse().ok()).unwrap_or(count);
        let script = &self.requests[number - 1];
        let status = self.status(script, number, asked);
        let path = asked.url.splitn(4, '/').nth(3).map_or("/".to_owned(), |path| format!("/{path}"));

        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: &str| {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        };
        put("server-base-url", &path);
        put("server-request-count", &count.to_string());
        put("client-request-count", &number.to_string());
        put("server-now", &now.as_millis().to_string());
        let mut to_be_received: Vec<(String, String)> = Vec::new();
        for field in fields(script, "response_headers") {
            let value = field.value(script, now, &path);
            put(&field.name, &value);
            if field.is_to_be_received {
                match to_be_received.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(&field.name)) {
                    Some((_, known)) => *known = format!("{known}, {value}"),
                    None => to_be_received.push((field.name.clone(), value)),
                }
            }
        }
        if !headers.contains_key("content-type") {
            headers.insert("content-type", HeaderValue::from_static("text/plain"));
        }
        if !headers.contains_key("date") {
            // Node.js adds it.
            headers.insert("date", HeaderValue::from_str(&date::format(now)).unwrap());
        }
        self.sent.borrow_mut().entry(number).or_insert_with(|| headers.clone());
        let mut seen = self.seen.borrow_mut();
        seen.push(Seen {
            request_number: number,
            method: asked.method.to_string(),
            headers: asked.headers.clone(),
            to_be_received,
        });
        let numbers: Vec<String> = seen.iter().map(|seen| seen.request_number.to_string()).collect();
        headers.insert("request-numbers", HeaderValue::from_str(&numbers.join(" ")).unwrap());
        if script["disconnect"] == true {
            return Err(FetchError::Unreachable("the server closes the connection".to_owned()));
        }
        let has_body = !matches!(status.as_u16(), 204 | 304) && asked.method != http::Method::HEAD;
        let body = has_body.then(|| script["response_body"].as_str().unwrap_or(&self.body).as_bytes().to_vec());
        let body = body.map(|mut body| {
            let said = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
            // Who reads the answer stops there.
            body.truncate(said.unwrap_or(body.len()));
            headers.insert("content-length", HeaderValue::from(body.len()));
            body
        });
        Ok(Inbound { status, headers, body })
    }

    fn status(&self, script: &Value, number: usize, asked: &Outbound<Bytes>) -> StatusCode {
        let said = script["response_status"][0].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        let said = StatusCode::from_u16(said).unwrap();
        if !script["expected_type"].as_str().is_some_and(|kind| kind.ends_with("validated")) {
            return said;
        }
        let sent = self.sent.borrow();
        let is = |condition: &str, validator: &str| {
            let written = fields(&self.requests[number - 2], "response_headers").into_iter().rev();
            let written = written
                .filter(|field| field.name.eq_ignore_ascii_case(validator))
                .find_map(|field| HeaderValue::from_str(field.raw.as_str()?).ok());
            let before = sent.get(&(number - 1)).map_or(written, |headers| headers.get(validator).cloned());
            before.is_some() && before.as_ref() == asked.headers.get(condition)
        };
        if is("if-modified-since", "last-modified") || is("if-none-match", "etag") {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::from_u16(999).unwrap()
        }
    }
}

/// A field as a case writes it.
pub(crate) struct Field {
    pub(crate) name: String,
    raw: Value,
    is_to_be_received: bool,
}

/// The fields that a case lists.
pub(crate) fn fields(script: &Value, member: &str) -> Vec<Field> {
    let listed = script[member].as_array().map(Vec::as_slice).unwrap_or_default();
    let field = |field: &Value| Field {
        name: field[0].as_str().expect("a field has a name").to_owned(),
        raw: field[1].clone(),
        is_to_be_received: field[2] != false,
    };
    listed.iter().map(field).collect()
}

impl Field {
    /// Dates are said in seconds from now, locations relative to the URL.
    pub(crate) fn value(&self, script: &Value, now: Timestamp, path: &str) -> String {
        let name = self.name.to_ascii_lowercase();
        if let Some(seconds) = self.raw.as_i64() {
            let is_date = ["date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"];
            if !is_date.contains(&name.as_str()) {
                return seconds.to_string();
            }
            let millis = now.as_millis().saturating_add_signed(seconds * 1000);
            let rfc850 = script["rfc850date"].as_array().is_some_and(|names| names.iter().any(|known| known == &name));
            let text = date::format(Timestamp::from_millis(millis));
            return if rfc850 { as_rfc850(&text) } else { text };
        }
        let text = self.raw.as_str().unwrap_or_default();
        if script["magic_locations"] == true && matches!(name.as_str(), "location" | "content-location") {
            return if text.is_empty() { path.to_owned() } else { format!("{path}/{text}") };
        }
        text.to_owned()
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn as_rfc850(date: &str) -> String {
    let day = match &date[..3] {
        "Tue" => "Tuesday",
        "Wed" => "Wednesday",
        "Thu" => "Thursday",
        "Sat" => "Saturday",
        "Sun" => "Sunday",
        "Mon" => "Monday",
        _ => "Friday",
    };
    format!("{day}, {}-{}-{} {}", &date[5..7], &date[8..11], &date[14..16], &date[17..])
}

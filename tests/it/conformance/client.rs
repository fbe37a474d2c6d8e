//! The suite's own client: it sends the requests of a case, one after the other, and checks what it and the server saw.

use std::time::Duration;

use http::HeaderMap;
use rimward_edge::time::Timestamp;
use serde_json::Value;

use super::origin::{Field, Origin, fields};
use super::suite::{Case, Failure};
use crate::world::{Seen, Sent};

/// What stands between the client and the server.
pub(crate) trait Proxy {
    /// Sends a request through.
    fn send(&self, request: &Sent) -> Seen;
    /// Lets time pass.
    fn pass(&self, time: Duration);
}

/// How long the client pauses where a case says so.
const PAUSE: Duration = Duration::from_secs(3);

/// Runs a case.
pub(crate) fn run(case: &Case, body: &str, origin: &Origin, proxy: &dyn Proxy) -> Result<(), Failure> {
    let mut answers: Vec<Seen> = Vec::new();
    for (place, script) in case.requests.iter().enumerate() {
        let answer = proxy.send(&request(case, place, script, body, answers.last()));
        check_answer(script, place + 1, &answer, body)?;
        answers.push(answer);
        if script.get("pause_after").is_some() {
            proxy.pass(PAUSE);
        }
    }
    check_server(case, &answers, origin)
}

fn request(case: &Case, place: usize, script: &Value, body: &str, before: Option<&Seen>) -> Sent {
    let mut url = format!("https://shop.example/test/{body}");
    if let Some(name) = script["filename"].as_str() {
        url = format!("{url}/{name}");
    }
    if let Some(query) = script["query_arg"].as_str() {
        url = format!("{url}?{query}");
    }
    let mut request = Sent::new(script["request_method"].as_str().unwrap_or("GET"), &url);
    if script.get("request_headers").is_some() {
        for field in fields(script, "request_headers") {
            let is_magic = script["magic_ims"] == true && field.name.eq_ignore_ascii_case("if-modified-since");
            let now = before.filter(|_| is_magic).map(|seen| server_now(&seen.headers)).unwrap_or_default();
            request = request.with(&field.name, &field.value(script, now, ""));
        }
    } else {
        request = request.with("pragma", "foo").with("cache-control", "nothing-to-see-here");
    }
    if let Some(body) = script["request_body"].as_str() {
        request = request.with_body(body).with("content-length", &body.len().to_string());
    }
    let number = (place + 1).to_string();
    let request = request.with("test-id", &case.id).with("req-num", &number);
    request.with("accept", "*/*").with("accept-encoding", "gzip,deflate")
}

/// A field, its lines joined, in whatever characters it is; empty where it is absent.
fn field_of(answer: &Seen, name: &str) -> String {
    let lines: Vec<_> =
        answer.headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    lines.join(", ")
}

fn server_now(headers: &HeaderMap) -> Timestamp {
    let millis = headers.get("server-now").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    Timestamp::from_millis(millis.unwrap_or_default())
}

/// Whether a member of a case is taken for granted rather than asserted.
fn is_setup(script: &Value, member: &str) -> bool {
    let named = script["setup_tests"].as_array().is_some_and(|members| members.iter().any(|known| known == member));
    script["setup"] == true || named
}

fn check(is_setup: bool, holds: bool, text: impl FnOnce() -> String) -> Result<(), Failure> {
    match (holds, is_setup) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Setup(text())),
        (false, false) => Err(Failure::Assertion(text())),
    }
}

fn check_answer(script: &Value, number: usize, answer: &Seen, body: &str) -> Result<(), Failure> {
    let field = |name: &str| answer.headers.contains_key(name).then(|| field_of(answer, name));
    let numbers = field("request-numbers").unwrap_or_default();
    let mut numbers: Vec<&str> = numbers.split(' ').filter(|number| !number.is_empty()).collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    check(true, numbers.len() == all, || "the server was asked twice".to_owned())?;
    check_type(script, number, answer)?;
    check_status(script, number, answer.status)?;
    for expected in script["expected_response_headers"].as_array().into_iter().flatten() {
        check_field(script, number, answer, expected)?;
    }
    for missing in script["expected_response_headers_missing"].as_array().into_iter().flatten() {
        // The suite never looks at the values of those that it lists with one.
        let Some(name) = missing.as_str() else { continue };
        check(is_setup(script, "expected_response_headers_missing"), field(name).is_none(), || {
            format!("answer {number} has `{name}`")
        })?;
    }
    check_body(script, number, answer, body)
}

fn check_type(script: &Value, number: usize, answer: &Seen) -> Result<(), Failure> {
    let setup = is_setup(script, "expected_type");
    let count: Option<usize> = answer.headers.get("server-request-count").and_then(|c| c.to_str().ok()?.parse().ok());
    match script["expected_type"].as_str() {
        Some("cached") if answer.status == 304 && count.is_none() => Ok(()),
        Some("cached") => check(setup, count.is_some_and(|count| count < number), || {
            format!("answer {number} does not come from the cache")
        }),
        Some("not_cached") => check(setup, count == Some(number), || format!("answer {number} comes from the cache")),
        _ => Ok(()),
    }
}

fn check_status(script: &Value, number: usize, status: u16) -> Result<(), Failure> {
    let text = || format!("the status of answer {number} is {status}");
    if let Some(expected) = script.get("expected_status") {
        return check(is_setup(script, "expected_status"), expected.is_null() || *expected == status, text);
    }
    if let Some(said) = script["response_status"][0].as_u64() {
        return check(true, u64::from(status) == said, text);
    }
    if status == 999 {
        let text = || format!("request {number} should have been conditional");
        return check(is_setup(script, "expected_type"), false, text);
    }
    check(true, status == 200, text)
}

fn check_field(script: &Value, number: usize, answer: &Seen, expected: &Value) -> Result<(), Failure> {
    let setup = is_setup(script, "expected_response_headers");
    let name = expected.as_str().or_else(|| expected[0].as_str()).expect("a field has a name");
    let found = answer.headers.contains_key(name).then(|| field_of(answer, name));
    let text = || format!("`{name}` of answer {number} is {found:?}, expected {expected}");
    let holds = match (&found, expected.as_array().map(Vec::as_slice)) {
        (_, Some([_, _])) => {
            let only = serde_json::json!({ "fields": [expected] });
            let path = field_of(answer, "server-base-url");
            let value = |field: &Field| field.value(script, server_now(&answer.headers), &path);
            found == fields(&only, "fields").first().map(value)
        }
        (None, _) => false,
        (Some(_), None) => true,
        (Some(found), Some([_, operator, operand])) if operator == ">" => {
            let digits: String = found.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<i64>().is_ok_and(|number| number > operand.as_i64().unwrap_or(i64::MAX))
        }
        (Some(found), Some([_, operator, operand])) if operator == "=" => {
            *found == field_of(answer, operand.as_str().expect("a field is compared with one"))
        }
        (_, Some(other)) => panic!("{other:?} is no expectation"),
    };
    check(setup, holds, text)
}

fn check_body(script: &Value, number: usize, answer: &Seen, body: &str) -> Result<(), Failure> {
    let text = || format!("the body of answer {number} is {:?}", answer.text());
    if script["check_body"] == false {
        return Ok(());
    }
    if let Some(expected) = script.get("expected_response_text") {
        let holds = expected.is_null() || *expected == answer.text();
        return check(is_setup(script, "expected_response_text"), holds, text);
    }
    if let Some(expected) = script["response_body"].as_str() {
        return check(true, answer.text() == expected, text);
    }
    let has_none = matches!(answer.status, 204 | 304) || script["request_method"] == "HEAD";
    check(true, has_none || answer.text() == body, text)
}

fn check_server(case: &Case, answers: &[Seen], origin: &Origin) -> Result<(), Failure> {
    let seen = origin.seen.borrow();
    let mut place = 0;
    for (script, (number, answer)) in case.requests.iter().zip((1..).zip(answers)) {
        let request = seen.get(place);
        let setup = is_setup(script, "expected_type");
        let kind = script["expected_type"].as_str().unwrap_or_default();
        if kind == "cached" {
            continue;
        }
        if kind == "not_cached" {
            let holds = request.is_some_and(|request| request.request_number == number);
            check(setup, holds, || format!("answer {number} comes from the cache"))?;
        }
        place += 1;
        let condition = match kind {
            "etag_validated" => Some("if-none-match"),
            "lm_validated" => Some("if-modified-since"),
            _ => None,
        };
        if let Some(name) = condition {
            let holds = request.is_some_and(|request| request.headers.contains_key(name));
            check(setup, holds, || format!("request {number} reached the server without `{name}`"))?;
        }
        let joined = |name: &str| {
            let lines: Vec<&str> =
                request?.headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
            (!lines.is_empty()).then(|| lines.join(", "))
        };
        for (member, wanted) in [("expected_request_headers", true), ("expected_request_headers_missing", false)] {
            for expected in script[member].as_array().into_iter().flatten() {
                let name = expected.as_str().or_else(|| expected[0].as_str()).expect("a field has a name");
                let found = joined(name);
                let holds = match expected[1].as_str() {
                    Some(value) => found.as_deref() == Some(value),
                    None => found.is_some(),
                };
                let text = || format!("`{name}` of request {number} at the server is {found:?}, see {expected}");
                check(is_setup(script, member), holds == wanted, text)?;
            }
        }
        let Some(request) = request else { continue };
        for (name, value) in request.to_be_received.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date")) {
            let received = answer.headers.contains_key(name).then(|| field_of(answer, name));
            let text = || format!("`{name}` of answer {number} is {received:?}, not {value:?}");
            check(true, received.as_ref() == Some(value), text)?;
        }
        if let Some(method) = script["expected_method"].as_str() {
            let text = || format!("request {number} reached the server as {}", request.method);
            check(is_setup(script, "expected_method"), request.method == method, text)?;
        }
    }
    Ok(())
}

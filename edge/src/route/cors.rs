//! The CORS protocol by rule (Fetch standard, "CORS protocol"): an origin server behind a route needs to know nothing of it.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::config::Cors;
use crate::field::list;

/// Every field of the protocol that answers have: an origin server's own are replaced.
const OF_ANSWERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// Whether a request is a preflight, which the rule answers in the origin's place.
pub fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
    method == Method::OPTIONS && request.contains_key(ORIGIN) && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The fields of the answer to a preflight. To an origin that the rule does not allow it grants nothing.
pub fn preflight(cors: &Cors, request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let vary = "origin, access-control-request-method, access-control-request-headers";
    headers.insert(VARY, HeaderValue::from_static(vary));
    if !grant_origin(cors, request, &mut headers) {
        return headers;
    }
    set(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.methods.join(", "));
    let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|asked| asked.to_str().ok()).unwrap_or_default();
    // `*` is no wildcard to requests with credentials: what was asked for is named, and so it works for both.
    let allowed = if cors.headers.iter().any(|name| name == "*") {
        list::members(asked).filter(|name| list::is_token(name)).collect::<Vec<_>>().join(", ")
    } else {
        cors.headers.join(", ")
    };
    set(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, &allowed);
    if let Some(seconds) = cors.max_age_s {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    headers
}

/// Replaces what the answer to any other request says of the protocol.
pub fn replace(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) {
    for name in OF_ANSWERS {
        answer.remove(name);
    }
    if cors.origins.iter().all(|origin| origin != "*") {
        answer.append(VARY, HeaderValue::from_static("origin"));
    }
    if grant_origin(cors, request, answer) {
        set(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose.join(", "));
    }
}

fn grant_origin(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    let Some(origin) = request.get(ORIGIN) else { return false };
    if cors.origins.iter().any(|allowed| allowed == "*") {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        return true;
    }
    // `null` is what every sandboxed frame sends: no rule can mean it.
    let named = |allowed: &String| origin.as_bytes() != b"null" && allowed.as_bytes() == origin.as_bytes();
    if !cors.origins.iter().any(named) {
        return false;
    }
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if cors.credentials {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origin: &str, headers: &str) -> Cors {
        Cors {
            origins: vec![origin.to_owned()],
            methods: vec!["GET".to_owned(), "PUT".to_owned()],
            headers: vec![headers.to_owned()],
            expose: vec!["x-total".to_owned()],
            credentials: origin != "*",
            max_age_s: Some(600),
        }
    }

    fn request(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers.insert("access-control-request-method", HeaderValue::from_static("PUT"));
        headers.insert("access-control-request-headers", HeaderValue::from_static("x-a,x-b"));
        headers
    }

    #[test]
    fn a_preflight_grants_an_allowed_origin_what_the_rule_says() {
        let granted = preflight(&rule("https://app.example", "x-a"), &request("https://app.example"));
        assert_eq!(granted["access-control-allow-origin"], "https://app.example");
        assert_eq!(granted["access-control-allow-credentials"], "true");
        assert_eq!(granted["access-control-allow-methods"], "GET, PUT");
        assert_eq!(granted["access-control-allow-headers"], "x-a");
        assert_eq!(granted["access-control-max-age"], "600");
        assert!(granted["vary"].to_str().unwrap().contains("origin"));
    }

    #[test]
    fn strangers_are_granted_nothing() {
        for origin in ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"] {
            let granted = preflight(&rule("https://app.example", "x-a"), &request(origin));
            assert!(!granted.keys().any(|name| name.as_str().starts_with("access-control")), "{origin}");
        }
    }

    #[test]
    fn a_star_of_headers_names_what_was_asked_for() {
        let granted = preflight(&rule("*", "*"), &request("https://any.example"));
        assert_eq!(granted["access-control-allow-headers"], "x-a, x-b");
        assert_eq!(granted["access-control-allow-origin"], "*");
        assert!(!granted.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn what_the_origin_server_says_of_cors_is_replaced() {
        let mut answer = HeaderMap::new();
        answer.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        answer.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
        answer.insert("vary", HeaderValue::from_static("accept-encoding"));
        replace(&rule("https://app.example", "x-a"), &request("https://evil.example"), &mut answer);
        assert!(!answer.contains_key("access-control-allow-origin"));
        assert!(!answer.contains_key("access-control-allow-credentials"));
        assert_eq!(answer.get_all("vary").iter().collect::<Vec<_>>(), ["accept-encoding", "origin"]);
        replace(&rule("https://app.example", "x-a"), &request("https://app.example"), &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "https://app.example");
        assert_eq!(answer["access-control-expose-headers"], "x-total");
    }
}

//! Fields of one connection, which are not forwarded (RFC 9110 §7.6.1).

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName};

const OF_THE_CONNECTION: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What `Connection` may never name: dropping them would change what the message is, or hide a loop.
const OF_THE_WHOLE_WAY: [&str; 5] = ["host", "content-length", "content-type", "cdn-loop", "via"];

/// Whether a request's `Connection` names a field of the whole way: nobody honest does.
pub fn names_field_of_the_whole_way(headers: &HeaderMap) -> bool {
    named(headers).iter().any(|name| OF_THE_WHOLE_WAY.contains(&name.as_str()))
}

/// Drops what belongs to the connection, by itself or because `Connection` names it.
pub fn drop_all(headers: &mut HeaderMap) {
    for name in named(headers) {
        if !OF_THE_WHOLE_WAY.contains(&name.as_str()) {
            headers.remove(name);
        }
    }
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}

/// Whether a field is of one connection.
pub fn is_of_the_connection(name: &str) -> bool {
    OF_THE_CONNECTION.contains(&name)
}

fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = headers.get_all(CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        headers
    }

    #[test]
    fn what_connection_names_goes_and_names_one_letter_off_stay() {
        let mut found = headers(&[
            ("connection", "X-Secret, close"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-secrets", "2"),
            ("x-secre", "3"),
            ("x-other", "4"),
            ("keep-alive", "timeout=5"),
            ("keep-alives", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
        ]);
        drop_all(&mut found);
        let expected = headers(&[
            ("x-secrets", "2"),
            ("x-secre", "3"),
            ("keep-alives", "5"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn connection_may_not_name_what_belongs_to_the_whole_way() {
        for (value, expected) in [
            ("Host", true),
            ("close, Content-Length", true),
            ("CDN-Loop", true),
            ("keep-alive", false),
            ("Hos", false),
            ("content-lengths", false),
            ("not a token,host", true),
            ("\"x,host", true),
            ("é, host", true),
        ] {
            assert_eq!(names_field_of_the_whole_way(&headers(&[("connection", value)])), expected, "{value}");
        }
    }

    #[test]
    fn an_answer_keeps_its_length_whatever_connection_names() {
        let mut found = headers(&[("connection", "content-length"), ("content-length", "5")]);
        drop_all(&mut found);
        assert_eq!(found, headers(&[("content-length", "5")]));
    }
}

//! The head of an origin's answer, as it goes on to the client.

use http::header::{ALT_SVC, CACHE_CONTROL, EXPIRES, LOCATION, VIA};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{PSEUDONYM, hop};

/// Whether a status is one that a final answer can have. RFC 9110 §15: past 599 it is invalid, and counts as a failure of
/// the server; the platform could not send it on either.
pub fn is_final(status: StatusCode) -> bool {
    (200..600).contains(&status.as_u16())
}

/// The head that the origin sent, without what is for us, or for the connection to us.
pub fn received(mut headers: HeaderMap, origin_url: &str) -> HeaderMap {
    hop::drop_all(&mut headers);
    // Where else this origin is reached is not where else this site is.
    headers.remove(ALT_SVC);
    headers.remove("x-request-id");
    stay_here(&mut headers, origin_url);
    headers
}

/// Makes the head that the client gets, but for [`cache_status`].
pub fn give(headers: &mut HeaderMap) {
    state_caching(headers);
    headers.append(VIA, HeaderValue::from_str(&format!("1.1 {PSEUDONYM}")).expect("made of visible ASCII here"));
}

/// RFC 9211: members of caches nearer to the origin stand before ours.
pub fn cache_status(headers: &mut HeaderMap, ours: HeaderValue) {
    headers.append("cache-status", ours);
}

/// `Cache-Status` where nothing was looked up, by configuration.
pub fn bypassed(status: StatusCode) -> HeaderValue {
    let text = format!("{PSEUDONYM}; fwd=bypass; fwd-status={}", status.as_u16());
    HeaderValue::from_str(&text).expect("made of visible ASCII here")
}

/// An origin that says nothing has not thought of caches: nobody shares its answer, and a browser asks again. One that
/// says `Expires` keeps its time for the browser alone.
fn state_caching(headers: &mut HeaderMap) {
    if !headers.contains_key(CACHE_CONTROL) {
        let stated = if headers.contains_key(EXPIRES) { "private" } else { "private, no-cache" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(stated));
    }
}

/// A redirect to the origin's own address would lead clients past this site.
fn stay_here(headers: &mut HeaderMap, origin_url: &str) {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(rest) = location.and_then(|location| location.strip_prefix(origin_url)) else { return };
    let here = match rest.as_bytes() {
        [] => "/".to_owned(),
        [b'/', b'/', ..] => format!("/{}", rest.trim_start_matches('/')),
        [b'/', ..] => rest.to_owned(),
        [b'?' | b'#', ..] => format!("/{rest}"),
        _ => return,
    };
    if let Ok(here) = HeaderValue::from_str(&here) {
        headers.insert(LOCATION, here);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[(&'static str, &'static str)], name: &str, expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for &(name, value) in sent {
            headers.append(name, HeaderValue::from_static(value));
        }
        let mut found = received(headers, "http://origin:80/v1");
        give(&mut found);
        cache_status(&mut found, bypassed(StatusCode::OK));
        assert_eq!(found.get_all(name).iter().collect::<Vec<_>>(), expected, "{sent:?}");
    }

    #[test]
    fn caching_is_always_stated() {
        check(&[], "cache-control", &["private, no-cache"]);
        check(&[("expires", "Thu, 01 Dec 2050 16:00:00 GMT")], "cache-control", &["private"]);
        check(
            &[("cache-control", "max-age=5"), ("cache-control", "public")],
            "cache-control",
            &["max-age=5", "public"],
        );
        check(
            &[("cache-status", "inner; hit")],
            "cache-status",
            &["inner; hit", "rimward; fwd=bypass; fwd-status=200"],
        );
    }

    #[test]
    fn redirects_to_the_origin_stay_on_the_site() {
        check(&[("location", "http://origin:80/v1/login?x")], "location", &["/login?x"]);
        check(&[("location", "http://origin:80/v1")], "location", &["/"]);
        check(&[("location", "http://origin:80/v1//evil.example")], "location", &["/evil.example"]);
        check(&[("location", "http://origin:80/v10/x")], "location", &["http://origin:80/v10/x"]);
        check(&[("location", "https://elsewhere.example/")], "location", &["https://elsewhere.example/"]);
        check(&[("location", "next")], "location", &["next"]);
    }

    #[test]
    fn several_cookies_stay_several_and_the_connections_fields_go() {
        check(&[("set-cookie", "a=1"), ("set-cookie", "b=2")], "set-cookie", &["a=1", "b=2"]);
        check(&[("connection", "x-inner"), ("x-inner", "1")], "x-inner", &[]);
        check(&[("alt-svc", "h3=\":443\"")], "alt-svc", &[]);
        check(&[("content-encoding", "gzip"), ("content-length", "9")], "content-length", &["9"]);
    }
}

//! The head of a request to an origin: who asks is said by us, never by the client.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{ACCEPT, CONTENT_LENGTH, EXPECT, HOST, HeaderName, UPGRADE, VIA};
use http::{HeaderMap, HeaderValue, Method};

use super::{PSEUDONYM, hop};
use crate::config::Origin;
use crate::field::list;

/// What a request to an origin is made from.
#[derive(Debug)]
pub struct Asked<'request> {
    /// The method.
    pub method: &'request Method,
    /// `http` or `https`, as the client asked.
    pub scheme: &'request str,
    /// Host and port, as the client asked.
    pub authority: &'request str,
    /// The path as the client sent it.
    pub raw_path: &'request str,
    /// Without the question mark.
    pub query: Option<&'request str>,
    /// The client's address, where it is known.
    pub client: Option<IpAddr>,
    /// The peer, where it is a trusted proxy: then what it says of the client is kept and it is added to it.
    pub trusted_peer: Option<IpAddr>,
    /// Our id of the request.
    pub request_id: &'request str,
    /// The client's own, where it is fit to be repeated.
    pub client_request_id: Option<&'request str>,
    /// `[site] name`.
    pub site: &'request str,
}

/// What follows from the head for the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The pool's limits hold.
    Limited,
    /// A stream of events or a WebSocket was asked for: it may pause and last.
    Endless,
}

const CDN_LOOP: &str = "cdn-loop";

/// What clients say of who they are, and what proxies say of clients: dropped, and said by us where it is known.
const CLAIMS: [&str; 14] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-client-request-id",
    "x-cluster-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

/// Fields that frame a message, or that we say ourselves in every request to an origin.
const OURS: [&str; 6] = ["cdn-loop", "content-length", "expect", "host", "via", "x-request-id"];

/// Whether a request to an origin has a field from us, or never: then nothing else can set it. In lower case.
pub fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || CLAIMS.contains(&name) || hop::is_of_the_connection(name)
}

/// What is asked of an origin: path and query, as they stand behind its URL.
pub fn target(asked: &Asked<'_>) -> String {
    match asked.query {
        Some(query) => format!("{}?{query}", asked.raw_path),
        None => asked.raw_path.to_owned(),
    }
}

/// The URL to ask. The host is the origin's, whatever the client's path looks like: it is put behind it as text.
pub fn url(origin: &Origin, target: &str) -> String {
    format!("{}{target}", origin.url.trim_end_matches('/'))
}

/// Whether the request has been through this site already (RFC 8586).
pub fn is_loop(headers: &HeaderMap, site: &str) -> bool {
    let ours = loop_token(site).to_ascii_lowercase();
    // By bytes, whatever else a client wrote beside it: a quotation mark that is never closed hides nothing.
    let mut members = headers.get_all(CDN_LOOP).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    members.any(|member| {
        member.iter().filter(|byte| !matches!(byte, b' ' | b'\t')).map(u8::to_ascii_lowercase).eq(ours.bytes())
    })
}

/// Makes the head that the origin gets out of the one that the client sent.
pub fn head(mut headers: HeaderMap, asked: &Asked<'_>) -> (HeaderMap, Pace) {
    let upgrades = asked.method == Method::GET
        && headers.get(UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let told = asked.trusted_peer.map(|_| Told::of(&headers)).unwrap_or_default();
    hop::drop_all(&mut headers);
    for name in CLAIMS {
        headers.remove(name);
    }
    headers.remove(HOST);
    headers.remove(EXPECT);
    if matches!(*asked.method, Method::GET | Method::HEAD) {
        headers.remove(CONTENT_LENGTH);
    }
    say_who_asks(&mut headers, asked, &told);
    append(&mut headers, VIA, &format!("1.1 {PSEUDONYM}"));
    append(&mut headers, HeaderName::from_static(CDN_LOOP), &loop_token(asked.site));
    set(&mut headers, "x-request-id", asked.request_id);
    if let Some(id) = asked.client_request_id {
        set(&mut headers, "x-client-request-id", id);
    }
    if upgrades {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let events = headers.get(ACCEPT).is_some_and(|accept| contains(accept.as_bytes(), b"text/event-stream"));
    (headers, if upgrades || events { Pace::Endless } else { Pace::Limited })
}

/// What a trusted proxy says of the request that it got.
#[derive(Debug, Default)]
struct Told {
    chain: Option<String>,
    scheme: Option<String>,
    host: Option<String>,
}

impl Told {
    fn of(headers: &HeaderMap) -> Told {
        let last = |name: &str| {
            let value = list::joined(headers, name)?;
            list::members(&value).last().map(str::to_owned)
        };
        Told {
            chain: list::joined(headers, "x-forwarded-for"),
            scheme: last("x-forwarded-proto").filter(|scheme| matches!(scheme.as_str(), "http" | "https")),
            host: last("x-forwarded-host").filter(|host| is_host(host)),
        }
    }
}

fn say_who_asks(headers: &mut HeaderMap, asked: &Asked<'_>, told: &Told) {
    let scheme = told.scheme.as_deref().unwrap_or(asked.scheme);
    let host = told.host.as_deref().unwrap_or(asked.authority);
    set(headers, "x-forwarded-proto", scheme);
    set(headers, "x-forwarded-host", host);
    let chain = match (&told.chain, asked.trusted_peer, asked.client) {
        (Some(chain), Some(peer), _) => Some(format!("{chain}, {peer}")),
        (_, _, client) => client.map(|address| address.to_string()),
    };
    if let Some(chain) = chain {
        set(headers, "x-forwarded-for", &chain);
    }
    // RFC 7239 §6: IPv6 addresses stand in brackets and quotes.
    let mut forwarded = match asked.client {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".to_owned(),
    };
    write!(forwarded, ";host=\"{host}\";proto={scheme}").expect("a string takes whatever is written");
    set(headers, "forwarded", &forwarded);
}

fn loop_token(site: &str) -> String {
    let name: String = site.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{PSEUDONYM};site={name}")
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Adds a member to a field that is a list.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked<'static> {
        Asked {
            method: &Method::GET,
            scheme: "https",
            authority: "shop.example.com:8443",
            raw_path: "/api/a%2Fb",
            query: Some("x=1"),
            client: "203.0.113.9".parse().ok(),
            trusted_peer: None,
            request_id: "id-1",
            client_request_id: Some("theirs"),
            site: "my shop",
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn who_asks_is_said_by_us() {
        let claims = headers(&[
            ("host", "shop.example.com"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("cf-connecting-ip", "6.6.6.6"),
            ("x-request-id", "theirs"),
            ("via", "1.1 before"),
            ("accept", "application/json"),
        ]);
        let (found, pace) = head(claims, &asked());
        let expected = headers(&[
            ("accept", "application/json"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example.com:8443"),
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9;host=\"shop.example.com:8443\";proto=https"),
            ("via", "1.1 before"),
            ("via", "1.1 rimward"),
            ("cdn-loop", "rimward;site=my-shop"),
            ("x-request-id", "id-1"),
            ("x-client-request-id", "theirs"),
        ]);
        assert_eq!(found, expected);
        assert_eq!(pace, Pace::Limited);
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added_to_the_chain() {
        let told = headers(&[
            ("x-forwarded-for", "6.6.6.6, 203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
        ]);
        let asked = Asked { scheme: "http", trusted_peer: "10.0.0.1".parse().ok(), ..asked() };
        let (found, _) = head(told, &asked);
        assert_eq!(found["x-forwarded-for"], "6.6.6.6, 203.0.113.9, 10.0.0.1");
        assert_eq!(found["x-forwarded-proto"], "https");
        assert_eq!(found["forwarded"], "for=203.0.113.9;host=\"shop.example\";proto=https");
    }

    #[test]
    fn the_host_asked_is_the_origins_whatever_the_path() {
        let origin = Origin::new("https://api.example/v1");
        for (raw_path, expected) in [
            ("/api/a%2Fb", "https://api.example/v1/api/a%2Fb?x=1"),
            ("//evil.example/x", "https://api.example/v1//evil.example/x?x=1"),
            ("/@evil.example", "https://api.example/v1/@evil.example?x=1"),
            ("/http://evil.example/", "https://api.example/v1/http://evil.example/?x=1"),
        ] {
            assert_eq!(url(&origin, &target(&Asked { raw_path, ..asked() })), expected);
        }
        // Without a prefix too: a path begins with a slash, which ends the host.
        let bare = Origin::new("https://api.example");
        let asked = Asked { raw_path: "/@evil", query: None, ..asked() };
        assert_eq!(url(&bare, &target(&asked)), "https://api.example/@evil");
    }

    #[test]
    fn a_request_that_was_here_before_is_a_loop() {
        let is = |value| is_loop(&headers(&[("cdn-loop", value)]), "my shop");
        assert!(is("rimward;site=my-shop"));
        assert!(is("cloudflare; loops=1, Rimward; site=my-shop"));
        assert!(is("a;b=\"x, rimward;site=my-shop"));
        let not_text = HeaderValue::from_bytes(b"\xe9, rimward;site=my-shop").expect("a value");
        assert!(is_loop(&HeaderMap::from_iter([(HeaderName::from_static(CDN_LOOP), not_text)]), "my shop"));
        assert!(is_loop(&headers(&[("cdn-loop", "rimward;site=MyShop")]), "MyShop"));
        assert!(!is("rimward;site=another"));
        assert!(!is("cloudflare; loops=1"));
        let (sent, _) = head(HeaderMap::new(), &asked());
        assert!(is_loop(&sent, "my shop"));
    }

    #[test]
    fn sockets_and_event_streams_may_pause() {
        let (found, pace) =
            head(headers(&[("upgrade", "WebSocket"), ("connection", "Upgrade"), ("sec-websocket-key", "k")]), &asked());
        assert_eq!((found["upgrade"].as_bytes(), pace), (&b"websocket"[..], Pace::Endless));
        assert!(found.contains_key("sec-websocket-key") && !found.contains_key("connection"));
        let (found, pace) = head(headers(&[("upgrade", "h2c"), ("accept", "text/event-stream")]), &asked());
        assert!(!found.contains_key("upgrade"));
        assert_eq!(pace, Pace::Endless);
    }
}

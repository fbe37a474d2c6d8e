//! What an operator asks of limits: JSON, bounded, that says whom to ban or to let in again.

use std::net::IpAddr;

use super::partition::{self, Key, Whom};
use crate::config::{LimitPolicy, Part};
use crate::json::Value;

/// How long a ban may last: as in the settings.
pub const LONGEST_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A ban, or the end of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The limit's name.
    pub limit: String,
    /// It ends a ban.
    pub lifts: bool,
    /// For how long; `None`: as the limit's own rule says.
    pub seconds: Option<u64>,
    /// All that it says. Beside these, whom: by the parts of the limit's partition, as the settings spell them.
    members: Value,
}

impl Request {
    /// Reads the body of a request. Else a sentence that says what is wrong.
    pub fn parse(body: &[u8]) -> Result<Request, String> {
        let body = Value::parse(body).map_err(|error| format!("the body is no JSON: {error}"))?;
        let (lifts, members) = match body.members() {
            [(name, members @ Value::Object(_))] if name == "ban" => (false, members.clone()),
            [(name, members @ Value::Object(_))] if name == "lift" => (true, members.clone()),
            _ => return Err("the body is an object of one member: `ban` or `lift`, an object".to_owned()),
        };
        let Some(Value::Text(limit)) = members.get("limit") else {
            return Err("`limit` is to be the name of a `[limit.*]`".to_owned());
        };
        let seconds = match members.get("seconds") {
            None => None,
            Some(seconds) => {
                let seconds = seconds.as_u64().filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds) && !lifts);
                Some(seconds.ok_or("`seconds` is of a ban, and a whole number up to 30 days")?)
            }
        };
        Ok(Request { limit: limit.clone(), lifts, seconds, members })
    }

    /// The digest of whom it names, as the limit counts them: each part of its partition is named, and nothing else.
    pub fn partition(
        &self,
        site: &str,
        policy: &LimitPolicy,
        is_route: &dyn Fn(&str) -> bool,
    ) -> Result<String, String> {
        let parts = policy.partition.as_slice();
        let text = |name: &str| self.members.get(name).and_then(Value::as_str);
        let named = self.members.members().len() - 1 - usize::from(self.seconds.is_some());
        if let (Some(digest), 1) = (text("digest"), named) {
            let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            return if is_digest {
                Ok(digest.to_ascii_lowercase())
            } else {
                Err("`digest` is of 32 digits".to_owned())
            };
        }
        let mut cookies = String::new();
        let mut wanted = String::new();
        let mut is_whole = named == parts.len();
        for part in parts {
            let name = part.to_string();
            let value = text(&name).unwrap_or_default();
            let fits = match part {
                Part::Ip => value.parse::<IpAddr>().is_ok(),
                Part::Cookie(name) => {
                    cookies.extend([name, "=", value, ";"]);
                    !value.contains([';', ','])
                }
                Part::Route => is_route(value),
                Part::Header(_) | Part::Country | Part::Global => true,
            };
            if !fits && !value.is_empty() {
                return Err(format!("`{name}` cannot be `{value}`"));
            }
            is_whole &= !value.is_empty();
            wanted.extend([" `", &name, "`"]);
        }
        if !is_whole {
            return Err(format!("whom `[limit.{}]` counts is named by each of{wanted} and nothing else", self.limit));
        }
        let field = |name: &str| match text(&format!("header:{name}")) {
            None if name == "cookie" => Some(cookies.clone()),
            value => value.map(str::to_owned),
        };
        let address = text("ip").and_then(|address| address.parse().ok());
        let whom = Whom { address, country: text("country"), route: text("route").unwrap_or_default(), field: &field };
        Ok(Key { policy: 0, partition: partition::partition(site, parts, &whom) }.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(parts: &str) -> LimitPolicy {
        LimitPolicy::try_from(format!("a; fixed-window 1 1000; partition {parts}")).unwrap()
    }

    fn named(parts: &str, whom: &str) -> Result<String, String> {
        let request = Request::parse(format!(r#"{{"lift":{{"limit":"a",{whom}}}}}"#).as_bytes())?;
        request.partition("shop", &policy(parts), &|route| route == "/api/*")
    }

    fn seen(parts: &str, address: &str, country: Option<&str>) -> u128 {
        let field = |name: &str| match name {
            "x-key" => Some("k1".to_owned()),
            "cookie" => Some("a=0; session=s1; user=u1".to_owned()),
            _ => None,
        };
        let whom = Whom { address: address.parse().ok(), country, route: "/api/*", field: &field };
        partition::partition("shop", &policy(parts).partition, &whom)
    }

    #[test]
    fn who_is_named_is_who_is_counted() {
        let keys = r#""header:x-key":"k1","cookie:session":"s1""#;
        let users = r#""cookie:user":"u1","cookie:session":"s1","ip":"192.0.2.1""#;
        for (parts, whom, expected) in [
            ("ip", r#""ip":"192.0.2.1""#, seen("ip", "192.0.2.1", None)),
            ("ip", r#""ip":"::ffff:192.0.2.1""#, seen("ip", "192.0.2.1", None)),
            ("ip", r#""ip":"2001:db8::7""#, seen("ip", "2001:db8::1", None)),
            ("header:x-key cookie:session", keys, seen("header:x-key cookie:session", "192.0.2.1", None)),
            ("ip cookie:session cookie:user", users, seen("ip cookie:session cookie:user", "192.0.2.1", None)),
            ("ip route", r#""ip":"192.0.2.1","route":"/api/*""#, seen("ip route", "192.0.2.1", None)),
            ("ip country", r#""ip":"192.0.2.1","country":"DE""#, seen("ip country", "192.0.2.1", Some("DE"))),
            ("ip", r#""digest":"0000000000000000000000000000001F""#, 31),
        ] {
            assert_eq!(named(parts, whom), Ok(format!("{expected:032x}")), "{parts} {whom}");
        }
    }

    #[test]
    fn who_is_not_named_as_the_limit_counts_is_refused() {
        for (parts, whom, word) in [
            ("ip", r#""ip":"192.0.2""#, "`ip` cannot be `192.0.2`"),
            ("ip", r#""ip":7"#, "by each of `ip` and"),
            ("ip", r#""country":"DE""#, "by each of `ip` and"),
            ("ip", r#""ip":"192.0.2.1","country":"DE""#, "by each of `ip` and"),
            ("ip", r#""ip":"192.0.2.1","for":"10m""#, "by each of `ip` and"),
            ("ip", r#""ip":"192.0.2.1","digest":"00""#, "by each of `ip` and"),
            ("ip", r#""digest":"00""#, "32 digits"),
            ("ip route", r#""ip":"192.0.2.1","route":"/other/*""#, "`route` cannot be `/other/*`"),
            ("ip route", r#""ip":"192.0.2.1""#, "by each of `ip` `route` and"),
            ("header:x-key", r#""header:x-other":"k1""#, "by each of `header:x-key` and"),
            ("header:x-key", r#""header:x-key":"""#, "by each of `header:x-key` and"),
            ("cookie:session", r#""cookie:session":"s1; user=u1""#, "`cookie:session` cannot be"),
        ] {
            let error = named(parts, whom).unwrap_err();
            assert!(error.contains(word), "{parts} {whom}: {error}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (body, word) in [
            ("", "no JSON"),
            ("[]", "one member"),
            ("{}", "one member"),
            (r#"{"ban":{},"lift":{}}"#, "one member"),
            (r#"{"ban":{},"soon":1}"#, "one member"),
            (r#"{"ban":1}"#, "one member"),
            (r#"{"unban":{}}"#, "one member"),
            (r#"{"ban":{}}"#, "`limit` is to be"),
            (r#"{"ban":{"limit":1}}"#, "`limit` is to be"),
            (r#"{"lift":{"limit":"a","seconds":5}}"#, "`seconds` is of a ban"),
            (r#"{"ban":{"limit":"a","seconds":0}}"#, "up to 30 days"),
            (r#"{"ban":{"limit":"a","seconds":2592001}}"#, "up to 30 days"),
            (r#"{"ban":{"limit":"a","seconds":"5"}}"#, "up to 30 days"),
        ] {
            let error = Request::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{body}: {error}");
        }
        let request = Request::parse(br#"{"ban":{"limit":"a","ip":"192.0.2.1","seconds":2592000}}"#).unwrap();
        assert_eq!((request.lifts, request.seconds), (false, Some(2_592_000)));
    }
}

//! The fields that tell clients of limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), and the
//! older `X-RateLimit-*`.

use http::{HeaderMap, HeaderValue, header::HeaderName};

use super::law;
use crate::config::{Algorithm, LimitFields};

/// The quota policies that a request is under.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What they leave.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What one policy says to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'p> {
    /// Its name in the settings.
    pub name: &'p str,
    /// What it counts.
    pub algorithm: Algorithm,
    /// Which fields tell of it.
    pub fields: &'p [LimitFields],
    /// Permits that are there, and until when, in seconds; `None` where nobody knows.
    pub left: Option<(u64, u64)>,
}

/// Adds what these policies say.
pub fn tell(headers: &mut HeaderMap, told: &[Told<'_>]) {
    let of_draft = || told.iter().filter(|told| told.fields.contains(&LimitFields::Draft11));
    let mut policies = String::new();
    for Told { name, algorithm, .. } in of_draft() {
        let (quota, window) = law::advertised(*algorithm);
        separate(&mut policies);
        policies.extend(["\"", name, "\";q=", itoa::Buffer::new().format(quota)]);
        match window {
            Some(seconds) => policies.extend([";w=", itoa::Buffer::new().format(seconds)]),
            None => policies.push_str(";qu=\"concurrent-requests\""),
        }
    }
    let mut limits = String::new();
    for (Told { name, .. }, (left, seconds)) in of_draft().filter_map(|told| Some((told, told.left?))) {
        separate(&mut limits);
        let [mut left_digits, mut seconds_digits] = [itoa::Buffer::new(); 2];
        limits.extend(["\"", name, "\";r=", left_digits.format(left), ";t=", seconds_digits.format(seconds)]);
    }
    set(headers, &RATELIMIT_POLICY, &policies);
    set(headers, &RATELIMIT, &limits);
    // The older fields know one policy: the one that leaves least.
    let older = told.iter().filter(|told| told.fields.contains(&LimitFields::XRateLimit));
    let tightest = older.filter_map(|told| Some((told, told.left?))).min_by_key(|(_, (left, _))| *left);
    if let Some((Told { algorithm, .. }, (left, seconds))) = tightest {
        let (quota, _) = law::advertised(*algorithm);
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(quota));
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(left));
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(seconds));
    }
}

fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use sfv::{BareItem, List, ListEntry, Parser};

    use super::*;
    use crate::config::{Permits, Window};

    fn parsed(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, Vec<(String, String)>)> {
        let list: List = Parser::new(headers[name].as_bytes()).parse().unwrap();
        let members = list.into_iter().map(|member| {
            let ListEntry::Item(item) = member else { panic!("an inner list") };
            let BareItem::String(policy) = item.bare_item else { panic!("no string") };
            let word = |value: &BareItem| match value {
                BareItem::Integer(number) => number.to_string(),
                BareItem::String(text) => text.as_str().to_owned(),
                other => panic!("{other:?}"),
            };
            let parameters = item.params.iter().map(|(key, value)| (key.as_str().to_owned(), word(value)));
            (policy.as_str().to_owned(), parameters.collect())
        });
        members.collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn policies_and_what_they_leave_are_structured_fields() {
        let [permits, burst] = [1000, 50].map(|number| Permits::try_from(number).unwrap());
        let gcra = Algorithm::Gcra { permits, window: Window::try_from(60_000).unwrap(), burst };
        let concurrency = Algorithm::Concurrency { permits: burst, queue: 0, wait_ms: 0 };
        let both = [LimitFields::Draft11, LimitFields::XRateLimit];
        let mut headers = HeaderMap::new();
        tell(
            &mut headers,
            &[
                Told { name: "per-client", algorithm: gcra, fields: &both, left: Some((7, 3)) },
                Told { name: "at_once", algorithm: concurrency, fields: &both[..1], left: None },
            ],
        );
        assert_eq!(
            parsed(&headers, &RATELIMIT_POLICY),
            [
                ("per-client".to_owned(), pairs(&[("q", "50"), ("w", "3")])),
                ("at_once".to_owned(), pairs(&[("q", "50"), ("qu", "concurrent-requests")])),
            ]
        );
        assert_eq!(parsed(&headers, &RATELIMIT), [("per-client".to_owned(), pairs(&[("r", "7"), ("t", "3")]))]);
        let older: Vec<&str> = ["limit", "remaining", "reset"]
            .map(|name| headers[format!("x-ratelimit-{name}")].to_str().unwrap())
            .to_vec();
        assert_eq!(older, ["50", "7", "3"]);
    }

    #[test]
    fn a_policy_that_is_not_to_be_told_is_not() {
        let permits = Permits::try_from(5).unwrap();
        let algorithm = Algorithm::FixedWindow { permits, window: Window::try_from(1000).unwrap() };
        let mut headers = HeaderMap::new();
        tell(&mut headers, &[Told { name: "a", algorithm, fields: &[], left: Some((1, 1)) }]);
        assert!(headers.is_empty(), "{headers:?}");
    }
}

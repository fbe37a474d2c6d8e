//! The head that goes to the origin for an answer that many may get: nothing in it chooses the answer but what is keyed.

use http::HeaderMap;

use super::vary;
use crate::config::CachePolicy;

/// Fields that some servers take for the URL, the method or the scheme that was asked for. They are in no key: who sends
/// one would choose what everybody gets. (`X-Forwarded-*` of clients never leave the edge at all.)
const OTHER_QUESTIONS: [&str; 14] = [
    "front-end-https",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

/// Leaves in a client's head only what may reach the origin with a keyed request.
pub fn outgoing(headers: &mut HeaderMap, policy: &CachePolicy) {
    for name in OTHER_QUESTIONS {
        headers.remove(name);
    }
    vary::reduce(headers, policy);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{headers, policy};

    #[test]
    fn nothing_asks_the_origin_another_question_than_the_key_says() {
        let mut policy = policy();
        policy.vary.insert("accept-language".into(), vec!["en".into(), "de".into()]);
        let mut sent = headers(&[
            ("x-original-url", "/admin"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("x-custom", "1"),
            ("accept-language", "de-CH, en;q=0.5"),
        ]);
        outgoing(&mut sent, &policy);
        assert_eq!(sent, headers(&[("x-custom", "1"), ("accept-language", "de")]));
        let mut sent = headers(&[("accept-language", "fr")]);
        outgoing(&mut sent, &policy);
        assert_eq!(sent, headers(&[]));
    }
}

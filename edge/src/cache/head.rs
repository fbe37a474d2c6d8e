//! The heads of answers from a stored response.

use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::admit;
use super::merge::OF_THE_BYTES;
use super::stored::Stored;
use super::targeted;
use crate::config::CachePolicy;

/// Which head an answer has. Each is the same for every answer from a stored response: it may be made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// With the whole body: its own status.
    Whole,
    /// With parts of it: 206. `Content-Range`, or the type of several parts, is each answer's own.
    Part,
    /// Without body: 304.
    NotModified,
}

/// What describes bytes that a 304 does not bring.
const OF_THE_BODY: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE];

/// What each answer says for itself, or only a message.
const OF_EACH_ANSWER: [HeaderName; 4] = [AGE, CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING];

impl Stored {
    /// The status and head of its answers, without what was said to this cache alone.
    pub fn head(&self, kind: HeadKind) -> (StatusCode, HeaderMap) {
        let mut headers = self.headers.clone();
        headers.remove(targeted::OURS);
        let status = match kind {
            HeadKind::Whole => {
                if let Some(length) = self.complete_length().filter(|_| self.status != StatusCode::NO_CONTENT) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                }
                self.status
            }
            HeadKind::Part => StatusCode::PARTIAL_CONTENT,
            HeadKind::NotModified => {
                // RFC 9110 §15.4.5: what a 200 would say of freshness, place and validators; not what the client has.
                for name in OF_THE_BODY {
                    headers.remove(name);
                }
                StatusCode::NOT_MODIFIED
            }
        };
        (status, headers)
    }

    /// What the answer to the request that made the origin send `sent` says besides: what is this client's alone, cookies and
    /// fields that `private` or `no-cache` name; and what caches nearer to the origin did (RFC 9211 §2).
    pub fn for_asker(&self, kind: HeadKind, sent: &HeaderMap, policy: &CachePolicy) -> HeaderMap {
        let mut own = sent.clone();
        admit::remove_for_us(&mut own, policy);
        // What a 304 says of bytes is not of those that are given.
        for name in self.headers.keys().chain(&OF_EACH_ANSWER).chain(&OF_THE_BYTES) {
            own.remove(name);
        }
        if kind == HeadKind::NotModified {
            for name in &OF_THE_BODY {
                own.remove(name);
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{admitted, headers, policy, stored};

    const FIELDS: [(&str, &str); 6] = [
        ("cache-control", "max-age=60, private=\"set-cookie, x-user\""),
        ("content-type", "text/plain"),
        ("content-language", "de"),
        ("etag", "\"a\""),
        ("date", "@0"),
        ("x-kept", "1"),
    ];

    #[test]
    fn a_304_says_nothing_of_the_bytes() {
        let stored = stored(&FIELDS);
        let (status, whole) = stored.head(HeadKind::Whole);
        let mut expected = FIELDS.to_vec();
        expected.push(("content-length", "10"));
        assert_eq!((status.as_u16(), whole), (200, headers(&expected)));
        let (status, part) = stored.head(HeadKind::Part);
        assert_eq!((status.as_u16(), part), (206, headers(&FIELDS)));
        let (status, not_modified) = stored.head(HeadKind::NotModified);
        assert_eq!((status.as_u16(), not_modified), (304, headers(&[FIELDS[0], FIELDS[3], FIELDS[4], FIELDS[5]])));
    }

    #[test]
    fn answers_without_a_body_have_no_length() {
        let (status, head) = admitted(204, &FIELDS, &policy()).unwrap().head(HeadKind::Whole);
        assert_eq!((status.as_u16(), head.get(CONTENT_LENGTH)), (204, None));
    }

    #[test]
    fn the_one_who_asked_also_gets_what_is_his_alone() {
        let mut sent = FIELDS.to_vec();
        let own = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-user", "me"), ("cache-status", "inner; hit")];
        sent.extend(own);
        sent.extend([
            ("age", "5"),
            ("content-length", "10"),
            ("cache-tag", "t"),
            ("rimward-cache-control", "max-age=60"),
        ]);
        let policy = CachePolicy { tags_from: Some("cache-tag".into()), ..policy() };
        let stored = stored(&FIELDS);
        assert_eq!(stored.for_asker(HeadKind::Whole, &headers(&sent), &policy), headers(&own));
        let not_modified = headers(&[own[0], ("content-encoding", "gzip"), ("etag", "\"a\"")]);
        assert_eq!(stored.for_asker(HeadKind::NotModified, &not_modified, &policy), headers(&own[..1]));
    }
}

//! What the edge answers: a head and a body that the shell turns into the platform's response.

use std::ops::Range;
use std::rc::Rc;

use http::{HeaderMap, HeaderValue, StatusCode};

/// An answer, ready to be sent. `B` is the platform's body: nothing below the shell looks into it.
#[derive(Debug)]
pub struct Answer<B> {
    /// The status.
    pub status: StatusCode,
    /// The part of the head that many answers share, made once; the shell may keep its own form of it.
    pub prepared: Option<Rc<PreparedHead>>,
    /// The rest of the head. A name that `prepared` holds too is meant to be replaced.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body<B>,
}

/// Fields that many answers share: those of one file in one encoding, say.
#[derive(Debug)]
pub struct PreparedHead {
    /// Unlike that of every other prepared head of the isolate.
    pub id: u32,
    /// The fields.
    pub headers: HeaderMap,
}

impl PreparedHead {
    /// The whole head of one answer.
    pub fn with(&self, own: HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        // Replaces what is there, and keeps the several lines of one name of its own.
        headers.extend(own);
        headers
    }
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body<B> {
    /// None: HEAD, 204, 304.
    Empty,
    /// A short text of ours.
    Text(String),
    /// The platform's body as it is. Where the head has a `Content-Encoding`, its bytes are encoded already.
    Whole(B),
    /// One range of bytes of the platform's body.
    Slice(B, Range<u64>),
    /// `multipart/byteranges` (RFC 9110 §14.6): each part's head and range, ranges ascending and apart; then the end.
    Slices(B, Vec<(String, Range<u64>)>, String),
    /// A switched protocol (101): the shell returns the platform's own response object untouched.
    Upgrade(B),
}

impl<B> Answer<B> {
    /// An answer of ours with a short text.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Answer<B> {
        Answer { status, prepared: None, headers: HeaderMap::new(), body: Body::Text(text.into()) }
    }
}

/// Keeps an answer out of caches that stand before the Worker: they would answer in its place.
pub fn keep_out_of_the_front(headers: &mut HeaderMap) {
    headers.insert("cloudflare-cdn-cache-control", HeaderValue::from_static("no-store"));
}

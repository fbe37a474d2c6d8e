//! All that the edge asks of the outside world. The shell implements these over real bindings, the tests in memory.

use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use crate::time::Timestamp;

/// The fields that an answer from a release asks for, in the order of likelihood: a plain `GET` of an asset stops after
/// the first four (`accept-encoding` through [`Request::client_accept_encoding`]). Worth fetching in one crossing.
pub const RELEASE_FIELDS: [&str; 8] =
    ["accept-encoding", "if-none-match", "range", "cf-ray", "if-match", "if-range", "sec-fetch-mode", "accept"];

/// The request as the outside world holds it. Reading one field costs microseconds on the real platform, reading all
/// of them more: ask for what a decision needs, when it needs it.
pub trait Request {
    /// The platform's body.
    type Body;

    /// The method, as sent.
    fn method(&self) -> &Method;
    /// The absolute URL, as the platform normalised it.
    fn url(&self) -> &str;
    /// One field, its lines joined by `, `; `None` where it is absent. `name` is in lower case.
    fn header(&self, name: &str) -> Option<String>;
    /// All fields.
    fn headers(&self) -> &HeaderMap;
    /// The client's `Accept-Encoding`. The platform may hide it behind one of its own: that one is not asked.
    fn client_accept_encoding(&self) -> Option<String>;
    /// The client's country (ISO 3166-1, two letters), where the platform tells it.
    fn country(&self) -> Option<String>;
    /// Where the client is, in whole degrees north and east, where the platform tells it.
    fn coordinates(&self) -> Option<(i16, i16)>;
    /// The address of the connection's peer, without port, where the platform tells it.
    fn peer_address(&self) -> Option<String>;
    /// Takes the body; `None` where there is none, or it was taken.
    fn take_body(&self) -> Option<Self::Body>;
}

/// The outside world. Futures are not `Send`: an isolate has one thread.
pub trait Platform {
    /// A body of the outside world: bytes that are at hand, or a stream. A copy of a stream is the same stream.
    type Body: Clone;
    /// See [`Platform::record`].
    type Recording: Recording<Body = Self::Body>;
    /// See [`Platform::signal`].
    type Signal: Signal;

    /// The wall clock. The platform freezes it between I/O.
    fn now(&self) -> Timestamp;
    /// 128 random bits.
    fn random(&self) -> u128;
    /// A variable or secret of the Worker.
    fn variable(&self, name: &str) -> Option<String>;
    /// The file at `path` of the assets, without a leading slash, as raw bytes: `assets/app.3f9ab2c1k0.js.br`. Files may be kept at hand: `path`s never
    /// change their bytes, but for that of `_rimward/releases.json`, which goes through [`Platform::read`].
    async fn asset(&self, path: &str) -> Result<Option<Self::Body>, AssetError>;
    /// The file at `path` of the assets, whole, never from memory.
    async fn read(&self, path: &str) -> Result<Option<WholeFile>, AssetError>;
    /// Sends a request to an origin: the one place from which requests leave. Redirects are not followed, the
    /// platform's subrequest cache neither answers nor stores. Resolves when the answer's head is there.
    /// `watch` is told what became of the answer's body, once; it is let go of unasked where there is no answer.
    async fn fetch(
        &self,
        outbound: Outbound<Self::Body>,
        watch: Option<Watch>,
    ) -> Result<Inbound<Self::Body>, FetchError>;
    /// A body that nobody will read.
    fn discard(&self, body: Self::Body);
    /// The same by way of an object that many isolates share: where another's request for the same is under way, its
    /// answer is the answer. The outer error says that the object could not be asked.
    async fn relay(
        &self,
        relay: &Relay,
        outbound: Outbound<Self::Body>,
    ) -> Result<Result<Relayed<Self::Body>, FetchError>, StoreError>;
    /// Makes that object give nobody what is under way for `key`, of those that name it in [`Relay`].
    async fn unrelay(&self, shard: &str, key: &str) -> Result<(), StoreError>;
    /// What `store` keeps under `key`.
    async fn kept(&self, store: Store, key: &str) -> Result<Option<Kept<Self::Body>>, StoreError>;
    /// Keeps `kept` under `key`, in place of what is there. [`Store::Everywhere`] takes bytes that are at hand only. That it succeeds
    /// promises nothing: the platform may have stored nothing, and may forget at any time.
    async fn keep(
        &self,
        store: Store,
        key: &str,
        kept: Kept<Self::Body>,
        retention: Duration,
    ) -> Result<(), StoreError>;
    /// Forgets what `store` keeps under `key`.
    async fn forget(&self, store: Store, key: &str) -> Result<(), StoreError>;
    /// Begins to read `body`, which has `length` bytes if that is known, and keeps what it reads up to `limit`. The
    /// reading goes on as long as the event lasts that began it: wait for [`Recording::whole`].
    fn record(&self, body: Self::Body, length: Option<u64>, limit: u64) -> Self::Recording;
    /// What wakes other requests of the isolate.
    fn signal(&self) -> Self::Signal;
    /// The length of a body that is at hand; `None` for a stream.
    fn length(&self, body: &Self::Body) -> Option<u64>;
    /// A body of at most `limit` bytes at hand; a longer one as a stream of the same bytes.
    async fn gather(&self, body: Self::Body, limit: u64) -> Result<Self::Body, FetchError>;
    /// The bytes of a body that is at hand.
    fn bytes(&self, body: &Self::Body) -> Option<Vec<u8>>;
    /// A body of these bytes.
    fn body(&self, bytes: Vec<u8>) -> Self::Body;
    /// What tells this Worker's control log from every other one; `None` where there is none.
    fn log_id(&self) -> Option<String>;
    /// Asks the object that owns the control log. Both texts are of [`crate::control::message`].
    async fn ask_log(&self, command: String, within: Duration) -> Result<String, LogError>;
    /// Asks an object that counts for limits. Both texts are of [`crate::limit`].
    async fn ask_limits(&self, object: &str, ask: LimitAsk, within: Duration) -> Result<String, StoreError>;
    /// Tells the object that checks origins what is to be checked. The text is of [`crate::health::list`].
    async fn ask_health(&self, list: String, within: Duration) -> Result<(), StoreError>;
    /// The same bytes as `body`, of which `length` are to come if that is known; `over` is fired at their end, where they break off,
    /// and where nobody wants them any more.
    fn watched(&self, body: Self::Body, length: Option<u64>, over: &Self::Signal) -> Self::Body;
    /// Adds to what all isolates counted: lines of a sample's name and its number, or of a sketch's name and its text, each ended by
    /// a line feed.
    async fn count(&self, samples: String) -> Result<(), StoreError>;
    /// Everything that was counted, in the same form; a name may stand there several times.
    async fn counted(&self) -> Result<String, StoreError>;
    /// One line for the operator's log: why an answer failed, with its request id. Never seen by clients.
    fn log(&self, line: &str);
    /// Runs something after the answer, which may finish first. It owns what it needs.
    fn defer(self: &Rc<Self>, work: impl Future<Output = ()> + 'static);
}

/// A file of the assets, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256, in lower-case hexadecimal. The platform's own code is far faster at it than ours when it has just
    /// been loaded.
    pub sha256: String,
}

/// How a request to an origin meets others for the same.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The name of the object.
    pub shard: String,
    /// What is to be forgotten together.
    pub key: String,
    /// Requests of one question are one request.
    pub question: String,
    /// The head of the client's request: whoever gets its answer instead of one of his own has to know.
    pub asked: HeaderMap,
    /// The sequence of the control log that was known when it began.
    pub sequence: u64,
}

/// What came by way of the object.
#[derive(Debug)]
pub enum Relayed<B> {
    /// The answer to this request.
    Own(Inbound<B>),
    /// The answer to another's.
    Joined {
        /// It.
        inbound: Inbound<B>,
        /// What that one asked.
        asked: HeaderMap,
        /// As in [`Relay`].
        sequence: u64,
        /// How long ago that request was sent.
        sent_ago: Duration,
        /// How long ago the head of the answer came.
        came_ago: Duration,
    },
    /// Another's answer was under way, and is not to be had.
    Missed,
}

/// What is asked of an object that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitAsk {
    /// To take permits, in it and in the objects behind it: what to take here, then a name and what to take there, and so on, by NUL.
    /// It answers with a section for each that decided, by NUL.
    Take(String),
    /// To give back: when it was taken, what was asked, what was said, by NUL.
    Undo(String),
    /// A permit for a request under way. It answers when there is one, or with `never`.
    Enter(String),
    /// The request is still under way.
    Renew(String),
    /// It is not any more.
    Leave(String),
}

/// Where stored responses are kept beyond the isolate's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The platform's cache: all isolates of a data centre see it.
    DataCentre,
    /// The platform's key-value store: every location sees it, some time later.
    Everywhere,
}

/// What a store keeps under a key.
#[derive(Debug, Clone)]
pub struct Kept<B> {
    /// A text of ours: visible ASCII.
    pub envelope: String,
    /// The body.
    pub body: B,
    /// How many bytes the body has.
    pub length: u64,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The Worker has no such binding.
    #[error("there is no such store")]
    Absent,
    /// In the platform's words.
    #[error("{0}")]
    Failed(String),
}

/// Why the control log did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The Worker has no such binding.
    #[error("the Worker has no `CONTROL_LOG` binding")]
    Absent,
    /// No answer within the limit.
    #[error("the control log did not answer within {0:?}")]
    Timeout(Duration),
    /// In the platform's words.
    #[error("the control log could not be asked: {0}")]
    Failed(String),
}

/// A body that is being read, for any number of requests.
pub trait Recording: Clone {
    /// The platform's body.
    type Body;

    /// The whole body for one more reader, from its beginning: bytes where they are all there, else a stream that breaks off
    /// if the source does. `None` where its beginning is not kept any more, or it broke off already.
    fn reader(&self) -> Option<Self::Body>;
    /// All of it, at hand, once its end is there; `None` where it broke off or was longer than the limit.
    async fn whole(&self) -> Option<Self::Body>;
}

/// Wakes other requests of the isolate, each in its own context.
pub trait Signal: Clone {
    /// Wakes all that wait, and those that will.
    fn fire(&self);
    /// Whether it fired within so long.
    async fn fired(&self, within: Duration) -> bool;
}

/// How the body of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it came. Also where there is none.
    Whole,
    /// It broke off, or took too long.
    Broke,
    /// Nobody wanted the rest.
    Left,
}

/// Is told how a body ended.
pub type Watch = Box<dyn FnOnce(End)>;

/// A request to an origin.
#[derive(Debug)]
pub struct Outbound<B> {
    /// The method.
    pub method: Method,
    /// Absolute.
    pub url: String,
    /// Everything that is to be sent, hop-by-hop fields dropped; `upgrade: websocket` where a protocol is to be switched.
    pub headers: HeaderMap,
    /// Streamed.
    pub body: Option<B>,
    /// Until the head must be there.
    pub answer_within: Duration,
    /// Longest pause between two pieces of the answer's body; the body breaks off past it. Not for `text/event-stream`.
    pub idle: Option<Duration>,
    /// Longest time for the whole; the body breaks off past it. Not for `text/event-stream`.
    pub total: Option<Duration>,
    /// Of the answer's body, how many bytes are awaited before there is an answer at all, for a second at most: all of it where it is
    /// no longer and says so; where it does not say how long it is, what comes of it at once; else its first piece. What breaks off
    /// until then is no answer, and what is not encoded as it says. 0: nothing is awaited.
    pub hold: u64,
}

/// An origin's answer.
#[derive(Debug)]
pub struct Inbound<B> {
    /// 101 and 200 to 599.
    pub status: StatusCode,
    /// As the origin sent them; several `Set-Cookie` are several.
    pub headers: HeaderMap,
    /// `None` where the platform has no body (204, 304, HEAD).
    pub body: Option<B>,
}

/// Why a file of the assets could not be had. A file that is not there is no error.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The Worker has no assets binding: `wrangler.toml` lacks it.
    #[error("the Worker has no `ASSETS` binding")]
    NoBinding,
    /// The binding answered with something else than 200 or 404, or not at all.
    #[error("could not read `{path}` from the assets: {cause}")]
    Failed {
        /// Of the file.
        path: String,
        /// In the platform's words.
        cause: String,
    },
}

/// Why an origin gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No head within the limit.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Refused, reset, unresolvable, not HTTP.
    #[error("could not reach the origin: {0}")]
    Unreachable(String),
    /// The head came, and then its body broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

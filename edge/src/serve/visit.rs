//! One request on its way: what it is called, what took how long.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use super::Isolate;
use super::limited::Limited;
use super::upstream::Attempt;
use crate::answer::{Answer, Body, PreparedHead};
use crate::cache::Status;
use crate::config::ClientAddress;
use crate::guard::request_id;
use crate::origin;
use crate::platform::{Platform, Request};
use crate::time::Timestamp;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// `Server-Timing` of an answer that nothing was waited for.
const NO_TIME: &str = "edge;dur=0";

/// A request and the world that it is answered in.
pub(super) struct Visit<'world, P: Platform, R> {
    pub(super) platform: &'world Rc<P>,
    pub(super) isolate: &'world Rc<Isolate<P>>,
    pub(super) request: &'world R,
    pub(super) started: Timestamp,
    /// What limits said of it.
    pub(super) limited: RefCell<Limited<P>>,
    /// Which origin was asked for it last.
    pub(super) attempt: Cell<Option<Attempt>>,
    id: OnceCell<String>,
    phases: RefCell<Vec<(&'static str, Timestamp, Timestamp)>>,
}

impl<'world, P, R> Visit<'world, P, R>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    pub(super) fn begin(platform: &'world Rc<P>, isolate: &'world Rc<Isolate<P>>, request: &'world R) -> Self {
        let (started, limited, phases) = (platform.now(), RefCell::default(), RefCell::default());
        Visit { platform, isolate, request, started, limited, attempt: Cell::new(None), id: OnceCell::new(), phases }
    }

    /// Takes the platform's id where the settings say whose platform it is.
    pub(super) fn identify(&self, source: &ClientAddress) {
        let of_platform = (*source == ClientAddress::Cloudflare).then(|| self.request.header("cf-ray")).flatten();
        self.id.get_or_init(|| request_id::choose(of_platform.as_deref(), self.platform.random()));
    }

    /// Our id of the request.
    pub(super) fn id(&self) -> &str {
        self.id.get_or_init(|| request_id::choose(None, self.platform.random()))
    }

    /// Waits for something outside and notes how long it took. What had not to be waited for took no time, and the clock is not
    /// asked: it is the platform's, over the border.
    pub(super) async fn timed<T>(&self, phase: &'static str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            self.phases.borrow_mut().push((phase, self.started, self.started));
            return outcome;
        }
        let began = self.platform.now();
        let outcome = work.await;
        self.phases.borrow_mut().push((phase, began, self.platform.now()));
        outcome
    }

    /// Notes something for `Server-Timing` that took no time.
    pub(super) fn remark(&self, phase: &'static str) {
        self.phases.borrow_mut().push((phase, self.started, self.started));
    }

    /// Tells the operator, with our id and, apart from it, the client's own.
    pub(super) fn log(&self, line: &str) {
        let sent = self.request.header("x-request-id");
        let theirs =
            request_id::of_client(sent.as_deref()).map(|id| format!(" client_request_id={id}")).unwrap_or_default();
        self.platform.log(&format!("request_id={}{theirs} {line}", self.id()));
    }

    /// `Cache-Status` of an answer of a route, which is counted by it.
    pub(super) fn say(&self, route: &str, status: &Status<'_>) -> HeaderValue {
        let result = status.outcome.word();
        self.isolate.counters.borrow_mut().answered(route, result, status.collapsed, status.detail);
        status.render(origin::PSEUDONYM)
    }

    /// Keeps a head for many answers.
    pub(super) fn prepare(&self, mut headers: HeaderMap) -> Rc<PreparedHead> {
        headers.append(SERVER_TIMING, HeaderValue::from_static(NO_TIME));
        let id = self.isolate.heads_made.get();
        self.isolate.heads_made.set(id.wrapping_add(1));
        Rc::new(PreparedHead { id, headers })
    }

    /// What every answer has, whoever made it.
    pub(super) fn finish(&self, mut answer: Answer<P::Body>) -> Answer<P::Body> {
        if let Ok(id) = HeaderValue::from_str(self.id()) {
            answer.headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        match self.timing() {
            // It stands there already.
            None if answer.prepared.is_some() => {}
            None => drop(answer.headers.append(SERVER_TIMING, HeaderValue::from_static(NO_TIME))),
            Some(timing) => drop(answer.headers.append(SERVER_TIMING, timing)),
        }
        if *self.request.method() == Method::HEAD {
            if let Body::Text(text) = &answer.body {
                answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
            }
            answer.body = Body::Empty;
        }
        answer
    }

    /// `Server-Timing`: the whole, then each phase that was waited for. The platform's clock stands still between I/O:
    /// what the edge computes counts as nothing. `None` where there is nothing to tell.
    fn timing(&self) -> Option<HeaderValue> {
        let phases = self.phases.borrow();
        if phases.iter().all(|(phase, began, ended)| matches!(*phase, "file" | "cache") && began == ended) {
            return None;
        }
        let mut text = String::with_capacity(96);
        let entry = |text: &mut String, parts: [&str; 2], took: Duration| {
            text.extend(parts);
            text.push_str(";dur=");
            text.push_str(itoa::Buffer::new().format(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
        };
        entry(&mut text, ["edge", ""], self.platform.now().since(self.started));
        for (phase, began, ended) in phases.iter() {
            entry(&mut text, [", ", phase], ended.since(*began));
            if let Some(attempt) = self.attempt.get().filter(|_| *phase == "origin") {
                write!(text, ";desc=\"{attempt}\"").expect("a string takes whatever is written");
            }
        }
        Some(HeaderValue::from_str(&text).expect("made of visible ASCII here"))
    }
}

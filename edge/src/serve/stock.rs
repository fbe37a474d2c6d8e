//! A stored response with its body, and how it answers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use super::forward::Way;
use super::ours::{self, Cause};
use super::send::multipart;
use super::visit::Visit;
use crate::answer::{Answer, Body, PreparedHead, keep_out_of_the_front};
use crate::cache::{Form, HeadKind, Serve, Status, Stored};
use crate::origin;
use crate::platform::{Platform, Recording, Request};

/// A stored response and its body.
pub(super) struct Stock<P: Platform> {
    pub(super) stored: Stored,
    pub(super) content: Content<P>,
    /// By [`HeadKind`], as the rules of the site of number `heads_of` make them.
    heads: RefCell<[Option<Rc<PreparedHead>>; 3]>,
    heads_of: Cell<u32>,
    /// Whether the store of every location has it, or is about to.
    persisted: Cell<bool>,
}

/// The bytes of a stored response.
pub(super) enum Content<P: Platform> {
    /// All of them.
    AtHand(P::Body),
    /// They are still being read.
    Arriving(P::Recording),
    /// A store gives them to one reader.
    Streaming(Cell<Option<P::Body>>),
}

impl<P: Platform> Content<P> {
    /// The body for one more reader; `None` where its beginning is gone, or it broke off.
    pub(super) fn reader(&self) -> Option<P::Body> {
        match self {
            Content::AtHand(body) => Some(body.clone()),
            Content::Arriving(recording) => recording.reader(),
            Content::Streaming(body) => body.take(),
        }
    }
}

impl<P: Platform> Stock<P> {
    pub(super) fn new(stored: Stored, content: Content<P>) -> Stock<P> {
        Stock { stored, content, heads: RefCell::default(), heads_of: Cell::default(), persisted: Cell::default() }
    }

    /// Notes that the store of every location has it, and says whether that was known.
    pub(super) fn is_persisted(&self) -> bool {
        self.persisted.replace(true)
    }

    /// The answer that `serve` means; `None` where its bytes cannot be had any more.
    pub(super) fn answer<R>(
        &self,
        visit: &Visit<'_, P, R>,
        way: &Way<'_>,
        serve: &Serve,
        status: &Status<'_>,
    ) -> Option<Answer<P::Body>>
    where
        R: Request<Body = P::Body>,
    {
        self.answer_with(visit, way, serve, status, |_| HeaderMap::with_capacity(8))
    }

    /// The same with fields that are this client's alone, beside those that everyone gets.
    pub(super) fn answer_with<R>(
        &self,
        visit: &Visit<'_, P, R>,
        way: &Way<'_>,
        serve: &Serve,
        status: &Status<'_>,
        own: impl FnOnce(HeadKind) -> HeaderMap,
    ) -> Option<Answer<P::Body>>
    where
        R: Request<Body = P::Body>,
    {
        let (kind, has_body) = match &serve.form {
            Form::Whole => (HeadKind::Whole, true),
            Form::Parts(..) => (HeadKind::Part, true),
            Form::NotModified => (HeadKind::NotModified, false),
            Form::Unsatisfiable(_) => return Some(unsatisfiable(visit, way, serve, status)),
        };
        let body =
            if has_body && *visit.request.method() != Method::HEAD { Some(self.content.reader()?) } else { None };
        let mut own = own(kind);
        let is_for_everyone = own.is_empty() && way.route.cors.is_none();
        serve.say(&mut own);
        origin::answer::cache_status(&mut own, visit.say(way.name, status));
        let status = match kind {
            HeadKind::Whole => self.stored.status,
            HeadKind::Part => StatusCode::PARTIAL_CONTENT,
            HeadKind::NotModified => StatusCode::NOT_MODIFIED,
        };
        let from = self.stored.offset();
        if let Form::Parts(parts, complete) = &serve.form
            && !own.contains_key(CONTENT_RANGE)
        {
            let mut headers = self.given(kind);
            headers.extend(own);
            let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
            let boundary = format!("{:032x}", visit.platform.random());
            let size = complete.map_or("*".to_owned(), |complete| complete.to_string());
            let (parts, end) = multipart(&mut headers, &boundary, &media_type, parts.clone(), &size);
            let parts = parts.into_iter().map(|(head, part)| (head, part.start - from..part.end - from)).collect();
            let body = body.map_or(Body::Empty, |body| Body::Slices(body, parts, end));
            return Some(Answer { status, prepared: None, headers, body });
        }
        let body = match (body, &serve.form) {
            (Some(body), Form::Parts(parts, _)) => {
                let part = parts.first()?;
                Body::Slice(body, part.start - from..part.end - from)
            }
            (Some(body), _) => Body::Whole(body),
            (None, _) => Body::Empty,
        };
        if !is_for_everyone || matches!(self.content, Content::Streaming(_)) {
            // Header rules have the last word on what is one client's alone, or nobody will ask again: this head is for
            // one answer.
            let mut headers = self.given(kind);
            headers.extend(own);
            return Some(Answer { status, prepared: None, headers, body });
        }
        Some(Answer { status, prepared: Some(self.prepared(visit, way, kind)), headers: own, body })
    }

    /// The head that many answers share: nothing of it changes any more.
    fn prepared<R>(&self, visit: &Visit<'_, P, R>, way: &Way<'_>, kind: HeadKind) -> Rc<PreparedHead>
    where
        R: Request<Body = P::Body>,
    {
        if self.heads_of.replace(way.site.number) != way.site.number {
            self.heads.take();
        }
        let place = match kind {
            HeadKind::Whole => 0,
            HeadKind::Part => 1,
            HeadKind::NotModified => 2,
        };
        let head = &mut self.heads.borrow_mut()[place];
        Rc::clone(head.get_or_insert_with(|| {
            let mut headers = self.given(kind);
            way.finish(self.stored.status, &mut headers);
            keep_out_of_the_front(&mut headers);
            visit.prepare(headers)
        }))
    }

    fn given(&self, kind: HeadKind) -> HeaderMap {
        let (_, mut headers) = self.stored.head(kind);
        origin::answer::give(&mut headers);
        headers
    }
}

fn unsatisfiable<P, R>(visit: &Visit<'_, P, R>, way: &Way<'_>, serve: &Serve, status: &Status<'_>) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = ours::error(visit, Cause::Unsatisfiable);
    serve.say(&mut answer.headers);
    answer.headers.insert("cache-status", visit.say(way.name, status));
    answer
}

//! The life of a request: the one function that asks, decides and acts, in order.

use std::rc::Rc;

use http::StatusCode;

use crate::answer::Answer;
use crate::platform::{Platform, Request};

/// What an isolate keeps between requests. Everything in it is a copy of something outside, bounded, and may vanish.
#[derive(Debug, Default)]
pub struct Isolate {}

/// Answers a request.
pub async fn serve<P, R>(_platform: &Rc<P>, _isolate: &Isolate, _request: &R) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    Answer::text(StatusCode::NOT_FOUND, "not found\n")
}

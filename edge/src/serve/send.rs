//! Answers with a file of a release: its form's head, made once, and its bytes.

use std::fmt::Display;
use std::ops::Range;
use std::rc::Rc;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::ours::{self, Cause};
use super::site::Site;
use super::visit::Visit;
use crate::answer::{Answer, Body, PreparedHead};
use crate::guard::target::Target;
use crate::platform::{Platform, Request};
use crate::release::file::{File, Form, HeadKind, Place};
use crate::release::form::{Asked, Decision, decide};
use crate::release::{head, negotiate};

/// Answers with a file.
pub(super) async fn file<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    target: &Target<'_>,
    file: &File,
    place: Place,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let accept_encoding = visit.request.client_accept_encoding();
    let is_get = *visit.request.method() == Method::GET;
    let asked =
        Asked { accept_encoding: accept_encoding.as_deref(), field: &|name| visit.request.header(name), is_get };
    let prepared = |form: &Form, kind| prepared(visit, site, target, file, form, kind, place);
    match decide(file, &asked) {
        Decision::Whole(form) => {
            let head = prepared(form, HeadKind::Whole);
            with_body(visit, StatusCode::OK, Some(head), HeaderMap::with_capacity(2), form, Body::Whole).await
        }
        Decision::NotModified(form) => {
            let head = Some(prepared(form, HeadKind::NotModified));
            Answer {
                status: StatusCode::NOT_MODIFIED,
                prepared: head,
                headers: HeaderMap::with_capacity(2),
                body: Body::Empty,
            }
        }
        Decision::Parts(form, parts) => {
            if let [part] = parts.as_slice() {
                let mut headers = HeaderMap::with_capacity(4);
                headers.insert(CONTENT_RANGE, content_range(part, form.size));
                headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
                let head = prepared(form, HeadKind::Part);
                let part = part.clone();
                with_body(visit, StatusCode::PARTIAL_CONTENT, Some(head), headers, form, |body| Body::Slice(body, part))
                    .await
            } else {
                let mut headers = prepared(form, HeadKind::Part).headers.clone();
                let boundary = format!("{:032x}", visit.platform.random());
                let (parts, end) = multipart(&mut headers, &boundary, &file.media_type, parts, &form.size);
                let body = |body| Body::Slices(body, parts, end);
                with_body(visit, StatusCode::PARTIAL_CONTENT, None, headers, form, body).await
            }
        }
        Decision::Unsatisfiable(bytes) => {
            let mut answer = ours::error(visit, Cause::Unsatisfiable);
            let range = HeaderValue::from_str(&format!("bytes */{bytes}")).expect("made of visible ASCII here");
            answer.headers.insert(CONTENT_RANGE, range);
            vary(answer, file)
        }
        Decision::PreconditionFailed => vary(ours::error(visit, Cause::PreconditionFailed), file),
        Decision::NotAcceptable => vary(ours::error(visit, Cause::NotAcceptable), file),
    }
}

/// Answers an error with a page of the release.
pub(super) async fn error_page<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    target: &Target<'_>,
    status: StatusCode,
    page: &File,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let accept_encoding = visit.request.client_accept_encoding();
    let codings = crate::field::accept::Codings::new(accept_encoding.as_deref());
    // Whoever refuses every form of the page still has to learn that nothing is there.
    let form = &page.forms[negotiate::choose(codings, &page.offers).unwrap_or(0)];
    let mut headers = head::of_error_page(page, form);
    site.rules.apply_to_error(&target.path, &mut headers);
    with_body(visit, status, None, headers, form, Body::Whole).await
}

/// The head that answers with this form at this URL share.
fn prepared<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    target: &Target<'_>,
    file: &File,
    form: &Form,
    kind: HeadKind,
    place: Place,
) -> Rc<PreparedHead>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let make = |path: &str, known_as: Option<&str>| {
        let mut headers = head::of_form(file, form, kind, place, &site.settings.document.cache_control);
        site.rules.apply_to_file(path, known_as, &mut headers);
        visit.prepare(headers)
    };
    if place == Place::Own {
        return form.own_head(kind, || make(&file.url, file.known_as.as_deref()));
    }
    let matching = site.rules.matching(&target.path);
    if site.rules.fill_in(&matching) {
        return make(&target.path, None);
    }
    form.head_elsewhere(kind, place, matching, || make(&target.path, None))
}

/// Fetches the form's bytes, unless nobody asked for them.
async fn with_body<P, R>(
    visit: &Visit<'_, P, R>,
    status: StatusCode,
    prepared: Option<Rc<PreparedHead>>,
    headers: HeaderMap,
    form: &Form,
    body: impl FnOnce(P::Body) -> Body<P::Body>,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    if *visit.request.method() == Method::HEAD {
        return Answer { status, prepared, headers, body: Body::Empty };
    }
    match visit.timed("file", visit.platform.asset(&form.location)).await {
        Ok(Some(bytes)) => Answer { status, prepared, headers, body: body(bytes) },
        Ok(None) => {
            visit.log(&format!("`{}` is not among the assets, but the release names it", form.location));
            ours::error(visit, Cause::FileMissing)
        }
        Err(error) => ours::unready(visit, &error.into()),
    }
}

fn vary<B>(mut answer: Answer<B>, file: &File) -> Answer<B> {
    if file.varies() {
        answer.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

fn content_range(part: &Range<u64>, size: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    HeaderValue::from_str(&text).expect("made of visible ASCII here")
}

/// The parts of a `multipart/byteranges` body with their heads, and what ends it; says type and length in the head. `size`
/// is the length of the whole, or `*`.
pub(super) fn multipart(
    headers: &mut HeaderMap,
    boundary: &str,
    media_type: &str,
    parts: Vec<Range<u64>>,
    size: &dyn Display,
) -> (Vec<(String, Range<u64>)>, String) {
    let head_of = |(place, part): (usize, Range<u64>)| {
        let line_end = if place == 0 { "" } else { "\r\n" };
        let (first, last) = (part.start, part.end - 1);
        let head = format!(
            "{line_end}--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n"
        );
        (head, part)
    };
    let parts: Vec<(String, Range<u64>)> = parts.into_iter().enumerate().map(head_of).collect();
    let end = format!("\r\n--{boundary}--\r\n");
    let of_parts: u64 = parts.iter().map(|(head, part)| head.len() as u64 + (part.end - part.start)).sum();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(of_parts + end.len() as u64));
    let media_type = format!("multipart/byteranges; boundary={boundary}");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&media_type).expect("made of visible ASCII here"));
    (parts, end)
}

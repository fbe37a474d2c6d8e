//! Answers that are neither a file's nor an origin's: errors, redirects, health.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::site::{Site, Unready};
use super::visit::Visit;
use crate::answer::{Answer, Body, keep_out_of_the_front};
use crate::guard::{Refusal, target::Target};
use crate::json::{self, Member, Value};
use crate::path::encode_unfit;
use crate::platform::{Platform, Request};
use crate::release::file::File;
use crate::release::navigation::is_navigation;

/// Why there is nothing else to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No file, no rule.
    NotFound,
    /// No file that we know of, but an earlier release could not be asked.
    EarlierUnreadable,
    /// The site could not be read.
    Unready,
    /// A file that the release names is not there.
    FileMissing,
    /// The client refuses every form of the file.
    NotAcceptable,
    /// The client means another state of the file.
    PreconditionFailed,
    /// The file has no such bytes.
    Unsatisfiable,
    /// A route names a pool that the settings lack.
    NoPool,
    /// The origin could not be reached, or did not speak HTTP.
    Unreachable,
    /// The origin took too long.
    Timeout,
    /// All origins have as much under way as they may.
    Busy,
    /// An operator took all origins out.
    Drained,
    /// The client wants nothing but what is stored, and that will not do.
    OnlyIfCached,
    /// The request's body broke off.
    BadBody,
    /// A GET or HEAD with a body.
    UnwantedBody,
}

impl Cause {
    fn status(self) -> StatusCode {
        match self {
            Cause::NotFound | Cause::EarlierUnreadable => StatusCode::NOT_FOUND,
            Cause::Unready | Cause::FileMissing | Cause::NoPool => StatusCode::INTERNAL_SERVER_ERROR,
            Cause::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Cause::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Cause::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Cause::Unreachable => StatusCode::BAD_GATEWAY,
            Cause::Timeout | Cause::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            Cause::Busy | Cause::Drained => StatusCode::SERVICE_UNAVAILABLE,
            Cause::BadBody | Cause::UnwantedBody => StatusCode::BAD_REQUEST,
        }
    }

    /// For `Cache-Status` (RFC 9211 §2.8).
    pub(super) fn token(self) -> &'static str {
        match self {
            Cause::NotFound => "not-found",
            Cause::EarlierUnreadable => "earlier-release-unreadable",
            Cause::Unready => "site-unready",
            Cause::FileMissing => "file-missing",
            Cause::NotAcceptable => "not-acceptable",
            Cause::PreconditionFailed => "precondition-failed",
            Cause::Unsatisfiable => "range-not-satisfiable",
            Cause::NoPool => "no-pool",
            Cause::Unreachable => "origin-unreachable",
            Cause::Timeout => "origin-timeout",
            Cause::Busy => "origin-busy",
            Cause::Drained => "origin-drained",
            Cause::OnlyIfCached => "only-if-cached",
            Cause::BadBody => "body-broke-off",
            Cause::UnwantedBody => "body-unwanted",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Cause::NotFound | Cause::EarlierUnreadable => "There is nothing at this address.",
            Cause::Unready => "The site could not be read.",
            Cause::FileMissing => "A file of the release is missing: the deployment is not complete.",
            Cause::NotAcceptable => "`Accept-Encoding` refuses every form that this file has.",
            Cause::PreconditionFailed => "`If-Match` names another state of this file.",
            Cause::Unsatisfiable => "The file has none of the bytes that `Range` asks for.",
            Cause::NoPool => "The route names a pool that the settings lack.",
            Cause::Unreachable => "The server behind this address could not be reached.",
            Cause::Timeout => "The server behind this address did not answer in time.",
            Cause::Busy => "The servers behind this address have too much to do.",
            Cause::Drained => "The servers behind this address are out of service.",
            Cause::OnlyIfCached => "Nothing stored will do, and `only-if-cached` wants nothing else.",
            Cause::BadBody => "The body of the request broke off.",
            Cause::UnwantedBody => "GET and HEAD cannot bring a body here: leave it out, or use POST.",
        }
    }
}

/// An error.
pub(super) fn error<P, R>(visit: &Visit<'_, P, R>, cause: Cause) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    say(visit, cause.status(), cause.token(), cause.sentence())
}

/// Nothing is there.
pub(super) fn not_found<P, R>(
    visit: &Visit<'_, P, R>,
    site: &Site,
    target: &Target<'_>,
    cause: Cause,
) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = error(visit, cause);
    site.rules.apply_to_error(&target.path, &mut answer.headers);
    answer
}

/// A request that does not pass.
pub(super) fn refuse<P, R>(visit: &Visit<'_, P, R>, refusal: Refusal) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = say(visit, refusal.status(), "refused", &refusal.to_string());
    if refusal == Refusal::BadMethod {
        answer.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    answer
}

/// The site could not be read: the sentence says why, it names nothing but files of ours.
pub(super) fn unready<P, R>(visit: &Visit<'_, P, R>, unready: &Unready) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    visit.log(&unready.to_string());
    if Target::parse(visit.request.url()).is_ok_and(|target| target.path == "/.rimward/health") {
        return health(visit, None);
    }
    // What a binding says of itself is for the operator's log alone.
    let sentence = match unready {
        Unready::Asset(crate::platform::AssetError::Failed { .. }) => Cause::Unready.sentence().to_owned(),
        told => told.to_string(),
    };
    say(visit, Cause::Unready.status(), Cause::Unready.token(), &sentence)
}

/// `/.rimward/health`: no more than whether the site can be served, which release answers, and our version.
pub(super) fn health<P, R>(visit: &Visit<'_, P, R>, release: Option<&str>) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    if !matches!(*visit.request.method(), http::Method::GET | http::Method::HEAD) {
        return refuse(visit, Refusal::BadMethod);
    }
    let status = if release.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = Value::object(vec![
        ("ok", release.is_some().into()),
        ("release", release.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
    ]);
    let mut answer = Answer::text(status, format!("{text}\n"));
    answer.headers = head("health", "application/json");
    answer
}

/// What may be asked of a release.
pub(super) fn options<B>() -> Answer<B> {
    let mut headers = head("generated", "text/plain; charset=utf-8");
    headers.remove(CONTENT_TYPE);
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    Answer { status: StatusCode::NO_CONTENT, prepared: None, headers, body: Body::Empty }
}

/// To a page's one URL.
pub(super) fn moved<B>(site: &Site, target: &Target<'_>, file: &File) -> Answer<B> {
    let location = match target.query {
        Some(query) => format!("{}?{}", file.url, encode_unfit(query)),
        None => file.url.clone(),
    };
    redirect(site, target, StatusCode::PERMANENT_REDIRECT, &location)
}

/// A redirect. Browsers keep permanent ones for ever where nothing is said, and the next release may have a file there:
/// each use asks again, unless a header rule says otherwise.
pub(super) fn redirect<B>(site: &Site, target: &Target<'_>, status: StatusCode, location: &str) -> Answer<B> {
    let mut answer = Answer::text(status, format!("{location}\n"));
    answer.headers = head("redirect", "text/plain; charset=utf-8");
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    site.rules.apply(&target.path, &mut answer.headers);
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers.insert(LOCATION, location);
    }
    answer
}

/// The head of an answer of ours, which nobody keeps.
pub(super) fn head(token: &str, media_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(status) = HeaderValue::from_str(&["rimward; detail=", token].concat()) {
        headers.insert("cache-status", status);
    }
    keep_out_of_the_front(&mut headers);
    headers
}

/// A problem (RFC 9457), for programs.
pub(super) fn problem<P, R>(visit: &Visit<'_, P, R>, status: StatusCode, token: &str, sentence: &str) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = json::object(&[
        ("title", Member::Text(title)),
        ("status", Member::Number(status.as_u16().into())),
        ("detail", Member::Text(sentence)),
        ("request_id", Member::Text(visit.id())),
    ]);
    let mut answer = Answer::text(status, problem + "\n");
    answer.headers = head(token, "application/problem+json");
    answer
}

/// The answer to a method that one of our own addresses does not take. `methods` are those that it takes, as `Allow` lists them.
pub(super) fn only<P, R>(visit: &Visit<'_, P, R>, methods: &'static str) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut answer = problem(visit, StatusCode::METHOD_NOT_ALLOWED, "method", &format!("Only {methods} here."));
    answer.headers.insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

/// A text for whoever navigates, a problem for programs.
pub(super) fn say<P, R>(visit: &Visit<'_, P, R>, status: StatusCode, token: &str, sentence: &str) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    if is_navigation(&|name| visit.request.header(name)) {
        let title = status.canonical_reason().unwrap_or("Error");
        let text = format!("{} {title}\n\n{sentence}\n\nRequest id: {}\n", status.as_u16(), visit.id());
        let mut answer = Answer::text(status, text);
        answer.headers = head(token, "text/plain; charset=utf-8");
        return answer;
    }
    problem(visit, status, token, sentence)
}

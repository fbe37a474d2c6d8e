//! `/.rimward/purge`: what whoever holds its secret may purge, and ask of what came of it.

use http::{HeaderMap, Method, StatusCode};

use super::admission::turned_away;
use super::control;
use super::ours::{self, Cause};
use super::site::Site;
use super::visit::Visit;
use crate::answer::Answer;
use crate::cache::{self, Asked, Content};
use crate::config::PurgeCheck;
use crate::control::ledger::RECORD;
use crate::control::message::{Append, Appended, Command, Reply};
use crate::control::record::{Incarnation, Kind};
use crate::control::request::{self, Here};
use crate::control::view::LEASE;
use crate::control::zone;
use crate::guard::secret::Scope;
use crate::guard::target::Target;
use crate::json::{self, Value};
use crate::platform::{Platform, Request};

/// Answers a request below `/.rimward/purge`.
pub(super) async fn answer<P, R>(visit: &Visit<'_, P, R>, site: &Site, target: &Target<'_>) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if let Some(refusal) = turned_away(visit, site, Scope::Purge) {
        return refusal;
    }
    let (methods, command) = match target.path.as_ref() {
        "/.rimward/purge" if is_read(visit.request.method()) => return known(visit).await,
        "/.rimward/purge" => ("GET, HEAD, POST", None),
        "/.rimward/purge/failed" => ("GET, HEAD", Some(Command::Failed)),
        "/.rimward/purge/replay" => ("POST", Some(Command::Replay)),
        _ => return ours::error(visit, Cause::NotFound),
    };
    if !methods.split(", ").any(|method| method == visit.request.method().as_str()) {
        return ours::only(visit, methods);
    }
    let command = match command {
        Some(command) => command,
        None => match read(visit, site, target).await {
            Ok(append) => Command::Append(append),
            Err(refusal) => return refusal,
        },
    };
    match control::order(visit, &command).await {
        Ok(reply) => told(visit, &command, reply),
        Err(error) => unreachable(visit, "Nothing was purged", &error),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// How much of which log is known where this request arrived: a purge of that log whose place is not past it is seen here.
/// Of another log the place says nothing.
async fn known<P, R>(visit: &Visit<'_, P, R>) -> Answer<P::Body>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let known = control::current(visit, PurgeCheck::Lease).await;
    say(
        "purge",
        &Value::object(vec![
            ("log", name(known.mark().log)),
            ("sequence", known.mark().sequence.number().into()),
            ("sure", (!known.is_unsure()).into()),
        ]),
    )
}

/// The log could not be asked. `what` came of it.
pub(super) fn unreachable<P, R>(visit: &Visit<'_, P, R>, what: &str, why: &dyn std::fmt::Display) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let sentence = format!("{what}: {why}.");
    visit.log(&sentence);
    ours::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "control-log-unreachable", &sentence)
}

/// What the log said, for whoever asked.
fn told<P, R>(visit: &Visit<'_, P, R>, command: &Command, reply: Reply) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    match reply {
        Reply::Appended(appended) => {
            let calls = if let Command::Append(append) = command { append.calls.len() } else { 0 };
            say("purge", &appended_json(&appended, calls))
        }
        Reply::Failed(work) => say("purge", &json::write(&work).expect("texts, numbers and lists are JSON")),
        Reply::Replayed(count) => say("purge", &Value::object(vec![("replayed", (count as u64).into())])),
        Reply::KeyTaken => {
            ours::problem(visit, StatusCode::CONFLICT, "key-taken", "`key` stands for another purge already.")
        }
        Reply::TooMuch => too_large(visit),
        Reply::News(_) | Reply::LastOrigin => {
            ours::problem(visit, StatusCode::BAD_GATEWAY, "control-log", "The control log answered something else.")
        }
    }
}

/// A log's number is larger than what every reader of JSON takes for a number.
fn name(log: Incarnation) -> Value {
    log.number().to_string().as_str().into()
}

fn appended_json(appended: &Appended, calls: usize) -> Value {
    Value::object(vec![
        ("log", name(appended.log)),
        ("sequence", appended.sequence.number().into()),
        ("again", appended.again.into()),
        // From now on; by then no isolate goes by what it knew before.
        ("settles_in_ms", u64::try_from(appended.settles_in.as_millis()).unwrap_or(u64::MAX).into()),
        ("settled_at_ms", appended.made_at.plus(LEASE).as_millis().into()),
        ("zone_calls", (calls as u64).into()),
    ])
}

/// The purge that a request asks for.
async fn read<P, R>(visit: &Visit<'_, P, R>, site: &Site, target: &Target<'_>) -> Result<Append, Answer<P::Body>>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let bytes = body(visit).await?;
    let spell_query = |path: &str, query: &str| spell_query(site, target, path, query);
    let here = Here { scheme: target.scheme, authority: &target.authority, spell_query: &spell_query };
    let request = match request::Request::parse(&bytes, here) {
        Ok(request) => request,
        Err(request::BadRequest::TooMany) => return Err(too_large(visit)),
        Err(error) => return Err(ours::problem(visit, StatusCode::BAD_REQUEST, "bad-purge", &format!("{error}."))),
    };
    let zone = visit.platform.variable(zone::ID_VARIABLE).filter(|zone| !zone.is_empty());
    let hosts = &site.settings.site.hosts;
    let calls = zone.map(|zone| zone::calls(&request.purge, &zone, hosts)).unwrap_or_default();
    Ok(Append { kind: Kind::Purge(request.purge), key: request.key, calls })
}

/// The body of a request: JSON, bounded.
pub(super) async fn body<P, R>(visit: &Visit<'_, P, R>) -> Result<Vec<u8>, Answer<P::Body>>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let media_type = visit.request.header("content-type").unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let sentence = "The body is to be `application/json`.";
        return Err(ours::problem(visit, StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", sentence));
    }
    let bytes = match visit.request.take_body() {
        Some(body) => visit.platform.gather(body, request::BODY_BYTES).await,
        None => Ok(visit.platform.body(Vec::new())),
    };
    match bytes.map(|body| visit.platform.bytes(&body)) {
        Ok(Some(bytes)) if bytes.len() as u64 <= request::BODY_BYTES => Ok(bytes),
        Ok(_) => Err(too_large(visit)),
        Err(_) => Err(ours::problem(visit, StatusCode::BAD_REQUEST, "body", "The body broke off.")),
    }
}

/// A query as the URL of what is stored for that path has it: by the policy of the path's route.
fn spell_query(site: &Site, target: &Target<'_>, path: &str, query: &str) -> Option<String> {
    // Whatever else they ask for: those of one path that keep anything are mostly one.
    let policy = site.routes.of_path(path).find_map(|route| site.settings.caches.get(route.cache.as_deref()?));
    let headers = HeaderMap::new();
    let asked = Asked {
        method: &Method::GET,
        scheme: target.scheme,
        authority: &target.authority,
        path,
        query: Some(query),
        headers: &headers,
        content: Content::None,
    };
    let Some(policy) = policy else { return Some(query.to_owned()) };
    cache::url(&asked, policy).split_once('?').map(|(_, query)| query.to_owned())
}

fn too_large<P, R>(visit: &Visit<'_, P, R>) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let sentence = format!(
        "One request names at most {} things, of {} bytes together, in a body of {} bytes.",
        RECORD.selectors,
        RECORD.text_bytes,
        request::BODY_BYTES
    );
    ours::problem(visit, StatusCode::PAYLOAD_TOO_LARGE, "too-large", &sentence)
}

pub(super) fn say<B>(token: &str, value: &dyn std::fmt::Display) -> Answer<B> {
    let mut answer = Answer::text(StatusCode::OK, format!("{value}\n"));
    answer.headers = ours::head(token, "application/json");
    answer
}

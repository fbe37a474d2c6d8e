//! Whether an answer may be kept, and as what (RFC 9111 §3). What is private is never shared.

use std::ops::Range;

use http::header::{
    AGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderName, LAST_MODIFIED,
    SET_COOKIE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::asked::Asked;
use super::directives::{Qualified, ResponseDirectives};
use super::freshness::{self, Ours};
use super::key::{Key, is_query};
use super::labels;
use super::stored::{Basis, Held, Made, Reuse, Stored};
use super::targeted::{self, Told};
use super::vary::{Spec, Unvaried};
use crate::config::{CachePolicy, SetCookie};
use crate::field::{date, etag, range};
use crate::time::Timestamp;

/// The head of an origin's answer, without the fields of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'head> {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: &'head HeaderMap,
    /// When the request was sent.
    pub requested_at: Timestamp,
    /// When the head was there.
    pub received_at: Timestamp,
    /// The sequence of the control log that was known when the request was sent.
    pub sequence: u64,
    /// Which control log that is a place of.
    pub log: u64,
}

/// Why an answer is not kept. Each has a word for `Cache-Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// HEAD answers have no body to keep; other methods' are not kept.
    Method,
    /// An answer to a condition or a range of the client's own: 304, 412, 416, or several ranges.
    Conditional,
    /// A protocol was switched, or the answer is not final.
    NotFinal,
    /// The client asked for nothing to be kept.
    RequestNoStore,
    /// `no-store`.
    NoStore,
    /// `must-understand`, with a status that is not understood.
    NotUnderstood,
    /// `private`.
    Private,
    /// The request had `Authorization`, and nothing says that its answer is for everybody (RFC 9111 §3.5).
    Authorization,
    /// Only the origin could say that an answer to a personal request is for everybody, and it did not.
    Personal,
    /// It sets a cookie, and the origin did not say that it is for everybody.
    SetCookie,
    /// `Vary: *`, or too many fields.
    Vary,
    /// Nothing says how long it is fresh, or it was stale before it came, and nothing could revalidate it.
    NotReusable,
    /// Its head is larger than 32 KB.
    HeadTooLarge,
}

/// Past this a head is not kept: it would stand in memory with every variant.
const HEAD_LIMIT_BYTES: usize = 32 * 1024;

impl Pass {
    /// The word for `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Pass::Method => "method",
            Pass::Conditional => "conditional",
            Pass::NotFinal => "not-final",
            Pass::RequestNoStore => "request-no-store",
            Pass::NoStore => "no-store",
            Pass::NotUnderstood => "not-understood",
            Pass::Private => "private",
            Pass::Authorization => "authorization",
            Pass::Personal => "personal",
            Pass::SetCookie => "set-cookie",
            Pass::Vary => "vary",
            Pass::NotReusable => "not-reusable",
            Pass::HeadTooLarge => "head-too-large",
        }
    }

    /// Whether later requests of the key need not wait for one another: their answers will not be shared either.
    pub fn lasts(self) -> bool {
        !matches!(self, Pass::Conditional | Pass::RequestNoStore | Pass::NotFinal)
    }
}

/// Whether a freshness lifetime was said, or could be guessed or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A lifetime, even if of zero.
    Lifetime,
    /// Nothing: without a validator the response is of no use.
    Nothing,
}

/// Decides whether an answer is kept, and reads what later decisions ask of it.
pub(super) fn admit(asked: &Asked<'_>, policy: &CachePolicy, key: &Key, arrival: &Arrival<'_>) -> Result<Stored, Pass> {
    let Arrival { status, headers, .. } = *arrival;
    let told = targeted::told(headers);
    may_be_kept(asked, policy, status, headers, &told.directives)?;
    let held = held(status, headers)?;
    let spec = spec(headers)?;
    let date = freshness::date(headers, arrival.received_at);
    let mut stored = Stored::new(Made {
        url: key.url().to_owned(),
        // RFC 9110 §15.3.7: a part is a part of a 200.
        status: if status == StatusCode::PARTIAL_CONTENT { StatusCode::OK } else { status },
        headers: {
            let mut kept = kept_fields(headers, &told.directives, policy, date);
            if status == StatusCode::PARTIAL_CONTENT {
                kept.remove(CONTENT_RANGE);
            }
            kept
        },
        requested_at: arrival.requested_at,
        born_at: freshness::born_at(headers, date, arrival.requested_at, arrival.received_at),
        date,
        spec,
        sequence: arrival.sequence,
        log: arrival.log,
        held,
    });
    stored.tags = labels::tags(headers, policy);
    stored.groups = labels::groups(headers);
    let is_said = judge(&mut stored, asked, policy, status, headers, &told);
    let may_be_guessed = freshness::is_cacheable_by_default(status) || told.directives.public;
    match is_said {
        Said::Nothing if asked.is_personal(policy) => return Err(Pass::Personal),
        Said::Nothing if sets_cookie(headers, &told.directives) => return Err(Pass::SetCookie),
        // RFC 9111 §3: without a word on freshness, only statuses that are cacheable by default, or `public`.
        Said::Nothing if !may_be_guessed => return Err(Pass::NotReusable),
        Said::Nothing | Said::Lifetime => {}
    }
    if stored.retention_s(policy, arrival.received_at) == 0 {
        return Err(Pass::NotReusable);
    }
    Ok(stored)
}

/// Fills in what head and directives mean for reuse: validators, lifetime, grace. Also after a head was merged.
pub(super) fn judge(
    stored: &mut Stored,
    asked: &Asked<'_>,
    policy: &CachePolicy,
    status: StatusCode,
    headers: &HeaderMap,
    told: &Told,
) -> Said {
    let directives = &told.directives;
    stored.etag = headers.get(ETAG).map(|tag| etag::text(tag).into_owned());
    stored.last_modified = freshness::date_of(headers, &LAST_MODIFIED, stored.date);
    stored.immutable = directives.immutable;
    stored.stale_while_revalidate_s = directives.stale_while_revalidate;
    stored.stale_if_error_s = directives.stale_if_error;
    let is_own = sets_cookie(headers, directives) || asked.is_personal(policy);
    let ours = if is_own { Ours::Personal } else { Ours::Hold };
    let lifetime = freshness::lifetime(status, headers, told, stored.date, policy, ours);
    (stored.lifetime_s, stored.basis) = lifetime.unwrap_or((0, Basis::Origin));
    stored.reuse = match (&directives.no_cache, stored.basis) {
        // A setting that takes the place of the origin's word on freshness takes that of `no-cache` too.
        (Qualified::Whole, Basis::Origin | Basis::Heuristic | Basis::Default) => Reuse::Validate,
        _ if directives.must_revalidate || directives.proxy_revalidate => Reuse::NeverStale,
        // RFC 9111 §5.2.2.10: `s-maxage` implies `proxy-revalidate`, where it is what counts.
        _ if directives.s_maxage.is_some() && stored.basis == Basis::Origin => Reuse::NeverStale,
        _ => Reuse::Normal,
    };
    if lifetime.is_some() { Said::Lifetime } else { Said::Nothing }
}

fn sets_cookie(headers: &HeaderMap, directives: &ResponseDirectives) -> bool {
    headers.contains_key(SET_COOKIE) && !is_withheld(&SET_COOKIE, directives)
}

fn may_be_kept(
    asked: &Asked<'_>,
    policy: &CachePolicy,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
) -> Result<(), Pass> {
    let keeps = matches!(*asked.method, Method::GET | Method::POST) || is_query(asked.method);
    if !keeps {
        return Err(Pass::Method);
    }
    if status.is_informational() {
        return Err(Pass::NotFinal);
    }
    if matches!(status, StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE)
    {
        return Err(Pass::Conditional);
    }
    if asked.directives().no_store {
        return Err(Pass::RequestNoStore);
    }
    if directives.must_understand && !is_understood(status) {
        return Err(Pass::NotUnderstood);
    }
    // RFC 9111 §5.2.2.3: whoever understands the status ignores the `no-store` that stands there for those who do not.
    if directives.no_store && !directives.must_understand {
        return Err(Pass::NoStore);
    }
    if directives.private == Qualified::Whole {
        return Err(Pass::Private);
    }
    if policy.set_cookie == SetCookie::Pass && sets_cookie(headers, directives) {
        return Err(Pass::SetCookie);
    }
    if is_for_one(asked, directives) {
        return Err(Pass::Authorization);
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEAD_LIMIT_BYTES { Err(Pass::HeadTooLarge) } else { Ok(()) }
}

/// Whether an answer may be for whoever asked alone: the request had `Authorization`, and nothing says otherwise
/// (RFC 9111 §3.5).
pub(super) fn is_for_one(asked: &Asked<'_>, directives: &ResponseDirectives) -> bool {
    let for_everybody = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    asked.headers.contains_key(AUTHORIZATION) && !for_everybody
}

/// Whether the origin itself says that a field is not for everybody, while the rest is.
fn is_withheld(name: &HeaderName, directives: &ResponseDirectives) -> bool {
    directives.private.fields().contains(name) || directives.no_cache.fields().contains(name)
}

/// Statuses whose rules about caching are kept here (RFC 9110 §15): all but those that are not registered.
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=417 | 421..=426 | 428 | 429 | 431 | 451
        | 500..=508 | 510 | 511)
}

/// Which bytes the answer brings.
fn held(status: StatusCode, headers: &HeaderMap) -> Result<Held, Pass> {
    let length = length(headers);
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(Held::Whole(length.filter(|_| status != StatusCode::NO_CONTENT).or(no_body(status))));
    }
    let (range, complete) = content_range(headers).ok_or(Pass::Conditional)?;
    let said = range.end - range.start;
    let range = match length {
        // A last position that counts one too many is a common mistake: the message's own length says what came.
        Some(length) if length > 0 && length < said => range.start..range.start + length,
        Some(length) if length != said => return Err(Pass::Conditional),
        _ => range,
    };
    if complete == Some(range.end) && range.start == 0 {
        return Ok(Held::Whole(complete));
    }
    Ok(Held::Part(range, complete))
}

fn no_body(status: StatusCode) -> Option<u64> {
    (status == StatusCode::NO_CONTENT).then_some(0)
}

/// `Content-Length`, where it is one number.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let first = lines.next()?;
    let agree = lines.all(|line| line == first);
    let text = first.to_str().ok().filter(|text| agree && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// The one range that an answer brings, and the length of the whole where it is known.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let mut lines = headers.get_all(CONTENT_RANGE).iter();
    let first = lines.next()?.to_str().ok()?;
    if lines.next().is_some() { None } else { range::parse_content_range(first) }
}

/// `Vary`; an encoded body also varies on what asked for it, where the origin forgot to say so: those who cannot decode it
/// would get it.
fn spec(headers: &HeaderMap) -> Result<Spec, Pass> {
    let spec = Spec::of(headers).map_err(|unvaried| match unvaried {
        Unvaried::Any | Unvaried::TooMany => Pass::Vary,
    })?;
    Ok(if headers.contains_key(CONTENT_ENCODING) { spec.with("accept-encoding") } else { spec })
}

/// What of a head may be given out later (RFC 9111 §3.1): each answer says its own age and length, and what `no-cache` or `private` name is not for everybody (RFC 9111 §5.2.2.4, §5.2.2.7).
pub(super) fn kept_fields(
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    policy: &CachePolicy,
    date: Timestamp,
) -> HeaderMap {
    let mut kept = headers.clone();
    for name in [AGE, CONTENT_LENGTH, HeaderName::from_static("cache-status")] {
        kept.remove(name);
    }
    if policy.set_cookie == SetCookie::Pass {
        kept.remove(SET_COOKIE);
    }
    // What is said to this cache alone stays: a 304 need not repeat it. [`Stored::head`] keeps it back.
    remove_tags(&mut kept, policy);
    for name in directives.no_cache.fields().iter().chain(directives.private.fields()) {
        kept.remove(name);
    }
    if !kept.contains_key(DATE) {
        // RFC 9110 §6.6.1: whoever keeps a response without a date gives it one.
        kept.insert(DATE, HeaderValue::from_str(&date::format(date)).expect("made of visible ASCII here"));
    }
    kept
}

/// Drops what an origin tells this cache alone. Also for answers that are passed on.
pub fn remove_for_us(headers: &mut HeaderMap, policy: &CachePolicy) {
    headers.remove(targeted::OURS);
    remove_tags(headers, policy);
}

/// Tags are read once.
fn remove_tags(headers: &mut HeaderMap, policy: &CachePolicy) {
    if let Some(name) = policy.tags_from.as_deref().and_then(|name| HeaderName::try_from(name).ok()) {
        headers.remove(name);
    }
}

#[cfg(test)]
#[allow(
    clippy::single_range_in_vec_init,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "tables of answers"
)]
mod tests;

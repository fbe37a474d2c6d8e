//! What to do with what is stored (RFC 9111 §4): serve it, refresh it, complete it, or ask the origin.

use std::ops::Range;

use http::header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method};

use super::admit;
use super::asked::Asked;
use super::directives::RequestDirectives;
use super::fetch::{Ask, Fetch, Why};
use super::select::{self, Form, Unfit};
use super::stored::{Basis, Reuse, Stored};
use super::targeted;
use crate::config::CachePolicy;
use crate::time::Timestamp;

/// What a lookup found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'store> {
    /// Nothing under the key.
    Nothing,
    /// Only variants that other requests chose.
    OtherVariants,
    /// A stored response, and what the control log says of it.
    Stored(&'store Stored, Standing),
}

/// What the control log says of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No purge matches it.
    Valid,
    /// A soft purge of that time: it is stale since then at the latest.
    Stale {
        /// When it was purged.
        since: Timestamp,
    },
    /// A hard purge: as if it were not there. Not even its validators count: what they name may be the wrong bytes.
    Gone,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Answer from what is stored.
    Serve(Serve),
    /// Answer from what is stored, and fetch behind the answer.
    ServeAndRefresh(Serve, Fetch),
    /// Ask the origin, then [`super::settle`].
    Fetch(Fetch),
    /// 504: the client wants nothing but what is stored, and that will not do (RFC 9111 §5.2.1.7).
    Refuse,
}

/// An answer from what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Status and body.
    pub form: Form,
    /// For `Age`.
    pub age_s: u64,
    /// Seconds that it stays fresh; negative since it is stale.
    pub ttl_s: i64,
    /// Why it may be served.
    pub grounds: Grounds,
}

/// Why a stored response may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// It is fresh.
    Fresh,
    /// The origin just said so, or just sent it.
    Validated,
    /// The client takes it stale.
    MaxStale,
    /// It is being refreshed.
    WhileRevalidating,
    /// The origin fails.
    OriginFails,
}

impl Serve {
    /// What the answer says besides the head of the stored response: its age, and which part it is. A body of several parts
    /// says that itself.
    pub fn say(&self, headers: &mut HeaderMap) {
        // RFC 9111 §5.1: an age says that the origin was not asked just now.
        headers.remove(AGE);
        if self.age_s > 0 || self.grounds != Grounds::Validated {
            headers.insert(AGE, HeaderValue::from(self.age_s));
        }
        let said = |text: String| HeaderValue::from_str(&text).expect("made of visible ASCII here");
        match &self.form {
            Form::Parts(parts, complete) => {
                let [part] = parts.as_slice() else { return };
                let complete = complete.map_or("*".to_owned(), |complete| complete.to_string());
                headers.insert(CONTENT_RANGE, said(format!("bytes {}-{}/{complete}", part.start, part.end - 1)));
                headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            }
            Form::Unsatisfiable(complete) => {
                headers.insert(CONTENT_RANGE, said(format!("bytes */{complete}")));
            }
            Form::Whole | Form::NotModified => {}
        }
    }
}

/// Decides what to do with what was found.
pub fn plan(asked: &Asked<'_>, policy: &CachePolicy, found: Found<'_>, now: Timestamp) -> Plan {
    let wants = asked.directives();
    let plan = match found {
        Found::Nothing | Found::Stored(_, Standing::Gone) => Plan::Fetch(Fetch::missed(Why::UriMiss, asked)),
        Found::OtherVariants => Plan::Fetch(Fetch::missed(Why::VaryMiss, asked)),
        // What the origin did not say is for everybody may be another's, or may hide what is this one's own.
        Found::Stored(stored, _) if stored.basis != Basis::Origin && asked.is_personal(policy) => {
            Plan::Fetch(Fetch::as_asked(Why::Request))
        }
        Found::Stored(stored, standing) => {
            let plan = Candidate::new(stored, standing, now).plan(asked, policy, &wants);
            let is_for_one = || admit::is_for_one(asked, &targeted::told(&stored.headers).directives);
            match plan {
                // What the origin says to this one is not for everybody: nothing that is stored gets newer by it.
                Plan::Fetch(fetch) if fetch.may_be_shared() && is_for_one() => {
                    Plan::Fetch(Fetch { ask: Fetch::missed(fetch.why, asked).ask, ..fetch })
                }
                Plan::ServeAndRefresh(serve, _) if is_for_one() => Plan::Serve(serve),
                plan => plan,
            }
        }
    };
    match plan {
        Plan::Fetch(_) if wants.only_if_cached => Plan::Refuse,
        Plan::ServeAndRefresh(serve, _) if wants.only_if_cached => Plan::Serve(serve),
        // RFC 9111 §5.2.1.5: nothing that it brings would be kept, nor is it for others who come meanwhile.
        Plan::ServeAndRefresh(serve, _) if wants.no_store => Plan::Serve(serve),
        plan => plan,
    }
}

/// What may be served now that the origin has failed, where that was planned: what is stored got older while the origin was
/// asked, and may have been purged.
pub fn stand_in(
    asked: &Asked<'_>,
    policy: &CachePolicy,
    stored: &Stored,
    standing: Standing,
    now: Timestamp,
) -> Option<Serve> {
    if standing == Standing::Gone {
        return None;
    }
    let candidate = Candidate::new(stored, standing, now);
    let form = select::form(asked, stored).ok()?;
    let grounds = candidate.stand_in(policy, &asked.directives())?;
    Some(candidate.serve(form, grounds))
}

/// A stored response at a moment.
struct Candidate<'store> {
    stored: &'store Stored,
    age_s: u64,
    ttl_s: i64,
}

impl<'store> Candidate<'store> {
    fn new(stored: &'store Stored, standing: Standing, now: Timestamp) -> Self {
        let age_s = stored.age_s(now);
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let mut ttl_s = signed(stored.lifetime_s).saturating_sub(signed(age_s));
        if let Standing::Stale { since } = standing {
            // What was stale already does not get fresher by a purge.
            ttl_s = ttl_s.min(0).min(-signed(now.seconds_since(since)));
        }
        Candidate { stored, age_s, ttl_s }
    }

    fn plan(&self, asked: &Asked<'_>, policy: &CachePolicy, wants: &RequestDirectives) -> Plan {
        let form = match select::form(asked, self.stored) {
            Ok(form) => form,
            Err(Unfit::OtherState) => {
                return Plan::Fetch(Fetch::as_asked(Why::Request));
            }
            Err(Unfit::Missing(range)) => return self.complete(&range, wants),
        };
        let is_fresh = self.ttl_s > 0 && self.stored.reuse != Reuse::Validate;
        if is_fresh && self.suits(wants) {
            return Plan::Serve(self.serve(form, Grounds::Fresh));
        }
        let may_be_stale = self.stored.reuse == Reuse::Normal && !wants.no_cache;
        if may_be_stale && self.is_young_enough(wants) && wants.min_fresh.is_none() {
            if self.is_within(wants.max_stale.unwrap_or(0)) {
                return Plan::Serve(self.serve(form, Grounds::MaxStale));
            }
            let grace = self.stored.stale_while_revalidate_s.unwrap_or(policy.stale_while_revalidate_s);
            if !is_fresh && self.is_within(grace) {
                let refresh = Fetch { why: Why::Stale, ask: self.if_changed(asked), fallback: None };
                return Plan::ServeAndRefresh(self.serve(form, Grounds::WhileRevalidating), refresh);
            }
        }
        let fallback = self.stand_in(policy, wants).map(|grounds| self.serve(form, grounds));
        let why = if is_fresh { Why::Request } else { Why::Stale };
        Plan::Fetch(Fetch { why, ask: self.if_changed(asked), fallback })
    }

    /// Why it may be served where the origin fails.
    fn stand_in(&self, policy: &CachePolicy, wants: &RequestDirectives) -> Option<Grounds> {
        let grace = self.stored.stale_if_error_s.unwrap_or(policy.stale_if_error_s);
        let grace = grace.max(wants.stale_if_error.unwrap_or(0));
        // What is fresh, if not as fresh as the client likes it, is better than a failure too.
        if self.ttl_s > 0 && self.stored.reuse != Reuse::Validate {
            return Some(Grounds::Fresh).filter(|_| !wants.no_cache);
        }
        let may_be_stale = self.stored.reuse == Reuse::Normal && !wants.no_cache;
        (may_be_stale && self.is_within(grace)).then_some(Grounds::OriginFails)
    }

    /// Asks for what is missing of what is held, where that is fresh and its bytes can be told from others.
    fn complete(&self, missing: &Range<u64>, wants: &RequestDirectives) -> Plan {
        let is_fresh = self.ttl_s > 0 && self.stored.reuse != Reuse::Validate && self.suits(wants);
        let is_end = missing.end == u64::MAX || Some(missing.end) == self.stored.complete_length();
        let last = if is_end { String::new() } else { (missing.end - 1).to_string() };
        let range = HeaderValue::from_str(&format!("bytes={}-{last}", missing.start));
        let rest = range.ok().filter(|_| is_fresh);
        let rest = rest.map(|range| Ask::Rest { range, if_range: self.stored.strong_validator() });
        Plan::Fetch(Fetch { why: Why::Partial, ask: rest.unwrap_or(Ask::Whole), fallback: None })
    }

    fn serve(&self, form: Form, grounds: Grounds) -> Serve {
        Serve { form, age_s: self.age_s, ttl_s: self.ttl_s, grounds }
    }

    /// Whether a fresh response does for what the client wants (RFC 9111 §5.2.1).
    fn suits(&self, wants: &RequestDirectives) -> bool {
        let lasts = wants.min_fresh.is_none_or(|seconds| i64::try_from(seconds).is_ok_and(|s| self.ttl_s >= s));
        // RFC 8246 §2: a reload asks for no more than what cannot have changed.
        !wants.no_cache && lasts && (self.stored.immutable || self.is_young_enough(wants))
    }

    fn is_young_enough(&self, wants: &RequestDirectives) -> bool {
        wants.max_age.is_none_or(|seconds| self.age_s <= seconds)
    }

    /// Whether it is stale for less than that.
    fn is_within(&self, grace_s: u64) -> bool {
        i64::try_from(grace_s).is_ok_and(|grace| -self.ttl_s < grace) || grace_s > i64::MAX.unsigned_abs()
    }

    fn if_changed(&self, asked: &Asked<'_>) -> Ask {
        // RFC 9110 §13.1.2: to a POST, a matching `If-None-Match` is a failure, not "still the same".
        if !self.stored.has_validator() || *asked.method == Method::POST {
            return Ask::Whole;
        }
        let headers = &self.stored.headers;
        let last_modified = self.stored.last_modified.and_then(|_| headers.get(LAST_MODIFIED).cloned());
        Ask::IfChanged { etag: headers.get(ETAG).cloned(), last_modified }
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

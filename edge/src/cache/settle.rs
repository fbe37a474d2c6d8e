//! What to do with what arrived (RFC 9111 §4.3.3, §4.3.4, §3.4): keep it, keep what was stored under a new head, put parts
//! together, pass it on, or serve what is stored after all.

use http::header::{CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};

use super::admit::{self, Arrival, Pass};
use super::asked::Asked;
use super::fetch::{Ask, Fetch};
use super::key::Key;
use super::merge::{self, Unmerged};
use super::part::{self, Splice};
use super::plan::{Grounds, Serve};
use super::select;
use super::stored::Stored;
use crate::config::CachePolicy;
use crate::time::Timestamp;

/// What to do with an answer of the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Keep it and answer from it ([`answer`]).
    Store(Box<Stored>),
    /// Keep the body that is held under this head, and answer from it.
    Renewed(Box<Stored>),
    /// Put what is held and what came together, keep that, and answer from it.
    Completed(Box<Stored>, Splice),
    /// Pass it on and do not keep it.
    Pass(Pass, Kept),
    /// The origin fails: answer from what is stored.
    FallBack(Serve),
    /// It fits neither the question nor what is stored: forget that, and ask again with [`Fetch::again`].
    AskAgain,
    /// An answer to a question that was not asked: the origin is broken.
    Senseless,
}

/// What becomes of what is stored when an answer is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It stays.
    Stays,
    /// The origin has something else now: it goes.
    Goes,
}

/// Decides what to do with the answer to a [`Fetch`]. `stored` is what the plan was made from.
pub fn settle(
    asked: &Asked<'_>,
    policy: &CachePolicy,
    key: &Key,
    fetch: &Fetch,
    stored: Option<&Stored>,
    arrival: &Arrival<'_>,
) -> Settled {
    if let Some(serve) = fetch.fallback.as_ref().filter(|_| is_failure(arrival.status)) {
        return Settled::FallBack(serve.clone());
    }
    match (arrival.status, stored) {
        (StatusCode::NOT_MODIFIED, stored) => not_modified(asked, policy, fetch, stored, arrival),
        (StatusCode::PARTIAL_CONTENT, Some(stored)) if matches!(fetch.ask, Ask::Rest { .. }) => {
            rest(asked, policy, key, stored, arrival)
        }
        (StatusCode::RANGE_NOT_SATISFIABLE, _) if matches!(fetch.ask, Ask::Rest { .. }) => Settled::AskAgain,
        (StatusCode::OK, Some(stored)) if *asked.method == Method::HEAD => {
            match merge::head(stored, asked, policy, arrival) {
                Ok(renewed) => Settled::Renewed(Box::new(renewed)),
                Err(Unmerged::OtherState) => Settled::Pass(Pass::Method, Kept::Goes),
                Err(Unmerged::Pass(pass)) => Settled::Pass(pass, kept(arrival.status, pass)),
            }
        }
        // RFC 9110 §15.3.7: a part that nobody asked for would pass for the whole. Where the client asked for one, an origin
        // that was asked for the whole may still mean well: what it sends is that part, and says which.
        (StatusCode::PARTIAL_CONTENT, _)
            if !asked.headers.contains_key(RANGE)
                || fetch.ask != Ask::AsAsked && !arrival.headers.contains_key(CONTENT_RANGE) =>
        {
            Settled::Senseless
        }
        _ => match admit::admit(asked, policy, key, arrival) {
            Ok(stored) => Settled::Store(Box::new(stored)),
            Err(pass) => {
                let is_about_stored = stored.is_some() && fetch.ask != Ask::AsAsked;
                let kept = if is_about_stored { kept(arrival.status, pass) } else { Kept::Stays };
                Settled::Pass(pass, kept)
            }
        },
    }
}

/// How what was just stored, renewed or completed answers the request that asked for it; `None` where it cannot, and what
/// came is passed on as it is.
pub fn answer(asked: &Asked<'_>, stored: &Stored, now: Timestamp) -> Option<Serve> {
    let form = select::form(asked, stored).ok()?;
    let age_s = stored.age_s(now);
    let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    Some(Serve {
        form,
        age_s,
        ttl_s: signed(stored.lifetime_s).saturating_sub(signed(age_s)),
        grounds: Grounds::Validated,
    })
}

/// What was missing came: it completes what is held, or answers for itself, or is of no use.
fn rest(asked: &Asked<'_>, policy: &CachePolicy, key: &Key, stored: &Stored, arrival: &Arrival<'_>) -> Settled {
    if let Some((completed, splice)) = part::complete(stored, asked, policy, arrival) {
        return Settled::Completed(Box::new(completed), splice);
    }
    match admit::admit(asked, policy, key, arrival) {
        Ok(part) if select::form(asked, &part).is_ok() => Settled::Store(Box::new(part)),
        _ => Settled::AskAgain,
    }
}

fn not_modified(
    asked: &Asked<'_>,
    policy: &CachePolicy,
    fetch: &Fetch,
    stored: Option<&Stored>,
    arrival: &Arrival<'_>,
) -> Settled {
    match (&fetch.ask, stored) {
        (Ask::IfChanged { .. }, Some(stored)) => match merge::not_modified(stored, asked, policy, arrival) {
            Ok(renewed) => Settled::Renewed(Box::new(renewed)),
            // Its body is at hand for this request, but not for others: the origin says so with the whole.
            Err(Unmerged::OtherState | Unmerged::Pass(_)) => Settled::AskAgain,
        },
        (Ask::AsAsked, _) => Settled::Pass(Pass::Conditional, Kept::Stays),
        (Ask::IfChanged { .. } | Ask::Rest { .. }, _) => Settled::AskAgain,
        (Ask::Whole, _) => Settled::Senseless,
    }
}

/// RFC 5861 §4.
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Whether what is stored stays where something came in its place that cannot be kept: what failed, or is about this
/// client alone, says nothing of it.
fn kept(status: StatusCode, pass: Pass) -> Kept {
    let is_of_client = matches!(pass, Pass::RequestNoStore | Pass::Authorization | Pass::Personal | Pass::Conditional);
    let is_of_resource = status.is_success() || status.is_redirection() || matches!(status.as_u16(), 404 | 410);
    if is_of_resource && !is_of_client { Kept::Goes } else { Kept::Stays }
}

#[cfg(test)]
#[allow(
    clippy::single_range_in_vec_init,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "tables of answers"
)]
mod tests;

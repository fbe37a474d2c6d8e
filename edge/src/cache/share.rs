//! Whether an answer that one request waited for may answer others that waited with it (RFC 9111 §4, collapsed requests).

use super::asked::Asked;
use super::plan::{Grounds, Serve};
use super::settle;
use super::stored::{Basis, Reuse, Stored};
use crate::config::CachePolicy;
use crate::time::Timestamp;

/// How the answer to another's request answers this one, which waited for it; `None` where it does not. That it expired
/// on its way is no reason: it was asked for after this request was there, or while it waited.
pub fn share(
    asked: &Asked<'_>,
    leader: &Asked<'_>,
    policy: &CachePolicy,
    stored: &Stored,
    now: Timestamp,
) -> Option<Serve> {
    let wants = asked.directives();
    let same_variant = stored.spec.is_same_for(asked, leader, policy);
    let may_be_given = stored.basis == Basis::Origin || !asked.is_personal(policy);
    let is_stale = stored.age_s(now) >= stored.lifetime_s;
    let is_allowed = match stored.reuse {
        Reuse::Normal => true,
        Reuse::NeverStale => !is_stale,
        Reuse::Validate => false,
    };
    let suits = !wants.no_cache && wants.max_age.is_none_or(|seconds| stored.age_s(now) <= seconds);
    if !(same_variant && may_be_given && is_allowed && suits) {
        return None;
    }
    let serve = settle::answer(asked, stored, now)?;
    Some(Serve { grounds: Grounds::Validated, ..serve })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{admitted, asked, at, headers, policy};

    #[track_caller]
    fn check(follower: &[(&str, &str)], response: &[(&str, &str)], policy: &CachePolicy, expected: bool) {
        let (sent, led) = (headers(follower), headers(&[("x", "1")]));
        let stored = admitted(200, response, policy).unwrap();
        let shared = share(&asked(&sent), &asked(&led), policy, &stored, at(5));
        assert_eq!(shared.is_some(), expected, "{follower:?} {response:?}");
    }

    #[test]
    fn a_waiter_gets_what_everybody_may_have_even_if_it_expired_on_its_way() {
        let tag = ("etag", "\"a\"");
        for (value, expected) in [
            ("max-age=60", true),
            ("max-age=1", true),
            ("max-age=0", true),
            ("no-cache, max-age=60", false),
            ("max-age=60, must-revalidate", true),
            ("max-age=5, must-revalidate", false),
            ("s-maxage=1", false),
        ] {
            check(&[], &[("cache-control", value), tag], &policy(), expected);
        }
        check(&[], &[tag], &policy(), true);
    }

    #[test]
    fn a_waiter_whose_answer_may_be_another_goes_alone() {
        let fresh = ("cache-control", "max-age=60");
        check(&[("x", "1")], &[fresh, ("vary", "x")], &policy(), true);
        check(&[("x", "2")], &[fresh, ("vary", "x")], &policy(), false);
        check(&[], &[fresh, ("vary", "x")], &policy(), false);
        check(&[("cache-control", "no-cache")], &[fresh], &policy(), false);
        check(&[("cache-control", "max-age=4")], &[fresh], &policy(), false);
        check(&[("cookie", "session=1")], &[fresh], &policy(), true);
        check(&[("cookie", "session=1")], &[("last-modified", "@-1000")], &policy(), false);
        let filled_in = CachePolicy { default_freshness_s: Some(60), ..policy() };
        check(&[], &[], &filled_in, true);
        check(&[("authorization", "x")], &[], &filled_in, false);
    }
}

//! What a 304 or a HEAD answer changes in a stored response (RFC 9111 §3.2, §4.3.4, §4.3.5): its head. Never its bytes, nor
//! what is said of them.

use http::HeaderMap;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderName, LAST_MODIFIED, SET_COOKIE, VARY,
};

use super::admit::{self, Arrival, Pass};
use super::asked::Asked;
use super::freshness;
use super::labels;
use super::stored::Stored;
use super::targeted;
use super::vary::Spec;
use crate::config::{CachePolicy, SetCookie};

/// Fields that describe the bytes that are held, or the one message: they stay as they were.
pub(super) const OF_THE_BYTES: [HeaderName; 5] =
    [AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName::from_static("content-md5")];

/// Why a stored response cannot stay under a new head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmerged {
    /// The new head is of another state: its validators differ.
    OtherState,
    /// The new head does not let the response be kept.
    Pass(Pass),
}

/// The stored response under the head of a 304.
pub(super) fn not_modified(
    stored: &Stored,
    asked: &Asked<'_>,
    policy: &CachePolicy,
    arrival: &Arrival<'_>,
) -> Result<Stored, Unmerged> {
    let headers = arrival.headers;
    // RFC 9111 §4.3.4: a strong validator names the state that is meant; a 304 that names another says nothing of ours.
    let says = |name: &HeaderName| headers.get(name).filter(|value| Some(*value) != stored.headers.get(name));
    let other_tag = says(&ETAG).is_some_and(|tag| !same_weakly(tag, stored.headers.get(ETAG)));
    let other_time = !headers.contains_key(ETAG) && stored.etag.is_none() && says(&LAST_MODIFIED).is_some();
    if other_tag || other_time {
        return Err(Unmerged::OtherState);
    }
    renewed(stored, asked, policy, arrival)
}

/// The stored response under the head of a 200 to HEAD, if that is of the same state (RFC 9111 §4.3.5).
pub(super) fn head(
    stored: &Stored,
    asked: &Asked<'_>,
    policy: &CachePolicy,
    arrival: &Arrival<'_>,
) -> Result<Stored, Unmerged> {
    let headers = arrival.headers;
    let same = |name: &HeaderName| headers.get(name).is_none_or(|value| Some(value) == stored.headers.get(name));
    let same_length = admit::length(headers).is_none_or(|length| Some(length) == stored.complete_length());
    let same_coding = headers.get(CONTENT_ENCODING) == stored.headers.get(CONTENT_ENCODING);
    // What is stored may be a 404, of a time when there was nothing.
    let same_status = arrival.status == stored.status;
    if !(same_status && same(&ETAG) && same(&LAST_MODIFIED) && same_length && same_coding) {
        return Err(Unmerged::OtherState);
    }
    renewed(stored, asked, policy, arrival)
}

/// The stored response under a newer head of the same state.
pub(super) fn renewed(
    stored: &Stored,
    asked: &Asked<'_>,
    policy: &CachePolicy,
    arrival: &Arrival<'_>,
) -> Result<Stored, Unmerged> {
    let all = merged(&stored.headers, arrival.headers, policy);
    let told = targeted::told(&all);
    if told.directives.no_store {
        return Err(Unmerged::Pass(Pass::NoStore));
    }
    if told.directives.private == super::directives::Qualified::Whole {
        return Err(Unmerged::Pass(Pass::Private));
    }
    if admit::is_for_one(asked, &told.directives) {
        return Err(Unmerged::Pass(Pass::Authorization));
    }
    // What chose the response is part of its key: with another `Vary` it would have to be looked up elsewhere.
    if arrival.headers.contains_key(VARY) && Spec::of(arrival.headers) != Spec::of(&stored.headers) {
        return Err(Unmerged::OtherState);
    }
    let mut renewed = stored.clone();
    renewed.date = freshness::date(arrival.headers, arrival.received_at);
    renewed.requested_at = arrival.requested_at;
    renewed.born_at = freshness::born_at(arrival.headers, renewed.date, arrival.requested_at, arrival.received_at);
    (renewed.sequence, renewed.log) = (arrival.sequence, arrival.log);
    admit::judge(&mut renewed, asked, policy, stored.status, &all, &told);
    renewed.tags = merge_labels(labels::tags(arrival.headers, policy), &stored.tags);
    renewed.groups = merge_labels(labels::groups(&all), &[]);
    renewed.headers = admit::kept_fields(&all, &told.directives, policy, renewed.date);
    Ok(renewed)
}

/// A 304 that does not repeat the origin's tags does not take them away.
fn merge_labels(mut new: Vec<String>, old: &[String]) -> Vec<String> {
    for label in old {
        if new.len() < labels::LABELS_LIMIT && !new.contains(label) {
            new.push(label.clone());
        }
    }
    new
}

/// Every field of the new head takes the place of the old ones of its name. A cookie that comes with a 304 is for the one
/// who asked; it says nothing of the body. And a tag that is stronger than that of the bytes does not become theirs: they
/// may be one of several forms, compressed on their way maybe, and parts of two would pass for parts of one.
fn merged(old: &HeaderMap, new: &HeaderMap, policy: &CachePolicy) -> HeaderMap {
    let mut merged = old.clone();
    let gets_stronger = is_weak(old.get(ETAG)) && !is_weak(new.get(ETAG));
    for name in new.keys().filter(|name| !(OF_THE_BYTES.contains(name) || gets_stronger && **name == ETAG)) {
        merged.remove(name);
        for value in new.get_all(name) {
            merged.append(name, value.clone());
        }
    }
    if policy.set_cookie == SetCookie::Pass {
        merged.remove(SET_COOKIE);
    }
    if !new.contains_key(DATE) {
        // RFC 9110 §6.6.1: it is of the time when it came, and not of that of the old head.
        merged.remove(DATE);
    }
    merged
}

fn is_weak(tag: Option<&http::HeaderValue>) -> bool {
    tag.is_some_and(|tag| tag.as_bytes().starts_with(b"W/"))
}

fn same_weakly(tag: &http::HeaderValue, other: Option<&http::HeaderValue>) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    other.is_some_and(|other| opaque(tag.as_bytes()) == opaque(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::fixture::{NOW, admitted, asked, at, headers, policy, stored};
    use crate::cache::stored::{Basis, Held, Reuse};

    fn merge(stored: &Stored, fields: &[(&str, &str)]) -> Result<Stored, Unmerged> {
        let (none, new) = (HeaderMap::new(), headers(fields));
        let status = http::StatusCode::NOT_MODIFIED;
        let arrival =
            Arrival { status, headers: &new, requested_at: at(100), received_at: at(101), sequence: 9, log: 5 };
        not_modified(stored, &asked(&none), &policy(), &arrival)
    }

    const OLD: [(&str, &str); 7] = [
        ("cache-control", "max-age=60, stale-if-error=5"),
        ("etag", "\"a\""),
        ("date", "@0"),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("x-same", "1"),
        ("x-new", "1"),
    ];

    #[test]
    fn a_304_renews_the_head_and_keeps_the_bytes() {
        let old = stored(&OLD);
        let new = [
            ("etag", "\"a\""),
            ("date", "@100"),
            ("cache-control", "max-age=90, must-revalidate"),
            ("x-new", "2"),
            ("x-new", "3"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("content-md5", "x"),
            ("age", "4"),
        ];
        let merged = merge(&old, &new).unwrap();
        assert_eq!((&merged.held, merged.status), (&old.held, old.status));
        let (_, head) = merged.head(crate::cache::head::HeadKind::Whole);
        let expected = [
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("x-same", "1"),
            ("date", "@100"),
            ("cache-control", "max-age=90, must-revalidate"),
            ("x-new", "2"),
            ("x-new", "3"),
            ("content-length", "10"),
        ];
        assert_eq!(head, headers(&expected));
        assert_eq!((merged.lifetime_s, merged.reuse, merged.stale_if_error_s), (90, Reuse::NeverStale, None));
        assert_eq!((merged.sequence, merged.log, merged.requested_at, merged.age_s(at(101))), (9, 5, at(100), 5));
    }

    #[test]
    fn a_304_that_omits_what_was_said_leaves_it() {
        let merged = merge(&stored(&OLD), &[("date", "@100")]).unwrap();
        assert_eq!((merged.lifetime_s, merged.stale_if_error_s, merged.etag.as_deref()), (60, Some(5), Some("\"a\"")));
        assert_eq!((merged.age_s(at(101)), merged.headers["x-same"].as_bytes()), (1, &b"1"[..]));
    }

    #[test]
    fn a_304_without_a_date_is_of_the_time_when_it_came() {
        let old = stored(&[("cache-control", "max-age=60"), ("etag", "\"a\""), ("date", "@0"), ("expires", "@60")]);
        let merged = merge(&old, &[("etag", "\"a\"")]).unwrap();
        assert_eq!(merged.date, at(101));
        let head = merged.head(crate::cache::head::HeadKind::Whole).1;
        assert_eq!(head["date"], headers(&[("date", "@101")])["date"]);
    }

    #[test]
    fn what_was_said_to_this_cache_alone_holds_after_a_304_that_does_not_repeat_it() {
        let ours = ("rimward-cache-control", "max-age=5");
        let old = stored(&[ours, ("cache-control", "max-age=86400"), ("etag", "\"a\"")]);
        assert_eq!(old.lifetime_s, 5);
        let merged = merge(&old, &[("etag", "\"a\""), ("cache-control", "max-age=86400")]).unwrap();
        assert_eq!(merged.lifetime_s, 5);
        assert_eq!(merge(&merged, &[("rimward-cache-control", "max-age=7")]).unwrap().lifetime_s, 7);
        let refused = [("rimward-cache-control", "no-store")];
        assert_eq!(merge(&merged, &refused), Err(Unmerged::Pass(Pass::NoStore)));
        for kind in [crate::cache::head::HeadKind::Whole, crate::cache::head::HeadKind::NotModified] {
            assert!(!merged.head(kind).1.contains_key("rimward-cache-control"), "nobody else sees it");
        }
    }

    #[test]
    fn a_304_of_another_state_says_nothing_of_ours() {
        let tagged = stored(&OLD);
        assert_eq!(merge(&tagged, &[("etag", "\"b\"")]), Err(Unmerged::OtherState));
        assert!(merge(&tagged, &[("etag", "W/\"a\"")]).is_ok());
        let dated = stored(&[("cache-control", "max-age=60"), ("last-modified", "@-100")]);
        assert_eq!(merge(&dated, &[("last-modified", "@-99")]), Err(Unmerged::OtherState));
        assert!(merge(&dated, &[("last-modified", "@-100")]).is_ok());
        // Where there is a tag, the date is no state's name.
        assert!(merge(&tagged, &[("last-modified", "@-99")]).is_ok());
        assert_eq!(merge(&tagged, &[("vary", "accept")]), Err(Unmerged::OtherState));
        assert_eq!(merge(&tagged, &[("vary", "*")]), Err(Unmerged::OtherState));
    }

    #[test]
    fn a_304_never_makes_a_weak_tag_strong() {
        let (weak, strong) = (("etag", "W/\"a\""), ("etag", "\"a\""));
        let fresh = ("cache-control", "max-age=60");
        let merged = merge(&stored(&[fresh, weak]), &[strong, ("x-new", "1")]).unwrap();
        assert_eq!((merged.etag.as_deref(), merged.headers["etag"].as_bytes()), (Some("W/\"a\""), &b"W/\"a\""[..]));
        assert_eq!((merged.strong_validator(), merged.headers["x-new"].as_bytes()), (None, &b"1"[..]));
        let merged = merge(&stored(&[fresh, strong]), &[weak]).unwrap();
        assert_eq!(merged.etag.as_deref(), Some("W/\"a\""));
    }

    #[test]
    fn a_304_may_end_the_keeping() {
        assert_eq!(merge(&stored(&OLD), &[("cache-control", "no-store")]), Err(Unmerged::Pass(Pass::NoStore)));
        assert_eq!(merge(&stored(&OLD), &[("cache-control", "private")]), Err(Unmerged::Pass(Pass::Private)));
        let no_cache = merge(&stored(&OLD), &[("cache-control", "no-cache")]).unwrap();
        assert_eq!(no_cache.reuse, Reuse::Validate);
    }

    #[test]
    fn a_cookie_of_a_304_is_for_the_one_who_asked() {
        let merged = merge(&stored(&OLD), &[("set-cookie", "a=1")]).unwrap();
        assert!(!merged.headers.contains_key("set-cookie"));
        assert_eq!((merged.lifetime_s, merged.basis), (60, Basis::Origin));
    }

    #[test]
    fn tags_and_groups_stay_where_a_304_does_not_repeat_them() {
        let policy = CachePolicy { tags_from: Some("cache-tag".into()), ..policy() };
        let old = [OLD[0], OLD[1], ("cache-tag", "a b"), ("cache-groups", "\"g\"")];
        let old = admitted(200, &old, &policy).unwrap();
        let (none, new) = (HeaderMap::new(), headers(&[("cache-tag", "c a")]));
        let status = http::StatusCode::NOT_MODIFIED;
        let arrival = Arrival { status, headers: &new, requested_at: NOW, received_at: NOW, sequence: 9, log: 5 };
        let merged = not_modified(&old, &asked(&none), &policy, &arrival).unwrap();
        assert_eq!((merged.tags, merged.groups), (vec!["c".to_owned(), "a".into(), "b".into()], vec!["g".to_owned()]));
    }

    #[test]
    fn a_head_answer_renews_what_is_of_the_same_state() {
        let old = stored(&OLD);
        let of = |fields: &[(&str, &str)]| {
            let (none, new) = (HeaderMap::new(), headers(fields));
            let status = http::StatusCode::OK;
            let arrival =
                Arrival { status, headers: &new, requested_at: at(9), received_at: at(9), sequence: 9, log: 5 };
            let asked = Asked { method: &http::Method::HEAD, ..asked(&none) };
            head(&old, &asked, &policy(), &arrival).map(|renewed| renewed.lifetime_s)
        };
        let coding = ("content-encoding", "gzip");
        assert_eq!(of(&[coding, ("etag", "\"a\""), ("content-length", "10"), ("cache-control", "max-age=7")]), Ok(7));
        assert_eq!(of(&[coding]), Ok(60));
        assert_eq!(of(&[coding, ("etag", "\"b\"")]), Err(Unmerged::OtherState));
        assert_eq!(of(&[coding, ("content-length", "11")]), Err(Unmerged::OtherState));
        assert_eq!(of(&[]), Err(Unmerged::OtherState));
    }

    #[test]
    fn a_head_answer_with_success_ends_a_404() {
        let of = |status: u16| {
            let (none, new) = (HeaderMap::new(), headers(&[("cache-control", "max-age=60")]));
            let old = admitted(404, &[("cache-control", "max-age=5")], &policy()).unwrap();
            let status = http::StatusCode::from_u16(status).unwrap();
            let arrival =
                Arrival { status, headers: &new, requested_at: at(9), received_at: at(9), sequence: 9, log: 5 };
            let asked = Asked { method: &http::Method::HEAD, ..asked(&none) };
            head(&old, &asked, &policy(), &arrival).map(|renewed| renewed.lifetime_s)
        };
        assert_eq!((of(200), of(404)), (Err(Unmerged::OtherState), Ok(60)));
    }

    proptest! {
        #[test]
        fn a_304_never_changes_bytes_or_what_is_said_of_them(
            fields in prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "content-length", "content-encoding", "content-range", "content-md5", "transfer-encoding",
                        "etag", "date", "age", "cache-control", "expires", "x-a", "set-cookie", "vary",
                    ]),
                    prop::sample::select(vec![
                        "", "0", "5", "br", "bytes 0-1/2", "\"a\"", "\"b\"", "max-age=5", "no-store", "@5", "@-5", "accept", "*",
                    ]),
                ),
                0..10,
            ),
            is_part in any::<bool>(),
        ) {
            let old = if is_part {
                let mut fields = OLD.to_vec();
                fields.push(("content-range", "bytes 2-5/10"));
                admitted(206, &fields, &policy()).unwrap()
            } else {
                stored(&OLD)
            };
            if let Ok(merged) = merge(&old, &fields) {
                prop_assert_eq!(&merged.held, &old.held);
                prop_assert_eq!(merged.status, old.status);
                for name in ["content-length", "content-encoding", "content-range", "content-md5", "set-cookie"] {
                    let lines = |stored: &Stored| stored.headers.get_all(name).iter().cloned().collect::<Vec<_>>();
                    prop_assert_eq!(lines(&merged), lines(&old), "{}", name);
                }
                prop_assert_eq!(&merged.spec, &old.spec);
                if let Held::Part(range, _) = &merged.held {
                    prop_assert_eq!(merged.announced(), Some(range.end - range.start));
                }
            }
        }
    }
}

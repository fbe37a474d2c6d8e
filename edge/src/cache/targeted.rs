//! Cache directives for this cache, or for caches like it (RFC 9213): a targeted field takes the place of
//! `Cache-Control` and `Expires`.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry};

use super::directives::ResponseDirectives;
use crate::field::structured;

/// The fields that are for us alone: nobody else sees them.
pub(super) const OURS: HeaderName = HeaderName::from_static("rimward-cache-control");

/// The target list (RFC 9213 §2.2), the closest first.
const TARGETS: [HeaderName; 2] = [OURS, HeaderName::from_static("cdn-cache-control")];

/// What a response tells this cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The directives.
    pub(super) directives: ResponseDirectives,
    /// Whether a targeted field said them: then `Expires` says nothing.
    pub(super) targeted: bool,
}

/// The directives of the first valid field of the target list, else those of `Cache-Control`.
pub(super) fn told(headers: &HeaderMap) -> Told {
    let targeted = TARGETS.iter().find_map(|name| directives(&structured::dictionary(headers, name)?));
    match targeted {
        Some(directives) => Told { directives, targeted: true },
        None => Told { directives: ResponseDirectives::parse(headers), targeted: false },
    }
}

/// The directives of a dictionary. `None` where one has a value of another type than its own: such a field is ignored as a
/// whole (RFC 9213 §2.1), for a cache that obeys half of it does what nobody wrote.
fn directives(dictionary: &Dictionary) -> Option<ResponseDirectives> {
    let mut directives = ResponseDirectives::default();
    for (name, member) in dictionary {
        let name = name.as_str();
        let ListEntry::Item(item) = member else {
            if kind(name) == Kind::Unknown {
                continue;
            }
            return None;
        };
        match (&item.bare_item, kind(name)) {
            (_, Kind::Unknown) | (BareItem::Boolean(false), Kind::Flag | Kind::Qualified) => {}
            (BareItem::Integer(seconds), Kind::Seconds) => {
                let seconds = i64::from(*seconds).max(0).to_string();
                directives.take(name, Some(&seconds));
            }
            (BareItem::Boolean(true), Kind::Flag | Kind::Qualified) => directives.take(name, None),
            (BareItem::String(fields), Kind::Qualified) => directives.take(name, Some(fields.as_str())),
            (BareItem::Token(field), Kind::Qualified) => directives.take(name, Some(field.as_str())),
            _ => return None,
        }
    }
    Some(directives)
}

/// Which type the value of a directive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Seconds,
    Flag,
    Qualified,
    Unknown,
}

fn kind(name: &str) -> Kind {
    match name {
        "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error" => Kind::Seconds,
        "must-revalidate" | "must-understand" | "no-store" | "no-transform" | "proxy-revalidate" | "public"
        | "immutable" => Kind::Flag,
        "no-cache" | "private" => Kind::Qualified,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::directives::Qualified;
    use crate::cache::fixture::headers;

    #[track_caller]
    fn check(fields: &[(&'static str, &'static str)], max_age: Option<u64>, targeted: bool) {
        let told = told(&headers(fields));
        assert_eq!((told.directives.max_age, told.targeted), (max_age, targeted), "{fields:?}");
    }

    #[test]
    fn a_targeted_field_takes_the_place_of_cache_control() {
        let plain = ("cache-control", "max-age=1");
        check(&[plain], Some(1), false);
        check(&[plain, ("cdn-cache-control", "max-age=60")], Some(60), true);
        check(&[plain, ("cdn-cache-control", "foobar, max-age=60;x=1")], Some(60), true);
        check(&[plain, ("cdn-cache-control", "max-age=1"), ("cdn-cache-control", "max-age=60")], Some(60), true);
        check(&[plain, ("cdn-cache-control", "max-age=60"), ("rimward-cache-control", "max-age=5")], Some(5), true);
        check(&[plain, ("cdn-cache-control", "max-age=60"), ("rimward-cache-control", "!")], Some(60), true);
        check(&[plain, ("cdn-cache-control", "public")], None, true);
        check(&[plain, ("cdn-cache-control", "max-age=-5")], Some(0), true);
        check(&[plain, ("cdn-cache-control", "max-age=99999999999")], Some(1 << 31), true);
    }

    #[test]
    fn a_field_that_is_wrong_anywhere_is_ignored_as_a_whole() {
        for wrong in [
            "",
            "max-age=60, &&&&&",
            "max-age =60",
            "max-age= 60",
            "max-age=\"60\"",
            "max-age=60.0",
            "max-age",
            "max-age=(60)",
            "MaX-aGe=60",
            "max-age=60,",
            "max-age=60, no-store=1",
            "max-age=60, public=yes",
            "max-age=1000000000000000",
        ] {
            check(&[("cache-control", "max-age=1"), ("cdn-cache-control", wrong)], Some(1), false);
        }
    }

    #[test]
    fn booleans_and_qualified_directives_have_their_types() {
        let directives = |value: &'static str| told(&headers(&[("cdn-cache-control", value)])).directives;
        assert!(directives("no-store").no_store);
        assert!(!directives("no-store=?0, max-age=1").no_store);
        assert_eq!(directives("no-cache").no_cache, Qualified::Whole);
        assert_eq!(directives("private=\"x-a\"").private.fields(), ["x-a"]);
        assert_eq!(directives("private=x-a").private.fields(), ["x-a"]);
    }
}

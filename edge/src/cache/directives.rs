//! `Cache-Control` (RFC 9111 §5.2): what requests and responses say, read once.
//!
//! Where a response says a number of seconds twice and differently, or says what is no number, it counts as zero
//! (RFC 9111 §4.2.1: "should be considered stale"): an origin that means a limit and misspells it does not get none.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderName};

use crate::field::list;

/// The directives of a response, whichever field they stand in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a directive that is said or not")]
pub(super) struct ResponseDirectives {
    /// §5.2.2.1, in seconds.
    pub(super) max_age: Option<u64>,
    /// §5.2.2.10, in seconds.
    pub(super) s_maxage: Option<u64>,
    /// §5.2.2.2.
    pub(super) must_revalidate: bool,
    /// §5.2.2.3.
    pub(super) must_understand: bool,
    /// §5.2.2.4.
    pub(super) no_cache: Qualified,
    /// §5.2.2.5.
    pub(super) no_store: bool,
    /// §5.2.2.6.
    pub(super) no_transform: bool,
    /// §5.2.2.7.
    pub(super) private: Qualified,
    /// §5.2.2.8.
    pub(super) proxy_revalidate: bool,
    /// §5.2.2.9.
    pub(super) public: bool,
    /// RFC 8246.
    pub(super) immutable: bool,
    /// RFC 5861 §3, in seconds.
    pub(super) stale_while_revalidate: Option<u64>,
    /// RFC 5861 §4, in seconds.
    pub(super) stale_if_error: Option<u64>,
}

/// A directive that may be about the whole response, or about some of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Qualified {
    /// It is not said.
    #[default]
    Absent,
    /// Of these fields only.
    Fields(Vec<HeaderName>),
    /// Of the whole response.
    Whole,
}

/// The directives of a request (RFC 9111 §5.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RequestDirectives {
    /// In seconds.
    pub(super) max_age: Option<u64>,
    /// In seconds; [`u64::MAX`] where any staleness will do.
    pub(super) max_stale: Option<u64>,
    /// In seconds.
    pub(super) min_fresh: Option<u64>,
    /// §5.2.1.4.
    pub(super) no_cache: bool,
    /// §5.2.1.5.
    pub(super) no_store: bool,
    /// §5.2.1.7.
    pub(super) only_if_cached: bool,
    /// RFC 5861 §4, in seconds.
    pub(super) stale_if_error: Option<u64>,
}

/// Numbers of seconds past this are this (RFC 9111 §1.2.2): nothing is kept for longer.
const LARGEST: u64 = 1 << 31;

/// A directive that names more fields than this is about the whole.
const FIELDS_LIMIT: usize = 64;

impl ResponseDirectives {
    /// From `Cache-Control`: all its lines are one list.
    pub(super) fn parse(headers: &HeaderMap) -> ResponseDirectives {
        let mut directives = ResponseDirectives::default();
        each(headers, |name, argument| directives.take(name, argument));
        directives
    }

    /// Takes one directive in. `name` is in lower case.
    pub(super) fn take(&mut self, name: &str, argument: Option<&str>) {
        match name {
            "max-age" => agree(&mut self.max_age, seconds(argument)),
            "s-maxage" => agree(&mut self.s_maxage, seconds(argument)),
            "must-revalidate" => self.must_revalidate = true,
            "no-cache" => self.no_cache.take(argument),
            "no-store" => self.no_store = true,
            "no-transform" => self.no_transform = true,
            "private" => self.private.take(argument),
            "proxy-revalidate" => self.proxy_revalidate = true,
            // These allow something: with an argument that they do not have, they are something else.
            "must-understand" if argument.is_none() => self.must_understand = true,
            "public" if argument.is_none() => self.public = true,
            "immutable" if argument.is_none() => self.immutable = true,
            "stale-while-revalidate" => agree(&mut self.stale_while_revalidate, seconds(argument)),
            "stale-if-error" => agree(&mut self.stale_if_error, seconds(argument)),
            _ => {}
        }
    }
}

impl RequestDirectives {
    /// From `Cache-Control`.
    pub(super) fn parse(headers: &HeaderMap) -> RequestDirectives {
        let mut directives = RequestDirectives::default();
        each(headers, |name, argument| match name {
            "max-age" => least(&mut directives.max_age, seconds(argument)),
            "max-stale" => least(&mut directives.max_stale, argument.map_or(u64::MAX, |_| seconds(argument))),
            "min-fresh" => {
                directives.min_fresh = directives.min_fresh.max(Some(seconds(argument)));
            }
            "no-cache" => directives.no_cache = true,
            "no-store" => directives.no_store = true,
            "only-if-cached" => directives.only_if_cached = true,
            "stale-if-error" => least(&mut directives.stale_if_error, seconds(argument)),
            _ => {}
        });
        directives
    }
}

impl Qualified {
    fn take(&mut self, argument: Option<&str>) {
        let Some(argument) = argument else {
            *self = Qualified::Whole;
            return;
        };
        let names: Option<Vec<HeaderName>> =
            list::members(argument).map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
        let names = names.filter(|names| !names.is_empty() && self.fields().len() + names.len() <= FIELDS_LIMIT);
        match (&mut *self, names) {
            (Qualified::Fields(known), Some(names)) => known.extend(names),
            (Qualified::Absent, Some(names)) => *self = Qualified::Fields(names),
            // What names no field is not understood: then it is about everything.
            (Qualified::Whole, _) | (_, None) => *self = Qualified::Whole,
        }
    }

    /// The fields that it is about, where it is about some only.
    pub(super) fn fields(&self) -> &[HeaderName] {
        match self {
            Qualified::Fields(names) => names,
            Qualified::Absent | Qualified::Whole => &[],
        }
    }
}

/// Hands over every directive of `Cache-Control`, its name in lower case, its argument without quotes.
fn each(headers: &HeaderMap, mut take: impl FnMut(&str, Option<&str>)) {
    for line in headers.get_all(CACHE_CONTROL) {
        // Bytes past ASCII may stand in an argument of a directive that nobody knows; the others still count.
        let line = String::from_utf8_lossy(line.as_bytes());
        let mut one = |member: &str| {
            let (name, argument) = match member.split_once('=') {
                Some((name, argument)) => (name, Some(unquoted(argument))),
                None => (member, None),
            };
            take(&name.to_ascii_lowercase(), argument.as_deref());
        };
        for member in list::members(&line) {
            if never_closes(member) {
                // What comes after a quote that nobody closed is not hidden by it: `no-store` may be there.
                member.split(',').map(str::trim).for_each(&mut one);
            } else {
                one(member);
            }
        }
    }
}

/// Whether a quoted string begins in a member and does not end there.
fn never_closes(member: &str) -> bool {
    let mut escaped = false;
    let quotes = member.bytes().filter(|&byte| {
        let is_quote = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_quote
    });
    quotes.count() % 2 == 1
}

fn unquoted(argument: &str) -> std::borrow::Cow<'_, str> {
    let Some(inner) = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return argument.into();
    };
    if inner.contains('\\') { inner.replace('\\', "").into() } else { inner.into() }
}

/// Delta-seconds (RFC 9111 §1.2.2); what is none is zero.
fn seconds(argument: Option<&str>) -> u64 {
    delta_seconds(argument.unwrap_or_default()).unwrap_or(0)
}

/// A number of seconds. Digits only: signs, fractions, blanks and letters make it none.
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().map_or(LARGEST, |number: u64| number.min(LARGEST)))
}

fn agree(known: &mut Option<u64>, said: u64) {
    *known = Some(known.map_or(said, |known| if known == said { said } else { 0 }));
}

fn least(known: &mut Option<u64>, said: u64) {
    *known = Some(known.map_or(said, |known| known.min(said)));
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "tables of expectations")]
mod tests {
    use super::*;
    use crate::cache::fixture::headers;

    #[track_caller]
    fn check(lines: &[&'static str], expected: ResponseDirectives) {
        let fields: Vec<_> = lines.iter().map(|line| ("cache-control", *line)).collect();
        assert_eq!(ResponseDirectives::parse(&headers(&fields)), expected, "{lines:?}");
    }

    fn names(names: &[&'static str]) -> Qualified {
        Qualified::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
    }

    #[test]
    fn several_lines_are_one_list() {
        let base = ResponseDirectives::default;
        check(&["max-age=60"], ResponseDirectives { max_age: Some(60), ..base() });
        check(&["max-age=60", "NO-STORE"], ResponseDirectives { max_age: Some(60), no_store: true, ..base() });
        check(
            &["Public, S-MaxAge=5 ,, must-revalidate, unknown=1, immutable"],
            ResponseDirectives { public: true, s_maxage: Some(5), must_revalidate: true, immutable: true, ..base() },
        );
        check(
            &["stale-while-revalidate=30, stale-if-error=\"60\", proxy-revalidate, must-understand, no-transform"],
            ResponseDirectives {
                stale_while_revalidate: Some(30),
                stale_if_error: Some(60),
                proxy_revalidate: true,
                must_understand: true,
                no_transform: true,
                ..base()
            },
        );
    }

    #[test]
    fn what_is_no_number_of_seconds_is_zero_and_so_are_several_that_differ() {
        for (value, expected) in [
            ("max-age=60", 60),
            ("max-age=\"60\"", 60),
            ("max-age=-2", 0),
            ("max-age=a2", 0),
            ("max-age=2a", 0),
            ("max-age=1.5", 0),
            ("max-age=+60", 0),
            ("max-age= 60", 0),
            ("max-age=", 0),
            ("max-age", 0),
            ("max-age='60'", 0),
            ("max-age=0x60", 0),
            ("max-age=2147483648", LARGEST),
            ("max-age=99999999999999999999999999", LARGEST),
            ("max-age=60, max-age=60", 60),
            ("max-age=60, max-age=5", 0),
            ("max-age=5, max-age=60", 0),
        ] {
            check(&[value], ResponseDirectives { max_age: Some(expected), ..ResponseDirectives::default() });
        }
        check(&["max-age =60"], ResponseDirectives::default());
        check(&["public=1, must-understand=60, immutable=\"\""], ResponseDirectives::default());
        check(&["no-store=1"], ResponseDirectives { no_store: true, ..ResponseDirectives::default() });
        check(&["max-ages=60, xmax-age=60"], ResponseDirectives::default());
    }

    #[test]
    fn qualified_directives_name_fields_and_the_whole_is_more_than_some() {
        let no_cache = |no_cache| ResponseDirectives { no_cache, ..ResponseDirectives::default() };
        check(&["no-cache"], no_cache(Qualified::Whole));
        check(&["no-cache=\"X-A, x-b\""], no_cache(names(&["x-a", "x-b"])));
        check(&["no-cache=x-a"], no_cache(names(&["x-a"])));
        check(&["no-cache=\"x-a\", no-cache"], no_cache(Qualified::Whole));
        check(&["no-cache, no-cache=\"x-a\""], no_cache(Qualified::Whole));
        check(&["no-cache=\"x-a\"", "no-cache=x-b"], no_cache(names(&["x-a", "x-b"])));
        check(&["no-cache=\"\""], no_cache(Qualified::Whole));
        check(&["no-cache=\"not a name\""], no_cache(Qualified::Whole));
        check(
            &["private=\"set-cookie\""],
            ResponseDirectives { private: names(&["set-cookie"]), ..ResponseDirectives::default() },
        );
    }

    #[test]
    fn an_open_quote_hides_nothing() {
        let private = ResponseDirectives { private: Qualified::Whole, ..ResponseDirectives::default() };
        check(&["foo=\"bar, private"], private.clone());
        check(&["foo=\"b\\\"ar, private"], private);
        // Inside a quoted string that ends, directives are text.
        check(&["foo=\"bar, private\""], ResponseDirectives::default());
    }

    #[test]
    fn requests_have_directives_of_their_own() {
        let parse = |value| RequestDirectives::parse(&headers(&[("cache-control", value)]));
        let base = RequestDirectives::default();
        assert_eq!(parse("max-stale"), RequestDirectives { max_stale: Some(u64::MAX), ..base });
        assert_eq!(parse("max-stale=10, max-stale"), RequestDirectives { max_stale: Some(10), ..base });
        assert_eq!(parse("max-stale=x"), RequestDirectives { max_stale: Some(0), ..base });
        assert_eq!(parse("min-fresh=5, min-fresh=9"), RequestDirectives { min_fresh: Some(9), ..base });
        assert_eq!(
            parse("max-age=0, No-Cache, no-store, ONLY-IF-CACHED, stale-if-error=7"),
            RequestDirectives {
                max_age: Some(0),
                no_cache: true,
                no_store: true,
                only_if_cached: true,
                stale_if_error: Some(7),
                ..base
            }
        );
    }

    #[test]
    fn a_bomb_of_directives_is_read_once() {
        let value: &'static str = vec!["no-cache=\"a, b\", max-age=1"; 2000].join(",").leak();
        let directives = ResponseDirectives::parse(&headers(&[("cache-control", value)]));
        assert_eq!(directives.max_age, Some(1));
        assert!(directives.no_cache.fields().len() <= FIELDS_LIMIT);
    }
}

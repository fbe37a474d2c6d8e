//! `[[route]]`, compiled: which requests it is for, who answers them, and what is changed on the way.
//!
//! Conditions, shares and changes are texts in the file: a reader of tables for each would be several times the size.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::Invalidate;
use crate::route::pattern::Pattern;

/// `[[route]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Which URL paths.
    pub path: Pattern,
    /// What must hold besides, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// Who answers. In the file it is called after what it mostly is.
    #[serde(rename = "pool")]
    pub by: By,
    /// What is changed before a pool is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<Change>,
    /// The policy by which answers are kept; absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// The policies that its requests are counted under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// How many permits a request takes: at least 1, and no more than any of them has at once.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub cost: u32,
    /// Misses go through an object that all isolates share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shield: bool,
    /// What an unsafe method invalidates.
    #[serde(default)]
    pub invalidate: Invalidate,
    /// `[route.cors]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

impl Route {
    /// A route that hands every request on.
    pub fn new(path: Pattern, pool: &str) -> Route {
        Route::by(path, By::Pool(pool.to_owned()))
    }

    /// A route that says who answers, and nothing else.
    pub fn by(path: Pattern, by: By) -> Route {
        let (when, rewrite, limits, invalidate) = (Vec::new(), Vec::new(), Vec::new(), Invalidate::Here);
        Route { path, when, by, rewrite, cache: None, limits, cost: 1, shield: false, invalidate, cors: None }
    }
}

/// Who answers the requests of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum By {
    /// A pool.
    Pool(String),
    /// Several pools, each a share of the clients: at least one, each once, their weights at least 1 together.
    Split(Vec<Share>),
    /// Nobody: the client is sent elsewhere. 301, 302, 303, 307 or 308, and a path or an absolute URL in which `:splat` and `:name` are
    /// replaced by what the pattern caught.
    Redirect(u16, String),
}

/// A pool's share of the clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The pool.
    pub pool: String,
    /// Beside those of the others: 0 to 10,000.
    pub weight: u32,
}

impl By {
    /// The names of the pools that may answer.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        let (one, several) = match self {
            By::Pool(pool) => (Some(pool.as_str()), &[][..]),
            By::Split(shares) => (None, shares.as_slice()),
            By::Redirect(..) => (None, &[][..]),
        };
        one.into_iter().chain(several.iter().map(|share| share.pool.as_str()))
    }
}

/// A text that says nobody who answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody answers by `{0}`")]
pub struct NoBy(String);

impl TryFrom<String> for By {
    type Error = NoBy;

    fn try_from(text: String) -> Result<By, NoBy> {
        // No pool has a name with a space.
        let by = match text.split_once(' ') {
            None if !text.is_empty() => return Ok(By::Pool(text)),
            Some(("split", shares)) => shares.split(", ").map(Share::read).collect::<Option<_>>().map(By::Split),
            Some(("redirect", rest)) => {
                rest.split_once(' ').and_then(|(status, to)| Some(By::Redirect(status.parse().ok()?, to.to_owned())))
            }
            _ => None,
        };
        by.ok_or(NoBy(text))
    }
}

impl From<By> for String {
    fn from(by: By) -> String {
        by.to_string()
    }
}

impl fmt::Display for By {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Pool(pool) => out.write_str(pool),
            By::Split(shares) => {
                let mut lead = "split ";
                for Share { pool, weight } in shares {
                    write!(out, "{lead}{pool} {weight}")?;
                    lead = ", ";
                }
                Ok(())
            }
            By::Redirect(status, to) => write!(out, "redirect {status} {to}"),
        }
    }
}

impl Share {
    fn read(text: &str) -> Option<Share> {
        let (pool, weight) = text.split_once(' ')?;
        Some(Share { pool: pool.to_owned(), weight: weight.parse().ok()? })
    }
}

/// What must hold of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Condition {
    /// Its host is one of these, in lower case; `*.example.com` is every host below that one.
    Hosts(Vec<String>),
    /// Its method is one of these; `GET` is `HEAD` too.
    Methods(Vec<String>),
    /// Its client is in one of these countries: two upper-case letters each. One whose country nobody knows is in none.
    Countries(Vec<String>),
    /// Something that it says of this name.
    Says(Place, String, Test),
}

/// Where a request says something under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A header field; the name is in lower case. Its lines are joined by `, `.
    Header,
    /// A parameter of the query, decoded; any of that name.
    Query,
    /// A cookie; the first of that name.
    Cookie,
}

impl Place {
    /// As settings spell it.
    pub const WORDS: [(&'static str, Place); 3] =
        [("header", Place::Header), ("query", Place::Query), ("cookie", Place::Cookie)];

    /// As settings spell it.
    pub fn word(self) -> &'static str {
        match self {
            Place::Header => "header",
            Place::Query => "query",
            Place::Cookie => "cookie",
        }
    }
}

/// How a value is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `*`: there is one.
    Present,
    /// `value`.
    Is(String),
    /// `value*`.
    Begins(String),
}

impl Test {
    /// As settings spell it. Every text is a test.
    pub fn read(text: &str) -> Test {
        match text.strip_suffix('*') {
            Some("") => Test::Present,
            Some(beginning) => Test::Begins(beginning.to_owned()),
            None => Test::Is(text.to_owned()),
        }
    }

    /// Whether a value fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Test::Present => true,
            Test::Is(wanted) => value == wanted,
            Test::Begins(beginning) => value.starts_with(beginning.as_str()),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Present => out.write_str("*"),
            Test::Is(value) => out.write_str(value),
            Test::Begins(beginning) => write!(out, "{beginning}*"),
        }
    }
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no request is told by `{0}`")]
pub struct NoCondition(String);

impl TryFrom<String> for Condition {
    type Error = NoCondition;

    fn try_from(text: String) -> Result<Condition, NoCondition> {
        let read = |(kind, rest): (&str, &str)| {
            let words = || rest.split(' ').map(str::to_owned).collect();
            Some(match kind {
                "hosts" => Condition::Hosts(words()),
                "methods" => Condition::Methods(words()),
                "countries" => Condition::Countries(words()),
                _ => {
                    let (_, place) = Place::WORDS.into_iter().find(|(word, _)| *word == kind)?;
                    let (name, value) = rest.split_once(' ')?;
                    Condition::Says(place, plain(name), Test::read(value))
                }
            })
        };
        text.split_once(' ').and_then(read).ok_or(NoCondition(text))
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> String {
        condition.to_string()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Hosts(hosts) => write!(out, "hosts {}", hosts.join(" ")),
            Condition::Methods(methods) => write!(out, "methods {}", methods.join(" ")),
            Condition::Countries(countries) => write!(out, "countries {}", countries.join(" ")),
            Condition::Says(place, name, test) => write!(out, "{} {} {test}", place.word(), written(name)),
        }
    }
}

/// What is changed of a request before a pool is asked. In values `:splat` and `:name` are replaced by what the pattern caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Change {
    /// The path is this one; it begins with `/`, and is percent-encoded. At most one of a route.
    Path(String),
    /// A parameter has this value, in place of all of that name; both are decoded.
    SetQuery(String, String),
    /// There is no parameter of that name, which is decoded.
    RemoveQuery(String),
    /// A header field, in lower case, has this value: never one that the edge sets itself, or that frames the message.
    SetHeader(String, String),
    /// There is no header field of that name.
    RemoveHeader(String),
}

/// A text that is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is changed by `{0}`")]
pub struct NoChange(String);

impl TryFrom<String> for Change {
    type Error = NoChange;

    fn try_from(text: String) -> Result<Change, NoChange> {
        let read = |(kind, rest): (&str, &str)| {
            let named = || rest.split_once(' ').map(|(name, value)| (plain(name), value.to_owned()));
            Some(match kind {
                "path" => Change::Path(rest.to_owned()),
                "set-query" => named().map(|(name, value)| Change::SetQuery(name, value))?,
                "remove-query" => Change::RemoveQuery(plain(rest)),
                "set-header" => named().map(|(name, value)| Change::SetHeader(name, value))?,
                "remove-header" => Change::RemoveHeader(plain(rest)),
                _ => return None,
            })
        };
        text.split_once(' ').and_then(read).ok_or(NoChange(text))
    }
}

impl From<Change> for String {
    fn from(change: Change) -> String {
        change.to_string()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Path(path) => write!(out, "path {path}"),
            Change::SetQuery(name, value) => write!(out, "set-query {} {value}", written(name)),
            Change::RemoveQuery(name) => write!(out, "remove-query {}", written(name)),
            Change::SetHeader(name, value) => write!(out, "set-header {} {value}", written(name)),
            Change::RemoveHeader(name) => write!(out, "remove-header {}", written(name)),
        }
    }
}

/// A name as one word.
fn written(name: &str) -> String {
    // Most are read by people, too.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.bytes().all(is_plain) { name.to_owned() } else { utf8_percent_encode(name, NON_ALPHANUMERIC).to_string() }
}

fn plain(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

/// `[route.cors]` (Fetch standard, CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Serialised origins in lower case, or `*` alone. Never `*` with credentials.
    pub origins: Vec<String>,
    /// Upper case.
    pub methods: Vec<String>,
    /// Request fields in lower case, or `*` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Response fields that scripts may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// `Access-Control-Allow-Credentials`.
    #[serde(default)]
    pub credentials: bool,
    /// `Access-Control-Max-Age`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T>(value: &T, expected: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + fmt::Debug,
    {
        let text = serde_json::to_value(value).unwrap();
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_value::<T>(text).unwrap(), *value);
    }

    #[test]
    fn who_answers_is_read_as_it_is_written() {
        let share = |pool: &str, weight| Share { pool: pool.to_owned(), weight };
        check(&By::Pool("api".to_owned()), "api");
        check(&By::Pool("split".to_owned()), "split");
        check(&By::Split(vec![share("api", 95), share("canary", 5)]), "split api 95, canary 5");
        check(&By::Redirect(308, "/new/a b".to_owned()), "redirect 308 /new/a b");
        for text in ["", "api 5", "split ", "split api", "split api x", "redirect 308", "redirect x /y"] {
            assert!(By::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_read_as_they_are_written() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let says = |place, name: &str, test| Condition::Says(place, name.to_owned(), Test::read(test));
        check(&Condition::Hosts(words(&["a.example", "*.b.example"])), "hosts a.example *.b.example");
        check(&Condition::Methods(words(&["GET"])), "methods GET");
        check(&Condition::Countries(words(&["DE", "AT"])), "countries DE AT");
        check(&says(Place::Header, "x-beta", "*"), "header x-beta *");
        check(&says(Place::Header, "x-beta", "a b*"), "header x-beta a b*");
        check(&says(Place::Query, "a b=ü", ""), "query a%20b%3D%C3%BC ");
        check(&says(Place::Cookie, "beta", "1"), "cookie beta 1");
        for text in ["", "hosts", "headers a b", "header x"] {
            assert!(Condition::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn changes_are_read_as_they_are_written() {
        let owned = str::to_owned;
        check(&Change::Path(owned("/v2/:splat")), "path /v2/:splat");
        check(&Change::SetQuery(owned("a b"), owned(":id and more")), "set-query a%20b :id and more");
        check(&Change::RemoveQuery(owned("a=b")), "remove-query a%3Db");
        check(&Change::SetHeader(owned("x-a"), owned("1, 2")), "set-header x-a 1, 2");
        check(&Change::RemoveHeader(owned("x-a")), "remove-header x-a");
        for text in ["", "path", "set-query a", "set-header", "drop x"] {
            assert!(Change::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plain_route_is_written_as_briefly_as_ever() {
        let route = Route::new(Pattern::parse("/api/*").unwrap(), "api");
        let text = serde_json::to_string(&route).unwrap();
        assert_eq!(text, r#"{"path":"/api/*","pool":"api","invalidate":"here"}"#);
        assert_eq!(serde_json::from_str::<Route>(&text).unwrap(), route);
    }

    #[test]
    fn values_are_tested_whole_or_by_how_they_begin() {
        for (test, value, fits) in [
            ("*", "", true),
            ("*", "x", true),
            ("", "", true),
            ("", "x", false),
            ("1", "1", true),
            ("1", "11", false),
            ("1*", "11", true),
            ("1*", "21", false),
            ("a", "A", false),
        ] {
            assert_eq!(Test::read(test).fits(value), fits, "{test} {value}");
        }
    }
}

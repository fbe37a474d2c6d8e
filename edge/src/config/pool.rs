//! `[[pool]]`, compiled: which origins answer, how one is chosen, and what happens on their bad days.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `[[pool]]`, every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// 1 to [`ORIGINS`], each URL once; at least one that is no backup and has a weight.
    pub origins: Vec<Origin>,
    /// How one of them is chosen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub choice: Choice,
    /// Time limits.
    pub timeout: Timeout,
    /// How many requests may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Checks by the object that all isolates share; absent: only traffic tells how origins are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Further tries.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    /// When an isolate leaves an origin alone for a while.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breaker: Breaker,
    /// Where fewer than so many of 100 origins are well, all are tried rather than none.
    #[serde(default = "panic_percent", skip_serializing_if = "is_panic_percent")]
    pub panic_percent: u8,
    /// For so long an origin that is well again gets less than its share, in milliseconds.
    #[serde(default = "slow_start_ms", skip_serializing_if = "is_slow_start_ms")]
    pub slow_start_ms: u64,
    /// Clients stay with the origin that answered them first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// What tells origins that a request comes from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// How many redirects among its own origins are followed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub follow_redirects: u8,
}

impl Pool {
    /// With every default but for what has none.
    pub fn new(origins: Vec<Origin>, timeout: Timeout) -> Pool {
        Pool {
            origins,
            choice: Choice::default(),
            timeout,
            concurrency: None,
            health: None,
            retry: Retry::default(),
            breaker: Breaker::default(),
            panic_percent: panic_percent(),
            slow_start_ms: slow_start_ms(),
            sticky: None,
            credential: None,
            follow_redirects: 0,
        }
    }
}

/// Of one pool.
pub const ORIGINS: usize = 100;

/// `[[pool.origin]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `http` or `https`, a host, perhaps a port and a path prefix; no trailing slash, query, fragment or user. It names the origin, too.
    pub url: String,
    /// Its share, beside those of the others: 0 to 1,000. 0: none, but for those who stay with it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub role: Role,
}

impl Origin {
    /// An origin like any other.
    pub fn new(url: &str) -> Origin {
        Origin { url: url.to_owned(), weight: 1, region: None, role: Role::default() }
    }
}

/// What an origin is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads and, where the choice is [`Choice::PrimaryReplica`], writes.
    #[default]
    Primary,
    /// Reads. Only where the choice is [`Choice::PrimaryReplica`].
    Replica,
    /// Asked where no other is well.
    Backup,
}

/// Regions, by the names of the platform's location hints
/// (<https://developers.cloudflare.com/durable-objects/reference/data-location/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The west of North America.
    Wnam,
    /// The east of North America.
    Enam,
    /// South America.
    Sam,
    /// The west of Europe.
    Weur,
    /// The east of Europe.
    Eeur,
    /// Asia and the Pacific.
    Apac,
    /// Oceania.
    Oc,
    /// Africa.
    Afr,
    /// The Middle East.
    Me,
}

/// How an origin is chosen among those that are well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// One after the other, whatever their weights.
    RoundRobin,
    /// One after the other, as often as their weights say.
    Weighted,
    /// Of two at random, by their weights, the one with fewer requests under way in this isolate.
    #[default]
    LeastRequests,
    /// Always the same one for the same of these; a neighbour where that one has more than its share.
    Hash(HashBy),
    /// The nearest region that has one, the next one where that has none that is well.
    Geo,
    /// Writes to the primary; reads to replicas.
    PrimaryReplica {
        /// For so long a client that wrote reads from the primary, in milliseconds.
        after_write_ms: u64,
    },
}

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HashBy {
    /// `ip`: the client's address; of IPv6 its /64.
    Ip,
    /// `path`.
    Path,
    /// `header:NAME`, in lower case.
    Header(String),
    /// `cookie:NAME`.
    Cookie(String),
    /// `query:NAME`: the value of a parameter.
    Query(String),
    /// `:NAME`: what the route's pattern caught (a tenant, where the route is `/t/:tenant/*`).
    Caught(String),
}

/// A text that names nothing that requests could be told apart by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("requests cannot be told apart by `{0}`")]
pub struct NoHashBy(String);

impl TryFrom<String> for HashBy {
    type Error = NoHashBy;

    fn try_from(text: String) -> Result<HashBy, NoHashBy> {
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let by = match text.split_once(':') {
            None if text == "ip" => Some(HashBy::Ip),
            None if text == "path" => Some(HashBy::Path),
            Some(("header", name)) => named(name).map(|name| HashBy::Header(name.to_ascii_lowercase())),
            Some(("cookie", name)) => named(name).map(HashBy::Cookie),
            Some(("query", name)) => named(name).map(HashBy::Query),
            Some(("", name)) => named(name).map(HashBy::Caught),
            _ => None,
        };
        by.ok_or(NoHashBy(text))
    }
}

impl From<HashBy> for String {
    fn from(by: HashBy) -> String {
        by.to_string()
    }
}

impl fmt::Display for HashBy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashBy::Ip => out.write_str("ip"),
            HashBy::Path => out.write_str("path"),
            HashBy::Header(name) => write!(out, "header:{name}"),
            HashBy::Cookie(name) => write!(out, "cookie:{name}"),
            HashBy::Query(name) => write!(out, "query:{name}"),
            HashBy::Caught(name) => write!(out, ":{name}"),
        }
    }
}

/// Time limits of a request to a pool; none where absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// Until the head of an answer is there (of a short one: all of it), in milliseconds, for each try.
    pub answer_ms: u64,
    /// Between two pieces of the body. Off for streams of events and WebSockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// For everything, all tries together. Off for streams of events and WebSockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}

/// How many requests of one isolate may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// To each origin: at least 1. Where one has that many, another is asked.
    pub per_isolate: u32,
    /// How many may wait, first come, first served, where all have that many.
    pub queue: u32,
    /// For how long, in milliseconds.
    pub queue_wait_ms: u64,
}

/// `[pool.health]`: the object asks each origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Behind the origin's URL; begins with `/`.
    pub path: String,
    /// Statuses of an origin that is well, both ends included.
    pub status: (u16, u16),
    /// What the body of its answer holds somewhere in its first 64 KiB; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Between two checks, in milliseconds; each is moved by up to a tenth, at random. At least 1,000.
    pub interval_ms: u64,
    /// For an answer, in milliseconds; no longer than the interval.
    pub timeout_ms: u64,
    /// Failures in a row after which an origin counts as sick.
    pub unhealthy_after: u8,
    /// Successes in a row after which it counts as well.
    pub healthy_after: u8,
}

/// `[pool.retry]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries besides the first: 0 to 10.
    pub attempts: u8,
    /// Of 1,000 requests, how many tries may be further ones (beside a few that are always free).
    pub budget_permille: u16,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { attempts: 2, budget_permille: 300 }
    }
}

/// `[pool.breaker]`: of one origin, in one isolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Of 1,000 requests, how many must have failed.
    pub errors_permille: u16,
    /// For how long they are counted, in milliseconds.
    pub over_ms: u64,
    /// How many there must have been.
    pub min_requests: u32,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { errors_permille: 500, over_ms: 10_000, min_requests: 20 }
    }
}

/// `sticky` of `[[pool]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: String,
    /// How long the cookie lives, in seconds; absent: until the browser is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// The name of the secret that signs it.
    pub secret: String,
}

/// `[pool.credential]`: what tells origins that a request comes from here. What clients send of that name is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// How.
    pub kind: CredentialKind,
    /// The field, in lower case.
    pub header: String,
    /// The name of the secret.
    pub secret: String,
}

/// How a request says that it comes from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// By the secret itself.
    Secret,
    /// By an HMAC (RFC 2104) with SHA-256 of method, path with query, time, and the digest of the body.
    Hmac,
}

fn one() -> u32 {
    1
}

fn panic_percent() -> u8 {
    25
}

fn slow_start_ms() -> u64 {
    10_000
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_panic_percent(percent: &u8) -> bool {
    *percent == panic_percent()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_slow_start_ms(millis: &u64) -> bool {
    *millis == slow_start_ms()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requests_are_told_apart_by_is_read_as_it_is_written() {
        for (text, by) in [
            ("ip", HashBy::Ip),
            ("path", HashBy::Path),
            ("header:x-tenant", HashBy::Header("x-tenant".to_owned())),
            ("cookie:Session", HashBy::Cookie("Session".to_owned())),
            ("query:shop", HashBy::Query("shop".to_owned())),
            (":tenant", HashBy::Caught("tenant".to_owned())),
        ] {
            assert_eq!(HashBy::try_from(text.to_owned()), Ok(by.clone()));
            assert_eq!(by.to_string(), text);
        }
        for text in ["", ":", "ip:", "header:", "country", "Path"] {
            assert!(HashBy::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pool_of_one_origin_is_written_as_briefly_as_ever() {
        let timeout = Timeout { answer_ms: 10_000, idle_ms: Some(30_000), total_ms: None };
        let pool = Pool::new(vec![Origin::new("https://api.example")], timeout);
        let text = serde_json::to_string(&pool).unwrap();
        let expected = r#"{"origins":[{"url":"https://api.example"}],"timeout":{"answer_ms":10000,"idle_ms":30000}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Pool>(expected).unwrap(), pool);
    }
}

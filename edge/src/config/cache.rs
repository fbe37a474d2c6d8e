//! `[cache.*]` and what routes say of caching, compiled. The origin's headers decide; these fill in or override.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::sorted::sorted;

/// `[cache.NAME]`, every default filled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CachePolicy {
    /// Freshness lifetime of an answer that says nothing of its own (RFC 9111 §4.2.1), in seconds: 0 forbids to guess one.
    /// Absent where the settings do not say: then it is guessed (§4.2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_freshness_s: Option<u64>,
    /// Freshness lifetime in place of what the origin says, in seconds. Never for what is private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_freshness_s: Option<u64>,
    /// Names of cookies (`*` at the end: any that begin so) that do not make a request personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_cookies: Vec<String>,
    /// How long past its freshness an answer may be served while it is refreshed (RFC 5861 §3), in seconds, where the
    /// origin does not say.
    #[serde(default)]
    pub stale_while_revalidate_s: u64,
    /// How long past its freshness an answer may stand in for an origin that fails (RFC 5861 §4), in seconds, where the
    /// origin does not say.
    #[serde(default)]
    pub stale_if_error_s: u64,
    /// Which parameters of the query tell answers apart. Their order never does.
    #[serde(default)]
    pub query: QueryKey,
    /// Request fields (lower case) whose values are reduced to one of these before they tell variants apart, as if by the
    /// field's own negotiation; a value that fits none of them counts as absent.
    #[serde(default, deserialize_with = "sorted", skip_serializing_if = "LiteMap::is_empty")]
    pub vary: LiteMap<String, Vec<String>>,
    /// Tags that every answer gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The origin's field (lower case) that lists tags, separated by commas or spaces; removed towards the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_from: Option<String>,
    /// The route speaks GraphQL: queries by POST are kept by their content, and nothing that is no query is, by any method.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub graphql: bool,
    /// What becomes of answers that set cookies.
    #[serde(default)]
    pub set_cookie: SetCookie,
    /// Also kept for all locations.
    #[serde(default)]
    pub persist: bool,
    /// How sure a hit must be that it was not purged.
    #[serde(default)]
    pub purge: PurgeCheck,
}

/// What stays fresh for less than this, in seconds, is not kept for all locations: KV takes a minute to be seen everywhere.
pub const PERSIST_FROM_S: u64 = 600;

/// What becomes of answers that set cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetCookie {
    /// They are not kept: what sets a cookie was most likely made for one client.
    #[default]
    Pass,
    /// They are kept, cookie and all, where the origin's own words let them (RFC 9111 §7.3).
    Keep,
}

/// Which parameters of a query stand in the key. Patterns are names, `*` at the end for any that begin so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKey {
    /// All of them.
    #[default]
    All,
    /// All but these.
    Ignore(Vec<String>),
    /// Only these.
    Only(Vec<String>),
}

/// How sure a hit must be that it was not purged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgeCheck {
    /// As sure as a view of the control log that is at most 2 s old.
    #[default]
    Lease,
    /// The control log is asked on the path.
    Strict,
}

/// How far an unsafe method's invalidation reaches (RFC 9111 §4.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidate {
    /// The stores of this isolate and data centre.
    #[default]
    Here,
    /// Every location, through the control log.
    Everywhere,
}

//! The compiled settings: what `rimward.toml` means, checked, with every default filled in.
//!
//! The builder writes them below `_rimward/settings/` and guarantees what the field comments say; the edge obeys.
//! Names of secrets may stand here, their values never.

mod cache;
mod limit;
mod pool;
mod route;
pub(crate) mod sorted;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

pub use self::cache::{CachePolicy, Invalidate, PERSIST_FROM_S, PurgeCheck, QueryKey, SetCookie};
pub use self::limit::{
    Algorithm, BanRule, DEADLINE_MS, Guards, LimitFields, LimitPolicy, NoPermits, NoPolicy, NoWindow, Part, Permits,
    Precision, WhenUnreachable, Window,
};
pub use self::pool::{
    Breaker, Choice, Concurrency, Credential, CredentialKind, HashBy, Health, NoHashBy, ORIGINS, Origin, Pool, Region,
    Retry, Role, Sticky, Timeout,
};
pub use self::route::{By, Change, Condition, Cors, NoBy, NoChange, NoCondition, Place, Route, Share, Test};
use crate::route::pattern::Pattern;

/// The file at [`crate::release::manifest::settings_path`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingsFile {
    /// See [`crate::release::manifest::FORMAT`].
    pub format: u32,
    /// The environment that the build was made for: used where the Worker has no `RIMWARD_ENV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Without any `[env.*]`.
    pub settings: Settings,
    /// The whole settings of each `[env.*]`, its overrides applied.
    #[serde(default, deserialize_with = "sorted::sorted", skip_serializing_if = "LiteMap::is_empty")]
    pub envs: LiteMap<String, Settings>,
}

impl SettingsFile {
    /// Those of the environment that the build was made for.
    pub fn chosen(&self) -> &Settings {
        self.env.as_ref().and_then(|env| self.envs.get(env)).unwrap_or(&self.settings)
    }
}

/// What the edge obeys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `[site]`.
    pub site: Site,
    /// `[document]`.
    pub document: DocumentSettings,
    /// `[[header]]`, in order: later rules win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// `[[redirect]]`: the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<RedirectRule>,
    /// `[[pool]]`, by name.
    #[serde(default, deserialize_with = "sorted::sorted", skip_serializing_if = "LiteMap::is_empty")]
    pub pools: LiteMap<String, Pool>,
    /// `[cache.*]`, by name.
    #[serde(default, deserialize_with = "sorted::sorted", skip_serializing_if = "LiteMap::is_empty")]
    pub caches: LiteMap<String, CachePolicy>,
    /// `[limit.*]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitPolicy>,
    /// `[[route]]`: the first match wins. Each names a pool of `pools`, and perhaps policies of `caches` and `limits`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

/// `[site]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// For people, and for names of objects.
    pub name: String,
    /// Lower-case host names that are answered; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Begins and ends with `/`.
    pub base: String,
    /// Who the client is. Absent where the settings do not say: then the Worker's variable `RIMWARD_CLIENT_ADDRESS`
    /// (`socket` under `rimward serve`) decides, and without it [`ClientAddress::Cloudflare`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<ClientAddress>,
}

/// Where the client's address is read. Never a field that a client may set itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAddress {
    /// `CF-Connecting-IP`, which Cloudflare sets.
    Cloudflare,
    /// The peer of the connection.
    Socket,
    /// A field set by proxies of our own: believed only when the peer is one of these networks (CIDR); read from the
    /// right, skipping trusted proxies.
    Header {
        /// Lower case.
        name: String,
        /// `10.0.0.0/8`, `::1/128`.
        trusted_proxies: Vec<String>,
    },
}

/// `[document]`: pages of the release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentSettings {
    /// The document (a key of `Manifest::documents`: `index.html`) that answers navigations to unknown paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The page (a key of `Manifest::documents`) that answers navigations that failed with a 5xx status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `Cache-Control` of documents and aliases.
    pub cache_control: String,
}

/// Changes fields of matching answers. What a rule sets replaces the fields of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// Which URL paths (with the base).
    pub path: Pattern,
    /// Valid field names in lower case, with valid values; `:splat` and `:name` are replaced by what the pattern caught.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// Field names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// Answers matching requests with a redirect, or rewrites their path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectRule {
    /// Which URL paths (with the base).
    pub from: Pattern,
    /// A path or an absolute URL; `:splat` and `:name` are replaced by what the pattern caught.
    pub to: String,
    /// 301, 302, 303, 307 or 308; 200 answers with the file at `to` instead (`_redirects` only).
    pub status: u16,
    /// Also where a file of the release answers at `from`. `_redirects` rules without `!` give way to files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

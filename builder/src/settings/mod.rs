//! `rimward.toml`, `_headers` and `_redirects`: read, checked, and compiled to what the edge and the builder obey.
//!
//! One direction: the text's tree -> `raw` (what is written, each key of its type) -> `check` (what is meant) ->
//! [`Compiled`]. A mistake never hides another: every step goes on with what it could read.

mod build;
mod caching;
mod check;
mod compile;
mod explain;
mod findings;
mod headers_file;
mod limiting;
mod platform;
mod pooling;
mod raw;
mod redirects_file;
mod routing;
mod rules;
mod table;
mod values;
mod wrangler;

#[cfg(test)]
mod tests;

use rimward_edge::config::SettingsFile;

pub use build::{AssetsFrom, BuildSettings, NamedPage, SourceMaps, has_page};
pub use compile::compile;
pub use explain::{Explained, ExplainedLimit, ExplainedPool, Guarded, Rule, explain, explain_limits, explain_pools};
pub use headers_file::parse_headers;
pub use limiting::ban_period;
pub use platform::{PLATFORM_HEADERS, PLATFORM_HEADERS_MARK, platform_headers};
pub use redirects_file::parse_redirects;
pub use wrangler::{STORE_TEXT, WRANGLER_FILE, WRANGLER_OTHERS, assets_text, check_wrangler, objects_text};

/// The name of the settings file.
pub const FILE_NAME: &str = "rimward.toml";

/// Settings without a mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// For the edge: every environment.
    pub file: SettingsFile,
    /// For the builder: of the environment that was chosen.
    pub build: BuildSettings,
}

/// The JSON Schema of `rimward.toml`, for editors: made from the declarations that read it.
pub fn schema() -> serde_json::Value {
    raw::schema()
}

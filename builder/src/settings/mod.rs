//! `rimward.toml`, `_headers` and `_redirects`: read, checked, and compiled to what the edge and the builder obey.

mod build;

use rimward_edge::config::SettingsFile;

pub use build::{AssetsFrom, BuildSettings, SourceMaps};

/// Settings without a mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// For the edge: every environment.
    pub file: SettingsFile,
    /// For the builder: of the environment that was chosen.
    pub build: BuildSettings,
}

//! Whether the app was built for another path than the settings say.

use std::collections::BTreeMap;

use super::Names;
use crate::diagnostic::Diagnostic;

/// A single file may be missing under a path for other reasons.
const FEWEST: usize = 2;

impl Names {
    /// The warning that most of these missing paths, below the base, share a first segment and would be files without it.
    pub fn wrong_base<'a>(&self, dangling: impl Iterator<Item = &'a String>) -> Option<Diagnostic> {
        let mut all = 0;
        let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
        for path in dangling {
            all += 1;
            if let Some((first, rest)) = path.split_once('/')
                && self.known(rest).is_some()
            {
                *shared.entry(first).or_default() += 1;
            }
        }
        let (first, count) = shared.into_iter().max_by_key(|(_, count)| *count)?;
        if count < FEWEST || 2 * count <= all {
            return None;
        }
        let base = format!("{}{first}/", self.base);
        let message = format!("{count} of {all} missing files are there, but not below `{base}`");
        let hint = format!("if the app was built for `{base}`, write base = \"{base}\" in `[site]`");
        Some(Diagnostic::warning("rimward.toml", "wrong-base", message).hint(hint))
    }
}

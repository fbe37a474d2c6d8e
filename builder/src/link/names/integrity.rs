//! Integrity values in the input, recognised by what they are of: the bytes that the bundler wrote.

use std::collections::BTreeMap;

use memchr::memmem;

use super::is_text;
use crate::digest::integrity;
use crate::link::placeholder::Algorithm;
use crate::scan::{Kind, SourcePath, Sources};

/// The values of all files that a browser checks, where the input states any.
#[derive(Debug, Clone, Default)]
pub(super) struct IntegrityValues {
    files: BTreeMap<String, (SourcePath, Algorithm)>,
}

impl IntegrityValues {
    pub(super) fn of(sources: &Sources) -> IntegrityValues {
        let mut files = BTreeMap::new();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| is_stated(*algorithm, sources)) {
            let checked = |kind| matches!(kind, Kind::Script | Kind::Css);
            for source in sources.files.values().filter(|source| checked(source.kind)) {
                // Of files with the same bytes the first is as good as any: they end the same.
                files.entry(integrity(&source.bytes, algorithm)).or_insert((source.path.clone(), algorithm));
            }
        }
        IntegrityValues { files }
    }

    pub(super) fn find(&self, value: &str) -> Option<(&SourcePath, Algorithm)> {
        self.files.get(value).map(|(path, algorithm)| (path, *algorithm))
    }
}

fn is_stated(algorithm: Algorithm, sources: &Sources) -> bool {
    let prefix = format!("{}-", algorithm.name());
    sources.files.values().any(|source| is_text(source) && memmem::find(&source.bytes, prefix.as_bytes()).is_some())
}

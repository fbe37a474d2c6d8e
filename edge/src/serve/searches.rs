//! Which URLs have one answer, by the word of their origin (`No-Vary-Search`), as far as this isolate has heard it.
//!
//! It is learned from what the isolate itself has fetched, and only from what was asked for after the last change: an answer
//! that is older than a change is never found under the URL that was changed.

use crate::cache::{Key, SearchRule, Stored};
use crate::memory::Memory;
use crate::time::Timestamp;

/// The rules of paths, and where the newest answer lies.
pub(super) struct Searches {
    known: Memory<Search>,
    /// By an unsafe method, whatever its URL.
    changed_at: Timestamp,
}

#[derive(Clone)]
enum Search {
    /// By the path's URL.
    Rule(SearchRule),
    /// By what URLs have in common: see [`name`].
    At(Key),
}

/// What a rule or a key takes beside its texts.
const SEARCH_BYTES: usize = 64;

impl Searches {
    pub(super) fn new(bytes: u64) -> Searches {
        Searches { known: Memory::new(bytes, bytes / 16), changed_at: Timestamp::default() }
    }

    /// Under which other key an answer lies that may do for this one too; and by which rule, which it has to state itself:
    /// the origin may have changed its mind.
    pub(super) fn elsewhere(&self, key: &Key) -> Option<(SearchRule, Key)> {
        let (rule, common) = self.common(key.url()).filter(|_| key.is_of_url())?;
        let at = self.at(&common).filter(|at| at != key)?;
        Some((rule, at))
    }

    /// Learns from what is kept under a key.
    pub(super) fn learn(&mut self, key: &Key, stored: &Stored) {
        if !key.is_of_url() || stored.requested_at <= self.changed_at {
            return;
        }
        let Some(rule) = SearchRule::of(&stored.headers) else { return };
        let common = name(&rule.common(key.url()));
        self.known.insert(&common, Search::At(key.clone()), (SEARCH_BYTES + key.url().len()) as u64);
        let bytes = rule.names().iter().map(|name| SEARCH_BYTES + name.len()).sum::<usize>();
        self.known.insert(page(key.url()), Search::Rule(rule), bytes as u64);
    }

    /// Notes that something at a URL was changed: under which other key an answer for it lay, and what it has in common with
    /// all URLs that have the same.
    pub(super) fn change(&mut self, url: &str, now: Timestamp) -> Option<(Option<Key>, String)> {
        self.changed_at = now;
        let (_, common) = self.common(url)?;
        let at = self.at(&common);
        self.known.remove(&name(&common));
        Some((at, common))
    }

    fn common(&self, url: &str) -> Option<(SearchRule, String)> {
        let Search::Rule(rule) = self.known.get(page(url))? else { return None };
        let common = rule.common(url);
        Some((rule, common))
    }

    fn at(&self, common: &str) -> Option<Key> {
        let Search::At(key) = self.known.get(&name(common))? else { return None };
        Some(key)
    }
}

/// Under which name the key lies: no URL has a space.
fn name(common: &str) -> String {
    ["common ", common].concat()
}

/// A URL without its query.
fn page(url: &str) -> &str {
    url.split_once('?').map_or(url, |(page, _)| page)
}

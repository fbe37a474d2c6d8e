//! What unsafe methods changed (RFC 9111 §4.4) and other locations are to be told: collected, bounded.

use super::index::origin;

use super::ledger::RECORD;
use super::record::{Purge, Selector, Strength, Weight};
use crate::order;

/// Changes that were not told yet.
#[derive(Debug, Default)]
pub struct Changed {
    /// In order, each once.
    selectors: Vec<Selector>,
    weight: Weight,
}

impl Changed {
    /// Adds one. Past what one record holds, everything of the origins that are named takes their place.
    pub fn add(&mut self, selector: Selector) {
        let Err(place) = self.selectors.binary_search(&selector) else { return };
        if self.covers(&selector) {
            return;
        }
        self.weight += Weight { selectors: 1, text_bytes: selector.length() };
        self.selectors.insert(place, selector);
        if self.weight.exceeds(RECORD) {
            let origins = std::mem::take(&mut self.selectors);
            self.weight = Weight::default();
            let whole =
                |selector: &Selector| of(selector).map_or(Selector::All, |of| Selector::Prefix(format!("{of}/")));
            let mut origins: Vec<Selector> = origins.iter().map(whole).collect();
            order::sort(&mut origins, Ord::cmp);
            origins.dedup();
            // A site answers at few hosts: whoever makes it answer at hundreds gets everything purged.
            let few = origins.len() <= RECORD.selectors / 8;
            self.selectors = if few { origins } else { vec![Selector::All] };
            self.weight = self.selectors.iter().fold(Weight::default(), |mut weight, selector| {
                weight += Weight { selectors: 1, text_bytes: selector.length() };
                weight
            });
        }
    }

    /// Takes all of it as one purge, if there is any. A hard one: what changed must be asked for again, whatever grace it has.
    pub fn take(&mut self) -> Option<Purge> {
        self.weight = Weight::default();
        let of = std::mem::take(&mut self.selectors);
        (!of.is_empty()).then_some(Purge { of, strength: Strength::Hard })
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }

    fn covers(&self, selector: &Selector) -> bool {
        let whole = of(selector).map(|of| Selector::Prefix(format!("{of}/")));
        let has = |selector: &Selector| self.selectors.binary_search(selector).is_ok();
        has(&Selector::All) || whole.is_some_and(|whole| has(&whole))
    }
}

/// The origin that a selector is of.
fn of(selector: &Selector) -> Option<&str> {
    match selector {
        Selector::Url(url) | Selector::Prefix(url) => Some(origin(url)),
        Selector::Group { origin, .. } => Some(origin),
        Selector::Tag(_) | Selector::All => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: usize, path: usize) -> Selector {
        Selector::Url(format!("https://h{host}/{path}"))
    }

    fn taken(changed: &mut Changed) -> Vec<Selector> {
        changed.take().map_or_else(Vec::new, |purge| purge.of)
    }

    #[test]
    fn changes_are_collected_once_each() {
        let mut changed = Changed::default();
        assert!(changed.is_empty() && changed.take().is_none());
        for path in [1, 2, 1] {
            changed.add(url(0, path));
        }
        assert_eq!(taken(&mut changed), [url(0, 1), url(0, 2)]);
        assert!(changed.is_empty());
    }

    #[test]
    fn too_many_become_everything_of_their_origins() {
        let mut changed = Changed::default();
        for path in 0..2 * RECORD.selectors {
            changed.add(url(path % 2, path));
            assert!(!changed.weight.exceeds(RECORD));
        }
        changed.add(Selector::Group { origin: "https://h1".into(), name: "x".into() });
        let whole = |host: usize| Selector::Prefix(format!("https://h{host}/"));
        assert_eq!(taken(&mut changed), [whole(0), whole(1)]);
        changed.add(url(0, 1));
        assert_eq!(taken(&mut changed), [url(0, 1)], "and the next time begins anew");
    }

    #[test]
    fn changes_of_too_many_origins_become_everything() {
        let mut changed = Changed::default();
        for host in 0..3 * RECORD.selectors {
            changed.add(url(host, 1));
            assert!(!changed.weight.exceeds(RECORD));
        }
        assert_eq!(taken(&mut changed), [Selector::All]);
    }
}

//! Whether a stored response is still valid: the latest purge of each thing that can be named.
//!
//! Asked at every hit. A purge covers what was fetched before it: the response carries the place in the log that was
//! known when its fetch began.

use rustc_hash::FxHashMap;

use super::record::{Highest, Kind, Purge, Record, Selector, Sequence, Strength};
use crate::time::Timestamp;

/// A stored response, as purges name it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'stored> {
    /// In the one spelling of [`super::request`]. `http` and `https` are one to purges: before a site of one's own stands
    /// something that ends TLS, and whoever purges need not know.
    pub url: &'stored str,
    /// Of the policy and of the origin.
    pub tags: &'stored [String],
    /// Of the origin (RFC 9875).
    pub groups: &'stored [String],
    /// The head of the log that was known when its fetch began.
    pub sequence: Sequence,
}

/// What the log says of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No later purge names it.
    Standing,
    /// It is stale, whatever its freshness.
    Soft {
        /// Since the first soft purge that names it: another one does not make it fresher.
        since: Timestamp,
    },
    /// It must not be used any more, for nothing.
    Hard,
}

impl Verdict {
    /// Of two that a response is under: the worse. Of soft purges the first counts.
    #[must_use]
    pub fn or(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Hard, _) | (_, Verdict::Hard) => Verdict::Hard,
            (Verdict::Soft { since }, Verdict::Soft { since: other }) => Verdict::Soft { since: since.min(other) },
            (Verdict::Standing, verdict) | (verdict, Verdict::Standing) => verdict,
        }
    }
}

/// Live purges by what they name. The keys are those of whoever may purge: nobody else can make them collide.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Without scheme.
    urls: FxHashMap<Box<str>, Purged>,
    prefixes: Prefixes,
    tags: FxHashMap<Box<str>, Purged>,
    /// By name, then by the origin's authority.
    groups: FxHashMap<Box<str>, FxHashMap<Box<str>, Purged>>,
    all: Purged,
    /// Purges that are no longer known one by one: they cover everything.
    forgotten: Highest,
    /// The latest purge of any kind.
    newest: Sequence,
}

/// When one name was purged: each soft purge since the last hard one.
#[derive(Debug, Clone, Default)]
struct Purged {
    hard: Sequence,
    /// Ascending, each after `hard`.
    soft: Vec<Sequence>,
}

/// What was found so far about a stored response.
struct Finding {
    /// What it was fetched after.
    sequence: Sequence,
    hard: Sequence,
    /// The first after `sequence`.
    soft: Option<Sequence>,
}

impl Purged {
    fn insert(&mut self, strength: Strength, sequence: Sequence) {
        match strength {
            Strength::Hard => {
                self.hard = self.hard.max(sequence);
                self.soft.retain(|soft| *soft > self.hard);
            }
            Strength::Soft if sequence > self.hard => {
                if let Err(place) = self.soft.binary_search(&sequence) {
                    self.soft.insert(place, sequence);
                }
            }
            Strength::Soft => {}
        }
    }

    /// Lets go of what is covered by purges of everything. Whether anything is left.
    fn forget(&mut self, forgotten: Highest) -> bool {
        self.soft.retain(|soft| *soft > forgotten.soft.max(forgotten.hard));
        self.hard > forgotten.hard || !self.soft.is_empty()
    }
}

impl Finding {
    fn add(&mut self, purged: &Purged) {
        self.hard = self.hard.max(purged.hard);
        let first = purged.soft.get(purged.soft.partition_point(|soft| *soft <= self.sequence));
        self.soft = self.soft.into_iter().chain(first.copied()).min();
    }
}

impl Index {
    /// What the log says of a stored response.
    pub fn verdict(&self, subject: &Subject<'_>) -> Verdict {
        let sequence = subject.sequence;
        if sequence >= self.newest {
            return Verdict::Standing;
        }
        let mut found = Finding { sequence, hard: self.forgotten.hard, soft: None };
        found.add(&self.all);
        let url = without_scheme(subject.url);
        if let Some(purged) = self.urls.get(url) {
            found.add(purged);
        }
        if !self.tags.is_empty() {
            subject.tags.iter().filter_map(|tag| self.tags.get(tag.as_str())).for_each(|purged| found.add(purged));
        }
        let authority = authority(url);
        if !self.groups.is_empty() {
            let authorities = subject.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
            authorities.filter_map(|authorities| authorities.get(authority)).for_each(|purged| found.add(purged));
        }
        self.prefixes.add_to(&mut found, url, authority.len());
        match found.soft {
            _ if found.hard > sequence => Verdict::Hard,
            // Which one was the first nobody knows any more: it may have been right after the fetch.
            _ if self.forgotten.soft > sequence => Verdict::Soft { since: sequence.given_at() },
            Some(soft) => Verdict::Soft { since: soft.given_at() },
            None => Verdict::Standing,
        }
    }

    /// Takes a record in. Which came first does not matter.
    pub fn insert(&mut self, record: &Record) {
        match &record.kind {
            Kind::Purge(purge) => self.purge(purge, record.sequence),
            Kind::Ban(_) | Kind::Origin(_) | Kind::Later(_) => {}
        }
    }

    fn purge(&mut self, purge: &Purge, sequence: Sequence) {
        for selector in &purge.of {
            let purged = match selector {
                Selector::Url(url) => self.urls.entry(without_scheme(url).into()).or_default(),
                Selector::Prefix(prefix) => self.prefixes.entry(without_scheme(prefix)),
                Selector::Tag(tag) => self.tags.entry(tag.as_str().into()).or_default(),
                Selector::Group { origin, name } => {
                    let authorities = self.groups.entry(name.as_str().into()).or_default();
                    authorities.entry(without_scheme(origin).into()).or_default()
                }
                Selector::All => &mut self.all,
            };
            purged.insert(purge.strength, sequence);
        }
        self.newest = self.newest.max(sequence);
    }

    /// Takes in what the log no longer knows one by one, and lets go of what that covers.
    pub fn forget(&mut self, forgotten: Highest) {
        let before = self.forgotten;
        self.forgotten.raise(forgotten);
        self.newest = self.newest.max(forgotten.hard).max(forgotten.soft);
        let forgotten = self.forgotten;
        if forgotten == before {
            return;
        }
        self.urls.retain(|_, purged| purged.forget(forgotten));
        self.tags.retain(|_, purged| purged.forget(forgotten));
        self.groups.retain(|_, authorities| {
            authorities.retain(|_, purged| purged.forget(forgotten));
            !authorities.is_empty()
        });
        self.prefixes.forget(forgotten);
        self.all.forget(forgotten);
    }

    /// How many names it holds.
    pub fn len(&self) -> usize {
        let groups: usize = self.groups.values().map(FxHashMap::len).sum();
        self.urls.len() + self.tags.len() + groups + self.prefixes.by_text.len()
    }

    /// Whether it holds no name.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Purged prefixes. A URL is looked up once for each segment of its path, and only where a prefix of that many segments
/// is known: the cost is bounded by the URL, not by how many prefixes there are.
#[derive(Debug, Clone, Default)]
struct Prefixes {
    /// Without scheme, and without a slash at the end.
    by_text: FxHashMap<Box<str>, AtPrefix>,
    /// Which numbers of segments occur: a bit each.
    depths: u32,
}

/// Purges of a prefix without and with a slash at its end.
#[derive(Debug, Clone, Default)]
struct AtPrefix {
    at_and_below: Purged,
    below: Purged,
}

/// Segments of a prefix's path; the platform's own cache allows as many.
pub const PREFIX_SEGMENTS: usize = 31;

impl Prefixes {
    fn entry(&mut self, prefix: &str) -> &mut Purged {
        let text = prefix.strip_suffix('/').unwrap_or(prefix);
        let depth = depth(text);
        if depth > PREFIX_SEGMENTS {
            // Requests for deeper ones are refused; of a log that holds one all the same, too much is purged, not too little.
            return self.entry(authority(text));
        }
        self.depths |= 1 << depth;
        let at = self.by_text.entry(text.into()).or_default();
        if text.len() == prefix.len() { &mut at.at_and_below } else { &mut at.below }
    }

    /// `path`: where the path of the URL begins.
    fn add_to(&self, found: &mut Finding, url: &str, path: usize) {
        let mut depths = self.depths;
        let mut from = path;
        while depths != 0 {
            let rest = &url.as_bytes()[from..];
            let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let (at, end) = (from + length, rest.get(length) != Some(&b'/'));
            if depths & 1 == 1
                && let Some(prefix) = self.by_text.get(&url[..at])
            {
                found.add(&prefix.at_and_below);
                if !end {
                    found.add(&prefix.below);
                }
            }
            if end {
                return;
            }
            depths >>= 1;
            from = at + 1;
        }
    }

    fn forget(&mut self, forgotten: Highest) {
        self.by_text.retain(|_, at| {
            let (here, below) = (at.at_and_below.forget(forgotten), at.below.forget(forgotten));
            here || below
        });
        self.depths = self.by_text.keys().fold(0, |bits, text| bits | 1 << depth(text));
    }
}

/// How many segments the path of a prefix has.
fn depth(prefix: &str) -> usize {
    prefix[authority(prefix).len()..].matches('/').count()
}

/// The origin of an absolute URL: scheme and authority.
pub fn origin(url: &str) -> &str {
    let rest = without_scheme(url);
    &url[..url.len() - rest.len() + authority(rest).len()]
}

fn without_scheme(url: &str) -> &str {
    ["https://", "http://"].into_iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or(url)
}

/// The authority of a URL without scheme.
fn authority(url: &str) -> &str {
    let length = url.bytes().position(|byte| matches!(byte, b'/' | b'?'));
    &url[..length.unwrap_or(url.len())]
}

/// A purge of `selectors`, for tests.
#[cfg(test)]
pub(super) fn purged(sequence: u64, strength: Strength, of: &[Selector]) -> Record {
    use super::record::RECORD_LIFE;
    let made_at = Timestamp::from_millis(sequence);
    let kind = Kind::Purge(Purge { of: of.to_vec(), strength });
    Record { sequence: Sequence::new(sequence), made_at, expires_at: made_at.plus(RECORD_LIFE), key: None, kind }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Strength::{Hard, Soft};
    use super::*;

    fn url(url: &str) -> Selector {
        Selector::Url(url.into())
    }

    fn prefix(prefix: &str) -> Selector {
        Selector::Prefix(prefix.into())
    }

    fn tag(tag: &str) -> Selector {
        Selector::Tag(tag.into())
    }

    fn group(origin: &str, name: &str) -> Selector {
        Selector::Group { origin: origin.into(), name: name.into() }
    }

    fn soft(since: u64) -> Verdict {
        Verdict::Soft { since: Timestamp::from_millis(since) }
    }

    const AT: &str = "https://shop.example/api/products/1?size=m";

    fn ask(index: &Index, url: &str, sequence: u64) -> Verdict {
        let (tags, groups) = (["api".to_owned(), "product-1".to_owned()], ["stock".to_owned()]);
        index.verdict(&Subject { url, tags: &tags, groups: &groups, sequence: Sequence::new(sequence) })
    }

    #[track_caller]
    fn check(selector: &Selector, at: &str, expected: Verdict) {
        for (strength, verdict) in [(Hard, Verdict::Hard), (Soft, soft(10))] {
            let mut index = Index::default();
            index.insert(&purged(10, strength, std::slice::from_ref(selector)));
            let expected = if expected == Verdict::Standing { expected } else { verdict };
            assert_eq!(ask(&index, at, 9), expected, "{selector:?} {strength:?}, {at}");
            assert_eq!(ask(&index, at, 10), Verdict::Standing, "{selector:?}: fetched when it was known");
        }
    }

    #[test]
    fn a_purge_covers_what_it_names_and_nothing_else() {
        use Verdict::{Hard, Standing};
        check(&url(AT), AT, Hard);
        check(&url("https://shop.example/api/products/1"), AT, Standing);
        check(&url("http://shop.example/api/products/1?size=m"), AT, Hard);
        check(&url("https://shop.example:8443/api/products/1?size=m"), AT, Standing);
        check(&tag("product-1"), AT, Hard);
        check(&tag("product-2"), AT, Standing);
        check(&tag("API"), AT, Standing);
        check(&group("https://shop.example", "stock"), AT, Hard);
        check(&group("http://shop.example", "stock"), AT, Hard);
        check(&group("https://other.example", "stock"), AT, Standing);
        check(&group("https://shop.example", "api"), AT, Standing);
        check(&Selector::All, AT, Hard);
    }

    #[test]
    fn a_prefix_ends_where_a_segment_does() {
        use Verdict::{Hard, Standing};
        check(&prefix("https://shop.example/api"), AT, Hard);
        check(&prefix("https://shop.example/api/"), AT, Hard);
        check(&prefix("https://shop.example/"), AT, Hard);
        check(&prefix("https://shop.example"), AT, Hard);
        check(&prefix("https://shop.example/api/products/1"), AT, Hard);
        check(&prefix("https://shop.example/api/products/1/"), AT, Standing);
        check(&prefix("https://shop.example/api/prod"), AT, Standing);
        check(&prefix("https://shop.example/api/products/1?size"), AT, Standing);
        check(&prefix("http://shop.example/api"), AT, Hard);
        check(&prefix("https://shop.exam"), AT, Standing);
        check(&prefix("https://shop.example/api"), "https://shop.example/api", Hard);
        check(&prefix("https://shop.example/api/"), "https://shop.example/api", Standing);
        check(&prefix("https://shop.example/api/"), "https://shop.example/api/", Hard);
        check(&prefix("https://shop.example/a//"), "https://shop.example/a//b", Hard);
        check(&prefix("https://shop.example/a/"), "https://shop.example/a?x=/b/c", Standing);
        check(&prefix("https://shop.example/a"), "https://shop.example/a?x=/b/c", Hard);
        check(&prefix("https://shop.example/a?x=/b"), "https://shop.example/a?x=/b/c", Standing);
    }

    #[test]
    fn deep_prefixes_are_found_up_to_their_limit_and_cover_more_past_it() {
        let deep = |segments: usize| format!("https://h{}", "/a".repeat(segments));
        check(&prefix(&deep(PREFIX_SEGMENTS)), &format!("{}/x", deep(PREFIX_SEGMENTS)), Verdict::Hard);
        check(&prefix(&deep(PREFIX_SEGMENTS)), &deep(PREFIX_SEGMENTS - 1), Verdict::Standing);
        check(&prefix(&deep(PREFIX_SEGMENTS + 1)), "https://h/b", Verdict::Hard);
        check(&prefix(&deep(PREFIX_SEGMENTS)), &deep(5000), Verdict::Hard);
    }

    #[test]
    fn the_stronger_verdict_wins_and_each_strength_counts_by_itself() {
        let mut index = Index::default();
        index.insert(&purged(10, Hard, &[tag("api")]));
        index.insert(&purged(20, Soft, &[url(AT)]));
        assert_eq!(ask(&index, AT, 9), Verdict::Hard);
        assert_eq!(ask(&index, AT, 15), soft(20), "fetched after the hard one");
        assert_eq!(ask(&index, AT, 20), Verdict::Standing);
        index.insert(&purged(5, Soft, &[tag("api")]));
        assert_eq!(ask(&index, AT, 9), Verdict::Hard, "an older one that arrives late changes nothing");
    }

    #[test]
    fn a_soft_purge_of_what_is_stale_already_does_not_make_it_fresher() {
        let mut index = Index::default();
        for sequence in [30, 10, 20] {
            index.insert(&purged(sequence, Soft, &[url(AT)]));
        }
        index.insert(&purged(15, Soft, &[tag("api")]));
        assert_eq!(ask(&index, AT, 9), soft(10));
        assert_eq!(ask(&index, AT, 10), soft(15));
        assert_eq!(ask(&index, AT, 15), soft(20));
        assert_eq!(ask(&index, AT, 29), soft(30));
        index.insert(&purged(25, Hard, &[url(AT)]));
        assert_eq!(ask(&index, AT, 24), Verdict::Hard);
        assert_eq!(ask(&index, AT, 25), soft(30));
        assert_eq!(index.urls[without_scheme(AT)].soft.len(), 1, "nobody can ask for what came before a hard one");
    }

    #[test]
    fn what_the_log_forgot_covers_everything_before() {
        let mut index = Index::default();
        index.insert(&purged(
            10,
            Hard,
            &[tag("other"), url("https://h/x"), prefix("https://h/p"), group("https://h", "g")],
        ));
        index.insert(&purged(30, Soft, &[tag("later")]));
        assert_eq!(index.len(), 5);
        index.forget(Highest { hard: Sequence::new(10), soft: Sequence::new(20) });
        assert_eq!(ask(&index, AT, 9), Verdict::Hard);
        assert_eq!(ask(&index, AT, 15), soft(15), "as if right after it was fetched");
        assert_eq!(ask(&index, AT, 20), Verdict::Standing);
        assert_eq!(index.len(), 1, "only what says more is kept: {index:?}");
        assert_eq!(index.prefixes.depths, 0);
    }

    #[test]
    fn records_of_a_later_version_name_nothing() {
        let mut index = Index::default();
        let later = r#"{"sequence":50,"made_at":1,"expires_at":2,"kind":{"ban":{}}}"#;
        index.insert(&crate::json::read(later.as_bytes()).unwrap());
        assert_eq!(ask(&index, AT, 0), Verdict::Standing);
    }

    /// Without any cleverness: every purge is looked at.
    fn plainly(records: &[Record], subject: &Subject<'_>) -> Verdict {
        let bare = |url: &str| url.replacen("https://", "", 1).replacen("http://", "", 1);
        let at = bare(subject.url);
        let names = |selector: &Selector| match selector {
            Selector::Url(url) => bare(url) == at,
            Selector::Prefix(prefix) => at.strip_prefix(bare(prefix).as_str()).is_some_and(|rest| {
                let path = at.split('?').next().unwrap();
                let fits = rest.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', '?']);
                bare(prefix).len() <= path.len() && fits
            }),
            Selector::Tag(tag) => subject.tags.contains(tag),
            Selector::Group { origin: of, name } => {
                bare(of) == at.split(['/', '?']).next().unwrap() && subject.groups.contains(name)
            }
            Selector::All => true,
        };
        let later = records.iter().filter(|record| record.sequence > subject.sequence);
        let strengths = later.filter_map(|record| match &record.kind {
            Kind::Purge(purge) => purge.of.iter().any(names).then_some((purge.strength, record.sequence)),
            Kind::Ban(_) | Kind::Origin(_) | Kind::Later(_) => None,
        });
        strengths.fold(Verdict::Standing, |verdict, (strength, sequence)| match (strength, verdict) {
            (Hard, _) | (_, Verdict::Hard) => Verdict::Hard,
            (Soft, Verdict::Standing) => soft(sequence.number()),
            (Soft, first) => first,
        })
    }

    /// How far a verdict goes, and from when on.
    fn severity(verdict: Verdict) -> (u8, std::cmp::Reverse<u64>) {
        match verdict {
            Verdict::Standing => (0, std::cmp::Reverse(0)),
            Verdict::Soft { since } => (1, std::cmp::Reverse(since.as_millis())),
            Verdict::Hard => (2, std::cmp::Reverse(0)),
        }
    }

    fn any_url() -> impl Strategy<Value = String> {
        ("https?://[ab]", "(/[ab]?){1,4}", "(\\?[ab/]?)?")
            .prop_map(|(origin, path, query)| format!("{origin}{path}{query}"))
    }

    fn any_selector() -> impl Strategy<Value = Selector> {
        prop_oneof![
            any_url().prop_map(Selector::Url),
            ("https?://[ab]", "(/[ab]?){0,4}").prop_map(|(origin, path)| Selector::Prefix(format!("{origin}{path}"))),
            "[a-d]".prop_map(Selector::Tag),
            ("https?://[ab]", "[a-d]").prop_map(|(origin, name)| Selector::Group { origin, name }),
            Just(Selector::All),
        ]
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_looking_at_every_purge(
            purges in prop::collection::vec((prop::bool::weighted(0.5), prop::collection::vec(any_selector(), 1..4)), 0..12),
            at in any_url(),
            tags in prop::collection::vec("[a-d]", 0..3),
            groups in prop::collection::vec("[a-d]", 0..3),
            sequence in 0u64..14,
            forget in 0u64..12,
        ) {
            let record = |(place, (soft, of)): (usize, &(bool, Vec<Selector>))| {
                purged(place as u64 + 1, if *soft { Soft } else { Hard }, of)
            };
            let records: Vec<Record> = purges.iter().enumerate().map(record).collect();
            let subject = Subject { url: &at, tags: &tags, groups: &groups, sequence: Sequence::new(sequence) };
            let mut index = Index::default();
            records.iter().rev().for_each(|record| index.insert(record));
            prop_assert_eq!(index.verdict(&subject), plainly(&records, &subject));

            // Once the oldest are forgotten, what was fetched after them is judged as before, and nothing more mildly.
            let mut forgotten = Highest::default();
            for record in records.iter().filter(|record| record.sequence.number() <= forget) {
                if let Kind::Purge(purge) = &record.kind {
                    forgotten.raise(Highest::of(purge.strength, record.sequence));
                }
            }
            index.forget(forgotten);
            let (now, before) = (index.verdict(&subject), plainly(&records, &subject));
            if sequence >= forget {
                prop_assert_eq!(now, before);
            }
            prop_assert!(severity(now) >= severity(before), "{:?} after {:?}", now, before);
        }
    }
}

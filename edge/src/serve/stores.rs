//! Where stored responses are kept, one store behind the other: the isolate's memory, the data centre's cache, and for
//! policies that say so the store of every location. What is in one and not in another is invisible but for speed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Isolate;
use super::stock::{Content, Stock};
use crate::cache::{Asked, Key, Spec, Specs, Standing, Stored};
use crate::config::{CachePolicy, PERSIST_FROM_S};
use crate::json;
use crate::platform::{Kept, Platform, Store, StoreError};
use crate::release::verify::hexadecimal_sha256;
use crate::time::Timestamp;

/// The list of a key's specs outlives its variants.
const SPECS_KEPT: Duration = Duration::from_hours(7 * 24);
/// A head that takes more than this, as an envelope, is kept in memory alone: the platform bounds what a field may hold.
const ENVELOPE_LIMIT_BYTES: usize = 64 * 1024;

/// The free plan of the platform has a thousand writes a day.
const PERSISTS_PER_HOUR: u32 = 40;

/// What the stores have for a request.
pub(super) struct Lookup<P: Platform> {
    /// The specs of the key's responses, where any are known.
    pub(super) specs: Option<Rc<Specs>>,
    /// The key of the variant, and what is stored under it.
    pub(super) found: Option<(String, Rc<Stock<P>>)>,
    /// A store that could not be asked.
    pub(super) trouble: Option<StoreError>,
}

/// What lies under a key in a store: the list of specs under the key itself, a response under that of a variant. The
/// response without any spec lies beside the list.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    specs: Option<Specs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
}

/// The stores as one request sees them.
pub(super) struct Stores<'world, P: Platform> {
    pub(super) platform: &'world P,
    pub(super) isolate: &'world Isolate<P>,
    /// `[site] name`: sites of one account share the data centre's cache.
    pub(super) site: &'world str,
    pub(super) policy: &'world CachePolicy,
    /// How often the isolate had thrown something away when the request began.
    forgets: u64,
    /// Which of what was thrown away later this request threw away itself.
    own: RefCell<Vec<u64>>,
    /// Another had thrown away, since this request began, what this one threw away too.
    is_lost: Cell<bool>,
}

/// A change at a URL, as this isolate saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// By then it had happened.
    at: Timestamp,
    /// When what it brought was asked for, where it brought something.
    brought: Option<Timestamp>,
}

/// The URL of a key, or of a variant's.
fn url_of(key: &str) -> &str {
    key.split(' ').next().unwrap_or_default()
}

impl<'world, P: Platform> Stores<'world, P> {
    /// The stores as a request sees them that begins now.
    pub(super) fn new(
        platform: &'world P,
        isolate: &'world Isolate<P>,
        site: &'world str,
        policy: &'world CachePolicy,
    ) -> Stores<'world, P> {
        let forgets = isolate.forgets.get();
        Stores { platform, isolate, site, policy, forgets, own: RefCell::default(), is_lost: Cell::default() }
    }

    /// The same as an earlier request saw them, when the isolate had thrown away so much.
    pub(super) fn since(self, forgets: u64) -> Self {
        Stores { forgets, ..self }
    }

    /// How often the isolate had thrown something away when the request began.
    pub(super) fn forgets(&self) -> u64 {
        self.forgets
    }

    /// Whether others threw a key away since: what was read, or came, before is that. It answers this request, and no later
    /// one.
    pub(super) fn may_be_forgotten(&self, key: &str) -> bool {
        let last = self.isolate.forgotten.borrow().get(url_of(key));
        self.is_lost.get() || last.is_some_and(|last| last > self.forgets && !self.own.borrow().contains(&last))
    }
}

impl<P: Platform> Stores<'_, P> {
    /// Looks a request up.
    pub(super) async fn lookup(&self, key: &Key, asked: &Asked<'_>) -> Lookup<P> {
        let mut lookup = Lookup { specs: self.isolate.specs.borrow().get(key.text()), found: None, trouble: None };
        let here = lookup.specs.as_ref().and_then(|specs| self.remembered(specs, key, asked));
        // What was purged here hides nothing that a neighbour kept since: under a list, maybe, that is another by now.
        if here.as_ref().is_some_and(|(_, stock)| !self.is_purged(key, &stock.stored)) {
            lookup.found = here;
            return lookup;
        }
        let known = if here.is_some() { lookup.specs.take() } else { None };
        for store in [Store::DataCentre, Store::Everywhere] {
            if store == Store::Everywhere && !self.policy.persist {
                continue;
            }
            match self.lookup_in(store, key, asked, &mut lookup).await {
                Ok(true) => break,
                Ok(false) | Err(StoreError::Absent) => {}
                Err(error) => lookup.trouble = Some(error),
            }
        }
        lookup.found = lookup.found.or(here);
        lookup.specs = lookup.specs.or(known);
        lookup
    }

    /// What the isolate's memory has for a request. Of several variants that suit it, what was purged comes last, what is
    /// stale last but one; then RFC 9111 §4.1 decides: one that says what it was chosen by rather than one that may have
    /// forgotten to, and of those the most recent, by its `Date`.
    fn remembered(&self, specs: &Specs, key: &Key, asked: &Asked<'_>) -> Option<(String, Rc<Stock<P>>)> {
        let stocks = self.isolate.stocks.borrow();
        let suiting = specs.candidates(key, asked, self.policy).into_iter().filter_map(|variant| {
            let stock = stocks.get(&variant)?;
            // Variants stay where only their list was thrown away, and another isolate may have kept that.
            self.is_after_changes(&variant, &stock.stored).then_some((variant, stock))
        });
        let now = self.platform.now();
        let rank = |(_, stock): &(_, Rc<Stock<P>>)| {
            let stored = &stock.stored;
            let is_purged = self.is_purged(key, stored);
            (!is_purged, stored.age_s(now) < stored.lifetime_s, !stored.spec.is_empty(), stored.date)
        };
        suiting.reduce(|best, other| if rank(&other) > rank(&best) { other } else { best })
    }

    /// Whether a purge that is known covers a response: it is good for nothing.
    fn is_purged(&self, key: &Key, stored: &Stored) -> bool {
        self.isolate.lease.standing(key.url(), stored) == Standing::Gone
    }

    /// Looks into one store; says whether it had the response.
    async fn lookup_in(
        &self,
        store: Store,
        key: &Key,
        asked: &Asked<'_>,
        lookup: &mut Lookup<P>,
    ) -> Result<bool, StoreError> {
        let specs = if let Some(specs) = &lookup.specs {
            Rc::clone(specs)
        } else {
            let Some((envelope, body)) = self.read(store, key.text()).await? else { return Ok(false) };
            let Some(specs) = envelope.specs.map(Rc::new) else { return Ok(false) };
            if !self.may_be_forgotten(key.text()) {
                self.remember_specs(key, &specs);
            }
            lookup.specs = Some(Rc::clone(&specs));
            let is_without_spec = specs.iter().next().is_some_and(Spec::is_empty);
            if let Some(stored) = envelope.stored.filter(|_| is_without_spec) {
                lookup.found = self.fetched(store, key.text(), stored, body).await;
                return Ok(lookup.found.is_some());
            }
            specs
        };
        for variant in specs.candidates(key, asked, self.policy) {
            let Some((Envelope { stored: Some(stored), .. }, body)) = self.read(store, &variant).await? else {
                continue;
            };
            lookup.found = self.fetched(store, &variant, stored, body).await;
            return Ok(lookup.found.is_some());
        }
        Ok(false)
    }

    /// What a store has just given: what is asked for once is passed on, and a place in memory is for what is asked for
    /// again.
    async fn fetched(
        &self,
        store: Store,
        variant: &str,
        stored: Stored,
        body: P::Body,
    ) -> Option<(String, Rc<Stock<P>>)> {
        let found = if self.isolate.seen.borrow().get(variant).is_none() {
            self.isolate.seen.borrow_mut().insert(variant, (), 0);
            (variant.to_owned(), Rc::new(Stock::new(stored, Content::Streaming(Cell::new(Some(body))))))
        } else {
            let body = self.at_hand(body).await?;
            self.remember_read(variant, stored, body)
        };
        if store == Store::Everywhere {
            found.1.is_persisted();
        }
        Some(found)
    }

    async fn at_hand(&self, body: P::Body) -> Option<P::Body> {
        let body = self.platform.gather(body, u64::MAX).await.ok()?;
        self.platform.length(&body).is_some().then_some(body)
    }

    /// The same response with its body at hand, for more than one answer.
    pub(super) async fn settled(&self, found: Option<(String, Rc<Stock<P>>)>) -> Option<(String, Rc<Stock<P>>)> {
        let (variant, stock) = found?;
        let Content::Streaming(body) = &stock.content else { return Some((variant, stock)) };
        let body = self.at_hand(body.take()?).await?;
        Some(self.remember_read(&variant, stock.stored.clone(), body))
    }

    async fn read(&self, store: Store, key: &str) -> Result<Option<(Envelope, P::Body)>, StoreError> {
        let Some(kept) = self.platform.kept(store, &self.place(key)).await? else { return Ok(None) };
        let Kept { envelope, body, length } = kept;
        // Of another version, cut short, or from before a change: as if it were not there.
        let Ok(envelope) = json::read::<Envelope>(envelope.as_bytes()) else { return Ok(None) };
        let is_whole = |stored: &Stored| stored.announced() == Some(length);
        let is_sound = envelope
            .stored
            .as_ref()
            .is_none_or(|stored| stored.is_current() && is_whole(stored) && self.is_after_changes(key, stored));
        Ok(is_sound.then_some((envelope, body)))
    }

    /// Whether a response was asked for after whatever this isolate saw change at its URL.
    fn is_after_changes(&self, key: &str, stored: &Stored) -> bool {
        let changed = self.isolate.changed.borrow().get(url_of(key));
        changed.is_none_or(|Change { at, brought }| stored.requested_at >= at || Some(stored.requested_at) == brought)
    }

    fn remember(&self, variant: &str, stored: Stored, body: P::Body) -> (String, Rc<Stock<P>>) {
        let bytes = self.platform.length(&body).unwrap_or(u64::MAX);
        let stock = Rc::new(Stock::new(stored, Content::AtHand(body)));
        self.isolate.stocks.borrow_mut().insert(variant, Rc::clone(&stock), bytes);
        (variant.to_owned(), stock)
    }

    fn remember_read(&self, variant: &str, stored: Stored, body: P::Body) -> (String, Rc<Stock<P>>) {
        if self.may_be_forgotten(variant) {
            return (variant.to_owned(), Rc::new(Stock::new(stored, Content::AtHand(body))));
        }
        self.remember(variant, stored, body)
    }

    fn remember_specs(&self, key: &Key, specs: &Rc<Specs>) {
        let bytes: usize = specs.iter().flat_map(Spec::names).map(String::len).sum();
        self.isolate.specs.borrow_mut().insert(key.text(), Rc::clone(specs), bytes as u64);
    }

    /// Keeps a response whose body is at hand, in memory and in the data centre.
    pub(super) async fn keep(&self, key: &Key, asked: &Asked<'_>, stored: Stored, body: P::Body, now: Timestamp) {
        let known = self.isolate.specs.borrow().get(key.text());
        let mut specs = known.as_deref().cloned().unwrap_or_else(|| Specs::new(now));
        let is_new = specs.put(&stored, asked, self.policy);
        let specs = Rc::new(specs);
        self.remember_specs(key, &specs);
        let variant = specs.variant(key, &stored.spec, asked, self.policy);
        let retention = Duration::from_secs(stored.retention_s(self.policy, now));
        let has_spec = !stored.spec.is_empty();
        self.remember(&variant, stored.clone(), body.clone());

        if has_spec && is_new {
            self.write_specs(Store::DataCentre, key, &specs).await;
        }
        let of_key = (!has_spec).then(|| (*specs).clone());
        let envelope = Envelope { specs: of_key, stored: Some(stored) };
        self.write(Store::DataCentre, &variant, &envelope, body, retention).await;
    }

    /// Whether a response that is asked for again is to be kept for all locations too. Each isolate decides for itself.
    pub(super) fn is_to_be_persisted(&self, stock: &Stock<P>, now: Timestamp) -> bool {
        let Stored { lifetime_s, .. } = stock.stored;
        self.policy.persist
            && lifetime_s.saturating_sub(stock.stored.age_s(now)) >= PERSIST_FROM_S
            && matches!(stock.content, Content::AtHand(_))
            && !stock.is_persisted()
            && self.isolate.persists.borrow_mut().take(now)
    }

    /// Keeps a response for all locations, unless another isolate did.
    pub(super) async fn persist(&self, key: &Key, specs: &Specs, variant: &str, stock: &Stock<P>, now: Timestamp) {
        let Content::AtHand(body) = &stock.content else { return };
        let of = |stored: &Stored| (stored.born_at, stored.log, stored.sequence);
        let is_same = |there: &Stored| of(there) == of(&stock.stored);
        if let Ok(Some((Envelope { stored: Some(there), .. }, _))) = self.read(Store::Everywhere, variant).await
            && is_same(&there)
        {
            return;
        }
        let has_spec = !stock.stored.spec.is_empty();
        if has_spec {
            self.write_specs(Store::Everywhere, key, specs).await;
        }
        let of_key = (!has_spec).then(|| specs.clone());
        let retention = Duration::from_secs(stock.stored.retention_s(self.policy, now));
        let envelope = Envelope { specs: of_key, stored: Some(stock.stored.clone()) };
        if self.may_be_forgotten(variant) {
            return;
        }
        self.write(Store::Everywhere, variant, &envelope, body.clone(), retention).await;
        if self.may_be_forgotten(variant) {
            self.forget(key.text()).await;
        }
    }

    async fn write_specs(&self, store: Store, key: &Key, specs: &Specs) {
        let envelope = Envelope { specs: Some(specs.clone()), stored: None };
        self.write(store, key.text(), &envelope, self.platform.body(Vec::new()), SPECS_KEPT).await;
    }

    async fn write(&self, store: Store, key: &str, envelope: &Envelope, body: P::Body, retention: Duration) {
        let envelope = ascii(&json::write(envelope).expect("plain data"));
        if envelope.len() > ENVELOPE_LIMIT_BYTES {
            return;
        }
        let length = self.platform.length(&body).unwrap_or_default();
        match self.platform.keep(store, &self.place(key), Kept { envelope, body, length }, retention).await {
            Ok(()) | Err(StoreError::Absent) => {}
            Err(error) => self.platform.log(&format!("could not keep `{key}` in {store:?}: {error}")),
        }
    }

    /// Notes that something at the URL of a key had changed by that time. What was asked for before is of no use any more where
    /// this isolate reads it from a store: a write may end after the store was told to forget, or the store may not have been
    /// reached. Others know at once that what they have may be older: another change, too, which would keep what it brought.
    pub(super) fn change(&self, key: &str, at: Timestamp) {
        self.forget_here(key);
        self.isolate.changed.borrow_mut().insert(url_of(key), Change { at, brought: None }, 0);
    }

    /// Notes that the request of that time, which made the change, also brought what is there now.
    pub(super) fn change_brought(&self, key: &str, at: Timestamp, requested_at: Timestamp) {
        let change = Change { at, brought: Some(requested_at) };
        self.isolate.changed.borrow_mut().insert(url_of(key), change, 0);
    }

    /// Forgets everything under a key, whatever its variants: their keys hold when their list was begun.
    pub(super) async fn forget(&self, key: &str) {
        self.forget_here(key);
        for store in [Store::DataCentre, Store::Everywhere] {
            if store == Store::Everywhere && !self.policy.persist {
                continue;
            }
            match self.platform.forget(store, &self.place(key)).await {
                Ok(()) | Err(StoreError::Absent) => {}
                Err(error) => self.platform.log(&format!("could not forget `{key}` in {store:?}: {error}")),
            }
        }
        // Meanwhile others may have read it from there.
        self.forget_here(key);
    }

    fn forget_here(&self, key: &str) {
        self.is_lost.set(self.may_be_forgotten(key));
        let number = self.isolate.forgets.get() + 1;
        self.isolate.forgets.set(number);
        self.isolate.forgotten.borrow_mut().insert(url_of(key), number, 0);
        self.own.borrow_mut().push(number);
        self.isolate.specs.borrow_mut().remove(key);
        self.isolate.stocks.borrow_mut().remove(key);
    }

    /// Where a key lies: a digest, so that whoever asks chooses neither its length nor its characters.
    pub(super) fn place(&self, key: &str) -> String {
        hexadecimal_sha256(format!("{}\n{key}", self.site).as_bytes())
    }
}

/// How often an isolate may write for all locations: the platform counts writes, and charges for them.
#[derive(Debug, Default)]
pub(super) struct Budget {
    hour: u64,
    taken: u32,
}

impl Budget {
    /// Takes one write, if one is left in this hour.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let hour = now.as_millis() / 3_600_000;
        if hour != self.hour {
            *self = Budget { hour, taken: 0 };
        }
        let is_left = self.taken < PERSISTS_PER_HOUR;
        self.taken += u32::from(is_left);
        is_left
    }
}

/// JSON in visible ASCII: fields of HTTP hold no more.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").expect("a string takes whatever is written");
            }
        }
    }
    text
}

//! What this isolate knows of the control log, renewed in time.
//!
//! Whoever answers from something that a purge may cover asks [`current`] first: it waits for the log only where the
//! isolate's view is too old. [`Known::mark`], taken before a fetch begins, goes with what the fetch brings; at the
//! next lookup [`Known::standing`] says whether a purge came since. For a fetch of what is not stored, [`for_fetch`] waits only
//! where nothing is known at all. [`invalidate`] tells every location what an unsafe
//! method changed, [`ban`] who is banned.
//!
//! The view is renewed through an answer that the data centre shares for a second. Where the log cannot be reached, a copy
//! in the key-value store makes the view richer, and [`Known::certainty`] says that it is not sure.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::visit::Visit;
use crate::cache::{Invalidation, SearchRule, Standing, Stored};
use crate::config::PurgeCheck;
use crate::control::ban::Ban;
use crate::control::changed::Changed;
use crate::control::index::{Subject, Verdict, origin};
use crate::control::ledger::NEWEST;
use crate::control::message::{Append, Appended, Command, News, Reply};
use crate::control::notice::{Notice, OriginStanding};
use crate::control::record::{Incarnation, Kind, Mark, Selector, Sequence};
use crate::control::view::{Applied, Certainty, DEADLINE, DEADLINE_OFF_PATH, Renewal, SNAPSHOT_LIFE, View};
use crate::json;
use crate::platform::{Kept, LogError, Platform, Request, Store};
use crate::time::Timestamp;

/// The whole log, as text, is shorter.
const NEWS_BYTES: u64 = 8 * 1024 * 1024;

/// Between two looks at the copy: the platform changes it at most that often.
const COPY_LOOK: Duration = Duration::from_secs(30);

/// What an isolate keeps of the control log.
#[derive(Debug, Default)]
pub(super) struct Lease {
    view: RefCell<View>,
    copy_looked_at: Cell<Option<Timestamp>>,
    /// What other locations are to be told.
    changed: RefCell<Changed>,
    /// Whom they are to refuse.
    bans: RefCell<Vec<Ban>>,
    /// Whether they are being told.
    telling: Cell<bool>,
}

impl Lease {
    /// What the log says of a stored response as the answer for `url`, as far as it is known, however old that is.
    pub(super) fn standing(&self, url: &str, stored: &Stored) -> Standing {
        let view = self.view.borrow();
        let (log, sequence) = (Incarnation::new(stored.log), Sequence::new(stored.sequence));
        let verdict = |url| view.verdict(log, &Subject { url, tags: &stored.tags, groups: &stored.groups, sequence });
        let mut verdicts = verdict(url);
        if let Some(rule) = SearchRule::of(&stored.headers) {
            verdicts = verdicts.or(verdict(&stored.url)).or(verdict(&rule.common(url)));
        }
        match verdicts {
            Verdict::Standing => Standing::Valid,
            Verdict::Soft { since } => Standing::Stale { since },
            Verdict::Hard => Standing::Gone,
        }
    }
}

/// What is known of the control log for one request.
#[derive(Debug, Clone)]
pub(super) struct Known {
    lease: Rc<Lease>,
    /// How much of the log was known when this was asked for.
    mark: Mark,
    certainty: Certainty,
    check: PurgeCheck,
}

impl Known {
    /// What a fetch carries that follows: how much of the log was known when what is stored was looked at. While its body is read, or a
    /// store is asked, the view may learn of a purge: a 304 would carry what that covers past it.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// What the log says of a stored response as the answer for `url` (as keys spell it). A purge may name that, or the URL
    /// that it was fetched by, or, where the origin says that they do not count, either without those parameters. Whoever
    /// is strict uses nothing that could not be checked.
    pub(super) fn standing(&self, url: &str, stored: &Stored) -> Standing {
        if self.is_unsure() && self.check == PurgeCheck::Strict {
            return Standing::Gone;
        }
        self.lease.standing(url, stored)
    }

    /// Until when a limit refuses a partition, if it does.
    pub(super) fn banned_until(&self, limit: &str, partition: &str, now: Timestamp) -> Option<Timestamp> {
        self.lease.view.borrow().banned_until(limit, partition, now)
    }

    /// Who is banned.
    pub(super) fn bans(&self, now: Timestamp) -> Vec<Ban> {
        self.lease.view.borrow().bans(now).cloned().collect()
    }

    /// How an origin of a pool stands.
    pub(super) fn origin_standing(&self, pool: &str, url: &str, now: Timestamp) -> OriginStanding {
        self.lease.view.borrow().origin_standing(pool, url, now)
    }

    /// By which notice it stands so, if by any.
    pub(super) fn notice(&self, pool: &str, url: &str, now: Timestamp) -> Option<Notice> {
        self.lease.view.borrow().notice(pool, url, now).cloned()
    }

    /// Whether purges may be missing.
    pub(super) fn is_unsure(&self) -> bool {
        self.certainty == Certainty::Unsure
    }
}

/// What is known of the control log now.
pub(super) async fn current<P, R>(visit: &Visit<'_, P, R>, check: PurgeCheck) -> Known
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let lease = &visit.isolate.lease;
    let now = visit.platform.now();
    let renewal = lease.view.borrow().needs(now, check);
    match renewal {
        Renewal::None => {}
        Renewal::OffPath => renew_off_path(visit, now),
        Renewal::OnPath => visit.timed("log", renew(visit.platform, lease, check, DEADLINE)).await,
    }
    // The clock stands still where nothing was waited for.
    let after = if renewal == Renewal::OnPath { visit.platform.now() } else { now };
    let certainty = match check {
        PurgeCheck::Lease => lease.view.borrow().certainty(after),
        PurgeCheck::Strict => lease.view.borrow().certainty_since(now, after),
    };
    Known { lease: Rc::clone(lease), mark: mark(visit), certainty, check }
}

/// What is known for a fetch of something that is not stored: any view will do. An older one makes the fetch seem older than
/// it is, which costs another fetch where there was a purge since, and nothing else.
pub(super) async fn for_fetch<P, R>(visit: &Visit<'_, P, R>) -> Known
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let lease = &visit.isolate.lease;
    if lease.view.borrow().is_empty() {
        return current(visit, PurgeCheck::Lease).await;
    }
    let now = visit.platform.now();
    let renewal = lease.view.borrow().needs(now, PurgeCheck::Lease);
    if renewal != Renewal::None {
        renew_off_path(visit, now);
    }
    let certainty = lease.view.borrow().certainty(now);
    Known { lease: Rc::clone(lease), mark: mark(visit), certainty, check: PurgeCheck::Lease }
}

/// While this number is the same, every origin stands as it did, by what the isolate knows.
pub(super) fn origins_changed(lease: &Lease, now: Timestamp) -> u64 {
    lease.view.borrow().origins_changed(now)
}

/// How an origin of a pool stands, by what the isolate knows.
pub(super) fn origin_standing(lease: &Lease, pool: &str, url: &str, now: Timestamp) -> OriginStanding {
    lease.view.borrow().origin_standing(pool, url, now)
}

/// How much of the log is known, as far as anybody has asked for it.
pub(super) fn mark<P, R>(visit: &Visit<'_, P, R>) -> Mark
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    visit.isolate.lease.view.borrow().mark()
}

fn renew_off_path<P, R>(visit: &Visit<'_, P, R>, now: Timestamp)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let lease = &visit.isolate.lease;
    lease.view.borrow_mut().begin(now);
    let (platform, lease) = (Rc::clone(visit.platform), Rc::clone(lease));
    visit.platform.defer(async move { renew(&platform, &lease, PurgeCheck::Lease, DEADLINE_OFF_PATH).await });
}

/// Tells every location, behind the answer, that these URLs and groups changed. What comes while the log is being told goes
/// along the next time; past what one record holds, it is everything of the origin. `url` is that of the request.
pub(super) fn invalidate<P, R>(visit: &Visit<'_, P, R>, url: &str, changed: Invalidation)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let Invalidation { urls, groups } = changed;
    let groups = groups.into_iter().map(|name| Selector::Group { origin: origin(url).to_owned(), name });
    let lease = &visit.isolate.lease;
    for selector in urls.into_iter().map(Selector::Url).chain(groups) {
        lease.changed.borrow_mut().add(selector);
    }
    if !lease.changed.borrow().is_empty() {
        tell(visit);
    }
}

/// Tells every location, behind the answer, that somebody is banned. Whoever calls it bounds how often.
pub(super) fn ban<P, R>(visit: &Visit<'_, P, R>, ban: Ban)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    visit.isolate.lease.bans.borrow_mut().push(ban);
    tell(visit);
}

/// Adds to the log what other locations are to be told, one record after the other, unless that is being done.
fn tell<P, R>(visit: &Visit<'_, P, R>)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let lease = &visit.isolate.lease;
    if lease.telling.replace(true) {
        return;
    }
    let (platform, lease) = (Rc::clone(visit.platform), Rc::clone(lease));
    visit.platform.defer(async move {
        // Cleared also where this is let go of before its end.
        let _telling = Telling(&lease.telling);
        loop {
            let purge = lease.changed.borrow_mut().take().map(Kind::Purge);
            let kind = purge.or_else(|| lease.bans.borrow_mut().pop().map(Kind::Ban));
            let Some(kind) = kind else { break };
            let append = Append { kind, key: None, calls: Vec::new() };
            match ask(platform.as_ref(), &Command::Append(append), DEADLINE_OFF_PATH).await {
                Ok(Reply::Appended(appended)) => expire(&lease, &appended, platform.now()),
                Ok(_) => platform.log("other locations were not told of a change: the control log refused it"),
                Err(error) => platform.log(&format!("other locations were not told of a change: {error}")),
            }
        }
    });
}

struct Telling<'lease>(&'lease Cell<bool>);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Makes the next request that needs the log know at least a record that was just added.
pub(super) fn expire(lease: &Lease, added: &Appended, now: Timestamp) {
    lease.view.borrow_mut().expire(added.mark(), now);
}

/// How long whoever gives an order waits for the log.
const ORDER_WITHIN: Duration = Duration::from_secs(10);

/// Gives the log an order of an operator's. Whoever changes something sees it at once, where the next request comes to the same
/// isolate.
pub(super) async fn order<P, R>(visit: &Visit<'_, P, R>, command: &Command) -> Result<Reply, LogError>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let reply = visit.timed("log", ask(visit.platform.as_ref(), command, ORDER_WITHIN)).await?;
    if let Reply::Appended(appended) = &reply {
        expire(&visit.isolate.lease, appended, visit.platform.now());
    }
    Ok(reply)
}

/// Asks the log a command.
pub(super) async fn ask<P: Platform>(platform: &P, command: &Command, within: Duration) -> Result<Reply, LogError> {
    let unlike = |error: json::Error| LogError::Failed(error.to_string());
    let command = json::write(command).map_err(unlike)?;
    let reply = platform.ask_log(command, within).await?;
    json::read(reply.as_bytes()).map_err(unlike)
}

/// Renews the view: by what the data centre shares, unless that is not enough; else by the log; else from the copy.
async fn renew<P: Platform + 'static>(platform: &Rc<P>, lease: &Lease, check: PurgeCheck, within: Duration) {
    let Some(id) = platform.log_id() else { return lease.view.borrow_mut().without_log() };
    let began = platform.now();
    lease.view.borrow_mut().begin(began);
    if check == PurgeCheck::Lease && renewed_by_snapshot(platform.as_ref(), lease, &id).await {
        return;
    }
    let first_asked_at = platform.now();
    let mut known = lease.view.borrow().mark().sequence;
    loop {
        let asked_at = platform.now();
        let left = within.saturating_sub(asked_at.since(first_asked_at));
        let news = match ask(platform.as_ref(), &Command::Since(known), left).await {
            Ok(Reply::News(news)) => news,
            Ok(_) => return fail(platform.as_ref(), lease, &id, "it answered something else").await,
            Err(error) => return fail(platform.as_ref(), lease, &id, &error.to_string()).await,
        };
        let applied = lease.view.borrow_mut().renew(&news, asked_at, platform.now());
        if applied == Applied::Gap && known != Sequence::NONE {
            // It is another log than the one that was known: all of it, then.
            known = Sequence::NONE;
            continue;
        }
        return share(platform, &id, &news, asked_at);
    }
}

/// One answer of the log, as the data centre shares it.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    news: News,
    /// When the log was asked, by the clock of whoever asked.
    asked_at: Timestamp,
    /// How much later the answer was put here, by the same clock.
    age: Duration,
}

impl Snapshot {
    /// A moment at which the log cannot have known less, for one who began to read at `began`. The data centre keeps it for
    /// [`SNAPSHOT_LIFE`]; where it keeps it for longer, the other's clock tells, as far as clocks agree.
    fn as_of(&self, began: Timestamp) -> Timestamp {
        began.minus(SNAPSHOT_LIFE + self.age).min(self.asked_at)
    }
}

fn key(id: &str) -> String {
    format!("control/{id}")
}

async fn renewed_by_snapshot<P: Platform>(platform: &P, lease: &Lease, id: &str) -> bool {
    let began = platform.now();
    let Some(snapshot) = read::<P, Snapshot>(platform, Store::DataCentre, id).await else { return false };
    let now = platform.now();
    let mut view = lease.view.borrow_mut();
    let applied = view.renew(&snapshot.news, snapshot.as_of(began), now);
    applied == Applied::Known && view.certainty(now) == Certainty::Leased
}

/// Hands an answer of the log to the neighbours, after the request.
fn share<P: Platform + 'static>(platform: &Rc<P>, id: &str, news: &News, asked_at: Timestamp) {
    let (news, key, after) = (news.newest(NEWEST), key(id), Rc::clone(platform));
    platform.defer(async move {
        let snapshot = Snapshot { news, asked_at, age: after.now().since(asked_at) };
        let Ok(body) = json::write(&snapshot).map(String::into_bytes) else { return };
        let length = body.len() as u64;
        let kept = Kept { envelope: "snapshot".to_owned(), body: after.body(body), length };
        // The neighbours ask the log themselves where it is not there.
        let _ = after.keep(Store::DataCentre, &key, kept, SNAPSHOT_LIFE).await;
    });
}

/// Notes that the log did not answer, and learns from the copy what the view does not know.
async fn fail<P: Platform>(platform: &P, lease: &Lease, id: &str, why: &str) {
    let now = platform.now();
    lease.view.borrow_mut().fail(now);
    platform.log(&format!("the control log: {why}"));
    if lease.copy_looked_at.get().is_some_and(|at| now.since(at) < COPY_LOOK) {
        return;
    }
    lease.copy_looked_at.set(Some(now));
    if let Some(news) = read::<P, News>(platform, Store::Everywhere, id).await {
        lease.view.borrow_mut().learn(&news);
    }
}

async fn read<P: Platform, T: for<'de> Deserialize<'de>>(platform: &P, store: Store, id: &str) -> Option<T> {
    let kept = platform.kept(store, &key(id)).await.ok()??;
    let body = platform.gather(kept.body, NEWS_BYTES).await.ok()?;
    let bytes = platform.bytes(&body)?;
    json::read(&bytes).ok()
}

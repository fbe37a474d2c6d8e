//! Holds the requests of a route to its limits: asks what is to be asked, refuses, and tells clients how they stand.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::apart;
use super::bans;
use super::observe;
use super::ours;
use super::site::Site;
use super::visit::Visit;
use crate::answer::{Answer, Body};
use crate::config::{Algorithm, Guards, LimitPolicy, Part, Precision, Route, Settings, WhenUnreachable};
use crate::field::list::joined;
use crate::guard::client;
use crate::json::{self, Member};
use crate::limit::counter::Quota;
use crate::limit::fields::{self, Told};
use crate::limit::limiter::{self, By, Charge, Limiter, Plan, Question, Reply, Standing, Undo};
use crate::limit::object::{write_entry, write_holder};
use crate::limit::partition::{self, Key, Whom};
use crate::limit::turns::{Entry, LEAVE_TRIES, RENEW_AGAIN_MS, RENEW_MS};
use crate::platform::{LimitAsk, Platform, Request, Signal};
use crate::release::navigation::is_navigation;
use crate::telemetry::Metric;
use crate::time::Timestamp;

/// The problem types of draft-ietf-httpapi-ratelimit-headers-11, section 5.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const ABNORMAL_USAGE: &str = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected";
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// How long a permit is in use at most.
const LONGEST: Duration = Duration::from_hours(1);

/// A policy, made ready when the settings are read.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) policy: LimitPolicy,
    /// See [`partition::policy`].
    digest: u64,
    /// What is counted over time; `None` for what is under way at once.
    quota: Option<Quota>,
}

/// A policy that a request is under, and its counter.
pub(super) type Keyed<'b> = (&'b str, &'b Ready, Key);

/// All policies.
pub(super) fn ready(settings: &Settings) -> Vec<Ready> {
    let mut policies = Vec::new();
    for policy in &settings.limits {
        let digest = partition::policy(&settings.site.name, policy);
        let quota = Quota::of(policy.algorithm);
        let quota = if policy.precision == Precision::Leased { quota.map(Quota::for_leases) } else { quota };
        policies.push(Ready { policy: policy.clone(), digest, quota });
    }
    policies
}

/// What limits said of one request.
pub(super) struct Limited<P: Platform> {
    /// By the names of policies.
    standings: Vec<(String, Option<Standing>)>,
    taken: Vec<Taken>,
    turns: Vec<Turn<P>>,
}

impl<P: Platform> Default for Limited<P> {
    fn default() -> Limited<P> {
        Limited { standings: Vec::new(), taken: Vec::new(), turns: Vec::new() }
    }
}

impl<P: Platform> Limited<P> {
    /// Whether a policy refused the request: one that knew how it stands.
    pub(super) fn refused(&self, name: &str) -> bool {
        let known = self.standings.iter().filter(|(known, _)| known == name).filter_map(|(_, standing)| *standing);
        known.into_iter().any(|standing| !standing.admitted && standing.by != By::Unreachable)
    }
}

/// Permits that were taken over time: they are given back where something else refuses the request.
struct Taken {
    charges: Vec<Charge>,
    /// Where in [`Limited::standings`] they begin.
    first: usize,
    asked_at: Timestamp,
    /// What objects hold.
    held: Vec<Undo>,
}

/// A permit for a request under way. It comes back when this is let go of.
struct Turn<P: Platform> {
    /// `None`: something else fires it.
    over: Option<P::Signal>,
    /// The object said so.
    is_sure: Rc<Cell<bool>>,
}

impl<P: Platform> Drop for Turn<P> {
    fn drop(&mut self) {
        if let Some(over) = &self.over {
            over.fire();
        }
    }
}

/// A request and the route that answers it.
#[derive(Clone, Copy)]
pub(super) struct Bound<'request> {
    pub(super) site: &'request Rc<Site>,
    pub(super) route: &'request Route,
    /// What the route is called.
    pub(super) name: &'request str,
    pub(super) sent: &'request HeaderMap,
}

/// Takes what the route's policies of this kind ask for. The answer, where one of them refuses.
pub(super) async fn admit<P, R>(visit: &Visit<'_, P, R>, bound: Bound<'_>, guards: Guards) -> Option<Answer<P::Body>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if bound.route.limits.is_empty() { None } else { apart(take(visit, bound, guards)).await }
}

async fn take<P, R>(visit: &Visit<'_, P, R>, bound: Bound<'_>, guards: Guards) -> Option<Answer<P::Body>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let field = |name: &str| joined(bound.sent, name);
    let peer = visit.request.peer_address();
    let address = client::identify(&bound.site.client_address, peer.as_deref(), &field).address;
    let policies: Vec<(&str, &Ready)> = policies(&bound, guards)
        .filter(|(_, ready)| {
            let networks = &ready.policy.exempt;
            !address.is_some_and(|address| networks.iter().any(|network| client::contains(network, address)))
        })
        .collect();
    if policies.is_empty() {
        return None;
    }
    let needs_country = policies.iter().any(|(_, ready)| ready.policy.partition.contains(&Part::Country));
    let country = if needs_country { visit.request.country() } else { None };
    let whom = Whom { address, country: country.as_deref(), route: bound.name, field: &field };
    let site = &bound.site.settings.site.name;
    // Most policies count the same: each list of parts is looked at once.
    let mut partitions: Vec<(&[Part], u128)> = Vec::with_capacity(1);
    let keyed: Vec<Keyed<'_>> = policies
        .into_iter()
        .map(|(name, ready)| {
            let parts = ready.policy.partition.as_slice();
            let known = partitions.iter().find(|(known, _)| *known == parts).map(|(_, partition)| *partition);
            let partition = known.unwrap_or_else(|| {
                partitions.push((parts, partition::partition(site, parts, &whom)));
                partitions[partitions.len() - 1].1
            });
            (name, ready, Key { policy: ready.digest, partition })
        })
        .collect();
    let refusal = if let Some(refusal) = bans::refuse(visit, &keyed).await {
        Some(refusal)
    } else {
        let refusal = match rates(visit, &bound, guards, &keyed).await {
            Ok(()) => turns(visit, &bound, &keyed).await.err(),
            Err(refusal) => Some(refusal),
        };
        if refusal.is_some() {
            bans::count(visit, &keyed, &whom);
        }
        refusal
    };
    if refusal.is_some() {
        give_back(visit, site);
    }
    observe::tell_later(visit);
    refusal
}

/// For how long policies that are asked after what these count over time may refuse the request, in milliseconds; zero: none is.
fn later_ms(bound: &Bound<'_>, guards: Guards, keyed: &[Keyed<'_>]) -> u64 {
    let at_once = keyed.iter().map(|(_, ready, _)| *ready).filter(|ready| ready.quota.is_none());
    let of_origin = policies(bound, Guards::Origin).map(|(_, ready)| ready).filter(|_| guards == Guards::All);
    let takes = |ready: &Ready| ready.policy.deadline_ms + longest_wait_ms(&ready.policy);
    at_once.chain(of_origin).filter(|ready| !ready.policy.shadow).map(takes).sum()
}

/// How long a request waits for its turn at most. A shadow lets nobody wait.
fn longest_wait_ms(policy: &LimitPolicy) -> u64 {
    match policy.algorithm {
        Algorithm::Concurrency { queue: 1.., wait_ms, .. } if !policy.shadow => wait_ms,
        _ => 0,
    }
}

fn policies<'b>(bound: &Bound<'b>, guards: Guards) -> impl Iterator<Item = (&'b str, &'b Ready)> {
    let known = bound.route.limits.iter().filter_map(|name| Some((name.as_str(), bound.site.limit(name)?)));
    known.filter(move |(_, ready)| ready.policy.guards == guards)
}

/// What is counted over time: all of it is charged, or nothing.
async fn rates<P, R>(
    visit: &Visit<'_, P, R>,
    bound: &Bound<'_>,
    guards: Guards,
    keyed: &[Keyed<'_>],
) -> Result<(), Answer<P::Body>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let counted = || keyed.iter().filter_map(|(name, ready, key)| Some((*name, *ready, *key, ready.quota?)));
    let later_ms = later_ms(bound, guards, keyed);
    let within = counted().map(|(_, ready, ..)| ready.policy.deadline_ms).min().unwrap_or_default();
    let charges: Vec<Charge> = counted()
        .map(|(_, Ready { policy, .. }, key, quota)| Charge {
            key,
            quota,
            cost: u64::from(bound.route.cost).min(quota.most_at_once()),
            precision: policy.precision,
            when_unreachable: policy.when_unreachable,
            deadline_ms: within,
            later_ms,
            shadow: policy.shadow,
        })
        .collect();
    if charges.is_empty() {
        return Ok(());
    }
    let site = &bound.site.settings.site.name;
    let asked_at = visit.platform.now();
    let plan = with_limiter(visit, |limiter| limiter.plan(&charges, asked_at.as_millis()));
    let (known, undo, held) = match plan {
        Plan::Decided(known) => (known, Vec::new(), Vec::new()),
        Plan::Ask(question) => {
            let reply = visit.timed("limit", ask(visit, site, &question, Duration::from_millis(within))).await;
            let now = visit.platform.now();
            count_time(visit, &counted().map(|(name, ..)| name).collect::<Vec<_>>(), now.since(asked_at));
            let held = reply.as_ref().filter(|_| later_ms > 0).map(|reply| question.held(reply)).unwrap_or_default();
            let chance = u64::try_from(visit.platform.random() >> 64).unwrap_or_default();
            let ((known, undo), lent) = with_limiter(visit, |limiter| {
                let (asked_at, now) = (asked_at.as_millis(), now.as_millis());
                let settled = limiter.settle(&charges, question, reply.as_ref(), asked_at, now, chance);
                (settled, limiter.take_lent())
            });
            for (policy, permits) in lent {
                if let Some((name, ..)) = counted().find(|(_, ready, ..)| ready.digest == policy) {
                    visit.isolate.counters.borrow_mut().add(name, Metric::LimitLent, "", permits);
                }
            }
            (known, undo, held)
        }
    };
    let first = visit.limited.borrow().standings.len();
    for ((name, ready, key, _), standing) in counted().zip(&known) {
        note(visit, name, &ready.policy, key, standing.as_ref());
        visit.limited.borrow_mut().standings.push((name.to_owned(), *standing));
    }
    if !limiter::refuses(&charges, &known) {
        visit.limited.borrow_mut().taken.push(Taken { charges, first, asked_at, held });
        return Ok(());
    }
    undo_later(visit, site, undo);
    let refusing: Vec<(&str, &Standing)> = counted()
        .zip(&known)
        .filter(|((_, ready, ..), _)| !ready.policy.shadow)
        .filter_map(|((name, ..), standing)| Some((name, standing.as_ref().filter(|standing| !standing.admitted)?)))
        .collect();
    let wait_ms = refusing.iter().map(|(_, standing)| standing.wait_ms).max().unwrap_or_default();
    let is_known = refusing.iter().any(|(_, standing)| standing.by != By::Unreachable);
    let names: Vec<&str> = refusing.into_iter().map(|(name, _)| name).collect();
    Err(refusal(visit, &names, wait_ms, is_known))
}

/// Asks the objects of a question. `None` where not even the first one answered.
async fn ask<P, R>(visit: &Visit<'_, P, R>, site: &str, question: &Question, within: Duration) -> Option<Reply>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let (first, text) = question.objects.first()?;
    let mut command = text.clone();
    for (shard, text) in &question.objects[1..] {
        command.extend(["\0", &object(site, *shard), "\0", text]);
    }
    let reply = visit.platform.ask_limits(&object(site, *first), LimitAsk::Take(command), within).await;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            visit.log(&format!("the limits could not be asked: {error}"));
            return None;
        }
    };
    let section = |section: &str| {
        let (head, settled) = section.split_once('\n')?;
        let mut words = head.split(' ').skip(1);
        let decided_at = words.next()?.parse().ok()?;
        count_rows(visit, words.next());
        Some((decided_at, settled.to_owned()))
    };
    Some(Reply { objects: reply.split('\0').map_while(section).collect() })
}

/// Gives back everything that was taken over time for a request that is refused now.
fn give_back<P, R>(visit: &Visit<'_, P, R>, site: &str)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let now_ms = visit.platform.now().as_millis();
    let Limited { taken, standings, .. } = &mut *visit.limited.borrow_mut();
    for Taken { charges, first, asked_at, held } in taken.drain(..) {
        let told = &mut standings[first..];
        let mut known: Vec<Option<Standing>> = told.iter().take(charges.len()).map(|(_, standing)| *standing).collect();
        with_limiter(visit, |limiter| limiter.take_back(&charges, &mut known, Some(asked_at.as_millis()), now_ms));
        for ((_, told), known) in told.iter_mut().zip(known) {
            *told = known;
        }
        undo_later(visit, site, held);
    }
}

/// Gives back, behind the answer, what objects hold charged for a request that something else refused.
fn undo_later<P, R>(visit: &Visit<'_, P, R>, site: &str, taken: Vec<Undo>)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    for (shard, at, asked, said) in taken {
        let (platform, object) = (Rc::clone(visit.platform), object(site, shard));
        visit.platform.defer(async move {
            let undo = LimitAsk::Undo(format!("{at}\0{asked}\0{said}"));
            if let Err(error) = platform.ask_limits(&object, undo, UNDO_WITHIN).await {
                // It stays charged: the quota is held to, by one request more than there was.
                platform.log(&format!("permits were not given back: {error}"));
            }
        });
    }
}

const UNDO_WITHIN: Duration = Duration::from_secs(5);

/// The object of a site that keeps these counters.
fn object(site: &str, shard: u8) -> String {
    format!("{site}/{shard}")
}

/// What is under way at once: a permit of each policy, for as long as the request takes.
async fn turns<P, R>(visit: &Visit<'_, P, R>, bound: &Bound<'_>, keyed: &[Keyed<'_>]) -> Result<(), Answer<P::Body>>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let mut keyed = keyed.to_vec();
    // Who holds one permit waits for the next: in the same order, so that no two requests wait for each other.
    keyed.sort_unstable_by_key(|(.., key)| *key);
    for (name, ready, key) in &keyed {
        let Algorithm::Concurrency { permits, queue, wait_ms } = ready.policy.algorithm else { continue };
        let ticket = u64::try_from(visit.platform.random() >> 64).unwrap_or_default();
        // A shadow lets nobody wait.
        let queue = if ready.policy.shadow { 0 } else { queue };
        let entry = Entry { key: *key, ticket, permits: permits.number(), queue, wait_ms };
        let began = visit.platform.now();
        let object = object(&bound.site.settings.site.name, key.shard());
        // Where nobody waits in a queue, nobody waits so long for an object that says nothing.
        let within = Duration::from_millis(ready.policy.deadline_ms + longest_wait_ms(&ready.policy));
        // Held from now on: whoever goes away while he waits is no longer waited for.
        let turn = hold(visit, &object, *key, ticket);
        let asking = visit.platform.ask_limits(&object, LimitAsk::Enter(write_entry(&entry)), within);
        let reply = visit.timed("limit", asking).await;
        count_time(visit, &[name], visit.platform.now().since(began));
        let standing = match &reply {
            Ok(reply) => {
                let mut words = reply.split(' ');
                let admitted = words.next() == Some("now");
                let left = words.next().and_then(|free| free.parse().ok());
                count_rows(visit, words.nth(1));
                Standing { by: By::Object, admitted, left, wait_ms: if admitted { 0 } else { 1000 } }
            }
            Err(error) => {
                visit.log(&format!("the limits could not be asked: {error}"));
                // What an isolate has under way says nothing of the others: alone it lets everything pass.
                let admitted = ready.policy.when_unreachable != WhenUnreachable::Closed;
                Standing { by: By::Unreachable, admitted, left: None, wait_ms: 1000 }
            }
        };
        note(visit, name, &ready.policy, *key, Some(&standing));
        visit.limited.borrow_mut().standings.push(((*name).to_owned(), Some(standing)));
        if standing.admitted {
            turn.is_sure.set(standing.by == By::Object);
            visit.limited.borrow_mut().turns.push(turn);
        } else if !ready.policy.shadow {
            return Err(refusal(visit, &[name], standing.wait_ms, standing.by != By::Unreachable));
        }
    }
    Ok(())
}

/// A turn that says, as long as it lasts, that it does.
fn hold<P, R>(visit: &Visit<'_, P, R>, object: &str, key: Key, ticket: u64) -> Turn<P>
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    let over = visit.platform.signal();
    let is_sure = Rc::<Cell<bool>>::default();
    let turn = Turn { over: Some(over.clone()), is_sure: Rc::clone(&is_sure) };
    let (platform, object) = (Rc::clone(visit.platform), object.to_owned());
    visit.platform.defer(async move {
        let whose = || write_holder(key, ticket, is_sure.get());
        let [period, soon] = [RENEW_MS, RENEW_AGAIN_MS].map(Duration::from_millis);
        let mut pause = period;
        let began = platform.now();
        // Rounds that fail are shorter than those that do not.
        for _ in 0..LONGEST.as_secs() {
            if over.fired(pause).await || platform.now().since(began) >= LONGEST {
                break;
            }
            // Where nobody hears it for long, the permit comes back.
            let heard = platform.ask_limits(&object, LimitAsk::Renew(whose()), soon).await;
            pause = if heard.is_ok() { period } else { soon };
        }
        let mut leave = whose();
        for tried in 1..=LEAVE_TRIES {
            match platform.ask_limits(&object, LimitAsk::Leave(leave), soon).await {
                Ok(_) => break,
                Err(error) if tried == LEAVE_TRIES => {
                    platform.log(&format!("a permit was not given back, and comes back by itself: {error}"));
                    break;
                }
                // It may have been heard: what comes now says nothing of another one's permit.
                Err(_) => leave = write_holder(key, ticket, false),
            }
        }
    });
    turn
}

/// Writes into an answer how its request stands, and holds its permits until its end.
pub(super) fn finish<P, R>(visit: &Visit<'_, P, R>, bound: &Bound<'_>, answer: &mut Answer<P::Body>)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if bound.route.limits.is_empty() {
        return;
    }
    let Limited { standings, taken, turns } = visit.limited.take();
    for Taken { charges, first, .. } in taken {
        for (charge, (name, standing)) in charges.iter().zip(&standings[first..]) {
            if standing.is_some_and(|standing| standing.admitted && standing.by == By::Lease) {
                visit.isolate.counters.borrow_mut().add(name, Metric::LimitLentUsed, "", charge.cost);
            }
        }
    }
    let told: Vec<Told<'_>> = standings
        .iter()
        .filter_map(|(name, standing)| {
            let policy = &bound.site.limit(name)?.policy;
            let left = standing.as_ref().and_then(|standing| Some((standing.left?, seconds(standing.wait_ms))));
            Some(Told { name, algorithm: policy.algorithm, fields: &policy.headers, left })
        })
        .collect();
    fields::tell(&mut answer.headers, &told);
    if let Body::Whole(body) | Body::Upgrade(body) = &mut answer.body
        && visit.platform.length(body).is_none()
    {
        let length = answer.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        for over in turns.into_iter().filter_map(|mut turn| turn.over.take()) {
            *body = visit.platform.watched(body.clone(), length, &over);
        }
    }
}

fn seconds(millis: u64) -> u64 {
    millis.div_ceil(1000)
}

/// What a refusal is: its status, problem type, token, and what it says.
pub(super) type Why = (StatusCode, &'static str, &'static str, &'static str);

const LIMITED: Why =
    (StatusCode::TOO_MANY_REQUESTS, QUOTA_EXCEEDED, "limited", "There were too many requests. Try again later.");
const UNREACHABLE: Why = (
    StatusCode::SERVICE_UNAVAILABLE,
    REDUCED_CAPACITY,
    "limits-unreachable",
    "Requests cannot be counted at the moment. Try again later.",
);
pub(super) const BANNED: Why = (
    StatusCode::TOO_MANY_REQUESTS,
    ABNORMAL_USAGE,
    "banned",
    "There were far too many requests: nothing is answered for a while.",
);

/// 429, or 503 where nobody knows whether there is a permit.
fn refusal<P, R>(visit: &Visit<'_, P, R>, names: &[&str], wait_ms: u64, is_known: bool) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    say(visit, if is_known { LIMITED } else { UNREACHABLE }, names, wait_ms)
}

/// A refusal by these policies, which may not be for so long.
pub(super) fn say<P, R>(visit: &Visit<'_, P, R>, why: Why, names: &[&str], wait_ms: u64) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let (status, kind, token, sentence) = why;
    let wait = seconds(wait_ms).max(1);
    let mut answer = if is_navigation(&|name| visit.request.header(name)) {
        ours::say(visit, status, token, sentence)
    } else {
        let problem = json::object(&[
            ("type", Member::Text(kind)),
            ("title", Member::Text(status.canonical_reason().unwrap_or_default())),
            ("status", Member::Number(status.as_u16().into())),
            ("detail", Member::Text(sentence)),
            ("violated-policies", Member::Texts(names)),
            ("request_id", Member::Text(visit.id())),
        ]);
        let mut answer = Answer::text(status, problem + "\n");
        answer.headers = ours::head(token, "application/problem+json");
        answer
    };
    answer.headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    answer
}

/// What this isolate knows of limits.
fn with_limiter<P, R, T>(visit: &Visit<'_, P, R>, work: impl FnOnce(&mut Limiter) -> T) -> T
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut limiter = visit.isolate.limiter.borrow_mut();
    let of_chance = || Limiter::new(u64::try_from(visit.platform.random() >> 64).unwrap_or_default());
    work(limiter.get_or_insert_with(of_chance))
}

/// Counts a decision, and says aloud what did not work.
fn note<P, R>(visit: &Visit<'_, P, R>, name: &str, policy: &LimitPolicy, key: Key, standing: Option<&Standing>)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let Some(standing) = standing else { return };
    let result = match (standing.admitted, standing.by) {
        (false, _) if policy.shadow => "shadow",
        (true, By::Object | By::Memory) => "admitted",
        (true, By::Lease) => "admitted-by-lease",
        (true, By::Local) => "admitted-locally",
        (true, By::Unreachable) => "admitted-unasked",
        (false, By::Object) => "refused",
        (false, By::Memory | By::Lease) => "refused-from-memory",
        (false, By::Local) => "refused-locally",
        (false, By::Unreachable) => "refused-unasked",
    };
    decided(visit, name, policy, key, result);
    if matches!(standing.by, By::Local | By::Unreachable) {
        visit.remark(match standing.by {
            By::Local => "limit;desc=\"unreachable, counted here\"",
            _ if standing.admitted => "limit;desc=\"unreachable, open\"",
            _ => "limit;desc=\"unreachable, closed\"",
        });
    }
}

/// Counts a decision of a policy, and whom it was on.
pub(super) fn decided<P, R>(visit: &Visit<'_, P, R>, name: &str, policy: &LimitPolicy, key: Key, result: &'static str)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let mut counters = visit.isolate.counters.borrow_mut();
    counters.add(name, Metric::LimitRequests, result, 1);
    // Of everyone together there is only one.
    if policy.partition != [Part::Global] {
        counters.decided(name, key.partition);
    }
}

/// Counts what an object says that it wrote down; one of another version says nothing.
fn count_rows<P, R>(visit: &Visit<'_, P, R>, rows: Option<&str>)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let rows = rows.and_then(|rows| rows.parse().ok()).filter(|rows| *rows > 0);
    if let Some(rows) = rows {
        visit.isolate.counters.borrow_mut().add("", Metric::LimitRows, "", rows);
    }
}

fn count_time<P, R>(visit: &Visit<'_, P, R>, names: &[&str], took: Duration)
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let mut counters = visit.isolate.counters.borrow_mut();
    for name in names {
        counters.add(name, Metric::LimitAsked, "", 1);
        counters.add(name, Metric::LimitTime, "", millis);
    }
}

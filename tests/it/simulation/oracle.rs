//! What must hold for every answer, judged by what the origin said, by what was purged, and by the one clock that is right.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use rimward_edge::control::record::{Selector, Strength};

use super::client::{Asking, Seen};
use super::clockwork::Millis;
use super::origin::{Said, key_of};
use super::platform::{Place, Purged, World};
use super::rules::{For, Freshness, Policy, Rule, Use};

/// How far clocks of two machines are apart at most.
pub(super) const SKEW: Millis = 1_000;
/// A purge is seen everywhere within this time.
const SEEN_WITHIN: Millis = 2_000;
/// What a 304 says is kept before it is known to those who wait: two writes, each as slow as a store may be.
const KEPT_WITHIN: Millis = 600;
/// Whoever waits for others twice, each time for three tries at the origin, and for the log and stores in between, has the head of an answer
/// by now.
const PATIENCE: Millis = 15_000;
/// Whoever purges waits for the log.
const PATIENCE_WITH_THE_LOG: Millis = 18_000;
/// What is to be kept of the answer to a POST is there before it is passed on: its body may take its time.
const PATIENCE_WITH_A_BODY: Millis = 45_000;
/// The platform goes on for so long with what a request leaves behind: nobody who comes later waits for that.
const LEFT_BEHIND: Millis = 30_000;

/// What is known besides what the origin said.
#[derive(Default)]
pub(super) struct Oracle {
    wrong: RefCell<Option<String>>,
    purges: RefCell<Vec<Purged>>,
    /// The last tag that somebody saw at a path.
    tags: RefCell<HashMap<String, String>>,
    /// What unsafe methods changed.
    changed_here: RefCell<Vec<Changed>>,
    pub(super) judged: Cell<u64>,
    pub(super) hits: Cell<u64>,
    pub(super) by_detail: RefCell<HashMap<String, u64>>,
}

/// An unsafe method was answered.
struct Changed {
    /// The isolate that saw it.
    isolate: u64,
    said: Rc<Said>,
    seen_at: Millis,
}

/// One answer, as it is judged.
struct Case<'world> {
    asking: &'world Asking,
    seen: &'world Seen,
    place: &'world Place,
    policy: &'static Policy,
    status: String,
    /// What the origin said last of what is served.
    last: Rc<Said>,
    /// Where its bytes are from.
    bytes: Rc<Said>,
}

type Verdict = Result<(), String>;

/// How long a request may wait for the head of its answer.
fn patience(asking: &Asking) -> Millis {
    match asking.method.as_str() {
        _ if asking.path.starts_with("/.rimward") => PATIENCE_WITH_THE_LOG,
        "POST" => PATIENCE_WITH_A_BODY,
        _ => PATIENCE,
    }
}

fn hold(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Oracle {
    /// Something was found that must not be.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.wrong.borrow_mut().get_or_insert(what.into());
    }

    pub(super) fn take_wrong(&self) -> Option<String> {
        self.wrong.borrow_mut().take()
    }

    pub(super) fn purged(&self, purged: Purged) {
        self.purges.borrow_mut().push(purged);
    }

    pub(super) fn tag(&self, path: &str) -> Option<String> {
        self.tags.borrow().get(path).cloned()
    }

    /// Judges an answer by its head.
    pub(super) fn judge(&self, world: &World, asking: &Asking, seen: &Seen, place: &Place) {
        self.judged.set(self.judged.get() + 1);
        let waited = seen.at - asking.began_at;
        if waited > patience(asking) {
            self.wrong(format!("request {} waited {waited} ms for its answer", asking.number));
        }
        let Some(last) = seen.number("x-answer").and_then(|number| world.origin.said(number)) else {
            return self.judge_ours(asking, seen);
        };
        let bytes = seen.number("x-body").and_then(|number| world.origin.said(number));
        let bytes = bytes.unwrap_or_else(|| Rc::clone(&last));
        let status = seen.cache_status().to_owned();
        let policy = Policy::of(&asking.path);
        self.learn(asking, seen);
        self.count(&status);
        let case = Case { asking, seen, place, policy, status, last, bytes };
        if let Err(why) = case.judge(self) {
            self.wrong(format!(
                "request {} ({} {}?{} by {:?}) at isolate {}: {why}\n  answer {} `{}`, said {} ({}), bytes of {} ({})",
                asking.number,
                asking.method,
                asking.path,
                asking.query.unwrap_or_default(),
                asking.about,
                place.number,
                seen.status,
                case.status,
                case.last.number,
                case.last.rule.name,
                case.bytes.number,
                case.bytes.rule.name,
            ));
        }
    }

    fn learn(&self, asking: &Asking, seen: &Seen) {
        if !seen.field("etag").is_empty() {
            self.tags.borrow_mut().insert(asking.path.clone(), seen.field("etag").to_owned());
        }
    }

    fn count(&self, status: &str) {
        let is_hit = status.starts_with("rimward; hit");
        self.hits.set(self.hits.get() + u64::from(is_hit));
        let detail = status.split("detail=").nth(1).unwrap_or_default();
        let word = status.split("; ").nth(1).unwrap_or_default();
        let collapsed = if status.contains("; collapsed") { " collapsed" } else { "" };
        *self.by_detail.borrow_mut().entry(format!("{word}{collapsed} {detail}")).or_default() += 1;
    }

    /// An answer of the edge's own, or of an origin that fails.
    fn judge_ours(&self, asking: &Asking, seen: &Seen) {
        let is_asked_for = match seen.status {
            416 | 500 | 502..=504 => true,
            status => status == 200 && asking.path.starts_with("/.rimward"),
        };
        if !is_asked_for {
            self.wrong(format!("request {}: {} without any answer of the origin", asking.number, seen.status));
        }
    }

    /// An unsafe method was answered.
    pub(super) fn changed_here(&self, world: &World, asking: &Asking, seen: &Seen, place: &Place) {
        let is_unsafe = matches!(asking.method.as_str(), "POST" | "DELETE");
        let Some(said) = seen.number("x-answer").and_then(|number| world.origin.said(number)) else { return };
        if is_unsafe && (200..400).contains(&seen.status) {
            self.changed_here.borrow_mut().push(Changed { isolate: place.number, said, seen_at: seen.at });
        }
    }

    /// Judges the body of an answer that had one.
    pub(super) fn judge_body(&self, world: &World, asking: &Asking, seen: &Seen, body: &[u8]) {
        let of = seen.number("x-body").and_then(|number| world.origin.said(number));
        let Some(said) = of.filter(|_| matches!(asking.method.as_str(), "GET" | "POST") && seen.status != 304) else {
            return;
        };
        let is_right = match seen.status {
            206 => is_part(seen, body, &said.body),
            416 => true,
            _ => *body == *said.body,
        };
        if !is_right {
            let (found, meant) = (String::from_utf8_lossy(body), String::from_utf8_lossy(&said.body));
            let number = asking.number;
            self.wrong(format!("request {number}: {} with `{found}` where `{meant}` was said", seen.status));
        }
    }
}

/// Whether a body is the part that its head says.
fn is_part(seen: &Seen, body: &[u8], whole: &[u8]) -> bool {
    let part_of = |range: &str| {
        let (range, length) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let part = whole.get(first.parse().ok()?..=last.parse().ok()?)?;
        (length.parse() == Ok(whole.len())).then_some(part)
    };
    if let Some(boundary) = seen.field("content-type").strip_prefix("multipart/byteranges; boundary=") {
        let text = String::from_utf8_lossy(body);
        let border = format!("--{boundary}");
        let mut parts = text.split(&border).filter_map(|part| part.split_once("\r\n\r\n"));
        return parts.all(|(head, bytes)| {
            let range = head.lines().find_map(|line| line.strip_prefix("Content-Range: "));
            range.and_then(part_of) == bytes.strip_suffix("\r\n").map(str::as_bytes)
        });
    }
    part_of(seen.field("content-range")) == Some(body)
}

impl Case<'_> {
    fn judge(&self, oracle: &Oracle) -> Verdict {
        self.is_of_one_state()?;
        self.is_for_this_client()?;
        self.is_the_right_variant()?;
        self.is_what_was_said()?;
        self.is_on_its_way()?;
        self.is_fresh_enough()?;
        self.suits_the_client()?;
        self.is_not_purged(&oracle.purges.borrow())?;
        self.is_not_changed(&oracle.changed_here.borrow())
    }

    /// Whether the origin was asked for this very request.
    fn is_own(&self, said: &Said) -> bool {
        said.request == self.asking.number
    }

    fn freshness(&self) -> Freshness {
        let Said { rule, about, status, made_at, .. } = &*self.last;
        let since = self.last_modified_before();
        self.policy.freshness(rule, about, *status, (made_at - since) / 1000)
    }

    fn last_modified_before(&self) -> Millis {
        let text = String::from_utf8_lossy(&self.last.body);
        let since = text.split("since=").nth(1).and_then(|rest| rest.split(';').next());
        since.and_then(|since| since.parse().ok()).expect("a body says since when it is so")
    }

    fn is_of_one_state(&self) -> Verdict {
        let (last, bytes) = (&self.last, &self.bytes);
        let is_one = if last.is_head { last.version == bytes.version } else { last.number == bytes.number };
        hold(is_one && last.url == bytes.url, || format!("it mixes versions {} and {}", last.version, bytes.version))?;
        let url = key_of(&self.asking.path, self.asking.query);
        hold(last.url == url, || format!("it is of {}", last.url))
    }

    fn is_for_this_client(&self) -> Verdict {
        // What comes without a body says something of what is stored already, whoever asked.
        let is_unshared = |said: &Said| {
            let by_authorization = said.about.by_authorization && said.rule.who != For::Public && !said.is_head;
            let is_guessed = said.rule.lifetime.is_none() && self.policy.is_personal(&said.about) && !said.is_head;
            said.rule.who == For::Asker || said.about.no_store || by_authorization || is_guessed
        };
        for said in [&self.last, &self.bytes] {
            hold(!is_unshared(said) || self.is_own(said), || {
                format!("it was said to request {} alone, {:?}", said.request, said.about)
            })?;
        }
        let cookie = self.seen.field("set-cookie");
        hold(cookie.is_empty() || cookie == format!("mine={}", self.asking.number), || format!("it sets `{cookie}`"))?;
        // What the origin did not say is for everybody is not for those who say who they are.
        let is_ours_to_share = self.policy.is_personal(&self.asking.about) && !self.freshness().by_origin;
        hold(!is_ours_to_share || self.is_own(&self.last), || "a guess answers somebody who says who he is".to_owned())
    }

    fn is_the_right_variant(&self) -> Verdict {
        let wanted = self.bytes.rule.variant(&self.asking.about);
        let given = self.bytes.rule.variant(&self.bytes.about);
        hold(wanted == given, || format!("it is for `{given}`, and `{wanted}` was asked for"))
    }

    fn is_what_was_said(&self) -> Verdict {
        let Case { seen, bytes, asking, .. } = self;
        if seen.status == 304 {
            let tag = seen.field("etag");
            let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
            let meant = asking.field("if-none-match");
            return hold(meant.is_some_and(|tags| tags.split(',').any(|meant| bare(meant) == bare(tag))), || {
                format!("304 of `{tag}` for whoever has {meant:?}")
            });
        }
        let is_part = seen.status == 206;
        hold(!is_part || asking.field("range").is_some(), || "a part that nobody asked for".to_owned())?;
        let is_status = is_part && bytes.status == 200 || seen.status == bytes.status;
        let is_empty_answer = seen.status == 204 && bytes.is_head;
        hold(is_status || is_empty_answer, || format!("{} was said", bytes.status))?;
        for (name, value) in &bytes.fields {
            let is_multipart = *name == "content-type" && is_part && seen.field(name).starts_with("multipart/");
            hold(seen.field(name) == value || is_multipart || is_empty_answer, || {
                format!("`{name}` is `{}`, and `{value}` was said", seen.field(name))
            })?;
        }
        let length = seen.number("content-length");
        let is_whole = !is_part && !is_empty_answer;
        hold(!is_whole || length.is_none_or(|length| length == bytes.body.len() as u64), || {
            format!("it says that it has {length:?} bytes")
        })
    }

    /// Whoever waits for another's answer waits for what still comes.
    fn is_on_its_way(&self) -> Verdict {
        // What stands in for an answer that failed is stored, and as old as its grace allows.
        let came_after = self.asking.began_at.saturating_sub(self.last.asked_at);
        hold(!self.is_shared() || came_after < LEFT_BEHIND, || {
            format!("it waited for what was asked {came_after} ms before")
        })
    }

    fn is_fresh_enough(&self) -> Verdict {
        let (last, asking, seen) = (&self.last, self.asking, self.seen);
        if last.asked_at >= asking.began_at && last.rule.reuse == Use::Normal || self.is_own(last) {
            return Ok(());
        }
        let Freshness { lifetime, reuse, while_revalidating, if_error, .. } = self.freshness();
        let age_of = |moment: Millis| moment.saturating_sub(last.made_at) + last.rule.age * 1000;
        let ttl = self.parameter("ttl").unwrap_or_default();
        let client = |directive: &str| {
            let wish = asking.field("cache-control").and_then(|wish| wish.strip_prefix(directive));
            wish.and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or_default()
        };
        let grace = match self.detail() {
            _ if reuse != Use::Normal => 0,
            "stale-if-error" => if_error.max(client("stale-if-error=")),
            "stale-while-revalidate" => while_revalidating,
            "max-stale" => client("max-stale="),
            "" if ttl > 0 || !self.is_hit() => 0,
            // The word says what did not work.
            _ => while_revalidating.max(if_error).max(client("max-stale=")).max(client("stale-if-error=")),
        };
        hold(reuse != Use::Validated || last.made_at + SKEW >= asking.began_at, || {
            "it is not to be used without asking".to_owned()
        })?;
        // Who waits for another's answer gets it even if it expires on its way.
        let kept_within = if last.is_head { KEPT_WITHIN } else { 0 };
        let was_waiting = last.landed_at.get().saturating_add(kept_within) >= asking.began_at;
        if self.is_shared() && reuse == Use::Normal && was_waiting {
            return Ok(());
        }
        let moment = seen.at;
        hold(age_of(moment) < (lifetime + grace) * 1000 + SKEW, || {
            format!("it is {} ms old, fresh for {lifetime} s, with a grace of {grace} s", age_of(moment))
        })?;
        let said_age = seen.number("age");
        hold(!self.is_hit() || said_age.is_some_and(|age| (age + 1) * 1000 + SKEW > age_of(seen.at)), || {
            format!("it is {} ms old, and says {said_age:?}", age_of(seen.at))
        })
    }

    fn suits_the_client(&self) -> Verdict {
        let (last, asking) = (&self.last, self.asking);
        hold(!asking.wants("no-cache") || self.is_own(last), || {
            "it was not validated, as the client wants".to_owned()
        })?;
        let wish = asking.field("cache-control").and_then(|wish| wish.strip_prefix("max-age="));
        let limit = wish.and_then(|seconds| seconds.parse::<u64>().ok());
        if let Some(limit) = limit.filter(|_| self.is_hit() || self.is_shared()) {
            let age = self.seen.at.saturating_sub(last.made_at);
            return hold(age < (limit + 1) * 1000 + SKEW, || {
                format!("it is {age} ms old, as the client does not want")
            });
        }
        Ok(())
    }

    fn is_not_purged(&self, purges: &[Purged]) -> Verdict {
        let (last, bytes) = (&self.last, &self.bytes);
        let within = if self.policy.is_strict { 0 } else { SEEN_WITHIN };
        let is_excused = self.status.contains("detail=control-log-unreachable") && !self.policy.is_strict;
        for Purged { purge, at } in purges.iter().rev() {
            let fetched = last.asked_at.min(bytes.asked_at);
            if *at <= fetched || is_excused {
                break;
            }
            if at + within >= self.asking.began_at || !purge.of.iter().any(|selector| self.names(selector)) {
                continue;
            }
            let age = self.seen.at - at;
            match purge.strength {
                Strength::Hard => {
                    return Err(format!("it was asked for before a purge of {:?}, {age} ms ago", purge.of));
                }
                Strength::Soft if *at > last.asked_at => {
                    let Freshness { while_revalidating, if_error, reuse, .. } = self.freshness();
                    let grace = if reuse == Use::Normal { while_revalidating.max(if_error).max(5) } else { 0 };
                    let is_marked = self.parameter("ttl").is_some_and(|ttl| ttl <= 0);
                    hold(is_marked && age < grace * 1000 + SKEW + 1000, || {
                        format!("it was asked for before a soft purge of {:?}, {age} ms ago", purge.of)
                    })?;
                }
                Strength::Soft => {}
            }
        }
        Ok(())
    }

    fn is_not_changed(&self, changed: &[Changed]) -> Verdict {
        let last = &self.last;
        let is_of_this_isolate = last.isolate == self.place.number;
        let is_older = |change: &&Changed| {
            // Whatever store has it, and whoever put it there: this isolate reads nothing that was asked for before it saw the
            // change, but what the change itself brought. Clocks of others differ.
            let made_at = change.said.made_at;
            if is_of_this_isolate { last.made_at < made_at } else { last.asked_at + SKEW < made_at }
        };
        let mut here = changed.iter().filter(|change| {
            change.isolate == self.place.number && change.said.url == last.url && change.seen_at < self.asking.began_at
        });
        let since = here.find(is_older);
        hold(since.is_none(), || "it was said before something changed there".to_owned())
    }

    /// Whether a purge names what is served.
    fn names(&self, selector: &Selector) -> bool {
        let url = &self.last.url;
        let path = url.split('?').next().unwrap_or_default();
        let kind = Rule::name_in(path);
        match selector {
            Selector::Url(purged) => purged == url,
            Selector::Prefix(prefix) => {
                let below = prefix.trim_end_matches('/');
                path.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'))
                    || path == below && !prefix.ends_with('/')
            }
            Selector::Tag(tag) => {
                let of_policy = tag.strip_prefix("policy-") == Some(self.policy.name);
                self.policy.has_tags && (of_policy || tag == "tag-all" || tag.strip_prefix("tag-") == Some(kind))
            }
            Selector::Group { name, .. } => name.strip_prefix("group-") == Some(kind),
            Selector::All => true,
        }
    }

    fn is_hit(&self) -> bool {
        self.status.starts_with("rimward; hit")
    }

    /// Whether it is what another request fetched, which this one waited for.
    fn is_shared(&self) -> bool {
        self.status.contains("; stored") && self.status.contains("; collapsed")
    }

    fn detail(&self) -> &str {
        self.status.split("; detail=").nth(1).unwrap_or_default()
    }

    fn parameter(&self, name: &str) -> Option<i64> {
        self.status.split("; ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
    }
}

impl Said {
    /// Whether others must get it, from a data centre that has it, at that moment.
    pub(super) fn is_reusable(&self, policy: &Policy, moment: Millis) -> bool {
        let Some(Freshness { lifetime, reuse, .. }) = policy.certain_freshness(self.rule, &self.about, self.status)
        else {
            return false;
        };
        let age = moment.saturating_sub(self.made_at) + self.rule.age * 1000;
        // The origin says in whole seconds when it was.
        let is_fresh = age + SKEW + 1_000 < lifetime * 1000;
        self.rule.who != For::Asker && reuse != Use::Validated && is_fresh
    }
}

//! `rimward purge`: what the edge has stored is no longer valid, at every location.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use rimward_edge::control::ledger::RECORD;
use rimward_edge::guard::secret::Scope;
use rimward_edge::release::manifest::RELEASES_PATH;
use serde_json::{Value, json};

use super::{Ended, Talk, Trouble, ended, plan_of, site};
use crate::changes::{Change, Changes};
use crate::cli::PurgeArgs;
use crate::config::Plan;
use crate::fs::{Files as _, Real};
use crate::site::Site;

/// Where purges are asked for.
const PATH: &str = "/.rimward/purge";

/// How often `--wait` asks whether the purge is seen, and how long after one another.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(500);

/// The body of one request stays well below what the edge takes.
const BATCH_BYTES: usize = RECORD.text_bytes / 2;

/// Purges what was named, or lists what the zone was not told.
pub fn run(args: &PurgeArgs) -> Ended {
    let talk = Talk::new();
    let (plan, findings) = match plan_of(&talk, &args.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    talk.findings(&findings);
    let done = site(args.to.as_ref(), &plan, Scope::Purge).and_then(|site| match args.failed {
        true => failed(&talk, args, &site),
        false => purge(&talk, args, &plan, &site),
    });
    ended(&talk, done)
}

fn purge(talk: &Talk, args: &PurgeArgs, plan: &Plan, site: &Site) -> Result<Ended, Trouble> {
    let mut purges = named(args);
    if let Some(since) = &args.release {
        let changed = changed(plan, since.as_deref())?;
        talk.say(format!("the release changed {}", count(changed.len(), "URL")));
        purges.extend(changed.into_keys().map(|url| json!({ "url": url })));
    }
    let key = args.key.clone().unwrap_or_else(fresh_key);
    let batches = batches(purges);
    let mut done = Purged::default();
    for (place, batch) in batches.iter().enumerate() {
        // One purge under one key: what is sent again where no answer came purges nothing twice.
        let key = if batches.len() == 1 { key.clone() } else { format!("{key}-{}", place + 1) };
        let answer = site.post(PATH, &json!({ "purges": batch, "soft": args.soft, "key": key }))?;
        done.add(batch.len(), &answer);
    }
    if args.wait && done.named > 0 {
        wait(site, &done)?;
    }
    said(talk, args, site, &done);
    Ok(Ended::Done)
}

/// Waits until no isolate can know less, and has the one that answers here say that it does not.
fn wait(site: &Site, purged: &Purged) -> Result<(), Trouble> {
    std::thread::sleep(purged.settles_in);
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(LOOK);
        }
        if purged.is_seen(&site.read(PATH)?) {
            return Ok(());
        }
    }
    Err(Trouble::Environment(format!(
        "the purge is in the control log, but {} cannot reach that\n  hint: until it can, what is stored there is served, \
         with `detail=control-log-unreachable` in `Cache-Status`",
        site.url()
    )))
}

/// What the flags name, as the edge takes it.
fn named(args: &PurgeArgs) -> Vec<Value> {
    let kinds = [("url", &args.url), ("prefix", &args.prefix), ("tag", &args.tag), ("group", &args.group)];
    let each = kinds.into_iter().flat_map(|(kind, values)| values.iter().map(move |value| json!({ kind: value })));
    each.chain(args.all.then(|| json!({ "all": true }))).collect()
}

/// The URLs that the last build changed, or all builds since a release.
fn changed(plan: &Plan, since: Option<&str>) -> Result<BTreeMap<String, Change>, Trouble> {
    let releases = Real.read(&plan.output.join(RELEASES_PATH)).ok();
    let releases = releases.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(current) = releases.as_ref().and_then(|list| list["current"].as_str()) else {
        let output = plan.output.display();
        return Err(Trouble::Inputs(format!(
            "there is no release in `{output}`\n  hint: make one with `rimward build`"
        )));
    };
    let changes = Changes::published(&Real, &plan.output);
    let newest = changes.sets.first().filter(|set| set.to == current);
    let since = since.or(newest.map(|set| set.from.as_str()));
    match since {
        // Nothing answered before the first release.
        None if changes.sets.is_empty() => Ok(BTreeMap::new()),
        Some(since) if since == current && newest.is_none_or(|set| set.from != since) => Ok(BTreeMap::new()),
        Some(since) if newest.is_some() => changes.since(since).ok_or_else(|| {
            let known: Vec<&str> = changes.sets.iter().map(|set| set.from.as_str()).collect();
            Trouble::Inputs(format!(
                "what changed since release `{since}` is not known\n  hint: it is since {}",
                known.join(", ")
            ))
        }),
        _ => Err(Trouble::Inputs(
            "the last build did not end: what it changed is not known\n  hint: `rimward build` again".to_owned(),
        )),
    }
}

/// As many as one record of the log holds, each.
fn batches(purges: Vec<Value>) -> Vec<Vec<Value>> {
    let mut batches: Vec<Vec<Value>> = Vec::new();
    let mut bytes = 0;
    for purge in purges {
        let length = purge.to_string().len();
        match batches.last_mut() {
            Some(batch) if batch.len() < RECORD.selectors && bytes + length <= BATCH_BYTES => batch.push(purge),
            _ => {
                bytes = 0;
                batches.push(vec![purge]);
            }
        }
        bytes += length;
    }
    batches
}

/// A key that nobody has used: 128 random bits.
fn fresh_key() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

/// What came of all batches.
#[derive(Default)]
struct Purged {
    named: usize,
    /// The log that took the last of them, and its last place there: of another log a place says nothing.
    log: Value,
    sequence: u64,
    again: usize,
    zone_calls: u64,
    settles_in: Duration,
}

impl Purged {
    fn add(&mut self, named: usize, answer: &Value) {
        self.named += named;
        if answer["log"] != self.log {
            // The log was lost in between, and begun anew: that covers all that was fetched before.
            (self.log, self.sequence) = (answer["log"].clone(), 0);
        }
        self.sequence = self.sequence.max(answer["sequence"].as_u64().unwrap_or_default());
        self.again += if answer["again"] == true { named } else { 0 };
        self.zone_calls += answer["zone_calls"].as_u64().unwrap_or_default();
        let settles_in = Duration::from_millis(answer["settles_in_ms"].as_u64().unwrap_or_default());
        // Batches are sent one after the other: the last one settles last.
        self.settles_in = self.settles_in.max(settles_in);
    }

    /// Whether an isolate that knows so much, now that every lease from before has ended, knows the purges. If it knows
    /// another log than took them, that was begun later, and covers all that was fetched before.
    fn is_seen(&self, known: &Value) -> bool {
        let reaches = known["sequence"].as_u64().is_some_and(|sequence| sequence >= self.sequence);
        known["sure"] == true && (known["log"] != self.log || reaches)
    }
}

fn said(talk: &Talk, args: &PurgeArgs, site: &Site, purged: &Purged) {
    if args.json {
        println!(
            "{}",
            json!({
                "site": site.url().to_string(),
                "named": purged.named,
                "again": purged.again,
                "soft": args.soft,
                "log": purged.log,
                "sequence": purged.sequence,
                "settled": args.wait || purged.settles_in.is_zero(),
                "settles_in_ms": u64::try_from(purged.settles_in.as_millis()).unwrap_or(u64::MAX),
                "zone_calls": purged.zone_calls,
            })
        );
    }
    if purged.named == 0 {
        return talk.say("nothing to purge");
    }
    let done = if args.soft { "marked as stale" } else { "purged" };
    let when = match (args.wait, purged.settles_in.is_zero()) {
        (true, _) | (_, true) => "seen everywhere".to_owned(),
        _ => format!("seen everywhere within {:.1} s", purged.settles_in.as_secs_f64()),
    };
    talk.say(format!("{done}: {} at {}, {when}", count(purged.named, "name"), site.url()));
    if purged.again > 0 {
        talk.say(format!("{} were purged before, under the same key", purged.again));
    }
    if purged.zone_calls > 0 {
        talk.say("the zone's cache is being told; `rimward purge --failed` lists what it refuses");
    }
}

fn failed(talk: &Talk, args: &PurgeArgs, site: &Site) -> Result<Ended, Trouble> {
    let work = site.read(&format!("{PATH}/failed"))?;
    let failed = work["failed"].as_array().map_or(&[][..], Vec::as_slice);
    if args.replay {
        let replayed = site.post(&format!("{PATH}/replay"), &json!({}))?;
        if args.json {
            println!("{replayed}");
        }
        talk.say(format!("{} made again", count(usize_of(&replayed["replayed"]), "call")));
        return Ok(Ended::Done);
    }
    if args.json {
        println!("{work}");
    }
    for call in failed {
        talk.say(format!("  {}: {}", call["call"], call["answer"].as_str().unwrap_or_default()));
    }
    let waiting = usize_of(&work["waiting"]);
    talk.say(format!("{} given up, {} waiting", count(failed.len(), "call"), count(waiting, "call")));
    if failed.is_empty() {
        return Ok(Ended::Done);
    }
    talk.say("hint: once the cause is gone, `rimward purge --failed --replay` makes them again");
    Ok(Ended::Errors)
}

fn usize_of(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_what_the_edge_takes() {
        let args = PurgeArgs {
            url: vec!["/a".into(), "https://shop.example/b".into()],
            tag: vec!["t".into()],
            all: true,
            ..PurgeArgs::default()
        };
        let expected = [
            json!({ "url": "/a" }),
            json!({ "url": "https://shop.example/b" }),
            json!({ "tag": "t" }),
            json!({ "all": true }),
        ];
        assert_eq!(named(&args), expected);
    }

    #[test]
    fn no_batch_is_more_than_one_record_holds() {
        let purges: Vec<Value> = (0..1200).map(|number| json!({ "tag": number.to_string() })).collect();
        let parts: Vec<usize> = batches(purges).iter().map(Vec::len).collect();
        assert_eq!(parts, [500, 500, 200]);
        let long: Vec<Value> = (0..100).map(|_| json!({ "url": format!("/{}", "x".repeat(4000)) })).collect();
        let parts = batches(long);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 100);
        for part in &parts {
            let bytes: usize = part.iter().map(|purge| purge.to_string().len()).sum();
            assert!(bytes <= BATCH_BYTES, "{bytes}");
        }
        assert!(batches(Vec::new()).is_empty());
    }

    #[test]
    fn places_of_two_logs_are_never_compared() {
        let answer = |log: &str, sequence: u64| json!({ "log": log, "sequence": sequence, "settles_in_ms": 2000 });
        let known = |log: &str, sequence: u64, sure: bool| json!({ "log": log, "sequence": sequence, "sure": sure });
        let mut purged = Purged::default();
        purged.add(1, &answer("7", 900));
        assert!(purged.is_seen(&known("7", 900, true)) && purged.is_seen(&known("7", 901, true)));
        assert!(!purged.is_seen(&known("7", 899, true)));
        assert!(
            !purged.is_seen(&known("7", 900, false)),
            "what cannot reach the log has not seen what it does not say"
        );
        // A log that was begun anew, by a clock that is behind, has lower places; and has purged everything.
        assert!(purged.is_seen(&known("8", 500, true)) && !purged.is_seen(&known("8", 500, false)));
        purged.add(1, &answer("8", 501));
        assert_eq!((purged.named, &purged.log, purged.sequence), (2, &json!("8"), 501));
        assert!(!purged.is_seen(&known("8", 500, true)) && purged.is_seen(&known("8", 501, true)));
    }

    #[test]
    fn every_purge_has_a_key_of_its_own() {
        assert_eq!(fresh_key().len(), 32);
        assert_ne!(fresh_key(), fresh_key());
    }
}

//! What the platform's own cache is told of a purge: calls of Cloudflare's zone API, and what their answers mean.
//!
//! `POST /zones/{zone_id}/purge_cache` and, for soft ones, `…/invalidate_cache`, each with one of `files`, `tags`,
//! `hosts`, `prefixes`, `purge_everything`. The zone knows no groups (RFC 9875): they are not told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{Purge, Selector, Strength};
use crate::json::{self, Value};
use crate::time::Timestamp;

/// The Worker's variable that names the zone; without it no zone is told.
pub const ID_VARIABLE: &str = "RIMWARD_ZONE_ID";

/// The Worker's secret that the zone API asks for: a token that may purge the zone's cache.
pub const TOKEN_VARIABLE: &str = "RIMWARD_ZONE_TOKEN";

/// The Worker's variable with the base of the zone API, where it is not Cloudflare's.
pub const API_VARIABLE: &str = "RIMWARD_ZONE_API";

/// Items of one call: what every plan allows.
pub const ITEMS_PER_CALL: usize = 100;

/// After how many tries a call is given up: with the pauses between them, after about two hours.
pub const TRIES: u32 = 16;

/// The pause after the first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(2);

/// No pause is longer, whatever the API asks for.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// How much of the API's words is kept.
const WORDS_BYTES: usize = 500;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneCall {
    /// The zone's id.
    pub zone: String,
    /// Soft ones are invalidations.
    #[serde(default)]
    pub strength: Strength,
    /// What it names.
    pub items: Items,
}

/// What a call names: one kind of things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// Absolute URLs.
    Files(Vec<String>),
    /// Cache tags.
    Tags(Vec<String>),
    /// Host names.
    Hosts(Vec<String>),
    /// Host and path, without scheme.
    Prefixes(Vec<String>),
    /// The whole zone.
    PurgeEverything(bool),
}

/// A call that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Of the call.
    pub id: u64,
    /// What was to be done.
    pub call: ZoneCall,
    /// When it was asked for.
    pub made_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What came of the last one.
    pub answer: String,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is done.
    Done,
    /// It may succeed later.
    Again {
        /// How long to wait at least, if the API said so.
        after: Option<Duration>,
        /// Whether every other call would come to the same now.
        all: bool,
        /// In a few words.
        answer: String,
    },
    /// It will never succeed as it is.
    Never {
        /// In a few words.
        answer: String,
    },
}

/// The calls that tell a zone of a purge. A purge of everything is of the site's `hosts`, where it names any: the zone may
/// have other sites.
pub fn calls(purge: &Purge, zone: &str, hosts: &[String]) -> Vec<ZoneCall> {
    let call = |items| ZoneCall { zone: zone.to_owned(), strength: purge.strength, items };
    if purge.of.contains(&Selector::All) && hosts.is_empty() {
        return vec![call(Items::PurgeEverything(true))];
    }
    let (mut files, mut tags, mut prefixes, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for selector in &purge.of {
        match selector {
            Selector::Url(url) => files.push(url.clone()),
            Selector::Tag(tag) => tags.push(tag.clone()),
            Selector::Prefix(prefix) => prefixes.push(without_scheme(prefix)),
            Selector::Group { .. } => {}
            Selector::All => all.extend_from_slice(hosts),
        }
    }
    let kinds = [Items::Files(files), Items::Tags(tags), Items::Prefixes(prefixes), Items::Hosts(all)];
    kinds.into_iter().flat_map(Items::split).map(call).collect()
}

/// As the API wants prefixes. Without a slash at the end it covers a little more, never less.
fn without_scheme(prefix: &str) -> String {
    let host = prefix.split_once("://").map_or(prefix, |(_, rest)| rest);
    host.trim_end_matches('/').to_owned()
}

impl Items {
    fn list(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Items::Files(list) | Items::Tags(list) | Items::Hosts(list) | Items::Prefixes(list) => Some(list),
            Items::PurgeEverything(_) => None,
        }
    }

    /// As many as fit into one call, each; none where there are none.
    fn split(mut self) -> Vec<Items> {
        let Some(list) = self.list() else { return vec![self] };
        let list = std::mem::take(list);
        let part = |part: &[String]| {
            let mut items = self.clone();
            items.list().expect("a list, as it was above").extend_from_slice(part);
            items
        };
        list.chunks(ITEMS_PER_CALL).map(part).collect()
    }
}

impl ZoneCall {
    /// Takes over what another call names, as far as there is room: what is left of it.
    pub fn absorb(&mut self, mut other: ZoneCall) -> Option<ZoneCall> {
        let same = self.zone == other.zone
            && self.strength == other.strength
            && std::mem::discriminant(&self.items) == std::mem::discriminant(&other.items);
        if !same {
            return Some(other);
        }
        let (Some(mine), Some(theirs)) = (self.items.list(), other.items.list()) else { return None };
        theirs.retain(|item| {
            let room = mine.len() < ITEMS_PER_CALL;
            if room && !mine.contains(item) {
                mine.push(item.clone());
            }
            !mine.contains(item)
        });
        (!theirs.is_empty()).then_some(other)
    }

    /// What covers this call and every other one to its zone.
    #[must_use]
    pub fn widened(self) -> ZoneCall {
        ZoneCall { zone: self.zone, strength: Strength::Hard, items: Items::PurgeEverything(true) }
    }

    /// The path below the API's base.
    pub fn path(&self) -> String {
        let endpoint = match self.strength {
            Strength::Hard => "purge_cache",
            Strength::Soft => "invalidate_cache",
        };
        format!("/zones/{}/{endpoint}", self.zone)
    }

    /// The body of the request.
    pub fn body(&self) -> String {
        json::write(&self.items).expect("lists of texts are JSON")
    }
}

/// What an answer means. `status` is absent where there was none, and `text` says why.
pub fn judge(status: Option<u16>, retry_after: Option<&str>, text: &str) -> Judgement {
    let Some(status) = status else {
        return Judgement::Again { after: None, all: false, answer: format!("no answer: {}", words(text)) };
    };
    let accepted = || {
        let answer = Value::parse(text.as_bytes()).ok();
        answer.is_some_and(|answer| answer.get("success") == Some(&Value::Bool(true)))
    };
    let answer = format!("{status}: {}", words(text)).trim_end().to_owned();
    match status {
        200 if accepted() => Judgement::Done,
        429 => Judgement::Again { after: retry_after.and_then(seconds), all: true, answer },
        408 | 500.. => Judgement::Again { after: retry_after.and_then(seconds), all: false, answer },
        _ => Judgement::Never { answer },
    }
}

/// How long to wait after so many tries have failed.
pub fn pause(tries: u32, asked_for: Option<Duration>) -> Duration {
    let doubled = PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(20));
    doubled.max(asked_for.unwrap_or_default()).min(LONGEST_PAUSE)
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The beginning of a text, on one line.
fn words(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= WORDS_BYTES).last();
    line[..end.unwrap_or(0)].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(strength: Strength, of: &[Selector]) -> Purge {
        Purge { of: of.to_vec(), strength }
    }

    #[track_caller]
    fn check(of: &[Selector], hosts: &[&str], expected: &[(&str, &str)]) {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let calls = calls(&purge(Strength::Hard, of), "z1", &hosts);
        let calls: Vec<(String, String)> = calls.iter().map(|call| (call.path(), call.body())).collect();
        let calls: Vec<(&str, &str)> = calls.iter().map(|(path, body)| (path.as_str(), body.as_str())).collect();
        assert_eq!(calls, expected, "{of:?}");
    }

    #[test]
    fn a_call_names_one_kind_of_things() {
        let of = [
            Selector::Url("https://h/a?b=1".into()),
            Selector::Tag("x".into()),
            Selector::Prefix("https://h/p/".into()),
            Selector::Prefix("https://h/".into()),
            Selector::Url("https://h/c".into()),
            Selector::Group { origin: "https://h".into(), name: "g".into() },
        ];
        let path = "/zones/z1/purge_cache";
        check(
            &of,
            &[],
            &[
                (path, r#"{"files":["https://h/a?b=1","https://h/c"]}"#),
                (path, r#"{"tags":["x"]}"#),
                (path, r#"{"prefixes":["h/p","h"]}"#),
            ],
        );
        check(&of[5..], &[], &[]);
    }

    #[test]
    fn everything_is_the_zone_only_where_the_site_names_no_hosts() {
        let of = [Selector::Tag("x".into()), Selector::All];
        let path = "/zones/z1/purge_cache";
        check(&of, &[], &[(path, r#"{"purge_everything":true}"#)]);
        check(&of, &["shop.example"], &[(path, r#"{"tags":["x"]}"#), (path, r#"{"hosts":["shop.example"]}"#)]);
    }

    #[test]
    fn soft_purges_are_invalidations() {
        let calls = calls(&purge(Strength::Soft, &[Selector::All]), "z1", &[]);
        assert_eq!(calls[0].path(), "/zones/z1/invalidate_cache");
        assert_eq!(calls[0].body(), r#"{"purge_everything":true}"#);
    }

    fn files(range: std::ops::Range<usize>) -> ZoneCall {
        let files = range.map(|number| format!("https://h/{number}")).collect();
        ZoneCall { zone: "z1".into(), strength: Strength::Hard, items: Items::Files(files) }
    }

    #[test]
    fn no_call_names_more_than_the_api_takes() {
        let of: Vec<Selector> = (0..250).map(|number| Selector::Url(format!("https://h/{number}"))).collect();
        assert_eq!(calls(&purge(Strength::Hard, &of), "z1", &[]), [files(0..100), files(100..200), files(200..250)]);
    }

    #[test]
    fn calls_that_wait_are_joined_up_to_that() {
        let mut waiting = files(0..90);
        assert_eq!(waiting.absorb(files(85..95)), None);
        assert_eq!(waiting, files(0..95));
        assert_eq!(waiting.absorb(files(90..110)), Some(files(100..110)));
        assert_eq!(waiting, files(0..100));
        let soft = ZoneCall { strength: Strength::Soft, ..files(0..1) };
        assert_eq!(waiting.absorb(soft.clone()), Some(soft));
        let other = ZoneCall { zone: "z2".into(), ..files(0..1) };
        assert_eq!(waiting.absorb(other.clone()), Some(other));
        assert_eq!(waiting.clone().widened().absorb(waiting.widened()), None);
    }

    #[test]
    fn answers_are_taken_at_their_word() {
        let again = |after: Option<u64>, all, answer: &str| Judgement::Again {
            after: after.map(Duration::from_secs),
            all,
            answer: answer.to_owned(),
        };
        let done = r#"{"success":true,"errors":[],"messages":[],"result":{"id":"023e105f4ecef8ad9ca31a8372d0c353"}}"#;
        assert_eq!(judge(Some(200), None, done), Judgement::Done);
        let failed = r#"{"success":false,"errors":[{"code":1093,"message":"no"}],"messages":[],"result":null}"#;
        assert!(matches!(judge(Some(200), None, failed), Judgement::Never { .. }));
        assert!(
            matches!(judge(Some(403), Some("5"), failed), Judgement::Never { answer } if answer.starts_with("403: {"))
        );
        assert_eq!(judge(Some(429), Some("30"), "slow\ndown"), again(Some(30), true, "429: slow down"));
        assert_eq!(judge(Some(429), Some("soon"), ""), again(None, true, "429:"));
        assert_eq!(
            judge(Some(502), None, "é".repeat(400).as_str()),
            again(None, false, &format!("502: {}", "é".repeat(250)))
        );
        assert_eq!(judge(None, None, "reset"), again(None, false, "no answer: reset"));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let pauses: Vec<u64> = [1, 2, 3, 8, 16, u32::MAX].iter().map(|tries| pause(*tries, None).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 256, 900, 900]);
        assert_eq!(pause(1, Some(Duration::from_secs(50))).as_secs(), 50);
        assert_eq!(pause(4, Some(Duration::from_secs(1))).as_secs(), 16);
        assert_eq!(pause(1, Some(Duration::from_secs(999_999))).as_secs(), 900);
        let whole: Duration = (1..TRIES).map(|tries| pause(tries, None)).sum();
        assert!((1..3).contains(&(whole.as_secs() / 3600)), "{whole:?}");
    }
}

//! `rimward limits`: who is banned, and by whom; bans somebody, or lets him in again.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{Ended, Talk, Trouble, operate};
use crate::cli::{LimitsArgs, LimitsCommand, SiteArgs, WhomArgs};
use crate::site::Site;

/// Where bans are asked for.
const PATH: &str = "/.rimward/limits";

/// Lists bans, makes one, or ends one.
pub fn run(args: &LimitsArgs) -> Ended {
    let at = match &args.command {
        LimitsCommand::List(at) => at,
        LimitsCommand::Ban(ban) => &ban.site,
        LimitsCommand::Lift(lift) => &lift.site,
    };
    operate(at, |talk, site| match &args.command {
        LimitsCommand::List(_) => list(talk, at, site),
        LimitsCommand::Ban(ban) => {
            change(talk, at, site, &json!({ "ban": named(&ban.whom, ban.period.map(|period| period.as_secs()))? }))
        }
        LimitsCommand::Lift(lift) => change(talk, at, site, &json!({ "lift": named(&lift.whom, None)? })),
    })
}

fn list(talk: &Talk, at: &SiteArgs, site: &Site) -> Result<Ended, Trouble> {
    let answer = site.read(PATH)?;
    if at.json {
        println!("{answer}");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let bans = answer["bans"].as_array().map_or(&[][..], Vec::as_slice);
    for ban in bans {
        talk.say(line(ban, now));
    }
    talk.say(match bans.len() {
        0 => format!("nobody is banned at {}", site.url()),
        1 => "1 ban".to_owned(),
        count => format!("{count} bans"),
    });
    let top = answer["top"].as_array().map_or(&[][..], Vec::as_slice);
    if !top.is_empty() {
        talk.say("who asked most, in this hour and the last:");
    }
    for asker in top {
        talk.say(top_line(asker));
    }
    if answer["sure"] == false {
        talk.say("the control log cannot be reached: this is what was known before");
    }
    Ok(Ended::Done)
}

/// A ban, for people.
fn line(ban: &Value, now: Duration) -> String {
    let text = |name: &str| ban[name].as_str().unwrap_or_default();
    let until = Duration::from_millis(ban["until_ms"].as_u64().unwrap_or_default());
    let left = until.saturating_sub(now).as_secs();
    format!("  {}: {} for another {left} s, by {}", text("limit"), text("digest"), text("by"))
}

/// Somebody who asked much, for people.
fn top_line(asker: &Value) -> String {
    let text = |name: &str| asker[name].as_str().unwrap_or_default();
    let number = |name: &str| asker[name].as_u64().unwrap_or_default();
    let doubt = match number("error") {
        0 => String::new(),
        error => format!(", perhaps {error} fewer"),
    };
    format!("  {}: {} in {} requests{doubt}", text("limit"), text("digest"), number("requests"))
}

fn change(talk: &Talk, at: &SiteArgs, site: &Site, body: &Value) -> Result<Ended, Trouble> {
    let answer = site.post(PATH, body)?;
    if at.json {
        println!("{answer}");
    }
    let done = if body.get("ban").is_some() { "banned" } else { "let in again" };
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let settles_in = answer["settles_in_ms"].as_u64().unwrap_or_default();
    let when = Duration::from_millis(settles_in).as_secs_f64();
    talk.say(format!("{done}: {} under `{}`, everywhere within {when:.1} s", text("digest"), text("limit")));
    Ok(Ended::Done)
}

/// Whom, as the edge takes it: by the parts of a partition, as the settings spell them.
fn named(whom: &WhomArgs, seconds: Option<u64>) -> Result<Map<String, Value>, Trouble> {
    let mut named = Map::new();
    named.insert("limit".to_owned(), json!(whom.limit));
    if let Some(seconds) = seconds {
        named.insert("seconds".to_owned(), json!(seconds));
    }
    let texts = [
        ("ip", whom.ip.map(|address| address.to_string())),
        ("digest", whom.digest.clone()),
        ("route", whom.route.clone()),
        ("country", whom.country.as_ref().map(|country| country.to_ascii_uppercase())),
    ];
    for (name, text) in texts {
        text.map(|text| named.insert(name.to_owned(), json!(text)));
    }
    for (name, pairs) in [("header", &whom.header), ("cookie", &whom.cookie)] {
        for pair in pairs {
            let split = pair.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
            let (field, value) = split
                .ok_or_else(|| Trouble::Environment(format!("`--{name} {pair}` is not of the form NAME=VALUE")))?;
            // Names of header fields have no case; those of cookies do.
            let field = if name == "header" { field.to_ascii_lowercase() } else { field.to_owned() };
            named.insert(format!("{name}:{field}"), json!(value));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_what_the_edge_takes() {
        let whom = WhomArgs {
            limit: "per-key".into(),
            ip: Some("2001:db8::1".parse().unwrap()),
            header: vec!["X-Key=a=b".into()],
            cookie: vec!["Session=s".into(), "user=u".into()],
            ..WhomArgs::default()
        };
        let expected = json!({
            "limit": "per-key",
            "seconds": 600,
            "ip": "2001:db8::1",
            "header:x-key": "a=b",
            "cookie:Session": "s",
            "cookie:user": "u",
        });
        let Ok(named) = named(&whom, Some(600)) else { panic!() };
        assert_eq!(Value::Object(named), expected);
    }

    #[test]
    fn a_pair_without_name_or_value_is_refused() {
        for pair in ["x-key", "=v", "x-key="] {
            let whom = WhomArgs { header: vec![pair.into()], ..WhomArgs::default() };
            assert!(
                matches!(named(&whom, None), Err(Trouble::Environment(why)) if why.contains("NAME=VALUE")),
                "{pair}"
            );
        }
    }

    #[test]
    fn who_asked_much_is_one_line() {
        let asker = |error: u64| json!({ "limit": "a", "digest": "1f", "requests": 90, "error": error });
        assert_eq!(top_line(&asker(0)), "  a: 1f in 90 requests");
        assert_eq!(top_line(&asker(3)), "  a: 1f in 90 requests, perhaps 3 fewer");
    }

    #[test]
    fn a_ban_is_one_line() {
        let ban = json!({ "limit": "a", "digest": "1f", "until_ms": 90_000, "by": "rule" });
        assert_eq!(line(&ban, Duration::from_secs(30)), "  a: 1f for another 60 s, by rule");
        assert_eq!(line(&ban, Duration::from_secs(100)), "  a: 1f for another 0 s, by rule");
    }
}

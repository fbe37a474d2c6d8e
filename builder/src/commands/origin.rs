//! `rimward origin`: how origins stand, and by whom; drains one, or undrains it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Ended, Talk, Trouble, operate};
use crate::cli::{OriginArgs, OriginCommand, OriginName, SiteArgs};
use crate::site::Site;

/// Where origins are asked for.
const PATH: &str = "/.rimward/origins";

/// Lists origins, drains one, or undrains one.
pub fn run(args: &OriginArgs) -> Ended {
    let at = match &args.command {
        OriginCommand::List(at) => at,
        OriginCommand::Drain(drain) => &drain.site,
        OriginCommand::Undrain(undrain) => &undrain.site,
    };
    operate(at, |talk, site| match &args.command {
        OriginCommand::List(_) => list(talk, at, site),
        OriginCommand::Drain(drain) => {
            let OriginName { pool, url, .. } = &drain.which;
            let body = json!({ "drain": { "pool": pool, "origin": url, "force": drain.force } });
            change(talk, at, site, &drain.which, &body)
        }
        OriginCommand::Undrain(undrain) => {
            let OriginName { pool, url, .. } = &undrain.which;
            change(talk, at, site, &undrain.which, &json!({ "undrain": { "pool": pool, "origin": url } }))
        }
    })
}

fn list(talk: &Talk, at: &SiteArgs, site: &Site) -> Result<Ended, Trouble> {
    let answer = site.read(PATH)?;
    if at.json {
        println!("{answer}");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let pools = list(&answer["pools"]);
    for pool in &pools {
        let checks = if pool["checked"] == true { "" } else { " (without checks)" };
        talk.say(format!("{}{checks}", pool["pool"].as_str().unwrap_or_default()));
        for origin in list(&pool["origins"]) {
            talk.say(line(&origin, now));
        }
    }
    if pools.is_empty() {
        talk.say(format!("there are no pools at {}", site.url()));
    }
    if answer["sure"] == false {
        talk.say("the control log cannot be reached: this is what was known before");
    }
    Ok(Ended::Done)
}

/// An origin, for people.
fn line(origin: &Value, now: Duration) -> String {
    let text = |name: &str| origin[name].as_str().unwrap_or_default();
    let said = match (origin["since_ms"].as_u64(), origin["by"].as_str()) {
        (Some(since), Some(by)) => {
            format!(", by {by}, for {}", period(now.saturating_sub(Duration::from_millis(since))))
        }
        _ => String::new(),
    };
    format!("  {}: {}{said}", text("url"), text("standing"))
}

/// A time in its largest unit.
fn period(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "min"), (1, "s")];
    let unit = units.iter().find(|(length, _)| seconds >= *length).unwrap_or(&units[3]);
    format!("{} {}", seconds / unit.0, unit.1)
}

fn change(talk: &Talk, at: &SiteArgs, site: &Site, which: &OriginName, body: &Value) -> Result<Ended, Trouble> {
    let answer = site.post(PATH, body)?;
    if at.json {
        println!("{answer}");
    }
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let settles_in = Duration::from_millis(answer["settles_in_ms"].as_u64().unwrap_or_default());
    let when = if which.wait {
        std::thread::sleep(settles_in);
        "everywhere".to_owned()
    } else {
        format!("everywhere within {:.1} s", settles_in.as_secs_f64())
    };
    talk.say(format!("{}: {} of the pool `{}`, {when}", text("state"), text("origin"), text("pool")));
    Ok(Ended::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_line() {
        let now = Duration::from_secs(1000);
        let sick = json!({ "url": "http://a", "standing": "sick", "since_ms": 400_000, "by": "checks" });
        assert_eq!(line(&sick, now), "  http://a: sick, by checks, for 10 min");
        assert_eq!(line(&json!({ "url": "http://b", "standing": "well" }), now), "  http://b: well");
    }

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")] {
            assert_eq!(period(Duration::from_secs(seconds)), expected);
        }
    }
}

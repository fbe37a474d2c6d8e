//! Bans: whole requests in memory, two isolates on bare `workerd`, and `rimward limits` as a person uses it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use rimward_edge::config::{LimitPolicy, Route, Settings};
use rimward_edge::control::ledger::Ledger;
use rimward_edge::control::message::{Command, Reply};
use rimward_edge::control::record::{Kind, Sequence};
use rimward_edge::platform::Platform as _;
use serde_json::{Value, json};

use crate::log::{Place, SECRET, bearer, until, with_a_second};
use crate::origin::Origin;
use crate::published::publish;
use crate::runtime::{Connection, Workerd, free_address};
use crate::site::{check, rimward};
use crate::workerd::with_api;
use crate::world::{Folder, Seen, Sent, Served, get, navigate, settings, site};

const OTHER: &str = "198.51.100.7";

/// A site under these limits, with a log, at the beginning of a minute.
fn served(limits: &[&str]) -> Served {
    let names: Vec<&str> = limits.iter().map(|limit| limit.split(';').next().unwrap()).collect();
    let api = json!({ "path": "/api/*", "pool": "api", "limits": names });
    let served = site(&settings(json!({ "limits": limits, "routes": [api] })), &Folder::new("r1", "/"));
    served.world.limits.replace(Some(BTreeMap::new()));
    served.world.log.replace(Some(Ledger::default()));
    served.world.variables.borrow_mut().insert("RIMWARD_OPERATE_SECRET".to_owned(), SECRET.to_owned());
    served.world.pass(Duration::from_mins(1_000_000));
    served
}

fn ask(served: &Served, request: &Sent) -> Seen {
    if served.world.origin_answers.borrow().is_empty() {
        served.origin_says(200, &[], Some("yes"));
    }
    served.ask(request)
}

/// How a request was answered: its status, and by what.
fn outcome(seen: &Seen) -> (u16, String) {
    let detail = seen.field("cache-status");
    (seen.status, detail.split_once("detail=").map_or("", |(_, detail)| detail).to_owned())
}

fn outcomes(served: &Served, request: &Sent, times: usize) -> Vec<String> {
    (0..times).map(|_| outcome(&ask(served, request)).1).collect()
}

fn is_banned(served: &Served, request: &Sent) -> bool {
    outcome(&ask(served, request)) == (429, "banned".to_owned())
}

fn api(method: &str, body: &str) -> Sent {
    let request = Sent::new(method, "/.rimward/limits").with("authorization", &bearer(SECRET));
    request.with("content-type", "application/json").with_body(body)
}

#[track_caller]
fn change(served: &Served, body: &Value) -> Value {
    let seen = served.ask(&api("POST", &body.to_string()));
    assert_eq!(seen.status, 200, "{}", seen.text());
    seen.json()
}

fn listed(served: &Served) -> Value {
    served.ask(&api("GET", "")).json()
}

fn in_log(served: &Served) -> usize {
    let mut log = served.world.log.borrow_mut();
    match log.as_mut().unwrap().answer(Command::Since(Sequence::NONE), served.world.now()) {
        Reply::News(news) => news.records.iter().filter(|record| matches!(record.kind, Kind::Ban(_))).count(),
        other => panic!("{other:?}"),
    }
}

fn asked_of_log(served: &Served) -> usize {
    served.world.asked_of_log.borrow().len()
}

#[test]
fn who_goes_on_after_so_many_refusals_is_banned_and_nobody_else() {
    let served = served(&["a; fixed-window 2 60000; ban 3 600"]);
    let seen = outcomes(&served, &get("/api/x"), 7);
    assert_eq!(seen, ["", "", "limited", "limited", "limited", "banned", "banned"]);
    let banned = ask(&served, &get("/api/x"));
    assert_eq!((banned.field("retry-after").as_str(), banned.field("cache-control").as_str()), ("600", "no-store"));
    let problem = banned.json();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#abnormal-usage-detected");
    assert_eq!((&problem["status"], &problem["violated-policies"]), (&json!(429), &json!(["a"])));
    assert_eq!(problem["request_id"], banned.field("x-request-id"));
    let page = ask(&served, &navigate("/api/x"));
    assert_eq!((page.status, page.field("content-type").as_str()), (429, "text/plain; charset=utf-8"));
    assert_eq!(outcomes(&served, &get("/api/x").by_peer(OTHER), 3), ["", "", "limited"], "others have their own");
    // Every other isolate obeys it too, though it refused nobody.
    assert!(is_banned(&served.elsewhere(), &get("/api/x")));
    assert_eq!(in_log(&served), 1);
}

#[test]
fn a_ban_is_not_asked_of_the_objects_and_is_counted_as_one() {
    let served = served(&["a; fixed-window 1 60000; ban 1 600"]);
    served.world.counted.replace(Some(String::new()));
    assert_eq!(outcomes(&served, &get("/api/x"), 5), ["", "limited", "banned", "banned", "banned"]);
    assert_eq!(served.world.asked_of_limits.borrow().len(), 2);
    let counted = served.world.counted.borrow().clone().unwrap();
    let banned = counted.matches("rimward_limit_requests_total{policy=\"a\",result=\"banned\"}\n1\n").count();
    assert_eq!(banned, 3, "{counted}");
}

#[test]
fn a_ban_ends_by_itself() {
    let served = served(&["a; fixed-window 2 60000; ban 1 600"]);
    outcomes(&served, &get("/api/x"), 4);
    served.world.pass(Duration::from_millis(599_999));
    let seen = ask(&served, &get("/api/x"));
    assert_eq!((outcome(&seen).1.as_str(), seen.field("retry-after").as_str()), ("banned", "1"));
    served.world.pass(Duration::from_millis(1));
    assert_eq!(outcomes(&served, &get("/api/x"), 3), ["", "", "limited"]);
    assert_eq!(outcomes(&served, &get("/api/x"), 1), ["banned"], "and he may be banned again");
    assert_eq!(in_log(&served), 1, "in its place");
}

#[test]
fn refusals_are_counted_by_window() {
    let served = served(&["a; fixed-window 1 60000; ban 3 600"]);
    for _ in 0..5 {
        assert_eq!(outcomes(&served, &get("/api/x"), 3), ["", "limited", "limited"]);
        served.world.pass(Duration::from_mins(1));
    }
    assert_eq!(in_log(&served), 0);
}

#[test]
fn nobody_is_told_to_come_back_later_than_in_a_day() {
    let served = served(&["a; fixed-window 1 60000; ban 1 2592000"]);
    outcomes(&served, &get("/api/x"), 2);
    assert_eq!(ask(&served, &get("/api/x")).field("retry-after"), "86400");
}

#[test]
fn without_a_rule_and_in_the_shadow_the_log_is_never_looked_at() {
    for limit in ["a; fixed-window 1 60000", "a; fixed-window 1 60000; shadow; ban 1 600"] {
        let served = served(&[limit]);
        for _ in 0..5 {
            ask(&served, &get("/api/x"));
        }
        assert_eq!((asked_of_log(&served), in_log(&served)), (0, 0), "{limit}");
        let seen = served.ask(&api("POST", r#"{"ban":{"limit":"a","ip":"203.0.113.9"}}"#));
        assert_eq!(seen.status, 400);
        assert!(seen.text().contains("`[limit.a]` bans nobody"), "{}", seen.text());
    }
}

#[test]
fn a_ban_under_one_limit_is_none_under_another() {
    let limits = ["a; fixed-window 1 60000; ban 1 600", "b; fixed-window 9 60000; ban 1 600"];
    let served = served(&limits);
    assert_eq!(outcomes(&served, &get("/api/x"), 3), ["", "limited", "banned"]);
    let listed = listed(&served);
    assert_eq!(listed["bans"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((&listed["bans"][0]["limit"], &listed["bans"][0]["by"]), (&json!("a"), &json!("rule")));
}

#[test]
fn nobody_can_have_somebody_else_banned() {
    let served = served(&["a; fixed-window 1 60000; ban 1 600"]);
    let forged = |header: &str| get("/api/x").by_peer(OTHER).with(header, "203.0.113.9");
    for header in ["x-forwarded-for", "cf-connecting-ip", "x-real-ip", "forwarded"] {
        ask(&served, &forged(header));
    }
    assert!(is_banned(&served, &forged("x-forwarded-for")));
    assert_eq!(outcomes(&served, &get("/api/x"), 1), [""], "he whose address was written there is not");
}

#[test]
fn those_who_name_themselves_by_nothing_are_not_banned_together() {
    let served = served(&["key; fixed-window 1 60000; partition header:x-key; ban 1 600"]);
    assert_eq!(outcomes(&served, &get("/api/x"), 4), ["", "limited", "limited", "limited"]);
    let keyed = get("/api/x").with("x-key", "k1");
    assert_eq!(outcomes(&served, &keyed, 3), ["", "limited", "banned"]);
    assert_eq!(in_log(&served), 1);
}

#[test]
fn who_could_not_be_counted_is_not_banned() {
    let served = served(&["a; fixed-window 1 60000; when_unreachable closed; ban 1 600"]);
    served.world.limits_down.borrow_mut().push(String::new());
    assert_eq!(outcomes(&served, &get("/api/x"), 3), ["limits-unreachable"; 3]);
    assert_eq!(in_log(&served), 0);
}

#[test]
fn a_flood_from_many_addresses_does_not_fill_the_log() {
    let served = served(&["a; fixed-window 1 3600000; ban 1 600"]);
    for number in 0..60 {
        outcomes(&served, &get("/api/x").by_peer(&format!("192.0.2.{number}")), 2);
    }
    assert_eq!(in_log(&served), 10);
    served.world.pass(Duration::from_mins(1));
    assert_eq!(outcomes(&served, &get("/api/x").by_peer("192.0.2.50"), 2), ["limited", "banned"], "in the next minute");
}

#[test]
fn an_operator_bans_and_lets_in_again() {
    let served = served(&["a; fixed-window 9 60000; ban 1 600"]);
    let answer = change(&served, &json!({ "ban": { "limit": "a", "ip": "203.0.113.9", "seconds": 90 } }));
    assert_eq!((&answer["limit"], &answer["by"]), (&json!("a"), &json!("operator")));
    assert_eq!(answer["settles_in_ms"], 2000);
    assert_eq!(answer["until_ms"], json!(served.world.now_millis() + 90_000));
    let seen = ask(&served, &get("/api/x"));
    assert_eq!((outcome(&seen).1.as_str(), seen.field("retry-after").as_str()), ("banned", "90"));
    assert_eq!(outcomes(&served, &get("/api/x").by_peer(OTHER), 1), [""]);
    let bans = listed(&served);
    let ban = &bans["bans"][0];
    assert_eq!((&ban["digest"], &ban["by"], &bans["sure"]), (&answer["digest"], &json!("operator"), &json!(true)));
    change(&served, &json!({ "lift": { "limit": "a", "ip": "203.0.113.9" } }));
    assert_eq!(outcomes(&served, &get("/api/x"), 1), [""]);
    assert_eq!(listed(&served)["bans"], json!([]));
    // By the digest that is listed, for as long as the rule says.
    let digest = answer["digest"].as_str().unwrap();
    change(&served, &json!({ "ban": { "limit": "a", "digest": digest } }));
    assert_eq!(ask(&served, &get("/api/x")).field("retry-after"), "600");
    change(&served, &json!({ "lift": { "limit": "a", "digest": digest } }));
    assert!(!is_banned(&served, &get("/api/x")));
}

#[test]
fn another_isolate_obeys_a_ban_and_its_end_within_2_s() {
    let served = served(&["a; fixed-window 99 60000; ban 1 600"]);
    let other = served.elsewhere();
    assert!(!is_banned(&other, &get("/api/x")));
    for (body, banned) in [
        (json!({ "ban": { "limit": "a", "ip": "203.0.113.9" } }), true),
        (json!({ "lift": { "limit": "a", "ip": "203.0.113.9" } }), false),
    ] {
        change(&served, &body);
        served.world.pass(Duration::from_secs(2));
        assert_eq!(is_banned(&other, &get("/api/x")), banned, "{body}");
    }
}

#[test]
fn a_rule_does_not_shorten_what_an_operator_said() {
    let served = served(&["a; fixed-window 1 60000; ban 1 60"]);
    let other = served.elsewhere();
    ask(&other, &get("/api/x"));
    change(&served, &json!({ "ban": { "limit": "a", "ip": "203.0.113.9", "seconds": 600 } }));
    // It does not know yet.
    assert_eq!(outcomes(&other, &get("/api/x"), 1), ["limited"]);
    served.world.pass(Duration::from_secs(2));
    assert_eq!(ask(&other, &get("/api/x")).field("retry-after"), "598");
}

#[test]
fn while_the_log_is_down_known_bans_stay_and_requests_are_counted() {
    let served = served(&["a; fixed-window 1 60000; ban 2 600"]);
    change(&served, &json!({ "ban": { "limit": "a", "ip": OTHER } }));
    assert!(is_banned(&served, &get("/api/x").by_peer(OTHER)));
    served.world.log_takes.set(Duration::from_mins(1));
    served.world.pass(Duration::from_mins(2));
    assert!(is_banned(&served, &get("/api/x").by_peer(OTHER)));
    assert_eq!(listed(&served)["sure"], false);
    // Who is not known to be banned is held to his limit.
    assert_eq!(outcomes(&served, &get("/api/x"), 4), ["", "limited", "limited", "limited"]);
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("other locations were not told")));
    let seen = served.ask(&api("POST", r#"{"ban":{"limit":"a","ip":"203.0.113.9"}}"#));
    assert_eq!(seen.status, 503);
    assert!(seen.text().contains("Nothing was changed"), "{}", seen.text());
    served.world.log_takes.set(Duration::ZERO);
    served.world.pass(Duration::from_secs(10));
    assert!(is_banned(&served, &get("/api/x").by_peer(OTHER)));
}

#[test]
fn without_a_log_nobody_is_banned_and_limits_hold() {
    let served = served(&["a; fixed-window 1 60000; ban 1 600"]);
    served.world.log.replace(None);
    assert_eq!(outcomes(&served, &get("/api/x"), 4), ["", "limited", "limited", "limited"]);
}

#[test]
fn what_is_no_ban_is_refused_and_nothing_is_recorded() {
    let served = served(&["a; fixed-window 9 60000; ban 1 600"]);
    for (body, word) in [
        ("{", "no JSON"),
        (r#"{"ban":{"limit":"b","ip":"203.0.113.9"}}"#, "no `[limit.b]`"),
        (r#"{"ban":{"limit":"a"}}"#, "by each of `ip` and"),
        (r#"{"ban":{"limit":"a","ip":"203.0.113.9","header:x-key":"k"}}"#, "by each of `ip` and"),
        (r#"{"ban":{"limit":"a","ip":"nowhere"}}"#, "`ip` cannot be `nowhere`"),
        (r#"{"ban":{"limit":"a","ip":"203.0.113.9","seconds":0}}"#, "`seconds` is of a ban"),
    ] {
        let seen = served.ask(&api("POST", body));
        assert_eq!((seen.status, seen.field("content-type").as_str()), (400, "application/problem+json"), "{body}");
        assert!(seen.text().contains(word), "{body}: {}", seen.text());
    }
    let no_json = Sent::new("POST", "/.rimward/limits").with("authorization", &bearer(SECRET)).with_body("{}");
    assert_eq!(served.ask(&no_json).status, 415);
    assert_eq!(served.ask(&api("POST", &" ".repeat(300 * 1024))).status, 413);
    let seen = served.ask(&api("DELETE", ""));
    assert_eq!((seen.status, seen.field("allow").as_str()), (405, "GET, HEAD, POST"));
    assert_eq!(in_log(&served), 0);
}

#[test]
fn who_asks_most_is_told_by_the_digest_that_a_ban_takes() {
    let served = served(&["a; fixed-window 4 3600000; ban 100 600", "all; fixed-window 900 3600000; partition global"]);
    assert_eq!(listed(&served).get("top"), None, "nobody adds up what isolates count");
    served.world.counted.replace(Some(String::new()));
    ask(&served, &get("/api/x"));
    for isolate in [&served, &served.elsewhere()] {
        outcomes(isolate, &get("/api/x").by_peer(OTHER), 6);
    }
    served.world.counted.borrow_mut().as_mut().unwrap().push_str("top no-limit\n1f:99:0\n");
    let top = listed(&served)["top"].clone();
    let told: Vec<(&Value, &Value, &Value)> =
        top.as_array().unwrap().iter().map(|one| (&one["limit"], &one["requests"], &one["error"])).collect();
    assert_eq!(told, [(&json!("a"), &json!(12), &json!(0)), (&json!("a"), &json!(1), &json!(0))]);
    change(&served, &json!({ "ban": { "limit": "a", "digest": top[0]["digest"] } }));
    assert!(is_banned(&served, &get("/api/x").by_peer(OTHER)));
    assert_eq!(listed(&served)["top"][0]["requests"], 13, "whoever is banned asks all the same");
    assert!(!is_banned(&served, &get("/api/x")));
}

#[test]
fn only_the_secret_of_operators_opens_it() {
    let served = served(&["a; fixed-window 9 60000; ban 1 600"]);
    served.world.variables.borrow_mut().insert("RIMWARD_PURGE_SECRET".to_owned(), "of-another-scope-of-all".to_owned());
    let with = |secret: &str| get("/.rimward/limits").with("authorization", &bearer(secret));
    assert_eq!(served.ask(&get("/.rimward/limits")).status, 401);
    assert_eq!(served.ask(&with("of-another-scope-of-all")).status, 401);
    assert_eq!(served.ask(&with(SECRET)).status, 200);
    served.world.variables.borrow_mut().remove("RIMWARD_OPERATE_SECRET");
    assert_eq!(served.ask(&with(SECRET)).status, 404);
}

/// The Worker on `workerd`, whose `/api/*` is under a limit of so many requests that bans after five refusals.
fn place(origin: &Origin, permits: u32) -> Place {
    let assets = tempfile::tempdir().unwrap();
    let mut settings = with_api(origin);
    let route = settings.routes.remove(0);
    settings.routes.push(Route { limits: vec!["per-client".to_owned()], ..route });
    let text = format!("per-client; fixed-window {permits} 3600000; deadline_ms 5000; ban 5 600");
    publish(assets.path(), Settings { limits: vec![LimitPolicy::try_from(text).unwrap()], ..settings }, &[], &[]);
    Place::of(assets).with("RIMWARD_OPERATE_SECRET", SECRET).with("RIMWARD_CLIENT_ADDRESS", "socket")
}

fn well() -> Origin {
    Origin::start(|exchange| exchange.answer("200 OK\r\nCache-Control: no-store", "well"))
}

/// Runs `rimward limits` in a folder.
fn limits(folder: &Path, site: &Workerd, arguments: &[&str]) -> Output {
    let mut command = rimward();
    command.arg("limits").args(arguments).args(["--to", &format!("http://{}", site.address)]).current_dir(folder);
    command.env("RIMWARD_OPERATE_SECRET", SECRET).env_remove("RIMWARD_ENV").output().unwrap()
}

#[test]
fn a_ban_by_command_is_obeyed_by_every_isolate_within_2_s() {
    let origin = well();
    let place = place(&origin, 100_000);
    let second = free_address();
    let first = Workerd::start_as(&place.config(), |config| with_a_second(config, &second.to_string()));
    let folder = tempfile::tempdir().unwrap();
    let banned = |address| {
        let answer = Connection::open(address).ask("GET", "/api/x", &[]);
        let by = answer.field("cache-status").unwrap_or_default().to_owned();
        by.contains("detail=banned")
    };
    // Both know the log: they have no reason to ask by themselves.
    assert!(!banned(first.address) && !banned(second));
    let run = |arguments: &[&str]| limits(folder.path(), &first, arguments);
    let whom = ["--limit", "per-client", "--ip", "127.0.0.1"];
    let begun = Instant::now();
    check(&run(&[&["ban", "--for", "10m"], &whom[..]].concat()), 0, &["banned: ", "everywhere within 2.0 s"]);
    assert!(banned(first.address), "whoever was told obeys at once");
    let seen = until("the other obeys", || banned(second).then(|| begun.elapsed()));
    assert!(seen < Duration::from_secs(3), "{seen:?}");

    let listed = run(&["list", "--json"]);
    check(&listed, 0, &["per-client: ", "by operator", "1 ban"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let digest = listed["bans"][0]["digest"].as_str().unwrap();
    check(&run(&["lift", "--limit", "per-client", "--digest", digest]), 0, &["let in again: "]);
    until("both let him in again", || (!banned(first.address) && !banned(second)).then_some(()));
    check(&run(&["list"]), 0, &["nobody is banned"]);
    check(&run(&["ban", "--limit", "per-clint", "--ip", "127.0.0.1"]), 1, &["no `[limit.per-clint]`"]);
    check(&run(&["ban", "--limit", "per-client", "--country", "DE"]), 1, &["by each of `ip` and"]);
    check(&run(&["ban", "--limit", "per-client"]), 2, &["--ip"]);
    check(&run(&["ban", "--limit", "per-client", "--ip", "127.0.0.1", "--for", "5"]), 2, &["not a duration"]);
}

#[test]
fn a_ban_by_rule_outlives_a_restart() {
    let origin = well();
    let place = place(&origin, 5);
    let by = |worker: &Workerd| {
        let answer = worker.get("/api/x");
        let by = answer.field("cache-status").unwrap_or_default();
        by.split_once("detail=").map_or("", |(_, detail)| detail).to_owned()
    };
    let worker = place.start();
    let first: Vec<String> = (0..10).map(|_| by(&worker)).collect();
    assert_eq!(first[5..], ["limited"; 5], "{}", worker.log());
    until("he is banned", || (by(&worker) == "banned").then_some(()));
    drop(worker);
    assert_eq!(by(&place.start()), "banned");
}

//! Checks of origins and draining: whole requests in memory, the object on bare `workerd`, and `rimward origin` as a person
//! uses it.

use std::io::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rimward::workerd::Config;
use rimward_edge::config::{Health, Origin as OriginSettings, Pool, Settings, Timeout};
use rimward_edge::control::ledger::Ledger;
use rimward_edge::control::message::{Append, Command, Reply};
use rimward_edge::control::notice::{Notice, State};
use rimward_edge::control::record::Kind;
use rimward_edge::health::list;
use rimward_edge::platform::Platform as _;
use rimward_edge::time::Timestamp;
use serde_json::{Value, json};

use crate::log::{Place, SECRET, bearer, until, with_a_second};
use crate::origin::{Exchange, Origin};
use crate::published::publish;
use crate::runtime::{Connection, Workerd, free_address};
use crate::site::{check, rimward};
use crate::workerd::with_api;
use crate::world::{Folder, Seen, Sent, Served, get, settings, site};

const METRICS_SECRET: &str = "a-secret-of-the-metrics";

const A: &str = "https://a.internal/v1";
const B: &str = "https://b.internal";

fn checks() -> Health {
    Health {
        path: "/healthz".to_owned(),
        status: (200, 299),
        body: None,
        interval_ms: 1000,
        timeout_ms: 500,
        unhealthy_after: 2,
        healthy_after: 2,
    }
}

/// A site with a pool of two origins that are checked, and one of one that is not.
fn served() -> Served {
    let timeout = json!({ "answer_ms": 10_000 });
    let pools = json!({
        "api": { "origins": [{ "url": A }, { "url": B }], "timeout": timeout, "health": checks() },
        "other": { "origins": [{ "url": A }], "timeout": timeout },
    });
    let routes = json!([{ "path": "/api/*", "pool": "api" }, { "path": "/other/*", "pool": "other" }]);
    let served = site(&settings(json!({ "pools": pools, "routes": routes })), &Folder::new("r1", "/"));
    served.world.log.replace(Some(Ledger::default()));
    served.world.asked_of_health.replace(Some(Vec::new()));
    served.world.variables.borrow_mut().insert("RIMWARD_OPERATE_SECRET".to_owned(), SECRET.to_owned());
    served.world.pass(Duration::from_mins(1_000_000));
    served
}

fn api(method: &str, body: &str) -> Sent {
    let request = Sent::new(method, "/.rimward/origins").with("authorization", &bearer(SECRET));
    request.with("content-type", "application/json").with_body(body)
}

#[track_caller]
fn listed(served: &Served) -> Value {
    let seen = served.ask(&api("GET", ""));
    assert_eq!((seen.status, seen.field("content-type").as_str()), (200, "application/json"), "{}", seen.text());
    seen.json()
}

/// How each origin of each pool stands, in the order of the settings.
fn standings(served: &Served) -> Vec<String> {
    let list = listed(served);
    let pools = list["pools"].as_array().unwrap().iter();
    let origins = pools.flat_map(|pool| pool["origins"].as_array().unwrap());
    origins.map(|origin| origin["standing"].as_str().unwrap().to_owned()).collect()
}

fn change(served: &Served, what: &str, pool: &str, origin: &str) -> Seen {
    served.ask(&api("POST", &json!({ what: { "pool": pool, "origin": origin } }).to_string()))
}

/// As the object that checks origins says it.
fn say(served: &Served, state: State, url: &str) {
    let now = served.world.now();
    let until = if state == State::Sick { now.plus(Duration::from_mins(10)) } else { Timestamp::default() };
    let notice = Notice { pool: "api".to_owned(), url: url.to_owned(), state, since: now, until };
    let command = Command::Append(Append { kind: Kind::Origin(notice), key: None, calls: Vec::new() });
    let mut log = served.world.log.borrow_mut();
    assert!(matches!(log.as_mut().unwrap().answer(command, now), Reply::Appended(_)));
}

#[test]
fn every_origin_of_every_pool_is_listed() {
    let served = served();
    let expected = json!({
        "pools": [
            { "pool": "api", "checked": true, "origins": [
                { "url": A, "standing": "well" },
                { "url": B, "standing": "well" },
            ] },
            { "pool": "other", "checked": false, "origins": [{ "url": A, "standing": "well" }] },
        ],
        "sure": true,
    });
    assert_eq!(listed(&served), expected);
}

#[test]
fn a_sick_origin_is_known_everywhere_and_for_no_longer_than_it_is_said() {
    let served = served();
    let other = served.elsewhere();
    assert_eq!(standings(&other), ["well", "well", "well"]);
    say(&served, State::Sick, A);
    let since = served.world.now_millis();
    served.world.pass(Duration::from_secs(2));
    assert_eq!(standings(&other), ["sick", "well", "well"], "the same URL in another pool is another origin");
    let list = listed(&served);
    let origin = &list["pools"][0]["origins"][0];
    assert_eq!((&origin["by"], &origin["since_ms"]), (&json!("checks"), &json!(since)));
    say(&served, State::Well, A);
    assert_eq!(standings(&served), ["well", "well", "well"]);
    assert_eq!(listed(&served)["pools"][0]["origins"][0]["by"], "checks", "it is known that it was");
    say(&served, State::Sick, A);
    served.world.pass(Duration::from_millis(599_999));
    assert_eq!(standings(&served)[0], "sick");
    served.world.pass(Duration::from_millis(1));
    assert_eq!(standings(&served)[0], "well", "nobody says it any more");
}

#[test]
fn an_operator_drains_and_undrains() {
    let served = served();
    let other = served.elsewhere();
    assert_eq!(standings(&other), ["well", "well", "well"]);
    let now = served.world.now_millis();
    let answer = change(&served, "drain", "api", A).json();
    assert_eq!((&answer["pool"], &answer["origin"], &answer["state"]), (&json!("api"), &json!(A), &json!("drained")));
    assert_eq!(answer["settles_in_ms"], 2000);
    let origin = &listed(&served)["pools"][0]["origins"][0];
    let expected = json!({ "url": A, "standing": "drained", "since_ms": now, "by": "operator" });
    assert_eq!(origin, &expected);
    served.world.pass(Duration::from_secs(2));
    assert_eq!(standings(&other), ["drained", "well", "well"]);
    // What its checks say of it does not matter meanwhile, and does afterwards.
    say(&served, State::Sick, A);
    assert_eq!(standings(&served)[0], "drained");
    assert_eq!(change(&served, "undrain", "api", A).json()["state"], "undrained");
    assert_eq!(standings(&served)[0], "sick");
    say(&served, State::Well, A);
    assert_eq!(standings(&served)[0], "well");
    // A day is nothing to a drained one.
    assert_eq!(change(&served, "drain", "api", &format!("{B}/")).status, 200);
    served.world.pass(Duration::from_hours(24 * 364));
    assert_eq!(standings(&served), ["well", "drained", "well"]);
}

#[test]
fn what_operators_change_is_counted_once() {
    let served = served();
    served.world.counted.replace(Some(String::new()));
    for (what, origin) in [("drain", A), ("drain", A), ("undrain", A), ("undrain", A), ("drain", B), ("drain", A)] {
        change(&served, what, "api", origin);
    }
    let lines = served.world.counted.borrow().clone().unwrap();
    let line = |origin: &str, change: &str| {
        format!("rimward_pool_health_total{{pool=\"api\",origin=\"{origin}\",change=\"{change}\"}}\n1\n")
    };
    // The last one is refused.
    assert_eq!(lines, [line(A, "drained"), line(A, "undrained"), line(B, "drained")].concat());
}

#[test]
fn the_last_origin_of_a_pool_is_drained_by_force_alone() {
    let served = served();
    assert_eq!(change(&served, "drain", "api", A).status, 200);
    let seen = change(&served, "drain", "api", B);
    assert_eq!((seen.status, seen.field("content-type").as_str()), (409, "application/problem+json"));
    assert!(seen.text().contains("the last origin of the pool `api`"), "{}", seen.text());
    assert_eq!(change(&served, "drain", "other", A).status, 409);
    assert_eq!(change(&served, "drain", "api", A).status, 200, "it is drained already");
    assert_eq!(standings(&served), ["drained", "well", "well"]);
    let forced = json!({ "drain": { "pool": "api", "origin": B, "force": true } });
    assert_eq!(served.ask(&api("POST", &forced.to_string())).status, 200);
    assert_eq!(standings(&served), ["drained", "drained", "well"]);
}

#[test]
fn what_is_no_origin_is_refused_and_nothing_is_recorded() {
    let served = served();
    for (body, word) in [
        ("{", "no JSON"),
        ("[]", "an object of one member"),
        (r#"{"drain":{"pool":"api"},"undrain":{"pool":"api"}}"#, "an object of one member"),
        (r#"{"drain":{"pool":"api"}}"#, "`origin` the URL"),
        (r#"{"drain":{"pool":"apis","origin":"https://a.internal/v1"}}"#, "no pool `apis`"),
        (
            r#"{"drain":{"pool":"api","origin":"https://a.internal"}}"#,
            "it has https://a.internal/v1, https://b.internal",
        ),
        (r#"{"undrain":{"pool":"other","origin":"https://b.internal"}}"#, "no origin of the pool `other`"),
        (r#"{"drain":{"pool":"api","origin":"https://b.internal","force":1}}"#, "true or false"),
        (r#"{"undrain":{"pool":"api","origin":"https://b.internal","force":true}}"#, "`force` of `drain`"),
        (r#"{"drain":{"pool":"api","origin":"https://b.internal","for":"1h"}}"#, "there is only `force`"),
    ] {
        let seen = served.ask(&api("POST", body));
        assert_eq!((seen.status, seen.field("content-type").as_str()), (400, "application/problem+json"), "{body}");
        assert!(seen.text().contains(word), "{body}: {}", seen.text());
    }
    let no_json = Sent::new("POST", "/.rimward/origins").with("authorization", &bearer(SECRET)).with_body("{}");
    assert_eq!(served.ask(&no_json).status, 415);
    assert_eq!(served.ask(&api("POST", &" ".repeat(300 * 1024))).status, 413);
    let seen = served.ask(&api("DELETE", ""));
    assert_eq!((seen.status, seen.field("allow").as_str()), (405, "GET, HEAD, POST"));
    assert_eq!(standings(&served), ["well", "well", "well"]);
}

#[test]
fn only_the_secret_of_operators_opens_it() {
    let served = served();
    let with = |secret: &str| get("/.rimward/origins").with("authorization", &bearer(secret));
    assert_eq!(served.ask(&get("/.rimward/origins")).status, 401);
    assert_eq!(served.ask(&with("of-another-scope-of-all")).status, 401);
    assert_eq!(served.ask(&with(SECRET)).status, 200);
    served.world.variables.borrow_mut().remove("RIMWARD_OPERATE_SECRET");
    assert_eq!(served.ask(&with(SECRET)).status, 404);
}

#[test]
fn while_the_log_is_down_what_was_known_stays_and_nothing_is_changed() {
    let served = served();
    change(&served, "drain", "api", A);
    assert_eq!(standings(&served)[0], "drained");
    served.world.log_takes.set(Duration::from_mins(1));
    served.world.pass(Duration::from_mins(2));
    let list = listed(&served);
    assert_eq!((&list["pools"][0]["origins"][0]["standing"], &list["sure"]), (&json!("drained"), &json!(false)));
    let seen = change(&served, "undrain", "api", A);
    assert_eq!(seen.status, 503);
    assert!(seen.text().contains("Nothing was changed"), "{}", seen.text());
    served.world.log.replace(None);
    let without = served.elsewhere();
    assert_eq!(standings(&without), ["well", "well", "well"]);
    assert_eq!(change(&without, "drain", "api", A).status, 503);
}

fn requests(served: &Served, path: &str, times: usize) {
    for _ in 0..times {
        served.origin_says(200, &[], Some("yes"));
        assert_eq!(served.ask(&get(path)).status, 200);
    }
}

#[test]
fn requests_to_a_pool_with_checks_ask_for_them_once_a_minute_and_others_do_not() {
    let served = served();
    let asked = || served.world.asked_of_health.borrow().as_ref().unwrap().len();
    requests(&served, "/other/x", 3);
    assert_eq!(asked(), 0);
    requests(&served, "/api/x", 3);
    assert_eq!(asked(), 1);
    served.world.pass(Duration::from_secs(59));
    requests(&served, "/api/x", 3);
    assert_eq!(asked(), 1);
    served.world.pass(Duration::from_secs(1));
    requests(&served, "/api/x", 3);
    assert_eq!(asked(), 2);
    requests(&served.elsewhere(), "/api/x", 3);
    assert_eq!(asked(), 3, "another isolate by itself");
    let told = served.world.asked_of_health.borrow().as_ref().unwrap().clone();
    let origins = vec![A.to_owned(), B.to_owned()];
    let expected = list::Checked { pool: "api".to_owned(), health: checks(), origins };
    assert_eq!(list::read(&told[0]), Ok(vec![expected]));
    assert!(told.iter().all(|list| *list == told[0]));
}

#[test]
fn without_the_binding_nothing_is_checked_which_is_said_once_and_requests_go_on() {
    let served = served();
    served.world.asked_of_health.replace(None);
    for _ in 0..3 {
        requests(&served, "/api/x", 2);
        served.world.pass(Duration::from_mins(2));
    }
    let logged = served.world.logged.borrow();
    let said = logged.iter().filter(|line| line.contains("no `HEALTH` binding")).count();
    assert_eq!(said, 1, "{logged:?}");
}

/// The Worker on `workerd`, whose `/api/*` goes to these origins, checked like that.
fn place(origins: &[String], checks: Health) -> Place {
    let assets = tempfile::tempdir().unwrap();
    let well = Origin::start(|exchange| exchange.answer("200 OK", "never asked"));
    let settings = with_api(&well);
    let timeout = Timeout { answer_ms: 5000, idle_ms: None, total_ms: None };
    let origins = origins.iter().map(|url| OriginSettings::new(url)).collect();
    let pool = Pool { health: Some(checks), ..Pool::new(origins, timeout) };
    let settings = Settings { pools: [("api".to_owned(), pool)].into_iter().collect(), ..settings };
    publish(assets.path(), settings, &[], &[]);
    Place::of(assets).with("RIMWARD_OPERATE_SECRET", SECRET).with("RIMWARD_METRICS_SECRET", METRICS_SECRET)
}

/// An origin that is well or not, and how often it was checked.
#[derive(Clone, Default)]
struct Patient {
    fails: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
}

impl Patient {
    fn start(&self) -> Origin {
        let patient = self.clone();
        Origin::start(move |exchange| {
            let is_check = exchange.request.path() == "/healthz";
            patient.checks.fetch_add(usize::from(is_check), Ordering::Relaxed);
            let fails = is_check && patient.fails.load(Ordering::Relaxed);
            exchange.answer(if fails { "503 Service Unavailable" } else { "200 OK\r\nCache-Control: no-store" }, "ok");
        })
    }

    fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }

    fn fails(&self, fails: bool) -> Instant {
        self.fails.store(fails, Ordering::Relaxed);
        Instant::now()
    }

    /// Waits for so many more checks.
    #[track_caller]
    fn is_checked(&self, times: usize) {
        let before = self.checks();
        until("it is checked", || (self.checks() >= before + times).then_some(()));
    }
}

/// How each origin stands, as one isolate knows it.
fn known(address: std::net::SocketAddr) -> Vec<String> {
    let secret = bearer(SECRET);
    let answer = Connection::open(address).ask("GET", "/.rimward/origins", &[("Authorization", &secret)]).expect(200);
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    let origins = list["pools"][0]["origins"].as_array().unwrap().iter();
    origins.map(|origin| origin["standing"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_origin_that_fails_its_checks_is_known_everywhere_in_time_and_so_is_its_recovery() {
    let (patient, other) = (Patient::default(), Patient::default());
    let (origin, second_origin) = (patient.start(), other.start());
    let place = place(&[origin.url(""), second_origin.url("")], checks());
    let second = free_address();
    let worker = Workerd::start_as(&place.config(), |config| with_a_second(config, &second.to_string()));
    assert_eq!(known(second), ["well", "well"]);
    assert_eq!(patient.checks() + other.checks(), 0, "nobody asked for the pool");
    worker.get("/api/x").expect(200);
    patient.is_checked(2);
    let asked = std::iter::repeat_with(|| origin.request()).find(|request| request.path() == "/healthz").unwrap();
    assert_eq!((asked.field("user-agent"), asked.field("cookie")), (Some("rimward-health"), None));
    for (fails, standing) in [(true, "sick"), (false, "well")] {
        let begun = patient.fails(fails);
        let seen = until(standing, || (known(second) == [standing, "well"]).then(|| begun.elapsed()));
        assert!(seen < Duration::from_secs(2 + 2), "{standing} after {seen:?}");
        assert!(seen > Duration::from_millis(800), "{standing} after {seen:?}: by fewer than two checks");
        assert_eq!(known(worker.address), [standing, "well"]);
    }
    let secret = bearer(METRICS_SECRET);
    let changes = || {
        let answer = worker.ask("GET", "/.rimward/metrics", &[("Authorization", &secret)]).expect(200);
        let lines = answer.text().lines().map(str::to_owned).collect::<Vec<_>>();
        lines.into_iter().filter(|line| line.starts_with("rimward_pool_health_total{")).collect::<Vec<_>>()
    };
    let url = origin.url("");
    let line =
        |change: &str| format!("rimward_pool_health_total{{pool=\"api\",origin=\"{url}\",change=\"{change}\"}} 1");
    until("it is counted", || (changes() == [line("sick"), line("well")]).then_some(()));
    worker.logs("is sick: 2 checks in a row failed, the last one with status 503");
    worker.logs("is well again: 2 checks in a row say so");
}

#[test]
fn checks_go_on_after_a_restart_and_what_was_drained_stays_so() {
    let (patient, other) = (Patient::default(), Patient::default());
    let (origin, second_origin) = (patient.start(), other.start());
    let place = place(&[origin.url(""), second_origin.url("")], checks());
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (origin.url(""), second_origin.url(""));
    {
        let worker = place.start();
        worker.get("/api/x").expect(200);
        patient.is_checked(1);
        let run = |arguments: &[&str]| command(folder.path(), &worker, arguments);
        check(&run(&["list"]), 0, &["api\n", &format!("  {a}: well\n"), &format!("  {b}: well\n")]);
        check(&run(&["drain", "api", &b, "--wait"]), 0, &[&format!("drained: {b} of the pool `api`, everywhere")]);
        let list = run(&["list", "--json"]);
        check(&list, 0, &[&format!("  {b}: drained, by operator, for ")]);
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        assert_eq!(list["pools"][0]["origins"][1]["standing"], "drained");
        check(&run(&["drain", "api", &a]), 1, &["the last origin of the pool `api`"]);
        check(&run(&["drain", "apis", &a]), 1, &["no pool `apis`"]);
        check(&run(&["drain", "api", "http://c.example"]), 1, &["no origin of the pool `api`: it has"]);
        check(&run(&["drain", "api"]), 2, &["<ORIGIN>"]);
        patient.fails(true);
        until("it is sick", || (known(worker.address) == ["sick", "drained"]).then_some(()));
    }
    let worker = place.start();
    assert_eq!(known(worker.address), ["sick", "drained"]);
    // Nobody asks for the pool: its object goes on by itself.
    patient.is_checked(2);
    patient.fails(false);
    until("it is well", || (known(worker.address) == ["well", "drained"]).then_some(()));
    let run = |arguments: &[&str]| command(folder.path(), &worker, arguments);
    let undrained = run(&["undrain", "api", &b, "--json"]);
    check(&undrained, 0, &["undrained: ", "everywhere within 2.0 s"]);
    let undrained: Value = serde_json::from_slice(&undrained.stdout).unwrap();
    assert_eq!((&undrained["state"], &undrained["origin"]), (&json!("undrained"), &json!(b)));
    assert_eq!(known(worker.address), ["well", "well"]);
    check(&run(&["drain", "api", &a, "--force"]), 0, &["drained: "]);
    check(&run(&["drain", "api", &b, "--force"]), 0, &["drained: "]);
    assert_eq!(known(worker.address), ["drained", "drained"]);
}

/// Whether a file below a folder has this text somewhere.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.map(|entry| entry.unwrap().path()).any(|path| {
            let has = |bytes: Vec<u8>| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            if path.is_dir() { holds(&path, text) } else { std::fs::read(&path).is_ok_and(has) }
        })
    })
}

#[test]
fn what_was_drained_outlives_a_log_that_was_lost() {
    let (origin, second_origin) = (Patient::default().start(), Patient::default().start());
    let place = place(&[origin.url(""), second_origin.url("")], checks());
    let state = place.config().state.unwrap();
    let folder = tempfile::tempdir().unwrap();
    {
        let worker = place.start();
        check(&command(folder.path(), &worker, &["drain", "api", &second_origin.url("")]), 0, &["drained: "]);
        until("the copy has it", || holds(&state.join("rimward-values"), "drained ").then_some(()));
    }
    std::fs::remove_dir_all(state.join("rimward-control-log")).unwrap();
    let worker = place.start();
    assert_eq!(known(worker.address), ["well", "drained"]);
}

/// Longer than the platform keeps an object's memory.
#[test]
fn rows_of_failures_are_counted_over_pauses_in_which_the_object_forgets() {
    let patient = Patient::default();
    let origin = patient.start();
    let place = place(&[origin.url("")], Health { interval_ms: 14_000, ..checks() });
    let worker = place.start();
    patient.fails(true);
    worker.get("/api/x").expect(200);
    // The first check may be over before its answer is here.
    until("it is checked", || (patient.checks() >= 1).then_some(()));
    assert_eq!(known(worker.address), ["well"]);
    until("it is checked again", || (patient.checks() >= 2).then_some(()));
    until("it is sick", || (known(worker.address) == ["sick"]).then_some(()));
}

#[test]
fn while_nobody_asks_nothing_is_checked_and_whoever_asks_again_begins_it_anew() {
    let patient = Patient::default();
    let origin = patient.start();
    let place = place(&[origin.url("")], checks());
    // The object is made to believe that whoever asks has asked 297 s ago.
    let worker_js = std::fs::read_to_string(&place.config().modules[0].file).unwrap();
    let (now, before) = ("checker.ask(list, Date.now())", "checker.ask(list, Date.now() - 297_000)");
    assert_eq!(worker_js.matches(now).count(), 1);
    let changed = tempfile::tempdir().unwrap();
    let file = changed.path().join("rimward.js");
    std::fs::write(&file, worker_js.replace(now, before)).unwrap();
    let mut config: Config = place.config();
    config.modules[0].file = file;
    let second = free_address();
    let worker = Workerd::start_as(&config, |config| with_a_second(config, &second.to_string()));
    for address in [worker.address, second] {
        let before = patient.checks();
        Connection::open(address).ask("GET", "/api/x", &[]).expect(200);
        std::thread::sleep(Duration::from_secs(4));
        let checked = patient.checks();
        assert!((3..=5).contains(&(checked - before)), "{} checks in 3 s", checked - before);
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(patient.checks(), checked, "nobody asks any more");
    }
}

fn write_forever(exchange: &mut Exchange, begin: &str, piece: &str, pause: Duration) {
    exchange.write(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{begin}\r\n", begin.len()));
    let until = Instant::now() + Duration::from_secs(20);
    let piece = format!("{:x}\r\n{piece}\r\n", piece.len());
    while Instant::now() < until && exchange.reader.get_mut().write_all(piece.as_bytes()).is_ok() {
        std::thread::sleep(pause);
    }
}

#[test]
fn odd_answers_are_sick_ones_and_hold_nobody_else_up() {
    let wandered = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&wandered);
    let redirects = Origin::start(move |exchange| {
        counts.fetch_add(usize::from(exchange.request.path() != "/healthz"), Ordering::Relaxed);
        exchange.answer("302 Found\r\nLocation: /healthz?again", "ok");
    });
    let floods = Origin::start(|exchange| write_forever(exchange, "no", &"x".repeat(16_000), Duration::ZERO));
    let drips = Origin::start(|exchange| write_forever(exchange, "no", "x", Duration::from_millis(50)));
    let hangs = Origin::start(|_| std::thread::sleep(Duration::from_secs(5)));
    let cuts = Origin::start(|exchange| exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"));
    let mumbles = Origin::start(|exchange| exchange.write("ok ok ok\r\n\r\n"));
    let goes_on = Origin::start(|exchange| write_forever(exchange, "ok", &"x".repeat(16_000), Duration::ZERO));
    let patient = Patient::default();
    let well = patient.start();
    let odd = [&redirects, &floods, &drips, &hangs, &cuts, &mumbles, &goes_on, &well];
    let mut origins: Vec<String> = odd.iter().map(|origin| origin.url("")).collect();
    origins.push(format!("http://{}", free_address()));
    let place = place(&origins, Health { body: Some("ok".to_owned()), ..checks() });
    let worker = place.start();
    let answered = Connection::open(worker.address).ask("GET", "/api/x", &[]);
    let expected = ["sick", "sick", "sick", "sick", "sick", "sick", "well", "well", "sick"];
    until("all are as they are", || (known(worker.address) == expected).then_some(()));
    patient.is_checked(3);
    assert_eq!(known(worker.address), expected);
    let by_request = usize::from(answered.status == 302);
    assert_eq!(wandered.load(Ordering::Relaxed), by_request, "no check was sent elsewhere than to its path");
}

/// Runs `rimward origin` in a folder.
fn command(folder: &Path, site: &Workerd, arguments: &[&str]) -> Output {
    let mut command = rimward();
    command.arg("origin").args(arguments).args(["--to", &format!("http://{}", site.address)]).current_dir(folder);
    command.env("RIMWARD_OPERATE_SECRET", SECRET).env_remove("RIMWARD_ENV").output().unwrap()
}

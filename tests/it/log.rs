//! The control log on bare `workerd`: its object, its database, its alarms, and the calls that it makes.

use std::time::{Duration, Instant};

use rimward::workerd::{Config, OBJECTS, Object, render};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::published::{publish, settings};
use crate::runtime::{Answer, Connection, PATIENCE, Workerd, free_address, probe_worker, site, worker};
use crate::zone::{self, Zone};

pub(crate) const SECRET: &str = "correct-horse-battery-staple";

/// A site whose log lies in a folder of its own: it outlives the Worker.
pub(crate) struct Place {
    pub(crate) assets: TempDir,
    state: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    fn new() -> Place {
        let assets = tempfile::tempdir().unwrap();
        publish(assets.path(), settings(), &[], &[]);
        Place::of(assets)
    }

    /// A place for what is published in a folder.
    pub(crate) fn of(assets: TempDir) -> Place {
        let state = tempfile::tempdir().unwrap();
        let variables = vec![("RIMWARD_PURGE_SECRET".to_owned(), SECRET.to_owned())];
        Place { assets, state, variables }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Place {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            state: Some(self.state.path().to_owned()),
            variables: self.variables.iter().cloned().collect(),
            ..site(worker(), Some(self.assets.path().to_owned()))
        }
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Workerd {
        Workerd::start(&self.config())
    }
}

pub(crate) fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

#[track_caller]
fn post(worker: &Workerd, path: &str, body: &str) -> Answer {
    let secret = bearer(SECRET);
    let fields = [("Authorization", secret.as_str()), ("Content-Type", "application/json")];
    Connection::open(worker.address).post(path, &fields, body)
}

#[track_caller]
fn read(worker: &Workerd, path: &str) -> Value {
    let answer = worker.ask("GET", path, &[("Authorization", &bearer(SECRET))]).expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn purge(worker: &Workerd, body: &Value) -> Value {
    let answer = post(worker, "/.rimward/purge", &body.to_string()).expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

fn known(worker: &Workerd) -> Value {
    read(worker, "/.rimward/purge")
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: never");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_restart_keeps_the_log() {
    let place = Place::new();
    let body = json!({ "purges": [{ "tag": "a" }, { "url": "/é" }], "key": "deploy-1" });
    let (first, known_before) = {
        let worker = place.start();
        let first = purge(&worker, &body);
        assert_eq!(first["again"], false);
        (first, known(&worker))
    };
    assert_eq!(known_before, json!({ "log": first["log"], "sequence": first["sequence"], "sure": true }));
    let worker = place.start();
    assert_eq!(known(&worker), known_before);
    let again = purge(&worker, &body);
    assert_eq!((&again["sequence"], &again["again"]), (&first["sequence"], &json!(true)));
    let next = purge(&worker, &json!({ "purges": [{ "all": true }] }));
    assert!(next["sequence"].as_u64() > first["sequence"].as_u64(), "{next} {first}");
}

/// The platform lets go of an object's memory after ten idle seconds.
#[test]
fn a_pause_keeps_the_log() {
    let place = Place::new();
    let worker = place.start();
    let body = json!({ "purges": [{ "tag": "a" }], "key": "deploy-1" });
    let first = purge(&worker, &body);
    std::thread::sleep(Duration::from_secs(15));
    assert_eq!(known(&worker), json!({ "log": first["log"], "sequence": first["sequence"], "sure": true }));
    let again = purge(&worker, &body);
    assert_eq!((&again["sequence"], &again["again"]), (&first["sequence"], &json!(true)));
    assert_eq!(again["settles_in_ms"], 0);
}

#[test]
fn only_the_right_secret_opens_it() {
    let place = Place::new().with("RIMWARD_PURGE_SECRET_OLD", "the-secret-of-last-month");
    let worker = place.start();
    let ask = |authorization: &str| worker.ask("GET", "/.rimward/purge", &[("Authorization", authorization)]).status;
    assert_eq!(worker.get("/.rimward/purge").status, 401);
    assert_eq!(ask("Bearer wrong-horse-battery-staple"), 401);
    assert_eq!(ask(&bearer(SECRET)), 200);
    assert_eq!(ask("Bearer the-secret-of-last-month"), 200);
    drop(worker);
    let closed = Place { variables: Vec::new(), ..place };
    closed.start().ask("GET", "/.rimward/purge", &[("Authorization", &bearer(SECRET))]).expect(404);
}

#[test]
fn what_is_too_much_is_refused_whole() {
    let place = Place::new();
    let worker = place.start();
    let before = known(&worker);
    let tags: Vec<Value> = (0..501).map(|number| json!({ "tag": number.to_string() })).collect();
    post(&worker, "/.rimward/purge", &json!({ "purges": tags }).to_string()).expect(413);
    post(&worker, "/.rimward/purge", &" ".repeat(300 * 1024)).expect(413);
    post(&worker, "/.rimward/purge", "{\"purges\":").expect(400);
    assert_eq!(known(&worker), before);
    let most: Vec<Value> = (0..500).map(|number| json!({ "tag": number.to_string() })).collect();
    purge(&worker, &json!({ "purges": most }));
}

#[test]
fn a_hundred_purges_at_once_each_get_their_place() {
    let place = Place::new();
    let worker = place.start();
    let places: Vec<u64> = std::thread::scope(|scope| {
        let purges: Vec<_> = (0..100)
            .map(|number| {
                let worker = &worker;
                scope.spawn(move || purge(worker, &json!({ "purges": [{ "tag": number.to_string() }] })))
            })
            .collect();
        purges.into_iter().map(|purge| purge.join().unwrap()["sequence"].as_u64().unwrap()).collect()
    });
    let mut apart = places.clone();
    apart.sort_unstable();
    apart.dedup();
    assert_eq!(apart.len(), 100, "{places:?}");
    assert_eq!(known(&worker)["sequence"].as_u64(), apart.last().copied());
}

#[test]
fn a_panic_elsewhere_does_not_harm_the_log() {
    let place = Place::new();
    let worker = Workerd::start(&Config { modules: probe_worker(), ..place.config() });
    let body = json!({ "purges": [{ "tag": "a" }], "key": "deploy-1" });
    let first = purge(&worker, &body);
    for _ in 0..3 {
        worker.get("/probe/panic/").expect(500);
        let again = purge(&worker, &body);
        assert_eq!((&again["sequence"], &again["again"]), (&first["sequence"], &json!(true)));
    }
}

/// A second Worker beside the first, an isolate of its own, that shares its objects.
pub(crate) fn with_a_second(config: &Config, listen: &str) -> String {
    let text = render(config);
    let begin = text.find("const rimward :Workerd.Worker").expect("the Worker");
    let end = begin + text[begin..].find("\n);\n").expect("its end") + 4;
    let shared = OBJECTS.iter().fold(text[begin..end].to_owned(), |text, Object { class, .. }| {
        let shared = format!(r#"durableObjectNamespace = (className = "{class}", serviceName = "rimward")"#);
        text.replace(&format!(r#"durableObjectNamespace = "{class}""#), &shared)
    });
    let (own, rest) = shared.split_once("  durableObjectNamespaces = [").expect("the objects that it has");
    let (_, rest) = rest.split_once("  ],\n").expect("their end");
    let second = (own.to_owned() + rest)
        .replace("const rimward ", "const second ")
        .lines()
        .filter(|line| !line.contains("durableObjectStorage"))
        .fold(String::new(), |text, line| text + line + "\n");
    let socket = format!(r#"(name = "second", address = "{listen}", http = (), service = "second"),"#);
    text.replacen("sockets = [\n", &format!("sockets = [\n    {socket}\n"), 1).replacen(
        "services = [\n",
        "services = [\n    (name = \"second\", worker = .second),\n",
        1,
    ) + "\n"
        + &second
}

#[test]
fn another_isolate_knows_of_a_purge_within_2_s() {
    let place = Place::new();
    let second = free_address();
    let first = Workerd::start_as(&place.config(), |config| with_a_second(config, &second.to_string()));
    let known_to_second = || {
        let answer = Connection::open(second).ask("GET", "/.rimward/purge", &[("Authorization", &bearer(SECRET))]);
        serde_json::from_slice::<Value>(&answer.expect(200).body).unwrap()
    };
    for _ in 0..5 {
        // Its view is fresh: it has no reason to ask by itself.
        known_to_second();
        let begun = Instant::now();
        let purged = purge(&first, &json!({ "purges": [{ "all": true }] }))["sequence"].as_u64();
        let settles =
            until("the purge is known", || (known_to_second()["sequence"].as_u64() == purged).then(|| begun.elapsed()));
        assert!(settles < Duration::from_millis(2500), "{settles:?}");
        assert_eq!(known_to_second()["sure"], true);
    }
}

fn zoned(zone: &Zone) -> Place {
    told(Place::new(), zone)
}

/// A place whose Worker knows a zone.
pub(crate) fn told(place: Place, zone: &Zone) -> Place {
    place
        .with("RIMWARD_ZONE_ID", zone::ID)
        .with("RIMWARD_ZONE_TOKEN", zone::TOKEN)
        .with("RIMWARD_ZONE_API", &zone.api())
}

#[test]
fn a_zone_is_told_what_its_documents_say() {
    let zone = Zone::start(|_| zone::accepted());
    let place = zoned(&zone);
    let worker = place.start();
    let urls: Vec<Value> = (0..250).map(|number| json!({ "url": format!("/{number}") })).collect();
    let told = purge(&worker, &json!({ "purges": urls }));
    assert_eq!(told["zone_calls"], 3);
    let mut lengths: Vec<usize> = (0..3).map(|_| zone.call().items("files").len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [50, 100, 100]);
    purge(&worker, &json!({ "purges": [{ "prefix": "https://shop.test/a/" }], "soft": true }));
    let call = zone.call();
    assert_eq!((call.endpoint.as_str(), call.items("prefixes")), ("invalidate_cache", vec!["shop.test/a".to_owned()]));
    until("nothing waits", || {
        (read(&worker, "/.rimward/purge/failed") == json!({ "failed": [], "waiting": 0 })).then_some(())
    });
}

#[test]
fn a_zone_that_is_busy_is_told_later() {
    let zone = Zone::start(|number| match number {
        0 => zone::busy(1),
        1 => zone::broken(),
        _ => zone::accepted(),
    });
    let place = zoned(&zone);
    let worker = place.start();
    purge(&worker, &json!({ "purges": [{ "tag": "a" }] }));
    let began = Instant::now();
    let calls: Vec<_> = (0..3).map(|_| zone.call()).collect();
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
    let waited = began.elapsed();
    assert!(waited > Duration::from_secs(5), "2 s, then 4 s: {waited:?}");
    until("nothing waits", || (read(&worker, "/.rimward/purge/failed")["waiting"] == 0).then_some(()));
}

#[test]
fn a_call_that_waits_outlives_a_restart() {
    let zone = Zone::start(|number| if number == 0 { zone::busy(3) } else { zone::accepted() });
    let place = zoned(&zone);
    let worker = place.start();
    purge(&worker, &json!({ "purges": [{ "tag": "a" }] }));
    let first = zone.call();
    until("it waits", || (read(&worker, "/.rimward/purge/failed")["waiting"] == 1).then_some(()));
    drop(worker);
    let worker = place.start();
    // The platform wakes the object by itself; a bare runtime only once somebody asked for it.
    known(&worker);
    assert_eq!(zone.call(), first);
}

#[test]
fn a_call_that_is_refused_is_listed_and_replayed() {
    let zone = Zone::start(|number| if number == 0 { zone::refused() } else { zone::accepted() });
    let place = zoned(&zone);
    let worker = place.start();
    purge(&worker, &json!({ "purges": [{ "tag": "a" }] }));
    zone.call();
    let failed = until("it is given up", || {
        let failed = read(&worker, "/.rimward/purge/failed");
        (failed["failed"] != json!([])).then_some(failed)
    });
    assert_eq!(
        failed["failed"][0]["call"],
        json!({ "zone": zone::ID, "strength": "hard", "items": { "tags": ["a"] } })
    );
    assert!(failed["failed"][0]["answer"].as_str().unwrap().starts_with("403: {"), "{failed}");
    worker.logs("the zone's cache was not told of a purge");
    assert!(!worker.log().contains(zone::TOKEN));
    let replayed = post(&worker, "/.rimward/purge/replay", "").expect(200);
    assert_eq!(replayed.text(), "{\"replayed\":1}\n");
    zone.call();
    until("nothing is left", || {
        (read(&worker, "/.rimward/purge/failed") == json!({ "failed": [], "waiting": 0 })).then_some(())
    });
}

/// A Worker of its own whose log never answers, and which shares the first one's key-value store.
fn with_a_cut_off(config: &Config, listen: &str) -> String {
    let text = with_a_second(config, listen)
        .replacen(
            r#"(className = "ControlLog", serviceName = "rimward")"#,
            r#"(className = "ControlLog", serviceName = "silent")"#,
            1,
        )
        .replacen("services = [\n", "services = [\n    (name = \"silent\", worker = .silent),\n", 1);
    text + r#"
const silent :Workerd.Worker = (
  modules = [(name = "silent.js", esModule = "import { DurableObject } from 'cloudflare:workers';\nexport class ControlLog extends DurableObject { ask() { return new Promise(() => {}); } }\nexport default {};\n")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "ControlLog", uniqueKey = "rimward-control-log")],
  durableObjectStorage = (inMemory = void),
);
"#
}

#[test]
fn an_isolate_that_cannot_reach_the_log_goes_by_its_copy() {
    let place = Place::new();
    let cut_off = free_address();
    let worker = Workerd::start_as(&place.config(), |config| with_a_cut_off(config, &cut_off.to_string()));
    let purged = purge(&worker, &json!({ "purges": [{ "all": true }] }));
    let ask = || {
        let answer = Connection::open(cut_off).ask("GET", "/.rimward/purge", &[("Authorization", &bearer(SECRET))]);
        serde_json::from_slice::<Value>(&answer.expect(200).body).unwrap()
    };
    // The neighbours' shared answer makes it sure for a moment; after that only the copy is left.
    let known = until("the copy is there", || {
        let known = ask();
        (known["sequence"] == purged["sequence"] && known["sure"] == false).then_some(known)
    });
    assert_eq!(known, json!({ "log": purged["log"], "sequence": purged["sequence"], "sure": false }));
}

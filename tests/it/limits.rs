//! Limits: whole requests in memory, and on bare `workerd` with real objects, connections and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rimward::workerd::Config;
use rimward_edge::config::{LimitPolicy, Route, Settings, Timeout};
use rimward_edge::platform::LimitAsk;
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};
use sfv::{BareItem, List, ListEntry, Parser};
use tungstenite::Message;

use crate::log::until;
use crate::origin::{Exchange, Origin};
use crate::published::publish;
use crate::room::{connect, echo, status};
use crate::runtime::{Answer, Connection, Workerd, free_address, site as on_workerd, worker};
use crate::site::{Api, Site as Project, check, rimward};
use crate::workerd::with_api;
use crate::world::{Folder, Seen, Sent, Served, get, navigate, settings, site};

#[allow(clippy::needless_pass_by_value, reason = "each is written where it is needed")]
fn limited(limits: Value, route: Value) -> Served {
    let mut api = json!({ "path": "/api/*", "pool": "api" });
    api.as_object_mut().unwrap().extend(route.as_object().unwrap().clone());
    let served = site(&settings(json!({ "limits": limits, "routes": [api] })), &Folder::new("r1", "/"));
    served.world.limits.replace(Some(BTreeMap::new()));
    served.world.pass(Duration::from_mins(1_000_000));
    served
}

/// As many requests, each of which the origin would answer.
fn ask(served: &Served, request: &Sent, times: usize) -> Vec<Seen> {
    (0..times)
        .map(|_| {
            if served.world.origin_answers.borrow().is_empty() {
                served.origin_says(200, &[], Some("yes"));
            }
            served.ask(request)
        })
        .collect()
}

fn statuses(seen: &[Seen]) -> Vec<u16> {
    seen.iter().map(|seen| seen.status).collect()
}

/// The parameters of the one policy that a field tells of.
#[track_caller]
fn parameters(field: &str, policy: &str) -> BTreeMap<String, i64> {
    let list: List = Parser::new(field).parse().unwrap_or_else(|error| panic!("{field}: {error}"));
    let item = list.into_iter().find_map(|member| match member {
        ListEntry::Item(item) if item.bare_item == BareItem::String(policy.to_owned().try_into().unwrap()) => {
            Some(item)
        }
        _ => None,
    });
    let parameters = item.unwrap_or_else(|| panic!("no {policy} in {field}")).params;
    let number = |value: &BareItem| match value {
        BareItem::Integer(number) => i64::from(*number),
        other => panic!("{other:?}"),
    };
    parameters.iter().map(|(name, value)| (name.as_str().to_owned(), number(value))).collect()
}

#[test]
fn the_request_past_the_quota_is_refused_and_told_when_to_come_back() {
    let served = limited(json!(["login; gcra 10 60000 10"]), json!({ "limits": ["login"] }));
    let seen = ask(&served, &get("/api/login"), 12);
    assert_eq!(statuses(&seen), [[200; 10].as_slice(), &[429; 2]].concat());
    let policy = parameters(&seen[0].field("ratelimit-policy"), "login");
    assert_eq!((policy["q"], policy["w"]), (10, 60));
    for (number, seen) in seen[..10].iter().enumerate() {
        let left = parameters(&seen.field("ratelimit"), "login");
        let used = i64::try_from(number).unwrap() + 1;
        assert_eq!((left["r"], left["t"]), (10 - used, used * 6));
    }
    let refused = &seen[10];
    assert_eq!(refused.field("content-type"), "application/problem+json");
    assert_eq!((refused.field("retry-after").as_str(), refused.field("cache-control").as_str()), ("6", "no-store"));
    assert_eq!(parameters(&refused.field("ratelimit"), "login")["r"], 0);
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!((&problem["status"], &problem["violated-policies"]), (&json!(429), &json!(["login"])));
    assert_eq!(problem["request_id"], refused.field("x-request-id"));
    served.world.pass(Duration::from_secs(6));
    assert_eq!(statuses(&ask(&served, &get("/api/login"), 2)), [200, 429]);
}

#[test]
fn a_refusal_is_remembered_until_it_may_succeed() {
    let served = limited(json!(["a; fixed-window 1 60000"]), json!({ "limits": ["a"] }));
    ask(&served, &get("/api/x"), 5);
    assert_eq!(served.world.asked_of_limits.borrow().len(), 2);
    // Somebody else is asked for.
    assert_eq!(statuses(&ask(&served, &get("/api/x").by_peer("198.51.100.1"), 2)), [200, 429]);
    served.world.pass(Duration::from_mins(1));
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 2)), [200, 429]);
}

#[test]
fn a_page_is_told_in_words() {
    let served = limited(json!(["a; fixed-window 1 60000"]), json!({ "limits": ["a"] }));
    let seen = ask(&served, &navigate("/api/x"), 2);
    assert_eq!((seen[1].status, seen[1].field("content-type").as_str()), (429, "text/plain; charset=utf-8"));
    assert!(seen[1].text().contains("Try again later"), "{seen:?}");
    assert_ne!(seen[1].field("retry-after"), "");
}

#[test]
fn a_client_cannot_make_itself_another() {
    let policy = json!(["a; fixed-window 2 60000"]);
    let served = limited(policy, json!({ "limits": ["a"] }));
    let forged = |number: usize| {
        get("/api/x").with("x-forwarded-for", &format!("10.0.0.{number}")).with("cf-connecting-ip", "10.9.9.9")
    };
    let seen: Vec<u16> = (0..4).flat_map(|number| statuses(&ask(&served, &forged(number), 1))).collect();
    assert_eq!(seen, [200, 200, 429, 429]);
    let one_network = |host: &str| get("/api/x").by_peer(&format!("2001:db8:1:2:{host}"));
    let seen: Vec<u16> = ["1::", ":2", "3:4:5:6", "7::"]
        .iter()
        .flat_map(|host| statuses(&ask(&served, &one_network(host), 1)))
        .collect();
    assert_eq!(seen, [200, 200, 429, 429]);
}

#[test]
fn all_policies_are_charged_or_none() {
    let limits = json!([
        "wide; fixed-window 10 60000; partition ip",
        "narrow; fixed-window 2 60000; partition ip route",
        "all; fixed-window 100 60000; partition global",
    ]);
    for order in [["wide", "narrow", "all"], ["all", "narrow", "wide"], ["narrow", "all", "wide"]] {
        let served = limited(limits.clone(), json!({ "limits": order }));
        // Another isolate each: no refusal is remembered.
        for _ in 0..6 {
            let elsewhere = served.elsewhere();
            ask(&elsewhere, &get("/api/x"), 1);
        }
        served.world.pass(Duration::from_secs(1));
        let elsewhere = served.elsewhere();
        let seen = &ask(&elsewhere, &get("/api/x"), 1)[0];
        assert_eq!(seen.status, 429, "{order:?}");
        let mut left: Vec<u64> = Vec::new();
        let mut objects = served.world.limits.borrow_mut();
        for object in objects.as_mut().unwrap().values_mut() {
            left.extend(object.used(served.world.now_millis()));
        }
        left.sort_unstable();
        assert_eq!(left, [2, 2, 2], "{order:?}");
    }
}

#[test]
fn a_shadow_counts_and_refuses_nobody() {
    let limits = json!(["a; fixed-window 1 60000; shadow"]);
    let served = limited(limits, json!({ "limits": ["a"] }));
    served.world.counted.replace(Some(String::new()));
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 3)), [200; 3]);
    let counted = served.world.counted.borrow().clone().unwrap();
    let shadows = counted.matches("rimward_limit_requests_total{policy=\"a\",result=\"shadow\"}\n1\n").count();
    assert_eq!(shadows, 2, "{counted}");
}

#[test]
fn who_is_exempt_is_not_counted() {
    let limits = json!(["a; fixed-window 1 60000; exempt 198.51.100.0/24 2001:db8::/32"]);
    let served = limited(limits, json!({ "limits": ["a"] }));
    for peer in ["198.51.100.7", "2001:db8::9"] {
        let seen = ask(&served, &get("/api/x").by_peer(peer), 3);
        assert_eq!(statuses(&seen), [200; 3]);
        assert_eq!(seen[0].field("ratelimit"), "");
    }
    assert_eq!(statuses(&ask(&served, &get("/api/x").by_peer("198.51.101.7"), 2)), [200, 429]);
}

#[test]
fn a_request_may_cost_more_than_one_permit() {
    let limits = json!(["a; fixed-window 10 60000"]);
    let served = limited(limits, json!({ "limits": ["a"], "cost": 4 }));
    let seen = ask(&served, &get("/api/x"), 3);
    assert_eq!(statuses(&seen), [200, 200, 429]);
    assert_eq!(parameters(&seen[1].field("ratelimit"), "a")["r"], 2);
}

#[test]
fn what_is_forwarded_alone_is_counted_where_the_settings_say_so() {
    let limits = json!(["a; fixed-window 2 60000; guards origin"]);
    let route = json!({ "limits": ["a"], "cache": "api" });
    let api = json!({ "path": "/api/*", "pool": "api", "limits": route["limits"], "cache": "api" });
    let changes = json!({ "limits": limits, "caches": { "api": {} }, "routes": [api] });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.limits.replace(Some(BTreeMap::new()));
    served.world.pass(Duration::from_mins(1_000_000));
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("kept"));
    let first = served.get("/api/x");
    assert_eq!(parameters(&first.field("ratelimit"), "a")["r"], 1);
    for _ in 0..5 {
        let hit = served.get("/api/x");
        assert!(hit.status == 200 && hit.field("cache-status").starts_with("rimward; hit"), "{hit:?}");
    }
    served.origin_says(200, &[("cache-control", "max-age=60")], Some("kept"));
    assert_eq!(served.get("/api/y").status, 200);
    assert_eq!(served.get("/api/z").status, 429);
    assert_eq!(served.ask(&Sent::new("POST", "/api/x")).status, 429);
    // What is stored is still to be had.
    assert_eq!(served.get("/api/x").status, 200);
}

#[test]
fn a_part_of_what_is_too_large_to_be_kept_is_charged_once() {
    let limits = json!(["a; fixed-window 1 60000; guards origin"]);
    let api = json!({ "path": "/api/*", "pool": "api", "limits": ["a"], "cache": "api" });
    let changes = json!({ "limits": limits, "caches": { "api": {} }, "routes": [api] });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.limits.replace(Some(BTreeMap::new()));
    served.world.pass(Duration::from_mins(1_000_000));
    let long = "x".repeat(9_000_000);
    // That it is too large is seen when the whole was asked for.
    served.origin_says(200, &[("cache-control", "max-age=60"), ("content-length", "9000000")], Some(&long));
    served.origin_says(206, &[("content-range", "bytes 0-2/9000000")], Some("xxx"));
    let seen = served.ask(&get("/api/film").with("range", "bytes=0-2"));
    assert_eq!((seen.status, seen.text().as_str()), (206, "xxx"), "{seen:?}");
    assert_eq!(parameters(&seen.field("ratelimit"), "a")["r"], 0);
    assert_eq!(served.ask(&get("/api/film").with("range", "bytes=0-2")).status, 429);
}

#[test]
fn while_an_object_does_not_answer_the_settings_decide() {
    for (mode, expected, word) in [
        ("local", [200, 200, 429, 429].as_slice(), "counted here"),
        ("open", &[200, 200, 200, 200], "open"),
        ("closed", &[503, 503, 503, 503], "closed"),
    ] {
        let limits = json!([format!("a; fixed-window 2 3600000; when_unreachable {mode}")]);
        let served = limited(limits, json!({ "limits": ["a"] }));
        served.world.limits_down.borrow_mut().push(String::new());
        let seen = ask(&served, &get("/api/x"), 4);
        assert_eq!(statuses(&seen), expected, "{mode}");
        for seen in &seen {
            let timing = seen.field("server-timing");
            assert!(timing.contains(&format!("limit;desc=\"unreachable, {word}\"")), "{mode}: {timing}");
        }
        // A message may be lost, and then another; whoever comes after does not wait for it.
        let asked = served.world.asked_of_limits.borrow().len();
        assert!((1..=3).contains(&asked), "{mode}: {asked}");
        if mode == "closed" {
            let problem: Value = serde_json::from_slice(&seen[0].body).unwrap();
            let kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
            assert_eq!(problem["type"], kind);
            assert_ne!(seen[0].field("retry-after"), "");
        }
        // Once it is back it counts again.
        served.world.limits_down.borrow_mut().clear();
        served.world.pass(Duration::from_secs(30));
        assert_eq!(statuses(&ask(&served, &get("/api/x").by_peer("198.51.100.9"), 3)), [200, 200, 429], "{mode}");
    }
}

#[test]
fn what_one_object_took_is_given_back_where_another_is_not_to_be_had() {
    let limits = json!([
        "a; fixed-window 2 3600000; partition ip; when_unreachable closed",
        "b; fixed-window 2 3600000; partition global; when_unreachable closed",
    ]);
    let served = limited(limits, json!({ "limits": ["a", "b"] }));
    ask(&served, &get("/api/x"), 1);
    let LimitAsk::Take(command) = served.world.asked_of_limits.borrow()[0].1.clone() else { panic!("no question") };
    let second = command.split('\0').nth(1).expect("two objects").to_owned();
    served.world.limits_down.borrow_mut().push(second);
    assert_eq!(ask(&served, &get("/api/x"), 1)[0].status, 503);
    served.world.limits_down.borrow_mut().clear();
    served.world.pass(Duration::from_mins(1));
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 2)), [200, 429]);
}

/// What every counter of every object has used.
fn used(served: &Served) -> Vec<u64> {
    let mut objects = served.world.limits.borrow_mut();
    let objects = objects.as_mut().unwrap().values_mut();
    let mut used: Vec<u64> = objects.flat_map(|object| object.used(served.world.now_millis())).collect();
    used.sort_unstable();
    used
}

#[test]
fn what_is_refused_on_the_way_to_the_origin_takes_nothing_of_what_was_passed_before() {
    let limits = json!([
        "all; fixed-window 100 3600000; partition global",
        "lent; gcra 60000 60000 60000; partition route; precision leased",
        "origin; fixed-window 2 3600000; partition ip; guards origin",
    ]);
    let api = json!({ "path": "/api/*", "pool": "api", "limits": ["all", "origin"], "cache": "api" });
    let lent = json!({ "path": "/lent/*", "pool": "api", "limits": ["lent", "origin"] });
    let changes = json!({ "limits": limits, "caches": { "api": {} }, "routes": [api, lent] });
    let served = site(&settings(changes), &Folder::new("r1", "/"));
    served.world.limits.replace(Some(BTreeMap::new()));
    served.world.pass(Duration::from_mins(1_000_000));
    let seen: Vec<Seen> = (0..8).flat_map(|number| ask(&served, &get(&format!("/api/{number}")), 1)).collect();
    assert_eq!(statuses(&seen), [200, 200, 429, 429, 429, 429, 429, 429]);
    assert_eq!(used(&served), [2, 2]);
    // Neither of a lease, which is in the isolate.
    served.world.counted.replace(Some(String::new()));
    let of_others = |number: usize| get("/lent/x").by_peer(&format!("198.51.100.{number}"));
    for number in 0..30 {
        served.world.pass(Duration::from_millis(20));
        assert_eq!(statuses(&ask(&served, &of_others(number), 1)), [200]);
    }
    let asked = served.world.asked_of_limits.borrow().len();
    let count = || {
        served.world.pass(Duration::from_millis(1));
        parameters(&ask(&served, &get("/lent/x"), 1)[0].field("ratelimit"), "lent")["r"]
    };
    let lefts: Vec<i64> = (0..5).map(|_| count()).collect();
    assert!(lefts.iter().all(|left| *left == lefts[0] && *left > 5), "{lefts:?}");
    assert_eq!(served.world.asked_of_limits.borrow().len(), asked, "each is refused here");
    served.world.pass(Duration::from_secs(10));
    ask(&served, &of_others(99), 1);
    let used = counted(&served, "rimward_limit_lent_used_total");
    let by_lease = counted(&served, "rimward_limit_requests_total{policy=\"lent\",result=\"admitted-by-lease\"}");
    assert!(by_lease > 5 && used == by_lease - 5, "{used} of {by_lease}");
}

#[test]
fn what_has_no_room_takes_nothing_of_what_is_counted_here() {
    // Whoever waits here in vain for an object lets hours pass.
    let limits = json!([
        "here; fixed-window 5 2592000000; partition ip",
        "room; concurrency 1 0 0; partition global; when_unreachable closed",
    ]);
    let served = limited(limits, json!({ "limits": ["here", "room"] }));
    ask(&served, &get("/api/x"), 1);
    let here = served.world.asked_of_limits.borrow()[0].0.clone();
    served.world.limits_down.borrow_mut().push(String::new());
    for _ in 0..12 {
        assert_eq!(statuses(&ask(&served, &get("/api/x"), 1)), [503]);
    }
    served.world.limits_down.replace(vec![here]);
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 6)), [200, 200, 200, 200, 200, 429]);
}

#[test]
fn without_the_binding_the_settings_decide_and_the_log_says_so() {
    let served = limited(json!(["a; fixed-window 1 60000"]), json!({ "limits": ["a"] }));
    served.world.limits.replace(None);
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 2)), [200, 429]);
    assert!(served.world.logged.borrow().iter().any(|line| line.contains("the limits could not be asked")));
}

#[test]
fn a_lease_is_spent_without_a_question() {
    let limits = json!(["a; gcra 60000 60000 60000; precision leased"]);
    let served = limited(limits, json!({ "limits": ["a"] }));
    for _ in 0..200 {
        served.world.pass(Duration::from_millis(10));
        assert_eq!(ask(&served, &get("/api/x"), 1)[0].status, 200);
    }
    let asked = served.world.asked_of_limits.borrow().len();
    assert!(asked < 40, "{asked} questions for 200 requests");
}

/// What was counted under a name, in all that isolates told.
fn counted(served: &Served, name: &str) -> u64 {
    let lines = served.world.counted.borrow().clone().unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let of_name = lines.chunks_exact(2).filter(|pair| pair[0].starts_with(name));
    of_name.map(|pair| pair[1].parse::<u64>().unwrap()).sum()
}

#[test]
fn what_is_lent_and_what_is_used_of_it_is_counted() {
    let limits = json!(["a; gcra 60000 60000 60000; precision leased", "b; fixed-window 150 3600000; partition route"]);
    let served = limited(limits, json!({ "limits": ["a", "b"], "cost": 2 }));
    served.world.counted.replace(Some(String::new()));
    for _ in 0..100 {
        served.world.pass(Duration::from_millis(10));
        ask(&served, &get("/api/x"), 1);
    }
    let lent = counted(&served, "rimward_limit_lent_total{policy=\"a\"}");
    let used = counted(&served, "rimward_limit_lent_used_total{policy=\"a\"}");
    let by_lease = counted(&served, "rimward_limit_requests_total{policy=\"a\",result=\"admitted-by-lease\"}");
    assert!(used > 50 && used <= lent && used < 2 * by_lease, "{used} of {lent}: refused ones gave theirs back");
    assert_eq!(counted(&served, "rimward_limit_lent_total{policy=\"b\"}"), 0);
    // As much as the 75 requests that passed took by themselves or of leases.
    let asked = counted(&served, "rimward_limit_requests_total{policy=\"b\",result=\"admitted\"}");
    assert_eq!((asked, used % 2), (75, 0));
}

#[test]
fn objects_write_by_the_block_and_say_so() {
    let served = limited(json!(["a; fixed-window 300 3600000"]), json!({ "limits": ["a"] }));
    served.world.counted.replace(Some(String::new()));
    assert_eq!(statuses(&ask(&served, &get("/api/x"), 301))[299..], [200, 429]);
    // A block of 15, and the permit that it is written for.
    assert_eq!(counted(&served, "rimward_limit_rows_total"), 300_u64.div_ceil(16));
}

#[test]
fn requests_at_once_are_bounded() {
    let limits = json!(["a; concurrency 1 0 0; partition global"]);
    let served = limited(limits, json!({ "limits": ["a"] }));
    let seen = ask(&served, &get("/api/x"), 2);
    // Here nothing takes time: each is over before the next one comes.
    assert_eq!(statuses(&seen), [200, 200]);
    assert!(seen[0].field("ratelimit-policy").contains(r#""a";q=1;qu="concurrent-requests""#), "{seen:?}");
}

/// The Worker on `workerd`, with limits and an API that counts.
struct Site {
    worker: Option<Workerd>,
    config: Config,
    asked: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Site {
    #[track_caller]
    fn start(limits: &Value, names: &[&str], script: impl Fn(usize, &mut Exchange) + Send + Sync + 'static) -> Site {
        Site::start_with(limits, &[("/api/*", names)], script)
    }

    /// Routes and the names of their limits.
    #[track_caller]
    fn start_with(
        limits: &Value,
        routes: &[(&str, &[&str])],
        script: impl Fn(usize, &mut Exchange) + Send + Sync + 'static,
    ) -> Site {
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        let origin = Origin::start(move |exchange| script(counter.fetch_add(1, Ordering::SeqCst), exchange));
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("public");
        let mut settings = with_api(&origin);
        settings.routes = routes
            .iter()
            .map(|(path, names)| Route {
                limits: names.iter().map(|&name| name.to_owned()).collect(),
                ..Route::new(Pattern::parse(path).unwrap(), "api")
            })
            .collect();
        let timeout = Timeout { answer_ms: 5000, idle_ms: Some(5000), total_ms: Some(20_000) };
        settings.pools.iter_mut().for_each(|(_, pool)| pool.timeout = timeout);
        let limits: Vec<LimitPolicy> = serde_json::from_value(limits.clone()).unwrap();
        publish(&public, Settings { limits, ..settings }, &[], &[]);
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let mut config = Config { state: Some(state), ..on_workerd(worker(), Some(public)) };
        config.variables.insert("RIMWARD_CLIENT_ADDRESS".into(), "socket".into());
        let worker = Some(Workerd::start(&config));
        Site { worker, config, asked, _folder: folder }
    }

    fn worker(&self) -> &Workerd {
        self.worker.as_ref().expect("it runs")
    }

    fn restart(&mut self) {
        drop(self.worker.take());
        self.worker = Some(Workerd::start(&self.config));
    }

    /// The answers to requests on so many connections at once.
    fn ask_at_once(&self, connections: usize, each: usize) -> Vec<Answer> {
        self.ask_for(&["/api/x"], connections, each)
    }

    /// The same for these paths in turn.
    fn ask_for(&self, paths: &[&str], connections: usize, each: usize) -> Vec<Answer> {
        let address = self.worker().address;
        thread::scope(|scope| {
            let asking = |number: usize| {
                let path = paths[number % paths.len()].to_owned();
                scope.spawn(move || {
                    let mut connection = Connection::open(address);
                    (0..each).map(|_| connection.ask("GET", &path, &[])).collect::<Vec<_>>()
                })
            };
            let asking: Vec<_> = (0..connections).map(asking).collect();
            let answers = asking.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>();
            answers.unwrap_or_else(|_| panic!("no answer: {}", self.worker().log())).into_iter().flatten().collect()
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn well(_: usize, exchange: &mut Exchange) {
    exchange.answer("200 OK\r\nCache-Control: no-store", "well");
}

fn admitted(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn fifty_connections_get_a_window_of_a_thousand_exactly() {
    let limits = json!([
        "client; fixed-window 1000 3600000; deadline_ms 5000; when_unreachable closed",
        "all; fixed-window 1500 3600000; partition global; deadline_ms 5000; when_unreachable closed",
    ]);
    let site = Site::start(&limits, &["client", "all"], well);
    let answers = site.ask_at_once(50, 24);
    assert_eq!((answers.len(), admitted(&answers), site.asked()), (1200, 1000, 1000), "{}", site.worker().log());
    // Each answer told what was left after it: all of it, once each.
    let mut left: Vec<i64> = Vec::new();
    for answer in &answers {
        let policy = answer.field("ratelimit-policy").unwrap();
        assert_eq!(parameters(policy, "client")["q"], 1000);
        assert_eq!(parameters(policy, "all")["q"], 1500);
        let said = parameters(answer.field("ratelimit").unwrap(), "client");
        match answer.status {
            200 => left.push(said["r"]),
            429 => {
                assert_eq!(said["r"], 0);
                let retry: i64 = answer.field("retry-after").unwrap().parse().unwrap();
                assert!((1..=3600).contains(&retry) && (retry - said["t"]).abs() <= 1, "{retry} {said:?}");
            }
            other => panic!("{other}: {}", site.worker().log()),
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..1000).collect::<Vec<_>>());
}

#[test]
fn neither_a_pause_nor_a_restart_forgives() {
    let limits = json!(["login; fixed-window 100 3600000; deadline_ms 5000"]);
    let mut site = Site::start(&limits, &["login"], well);
    assert_eq!(admitted(&site.ask_at_once(1, 52)), 52);
    // An object forgets its memory after ten seconds without a request.
    thread::sleep(Duration::from_secs(15));
    let after_pause = admitted(&site.ask_at_once(1, 20));
    assert_eq!(after_pause, 20);
    site.restart();
    let answers = site.ask_at_once(1, 60);
    let rest = admitted(&answers);
    // What was reserved and not used counts as used: at most two blocks of five.
    assert!((100 - 72 - 10..=100 - 72).contains(&rest), "{rest}");
    assert!(answers[rest..].iter().all(|answer| answer.status == 429));
}

#[test]
fn a_short_window_is_not_forgiven_by_a_restart_either() {
    let limits = json!(["a; fixed-window 10 10000; deadline_ms 5000"]);
    let mut site = Site::start(&limits, &["a"], well);
    // With enough of a window left for a restart.
    let begun = Instant::now();
    loop {
        let into = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() % 10_000;
        if into < 3_000 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(admitted(&site.ask_at_once(1, 11)), 10);
    let window = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() / 10_000;
    site.restart();
    let answers = site.ask_at_once(1, 3);
    let later = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() / 10_000;
    if window == later {
        assert_eq!(admitted(&answers), 0);
    }
}

#[test]
fn requests_wait_for_their_turn_and_who_leaves_frees_his_place() {
    let most = Arc::<AtomicUsize>::default();
    let now = Arc::<AtomicUsize>::default();
    let (seen, under_way) = (Arc::clone(&most), Arc::clone(&now));
    let limits = json!(["a; concurrency 3 4 8000; partition global; deadline_ms 2000",]);
    let site = Site::start(&limits, &["a"], move |_, exchange| {
        let count = under_way.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(count, Ordering::SeqCst);
        let takes = if exchange.request.path() == "/api/slow" { 3000 } else { 400 };
        thread::sleep(Duration::from_millis(takes));
        under_way.fetch_sub(1, Ordering::SeqCst);
        exchange.answer("200 OK\r\nCache-Control: no-store", "well");
    });
    let answers = site.ask_at_once(10, 1);
    // Three are under way, four wait, three are too many.
    assert_eq!((admitted(&answers), site.asked(), most.load(Ordering::SeqCst)), (7, 7, 3), "{}", site.worker().log());
    assert!(answers.iter().filter(|answer| answer.status == 429).all(|answer| answer.field("retry-after").is_some()));
    assert_eq!(admitted(&site.ask_at_once(3, 2)), 6, "permits did not come back: {}", site.worker().log());

    // Three are under way; four more wait and go away again: their places are free for others.
    let address = site.worker().address;
    let slow = || thread::spawn(move || Connection::open(address).ask("GET", "/api/slow", &[]));
    let busy: Vec<_> = (0..3).map(|_| slow()).collect();
    thread::sleep(Duration::from_millis(500));
    let leaving: Vec<Connection> = (0..4)
        .map(|_| {
            let mut connection = Connection::open(address);
            // An answer that is never read: whoever closes then resets the connection, and is seen to leave.
            connection.send("GET", "/.rimward/health", &[]);
            connection.send("GET", "/api/x", &[]);
            connection
        })
        .collect();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(site.worker().get("/api/x").status, 429, "nobody waits");
    drop(leaving);
    thread::sleep(Duration::from_millis(500));
    let others = site.ask_at_once(4, 1);
    assert_eq!(admitted(&others), 4, "{}", site.worker().log());
    for client in busy {
        assert_eq!(client.join().unwrap().status, 200);
    }
}

#[test]
fn who_needs_two_permits_waits_for_nobody_who_waits_for_him() {
    let limits = json!([
        "first; concurrency 1 20 8000; partition global; deadline_ms 2000",
        "second; concurrency 1 20 8000; partition ip; deadline_ms 2000",
    ]);
    let routes: [(&str, &[&str]); 2] = [("/api/a", &["first", "second"]), ("/api/b", &["second", "first"])];
    let site = Site::start_with(&limits, &routes, |_, exchange| {
        thread::sleep(Duration::from_millis(20));
        exchange.answer("200 OK\r\nCache-Control: no-store", "well");
    });
    let begun = Instant::now();
    let answers = site.ask_for(&["/api/a", "/api/b"], 8, 3);
    assert_eq!((admitted(&answers), answers.len()), (24, 24), "{}", site.worker().log());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn who_is_refused_by_one_limit_uses_up_no_other() {
    let limits = json!([
        "day; fixed-window 100 86400000; partition ip; deadline_ms 5000",
        "few; fixed-window 10 5000; partition global; deadline_ms 5000",
    ]);
    // Whichever object is asked first, and whichever behind it.
    let site = Site::start(&limits, &["day", "few"], well);
    let first = admitted(&site.ask_at_once(50, 3));
    assert!((10..=20).contains(&first), "{first}");
    // The objects rest meanwhile, and forget what is not written down.
    thread::sleep(Duration::from_secs(16));
    let answers = site.ask_at_once(1, 1);
    let left = parameters(answers[0].field("ratelimit").unwrap(), "day")["r"];
    let rest = 100 - i64::try_from(first).unwrap() - 1;
    assert!(answers[0].status == 200 && (rest - 5..=rest).contains(&left), "{left} of {rest}: {answers:?}");
}

#[test]
fn a_permit_is_in_use_until_the_body_ends() {
    let limits = json!(["a; concurrency 1 0 0; partition global; deadline_ms 2000"]);
    let site = Site::start(&limits, &["a"], |number, exchange| {
        if number > 0 {
            return exchange.answer("200 OK", "well");
        }
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        thread::sleep(Duration::from_millis(1500));
        exchange.write("other");
    });
    let address = site.worker().address;
    let slow = thread::spawn(move || Connection::open(address).ask("GET", "/api/x", &[]));
    thread::sleep(Duration::from_millis(600));
    assert_eq!(site.worker().get("/api/x").status, 429);
    let slow = slow.join().unwrap().expect(200);
    assert_eq!((slow.text().as_str(), slow.field("content-length")), ("firstother", Some("10")));
    let begun = Instant::now();
    while site.worker().get("/api/x").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(3), "{}", site.worker().log());
    }
}

#[test]
fn a_websocket_is_under_way_until_it_ends_and_no_longer() {
    let limits = json!([
        "few; concurrency 2 0 0; partition global; deadline_ms 2000",
        "fewer; concurrency 2 0 0; partition ip; deadline_ms 2000",
    ]);
    let site = Site::start(&limits, &["few", "fewer"], |_, exchange| match exchange.request.field("upgrade") {
        Some(_) => echo(exchange),
        None => exchange.answer("200 OK\r\nCache-Control: no-store", "well"),
    });
    let address = site.worker().address;
    let begun = Instant::now();
    let mut sockets = [connect(address), connect(address)];
    // For longer than a permit is in use of which nobody speaks.
    while begun.elapsed() < Duration::from_secs(12) {
        assert_eq!(status(address), 429, "two are under way after {:?}", begun.elapsed());
        for socket in &mut sockets {
            socket.send(Message::text("hello")).expect("the worker listens");
            assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
        }
        thread::sleep(Duration::from_millis(500));
    }
    let [mut first, second] = sockets;
    first.close(None).expect("an open socket");
    while first.read().is_ok() {}
    until("the first one's permit", || (status(address) == 200).then_some(()));
    drop(second);
    let _third = connect(address);
    until("the second one's permit", || (status(address) == 200).then_some(()));
    // Sooner than the pool's `total` would be over.
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
}

#[test]
fn two_isolates_share_a_quota() {
    let limits = json!(["a; fixed-window 100 3600000; deadline_ms 5000"]);
    let mut site = Site::start(&limits, &["a"], well);
    drop(site.worker.take());
    let second = free_address();
    let both = Workerd::start_as(&site.config, |config| crate::log::with_a_second(config, &second.to_string()));
    let addresses = [both.address, second];
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asking = |number: usize| {
            let address = addresses[number % 2];
            scope.spawn(move || {
                let mut connection = Connection::open(address);
                (0..10).map(|_| connection.ask("GET", "/api/x", &[]).status).collect::<Vec<_>>()
            })
        };
        let asking: Vec<_> = (0..16).map(asking).collect();
        asking.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 100, "{}", both.log());
}

/// An object in place of those that count, that takes its time for everything it is asked, and never says a word.
const SILENT: &str = r#"import { DurableObject } from "cloudflare:workers";
export class Silent extends DurableObject {
  take() { return new Promise((late) => setTimeout(late, 60000)); }
  undo() { return this.take(); }
}
export default { fetch() { return new Response("silent"); } };
"#;

fn with_silent_objects(config: &Config) -> String {
    let text = rimward::workerd::render(config);
    let silent = format!(
        "\nconst silent :Workerd.Worker = (\n  modules = [(name = \"silent.js\", esModule = {SILENT:?})],\n  \
         compatibilityDate = \"2026-11-01\",\n  durableObjectNamespaces = [(className = \"Silent\", uniqueKey = \"silent\")],\n  \
         durableObjectStorage = (inMemory = void),\n);\n"
    );
    text.replace(
        r#"durableObjectNamespace = "Limits""#,
        r#"durableObjectNamespace = (className = "Silent", serviceName = "silent")"#,
    )
    .replacen("services = [\n", "services = [\n    (name = \"silent\", worker = .silent),\n", 1)
        + &silent
}

#[test]
fn a_login_is_limited_also_while_its_object_says_nothing() {
    let limits = json!(["login; sliding-window 10 3600000"]);
    let mut site = Site::start(&limits, &["login"], well);
    drop(site.worker.take());
    site.worker = Some(Workerd::start_as(&site.config, with_silent_objects));
    let begun = Instant::now();
    let answers = site.ask_at_once(1, 12);
    let took = begun.elapsed();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [[200; 10].as_slice(), &[429; 2]].concat(), "{}", site.worker().log());
    for answer in &answers {
        let timing = answer.field("server-timing").unwrap();
        assert!(timing.contains("limit;desc=\"unreachable, counted here\""), "{timing}");
        assert_eq!(parameters(answer.field("ratelimit-policy").unwrap(), "login")["q"], 10);
    }
    // A few wait for it, then nobody does for a while.
    assert!(took < Duration::from_secs(3), "{took:?}");
}

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn served_limits_tell_operators_who_asks_most_and_what_it_costs() {
    let api = Api::start();
    let project = Project::new("/", [&api]);
    project.put("vite");
    project.configure(
        "limit = [\"per-client\", \"all\"]\n[limit.per-client]\npermits = 5\nwindow = \"30d\"\ndeadline = \"5s\"\n\
         [limit.all]\npermits = 1000\nwindow = \"30d\"\nalgorithm = \"fixed-window\"\npartition = [\"global\"]\ndeadline = \"5s\"",
    );
    project.build();
    let edge = project.serve_with(&[("RIMWARD_OPERATE_SECRET", SECRET), ("RIMWARD_METRICS_SECRET", SECRET)]);
    let address = edge.origin.trim_start_matches("http://").parse().unwrap();
    let mut connection = Connection::open(address);
    let answers: Vec<Answer> = (0..12).map(|_| connection.ask("GET", "/api/products", &[])).collect();
    assert_eq!(admitted(&answers), 5, "{answers:?}");
    let list = |json: &[&str]| {
        let arguments = [&["limits", "list", "--to", &edge.origin], json].concat();
        rimward().args(arguments).current_dir(project.path()).env("RIMWARD_OPERATE_SECRET", SECRET).output().unwrap()
    };
    // An isolate tells every 10 s.
    let told = until("it is told", || {
        let listed: Value = serde_json::from_slice(&list(&["--json"]).stdout).unwrap();
        (listed["top"][0]["requests"] == 12).then(|| listed["top"].clone())
    });
    assert_eq!(
        (told.as_array().unwrap().len(), &told[0]["limit"], &told[0]["error"]),
        (1, &json!("per-client"), &json!(0))
    );
    let digest = told[0]["digest"].as_str().unwrap();
    check(&list(&[]), 0, &["who asked most", &format!("  per-client: {digest} in 12 requests\n")]);
    let metrics = connection.ask("GET", "/.rimward/metrics", &[("Authorization", &format!("Bearer {SECRET}"))]);
    let metrics = metrics.expect(200).text();
    // A block of one permit and one more: three rows for five. Of the other one a row is for 51.
    for line in ["rimward_limit_rows_total 4", "# TYPE rimward_limit_lent_total counter"] {
        assert!(metrics.lines().any(|found| found == line), "no `{line}`: {metrics}");
    }
}

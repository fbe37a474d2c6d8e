//! What limits mean and when they are refused; how a person sees that stands in `tests/data/settings`.

use rimward_edge::config::{
    Algorithm, Guards, LimitFields, LimitPolicy, Part, Permits, Precision, WhenUnreachable, Window,
};

use crate::settings::{Compiled, compile};

/// A route that is counted by `[limit.x]`, whose keys follow; more tables may.
fn limited(keys: &str) -> String {
    format!(
        "[[pool]]\nname = \"api\"\norigin = [{{ url = \"https://api.example.com\" }}]\n\
         [[route]]\npath = \"/api/*\"\npool = \"api\"\nlimit = [\"x\"]\n\n[limit.x]\n{keys}\n"
    )
}

#[track_caller]
fn meaning(keys: &str) -> LimitPolicy {
    let (compiled, findings) = compile(&limited(keys), "rimward.toml", None);
    assert_eq!(findings, [], "{keys}");
    compiled.unwrap().file.settings.limits.remove(0)
}

/// What is found, as codes: errors as they are, warnings in parentheses.
#[track_caller]
fn found(text: &str, expected: &[&str]) {
    let (compiled, findings) = compile(text, "rimward.toml", None);
    let codes: Vec<String> = findings
        .iter()
        .map(|finding| match finding.severity {
            crate::diagnostic::Severity::Error => finding.code.to_owned(),
            crate::diagnostic::Severity::Warning => format!("({})", finding.code),
        })
        .collect();
    assert_eq!(codes, expected, "{text}\n{findings:#?}");
    assert_eq!(compiled.is_some(), !expected.iter().any(|code| !code.starts_with('(')), "{text}");
}

fn permits(number: u32) -> Permits {
    Permits::try_from(number).unwrap()
}

const RATE: &str = "permits = 100\nwindow = \"1m\"";

#[test]
fn permits_and_a_window_are_all_that_a_limit_needs() {
    let (permits, window) = (permits(100), Window::try_from(60_000).unwrap());
    let expected = LimitPolicy {
        name: "x".into(),
        algorithm: Algorithm::Gcra { permits, window, burst: permits },
        partition: vec![Part::Ip],
        precision: Precision::Exact,
        guards: Guards::All,
        when_unreachable: WhenUnreachable::Local,
        shadow: false,
        exempt: Vec::new(),
        deadline_ms: 50,
        headers: vec![LimitFields::Draft11],
        ban: None,
    };
    assert_eq!(meaning(RATE), expected);
    for (algorithm, expected) in [
        ("sliding-window", Algorithm::SlidingWindow { permits, window }),
        ("fixed-window", Algorithm::FixedWindow { permits, window }),
    ] {
        assert_eq!(meaning(&format!("{RATE}\nalgorithm = {algorithm:?}")).algorithm, expected);
    }
    let expected = Algorithm::Concurrency { permits, queue: 0, wait_ms: 5000 };
    assert_eq!(meaning("permits = 100\nalgorithm = \"concurrency\"").algorithm, expected);
}

#[test]
fn what_is_compiled_can_be_read_by_the_edge() {
    for keys in [
        RATE.to_owned(),
        format!("{RATE}\nheaders = []\npartition = [\"ip\", \"route\"]\nban = {{ after = 5, for = \"1m\" }}"),
        format!("{RATE}\npartition = [\"global\"]\nexempt = [\"::1\"]\nshadow = true"),
        "permits = 1\nalgorithm = \"concurrency\"\nqueue = 2\npartition = [\"route\", \"country\"]".to_owned(),
    ] {
        let policy = meaning(&keys);
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<LimitPolicy>(&text).unwrap(), policy, "{text}");
    }
}

#[test]
fn a_route_costs_one_permit_unless_it_says_more() {
    let costing = |cost: &str| limited(RATE).replace("limit = [\"x\"]", &format!("limit = [\"x\"]\n{cost}"));
    for (cost, expected) in [("", 1), ("cost = 1", 1), ("cost = 100", 100)] {
        let (compiled, findings) = compile(&costing(cost), "rimward.toml", None);
        let Compiled { file, .. } = compiled.unwrap_or_else(|| panic!("{findings:?}"));
        assert_eq!(
            (file.settings.routes[0].cost, file.settings.routes[0].limits.as_slice()),
            (expected, &["x".to_owned()][..])
        );
    }
    found(&costing("cost = 101"), &["wrong-value"]);
    // What is there at once counts, not what there is in a window.
    found(&format!("{}\nburst = 5", costing("cost = 6")), &["wrong-value"]);
    found(&format!("{}\nburst = 500", costing("cost = 500")), &[]);
}

#[test]
fn the_scarcest_of_a_routes_limits_bounds_its_cost() {
    let two = |cost: u32, other: &str| {
        limited(RATE).replace("limit = [\"x\"]", &format!("limit = [\"x\", \"y\"]\ncost = {cost}"))
            + &format!("[limit.y]\n{other}\n")
    };
    found(&two(3, "permits = 3\nwindow = \"1s\""), &[]);
    found(&two(4, "permits = 3\nwindow = \"1s\""), &["wrong-value"]);
    // What is under way is counted as one.
    let at_once = "permits = 3\nalgorithm = \"concurrency\"";
    found(&two(4, at_once), &[]);
    let alone = |cost: u32| limited(at_once).replace("limit = [\"x\"]", &format!("limit = [\"x\"]\ncost = {cost}"));
    found(&alone(1), &[]);
    found(&alone(4), &["(unused)"]);
}

#[test]
fn keys_of_one_algorithm_are_refused_with_another() {
    for algorithm in ["sliding-window", "fixed-window"] {
        let with = |key: &str| limited(&format!("{RATE}\nalgorithm = {algorithm:?}\n{key}"));
        found(&with("burst = 5"), &["wrong-value"]);
        found(&with("queue = 5"), &["wrong-value"]);
        found(&with("queue = 0"), &[]);
        found(&with("queue_wait = \"5s\""), &["wrong-value"]);
    }
    let at_once = |key: &str| limited(&format!("permits = 5\nalgorithm = \"concurrency\"\n{key}"));
    found(&at_once("window = \"1m\""), &["wrong-value"]);
    found(&at_once("burst = 5"), &["wrong-value"]);
    found(&at_once("precision = \"leased\""), &["wrong-value"]);
    found(&at_once("precision = \"exact\""), &[]);
    found(&at_once("queue_wait = \"5s\""), &["(unused)"]);
    found(&at_once("queue = 0\nqueue_wait = \"5s\""), &["(unused)"]);
    found(&at_once("queue = 1\nqueue_wait = \"5s\""), &[]);
}

#[test]
fn a_limit_without_its_numbers_is_refused() {
    found(&limited(""), &["missing-key", "missing-key"]);
    found(&limited("permits = 5"), &["missing-key"]);
    found(&limited("window = \"1m\""), &["missing-key"]);
    found(&limited("algorithm = \"concurrency\""), &["missing-key"]);
    found(&limited("permits = 0\nwindow = \"1m\""), &["wrong-value"]);
    found(&limited("permits = 1000000\nwindow = \"30d\""), &[]);
    found(&limited("permits = 1000001\nwindow = \"30d\""), &["wrong-value"]);
    // What cannot be read is not missing.
    found(&limited("permits = \"5\"\nwindow = 60\nburst = -1"), &["wrong-type", "wrong-type", "wrong-value"]);
}

#[test]
fn what_is_under_way_for_ever_is_not_counted_for_ever() {
    let lasting = |total: &str| {
        limited("permits = 5\nalgorithm = \"concurrency\"")
            .replace("name = \"api\"\n", &format!("name = \"api\"\ntimeout = {{ total = {total} }}\n"))
    };
    found(&lasting("\"10m\""), &[]);
    found(&lasting("false"), &["(unbounded)"]);
    let rate = lasting("false").replace("algorithm = \"concurrency\"", "window = \"1m\"");
    found(&rate, &[]);
}

#[test]
fn one_object_is_not_asked_more_often_than_it_answers() {
    let rate =
        |permits: u32, window: &str, more: &str| limited(&format!("permits = {permits}\nwindow = {window:?}\n{more}"));
    for part in ["global", "route", "country"] {
        let more = format!("partition = [{part:?}]");
        found(&rate(300, "1s", &more), &[]);
        found(&rate(301, "1s", &more), &["platform-limit"]);
        found(&rate(18_000, "1m", &more), &[]);
        found(&rate(18_001, "1m", &more), &["platform-limit"]);
        found(&rate(18_001, "1m", &format!("{more}\nprecision = \"leased\"")), &[]);
        // Ten permits for each request: a tenth of the requests.
        let dear = rate(180_000, "1m", &more).replace("limit = [\"x\"]", "limit = [\"x\"]\ncost = 10");
        found(&dear, &[]);
    }
    found(&rate(301, "1s", ""), &["(platform-limit)"]);
    found(&rate(301, "1s", "partition = [\"ip\", \"route\"]"), &["(platform-limit)"]);
    found(&limited("permits = 1000\nalgorithm = \"concurrency\"\npartition = [\"global\"]"), &[]);
}

#[test]
fn few_permits_are_not_lent() {
    let leased = |permits: u32| limited(&format!("permits = {permits}\nwindow = \"1s\"\nprecision = \"leased\""));
    found(&leased(200), &[]);
    found(&leased(199), &["(unused)"]);
}

#[test]
fn a_ban_is_of_somebody() {
    let banning = |more: &str| limited(&format!("{RATE}\nban = {{ after = 5, for = \"1m\" }}\n{more}"));
    found(&banning(""), &[]);
    found(&banning("partition = [\"ip\", \"route\"]"), &[]);
    for parts in ["\"global\"", "\"route\"", "\"country\"", "\"route\", \"country\""] {
        found(&banning(&format!("partition = [{parts}]")), &["wrong-value"]);
    }
    found(&banning("shadow = true"), &["(unused)"]);
    found(&banning("partition = [\"everybody\"]"), &["wrong-value"]);
}

#[test]
fn not_everyone_is_exempt() {
    let exempt = |networks: &str| limited(&format!("{RATE}\nexempt = [{networks}]"));
    found(&exempt("\"10.0.0.0/8\", \"::1\""), &[]);
    found(&exempt("\"0.0.0.0/0\""), &["wrong-value"]);
    found(&exempt("\"10.0.0.0/8\", \"::/0\""), &["wrong-value"]);
    found(&exempt("\"0.0.0.0/1\", \"128.0.0.0/1\""), &["wrong-value"]);
    found(&exempt("\"0.0.0.0/1\", \"128.0.0.0/2\""), &[]);
}

#[test]
fn what_clients_invent_needs_a_companion() {
    let keyed = |parts: &str| limited(&format!("{RATE}\npartition = [{parts}]"));
    for parts in ["\"header:x-key\"", "\"cookie:a\"", "\"ip\", \"header:x-key\"", "\"route\", \"cookie:a\""] {
        found(&keyed(parts), &["wrong-value"]);
        let beside = |companion: &str| {
            keyed(parts).replace("limit = [\"x\"]", "limit = [\"x\", \"y\"]")
                + &format!("[limit.y]\n{RATE}\n{companion}\n")
        };
        found(&beside(""), &[]);
        found(&beside("partition = [\"global\"]"), &[]);
        found(&beside("shadow = true"), &["wrong-value"]);
        found(&beside("partition = [\"cookie:b\"]"), &["wrong-value", "wrong-value"]);
        // It may well be a companion, once its own mistake is gone.
        found(&beside("partition = [\"everybody\"]"), &["wrong-value"]);
    }
    // A limit that no route names holds nobody anyway.
    let unnamed = keyed("\"header:x-key\"").replace("limit = [\"x\"]\n", "");
    found(&unnamed, &["(unused)"]);
}

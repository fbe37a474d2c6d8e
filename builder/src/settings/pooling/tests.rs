//! What pools mean and when they are refused; how a person sees that stands in `tests/data/settings`.

use proptest::prelude::*;
use rimward_edge::config::{
    Breaker, Choice, Concurrency, Credential, CredentialKind, HashBy, Health, ORIGINS, Origin, Pool, Region, Retry,
    Role, Sticky, Timeout,
};

use super::values::{CheckPath, CookieName, HashText, SecretName};
use crate::diagnostic::Severity;
use crate::settings::compile;
use crate::settings::values::FromText;

/// A pool with these keys and tables, and a route to it.
fn pooled(keys: &str) -> String {
    format!("[[route]]\npath = \"/t/:tenant/*\"\npool = \"api\"\n\n[[pool]]\nname = \"api\"\n{keys}\n")
}

const ONE: &str = "origin = [{ url = \"https://a.example.com\" }]\n";
const TWO: &str = "origin = [{ url = \"https://a.example.com\" }, { url = \"https://b.example.com\" }]\n";

#[track_caller]
fn meaning(keys: &str) -> Pool {
    let (compiled, findings) = compile(&pooled(keys), "rimward.toml", None);
    assert_eq!(findings, [], "{keys}");
    compiled.unwrap().file.settings.pools.get("api").unwrap().clone()
}

/// What is found, as codes: errors as they are, warnings in parentheses.
#[track_caller]
fn found(keys: &str, expected: &[&str]) {
    let (compiled, findings) = compile(&pooled(keys), "rimward.toml", None);
    let codes: Vec<String> = findings
        .iter()
        .map(|finding| match finding.severity {
            Severity::Error => finding.code.to_owned(),
            Severity::Warning => format!("({})", finding.code),
        })
        .collect();
    assert_eq!(codes, expected, "{keys}\n{findings:#?}");
    assert_eq!(compiled.is_some(), !expected.iter().any(|code| !code.starts_with('(')), "{keys}");
}

#[test]
fn an_origin_is_all_that_a_pool_needs() {
    let timeout = Timeout { answer_ms: 10_000, idle_ms: Some(30_000), total_ms: Some(60_000) };
    let expected = Pool::new(vec![Origin::new("https://a.example.com")], timeout);
    assert_eq!(meaning(ONE), expected);
    // What stands in the table of keys of docs/origins.md.
    assert_eq!((expected.panic_percent, expected.slow_start_ms, expected.choice), (25, 10_000, Choice::LeastRequests));
    assert_eq!(expected.retry, Retry { attempts: 2, budget_permille: 300 });
    assert_eq!(expected.breaker, Breaker { errors_permille: 500, over_ms: 10_000, min_requests: 20 });
}

#[test]
fn every_key_of_a_pool_reaches_its_place() {
    let pool = meaning(
        r#"
        choice = "geo"
        timeout = { answer = "5s", idle = false, total = "1m" }
        concurrency_per_isolate = 50
        queue = 7
        queue_wait = "250ms"
        panic_threshold = 0.29
        slow_start = false
        follow_redirects = 5
        sticky = { cookie = "where", max_age = "1h", secret = "COOKIE_KEY" }
        [[pool.origin]]
        url = "https://EU.example.com/v1/"
        weight = 2
        region = "weur"
        role = "primary"
        [[pool.origin]]
        url = "http://127.0.0.1:8080"
        weight = 0
        region = "me"
        role = "backup"
        [pool.credential]
        kind = "secret"
        header = "X-Secret"
        secret = "API_ORIGIN_SECRET"
        [pool.health]
        path = "/healthz?deep=1"
        status = "200-204"
        body = "ok"
        interval = "1m"
        timeout = "5s"
        unhealthy_after = 1
        healthy_after = 10
        [pool.retry]
        attempts = 10
        budget = 1
        [pool.breaker]
        errors = 0.125
        over = "5m"
        min_requests = 10000
        "#,
    );
    let expected = Pool {
        origins: vec![
            Origin {
                weight: 2,
                region: Some(Region::Weur),
                role: Role::Primary,
                ..Origin::new("https://eu.example.com/v1")
            },
            Origin { weight: 0, region: Some(Region::Me), role: Role::Backup, ..Origin::new("http://127.0.0.1:8080") },
        ],
        choice: Choice::Geo,
        timeout: Timeout { answer_ms: 5_000, idle_ms: None, total_ms: Some(60_000) },
        concurrency: Some(Concurrency { per_isolate: 50, queue: 7, queue_wait_ms: 250 }),
        health: Some(Health {
            path: "/healthz?deep=1".to_owned(),
            status: (200, 204),
            body: Some("ok".to_owned()),
            interval_ms: 60_000,
            timeout_ms: 5_000,
            unhealthy_after: 1,
            healthy_after: 10,
        }),
        retry: Retry { attempts: 10, budget_permille: 1000 },
        breaker: Breaker { errors_permille: 125, over_ms: 300_000, min_requests: 10_000 },
        panic_percent: 29,
        slow_start_ms: 0,
        sticky: Some(Sticky { cookie: "where".to_owned(), max_age_s: Some(3600), secret: "COOKIE_KEY".to_owned() }),
        credential: Some(Credential {
            kind: CredentialKind::Secret,
            header: "x-secret".to_owned(),
            secret: "API_ORIGIN_SECRET".to_owned(),
        }),
        follow_redirects: 5,
    };
    assert_eq!(pool, expected);
    let text = serde_json::to_string(&pool).unwrap();
    assert_eq!(serde_json::from_str::<Pool>(&text).unwrap(), pool, "{text}");
}

#[test]
fn what_is_not_said_has_its_default() {
    let keys = format!("concurrency_per_isolate = 1\nsticky = {{}}\n{TWO}[pool.health]\npath = \"/\"\n");
    let pool = meaning(&format!("{keys}[pool.credential]\nsecret = \"KEY\"\n"));
    assert_eq!(pool.concurrency, Some(Concurrency { per_isolate: 1, queue: 100, queue_wait_ms: 1000 }));
    let (cookie, secret) = ("rimward-api".to_owned(), "RIMWARD_STICKY_KEY".to_owned());
    assert_eq!(pool.sticky, Some(Sticky { cookie, max_age_s: None, secret }));
    let credential = pool.credential.unwrap();
    assert_eq!((credential.kind, credential.header.as_str()), (CredentialKind::Hmac, "x-rimward-signature"));
    let health = pool.health.unwrap();
    assert_eq!((health.status, health.body, health.interval_ms, health.timeout_ms), ((200, 299), None, 30_000, 2_000));
    assert_eq!((health.unhealthy_after, health.healthy_after), (3, 2));
    let health =
        meaning(&format!("{TWO}[pool.health]\npath = \"/\"\ninterval = \"1s\"\nstatus = 204\n")).health.unwrap();
    assert_eq!((health.timeout_ms, health.status), (1_000, (204, 204)));
    let secret = meaning(&format!("{TWO}[pool.credential]\nkind = \"secret\"\nsecret = \"KEY\"\n")).credential.unwrap();
    assert_eq!(secret.header, "x-rimward-secret");
}

#[test]
fn every_choice_has_its_word() {
    for (keys, expected) in [
        ("choice = \"round-robin\"", Choice::RoundRobin),
        ("choice = \"weighted\"", Choice::Weighted),
        ("choice = \"least-requests\"", Choice::LeastRequests),
        ("choice = \"hash\"\nhash = \"ip\"", Choice::Hash(HashBy::Ip)),
        ("choice = \"hash\"\nhash = \":tenant\"", Choice::Hash(HashBy::Caught("tenant".to_owned()))),
        ("choice = \"hash\"\nhash = \":splat\"", Choice::Hash(HashBy::Caught("splat".to_owned()))),
    ] {
        assert_eq!(meaning(&format!("{keys}\n{TWO}")).choice, expected);
    }
    let replicated =
        "origin = [{ url = \"https://a.example.com\" }, { url = \"https://b.example.com\", role = \"replica\" }]";
    for (after, expected) in [("", 5_000), ("after_write = \"0s\"\n", 0), ("after_write = \"1m\"\n", 60_000)] {
        let pool = meaning(&format!("choice = \"primary-replica\"\n{after}{replicated}"));
        assert_eq!(pool.choice, Choice::PrimaryReplica { after_write_ms: expected });
    }
}

#[test]
fn a_hundred_origins_are_chosen_from_and_of_more_one_finding_speaks() {
    let many = |count: usize| {
        let origins: Vec<String> =
            (0..count).map(|number| format!("{{ url = \"https://o{number}.example\" }}")).collect();
        format!("origin = [{}]\n", origins.join(", "))
    };
    assert_eq!(meaning(&many(ORIGINS)).origins.len(), ORIGINS);
    found(&many(ORIGINS + 1), &["wrong-value"]);
    found(&many(500), &["wrong-value"]);
}

#[test]
fn an_origin_is_the_same_however_it_is_spelled() {
    for other in
        ["https://A.example.com", "https://a.example.com/", "https://a.example.com:443", "HTTPS://a.example.com"]
    {
        found(&format!("origin = [{{ url = \"https://a.example.com\" }}, {{ url = {other:?} }}]"), &["duplicate"]);
    }
    for other in ["http://a.example.com", "https://a.example.com/v1", "https://a.example.com:8443"] {
        found(&format!("origin = [{{ url = \"https://a.example.com\" }}, {{ url = {other:?} }}]"), &[]);
    }
}

#[test]
fn tries_that_have_no_time_are_told_of_and_only_where_they_are_written() {
    let tried = |timeout: &str, attempts: &str| format!("timeout = {timeout}\n{TWO}[pool.retry]\n{attempts}\n");
    found(&tried("{ answer = \"20s\" }", "attempts = 2"), &[]);
    found(&tried("{ answer = \"21s\", total = \"62s\" }", "attempts = 2"), &["(unused)"]);
    found(&tried("{ answer = \"21s\", total = \"63s\" }", "attempts = 2"), &[]);
    found(&tried("{ answer = \"21s\", total = false }", "attempts = 10"), &[]);
    found(&tried("{ answer = \"50s\", total = \"60s\" }", "attempts = 0"), &[]);
    found(&tried("{ answer = \"50s\", total = \"60s\" }", "budget = 0.5"), &[]);
}

#[test]
fn a_pool_that_could_ask_nobody_is_refused() {
    let origins = |first: &str, second: &str| {
        format!(
            "origin = [{{ url = \"https://a.example.com\"{first} }}, {{ url = \"https://b.example.com\"{second} }}]"
        )
    };
    found(&origins(", weight = 0", ""), &[]);
    found(&origins(", weight = 0", ", weight = 0"), &["wrong-value"]);
    found(&origins(", weight = 0", ", role = \"backup\""), &["wrong-value"]);
    found(&origins(", role = \"backup\"", ", role = \"backup\""), &["wrong-value"]);
    let replicated = |first: &str, second: &str| format!("choice = \"primary-replica\"\n{}", origins(first, second));
    found(&replicated("", ", role = \"replica\""), &[]);
    found(&replicated("", ", weight = 0, role = \"replica\""), &[]);
    found(&replicated(", weight = 0", ", role = \"replica\""), &["wrong-value"]);
    found(&replicated(", weight = 0", ", weight = 0, role = \"replica\""), &["wrong-value"]);
    found(&replicated("", ""), &["wrong-value"]);
    found(&replicated(", role = \"replica\"", ", role = \"replica\""), &["wrong-value"]);
    found(&replicated("", ", role = \"backup\""), &["(unused)"]);
}

#[test]
fn one_mistake_is_one_finding() {
    // What follows from what could not be read is not told as well.
    found(
        "choice = \"hsh\"\nhash = \"ip\"\nafter_write = \"1s\"\norigin = [{ url = \"https://a.example.com\", region = \"me\" }, { url = \"https://b.example.com\", role = \"replica\", weight = 3 }]",
        &["wrong-value"],
    );
    found(
        "choice = \"primary-replica\"\norigin = [{ url = \"https://a.example.com\", role = \"first\" }, { url = \"https://b.example.com\" }]",
        &["wrong-value"],
    );
    found(
        "choice = \"geo\"\norigin = [{ url = \"https://a.example.com\", region = \"eu\" }, { url = \"https://b.example.com\", region = \"me\" }]",
        &["wrong-value"],
    );
    found(&format!("concurrency_per_isolate = 0\nqueue = 5\nqueue_wait = \"1s\"\n{TWO}"), &["wrong-value"]);
    found(&format!("{TWO}[pool.health]\npath = \"/\"\ninterval = \"0s\"\ntimeout = \"40s\"\n"), &["wrong-value"]);
    found(&format!("choice = \"hash\"\nhash = \"user\"\n{TWO}"), &["wrong-value"]);
    found(&format!("choice = \"hash\"\nhash = \":shop\"\n{TWO}"), &["wrong-value"]);
    let split = "[[route]]\npath = \"/s/:shop\"\nsplit = { api = 9, b = 1 }\n[[pool]]\nname = \"b\"\n";
    found(&format!("choice = \"hash\"\nhash = \":shop\"\n{TWO}{split}{ONE}"), &[]);
    found(&format!("sticky = true\n{TWO}"), &["wrong-type"]);
    found(&format!("{ONE}[pool.credential]\nkind = \"secret\"\nsecret = \"open sesame\"\n"), &["wrong-value"]);
}

#[test]
fn a_credential_takes_no_field_that_requests_need() {
    let with = |header: &str, kind: &str, url: &str| {
        format!(
            "origin = [{{ url = {url:?} }}]\n[pool.credential]\nkind = {kind:?}\nheader = {header:?}\nsecret = \"KEY\"\n"
        )
    };
    let url = "https://a.example.com";
    for header in [
        "Host",
        "Content-Length",
        "transfer-encoding",
        "connection",
        "te",
        "upgrade",
        "via",
        "cdn-loop",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-anything",
        "x-real-ip",
        "x-request-id",
        "expect",
        "cookie",
        "range",
        "if-none-match",
        "content-type",
        "accept-encoding",
        "sec-websocket-key",
        "cf-connecting-ip",
        "cache-control",
        "origin",
    ] {
        found(&with(header, "hmac", url), &["wrong-value"]);
    }
    for header in ["x-api-key", "x-rimward-signature", "signature", "x-request-id-of-ours", "contents"] {
        found(&with(header, "secret", url), &[]);
    }
    found(&with("authorization", "secret", url), &["(replaced)"]);
    for (url, expected) in [
        ("http://10.0.0.5:8080", &["(leak)"][..]),
        ("http://127.0.0.1:8080", &[]),
        ("http://[::1]:8080", &[]),
        ("http://localhost:8080", &[]),
    ] {
        found(&with("x-key", "secret", url), expected);
        found(&with("x-key", "hmac", url), &[]);
    }
}

#[test]
fn statuses_that_no_check_sees_or_that_say_nothing_are_told_of() {
    let checked = |keys: &str| format!("{ONE}[pool.health]\npath = \"/healthz\"\n{keys}\n");
    for (keys, expected) in [
        ("status = 200", &[][..]),
        ("status = \"204\"", &[]),
        ("status = \"200-299\"\nbody = \"ok\"", &[]),
        ("status = \"400-499\"", &[]),
        ("status = \"200-300\"", &["(redirects)"]),
        ("status = 301", &["(redirects)"]),
        ("status = \"100-199\"", &["wrong-value"]),
        ("status = 99", &["wrong-value"]),
        ("status = 600", &["wrong-value"]),
        ("status = \"2xx\"", &["wrong-value"]),
        ("status = [200]", &["wrong-type"]),
        ("status = 204\nbody = \"ok\"", &["wrong-value"]),
        ("timeout = \"30s\"", &[]),
        ("timeout = \"31s\"", &["wrong-value"]),
        ("interval = \"1h\"\ntimeout = \"61s\"", &["wrong-value"]),
    ] {
        found(&checked(keys), expected);
    }
}

#[test]
fn shares_are_of_one_and_no_finer_than_they_count() {
    let with = |key: &str, value: &str| match key {
        "panic_threshold" => format!("panic_threshold = {value}\n{TWO}"),
        "budget" => format!("{TWO}[pool.retry]\nbudget = {value}\n"),
        _ => format!("{TWO}[pool.breaker]\nerrors = {value}\n"),
    };
    for value in ["0", "0.0", "1", "1.0", "0.3", "0.07", "0.29", "2.9e-1"] {
        found(&with("panic_threshold", value), &[]);
        found(&with("budget", value), &[]);
    }
    found(&with("budget", "0.001"), &[]);
    found(&with("errors", "0.001"), &[]);
    for (key, value) in [
        ("panic_threshold", "0.001"),
        ("panic_threshold", "-0.1"),
        ("panic_threshold", "1.01"),
        ("panic_threshold", "nan"),
        ("panic_threshold", "25"),
        ("budget", "0.0001"),
        ("budget", "inf"),
        ("errors", "0"),
        ("errors", "0.0"),
        ("errors", "-0.0"),
        ("errors", "1.1"),
    ] {
        found(&with(key, value), &["wrong-value"]);
    }
    found(&with("errors", "\"50%\""), &["wrong-type"]);
    found(&with("errors", "true"), &["wrong-type"]);
}

proptest! {
    #[test]
    fn a_share_means_what_is_written(parts in 0_u16..=1000) {
        let written = f64::from(parts) / 1000.0;
        let pool = meaning(&format!("{TWO}[pool.retry]\nbudget = {written}\n"));
        prop_assert_eq!(pool.retry.budget_permille, parts);
    }
}

#[track_caller]
fn refused<T: FromText + std::fmt::Debug>(text: &str, message: &str, hint: &str) {
    let refusal = T::parse(text).expect_err(text);
    assert_eq!((refusal.message.as_str(), refusal.hint.as_deref()), (message, Some(hint)), "{text:?}");
}

#[test]
fn what_tells_requests_apart_is_read_as_the_edge_reads_it() {
    for text in ["ip", "path", "header:x-tenant", "cookie:Session", "query:shop", ":tenant", ":splat"] {
        let HashText(by) = HashText::parse(text).unwrap();
        assert_eq!(by.to_string(), text);
        assert_eq!(HashBy::try_from(text.to_owned()), Ok(by));
    }
    assert_eq!(HashText::parse("header:X-Tenant").unwrap().0, HashBy::Header("x-tenant".to_owned()));
    refused::<HashText>("Ip", "cannot be \"Ip\"", "did you mean \"ip\"?");
    refused::<HashText>("query", "cannot be \"query\"", "name the parameter: \"query:shop\"");
    refused::<HashText>("query:a&b", "names no parameter: \"a&b\"", "for example \"query:shop\"");
    for text in ["", ":", ":a-b", "header:", "header:cookie", "header:x-forwarded-for", "cookie:a=b", "tenant", "ip:"] {
        assert!(HashText::parse(text).is_err_and(|refusal| refusal.hint.is_some()), "{text:?}");
    }
}

#[test]
fn a_secret_is_named_and_never_written() {
    for name in ["KEY", "API_ORIGIN_SECRET", "A", "KEY2", "S3_KEY_2024_A1B2C3D4"] {
        assert_eq!(SecretName::parse(name), Ok(SecretName(name.to_owned())));
    }
    let value = "must be the name of a secret, not its value: capital letters, digits and `_`";
    refused::<SecretName>("api-origin-secret", value, "write \"API_ORIGIN_SECRET\"");
    for text in [
        "",
        "2KEYS",
        "sk_live_51Hq8",
        "JBSWY3DPEHPK3PXPJBSW",
        "0123456789ABCDEF0123",
        "DEADBEEF12345678",
        "a b",
        "KEY=1",
    ] {
        let refusal = SecretName::parse(text).expect_err(text);
        assert_eq!(refusal.message, value);
        // Findings end up in logs.
        assert!(text.len() < 2 || !refusal.hint.unwrap().contains(text), "{text:?}");
    }
    assert!(SecretName::parse(&"K".repeat(65)).is_err());
}

#[test]
fn cookies_and_paths_of_checks_are_what_requests_can_carry() {
    for name in ["rimward-api", "__Host-x", "a!#$%&'*+.^_`|~"] {
        assert_eq!(CookieName::parse(name), Ok(CookieName(name.to_owned())));
    }
    refused::<CookieName>("a=b", "holds a name alone, not a value", "write \"a\"");
    for name in ["", "a b", "a;b", "a,b", "é", "(a)", &"a".repeat(129)] {
        assert!(CookieName::parse(name).is_err(), "{name:?}");
    }
    for path in ["/", "/healthz", "/healthz?deep=1&x=/", "/a%20b"] {
        assert_eq!(CheckPath::parse(path), Ok(CheckPath(path.to_owned())));
    }
    refused::<CheckPath>("healthz", "must begin with `/`", "write \"/healthz\"");
    refused::<CheckPath>("https://a.example/x?y", "must be a path, not a URL: each origin is asked", "write \"/x?y\"");
    refused::<CheckPath>("https://a.example", "must be a path, not a URL: each origin is asked", "write \"/\"");
    refused::<CheckPath>("/x#y", "cannot hold a fragment: it is never sent", "write \"/x\"");
    for path in ["//a.example/x", "/a b", "/é", "/a\\b", "/a\nb", &format!("/{}", "a".repeat(1024))] {
        assert!(CheckPath::parse(path).is_err(), "{path:?}");
    }
}

#[test]
fn pools_do_not_share_a_cookie_and_origins_do_not_learn_what_signs_it() {
    let two = |first: &str, second: &str| {
        format!("{first}\n{TWO}[[route]]\npath = \"/b\"\npool = \"b\"\n[[pool]]\nname = \"b\"\n{second}")
    };
    found(&two("sticky = {}", &format!("sticky = {{}}\n{TWO}")), &[]);
    found(&two("sticky = {}", &format!("sticky = {{ cookie = \"rimward-api\" }}\n{TWO}")), &["duplicate"]);
    let signing = "sticky = { secret = \"KEY\" }";
    found(&two(signing, &format!("{TWO}[pool.credential]\nsecret = \"KEY\"\n")), &["wrong-value"]);
    found(&two(signing, &format!("{TWO}[pool.credential]\nsecret = \"KEY_2\"\n")), &[]);
    for (cookie, expected) in [
        ("__Host-x", &["(unused)"][..]),
        ("__secure-x", &["(unused)"]),
        ("__http-x", &["(unused)"]),
        ("__hostess", &[]),
        ("rimward-split", &["wrong-value"]),
        ("rimward-wrote-data", &["wrong-value"]),
        ("rimward-splits", &[]),
    ] {
        found(&format!("sticky = {{ cookie = {cookie:?} }}\n{TWO}"), expected);
    }
}

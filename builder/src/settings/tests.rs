//! What settings mean; the mistakes are in `tests/data/settings`.

use proptest::prelude::*;
use rimward_edge::config::{
    Algorithm, BanRule, CachePolicy, ClientAddress, Cors, Guards, Invalidate, LimitFields, LimitPolicy, Part, Permits,
    Precision, PurgeCheck, QueryKey, Route, SetCookie, Settings, Timeout, WhenUnreachable, Window,
};
use rimward_edge::release::manifest::Coding;

use super::{AssetsFrom, BuildSettings, Compiled, SourceMaps, compile};
use crate::diagnostic::Diagnostic;

#[track_caller]
fn meaning(text: &str, env: Option<&str>) -> Compiled {
    let (compiled, findings) = compile(text, "rimward.toml", env);
    assert_eq!(findings, [], "{text}");
    compiled.unwrap()
}

#[test]
fn an_empty_file_means_a_single_page_app_in_dist() {
    let Compiled { file, build } = meaning("", None);
    assert_eq!(build, BuildSettings::default());
    assert_eq!(build.source, "dist");
    assert_eq!(build.output, "public");
    assert_eq!(build.encodings, [Coding::Br, Coding::Gzip]);
    let json = serde_json::to_value(&file).unwrap();
    let expected = serde_json::json!({
        "format": 1,
        "settings": {
            "site": { "name": "app", "base": "/" },
            "document": { "fallback": "index.html", "cache_control": "no-cache" },
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn every_key_reaches_its_place() {
    let text = r#"
        [site]
        name = "shop"
        hosts = ["Shop.Example.com", "www.example.com"]
        base = "/shop"
        assets = "worker"
        client_address = { header = "X-Real-IP", trusted_proxies = ["10.0.0.0/8", "::1"] }
        [build]
        source = "web/dist/"
        output = "out"
        encodings = ["zstd", "br"]
        keep_names = ["/legacy/*"]
        keep_releases = 2
        source_maps = "drop"
        keep_function_names = true
        [document]
        fallback = false
        error = "/errors/500.html"
        cache_control = "max-age=60"
        [[header]]
        path = "/assets/*"
        set = { X-A = "1 :splat" }
        remove = ["Server"]
        [[redirect]]
        from = "/old/*"
        to = "https://example.com:8080/:splat"
        [[redirect]]
        from = "/gone"
        to = "/"
        status = 308
        [[pool]]
        name = "api"
        timeout = { answer = "90s", idle = false }
        [[pool.origin]]
        url = "https://API.example.com/v1/"
        [[route]]
        path = "/api/*"
        pool = "api"
        cache = "api"
        shield = false
        invalidate = "everywhere"
        limit = ["per-client", "exports"]
        cost = 5
        [route.cors]
        origins = ["https://a.example.com", "http://localhost:3000"]
        methods = ["GET", "DELETE"]
        headers = ["Authorization"]
        expose = ["X-Total"]
        credentials = true
        max_age = "10m"
        [cache.api]
        override_freshness = "15m"
        ignore_cookies = ["_ga*"]
        stale_while_revalidate = "5m"
        stale_if_error = "1d"
        query = { ignore = ["utm_*"] }
        vary = { Accept-Language = ["en", "de"] }
        tags = ["api"]
        tags_from = "Surrogate-Key"
        graphql = true
        persist = true
        purge = "strict"
        [limit.per-client]
        permits = 100
        window = "90s"
        burst = 20
        partition = ["ip", "route"]
        algorithm = "gcra"
        precision = "exact"
        guards = "origin"
        when_unreachable = "closed"
        shadow = false
        exempt = ["192.0.2.0/24", "2001:db8::1"]
        deadline = "1s"
        headers = ["x-ratelimit", "draft-11"]
        ban = { after = 50, for = "2h" }
        [limit.exports]
        permits = 5
        algorithm = "concurrency"
        shadow = true
        queue = 20
        queue_wait = "500ms"
    "#;
    let Compiled { file, build } = meaning(text, None);
    let settings = file.settings;
    assert_eq!(settings.site.hosts, ["shop.example.com", "www.example.com"]);
    assert_eq!(settings.site.base, "/shop/");
    let proxies = vec!["10.0.0.0/8".to_owned(), "::1/128".to_owned()];
    let address = ClientAddress::Header { name: "x-real-ip".to_owned(), trusted_proxies: proxies };
    assert_eq!(settings.site.client_address, Some(address));
    assert_eq!(settings.document.fallback, None);
    assert_eq!(settings.document.error.as_deref(), Some("errors/500.html"));
    assert_eq!(settings.document.cache_control, "max-age=60");
    assert_eq!(settings.headers[0].set, [("x-a".to_owned(), "1 :splat".to_owned())]);
    assert_eq!(settings.headers[0].remove, ["server"]);
    assert_eq!((settings.redirects[0].status, settings.redirects[0].force), (302, true));
    assert_eq!(settings.redirects[1].status, 308);
    let pool = settings.pools.get("api").unwrap();
    assert_eq!(pool.origins[0].url, "https://api.example.com/v1");
    assert_eq!(pool.timeout, Timeout { answer_ms: 90_000, idle_ms: None, total_ms: Some(90_000) });
    let cors = Cors {
        origins: vec!["https://a.example.com".to_owned(), "http://localhost:3000".to_owned()],
        methods: vec!["GET".to_owned(), "DELETE".to_owned()],
        headers: vec!["authorization".to_owned()],
        expose: vec!["x-total".to_owned()],
        credentials: true,
        max_age_s: Some(600),
    };
    assert_eq!(settings.routes[0].cors, Some(cors));
    let route = &settings.routes[0];
    assert_eq!((route.cache.as_deref(), route.shield, route.invalidate), (Some("api"), false, Invalidate::Everywhere));
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let policy = CachePolicy {
        default_freshness_s: None,
        override_freshness_s: Some(900),
        ignore_cookies: owned(&["_ga*"]),
        stale_while_revalidate_s: 300,
        stale_if_error_s: 86_400,
        query: QueryKey::Ignore(owned(&["utm_*"])),
        vary: [("accept-language".to_owned(), owned(&["en", "de"]))].into_iter().collect(),
        tags: owned(&["api"]),
        tags_from: Some("surrogate-key".to_owned()),
        graphql: true,
        set_cookie: SetCookie::Pass,
        persist: true,
        purge: PurgeCheck::Strict,
    };
    assert_eq!(settings.caches, [("api".to_owned(), policy)].into_iter().collect());
    assert_eq!((owned(&["per-client", "exports"]), 5), (route.limits.clone(), route.cost));
    let permits = |number: u32| Permits::try_from(number).unwrap();
    let window = Window::try_from(90_000).unwrap();
    let per_client = LimitPolicy {
        name: "per-client".into(),
        algorithm: Algorithm::Gcra { permits: permits(100), window, burst: permits(20) },
        partition: vec![Part::Ip, Part::Route],
        precision: Precision::Exact,
        guards: Guards::Origin,
        when_unreachable: WhenUnreachable::Closed,
        shadow: false,
        exempt: owned(&["192.0.2.0/24", "2001:db8::1/128"]),
        deadline_ms: 1000,
        headers: vec![LimitFields::XRateLimit, LimitFields::Draft11],
        ban: Some(BanRule { after: 50, seconds: 7200 }),
    };
    let exports = LimitPolicy {
        name: "exports".into(),
        algorithm: Algorithm::Concurrency { permits: permits(5), queue: 20, wait_ms: 500 },
        partition: vec![Part::Ip],
        guards: Guards::All,
        when_unreachable: WhenUnreachable::Local,
        shadow: true,
        exempt: Vec::new(),
        deadline_ms: 50,
        headers: vec![LimitFields::Draft11],
        ban: None,
        ..per_client.clone()
    };
    assert_eq!(settings.limits, [exports, per_client]);
    let expected = BuildSettings {
        base: "/shop/".to_owned(),
        assets: AssetsFrom::Worker,
        source: "web/dist".to_owned(),
        output: "out".to_owned(),
        encodings: vec![Coding::Zstd, Coding::Br],
        keep_names: vec!["/legacy/*".to_owned().try_into().unwrap()],
        keep_releases: 2,
        source_maps: SourceMaps::Drop,
        keep_function_names: true,
        pages: build.pages.clone(),
    };
    assert_eq!(build.pages.iter().map(|page| page.path.as_str()).collect::<Vec<_>>(), ["errors/500.html"]);
    assert_eq!(build, expected);
}

const TWO_ENVS: &str = r#"
    [site]
    name = "shop"
    hosts = ["shop.example.com"]
    [build]
    keep_releases = 9
    [[header]]
    path = "/*"
    set = { x-a = "1" }
    [env.staging.site]
    hosts = ["staging.example.com"]
    [env.staging.build]
    source = "dist-staging"
    [[env.staging.header]]
    path = "/x"
    remove = ["x-b"]
    [env.preview]
"#;

#[test]
fn an_environment_overrides_keys_and_replaces_lists() {
    let Compiled { file, build } = meaning(TWO_ENVS, Some("staging"));
    assert_eq!(file.env.as_deref(), Some("staging"));
    assert_eq!((build.source.as_str(), build.keep_releases), ("dist-staging", 9));
    assert_eq!(file.settings.site.hosts, ["shop.example.com"]);
    let staging = file.envs.get("staging").unwrap();
    assert_eq!((staging.site.name.as_str(), staging.site.hosts[0].as_str()), ("shop", "staging.example.com"));
    assert_eq!(staging.headers.len(), 1);
    assert_eq!(staging.headers[0].path.as_str(), "/x");
    assert_eq!(file.envs.get("preview"), Some(&file.settings));
    assert_eq!(meaning(TWO_ENVS, None).build.source, "dist");
}

const CACHED: &str = r#"
    [[pool]]
    name = "api"
    origin = [{ url = "https://api.example.com" }]
    [[route]]
    path = "/api/*"
    pool = "api"
    cache = "api"
    [cache.api]
"#;

#[test]
fn a_route_may_have_a_shield() {
    let text = CACHED.replacen("cache = \"api\"", "cache = \"api\"\nshield = true", 1);
    assert!(meaning(&text, None).file.settings.routes[0].shield);
    let uncached = text.replacen("cache = \"api\"\n", "", 1);
    let (compiled, findings) = compile(&uncached, "rimward.toml", None);
    let is_told = findings.iter().any(|finding| finding.to_string().contains("`shield` of `[[route]]` needs `cache`"));
    assert!(compiled.is_none() && is_told, "{findings:?}");
}

#[test]
fn a_cache_without_a_key_does_what_the_origin_says() {
    let settings = meaning(CACHED, None).file.settings;
    let expected = CachePolicy { tags_from: Some("cache-tag".to_owned()), ..CachePolicy::default() };
    assert_eq!(settings.caches, [("api".to_owned(), expected)].into_iter().collect());
    assert_eq!((settings.routes[0].shield, settings.routes[0].invalidate), (false, Invalidate::Here));
}

#[test]
fn the_query_of_a_key_is_all_of_it_but_for_some_or_some_of_it() {
    let owned = |name: &str| vec![name.to_owned()];
    for (query, expected) in [
        ("{ ignore = [] }", QueryKey::All),
        ("{ ignore = [\"utm_*\"] }", QueryKey::Ignore(owned("utm_*"))),
        ("{ only = [\"page\"] }", QueryKey::Only(owned("page"))),
    ] {
        let settings = meaning(&format!("{CACHED}query = {query}\n"), None).file.settings;
        assert_eq!(settings.caches.get("api").unwrap().query, expected, "{query}");
    }
}

#[test]
fn tags_of_the_origin_can_be_left_alone() {
    let settings = meaning(&format!("{CACHED}tags_from = false\n"), None).file.settings;
    assert_eq!(settings.caches.get("api").unwrap().tags_from, None);
}

#[test]
fn an_environment_overrides_keys_of_a_cache() {
    let text = format!(
        "{CACHED}default_freshness = \"1m\"\ntags = [\"api\"]\n[env.staging.cache.api]\ndefault_freshness = \"0s\"\n"
    );
    let file = meaning(&text, Some("staging")).file;
    let of = |settings: &Settings| {
        (settings.caches.get("api").unwrap().default_freshness_s, settings.caches.get("api").unwrap().tags.clone())
    };
    assert_eq!(of(&file.settings), (Some(60), vec!["api".to_owned()]));
    assert_eq!(of(file.envs.get("staging").unwrap()), (Some(0), vec!["api".to_owned()]));
}

#[test]
fn assets_from_the_platform_lie_at_the_root() {
    let (compiled, findings) = compile("[site]\nassets = \"platform\"\n", "rimward.toml", None);
    assert_eq!((compiled.unwrap().build.assets, findings), (AssetsFrom::Platform, Vec::new()));
    let (compiled, findings) = compile("[site]\nbase = \"/shop/\"\nassets = \"platform\"\n", "rimward.toml", None);
    assert_eq!(compiled, None);
    assert!(findings[0].to_string().contains("no asset below the base `/shop/`"), "{findings:?}");
}

#[test]
fn an_environment_that_is_not_there_is_named() {
    let (compiled, findings) = compile(TWO_ENVS, "rimward.toml", Some("stagin"));
    assert_eq!(compiled, None);
    let texts: Vec<String> = findings.iter().map(Diagnostic::to_string).collect();
    assert_eq!(texts, ["rimward.toml: error: there is no `[env.stagin]`\n  hint: did you mean `staging`?"]);
}

#[test]
fn what_is_compiled_can_be_read_by_the_edge() {
    let file = meaning(TWO_ENVS, Some("preview")).file;
    let text = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<rimward_edge::config::SettingsFile>(&text).unwrap(), file);
}

/// TOML and nearly TOML: words of the settings in any order, with any values.
fn anything() -> impl Strategy<Value = String> {
    let words = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        "\n",
        ".",
        ",",
        "\"",
        "'",
        "#",
        " ",
        "\"\"\"",
        "site",
        "build",
        "route",
        "pool",
        "env",
        "x",
        "origin",
        "url",
        "path",
        "name",
        "cors",
        "set",
        "header",
        "redirect",
        "to",
        "from",
        "timeout",
        "client_address",
        "cache",
        "vary",
        "query",
        "only",
        "tags_from",
        "[cache.x]\n",
        "limit",
        "cost",
        "ban",
        "for",
        "choice = \"hash\"\n",
        "hash",
        "sticky",
        "secret",
        "[pool.health]\n",
        "[[pool.origin]]\n",
        "weight = ",
        "budget = ",
        "0.3",
        "partition",
        "\"header:x\"",
        "permits = 1",
        "window = \"1m\"",
        "[limit.x]\n",
        "\"/a/*\"",
        "\"10s\"",
        "\"https://é.example\"",
        "\"*\"",
        "true",
        "-1",
        "0x_",
        "1e9",
        "99999999999999999999",
        "1979-05-27",
        "[site]\n",
        "[[route]]\n",
        "[[pool]]\n",
        "[env.x.site]\n",
        "name = ",
        "path = ",
        "hosts = [",
        "\u{0}",
        "é",
        "\r\n",
        "\t",
    ];
    let word = prop_oneof![4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,4}"];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_the_reader_panic_or_point_outside(text in anything()) {
        let (compiled, findings) = compile(&text, "rimward.toml", None);
        let lines: Vec<&str> = text.split('\n').collect();
        for finding in &findings {
            let place = finding.place.unwrap();
            let line = lines.get(place.line as usize - 1);
            prop_assert!(line.is_some_and(|line| (place.column as usize) <= line.chars().count() + 1), "{finding}");
            prop_assert!(!finding.render(crate::diagnostic::Color::Plain).is_empty());
        }
        prop_assert!(compiled.is_some() || !findings.is_empty());
    }
}

#[test]
fn deep_and_long_texts_end_soon() {
    for text in ["[".repeat(100_000), "a=[".repeat(50_000), "a.".repeat(50_000), format!("a={}", "{a=".repeat(50_000))]
    {
        let (compiled, findings) = compile(&text, "rimward.toml", None);
        assert!(compiled.is_none() && !findings.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_rules_file_makes_the_reader_panic(
        words in proptest::collection::vec(prop_oneof![
            3 => proptest::sample::select(vec![
                "/", "/a/*", "/:x", " ", "\n", "  ", "!", ":", "X-A", "X-A: b", "200", "301!", "404", "https://e.example/",
                "=", "a=b", "#", "\u{feff}", "\r\n", "\t", "//", "*", "é", "\u{0}",
            ]).prop_map(str::to_owned),
            1 => "\\PC{0,4}",
        ], 0..40),
    ) {
        let text = words.concat();
        for findings in [super::parse_headers(&text, "/shop/").1, super::parse_redirects(&text, "/shop/").1] {
            for finding in findings {
                prop_assert!(finding.place.is_some_and(|place| place.line as usize <= text.matches('\n').count() + 1));
                prop_assert!(!finding.render(crate::diagnostic::Color::Plain).is_empty());
            }
        }
    }
}

#[test]
fn what_a_route_is_for_and_changes_is_written_for_the_edge() {
    let text = r#"
        [[pool]]
        name = "api"
        origin = [{ url = "https://api.example.com" }]
        [[pool]]
        name = "api-canary"
        origin = [{ url = "https://canary.example.com" }]
        [[route]]
        path = "/www/*"
        hosts = ["WWW.example.com", "*.old.example"]
        redirect = { to = "https://example.com/:splat", status = 308 }
        [[route]]
        path = "/api/:tenant/*"
        countries = ["de", "AT"]
        cookies = { beta = "*" }
        headers = { X-Version = "2*", accept-language = "de" }
        query = { "a b" = "", page = "1" }
        methods = ["GET"]
        [route.split]
        api-canary = 5
        api = 95
        [route.rewrite]
        path = "/v2/:splat"
        query = { set = { tenant = ":tenant", from = "edge" }, remove = ["debug"] }
        request_headers = { remove = ["x-debug"], set = { x-tenant = ":tenant" } }
    "#;
    let routes = meaning(text, None).file.settings.routes;
    let texts = |route: &Route| {
        let when: Vec<String> = route.when.iter().map(ToString::to_string).collect();
        let rewrite: Vec<String> = route.rewrite.iter().map(ToString::to_string).collect();
        (when, route.by.to_string(), rewrite)
    };
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let moved = (owned(&["hosts www.example.com *.old.example"]), "redirect 308 https://example.com/:splat".to_owned());
    assert_eq!(texts(&routes[0]), (moved.0, moved.1, Vec::new()));
    let when = owned(&[
        "methods GET",
        "query a%20b ",
        "query page 1",
        "header x-version 2*",
        "header accept-language de",
        "cookie beta *",
        "countries DE AT",
    ]);
    let rewrite = owned(&[
        "path /v2/:splat",
        "set-query tenant :tenant",
        "set-query from edge",
        "remove-query debug",
        "set-header x-tenant :tenant",
        "remove-header x-debug",
    ]);
    assert_eq!(texts(&routes[1]), (when, "split api-canary 5, api 95".to_owned(), rewrite));
}

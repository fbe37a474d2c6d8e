//! What the edge's rules cost natively, in nanoseconds each: `cargo bench -p rimward-edge --bench rules`.
//!
//! Prints JSON: for each rule the median of the rounds.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::Method;
use rimward_edge::config::Route;
use rimward_edge::control::index::{Index, Subject, Verdict};
use rimward_edge::control::record::{Kind, Purge, Record, Selector, Sequence, Strength};
use rimward_edge::route::Routes;
use rimward_edge::route::condition::Facts;
use rimward_edge::route::pattern::Pattern;
use rimward_edge::time::Timestamp;

/// Live purges in the log.
const RECORDS: u64 = 10_000;
const ROUNDS: usize = 31;
const CALLS: u32 = 100_000;

fn main() {
    let index = purged();
    let mut measured = serde_json::Map::new();
    let mut note = |name: &str, nanoseconds: f64| {
        measured.insert(name.to_owned(), (nanoseconds * 10.0).round().div_euclid(10.0).into());
    };
    let tags = ["catalogue", "product-77777", "lang-en"].map(str::to_owned);
    let groups = ["stock".to_owned()];
    for (name, url, sequence, expected) in [
        (
            "purge check: fetched since the last purge",
            "https://shop.example/api/products/77777",
            RECORDS,
            Verdict::Standing,
        ),
        (
            "purge check: 10,000 later purges, none fits",
            "https://shop.example/api/products/77777?size=m",
            0,
            Verdict::Standing,
        ),
        (
            "purge check: 10,000 later purges, a prefix fits",
            "https://shop.example/api/area-40/list/8",
            0,
            Verdict::Hard,
        ),
        ("purge check: a path of 30 segments", DEEP, 0, Verdict::Standing),
    ] {
        let subject = Subject { url, tags: &tags, groups: &groups, sequence: Sequence::new(sequence) };
        assert_eq!(index.verdict(&subject), expected, "{name}");
        note(name, median(|| index.verdict(black_box(&subject))));
    }
    for (name, count, path) in [
        ("route: the last of 10", 10, "/api/area-9/items/7/parts"),
        ("route: the last of 1,000", 1000, "/api/area-999/items/7/parts"),
        ("route: none of 10", 10, "/assets/app.js"),
        ("route: none of 1,000", 1000, "/assets/app.js"),
    ] {
        let routes = routes(count);
        let (nothing, nowhere) = (|_: &str| None, || None);
        let facts = || Facts::new(&Method::GET, "shop.example", (black_box(path), None), &nothing, &nowhere);
        let expected = path.contains("area").then(|| format!("pool-{}", count - 1));
        let pool = routes.choose(&facts()).and_then(|chosen| chosen.route.by.pools().next().map(str::to_owned));
        assert_eq!(pool, expected, "{name}");
        note(name, median(|| routes.choose(&facts()).is_some()));
    }
    println!("{}", serde_json::Value::Object(measured));
}

const DEEP: &str = "https://shop.example/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4?page=1";

/// Each for an area of its own, in different forms; the last one is for all of its area.
fn routes(count: usize) -> Routes {
    let last = count - 1;
    let form = |number: usize| match number % 3 {
        _ if number == last => format!("/api/area-{number}/:kind/:id/*"),
        0 => format!("/api/area-{number}/list*"),
        1 => format!("/api/area-{number}/:kind/list"),
        _ => format!("/files/*.{number}"),
    };
    let route = |number| Route::new(Pattern::parse(&form(number)).expect("a pattern"), &format!("pool-{number}"));
    Routes::new((0..count).map(route).collect())
}

/// A quarter each of URLs, tags, prefixes of different depths, and groups.
fn purged() -> Index {
    let mut index = Index::default();
    for number in 1..=RECORDS {
        let selector = match number % 4 {
            0 => Selector::Url(format!("https://shop.example/api/products/{number}")),
            1 => Selector::Tag(format!("product-{number}")),
            2 => Selector::Prefix(format!(
                "https://shop.example/api/area-{}{}",
                number - 2,
                ["", "/list", "/list/list"][usize::try_from(number % 3).expect("below three")]
            )),
            _ => Selector::Group { origin: "https://shop.example".into(), name: format!("group-{number}") },
        };
        let kind = Kind::Purge(Purge { of: vec![selector], strength: Strength::Hard });
        let now = Timestamp::from_millis(number);
        index.insert(&Record { sequence: Sequence::new(number), made_at: now, expires_at: now, key: None, kind });
    }
    assert_eq!(index.len() as u64, RECORDS);
    index
}

fn median<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            begun.elapsed()
        })
        .collect();
    rounds.sort();
    rounds[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(CALLS)
}

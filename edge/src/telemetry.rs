//! What is counted, by route, and how it is told: as lines for the objects that add up what all isolates counted, and as
//! Prometheus text (exposition format 0.0.4). Counts are of this isolate since it last told them; it may lose those.

pub mod top;

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use litemap::LiteMap;

use self::top::Top;

/// How long an isolate counts before it tells. What it counted since may be lost with it.
pub const PERIOD: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Answers of cached routes.
    Requests,
    /// Of those, the ones that waited for another's request to the origin.
    Collapsed,
    /// Stale answers.
    Stale,
    /// Bytes of bodies that were stored.
    StoredBytes,
    /// Stored responses that left an isolate's memory because there was no room.
    Evictions,
    /// Answers of origins to cached routes, and requests that got none.
    OriginRequests,
    /// How long the heads of those answers took, in milliseconds.
    OriginTime,
    /// Requests to origins of pools, every try.
    PoolRequests,
    /// Of those, the ones that were no request's first.
    PoolRetries,
    /// Requests for which no origin had room.
    PoolQueued,
    /// Answers of origins that broke off, or took too long, after their heads had come.
    PoolBroken,
    /// Origins that an isolate left alone for a while, or asked again.
    PoolCircuits,
    /// Origins that were found sick or well by their checks, that operators took out, or let in again.
    PoolHealth,
    /// Requests under a policy of limits.
    LimitRequests,
    /// Of those, the ones that an object was asked for.
    LimitAsked,
    /// How long the objects took, in milliseconds.
    LimitTime,
    /// Permits that objects lent.
    LimitLent,
    /// Of those, the ones that requests took.
    LimitLentUsed,
    /// Rows that the objects wrote.
    LimitRows,
    /// What did not work, while requests went on.
    Degraded,
    /// Tellings that did not arrive.
    Lost,
}

impl Metric {
    const ALL: [Metric; 21] = [
        Metric::Requests,
        Metric::Collapsed,
        Metric::Stale,
        Metric::StoredBytes,
        Metric::Evictions,
        Metric::OriginRequests,
        Metric::OriginTime,
        Metric::PoolRequests,
        Metric::PoolRetries,
        Metric::PoolQueued,
        Metric::PoolBroken,
        Metric::PoolCircuits,
        Metric::PoolHealth,
        Metric::LimitRequests,
        Metric::LimitAsked,
        Metric::LimitTime,
        Metric::LimitLent,
        Metric::LimitLentUsed,
        Metric::LimitRows,
        Metric::Degraded,
        Metric::Lost,
    ];

    fn name(self) -> &'static str {
        match self {
            Metric::Requests => "rimward_cache_requests_total",
            Metric::Collapsed => "rimward_cache_collapsed_total",
            Metric::Stale => "rimward_cache_stale_total",
            Metric::StoredBytes => "rimward_cache_stored_bytes_total",
            Metric::Evictions => "rimward_cache_evictions_total",
            Metric::OriginRequests => "rimward_origin_requests_total",
            Metric::OriginTime => "rimward_origin_seconds_total",
            Metric::PoolRequests => "rimward_pool_requests_total",
            Metric::PoolRetries => "rimward_pool_retries_total",
            Metric::PoolQueued => "rimward_pool_queued_total",
            Metric::PoolBroken => "rimward_pool_broken_total",
            Metric::PoolCircuits => "rimward_pool_circuits_total",
            Metric::PoolHealth => "rimward_pool_health_total",
            Metric::LimitRequests => "rimward_limit_requests_total",
            Metric::LimitAsked => "rimward_limit_asked_total",
            Metric::LimitTime => "rimward_limit_seconds_total",
            Metric::LimitLent => "rimward_limit_lent_total",
            Metric::LimitLentUsed => "rimward_limit_lent_used_total",
            Metric::LimitRows => "rimward_limit_rows_total",
            Metric::Degraded => "rimward_degraded_total",
            Metric::Lost => "rimward_metrics_lost_total",
        }
    }

    /// The name of what its samples are of.
    fn subject(self) -> &'static str {
        match self {
            Metric::LimitRequests
            | Metric::LimitAsked
            | Metric::LimitTime
            | Metric::LimitLent
            | Metric::LimitLentUsed => "policy",
            Metric::PoolRequests
            | Metric::PoolRetries
            | Metric::PoolQueued
            | Metric::PoolBroken
            | Metric::PoolCircuits
            | Metric::PoolHealth => "pool",
            _ => "route",
        }
    }

    /// The name of what tells its samples apart beside that.
    fn label(self) -> Option<&'static str> {
        match self {
            Metric::Requests | Metric::LimitRequests | Metric::PoolRequests | Metric::PoolQueued => Some("result"),
            Metric::PoolCircuits | Metric::PoolHealth => Some("change"),
            Metric::Stale | Metric::Degraded => Some("reason"),
            Metric::OriginRequests => Some("status"),
            _ => None,
        }
    }

    fn help(self) -> &'static str {
        match self {
            Metric::Requests => "Answers of cached routes, by hit or by the reason to ask the origin (RFC 9211).",
            Metric::Collapsed => "Answers that waited for another's request to the origin.",
            Metric::Stale => "Stale answers.",
            Metric::StoredBytes => "Bytes of bodies that were stored.",
            Metric::Evictions => "Stored responses that left an isolate's memory for lack of room.",
            Metric::OriginRequests => "Requests of cached routes to origins, by status; none: no answer came.",
            Metric::OriginTime => "Time until the heads of origins' answers came.",
            Metric::PoolRequests => {
                "Requests to origins, every try, by the class of the answer's status or why there was none."
            }
            Metric::PoolRetries => "Requests to origins that were a request's second try, or a later one.",
            Metric::PoolQueued => "Requests for which no origin had room, by what became of them.",
            Metric::PoolBroken => "Answers of origins that broke off, or took too long, after their heads had come.",
            Metric::PoolCircuits => "Times that an isolate left an origin alone for a while, or asked it again.",
            Metric::PoolHealth => "Changes of origins: by their checks, or by operators.",
            Metric::LimitRequests => "Requests under a policy of limits, by who decided and how.",
            Metric::LimitAsked => "Requests for which an object that counts was asked.",
            Metric::LimitTime => "Time until those objects answered.",
            Metric::LimitLent => "Permits that objects lent to isolates, for requests to come.",
            Metric::LimitLentUsed => "Of those, the ones that requests took before the lease ended.",
            Metric::LimitRows => "Rows that those objects wrote down for decisions.",
            Metric::Degraded => "What could not be reached while requests went on.",
            Metric::Lost => "Tellings of an isolate that did not arrive.",
        }
    }
}

/// The detail of a status where a store could not be asked.
pub const STORE_UNREACHABLE: &str = "store-unreachable";
/// The detail of a status where purges may be missing.
pub const LOG_UNREACHABLE: &str = "control-log-unreachable";
/// The detail of a status where the request went past the shield.
pub const SHIELD_UNREACHABLE: &str = "shield-unreachable";

/// What an isolate counted since it last told.
#[derive(Debug, Default)]
pub struct Counters {
    by_route: Vec<(String, Counts)>,
    /// By origin of a pool: how long it took.
    latencies: Vec<(String, Histogram<u32>)>,
    /// By policy: whom it decided on.
    tops: Vec<(String, Top)>,
}

/// What the name of a line with such a sketch begins with.
const TOP: &str = "top ";

/// What parts a pool's name from its origin's, where both say what was counted.
const PARTED: char = '\0';

/// An origin of a pool, as the subject of counts.
pub fn origin_of(pool: &str, url: &str) -> String {
    format!("{pool}{PARTED}{url}")
}

/// How long origins took: a sketch that those of other isolates can be added to.
const LATENCY: &str = "rimward_pool_latency_milliseconds";

/// Quantiles are told of it, exact to a hundredth of their value.
const QUANTILES: [(f64, &str); 4] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (0.999, "0.999")];

/// Whatever takes longer is told as this.
const LONGEST_MS: u64 = 600_000;

fn sketch() -> Histogram<u32> {
    Histogram::new_with_max(LONGEST_MS, 2).expect("bounds and digits that it takes")
}

type Counts = Vec<(Metric, &'static str, u64)>;

impl Counters {
    /// Adds to one count. `route` (of limits: the policy) is empty for what is of none, `label` for what has none.
    pub fn add(&mut self, route: &str, metric: Metric, label: &'static str, amount: u64) {
        let place = self.by_route.iter().position(|(known, _)| known == route).unwrap_or_else(|| {
            self.by_route.push((route.to_owned(), Vec::new()));
            self.by_route.len() - 1
        });
        let counts = &mut self.by_route[place].1;
        match counts.iter_mut().find(|(known, of, _)| (*known, *of) == (metric, label)) {
            Some((_, _, count)) => *count += amount,
            None => counts.push((metric, label, amount)),
        }
    }

    /// Counts an answer of a cached route: `hit`, or why the origin was asked, and the detail of its `Cache-Status`.
    pub fn answered(&mut self, route: &str, result: &'static str, collapsed: bool, detail: Option<&'static str>) {
        self.add(route, Metric::Requests, result, 1);
        if collapsed {
            self.add(route, Metric::Collapsed, "", 1);
        }
        match detail {
            Some(reason @ ("max-stale" | "stale-while-revalidate" | "stale-if-error")) => {
                self.add(route, Metric::Stale, reason, 1);
            }
            Some(reason @ (STORE_UNREACHABLE | LOG_UNREACHABLE)) => self.add(route, Metric::Degraded, reason, 1),
            _ => {}
        }
    }

    /// Counts a request to an origin, and how long its answer took.
    pub fn asked(&mut self, route: &str, status: Option<u16>, took: Duration) {
        self.add(route, Metric::OriginRequests, status.map_or("none", class), 1);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.add(route, Metric::OriginTime, "", millis);
    }

    /// Counts a try at an origin: how long until there was the head of an answer, or why there was none.
    pub fn tried(&mut self, origin: &str, result: Result<u16, &'static str>, took: Duration) {
        self.add(origin, Metric::PoolRequests, result.map_or_else(|why| why, class), 1);
        let place = self.latencies.iter().position(|(known, _)| known == origin).unwrap_or_else(|| {
            self.latencies.push((origin.to_owned(), sketch()));
            self.latencies.len() - 1
        });
        let millis = u64::try_from(took.as_millis()).unwrap_or(LONGEST_MS);
        self.latencies[place].1.saturating_record(millis);
    }

    /// Notes whom a policy decided on: a digest.
    pub fn decided(&mut self, policy: &str, who: u128) {
        let place = self.tops.iter().position(|(known, _)| known == policy).unwrap_or_else(|| {
            self.tops.push((policy.to_owned(), Top::default()));
            self.tops.len() - 1
        });
        self.tops[place].1.add(who);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.by_route.is_empty()
    }

    /// Everything as lines, and begins anew.
    pub fn take(&mut self) -> String {
        let mut lines = String::new();
        for (route, counts) in std::mem::take(&mut self.by_route) {
            for (metric, label, count) in counts {
                let (subject, origin) = route.split_once(PARTED).unwrap_or((&route, ""));
                let label = (metric.label().unwrap_or_default(), label);
                sample(&mut lines, metric.name(), &[(metric.subject(), subject), ("origin", origin), label], count);
            }
        }
        for (origin, sketch) in std::mem::take(&mut self.latencies) {
            let (pool, origin) = origin.split_once(PARTED).unwrap_or((&origin, ""));
            for bin in sketch.iter_recorded() {
                let (millis, count) = (bin.value_iterated_to().to_string(), u64::from(bin.count_at_value()));
                sample(&mut lines, LATENCY, &[("pool", pool), ("origin", origin), ("bin", &millis)], count);
            }
        }
        for (policy, top) in std::mem::take(&mut self.tops) {
            let _ = writeln!(lines, "{TOP}{policy}\n{top}");
        }
        lines
    }
}

/// Of all lines, those that say whom policies decided on: by policy, what all isolates told.
pub fn tops(lines: &str) -> Vec<(String, Top)> {
    let mut tops: Vec<(String, Top)> = Vec::new();
    let mut fields = lines.lines();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let Some(policy) = name.strip_prefix(TOP) else { continue };
        let top = Top::read(value);
        match tops.iter_mut().find(|(known, _)| known == policy) {
            Some((_, known)) => known.merge(&top),
            None => tops.push((policy.to_owned(), top)),
        }
    }
    tops
}

fn class(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

/// Writes a sample: its name with the labels that say something, and its number.
fn sample(lines: &mut String, name: &str, labels: &[(&str, &str)], count: u64) {
    lines.push_str(name);
    let mut opened = '{';
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        lines.extend([opened.encode_utf8(&mut [0; 4]), *name, "=\"", &escaped(value), "\""]);
        opened = ',';
    }
    if opened == ',' {
        lines.push('}');
    }
    writeln!(lines, "\n{count}").expect("a string takes whatever is written");
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Lines of samples, those of a name several times, as Prometheus text. What is no sample of ours is left out.
pub fn exposition(lines: &str) -> String {
    let mut samples = LiteMap::<&str, u64>::new();
    let mut fields = lines.lines();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let sum = samples.get(name).copied().unwrap_or_default();
        samples.insert(name, sum.saturating_add(value.parse().unwrap_or_default()));
    }
    let mut text = String::new();
    for metric in Metric::ALL {
        let name = metric.name();
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} counter", metric.help());
        let is_of_it =
            |sample: &str| sample.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        for (sample, value) in samples.iter().filter(|(sample, _)| is_of_it(sample)) {
            let _ = if matches!(metric, Metric::OriginTime | Metric::LimitTime) {
                writeln!(text, "{sample} {}.{:03}", value / 1000, value % 1000)
            } else {
                writeln!(text, "{sample} {value}")
            };
        }
    }
    text.push_str(&latencies(&samples));
    text
}

/// How long origins took, as a summary: the bins that all isolates told, added up.
fn latencies(samples: &LiteMap<&str, u64>) -> String {
    let mut text = format!(
        "# HELP {LATENCY} Time until the head of an answer came, or it was clear that none would.\n# TYPE {LATENCY} summary\n"
    );
    let mut by_origin = LiteMap::<&str, Histogram<u32>>::new();
    for (sample, count) in samples.iter() {
        let labels = sample.strip_prefix(LATENCY).and_then(|rest| rest.strip_prefix('{')?.strip_suffix("\"}"));
        let Some((origin, bin)) = labels.and_then(|labels| labels.rsplit_once(",bin=\"")) else { continue };
        let Ok(millis) = bin.parse() else { continue };
        if by_origin.get(origin).is_none() {
            by_origin.insert(origin, sketch());
        }
        if let Some(sketch) = by_origin.get_mut(origin) {
            sketch.saturating_record_n(millis, u32::try_from(*count).unwrap_or(u32::MAX));
        }
    }
    for (origin, sketch) in by_origin.iter() {
        for (quantile, name) in QUANTILES {
            let millis = sketch.value_at_quantile(quantile);
            let _ = writeln!(text, "{LATENCY}{{{origin},quantile=\"{name}\"}} {millis}");
        }
        let _ = writeln!(text, "{LATENCY}_count{{{origin}}} {}", sketch.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_isolates_counted_is_added_up() {
        let mut lines = String::new();
        for collapsed in [false, true] {
            let mut counters = Counters::default();
            counters.answered("/api/*", "uri-miss", collapsed, None);
            counters.answered("/a\"b\\*", "refused", false, Some("only-if-cached"));
            counters.answered("/api/*", "uri-miss", collapsed, Some("stale-if-error"));
            counters.answered("/api/*", "uri-miss", collapsed, Some("store-unreachable"));
            counters.asked("/api/*", Some(204), Duration::from_millis(70));
            counters.asked("/api/*", None, Duration::from_millis(1500));
            counters.add("", Metric::Evictions, "", 3);
            lines += &counters.take();
            assert_eq!((counters.is_empty(), counters.take()), (true, String::new()));
        }
        let text = exposition(&lines);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"rimward_cache_requests_total{route="/a\"b\\*",result="refused"} 2"#,
                r#"rimward_cache_requests_total{route="/api/*",result="uri-miss"} 6"#,
                r#"rimward_cache_collapsed_total{route="/api/*"} 3"#,
                r#"rimward_cache_stale_total{route="/api/*",reason="stale-if-error"} 2"#,
                "rimward_cache_evictions_total 6",
                r#"rimward_origin_requests_total{route="/api/*",status="2xx"} 2"#,
                r#"rimward_origin_requests_total{route="/api/*",status="none"} 2"#,
                r#"rimward_origin_seconds_total{route="/api/*"} 3.140"#,
                r#"rimward_degraded_total{route="/api/*",reason="store-unreachable"} 2"#,
            ]
        );
        for metric in Metric::ALL {
            assert!(text.contains(&format!("# TYPE {} counter\n", metric.name())), "{text}");
        }
    }

    #[test]
    fn how_long_origins_took_is_told_by_quantiles_of_all_isolates() {
        let mut lines = String::new();
        for slower in [0, 100] {
            let mut counters = Counters::default();
            for millis in 1..=100 {
                counters.tried(&origin_of("api", "https://a"), Ok(200), Duration::from_millis(millis + slower));
            }
            counters.tried(&origin_of("api", "https://b"), Err("timeout"), Duration::from_hours(9));
            lines += &counters.take();
            assert_eq!((counters.is_empty(), counters.take()), (true, String::new()));
        }
        let text = exposition(&lines);
        let has = |line: &str| assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        has(r#"rimward_pool_requests_total{pool="api",origin="https://a",result="2xx"} 200"#);
        has(r#"rimward_pool_requests_total{pool="api",origin="https://b",result="timeout"} 2"#);
        has(r#"rimward_pool_latency_milliseconds{pool="api",origin="https://a",quantile="0.5"} 100"#);
        has(r#"rimward_pool_latency_milliseconds{pool="api",origin="https://a",quantile="0.9"} 180"#);
        has(r#"rimward_pool_latency_milliseconds_count{pool="api",origin="https://a"} 200"#);
        has(r#"rimward_pool_latency_milliseconds_count{pool="api",origin="https://b"} 2"#);
    }

    #[test]
    fn whom_policies_decided_on_is_told_apart_from_samples() {
        let mut lines = String::new();
        for who in [7, 9] {
            let mut counters = Counters::default();
            counters.add("login", Metric::LimitRequests, "admitted", 3);
            for who in [who, 7, 7] {
                counters.decided("login", who);
            }
            counters.decided("other", 1);
            lines += &counters.take();
            assert_eq!(counters.take(), "");
        }
        let tops: Vec<String> = tops(&lines).into_iter().map(|(policy, top)| format!("{policy} {top}")).collect();
        assert_eq!(tops, ["login 7:5:0 9:1:0", "other 1:2:0"]);
        let text = exposition(&lines);
        assert!(text.contains(r#"rimward_limit_requests_total{policy="login",result="admitted"} 6"#), "{text}");
        assert!(!text.contains("top "), "{text}");
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        let bare = exposition("");
        for lines in ["x", "x\n1\n", "rimward_cache_requests_totally\n1\n"] {
            assert_eq!(exposition(lines), bare, "{lines:?}");
        }
        let more = format!("rimward_metrics_lost_total\n{}\nrimward_metrics_lost_total\n5\n", u64::MAX);
        assert!(exposition(&more).contains(&format!("rimward_metrics_lost_total {}\n", u64::MAX)));
    }
}

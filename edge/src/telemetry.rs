//! What is counted, by route, and how it is told: as lines for the objects that add up what all isolates counted, and as
//! Prometheus text (exposition format 0.0.4). Counts are of this isolate since it last told them; it may lose those.

use std::fmt::Write as _;
use std::time::Duration;

use litemap::LiteMap;

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
    /// Requests under a policy of limits.
    LimitRequests,
    /// Of those, the ones that an object was asked for.
    LimitAsked,
    /// How long the objects took, in milliseconds.
    LimitTime,
    /// What did not work, while requests went on.
    Degraded,
    /// Tellings that did not arrive.
    Lost,
}

impl Metric {
    const ALL: [Metric; 12] = [
        Metric::Requests,
        Metric::Collapsed,
        Metric::Stale,
        Metric::StoredBytes,
        Metric::Evictions,
        Metric::OriginRequests,
        Metric::OriginTime,
        Metric::LimitRequests,
        Metric::LimitAsked,
        Metric::LimitTime,
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
            Metric::LimitRequests => "rimward_limit_requests_total",
            Metric::LimitAsked => "rimward_limit_asked_total",
            Metric::LimitTime => "rimward_limit_seconds_total",
            Metric::Degraded => "rimward_degraded_total",
            Metric::Lost => "rimward_metrics_lost_total",
        }
    }

    /// The name of what its samples are of.
    fn subject(self) -> &'static str {
        match self {
            Metric::LimitRequests | Metric::LimitAsked | Metric::LimitTime => "policy",
            _ => "route",
        }
    }

    /// The name of what tells its samples apart beside that.
    fn label(self) -> Option<&'static str> {
        match self {
            Metric::Requests | Metric::LimitRequests => Some("result"),
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
            Metric::LimitRequests => "Requests under a policy of limits, by who decided and how.",
            Metric::LimitAsked => "Requests for which an object that counts was asked.",
            Metric::LimitTime => "Time until those objects answered.",
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
        let class = match status {
            None => "none",
            Some(..200) => "1xx",
            Some(200..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(_) => "5xx",
        };
        self.add(route, Metric::OriginRequests, class, 1);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.add(route, Metric::OriginTime, "", millis);
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
                lines.push_str(metric.name());
                let labels = [(metric.subject(), route.as_str()), (metric.label().unwrap_or_default(), label)];
                let mut opened = '{';
                for (name, value) in labels.into_iter().filter(|(_, value)| !value.is_empty()) {
                    lines.extend([opened.encode_utf8(&mut [0; 4]), name, "=\"", &escaped(value), "\""]);
                    opened = ',';
                }
                if opened == ',' {
                    lines.push('}');
                }
                writeln!(lines, "\n{count}").expect("a string takes whatever is written");
            }
        }
        lines
    }
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
    fn what_is_no_sample_is_left_out() {
        let bare = exposition("");
        for lines in ["x", "x\n1\n", "rimward_cache_requests_totally\n1\n"] {
            assert_eq!(exposition(lines), bare, "{lines:?}");
        }
        let more = format!("rimward_metrics_lost_total\n{}\nrimward_metrics_lost_total\n5\n", u64::MAX);
        assert!(exposition(&more).contains(&format!("rimward_metrics_lost_total {}\n", u64::MAX)));
    }
}

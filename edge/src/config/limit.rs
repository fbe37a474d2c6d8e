//! `[limit.*]` and what routes say of limits, compiled. A quota of nothing and a window of no time cannot be written down.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `[limit.NAME]`, every default filled in.
///
/// It is written as one text, what differs from the usual behind its name and algorithm
/// (`per-client; gcra 1000 60000 1000; partition ip header:x-key`): its reader is a tenth of one that serde derives, and every
/// byte of the Worker counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LimitPolicy {
    /// What routes call it.
    pub name: String,
    /// What is counted, and how.
    pub algorithm: Algorithm,
    /// Whom it counts apart. [`Part::Global`] alone: everyone together.
    pub partition: Vec<Part>,
    /// Who decides. Always [`Precision::Exact`] for [`Algorithm::Concurrency`].
    pub precision: Precision,
    /// Which requests it counts.
    pub guards: Guards,
    /// What happens while the object that counts does not answer.
    pub when_unreachable: WhenUnreachable,
    /// It counts and reports, and refuses nobody.
    pub shadow: bool,
    /// Networks (CIDR) whose addresses are not counted.
    pub exempt: Vec<String>,
    /// How long the object that counts may take, in milliseconds.
    pub deadline_ms: u64,
    /// Which fields tell clients of it.
    pub headers: Vec<LimitFields>,
    /// What becomes of those who go on all the same.
    pub ban: Option<BanRule>,
}

impl LimitPolicy {
    /// With every default but for what has none.
    pub fn new(name: &str, algorithm: Algorithm) -> LimitPolicy {
        LimitPolicy {
            name: name.to_owned(),
            algorithm,
            partition: vec![Part::Ip],
            precision: Precision::Exact,
            guards: Guards::All,
            when_unreachable: WhenUnreachable::Local,
            shadow: false,
            exempt: Vec::new(),
            deadline_ms: DEADLINE_MS,
            headers: vec![LimitFields::Draft11],
            ban: None,
        }
    }
}

/// `deadline_ms` where nothing else is said.
pub const DEADLINE_MS: u64 = 50;

/// A policy that cannot be read: the part of its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a limit says `{0}`, which cannot be read")]
pub struct NoPolicy(String);

impl TryFrom<String> for LimitPolicy {
    type Error = NoPolicy;

    fn try_from(text: String) -> Result<LimitPolicy, NoPolicy> {
        let mut parts = text.split("; ");
        let (name, algorithm) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let algorithm = Algorithm::read(algorithm).ok_or_else(|| NoPolicy(algorithm.to_owned()))?;
        let mut policy = LimitPolicy::new(name, algorithm);
        for part in parts {
            policy.read(part).ok_or_else(|| NoPolicy(part.to_owned()))?;
        }
        Ok(policy)
    }
}

impl LimitPolicy {
    fn read(&mut self, part: &str) -> Option<()> {
        let (name, text) = part.split_once(' ').unwrap_or((part, ""));
        let words = || text.split(' ').filter(|word| !word.is_empty());
        match name {
            "partition" => self.partition = words().map(Part::read).collect::<Option<_>>()?,
            "precision" => self.precision = named(&Precision::WORDS, text)?,
            "guards" => self.guards = named(&Guards::WORDS, text)?,
            "when_unreachable" => self.when_unreachable = named(&WhenUnreachable::WORDS, text)?,
            "shadow" => self.shadow = true,
            "exempt" => self.exempt = words().map(str::to_owned).collect(),
            "deadline_ms" => self.deadline_ms = text.parse().ok()?,
            "headers" => self.headers = words().map(|word| named(&LimitFields::WORDS, word)).collect::<Option<_>>()?,
            "ban" => {
                let (after, seconds) = text.split_once(' ')?;
                self.ban = Some(BanRule { after: after.parse().ok()?, seconds: seconds.parse().ok()? });
            }
            // Of a later version.
            _ => return None,
        }
        Some(())
    }
}

impl From<LimitPolicy> for String {
    fn from(policy: LimitPolicy) -> String {
        let usual = LimitPolicy::new(&policy.name, policy.algorithm);
        let mut text = format!("{}; {}", policy.name, policy.algorithm);
        let mut say = |name: &str, differs: bool, value: &str| {
            if differs {
                text.extend(["; ", name, " ", value]);
            }
        };
        let parts: Vec<String> = policy.partition.iter().map(Part::to_string).collect();
        let fields: Vec<&str> = policy.headers.iter().map(|field| word(&LimitFields::WORDS, field)).collect();
        say("partition", policy.partition != usual.partition, &parts.join(" "));
        say("precision", policy.precision != usual.precision, word(&Precision::WORDS, &policy.precision));
        say("guards", policy.guards != usual.guards, word(&Guards::WORDS, &policy.guards));
        let when = word(&WhenUnreachable::WORDS, &policy.when_unreachable);
        say("when_unreachable", policy.when_unreachable != usual.when_unreachable, when);
        say("shadow", policy.shadow, "");
        say("exempt", !policy.exempt.is_empty(), &policy.exempt.join(" "));
        say("deadline_ms", policy.deadline_ms != usual.deadline_ms, &policy.deadline_ms.to_string());
        say("headers", policy.headers != usual.headers, &fields.join(" "));
        if let Some(BanRule { after, seconds }) = policy.ban {
            say("ban", true, &format!("{after} {seconds}"));
        }
        text
    }
}

/// The value that a word means.
fn named<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// The word that means a value.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// How requests are counted. Each one's law stands in [`crate::limit::law`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The generic cell rate algorithm (ITU-T I.371): permits come back one by one, `burst` at most are at hand.
    Gcra {
        /// A window.
        permits: Permits,
        /// For so many permits.
        window: Window,
        /// At once.
        burst: Permits,
    },
    /// The last window's count, weighted by how much of it still counts, and this one's.
    SlidingWindow {
        /// A window.
        permits: Permits,
        /// Windows begin at multiples of it.
        window: Window,
    },
    /// One count a window.
    FixedWindow {
        /// A window.
        permits: Permits,
        /// Windows begin at multiples of it.
        window: Window,
    },
    /// Requests under way at once.
    Concurrency {
        /// At once.
        permits: Permits,
        /// How many more may wait for their turn.
        queue: u32,
        /// For how long, in milliseconds.
        wait_ms: u64,
    },
}

impl Algorithm {
    /// How many permits there can be at once: no request may cost more.
    pub fn most_at_once(self) -> Permits {
        match self {
            Algorithm::Gcra { burst, .. } => burst,
            Algorithm::SlidingWindow { permits, .. }
            | Algorithm::FixedWindow { permits, .. }
            | Algorithm::Concurrency { permits, .. } => permits,
        }
    }
}

/// As settings spell it: its name, then its numbers in the order of its members.
impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Algorithm::Gcra { permits, window, burst } => {
                write!(out, "gcra {} {} {}", permits.0, window.0, burst.0)
            }
            Algorithm::SlidingWindow { permits, window } => write!(out, "sliding-window {} {}", permits.0, window.0),
            Algorithm::FixedWindow { permits, window } => write!(out, "fixed-window {} {}", permits.0, window.0),
            Algorithm::Concurrency { permits, queue, wait_ms } => {
                write!(out, "concurrency {} {queue} {wait_ms}", permits.0)
            }
        }
    }
}

impl Algorithm {
    fn read(text: &str) -> Option<Algorithm> {
        let mut words = text.split(' ');
        let name = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let some = |number: u64| Permits::try_from(u32::try_from(number).ok()?).ok();
        let permits = some(number()?)?;
        let second = number()?;
        Some(match name {
            "gcra" => Algorithm::Gcra { permits, window: Window::try_from(second).ok()?, burst: some(number()?)? },
            "sliding-window" => Algorithm::SlidingWindow { permits, window: Window::try_from(second).ok()? },
            "fixed-window" => Algorithm::FixedWindow { permits, window: Window::try_from(second).ok()? },
            "concurrency" => Algorithm::Concurrency { permits, queue: u32::try_from(second).ok()?, wait_ms: number()? },
            _ => return None,
        })
    }
}

/// A number of permits: at least 1, at most [`Permits::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permits(u32);

impl Permits {
    /// The largest. With it, sums of windows and permits stay far below what 64 bits hold.
    pub const MOST: u32 = 1_000_000;

    /// As a number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A number that no quota can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number of permits is from 1 to {}", Permits::MOST)]
pub struct NoPermits;

impl TryFrom<u32> for Permits {
    type Error = NoPermits;

    fn try_from(number: u32) -> Result<Permits, NoPermits> {
        if (1..=Permits::MOST).contains(&number) { Ok(Permits(number)) } else { Err(NoPermits) }
    }
}

/// A span of time over which permits are counted: from one second to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(u64);

impl Window {
    /// The shortest, in milliseconds.
    pub const LEAST_MS: u64 = 1000;
    /// The longest, in milliseconds.
    pub const MOST_MS: u64 = 30 * 24 * 60 * 60 * 1000;

    /// In milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }
}

/// A span of time that no window can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window is from 1 s to 30 days")]
pub struct NoWindow;

impl TryFrom<u64> for Window {
    type Error = NoWindow;

    fn try_from(millis: u64) -> Result<Window, NoWindow> {
        if (Window::LEAST_MS..=Window::MOST_MS).contains(&millis) { Ok(Window(millis)) } else { Err(NoWindow) }
    }
}

/// What tells partitions apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The client's address; of IPv6 its /64.
    Ip,
    /// A request field (lower case).
    Header(String),
    /// A cookie.
    Cookie(String),
    /// The route, by its path.
    Route,
    /// The client's country, as the platform tells it.
    Country,
    /// Nothing: everyone is counted together.
    Global,
}

/// As settings spell it: `ip`, `header:x-key`.
impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Ip => out.write_str("ip"),
            Part::Header(name) => write!(out, "header:{name}"),
            Part::Cookie(name) => write!(out, "cookie:{name}"),
            Part::Route => out.write_str("route"),
            Part::Country => out.write_str("country"),
            Part::Global => out.write_str("global"),
        }
    }
}

impl Part {
    fn read(text: &str) -> Option<Part> {
        Some(match text.split_once(':') {
            Some(("header", name)) => Part::Header(name.to_owned()),
            Some(("cookie", name)) => Part::Cookie(name.to_owned()),
            Some(_) => return None,
            None => match text {
                "ip" => Part::Ip,
                "route" => Part::Route,
                "country" => Part::Country,
                "global" => Part::Global,
                _ => return None,
            },
        })
    }
}

/// Who decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// The object that counts, for each request.
    #[default]
    Exact,
    /// The isolate, from permits that the object lends it.
    Leased,
}

impl Precision {
    /// As settings spell it.
    pub const WORDS: [(&'static str, Precision); 2] = [("exact", Precision::Exact), ("leased", Precision::Leased)];
}

/// Which requests a policy counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Guards {
    /// Every request of the route.
    #[default]
    All,
    /// What is sent to an origin.
    Origin,
}

impl Guards {
    /// As settings spell it.
    pub const WORDS: [(&'static str, Guards); 2] = [("all", Guards::All), ("origin", Guards::Origin)];
}

/// What happens while the object that counts does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// Each isolate holds its own requests to the quota.
    #[default]
    Local,
    /// Everything passes.
    Open,
    /// Nothing passes: 503.
    Closed,
}

impl WhenUnreachable {
    /// As settings spell it.
    pub const WORDS: [(&'static str, WhenUnreachable); 3] =
        [("local", WhenUnreachable::Local), ("open", WhenUnreachable::Open), ("closed", WhenUnreachable::Closed)];
}

/// Fields that tell clients of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitFields {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).
    Draft11,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (in seconds from now).
    XRateLimit,
}

impl LimitFields {
    /// As settings spell it.
    pub const WORDS: [(&'static str, LimitFields); 2] =
        [("draft-11", LimitFields::Draft11), ("x-ratelimit", LimitFields::XRateLimit)];
}

/// Bans who is refused again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BanRule {
    /// So many refusals in a window (of a concurrency limit: in a minute).
    pub after: u32,
    /// For so long.
    pub seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(number: u32) -> Permits {
        Permits::try_from(number).unwrap()
    }

    fn window(millis: u64) -> Window {
        Window::try_from(millis).unwrap()
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let usual = LimitPolicy::new("a", Algorithm::FixedWindow { permits: permits(1), window: window(1000) });
        assert_eq!(serde_json::to_string(&usual).unwrap(), r#""a; fixed-window 1 1000""#);
        let other = LimitPolicy {
            name: "per-client_2".into(),
            algorithm: Algorithm::Concurrency { permits: permits(1_000_000), queue: 3, wait_ms: 4 },
            partition: vec![
                Part::Header("x-key".into()),
                Part::Cookie("a:b".into()),
                Part::Ip,
                Part::Route,
                Part::Country,
            ],
            precision: Precision::Leased,
            guards: Guards::Origin,
            when_unreachable: WhenUnreachable::Closed,
            shadow: true,
            exempt: vec!["10.0.0.0/8".into(), "::1/128".into()],
            deadline_ms: 7,
            headers: Vec::new(),
            ban: Some(BanRule { after: 5, seconds: 6 }),
        };
        let sliding = Algorithm::SlidingWindow { permits: permits(2), window: window(Window::MOST_MS) };
        let gcra = Algorithm::Gcra { permits: permits(2), window: window(3000), burst: permits(4) };
        let global = LimitPolicy { partition: vec![Part::Global], ..LimitPolicy::new("a", gcra) };
        for policy in [usual, other, LimitPolicy::new("b", sliding), global] {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<LimitPolicy>(&text).unwrap(), policy, "{text}");
        }
    }

    #[test]
    fn a_quota_of_nothing_and_a_window_of_no_time_cannot_be_read() {
        for text in [
            "fixed-window 0 1000",
            "fixed-window 1000001 1000",
            "fixed-window 1 999",
            "fixed-window 1 0",
            "fixed-window 1 2592000001",
            "fixed-window 4294967297 1000",
            "gcra 1 1000",
            "gcra 1 1000 0",
            "leaky 1 1000",
            "",
        ] {
            assert_eq!(Algorithm::read(text), None, "{text}");
        }
    }

    #[test]
    fn what_no_policy_says_is_refused() {
        for part in [
            "partition ip mac",
            "partition header",
            "precision rough",
            "headers draft-7",
            "deadline_ms soon",
            "ban 1",
            "later 1",
        ] {
            let error = LimitPolicy::try_from(format!("a; fixed-window 1 1000; {part}")).unwrap_err();
            assert_eq!(error, NoPolicy(part.to_owned()));
        }
        assert!(LimitPolicy::try_from(String::new()).is_err());
    }
}

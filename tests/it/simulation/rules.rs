//! What the origin says of caching at each of its URLs, and what that means: by the standards' words, and not by the code that is
//! tested.

use http::HeaderMap;

/// Whom an answer is for (RFC 9111 §3, §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// For the one who asked.
    Asker,
    /// For everyone, unless who asked said who he is by `Authorization`.
    Everyone,
    /// For everyone, in so many words.
    Public,
}

/// What it takes to use an answer again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Normal,
    /// Never stale.
    NeverStale,
    /// Never without asking.
    Validated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    None,
    Weak,
    Strong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varies {
    Not,
    Language,
    Flavour,
}

/// What the origin says.
#[derive(Debug)]
pub(super) struct Rule {
    /// The last segment of its paths.
    pub(super) name: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) who: For,
    /// As a shared cache reads it, in seconds; with `expires`, that.
    pub(super) lifetime: Option<u64>,
    pub(super) expires: Option<u64>,
    /// What it says of its age already.
    pub(super) age: u64,
    pub(super) while_revalidating: Option<u64>,
    pub(super) if_error: Option<u64>,
    pub(super) reuse: Use,
    pub(super) tags: Tags,
    pub(super) has_date: bool,
    pub(super) varies: Varies,
    pub(super) sets_cookie: bool,
}

const PLAIN: Rule = Rule {
    name: "",
    headers: &[],
    who: For::Everyone,
    lifetime: None,
    expires: None,
    age: 0,
    while_revalidating: None,
    if_error: None,
    reuse: Use::Normal,
    tags: Tags::Strong,
    has_date: false,
    varies: Varies::Not,
    sets_cookie: false,
};

macro_rules! says {
    ($name:literal, $cache_control:literal, $($rest:tt)*) => {
        Rule { name: $name, headers: &[("cache-control", $cache_control)], $($rest)* }
    };
}

pub(super) const RULES: &[Rule] = &[
    says!("fresh", "max-age=5", lifetime: Some(5), ..PLAIN),
    says!("dated", "public, max-age=3", who: For::Public, lifetime: Some(3), tags: Tags::None, has_date: true, ..PLAIN),
    says!("shared", "s-maxage=4, max-age=1", who: For::Public, lifetime: Some(4), reuse: Use::NeverStale, tags: Tags::Weak, ..PLAIN),
    says!("private", "private, max-age=60", who: For::Asker, lifetime: Some(60), ..PLAIN),
    says!("none", "no-store, max-age=60", who: For::Asker, lifetime: Some(60), ..PLAIN),
    says!("asked", "no-cache, public", who: For::Public, reuse: Use::Validated, ..PLAIN),
    says!("strict", "max-age=2, must-revalidate", who: For::Public, lifetime: Some(2), reuse: Use::NeverStale, ..PLAIN),
    says!("grace", "max-age=2, stale-while-revalidate=4, stale-if-error=8", lifetime: Some(2), while_revalidating: Some(4), if_error: Some(8), ..PLAIN),
    says!("bare", "max-age=3, stale-while-revalidate=3", lifetime: Some(3), while_revalidating: Some(3), tags: Tags::None, ..PLAIN),
    says!("cookie", "max-age=30", who: For::Asker, lifetime: Some(30), sets_cookie: true, ..PLAIN),
    Rule {
        name: "language",
        headers: &[("cache-control", "max-age=6"), ("vary", "Accept-Language")],
        lifetime: Some(6),
        varies: Varies::Language,
        ..PLAIN
    },
    Rule {
        name: "flavour",
        headers: &[("cache-control", "max-age=4, stale-while-revalidate=2"), ("vary", "x-flavour")],
        lifetime: Some(4),
        while_revalidating: Some(2),
        varies: Varies::Flavour,
        ..PLAIN
    },
    Rule {
        name: "weakly",
        headers: &[("cache-control", "max-age=2"), ("vary", "X-Flavour")],
        lifetime: Some(2),
        varies: Varies::Flavour,
        tags: Tags::Weak,
        ..PLAIN
    },
    Rule { name: "silent", tags: Tags::None, has_date: true, ..PLAIN },
    Rule { name: "mute", ..PLAIN },
    says!("long", "public, max-age=1000", who: For::Public, lifetime: Some(1000), ..PLAIN),
    says!("longer", "max-age=4000, stale-while-revalidate=60", lifetime: Some(4000), while_revalidating: Some(60), tags: Tags::None, ..PLAIN),
    Rule {
        name: "targeted",
        headers: &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=8")],
        lifetime: Some(8),
        ..PLAIN
    },
    Rule {
        name: "aged",
        headers: &[("cache-control", "max-age=10"), ("age", "7")],
        lifetime: Some(10),
        age: 7,
        ..PLAIN
    },
    Rule { name: "expiring", lifetime: Some(5), expires: Some(5), tags: Tags::None, has_date: true, ..PLAIN },
    // Alternates with its versions, see below.
    says!("changing", "max-age=20", lifetime: Some(20), ..PLAIN),
    // Depends on who asks, see below.
    says!("either", "max-age=5", lifetime: Some(5), ..PLAIN),
    // Its status alternates.
    says!("status", "max-age=4", lifetime: Some(4), tags: Tags::None, ..PLAIN),
];

const CHANGED: [Rule; 3] = [
    says!("changing", "private", who: For::Asker, ..PLAIN),
    Rule {
        name: "changing",
        headers: &[("cache-control", "max-age=4"), ("vary", "x-flavour")],
        lifetime: Some(4),
        varies: Varies::Flavour,
        ..PLAIN
    },
    says!("changing", "no-store", who: For::Asker, ..PLAIN),
];
const OWN: Rule = says!("either", "private, max-age=5", who: For::Asker, lifetime: Some(5), ..PLAIN);

/// A request, as far as the origin's answer depends on it.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) request: u64,
    pub(super) user: Option<char>,
    pub(super) by_authorization: bool,
    /// It has a cookie that says nothing of the user.
    pub(super) is_tracked: bool,
    pub(super) language: Option<String>,
    pub(super) flavour: Option<String>,
    /// It wants nothing to be kept.
    pub(super) no_store: bool,
}

impl About {
    pub(super) fn read(headers: &HeaderMap) -> About {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bearer = text("authorization");
        let cookies = text("cookie").unwrap_or_default();
        let session = cookies.split("; ").find_map(|pair| pair.strip_prefix("session=")?.chars().next());
        About {
            request: text("x-request").and_then(|number| number.parse().ok()).unwrap_or_default(),
            user: bearer.as_ref().and_then(|bearer| bearer.chars().last()).or(session),
            by_authorization: bearer.is_some(),
            is_tracked: cookies.contains("_ga="),
            language: text("accept-language"),
            flavour: text("x-flavour"),
            no_store: text("cache-control").is_some_and(|wants| wants.contains("no-store")),
        }
    }
}

impl Rule {
    /// The name in a path.
    pub(super) fn name_in(path: &str) -> &str {
        path.rsplit('/').next().unwrap_or_default()
    }

    /// That of a path in some version, for whoever asks.
    pub(super) fn of(path: &str, version: u64, about: &About) -> &'static Rule {
        static CHANGED_RULES: &[Rule] = &CHANGED;
        static OWN_RULE: Rule = OWN;
        let name = Rule::name_in(path);
        match (name, version % 4) {
            ("changing", place @ 1..) => &CHANGED_RULES[usize::try_from(place).expect("below four") - 1],
            ("either", _) if about.user.is_some() => &OWN_RULE,
            _ => RULES.iter().find(|rule| rule.name == name).expect("a rule for every path"),
        }
    }

    /// Whether its body is for one user.
    pub(super) fn is_personal(&self) -> bool {
        self.who == For::Asker
    }

    /// Which variant a request gets.
    pub(super) fn variant(&self, about: &About) -> String {
        match self.varies {
            Varies::Not => "only".to_owned(),
            Varies::Flavour => about.flavour.clone().unwrap_or("absent".to_owned()),
            Varies::Language => {
                let favourite = about.language.as_deref().unwrap_or_default();
                if favourite.starts_with("de") { "de".to_owned() } else { "en".to_owned() }
            }
        }
    }

    pub(super) fn status(&self, version: u64) -> u16 {
        match (self.name, version % 5) {
            ("status", 1) => 404,
            ("status", 2) => 410,
            ("status", 3) => 203,
            _ => 200,
        }
    }
}

pub(super) fn media_type(version: u64) -> &'static str {
    if version.is_multiple_of(2) { "text/plain" } else { "application/json" }
}

/// A policy of the site, as its routes use it: `/NAME/*`.
pub(super) struct Policy {
    pub(super) name: &'static str,
    pub(super) default: u64,
    pub(super) in_place: Option<u64>,
    pub(super) while_revalidating: u64,
    pub(super) if_error: u64,
    pub(super) is_strict: bool,
    pub(super) has_tags: bool,
    pub(super) ignores_tracking: bool,
}

const BY_ORIGIN: Policy = Policy {
    name: "plain",
    default: 0,
    in_place: None,
    while_revalidating: 0,
    if_error: 0,
    is_strict: false,
    has_tags: false,
    ignores_tracking: false,
};

pub(super) const POLICIES: &[Policy] = &[
    BY_ORIGIN,
    Policy { name: "grace", while_revalidating: 3, if_error: 15, has_tags: true, ..BY_ORIGIN },
    Policy { name: "strict", while_revalidating: 3, if_error: 10, has_tags: true, is_strict: true, ..BY_ORIGIN },
    Policy { name: "persist", default: 1200, has_tags: true, ..BY_ORIGIN },
    Policy { name: "own", in_place: Some(4), if_error: 5, ignores_tracking: true, ..BY_ORIGIN },
];

/// How long an answer is fresh, in seconds; whether the origin itself said so; what it takes to use it.
pub(super) struct Freshness {
    pub(super) lifetime: u64,
    pub(super) by_origin: bool,
    pub(super) reuse: Use,
    pub(super) while_revalidating: u64,
    pub(super) if_error: u64,
}

impl Policy {
    pub(super) fn of(path: &str) -> &'static Policy {
        let name = path.split('/').nth(1).unwrap_or_default();
        POLICIES.iter().find(|policy| policy.name == name).expect("a policy for every path")
    }

    /// The settings of all of them.
    pub(super) fn settings() -> (serde_json::Value, serde_json::Value) {
        let mut caches = serde_json::json!({});
        let mut routes = Vec::new();
        for policy in POLICIES {
            let mut cache = serde_json::json!({
                "stale_while_revalidate_s": policy.while_revalidating,
                "stale_if_error_s": policy.if_error,
                "persist": policy.name == "persist",
                "purge": if policy.is_strict { "strict" } else { "lease" },
            });
            if policy.default > 0 {
                cache["default_freshness_s"] = policy.default.into();
            }
            if let Some(seconds) = policy.in_place {
                cache["override_freshness_s"] = seconds.into();
            }
            if policy.has_tags {
                cache["tags"] = serde_json::json!([format!("policy-{}", policy.name)]);
                cache["tags_from"] = "cache-tag".into();
            }
            if policy.ignores_tracking {
                cache["ignore_cookies"] = serde_json::json!(["_ga*"]);
                cache["query"] = serde_json::json!({ "ignore": ["utm_*"] });
                cache["vary"] = serde_json::json!({ "accept-language": ["en", "de"] });
            }
            caches[policy.name] = cache;
            let invalidate = if matches!(policy.name, "grace" | "strict") { "everywhere" } else { "here" };
            routes.push(serde_json::json!({
                "path": format!("/{}/*", policy.name), "pool": "api", "cache": policy.name, "invalidate": invalidate,
            }));
        }
        (caches, routes.into())
    }

    /// Whether a request says who asks.
    pub(super) fn is_personal(&self, about: &About) -> bool {
        about.user.is_some() || about.by_authorization || about.is_tracked && !self.ignores_tracking
    }

    /// The same where it does not depend on what a cache may guess.
    pub(super) fn certain_freshness(&self, rule: &Rule, about: &About, status: u16) -> Option<Freshness> {
        let is_guessed = rule.lifetime.is_none() && self.in_place.is_none() && self.default == 0;
        (!is_guessed).then(|| self.freshness(rule, about, status, 0))
    }

    /// Of an answer to `about` whose state was `unchanged_for` so many seconds.
    pub(super) fn freshness(&self, rule: &Rule, about: &About, status: u16, unchanged_for: u64) -> Freshness {
        let is_ours = !self.is_personal(about) && !rule.sets_cookie;
        let by_default = matches!(status, 200 | 203 | 204 | 404 | 410);
        let in_place = self.in_place.filter(|_| is_ours && by_default);
        let (lifetime, by_origin) = match (in_place, rule.lifetime) {
            (Some(seconds), _) => (seconds, false),
            (None, Some(seconds)) => (seconds, true),
            (None, None) if !is_ours => (0, true),
            (None, None) if by_default && self.default > 0 => (self.default, false),
            (None, None) if rule.has_date => (unchanged_for / 10 + 1, false),
            (None, None) => (0, true),
        };
        let says_how_long_for_caches = rule.name == "shared";
        let reuse = match rule.reuse {
            Use::Validated if in_place.is_some() => Use::Normal,
            Use::NeverStale if says_how_long_for_caches && in_place.is_some() => Use::Normal,
            reuse => reuse,
        };
        Freshness {
            lifetime,
            by_origin,
            reuse,
            while_revalidating: rule.while_revalidating.unwrap_or(self.while_revalidating),
            if_error: rule.if_error.unwrap_or(self.if_error),
        }
    }
}

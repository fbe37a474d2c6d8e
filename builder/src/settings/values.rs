//! Values that a text stands for: parsed into types that cannot be wrong, each with what to write instead.

use std::ops::Range;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use rimward_edge::config::{Invalidate, PurgeCheck, SetCookie};
use rimward_edge::release::manifest::Coding;
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};
use toml::de::DeValue;
use url::Url;

use super::build::{AssetsFrom, SourceMaps};
use super::findings::{Findings, closest};
use super::table::{FromToml, quoted_list, wrong_type};

/// Why a text is not the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Follows "`key` of `[table]`": "must begin with `/`".
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

pub(super) fn refuse<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), hint: Some(hint.into()) })
}

/// What a text can stand for.
pub(super) trait FromText: Sized {
    /// With an article: "a duration".
    const EXPECTED: &'static str;
    /// As TOML has it, with quotes.
    const EXAMPLE: &'static str;

    fn parse(text: &str) -> Result<Self, Refusal>;
}

impl<T: FromText> FromToml for T {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(text) = value.as_str() else {
            let expected = format!("{} in quotes", T::EXPECTED);
            wrong_type(value, &span, what, &expected, findings).hint(format!("for example {}", T::EXAMPLE));
            return None;
        };
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                findings.error("wrong-value", &span, format!("{what} {}", refusal.message)).maybe_hint(refusal.hint);
                None
            }
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": [T::EXAMPLE.trim_matches('"')] })
    }
}

/// `[site] name`.
#[derive(Debug, Clone)]
pub(super) struct SiteName(pub(super) String);

impl FromText for SiteName {
    const EXPECTED: &'static str = "a name";
    const EXAMPLE: &'static str = "\"shop\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if text.is_empty() || text.len() > 63 || !plain {
            return refuse(
                "must be 1 to 63 letters, digits, `-`, `_` or `.`",
                "it names the site in logs and stores, not on the page",
            );
        }
        Ok(SiteName(text.to_owned()))
    }
}

/// The name of a pool, of a `[cache.*]` or of a `[limit.*]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) String);

impl FromText for Name {
    const EXPECTED: &'static str = "a name";
    const EXAMPLE: &'static str = "\"api\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if text.is_empty() || text.len() > 63 || !plain {
            return refuse("must be 1 to 63 letters, digits, `-` or `_`", "for example \"api\"");
        }
        Ok(Name(text.to_owned()))
    }
}

/// A host name without port, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostName(pub(super) String);

impl FromText for HostName {
    const EXPECTED: &'static str = "a host name";
    const EXAMPLE: &'static str = "\"shop.example.com\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.contains('*') {
            return refuse("cannot hold `*`", "list every host name, or leave `hosts` out to answer any");
        }
        if let Some(host) = Url::parse(text).ok().as_ref().and_then(Url::host_str).filter(|_| text.contains("://")) {
            return refuse("must be a host name, not a URL", format!("write \"{host}\""));
        }
        let parsed = Url::parse(&format!("http://{text}/")).ok();
        match parsed.as_ref().and_then(|url| Some((url, url.host_str()?))) {
            Some((url, host)) if url.as_str() == format!("http://{host}/") && url.username().is_empty() => {
                Ok(HostName(host.to_owned()))
            }
            Some((_, host)) => refuse("must be a host name alone", format!("write \"{host}\", without port or path")),
            None => refuse("is not a host name", "for example \"shop.example.com\""),
        }
    }
}

/// The sub-path that an app was built for: begins and ends with `/`.
#[derive(Debug, Clone)]
pub(super) struct BasePath(pub(super) String);

impl FromText for BasePath {
    const EXPECTED: &'static str = "a path";
    const EXAMPLE: &'static str = "\"/shop/\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Ok(url) = Url::parse(text) {
            return refuse("must be a path, not a URL", format!("write {:?}", url.path()));
        }
        if matches!(text, "" | "." | "./") {
            return refuse(
                "must be the path that the site is reached at",
                "an app built with a relative base still lives somewhere: \"/\", or \"/shop/\"",
            );
        }
        if !text.starts_with('/') {
            return refuse("must begin with `/`", format!("write {:?}", format!("/{}/", text.trim_matches('/'))));
        }
        let segments = text.trim_matches('/').split('/');
        if text != "/" && segments.clone().any(|segment| matches!(segment, "" | "." | "..")) {
            return refuse("must not hold empty segments, `.` or `..`", "for example \"/shop/\"");
        }
        if let Some(odd) = text.chars().find(|&c| !is_path_character(c) || c == '*') {
            return refuse(format!("cannot hold {odd:?}"), "write it percent-encoded, as the browser sends it");
        }
        Ok(BasePath(if text.ends_with('/') { text.to_owned() } else { format!("{text}/") }))
    }
}

/// RFC 3986 section 3.3: what may stand in a path as it is, and `%`.
fn is_path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/%".contains(c)
}

/// A folder, as the settings file names it.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub(super) String);

impl FromText for Folder {
    const EXPECTED: &'static str = "a folder";
    const EXAMPLE: &'static str = "\"dist\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let trimmed = text.trim_end_matches('/');
        if trimmed.is_empty() || text.contains('\0') {
            return refuse("must name a folder below the settings file", "for example \"dist\"");
        }
        Ok(Folder(trimmed.to_owned()))
    }
}

impl FromText for Pattern {
    const EXPECTED: &'static str = "a path pattern";
    const EXAMPLE: &'static str = "\"/api/*\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        Pattern::parse(text).or_else(|error| {
            let hint = match Url::parse(text) {
                Ok(url) if url.has_host() => format!("patterns are of paths: write {:?}", url.path()),
                _ if !text.starts_with('/') => format!("write {:?}", format!("/{text}")),
                _ => "for example \"/api/*\" or \"/blog/:year/:slug\"".to_owned(),
            };
            refuse(format!("is wrong: {error}"), hint)
        })
    }
}

/// A document of the release, by its path below the base, with a leading slash; or none.
#[derive(Debug, Clone)]
pub(super) struct DocumentPath(pub(super) Option<String>);

impl FromToml for DocumentPath {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(false) => Some(DocumentPath(None)),
            DeValue::String(path) if document_path_is_fine(path) => Some(DocumentPath(Some(path.to_string()))),
            DeValue::String(path) => {
                let meant = format!("/{}", path.trim_start_matches(['.', '/']));
                let finding = findings.error("wrong-value", &span, format!("{what} must be the path of a page"));
                let usable = document_path_is_fine(&meant);
                finding.hint(if usable {
                    format!("write {meant:?}")
                } else {
                    "for example \"/index.html\"".to_owned()
                });
                None
            }
            DeValue::Boolean(true) => {
                findings
                    .error("wrong-value", &span, format!("{what} must say which page, and `true` names none"))
                    .hint("write its path, for example \"/index.html\", or `false` for none");
                None
            }
            _ => {
                wrong_type(value, &span, what, "the path of a page, or `false`", findings)
                    .hint("for example \"/index.html\"");
                None
            }
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": "^/" }, { "const": false }] })
    }
}

fn document_path_is_fine(path: &str) -> bool {
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    segments.is_some_and(|mut segments| segments.all(|segment| !matches!(segment, "" | "." | "..")))
        && !path.contains(['*', '?', '#', '\\', '\0'])
}

/// How many releases are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptReleases(pub(super) u32);

impl FromToml for KeptReleases {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        u32::read(value, span, what, findings).map(KeptReleases)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }
}

/// The status of a redirect.
#[derive(Debug, Clone, Copy)]
pub(super) struct RedirectStatus(pub(super) u32);

impl RedirectStatus {
    pub(super) const ALL: [u16; 5] = [301, 302, 303, 307, 308];
}

impl FromToml for RedirectStatus {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        u32::read(value, span, what, findings).map(RedirectStatus)
    }

    fn schema() -> Value {
        json!({ "enum": RedirectStatus::ALL })
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

impl FromText for Period {
    const EXPECTED: &'static str = "a duration";
    const EXAMPLE: &'static str = "\"10s\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = (&text[..digits], text[digits..].trim_start());
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => {
                let hint = match (count.is_empty(), unit) {
                    (false, "") => format!("write its unit: \"{count}s\""),
                    (false, "min" | "minute" | "minutes") => format!("write \"{count}m\""),
                    (false, "sec" | "second" | "seconds") => format!("write \"{count}s\""),
                    _ => "the units are ms, s, m, h and d: \"10s\", \"5m\", \"1d\"".to_owned(),
                };
                return refuse(format!("is not a duration: {text:?}"), hint);
            }
        };
        match count.parse::<u64>().ok().and_then(|count| count.checked_mul(milliseconds)) {
            Some(total) if total <= LONGEST_PERIOD_MS => Ok(Period(Duration::from_millis(total))),
            _ => {
                refuse(format!("is not a duration: {text:?}"), "a whole number and a unit, at most ten years: \"10s\"")
            }
        }
    }
}

/// Ten years: longer is a mistake, and everything below fits where it is computed with.
const LONGEST_PERIOD_MS: u64 = 3_652 * 86_400_000;

/// A length of time, or `false` for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeriodOrOff(pub(super) Option<Period>);

impl FromToml for PeriodOrOff {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(false) => Some(PeriodOrOff(None)),
            _ => Period::read(value, span, what, findings).map(|period| PeriodOrOff(Some(period))),
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [Period::schema(), { "const": false }] })
    }
}

/// The name of a header field, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldName(pub(super) String);

impl FromText for FieldName {
    const EXPECTED: &'static str = "a header name";
    const EXAMPLE: &'static str = "\"x-frame-options\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) => Ok(FieldName(name.as_str().to_owned())),
            Err(_) => refuse(
                format!("is not a header name: {text:?}"),
                "letters, digits and `-`, without colon: \"x-frame-options\"",
            ),
        }
    }
}

/// The value of a header field.
#[derive(Debug, Clone)]
pub(super) struct FieldValue(pub(super) String);

impl FromText for FieldValue {
    const EXPECTED: &'static str = "a header value";
    const EXAMPLE: &'static str = "\"no-cache\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match HeaderValue::from_str(text) {
            _ if !text.is_ascii() => refuse("cannot hold characters outside ASCII", "percent-encode what is not ASCII"),
            Ok(_) if text.trim().is_empty() => refuse("is empty", "give it a value, or leave it out"),
            Ok(_) => Ok(FieldValue(text.trim().to_owned())),
            Err(_) => refuse("cannot hold line breaks or control characters", "write it on one line"),
        }
    }
}

/// The URL of an origin: no trailing slash, query, fragment or user.
#[derive(Debug, Clone)]
pub(super) struct OriginUrl(pub(super) Url);

impl OriginUrl {
    pub(super) fn text(&self) -> String {
        self.0.as_str().trim_end_matches('/').to_owned()
    }
}

impl FromText for OriginUrl {
    const EXPECTED: &'static str = "a URL";
    const EXAMPLE: &'static str = "\"https://api.example.com\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let url = match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && text.contains("://") => url,
            Ok(url) if text.contains("://") => {
                return refuse(
                    format!("has the scheme `{}`", url.scheme()),
                    "origins are reached by `https://` or `http://`; WebSockets too",
                );
            }
            Err(url::ParseError::InvalidPort) => return refuse("has no valid port", "ports are 1 to 65535"),
            _ => return refuse(format!("is not a URL: {text:?}"), scheme_hint(text)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not hold a user or a password", "settings are published: they never hold secrets");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("must not hold `?` or `#`", format!("the request brings its own: write {:?}", bare(&url)));
        }
        if url.port() == Some(0) {
            return refuse("has no valid port", "ports are 1 to 65535");
        }
        Ok(OriginUrl(url))
    }
}

fn bare(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn scheme_hint(text: &str) -> String {
    match Url::parse(&format!("https://{text}")) {
        Ok(url) if url.host_str().is_some_and(|host| host.contains('.') || host == "localhost") => {
            format!("write its scheme: \"https://{text}\"")
        }
        _ => "for example \"https://api.example.com\"".to_owned(),
    }
}

/// Where a redirect leads: a path, or an absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedirectTarget(pub(super) String);

impl FromText for RedirectTarget {
    const EXPECTED: &'static str = "a path or a URL";
    const EXAMPLE: &'static str = "\"/new/:splat\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some(odd) = text.chars().find(|&c| c.is_control() || c.is_whitespace() || !c.is_ascii() || c == '\\') {
            return refuse(format!("cannot hold {odd:?}"), "write it percent-encoded");
        }
        if text.starts_with("//") {
            return refuse(
                "must not begin with `//`: that is another host",
                "write another host with its scheme: https://",
            );
        }
        let absolute = text.starts_with("http://") || text.starts_with("https://");
        // Only what is caught may follow the host: a caught host would redirect to anyone.
        let host = absolute.then(|| text.split('/').nth(2).unwrap_or_default());
        match host {
            Some(host) if host.is_empty() || has_bad_port(host) => {
                refuse("must name its host", "`:name` and `:splat` may stand behind the host only")
            }
            Some(host) if Url::parse(&format!("http://{host}/")).is_err() => {
                refuse(format!("has no valid host: {host:?}"), "for example \"https://example.com/:splat\"")
            }
            None if !text.starts_with('/') => {
                refuse("must be a path that begins with `/`, or a URL of http or https", "for example \"/new/:splat\"")
            }
            _ => Ok(RedirectTarget(text.to_owned())),
        }
    }
}

/// `:name` in a host is a placeholder, or a mistake: never a port.
fn has_bad_port(host: &str) -> bool {
    let after_address = host.rsplit(']').next().unwrap_or_default();
    after_address.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err())
}

/// An origin of CORS, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CorsOrigin(pub(super) String);

impl FromText for CorsOrigin {
    const EXPECTED: &'static str = "an origin";
    const EXAMPLE: &'static str = "\"https://shop.example.com\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text == "*" {
            return Ok(CorsOrigin(text.to_owned()));
        }
        if text == "null" {
            return refuse("must not be `null`: any page can send that", "name the origins that may read the answers");
        }
        if text.contains('*') {
            return refuse("cannot hold `*` beside other characters", "list every origin, or write \"*\" alone");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse(format!("is not an origin: {text:?}"), scheme_hint(text));
        };
        let origin = url.origin().ascii_serialization();
        if !url.has_host() || origin == "null" {
            return refuse(format!("is not an origin: {text:?}"), "for example \"https://shop.example.com\"");
        }
        if url.as_str().trim_end_matches('/') != origin || text.ends_with('/') {
            return refuse("must be scheme, host and port alone", format!("write {origin:?}"));
        }
        Ok(CorsOrigin(origin))
    }
}

/// A method, in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MethodName(pub(super) String);

impl FromText for MethodName {
    const EXPECTED: &'static str = "a method";
    const EXAMPLE: &'static str = "\"GET\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let upper = text.to_ascii_uppercase();
        if matches!(upper.as_str(), "CONNECT" | "TRACE" | "TRACK") {
            return refuse(format!("cannot be {upper}: browsers never send it"), "remove it");
        }
        match Method::from_bytes(text.as_bytes()) {
            Ok(_) if text == upper => Ok(MethodName(upper)),
            Ok(_) => refuse("must be in upper case: methods are case-sensitive", format!("write {upper:?}")),
            Err(_) => refuse(format!("is not a method: {text:?}"), "for example \"GET\""),
        }
    }
}

/// A block of addresses.
#[derive(Debug, Clone)]
pub(super) struct Network(pub(super) ipnet::IpNet);

impl FromText for Network {
    const EXPECTED: &'static str = "a block of addresses";
    const EXAMPLE: &'static str = "\"10.0.0.0/8\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let alone = || text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from);
        match text.parse::<ipnet::IpNet>().ok().or_else(alone) {
            Some(network) if network == network.trunc() => Ok(Network(network)),
            Some(network) => refuse("has bits set behind its prefix", format!("write \"{}\"", network.trunc())),
            None => {
                refuse(format!("is not a block of addresses: {text:?}"), "for example \"10.0.0.0/8\" or \"::1/128\"")
            }
        }
    }
}

/// A word out of a few.
pub(super) trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// A value that is written as a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneOf<T>(pub(super) T);

impl<T: Word> FromToml for OneOf<T> {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let Some(text) = value.as_str() else {
            wrong_type(value, &span, what, "a word in quotes", findings)
                .hint(format!("one of {}", quoted_list(&words)));
            return None;
        };
        let read = T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| OneOf(*value));
        if read.is_none() {
            let hint = match closest(text, words.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("it is one of {}", quoted_list(&words)),
            };
            findings.error("wrong-value", &span, format!("{what} cannot be {text:?}")).hint(hint);
        }
        read
    }

    fn schema() -> Value {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json!({ "enum": words })
    }
}

impl Word for AssetsFrom {
    const WORDS: &'static [(&'static str, Self)] =
        &[("worker", AssetsFrom::Worker), ("platform", AssetsFrom::Platform)];
}

impl Word for SourceMaps {
    const WORDS: &'static [(&'static str, Self)] =
        &[("private", SourceMaps::Private), ("public", SourceMaps::Public), ("drop", SourceMaps::Drop)];
}

impl Word for Coding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("br", Coding::Br), ("gzip", Coding::Gzip), ("zstd", Coding::Zstd)];
}

impl Word for PurgeCheck {
    const WORDS: &'static [(&'static str, Self)] = &[("lease", PurgeCheck::Lease), ("strict", PurgeCheck::Strict)];
}

impl Word for SetCookie {
    const WORDS: &'static [(&'static str, Self)] = &[("pass", SetCookie::Pass), ("keep", SetCookie::Keep)];
}

impl Word for Invalidate {
    const WORDS: &'static [(&'static str, Self)] =
        &[("here", Invalidate::Here), ("everywhere", Invalidate::Everywhere)];
}

//! `rimward.toml` as it is written: every table, every key. The doc comments are the schema's descriptions.

#![allow(clippy::doc_markdown, clippy::doc_link_with_quotes, reason = "descriptions quote values as TOML does")]

use std::ops::Range;

use rimward_edge::config::{
    CredentialKind, Guards, Invalidate, LimitFields, Precision, PurgeCheck, Region, Role, SetCookie, WhenUnreachable,
};
use rimward_edge::release::manifest::Coding;
use rimward_edge::route::pattern::Pattern;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::build::{AssetsFrom, SourceMaps};
use super::caching::values::{CookiePattern, Lifetime, ParameterPattern, Tag, TagsField, VaryValues};
use super::findings::{Findings, Located};
use super::limiting::values::{
    BanPeriod, Cost, Deadline, Kind, PartName, PermitCount, QueueLength, QueueWait, Refusals, WindowText,
};
use super::pooling::values::{
    AfterWrite, AtLeast, AtOnce, Attempts, BodyText, CheckPath, CheckTimeout, ChoiceName, CookieAge, CookieName,
    HashText, Hops, InARow, Interval, Over, SecretName, Share, SlowStart, StatusRange, Waiting, Weight,
};
use super::routing::values::{
    ByName, Country, HostPattern, ParameterName, ParameterValue, RewrittenPath, Shares, ValueTest,
};
use super::table::{FromToml, List, Named, Table, table, wrong_type};
use super::values::{
    BasePath, CorsOrigin, DocumentPath, FieldName, FieldValue, Folder, FromText, HostName, KeptReleases, MethodName,
    Name, Network, OneOf, OriginUrl, Period, PeriodOrOff, RedirectStatus, RedirectTarget, SiteName,
};

table! {
    /// The whole file, without `[env.*]`.
    RawSettings "rimward.toml" {
        /// The site: its name, its hosts, where it lives.
        site: RawSite,
        /// What the bundler wrote, and what becomes of it.
        build: RawBuild,
        /// Pages of the release.
        document: RawDocument,
        /// Changes header fields of answers; later rules win.
        header: List<RawHeader>,
        /// Redirects; the first match wins.
        redirect: List<RawRedirect>,
        /// Origins behind the edge, by name.
        pool: List<RawPool>,
        /// Which paths are forwarded to which pool; the first match wins.
        route: List<RawRoute>,
        /// How answers of origins are kept, by name. The origin's headers decide; these fill in or override.
        cache: Named<RawCache>,
        /// How many requests of routes are answered, by name.
        limit: Named<RawLimit>,
    }
}

table! {
    /// `[site]`.
    RawSite "[site]" {
        /// For logs and stores. Default: "app".
        name: SiteName,
        /// Host names that are answered. Absent: any.
        hosts: List<HostName>,
        /// The sub-path that the app was built for. Default: "/".
        base: BasePath,
        /// What answers requests for fingerprinted files: "worker" (precompressed, a request each) or "platform" (free
        /// of charge, compressed by the platform). Default: "worker".
        assets: OneOf<AssetsFrom>,
        /// Where the client's address is read. Default: "cloudflare"; under `rimward serve` "socket".
        client_address: RawClientAddress,
    }
}

table! {
    /// `[build]`.
    RawBuild "[build]" {
        /// The folder that the bundler wrote. Default: "dist".
        source: Folder,
        /// The folder that the edge serves from. Default: "public".
        output: Folder,
        /// Encodings that files are kept in where they are smaller. Default: ["br", "gzip"].
        encodings: List<OneOf<Coding>>,
        /// Paths below the base whose names stay although they carry a bundler's fingerprint.
        keep_names: List<Pattern>,
        /// How many releases are kept, this one among them. Default: 5.
        keep_releases: KeptReleases,
        /// Where source maps go: "private" (`.rimward/maps/`), "public", or "drop". Default: "private".
        source_maps: OneOf<SourceMaps>,
        /// Whether functions and classes keep the names that programs can ask them for (`Function.prototype.name`).
        /// Default: false.
        keep_function_names: bool,
    }
    later {
        keep_for: "keeping releases by age",
        dictionaries or "0": "deltas against earlier releases",
        import_map or "false": "the import map",
        images: "pictures in other formats",
        budget: "budgets of transferred bytes",
    }
}

table! {
    /// `[document]`.
    RawDocument "[document]" {
        /// The page that answers navigations to unknown paths, or `false` for none. Default: "/index.html".
        fallback: DocumentPath,
        /// The page of the release that answers navigations that failed with a 5xx status, or `false` for none.
        /// Default: none.
        error: DocumentPath,
        /// `Cache-Control` of pages and of files that keep their names. Default: "no-cache".
        cache_control: FieldValue,
    }
}

table! {
    /// `[[header]]`.
    RawHeader "[[header]]" {
        /// Which URL paths: "/assets/*".
        path: Pattern,
        /// Fields to set, replacing those of the same name; `:splat` and `:name` are what the pattern caught.
        set: RawFields,
        /// Fields to take away.
        remove: List<FieldName>,
    }
}

table! {
    /// `[[redirect]]`.
    RawRedirect "[[redirect]]" {
        /// Which URL paths: "/old/*".
        from: Pattern,
        /// A path or a URL; `:splat` and `:name` are what the pattern caught.
        to: RedirectTarget,
        /// 301, 302, 303, 307 or 308. Default: 302.
        status: RedirectStatus,
    }
}

table! {
    /// `[[pool]]`.
    RawPool "[[pool]]" {
        /// What routes call it.
        name: Name,
        /// How an origin is chosen among those that are well: "round-robin" (one after the other), "weighted" (the same, as
        /// often as their weights say), "least-requests" (of two at random, by weights, the one with fewer requests under way
        /// in this isolate), "hash" (always the same one for the same `hash`, by weights), "geo" (the nearest `region`),
        /// "primary-replica" (writes to the primary, reads to replicas). Default: "least-requests".
        choice: OneOf<ChoiceName>,
        /// What requests are told apart by, with choice = "hash": "ip" (of IPv6 its /64), "path", "header:NAME",
        /// "cookie:NAME", "query:NAME", or ":NAME" (what the route's path caught).
        hash: HashText,
        /// For so long a client that wrote reads from the primary. Only with choice = "primary-replica". Default: "5s".
        after_write: AfterWrite,
        /// Limits of time.
        timeout: RawTimeout,
        /// How many requests of one isolate may be under way to each origin. Absent: as many as come.
        concurrency_per_isolate: AtOnce,
        /// How many requests of one isolate may wait where all origins have as many as they may. Default: 100.
        queue: Waiting,
        /// How long they may wait, at most "30s". Default: "1s".
        queue_wait: QueueWait,
        /// Where a smaller share of the origins is well, all are tried rather than none; 0 to 1. Default: 0.25.
        panic_threshold: Share<100, 0>,
        /// For how long an origin that is well again gets less than its share, at most "1h", or `false`. Default: "10s".
        slow_start: SlowStart,
        /// How many redirects from one origin of the pool to one of the same pool are followed, instead of being handed to
        /// the client: 0 to 5. Default: 0.
        follow_redirects: Hops,
        /// Clients stay with the origin that answered them first, by a signed cookie. Absent: they do not.
        sticky: RawSticky,
        /// Its origins: 1 to 100.
        origin: List<RawOrigin>,
        /// What tells origins that a request comes from here. Absent: nothing.
        credential: RawCredential,
        /// Checks of each origin, by one object for all isolates. Absent: only traffic tells how origins are.
        health: RawHealth,
        /// Further tries of what may be repeated.
        retry: RawRetry,
        /// When an isolate leaves an origin alone for a while.
        breaker: RawBreaker,
    }
}

table! {
    /// `[[pool.origin]]`.
    RawOrigin "[[pool.origin]]" {
        /// Where it is: scheme, host, perhaps port and path.
        url: OriginUrl,
        /// Its share beside those of the others: 0 to 1000. 0: it is sent nothing, but for clients who stay with it.
        /// Default: 1.
        weight: Weight,
        /// Where it is, for choice = "geo": a location hint of the platform.
        region: OneOf<Region>,
        /// What it is for: "primary", "replica" (reads, with choice = "primary-replica") or "backup" (asked where too few
        /// others are well). Default: "primary".
        role: OneOf<Role>,
    }
}

table! {
    /// `sticky` of `[[pool]]`.
    RawSticky "[pool.sticky]" {
        /// The cookie's name. Default: "rimward-" and the pool's name.
        cookie: CookieName,
        /// How long it lives, at most "400d". Absent: until the browser is closed.
        max_age: CookieAge,
        /// The name of the Worker's secret that signs it. Default: "RIMWARD_STICKY_KEY".
        secret: SecretName,
    }
}

table! {
    /// `[pool.credential]`.
    RawCredential "[pool.credential]" {
        /// "hmac" (a signature of method, path, time and body) or "secret" (the secret itself). Default: "hmac".
        kind: OneOf<CredentialKind>,
        /// The request field that holds it; what clients send of that name is dropped. Default: "x-rimward-signature", with
        /// kind = "secret" "x-rimward-secret".
        header: FieldName,
        /// The name of the Worker's secret.
        secret: SecretName,
    }
}

table! {
    /// `[pool.health]`.
    RawHealth "[pool.health]" {
        /// What each origin is asked for, behind its URL: "/healthz". It may have a query.
        path: CheckPath,
        /// The statuses of an origin that is well: 204, or "200-299". Checks never follow redirects: an origin that
        /// redirects is well only where this holds its 3xx. Default: "200-299".
        status: StatusRange,
        /// What the first 64 KiB of its body must hold. Absent: anything.
        body: BodyText,
        /// Between two checks: "1s" to "1h". Default: "30s".
        interval: Interval,
        /// How long a check may take; no longer than `interval`. Default: "2s", or `interval` where that is shorter.
        timeout: CheckTimeout,
        /// After so many failures in a row an origin is sick: 1 to 10. Default: 3.
        unhealthy_after: InARow,
        /// After so many successes in a row it is well again: 1 to 10. Default: 2.
        healthy_after: InARow,
    }
}

table! {
    /// `[pool.retry]`.
    RawRetry "[pool.retry]" {
        /// Tries besides the first: 0 to 10. Default: 2.
        attempts: Attempts,
        /// How many further tries there may be, as a share of the pool's requests, beside a few that are always free: 0 to 1.
        /// Default: 0.3.
        budget: Share<1000, 0>,
    }
}

table! {
    /// `[pool.breaker]`.
    RawBreaker "[pool.breaker]" {
        /// The share of requests that must have failed: above 0, at most 1. Default: 0.5.
        errors: Share<1000, 1>,
        /// For how long they are counted: "1s" to "5m". Default: "10s".
        over: Over,
        /// How many requests there must have been: 1 to 10000. Default: 20.
        min_requests: AtLeast,
    }
}

table! {
    /// `timeout` of `[[pool]]`.
    RawTimeout "[pool.timeout]" {
        /// Until the answer begins; of one up to 64 KiB that says its length, until all of it is there. Default: "10s".
        answer: Period,
        /// Between two pieces of a body, or `false`. Off for streams of events and WebSockets. Default: "30s".
        idle: PeriodOrOff,
        /// For everything, or `false`. Off for streams of events and WebSockets. Default: "60s", or as long as
        /// `answer` where that is longer.
        total: PeriodOrOff,
    }
}

table! {
    /// `[[route]]`.
    RawRoute "[[route]]" {
        /// Which URL paths: "/api/*".
        path: Pattern,
        /// For these hosts alone: "api.example.com", "*.example.com". Default: any that the site answers.
        hosts: List<HostPattern>,
        /// For these methods alone; "GET" is "HEAD" too. Default: any.
        methods: List<MethodName>,
        /// For requests with these header fields alone: "value", "beginning*", or "*" for any value.
        headers: ByName<FieldName, ValueTest>,
        /// For requests with these parameters alone: "value", "beginning*", or "*" for any value.
        query: ByName<ParameterName, ValueTest>,
        /// For requests with these cookies alone: "value", "beginning*", or "*" for any value.
        cookies: ByName<CookieName, ValueTest>,
        /// For clients in these countries alone: "DE". One whose country is unknown is in none. Default: anywhere.
        countries: List<Country>,
        /// The name of the pool that answers.
        pool: Name,
        /// Instead of `pool`: the weights of several, by name. A client stays with one of them.
        split: Shares,
        /// Instead of `pool`: clients are sent elsewhere.
        redirect: RawRouteRedirect,
        /// What is changed before the pool is asked.
        rewrite: RawRewrite,
        /// The name of the [cache.*] by which answers are kept. Absent: none is.
        cache: Name,
        /// Whether misses go through an object that all isolates share. Default: false.
        shield: bool,
        /// How far an unsafe method's success invalidates what is kept for its URL: "here" (this data centre) or
        /// "everywhere". Default: "here".
        invalidate: OneOf<Invalidate>,
        /// The names of the [limit.*] that its requests are counted under: all must have permits left. Default: none.
        limit: List<Name>,
        /// How many permits a request takes of each; of "concurrency" always one. Default: 1.
        cost: Cost,
        /// Which other origins may read the answers (CORS).
        cors: RawCors,
    }
}

table! {
    /// `redirect` of `[[route]]`.
    RawRouteRedirect "[route.redirect]" {
        /// A path or a URL; `:splat` and `:name` are what the route's path caught.
        to: RedirectTarget,
        /// 301, 302, 303, 307 or 308. Default: 302.
        status: RedirectStatus,
    }
}

table! {
    /// `[route.rewrite]`.
    RawRewrite "[route.rewrite]" {
        /// The path that the origin is asked for; `:splat` and `:name` are what the route's path caught.
        path: RewrittenPath,
        /// Parameters of the query.
        query: RawParameterChanges,
        /// Header fields of the request.
        request_headers: RawFieldChanges,
    }
}

table! {
    /// `query` of `[route.rewrite]`.
    RawParameterChanges "[route.rewrite.query]" {
        /// Parameters to set, in place of those of the same name.
        set: ByName<ParameterName, ParameterValue>,
        /// Parameters to take away.
        remove: List<ParameterName>,
    }
}

table! {
    /// `request_headers` of `[route.rewrite]`.
    RawFieldChanges "[route.rewrite.request_headers]" {
        /// Fields to set, in place of those of the same name.
        set: ByName<FieldName, FieldValue>,
        /// Fields to take away.
        remove: List<FieldName>,
    }
}

table! {
    /// `[route.cors]`.
    RawCors "[route.cors]" {
        /// Origins that may read the answers: "https://shop.example.com", or "*" alone.
        origins: List<CorsOrigin>,
        /// Default: ["GET", "HEAD", "POST"].
        methods: List<MethodName>,
        /// Request fields that pages may send, or "*" alone.
        headers: List<FieldName>,
        /// Response fields that pages may read.
        expose: List<FieldName>,
        /// Whether cookies and authorization are sent along. Default: false.
        credentials: bool,
        /// How long a browser may keep a preflight's answer.
        max_age: Period,
    }
}

table! {
    /// `[cache.*]`.
    RawCache "[cache.*]" {
        /// How long an answer stays fresh that says nothing of it; "0s": not at all. Default: a tenth of the time since its
        /// `Last-Modified`, at most a day.
        default_freshness: Lifetime,
        /// How long answers stay fresh whatever they say, but for those that are private. Absent: as long as they say.
        override_freshness: Lifetime,
        /// Cookies that do not make a request personal: names, `*` at the end for any that begin so. Default: none.
        ignore_cookies: List<CookiePattern>,
        /// How long a stale answer may be served while it is refreshed, where the origin does not say. Default: "0s".
        stale_while_revalidate: Lifetime,
        /// How long a stale answer may stand in for a failing origin, where the origin does not say. Default: "0s".
        stale_if_error: Lifetime,
        /// Which parameters of the query tell answers apart; their order never does. Default: all.
        query: RawQuery,
        /// Request fields whose values are reduced to one of these before they tell variants apart.
        vary: RawVary,
        /// Tags that every answer gets, to be purged by.
        tags: List<Tag>,
        /// The origin's field that lists tags; removed towards the client. `false`: none. Default: "cache-tag".
        tags_from: TagsField,
        /// Whether the route speaks GraphQL: queries by POST are kept by their content, mutations never. Default: false.
        graphql: bool,
        /// What becomes of answers that set cookies: "pass" (not kept) or "keep" (kept, cookie and all, where the origin
        /// allows it). Default: "pass".
        set_cookie: OneOf<SetCookie>,
        /// Whether answers are also kept for all locations (in KV). Default: false.
        persist: bool,
        /// How sure a hit must be that it was not purged: "lease" (within 2 s) or "strict" (asked each time).
        /// Default: "lease".
        purge: OneOf<PurgeCheck>,
    }
}

table! {
    /// `query` of `[cache.*]`.
    RawQuery "[cache.*.query]" {
        /// Parameters that do not tell answers apart: names, `*` at the end for any that begin so.
        ignore: List<ParameterPattern>,
        /// The only parameters that tell answers apart.
        only: List<ParameterPattern>,
    }
}

table! {
    /// `[limit.*]`.
    RawLimit "[limit.*]" {
        /// How many permits there are: in a window, or under way at once.
        permits: PermitCount,
        /// The span of time that they are for: "1s" to "30d". Not with "concurrency".
        window: WindowText,
        /// How many permits there are at once, where all are unused. Only with "gcra". Default: as many as `permits`.
        burst: PermitCount,
        /// Whom permits are counted apart for: "ip" (of IPv6 its /64), "header:NAME", "cookie:NAME", "route", "country",
        /// or several of them; "global": everyone together. Default: ["ip"].
        partition: List<PartName>,
        /// "gcra" (permits come back one by one), "sliding-window", "fixed-window", or "concurrency" (requests under way
        /// at once). Default: "gcra".
        algorithm: OneOf<Kind>,
        /// Who decides: "exact" (one object, at every request) or "leased" (each isolate, from permits that the object
        /// lends it). Default: "exact".
        precision: OneOf<Precision>,
        /// Which requests are counted: "all", or "origin" (those that are sent to an origin). Default: "all".
        guards: OneOf<Guards>,
        /// What happens while the object that counts does not answer: "local" (each isolate holds its own requests to the
        /// quota; of "concurrency" all pass), "open" (all pass) or "closed" (none does: 503). Default: "local".
        when_unreachable: OneOf<WhenUnreachable>,
        /// Whether it counts and reports without refusing anybody. Default: false.
        shadow: bool,
        /// Networks (CIDR) whose requests are not counted. Default: none.
        exempt: List<Network>,
        /// How long the object that counts may take before `when_unreachable` decides, at most "5s". Default: "50ms".
        deadline: Deadline,
        /// Which response fields tell clients of it: "draft-11" (`RateLimit`, `RateLimit-Policy`) and "x-ratelimit"
        /// (`X-RateLimit-*`). Default: ["draft-11"].
        headers: List<OneOf<LimitFields>>,
        /// How many requests may wait for a permit. Only with "concurrency". Default: 0.
        queue: QueueLength,
        /// How long they may wait, at most "30s". Default: "5s".
        queue_wait: QueueWait,
        /// Bans who is refused again and again. Absent: nobody is banned.
        ban: RawBan,
    }
}

table! {
    /// `ban` of `[limit.*]`.
    RawBan "[limit.*.ban]" {
        /// After so many refusals in a window; of a concurrency limit in a minute.
        after: Refusals,
        /// For how long: "1m" to "30d".
        period as "for": BanPeriod,
    }
}

table! {
    /// The table form of `client_address`.
    RawAddressHeader "[site.client_address]" {
        /// The field that proxies of your own set: "x-forwarded-for".
        header: FieldName,
        /// Their networks: the field is believed from these alone.
        trusted_proxies: List<Network>,
    }
}

/// `client_address` of `[site]`.
#[derive(Debug, Clone)]
pub(super) enum RawClientAddress {
    Cloudflare,
    Socket,
    Header(RawAddressHeader),
}

impl FromToml for RawClientAddress {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        match value {
            DeValue::Table(_) => RawAddressHeader::read(value, span, what, findings).map(RawClientAddress::Header),
            DeValue::String(word) if word == "cloudflare" => Some(RawClientAddress::Cloudflare),
            DeValue::String(word) if word == "socket" => Some(RawClientAddress::Socket),
            DeValue::String(word) => {
                let hint = match super::findings::closest(word, ["cloudflare", "socket"]) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => CLIENT_ADDRESS_FORMS.to_owned(),
                };
                findings.error("wrong-value", &span, format!("{what} cannot be {word:?}")).hint(hint);
                None
            }
            _ => {
                wrong_type(value, &span, what, "a word in quotes or a table", findings).hint(CLIENT_ADDRESS_FORMS);
                None
            }
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "enum": ["cloudflare", "socket"] }, RawAddressHeader::schema()] })
    }
}

const CLIENT_ADDRESS_FORMS: &str =
    "\"cloudflare\", \"socket\", or { header = \"x-real-ip\", trusted_proxies = [\"10.0.0.0/8\"] }";

/// Header fields with their values.
#[derive(Debug, Clone)]
pub(super) struct RawFields(pub(super) Vec<(Located<FieldName>, Located<FieldValue>)>);

impl FromToml for RawFields {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(table) = value.as_table() else {
            wrong_type(value, &span, what, "a table", findings).hint("for example { x-frame-options = \"DENY\" }");
            return None;
        };
        let mut fields = Vec::new();
        for (key, value) in table {
            let name = field_name(key, what, findings);
            let what = format!("`{}` in {what}", key.get_ref());
            let text = FieldValue::read(value.get_ref(), value.span(), &what, findings);
            let text = text.map(|text| Located { value: text, span: value.span() });
            fields.extend(name.zip(text));
        }
        Some(RawFields(fields))
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

/// `vary` of `[cache.*]`: request fields, and the values that each is reduced to.
#[derive(Debug, Clone)]
pub(super) struct RawVary {
    pub(super) fields: Vec<(Located<FieldName>, Located<VaryValues>)>,
}

impl FromToml for RawVary {
    fn read(value: &DeValue<'_>, span: Range<usize>, what: &str, findings: &mut Findings<'_>) -> Option<Self> {
        let Some(table) = value.as_table() else {
            wrong_type(value, &span, what, "a table", findings)
                .hint("for example { accept-language = [\"en\", \"de\"] }");
            return None;
        };
        let mut fields = Vec::new();
        for (key, value) in table {
            let name = field_name(key, what, findings);
            let what = format!("`{}` in {what}", key.get_ref());
            let values = VaryValues::read(value.get_ref(), value.span(), &what, findings);
            let values = values.map(|values| Located { value: values, span: value.span() });
            fields.extend(name.zip(values));
        }
        fields.sort_by_key(|(name, _)| name.span.start);
        Some(RawVary { fields })
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": VaryValues::schema() })
    }
}

/// A key that names a header field.
fn field_name(
    key: &Spanned<std::borrow::Cow<'_, str>>,
    what: &str,
    findings: &mut Findings<'_>,
) -> Option<Located<FieldName>> {
    match FieldName::parse(key.get_ref()) {
        Ok(name) => Some(Located { value: name, span: key.span() }),
        Err(refusal) => {
            let message = format!("a key of {what} {}", refusal.message);
            findings.error("wrong-value", &key.span(), message).maybe_hint(refusal.hint);
            None
        }
    }
}

/// The table that has a key, for keys that were written into the wrong one.
pub(super) fn table_with(key: &str) -> Option<&'static str> {
    let tables: [(&str, &[&str]); 21] = [
        entry::<RawSettings>(),
        entry::<RawSite>(),
        entry::<RawBuild>(),
        entry::<RawDocument>(),
        entry::<RawHeader>(),
        entry::<RawRedirect>(),
        entry::<RawPool>(),
        entry::<RawOrigin>(),
        entry::<RawTimeout>(),
        entry::<RawSticky>(),
        entry::<RawCredential>(),
        entry::<RawHealth>(),
        entry::<RawRetry>(),
        entry::<RawBreaker>(),
        entry::<RawRoute>(),
        entry::<RawRewrite>(),
        entry::<RawCors>(),
        entry::<RawCache>(),
        entry::<RawQuery>(),
        entry::<RawLimit>(),
        entry::<RawBan>(),
    ];
    tables.into_iter().find(|(_, keys)| keys.contains(&key)).map(|(title, _)| title)
}

fn entry<T: Table>() -> (&'static str, &'static [&'static str]) {
    (T::TITLE, T::KEYS)
}

/// The JSON Schema of the whole file.
pub(super) fn schema() -> Value {
    let mut schema = RawSettings::schema();
    let overridden = json!({
        "type": "object",
        "description": "Environments by name: each overrides any key. Chosen by --env and RIMWARD_ENV.",
        "additionalProperties": RawSettings::schema(),
    });
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("rimward.toml");
    schema["properties"]["env"] = overridden;
    schema
}

//! What is said by secrets: which origin a client stays with, and that a request comes from here.

use std::collections::BTreeMap;
use std::ops::Range;

use rimward_edge::config::{Credential, CredentialKind, Sticky};
use rimward_edge::origin::request::is_ours;
use rimward_edge::route::split;

use super::values::SecretName;
use super::{called, origins};
use crate::settings::findings::{Findings, Located};
use crate::settings::raw::{RawCredential, RawPool, RawSticky};
use crate::settings::table::Field;

/// The secret that signs cookies, where nothing is said.
const STICKY_SECRET: &str = "RIMWARD_STICKY_KEY";

/// How the cookies begin by which a client that wrote reads from the primary; the pool's name follows.
const WROTE: &str = "rimward-wrote-";

/// Names of secrets that Rimward reads itself begin so.
const OWN: &str = "RIMWARD_";

/// The cookie of a pool that is sticky, and where it is written.
fn cookie<'p>(pool: &'p RawPool, sticky: &'p Located<RawSticky>) -> Option<(String, &'p Range<usize>)> {
    match &sticky.value.cookie {
        Field::Given(name) => Some((name.value.0.clone(), &name.span)),
        Field::Absent => Some((format!("rimward-{}", pool.name.value()?.0), &sticky.span)),
        Field::Wrong => None,
    }
}

pub(super) fn sticky(pool: &RawPool, findings: &mut Findings<'_>) -> Option<Sticky> {
    let given = pool.sticky.given()?;
    let RawSticky { max_age, secret, .. } = &given.value;
    if let Some(odd) = max_age.given().filter(|age| !age.value.0.is_multiple_of(1000)) {
        findings
            .error("wrong-value", &odd.span, "`max_age` of `[pool.sticky]` must be whole seconds")
            .hint("for example \"90s\" or \"1h\"");
    }
    if let Some(secret) = secret
        .given()
        .filter(|secret| secret.value.0.starts_with(OWN) && !secret.value.0.starts_with("RIMWARD_STICKY_"))
    {
        findings
            .error(
                "wrong-value",
                &secret.span,
                format!("`{}` is for something else: it cannot sign cookies", secret.value.0),
            )
            .hint(format!("leave it out, which means {STICKY_SECRET:?}, or name a secret of your own"));
    }
    let (cookie, span) = cookie(pool, given)?;
    if is_own(&cookie) {
        findings
            .error("wrong-value", span, format!("the cookie `{cookie}` is one of Rimward's own, for something else"))
            .hint(format!(
                "give the pool `{0}` another one: sticky = {{ cookie = \"rimward-pool-{0}\" }}",
                called(pool)
            ));
    }
    if let Some(prefix) = bound_to_https(&cookie) {
        findings
            .warning(
                "unused",
                span,
                format!("browsers keep a cookie that begins with `{prefix}` over https alone: over http nobody stays"),
            )
            .hint("right for a site that has no http at all; else choose a name without that prefix");
    }
    Some(Sticky {
        cookie,
        max_age_s: max_age.value().map(|age| age.0 / 1000),
        secret: secret.value().map_or_else(|| STICKY_SECRET.to_owned(), |secret| secret.0.clone()),
    })
}

fn is_own(cookie: &str) -> bool {
    cookie == split::COOKIE || cookie.starts_with(WROTE)
}

/// The prefix of a cookie that browsers take only with `Secure` (RFC 6265bis section 4.1.3), whatever its case.
fn bound_to_https(name: &str) -> Option<&'static str> {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    ["__Host-", "__Secure-", "__Http-"].into_iter().find(|prefix| begins(prefix))
}

/// `None` where it is not known by which secret.
pub(super) fn read(pool: &RawPool, given: &Located<RawCredential>, findings: &mut Findings<'_>) -> Option<Credential> {
    let RawCredential { kind, header, secret } = &given.value;
    let kind = match kind {
        Field::Absent => Some(CredentialKind::Hmac),
        Field::Wrong => None,
        Field::Given(kind) => Some(kind.value.0),
    };
    if let Some(header) = header.given() {
        field(&header.value.0, &header.span, findings);
    }
    if matches!(secret, Field::Absent) {
        findings
            .error("missing-key", &given.span, "`[pool.credential]` has no `secret`")
            .hint("name a secret of the Worker: secret = \"API_ORIGIN_SECRET\"");
    }
    if let Some(secret) = secret.given().filter(|secret| secret.value.0.starts_with(OWN)) {
        findings
            .error(
                "wrong-value",
                &secret.span,
                format!("`{}` is a secret of Rimward's own: origins must not know it", secret.value.0),
            )
            .hint("make one for them: `npx wrangler secret put API_ORIGIN_SECRET`");
    }
    if let Some(origin) = origins::in_the_clear(pool).filter(|_| kind == Some(CredentialKind::Secret)) {
        findings
            .warning(
                "leak",
                &origin.span,
                "the secret is sent to this origin without encryption: anyone on the way reads it",
            )
            .hint("write https://, or kind = \"hmac\", which sends a signature instead");
    }
    let kind = kind?;
    let default = match kind {
        CredentialKind::Hmac => "x-rimward-signature",
        CredentialKind::Secret => "x-rimward-secret",
    };
    Some(Credential {
        kind,
        header: header.value().map_or_else(|| default.to_owned(), |name| name.0.clone()),
        secret: secret.value()?.0.clone(),
    })
}

/// Fields that requests have a use for: a credential in their place would change what is asked, or by whom.
const IN_USE: &[&str] =
    &["cache-control", "cookie", "date", "idempotency-key", "origin", "pragma", "range", "referer", "user-agent"];

/// How the names of others begin that requests have a use for.
const IN_USE_PREFIXES: &[&str] = &["accept", "access-control-", "cf-", "content-", "if-", "sec-", "x-forwarded-"];

fn field(name: &str, span: &Range<usize>, findings: &mut Findings<'_>) {
    let why = match name {
        _ if is_ours(name) => "Rimward says it itself, or it frames the message",
        _ if IN_USE.contains(&name) || IN_USE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => {
            "requests have a use for it"
        }
        "authorization" => {
            findings
                .warning("replaced", span, "what clients send as `authorization` would never reach the pool's origins")
                .hint("right where only the edge is to be let in; else choose a field of its own: \"x-rimward-signature\"");
            return;
        }
        _ => return,
    };
    findings
        .error("wrong-value", span, format!("`header` of `[pool.credential]` cannot be `{name}`: {why}"))
        .hint("choose a field of its own, for example \"x-rimward-signature\"");
}

/// What no two pools may share, and what must not be the same secret.
pub(super) fn across(pools: &[Located<RawPool>], findings: &mut Findings<'_>) {
    let mut cookies: BTreeMap<String, u32> = BTreeMap::new();
    let mut signing: Vec<&SecretName> = Vec::new();
    for pool in pools.iter().map(|pool| &pool.value) {
        let Some(sticky) = pool.sticky.given() else { continue };
        signing.extend(sticky.value.secret.value());
        let Some((name, span)) = cookie(pool, sticky) else { continue };
        let line = findings.line_of(span.start);
        match cookies.get(&name) {
            Some(earlier) => findings
                .error("duplicate", span, format!("the pool on line {earlier} has the cookie `{name}` too"))
                .hint("each pool needs a cookie of its own: the default is \"rimward-\" and the pool's name"),
            None => drop(cookies.insert(name, line)),
        }
    }
    for pool in pools.iter().map(|pool| &pool.value) {
        let secret = pool.credential.value().and_then(|credential| credential.secret.given());
        if let Some(secret) = secret.filter(|secret| signing.contains(&&secret.value)) {
            findings
                .error(
                    "wrong-value",
                    &secret.span,
                    format!("`{}` signs cookies: whoever knows it can choose an origin", secret.value.0),
                )
                .hint("name another secret: origins know this one");
        }
    }
}

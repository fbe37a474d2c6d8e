//! Settings by which one person could be given what was meant for another: allowed, and warned of.
//!
//! Nothing here is certain: names of cookies, parameters and paths are all that is known of an app.

use rimward_edge::config::SetCookie;
use rimward_edge::route::pattern::Pattern;

use super::values::CookiePattern;
use crate::settings::check::items;
use crate::settings::findings::{Findings, Located};
use crate::settings::raw::{RawCache, RawQuery};
use crate::settings::values::Name;

/// What a policy gives away on any route.
pub(super) fn of_policy(raw: &RawCache, findings: &mut Findings<'_>) {
    for cookie in items(&raw.ignore_cookies) {
        let CookiePattern(name) = &cookie.value;
        if name == "*" {
            findings
                .warning("leak", &cookie.span, "`ignore_cookies` of `[cache.*]` holds every cookie: sessions too")
                .hint("name those that say nothing of a person, for example \"_ga*\"");
        } else if identifies(name) {
            findings
                .warning("leak", &cookie.span, format!("the cookie `{name}` looks like one that says who asks"))
                .hint("remove it: an answer to one person would be given to others");
        }
    }
    if let Some(query) = raw.query.value() {
        of_query(query, findings);
    }
    if let Some(kept) = raw.set_cookie.given().filter(|kept| kept.value.0 == SetCookie::Keep) {
        findings
            .warning(
                "leak",
                &kept.span,
                "answers are kept with the cookies that they set: many get what was set for one",
            )
            .hint("right only where a cookie is the same for everyone; else remove `set_cookie`");
    }
}

/// What is left out of the key is not sent to the origin either: nothing leaks, and nothing is told apart.
fn of_query(raw: &RawQuery, findings: &mut Findings<'_>) {
    let everything = items(&raw.ignore).iter().find(|name| name.value.0 == "*").map(|name| name.span.clone());
    let nothing = raw.only.given().filter(|list| list.value.items.is_empty() && list.value.complete);
    if let Some(span) = everything.or(nothing.map(|only| only.span.clone())) {
        findings
            .warning(
                "leak",
                &span,
                "`query` of `[cache.*]` keeps no parameter: one answer for all, and the origin sees none",
            )
            .hint("name those that the origin looks at: { only = [\"page\", \"sort\"] }");
    }
    for name in items(&raw.ignore).iter().filter(|name| name.value.0 != "*" && identifies(&name.value.0)) {
        findings
            .warning("leak", &name.span, format!("the parameter `{}` looks like one that says who asks", name.value.0))
            .hint("remove it: what is left out of the key is not sent to the origin either");
    }
}

/// What a policy gives away on a route.
pub(super) fn of_route(path: &Pattern, cache: &Located<Name>, policy: &RawCache, findings: &mut Findings<'_>) {
    let Some(word) = personal_segment(path) else { return };
    let rule = match (policy.override_freshness.value(), policy.default_freshness.value()) {
        (Some(lifetime), _) if lifetime.0 > 0 => "override_freshness",
        (_, Some(lifetime)) if lifetime.0 > 0 => "default_freshness",
        _ => return,
    };
    let name = &cache.value.0;
    findings
        .warning(
            "leak",
            &cache.span,
            format!(
                "answers below `{word}` look personal, and `{rule}` of `[cache.{name}]` keeps what does not say so"
            ),
        )
        .hint(format!("give the route a [cache.*] without `{rule}`, so that only what the origin allows is kept"));
}

/// Words of names that say who asks.
const IDENTIFYING: &[&str] = &[
    "account",
    "apikey",
    "auth",
    "authorization",
    "customer",
    "identity",
    "jsessionid",
    "jwt",
    "key",
    "login",
    "logged",
    "member",
    "oauth",
    "phpsessid",
    "remember",
    "sess",
    "session",
    "sessionid",
    "sessid",
    "sid",
    "sso",
    "token",
    "uid",
    "user",
    "userid",
    "username",
];

/// How names of cookies and parameters begin that measure visits, some of them with words of the list above.
const MEASURING: &[&str] = &["__utm", "_ga", "_gid", "_hj", "_pk_", "_uet", "ajs_", "amp_", "mp_", "utm_"];

fn identifies(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let measures = MEASURING.iter().any(|prefix| lower.starts_with(prefix));
    !measures && words(name).any(|word| IDENTIFYING.contains(&word.as_str()))
}

/// The words of a name, in lower case: `connect.sid`, `sessionId` and `ASP.NET_SessionId` hold `sid` or `session`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut previous = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && previous.is_ascii_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
        previous = c;
    }
    spaced.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Segments of paths whose answers are usually for one person.
const PERSONAL: &[&str] = &[
    "account",
    "accounts",
    "admin",
    "auth",
    "basket",
    "billing",
    "cart",
    "checkout",
    "inbox",
    "login",
    "logout",
    "me",
    "messages",
    "notifications",
    "oauth",
    "orders",
    "password",
    "payments",
    "profile",
    "register",
    "session",
    "sessions",
    "settings",
    "signin",
    "signup",
    "subscriptions",
    "token",
    "user",
    "wallet",
    "whoami",
    "wishlist",
];

/// The first segment of a pattern that names something personal, with the slash before it.
fn personal_segment(path: &Pattern) -> Option<String> {
    let plain = |segment: &str| segment.to_ascii_lowercase().replace(['-', '_'], "");
    let segments = path.as_str().split('/').filter(|segment| !segment.starts_with(':'));
    segments
        .map(|segment| segment.trim_end_matches('*'))
        .find(|segment| PERSONAL.contains(&plain(segment).as_str()))
        .map(|segment| format!("/{segment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sessions_are_known_and_those_of_measuring_are_not_taken_for_them() {
        for name in [
            "PHPSESSID",
            "JSESSIONID",
            "connect.sid",
            "ASP.NET_SessionId",
            "sessionid",
            "session*",
            "auth_token",
            "sb-access-token",
            "__Host-next-auth.session-token",
            "__Secure-sid",
            "userId",
            "jwt",
            "wordpress_logged_in_*",
            "remember_me",
        ] {
            assert!(identifies(name), "{name}");
        }
        for name in [
            "_ga*",
            "_hjSessionUser_*",
            "ajs_user_id",
            "theme",
            "consent",
            "lang",
            "utm_*",
            "insider",
            "inside",
            "resident",
            "_fbp",
        ] {
            assert!(!identifies(name), "{name}");
        }
    }

    #[test]
    fn a_personal_path_is_known_by_a_whole_segment() {
        let of = |path: &str| personal_segment(&Pattern::parse(path).unwrap());
        assert_eq!(of("/api/account/*").as_deref(), Some("/account"));
        assert_eq!(of("/api/Sign-In").as_deref(), Some("/Sign-In"));
        assert_eq!(of("/api/me").as_deref(), Some("/me"));
        assert_eq!(of("/login*").as_deref(), Some("/login"));
        for path in ["/api/*", "/api/:user/posts", "/media/*", "/meta", "/api/accounting/*"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}

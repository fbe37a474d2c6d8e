//! `[pool.health]`: checks that an origin can pass.

use rimward_edge::config::Health;

use crate::settings::findings::{Findings, Located};
use crate::settings::raw::RawHealth;
use crate::settings::table::Field;

/// `interval` where nothing is said.
const INTERVAL_MS: u64 = 30_000;

/// `timeout` where nothing is said, and `interval` is no shorter.
const TIMEOUT_MS: u64 = 2_000;

/// `None` where it is not known what is asked for.
pub(super) fn read(raw: &Located<RawHealth>, findings: &mut Findings<'_>) -> Option<Health> {
    let RawHealth { path, status, body, interval, timeout, unhealthy_after, healthy_after } = &raw.value;
    if matches!(path, Field::Absent) {
        findings
            .error("missing-key", &raw.span, "`[pool.health]` has no `path`")
            .hint("say what each origin is asked for: path = \"/healthz\"");
    }
    let interval_ms = interval.value().map_or(INTERVAL_MS, |interval| interval.0);
    let longer = timeout.given().filter(|timeout| timeout.value.0 > interval_ms);
    if let Some(timeout) = longer.filter(|_| !matches!(interval, Field::Wrong)) {
        findings
            .error(
                "wrong-value",
                &timeout.span,
                format!("`timeout` of `[pool.health]` is longer than `interval`, {interval_ms} ms"),
            )
            .hint("a check must have ended when the next one begins");
    }
    let accepted = status.value().map_or((200, 299), |status| status.0);
    if let Some(status) = status.given() {
        expected(status.value.0, status, body, findings);
    }
    Some(Health {
        path: path.value()?.0.clone(),
        status: accepted,
        body: body.value().map(|body| body.0.clone()),
        interval_ms,
        timeout_ms: timeout.value().map_or(TIMEOUT_MS.min(interval_ms), |timeout| timeout.0),
        unhealthy_after: unhealthy_after.value().map_or(3, |results| results.0),
        healthy_after: healthy_after.value().map_or(2, |results| results.0),
    })
}

/// Statuses that no check sees, or that say nothing of an origin.
fn expected<S, B>((first, last): (u16, u16), status: &Located<S>, body: &Field<B>, findings: &mut Findings<'_>) {
    // A 204 and a 304 have no body (RFC 9110 §15.3.5, §15.4.5), an interim answer is none.
    let has_no_body = |status: u16| matches!(status, 204 | 205 | 304);
    if last < 200 {
        findings
            .error(
                "wrong-value",
                &status.span,
                "`status` of `[pool.health]` holds interim answers alone: checks see none",
            )
            .hint("for example \"200-299\"");
    } else if let Some(body) = body.given().filter(|_| (first..=last).all(has_no_body)) {
        findings
            .error(
                "wrong-value",
                &body.span,
                format!("an answer with the status {first} has no body: no origin would ever be well"),
            )
            .hint("remove `body`, or let the check answer 200");
    } else if first < 400 && last >= 300 {
        findings
            .warning(
                "redirects",
                &status.span,
                "checks never follow redirects: an origin that redirects, even for ever, would count as well",
            )
            .hint("ask for a path that answers itself, and write \"200-299\"");
    }
}

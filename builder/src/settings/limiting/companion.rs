//! Limits by what a client can invent. Whoever sends another value with each request is counted in another partition each
//! time: such a limit holds only beside one on the same route that no client gets around.
//!
//! `"ip"` in the same partition is no help: it makes partitions finer still.

use rimward_edge::config::{Algorithm, Guards, LimitPolicy, Part};

use crate::settings::findings::{Findings, Located};
use crate::settings::values::Name;

/// Reports each limit of a route that lacks its companion.
pub(super) fn of_route(named: &[(&Located<Name>, &LimitPolicy)], findings: &mut Findings<'_>) {
    for (name, policy) in named {
        let Some(invented) = policy.partition.iter().find_map(invented) else { continue };
        let others =
            named.iter().filter(|(_, other)| other.partition.iter().all(|part| self::invented(part).is_none()));
        let judged: Vec<_> = others.map(|(other, of)| (other, why_no_companion(policy, of))).collect();
        if judged.iter().any(|(_, why_not)| why_not.is_none()) {
            continue;
        }
        let hint = match judged.iter().find_map(|(other, why_not)| Some((other, (*why_not)?))) {
            Some((other, why_not)) => format!("`[limit.{}]` beside it does not do: {why_not}", other.value.0),
            None => {
                "name a [limit.*] with partition = [\"ip\"] or [\"global\"] beside it; \"ip\" in the same partition \
                     makes that only finer"
                    .to_owned()
            }
        };
        findings
            .error(
                "wrong-value",
                &name.span,
                format!("`[limit.{}]` alone holds nobody: clients can invent values of {invented}", name.value.0),
            )
            .hint(hint);
    }
}

/// What of a part a client can invent.
fn invented(part: &Part) -> Option<String> {
    match part {
        Part::Header(name) => Some(format!("the header `{name}`")),
        Part::Cookie(name) => Some(format!("the cookie `{name}`")),
        Part::Ip | Part::Route | Part::Country | Part::Global => None,
    }
}

/// Why a limit does not hold whom another lets through; `None` where it does.
fn why_no_companion(policy: &LimitPolicy, other: &LimitPolicy) -> Option<&'static str> {
    let at_once = |limit: &LimitPolicy| matches!(limit.algorithm, Algorithm::Concurrency { .. });
    if other.shadow && !policy.shadow {
        Some("it refuses nobody (`shadow`)")
    } else if other.guards == Guards::Origin && policy.guards == Guards::All {
        Some("it counts only what is sent to an origin (`guards`)")
    } else if at_once(other) && !at_once(policy) {
        Some("it bounds what is under way at once (`algorithm`), not how much in time")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy as the edge reads it.
    fn policy(text: &str) -> LimitPolicy {
        let text = format!("x; {text}");
        LimitPolicy::try_from(text.clone()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_companion_holds_whoever_invents_values() {
        let rate = |more: &str| policy(&format!("fixed-window 10 1000; partition {more}"));
        for (limit, other, holds) in [
            ("ip header:x-key", rate("ip"), true),
            ("ip header:x-key", rate("global"), true),
            ("ip header:x-key", rate("country route"), true),
            ("ip header:x-key", rate("ip; shadow"), false),
            ("ip header:x-key; shadow", rate("ip; shadow"), true),
            ("ip header:x-key", rate("ip; guards origin"), false),
            ("ip header:x-key; guards origin", rate("ip; guards origin"), true),
            ("ip header:x-key", policy("concurrency 1 0 1"), false),
        ] {
            let limit = rate(limit);
            assert_eq!(why_no_companion(&limit, &other).is_none(), holds, "{limit:?} {other:?}");
        }
    }
}

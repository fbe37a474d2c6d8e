//! What responses are purged by together: tags of ours and of the origin, and groups (RFC 9875).

use http::{HeaderMap, HeaderName};

use crate::config::CachePolicy;
use crate::field::structured;

/// Past this many, further ones are left out.
pub(super) const LABELS_LIMIT: usize = 128;
/// Longer ones are left out.
pub(super) const LABEL_LIMIT_BYTES: usize = 256;

const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// The tags of a response: those of the policy, then those that the origin's field lists, separated by commas or blanks.
pub(super) fn tags(headers: &HeaderMap, policy: &CachePolicy) -> Vec<String> {
    let mut tags = policy.tags.clone();
    if let Some(name) = &policy.tags_from {
        for line in headers.get_all(name).iter().filter_map(|line| line.to_str().ok()) {
            tags.extend(line.split([',', ' ', '\t']).filter(|tag| !tag.is_empty()).map(str::to_owned));
        }
    }
    bounded(tags)
}

/// The groups of a response (RFC 9875 §2).
pub(super) fn groups(headers: &HeaderMap) -> Vec<String> {
    bounded(structured::strings(headers, &CACHE_GROUPS).unwrap_or_default())
}

/// The groups that the answer to an unsafe method invalidates (RFC 9875 §3).
pub(super) fn invalidated_groups(headers: &HeaderMap) -> Vec<String> {
    bounded(structured::strings(headers, &CACHE_GROUP_INVALIDATION).unwrap_or_default())
}

fn bounded(labels: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for label in labels {
        if kept.len() < LABELS_LIMIT && label.len() <= LABEL_LIMIT_BYTES && !kept.contains(&label) {
            kept.push(label);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::fixture::{headers, policy};

    #[test]
    fn tags_are_the_policys_and_the_origins() {
        let policy = CachePolicy { tags: vec!["api".into()], tags_from: Some("cache-tag".into()), ..policy() };
        let of = |lines: &[&str]| {
            tags(&headers(&lines.iter().map(|line| ("cache-tag", *line)).collect::<Vec<_>>()), &policy)
        };
        assert_eq!(of(&[]), ["api"]);
        assert_eq!(of(&["a, b,,c d\te", "b,api"]), ["api", "a", "b", "c", "d", "e"]);
        let many: Vec<String> = (0..10_000).map(|number| format!("t{number}")).collect();
        assert_eq!(of(&[&many.join(",")]).len(), LABELS_LIMIT);
        assert_eq!(of(&[&"x".repeat(LABEL_LIMIT_BYTES + 1), "y"]), ["api", "y"]);
    }

    #[test]
    fn groups_are_structured_to_the_letter() {
        let of = |value| groups(&headers(&[("cache-groups", value)]));
        assert_eq!(of("\"eurovision\", \"results;x\"; a=1"), ["eurovision", "results;x"]);
        assert_eq!(of("\"a\", \"a\""), ["a"]);
        assert!(of("eurovision").is_empty() && of("\"a\", b").is_empty());
        assert_eq!(
            invalidated_groups(&headers(&[
                ("cache-group-invalidation", "\"a\""),
                ("cache-group-invalidation", "\"b\"")
            ])),
            ["a", "b"]
        );
    }
}

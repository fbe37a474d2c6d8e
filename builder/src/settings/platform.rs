//! `public/_headers`: what Cloudflare says with the assets that it answers by itself (`[site] assets = "platform"`).
//!
//! The Worker does not see those requests, so its head for assets, and the rules that change it, are written in the
//! platform's own words. Pages and everything else stay with the Worker, which this file does not reach.

use std::fmt::Write as _;

use rimward_edge::config::HeaderRule;

use super::rules::misses_base;
use crate::diagnostic::Diagnostic;

/// Where the platform reads it, below `public/`.
pub const PLATFORM_HEADERS: &str = "_headers";

/// How the file begins: what does not is somebody else's.
pub const PLATFORM_HEADERS_MARK: &str = "# Written by `rimward build`";

/// What the platform answers by itself. Paths have no base here: the platform finds files by their whole paths.
const ASSETS: &str = "/assets/";

/// Most rules that the platform takes.
const RULES: usize = 100;
/// Longest line that the platform takes, in characters.
const LINE: usize = 2_000;

/// The text of the file; `rules` are all header rules of the release, in the order in which they act.
pub fn platform_headers<'r>(rules: impl Iterator<Item = &'r HeaderRule>) -> Result<String, Vec<Diagnostic>> {
    let relevant: Vec<&HeaderRule> = rules.filter(|rule| !misses_base(&rule.path, ASSETS)).collect();
    let mut findings = Vec::new();
    if relevant.len() + 1 > RULES {
        let message = format!(
            "{} header rules may be for `{ASSETS}*`; the platform takes at most {}, and one for caching",
            relevant.len(),
            RULES - 1
        );
        findings.push(error(message).hint("join rules by `*`, or write assets = \"worker\" in `[site]`"));
    }
    let mut text = format!(
        "{PLATFORM_HEADERS_MARK} for what the platform answers without the Worker. Rules of your own belong into\n\
         # `_headers` of the source folder, or into rimward.toml as `[[header]]`.\n\
         {ASSETS}*\n  Cache-Control: public, max-age=31536000, immutable\n  X-Content-Type-Options: nosniff\n"
    );
    for rule in relevant {
        let mut lines = vec![rule.path.to_string()];
        // Without this the platform would join the values of several rules by a comma.
        let replaced = rule.set.iter().map(|(name, _)| name).chain(&rule.remove);
        lines.extend(replaced.map(|name| format!("  ! {name}")));
        lines.extend(rule.set.iter().map(|(name, value)| format!("  {name}: {value}")));
        if let Some(long) = lines.iter().find(|line| line.chars().count() > LINE) {
            let shown: String = long.trim_start().chars().take(40).collect();
            let message =
                format!("the line `{shown}…` for `{}` is too long for the platform: {LINE} at most", rule.path);
            findings.push(error(message).hint("shorten it, or write assets = \"worker\" in `[site]`"));
        }
        for line in lines {
            writeln!(text, "{line}").expect("a string takes whatever is written");
        }
    }
    if findings.is_empty() { Ok(text) } else { Err(findings) }
}

fn error(message: String) -> Diagnostic {
    Diagnostic::error(PLATFORM_HEADERS, "platform-limit", message)
}

#[cfg(test)]
mod tests {
    use rimward_edge::route::pattern::Pattern;

    use super::*;

    fn rule(path: &str, set: &[(&str, &str)], remove: &[&str]) -> HeaderRule {
        HeaderRule {
            path: Pattern::parse(path).unwrap(),
            set: set.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            remove: remove.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn rules_that_may_be_for_assets_are_told_to_the_platform() {
        let rules = [
            rule("/*", &[("x-all", "1")], &["x-gone"]),
            rule("/about", &[("x-page", "1")], &[]),
            rule("/assets/:name", &[("x-name", ":name")], &[]),
            rule("/asset", &[("x-other", "1")], &[]),
        ];
        let text = platform_headers(rules.iter()).unwrap();
        let expected = "/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n  X-Content-Type-Options: nosniff\n\
            /*\n  ! x-all\n  ! x-gone\n  x-all: 1\n/assets/:name\n  ! x-name\n  x-name: :name\n";
        let said: String = text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
        assert_eq!(said, expected);
        assert!(text.starts_with(PLATFORM_HEADERS_MARK));
    }

    #[test]
    fn the_platforms_limits_are_kept() {
        let of = |count: usize| vec![rule("/assets/*", &[("x-a", "1")], &[]); count];
        assert!(platform_headers(of(99).iter()).is_ok());
        let findings = platform_headers(of(100).iter()).unwrap_err();
        assert!(findings[0].message.starts_with("100 header rules may be for `/assets/*`"), "{findings:?}");
        let elsewhere = vec![rule("/about", &[("x-a", "1")], &[]); 500];
        assert!(platform_headers(elsewhere.iter()).is_ok());
        let long = [rule("/assets/*", &[("x-a", &"a".repeat(LINE - 7))], &[])];
        assert!(platform_headers(long.iter()).is_ok());
        let longer = [rule("/assets/*", &[("x-a", &"a".repeat(LINE - 6))], &[])];
        assert_eq!(platform_headers(longer.iter()).unwrap_err()[0].code, "platform-limit");
    }
}

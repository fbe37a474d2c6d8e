//! `_redirects`: the syntax that Cloudflare and Netlify share.
//!
//! ```text
//! # from        to             status, 302 if left out; `!`: also where a file answers
//! /old/*        /new/:splat    301
//! /app/*        /app.html      200
//! ```
//!
//! What no host would take is an error. What others take and this version does not is a warning, and left out.

use std::ops::Range;

use rimward_edge::config::RedirectRule;
use rimward_edge::route::pattern::Pattern;

use super::findings::{Findings, Located};
use super::rules::{RULE_LIMIT, caught_names, leads_to_itself, lines, misses_base, path_hint, uncaught};
use super::values::{FromText, RedirectTarget};
use crate::diagnostic::Diagnostic;

/// Reads the text of a `_redirects` file. `base` begins and ends with `/`; the paths are whole URL paths, with the base.
pub fn parse_redirects(text: &str, base: &str) -> (Vec<RedirectRule>, Vec<Diagnostic>) {
    let mut findings = Findings::new("_redirects", text);
    let mut rules: Vec<Located<RedirectRule>> = Vec::new();
    for (line, span) in lines(text) {
        let Some(rule) = rule(line, &span, base, &mut findings) else { continue };
        let covering = rules.iter().find(|earlier| takes_all(&earlier.value, &rule));
        if let Some(earlier) = covering {
            let (line, covering) = (findings.line_of(earlier.span.start), &earlier.value.from);
            findings
                .warning(
                    "unreachable",
                    &span,
                    format!("this line never answers: `{covering}` on line {line} takes all its requests"),
                )
                .hint("the first match wins: put the narrower one first");
        } else if rules.len() == RULE_LIMIT {
            findings
                .error("wrong-value", &span, format!("there are more than {RULE_LIMIT} rules"))
                .hint("join rules by `*` and `:name`");
            break;
        } else {
            rules.push(Located { value: rule, span });
        }
    }
    (rules.into_iter().map(|rule| rule.value).collect(), findings.into_sorted())
}

/// A rule that gives way to files does not take what a forced one behind it would.
fn takes_all(earlier: &RedirectRule, rule: &RedirectRule) -> bool {
    earlier.from.covers(&rule.from) && (earlier.force || !rule.force)
}

/// The parts of a line.
struct Parts<'t> {
    from: &'t str,
    parameters: Vec<&'t str>,
    to: &'t str,
    status: Option<&'t str>,
    conditions: Vec<&'t str>,
}

fn parts(line: &str) -> Option<Parts<'_>> {
    let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#')).peekable();
    let is_target = |word: &str| word.starts_with('/') || word.contains("://");
    let from = words.next()?;
    let mut parameters = Vec::new();
    while let Some(word) = words.next_if(|word| word.contains('=') && !is_target(word)) {
        parameters.push(word);
    }
    let to = words.next()?;
    let status = words.next_if(|word| !word.contains('='));
    Some(Parts { from, parameters, to, status, conditions: words.collect() })
}

fn rule(line: &str, span: &Range<usize>, base: &str, findings: &mut Findings<'_>) -> Option<RedirectRule> {
    let Some(parts) = parts(line) else {
        findings
            .error("syntax", span, format!("this is not a redirect: {line:?}"))
            .hint("write `/from /to 301`, on one line");
        return None;
    };
    // Where a part of the line stands in the text: it is a piece of the very same string.
    let part = |text: &str| {
        let at = span.start + (text.as_ptr() as usize - line.as_ptr() as usize);
        at..at + text.len()
    };
    let status = status(parts.status, &part, findings)?;
    if let Some(word) = parts.parameters.first().or(parts.conditions.first()) {
        findings
            .warning(
                "not-yet",
                &part(word),
                format!("`{word}`: conditions are not supported yet, this line is left out"),
            )
            .hint("remove the condition, if the line may hold for every request");
        return None;
    }
    let from = from(parts.from, &part(parts.from), base, findings)?;
    let to = target(parts.to, &part(parts.to), findings)?;
    let rule = RedirectRule { from, to, status: status.code, force: status.force };
    makes_sense(&rule, &part(parts.to), base, findings).then_some(rule)
}

struct Status {
    code: u16,
    force: bool,
}

fn status(text: Option<&str>, part: &impl Fn(&str) -> Range<usize>, findings: &mut Findings<'_>) -> Option<Status> {
    let Some(text) = text else { return Some(Status { code: 302, force: false }) };
    let digits = text.strip_suffix('!');
    match digits.unwrap_or(text).parse() {
        Ok(code @ (200 | 301 | 302 | 303 | 307 | 308)) => return Some(Status { code, force: digits.is_some() }),
        Ok(404) => findings
            .warning("not-yet", &part(text), "the status 404 is not supported yet: this line is left out")
            .hint("`404.html` answers unknown paths where `fallback` of `[document]` is false"),
        _ => findings
            .error("wrong-value", &part(text), format!("the status cannot be {text:?}"))
            .hint("it is 301, 302, 303, 307, 308, or 200 for another file at the same URL"),
    }
    None
}

fn from(text: &str, span: &Range<usize>, base: &str, findings: &mut Findings<'_>) -> Option<Pattern> {
    if text.contains("://") {
        findings
            .warning("not-yet", span, "redirects of one host are not supported yet: this line is left out")
            .hint("write the path alone, if it may hold for every host");
        return None;
    }
    match Pattern::parse(text) {
        Ok(pattern) => {
            if misses_base(&pattern, base) {
                findings
                    .warning("unreachable", span, format!("`{pattern}` is outside of the site's base, `{base}`"))
                    .hint(format!("paths are whole: write `{}{pattern}`, if it is inside", base.trim_end_matches('/')));
            }
            Some(pattern)
        }
        Err(error) => {
            findings.error("wrong-value", span, format!("cannot match {text:?}: {error}")).hint(path_hint(text));
            None
        }
    }
}

fn target(text: &str, span: &Range<usize>, findings: &mut Findings<'_>) -> Option<String> {
    match RedirectTarget::parse(text) {
        Ok(target) => Some(target.0),
        Err(refusal) => {
            findings.error("wrong-value", span, format!("the target {}", refusal.message)).maybe_hint(refusal.hint);
            None
        }
    }
}

fn makes_sense(rule: &RedirectRule, to: &Range<usize>, base: &str, findings: &mut Findings<'_>) -> bool {
    let missing = uncaught(&rule.to, &rule.from);
    for name in &missing {
        findings
            .error("unknown-name", to, format!("`:{name}` is not caught by `{}`", rule.from))
            .hint(caught_names(&rule.from));
    }
    if rule.status == 200 {
        return missing.is_empty() && rewrite_makes_sense(rule, to, base, findings);
    }
    if leads_to_itself(&rule.from, &rule.to) {
        findings
            .error("wrong-value", to, format!("this redirect leads to itself: `{}` matches `{}`", rule.from, rule.to))
            .hint("browsers give up after some twenty rounds: narrow the pattern");
        return false;
    }
    missing.is_empty()
}

fn rewrite_makes_sense(rule: &RedirectRule, to: &Range<usize>, base: &str, findings: &mut Findings<'_>) -> bool {
    if !rule.to.starts_with('/') {
        findings
            .warning("not-yet", to, "forwarding to another host is not done here: this line is left out")
            .hint("write a [[pool]] with that URL and a [[route]] into rimward.toml");
        return false;
    }
    let everything = Pattern::parse(&format!("{base}*")).is_ok_and(|all| rule.from.covers(&all));
    if everything && !rule.to.contains(':') {
        findings
            .warning(
                "unused",
                to,
                format!("`{}` for every unknown path is left out: it would answer for missing assets too", rule.to),
            )
            .hint("`fallback` of `[document]` does this for navigations, and is \"/index.html\" unless you change it");
        return false;
    }
    true
}

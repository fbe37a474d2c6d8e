//! `_headers`: the syntax that Cloudflare and Netlify share.
//!
//! ```text
//! # a comment
//! /assets/*
//!   X-Robots-Tag: noindex
//!   ! X-Frame-Options
//! ```
//!
//! What no host would take is an error. What others take and this version does not is a warning, and left out.

use std::ops::Range;

use rimward_edge::config::HeaderRule;
use rimward_edge::route::pattern::Pattern;

use super::findings::{Findings, Located};
use super::rules::{RULE_LIMIT, lines, misses_base, path_hint, why_not};
use super::values::{FieldName, FieldValue, FromText};
use crate::diagnostic::Diagnostic;

/// Longest line, in bytes: what the hosts that share the syntax take.
const LINE_LIMIT: usize = 2_000;

/// Reads the text of a `_headers` file. `base` begins and ends with `/`; the paths are whole URL paths, with the base.
pub fn parse_headers(text: &str, base: &str) -> (Vec<HeaderRule>, Vec<Diagnostic>) {
    let mut findings = Findings::new("_headers", text);
    let mut rules: Vec<Located<HeaderRule>> = Vec::new();
    let mut block = Block::None;
    for (line, span) in lines(text) {
        if line.len() > LINE_LIMIT {
            findings
                .error("wrong-value", &span, format!("this line is longer than {LINE_LIMIT} bytes"))
                .hint("no host takes longer ones: split the rule");
        } else if line.starts_with('/') || line.starts_with("http://") || line.starts_with("https://") {
            close(&block, &rules, &mut findings);
            block = open(line, &span, base, &mut rules, &mut findings);
        } else {
            field(line, &span, &block, &mut rules, &mut findings);
        }
    }
    close(&block, &rules, &mut findings);
    report_replaced(&rules, &mut findings);
    let rules = rules.into_iter().map(|rule| rule.value).filter(|rule| !rule.set.is_empty() || !rule.remove.is_empty());
    (rules.collect(), findings.into_sorted())
}

/// What the lines below a path belong to.
enum Block {
    /// There was no path yet.
    None,
    /// The last rule.
    Rule,
    /// A path that is left out, and said to be.
    Skipped,
}

fn open(
    line: &str,
    span: &Range<usize>,
    base: &str,
    rules: &mut Vec<Located<HeaderRule>>,
    findings: &mut Findings<'_>,
) -> Block {
    if !line.starts_with('/') {
        findings
            .warning("not-yet", span, "rules for one host are not supported yet: this one is left out")
            .hint("write the path alone, if it may hold for every host");
        return Block::Skipped;
    }
    if rules.len() == RULE_LIMIT {
        findings
            .error("wrong-value", span, format!("there are more than {RULE_LIMIT} rules"))
            .hint("join rules by `*` and `:name`");
        return Block::Skipped;
    }
    match Pattern::parse(line) {
        Ok(path) => {
            if misses_base(&path, base) {
                findings
                    .warning(
                        "unreachable",
                        span,
                        format!("no page or asset is at `{path}`: the site's base is `{base}`"),
                    )
                    .hint(format!("paths are whole: write `{}{path}`", base.trim_end_matches('/')));
            }
            let rule = HeaderRule { path, set: Vec::new(), remove: Vec::new() };
            rules.push(Located { value: rule, span: span.clone() });
            Block::Rule
        }
        Err(error) => {
            findings.error("wrong-value", span, format!("cannot match {line:?}: {error}")).hint(path_hint(line));
            Block::Skipped
        }
    }
}

fn close(block: &Block, rules: &[Located<HeaderRule>], findings: &mut Findings<'_>) {
    let last = rules.last().filter(|_| matches!(block, Block::Rule));
    if let Some(rule) = last.filter(|rule| rule.value.set.is_empty() && rule.value.remove.is_empty()) {
        findings
            .warning("unused", &rule.span, format!("the rule for `{}` changes nothing", rule.value.path))
            .hint("write its headers on the lines below: `  Name: value`");
    }
}

fn field(
    line: &str,
    span: &Range<usize>,
    block: &Block,
    rules: &mut [Located<HeaderRule>],
    findings: &mut Findings<'_>,
) {
    let rule = match (block, rules.last_mut()) {
        (Block::Skipped, _) => return,
        (Block::Rule, Some(rule)) => &mut rule.value,
        _ => {
            findings
                .error("syntax", span, "this header stands before any path")
                .hint("begin with the path that it is for, on a line of its own: `/*`");
            return;
        }
    };
    if let Some(name) = line.strip_prefix('!') {
        if let Some(name) = checked_name(name.trim(), span, findings) {
            rule.remove.push(name);
        }
        return;
    }
    let Some((name, value)) = line.split_once(':') else {
        findings
            .error("syntax", span, format!("this is neither a path nor a header: {line:?}"))
            .hint("paths begin with `/`, headers are `Name: value`, `! Name` takes one away");
        return;
    };
    let Some(name) = checked_name(name.trim(), span, findings) else { return };
    match FieldValue::parse(value) {
        Ok(value) => set(rule, name, &value.0),
        Err(refusal) => {
            findings
                .error("wrong-value", span, format!("the value of `{name}` {}", refusal.message))
                .hint(format!("to take it away, write `! {name}`"));
        }
    }
}

/// Several lines of one name are one list, as everywhere (RFC 9110 section 5.3).
fn set(rule: &mut HeaderRule, name: String, value: &str) {
    match rule.set.iter_mut().find(|(other, _)| *other == name) {
        Some((_, list)) => {
            list.push_str(", ");
            list.push_str(value);
        }
        None => rule.set.push((name, value.to_owned())),
    }
}

fn checked_name(name: &str, span: &Range<usize>, findings: &mut Findings<'_>) -> Option<String> {
    let name = match FieldName::parse(name) {
        Ok(name) => name.0,
        Err(refusal) => {
            findings.error("wrong-value", span, format!("this {}", refusal.message)).maybe_hint(refusal.hint);
            return None;
        }
    };
    if name == "basic-auth" {
        findings
            .error("not-yet", span, "`Basic-Auth` is not supported yet: the site would be open to anyone")
            .hint("protect it by other means, then remove the line");
        return None;
    }
    if let Some(why) = why_not(&name) {
        findings.warning("unused", span, format!("`{name}` is left out: {why}")).hint("remove the line");
        return None;
    }
    Some(name)
}

/// Elsewhere the values of several matching rules are joined by commas.
fn report_replaced(rules: &[Located<HeaderRule>], findings: &mut Findings<'_>) {
    for (at, rule) in rules.iter().enumerate() {
        for (name, _) in &rule.value.set {
            let sets = |other: &&Located<HeaderRule>| {
                let overlap = other.value.path.covers(&rule.value.path) || rule.value.path.covers(&other.value.path);
                overlap && other.value.set.iter().any(|(set, _)| set == name)
            };
            let removed = rule.value.remove.contains(name);
            if let Some(other) = rules[..at].iter().rev().find(sets).filter(|_| !removed) {
                let line = findings.line_of(other.span.start);
                let path = &rule.value.path;
                findings
                    .warning("replaced", &rule.span, format!("`{name}` of `{path}` replaces that of line {line}"))
                    .hint(format!("other hosts join the two by a comma; to say that it replaces, add `! {name}`"));
            }
        }
    }
}

//! Digests in pages: `integrity` attributes, and the hashes of inline scripts and styles in a Content-Security-Policy.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::link::placeholder::Algorithm;
use crate::syntax::entity::html_attribute;
use crate::syntax::html::{ScriptContent, Tag, Token, tokens};

/// One digest of an integrity value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IntegrityDigest {
    pub(super) algorithm: Algorithm,
    /// Where it stands: `sha384-` and base64, without options.
    pub(super) span: Range<usize>,
}

/// The digests of the integrity value at `span`; those of unknown algorithms browsers ignore.
pub(super) fn integrity_digests(text: &str, span: Range<usize>) -> Vec<IntegrityDigest> {
    let value = &text[span.clone()];
    let digests = value.split_ascii_whitespace().filter_map(|part| {
        let start = span.start + (part.as_ptr() as usize - value.as_ptr() as usize);
        let (name, rest) = part.split_once('-')?;
        let algorithm = algorithm(name)?;
        let length = name.len() + 1 + rest.find('?').unwrap_or(rest.len());
        (length == algorithm.integrity_length()).then_some(IntegrityDigest { algorithm, span: start..start + length })
    });
    digests.collect()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
}

/// The CSP sources (`sha256-` and base64, without quotes) of a page's inline scripts, each once, in order.
pub fn inline_script_hashes(text: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    for unit in units(text).iter().filter(|unit| unit.kind == UnitKind::Script) {
        let hash = source_expression(Algorithm::Sha256, &unit.content);
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// The CSP sources (without quotes) of inline scripts and styles of `before` that are others in `after`, the same page
/// linked and minified: policies that stand outside of the page need them too.
pub fn changed_hashes(before: &str, after: &str) -> BTreeMap<String, String> {
    let (before, after) = (units(before), units(after));
    // Nothing that is hashed is ever added or removed; if it were, no pair could be trusted.
    if before.len() != after.len() {
        return BTreeMap::new();
    }
    let changed = before.iter().zip(&after).filter(|(old, new)| old.content != new.content);
    let pairs = changed.flat_map(|(old, new)| {
        Algorithm::ALL
            .map(|algorithm| (source_expression(algorithm, &old.content), source_expression(algorithm, &new.content)))
    });
    pairs.collect()
}

/// The page `after`, with the hashes in its `<meta http-equiv="content-security-policy">` made those of its own inline
/// scripts and styles, where they were those of `before`: the page as the bundler wrote it.
pub fn refresh_hashes(before: &str, after: &str) -> String {
    let policies = policies(after);
    if policies.is_empty() {
        return after.to_owned();
    }
    let changed = changed_hashes(before, after);
    let mut fresh = String::with_capacity(after.len());
    let mut end = 0;
    for policy in policies {
        fresh.push_str(&after[end..policy.start]);
        fresh.push_str(&replace_hashes(&after[policy.clone()], &changed));
        end = policy.end;
    }
    fresh + &after[end..]
}

/// A policy with the hashes replaced that have changed; also for policies that stand in header fields.
pub fn replace_hashes(policy: &str, changed: &BTreeMap<String, String>) -> String {
    changed.iter().fold(policy.to_owned(), |policy, (old, new)| policy.replace(old, new))
}

/// Something in a page that a CSP can allow by its hash.
struct Unit {
    kind: UnitKind,
    /// As the browser hashes it.
    content: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UnitKind {
    Script,
    Style,
    /// `style=` and `on...=`, which `'unsafe-hashes'` allows.
    Attribute,
}

/// In order. Empty for what cannot be read.
fn units(text: &str) -> Vec<Unit> {
    let Ok(tokens) = tokens(text) else { return Vec::new() };
    let mut units = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Start(tag) = token else { continue };
        for attribute in &tag.attributes {
            if attribute.name == "style" || attribute.name.starts_with("on") {
                let value = attribute.value.clone().unwrap_or(0..0);
                let content = html_attribute(text, value).text.into_owned();
                units.push(Unit { kind: UnitKind::Attribute, content: normalise(&content) });
            }
        }
        let Some(kind) = element_kind(tag, text) else { continue };
        let content = match tokens.get(at + 1) {
            Some(Token::Text { span, .. }) => normalise(&text[span.clone()]),
            _ => String::new(),
        };
        units.push(Unit { kind, content });
    }
    units
}

fn element_kind(tag: &Tag, text: &str) -> Option<UnitKind> {
    match tag.name.as_str() {
        "style" if !tag.foreign => Some(UnitKind::Style),
        "script" if tag.attribute("src").is_none() && !tag.foreign => {
            (ScriptContent::of(tag, text) != ScriptContent::Data).then_some(UnitKind::Script)
        }
        _ => None,
    }
}

/// What the tokenizer does to a text before a script or style sees it (HTML §13.2.3.5, §13.2.5.4).
fn normalise(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{FFFD}")
}

fn source_expression(algorithm: Algorithm, content: &str) -> String {
    let digest = match algorithm {
        Algorithm::Sha256 => STANDARD.encode(Sha256::digest(content)),
        Algorithm::Sha384 => STANDARD.encode(Sha384::digest(content)),
        Algorithm::Sha512 => STANDARD.encode(Sha512::digest(content)),
    };
    format!("{}-{digest}", algorithm.name())
}

/// Where the contents of the page's own policies stand.
fn policies(text: &str) -> Vec<Range<usize>> {
    let Ok(tokens) = tokens(text) else { return Vec::new() };
    let policies = tokens.iter().filter_map(|token| {
        let Token::Start(tag) = token else { return None };
        let equivalent = tag.value(text, "http-equiv")?;
        let is_policy = equivalent.trim().to_ascii_lowercase().starts_with("content-security-policy");
        (tag.name == "meta" && is_policy).then(|| tag.attribute("content")?.value.clone()).flatten()
    });
    policies.collect()
}

//! Where a text holds a bundler's fingerprint as part of a name that it can be part of.
//!
//! Eight characters alone prove nothing; what stands before and after them must fit the file's name, up to the text's
//! end where the text is one piece of a name that a script puts together.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::{File, Grammar, Names, TokenGroup};
use crate::link::Naming;
use crate::scan::SourcePath;

/// A fingerprint in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The fingerprint in the text (bytes).
    pub span: Range<usize>,
    /// The files that are meant: several where the text holds the fingerprint only.
    pub to: Vec<SourcePath>,
    /// What takes the fingerprint's place.
    pub placeholder: String,
    /// Whether the text holds the whole name, not a piece of it.
    pub whole: bool,
}

/// Finds all tokens of a build in one pass.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenSearch {
    automaton: Option<AhoCorasick>,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
struct Token {
    placeholder: String,
    names: Vec<TokenName>,
}

/// The parts of one file's name around its token.
#[derive(Debug, Clone)]
struct TokenName {
    path: SourcePath,
    before: String,
    after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// All that stands in the name stands in the text.
    Full,
    /// The text ends within the name.
    Partial,
    /// The text ends at the token.
    Bare,
}

impl TokenSearch {
    pub(super) fn new(groups: &BTreeMap<String, TokenGroup>, files: &BTreeMap<SourcePath, File>) -> TokenSearch {
        let tokens = groups.values().map(|group| Token {
            placeholder: group.placeholder.clone(),
            names: group.files.iter().filter_map(|path| token_name(path, &files.get(path)?.naming)).collect(),
        });
        // An automaton that is too large to build is none: names then stay as they are.
        TokenSearch { tokens: tokens.collect(), automaton: AhoCorasick::new(groups.keys()).ok() }
    }
}

impl Names {
    /// The fingerprints in a text that is, or may be a piece of, one or several names or URLs: a string literal, a
    /// JSON value. In order, apart.
    pub fn mentions(&self, text: &str) -> Vec<Mention> {
        let Some(automaton) = &self.search.automaton else { return Vec::new() };
        let mut end = 0;
        let mut mentions = Vec::new();
        for found in automaton.find_overlapping_iter(text) {
            let span = found.span().range();
            let Some(token) = self.search.tokens.get(found.pattern().as_usize()).filter(|_| span.start >= end) else {
                continue;
            };
            if let Some(mention) = self.mention(text, span, token) {
                end = mention.span.end;
                mentions.push(mention);
            }
        }
        mentions
    }

    fn mention(&self, text: &str, span: Range<usize>, token: &Token) -> Option<Mention> {
        let fitting: Vec<(&TokenName, Fit, Fit)> = token
            .names
            .iter()
            .filter_map(|name| {
                let before = fits_before(&text[..span.start], &name.before)?;
                let after = fits_after(&text[span.end..], &name.after, before)?;
                self.is_enough(name, before, after).then_some((name, before, after))
            })
            .collect();
        // `.js` also begins `.js.map`: what fits in full is meant.
        let full = |(_, before, after): &&(&TokenName, Fit, Fit)| *before == Fit::Full && *after == Fit::Full;
        let whole = fitting.iter().any(|name| full(&name));
        let meant = fitting.iter().filter(|name| !whole || full(name));
        let to: Vec<SourcePath> = meant.map(|(name, ..)| name.path.clone()).collect();
        let ours = !to.is_empty() && !self.is_foreign(&text[..span.start]);
        ours.then(|| Mention { span, to, placeholder: token.placeholder.clone(), whole })
    }

    /// A token alone is enough where it is hexadecimal: webpack's tables hold nothing else, and no word is.
    fn is_enough(&self, name: &TokenName, before: Fit, after: Fit) -> bool {
        let hexadecimal = matches!(self.grammar, Grammar::Webpack | Grammar::Parcel);
        match (before, after) {
            (Fit::Bare, Fit::Bare | Fit::Partial) => hexadecimal,
            (Fit::Full, _) => !name.before.is_empty() || after != Fit::Bare || hexadecimal,
            (Fit::Partial, _) | (Fit::Bare, Fit::Full) => true,
        }
    }

    /// Whether the URL that ends here begins with another host's name.
    fn is_foreign(&self, before: &str) -> bool {
        let start = before.rfind(|character| !is_url_character(character)).map_or(0, |at| at + 1);
        let url = before.get(start..).unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("//") else { return false };
        let absolute = scheme.is_empty() || (scheme.ends_with(':') && !scheme.contains('/'));
        let host = rest.split('/').next().unwrap_or_default();
        absolute && !host.is_empty() && !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

fn token_name(path: &SourcePath, naming: &Naming) -> Option<TokenName> {
    let Naming::Hashed { before, after, .. } = naming else { return None };
    let before = before[path.folder().len()..].to_owned();
    Some(TokenName { path: path.clone(), before, after: after.clone() })
}

fn fits_before(text: &str, before: &str) -> Option<Fit> {
    if let Some(rest) = text.strip_suffix(before) {
        let free = rest.chars().next_back().is_none_or(|character| !is_name_character(character));
        // Between two pieces of a name the token has no neighbours at all.
        return free
            .then_some(if text.is_empty() { Fit::Bare } else { Fit::Full })
            .filter(|_| !before.is_empty() || free);
    }
    let partial = before.ends_with(text);
    partial.then_some(if text.is_empty() { Fit::Bare } else { Fit::Partial })
}

fn fits_after(text: &str, after: &str, before: Fit) -> Option<Fit> {
    if let Some(rest) = text.strip_prefix(after) {
        let free = rest.chars().next().is_none_or(|character| !is_name_character(character));
        return free.then_some(if text.is_empty() { Fit::Bare } else { Fit::Full });
    }
    if after.starts_with(text) {
        return Some(if text.is_empty() { Fit::Bare } else { Fit::Partial });
    }
    // `define(["./workbox-2fbc6a65"])`: a name without its extension, which ends where a name ends.
    let ended = text.chars().next().is_some_and(|character| !is_name_character(character));
    (ended && before == Fit::Full).then_some(Fit::Bare)
}

/// What file names are made of: next to one of these a token is part of another name.
fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '%' | '~' | '+' | '$' | '@')
}

fn is_url_character(character: char) -> bool {
    !character.is_whitespace()
        && !matches!(character, '"' | '\'' | '`' | ',' | '(' | ')' | '<' | '>' | '\\' | '=' | ';')
}

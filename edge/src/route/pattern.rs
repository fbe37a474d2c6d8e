//! Patterns of URL paths: `/api/*`, `/blog/:year/:slug`, `/*.map`.
//!
//! The language is the one that `_headers` and `_redirects` files share: `*` (once) catches anything, also nothing and
//! also `/`; `:name` catches one non-empty segment. Everything else stands for itself. Matching is linear in the path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    /// What must stand before `*` (the whole pattern where there is none) and, after one, behind it.
    before: Vec<Piece>,
    after: Option<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Piece {
    Literal(String),
    Name(String),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Paths begin with a slash.
    #[error("a path pattern begins with `/`")]
    NoSlash,
    /// Two `*` would make matching ambiguous.
    #[error("a path pattern may hold one `*`")]
    TwoStars,
    /// `:` with no name, or the same name twice.
    #[error("each `:name` of a path pattern needs a name of its own, of letters, digits and `_`")]
    BadName,
    /// Spaces, control characters, `?` and `#` cannot occur in the path of a URL.
    #[error("a path pattern cannot hold spaces, control characters, `?` or `#`: write them percent-encoded")]
    BadCharacter,
}

/// What a pattern caught, by name; `*` is `splat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught<'path>(Vec<(String, &'path str)>);

impl Pattern {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::NoSlash);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '?' || c == '#') {
            return Err(PatternError::BadCharacter);
        }
        let mut names = vec!["splat".to_owned()];
        let (before, after) = match text.split_once('*') {
            Some((_, after)) if after.contains('*') => return Err(PatternError::TwoStars),
            Some((before, after)) => (pieces(before, &mut names)?, Some(pieces(after, &mut names)?)),
            None => (pieces(text, &mut names)?, None),
        };
        Ok(Pattern { text: text.to_owned(), before, after })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names that it catches something under; `*` is `splat`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let splat = self.after.as_ref().map(|_| "splat");
        let pieces = self.before.iter().chain(self.after.iter().flatten());
        splat.into_iter().chain(pieces.filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        }))
    }

    /// What the pattern catches of a path; `None` where it does not match.
    pub fn matches<'path>(&self, path: &'path str) -> Option<Caught<'path>> {
        let mut caught = Caught::default();
        let rest = match_forward(&self.before, path, &mut caught)?;
        let Some(after) = &self.after else {
            return rest.is_empty().then_some(caught);
        };
        let splat = match_backward(after, rest, &mut caught)?;
        caught.0.push(("splat".to_owned(), splat));
        Some(caught)
    }

    /// Whether every path that `other` matches is matched by this one too: a rule behind this one for `other` can
    /// never answer. Errs towards `false`.
    pub fn covers(&self, other: &Pattern) -> bool {
        if self == other {
            return true;
        }
        match (self.before.as_slice(), self.after.as_deref(), other.before.first()) {
            ([Piece::Literal(prefix)], Some([]), Some(Piece::Literal(first))) => first.starts_with(prefix.as_str()),
            _ => {
                other.after.is_none()
                    && other.before.iter().all(|piece| matches!(piece, Piece::Literal(_)))
                    && self.matches(&other.text).is_some()
            }
        }
    }
}

impl Caught<'_> {
    /// Replaces `:splat` and `:name` in a text by what was caught; other `:words` stay.
    pub fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(':') {
            filled.push_str(&rest[..at]);
            let end = name_length(&rest[at + 1..]);
            let name = &rest[at + 1..at + 1 + end];
            match self.0.iter().find(|(caught, _)| caught == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.push_str(&rest[at..=at + end]),
            }
            rest = &rest[at + 1 + end..];
        }
        filled.push_str(rest);
        filled
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn pieces(text: &str, names: &mut Vec<String>) -> Result<Vec<Piece>, PatternError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // A name stands for a whole segment: elsewhere a colon is a character like any other.
        let literal = rest.find("/:").map_or(rest.len(), |at| at + 1);
        pieces.push(Piece::Literal(rest[..literal].to_owned()));
        rest = &rest[literal..];
        let Some(after_colon) = rest.strip_prefix(':') else { continue };
        let end = name_length(after_colon);
        let name = after_colon[..end].to_owned();
        if name.is_empty()
            || names.contains(&name)
            || !(after_colon[end..].is_empty() || after_colon[end..].starts_with('/'))
        {
            return Err(PatternError::BadName);
        }
        names.push(name.clone());
        pieces.push(Piece::Name(name));
        rest = &after_colon[end..];
    }
    Ok(pieces)
}

fn match_forward<'path>(pieces: &[Piece], mut path: &'path str, caught: &mut Caught<'path>) -> Option<&'path str> {
    for piece in pieces {
        path = match piece {
            Piece::Literal(literal) => path.strip_prefix(literal.as_str())?,
            Piece::Name(name) => {
                let (value, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
                if value.is_empty() {
                    return None;
                }
                caught.0.push((name.clone(), value));
                rest
            }
        };
    }
    Some(path)
}

fn match_backward<'path>(pieces: &[Piece], mut path: &'path str, caught: &mut Caught<'path>) -> Option<&'path str> {
    for piece in pieces.iter().rev() {
        path = match piece {
            Piece::Literal(literal) => path.strip_suffix(literal.as_str())?,
            Piece::Name(name) => {
                let (rest, value) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
                if value.is_empty() {
                    return None;
                }
                caught.0.push((name.clone(), value));
                rest
            }
        };
    }
    Some(path)
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Pattern, PatternError> {
        Pattern::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, template: &str, expected: Option<&str>) {
        let filled = Pattern::parse(pattern).unwrap().matches(path).map(|caught| caught.fill(template));
        assert_eq!(filled.as_deref(), expected, "{pattern} on {path}");
    }

    #[test]
    fn a_star_catches_anything_and_a_name_one_segment() {
        check("/api/*", "/api/a/b", ":splat", Some("a/b"));
        check("/api/*", "/api/", ":splat", Some(""));
        check("/api/*", "/api", ":splat", None);
        check("/api*", "/api", "[:splat]", Some("[]"));
        check("/*.map", "/assets/app.js.map", ":splat", Some("assets/app.js"));
        check("/blog/:year/:slug", "/blog/2026/edge", "/:slug?y=:year", Some("/edge?y=2026"));
        check("/blog/:year/:slug", "/blog/2026/", ":slug", None);
        check("/blog/:year", "/blog/2026/edge", ":year", None);
        check("/*/print/:page", "/a/b/print/7", ":splat|:page", Some("a/b|7"));
        check("/exact", "/exact", "https://e.example/:unknown", Some("https://e.example/:unknown"));
        check("/exact", "/exact/", "", None);
    }

    #[test]
    fn texts_that_no_path_can_match_are_refused() {
        for (text, expected) in [
            ("api/*", PatternError::NoSlash),
            ("/a/*/b/*", PatternError::TwoStars),
            ("/:a/:a", PatternError::BadName),
            ("/:", PatternError::BadName),
            ("/:splat", PatternError::BadName),
            ("/a b", PatternError::BadCharacter),
            ("/a?b", PatternError::BadCharacter),
        ] {
            assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let covers = |a: &str, b: &str| Pattern::parse(a).unwrap().covers(&Pattern::parse(b).unwrap());
        assert!(covers("/*", "/api/*"));
        assert!(covers("/api/*", "/api/:id"));
        assert!(covers("/api/:id", "/api/7"));
        assert!(!covers("/api/:id", "/api/*"));
        assert!(!covers("/api/v1/*", "/api/*"));
    }
}

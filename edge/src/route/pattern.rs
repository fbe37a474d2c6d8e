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
pub struct Caught<'path>(Vec<(&'path str, &'path str)>);

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
    pub fn matches<'path>(&'path self, path: &'path str) -> Option<Caught<'path>> {
        let mut caught = Vec::new();
        self.catch(path, &mut |name, value| caught.push((name, value))).then_some(Caught(caught))
    }

    /// Whether the pattern matches a path.
    pub fn fits(&self, path: &str) -> bool {
        self.catch(path, &mut |_, _| {})
    }

    /// Tells what is caught, where the pattern matches; what was told before it turned out not to means nothing.
    fn catch<'path>(&'path self, path: &'path str, tell: Tell<'_, 'path>) -> bool {
        let Some(rest) = match_forward(&self.before, path, tell) else { return false };
        let Some(after) = &self.after else { return rest.is_empty() };
        let Some(splat) = match_backward(after, rest, tell) else { return false };
        tell("splat", splat);
        true
    }

    /// Whether every path that `other` matches is matched by this one too: a rule behind this one for `other` can
    /// never answer. Errs towards `false`.
    pub fn covers(&self, other: &Pattern) -> bool {
        if self == other {
            return true;
        }
        let (mine, theirs) = (Text::of(&self.text), Text::of(&other.text));
        match (mine.after, theirs.after) {
            (None, None) => {
                let (mut mine, mut theirs) = (mine.before.split('/'), theirs.before.split('/'));
                loop {
                    match (mine.next(), theirs.next()) {
                        (None, None) => return true,
                        (Some(mine), Some(theirs)) if takes(mine, theirs) => {}
                        _ => return false,
                    }
                }
            }
            (None, Some(_)) => false,
            (Some(""), _) => begins(mine.before, &theirs),
            // What stands behind a star is compared by its text, where that is no name's. A name before it would take, of their
            // paths, some of what should stand behind it.
            (Some(after), their_after) => {
                let (text, open) = their_after.map_or((theirs.before, false), |after| (after, true));
                let Some(rest) = text.strip_suffix(after) else { return false };
                let theirs = if open { theirs } else { Text { before: rest, after: None } };
                !after.contains("/:")
                    && !ends_in_name(rest)
                    && !ends_in_name(mine.before)
                    && begins(mine.before, &theirs)
            }
        }
    }
}

/// A pattern's text, apart at its star.
struct Text<'text> {
    before: &'text str,
    after: Option<&'text str>,
}

impl<'text> Text<'text> {
    fn of(text: &'text str) -> Text<'text> {
        text.split_once('*')
            .map_or(Text { before: text, after: None }, |(before, after)| Text { before, after: Some(after) })
    }
}

/// Whether a segment takes whatever another one takes.
fn takes(mine: &str, theirs: &str) -> bool {
    if mine.starts_with(':') { !theirs.is_empty() } else { mine == theirs }
}

fn ends_in_name(text: &str) -> bool {
    text.rsplit('/').next().is_some_and(|last| last.starts_with(':'))
}

/// Whether everything that the other pattern matches begins with what stands before this one's star.
fn begins(before: &str, other: &Text<'_>) -> bool {
    let mut theirs = other.before.split('/').peekable();
    let mut mine = before.split('/').peekable();
    while let Some(segment) = mine.next() {
        let Some(their) = theirs.next() else { return false };
        // Their last segment goes on, where their star follows it.
        let is_open = theirs.peek().is_none() && other.after.is_some();
        if mine.peek().is_none() {
            let is_name = |segment: &str| segment.starts_with(':');
            return match segment {
                "" => true,
                name if is_name(name) => !their.is_empty(),
                text => !is_name(their) && their.starts_with(text),
            };
        }
        if is_open || !takes(segment, their) {
            return false;
        }
    }
    true
}

/// Is told a name, and what was caught under it.
type Tell<'tell, 'path> = &'tell mut dyn FnMut(&'path str, &'path str);

impl Caught<'_> {
    /// Replaces `:splat` and `:name` in a text by what was caught; other `:words` stay.
    pub fn fill(&self, template: &str) -> String {
        self.fill_with(template, &mut |filled, value| filled.push_str(value))
    }

    /// The same, where what was caught is written by `write`.
    pub fn fill_with(&self, template: &str, write: &mut dyn FnMut(&mut String, &str)) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(':') {
            filled.push_str(&rest[..at]);
            let end = name_length(&rest[at + 1..]);
            let name = &rest[at + 1..at + 1 + end];
            match self.0.iter().find(|(caught, _)| *caught == name) {
                Some((_, value)) => write(&mut filled, value),
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

fn match_forward<'path>(pieces: &'path [Piece], mut path: &'path str, tell: Tell<'_, 'path>) -> Option<&'path str> {
    for piece in pieces {
        path = match piece {
            Piece::Literal(literal) => path.strip_prefix(literal.as_str())?,
            Piece::Name(name) => {
                let (value, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
                if value.is_empty() {
                    return None;
                }
                tell(name, value);
                rest
            }
        };
    }
    Some(path)
}

fn match_backward<'path>(pieces: &'path [Piece], mut path: &'path str, tell: Tell<'_, 'path>) -> Option<&'path str> {
    for piece in pieces.iter().rev() {
        path = match piece {
            Piece::Literal(literal) => path.strip_suffix(literal.as_str())?,
            Piece::Name(name) => {
                let (rest, value) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
                if value.is_empty() {
                    return None;
                }
                tell(name, value);
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
    use proptest::prelude::*;

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
        assert!(
            covers("/:a", "/:b") && covers("/:a/*", "/x/y") && covers("/:a/*", "/:b/:c/*") && covers("/a*", "/ab/c*")
        );
        assert!(covers("/*.map", "/x/*.js.map") && covers("/*.map", "/x/y.map") && covers("/a/:b*", "/a/b*"));
        assert!(
            !covers("/:a", "/") && !covers("/:a", "/x/y") && !covers("/a*", "/:a") && !covers("/:a*.map", "/a*.map")
        );
    }

    proptest! {
        #[test]
        fn what_a_pattern_covers_it_matches(
            mine in "(/(:a|:b|a|b|ab|)){1,3}(\\*(|a|b|/a|/:c|\\.b|/b/a))?",
            theirs in "(/(:a|:b|a|b|ab|)){1,3}(\\*(|a|b|/a|/:c|\\.b|/b/a))?",
            paths in prop::collection::vec("(/(a|b|ab|ba|a\\.b|)){1,4}", 20),
        ) {
            let (Ok(mine), Ok(theirs)) = (Pattern::parse(&mine), Pattern::parse(&theirs)) else { return Ok(()) };
            if mine.covers(&theirs) {
                for path in paths.iter().filter(|path| theirs.fits(path)) {
                    prop_assert!(mine.fits(path), "{mine} covers {theirs}, and does not match {path}");
                }
            }
            prop_assert!(paths.iter().all(|path| mine.fits(path) == mine.matches(path).is_some()));
        }
    }
}

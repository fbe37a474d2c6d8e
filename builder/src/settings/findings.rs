//! Collects what is wrong with one text.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// A value and where it stands, in bytes of the text.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// The findings about one text so far.
pub(super) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    list: Vec<Diagnostic>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Findings<'t> {
        Findings { file, text, list: Vec::new() }
    }

    pub(super) fn error(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) -> Finding<'_> {
        self.push(Diagnostic::error(self.file, code, message), span)
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
    ) -> Finding<'_> {
        self.push(Diagnostic::warning(self.file, code, message), span)
    }

    /// An error that is not certain yet: whoever knows more raises it.
    pub(super) fn later_error(&self, code: &'static str, span: &Range<usize>, message: String) -> Diagnostic {
        Diagnostic::error(self.file, code, message).over(self.text, span.clone())
    }

    fn push(&mut self, diagnostic: Diagnostic, span: &Range<usize>) -> Finding<'_> {
        self.list.push(diagnostic.over(self.text, span.clone()));
        Finding(self.list.last_mut())
    }

    /// The line of a byte, from 1: for findings that speak of another place too.
    pub(super) fn line_of(&self, offset: usize) -> u32 {
        crate::diagnostic::Place::of(self.text, offset).line
    }

    /// Takes the findings of a part, saying which part it is.
    pub(super) fn append(&mut self, part: Findings<'_>, called: &str) {
        let called = |finding: Diagnostic| Diagnostic { message: format!("{}{called}", finding.message), ..finding };
        self.list.extend(part.list.into_iter().map(called));
    }

    /// In the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| finding.place);
        self.list
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }
}

/// The finding that was just made: a hint can be added.
pub(super) struct Finding<'f>(Option<&'f mut Diagnostic>);

impl Finding<'_> {
    pub(super) fn hint(self, hint: impl Into<String>) {
        self.maybe_hint(Some(hint));
    }

    pub(super) fn maybe_hint(self, hint: Option<impl Into<String>>) {
        if let (Some(diagnostic), Some(hint)) = (self.0, hint) {
            diagnostic.hint = Some(hint.into());
        }
    }
}

/// The candidate that was probably meant.
pub(super) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase().replace('-', "_");
    let near = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase().replace('-', "_"));
    let tolerated = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (near(candidate), candidate))
        .filter(|&(distance, _)| distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_nearest_word_is_suggested_and_none_that_is_far() {
        let keys = ["base", "fallback", "cache_control"];
        assert_eq!(closest("falback", keys), Some("fallback"));
        assert_eq!(closest("cache-control", keys), Some("cache_control"));
        assert_eq!(closest("Base", keys), Some("base"));
        assert_eq!(closest("origin", keys), None);
        assert_eq!(closest("", keys), None);
    }
}

//! What is wrong with an input, for a person: severity, code, place, message, hint. Rendering is in one place.

use std::fmt;

/// One finding. Text is lower-case, one line, without a full stop: what could not be done to which thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file as a person would name it, relative to the project or the source folder.
    pub file: String,
    /// Where in the file; absent where it is about the whole file.
    pub place: Option<Place>,
    /// How bad.
    pub severity: Severity,
    /// A stable name for the kind of finding: `dangling-reference`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

/// A place in a text, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The work fails; nothing is published.
    Error,
    /// The work goes on. `--strict` makes it an error.
    Warning,
}

impl Diagnostic {
    /// An error about a whole file.
    pub fn error(file: impl Into<String>, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, file.into(), code, message.into())
    }

    /// A warning about a whole file.
    pub fn warning(file: impl Into<String>, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, file.into(), code, message.into())
    }

    fn new(severity: Severity, file: String, code: &'static str, message: String) -> Diagnostic {
        Diagnostic { file, place: None, severity, code, message, hint: None }
    }

    /// The same at a byte offset of the file's text.
    pub fn at(mut self, text: &str, offset: usize) -> Diagnostic {
        self.place = Some(Place::of(text, offset));
        self
    }

    /// The same with a next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }
}

impl Place {
    /// The place of a byte offset; past the end it is the end.
    pub fn of(text: &str, offset: usize) -> Place {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let characters = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        let newlines = before.iter().filter(|&&byte| byte == b'\n').count();
        let saturate = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Place { line: saturate(newlines + 1), column: saturate(characters(&before[line_start..]) + 1) }
    }
}

impl fmt::Display for Diagnostic {
    /// `css/site.css:12:8: error: cannot resolve "img/logo.png"`, and the hint on a line of its own.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(place) = self.place {
            write!(formatter, ":{}:{}", place.line, place.column)?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, ": {severity}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "a\nüb\n";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, 4), Place { line: 2, column: 2 });
        assert_eq!(Place::of(text, 99), Place { line: 3, column: 1 });
    }
}

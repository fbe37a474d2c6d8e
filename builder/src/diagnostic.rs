//! What is wrong with an input, for a person: severity, code, place, message, hint. Rendering is in one place.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One finding. Text is lower-case, one line, without a full stop: what could not be done to which thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file as a person would name it, relative to the project or the source folder.
    pub file: String,
    /// Where in the file; absent where it is about the whole file.
    pub place: Option<Place>,
    /// The line that it is about, to be shown with the words in question underlined.
    pub excerpt: Option<Excerpt>,
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

/// One line of a text, and what in it is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    /// Without its line break.
    pub line: String,
    /// Bytes of `line`, on the borders of characters.
    pub marked: (usize, usize),
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
        Diagnostic { file, place: None, excerpt: None, severity, code, message, hint: None }
    }

    /// The same at a byte offset of the file's text.
    pub fn at(mut self, text: &str, offset: usize) -> Diagnostic {
        self.place = Some(Place::of(text, offset));
        self
    }

    /// The same about a range of bytes of the file's text, showing the line.
    pub fn over(mut self, text: &str, range: Range<usize>) -> Diagnostic {
        self.excerpt = Excerpt::of(text, range.clone());
        self.at(text, range.start)
    }

    /// As it is shown to a person: the line in question with what is meant underlined, where there is one, else one line.
    pub fn render(&self, color: Color) -> String {
        let (Some(excerpt), Some(place)) = (&self.excerpt, self.place) else {
            return self.to_string();
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let marked = AnnotationKind::Primary.span(excerpt.marked.0..excerpt.marked.1);
        let snippet =
            Snippet::source(&excerpt.line).path(&self.file).line_start(place.line as usize).annotation(marked);
        let group = level.primary_title(&self.message).id(self.code).element(snippet);
        let hint = self.hint.as_deref().map(|hint| Level::HELP.with_name("hint").message(hint));
        let renderer = match color {
            Color::Styled => Renderer::styled(),
            Color::Plain => Renderer::plain(),
        };
        renderer.render(&[group.elements(hint)])
    }

    /// The same with a next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }
}

/// Whether a rendering is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// For terminals.
    Styled,
    /// For files, pipes, and where `NO_COLOR` is set.
    Plain,
}

/// Longest line that is shown, in bytes: nobody reads a minified script.
const LINE_LIMIT: usize = 240;

impl Excerpt {
    fn of(text: &str, range: Range<usize>) -> Option<Excerpt> {
        let start = text.floor_char_boundary(range.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let mark = |at: usize| line.ceil_char_boundary(at.saturating_sub(line_start).min(line.len()));
        let marked = (mark(start), mark(range.end.max(start)));
        // A tab is as wide as the terminal likes: the underline would stand elsewhere.
        (line.len() <= LINE_LIMIT).then(|| Excerpt { line: line.replace('\t', " "), marked })
    }
}

impl Place {
    /// The place of a byte offset; past the end it is the end.
    pub fn of(text: &str, offset: usize) -> Place {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let characters = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        let newlines = text[..text.floor_char_boundary(offset)].matches('\n').count();
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

    #[test]
    fn a_finding_over_a_range_shows_its_line() {
        let text = "[site]\n\tnäme = 1 # x\r\n";
        let finding = Diagnostic::error("rimward.toml", "unknown-key", "no key `näme`")
            .over(text, 8..13)
            .hint("did you mean `name`?");
        let expected = "\
error[unknown-key]: no key `näme`
 --> rimward.toml:2:2
  |
2 |  näme = 1 # x
  |  ^^^^
  |
  = hint: did you mean `name`?";
        assert_eq!(finding.render(Color::Plain), expected);
        assert_eq!(finding.to_string(), "rimward.toml:2:2: error: no key `näme`\n  hint: did you mean `name`?");
    }

    #[test]
    fn a_long_line_is_not_shown() {
        let text = "x".repeat(5000);
        let finding = Diagnostic::error("app.js", "c", "m").over(&text, 4000..4001);
        assert_eq!(finding.render(Color::Plain), "app.js:1:4001: error: m");
    }

    #[test]
    fn ranges_outside_the_text_or_inside_a_character_do_no_harm() {
        let text = "aü\nb";
        for start in 0..8 {
            for end in 0..8 {
                let rendered = Diagnostic::error("f", "c", "m").over(text, start..end).render(Color::Plain);
                assert!(rendered.contains("f:"), "{rendered}");
            }
        }
    }
}

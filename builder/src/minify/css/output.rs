//! A style sheet while it is written: what of the space between two tokens stays, and from where each token came.

use cssparser::SourceLocation;

/// Where a token needs no space beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tight {
    Nowhere,
    Before,
    After,
    Around,
}

/// What has been written so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) text: String,
    /// Comments that must be published somewhere, with their delimiters.
    pub(super) licences: Vec<String>,
    /// Of every token: where it is (lines and columns from 0), and where it was (columns from 1). Empty where nobody asked.
    pub(super) places: Vec<(SourceLocation, SourceLocation)>,
    wants_places: bool,
    between: Between,
    last: Last,
    /// The last token may end with an escape, which would take a space for its end.
    escaped: bool,
    /// Semicolons that are written before what comes next, unless that ends the block.
    semicolons: usize,
    /// Where the text ends.
    end: SourceLocation,
}

/// What stands between the last token and the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Between {
    #[default]
    Nothing,
    Comment,
    Space,
    /// `\a b` is one word, `\a/**/ b` are two.
    CommentAndSpace,
}

/// What the last token wants behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// As little as the next one wants.
    #[default]
    Tight,
    Loose,
    /// The end of the line, which is all that ends it.
    Line,
}

impl Output {
    pub(super) fn new(wants_places: bool) -> Output {
        Output { wants_places, ..Output::default() }
    }

    pub(super) fn space(&mut self) {
        self.between = match self.between {
            Between::Comment | Between::CommentAndSpace if self.escaped => Between::CommentAndSpace,
            _ => Between::Space,
        };
    }

    pub(super) fn comment(&mut self, comment: &str) {
        self.between = self.between.max(Between::Comment);
        if comment.starts_with("/*!") || comment.contains("@license") || comment.contains("@preserve") {
            self.licences.push(comment.to_owned());
        }
    }

    /// Writes a token that was at `from`.
    pub(super) fn token(&mut self, token: &str, tight: Tight, from: SourceLocation) {
        self.part(matches!(tight, Tight::Before | Tight::Around), token);
        if self.wants_places {
            self.places.push((self.end, from));
        }
        self.push(token);
        self.escaped = token.contains('\\');
        self.last = if matches!(tight, Tight::After | Tight::Around) { Last::Tight } else { Last::Loose };
    }

    /// A token that ends with its line: the line break is no part of it, but without it the token would go on.
    pub(super) fn line(&mut self, token: &str, from: SourceLocation) {
        self.token(token, Tight::Nowhere, from);
        self.last = Last::Line;
    }

    /// Where a declaration, or a rule without a block, ends.
    pub(super) fn semicolon(&mut self) {
        self.line_break();
        (self.between, self.last) = (Between::Nothing, Last::Tight);
        self.semicolons += 1;
    }

    /// The end of a block of rules and declarations: the last needs no semicolon.
    pub(super) fn close(&mut self) {
        self.semicolons = 0;
        self.part(true, "}");
        self.push("}");
        self.last = Last::Tight;
    }

    /// The value of a custom property, which is nothing but space: some browsers want to see that.
    pub(super) fn empty_value(&mut self) {
        if self.between >= Between::Space {
            self.push(" ");
        }
    }

    pub(super) fn finish(mut self) -> Output {
        self.line_break();
        self.semicolons();
        self
    }

    /// Writes what must stand before a token.
    fn part(&mut self, tight: bool, token: &str) {
        self.line_break();
        self.semicolons();
        let joins = match token {
            "!" => self.text.ends_with('<'),
            ">" => self.text.ends_with("--"),
            _ => false,
        };
        let needed = joins || !tight && self.last == Last::Loose;
        match std::mem::take(&mut self.between) {
            Between::Space if needed => self.push(" "),
            // `a/**/b` are two words, `ab` is one.
            Between::Comment if needed => self.push("/**/"),
            Between::CommentAndSpace if needed => self.push("/**/ "),
            _ => {}
        }
    }

    fn line_break(&mut self) {
        if self.last == Last::Line {
            self.push("\n");
            (self.between, self.last) = (Between::Nothing, Last::Tight);
        }
    }

    fn semicolons(&mut self) {
        for _ in 0..std::mem::take(&mut self.semicolons) {
            self.push(";");
        }
    }

    fn push(&mut self, token: &str) {
        self.text.push_str(token);
        if !self.wants_places {
            return;
        }
        let mut characters = token.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\r' if characters.peek() == Some(&'\n') => {}
                '\n' | '\r' | '\x0C' => self.end = SourceLocation { line: self.end.line + 1, column: 0 },
                _ => self.end.column += u32::from(character.len_utf16() == 2) + 1,
            }
        }
    }
}

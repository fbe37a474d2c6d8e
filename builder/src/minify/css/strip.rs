//! Which space of a style sheet says nothing: that depends on the part of the grammar (CSS Syntax 3 §5) it stands in.
//!
//! Browsers drop what they do not know, and each knows another CSS. So nothing is decided here by what names mean, but for
//! the at-rules whose conditions name features. Where a mistake, or a syntax of tomorrow, leaves open what a part is, all
//! ways to read it agree on the space that goes.

use cssparser::{ParseError, Parser, Token};

use super::output::{Output, Tight};

/// Blocks within blocks past which a text is refused: the walk is recursive. Style sheets have fewer than ten.
const DEPTH_LIMIT: usize = 100;

/// At-rules with `(feature: value)` before their block; in others a colon may begin a selector.
const WITH_FEATURES: [&str; 3] = ["media", "supports", "container"];

/// A text without comments, and without space where none is needed; the error is the byte where it is nested too deeply.
pub(super) fn strip(text: &str, wants_places: bool) -> Result<Output, usize> {
    let mut walk = Walk { length: text.len(), output: Output::new(wants_places), depth: 0 };
    let mut parser = Parser::new(text);
    // Ours comes first: it says where.
    parser.set_nested_block_limit(u8::MAX);
    walk.statements(&mut parser)?;
    Ok(walk.output.finish())
}

/// A part of the grammar that is a list of tokens and blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What stands before the block of a rule.
    Selector,
    /// What stands behind `@media`, and its `(feature: value)`.
    Condition,
    /// `name: value`.
    Declaration,
    /// `--name: value`. Scripts may ask for the value, and nobody knows where it will be used.
    Custom,
    /// The inside of a block in such a value, and of braces where no rules are expected.
    Raw,
    /// Everything else.
    Plain,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Statements,
    List(Part),
}

/// A list as far as it was read.
struct List {
    part: Part,
    length: usize,
    /// It begins with a name: what follows may be a colon.
    named: bool,
}

impl List {
    fn new(part: Part) -> List {
        List { part, length: 0, named: false }
    }

    /// Where the next token needs no space.
    fn tight(&mut self, token: &Token<'_>) -> Tight {
        let is_second = self.length == 1;
        self.named |= self.length == 0 && matches!(token, Token::Ident(_));
        self.length += 1;
        let may_be_named = matches!(self.part, Part::Condition | Part::Declaration | Part::Custom);
        match token {
            Token::Colon if may_be_named && self.named && is_second => Tight::Around,
            _ if matches!(self.part, Part::Custom | Part::Raw) => Tight::Nowhere,
            Token::Comma => Tight::Around,
            Token::Function(_) | Token::ParenthesisBlock | Token::SquareBracketBlock => Tight::After,
            Token::Delim('>') if self.part == Part::Selector => Tight::Around,
            Token::Delim('!') if self.part == Part::Declaration => Tight::Before,
            _ => Tight::Nowhere,
        }
    }
}

struct Walk {
    /// Of the text, in bytes.
    length: usize,
    output: Output,
    depth: usize,
}

impl Walk {
    /// Rules and declarations: the sheet itself, or the inside of a block.
    fn statements(&mut self, parser: &mut Parser<'_>) -> Result<(), usize> {
        while let Some(first) = self.peek(parser) {
            if matches!(first, Token::CDO | Token::CDC) {
                self.token(parser, &first, &mut List::new(Part::Plain))?;
            } else {
                let part = part_of(parser, &first);
                self.statement(parser, part)?;
            }
        }
        Ok(())
    }

    /// A rule with its block, or whatever ends with a semicolon.
    fn statement(&mut self, parser: &mut Parser<'_>, part: Part) -> Result<(), usize> {
        let mut list = List::new(part);
        let mut ends = None;
        while ends.is_none()
            && let Some(token) = self.peek(parser)
        {
            match token {
                Token::Semicolon => ends = parser.next().ok().map(|_| ()),
                Token::CurlyBracketBlock if part != Part::Custom => {
                    return self.block(parser, "{", Tight::Around, Inside::Statements);
                }
                token => self.token(parser, &token, &mut list)?,
            }
        }
        if part == Part::Custom && list.length == 2 {
            self.output.empty_value();
        }
        if ends.is_some() {
            self.output.semicolon();
        }
        Ok(())
    }

    /// A token that was peeked at, with what it opens.
    fn token(&mut self, parser: &mut Parser<'_>, token: &Token<'_>, list: &mut List) -> Result<(), usize> {
        let tight = list.tight(token);
        let inside = match (token, list.part) {
            (Token::CurlyBracketBlock, _) | (_, Part::Custom | Part::Raw) => Part::Raw,
            (Token::ParenthesisBlock, Part::Condition) => Part::Condition,
            _ => Part::Plain,
        };
        match token {
            Token::Function(_) | Token::ParenthesisBlock => self.block(parser, ")", tight, Inside::List(inside)),
            Token::SquareBracketBlock => self.block(parser, "]", tight, Inside::List(inside)),
            Token::CurlyBracketBlock => self.block(parser, "}", tight, Inside::List(inside)),
            _ => {
                let from = parser.current_source_location();
                let text = step(parser);
                if matches!(token, Token::BadString(_) | Token::Delim('\\')) {
                    self.output.line(text, from);
                } else {
                    self.output.token(text, tight, from);
                }
                Ok(())
            }
        }
    }

    fn block(&mut self, parser: &mut Parser<'_>, close: &str, tight: Tight, inside: Inside) -> Result<(), usize> {
        let at = parser.position().byte_index();
        if self.depth == DEPTH_LIMIT {
            return Err(at);
        }
        let from = parser.current_source_location();
        let open = step(parser);
        self.output.token(open, tight, from);
        self.depth += 1;
        let mut end = Ok((0, from));
        let _: Result<(), ParseError<()>> = parser.parse_nested_block(|parser| {
            let read = match inside {
                Inside::Statements => self.statements(parser),
                Inside::List(part) => self.list(parser, part),
            };
            end = read.map(|()| (parser.position().byte_index(), parser.current_source_location()));
            Ok(())
        });
        self.depth -= 1;
        let (end, from) = end?;
        // The end of the text closes it as well; a bracket might be read as a part of a string or a URL that was cut off.
        if end == self.length {
            return Ok(());
        }
        match inside {
            Inside::Statements => self.output.close(),
            Inside::List(Part::Raw) => self.output.token(close, Tight::Nowhere, from),
            Inside::List(_) => self.output.token(close, Tight::Before, from),
        }
        Ok(())
    }

    /// The inside of brackets.
    fn list(&mut self, parser: &mut Parser<'_>, part: Part) -> Result<(), usize> {
        let mut list = List::new(part);
        while let Some(token) = self.peek(parser) {
            self.token(parser, &token, &mut list)?;
        }
        Ok(())
    }

    /// Steps over space and comments, up to the next token.
    fn peek<'a>(&mut self, parser: &mut Parser<'a>) -> Option<Token<'a>> {
        loop {
            let before = parser.state();
            let start = parser.position();
            let token = parser.next_including_whitespace_and_comments().ok()?.clone();
            match token {
                Token::WhiteSpace(_) => self.output.space(),
                Token::Comment(_) => self.output.comment(parser.slice_from(start)),
                token => {
                    parser.reset(&before);
                    return Some(token);
                }
            }
        }
    }
}

/// The text of the next token, which was peeked at.
fn step<'a>(parser: &mut Parser<'a>) -> &'a str {
    let start = parser.position();
    let _ = parser.next_including_whitespace_and_comments();
    parser.slice_from(start)
}

/// What begins with a token, which is the next one.
fn part_of(parser: &mut Parser<'_>, first: &Token<'_>) -> Part {
    let before = parser.state();
    let part = match first {
        Token::AtKeyword(name) if WITH_FEATURES.iter().any(|known| name.eq_ignore_ascii_case(known)) => Part::Condition,
        Token::AtKeyword(_) => Part::Plain,
        Token::Ident(name) => declared(parser, name.starts_with("--")),
        _ => ended(parser, Part::Plain),
    };
    parser.reset(&before);
    part
}

/// What begins with a name: `a:hover{}` is a rule, `a:hover;` is a declaration (CSS Syntax 3 §5.5.5).
fn declared(parser: &mut Parser<'_>, is_custom: bool) -> Part {
    let _ = parser.next();
    let behind = parser.state();
    if !matches!(parser.next(), Ok(Token::Colon)) {
        parser.reset(&behind);
        return ended(parser, Part::Plain);
    }
    if is_custom { Part::Custom } else { ended(parser, Part::Declaration) }
}

/// A selector, if a block comes first, or else.
fn ended(parser: &mut Parser<'_>, or_else: Part) -> Part {
    loop {
        match parser.next() {
            Ok(Token::CurlyBracketBlock) => return Part::Selector,
            Ok(Token::Semicolon) | Err(_) => return or_else,
            Ok(_) => {}
        }
    }
}

//! Cuts JavaScript into tokens, as coarsely as depth allows. Never fails: what is broken is cut somehow.

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// A number, a string, a regular expression, a template without substitutions or the last part of one with them.
    Operand,
    /// One character of an operator.
    Operator,
    Colon,
    Comma,
    Semicolon,
    /// `(`, `[`, `${`, the `{` of an object.
    Open,
    /// The `{` of a block, or what may be one.
    OpenBlock,
    /// The `(` of `if (`.
    OpenControl,
    /// `)`, `]`, and the `}` behind which an operator follows.
    Close,
    /// The `)` of `if (a)`: no operand.
    CloseControl,
    /// The `}` of a block, or what may be one.
    CloseBlock,
}

/// What a word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// An identifier, or a keyword that ends an operand.
    Name,
    /// `typeof`, `return`, `new`: an operand follows, none stands in front.
    Prefix,
    /// `in`, `instanceof`, `extends`: between operands.
    Infix,
    /// `case`, `default`: the statement in front has ended.
    Case,
    /// `if`, `for`, `while`, `do`, `with`: a statement may follow, which is part of this one.
    Statement,
    Else,
}

/// An open bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Plain,
    /// The `(` of `if (`, `for (`, `while (`, `with (`.
    Control,
    /// A `{` where a statement may begin.
    Block,
    /// `${`.
    Substitution,
}

/// Reads a text.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    brackets: Vec<Bracket>,
    last: Option<Token>,
    /// The last word may stand in front of a `(` that belongs to a statement.
    last_is_control: bool,
    /// Where the last token begins.
    pub(super) token_start: usize,
    /// Whether a line ended in front of the last token.
    pub(super) follows_newline: bool,
    /// The deepest nesting in a string or a regular expression so far.
    pub(super) pattern_depth: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        let at = if text.starts_with("#!") { text.find('\n').unwrap_or(text.len()) } else { 0 };
        Lexer {
            text,
            at,
            brackets: Vec::new(),
            last: None,
            last_is_control: false,
            token_start: 0,
            follows_newline: true,
            pattern_depth: 0,
        }
    }

    pub(super) fn next_token(&mut self) -> Option<Token> {
        self.skip_space();
        self.token_start = self.at;
        let byte = self.peek(0)?;
        let token = match byte {
            b'0'..=b'9' => self.number(),
            _ if is_word_byte(byte) => self.word(),
            b'"' | b'\'' => self.string(byte),
            b'`' => self.template(),
            b'/' if self.slash_begins_pattern() && self.pattern() => Token::Operand,
            _ => self.punctuator(byte),
        };
        if !matches!(token, Token::Word(_)) {
            self.last_is_control = false;
        }
        self.last = Some(token);
        Some(token)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips bytes of these classes.
    fn skip(&mut self, classes: u8) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| class(byte) & classes == 0).unwrap_or(rest.len());
    }

    /// White space and comments.
    fn skip_space(&mut self) {
        self.follows_newline = self.last.is_none();
        if self.peek(0).is_some_and(|byte| class(byte) & WORD != 0) {
            return;
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' | b'\r' => {
                    self.follows_newline = true;
                    self.at += 1;
                }
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.skip_comment(),
                // Comments of scripts in pages (ECMA-262 B.1.1). Elsewhere nothing sensible begins a line like this.
                b'<' if self.follows_newline && self.rest().starts_with("<!--") => self.skip_line(),
                b'-' if self.follows_newline && self.rest().starts_with("-->") => self.skip_line(),
                0x80.. if !self.skip_wide_space() => break,
                0x80.. => {}
                _ => break,
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(self.text.len() - self.at);
    }

    fn skip_comment(&mut self) {
        let length = self.rest()[2..].find("*/").map_or(self.text.len() - self.at, |length| length + 4);
        self.follows_newline |= self.rest()[..length].contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        self.at += length;
    }

    fn skip_wide_space(&mut self) -> bool {
        let Some(character) = self.rest().chars().next() else { return false };
        let is_space = character.is_whitespace() || character == '\u{feff}';
        if is_space {
            self.at += character.len_utf8();
            self.follows_newline |= matches!(character, '\u{2028}' | '\u{2029}');
        }
        is_space
    }

    fn string(&mut self, quote: u8) -> Token {
        self.at += 1;
        let mut nesting = Nesting::default();
        loop {
            self.skip(PLAIN);
            let Some(byte) = self.peek(0) else { break };
            self.at += if byte == b'\\' { self.escape() } else { 1 };
            nesting.read(byte);
            if byte == quote || byte == b'\n' || byte == b'\r' {
                break;
            }
        }
        self.pattern_depth = self.pattern_depth.max(nesting.deepest);
        Token::Operand
    }

    /// Bytes of a backslash and what it escapes: a line may end in two.
    fn escape(&self) -> usize {
        if self.peek(1) == Some(b'\r') && self.peek(2) == Some(b'\n') { 3 } else { 2 }
    }

    /// From the opening quote, or from the `}` of a substitution.
    fn template(&mut self) -> Token {
        self.at += 1;
        let mut nesting = Nesting::default();
        loop {
            self.skip(PLAIN);
            let Some(byte) = self.peek(0) else { break };
            if byte == b'$' && self.peek(1) == Some(b'{') {
                self.at += 2;
                self.brackets.push(Bracket::Substitution);
                return Token::Open;
            }
            self.at += if byte == b'\\' { 2 } else { 1 };
            nesting.read(byte);
            if byte == b'`' {
                break;
            }
        }
        self.pattern_depth = self.pattern_depth.max(nesting.deepest);
        Token::Operand
    }

    fn slash_begins_pattern(&self) -> bool {
        match self.last {
            Some(Token::Operand | Token::Close | Token::Word(Word::Name)) => false,
            None | Some(_) => true,
        }
    }

    /// A regular expression; where its line ends before it does, it was none.
    fn pattern(&mut self) -> bool {
        let start = self.at;
        let mut nesting = Nesting::default();
        let mut in_class = false;
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' | b'\r' => break,
                b'/' if !in_class => {
                    self.at += 1;
                    self.pattern_depth = self.pattern_depth.max(nesting.deepest);
                    return true;
                }
                b'[' => in_class = true,
                b']' => in_class = false,
                _ => {}
            }
            self.at += if byte == b'\\' { 2 } else { 1 };
            nesting.read(byte);
        }
        self.at = start;
        false
    }

    /// Also what follows it without a space: units, exponents, a decimal point.
    fn number(&mut self) -> Token {
        self.skip(WORD | WIDE | POINT);
        Token::Operand
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        self.skip(WORD);
        while self.peek(0).is_some_and(|byte| byte >= 0x80) {
            let character = self.rest().chars().next().unwrap_or_default();
            if character.is_whitespace() || character == '\u{feff}' {
                break;
            }
            self.at += character.len_utf8().max(1);
            self.skip(WORD);
        }
        let (before, word) = (&self.text.as_bytes()[..start], &self.text.as_bytes()[start..self.at]);
        // `a.if`: a property's name is no keyword.
        let is_property = before.ends_with(b".") && !before.ends_with(b"...");
        let word = if is_property { Word::Name } else { Word::of(word) };
        self.last_is_control = word == Word::Statement;
        Token::Word(word)
    }

    fn punctuator(&mut self, byte: u8) -> Token {
        self.at += 1;
        match byte {
            b'(' if self.last_is_control => self.open(Bracket::Control),
            b'{' if self.brace_begins_block() => self.open(Bracket::Block),
            b'(' | b'[' | b'{' => self.open(Bracket::Plain),
            b')' | b']' | b'}' => self.close(),
            b',' => Token::Comma,
            b';' => Token::Semicolon,
            b':' => Token::Colon,
            _ => Token::Operator,
        }
    }

    fn open(&mut self, bracket: Bracket) -> Token {
        self.brackets.push(bracket);
        match bracket {
            Bracket::Plain | Bracket::Substitution => Token::Open,
            Bracket::Control => Token::OpenControl,
            Bracket::Block => Token::OpenBlock,
        }
    }

    fn close(&mut self) -> Token {
        match self.brackets.pop() {
            None | Some(Bracket::Plain) => Token::Close,
            Some(Bracket::Control) => Token::CloseControl,
            Some(Bracket::Block) => Token::CloseBlock,
            Some(Bracket::Substitution) => {
                self.at -= 1;
                // The level stays open for the next substitution, and is a new one as a list's next item is.
                if self.template() == Token::Open { Token::Comma } else { Token::Close }
            }
        }
    }

    /// `) {` and `=> {` begin bodies, `=`, `(`, `return` and the like an object.
    fn brace_begins_block(&self) -> bool {
        match self.last {
            Some(Token::Operator) => self.text[..self.token_start].trim_end().ends_with("=>"),
            Some(
                Token::Comma | Token::Open | Token::OpenControl | Token::Word(Word::Prefix | Word::Infix | Word::Case),
            ) => false,
            _ => true,
        }
    }
}

impl Word {
    fn of(word: &[u8]) -> Word {
        match word {
            // What minifiers call almost everything.
            [_] => Word::Name,
            b"if" | b"for" | b"while" | b"do" | b"with" => Word::Statement,
            b"else" => Word::Else,
            b"case" | b"default" => Word::Case,
            b"extends" | b"in" | b"instanceof" | b"of" => Word::Infix,
            b"await" | b"delete" | b"new" | b"return" | b"throw" | b"typeof" | b"void" | b"yield" => Word::Prefix,
            _ => Word::Name,
        }
    }
}

/// Brackets in a text that may be read as a regular expression.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    deepest: usize,
}

impl Nesting {
    fn read(&mut self, byte: u8) {
        match byte {
            b'(' | b'[' => self.depth += 1,
            b')' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.deepest = self.deepest.max(self.depth);
    }
}

/// Letters, digits, `$`, `_`, escapes and private names: what words are of, in ASCII.
const WORD: u8 = 1;
/// What is not ASCII: most of it belongs to words.
const WIDE: u8 = 2;
const POINT: u8 = 4;
/// What means nothing in strings and templates.
const PLAIN: u8 = 8;

/// The classes of each byte: a text has many, and one look at a table is quicker than several comparisons.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is less than 256; `try_from` is not `const`")]
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || matches!(value, b'$' | b'_' | b'\\' | b'#') {
            classes[byte] |= WORD;
        }
        if value >= 0x80 {
            classes[byte] |= WIDE;
        }
        if value == b'.' {
            classes[byte] |= POINT;
        }
        if !matches!(value, b'"' | b'\'' | b'`' | b'\\' | b'\n' | b'\r' | b'$' | b'(' | b')' | b'[' | b']') {
            classes[byte] |= PLAIN;
        }
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

fn is_word_byte(byte: u8) -> bool {
    class(byte) & (WORD | WIDE) != 0
}

//! JavaScript: how deep parsers recurse at most, from tokens alone.
//!
//! Every open bracket is a level. A level has two counts: tokens of the statement that is not finished (`if`, `else`,
//! labels: they nest until the statement ends) and of the expression that is not finished (it ends at a comma). The
//! depth of a place is the sum of both over all open levels. Whether a `/` divides is told from what stands before it.

mod lexer;

use super::{MAX_PATTERN_DEPTH, MAX_SCRIPT_CHAINS, MAX_SCRIPT_DEPTH, Refusal, size, too_deep};
use lexer::{Lexer, Token, Word};

/// What has fewer tokens is not long: its square does not matter.
const LONG: usize = 500;

/// Whether a script may be given to a recursive parser.
pub fn script(text: &str) -> Result<(), Refusal> {
    size(text)?;
    let mut lexer = Lexer::new(text);
    let mut depth = Depth::default();
    while let Some(token) = lexer.next_token() {
        let newline = lexer.follows_newline;
        depth.read(token, newline);
        if depth.total > MAX_SCRIPT_DEPTH || depth.chains > MAX_SCRIPT_CHAINS || lexer.pattern_depth > MAX_PATTERN_DEPTH
        {
            return Err(too_deep(lexer.token_start));
        }
    }
    Ok(())
}

/// What is not finished, from the outermost bracket inwards.
#[derive(Debug, Default)]
struct Depth {
    /// The levels around the current one.
    around: Vec<Level>,
    current: Level,
    /// Of `around`, the brackets themselves, and `current`.
    total: usize,
    /// The sum of the squares of long expressions.
    chains: u64,
    last: Option<Token>,
}

/// Inside one bracket.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    statement: usize,
    expression: usize,
}

impl Depth {
    fn read(&mut self, token: Token, newline: bool) {
        match boundary(self.last, token, newline) {
            Boundary::None => {}
            Boundary::Expression => self.end_expression(),
            Boundary::Statement => self.end_statement(),
        }
        match token {
            Token::Word(Word::Name | Word::Prefix | Word::Infix | Word::Case)
            | Token::Operand
            | Token::Operator
            | Token::Colon => {
                self.current.expression += 1;
                self.total += 1;
            }
            Token::Open | Token::OpenBlock | Token::OpenControl => {
                self.current.expression += 1;
                self.total += 2;
                self.around.push(std::mem::take(&mut self.current));
            }
            Token::Close | Token::CloseControl | Token::CloseBlock => {
                self.end_statement();
                if let Some(level) = self.around.pop() {
                    self.total -= 1;
                    self.current = level;
                }
            }
            Token::Word(Word::Statement | Word::Else) => {
                self.current.statement += 1;
                self.total += 1;
            }
            Token::Comma | Token::Semicolon => {}
        }
        self.last = Some(token);
    }

    fn end_expression(&mut self) {
        let tokens = std::mem::take(&mut self.current.expression);
        self.total -= tokens;
        self.count_long(tokens);
    }

    fn end_statement(&mut self) {
        self.end_expression();
        let tokens = std::mem::take(&mut self.current.statement);
        self.total -= tokens;
        // Statements inside statements take the minifier that much longer than operators.
        self.count_long(tokens.saturating_mul(8));
    }

    fn count_long(&mut self, tokens: usize) {
        if tokens > LONG {
            self.chains = self.chains.saturating_add((tokens as u64).pow(2));
        }
    }
}

/// What ends between two tokens.
#[derive(Debug, PartialEq, Eq)]
enum Boundary {
    Statement,
    Expression,
    None,
}

fn boundary(last: Option<Token>, next: Token, newline: bool) -> Boundary {
    let begins_statement = matches!(next, Token::Operand | Token::Word(Word::Name | Word::Prefix | Word::Statement));
    let ends_statement = match last {
        Some(Token::Semicolon) => true,
        Some(Token::CloseBlock) => begins_statement || next == Token::OpenBlock,
        // A line that could not go on otherwise ends a statement (ECMA-262 §12.10); behind `if (a)` it does not.
        Some(Token::Operand | Token::Close | Token::Word(Word::Name)) => newline && begins_statement,
        _ => false,
    };
    match (last, next) {
        // `if (a) b; else c`: the statement goes on.
        (_, Token::Word(Word::Else)) => Boundary::Expression,
        _ if ends_statement || next == Token::Word(Word::Case) => Boundary::Statement,
        (Some(Token::Comma), _) => Boundary::Expression,
        _ => Boundary::None,
    }
}

#[cfg(test)]
mod tests;

//! Bounds size, nesting and chains of a text before a recursive parser sees it.
//!
//! Parsers and the passes behind them recurse once for every bracket, and once for every operator of `a+a+a+…`; past the
//! end of the stack the process aborts, which nothing can catch. Some passes also look at a whole chain once for every
//! term of it. A scan that reads every byte once finds both. It reads just enough of each grammar to skip strings,
//! comments, regular expressions and templates, and counts rather too much than too little.

mod script;

use super::Refusal;

pub use script::script;

/// Published files have at most 25 MiB (a limit of the platform), and minifiers halve what people write. A parser needs
/// some ten times as much memory as the text has bytes.
const MAX_BYTES: usize = 48 << 20;

/// Of JavaScript: brackets, and tokens of the unfinished expressions and statements around them, from the outermost to
/// the innermost. Threads have 64 MB: 6.7 KB for each of these. In 8 MB the parser aborted at 8,000 `[` (1 KB each).
const MAX_SCRIPT_DEPTH: usize = 10_000;

/// Of JavaScript: the sum over long expressions of the square of their tokens; a chain of 10,000 takes the minifier
/// about 0.15 s, so a text at the bound about 7 s.
const MAX_SCRIPT_CHAINS: u64 = 50 * 10_000 * 10_000;

/// Of a string or a regular expression in JavaScript: brackets, since the minifier parses what `RegExp` is called with.
const MAX_PATTERN_DEPTH: usize = 1_000;

fn size(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::new(format!("it has more than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(())
}

fn too_deep(offset: usize) -> Refusal {
    Refusal::new("it is nested too deeply, or has too long an expression").at(offset)
}

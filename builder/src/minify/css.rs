//! Style sheets: comments, space and semicolons go where they part nothing; every other token stays, in its place.
//!
//! Authors write one property twice, prefixed and not, or a rule for each of two selectors, for browsers that drop what
//! they do not know. Whoever joins, orders or respells such things has to know all of these browsers; once compressed,
//! it saves next to nothing.

mod output;
mod strip;

use oxc_sourcemap::Token;

use super::{Input, Minified, Refusal, maps};
use output::Output;

/// The minifier of style sheets.
pub(super) fn minify(input: &Input<'_>) -> Result<Minified, Refusal> {
    let Output { text, licences, places, .. } = strip::strip(without_mark(input.text), input.wants_map)
        .map_err(|offset| Refusal::new("it is nested too deeply").at(offset))?;
    let token = |(to, from): (cssparser::SourceLocation, cssparser::SourceLocation)| {
        Token::new(to.line, to.column, from.line, from.column.saturating_sub(1), Some(0), None)
    };
    let map = input.wants_map.then(|| maps::of_tokens(places.into_iter().map(token).collect(), std::iter::empty()));
    Ok(Minified { text, map, licences, diagnostics: Vec::new() })
}

/// A style sheet inside a page: as small as it gets, or `None`.
pub(super) fn shrink(text: &str) -> Option<String> {
    strip::strip(text, false).ok().filter(|output| output.licences.is_empty()).map(|output| output.text)
}

/// Style sheets are served as UTF-8, which is all that a byte order mark says; here it would be read as part of a name.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests;

//! Source maps: found, shifted by what linking replaced, composed with what a minifier made.
//!
//! Names and contents of sources are passed on as the bundler wrote them; none is ever resolved or read. The comment
//! that names a map is taken off every text, and made again by who knows the map's final name.

mod comment;
mod shift;

use std::borrow::Cow;

use oxc_sourcemap::{SourceMap, SourceMapParts, Token};

use crate::syntax::json;

pub use comment::{Place, comment, find_comment};
pub use shift::shift;

/// What the JSON of every map here begins with.
const VERSION: &str = "{\"version\":3,";

/// A map from a minifier's output to its input. Neither the input's name nor its text is in it.
pub fn of_tokens<'a>(tokens: Vec<Token>, names: impl Iterator<Item = &'a str>) -> String {
    let map = SourceMap::from_parts(SourceMapParts {
        file: None,
        names: names.map(Cow::Borrowed).collect(),
        source_root: None,
        sources: vec![Cow::Borrowed("")],
        source_contents: Vec::new(),
        tokens: tokens.into_boxed_slice(),
        token_chunks: None,
        ignore_list: None,
        debug_id: None,
    });
    map.to_json_string()
}

/// Reads a bundler's map; the error is a sentence's end.
pub fn parse(json: &str) -> Result<SourceMap<'_>, String> {
    SourceMap::from_json_string(json::of_map(json)).map_err(|error| error.to_string())
}

/// The map from a minifier's output to what the bundler's map names, as JSON without `file`.
pub fn compose(minifier: &str, bundler: SourceMap<'_>) -> Result<String, String> {
    let minifier = parse(minifier)?;
    if minifier.get_sources().len() > 1 {
        return Err("the minifier's map names several sources".to_owned());
    }
    let debug_id = bundler.get_debug_id().map(str::to_owned);
    let mut parts = minifier.compose(bundler).into_parts();
    parts.debug_id = debug_id.map(Cow::Owned);
    Ok(to_json(parts))
}

/// A map as JSON without `file`, and without mappings that say the same as the one before.
pub fn to_json(mut parts: SourceMapParts<'_>) -> String {
    let mut tokens = std::mem::take(&mut parts.tokens).into_vec();
    tokens.dedup_by(|next, last| says_the_same(next, last));
    parts.tokens = tokens.into_boxed_slice();
    parts.file = None;
    parts.token_chunks = None;
    SourceMap::from_parts(parts).to_json_string()
}

fn says_the_same(next: &Token, last: &Token) -> bool {
    let place =
        |token: &Token| (token.get_dst_line(), token.get_source_id(), token.get_src_line(), token.get_src_col());
    place(next) == place(last) && next.get_name_id() == last.get_name_id()
}

/// The JSON of a map of this module with the name of the file that it belongs to.
pub fn with_file(json: &str, file: &str) -> String {
    let file = serde_json::Value::from(file);
    match json.strip_prefix(VERSION) {
        Some(rest) => format!("{VERSION}\"file\":{file},{rest}"),
        None => json.to_owned(),
    }
}

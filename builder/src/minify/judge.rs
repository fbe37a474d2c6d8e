//! Judges whether a smaller text is worth publishing.
//!
//! For HTML, SVG and JSON the smallest text is often not the smallest once compressed: a minifier's output was seen to
//! be 11 % larger than another's that had more bytes. So both are compressed, quickly, and the source stays where it is not
//! beaten clearly; else it would flip between releases.

use brotli::enc::BrotliEncoderParams;

/// Of the source's compressed size, what must be saved.
const MARGIN_PERCENT: usize = 2;

/// Past this the texts are taken by their plain size: compressing would take longer than it tells.
const COMPRESS_LIMIT: usize = 4 << 20;

/// Whether `smaller` is to be published in place of `source`.
pub(super) fn beats(smaller: &str, source: &str) -> bool {
    let (ours, theirs) = if source.len() > COMPRESS_LIMIT {
        (smaller.len(), source.len())
    } else {
        (compressed_size(smaller), compressed_size(source))
    };
    ours * 100 <= theirs * (100 - MARGIN_PERCENT)
}

fn compressed_size(text: &str) -> usize {
    let parameters = BrotliEncoderParams { quality: 5, size_hint: text.len(), ..BrotliEncoderParams::default() };
    let mut compressed = Vec::new();
    match brotli::BrotliCompress(&mut text.as_bytes(), &mut compressed, &parameters) {
        Ok(_) => compressed.len(),
        // Writing to memory does not fail; if it did, the plain size would be the best guess.
        Err(_) => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_saves_nothing_is_not_worth_it() {
        let entry = |number: usize| format!("{{\"name\": {number}, \"value\": {}}}", number * 7919 % 1000);
        let source: String = (0..200).map(entry).collect();
        assert!(!beats(&source, &source));
        assert!(!beats(&source[1..], &source), "one byte is not worth it");
        assert!(beats(&source[..source.len() / 2], &source));
    }
}

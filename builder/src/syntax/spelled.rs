//! A value as its format spells it: what it says, and where each byte of that stands in the source.
//!
//! `/a&amp;b.png` in an attribute says `/a&b.png`; to replace `b` one must know that it stands at byte 7, not at 3.

use std::borrow::Cow;
use std::ops::Range;

/// A value without its escapes, and the way back to the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled<'a> {
    /// What the value says.
    pub text: Cow<'a, str>,
    /// Where it stands in the source, without quotes.
    pub span: Range<usize>,
    /// In order; everything between them is verbatim.
    escapes: Vec<Escape>,
}

/// A stretch that the source spells otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Escape {
    decoded: Range<usize>,
    source: Range<usize>,
}

impl<'a> Spelled<'a> {
    /// A value without escapes.
    pub fn verbatim(source: &'a str, span: Range<usize>) -> Spelled<'a> {
        Spelled { text: Cow::Borrowed(&source[span.clone()]), span, escapes: Vec::new() }
    }

    /// Decodes the value at `span`: at each occurrence of `sign`, `decode` is given the rest of the value and says how
    /// many bytes are an escape of what; `None` leaves the sign as it stands.
    pub fn decode(
        source: &'a str,
        span: Range<usize>,
        sign: u8,
        decode: impl Fn(&str) -> Option<(usize, Cow<'static, str>)>,
    ) -> Spelled<'a> {
        let raw = &source[span.clone()];
        if !raw.as_bytes().contains(&sign) {
            return Spelled::verbatim(source, span);
        }
        let mut text = String::with_capacity(raw.len());
        let mut escapes = Vec::new();
        let mut verbatim_from = 0;
        let mut at = 0;
        while let Some(found) = raw.as_bytes()[at..].iter().position(|&byte| byte == sign) {
            at += found;
            let Some((length, meaning)) = decode(&raw[at..]) else {
                at += 1;
                continue;
            };
            text.push_str(&raw[verbatim_from..at]);
            let start = text.len();
            text.push_str(&meaning);
            let source = span.start + at..span.start + at + length;
            escapes.push(Escape { decoded: start..text.len(), source });
            at += length;
            verbatim_from = at;
        }
        text.push_str(&raw[verbatim_from..]);
        Spelled { text: Cow::Owned(text), span, escapes }
    }

    /// The bytes of the source that spell a range of `text`. A range that cuts through an escape takes it whole.
    pub fn source_of(&self, range: Range<usize>) -> Range<usize> {
        let before = self.escapes.partition_point(|escape| escape.decoded.end <= range.start);
        let start = self.boundary(range.start, before, |escape| escape.source.start);
        // Escapes that say nothing (a line that goes on, in CSS) stay outside at the end.
        let ended = |escape: &Escape| escape.decoded.end <= range.end && escape.decoded.start < range.end;
        let end = self.boundary(range.end, self.escapes.partition_point(ended), |escape| escape.source.end);
        start..end.max(start)
    }

    /// The place of a decoded offset, with `before` escapes ended before it.
    fn boundary(&self, offset: usize, before: usize, inside: impl Fn(&Escape) -> usize) -> usize {
        if let Some(cut) = self.escapes.get(before).filter(|escape| escape.decoded.start < offset) {
            return inside(cut);
        }
        match before.checked_sub(1).map(|last| &self.escapes[last]) {
            Some(last) => last.source.end + (offset - last.decoded.end),
            None => self.span.start + offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `~x` says `X`, `~~` says nothing, a lone `~` says itself.
    fn toy(source: &str) -> Spelled<'_> {
        Spelled::decode(source, 0..source.len(), b'~', |rest| match rest.as_bytes().get(1) {
            Some(b'x') => Some((2, "X".into())),
            Some(b'~') => Some((2, "".into())),
            _ => None,
        })
    }

    #[test]
    fn ranges_lead_back_to_the_source() {
        let value = toy("a~xb~c~~d");
        assert_eq!(value.text, "aXb~cd");
        assert_eq!(value.source_of(0..1), 0..1);
        assert_eq!(value.source_of(1..2), 1..3);
        assert_eq!(value.source_of(2..3), 3..4);
        assert_eq!(value.source_of(3..5), 4..6);
        assert_eq!(value.source_of(5..6), 8..9);
    }

    proptest! {
        #[test]
        fn what_is_verbatim_in_the_text_is_the_same_in_the_source(source in "[ax~]{0,12}") {
            let value = toy(&source);
            for (at, character) in value.text.char_indices().filter(|(_, character)| *character == 'a') {
                let span = value.source_of(at..at + 1);
                prop_assert_eq!(&source[span], character.to_string());
            }
        }
    }
}

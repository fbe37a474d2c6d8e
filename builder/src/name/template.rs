//! A file's text with holes where names of others will stand.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::link::placeholder::{Meaning, Placeholders};

/// A file as text between holes; bytes without any are one piece.
#[derive(Debug, Clone)]
pub(super) struct Template<'a> {
    /// In order.
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// What stands there.
    Bytes(&'a [u8]),
    /// What will be filled in.
    Hole(&'a Meaning),
}

impl<'a> Template<'a> {
    /// A file in which nothing is replaced.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Template<'a> {
        Template { pieces: vec![Piece::Bytes(bytes)] }
    }

    /// A text with placeholders, and what is put behind it.
    pub(super) fn of_text(text: &'a str, behind: &'a str, placeholders: &'a Placeholders) -> Template<'a> {
        let lengths: BTreeSet<usize> = placeholders.meanings.keys().map(String::len).collect();
        let mut pieces = Vec::new();
        let mut done = 0;
        let mut from = 0;
        while let Some(at) = find(text, &placeholders.marker, from) {
            // The longest first: a short placeholder may be the beginning of a long one.
            let meant = lengths.iter().rev().find_map(|&length| {
                let candidate = text.get(at..at + length)?;
                placeholders.meanings.get(candidate).map(|meaning| (length, meaning))
            });
            let Some((length, meaning)) = meant else {
                from = at + 1;
                continue;
            };
            pieces.extend([Piece::Bytes(&text.as_bytes()[done..at]), Piece::Hole(meaning)]);
            done = at + length;
            from = done;
        }
        pieces.extend([Piece::Bytes(&text.as_bytes()[done..]), Piece::Bytes(behind.as_bytes())]);
        Template { pieces }
    }

    /// What is to be filled in.
    pub(super) fn holes(&self) -> impl Iterator<Item = &'a Meaning> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Bytes(_) => None,
            Piece::Hole(meaning) => Some(*meaning),
        })
    }

    /// The bytes with every hole filled. The filler also sees the last byte before the hole.
    pub(super) fn fill<'v>(&self, mut value: impl FnMut(&'a Meaning, Option<u8>) -> Cow<'v, str>) -> Vec<u8> {
        let mut filled = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => filled.extend_from_slice(bytes),
                Piece::Hole(meaning) => {
                    let value = value(meaning, filled.last().copied());
                    filled.extend_from_slice(value.as_bytes());
                }
            }
        }
        filled
    }
}

fn find(text: &str, marker: &str, from: usize) -> Option<usize> {
    // Without a marker there are no placeholders.
    if marker.is_empty() {
        return None;
    }
    text[from..].find(marker).map(|at| from + at)
}

//! Placeholders: what stands in a text where a fingerprint, an integrity value or a revision will.
//!
//! A placeholder has the length of what replaces it, so that nothing shifts when it is filled in; it holds lower-case
//! letters and digits only, so that minifiers take it for part of a word; and it begins with a marker that occurs in
//! no source. The marker's letters differ from each other and its first one occurs nowhere else in a placeholder, so
//! every occurrence of the marker in a linked text is the start of a placeholder.

use std::collections::BTreeMap;

use memchr::memmem;
use sha2::{Digest, Sha256};

use crate::scan::SourcePath;

/// Characters of a fingerprint.
pub const FINGERPRINT_LENGTH: usize = 10;

/// Characters of a revision in a precache list: those of the MD5 that Workbox writes.
pub const REVISION_LENGTH: usize = 32;

/// Letters for markers, the rarest in words and identifiers first.
const RARE: &[u8] = b"qzxjvkwyfgbphdmlcurstnaoie";

/// Letters of a marker. Four rare ones occur by chance in one text of 10 MB in two; another four do not.
const MARKER_LENGTH: usize = 4;

/// Different runs of [`MARKER_LENGTH`] lower-case letters.
const RUNS: usize = 26 * 26 * 26 * 26;

/// What placeholders stand for.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    /// Letters; in no source.
    pub marker: String,
    /// By the placeholder's text, marker included.
    pub meanings: BTreeMap<String, Meaning>,
}

/// What one placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The fingerprint of all files that carried this token of the bundler's.
    Token(String),
    /// The fingerprint of a file that carried none.
    File(SourcePath),
    /// The integrity value of a file (`sha384-...`), of its final bytes; as long as the value it replaces.
    Integrity {
        /// The file.
        file: SourcePath,
        /// The digest.
        algorithm: Algorithm,
    },
    /// [`REVISION_LENGTH`] hexadecimal digits that change when the final bytes of this file do.
    Revision(SourcePath),
}

/// The digests that Subresource Integrity knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A placeholder in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Where it begins (bytes).
    pub at: usize,
    /// The placeholder.
    pub text: &'a str,
    /// What it stands for.
    pub meaning: &'a Meaning,
}

impl Algorithm {
    /// All, the weakest first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    /// As it stands before the dash of an integrity value.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// The characters of an integrity value: name, dash, and the digest in base64 with its padding.
    pub fn integrity_length(self) -> usize {
        let base64 = match self {
            Algorithm::Sha256 => 44,
            Algorithm::Sha384 => 64,
            Algorithm::Sha512 => 88,
        };
        self.name().len() + 1 + base64
    }
}

impl Meaning {
    /// The length of what replaces it.
    pub fn length(&self) -> usize {
        match self {
            Meaning::Token(_) | Meaning::File(_) => FINGERPRINT_LENGTH,
            Meaning::Integrity { algorithm, .. } => algorithm.integrity_length(),
            Meaning::Revision(_) => REVISION_LENGTH,
        }
    }
}

impl Placeholders {
    /// No placeholders yet; a marker that is in none of the texts. `None` where they hold every possible one.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Option<Placeholders> {
        let marker = choose_marker(texts)?;
        Some(Placeholders { marker, meanings: BTreeMap::new() })
    }

    /// The placeholder for a meaning. `identity` says what is meant in words that are stable between builds (logical
    /// paths, not the bundler's names), so that an unchanged text stays unchanged with its placeholders in it.
    pub fn define(&mut self, identity: &str, meaning: Meaning) -> String {
        let mut attempt = 0;
        loop {
            let text = self.text(identity, meaning.length(), attempt);
            let taken = self.starting_with(&text[..FINGERPRINT_LENGTH]);
            match taken {
                None => {
                    self.meanings.insert(text.clone(), meaning);
                    return text;
                }
                Some((_, other)) if *other == meaning => return text,
                Some(_) => attempt += 1,
            }
        }
    }

    /// The placeholder that [`Placeholders::define`] gave to this meaning, or would give first.
    pub fn text_of(&self, identity: &str, meaning: &Meaning) -> String {
        let attempts = (0..).map(|attempt| self.text(identity, meaning.length(), attempt));
        let settled =
            |text: &String| self.starting_with(&text[..FINGERPRINT_LENGTH]).is_none_or(|(_, other)| other == meaning);
        attempts.into_iter().find(settled).unwrap_or_default()
    }

    /// All placeholders of a text, in order.
    pub fn find<'p, 't>(&'p self, text: &'t [u8]) -> impl Iterator<Item = Found<'p>> + use<'p, 't> {
        let found = (!self.marker.is_empty()).then(|| memmem::find_iter(text, self.marker.as_bytes()));
        found.into_iter().flatten().filter_map(move |at| {
            let head = std::str::from_utf8(text.get(at..at + FINGERPRINT_LENGTH)?).ok()?;
            let (placeholder, meaning) = self.starting_with(head)?;
            text[at..].starts_with(placeholder.as_bytes()).then_some(Found { at, text: placeholder, meaning })
        })
    }

    /// How often each placeholder occurs.
    pub fn count(&self, text: &[u8]) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for found in self.find(text) {
            *counts.entry(found.text).or_default() += 1;
        }
        counts
    }

    /// Overwrites placeholders in place. `value` says with what; `None`, or a value of another length, leaves it.
    pub fn fill(&self, text: &mut [u8], mut value: impl FnMut(&Meaning) -> Option<String>) {
        let found: Vec<(usize, Meaning)> = self.find(text).map(|found| (found.at, found.meaning.clone())).collect();
        for (at, meaning) in found {
            if let Some(value) = value(&meaning).filter(|value| value.len() == meaning.length()) {
                text[at..at + value.len()].copy_from_slice(value.as_bytes());
            }
        }
    }

    /// The first characters tell all placeholders apart, the long ones too.
    fn starting_with(&self, head: &str) -> Option<(&str, &Meaning)> {
        let (text, meaning) = self.meanings.range(head.to_owned()..).next()?;
        text.starts_with(head).then_some((text.as_str(), meaning))
    }

    fn text(&self, identity: &str, length: usize, attempt: u32) -> String {
        let digest = Sha256::new().chain_update(attempt.to_le_bytes()).chain_update(identity).finalize();
        let digits: Vec<u8> =
            (b'0'..=b'9').chain(b'a'..=b'z').filter(|&digit| !self.marker.as_bytes().starts_with(&[digit])).collect();
        let rest = length.saturating_sub(self.marker.len());
        let tail = digest.iter().cycle().take(rest).map(|&byte| char::from(digits[usize::from(byte) % digits.len()]));
        self.marker.chars().chain(tail).collect()
    }
}

/// The first marker, in an order that is always the same, that occurs in none of the texts.
fn choose_marker<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let mut seen = vec![false; RUNS];
    for text in texts {
        note_runs(text, &mut seen);
    }
    let letters = RARE.len();
    (0..letters.pow(4))
        .map(|number| {
            [number / letters.pow(3), number / letters.pow(2) % letters, number / letters % letters, number % letters]
        })
        .map(|places| places.map(|place| RARE[place]))
        .filter(|run| (1..run.len()).all(|at| !run[..at].contains(&run[at])))
        .find(|run| !seen[run.iter().fold(0, |number, &letter| push(number, letter))])
        .map(|run| run.iter().map(|&letter| char::from(letter)).collect())
}

fn push(number: usize, letter: u8) -> usize {
    (number * 26 + usize::from(letter - b'a')) % RUNS
}

/// Marks every run of four lower-case letters of the text.
fn note_runs(text: &[u8], seen: &mut [bool]) {
    let (mut number, mut length) = (0, 0);
    for &byte in text {
        if !byte.is_ascii_lowercase() {
            length = 0;
            continue;
        }
        number = push(number, byte);
        length += 1;
        if length >= MARKER_LENGTH {
            seen[number] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(path: &str) -> SourcePath {
        SourcePath::parse(path).expect("a path")
    }

    fn placeholders(texts: &[&str]) -> Placeholders {
        Placeholders::new(texts.iter().map(|text| text.as_bytes())).expect("a marker")
    }

    #[test]
    fn the_marker_is_the_same_in_each_build_and_gives_way_to_a_text_that_holds_it() {
        let first = placeholders(&["a"]).marker;
        assert_eq!(first, placeholders(&["something else"]).marker);
        assert_ne!(first, placeholders(&[&format!("x{first}y")]).marker);
    }

    #[test]
    fn a_text_that_holds_every_marker_leaves_none() {
        let mut all = String::new();
        for number in 0..RUNS {
            let letter = |of: usize| char::from(b'a' + u8::try_from(of % 26).expect("below 26"));
            all.extend([letter(number / 17576), letter(number / 676), letter(number / 26), letter(number), ' ']);
        }
        assert!(Placeholders::new([all.as_bytes()]).is_none());
    }

    #[test]
    fn a_placeholder_has_the_length_of_what_it_stands_for_and_no_character_that_minifiers_split_at() {
        let mut table = placeholders(&[""]);
        let file = path("a.js");
        let integrity = |algorithm| Meaning::Integrity { file: file.clone(), algorithm };
        for meaning in [Meaning::File(file.clone()), Meaning::Revision(file.clone()), integrity(Algorithm::Sha512)] {
            let text = table.define(&format!("{meaning:?}"), meaning.clone());
            assert_eq!(text.len(), meaning.length(), "{text}");
            assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{text}");
            assert_eq!(text.matches(&table.marker[..1]).count(), 1, "{text}");
        }
    }

    #[test]
    fn two_meanings_never_share_a_placeholder_even_with_one_identity() {
        let mut table = placeholders(&[""]);
        let one = table.define("same", Meaning::Token("a".into()));
        let other = table.define("same", Meaning::Token("b".into()));
        assert_ne!(one, other);
        assert_eq!(table.define("same", Meaning::Token("b".into())), other);
    }

    #[test]
    fn placeholders_are_counted_and_filled_where_they_stand() {
        let mut table = placeholders(&[""]);
        let app = table.define("app", Meaning::File(path("app.js")));
        let digest = table.define("digest", Meaning::Integrity { file: path("app.js"), algorithm: Algorithm::Sha256 });
        let mut text = format!("a-{app}.js,{app}{app} {digest} {}", &app[..9]).into_bytes();
        assert_eq!(table.count(&text), BTreeMap::from([(app.as_str(), 3), (digest.as_str(), 1)]));
        table.fill(&mut text, |meaning| match meaning {
            Meaning::File(_) => Some("0123456789".into()),
            _ => Some("too short".into()),
        });
        let expected = format!("a-0123456789.js,01234567890123456789 {digest} {}", &app[..9]);
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }

    proptest! {
        #[test]
        fn every_placeholder_is_found_whatever_stands_around_it(before in "[a-z]{0,12}", after in "[a-z0-9]{0,12}") {
            let mut table = placeholders(&[&before, &after]);
            let one = table.define("one", Meaning::Token("one".into()));
            let two = table.define("two", Meaning::Token("two".into()));
            let text = format!("{before}{one}{two}{after}");
            let found: Vec<usize> = table.find(text.as_bytes()).map(|found| found.at).collect();
            prop_assert_eq!(found, vec![before.len(), before.len() + FINGERPRINT_LENGTH]);
        }
    }
}

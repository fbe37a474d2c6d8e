//! Which part of a file's name is a bundler's fingerprint.
//!
//! The pattern of one bundler eats ordinary names of another's (`user-settings.png` fits Vite's), so one grammar is
//! chosen per build, from the markers in its scripts and where most names fit; and a token that could be a word, a
//! date or a size counts only where something else confirms it.

use std::ops::Range;

use memchr::memmem;

use crate::scan::{Kind, Source};

/// Characters of the tokens of Vite, Rollup and esbuild, where nobody has chosen another number. Shorter ones are no
/// fingerprints here: they would be found in texts by accident.
const SHORT: usize = 8;

/// Of a digest of 128 bits, Rollup's longest, in hexadecimal.
const LONGEST_OF_VITE: usize = 32;

/// A run of hexadecimal digits that is a whole stem: webpack's `[hash]` has 20, MD5 has 32.
const LONG_HEX: usize = 16;

/// SHA-512 in hexadecimal.
const LONGEST_HEX: usize = 128;

/// How a bundler writes fingerprints into names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grammar {
    /// Vite, Rollup: `index-Cd8DgnZB.js`, characters of base64url, eight of them where nobody chose another number.
    Vite,
    /// webpack, Rspack: `main.236c94eb.js`, eight hexadecimal digits or more.
    Webpack,
    /// Parcel: `shop.c6b58617.js`.
    Parcel,
    /// esbuild: `chunk-KYZ57CU4.js`, eight characters of base32.
    Esbuild,
    /// No name carries a fingerprint.
    None,
}

/// A part of a file's name that may be a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where in the name.
    pub(crate) token: Range<usize>,
    /// How much it looks like one.
    pub(crate) look: Look,
}

/// What a token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// Like a word, a date, a size: one in fifty fingerprints does, and many ordinary names.
    Word,
    /// Like chance.
    Random,
}

impl Grammar {
    /// The grammars that can be recognised, the better known first: the first wins a tie.
    pub const ALL: [Grammar; 4] = [Grammar::Vite, Grammar::Webpack, Grammar::Parcel, Grammar::Esbuild];

    /// The candidate in a file's name; `length` counts where this bundler's tokens do not show where they begin.
    fn candidate(self, name: &str, length: usize) -> Option<Candidate> {
        match self {
            Grammar::Vite => base64url(name, length),
            Grammar::Webpack | Grammar::Parcel => hex(name),
            Grammar::Esbuild => base32(name),
            Grammar::None => None,
        }
    }

    /// Whether the name has the form that this bundler writes by default, and looks like chance.
    fn is_usual(self, name: &str, length: usize) -> bool {
        let Some(candidate) = self.candidate(name, length).filter(|candidate| candidate.look == Look::Random) else {
            return false;
        };
        let separator = candidate.token.start.checked_sub(1).map(|at| name.as_bytes()[at]);
        match self {
            Grammar::Vite => separator == Some(b'-') && !is_base32(&name[candidate.token]),
            Grammar::Webpack => separator.is_none_or(|separator| separator == b'.'),
            Grammar::Parcel => separator == Some(b'.') && candidate.token.len() == SHORT,
            Grammar::Esbuild => separator == Some(b'-'),
            Grammar::None => false,
        }
    }

    /// Texts that only this bundler's runtime holds; minifiers keep them.
    fn markers(self) -> &'static [&'static str] {
        match self {
            Grammar::Vite => &["__vite__mapDeps", "vite:preloadError", "modulepreload"],
            Grammar::Webpack => {
                &["webpackChunk", "__webpack_require__", "rspackChunk", "Automatic publicPath is not supported"]
            }
            Grammar::Parcel => &["parcelRequire", "$parcel$"],
            Grammar::Esbuild => &["Dynamic require of \"", "__esModule\",{value:!0}),"],
            Grammar::None => &[],
        }
    }

    fn marks(self, source: &Source) -> bool {
        source.kind == Kind::Script
            && self.markers().iter().any(|marker| memmem::find(&source.bytes, marker.as_bytes()).is_some())
    }
}

/// How the names of one build are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) grammar: Grammar,
    /// Characters of a token, where the grammar leaves it open: Rollup has one pattern for chunks (`chunkFileNames`)
    /// and one for all else (`assetFileNames`), each with a length of its own (`[hash:12]`).
    of_chunks: usize,
    of_assets: usize,
}

impl Form {
    /// The form of a build: the grammar in which most names fit, markers counting as much as half of all names.
    pub(crate) fn choose<'a>(files: &(impl Iterator<Item = &'a Source> + Clone)) -> Form {
        let mut best = (0, Form::of(Grammar::None, files));
        for grammar in Grammar::ALL {
            let form = Form::of(grammar, files);
            let usual = |source: &&Source| form.is_usual(source);
            let fitting = files.clone().filter(usual).count();
            let marked = fitting > 0 && files.clone().any(|source| grammar.marks(source));
            // One picture with a curious name is no build of a bundler's; one marked script is.
            let code = files.clone().any(|source| matches!(source.kind, Kind::Script | Kind::Css) && usual(&source));
            let score = if marked {
                fitting * 3
            } else if fitting > 1 || code {
                fitting * 2
            } else {
                0
            };
            if score > best.0 {
                best = (score, form);
            }
        }
        best.1
    }

    /// The form of a build that is known to be written in this grammar.
    pub(crate) fn of<'a>(grammar: Grammar, files: &(impl Iterator<Item = &'a Source> + Clone)) -> Form {
        if grammar != Grammar::Vite {
            return Form { grammar, of_chunks: SHORT, of_assets: SHORT };
        }
        let marked = files.clone().any(|source| grammar.marks(source));
        let names = |chunks: bool| -> Vec<&str> {
            files.clone().filter(|source| is_chunk(source) == chunks).map(|source| source.path.file_name()).collect()
        };
        let (chunks, assets) = (names(true), names(false));
        Form { grammar, of_chunks: length(&chunks, &assets, marked), of_assets: length(&assets, &chunks, marked) }
    }

    /// The candidate in a file's name.
    pub(crate) fn candidate(self, source: &Source) -> Option<Candidate> {
        self.grammar.candidate(source.path.file_name(), self.length(source))
    }

    fn is_usual(self, source: &Source) -> bool {
        self.grammar.is_usual(source.path.file_name(), self.length(source))
    }

    fn length(self, source: &Source) -> usize {
        if is_chunk(source) { self.of_chunks } else { self.of_assets }
    }
}

fn is_chunk(source: &Source) -> bool {
    matches!(source.kind, Kind::Script | Kind::SourceMap)
}

/// How many characters the tokens of these names have: as many as makes most of them fit. Where that is a tie, the
/// other names of the build say it; a curious name alone, in a build without a mark of its bundler's, says nothing.
fn length(names: &[&str], others: &[&str], marked: bool) -> usize {
    let fitting = |names: &[&str], length| names.iter().filter(|name| Grammar::Vite.is_usual(name, length)).count();
    let votes = |length: usize| (fitting(names, length), fitting(others, length));
    let sure = |(own, other): (usize, usize)| own > 1 || (own > 0 && (other > 0 || marked));
    let lengths = SHORT + 1..=LONGEST_OF_VITE;
    let unusual = lengths.map(|length| (length, votes(length))).filter(|(_, votes)| sure(*votes));
    // Of equals the shortest: in `a-b-Cd8DgnZB.js` the token may seem to begin earlier than it does, never later.
    let (length, _) = unusual.fold((SHORT, votes(SHORT)), |best, next| if next.1 > best.1 { next } else { best });
    length
}

/// So many characters of base64url before a dot, behind `-` (usual), `.` or `_` (by configuration), or alone.
fn base64url(name: &str, length: usize) -> Option<Candidate> {
    let fits = |token: &[u8]| token.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let found = before_a_dot(name, length).filter(|token| fits(&name.as_bytes()[token.clone()]));
    let usual = |token: &Range<usize>| separator(name, token) == Some(b'-');
    let candidates: Vec<Range<usize>> = found.collect();
    // A token that begins with `-` or `_` is found before the one that would take it for the separator.
    let token = candidates.iter().rfind(|token| usual(token)).or_else(|| {
        let strong =
            |token: &&Range<usize>| look(&name[(*token).clone()]) == Look::Random && is_mixed(&name[(*token).clone()]);
        candidates.iter().rfind(|token| matches!(separator(name, token), None | Some(b'.' | b'_')) && strong(token))
    })?;
    Some(Candidate { look: look(&name[token.clone()]), token: token.clone() })
}

/// Eight characters of base32 before a dot, behind `-` or alone. One token in five has no digit: that is no sign.
fn base32(name: &str) -> Option<Candidate> {
    let token = before_a_dot(name, SHORT)
        .filter(|token| is_base32(&name[token.clone()]) && matches!(separator(name, token), None | Some(b'-')))
        .last()?;
    let text = &name[token.clone()];
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let alone = token.start == 0;
    let random = digits < text.len() && (!alone || digits > 0);
    Some(Candidate { token, look: if random { Look::Random } else { Look::Word } })
}

/// Eight hexadecimal digits or more, between dots (usual), behind `-`, `_` or `~`, or alone.
fn hex(name: &str) -> Option<Candidate> {
    let bytes = name.as_bytes();
    let starts = (0..bytes.len()).filter(|&at| at == 0 || matches!(bytes[at - 1], b'.' | b'-' | b'_' | b'~'));
    let runs = starts.filter_map(|start| {
        let length = bytes[start..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        let ends = bytes.get(start + length).is_none_or(|&byte| byte == b'.');
        ((SHORT..=LONGEST_HEX).contains(&length) && ends).then_some(start..start + length)
    });
    let token = runs.max_by_key(|run| run.start)?;
    let text = &name[token.clone()];
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.len() - digits;
    let random = match separator(name, &token) {
        Some(b'.') => text.len() >= LONG_HEX || (letters > 0 && digits > 0) || (letters == 0 && !is_date(text)),
        _ => text.len() >= LONG_HEX || (letters > 1 && digits > 1),
    };
    Some(Candidate { token, look: if random { Look::Random } else { Look::Word } })
}

/// The ranges of this length that end before a dot, in order.
fn before_a_dot(name: &str, length: usize) -> impl Iterator<Item = Range<usize>> {
    let dots = memchr::memchr_iter(b'.', name.as_bytes());
    dots.filter_map(move |dot| Some(dot.checked_sub(length)?..dot)).filter(|token| name.is_char_boundary(token.start))
}

fn separator(name: &str, token: &Range<usize>) -> Option<u8> {
    token.start.checked_sub(1).map(|at| name.as_bytes()[at])
}

fn is_base32(token: &str) -> bool {
    token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
}

/// Whether capitals, small letters and digits all occur.
fn is_mixed(token: &str) -> bool {
    let has = |test: fn(&u8) -> bool| token.as_bytes().iter().any(test);
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Whether a base64url token could have been written by a person: each of its parts is a word, words in camel case, a
/// number, a version or a size.
fn look(token: &str) -> Look {
    // Nobody joins words with both.
    let mixed = token.contains('-') && token.contains('_');
    let written = !mixed && token.split(['-', '_']).all(|part| is_word(part) || is_number(part));
    if written { Look::Word } else { Look::Random }
}

/// `settings`, `Settings`, `SETTINGS`, `darkMode`, `chapter2`.
fn is_word(part: &str) -> bool {
    let letters = part.trim_end_matches(|character: char| character.is_ascii_digit());
    let same_case = |test: fn(&u8) -> bool| letters.as_bytes().iter().all(test);
    let alphabetic = same_case(u8::is_ascii_alphabetic);
    alphabetic && (same_case(u8::is_ascii_lowercase) || same_case(u8::is_ascii_uppercase) || is_camel(letters))
}

/// Words of three letters or more, the first of each a capital (but for the first word's).
fn is_camel(letters: &str) -> bool {
    let bytes = letters.as_bytes();
    let humps: Vec<usize> = (1..bytes.len()).filter(|&at| bytes[at].is_ascii_uppercase()).collect();
    let ends = humps.iter().copied().chain([bytes.len()]);
    ends.scan(0, |start, end| Some(end - std::mem::replace(start, end))).all(|length| length >= 3)
}

/// `2024`, `v12`, `1024x768`, `16px`.
fn is_number(part: &str) -> bool {
    let rest = part.trim_start_matches('v');
    let sides = rest.split('x').all(|side| !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit()));
    sides || rest.strip_suffix("px").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `20240115`.
fn is_date(token: &str) -> bool {
    let number = |range: Range<usize>| token.get(range).and_then(|digits| digits.parse::<u32>().ok());
    let plausible =
        |year, month, day| (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    token.len() == 8
        && matches!((number(0..4), number(4..6), number(6..8)), (Some(year), Some(month), Some(day)) if plausible(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(grammar: Grammar, name: &str, expected: Option<(&str, Look)>) {
        let found = grammar.candidate(name, SHORT).map(|candidate| (&name[candidate.token], candidate.look));
        assert_eq!(found, expected, "{grammar:?} {name}");
    }

    #[test]
    fn vite_names_end_in_eight_characters_of_base64url() {
        let random = |token| Some((token, Look::Random));
        check(Grammar::Vite, "index-Cd8DgnZB.js", random("Cd8DgnZB"));
        check(Grammar::Vite, "index-Cd8DgnZB.js.map", random("Cd8DgnZB"));
        check(Grammar::Vite, "search.worker-Cgh6B01w.js", random("Cgh6B01w"));
        check(Grammar::Vite, "index--pBypSbY.js", random("-pBypSbY"));
        check(Grammar::Vite, "index-_pBypSbY.js", random("_pBypSbY"));
        check(Grammar::Vite, "search-C311B5J-.js", random("C311B5J-"));
        check(Grammar::Vite, "space-grotesk-latin-400-normal-CJ-V5oYT.woff2", random("CJ-V5oYT"));
        check(Grammar::Vite, "app.Cd8DgnZB.js", random("Cd8DgnZB"));
        check(Grammar::Vite, "Cd8DgnZB.js", random("Cd8DgnZB"));
        check(Grammar::Vite, "workbox-2fbc6a65.js", random("2fbc6a65"));
        check(Grammar::Vite, "blanket-CrUf_e-f.svg", random("CrUf_e-f"));
        check(Grammar::Vite, "rope-dRMxrIfF.svg", random("dRMxrIfF"));
    }

    #[test]
    fn what_a_person_may_have_written_is_a_word() {
        let word = |token| Some((token, Look::Word));
        check(Grammar::Vite, "user-settings.png", word("settings"));
        check(Grammar::Vite, "user-Settings.png", word("Settings"));
        check(Grammar::Vite, "icon-darkMode.svg", word("darkMode"));
        check(Grammar::Vite, "backup-20240115.js", word("20240115"));
        check(Grammar::Vite, "logo-1024x768.png", word("1024x768"));
        check(Grammar::Vite, "app-24-01-15.js", word("24-01-15"));
        check(Grammar::Vite, "font-v1-final.woff", word("v1-final"));
        check(Grammar::Webpack, "report.20240115.pdf", word("20240115"));
        check(Grammar::Webpack, "photo-deadbeef.png", word("deadbeef"));
        check(Grammar::Vite, "jquery.slimscroll.js", None);
        check(Grammar::Vite, "jquery.carousel.js", None);
        check(Grammar::Vite, "index.html", None);
        check(Grammar::Webpack, "main.v1.2.3.js", None);
    }

    #[test]
    fn webpack_and_parcel_names_hold_hexadecimal_digits_between_dots() {
        let random = |token| Some((token, Look::Random));
        check(Grammar::Webpack, "main.236c94eb.js", random("236c94eb"));
        check(Grammar::Webpack, "787.28cb0dcd.chunk.js", random("28cb0dcd"));
        check(Grammar::Webpack, "main.8a7b6c5d.js.LICENSE.txt", random("8a7b6c5d"));
        check(Grammar::Webpack, "f0b7904adbf143f70fae.png", random("f0b7904adbf143f70fae"));
        check(Grammar::Webpack, "main.12345678.js", random("12345678"));
        check(Grammar::Webpack, "main.66666666666666666666.js", random("66666666666666666666"));
        check(Grammar::Parcel, "shop.c6b58617.js", random("c6b58617"));
        check(Grammar::Webpack, "main.236c94e.js", None);
    }

    #[test]
    fn esbuild_names_end_in_eight_characters_of_base32() {
        let random = |token| Some((token, Look::Random));
        check(Grammar::Esbuild, "chunk-KYZ57CU4.js", random("KYZ57CU4"));
        check(Grammar::Esbuild, "shop-XAJUHNDE.css", random("XAJUHNDE"));
        check(Grammar::Esbuild, "chunk-KYZ57CU1.js", None);
        check(Grammar::Esbuild, "user-settings.png", None);
    }

    #[track_caller]
    fn check_lengths(chunks: &[&str], assets: &[&str], marked: bool, expected: (usize, usize)) {
        assert_eq!((length(chunks, assets, marked), length(assets, chunks, marked)), expected, "{chunks:?} {assets:?}");
    }

    #[test]
    fn the_length_of_a_token_is_that_in_which_most_names_fit() {
        let usual = ["index-Cd8DgnZB.js", "a-b-H5IQ_Up3.js", "space-grotesk-CJ-V5oYT.js"];
        check_lengths(&usual, &["logo-CLuoci_l.svg"], true, (8, 8));
        let twelve = ["index-Cd8DgnZB0xQ1.js", "shop-H5IQ_Up3-aB9.js", "a-b-CLuoci_lQ7zz.js"];
        check_lengths(&twelve, &["logo-CLuoci_l.svg", "icon-D8aaQ9zz.png"], false, (12, 8));
        check_lengths(&twelve, &["logo-CLuoci_l-9_x.svg"], false, (12, 12));
        let hexadecimal = ["index-9f86d081884c7d65.js", "shop-2c26b46b68ffc68f.js"];
        check_lengths(&hexadecimal, &[], false, (16, 8));
        let base36 = ["index-k3j9x0qa7zm1.js", "shop-0p4r8t2w6y1b.js"];
        check_lengths(&base36, &["index-9z8y7x6w5v.css"], true, (12, 10));
    }

    #[test]
    fn what_one_curious_name_says_is_not_enough() {
        check_lengths(&["index-Cd8DgnZB0xQ1.js"], &[], false, (8, 8));
        check_lengths(&["index-Cd8DgnZB0xQ1.js"], &[], true, (12, 8));
        check_lengths(&[], &["logo-iPhone15ProMax.png"], false, (8, 8));
        check_lengths(
            &["bootstrap-datetimepicker.js", "jquery-ui-widget.js"],
            &["release-notes-2024.png"],
            true,
            (8, 8),
        );
    }

    #[test]
    fn names_in_any_script_do_not_panic() {
        for grammar in Grammar::ALL {
            for name in ["ä-öüäöüäöü.js", "名前-名前名前名前.js", ".", "-", "........", "-abcdefgh."] {
                let _ = (1..12).filter_map(|length| grammar.candidate(name, length)).count();
            }
        }
    }
}

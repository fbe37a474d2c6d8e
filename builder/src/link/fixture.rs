//! A small build of Vite's, and how a linked text is shown, for the tests of the formats.

use super::Linked;
use super::names::{NameOptions, Names};
use super::placeholder::Meaning;
use crate::scan::{Kind, Source, SourcePath, Sources};

const FILES: [(&str, Kind); 16] = [
    ("index.html", Kind::Html),
    ("sub/page.html", Kind::Html),
    ("assets/index-Cd8DgnZB.js", Kind::Script),
    ("assets/shop-H5IQ_Up3.js", Kind::Script),
    ("assets/index-BgJEWM-p.css", Kind::Css),
    ("assets/logo-CLuoci_l.svg", Kind::Svg),
    ("assets/logo-D8aaQ9zz.png", Kind::Other),
    ("assets/inter-B9kq2_xR.woff2", Kind::Other),
    ("favicon.svg", Kind::Svg),
    ("img/a b.png", Kind::Other),
    ("img/ü.png", Kind::Other),
    ("img/a&b.png", Kind::Other),
    ("plain.js", Kind::Script),
    ("app.webmanifest", Kind::WebManifest),
    ("app.pdf", Kind::Other),
    ("data.json", Kind::Json),
];

pub(super) fn path(path: &str) -> SourcePath {
    SourcePath::parse(path).expect("a path")
}

pub(super) fn names() -> Names {
    let mut sources = Sources::default();
    for (name, kind) in FILES {
        // What marks a build of Vite, so that its grammar is taken.
        let bytes: &[u8] = if name == "assets/index-Cd8DgnZB.js" { b"const __vite__mapDeps=0" } else { b"" };
        sources.files.insert(path(name), Source { path: path(name), kind, bytes: bytes.into() });
    }
    Names::new(&sources, &NameOptions::default()).0
}

/// The text with every placeholder shown as what it stands for.
pub(super) fn shown(text: &str, linked: &Linked, names: &Names) -> String {
    let mut shown = String::new();
    let mut end = 0;
    for edit in &linked.edits {
        assert!(edit.span.start >= end, "edits are apart: {linked:?}");
        shown.push_str(&text[end..edit.span.start]);
        let mut inserted = edit.text.clone();
        for (placeholder, meaning) in &names.placeholders().meanings {
            let meant = match meaning {
                Meaning::Token(_) => "TOKEN".to_owned(),
                Meaning::File(_) => "FILE".to_owned(),
                Meaning::Integrity { algorithm, file } => {
                    format!("[{} {file}]", algorithm.name())
                }
                Meaning::Revision(_) => "REVISION".to_owned(),
            };
            inserted = inserted.replace(placeholder, &meant);
        }
        shown.push_str(&inserted);
        end = edit.span.end;
    }
    shown + &text[end..]
}

/// What a linker makes of a text, with every placeholder shown as what it stands for.
pub(super) fn check(link: fn(&Source, &str, &Names) -> Linked, at: &str, text: &str, expected: &str) {
    let names = names();
    let source = Source { path: path(at), kind: Kind::Other, bytes: text.as_bytes().into() };
    let linked = link(&source, text, &names);
    assert_eq!(shown(text, &linked, &names), expected);
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        shown(&text[..end], &link(&source, &text[..end], &names), &names);
    }
}

use super::*;
use crate::fs::{Faults, Memory};

fn names(sources: &Sources) -> Vec<&str> {
    sources.files.keys().map(SourcePath::as_str).collect()
}

fn scanned(files: &[(&str, &[u8])]) -> Result<Sources, Vec<Diagnostic>> {
    let memory = Memory::new(files.iter().copied());
    scan(&memory, Path::new("/dist"), "dist").map(|(sources, _)| sources)
}

#[track_caller]
fn refused(files: &[(&str, &[u8])], expected: &[&str]) {
    let problems = scanned(files).expect_err("the folder must be refused");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said:?} lacks {expected:?}");
    }
}

#[test]
fn dotfiles_stay_at_home_but_for_well_known() {
    let files: [(&str, &[u8]); 6] = [
        ("/dist/.DS_Store", b"x"),
        ("/dist/.vite/manifest.json", b"{}"),
        ("/dist/.well-known/security.txt", b"x"),
        ("/dist/a/.git/config", b"x"),
        ("/dist/_headers", b"/*\n  A: b"),
        ("/dist/index.html", b"<p>"),
    ];
    let sources = scanned(&files).unwrap();
    assert_eq!(names(&sources), [".well-known/security.txt", "index.html"]);
    assert_eq!(sources.headers.as_deref(), Some("/*\n  A: b"));
}

#[test]
fn an_empty_folder_asks_whether_the_bundler_ran() {
    refused(
        &[("/dist/.gitkeep", b"")],
        &["dist: error: no files to publish in this folder\n  hint: did the bundler run"],
    );
    refused(
        &[("/other/a", b"")],
        &["dist: error: this folder does not exist\n  hint: did the bundler run, and does `[build] source`"],
    );
}

#[test]
fn all_bad_names_are_said_in_one_run() {
    let files: [(&str, &[u8]); 6] = [
        ("/dist/App.js", b""),
        ("/dist/_rimward/x", b""),
        ("/dist/a\u{7}b", b""),
        ("/dist/app.js", b""),
        ("/dist/back\\slash", b""),
        ("/dist/dot.", b""),
    ];
    let expected = [
        "_rimward/x: error: `_rimward` at the root belongs to rimward",
        "a\\u{7}b: error: the name has a control character",
        "back\\slash: error: the name has a backslash",
        "dot.: error: the name ends with a dot or a space",
        "app.js: error: the name differs from `App.js` only in case",
    ];
    refused(&files, &expected);
}

#[test]
fn one_word_written_in_two_ways_is_two_files_of_one_name() {
    let files: [(&str, &[u8]); 3] =
        [("/dist/cafe\u{301}.js", b""), ("/dist/caf\u{e9}.js", b""), ("/dist/CAFE\u{301}.js", b"")];
    let expected = [
        "cafe\u{301}.js: error: the name differs from `CAFE\u{301}.js` only in case",
        "caf\u{e9}.js: error: the name differs from `CAFE\u{301}.js` only in case",
    ];
    refused(&files, &expected);
    let expected = ["caf\u{e9}.js: error: the name differs from `cafe\u{301}.js` only in how its letters are composed"];
    refused(&files[..2], &expected);
}

#[test]
fn names_that_urls_carry_encoded_are_fine() {
    let files: [(&str, &[u8]); 2] = [("/dist/50% off? #1.txt", b""), ("/dist/größe 日.txt", b"")];
    assert_eq!(scanned(&files).unwrap().files.len(), 2);
}

#[test]
fn unreadable_large_and_restless_files_are_named() {
    let large = vec![0; 25 * 1024 * 1024 + 1];
    let files: [(&str, &[u8]); 4] =
        [("/dist/a", b"a"), ("/dist/b", b"b"), ("/dist/c", &large), ("/dist/d", &large[1..])];
    let memory = Memory::new(files);
    memory.fail(Faults {
        unreadable: ["/dist/a".into()].into(),
        restless: ["/dist/b".into()].into(),
        ..Faults::default()
    });
    let problems = scan(&memory, Path::new("/dist"), "dist").unwrap_err();
    let said: Vec<String> = problems.iter().map(|problem| format!("{} {}", problem.file, problem.code)).collect();
    assert_eq!(said, ["a unreadable", "b source-changed", "c too-large"]);
}

#[test]
fn what_changes_after_the_scan_is_seen() {
    let memory = Memory::new([("/dist/a", b"a".as_slice()), ("/dist/b", b"b"), ("/dist/c", b"c")]);
    let (_, snapshot) = scan(&memory, Path::new("/dist"), "dist").unwrap();
    let changed = || -> Vec<String> {
        let changes = changes(&memory, Path::new("/dist"), "dist", &snapshot);
        changes.into_iter().map(|diagnostic| diagnostic.file).collect()
    };
    assert_eq!(changed(), Vec::<String>::new());
    memory.put("/dist/a", b"x");
    memory.take("/dist/b");
    memory.put("/dist/d", b"d");
    assert_eq!(changed(), ["b", "a", "d"]);
}

#[test]
fn copies_that_the_bundler_compressed_are_left_out_and_only_those() {
    let text = b"hello hello hello hello hello hello".as_slice();
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut packed = vec![0; 200];
    let length = compressor.gzip_compress(text, &mut packed).unwrap();
    packed.truncate(length);
    let files = [
        ("/dist/a.js", text),
        ("/dist/a.js.gz", packed.as_slice()),
        ("/dist/b.js", b"other".as_slice()),
        ("/dist/b.js.gz", packed.as_slice()),
        ("/dist/data.gz", packed.as_slice()),
    ];
    assert_eq!(names(&scanned(&files).unwrap()), ["a.js", "b.js", "b.js.gz", "data.gz"]);
}

#[test]
fn copies_that_something_names_stay() {
    let gzip = |text: &[u8]| {
        let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut packed = vec![0; 200];
        let length = compressor.gzip_compress(text, &mut packed).unwrap();
        packed.truncate(length);
        packed
    };
    let packed = gzip(b"a,b");
    let files: [(&str, &[u8]); 12] = [
        ("/dist/index.html", b"<a href=data.csv.gz>data</a><a href='/files/50%25.csv.gz'>"),
        ("/dist/robots.txt", b"Sitemap: https://shop.example/sitemap.xml.gz"),
        ("/dist/app.js.map", b"{\"sourcesContent\":[\"fetch('ta.csv.gz')\"]}"),
        ("/dist/data.csv", b"a,b"),
        ("/dist/data.csv.gz", &packed),
        ("/dist/ta.csv", b"a,b"),
        ("/dist/ta.csv.gz", &packed),
        ("/dist/sitemap.xml", b"a,b"),
        ("/dist/sitemap.xml.gz", &packed),
        ("/dist/files/50%.csv", b"a,b"),
        ("/dist/files/50%.csv.gz", &packed),
        ("/dist/_redirects", b"/old /new"),
    ];
    let expected = [
        "app.js.map",
        "data.csv",
        "data.csv.gz",
        "files/50%.csv",
        "files/50%.csv.gz",
        "index.html",
        "robots.txt",
        "sitemap.xml",
        "sitemap.xml.gz",
        "ta.csv",
    ];
    assert_eq!(names(&scanned(&files).unwrap()), expected);
}

#[test]
fn kinds_come_from_extensions_else_from_the_first_bytes() {
    #[track_caller]
    fn check(name: &str, bytes: &[u8], expected: Kind) {
        assert_eq!(kind::of(&SourcePath::parse(name).unwrap(), bytes), expected, "{name}");
    }
    check("a.HTML", b"", Kind::Html);
    check("a.mjs", b"", Kind::Script);
    check("a.js.map", b"{}", Kind::SourceMap);
    check("a.map", br#"{"version":3,"sources":[],"mappings":""}"#, Kind::SourceMap);
    check("a.map", b")]}'\n{\"version\":3,\"sections\":[]}", Kind::SourceMap);
    check("one.map", br#"{"version":1,"tiles":[0,1]}"#, Kind::Other);
    check("one.map", b"####\n#..#", Kind::Other);
    check("one.map", b"\x00\xff", Kind::Other);
    check("manifest.json", br#"{"short_name":"a"}"#, Kind::WebManifest);
    check("manifest.json", br#"{"icons":{"src":"x"}}"#, Kind::Json);
    check("page", b"\xef\xbb\xbf <!DOCTYPE html><p>", Kind::Html);
    check("CNAME", b"example.com", Kind::Other);
    check("a.png", b"<html>", Kind::Other);
}

use super::table::bytes;
use super::*;

fn line(logical: &str, size: u64, transfer: u64, change: Change) -> Line {
    Line { logical: logical.to_owned(), path: None, size, transfer, change }
}

#[test]
fn the_table_says_what_changed() {
    let files = vec![
        line("assets/app.js", 250_000, 80_123, Change::Changed(-312)),
        line("assets/new.css", 1_204, 500, Change::New),
        line("index.html", 812, 400, Change::Same),
        line("locales/en.json", 90, 90, Change::Changed(0)),
    ];
    let report = Report {
        release: "b".to_owned(),
        previous: Some("a".to_owned()),
        kept: Vec::new(),
        files,
        gone: vec!["old.txt".to_owned()],
        totals: Totals { files: 4, size: 252_106, transfer: 81_113, changed: 80_713 },
        written: 1,
        removed: 0,
        output_files: 9,
    };
    let expected = "\
file                  size   transfer  change
assets/app.js       250 kB    80.1 kB  -312 B
assets/new.css      1.2 kB      500 B  new
index.html           812 B      400 B
locales/en.json       90 B       90 B  changed
old.txt                                gone
4 files             252 kB    81.1 kB  80.7 kB new or changed
";
    assert_eq!(table(&report), expected);
    let json = serde_json::to_value(report.files[0].change).unwrap();
    assert_eq!(json, serde_json::json!({"kind": "changed", "bytes": -312}));
}

#[test]
fn sizes_are_shown_with_three_digits() {
    let shown: Vec<String> = [0, 999, 1_000, 99_949, 99_950, 999_499, 999_500, 1_182_178, 99_950_000].map(bytes).into();
    let expected = ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.00 MB", "1.18 MB", "100 MB"];
    assert_eq!(shown, expected);
}

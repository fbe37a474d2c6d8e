//! What becomes of small real outputs of every bundler (`tests/data/golden/*`, their source maps among them): every name, digest,
//! import and alias of the release, with the expected text beside the folder. Nothing but the program is needed for it.
//!
//! `RIMWARD_UPDATE=1` writes the expected texts anew; read the difference before you keep it. `tests/bundlers/README.md`
//! says how the outputs are made.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rimward::cache::Cache;
use rimward::config::{Choices, plan};
use rimward::diagnostic::Color;
use rimward::fs::{Files as _, Memory, Real};
use rimward::pipeline::{self, Made};
use rimward::publish::Earlier;
use sha2::{Digest as _, Sha256};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden")
}

fn made(folder: &Path) -> Made {
    let files = Memory::default();
    for found in Real.walk(folder, &|_| true).expect("a folder") {
        let bytes = fs::read(folder.join(&found.path)).expect("a file");
        files.put(&format!("/shop/dist/{}", found.path.display()), &bytes);
    }
    let choices = Choices { here: "/shop".into(), jobs: 2, ..Choices::default() };
    let (plan, _) = plan(&files, &choices).expect("no settings, no mistakes");
    pipeline::make(&plan, &files, &Earlier::default(), &Cache::none(), &|_| {})
        .unwrap_or_else(|error| panic!("{}: {error:?}", folder.display()))
}

/// The release as a text: findings, pages, files with their digests, and the manifest, to the byte but for line breaks.
fn told(made: &Made) -> String {
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes whatever is written");
    for finding in &made.findings {
        line(&finding.render(Color::Plain));
    }
    let release = &made.release;
    for (path, bytes) in
        release.files.iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|it| it == "html"))
    {
        line(&format!("== {path}\n{}", String::from_utf8_lossy(bytes)));
    }
    line("== files");
    for (path, bytes) in &release.files {
        line(&format!("{} {path}", digest(bytes)));
    }
    line("== source maps");
    for (path, bytes) in &release.maps {
        line(&format!("{} {path}", digest(bytes)));
    }
    let manifest = String::from_utf8_lossy(&release.manifest_bytes);
    line(&format!("== {}", release.manifest_path()));
    line(&manifest.replace(",\"", ",\n\"").replace("{\"", "{\n\""));
    text
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn outputs_of_every_bundler_become_the_releases_that_are_expected() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(data()).expect("a folder") {
        let folder = entry.expect("an entry").path();
        if !folder.is_dir() {
            continue;
        }
        cases += 1;
        let actual = told(&made(&folder));
        let beside = folder.with_added_extension("txt");
        if std::env::var_os("RIMWARD_UPDATE").is_some() {
            fs::write(&beside, &actual).expect("writable");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        let differs = actual.lines().zip(expected.lines()).find(|(actual, expected)| actual != expected);
        if let Some((actual, expected)) = differs {
            wrong.push(format!("{}:\n{actual}\n--- expected:\n{expected}", beside.display()));
        } else if actual != expected {
            wrong.push(format!("{}: {} bytes, not {}", beside.display(), actual.len(), expected.len()));
        }
    }
    assert!(cases >= 9, "the outputs lie in {}", data().display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

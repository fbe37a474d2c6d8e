//! Every fuzz target, on stable: over its corpus, and over inputs made of it. The same inputs in every run.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use rimward_tests::fuzz::{Mutator, TARGETS};

use crate::runtime::project;

/// For each target. A change to a parser is worth more; `RIMWARD_FUZZ_INPUTS` asks for them.
const INPUTS: usize = 1500;

fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("`{}`: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

#[track_caller]
fn run(name: &str) {
    let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).expect("a target");
    let corpus = corpus(&project().join("fuzz/corpus").join(name));
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} is empty");
    let inputs = std::env::var("RIMWARD_FUZZ_INPUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(INPUTS);
    let mut mutator = Mutator::new(0x5269_6D77_6172_6421);
    for number in 0..corpus.len() + inputs {
        let input = corpus.get(number).cloned().unwrap_or_else(|| mutator.next(&corpus));
        if catch_unwind(|| target(&input)).is_err() {
            let kept = project().join("target").join(format!("fuzz-{name}-{number}"));
            fs::write(&kept, &input).expect("a file");
            panic!("`{name}` fails on {:?}, kept in `{}`", String::from_utf8_lossy(&input), kept.display());
        }
    }
}

#[test]
fn json_of_any_bytes() {
    run("json");
}

#[test]
fn manifests_of_any_bytes() {
    run("manifest");
}

#[test]
fn compiled_settings_of_any_bytes() {
    run("policy");
}

#[test]
fn requests_of_any_bytes() {
    run("request");
}

#[test]
fn fields_of_any_bytes() {
    run("fields");
}

#[test]
fn answers_to_be_cached_of_any_bytes() {
    run("cache");
}

#[test]
fn settings_of_any_bytes() {
    run("settings");
}

#[test]
fn rules_of_any_bytes() {
    run("rules");
}

#[test]
fn pages_of_any_bytes() {
    run("page");
}

#[test]
fn style_sheets_of_any_bytes() {
    run("style");
}

#[test]
fn scripts_of_any_bytes() {
    run("script");
}

#[test]
fn data_of_any_bytes() {
    run("data");
}

#[test]
fn sitemaps_of_any_bytes() {
    run("sitemap");
}

#[test]
fn each_target_can_be_fuzzed_by_name() {
    for (name, _) in TARGETS {
        let file = project().join(format!("fuzz/fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
        assert!(text.contains(&format!("\"{name}\"")), "`{}` runs another target", file.display());
    }
}

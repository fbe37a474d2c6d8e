//! The house rules, held by the machine.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of a folder with its path from the root, in order.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("could not read {}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// What stands before the tests of a file.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\n").next().unwrap()
}

#[track_caller]
fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}

/// The modules that each module of the edge may name: one direction, siblings never (`serve` hands values across).
/// `route::pattern` and `release::manifest` are formats of the settings and of the release, below everything else.
fn may_import(of: &str) -> &'static [&'static str] {
    match of {
        "config" => &["route::pattern", "release::manifest"],
        "json" | "memory" | "order" | "path" | "query" | "telemetry" | "time" => &[],
        // Dates of fields are instants.
        "field" => &["order", "time"],
        "platform" => &["time"],
        "answer" => &["platform", "time"],
        "cache" | "control" | "guard" | "origin" => &["config", "field", "json", "order", "path", "query", "time"],
        "health" => &["config", "time"],
        "limit" => &["config", "field", "json", "memory"],
        "rewrite" | "route" => &["config", "field", "path", "query", "time", "route::pattern"],
        "release" => &["answer", "config", "field", "json", "path", "platform", "time"],
        "serve" => &[
            "answer",
            "cache",
            "config",
            "control",
            "field",
            "guard",
            "health",
            "json",
            "limit",
            "memory",
            "origin",
            "path",
            "platform",
            "release",
            "rewrite",
            "route",
            "telemetry",
            "time",
        ],
        "shell" => &[
            "answer",
            "control",
            "field",
            "health",
            "json",
            "limit",
            "memory",
            "platform",
            "serve",
            "telemetry",
            "time",
        ],
        other => panic!("`{other}` has no place in the flow yet: say here what it may import"),
    }
}

#[test]
fn imports_of_the_edge_go_one_way() {
    let mut findings = Vec::new();
    for (name, text) in sources("edge/src") {
        let module = name.trim_start_matches("edge/src/").split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let code: String = production(&text)
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for import in code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]) {
            let path: String = import.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
            let allowed = may_import(module)
                .iter()
                .chain([&module])
                .any(|allowed| path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
            if !allowed {
                findings.push(format!("{name}: `{module}` names `{path}`"));
            }
        }
    }
    assert_none("imports against the flow", &findings);
}

#[test]
fn only_the_shell_knows_the_platform_or_a_clock() {
    let words = [
        "wasm_bindgen",
        "js_sys",
        "web_sys",
        "SystemTime",
        "Instant::now",
        "std::env::",
        "std::thread",
        "getrandom",
        "std::fs",
    ];
    let mut findings = Vec::new();
    for (name, text) in sources("edge/src") {
        let hits = words.iter().filter(|word| !name.contains("/shell/") && text.contains(*word));
        findings.extend(hits.map(|word| format!("{name}: {word}")));
    }
    assert_none("platform, clock or environment outside the shell", &findings);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut findings = Vec::new();
    for (name, text) in ["edge/src", "builder/src", "tests/it"].iter().flat_map(|folder| sources(folder)) {
        // The tests that outgrew a module's file are told by that module's header.
        if !text.starts_with("//! ") && !name.ends_with("/tests.rs") {
            findings.push(name);
        }
    }
    assert_none("files without a `//!` header", &findings);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TO", "FIX", "X"].map(|half| {
        format!(
            "{half}{}",
            if half == "TO" {
                "DO"
            } else if half == "FIX" {
                "ME"
            } else {
                "XX"
            }
        )
    });
    let mut findings = Vec::new();
    for (name, text) in ["edge/src", "builder/src", "tests/it"].iter().flat_map(|folder| sources(folder)) {
        for (number, line) in text.lines().enumerate() {
            // In comments: as data of a test such a word may well stand.
            let comment = line.find("//").map_or("", |at| &line[at..]);
            if marks.iter().any(|mark| comment.split(|c: char| !c.is_alphanumeric()).any(|word| word == mark)) {
                findings.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none("marks of what is unfinished", &findings);
}

#[test]
fn modules_are_named_for_their_subject() {
    let odd = ["utils", "util", "helpers", "helper", "common", "misc", "types", "manager"];
    let named = |name: &str| name.split(['/', '.']).any(|part| odd.contains(&part));
    let findings: Vec<_> = ["edge/src", "builder/src", "tests/it"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|(name, _)| name)
        .filter(|name| named(name))
        .collect();
    assert_none("modules where odd things collect", &findings);
}

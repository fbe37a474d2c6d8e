//! The builder's benchmark: processor time, bytes and memory against esbuild, the C library of brotli and the bundlers' own output.
//!
//! `make bench-builder` runs it. Every figure is a ratio of two programs' processor time (user and system, all threads)
//! or bytes on the same files; the two run in turns, and the middle ratio counts, so that a busy machine harms both alike.

mod measure;
mod stages;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use measure::{Figure, cpu_of, middle, print_table};

/// Turns of each pair: many of what takes a tenth of a second, few of what takes several.
const ROUNDS: usize = 15;
const ROUNDS_OF_LONG: usize = 3;

/// What is compared, from the command line.
struct Subjects {
    esbuild: PathBuf,
    /// Of the C library, as Node.js carries it.
    brotli: PathBuf,
    json: PathBuf,
    /// What a bundler wrote, unminified and minified by itself.
    apps: Vec<(PathBuf, PathBuf)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["stage", stage, folder, output] => stages::run(stage, Path::new(folder), Path::new(output)),
        ["compare", esbuild, brotli, json, ref apps @ ..] if !apps.is_empty() && apps.len() % 2 == 0 => {
            let apps = apps.chunks(2).map(|pair| (pair[0].into(), pair[1].into())).collect();
            compare(&Subjects { esbuild: esbuild.into(), brotli: brotli.into(), json: json.into(), apps })
        }
        _ => {
            eprintln!(
                "usage: compare ESBUILD BROTLI JSON (UNMINIFIED MINIFIED)...\nhint: `make bench-builder` knows them all"
            );
            ExitCode::from(2)
        }
    }
}

fn compare(subjects: &Subjects) -> ExitCode {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let mut figures = Vec::new();
    for (plain, minified) in &subjects.apps {
        let scratch = tempfile::tempdir_in(scratch.path()).expect("a temporary folder");
        let name = |what: &str| format!("{}: {what}", plain.display());
        for (stage, what) in
            [("link", "imports, minify, maps: CPU / esbuild"), ("minify", "minify, maps: CPU / esbuild")]
        {
            let ratio = against_esbuild(subjects, stage, plain, scratch.path());
            figures.push(Figure::at_most(0.60, name(what), ratio));
        }
        figures.push(Figure::at_most(
            1.00,
            name("br bytes / bundler's own minifier"),
            bytes_ratio(plain, minified, scratch.path()),
        ));
        figures.push(Figure::at_most(
            1.00,
            name("br 11, CPU / C library"),
            against_c(subjects, minified, scratch.path()),
        ));
        figures.push(Figure::at_most(
            0.05,
            name("rebuild without a change, CPU / cold"),
            rebuild(plain, scratch.path()),
        ));
        let peak = stages::ask("minify", plain, &scratch.path().join("peak")).peak_kib;
        figures.push(Figure::of(name("peak memory, MB"), peak as f64 / 1024.0));
    }
    print_table(&figures);
    let json = serde_json::to_string_pretty(&figures).expect("figures are JSON");
    if let Err(error) = std::fs::write(&subjects.json, json) {
        eprintln!("error: cannot write `{}`: {error}", subjects.json.display());
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

/// All scripts and style sheets, each for itself, in one process, with source maps that lead to what people wrote.
fn against_esbuild(subjects: &Subjects, stage: &str, folder: &Path, scratch: &Path) -> f64 {
    let files: Vec<PathBuf> = stages::texts(folder);
    let turn = |_| {
        let ours = cpu_of(&mut stages::command(stage, folder, &scratch.join("ours")));
        let mut esbuild = Command::new(&subjects.esbuild);
        esbuild.args(["--minify", "--sourcemap", "--log-level=error", "--target=esnext"]);
        esbuild.arg(format!("--outdir={}", scratch.join("esbuild").display()));
        esbuild.arg(format!("--outbase={}", folder.display())).args(&files);
        ours / cpu_of(&mut esbuild)
    };
    middle((0..ROUNDS).map(turn).collect())
}

/// Scripts and style sheets that we minified against those that the bundler minified itself.
fn bytes_ratio(plain: &Path, minified: &Path, scratch: &Path) -> f64 {
    let ours = scratch.join("bytes");
    stages::ask("minify", plain, &ours);
    let bytes = |folder: &Path| stages::ask("encode", folder, &scratch.join("encoded")).bytes;
    bytes(&ours) / bytes(minified)
}

fn against_c(subjects: &Subjects, folder: &Path, scratch: &Path) -> f64 {
    let files = stages::texts(folder);
    let node = || {
        let mut node = Command::new("node");
        node.arg(&subjects.brotli);
        node
    };
    let turn = |_| {
        let ours = cpu_of(&mut stages::command("encode", folder, &scratch.join("encoded")));
        ours / (cpu_of(node().args(&files)) - cpu_of(&mut node()))
    };
    middle((0..ROUNDS_OF_LONG).map(turn).collect())
}

fn rebuild(folder: &Path, scratch: &Path) -> f64 {
    let turn = |round| {
        let cache = scratch.join(format!("cache-{round}"));
        let cold = cpu_of(&mut stages::command("build", folder, &cache));
        let warm = cpu_of(&mut stages::command("build", folder, &cache));
        warm / cold
    };
    middle((0..ROUNDS_OF_LONG).map(turn).collect())
}

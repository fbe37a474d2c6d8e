//! Single stages of the builder as programs: this one, started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::SystemTime;

use rimward::cache::Cache;
use rimward::encode::encode_all;
use rimward::fs::Real;
use rimward::link::placeholder::Placeholders;
use rimward::link::{Graph, NameOptions, Naming, Node, ScriptKind, link};
use rimward::minify::{Minimal, Options, maps, minify};
use rimward::scan::{Kind, Source, scan};
use rimward::settings::SourceMaps;
use rimward::threads::pool;
use rimward_edge::release::manifest::Coding;
use serde::{Deserialize, Serialize};

const OPTIONS: Options = Options { source_maps: SourceMaps::Public, keep_function_names: false };

/// What a stage says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// That it wrote or would write.
    pub(crate) bytes: f64,
    /// The most memory that it had.
    pub(crate) peak_kib: f64,
}

/// A stage as a process of its own.
pub(crate) fn command(stage: &str, folder: &Path, output: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["stage", stage]).arg(folder).arg(output);
    command
}

/// Runs a stage and hears its answer.
pub(crate) fn ask(stage: &str, folder: &Path, output: &Path) -> Answer {
    let output = command(stage, folder, output).stderr(Stdio::inherit()).output().expect("this program runs");
    serde_json::from_slice(&output.stdout).expect("a stage answers")
}

/// Scripts and style sheets of a folder.
pub(crate) fn texts(folder: &Path) -> Vec<PathBuf> {
    let files = sources(folder).into_values().filter(is_text);
    files.map(|source| folder.join(source.path.as_str())).collect()
}

/// Runs one stage in this process.
pub(crate) fn run(stage: &str, folder: &Path, output: &Path) -> ExitCode {
    let bytes = match stage {
        "minify" => write(&minified(folder, &Cache::none()), output),
        "link" => write(&linked(folder), output),
        "encode" => encoded(sources(folder).into_values().filter(is_text).map(|source| source.bytes), &Cache::none()),
        "build" => {
            let cache = Cache::open(output, SystemTime::now());
            let minimal = minified(folder, &cache);
            let bytes = encoded(minimal.texts.into_values().map(|minified| minified.text.into_bytes()), &cache);
            cache.finish();
            bytes
        }
        _ => return ExitCode::from(2),
    };
    let bytes = f64::from(u32::try_from(bytes).expect("an app has less than 4 GB"));
    let answer = Answer { bytes, peak_kib: peak_kib() };
    println!("{}", serde_json::to_string(&answer).expect("an answer is JSON"));
    ExitCode::SUCCESS
}

fn sources(folder: &Path) -> BTreeMap<String, Source> {
    let name = folder.display().to_string();
    let (sources, _) = scan(&Real, folder, &name).unwrap_or_else(|findings| panic!("{findings:?}"));
    sources.files.into_values().map(|source| (source.path.to_string(), source)).collect()
}

fn is_text(source: &Source) -> bool {
    matches!(source.kind, Kind::Script | Kind::Css)
}

/// Scripts and style sheets, as modules: what current bundlers write.
fn minified(folder: &Path, cache: &Cache) -> Minimal {
    let node = |source: Source| Node {
        naming: Naming::Kept,
        logical: source.path.to_string(),
        text: None,
        edits: Vec::new(),
        references: Vec::new(),
        script: if source.bytes.windows(7).any(|word| word == b"import " || word == b"export ") {
            ScriptKind::Module
        } else {
            ScriptKind::Unknown
        },
        source,
    };
    let wanted = sources(folder).into_values().filter(|source| is_text(source) || source.kind == Kind::SourceMap);
    let nodes = wanted.map(|source| (source.path.clone(), node(source))).collect();
    let graph = Graph { nodes, placeholders: Placeholders::default() };
    let (minimal, findings) = minify(graph, OPTIONS, cache, &pool(0).expect("threads"));
    for finding in findings {
        eprintln!("{finding}");
    }
    minimal
}

/// The same with their references found and replaced.
fn linked(folder: &Path) -> Minimal {
    let name = folder.display().to_string();
    let (mut sources, _) = scan(&Real, folder, &name).unwrap_or_else(|findings| panic!("{findings:?}"));
    sources.files.retain(|_, source| is_text(source) || source.kind == Kind::SourceMap);
    let pool = pool(0).expect("threads");
    let (graph, _) = link(&sources, &NameOptions::default(), &pool);
    minify(graph, OPTIONS, &Cache::none(), &pool).0
}

fn write(minimal: &Minimal, output: &Path) -> usize {
    let mut bytes = 0;
    for (path, minified) in &minimal.texts {
        let file = output.join(path.as_str());
        std::fs::create_dir_all(file.parent().unwrap_or(output)).expect("writable");
        std::fs::write(&file, &minified.text).expect("writable");
        bytes += minified.text.len();
        if let Some(map) = &minified.map {
            std::fs::write(format!("{}.map", file.display()), maps::with_file(map, path.file_name()))
                .expect("writable");
        }
    }
    bytes
}

/// Brotli 11; files that it does not make smaller count as they are.
fn encoded<B: AsRef<[u8]> + Sync>(files: impl Iterator<Item = B>, cache: &Cache) -> usize {
    let files: Vec<B> = files.collect();
    let encodings = encode_all(&files, &[Coding::Br], cache, &pool(0).expect("threads"));
    let size = |(file, encodings): (&B, BTreeMap<Coding, Vec<u8>>)| {
        encodings.get(&Coding::Br).map_or(file.as_ref().len(), Vec::len)
    };
    files.iter().zip(encodings).map(size).sum()
}

fn peak_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or_default()
}

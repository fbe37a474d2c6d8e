//! How many requests are answered well while origins have bad days: by Rimward, and by others beside it.
//!
//! README.md says how to read what comes of it, and how to add to it.

mod measure;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::time::Duration;

use serde_json::{Value, json};

use measure::client::{GOOD_WITHIN, Outcome};
use measure::load::{Kind, Sent};
use measure::scenario::Scenario;
use measure::subject::Program;
use measure::{Measured, Phases, share};

const PHASES: Phases =
    Phases { well: Duration::from_secs(2), fault: Duration::from_secs(6), healed: Duration::from_secs(2) };
/// A load that is later than this says more about the machine than about who is measured: it is measured again.
const LATE: Duration = Duration::from_millis(250);
const TRIES: u32 = 3;

fn main() -> Result<(), String> {
    let arguments = Arguments::read()?;
    let programs = arguments.programs()?;
    let versions: BTreeMap<&str, String> =
        programs.iter().map(|program| Ok((program.name(), version(program)?))).collect::<Result<_, String>>()?;
    let scenarios: Vec<Scenario> = Scenario::all().into_iter().filter(|scenario| arguments.wants(*scenario)).collect();
    let mut rows = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        eprint!("{:>2}/{} {:<32}", number + 1, scenarios.len(), scenario.says());
        let measured = measure_well(&programs, *scenario)?;
        for (program, measured) in programs.iter().zip(&measured) {
            let percent = |kind| table::percent(measured.good(kind));
            eprint!("  {} {} {}", program.name(), percent(Kind::Cached), percent(Kind::Dynamic));
        }
        eprintln!();
        let of_programs: BTreeMap<&str, Value> =
            programs.iter().zip(&measured).map(|(program, measured)| (program.name(), figures(measured))).collect();
        let goals = scenario.goals();
        rows.push(json!({
            "scenario": scenario.says(),
            "origin_lies": scenario.fault.lies(),
            "goals": { "cached": goals.cached, "dynamic": goals.dynamic },
            "programs": of_programs,
        }));
    }
    let names: Vec<&str> = programs.iter().map(Program::name).collect();
    let result = json!({
        "versions": versions,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "rate": measure::RATE,
        "good_within_ms": millis(GOOD_WITHIN),
        "phases_ms": [millis(PHASES.well), millis(PHASES.fault), millis(PHASES.healed)],
        "rows": rows,
    });
    let text = table::markdown(&result, &names);
    write(arguments.json.as_deref(), &format!("{result:#}\n"))?;
    write(arguments.table.as_deref().filter(|_| arguments.only.is_none()), &text)?;
    println!("{text}");
    Ok(())
}

fn write(path: Option<&Path>, text: &str) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, text).map_err(|error| format!("could not write `{}`: {error}", path.display()))
}

struct Arguments {
    rimward: PathBuf,
    workerd: PathBuf,
    /// Of programs, in lower case.
    names: Vec<String>,
    /// What a scenario says must hold this.
    only: Option<String>,
    table: Option<PathBuf>,
    json: Option<PathBuf>,
}

impl Arguments {
    fn read() -> Result<Arguments, String> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut read = Arguments {
            rimward: project.join("target/release/rimward"),
            workerd: project.join("node_modules/workerd/bin/workerd"),
            names: ["rimward", "nginx", "haproxy", "varnish"].map(str::to_owned).to_vec(),
            only: None,
            table: None,
            json: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            // Cargo passes `--bench` on.
            if argument == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{argument}` needs a value"))?;
            match argument.as_str() {
                "--rimward" => read.rimward = value.into(),
                "--workerd" => read.workerd = value.into(),
                "--programs" => read.names = value.split(',').map(str::to_ascii_lowercase).collect(),
                "--only" => read.only = Some(value),
                "--table" => read.table = Some(value.into()),
                "--json" => read.json = Some(value.into()),
                _ => return Err(format!("there is no `{argument}`")),
            }
        }
        Ok(read)
    }

    fn wants(&self, scenario: Scenario) -> bool {
        self.only.as_ref().is_none_or(|only| scenario.says().contains(only))
    }

    fn programs(&self) -> Result<Vec<Program>, String> {
        let program = |name: &String| match name.as_str() {
            "rimward" => Ok(Program::Rimward {
                rimward: self.rimward.canonicalize().map_err(|_| "there is no `rimward`: run `make build` first")?,
                workerd: self.workerd.canonicalize().map_err(|_| "there is no `workerd`: run `npm ci` first")?,
                settings: include_str!("rimward.toml").to_owned(),
            }),
            "nginx" => Ok(Program::Nginx(include_str!("nginx.conf").to_owned())),
            "haproxy" => Ok(Program::Haproxy(include_str!("haproxy.cfg").to_owned())),
            "varnish" => Ok(Program::Varnish(include_str!("varnish.vcl").to_owned())),
            _ => Err(format!("there is no program `{name}`: there are rimward, nginx, haproxy and varnish")),
        };
        self.names.iter().map(program).collect()
    }
}

/// What a program says that it is, in its first line.
fn version(program: &Program) -> Result<String, String> {
    let (binary, argument) = match program {
        Program::Rimward { rimward, .. } => (rimward.clone(), "--version"),
        Program::Nginx(_) => (PathBuf::from("nginx"), "-v"),
        Program::Haproxy(_) => (PathBuf::from("haproxy"), "-v"),
        Program::Varnish(_) => (PathBuf::from("varnishd"), "-V"),
    };
    let hint = "`make faults` installs it, where it may; Debian: apt-get install nginx haproxy varnish";
    let said = Command::new(&binary).arg(argument).output();
    let said = said.map_err(|error| format!("could not start `{}`: {error} ({hint})", binary.display()))?;
    let text = [said.stdout, said.stderr].concat();
    let line = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
    let Program::Rimward { workerd, .. } = program else { return Ok(line) };
    let said = Command::new(workerd).arg("--version").output();
    let said = said.map_err(|error| format!("could not start `{}`: {error}", workerd.display()))?;
    Ok(format!("{line} on {}", String::from_utf8_lossy(&said.stdout).trim()))
}

/// All programs have the same bad day at the same time, each with origins of its own.
fn measure_well(programs: &[Program], scenario: Scenario) -> Result<Vec<Measured>, String> {
    let mut tries = 0;
    loop {
        tries += 1;
        let begin = Barrier::new(programs.len());
        let measured: Vec<Measured> = std::thread::scope(|scope| {
            let days: Vec<_> = programs
                .iter()
                .map(|program| scope.spawn(|| measure::run(program, scenario, PHASES, &begin)))
                .collect();
            let day =
                |day: std::thread::ScopedJoinHandle<'_, _>| day.join().map_err(|_| "a day panicked".to_owned())?;
            days.into_iter().map(day).collect::<Result<_, String>>()
        })?;
        let late = measured.iter().map(|measured| measured.late).max().unwrap_or_default();
        if late <= LATE || tries == TRIES {
            return Ok(measured);
        }
        eprint!("(the machine was {} ms late: again) ", late.as_millis());
    }
}

fn figures(measured: &Measured) -> Value {
    let (wrong_during, wrong_after) = measured.wrong();
    let recovery = |kind| measured.recovery(kind).map(millis);
    json!({
        "cached": of_kind(measured, Kind::Cached),
        "dynamic": of_kind(measured, Kind::Dynamic),
        "good_before": share(measured.before()),
        "wrong": { "during": wrong_during, "after": wrong_after },
        "recovery_ms": { "cached": recovery(Kind::Cached), "dynamic": recovery(Kind::Dynamic) },
        "asked_of_origins": measured.asked_of_origins,
        "load_late_ms": millis(measured.late),
    })
}

fn of_kind(measured: &Measured, kind: Kind) -> Value {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for sent in measured.during(kind) {
        *outcomes.entry(format!("{:?}", sent.outcome)).or_default() += 1;
    }
    let mut took: Vec<Duration> =
        measured.during(kind).filter(|sent| sent.outcome == Outcome::Good).map(|sent: &Sent| sent.took).collect();
    took.sort_unstable();
    let quantile = |percent: usize| took.get(took.len() * percent / 100).copied().map(millis);
    json!({ "good": measured.good(kind), "outcomes": outcomes, "took_ms": { "p50": quantile(50), "p99": quantile(99) } })
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

//! `rimward dev`: the edge under `wrangler dev`, and a new release whenever the source changes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use rimward_edge::release::manifest::RELEASES_PATH;

use super::running::{Running, interruptions};
use super::{Ended, Talk, plan_of, tools};
use crate::cli::DevArgs;
use crate::config::Plan;
use crate::fs::Real;
use crate::pipeline::{self, BuildError};
use crate::settings::WRANGLER_FILE;
use crate::worker;

/// How often the source is looked at. A bundler that writes for longer than this between two files is caught half-way,
/// and its next file starts the build again.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Runs until it is told to end.
pub fn run(args: &DevArgs) -> Ended {
    let talk = Talk::new();
    match dev(&talk, args) {
        Ok(ended) => ended,
        Err(why) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

fn dev(talk: &Talk, args: &DevArgs) -> Result<Ended, String> {
    let plan = match plan_of(talk, &args.project, 0) {
        Ok((plan, findings)) => {
            talk.findings(&findings);
            plan
        }
        Err(ended) => return Ok(ended),
    };
    let mut command = wrangler(args, &plan)?;
    worker::write(&plan.project).map_err(|error| error.to_string())?;
    let interrupted = interruptions().map_err(|error| format!("could not listen for Ctrl-C: {error}"))?;
    let mut seen = look(&plan);
    build(talk, &plan);
    if !plan.output.join(RELEASES_PATH).is_file() {
        talk.say(format!("waiting for a source that can be built: `{}`", plan.source_called));
        match first_release(talk, args, &plan, &mut seen, &interrupted) {
            Waited::Built => {}
            Waited::Interrupted => return Ok(Ended::Done),
        }
    }
    let mut running = Running::start(&mut command).map_err(|error| format!("could not start wrangler: {error}"))?;
    loop {
        if let Some(status) = running.ended().map_err(|error| format!("could not wait for wrangler: {error}"))? {
            return Err(format!("wrangler ended by itself: {status}"));
        }
        if interrupted.recv_timeout(LOOK_EVERY).is_ok() {
            running.stop();
            return Ok(Ended::Done);
        }
        rebuild_if_changed(talk, args, &plan, &mut seen);
    }
}

/// `wrangler dev` with what the Worker is to know.
fn wrangler(args: &DevArgs, plan: &Plan) -> Result<Command, String> {
    let file = plan.project.join(WRANGLER_FILE);
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Err(format!("could not read `{}`\n  hint: `rimward init` writes it", file.display()));
    };
    let mut command = tools::wrangler(&plan.project)?;
    command.current_dir(&plan.project).args(["dev", "--ip", "127.0.0.1", "--port", &args.port.to_string()]);
    command.args(["--config", WRANGLER_FILE, "--var", "RIMWARD_WATCH:1"]);
    if let Some(env) = &args.project.env {
        command.args(["--var", &format!("RIMWARD_ENV:{env}")]);
        // wrangler refuses environments that its own file does not have.
        let named = text
            .parse::<toml::Table>()
            .ok()
            .is_some_and(|table| table.get("env").and_then(|envs| envs.get(env)).is_some());
        if named {
            command.args(["--env", env]);
        }
    }
    Ok(command)
}

enum Waited {
    Built,
    Interrupted,
}

fn first_release(talk: &Talk, args: &DevArgs, plan: &Plan, seen: &mut Vec<Look>, interrupted: &Receiver<()>) -> Waited {
    loop {
        if interrupted.recv_timeout(LOOK_EVERY).is_ok() {
            return Waited::Interrupted;
        }
        rebuild_if_changed(talk, args, plan, seen);
        if plan.output.join(RELEASES_PATH).is_file() {
            return Waited::Built;
        }
    }
}

/// Builds where the source or the settings differ from what was seen, and have come to rest.
fn rebuild_if_changed(talk: &Talk, args: &DevArgs, plan: &Plan, seen: &mut Vec<Look>) {
    let mut now = look(plan);
    if now == *seen {
        return;
    }
    loop {
        std::thread::sleep(LOOK_EVERY);
        let later = look(plan);
        if later == now {
            break;
        }
        now = later;
    }
    *seen = now;
    // The settings may be what has changed. Where they move the folders, dev must be started again.
    let Ok((fresh, findings)) = plan_of(talk, &args.project, 0) else { return };
    talk.findings(&findings);
    if fresh.source != plan.source || fresh.output != plan.output {
        talk.say("`source` or `output` has changed: start `rimward dev` again");
        return;
    }
    build(talk, &fresh);
}

fn build(talk: &Talk, plan: &Plan) {
    let (findings, failure) = match pipeline::build(plan, &Real, &|_| (), SystemTime::now()) {
        Ok(built) => {
            talk.findings(&built.findings);
            talk.say(format!("release {} is ready", built.report.release));
            return;
        }
        Err(BuildError::Source(findings)) => (findings, None),
        Err(BuildError::Publish(error, findings)) => (findings, Some(error.to_string())),
        Err(BuildError::Threads(why)) => (Vec::new(), Some(format!("could not start threads: {why}"))),
    };
    talk.findings(&findings);
    if let Some(why) = failure {
        talk.error(why);
    }
    talk.say("nothing was published: the release before this, if any, still answers");
}

/// One file as it was seen.
type Look = (PathBuf, u64, Option<SystemTime>);

/// The source's files and the settings. The folder is looked at whole: bundlers remove it and make it anew, which a
/// notification for the folder would not survive.
fn look(plan: &Plan) -> Vec<Look> {
    let settings = [plan.project.join(crate::settings::FILE_NAME)];
    let files = walkdir::WalkDir::new(&plan.source).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let seen = |path: PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    };
    files.chain(settings).filter_map(seen).collect()
}

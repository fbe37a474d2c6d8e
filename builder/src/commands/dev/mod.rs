//! `rimward dev`: the edge under `wrangler dev`, and a new release whenever the source changes.

mod rebuild;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rebuild::Rebuilding;

use super::running::{Running, interruptions};
use super::tied::{Farewell, tied};
use super::{Ended, Talk, plan_of, tools};
use crate::cli::DevArgs;
use crate::config::Plan;
use crate::settings::{WRANGLER_FILE, WRANGLER_OTHERS};
use crate::worker;

/// How often wrangler is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs until it is told to end.
pub fn run(args: &DevArgs) -> Ended {
    let talk = Arc::new(Talk::new());
    match dev(&talk, args) {
        Ok(ended) => ended,
        Err(why) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

fn dev(talk: &Arc<Talk>, args: &DevArgs) -> Result<Ended, String> {
    let plan = match plan_of(talk, &args.project, 0) {
        Ok((plan, findings)) => {
            talk.findings(&findings);
            plan
        }
        Err(ended) => return Ok(ended),
    };
    // wrangler ends the `workerd` that it starts, if it is given the time.
    let mut command = tied(&wrangler(args, &plan)?, Farewell::Terminate);
    worker::write(&plan.project).map_err(|error| error.to_string())?;
    let interrupted = interruptions().map_err(|error| format!("could not listen for Ctrl-C: {error}"))?;
    let rebuilding = Rebuilding::start(talk, &args.project, plan)
        .map_err(|error| format!("could not start a thread that builds: {error}"))?;
    let mut wrangler: Option<Running> = None;
    loop {
        match &mut wrangler {
            None if rebuilding.has_release() => {
                let started = Running::start(&mut command);
                wrangler = Some(started.map_err(|error| format!("could not start wrangler: {error}"))?);
            }
            None => {}
            Some(running) => {
                let ended = running.ended().map_err(|error| format!("could not wait for wrangler: {error}"))?;
                if let Some(status) = ended {
                    return Err(format!("wrangler ended by itself: {status}"));
                }
            }
        }
        if interrupted.recv_timeout(LOOK_EVERY).is_ok() {
            // Both end with their values: wrangler first, then what is being written.
            return Ok(Ended::Done);
        }
    }
}

/// `wrangler dev` with what the Worker is to know.
fn wrangler(args: &DevArgs, plan: &Plan) -> Result<Command, String> {
    let file = plan.project.join(WRANGLER_FILE);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        let other = WRANGLER_OTHERS.into_iter().find(|name| plan.project.join(name).exists());
        let hint = match other {
            Some(other) => format!("write as {WRANGLER_FILE} what {other} says: `rimward dev` reads no other file"),
            None => "`rimward init` writes it".to_owned(),
        };
        format!("could not read `{}`: {error}\n  hint: {hint}", file.display())
    })?;
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

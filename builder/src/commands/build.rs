//! `rimward build`.

use std::time::{Instant, SystemTime};

use serde::Serialize;

use super::{Ended, Talk};
use crate::cli::BuildArgs;
use crate::config::{Choices, Plan, PlanError, Strictness, absence, plan};
use crate::diagnostic::{Diagnostic, Severity};
use crate::fs::Real;
use crate::pipeline::{self, BuildError, Built};
use crate::publish::PublishError;
use crate::report::{Report, table};
use crate::worker::{self, WorkerError};

/// Builds, and says what came of it.
pub fn run(args: &BuildArgs) -> Ended {
    let began = Instant::now();
    let talk = Talk::new();
    let here = match std::env::current_dir() {
        Ok(here) => here,
        Err(error) => return trouble(&talk, format!("could not find out the current folder: {error}")),
    };
    let choices = Choices {
        here,
        config: args.project.config.clone(),
        source: args.dist.clone(),
        env: args.project.env.clone(),
        jobs: usize::from(args.jobs),
        strictness: if args.strict { Strictness::Strict } else { Strictness::Lenient },
    };
    if let Some(absence) = absence(&Real, &choices) {
        talk.say(absence);
    }
    let (plan, mut findings) = match plan(&Real, &choices) {
        Ok(planned) => planned,
        Err(PlanError::Settings(findings)) => return errors(&talk, args, &findings),
        Err(PlanError::Unreadable(why)) => return trouble(&talk, why),
    };
    // A release must not be deployed with bindings that would make its private files public.
    findings.extend(super::check::wrangler_toml(&plan).unwrap_or_default());
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return errors(&talk, args, &findings);
    }
    match pipeline::build(&plan, &Real, &|stage| talk.stage(stage), SystemTime::now()) {
        Ok(built) => {
            findings.extend(built.findings.iter().cloned());
            done(&talk, args, &plan, &built, &findings, began)
        }
        Err(BuildError::Source(found)) => {
            findings.extend(found);
            errors(&talk, args, &findings)
        }
        Err(BuildError::Publish(error, found)) => {
            findings.extend(found);
            talk.findings(&findings);
            not_published(&talk, &error)
        }
        Err(BuildError::Threads(why)) => trouble(&talk, format!("could not start threads: {why}")),
    }
}

/// What `--json` prints: `report` is absent where nothing was published.
#[derive(Serialize)]
struct Output<'a> {
    report: Option<&'a Report>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: &'static str,
    code: &'static str,
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
    hint: Option<&'a str>,
}

fn done(talk: &Talk, args: &BuildArgs, plan: &Plan, built: &Built, findings: &[Diagnostic], began: Instant) -> Ended {
    talk.findings(findings);
    match worker::write(&plan.project) {
        Ok(_) => {}
        // The release is there all the same; another program's Worker may serve it.
        Err(error @ WorkerError::NotInside) => talk.say(format!("note: {error}")),
        Err(error) => return trouble(talk, error),
    }
    if args.json {
        print_json(Some(&built.report), findings);
    } else {
        print!("{}", table(&built.report));
    }
    let report = &built.report;
    let state = match &report.previous {
        Some(previous) if *previous == report.release => "unchanged",
        _ => "published",
    };
    talk.say(format!(
        "release {} {state} in `{}`: {} files written, {} removed, {:.1} s",
        report.release,
        plan.settings.output,
        report.written,
        report.removed,
        began.elapsed().as_secs_f64()
    ));
    Ended::Done
}

fn errors(talk: &Talk, args: &BuildArgs, findings: &[Diagnostic]) -> Ended {
    talk.findings(findings);
    talk.say("nothing was published");
    if args.json {
        print_json(None, findings);
    }
    Ended::Errors
}

fn not_published(talk: &Talk, error: &PublishError) -> Ended {
    talk.error(error);
    talk.say("nothing was published: the release that answered before still does");
    match error {
        PublishError::OtherBytes { .. }
        | PublishError::TooManyFiles { .. }
        | PublishError::Foreign { .. }
        | PublishError::Taken { .. } => Ended::Errors,
        PublishError::Io { .. }
        | PublishError::Locked { .. }
        | PublishError::Corrupt { .. }
        | PublishError::Later { .. } => Ended::Trouble,
    }
}

fn trouble(talk: &Talk, why: impl std::fmt::Display) -> Ended {
    talk.error(why);
    Ended::Trouble
}

fn print_json(report: Option<&Report>, findings: &[Diagnostic]) {
    let findings = findings.iter().map(|finding| Finding {
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: finding.code,
        file: &finding.file,
        line: finding.place.map(|place| place.line),
        column: finding.place.map(|place| place.column),
        message: &finding.message,
        hint: finding.hint.as_deref(),
    });
    let output = Output { report, findings: findings.collect() };
    let bytes = crate::manifest::json(&output);
    print!("{}", String::from_utf8_lossy(&bytes));
}

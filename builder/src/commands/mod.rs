//! The commands: each reads what was typed, asks the library, and says what came of it.

pub mod build;
pub mod check;
pub mod dev;
pub mod init;
pub mod limits;
pub mod origin;
pub mod purge;
pub mod route;
pub mod serve;
pub mod warm;

mod running;
mod talk;
mod tied;
mod tools;

use std::process::ExitCode;

use rimward_edge::guard::secret::Scope;

use crate::cli::{Cli, Command, ProjectArgs, SiteArgs};
use crate::client::SiteUrl;
use crate::config::{Choices, Plan, PlanError, Strictness, absence, plan};
use crate::diagnostic::{Diagnostic, Severity};
use crate::fs::Real;
use crate::site::{Site, SiteError};

pub use talk::Talk;
pub use tied::Farewell;

/// How a command ended, as the exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What was asked for is done.
    Done,
    /// The inputs have errors.
    Errors,
    /// Usage or environment.
    Trouble,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> ExitCode {
        ExitCode::from(match ended {
            Ended::Done => 0,
            Ended::Errors => 1,
            Ended::Trouble => 2,
        })
    }
}

/// Runs what was typed.
pub fn run(cli: Cli) -> Ended {
    match cli.command {
        Command::Build(args) => build::run(&args),
        Command::Purge(args) => purge::run(&args),
        Command::Limits(args) => limits::run(&args),
        Command::Route(args) => route::run(&args),
        Command::Origin(args) => origin::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Dev(args) => dev::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Warm(args) => warm::run(&args),
        #[cfg(target_os = "linux")]
        Command::Become(args) => tied::run(&args),
    }
}

/// Why a running site did not do what was asked, or not all of it: a sentence.
enum Trouble {
    Inputs(String),
    Environment(String),
}

impl From<SiteError> for Trouble {
    fn from(error: SiteError) -> Trouble {
        match error {
            SiteError::Bad(_) => Trouble::Inputs(error.to_string()),
            _ => Trouble::Environment(error.to_string()),
        }
    }
}

/// Has operators' orders carried out by the site that was meant: `act` gives them.
fn operate(at: &SiteArgs, act: impl FnOnce(&Talk, &Site) -> Result<Ended, Trouble>) -> Ended {
    let talk = Talk::new();
    let (plan, findings) = match plan_of(&talk, &at.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    talk.findings(&findings);
    ended(&talk, site(at.to.as_ref(), &plan, Scope::Operate).and_then(|site| act(&talk, &site)))
}

/// The site that was meant, for whoever holds the secret of a scope.
fn site(to: Option<&SiteUrl>, plan: &Plan, scope: Scope) -> Result<Site, Trouble> {
    let url = site_of(to, plan).map_err(Trouble::Environment)?;
    Ok(Site::new(url, scope, &|name| std::env::var(name).ok())?)
}

/// How a command ended that asked a running site; where it came to nothing, it has been said why.
fn ended(talk: &Talk, done: Result<Ended, Trouble>) -> Ended {
    match done {
        Ok(ended) => ended,
        Err(Trouble::Inputs(why)) => {
            talk.error(why);
            Ended::Errors
        }
        Err(Trouble::Environment(why)) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

/// The plan of the project that was meant, and warnings about its settings; where there is none, it has been said why, and
/// where it has no settings file, that.
fn plan_of(talk: &Talk, project: &ProjectArgs, jobs: usize) -> Result<(Plan, Vec<Diagnostic>), Ended> {
    let choices = choices_of(talk, project, jobs)?;
    if let Some(absence) = absence(&Real, &choices) {
        talk.say(absence);
    }
    planned(talk, &choices)
}

/// The same for whoever has been told before.
fn plan_again(talk: &Talk, project: &ProjectArgs) -> Result<(Plan, Vec<Diagnostic>), Ended> {
    planned(talk, &choices_of(talk, project, 0)?)
}

fn choices_of(talk: &Talk, project: &ProjectArgs, jobs: usize) -> Result<Choices, Ended> {
    let here = std::env::current_dir().map_err(|error| {
        talk.error(format!("could not find out the current folder: {error}"));
        Ended::Trouble
    })?;
    Ok(Choices {
        here,
        config: project.config.clone(),
        source: None,
        env: project.env.clone(),
        jobs,
        strictness: Strictness::Lenient,
    })
}

fn planned(talk: &Talk, choices: &Choices) -> Result<(Plan, Vec<Diagnostic>), Ended> {
    plan(&Real, choices).map_err(|error| match error {
        PlanError::Settings(findings) => {
            talk.findings(&findings);
            Ended::Errors
        }
        PlanError::Unreadable(why) => {
            talk.error(why);
            Ended::Trouble
        }
    })
}

/// Where the site is reached that was meant: by `--to`, else by the settings.
fn site_of(to: Option<&SiteUrl>, plan: &Plan) -> Result<SiteUrl, String> {
    if let Some(site) = to {
        return Ok(site.clone());
    }
    let host = plan.hosts.first();
    let host =
        host.ok_or("it is not known where the site is reached\nhint: say it by --to, or in `hosts` of `[site]`")?;
    format!("https://{host}").parse().map_err(|error| format!("`{host}` of `[site]` is no host: {error}"))
}

/// Findings as `--json` prints them.
fn findings_json(findings: &[Diagnostic]) -> Vec<serde_json::Value> {
    let json = |finding: &Diagnostic| {
        serde_json::json!({
            "severity": match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "code": finding.code,
            "file": finding.file,
            "line": finding.place.map(|place| place.line),
            "column": finding.place.map(|place| place.column),
            "message": finding.message,
            "hint": finding.hint,
        })
    };
    findings.iter().map(json).collect()
}

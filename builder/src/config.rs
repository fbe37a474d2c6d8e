//! What was typed, the settings file and the environment as one plan: typed, with absolute paths.

use std::path::{Path, PathBuf};

use rimward_edge::config::SettingsFile;

use crate::diagnostic::{Diagnostic, Severity};
use crate::fs::Files;
use crate::settings::{self, BuildSettings, Compiled};

/// What a build is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The folder of the settings file.
    pub project: PathBuf,
    /// What the bundler wrote.
    pub source: PathBuf,
    /// The same as a person calls it.
    pub source_called: String,
    /// What the edge serves from.
    pub output: PathBuf,
    /// `.rimward/`: the cache, the lock, private source maps.
    pub state: PathBuf,
    /// Checked.
    pub settings: BuildSettings,
    /// `[site] hosts`: absolute URLs of these are the app's own.
    pub hosts: Vec<String>,
    /// The edge's settings. What is published has the hashes of the release's inline scripts in them.
    pub settings_file: SettingsFile,
    /// Threads; 0: one for each processor.
    pub jobs: usize,
    /// What warnings do.
    pub strictness: Strictness,
}

/// What warnings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// They are shown.
    #[default]
    Lenient,
    /// They fail the build.
    Strict,
}

/// What of the command line a plan depends on, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The folder in which the program runs: absolute.
    pub here: PathBuf,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `DIST`, instead of `[build] source`.
    pub source: Option<PathBuf>,
    /// `--env`, else `RIMWARD_ENV`.
    pub env: Option<String>,
    /// `--jobs`.
    pub jobs: usize,
    /// `--strict`.
    pub strictness: Strictness,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum PlanError {
    /// The settings have mistakes.
    Settings(Vec<Diagnostic>),
    /// The settings file cannot be read: a sentence.
    Unreadable(String),
}

/// What to say where no settings file is read; `None` where one is.
pub fn absence(files: &dyn Files, choices: &Choices) -> Option<String> {
    let name = settings::FILE_NAME;
    let is_there = |folder: &Path| match files.stamp(&folder.join(name)) {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        Ok(_) => true,
    };
    if choices.config.is_some() || is_there(&choices.here) {
        return None;
    }
    let above = choices.here.ancestors().skip(1).find(|folder| is_there(folder));
    Some(match above {
        Some(folder) => format!(
            "no {name} here: defaults hold\n  hint: there is one in `{}`: go there, or name it with --config",
            folder.display()
        ),
        None => format!("no {name} here: defaults hold"),
    })
}

/// Reads the settings and makes a plan. Warnings about the settings come beside it.
pub fn plan(files: &dyn Files, choices: &Choices) -> Result<(Plan, Vec<Diagnostic>), PlanError> {
    let config = choices.here.join(choices.config.as_deref().unwrap_or(Path::new(settings::FILE_NAME)));
    let text = match files.read(&config) {
        Ok(bytes) => String::from_utf8(bytes)
            .map_err(|_| PlanError::Unreadable(format!("`{}` is not UTF-8", config.display())))?,
        // Without the file every setting has its default; a file that was asked for must be there.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && choices.config.is_none() => String::new(),
        Err(error) => return Err(PlanError::Unreadable(format!("could not read `{}`: {error}", config.display()))),
    };
    if let (Some(env), Some(absence)) = (&choices.env, absence(files, choices)) {
        return Err(PlanError::Unreadable(format!("there is no `[env.{env}]`, and {absence}")));
    }
    let called = config.strip_prefix(&choices.here).unwrap_or(&config).display().to_string();
    let (compiled, mut findings) = settings::compile(&text, &called, choices.env.as_deref());
    let Some(Compiled { file, build }) = compiled else { return Err(PlanError::Settings(findings)) };
    if choices.strictness == Strictness::Strict && !findings.is_empty() {
        for finding in &mut findings {
            finding.severity = Severity::Error;
        }
        return Err(PlanError::Settings(findings));
    }
    let project = config.parent().unwrap_or(&choices.here).to_owned();
    let source = choices.source.as_ref().map_or_else(|| project.join(&build.source), |typed| choices.here.join(typed));
    let plan = Plan {
        source_called: source.strip_prefix(&choices.here).unwrap_or(&source).display().to_string(),
        source,
        output: project.join(&build.output),
        state: project.join(".rimward"),
        settings: build,
        hosts: file.chosen().site.hosts.clone(),
        settings_file: file,
        jobs: choices.jobs,
        strictness: choices.strictness,
        project,
    };
    match overlap(&plan) {
        Some(finding) => Err(PlanError::Settings(vec![finding])),
        None => Ok((plan, findings)),
    }
}

/// Source and output inside one another would publish releases in releases.
fn overlap(plan: &Plan) -> Option<Diagnostic> {
    let inside = plan.source.starts_with(&plan.output) || plan.output.starts_with(&plan.source);
    inside.then(|| {
        let message = format!("source and output (`{}`) lie in one another", plan.output.display());
        Diagnostic::error(plan.source_called.clone(), "folders-overlap", message)
            .hint("give `[build] source` and `[build] output` two separate folders")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Memory;

    #[test]
    fn a_settings_file_that_is_not_here_is_told() {
        let files = Memory::new([("/shop/rimward.toml", b"".as_slice())]);
        let choices = |here: &str| Choices { here: here.into(), ..Choices::default() };
        assert_eq!(absence(&files, &choices("/shop")), None);
        assert_eq!(absence(&files, &Choices { config: Some("x.toml".into()), ..choices("/") }), None);
        assert_eq!(absence(&files, &choices("/other")).unwrap(), "no rimward.toml here: defaults hold");
        let below = absence(&files, &choices("/shop/src/pages")).unwrap();
        assert!(below.contains("there is one in `/shop`"), "{below}");
    }

    #[test]
    fn an_environment_needs_a_settings_file() {
        let choices = Choices { here: "/shop".into(), env: Some("nope".into()), ..Choices::default() };
        let Err(PlanError::Unreadable(why)) = plan(&Memory::default(), &choices) else { panic!("a plan") };
        assert_eq!(why, "there is no `[env.nope]`, and no rimward.toml here: defaults hold");
    }
}

//! `rimward check`: everything that can be said before a deploy.

mod agree;
mod cost;

use serde_json::{Value, json};

use super::{Ended, Talk, findings_json, plan_of};
use crate::cli::CheckArgs;
use crate::config::Plan;
use crate::diagnostic::{Diagnostic, Severity};
use crate::pipeline::BuildError;
use crate::publish::{FILES_FREE, FILES_PAID};
use crate::settings::{self, AssetsFrom, Explained, ExplainedLimit, ExplainedPool, WRANGLER_FILE};
use agree::{AgreeError, Builds};
use cost::Checks;

/// Largest file that the platform takes.
const FILE_LIMIT: u64 = 25 * 1024 * 1024;

/// Checks, and says what came of it.
pub fn run(args: &CheckArgs) -> Ended {
    if args.schema {
        println!("{:#}", settings::schema());
        return Ended::Done;
    }
    let talk = Talk::new();
    let (plan, mut findings) = match plan_of(&talk, &args.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    findings.extend(wrangler(&plan));
    let builds = match agree::build_twice(&plan) {
        Ok(builds) => Some(builds),
        Err(AgreeError::Build(BuildError::Source(found))) => {
            findings.extend(found);
            None
        }
        Err(AgreeError::Build(BuildError::Publish(error, _))) => return trouble(&talk, &error.to_string()),
        Err(AgreeError::Build(BuildError::Threads(why)) | AgreeError::Disk(why)) => return trouble(&talk, &why),
    };
    if let Some(builds) = &builds {
        findings.extend(builds.built.findings.iter().cloned());
        findings.extend(limits(builds, &plan));
        findings.extend(disagreement(builds, &plan));
    }
    let chosen = plan.settings_file.chosen();
    let checks = cost::checks(chosen);
    findings.extend(too_many_checks(&checks));
    talk.findings(&findings);
    let (kept, limited) = (settings::explain(chosen), settings::explain_limits(chosen));
    let pools = settings::explain_pools(chosen);
    if args.json {
        println!("{:#}", output(&plan, builds.as_ref(), &Meaning { kept, limited, pools, checks }, &findings));
    } else {
        let texts = kept.iter().map(Explained::text).chain(limited.iter().map(ExplainedLimit::text));
        let texts = texts.chain(pools.iter().map(ExplainedPool::text)).chain(cost::text(&checks));
        let explained = texts.map(|text| format!("\n{text}"));
        print!("{}", builds.iter().map(|builds| summary(&plan, builds)).chain(explained).collect::<String>());
    }
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    if wrong { Ended::Errors } else { Ended::Done }
}

fn trouble(talk: &Talk, why: &str) -> Ended {
    talk.error(why);
    Ended::Trouble
}

/// What is wrong with wrangler's file, or that there is none.
fn wrangler(plan: &Plan) -> Vec<Diagnostic> {
    for name in settings::WRANGLER_OTHERS {
        if plan.project.join(name).exists() {
            let wanted = settings::assets_text(&plan.settings).replace('\n', "; ");
            return vec![
                Diagnostic::warning(name, "not-checked", "wrangler reads this file, which is not checked here")
                    .hint(format!("it must say what this says in wrangler.toml: {wanted}")),
            ];
        }
    }
    wrangler_toml(plan).unwrap_or_else(|| {
        let text = "there is none: the site cannot be deployed by wrangler";
        let missing = Diagnostic::warning(WRANGLER_FILE, "missing-file", text);
        vec![missing.hint("`rimward init` writes it; `rimward serve` does not need it")]
    })
}

/// What is wrong with a project's `wrangler.toml`; `None` where there is none.
pub(super) fn wrangler_toml(plan: &Plan) -> Option<Vec<Diagnostic>> {
    match std::fs::read_to_string(plan.project.join(WRANGLER_FILE)) {
        Ok(text) => Some(settings::check_wrangler(&text, &plan.settings, &plan.settings_file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(vec![
            Diagnostic::error(WRANGLER_FILE, "unreadable", format!("could not read it: {error}"))
                .hint("it must be a text that this user may read"),
        ]),
    }
}

fn limits(builds: &Builds, plan: &Plan) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let files = kept_files(builds, plan);
    if files > FILES_FREE {
        let over = |plans: String| {
            format!("{} kept releases may hold {files} files, more than {plans}", plan.settings.keep_releases)
        };
        let called = plan.settings.output.clone();
        let finding = match files > FILES_PAID {
            true => Diagnostic::error(called, "platform-limit", over(format!("any plan's {FILES_PAID}"))),
            false => Diagnostic::warning(called, "platform-limit", over(format!("the free plan's {FILES_FREE}"))),
        };
        findings.push(finding.hint("lower `keep_releases` of `[build]`"));
    }
    for line in builds.built.report.files.iter().filter(|line| line.size > FILE_LIMIT) {
        let text = format!("{} bytes are more than the platform takes, 25 MiB a file", line.size);
        findings
            .push(Diagnostic::error(line.logical.clone(), "platform-limit", text).hint("serve it from somewhere else"));
    }
    findings
}

/// At most: as if no two releases shared a file.
fn kept_files(builds: &Builds, plan: &Plan) -> usize {
    builds.built.report.output_files.saturating_mul(plan.settings.keep_releases as usize)
}

fn disagreement(builds: &Builds, plan: &Plan) -> Option<Diagnostic> {
    let first = builds.differing.first()?;
    let count = builds.differing.len();
    let text = format!("two builds differ in {count} files: `{first}` is the first");
    let finding = Diagnostic::error(plan.source_called.clone(), "not-reproducible", text);
    Some(
        finding
            .hint("the source must not change meanwhile; if it did not, this is a fault of Rimward: please report it"),
    )
}

fn summary(plan: &Plan, builds: &Builds) -> String {
    let report = &builds.built.report;
    let largest = report.files.iter().max_by_key(|line| line.size);
    let mut lines = vec![
        format!("two builds agree        {}", if builds.differing.is_empty() { "yes, byte for byte" } else { "no" }),
        format!("files of a release      {} of {FILES_FREE} (free plan) or {FILES_PAID} (paid)", report.output_files),
    ];
    if let Some(line) = largest {
        lines.push(format!("largest file            {} bytes of {FILE_LIMIT}: {}", line.size, line.logical));
    }
    if let Some(visit) = cost::first_visit(&builds.manifest) {
        let cost = cost::cost(&visit);
        let now = |assets| if plan.settings.assets == assets { "as it is" } else { "if it were" };
        lines.push(format!("a first visit           1 page, {} assets, {} bytes", visit.assets, visit.bytes));
        lines.push(format!(
            "a million first visits  ${:.2} with assets = \"worker\" ({})",
            cost.first_by_worker,
            now(AssetsFrom::Worker)
        ));
        lines.push(format!(
            "                        ${:.2} with assets = \"platform\" ({}), without brotli 11",
            cost.first_by_platform,
            now(AssetsFrom::Platform)
        ));
        lines.push(format!("a million returning     ${:.2}", cost.returning));
        lines.push(format!(
            "                        at ${:.2} a million Worker requests, past those that a plan includes",
            cost::DOLLARS_PER_MILLION
        ));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// More checks of origins than the free plan has requests for: a site on it would lose its limits and purges, too.
fn too_many_checks(checks: &[Checks]) -> Option<Diagnostic> {
    let day: u64 = checks.iter().map(|checks| checks.alarms_a_day).sum();
    let is_too_many = day > cost::FREE_REQUESTS_A_DAY;
    let text = format!(
        "checks of origins wake an object up to {day} times a day, more often than the free plan's {} requests",
        cost::FREE_REQUESTS_A_DAY
    );
    is_too_many.then(|| {
        Diagnostic::warning(settings::FILE_NAME, "platform-limit", text)
            .hint("make `interval` of `[pool.health]` longer, for example \"30s\"")
    })
}

/// What the settings mean.
struct Meaning {
    kept: Vec<Explained>,
    limited: Vec<ExplainedLimit>,
    pools: Vec<ExplainedPool>,
    checks: Vec<Checks>,
}

/// What `--json` prints. Fields are only ever added.
fn output(plan: &Plan, builds: Option<&Builds>, meaning: &Meaning, findings: &[Diagnostic]) -> Value {
    let visit = builds.and_then(|builds| cost::first_visit(&builds.manifest));
    json!({
        "findings": findings_json(findings),
        "builds": builds.map(|builds| json!({ "agree": builds.differing.is_empty(), "differing": builds.differing })),
        "files": builds.map(|builds| builds.built.report.output_files),
        "assets": match plan.settings.assets { AssetsFrom::Worker => "worker", AssetsFrom::Platform => "platform" },
        "kept": meaning.kept,
        "limited": meaning.limited,
        "pools": meaning.pools,
        "checks": meaning.checks,
        "first_visit": visit,
        "dollars_per_million_visits": visit.map(|visit| cost::cost(&visit)),
    })
}

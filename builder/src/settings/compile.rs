//! From the text of `rimward.toml` to what it means, with everything that is wrong with it.

use std::collections::BTreeMap;

use rimward_edge::config::{Settings, SettingsFile};
use rimward_edge::release::manifest::FORMAT;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Compiled;
use super::build::BuildSettings;
use super::check::check;
use super::findings::{Findings, closest};
use super::raw::RawSettings;
use super::table::{FromToml, quoted_list};
use crate::diagnostic::{Diagnostic, Severity};

/// Reads settings. `file` names them for people; `env` is the environment that is built for.
///
/// All findings come at once, in the order of the text. Settings come only where none of them is an error.
pub fn compile(text: &str, file: &str, env: Option<&str>) -> (Option<Compiled>, Vec<Diagnostic>) {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut syntax = Findings::new(file, text);
    for error in &errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        syntax.error("syntax", &span, format!("this is not TOML: {}", error.message()));
    }
    let mut syntax = syntax.into_list();
    let (meanings, mut findings) = environments(tree, file, text);
    if !syntax.is_empty() {
        findings.retain(|finding| stands_alone(finding, &syntax));
    }
    findings.append(&mut syntax);
    findings.sort_by_key(|finding| finding.place);
    let compiled = choose(meanings, file, env, &mut findings);
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    (compiled.filter(|_| !wrong), findings)
}

/// Whether a finding can be trusted although other places are no TOML: it is not on their lines, and does not follow
/// from something that is not there.
fn stands_alone(finding: &Diagnostic, syntax: &[Diagnostic]) -> bool {
    let line = |finding: &Diagnostic| finding.place.map(|place| place.line);
    !matches!(finding.code, "missing-key" | "unknown-name" | "unused")
        && syntax.iter().all(|error| line(error) != line(finding))
}

/// What the settings mean, without any environment and in each.
struct Meanings {
    plain: (Settings, BuildSettings),
    envs: BTreeMap<String, (Settings, BuildSettings)>,
}

fn environments(tree: Spanned<DeTable<'_>>, file: &str, text: &str) -> (Meanings, Vec<Diagnostic>) {
    let whole = tree.span();
    let mut plain = tree.into_inner();
    let mut findings = Findings::new(file, text);
    let overrides = match plain.remove("env") {
        Some(envs) => overrides(envs, &mut findings),
        None => Vec::new(),
    };
    let mut list = findings.into_list();
    let meaning = |tree: DeTable<'_>| {
        let mut findings = Findings::new(file, text);
        let raw = RawSettings::read(&DeValue::Table(tree), whole.clone(), "the file", &mut findings);
        let meaning = raw.map(|raw| check(&raw, &mut findings));
        (meaning.unwrap_or_else(|| unreachable_root(&mut findings)), findings.into_list())
    };
    let (of_plain, plain_findings) = meaning(plain.clone());
    let mut envs = BTreeMap::new();
    for (name, changes) in overrides {
        let mut merged = plain.clone();
        merge(&mut merged, changes);
        let (of_env, env_findings) = meaning(merged);
        let own = env_findings.into_iter().filter(|finding| !plain_findings.contains(finding));
        list.extend(
            own.map(|finding| Diagnostic { message: format!("{} (in `[env.{name}]`)", finding.message), ..finding }),
        );
        envs.insert(name, of_env);
    }
    list.extend(plain_findings);
    (Meanings { plain: of_plain, envs }, list)
}

/// A root is always a table; this keeps the reader total all the same.
fn unreachable_root(findings: &mut Findings<'_>) -> (Settings, BuildSettings) {
    let empty = DeValue::Table(DeTable::new());
    let raw = RawSettings::read(&empty, 0..0, "the file", findings);
    raw.map(|raw| check(&raw, findings)).expect("an empty table can be read: every key is optional")
}

fn overrides<'i>(envs: Spanned<DeValue<'i>>, findings: &mut Findings<'_>) -> Vec<(String, DeTable<'i>)> {
    let span = envs.span();
    let DeValue::Table(envs) = envs.into_inner() else {
        findings.error("wrong-type", &span, "`env` must be tables by name").hint("write it as `[env.staging]`");
        return Vec::new();
    };
    let mut overrides = Vec::new();
    for (name, changes) in envs {
        let name_span = name.span();
        let name = name.into_inner().into_owned();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !plain {
            findings
                .error("wrong-value", &name_span, format!("{name:?} cannot name an environment"))
                .hint("use letters, digits, `-` and `_`, as wrangler does");
        }
        let changes_span = changes.span();
        match changes.into_inner() {
            DeValue::Table(changes) => {
                if let Some((key, _)) = changes.get_key_value("env") {
                    findings
                        .error("unknown-key", &key.span(), format!("`[env.{name}]` cannot hold environments itself"))
                        .hint("environments do not nest");
                }
                overrides.push((name, changes.into_iter().filter(|(key, _)| key.get_ref() != "env").collect()));
            }
            _ => {
                findings
                    .error("wrong-type", &changes_span, format!("`env.{name}` must be a table"))
                    .hint(format!("write `[env.{name}.site]` and the keys that differ below it"));
            }
        }
    }
    overrides
}

/// Tables are merged key by key; everything else, arrays of tables too, is replaced whole.
fn merge<'i>(base: &mut DeTable<'i>, changes: DeTable<'i>) {
    for (key, change) in changes {
        let span = change.span();
        match (base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), change.into_inner()) {
            (Some(DeValue::Table(under)), DeValue::Table(over)) => merge(under, over),
            (_, over) => {
                // The key too: findings about it stand where it was written last.
                base.remove(key.get_ref().as_ref());
                base.insert(key, Spanned::new(span, over));
            }
        }
    }
}

fn choose(meanings: Meanings, file: &str, env: Option<&str>, findings: &mut Vec<Diagnostic>) -> Option<Compiled> {
    let Meanings { plain: (settings, build), envs } = meanings;
    let build = match env {
        None => build,
        Some(name) => {
            let Some((_, build)) = envs.get(name) else {
                findings.push(no_environment(name, &envs.keys().map(String::as_str).collect::<Vec<_>>(), file));
                return None;
            };
            build.clone()
        }
    };
    let envs = envs.into_iter().map(|(name, (settings, _))| (name, settings)).collect();
    Some(Compiled { file: SettingsFile { format: FORMAT, env: env.map(str::to_owned), settings, envs }, build })
}

fn no_environment(name: &str, names: &[&str], file: &str) -> Diagnostic {
    let hint = match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => format!("add `[env.{name}]`, or leave --env and RIMWARD_ENV out"),
        None => format!("the environments are {}", quoted_list(names)),
    };
    Diagnostic::error(file, "unknown-name", format!("there is no `[env.{name}]`")).hint(hint)
}

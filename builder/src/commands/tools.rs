//! Finds the programs of others that we run: in the project's `node_modules`, else on the path.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `workerd` is; an error names every place that was looked at.
pub(super) fn workerd(chosen: Option<&Path>, project: &Path) -> Result<PathBuf, String> {
    if let Some(path) = chosen {
        return match path.is_file() {
            true => Ok(path.to_owned()),
            false => Err(format!("there is no `workerd` at `{}`", path.display())),
        };
    }
    let packed = format!("@cloudflare/workerd-{}/bin/workerd", platform());
    // The package's own `bin/workerd` may be a script that starts the real one: signals would not reach it.
    in_node_modules(project, &packed)
        .or_else(|| in_node_modules(project, ".bin/workerd"))
        .or_else(|| on_path("workerd"))
        .ok_or_else(|| {
            format!(
                "could not find `workerd`, which runs the Worker: looked into node_modules from `{}` upwards, and at PATH\n  \
                 hint: install it with `npm install --save-dev workerd`, or name it with --workerd or RIMWARD_WORKERD",
                project.display()
            )
        })
}

/// As the npm packages with `workerd`'s binary are called.
fn platform() -> &'static str {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-64",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", _) => "windows-64",
        _ => "unknown",
    }
}

/// A file below the nearest `node_modules` that has it, as Node.js looks for packages.
fn in_node_modules(project: &Path, file: &str) -> Option<PathBuf> {
    let candidates = project.ancestors().map(|folder| folder.join("node_modules").join(file));
    candidates.into_iter().find(|path| path.is_file())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The oldest Node.js that wrangler runs on.
const NODE_MAJOR: u32 = 22;

/// What starts wrangler: a program and its first arguments.
pub(super) fn wrangler(project: &Path) -> Result<Command, String> {
    let node = node(project)?;
    if let Some(script) = in_node_modules(project, "wrangler/bin/wrangler.js") {
        let mut command = Command::new(node);
        command.arg(script);
        return Ok(command);
    }
    let Some(npx) = on_path("npx") else {
        return Err("could not find wrangler, nor npx to get it\n  hint: npm install --save-dev wrangler".to_owned());
    };
    let mut command = Command::new(npx);
    command.args(["--yes", "wrangler"]);
    Ok(command)
}

/// A Node.js that is new enough: the project's own (the npm package `node`), else that on the path.
fn node(project: &Path) -> Result<PathBuf, String> {
    let candidates = [in_node_modules(project, ".bin/node"), on_path("node")];
    let mut old = None;
    for path in candidates.into_iter().flatten() {
        let Some(version) = version_of(&path) else { continue };
        if major(&version).is_some_and(|major| major >= NODE_MAJOR) {
            return Ok(path);
        }
        old.get_or_insert(version);
    }
    let what = match old {
        Some(version) => format!("wrangler needs Node.js {NODE_MAJOR} or newer, and this is {version}"),
        None => format!("wrangler needs Node.js {NODE_MAJOR} or newer, and there is none"),
    };
    Err(format!(
        "{what}\n  hint: npm install --save-dev node@{NODE_MAJOR} gives the project its own; `rimward serve` needs no Node.js"
    ))
}

fn version_of(node: &Path) -> Option<String> {
    let output = Command::new(node).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_from_the_project_upwards() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("apps/shop");
        std::fs::create_dir_all(&inner).unwrap();
        let binary = folder.path().join(format!("node_modules/@cloudflare/workerd-{}/bin/workerd", platform()));
        std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
        std::fs::write(&binary, "").unwrap();
        assert_eq!(workerd(None, &inner).unwrap(), binary);
        let nowhere = workerd(Some(Path::new("/nowhere/workerd")), &inner).unwrap_err();
        assert_eq!(nowhere, "there is no `workerd` at `/nowhere/workerd`");
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v22.23.3"), Some(22));
        assert_eq!(major("20"), None);
    }
}

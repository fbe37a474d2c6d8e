//! `rimward init`: writes `rimward.toml` and `wrangler.toml` for a project, having looked at its bundler.

mod project;
mod write;

use std::path::Path;

use super::{Ended, Talk};
use crate::cli::InitArgs;
use crate::settings::{self, WRANGLER_FILE};
use project::Project;

/// Looks, writes, and says what to do next.
pub fn run(args: &InitArgs) -> Ended {
    let talk = Talk::new();
    match init(&talk, &args.project) {
        Ok(()) => Ended::Done,
        Err(why) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

fn init(talk: &Talk, folder: &Path) -> Result<(), String> {
    let path = folder.join(settings::FILE_NAME);
    if path.exists() {
        return Err(format!(
            "`{}` is there already: nothing was changed\n  hint: `rimward check` looks at it",
            path.display()
        ));
    }
    let project = project::look(folder)?;
    for line in project.findings() {
        talk.say(line);
    }
    let settings = write::settings(&project);
    write_new(&path, &settings)?;
    talk.say(format!("wrote {}", settings::FILE_NAME));
    wrangler(talk, folder, &project)?;
    git_ignore(talk, folder, &project)?;
    talk.say("next:");
    for line in project.next_steps() {
        talk.say(format!("  {line}"));
    }
    Ok(())
}

fn wrangler(talk: &Talk, folder: &Path, project: &Project) -> Result<(), String> {
    let other = ["wrangler.json", "wrangler.jsonc"].into_iter().find(|name| folder.join(name).exists());
    if let Some(other) = other {
        talk.say(format!(
            "{other} is there already, and wrangler prefers it: it must say what this wrangler.toml would:\n"
        ));
        talk.say(write::wrangler(project));
        return Ok(());
    }
    let path = folder.join(WRANGLER_FILE);
    if !path.exists() {
        write_new(&path, &write::wrangler(project))?;
        talk.say(format!("wrote {WRANGLER_FILE}"));
        return Ok(());
    }
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("could not read `{}`: {error}", path.display()))?;
    let findings = settings::check_wrangler(&text, &project.build);
    talk.say(format!(
        "{WRANGLER_FILE} is there already and was left alone; it {}",
        match findings.is_empty() {
            true => "says what Rimward needs",
            false => "needs a change:",
        }
    ));
    talk.findings(&findings);
    Ok(())
}

fn git_ignore(talk: &Talk, folder: &Path, project: &Project) -> Result<(), String> {
    let path = folder.join(".gitignore");
    let wanted = [".rimward/".to_owned(), format!("{}/", project.build.output)];
    let Ok(text) = std::fs::read_to_string(&path) else {
        talk.say(format!("made by builds, not for git: {}", wanted.join(", ")));
        return Ok(());
    };
    let added = write::ignored(&text, &wanted);
    let Some((text, lines)) = added else { return Ok(()) };
    std::fs::write(&path, text).map_err(|error| format!("could not write `{}`: {error}", path.display()))?;
    talk.say(format!("added {} to .gitignore", lines.join(" and ")));
    Ok(())
}

/// Never overwrites, also not what appeared since it was looked for.
fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("could not write `{}`: {error}", path.display());
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

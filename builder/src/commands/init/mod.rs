//! `rimward init`: writes `rimward.toml` and `wrangler.toml` for a project, having looked at its bundler.

mod project;
mod write;

use std::path::Path;

use rimward_edge::config::SettingsFile;

use super::{Ended, Talk};
use crate::cli::InitArgs;
use crate::settings::{self, WRANGLER_FILE, WRANGLER_OTHERS};
use project::Project;

/// Looks, writes, and says what to do next.
pub fn run(args: &InitArgs) -> Ended {
    let talk = Talk::new();
    match init(&talk, &args.project) {
        Ok(ended) => ended,
        Err(why) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

fn init(talk: &Talk, folder: &Path) -> Result<Ended, String> {
    let path = folder.join(settings::FILE_NAME);
    let mut project = project::look(folder)?;
    let is_there = path.exists();
    let text = match is_there {
        true => std::fs::read_to_string(&path).map_err(|error| format!("could not read `{}`: {error}", path.display())),
        false => Ok(write::settings(&project)),
    }?;
    let (compiled, findings) = settings::compile(&text, settings::FILE_NAME, None);
    if is_there {
        let wrangler = [WRANGLER_FILE].into_iter().chain(WRANGLER_OTHERS).find(|name| folder.join(name).exists());
        if let Some(wrangler) = wrangler {
            return Err(format!(
                "`{}` is there already, and so is {wrangler}: nothing was changed\n  hint: `rimward check` looks at them",
                path.display()
            ));
        }
    } else {
        for line in project.findings() {
            talk.say(line);
        }
        write_new(&path, &text)?;
        talk.say(format!("wrote {}", settings::FILE_NAME));
    }
    talk.findings(&findings);
    let Some(compiled) = compiled else { return Ok(Ended::Errors) };
    // What the settings say holds, also where somebody else wrote them. Two sites of the default's name would be one Worker.
    let named =
        text.parse::<toml::Table>().is_ok_and(|table| table.get("site").is_some_and(|site| site.get("name").is_some()));
    if named {
        project.name.clone_from(&compiled.file.settings.site.name);
    }
    project.build.clone_from(&compiled.build);
    wrangler(talk, folder, &project, &compiled.file)?;
    git_ignore(talk, folder, &project)?;
    talk.say("next:");
    for line in project.next_steps() {
        talk.say(format!("  {line}"));
    }
    Ok(Ended::Done)
}

fn wrangler(talk: &Talk, folder: &Path, project: &Project, settings: &SettingsFile) -> Result<(), String> {
    let other = WRANGLER_OTHERS.into_iter().find(|name| folder.join(name).exists());
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
    let findings = settings::check_wrangler(&text, &project.build, settings);
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

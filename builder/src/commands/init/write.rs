//! The texts that `rimward init` writes.

use std::fmt::Write as _;

use super::project::Project;
use crate::settings::{STORE_TEXT, assets_text, objects_text};
use crate::worker;
use crate::workerd::{COMPATIBILITY_DATE, COMPATIBILITY_FLAGS};

/// `rimward.toml`: what differs from the defaults, and what most sites will want next.
pub(super) fn settings(project: &Project) -> String {
    let build = &project.build;
    let mut text =
        String::from("# How this site is built and served. `rimward check` looks at it; every key has a default.\n\n");
    let _ = writeln!(text, "[site]\nname = {:?}", project.name);
    if build.base != "/" {
        text.push_str(&line(&format!("base = {:?}", build.base), "the sub-path that the app was built for"));
    }
    text.push_str(&line("# hosts = [\"shop.example.com\"]", "absent: any host"));
    text.push_str("\n[build]\n");
    text.push_str(&line(&format!("source = {:?}", build.source), "what the bundler writes"));
    text.push_str(&line(&format!("output = {:?}", build.output), "what the edge serves"));
    text.push_str(&line("# source_maps = \"private\"", "private: kept in .rimward/maps; public; drop"));
    text.push_str("\n[document]\n");
    text.push_str(&match project.has_not_found_page {
        true => line("fallback = false", "unknown paths are answered by 404.html"),
        false => line("fallback = \"/index.html\"", "the app answers navigations to unknown paths"),
    });
    text.push_str(
        "\n# The API behind the app:\n\
         # [[pool]]\n# name = \"api\"\n# [[pool.origin]]\n# url = \"https://api.example.com\"\n#\n\
         # [[route]]\n# path = \"/api/*\"\n# pool = \"api\"\n",
    );
    text
}

/// `wrangler.toml`: what the platform must bind, and nothing else.
pub(super) fn wrangler(project: &Project) -> String {
    format!(
        "# What the platform binds to the Worker. How the site behaves stands in rimward.toml.\n\n\
         name = {:?}\n\
         main = \"{}/{}\"                # written by `rimward build`\n\
         no_bundle = true\n\
         compatibility_date = {COMPATIBILITY_DATE:?}\n\
         compatibility_flags = {COMPATIBILITY_FLAGS:?}\n\n\
         # With other values files under `_rimward/` would be public: `rimward build` and `check` refuse them.\n{}\n\n\
         # What all locations must know, such as purges; requests to origins that many make at once; what is limited;\n\
         # checks of origins; counters.\n{}\n\n\
         # What `persist = true` of a [cache.*] keeps for all locations, and a copy of what all must know.\n\
         # `npx wrangler kv namespace create KV` makes the store, and says its id:\n{}\n",
        project.name,
        worker::FOLDER,
        worker::ENTRY,
        assets_text(&project.build),
        objects_text(),
        STORE_TEXT.lines().map(|line| format!("# {line}")).collect::<Vec<_>>().join("\n"),
    )
}

/// A key with what is said of it, in a column of its own.
fn line(key: &str, says: &str) -> String {
    format!("{key:<35}# {says}\n")
}

/// A `.gitignore` with the lines that it lacks, and these; `None` where it lacks none.
pub(super) fn ignored(text: &str, wanted: &[String]) -> Option<(String, Vec<String>)> {
    let has = |wanted: &str| text.lines().any(|line| line.trim().trim_matches('/') == wanted.trim_matches('/'));
    let lacking: Vec<String> = wanted.iter().filter(|line| !has(line)).cloned().collect();
    if lacking.is_empty() {
        return None;
    }
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for line in &lacking {
        text.push_str(line);
        text.push('\n');
    }
    Some((text, lacking))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_lack_are_added() {
        let wanted = [".rimward/".to_owned(), "public/".to_owned()];
        assert_eq!(ignored("node_modules\n/public\n.rimward\n", &wanted), None);
        let (text, lines) = ignored("node_modules\n/public", &wanted).unwrap();
        assert_eq!((text.as_str(), lines), ("node_modules\n/public\n.rimward/\n", vec![".rimward/".to_owned()]));
    }
}

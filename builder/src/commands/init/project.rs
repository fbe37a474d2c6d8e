//! Looks at a project: which bundler it has, where that writes, and below which path the app lives.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::settings::BuildSettings;

/// What is known of a project.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Project {
    pub(super) name: String,
    /// As people call it.
    pub(super) bundler: Option<&'static str>,
    /// `source`, `output` and `base` are set.
    pub(super) build: BuildSettings,
    /// Where the source folder's name was read: for people.
    source_from: &'static str,
    /// Whether unknown paths have a page of their own instead of the app's.
    pub(super) has_not_found_page: bool,
    /// Whether the bundler has a source folder of the name `public`.
    public_is_taken: bool,
    build_command: Option<String>,
    has_wrangler: bool,
}

/// A bundler, and how a project that uses it looks.
struct Bundler {
    name: &'static str,
    packages: &'static [&'static str],
    configs: &'static [&'static str],
    /// Where it writes unless told otherwise.
    folder: &'static str,
    /// What its settings call the folder, and the base.
    folder_keys: &'static [&'static str],
    base_keys: &'static [&'static str],
    /// Their forms on the command line.
    folder_flags: &'static [&'static str],
    base_flags: &'static [&'static str],
}

/// Those that wrap others first.
const BUNDLERS: &[Bundler] = &[
    Bundler {
        name: "Create React App",
        packages: &["react-scripts"],
        configs: &[],
        folder: "build",
        folder_keys: &[],
        base_keys: &[],
        folder_flags: &["BUILD_PATH"],
        base_flags: &["PUBLIC_URL"],
    },
    Bundler {
        name: "Vite",
        packages: &["vite", "rolldown-vite"],
        configs: &["vite.config.js", "vite.config.ts", "vite.config.mjs", "vite.config.mts", "vite.config.cjs"],
        folder: "dist",
        folder_keys: &["outDir"],
        base_keys: &["base"],
        folder_flags: &["--outDir"],
        base_flags: &["--base"],
    },
    Bundler {
        name: "Rspack",
        packages: &["@rspack/cli", "@rspack/core"],
        configs: &["rspack.config.js", "rspack.config.ts", "rspack.config.mjs", "rspack.config.cjs"],
        folder: "dist",
        folder_keys: &["path"],
        base_keys: &["publicPath"],
        folder_flags: &["--output-path", "-o"],
        base_flags: &["--output-public-path"],
    },
    Bundler {
        name: "webpack",
        packages: &["webpack", "webpack-cli"],
        configs: &[
            "webpack.config.js",
            "webpack.config.ts",
            "webpack.config.mjs",
            "webpack.config.cjs",
            "webpack.prod.js",
        ],
        folder: "dist",
        folder_keys: &["path"],
        base_keys: &["publicPath"],
        folder_flags: &["--output-path", "-o"],
        base_flags: &["--output-public-path"],
    },
    Bundler {
        name: "Parcel",
        packages: &["parcel", "parcel-bundler"],
        configs: &[".parcelrc"],
        folder: "dist",
        folder_keys: &[],
        base_keys: &[],
        folder_flags: &["--dist-dir"],
        base_flags: &["--public-url"],
    },
    Bundler {
        name: "esbuild",
        packages: &["esbuild"],
        configs: &["esbuild.config.js", "esbuild.config.mjs", "esbuild.mjs", "esbuild.js", "build.mjs", "build.js"],
        folder: "dist",
        folder_keys: &["outdir"],
        base_keys: &["publicPath"],
        folder_flags: &["--outdir"],
        base_flags: &["--public-path"],
    },
];

/// Looks at the project in a folder.
pub(super) fn look(folder: &Path) -> Result<Project, String> {
    let path = folder.join("package.json");
    let package = match fs::read_to_string(&path) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|error| format!("could not read `{}`: {error}", path.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => Value::Null,
        Err(error) => return Err(format!("could not read `{}`: {error}", path.display())),
    };
    let bundler = BUNDLERS.iter().find(|bundler| {
        bundler.packages.iter().any(|name| depends_on(&package, name))
            || bundler.configs.iter().take(5).any(|name| folder.join(name).is_file() && !name.starts_with("build."))
    });
    let scripts = scripts(&package);
    let config = bundler.map(|bundler| config_text(bundler, folder)).unwrap_or_default();
    let (source, source_from) = source(bundler, &scripts, &config, folder);
    let public_is_taken =
        folder.join("public").is_dir() && !folder.join("public/_rimward").is_dir() || source == "public";
    let output = if public_is_taken { "release" } else { "public" };
    let base = base(bundler, &scripts, &config, &package);
    Ok(Project {
        name: site_name(&package, folder),
        bundler: bundler.map(|bundler| bundler.name),
        has_not_found_page: folder.join(&source).join("404.html").is_file(),
        build: BuildSettings { source, output: output.to_owned(), base, ..BuildSettings::default() },
        source_from,
        public_is_taken,
        build_command: build_command(&package, folder),
        has_wrangler: depends_on(&package, "wrangler"),
    })
}

impl Project {
    /// What was found, for people.
    pub(super) fn findings(&self) -> Vec<String> {
        let bundler = match self.bundler {
            Some(name) => format!("found {name}: it writes to `{}` ({})", self.build.source, self.source_from),
            None => format!("found no bundler that Rimward knows: taking `{}` as its output", self.build.source),
        };
        let mut lines = vec![bundler];
        if self.build.base != "/" {
            lines.push(format!("the app is built for `{}`", self.build.base));
        }
        if self.public_is_taken {
            lines.push(format!("`public` belongs to the bundler: releases go to `{}`", self.build.output));
        }
        lines
    }

    /// The commands that come next.
    pub(super) fn next_steps(&self) -> Vec<String> {
        let build = self.build_command.as_deref().unwrap_or("(your bundler)");
        let mut steps = vec![format!("{build} && rimward build    # {} becomes a release", self.build.source)];
        steps.push("rimward check                     # settings, limits, cost".to_owned());
        if !self.has_wrangler {
            steps.push("npm install --save-dev wrangler workerd".to_owned());
        }
        steps.push("rimward serve                     # here, on workerd; or `rimward dev`, under wrangler".to_owned());
        steps.push("npx wrangler deploy               # on Cloudflare".to_owned());
        steps
    }
}

fn depends_on(package: &Value, name: &str) -> bool {
    ["dependencies", "devDependencies"].iter().any(|group| package[*group][name].is_string())
}

fn scripts(package: &Value) -> String {
    let scripts = package["scripts"].as_object().into_iter().flatten();
    // The build's own first: another script may write elsewhere.
    let mut scripts: Vec<(&String, &str)> = scripts.filter_map(|(name, text)| Some((name, text.as_str()?))).collect();
    scripts.sort_by_key(|(name, _)| (*name != "build", !name.contains("build")));
    scripts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

fn config_text(bundler: &Bundler, folder: &Path) -> String {
    let texts = bundler.configs.iter().filter_map(|name| fs::read_to_string(folder.join(name)).ok());
    texts.collect::<Vec<_>>().join("\n")
}

fn source(bundler: Option<&Bundler>, scripts: &str, config: &str, folder: &Path) -> (String, &'static str) {
    let usable = |path: &String| !path.is_empty() && !path.starts_with('/') && !path.contains('$');
    if let Some(bundler) = bundler {
        let flag = bundler.folder_flags.iter().find_map(|flag| flag_value(scripts, flag)).filter(usable);
        if let Some(path) = flag {
            return (clean(&path), "from the scripts of package.json");
        }
        let key = bundler.folder_keys.iter().find_map(|key| key_value(config, key)).filter(usable);
        if let Some(path) = key {
            return (clean(&path), "from its settings");
        }
    }
    let usual = bundler.map_or("dist", |bundler| bundler.folder);
    let present =
        [usual, "dist", "build", "out"].into_iter().find(|name| folder.join(name).join("index.html").is_file());
    match present {
        Some(name) => (name.to_owned(), "it is there"),
        None => (usual.to_owned(), "as it does unless told otherwise"),
    }
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// `--flag value`, `--flag=value`, `NAME=value`.
fn flag_value(scripts: &str, flag: &str) -> Option<String> {
    let mut words = scripts.split_whitespace();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix(flag) {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(value) = value {
            return Some(value.trim_matches(['"', '\'']).to_owned());
        }
    }
    None
}

/// The last text of a key's line: `outDir: "x"`, `path: path.resolve(__dirname, "x")`.
fn key_value(config: &str, key: &str) -> Option<String> {
    let line = config.lines().map(str::trim_start).find_map(|line| {
        let at = line.find(&format!("{key}:"))?;
        let whole = line[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '.');
        (whole && !line.starts_with("//")).then(|| &line[at + key.len() + 1..])
    })?;
    let value = line.split(['}', ';']).next().unwrap_or(line);
    // `"a", b: "c"` on one line is two keys: a call's arguments stay together.
    let value = if value.contains('(') { value.split(')').next() } else { value.split(',').next() }?;
    let quote = value.rfind(['"', '\'', '`'])?;
    let start = value[..quote].rfind(value[quote..].chars().next()?)?;
    Some(value[start + 1..quote].to_owned())
}

fn base(bundler: Option<&Bundler>, scripts: &str, config: &str, package: &Value) -> String {
    let homepage = || {
        let homepage = package["homepage"].as_str().filter(|_| depends_on(package, "react-scripts"))?;
        match url::Url::parse(homepage) {
            Ok(url) => Some(url.path().to_owned()),
            Err(_) => Some(homepage.to_owned()),
        }
    };
    let found = bundler.and_then(|bundler| {
        let flag = bundler.base_flags.iter().find_map(|flag| flag_value(scripts, flag));
        flag.or_else(|| bundler.base_keys.iter().find_map(|key| key_value(config, key)))
    });
    let path = found.or_else(homepage).unwrap_or_default();
    // A relative base, another host, a computed one: where the site lives is not known from here.
    let usable = path.starts_with('/') && !path.starts_with("//") && !path.contains(['$', '*', '?', '#', ' ']);
    match usable {
        true if path.ends_with('/') => path,
        true => format!("{path}/"),
        false => "/".to_owned(),
    }
}

fn site_name(package: &Value, folder: &Path) -> String {
    let of_folder = || Some(folder.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned());
    let name = package["name"].as_str().map(str::to_owned).or_else(of_folder).unwrap_or_default();
    // `@team/shop` is shop. Workers' names have letters, digits and dashes.
    let name = name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(54).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

fn build_command(package: &Value, folder: &Path) -> Option<String> {
    package["scripts"]["build"].as_str()?;
    let managers = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")];
    let manager = managers.into_iter().find(|(lock, _)| folder.join(lock).exists()).map_or("npm", |(_, name)| name);
    Some(format!("{manager} run build"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: (Option<&str>, &str, &str, &str)) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let project = look(folder.path()).unwrap();
        let found = (
            project.bundler,
            project.build.source.as_str(),
            project.build.output.as_str(),
            project.build.base.as_str(),
        );
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn bundlers_are_known_by_their_packages_and_settings() {
        let vite =
            r#"{"name":"@team/Shop App","devDependencies":{"vite":"8"},"scripts":{"build":"tsc && vite build"}}"#;
        check(&[("package.json", vite)], (Some("Vite"), "dist", "public", "/"));
        check(&[("package.json", vite), ("public/favicon.ico", "")], (Some("Vite"), "dist", "release", "/"));
        let config =
            "export default defineConfig({\n  base: '/shop/',\n  build: { outDir: './web/out', sourcemap: true },\n})";
        check(&[("package.json", vite), ("vite.config.ts", config)], (Some("Vite"), "web/out", "public", "/shop/"));
        check(&[("vite.config.js", "export default { base: './' }")], (Some("Vite"), "dist", "public", "/"));
        let flags = r#"{"devDependencies":{"vite":"8"},"scripts":{"build":"vite build --outDir=public --base /x"}}"#;
        check(&[("package.json", flags)], (Some("Vite"), "public", "release", "/x/"));
        let webpack = "module.exports = {\n output: {\n  path: path.resolve(__dirname, \"build/web\"),\n  publicPath: \"/app/\",\n } }";
        check(&[("webpack.config.js", webpack)], (Some("webpack"), "build/web", "public", "/app/"));
        check(
            &[("rspack.config.mjs", "export default { output: { publicPath: 'auto' } }")],
            (Some("Rspack"), "dist", "public", "/"),
        );
        let esbuild = r#"{"devDependencies":{"esbuild":"0.28"},"scripts":{"build":"esbuild src/a.tsx --bundle --outdir=www/js"}}"#;
        check(&[("package.json", esbuild)], (Some("esbuild"), "www/js", "public", "/"));
        let parcel = r#"{"devDependencies":{"parcel":"2"},"scripts":{"build":"parcel build src/index.html --public-url /p --dist-dir out"}}"#;
        check(&[("package.json", parcel)], (Some("Parcel"), "out", "public", "/p/"));
        let cra = r#"{"dependencies":{"react-scripts":"5"},"homepage":"https://example.com/cra"}"#;
        check(
            &[("package.json", cra), ("public/index.html", "")],
            (Some("Create React App"), "build", "release", "/cra/"),
        );
        check(&[("build/index.html", "")], (None, "build", "public", "/"));
        check(&[], (None, "dist", "public", "/"));
    }

    #[test]
    fn a_name_is_what_a_worker_can_be_called() {
        let name = |text: &str| site_name(&serde_json::json!({ "name": text }), Path::new("/"));
        assert_eq!(name("@team/Shop App"), "shop-app");
        assert_eq!(name("@@"), "app");
    }

    #[test]
    fn a_broken_package_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.json"), "{").unwrap();
        assert!(look(folder.path()).unwrap_err().contains("package.json"));
        assert!(look(&folder.path().join("nowhere")).is_err());
    }
}

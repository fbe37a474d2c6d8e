//! Stories of `rimward build`: in memory where it is about the build, on the real program where it is about the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rimward::cache::Cache;
use rimward::config::{Choices, Plan, plan};
use rimward::fs::{Faults, Files as _, Memory};
use rimward::pipeline::{self, BuildError, Built};
use rimward::publish::Earlier;
use rimward_edge::config::SettingsFile;
use rimward_edge::release::manifest::{Manifest, Releases};
use sha2::{Digest as _, Sha256};

const PAGE: &[u8] = br#"<!doctype html><link rel="icon" href="/favicon.ico"><script type="module" src="/assets/index-Bq3dk1xZ.js"></script>"#;
const ENTRY: &[u8] = b"import{a}from\"./shared-C81kq0aP.js\";const later=()=>import(\"./about-D0pLq93m.js\");export{later};console.log(a,`text that is long enough to be compressed, text that is long enough to be compressed`);\n";
const SHARED: &[u8] = b"const a=\"shared between the entry and a page\";export{a};\n";
const ABOUT: &[u8] = b"import{a}from\"./shared-C81kq0aP.js\";export default()=>a;\n";

fn app() -> Memory {
    Memory::new([
        ("/shop/dist/index.html", PAGE),
        ("/shop/dist/assets/index-Bq3dk1xZ.js", ENTRY),
        ("/shop/dist/assets/shared-C81kq0aP.js", SHARED),
        ("/shop/dist/assets/about-D0pLq93m.js", ABOUT),
        ("/shop/dist/favicon.ico", b"\0\0\x01\0icon"),
        ("/shop/dist/robots.txt", b"User-agent: *\n"),
        ("/shop/dist/_headers", b"/*\n  X-Test: yes\n"),
        ("/shop/dist/.DS_Store", b"x"),
    ])
}

fn planned(files: &Memory) -> Plan {
    plan(files, &Choices { here: "/shop".into(), jobs: 2, ..Choices::default() }).expect("settings without a mistake").0
}

fn build(files: &Memory) -> Result<Built, BuildError> {
    // The cache is a real folder: none is used.
    let plan = Plan { state: tempfile::tempdir().expect("a folder").path().to_owned(), ..planned(files) };
    pipeline::build(&plan, files, &|_| {}, SystemTime::UNIX_EPOCH)
}

fn published(files: &Memory) -> (Releases, Manifest) {
    let read = |path: &str| files.read(Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let releases: Releases = serde_json::from_slice(&read("/shop/public/_rimward/releases.json")).expect("a list");
    let manifest = read(&format!("/shop/public/_rimward/releases/{}/manifest.json", releases.current));
    assert_eq!(hex(&manifest), releases.releases[0].manifest_sha256);
    (releases, serde_json::from_slice(&manifest).expect("a manifest"))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn a_build_becomes_a_release() {
    let files = app();
    let built = build(&files).expect("a release");
    let (releases, manifest) = published(&files);
    assert_eq!(releases.current, built.report.release);
    assert_eq!(manifest.documents.keys().collect::<Vec<_>>(), ["favicon.ico", "index.html", "robots.txt"]);
    assert_eq!(manifest.assets.keys().collect::<Vec<_>>(), ["assets/about.js", "assets/index.js", "assets/shared.js"]);
    let index = manifest.assets.get("assets/index.js").unwrap();
    assert_eq!(index.aliases, ["assets/index-Bq3dk1xZ.js"]);
    assert_eq!(index.imports, ["assets/shared.js"]);
    for asset in manifest.assets.values() {
        let bytes = files.read(&Path::new("/shop/public").join(&asset.path)).expect("an asset");
        assert_eq!(hex(&bytes), asset.content.sha256, "{}", asset.path);
    }
    let text = |path: &str| String::from_utf8(files.read(Path::new(path)).expect(path)).expect("text");
    let entry = text(&format!("/shop/public/{}", index.path));
    for other in ["assets/shared.js", "assets/about.js"] {
        let name = manifest.assets.get(other).unwrap().path.rsplit('/').next().expect("a name");
        assert!(entry.contains(name), "{entry} lacks {name}");
    }
    let page = text(&format!("/shop/public/_rimward/releases/{}/index.html", releases.current));
    assert!(page.contains(&index.path), "{page}");
    let preloads: Vec<&str> =
        manifest.documents.get("index.html").unwrap().preloads.iter().map(|preload| preload.asset.as_str()).collect();
    assert_eq!(preloads, ["assets/index.js", "assets/shared.js"]);
    assert_eq!(manifest.headers[0].set, [("x-test".to_owned(), "yes".to_owned())]);
    assert!(!manifest.documents.contains_key("_headers") && !manifest.documents.contains_key(".DS_Store"));
}

#[test]
fn the_bundlers_hashes_do_not_matter_only_the_bytes_do() {
    let names = |entry: &str| {
        let files = app();
        files.take("/shop/dist/assets/index-Bq3dk1xZ.js");
        files.put(&format!("/shop/dist/assets/index-{entry}.js"), ENTRY);
        let page = String::from_utf8_lossy(PAGE).replace("Bq3dk1xZ", entry);
        files.put("/shop/dist/index.html", page.as_bytes());
        build(&files).expect("a release");
        published(&files).1.assets.into_iter().map(|(logical, asset)| (logical, asset.path)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(names("Bq3dk1xZ"), names("Zx1kd3qB"));
}

#[test]
fn a_map_that_is_no_source_map_is_a_file_like_others() {
    let files = app();
    files.put("/shop/dist/levels/one.map", b"{\"version\":1,\"tiles\":[0,1]}");
    files.put("/shop/dist/assets/lone-H5IQ_Up3.map", br#"{"version":3,"sources":[],"names":[],"mappings":""}"#);
    let game =
        b"fetch('/levels/one.map');fetch('/assets/lone-H5IQ_Up3.map');new URL('../levels/one.map',import.meta.url)";
    files.put("/shop/dist/assets/about-D0pLq93m.js", game);
    build(&files).expect("a release");
    let (_, manifest) = published(&files);
    let level = manifest.assets.get("levels/one.map").unwrap();
    assert!(
        manifest.documents.contains_key("levels/one.map")
            && !manifest.documents.contains_key("assets/lone-H5IQ_Up3.map")
    );
    let path = Path::new("/shop/public").join(&manifest.assets.get("assets/about.js").unwrap().path);
    let text = String::from_utf8(files.read(&path).expect("a script")).expect("text");
    assert!(text.contains("/levels/one.map") && text.contains("/assets/lone-H5IQ_Up3.map"), "{text}");
    assert!(text.contains(&format!("../{}", level.path)), "{text}");
}

#[test]
fn policies_of_the_settings_allow_the_inline_scripts_that_are_published() {
    let files = app();
    let (script, lone) = ("import(\"/assets/index-Bq3dk1xZ.js\")", "sha256-lone=");
    let source = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    files.put("/shop/dist/index.html", format!("<!doctype html><script type=\"module\">{script}</script>").as_bytes());
    let policy = format!("script-src '{}' '{lone}'", source(script));
    let rule = format!("[[header]]\npath = \"/*\"\nset = {{ content-security-policy = \"{policy}\" }}\n");
    files.put("/shop/rimward.toml", format!("{rule}[env.x.site]\nname = \"x\"\n").as_bytes());
    build(&files).expect("a release");
    let (releases, _) = published(&files);
    let read = |path: &str| String::from_utf8(files.read(Path::new(path)).expect(path)).expect("text");
    let page = read(&format!("/shop/public/_rimward/releases/{}/index.html", releases.current));
    let inline = page.split("module\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("a script");
    assert_ne!(inline, script, "it names what was renamed");
    let settings = read(&format!("/shop/public/_rimward/settings/{}.json", releases.settings_sha256));
    let file: SettingsFile = serde_json::from_str(&settings).expect("settings");
    let expected = [("content-security-policy".to_owned(), format!("script-src '{}' '{lone}'", source(inline)))];
    assert_eq!(file.settings.headers[0].set, expected);
    assert_eq!(file.envs.get("x").unwrap().headers[0].set, expected);
}

#[test]
fn the_platform_is_told_of_assets_where_it_answers_for_them() {
    let files = app();
    let there =
        || files.read(Path::new("/shop/public/_headers")).ok().map(|bytes| String::from_utf8(bytes).expect("text"));
    build(&files).expect("a release");
    assert_eq!(there(), None);
    let header = "[[header]]\npath = \"/assets/*\"\nset = { x-mine = \"1\" }\n";
    files.put("/shop/rimward.toml", format!("[site]\nassets = \"platform\"\n{header}").as_bytes());
    let built = build(&files).expect("a release");
    assert_eq!(built.findings, [], "{:?}", built.findings);
    let text = there().expect("the platform's file");
    let rules = text.split_once("/assets/*\n").expect("our rule").1;
    // That of `_headers` in the source acts before that of the settings.
    let expected = "  Cache-Control: public, max-age=31536000, immutable\n  X-Content-Type-Options: nosniff\n\
                    /*\n  ! x-test\n  x-test: yes\n/assets/*\n  ! x-mine\n  x-mine: 1\n";
    assert_eq!(rules, expected);

    let many: String = (0..100).map(|_| header).collect();
    files.put("/shop/rimward.toml", format!("[site]\nassets = \"platform\"\n{many}").as_bytes());
    let Err(BuildError::Source(findings)) = build(&files) else { panic!("past the platform's limit") };
    assert!(findings.iter().any(|finding| finding.code == "platform-limit"), "{findings:?}");

    files.take("/shop/rimward.toml");
    build(&files).expect("a release");
    assert_eq!(there(), None);
}

#[test]
fn a_change_renames_what_it_reaches_and_earlier_files_stay() {
    let files = app();
    build(&files).expect("the first release");
    let (_, first) = published(&files);
    files.put("/shop/dist/assets/about-D0pLq93m.js", b"import{a}from\"./shared-C81kq0aP.js\";export default()=>a+1;\n");
    let built = build(&files).expect("the second release");
    let (releases, second) = published(&files);
    assert_eq!(releases.releases.len(), 2);
    let path = |manifest: &Manifest, logical: &str| manifest.assets.get(logical).unwrap().path.clone();
    assert_eq!(path(&first, "assets/shared.js"), path(&second, "assets/shared.js"));
    assert_ne!(path(&first, "assets/about.js"), path(&second, "assets/about.js"));
    assert_ne!(path(&first, "assets/index.js"), path(&second, "assets/index.js"), "it names what changed");
    files.read(&Path::new("/shop/public").join(path(&first, "assets/about.js"))).expect("open tabs still need it");
    let kinds: Vec<(&str, bool)> = (built.report.files.iter())
        .map(|line| (line.logical.as_str(), matches!(line.change, rimward::report::Change::Same)))
        .collect();
    let expected = [
        ("assets/about.js", false),
        ("assets/index.js", false),
        ("assets/shared.js", true),
        ("favicon.ico", true),
        ("index.html", false),
        ("robots.txt", true),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn the_same_input_gives_the_same_bytes_with_any_number_of_threads_place_and_clock() {
    let make = |root: &str, jobs: usize| {
        let moved: Vec<(String, Vec<u8>)> =
            app().snapshot().into_iter().map(|(path, bytes)| (path.replace("/shop", root), bytes)).collect();
        let files = Memory::default();
        // Another order and other times of writing.
        let order: Box<dyn Iterator<Item = &(String, Vec<u8>)>> =
            if jobs == 1 { Box::new(moved.iter()) } else { Box::new(moved.iter().rev()) };
        order.for_each(|(path, bytes)| files.put(path, bytes));
        let (plan, _) = plan(&files, &Choices { here: root.into(), jobs, ..Choices::default() }).expect("a plan");
        let made = pipeline::make(&plan, &files, &Earlier::default(), &Cache::none(), &|_| {}).expect("a release");
        (made.release.files, made.release.manifest_bytes)
    };
    let one = make("/shop", 1);
    assert!(one.0.len() > 5);
    assert!(one == make("/elsewhere/deep", 3));
    assert!(one == make("/shop", 16));
}

#[test]
fn a_source_that_changes_during_the_build_is_not_published() {
    let files = app();
    let plan = Plan { state: tempfile::tempdir().expect("a folder").path().to_owned(), ..planned(&files) };
    let writer = files.clone();
    let progress = move |stage| {
        if stage == pipeline::Stage::Encode {
            writer.put("/shop/dist/index.html", b"<p>half");
        }
    };
    let error =
        pipeline::build(&plan, &files, &progress, SystemTime::UNIX_EPOCH).expect_err("it must not be published");
    let BuildError::Source(findings) = error else { panic!("{error:?}") };
    assert_eq!(
        findings[0].to_string().lines().next(),
        Some("index.html: error: the file changed while the release was being built")
    );
    assert!(!files.snapshot().keys().any(|path| path.starts_with("/shop/public/_rimward")));
}

#[test]
fn every_problem_of_the_source_is_said_in_one_run() {
    let files = app();
    files.put("/shop/dist/Robots.txt", b"");
    files.put("/shop/dist/tab\there", b"");
    files.fail(Faults { unreadable: ["/shop/dist/favicon.ico".into()].into(), ..Faults::default() });
    let Err(BuildError::Source(findings)) = build(&files) else { panic!("it must fail") };
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["unreadable", "bad-name", "names-alike"]);
}

/// A project on the disk, and the real program in it.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Project {
        let project = Project { folder: tempfile::tempdir().expect("a folder") };
        for (path, bytes) in app().snapshot() {
            project.write(path.trim_start_matches("/shop/"), &bytes);
        }
        project
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.folder.path()).env_remove("RIMWARD_ENV").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Everything below a folder, with the time of the last change.
    fn state(&self, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
        let found = rimward::fs::Real.walk(&self.path(folder), &|_| true).expect("a folder");
        let read = |path: &Path| {
            let path = self.path(folder).join(path);
            (fs::read(&path).expect("a file"), fs::metadata(&path).and_then(|data| data.modified()).expect("a time"))
        };
        found.into_iter().map(|found| (found.path.display().to_string(), read(&found.path))).collect()
    }
}

/// The program lies beside the tests' own.
fn program() -> std::path::PathBuf {
    let tests = std::env::current_exe().expect("a path");
    let folder = tests.ancestors().nth(2).expect("target/<profile>/deps/<tests>");
    let program = folder.join(format!("rimward{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: `cargo build -p rimward` makes it", program.display());
    program
}

#[track_caller]
fn said(output: &Output, status: i32, expected: &[&str]) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{text}");
    for part in expected {
        assert!(text.contains(part), "{text}\nlacks {part:?}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where nobody sees them: {text}");
}

#[test]
fn the_program_builds_says_what_it_did_and_does_nothing_the_second_time() {
    let project = Project::new();
    said(&project.run(&["build"]), 0, &["file", "transfer", "assets/index.js", "6 files", "published in `public`"]);
    let first = project.state("public");
    said(&project.run(&["build"]), 0, &["nothing changed", "unchanged in `public`: 0 files written, 0 removed"]);
    assert!(project.state("public") == first, "not even a time may change");
}

#[test]
fn json_goes_to_standard_output_and_talk_to_standard_error() {
    let project = Project::new();
    let output = project.run(&["build", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(value["report"]["files"].as_array().map(Vec::len), Some(6));
    assert_eq!(value["report"]["totals"]["files"], 6);
    assert!(value["report"]["release"].as_str().is_some_and(|id| id.len() == 10));
    assert!(String::from_utf8_lossy(&output.stderr).contains("published in `public`"));

    fs::remove_dir_all(project.path("dist")).expect("the folder goes");
    let output = project.run(&["build", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!((&value["report"], &value["findings"][0]["code"]), (&serde_json::Value::Null, &"no-source".into()));
}

#[test]
fn mistakes_have_their_exit_status() {
    let project = Project::new();
    said(
        &project.run(&["build", "nowhere"]),
        1,
        &["nowhere: error: this folder does not exist", "hint: did the bundler run", "1 error"],
    );
    said(&project.run(&["build", "--frobnicate"]), 2, &["--frobnicate"]);
    said(&project.run(&[]), 2, &["Usage: rimward"]);
    said(&project.run(&["build", "--config", "none.toml"]), 2, &["could not read", "none.toml"]);
    project.write("rimward.toml", b"[build]\nsauce = \"dist\"\n");
    said(&project.run(&["build"]), 1, &["sauce", "rimward.toml:2:1"]);
    project.write("rimward.toml", b"[build]\noutput = \"dist/public\"\n");
    said(&project.run(&["build"]), 1, &["must be folders apart"]);
    fs::remove_file(project.path("rimward.toml")).expect("the file goes");
    said(&project.run(&["build", "public/inside"]), 1, &["lie in one another"]);

    said(&project.run(&["build"]), 0, &[]);
    let list = "public/_rimward/releases.json";
    let before = fs::read(project.path(list)).expect("a list");
    project.write(list, &before[..before.len() / 2]);
    said(
        &project.run(&["build"]),
        2,
        &["cannot read", "releases.json", "hint: restore `_rimward`", "the release that answered before still does"],
    );
}

#[test]
fn two_builds_at_once_do_not_disturb_each_other() {
    let project = Project::new();
    let mut running: Vec<_> = (0..3)
        .map(|_| {
            project.command(&["build"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("the program runs")
        })
        .collect();
    let codes: Vec<Option<i32>> = running.iter_mut().map(|child| child.wait().expect("it ends").code()).collect();
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 2))), "{codes:?}");
    said(&project.run(&["build"]), 0, &["unchanged"]);
}

#[test]
fn a_build_that_is_killed_leaves_the_old_release_or_the_new_one() {
    let project = Project::new();
    said(&project.run(&["build"]), 0, &[]);
    let mut whole = Duration::ZERO;
    let (mut killed, mut ended) = (0, 0);
    for round in 0..24u32 {
        let text = format!("export const round = {round}; export const text = \"{}\";\n", "round ".repeat(2_000));
        project.write("dist/assets/about-D0pLq93m.js", text.as_bytes());
        for other in 0..20 {
            project.write(
                &format!("dist/data/{other}.json"),
                format!("{{\"round\": {round}, \"other\": {other}}}").as_bytes(),
            );
        }
        let began = std::time::Instant::now();
        let mut child =
            project.command(&["build"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
        if round < 2 {
            assert!(child.wait().expect("it ends").success());
            whole = began.elapsed();
        } else {
            // Spread over the whole of a build.
            std::thread::sleep(whole * (round - 2) / 20);
            drop(child.kill());
            if child.wait().expect("it ends").success() {
                ended += 1;
            } else {
                killed += 1;
            }
        }
        every_release_is_whole(&project.path("public"));
    }
    assert!(killed > 5, "{killed} builds were killed, {ended} had ended before");
    said(&project.run(&["build"]), 0, &[]);
    assert!(!project.path("public/_rimward/unfinished").exists());
    every_release_is_whole(&project.path("public"));
}

/// What the pointer names exists, and has the digest that is stated.
#[track_caller]
fn every_release_is_whole(public: &Path) {
    let read = |path: &str| fs::read(public.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let releases: Releases = serde_json::from_slice(&read("_rimward/releases.json")).expect("a list");
    assert_eq!(hex(&read(&format!("_rimward/settings/{}.json", releases.settings_sha256))), releases.settings_sha256);
    assert!(releases.releases.iter().any(|retained| retained.id == releases.current));
    for retained in &releases.releases {
        let bytes = read(&format!("_rimward/releases/{}/manifest.json", retained.id));
        assert_eq!(hex(&bytes), retained.manifest_sha256);
        let manifest: Manifest = serde_json::from_slice(&bytes).expect("a manifest");
        let assets = manifest.assets.values().map(|asset| (asset.path.clone(), &asset.content));
        let documents = manifest.documents.iter().filter(|(_, document)| document.asset.is_none());
        let documents = documents.map(|(path, document)| {
            (rimward_edge::release::manifest::document_path(&retained.id, path), &document.content)
        });
        for (path, content) in assets.chain(documents) {
            assert_eq!(hex(&read(&path)), content.sha256, "{path}");
            for (coding, encoded) in &content.encodings {
                assert_eq!(hex(&read(&format!("{path}{}", coding.extension()))), encoded.sha256, "{path}");
            }
        }
    }
}

#[test]
fn the_page_for_errors_must_be_a_page_of_the_release() {
    for (named, file, hint) in [
        ("/500.html", None, Some("let the bundler write `500.html`, or write `false` for none")),
        ("/50.html", Some("500.html"), Some("did you mean \"/500.html\"?")),
        ("/robots.txt", Some("500.html"), Some("let the bundler write `robots.txt`, or write `false` for none")),
        ("/500.html", Some("500.html"), None),
    ] {
        let files = app();
        files.put("/shop/rimward.toml", format!("[document]\nerror = {named:?}\n").as_bytes());
        if let Some(file) = file {
            files.put(&format!("/shop/dist/{file}"), b"<!doctype html><title>Sorry</title>");
        }
        match (build(&files), hint) {
            (Err(BuildError::Source(findings)), Some(hint)) => {
                let last = findings.last().expect("a finding");
                assert_eq!((last.place.map(|place| place.line), last.hint.as_deref()), (Some(2), Some(hint)));
            }
            (Ok(_), None) => {}
            (other, _) => panic!("{named} {file:?}: {other:?}"),
        }
    }
}

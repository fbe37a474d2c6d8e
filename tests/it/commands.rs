//! The program as a person uses it in a project of theirs: init, build, check, serve. No cargo, no source of Rimward's.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::runtime::made_by;
use crate::site::{self, check, rimward};

#[track_caller]
fn workerd() -> PathBuf {
    made_by("npm ci", "node_modules/workerd/bin/workerd")
}

/// A small project of Vite's, its bundler already run.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("package.json", r#"{"name":"@team/shop","devDependencies":{"vite":"8"},"scripts":{"build":"vite build"}}"#),
        (".gitignore", "node_modules\ndist"),
        ("dist/index.html", "<!doctype html><title>shop</title><p>hello"),
        ("dist/robots.txt", "User-agent: *\n"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn run(project: &Path, arguments: &[&str]) -> Output {
    rimward().args(arguments).current_dir(project).env_remove("RIMWARD_ENV").output().unwrap()
}

#[test]
fn a_project_is_begun_built_and_checked() {
    let folder = project();
    let project = folder.path();
    let began = run(project, &["init"]);
    check(&began, 0, &["found Vite", "wrote rimward.toml", "wrote wrangler.toml", "npm run build && rimward build"]);
    assert_eq!(fs::read_to_string(project.join(".gitignore")).unwrap(), "node_modules\ndist\n.rimward/\npublic/\n");
    check(&run(project, &["init"]), 2, &["rimward.toml` is there already"]);

    check(&run(project, &["build"]), 0, &["published in `public`"]);
    assert!(
        project.join(".rimward/worker/rimward.js").is_file() && project.join(".rimward/worker/rimward.wasm").is_file()
    );

    let checked = run(project, &["check", "--json"]);
    check(&checked, 0, &[]);
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["builds"], serde_json::json!({ "agree": true, "differing": [] }));
}

#[test]
fn what_pools_do_and_what_their_checks_cost_is_told() {
    let folder = project();
    let project = folder.path();
    let pool = |name: &str| {
        format!(
            "[[pool]]\nname = {name:?}\norigin = [{{ url = \"https://{name}.example\" }}]\n[pool.health]\npath = \"/\"\n\
             interval = \"1s\"\n[[route]]\npath = \"/{name}/*\"\npool = {name:?}\n"
        )
    };
    fs::write(project.join("rimward.toml"), pool("api")).unwrap();
    let checked = run(project, &["check"]);
    check(&checked, 0, &[]);
    let said = String::from_utf8_lossy(&checked.stdout);
    for line in
        ["the pool `api` answers /api/*\n", "checks of origins cost at most\n  api: 96000 alarms of an object a day"]
    {
        assert!(said.contains(line), "`{line}` was not said: {said}");
    }
    assert!(!String::from_utf8_lossy(&checked.stderr).contains("platform-limit"));

    fs::write(project.join("rimward.toml"), format!("{}{}", pool("api"), pool("images"))).unwrap();
    let checked = run(project, &["check", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let codes: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|of| of["code"].as_str()).collect();
    assert!(codes.contains(&"platform-limit"), "{codes:?}");
    assert_eq!(report["pools"][1]["pool"], "images");
    assert_eq!(report["checks"][0]["asked_a_month"], 2_880_000);
}

#[test]
fn which_rule_answers_is_told() {
    let folder = project();
    let project = folder.path();
    let settings = r#"
        [site]
        hosts = ["shop.example"]
        [[pool]]
        name = "api"
        origin = [{ url = "https://api.internal" }]
        [[route]]
        path = "/api/*"
        methods = ["GET"]
        headers = { x-beta = "*" }
        pool = "api"
    "#;
    fs::write(project.join("rimward.toml"), settings).unwrap();
    let explained = |arguments: &[&str]| {
        let output = run(project, &[&["route", "explain"], arguments].concat());
        check(&output, 0, &[]);
        String::from_utf8(output.stdout).unwrap()
    };
    let text = explained(&["/api/x?y=1", "--header", "X-Beta: 1"]);
    assert!(text.contains("GET https://api.internal/api/x?y=1\n"), "{text}");
    let text = explained(&["/about", "-H", "accept: text/html"]);
    assert!(text.contains("there is none yet"), "{text}");
    assert!(explained(&["/api/x", "--data", "a=1"]).contains("the method is `POST`"));
    assert!(explained(&["/api/x", "-X", "QUERY", "-d", "@rimward.toml"]).contains("the method is `QUERY`"));
    check(&run(project, &["route", "explain", "/x", "--data", "@none"]), 2, &["`--data @none` cannot be read: "]);
    check(&run(project, &["build"]), 0, &[]);
    let text = explained(&["/about", "-H", "accept: text/html"]);
    assert!(text.contains("`fallback` of `[document]` answers"), "{text}");
    let json = explained(&["https://shop.example/api/x", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let passed = serde_json::json!([
        { "number": 1, "path": "/api/*", "why": "there is no header `x-beta`, and it needs any" },
    ]);
    assert_eq!((&json["answers"]["by"], &json["passed"]), (&"nothing".into(), &passed));
    check(&run(project, &["route", "explain", "/x", "--header", "x"]), 2, &["is not of the form \"name: value\""]);
}

#[test]
fn a_built_project_can_be_deployed_without_cargo() {
    let folder = project();
    let project = folder.path();
    let app = made_by("make apps", "target/apps/vite/index.html");
    site::copy(app.parent().unwrap(), &project.join("dist"));
    check(&run(project, &["init"]), 0, &[]);
    check(&run(project, &["build"]), 0, &[]);

    let wrangler = Command::new(made_by("npm ci", "node_modules/.bin/node"))
        .arg(made_by("npm ci", "node_modules/wrangler/bin/wrangler.js"))
        .args(["deploy", "--dry-run", "--outdir", "uploaded"])
        .current_dir(project)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("CI", "true"), ("WRANGLER_SEND_METRICS", "false")])
        .env("HOME", project)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&wrangler.stdout);
    assert!(wrangler.status.success(), "{said}\n{}", String::from_utf8_lossy(&wrangler.stderr));
    assert!(said.contains("env.ASSETS") && said.contains("rimward.wasm"), "{said}");
    let bytes = |path: &str| fs::read(project.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    for file in ["rimward.js", "rimward.wasm"] {
        assert_eq!(bytes(&format!("uploaded/{file}")), bytes(&format!(".rimward/worker/{file}")), "{file}");
    }
}

#[test]
fn bindings_that_would_make_private_files_public_fail_build_and_check() {
    let folder = project();
    let project = folder.path();
    check(&run(project, &["init"]), 0, &[]);
    let path = project.join("wrangler.toml");
    let text = fs::read_to_string(&path).unwrap().replace("run_worker_first = true", "run_worker_first = false");
    fs::write(&path, text).unwrap();
    for command in ["build", "check"] {
        let said = ["files under `_rimward/` would be public", "hint: write run_worker_first = true"];
        check(&run(project, &[command]), 1, &said);
    }
    assert!(!project.join("public/_rimward/releases.json").exists());
}

#[test]
fn a_wrangler_file_that_is_there_is_left_alone() {
    let folder = project();
    fs::write(folder.path().join("wrangler.toml"), "name = \"own\"\n").unwrap();
    check(&run(folder.path(), &["init"]), 0, &["was left alone; it needs a change", "there is no `[assets]`"]);
    assert_eq!(fs::read_to_string(folder.path().join("wrangler.toml")).unwrap(), "name = \"own\"\n");
}

#[test]
fn init_writes_the_one_of_its_two_files_that_is_missing() {
    let folder = project();
    let project = folder.path();
    let settings = "[site]\nname = \"mine\"\n[build]\noutput = \"out\"\n";
    fs::write(project.join("rimward.toml"), settings).unwrap();
    check(&run(project, &["init"]), 0, &["wrote wrangler.toml", "added .rimward/ and out/ to .gitignore"]);
    assert_eq!(fs::read_to_string(project.join("rimward.toml")).unwrap(), settings);
    let wrangler = fs::read_to_string(project.join("wrangler.toml")).unwrap();
    assert!(wrangler.contains("name = \"mine\"\n") && wrangler.contains("directory = \"out\"\n"), "{wrangler}");
    check(&run(project, &["init"]), 2, &["is there already, and so is wrangler.toml: nothing was changed"]);

    fs::write(project.join("rimward.toml"), "").unwrap();
    fs::remove_file(project.join("wrangler.toml")).unwrap();
    check(&run(project, &["init"]), 0, &["wrote wrangler.toml"]);
    // Two sites without a name would be one Worker.
    assert!(fs::read_to_string(project.join("wrangler.toml")).unwrap().contains("name = \"shop\"\n"));

    fs::rename(project.join("wrangler.toml"), project.join("wrangler.jsonc")).unwrap();
    check(&run(project, &["dev"]), 2, &["hint: write as wrangler.toml what wrangler.jsonc says"]);
    check(&run(project, &["init"]), 2, &["and so is wrangler.jsonc: nothing was changed"]);
}

#[test]
fn what_init_writes_is_laid_out_well() {
    let folder = project();
    let project = folder.path();
    fs::create_dir(project.join("public")).unwrap();
    check(&run(project, &["init"]), 0, &["releases go to `release`"]);
    let settings = fs::read_to_string(project.join("rimward.toml")).unwrap();
    let beside = |line: &str| line.find('=').and_then(|_| line.rfind("# ")).filter(|at| *at > 0);
    let columns: Vec<usize> = settings.lines().filter_map(beside).collect();
    assert!(columns.len() >= 5 && columns.iter().all(|at| *at == columns[0]), "{settings}");
    for file in ["rimward.toml", "wrangler.toml"] {
        let text = fs::read_to_string(project.join(file)).unwrap();
        assert!(text.lines().all(|line| !line.starts_with(' ')), "{text}");
    }
}

#[test]
fn what_is_to_be_kept_for_all_locations_needs_a_store() {
    let folder = project();
    let project = folder.path();
    check(&run(project, &["init"]), 0, &[]);
    let path = project.join("rimward.toml");
    let cached = "[[pool]]\nname = \"api\"\norigin = [{ url = \"https://api.example.com\" }]\n[[route]]\npath = \"/api/*\"\n\
                  pool = \"api\"\ncache = \"api\"\n[cache.api]\npersist = true\n";
    fs::write(&path, fs::read_to_string(&path).unwrap() + cached).unwrap();
    let no_store = ["there is no `KV`", "hint: `npx wrangler kv namespace create KV` makes one"];
    check(&run(project, &["check"]), 0, &no_store);
    check(&run(project, &["build"]), 0, &no_store);
    // The block that init wrote, taken out of its comment.
    let path = project.join("wrangler.toml");
    let text = fs::read_to_string(&path).unwrap();
    let bound = text.replace("# [[kv", "[[kv").replace("# binding", "binding").replace("# id", "id");
    assert_ne!(bound, text);
    fs::write(&path, bound).unwrap();
    let checked = run(project, &["check", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
}

#[test]
fn a_fallback_must_be_a_page_of_the_release() {
    let folder = project();
    let project = folder.path();
    fs::write(project.join("rimward.toml"), "[document]\nfallback = \"/app.html\"\n").unwrap();
    let missing = ["rimward.toml:2:12", "`fallback` of `[document]` names no page of the release: \"/app.html\""];
    check(&run(project, &["build"]), 1, &missing);
    check(&run(project, &["check"]), 1, &missing);

    fs::write(project.join("rimward.toml"), "").unwrap();
    fs::rename(project.join("dist/index.html"), project.join("dist/about.html")).unwrap();
    let built = run(project, &["build"]);
    check(&built, 0, &["there is no page `index.html`: nothing answers navigations", "or write fallback = false"]);
    let explained = run(project, &["route", "explain", "/x", "--header", "accept: text/html"]);
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(text.contains("the release has no page that `fallback` of `[document]` names"), "{text}");

    fs::write(project.join("rimward.toml"), "[document]\nfallback = false\n").unwrap();
    let built = run(project, &["build", "--strict"]);
    check(&built, 0, &[]);
}

#[test]
fn a_first_release_is_not_put_into_a_folder_of_somebody_else() {
    let folder = project();
    let project = folder.path();
    fs::create_dir(project.join("public")).unwrap();
    fs::write(project.join("public/logo.svg"), "<svg/>").unwrap();
    let taken = ["holds no release, but files that rimward did not write: `logo.svg` is one", "as `rimward init` does"];
    check(&run(project, &["build"]), 1, &taken);
    assert_eq!(fs::read_dir(project.join("public")).unwrap().count(), 1);
    check(&run(project, &["init"]), 0, &["releases go to `release`"]);
    check(&run(project, &["build"]), 0, &["published in `release`"]);
    // What was put there since is somebody's own affair.
    fs::write(project.join("release/note.txt"), "mine").unwrap();
    check(&run(project, &["build"]), 0, &["`note.txt`"]);
}

#[test]
fn a_settings_file_that_is_not_there_is_told() {
    let folder = project();
    let project = folder.path();
    check(&run(project, &["route", "explain", "/"]), 0, &["no rimward.toml here: defaults hold"]);
    check(&run(project, &["build"]), 0, &["no rimward.toml here: defaults hold"]);
    check(&run(project, &["check", "--env", "nope"]), 2, &["there is no `[env.nope]`, and no rimward.toml here"]);
    fs::write(project.join("rimward.toml"), "").unwrap();
    let above = format!("there is one in `{}`", project.canonicalize().unwrap().display());
    check(&run(&project.join("dist"), &["route", "explain", "/"]), 0, &["no rimward.toml here", &above]);
    let here = run(project, &["route", "explain", "/"]);
    assert!(!String::from_utf8_lossy(&here.stderr).contains("defaults hold"));
}

#[test]
fn a_check_that_is_interrupted_leaves_nothing_behind() {
    let folder = project();
    let project = folder.path();
    // Enough work to be interrupted in.
    let lines = (0..40_000).map(|at| format!("export const a{at} = () => [{at}, 'text {at}'];\n"));
    let script = lines.collect::<Vec<_>>().concat();
    fs::write(project.join("dist/app.js"), script).unwrap();
    let temporary = project.join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = rimward();
    command.arg("check").current_dir(project).env_remove("RIMWARD_ENV").env("TMPDIR", &temporary);
    let checking = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = || fs::read_dir(&temporary).unwrap().flatten().any(|entry| entry.path().join("one").is_dir());
    let until = Instant::now() + Duration::from_secs(30);
    while !begun() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &checking.id().to_string()]).status().unwrap().success());
    let output = checking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

/// Asks until there is an answer.
fn ask(port: u16) -> Option<String> {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut answer = String::new();
            write!(stream, "GET /robots.txt HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
            if stream.read_to_string(&mut answer).is_ok() && !answer.is_empty() {
                return Some(answer);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

#[test]
fn serve_answers_and_ends_with_everything_that_it_started() {
    let folder = project();
    let project = folder.path();
    check(&run(project, &["serve"]), 2, &["there is no release in", "hint: make one with `rimward build`"]);
    check(&run(project, &["build"]), 0, &[]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let workerd = workerd();
    let arguments = ["serve", "--workerd", workerd.to_str().unwrap(), "--port", &port.to_string()];
    check(&run(project, &arguments), 2, &[&format!("port {port} of 127.0.0.1 is taken")]);
    drop(taken);

    let mut command = rimward();
    let serving = command.args(arguments).current_dir(project).env_remove("RIMWARD_ENV").stderr(Stdio::piped());
    let serving = serving.spawn().unwrap();
    let answer = ask(port);
    let ended = Command::new("kill").arg(serving.id().to_string()).status().unwrap();
    let output = serving.wait_with_output().unwrap();
    assert!(ended.success());
    check(&output, 0, &["serving `public`: http://localhost:"]);
    let answer = answer.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("User-agent: *"), "{answer}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "workerd runs on");
}

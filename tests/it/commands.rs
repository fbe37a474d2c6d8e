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

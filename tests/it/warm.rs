//! `rimward warm` as it is run: against the edge, and against a small site that says what was asked of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::runtime::PATIENCE;
use crate::site::{Site, rimward};

/// A site in this process. What it does not know is a 404; `/silent` is never answered.
struct Small {
    url: String,
    /// The heads of requests, in lower case.
    seen: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Small {
    fn start(pages: &[(&str, Vec<u8>)]) -> Small {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let small = Small { url: format!("http://{}", listener.local_addr().unwrap()), seen: Arc::default() };
        let pages: Arc<Vec<(String, Vec<u8>)>> =
            Arc::new(pages.iter().map(|(path, body)| ((*path).to_owned(), body.clone())).collect());
        let seen = Arc::clone(&small.seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (pages, seen) = (Arc::clone(&pages), Arc::clone(&seen));
                thread::spawn(move || answer(&stream.unwrap(), &pages, &seen));
            }
        });
        small
    }

    fn paths(&self) -> BTreeSet<String> {
        let seen = self.seen.0.lock().unwrap();
        seen.iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn answer(mut stream: &TcpStream, pages: &[(String, Vec<u8>)], (seen, changed): &(Mutex<Vec<String>>, Condvar)) {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
        seen.lock().unwrap().push(head.join("\n").to_lowercase());
        changed.notify_all();
        if path == "/silent" {
            thread::sleep(PATIENCE);
        }
        let page = pages.iter().find(|(known, _)| known == path);
        let (status, body) = page.map_or((404, &b""[..]), |(_, body)| (200, body.as_slice()));
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\ncache-status: rimward; hit\r\n\r\n", body.len());
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err() {
            return;
        }
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn command(project: &Path, arguments: &[&str]) -> Command {
    let mut command = rimward();
    command.arg("warm").args(arguments).current_dir(project).env_remove("RIMWARD_ENV").stdin(Stdio::null());
    command
}

#[track_caller]
fn check(output: &Output, status: i32, said: &[&str]) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{text}");
    for line in said {
        assert!(text.contains(line), "`{line}` was not said: {text}");
    }
}

#[track_caller]
fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn every_file_of_a_release_is_asked_of_the_edge() {
    let site = Site::new("/", None);
    site.put("vite");
    site.build();
    let manifest = site.manifest();
    let edge = site.serve();
    let output = command(site.path(), &["--to", &edge.origin, "--json"]).output().unwrap();
    check(&output, 0, &[]);
    let files = manifest.documents.len() + manifest.assets.len();
    let report = report(&output);
    let told = ["urls", "planned", "requests", "failed", "interrupted"].map(|name| report[name].clone());
    assert_eq!(told, [json!(files), json!(2 * files), json!(2 * files), json!(0), json!(false)]);
    assert_eq!((&report["status"], &report["cache"]), (&json!({ "200": 2 * files }), &json!({ "hit": 2 * files })));
}

#[test]
fn standard_input_is_asked_for_in_every_variant_of_its_route() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[site]\nhosts = [\"shop.example.com\"]\n[[pool]]\nname = \"api\"\norigin = [{ url = \"https://api.example.com\" }]\n\
        [[route]]\npath = \"/api/*\"\npool = \"api\"\ncache = \"api\"\n[cache.api.vary]\naccept-language = [\"en\", \"de\"]\n";
    fs::write(folder.path().join("rimward.toml"), settings).unwrap();
    let small = Small::start(&[("/api/a?x=1", b"hello".to_vec())]);
    let arguments = ["--to", &small.url, "--list", "-", "--encodings", "br,identity"];
    let mut command = command(folder.path(), &arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"https://shop.example.com/api/a?x=1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    check(&output, 0, &["for 1 URLs, in 4 requests", "requests  4, 0 failed", "status    4 200", "cache     4 hit"]);
    let seen = small.seen.0.lock().unwrap();
    for language in ["en", "de"] {
        for encoding in ["gzip, deflate, br, zstd", "identity"] {
            let asked = |head: &&String| {
                head.contains(&format!("\naccept-language: {language}\n").trim_end().to_owned())
                    && head.contains(&format!("\naccept-encoding: {encoding}"))
            };
            assert_eq!(seen.iter().filter(asked).count(), 1, "{language}, {encoding}: {seen:?}");
        }
    }
}

#[test]
fn a_sitemap_leads_to_pages_of_the_site_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Small::start(&[]);
    let index = "<sitemapindex><sitemap><loc>/pages.xml.gz</loc></sitemap></sitemapindex>";
    let pages = format!(
        "<urlset><url><loc>/a</loc></url><url><loc>{}/b</loc></url><url><loc>/gone</loc></url></urlset>",
        elsewhere.url
    );
    let small =
        Small::start(&[("/sitemap.xml", index.into()), ("/pages.xml.gz", packed(&pages)), ("/a", b"a".to_vec())]);
    let sitemap = format!("{}/sitemap.xml", small.url);
    let output = command(folder.path(), &["--to", &small.url, "--sitemap", &sitemap]).output().unwrap();
    let gone = format!("{}/gone answered 404 (accept-encoding: gzip, deflate, br, zstd)", small.url);
    let left_out = format!("URLs of other hosts are left out, 1 in all: `{}`", elsewhere.url);
    check(&output, 1, &[&left_out, &gone, "requests  4, 2 failed", "status    2 200, 2 404"]);
    assert_eq!(small.paths(), BTreeSet::from(["/a", "/gone", "/pages.xml.gz", "/sitemap.xml"].map(str::to_owned)));
    assert_eq!(elsewhere.paths(), BTreeSet::new());
}

#[test]
fn what_cannot_be_read_fails_and_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let small = Small::start(&[("/a", b"a".to_vec())]);
    fs::write(folder.path().join("urls.txt"), "/a\nnonsense\n").unwrap();
    fs::write(folder.path().join("page.html"), "<html/>").unwrap();
    let arguments =
        ["--to", &small.url, "--list", "urls.txt", "--list", "gone.txt", "--sitemap", "page.html", "--json"];
    let output = command(folder.path(), &arguments).output().unwrap();
    let said = ["urls.txt:2:1", "gone.txt", "this is no sitemap: its root is `html`"];
    check(&output, 1, &said);
    let report = report(&output);
    assert_eq!((&report["status"], report["findings"].as_array().unwrap().len()), (&json!({ "200": 2 }), 3));
}

#[test]
fn usage_and_environment_have_an_exit_status_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("urls.txt"), "/a\n").unwrap();
    let run = |arguments: &[&str]| command(folder.path(), arguments).output().unwrap();
    check(&run(&["--list", "urls.txt"]), 2, &["it is not known where the site is reached", "hint: say it by --to"]);
    check(&run(&["--to", "https://e.example"]), 2, &["there is no release in `public`"]);
    check(&run(&["--to", "https://e.example/shop/"]), 2, &["scheme, host and port alone: https://e.example"]);
    check(&run(&["--to", "http://e.example", "--rate", "0"]), 2, &["a number from 0.001"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&["--to", &format!("http://{free}"), "--list", "urls.txt"]);
    check(&output, 2, &[&format!("http://{free} could not be reached"), "requests  2, 2 failed"]);
    // No label of a name has more than 63 letters: no server of names is asked.
    let nobody = format!("http://{}.example", "a".repeat(64));
    let output = run(&["--to", &nobody, "--list", "urls.txt"]);
    check(&output, 2, &[&format!("{nobody} could not be reached"), "requests  2, 2 failed"]);
}

#[test]
fn ctrl_c_ends_it_with_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("urls.txt"), "/a\n/silent\n/b\n").unwrap();
    let small = Small::start(&[("/a", b"a".to_vec())]);
    let arguments = ["--to", &small.url, "--list", "urls.txt", "--encodings", "br", "--concurrency", "1"];
    let mut command = command(folder.path(), &arguments);
    let child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (seen, changed) = &*small.seen;
    let (guard, late) = changed.wait_timeout_while(seen.lock().unwrap(), PATIENCE, |seen| seen.len() < 2).unwrap();
    drop(guard);
    assert!(!late.timed_out(), "it asked for nothing");
    // What is under way must not be waited for: it takes as long as this test may.
    thread::park_timeout(Duration::from_millis(200));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    check(&output, 2, &["requests  1, 0 failed", "ended before everything was asked for: 1 of 3 requests"]);
    assert_eq!(small.paths(), BTreeSet::from(["/a", "/silent"].map(str::to_owned)));
}

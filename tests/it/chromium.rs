//! A small client of Chromium's debugging protocol: opens pages, asks them things, and remembers everything that went wrong.
//!
//! One browser a test, with a profile of its own; it ends with the value.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// Longest wait for anything that a page does: generous, for a loaded machine; success never waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running browser with one page.
pub(crate) struct Chromium {
    process: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    next_id: u64,
    events: VecDeque<Value>,
    problems: Vec<String>,
    responses: Vec<Received>,
    _profile: TempDir,
}

/// What the browser received for one request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Of the request.
    pub(crate) url: String,
    /// The status.
    pub(crate) status: u64,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Received {
    /// A field's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl Chromium {
    /// Starts a browser with an empty profile.
    pub(crate) fn start() -> Chromium {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let process = Command::new(program())
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                "--window-size=1200,900",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let endpoint = wait_for_endpoint(profile.path());
        let (socket, _) = tungstenite::connect(endpoint).expect("Chromium's debugging socket opens");
        let mut browser = Chromium {
            process,
            socket,
            session: String::new(),
            next_id: 0,
            events: VecDeque::new(),
            problems: Vec::new(),
            responses: Vec::new(),
            _profile: profile,
        };
        browser.open_page();
        browser
    }

    fn open_page(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = self.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        attached["sessionId"].as_str().expect("a session id").clone_into(&mut self.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Opens a URL and waits until the page has loaded.
    pub(crate) fn open(&mut self, url: &str) {
        let navigated = self.call("Page.navigate", &json!({ "url": url }));
        assert!(navigated["errorText"].is_null(), "could not open {url}: {}", navigated["errorText"]);
        self.wait_until("document.readyState === 'complete'");
    }

    /// The value of an expression in the page; promises are awaited.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            &json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
        );
        assert!(answer["exceptionDetails"].is_null(), "`{expression}` threw: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page; promises are awaited.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.call(
                "Runtime.evaluate",
                &json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
            );
            if answer["result"]["value"] == json!(true) {
                return;
            }
            if Instant::now() > deadline {
                let (problems, page) = (self.take_problems(), self.page_text());
                panic!("`{expression}` did not become true; problems: {problems:#?}; page: {page}");
            }
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn page_text(&mut self) -> String {
        let answer = self.call(
            "Runtime.evaluate",
            &json!({ "expression": "document.documentElement.outerHTML.slice(0, 4000)", "returnByValue": true }),
        );
        answer["result"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Console errors, exceptions, failed loads and broken security policies since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        self.drain();
        std::mem::take(&mut self.problems)
    }

    /// What was received since the last call.
    pub(crate) fn take_responses(&mut self) -> Vec<Received> {
        self.drain();
        std::mem::take(&mut self.responses)
    }

    /// Makes the network unreachable, or reachable again.
    pub(crate) fn set_offline(&mut self, offline: bool) {
        self.call(
            "Network.emulateNetworkConditions",
            &json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
        );
    }

    /// Reads what has arrived without being asked for.
    fn drain(&mut self) {
        // Events come before the answer to a call made after them.
        self.call("Runtime.evaluate", &json!({ "expression": "0" }));
        while let Some(event) = self.events.pop_front() {
            self.note(&event);
        }
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).expect("Chromium listens");
        loop {
            let Message::Text(text) = self.socket.read().expect("Chromium answers") else { continue };
            let received: Value = serde_json::from_str(&text).expect("JSON of Chromium's");
            if received["id"] == json!(id) {
                assert!(received["error"].is_null(), "{method}: {}", received["error"]);
                return received["result"].clone();
            }
            self.events.push_back(received);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" if params["type"] == "error" || params["type"] == "assert" => {
                self.problems.push(format!("console.error: {}", params["args"]));
            }
            "Runtime.exceptionThrown" => self.problems.push(format!("exception: {}", params["exceptionDetails"])),
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.problems.push(format!("log: {} {}", params["entry"]["text"], params["entry"]["url"]));
            }
            "Network.loadingFailed" if params["canceled"] != json!(true) => {
                self.problems.push(format!("load failed: {params}"));
            }
            "Network.responseReceived" => self.responses.push(received(&params["response"])),
            _ => {}
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn received(response: &Value) -> Received {
    let headers = response["headers"].as_object().into_iter().flatten();
    Received {
        url: response["url"].as_str().unwrap_or_default().to_owned(),
        status: response["status"].as_u64().unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
    }
}

/// The browser: `CHROMIUM`, else where Debian and others put it.
fn program() -> PathBuf {
    if let Some(program) = env::var_os("CHROMIUM") {
        return program.into();
    }
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .expect("Chromium is not installed: `apt-get install chromium`, or name it in CHROMIUM")
}

fn wait_for_endpoint(profile: &Path) -> String {
    let file = profile.join("DevToolsActivePort");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some((port, path)) = fs::read_to_string(&file).ok().and_then(|text| {
            let (port, path) = text.split_once('\n')?;
            path.starts_with("/devtools").then(|| (port.to_owned(), path.trim().to_owned()))
        }) {
            return format!("ws://127.0.0.1:{port}{path}");
        }
        assert!(Instant::now() < deadline, "Chromium did not open its debugging port");
        thread::park_timeout(Duration::from_millis(20));
    }
}

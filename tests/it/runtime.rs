//! The Worker on bare `workerd`, as a process, and a client that sees exact bytes.
//!
//! Knows how to start, to ask and to stop; what is right to answer, the tests know.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rimward::workerd::{self, Config, Module, Outbound};
use tempfile::TempDir;

/// How long anything may take: long enough for a machine that is busy with a build.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The project's folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the tests lie in the project")
}

/// A file that another step makes: a test without it fails, and says which step that is.
#[track_caller]
pub(crate) fn made_by(step: &str, path: &str) -> PathBuf {
    let full = project().join(path);
    assert!(full.exists(), "`{path}` is missing: run `{step}` first");
    full
}

/// The modules of the Worker that is shipped.
#[track_caller]
pub(crate) fn worker() -> Vec<Module> {
    workerd::worker_modules(made_by("make worker", "target/worker/rimward.wasm").parent().expect("it is in a folder"))
}

/// The modules of the Worker with a door for the tests of its shell.
#[track_caller]
pub(crate) fn probe_worker() -> Vec<Module> {
    let wasm = made_by("make worker-probe", "target/worker-probe/rimward.wasm");
    workerd::worker_modules(wasm.parent().expect("it is in a folder"))
}

/// A running `workerd`. It ends with this value.
pub(crate) struct Workerd {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Workerd {
    /// Starts `config` on a free port (its `listen` is not looked at) and waits until it accepts connections.
    #[track_caller]
    pub(crate) fn start(config: &Config) -> Workerd {
        Workerd::start_as(config, workerd::render)
    }

    /// The same with another text of the configuration than the builder writes.
    #[track_caller]
    pub(crate) fn start_as(config: &Config, render: impl Fn(&Config) -> String) -> Workerd {
        Workerd::start_with(config, render, &[])
    }

    /// The same with more arguments than the builder gives.
    #[track_caller]
    pub(crate) fn start_with(config: &Config, render: impl Fn(&Config) -> String, more: &[&str]) -> Workerd {
        let binary = made_by("npm ci", "node_modules/workerd/bin/workerd");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Between looking for a free port and taking it, another may take it: then once more.
        for _ in 0..5 {
            let address = free_address();
            let config = Config { listen: address.to_string(), ..config.clone() };
            if let Some(process) = start(&binary, folder.path(), &render(&config), more, address) {
                return Workerd { process, address, folder };
            }
        }
        panic!("workerd did not start: {}", log(folder.path()));
    }

    /// The process.
    #[allow(dead_code, reason = "the benchmarks ask for it")]
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        log(self.folder.path())
    }

    /// Waits until the log has `text`.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "never logged `{text}`, but: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `GET path`, on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// A request without a body, on a connection of its own.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        Connection::open(self.address).ask(method, path, fields)
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A site of these assets, with requests going out to this machine alone.
pub(crate) fn site(modules: Vec<Module>, assets: Option<PathBuf>) -> Config {
    Config {
        listen: String::new(),
        modules,
        assets,
        variables: BTreeMap::new(),
        secrets: Vec::new(),
        state: None,
        outbound: Outbound::Network(vec!["local".into()]),
        cf_field: None,
    }
}

/// An address on this machine that nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn start(binary: &Path, folder: &Path, config: &str, more: &[&str], address: SocketAddr) -> Option<Child> {
    let file = folder.join("workerd.capnp");
    std::fs::write(&file, config).expect("a temporary file");
    let log = std::fs::File::create(folder.join("log")).expect("a temporary file");
    let mut process = Command::new(binary)
        .args(workerd::arguments(&file))
        .args(more)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("could not start `{}`: {error}", binary.display()));
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if TcpStream::connect(address).is_ok() {
            return Some(process);
        }
        if process.try_wait().expect("a child").is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = process.kill();
    let _ = process.wait();
    None
}

fn log(folder: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.join("log")).unwrap_or_default()).into_owned()
}

/// What came back, to the byte: nothing is decoded but the chunks.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In order, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end, as its length or its last chunk says.
    pub(crate) whole: bool,
}

impl Answer {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All fields of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, and that the body is whole.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert!(self.status == status && self.whole, "expected {status}: {self:#?}\n{}", self.text());
        self
    }
}

/// A connection of HTTP/1.1, kept alive.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.set_nodelay(true).expect("an option");
        Connection { reader: BufReader::new(stream) }
    }

    /// A request without a body, and its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(method, path, fields);
        let (status, fields) = self.head();
        let (body, whole) = if method == "HEAD" { (Vec::new(), true) } else { self.body(status, &fields) };
        Answer { status, fields, body, whole }
    }

    /// A request with a body, and its answer.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        let length = body.len().to_string();
        self.send("POST", path, &[fields, &[("Content-Length", &length)]].concat());
        self.write(body.as_bytes());
        self.answer()
    }

    /// The next answer. For one to HEAD, take [`Connection::head`].
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let (status, fields) = self.head();
        let (body, whole) = self.body(status, &fields);
        Answer { status, fields, body, whole }
    }

    /// The head of a request. Whoever sends a body says so in `fields` and writes it with [`Connection::write`].
    #[track_caller]
    pub(crate) fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: shop.test\r\n");
        }
        for (name, value) in fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.write(head.as_bytes());
    }

    /// Exactly these bytes.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the server reads");
    }

    /// The next answer's status and fields.
    #[track_caller]
    pub(crate) fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: `{status_line}`"));
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { return (status, fields) };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next piece of a chunked body; `None` at its end. Panics where it breaks off.
    #[track_caller]
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        self.try_chunk().expect("a chunk")
    }

    fn try_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    fn body(&mut self, status: u16, fields: &[(String, String)]) -> (Vec<u8>, bool) {
        let field = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let mut body = Vec::new();
        if status < 200 || status == 204 || status == 304 {
            return (body, true);
        }
        if field("transfer-encoding") == Some("chunked") {
            loop {
                match self.try_chunk() {
                    Ok(Some(chunk)) => body.extend(chunk),
                    Ok(None) => return (body, true),
                    Err(_) => return (body, false),
                }
            }
        }
        let length: u64 = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let read = self.reader.by_ref().take(length).read_to_end(&mut body);
        let whole = read.is_ok() && body.len() as u64 == length;
        (body, whole)
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line of a head");
        line.trim_end().to_owned()
    }
}

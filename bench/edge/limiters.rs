//! Others that limit: Cloudflare's binding as Wrangler provides it, a limiter of Hono's, nginx. Each with three paths to the same
//! 10 KB: one that nothing limits, one whose limit lets everything pass, one whose limit refuses everything.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rimward::workerd::{COMPATIBILITY_DATE, Config};
use tempfile::TempDir;

use crate::runtime::{Workerd, free_address, project, site};
use crate::{es_module, script};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that limits.
pub(crate) struct Limiter {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The process, for its CPU.
    pub(crate) process: u32,
    _running: Running,
}

#[allow(dead_code, reason = "they run for as long as they are held")]
enum Running {
    Workerd(Workerd, TempDir),
    Nginx(Nginx),
}

/// Those that are there; of each other one a word why it is not.
pub(crate) fn start() -> Vec<Limiter> {
    let mut limiters = Vec::new();
    for (name, start) in [("binding", binding as fn() -> Result<Running, String>), ("hono", hono), ("nginx", nginx)] {
        match start() {
            Ok(running) => {
                let (address, process) = match &running {
                    Running::Workerd(worker, _) => (worker.address, worker.id()),
                    Running::Nginx(nginx) => (nginx.address, nginx.process.id()),
                };
                limiters.push(Limiter { name, address, process, _running: running });
            }
            Err(why) => eprintln!("limits: nothing is said of `{name}`: {why}"),
        }
    }
    limiters
}

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))
}

/// The binding that Wrangler's emulator makes of `[[ratelimits]]`: its own modules, wired as it wires them.
fn binding() -> Result<Running, String> {
    let modules = project().join("node_modules/miniflare/dist/src/workers");
    for file in MINIFLARE {
        if !modules.join(file).exists() {
            return Err(format!("`{}` is missing", modules.join(file).display()));
        }
    }
    let folder = folder()?;
    let state = folder.path().join("state");
    fs::create_dir(&state).map_err(|error| format!("could not make a folder: {error}"))?;
    let config = site(script("bench/edge/workers/binding.js"), None);
    let render = |config: &Config| with_binding(config, &modules, &state);
    Ok(Running::Workerd(Workerd::start_with(&config, render, &["--experimental"]), folder))
}

const MINIFLARE: [&str; 5] = [
    "shared/index.worker.js",
    "shared/zod.worker.js",
    "shared/object-entry.worker.js",
    "ratelimit/ratelimit.worker.js",
    "ratelimit/ratelimit-object.worker.js",
];

fn with_binding(config: &Config, modules: &Path, state: &Path) -> String {
    let [shared, zod, entry, binding, object] = MINIFLARE.map(|file| modules.join(file).display().to_string());
    let (main, listen, state) = (config.modules[0].file.display(), &config.listen, state.display());
    let limit = |name: &str, permits: u32| {
        format!(
            r#"(name = "{name}", wrapped = (moduleName = "cloudflare-internal:ratelimit:module", innerBindings = [
      (name = "fetcher", service = (name = "entry", props = (json = "{{\"MINIFLARE_NAMESPACE\":\"{name}\"}}"))),
      (name = "limit", json = "{permits}"), (name = "period", json = "60")]))"#
        )
    };
    let (many, none) = (limit("MANY", 1_000_000_000), limit("NONE", 0));
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "entry", worker = .entry), (name = "objects", worker = .objects),
    (name = "state", disk = (path = "{state}", writable = true))],
  sockets = [(name = "http", address = "{listen}", http = (), service = "main")],
  extensions = [
    (modules = [(name = "miniflare:shared", esModule = embed "{shared}"), (name = "miniflare:zod", esModule = embed "{zod}")]),
    (modules = [(name = "cloudflare-internal:ratelimit:module", esModule = embed "{binding}", internal = true)])],
);
const main :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed "{main}")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [{many}, {none}],
);
const entry :Workerd.Worker = (
  modules = [(name = "entry.js", esModule = embed "{entry}")],
  compatibilityDate = "2023-07-24",
  bindings = [(name = "MINIFLARE_OBJECT", durableObjectNamespace = (className = "RateLimiterObject", serviceName = "objects"))],
);
const objects :Workerd.Worker = (
  modules = [(name = "object.js", esModule = embed "{object}")],
  compatibilityDate = "2023-07-24",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  durableObjectNamespaces = [(className = "RateLimiterObject", uniqueKey = "miniflare-RateLimiterObject", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
"#
    )
}

fn hono() -> Result<Running, String> {
    let file = project().join("target/bench/limiter.js");
    if !file.exists() {
        return Err("`make target/bench/limiter.js` makes it".to_owned());
    }
    Ok(Running::Workerd(Workerd::start(&site(vec![es_module(file)], None)), folder()?))
}

/// One process of nginx.
struct Nginx {
    address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where Debian puts it, only administrators look.
fn nginx_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join("nginx")).find(|file| file.is_file())
}

fn nginx() -> Result<Running, String> {
    let program = nginx_program().ok_or("it is not installed (Debian: apt-get install nginx)")?;
    let folder = folder()?;
    let failed = |error: std::io::Error| format!("could not write its files: {error}");
    for path in ["free", "admitted", "refused"] {
        let path = folder.path().join("files").join(path);
        fs::create_dir_all(&path).map_err(failed)?;
        fs::write(path.join("x"), vec![b'a'; 10_240]).map_err(failed)?;
    }
    let address = free_address();
    let conf = folder.path().join("nginx.conf");
    let text = include_str!("nginx.conf");
    let text = text.replace("ADDRESS", &address.to_string()).replace("FOLDER", &folder.path().to_string_lossy());
    fs::write(&conf, text).map_err(failed)?;
    let log = fs::File::create(folder.path().join("log")).map_err(failed)?;
    let process = Command::new(program)
        .args(["-e".as_ref(), folder.path().join("errors").as_os_str(), "-c".as_ref(), conf.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("could not start it: {error}"))?;
    let mut nginx = Nginx { address, process, folder };
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > until || nginx.process.try_wait().is_ok_and(|ended| ended.is_some()) {
            let said = fs::read_to_string(nginx.folder.path().join("log")).unwrap_or_default();
            return Err(format!("it does not listen: {}", said.trim()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(Running::Nginx(nginx))
}

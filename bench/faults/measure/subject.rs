//! The programs that stand before the origins: each is started for one bad day, in a folder of its own, and ended after it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Client, Outcome};
use super::free_port;

/// Until it answers, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program, and the settings that it is run with: `@PORT@`, `@FOLDER@`, `@ORIGIN_A@` and `@ORIGIN_B@` stand for what differs.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// `rimward serve`: bare `workerd`.
    Rimward {
        /// The program itself.
        rimward: PathBuf,
        workerd: PathBuf,
        /// `rimward.toml`.
        settings: String,
    },
    Nginx(String),
    Haproxy(String),
    Varnish(String),
}

/// A running program. It ends with this value.
pub(crate) struct Subject {
    process: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Program {
    /// For people, and to choose by.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Program::Rimward { .. } => "Rimward",
            Program::Nginx(_) => "nginx",
            Program::Haproxy(_) => "HAProxy",
            Program::Varnish(_) => "Varnish",
        }
    }

    /// Starts it before these origins, and waits until it answers well.
    pub(super) fn start(&self, origins: [SocketAddr; 2]) -> Result<Subject, String> {
        let name = self.name();
        let folder = tempfile::tempdir().map_err(|error| format!("could not make a folder: {error}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = self.command(folder.path(), address, origins)?;
        let log = File::create(folder.path().join("log"));
        let log = log.and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|error| format!("could not write a log: {error}"))?;
        let process = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let process = process.map_err(|error| format!("could not start {name}: {error}"))?;
        let mut subject = Subject { process, address, folder };
        let until = Instant::now() + PATIENCE;
        while Client::new(address).ask("/dynamic/first", Instant::now()) != Outcome::Good {
            if !matches!(subject.process.try_wait(), Ok(None)) || Instant::now() > until {
                return Err(format!("{name} does not answer: {}", subject.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(subject)
    }

    fn command(&self, folder: &Path, address: SocketAddr, origins: [SocketAddr; 2]) -> Result<Command, String> {
        let write = |name: &str, text: &str| {
            let text = text
                .replace("@PORT@", &address.port().to_string())
                .replace("@FOLDER@", &folder.to_string_lossy())
                .replace("@ORIGIN_A@", &origins[0].port().to_string())
                .replace("@ORIGIN_B@", &origins[1].port().to_string());
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| format!("could not write `{}`: {error}", path.display()))?;
            Ok::<_, String>(path)
        };
        match self {
            Program::Rimward { rimward, workerd, settings } => {
                write("rimward.toml", settings)?;
                fs::create_dir(folder.join("dist")).map_err(|error| format!("could not make a folder: {error}"))?;
                write("dist/index.html", "<!doctype html><title>faults</title>")?;
                let built = Command::new(rimward).arg("build").current_dir(folder).env_remove("RIMWARD_ENV").output();
                let built = built.map_err(|error| format!("could not start `{}`: {error}", rimward.display()))?;
                if !built.status.success() {
                    return Err(format!("`rimward build` failed: {}", String::from_utf8_lossy(&built.stderr)));
                }
                let mut command = Command::new(rimward);
                command.args(["serve", "--port", &address.port().to_string(), "--workerd"]).arg(workerd);
                command.current_dir(folder).env_remove("RIMWARD_ENV");
                Ok(command)
            }
            Program::Nginx(text) => {
                let file = write("nginx.conf", text)?;
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr", "-g", "daemon off;"]);
                Ok(command)
            }
            Program::Haproxy(text) => {
                let file = write("haproxy.cfg", text)?;
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(file);
                Ok(command)
            }
            Program::Varnish(text) => {
                let file = write("varnish.vcl", text)?;
                let mut command = Command::new("varnishd");
                command.arg("-F").args(["-a", &address.to_string(), "-T", "none", "-j", "none", "-s", "default,64m"]);
                command.arg("-n").arg(folder.join("varnish")).arg("-f").arg(file);
                // With room for all who wait at once.
                command.args([
                    "-p",
                    "thread_pool_min=200",
                    "-p",
                    "thread_pool_max=2000",
                    "-p",
                    "thread_pool_add_delay=0",
                ]);
                Ok(command)
            }
        }
    }
}

impl Subject {
    /// What it has said so far: the end of it.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }
}

impl Drop for Subject {
    /// So that children of its own end with it. (Whoever starts us may have told us, and so them, to ignore Ctrl-C.)
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let until = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! `rimward serve`: the Worker on bare `workerd`, without wrangler.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rimward_edge::config::Settings;
use rimward_edge::control::zone;
use rimward_edge::guard::secret::Scope;
use rimward_edge::release::manifest::RELEASES_PATH;

use super::running::{Running, interruptions};
use super::tied::{Farewell, tied};
use super::{Ended, Talk, plan_of, tools};
use crate::cli::ServeArgs;
use crate::config::Plan;
use crate::fs::{Files as _, Lock, Real};
use crate::worker;
use crate::workerd::{self, Config, Outbound};

/// How long `workerd` may take until it answers.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked at until then, and afterwards.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOK_EVERY_RUNNING: Duration = Duration::from_millis(500);

/// Serves until it is told to end.
pub fn run(args: &ServeArgs) -> Ended {
    let talk = Talk::new();
    let (plan, findings) = match plan_of(&talk, &args.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    talk.findings(&findings);
    match serve(&talk, args, &plan) {
        Ok(ended) => ended,
        Err(why) => {
            talk.error(why);
            Ended::Trouble
        }
    }
}

fn serve(talk: &Talk, args: &ServeArgs, plan: &Plan) -> Result<Ended, String> {
    if !plan.output.join(RELEASES_PATH).is_file() {
        return Err(format!(
            "there is no release in `{}`\n  hint: make one with `rimward build`",
            plan.output.display()
        ));
    }
    let binary = tools::workerd(args.workerd.as_deref(), &plan.project)?;
    let address = free_address(args.listen, args.port)?;
    let state = match &args.state {
        Some(folder) => std::path::absolute(folder).map_err(|error| format!("could not find `--state`: {error}"))?,
        None => plan.state.join("serve"),
    };
    let _lock = lock(&state)?;
    let config = configuration(args, plan, &state, address)?;
    let interrupted = interruptions().map_err(|error| format!("could not listen for Ctrl-C: {error}"))?;
    let mut command = tied(Command::new(&binary).args(workerd::arguments(&config)), Farewell::Kill);
    let mut running =
        Running::start(&mut command).map_err(|error| format!("could not start `{}`: {error}", binary.display()))?;
    let hosts = hosts(plan);
    if let Some(ended) = wait_until_ready(talk, &mut running, &interrupted, address, &hosts)? {
        return Ok(ended);
    }
    announce(talk, plan, address, &hosts);
    loop {
        if let Some(status) = running.ended().map_err(|error| format!("could not wait for workerd: {error}"))? {
            return Err(format!("workerd ended by itself: {status}"));
        }
        if interrupted.recv_timeout(LOOK_EVERY_RUNNING).is_ok() {
            running.stop();
            return Ok(Ended::Done);
        }
    }
}

/// Takes a state folder for this process: two servers would write into one another's databases.
fn lock(state: &Path) -> Result<Lock, String> {
    let taken = Real.lock(&state.join("lock"));
    let lock = taken.map_err(|error| format!("could not lock `{}`: {error}", state.display()))?;
    lock.ok_or_else(|| {
        let state = shown(state);
        format!("another `rimward serve` keeps its state in `{state}`\n  hint: give this one a folder of its own: --state DIR")
    })
}

/// Writes the Worker and `workerd`'s configuration into the state folder.
fn configuration(args: &ServeArgs, plan: &Plan, state: &Path, address: SocketAddr) -> Result<PathBuf, String> {
    let modules = state.join("worker");
    worker::write_to(&modules).map_err(|error| error.to_string())?;
    let kept = state.join("state");
    std::fs::create_dir_all(&kept).map_err(|error| format!("could not make `{}`: {error}", kept.display()))?;
    let config = Config {
        listen: address.to_string(),
        modules: workerd::worker_modules(&modules),
        assets: Some(plan.output.clone()),
        state: Some(kept),
        variables: variables(args.project.env.as_deref()),
        secrets: secrets(plan.settings_file.chosen(), &|name| std::env::var_os(name).is_some()),
        outbound: Outbound::anywhere(),
        cf_field: None,
    };
    let path = state.join("workerd.capnp");
    std::fs::write(&path, workerd::render(&config))
        .map_err(|error| format!("could not write `{}`: {error}", path.display()))?;
    Ok(path)
}

/// The Worker's variables.
fn variables(env: Option<&str>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        // A build that is made while it runs answers from then on.
        ("RIMWARD_WATCH".to_owned(), "1".to_owned()),
        // Nobody in front has cleaned `CF-Connecting-IP`: the peer is who it is.
        ("RIMWARD_CLIENT_ADDRESS".to_owned(), "socket".to_owned()),
    ]);
    variables.extend(env.map(|env| ("RIMWARD_ENV".to_owned(), env.to_owned())));
    variables
}

/// What the Worker gets from our own environment, where it is set: the secrets of its own addresses, the zone, and the secrets that
/// the pools name.
fn secrets(settings: &Settings, is_set: &dyn Fn(&str) -> bool) -> Vec<String> {
    let scopes = Scope::ALL.iter().flat_map(|scope| scope.names());
    let zone = [zone::ID_VARIABLE, zone::TOKEN_VARIABLE, zone::API_VARIABLE];
    let of_pools = settings.pools.values().flat_map(|pool| {
        let sticky = pool.sticky.as_ref().map(|sticky| sticky.secret.as_str());
        sticky.into_iter().chain(pool.credential.as_ref().map(|credential| credential.secret.as_str()))
    });
    let passed: BTreeSet<&str> = scopes.chain(zone).chain(of_pools).filter(|name| is_set(name)).collect();
    passed.into_iter().map(str::to_owned).collect()
}

/// The hosts that are answered; none: any.
fn hosts(plan: &Plan) -> Vec<String> {
    plan.settings_file.chosen().site.hosts.clone()
}

/// An address that can be listened on, found out before `workerd` tries: its own message is an exception's.
fn free_address(ip: IpAddr, port: u16) -> Result<SocketAddr, String> {
    let wanted = SocketAddr::new(ip, port);
    match TcpListener::bind(wanted).and_then(|listener| listener.local_addr()) {
        Ok(address) => Ok(address),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(8787);
            Err(format!(
                "port {port} of {ip} is taken\n  hint: end what listens there, or choose another: --port {other}"
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "port {port} of {ip} is not allowed to this user\n  hint: choose one from 1024 on: --port 8787"
        )),
        Err(error) => Err(format!("could not listen on {wanted}: {error}")),
    }
}

/// Waits for the first good answer. `Some` where it ends before there is one.
fn wait_until_ready(
    talk: &Talk,
    running: &mut Running,
    interrupted: &Receiver<()>,
    address: SocketAddr,
    hosts: &[String],
) -> Result<Option<Ended>, String> {
    let until = Instant::now() + START_WITHIN;
    let mut last = "no answer".to_owned();
    while Instant::now() < until {
        if let Some(status) = running.ended().map_err(|error| format!("could not wait for workerd: {error}"))? {
            return Err(format!("workerd could not serve: {status}; what it says is above"));
        }
        match health(address, hosts.first().map_or("localhost", String::as_str)) {
            Ok(200) => return Ok(None),
            // It answers, though not well: the Worker has logged why.
            Ok(status) => {
                talk.say(format!("warning: the edge answers its health check with {status}"));
                return Ok(None);
            }
            Err(error) => last = error.to_string(),
        }
        if interrupted.recv_timeout(LOOK_EVERY).is_ok() {
            running.stop();
            return Ok(Some(Ended::Done));
        }
    }
    running.stop();
    Err(format!("workerd did not answer within {} s: {last}", START_WITHIN.as_secs()))
}

/// The status of the health check.
fn health(address: SocketAddr, host: &str) -> io::Result<u16> {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        ip if ip.is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    };
    let mut stream = TcpStream::connect_timeout(&reachable, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /.rimward/health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    // "HTTP/1.1 200"
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn announce(talk: &Talk, plan: &Plan, address: SocketAddr, hosts: &[String]) {
    let host = match address.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    talk.say(format!("serving `{}`: http://{host}:{}{}", shown(&plan.output), address.port(), plan.settings.base));
    if !hosts.is_empty() {
        talk.say(format!("only these hosts are answered (`hosts` of `[site]`): {}", hosts.join(", ")));
    }
    talk.say("Ctrl-C ends it");
}

/// A path as a person would call it from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = free_address(IpAddr::from([127, 0, 0, 1]), port).unwrap_err();
        assert!(error.starts_with(&format!("port {port} of 127.0.0.1 is taken\n  hint:")), "{error}");
    }

    #[test]
    fn a_state_folder_serves_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let error = lock(folder.path()).err().expect("it is taken");
        assert!(error.contains("another `rimward serve`") && error.contains("--state DIR"), "{error}");
        drop(first);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn port_zero_is_any_free_port() {
        assert_ne!(free_address(IpAddr::from([127, 0, 0, 1]), 0).unwrap().port(), 0);
    }

    #[test]
    fn only_secrets_that_are_set_reach_the_worker() {
        let settings: Settings = serde_json::from_value(json!({
            "site": { "name": "shop", "base": "/" },
            "document": { "cache_control": "no-cache" },
            "pools": { "api": {
                "origins": [{ "url": "https://a.example" }],
                "timeout": { "answer_ms": 1 },
                "sticky": { "cookie": "s", "secret": "STICKY_KEY" },
                "credential": { "kind": "hmac", "header": "x-key", "secret": "API_KEY" },
            } },
        }))
        .unwrap();
        let set = ["RIMWARD_ZONE_ID", "RIMWARD_PURGE_SECRET_OLD", "PATH", "API_KEY", "STICKY_KEY"];
        let passed = |set: &[&str]| secrets(&settings, &|name| set.contains(&name));
        assert_eq!(passed(&set), ["API_KEY", "RIMWARD_PURGE_SECRET_OLD", "RIMWARD_ZONE_ID", "STICKY_KEY"]);
        assert_eq!(passed(&["STICKY_KEY"]), ["STICKY_KEY"]);
    }

    #[test]
    fn the_environment_reaches_the_worker() {
        assert_eq!(variables(Some("staging"))["RIMWARD_ENV"], "staging");
        assert!(!variables(None).contains_key("RIMWARD_ENV"));
    }
}

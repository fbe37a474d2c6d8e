//! The configuration of bare `workerd`: which Worker runs, what it is bound to, where it listens. A value in, text out.
//!
//! `rimward serve`, the end-to-end tests and the benchmarks all run the same Worker through this one function. The text
//! is Cap'n Proto's, as `workerd serve` reads it; the files that it names are read by `workerd`, not here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The platform's behaviour that the Worker is written for: the same here and in `wrangler.toml`.
pub const COMPATIBILITY_DATE: &str = "2026-11-01";

/// Switches of the platform that the Worker needs beside [`COMPATIBILITY_DATE`]: the same here and in `wrangler.toml`.
/// A request that its client left is told to the Worker, so that it lets go of what it keeps for it.
pub const COMPATIBILITY_FLAGS: &[&str] = &["enable_request_signal"];

/// What stands behind the platform's Cache API, and behind its KV bindings: a bare runtime has neither.
const CACHE_SERVICE: &str = include_str!("../services/cache.js");
const KV_SERVICE: &str = include_str!("../services/kv.js");

/// What `workerd serve` is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens: `127.0.0.1:8080`, `*:8080`, `[::1]:8080`.
    pub listen: String,
    /// The Worker's modules; the first is the one that is started.
    pub modules: Vec<Module>,
    /// The folder that is bound as `ASSETS`; without one the Worker has no such binding.
    pub assets: Option<PathBuf>,
    /// Variables of the Worker, by name.
    pub variables: BTreeMap<String, String>,
    /// Variables of the Worker that `workerd` takes from its own environment: secrets stand in no file of ours.
    pub secrets: Vec<String>,
    /// The folder of what outlives a restart. With one the Worker has the platform's stores (a cache in memory, and a
    /// key-value store in this folder) and the control log.
    pub state: Option<PathBuf>,
    /// Where the Worker's own requests go.
    pub outbound: Outbound,
    /// A request field that is taken for `request.cf` (as JSON). Only where whoever sends requests is trusted: tests.
    pub cf_field: Option<String>,
}

/// One module of the Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// What other modules import it as.
    pub name: String,
    /// What it is.
    pub kind: ModuleKind,
    /// Where its bytes are.
    pub file: PathBuf,
}

/// What a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// JavaScript.
    EsModule,
    /// Compiled WebAssembly.
    Wasm,
}

/// Where the Worker's own requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// To whom their URL names, if its address is one of these: `public`, `private`, `local`, CIDR blocks.
    Network(Vec<String>),
    /// To one server, whatever their URL says; it is told `request.cf` (as JSON) in a field of this name.
    Server {
        /// Host and port.
        address: String,
        /// The field.
        cf_field: String,
    },
}

impl Outbound {
    /// Anywhere: origins may well be on a private network, and only configured origins are ever asked.
    pub fn anywhere() -> Outbound {
        Outbound::Network(vec!["public".into(), "private".into()])
    }
}

/// The modules of the Worker that lies in `folder`, as the build writes it.
pub fn worker_modules(folder: &Path) -> Vec<Module> {
    vec![
        Module { name: "rimward.js".into(), kind: ModuleKind::EsModule, file: folder.join("rimward.js") },
        Module { name: "./rimward.wasm".into(), kind: ModuleKind::Wasm, file: folder.join("rimward.wasm") },
    ]
}

/// What to start `workerd` with, so that it runs the configuration in `file`. Without the second argument it would not
/// find modules whose paths are absolute.
pub fn arguments(file: &Path) -> [OsString; 3] {
    ["serve".into(), "--import-path=/".into(), file.as_os_str().to_owned()]
}

/// The text of the configuration, for a `workerd` that is started with [`arguments`]. Paths are absolute.
pub fn render(config: &Config) -> String {
    let mut bindings = Vec::new();
    if config.assets.is_some() {
        bindings.push(r#"(name = "ASSETS", service = "assets")"#.to_owned());
    }
    if config.state.is_some() {
        bindings.push(r#"(name = "KV", kvNamespace = "kv")"#.to_owned());
        bindings.extend(OBJECTS.map(|Object { binding, class, .. }| {
            format!(r#"(name = "{binding}", durableObjectNamespace = "{class}")"#)
        }));
    }
    for (name, value) in &config.variables {
        bindings.push(format!("(name = {}, text = {})", quote(name), quote(value)));
    }
    for name in &config.secrets {
        bindings.push(format!("(name = {0}, fromEnvironment = {0})", quote(name)));
    }
    let modules: Vec<String> = config.modules.iter().map(module).collect();
    let flags: Vec<String> = COMPATIBILITY_FLAGS.iter().map(|flag| quote(flag)).collect();
    let mut services = vec![
        r#"(name = "rimward", worker = .rimward)"#.to_owned(),
        format!(r#"(name = "outbound", {})"#, outbound(&config.outbound)),
    ];
    if let Some(folder) = &config.assets {
        // Pages may lie in folders such as `.well-known`.
        let path = quote(&folder.to_string_lossy());
        services.push(format!(r#"(name = "assets", disk = (path = {path}, allowDotfiles = true))"#));
    }
    if let Some(folder) = &config.state {
        let path = quote(&folder.to_string_lossy());
        services.push(r#"(name = "cache", worker = .cache)"#.to_owned());
        services.push(r#"(name = "kv", worker = .kv)"#.to_owned());
        services.push(format!(r#"(name = "state", disk = (path = {path}, writable = true))"#));
    }
    let http = config.cf_field.as_deref().map_or(String::new(), |field| format!("cfBlobHeader = {}", quote(field)));

    let mut text = String::from("using Workerd = import \"/workerd/workerd.capnp\";\n\n");
    text.push_str("const config :Workerd.Config = (\n");
    list(&mut text, "services", &services);
    list(
        &mut text,
        "sockets",
        &[format!(r#"(name = "http", address = {}, http = ({http}), service = "rimward")"#, quote(&config.listen))],
    );
    text.push_str(");\n\nconst rimward :Workerd.Worker = (\n");
    list(&mut text, "modules", &modules);
    let _ = writeln!(text, "  compatibilityDate = {},", quote(COMPATIBILITY_DATE));
    let _ = writeln!(text, "  compatibilityFlags = [{}],", flags.join(", "));
    list(&mut text, "bindings", &bindings);
    text.push_str("  globalOutbound = \"outbound\",\n");
    if config.state.is_some() {
        text.push_str("  cacheApiOutbound = \"cache\",\n");
        text.push_str(&objects());
        text.push_str(");\n");
        text.push_str(&service("cache", CACHE_SERVICE, ""));
        text.push_str(&service("kv", KV_SERVICE, VALUES));
    } else {
        text.push_str(");\n");
    }
    text
}

/// Durable Objects of the Worker, as `wrangler.toml` binds them too.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// The name of the binding.
    pub binding: &'static str,
    /// The name of the class.
    pub class: &'static str,
    /// What is not to be had without it.
    pub loss: &'static str,
}

/// All of them.
pub const OBJECTS: [Object; 5] = [
    Object { binding: "CONTROL_LOG", class: "ControlLog", loss: "nothing that is cached could be purged" },
    Object { binding: "SHIELD", class: "Shield", loss: "`shield` of `[[route]]` would have no effect" },
    Object {
        binding: "LIMITS",
        class: "Limits",
        loss: "`limit` of `[[route]]` could not count: `when_unreachable` would decide every request",
    },
    Object { binding: "HEALTH", class: "Health", loss: "`health` of `[[pool]]` would check nothing" },
    Object { binding: "METRICS", class: "Metrics", loss: "nothing would be counted for `/.rimward/metrics`" },
];

/// The namespaces of all objects, and where they keep what they store.
fn objects() -> String {
    let namespaces: Vec<String> = OBJECTS
        .iter()
        .map(|Object { class, binding, .. }| {
            let key = binding.to_ascii_lowercase().replace('_', "-");
            format!(r#"(className = "{class}", uniqueKey = "rimward-{key}", enableSql = true)"#)
        })
        .collect();
    let mut text = String::new();
    list(&mut text, "durableObjectNamespaces", &namespaces);
    text.push_str("  durableObjectStorage = (localDisk = \"state\"),\n");
    text
}

/// The key-value store's one object.
const VALUES: &str = r#"  bindings = [(name = "VALUES", durableObjectNamespace = "Values")],
  durableObjectNamespaces = [(className = "Values", uniqueKey = "rimward-values", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
"#;

/// A Worker of ours that stands in for a part of the platform.
fn service(name: &str, text: &str, more: &str) -> String {
    format!(
        "\nconst {name} :Workerd.Worker = (\n  modules = [(name = \"{name}.js\", esModule = {})],\n  compatibilityDate = {},\n{more});\n",
        quote(text),
        quote(COMPATIBILITY_DATE)
    )
}

fn module(module: &Module) -> String {
    let kind = match module.kind {
        ModuleKind::EsModule => "esModule",
        ModuleKind::Wasm => "wasm",
    };
    format!("(name = {}, {kind} = embed {})", quote(&module.name), quote(&module.file.to_string_lossy()))
}

fn outbound(outbound: &Outbound) -> String {
    match outbound {
        Outbound::Network(allow) => {
            let allow: Vec<String> = allow.iter().map(|block| quote(block)).collect();
            format!("network = (allow = [{}], tlsOptions = (trustBrowserCas = true))", allow.join(", "))
        }
        Outbound::Server { address, cf_field } => {
            format!("external = (address = {}, http = (cfBlobHeader = {}))", quote(address), quote(cf_field))
        }
    }
}

fn list(text: &mut String, name: &str, items: &[String]) {
    let _ = writeln!(text, "  {name} = [");
    for item in items {
        let _ = writeln!(text, "    {item},");
    }
    text.push_str("  ],\n");
}

/// A string of Cap'n Proto's text form, whose escapes are those of C.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_ascii_control() => {
                // Always three octal digits: a hexadecimal escape would swallow digits that follow.
                let _ = write!(quoted, "\\{:03o}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            listen: "127.0.0.1:8787".into(),
            modules: worker_modules(Path::new("/site/.rimward/worker")),
            assets: Some("/site/public".into()),
            variables: BTreeMap::from([("RIMWARD_WATCH".into(), "1".into())]),
            secrets: Vec::new(),
            state: None,
            outbound: Outbound::anywhere(),
            cf_field: None,
        }
    }

    #[test]
    fn a_site_is_one_worker_with_its_assets_and_a_network() {
        let expected = r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "rimward", worker = .rimward),
    (name = "outbound", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    (name = "assets", disk = (path = "/site/public", allowDotfiles = true)),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:8787", http = (), service = "rimward"),
  ],
);

const rimward :Workerd.Worker = (
  modules = [
    (name = "rimward.js", esModule = embed "/site/.rimward/worker/rimward.js"),
    (name = "./rimward.wasm", wasm = embed "/site/.rimward/worker/rimward.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    (name = "ASSETS", service = "assets"),
    (name = "RIMWARD_WATCH", text = "1"),
  ],
  globalOutbound = "outbound",
);
"#;
        assert_eq!(render(&config()), expected);
    }

    #[test]
    fn without_a_folder_there_is_no_binding() {
        let text = render(&Config { assets: None, ..config() });
        assert!(!text.contains("ASSETS") && !text.contains("disk"), "{text}");
    }

    #[test]
    fn with_a_state_folder_there_are_stores() {
        let text = render(&Config { state: Some("/site/.rimward/serve/state".into()), ..config() });
        for line in [
            r#"    (name = "KV", kvNamespace = "kv"),"#,
            r#"    (name = "CONTROL_LOG", durableObjectNamespace = "ControlLog"),"#,
            r#"    (name = "state", disk = (path = "/site/.rimward/serve/state", writable = true)),"#,
            r#"  cacheApiOutbound = "cache","#,
            "const cache :Workerd.Worker = (",
            "const kv :Workerd.Worker = (",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
        }
    }

    #[test]
    fn secrets_are_named_and_not_written() {
        let text = render(&Config { secrets: vec!["RIMWARD_PURGE_SECRET".into()], ..config() });
        let line = r#"(name = "RIMWARD_PURGE_SECRET", fromEnvironment = "RIMWARD_PURGE_SECRET"),"#;
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn no_value_ends_its_string() {
        assert_eq!(quote("a\"b\\c\nd\u{1}2é"), r#""a\"b\\c\nd\0012é""#);
    }
}

//! The command line, exactly as it is typed.

#[cfg(target_os = "linux")]
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::client::SiteUrl;
#[cfg(target_os = "linux")]
use crate::commands::Farewell;
use crate::settings;
use crate::warm::Encoding;

/// Ships React apps to the edge: an immutable, fingerprinted, precompressed release from what a bundler wrote.
#[derive(Debug, Parser)]
#[command(name = "rimward", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a release in `public/` from what the bundler wrote
    ///
    /// Every file is minified, named by its final bytes, compressed, and written; the new release answers from the
    /// moment in which everything is there. Dotfiles are left out, but for `.well-known`. Earlier releases' files stay
    /// (`[build] keep_releases`).
    ///
    /// Exit status: 0 done; 1 the source or the settings have errors; 2 usage or environment.
    Build(BuildArgs),
    /// Write `rimward.toml` and `wrangler.toml` for the project in this folder, having looked at its bundler
    ///
    /// Nothing that is there is overwritten. Exit status: 0 done; 2 there is nothing to do it for, or it is done already.
    Init(InitArgs),
    /// Check the settings, `wrangler.toml`, the platform's limits, what a million visits cost, and that two builds agree
    ///
    /// Two builds are made in temporary folders, by one thread and by many, and compared byte for byte.
    /// Exit status: 0 all is well; 1 something is wrong; 2 usage or environment.
    Check(CheckArgs),
    /// Run the edge under `wrangler dev`, and build again whenever the source changes
    ///
    /// A build that fails is shown, and the release before it goes on answering. Let the bundler watch beside it:
    /// `vite build --watch`. Ctrl-C ends both.
    Dev(DevArgs),
    /// Serve the release on bare `workerd`, without wrangler: on a laptop, or on a server of your own
    ///
    /// The same Worker as on Cloudflare. A release that is built meanwhile answers from then on.
    Serve(ServeArgs),
    /// Ask a running edge for what visitors will ask for, so that the first of them does not wait
    ///
    /// Fetches what sitemaps and lists name, else every document and asset of the release in `output` of `[build]`, each
    /// as browsers would: by encoding, and by each value that `vary` of its `[cache.*]` tells apart. Only the site itself
    /// is asked; URLs of `hosts` of `[site]` are asked of `--to`. Ctrl-C ends it with a summary of what came so far.
    ///
    /// Exit status: 0 everything was answered; 1 something was not, or a list has errors; 2 usage or environment.
    Warm(WarmArgs),
    /// Purge what the edge has stored, at every location, and the zone's own cache where the Worker knows its zone
    ///
    /// The secret is that of the Worker's `RIMWARD_PURGE_SECRET`, read from the environment variable of that name. A path is of
    /// the site that is asked; what a route's policy leaves out of its keys need not be spelled.
    ///
    /// Exit status: 0 done; 1 the purge is none, or calls to the zone were given up; 2 usage or environment.
    Purge(PurgeArgs),
    /// List who is banned by limits (`ban` of `[limit.*]`), ban somebody, or let somebody in again, at every location
    ///
    /// The secret is that of the Worker's `RIMWARD_OPERATE_SECRET`, read from the environment variable of that name. Whom
    /// a limit counts is said as its `partition` does: each part of it is named. The site knows digests of them alone.
    ///
    /// Exit status: 0 done; 1 the limit bans nobody, or does not count so; 2 usage or environment.
    Limits(LimitsArgs),
    /// Tell which rule answers a request, and why
    ///
    /// By the settings and the release of this project, as the edge would: nothing is asked of anybody.
    /// Exit status: 0 done; 1 the settings have errors; 2 usage or environment.
    Route(RouteArgs),
    /// List origins and how they stand, drain one of them, or undrain it, at every location
    ///
    /// A drained origin gets no requests until it is undrained, whether its checks say that it is well or not. The secret is that
    /// of the Worker's `RIMWARD_OPERATE_SECRET`, read from the environment variable of that name.
    ///
    /// Exit status: 0 done; 1 there is no such origin, or it is the last one of its pool; 2 usage or environment.
    Origin(OriginArgs),
    /// Becomes another program, which is told when its parent is gone: how this program starts those that must end with it.
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Become(BecomeArgs),
}

/// `rimward purge`.
#[allow(clippy::struct_excessive_bools, reason = "flags, as they are typed")]
#[derive(Debug, Clone, Default, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["url", "prefix", "tag", "group", "all", "release", "failed"])))]
pub struct PurgeArgs {
    /// A URL, or a path of the site: every variant of it
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,

    /// A URL or path, and everything below it; it ends where a segment of the path does
    #[arg(long, value_name = "URL")]
    pub prefix: Vec<String>,

    /// Everything with this tag
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,

    /// Everything of this group of the site (RFC 9875)
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,

    /// Everything
    #[arg(long)]
    pub all: bool,

    /// The URLs that the last build changed; with an ID, all that changed since that release
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true)]
    pub release: Option<Option<String>>,

    /// Mark as stale instead of removing: what was stored is validated, or served within its grace period
    #[arg(long)]
    pub soft: bool,

    /// Return when the purge is seen everywhere
    #[arg(long)]
    pub wait: bool,

    /// A name for this purge: under the same name nothing is purged twice [default: a new one each time]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,

    /// List the calls to the zone's cache that were given up
    #[arg(long, conflicts_with_all = ["url", "prefix", "tag", "group", "all", "release", "soft", "wait", "key"])]
    pub failed: bool,

    /// With `--failed`: make them again
    #[arg(long, requires = "failed")]
    pub replay: bool,

    /// Print what came of it as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Where the site is reached: scheme, host and port [default: https:// and the first of `hosts` of `[site]`]
    #[arg(long, value_name = "URL")]
    pub to: Option<SiteUrl>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward limits`.
#[derive(Debug, Clone, Args)]
pub struct LimitsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LimitsCommand,
}

/// What to do with bans.
#[derive(Debug, Clone, Subcommand)]
pub enum LimitsCommand {
    /// List who is banned, until when, and by whom
    List(SiteArgs),
    /// Ban somebody
    Ban(BanArgs),
    /// Let somebody in again
    Lift(LiftArgs),
}

/// `rimward limits ban`.
#[derive(Debug, Clone, Args)]
pub struct BanArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub whom: WhomArgs,

    /// For how long: "10m", "2h" [default: as `ban` of the limit says]
    #[arg(long = "for", value_name = "TIME", value_parser = settings::ban_period)]
    pub period: Option<Duration>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub site: SiteArgs,
}

/// `rimward limits lift`.
#[derive(Debug, Clone, Args)]
pub struct LiftArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub whom: WhomArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub site: SiteArgs,
}

/// Whom a limit counts.
#[derive(Debug, Clone, Default, Args)]
#[command(group(clap::ArgGroup::new("named").required(true).multiple(true)
    .args(["ip", "header", "cookie", "route", "country", "digest"])))]
pub struct WhomArgs {
    /// The limit: the NAME of a `[limit.NAME]` with `ban`
    #[arg(long, value_name = "NAME")]
    pub limit: String,

    /// The address; of IPv6 its /64
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<IpAddr>,

    /// A header and its value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub header: Vec<String>,

    /// A cookie and its value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub cookie: Vec<String>,

    /// The path of a route; of several with one path, what `rimward route explain` says that limits call it
    #[arg(long, value_name = "PATH")]
    pub route: Option<String>,

    /// The country, by two letters
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,

    /// Instead of all these: the digest that `rimward limits list` says
    #[arg(long, value_name = "HEX", conflicts_with_all = ["ip", "header", "cookie", "route", "country"])]
    pub digest: Option<String>,
}

/// `rimward origin`.
#[derive(Debug, Clone, Args)]
pub struct OriginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: OriginCommand,
}

/// What to do with origins.
#[derive(Debug, Clone, Subcommand)]
pub enum OriginCommand {
    /// List every pool's origins: which are well, sick or drained, since when, and by whom
    List(SiteArgs),
    /// Send an origin no more requests
    Drain(DrainArgs),
    /// Send an origin requests again
    Undrain(UndrainArgs),
}

/// `rimward origin drain`.
#[derive(Debug, Clone, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub which: OriginName,

    /// Also where it is the last origin of its pool that is not drained
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub site: SiteArgs,
}

/// `rimward origin undrain`.
#[derive(Debug, Clone, Args)]
pub struct UndrainArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub which: OriginName,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub site: SiteArgs,
}

/// Which origin.
#[derive(Debug, Clone, Args)]
pub struct OriginName {
    /// The `name` of its `[[pool]]`
    #[arg(value_name = "POOL")]
    pub pool: String,

    /// Its `url`
    #[arg(value_name = "ORIGIN")]
    pub url: String,

    /// Return when every location knows
    #[arg(long)]
    pub wait: bool,
}

/// Which site, and how it is told.
#[derive(Debug, Clone, Args)]
pub struct SiteArgs {
    /// Print what came of it as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Where the site is reached: scheme, host and port [default: https:// and the first of `hosts` of `[site]`]
    #[arg(long, value_name = "URL")]
    pub to: Option<SiteUrl>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward route`.
#[derive(Debug, Clone, Args)]
pub struct RouteArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RouteCommand,
}

/// What to do with routes.
#[derive(Debug, Clone, Subcommand)]
pub enum RouteCommand {
    /// Tell which rule answers a request, why no earlier one does, and what an origin would be asked
    Explain(ExplainArgs),
}

/// `rimward route explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The URL; a path is of the first of `hosts` of `[site]`
    pub url: String,

    /// The method [default: GET; with --data: POST]
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub method: Option<String>,

    /// A header of the request, "name: value"; may be repeated
    #[arg(long, short = 'H', value_name = "HEADER")]
    pub header: Vec<String>,

    /// The body of the request, or a file that holds it: @PATH
    #[arg(long, short = 'd', value_name = "DATA")]
    pub data: Option<String>,

    /// Where the client is, by two letters [default: nobody knows]
    #[arg(long, value_name = "CODE")]
    pub country: Option<String>,

    /// Print it as JSON on standard output
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward become`.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Args)]
pub struct BecomeArgs {
    /// The process id of the parent
    #[arg(long)]
    pub parent: i32,

    /// What the program is sent when the parent is gone
    #[arg(long, value_enum)]
    pub farewell: Farewell,

    /// The program
    pub program: PathBuf,

    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// `rimward init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The project's folder, instead of this one
    #[arg(default_value = ".")]
    pub project: PathBuf,
}

/// `rimward check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Print what was found as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Print the JSON Schema of `rimward.toml`, for editors, and do nothing else
    #[arg(long)]
    pub schema: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward dev`.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// The port of localhost that wrangler listens on
    #[arg(long, short, default_value_t = 8787)]
    pub port: u16,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The port to listen on; 0 is any free one
    #[arg(long, short, default_value_t = 8787)]
    pub port: u16,

    /// The address to listen on; 0.0.0.0 or :: is every one of this machine
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// The folder for what runs, and for what outlives it: the control log, what is stored for all locations
    /// [default: .rimward/serve]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The `workerd` to run [default: that of `node_modules`, else of PATH]
    #[arg(long, value_name = "PATH", env = "RIMWARD_WORKERD")]
    pub workerd: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// `rimward warm`.
#[derive(Debug, Clone, Args)]
pub struct WarmArgs {
    /// Where the site is reached: scheme, host and port [default: https:// and the first of `hosts` of `[site]`]
    #[arg(long, value_name = "URL")]
    pub to: Option<SiteUrl>,

    /// A sitemap or an index of sitemaps, packed or not: a file, or a URL of the site; may be repeated
    #[arg(long, value_name = "FILE|URL")]
    pub sitemap: Vec<String>,

    /// A file with a URL or a path on each line; `-` is standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    pub list: Vec<PathBuf>,

    /// The release too, where sitemaps or lists are named
    #[arg(long)]
    pub release: bool,

    /// What to accept, a request each
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "br,gzip")]
    pub encodings: Vec<Encoding>,

    /// Requests at once
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,

    /// Requests that begin in a second, at most
    #[arg(long, value_name = "N", default_value_t = 50.0, value_parser = rate)]
    pub rate: f64,

    /// Seconds that an answer may take
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout: u32,

    /// Print the summary as JSON on standard output
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

fn rate(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("it is a number from 0.001 to 100000"),
    }
}

/// `rimward build`.
#[derive(Debug, Clone, Args)]
pub struct BuildArgs {
    /// The folder that the bundler wrote, instead of `[build] source`
    pub dist: Option<PathBuf>,

    /// Print the report as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Threads; 0 means one for each processor
    #[arg(long, short, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub jobs: u16,

    /// Fail on warnings too
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
}

/// Which project, and which of its environments: the same for all commands.
#[derive(Debug, Clone, Default, Args)]
pub struct ProjectArgs {
    /// The environment whose `[env.NAME]` overrides the settings
    #[arg(long, value_name = "NAME", env = "RIMWARD_ENV")]
    pub env: Option<String>,

    /// The settings file
    #[arg(long, value_name = "FILE", default_value = None)]
    pub config: Option<PathBuf>,
}

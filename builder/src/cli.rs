//! The command line, exactly as it is typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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

    /// The folder for what runs: the Worker, its configuration [default: .rimward/serve]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The `workerd` to run [default: that of `node_modules`, else of PATH]
    #[arg(long, value_name = "PATH", env = "RIMWARD_WORKERD")]
    pub workerd: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help of every flag in it")]
    pub project: ProjectArgs,
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
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    pub jobs: usize,

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

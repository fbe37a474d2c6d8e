//! The command line, exactly as it is typed.

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

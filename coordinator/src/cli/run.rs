//! The options of one invocation, whatever it mirrors: how it runs and what it says.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use mirror_runtime::settings::LogArgs;

use super::login::LoginArgs;

/// Options that a configuration file cannot give.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Run the mirrors of a file (TOML); options given beside it go before those of the file
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["channel", "rename", "report"],
        help_heading = "What to mirror"
    )]
    pub config: Option<PathBuf>,

    /// Of the file, only the mirrors with this name, channel or mirrored name, repeatable
    #[arg(
        long,
        value_name = "NAME",
        requires = "config",
        // Beside a channel clap does not ask for the file.
        conflicts_with = "channel",
        help_heading = "What to mirror"
    )]
    pub only: Vec<String>,

    #[command(flatten)]
    pub login: LoginArgs,

    /// Plan only: print what would be done, change nothing
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,

    /// Try failed files now, not only an hour after they failed
    #[arg(long, help_heading = "How")]
    pub retry_failed: bool,

    /// Address for /healthz, /readyz and /metrics while it runs, such as 0.0.0.0:9090 [default: none]
    #[arg(long, value_name = "ADDRESS", help_heading = "Output")]
    pub listen: Option<SocketAddr>,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// What an invocation says, and how.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print the plan of a dry run, or what a run came to, as JSON: an object a mirror, each on a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    #[command(flatten)]
    pub log: LogArgs,
}

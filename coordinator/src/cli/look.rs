//! The commands that look at mirrors and steer them.

use clap::Args;

use super::which::WhichArgs;

/// `conda-oci status`.
#[derive(Debug, Args)]
pub(crate) struct StatusCommand {
    #[command(flatten)]
    pub which: WhichArgs,

    /// Look again every two seconds until interrupted
    #[arg(short, long, help_heading = "Output")]
    pub watch: bool,

    /// Print JSON: an object a mirror, each on a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `conda-oci failures`, and what only takes a mirror.
#[derive(Debug, Args)]
pub(crate) struct PlainCommand {
    #[command(flatten)]
    pub which: WhichArgs,

    /// Print JSON: an object a mirror, each on a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `conda-oci retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryCommand {
    /// Files to try again, as `conda-oci failures` names them: FILE or SUBDIR/FILE
    #[arg(value_name = "FILE", required_unless_present = "all")]
    pub files: Vec<String>,

    /// Everything that failed
    #[arg(long, conflicts_with = "files")]
    pub all: bool,

    #[command(flatten)]
    pub which: WhichArgs,

    /// Print JSON: an object a mirror, each on a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

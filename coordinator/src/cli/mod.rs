//! The command line.

mod check;
mod config;
mod destination;
mod generate;
mod help;
mod merge;
mod mirror;
mod pick;
mod request;
mod run;
mod said;
mod shown;
mod units;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

pub(crate) use generate::{CompletionsArgs, ManArgs};
pub(crate) use mirror::MirrorCommand;
use shown::shown;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  What would be mirrored, without a registry:
    conda-oci mirror --channel conda-forge --package zlib --dry-run

  A channel folder into a folder of OCI image layouts:
    conda-oci mirror --channel ./my-channel --registry oci:./mirror

`conda-oci mirror --help` shows more.";

/// Mirrors conda channels into OCI registries.
#[derive(Debug, Parser)]
#[command(name = "conda-oci", version, styles = STYLES, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy a conda channel, or a part of it, into an OCI registry or a folder.
    Mirror(Box<MirrorCommand>),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print a manual page, or write them all.
    Man(ManArgs),
}

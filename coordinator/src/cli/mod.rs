//! The command line.

mod check;
mod config;
mod destination;
mod elsewhere;
mod folder_run;
mod generate;
mod help;
mod login;
mod look;
mod merge;
mod mirror;
mod pick;
mod pull;
mod push_cache;
mod request;
mod run;
mod said;
mod shown;
mod source;
mod state;
mod verify;
mod which;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

pub(crate) use generate::{CompletionsArgs, ManArgs};
pub(crate) use look::{PlainCommand, RetryCommand, StatusCommand};
pub(crate) use mirror::MirrorCommand;
pub(crate) use pull::PullCommand;
pub(crate) use push_cache::PushCacheCommand;
pub(crate) use run::OutputArgs;
use shown::shown;
pub(crate) use state::State;
pub(crate) use verify::{Depth, VerifyCommand};
pub(crate) use which::{Which, WhichArgs};

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
    #[command(override_usage = help::USAGE, after_help = help::MIRROR)]
    Mirror(Box<MirrorCommand>),
    /// Queue what a mirror has to do for workers elsewhere, and wait for none of it.
    #[command(after_help = help::ENQUEUE)]
    Enqueue(Box<MirrorCommand>),
    /// Publish the index of what is mirrored so far, and transfer nothing.
    #[command(after_help = help::PUBLISH)]
    Publish(Box<MirrorCommand>),
    /// Look whether a mirror holds what its index lists, and mend it.
    #[command(override_usage = verify::USAGE, after_help = verify::HELP, mut_arg("report", verify::report))]
    Verify(Box<VerifyCommand>),
    /// Push packages of a local folder and add them to the published index.
    #[command(after_help = help::PUSH_CACHE)]
    PushCache(Box<PushCacheCommand>),
    /// Copy packages from a mirror into a channel folder: of each name the newest, or what the options say.
    #[command(after_help = help::PULL_CACHE)]
    PullCache(Box<PullCommand>),
    /// Show how far a mirror is, who works on it, and what waits.
    #[command(after_help = help::STATUS)]
    Status(Box<StatusCommand>),
    /// List the files that failed, each with its cause.
    #[command(after_help = help::FAILURES)]
    Failures(Box<PlainCommand>),
    /// Put failed files back, so that the next run tries them.
    #[command(override_usage = help::RETRY_USAGE, after_help = help::RETRY)]
    Retry(Box<RetryCommand>),
    /// Keep the workers of a mirror from beginning anything new.
    #[command(after_help = help::PAUSE)]
    Pause(Box<PlainCommand>),
    /// Let the workers of a paused mirror go on.
    #[command(after_help = help::RESUME)]
    Resume(Box<PlainCommand>),
    /// End the run of a mirror: its coordinator stops, its workers drop what is queued.
    #[command(after_help = help::CANCEL)]
    Cancel(Box<PlainCommand>),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print a manual page, or write them all.
    Man(ManArgs),
}

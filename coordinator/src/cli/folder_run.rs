//! How `pull-cache` and `push-cache` transfer: what both of them can be told.

use std::path::PathBuf;

use clap::Args;
use mirror_runtime::settings::Hidden;
use mirror_runtime::settings::units::{Count, Size};

use super::mirror::MirrorArgs;
use super::run::OutputArgs;

/// Options of the commands with a channel folder at one end.
#[derive(Debug, Args)]
pub(crate) struct FolderRunArgs {
    /// Transfers at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "How")]
    workers: Option<Count>,

    /// Tries of a build in one run before it counts as failed [default: 8]
    #[arg(long, value_name = "N", help_heading = "How")]
    attempts: Option<Count>,

    /// Folder for files in transit [default: `spool` in the state folder]
    #[arg(long, value_name = "DIR", help_heading = "How")]
    spool: Option<PathBuf>,

    /// Most bytes of files in transit; must hold the largest package [default: 20GB]
    #[arg(long, value_name = "SIZE", help_heading = "How")]
    spool_size: Option<Size>,

    /// The broker that workers elsewhere take the transfers from.
    // Said in an attribute, as rustdoc takes brackets for links.
    #[arg(
        long,
        value_name = "URL",
        help = "Broker from which workers elsewhere (conda-oci-worker) take the transfers; needs a --state they share: amqp[s]://user:password@host[:port][/vhost]",
        help_heading = "With workers elsewhere"
    )]
    queue: Option<Hidden>,

    /// Name of the queue, which keeps runs on one broker apart [default: conda-oci]
    #[arg(long, value_name = "NAME", help_heading = "With workers elsewhere")]
    queue_name: Option<String>,

    /// The folders that are given here are seen by all workers under the same paths
    #[arg(long, help_heading = "With workers elsewhere")]
    shared_path: bool,

    /// Write a JSON report with the outcome of every file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    report: Option<PathBuf>,

    #[command(flatten)]
    pub output: OutputArgs,
}

impl FolderRunArgs {
    /// The same as options of a mirror, which is what both commands are underneath.
    pub(super) fn of_mirror(&self) -> MirrorArgs {
        MirrorArgs {
            workers: self.workers,
            attempts: self.attempts,
            spool: self.spool.clone(),
            spool_size: self.spool_size,
            queue: self.queue.clone(),
            queue_name: self.queue_name.clone(),
            shared_path: Some(self.shared_path),
            report: self.report.clone(),
            ..MirrorArgs::default()
        }
    }
}

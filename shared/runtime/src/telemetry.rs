//! The log: lines on standard error, warnings by default, everything of ours with `--debug`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How much the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings and errors.
    #[default]
    Normal,
    /// Every step and request of ours; libraries at `info`.
    Debug,
}

/// Starts the log. `RUST_LOG` overrides `verbosity`; `writer` is standard error or what keeps a
/// progress bar whole. A second call in one process changes nothing.
pub fn init<W>(verbosity: Verbosity, colours: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let default = match verbosity {
        Verbosity::Quiet => "error",
        Verbosity::Normal => "warn",
        Verbosity::Debug => {
            "info,conda_oci=debug,mirror_channel=debug,mirror_oci=debug,mirror_queue=debug,mirror_ledger=debug,mirror_worker=debug,mirror_runtime=debug"
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // An error here means that a subscriber is already set, as in tests.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_target(verbosity == Verbosity::Debug)
        .with_writer(writer)
        .try_init();
}

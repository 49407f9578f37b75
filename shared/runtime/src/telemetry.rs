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

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line an event, for people.
    #[default]
    Text,
    /// A JSON object an event, for log collectors: `timestamp`, `level`, `message` and the event's
    /// own fields side by side.
    Json,
}

/// The target of events that say how far the work is; shown in [`Format::Json`] unless quiet.
pub const PROGRESS: &str = "progress";

/// The target of events that say why a run ended badly: shown whatever the filter, as a run that fails must say why.
pub const ENDING: &str = "ending";

const ENDING_SHOWN: &str = "ending=error";

/// Starts the log. `RUST_LOG` overrides `verbosity`; `writer` is standard error or what keeps a
/// progress bar whole. A second call in one process changes nothing.
pub fn init<W>(verbosity: Verbosity, format: Format, colours: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let default = match (verbosity, format) {
        // The broker's client shouts about every lost connection and shows whole messages; what is to be said of that,
        // the queue says.
        (Verbosity::Quiet, _) => "error,lapin=off",
        (Verbosity::Normal, Format::Text) => "warn,lapin=off",
        (Verbosity::Normal, Format::Json) => "warn,lapin=off,progress=info",
        (Verbosity::Debug, _) => {
            "info,conda_oci=debug,mirror_channel=debug,mirror_oci=debug,mirror_queue=debug,mirror_ledger=debug,mirror_worker=debug,mirror_runtime=debug"
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let filter = filter.add_directive(ENDING_SHOWN.parse().expect("the directive is a constant"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // An error here means that a subscriber is already set, as in tests.
    let _ = match format {
        Format::Text => log
            .with_ansi(colours)
            .with_target(verbosity == Verbosity::Debug)
            .try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
}

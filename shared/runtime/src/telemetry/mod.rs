//! What a process tells about itself: the log, traces and metrics.
//!
//! The log goes to standard error: warnings by default, everything of ours with `--debug`. Traces and metrics leave the
//! process only where the standard `OTEL_*` variables say where to, or somebody scrapes `--listen`; otherwise they cost
//! nothing ([`Export`]). Lines of the log that belong to a trace carry its id.

mod export;
mod lines;
mod step;
mod trace_context;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

pub use export::{Export, ExportError, Service};
pub use step::{Step, step, traced};
pub use trace_context::TraceContext;

use lines::WithTrace;

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

/// The target of spans that are for traces. The log does not know them, so that it reads the same with and without.
pub const SPANS: &str = "spans";

const ENDING_SHOWN: &str = "ending=error";
const SPANS_UNKNOWN: &str = "spans=off";

/// Starts the log, and the traces if they are exported. `RUST_LOG` overrides `verbosity`; `writer` is standard error or
/// what keeps a progress bar whole. A second call in one process changes nothing.
pub fn init<W>(verbosity: Verbosity, format: Format, colours: bool, writer: W, export: &Export)
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
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    for constant in [ENDING_SHOWN, SPANS_UNKNOWN] {
        filter = filter.add_directive(constant.parse().expect("the directive is a constant"));
    }
    let log = match format {
        Format::Text => fmt::layer()
            .with_writer(writer)
            .event_format(WithTrace::text(verbosity == Verbosity::Debug))
            .with_ansi(colours)
            .with_filter(filter)
            .boxed(),
        Format::Json => fmt::layer()
            .with_writer(writer)
            .json()
            .event_format(WithTrace::json())
            .with_filter(filter)
            .boxed(),
    };
    let log = tracing_subscriber::registry().with(log);
    // An error here means that a subscriber is already set, as in tests.
    let _ = match export.spans() {
        Some(spans) => log.with(spans).try_init(),
        None => log.try_init(),
    };
}

//! A step of the work: a span of its trace, and how long it took among the metrics.

use std::fmt::Display;
use std::time::Instant;

use opentelemetry::trace::Status;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::metrics::metrics;

/// What a worker does for a file or a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Looks at what the tag has.
    Probe,
    /// Gets a file from the channel, verified.
    Download,
    /// Takes the metadata out of it.
    Extract,
    /// Pushes a blob, or finds that it is there.
    Blob,
    /// Names the blobs.
    Manifest,
    /// Keeps the outcomes in the ledger.
    Outcome,
}

impl Step {
    /// As a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Download => "download",
            Self::Extract => "extract",
            Self::Blob => "blob",
            Self::Manifest => "manifest",
            Self::Outcome => "outcome",
        }
    }
}

/// Does `work` within `span`, which says so if it fails.
///
/// # Errors
/// What `work` fails with.
pub async fn traced<T, E: Display>(
    span: Span,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let ended = work.instrument(span.clone()).await;
    if let Err(error) = &ended
        && !span.is_disabled()
    {
        span.set_status(Status::error(error.to_string()));
    }
    ended
}

/// Does `work` as a step within `span`, and notes how long it took.
///
/// # Errors
/// What `work` fails with.
pub async fn step<T, E: Display>(
    step: Step,
    span: Span,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let began = Instant::now();
    let ended = traced(span, work).await;
    metrics().step(step, began.elapsed(), ended.is_ok());
    ended
}

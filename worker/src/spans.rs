//! The spans of a task, children of the one that queued it. Names and attributes follow OpenTelemetry's conventions for
//! messaging and HTTP; what is conda's is under `conda.`.

use mirror_oci::package::Wanted;
use mirror_queue::{Delivery, Task};
use mirror_runtime::redact;
use mirror_runtime::telemetry::SPANS;
use tracing::Span;
use tracing::field::Empty;
use url::Url;

/// One delivery of a task, under the span that published it.
pub(crate) fn process(delivery: &Delivery, system: &str) -> Span {
    let task: &Task = &delivery.task;
    let span = tracing::info_span!(
        target: SPANS,
        parent: None,
        "process task",
        otel.kind = "consumer",
        messaging.system = system,
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        conda.channel = task.channel,
        conda.subdir = task.subdir,
        conda.build = task.stem(),
        conda.redelivered = delivery.redelivered,
        conda.attempt = Empty,
        conda.settled = Empty,
    );
    delivery.trace.continue_in(&span);
    span
}

/// A look at the manifest of a build.
pub(crate) fn probe(task: &Task) -> Span {
    tracing::info_span!(target: SPANS, "probe", conda.build = task.stem())
}

/// A file on its way from the channel.
pub(crate) fn download(url: &Url, wanted: &Wanted) -> Span {
    tracing::info_span!(
        target: SPANS,
        "download",
        otel.kind = "client",
        http.request.method = "GET",
        url.full = redact::url(url),
        server.address = url.host_str(),
        conda.file = wanted.file.as_str(),
        conda.size = wanted.size,
    )
}

/// Its metadata being taken out.
pub(crate) fn extract(wanted: &Wanted) -> Span {
    tracing::info_span!(target: SPANS, "extract", conda.file = wanted.file.as_str())
}

/// The outcomes of a task being kept.
pub(crate) fn outcome(files: usize) -> Span {
    tracing::info_span!(target: SPANS, "keep outcome", conda.files = files)
}

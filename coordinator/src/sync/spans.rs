//! The spans of a subdir's run, and how those of its builds hang on them.
//!
//! A run is one trace down to the last blob as long as somebody can look at it as one. The builds of a larger plan have a
//! trace each, with a link to the run's: millions of spans in one trace are of no use to anybody, and a sampler can keep
//! some of the builds.

use mirror_oci::layout::SubdirLayout;
use mirror_queue::Task;
use mirror_runtime::telemetry::{SPANS, TraceContext};
use tracing::Span;

/// Builds of a subdir that are shown as parts of one trace.
const IN_ONE_TRACE: usize = 1000;

/// One subdir's run.
pub(super) fn sync(channel: &str, subdir: &str, layout: &SubdirLayout) -> Span {
    tracing::info_span!(
        target: SPANS,
        "sync",
        conda.channel = channel,
        conda.subdir = subdir,
        oci.repository = layout.index_repository(),
    )
}

/// Its plan being made.
pub(super) fn plan(subdir: &str) -> Span {
    tracing::info_span!(target: SPANS, "plan", conda.subdir = subdir)
}

/// Its index being published.
pub(super) fn publish(subdir: &str) -> Span {
    tracing::info_span!(target: SPANS, "publish index", conda.subdir = subdir)
}

/// Where the traces of a plan's builds begin.
#[derive(Debug)]
pub(super) struct Traces {
    run: Span,
    apart: bool,
}

impl Traces {
    /// Those of a plan of so many builds, made in the span that is entered.
    pub(super) fn of(builds: usize) -> Self {
        Self {
            run: Span::current(),
            apart: builds > IN_ONE_TRACE,
        }
    }

    /// A task on its way to the queue; what a worker does for it is below this.
    pub(super) fn send(&self, task: &Task, system: &str) -> Span {
        let parent = if self.apart { None } else { self.run.id() };
        let span = tracing::info_span!(
            target: SPANS,
            parent: parent,
            "send task",
            otel.kind = "producer",
            messaging.system = system,
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            conda.channel = task.channel,
            conda.subdir = task.subdir,
            conda.build = task.stem(),
        );
        if self.apart {
            TraceContext::of(&self.run).link_from(&span);
        }
        span
    }
}

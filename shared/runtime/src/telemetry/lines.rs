//! A line of the log, with the trace and the span it belongs to.

use std::fmt;

use opentelemetry::trace::TraceContextExt as _;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A format of the subscriber's with `trace_id` and `span_id` added.
pub(super) struct WithTrace<F>(F);

impl WithTrace<Format<Full>> {
    pub(super) fn text(targets: bool) -> Self {
        Self(Format::default().with_target(targets))
    }
}

impl WithTrace<Format<Json>> {
    pub(super) fn json() -> Self {
        Self(Format::default().json().flatten_event(true))
    }
}

/// The ids of the span that is entered, if traces are exported and one is.
fn ids() -> Option<(String, String)> {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid()
            .then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    })
}

impl<S, N> FormatEvent<S, N> for WithTrace<Format<Full>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace, _)) = ids() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        let colours = writer.has_ansi_escapes();
        let within = Writer::new(&mut line);
        // The colours are the outer writer's; one of its own would have none.
        match colours {
            true => self
                .0
                .clone()
                .with_ansi(true)
                .format_event(context, within, event)?,
            false => self.0.format_event(context, within, event)?,
        }
        writeln!(writer, "{} trace_id={trace}", line.trim_end())
    }
}

impl<S> FormatEvent<S, JsonFields> for WithTrace<Format<Json>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace, span)) = ids() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(open) => {
                writeln!(
                    writer,
                    "{open},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}"
                )
            }
            None => writer.write_str(&line),
        }
    }
}

//! Which trace a message belongs to, in the two headers that W3C's Trace Context names.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Longer than any header a vendor writes: the specification asks for 512 characters to be passed on.
const LONGEST: usize = 2048;

/// The place of a message in a trace; empty where none is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceContext(HashMap<String, String>);

impl TraceContext {
    /// The names of the headers.
    pub const HEADERS: [&'static str; 2] = ["traceparent", "tracestate"];

    /// That of the span that is entered.
    #[must_use]
    pub fn current() -> Self {
        Self::of(&Span::current())
    }

    /// That of `span`.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        let context = span.context();
        let mut headers = HashMap::new();
        if context.span().span_context().is_valid() {
            TraceContextPropagator::new().inject_context(&context, &mut headers);
            headers.retain(|_, value| !value.is_empty());
        }
        Self(headers)
    }

    /// From the headers of a message; those it does not know are passed over.
    pub fn from_headers<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> Self {
        let known = headers.filter(|(name, value)| {
            Self::HEADERS.contains(name) && !value.is_empty() && value.len() <= LONGEST
        });
        Self(
            known
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The headers of a message.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Makes `span` a child of the one this came from. What is no trace changes nothing.
    pub fn continue_in(&self, span: &Span) {
        if self.0.is_empty() || span.is_disabled() {
            return;
        }
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &self.0);
        if parent.span().span_context().is_valid() {
            // It fails only for a span that has begun, and then stays where it is.
            let _ = span.set_parent(parent);
        }
    }

    /// Notes in `span` that it has to do with the one this came from, whose child it is not.
    pub fn link_from(&self, span: &Span) {
        if self.0.is_empty() || span.is_disabled() {
            return;
        }
        let other = TraceContextPropagator::new().extract_with_context(&Context::new(), &self.0);
        span.add_link(other.span().span_context().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_the_two_headers_are_taken_and_only_if_they_are_short() {
        let long = "x".repeat(LONGEST + 1);
        let headers = [
            ("traceparent", PARENT),
            ("tracestate", long.as_str()),
            ("authorization", "secret"),
        ];
        let context = TraceContext::from_headers(headers.into_iter());
        let kept: Vec<_> = context.headers().collect();
        assert_eq!(kept, [("traceparent", PARENT)]);
    }

    #[test]
    fn without_a_trace_there_is_nothing_to_send() {
        assert_eq!(TraceContext::current(), TraceContext::default());
    }
}

//! The place of a message in its trace, in the message's headers.

use lapin::types::{AMQPValue, FieldTable};
use mirror_runtime::telemetry::TraceContext;

/// The headers of a message.
pub(super) fn of(trace: &TraceContext) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in trace.headers() {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    headers
}

/// What a message's headers say; nothing where they say nothing, as of messages from before there were any.
pub(super) fn trace(headers: &Option<FieldTable>) -> TraceContext {
    let Some(headers) = headers else {
        return TraceContext::default();
    };
    let texts = headers.inner().iter().filter_map(|(name, value)| {
        let value = match value {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?,
            AMQPValue::ShortString(text) => text.as_str(),
            _ => return None,
        };
        Some((name.as_str(), value))
    });
    TraceContext::from_headers(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_trace_travels_in_the_headers() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = TraceContext::from_headers([("traceparent", parent)].into_iter());
        let headers = of(&trace);
        assert_eq!(headers.inner().len(), 1);
        assert_eq!(super::trace(&Some(headers)), trace);
        assert_eq!(super::trace(&None), TraceContext::default());
    }
}

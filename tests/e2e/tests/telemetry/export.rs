//! What goes to a collector beside spans, what the log has of traces, and collectors that are not there.

use std::collections::BTreeSet;

use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::collector::Collector;

use crate::{ENDPOINT, free_port};

#[tokio::test]
async fn lines_of_the_log_that_belong_to_a_trace_name_it() {
    let collector = Collector::start().await.unwrap();
    let stage = Stage::registry(standard).await;
    let run = stage.run().env(ENDPOINT, collector.url());
    let ended = run.args(["--debug", "--log-format", "json"]).run().await;
    let log = ended.assert_code(0).stderr.clone();
    let spans = collector.spans();
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    let with: Vec<_> = lines
        .iter()
        .filter_map(|line| line.get("trace_id").map(|trace| (trace, &line["span_id"])))
        .collect();
    assert!(!with.is_empty(), "{log}");
    for (trace, span) in with {
        assert_eq!(trace.as_str(), Some(spans[0].trace.as_str()));
        assert!(ids.contains(span.as_str().unwrap()), "{span}");
    }
}

#[tokio::test]
async fn without_the_variables_no_line_has_an_id() {
    let stage = Stage::registry(standard).await;
    let ended = stage.run().arg("--debug").run().await;
    let log = &ended.assert_code(0).stderr;
    assert!(!log.contains("trace_id"), "{log}");
}

#[tokio::test]
async fn a_collector_that_is_away_keeps_nothing_from_being_done() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let stage = Stage::registry(standard).await;
    let run = stage.run().env(ENDPOINT, nobody);
    run.run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn what_cannot_be_exported_as_asked_is_said_before_anything_is_done() {
    let stage = Stage::registry(standard).await;
    let run = stage.run().env(ENDPOINT, "http://127.0.0.1:9");
    let ended = run.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").run().await;
    let said = &ended.assert_code(2).stderr;
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc") && said.contains("http/protobuf"),
        "{said}"
    );
    assert!(stage.written().is_empty());
}

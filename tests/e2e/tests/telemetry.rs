//! What processes tell of themselves: traces and metrics at a collector, metrics at `--listen`, ids of traces in the log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use mirror_e2e::cluster::Cluster;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::collector::{Collector, Span};
use mirror_kit::process::{Run, Running};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// # Panics
/// If the spans are not one trace whose parents are all there, with one root of this name.
fn assert_one_tree(spans: &[Span], root: &str) {
    let traces: BTreeSet<&str> = spans.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(traces.len(), 1, "{spans:#?}");
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "each span came once");
    let roots: Vec<&str> = spans
        .iter()
        .filter(|span| span.parent.is_empty())
        .map(|span| span.name.as_str())
        .collect();
    assert_eq!(roots, [root]);
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        assert!(
            by_id.contains_key(span.parent.as_str()),
            "orphan: {span:#?}"
        );
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The names from a span up to the root.
fn way_up<'s>(spans: &'s [Span], span: &'s Span) -> Vec<&'s str> {
    let mut way = vec![span.name.as_str()];
    let mut at = span;
    while let Some(parent) = spans.iter().find(|one| one.id == at.parent) {
        way.push(&parent.name);
        at = parent;
    }
    way
}

/// # Panics
/// If a build's steps do not hang below what queued it.
fn assert_steps(spans: &[Span], system: &str) {
    let tasks = named(spans, "process task");
    assert!(!tasks.is_empty());
    for task in tasks {
        assert_eq!(task.attributes["messaging.system"], system);
        assert_eq!(way_up(spans, task)[1..], ["send task", "sync", "mirror"]);
    }
    for step in ["download", "extract", "keep outcome"] {
        let steps = named(spans, step);
        assert!(!steps.is_empty(), "{step}");
        for one in steps {
            assert_eq!(way_up(spans, one)[1], "process task", "{step}");
        }
    }
    for step in ["push blob", "put manifest"] {
        let of_tasks = named(spans, step);
        let is_of_a_task = |one: &&Span| way_up(spans, one)[1] == "process task";
        assert!(of_tasks.into_iter().any(|one| is_of_a_task(&one)), "{step}");
    }
    let to_publish = ["push blob", "put manifest"];
    for step in to_publish {
        let published = named(spans, step);
        let mut published = published
            .iter()
            .filter(|one| way_up(spans, one)[1..] == ["publish index", "sync", "mirror"]);
        assert!(published.next().is_some(), "{step}");
    }
    // The way of one build ends with the PUT of its manifest.
    let put = named(spans, "PUT").into_iter().find(|put| {
        way_up(spans, put)
            == [
                "PUT",
                "put manifest",
                "process task",
                "send task",
                "sync",
                "mirror",
            ]
    });
    let put = put.expect("a manifest was put");
    assert_eq!(put.attributes["http.response.status_code"], "201");
    assert!(!put.failed);
}

#[tokio::test]
async fn coordinator_and_worker_make_one_tree_of_spans_over_the_broker() {
    let collector = Collector::start().await.unwrap();
    let cluster = Cluster::new(standard).await;
    let worker = cluster.worker().env(ENDPOINT, collector.url()).spawn();
    let coordinator = cluster.mirror().env(ENDPOINT, collector.url());
    coordinator.run().await.assert_code(0);
    worker.term();
    worker.wait().await.assert_code(0);

    let spans = collector.spans();
    assert_one_tree(&spans, "mirror");
    assert_steps(&spans, "rabbitmq");
    for span in &spans {
        let by_worker = way_up(&spans, span).contains(&"process task");
        let service = match by_worker {
            true => "conda-oci-worker",
            false => "conda-oci",
        };
        assert_eq!(span.service, service, "{}", span.name);
    }
    let metrics = collector.metrics();
    for name in [
        "conda_oci.files",
        "conda_oci.step.duration",
        "conda_oci.ledger.duration",
        "conda_oci.publication.timestamp",
        "http.client.request.duration",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics:?}");
    }
    cluster.assert_complete().await;
}

#[tokio::test]
async fn one_process_makes_one_tree_of_spans_as_well() {
    let collector = Collector::start().await.unwrap();
    let stage = Stage::registry(standard).await;
    let run = stage.run().env(ENDPOINT, collector.url());
    run.run().await.assert_code(0);
    let spans = collector.spans();
    assert_one_tree(&spans, "mirror");
    assert_steps(&spans, "memory");
}

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

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What a process answers at `path`, once it answers.
async fn answer(port: u16, path: &str, running: &Running) -> (u16, String) {
    let began = Instant::now();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10));
    let client = client.build().unwrap();
    let url = format!("http://127.0.0.1:{port}{path}");
    loop {
        match client.get(&url).send().await {
            Ok(answer) => return (answer.status().as_u16(), answer.text().await.unwrap()),
            Err(error) => assert!(
                began.elapsed() < Duration::from_secs(60),
                "{error}; {}",
                running.stderr()
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn listening(run: Run, port: u16) -> Run {
    run.arg("--listen").arg(format!("127.0.0.1:{port}"))
}

#[tokio::test]
async fn coordinator_and_worker_are_scraped_at_listen() {
    let cluster = Cluster::new(standard).await;
    let (at, of_worker) = (free_port(), free_port());
    let coordinator = listening(cluster.mirror(), at).pause_at("before-latest");
    let mut coordinator = coordinator.spawn();
    let worker = listening(cluster.worker(), of_worker).spawn();
    assert_eq!(answer(at, "/healthz", &coordinator).await.0, 200);
    assert_eq!(answer(at, "/readyz", &coordinator).await.0, 200);

    // All is transferred, and the first publication waits to move `latest`.
    coordinator.paused("before-latest").await;
    let (_, shown) = answer(of_worker, "/metrics", &worker).await;
    let line = "conda_oci_files_total{outcome=\"done\",subdir=\"linux-64\"}";
    assert!(shown.contains(line), "{shown}");
    assert!(shown.contains("conda_oci_worker_ready 1"), "{shown}");
    let (_, shown) = answer(at, "/metrics", &coordinator).await;
    let held = format!(
        "conda_oci_lease_held{{channel=\"{}\",subdir=\"linux-64\"}} 1",
        cluster.stage.channel.name
    );
    assert!(shown.contains(&held), "{shown}");
    coordinator.kill9();
    coordinator.wait().await.assert_killed();
    worker.term();
    worker.wait().await.assert_code(0);
}

//! One trace from the plan to the PUT of a manifest, whoever transfers; of a large plan one for each build.

use std::collections::{BTreeMap, BTreeSet};

use mirror_e2e::cluster::Cluster;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{bulk, standard};
use mirror_kit::collector::{Collector, Span};

use crate::ENDPOINT;

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
    let metrics = collector.metrics();
    assert!(metrics.contains("conda_oci.queue.depth"), "{metrics:?}");
}

/// One more than are shown as parts of one trace (`coordinator/src/sync/spans.rs`).
const MANY: usize = 1001;

#[tokio::test]
async fn builds_of_a_large_plan_have_a_trace_each_with_a_link_to_the_runs() {
    let collector = Collector::start().await.unwrap();
    let stage = Stage::folder(|dir| bulk(dir, MANY, 100)).await;
    let run = stage.run().env(ENDPOINT, collector.url());
    // Room for all, else the exporter drops what it cannot send at once.
    let run = run.env("OTEL_BSP_MAX_QUEUE_SIZE", "100000");
    run.run().await.assert_code(0);

    let spans = collector.spans();
    let run = named(&spans, "mirror")[0];
    let sent = named(&spans, "send task");
    assert_eq!(sent.len(), MANY);
    let traces: BTreeSet<&str> = sent.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(traces.len(), MANY, "each has its own");
    assert!(!traces.contains(run.trace.as_str()));
    for span in sent {
        assert_eq!(span.parent, "");
        assert_eq!(span.links, [run.trace.as_str()]);
    }
    let tasks = named(&spans, "process task");
    assert_eq!(tasks.len(), MANY);
    for task in tasks {
        assert_eq!(way_up(&spans, task)[1..], ["send task"]);
        assert!(traces.contains(task.trace.as_str()));
    }
}

//! A real Prometheus scrapes a coordinator and a worker: each question of the dashboard has an answer, each alert can be
//! reckoned.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mirror_e2e::cluster::Cluster;
use mirror_kit::channel::standard;
use mirror_kit::fake_registry::{Fault, Kind, When};
use mirror_kit::servers::Prometheus;
use serde_json::Value;

use crate::free_port;
use crate::scraped::listening;

/// How long it may take until everything was scraped often enough for a rate.
const PATIENCE: Duration = Duration::from_secs(60);

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

/// What the dashboard asks, with what Grafana would put in for the interval.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(deploy("grafana/dashboards/conda-oci.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|expression| expression.replace("$__rate_interval", "1m"))
        .collect()
}

#[tokio::test]
async fn prometheus_has_an_answer_to_each_question_of_the_dashboard() {
    let cluster = Cluster::new(standard).await;
    // So that a host asks for patience, which is not an everyday thing.
    let once = When::kind(Kind::ManifestPut).nth(1);
    cluster
        .stage
        .fake()
        .fault(once, Fault::too_many_requests(1));
    let (at, of_worker) = (free_port(), free_port());
    // One subdir is published, and the run goes on.
    let coordinator = listening(cluster.mirror(), at).pause_at_nth("before-latest", 2);
    let mut coordinator = coordinator.spawn();
    let worker = listening(cluster.worker(), of_worker).spawn();
    let targets = [at, of_worker].map(|port| ([127, 0, 0, 1], port).into());
    let rules = deploy("prometheus/alerts.yml");
    let prometheus = Prometheus::launch(&targets, &rules).await.unwrap();
    coordinator.paused("before-latest").await;

    let began = Instant::now();
    let mut unanswered = dashboard();
    assert!(unanswered.len() > 10);
    loop {
        let mut left = Vec::new();
        for expression in unanswered {
            if prometheus.query(&expression).await.unwrap().is_empty() {
                left.push(expression);
            }
        }
        if left.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "no answer to {left:#?}");
        unanswered = left;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let up = prometheus.query("up == 1").await.unwrap();
    assert_eq!(up.len(), targets.len(), "{up:?}");
    let alerts = prometheus.alerts().await.unwrap();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert_eq!(alert["health"], "ok", "{alert:#}");
    }
    coordinator.kill9();
    coordinator.wait().await.assert_killed();
    worker.term();
    worker.wait().await.assert_code(0);
}

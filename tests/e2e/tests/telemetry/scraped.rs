//! Metrics and health at `--listen`.

use std::time::{Duration, Instant};

use mirror_e2e::cluster::Cluster;
use mirror_kit::channel::standard;
use mirror_kit::process::{Run, Running};

use crate::free_port;

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

pub(crate) fn listening(run: Run, port: u16) -> Run {
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

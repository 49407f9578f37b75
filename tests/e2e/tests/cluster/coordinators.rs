//! `kill -9` of the coordinator wherever it hurts, while workers go on. Started again it waits until the lease of the
//! dead one is over, and takes the run up.

use futures::FutureExt as _;
use mirror_e2e::cluster::Cluster;
use mirror_e2e::finished::Finished;
use mirror_kit::channel::standard;
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::process::Running;

use crate::support::{LONG, completes, side_by_side};

/// One more run, beside the worker of the killed one.
async fn taken_up(cluster: &Cluster, worker: Running) {
    let mut finished = Finished::default();
    finished.note(&cluster.stage);
    let again = cluster.mirror().deadline(LONG).spawn();
    completes(cluster, again, worker, &finished).await;
}

async fn killed_at(point: &str, nth: u32) {
    let cluster = Cluster::new(standard).await;
    let worker = cluster.worker().deadline(LONG).spawn();
    let killed = cluster.mirror().kill_at_nth(point, nth).run().await;
    killed.assert_killed();
    taken_up(&cluster, worker).await;
}

#[tokio::test]
async fn killed_while_planning_or_queueing_and_started_again_it_completes() {
    let points = [
        ("while-planning", 1),
        ("while-queueing", 1),
        ("while-queueing", 6),
    ];
    let scenarios = points.map(|(point, nth)| {
        let scenario = killed_at(point, nth).boxed_local();
        (format!("{point}@{nth}"), scenario)
    });
    side_by_side(scenarios.into()).await;
}

#[tokio::test]
async fn killed_around_a_publication_and_started_again_it_completes() {
    let points = [
        ("between-shards", 1),
        ("between-index-blobs", 1),
        ("before-latest", 1),
        ("before-latest", 2),
        ("after-latest", 1),
    ];
    let scenarios = points.map(|(point, nth)| {
        let scenario = killed_at(point, nth).boxed_local();
        (format!("{point}@{nth}"), scenario)
    });
    side_by_side(scenarios.into()).await;
}

#[tokio::test]
async fn killed_while_it_follows_its_workers_go_on_and_the_next_run_completes() {
    let cluster = Cluster::new(standard).await;
    let manifests = When::kind(Kind::ManifestPut).from_nth(4);
    let hold = cluster.stage.fake().hold(manifests);
    let worker = cluster.worker().deadline(LONG).spawn();
    let coordinator = cluster.mirror().spawn();
    hold.held().await;
    coordinator.kill9();
    coordinator.wait().await.assert_killed();
    cluster.stage.fake().clear_faults();
    hold.release();
    taken_up(&cluster, worker).await;
    let downloads = cluster.stage.downloads();
    let once = downloads.values().all(|count| *count == 1);
    assert!(once, "no worker died: {downloads:?}");
}

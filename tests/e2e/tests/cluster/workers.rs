//! `kill -9` of a worker wherever it hurts: what it had is done by another one, or by the same started again, and
//! nothing that was finished is downloaded again. At random moments: `random.rs`.

use futures::FutureExt as _;
use mirror_e2e::cluster::Cluster;
use mirror_e2e::finished::Finished;
use mirror_kit::channel::standard;
use mirror_kit::fake_registry::{Kind, When};

use crate::support::{LONG, completes, side_by_side};

/// In the middle of a download, around the uploads, around the manifest, before the acknowledgement.
const POINTS: [(&str, u32); 8] = [
    ("mid-download", 1),
    ("mid-download", 9),
    ("before-upload", 4),
    ("before-manifest", 3),
    ("after-manifest", 1),
    ("after-manifest", 4),
    ("before-ack", 1),
    ("before-ack", 9),
];

/// The worker kills itself at the point; then the same is started again.
async fn started_again(point: &str, nth: u32) {
    let cluster = Cluster::new(standard).await;
    let doomed = cluster.worker().kill_at_nth(point, nth).spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    doomed.wait().await.assert_killed();
    let mut finished = Finished::default();
    finished.note(&cluster.stage);
    if point == "after-manifest" {
        assert!(!cluster.stage.held(&cluster.stage.view()).is_empty());
    }
    let again = cluster.worker().deadline(LONG).spawn();
    completes(&cluster, coordinator, again, &finished).await;
}

/// The worker is killed while a task of it stands at the point, and another one is there.
async fn beside_another(point: &str, nth: u32) {
    let cluster = Cluster::new(standard).await;
    let mut doomed = cluster.worker().pause_at_nth(point, nth).spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    doomed.paused(point).await;
    let other = cluster.worker().deadline(LONG).spawn();
    doomed.kill9();
    doomed.wait().await.assert_killed();
    let mut finished = Finished::default();
    finished.note(&cluster.stage);
    completes(&cluster, coordinator, other, &finished).await;
}

#[tokio::test]
async fn killed_anywhere_and_started_again_a_worker_completes_the_run() {
    let scenarios = POINTS.map(|(point, nth)| {
        let scenario = started_again(point, nth).boxed_local();
        (format!("{point}@{nth}"), scenario)
    });
    side_by_side(scenarios.into()).await;
}

#[tokio::test]
async fn killed_anywhere_beside_another_its_tasks_are_done_by_that_one() {
    let scenarios = POINTS.map(|(point, nth)| {
        let scenario = beside_another(point, nth).boxed_local();
        (format!("{point}@{nth}"), scenario)
    });
    side_by_side(scenarios.into()).await;
}

/// The registry holds a request of the worker when that is killed.
async fn in_the_middle_of(nth: u64, answer: bool) {
    let cluster = Cluster::new(standard).await;
    let registry = cluster.stage.fake();
    let hold = match answer {
        // Of the first PUT of a package's manifest: it is stored, and nobody knows.
        true => registry.hold_answer(When::kind(Kind::ManifestPut).nth(nth)),
        false => registry.hold_in_body(When::kind(Kind::UploadPut).from_nth(nth), 1),
    };
    let doomed = cluster.worker().spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    hold.held().await;
    doomed.kill9();
    doomed.wait().await.assert_killed();
    registry.clear_faults();
    drop(hold);
    let mut finished = Finished::default();
    finished.note(&cluster.stage);
    let again = cluster.worker().deadline(LONG).spawn();
    completes(&cluster, coordinator, again, &finished).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_put_its_task_is_done_by_the_next() {
    let scenarios = [(2, false), (20, false), (1, true), (5, true)].map(|(nth, answer)| {
        let scenario = in_the_middle_of(nth, answer).boxed_local();
        (format!("PUT {nth}, stored: {answer}"), scenario)
    });
    side_by_side(scenarios.into()).await;
}

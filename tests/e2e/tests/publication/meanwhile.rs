//! What is held is published while a fill goes on, whatever came of the run before and of the last publication.

use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Fault, Hold, Kind, When};
use mirror_kit::process::Running;

use crate::support::{files, index_repository, indexed, latest, named};

/// A stage whose first run was killed when it had one file and had not published it.
async fn with_one_unpublished() -> Stage {
    let stage = Stage::registry(named(&["held", "slow"])).await;
    let run = stage.run().args(["-p", "held"]).kill_at("before-latest");
    run.run().await.assert_killed();
    assert_eq!(latest(&stage), None);
    stage
}

/// A run that publishes every second and whose only package does not get on.
fn stuck(stage: &Stage) -> (Running, Hold) {
    let upload = When::kind(Kind::UploadPut).repository_ending("/slow");
    let hold = stage.fake().hold(upload);
    let run = stage.run().args(["--publish-every", "1s"]);
    (run.spawn(), hold)
}

fn publication(stage: &Stage, nth: u64) -> When {
    let put = When::kind(Kind::ManifestPut).repository(index_repository(stage));
    put.reference("latest").nth(nth)
}

#[tokio::test]
async fn what_an_earlier_run_did_not_publish_waits_for_no_other_file() {
    let stage = with_one_unpublished().await;
    let published = stage.fake().hold_answer(publication(&stage, 1));
    let (running, hold) = stuck(&stage);
    published.held().await;
    assert_eq!(indexed(&stage), files(["held"]));
    published.release();
    hold.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_publication_that_failed_is_made_again_though_no_other_file_came() {
    let stage = with_one_unpublished().await;
    stage
        .fake()
        .fault(publication(&stage, 1), Fault::status(400));
    let published = stage.fake().hold_answer(publication(&stage, 2));
    let (running, hold) = stuck(&stage);
    published.held().await;
    assert_eq!(indexed(&stage), files(["held"]));
    published.release();
    hold.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
}

//! `latest` changes while a run is under way.

use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Hold, Kind, When};
use mirror_kit::process::{Home, Running};

use crate::predecessor::{put_index, put_index_of};
use crate::support::{files, indexed, latest, named};

const NAMES: [&str; 3] = ["here", "shared", "there"];

/// A run that is held in the upload of its only package.
async fn under_way(stage: &Stage, home: &Home, package: &str) -> (Running, Hold) {
    let upload = When::kind(Kind::UploadPut)
        .repository_ending(format!("/{package}"))
        .nth(1);
    let hold = stage.fake().hold(upload);
    let running = stage.run_in(home).args(["-p", package]).spawn();
    hold.held().await;
    (running, hold)
}

#[tokio::test]
async fn replaced_by_another_program_nothing_is_published() {
    let stage = Stage::registry(named(&NAMES)).await;
    for before in [false, true] {
        if before {
            stage
                .run()
                .args(["-p", "shared"])
                .run()
                .await
                .assert_code(0);
        }
        let package = if before { "there" } else { "here" };
        let (running, hold) = under_way(&stage, &stage.home, package).await;
        let foreign = put_index_of(
            &stage,
            format!("{{\"packages\": {{}}, \"x\": {before}}}").as_bytes(),
        );
        hold.release();
        let finished = running.wait().await;
        finished.assert_code(2);
        for part in [
            "replaced by another program",
            "nothing was published",
            "linux-64/repodata.json:latest",
        ] {
            assert!(
                finished.stderr.contains(part),
                "no {part:?}: {}",
                finished.to_text()
            );
        }
        assert_eq!(latest(&stage), Some(foreign));

        // The next run looks at what it lists, and replaces it.
        stage.run().args(["-p", package]).run().await.assert_code(0);
        assert!(indexed(&stage).is_superset(&files([package])));
        stage.assert_indexes_exact();
    }
}

#[tokio::test]
async fn a_file_pushed_before_the_refusal_is_not_downloaded_again() {
    let stage = Stage::registry(named(&NAMES)).await;
    let (running, hold) = under_way(&stage, &stage.home, "here").await;
    put_index(&stage);
    hold.release();
    running.wait().await.assert_code(2);
    stage.run().args(["-p", "here"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["here"]));
    assert_eq!(stage.downloads().into_values().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn replaced_by_another_run_of_ours_both_are_merged() {
    for before in [false, true] {
        let stage = Stage::registry(named(&NAMES)).await;
        let mut expected = files(["here", "there"]);
        if before {
            stage
                .run()
                .args(["-p", "shared"])
                .run()
                .await
                .assert_code(0);
            expected.extend(files(["shared"]));
        }
        let (running, hold) = under_way(&stage, &stage.home, "here").await;
        // Another machine: another ledger, so no lease keeps it out.
        stage
            .run_in(&Home::new())
            .args(["-p", "there"])
            .run()
            .await
            .assert_code(0);
        let theirs = latest(&stage);
        hold.release();
        running.wait().await.assert_code(0);
        assert_ne!(latest(&stage), theirs);
        assert_eq!(indexed(&stage), expected, "published before: {before}");
        stage.assert_indexes_exact();
        stage.assert_publications_passed();

        // What was merged is known now: nothing is left to do.
        stage.fake().log().clear();
        stage.run().args(["-p", "here"]).run().await.assert_code(0);
        assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    }
}

#[tokio::test]
async fn a_run_in_the_same_home_is_named_and_kept_out() {
    let stage = Stage::registry(named(&NAMES)).await;
    let (running, hold) = under_way(&stage, &stage.home, "here").await;
    let finished = stage.run().args(["-p", "there"]).run().await;
    finished.assert_code(2);
    let id = running.id().unwrap().to_string();
    assert!(
        finished.stderr.contains(&id),
        "no {id}: {}",
        finished.to_text()
    );
    hold.release();
    running.wait().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["here"]));
}

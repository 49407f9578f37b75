//! A `latest` that others move again and again while a run wants to move it. Moved once, it is in `publication::races`.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Hold, Kind, When};

/// What a run asks of its index's repository each time before it looks at `latest` for the last time: one look for each
/// of the three blobs.
const LOOKS: u64 = 3;

/// Puts the publication that is there once more, as another run of ours might: with a note that makes it another one.
fn move_latest(stage: &Stage, note: &str) -> String {
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    let view = stage.view();
    let mut manifest = view.manifest_json(&repository, "latest").unwrap();
    manifest["annotations"]["note"] = note.into();
    view.put_manifest(&repository, "latest", &manifest);
    view.manifest(&repository, "latest").unwrap().digest
}

/// Holds the run before it looks at `latest` for the last time; `time` counts from 0.
fn held_look(stage: &Stage, time: u64) -> Hold {
    let when = When::kind(Kind::BlobHead).repository_ending("/linux-64/repodata.json");
    stage.fake().hold(when.nth(1 + time * LOOKS))
}

#[tokio::test]
async fn a_latest_that_never_stands_still_is_left_alone_and_the_next_run_publishes() {
    let stage = Stage::registry(|dir| bulk(dir, 4, 3_000)).await;
    let first = stage.run().args(["--package", "bulk-00000"]);
    first.run().await.assert_code(0);
    let holds = [0, 1, 2].map(|time| held_look(&stage, time));
    let running = stage.run().spawn();
    let mut moved = String::new();
    for (time, hold) in holds.iter().enumerate() {
        hold.held().await;
        moved = move_latest(&stage, &format!("moved {time}"));
        hold.release();
    }
    let finished = running.wait().await;
    finished.assert_code(2);
    let parts = [
        "linux-64/repodata.json:latest",
        "3 times",
        "nothing was published",
    ];
    let mut lines = finished.stderr.lines();
    let said = lines.any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {parts:?}: {}", finished.to_text());
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    let latest = stage.view().manifest(&repository, "latest").unwrap();
    assert_eq!(latest.digest, moved, "somebody else's work is kept");
    stage.assert_indexes_exact();
    let downloads = stage.downloads();

    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    assert_eq!(stage.downloads(), downloads, "what was pushed is held");
}

#[tokio::test]
async fn a_latest_that_moves_twice_is_merged_twice_and_published() {
    let stage = Stage::registry(|dir| bulk(dir, 4, 3_000)).await;
    let first = stage.run().args(["--package", "bulk-00000"]);
    first.run().await.assert_code(0);
    let holds = [0, 1].map(|time| held_look(&stage, time));
    let running = stage.run().spawn();
    for (time, hold) in holds.iter().enumerate() {
        hold.held().await;
        move_latest(&stage, &format!("moved {time}"));
        hold.release();
    }
    running.wait().await.assert_code(0);
    stage.assert_complete();
}

//! `kill -9` wherever it hurts. One more run then completes: every file with every byte, the indexes exact at every
//! publication and after every kill, and nothing that was finished is downloaded again.
//! At random moments: `crash_random.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use mirror_e2e::finished::Finished;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing, standard};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::package::{Fill, Format, PackageSpec};

/// Brings a stage whose run was just killed to its end.
async fn recovers(stage: &Stage) {
    let mut finished = Finished::default();
    finished.note(stage);
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    finished.assert_not_downloaded_since(stage);
    assert_eq!(stage.spooled(), [] as [PathBuf; 0]);
}

/// Kills a first fill when `point` is reached for the nth time.
async fn killed_first_fill(stage: &Stage, point: &str, nth: u32) {
    let crashed = stage.run().kill_at_nth(point, nth).run().await;
    crashed.assert_killed();
    recovers(stage).await;
}

/// Kills first fills, and then an update of a complete mirror.
async fn survives(stages: impl AsyncFn() -> Stage, point: &str, nths: &[u32]) {
    let (last, before) = nths.split_last().unwrap();
    for nth in before {
        killed_first_fill(&stages().await, point, *nth).await;
    }
    let mut stage = stages().await;
    killed_first_fill(&stage, point, *last).await;

    change(&mut stage.channel);
    let crashed = stage.run().kill_at(point).run().await;
    crashed.assert_killed();
    recovers(&stage).await;

    let (downloads, written) = (stage.downloads(), stage.written());
    stage.run().run().await.assert_code(0);
    assert_eq!(stage.downloads(), downloads, "a run with nothing to do");
    assert_eq!(stage.written(), written, "a run with nothing to do");
}

/// The same with both destinations.
async fn survives_everywhere(point: &str, nths: &[u32]) {
    survives(async || Stage::registry(standard).await, point, nths).await;
    survives(async || Stage::folder(standard).await, point, nths).await;
}

/// What upstreams do: a package more, one less, one with other bytes under its old name.
fn change(channel: &mut Channel) {
    let spec = PackageSpec::new("fresh", "1.0", "h0_0").payload(5_000, Fill::Random);
    channel.add(spec, Listing::indexed()).unwrap();
    channel.remove("odd-1.0-0.conda").unwrap();
    channel.replace("zlib-1.3.1-h0_1.conda").unwrap();
}

#[tokio::test]
async fn killed_while_planning_the_next_run_completes() {
    survives_everywhere("while-planning", &[1, 2]).await;
}

#[tokio::test]
async fn killed_while_queueing_the_next_run_completes() {
    survives_everywhere("while-queueing", &[1, 6]).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_download_the_next_run_completes() {
    survives_everywhere("mid-download", &[1, 9]).await;
}

#[tokio::test]
async fn killed_before_an_upload_the_next_run_completes() {
    survives_everywhere("before-upload", &[7]).await;
}

#[tokio::test]
async fn killed_between_blobs_and_manifest_the_next_run_completes() {
    survives_everywhere("after-upload", &[8]).await;
    survives_everywhere("before-manifest", &[5]).await;
}

#[tokio::test]
async fn killed_after_the_manifest_before_the_outcome_the_file_is_not_downloaded_again() {
    for stage in [
        Stage::registry(standard).await,
        Stage::folder(standard).await,
    ] {
        let crashed = stage.run().kill_at_nth("after-manifest", 3).run().await;
        crashed.assert_killed();
        let held = stage.held(&stage.view());
        assert!(!held.is_empty(), "a manifest was put before the kill");
        recovers(&stage).await;
        for file in held {
            assert_eq!(stage.downloads_of(&file), 1, "{file}");
        }
    }
    survives_everywhere("after-manifest", &[1]).await;
}

#[tokio::test]
async fn killed_after_the_outcome_before_the_acknowledgement_the_next_run_completes() {
    survives_everywhere("before-ack", &[1, 9]).await;
}

#[tokio::test]
async fn killed_between_shards_and_index_the_next_run_completes() {
    survives_everywhere("between-shards", &[1]).await;
}

#[tokio::test]
async fn killed_between_index_blobs_and_latest_the_next_run_completes() {
    survives_everywhere("between-index-blobs", &[1, 4]).await;
    survives_everywhere("before-latest", &[1]).await;
}

#[tokio::test]
async fn killed_after_latest_before_the_ledger_knows_the_next_run_completes() {
    survives_everywhere("after-latest", &[1, 2]).await;
}

#[tokio::test]
async fn killed_after_latest_its_publication_is_recognised_and_no_file_looked_for() {
    let stage = Stage::registry(standard).await;
    // The second time: the indexes of both subdirs are there.
    let crashed = stage.run().kill_at_nth("after-latest", 2).run().await;
    crashed.assert_killed();
    stage.fake().log().clear();
    recovers(&stage).await;
    let packages = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        !repository.contains("/repodata.json")
    });
    assert!(packages.is_empty(), "{}", stage.log());
}

#[tokio::test]
async fn killed_while_a_folder_gets_a_blob_or_an_index_the_next_run_completes() {
    for (point, nths) in [
        ("folder-blob-before-rename", [1, 20]),
        ("folder-index-before-rename", [1, 7]),
        ("folder-index-after-rename", [1, 7]),
    ] {
        survives(async || Stage::folder(standard).await, point, &nths).await;
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_uploads_the_next_run_completes() {
    for first in [1, 30] {
        let stage = Stage::registry(standard).await;
        let uploads = When::kind(Kind::UploadPut).from_nth(first);
        let hold = stage.fake().hold_in_body(uploads, 1);
        let running = stage.run().spawn();
        hold.held().await;
        running.kill9();
        running.wait().await.assert_killed();
        stage.fake().clear_faults();
        recovers(&stage).await;
    }
}

/// A stage with one package that is large enough to be sent while it comes. Its first download never ends.
async fn overlapping(format: Format) -> Stage {
    let stage = Stage::registry(|folder| {
        let package = PackageSpec::new("large", "1.0", "0").format(format);
        ChannelBuilder::new(folder)
            .package(package.payload(10 << 20, Fill::Random))
            .build()
    })
    .await;
    let file = &stage.channel.files[0];
    let after = file.size - 1;
    let stall = Fault::Stall { after };
    stage.source.fault(&file.file_name, stall, Times::First(1));
    stage
}

#[tokio::test]
async fn killed_while_a_file_is_sent_that_has_not_all_come_the_next_run_completes() {
    for format in [Format::Conda, Format::TarBz2] {
        // Pieces of 128 KiB: the first, and one of the last that may be sent before the file is verified.
        for nth in [1, 75] {
            let stage = overlapping(format).await;
            let crashed = stage.run().kill_at_nth("mid-early-upload", nth).run().await;
            crashed.assert_killed();
            let repository = format!("{}/large", stage.subdir("linux-64"));
            let posts = stage.fake().log().count_in(&repository, Kind::UploadPost);
            assert_eq!(posts, 1, "its upload had begun\n{}", stage.log());
            assert!(stage.held(&stage.view()).is_empty());
            recovers(&stage).await;
            let file = &stage.channel.files[0].file_name;
            assert_eq!(stage.downloads_of(file), 2, "what came was not whole");

            let written = stage.written();
            stage.run().run().await.assert_code(0);
            assert_eq!(stage.written(), written, "a run with nothing to do");
            assert_eq!(stage.downloads_of(file), 2, "a run with nothing to do");
        }
    }
}

#[tokio::test]
async fn killed_when_latest_is_stored_and_not_yet_answered_the_next_run_completes() {
    let stage = Stage::registry(standard).await;
    let latest = When::kind(Kind::ManifestPut).reference("latest");
    let latest = latest.repository_ending("linux-64/repodata.json");
    let hold = stage.fake().hold_answer(latest);
    let running = stage.run().spawn();
    hold.held().await;
    running.kill9();
    running.wait().await.assert_killed();
    stage.fake().clear_faults();
    recovers(&stage).await;
}

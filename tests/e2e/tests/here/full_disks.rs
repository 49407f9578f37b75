//! Disks that get full: of files in transit, of the ledger, of the destination, of the report.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, bulk};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::Disks;

use crate::support::{InFolder, assert_says, folder_in, shown};

const FULL: &str = "No space left on device";

/// Two packages that are spooled and two that fit into memory.
fn large_and_small(dir: PathBuf) -> anyhow::Result<Channel> {
    let package =
        |name: &str, bytes| PackageSpec::new(name, "1.0", "h0_0").payload(bytes, Fill::Random);
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(package("large", 2_000_000))
        .package(package("larger", 3_000_000))
        .package(package("small", 3_000))
        .package(package("smaller", 2_000))
        .build()
}

#[tokio::test]
async fn a_full_spool_fails_what_needs_it_and_the_next_run_brings_that() {
    let stage = Stage::registry(large_and_small).await;
    let disks = Disks::new();
    let spool = folder_in(&stage.home, "spool");
    disks.small(&spool, 16 << 20);
    disks.fill(&spool, 400 << 10);
    let report = Report::in_home(&stage.home);
    let run = || {
        let run = stage.run().arg("--spool").arg(&spool).on(&disks);
        run.arg("--report").arg(report.path())
    };
    let finished = run().run().await;
    finished.assert_code(1);
    let file = "large-1.0-h0_0.conda";
    assert_says(
        &finished,
        &[file, &shown(&spool), FULL, "make room", "--spool"],
    );
    for (file, outcome) in [
        ("large-1.0-h0_0.conda", "failed"),
        ("larger-1.0-h0_0.conda", "failed"),
        ("small-1.0-h0_0.conda", "done"),
        ("smaller-1.0-h0_0.conda", "done"),
    ] {
        assert_eq!(report.entry(file)["outcome"], outcome, "{file}");
    }
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    let small = ["small-1.0-h0_0.conda", "smaller-1.0-h0_0.conda"];
    assert_eq!(listed, BTreeSet::from(small.map(str::to_owned)));
    stage.assert_publications_passed();

    // Nobody has to ask for it: what this machine stood in the way of is due at once.
    disks.free(&spool);
    run().run().await.assert_code(0);
    stage.assert_complete();
    for file in small {
        assert_eq!(stage.downloads_of(file), 1, "{file}");
    }
}

#[tokio::test]
async fn a_spool_without_room_for_the_index_is_exit_2_and_publishes_nothing() {
    let stage = Stage::registry(|dir| bulk(dir, 200, 3_000)).await;
    let disks = Disks::new();
    let spool = folder_in(&stage.home, "spool");
    disks.small(&spool, 4 << 20);
    disks.fill(&spool, 8 << 10);
    let run = || stage.run().arg("--spool").arg(&spool).on(&disks);
    let finished = run().run().await;
    finished.assert_code(2);
    assert_says(&finished, &[&shown(&spool), FULL]);
    assert_eq!(stage.view().index(&stage.subdir("linux-64")), None);
    disks.free(&spool);
    run().run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_ledger_whose_disk_gets_full_stops_the_run_and_opens_again_when_there_is_room() {
    let stage = Stage::registry(|dir| bulk(dir, 400, 3_000)).await;
    let disks = Disks::new();
    let state = folder_in(&stage.home, "ledgers");
    let spool = folder_in(&stage.home, "spool");
    disks.small(&state, 32 << 20);
    let run = || {
        let run = stage.run().arg("--state").arg(&state);
        run.arg("--spool").arg(&spool).on(&disks)
    };
    let upload = When::kind(Kind::UploadPut)
        .repository_ending("/bulk-00000")
        .nth(1);
    let hold = stage.fake().hold(upload);
    let running = run().spawn();
    hold.held().await;
    disks.fill(&state, 0);
    hold.release();
    let finished = running.wait().await;
    finished.assert_code(2);
    let advice = [
        "error: cannot ",
        ".redb",
        &shown(&state),
        FULL,
        "make room",
        "--state",
    ];
    assert_says(&finished, &advice);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();

    // As full as it was left: it is not said to be damaged, and nothing is lost with it.
    let finished = run().run().await;
    finished.assert_code(2);
    assert_says(&finished, &["ledger", &shown(&state), FULL, "make room"]);
    disks.free(&state);
    run().run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_ledger_that_cannot_be_made_for_want_of_room_is_said_before_anything_is_asked() {
    let stage = Stage::registry(|dir| bulk(dir, 3, 3_000)).await;
    let disks = Disks::new();
    let state = folder_in(&stage.home, "ledgers");
    disks.small(&state, 4 << 20);
    disks.fill(&state, 0);
    let run = || stage.run().arg("--state").arg(&state).on(&disks);
    let finished = run().run().await;
    finished.assert_code(2);
    assert_says(
        &finished,
        &["ledger", &shown(&state), FULL, "make room", "--state"],
    );
    assert_eq!(stage.fake().log().total(), 0, "{}", stage.log());
    assert!(stage.downloads().is_empty());
    disks.free(&state);
    run().run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_destination_that_gets_full_keeps_an_exact_index_and_is_filled_later() {
    let here = InFolder::of(12, 400_000);
    let mirror = here.mirror();
    here.disks.small(&mirror, 64 << 20);
    let first = here.run().args(["--package", "bulk-00000"]);
    first.run().await.assert_code(0);
    assert_eq!(here.assert_exact(), Some(1));

    // One at a time, so that the room is used up by whole files: what is left is too little for one more, and enough
    // for the index. Fewer builds fail than it takes to stop a run.
    here.disks.fill(&mirror, 2 << 20);
    let finished = here.run().args(["--workers", "1"]).run().await;
    finished.assert_code(1);
    assert_says(
        &finished,
        &["cannot write", &shown(&mirror), FULL, "make room"],
    );
    assert_eq!(here.assert_exact(), Some(1 + 4), "of 400 kB in 2 MiB");

    here.disks.free(&mirror);
    here.assert_completes(here.run()).await;
}

#[tokio::test]
async fn a_report_without_room_is_exit_2_and_leaves_the_earlier_report_whole() {
    let here = InFolder::of(150, 3_000);
    let folder = folder_in(&here.home, "reports");
    here.disks.small(&folder, 1 << 20);
    let report = folder.join("report.json");
    let run = || here.run().arg("--report").arg(&report);
    let one = run().args(["--package", "bulk-00000"]);
    one.run().await.assert_code(0);
    let earlier = std::fs::read(here.disks.seen(&report)).unwrap();

    here.disks.fill(&folder, 8 << 10);
    let finished = run().run().await;
    finished.assert_code(2);
    let advice = ["report", &shown(&report), FULL, "make room", "--report"];
    assert_says(&finished, &advice);
    assert!(
        finished.stderr.contains("\nerror: "),
        "{}",
        finished.to_text()
    );
    assert_eq!(std::fs::read(here.disks.seen(&report)).unwrap(), earlier);
    assert_eq!(
        here.assert_exact(),
        Some(150),
        "the mirror goes on without its report"
    );

    here.disks.free(&folder);
    here.assert_completes(run()).await;
    let later = std::fs::read(here.disks.seen(&report)).unwrap();
    let later: serde_json::Value = serde_json::from_slice(&later).unwrap();
    assert!(later["summary"].is_object(), "{later:#}");
}

#[tokio::test]
async fn a_destination_without_any_room_stops_the_run_and_does_not_download_the_whole_channel() {
    let here = InFolder::of(150, 3_000);
    let source = FakeChannel::start(&here.channel.dir).await.unwrap();
    let mirror_folder = here.mirror();
    here.disks.small(&mirror_folder, 64 << 20);
    here.disks.fill(&mirror_folder, 64 << 10);
    let to = format!("oci:{}", mirror_folder.display());
    let run = mirror(&here.home, source.url(), to).on(&here.disks);
    let finished = run.args(["--as", "many", "--workers", "4"]).run().await;
    finished.assert_code(2);
    let advice = [
        "error: ",
        "builds all failed",
        "on this machine",
        &shown(&mirror_folder),
        FULL,
    ];
    assert_says(&finished, &advice);
    let downloads = source.count(|request| request.path.ends_with(".conda"));
    assert!(downloads < 60, "{downloads} downloads for nothing");
    here.assert_exact();
    here.disks.free(&mirror_folder);
    here.assert_completes(here.run()).await;
}

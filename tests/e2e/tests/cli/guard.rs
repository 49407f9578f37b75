//! `--max-files` and `--max-bytes`: a plan over them is printed and nothing of it is done.

use std::path::PathBuf;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing};
use mirror_kit::fake_channel::{Fault, Request, Times};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Finished;

use crate::plan_table::row;
use crate::support::{downloads, four_packages, indexed};

/// The plan was printed, the message names the option, and nothing was done.
fn assert_stopped(stage: &Stage, finished: &Finished, files: u64, option: &str) {
    finished.assert_code(2);
    for part in [option, "nothing of it was downloaded"] {
        let said = finished.stderr.contains(part);
        assert!(said, "no {part}: {}", finished.to_text());
    }
    assert_eq!(
        row(finished, "total").files,
        files,
        "{}",
        finished.to_text()
    );
    assert_eq!(downloads(&stage.source), 0);
    assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    assert_eq!(stage.fake().repositories(), Vec::<String>::new());
}

fn bytes(stage: &Stage) -> u64 {
    stage.channel.files.iter().map(|file| file.size).sum()
}

#[tokio::test]
async fn a_plan_over_the_limit_is_printed_and_not_begun() {
    for option in ["--max-files", "--max-bytes"] {
        let stage = Stage::registry(four_packages).await;
        let limit = match option {
            "--max-files" => 3,
            _ => bytes(&stage) - 1,
        };
        let finished = stage.run().args([option, &limit.to_string()]).run().await;
        assert_stopped(&stage, &finished, 4, option);
    }
}

#[tokio::test]
async fn a_plan_of_just_the_limit_is_carried_out() {
    for option in ["--max-files", "--max-bytes"] {
        let stage = Stage::registry(four_packages).await;
        let limit = match option {
            "--max-files" => 4,
            _ => bytes(&stage),
        };
        let finished = stage.run().args([option, &limit.to_string()]).run().await;
        finished.assert_code(0);
        stage.assert_complete();
    }
}

#[tokio::test]
async fn of_two_limits_each_holds() {
    let stage = Stage::registry(four_packages).await;
    let both = stage
        .run()
        .args(["--max-files", "4", "--max-bytes", "1kB"])
        .run()
        .await;
    assert_stopped(&stage, &both, 4, "--max-bytes 1.0 kB");
    let both = stage
        .run()
        .args(["--max-files", "3", "--max-bytes", "1GB"])
        .run()
        .await;
    assert_stopped(&stage, &both, 4, "--max-files 3");
}

/// Two files in linux-64, two in noarch.
fn two_and_two(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    ChannelBuilder::new(dir)
        .package(package("a"))
        .package(package("b"))
        .package(package("c").noarch())
        .package(package("d").noarch())
        .build()
}

#[tokio::test]
async fn the_limit_is_on_the_sum_of_all_subdirs_before_any_is_begun() {
    let stage = Stage::registry(two_and_two).await;
    let finished = stage.run().args(["--max-files", "3"]).run().await;
    assert_stopped(&stage, &finished, 4, "--max-files 3");
    assert_eq!(row(&finished, "linux-64").files, 2);
    assert_eq!(row(&finished, "noarch").files, 2);
}

#[tokio::test]
async fn only_what_is_still_to_be_brought_counts() {
    let stage = Stage::registry(four_packages).await;
    stage.run().args(["-p", "zlib"]).run().await.assert_code(0);
    let more = |limit: &'static str| stage.run().args(["--max-files", limit]);
    let finished = more("1").run().await;
    finished.assert_code(2);
    assert_eq!(row(&finished, "total").files, 2, "{}", finished.to_text());
    assert_eq!(indexed(&stage).len(), 2);
    more("2").run().await.assert_code(0);
    stage.assert_complete();
    // Nothing is left, so no limit is too small.
    more("0").args(["-p", "?*"]).run().await.assert_code(0);
}

#[tokio::test]
async fn a_dry_run_over_the_limit_ends_with_2_as_well() {
    let stage = Stage::registry(four_packages).await;
    let dry = |limit: &'static str| stage.run().args(["--dry-run", "--max-files", limit]);
    assert_stopped(&stage, &dry("3").run().await, 4, "--max-files 3");
    let within = dry("4").run().await;
    within.assert_code(0);
    assert_eq!(within.stderr, "", "{}", within.to_text());
}

#[tokio::test]
async fn the_report_says_why_nothing_was_done() {
    let stage = Stage::registry(four_packages).await;
    let report = Report::in_home(&stage.home);
    let run = stage.run().args(["--max-files", "3"]);
    run.arg("--report")
        .arg(report.path())
        .run()
        .await
        .assert_code(2);
    let summary = report.read()["summary"].clone();
    assert!(summary["error"].as_str().unwrap().contains("--max-files 3"));
    assert_eq!(summary["dry_run"], true);
    assert_eq!(summary["totals"]["planned_files"], 4);
}

#[tokio::test]
async fn over_the_limit_nothing_is_written_to_a_registry_that_was_emptied_either() {
    let stage = Stage::registry(four_packages).await;
    stage.run().run().await.assert_code(0);
    stage.empty_destination();
    stage.source.forget_requests();
    stage.fake().log().clear();
    let finished = stage.run().args(["--max-files", "3"]).run().await;
    assert_stopped(&stage, &finished, 4, "--max-files 3");
}

#[tokio::test]
async fn a_subdir_that_cannot_be_planned_is_said_once_and_the_others_are_mirrored() {
    let stage = Stage::registry(two_and_two).await;
    let finished = stage
        .run()
        .args(["-s", "win-64", "--max-files", "4"])
        .run()
        .await;
    finished.assert_code(2);
    let said = finished.stderr.matches("does not serve subdir `win-64`");
    assert_eq!(said.count(), 1, "{}", finished.to_text());
    stage.assert_complete();
}

#[tokio::test]
async fn a_subdir_that_cannot_be_measured_is_not_carried_out_and_the_others_are() {
    let stage = Stage::registry(four_packages).await;
    let denied = Fault::status(403);
    let once = Times::First(1);
    stage
        .source
        .fault("win-64/repodata.json.zst", denied.clone(), once);
    stage.source.fault("win-64/repodata.json", denied, once);
    let run = stage.run().args(["-s", "win-64", "--max-files", "100"]);
    let finished = run.run().await;
    finished.assert_code(2);
    let said = |line: &&str| line.contains("win-64");
    let lines = finished.stderr.lines().filter(said).count();
    assert_eq!(lines, 1, "{}", finished.to_text());
    let asked = |request: &Request| request.path.starts_with("/channel/win-64/repodata.json");
    assert_eq!(stage.source.count(asked), 2, "once in each form");
    assert_eq!(indexed(&stage).len(), 4);
}

#[tokio::test]
async fn bytes_that_nobody_states_are_not_let_through() {
    let unstated = |dir: PathBuf| {
        let listing = Listing::indexed().field("size", "null");
        ChannelBuilder::new(dir)
            .subdir("noarch")
            .package_as(PackageSpec::new("zlib", "1.0", "0"), listing)
            .build()
    };
    let stage = Stage::registry(unstated).await;
    let finished = stage.run().args(["--max-bytes", "1GB"]).run().await;
    finished.assert_code(2);
    for part in ["size of 1 of", "--max-bytes"] {
        assert!(finished.stderr.contains(part), "{}", finished.to_text());
    }
    assert_eq!(downloads(&stage.source), 0);
    stage
        .run()
        .args(["--max-files", "1"])
        .run()
        .await
        .assert_code(0);
}

//! Runs that are stopped, runs that meet, and a fill so long that it publishes on the way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder, bulk};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Hold, Kind, When};
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::Running;
use serde_json::Value;

fn thirty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk(dir, 30, 4_000)
}

/// Runs to the end what an earlier run began; what that one finished is not downloaded again.
async fn goes_on(stage: &Stage, downloads: &BTreeMap<String, usize>) {
    let held = stage.held(&stage.view());
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    for file in &held {
        assert_eq!(stage.downloads_of(file), downloads[file], "{file}");
    }
}

/// A run of four workers, each with a package's manifest that the registry keeps waiting.
async fn at_work(stage: &Stage) -> (Running, Hold) {
    at_work_with(stage, &[]).await
}

async fn at_work_with(stage: &Stage, arguments: &[&str]) -> (Running, Hold) {
    let registry = format!("{}/{NAMESPACE}", stage.fake().url());
    let noarch = mirror(&stage.home, stage.source.url(), registry).args(["--subdir", "noarch"]);
    noarch.run().await.assert_code(0);
    let manifests = When::kind(Kind::ManifestPut).from_nth(6);
    let hold = stage.fake().hold(manifests);
    let running = stage.run().args(["--workers", "4"]).args(arguments).spawn();
    hold.held_count(4).await;
    (running, hold)
}

fn files_with(report: &Value, outcome: &str) -> impl Iterator<Item = String> {
    let entries = report["files"].as_array().unwrap().iter();
    entries
        .filter(move |entry| entry["outcome"] == outcome)
        .map(|entry| entry["file"].as_str().unwrap().to_owned())
}

async fn heard(running: &mut Running) {
    running
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
}

#[tokio::test]
async fn interrupted_a_run_finishes_what_it_transfers_and_the_next_one_goes_on() {
    let stage = Stage::registry(thirty).await;
    let report = Report::in_home(&stage.home);
    let path = report.path().display().to_string();
    let (mut running, hold) = at_work_with(&stage, &["--report", &path]).await;
    running.interrupt();
    heard(&mut running).await;
    hold.release();
    let stopped = running.wait().await;
    stopped.assert_code(130);
    assert!(
        stopped.stdout.contains("stopped in"),
        "{}",
        stopped.to_text()
    );
    let held = stage.held(&stage.view());
    assert_eq!(held.len(), 9, "five before, and the four that waited");
    let done: BTreeSet<String> = files_with(&report.read(), "done").collect();
    assert_eq!(done, held, "the report says what was done");
    let summary = report.read()["summary"]["totals"].clone();
    assert_eq!(
        (&summary["done"], &summary["planned_files"]),
        (&9.into(), &30.into())
    );
    assert!(stopped.stdout.contains("21 left"), "{}", stopped.to_text());
    stage.fake().clear_faults();
    goes_on(&stage, &stage.downloads()).await;
}

#[tokio::test]
async fn terminated_a_run_gives_back_what_does_not_end_and_the_next_one_goes_on() {
    let stage = Stage::registry(thirty).await;
    let (running, hold) = at_work(&stage).await;
    running.term();
    let stopped = running.wait().await;
    stopped.assert_code(143);
    assert!(
        stopped.stdout.contains("stopped in"),
        "{}",
        stopped.to_text()
    );
    stage.fake().clear_faults();
    drop(hold);
    goes_on(&stage, &stage.downloads()).await;
}

#[tokio::test]
async fn a_second_signal_ends_the_run_at_once_and_the_next_one_goes_on() {
    let stage = Stage::registry(thirty).await;
    let uploads = When::kind(Kind::UploadPut).from_nth(30);
    let hold = stage.fake().hold_in_body(uploads, 1);
    let mut running = stage.run().spawn();
    hold.held().await;
    running.interrupt();
    heard(&mut running).await;
    running.interrupt();
    let stopped = running.wait().await;
    stopped.assert_code(130);
    assert!(
        !stopped.stdout.contains("stopped in"),
        "it ended before a clean stop did"
    );
    stage.fake().clear_faults();
    drop(hold);
    goes_on(&stage, &stage.downloads()).await;
}

#[tokio::test]
async fn interrupted_while_it_publishes_a_run_ends_and_the_next_one_goes_on() {
    let stage = Stage::registry(thirty).await;
    let latest = When::kind(Kind::ManifestPut).reference("latest");
    let hold = stage
        .fake()
        .hold(latest.repository_ending("linux-64/repodata.json"));
    let running = stage.run().spawn();
    hold.held().await;
    running.interrupt();
    running.wait().await.assert_code(130);
    stage.fake().clear_faults();
    drop(hold);
    goes_on(&stage, &stage.downloads()).await;
}

fn one_large(dir: PathBuf) -> anyhow::Result<Channel> {
    let large = PackageSpec::new("large", "1.0", "h0_0").payload(700_000, Fill::Random);
    ChannelBuilder::new(dir).package(large).build()
}

#[tokio::test]
async fn a_second_run_beside_a_living_one_changes_nothing_and_names_it() {
    let stage = Stage::registry(one_large).await;
    let mut first = stage.run().pause_at("before-upload").spawn();
    first.paused("before-upload").await;
    let id = first.id().unwrap();
    // The first one may still be at work on noarch.
    let transit = || {
        let mut files = stage.spooled();
        files.retain(|file| {
            file.parent()
                .is_some_and(|folder| folder.ends_with("files"))
        });
        files
    };
    let asked = || {
        stage
            .fake()
            .log()
            .select(|entry| entry.path.contains("/linux-64/"))
            .len()
    };
    let before = (transit(), asked());
    assert_eq!(before.0.len(), 1, "a large file waits in the spool");

    let second = stage.run().run().await;
    second.assert_code(2);
    let named = second.stderr.contains(&format!("process {id}"));
    assert!(named, "{id}: {}", second.to_text());
    assert_eq!((transit(), asked()), before);

    first.kill9();
    first.wait().await.assert_killed();
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}

/// A fill that waits for five files, and what it has published so far: how many files each time.
async fn long_fill(stage: &Stage) -> Running {
    let published = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&published);
    let index = format!("{}/repodata.json", stage.subdir("linux-64"));
    let subdir = stage.subdir("linux-64");
    stage.fake().on_manifest_put(move |view, repository, _| {
        if repository == index {
            seen.lock().unwrap().push(view.index_files(&subdir).len());
        }
    });
    for number in 10..15 {
        let file = format!("bulk-{number:05}-1.0-h0_0.conda");
        stage
            .source
            .fault(&file, Fault::Stall { after: 1_000 }, Times::First(1));
    }
    let mut running = stage.run().args(["--publish-every", "1s"]).spawn();
    running
        .until("to publish all but five files", |_, _| {
            published.lock().unwrap().contains(&25)
        })
        .await;
    running
}

#[tokio::test]
async fn a_long_fill_publishes_what_it_holds_and_each_publication_is_exact() {
    let stage = Stage::registry(thirty).await;
    let running = long_fill(&stage).await;
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(listed, stage.held(&stage.view()));
    stage.source.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
    assert!(stage.downloads().values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_long_refill_of_an_emptied_registry_publishes_only_what_is_there_again() {
    let stage = Stage::registry(thirty).await;
    stage.run().run().await.assert_code(0);
    stage.empty_destination();
    let running = long_fill(&stage).await;
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(listed, stage.held(&stage.view()));
    stage.source.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn killed_after_a_publication_on_the_way_the_next_run_completes() {
    let stage = Stage::registry(thirty).await;
    let running = long_fill(&stage).await;
    running.kill9();
    running.wait().await.assert_killed();
    stage.assert_indexes_exact();
    stage.source.heal();
    stage.source.release();
    goes_on(&stage, &stage.downloads()).await;
}

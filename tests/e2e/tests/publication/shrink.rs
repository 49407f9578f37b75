//! A broken channel must not empty a mirror.

use std::fs;
use std::path::PathBuf;

use mirror_e2e::stage::Stage;
use mirror_kit::process::Finished;

use crate::support::{indexed, latest, many};

/// Writes this as the plain index of linux-64, and takes the other form away.
fn replace_index(stage: &Stage, text: &str) {
    let folder = stage.channel.dir.join("linux-64");
    let _ = fs::remove_file(folder.join("repodata.json.zst"));
    fs::write(folder.join("repodata.json"), text).unwrap();
}

/// Serves an index of the first `kept` packages, as one that lost records would be.
fn shorten(stage: &mut Stage, kept: usize) {
    let names: Vec<String> = stage
        .channel
        .files
        .iter()
        .map(|f| f.file_name.clone())
        .collect();
    for name in &names[kept..] {
        stage.channel.remove(name).unwrap();
    }
}

fn assert_refused(finished: &Finished, from: usize, to: usize) {
    finished.assert_code(2);
    let says = format!("{to} records instead of {from}");
    for part in [says.as_str(), "nothing was published", "--allow-shrink"] {
        assert!(
            finished.stderr.contains(part),
            "no {part:?}: {}",
            finished.to_text()
        );
    }
    assert!(
        finished.stdout.contains("NOT published"),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn an_index_that_lost_many_records_is_refused_until_the_user_allows_it() {
    let mut stage = Stage::registry(many(40)).await;
    stage.run().run().await.assert_code(0);
    let before = latest(&stage);
    shorten(&mut stage, 19);

    for _ in 0..2 {
        assert_refused(&stage.run().run().await, 40, 19);
        assert_eq!(latest(&stage), before, "the old index stays");
    }
    stage.run().arg("--allow-shrink").run().await.assert_code(0);
    assert_eq!(indexed(&stage).len(), 19);
    stage.assert_complete();
}

#[tokio::test]
async fn what_the_user_excludes_may_go_and_the_guard_stands_for_the_rest() {
    let mut stage = Stage::registry(many(60)).await;
    stage.run().run().await.assert_code(0);
    let excluding = |stage: &Stage| {
        let half = ["p00*", "p01*", "p02*"].map(|names| format!("--exclude={names}"));
        stage.run().args(half)
    };
    excluding(&stage).run().await.assert_code(0);
    assert_eq!(indexed(&stage).len(), 30);
    let before = latest(&stage);
    shorten(&mut stage, 35);
    assert_refused(&excluding(&stage).run().await, 30, 5);
    assert_eq!(latest(&stage), before, "the old index stays");
}

#[tokio::test]
async fn what_was_excluded_before_excuses_no_later_loss() {
    let mut stage = Stage::registry(many(60)).await;
    stage.run().run().await.assert_code(0);
    let excluding = |stage: &Stage| {
        let half = ["p00*", "p01*", "p02*"].map(|names| format!("--exclude={names}"));
        stage.run().args(half)
    };
    excluding(&stage).run().await.assert_code(0);
    shorten(&mut stage, 35);
    // Another selection, another exclusion: neither makes up for what went by itself.
    for more in [["--latest", "9"], ["--exclude", "p031"]] {
        let finished = excluding(&stage).args(more).run().await;
        finished.assert_code(2);
        assert_eq!(indexed(&stage).len(), 30, "{}", finished.to_text());
    }
}

#[tokio::test]
async fn an_exclusion_that_came_while_the_channel_was_broken_is_published_once_it_is_well() {
    let mut stage = Stage::registry(many(60)).await;
    stage.run().run().await.assert_code(0);
    let whole = fs::read(stage.channel.dir.join("linux-64/repodata.json.zst")).unwrap();
    let excluding = |stage: &Stage| stage.run().args(["--exclude", "p00*", "--exclude", "p01*"]);
    shorten(&mut stage, 25);
    excluding(&stage).run().await.assert_code(2);
    fs::write(stage.channel.dir.join("linux-64/repodata.json.zst"), whole).unwrap();
    excluding(&stage).run().await.assert_code(0);
    assert_eq!(indexed(&stage).len(), 40);
}

#[tokio::test]
async fn an_empty_object_in_place_of_the_index_is_refused() {
    let stage = Stage::registry(many(3)).await;
    stage.run().run().await.assert_code(0);
    let before = latest(&stage);
    for text in ["{}", r#"{"packages": {}, "packages.conda": {}}"#] {
        replace_index(&stage, text);
        assert_refused(&stage.run().run().await, 3, 0);
        assert_eq!(latest(&stage), before, "{text}");
    }
    stage.run().arg("--allow-shrink").run().await.assert_code(0);
    assert_eq!(indexed(&stage).len(), 0);
}

#[tokio::test]
async fn a_refused_index_keeps_no_other_subdir_from_being_published() {
    let mut stage = Stage::registry(many(3)).await;
    stage.run().run().await.assert_code(0);
    let package = mirror_kit::package::PackageSpec::new("new", "1.0", "0").noarch();
    stage
        .channel
        .add(package, mirror_kit::channel::Listing::indexed())
        .unwrap();
    replace_index(&stage, "{}");
    assert_refused(&stage.run().run().await, 3, 0);
    assert_eq!(stage.view().index_files(&stage.subdir("noarch")).len(), 1);
}

#[tokio::test]
async fn the_guard_holds_without_a_ledger() {
    let mut stage = Stage::registry(many(40)).await;
    stage.run().run().await.assert_code(0);
    let before = latest(&stage);
    shorten(&mut stage, 19);
    let elsewhere = mirror_kit::process::Home::new();
    assert_refused(&stage.run_in(&elsewhere).run().await, 40, 19);
    assert_eq!(latest(&stage), before);
}

#[tokio::test]
async fn a_few_records_may_go_without_asking() {
    let mut stage = Stage::registry(many(40)).await;
    stage.run().run().await.assert_code(0);
    shorten(&mut stage, 20);
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage).len(), 20);
    stage.assert_complete();
}

#[tokio::test]
async fn a_channel_that_recovers_is_published_without_help() {
    let stage = Stage::registry(many(3)).await;
    stage.run().run().await.assert_code(0);
    let copy = |from: &str, to: &str| {
        let folder: PathBuf = stage.channel.dir.join("linux-64");
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    };
    copy("repodata.json", "kept");
    replace_index(&stage, "{}");
    stage.run().run().await.assert_code(2);
    copy("kept", "repodata.json");
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}

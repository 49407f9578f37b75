//! What may not be passed on is not, for a channel named conda-forge.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::process::{Finished, Run};
use tempfile::TempDir;

use crate::support::{downloads, four_packages, mirror_offline, nobody_listens};

const LISTED: &str = "mkl-2025.0-h0_0.conda";

/// A list as conda-forge keeps it, in a file.
fn list(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("metadata.json");
    std::fs::write(
        &path,
        r#"{"undistributable": ["MKL", "cuda*"], "comment": 1}"#,
    )
    .unwrap();
    path
}

/// A mirror under this name; the machine reaches nobody else.
fn named(stage: &Stage, name: &str) -> Run {
    let (from, to) = (
        stage.source.url(),
        format!("{}/{NAMESPACE}", stage.fake().url()),
    );
    let arguments = [
        "-c",
        &from,
        "--as",
        name,
        "-s",
        "linux-64",
        "--registry",
        &to,
    ];
    mirror_offline(&stage.home).args(arguments)
}

fn indexed(stage: &Stage, name: &str) -> BTreeSet<String> {
    stage
        .view()
        .index_files(&format!("{NAMESPACE}/{name}/linux-64"))
}

fn assert_left_out(stage: &Stage, finished: &Finished) {
    finished.assert_code(0);
    let indexed = indexed(stage, "conda-forge");
    assert!(
        indexed.len() == 3 && !indexed.contains(LISTED),
        "{indexed:?}"
    );
    let repositories = stage.fake().repositories();
    assert!(
        !repositories.iter().any(|r| r.ends_with("/mkl")),
        "{repositories:?}"
    );
    assert_eq!(stage.downloads_of(LISTED), 0);
}

#[tokio::test]
async fn listed_packages_are_neither_mirrored_nor_indexed() {
    let folder = TempDir::new().unwrap();
    let path = list(&folder);
    let stage = Stage::registry(four_packages).await;
    let run = named(&stage, "conda-forge")
        .arg("--undistributable")
        .arg(&path);
    assert_left_out(&stage, &run.run().await);
}

#[tokio::test]
async fn the_list_may_be_served() {
    let folder = TempDir::new().unwrap();
    list(&folder);
    let server = FakeChannel::start(folder.path()).await.unwrap();
    let stage = Stage::registry(four_packages).await;
    let url = server.url_of("metadata.json");
    let run = named(&stage, "conda-forge").args(["--undistributable", &url]);
    assert_left_out(&stage, &run.run().await);
    assert_eq!(server.count(|_| true), 1);
}

#[tokio::test]
async fn asking_for_a_listed_package_by_name_does_not_bring_it() {
    let folder = TempDir::new().unwrap();
    let path = list(&folder);
    let stage = Stage::registry(four_packages).await;
    let run = named(&stage, "conda-forge").args(["-p", "mkl", "--undistributable"]);
    run.arg(&path).run().await.assert_code(0);
    assert_eq!(downloads(&stage.source), 0);
    assert_eq!(indexed(&stage, "conda-forge"), BTreeSet::new());
}

#[tokio::test]
async fn none_mirrors_without_a_list() {
    let stage = Stage::registry(four_packages).await;
    let run = named(&stage, "conda-forge").args(["--undistributable", "none"]);
    run.run().await.assert_code(0);
    assert_eq!(indexed(&stage, "conda-forge").len(), 4);
}

#[tokio::test]
async fn a_package_listed_later_leaves_the_index() {
    let folder = TempDir::new().unwrap();
    let path = list(&folder);
    let stage = Stage::registry(four_packages).await;
    let none = named(&stage, "conda-forge").args(["--undistributable", "none"]);
    none.run().await.assert_code(0);
    assert!(indexed(&stage, "conda-forge").contains(LISTED));
    let run = named(&stage, "conda-forge")
        .arg("--undistributable")
        .arg(&path);
    run.run().await.assert_code(0);
    let indexed = indexed(&stage, "conda-forge");
    assert!(
        indexed.len() == 3 && !indexed.contains(LISTED),
        "{indexed:?}"
    );
    let breaches = stage
        .view()
        .index_breaches(&format!("{NAMESPACE}/conda-forge/linux-64"));
    assert!(breaches.is_empty(), "{breaches:?}");
}

/// No part of the message between colons stands in it twice.
fn assert_cause_is_said_once(finished: &Finished) {
    let error = finished
        .stderr
        .lines()
        .find(|line| line.starts_with("error:"));
    let error = error.unwrap_or_else(|| panic!("{}", finished.to_text()));
    let parts: Vec<&str> = error.split(": ").collect();
    let different: BTreeSet<&str> = parts.iter().copied().collect();
    assert_eq!(parts.len(), different.len(), "{error}");
}

#[tokio::test]
async fn a_channel_that_is_not_conda_forge_is_not_told_that_it_is() {
    let stage = Stage::registry(four_packages).await;
    let run = named(&stage, "other").args(["--undistributable", "/dev/zero"]);
    let finished = run.run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("larger than"),
        "{}",
        finished.to_text()
    );
    assert!(!finished.stderr.contains("conda-forge"));
}

#[tokio::test]
async fn a_list_that_cannot_be_had_stops_the_run_and_the_message_says_how_to_go_on() {
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<!doctype html><p>Not here.</p>").unwrap();
    let missing = folder.path().join("missing.json");
    let unreachable = format!("{}/metadata.json", nobody_listens());
    let places = [
        None,
        Some(unreachable),
        Some(page.display().to_string()),
        Some(missing.display().to_string()),
    ];
    for place in places {
        let stage = Stage::registry(four_packages).await;
        let mut run = named(&stage, "conda-forge");
        if let Some(place) = &place {
            run = run.args(["--undistributable", place]);
        }
        let finished = run.run().await;
        finished.assert_code(2);
        let place = place.as_deref().unwrap_or("repodata-tools");
        for part in ["--undistributable none", "FILE", place] {
            let said = finished.stderr.contains(part);
            assert!(said, "no {part:?}: {}", finished.to_text());
        }
        assert_cause_is_said_once(&finished);
        assert_eq!(stage.source.count(|_| true), 0);
        assert_eq!(stage.fake().log().total(), 0);
    }
}

#[tokio::test]
async fn the_list_holds_for_labels_and_for_a_folder_of_that_name() {
    let stage = Stage::registry(four_packages).await;
    let label = named(&stage, "conda-forge/label/rc").run().await;
    label.assert_code(2);
    assert!(
        label.stderr.contains("--undistributable none"),
        "{}",
        label.to_text()
    );

    let folder = stage.home.path().join("conda-forge");
    std::os::unix::fs::symlink(&stage.channel.dir, folder).unwrap();
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let run = |channel: &str| mirror_offline(&stage.home).args(["-c", channel, "--registry", &to]);
    let folder = run("./conda-forge").run().await;
    folder.assert_code(2);
    assert!(
        folder.stderr.contains("--undistributable none"),
        "{}",
        folder.to_text()
    );

    let renamed = run("./conda-forge").args(["--as", "forge"]).run().await;
    renamed.assert_code(2);
    let says = "--undistributable none";
    assert!(renamed.stderr.contains(says), "{}", renamed.to_text());
}

#[tokio::test]
async fn other_channels_have_no_list_unless_one_is_given() {
    let folder = TempDir::new().unwrap();
    let path = list(&folder);
    let stage = Stage::registry(four_packages).await;
    named(&stage, "my-forge").run().await.assert_code(0);
    assert_eq!(indexed(&stage, "my-forge").len(), 4);
    let given = named(&stage, "other").arg("--undistributable").arg(&path);
    given.run().await.assert_code(0);
    assert_eq!(indexed(&stage, "other").len(), 3);
}

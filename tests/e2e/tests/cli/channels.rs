//! Every way to write a channel, and the name that its mirror gets.

use std::path::Path;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_channel::{FakeChannel, Fault, Times};
use mirror_kit::process::Run;
use serde_json::Value;

use crate::support::{four_packages, mirror_offline};

/// The channel's folder served at `mount`.
async fn served(stage: &Stage, mount: &str) -> FakeChannel {
    FakeChannel::start_at(&stage.channel.dir, mount)
        .await
        .unwrap()
}

fn run(stage: &Stage, channel: &str) -> Run {
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let arguments = ["-c", channel, "-s", "linux-64", "--registry", &to];
    mirror_offline(&stage.home).args(arguments)
}

/// The whole channel stands under this name, and nothing under another.
fn assert_named(stage: &Stage, name: &str) {
    let index = stage
        .view()
        .index_files(&format!("{NAMESPACE}/{name}/linux-64"));
    assert_eq!(index.len(), 4, "{name}");
    let below = format!("{NAMESPACE}/{name}/");
    for repository in stage.fake().repositories() {
        assert!(
            repository.starts_with(&below),
            "{repository} is not below {name}"
        );
    }
    stage.fake().delete_all();
}

#[tokio::test]
async fn a_name_is_looked_up_below_the_channel_base() {
    let stage = Stage::registry(four_packages).await;
    for (mount, base, name) in [
        ("bioconda", "", "bioconda"),
        ("bioconda", "/", "bioconda"),
        ("pub/conda/bioconda", "/pub/conda", "bioconda"),
        ("bioconda/label/rc", "", "bioconda/label/rc"),
    ] {
        let server = served(&stage, mount).await;
        let base = format!("{}{base}", server.base());
        let finished = run(&stage, name)
            .args(["--channel-base", &base])
            .run()
            .await;
        finished.assert_code(0);
        assert_named(&stage, name);
    }
}

#[tokio::test]
async fn a_url_is_named_by_its_path() {
    let stage = Stage::registry(four_packages).await;
    for (mount, name) in [
        ("bioconda", "bioconda"),
        ("pub/bioconda", "pub/bioconda"),
        ("bioconda/label/rc", "bioconda/label/rc"),
    ] {
        let server = served(&stage, mount).await;
        for slash in ["", "/"] {
            let url = format!("{}{slash}", server.url());
            run(&stage, &url).run().await.assert_code(0);
            assert_named(&stage, name);
        }
    }
}

#[tokio::test]
async fn a_url_below_the_channel_base_is_named_by_what_follows() {
    let stage = Stage::registry(four_packages).await;
    let server = served(&stage, "pub/conda/bioconda").await;
    let base = format!("{}/pub/conda", server.base());
    let finished = run(&stage, &server.url())
        .args(["--channel-base", &base])
        .run()
        .await;
    finished.assert_code(0);
    assert_named(&stage, "bioconda");
}

#[tokio::test]
async fn a_token_in_the_path_is_used_and_never_shown_nor_mirrored() {
    let stage = Stage::registry(four_packages).await;
    let server = served(&stage, "t/hunter2/bioconda").await;
    let report = Report::in_home(&stage.home);
    let run = run(&stage, &server.url())
        .arg("--debug")
        .env("RUST_LOG", "trace");
    let finished = run.arg("--report").arg(report.path()).run().await;
    finished.assert_code(0);
    assert!(server.count(|r| r.path.starts_with("/t/hunter2/")) > 4);
    for text in [
        &finished.stdout,
        &finished.stderr,
        &report.read().to_string(),
    ] {
        let shown = text.lines().find(|line| line.contains("hunter2"));
        assert_eq!(shown, None);
    }
    assert_named(&stage, "bioconda");
}

#[tokio::test]
async fn a_folder_is_named_by_its_last_component() {
    let stage = Stage::registry(four_packages).await;
    let folder = stage.home.path().join("deep/my-channel");
    let label = stage.home.path().join("deep/other/label/rc");
    for at in [&folder, &label] {
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&stage.channel.dir, at).unwrap();
    }
    let url = |path: &Path| format!("file://{}", path.display());
    for (written, name) in [
        ("./deep/my-channel".to_owned(), "my-channel"),
        ("./deep/my-channel/".to_owned(), "my-channel"),
        (folder.display().to_string(), "my-channel"),
        (url(&folder), "my-channel"),
        ("./deep/other/label/rc".to_owned(), "other/label/rc"),
        (url(&label), "other/label/rc"),
    ] {
        run(&stage, &written).run().await.assert_code(0);
        assert_named(&stage, name);
    }
    assert_eq!(stage.source.count(|_| true), 0);
}

#[tokio::test]
async fn the_name_can_be_given() {
    let stage = Stage::registry(four_packages).await;
    let finished = run(&stage, &stage.source.url())
        .args(["--as", "mine/label/rc"])
        .run()
        .await;
    finished.assert_code(0);
    assert_named(&stage, "mine/label/rc");
}

#[tokio::test]
async fn a_name_that_registries_cannot_hold_is_refused_with_the_remedy() {
    let stage = Stage::registry(four_packages).await;
    let finished = run(&stage, &stage.source.url())
        .args(["--as", "MyChannel"])
        .run()
        .await;
    finished.assert_code(2);
    for part in ["MyChannel", "--as NAME"] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
    assert_eq!(stage.fake().log().writes(), 0);
}

#[tokio::test]
async fn user_is_short_for_that_name_at_ghcr_io() {
    let stage = Stage::registry(four_packages).await;
    let report = Report::in_home(&stage.home);
    let run = mirror_offline(&stage.home)
        .args([
            "-c",
            &stage.source.url(),
            "-s",
            "linux-64",
            "--user",
            "someone",
            "--dry-run",
        ])
        .arg("--report")
        .arg(report.path());
    // ghcr.io is out of reach here, so each subdir says what it wanted there.
    let finished = run.run().await;
    finished.assert_code(2);
    let summary = report.read()["summary"].clone();
    assert_eq!(summary["registry"], "ghcr.io/someone");
    assert_eq!(summary["rate"], 2000);
    let error = summary["subdirs"][0]["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains("ghcr.io/someone/channel/linux-64/repodata.json"),
        "{error}"
    );
    assert_ne!(summary["subdirs"], Value::Null);
}

#[tokio::test]
async fn a_channel_that_is_not_there_does_not_become_an_empty_mirror() {
    let stage = Stage::registry(four_packages).await;
    let missing = format!("{}/no-such-channel", stage.source.base());
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let all = mirror_offline(&stage.home).args(["-c", &missing, "--registry", &to]);
    for finished in [all.run().await, run(&stage, &missing).run().await] {
        finished.assert_code(2);
        let says = "is the channel spelled right?";
        assert!(finished.stderr.contains(says), "{}", finished.to_text());
    }
    assert_eq!(stage.fake().repositories(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_denies_what_it_does_not_have_is_mirrored() {
    let stage = Stage::registry(four_packages).await;
    for absent in [
        "repodata_from_packages.json",
        "repodata_from_packages.json.zst",
        "win-64/repodata.json",
        "win-64/repodata.json.zst",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
    ] {
        let denied = Fault::status(403);
        stage.source.fault(absent, denied, Times::Always);
    }
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    // The second run knows what the first one found, and what not; so does one that measures first.
    for more in [&["--max-files", "100"][..], &[], &["--package", "?*"]] {
        let run = mirror_offline(&stage.home).args(["-c", &stage.source.url(), "--registry", &to]);
        let finished = run.args(more).run().await;
        finished.assert_code(0);
        stage.assert_complete();
    }
}

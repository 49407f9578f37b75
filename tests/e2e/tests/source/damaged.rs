//! Sources that lack what their index lists, or have something else, or have no index.

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::process::{Home, Run};

use crate::support::{file, index_repository, indexed, mirrored, named, packages, pull_from};

const NAMES: [&str; 4] = ["altered", "gone", "lost", "whole"];

async fn stage() -> Stage {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    stage
}

/// A mirror of what the stage has into a registry of its own.
fn copy(stage: &Stage, home: &Home, to: &FakeRegistry) -> Run {
    let to = format!("{}/copy", to.url());
    mirror(home, mirrored(stage), to).args(["-s", "linux-64", "--attempts", "1"])
}

/// Gives one package other bytes of the same size: the time of its first member, so that it can be unpacked all the same.
fn alter(stage: &Stage) {
    let altered = stage.channel.file(&file("altered"));
    let (repository, _) = stage.place(altered);
    let digest = format!("sha256:{}", altered.sha256);
    let mut bytes = altered.bytes().unwrap();
    bytes[10] ^= 1;
    assert!(stage.view().corrupt_blob(&repository, &digest, bytes));
}

#[tokio::test]
async fn what_the_source_lacks_fails_by_name_and_blocks_nothing() {
    let stage = stage().await;
    let view = stage.view();
    let place = |name: &str| {
        let file = stage.channel.file(&file(name));
        (stage.place(file), format!("sha256:{}", file.sha256))
    };
    let ((repository, _), digest) = place("lost");
    assert!(view.delete_blob(&repository, &digest));
    alter(&stage);
    let ((repository, _), _) = place("gone");
    assert!(view.delete_repository(&repository));

    let (home, to) = (Home::new(), FakeRegistry::start());
    let report = Report::in_home(&home);
    let run = copy(&stage, &home, &to).arg("--report").arg(report.path());
    run.run().await.assert_code(1);
    for name in ["gone", "lost"] {
        let entry = report.entry(&file(name));
        assert_eq!(entry["outcome"], "failed", "{entry}");
        assert!(entry["cause"].as_str().unwrap().contains("404"), "{entry}");
    }
    let entry = report.entry(&file("altered"));
    assert_eq!(entry["outcome"], "failed", "{entry}");
    assert_eq!(report.entry(&file("whole"))["outcome"], "done");
    let copied = format!("copy/{}/linux-64", stage.channel.name);
    let listed = to.view().index_files(&copied);
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), [file("whole")]);
    assert_eq!(to.view().index_breaches(&copied), Vec::<String>::new());
}

#[tokio::test]
async fn other_bytes_than_the_index_says_are_not_pulled() {
    let stage = stage().await;
    alter(&stage);
    let (home, cache) = (Home::new(), tempfile::tempdir().unwrap());
    let report = Report::in_home(&home);
    let run = pull_from(&stage, &home, cache.path()).args(["--attempts", "1"]);
    let run = run.arg("--report").arg(report.path());
    run.run().await.assert_code(1);
    assert_eq!(report.entry(&file("altered"))["outcome"], "failed");
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    let others = ["gone", "lost", "whole"].map(file);
    assert_eq!(packages(&folder), others.into());
    assert_eq!(indexed(&folder), packages(&folder));
}

#[tokio::test]
async fn a_source_without_an_index_is_no_channel() {
    let stage = stage().await;
    assert!(stage.view().delete_repository(&index_repository(&stage)));
    let run = copy(&stage, &Home::new(), &FakeRegistry::start());
    let finished = run.run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("does not serve subdir `linux-64`"),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn a_killed_copy_goes_on_where_it_stopped() {
    let stage = stage().await;
    let (home, to) = (Home::new(), FakeRegistry::start());
    let run = || copy(&stage, &home, &to).args(["--workers", "1"]);
    run()
        .kill_at_nth("before-manifest", 3)
        .run()
        .await
        .assert_killed();
    let held = |name: &str| {
        let place = format!("copy/{}/linux-64/{name}", stage.channel.name);
        to.view().manifest(&place, "1.0-0").is_some()
    };
    let before: Vec<_> = NAMES.into_iter().filter(|name| held(name)).collect();
    assert_eq!(before.len(), 2);
    stage.fake().log().clear();
    run().run().await.assert_code(0);
    assert!(NAMES.into_iter().all(held));
    let read = stage.fake().log().select(|entry| {
        let repository = entry.repository.clone().unwrap_or_default();
        let name = repository.rsplit('/').next().unwrap_or_default().to_owned();
        entry.kind == mirror_kit::fake_registry::Kind::BlobGet && before.contains(&&*name)
    });
    assert!(read.is_empty(), "{read:?}");
}

//! Mirrors as sources, and channel folders as the end, by way of workers elsewhere. Mounts: `mounts.rs`.

use std::path::Path;
use std::time::Duration;

use mirror_e2e::cluster::Servers;
use mirror_e2e::judged::assert_all_is_downloaded;
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::{Manifests, manifests_in_folder, manifests_in_registry};
use mirror_kit::channel::standard;
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::judge::{Form, Judge};
use mirror_kit::process::{Home, Run, Running};

use crate::support::{file, has_leftovers, indexed, mirrored, named, packages, pull_from};

/// How long a run may take that waits for the claims of the dead.
const LONG: Duration = Duration::from_secs(300);

async fn stopped(worker: Running) {
    worker.term();
    worker.wait().await.assert_code(0);
}

/// # Panics
/// If it does not name the option.
async fn is_refused(run: Run) {
    let refused = run.run().await;
    refused.assert_code(2);
    let named = refused.stderr.contains("--shared-path");
    assert!(named, "{}", refused.to_text());
}

/// A stage whose channel is in its registry.
async fn filled() -> Stage {
    let stage = Stage::registry(standard).await;
    stage.run().run().await.assert_code(0);
    stage
}

/// What a copy of it has: all but what the channel archived and its index does not list.
fn listed(stage: &Stage) -> Manifests {
    let mut manifests = manifests_in_registry(&stage.view(), NAMESPACE);
    manifests.retain(|place, _| !place.contains("/yanked:"));
    manifests
}

/// # Panics
/// If the folder is not, byte for byte and for a real client, the stage's channel.
async fn assert_pulled(stage: &Stage, cache: &Path) {
    let channel = &stage.channel;
    let server = FakeChannel::start(cache.join(&channel.name)).await.unwrap();
    let judge = Judge::over_http(&server.base()).unwrap();
    for form in Form::EACH {
        assert_all_is_downloaded(&judge, &channel.name, channel, form).await;
    }
    assert!(!has_leftovers(cache));
}

#[tokio::test]
async fn workers_that_see_the_folder_pull_into_it() {
    let (stage, servers) = (filled().await, Servers::shared().await);
    let (home, cache) = (Home::new(), tempfile::tempdir().unwrap());
    let pull = || {
        let run = pull_from(&stage, &home, cache.path()).arg("--all");
        run.args(servers.options())
    };
    is_refused(pull()).await;
    let worker = servers.worker().arg("--shared-path").spawn();
    pull().arg("--shared-path").run().await.assert_code(0);
    assert_pulled(&stage, cache.path()).await;
    // What is there is looked at, not brought again.
    stage.fake().log().clear();
    pull().arg("--shared-path").run().await.assert_code(0);
    let read = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        entry.kind == mirror_kit::fake_registry::Kind::BlobGet
            && !repository.ends_with("repodata.json")
    });
    assert!(read.is_empty(), "{read:?}");
    stopped(worker).await;
    servers.assert_drained().await;
    assert_eq!(servers.depths().await.dead, 0);
}

#[tokio::test]
async fn a_worker_that_was_not_told_of_the_folder_pulls_nothing_into_it() {
    let (stage, servers) = (
        Stage::registry(named(&["one"])).await,
        Servers::shared().await,
    );
    stage.run().run().await.assert_code(0);
    let (home, cache) = (Home::new(), tempfile::tempdir().unwrap());
    let report = Report::in_home(&home);
    let pull = pull_from(&stage, &home, cache.path()).args(servers.options());
    let pull = pull.args(["--shared-path", "--report"]);
    // Nobody else is there whom it could leave the task to.
    let worker = servers.worker().args(["--attempts", "1"]).spawn();
    let ended = pull.arg(report.path()).run().await;
    ended.assert_code(1);
    let cause = report.entry(&file("one"))["cause"].to_string();
    assert!(cause.contains("--shared-path"), "{cause}");
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    assert_eq!(packages(&folder).len(), 0);
    stopped(worker).await;
}

/// A worker kills itself at the point while it pulls; another one completes the run.
async fn killed_at(point: &str, nth: u32) {
    let names = &["a", "b", "c", "d", "e"];
    let (stage, servers) = (Stage::registry(named(names)).await, Servers::shared().await);
    stage.run().run().await.assert_code(0);
    let cache = tempfile::tempdir().unwrap();
    let worker = || servers.worker().arg("--shared-path").deadline(LONG);
    let doomed = worker().args(["--workers", "1"]).kill_at_nth(point, nth);
    let doomed = doomed.spawn();
    let pull = pull_from(&stage, &Home::new(), cache.path()).args(servers.options());
    let pull = pull.arg("--shared-path").deadline(LONG).spawn();
    doomed.wait().await.assert_killed();
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    let exact = |name: &String| {
        let pulled = std::fs::read(folder.join(name)).unwrap();
        assert!(
            pulled == stage.channel.file(name).bytes().unwrap(),
            "{name}"
        );
    };
    let before = packages(&folder);
    assert!(before.len() < names.len(), "{before:?}");
    before.iter().for_each(exact);
    let next = worker().spawn();
    pull.wait().await.assert_code(0);
    stopped(next).await;
    let pulled = packages(&folder);
    assert_eq!(pulled, names.iter().map(|name| file(name)).collect());
    pulled.iter().for_each(exact);
    assert_eq!(indexed(&folder), pulled);
    assert!(!has_leftovers(cache.path()), "{point}");
    servers.assert_drained().await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_pull_a_worker_leaves_no_partial_file_and_another_completes_it() {
    futures::join!(
        killed_at("mid-download", 3),
        killed_at("before-rename", 2),
        killed_at("folder-file-before-rename", 3),
        killed_at("after-rename", 1),
    );
}

#[tokio::test]
async fn workers_elsewhere_copy_a_registry_into_another() {
    let (stage, servers) = (filled().await, Servers::shared().await);
    let to = FakeRegistry::start();
    let worker = servers.worker().spawn();
    let run = mirror(&Home::new(), mirrored(&stage), format!("{}/copy", to.url()));
    let run = run.args(["-s", "linux-64"]).args(servers.options());
    run.run().await.assert_code(0);
    stopped(worker).await;
    assert_eq!(manifests_in_registry(&to.view(), "copy"), listed(&stage));
    let judge = Judge::new(to.addr()).await.unwrap();
    let path = format!("copy/{}", stage.channel.name);
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &path, &stage.channel, sharded).await;
    }
    servers.assert_drained().await;
    assert_eq!(servers.depths().await.dead, 0);
}

#[tokio::test]
async fn workers_that_see_a_folder_of_image_layouts_fill_it_and_carry_it_into_a_registry() {
    let (stage, servers) = (filled().await, Servers::shared().await);
    let original = listed(&stage);
    let dir = tempfile::tempdir().unwrap();
    let folder = format!("oci:{}", dir.path().join("carried").display());
    let to = FakeRegistry::start();
    let registry = format!("{}/copy", to.url());
    let run = |from: &str, to: &str| {
        let run = mirror(&Home::new(), from, to).args(["-s", "linux-64"]);
        run.args(servers.options())
    };
    let worker = servers.worker().arg("--shared-path").spawn();
    let from = mirrored(&stage);
    is_refused(run(&from, &folder)).await;
    let into = run(&from, &folder).arg("--shared-path").run().await;
    into.assert_code(0);
    assert_eq!(manifests_in_folder(&dir.path().join("carried")), original);
    is_refused(run(&folder, &registry)).await;
    let out = run(&folder, &registry).arg("--shared-path").run().await;
    out.assert_code(0);
    stopped(worker).await;
    assert_eq!(manifests_in_registry(&to.view(), "copy"), original);
    servers.assert_drained().await;
}

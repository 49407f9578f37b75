//! Within one registry the bytes of packages do not move, where the registry mounts; else they do, and it ends the same.

use mirror_e2e::cluster::Servers;
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::manifests_in_registry;
use mirror_kit::fake_registry::{Kind, Mount, Options};
use mirror_kit::process::Home;

use crate::support::{mirrored, named};

const NAMES: [&str; 3] = ["one", "three", "two"];

/// Mirrors the channel into `ns`, and from there into `other` of the same registry.
async fn copied(options: Options) -> Stage {
    copied_by(options, None).await
}

/// The same by workers elsewhere.
async fn copied_by(options: Options, servers: Option<&Servers>) -> Stage {
    let stage = Stage::registry_with(options, named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    stage.fake().log().clear();
    let other = format!("{}/other", stage.fake().url());
    let run = mirror(&Home::new(), mirrored(&stage), other).args(["-s", "linux-64"]);
    let run = match servers {
        Some(servers) => run.args(servers.options()),
        None => run.args(["--workers", "1"]),
    };
    run.run().await.assert_code(0);
    let view = stage.view();
    let copied = manifests_in_registry(&view, "other");
    assert_eq!(copied, manifests_in_registry(&view, NAMESPACE));
    assert!(copied.len() > NAMES.len());
    stage
}

/// Requests of a kind at the packages' repositories below `namespace`.
fn count(stage: &Stage, namespace: &str, kind: Kind) -> usize {
    let below = format!("{namespace}/{}/linux-64/", stage.channel.name);
    let log = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        let package = repository
            .strip_prefix(&below)
            .is_some_and(|name| NAMES.contains(&name));
        package && entry.kind == kind
    });
    log.len()
}

fn assert_mounted(stage: &Stage) {
    assert_eq!(count(stage, NAMESPACE, Kind::BlobGet), 0, "{}", stage.log());
    assert_eq!(count(stage, NAMESPACE, Kind::ManifestGet), NAMES.len());
    // Package, info and index of each; the config of all but the first.
    let mounts = count(stage, "other", Kind::Mount);
    assert!(mounts >= 3 * NAMES.len(), "{mounts}\n{}", stage.log());
    let sent: usize = [Kind::UploadPost, Kind::UploadPut]
        .map(|kind| count(stage, "other", kind))
        .iter()
        .sum();
    assert!(sent <= 2, "more than one config was sent: {}", stage.log());
}

#[tokio::test]
async fn blobs_are_mounted_and_neither_read_nor_sent() {
    assert_mounted(&copied(Options::default()).await);
}

#[tokio::test]
async fn workers_elsewhere_mount_them_too() {
    let servers = Servers::shared().await;
    // One after the other: of two at once each may be the first that needs a config.
    let worker = servers.worker().args(["--workers", "1"]).spawn();
    assert_mounted(&copied_by(Options::default(), Some(&servers)).await);
    worker.term();
    worker.wait().await.assert_code(0);
    servers.assert_drained().await;
}

#[tokio::test]
async fn where_the_registry_does_not_mount_they_are_moved() {
    let options = Options {
        mount: Mount::Never,
        ..Options::default()
    };
    let stage = copied(options).await;
    assert_eq!(count(&stage, NAMESPACE, Kind::BlobGet), NAMES.len());
    assert_eq!(stage.view().open_uploads(), 0);
}

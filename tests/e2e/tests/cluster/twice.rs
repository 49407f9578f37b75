//! One task at two workers: each does it or sees that it is done, and the result is the same.

use std::path::PathBuf;

use mirror_e2e::cluster::Cluster;
use mirror_e2e::stage::NAMESPACE;
use mirror_e2e::stored::manifests_in_registry;
use mirror_kit::channel::{Channel, ChannelBuilder, bulk};
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::package::{Fill, PackageSpec};

use crate::support::{LONG, stopped, until};

fn twenty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk(dir, 20, 4_000)
}

fn one(dir: PathBuf) -> anyhow::Result<Channel> {
    let spec = PackageSpec::new("only", "1.0", "h0_0").payload(4_000, Fill::Random);
    ChannelBuilder::new(dir).package(spec).build()
}

#[tokio::test]
async fn every_task_given_to_two_workers_at_once_is_done_once() {
    let cluster = Cluster::new(twenty).await;
    cluster.enqueue().run().await.assert_code(0);
    assert_eq!(cluster.servers.double().await, 20);
    let workers = [cluster.worker(), cluster.worker()].map(|run| run.deadline(LONG).spawn());
    until("all files", || {
        cluster.stage.held(&cluster.stage.view()).len() == 20
    })
    .await;
    let drained = |depths: mirror_e2e::cluster::Depths| depths.ready + depths.delayed == 0;
    cluster.servers.until("no copies left", drained).await;
    for worker in workers {
        stopped(worker).await;
    }
    cluster.publish().run().await.assert_code(0);
    cluster.assert_complete().await;
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
    let manifests =
        cluster.stage.fake().log().select(|entry| {
            entry.kind == Kind::ManifestPut && !entry.path.contains("/repodata.json/")
        });
    assert_eq!(manifests.len(), 20, "one manifest each");
}

#[tokio::test]
async fn a_worker_that_slept_through_its_claim_and_the_one_that_took_over_leave_one_result() {
    let cluster = Cluster::new(one).await;
    cluster.enqueue().run().await.assert_code(0);
    // One copy for each of them.
    assert_eq!(cluster.servers.double().await, 1);
    let hold = cluster
        .stage
        .fake()
        .hold(When::kind(Kind::ManifestPut).nth(1));
    let slot = ["--workers", "1"];
    let sleeper = cluster.worker().args(slot).deadline(LONG).spawn();
    hold.held().await;
    sleeper.freeze();
    let other = cluster.worker().args(slot).deadline(LONG).spawn();
    until("the other one to finish", || {
        !cluster.stage.held(&cluster.stage.view()).is_empty()
    })
    .await;
    stopped(other).await;
    assert_eq!(cluster.stage.downloads_of("only-1.0-h0_0.conda"), 2);
    let before = manifests_in_registry(&cluster.stage.view(), NAMESPACE);
    hold.release();
    sleeper.thaw();
    // It finishes what it has before it ends.
    stopped(sleeper).await;
    assert!(cluster.stage.fake().log().count(Kind::ManifestPut) >= 2);
    let after = manifests_in_registry(&cluster.stage.view(), NAMESPACE);
    assert_eq!(after, before);
    cluster.publish().run().await.assert_code(0);
    cluster.assert_complete().await;
}

//! A mirror by way of workers elsewhere, when nothing goes wrong.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::judged::assert_all_is_downloaded;
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::manifests_in_registry;
use mirror_kit::channel::{bulk, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::judge::Judge;
use mirror_kit::process::Home;
use mirror_kit::servers::RealRegistry;

use crate::support::{LONG, stopped};

#[tokio::test]
async fn workers_elsewhere_make_the_very_mirror_that_one_process_makes() {
    let cluster = Cluster::new(standard).await;
    let workers = [cluster.worker().spawn(), cluster.worker().spawn()];
    cluster.mirror().run().await.assert_code(0);
    for worker in workers {
        stopped(worker).await;
    }
    cluster.assert_complete().await;
    let once = cluster.stage.downloads();
    assert!(once.values().all(|count| *count == 1), "{once:?}");
    let ours = manifests_in_registry(&cluster.stage.view(), NAMESPACE);
    let alone = Stage::registry(standard).await;
    alone.run().run().await.assert_code(0);
    assert_eq!(ours, manifests_in_registry(&alone.view(), NAMESPACE));
}

#[tokio::test]
async fn a_second_run_needs_no_worker_and_writes_nothing() {
    let cluster = Cluster::new(standard).await;
    let worker = cluster.worker().spawn();
    cluster.mirror().run().await.assert_code(0);
    stopped(worker).await;
    let (downloads, written) = (cluster.stage.downloads(), cluster.stage.written());
    let home = Home::new();
    for run in [cluster.mirror(), cluster.mirror_in(&home)] {
        run.run().await.assert_code(0);
    }
    assert_eq!(cluster.stage.downloads(), downloads);
    assert_eq!(cluster.stage.written(), written);
    cluster.assert_complete().await;
}

#[tokio::test]
async fn a_real_registry_is_filled_by_workers_elsewhere_for_a_real_client() {
    let servers = Servers::shared().await;
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("standard")).unwrap();
    let upstream = FakeChannel::start(&channel.dir).await.unwrap();
    let registry = RealRegistry::start().await.unwrap();
    let worker = servers.worker().spawn();
    let run = mirror(&Home::new(), upstream.url(), registry.destination());
    run.args(servers.options()).run().await.assert_code(0);
    stopped(worker).await;
    let judge = Judge::new(registry.addr()).await.unwrap();
    let path = format!("{}/{}", registry.namespace(), channel.name);
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &path, &channel, sharded).await;
    }
    servers.assert_drained().await;
    assert_eq!(servers.depths().await.dead, 0);
}

/// Looks for tags stand in line for the registry's budget when it is time to publish, and publishing asks for it too.
#[tokio::test]
async fn a_first_fill_publishes_again_and_again_though_reads_are_few() {
    let stage = Stage::registry(|dir| bulk(dir, 40, 2_000)).await;
    let servers = Servers::shared().await;
    let run = stage.run().args(["--state", &servers.state]);
    let run = run.args(["--max-reads-per-minute", "600", "--publish-every", "1s"]);
    run.deadline(LONG).run().await.assert_code(0);
    stage.assert_complete();
}

//! `enqueue` now, work later, publish last: the three need not be there at once.

use std::collections::BTreeSet;

use mirror_e2e::cluster::{Cluster, Depths};
use mirror_kit::channel::{bulk, oci_name, standard};

use crate::support::{LONG, stopped, until};

/// How many tasks the channel makes: files of one build share one.
fn builds(cluster: &Cluster) -> usize {
    let files = cluster.stage.channel.files.iter();
    let builds: BTreeSet<_> = files
        .filter(|file| file.representable)
        .map(|file| {
            let name = oci_name(&file.file_name).unwrap();
            (file.subdir.clone(), name.component, name.tag)
        })
        .collect();
    builds.len()
}

/// Has workers do all that is queued, and stops them.
async fn worked_off(cluster: &Cluster) {
    let workers = [cluster.worker(), cluster.worker()].map(|run| run.deadline(LONG).spawn());
    let files = cluster.stage.channel.files.iter();
    let all = files.filter(|file| file.representable).count();
    until("all files", || {
        cluster.stage.held(&cluster.stage.view()).len() == all
    })
    .await;
    for worker in workers {
        stopped(worker).await;
    }
}

async fn enqueued() -> Cluster {
    let cluster = Cluster::new(standard).await;
    cluster.enqueue().run().await.assert_code(0);
    let depths = cluster.servers.depths().await;
    let ready = u32::try_from(builds(&cluster)).unwrap();
    let wanted = Depths {
        ready,
        ..Depths::default()
    };
    assert_eq!(depths, wanted, "all of it is at the broker");
    let held = cluster.stage.held(&cluster.stage.view());
    assert!(held.is_empty(), "it waits for none of it");
    cluster
}

fn assert_unpublished(cluster: &Cluster) {
    for subdir in ["linux-64", "noarch"] {
        let index = cluster.stage.view().index(&cluster.stage.subdir(subdir));
        assert!(index.is_none(), "{subdir}");
    }
}

#[tokio::test]
async fn what_was_enqueued_and_worked_off_a_mirror_only_publishes() {
    let cluster = enqueued().await;
    worked_off(&cluster).await;
    assert_unpublished(&cluster);
    let downloads = cluster.stage.downloads();
    // Nobody is there who could transfer anything.
    cluster.mirror().run().await.assert_code(0);
    assert_eq!(cluster.stage.downloads(), downloads);
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
    cluster.assert_complete().await;
}

#[tokio::test]
async fn what_was_enqueued_and_worked_off_is_published_by_publish() {
    let cluster = enqueued().await;
    // What is held so far: nothing, and that may be published.
    worked_off(&cluster).await;
    assert_unpublished(&cluster);
    cluster.publish().run().await.assert_code(0);
    cluster.assert_complete().await;
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

#[tokio::test]
async fn enqueued_twice_each_file_is_transferred_once() {
    let cluster = enqueued().await;
    cluster.enqueue().run().await.assert_code(0);
    let ready = cluster.servers.depths().await.ready;
    assert_eq!(ready as usize, 2 * builds(&cluster), "two plans of it");
    worked_off(&cluster).await;
    cluster.publish().run().await.assert_code(0);
    cluster.assert_complete().await;
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

#[tokio::test]
async fn a_mirror_over_a_full_queue_and_its_workers_share_the_work() {
    let cluster = enqueued().await;
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    let worker = cluster.worker().deadline(LONG).spawn();
    coordinator.wait().await.assert_code(0);
    stopped(worker).await;
    cluster.assert_complete().await;
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

#[tokio::test]
async fn a_run_queues_nothing_while_the_queue_has_more_than_a_window_of_an_earlier_one() {
    const BUILDS: u32 = 520;
    let cluster = Cluster::new(|dir| bulk(dir, BUILDS as usize, 300)).await;
    cluster.enqueue().run().await.assert_code(0);
    let mut mirror = cluster.mirror().deadline(LONG).spawn();
    mirror
        .until("to wait", |_, said| {
            said.contains("the queue has many tasks")
        })
        .await;
    assert_eq!(cluster.servers.depths().await.ready, BUILDS);
    let worker = cluster.worker().deadline(LONG).spawn();
    mirror.wait().await.assert_code(0);
    stopped(worker).await;
    cluster.assert_complete().await;
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

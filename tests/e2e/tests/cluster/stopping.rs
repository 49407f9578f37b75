//! SIGTERM: a worker finishes what it can in its time, hands back the rest and ends with 0.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mirror_e2e::cluster::Cluster;
use mirror_e2e::readiness::{free_port, unready};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::package::{Fill, PackageSpec};

use crate::support::{LONG, stopped, until};

/// Six packages of two megabytes.
fn large(dir: PathBuf) -> anyhow::Result<Channel> {
    let mut builder = ChannelBuilder::new(dir).subdir("noarch");
    for number in 0..6 {
        let spec = PackageSpec::new(&format!("large-{number}"), "1.0", "h0_0");
        builder = builder.package(spec.payload(2_000_000, Fill::Random));
    }
    builder.build()
}

fn file(number: usize) -> String {
    format!("large-{number}-1.0-h0_0.conda")
}

#[tokio::test]
async fn terminated_in_large_transfers_a_worker_ends_in_time_and_another_one_finishes() {
    let cluster = Cluster::new(large).await;
    let (source, registry) = (&cluster.stage.source, cluster.stage.fake());
    for number in [0, 1] {
        let stall = Fault::Stall { after: 1_000_000 };
        source.fault(&file(number), stall, Times::First(1));
    }
    let uploads = |number: usize| {
        let package = format!("/large-{number}");
        let uploads = When::kind(Kind::UploadPut).repository_ending(package);
        registry.hold_in_body(uploads, 1_000_000)
    };
    let (stuck, soon_done) = ([2, 3].map(uploads), [4, 5].map(uploads));

    let grace = ["--workers", "6", "--grace", "10s"];
    let mut worker = cluster.worker().args(grace).spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    for hold in stuck.iter().chain(&soon_done) {
        hold.held().await;
    }
    for _ in [0, 1] {
        source.held().await;
    }
    worker.term();
    worker
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    drop(soon_done);
    worker.wait().await.assert_code(0);
    let held = cluster.stage.held(&cluster.stage.view());
    assert_eq!(held, BTreeSet::from([file(4), file(5)]));
    let depths = cluster.servers.depths().await;
    assert_eq!((depths.ready, depths.delayed), (4, 0), "all is handed back");

    source.heal();
    source.release();
    registry.clear_faults();
    drop(stuck);
    let other = cluster.worker().deadline(LONG).spawn();
    coordinator.wait().await.assert_code(0);
    stopped(other).await;
    cluster.assert_complete().await;
    for number in 0..6 {
        let times = if number < 4 { 2 } else { 1 };
        assert_eq!(cluster.stage.downloads_of(&file(number)), times, "{number}");
    }
}

#[tokio::test]
async fn a_worker_without_work_ends_at_once_and_a_second_signal_ends_any() {
    let cluster = Cluster::new(large).await;
    let mut idle = cluster.worker().arg("--debug").spawn();
    idle.until("to be ready", |_, stderr| stderr.contains("takes tasks"))
        .await;
    stopped(idle).await;

    let hold = cluster
        .stage
        .fake()
        .hold(When::kind(Kind::ManifestPut).first(6));
    let mut stubborn = cluster.worker().args(["--grace", "1h"]).spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    hold.held_count(6).await;
    stubborn.term();
    stubborn
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    stubborn.term();
    assert_ne!(stubborn.wait().await.code, Some(0), "not in order");
    drop(hold);
    let other = cluster.worker().deadline(LONG).spawn();
    coordinator.wait().await.assert_code(0);
    stopped(other).await;
    cluster.assert_complete().await;
}

#[tokio::test]
async fn from_the_signal_on_a_worker_takes_nothing_and_what_it_was_about_to_take_is_others() {
    let cluster = Cluster::new(large).await;
    let put = |nth| {
        cluster
            .stage
            .fake()
            .hold(When::kind(Kind::ManifestPut).nth(nth))
    };
    let [first, second] = [1, 2].map(put);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let worker = cluster.worker().args(["--workers", "2", "--grace", "1h"]);
    let mut worker = worker.args(["--listen", &listen]).deadline(LONG).spawn();
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    first.held().await;
    second.held().await;
    cluster
        .servers
        .until("the others to be queued", |depths| depths.ready == 4)
        .await;
    worker.term();
    worker
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    unready(port, &worker, "stopping").await;
    // The one that ends makes room for a delivery, which must not wait for the end of the grace.
    first.release();
    let other = cluster.worker().deadline(LONG).spawn();
    until("all but one to be done", || {
        cluster.stage.held(&cluster.stage.view()).len() == 5
    })
    .await;
    second.release();
    worker.wait().await.assert_code(0);
    coordinator.wait().await.assert_code(0);
    stopped(other).await;
    cluster.assert_complete().await;
}

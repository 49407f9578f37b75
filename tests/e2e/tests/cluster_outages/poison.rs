//! Packages that no worker can bring.

use mirror_e2e::cluster::{Cluster, Depths, Servers};
use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::Listing;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::sha256_digest;
use mirror_kit::package::PackageSpec;
use mirror_kit::servers::RabbitMq;
use serde_json::Value;

use crate::support::{BUILDS, LONG, forty, says};
use crate::wire::Wire;

const POISON: &str = "poison-1.0-0.conda";

/// The channel with one more package.
async fn with_poison(listing: Listing) -> Cluster {
    let mut stage = Stage::registry(forty).await;
    let spec = PackageSpec::new("poison", "1.0", "0");
    stage.channel.add(spec, listing).unwrap();
    Cluster::around(stage, Servers::shared().await)
}

/// The report says so of the poison; of everything else there is a complete mirror.
async fn all_but_the_poison(mut cluster: Cluster, report: Report, attempts: u32, cause: &str) {
    let entry = report.entry(POISON);
    assert_eq!(entry["outcome"], "failed", "{entry:#}");
    assert_eq!(entry["attempts"], attempts, "{entry:#}");
    assert!(
        entry["cause"].as_str().unwrap().contains(cause),
        "{entry:#}"
    );
    assert_eq!(report.read()["summary"]["totals"]["done"], BUILDS);
    assert_eq!(cluster.stage.downloads_of(POISON), attempts as usize);
    cluster.stage.channel.remove(POISON).unwrap();
    cluster.assert_complete().await;
}

#[tokio::test]
async fn what_is_no_archive_fails_with_its_cause_and_the_rest_is_done_and_published() {
    let bytes = b"<html>this is no package</html>";
    let digest = sha256_digest(bytes);
    let sha256 = digest.strip_prefix("sha256:").unwrap();
    let listing = Listing::indexed()
        .field("sha256", &format!("{sha256:?}"))
        .field("size", &bytes.len().to_string());
    let cluster = with_poison(listing).await;
    let path = cluster.stage.channel.file(POISON).path.clone();
    std::fs::write(path, bytes).unwrap();
    let report = Report::in_home(&cluster.stage.home);
    let workers = [(); 2].map(|()| cluster.worker().args(["--attempts", "3"]).spawn());
    let coordinator = cluster.mirror().arg("--report").arg(report.path());
    coordinator.run().await.assert_code(1);
    for worker in workers {
        worker.term();
        worker.wait().await.assert_code(0);
    }
    all_but_the_poison(cluster, report, 1, POISON).await;
}

#[tokio::test]
async fn a_package_that_kills_its_worker_each_time_is_given_up_and_the_rest_is_done_and_published()
{
    let cluster = with_poison(Listing::indexed()).await;
    let source = &cluster.stage.source;
    source.fault(POISON, Fault::Stall { after: 500 }, Times::Always);
    let report = Report::in_home(&cluster.stage.home);
    let coordinator = cluster.mirror().arg("--report").arg(report.path());
    let coordinator = coordinator.deadline(LONG).spawn();
    let worker = || {
        let worker = cluster.worker().args(["--workers", "2", "--attempts", "3"]);
        worker.deadline(LONG).spawn()
    };
    for _ in 0..3 {
        let worker = worker();
        source.held().await;
        worker.kill9();
        worker.wait().await.assert_killed();
    }
    let mut last = worker();
    says(&mut last, "given up").await;
    coordinator.wait().await.assert_code(1);
    last.term();
    last.wait().await.assert_code(0);
    source.heal();
    all_but_the_poison(cluster, report, 3, "the worker's death").await;
}

#[tokio::test]
async fn a_task_that_the_broker_gave_up_delivering_fails_and_the_rest_is_done_and_published() {
    let mut cluster = with_poison(Listing::indexed()).await;
    let report = Report::in_home(&cluster.stage.home);
    let coordinator = cluster.mirror().arg("--report").arg(report.path());
    let coordinator = coordinator.deadline(LONG).spawn();
    let queued = |depths: Depths| depths.ready as usize == BUILDS + 1;
    let everything = cluster.servers.until("everything to be queued", queued);
    everything.await;

    // What a broker does that delivered a message a thousand times, done by hand.
    let wire = Wire::to(&RabbitMq::shared().await.unwrap().url()).await;
    let queue = format!("{}.v1", cluster.servers.queue_name);
    for message in wire.take_all(&queue).await {
        let task: Value = serde_json::from_slice(&message.data).unwrap();
        let to = match task["package"]["name"] == "poison" {
            true => format!("{queue}.dead"),
            false => queue.clone(),
        };
        wire.put(&to, &message.data).await;
    }
    let worker = cluster.worker().deadline(LONG).spawn();
    coordinator.wait().await.assert_code(1);
    worker.term();
    worker.wait().await.assert_code(0);

    let entry = report.entry(POISON);
    assert_eq!(entry["outcome"], "failed", "{entry:#}");
    let cause = entry["cause"].as_str().unwrap();
    assert!(cause.contains("nobody could work on its task"), "{cause}");
    assert_eq!(report.read()["summary"]["totals"]["done"], BUILDS);
    assert_eq!(cluster.stage.downloads_of(POISON), 0);
    assert_eq!(cluster.servers.depths().await.dead, 0);
    cluster.stage.channel.remove(POISON).unwrap();
    cluster.assert_complete().await;
}

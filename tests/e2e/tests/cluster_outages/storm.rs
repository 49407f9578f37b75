//! Registries that take only so many writes a minute.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Options, WriteLimit};

use crate::support::LONG;

const WORKERS: usize = 4;
const PER_MINUTE: u32 = 300;

/// A registry that answers 429 above its rate, and four workers who have one try for each build.
async fn mirrored(limit: WriteLimit, rate: Option<u32>) -> Cluster {
    let options = Options {
        write_limit: Some(limit),
        ..Options::default()
    };
    let stage = Stage::registry_with(options, |dir| bulk(dir, 20, 3_000)).await;
    let cluster = Cluster::around(stage, Servers::shared().await);
    let rate = rate.map(|rate| rate.to_string());
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let mut worker = cluster.worker().args(["--workers", "4", "--attempts", "1"]);
            if let Some(rate) = &rate {
                let host = cluster.stage.fake().addr().to_string();
                worker = worker.args(["--max-writes-per-minute", rate, "--registry", &host]);
            }
            worker.deadline(LONG).spawn()
        })
        .collect();
    let report = Report::in_home(&cluster.stage.home);
    let mut coordinator = cluster.mirror().arg("--report").arg(report.path());
    if let Some(rate) = &rate {
        coordinator = coordinator.args(["--max-writes-per-minute", rate]);
    }
    coordinator.deadline(LONG).run().await.assert_code(0);
    for worker in workers {
        worker.term();
        worker.wait().await.assert_code(0);
    }
    assert_eq!(report.read()["summary"]["totals"]["done"], 20);
    cluster
}

fn refused(cluster: &Cluster) -> usize {
    let log = cluster.stage.fake().log();
    log.select(|entry| entry.status == Some(429)).len()
}

#[tokio::test]
async fn four_workers_together_stay_within_the_rate_of_the_registry() {
    // Permits are given by the second, and requests may be a second late.
    let limit = WriteLimit {
        per_minute: PER_MINUTE,
        at_once: PER_MINUTE / 60 * 5,
    };
    let cluster = mirrored(limit, Some(PER_MINUTE)).await;
    assert_eq!(refused(&cluster), 0, "{}", cluster.stage.log());
    cluster.assert_complete().await;
}

#[tokio::test]
async fn a_storm_of_429_counts_no_try() {
    // So few that some requests are refused more often than one waits for, and their tasks go back to the queue.
    let limit = WriteLimit {
        per_minute: 600,
        at_once: 4,
    };
    let cluster = mirrored(limit, None).await;
    assert!(refused(&cluster) > 0, "there was a storm");
    assert!(cluster.stage.downloads().values().all(|count| *count >= 1));
    cluster.assert_complete().await;
}

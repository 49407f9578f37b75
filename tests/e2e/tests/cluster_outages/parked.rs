//! A registry that wants to be left alone for longer than a task is kept in hand.

use std::time::Duration;

use mirror_e2e::cluster::{Cluster, Depths, Servers};
use mirror_e2e::stage::Stage;
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Fault, Kind, When};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::{LONG, says, times, worker};

const BUILDS: usize = 12;
/// A minute is waited out with a task in hand.
const SECONDS: u64 = 90;
const RESTS: &str = "takes no tasks for a while";

#[tokio::test]
async fn tasks_go_back_to_the_queue_and_those_who_watch_see_why() {
    let stage = Stage::registry(|dir| bulk(dir, BUILDS, 3_000)).await;
    let cluster = Cluster::around(stage, Servers::shared().await);
    let upload = When::kind(Kind::UploadPost).repository_ending("/bulk-00003");
    let plea = Fault::too_many_requests(SECONDS);
    cluster.stage.fake().fault(upload.nth(1), plea);
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    let mut workers = Vec::new();
    // The second one learns it from Redis.
    for _ in 0..2 {
        let mut worker = worker(&cluster).spawn();
        says(&mut worker, RESTS).await;
        workers.push(worker);
    }
    let back = |depths: Depths| {
        let done = cluster.stage.held(&cluster.stage.view()).len();
        (depths.ready + depths.delayed) as usize == BUILDS - done
    };
    cluster.servers.until("the others to be back", back).await;

    // Workers say how they are now and then.
    let started = Instant::now();
    loop {
        let seen = status(&cluster).await;
        let host = cluster.stage.fake().addr().to_string();
        let parked = seen["parked"].as_array().unwrap();
        assert!(parked.iter().any(|one| one["host"] == *host), "{seen:#}");
        let listed = seen["workers"]["listed"].as_array().unwrap();
        // Other tests have workers on the same Redis.
        let waits = |one: &&Value| one["waits"].as_str().unwrap_or("").contains("left alone");
        if listed.iter().filter(waits).count() >= 2 {
            break;
        }
        assert!(started.elapsed() < LONG, "{seen:#}");
        sleep(Duration::from_millis(200)).await;
    }

    let ended = coordinator.wait().await;
    ended.assert_code(0);
    // Nothing was lost, so nothing is queued again.
    assert_eq!(times(&ended, "queued again"), 0, "{}", ended.to_text());
    for worker in workers {
        worker.term();
        worker.wait().await.assert_code(0);
    }
    cluster.assert_complete().await;
}

async fn status(cluster: &Cluster) -> Value {
    let status = cluster.stage.command_in("status", &cluster.stage.home);
    let status = status.args(cluster.servers.options()).arg("--json");
    let ended = status.run().await;
    ended.assert_code(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.to_text()))
}

//! The registry goes away and comes back.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::{Location, Options};
use mirror_kit::servers::Door;

use crate::support::{BUILDS, Midst, assert_says_once, forty, says, worker};

#[tokio::test]
async fn workers_outlive_a_registry_that_goes_away_and_comes_back() {
    let options = Options {
        // It does not know the door before it.
        location: Location::Relative,
        ..Options::default()
    };
    let stage = Stage::registry_with(options, forty).await;
    let mut door = Door::open_before(stage.fake().addr()).unwrap();
    let cluster = Cluster::around(stage, Servers::shared().await);
    let registry = format!("http://{}/{NAMESPACE}", door.addr());
    let coordinator = mirror(&cluster.stage.home, cluster.stage.source.url(), registry)
        .args(["--subdir", "linux-64"])
        .args(cluster.servers.options());
    let workers = [worker(&cluster), worker(&cluster)];
    let mut midst = Midst::with(&cluster.stage, coordinator, workers).await;
    door.shut().await.unwrap();
    midst.go_on();
    for worker in &mut midst.workers {
        says(worker, "nobody answers").await;
    }
    let waits = |depths: mirror_e2e::cluster::Depths| depths.delayed > BUILDS as u32 / 2;
    cluster.servers.until("builds to wait", waits).await;
    door.open().unwrap();
    let ended = midst.ends(&cluster).await;
    for worker in &ended.workers {
        assert_says_once(worker, ["nobody answers", "answers again"], 2);
    }
}

//! One worker is cut off from one of the servers. The other one goes on meanwhile, and both after.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::servers::{Door, RabbitMq, RedisServer};

use crate::support::{
    BROKER, Midst, REDIS, SLOTS, assert_says_once, forty, says, troubles, worker,
};

async fn shared() -> Cluster {
    Cluster::around(Stage::registry(forty).await, Servers::shared().await)
}

/// Cuts the first worker off while the other one goes on, and until both have been at work again.
async fn cut(cluster: &Cluster, mut midst: Midst, mut door: Door, said: [&str; 2]) {
    door.shut().await.unwrap();
    let manifests = When::kind(Kind::ManifestPut).from_nth(11);
    let later = cluster.stage.fake().hold(manifests);
    midst.go_on();
    says(&mut midst.workers[0], said[0]).await;
    later.held_count(SLOTS).await;
    door.open().unwrap();
    // One more is a manifest of who was cut off.
    later.held_count(SLOTS + 1).await;
    later.release();
    says(&mut midst.workers[0], said[1]).await;
    let ended = midst.ends(cluster).await;
    assert_says_once(&ended.workers[0], said, 2);
    // Who was not cut off has nothing to say.
    for other in [&ended.workers[1], &ended.coordinator] {
        assert_eq!(troubles(other), 0, "{}", other.to_text());
    }
}

#[tokio::test]
async fn a_worker_that_is_cut_off_from_the_broker_goes_on_and_comes_back() {
    let mut cluster = shared().await;
    let broker = RabbitMq::shared().await.unwrap();
    let door = Door::open_before(broker.addr()).unwrap();
    let behind = format!("amqp://guest:guest@{}/%2f", door.addr());
    let direct = std::mem::replace(&mut cluster.servers.queue, behind);
    let first = worker(&cluster);
    cluster.servers.queue = direct;
    let workers = [first, worker(&cluster)];
    let midst = Midst::with(&cluster.stage, cluster.mirror(), workers).await;
    cut(&cluster, midst, door, BROKER).await;
}

#[tokio::test]
async fn a_worker_that_is_cut_off_from_redis_goes_on_and_comes_back() {
    let mut cluster = shared().await;
    let redis = RedisServer::shared().await.unwrap();
    let door = Door::open_before(redis.addr()).unwrap();
    let behind = format!("redis://{}", door.addr());
    let direct = std::mem::replace(&mut cluster.servers.state, behind);
    let first = worker(&cluster);
    cluster.servers.state = direct;
    let workers = [first, worker(&cluster)];
    let midst = Midst::with(&cluster.stage, cluster.mirror(), workers).await;
    cut(&cluster, midst, door, REDIS).await;
}

#[tokio::test]
async fn a_worker_that_is_cut_off_from_the_registry_goes_on_and_comes_back() {
    let cluster = shared().await;
    let address = cluster.stage.fake().addr();
    let door = Door::open_before(address).unwrap();
    // Tasks name the registry, so the door is the worker's proxy, for all but the channel.
    let registry = format!("http://localhost:{}/{NAMESPACE}", address.port());
    let coordinator = mirror(&cluster.stage.home, cluster.stage.source.url(), registry)
        .args(["--subdir", "linux-64"])
        .args(cluster.servers.options());
    let first = worker(&cluster)
        .env("HTTP_PROXY", format!("http://{}", door.addr()))
        .env("NO_PROXY", "127.0.0.1");
    let workers = [first, worker(&cluster)];
    let midst = Midst::with(&cluster.stage, coordinator, workers).await;
    cut(&cluster, midst, door, ["nobody answers", "answers again"]).await;
}

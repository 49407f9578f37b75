//! Redis forgets everything.

use std::collections::BTreeMap;
use std::time::Duration;

use mirror_e2e::cluster::Cluster;
use mirror_e2e::mirror::Report;
use mirror_e2e::readiness::{free_port, ready, unready};
use tokio::time::{Instant, sleep};

use crate::support::{Ended, FORGOT, LONG, Midst, REDIS, SLOTS, own, says, times, worker};

/// Kills Redis, and starts it again when the coordinator has noticed.
async fn restart(cluster: &mut Cluster, midst: &mut Midst) {
    cluster.servers.redis().stop();
    // Workers ask it now and then only, while their transfers stand.
    says(&mut midst.coordinator, REDIS[0]).await;
    cluster.servers.redis().start().await.unwrap();
}

/// The coordinator sees that Redis lost something, once; then the run goes on to its end.
async fn ends_having_planned_anew(cluster: &Cluster, mut midst: Midst) -> Ended {
    says(&mut midst.coordinator, FORGOT).await;
    midst.go_on();
    let ended = midst.ends(cluster).await;
    assert_eq!(times(&ended.coordinator, FORGOT), 1);
    ended
}

#[tokio::test]
async fn a_redis_that_restarts_and_remembers_nothing_costs_no_finished_file() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    restart(&mut cluster, &mut midst).await;
    let ended = ends_having_planned_anew(&cluster, midst).await;
    crate::support::assert_says_once(&ended.coordinator, REDIS, 3);
    for worker in &ended.workers {
        let [lost, back] = REDIS.map(|words| times(worker, words));
        assert!(lost <= 1 && back == lost, "{}", worker.to_text());
    }
}

#[tokio::test]
async fn a_redis_that_is_flushed_costs_no_finished_file_and_the_report_names_each_file_once() {
    let mut cluster = own().await;
    let report = Report::in_home(&cluster.stage.home);
    let coordinator = cluster.mirror().arg("--report").arg(report.path());
    let workers = [worker(&cluster), worker(&cluster)];
    let midst = Midst::with(&cluster.stage, coordinator, workers).await;
    cluster.servers.redis().flush().unwrap();
    ends_having_planned_anew(&cluster, midst).await;
    let entries = report.read()["files"].as_array().unwrap().clone();
    let mut named = BTreeMap::new();
    for entry in entries {
        // What was done under the first plan may be held already at the second.
        let outcome = entry["outcome"].as_str().unwrap();
        assert!(["done", "held"].contains(&outcome), "{entry:#}");
        let file = entry["file"].as_str().unwrap().to_owned();
        *named.entry(file).or_insert(0) += 1;
    }
    let once = cluster.stage.channel.mirrored();
    let once: BTreeMap<_, _> = once.map(|file| (file.file_name.clone(), 1)).collect();
    assert_eq!(named, once);
}

/// Waits until the coordinator has asked Redis so often whether it is well. In between it takes in what was done.
async fn is_asked(cluster: &mut Cluster, times: u64) {
    let mut beats = || -> u64 {
        let redis = cluster.servers.redis();
        let keys = redis.cli(&["KEYS", "*beats"]).unwrap();
        let beats = |key| redis.cli(&["GET", key]).unwrap().parse::<u64>().unwrap();
        keys.lines().map(beats).sum()
    };
    let (until, started) = (beats() + times, Instant::now());
    while beats() < until {
        assert!(started.elapsed() < LONG, "nobody asks Redis");
        sleep(Duration::from_millis(50)).await;
    }
}

/// As a server does that was killed and reads the snapshot it made some time before, or a copy that lagged behind.
#[tokio::test]
async fn a_redis_that_comes_back_older_costs_no_finished_file_and_leaves_none_out() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.redis().cli(&["SAVE"]).unwrap();
    // These are taken in, and then no longer known.
    midst.go_one_step(&cluster.stage).await;
    midst.kept.note(&cluster.stage);
    midst.hold.held_count(midst.workers.len() * SLOTS).await;
    is_asked(&mut cluster, 3).await;
    restart(&mut cluster, &mut midst).await;
    ends_having_planned_anew(&cluster, midst).await;
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_while_redis_is_away_ends_in_order() {
    let mut cluster = own().await;
    let brief = || worker(&cluster).args(["--grace", "1s"]);
    let workers = [brief(), brief()];
    let mut midst = Midst::with(&cluster.stage, cluster.mirror(), workers).await;
    cluster.servers.redis().stop();
    for worker in std::mem::take(&mut midst.workers) {
        worker.term();
        // It cannot say that it gives its claims up.
        worker.wait().await.assert_code(0);
    }
    cluster.servers.redis().start().await.unwrap();
    midst.workers.push(worker(&cluster).spawn());
    midst.go_on();
    midst.ends(&cluster).await;
}

#[tokio::test]
async fn a_worker_without_broker_or_redis_says_that_it_takes_no_tasks() {
    let mut cluster = own().await;
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let worker = worker(&cluster).args(["--listen", &listen]).spawn();
    ready(port, &worker).await;
    cluster.servers.broker().stop();
    unready(port, &worker, "the broker").await;
    cluster.servers.broker().start().await.unwrap();
    ready(port, &worker).await;
    cluster.servers.redis().stop();
    unready(port, &worker, "Redis").await;
    cluster.servers.redis().start().await.unwrap();
    ready(port, &worker).await;
    worker.term();
    worker.wait().await.assert_code(0);
}

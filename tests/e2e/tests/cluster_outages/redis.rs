//! Redis forgets everything.

use std::collections::BTreeMap;

use mirror_e2e::mirror::Report;

use crate::support::{FORGOT, Midst, REDIS, own, says, times, worker};

#[tokio::test]
async fn a_redis_that_restarts_and_remembers_nothing_costs_no_finished_file() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.redis().stop();
    // Workers ask it now and then only, while their transfers stand.
    says(&mut midst.coordinator, REDIS[0]).await;
    cluster.servers.redis().start().await.unwrap();
    says(&mut midst.coordinator, FORGOT).await;
    midst.go_on();
    let ended = midst.ends(&cluster).await;
    assert_eq!(times(&ended.coordinator, FORGOT), 1);
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
    let mut midst = Midst::with(&cluster.stage, coordinator, workers).await;
    cluster.servers.redis().flush().unwrap();
    says(&mut midst.coordinator, FORGOT).await;
    midst.go_on();
    let ended = midst.ends(&cluster).await;
    assert_eq!(times(&ended.coordinator, FORGOT), 1);
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

//! Sharded clients are told the same as others, record by record, at every publication.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::{SHARD, SHARD_INDEX};
use mirror_kit::channel::{Listing, standard};
use mirror_kit::fake_registry::{Fault, Kind, RegistryView, When};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Home;
use rattler_conda_types::ShardedRepodata;
use serde_json::Value;

use crate::msgpack::unpacked;
use crate::support::{index_repository, many};

/// Records by file name, from an index or a shard of it.
fn records(document: &Value, found: &mut BTreeMap<String, Value>) {
    let mut take = |section: &Value, extension: &str| {
        for (file, record) in section.as_object().into_iter().flatten() {
            let before = found.insert(format!("{file}{extension}"), record.clone());
            assert_eq!(before, None, "{file} is listed twice");
        }
    };
    take(&document["packages"], "");
    take(&document["packages.conda"], "");
    for (extension, section) in document["v3"].as_object().into_iter().flatten() {
        take(section, &format!(".{extension}"));
    }
}

/// Records of all shards of a subdir, each in the shard of its name.
fn sharded(view: &RegistryView, subdir: &str) -> BTreeMap<String, Value> {
    let (_, index) = view
        .layer(&format!("{subdir}/repodata.json"), "latest", SHARD_INDEX)
        .unwrap();
    let index: ShardedRepodata =
        rmp_serde::from_slice(&zstd::decode_all(&*index).unwrap()).unwrap();
    let mut all = BTreeMap::new();
    for (name, hash) in &index.shards {
        let tag: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let (_, shard) = view
            .layer(&format!("{subdir}/repodata.json/shards"), &tag, SHARD)
            .unwrap();
        let mut of_shard = BTreeMap::new();
        records(&unpacked(&shard), &mut of_shard);
        assert!(!of_shard.is_empty(), "an empty shard of {name}");
        for record in of_shard.values() {
            assert_eq!(record["name"], **name);
        }
        all.extend(of_shard);
    }
    all
}

fn assert_alike(view: &RegistryView, subdir: &str) {
    let mut classic = BTreeMap::new();
    records(&view.index(subdir).unwrap(), &mut classic);
    let sharded = sharded(view, subdir);
    let keys = |map: &BTreeMap<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&classic), keys(&sharded), "{subdir}");
    for (file, record) in &classic {
        assert_eq!(sharded[file], *record, "{subdir} {file}");
    }
}

/// From now on every publication is compared, as it happens.
fn compare_each(stage: &Stage) {
    stage.fake().on_manifest_put(|view, repository, tag| {
        if let (Some(subdir), "latest") = (repository.strip_suffix("/repodata.json"), tag) {
            assert_alike(view, subdir);
        }
    });
}

#[tokio::test]
async fn of_a_channel_with_everything_in_it() {
    let stage = Stage::registry(standard).await;
    compare_each(&stage);
    stage
        .run()
        .args(["-p", "z*", "-p", "odd"])
        .run()
        .await
        .assert_code(0);
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    for subdir in ["linux-64", "noarch"] {
        assert_alike(&stage.view(), &stage.subdir(subdir));
    }
}

#[tokio::test]
async fn of_a_channel_that_grows_changes_and_shrinks() {
    let mut stage = Stage::registry(many(12)).await;
    compare_each(&stage);
    stage.run().run().await.assert_code(0);
    stage
        .channel
        .add(PackageSpec::new("p003", "2.0", "0"), Listing::indexed())
        .unwrap();
    stage.run().run().await.assert_code(0);
    stage.channel.replace("p004-1.0-0.conda").unwrap();
    stage.run().run().await.assert_code(0);
    stage.channel.remove("p005-1.0-0.conda").unwrap();
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn while_a_long_fill_publishes_again_and_again() {
    let stage = Stage::registry(many(12)).await;
    compare_each(&stage);
    let run = stage
        .run()
        .args(["--publish-every", "0s", "--workers", "1"]);
    run.run().await.assert_code(0);
    stage.assert_complete();
    let puts = stage
        .fake()
        .log()
        .count_in(&index_repository(&stage), Kind::ManifestPut);
    assert!(puts > 1, "published {puts} times");
}

#[tokio::test]
async fn a_long_fill_publishes_again_only_when_something_settled_since() {
    let stage = Stage::registry(many(12)).await;
    // Time to publish a hundred times.
    stage.source.latency(Duration::from_millis(50));
    let run = stage
        .run()
        .args(["--publish-every", "0s", "--workers", "1"]);
    // Each file may be a reason once, and the end of each subdir.
    let run = run.kill_at_nth("before-index", 12 + 2 + 1);
    run.run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn only_the_shards_that_changed_are_pushed() {
    let mut stage = Stage::registry(many(12)).await;
    stage.run().run().await.assert_code(0);
    let shards = format!("{NAMESPACE}/channel/linux-64/repodata.json/shards");
    assert_eq!(stage.fake().tags(&shards).len(), 12);
    stage.fake().log().clear();
    stage
        .channel
        .add(PackageSpec::new("p003", "2.0", "0"), Listing::indexed())
        .unwrap();
    stage.run().run().await.assert_code(0);
    let puts = stage.fake().log().count_in(&shards, Kind::ManifestPut);
    assert_eq!(puts, 1, "{}", stage.log());
}

#[tokio::test]
async fn no_shard_waits_for_another() {
    let stage = Stage::registry(many(40)).await;
    compare_each(&stage);
    let shards = "/linux-64/repodata.json/shards";
    // The config comes first.
    let blob = When::kind(Kind::UploadPut).repository_ending(shards).nth(2);
    let manifest = When::kind(Kind::ManifestPut)
        .repository_ending(shards)
        .nth(39);
    let (blob, manifest) = (stage.fake().hold(blob), stage.fake().hold(manifest));
    let running = stage.run().spawn();
    manifest.held().await;
    assert_eq!(blob.count(), 1, "{}", stage.log());
    manifest.release();
    blob.release();
    running.wait().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_shard_that_the_registry_loses_among_others_is_the_only_one_pushed_again() {
    let stage = Stage::registry(many(40)).await;
    compare_each(&stage);
    let shards = "/linux-64/repodata.json/shards";
    let when = When::kind(Kind::UploadPut)
        .repository_ending(shards)
        .nth(20);
    stage.fake().fault(when, Fault::LoseBlob);
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    let repository = format!("{}/shards", index_repository(&stage));
    let log = stage.fake().log();
    let sent = log.select(|entry| {
        let there = entry.repository.as_deref() == Some(&repository);
        // The config has two bytes.
        there && entry.kind == Kind::UploadPut && entry.received > 2
    });
    assert_eq!(sent.len(), 40 + 1, "{}", stage.log());
}

#[tokio::test]
async fn of_an_index_whose_files_are_gone_all_shards_are_pushed_again() {
    let stage = Stage::registry(many(12)).await;
    compare_each(&stage);
    stage.run().run().await.assert_code(0);
    let lost = (0..12).map(|number| format!("{}/p{number:03}", stage.subdir("linux-64")));
    for repository in lost.chain([format!("{}/shards", index_repository(&stage))]) {
        assert!(stage.fake().delete_repository(&repository), "{repository}");
    }
    // All that another machine knows is what the index says.
    let elsewhere = Home::new();
    stage.run_in(&elsewhere).run().await.assert_code(0);
    assert_alike(&stage.view(), &stage.subdir("linux-64"));
    stage.assert_complete();
}

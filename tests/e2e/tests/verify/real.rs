//! A real registry, damaged by its own DELETE requests and in its storage.

use mirror_e2e::judged::assert_all_is_downloaded;
use mirror_e2e::mirror::{Report, command};
use mirror_e2e::stored::{MANIFEST, PACKAGE_CONDA, SHARD_INDEX, digest_of_layer};
use mirror_kit::channel::Channel;
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::judge::Judge;
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::DockerRegistry;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{assert_described, few, found, repaired, shard_hashes};

/// A mirror of [`few`] in a registry of its own.
struct Mirrored {
    registry: DockerRegistry,
    channel: Channel,
    upstream: FakeChannel,
    home: Home,
    client: reqwest::Client,
    _dir: TempDir,
}

impl Mirrored {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let channel = few(dir.path().join("few")).unwrap();
        let mirrored = Self {
            registry: DockerRegistry::launch().await.unwrap(),
            upstream: FakeChannel::start(&channel.dir).await.unwrap(),
            home: Home::new(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            channel,
            _dir: dir,
        };
        mirrored.command("mirror").run().await.assert_code(0);
        mirrored
    }

    fn command(&self, name: &str) -> Run {
        let to = format!("{}/ns", self.registry.url());
        command(name, &self.home, self.upstream.url(), to)
    }

    fn url(&self, rest: &str) -> String {
        let (base, channel) = (self.registry.url(), &self.channel.name);
        format!("{base}/v2/ns/{channel}/linux-64/{rest}")
    }

    async fn manifest(&self, repository: &str, tag: &str) -> (String, Value) {
        let url = self.url(&format!("{repository}/manifests/{tag}"));
        let answer = self.client.get(url).header("accept", MANIFEST).send();
        let answer = answer.await.unwrap().error_for_status().unwrap();
        let digest = answer.headers()["docker-content-digest"]
            .to_str()
            .unwrap()
            .to_owned();
        (digest, answer.json().await.unwrap())
    }

    async fn digest(&self, repository: &str, tag: &str, media_type: &str) -> String {
        let (_, manifest) = self.manifest(repository, tag).await;
        digest_of_layer(&manifest, media_type).unwrap()
    }

    async fn delete(&self, rest: &str) {
        let answer = self.client.delete(self.url(rest)).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{rest}");
    }

    async fn delete_manifest(&self, repository: &str, tag: &str) {
        let (digest, _) = self.manifest(repository, tag).await;
        self.delete(&format!("{repository}/manifests/{digest}"))
            .await;
    }

    async fn report(&self, options: &[&str], code: i32) -> Value {
        let report = Report::in_home(&self.home);
        let run = self.command("verify").args(options);
        let finished = run.arg("--report").arg(report.path()).run().await;
        finished.assert_code(code);
        let report = report.read();
        assert_described(&report);
        report
    }
}

#[tokio::test]
async fn what_was_deleted_from_it_is_named_and_mended_and_a_client_reads_it() {
    let mirrored = Mirrored::new().await;
    mirrored.report(&["--deep"], 0).await;
    let package = mirrored.digest("one", "1.0-0", PACKAGE_CONDA).await;
    mirrored.delete(&format!("one/blobs/{package}")).await;
    mirrored.delete_manifest("many", "2.0-0").await;
    let shards = mirrored
        .digest("repodata.json", "latest", SHARD_INDEX)
        .await;
    let url = mirrored.url(&format!("repodata.json/blobs/{shards}"));
    let bytes = mirrored
        .client
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let two = shard_hashes(&bytes)["two"].clone();
    mirrored.delete_manifest("repodata.json/shards", &two).await;

    let damages = [
        "blob-missing one-1.0-0.conda",
        "manifest-missing many-2.0-0.conda",
        "shard-missing two",
    ];
    let seen = mirrored.report(&[], 1).await;
    assert_eq!(found(&seen, "damage"), damages, "{seen:#}");
    let mended = mirrored.report(&["--repair"], 0).await;
    assert_eq!(repaired(&mended), damages.len(), "{mended:#}");
    mirrored.report(&["--deep"], 0).await;
    let judge = Judge::new(mirrored.registry.addr()).await.unwrap();
    let path = format!("ns/{}", mirrored.channel.name);
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &path, &mirrored.channel, sharded).await;
    }
}

#[tokio::test]
async fn bytes_that_the_registry_will_not_replace_are_still_said_to_be_wrong() {
    let mirrored = Mirrored::new().await;
    let digest = mirrored.digest("one", "1.0-0", PACKAGE_CONDA).await;
    let hex = digest.strip_prefix("sha256:").unwrap();
    let blobs = mirrored
        .registry
        .storage()
        .join("docker/registry/v2/blobs/sha256");
    let data = blobs.join(&hex[..2]).join(hex).join("data");
    let whole = std::fs::read(&data).unwrap();
    let mut changed = whole.clone();
    changed[100] ^= 1;
    std::fs::write(&data, changed).unwrap();
    mirrored.report(&[], 0).await;
    let named = ["blob-bytes one-1.0-0.conda"];
    let seen = mirrored.report(&["--deep"], 1).await;
    assert_eq!(found(&seen, "damage"), named, "{seen:#}");
    // `distribution` keeps the bytes that it has of a digest, whatever is pushed.
    let kept = mirrored.report(&["--deep", "--repair"], 1).await;
    assert_eq!(found(&kept, "damage"), named, "{kept:#}");
    std::fs::remove_file(&data).unwrap();
    mirrored.report(&["--deep", "--repair"], 0).await;
    assert_eq!(std::fs::read(&data).unwrap(), whole);
}

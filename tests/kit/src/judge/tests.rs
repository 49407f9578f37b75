//! The judge before the product exists: a layout written by hand, pushed over
//! plain HTTP.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use rattler_digest::{Md5, compute_bytes_digest};
use serde_json::{Value, json};

use super::Judge;
use crate::fake_registry::{Anonymous, Auth, Bearer, FakeRegistry, Options, sha256_digest};

const CHANNEL: &str = "ns/made";
const PACKAGE: &str = "application/vnd.conda.package.v2";
const REPODATA: &str = "application/vnd.conda.repodata.v1+json";

/// Pushes blobs and manifest by the specification's plain requests.
struct Pusher {
    client: reqwest::Client,
    base: String,
}

impl Pusher {
    fn new(registry: &FakeRegistry) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            client,
            base: registry.url(),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        request.send().await.unwrap().error_for_status().unwrap()
    }

    async fn blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let uploads = format!("{}/v2/{repository}/blobs/uploads/", self.base);
        let started = self.send(self.client.post(uploads)).await;
        let location = started.headers()["location"].to_str().unwrap();
        let mut url = started.url().join(location).unwrap();
        let digest = sha256_digest(bytes);
        url.query_pairs_mut().append_pair("digest", &digest);
        self.send(self.client.put(url).body(bytes.to_vec())).await;
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    async fn manifest(&self, repository: &str, tag: &str, layers: &[(&str, Vec<u8>)]) {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let config = self
            .blob(repository, "application/vnd.unknown.config.v1+json", b"{}")
            .await;
        let mut descriptors = Vec::new();
        for (media_type, bytes) in layers {
            descriptors.push(self.blob(repository, media_type, bytes).await);
        }
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": descriptors,
        });
        let url = format!("{}/v2/{repository}/manifests/{tag}", self.base);
        let put = self.client.put(url).header("content-type", media_type);
        self.send(put.body(manifest.to_string())).await;
    }

    /// Two packages, `app` needs `_lib`; the index, and shards if wanted.
    async fn channel(&self, with_shards: bool) {
        let mut records = BTreeMap::new();
        for (name, version, repository, tag, depends) in [
            ("app", "2.0+x", "app", "2.0__p__x-0", vec!["_lib >=1"]),
            ("_lib", "1!1.0", "zzz_lib", "1__e__1.0-0", vec![]),
        ] {
            let bytes = content(name);
            let repository = format!("{CHANNEL}/noarch/{repository}");
            self.manifest(&repository, tag, &[(PACKAGE, bytes.clone())])
                .await;
            records.insert(
                format!("{name}-{version}-0.conda"),
                json!({
                    "name": name, "version": version, "build": "0", "build_number": 0,
                    "depends": depends, "subdir": "noarch", "noarch": "generic",
                    "size": bytes.len(),
                    "sha256": &sha256_digest(&bytes)["sha256:".len()..],
                    "md5": hex::encode(compute_bytes_digest::<Md5>(&bytes)),
                }),
            );
        }
        let index = json!({
            "info": {"subdir": "noarch"}, "packages": {}, "packages.conda": records,
            "repodata_version": 1,
        });
        let plain = index.to_string().into_bytes();
        let zst = zstd::encode_all(&*plain, 3).unwrap();
        let mut layers = vec![
            (REPODATA, plain),
            ("application/vnd.conda.repodata.v1+json+zst", zst),
        ];
        if with_shards {
            let shards = self.shards(&records).await;
            layers.push((
                "application/vnd.conda.repodata.shards.v1+msgpack+zst",
                shards,
            ));
        }
        let repository = format!("{CHANNEL}/noarch/repodata.json");
        self.manifest(&repository, "latest", &layers).await;
    }

    /// Pushes a shard for each record and makes the shard index.
    async fn shards(&self, records: &BTreeMap<String, Value>) -> Vec<u8> {
        let repository = format!("{CHANNEL}/noarch/repodata.json/shards");
        let mut hashes = BTreeMap::new();
        for (file, record) in records {
            let shard = json!({"packages": {}, "packages.conda": {file: record}});
            let shard: rattler_conda_types::Shard = serde_json::from_value(shard).unwrap();
            let shard = zstd::encode_all(&*rmp_serde::to_vec_named(&shard).unwrap(), 3).unwrap();
            let hash = sha256_digest(&shard)["sha256:".len()..].to_owned();
            let media_type = "application/vnd.conda.repodata.shard.v1+msgpack+zst";
            self.manifest(&repository, &hash, &[(media_type, shard)])
                .await;
            hashes.insert(record["name"].as_str().unwrap(), hash);
        }
        let index = json!({
            "info": {"subdir": "noarch", "base_url": "", "shards_base_url": "./shards/"},
            "shards": hashes,
        });
        let index: rattler_conda_types::ShardedRepodata = serde_json::from_value(index).unwrap();
        zstd::encode_all(&*rmp_serde::to_vec_named(&index).unwrap(), 3).unwrap()
    }
}

fn content(name: &str) -> Vec<u8> {
    format!("the bytes of {name}").repeat(1000).into_bytes()
}

#[tokio::test]
async fn the_judge_solves_and_downloads_with_and_without_shards() {
    let registry = FakeRegistry::start();
    Pusher::new(&registry).channel(true).await;
    assert_eq!(
        registry.index_breaches(&format!("{CHANNEL}/noarch")),
        Vec::<String>::new()
    );
    let judge = Judge::new(registry.addr()).await.unwrap();
    for sharded in [false, true] {
        let found = judge
            .query(CHANNEL, &["noarch"], &["app"], sharded)
            .await
            .unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        let mut solved = judge
            .solve(CHANNEL, "linux-64", &["app >=1.5"], sharded)
            .await
            .unwrap();
        solved.sort_by_key(|record| record.url.clone());
        let names: Vec<_> = solved
            .iter()
            .map(|r| r.package_record.name.as_source())
            .collect();
        assert_eq!(names, ["_lib", "app"]);
        for record in &solved {
            let bytes = content(record.package_record.name.as_source());
            assert_eq!(judge.download(record).await.unwrap(), bytes);
            assert_eq!(judge.download_by_digest(record).await.unwrap(), bytes);
        }
    }
    let unsolvable = judge.solve(CHANNEL, "linux-64", &["app >=3"], true).await;
    assert!(unsolvable.is_err());
}

#[tokio::test]
async fn a_missing_shard_index_is_no_sharded_answer() {
    let registry = FakeRegistry::start();
    Pusher::new(&registry).channel(false).await;
    let judge = Judge::new(registry.addr()).await.unwrap();
    assert_eq!(
        judge
            .query(CHANNEL, &["noarch"], &["app"], false)
            .await
            .unwrap()
            .len(),
        2
    );
    let fallback = judge
        .query(CHANNEL, &["noarch"], &["app"], true)
        .await
        .unwrap_err();
    assert!(
        fallback
            .to_string()
            .contains(r#"rattler read ["repodata.json.zst"]"#),
        "{fallback}"
    );
}

#[tokio::test]
async fn the_judge_refuses_other_bytes_and_missing_packages() {
    let registry = FakeRegistry::start();
    Pusher::new(&registry).channel(true).await;
    let judge = Judge::new(registry.addr()).await.unwrap();
    let found = judge
        .query(CHANNEL, &["noarch"], &["_lib"], true)
        .await
        .unwrap();
    let repository = format!("{CHANNEL}/noarch/zzz_lib");
    let mut other = content("_lib");
    other[0] ^= 1;
    assert!(registry.corrupt_blob(&repository, &sha256_digest(&content("_lib")), other));
    let corrupt = judge.download(&found[0]).await.unwrap_err();
    assert!(corrupt.to_string().contains("sha256"), "{corrupt}");
    registry.delete_repository(&repository);
    let missing = judge.download(&found[0]).await.unwrap_err();
    assert!(missing.to_string().contains("404"), "{missing}");
}

#[tokio::test]
async fn the_judge_logs_in_where_the_registry_asks_for_it() {
    let bearer = Bearer {
        user: Some(("me".to_owned(), "pw".to_owned())),
        anonymous: Anonymous::Nothing,
        ..Bearer::default()
    };
    let auth = Auth::Bearer(bearer);
    let registry = FakeRegistry::start_with(Options {
        auth,
        ..Options::default()
    });
    let repository = format!("{CHANNEL}/noarch/repodata.json");
    let config = registry.put_blob(&repository, "{}");
    let layer = registry.put_blob(&repository, "{\"packages\":{}}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/x", "digest": config, "size": 2},
        "layers": [{"mediaType": REPODATA, "digest": layer, "size": 15}],
    });
    registry.put_manifest(&repository, "latest", &manifest);
    let path = format!("{CHANNEL}/noarch/repodata.json");
    let stranger = Judge::new(registry.addr()).await.unwrap();
    assert!(stranger.get(&path).await.is_err());
    let judge = Judge::with_login(registry.addr(), "me", "pw")
        .await
        .unwrap();
    assert_eq!(judge.get(&path).await.unwrap(), "{\"packages\":{}}");
}

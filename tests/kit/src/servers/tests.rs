//! The launcher against the real server.
#![allow(clippy::unwrap_used)]

use super::leash::Leash;
use super::{
    DockerRegistry, DockerRegistryOptions, Door, RabbitMq, RealRegistry, RedisCluster,
    RedisOptions, RedisServer, program, skopeo,
};
use crate::fake_registry::{FakeRegistry, Kind, When, sha256_digest};
use crate::judge::Judge;
use crate::tls::TestCa;

const REPODATA: &str = "application/vnd.conda.repodata.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

async fn push(client: &reqwest::Client, base: &str, repository: &str, bytes: &'static str) {
    let uploads = format!("{base}/v2/{repository}/blobs/uploads/");
    let started = client
        .post(uploads)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let location = started.headers()["location"].to_str().unwrap();
    let mut url = started.url().join(location).unwrap();
    url.query_pairs_mut()
        .append_pair("digest", &sha256_digest(bytes.as_bytes()));
    client
        .put(url)
        .body(bytes)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
}

fn manifest() -> serde_json::Value {
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.unknown.config.v1+json",
            "digest": sha256_digest(b"{}"), "size": 2,
        },
        "layers": [{"mediaType": REPODATA, "digest": sha256_digest(b"{\"a\":1}"), "size": 7}],
    })
}

#[tokio::test]
async fn the_judge_reads_from_a_real_registry() {
    let registry = RealRegistry::start().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let repository = format!("{}/c/noarch/repodata.json", registry.namespace());
    push(&client, registry.url(), &repository, "{}").await;
    push(&client, registry.url(), &repository, "{\"a\":1}").await;
    let url = format!("{}/v2/{repository}/manifests/latest", registry.url());
    let put = client
        .put(url)
        .header("content-type", MANIFEST)
        .body(manifest().to_string());
    assert_eq!(put.send().await.unwrap().status(), 201);
    let judge = Judge::new(registry.addr()).await.unwrap();
    assert_eq!(judge.get(&repository).await.unwrap(), "{\"a\":1}");
}

#[tokio::test]
async fn what_was_pushed_survives_a_restart() {
    let mut registry = DockerRegistry::launch().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    push(&client, &registry.url(), "a", "{}").await;
    let url = format!("{}/v2/a/blobs/{}", registry.url(), sha256_digest(b"{}"));
    registry.stop();
    assert!(client.get(&url).send().await.is_err());
    registry.restart().await.unwrap();
    assert_eq!(
        client.get(&url).send().await.unwrap().text().await.unwrap(),
        "{}"
    );
    assert!(registry.storage().join("docker/registry/v2").is_dir());
}

#[tokio::test]
async fn login_and_tls_are_asked_for() {
    let ca = TestCa::new();
    let options = DockerRegistryOptions {
        login: Some(("me", "pw")),
        tls: Some(&ca),
        ..DockerRegistryOptions::default()
    };
    let registry = DockerRegistry::launch_with(&options).await.unwrap();
    let root = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .build()
        .unwrap();
    let url = format!("{}/v2/", registry.url());
    assert!(url.starts_with("https://"));
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    let login = client
        .get(&url)
        .basic_auth("me", Some("pw"))
        .send()
        .await
        .unwrap();
    assert_eq!(login.status(), 200);
}

#[tokio::test]
async fn skopeo_reads_an_image_layout() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let manifest = manifest().to_string();
    let digest = sha256_digest(manifest.as_bytes());
    std::fs::write(blobs.join(&digest["sha256:".len()..]), &manifest).unwrap();
    std::fs::write(
        folder.path().join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": MANIFEST, "digest": digest, "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "1.0-0"},
    }]});
    std::fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    let reference = format!("oci:{}:1.0-0", folder.path().display());
    assert_eq!(
        skopeo::inspect_raw(&reference).await.unwrap(),
        manifest.as_bytes()
    );
    let missing = format!("oci:{}:2.0-0", folder.path().display());
    assert!(skopeo::inspect_raw(&missing).await.is_err());
}

#[test]
fn a_missing_program_names_the_way_to_get_it() {
    let missing = program("no-such-registry").unwrap_err().to_string();
    assert!(missing.contains("./tests/run"), "{missing}");
}

#[tokio::test]
async fn a_shut_door_throws_out_who_is_inside_refuses_who_knocks_and_opens_again() {
    let server = FakeRegistry::start();
    let mut door = Door::open_before(server.addr()).unwrap();
    let url = format!("http://{}/v2/", door.addr());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let knock = || client.get(&url).send();
    assert!(knock().await.unwrap().status().is_success());

    let hold = server.hold(When::kind(Kind::Ping).nth(1));
    let inside = tokio::spawn(knock());
    hold.held().await;
    door.shut().await.unwrap();
    let thrown_out = inside.await.unwrap().unwrap_err();
    assert!(!thrown_out.is_connect(), "{thrown_out:?}");
    let refused = knock().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");

    hold.release();
    door.open().unwrap();
    assert!(knock().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_broker_is_killed_and_comes_back_on_its_port_with_its_data_or_without() {
    let mut broker = RabbitMq::launch().await.unwrap();
    let (url, vhosts) = (broker.url(), ["list_vhosts", "--silent"]);
    broker.control(&["add_vhost", "kept"]).unwrap();
    broker.stop();
    assert!(std::net::TcpStream::connect(broker.addr()).is_err());
    broker.start().await.unwrap();
    assert_eq!(broker.url(), url);
    assert!(broker.control(&vhosts).unwrap().contains("kept"));
    broker.start_empty().await.unwrap();
    assert!(!broker.control(&vhosts).unwrap().contains("kept"));
}

#[tokio::test]
async fn a_process_on_a_leash_ends_with_its_holder_and_not_when_it_is_released() {
    use std::os::unix::process::CommandExt as _;
    let sleeps = || {
        let mut command = std::process::Command::new("sleep");
        command.arg("1000").process_group(0).spawn().unwrap()
    };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (mut held, mut free) = (sleeps(), sleeps());
    let dies = Leash::on(held.id(), folders[0].path()).unwrap();
    Leash::on(free.id(), folders[1].path()).unwrap().release();
    // What a death of this process does: the pipe closes.
    drop(dies);
    held.wait().unwrap();
    while folders[0].path().exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(free.try_wait().unwrap(), None);
    assert!(folders[1].path().exists());
    free.kill().unwrap();
    free.wait().unwrap();
}

#[tokio::test]
async fn a_redis_forgets_at_a_restart_unless_told_to_keep() {
    for append_only in [false, true] {
        let options = RedisOptions {
            append_only,
            password: Some("pw"),
            directives: &[("maxmemory-policy", "allkeys-lru")],
            ..RedisOptions::default()
        };
        let mut redis = RedisServer::launch_with(&options).await.unwrap();
        redis.cli(&["SET", "a", "1"]).unwrap();
        assert!(redis.cli(&["INFO"]).unwrap().contains("allkeys-lru"));
        redis.stop();
        assert!(redis.cli(&["PING"]).is_err());
        redis.start().await.unwrap();
        let kept = redis.cli(&["EXISTS", "a"]).unwrap();
        assert_eq!(kept, if append_only { "1" } else { "0" });
        redis.flush().unwrap();
        assert_eq!(redis.cli(&["DBSIZE"]).unwrap(), "0");
        assert!(redis.info("used_memory").unwrap() > 0);
    }
}

#[tokio::test]
async fn a_redis_serves_tls_alone() {
    let ca = TestCa::new();
    let options = RedisOptions {
        tls: Some(&ca),
        ..RedisOptions::default()
    };
    let redis = RedisServer::launch_with(&options).await.unwrap();
    assert!(redis.url().starts_with("rediss://"));
    assert_eq!(redis.cli(&["PING"]).unwrap(), "PONG");
}

#[tokio::test]
async fn a_redis_cluster_serves_every_slot() {
    let mut cluster = RedisCluster::launch().await.unwrap();
    let [one, ..] = cluster.nodes() else {
        panic!("no nodes");
    };
    let info = one.cli(&["CLUSTER", "INFO"]).unwrap();
    assert!(info.contains("cluster_slots_ok:16384"), "{info}");
}

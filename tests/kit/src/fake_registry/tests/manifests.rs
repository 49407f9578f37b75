use reqwest::header::ACCEPT;
use serde_json::json;

use super::super::{FakeRegistry, Kind, Options, sha256_digest};
use super::{MANIFEST, client, code, manifest_of, manifest_url, push, put_manifest};

#[tokio::test]
async fn a_manifest_is_read_by_tag_and_digest_with_its_type_accepted() {
    let registry = FakeRegistry::start();
    let client = client();
    push(&client, &registry, "a", b"{}").await;
    push(&client, &registry, "a", b"layer").await;
    let manifest = manifest_of(b"layer");
    let digest = sha256_digest(manifest.to_string().as_bytes());
    let put = put_manifest(&client, manifest_url(&registry, "a", "1.0-0"), &manifest).await;
    assert_eq!(put.status(), 201);
    assert_eq!(put.headers()["docker-content-digest"], digest.as_str());
    for reference in ["1.0-0", &digest] {
        let url = manifest_url(&registry, "a", reference);
        let get = client
            .get(&url)
            .header(ACCEPT, MANIFEST)
            .send()
            .await
            .unwrap();
        assert_eq!(get.headers()["content-type"], MANIFEST);
        assert_eq!(get.text().await.unwrap(), manifest.to_string());
        let accept = format!("application/json, {MANIFEST};q=0.9");
        let head = client
            .head(&url)
            .header(ACCEPT, accept)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (
                head.status().as_u16(),
                &head.headers()["docker-content-digest"]
            ),
            (200, &digest.parse().unwrap())
        );
        let other = client.get(&url).header(ACCEPT, "*/*").send().await.unwrap();
        assert_eq!(code(other).await, (404, "MANIFEST_UNKNOWN".to_owned()));
    }
    assert_eq!(registry.tags("a"), ["1.0-0"]);
    assert_eq!(registry.manifest_json("a", "1.0-0").unwrap(), manifest);
    assert_eq!(registry.log().writes(), 5);
    assert_eq!(
        registry.log().counters()[&(Kind::ManifestGet, "a".to_owned())],
        4
    );
}

#[tokio::test]
async fn a_manifest_that_names_absent_blobs_is_refused() {
    let registry = FakeRegistry::start();
    let client = client();
    push(&client, &registry, "a", b"{}").await;
    push(&client, &registry, "b", b"layer").await;
    let put = put_manifest(
        &client,
        manifest_url(&registry, "a", "t"),
        &manifest_of(b"layer"),
    )
    .await;
    assert_eq!(code(put).await, (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));
    assert!(registry.tags("a").is_empty());
}

#[tokio::test]
async fn manifests_that_break_the_specification_are_refused() {
    let registry = FakeRegistry::start();
    let client = client();
    let config = registry.put_blob("a", "{}");
    let empty = registry.put_blob("a", "");
    registry.put_blob("a", "layer");
    let good = manifest_of(b"layer");
    let url = || manifest_url(&registry, "a", "t");
    assert_eq!(put_manifest(&client, url(), &good).await.status(), 201);
    let change = |pointer: &str, value: serde_json::Value| {
        let mut manifest = good.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    for bad in [
        change("/schemaVersion", json!(1)),
        change(
            "/mediaType",
            json!("application/vnd.oci.image.index.v1+json"),
        ),
        change("/layers", json!([])),
        change("/layers/0/size", json!(4)),
        change("/layers/0/mediaType", json!("")),
        change(
            "/config",
            json!({"mediaType": "x/y", "digest": empty, "size": 0}),
        ),
        change(
            "/config",
            json!({"mediaType": "x/y", "digest": config, "size": 2, "annotations": {"a": 1}}),
        ),
    ] {
        let put = put_manifest(&client, url(), &bad).await;
        assert_eq!(
            code(put).await,
            (400, "MANIFEST_INVALID".to_owned()),
            "{bad}"
        );
    }
    let wrong = manifest_url(&registry, "a", &sha256_digest(b"other"));
    let put = put_manifest(&client, wrong, &good).await;
    assert_eq!(code(put).await, (400, "DIGEST_INVALID".to_owned()));
}

#[tokio::test]
async fn a_manifest_above_the_limit_is_refused() {
    let registry = FakeRegistry::start_with(Options {
        largest_manifest: 100,
        ..Options::default()
    });
    let put = put_manifest(
        &client(),
        manifest_url(&registry, "a", "t"),
        &manifest_of(b"l"),
    )
    .await;
    assert_eq!(code(put).await, (413, "SIZE_INVALID".to_owned()));
}

#[tokio::test]
async fn deletion_is_off_unless_allowed() {
    for delete in [false, true] {
        let registry = FakeRegistry::start_with(Options {
            delete,
            ..Options::default()
        });
        let client = client();
        registry.put_blob("a", "{}");
        registry.put_blob("a", "l");
        registry.put_manifest("a", "t", &manifest_of(b"l"));
        let url = manifest_url(&registry, "a", "t");
        let status = client.delete(url).send().await.unwrap().status();
        assert_eq!(status, if delete { 202 } else { 405 });
        assert_eq!(registry.tags("a").is_empty(), delete);
    }
}

#[tokio::test]
async fn a_hook_sees_each_publication_and_its_failure_is_not_lost() {
    let registry = FakeRegistry::start();
    registry.put_blob("a", "{}");
    registry.put_blob("a", "l");
    registry.on_manifest_put(|registry, repository, tag| {
        assert_eq!(
            registry.manifest_json(repository, tag).unwrap(),
            manifest_of(b"l")
        );
        assert_ne!(tag, "bad", "this one is bad");
    });
    let client = client();
    let good = put_manifest(
        &client,
        manifest_url(&registry, "a", "t"),
        &manifest_of(b"l"),
    )
    .await;
    assert_eq!(good.status(), 201);
    registry.assert_hooks_passed();
    let bad = put_manifest(
        &client,
        manifest_url(&registry, "a", "bad"),
        &manifest_of(b"l"),
    )
    .await;
    assert_eq!(bad.status(), 500);
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(registry)));
    let said = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(
        said.contains("a:bad") && said.contains("this one is bad"),
        "{said}"
    );
}

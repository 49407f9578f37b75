use std::time::Duration;

use super::super::{FakeRegistry, Fault, Kind, When, sha256_digest};
use super::{
    blob_url, client, code, location, manifest_of, manifest_url, push, put_manifest, uploads,
    with_digest,
};

#[tokio::test]
async fn a_scripted_answer_meets_the_named_requests_only() {
    let registry = FakeRegistry::start();
    let client = client();
    let second = When::kind(Kind::UploadPut).repository("a").nth(2);
    registry.fault(second, Fault::too_many_requests(7));
    assert_eq!(push(&client, &registry, "b", b"x").await.status(), 201);
    assert_eq!(push(&client, &registry, "a", b"x").await.status(), 201);
    let throttled = push(&client, &registry, "a", &vec![7; 3_000_000]).await;
    assert_eq!(throttled.status(), 429);
    assert_eq!(throttled.headers()["retry-after"], "7");
    assert_eq!(push(&client, &registry, "a", b"y").await.status(), 201);
    assert_eq!(registry.blobs("a").len(), 2);
}

#[tokio::test]
async fn throttling_looks_as_registries_write_it() {
    let registry = FakeRegistry::start();
    let url = uploads(&registry, "a");
    registry.fault(
        When::writes().first(1),
        Fault::ghcr_too_many_requests("10.305464ms"),
    );
    registry.fault(When::writes().nth(2), Fault::secondary_rate_limit());
    registry.fault(When::writes().from_nth(3), Fault::denied());
    let body = client()
        .post(&url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        body.contains("retry-after: 10.305464ms, allowed: 2000/minute"),
        "{body}"
    );
    let body = client()
        .post(&url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(body.contains("secondary rate limit"), "{body}");
    for _ in 0..2 {
        let denied = client().post(&url).send().await.unwrap();
        assert_eq!(code(denied).await, (403, "DENIED".to_owned()));
    }
    registry.clear_faults();
    assert_eq!(client().post(&url).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_connection_breaks_in_the_body_it_is_told_to() {
    let registry = FakeRegistry::start();
    let client = client();
    registry.fault(When::kind(Kind::UploadPut), Fault::cut_after(1000));
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let bytes = vec![1; 5_000_000];
    let url = with_digest(location(&started), &sha256_digest(&bytes));
    assert!(client.put(url).body(bytes.clone()).send().await.is_err());
    let put = &registry.log().select(|entry| entry.kind == Kind::UploadPut)[0];
    assert_eq!((put.received, put.status), (1000, None));
    assert!(registry.blobs("a").is_empty());

    let digest = registry.put_blob("a", bytes);
    registry.fault(When::kind(Kind::BlobGet), Fault::cut_after(70_000));
    let mut get = client
        .get(blob_url(&registry, "a", &digest))
        .send()
        .await
        .unwrap();
    let mut read = 0;
    let broken = loop {
        match get.chunk().await {
            Ok(Some(part)) => read += part.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert_eq!((read, broken), (70_000, true));

    registry.fault(When::kind(Kind::BlobHead), Fault::cut_after(0));
    assert!(
        client
            .head(blob_url(&registry, "a", &digest))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_blob_can_be_lost_or_kept_against_what_is_said() {
    let registry = FakeRegistry::start();
    let client = client();
    registry.fault(When::kind(Kind::UploadPut).nth(1), Fault::LoseBlob);
    registry.fault(When::kind(Kind::UploadPut).nth(2), Fault::CommitButUnknown);
    registry.fault(When::kind(Kind::UploadPut).nth(3), Fault::wrong_digest());
    registry.fault(When::kind(Kind::UploadPut).nth(4), Fault::CutAnswer);
    assert_eq!(push(&client, &registry, "a", b"x").await.status(), 201);
    assert!(registry.blobs("a").is_empty());
    let unknown = push(&client, &registry, "a", b"x").await;
    assert_eq!(code(unknown).await, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    assert_eq!(registry.blobs("a").len(), 1);
    let wrong = push(&client, &registry, "a", b"y").await;
    assert_eq!(
        wrong.headers()["docker-content-digest"],
        format!("sha256:{}", "0".repeat(64))
    );
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let url = with_digest(location(&started), &sha256_digest(b"z"));
    assert!(client.put(url).body("z").send().await.is_err());
    assert_eq!(registry.blobs("a").len(), 3);
}

#[tokio::test]
async fn a_held_request_waits_until_it_is_released() {
    let registry = FakeRegistry::start();
    registry.put_blob("a", "{}");
    registry.put_blob("a", "l");
    let url = manifest_url(&registry, "a", "t");
    let put = || {
        tokio::spawn({
            let url = url.clone();
            async move {
                put_manifest(&client(), url, &manifest_of(b"l"))
                    .await
                    .status()
            }
        })
    };

    let hold = registry.hold(When::kind(Kind::ManifestPut).reference("t").nth(1));
    let waiting = put();
    hold.held().await;
    assert!(registry.tags("a").is_empty());
    hold.release();
    assert_eq!(waiting.await.unwrap(), 201);

    registry.delete_manifest("a", "t");
    let hold = registry.hold_answer(When::kind(Kind::ManifestPut));
    let waiting = put();
    hold.held().await;
    assert_eq!(registry.tags("a"), ["t"]);
    assert!(!waiting.is_finished());
    drop(hold);
    assert_eq!(waiting.await.unwrap(), 201);
}

#[tokio::test]
async fn a_download_can_be_held_in_the_middle() {
    let registry = FakeRegistry::start();
    let digest = registry.put_blob("a", vec![1; 200_000]);
    let hold = registry.hold_in_body(When::kind(Kind::BlobGet), 150_000);
    let mut get = client()
        .get(blob_url(&registry, "a", &digest))
        .send()
        .await
        .unwrap();
    let mut read = 0;
    while read < 150_000 {
        read += get.chunk().await.unwrap().unwrap().len();
    }
    hold.held().await;
    assert_eq!(read, 150_000);
    hold.release();
    assert_eq!(get.bytes().await.unwrap().len(), 50_000);
}

#[tokio::test]
async fn the_log_orders_answers_and_arrivals_on_one_clock() {
    let registry = FakeRegistry::start();
    let delay = Fault::Delay(Duration::from_millis(1));
    registry.fault(When::any(), delay);
    push(&client(), &registry, "a", b"x").await;
    let entries = registry.log().entries();
    let times: Vec<_> = entries
        .iter()
        .flat_map(|e| [Some(e.arrived), e.answered])
        .collect();
    assert_eq!(times, [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(entries[0].repository.as_deref(), Some("a"));
    registry.log().clear();
    assert_eq!(registry.log().total(), 0);
}

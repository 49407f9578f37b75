use reqwest::header::RANGE;

use super::super::{
    FakeRegistry, Fault, Kind, Location, Mount, Options, SinglePost, When, sha256_digest,
};
use super::{blob_url, client, code, location, push, uploads, with_digest};

#[tokio::test]
async fn a_pushed_blob_is_read_whole_and_in_parts() {
    let registry = FakeRegistry::start();
    let client = client();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 255) as u8).collect();
    let digest = sha256_digest(&bytes);
    let put = push(&client, &registry, "ns/a", &bytes).await;
    assert_eq!(put.status(), 201);
    assert_eq!(put.headers()["docker-content-digest"], digest.as_str());

    let url = blob_url(&registry, "ns/a", &digest);
    let head = client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "3000000");
    let get = client.get(&url).send().await.unwrap();
    assert_eq!(get.bytes().await.unwrap(), bytes);
    let part = client
        .get(&url)
        .header(RANGE, "bytes=2999990-")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        "bytes 2999990-2999999/3000000"
    );
    assert_eq!(part.bytes().await.unwrap(), bytes[2_999_990..]);
    let beyond = client
        .get(&url)
        .header(RANGE, "bytes=3000000-")
        .send()
        .await
        .unwrap();
    assert_eq!(beyond.status(), 416);

    let elsewhere = client
        .get(blob_url(&registry, "ns/b", &digest))
        .send()
        .await
        .unwrap();
    assert_eq!(code(elsewhere).await, (404, "BLOB_UNKNOWN".to_owned()));
    assert_eq!(registry.blob("ns/a", &digest).unwrap(), bytes);
    assert_eq!(registry.log().count(Kind::BlobGet), 4);
    let put = &registry.log().select(|e| e.kind == Kind::UploadPut)[0];
    assert_eq!(
        (put.received, put.content_length),
        (3_000_000, Some(3_000_000))
    );
    let get = &registry.log().select(|e| e.kind == Kind::BlobGet)[0];
    assert_eq!((get.status, get.sent), (Some(200), 3_000_000));
}

#[tokio::test]
async fn bytes_that_do_not_match_their_digest_are_refused_and_end_the_session() {
    let registry = FakeRegistry::start();
    let client = client();
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let url = with_digest(location(&started), &sha256_digest(b"right"));
    let put = client.put(url.clone()).body("wrong").send().await.unwrap();
    assert_eq!(code(put).await, (400, "DIGEST_INVALID".to_owned()));
    let again = client.put(url).body("right").send().await.unwrap();
    assert_eq!(code(again).await, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    assert_eq!(registry.open_uploads(), 0);
    assert!(registry.blobs("a").is_empty());
}

#[tokio::test]
async fn a_session_needs_the_state_of_its_last_answer() {
    let registry = FakeRegistry::start();
    let client = client();
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let mut url = location(&started);
    url.set_query(None);
    let put = client
        .put(with_digest(url, &sha256_digest(b"x")))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(code(put).await, (404, "BLOB_UPLOAD_INVALID".to_owned()));
}

#[tokio::test]
async fn chunks_come_in_order_and_not_too_large() {
    let options = Options {
        largest_chunk: Some(4),
        ..Options::default()
    };
    let registry = FakeRegistry::start_with(options);
    let client = client();
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let patch = |url, range: &str, bytes: &'static str| {
        client
            .patch(url)
            .header("content-range", range)
            .body(bytes)
            .send()
    };
    let first = patch(location(&started), "0-3", "abcd").await.unwrap();
    assert_eq!(first.status(), 202);
    assert_eq!(first.headers()["range"], "0-3");
    let gap = patch(location(&first), "5-6", "ef").await.unwrap();
    assert_eq!(gap.status(), 416);
    let next = location(&gap);
    let large = patch(next, "4-8", "efghi").await.unwrap();
    assert_eq!(large.status(), 416);
    let status = client.get(location(&large)).send().await.unwrap();
    assert_eq!(status.status(), 204);
    assert_eq!(status.headers()["range"], "0-3");
    let second = patch(location(&status), "4-5", "ef").await.unwrap();
    assert_eq!(second.status(), 202);
    let url = with_digest(location(&second), &sha256_digest(b"abcdefg"));
    let put = client.put(url).body("g").send().await.unwrap();
    assert_eq!(put.status(), 201);
    assert_eq!(
        registry.blob("a", &sha256_digest(b"abcdefg")).unwrap(),
        "abcdefg"
    );
}

#[tokio::test]
async fn a_cancelled_session_is_gone() {
    let registry = FakeRegistry::start();
    let client = client();
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let deleted = client.delete(location(&started)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let status = client.get(location(&started)).send().await.unwrap();
    assert_eq!(code(status).await, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn a_session_whose_put_breaks_off_stays_until_it_is_cancelled() {
    for cancelled_first in [false, true] {
        let registry = FakeRegistry::start();
        let client = client();
        let started = client.post(uploads(&registry, "a")).send().await.unwrap();
        let url = with_digest(location(&started), &sha256_digest(b"x"));
        let begun = registry.hold_in_body(When::kind(Kind::UploadPut), 5);
        registry.fault(When::kind(Kind::UploadPut), Fault::cut_after(5));
        let put = tokio::spawn(client.put(url).body("abcdefgh").send());
        begun.held().await;
        assert_eq!(registry.open_uploads(), 1);
        let cancel = || client.delete(location(&started)).send();
        if cancelled_first {
            assert_eq!(cancel().await.unwrap().status(), 204);
        }
        begun.release();
        put.await.unwrap().unwrap_err();
        if !cancelled_first {
            assert_eq!(registry.open_uploads(), 1);
            assert_eq!(cancel().await.unwrap().status(), 204);
        }
        assert_eq!(registry.open_uploads(), 0);
        let again = cancel().await.unwrap();
        assert_eq!(code(again).await, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    }
}

#[tokio::test]
async fn a_put_without_content_length_is_refused() {
    let registry = FakeRegistry::start();
    let client = client();
    let started = client.post(uploads(&registry, "a")).send().await.unwrap();
    let url = with_digest(location(&started), &sha256_digest(b"x"));
    let stream = futures::stream::iter([Ok::<_, std::io::Error>("x")]);
    let put = client
        .put(url)
        .body(reqwest::Body::wrap_stream(stream))
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 411);
}

#[tokio::test]
async fn single_posts_upload_only_where_the_registry_takes_them() {
    for (single_post, status, held) in [
        (SinglePost::Accepted, 201, true),
        (SinglePost::Ignored, 202, false),
    ] {
        let registry = FakeRegistry::start_with(Options {
            single_post,
            ..Options::default()
        });
        let digest = sha256_digest(b"x");
        let url = with_digest(uploads(&registry, "a").parse().unwrap(), &digest);
        let post = client().post(url).body("x").send().await.unwrap();
        assert_eq!(post.status(), status);
        assert_eq!(registry.blob("a", &digest).is_some(), held);
    }
}

#[tokio::test]
async fn mounts_answer_as_the_registry_is_told() {
    let sources = ["&from=b", "&from=c", ""];
    let expected = [
        (Mount::WithSource, [201, 202, 202]),
        (Mount::Anywhere, [201, 201, 201]),
        (Mount::Never, [202, 202, 202]),
        (Mount::Refused, [405, 405, 405]),
    ];
    for (mount, statuses) in expected {
        let registry = FakeRegistry::start_with(Options {
            mount,
            ..Options::default()
        });
        let digest = registry.put_blob("b", "x");
        for (from, status) in sources.iter().zip(statuses) {
            registry.delete_repository("a");
            let url = format!("{}?mount={digest}{from}", uploads(&registry, "a"));
            let post = client().post(url).send().await.unwrap();
            assert_eq!(post.status(), status, "{mount:?} {from}");
            assert_eq!(registry.blob("a", &digest).is_some(), status == 201);
        }
        assert_eq!(registry.log().count(Kind::Mount), 3);
    }
}

#[tokio::test]
async fn locations_are_absolute_relative_or_elsewhere() {
    for (style, start) in [
        (Location::Absolute, "http://127.0.0.1:"),
        (Location::Relative, "/v2/"),
        (Location::StorageHost, "http://localhost:"),
    ] {
        let options = Options {
            location: style,
            ..Options::default()
        };
        let registry = FakeRegistry::start_with(options);
        let client = client();
        let started = client.post(uploads(&registry, "a")).send().await.unwrap();
        let raw = started.headers()["location"].to_str().unwrap();
        assert!(raw.starts_with(start), "{raw}");
        assert_eq!(push(&client, &registry, "a", b"x").await.status(), 201);
    }
}

#[tokio::test]
async fn unrepresentable_names_get_a_bare_404() {
    let registry = FakeRegistry::start();
    let post = client()
        .post(uploads(&registry, "ns/_a"))
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 404);
    assert_eq!(post.text().await.unwrap(), "404 page not found\n");
    let long = "a".repeat(256);
    let post = client()
        .post(uploads(&registry, &long))
        .send()
        .await
        .unwrap();
    assert_eq!(code(post).await, (400, "NAME_INVALID".to_owned()));
}

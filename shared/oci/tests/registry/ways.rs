//! The ways in which a blob's bytes go: in one POST, in a session, in pieces.

use std::num::NonZeroU64;
use std::sync::Arc;

use futures::future::try_join_all;
use mirror_kit::fake_registry::Kind::{BlobHead, UploadPatch, UploadPost, UploadPut};
use mirror_kit::fake_registry::{FakeRegistry, Fault, Options, SinglePost, When};
use mirror_oci::Presence;
use mirror_oci::registry::{Address, Registry, RegistryOptions};

use crate::support::{Notes, REPOSITORY, asked, blob, holds, stranger};

fn start(single_post: SinglePost) -> FakeRegistry {
    FakeRegistry::start_with(Options {
        single_post,
        ..Options::default()
    })
}

async fn push(registry: &Registry, content: &str) {
    let (digest, body) = blob(content);
    let pushed = registry.push_blob(REPOSITORY, &digest, &body, Presence::Absent);
    pushed.await.unwrap();
}

/// POSTs that carried bytes.
fn probes(fake: &FakeRegistry) -> usize {
    let posts = fake.log().select(|entry| entry.kind == UploadPost);
    posts.iter().filter(|post| post.received > 0).count()
}

#[tokio::test]
async fn where_a_post_takes_the_whole_blob_each_costs_one_request() {
    let fake = start(SinglePost::Accepted);
    let registry = stranger(&fake);
    for content in ["one", "two"] {
        push(&registry, content).await;
        assert!(holds(&fake, REPOSITORY, content.as_bytes()));
    }
    assert_eq!(asked(&fake), [UploadPost, UploadPost]);
}

#[tokio::test]
async fn a_large_blob_goes_in_a_session_all_the_same() {
    let fake = start(SinglePost::Accepted);
    let registry = stranger(&fake);
    push(&registry, "one").await;
    push(&registry, &"x".repeat((16 << 20) + 1)).await;
    assert_eq!(asked(&fake), [UploadPost, UploadPost, UploadPut]);
}

#[tokio::test]
async fn where_it_does_not_one_probe_is_made_and_its_session_used() {
    let fake = start(SinglePost::Ignored);
    let registry = stranger(&fake);
    let contents: Vec<String> = (0..10).map(|n| format!("content {n}")).collect();
    try_join_all(contents.iter().map(|content| async {
        push(&registry, content).await;
        Ok::<_, ()>(())
    }))
    .await
    .unwrap();
    assert_eq!(probes(&fake), 1, "{}", fake.log().to_text());
    // No more than without a probe, and no session that nobody ends.
    assert_eq!(fake.log().count(UploadPost), 10);
    assert_eq!(fake.log().count(UploadPut), 10);
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn where_it_is_refused_the_blob_goes_the_other_way_and_nobody_asks_again() {
    for fault in [
        Fault::error(405, "UNSUPPORTED", "no"),
        Fault::error(400, "DIGEST_INVALID", "no body expected"),
        Fault::status(411),
    ] {
        let fake = start(SinglePost::Ignored);
        fake.fault(When::kind(UploadPost).nth(1), fault);
        let registry = stranger(&fake);
        push(&registry, "one").await;
        push(&registry, "two").await;
        let expected = [UploadPost, UploadPost, UploadPut, UploadPost, UploadPut];
        assert_eq!(asked(&fake), expected);
        assert_eq!(probes(&fake), 1);
    }
}

#[tokio::test]
async fn a_probe_that_breaks_is_the_last() {
    let fake = start(SinglePost::Ignored);
    fake.fault(When::kind(UploadPost).nth(1), Fault::cut_after(1));
    push(&stranger(&fake), "content").await;
    let expected = [UploadPost, BlobHead, UploadPost, UploadPut];
    assert_eq!(asked(&fake), expected);
}

#[tokio::test]
async fn a_probe_whose_answer_is_late_leaves_the_others_their_way() {
    let fake = start(SinglePost::Accepted);
    let held = fake.hold(When::kind(UploadPost).nth(1));
    let registry = stranger(&fake);
    let (first, others) = (push(&registry, "first"), async {
        held.held().await;
        push(&registry, "other").await;
        drop(held);
    });
    futures::join!(first, others);
    assert_eq!(asked(&fake), [UploadPost, UploadPost, UploadPut]);
}

fn in_pieces(fake: &FakeRegistry, most: u64) -> Registry {
    let Address::Registry(address) = fake.url().parse().unwrap() else {
        panic!("a URL is the address of a registry");
    };
    let options = RegistryOptions {
        max_chunk: NonZeroU64::new(most),
        ..RegistryOptions::default()
    };
    Registry::new(&address, options, Arc::new(Notes::default())).unwrap()
}

#[tokio::test]
async fn a_blob_above_the_cap_goes_in_pieces_and_is_looked_for_afterwards() {
    let fake = FakeRegistry::start_with(Options {
        largest_chunk: Some(1000),
        ..Options::default()
    });
    let registry = in_pieces(&fake, 1000);
    let content: String = (0..2500_u32)
        .map(|n| char::from(b'a' + (n % 26) as u8))
        .collect();
    push(&registry, &content).await;
    assert!(holds(&fake, REPOSITORY, content.as_bytes()));
    assert!(asked(&fake).ends_with(&[UploadPatch, UploadPatch, UploadPatch, UploadPut, BlobHead]));
    let sizes = fake.log().select(|entry| entry.kind == UploadPatch);
    let sizes: Vec<u64> = sizes.iter().map(|entry| entry.received).collect();
    assert_eq!(sizes, [1000, 1000, 500]);
    fake.log().clear();
    push(&registry, "small").await;
    assert_eq!(fake.log().count(UploadPatch), 0);
}

#[tokio::test]
async fn a_cap_that_is_too_high_is_told_with_what_to_give() {
    let fake = FakeRegistry::start_with(Options {
        largest_chunk: Some(1000),
        ..Options::default()
    });
    let (digest, body) = blob("x".repeat(2500));
    let registry = in_pieces(&fake, 2000);
    let pushed = registry.push_blob(REPOSITORY, &digest, &body, Presence::Absent);
    let text = pushed.await.unwrap_err().to_string();
    assert!(
        text.contains("416") && text.contains("--max-chunk"),
        "{text}"
    );
}

#[tokio::test]
async fn a_registry_that_kept_a_part_of_the_pieces_is_not_believed() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(UploadPut), Fault::LoseBlob);
    let (digest, body) = blob("x".repeat(2500));
    let registry = in_pieces(&fake, 1000);
    let pushed = registry.push_blob(REPOSITORY, &digest, &body, Presence::Absent);
    let text = pushed.await.unwrap_err().to_string();
    assert!(text.contains("has not all of it"), "{text}");
}

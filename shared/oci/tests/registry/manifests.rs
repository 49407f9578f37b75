//! Manifests and tags: written once, read within bounds.

use bytes::Bytes;
use mirror_kit::fake_registry::Kind::{ManifestGet, ManifestPut, TagsList};
use mirror_kit::fake_registry::{FakeRegistry, Fault, Options, When};
use mirror_oci::Digest;
use mirror_oci::layout;
use mirror_oci::manifest::{Descriptor, MAX_MANIFEST, Manifest};
use mirror_oci::registry::{Registry, RegistryError};
use mirror_runtime::{Disposed as _, Disposition};
use serde_json::json;

use crate::support::{REPOSITORY, stranger};

const TAG: &str = "1.0-0";

fn manifest() -> Bytes {
    let layer = Descriptor::titled(
        layout::PACKAGE_CONDA,
        Digest::of(b"content"),
        7,
        "zlib-1.0-0.conda",
    );
    Manifest::new(vec![layer], [].into()).to_bytes()
}

/// A registry that has the blobs which [`manifest`] names.
fn start() -> (FakeRegistry, Registry) {
    let fake = FakeRegistry::start();
    fake.put_blob(REPOSITORY, "content");
    fake.put_blob(REPOSITORY, layout::CONFIG_BYTES);
    let registry = stranger(&fake);
    (fake, registry)
}

#[tokio::test]
async fn a_manifest_comes_back_as_it_was_put_by_tag_and_by_digest() {
    let (fake, registry) = start();
    let digest = registry
        .put_manifest(REPOSITORY, TAG, &manifest())
        .await
        .unwrap();
    assert_eq!(digest, Digest::of(&manifest()));
    for reference in [TAG.to_owned(), digest.to_string()] {
        let stored = registry.manifest(REPOSITORY, &reference).await.unwrap();
        assert_eq!(stored.unwrap().bytes, manifest());
    }
    assert_eq!(fake.log().total(), 3);
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let (_fake, registry) = start();
    assert_eq!(registry.manifest(REPOSITORY, TAG).await.unwrap(), None);
    assert_eq!(registry.manifest("ns/none", TAG).await.unwrap(), None);
    assert_eq!(registry.tags("ns/none").await.unwrap(), None);
}

#[tokio::test]
async fn a_manifest_that_names_a_missing_blob_is_told_at_once() {
    let (fake, registry) = start();
    assert!(fake.delete_blob(REPOSITORY, &Digest::of(b"content").to_string()));
    let error = registry
        .put_manifest(REPOSITORY, TAG, &manifest())
        .await
        .unwrap_err();
    assert!(error.is_blob_unknown(), "{error}");
    assert_eq!(fake.log().count(ManifestPut), 1);
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_not_believed() {
    let (fake, registry) = start();
    fake.fault(When::kind(ManifestPut), Fault::wrong_digest());
    let error = registry
        .put_manifest(REPOSITORY, TAG, &manifest())
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&Digest::of(&manifest()).to_string()),
        "{text}"
    );
    assert!(text.contains(&"0".repeat(64)), "{text}");
}

#[tokio::test]
async fn faults_while_putting_and_reading_are_outlasted() {
    let (fake, registry) = start();
    fake.fault(When::kind(ManifestPut).nth(1), Fault::CutAnswer);
    fake.fault(When::kind(ManifestPut).nth(2), Fault::wrong_digest());
    fake.fault(When::kind(ManifestGet).nth(1), Fault::status(502));
    fake.fault(When::kind(ManifestGet).nth(2), Fault::cut_after(10));
    fake.fault(When::kind(TagsList).nth(1), Fault::status(500));
    registry
        .put_manifest(REPOSITORY, TAG, &manifest())
        .await
        .unwrap();
    let stored = registry.manifest(REPOSITORY, TAG).await.unwrap();
    assert_eq!(stored.unwrap().bytes, manifest());
    let tags = registry.tags(REPOSITORY).await.unwrap();
    assert_eq!(tags, Some(vec![TAG.to_owned()]));
}

#[tokio::test]
async fn a_manifest_past_the_limit_is_refused_and_not_fetched_again() {
    let (fake, registry) = start();
    let padding = "x".repeat(MAX_MANIFEST);
    let huge = json!({"mediaType": layout::MANIFEST, "annotations": {"padding": padding}});
    fake.put_manifest(REPOSITORY, TAG, &huge);
    let error = registry.manifest(REPOSITORY, TAG).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent);
    assert!(error.to_string().contains("4194304"), "{error}");
    assert_eq!(fake.log().count(ManifestGet), 1);
}

#[tokio::test]
async fn other_bytes_under_a_digest_are_not_believed() {
    let (fake, registry) = start();
    fake.fault(When::kind(ManifestGet), Fault::answer(200, &[], "{}"));
    let asked = Digest::of(b"asked for").to_string();
    let error = registry.manifest(REPOSITORY, &asked).await.unwrap_err();
    assert!(error.to_string().contains(&asked), "{error}");
}

fn tagged(page: Option<usize>) -> (FakeRegistry, Vec<String>) {
    let fake = FakeRegistry::start_with(Options {
        tags_page: page,
        ..Options::default()
    });
    let tags: Vec<String> = (0..8).map(|n| format!("1.{n}-0")).collect();
    for tag in &tags {
        fake.put_manifest(REPOSITORY, tag, &json!({"mediaType": layout::MANIFEST}));
    }
    (fake, tags)
}

#[tokio::test]
async fn all_pages_of_tags_are_read() {
    for (page, requests) in [(None, 1), (Some(3), 3), (Some(8), 1), (Some(1), 8)] {
        let (fake, tags) = tagged(page);
        let listed = stranger(&fake).tags(REPOSITORY).await.unwrap();
        assert_eq!(listed, Some(tags));
        assert_eq!(fake.log().total(), requests, "{page:?}");
    }
}

#[tokio::test]
async fn the_next_page_is_asked_for_at_home_whatever_the_link_says() {
    let (fake, tags) = tagged(None);
    let link = "<http://localhost:1/v2/other/tags/list?last=1.3-0&n=100>; rel=\"next\"";
    fake.fault(
        When::kind(TagsList).nth(1),
        Fault::answer(200, &[("link", link)], r#"{"tags":["first"]}"#),
    );
    let listed = stranger(&fake).tags(REPOSITORY).await.unwrap().unwrap();
    assert_eq!(listed[0], "first");
    assert_eq!(listed[1..], tags[4..]);
}

#[tokio::test]
async fn a_list_of_tags_that_does_not_end_is_given_up() {
    let (fake, _) = tagged(None);
    let link = "</v2/x/tags/list?n=1000>; rel=\"next\"";
    fake.fault(
        When::kind(TagsList),
        Fault::answer(200, &[("link", link)], r#"{"tags":null}"#),
    );
    let error = stranger(&fake).tags(REPOSITORY).await.unwrap_err();
    assert!(error.to_string().contains("does not end"), "{error}");
    assert_eq!(fake.log().total(), 1, "the next page was this one");
}

#[tokio::test]
async fn all_pages_of_tags_together_are_bounded() {
    let (fake, _) = tagged(None);
    // Empty tags take more room in memory than in the answer.
    let page = format!(r#"{{"tags":[{}""]}}"#, r#""","#.repeat(1_300_000));
    for n in 1..=9 {
        let link = format!("</v2/x/tags/list?last={n}>; rel=\"next\"");
        let answer = Fault::answer(200, &[("link", &link)], &page);
        fake.fault(When::kind(TagsList).nth(n), answer);
    }
    let error = stranger(&fake).tags(REPOSITORY).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    assert_eq!(fake.log().total(), 3);
}

#[tokio::test]
async fn a_list_of_tags_that_is_none_is_named() {
    let (fake, _) = tagged(None);
    fake.fault(
        When::kind(TagsList),
        Fault::answer(200, &[], "<html>welcome"),
    );
    let error = stranger(&fake).tags(REPOSITORY).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
    assert!(error.to_string().contains("list tags"), "{error}");
}

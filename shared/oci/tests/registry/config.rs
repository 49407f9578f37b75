//! The config blob: sent once, mounted everywhere else, asked for once per repository.

use futures::future::try_join_all;
use mirror_kit::fake_registry::Kind::{BlobHead, Mount, Token, UploadPost, UploadPut};
use mirror_kit::fake_registry::{self, Auth, Entry, FakeRegistry, Fault, Kind, Options, When};
use mirror_oci::layout::CONFIG_BYTES;
use mirror_oci::manifest::Manifest;
use mirror_oci::registry::Registry;
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{PASSWORD, USER, asked, holds, member, stranger};

const REPOSITORIES: [&str; 3] = ["ns/a", "ns/b", "ns/c"];

fn start(mount: fake_registry::Mount, auth: Auth) -> FakeRegistry {
    FakeRegistry::start_with(Options {
        auth,
        mount,
        ..Options::default()
    })
}

/// What was asked for each of the three repositories, in turn.
async fn ensure_three(fake: &FakeRegistry, registry: &Registry) -> [Vec<Kind>; 3] {
    let mut asked_for = [const { Vec::new() }; 3];
    for (repository, asked_for) in REPOSITORIES.iter().zip(&mut asked_for) {
        fake.log().clear();
        registry.ensure_config(repository).await.unwrap();
        assert!(holds(fake, repository, CONFIG_BYTES), "{repository}");
        *asked_for = asked(fake);
    }
    asked_for
}

#[tokio::test]
async fn the_first_repository_gets_it_sent_and_the_others_mount_it() {
    let fake = start(fake_registry::Mount::WithSource, Auth::Open);
    let asked_for = ensure_three(&fake, &stranger(&fake)).await;
    assert_eq!(
        asked_for,
        [vec![UploadPost, UploadPut], vec![Mount], vec![Mount]]
    );
}

#[tokio::test]
async fn a_repository_that_has_it_is_not_asked_again() {
    let fake = FakeRegistry::start();
    let registry = stranger(&fake);
    let ensured = (0..10).map(|_| registry.ensure_config("ns/a"));
    try_join_all(ensured).await.unwrap();
    registry.ensure_config("ns/a").await.unwrap();
    assert_eq!(asked(&fake), [UploadPost, UploadPut]);
}

#[tokio::test]
async fn a_registry_that_opens_a_session_instead_of_mounting_gets_the_bytes_there() {
    let fake = start(fake_registry::Mount::Never, Auth::Open);
    let asked_for = ensure_three(&fake, &stranger(&fake)).await;
    assert_eq!(asked_for[1], [Mount, UploadPut]);
    assert_eq!(asked_for[2], [Mount, UploadPut]);
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn a_registry_that_refuses_to_mount_is_asked_once() {
    let fake = start(fake_registry::Mount::Refused, Auth::Open);
    let asked_for = ensure_three(&fake, &stranger(&fake)).await;
    assert_eq!(asked_for[1], [Mount, UploadPost, UploadPut]);
    assert_eq!(asked_for[2], [UploadPost, UploadPut]);
}

#[tokio::test]
async fn a_mount_that_fails_for_once_is_replaced_by_an_upload() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(Mount).nth(1), Fault::status(500));
    let asked_for = ensure_three(&fake, &stranger(&fake)).await;
    assert_eq!(asked_for[1], [Mount, BlobHead, UploadPost, UploadPut]);
    assert_eq!(asked_for[2], [Mount]);
}

#[tokio::test]
async fn a_token_for_pushing_also_reads_the_repository_that_is_mounted_from() {
    let fake = start(
        fake_registry::Mount::WithSource,
        Auth::bearer(USER, PASSWORD),
    );
    let asked_for = ensure_three(&fake, &member(&fake)).await;
    assert_eq!(asked_for[1], [Token, Mount]);
    assert_eq!(asked_for[2], [Token, Mount]);
}

#[tokio::test]
async fn a_token_from_before_there_was_a_place_to_mount_from_is_replaced() {
    let fake = start(
        fake_registry::Mount::WithSource,
        Auth::bearer(USER, PASSWORD),
    );
    let registry = member(&fake);
    // A token for ns/b alone.
    let digest = mirror_oci::manifest::config().digest;
    assert_eq!(registry.blob_size("ns/b", &digest).await.unwrap(), None);
    let asked_for = ensure_three(&fake, &registry).await;
    // It is known not to do, and not tried.
    assert_eq!(asked_for[1], [Token, Mount]);
}

#[tokio::test]
async fn a_registry_whose_tokens_do_not_reach_two_repositories_gets_plain_uploads() {
    let fake = start(
        fake_registry::Mount::WithSource,
        Auth::bearer(USER, PASSWORD),
    );
    // The second token asked for is the first one for two repositories.
    fake.fault(When::kind(Token).nth(2), Fault::denied());
    let asked_for = ensure_three(&fake, &member(&fake)).await;
    assert_eq!(asked_for[1].last(), Some(&UploadPut));
    assert_eq!(asked_for[2], [Token, UploadPost, UploadPut]);
}

#[tokio::test]
async fn an_endpoint_that_fails_once_for_two_repositories_is_asked_for_two_again() {
    let fake = start(
        fake_registry::Mount::WithSource,
        Auth::bearer(USER, PASSWORD),
    );
    fake.fault(When::kind(Token).nth(2), Fault::status(500));
    let asked_for = ensure_three(&fake, &member(&fake)).await;
    assert_eq!(asked_for[1], [Token, Token, Mount, Token, Mount]);
    assert_eq!(asked_for[2], [Token, Mount]);
}

#[tokio::test]
async fn an_endpoint_whose_tokens_serve_only_one_of_two_repositories_is_asked_for_one() {
    let fake = start(fake_registry::Mount::Anywhere, Auth::bearer(USER, PASSWORD));
    let registry = member(&fake);
    registry.ensure_config("ns/a").await.unwrap();
    // What a token is refused with that says nothing of ns/b.
    let url = fake.url();
    let challenge = format!(
        r#"Bearer realm="{}/token",service="fake-registry""#,
        url.trim_end_matches('/')
    );
    let refusal = Fault::answer(401, &[("www-authenticate", &challenge)], "");
    fake.fault(When::writes().repository("ns/b").first(2), refusal);
    fake.log().clear();
    registry.ensure_config("ns/b").await.unwrap();
    registry.ensure_config("ns/c").await.unwrap();
    let expected = [Token, Mount, Token, Mount, Token, Mount, Token, Mount];
    assert_eq!(asked(&fake), expected);
    let tokens = fake.log().select(|entry| entry.kind == Token);
    let scopes = |entry: &Entry| entry.query.as_ref().unwrap().matches("scope=").count();
    assert_eq!(tokens.iter().map(scopes).collect::<Vec<_>>(), [2, 2, 1, 1]);
}

#[tokio::test]
async fn a_repository_that_refuses_every_write_is_denied_and_others_still_mount() {
    let fake = FakeRegistry::start();
    let registry = stranger(&fake);
    registry.ensure_config("ns/a").await.unwrap();
    fake.fault(When::writes().repository("ns/b"), Fault::denied());
    let error = registry.ensure_config("ns/b").await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Denied);
    fake.log().clear();
    registry.ensure_config("ns/c").await.unwrap();
    assert_eq!(asked(&fake), [Mount]);
}

#[tokio::test]
async fn a_mount_that_was_a_lie_is_mended_once_the_manifest_is_refused() {
    let fake = FakeRegistry::start();
    let registry = stranger(&fake);
    registry.ensure_config("ns/a").await.unwrap();
    fake.fault(When::kind(Mount), Fault::LoseBlob);
    registry.ensure_config("ns/b").await.unwrap();
    let mut manifest = Manifest::new(vec![mirror_oci::manifest::config()], [].into());
    manifest.layers[0].media_type = "application/octet-stream".to_owned();
    let bytes = manifest.to_bytes();
    let refused = registry.put_manifest("ns/b", "1-0", &bytes).await;
    assert!(refused.unwrap_err().is_blob_unknown());
    registry.forget_config("ns/b");
    registry.ensure_config("ns/b").await.unwrap();
    registry.put_manifest("ns/b", "1-0", &bytes).await.unwrap();
}

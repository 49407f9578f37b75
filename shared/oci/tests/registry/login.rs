//! Logging in: what it costs, how it lapses, and that it shows nowhere.

use std::sync::Arc;

use futures::future::try_join_all;
use mirror_kit::fake_registry::Kind::{BlobHead, ManifestGet, Token, UploadPost, UploadPut};
use mirror_kit::fake_registry::{Anonymous, Auth, Bearer, FakeRegistry, Fault, Options, When};
use mirror_oci::registry::{Registry, RegistryError};
use mirror_oci::{Body, Destination, Digest, Presence, Pushed};
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{
    Notes, PASSWORD, REPOSITORY, USER, asked, blob, client_with, holds, member, stranger,
};

fn start(auth: Auth) -> FakeRegistry {
    FakeRegistry::start_with(Options {
        auth,
        ..Options::default()
    })
}

fn bearer() -> Bearer {
    Bearer {
        user: Some((USER.to_owned(), PASSWORD.to_owned())),
        ..Bearer::default()
    }
}

async fn push(registry: &Registry, content: &str) -> Result<Pushed, RegistryError> {
    let (digest, body) = blob(content);
    registry
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
}

async fn push_many(registry: &Registry, contents: std::ops::Range<u32>) {
    let pushes = contents.map(|n| async move { push(registry, &n.to_string()).await });
    try_join_all(pushes).await.unwrap();
}

#[tokio::test]
async fn one_token_is_fetched_however_many_requests_wait_for_it() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    push_many(&member(&fake), 0..20).await;
    assert_eq!(fake.log().count(Token), 1);
    assert_eq!(fake.blobs(REPOSITORY).len(), 20);
}

#[tokio::test]
async fn a_token_that_lapsed_is_renewed_once_for_all() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    let registry = member(&fake);
    push_many(&registry, 0..1).await;
    fake.expire_tokens();
    push_many(&registry, 1..20).await;
    assert_eq!(fake.log().count(Token), 2);
    assert_eq!(fake.blobs(REPOSITORY).len(), 20);
}

#[tokio::test]
async fn tokens_that_lapse_after_every_request_cost_time_and_nothing_else() {
    let fake = start(Auth::Bearer(Bearer {
        uses: Some(1),
        ..bearer()
    }));
    let registry = member(&fake);
    assert_eq!(push(&registry, "a").await.unwrap(), Pushed::Sent);
    assert_eq!(push(&registry, "b").await.unwrap(), Pushed::Sent);
    assert_eq!(fake.log().count(BlobHead), 0, "nothing failed");
}

#[tokio::test]
async fn a_token_that_lapses_during_an_upload_costs_one_more_put_of_the_same_bytes() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    let registry = Arc::new(member(&fake));
    let content = vec![7; 3_000_000];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    let body = Body::file(file.path(), content.len() as u64);
    let digest = Digest::of(&content);
    let put = fake.hold(When::kind(UploadPut).nth(1));
    let pushing = tokio::spawn(async move {
        registry
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await
    });
    put.held().await;
    fake.expire_tokens();
    put.release();
    assert_eq!(pushing.await.unwrap().unwrap(), Pushed::Sent);
    let expected = [UploadPost, Token, UploadPost, UploadPut, Token, UploadPut];
    assert_eq!(asked(&fake), expected);
    assert!(holds(&fake, REPOSITORY, &content));
}

#[tokio::test]
async fn a_token_that_cannot_outlast_a_large_upload_is_not_renewed_for_each() {
    let fake = start(Auth::Bearer(Bearer {
        expires_in: 60,
        ..bearer()
    }));
    let registry = member(&fake);
    for byte in 0..3 {
        let (digest, body) = blob(vec![byte; 8 << 20]);
        registry
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await
            .unwrap();
    }
    assert_eq!(fake.log().count(Token), 1);
}

#[tokio::test]
async fn an_endpoint_may_name_its_token_either_way() {
    for member_name in ["token", "access_token"] {
        let fake = start(Auth::Bearer(Bearer {
            members: vec![member_name],
            ..bearer()
        }));
        assert_eq!(push(&member(&fake), "a").await.unwrap(), Pushed::Sent);
    }
}

#[tokio::test]
async fn an_endpoint_without_a_token_is_named_and_one_that_fails_once_is_outlasted() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    fake.fault(When::kind(Token).nth(1), Fault::status(502));
    assert_eq!(push(&member(&fake), "a").await.unwrap(), Pushed::Sent);
    fake.fault(When::kind(Token), Fault::answer(200, &[], "<html>"));
    let error = push(&member(&fake), "b").await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!(error.to_string().contains("holds no token"), "{error}");
}

#[tokio::test]
async fn a_stranger_reads_with_an_anonymous_token() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    let manifest = serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json"});
    let digest = fake.put_manifest(REPOSITORY, "1.0-0", &manifest);
    let stored = stranger(&fake).manifest(REPOSITORY, "1.0-0").await.unwrap();
    assert_eq!(stored.unwrap().digest.to_string(), digest);
    assert_eq!(fake.log().count(Token), 1);
}

#[tokio::test]
async fn a_stranger_who_may_choose_takes_a_token_and_no_password() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    let manifest = serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json"});
    fake.put_manifest(REPOSITORY, "1.0-0", &manifest);
    let url = fake.url();
    let url = url.trim_end_matches('/');
    let both = format!(r#"Basic realm="x", Bearer realm="{url}/token",service="fake-registry""#);
    let answer = Fault::answer(401, &[("www-authenticate", &both)], "");
    fake.fault(When::kind(ManifestGet).nth(1), answer);
    let stored = stranger(&fake).manifest(REPOSITORY, "1.0-0").await.unwrap();
    assert!(stored.is_some());
    assert_eq!(asked(&fake), [ManifestGet, Token, ManifestGet]);
}

#[tokio::test]
async fn what_a_stranger_may_not_see_is_not_there() {
    let nothing = Bearer {
        anonymous: Anonymous::Nothing,
        ..bearer()
    };
    let refusing = Bearer {
        refuse_unknown_repositories: true,
        ..bearer()
    };
    for auth in [
        Auth::basic(USER, PASSWORD),
        Auth::Bearer(nothing),
        Auth::Bearer(refusing),
    ] {
        let fake = start(auth);
        let registry = stranger(&fake);
        assert_eq!(registry.manifest(REPOSITORY, "1.0-0").await.unwrap(), None);
        assert_eq!(registry.tags(REPOSITORY).await.unwrap(), None);
    }
}

#[tokio::test]
async fn pushing_without_a_login_says_that_one_is_needed_and_how_to_give_it() {
    let nothing = Bearer {
        anonymous: Anonymous::Nothing,
        ..bearer()
    };
    for auth in [
        Auth::bearer(USER, PASSWORD),
        Auth::Bearer(nothing),
        Auth::basic(USER, PASSWORD),
    ] {
        let fake = start(auth);
        let destination = Destination::Registry(Box::new(stranger(&fake)));
        let (digest, body) = blob("content");
        let error = destination
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await
            .unwrap_err();
        assert!(error.wants_login(), "{error}");
        assert_eq!(error.disposition(), Disposition::Denied);
        assert!(error.to_string().contains("ORAS_USER"), "{error}");
        assert_eq!(fake.log().count(UploadPut), 0);
    }
}

#[tokio::test]
async fn a_wrong_login_is_denied_and_no_secret_is_shown() {
    const WRONG: &str = "wrong-do-not-show";
    for auth in [Auth::bearer(USER, PASSWORD), Auth::basic(USER, PASSWORD)] {
        let fake = start(auth);
        let registry = client_with(&fake, Some(WRONG), Arc::new(Notes::default()));
        let error = push(&registry, "a").await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Denied, "{error}");
        for shown in [
            error.to_string(),
            format!("{error:?}"),
            format!("{registry:?}"),
        ] {
            assert!(!shown.contains(WRONG), "{shown}");
        }
        assert!(error.to_string().contains(REPOSITORY), "{error}");
        assert_eq!(fake.log().count(UploadPut), 0);
    }
}

#[tokio::test]
async fn a_token_shows_in_no_error_and_no_debug_text() {
    let fake = start(Auth::bearer(USER, PASSWORD));
    let registry = member(&fake);
    push(&registry, "a").await.unwrap();
    fake.fault(When::any(), Fault::denied());
    let error = push(&registry, "b").await.unwrap_err();
    for shown in [format!("{error:?}"), format!("{registry:?}")] {
        assert!(!shown.contains("fake-token"), "{shown}");
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[tokio::test]
async fn user_and_password_are_sent_where_the_registry_asks_for_them_and_remembered() {
    let fake = start(Auth::basic(USER, PASSWORD));
    let registry = member(&fake);
    assert_eq!(push(&registry, "a").await.unwrap(), Pushed::Sent);
    assert_eq!(asked(&fake), [UploadPost, UploadPost, UploadPut]);
    let first = &fake.log().entries()[0];
    assert!(!first.authorized, "nobody had asked yet");
    fake.log().clear();
    assert_eq!(push(&registry, "b").await.unwrap(), Pushed::Sent);
    assert_eq!(asked(&fake), [UploadPost, UploadPut]);
}

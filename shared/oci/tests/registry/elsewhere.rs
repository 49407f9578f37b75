//! Uploads and downloads that the registry sends to other places.

use mirror_kit::fake_registry::Kind::{BlobGet, UploadPost, UploadPut};
use mirror_kit::fake_registry::{Auth, Entry, FakeRegistry, Fault, Location, Options, When};
use mirror_oci::manifest::Descriptor;
use mirror_oci::registry::RegistryError;
use mirror_oci::{Destination, DestinationError, Digest, Presence, Pushed};
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{PASSWORD, REPOSITORY, USER, asked, blob, holds, member, stranger};

fn start(location: Location, redirect_blobs: bool) -> FakeRegistry {
    FakeRegistry::start_with(Options {
        auth: Auth::bearer(USER, PASSWORD),
        location,
        redirect_blobs,
        ..Options::default()
    })
}

/// Requests that arrived at the storage host.
fn elsewhere(fake: &FakeRegistry) -> Vec<Entry> {
    fake.log()
        .select(|entry| entry.host.starts_with("localhost"))
}

fn descriptor(content: &[u8]) -> Descriptor {
    Descriptor::titled(
        "application/octet-stream",
        Digest::of(content),
        content.len() as u64,
        "x",
    )
}

#[tokio::test]
async fn an_upload_goes_where_the_registry_says_with_the_query_it_gave() {
    for location in [
        Location::Absolute,
        Location::Relative,
        Location::StorageHost,
    ] {
        let fake = start(location, false);
        let (digest, body) = blob("content");
        let pushed = member(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        assert_eq!(pushed.unwrap(), Pushed::Sent, "{location:?}");
        assert!(holds(&fake, REPOSITORY, b"content"));
        let puts = fake.log().select(|entry| entry.kind == UploadPut);
        let query = puts[0].query.clone().unwrap();
        assert!(
            query.starts_with("_state=state-") && query.contains("%2B%2F%3D%26%C3%A9&digest="),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_login_is_not_sent_to_a_foreign_upload_host() {
    let fake = start(Location::StorageHost, false);
    let (digest, body) = blob("content");
    member(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap();
    let posts = fake.log().select(|entry| entry.kind == UploadPost);
    assert!(posts.last().unwrap().authorized);
    let stored = elsewhere(&fake);
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].kind, UploadPut);
    assert!(!stored[0].authorized);
}

#[tokio::test]
async fn a_login_does_not_follow_a_redirect_to_another_host() {
    let fake = start(Location::Absolute, true);
    fake.put_blob(REPOSITORY, "content");
    let dir = tempfile::tempdir().unwrap();
    let destination = Destination::Registry(Box::new(member(&fake)));
    let fetched = destination
        .fetch_blob(REPOSITORY, &descriptor(b"content"), 7, dir.path())
        .await
        .unwrap();
    assert_eq!(std::fs::read(fetched.path()).unwrap(), b"content");
    let stored = elsewhere(&fake);
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].authorized);
}

#[tokio::test]
async fn a_store_elsewhere_cannot_ask_for_the_login() {
    let fake = start(Location::Absolute, true);
    fake.put_blob(REPOSITORY, "content");
    let registry = member(&fake);
    let (digest, body) = blob("other");
    registry
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap();
    fake.log().clear();
    let challenge = [("www-authenticate", "Basic realm=\"mine\"")];
    fake.fault(
        When::kind(BlobGet).nth(2),
        Fault::answer(401, &challenge, ""),
    );

    let dir = tempfile::tempdir().unwrap();
    let destination = Destination::Registry(Box::new(registry));
    let error = destination
        .fetch_blob(REPOSITORY, &descriptor(b"content"), 7, dir.path())
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Denied, "{error}");
    let store = format!("localhost:{}", fake.addr().port());
    assert!(error.to_string().contains(&store), "{error}");
    let stored = elsewhere(&fake);
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].authorized);

    // Nor has it changed how we log in at home.
    fake.log().clear();
    let (digest, body) = blob("more");
    destination
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap();
    assert_eq!(asked(&fake), [UploadPost, UploadPut]);
}

/// A host where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The registry is well, and the host it sends a request on to is not: that one is named, and it alone.
fn assert_led_nowhere(fake: &FakeRegistry, store: &str, error: &RegistryError) {
    let text = error.to_string();
    let (registry, led_to) = (
        fake.addr().to_string(),
        format!("sent the request on to {store}"),
    );
    for part in [
        &*registry,
        &led_to,
        "Connection refused",
        "reach that host as well",
    ] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    assert!(!error.is_unreachable(), "{text}");
    assert_eq!(error.unreached_host(), Some(store));
    assert_eq!(error.disposition(), Disposition::Retry);
}

#[tokio::test]
async fn a_store_for_uploads_that_nobody_reaches_is_named_and_not_the_registry() {
    let (fake, store) = (FakeRegistry::start(), nobody());
    let session = format!("http://{store}/upload?_state=1");
    let answer = Fault::answer(202, &[("location", &session)], "");
    fake.fault(When::kind(UploadPost), answer);
    let (digest, body) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    assert_led_nowhere(&fake, &store, &pushed.unwrap_err());
}

#[tokio::test]
async fn a_redirect_to_a_host_that_nobody_reaches_is_named_and_not_the_registry() {
    let (fake, store) = (FakeRegistry::start(), nobody());
    let signed = format!("http://{store}/blob?signature=hidden");
    let answer = Fault::answer(307, &[("location", &signed)], "");
    fake.fault(When::kind(BlobGet), answer);
    let registry = stranger(&fake);
    let Err(error) = registry
        .read_blob(REPOSITORY, &Digest::of(b"content"))
        .await
    else {
        panic!("nobody listens there");
    };
    assert_led_nowhere(&fake, &store, &error);
    assert!(!error.to_string().contains("hidden"), "{error}");
    assert!(!DestinationError::from(error).is_unreachable());
}

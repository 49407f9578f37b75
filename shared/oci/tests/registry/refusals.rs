//! What is said of a registry that refuses or cannot be reached: what was tried, where, what came back, what to do.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use mirror_kit::fake_registry::{FakeRegistry, Fault, Kind, When};
use mirror_kit::tls::{TestCa, TlsProxy};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::registry::{Address, Reach, Registry, RegistryError, RegistryOptions};
use mirror_oci::{Destination, DestinationError, Presence};
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{Notes, REPOSITORY, blob, stranger};

fn at(address: &str) -> Registry {
    let Ok(Address::Registry(address)) = address.parse() else {
        panic!("{address} is the address of a registry");
    };
    Registry::new(
        &address,
        RegistryOptions::default(),
        Arc::new(Notes::default()),
    )
    .unwrap()
}

/// What comes of asking at `address`, with these words in its text.
async fn unreached(address: &str, words: &[&str]) -> Reach {
    let error = at(address).manifest(REPOSITORY, "1-0").await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry, "it may come back");
    let text = error.to_string();
    for part in words.iter().chain(&["read a manifest", REPOSITORY]) {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    let RegistryError::Unreachable { reach, .. } = error else {
        panic!("not called unreachable: {text}");
    };
    reach
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_with_what_to_check() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let words = [
        address.as_str(),
        "no connection",
        "Connection refused",
        "port",
        "http://",
    ];
    let reach = unreached(&format!("http://{address}/ns"), &words).await;
    assert_eq!(reach, Reach::Refused);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_from_a_port() {
    let words = ["no-registry.invalid", "no such host", "spelling"];
    let reach = unreached("https://no-registry.invalid/ns", &words).await;
    assert_eq!(reach, Reach::NoSuchName);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told_with_what_to_trust() {
    let fake = FakeRegistry::start();
    let tls = TlsProxy::start(&TestCa::new(), fake.addr()).await.unwrap();
    let words = ["certificate", "does not trust", "SSL_CERT_FILE"];
    let reach = unreached(&format!("https://{}/ns", tls.addr()), &words).await;
    assert_eq!(reach, Reach::Untrusted);
}

#[tokio::test]
async fn a_plain_registry_asked_for_tls_is_told_by_its_answer() {
    let fake = FakeRegistry::start();
    let words = ["write http://"];
    let reach = unreached(&format!("https://{}/ns", fake.addr()), &words).await;
    assert_eq!(reach, Reach::NotTls);
}

#[tokio::test]
async fn a_connection_that_breaks_does_not_make_a_registry_unreachable() {
    let fake = FakeRegistry::start();
    fake.fault(When::any(), Fault::CutAnswer);
    let error = stranger(&fake)
        .manifest(REPOSITORY, "1-0")
        .await
        .unwrap_err();
    let broke_off = matches!(
        &error,
        RegistryError::Unreachable {
            reach: Reach::BrokeOff,
            ..
        }
    );
    assert!(broke_off, "{error}");
    assert!(!DestinationError::from(error).is_unreachable());
}

#[tokio::test]
async fn a_destination_says_whether_its_registry_is_unreachable() {
    let fake = FakeRegistry::start();
    let destination = Destination::Registry(Box::new(stranger(&fake)));
    fake.fault(When::any(), Fault::status(500));
    let error = destination.manifest(REPOSITORY, "1-0").await.unwrap_err();
    assert!(!error.is_unreachable(), "{error}");
    drop(fake);
    let error = destination.manifest(REPOSITORY, "1-0").await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
}

/// The text of the error when a blob is pushed and such requests meet the fault.
async fn told(kind: Kind, fault: Fault) -> String {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(kind), fault);
    let (digest, body) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    pushed.unwrap_err().to_string()
}

#[tokio::test]
async fn a_blob_that_is_too_large_for_the_registry_is_named_with_its_size() {
    let (digest, _) = blob("content");
    for fault in [
        Fault::status(413),
        Fault::answer(413, &[], "<h1>413 Request Entity Too Large</h1> nginx"),
    ] {
        let text = told(Kind::UploadPut, fault).await;
        for part in [
            "upload a blob",
            REPOSITORY,
            "413",
            &digest.to_string(),
            "7 bytes",
            "raise the limit",
        ] {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
    }
}

#[tokio::test]
async fn every_refusal_of_an_upload_says_what_to_do() {
    for (status, code, remedy) in [
        (401, "UNAUTHORIZED", "ORAS_PASS"),
        (403, "DENIED", "may push"),
        (404, "NAME_UNKNOWN", "namespace"),
        (404, "", "namespace"),
        (405, "UNSUPPORTED", "check the address"),
        (400, "NAME_INVALID", "takes no name like this one"),
        (500, "UNKNOWN", "its log"),
    ] {
        let text = told(Kind::UploadPost, Fault::error(status, code, "said so")).await;
        for part in [
            remedy,
            "start an upload",
            REPOSITORY,
            &status.to_string(),
            "said so",
        ] {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
    }
}

#[tokio::test]
async fn plain_http_at_a_port_of_https_is_told_from_a_bad_request() {
    for page in [
        "Client sent an HTTP request to an HTTPS server.",
        "<center>The plain HTTP request was sent to HTTPS port</center>",
    ] {
        let text = told(Kind::UploadPost, Fault::answer(400, &[], page)).await;
        assert!(text.contains("write https://"), "{text}");
    }
    let text = told(Kind::UploadPost, Fault::answer(400, &[], "bad")).await;
    assert!(!text.contains("https://"), "{text}");
}

#[tokio::test]
async fn a_manifest_that_is_refused_or_changed_says_what_to_look_at() {
    for (fault, words) in [
        (
            Fault::error(400, "MANIFEST_INVALID", "no"),
            &["media type"][..],
        ),
        (Fault::status(415), &["media type"]),
        (Fault::error(404, "NAME_UNKNOWN", "no"), &["namespace"]),
        (
            Fault::wrong_digest(),
            &["sha256:0000", "does not count", "registry's log"],
        ),
    ] {
        let fake = FakeRegistry::start();
        let case = format!("{fault:?}");
        fake.fault(When::kind(Kind::ManifestPut), fault);
        let registry = stranger(&fake);
        registry.ensure_config(REPOSITORY).await.unwrap();
        let (digest, body) = blob("content");
        let pushed = registry
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        pushed.unwrap();
        let layer = Descriptor::titled("application/octet-stream", digest, body.len(), "x");
        let manifest = Manifest::new(vec![layer], [].into());
        let bytes: Bytes = manifest.to_bytes();
        let put = registry.put_manifest(REPOSITORY, "1-0", &bytes).await;
        let text = put.expect_err(&case).to_string();
        for part in words {
            assert!(text.contains(part), "no {part:?} in {text:?}");
        }
    }
}

#[tokio::test]
async fn a_spooled_file_that_is_gone_is_named() {
    let fake = FakeRegistry::start();
    let body = mirror_oci::Body::file("/no/such/spool/transfer-1", 7);
    let (digest, _) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    let error = pushed.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Local);
    let text = error.to_string();
    for part in ["/no/such/spool/transfer-1", "No such file", "mounted"] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

#[tokio::test]
async fn a_blob_for_which_there_is_no_room_here_names_the_folder_and_the_option() {
    let fake = FakeRegistry::start();
    fake.put_blob(REPOSITORY, "content");
    let (digest, body) = blob("content");
    let layer = Descriptor::titled("application/octet-stream", digest, body.len(), "x");
    let destination = Destination::Registry(Box::new(stranger(&fake)));
    let missing = std::path::Path::new("/no/such/spool");
    let fetched = destination.fetch_blob(REPOSITORY, &layer, 7, missing).await;
    let error = fetched.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Local);
    let text = error.to_string();
    for part in ["/no/such/spool", "No such file", "mounted", "--spool"] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    assert!(!text.contains("at path"), "the path is named once: {text}");
}

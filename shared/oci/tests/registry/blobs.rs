//! Pushing a blob: its requests, and what is done when they fail.

use std::io::Write as _;

use mirror_kit::fake_registry::Kind::{BlobHead, UploadPost, UploadPut};
use mirror_kit::fake_registry::{FakeRegistry, Fault, When};
use mirror_oci::body::growing;
use mirror_oci::{Body, Digest, Presence, Pushed};
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{REPOSITORY, asked, blob, holds, stranger};

#[tokio::test]
async fn a_blob_known_to_be_absent_costs_a_post_and_a_put() {
    let fake = FakeRegistry::start();
    let (digest, body) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Sent);
    assert_eq!(asked(&fake), [UploadPost, UploadPut]);
    assert!(holds(&fake, REPOSITORY, b"content"));
}

#[tokio::test]
async fn a_blob_that_is_there_costs_a_head_and_no_write() {
    let fake = FakeRegistry::start();
    fake.put_blob(REPOSITORY, "content");
    let (digest, body) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Unknown)
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Present);
    assert_eq!(asked(&fake), [BlobHead]);
}

#[tokio::test]
async fn a_blob_that_is_there_with_another_size_is_sent_again() {
    let fake = FakeRegistry::start();
    let (digest, body) = blob("content");
    fake.put_blob(REPOSITORY, "content");
    assert!(fake.corrupt_blob(REPOSITORY, &digest.to_string(), "con"));
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Unknown)
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Sent);
    assert!(holds(&fake, REPOSITORY, b"content"));
}

#[tokio::test]
async fn an_upload_that_breaks_is_looked_for_and_sent_anew_from_its_start() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(UploadPut).nth(1), Fault::cut_after(100_000));
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    let body = Body::file(file.path(), content.len() as u64);
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &Digest::of(&content), &body, Presence::Absent)
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Sent);
    let expected = [UploadPost, UploadPut, BlobHead, UploadPost, UploadPut];
    assert_eq!(asked(&fake), expected);
    assert!(holds(&fake, REPOSITORY, &content));
}

#[tokio::test]
async fn only_its_stretch_of_a_file_is_sent() {
    let fake = FakeRegistry::start();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"before content after").unwrap();
    let body = Body::File {
        path: file.path().to_path_buf().into(),
        offset: 7,
        len: 7,
    };
    stranger(&fake)
        .push_blob(REPOSITORY, &Digest::of(b"content"), &body, Presence::Absent)
        .await
        .unwrap();
    assert!(holds(&fake, REPOSITORY, b"content"));
}

#[tokio::test]
async fn a_blob_that_was_stored_although_the_answer_says_otherwise_is_not_sent_twice() {
    for fault in [Fault::CommitButUnknown, Fault::CutAnswer] {
        let fake = FakeRegistry::start();
        fake.fault(When::kind(UploadPut), fault);
        let (digest, body) = blob("content");
        let pushed = stranger(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        assert_eq!(pushed.unwrap(), Pushed::Present);
        assert_eq!(asked(&fake), [UploadPost, UploadPut, BlobHead]);
    }
}

#[tokio::test]
async fn an_upload_session_that_is_gone_is_replaced_by_a_new_one() {
    for code in ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"] {
        let fake = FakeRegistry::start();
        fake.fault(When::kind(UploadPut).nth(1), Fault::error(404, code, ""));
        let (digest, body) = blob("content");
        let pushed = stranger(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        assert_eq!(pushed.unwrap(), Pushed::Sent, "{code}");
        assert_eq!(fake.log().count(UploadPost), 2, "{code}");
    }
}

#[tokio::test]
async fn every_failure_that_a_new_session_cures_gets_one() {
    let null = r#"{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":null}]}"#;
    let faults = [
        Fault::status(404),
        Fault::answer(404, &[], "<html>not found"),
        Fault::status(409),
        Fault::error(400, "DIGEST_INVALID", ""),
        Fault::error(400, "SIZE_INVALID", ""),
        Fault::answer(400, &[], null),
    ];
    for fault in faults {
        let fake = FakeRegistry::start();
        let case = format!("{fault:?}");
        fake.fault(When::kind(UploadPut).nth(1), fault);
        let (digest, body) = blob("content");
        let pushed = stranger(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        assert_eq!(pushed.ok(), Some(Pushed::Sent), "{case}");
        assert_eq!(fake.log().count(UploadPost), 2, "{case}");
    }
}

#[tokio::test]
async fn faults_of_the_server_are_outlasted() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(UploadPost).first(2), Fault::status(500));
    let (digest, body) = blob("content");
    let pushed = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    assert_eq!(pushed.unwrap(), Pushed::Sent);
    assert_eq!(fake.log().count(UploadPost), 3);
}

#[tokio::test]
async fn after_its_tries_the_error_names_action_host_repository_status_and_code() {
    let fake = FakeRegistry::start();
    let fault = Fault::error(500, "UNKNOWN", "the disk is full");
    fake.fault(When::kind(UploadPut), fault);
    let registry = stranger(&fake);
    let (digest, body) = blob("content");
    let error = registry
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    assert_eq!(fake.log().count(UploadPut), 4);
    let text = error.to_string();
    let named = [
        "upload a blob",
        registry.host(),
        REPOSITORY,
        "500",
        "UNKNOWN",
        "the disk is full",
    ];
    for part in named {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let fake = FakeRegistry::start();
    let registry = stranger(&fake);
    drop(fake);
    let (digest, body) = blob("content");
    let error = registry
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    let text = error.to_string();
    assert!(
        text.contains(registry.host()) && text.contains(REPOSITORY),
        "{text}"
    );
}

#[tokio::test]
async fn what_will_not_pass_by_itself_is_not_tried_again() {
    let cases = [
        (400, "NAME_INVALID", Disposition::Permanent),
        (403, "DENIED", Disposition::Denied),
        (404, "NAME_UNKNOWN", Disposition::Permanent),
        (404, "", Disposition::Permanent),
        (413, "SIZE_INVALID", Disposition::Permanent),
    ];
    for (status, code, disposition) in cases {
        let fake = FakeRegistry::start();
        fake.fault(When::any(), Fault::error(status, code, "no"));
        let (digest, body) = blob("content");
        let error = stranger(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await
            .unwrap_err();
        assert_eq!(error.disposition(), disposition, "{error}");
        assert_eq!(fake.log().total(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_huge_or_hostile_error_body_is_cut_short() {
    let fake = FakeRegistry::start();
    let page = format!("\u{1b}[2Jnot today{}", "x".repeat(5 << 20));
    fake.fault(When::any(), Fault::answer(400, &[], &page));
    let (digest, body) = blob("content");
    let text = stranger(&fake)
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("not today"), "{text}");
    assert!(text.len() < 500, "{} bytes", text.len());
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test]
async fn an_upload_session_without_a_usable_place_is_not_followed() {
    let places: [&[(&str, &str)]; 3] = [
        &[],
        &[("location", "file:///etc/passwd")],
        &[("location", "http://")],
    ];
    for place in places {
        let fake = FakeRegistry::start();
        fake.fault(When::kind(UploadPost).nth(1), Fault::answer(202, place, ""));
        let (digest, body) = blob("content");
        let pushed = stranger(&fake)
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await;
        assert_eq!(pushed.unwrap(), Pushed::Sent, "{place:?}");
        let expected = [UploadPost, BlobHead, UploadPost, UploadPut];
        assert_eq!(asked(&fake), expected, "{place:?}");
    }
}

#[tokio::test]
async fn a_blob_that_still_grows_gets_one_try_and_its_end_only_when_it_is_vouched_for() {
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let len = content.len() as u64;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    for (is_vouched, fault) in [
        (true, None),
        (true, Some(Fault::status(500))),
        (false, None),
    ] {
        let fake = FakeRegistry::start();
        let fails = fault.is_some() || !is_vouched;
        if let Some(fault) = fault {
            fake.fault(When::kind(UploadPut), fault);
        }
        let (growth, growing) = growing(file.path(), len);
        growth.reach(len);
        match is_vouched {
            true => growth.vouch(),
            false => drop(growth),
        }
        let (registry, digest) = (stranger(&fake), Digest::of(&content));
        let never = std::future::pending();
        let pushed = registry
            .push_growing(REPOSITORY, &digest, &growing, Presence::Absent, never)
            .await;
        assert_eq!(pushed.is_err(), fails);
        assert_eq!(fake.log().count(UploadPost), 1, "{}", fake.log().to_text());
        assert_eq!(holds(&fake, REPOSITORY, &content), !fails);
    }
}

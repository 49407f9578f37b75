//! Answers that no other try will change: what they mean is said, and they cost one build or one publication.

use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Fault, Kind, When, sha256_digest};

use crate::support::{
    BAD, Nth, assert_cause, assert_fails_alone, assert_overcome, run, stage, with_registry_fault,
};

#[tokio::test]
async fn a_blob_that_is_too_large_fails_its_build_and_is_named_with_its_size() {
    let stage = stage().await;
    let file = stage.channel.file(BAD);
    let digest = sha256_digest(&file.bytes().unwrap());
    let size = file.size;
    // As nginx says it, which is mostly what is in the way.
    let page = Fault::answer(413, &[], "<h1>413 Request Entity Too Large</h1><hr>nginx");
    let when = When::kind(Kind::UploadPut).repository_ending("/bad");
    stage.fake().fault(when, page);
    // Only the package itself is refused.
    let entry = assert_fails_alone(&stage, 3).await;
    assert_eq!(entry["attempts"], 1, "{entry:#}");
    assert_cause(
        &entry,
        &["upload a blob", "/linux-64/bad", "413", "raise the limit"],
    );
    let cause = entry["cause"].as_str().unwrap();
    // Package and metadata go at once: either may be refused first.
    let package = cause.contains(&format!("{digest} of {size} bytes"));
    let metadata = cause.contains("sent was sha256:") && !cause.contains(&digest);
    assert!(package || metadata, "{cause}");
}

#[tokio::test]
async fn a_manifest_that_is_refused_fails_its_build_with_the_reason() {
    for (fault, says) in [
        (Fault::status(413), &["413", "raise the limit"][..]),
        (
            Fault::error(400, "MANIFEST_INVALID", "unknown config"),
            &["unknown config", "media type"],
        ),
    ] {
        let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, fault).await;
        let entry = assert_fails_alone(&stage, 3).await;
        assert_eq!(entry["attempts"], 1, "{entry:#}");
        assert_cause(&entry, &["put a manifest", "/linux-64/bad"]);
        assert_cause(&entry, says);
    }
}

#[tokio::test]
async fn a_repository_that_must_be_made_first_fails_its_build_and_says_so() {
    let unknown = || Fault::error(404, "NAME_UNKNOWN", "the repository does not exist");
    let stage = with_registry_fault(Kind::UploadPost, Nth::Always, unknown()).await;
    // A mount would make it as well.
    let mount = When::kind(Kind::Mount).repository_ending("/bad");
    stage.fake().fault(mount, unknown());
    let entry = assert_fails_alone(&stage, 3).await;
    assert_eq!(entry["attempts"], 1, "{entry:#}");
    let says = [
        "/linux-64/bad",
        "404",
        "NAME_UNKNOWN",
        "made before anything is pushed",
    ];
    assert_cause(&entry, &says);
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_exit_2_before_anything_is_downloaded() {
    let stage = stage().await;
    let unknown = Fault::error(404, "NAME_UNKNOWN", "project ns not found");
    stage.fake().fault(When::writes(), unknown);
    let finished = stage.run().run().await;
    finished.assert_code(2);
    let says = [
        "404",
        "project ns not found",
        "namespace",
        "made before anything is pushed",
    ];
    let mut lines = finished.stderr.lines();
    let said = lines.any(|line| says.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {says:?}: {}", finished.to_text());
    assert_eq!(stage.downloads().len(), 0);
}

#[tokio::test]
async fn a_401_in_the_middle_of_a_run_fails_that_build_and_names_the_login() {
    let unauthorized = Fault::error(401, "UNAUTHORIZED", "the session ended");
    let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, unauthorized).await;
    let entry = assert_fails_alone(&stage, 3).await;
    assert_eq!(entry["attempts"], 1, "{entry:#}");
    assert_cause(
        &entry,
        &["401", "the session ended", "ORAS_USER", "ORAS_PASS"],
    );
}

#[tokio::test]
async fn a_registry_that_loses_every_blob_fails_that_build_and_its_storage_is_named() {
    let stage = with_registry_fault(Kind::UploadPut, Nth::Always, Fault::LoseBlob).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_eq!(entry["attempts"], 2, "{entry:#}");
    assert_cause(&entry, &["put a manifest", "BLOB_UNKNOWN", "its storage"]);
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_manifest_is_made_again() {
    for repository in [
        "/bad",
        "/linux-64/repodata.json",
        "/linux-64/repodata.json/shards",
    ] {
        for fault in [Fault::cut_after(10), Fault::CutAnswer] {
            let stage = stage().await;
            let when = When::kind(Kind::ManifestPut).repository_ending(repository);
            stage.fake().fault(when.first(2), fault);
            assert_overcome(&stage).await;
        }
    }
}

/// A run whose index meets `fault` at `latest` is exit 2 and says so; the next one publishes without a download.
async fn assert_published_later(kind: Kind, fault: Fault, says: &[&str]) -> Stage {
    let stage = stage().await;
    let when = When::kind(kind).repository_ending("/linux-64/repodata.json");
    stage.fake().fault(when, fault);
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(2);
    let mut lines = finished.stderr.lines();
    let said = lines.any(|line| says.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {says:?}: {}", finished.to_text());
    let summary = &report.read()["summary"];
    assert_eq!(summary["subdirs"][0]["subdir"], "linux-64", "{summary:#}");
    assert!(summary["subdirs"][0]["error"].is_string(), "{summary:#}");
    assert!(stage.view().index(&stage.subdir("noarch")).is_some());
    stage.assert_publications_passed();
    let downloads = stage.downloads();

    stage.fake().clear_faults();
    assert_overcome(&stage).await;
    assert_eq!(stage.downloads(), downloads, "what is held stays held");
    stage
}

#[tokio::test]
async fn an_index_that_is_refused_is_published_by_the_next_run_without_a_download() {
    for (fault, says) in [
        (Fault::denied(), &["403", "DENIED"][..]),
        (Fault::status(500), &["500", "its log"]),
        (Fault::status(413), &["413", "raise the limit"]),
    ] {
        let says = [says, &["linux-64/repodata.json", "put a manifest"]].concat();
        let stage = assert_published_later(Kind::ManifestPut, fault, &says).await;
        assert_eq!(stage.downloads().len(), 3);
    }
}

#[tokio::test]
async fn an_index_that_the_registry_says_it_changed_is_not_taken_for_published() {
    let says = ["linux-64/repodata.json", "sha256:0000", "does not count"];
    assert_published_later(Kind::ManifestPut, Fault::wrong_digest(), &says).await;
}

#[tokio::test]
async fn an_index_whose_blob_is_too_large_names_the_blob() {
    // The config comes first, and passes.
    let says = [
        "linux-64/repodata.json",
        "413",
        "sent was sha256:",
        "raise the limit",
    ];
    let stage = stage().await;
    let when = When::kind(Kind::UploadPut).repository_ending("/linux-64/repodata.json");
    stage.fake().fault(when.from_nth(2), Fault::status(413));
    let (finished, _) = run(&stage, 1).await;
    finished.assert_code(2);
    let mut lines = finished.stderr.lines();
    let said = lines.any(|line| says.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {says:?}: {}", finished.to_text());
    assert_eq!(stage.view().index(&stage.subdir("linux-64")), None);
    stage.fake().clear_faults();
    assert_overcome(&stage).await;
}

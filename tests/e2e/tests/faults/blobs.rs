//! Uploads that go wrong at the registry.

use mirror_kit::fake_registry::{Fault, Kind, When};

use crate::support::{
    BAD, Nth, assert_cause, assert_fails_alone, assert_overcome, run, stage, with_registry_fault,
};

#[tokio::test]
async fn server_errors_pass_wherever_they_come() {
    for kind in [
        Kind::UploadPost,
        Kind::UploadPut,
        Kind::Mount,
        Kind::ManifestPut,
        Kind::TagsList,
    ] {
        let stage = with_registry_fault(kind, Nth::First(2), Fault::status(500)).await;
        assert_overcome(&stage).await;
    }
}

#[tokio::test]
async fn server_errors_at_the_index_pass() {
    for kind in [
        Kind::ManifestGet,
        Kind::UploadPost,
        Kind::UploadPut,
        Kind::ManifestPut,
    ] {
        let stage = stage().await;
        for repository in ["/linux-64/repodata.json", "/linux-64/repodata.json/shards"] {
            let when = When::kind(kind).repository_ending(repository).first(2);
            stage.fake().fault(when, Fault::status(502));
        }
        assert_overcome(&stage).await;
    }
}

#[tokio::test]
async fn a_server_error_that_stays_fails_that_build_with_its_tries_counted() {
    let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, Fault::status(500)).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_eq!(entry["attempts"], 2);
    assert_cause(&entry, &["put a manifest", "/bad", "500"]);
    assert_eq!(stage.downloads_of(BAD), 2);
}

#[tokio::test]
async fn a_blob_that_the_registry_loses_is_pushed_again() {
    // The package, the info archive, its index.json.
    for nth in 1..=3 {
        let stage = with_registry_fault(Kind::UploadPut, Nth::Only(nth), Fault::LoseBlob).await;
        assert_overcome(&stage).await;
        assert_eq!(stage.downloads_of(BAD), 1, "blob {nth}");
        let repository = format!("{}/bad", stage.subdir("linux-64"));
        let puts = stage.fake().log().count_in(&repository, Kind::UploadPut);
        assert_eq!(
            puts,
            4,
            "only what is missing is pushed again\n{}",
            stage.log()
        );
    }
}

#[tokio::test]
async fn a_config_that_a_mount_promised_and_did_not_bring_is_pushed() {
    let stage = stage().await;
    // As with a mount that was answered 201 and did nothing.
    let when = When::kind(Kind::Mount).repository_ending("/bad");
    stage.fake().fault(when, Fault::status(201));
    assert_overcome(&stage).await;
}

#[tokio::test]
async fn a_lost_blob_of_the_index_is_mended_in_the_same_run() {
    for repository in ["/linux-64/repodata.json", "/linux-64/repodata.json/shards"] {
        let stage = stage().await;
        // The config comes first.
        let when = When::kind(Kind::UploadPut)
            .repository_ending(repository)
            .nth(2);
        stage.fake().fault(when, Fault::LoseBlob);
        assert_overcome(&stage).await;
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_an_upload_is_made_again() {
    for nth in 1..=3 {
        let stage =
            with_registry_fault(Kind::UploadPut, Nth::Only(nth), Fault::cut_after(100)).await;
        assert_overcome(&stage).await;
        assert_eq!(stage.downloads_of(BAD), 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_does_not_send_the_blob_twice() {
    for kind in [Kind::UploadPut, Kind::ManifestPut] {
        let stage = with_registry_fault(kind, Nth::Only(1), Fault::CutAnswer).await;
        assert_overcome(&stage).await;
        let repository = format!("{}/bad", stage.subdir("linux-64"));
        let puts = stage.fake().log().count_in(&repository, Kind::UploadPut);
        assert_eq!(puts, 3, "{}", stage.log());
    }
}

#[tokio::test]
async fn a_commit_that_is_answered_unknown_is_looked_for_and_found() {
    for nth in 1..=3 {
        let stage =
            with_registry_fault(Kind::UploadPut, Nth::Only(nth), Fault::CommitButUnknown).await;
        assert_overcome(&stage).await;
        let repository = format!("{}/bad", stage.subdir("linux-64"));
        let puts = stage.fake().log().count_in(&repository, Kind::UploadPut);
        assert_eq!(puts, 3, "{}", stage.log());
    }
}

#[tokio::test]
async fn a_registry_that_stored_something_else_fails_that_build() {
    let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, Fault::wrong_digest()).await;
    // The bytes are there all the same, so the view calls them held: look at report and index only.
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(1);
    let entry = report.entry(BAD);
    assert_eq!(entry["outcome"], "failed");
    assert_cause(&entry, &["put a manifest", "sha256:0000"]);
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert!(listed.len() == 2 && !listed.contains(BAD), "{listed:?}");
    stage.assert_publications_passed();
}

//! Every way in which a registry asks for patience: the host is left alone for so long, and no try is counted.

use futures::future::join_all;
use mirror_e2e::mirror::Report;
use mirror_kit::fake_registry::{Fault, Kind, When};

use crate::support::{BAD, Nth, assert_overcome, run, stage, with_registry_fault};

/// What is said when the registry is parked.
const PATIENT: &str = "asks for patience";

/// GitHub's throttling with the time to wait in a header.
fn secondary_rate_limit() -> Fault {
    let body = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    Fault::answer(403, &[("retry-after", "1")], body)
}

/// How many seconds the registry is left alone, as it is said.
fn patience(stderr: &str) -> f32 {
    let line = stderr.lines().find(|line| line.contains(PATIENT)).unwrap();
    let (_, seconds) = line.split_once("seconds=").unwrap();
    seconds.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_form_of_it_is_understood() {
    let pleas = [
        Fault::too_many_requests(1),
        Fault::ghcr_too_many_requests("10.305464ms"),
        secondary_rate_limit(),
        Fault::answer(503, &[("retry-after", "1")], ""),
    ];
    for kind in [Kind::UploadPost, Kind::UploadPut, Kind::ManifestPut] {
        let runs = pleas.clone().map(|plea| async {
            let stage = with_registry_fault(kind, Nth::Only(1), plea).await;
            let (finished, _) = run(&stage, 1).await;
            finished.assert_code(0);
            stage.assert_complete();
            let wait = patience(&finished.stderr);
            assert!(wait <= 1.0, "{}", finished.to_text());
            assert_eq!(stage.downloads_of(BAD), 1);
        });
        join_all(runs).await;
    }
}

#[tokio::test]
async fn a_plea_at_the_index_is_waited_out() {
    let kinds = [Kind::ManifestGet, Kind::UploadPut, Kind::ManifestPut];
    let runs = kinds.map(|kind| async move {
        let stage = stage().await;
        let when = When::kind(kind)
            .repository_ending("/linux-64/repodata.json")
            .first(1);
        stage.fake().fault(when, Fault::too_many_requests(1));
        assert_overcome(&stage).await;
    });
    join_all(runs).await;
}

#[tokio::test]
async fn a_throttling_403_that_names_no_time_is_a_minute_of_patience_and_no_refusal() {
    let plea = Fault::secondary_rate_limit();
    let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, plea).await;
    let report = Report::in_home(&stage.home);
    let run = stage.run().arg("--report").arg(report.path());
    let mut running = run.spawn();
    running
        .until("to say that it waits", |_, stderr| stderr.contains(PATIENT))
        .await;
    running.interrupt();
    let finished = running.wait().await;
    finished.assert_code(130);
    let wait = patience(&finished.stderr);
    assert!((50.0..=60.0).contains(&wait), "{}", finished.to_text());
    let report = report.read();
    let files = report["files"].as_array().unwrap();
    let failed = files.iter().find(|entry| entry["outcome"] == "failed");
    assert_eq!(failed, None, "{report:#}");
}

#[tokio::test]
async fn it_may_last_longer_than_a_single_request_waits_and_still_no_try_is_counted() {
    // After five pleas the request gives up and its build goes back to the queue.
    let stage = with_registry_fault(
        Kind::ManifestPut,
        Nth::First(8),
        Fault::too_many_requests(1),
    )
    .await;
    assert_overcome(&stage).await;
    let repository = format!("{}/bad", stage.subdir("linux-64"));
    let puts = stage.fake().log().count_in(&repository, Kind::ManifestPut);
    assert_eq!(puts, 9, "{}", stage.log());
}

#[tokio::test]
async fn while_the_registry_is_parked_its_other_repositories_are_left_alone_too() {
    let stage = stage().await;
    // One build is in the middle of an upload when another is asked for an hour of patience.
    let upload = When::kind(Kind::UploadPut)
        .repository_ending("/good")
        .nth(1);
    let upload = stage.fake().hold_answer(upload);
    let plea = When::kind(Kind::UploadPost)
        .repository_ending("/bad")
        .nth(1);
    let before_plea = stage.fake().hold(plea.clone());
    stage.fake().fault(plea, Fault::too_many_requests(3_600));
    let mut running = stage.run().spawn();
    upload.held().await;
    before_plea.held().await;
    before_plea.release();
    running
        .until("to say that it waits", |_, stderr| stderr.contains(PATIENT))
        .await;
    upload.release();
    // What is in flight may be finished after an interrupt: there is time enough for the manifest.
    running.interrupt();
    running.wait().await.assert_code(130);
    let repository = format!("{}/good", stage.subdir("linux-64"));
    let named = stage.fake().log().count_in(&repository, Kind::ManifestPut);
    assert_eq!(named, 0, "{}", stage.log());
}

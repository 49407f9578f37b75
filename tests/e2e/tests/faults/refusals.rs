//! A registry that says no: to one repository, to all, or by not being there.

use std::net::{Ipv4Addr, TcpListener};

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Fault, Kind, When};

use crate::support::{
    BAD, Nth, assert_cause, assert_fails_alone, assert_overcome, stage, with_registry_fault,
};

#[tokio::test]
async fn a_repository_that_is_denied_fails_and_the_others_are_mirrored() {
    for kind in [Kind::UploadPost, Kind::ManifestPut] {
        let stage = with_registry_fault(kind, Nth::Always, Fault::denied()).await;
        let entry = assert_fails_alone(&stage, 3).await;
        assert_eq!(entry["attempts"], 1);
        assert_cause(&entry, &["/linux-64/bad", "403", "DENIED"]);
    }
}

#[tokio::test]
async fn what_was_denied_is_tried_again_in_the_next_run_without_being_asked_to() {
    let stage = with_registry_fault(Kind::ManifestPut, Nth::Always, Fault::denied()).await;
    assert_fails_alone(&stage, 1).await;
    stage.fake().clear_faults();
    assert_overcome(&stage).await;
}

/// Twelve packages, a registry that denies such requests of theirs, a login.
async fn denied_packages(denied: usize) -> (Stage, mirror_kit::process::Finished) {
    let stage = Stage::registry(|dir| bulk(dir, 12, 3_000)).await;
    for number in 0..denied {
        let when = When::writes().repository_ending(format!("/bulk-{number:05}"));
        stage.fake().fault(when, Fault::denied());
    }
    let run = stage.run().args(["--workers", "1", "--attempts", "3"]);
    let run = run.env("ORAS_USER", "robot").env("ORAS_PASS", "hunter2");
    let finished = run.run().await;
    (stage, finished)
}

#[tokio::test]
async fn three_repositories_denied_in_a_row_stop_the_run_with_one_message() {
    let (stage, finished) = denied_packages(12).await;
    finished.assert_code(2);
    let stops = finished
        .stderr
        .lines()
        .filter(|line| line.contains("refused 3 repositories"));
    assert_eq!(stops.count(), 1, "{}", finished.to_text());
    assert!(
        finished.stderr.contains("ORAS_USER"),
        "{}",
        finished.to_text()
    );
    let told = |line: &str| line.starts_with("linux-64") && line.contains("of 12 files");
    let told = finished.stdout.lines().find(|line| told(line));
    let failed = told.is_some_and(|line| line.contains("failed"));
    assert!(failed, "what was done is told: {}", finished.to_text());
    let asked: usize = stage.downloads().len();
    assert!(asked <= 4, "{asked} packages were downloaded for nothing");
    let linux = stage.subdir("linux-64");
    assert_eq!(stage.view().index(&linux), None, "nothing is published");
}

#[tokio::test]
async fn refusals_with_successes_between_them_do_not_stop_the_run() {
    let stage = Stage::registry(|dir| bulk(dir, 12, 3_000)).await;
    for number in (0..12).step_by(2) {
        let when = When::writes().repository_ending(format!("/bulk-{number:05}"));
        stage.fake().fault(when, Fault::denied());
    }
    let run = stage.run().args(["--workers", "1", "--attempts", "3"]);
    run.run().await.assert_code(1);
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")).len(), 6);
    stage.assert_publications_passed();
}

#[tokio::test]
async fn a_login_that_may_not_push_at_all_is_said_before_anything_is_downloaded() {
    let stage = stage().await;
    stage.fake().fault(When::writes(), Fault::denied());
    let run = stage
        .run()
        .env("ORAS_USER", "robot")
        .env("ORAS_PASS", "hunter2");
    let finished = run.run().await;
    finished.assert_code(2);
    for part in ["refuses this login", "DENIED", "ORAS_USER"] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
    assert_eq!(stage.downloads_of(BAD), 0);
    assert_eq!(stage.downloads().len(), 0);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_exit_2_with_its_address_and_what_to_check() {
    let stage = stage().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let to = format!("http://{address}/{NAMESPACE}");
    let run = mirror(&stage.home, stage.source.url(), to).args(["-s", "linux-64"]);
    let finished = run.run().await;
    finished.assert_code(2);
    for part in [&address.to_string(), "check the address", "registry runs"] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
    assert_eq!(stage.downloads().len(), 0);
}

#[tokio::test]
async fn a_server_that_is_no_registry_is_exit_2_with_its_answer() {
    let stage = stage().await;
    // The channel's own server: 404 to reads, 405 to everything that writes.
    let to = format!("{}/{NAMESPACE}", stage.source.base());
    let run = mirror(&stage.home, stage.source.url(), to).args(["-s", "linux-64"]);
    let finished = run.run().await;
    finished.assert_code(2);
    assert!(finished.stderr.contains("405"), "{}", finished.to_text());
    assert_eq!(stage.downloads().len(), 0);
}

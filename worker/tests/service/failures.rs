//! Files and hosts that fail: each file for itself, and the run only where the login is at fault.

use std::time::Duration;

use mirror_kit::fake_channel::{FakeChannel, Fault as ChannelFault, Times};
use mirror_kit::fake_registry::Kind::{ManifestGet, ManifestPut, UploadPost};
use mirror_kit::fake_registry::{FakeRegistry, Fault, When};
use mirror_kit::package::{Format, MadePackage, PackageSpec};
use mirror_ledger::{Claim, FailureKind};
use mirror_queue::{Action, TaskQueue as _};
use mirror_worker::WorkerError;
use url::Url;

use crate::bench::{Bench, PLAN, SUBDIR};

/// Both formats of one build.
fn both(bench: &Bench) -> (MadePackage, MadePackage) {
    let spec = PackageSpec::new("zlib", "1.3.1", "h0_1");
    let conda = bench.make(&spec);
    (conda, bench.make(&spec.format(Format::TarBz2)))
}

/// Puts other bytes of the same length there; gives the right ones.
fn damage(bench: &Bench, file: &MadePackage) -> Vec<u8> {
    let path = bench.path(&file.file_name);
    let right = std::fs::read(&path).unwrap();
    let mut wrong = right.clone();
    wrong[100] ^= 1;
    std::fs::write(&path, wrong).unwrap();
    right
}

#[tokio::test]
async fn one_format_that_fails_does_not_hold_back_the_other() {
    let bench = Bench::with_folder();
    let (conda, tar_bz2) = both(&bench);
    damage(&bench, &tar_bz2);
    bench.publish(PLAN, &[&conda, &tar_bz2]).await;
    bench.work_off(1).await;

    assert!(bench.is_done(&conda).await);
    let failure = bench.failure(&tar_bz2).await;
    assert_eq!(failure.kind, FailureKind::Retry);
    assert_eq!(failure.attempts, 1);
    let cause = failure.cause.to_string();
    assert!(cause.contains(&tar_bz2.sha256), "{cause}");
    assert!(bench.holds(&conda).await);
    assert!(!bench.holds(&tar_bz2).await);
}

#[tokio::test]
async fn the_other_format_is_pushed_at_once_and_the_retry_brings_only_the_missing_one() {
    let bench = Bench::with_folder();
    let (conda, tar_bz2) = both(&bench);
    let right = damage(&bench, &tar_bz2);
    bench.publish(PLAN, &[&conda, &tar_bz2]).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert!(bench.is_done(&conda).await);
    assert!(bench.holds(&conda).await);
    assert_eq!(bench.outcome(&tar_bz2).await, None, "there are tries left");

    std::fs::write(bench.path(&tar_bz2.file_name), right).unwrap();
    std::fs::remove_file(bench.path(&conda.file_name)).unwrap();
    bench.work_off(8).await;
    assert!(bench.is_done(&conda).await);
    assert!(bench.is_done(&tar_bz2).await);
    assert!(bench.holds(&conda).await);
    assert!(bench.holds(&tar_bz2).await);
    assert_eq!(bench.manifest(&conda).await.unwrap().layers.len(), 4);
}

#[tokio::test]
async fn a_file_that_the_channel_lists_and_lacks_fails_and_others_go_on() {
    let bench = Bench::with_folder();
    let gone = bench.make(&PackageSpec::new("gone", "1", "0"));
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    std::fs::remove_file(bench.path(&gone.file_name)).unwrap();
    bench.publish(PLAN, &[&gone]).await;
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(8).await;
    let failure = bench.failure(&gone).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(
        failure.cause.to_string().contains("404"),
        "{:?}",
        failure.cause
    );
    assert!(bench.is_done(&zlib).await);
}

#[tokio::test]
async fn a_file_with_the_right_hash_that_is_no_package_fails_for_good() {
    let bench = Bench::with_folder();
    let mut page = bench.make(&PackageSpec::new("page", "1", "0"));
    let html = b"<html>Please log in</html>";
    std::fs::write(bench.path(&page.file_name), html).unwrap();
    page.sha256 = mirror_oci::Digest::of(html).hex();
    page.size = html.len() as u64;
    bench.publish(PLAN, &[&page]).await;
    bench.work_off(8).await;
    let failure = bench.failure(&page).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    let cause = failure.cause.to_string();
    assert!(cause.contains("not a readable conda package"), "{cause}");
    assert_eq!(bench.manifest(&page).await, None);
}

/// Packages of as many repositories.
fn packages(bench: &Bench, count: usize) -> Vec<MadePackage> {
    let name = |n| format!("package{n}");
    (0..count)
        .map(|n| bench.make(&PackageSpec::new(&name(n), "1", "0")))
        .collect()
}

#[tokio::test]
async fn three_refused_repositories_in_a_row_stop_the_worker() {
    let fake = FakeRegistry::start();
    fake.fault(When::writes(), Fault::denied());
    let bench = Bench::with_registry(&fake);
    let packages = packages(&bench, 5);
    for package in &packages {
        bench.publish(PLAN, &[package]).await;
    }
    let ended = bench.work_until(8, |depth| depth.total() == 0).await;
    let error = ended.unwrap_err();
    assert!(
        matches!(
            error,
            WorkerError::Refused {
                repositories: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("ORAS_USER"), "{error}");
    assert!(error.to_string().contains("DENIED"), "{error}");
    for package in &packages[..3] {
        let denied = bench.failure(package).await;
        assert_eq!(denied.kind, FailureKind::Denied);
    }
    // Those behind it are still to be done.
    assert_eq!(bench.depth().await.ready, 2);
}

#[tokio::test]
async fn a_repository_that_is_refused_between_others_fails_alone() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let packages = packages(&bench, 6);
    for (n, package) in packages.iter().enumerate() {
        bench.publish(PLAN, &[package]).await;
        if n % 3 != 2 {
            let name = format!("/package{n}");
            fake.fault(When::writes().repository_ending(name), Fault::denied());
        }
    }
    bench.work_off(8).await;
    for (n, package) in packages.iter().enumerate() {
        match n % 3 {
            2 => assert!(bench.is_done(package).await, "{n}"),
            _ => assert_eq!(bench.failure(package).await.kind, FailureKind::Denied),
        }
    }
}

#[tokio::test]
async fn a_channel_that_refuses_files_does_not_stop_the_run() {
    let mut bench = Bench::with_folder();
    let packages = packages(&bench, 5);
    let channel = FakeChannel::start(bench.dir.path().join("channel"))
        .await
        .unwrap();
    bench.source = Url::parse(&channel.url_of(&format!("{SUBDIR}/"))).unwrap();
    for package in &packages[..4] {
        channel.fault(&package.file_name, ChannelFault::status(403), Times::Always);
    }
    for package in &packages {
        bench.publish(PLAN, &[package]).await;
    }
    bench.work_off(8).await;
    for package in &packages[..4] {
        assert_eq!(bench.failure(package).await.kind, FailureKind::Denied);
    }
    assert!(bench.is_done(&packages[4]).await);
}

#[tokio::test]
async fn a_throttled_task_waits_and_is_not_counted() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    fake.fault(When::kind(UploadPost), Fault::too_many_requests(3600));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert_eq!(bench.outcome(&zlib).await, None);
    let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
    let fresh = Claim::Granted {
        attempt: 1,
        interrupted: false,
    };
    assert_eq!(claim, fresh);
}

#[tokio::test]
async fn a_throttled_task_that_comes_back_looks_what_is_there_already() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    // One plea more than a request listens to; the last one ends soon.
    fake.fault(
        When::kind(ManifestPut).first(6),
        Fault::too_many_requests(1),
    );
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(1).await;
    assert!(bench.is_done(&zlib).await);
    assert_eq!(fake.log().count(ManifestPut), 7);
    assert_eq!(fake.log().count(ManifestGet), 1);
}

#[tokio::test]
async fn tries_are_counted_up_to_the_limit_and_the_cause_is_kept() {
    let fake = FakeRegistry::start();
    fake.fault(
        When::kind(UploadPost),
        Fault::error(500, "UNKNOWN", "the disk is full"),
    );
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let mut task = bench.task(PLAN, &[&zlib]);
    // As it comes back from the delay queue after its second try.
    task.attempt = 3;
    bench.queue.publish(task).await.unwrap();
    bench.work_off(3).await;
    let failure = bench.failure(&zlib).await;
    assert_eq!((failure.kind, failure.attempts), (FailureKind::Retry, 3));
    let cause = failure.cause.to_string();
    assert!(cause.contains("the disk is full"), "{cause}");
}

#[tokio::test]
async fn a_file_done_stays_done_when_a_later_try_fails_as_a_whole() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let (conda, tar_bz2) = both(&bench);
    damage(&bench, &tar_bz2);
    bench.publish(PLAN, &[&conda, &tar_bz2]).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert!(bench.is_done(&conda).await);

    fake.fault(When::kind(ManifestGet), Fault::denied());
    bench.work_off(8).await;
    assert!(bench.is_done(&conda).await);
    assert_eq!(bench.failure(&tar_bz2).await.kind, FailureKind::Denied);
}

#[tokio::test]
async fn a_file_found_at_its_tag_is_done_though_the_manifest_of_the_other_is_refused() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let (conda, tar_bz2) = both(&bench);
    bench.publish(PLAN, &[&conda]).await;
    bench.work_off(8).await;

    fake.fault(When::kind(ManifestPut), Fault::denied());
    let mut task = bench.task(PLAN + 1, &[&conda, &tar_bz2]);
    task.probe = true;
    bench.queue.publish(task).await.unwrap();
    bench.work_off(8).await;
    assert!(bench.is_done(&conda).await);
    assert_eq!(bench.failure(&tar_bz2).await.kind, FailureKind::Denied);
}

#[tokio::test]
async fn a_throttled_second_file_does_not_undo_the_first() {
    let mut bench = Bench::with_folder();
    let (conda, tar_bz2) = both(&bench);
    let channel = FakeChannel::start(bench.dir.path().join("channel"))
        .await
        .unwrap();
    bench.source = Url::parse(&channel.url_of(&format!("{SUBDIR}/"))).unwrap();
    let wait = ChannelFault::too_many_requests("3600");
    channel.fault(&tar_bz2.file_name, wait, Times::Always);
    let task = bench.publish(PLAN, &[&conda, &tar_bz2]).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert!(bench.is_done(&conda).await);
    assert!(bench.holds(&conda).await);
    assert_eq!(bench.outcome(&tar_bz2).await, None);
    let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
    let uncounted = Claim::Granted {
        attempt: 1,
        interrupted: false,
    };
    assert_eq!(claim, uncounted);
}

#[tokio::test]
async fn a_file_to_keep_stays_named_though_nobody_asked_for_a_probe() {
    let bench = Bench::with_folder();
    let (conda, tar_bz2) = both(&bench);
    bench.publish(PLAN, &[&tar_bz2]).await;
    bench.work_off(8).await;

    let mut task = bench.task(PLAN + 1, &[&conda, &tar_bz2]);
    task.files[1].action = Action::Keep;
    assert!(!task.probe);
    bench.queue.publish(task).await.unwrap();
    bench.work_off(8).await;
    assert!(bench.holds(&conda).await);
    assert!(bench.holds(&tar_bz2).await);
    assert_eq!(bench.activity.downloaded(), conda.size + tar_bz2.size);
}

#[tokio::test]
async fn a_file_only_looked_for_and_not_there_is_absent_and_not_brought() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let mut task = bench.task(PLAN, &[&zlib]);
    task.files[0].action = Action::Check;
    bench.queue.publish(task).await.unwrap();
    bench.work_off(8).await;
    let failure = bench.failure(&zlib).await;
    assert_eq!(failure.kind, FailureKind::Absent);
    assert!(failure.due(failure.at_ms, failure.sha256.as_ref(), false));
    assert_eq!(bench.activity.downloaded(), 0);
}

//! The same task again, and plans that overtake each other.

use std::time::Duration;

use mirror_kit::fake_registry::Kind::{ManifestGet, ManifestPut, UploadPut};
use mirror_kit::fake_registry::{FakeRegistry, When};
use mirror_kit::package::{Fill, Format, MadePackage, PackageSpec};
use mirror_ledger::{Failure, FailureKind, FileOutcome, Outcomes as _};
use mirror_queue::TaskQueue as _;

use crate::bench::{Bench, PLAN, SUBDIR};

#[tokio::test]
async fn a_task_delivered_twice_is_done_once() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(8).await;
    assert!(bench.is_done(&zlib).await);
    assert!(bench.holds(&zlib).await);
    assert_eq!(bench.activity.downloaded(), zlib.size);
}

#[tokio::test]
async fn a_task_delivered_again_after_its_outcome_was_lost_finds_its_work_done() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(8).await;
    fake.log().clear();

    // A higher plan, so that the outcome does not settle it; probed, for the ledger may be wrong.
    let mut again = bench.task(PLAN + 1, &[&zlib]);
    again.probe = true;
    bench.queue.publish(again).await.unwrap();
    bench.work_off(8).await;
    assert_eq!(fake.log().count(ManifestGet), 1);
    assert_eq!(fake.log().writes(), 0, "{}", fake.log().to_text());
    assert_eq!(bench.activity.downloaded(), zlib.size);
}

#[tokio::test]
async fn a_damaged_build_is_brought_anew_though_its_tag_names_it_and_a_format_that_is_gone_is_dropped()
 {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let conda = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let tar = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1").format(Format::TarBz2));
    bench.publish(PLAN, &[&conda, &tar]).await;
    bench.work_off(8).await;
    let (view, repository) = (fake.view(), format!("ns/chan/{SUBDIR}/zlib"));
    let of = |file: &MadePackage| format!("sha256:{}", file.sha256);
    assert!(view.corrupt_blob(&repository, &of(&conda), "other bytes"));
    assert!(view.delete_blob(&repository, &of(&tar)));

    // The channel no longer has the other format, so nobody can bring it.
    let mut again = bench.task(PLAN + 1, &[&conda]);
    again.renew = true;
    bench.queue.publish(again).await.unwrap();
    bench.work_off(1).await;
    assert!(bench.is_done(&conda).await);
    assert_eq!(view.blob_size(&repository, &of(&conda)), Some(conda.size));
    assert!(bench.holds(&conda).await && !bench.holds(&tar).await);
}

#[tokio::test]
async fn two_workers_with_the_same_task_end_at_one_result() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.publish(PLAN, &[&zlib]).await;
    let put = fake.hold(When::kind(ManifestPut).nth(1));
    let first = bench.start(8, Duration::from_secs(60));
    put.held().await;
    // The other finds the claim alive and puts its copy off.
    let held = bench
        .work_until(8, |depth| depth.delayed == 1 && depth.ready == 0)
        .await;
    held.unwrap();
    put.release();
    first.stop().await.unwrap();
    assert!(bench.is_done(&zlib).await);
    assert_eq!(fake.log().count(ManifestPut), 1);
    assert_eq!(fake.log().count(UploadPut), 4);
}

#[tokio::test]
async fn a_task_of_an_older_plan_is_acknowledged_and_nothing_is_pushed() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench.claim(&task, PLAN + 1, Duration::ZERO).await;
    bench.work_off(8).await;
    assert_eq!(bench.outcome(&zlib).await, None);
    assert_eq!(bench.activity.downloaded(), 0);
    assert!(!bench.holds(&zlib).await);
}

#[tokio::test]
async fn an_outcome_of_a_newer_plan_settles_an_older_task() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    let outcomes = vec![(zlib.file_name.clone(), failed())];
    bench
        .ledger
        .adopt(SUBDIR, PLAN + 1, outcomes)
        .await
        .unwrap();
    bench.work_off(8).await;
    assert_eq!(bench.outcome(&zlib).await, Some(failed()));
    assert_eq!(bench.activity.downloaded(), 0);
}

#[tokio::test]
async fn a_worker_overtaken_after_its_manifest_looks_again_under_the_newer_plan() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    let put = fake.hold_answer(When::kind(ManifestPut).nth(1));
    let running = bench.start(8, Duration::from_secs(60));
    put.held().await;
    let outcomes = vec![(zlib.file_name.clone(), failed())];
    bench
        .ledger
        .adopt(SUBDIR, PLAN + 3, outcomes)
        .await
        .unwrap();
    put.release();
    bench.work_off(8).await;
    running.stop().await.unwrap();
    assert!(
        bench.is_done(&zlib).await,
        "the later look has the last word"
    );
    assert_eq!(fake.log().count(ManifestPut), 1);
    assert_eq!(bench.activity.downloaded(), zlib.size);
}

#[tokio::test]
async fn what_a_worker_put_over_the_file_of_a_newer_plan_is_put_right() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let old = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&old]).await;
    let put = fake.hold_answer(When::kind(ManifestPut).nth(1));
    let running = bench.start(8, Duration::from_secs(60));
    put.held().await;
    // Meanwhile the channel has other content under the name, and a newer plan was through with it.
    let new = PackageSpec::new("zlib", "1.3.1", "h0_1").payload(3_000, Fill::Random);
    let new = bench.make(&new);
    assert_ne!(new.sha256, old.sha256);
    let done = FileOutcome::Done {
        sha256: crate::bench::file(&new).sha256.unwrap(),
        md5: None,
        size: new.size,
    };
    let outcomes = vec![(new.file_name.clone(), done.clone())];
    let newer = bench.ledger.adopt(SUBDIR, PLAN + 3, outcomes);
    newer.await.unwrap();
    put.release();
    bench.work_off(8).await;
    running.stop().await.unwrap();
    assert_eq!(bench.outcome(&new).await, Some(done));
    assert!(
        bench.holds(&new).await,
        "the newer plan's file is at the tag"
    );
}

fn failed() -> FileOutcome {
    FileOutcome::Failed(Failure {
        kind: FailureKind::Permanent,
        cause: "decided elsewhere".into(),
        attempts: 1,
        at_ms: 1,
        sha256: None,
    })
}

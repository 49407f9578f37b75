//! Builds that somebody else works on, or that kill their workers.

use std::time::Duration;

use mirror_kit::fake_registry::Kind::UploadPut;
use mirror_kit::fake_registry::{FakeRegistry, When};
use mirror_kit::package::{Format, PackageSpec};
use mirror_ledger::{Claim, Controls as _, FailureKind};
use mirror_queue::{Action, TaskQueue as _};

use crate::bench::{Bench, PLAN, SUBDIR};

#[tokio::test]
async fn a_task_whose_build_another_works_on_is_put_off() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench.claim(&task, PLAN, Duration::from_secs(3600)).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    let depth = bench.depth().await;
    assert_eq!((depth.ready, depth.unacknowledged), (0, 0));
    assert_eq!(bench.outcome(&zlib).await, None);
    assert_eq!(bench.activity.downloaded(), 0);
}

#[tokio::test]
async fn a_task_of_a_paused_subdir_is_put_off_and_costs_no_try() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench.ledger.set_paused(SUBDIR, true).await.unwrap();
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert_eq!(bench.outcome(&zlib).await, None);
    assert_eq!(bench.activity.downloaded(), 0);
    bench.ledger.set_paused(SUBDIR, false).await.unwrap();
    let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
    assert!(
        matches!(claim, Claim::Granted { attempt: 1, .. }),
        "{claim:?}"
    );
}

#[tokio::test]
async fn the_tasks_of_a_cancelled_plan_leave_the_queue_undone() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.ledger.cancel(SUBDIR, PLAN).await.unwrap();
    bench.work_off(8).await;
    assert_eq!(bench.outcome(&zlib).await, None);
    assert_eq!(bench.activity.downloaded(), 0);

    bench.publish(PLAN + 1, &[&zlib]).await;
    bench.work_off(8).await;
    assert!(bench.is_done(&zlib).await);
}

#[tokio::test]
async fn a_build_whose_worker_died_is_probed_before_it_is_brought() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(8).await;
    std::fs::remove_file(bench.path(&zlib.file_name)).unwrap();

    let task = bench.publish(PLAN + 1, &[&zlib]).await;
    bench.claim(&task, PLAN + 1, Duration::ZERO).await;
    bench.work_off(8).await;
    assert!(bench.is_done(&zlib).await);
}

#[tokio::test]
async fn a_build_that_kills_its_workers_is_given_up_and_says_so() {
    let bench = Bench::with_folder();
    let conda = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let kept = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1").format(Format::TarBz2));
    let mut task = bench.task(PLAN, &[&conda, &kept]);
    task.files[1].action = Action::Keep;
    for death in 1..=2 {
        let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
        assert!(matches!(claim, Claim::Granted { attempt, .. } if attempt == death));
    }
    bench.queue.publish(task).await.unwrap();
    bench.work_off(2).await;

    let failure = bench.failure(&conda).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert_eq!(failure.attempts, 2);
    let cause = failure.cause.to_string();
    assert!(cause.contains("given up after 2 tries"), "{cause}");
    assert!(cause.contains("zlib-1.3.1-h0_1"), "{cause}");
    assert_eq!(bench.outcome(&kept).await, None, "it is held as it was");
    assert_eq!(bench.activity.downloaded(), 0);
}

#[tokio::test]
async fn builds_whose_workers_died_again_and_again_are_tried_one_at_a_time() {
    let fake = FakeRegistry::start();
    let mut bench = Bench::with_registry(&fake);
    bench.slots = 3;
    for name in ["a-suspect", "b-suspect"] {
        let made = bench.make(&PackageSpec::new(name, "1", "0"));
        let task = bench.task(PLAN, &[&made]);
        for _ in 0..2 {
            bench.claim(&task, PLAN, Duration::ZERO).await;
        }
        bench.queue.publish(task).await.unwrap();
    }
    // One that no worker died with goes on beside them.
    let innocent = bench.make(&PackageSpec::new("innocent", "1", "0"));
    let uploads = When::kind(UploadPut).repository_ending("-suspect");
    let hold = fake.hold(uploads);
    bench.publish(PLAN, &[&innocent]).await;
    let running = bench.start(8, Duration::from_secs(60));
    hold.held().await;
    bench.until_done(&innocent).await;
    bench
        .until_depth(|depth| (depth.delayed, depth.unacknowledged) == (1, 1))
        .await;
    drop(hold);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_files_of_a_task_whose_names_have_no_place_fail_for_good() {
    let bench = Bench::with_folder();
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let other = bench.make(&PackageSpec::new("other", "1", "0"));
    let mut capitals = bench.task(PLAN, &[&zlib]);
    capitals.channel = "Chan".to_owned();
    let mut foreign = bench.task(PLAN, &[&zlib]);
    foreign.files.extend(bench.task(PLAN, &[&other]).files);
    let mut empty = bench.task(PLAN, &[&zlib]);
    empty.files.clear();
    for task in [capitals, empty] {
        bench.queue.publish(task).await.unwrap();
    }
    bench.work_off(8).await;
    let failure = bench.failure(&zlib).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    let cause = failure.cause.to_string();
    assert!(cause.contains("no place in a registry"), "{cause}");
    assert_eq!(bench.outcome(&other).await, None);

    foreign.files[0].action = Action::Keep;
    foreign.plan = PLAN + 1;
    bench.queue.publish(foreign).await.unwrap();
    bench.work_off(8).await;
    assert_eq!(bench.failure(&other).await.kind, FailureKind::Permanent);
    assert_eq!(bench.failure(&zlib).await, failure, "it is to be kept");
    assert_eq!(bench.activity.downloaded(), 0);
}

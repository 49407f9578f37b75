//! Shutdown: what is in flight ends or goes back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mirror_kit::fake_registry::Kind::UploadPut;
use mirror_kit::fake_registry::{FakeRegistry, When};
use mirror_kit::package::PackageSpec;
use mirror_ledger::Claim;
use mirror_queue::TaskQueue as _;

use crate::bench::{Bench, PLAN};
use crate::broken::{Broker, State};

#[tokio::test]
async fn a_task_in_flight_goes_back_uncounted_and_marked() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    let put = fake.hold(When::kind(UploadPut).nth(1));
    let running = bench.start(8, Duration::ZERO);
    put.held().await;
    running.stop().await.unwrap();

    let depth = bench.depth().await;
    assert_eq!((depth.ready, depth.unacknowledged), (1, 0));
    assert_eq!(bench.outcome(&zlib).await, None);
    let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
    assert!(
        matches!(claim, Claim::Granted { attempt: 1, .. }),
        "{claim:?}"
    );
    let back = bench.queue.receive().await.unwrap();
    assert!(back.redelivered, "somebody may have pushed some of it");
    assert_eq!(back.task, task);
}

#[tokio::test]
async fn a_task_that_ends_within_the_grace_period_is_finished() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let other = bench.make(&PackageSpec::new("other", "1", "0"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.publish(PLAN, &[&other]).await;
    let put = fake.hold(When::kind(UploadPut).nth(1));
    let running = bench.start(8, Duration::from_secs(60));
    put.held().await;
    running.shutdown.request();
    put.release();
    running.stop().await.unwrap();
    assert!(bench.is_done(&zlib).await);
    assert_eq!(bench.outcome(&other).await, None, "no new task is begun");
    assert_eq!(bench.depth().await.ready, 1);
}

#[tokio::test]
async fn a_worker_that_cannot_say_what_became_of_its_task_ends_all_the_same() {
    let mut bench = Bench::with_folder();
    let state = Broker::before(&mut bench, State::silent());
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    let running = bench.start(8, Duration::ZERO);
    bench.until_done(&zlib).await;
    running.stop().await.unwrap();
    assert!(state.let_go.load(Ordering::SeqCst) > 0);
    let depth = bench.depth().await;
    assert_eq!((depth.ready, depth.unacknowledged), (1, 0), "it went back");
}

#[tokio::test]
async fn a_worker_whose_queue_is_closed_ends_well() {
    let bench = Bench::with_folder();
    let running = bench.start(8, Duration::ZERO);
    bench.queue.close().await;
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_spool_is_empty_after_work() {
    let bench = Bench::with_folder();
    let large = bench.make(
        &PackageSpec::new("large", "1", "0").payload(2 << 20, mirror_kit::package::Fill::Random),
    );
    bench.publish(PLAN, &[&large]).await;
    bench.work_off(8).await;
    assert!(bench.is_done(&large).await);
    let spool = bench.dir.path().join("worker-0");
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0);
}

//! Tasks that are better done by other workers of the same queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mirror_kit::fake_registry::Kind::UploadPost;
use mirror_kit::fake_registry::{FakeRegistry, Fault, When};
use mirror_kit::package::PackageSpec;
use mirror_ledger::{Claim, FailureKind};
use mirror_queue::Task;
use mirror_worker::{End, Memory, Mirrors, NotServed};

use crate::bench::{Bench, PLAN};
use crate::broken::{Broker, State};

const WHY: &str = "it goes to a registry that this worker was not given";

/// A worker's mirrors, none of which is that of any task.
#[derive(Debug)]
struct Others(Memory);

impl Mirrors for Others {
    fn memory(&self, _: &Task) -> Memory {
        self.0.clone()
    }

    fn end(&self, _: &Task) -> Result<Arc<End>, NotServed> {
        let why = WHY.to_owned();
        Err(NotServed { why })
    }
}

#[tokio::test]
async fn a_task_that_a_worker_is_not_set_up_for_is_left_to_others_and_it_takes_no_more_for_a_while()
{
    let mut bench = Bench::with_folder();
    let state = Broker::before(&mut bench, State::default());
    bench.beside_others = true;
    bench.mirrors = Some(Arc::new(Others(bench.memory())));
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench
        .work_until(8, |depth| depth.delayed == 1)
        .await
        .unwrap();
    assert_eq!(bench.outcome(&zlib).await, None, "it failed nobody's build");
    let claim = bench.claim(&task, PLAN, Duration::ZERO).await;
    assert!(
        matches!(claim, Claim::Granted { attempt: 1, .. }),
        "{claim:?}"
    );
    assert_eq!(bench.activity.resting().as_deref(), Some(WHY));
    assert!(state.let_go.load(Ordering::SeqCst) > 0);

    // One that is set up for it does it, once the delay has passed.
    bench.mirrors = None;
    bench.work_off(8).await;
    assert!(bench.is_done(&zlib).await);
}

#[tokio::test]
async fn a_task_that_nobody_is_set_up_for_fails_when_as_many_passed_it_on_as_there_are_tries() {
    let mut bench = Bench::with_folder();
    bench.mirrors = Some(Arc::new(Others(bench.memory())));
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.work_off(2).await;
    let failure = bench.failure(&zlib).await;
    assert!(failure.cause.as_str().contains(WHY), "{failure:?}");
    assert_eq!(
        failure.kind,
        FailureKind::Local,
        "the next run tries at once"
    );
}

#[tokio::test]
async fn while_a_host_is_parked_for_long_what_was_delivered_goes_back_and_no_more_is_taken() {
    let fake = FakeRegistry::start();
    let mut bench = Bench::with_registry(&fake);
    let state = Broker::before(&mut bench, State::default());
    bench.beside_others = true;
    fake.fault(When::kind(UploadPost), Fault::too_many_requests(3600));
    for name in ["a", "b"] {
        let made = bench.make(&PackageSpec::new(name, "1", "0"));
        bench.publish(PLAN, &[&made]).await;
    }
    let running = bench.start(8, Duration::ZERO);
    let resting = || bench.activity.resting().is_some() && state.let_go.load(Ordering::SeqCst) > 0;
    bench.until(resting).await;
    let depth = bench.depth().await;
    assert_eq!((depth.ready, depth.unacknowledged), (1, 0), "{depth:?}");
    running.stop().await.unwrap();
}

//! Hosts where nobody answers: waited for as long as they may come back, and no fault of the files.

use std::net::TcpListener;
use std::time::Duration;

use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::package::{MadePackage, PackageSpec};
use mirror_ledger::FailureKind;
use mirror_worker::WorkerError;
use tokio::time::Instant;
use url::Url;

use crate::bench::{Bench, PLAN, SUBDIR};

/// A host where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// So many builds in the queue.
async fn builds(bench: &Bench, count: usize) -> Vec<MadePackage> {
    let mut made = Vec::new();
    for n in 0..count {
        let package = bench.make(&PackageSpec::new(&format!("package{n}"), "1", "0"));
        bench.publish(PLAN, &[&package]).await;
        made.push(package);
    }
    made
}

/// A bench whose registry was there and is gone, and its host.
fn without_registry() -> (Bench, String) {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    (bench, fake.addr().to_string())
}

// Pauses of minutes pass at once: nothing in these tests waits by the clock.

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_gone_for_good_ends_the_run_and_no_file_has_to_rest() {
    let (bench, host) = without_registry();
    let made = builds(&bench, 20).await;
    let started = Instant::now();
    let running = bench.start(8, Duration::ZERO);
    let error = running.ended.await.unwrap().unwrap_err();
    assert!(
        started.elapsed() >= Duration::from_secs(300),
        "it may come back"
    );
    let text = error.to_string();
    for part in [&*host, "nobody answers", "run the same command again"] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    let WorkerError::Unanswered { tries, .. } = error else {
        panic!("{text}");
    };
    assert!((64..8 * 20).contains(&tries), "{tries}");
    for package in &made {
        assert_eq!(bench.outcome(package).await, None, "it has tries left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_gone_while_few_builds_are_tried_fails_those_and_they_are_due_at_once() {
    let (bench, _) = without_registry();
    let made = builds(&bench, 3).await;
    let running = bench.start(5, Duration::ZERO);
    while bench.depth().await.total() > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    running.stop().await.unwrap();
    for package in &made {
        let failure = bench.failure(package).await;
        assert_eq!((failure.kind, failure.attempts), (FailureKind::Local, 5));
        assert!(failure.due(failure.at_ms, failure.sha256.as_ref(), false));
    }
}

#[tokio::test]
async fn a_channel_that_nobody_reaches_leaves_its_files_due_at_once() {
    let mut bench = Bench::with_folder();
    bench.source = Url::parse(&format!("http://{}/chan/{SUBDIR}/", nobody())).unwrap();
    let made = builds(&bench, 1).await;
    bench.work_off(1).await;
    let failure = bench.failure(&made[0]).await;
    assert_eq!(failure.kind, FailureKind::Local, "{}", failure.cause);
    assert!(failure.due(failure.at_ms, failure.sha256.as_ref(), false));
}

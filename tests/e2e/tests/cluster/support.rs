//! What several groups of these tests do.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, join_all};
use mirror_e2e::cluster::Cluster;
use mirror_e2e::finished::Finished;
use mirror_kit::process::{self, Running};
use tokio::time::Instant;

/// How long a run may take that waits for the claims or the lease of the dead: half a minute each, some after the other.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Asks a worker to stop, which it does in order.
pub(crate) async fn stopped(worker: Running) -> process::Finished {
    worker.term();
    let ended = worker.wait().await;
    ended.assert_code(0);
    ended
}

/// Sees a cluster in which something was killed to its end; `worker` does what is left.
pub(crate) async fn completes(
    cluster: &Cluster,
    coordinator: Running,
    worker: Running,
    finished: &Finished,
) {
    coordinator.wait().await.assert_code(0);
    stopped(worker).await;
    cluster.assert_complete().await;
    finished.assert_not_downloaded_since(&cluster.stage);
}

/// Scenarios that mostly wait, all at once.
///
/// # Panics
/// When all have ended, if one panicked.
pub(crate) async fn side_by_side(scenarios: Vec<(String, LocalBoxFuture<'_, ()>)>) {
    let (names, running): (Vec<_>, Vec<_>) = scenarios.into_iter().unzip();
    let running = running
        .into_iter()
        .map(|scenario| AssertUnwindSafe(scenario).catch_unwind());
    let ended = join_all(running).await;
    let failed: Vec<_> = names
        .into_iter()
        .zip(ended)
        .filter_map(|(name, ended)| ended.is_err().then_some(name))
        .collect();
    assert!(
        failed.is_empty(),
        "failed: {failed:?}; their messages are above"
    );
}

/// Polls until it is so.
///
/// # Panics
/// If it is not within five minutes.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONG, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

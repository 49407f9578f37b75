//! Holds answers in the middle until the test lets them go.

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// The place where stalled answers wait.
#[derive(Debug)]
pub(super) struct Gate {
    /// One permit for each answer that got here and was not reported yet.
    arrivals: Semaphore,
    releases: watch::Sender<u64>,
    shutdown: CancellationToken,
}

impl Gate {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self {
            arrivals: Semaphore::new(0),
            releases: watch::Sender::new(0),
            shutdown,
        }
    }

    /// Waits for a release that comes after this call. False if the server ends first.
    pub(super) async fn hold(&self) -> bool {
        // Subscribed before the arrival is told, so that no release can fall between the two.
        let mut releases = self.releases.subscribe();
        self.arrivals.add_permits(1);
        tokio::select! {
            released = releases.changed() => released.is_ok(),
            () = self.shutdown.cancelled() => false,
        }
    }

    pub(super) async fn held(&self) {
        self.arrivals
            .acquire()
            .await
            .expect("the semaphore is never closed")
            .forget();
    }

    pub(super) fn release(&self) {
        self.releases.send_modify(|releases| *releases += 1);
    }
}

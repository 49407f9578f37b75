//! A claim on a build while it is worked on: renewed in time, released once.

use std::time::{Duration, Instant};

use mirror_ledger::{Claim, Claims, LedgerError};
use mirror_queue::Task;
use mirror_runtime::{Disposed as _, Disposition};

use crate::transfer::StillWanted;

/// How long a claim lives without being renewed.
pub const CLAIM: Duration = Duration::from_secs(30);

/// The claim this worker holds on the build of one delivery.
pub(crate) struct Hold<'a> {
    claims: &'a dyn Claims,
    worker: &'a str,
    subdir: String,
    stem: String,
    plan: u64,
    /// Which try of the build this is, from 1; tries that ended with a worker's death count.
    pub(crate) attempt: u32,
    /// Whether an earlier holder never came back.
    pub(crate) interrupted: bool,
    /// Since when.
    pub(crate) began: Instant,
}

impl<'a> Hold<'a> {
    pub(crate) const TTL: Duration = CLAIM;

    /// Asks for the build of `task` in the name of `worker`.
    pub(crate) async fn claim(
        claims: &dyn Claims,
        worker: &str,
        task: &Task,
    ) -> Result<Claim, LedgerError> {
        let stem = task.stem();
        claims
            .claim(&task.subdir, &stem, task.plan, worker, Self::TTL)
            .await
    }

    /// The claim that was granted.
    pub(crate) fn new(
        claims: &'a dyn Claims,
        worker: &'a str,
        task: &Task,
        attempt: u32,
        interrupted: bool,
    ) -> Self {
        Self {
            claims,
            worker,
            subdir: task.subdir.clone(),
            stem: task.stem(),
            plan: task.plan,
            attempt,
            interrupted,
            began: Instant::now(),
        }
    }

    /// Renews the claim for as long as it is polled; resolves only when the ledger fails for good. While it is away the
    /// work goes on: no file is brought for nothing, and whoever else did it meanwhile had the same result.
    pub(crate) async fn keep_alive(&self) -> LedgerError {
        loop {
            tokio::time::sleep(Self::TTL / 3).await;
            match self.renew().await {
                Err(error) if error.disposition() != Disposition::Retry => return error,
                Err(error) => tracing::debug!(build = self.stem, %error, "claim not renewed"),
                Ok(_) => {}
            }
        }
    }

    async fn renew(&self) -> Result<bool, LedgerError> {
        self.claims
            .renew(&self.subdir, &self.stem, self.plan, self.worker, Self::TTL)
            .await
    }

    /// Gives the claim up. `counted`: whether the try counts.
    pub(crate) async fn release(self, counted: bool) -> Result<(), LedgerError> {
        self.claims
            .release(&self.subdir, &self.stem, self.plan, self.worker, counted)
            .await
    }
}

impl StillWanted for Hold<'_> {
    async fn still_wanted(&self) -> bool {
        // A ledger that does not answer is met again, and reported, when the outcome is kept.
        self.renew().await.unwrap_or(true)
    }
}

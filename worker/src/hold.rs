//! A claim on a build while it is worked on: renewed in time, released once.

use std::time::Duration;

use mirror_ledger::{Claim, LedgerError};
use mirror_queue::Task;

use crate::context::Context;
use crate::transfer::StillWanted;

/// The claim this worker holds on the build of one delivery.
pub(crate) struct Hold<'a> {
    context: &'a Context,
    subdir: String,
    stem: String,
    plan: u64,
    /// Which try of the build this is, from 1; tries that ended with a worker's death count.
    pub(crate) attempt: u32,
    /// Whether an earlier holder never came back.
    pub(crate) interrupted: bool,
}

impl<'a> Hold<'a> {
    /// How long a claim lives without being renewed.
    pub(crate) const TTL: Duration = Duration::from_secs(60);

    pub(crate) async fn claim(context: &Context, task: &Task) -> Result<Claim, LedgerError> {
        context
            .claims
            .claim(
                &task.subdir,
                &task.stem(),
                task.plan,
                &context.name,
                Self::TTL,
            )
            .await
    }

    pub(crate) fn new(context: &'a Context, task: &Task, attempt: u32, interrupted: bool) -> Self {
        Self {
            context,
            subdir: task.subdir.clone(),
            stem: task.stem(),
            plan: task.plan,
            attempt,
            interrupted,
        }
    }

    /// Renews the claim for as long as it is polled; resolves only when the ledger fails.
    pub(crate) async fn keep_alive(&self) -> LedgerError {
        loop {
            tokio::time::sleep(Self::TTL / 3).await;
            if let Err(error) = self.renew().await {
                return error;
            }
        }
    }

    async fn renew(&self) -> Result<bool, LedgerError> {
        let Self {
            context,
            subdir,
            stem,
            plan,
            ..
        } = self;
        context
            .claims
            .renew(subdir, stem, *plan, &context.name, Self::TTL)
            .await
    }

    /// Gives the claim up. `counted`: whether the try counts.
    pub(crate) async fn release(self, counted: bool) -> Result<(), LedgerError> {
        let Self {
            context,
            subdir,
            stem,
            plan,
            ..
        } = self;
        context
            .claims
            .release(&subdir, &stem, plan, &context.name, counted)
            .await
    }
}

impl StillWanted for Hold<'_> {
    async fn still_wanted(&self) -> bool {
        // A ledger that does not answer is met again, and reported, when the outcome is kept.
        self.renew().await.unwrap_or(true)
    }
}

//! One run at a time for each subdir: the lease is waited for if its holder is dead, and kept while the run goes on.

use std::time::Duration;

use mirror_ledger::{LeaseGrant, Ledger};
use mirror_runtime::metrics::metrics;
use tokio::time::Instant;

use super::LEASE;
use crate::error::RunError;
use crate::run::Run;

/// How often a lease that is somebody else's is asked for.
const AGAIN: Duration = Duration::from_secs(2);

/// Shows among the metrics that the lease on a subdir is held, until it is dropped.
pub(super) struct LeaseShown<'a>(&'a str, &'a str);

impl<'a> LeaseShown<'a> {
    pub(super) fn of(channel: &'a str, subdir: &'a str) -> Self {
        metrics().lease(channel, subdir, true);
        Self(channel, subdir)
    }
}

impl Drop for LeaseShown<'_> {
    fn drop(&mut self) {
        metrics().lease(self.0, self.1, false);
    }
}

/// Takes the lease. That of a run that died is waited out; one that is renewed meanwhile has a living owner.
/// `false`: a stop was asked for.
pub(crate) async fn take_lease(
    run: &Run,
    ledger: &dyn Ledger,
    subdir: &str,
) -> anyhow::Result<bool> {
    let mut first = None;
    loop {
        let asked = Instant::now();
        let granted = ledger.acquire_lease(subdir, &run.name, LEASE);
        let LeaseGrant::Held { owner, expires_ms } = granted.await? else {
            run.leases.granted(subdir, asked);
            return Ok(true);
        };
        let until = match first {
            None => {
                tracing::warn!(
                    subdir,
                    owner,
                    "somebody has the lease; it ends within {} s if they died",
                    LEASE.as_secs()
                );
                *first.insert(expires_ms)
            }
            Some(until) => until,
        };
        if expires_ms > until {
            let subdir = subdir.to_owned();
            return Err(RunError::LeaseHeld { subdir, owner }.into());
        }
        let pause = tokio::time::sleep(AGAIN);
        if run.unless_stopped(pause).await.is_none() {
            return Ok(false);
        }
    }
}

/// Gives the lease up. Where the ledger is away it ends by itself, and what the run came to stays what it is.
pub(crate) async fn give_up_lease(run: &Run, ledger: &dyn Ledger, subdir: &str) {
    if let Err(error) = ledger.release_lease(subdir, &run.name).await {
        let seconds = LEASE.as_secs();
        tracing::warn!(subdir, %error, seconds, "the lease could not be given up, and ends by itself");
    }
}

/// Keeps the lease for as long as it is polled; resolves only when it is lost.
pub(crate) async fn keep_lease(run: &Run, ledger: &dyn Ledger, subdir: &str) -> anyhow::Error {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        if let Err(error) = run.confirm_lease(ledger, subdir).await {
            return error;
        }
    }
}

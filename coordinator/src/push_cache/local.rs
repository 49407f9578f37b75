//! Writes `:local`, under a lease of its own: of two at once the second adds to what the first has written.

use std::sync::Arc;
use std::time::Duration;

use mirror_channel::name::FileName;
use mirror_ledger::LeaseGrant;
use mirror_oci::Destination;
use tokio::time::Instant;

use super::PushCache;
use super::push::Pushed;
use crate::error::RunError;
use crate::local::{self, Found};
use crate::sync::{LEASE, give_up_lease, keep_lease};

/// Between two looks at a lease that somebody has: it is held for a few requests.
const AGAIN: Duration = Duration::from_millis(200);

/// What is done to `:local`.
pub(super) enum Change<'a> {
    Add(Pushed),
    Remove(&'a [FileName]),
}

impl PushCache<'_> {
    /// Makes the change; what is there then. `None`: a stop was asked for.
    pub(super) async fn change_local(
        &self,
        destination: &Destination,
        change: Change<'_>,
    ) -> anyhow::Result<Option<Option<Found>>> {
        let (run, ledger) = (self.run, &*self.run.ledger);
        // Not the subdir's, which a mirror may have.
        let lease = format!("{}/local", self.subdir);
        loop {
            let asked = Instant::now();
            let granted = ledger.acquire_lease(&lease, &run.name, LEASE).await?;
            if granted == LeaseGrant::Granted {
                run.leases.granted(&lease, asked);
                break;
            }
            let pause = tokio::time::sleep(AGAIN);
            if run.unless_stopped(pause).await.is_none() {
                return Ok(None);
            }
        }
        let changed = tokio::select! {
            changed = self.write_local(destination, change, &lease) => changed,
            lost = keep_lease(run, ledger, &lease) => Err(lost),
        };
        give_up_lease(run, ledger, &lease).await;
        changed.map(Some)
    }

    async fn write_local(
        &self,
        destination: &Destination,
        change: Change<'_>,
        lease: &str,
    ) -> anyhow::Result<Option<Found>> {
        let found = self.local().await?;
        let before = found.as_ref().map(|found| Arc::clone(&found.additions));
        let before = before.unwrap_or_default();
        let mut after = (*before).clone();
        match change {
            Change::Add(pushed) => {
                for (file, local) in pushed {
                    after.add(file, local);
                }
            }
            Change::Remove(files) => {
                let mut there = self.push.found.lock().expect("no panic under this lock");
                there.extend(files.iter().filter(|file| after.remove(file)).cloned());
            }
        }
        if after == *before {
            return Ok(found);
        }
        self.run.confirm_lease(&*self.run.ledger, lease).await?;
        let put = local::put(
            destination,
            &self.layout,
            self.subdir,
            Arc::new(after),
            &self.run.options.annotations,
        );
        let put = self.run.leases.while_ours(lease, put).await;
        let subdir = lease.to_owned();
        put.ok_or(RunError::LeaseLapsed { subdir })?.map(Some)
    }
}

//! The seams over the file: questions on a blocking thread with a read transaction each,
//! transitions through the writer.

use std::sync::Arc;
use std::time::Duration;

use ::redb::{ReadTransaction, ReadableDatabase};
use async_trait::async_trait;
use mirror_runtime::clock;

use super::RedbLedger;
use super::fault::Fault;
use super::tables::{BUILDS, CONTROLS, LEASES, LeaseRow, from_json};
use super::transitions::from_now;
use crate::build_row::{self, Actor, BuildRow};
use crate::error::LedgerError;
use crate::ledger::{Claim, Claims, Control, Controls, Lease, LeaseGrant, LeaseHolder};

impl RedbLedger {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        question: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || {
            store.with(|database| question(&database.begin_read()?))
        });
        let answer = match asked.await {
            Ok(answer) => answer,
            // redb panics over pages that make no sense.
            Err(ended) if ended.is_panic() => Err(Fault::Damaged(ended.to_string())),
            Err(ended) => Err(Fault::storage(ended)),
        };
        answer.map_err(|fault| self.store.read_error(what, &fault))
    }

    /// The row of a build and what users want of its subdir, for a renewal of its claim.
    async fn build(
        &self,
        subdir: &str,
        stem: &str,
    ) -> Result<(Option<BuildRow>, Control), LedgerError> {
        let (subdir, stem) = (subdir.to_owned(), stem.to_owned());
        self.read("renew claim", move |transaction| {
            let builds = transaction.open_table(BUILDS)?;
            let row = builds.get((subdir.as_str(), stem.as_str()))?;
            let row = row
                .map(|row| from_json("build", &stem, row.value()))
                .transpose()?;
            Ok((row, read_control(transaction, &subdir)?))
        })
        .await
    }
}

#[async_trait]
impl Claims for RedbLedger {
    async fn claim(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Result<Claim, LedgerError> {
        let [subdir, stem, worker] = [subdir, stem, worker].map(str::to_owned);
        self.writer
            .write("claim", move |tables| {
                let worker = worker.as_str();
                tables.claim(&subdir, &stem, Actor { plan, worker }, ms(ttl))
            })
            .await
    }

    async fn renew(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Result<bool, LedgerError> {
        let [subdir, stem, worker] = [subdir, stem, worker].map(str::to_owned);
        let (row, control) = self.build(&subdir, &stem).await?;
        if control.has_cancelled(plan) {
            return Ok(false);
        }
        let actor = Actor {
            plan,
            worker: &worker,
        };
        // Each worker asks right before its manifest, mostly soon after the claim: that costs no sync of the disk.
        if row.is_some_and(|row| build_row::is_fresh(&row, actor, from_now(ms(ttl)))) {
            return Ok(true);
        }
        self.writer
            .write("renew claim", move |tables| {
                let worker = worker.as_str();
                tables.renew(&subdir, &stem, Actor { plan, worker }, ms(ttl))
            })
            .await
    }

    async fn release(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        counted: bool,
    ) -> Result<(), LedgerError> {
        let [subdir, stem, worker] = [subdir, stem, worker].map(str::to_owned);
        self.writer
            .write("release claim", move |tables| {
                let worker = worker.as_str();
                tables.release(&subdir, &stem, Actor { plan, worker }, counted)
            })
            .await
    }

    async fn claimed(&self, subdir: &str, stems: &[String]) -> Result<Vec<bool>, LedgerError> {
        let (subdir, stems) = (subdir.to_owned(), stems.to_vec());
        self.read("claims", move |transaction| {
            let builds = transaction.open_table(BUILDS)?;
            let now = clock::now_ms();
            let look_up = |stem: &String| {
                let Some(row) = builds.get((subdir.as_str(), stem.as_str()))? else {
                    return Ok(false);
                };
                let row: BuildRow = from_json("build", stem, row.value())?;
                Ok(row.is_live(now))
            };
            stems.iter().map(look_up).collect()
        })
        .await
    }
}

fn read_control(transaction: &ReadTransaction, subdir: &str) -> Result<Control, Fault> {
    let row = transaction.open_table(CONTROLS)?.get(subdir)?;
    let row = row.map(|row| from_json("control", subdir, row.value()));
    Ok(row.transpose()?.unwrap_or_default())
}

#[async_trait]
impl Controls for RedbLedger {
    async fn control(&self, subdir: &str) -> Result<Control, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("control", move |transaction| {
            read_control(transaction, &subdir)
        })
        .await
    }

    async fn set_paused(&self, subdir: &str, paused: bool) -> Result<(), LedgerError> {
        let subdir = subdir.to_owned();
        self.writer
            .write("pause", move |tables| {
                tables.set_control(&subdir, |control| control.paused = paused)
            })
            .await
    }

    async fn cancel(&self, subdir: &str, plan: u64) -> Result<(), LedgerError> {
        let subdir = subdir.to_owned();
        self.writer
            .write("cancel", move |tables| {
                tables.set_control(&subdir, |control| {
                    control.cancelled = control.cancelled.max(plan);
                })
            })
            .await
    }
}

#[async_trait]
impl Lease for RedbLedger {
    async fn acquire_lease(
        &self,
        subdir: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<LeaseGrant, LedgerError> {
        let [subdir, owner] = [subdir, owner].map(str::to_owned);
        self.writer
            .write("acquire lease", move |tables| {
                tables.acquire_lease(&subdir, &owner, ms(ttl))
            })
            .await
    }

    async fn renew_lease(
        &self,
        subdir: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, LedgerError> {
        let [subdir, owner] = [subdir, owner].map(str::to_owned);
        self.writer
            .write("renew lease", move |tables| {
                tables.renew_lease(&subdir, &owner, ms(ttl))
            })
            .await
    }

    async fn release_lease(&self, subdir: &str, owner: &str) -> Result<(), LedgerError> {
        let [subdir, owner] = [subdir, owner].map(str::to_owned);
        self.writer
            .write("release lease", move |tables| {
                tables.release_lease(&subdir, &owner)
            })
            .await
    }

    async fn lease_holder(&self, subdir: &str) -> Result<Option<LeaseHolder>, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("lease", move |transaction| {
            let row = transaction.open_table(LEASES)?.get(subdir.as_str())?;
            let row = row.map(|row| from_json::<LeaseRow>("lease", &subdir, row.value()));
            let live = row.transpose()?.filter(LeaseRow::is_live);
            Ok(live.map(|LeaseRow { owner, expires_ms }| LeaseHolder { owner, expires_ms }))
        })
        .await
    }
}

fn ms(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

//! The seams over the file: questions on a blocking thread with a read transaction each,
//! transitions through the writer.

use std::sync::Arc;
use std::time::Duration;

use ::redb::{ReadTransaction, ReadableDatabase};
use async_trait::async_trait;
use mirror_runtime::clock;

use super::RedbLedger;
use super::fault::Fault;
use super::tables::{BUILDS, OUTCOMES, STATES, from_json, read_outcome, to_json};
use super::transitions::from_now;
use crate::build_row::{self, Actor, BuildRow};
use crate::error::LedgerError;
use crate::ledger::{Claim, Claims, Lease, LeaseGrant, Outcomes, Settled, Settlement};
use crate::outcome::{FileOutcome, Recorded};
use crate::subdir_state::SubdirState;

/// Outcomes that [`Outcomes::adopt`] writes in one transaction.
const ADOPTED_AT_ONCE: usize = 10_000;

impl RedbLedger {
    async fn read<T: Send + 'static>(
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

    /// The row of a build, for a renewal of its claim.
    async fn build(&self, subdir: &str, stem: &str) -> Result<Option<BuildRow>, LedgerError> {
        let (subdir, stem) = (subdir.to_owned(), stem.to_owned());
        self.read("renew claim", move |transaction| {
            let builds = transaction.open_table(BUILDS)?;
            let row = builds.get((subdir.as_str(), stem.as_str()))?;
            row.map(|row| from_json("build", &stem, row.value()))
                .transpose()
        })
        .await
    }
}

#[async_trait]
impl Outcomes for RedbLedger {
    async fn id(&self) -> Result<String, LedgerError> {
        Ok(self.id.clone())
    }

    async fn get_many(
        &self,
        subdir: &str,
        files: &[String],
    ) -> Result<Vec<Option<Recorded>>, LedgerError> {
        let (subdir, files) = (subdir.to_owned(), files.to_vec());
        self.read("outcomes", move |transaction| {
            let outcomes = transaction.open_table(OUTCOMES)?;
            let look_up = |file: &String| {
                let row = outcomes.get((subdir.as_str(), file.as_str()))?;
                row.map(|row| read_outcome(&subdir, file, row.value()))
                    .transpose()
            };
            files.iter().map(look_up).collect()
        })
        .await
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, LedgerError> {
        self.writer
            .write("settle", move |tables| tables.settle(settlement))
            .await
    }

    async fn adopt(
        &self,
        subdir: &str,
        plan: u64,
        mut outcomes: Vec<(String, FileOutcome)>,
    ) -> Result<u64, LedgerError> {
        let mut written = 0;
        while !outcomes.is_empty() {
            let rest = outcomes.len().saturating_sub(ADOPTED_AT_ONCE);
            let some = outcomes.split_off(rest);
            let subdir = subdir.to_owned();
            written += self
                .writer
                .write("adopt", move |tables| tables.adopt(&subdir, plan, some))
                .await?;
        }
        Ok(written)
    }

    async fn subdir_state(&self, subdir: &str) -> Result<Option<SubdirState>, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("subdir state", move |transaction| {
            let row = transaction.open_table(STATES)?.get(subdir.as_str())?;
            row.map(|row| from_json("subdir", &subdir, row.value()))
                .transpose()
        })
        .await
    }

    async fn set_subdir_state(&self, subdir: &str, state: &SubdirState) -> Result<(), LedgerError> {
        let (subdir, row) = (subdir.to_owned(), to_json(state));
        self.writer
            .write("subdir state", move |tables| {
                tables.states.insert(subdir.as_str(), row.as_slice())?;
                Ok(())
            })
            .await
    }

    async fn begin_plan(&self, subdir: &str) -> Result<u64, LedgerError> {
        let subdir = subdir.to_owned();
        self.writer
            .write("begin plan", move |tables| tables.begin_plan(&subdir))
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
        let row = self.build(&subdir, &stem).await?;
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
}

fn ms(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

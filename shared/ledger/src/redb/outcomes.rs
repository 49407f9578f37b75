//! [`Outcomes`] over the file.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use ::redb::{ReadTransaction, ReadableTable as _};
use async_trait::async_trait;

use super::RedbLedger;
use super::fault::Fault;
use super::tables::{OUTCOMES, STATES, from_json, read_outcome, to_json};
use crate::encoding;
use crate::error::LedgerError;
use crate::ledger::{Outcomes, Pulse, Settled, Settlement};
use crate::outcome::{FileOutcome, Recorded};
use crate::subdir_state::SubdirState;

/// Outcomes that are written or dropped in one transaction.
const ADOPTED_AT_ONCE: usize = 10_000;

#[async_trait]
impl Outcomes for RedbLedger {
    /// What was written stays written, and nobody else has the file: to count here is enough.
    async fn pulse(&self, _subdir: &str) -> Result<Pulse, LedgerError> {
        Ok(Pulse {
            id: self.id.clone(),
            beat: self.beats.fetch_add(1, Ordering::Relaxed),
        })
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

    async fn failures(
        &self,
        subdir: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Recorded)>, LedgerError> {
        let (subdir, after) = (subdir.to_owned(), after.map(str::to_owned));
        self.read("failures", move |transaction| {
            let mut found = Vec::new();
            if limit > 0 {
                each_failure(transaction, &subdir, after.as_deref(), |file, bytes| {
                    found.push((file.to_owned(), read_outcome(&subdir, file, bytes)?));
                    Ok(found.len() < limit)
                })?;
            }
            Ok(found)
        })
        .await
    }

    async fn count_failures(&self, subdir: &str) -> Result<u64, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("failures", move |transaction| {
            let mut count = 0;
            each_failure(transaction, &subdir, None, |_, _| {
                count += 1;
                Ok(true)
            })?;
            Ok(count)
        })
        .await
    }

    async fn forget(&self, subdir: &str, files: &[String]) -> Result<u64, LedgerError> {
        let mut forgotten = 0;
        for some in files.chunks(ADOPTED_AT_ONCE) {
            let (subdir, some) = (subdir.to_owned(), some.to_vec());
            forgotten += self
                .writer
                .write("forget", move |tables| tables.forget(&subdir, &some))
                .await?;
        }
        Ok(forgotten)
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

    async fn set_subdir_state(
        &self,
        subdir: &str,
        state: &SubdirState,
    ) -> Result<Settled, LedgerError> {
        let (subdir, plan, row) = (subdir.to_owned(), state.plan, to_json(state));
        self.writer
            .write("subdir state", move |tables| {
                let known = tables.states.get(subdir.as_str())?;
                let known = known.map(|row| from_json("subdir", &subdir, row.value()));
                let known: Option<SubdirState> = known.transpose()?;
                if let Some(by) = known.map(|known| known.plan).filter(|by| *by > plan) {
                    return Ok(Settled::Superseded { by });
                }
                tables.states.insert(subdir.as_str(), row.as_slice())?;
                Ok(Settled::Accepted)
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

/// Calls `found` with file and bytes of each failure after `after` until it has enough.
fn each_failure(
    transaction: &ReadTransaction,
    subdir: &str,
    after: Option<&str>,
    mut found: impl FnMut(&str, &[u8]) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let outcomes = transaction.open_table(OUTCOMES)?;
    let start = match after {
        Some(after) => Bound::Excluded((subdir, after)),
        None => Bound::Included((subdir, "")),
    };
    for row in outcomes.range::<(&str, &str)>((start, Bound::Unbounded))? {
        let (key, bytes) = row?;
        let (of, file) = key.value();
        if of != subdir {
            break;
        }
        if encoding::is_failure(bytes.value()) && !found(file, bytes.value())? {
            break;
        }
    }
    Ok(())
}

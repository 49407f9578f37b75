//! [`Tallies`] over the file.

use ::redb::ReadableTable as _;
use async_trait::async_trait;
use mirror_runtime::clock;

use super::RedbLedger;
use super::fault::Fault;
use super::tables::{FORGOTTEN, TALLIES, Tables, from_json, to_json};
use crate::error::LedgerError;
use crate::outcome::{FileOutcome, Recorded};
use crate::tally::{Counts, Tallies, Tally};

/// A subdir's tally while outcomes are written.
pub(super) struct Counting {
    before: Option<Tally>,
    after: Option<Tally>,
}

impl Counting {
    pub(super) fn count(&mut self, before: Option<&Recorded>, plan: u64, new: &FileOutcome) {
        if let Some(tally) = &mut self.after {
            tally.count(before, plan, new);
        }
    }
}

impl Tables<'_> {
    fn tally(&self, subdir: &str) -> Result<Option<Tally>, Fault> {
        let row = self.tallies.get(subdir)?;
        row.map(|row| from_json("tally", subdir, row.value()))
            .transpose()
    }

    fn put_tally(&mut self, subdir: &str, tally: &Tally) -> Result<(), Fault> {
        self.tallies.insert(subdir, to_json(tally).as_slice())?;
        Ok(())
    }

    pub(super) fn counting(&self, subdir: &str) -> Result<Counting, Fault> {
        let before = self.tally(subdir)?;
        let after = before.clone();
        Ok(Counting { before, after })
    }

    pub(super) fn put_counted(&mut self, subdir: &str, counting: Counting) -> Result<(), Fault> {
        match counting.after {
            Some(after) if counting.before.as_ref() != Some(&after) => {
                self.put_tally(subdir, &after)
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Tallies for RedbLedger {
    async fn begin_tally(
        &self,
        subdir: &str,
        plan: u64,
        floor: u64,
        files: u64,
        bytes: u64,
    ) -> Result<(), LedgerError> {
        let subdir = subdir.to_owned();
        self.writer
            .write("begin tally", move |tables| {
                let tally = Tally::begun(plan, floor, files, bytes, clock::now_ms());
                tables.put_tally(&subdir, &tally)
            })
            .await
    }

    async fn tally(&self, subdir: &str) -> Result<Option<Tally>, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("tally", move |transaction| {
            let row = transaction.open_table(TALLIES)?.get(subdir.as_str())?;
            row.map(|row| from_json("tally", &subdir, row.value()))
                .transpose()
        })
        .await
    }

    async fn end_tally(&self, subdir: &str, plan: u64, counts: Counts) -> Result<(), LedgerError> {
        let subdir = subdir.to_owned();
        self.writer
            .write("end tally", move |tables| {
                match tables.tally(&subdir)?.filter(|tally| tally.plan == plan) {
                    None => Ok(()),
                    Some(tally) => {
                        let ended_ms = Some(clock::now_ms());
                        tables.put_tally(
                            &subdir,
                            &Tally {
                                counts,
                                ended_ms,
                                ..tally
                            },
                        )
                    }
                }
            })
            .await
    }

    async fn has_forgotten(&self, subdir: &str) -> Result<bool, LedgerError> {
        let subdir = subdir.to_owned();
        self.read("forgotten", move |transaction| {
            let row = transaction.open_table(FORGOTTEN)?.get(subdir.as_str())?;
            Ok(row.is_some())
        })
        .await
    }
}

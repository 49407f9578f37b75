//! The transitions, each within the write transaction of its group. Every one reads and decides
//! before it writes, so one that meets an unreadable row leaves nothing behind for the others to
//! commit.

use ::redb::ReadableTable;
use mirror_runtime::clock;

use super::fault::Fault;
use super::tables::{LeaseRow, Tables, from_json, to_json};
use crate::build_row::{self, Actor, Change, Term};
use crate::encoding;
use crate::ledger::{Claim, Control, LeaseGrant, Settled, Settlement};
use crate::outcome::{FileOutcome, Recorded};

impl Tables<'_> {
    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<Settled, Fault> {
        let Settlement {
            subdir,
            stem,
            worker,
            plan,
            files,
            finished,
            counted,
        } = settlement;
        let row = self.build(&subdir, &stem)?;
        let actor = Actor {
            plan,
            worker: &worker,
        };
        let mut highest = row.as_ref().map_or(0, build_row::BuildRow::plan);
        let mut counting = self.counting(&subdir)?;
        let mut written = Vec::with_capacity(files.len());
        for (file, outcome) in files {
            let recorded = self.outcome(&subdir, &file)?;
            let recorded = recorded.as_ref();
            highest = highest.max(recorded.map_or(0, |recorded| recorded.plan));
            if recorded.is_none_or(|recorded| recorded.yields_to(plan, &outcome)) {
                counting.count(recorded, plan, &outcome);
                written.push((file, outcome));
            }
        }
        if highest > plan {
            let change = build_row::release(row, actor, true);
            self.change(&subdir, &stem, change)?;
            return Ok(Settled::Superseded { by: highest });
        }
        self.put_outcomes(&subdir, plan, written)?;
        self.put_counted(&subdir, counting)?;
        let change = if finished || counted {
            build_row::settle(row, actor, finished, clock::now_ms())
        } else {
            build_row::release(row, actor, false)
        };
        self.change(&subdir, &stem, change)?;
        Ok(Settled::Accepted)
    }

    pub(super) fn adopt(
        &mut self,
        subdir: &str,
        plan: u64,
        outcomes: Vec<(String, FileOutcome)>,
    ) -> Result<u64, Fault> {
        let mut counting = self.counting(subdir)?;
        let mut adopted = Vec::with_capacity(outcomes.len());
        for (file, outcome) in outcomes {
            let recorded = self.outcome(subdir, &file)?;
            let recorded = recorded.as_ref();
            if recorded.is_none_or(|recorded| recorded.yields_to(plan, &outcome)) {
                counting.count(recorded, plan, &outcome);
                adopted.push((file, outcome));
            }
        }
        let written = adopted.len() as u64;
        self.put_outcomes(subdir, plan, adopted)?;
        self.put_counted(subdir, counting)?;
        Ok(written)
    }

    fn put_outcomes(
        &mut self,
        subdir: &str,
        plan: u64,
        outcomes: Vec<(String, FileOutcome)>,
    ) -> Result<(), Fault> {
        for (file, outcome) in outcomes {
            let bytes = encoding::encode(&Recorded { plan, outcome });
            self.outcomes
                .insert((subdir, file.as_str()), bytes.as_slice())?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, subdir: &str, files: &[String]) -> Result<u64, Fault> {
        let mut forgotten = 0;
        for file in files {
            let known = self.outcomes.remove((subdir, file.as_str()))?;
            forgotten += u64::from(known.is_some());
        }
        if forgotten > 0 {
            self.forgotten.insert(subdir, ())?;
        }
        Ok(forgotten)
    }

    pub(super) fn set_control(
        &mut self,
        subdir: &str,
        change: impl FnOnce(&mut Control),
    ) -> Result<(), Fault> {
        let mut control = self.control(subdir)?;
        change(&mut control);
        self.controls.insert(subdir, to_json(&control).as_slice())?;
        Ok(())
    }

    pub(super) fn begin_plan(&mut self, subdir: &str) -> Result<u64, Fault> {
        let last = self.plans.get(subdir)?.map_or(0, |last| last.value());
        let last = last.max(self.control(subdir)?.cancelled);
        let plan = clock::now_ms().max(last.saturating_add(1));
        self.plans.insert(subdir, plan)?;
        self.forgotten.remove(subdir)?;
        Ok(plan)
    }

    pub(super) fn claim(
        &mut self,
        subdir: &str,
        stem: &str,
        actor: Actor<'_>,
        ttl_ms: u64,
    ) -> Result<Claim, Fault> {
        let row = self.build(subdir, stem)?;
        if let Some(refused) = self.control(subdir)?.refuses(actor.plan) {
            return Ok(refused);
        }
        let (claim, row) = build_row::claim(row, actor, from_now(ttl_ms));
        if let Some(row) = row {
            self.put_build(subdir, stem, &row)?;
        }
        Ok(claim)
    }

    pub(super) fn renew(
        &mut self,
        subdir: &str,
        stem: &str,
        actor: Actor<'_>,
        ttl_ms: u64,
    ) -> Result<bool, Fault> {
        let row = self.build(subdir, stem)?;
        if self.control(subdir)?.has_cancelled(actor.plan) {
            return Ok(false);
        }
        let Some(row) = build_row::renew(row, actor, from_now(ttl_ms)) else {
            return Ok(false);
        };
        self.put_build(subdir, stem, &row)?;
        Ok(true)
    }

    pub(super) fn release(
        &mut self,
        subdir: &str,
        stem: &str,
        actor: Actor<'_>,
        counted: bool,
    ) -> Result<(), Fault> {
        let row = self.build(subdir, stem)?;
        let change = build_row::release(row, actor, counted);
        self.change(subdir, stem, change)
    }

    fn change(&mut self, subdir: &str, stem: &str, change: Change) -> Result<(), Fault> {
        match change {
            Change::Keep => {}
            Change::Store(row) => self.put_build(subdir, stem, &row)?,
            Change::Remove => {
                self.builds.remove((subdir, stem))?;
            }
        }
        Ok(())
    }

    fn lease(&self, subdir: &str) -> Result<Option<LeaseRow>, Fault> {
        let row = self.leases.get(subdir)?;
        let row: Option<LeaseRow> = row
            .map(|row| from_json("lease", subdir, row.value()))
            .transpose()?;
        Ok(row.filter(LeaseRow::is_live))
    }

    fn put_lease(&mut self, subdir: &str, owner: &str, ttl_ms: u64) -> Result<(), Fault> {
        let row = LeaseRow {
            owner: owner.to_owned(),
            expires_ms: clock::now_ms().saturating_add(ttl_ms),
        };
        self.leases.insert(subdir, to_json(&row).as_slice())?;
        Ok(())
    }

    pub(super) fn acquire_lease(
        &mut self,
        subdir: &str,
        owner: &str,
        ttl_ms: u64,
    ) -> Result<LeaseGrant, Fault> {
        if let Some(row) = self.lease(subdir)?.filter(|row| row.owner != owner) {
            return Ok(LeaseGrant::Held {
                owner: row.owner,
                expires_ms: row.expires_ms,
            });
        }
        self.put_lease(subdir, owner, ttl_ms)?;
        Ok(LeaseGrant::Granted)
    }

    pub(super) fn renew_lease(
        &mut self,
        subdir: &str,
        owner: &str,
        ttl_ms: u64,
    ) -> Result<bool, Fault> {
        let own = self.lease(subdir)?.is_some_and(|row| row.owner == owner);
        if own {
            self.put_lease(subdir, owner, ttl_ms)?;
        }
        Ok(own)
    }

    pub(super) fn release_lease(&mut self, subdir: &str, owner: &str) -> Result<(), Fault> {
        if self.lease(subdir)?.is_some_and(|row| row.owner == owner) {
            self.leases.remove(subdir)?;
        }
        Ok(())
    }
}

pub(super) fn from_now(ttl_ms: u64) -> Term {
    Term {
        now_ms: clock::now_ms(),
        ttl_ms,
    }
}

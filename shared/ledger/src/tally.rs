//! How far the plan of a subdir is, for people who watch: what it planned, and what came of that so far.
//!
//! The numbers are kept where outcomes are settled, in the same transition. They steer nothing, and a ledger that lost
//! them loses no work.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::outcome::{FailureKind, FileOutcome, Recorded};

/// The numbers of one subdir's last plan. Kept as JSON: fields that a reader does not know are ignored, fields that a
/// writer did not know have their default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// The plan's number.
    pub plan: u64,
    /// Done files of plans from this one on were known when the plan was made, so it has none of them.
    pub floor: u64,
    /// When its work began, in milliseconds since 1970 UTC by the ledger's clock.
    pub started_ms: u64,
    /// When it was brought to its end.
    pub ended_ms: Option<u64>,
    /// Files it has work with, those included that are only looked for.
    pub files: u64,
    /// Bytes of those it brings, as far as their records state sizes.
    pub bytes: u64,
    /// What came of them.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What came of a plan's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Files that the destination holds, brought or found.
    pub done: u64,
    /// Their bytes.
    pub done_bytes: u64,
    /// Files that could not be brought.
    pub failed: u64,
    /// Files that were only looked for and are not there.
    pub absent: u64,
}

impl Counts {
    /// Files with an outcome.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.done + self.failed + self.absent
    }
}

impl Tally {
    /// The numbers of a plan whose work begins.
    #[must_use]
    pub fn begun(plan: u64, floor: u64, files: u64, bytes: u64, now_ms: u64) -> Self {
        Self {
            plan,
            floor,
            started_ms: now_ms,
            files,
            bytes,
            ..Self::default()
        }
    }

    /// Files without an outcome.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.files.saturating_sub(self.counts.files())
    }

    /// Whether there is work left that nobody brought to an end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended_ms.is_none() && self.left() > 0
    }

    /// Counts `new`, an outcome that `plan` writes over `before`, once whatever is settled twice.
    ///
    /// A task of an earlier plan, still in the queue, may bring a file of this one; its failure says nothing, for this
    /// plan tries again.
    pub fn count(&mut self, before: Option<&Recorded>, plan: u64, new: &FileOutcome) {
        let counts = &mut self.counts;
        let is_known = |plan: u64| plan >= self.floor && plan <= self.plan;
        match new {
            FileOutcome::Done { .. } if !is_known(plan) => return,
            FileOutcome::Failed(_) if plan != self.plan => return,
            _ => {}
        }
        match before.map(|before| (before.plan, &before.outcome, new)) {
            Some((
                plan,
                FileOutcome::Done { sha256, .. },
                FileOutcome::Done { sha256: same, .. },
            )) if is_known(plan) && sha256 == same => return,
            Some((plan, FileOutcome::Failed(failure), _)) if plan == self.plan => {
                let counted = counts.of(failure.kind);
                *counted = counted.saturating_sub(1);
            }
            _ => {}
        }
        match new {
            FileOutcome::Done { size, .. } => {
                counts.done += 1;
                counts.done_bytes = counts.done_bytes.saturating_add(*size);
            }
            FileOutcome::Failed(failure) => *counts.of(failure.kind) += 1,
        }
    }
}

impl Counts {
    fn of(&mut self, kind: FailureKind) -> &mut u64 {
        match kind {
            FailureKind::Absent => &mut self.absent,
            _ => &mut self.failed,
        }
    }
}

/// Keeps the [`Tally`] of each subdir, and whether users want failures tried again.
#[async_trait]
pub trait Tallies: Send + Sync + fmt::Debug {
    /// Begins to count for `plan`, which has so many files and bytes, instead of the plan before. `floor` as in
    /// [`Tally::floor`].
    async fn begin_tally(
        &self,
        subdir: &str,
        plan: u64,
        floor: u64,
        files: u64,
        bytes: u64,
    ) -> Result<(), LedgerError>;

    /// The numbers of the last plan that was begun.
    async fn tally(&self, subdir: &str) -> Result<Option<Tally>, LedgerError>;

    /// The plan came to its end with `counts`, which are what its run saw itself. Nothing where another plan was begun.
    async fn end_tally(&self, subdir: &str, plan: u64, counts: Counts) -> Result<(), LedgerError>;

    /// Whether outcomes were [forgotten](crate::Outcomes::forget) since the last plan was begun: there is something to
    /// plan although nothing changed at the channel.
    async fn has_forgotten(&self, subdir: &str) -> Result<bool, LedgerError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{done, failed};

    #[test]
    fn tallies_of_earlier_and_later_versions_are_read() {
        let read: Tally = serde_json::from_str(r#"{"plan": 7, "mood": "later", "done": 2}"#)
            .expect("what is not known is ignored");
        assert_eq!((read.plan, read.counts.done, read.ended_ms), (7, 2, None));
    }

    #[test]
    fn more_outcomes_than_planned_leave_nothing() {
        let mut tally = Tally::begun(5, 0, 1, 10, 9);
        assert!(tally.is_open());
        tally.count(None, 5, &done(1));
        tally.count(None, 4, &done(2));
        assert_eq!((tally.counts.done, tally.left()), (2, 0));
        assert!(!tally.is_open());
    }

    #[test]
    fn the_failure_of_an_earlier_plan_says_nothing() {
        let mut tally = Tally::begun(5, 0, 1, 10, 9);
        tally.count(None, 4, &failed());
        assert_eq!(tally.counts, Counts::default());
    }
}

//! Files that the destination holds and upstream still names, but the index does not list: excluded by the user, or
//! removed or archived by the channel. Nothing is done about them; an operator wants to know that they are there.

use std::collections::HashSet;

use mirror_channel::name::FileName;
use mirror_channel::repodata::Record;
use mirror_ledger::{FileOutcome, Outcomes};

use super::make::hash_of;
use super::refs::Grouped;
use crate::report::{Entry, OutsideIndex, Report, Verdict};

/// Names looked up in the ledger together.
const BATCH: usize = 2048;

/// Looks for them in the ledger.
pub(super) struct Outside<'a> {
    pub subdir: &'a str,
    pub floor: u64,
    pub ledger: &'a dyn Outcomes,
    pub report: &'a Report,
}

impl Outside<'_> {
    /// How many of the excluded are held.
    pub(super) async fn excluded(&self, records: &[&Record]) -> anyhow::Result<u64> {
        let names = records.iter().map(|record| record.file.as_str().to_owned());
        self.held(names.collect(), OutsideIndex::Excluded).await
    }

    /// How many of the yanked are held that the run does not select: those it selects are in the plan.
    pub(super) async fn yanked(&self, records: &[&Record]) -> anyhow::Result<u64> {
        let names = records.iter().map(|record| record.file.as_str().to_owned());
        self.held(names.collect(), OutsideIndex::Yanked).await
    }

    /// How many of the removed are held. Those that a listing names count there, selected or not.
    pub(super) async fn removed(
        &self,
        removed: Vec<FileName>,
        listed: &Grouped,
        unselected: &HashSet<u64>,
    ) -> anyhow::Result<u64> {
        let mut names: Vec<String> = removed
            .into_iter()
            .filter(|file| !listed.contains(hash_of(file.stem()), file.archive()))
            .filter(|file| !unselected.contains(&hash_of(file.as_str())))
            .map(|file| file.as_str().to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut count = 0;
        for batch in names.chunks(BATCH) {
            count += self.held(batch.to_vec(), OutsideIndex::Removed).await?;
        }
        Ok(count)
    }

    async fn held(&self, names: Vec<String>, why: OutsideIndex) -> anyhow::Result<u64> {
        if names.is_empty() {
            return Ok(0);
        }
        let recorded = self.ledger.get_many(self.subdir, &names).await?;
        let mut count = 0;
        for (name, recorded) in names.iter().zip(recorded) {
            let believed = recorded.filter(|recorded| recorded.plan >= self.floor);
            if let Some(FileOutcome::Done { size, .. }) = believed.map(|recorded| recorded.outcome)
            {
                count += 1;
                let mut entry = Entry::new(self.subdir, name, Verdict::Held);
                entry.bytes = Some(size);
                entry.outside_index = Some(why);
                self.report.add(&entry);
            }
        }
        Ok(count)
    }
}

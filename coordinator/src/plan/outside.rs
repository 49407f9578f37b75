//! Files that the destination holds and upstream still names, but the index does not list: excluded by the user, or
//! removed or archived by the channel. Nothing is done about them; an operator wants to know that they are there.

use mirror_channel::name::FileName;
use mirror_channel::repodata::{Record, removed};
use mirror_ledger::{FileOutcome, Outcomes};

use super::make::hash_of;
use crate::report::{Entry, OutsideIndex, Report, Verdict};

/// Names looked up in the ledger together.
const BATCH: usize = 2048;

/// The file names that the listings have, selected or not, as hashes: 8 bytes each.
#[derive(Debug, Default)]
pub(super) struct Named {
    current: Vec<u64>,
    archived: Vec<u64>,
}

impl Named {
    /// Takes in a name of the current listing.
    pub(super) fn current(&mut self, file: &FileName) {
        self.current.push(hash_of(file.as_str()));
    }

    /// Takes in a name of the listing of archived files, once the current one is complete. Whether only this one has it.
    pub(super) fn archived(&mut self, file: &FileName) -> bool {
        let hash = hash_of(file.as_str());
        self.archived.push(hash);
        self.current.binary_search(&hash).is_err()
    }

    /// Ends a listing.
    pub(super) fn complete(&mut self) {
        self.current.sort_unstable();
        self.archived.sort_unstable();
    }

    fn contains(&self, file: &FileName) -> bool {
        let hash = hash_of(file.as_str());
        [&self.current, &self.archived]
            .into_iter()
            .any(|names| names.binary_search(&hash).is_ok())
    }
}

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

    /// How many of the removed, a list in JSON, are held. Those that a listing names count there, selected or not.
    pub(super) async fn removed(&self, json: &[u8], named: &Named) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut names = removed(json)
            .filter(|file| !named.contains(file))
            .map(|file| file.as_str().to_owned());
        loop {
            let mut batch: Vec<String> = names.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(count);
            }
            batch.sort_unstable();
            batch.dedup();
            count += self.held(batch, OutsideIndex::Removed).await?;
        }
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

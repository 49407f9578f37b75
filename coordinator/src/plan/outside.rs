//! Files that the destination holds and upstream still names, but the index does not list: excluded by the user, or
//! removed or archived by the channel. Nothing is done about them; an operator wants to know that they are there.

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
    /// Takes in a name of the current listing, by its hash.
    pub(super) fn current(&mut self, file: u64) {
        self.current.push(file);
    }

    /// Takes in a name of the listing of archived files. Whether only this one has it; the names must be
    /// [sorted](Self::sort).
    pub(super) fn archived(&mut self, file: u64) -> bool {
        self.archived.push(file);
        self.current.binary_search(&file).is_err()
    }

    /// What is in is found from now on.
    pub(super) fn sort(&mut self) {
        self.current.sort_unstable();
        self.archived.sort_unstable();
    }

    fn contains(&self, file: u64) -> bool {
        [&self.current, &self.archived]
            .into_iter()
            .any(|names| names.binary_search(&file).is_ok())
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
    pub(super) async fn removed(&self, json: &[u8], named: &mut Named) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut files = removed(json).peekable();
        if files.peek().is_some() {
            named.sort();
        }
        let mut names = files
            .filter(|file| !named.contains(hash_of(file)))
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

//! Which records of the channel's index are held now, asked of the ledger in batches.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mirror_channel::repodata::{Keep, Limits, Record};
use mirror_ledger::{FileOutcome, Ledger, Recorded, Wanted};

use crate::plan::Rows;
use crate::run::Run;

/// One bit for each record, and the sha256 of those whose record has none.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bits: Vec<u64>,
    computed: HashMap<u64, [u8; 32]>,
    /// Records left out only because they are excluded.
    pub(crate) excluded: u64,
}

impl Held {
    /// What becomes of the record with this ordinal.
    pub(crate) fn keep(&self, ordinal: u64) -> Keep {
        let word = usize::try_from(ordinal / 64)
            .ok()
            .and_then(|word| self.bits.get(word));
        if word.is_none_or(|word| word & (1 << (ordinal % 64)) == 0) {
            return Keep::Drop;
        }
        self.computed
            .get(&ordinal)
            .map_or(Keep::Keep, |sha256| Keep::WithSha256(*sha256))
    }

    fn set(&mut self, ordinal: u64) {
        let word = usize::try_from(ordinal / 64)
            .expect("an index on this machine's disk has fewer records");
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (ordinal % 64);
    }
}

/// Goes through the index at `index` once, whose files are those of `subdir` in `memory`. Outcomes of plans below `floor` are not
/// believed.
pub(crate) async fn held(
    run: &Run,
    memory: &dyn Ledger,
    subdir: &str,
    index: &Path,
    floor: u64,
) -> anyhow::Result<Held> {
    let mut held = Held::default();
    let selection = Arc::clone(&run.selection);
    let excludes = move |record: &Record, json: &[u8]| selection.excludes(record, json);
    let mut rows = Rows::of(index, Limits::default(), excludes)?;
    while let Some(batch) = rows.next().await {
        let usable = batch?
            .into_iter()
            .filter_map(|row| Some((row.ordinal, row.record.ok()?)));
        let records: Vec<(u64, (Record, bool))> = usable.collect();
        let names: Vec<String> = records
            .iter()
            .map(|(_, (record, _))| record.file.as_str().to_owned())
            .collect();
        let recorded = memory.get_many(subdir, &names).await?;
        for ((ordinal, (record, excluded)), recorded) in records.iter().zip(recorded) {
            let Some(sha256) = recorded.and_then(|recorded| done(&recorded, record, floor)) else {
                continue;
            };
            if *excluded {
                held.excluded += 1;
                continue;
            }
            held.set(*ordinal);
            if record.sha256.is_none() {
                held.computed.insert(*ordinal, sha256);
            }
        }
    }
    Ok(held)
}

/// The sha256 of the held file, if it is the one the record means.
fn done(recorded: &Recorded, record: &Record, floor: u64) -> Option<[u8; 32]> {
    let wanted = Wanted {
        sha256: record.sha256,
        md5: record.md5,
        size: record.size,
    };
    match &recorded.outcome {
        FileOutcome::Done { sha256, .. }
            if recorded.plan >= floor && recorded.outcome.is_done_as(&wanted) =>
        {
            Some(*sha256)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_a_bit_of_its_own() {
        let mut held = Held::default();
        for ordinal in [0, 63, 64, 1000] {
            held.set(ordinal);
        }
        held.computed.insert(64, [7; 32]);
        let kept: Vec<u64> = (0..2000)
            .filter(|ordinal| held.keep(*ordinal) != Keep::Drop)
            .collect();
        assert_eq!(kept, [0, 63, 64, 1000]);
        assert_eq!(held.keep(64), Keep::WithSha256([7; 32]));
    }
}

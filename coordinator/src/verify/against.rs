//! Lays the published index beside the channel's: what the mirror lacks, what differs, what it lists and the channel no
//! longer does. Both are read as streams; of the mirror's a few bytes a record are kept.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use mirror_channel::repodata::{Limits, Record};
use mirror_channel::selection::{Choice, Newest, Selection};
use mirror_oci::layout::SubdirLayout;

use super::finding::{Finding, Kind};
use super::findings::Findings;
use super::tags::place_hash;
use crate::plan::{Rows, ranked, stem_hash};

/// What is compared.
pub(crate) struct Comparison<'a> {
    /// The mirror's `repodata.json`.
    pub mirrored: &'a Path,
    /// The channel's.
    pub current: &'a Path,
    pub selection: &'a Arc<Selection>,
    pub layout: &'a SubdirLayout,
}

/// A file of the mirror's index.
#[derive(Debug, Clone, Copy)]
struct Known {
    file: u64,
    sha256: Option<u64>,
    md5: Option<u64>,
    size: u64,
    seen: bool,
}

impl Comparison<'_> {
    /// Adds what differs to `findings`.
    ///
    /// # Errors
    /// When one of the indexes cannot be read.
    pub(crate) async fn run(&self, findings: &mut Findings) -> anyhow::Result<()> {
        let mut known = self.known().await?;
        let newest = ranked(self.selection, self.current, Limits::default())
            .await?
            .map(Arc::new);
        let selection = Arc::clone(self.selection);
        let layout = self.layout.clone();
        let judge = move |record: &Record, json: &[u8]| {
            let newest: Option<&Newest> = newest.as_deref();
            let chosen = selection.judge(record, json, newest) == Choice::Selected;
            chosen && layout.has_place(&record.file)
        };
        let repository = self.layout.index_repository();
        let found =
            |kind, file: &str, cause: &str| Finding::new(kind, file, &repository, cause.to_owned());
        let mut rows = Rows::of(self.current, Limits::default(), judge)?;
        while let Some(batch) = rows.next().await {
            for row in batch? {
                let Ok((record, wanted)) = row.record else {
                    continue;
                };
                let file = record.file.as_str();
                let at = known.binary_search_by_key(&file_hash(&record), |known| known.file);
                match at.ok().map(|at| &mut known[at]) {
                    None if wanted => {
                        let cause = "the channel lists it, the mirror does not";
                        findings.add(found(Kind::Missing, file, cause))?;
                    }
                    None => {}
                    Some(known) => {
                        known.seen = true;
                        if known.is_another(&Known::of(&record)) {
                            let cause = "the channel lists another file under this name";
                            findings.add(found(Kind::Differs, file, cause))?;
                        }
                    }
                }
            }
        }
        if known.iter().all(|known| known.seen) {
            return Ok(());
        }
        let mut rows = Rows::of(self.mirrored, Limits::default(), |_, _| ())?;
        while let Some(batch) = rows.next().await {
            for (record, ()) in batch?.into_iter().filter_map(|row| row.record.ok()) {
                let at = known.binary_search_by_key(&file_hash(&record), |known| known.file);
                if let Ok(at) = at
                    && !std::mem::replace(&mut known[at].seen, true)
                {
                    let cause = "the mirror lists it, the channel no longer does";
                    findings.add(found(Kind::Gone, record.file.as_str(), cause))?;
                }
            }
        }
        Ok(())
    }

    /// What the mirror lists, sorted.
    async fn known(&self) -> anyhow::Result<Vec<Known>> {
        let mut known = Vec::new();
        let mut rows = Rows::of(self.mirrored, Limits::default(), |_, _| ())?;
        while let Some(batch) = rows.next().await {
            let usable = batch?.into_iter().filter_map(|row| row.record.ok());
            known.extend(usable.map(|(record, ())| Known::of(&record)));
        }
        known.sort_unstable_by_key(|known| known.file);
        known.dedup_by_key(|known| known.file);
        Ok(known)
    }
}

impl Known {
    fn of(record: &Record) -> Self {
        let short = |bytes: &[u8]| {
            let first = bytes.first_chunk().expect("a hash is longer");
            u64::from_be_bytes(*first)
        };
        Self {
            file: file_hash(record),
            sha256: record.sha256.as_ref().map(|sha256| short(sha256)),
            md5: record.md5.as_ref().map(|md5| short(md5)),
            size: record.size.unwrap_or(0),
            seen: false,
        }
    }

    /// Whether the channel's record is of another file, as far as both say.
    fn is_another(&self, channel: &Self) -> bool {
        let differ = |a: Option<u64>, b: Option<u64>| Some(a? != b?);
        let sizes = (self.size != 0 && channel.size != 0).then_some(self.size != channel.size);
        differ(self.sha256, channel.sha256)
            .or(differ(self.md5, channel.md5))
            .or(sizes)
            .unwrap_or(false)
    }
}

fn file_hash(record: &Record) -> u64 {
    // The two formats of a build are two files.
    let conda = record.file.as_str().ends_with(".conda");
    stem_hash(&record.file).rotate_left(1) ^ u64::from(conda)
}

/// The places of what the channel archived.
///
/// # Errors
/// When the listing cannot be read.
pub(crate) async fn archived(
    listing: &Path,
    layout: &SubdirLayout,
) -> anyhow::Result<HashSet<u64>> {
    let layout = layout.clone();
    let judge = move |record: &Record, _: &[u8]| {
        let place = layout.package(&record.file).ok()?;
        Some(place_hash(&place.repository, &place.tag))
    };
    let mut rows = Rows::of(listing, Limits::default(), judge)?;
    let mut places = HashSet::new();
    while let Some(batch) = rows.next().await {
        let usable = batch?.into_iter().filter_map(|row| row.record.ok()?.1);
        places.extend(usable);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sha256: Option<u8>, md5: Option<u8>, size: Option<u64>) -> Known {
        Known::of(&Record {
            file: "a-1-0.conda".parse().expect("a file name"),
            sha256: sha256.map(|byte| [byte; 32]),
            md5: md5.map(|byte| [byte; 16]),
            size,
        })
    }

    #[test]
    fn the_best_that_both_say_decides() {
        let mirrored = record(Some(1), Some(2), Some(3));
        for (channel, another) in [
            (record(Some(1), Some(9), Some(9)), false),
            (record(Some(9), Some(2), Some(3)), true),
            (record(None, Some(2), Some(9)), false),
            (record(None, Some(9), Some(3)), true),
            (record(None, None, Some(9)), true),
            (record(None, None, None), false),
        ] {
            assert_eq!(mirrored.is_another(&channel), another, "{channel:?}");
        }
    }
}

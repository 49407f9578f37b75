//! The builds that a published index lists, as a few bytes each: the files of a build share one tag, and stand far apart
//! in the index.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::index;
use mirror_channel::repodata::{Limits, Record, RepodataError, Section};
use mirror_oci::layout::SubdirLayout;

use super::finding::{Finding, Kind};
use crate::plan::{BuildRef, Fate, FileRef, Listing, Place, Rows, group, read_record, stem_hash};

/// Builds whose records are read together.
const CHUNK: usize = 64;

/// What an index lists.
#[derive(Debug)]
pub(crate) struct Builds {
    /// In the order of their names, and of the index within.
    pub all: Vec<BuildRef>,
    /// Where the builds of each package name begin; the last one is the end of all.
    pub names: Vec<usize>,
    pub records: u64,
    /// Records that no client can use, or whose files have no place.
    pub findings: Vec<Finding>,
    refs: Vec<FileRef>,
    index: File,
}

/// Reads an index once.
///
/// # Errors
/// When it cannot be read at all: then it is no index, which the caller says.
pub(crate) async fn read(index: &Path, layout: &SubdirLayout) -> anyhow::Result<Builds> {
    let repository = layout.index_repository();
    let (of_layout, mut refs, mut findings) = (layout.clone(), Vec::new(), Vec::new());
    let judge = move |record: &Record, _: &[u8]| {
        (stem_hash(&record.file), of_layout.has_place(&record.file))
    };
    let mut numbers: HashMap<Box<str>, u32> = HashMap::new();
    let mut rows = Rows::of(index, Limits::default(), judge)?;
    let mut records = 0;
    while let Some(batch) = rows.next().await {
        for row in batch? {
            records += 1;
            let (record, (stem, has_place)) = match row.record {
                Ok(usable) => usable,
                Err(error) => {
                    let cause = error.to_string();
                    findings.push(Finding::new(
                        Kind::BadRecord,
                        index::JSON,
                        &repository,
                        cause,
                    ));
                    continue;
                }
            };
            let file = record.file.as_str();
            if !has_place {
                let cause = match layout.package(&record.file) {
                    Ok(_) => "it has no place in a registry".to_owned(),
                    Err(reason) => reason.to_string(),
                };
                findings.push(Finding::new(
                    Kind::Unrepresentable,
                    file,
                    &repository,
                    cause,
                ));
                continue;
            }
            let next = u32::try_from(numbers.len())?;
            let name = match numbers.get(record.file.name()) {
                Some(name) => *name,
                None => *numbers.entry(record.file.name().into()).or_insert(next),
            };
            let place = Place {
                offset: row.offset,
                listing: Listing::Current,
                archive: record.file.archive(),
                v3: matches!(row.section, Section::V3(_)),
                hashed: record.sha256.is_some() || record.md5.is_some(),
            };
            // All builds are work here: the fate says so.
            refs.push(FileRef::new(
                stem,
                name,
                record.size.unwrap_or(0),
                place,
                Fate::Transfer,
            ));
        }
    }
    let index = File::open(index)?;
    let grouped = tokio::task::spawn_blocking(|| {
        let mut grouped = group(refs);
        let refs = &grouped.refs;
        // Stable: within a name they stay in the order of the index.
        grouped
            .work
            .sort_by_key(|build| refs[build.start as usize].name);
        grouped
    });
    let grouped = grouped.await?;
    let name_at = |at: usize| grouped.refs[grouped.work[at].start as usize].name;
    let begins = (0..grouped.work.len()).filter(|at| *at == 0 || name_at(*at) != name_at(at - 1));
    let names = begins.chain([grouped.work.len()]).collect();
    Ok(Builds {
        names,
        records,
        findings,
        all: grouped.work,
        refs: grouped.refs,
        index,
    })
}

impl Builds {
    /// The hash ([`stem_hash`]) of a build's stem.
    pub(crate) fn stem(&self, ordinal: usize) -> u64 {
        self.refs[self.all[ordinal].start as usize].stem
    }

    /// The records of some builds, those of a build together. Reads from disk.
    ///
    /// # Errors
    /// When they cannot be read again.
    pub(crate) fn records(&self, builds: &[usize]) -> Result<Vec<Vec<Record>>, RepodataError> {
        let of_build = |ordinal: &usize| {
            let BuildRef { start, len } = self.all[*ordinal];
            let refs = &self.refs[start as usize..][..len as usize];
            refs.iter()
                .map(|file| read_record(&self.index, *file, Limits::default()))
                .collect()
        };
        builds.iter().map(of_build).collect()
    }

    /// The records of these builds with their ordinals, a chunk read at a time.
    pub(crate) fn stream(
        self: &Arc<Self>,
        wanted: Vec<usize>,
    ) -> impl Stream<Item = anyhow::Result<(u64, Vec<Record>)>> + use<> {
        let builds = Arc::clone(self);
        let wanted = Arc::new(wanted);
        stream::iter((0..wanted.len()).step_by(CHUNK))
            .then(move |start| {
                let (builds, wanted) = (Arc::clone(&builds), Arc::clone(&wanted));
                let reading = tokio::task::spawn_blocking(move || {
                    let end = (start + CHUNK).min(wanted.len());
                    let chunk = &wanted[start..end];
                    let records = builds.records(chunk)?;
                    let numbered = chunk.iter().map(|ordinal| *ordinal as u64).zip(records);
                    Ok::<Vec<_>, RepodataError>(numbered.collect())
                });
                async move {
                    let read = reading.await??;
                    anyhow::Ok(stream::iter(read.into_iter().map(anyhow::Ok)))
                }
            })
            .try_flatten()
    }
}

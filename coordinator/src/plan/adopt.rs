//! Takes over what a published index lists, where the ledger does not know it.

use std::collections::HashSet;
use std::path::Path;

use mirror_channel::repodata::{Limits, Record};
use mirror_ledger::{FileOutcome, Outcomes};
use mirror_oci::Destination;
use mirror_oci::layout::SubdirLayout;
use mirror_oci::manifest::Manifest;
use mirror_oci::package::Wanted;

use super::make::hash_of;
use super::rows::Rows;

/// Files of an index that are looked for before the rest is believed.
const SAMPLE: usize = 8;

/// Adopts the files that an index of ours lists, under `plan`. A sample is looked for first: if one
/// of it is missing, nothing is adopted and `false` is given; every file is then probed.
///
/// # Errors
/// When the index cannot be read, or the registry or the ledger cannot be asked.
pub(crate) async fn adopt(
    index: &Path,
    subdir: &str,
    plan: u64,
    layout: &SubdirLayout,
    destination: &Destination,
    ledger: &dyn Outcomes,
) -> anyhow::Result<bool> {
    for record in sample(index).await? {
        if !is_held(&record, layout, destination).await? {
            tracing::warn!(
                subdir,
                file = record.file.as_str(),
                "the published index lists a file that the registry does not hold; every file will be looked for"
            );
            return Ok(false);
        }
    }
    let mut rows = Rows::of(index, Limits::default(), |_, _| ())?;
    while let Some(batch) = rows.next().await {
        let outcomes = batch?
            .into_iter()
            .filter_map(|row| adopted(&row.record.ok()?.0))
            .collect();
        ledger.adopt(subdir, plan, outcomes).await?;
    }
    Ok(true)
}

/// The hashes of the file names that an index lists.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn listed(index: &Path) -> anyhow::Result<HashSet<u64>> {
    let mut listed = HashSet::new();
    let mut rows = Rows::of(index, Limits::default(), |_, _| ())?;
    while let Some(batch) = rows.next().await {
        listed.extend(
            batch?
                .into_iter()
                .filter_map(|row| Some(hash_of(&row.record.ok()?.0.file))),
        );
    }
    Ok(listed)
}

/// The records with the lowest hashes of their names: spread over the index, the same each time.
async fn sample(index: &Path) -> anyhow::Result<Vec<Record>> {
    let mut lowest: Vec<(u64, Record)> = Vec::new();
    let mut rows = Rows::of(index, Limits::default(), |_, _| ())?;
    while let Some(batch) = rows.next().await {
        for (record, ()) in batch?.into_iter().filter_map(|row| row.record.ok()) {
            lowest.push((hash_of(&record.file), record));
        }
        lowest.sort_by_key(|(hash, _)| *hash);
        lowest.truncate(SAMPLE);
    }
    Ok(lowest.into_iter().map(|(_, record)| record).collect())
}

async fn is_held(
    record: &Record,
    layout: &SubdirLayout,
    destination: &Destination,
) -> anyhow::Result<bool> {
    let Ok(place) = layout.package(&record.file) else {
        return Ok(false);
    };
    let Some(stored) = destination.manifest(&place.repository, &place.tag).await? else {
        return Ok(false);
    };
    let wanted = Wanted {
        file: record.file.clone(),
        sha256: record.sha256,
        md5: record.md5,
        size: record.size,
    };
    Ok(Manifest::from_bytes(&stored.bytes)
        .is_ok_and(|manifest| wanted.layer_in(&manifest).is_some()))
}

/// Our index has a sha256 in every record, added where upstream had only an md5; the md5 is kept so
/// that such a record is recognised again.
fn adopted(record: &Record) -> Option<(String, FileOutcome)> {
    let outcome = FileOutcome::Done {
        sha256: record.sha256?,
        md5: record.md5,
        size: record.size.unwrap_or(0),
    };
    Some((record.file.as_str().to_owned(), outcome))
}

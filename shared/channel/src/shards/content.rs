//! What is in a shard: the records of one name as msgpack.

use std::fs::File;

use super::ShardError;
use super::group::Place;
use crate::msgpack;
use crate::name::ArchiveType;
use crate::repodata::{Limits, Section, read_exact_at, split_member};

/// Records that lie so close together are read together; between two that follow each other is a comma.
const GAP: u64 = 64;
/// Read at once, if it is more than one record.
const RUN: u64 = 1 << 20;

/// The bytes of JSON of these records.
pub(super) fn size(places: &[Place]) -> u64 {
    places.iter().map(|place| u64::from(place.len)).sum()
}

/// Appends the shard of one name. `packages` and `packages.conda` are always there, because readers require the one and
/// conda looks for both; `v3` and its buckets only if they have records.
pub(super) fn shard(
    json: &File,
    name: &str,
    places: &[Place],
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<(), ShardError> {
    let bytes = size(places);
    if bytes > limits.max_shard_bytes {
        return Err(ShardError::TooLarge {
            name: name.to_owned(),
            bytes,
            limit: limits.max_shard_bytes,
        });
    }
    let v3 = [
        Section::V3(ArchiveType::Conda),
        Section::V3(ArchiveType::TarBz2),
    ];
    let buckets = v3.map(|section| places.iter().any(|place| place.section == section));
    let filled = buckets.iter().filter(|filled| **filled).count();

    msgpack::map(2 + usize::from(filled > 0), out);
    msgpack::text("packages", out);
    section(json, places, Section::Packages, out)?;
    msgpack::text("packages.conda", out);
    section(json, places, Section::PackagesConda, out)?;
    if filled > 0 {
        msgpack::text("v3", out);
        msgpack::map(filled, out);
        for (bucket, _) in v3.into_iter().zip(buckets).filter(|(_, filled)| *filled) {
            if let Section::V3(archive) = bucket {
                msgpack::text(archive.extension(), out);
            }
            section(json, places, bucket, out)?;
        }
    }
    Ok(())
}

/// Appends the records of one section as a map sorted by key. Of records with the same key the last counts, as it does
/// for readers of the index.
fn section(
    json: &File,
    places: &[Place],
    section: Section,
    out: &mut Vec<u8>,
) -> Result<(), ShardError> {
    let places: Vec<Place> = places
        .iter()
        .filter(|place| place.section == section)
        .copied()
        .collect();
    let mut raw = Vec::new();
    let mut packed = Vec::new();
    let mut records = Vec::with_capacity(places.len());
    for run in runs(&places) {
        let start = run[0].offset;
        let end = run[run.len() - 1].end();
        raw.resize(
            usize::try_from(end - start).expect("a run fits into memory"),
            0,
        );
        read_exact_at(json, &mut raw, start).map_err(|error| ShardError::Io {
            what: "read a record of the index again",
            error,
        })?;
        for place in run {
            let at = usize::try_from(place.offset - start).expect("inside the run");
            let from = packed.len();
            let key = record(&raw[at..at + place.len as usize], &mut packed)?;
            records.push((key, from..packed.len()));
        }
    }
    // Stable: records with the same key stay in the order of the file.
    records.sort_by(|a, b| a.0.cmp(&b.0));
    let last = records.chunk_by(|a, b| a.0 == b.0).filter_map(<[_]>::last);
    msgpack::map(last.clone().count(), out);
    for (key, place) in last {
        msgpack::text(key, out);
        out.extend_from_slice(&packed[place.clone()]);
    }
    Ok(())
}

/// The places, sorted as they are in the file, cut where the next is not close by or it becomes too much.
fn runs(mut places: &[Place]) -> impl Iterator<Item = &[Place]> {
    std::iter::from_fn(move || {
        let first = places.first()?;
        let goes_on = |pair: &&[Place]| {
            let far = pair[1].offset > pair[0].end() + GAP;
            !far && pair[1].end() - first.offset <= RUN
        };
        let count = 1 + places.windows(2).take_while(goes_on).count();
        let (run, rest) = places.split_at(count);
        places = rest;
        Some(run)
    })
}

/// Appends the value of `"key": value` and gives the key.
fn record(raw: &[u8], out: &mut Vec<u8>) -> Result<String, ShardError> {
    let broken = |reason: &str| ShardError::Record {
        key: String::from_utf8_lossy(raw).chars().take(100).collect(),
        reason: reason.to_owned(),
    };
    let (key, value) =
        split_member(raw).ok_or_else(|| broken("the index changed while it was read"))?;
    let key: String = serde_json::from_slice(key).map_err(|error| broken(&error.to_string()))?;
    match msgpack::record(value, out) {
        Ok(()) => Ok(key),
        Err(error) => Err(ShardError::Convert { key, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_follow_each_other_are_read_together_up_to_a_bound() {
        let place = |offset, len| Place {
            name: 0,
            section: Section::Packages,
            len,
            offset,
        };
        let places = [
            place(10, 90),
            place(101, 99),
            place(201, 10),
            place(1000, 10),
            place(1011, 2 << 20),
            place(1012 + (2 << 20), 10),
        ];
        let lengths: Vec<usize> = runs(&places).map(<[_]>::len).collect();
        assert_eq!(lengths, [3, 1, 1, 1]);
        assert_eq!(runs(&[]).count(), 0);
    }
}

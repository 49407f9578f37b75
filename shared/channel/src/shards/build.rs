//! Making the shards of a published index.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Write;

use rattler_digest::{Sha256, compute_bytes_digest};

use super::group::{Groups, Place};
use super::{NewShard, ShardError, Shards, index};
use crate::msgpack;
use crate::name::ArchiveType;
use crate::repodata::{Limits, Section, read_exact_at, split_member};
use crate::zst;

/// Makes the shards of the index in `json` (the output of [`rewrite`](crate::repodata::rewrite)) and the shard index for
/// `subdir`. Shards whose sha256 is `known` are listed but not written; the others are appended to `out` back to back.
///
/// Memory: some 24 bytes a record, plus the records of one name at a time. Leaves the file's own position alone.
///
/// # Errors
/// A record that [`Record::parse`](crate::repodata::Record::parse) would refuse, a name with too many records, reading, writing.
pub fn build(
    json: &File,
    subdir: &str,
    known: &HashSet<[u8; 32]>,
    out: &mut impl Write,
    limits: Limits,
) -> Result<Shards, ShardError> {
    let groups = Groups::of(json, limits)?;
    let compressing = |error| ShardError::Io {
        what: "compress a shard",
        error,
    };
    let mut compressor = zstd::bulk::Compressor::new(zst::LEVEL).map_err(compressing)?;
    let mut listed = BTreeMap::new();
    let mut new = Vec::new();
    let mut offset = 0;
    let mut bytes = Vec::new();
    for places in groups.places.chunk_by(|a, b| a.name == b.name) {
        let name = &groups.names[places[0].name as usize];
        bytes.clear();
        shard(json, name, places, limits, &mut bytes)?;
        let frame = compressor.compress(&bytes).map_err(compressing)?;
        let sha256: [u8; 32] = compute_bytes_digest::<Sha256>(&frame).into();
        listed.insert(&**name, sha256);
        if known.contains(&sha256) {
            continue;
        }
        out.write_all(&frame).map_err(|error| ShardError::Io {
            what: "write a shard",
            error,
        })?;
        let len = frame.len() as u64;
        new.push(NewShard {
            name: name.clone(),
            sha256,
            offset,
            len,
        });
        offset += len;
    }
    out.flush().map_err(|error| ShardError::Io {
        what: "write the shards",
        error,
    })?;
    bytes.clear();
    index::encode(subdir, &groups.info, &listed, &mut bytes)?;
    let index = compressor.compress(&bytes).map_err(compressing)?;
    Ok(Shards {
        index,
        new,
        total: listed.len(),
    })
}

/// Appends the shard of one name. `packages` and `packages.conda` are always there, because readers require the one and
/// conda looks for both; `v3` and its buckets only if they have records.
fn shard(
    json: &File,
    name: &str,
    places: &[Place],
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<(), ShardError> {
    let bytes = places.iter().map(|place| u64::from(place.len)).sum();
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
    let mut raw = Vec::new();
    let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for place in places.iter().filter(|place| place.section == section) {
        raw.resize(place.len as usize, 0);
        read_exact_at(json, &mut raw, place.offset).map_err(|error| ShardError::Io {
            what: "read a record of the index again",
            error,
        })?;
        let broken = |reason: &str| ShardError::Record {
            key: String::from_utf8_lossy(&raw).chars().take(100).collect(),
            reason: reason.to_owned(),
        };
        let (key, value) =
            split_member(&raw).ok_or_else(|| broken("the index changed while it was read"))?;
        let key: String =
            serde_json::from_slice(key).map_err(|error| broken(&error.to_string()))?;
        let mut packed = Vec::with_capacity(value.len());
        msgpack::record(value, &mut packed).map_err(|error| ShardError::Convert {
            key: key.clone(),
            error,
        })?;
        records.insert(key, packed);
    }
    msgpack::map(records.len(), out);
    for (key, packed) in records {
        msgpack::text(&key, out);
        out.extend_from_slice(&packed);
    }
    Ok(())
}

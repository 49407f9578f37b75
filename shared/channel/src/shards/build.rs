//! Making the shards of a published index.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::num::NonZeroUsize;
use std::thread;

use super::group::Groups;
use super::{NewShard, ShardError, Shards, frames, index};
use crate::repodata::Limits;
use crate::zst;

/// The most threads that make shards: beyond that compressing the index beside them takes longer than all shards.
const MAX_THREADS: usize = 4;

/// Makes the shards of the index in `json` (the output of [`rewrite`](crate::repodata::rewrite)) and the shard index for
/// `subdir`. Shards whose sha256 is `known` are listed but not written; the others are appended to `out` back to back.
///
/// Takes all cores, four at most. Memory: some 24 bytes a record, plus for each core a megabyte or two of small names, plus
/// the records of one large name at a time. Leaves the file's own position alone.
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
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    build_on(cores.min(MAX_THREADS), json, subdir, known, out, limits)
}

/// The same on so many threads.
pub(super) fn build_on(
    threads: usize,
    json: &File,
    subdir: &str,
    known: &HashSet<[u8; 32]>,
    out: &mut impl Write,
    limits: Limits,
) -> Result<Shards, ShardError> {
    let groups = Groups::of(json, limits)?;
    let mut listed = BTreeMap::new();
    let mut new = Vec::new();
    let mut offset = 0;
    frames::each(json, &groups, limits, threads, |name, frame| {
        listed.insert(name, frame.sha256);
        if known.contains(&frame.sha256) {
            return Ok(());
        }
        out.write_all(&frame.bytes)
            .map_err(|error| ShardError::Io {
                what: "write a shard",
                error,
            })?;
        let len = frame.bytes.len() as u64;
        new.push(NewShard {
            name: name.to_owned(),
            sha256: frame.sha256,
            offset,
            len,
        });
        offset += len;
        Ok(())
    })?;
    out.flush().map_err(|error| ShardError::Io {
        what: "write the shards",
        error,
    })?;
    let mut bytes = Vec::new();
    index::encode(subdir, &groups.info, &listed, &mut bytes)?;
    let index = zstd::bulk::compress(&bytes, zst::LEVEL).map_err(|error| ShardError::Io {
        what: "compress a shard",
        error,
    })?;
    Ok(Shards {
        index,
        new,
        total: listed.len(),
    })
}

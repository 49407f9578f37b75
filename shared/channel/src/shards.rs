//! Sharded repodata (CEP 16): one small file of records for each package name, and an index of their hashes.
//!
//! Shards are made from the published `repodata.json`, so both always say the same. The same records give the same bytes:
//! maps are sorted, no clock is asked, and zstd frames state their content's size.

mod build;
mod compare;
mod content;
mod frames;
mod group;
mod index;
mod read;

pub use build::build;
pub use compare::same_records;
pub use read::read_index;

use crate::repodata::RepodataError;

/// What [`build`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards {
    /// The shard index, `repodata_shards.msgpack.zst`.
    pub index: Vec<u8>,
    /// The shards that were not known before, in the order they were written.
    pub new: Vec<NewShard>,
    /// The number of shards that the index lists, new or not.
    pub total: usize,
}

/// A shard that has to be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShard {
    /// The package name, in lower case.
    pub name: String,
    /// The sha256 of the compressed shard: its address.
    pub sha256: [u8; 32],
    /// Where it begins in the pack.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// Why shards could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The index they are made from.
    #[error(transparent)]
    Repodata(#[from] RepodataError),
    /// A record or a part of `info` that cannot be carried over. [`Record::parse`](crate::repodata::Record::parse)
    /// refuses such records, so one here was never asked about.
    #[error("cannot put {key:?} into a shard: {error}")]
    Convert {
        /// The record's key, or the key in `info`.
        key: String,
        /// What the parser said.
        error: serde_json::Error,
    },
    /// A record without the name of a package.
    #[error("cannot put {key:?} into a shard: {reason}")]
    Record {
        /// The record's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More records of one name than are put together in memory.
    #[error(
        "the records of the package {name:?} have {bytes} bytes, over the {limit} that one shard may have"
    )]
    TooLarge {
        /// The package name.
        name: String,
        /// The bytes of JSON of its records.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Reading the index again or writing the pack failed.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system answered.
        error: std::io::Error,
    },
    /// A shard that is none.
    #[error("cannot read the shard: {0}")]
    Shard(String),
    /// A shard index that is none.
    #[error("cannot read the shard index: {0}")]
    Index(String),
}

#[cfg(test)]
mod tests;

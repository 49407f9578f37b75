//! How much JSON each package name has, counted while an index is read: a shard holds all records of its name.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use super::rewrite::MAX_ADDED;
use super::{Entry, Limits, Record, RepodataError};

/// The JSON that the usable records of each name have so far. What it admits, all of it or a part, with or without a
/// sha256 added, can be made into [shards](crate::shards) under the same limits. 16 bytes a name: a hash and a sum.
///
/// Give it the usable records in the order of the file: then every pass over an index comes to the same answers. Two
/// names with one hash would be counted together, which only leaves out more.
#[derive(Debug)]
pub struct NameSizes {
    limit: u64,
    hasher: RandomState,
    sizes: HashMap<u64, u64>,
    /// The name counted last, in lower case, and its hash: the records of a name stand together in most indexes.
    last: (String, u64),
}

impl NameSizes {
    /// Nothing counted yet; [`Limits::max_shard_bytes`] for each name.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let hasher = RandomState::new();
        Self {
            limit: limits.max_shard_bytes,
            last: (String::new(), hasher.hash_one("")),
            hasher,
            sizes: HashMap::new(),
        }
    }

    /// Counts a record that was read from this entry, if there is room for it.
    ///
    /// # Errors
    /// [`RepodataError::NameTooLarge`] if not: this record cannot be used. Smaller ones of the name behind it may be.
    pub fn admit(&mut self, record: &Record, entry: &Entry<'_>) -> Result<(), RepodataError> {
        // As it is published: key, colon, value.
        let bytes = entry.key.raw.len() + 1 + entry.json.len() + MAX_ADDED;
        let hash = self.hash(record.file.name());
        let size = self.sizes.entry(hash).or_default();
        let sum = size.saturating_add(bytes as u64);
        if sum > self.limit {
            return Err(RepodataError::NameTooLarge {
                name: record.file.name().to_ascii_lowercase(),
                bytes: sum,
                limit: self.limit,
            });
        }
        *size = sum;
        Ok(())
    }
}

impl NameSizes {
    /// The hash of the name in lower case.
    fn hash(&mut self, name: &str) -> u64 {
        let (last, hash) = &mut self.last;
        if !last.eq_ignore_ascii_case(name) {
            name.clone_into(last);
            last.make_ascii_lowercase();
            *hash = self.hasher.hash_one(last.as_str());
        }
        *hash
    }
}

//! How much an index may ask of us.

/// Bounds on untrusted repodata. Nothing is cut short silently: a record over a limit is passed over and
/// [delivered as such](super::Event::Unusable), anything else over a limit is an error of the index as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest record, in bytes of JSON. Real ones have 300 to 3,000 bytes, and with thousands of dependencies some
    /// hundred kilobytes; 1 MiB by default.
    pub max_record_bytes: usize,
    /// The largest `info`, in bytes of JSON. Real ones have 25 to some thousand bytes; 1 MiB by default.
    pub max_info_bytes: usize,
    /// The largest other value (`removed`, unknown keys), in bytes of JSON. conda-forge's `removed` has some hundred
    /// kilobytes; 64 MiB by default.
    pub max_value_bytes: usize,
    /// The longest key of the index, a record's file name included, in bytes with its escapes; 1 KiB by default.
    pub max_key_bytes: usize,
    /// The deepest nesting inside one record or value; 64 by default, which is also the most that is supported.
    pub max_depth: u32,
    /// The most keys at the top level, or in `v3`: 1,024 by default.
    pub max_keys: usize,
    /// The most records, over all sections, unusable ones included: a planner keeps some bytes of each. conda-forge has
    /// 3.8 million over all its subdirs, 0.6 in one; 20 million by default.
    pub max_records: u64,
    /// The most bytes that a compressed index may decompress to; 16 GiB by default, where conda-forge's largest has 0.5.
    pub max_decompressed_bytes: u64,
    /// The most JSON that one package name's records may have, because a shard is put together in memory; 128 MiB by
    /// default. [`NameSizes`](super::NameSizes) tells while an index is read which records are beyond it.
    pub max_shard_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record_bytes: 1 << 20,
            max_info_bytes: 1 << 20,
            max_value_bytes: 64 << 20,
            max_key_bytes: 1 << 10,
            max_depth: 64,
            max_keys: 1 << 10,
            max_records: 20_000_000,
            max_decompressed_bytes: 16 << 30,
            max_shard_bytes: 128 << 20,
        }
    }
}

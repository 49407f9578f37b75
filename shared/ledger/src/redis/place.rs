//! Where a file's outcome is: in one of many small hashes ("buckets"), which Redis keeps packed in one
//! piece of memory as long as they have at most 128 fields of at most 64 bytes (its defaults
//! `hash-max-listpack-entries` and `-value`).
//!
//! A field is a short hash of the file's name. That two names share one is next to impossible by chance
//! and takes an attacker 2^55 hashes; then they still are not taken for each other, because `packed`
//! mixes what it stores with the whole hash of the name.

use rattler_digest::Sha256;

/// How outcomes are spread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    /// A power of two. With 2^15 a million files make buckets of 30, three million such of 92; a bucket
    /// takes about 100 bytes beside its fields.
    pub(super) buckets: u16,
    /// Bytes of a field.
    pub(super) field: usize,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            buckets: 1 << 15,
            field: 12,
        }
    }
}

/// The place of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) bucket: u16,
    /// The sha256 of the file's name.
    pub(super) hash: [u8; 32],
    field: usize,
}

impl Placement {
    pub(super) fn of(self, file: &str) -> Place {
        let hash: [u8; 32] = rattler_digest::compute_bytes_digest::<Sha256>(file).into();
        Place {
            bucket: u16::from_be_bytes([hash[0], hash[1]]) & (self.buckets - 1),
            hash,
            field: self.field,
        }
    }
}

impl Place {
    /// The field in the bucket.
    pub(super) fn field(&self) -> &[u8] {
        &self.hash[2..2 + self.field]
    }
}

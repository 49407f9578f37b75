//! How much of a package's `info/` is believed before the package is refused.

/// Bounds on what an archive may unpack to. Real packages stay far below the defaults.
#[derive(Debug, Clone, Copy)]
pub struct InfoLimits {
    /// Members of the archive that are walked, in all.
    pub entries: u64,
    /// Members of `info/`.
    pub members: usize,
    /// Bytes of `info/`, unpacked.
    pub info_bytes: u64,
    /// Bytes of `info/index.json`.
    pub index_bytes: u64,
    /// Bytes of the whole archive, unpacked: a `.tar.bz2` must be read to its end to find `info/`.
    pub unpacked_bytes: u64,
}

impl Default for InfoLimits {
    fn default() -> Self {
        Self {
            entries: 5_000_000,
            members: 100_000,
            info_bytes: 256 << 20,
            index_bytes: 4 << 20,
            unpacked_bytes: 64 << 30,
        }
    }
}

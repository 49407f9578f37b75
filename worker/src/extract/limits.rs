//! How much of a package's `info/` is believed before the package is refused.

use mirror_channel::name::ArchiveType;

/// The option that sets [`InfoLimits::info_bytes`].
pub(super) const MAX_INFO_SIZE: &str = "--max-info-size";
/// The option that sets [`InfoLimits::unpacked_bytes`].
pub(super) const MAX_UNPACKED_SIZE: &str = "--max-unpacked-size";

/// Bounds on what an archive may unpack to. Real packages stay far below the defaults.
#[derive(Debug, Clone, Copy)]
pub struct InfoLimits {
    /// Members of the archive that are walked, in all.
    pub entries: u64,
    /// Members of `info/`.
    pub members: usize,
    /// Bytes of `info/`, unpacked; of a `.conda`, all that is unpacked from its info archive. Set by `--max-info-size`.
    pub info_bytes: u64,
    /// Bytes of `info/index.json`; `info_bytes` bounds it as well. It is held in memory.
    pub index_bytes: u64,
    /// Bytes of the headers of one member, long names and extensions included.
    pub header_bytes: u64,
    /// Bytes of a whole `.tar.bz2`, unpacked: it must be read to its end to find `info/`. Set by `--max-unpacked-size`.
    pub unpacked_bytes: u64,
}

impl Default for InfoLimits {
    fn default() -> Self {
        Self {
            entries: 5_000_000,
            members: 100_000,
            info_bytes: 128 << 20,
            index_bytes: 4 << 20,
            header_bytes: 1 << 20,
            unpacked_bytes: 64 << 30,
        }
    }
}

/// Bytes a member takes besides its contents: its header, a long name with a header of its own, padding.
const HEADERS: u64 = 2048;

/// How much is unpacked from a tar archive of one format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpacking {
    /// Bytes of the contents of its members.
    pub contents: u64,
    /// Bytes in all, headers and padding included.
    pub whole: u64,
    /// The option that sets them.
    pub option: &'static str,
}

impl InfoLimits {
    /// The bound on `info/index.json`, and the option that sets it if one does.
    pub(super) fn index(&self) -> (u64, Option<&'static str>) {
        match self.info_bytes < self.index_bytes {
            true => (self.info_bytes, Some(MAX_INFO_SIZE)),
            false => (self.index_bytes, None),
        }
    }

    /// A `.conda` has an archive of `info/` alone, a `.tar.bz2` one of everything.
    pub(super) fn unpacking(&self, archive: ArchiveType) -> Unpacking {
        let (contents, members, option) = match archive {
            ArchiveType::Conda => (self.info_bytes, self.members as u64, MAX_INFO_SIZE),
            ArchiveType::TarBz2 => (self.unpacked_bytes, self.entries, MAX_UNPACKED_SIZE),
        };
        Unpacking {
            contents,
            whole: contents.saturating_add(members.saturating_mul(HEADERS)),
            option,
        }
    }
}

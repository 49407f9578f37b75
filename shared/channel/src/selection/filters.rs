//! What a user asks for, as given on the command line.

use std::num::NonZeroU32;

use super::NewerThan;
use crate::name::ArchiveType;

/// What a user wants mirrored, as given.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// `--package`: none, or `all` among them, for everything. A pattern is a name, a glob over names, `name@version`, or
    /// a MatchSpec.
    pub packages: Vec<String>,
    /// `--exclude`: the same kinds of pattern. What they match is excluded, whatever else selects it.
    pub excluded: Vec<String>,
    /// The entries of an undistributable list: excluded as well.
    pub undistributable: Vec<String>,
    /// `--latest`: only the newest so many versions of each name, among what the other filters select in the current
    /// index of a subdir.
    pub latest: Option<NonZeroU32>,
    /// Only the newest version and build number of each name, for each archive format by itself; the first record of
    /// several. Goes before `latest`.
    pub newest_build: bool,
    /// `--newer-than`: only what was built since. A record without a timestamp is not.
    pub newer_than: Option<NewerThan>,
    /// `--max-size`: only files of at most so many bytes. A record that does not say its size is not selected.
    pub max_size: Option<u64>,
    /// `--formats`: only these; none for both.
    pub formats: Vec<ArchiveType>,
}

impl Filters {
    /// Whether the user asked for less than everything.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        let filtered =
            self.latest.is_some() || self.newer_than.is_some() || self.max_size.is_some();
        filtered
            || ![&self.packages, &self.excluded]
                .into_iter()
                .all(Vec::is_empty)
            || !self.formats.is_empty()
    }
}

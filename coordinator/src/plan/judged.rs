//! What the thread that reads the records finds out about each, so that the one that asks the ledger need not.

use mirror_channel::repodata::Record;
use mirror_channel::selection::{Choice, Newest, Selection};
use mirror_oci::layout::SubdirLayout;

use super::make::{hash_in, stem_hash};

/// What the reading thread finds out about a record.
#[derive(Clone, Copy)]
pub(super) struct Judged {
    pub choice: Choice,
    /// [`stem_hash`] of its file.
    pub stem: u64,
    /// Whether the layout has a place for its file.
    pub has_place: bool,
}

impl Judged {
    /// Judges a record, whose JSON is `json`.
    pub(super) fn of(
        record: &Record,
        json: &[u8],
        selection: &Selection,
        newest: Option<&Newest>,
        layout: &SubdirLayout,
    ) -> Self {
        Self {
            choice: selection.judge(record, json, newest),
            stem: stem_hash(&record.file),
            has_place: layout.has_place(&record.file),
        }
    }

    /// [`hash_of`](super::make::hash_of) the file of the record that was judged.
    pub(super) fn hash(self, record: &Record) -> u64 {
        hash_in(self.stem, record.file.archive())
    }
}

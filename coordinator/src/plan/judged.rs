//! What the thread that reads the records finds out about each, so that the one that asks the ledger need not.

use mirror_channel::repodata::Record;
use mirror_channel::selection::{Choice, Newest, Selection};
use mirror_oci::layout::SubdirLayout;

use super::make::{hash_in, stem_hash};
use crate::repair::Damage;

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

    /// Where only damage is mended, that is what is selected. What is excluded stays so.
    pub(super) fn only_damaged(&mut self, damage: Option<&Damage>) {
        if self.choice != Choice::Excluded {
            let damaged = damage.is_some_and(|damage| damage.has(self.stem));
            self.choice = match damaged {
                true => Choice::Selected,
                false => Choice::Unselected,
            };
        }
    }

    /// [`hash_of`](super::make::hash_of) the file of the record that was judged.
    pub(super) fn hash(self, record: &Record) -> u64 {
        hash_in(self.stem, record.file.archive())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use mirror_channel::selection::Filters;

    use super::super::make::hash_of;
    use super::*;

    #[test]
    fn what_is_found_out_of_a_record_is_what_its_file_says() {
        let selection = Selection::new(&Filters::default(), 0).unwrap();
        let layout = SubdirLayout::new("ghcr.io", "org", "chan", "linux-64").unwrap();
        let mut hashes = HashSet::new();
        for (file, has_place) in [
            ("zlib-1-0.conda", true),
            ("zlib-1-0.tar.bz2", true),
            ("zlib-1-1.conda", true),
            ("zlib-1~2-0.conda", false),
            ("Zlib~-1-0.tar.bz2", false),
        ] {
            let record = Record {
                file: file.parse().unwrap(),
                sha256: None,
                md5: None,
                size: None,
            };
            let judged = Judged::of(&record, b"{}", &selection, None, &layout);
            assert_eq!(judged.has_place, has_place, "{file}");
            assert_eq!(judged.choice, Choice::Selected);
            assert_eq!(judged.hash(&record), hash_of(&record.file), "{file}");
            assert_eq!(judged.stem, stem_hash(&record.file), "{file}");
            assert!(hashes.insert(judged.hash(&record)), "{file}");
        }
    }
}

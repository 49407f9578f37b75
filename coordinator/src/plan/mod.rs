//! The plan of one subdir: which builds have something to do, kept as a few bytes each.
//!
//! The records stay on disk; a task is made from them when its turn comes.

mod adopt;
mod classify;
mod judged;
mod make;
mod maker;
mod newest;
mod outside;
#[cfg(test)]
mod properties;
mod refs;
mod rows;
mod source;
mod tasks;
mod trust;
mod unusable;

pub(crate) use adopt::{adopt, listed};
pub(crate) use make::{Inputs, hash_of, make, stem_hash};
pub(crate) use newest::ranked;
pub(crate) use refs::{BuildRef, Fate, FileRef, Listing, Place, group};
pub(crate) use rows::Rows;
pub(crate) use source::source;
pub(crate) use tasks::{Planned, Template, read_record};
pub(crate) use trust::{GENERATED_BY, GENERATOR, Latest, MERGED, RECORDS, Trust};

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use mirror_channel::repodata::Limits;
use serde::Serialize;

use crate::repair::Repair;

/// What a subdir's run has to do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub number: u64,
    /// Whether tasks ask for a look at the destination before anything is downloaded.
    pub probe: bool,
    /// `info.base_url` of the channel's index.
    pub base_url: Option<String>,
    pub totals: Totals,
    /// The files to bring, summed by package name; names of which there is none to bring as well.
    pub names: Vec<NameTotal>,
    pub work: Vec<BuildRef>,
    idle: Vec<BuildRef>,
    refs: Vec<FileRef>,
    /// By the hash ([`make::hash_of`]) of its file name: what an earlier run brought of a file whose record has no hash.
    known: HashMap<u64, [u8; 32]>,
    current: File,
    archive: Option<File>,
    limits: Limits,
    /// What is to be mended, and nothing else.
    repair: Option<Arc<Repair>>,
    subdir: String,
}

/// The files of one package name that a plan brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NameTotal {
    pub name: Box<str>,
    pub files: u64,
    pub bytes: u64,
}

/// Sums over a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Whether the index is written whatever is brought: there is none yet, or another program's.
    pub rewrites_index: bool,
    /// Builds with a file to bring.
    pub transfers: u64,
    /// Files to bring whose records state no size.
    pub of_unknown_size: u64,
    /// Builds with something to do.
    pub builds: u64,
    /// Files to bring, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Package names among them, each a repository.
    pub names: u64,
    /// Files only looked for.
    pub checks: u64,
    /// Files of the selection that are held.
    pub held: u64,
    /// Files whose earlier failure still rests.
    pub resting: u64,
    /// When the first of them is due for another try.
    pub resting_due_ms: Option<u64>,
    /// Files the layout has no place for.
    pub unrepresentable: u64,
    /// Records that cannot be used.
    pub broken: u64,
    /// Files held that upstream still names and the index does not list.
    pub outside: u64,
}

impl Totals {
    /// Writes that a fill of this plan makes at a registry: POST and PUT for each blob, a manifest for each build, the
    /// config once a repository, a blob and a manifest for each shard, and the index with its config, three blobs and
    /// manifest.
    pub(crate) fn writes(&self) -> u64 {
        let packages = self.transfers * 5 + self.files * 2 + self.names;
        let shards = self.names * 3;
        let index = match self.files == 0 && !self.rewrites_index {
            true => 0,
            false => 3 * 2 + 1 + 2 * 2,
        };
        packages + shards + index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_file_build_of_a_new_name_is_seven_writes_and_its_shard_and_config() {
        let totals = |builds, files| Totals {
            transfers: builds,
            files,
            names: 1,
            ..Totals::default()
        };
        assert_eq!(totals(2, 2).writes() - totals(1, 1).writes(), 7);
        assert_eq!(totals(1, 2).writes() - totals(1, 1).writes(), 2);
    }

    #[test]
    fn a_first_index_is_written_even_if_it_is_empty() {
        let mut totals = Totals::default();
        assert_eq!(totals.writes(), 0);
        totals.rewrites_index = true;
        assert!(totals.writes() > 0);
    }
}

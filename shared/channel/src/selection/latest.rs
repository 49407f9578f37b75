//! The newest versions of each name, or its newest build.
//!
//! Versions are compared as conda does: `1.0` and `1.0.0` are one. Memory grows with the names, with at most as many
//! versions of each as are wanted.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use rattler_conda_types::Version;

use super::facts::Facts;
use super::{Choice, Selection, lower};
use crate::name::{ArchiveType, FileName};
use crate::repodata::Record;

/// A version's place among the others of its name: those that conda cannot read are below all others, by their text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Unreadable(Box<str>),
    Version(Version),
}

impl Rank {
    fn of(file: &FileName) -> Self {
        let text = file.version();
        match text.parse() {
            Ok(version) => Self::Version(version),
            Err(_) => Self::Unreadable(text.into()),
        }
    }
}

/// What is newest of each name, ranked by conda's order.
#[derive(Debug, Clone)]
pub struct Newest(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Versions(HashMap<Box<str>, BTreeSet<Rank>>),
    /// The one file of each format, and where it stands.
    Builds(HashMap<(Box<str>, ArchiveType), Build>),
}

/// A file, ranked by its version and then its build number.
type Build = ((Rank, u64), FileName);

impl Newest {
    /// Whether the file is among what is newest: of a version all builds and both formats are.
    #[must_use]
    pub fn contains(&self, file: &FileName) -> bool {
        let name = lower(file.name());
        match &self.0 {
            Kept::Versions(versions) => versions
                .get(&*name)
                .is_some_and(|versions| versions.contains(&Rank::of(file))),
            Kept::Builds(builds) => builds
                .get(&(name.as_ref().into(), file.archive()))
                .is_some_and(|(_, newest)| newest == file),
        }
    }
}

/// Collects what [`Newest`] is made from.
#[derive(Debug)]
pub struct Ranking {
    wanted: usize,
    newest: Newest,
}

impl Ranking {
    /// Will keep the newest `wanted` versions of each name.
    pub(super) fn of_versions(wanted: NonZeroU32) -> Self {
        Self {
            wanted: usize::try_from(wanted.get()).unwrap_or(usize::MAX),
            newest: Newest(Kept::Versions(HashMap::new())),
        }
    }

    /// Will keep the file with the newest version and the highest build number of each name and format.
    pub(super) fn of_builds() -> Self {
        Self {
            wanted: 1,
            newest: Newest(Kept::Builds(HashMap::new())),
        }
    }

    /// Takes a record of the index into account, if the other filters select it.
    pub fn offer(&mut self, selection: &Selection, record: &Record, json: &[u8]) {
        if selection.judge(record, json, None) != Choice::Selected {
            return;
        }
        let file = &record.file;
        let name = lower(file.name());
        match &mut self.newest.0 {
            Kept::Versions(all) => {
                let versions = match all.get_mut(&*name) {
                    Some(versions) => versions,
                    None => all.entry(name.as_ref().into()).or_default(),
                };
                versions.insert(Rank::of(file));
                if versions.len() > self.wanted {
                    versions.pop_first();
                }
            }
            Kept::Builds(builds) => {
                let number = Facts::read(json).build_number.unwrap_or_default();
                let rank = (Rank::of(file), number);
                match builds.entry((name.as_ref().into(), file.archive())) {
                    Entry::Vacant(first) => {
                        first.insert((rank, file.clone()));
                    }
                    Entry::Occupied(mut newest) if newest.get().0 < rank => {
                        newest.insert((rank, file.clone()));
                    }
                    Entry::Occupied(_) => {}
                }
            }
        }
    }

    /// What is newest of what was offered.
    #[must_use]
    pub fn finish(self) -> Newest {
        self.newest
    }
}

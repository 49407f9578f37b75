//! The newest versions of each name.
//!
//! Versions are compared as conda does: `1.0` and `1.0.0` are one. Memory grows with the names, with at most as many
//! versions of each as are wanted.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use rattler_conda_types::Version;

use super::{Choice, Selection, lower};
use crate::name::FileName;
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

/// The newest versions of each name, ranked by conda's order.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    versions: HashMap<Box<str>, BTreeSet<Rank>>,
}

impl Newest {
    /// Whether the file's version is one of them; all its builds and both formats are.
    #[must_use]
    pub fn contains(&self, file: &FileName) -> bool {
        self.versions
            .get(&*lower(file.name()))
            .is_some_and(|versions| versions.contains(&Rank::of(file)))
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
    pub(super) fn new(wanted: NonZeroU32) -> Self {
        Self {
            wanted: usize::try_from(wanted.get()).unwrap_or(usize::MAX),
            newest: Newest::default(),
        }
    }

    /// Takes a record of the index into account, if the other filters select it.
    pub fn offer(&mut self, selection: &Selection, record: &Record, json: &[u8]) {
        if selection.judge(record, json, None) != Choice::Selected {
            return;
        }
        let name = lower(record.file.name());
        let versions = match self.newest.versions.get_mut(&*name) {
            Some(versions) => versions,
            None => self
                .newest
                .versions
                .entry(name.as_ref().into())
                .or_default(),
        };
        versions.insert(Rank::of(&record.file));
        if versions.len() > self.wanted {
            versions.pop_first();
        }
    }

    /// The newest versions of what was offered.
    #[must_use]
    pub fn finish(self) -> Newest {
        self.newest
    }
}

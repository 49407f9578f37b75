//! The plan of one subdir: which builds have something to do, kept as a few bytes each.
//!
//! The records stay on disk; a task is made from them when its turn comes.

mod adopt;
mod classify;
mod make;
mod refs;
mod rows;
mod source;
mod tasks;
mod trust;

pub(crate) use adopt::{adopt, listed};
pub(crate) use make::{Inputs, make};
pub(crate) use refs::{BuildRef, Fate};
pub(crate) use rows::Rows;
pub(crate) use source::source;
pub(crate) use tasks::Template;
pub(crate) use trust::{GENERATED_BY, GENERATOR, Latest, RECORDS, Trust};

use std::fs::File;

use mirror_channel::repodata::Limits;

use refs::FileRef;

/// What a subdir's run has to do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub number: u64,
    /// Whether tasks ask for a look at the destination before anything is downloaded.
    pub probe: bool,
    /// `info.base_url` of the channel's index.
    pub base_url: Option<String>,
    pub totals: Totals,
    pub work: Vec<BuildRef>,
    idle: Vec<BuildRef>,
    refs: Vec<FileRef>,
    current: File,
    archive: Option<File>,
    limits: Limits,
}

/// Sums over a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
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
}

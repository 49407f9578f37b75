//! Sums over the subdirs of a run.

use std::collections::HashMap;

use serde::Serialize;

use super::SubdirSummary;
use crate::plan::NameTotal;

/// Names that are shown as the largest.
const LARGEST: usize = 10;

/// The counts of [`SubdirSummary`], summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub planned_builds: u64,
    pub planned_files: u64,
    pub planned_bytes: u64,
    pub planned_writes: u64,
    pub held: u64,
    pub done: u64,
    pub done_bytes: u64,
    pub found: u64,
    pub failed: u64,
    pub resting: u64,
    pub unrepresentable: u64,
    pub bad_records: u64,
    pub not_held: u64,
    pub outside_index: u64,
}

impl Totals {
    pub(crate) fn of(subdirs: &[SubdirSummary]) -> Self {
        let mut sums = Self::default();
        for subdir in subdirs {
            sums.planned_builds += subdir.planned_builds;
            sums.planned_files += subdir.planned_files;
            sums.planned_bytes += subdir.planned_bytes;
            sums.planned_writes += subdir.planned_writes;
            sums.held += subdir.held;
            sums.done += subdir.done;
            sums.done_bytes += subdir.done_bytes;
            sums.found += subdir.found;
            sums.failed += subdir.failed;
            sums.resting += subdir.resting;
            sums.unrepresentable += subdir.unrepresentable;
            sums.bad_records += subdir.bad_records;
            sums.not_held += subdir.not_held;
            sums.outside_index += subdir.outside_index;
        }
        sums
    }

    /// Planned files with no outcome yet.
    pub(crate) fn left(&self) -> u64 {
        self.planned_files.saturating_sub(self.done + self.failed)
    }

    /// About how many seconds the planned writes take at `rate` a minute.
    pub(crate) fn seconds_at(&self, rate: u32) -> u64 {
        seconds(self.planned_writes, rate)
    }

    pub(super) fn planned(&self) -> Planned {
        Planned {
            builds: self.planned_builds,
            files: self.planned_files,
            bytes: self.planned_bytes,
            writes: self.planned_writes,
        }
    }
}

impl SubdirSummary {
    pub(super) fn planned(&self) -> Planned {
        Planned {
            builds: self.planned_builds,
            files: self.planned_files,
            bytes: self.planned_bytes,
            writes: self.planned_writes,
        }
    }
}

/// What is planned, of a subdir or of all.
pub(super) struct Planned {
    pub(super) builds: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) writes: u64,
}

/// How long so many writes take at `rate` a minute.
pub(super) fn seconds(writes: u64, rate: u32) -> u64 {
    writes.saturating_mul(60) / u64::from(rate.max(1))
}

/// The names with the most bytes over all subdirs, the largest first.
pub(crate) fn largest_names(subdirs: &[SubdirSummary]) -> Vec<NameTotal> {
    let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
    let names = subdirs.iter().flat_map(|subdir| &subdir.names);
    for name in names.filter(|name| name.files > 0) {
        let sum = sums.entry(&name.name).or_default();
        sum.0 += name.files;
        sum.1 += name.bytes;
    }
    let mut names: Vec<NameTotal> = sums
        .into_iter()
        .map(|(name, (files, bytes))| NameTotal {
            name: name.into(),
            files,
            bytes,
        })
        .collect();
    names.sort_unstable_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    names.truncate(LARGEST);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_several_subdirs_counts_once_with_its_sum() {
        let subdir = |names: &[(&str, u64)]| SubdirSummary {
            names: names
                .iter()
                .map(|(name, bytes)| NameTotal {
                    name: (*name).into(),
                    files: 1,
                    bytes: *bytes,
                })
                .collect(),
            ..SubdirSummary::default()
        };
        let many: Vec<(String, u64)> = (0..20).map(|n| (format!("n{n:02}"), n)).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        let largest = largest_names(&[
            subdir(&[("a", 5), ("b", 30)]),
            subdir(&[("a", 26)]),
            subdir(&many),
        ]);
        assert_eq!(largest.len(), 10);
        assert_eq!(
            (&*largest[0].name, largest[0].files, largest[0].bytes),
            ("a", 2, 31)
        );
        assert_eq!(&*largest[1].name, "b");
    }
}

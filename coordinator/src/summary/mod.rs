//! What a run came to, for people and for scripts. `docs/report.schema.json` describes the JSON.

mod deed;
mod lines;
mod plan_text;
mod text;
mod totals;
mod units;

use serde::Serialize;

use crate::plan::{self, NameTotal};
use crate::subdirs::Ended;

pub(crate) use deed::Deed;
pub(crate) use totals::Totals;
use totals::largest_names;
pub(crate) use units::{ago, duration, number, size};

/// One subdir's part of a [`Summary`].
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct SubdirSummary {
    pub subdir: String,
    /// The channel's index is the one of the last complete run: nothing was to be done.
    pub unchanged: bool,
    /// Builds and files that were planned, and the files' bytes.
    pub planned_builds: u64,
    pub planned_files: u64,
    pub planned_bytes: u64,
    /// Writes that a fill of this plan makes at a registry, about.
    pub planned_writes: u64,
    /// Sums of the planned files by package name.
    #[serde(skip)]
    pub names: Vec<NameTotal>,
    /// Files held before the run.
    pub held: u64,
    /// Files brought in this run, or found although they were to be brought, and their bytes.
    pub done: u64,
    pub done_bytes: u64,
    /// Files found at the destination where another program's index listed them.
    pub found: u64,
    pub failed: u64,
    /// Earlier failures that were not tried again yet.
    pub resting: u64,
    pub unrepresentable: u64,
    /// Records that cannot be used.
    pub bad_records: u64,
    /// Files that a foreign index lists and the registry does not hold.
    pub not_held: u64,
    /// Files that the registry holds and upstream still names, which the index does not list.
    pub outside_index: u64,
    /// What a dry run says of each package.
    #[serde(skip)]
    pub lines: Vec<String>,
    /// Builds that were queued for workers elsewhere and not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
    pub publication: Publication,
    /// Records in the published index, where it is known.
    pub indexed: Option<u64>,
    /// A mirror that is pulled from has no index of it.
    #[serde(skip)]
    pub lacks_index: bool,
    /// Why the subdir could not be brought, if it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What happened to the published index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Publication {
    /// Nothing was published: a dry run, or an interrupted one.
    #[default]
    None,
    /// The index at the registry is already what it should be.
    Unchanged,
    /// A new index was published.
    Published,
    /// A new index would have shrunk too much.
    Refused,
}

impl SubdirSummary {
    pub(crate) fn planned_as(subdir: &str, totals: &plan::Totals, names: &[NameTotal]) -> Self {
        Self {
            subdir: subdir.to_owned(),
            planned_builds: totals.builds,
            planned_files: totals.files,
            planned_bytes: totals.bytes,
            planned_writes: totals.writes(),
            names: names.to_vec(),
            held: totals.held,
            resting: totals.resting,
            unrepresentable: totals.unrepresentable,
            bad_records: totals.broken,
            outside_index: totals.outside,
            ..Self::default()
        }
    }

    /// Files of the channel that the selection names.
    pub(crate) fn selected(&self) -> u64 {
        let looked_for = self.found + self.not_held;
        let left_out = self.resting + self.unrepresentable + self.bad_records;
        self.planned_files + self.held + looked_for + left_out
    }

    pub(crate) fn has_failures(&self) -> bool {
        let lacks_index = self.lacks_index && self.error.is_some();
        lacks_index || self.failed + self.resting + self.bad_records > 0
    }
}

/// A whole run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Summary {
    /// What was done.
    #[serde(skip)]
    pub deed: Deed,
    /// The mirror's name in a configuration file, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub channel: String,
    pub registry: Option<String>,
    /// Whether this is only a plan.
    pub dry_run: bool,
    pub interrupted: bool,
    pub seconds: f64,
    /// Sums over the subdirs.
    pub totals: Totals,
    pub subdirs: Vec<SubdirSummary>,
    /// The package names that the largest part of the plan belongs to, the largest first.
    pub largest_names: Vec<NameTotal>,
    /// The registry that wants a login where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_needed: Option<String>,
    /// Whether that is the one that is read from.
    #[serde(skip)]
    pub login_reads: bool,
    /// Writes a minute that hold at the registry, where a rate is set or known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// About how many seconds the planned writes take at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_seconds: Option<u64>,
    /// What stopped the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// Takes in what the subdirs came to, and what stopped the run as a whole.
    pub(crate) fn end(&mut self, ended: Ended, stopped: Option<String>) {
        self.dry_run |= ended.is_only_a_plan();
        self.totals = Totals::of(&ended.subdirs);
        self.planned_seconds = self.rate.map(|rate| self.totals.seconds_at(rate));
        self.largest_names = largest_names(&ended.subdirs);
        self.subdirs = ended.subdirs;
        self.login_reads = ended.login.as_ref().is_some_and(|(_, reads)| *reads);
        self.login_needed = ended.login.map(|(registry, _)| registry);
        let not_there = ended.nothing_to_remove.map(|files| {
            format!("no record to take out: push-cache added none of {files} here; the channel's own leave the index with `conda-oci mirror --exclude`")
        });
        let over = ended.over_limit.map(|over| over.to_string());
        self.error = stopped.or(over).or(not_there);
    }

    /// Whether the run ended before there was anything to tell but why.
    pub(crate) fn is_unbegun(&self) -> bool {
        self.error.is_some() && self.subdirs.is_empty()
    }

    /// Whether some subdir could not be mirrored at all, or its index not be published.
    pub(crate) fn is_broken(&self) -> bool {
        let broken = |subdir: &SubdirSummary| {
            subdir.error.is_some() && !subdir.lacks_index
                || subdir.publication == Publication::Refused
        };
        let stopped = self.login_needed.is_some() || self.error.is_some();
        stopped || self.subdirs.iter().any(broken)
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.subdirs.iter().any(SubdirSummary::has_failures)
    }

    /// The summary as one line of JSON.
    pub(crate) fn json(&self) -> String {
        let mut json = serde_json::to_string(self).expect("numbers and texts have a JSON form");
        json.push('\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_without_a_name_has_no_such_key() {
        let mut summary = Summary::default();
        let parsed = |summary: &Summary| -> serde_json::Value {
            serde_json::from_str(&summary.json()).expect("JSON")
        };
        assert_eq!(parsed(&summary).get("name"), None);
        summary.name = Some("nightly".to_owned());
        assert_eq!(parsed(&summary)["name"], "nightly");
    }
}

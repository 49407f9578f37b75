//! What a run came to, for people and for scripts.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::plan::Totals;

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
    /// Package names among them.
    #[serde(skip)]
    pub planned_names: u64,
    /// Files held before the run.
    pub held: u64,
    /// Files brought or found in this run, and their bytes.
    pub done: u64,
    pub done_bytes: u64,
    pub failed: u64,
    /// Earlier failures that were not tried again yet.
    pub resting: u64,
    pub unrepresentable: u64,
    /// Records that cannot be used.
    pub bad_records: u64,
    /// Files that a foreign index lists and the registry does not hold.
    pub not_held: u64,
    pub publication: Publication,
    /// Records in the published index, where it is known.
    pub indexed: Option<u64>,
    /// Why the subdir could not be mirrored, if it could not.
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
    pub(crate) fn planned(subdir: &str, totals: &Totals) -> Self {
        Self {
            subdir: subdir.to_owned(),
            planned_builds: totals.builds,
            planned_files: totals.files,
            planned_bytes: totals.bytes,
            planned_names: totals.names,
            held: totals.held,
            resting: totals.resting,
            unrepresentable: totals.unrepresentable,
            bad_records: totals.broken,
            ..Self::default()
        }
    }

    /// Writes a fill of this plan makes: POST and PUT for each blob, a manifest for each build, the
    /// config once a repository, a blob and a manifest for each shard, the index.
    pub(crate) fn writes(&self) -> u64 {
        let packages = self.planned_builds * 5 + self.planned_files * 2 + self.planned_names;
        let shards = self.planned_names * 3;
        let index = if self.planned_files == 0 {
            0
        } else {
            3 * 2 + 1 + 2 * 2
        };
        packages + shards + index
    }

    /// Files of the channel that the selection names.
    pub(crate) fn selected(&self) -> u64 {
        self.planned_files + self.held + self.resting + self.unrepresentable + self.bad_records
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.failed + self.resting + self.bad_records > 0
    }
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub channel: String,
    pub registry: Option<String>,
    pub dry_run: bool,
    pub interrupted: bool,
    pub seconds: f64,
    pub subdirs: Vec<SubdirSummary>,
    /// The registry that wants a login for pushing where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_needed: Option<String>,
    /// Writes a minute that hold at the registry, where a rate is set or known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// What stopped the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// Whether some subdir could not be mirrored at all, or its index not be published.
    pub(crate) fn is_broken(&self) -> bool {
        let broken = |subdir: &SubdirSummary| {
            subdir.error.is_some() || subdir.publication == Publication::Refused
        };
        let stopped = self.login_needed.is_some() || self.error.is_some();
        stopped || self.subdirs.iter().any(broken)
    }

    pub(crate) fn has_failures(&self) -> bool {
        self.subdirs.iter().any(SubdirSummary::has_failures)
    }

    /// The closing lines of a run.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for subdir in &self.subdirs {
            let _ = writeln!(text, "{:<14} {}", subdir.subdir, line(subdir));
        }
        let sum = |part: fn(&SubdirSummary) -> u64| self.subdirs.iter().map(part).sum::<u64>();
        let (done, bytes) = (sum(|s| s.done), sum(|s| s.done_bytes));
        let verb = if self.interrupted {
            "stopped"
        } else {
            "finished"
        };
        let time = duration(Duration::from_secs_f64(self.seconds));
        let _ = write!(
            text,
            "{verb} in {time}: {done} files, {} mirrored",
            size(bytes)
        );
        for (count, what) in [
            (sum(|s| s.held), "held before"),
            (sum(|s| s.failed), "failed"),
            (
                sum(|s| s.resting),
                "failed earlier and rest (--retry-failed tries them now)",
            ),
            (sum(|s| s.bad_records), "with unusable records"),
            (sum(|s| s.unrepresentable), "cannot be named in OCI"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        if self.interrupted {
            text.push_str("; run the same command to go on");
        }
        text.push('\n');
        text
    }

    /// What a dry run would do.
    pub(crate) fn plan_text(&self) -> String {
        let mut text = format!(
            "{:<14} {:>9} {:>9} {:>11} {:>9}\n",
            "subdir", "builds", "files", "size", "writes"
        );
        let mut total = SubdirSummary {
            subdir: "total".into(),
            ..SubdirSummary::default()
        };
        let mut writes = 0;
        let row = |s: &SubdirSummary, writes: u64| {
            let (builds, files) = (s.planned_builds, s.planned_files);
            format!(
                "{:<14} {builds:>9} {files:>9} {:>11} {writes:>9}\n",
                s.subdir,
                size(s.planned_bytes)
            )
        };
        for subdir in &self.subdirs {
            if subdir.error.is_some() {
                let name = &subdir.subdir;
                let _ = writeln!(text, "{name:<14} could not be planned, see the error above");
                continue;
            }
            text.push_str(&row(subdir, subdir.writes()));
            total.planned_builds += subdir.planned_builds;
            total.planned_files += subdir.planned_files;
            total.planned_bytes += subdir.planned_bytes;
            total.held += subdir.held;
            total.unrepresentable += subdir.unrepresentable;
            writes += subdir.writes();
        }
        if self.subdirs.len() != 1 {
            text.push_str(&row(&total, writes));
        }
        for (count, what) in [
            (total.held, "files are held already"),
            (
                total.unrepresentable,
                "files cannot be named in OCI and are left out",
            ),
        ] {
            if count > 0 {
                let _ = writeln!(text, "{count} {what}");
            }
        }
        if let Some(rate) = self.rate.filter(|_| writes > 0) {
            let seconds = writes * 60 / u64::from(rate.max(1));
            let _ = writeln!(
                text,
                "about {} at {rate} writes a minute",
                duration(Duration::from_secs(seconds.max(1)))
            );
        }
        text
    }
}

fn line(subdir: &SubdirSummary) -> String {
    if subdir.error.is_some() {
        return "could not be mirrored, see the error above".to_owned();
    }
    if subdir.unchanged {
        return match subdir.resting {
            0 => "unchanged since the last run".to_owned(),
            _ => "unchanged; failures of an earlier run rest".to_owned(),
        };
    }
    let mut text = format!("{} of {} files", subdir.done, subdir.planned_files);
    if subdir.failed > 0 {
        let _ = write!(text, ", {} failed", subdir.failed);
    }
    let indexed = subdir.indexed.unwrap_or(0);
    match subdir.publication {
        Publication::None => text.push_str(", index not published"),
        Publication::Unchanged => text.push_str(", index unchanged"),
        Publication::Published => {
            let _ = write!(text, ", index published with {indexed} records");
        }
        Publication::Refused => text.push_str(", index NOT published: it would shrink too much"),
    }
    text
}

/// Bytes for people: `1.5 GB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.2} TB")
}

/// A span for people: `2d 3h`, `5m 7s`, `0.4s`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_500_000_000), "1.5 GB");
        assert_eq!(size(26_370_000_000_000), "26.37 TB");
        assert_eq!(duration(Duration::from_millis(400)), "0.4s");
        assert_eq!(duration(Duration::from_secs(3700)), "1h 1m");
        assert_eq!(duration(Duration::from_secs(200_000)), "2d 7h");
    }

    #[test]
    fn a_single_file_build_of_a_new_name_is_seven_writes_and_its_shard_and_config() {
        let one = SubdirSummary {
            planned_builds: 1,
            planned_files: 1,
            planned_names: 1,
            ..SubdirSummary::default()
        };
        let two = SubdirSummary {
            planned_builds: 2,
            planned_files: 2,
            planned_names: 1,
            ..SubdirSummary::default()
        };
        let both = SubdirSummary {
            planned_builds: 1,
            planned_files: 2,
            planned_names: 1,
            ..SubdirSummary::default()
        };
        assert_eq!(two.writes() - one.writes(), 7);
        assert_eq!(both.writes() - one.writes(), 2);
    }
}

//! What a dry run prints: a table of the subdirs, what is left out, the largest names.

use std::fmt::Write as _;
use std::time::Duration;

use super::{SubdirSummary, Summary, duration, size};

impl Summary {
    /// What the run would do.
    pub(crate) fn plan_text(&self) -> String {
        let mut text = format!(
            "{:<14} {:>9} {:>9} {:>11} {:>9}",
            "subdir", "builds", "files", "size", "writes"
        );
        if self.rate.is_some() {
            let _ = write!(text, " {:>9}", "time");
        }
        text.push('\n');
        for subdir in &self.subdirs {
            let name = &subdir.subdir;
            if subdir.error.is_some() {
                let _ = writeln!(text, "{name:<14} could not be planned, see the error above");
            } else if subdir.unchanged {
                let _ = writeln!(text, "{name:<14} unchanged since the last run");
            } else {
                self.row(&mut text, name, &subdir.planned());
            }
        }
        if self.subdirs.len() != 1 {
            self.row(&mut text, "total", &self.totals.planned());
        }
        let totals = &self.totals;
        for (count, what) in [
            (totals.held, "files are held already"),
            (
                totals.resting,
                "files failed earlier and rest (--retry-failed tries them now)",
            ),
            (
                totals.unrepresentable,
                "files cannot be named in OCI and are left out",
            ),
            (
                totals.bad_records,
                "records cannot be used and are left out",
            ),
            (
                totals.outside_index,
                "files are held outside the index (yanked, removed or excluded)",
            ),
        ] {
            if count > 0 {
                let _ = writeln!(text, "{count} {what}");
            }
        }
        if let Some(rate) = self.rate.filter(|_| totals.planned_writes > 0) {
            let _ = writeln!(
                text,
                "about {} at {rate} writes a minute",
                time(totals.planned_writes, rate)
            );
        }
        self.names(&mut text);
        text
    }

    fn row(&self, text: &mut String, name: &str, planned: &Planned) {
        let Planned {
            builds,
            files,
            bytes,
            writes,
        } = planned;
        let _ = write!(
            text,
            "{name:<14} {builds:>9} {files:>9} {:>11} {writes:>9}",
            size(*bytes)
        );
        if let Some(rate) = self.rate {
            let _ = write!(text, " {:>9}", time(*writes, rate));
        }
        text.push('\n');
    }

    fn names(&self, text: &mut String) {
        // One name has no order, and its sums are in the table.
        if self.largest_names.len() < 2 {
            return;
        }
        let _ = writeln!(
            text,
            "\n{:<24} {:>9} {:>11}",
            "largest names", "files", "size"
        );
        for name in &self.largest_names {
            let bytes = size(name.bytes);
            let _ = writeln!(text, "{:<24} {:>9} {bytes:>11}", name.name, name.files);
        }
    }
}

/// One row of the table.
pub(super) struct Planned {
    pub(super) builds: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) writes: u64,
}

impl SubdirSummary {
    fn planned(&self) -> Planned {
        Planned {
            builds: self.planned_builds,
            files: self.planned_files,
            bytes: self.planned_bytes,
            writes: self.planned_writes,
        }
    }
}

fn time(writes: u64, rate: u32) -> String {
    if writes == 0 {
        return "-".to_owned();
    }
    duration(Duration::from_secs(seconds(writes, rate).max(1)))
}

/// How long so many writes take at `rate` a minute.
pub(super) fn seconds(writes: u64, rate: u32) -> u64 {
    writes.saturating_mul(60) / u64::from(rate.max(1))
}

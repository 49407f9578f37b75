//! The closing lines of a run.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Publication, SubdirSummary, Summary, duration, size};

impl Summary {
    /// A line for each subdir and one for the whole.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for subdir in &self.subdirs {
            let _ = writeln!(text, "{:<14} {}", subdir.subdir, line(subdir));
        }
        let totals = &self.totals;
        let verb = if self.interrupted {
            "stopped"
        } else {
            "finished"
        };
        let time = duration(Duration::from_secs_f64(self.seconds));
        let _ = write!(
            text,
            "{verb} in {time}: {} files, {} mirrored",
            totals.done,
            size(totals.done_bytes)
        );
        let left = if self.interrupted { totals.left() } else { 0 };
        for (count, what) in [
            (left, "left"),
            (totals.held, "held before"),
            (totals.failed, "failed"),
            (
                totals.resting,
                "failed earlier and rest (--retry-failed tries them now)",
            ),
            (totals.bad_records, "with unusable records"),
            (totals.unrepresentable, "cannot be named in OCI"),
            (totals.outside_index, "held outside the index"),
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
}

fn line(subdir: &SubdirSummary) -> String {
    if subdir.error.is_some() {
        return "could not be mirrored, see the error above".to_owned();
    }
    if subdir.unchanged {
        return "unchanged since the last run".to_owned();
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

//! The closing lines of a run.

use std::fmt::Write as _;
use std::time::Duration;

use super::lines::{Causes, counts, unchanged, width};
use super::{Deed, Publication, SubdirSummary, Summary, duration, number, size};

impl Summary {
    /// A line for each subdir and one for the whole.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let width = width(&self.subdirs);
        let mut causes = Causes::default();
        for subdir in &self.subdirs {
            let line = match &subdir.error {
                Some(error) => format!("{}: {}", broken(subdir, self.deed), causes.tell(error)),
                None => line(subdir),
            };
            let _ = writeln!(text, "{:<width$} {line}", subdir.subdir);
        }
        let totals = &self.totals;
        let verb = if self.interrupted {
            "stopped"
        } else {
            "finished"
        };
        let time = duration(Duration::from_secs_f64(self.seconds));
        let queued: u64 = self.subdirs.iter().filter_map(|subdir| subdir.queued).sum();
        let _ = match queued {
            0 => write!(
                text,
                "{verb} in {time}: {}, {} {}",
                number(totals.done, "file"),
                size(totals.done_bytes),
                self.deed.done()
            ),
            queued => write!(text, "{verb} in {time}: {} queued", number(queued, "build")),
        };
        let left = if self.interrupted { totals.left() } else { 0 };
        for words in counts([
            (left, "left", "left"),
            (totals.found, "found there", "found there"),
            (totals.held, "held before", "held before"),
            (totals.failed, "failed", "failed"),
            (
                totals.resting,
                "failed earlier and rests (--retry-failed tries it now)",
                "failed earlier and rest (--retry-failed tries them now)",
            ),
            (
                totals.bad_records,
                "with an unusable record",
                "with unusable records",
            ),
            (
                totals.unrepresentable,
                "cannot be named in OCI",
                "cannot be named in OCI",
            ),
            (
                totals.not_held,
                "listed by another program and not there",
                "listed by another program and not there",
            ),
            (
                totals.outside_index,
                "held outside the index",
                "held outside the index",
            ),
        ]) {
            let _ = write!(text, ", {words}");
        }
        if self.interrupted {
            text.push_str("; run the same command to go on");
        }
        text.push('\n');
        text
    }
}

fn broken(subdir: &SubdirSummary, deed: Deed) -> String {
    let brought = deed.done();
    match subdir.done {
        0 => format!("could not be {brought}"),
        done => {
            let planned = number(subdir.planned_files, "file");
            format!("could not be {brought} beyond {done} of {planned}")
        }
    }
}

fn line(subdir: &SubdirSummary) -> String {
    if subdir.unchanged {
        return unchanged(subdir);
    }
    if let Some(queued) = subdir.queued {
        let files = number(subdir.planned_files, "file");
        return format!("{} with {files} queued", number(queued, "build"));
    }
    let planned = number(subdir.planned_files, "file");
    let mut text = format!("{} of {planned}", subdir.done);
    for words in counts([
        (subdir.found, "found there", "found there"),
        (subdir.failed, "failed", "failed"),
    ]) {
        let _ = write!(text, ", {words}");
    }
    let indexed = number(subdir.indexed.unwrap_or(0), "record");
    match subdir.publication {
        Publication::None => text.push_str(", index not published"),
        Publication::Unchanged => text.push_str(", index unchanged"),
        Publication::Published => {
            let _ = write!(text, ", index published with {indexed}");
        }
        Publication::Refused => text.push_str(", index NOT published: it would shrink too much"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Totals;

    fn summary(subdirs: Vec<SubdirSummary>) -> Summary {
        Summary {
            totals: Totals::of(&subdirs),
            subdirs,
            seconds: 1.0,
            ..Summary::default()
        }
    }

    fn subdir(name: &str) -> SubdirSummary {
        SubdirSummary {
            subdir: name.to_owned(),
            ..SubdirSummary::default()
        }
    }

    #[test]
    fn one_is_not_many() {
        let one = SubdirSummary {
            planned_files: 2,
            done: 1,
            done_bytes: 10,
            failed: 1,
            resting: 1,
            bad_records: 1,
            publication: Publication::Published,
            indexed: Some(1),
            ..subdir("linux-64")
        };
        let text = summary(vec![one]).text();
        assert_eq!(
            text,
            "linux-64       1 of 2 files, 1 failed, index published with 1 record\n\
             finished in 1.0s: 1 file, 10 B mirrored, 1 failed, \
             1 failed earlier and rests (--retry-failed tries it now), 1 with an unusable record\n"
        );
    }

    #[test]
    fn what_another_programs_index_listed_is_counted_found_or_not() {
        let taken = SubdirSummary {
            found: 3,
            not_held: 1,
            publication: Publication::Published,
            indexed: Some(3),
            ..subdir("linux-64")
        };
        assert_eq!(
            taken.selected(),
            4,
            "they are of the channel and of the selection"
        );
        let text = summary(vec![taken]).text();
        assert_eq!(
            text,
            "linux-64       0 of 0 files, 3 found there, index published with 3 records\n\
             finished in 1.0s: 0 files, 0 B mirrored, 3 found there, 1 listed by another program and not there\n"
        );
    }

    #[test]
    fn each_command_has_a_word_for_what_it_did() {
        for (deed, word) in [
            (Deed::Mirror, "mirrored"),
            (Deed::PullCache, "pulled"),
            (Deed::PushCache, "pushed"),
        ] {
            let broken = SubdirSummary {
                error: Some("the disk is full".to_owned()),
                ..subdir("linux-64")
            };
            let text = Summary {
                deed,
                ..summary(vec![broken])
            }
            .text();
            assert_eq!(
                text,
                format!(
                    "linux-64       could not be {word}: the disk is full\n\
                     finished in 1.0s: 0 files, 0 B {word}\n"
                )
            );
        }
    }

    #[test]
    fn a_long_name_moves_all_lines_and_breaks_none() {
        let names = ["emscripten-wasm32", "noarch"];
        let text = summary(names.map(subdir).to_vec()).text();
        let columns = text.lines().take(2).map(|line| line.find("0 of 0 files"));
        let expected = Some("emscripten-wasm32".len() + 1);
        assert_eq!(
            columns.collect::<Vec<_>>(),
            [expected, expected],
            "\n{text}"
        );
    }

    #[test]
    fn each_cause_is_told_once_and_no_line_refers_to_what_was_not_said() {
        let broken = |name, cause: &str, done| SubdirSummary {
            error: Some(cause.to_owned()),
            planned_files: 5,
            done,
            ..subdir(name)
        };
        let text = summary(vec![
            broken("linux-64", "nobody answers at\nexample.org", 0),
            broken("osx-64", "the disk is full", 3),
            broken("noarch", "nobody answers at\nexample.org", 0),
        ])
        .text();
        let lines: Vec<_> = text.lines().take(3).collect();
        assert_eq!(
            lines,
            [
                "linux-64       could not be mirrored: nobody answers at example.org",
                "osx-64         could not be mirrored beyond 3 of 5 files: the disk is full",
                "noarch         could not be mirrored: for the same reason",
            ]
        );
    }

    #[test]
    fn an_unchanged_subdir_says_what_is_still_wrong_with_it() {
        let unchanged = |resting, bad_records| {
            let subdir = SubdirSummary {
                unchanged: true,
                resting,
                bad_records,
                ..subdir("linux-64")
            };
            line(&subdir)
        };
        assert_eq!(unchanged(0, 0), "unchanged since the last run");
        assert_eq!(
            unchanged(1, 2),
            "unchanged since the last run; 1 failure rests, 2 records cannot be used"
        );
        assert_eq!(
            unchanged(0, 1),
            "unchanged since the last run; 1 record cannot be used"
        );
    }
}

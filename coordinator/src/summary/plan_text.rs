//! What a dry run prints: a table of the subdirs, what is left out, the largest names.

use std::fmt::Write as _;
use std::time::Duration;

use super::lines::{Causes, counts, unchanged, width};
use super::totals::{Planned, seconds};
use super::{Summary, duration, size};

/// The least room for a package's name.
const NAME: usize = 24;

impl Summary {
    /// What the run would do.
    pub(crate) fn plan_text(&self) -> String {
        let width = width(&self.subdirs);
        let mut text = String::new();
        for line in self.subdirs.iter().flat_map(|subdir| &subdir.lines) {
            let _ = writeln!(text, "{line}");
        }
        let _ = write!(
            text,
            "{:<width$} {:>9} {:>9} {:>11} {:>9}",
            "subdir", "builds", "files", "size", "writes"
        );
        if self.rate.is_some() {
            let _ = write!(text, " {:>9}", "time");
        }
        text.push('\n');
        let mut causes = Causes::default();
        for subdir in &self.subdirs {
            let _ = write!(text, "{:<width$}", subdir.subdir);
            if let Some(error) = &subdir.error {
                let _ = writeln!(text, " could not be planned: {}", causes.tell(error));
            } else if subdir.unchanged {
                let _ = writeln!(text, " {}", unchanged(subdir));
            } else {
                self.numbers(&mut text, &subdir.planned());
            }
        }
        if self.subdirs.len() != 1 {
            let _ = write!(text, "{:<width$}", "total");
            self.numbers(&mut text, &self.totals.planned());
        }
        self.left_out(&mut text);
        let totals = &self.totals;
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

    fn numbers(&self, text: &mut String, planned: &Planned) {
        let Planned {
            builds,
            files,
            bytes,
            writes,
        } = planned;
        let _ = write!(
            text,
            " {builds:>9} {files:>9} {:>11} {writes:>9}",
            size(*bytes)
        );
        if let Some(rate) = self.rate {
            let _ = write!(text, " {:>9}", time(*writes, rate));
        }
        text.push('\n');
    }

    fn left_out(&self, text: &mut String) {
        let totals = &self.totals;
        for words in counts([
            (
                totals.held,
                "file is held already",
                "files are held already",
            ),
            (
                totals.resting,
                "file failed earlier and rests (--retry-failed tries it now)",
                "files failed earlier and rest (--retry-failed tries them now)",
            ),
            (
                totals.unrepresentable,
                "file cannot be named in OCI and is left out",
                "files cannot be named in OCI and are left out",
            ),
            (
                totals.bad_records,
                "record cannot be used and is left out",
                "records cannot be used and are left out",
            ),
            (
                totals.outside_index,
                "file is held outside the index (yanked, removed or excluded)",
                "files are held outside the index (yanked, removed or excluded)",
            ),
        ]) {
            let _ = writeln!(text, "{words}");
        }
    }

    fn names(&self, text: &mut String) {
        // One name has no order, and its sums are in the table.
        if self.largest_names.len() < 2 {
            return;
        }
        let names = self.largest_names.iter();
        let longest = names.map(|name| name.name.chars().count()).max();
        let width = longest.unwrap_or(0).max(NAME);
        let _ = writeln!(
            text,
            "\n{:<width$} {:>9} {:>11}",
            "largest names", "files", "size"
        );
        for name in &self.largest_names {
            let bytes = size(name.bytes);
            let _ = writeln!(text, "{:<width$} {:>9} {bytes:>11}", name.name, name.files);
        }
    }
}

fn time(writes: u64, rate: u32) -> String {
    if writes == 0 {
        return "-".to_owned();
    }
    duration(Duration::from_secs(seconds(writes, rate).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::NameTotal;
    use crate::summary::{SubdirSummary, Totals};

    fn plan(subdirs: Vec<SubdirSummary>) -> Summary {
        Summary {
            totals: Totals::of(&subdirs),
            subdirs,
            ..Summary::default()
        }
    }

    #[test]
    fn columns_stand_below_their_titles_however_long_the_names_are() {
        let subdir = |name: &str| SubdirSummary {
            subdir: name.to_owned(),
            planned_files: 7,
            ..SubdirSummary::default()
        };
        let mut summary = plan(["emscripten-wasm32", "noarch"].map(subdir).to_vec());
        let long = "n".repeat(40);
        let name = |name: &str| NameTotal {
            name: name.into(),
            files: 1,
            bytes: 1,
        };
        summary.largest_names = vec![name(&long), name("zlib")];
        let text = summary.plan_text();
        for (table, rows) in text.split("\n\n").zip([4, 3]) {
            let ends: Vec<_> = table.lines().map(str::len).collect();
            assert_eq!(ends.len(), rows, "\n{text}");
            assert!(ends.iter().all(|end| *end == ends[0]), "\n{text}");
        }
    }

    #[test]
    fn one_file_left_out_is_not_many() {
        let text = plan(vec![SubdirSummary {
            subdir: "noarch".to_owned(),
            held: 1,
            resting: 1,
            unrepresentable: 1,
            bad_records: 1,
            outside_index: 1,
            ..SubdirSummary::default()
        }])
        .plan_text();
        assert!(text.contains("\n1 record cannot be used and is left out\n"));
        for plural in ["1 files", "1 records", " are ", " rest "] {
            assert!(!text.contains(plural), "{plural:?} in\n{text}");
        }
    }

    #[test]
    fn why_a_subdir_could_not_be_planned_stands_in_its_row() {
        let error = |name: &str| SubdirSummary {
            subdir: name.to_owned(),
            error: Some("nobody answers".to_owned()),
            ..SubdirSummary::default()
        };
        let text = plan(vec![error("linux-64"), error("noarch")]).plan_text();
        assert!(text.contains("linux-64       could not be planned: nobody answers\n"));
        assert!(text.contains("noarch         could not be planned: for the same reason\n"));
    }
}

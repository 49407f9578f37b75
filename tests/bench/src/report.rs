//! The figures as a table for people and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::machine::Machine;
use crate::stats::Spread;
use crate::svg::Plot;

/// Everything that a run of the benchmark found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Whether the work was scaled down: then no figure says anything.
    pub(crate) quick: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) plots: Vec<Plot>,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) work: String,
    /// Of [`measured`](Self::measured) and [`baseline`](Self::baseline).
    pub(crate) unit: &'static str,
    /// What conda-oci came to.
    pub(crate) measured: Spread,
    /// What it is compared with, measured beside it.
    pub(crate) baseline: Option<Spread>,
    /// The first by the second, of each pair that was measured in turn.
    pub(crate) ratio: Option<Spread>,
    pub(crate) target: Option<Target>,
    /// Whether the median meets the target.
    pub(crate) met: Option<bool>,
    /// What the baseline is, and what else a reader must know.
    pub(crate) note: String,
    /// More figures, by name and unit.
    pub(crate) figures: BTreeMap<&'static str, f64>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The ratio.
    RatioAtLeast(f64),
    /// The ratio.
    RatioAtMost(f64),
    /// What was measured.
    AtLeast(f64),
    /// What was measured.
    AtMost(f64),
}

impl Row {
    /// Measured beside a baseline: pairs of ours and that.
    pub(crate) fn compared(
        work: impl Into<String>,
        unit: &'static str,
        pairs: &[(f64, f64)],
    ) -> Self {
        Self {
            baseline: Some(Spread::of(pairs.iter().map(|pair| pair.1))),
            ratio: Some(Spread::of(pairs.iter().map(|(ours, bare)| ours / bare))),
            ..Self::alone(work, unit, pairs.iter().map(|pair| pair.0))
        }
    }

    /// Measured by itself.
    pub(crate) fn alone(
        work: impl Into<String>,
        unit: &'static str,
        samples: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self {
            work: work.into(),
            unit,
            measured: Spread::of(samples),
            baseline: None,
            ratio: None,
            target: None,
            met: None,
            note: String::new(),
            figures: BTreeMap::new(),
        }
    }

    /// What it should be. A ratio is only asked of a row that has one.
    pub(crate) fn target(mut self, target: Target) -> Self {
        let ratio = self.ratio.map_or(f64::NAN, |ratio| ratio.median);
        self.met = Some(match target {
            Target::RatioAtLeast(least) => ratio >= least,
            Target::RatioAtMost(most) => ratio <= most,
            Target::AtLeast(least) => self.measured.median >= least,
            Target::AtMost(most) => self.measured.median <= most,
        });
        self.target = Some(target);
        self
    }

    /// What stands below the table.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// One more figure for the JSON.
    pub(crate) fn figure(mut self, name: &'static str, value: f64) -> Self {
        self.figures.insert(name, value);
        self
    }
}

impl Report {
    /// The table in Markdown, with the machine before it and the notes after it.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.machine.to_text());
        if self.quick {
            text.push_str(
                "`--quick`: scaled down, to see that all works. No figure of it says anything.\n\n",
            );
        }
        text.push_str(
            "| work | conda-oci | beside it | ratio | wanted | met |\n|---|---|---|---|---|---|\n",
        );
        let mut notes = String::new();
        let mut last = 0;
        for row in &self.rows {
            let mark = match row.note.is_empty() {
                true => String::new(),
                false => {
                    last += 1;
                    // Writing to a string cannot fail.
                    let _ = writeln!(notes, "{last}. {}", row.note);
                    format!(" ({last})")
                }
            };
            let amount = |spread: Spread| format!("{} {}", figure(spread.median), row.unit);
            let cells = [
                format!("{}{mark}", row.work),
                amount(row.measured),
                row.baseline.map(amount).unwrap_or_default(),
                row.ratio.map(ratio).unwrap_or_default(),
                row.target
                    .map(|target| wanted(target, row.unit))
                    .unwrap_or_default(),
                row.met
                    .map(|met| if met { "yes" } else { "**no**" }.to_owned())
                    .unwrap_or_default(),
            ];
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if !notes.is_empty() {
            let _ = write!(text, "\n{notes}");
        }
        text
    }

    /// Everything, the plots' points included.
    ///
    /// # Errors
    /// If a figure cannot be written as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

fn wanted(target: Target, unit: &str) -> String {
    match target {
        Target::RatioAtLeast(least) => format!("≥ {least}"),
        Target::RatioAtMost(most) => format!("≤ {most}"),
        Target::AtLeast(least) => format!("≥ {} {unit}", figure(least)),
        Target::AtMost(most) => format!("≤ {} {unit}", figure(most)),
    }
}

fn ratio(spread: Spread) -> String {
    match spread.min == spread.max {
        true => format!("{:.2}", spread.median),
        false => format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max),
    }
}

/// A number with the digits that mean something.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.995 => format!("{value:.3}"),
        small if small < 9.95 => format!("{value:.2}"),
        small if small < 99.5 => format!("{value:.1}"),
        _ => thousands(value.round()),
    }
}

/// A count, whole.
pub(crate) fn count(of: usize) -> String {
    thousands(of as f64)
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_meets_its_target_by_its_median() {
        let pairs = [(9.0, 10.0), (5.0, 10.0), (20.0, 10.0)];
        let row = Row::compared("x", "s", &pairs);
        assert_eq!(row.ratio.unwrap().median, 0.9);
        assert_eq!(
            row.clone().target(Target::RatioAtLeast(0.9)).met,
            Some(true)
        );
        assert_eq!(
            row.clone().target(Target::RatioAtLeast(0.91)).met,
            Some(false)
        );
        assert_eq!(
            row.clone().target(Target::RatioAtMost(0.8)).met,
            Some(false)
        );
        assert_eq!(row.clone().target(Target::AtMost(9.0)).met, Some(true));
        assert_eq!(row.target(Target::AtLeast(9.5)).met, Some(false));
        let alone = Row::alone("x", "s", [1.0]).target(Target::RatioAtLeast(0.0));
        assert_eq!(
            alone.met,
            Some(false),
            "a ratio that was not measured is not met"
        );
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let written: Vec<String> = [0.0, 0.1234, 1.236, 12.34, 999.6, 1_234_567.0]
            .map(figure)
            .into();
        assert_eq!(
            written,
            ["0", "0.123", "1.24", "12.3", "1,000", "1,234,567"]
        );
        assert_eq!(count(55), "55");
    }

    #[test]
    fn the_table_has_a_line_and_a_note_for_each_row() {
        let row = Row::compared("files to a folder", "files/s", &[(500.0, 1000.0)]);
        let report = Report {
            machine: Machine::look(),
            quick: true,
            rows: vec![
                row.target(Target::AtLeast(640.0)).note("beside `cp`"),
                Row::alone("plan", "s", [1.5]),
            ],
            plots: Vec::new(),
        };
        let table = report.to_markdown();
        let line = "| files to a folder (1) | 500 files/s | 1,000 files/s | 0.50 | ≥ 640 files/s | **no** |";
        assert!(table.contains(line), "{table}");
        assert!(
            table.contains("| plan | 1.50 s |  |  |  |  |") && table.contains("1. beside `cp`"),
            "{table}"
        );
        assert!(table.contains("--quick"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["rows"][0]["target"]["at-least"], 640.0);
    }
}

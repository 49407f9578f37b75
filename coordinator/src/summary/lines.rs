//! What the table of a plan and the closing lines of a run have in common.

use std::collections::HashSet;

use super::SubdirSummary;

/// The least room for a subdir's name: the longest of the common ones.
const NAME: usize = 14;

/// Room for the longest name.
pub(super) fn width(subdirs: &[SubdirSummary]) -> usize {
    let names = subdirs.iter().map(|subdir| subdir.subdir.chars().count());
    names.max().unwrap_or(0).max(NAME)
}

/// The counts that are not nothing, each with the words for one or for many.
pub(super) fn counts<'a>(
    counts: impl IntoIterator<Item = (u64, &'a str, &'a str)>,
) -> impl Iterator<Item = String> {
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    counts.map(|(count, one, many)| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    })
}

/// What a subdir says that did not change, and what is still wrong with it.
pub(super) fn unchanged(subdir: &SubdirSummary) -> String {
    let wrong: Vec<_> = counts([
        (subdir.resting, "failure rests", "failures rest"),
        (
            subdir.bad_records,
            "record cannot be used",
            "records cannot be used",
        ),
    ])
    .collect();
    let same = "unchanged since the last run".to_owned();
    match wrong.is_empty() {
        true => same,
        false => format!("{same}; {}", wrong.join(", ")),
    }
}

/// The causes that were told so far.
#[derive(Default)]
pub(super) struct Causes<'a>(HashSet<&'a str>);

impl<'a> Causes<'a> {
    /// The cause in one line, in full only once.
    pub(super) fn tell(&mut self, cause: &'a str) -> String {
        match self.0.insert(cause) {
            true => cause.split_whitespace().collect::<Vec<_>>().join(" "),
            false => "for the same reason".to_owned(),
        }
    }
}

//! The table that a dry run prints, read back.

use mirror_kit::process::Finished;

/// A row: numbers, and the columns with units as they are printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) builds: u64,
    pub(crate) files: u64,
    pub(crate) size: String,
    pub(crate) writes: u64,
    /// Where a rate is known.
    pub(crate) time: Option<String>,
}

/// A name of the second table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) files: u64,
    pub(crate) size: String,
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The row of a subdir, or of the `total`.
pub(crate) fn row(finished: &Finished, subdir: &str) -> Row {
    let lines: Vec<_> = finished.stdout.lines().map(words).collect();
    let titles = ["subdir", "builds", "files", "size", "writes", "time"];
    let begins = |line: &Vec<&str>| line.first() == Some(&titles[0]);
    let head = lines.iter().find(|line| begins(line));
    let head = head.unwrap_or_else(|| panic!("no table\n{}", finished.to_text()));
    assert_eq!(head[..], titles[..head.len()]);
    let row = lines.iter().find(|line| line.first() == Some(&subdir));
    let row = row.unwrap_or_else(|| panic!("no row {subdir}\n{}", finished.to_text()));
    let number = |at: usize| row[at].parse().unwrap();
    Row {
        builds: number(1),
        files: number(2),
        size: row[3..5].join(" "),
        writes: number(5),
        time: (head.len() == titles.len()).then(|| row[6..].join(" ")),
    }
}

/// The names of the table below, in its order; none where there is no table.
pub(crate) fn names(finished: &Finished) -> Vec<Name> {
    let table = finished
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("largest names"));
    let rows = table.skip(1).map(words);
    rows.map(|row| Name {
        name: row[0].to_owned(),
        files: row[1].parse().unwrap(),
        size: row[2..].join(" "),
    })
    .collect()
}

/// Bytes as the table shows them.
pub(crate) fn size(bytes: u64) -> String {
    assert!((1000..1_000_000).contains(&bytes), "{bytes}");
    format!("{:.1} kB", bytes as f64 / 1000.0)
}

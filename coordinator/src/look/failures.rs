//! `conda-oci failures`: the files that failed, each with its cause. Any number of them, a page at a time.

use mirror_ledger::{Failure, FailureKind, FileOutcome, Ledger, Recorded};
use mirror_runtime::clock;
use serde::Serialize;

use super::{Mirror, Output, print};
use crate::summary::ago;

/// Failures that are read at once.
pub(super) const PAGE: usize = 1000;

/// A file that failed, as it is printed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    subdir: &'a str,
    file: &'a str,
    kind: FailureKind,
    cause: &'a str,
    attempts: u32,
    failed_ms: u64,
    /// When a later run tries it again by itself.
    due_ms: u64,
}

/// Reads the failures of a subdir page by page. What was only looked for, and is not there, did not fail.
pub(super) struct Pages<'a> {
    ledger: &'a dyn Ledger,
    subdir: &'a str,
    after: Option<String>,
    is_last: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn of(ledger: &'a dyn Ledger, subdir: &'a str) -> Self {
        Self {
            ledger,
            subdir,
            after: None,
            is_last: false,
        }
    }

    /// The next page; `None` after the last. It may be empty.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<(String, Failure)>>> {
        if self.is_last {
            return Ok(None);
        }
        let after = self.after.as_deref();
        let page = self.ledger.failures(self.subdir, after, PAGE).await?;
        self.is_last = page.len() < PAGE;
        self.after = page.last().map(|(file, _)| file.clone());
        Ok(Some(page.into_iter().filter_map(failed).collect()))
    }
}

fn failed((file, Recorded { outcome, .. }): (String, Recorded)) -> Option<(String, Failure)> {
    match outcome {
        FileOutcome::Failed(failure) if failure.kind != FailureKind::Absent => {
            Some((file, failure))
        }
        _ => None,
    }
}

/// Lists them.
pub(super) async fn run(mirror: &Mirror, output: Output) -> anyhow::Result<()> {
    let Mirror { which, remembered } = mirror;
    let now = clock::now_ms();
    let mut count = 0_u64;
    if output.json {
        print(&json_head(
            &which.channel.name,
            &which.registry.to_string(),
        )?)?;
    }
    for known in remembered.subdirs(&which.subdirs).await? {
        let mut pages = Pages::of(&*remembered.ledger, &known.subdir);
        while let Some(page) = pages.next().await? {
            let mut text = String::new();
            for (file, failure) in &page {
                let listed = Listed {
                    subdir: &known.subdir,
                    file,
                    kind: failure.kind,
                    cause: failure.cause.as_str(),
                    attempts: failure.attempts,
                    failed_ms: failure.at_ms,
                    due_ms: failure.due_at_ms(),
                };
                match output.json {
                    true => {
                        text.push_str(if count > 0 { "," } else { "" });
                        text.push_str(&serde_json::to_string(&listed)?);
                    }
                    false => text.push_str(&line(&listed, now)),
                }
                count += 1;
            }
            print(&text)?;
        }
    }
    match (output.json, count) {
        (true, _) => print(&format!("],\"count\":{count}}}\n"))?,
        (false, 0) => print(&format!("{}: no failures\n", mirror.title()))?,
        (false, _) => {}
    }
    Ok(())
}

/// The object up to its list.
fn json_head(channel: &str, registry: &str) -> anyhow::Result<String> {
    let (channel, registry) = (
        serde_json::to_string(channel)?,
        serde_json::to_string(registry)?,
    );
    Ok(format!(
        "{{\"channel\":{channel},\"registry\":{registry},\"failures\":["
    ))
}

fn line(listed: &Listed<'_>, now_ms: u64) -> String {
    let tries = match listed.attempts {
        0 => "not tried".to_owned(),
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let kind = match listed.kind {
        FailureKind::Retry => "passing",
        FailureKind::Denied => "denied",
        FailureKind::Permanent => "permanent",
        FailureKind::Local => "local",
        FailureKind::Absent => "absent",
        FailureKind::Refused => "refused",
    };
    let cause: Vec<_> = listed.cause.split_whitespace().collect();
    format!(
        "{}/{}  {kind}, {tries}, {}: {}\n",
        listed.subdir,
        listed.file,
        ago(now_ms, listed.failed_ms),
        cause.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_its_cause_holds() {
        let listed = Listed {
            subdir: "linux-64",
            file: "a-1-0.conda",
            kind: FailureKind::Permanent,
            cause: "no conda archive:\n  cut off",
            attempts: 1,
            failed_ms: 1_000,
            due_ms: 0,
        };
        assert_eq!(
            line(&listed, 7_261_000),
            "linux-64/a-1-0.conda  permanent, 1 try, 2h 1m ago: no conda archive: cut off\n"
        );
    }
}

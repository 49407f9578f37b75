//! Takes settled tasks out of the window, and says of each file what became of it.

use mirror_ledger::{FileOutcome, Recorded, Wanted};
use mirror_queue::{Action, Task, TaskFile};

use super::follow::{Follow, Open};
use crate::report::{Entry, OutsideIndex, Verdict};
use crate::summary::SubdirSummary;

impl Follow<'_> {
    /// Takes the tasks with all their outcomes out of the window, and says how many those were.
    pub(super) async fn collect(&mut self, summary: &mut SubdirSummary) -> anyhow::Result<usize> {
        let Some(any) = self.window.values().next() else {
            return Ok(0);
        };
        let subdir = any.planned.task.subdir.clone();
        let (mut names, mut stretches) = (Vec::new(), Vec::with_capacity(self.window.len()));
        for (stem, open) in &self.window {
            let first = names.len();
            names.extend(awaited(&open.planned.task).map(|file| file.file.clone()));
            stretches.push((stem.clone(), first..names.len()));
        }
        let recorded = self.run.ledger.get_many(&subdir, &names).await?;
        let mut count = 0;
        for (stem, stretch) in stretches {
            let recorded = &recorded[stretch];
            let settled = |open: &Open| {
                let task = &open.planned.task;
                awaited(task)
                    .zip(recorded)
                    .all(|(file, recorded)| settles(task, file, recorded.as_ref(), self.plan))
            };
            if !self.window.get(&stem).is_some_and(settled) {
                continue;
            }
            let Some(Open { planned, .. }) = self.window.remove(&stem) else {
                continue;
            };
            count += 1;
            for file in &planned.task.files {
                if file.action == Action::Keep {
                    let mut entry = Entry::new(&subdir, &file.file, Verdict::Held);
                    entry.bytes = file.size;
                    entry.outside_index = outside(&planned.yanked, file);
                    self.run.report.add(&entry);
                }
            }
            for (file, recorded) in awaited(&planned.task).zip(recorded) {
                let outcome = recorded.as_ref().map(|recorded| &recorded.outcome);
                self.settled(
                    &subdir,
                    file,
                    outside(&planned.yanked, file),
                    outcome,
                    summary,
                );
            }
        }
        Ok(count)
    }

    /// Reports what was queued and has no outcome, for a run that stops here.
    pub(crate) fn report_pending(&self) {
        for Open { planned, .. } in self.window.values() {
            let task = &planned.task;
            for file in &task.files {
                if file.action == Action::Transfer {
                    let mut entry = Entry::new(&task.subdir, &file.file, Verdict::Pending);
                    entry.bytes = file.size;
                    self.run.report.add(&entry);
                }
            }
        }
    }

    fn settled(
        &mut self,
        subdir: &str,
        file: &TaskFile,
        outside: Option<OutsideIndex>,
        outcome: Option<&FileOutcome>,
        summary: &mut SubdirSummary,
    ) {
        let (progress, report) = (&self.run.progress, &self.run.report);
        match outcome {
            Some(FileOutcome::Done { sha256, size, .. }) => {
                let mut entry = Entry::new(subdir, &file.file, Verdict::Done);
                (entry.bytes, entry.sha256) = (Some(*size), Some(hex(sha256)));
                entry.outside_index = outside;
                report.add(&entry);
                summary.outside_index += u64::from(outside.is_some());
                if self.run.options.memory.is_shared() {
                    self.watch.takes_in(&file.file);
                }
                if file.action == Action::Transfer {
                    summary.done += 1;
                    summary.done_bytes += size;
                    progress.settle(*size, false);
                } else {
                    summary.found += 1;
                }
            }
            Some(FileOutcome::Failed(failure)) => {
                let verdict = if file.action == Action::Check {
                    Verdict::NotHeld
                } else {
                    Verdict::Failed
                };
                let mut entry =
                    Entry::left_out(subdir, &file.file, verdict, failure.cause.as_str());
                (entry.attempts, entry.bytes) = (Some(failure.attempts), file.size);
                report.add(&entry);
                if file.action == Action::Check {
                    summary.not_held += 1;
                } else {
                    summary.failed += 1;
                    progress.settle(file.size.unwrap_or(0), true);
                    let due = failure.due_at_ms();
                    self.retry_due_ms =
                        Some(self.retry_due_ms.map_or(due, |earliest| earliest.min(due)));
                }
            }
            None => {}
        }
    }
}

/// The files of a task that outcomes are expected of.
fn awaited(task: &Task) -> impl Iterator<Item = &TaskFile> {
    let files = task.files.iter();
    files.filter(|file| file.action != Action::Keep)
}

fn settles(task: &Task, file: &TaskFile, recorded: Option<&Recorded>, plan: u64) -> bool {
    let wanted = Wanted {
        sha256: file.sha256,
        md5: file.md5,
        size: file.size,
    };
    recorded.is_some_and(|recorded| recorded.settles(plan, &wanted, task.probe))
}

fn outside(yanked: &[String], file: &TaskFile) -> Option<OutsideIndex> {
    yanked.contains(&file.file).then_some(OutsideIndex::Yanked)
}

fn hex(sha256: &[u8; 32]) -> String {
    sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

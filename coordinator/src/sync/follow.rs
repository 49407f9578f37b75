//! Keeps a window of a plan's tasks in the queue and waits for their outcomes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_ledger::{FileOutcome, Recorded, Wanted};
use mirror_queue::{Action, TaskFile};

use super::tags::Tags;
use crate::plan::{Plan, Planned, Template};
use crate::report::{Entry, OutsideIndex, Verdict};
use crate::run::Run;
use crate::summary::SubdirSummary;

/// Tasks of one subdir that are queued or worked on at once. Enough that no worker waits for the
/// next look at the ledger.
pub(crate) const WINDOW: usize = 512;
/// Builds whose records are read together.
const CHUNK: usize = 64;
/// Repositories that are asked for their tags at once, ahead of the window.
const AHEAD: usize = 16;
/// How often the ledger is asked.
const POLL: Duration = Duration::from_millis(25);

/// How following a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// Every build has an outcome.
    Complete,
    /// A stop was asked for.
    Interrupted,
    /// It is time to publish what is held; call again to go on.
    TimeToPublish,
}

/// The way of one plan through the queue.
pub(crate) struct Follow<'a> {
    run: &'a Run,
    tasks: stream::BoxStream<'a, anyhow::Result<Planned>>,
    exhausted: bool,
    window: HashMap<String, Planned>,
    plan: u64,
    /// When the earliest failure of this run is due for another try.
    pub retry_due_ms: Option<u64>,
}

impl<'a> Follow<'a> {
    /// Follows `plan`. With `tags`, each task's probe is decided by whether its tag exists.
    pub(crate) fn new(
        run: &'a Run,
        plan: Arc<Plan>,
        template: Arc<Template>,
        tags: Option<Tags<'a>>,
    ) -> Self {
        let number = plan.number;
        let chunks: Vec<_> = (0..plan.work.len()).step_by(CHUNK).collect();
        let tags = tags.map(Arc::new);
        let tasks = stream::iter(chunks)
            .then(move |start| {
                let (plan, template) = (Arc::clone(&plan), Arc::clone(&template));
                async move {
                    let end = (start + CHUNK).min(plan.work.len());
                    let made = tokio::task::spawn_blocking(move || {
                        plan.tasks(&plan.work[start..end], &template)
                    });
                    anyhow::Ok(stream::iter(made.await??.into_iter().map(anyhow::Ok)))
                }
            })
            .try_flatten()
            .map(move |planned| {
                let tags = tags.clone();
                async move {
                    let mut planned: Planned = planned?;
                    let task = &mut planned.task;
                    if let Some(tags) = tags {
                        // A file to keep is kept by its layer, which has to be read.
                        let keeps = task.files.iter().any(|file| file.action == Action::Keep);
                        task.probe = keeps || tags.may_have(task).await;
                    }
                    anyhow::Ok(planned)
                }
            })
            .buffered(AHEAD)
            .boxed();
        Self {
            run,
            tasks,
            exhausted: false,
            window: HashMap::new(),
            plan: number,
            retry_due_ms: None,
        }
    }

    /// Goes on until something is to be decided.
    ///
    /// # Errors
    /// When a record cannot be read, or the queue or the ledger fails.
    pub(crate) async fn next(
        &mut self,
        until: tokio::time::Instant,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Followed> {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.exhausted && self.window.is_empty() {
                return Ok(Followed::Complete);
            }
            tokio::select! {
                biased;
                () = self.run.shutdown.requested() => {
                    self.collect_the_last(summary).await?;
                    return Ok(Followed::Interrupted);
                }
                _ = poll.tick() => self.collect(summary).await?,
                planned = self.tasks.next(), if !self.exhausted && self.window.len() < WINDOW => match planned {
                    None => self.exhausted = true,
                    Some(planned) => {
                        let planned = planned?;
                        self.run.queue.publish(planned.task.clone()).await?;
                        mirror_runtime::fail_point::hit("while-queueing").await;
                        self.window.insert(planned.task.stem(), planned);
                    }
                },
                // Last: however often it is time to publish, there must be something to publish.
                () = tokio::time::sleep_until(until) => return Ok(Followed::TimeToPublish),
            }
        }
    }

    /// Takes in what the worker still brings to an end before it stops: what is done must not be reported as pending.
    async fn collect_the_last(&mut self, summary: &mut SubdirSummary) -> anyhow::Result<()> {
        loop {
            // Before the outcomes: what is settled between the two looks is collected.
            let working = self.run.queue.depth().await?.unacknowledged;
            self.collect(summary).await?;
            if working == 0 || self.window.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes the tasks with all their outcomes out of the window.
    async fn collect(&mut self, summary: &mut SubdirSummary) -> anyhow::Result<()> {
        let open: Vec<(String, TaskFile)> = self
            .window
            .iter()
            .flat_map(|(stem, open)| {
                open.task
                    .files
                    .iter()
                    .map(|file| (stem.clone(), file.clone()))
            })
            .filter(|(_, file)| file.action != Action::Keep)
            .collect();
        let Some(subdir) = self
            .window
            .values()
            .next()
            .map(|open| open.task.subdir.clone())
        else {
            return Ok(());
        };
        let names: Vec<String> = open.iter().map(|(_, file)| file.file.clone()).collect();
        let recorded = self.run.ledger.get_many(&subdir, &names).await?;
        let mut outcomes: HashMap<String, Vec<(TaskFile, Option<Recorded>)>> = HashMap::new();
        for ((stem, file), recorded) in open.into_iter().zip(recorded) {
            outcomes.entry(stem).or_default().push((file, recorded));
        }
        for (stem, files) in outcomes {
            let probe = self.window.get(&stem).is_some_and(|open| open.task.probe);
            let settled = files.iter().all(|(file, recorded)| {
                let wanted = Wanted {
                    sha256: file.sha256,
                    md5: file.md5,
                    size: file.size,
                };
                recorded
                    .as_ref()
                    .is_some_and(|recorded| recorded.settles(self.plan, &wanted, probe))
            });
            if settled {
                let Some(Planned { task, yanked }) = self.window.remove(&stem) else {
                    continue;
                };
                for file in &task.files {
                    if file.action == Action::Keep {
                        let mut entry = Entry::new(&subdir, &file.file, Verdict::Held);
                        entry.bytes = file.size;
                        entry.outside_index = outside(&yanked, file);
                        self.run.report.add(&entry);
                    }
                }
                for (file, recorded) in files {
                    let outcome = recorded.as_ref().map(|recorded| &recorded.outcome);
                    self.settled(&subdir, &file, outside(&yanked, &file), outcome, summary);
                }
            }
        }
        Ok(())
    }

    /// Reports what was queued and has no outcome, for a run that stops here.
    pub(crate) fn report_pending(&self) {
        for Planned { task, .. } in self.window.values() {
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

fn outside(yanked: &[String], file: &TaskFile) -> Option<OutsideIndex> {
    yanked.contains(&file.file).then_some(OutsideIndex::Yanked)
}

fn hex(sha256: &[u8; 32]) -> String {
    sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

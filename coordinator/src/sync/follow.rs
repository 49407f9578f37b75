//! Keeps a window of a plan's tasks in the queue and waits for their outcomes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mirror_queue::{Action, Task};
use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::traced;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::spans::Traces;
use super::tags::Tags;
use super::watch::{self, Watch};
use crate::plan::{Plan, Planned, Template};
use crate::run::Run;
use crate::summary::SubdirSummary;
use crate::witness::Witness;

/// Tasks of one subdir that are queued or worked on at once. Enough that no worker waits for the
/// next look at the ledger.
pub(crate) const WINDOW: usize = 512;
/// Builds whose records are read together.
const CHUNK: usize = 64;
/// Builds whose tags are looked for ahead of the window: those of several repositories, as a repository has some hundred
/// builds at the most and its answer may take half a second.
const AHEAD: usize = 256;
/// Between two looks at the ledger: while tasks settle and few are left, at the least …
const SOON: Duration = Duration::from_millis(10);
/// … while the window is so full that no worker waits for its next task, …
const LATER: Duration = Duration::from_millis(100);
/// … and while nothing settles, at the most.
const LATEST: Duration = Duration::from_millis(200);

/// How long to wait for the next look at the ledger, after one that found `settled` of the tasks settled and left
/// `open`; `last` is how long it was waited for that one.
fn pause(open: usize, settled: usize, last: Duration) -> Duration {
    match settled {
        0 => (last * 2).min(LATEST),
        _ if open >= WINDOW / 2 => LATER,
        _ => SOON,
    }
}

/// How following a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// Every build has an outcome.
    Complete,
    /// A stop was asked for.
    Interrupted,
    /// A user cancelled the plan.
    Cancelled,
    /// The ledger is not the one the plan was made with: it lost what it knew.
    LedgerLost,
    /// It is time to publish what is held, and there may be more than is published; say so if it was
    /// ([`Follow::published`]), and call again to go on.
    TimeToPublish,
}

/// All tasks of a plan, made when their turn comes.
pub(super) fn tasks(
    plan: Arc<Plan>,
    template: Arc<Template>,
) -> impl Stream<Item = anyhow::Result<Planned>> + Send {
    let chunks: Vec<_> = (0..plan.work.len()).step_by(CHUNK).collect();
    stream::iter(chunks)
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
}

/// Looks whether the tag of a planned build may exist. In a task of its own: while the run publishes nobody asks for the
/// next build, and what is asked half-way may hold what the publication needs, as the turn in a host's budget.
fn look_for(tags: Arc<Tags>, planned: &anyhow::Result<Planned>) -> AbortOnDropHandle<bool> {
    let task = planned.as_ref().ok().map(|planned| planned.task.clone());
    let looking = async move {
        let Some(task) = task else {
            return false;
        };
        // A file to keep is kept by its layer, which has to be read.
        let keeps = task.files.iter().any(|file| file.action == Action::Keep);
        keeps || tags.may_have(&task).await
    };
    AbortOnDropHandle::new(tokio::spawn(looking.in_current_span()))
}

/// A build that is queued.
pub(super) struct Open {
    pub planned: Planned,
    /// When it was queued last.
    pub queued: Instant,
    /// How long it may stay unheard of while the queue has something to deliver.
    pub patience: Duration,
}

impl Open {
    fn new(planned: Planned) -> Self {
        Self {
            planned,
            queued: Instant::now(),
            patience: watch::UNHEARD_OF,
        }
    }
}

/// The way of one plan through the queue.
pub(crate) struct Follow<'a> {
    pub(super) run: &'a Run,
    tasks: stream::BoxStream<'a, anyhow::Result<Planned>>,
    exhausted: bool,
    /// By `name-version-build`.
    pub(super) window: HashMap<String, Open>,
    pub(super) plan: u64,
    /// When the earliest failure of this run is due for another try.
    pub(super) retry_due_ms: Option<u64>,
    /// Whether something may be held that is not published: from before this run, or settled since the last publication.
    news: bool,
    pub(super) subdir: &'a str,
    traces: Traces,
    /// Builds without an outcome.
    left: u64,
    pub(super) watch: Watch,
    /// Whether the queue had room when it was first looked at: an earlier run may have left a window in it, or more.
    pub(super) has_room: bool,
}

impl<'a> Follow<'a> {
    /// Follows `plan`, which was made for a subdir with the ledger that `witness` saw. With `tags`, each task's probe is
    /// decided by whether its tag exists.
    pub(crate) fn new(
        run: &'a Run,
        plan: Arc<Plan>,
        template: Arc<Template>,
        tags: Option<Tags>,
        (subdir, witness): (&'a str, Arc<Witness>),
    ) -> Self {
        let (number, builds) = (plan.number, plan.work.len());
        let tags = tags.map(Arc::new);
        let tasks = tasks(plan, template)
            .map(move |planned| {
                let looking = tags.clone().map(|tags| look_for(tags, &planned));
                async move {
                    let mut planned: Planned = planned?;
                    if let Some(looking) = looking {
                        planned.task.probe = looking.await?;
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
            subdir,
            traces: Traces::of(builds),
            left: builds as u64,
            watch: Watch::new(witness),
            // What is in this process began empty.
            has_room: run.options.queue.is_none(),
            // An earlier run may have ended before it published.
            news: true,
        }
    }

    /// Goes on until something is to be decided.
    ///
    /// # Errors
    /// When a record cannot be read, or the queue or the ledger fails.
    pub(crate) async fn next(
        &mut self,
        until: Instant,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Followed> {
        let mut wait = SOON;
        let mut look = Instant::now() + wait;
        let mut watched = Instant::now();
        if self.has_room {
            watched += watch::LOOK;
        }
        loop {
            if self.exhausted && self.window.is_empty() {
                self.take_note_of_the_dead().await?;
                // What the metrics say last of a run that is complete.
                self.measure().await;
                if self.run.options.memory.is_shared() && !self.knows_all(self.subdir).await? {
                    return Ok(Followed::LedgerLost);
                }
                return Ok(Followed::Complete);
            }
            tokio::select! {
                biased;
                () = self.run.shutdown.requested() => {
                    self.collect_the_last(summary).await?;
                    return Ok(Followed::Interrupted);
                }
                () = sleep_until(look) => {
                    let settled = self.collect(summary).await?;
                    self.note(settled);
                    wait = pause(self.window.len(), settled, wait);
                    look = Instant::now() + wait;
                }
                planned = self.tasks.next(), if self.may_send() => match planned {
                    None => self.exhausted = true,
                    Some(planned) => {
                        let planned = planned?;
                        self.send(planned.task.clone()).await?;
                        mirror_runtime::fail_point::hit("while-queueing").await;
                        self.window.insert(planned.task.stem(), Open::new(planned));
                    }
                },
                () = sleep_until(watched) => {
                    watched = Instant::now() + watch::LOOK;
                    if let Some(ended) = self.look_after(self.subdir).await? {
                        return Ok(ended);
                    }
                }
                // Last, and only with news: publishing again and again must not keep from getting on.
                () = sleep_until(until), if self.news => return Ok(Followed::TimeToPublish),
            }
        }
    }

    fn may_send(&self) -> bool {
        self.has_room && !self.exhausted && self.window.len() < WINDOW
    }

    /// Queues a task. A broker that is away must not keep anybody from stopping.
    pub(super) async fn send(&self, task: Task) -> anyhow::Result<()> {
        let queue = &self.run.queue;
        let span = self.traces.send(&task, queue.system());
        let publishing = traced(span, queue.publish(task));
        Ok(self
            .run
            .unless_stopped(publishing)
            .await
            .transpose()
            .map(drop)?)
    }

    /// So many builds came to outcomes.
    fn note(&mut self, settled: usize) {
        if settled > 0 {
            self.news = true;
            self.left = self.left.saturating_sub(settled as u64);
            metrics().left(&self.run.channel.name, self.subdir, self.left);
        }
    }

    /// What was held when it was time to publish is published, or is not to be.
    pub(crate) fn published(&mut self) {
        self.news = false;
    }

    /// Takes in what the worker still brings to an end before it stops: what is done must not be reported as pending.
    async fn collect_the_last(&mut self, summary: &mut SubdirSummary) -> anyhow::Result<()> {
        if self.run.options.queue.is_some() {
            // Workers elsewhere do not stop with us.
            self.collect(summary).await?;
            return Ok(());
        }
        loop {
            // Before the outcomes: what is settled between the two looks is collected.
            let working = self.run.queue.depth().await?.unacknowledged;
            self.collect(summary).await?;
            if working == 0 || self.window.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(SOON).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_is_looked_at_less_often_and_one_where_nothing_settles_less_and_less() {
        assert_eq!(pause(WINDOW, 9, SOON), LATER);
        assert_eq!(pause(WINDOW / 2 - 1, 9, LATER), SOON);
        let mut waits = vec![SOON];
        while waits.len() < 8 {
            waits.push(pause(3, 0, waits[waits.len() - 1]));
        }
        assert!(waits.is_sorted() && waits[1] == SOON * 2 && waits[7] == LATEST);
        assert_eq!(pause(3, 1, LATEST), SOON);
    }
}

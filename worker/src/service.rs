//! The worker: slots that take tasks from the queue, one each, and settle every delivery.
//!
//! A delivery is acknowledged only when each of its files has an outcome in the ledger, or a copy of
//! it is in the queue. On shutdown, tasks in flight get a grace period and then go back uncounted.

use std::sync::Arc;
use std::time::Duration;

use mirror_channel::name::FileName;
use mirror_ledger::{self as ledger, Claim, FileOutcome, LedgerError, Settlement};
use mirror_oci::layout::{Place, SubdirLayout};
use mirror_oci::package::Wanted;
use mirror_queue::{Action, Delivery, QueueError, Task, backoff};
use mirror_runtime::{Disposed as _, Disposition, Shutdown, clock, fail_point};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::denials::Denials;
use crate::error::TransferError;
use crate::hold::Hold;
use crate::steps::wanted;
use crate::transfer::{Knowledge, Settled, Transfer};

/// Why a worker stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Outcomes cannot be kept, so nothing can be finished.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The queue is gone.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// One repository after the other is refused: it is the login, not the package.
    #[error(
        "the registry refused {repositories} repositories in a row, so the run was stopped; the last refusal: {last}"
    )]
    Refused {
        /// How many.
        repositories: usize,
        /// The last refusal.
        last: String,
    },
}

/// How a worker runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Tasks at once.
    pub slots: usize,
    /// How long tasks in flight may go on after a stop was asked for.
    pub grace: Duration,
}

/// A worker, ready to run.
#[derive(Debug)]
pub struct Worker {
    context: Arc<Context>,
    denials: Arc<Denials>,
}

impl Worker {
    /// A worker over `context`.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
            denials: Arc::default(),
        }
    }

    /// Works until a stop is asked for or the queue is closed.
    ///
    /// # Errors
    /// When the ledger or the queue fails, or the registry refuses one repository after the other;
    /// other slots are stopped then.
    pub async fn run(self, options: Options, shutdown: Shutdown) -> Result<(), WorkerError> {
        let stop = shutdown.child();
        let mut slots = JoinSet::new();
        for _ in 0..options.slots {
            let slot = Slot {
                context: Arc::clone(&self.context),
                denials: Arc::clone(&self.denials),
                grace: options.grace,
            };
            slots.spawn(slot.run(stop.clone()));
        }
        let mut result = Ok(());
        while let Some(ended) = slots.join_next().await {
            let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            if let Err(error) = ended {
                stop.request();
                result = result.and(Err(error));
            }
        }
        result
    }
}

struct Slot {
    context: Arc<Context>,
    denials: Arc<Denials>,
    grace: Duration,
}

/// A task whose names were checked.
struct Checked {
    place: Place,
    files: Vec<(Wanted, Action)>,
}

impl Checked {
    /// The outcomes of a build that failed as a whole.
    fn failed_by(&self, attempts: u32, error: &TransferError) -> Vec<(String, FileOutcome)> {
        let now = clock::now_ms();
        let open = self
            .files
            .iter()
            .filter(|(_, action)| *action != Action::Keep);
        open.map(|(wanted, _)| {
            let failure = error.failure(attempts, now, wanted.sha256);
            (
                wanted.file.as_str().to_owned(),
                FileOutcome::Failed(failure),
            )
        })
        .collect()
    }
}

impl Slot {
    async fn run(self, stop: Shutdown) -> Result<(), WorkerError> {
        loop {
            let delivery = tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                delivery = self.context.queue.receive() => match delivery {
                    Ok(delivery) => delivery,
                    Err(QueueError::Closed) => return Ok(()),
                    Err(error) => return Err(error.into()),
                },
            };
            self.handle(delivery, &stop).await?;
        }
    }

    async fn handle(&self, delivery: Delivery, stop: &Shutdown) -> Result<(), WorkerError> {
        let task = delivery.task.clone();
        let stem = task.stem();
        let Some(checked) = self.check(&task) else {
            tracing::error!(
                build = stem,
                "task with names that have no place in a registry; dropped"
            );
            return Ok(delivery.ack().await?);
        };
        if self.is_settled(&task, &checked).await? {
            return Ok(delivery.ack().await?);
        }
        let hold = match Hold::claim(&self.context, &task).await? {
            Claim::Busy { .. } => return Ok(delivery.retry(task, Hold::TTL / 2).await?),
            Claim::Superseded { .. } => return Ok(delivery.ack().await?),
            Claim::Granted {
                attempt,
                interrupted,
            } => Hold::new(&self.context, &task, attempt.max(task.attempt), interrupted),
        };
        if hold.attempt > self.context.attempts {
            let attempts = hold.attempt - 1;
            tracing::warn!(build = stem, attempts, "given up: its workers died");
            let error = TransferError::Poison {
                build: stem,
                attempts,
            };
            let outcomes = checked.failed_by(attempts, &error);
            return self.finish(delivery, hold, outcomes, None).await;
        }
        let knowledge = Knowledge {
            probe: task.probe || delivery.redelivered || hold.interrupted || hold.attempt > 1,
            interrupted: delivery.redelivered || hold.interrupted || hold.attempt > 1,
        };
        let transfer = Transfer {
            context: &self.context,
            task: &task,
            place: &checked.place,
            files: &checked.files,
            knowledge,
        };
        let ended = tokio::select! {
            ended = transfer.run(&hold) => ended,
            error = hold.keep_alive() => return Err(error.into()),
            () = self.out_of_time(stop) => {
                hold.release(false).await?;
                return Ok(delivery.give_back().await?);
            }
        };
        match ended {
            Ok(Some(settled)) => self.settle(delivery, hold, &checked, settled).await,
            Ok(None) => Ok(delivery.ack().await?),
            Err(error) => self.postpone_or_fail(delivery, hold, &checked, error).await,
        }
    }

    async fn out_of_time(&self, stop: &Shutdown) {
        stop.requested().await;
        tokio::time::sleep(self.grace).await;
    }

    fn check(&self, task: &Task) -> Option<Checked> {
        let host = self.context.destination.host();
        let layout =
            SubdirLayout::new(host, &self.context.namespace, &task.channel, &task.subdir).ok()?;
        let files: Option<Vec<_>> = task
            .files
            .iter()
            .map(|file| Some((wanted(file)?, file.action)))
            .collect();
        let files = files?;
        let same_build = files
            .iter()
            .all(|(wanted, _)| wanted.file.stem() == task.stem());
        let first: &FileName = &files.first()?.0.file;
        let place = layout.package(first).ok()?;
        same_build.then_some(Checked { place, files })
    }

    /// Whether every file to transfer has an outcome that settles this task.
    async fn is_settled(&self, task: &Task, checked: &Checked) -> Result<bool, WorkerError> {
        let open: Vec<&Wanted> = checked
            .files
            .iter()
            .filter(|(_, action)| *action != Action::Keep)
            .map(|(wanted, _)| wanted)
            .collect();
        let names: Vec<String> = open
            .iter()
            .map(|wanted| wanted.file.as_str().to_owned())
            .collect();
        let recorded = self.context.outcomes.get_many(&task.subdir, &names).await?;
        Ok(open.iter().zip(&recorded).all(|(wanted, recorded)| {
            recorded.as_ref().is_some_and(|recorded| {
                let wanted = ledger::Wanted {
                    sha256: wanted.sha256,
                    md5: wanted.md5,
                    size: wanted.size,
                };
                recorded.settles(task.plan, &wanted, task.probe)
            })
        }))
    }

    /// Records what there is to record; files that may still come go back to the queue.
    async fn settle(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        checked: &Checked,
        settled: Settled,
    ) -> Result<(), WorkerError> {
        let last_try = hold.attempt >= self.context.attempts;
        let now = clock::now_ms();
        let mut outcomes = settled.done;
        if !outcomes.is_empty() {
            self.denials.success();
        }
        let mut again = None;
        for (wanted, error) in settled.failed {
            let file = wanted.file.as_str().to_owned();
            self.note_denial(checked, &error)?;
            if error.is_transient() && !last_try {
                again_later(&file, &error, hold.attempt);
                again = Some(backoff::delay(hold.attempt));
                continue;
            }
            tracing::warn!(file, %error, attempts = hold.attempt, "failed");
            outcomes.push((
                file,
                FileOutcome::Failed(error.failure(hold.attempt, now, wanted.sha256)),
            ));
        }
        self.finish(delivery, hold, outcomes, again).await
    }

    /// The task as a whole met `error`: its files share its fate.
    async fn postpone_or_fail(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        checked: &Checked,
        error: TransferError,
    ) -> Result<(), WorkerError> {
        match error.disposition() {
            Disposition::Throttled { until } => {
                hold.release(false).await?;
                let mut task = delivery.task.clone();
                // Some of it may be there already.
                task.probe = true;
                Ok(delivery.retry(task, clock::until(until)).await?)
            }
            Disposition::Cancelled => {
                hold.release(false).await?;
                Ok(delivery.give_back().await?)
            }
            Disposition::Retry if hold.attempt < self.context.attempts => {
                again_later(&delivery.task.stem(), &error, hold.attempt);
                let delay = backoff::delay(hold.attempt);
                self.finish(delivery, hold, Vec::new(), Some(delay)).await
            }
            _ => {
                self.note_denial(checked, &error)?;
                tracing::warn!(build = delivery.task.stem(), %error, attempts = hold.attempt, "failed");
                let outcomes = checked.failed_by(hold.attempt, &error);
                self.finish(delivery, hold, outcomes, None).await
            }
        }
    }

    /// Counts a refusal by the destination; an error when it is one too many. What a channel
    /// refuses says nothing about the login at the destination.
    fn note_denial(&self, checked: &Checked, error: &TransferError) -> Result<(), WorkerError> {
        let refused = matches!(error, TransferError::Destination(_))
            && error.disposition() == Disposition::Denied;
        match refused.then(|| self.denials.denied(&checked.place.repository, error)) {
            Some(Some(enough)) => Err(enough),
            _ => Ok(()),
        }
    }

    async fn finish(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        outcomes: Vec<(String, FileOutcome)>,
        again: Option<Duration>,
    ) -> Result<(), WorkerError> {
        let mut task = delivery.task.clone();
        let attempt = hold.attempt;
        if outcomes.is_empty() {
            hold.release(true).await?;
        } else {
            let settlement = Settlement {
                subdir: task.subdir.clone(),
                stem: task.stem(),
                worker: self.context.name.clone(),
                plan: task.plan,
                files: outcomes,
                finished: again.is_none(),
            };
            match self.context.outcomes.settle(settlement).await? {
                ledger::Settled::Accepted => {}
                ledger::Settled::Superseded { by } => {
                    // Our manifest may have replaced that of a newer plan: somebody must look again,
                    // under a number that the newer outcome does not settle.
                    tracing::info!(
                        build = task.stem(),
                        by,
                        "a newer plan took over; the build is queued again with a probe"
                    );
                    task.plan = by + 1;
                    task.probe = true;
                    task.attempt = 1;
                    return Ok(delivery.retry(task, Duration::ZERO).await?);
                }
            }
        }
        fail_point::hit("before-ack").await;
        match again {
            None => Ok(delivery.ack().await?),
            Some(delay) => {
                task.attempt = attempt + 1;
                task.probe = true;
                Ok(delivery.retry(task, delay).await?)
            }
        }
    }
}

/// Says that a try failed: the first one for those who look closely, later ones for everybody, because
/// the pauses between them grow to minutes.
fn again_later(what: &str, error: &TransferError, attempt: u32) {
    let seconds = backoff::level(attempt).as_secs();
    if attempt == 1 {
        tracing::info!(what, %error, seconds, "failed, will be tried again");
    } else {
        tracing::warn!(what, %error, attempt, seconds, "failed again, will be tried again");
    }
}

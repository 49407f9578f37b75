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
use crate::steps::{needs_probe, wanted};
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
        let open = self
            .files
            .iter()
            .filter(|(_, action)| *action != Action::Keep);
        open.map(|(wanted, _)| failed(wanted.file.as_str(), wanted.sha256, attempts, error))
            .collect()
    }
}

/// The outcome of a file that `error` ended.
fn failed(
    file: &str,
    wanted: Option<[u8; 32]>,
    attempts: u32,
    error: &TransferError,
) -> (String, FileOutcome) {
    let failure = error.failure(attempts, clock::now_ms(), wanted);
    (file.to_owned(), FileOutcome::Failed(failure))
}

/// What becomes of a delivery whose outcomes are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing is left to do.
    Acknowledge,
    /// What is left is tried again after a while; this try counts.
    TryAgain(Duration),
    /// What is left is tried when the host wants to; this try does not count.
    Wait(Duration),
    /// What is left is another worker's; this try does not count.
    GiveBack,
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
            return self.refuse(delivery).await;
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
            return self
                .finish(delivery, hold, outcomes, Then::Acknowledge)
                .await;
        }
        let interrupted = delivery.redelivered || hold.interrupted || hold.attempt > 1;
        let knowledge = Knowledge {
            probe: task.probe || interrupted || needs_probe(&checked.files),
            interrupted,
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
            Some(settled) => self.settle(delivery, hold, &checked, settled).await,
            None => Ok(delivery.ack().await?),
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

    /// A task that cannot be worked on: its files fail for good, so that nobody waits for them.
    async fn refuse(&self, delivery: Delivery) -> Result<(), WorkerError> {
        let task = &delivery.task;
        let error = TransferError::NoPlace { build: task.stem() };
        tracing::error!(%error, "dropped");
        let open = task.files.iter().filter(|file| file.action != Action::Keep);
        let outcomes = open
            .map(|file| failed(&file.file, file.sha256, task.attempt, &error))
            .collect();
        self.context
            .outcomes
            .adopt(&task.subdir, task.plan, outcomes)
            .await?;
        Ok(delivery.ack().await?)
    }

    /// Records what there is to record; files that may still come go back to the queue.
    async fn settle(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        checked: &Checked,
        settled: Settled,
    ) -> Result<(), WorkerError> {
        let Settled {
            done: mut outcomes,
            failed: met,
            stopped,
        } = settled;
        let last_try = hold.attempt >= self.context.attempts;
        // Files that were merely found say nothing of a login whose manifest was refused.
        if !outcomes.is_empty() && stopped.is_none() {
            self.denials.success();
        }
        let mut then = Then::Acknowledge;
        for (wanted, error) in met {
            let file = wanted.file.as_str();
            self.note_denial(checked, &error)?;
            if error.is_transient() && !last_try {
                // What stopped the task says what becomes of its other files.
                if stopped.is_none() {
                    again_later(file, &error, hold.attempt);
                    then = Then::TryAgain(backoff::delay(hold.attempt));
                }
                continue;
            }
            tracing::warn!(file, %error, attempts = hold.attempt, "failed");
            outcomes.push(failed(file, wanted.sha256, hold.attempt, &error));
        }
        if let Some(error) = stopped {
            then = self.after_stop(&delivery.task, hold.attempt, &error);
            if then == Then::Acknowledge {
                self.note_denial(checked, &error)?;
                tracing::warn!(build = delivery.task.stem(), %error, attempts = hold.attempt, "failed");
                let mut others = checked.failed_by(hold.attempt, &error);
                others.retain(|(file, _)| outcomes.iter().all(|(known, _)| known != file));
                outcomes.append(&mut others);
            }
        }
        self.finish(delivery, hold, outcomes, then).await
    }

    /// The task as a whole met `error`: whether and when what is left of it is tried again.
    fn after_stop(&self, task: &Task, attempt: u32, error: &TransferError) -> Then {
        match error.disposition() {
            Disposition::Throttled { until } => Then::Wait(clock::until(until)),
            Disposition::Cancelled => Then::GiveBack,
            Disposition::Retry if attempt < self.context.attempts => {
                again_later(&task.stem(), error, attempt);
                Then::TryAgain(backoff::delay(attempt))
            }
            _ => Then::Acknowledge,
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
        then: Then,
    ) -> Result<(), WorkerError> {
        let mut task = delivery.task.clone();
        let attempt = hold.attempt;
        let counted = matches!(then, Then::Acknowledge | Then::TryAgain(_));
        if outcomes.is_empty() {
            hold.release(counted).await?;
        } else {
            let settlement = Settlement {
                subdir: task.subdir.clone(),
                stem: task.stem(),
                worker: self.context.name.clone(),
                plan: task.plan,
                files: outcomes,
                finished: then == Then::Acknowledge,
                counted,
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
        // Some of it may be there already.
        task.probe = true;
        match then {
            Then::Acknowledge => Ok(delivery.ack().await?),
            Then::TryAgain(delay) => {
                task.attempt = attempt + 1;
                Ok(delivery.retry(task, delay).await?)
            }
            Then::Wait(delay) => Ok(delivery.retry(task, delay).await?),
            Then::GiveBack => Ok(delivery.give_back().await?),
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

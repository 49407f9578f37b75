//! What becomes of a delivery after its transfer: outcomes, another try, or back to the queue.

use std::time::Duration;

use mirror_ledger::{self as ledger, FileOutcome, Settlement};
use mirror_queue::{Action, Delivery, Task, backoff};
use mirror_runtime::{Disposed as _, Disposition, clock, fail_point};
use tokio::time::Instant;

use crate::error::TransferError;
use crate::hold::Hold;
use crate::service::WorkerError;
use crate::slot::{Checked, Slot};
use crate::transfer::Settled;

/// The outcome of a file that `error` ended.
pub(crate) fn failed(
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
pub(crate) enum Then {
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
    /// A task that cannot be worked on: its files fail for good, so that nobody waits for them.
    pub(crate) async fn refuse(&self, delivery: Delivery) -> Result<(), WorkerError> {
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
    pub(crate) async fn settle(
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
        // Files that were merely found say nothing of a login whose manifest was refused.
        if !outcomes.is_empty() && stopped.is_none() {
            self.denials.success();
        }
        let mut then = Then::Acknowledge;
        let wall = {
            let errors = met.iter().map(|(_, error)| error).chain(&stopped);
            self.denials
                .note(&checked.place.repository, errors, Instant::now())
        };
        for (wanted, error) in met {
            let file = wanted.file.as_str();
            let last_try = hold.attempt >= error.tries(self.context.attempts);
            if error.is_transient() && !last_try {
                // What stopped the task says what becomes of its other files.
                if stopped.is_none() {
                    again_later(file, &error, hold.attempt);
                    then = Then::TryAgain(backoff::delay(hold.attempt));
                }
                continue;
            }
            tracing::error!(file, %error, attempts = hold.attempt, "failed");
            outcomes.push(failed(file, wanted.sha256, hold.attempt, &error));
        }
        if let Some(error) = stopped {
            then = self.after_stop(&delivery.task, hold.attempt, &error);
            if then == Then::Acknowledge {
                tracing::error!(build = delivery.task.stem(), %error, attempts = hold.attempt, "failed");
                let mut others = checked.failed_by(hold.attempt, &error);
                others.retain(|(file, _)| outcomes.iter().all(|(known, _)| known != file));
                outcomes.append(&mut others);
            }
        }
        // What was done is kept, whatever stops the run.
        self.finish(delivery, hold, outcomes, then).await?;
        wall.map_or(Ok(()), Err)
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

    pub(crate) async fn finish(
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

//! What becomes of a delivery after its transfer: outcomes, another try, or back to the queue.

use std::time::Duration;

use mirror_ledger::{self as ledger, FileOutcome, Settlement};
use mirror_queue::{Action, Delivery, QueueError, Task, backoff};
use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::{Step, step};
use mirror_runtime::{Disposed as _, Disposition, clock, fail_point};
use tokio::time::Instant;
use tracing::Span;

use crate::denials::Denials;
use crate::error::TransferError;
use crate::hold::Hold;
use crate::mirrors::Memory;
use crate::overtaken::look_again;
use crate::service::WorkerError;
use crate::slot::{Checked, Slot};
use crate::spans;
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

/// A delivery is delivered again if the queue did not hear how it was settled, because their connection broke. Its
/// outcomes settle it then: no reason to stop.
pub(crate) fn or_again(settled: Result<(), QueueError>) -> Result<(), WorkerError> {
    match settled {
        Err(error) if error.is_transient() => {
            tracing::info!(%error, "a task was not settled, and comes again");
            Ok(())
        }
        settled => Ok(settled?),
    }
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

impl Then {
    /// As a label.
    fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::TryAgain(_) => "retry",
            Self::Wait(_) => "wait",
            Self::GiveBack => "give_back",
        }
    }
}

/// Counts the outcomes that the ledger has taken.
fn count(subdir: &str, files: &[(String, FileOutcome)]) {
    for (_, outcome) in files {
        match outcome {
            FileOutcome::Done { size, .. } => metrics().file(true, subdir, Some(*size)),
            FileOutcome::Failed(_) => metrics().file(false, subdir, None),
        }
    }
}

impl Slot {
    /// A task that cannot be worked on: its files fail for good, so that nobody waits for them.
    pub(crate) async fn refuse(
        &self,
        delivery: Delivery,
        memory: &Memory,
        error: &TransferError,
    ) -> Result<(), WorkerError> {
        let task = &delivery.task;
        tracing::error!(build = task.stem(), %error, "dropped");
        let open = task.files.iter().filter(|file| file.action != Action::Keep);
        let outcomes = open
            .map(|file| failed(&file.file, file.sha256, task.attempt, error))
            .collect();
        memory
            .outcomes
            .adopt(&task.subdir, task.plan, outcomes)
            .await?;
        or_again(delivery.ack().await)
    }

    /// A task that this worker is not set up to do is for others. When as many passed it on as there are tries, there is
    /// nobody who could do it.
    pub(crate) async fn pass_on(
        &self,
        delivery: Delivery,
        memory: &Memory,
        why: String,
    ) -> Result<(), WorkerError> {
        let mut task = delivery.task.clone();
        task.passed_on = task.passed_on.saturating_add(1);
        if task.passed_on >= self.context.attempts {
            let build = task.stem();
            let error = TransferError::NotServed { build, why };
            return self.refuse(delivery, memory, &error).await;
        }
        self.rest.passed_on(&why);
        let delay = backoff::delay(task.passed_on);
        or_again(delivery.retry(task, delay).await)
    }

    /// Records what there is to record; files that may still come go back to the queue.
    pub(crate) async fn settle(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        memory: &Memory,
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
            self.denials.success(&checked.host);
        }
        let mut then = Then::Acknowledge;
        let mut wall = {
            let errors = met.iter().map(|(_, error)| error).chain(&stopped);
            let at = (checked.host.as_str(), checked.place.repository.as_str());
            self.denials.note(at, errors, Instant::now())
        };
        if let Some(WorkerError::RefusedAtOnce { .. }) = wall
            && let Some(refused) = wall.take()
        {
            // Nothing of it got there: another worker begins anew.
            hold.release(false).await?;
            or_again(delivery.give_back().await)?;
            return Err(refused);
        }
        for (wanted, error) in met {
            let file = wanted.file.as_str();
            let last_try = hold.attempt >= error.tries(self.context.attempts);
            if error.is_transient() && !last_try {
                // What stopped the task says what becomes of its other files.
                if stopped.is_none() {
                    again_later(&self.denials, file, &error, hold.attempt);
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
        self.finish(delivery, hold, memory, outcomes, then).await?;
        wall.map_or(Ok(()), Err)
    }

    /// The task as a whole met `error`: whether and when what is left of it is tried again.
    fn after_stop(&self, task: &Task, attempt: u32, error: &TransferError) -> Then {
        match error.disposition() {
            Disposition::Throttled { until } => Then::Wait(clock::until(until)),
            Disposition::Cancelled => Then::GiveBack,
            Disposition::Retry if attempt < self.context.attempts => {
                again_later(&self.denials, &task.stem(), error, attempt);
                Then::TryAgain(backoff::delay(attempt))
            }
            _ => Then::Acknowledge,
        }
    }

    pub(crate) async fn finish(
        &self,
        delivery: Delivery,
        hold: Hold<'_>,
        memory: &Memory,
        outcomes: Vec<(String, FileOutcome)>,
        then: Then,
    ) -> Result<(), WorkerError> {
        let mut task = delivery.task.clone();
        let (attempt, began) = (hold.attempt, hold.began);
        self.context
            .activity
            .settle(outcomes.iter().map(|(_, outcome)| outcome));
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
            let files = settlement.files.clone();
            let keeping = memory.outcomes.settle(settlement);
            let kept = step(Step::Outcome, spans::outcome(files.len()), keeping).await?;
            match kept {
                ledger::Settled::Accepted => count(&task.subdir, &files),
                ledger::Settled::Superseded { by } => {
                    // Our manifest may have replaced that of a newer plan: somebody must look again.
                    tracing::info!(
                        build = task.stem(),
                        by,
                        "a newer plan took over; the build is queued again with a probe"
                    );
                    let task = look_again(task, by);
                    return or_again(delivery.retry(task, Duration::ZERO).await);
                }
            }
        }
        metrics().task(began.elapsed(), then.name());
        Span::current().record("conda.settled", then.name());
        fail_point::hit("before-ack").await;
        // Some of it may be there already.
        task.probe = true;
        match then {
            Then::Acknowledge => or_again(delivery.ack().await),
            Then::TryAgain(delay) => {
                task.attempt = attempt + 1;
                or_again(delivery.retry(task, delay).await)
            }
            Then::Wait(delay) => {
                let delay = self.rest.parked_for(delay);
                or_again(delivery.retry(task, delay).await)
            }
            Then::GiveBack => or_again(delivery.give_back().await),
        }
    }
}

/// Says that a try failed: the first one for those who look closely, later ones for everybody, because
/// the pauses between them grow to minutes. Of a host that is gone it is said once for all.
fn again_later(denials: &Denials, what: &str, error: &TransferError, attempt: u32) {
    let seconds = backoff::level(attempt).as_secs();
    let unreached = error.unreached_host();
    if attempt == 1 || unreached.is_some() {
        tracing::info!(what, %error, attempt, seconds, "failed, will be tried again");
    } else {
        tracing::warn!(what, %error, attempt, seconds, "failed again, will be tried again");
    }
    if let Some(host) = unreached.filter(|_| attempt > 1) {
        denials.say_silent(&host, error);
    }
}

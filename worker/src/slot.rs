//! One slot: takes a task, checks and claims it, and has it transferred.

use std::sync::Arc;
use std::time::Duration;

use mirror_channel::name::FileName;
use mirror_ledger::{self as ledger, Claim, FileOutcome};
use mirror_oci::layout::{Place, SubdirLayout};
use mirror_oci::package::Wanted;
use mirror_queue::{Action, Delivery, QueueError, Task};
use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::traced;
use mirror_runtime::{Disposed as _, Shutdown};
use tokio::sync::Semaphore;
use tracing::Span;

use crate::context::Context;
use crate::denials::Denials;
use crate::error::TransferError;
use crate::hold::Hold;
use crate::mirrors::{End, Memory, NotServed};
use crate::overtaken::catch_up;
use crate::pull::Pull;
use crate::rest::Rest;
use crate::service::WorkerError;
use crate::settle::{Then, failed, or_again};
use crate::spans;
use crate::steps::{Asked, are_worth_a_look, needs_probe};
use crate::transfer::{Knowledge, Transfer};

/// Between two tries to hand a delivery over to a queue that does not answer.
const HAND_OVER_AGAIN: Duration = Duration::from_secs(30);

/// How long a task of a paused subdir rests before somebody asks again. No try is counted.
const PAUSED: Duration = Duration::from_secs(30);

/// From which try on a build of which workers died is a suspect: one dead worker says little, it had other builds too.
const SUSPECT: u32 = 3;

/// How long a suspect rests that finds another one at work.
const AFTER_ANOTHER: Duration = Duration::from_secs(5);

pub(crate) struct Slot {
    pub(crate) context: Arc<Context>,
    /// One suspect at a time in this process: if it kills that, no other one is killed with it until it is given up too.
    pub(crate) suspects: Arc<Semaphore>,
    pub(crate) denials: Arc<Denials>,
    pub(crate) rest: Arc<Rest>,
    pub(crate) grace: Duration,
}

/// A task whose names were checked.
pub(crate) struct Checked {
    /// The destination's `host[:port]`; empty for a folder.
    pub(crate) host: String,
    pub(crate) place: Place,
    pub(crate) files: Vec<Asked>,
}

impl Checked {
    /// The outcomes of a build that failed as a whole.
    pub(crate) fn failed_by(
        &self,
        attempts: u32,
        error: &TransferError,
    ) -> Vec<(String, FileOutcome)> {
        let open = self
            .files
            .iter()
            .filter(|file| file.action != Action::Keep)
            .map(|file| &file.wanted);
        open.map(|wanted| failed(wanted.file.as_str(), wanted.sha256, attempts, error))
            .collect()
    }
}

impl Slot {
    pub(crate) async fn run(self, stop: Shutdown) -> Result<(), WorkerError> {
        let queue = &*self.context.queue;
        while self.rest.is_over(queue, &stop).await {
            let delivery = tokio::select! {
                biased;
                () = stop.requested() => break,
                () = self.rest.has_begun() => continue,
                delivery = queue.receive() => match delivery {
                    Ok(delivery) => delivery,
                    Err(QueueError::Closed) => break,
                    Err(error) => return Err(error.into()),
                },
            };
            self.handle(delivery, &stop).await?;
        }
        // What came meanwhile is for others.
        queue.let_go().await;
        Ok(())
    }

    async fn handle(&self, delivery: Delivery, stop: &Shutdown) -> Result<(), WorkerError> {
        let span = spans::process(&delivery, self.context.queue.system());
        traced(span, self.work_on(delivery, stop)).await
    }

    async fn work_on(&self, mut delivery: Delivery, stop: &Shutdown) -> Result<(), WorkerError> {
        let mut task = delivery.task.clone();
        let stem = task.stem();
        let memory = &self.context.mirrors.memory(&task);
        let end = match self.context.mirrors.end(&task) {
            Ok(end) => end,
            Err(NotServed { why }) => {
                return self.pass_on(delivery, memory, why).await;
            }
        };
        let Some(mut checked) = check(&task, &end) else {
            let error = TransferError::NoPlace { build: stem };
            return self.refuse(delivery, memory, &error).await;
        };
        let (claims, worker) = (&*memory.claims, self.context.name.as_str());
        let hold = match Hold::claim(claims, worker, &task).await? {
            Claim::Busy { .. } => return or_again(delivery.retry(task, Hold::TTL / 2).await),
            Claim::Superseded { .. } => return or_again(delivery.ack().await),
            Claim::Paused => return or_again(delivery.retry(task, PAUSED).await),
            Claim::Granted {
                attempt,
                interrupted,
            } => Hold::new(
                claims,
                worker,
                &task,
                attempt.max(task.attempt),
                interrupted,
            ),
        };
        metrics().attempt(hold.attempt);
        Span::current().record("conda.attempt", hold.attempt);
        if task.overtaken.is_some() {
            let names: Vec<String> = task.files.iter().map(|file| file.file.clone()).collect();
            let recorded = memory.outcomes.get_many(&task.subdir, &names).await?;
            match catch_up(&mut task, &recorded).then(|| check(&task, &end)) {
                Some(Some(caught_up)) => checked = caught_up,
                _ => {
                    hold.release(false).await?;
                    return or_again(delivery.ack().await);
                }
            }
        }
        // Under the claim: whoever had it until now may have done it.
        if is_settled(&task, &checked, memory).await? {
            hold.release(false).await?;
            return or_again(delivery.ack().await);
        }
        if hold.attempt > self.context.attempts {
            let attempts = hold.attempt - 1;
            tracing::error!(build = stem, attempts, "given up: its workers died");
            let error = TransferError::Poison {
                build: stem,
                attempts,
            };
            let outcomes = checked.failed_by(attempts, &error);
            return self
                .finish(delivery, hold, memory, outcomes, Then::Acknowledge)
                .await;
        }
        let _alone = if hold.interrupted && hold.attempt >= SUSPECT {
            let Ok(alone) = self.suspects.try_acquire() else {
                hold.release(false).await?;
                return or_again(delivery.retry(task, AFTER_ANOTHER).await);
            };
            Some(alone)
        } else {
            None
        };
        let interrupted = delivery.redelivered || hold.interrupted || hold.attempt > 1;
        let asked_for = task.probe || task.renew || interrupted || needs_probe(&checked.files);
        let knowledge = Knowledge {
            probe: asked_for && are_worth_a_look(&checked.files, task.allow_unverified),
            interrupted,
        };
        let bringing = async {
            match &*end {
                End::Mirror(target) => {
                    let transfer = Transfer {
                        context: &self.context,
                        target,
                        task: &task,
                        place: &checked.place,
                        files: &checked.files,
                        knowledge,
                    };
                    transfer.run(&hold).await
                }
                End::Channel(folder) => {
                    let pull = Pull {
                        context: &self.context,
                        folder,
                        task: &task,
                        files: &checked.files,
                    };
                    pull.run(&hold).await
                }
            }
        };
        let ended = tokio::select! {
            ended = bringing => ended,
            error = hold.keep_alive() => return Err(error.into()),
            error = hand_over_in_time(&mut delivery) => return Err(error.into()),
            () = self.out_of_time(stop) => {
                hold.release(false).await?;
                return or_again(delivery.give_back().await);
            }
        };
        match ended {
            Some(settled) => self.settle(delivery, hold, memory, &checked, settled).await,
            None => or_again(delivery.ack().await),
        }
    }

    async fn out_of_time(&self, stop: &Shutdown) {
        stop.requested().await;
        tokio::time::sleep(self.grace).await;
    }
}

/// The place of a task at its destination, if its names have one.
fn check(task: &Task, end: &End) -> Option<Checked> {
    let (host, namespace) = match end {
        End::Mirror(target) => (target.destination.host(), target.namespace.as_str()),
        // What comes from a mirror has a place in one.
        End::Channel(_) => ("", ""),
    };
    let layout = SubdirLayout::new(host, namespace, &task.channel, &task.subdir).ok()?;
    let files: Option<Vec<_>> = task.files.iter().map(Asked::of).collect();
    let files = files?;
    let same_build = files
        .iter()
        .all(|file| file.wanted.file.stem() == task.stem());
    let first: &FileName = &files.first()?.wanted.file;
    let place = layout.package(first).ok()?;
    let host = host.to_owned();
    same_build.then_some(Checked { host, place, files })
}

/// Whether every file to transfer has an outcome that settles this task.
async fn is_settled(task: &Task, checked: &Checked, memory: &Memory) -> Result<bool, WorkerError> {
    let open: Vec<&Wanted> = checked
        .files
        .iter()
        .filter(|file| file.action != Action::Keep)
        .map(|file| &file.wanted)
        .collect();
    let names: Vec<String> = open
        .iter()
        .map(|wanted| wanted.file.as_str().to_owned())
        .collect();
    let recorded = memory.outcomes.get_many(&task.subdir, &names).await?;
    Ok(open.iter().zip(&recorded).all(|(wanted, recorded)| {
        recorded.as_ref().is_some_and(|recorded| {
            let wanted = ledger::Wanted {
                sha256: wanted.sha256,
                md5: wanted.md5,
                size: wanted.size,
            };
            recorded.settles(task.plan, &wanted, task.probe || task.renew)
        })
    }))
}

/// Leaves a task that takes long to the queue when the queue wants that, while the work on it goes on under the claim.
/// Resolves only when the queue fails for good.
async fn hand_over_in_time(delivery: &mut Delivery) -> QueueError {
    while let Some(due) = delivery.hand_over_due() {
        tokio::time::sleep_until(due).await;
        let mut copy = delivery.task.clone();
        // Whoever works on it has met a worker that died in the middle.
        copy.probe = true;
        match delivery.hand_over(copy, Hold::TTL).await {
            Ok(()) => tracing::debug!(build = delivery.task.stem(), "takes long; handed over"),
            Err(error) if error.is_transient() => tokio::time::sleep(HAND_OVER_AGAIN).await,
            Err(error) => return error,
        }
    }
    std::future::pending().await
}

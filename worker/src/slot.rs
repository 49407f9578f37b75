//! One slot: takes a task, checks and claims it, and has it transferred.

use std::sync::Arc;
use std::time::Duration;

use mirror_channel::name::FileName;
use mirror_ledger::{self as ledger, Claim, FileOutcome};
use mirror_oci::layout::{Place, SubdirLayout};
use mirror_oci::package::Wanted;
use mirror_queue::{Action, Delivery, QueueError, Task};
use mirror_runtime::Shutdown;

use crate::context::Context;
use crate::denials::Denials;
use crate::error::TransferError;
use crate::hold::Hold;
use crate::service::WorkerError;
use crate::settle::{Then, failed};
use crate::steps::{Asked, are_worth_a_look, needs_probe};
use crate::transfer::{Knowledge, Transfer};

pub(crate) struct Slot {
    pub(crate) context: Arc<Context>,
    pub(crate) denials: Arc<Denials>,
    pub(crate) grace: Duration,
}

/// A task whose names were checked.
pub(crate) struct Checked {
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
            tracing::error!(build = stem, attempts, "given up: its workers died");
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
        let asked_for = task.probe || interrupted || needs_probe(&checked.files);
        let knowledge = Knowledge {
            probe: asked_for && are_worth_a_look(&checked.files, task.allow_unverified),
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
        let files: Option<Vec<_>> = task.files.iter().map(Asked::of).collect();
        let files = files?;
        let same_build = files
            .iter()
            .all(|file| file.wanted.file.stem() == task.stem());
        let first: &FileName = &files.first()?.wanted.file;
        let place = layout.package(first).ok()?;
        same_build.then_some(Checked { place, files })
    }

    /// Whether every file to transfer has an outcome that settles this task.
    async fn is_settled(&self, task: &Task, checked: &Checked) -> Result<bool, WorkerError> {
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
}

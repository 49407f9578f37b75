//! What nobody could work on is taken note of, so that the broker need not keep it: a task that the broker gave up
//! delivering is a failure of its files in the ledger, and what is no task at all is said once.

use std::time::Duration;

use mirror_ledger::{Failure, FailureKind, FileOutcome};
use mirror_queue::rabbitmq::{DeadLetter, DeadLetters};
use mirror_queue::{Action, QueueError, RabbitQueue, Task};
use mirror_runtime::clock;

use super::follow::Follow;

/// Letters that are looked at in one go. More are left for the next.
const LETTERS: usize = 256;
/// How long a go may wait for a broker that is away: nothing depends on it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Follow<'_> {
    /// Drains the dead-letter queue of what is this subdir's, and of what is nobody's. The tasks of other subdirs and mirrors
    /// stay for those who follow them.
    ///
    /// # Errors
    /// When the ledger fails. A broker that is away is left alone.
    pub(super) async fn take_note_of_the_dead(&self) -> anyhow::Result<()> {
        let Some(broker) = &self.run.broker else {
            return Ok(());
        };
        let seen = tokio::time::timeout(PATIENCE, letters(broker)).await;
        // That it is away the queue itself says.
        let Ok(Ok((_walk, letters))) = seen else {
            tracing::debug!("the broker does not show what nobody could work on");
            return Ok(());
        };
        for letter in letters {
            self.take_note_of(letter).await?;
        }
        Ok(())
    }

    async fn take_note_of(&self, letter: DeadLetter) -> anyhow::Result<()> {
        let DeadLetter { reason, start, .. } = &letter;
        match &letter.task {
            Some(task) if self.is_ours(task) => {
                let build = task.stem();
                tracing::error!(
                    subdir = task.subdir,
                    build,
                    "nobody could work on its task: {reason}"
                );
                let failed = failures(task, reason);
                let ledger = &self.run.ledger;
                ledger.adopt(&task.subdir, task.plan, failed).await?;
            }
            // Dropped, it stays.
            Some(_) => return Ok(()),
            None => tracing::warn!(
                start,
                "a message in the queue was no task of ours: {reason}"
            ),
        }
        if let Err(error) = letter.ack().await {
            tracing::debug!(%error, "a dead letter was taken note of and stays");
        }
        Ok(())
    }

    fn is_ours(&self, task: &Task) -> bool {
        let run = self.run;
        let registry = run.options.registry.as_ref().map(ToString::to_string);
        registry.as_ref() == Some(&task.registry)
            && run.channel.name == task.channel
            && self.subdir == task.subdir
    }
}

/// What lies there, and the walk, which must last until each was settled. All of it is held until then: what is put back is
/// handed out again.
async fn letters(broker: &RabbitQueue) -> Result<(DeadLetters, Vec<DeadLetter>), QueueError> {
    let mut walk = broker.dead_letters().await?;
    let mut letters = Vec::new();
    while letters.len() < LETTERS
        && let Some(letter) = walk.next().await?
    {
        letters.push(letter);
    }
    Ok((walk, letters))
}

/// A failure of every file that the task was to bring or to look for.
fn failures(task: &Task, reason: &str) -> Vec<(String, FileOutcome)> {
    let wanted = |action| matches!(action, Action::Transfer | Action::Check);
    let files = task.files.iter().filter(|file| wanted(file.action));
    files
        .map(|file| {
            let failure = Failure {
                kind: FailureKind::Retry,
                cause: format!("nobody could work on its task: {reason}").into(),
                attempts: task.attempt,
                at_ms: clock::now_ms(),
                sha256: file.sha256,
            };
            (file.file.clone(), FileOutcome::Failed(failure))
        })
        .collect()
}

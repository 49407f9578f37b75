//! Goes through the items of a stage with a window of checks in flight, in their order, and notes how far it is.

use futures::{Stream, StreamExt as _};
use mirror_oci::DestinationError;
use mirror_runtime::{Disposed as _, Disposition, Shutdown, fail_point};
use tokio::sync::Semaphore;

use super::finding::{Finding, Kind};
use super::findings::Findings;
use super::journal::{Journal, Stage};
use super::progress::Progress;

/// Checks that may be done and wait for an earlier one, for each that is at work.
const AHEAD: usize = 4;
/// Items between two notes of how far it is.
const NOTE_EVERY: u64 = 256;
/// Items in a row without any answer after which nobody is asked any more.
const SILENT: usize = 64;

/// What the stages share.
pub(crate) struct Walk<'a> {
    pub workers: usize,
    pub shutdown: &'a Shutdown,
    pub progress: &'a Progress,
    /// `None`: it is looked at once more after a repair, and nobody goes on from there.
    pub journal: Option<&'a mut Journal>,
    pub findings: &'a mut Findings,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walked {
    Whole,
    Interrupted,
}

impl Walk<'_> {
    /// Checks each of `items`, which come with their ordinals in rising order.
    ///
    /// # Errors
    /// When the items cannot be read, or nobody answers.
    pub(crate) async fn through<I, F>(
        &mut self,
        stage: Stage,
        items: impl Stream<Item = anyhow::Result<(u64, I)>>,
        check: impl Fn(I) -> F,
    ) -> anyhow::Result<Walked>
    where
        F: Future<Output = anyhow::Result<Vec<Finding>>>,
    {
        let at_work = Semaphore::new(self.workers);
        let checked = items
            .map(|item| {
                let (at_work, check) = (&at_work, &check);
                async move {
                    let (ordinal, item) = item?;
                    let _turn = at_work.acquire().await?;
                    anyhow::Ok((ordinal, check(item).await?))
                }
            })
            .buffered(self.workers * AHEAD);
        let mut checked = std::pin::pin!(checked);
        let (mut done, mut remarkable, mut new, mut silent) = (0, Vec::new(), 0, 0);
        let walked = loop {
            let next = tokio::select! {
                biased;
                () = self.shutdown.requested() => break Walked::Interrupted,
                next = checked.next() => next,
            };
            let Some(next) = next else {
                break Walked::Whole;
            };
            let (ordinal, found) = match next {
                Ok(next) => next,
                Err(error) => {
                    self.note(stage, done, remarkable);
                    return Err(error);
                }
            };
            if !found.is_empty() {
                remarkable.push(ordinal);
            }
            let unanswered = found.iter().any(|found| found.kind == Kind::Unanswered);
            silent = if unanswered { silent + 1 } else { 0 };
            for finding in found {
                self.findings.add(finding)?;
            }
            done = ordinal + 1;
            new += 1;
            self.progress.step();
            fail_point::hit("while-verifying").await;
            if silent >= SILENT {
                self.note(stage, done, remarkable);
                anyhow::bail!(
                    "the registry gave {SILENT} times in a row no answer that says anything; run again when it does, to go \
                     on from there"
                );
            }
            if u64::is_multiple_of(new, NOTE_EVERY) {
                self.note(stage, done, std::mem::take(&mut remarkable));
            }
        };
        self.note(stage, done, remarkable);
        Ok(walked)
    }

    fn note(&mut self, stage: Stage, done: u64, remarkable: Vec<u64>) {
        if let Some(journal) = &mut self.journal {
            journal.step(stage, done, remarkable);
        }
    }
}

/// What an answer that could not be had means: that something there cannot be read, or that nothing can be verified now.
///
/// # Errors
/// When nobody can be reached, or a login is wanted: what is asked next will end so too.
pub(crate) fn unanswered(
    error: DestinationError,
    subject: &str,
    repository: &str,
) -> anyhow::Result<Finding> {
    let hopeless = error.is_unreachable()
        || matches!(
            error.disposition(),
            Disposition::Denied | Disposition::Local | Disposition::Cancelled
        );
    if hopeless {
        return Err(error.into());
    }
    Ok(Finding::new(
        Kind::Unanswered,
        subject,
        repository,
        error.to_string(),
    ))
}

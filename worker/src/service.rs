//! The worker: slots that take tasks from the queue, one each, and settle every delivery.
//!
//! A delivery is acknowledged only when each of its files has an outcome in the ledger, or a copy of
//! it is in the queue. On shutdown, tasks in flight get a grace period and then go back uncounted.

use std::sync::Arc;
use std::time::Duration;

use mirror_ledger::LedgerError;
use mirror_queue::QueueError;
use mirror_runtime::Shutdown;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::denials::Denials;
use crate::rest::Rest;
use crate::slot::Slot;

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
    /// The registry let this worker in with nothing at all.
    #[error(
        "the registry refused the first thing this worker wanted to push, so it takes no tasks: {refusal}; see that its login (ORAS_USER, ORAS_PASS) is right and may push there"
    )]
    RefusedAtOnce {
        /// What it said.
        refusal: String,
    },
    /// A host that every build needs has gone away.
    #[error(
        "nobody answers at {host}: the last {tries} tries, of whatever build, all failed so, the first of them {} minutes ago; the run was stopped; see that the host runs and this machine reaches it, and run the same command again; the last failure: {last}",
        for_so_long.as_secs() / 60
    )]
    Unanswered {
        /// Who does not answer, `host[:port]`.
        host: String,
        /// How many.
        tries: usize,
        /// Since the first of them.
        for_so_long: Duration,
        /// The last failure.
        last: String,
    },
    /// One build after the other fails on this machine: a full disk would have the whole channel downloaded for nothing.
    #[error(
        "the last {builds} builds all failed for a reason on this machine, so the run was stopped; mend it and run the same command again; the last failure: {last}"
    )]
    Local {
        /// How many.
        builds: usize,
        /// The last failure.
        last: String,
    },
}

/// After its grace, so long a worker tries to say what became of its tasks: broker and ledger may be away.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How a worker runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Tasks at once.
    pub slots: usize,
    /// How long tasks in flight may go on after a stop was asked for.
    pub grace: Duration,
    /// Whether nobody else does the tasks of its queue. If others do, a registry that refuses this worker before it let
    /// anything in has only refused this worker: the task goes back for them, uncounted.
    pub stands_alone: bool,
}

/// A worker, ready to run.
#[derive(Debug)]
pub struct Worker {
    context: Arc<Context>,
}

impl Worker {
    /// A worker over `context`.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
        }
    }

    /// Works until a stop is asked for or the queue is closed.
    ///
    /// # Errors
    /// When the ledger or the queue fails, the registry refuses one repository after the other, this machine fails
    /// one build after the other, or nobody answers any more; other slots are stopped then.
    pub async fn run(self, options: Options, shutdown: Shutdown) -> Result<(), WorkerError> {
        let stop = shutdown.child();
        let activity = Arc::clone(&self.context.activity);
        let rest = Arc::new(Rest::new(options.stands_alone, activity));
        let denials = Arc::new(Denials::new(options.stands_alone));
        let suspects = Arc::new(Semaphore::new(1));
        let mut slots = JoinSet::new();
        for _ in 0..options.slots {
            let slot = Slot {
                context: Arc::clone(&self.context),
                denials: Arc::clone(&denials),
                rest: Arc::clone(&rest),
                suspects: Arc::clone(&suspects),
                grace: options.grace,
            };
            slots.spawn(slot.run(stop.clone()));
        }
        let mut result = Ok(());
        let working = async {
            while let Some(ended) = slots.join_next().await {
                let ended =
                    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
                if let Err(error) = ended {
                    stop.request();
                    let first = std::mem::replace(&mut result, Ok(()));
                    result = first.and(Err(error));
                }
            }
        };
        tokio::select! {
            () = working => {}
            () = self.overdue(options.grace, &stop) => {
                // Their deliveries go back with them, and their claims run out.
                tracing::warn!(tasks = slots.len(), "broker or ledger did not answer in time; left as they are");
                slots.shutdown().await;
            }
        }
        result
    }

    /// Once a stop is asked for: returns what nobody took, and resolves when all that was taken should be settled.
    async fn overdue(&self, grace: Duration, stop: &Shutdown) {
        stop.requested().await;
        let let_go = async {
            self.context.queue.let_go().await;
            std::future::pending().await
        };
        tokio::select! {
            () = let_go => {}
            () = tokio::time::sleep(grace.saturating_add(LAST_WORDS)) => {}
        }
    }
}

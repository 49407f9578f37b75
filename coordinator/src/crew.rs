//! The subdirs' syncs and the worker that does their tasks, side by side until both have ended. Where workers elsewhere do
//! them, there is none here.

use std::sync::Arc;
use std::time::Duration;

use mirror_worker::spool::Spool;
use mirror_worker::{Activity, Context, End, Memory, OneMirror, Target, Worker, WorkerError};

use crate::run::Run;
use crate::subdirs::{self, Synced};

/// Syncs the subdirs with a worker beside them. What does not stop by itself soon after a stop was
/// asked for is dropped where it is.
pub(crate) async fn work(
    run: &Run,
    spool: Spool,
    activity: Arc<Activity>,
    synced: &Synced,
) -> Result<(), WorkerError> {
    let mut syncing = std::pin::pin!(subdirs::sync(run, synced));
    let works = !run.options.dry_run && run.options.queue.is_none();
    let end = match (&run.destination, run.folder()) {
        (Some(destination), _) => Some(End::Mirror(Target {
            destination: Arc::clone(destination),
            namespace: run.namespace().to_owned(),
        })),
        (None, folder) => folder.map(End::Channel),
    };
    let Some(end) = end.filter(|_| works) else {
        tokio::select! {
            () = syncing => {}
            () = overdue(run) => {}
        }
        return Ok(());
    };
    let worker = Worker::new(Context {
        queue: Arc::clone(&run.queue),
        mirrors: Arc::new(OneMirror::new(
            end,
            Memory {
                outcomes: Arc::clone(&run.ledger) as _,
                claims: Arc::clone(&run.ledger) as _,
            },
        )),
        sources: Arc::clone(&run.sources),
        spool,
        limits: run.options.limits,
        activity,
        attempts: run.options.attempts,
        name: run.name.clone(),
    });
    let options = mirror_worker::Options {
        slots: run.options.workers,
        grace: run.options.grace,
        stands_alone: true,
    };
    let mut working = std::pin::pin!(worker.run(options, run.shutdown.clone()));
    let worked = tokio::select! {
        () = &mut syncing => None,
        worked = &mut working => Some(worked),
        () = overdue(run) => return Ok(()),
    };
    match worked {
        // The worker gives back what it has before the ledger closes.
        None => {
            run.queue.close().await;
            tokio::select! {
                worked = working => worked,
                () = overdue(run) => Ok(()),
            }
        }
        Some(Err(error)) => {
            // What was done until now is still told.
            run.shutdown.request();
            tokio::select! {
                () = syncing => {}
                () = overdue(run) => {}
            }
            Err(error)
        }
        Some(Ok(())) => {
            tokio::select! {
                () = syncing => {}
                () = overdue(run) => {}
            }
            Ok(())
        }
    }
}

async fn overdue(run: &Run) {
    run.shutdown.requested().await;
    tokio::time::sleep(run.options.grace + Duration::from_secs(2)).await;
}

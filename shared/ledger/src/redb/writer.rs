//! One thread writes: it takes all transitions that wait, does them in one transaction, and
//! answers each after the durable commit. A sync of the disk takes milliseconds; shared by all
//! workers it costs each next to nothing. On a disk so fast that nobody would have to share, commits
//! keep a distance, because they cost CPU as well.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mirror_runtime::metrics::metrics;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::store::Store;
use super::tables::Tables;
use crate::error::LedgerError;

/// Transitions that may wait, and the most that share a commit.
const GROUP: usize = 1024;

/// Between the beginnings of two commits. It is little beside the requests of a transfer, and a third of the commits of
/// 16 workers on a fast disk (measured: 0.4 ms of CPU a file less).
const DISTANCE: Duration = Duration::from_millis(4);

#[derive(Debug)]
pub(super) struct Writer {
    /// None only while it is dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    store: Arc<Store>,
}

impl Writer {
    pub(super) fn start(store: Arc<Store>) -> Result<Self, LedgerError> {
        let (jobs, mut waiting) = mpsc::channel::<Box<dyn Job>>(GROUP);
        let thread = std::thread::Builder::new()
            .name("ledger writer".to_owned())
            .spawn({
                let store = Arc::clone(&store);
                move || serve(&store, &mut waiting)
            })
            .map_err(|error| LedgerError::Open {
                path: store.path().to_owned(),
                cause: format!("no thread to write it: {error}; see how many threads this user may have (`ulimit -u`)"),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            store,
        })
    }

    /// Does `apply` in the next transaction and resolves when that is durable. Once begun, it
    /// happens even if the future is dropped.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        apply: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let stopped = || {
            let fault = Fault::storage("its writer has stopped");
            self.store.write_error(what, &fault)
        };
        let (reply, answer) = oneshot::channel();
        let job = Transition {
            what,
            apply: Some(apply),
            applied: None,
            reply,
        };
        let jobs = self.jobs.as_ref().expect("only the drop takes it");
        let began = Instant::now();
        jobs.send(Box::new(job)).await.map_err(|_| stopped())?;
        let answer = answer.await.map_err(|_| stopped())?;
        metrics().ledger("redb", what, began.elapsed(), answer.is_ok());
        answer
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was an error for each who waited; here it is no news.
            let _ = thread.join();
        }
    }
}

/// Commits groups until nobody can send any more.
fn serve(store: &Store, waiting: &mut mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut last: Option<Instant> = None;
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let early = last.map_or(Duration::ZERO, |last| {
            DISTANCE.saturating_sub(last.elapsed())
        });
        if !early.is_zero() {
            #[allow(
                clippy::disallowed_methods,
                reason = "the thread does nothing but this"
            )]
            std::thread::sleep(early);
            let more = std::iter::from_fn(|| waiting.try_recv().ok());
            group.extend(more.take(GROUP - group.len()));
        }
        last = Some(Instant::now());
        commit(store, std::mem::take(&mut group));
    }
}

fn commit(store: &Store, mut group: Vec<Box<dyn Job>>) {
    let committed = store.with(|database| {
        let transaction = database.begin_write()?;
        {
            let mut tables = Tables::open(&transaction)?;
            for job in &mut group {
                job.apply(&mut tables)?;
            }
        }
        transaction.commit()?;
        Ok(())
    });
    if let Err(fault) = &committed {
        tracing::warn!(ledger = %store.path().display(), transitions = group.len(), ?fault, "a commit failed");
    }
    for job in group {
        job.answer(store, committed.as_ref().err());
    }
}

/// A transition of any result.
trait Job: Send {
    /// Fails only if the whole group must.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault>;
    /// Tells who waits; `failed` when the group was not committed.
    fn answer(self: Box<Self>, store: &Store, failed: Option<&Fault>);
}

struct Transition<F, T> {
    what: &'static str,
    apply: Option<F>,
    applied: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<F, T> Job for Transition<F, T>
where
    F: FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault> {
        let apply = self.apply.take().expect("a transition is applied once");
        self.applied = match apply(tables) {
            Err(fault) if !matches!(fault, Fault::Row(_)) => return Err(fault),
            applied => Some(applied),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, store: &Store, failed: Option<&Fault>) {
        let answer = match (failed, self.applied) {
            (None, Some(Ok(value))) => Ok(value),
            (None, Some(Err(fault))) => Err(store.write_error(self.what, &fault)),
            (Some(fault), _) => Err(store.write_error(self.what, fault)),
            (None, None) => unreachable!("a committed group was applied"),
        };
        // Who asked may have gone.
        let _ = self.reply.send(answer);
    }
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
